/* judge_llm_serving.c - language models that serve a steady number of requests: the time between two tokens
 * of one of them, tokens a second, power, energy a token. The measurements keep `batch` requests running with
 * vLLM; their prompts' length is not recorded. A model that the zoo lacks is a decoder with its totals.
 *
 * Each running request has read its prompt and has written half of its answer, on average. As in placement.h,
 * between two tokens of one request lies a step that writes one of all, and the prompts that were read in
 * between; the median time between tokens is that of steps without a prompt. The mean power is taken as that
 * of these steps, which most of the time is spent in.
 */
#include "learn/evaluate.h"
#include "learn/stand_in_llm.h"
#include "scenario/llm.h"

#include <math.h>
#include <string.h>

/* Mean tokens of a prompt by what is asked, estimated: a question of GPQA with its four answers (Rein et al.
 * 2023, arXiv:2311.12022); a chat with what was said before; code to be filled in with the file around it; of
 * a picture and of a video what the time of steps at large batches leaves for reading their caches. What
 * turns pictures into tokens is not forecast. */
static const struct { const char *task; int64_t tokens; } prompts[] = {
    {"gpqa", 256}, {"lm-arena-chat", 512}, {"image-chat", 512}, {"video-chat", 512},
    {"sourcegraph-fim", 2048},
};
enum { PROMPT = 512 }; /* of any other */

static int64_t prompt_of(const rg_exam *exam)
{
    for (size_t i = 0; i < RG_COUNT(prompts); i++)
        if (rg_str_is(rg_exam_text(exam, "task"), prompts[i].task)) return prompts[i].tokens;
    return PROMPT;
}

/* Checkpoints by what their names begin with behind the organization, and the model of the zoo that they are
 * an edition of. Editions differ in weights, not in sizes; those that see and hear read text alone here. */
static const struct { const char *begins, *model; } editions[] = {
    {"Llama-3.1-8B", "zoo:llama3-8b"},        {"Llama-3.1-70B", "zoo:llama3-70b"},
    {"Llama-3.3-70B", "zoo:llama3-70b"},      {"Llama-3.1-405B", "zoo:llama3-405b"},
    {"Llama-3.2-1B", "zoo:llama3.2-1b"},      {"Llama-3.2-3B", "zoo:llama3.2-3b"},
    {"Qwen3-0.6B", "zoo:qwen3-0.6b"},         {"Qwen3-1.7B", "zoo:qwen3-1.7b"},
    {"Qwen3-4B", "zoo:qwen3-4b"},             {"Qwen3-8B", "zoo:qwen3-8b"},
    {"Qwen3-14B", "zoo:qwen3-14b"},           {"Qwen3-32B", "zoo:qwen3-32b"},
    {"Qwen3-30B-A3B", "zoo:qwen3-30b-a3b"},   {"Qwen3-235B-A22B", "zoo:qwen3-235b-a22b"},
    {"Qwen3-Coder-30B-A3B", "zoo:qwen3-30b-a3b"}, {"Qwen3-Coder-480B-A35B", "zoo:qwen3-480b-a35b"},
    {"Qwen3-VL-8B", "zoo:qwen3-8b"},          {"Qwen3-VL-32B", "zoo:qwen3-32b"},
    {"Qwen3-VL-30B-A3B", "zoo:qwen3-30b-a3b"}, {"Qwen3-VL-235B-A22B", "zoo:qwen3-235b-a22b"},
    {"Qwen3-Omni-30B-A3B", "zoo:qwen3-30b-a3b"}, {"Qwen2.5-7B", "zoo:qwen2.5-7b"},
    {"Qwen2.5-14B", "zoo:qwen2.5-14b"},       {"Qwen2.5-32B", "zoo:qwen2.5-32b"},
    {"Qwen2.5-72B", "zoo:qwen2.5-72b"},       {"gpt-oss-20b", "zoo:gpt-oss-20b"},
    {"gpt-oss-120b", "zoo:gpt-oss-120b"},     {"gemma-2-9b", "zoo:gemma2-9b"},
    {"gemma-2-27b", "zoo:gemma2-27b"},        {"gemma-3-1b", "zoo:gemma3-1b"},
    {"gemma-3-4b", "zoo:gemma3-4b"},          {"gemma-3-12b", "zoo:gemma3-12b"},
    {"gemma-3-27b", "zoo:gemma3-27b"},        {"DeepSeek-V3", "zoo:deepseek-v3"},
    {"DeepSeek-R1", "zoo:deepseek-v3"},       {"Mistral-7B", "zoo:mistral-7b"},
    {"Mixtral-8x7B", "zoo:mixtral-8x7b"},     {"Mixtral-8x22B", "zoo:mixtral-8x22b"},
    {"Phi-3-mini", "zoo:phi3-mini"},
};

