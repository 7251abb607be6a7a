/* served_llm.c - names of checkpoints and of types as tables of measurements write them, and what a prompt
 * costs that joins a step of a running batch.
 */
#include "learn/served_llm.h"

#include <math.h>
#include <string.h>

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

const char *rg_served_edition(rg_str name)
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

rg_err rg_served_choose(rg_ctx *cx, rg_str name, rg_llm_totals totals, rg_decoder *sizes, rg_llm_setup *out)
{
    out->model = rg_served_edition(name);
    if (out->model) return RG_OK;
    out->model = rg_arena_cstr(&cx->arena, name);
    if (!out->model) return rg_nomem(cx);
    if (!(totals.active > 0)) totals.active = totals.parameters;
    totals.mixture &= totals.active < 0.9 * totals.parameters;
    if (!(totals.parameters > 0))
        return rg_fail(cx, RG_UNSUPPORTED,
                       "'%s' is no edition of a model of the zoo, and no column says its size", out->model);
    out->decoder = sizes;
    return rg_stand_in_decoder(cx, &totals, sizes);
}

/* What the weights are stored as and products are computed in. */
rg_err rg_served_precision(rg_ctx *cx, rg_str name, const char **out)
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

int rg_served_count(const rg_exam *exam, const char *column)
{
    int64_t count = rg_exam_int(exam, column);
    return count < 1 ? 1 : count > RG_PARALLEL_MAX ? RG_PARALLEL_MAX : (int)count;
}

rg_err rg_served_join(rg_ctx *cx, rg_llm *llm, int64_t tokens, int64_t more, double *seconds,
                      double *joules)
{
    rg_llm_cost without, with;
    RG_TRY(rg_llm_step(cx, llm, (rg_llm_tokens){1, tokens, 0}, &without));
    RG_TRY(rg_llm_step(cx, llm, (rg_llm_tokens){1, tokens + more, 0}, &with));
    *seconds = fmax(with.interval_s - without.interval_s, 0);
    *joules = fmax(with.energy_j - without.energy_j, 0);
    return RG_OK;
}

enum { SUM_MOST = 30, END = 16, SLICES = 400 };

/* P(X <= x) of a sum of so many lengths of mean 1, where the number is a Poisson variable and a length an
 * exponential one: k of them are at most x where x holds k arrivals of a Poisson process. */
static double sum_below(double mean, double x)
{
    double number = exp(-mean), arrivals = exp(-x), fewer = 0, below = number;
    for (int k = 1; k < 4 * SUM_MOST; k++) {
        fewer += arrivals; /* P(less than k arrivals by x) */
        arrivals *= x / k;
        number *= mean / k;
        below += number * fmax(1 - fewer, 0);
    }
    return below;
}

/* The largest of so many such sums: its median, by bisection, and its mean, the integral of P(it is more than
 * x). Above SUM_MOST the mean of each, which both are within some units of. */
rg_served_sum rg_served_most(double mean, int parts)
{
    double end = 2 * mean + END, low = 0, high = end;
    rg_served_sum m = {mean, mean};
    if (mean > SUM_MOST) return m;
    for (int i = 0; i < 40; i++) {
        double middle = (low + high) / 2;
        if (pow(sum_below(mean, middle), parts) < 0.5) low = middle;
        else high = middle;
    }
    m.median = pow(sum_below(mean, 0), parts) >= 0.5 ? 0 : high;
    if (parts == 1) return m;
    m.mean = 0;
    for (int i = 0; i < SLICES; i++)
        m.mean += (1 - pow(sum_below(mean, (i + 0.5) * end / SLICES), parts)) * end / SLICES;
    return m;
}
