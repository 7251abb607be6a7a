/* conformal.h - how wide an interval has to be, by errors on what was held out, and how many of others it
 * holds.
 */
#ifndef RG_CONFORMAL_H
#define RG_CONFORMAL_H

#include "base/base.h"

/* One row that was held out. */
typedef struct rg_held {
    uint32_t device;
    uint64_t group;              /* what is known together: a model, a family, or a shape */
    double error;                /* log(forecast / measured) */
    double size;                 /* log of what was measured; of all 0: not told */
} rg_held;
typedef struct rg_held_rows { rg_held *items; size_t count; uint32_t capacity; } rg_held_rows;

/* Rows that a spread rests on; of fewer it is 0: not validated. Rows of a device that counts as one. */
enum { RG_CONFORMAL_LEAST = 20, RG_CONFORMAL_DEVICE = 60 };

/* The ceil(0.9 (n + 1))th smallest |error|; 0: too few. */
rg_err rg_conformal_spread(rg_ctx *cx, const rg_held *rows, size_t count, double *out) RG_CHECKED;
/* For a device that none of these rows is of; rows of a device follow each other. Where none of them has
 * enough, as rg_conformal_spread. */
rg_err rg_conformal_device_spread(rg_ctx *cx, const rg_held *rows, size_t count, double *out) RG_CHECKED;

/* Means and medians of |forecast / measured - 1|, Kendall's tau of both, and of intervals [f / e^s, f e^s]
 * what they hold and how wide they are: (high - low) / f. NAN: not tried. */
typedef struct rg_held_score { double mean, median, tau, coverage, width; } rg_held_score;
rg_held_score rg_held_score_none(void);
/* spread 0: no interval. */
rg_err rg_held_score_of(rg_ctx *cx, const rg_held *rows, size_t count, double spread,
                        rg_held_score *out) RG_CHECKED;
/* Where half of the groups says the spread and the other half tests it, and the other way round. */
rg_err rg_held_cross(rg_ctx *cx, const rg_held *rows, size_t count, rg_held_score *out) RG_CHECKED;

#endif
