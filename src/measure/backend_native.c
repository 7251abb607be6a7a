/* backend_native.c - the plan that a forecast for this machine is made of, run in one static block.
 *
 * An input's place in the block is somebody else's once it has been read, so each run writes the inputs anew:
 * copying them is part of what is timed, as it is part of every use.
 */
#include "exec/exec.h"
#include "measure/backend.h"
#include "measure/feed.h"

typedef struct native {
    rg_arena arena;
    const rg_graph *g;
    const rg_plan *plan;
    rg_planned *runner;
    const rg_datum **in;         /* by input; references */
} native;

static uint32_t input_count(const native *n) { return n->g->regions[RG_MAIN].input_count; }

static void close_native(void *state)
{
    native *n = state;
    if (!n) return;
    for (uint32_t i = 0; n->in && i < input_count(n); i++) rg_datum_free(n->in[i]);
    rg_planned_free(n->runner);
    rg_plan_free(n->plan);
    rg_graph_free(n->g);
    rg_arena arena = n->arena;
    rg_arena_done(&arena);
}

static rg_err plan(rg_ctx *cx, const rg_job *job, native *n)
{
    const rg_device *device = job->host ? rg_device_ref(job->host) : NULL;
    const rg_runtime *runtime = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .threads = job->threads};
    rg_err err = device ? RG_OK : rg_device_find(cx, "host", &device);
    if (!err) err = rg_runtime_find(cx, "native", device, &runtime);
    if (!err) err = rg_plan_make(cx, n->g, device, runtime, &opt, &n->plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    return err;
}

/* Inputs keep their names; one that the passes found no use for may be gone. */
static rg_err find_input(rg_ctx *cx, const rg_job *job, native *n, uint32_t i)
{
    const rg_value *v = &n->g->values[n->g->regions[RG_MAIN].inputs[i]];
    const rg_array *to = rg_planned_input(n->runner, i);
    uint32_t at = rg_feeds_find(job->g, v->name);
    rg_datum *preset = NULL;
    if (at < job->g->regions[RG_MAIN].input_count && job->in[at]) n->in[i] = rg_datum_ref(job->in[at]);
    else if (v->data) {
        RG_TRY(rg_datum_of(cx, v->data, &preset));
        n->in[i] = preset;
    }
    if (n->in[i] && n->in[i]->array.dtype == to->dtype && n->in[i]->array.count == to->count) return RG_OK;
    return rg_fail(cx, RG_INTERNAL, "input '%.*s' has another form in the plan", RG_STR(v->name));
}

static rg_err make_ready(rg_ctx *cx, const rg_job *job, native *n)
{
    RG_TRY(rg_graph_load(cx, job->path, NULL, &n->g));
    RG_TRY(plan(cx, job, n));
    rg_planned_opt opt = {.threads = job->threads, .pin = true};
    RG_TRY(rg_planned_new(cx, n->plan, &opt, &n->runner));
    n->in = RG_NEW(&n->arena, const rg_datum *, input_count(n) + 1);
    if (!n->in) return rg_nomem(cx);
    for (uint32_t i = 0; i < input_count(n); i++) RG_TRY(find_input(cx, job, n, i));
    return RG_OK;
}

static rg_err open_native(rg_ctx *cx, const rg_job *job, void **state, const char **version)
{
    rg_arena arena;
    rg_arena_init(&arena, cx);
    native *n = RG_NEW(&arena, native, 1);
    if (!n) return rg_nomem(cx);
    n->arena = arena;
    rg_err err = make_ready(cx, job, n);
    if (!err) {
        *state = n;
        *version = RIDGE_VERSION;
        return RG_OK;
    }
    close_native(n);
    return err;
}

static rg_err run_native(rg_ctx *cx, void *state)
{
    const native *n = state;
    for (uint32_t i = 0; i < input_count(n); i++) {
        const rg_array *to = rg_planned_input(n->runner, i);
        rg_copy_run(to, 0, &n->in[i]->array, 0, to->count);
    }
    return rg_planned_run(cx, n->runner);
}

static rg_err output_native(rg_ctx *cx, void *state, uint32_t i, rg_datum **out)
{
    const native *n = state;
    const rg_array *from = rg_planned_output(n->runner, i);
    RG_TRY(rg_datum_like(cx, from, out));
    rg_copy_run(&(*out)->array, 0, from, 0, from->count);
    return RG_OK;
}

static const rg_plan *plan_of(const void *state) { return ((const native *)state)->plan; }
static void time_rows(void *state, double *row_s) { rg_planned_time(((native *)state)->runner, row_s); }

RG_BACKEND(native) = {
    .name = "native", .brief = "as planned for this machine", .counts = true, .runtime = "native",
    .open = open_native, .run = run_native, .close = close_native, .output = output_native,
    .plan = plan_of, .time_rows = time_rows,
};
