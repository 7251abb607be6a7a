/* clocking.h - one or more models on one device over its core clocks, corrected by what was measured at some.
 *
 *     models x clocks -> forecasts -> (probes) -> curves -> their weighted sum -> a choice
 */
#ifndef RG_CLOCKING_H
#define RG_CLOCKING_H

#include "predict/clock_law.h"
#include "study/study.h"

/* Of one model what was measured, and its curve. */
typedef struct rg_clocked {
    const char *name;
    double weight;
    rg_clock_point *points;        /* by clock, ascending */
    rg_clock_point *probes; size_t probe_count;
    rg_clock_prior prior;          /* the law of the forecast's curve */
    size_t best[RG_GOAL_COUNT];    /* for itself, within the bounds; SIZE_MAX: none is */
} rg_clocked;

typedef struct rg_clocking {
    rg_arena arena;
    rg_study *study;
    const rg_device *device;
    const char *runtime;           /* id */
    rg_clocked *models; size_t model_count;
    double *clocks_hz; size_t count;
    rg_clock_point *sum;           /* by clock: all models by their weights; the power of all that time */
    bool *front;
    rg_clock_goal goal;
    size_t best[RG_GOAL_COUNT];
    rg_estimate energy_ratio;      /* of the choice over the highest clock */
    double slowdown, limit_w;      /* as asked; slowdown below 0: any */
    size_t above;                  /* clocks that the power limit does not allow */
} rg_clocking;

rg_err rg_clocking_make(rg_ctx *cx, const rg_frequency_opt *opt, rg_clocking **out) RG_CHECKED;
void rg_clocking_free(rg_clocking *c);

/* Measurements of a file: core_mhz (or sm_mhz), latency_s (or latency_ms), power_w (or energy_j), model.
 * Cells that are empty: not measured. In cx's arena (clocking_probe.c). */
typedef struct rg_clock_probe { rg_str model; rg_clock_point point; size_t line; } rg_clock_probe;
rg_err rg_clock_probes_parse(rg_ctx *cx, const char *path, rg_str text, rg_clock_probe **out,
                             size_t *count) RG_CHECKED;
rg_err rg_clock_probes_read(rg_ctx *cx, const char *path, rg_clock_probe **out, size_t *count) RG_CHECKED;

#endif
