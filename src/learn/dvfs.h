/* dvfs.h - a kernel over the clock, as a forecast of the kind `dvfs` and its baselines see it. */
#ifndef RG_DVFS_H
#define RG_DVFS_H

#include "learn/evaluate.h"
#include "predict/clock_law.h"

enum { RG_DVFS_TIME, RG_DVFS_POWER, RG_DVFS_ENERGY };

/* Shares of time in which units of the device work, as its counters say: DCGM fields 1002 to 1008. */
enum { RG_ACTIVE_DRAM, RG_ACTIVE_F16, RG_ACTIVE_F32, RG_ACTIVE_F64, RG_ACTIVE_SM, RG_ACTIVE_WARPS,
       RG_ACTIVE_TENSOR, RG_ACTIVE_COUNT };

/* One curve of a sitting, ascending clock. What was measured is NAN but at probes; of a known curve, also at
 * its dirty settings. */
typedef struct rg_dvfs_curve {
    size_t count;
    size_t *settings;                  /* by clock: their numbers in the sitting */
    rg_clock_point *points;
    double *energy_j;
    double active[RG_ACTIVE_COUNT];    /* at its highest clock; NAN: not told */
} rg_dvfs_curve;

/* In cx's arena. Of curve 0 with the clocks that rg_dvfs_probe asked for. */
rg_err rg_dvfs_read(rg_ctx *cx, rg_sitting *s, size_t curve, rg_dvfs_curve *out) RG_CHECKED;
/* Asks for as many probes as there are: the highest clock; of two or more the lowest; the others between them
 * in equal steps. at: indices of the points, in that order; [at least the sitting's probes]. Returns how
 * many.
 */
size_t rg_dvfs_probe(rg_sitting *s, rg_dvfs_curve *own, size_t *at);
/* ln of what is at a clock, linear between neighbors that were measured; NAN: none was. */
double rg_dvfs_between(const rg_dvfs_curve *c, const double *logs, double clock_hz);

/* The baselines (dvfs_baseline.c). */
rg_curve_forecast rg_dvfs_fgcs, rg_dvfs_polynomial, rg_dvfs_linear, rg_dvfs_forest, rg_dvfs_xgboost;
rg_err rg_dvfs_xgboost_ready(rg_ctx *cx) RG_CHECKED;

#endif
