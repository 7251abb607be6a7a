/* machine.h - machines and stacks with round numbers, and the way from a graph's text to its plan and
 * forecast: for tests whose figures are worked out by hand.
 *
 * The machine: 10 cores at 1 GHz, each 100 f32 operations a clock, so 1e12 op/s; 8 lanes; one memory of 100
 * GB/s. The stack reaches all of both. What a test turns is in `knobs`.
 */
#ifndef MACHINE_H
#define MACHINE_H

/* Closed forms are of the analytic base; who tests what was learned defines this before. */
#ifndef BENCH_LEARNING
#define BENCH_LEARNING RG_LEARN_NONE
#endif

#include "predict/predict.h"

typedef struct knobs {
    double byte_per_s, pj_per_byte, pj_per_op, idle_w, active_w, ready_w, cap_w, fork_s; /* of the machine */
    double voltage_half_v;    /* at half the clock; 1 V at the whole */
    double launch_s, graph_s, sequence_s, sequence_byte, branch_overlap; /* of the stack */
    const char *hidden, *rules;
} knobs;

static const knobs machine_default = {
    .byte_per_s = 1e11, .pj_per_byte = 10, .pj_per_op = 1, .idle_w = 10, .cap_w = 1000, .fork_s = 1e-6,
    .voltage_half_v = 1, .launch_s = 2e-6, .graph_s = 10e-6, .hidden = "false", .rules = "[]",
};

static const char machine_text[] =
    "{\"schema\": \"ridge.device/1\", \"name\": \"round\", \"vendor\": \"test\", \"kind\": \"cpu\","
    " \"architecture\": \"none\", \"year\": 2024, \"aliases\": [], \"modelled\": true,"
    " \"engines\": [{\"id\": \"core\", \"kind\": \"core\", \"count\": 10, \"clock_base_hz\": 1e9,"
    "  \"clock_max_hz\": 1e9, \"threads\": 1, \"simd_bit\": 256, \"source\": \"round\"}],"
    " \"peaks\": [{\"engine\": \"core\", \"unit\": \"vector\", \"dtype\": \"f32\", \"accumulate\": \"f32\","
    "  \"dense\": true, \"op_per_clock\": 100, \"at_clock_hz\": 1e9, \"op_per_s\": 1e12,"
    "  \"source\": \"round\"}],"
    " \"levels\": [{\"name\": \"dram\", \"scope\": \"device\", \"sharers\": 10, \"count\": 1,"
    "  \"capacity_byte\": 1e10, \"usable_byte\": 1e10, \"read_byte_per_s\": %.17g,"
    "  \"write_byte_per_s\": %.17g, \"latency_s\": 1e-9, \"pj_per_byte\": %.17g, \"source\": \"round\"}],"
    " \"links\": [], \"power\": {\"idle_w\": %.17g, \"active_w\": %.17g, \"ready_w\": %.17g,"
    "  \"cap_w\": %.17g, \"modes\": [], \"source\": \"round\"},"
    " \"energy\": {\"pj_per_op\": {\"f32\": %.17g}, \"source\": \"round\"},"
    " \"vf\": [{\"clock_hz\": 0.5e9, \"voltage_v\": %.17g}, {\"clock_hz\": 1e9, \"voltage_v\": 1}],"
    " \"vf_source\": \"round\", \"launch_s\": %.17g, \"launch_source\": \"round\","
    " \"sources\": {\"round\": {\"title\": \"round numbers\"}}}";

static const char stack_text[] =
    "{\"schema\": \"ridge.runtime/1\", \"name\": \"round\", \"kinds\": [\"cpu\", \"gpu\", \"tpu\", \"kpu\"],"
    " \"launch\": {\"launch_s\": %.17g, \"hidden\": %s, \"graph_s\": %.17g,"
    " \"sequence_s\": %.17g, \"sequence_byte\": %.17g, \"source\": \"round\"},"
    " \"folds_constants\": true, \"fuses_attention\": false, \"layout\": \"nchw\","
    " \"memory\": {\"overhead_byte\": 0, \"workspace_fraction\": 0, \"in_place\": true,"
    " \"source\": \"round\"},"
    " \"interval\": {\"factor\": 2, \"source\": \"round\"}, \"rules\": %s,"
    " \"efficiencies\": [{\"family\": \"default\", \"compute\": 1, \"memory\": 1, \"source\": \"round\"}],"
    " \"sources\": {\"round\": {\"title\": \"round numbers\"}}}";

