/* exec.h - running a graph: naively, node by node with the plain kernels, every intermediate allocated; or as
 * its plan says, row by row in one static block.
 */
#ifndef RG_EXEC_H
#define RG_EXEC_H

#include "map/map.h"
#include "op/kernel.h"

/* Called with each node's result, in order; for tests and for looking into a model. */
typedef void (*rg_exec_watch)(void *user, const rg_graph *g, rg_value_id value, const rg_datum *datum);

typedef struct rg_naive_opt {
    uint64_t seed;                   /* of random operators */
    bool training;
    bool poison;                     /* outputs hold garbage before their kernel: it may not rely on zeros */
    rg_exec_watch watch; void *user; /* may be NULL */
} rg_naive_opt;

/* A graph made ready to run many times; it keeps the graph. Not for several threads at once. */
typedef struct rg_naive rg_naive;
rg_err rg_naive_new(rg_ctx *cx, const rg_graph *graph, const rg_naive_opt *opt, rg_naive **out) RG_CHECKED;
/* `in` by the model's inputs (NULL: its default), `out` receives references by its outputs. */
rg_err rg_naive_run(rg_ctx *cx, rg_naive *naive, const rg_datum *const *in, const rg_datum **out) RG_CHECKED;
void rg_naive_free(rg_naive *naive);

/* A plan made ready to run: everything has its place before the first inference. It keeps the plan. One run
 * at a time; for several at once there is a runner each, which share constants and packed weights. */
typedef struct rg_planned rg_planned;
typedef struct rg_planned_opt {
    bool plain;                      /* no fast kernels */
    int threads;                     /* 0: 1 */
    bool pin;                        /* each thread but the caller's on a processor of its own */
    uint64_t seed;                   /* of random operators */
    const rg_planned *share; /* of the same plan: its weights are used; may be freed before this one */
} rg_planned_opt;
/* RG_UNSUPPORTED: control flow, sequences, sizes that only the run decides; rg_naive runs these. */
rg_err rg_planned_new(rg_ctx *cx, const rg_plan *plan, const rg_planned_opt *opt,
                      rg_planned **out) RG_CHECKED;
/* The model's i-th input, to be written before a run, and its i-th output, to be read after it. */
rg_array *rg_planned_input(rg_planned *planned, uint32_t i);
const rg_array *rg_planned_output(const rg_planned *planned, uint32_t i);
/* Allocates nothing once it has run. */
rg_err rg_planned_run(rg_ctx *cx, rg_planned *planned) RG_CHECKED;
/* From now on each run adds to row_s[row of the plan] the seconds that it took; NULL: no longer. */
void rg_planned_time(rg_planned *planned, double *row_s);
void rg_planned_free(rg_planned *planned);

#endif
