/* test_llm.c - steps of language models against what cannot be otherwise: bytes over bandwidth, operations
 * over the peak, ideal division, memory that is full; caches, weights and drafts by closed form; and the
 * documents.
 */
#include "doc_json.h"
#include "scenario/llm_study.h"
#include "study_make.h"

#define HF(name) RG_SOURCE_ROOT "/test/data/hf/" name ".json"
#define H100_BYTE_PER_S 3.35e12 /* NVIDIA H100 SXM5: HBM3 bandwidth of the data sheet */
#define H100_F16_OP_PER_S 989.4e12 /* dense FP16 and BF16 of the same */
#define LLM(...) (&(rg_llm_opt){.size = sizeof(rg_llm_opt), __VA_ARGS__})

static rg_llm *open_llm(rg_ctx *cx, const char *model, const char *precision, const char *parallel)
{
    rg_llm *llm = NULL;
    rg_llm_setup setup = {.model = model, .device = "h100-sxm", .runtime = "vllm", .precision = precision,
                          .parallel = parallel};
    if (rg_llm_open(cx, &setup, &llm)) fail_msg("%s: %s", model, rg_ctx_error(cx));
    return llm;
}

static rg_llm_cost step(rg_ctx *cx, rg_llm *llm, int64_t batch, int64_t fresh, int64_t past)
{
    rg_llm_cost c = {0};
    if (rg_llm_step(cx, llm, (rg_llm_tokens){batch, fresh, past}, &c)) fail_msg("%s", rg_ctx_error(cx));
    return c;
}

static rg_llm_request_cost request(rg_ctx *cx, rg_llm *llm, int64_t batch, int64_t prompt, int64_t output)
{
    rg_llm_request_cost c = {0};
    if (rg_llm_request(cx, llm, (rg_llm_work){batch, prompt, output}, &c)) fail_msg("%s", rg_ctx_error(cx));
    return c;
}

static void assert_within(double got, double wanted, double share, const char *what)
{
    if (!(fabs(got - wanted) <= share * fabs(wanted))) fail_msg("%s: got %.9g, wanted %.9g", what, got,
                                                                wanted);
}

static void assert_least(double got, double least, const char *what)
{
    if (!(got >= least * (1 - 1e-9))) fail_msg("%s: %.9g, at least %.9g", what, got, least);
}

/* ---- closed forms ---- */

/* Parameters as published; of those of the table of words a step reads one row a token. Bytes of keys and
 * values of a token: 2 x layers x heads x features, of DeepSeek a latent vector of 512 + 64. */
static const struct { const char *model; double parameters, words, cache_byte; bool mixture; } models[] = {
    {HF("llama-3-8b"), 8030261248, 128256.0 * 4096, 2.0 * 32 * 2 * 8 * 128, false},
    {HF("llama-3-70b"), 70553706496, 128256.0 * 8192, 2.0 * 80 * 2 * 8 * 128, false},
    {HF("mixtral-8x7b"), 46702792704, 32000.0 * 4096, 2.0 * 32 * 2 * 8 * 128, true},
    {HF("deepseek-v3"), 671026419200, 129280.0 * 7168, 2.0 * 61 * (512 + 64), true},
};

/* Of 8 experts a token takes 2. Shared by tensors each device reads an eighth of both; with one expert each,
 * all wait for one that has its own taken, which one of 8 independent ones has with 1 - (3/4)^8. On a GPU a
 * mixture is 7 kernels. */
static void shared_experts_wait_for_the_busiest(void **state)
{
    rg_ctx *cx = *state;
    rg_llm *tensors = open_llm(cx, HF("mixtral-8x7b"), "bf16", "tp=8");
    rg_llm *experts = open_llm(cx, HF("mixtral-8x7b"), "bf16", "tp=8,ep=8");
    double expert_byte = 32 * 3.0 * 4096 * 14336 * 2; /* of one in all layers */
    double more =
        step(cx, experts, 1, 1, 127).weight_read_byte - step(cx, tensors, 1, 1, 127).weight_read_byte;
    assert_within(more, expert_byte * (1 - pow(0.75, 8) - 2 / 8.0), 1e-6, "bytes of the busiest");
    const rg_forecast *f = NULL;
    assert_int_equal(rg_llm_forecast(cx, experts, (rg_llm_tokens){1, 1, 127}, &f), RG_OK);
    int mixtures = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) mixtures += f->plan->rows[r].kernels == 7;
    assert_int_equal(mixtures, 32);
    rg_forecast_free(f);
    rg_llm_close(experts);
    rg_llm_close(tensors);
}

