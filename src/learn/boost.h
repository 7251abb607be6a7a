/* boost.h - boosted trees trained by XGBoost (its C library, opened when it is first needed), as nodes of
 * trees.h.
 */
#ifndef RG_BOOST_H
#define RG_BOOST_H

#include "predict/trees.h"

typedef struct rg_boost_data {
    const float *x;              /* count x features */
    const float *y, *weight;     /* count */
    size_t count, features;
} rg_boost_data;

typedef struct rg_boost_opt {
    int rounds, depth;
    int leaves;                  /* at most, where those that gain most are split first; 0: by depth alone */
    double rate;                 /* learning rate */
    double leaf_weight;          /* least sum of weights in a leaf */
    double rows, columns;        /* share that each tree sees */
    uint64_t seed;
    int threads;                 /* 0: one a core; the result does not depend on it */
} rg_boost_opt;

typedef struct rg_booster rg_booster;
/* RG_UNSUPPORTED: there is no library. */
rg_err rg_booster_open(rg_ctx *cx, rg_booster **out) RG_CHECKED;
void rg_booster_close(rg_booster *booster);
/* Least squares. node_count, start and nodes of `member` are set; nodes lie in `arena`. */
rg_err rg_booster_train(rg_ctx *cx, rg_booster *booster, const rg_boost_data *data, const rg_boost_opt *opt,
                        rg_arena *arena, rg_trees_member *member) RG_CHECKED;

#endif
