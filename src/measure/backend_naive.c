/* backend_naive.c - node by node with the plain kernels, every value allocated: what a model costs before
 * anybody thought about it.
 */
#include "exec/exec.h"
#include "measure/backend.h"

typedef struct naive { rg_arena arena; const rg_job *job; rg_naive *runner; const rg_datum **out; } naive;

/* They are kept from one run to the next: somebody may want to see them. */
static void drop_outputs(naive *n)
{
    for (uint32_t i = 0; i < n->job->g->regions[RG_MAIN].output_count; i++) {
        rg_datum_free(n->out[i]);
        n->out[i] = NULL;
    }
}

static void close_naive(void *state)
{
    naive *n = state;
    if (!n) return;
    drop_outputs(n);
    rg_naive_free(n->runner);
    rg_arena arena = n->arena;
    rg_arena_done(&arena);
}

static rg_err open_naive(rg_ctx *cx, const rg_job *job, void **state, const char **version)
{
    rg_arena arena;
    rg_arena_init(&arena, cx);
    naive *n = RG_NEW(&arena, naive, 1);
    const rg_datum **out = RG_NEW(&arena, const rg_datum *, job->g->regions[RG_MAIN].output_count + 1);
    if (!n || !out) {
        rg_arena_done(&arena);
        return rg_nomem(cx);
    }
    *n = (naive){.arena = arena, .job = job, .out = out};
    rg_err err = rg_naive_new(cx, job->g, &(rg_naive_opt){.seed = 1}, &n->runner);
    if (!err) {
        *state = n;
        *version = RIDGE_VERSION;
        return RG_OK;
    }
    close_naive(n);
    return err;
}

static rg_err run_naive(rg_ctx *cx, void *state)
{
    naive *n = state;
    drop_outputs(n);
    return rg_naive_run(cx, n->runner, n->job->in, n->out);
}

static rg_err output_naive(rg_ctx *cx, void *state, uint32_t i, rg_datum **out)
{
    const rg_datum *from = ((naive *)state)->out[i];
    if (!from || from->kind != RG_KIND_TENSOR)
        return rg_fail(cx, RG_UNSUPPORTED, "output %u is no tensor", i);
    RG_TRY(rg_datum_like(cx, &from->array, out));
    rg_copy_run(&(*out)->array, 0, &from->array, 0, from->array.count);
    return RG_OK;
}

RG_BACKEND(naive) = {
    .name = "naive", .brief = "node by node with the plain kernels", .thread_max = 1, .counts = true,
    .open = open_naive, .run = run_naive, .close = close_naive, .output = output_naive,
};