static void weights_and_caches_are_those_of_the_model(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(models); i++) {
        rg_llm *llm = open_llm(cx, models[i].model, "bf16", NULL);
        rg_llm_cost c = step(cx, llm, 4, 1, 2047);
        assert_within(rg_llm_parameters(llm), models[i].parameters, 1e-12, models[i].model);
        assert_within(c.cache_byte, 4 * 2048 * models[i].cache_byte, 1e-12, "caches");
        assert_within(c.memory.cache, c.cache_byte, 1e-3, "planned caches"); /* aligned */
        assert_within(rg_llm_cache_byte(cx, llm, 2048), c.memory.cache / 4, 1e-3, "of a sequence");
        if (!models[i].mixture)
            assert_within(c.weight_read_byte, 2 * (models[i].parameters - models[i].words), 1e-3, "weights");
        assert_least(2 * models[i].parameters, c.weight_read_byte, "all weights");
        rg_llm_close(llm);
    }
}

/* n tokens take E (1 - (1 - k/E)^n) of E experts, each with three matrices. */
static void more_tokens_read_more_experts(void **state)
{
    rg_ctx *cx = *state;
    const double expert = 2.0 * 3 * 4096 * 14336, layers = 32, count = 8, chosen = 2;
    const double other = 2 * (46702792704.0 - 32000.0 * 4096) - layers * count * expert;
    rg_llm *llm = open_llm(cx, HF("mixtral-8x7b"), "bf16", NULL);
    double before = 0;
    for (int64_t n = 1; n <= 256; n *= 4) {
        double active = count * (1 - pow(1 - chosen / count, (double)n));
        rg_llm_cost c = step(cx, llm, n, 1, 512);
        assert_within(c.weight_read_byte, other + layers * active * expert, 1e-3, "active weights");
        assert_true(c.weight_read_byte >= before);
        before = c.weight_read_byte;
    }
    rg_llm_close(llm);
}

/* ---- what no machine beats ---- */

static void a_step_takes_no_less_than_its_bytes(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(models); i++) {
        rg_llm *llm = open_llm(cx, models[i].model, "bf16", NULL);
        for (int64_t batch = 1; batch <= 16; batch *= 16)
            for (int64_t past = 511; past < 8192; past = past * 8 + 7) {
                rg_llm_cost c = step(cx, llm, batch, 1, past);
                double caches = (double)batch * (double)(past + 1) * models[i].cache_byte;
                assert_least(c.latency_s.value, (c.weight_read_byte + caches) / H100_BYTE_PER_S,
                             models[i].model);
            }
        rg_llm_close(llm);
    }
}

/* Each token takes 2 operations a parameter of a dense model, the head's only the last one. */
static void a_prompt_takes_no_less_than_its_operations(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(models); i++) {
        rg_llm *llm = open_llm(cx, models[i].model, "bf16", NULL);
        for (int64_t prompt = 128; prompt <= 8192; prompt *= 8) {
            rg_llm_cost c = step(cx, llm, 1, prompt, 0);
            double layers = 2 * (models[i].parameters - 2 * models[i].words);
            assert_least(c.latency_s.value, c.flop / H100_F16_OP_PER_S, models[i].model);
            if (!models[i].mixture) assert_least(c.flop, 0.999 * layers * (double)prompt, "operations");
        }
        rg_llm_close(llm);
    }
}

