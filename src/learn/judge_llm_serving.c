/* judge_llm_serving.c - language models that serve a steady number of requests: the time between two tokens
 * of one of them, tokens a second, power, energy a token. The measurements keep `batch` requests running with
 * vLLM; their prompts' length is not recorded. A model that the zoo lacks is a decoder with its totals.
 *
 * Each running request has read its prompt and has written half of its answer, on average. Between two tokens
 * of one request lies a step that writes one of all n and reads the prompts of those that took the place of
 * the finished ones, together (chunked prefill). With N tokens to an answer these are k prompts of p tokens,
 * of lengths as different as those of an exponential variable,
 *
 *     k ~ Poisson(n / N)      t = t_step(n) + (sum of lengths / p) (T(n + p) - T(n))      E: the same of
 * energies
 *
 * T(m): of a step over m tokens that no cache stands behind, so that the difference is what p more of them
 * cost where weights are read anyway. The median time between tokens is that of the sum's median; tokens a
 * second, power and energy a token are those of its mean. Replicas that share experts step together, so that
 * all wait for the one with the largest sum, and run its experts meanwhile.
 */
#include "learn/served_llm.h"

#include <math.h>
#include <string.h>

/* Mean tokens of a prompt by what is asked, estimated: a question of GPQA with its four answers (Rein et al.
 * 2023, arXiv:2311.12022); a chat of 1.3 turns of 95 tokens, answered with 269 that the next turn reads again
 * (Chiang et al. 2024, arXiv:2403.04132: 200 in the mean over requests, and the template around it); a
 * picture of 256 tokens (Gemma 3, arXiv:2503.19786) to 1024 (a million pixels, 32 x 32 a token as Qwen3-VL
 * makes them); a video of 32 pictures, of which two a second and at least two pairs are looked at; code to be
 * filled in with the file around it. What turns pictures into tokens is not forecast. */
typedef struct prompt { const char *task; int64_t tokens; double within; } prompt;

/* `within`: the factor that nine means in ten are within, assumed: of texts that were counted and of pictures
 * 2; films and files of code are as long as somebody chose. */
static const prompt prompts[] = {
    {"gpqa", 256, 2}, {"lm-arena-chat", 256, 2}, {"image-chat", 512, 2}, {"video-chat", 1024, 4},
    {"sourcegraph-fim", 2048, 4}, {NULL, 512, 4}, /* any other */
};

static const prompt *prompt_of(const rg_exam *exam)
{
    const prompt *p = prompts;
    while (p->task && !rg_str_is(rg_exam_text(exam, "task"), p->task)) p++;
    return p;
}

/* What prompts `within` times as long add to the logarithm of what they have `part` of. */
static double longer(double part, double within) { return log1p(part * (within - 1)); }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* "Scout-17B-16E-Instruct": 16 experts; 0: the name does not say. */
static int64_t experts_in(rg_str name)
{
    int64_t count = 0;
    for (size_t i = 0; i < name.size; i++) {
        bool ends = i + 1 == name.size || name.data[i + 1] == '-';
        if (name.data[i] == 'E' && ends && count > 1) return count;
        count = is_digit(name.data[i]) && count < 1000 ? 10 * count + name.data[i] - '0' : 0;
    }
    return 0;
}

static bool says(rg_str text, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= text.size; i++)
        if (memcmp(text.data + i, word, size) == 0) return true;
    return false;
}

/* What the columns say of it. */
static rg_llm_totals totals_of(const rg_exam *exam)
{
    rg_str arch = rg_exam_text(exam, "arch");
    return (rg_llm_totals){.parameters = 1e9 * rg_exam_real(exam, "total_params_b"),
                           .active = 1e9 * rg_exam_real(exam, "act_params_b"),
                           .experts = experts_in(rg_exam_text(exam, "model")),
                           .mixture = says(arch, "MoE"), .hybrid = says(arch, "Hybrid")};
}

/* Devices that the other columns leave over divide the layers: vLLM's experts lie on those of one tensor
 * group. */
static void find_parallel(const rg_exam *exam, char *text, size_t size)
{
    rg_parallel p = {.tensor = rg_served_count(exam, "n_gpus"), .pipeline = rg_served_count(exam, "pp"),
                     .data = rg_served_count(exam, "dp"), .sequence = 1,
                     .expert = rg_served_count(exam, "ep")};
    int64_t apart = (int64_t)p.pipeline * p.data;
    p.tensor = p.tensor > apart ? p.tensor / (int)apart : 1;
    rg_parallel_print(text, size, &p);
}

/* Of one device of those that share the work. */
static rg_err show(rg_ctx *cx, const rg_exam *exam, rg_llm *llm, rg_llm_tokens step)
{
    const rg_forecast *f = NULL;
    if (!exam->witness) return RG_OK;
    RG_TRY(rg_llm_forecast(cx, llm, step, &f));
    rg_err err = rg_exam_show(cx, exam, f, (rg_view){.whole = true, .devices = rg_llm_devices(llm)});
    rg_forecast_free(f);
    return err;
}

