/* gaussian.h - what is known of others, weighted by how like them one is: regression by a Gaussian process.
 *
 * The weights depend on the features only, so that one fit serves any number of quantities:
 *
 *     y(x) = sum_i w_i y_i
 */
#ifndef RG_GAUSSIAN_H
#define RG_GAUSSIAN_H

#include "base/base.h"

typedef struct rg_gaussian rg_gaussian;

/* x: [count, features]; copied. In cx's arena. */
rg_err rg_gaussian_fit(rg_ctx *cx, const double *x, size_t count, size_t features,
                       rg_gaussian **out) RG_CHECKED;
/* weights: [count] */
void rg_gaussian_weights(const rg_gaussian *g, const double *x, double *weights);

#endif