static void division_is_never_better_than_ideal(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 1; i <= 2; i++) {
        rg_llm *one = open_llm(cx, models[i].model, "bf16", NULL);
        rg_llm_request_cost alone = request(cx, one, 8, 1024, 64);
        for (int n = 2; n <= 8; n *= 2) {
            char parallel[16];
            snprintf(parallel, sizeof parallel, "tp=%d", n);
            rg_llm *shared = open_llm(cx, models[i].model, "bf16", parallel);
            rg_llm_request_cost c = request(cx, shared, 8, 1024, 64);
            assert_int_equal(rg_llm_devices(shared), n);
            assert_least(c.tpot_s.value, alone.tpot_s.value / n, "time per token");
            assert_least(c.ttft_s.value, alone.ttft_s.value / n, "time to first token");
            assert_least(n * alone.tokens_per_s, c.tokens_per_s, "tokens per second");
            assert_true(c.communication_share > 0 && c.communication_share < 1);
            rg_llm_close(shared);
        }
        rg_llm_close(one);
    }
}

static void pipelines_fill_with_sequences(void **state)
{
    rg_ctx *cx = *state;
    rg_llm *one = open_llm(cx, HF("llama-3-8b"), "bf16", NULL), *two = open_llm(cx, HF("llama-3-8b"), "bf16",
                                                                               "pp=2");
    rg_llm_request_cost a = request(cx, two, 1, 1024, 64), b = request(cx, two, 2, 1024, 64);
    assert_least(a.tpot_s.value, request(cx, one, 1, 1024, 64).tpot_s.value, "a token through all stages");
    assert_least(b.decode_tokens_per_s, a.decode_tokens_per_s, "two micro-batches");
    assert_least(2 * a.decode_tokens_per_s, b.decode_tokens_per_s, "no more than twice");
    assert_true(a.memory.weight < request(cx, one, 1, 1024, 64).memory.weight);
    rg_llm_close(two);
    rg_llm_close(one);
}

/* ---- memory ---- */

static void throughput_grows_until_memory_is_full(void **state)
{
    rg_ctx *cx = *state;
    static const char *const parallels[] = {NULL, "tp=2"};
    for (size_t i = 0; i < RG_COUNT(parallels); i++) {
        rg_llm *llm = open_llm(cx, HF("llama-3-8b"), "bf16", parallels[i]);
        int64_t room = 0;
        double before = 0;
        if (rg_llm_fit(cx, llm, 4096, &room)) fail_msg("%s", rg_ctx_error(cx));
        assert_true(room > 32);
        for (int64_t batch = 1; batch <= room; batch *= 2) {
            rg_llm_cost c = step(cx, llm, batch, 1, 4095);
            double rate = (double)batch / c.latency_s.value;
            assert_true(c.memory.peak <= rg_llm_memory_byte(llm));
            assert_least(rate, before, "tokens per second");
            before = rate;
        }
        assert_true(step(cx, llm, room, 1, 4095).memory.peak <= rg_llm_memory_byte(llm));
        assert_true(step(cx, llm, room + 1, 1, 4095).memory.peak > rg_llm_memory_byte(llm));
        rg_llm_close(llm);
    }
}

/* 70.6 billion parameters of 2 bytes do not fit 80 GB, of 4 bits and a scale for every 128 they do. */
static void what_does_not_fit_has_no_room(void **state)
{
    rg_ctx *cx = *state;
    rg_llm *wide = open_llm(cx, HF("llama-3-70b"), "bf16", NULL);
    rg_llm *narrow = open_llm(cx, HF("llama-3-70b"), "bf16+w=i4g128", NULL);
    int64_t room[2] = {-1, -1};
    if (rg_llm_fit(cx, wide, 1024, &room[0]) || rg_llm_fit(cx, narrow, 1024, &room[1]))
        fail_msg("%s", rg_ctx_error(cx));
    assert_int_equal(room[0], 0);
    assert_true(room[1] > 0);
    assert_least(request(cx, wide, 1, 1024, 8).tpot_s.value, request(cx, narrow, 1, 1024, 8).tpot_s.value,
                 "fewer bytes");
    rg_llm_close(narrow);
    rg_llm_close(wide);
}

/* ---- between steps ---- */

