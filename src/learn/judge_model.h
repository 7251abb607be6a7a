/* judge_model.h - one inference of a whole model on one device, for the kinds that measure it. */
#ifndef RG_JUDGE_MODEL_H
#define RG_JUDGE_MODEL_H

#include "learn/judge_graph.h"

/* Sizes of a model of the zoo, 0: its own. */
typedef struct rg_model_sizes {
    int64_t batch, seq;
    int64_t side;                /* of its image, height and width */
    bool unfused; /* attention stays the kernels that it is made of, as code without a fused one calls them */
} rg_model_sizes;

/* Its graph at these sizes, inferred and simplified. */
rg_err rg_judge_model(rg_ctx *cx, const char *name, rg_model_sizes sizes, rg_graph **out) RG_CHECKED;

/* How it runs: precision as in rg_plan_opt, sort and sketch as in rg_forecast_opt. */
typedef struct rg_model_way {
    const char *runtime, *precision, *sort;
    const struct rg_sketch *sketch;
    bool fused;                  /* attention is one kernel, whatever the profile of the runtime says */
} rg_model_way;
/* The graph has types. */
rg_err rg_judge_model_cost(rg_ctx *cx, const rg_exam *exam, const rg_graph *graph, const rg_model_way *way,
                           rg_run_cost *out) RG_CHECKED;

#endif
