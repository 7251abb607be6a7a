/* judge_graph.c - kernels one at a time: the cells of a row as sizes and types, and the price of the graph
 * that is built of them.
 */
#include "learn/judge_graph.h"

#include "op/op.h"
#include "predict/predict.h"

rg_err rg_judge_size(rg_ctx *cx, const rg_exam *exam, const char *column, int64_t *out)
{
    *out = rg_exam_int(exam, column);
    if (*out >= 1 && *out <= INT32_MAX) return RG_OK;
    return rg_fail(cx, RG_INPUT, "%s '%.*s' is no whole number from 1 to %d", column,
                   RG_STR(rg_exam_text(exam, column)), INT32_MAX);
}

rg_err rg_judge_dtype(rg_ctx *cx, const rg_exam *exam, const char *column, rg_dtype *out)
{
    rg_str name = rg_exam_text(exam, column);
    *out = rg_dtype_named(name);
    if (rg_dtype_is_float(*out) || rg_dtype_is_int(*out)) return RG_OK;
    return rg_fail(cx, RG_UNSUPPORTED, "%s '%.*s' is no type of numbers that is known", column, RG_STR(name));
}

/* Kernels follow each other: nothing around them lets the board rest below its power limit. */
static rg_err without_pauses(rg_ctx *cx, const rg_runtime *runtime, rg_runtime **out)
{
    RG_TRY(rg_runtime_clone(cx, runtime, out));
    (*out)->graph_s = 0;
    (*out)->tf32 = NULL;
    return RG_OK;
}

rg_err rg_judge_plan(rg_ctx *cx, const rg_exam *exam, const rg_plan *plan, const rg_forecast_opt *how,
                     rg_view view, rg_run_cost *out)
{
    const rg_forecast *f = NULL;
    rg_err err = rg_forecast_make(cx, plan, how, &f);
    if (!err) err = rg_exam_show(cx, exam, f, view);
    if (!err) rg_exam_interval(exam, 0, f->latency_s);
    if (!err) *out = (rg_run_cost){f->latency_s.value, f->power_w.value};
    rg_forecast_free(f);
    return err;
}

static rg_err price(rg_ctx *cx, const rg_exam *exam, const rg_graph *graph, const rg_device *device,
                    const rg_runtime *runtime, double beside_byte, rg_run_cost *out)
{
    rg_forecast_opt how = {.size = sizeof how, .learning = exam->learning, .unchecked = true};
    if (how.learning == RG_LEARN_ALL) how.learning = RG_LEARN_ROWS;
    rg_runtime *alone = NULL;
    const rg_facts *facts = NULL;
    const rg_plan *plan = NULL;
    rg_plan_opt opt = {.size = sizeof opt};
    rg_err err = without_pauses(cx, runtime, &alone);
    if (!err) err = rg_facts_at_precision(cx, graph, NULL, &facts);
    if (!err) err = rg_plan_among(cx, facts, device, alone, &opt, beside_byte, &plan);
    if (!err) err = rg_judge_plan(cx, exam, plan, &how, (rg_view){.devices = 1}, out);
    rg_plan_free(plan);
    rg_facts_free(facts);
    rg_runtime_free(alone);
    return err;
}

rg_err rg_judge_graph_among(rg_ctx *cx, const rg_exam *exam, rg_graph *graph, const rg_device *device,
                            const rg_runtime *runtime, double beside_byte, rg_run_cost *out)
{
    rg_err err = rg_graph_resolve(cx, graph);
    if (!err) err = rg_graph_infer(cx, graph);
    if (!err) err = price(cx, exam, graph, device, runtime, beside_byte, out);
    rg_graph_free(graph);
    return err;
}

rg_err rg_judge_graph(rg_ctx *cx, const rg_exam *exam, rg_graph *graph, const rg_device *device,
                      const rg_runtime *runtime, rg_run_cost *out)
{
    return rg_judge_graph_among(cx, exam, graph, device, runtime, 0, out);
}