static void steps_on_the_grid_are_themselves(void **state)
{
    rg_ctx *cx = *state;
    rg_llm *llm = open_llm(cx, HF("llama-3.2-1b"), "bf16", NULL);
    static const rg_llm_tokens grid[] = {{1, 1, 0}, {8, 1, 1024}, {1, 512, 0}, {4, 16, 128}};
    for (size_t i = 0; i < RG_COUNT(grid); i++) {
        rg_llm_cost c = step(cx, llm, grid[i].batch, grid[i].fresh, grid[i].past), near;
        if (rg_llm_step_near(cx, llm, grid[i], &near)) fail_msg("%s", rg_ctx_error(cx));
        assert_same(near.latency_s.value, c.latency_s.value);
        assert_same(near.memory.peak, c.memory.peak);
        assert_same(near.energy_j, c.energy_j);
    }
    rg_llm_cost near, c = step(cx, llm, 6, 1, 3000);
    if (rg_llm_step_near(cx, llm, (rg_llm_tokens){6, 1, 3000}, &near)) fail_msg("%s", rg_ctx_error(cx));
    assert_within(near.latency_s.value, c.latency_s.value, 0.05, "between");
    rg_llm_close(llm);
}

static void reading_along_takes_longer(void **state)
{
    rg_ctx *cx = *state;
    rg_llm *llm = open_llm(cx, HF("llama-3-8b"), "bf16", NULL);
    double before = 0;
    for (int64_t chunk = 64; chunk <= 4096; chunk *= 4) {
        const rg_llm_tokens decode = {16, 1, 1024}, read = {1, chunk, 1024};
        rg_llm_cost mixed, plain;
        if (rg_llm_mixed_near(cx, llm, decode, read, &mixed) || rg_llm_step_near(cx, llm, decode, &plain))
            fail_msg("%s", rg_ctx_error(cx));
        assert_least(mixed.latency_s.value, plain.latency_s.value, "mixed step");
        assert_least(mixed.latency_s.value, before, "larger chunk");
        before = mixed.latency_s.value;
    }
    rg_llm_close(llm);
}

/* The sum of a^i from 0 to g: the i-th drafted token counts when all up to it are right. */
static void drafts_give_what_the_series_says(void **state)
{
    (void)state;
    for (int g = 0; g <= 16; g++) {
        for (int a = 0; a <= 10; a++) {
            double sum = 0, power = 1;
            for (int i = 0; i <= g; i++, power *= a / 10.0) sum += power;
            assert_within(rg_llm_expected_tokens(a / 10.0, g), sum, 1e-12, "tokens of a round");
        }
        assert_same(rg_llm_expected_tokens(1, g), g + 1);
        assert_same(rg_llm_expected_tokens(0, g), 1);
    }
}

/* ---- documents ---- */

static rg_doc *document(rg_ctx *cx, const rg_llm_opt *opt)
{
    rg_doc *doc = NULL;
    if (rg_llm_doc(cx, opt, &doc)) fail_msg("%s", rg_ctx_error(cx));
    return doc;
}

static double sum_of(const rg_doc *doc, const char *array, const char *key)
{
    double sum = 0;
    for (const rg_item *item = array_of(doc, array)->first; item; item = item->next) sum += number(item, key);
    return sum;
}

