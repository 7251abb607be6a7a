/* judge_llm_throughput.c - output tokens a second of language models at their most: published tables of
 * TensorRT-LLM, with prompts and answers of a stated length.
 *
 * A stated batch is static: prompts are read together, then answers are written together, as rg_llm_request
 * has it. Else the engine keeps as many requests running as fit beside the weights, each with room for its
 * whole answer, and no more than its builder allows. With n of them on each of P pipeline stages, p tokens to
 * a prompt and N to an answer, in a steady state
 *
 *     tokens/s = n / (t_step(n, past p + N/2) + n/N (T(n + p) - T(n)))        T as in judge_llm_serving.c
 *
 * where a step lasts as long as the slowest stage.
 */
#include "learn/served_llm.h"

#include <math.h>
#include <string.h>

/* Models as these tables call them, of the zoo or by published totals (billions). */
static const struct { const char *name, *model; double parameters, active; int experts; } names[] = {
    {"LLaMA 7B", "zoo:llama2-7b", 0, 0, 0},       {"LLaMA 70B", "zoo:llama2-70b", 0, 0, 0},
    {"Llama 3.1 8B", "zoo:llama3-8b", 0, 0, 0},   {"Llama 3.1 70B", "zoo:llama3-70b", 0, 0, 0},
    {"Llama 3.3 70B", "zoo:llama3-70b", 0, 0, 0}, {"Llama 3.1 405B", "zoo:llama3-405b", 0, 0, 0},
    {"Llama 4 Scout", NULL, 109, 17, 16},         {"Llama 4 Maverick", NULL, 400, 17, 128},
    {"GPT-J 6B", NULL, 6.05, 6.05, 0},            {"Falcon 180B", NULL, 180, 180, 0},
};

/* TensorRT-LLM's BuildConfig: max_batch_size, where nobody says otherwise. */
enum { BATCH_MOST = 2048 };

static rg_err choose(rg_ctx *cx, rg_str name, rg_decoder *sizes, rg_llm_setup *out)
{
    for (size_t i = 0; i < RG_COUNT(names); i++) {
        if (!rg_str_is(name, names[i].name)) continue;
        out->model = names[i].model;
        if (out->model) return RG_OK;
        rg_llm_totals totals = {.parameters = 1e9 * names[i].parameters, .active = 1e9 * names[i].active,
                                .experts = names[i].experts, .mixture = names[i].experts > 0};
        return rg_served_choose(cx, name, totals, sizes, out);
    }
    return rg_served_choose(cx, name, (rg_llm_totals){0}, sizes, out);
}

static rg_err run_static(rg_ctx *cx, rg_llm *llm, rg_llm_work work, double *out)
{
    rg_llm_request_cost cost;
    RG_TRY(rg_llm_request(cx, llm, work, &cost));
    *out = cost.tokens_per_s;
    return RG_OK;
}

static rg_err run_steady(rg_ctx *cx, rg_llm *llm, rg_llm_work work, double *out)
{
    rg_llm_cost step;
    rg_parallel p = rg_llm_parallel(llm);
    double prompt_s, prompt_j;
    int64_t fit;
    RG_TRY(rg_llm_fit(cx, llm, work.prompt + work.output, &fit));
    if (fit < 1)
        return rg_fail(cx, RG_UNSUPPORTED, "%s: not one request of %lld tokens fits in %g byte of memory",
                       rg_llm_device(llm)->id, (long long)(work.prompt + work.output),
                       rg_llm_memory_byte(llm));
    if (fit > BATCH_MOST) fit = BATCH_MOST;
    int64_t each = fit / p.pipeline > 1 ? fit / p.pipeline : 1; /* a part of the batch in each stage */
    RG_TRY(rg_llm_step(cx, llm, (rg_llm_tokens){each, 1, work.prompt + work.output / 2}, &step));
    RG_TRY(rg_served_join(cx, llm, each, work.prompt, &prompt_s, &prompt_j));
    double step_s = step.interval_s + (double)each / (double)work.output * prompt_s;
    *out = (double)each * p.data / step_s;
    return RG_OK;
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    rg_llm *llm = NULL;
    rg_decoder sizes;
    char parallel[64];
    rg_llm_work work = {rg_exam_int(exam, "batch"), rg_exam_int(exam, "isl"), rg_exam_int(exam, "osl")};
    rg_llm_setup setup = {.device = exam->device->id, .runtime = exam->runtimes[0]->id, .parallel = parallel,
                          .learning = exam->learning};
    if (work.prompt < 1 || work.output < 1)
        return rg_fail(cx, RG_INPUT, "isl or osl is no whole number above 0");
    rg_parallel p = {rg_served_count(exam, "tp"), rg_served_count(exam, "pp"), 1, 1, 1};
    rg_parallel_print(parallel, sizeof parallel, &p);
    RG_TRY(choose(cx, rg_exam_text(exam, "model"), &sizes, &setup));
    RG_TRY(rg_served_precision(cx, rg_exam_text(exam, "precision"), &setup.precision));
    RG_TRY(rg_llm_open(cx, &setup, &llm));
    rg_err err = work.batch > 0 ? run_static(cx, llm, work, out) : run_steady(cx, llm, work, out);
    rg_llm_close(llm);
    return err;
}

RG_JUDGE(llm_throughput) = {
    .name = "llm_throughput", .brief = "Language models at their most tokens a second with TensorRT-LLM",
    .columns = {"device", "tp", "pp", "model", "precision", "batch", "isl", "osl"},
    .where = "kind", .where_is = "llm_throughput",
    .device = "device", .family = "model", .runtimes = {"tensorrt-llm"},
    .quantities = {{"output tokens per second", "output_tok_s", 1, RG_UNIT_COUNT}},
    .forecast = forecast,
};
