/* forest.h - regression by many random trees, of any number of quantities at once. */
#ifndef RG_FOREST_H
#define RG_FOREST_H

#include "predict/trees.h"

typedef struct rg_forest rg_forest;

enum { RG_FOREST_OUTPUTS = 4 };

/* x: [rows, features], y: [rows, outputs]; neither is kept. In cx's arena. The same seed grows the same. */
rg_err rg_forest_grow(rg_ctx *cx, const float *x, const double *y, size_t rows, int features, int outputs,
                      uint64_t seed, rg_forest **out) RG_CHECKED;
/* y: [outputs] */
void rg_forest_at(const rg_forest *forest, const float *x, double *y);

#endif