/* NULL: none of them. */
static const char *find_model(rg_str name)
{
    size_t best = 0;
    const char *found = NULL;
    rg_str short_name = name;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '/') short_name = (rg_str){name.data + i + 1, name.size - i - 1};
    for (size_t i = 0; i < RG_COUNT(editions); i++) {
        size_t size = strlen(editions[i].begins);
        if (!rg_str_starts(short_name, editions[i].begins) || size <= best) continue;
        best = size;
        found = editions[i].model;
    }
    return found;
}

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

/* By name, else by what the columns say of it. */
static rg_err choose_model(rg_ctx *cx, const rg_exam *exam, rg_decoder *sizes, rg_llm_setup *out)
{
    rg_str name = rg_exam_text(exam, "model"), arch = rg_exam_text(exam, "arch");
    rg_llm_totals totals = {.parameters = 1e9 * rg_exam_real(exam, "total_params_b"),
                            .active = 1e9 * rg_exam_real(exam, "act_params_b"),
                            .experts = experts_in(name), .hybrid = says(arch, "Hybrid")};
    out->model = find_model(name);
    if (out->model) return RG_OK;
    out->model = rg_arena_cstr(&cx->arena, name);
    if (!out->model) return rg_nomem(cx);
    if (!(totals.active > 0)) totals.active = totals.parameters;
    totals.mixture = says(arch, "MoE") && totals.active < 0.9 * totals.parameters;
    if (!(totals.parameters > 0))
        return rg_fail(cx, RG_UNSUPPORTED,
                       "'%s' is no edition of a model of the zoo, and total_params_b does "
                       "not say its size",
                       out->model);
    out->decoder = sizes;
    return rg_stand_in_decoder(cx, &totals, sizes);
}

/* What the weights are stored as and products are computed in. */
static rg_err find_precision(rg_ctx *cx, rg_str name, const char **out)
{
    static const struct { const char *name, *precision;
    } known[] = {
        {"bfloat16", "bf16"},      {"float16", "f16"},    {"BF16", "bf16"},
        {"FP16", "f16"},           {"fp8", "f8"},         {"FP8", "f8"},
        {"mxfp4", "bf16+w=f4g32"}, {"FP4", "f8+w=f4g16"}, {"nvfp4", "f8+w=f4g16"},
        {"int4", "bf16+w=i4g128"},
    };
    for (size_t i = 0; i < RG_COUNT(known); i++)
        if (rg_str_is(name, known[i].name)) {
            *out = known[i].precision;
            return RG_OK;
        }
    return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no precision that is known", (int)name.size, name.data);
}

/* At least one; a cell that says nothing, or nonsense, is one. */
static int count_of(const rg_exam *exam, const char *column)
{
    int64_t count = rg_exam_int(exam, column);
    return count < 1 ? 1 : count > RG_PARALLEL_MAX ? RG_PARALLEL_MAX : (int)count;
}

/* Devices that the other columns leave over divide the layers: vLLM's experts lie on those of one tensor
 * group. */
static void find_parallel(const rg_exam *exam, char *text, size_t size)
{
    rg_parallel p = {.tensor = count_of(exam, "n_gpus"), .pipeline = count_of(exam, "pp"),
                     .data = count_of(exam, "dp"), .sequence = 1, .expert = count_of(exam, "ep")};
    p.tensor = p.tensor > p.pipeline * p.data ? p.tensor / (p.pipeline * p.data) : 1;
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

static rg_err serve(rg_ctx *cx, const rg_exam *exam, rg_llm *llm, double *out)
{
    rg_llm_cost step, prompt;
    rg_parallel p = rg_llm_parallel(llm);
    double output = rg_exam_real(exam, "osl");
    int64_t each = (int64_t)fmax(1, round(rg_exam_real(exam, "batch") / p.data)), read = prompt_of(exam);
    rg_llm_tokens write = {each, 1, read + (int64_t)(output / 2)};
    RG_TRY(show(cx, exam, llm, write));
    RG_TRY(rg_llm_step(cx, llm, write, &step));
    RG_TRY(rg_llm_step(cx, llm, (rg_llm_tokens){1, read, 0}, &prompt));
    double step_s = fmax(step.interval_s, step.latency_s.value);
    double token_s = step_s + (double)each / fmax(output, 1) * prompt.interval_s;
    out[0] = step.latency_s.value;
    out[1] = (double)each * p.data / token_s;
    out[2] = p.data * step.energy_j / step.latency_s.value;
    out[3] = out[2] / out[1];
    double apart = log(step.latency_s.high / step.latency_s.value), watts = step.power_spread;
    const double spreads[] = {apart, apart, watts, hypot(apart, watts)};
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
    if (!(rg_exam_real(exam, "batch") > 0) || !(rg_exam_real(exam, "osl") > 0))
        return rg_fail(cx, RG_INPUT, "batch or osl is no number above 0");
    find_parallel(exam, parallel, sizeof parallel);
    RG_TRY(choose_model(cx, exam, &sizes, &setup));
    RG_TRY(find_precision(cx, rg_exam_text(exam, "precision"), &setup.precision));
    RG_TRY(rg_llm_open(cx, &setup, &llm));
    rg_err err = serve(cx, exam, llm, out);
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