/* Of so many watts, what work takes: the more the sooner it is done. The rest is drawn all the while. */
static double moving_share(const rg_llm *llm, double watts)
{
    const rg_device *d = rg_llm_device(llm);
    return fmax(0, 1 - rg_llm_devices(llm) * (d->idle_w + d->active_w) / watts);
}

/* `state`: tokens that a cache holds as many bytes as which a layer's state has, from the first token on. */
static rg_err serve(rg_ctx *cx, const rg_exam *exam, rg_llm *llm, int64_t state, double *out)
{
    rg_llm_cost step;
    rg_parallel p = rg_llm_parallel(llm);
    double output = fmax(rg_exam_real(exam, "osl"), 1), prompt_s, prompt_j;
    const prompt *asked = prompt_of(exam);
    int64_t each = llround(fmax(1, rg_exam_real(exam, "batch") / p.data)), read = asked->tokens;
    int64_t past = read + (int64_t)(output / 2);
    rg_llm_tokens write = {each, 1, past > state ? past : state};
    RG_TRY(show(cx, exam, llm, write));
    RG_TRY(rg_llm_step(cx, llm, write, &step));
    /* over twice the mean: lengths differ, and waves of blocks make a time of steps */
    RG_TRY(rg_served_join(cx, llm, each, 2 * read, &prompt_s, &prompt_j));
    prompt_s /= 2, prompt_j /= 2;
    double joins = (double)each / output; /* prompts a step */
    rg_served_sum joined = rg_served_most(joins, p.expert > p.tensor ? p.data : 1);
    double step_s = fmax(step.interval_s, step.latency_s.value) + joined.mean * prompt_s;
    out[0] = step.latency_s.value + joined.median * prompt_s;
    out[1] = (double)each * p.data / step_s;
    out[2] = p.data * (step.energy_j + joined.mean * prompt_j) / step_s;
    out[3] = out[2] / out[1];
    double apart = log(step.latency_s.high / step.latency_s.value), watts = step.power_spread;
    double shares[] = {joined.median * prompt_s / out[0], joined.mean * prompt_s / step_s};
    double typical = hypot(apart, longer(shares[0], asked->within));
    double whole = hypot(apart, longer(shares[1], asked->within));
    double moving = moving_share(llm, out[2]);
    const double spreads[] = {typical, whole, hypot(watts, moving * apart), hypot(whole, watts)};
    for (int i = 0; i < 4; i++)
        rg_exam_interval(exam, i, (rg_estimate){1, exp(-spreads[i]), exp(spreads[i])});
    return RG_OK;
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    char parallel[64];
    rg_llm *llm = NULL;
    rg_decoder sizes;
    rg_llm_setup setup = {.device = exam->device->id, .runtime = "vllm", .parallel = parallel,
                          .learning = exam->learning};
    double batch = rg_exam_real(exam, "batch"), output = rg_exam_real(exam, "osl");
    if (!(batch > 0) || !(output > 0)) return rg_fail(cx, RG_INPUT, "batch or osl is no number above 0");
    if (batch > RG_BATCH_MAX || output > RG_REQUEST_MAX)
        return rg_fail(cx, RG_LIMIT, "a batch of %g or an answer of %g tokens exceeds %d or %d", batch,
                       output, RG_BATCH_MAX, RG_REQUEST_MAX);
    find_parallel(exam, parallel, sizeof parallel);
    rg_llm_totals totals = totals_of(exam);
    RG_TRY(rg_served_choose(cx, rg_exam_text(exam, "model"), totals, &sizes, &setup));
    RG_TRY(rg_served_precision(cx, rg_exam_text(exam, "precision"), &setup.precision));
    RG_TRY(rg_llm_open(cx, &setup, &llm));
    rg_err err = serve(cx, exam, llm, setup.decoder && totals.hybrid ? sizes.window : 0, out);
    rg_llm_close(llm);
    return err;
}

RG_JUDGE(llm_serving) = {
    .name = "llm_serving", .brief = "Language models that serve a steady number of requests with vLLM",
    .columns = {"device", "n_gpus", "pp", "ep", "dp", "model", "precision", "batch", "osl", "arch", "task",
                "total_params_b", "act_params_b"},
    .where = "kind", .where_is = "llm_serving_energy",
    .device = "device", .family = "model",
    .quantities = {{"time between tokens", "median_itl_ms", 1e-3, RG_UNIT_SECOND},
                   {"output tokens per second", "output_tok_s", 1, RG_UNIT_COUNT},
                   {"power", "avg_power_w", 1, RG_UNIT_WATT},
                   {"energy per token", "energy_per_token_j", 1, RG_UNIT_JOULE}},
    .forecast = forecast,
};
