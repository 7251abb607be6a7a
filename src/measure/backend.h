/* backend.h - what can run a model: one row a runner, one file a row.
 *
 * Every backend gets the same file: an exported model with all sizes and all weights in it, and the same
 * inputs. To add one, write one file in this folder with an RG_BACKEND row; nothing else changes.
 */
#ifndef RG_BACKEND_H
#define RG_BACKEND_H

#include "op/kernel.h"

typedef struct rg_job {
    const char *path;            /* of the .onnx file */
    const rg_graph *g;           /* the same, as it stands in the file */
    const rg_datum *const *in;   /* by g's inputs; NULL: the model's default */
    int threads;
    const char *library;         /* of backends that are one; NULL: the customary names */
    const rg_device *host;       /* this machine, as it is to who is not pinned; NULL: as it is found */
} rg_job;

typedef struct rg_backend {
    const char *name, *brief;
    int thread_max;              /* 0: any number */
    bool counts;                 /* its allocations all go through the context */
    bool fuses;                  /* by patterns of its own: which form of a model suits it has to be tried */
    const char *runtime;         /* the profile of data/runtime/ that stands for it; NULL: there is none */
    /* Everything up to the first run, which state keeps; the job outlives it. *version as long as the state.
     * RG_UNSUPPORTED: not there, and why not. */
    rg_err (*open)(rg_ctx *cx, const rg_job *job, void **state, const char **version);
    rg_err (*run)(rg_ctx *cx, void *state);
    void (*close)(void *state);  /* NULL is allowed */
    /* The model's i-th output as the last run left it, the caller's to free. NULL: only its time is known. */
    rg_err (*output)(rg_ctx *cx, void *state, uint32_t i, rg_datum **out);
    /* The plan that it runs, as long as the state; runs add their seconds to row_s[row of the plan] from then
     * on, NULL: no longer. Both NULL: it has no plan. */
    const rg_plan *(*plan)(const void *state);
    void (*time_rows)(void *state, double *row_s);
} rg_backend;
#define RG_BACKEND(id) const rg_backend rg_backend_##id
extern const rg_backend *const rg_backend_table[]; /* by name */
extern const int rg_backend_count;

#endif
