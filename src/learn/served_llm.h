/* served_llm.h - what measurements of served language models have in common: names of models and of types. */
#ifndef RG_SERVED_LLM_H
#define RG_SERVED_LLM_H

#include "learn/evaluate.h"
#include "learn/stand_in_llm.h"
#include "scenario/llm.h"

/* The zoo's model that a checkpoint is an edition of; NULL: of none. */
const char *rg_served_edition(rg_str name);
/* A precision's name as rg_llm_setup takes it. RG_UNSUPPORTED: nobody knows it. */
rg_err rg_served_precision(rg_ctx *cx, rg_str name, const char **out) RG_CHECKED;
/* By name, else a stand-in of these totals, whose sizes are kept in `sizes`. */
rg_err rg_served_choose(rg_ctx *cx, rg_str name, rg_llm_totals totals, rg_decoder *sizes,
                        rg_llm_setup *out) RG_CHECKED;

/* Devices, stages: at least one; a cell that says nothing, or nonsense, is one. */
int rg_served_count(const rg_exam *exam, const char *column);

/* What a prompt of `more` tokens costs in a step that has `tokens` of them anyway: where weights are read
 * once for all. Of a replica; seconds between two steps. */
rg_err rg_served_join(rg_ctx *cx, rg_llm *llm, int64_t tokens, int64_t more, double *seconds,
                      double *joules) RG_CHECKED;

/* A sum of lengths, each of mean 1 and exponential, whose number is a Poisson variable of this mean; of
 * `parts` such sums the largest. */
typedef struct rg_served_sum { double median, mean; } rg_served_sum;
rg_served_sum rg_served_most(double mean, int parts);

#endif