/* What a test holds: released in one go. */
typedef struct bench {
    rg_ctx *cx;
    const rg_device *device;
    const rg_runtime *runtime;
    const rg_graph *graph;
    const rg_plan *plan;
    const rg_forecast *forecast;
} bench;

static inline void bench_free(bench *b)
{
    rg_forecast_free(b->forecast);
    rg_plan_free(b->plan);
    rg_graph_free(b->graph);
    rg_runtime_free(b->runtime);
    rg_device_free(b->device);
    *b = (bench){.cx = b->cx};
}

static inline rg_err machine_device(rg_ctx *cx, const knobs *k, const rg_device **out)
{
    const char *json = rg_arena_printf(&cx->arena, machine_text, k->byte_per_s, k->byte_per_s, k->pj_per_byte,
                                       k->idle_w, k->active_w, k->ready_w, k->cap_w, k->pj_per_op,
                                       k->voltage_half_v, k->fork_s);
    return json ? rg_device_parse(cx, rg_str_of(json), "round", out) : rg_nomem(cx);
}

static inline rg_err machine_runtime(rg_ctx *cx, const knobs *k, const rg_runtime **out)
{
    const char *json = rg_arena_printf(&cx->arena, stack_text, k->launch_s, k->hidden, k->graph_s,
                                       k->sequence_s, k->sequence_byte, k->rules);
    if (!json) return rg_nomem(cx);
    RG_TRY(rg_runtime_parse(cx, rg_str_of(json), "round", out));
    ((rg_runtime *)(uintptr_t)*out)->branch_overlap = k->branch_overlap; /* no profile has it yet */
    return RG_OK;
}

/* A graph as it stands: resolved and inferred, no pass has run. */
static inline rg_err machine_graph(rg_ctx *cx, const char *text, const rg_graph **out)
{
    rg_graph *g = NULL;
    RG_TRY(rg_graph_of_text(cx, rg_str_of(text), NULL, &g));
    rg_err err = rg_graph_resolve(cx, g);
    if (!err) err = rg_graph_infer(cx, g);
    if (err) rg_graph_free(g);
    else *out = g;
    return err;
}

static inline rg_err machine_forecast(bench *b, const char *text, const char *precision, int threads,
                                      double core_hz)
{
    rg_plan_opt plan_opt = {.size = sizeof plan_opt, .precision = precision, .threads = threads};
    rg_forecast_opt forecast_opt = {.size = sizeof forecast_opt, .core_hz = core_hz,
                                    .learning = BENCH_LEARNING};
    RG_TRY(machine_graph(b->cx, text, &b->graph));
    RG_TRY(rg_plan_make(b->cx, b->graph, b->device, b->runtime, &plan_opt, &b->plan));
    return rg_forecast_make(b->cx, b->plan, &forecast_opt, &b->forecast);
}

/* On the round machine; k NULL: as it is. */
static inline rg_err bench_round(bench *b, const knobs *k, const char *text, double core_hz)
{
    if (!k) k = &machine_default;
    RG_TRY(machine_device(b->cx, k, &b->device));
    RG_TRY(machine_runtime(b->cx, k, &b->runtime));
    return machine_forecast(b, text, NULL, 0, core_hz);
}

/* On a machine of data/hw with a stack of data/runtime. */
static inline rg_err bench_known(bench *b, const char *device, const char *runtime, const char *text,
                                 const char *precision, int threads)
{
    RG_TRY(rg_device_find(b->cx, device, &b->device));
    RG_TRY(rg_runtime_find(b->cx, runtime, b->device, &b->runtime));
    return machine_forecast(b, text, precision, threads, 0);
}

#endif