static void a_report_adds_up(void **state)
{
    rg_ctx *cx = *state;
    const rg_rates *rates;
    rg_rates_opt rates_opt = {.size = sizeof rates_opt, .price = "2.5", .region = "de", .utilization = 0.5};
    if (rg_rates_new(cx, &rates_opt, &rates)) fail_msg("%s", rg_ctx_error(cx));
    rg_doc *doc = document(cx, LLM(LIST(model, HF("llama-3.2-3b")), LIST(device, "h100-sxm"), .batch = "8",
                                   LIST(parallel, "tp=2"), .prompt = "2000", .output = 100, .explain = 1,
                                   .draft = HF("llama-3.2-1b"), .chunk = 300, .rates = rates));
    const rg_item *r = array_of(doc, "results")->first;
    doc_obeys(cx, doc, "llm");
    assert_string_equal(string(r, "runtime"), "vllm");
    assert_within(sum_of(doc, "results[0].memory_items", "byte"), number(r, "peak_memory_byte"), 1e-9,
                  "memory");
    assert_within(sum_of(doc, "results[0].breakdown", "prefill_s"), number(r, "ttft_s.value"), 1e-6,
                  "prompts");
    assert_within(sum_of(doc, "results[0].breakdown", "decode_s"), number(r, "tpot_s.value"), 0.01,
                  "a token");
    assert_within(number(r, "latency_s.value"),
                  number(r, "ttft_s.value") + 99 * number(r, "tpot_s.value"), 1e-9, "latency");
    double split = 2000 * number(r, "energy_per_input_token_j.value")
                   + 100 * number(r, "energy_per_output_token_j.value");
    assert_within(split * 8, number(r, "prefill_j") + number(r, "decode_j"), 1e-9, "energy");
    double in = number(r, "cost.per[0].cost_usd.value"), out = number(r, "cost.per[1].cost_usd.value");
    double usd = 2 * 2.5 / 3600 / 0.5 * number(r, "latency_s.value") / 8; /* two devices, half idle */
    assert_within((2000 * in + 100 * out) / 1e6, usd, 1e-9, "money");
    assert_within(number(r, "cost.per[2].cost_usd.value"), usd, 1e-9, "of a request");
    rg_doc_free(doc);
    rg_rates_free(rates);
}

static void rounds_and_chunks_add_up(void **state)
{
    rg_ctx *cx = *state;
    rg_doc *doc = document(cx, LLM(LIST(model, HF("llama-3-8b")), LIST(device, "h100-sxm"), .prompt = "2048",
                                   .output = 65, .explain = 1, .draft = HF("llama-3.2-1b"), .draft_tokens = 3,
                                   .acceptance = 0.7, .chunk = 512));
    const rg_item *r = array_of(doc, "results")->first, *s = rg_item_find(r, "speculation");
    double round_s = 3 * number(s, "draft_step_s") + number(s, "check_step_s");
    double tokens = 1 + 0.7 + 0.49 + 0.343, most = 0, before = 0;
    assert_within(number(s, "round_s"), round_s, 1e-12, "round");
    assert_within(number(s, "expected_tokens"), tokens, 1e-12, "tokens");
    assert_within(number(s, "speed_up"), number(s, "plain_tpot_s") * tokens / round_s, 1e-9, "speed-up");
    assert_within(number(s, "plain_tpot_s"), number(r, "tpot_s.value"), 0.01, "plain token");
    assert_least(number(s, "check_step_s"), number(s, "plain_tpot_s"), "check");
    for (const rg_item *x = array_of(doc, "results[0].speculation.rounds")->first; x; x = x->next)
        most = fmax(most, number(x, "speed_up"));
    assert_same(number(s, "best_speed_up"), most);
    for (const rg_item *x = array_of(doc, "results[0].chunked.sizes")->first; x; x = x->next) {
        assert_int_equal(number(x, "steps"), ceil(2048 / number(x, "chunk")));
        assert_least(number(x, "itl_max_s"), before, "longest step");
        assert_least(number(x, "itl_max_s"), number(r, "chunked.plain_itl_s"), "longest step");
        assert_least(number(x, "steps") * number(x, "itl_max_s"), number(x, "ttft_s"), "sum of steps");
        before = number(x, "itl_max_s");
    }
    assert_int_equal(number(r, "chunked.chunk"), 512);
    rg_doc_free(doc);
}

/* Llama 3 8B of 16 GB of weights on a T4 of 16 GB. */
static void what_would_fit_is_told(void **state)
{
    rg_ctx *cx = *state;
    rg_doc *doc = document(cx, LLM(LIST(model, HF("llama-3-8b")), LIST(device, "t4"), LIST(precision, "f16"),
                                   .output = 16, .explain = 1));
    const rg_item *r = array_of(doc, "results")->first;
    size_t narrower = 0, shared = 0;
    doc_obeys(cx, doc, "llm");
    assert_false(flag(r, "fits"));
    assert_int_equal(number(r, "max_batch"), 0);
    assert_true(number(r, "peak_memory_byte") > 16e9);
    assert_int_equal(array_of(doc, "curves")->count, 0);
    for (const rg_item *x = array_of(doc, "results[0].remedies")->first; x; x = x->next) {
        if (!flag(x, "fits")) continue;
        if (number(x, "devices") > 1) shared++;
        else narrower++;
    }
    assert_true(narrower > 0 && shared > 0);
    rg_doc_free(doc);
}

