/* judge_reading.c - our own readings ("ridge.readings/1", as CSV): whole models, and rows of their plans, by
 * what they ran on. A row is forecast by the row of the same id; its share of the inference is what it says.
 */
#include "learn/judge_model.h"

#include "map/map.h"
#include "pass/pass.h"
#include "predict/predict.h"

#include <math.h>
#include <stdlib.h>

typedef struct reading {
    const char *model, *runtime, *precision;
    int batch, threads;
    uint64_t id;                 /* 0: the whole model */
} reading;

static rg_err read_text(rg_ctx *cx, const rg_exam *exam, const char *column, const char **out)
{
    *out = rg_arena_cstr(&cx->arena, rg_exam_text(exam, column));
    return *out ? RG_OK : rg_nomem(cx);
}

/* A cell without a number is 0. */
static int count_of(const rg_exam *exam, const char *column)
{
    int64_t count = rg_exam_int(exam, column);
    return count < 0 || count > INT16_MAX ? 0 : (int)count;
}

static rg_err read_reading(rg_ctx *cx, const rg_exam *exam, reading *r)
{
    const char *id;
    RG_TRY(read_text(cx, exam, "model", &r->model));
    RG_TRY(read_text(cx, exam, "runtime", &r->runtime));
    RG_TRY(read_text(cx, exam, "precision", &r->precision));
    RG_TRY(read_text(cx, exam, "id", &id));
    r->batch = count_of(exam, "batch");
    r->threads = count_of(exam, "threads");
    r->id = strtoull(id, NULL, 16);
    if (*r->runtime) return RG_OK;
    return rg_fail(cx, RG_UNSUPPORTED, "what ran %s has no profile of a runtime", r->model);
}

static rg_err answer(rg_ctx *cx, const rg_exam *exam, const reading *r, const rg_forecast *f, double *out)
{
    if (!r->id) {
        out[0] = f->latency_s.value;
        out[1] = f->peak_memory_byte.value;
        rg_exam_interval(exam, 0, f->latency_s);
        rg_exam_interval(exam, 1, f->peak_memory_byte);
        return rg_exam_show(cx, exam, f, (rg_view){.whole = true, .devices = 1});
    }
    for (uint32_t i = 0; i < f->plan->row_count; i++)
        if (f->plan->rows[i].id == r->id) {
            out[0] = f->rows[i].total_s;
            return rg_exam_show(cx, exam, f, (rg_view){.devices = 1, .row = i + 1});
        }
    return rg_fail(cx, RG_UNSUPPORTED, "%s: no row of its plan has the id %016llx: it was planned otherwise",
                   r->model, (unsigned long long)r->id);
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    reading r;
    const rg_graph *graph = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    const rg_forecast *f = NULL;
    RG_TRY(read_reading(cx, exam, &r));
    rg_plan_opt opt = {
        .size = sizeof opt, .precision = *r.precision ? r.precision : NULL, .threads = r.threads};
    rg_forecast_opt how = {.size = sizeof how, .learning = exam->learning};
    rg_err err =
        rg_graph_load(cx, r.model, &(rg_load_opt){.size = sizeof(rg_load_opt), .batch = r.batch}, &graph);
    if (!err) err = rg_runtime_find(cx, r.runtime, exam->device, &runtime);
    if (!err) err = rg_plan_make(cx, graph, exam->device, runtime, &opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, &how, &f);
    if (!err) err = answer(cx, exam, &r, f, out);
    rg_forecast_free(f);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_graph_free(graph);
    return err;
}

RG_JUDGE(reading) = {
    .name = "reading", .brief = "Our own readings: whole models, and rows of their plans",
    .columns = {"model", "device", "runtime", "backend", "threads", "batch", "precision", "id"},
    .device = "device", .family = "backend", .finer = {"threads"},
    .quantities = {{"latency", "median_s", 1, RG_UNIT_SECOND},
                   {"peak memory", "peak_memory_byte", 1, RG_UNIT_BYTE}},
    .forecast = forecast,
};