static void settings_make_a_table(void **state)
{
    rg_ctx *cx = *state;
    rg_doc *doc = document(cx, LLM(LIST(model, HF("llama-3.2-1b")), LIST(device, "h100-sxm", "l4"),
                                   .batch = "1,4", .prompt = "128,512",
                                   LIST(parallel, "tp=1", "tp=3", "tp=2"), .output = 32, .explain = 1));
    doc_obeys(cx, doc, "llm");
    assert_int_equal(array_of(doc, "results")->count, 16);
    assert_int_equal(array_of(doc, "curves")->count, 16);
    assert_int_equal(array_of(doc, "prompt_curves")->count, 8);
    assert_int_equal(array_of(doc, "refused")->count, 2); /* 32 heads are not divided by three */
    assert_string_equal(string(array_of(doc, "curves")->first, "curve"),
                        "h100-sxm, one device, prompt 128");
    rg_doc_free(doc);
    assert_int_equal(rg_llm_doc(cx, LLM(LIST(model, "zoo:resnet50"), LIST(device, "t4")), &doc),
                     RG_UNSUPPORTED);
    assert_int_equal(rg_llm_doc(cx, LLM(LIST(model, HF("llama-3.2-1b")), LIST(device, "t4"), .batch = "1.5"),
                                &doc), RG_USAGE);
    assert_int_equal(rg_llm_doc(cx, LLM(LIST(model, HF("llama-3.2-1b")), LIST(device, "t4"), .output = -1),
                                &doc), RG_USAGE);
}

/* ---- memory may run out ---- */

typedef struct meter { long left, out; } meter; /* allocations that are granted; blocks not yet returned */

static void *few(void *user, size_t size)
{
    meter *m = user;
    void *block = __atomic_fetch_sub(&m->left, 1, __ATOMIC_RELAXED) > 0 ? malloc(size) : NULL;
    if (block) __atomic_fetch_add(&m->out, 1, __ATOMIC_RELAXED);
    return block;
}

static void give(void *user, void *block)
{
    meter *m = user;
    if (block) __atomic_fetch_sub(&m->out, 1, __ATOMIC_RELAXED);
    free(block);
}

/* After n allocations of all threads, n growing by a half; every block comes back. */
static void without_memory_nothing_is_lost(void **state)
{
    (void)state;
    rg_err err = RG_NOMEM;
    for (int n = 2; err && n < 1 << 20; n += n / 2) {
        meter m = {n, 0};
        rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .alloc = few, .free = give,
                                              .user = &m});
        rg_doc *doc = NULL;
        if (!cx) continue;
        err = rg_llm_doc(cx, LLM(LIST(model, HF("llama-3.2-1b")), LIST(device, "t4"), LIST(precision, "f16"),
                                 .batch = "64", .output = 4, .explain = 1, .chunk = 512,
                                 .draft = HF("llama-3.2-1b")), &doc);
        if (err) assert_null(doc);
        rg_doc_free(doc);
        rg_ctx_free(cx);
        assert_int_equal(m.out, 0);
    }
    assert_int_equal(err, RG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shared_experts_wait_for_the_busiest), TEST(weights_and_caches_are_those_of_the_model),
        TEST(more_tokens_read_more_experts),
        TEST(a_step_takes_no_less_than_its_bytes),
        TEST(a_prompt_takes_no_less_than_its_operations),
        TEST(division_is_never_better_than_ideal),
        TEST(pipelines_fill_with_sequences),
        TEST(throughput_grows_until_memory_is_full),
        TEST(what_does_not_fit_has_no_room),
        TEST(steps_on_the_grid_are_themselves),
        TEST(reading_along_takes_longer),
        TEST(drafts_give_what_the_series_says),
        TEST(a_report_adds_up),
        TEST(rounds_and_chunks_add_up),
        TEST(what_would_fit_is_told),
        TEST(settings_make_a_table),
        cmocka_unit_test(without_memory_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
