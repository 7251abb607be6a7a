/* sampler.h - times of things that are run in turns: A B A B, until each has enough that nobody disturbed.
 *
 * A turn is as many runs of one lane as fit into turn_s, at least one. Machines warm up, throttle and are
 * shared: by taking turns all lanes meet the same weather. A turn in which others used the processors is kept
 * apart and repeated.
 */
#ifndef RG_SAMPLER_H
#define RG_SAMPLER_H

#include "base/base.h"

/* What is timed, and what became of it. */
typedef struct rg_lane {
    rg_err (*run)(rg_ctx *cx, void *user);
    rg_err (*enter)(rg_ctx *cx, void *user); /* before each turn, not timed; may be NULL */
    void *user;
    double *calm_s; size_t calm_count;           /* samples of undisturbed turns ... */
    double *disturbed_s; size_t disturbed_count; /* ... and of the others, both in the order of time */
    double foreign;     /* of the processors, used by others: mean over all turns; below 0: not known */
    int turns, disturbed_turns;
    bool steady;        /* the warm-up became stable */
    uint32_t stride;    /* one sample kept of so many runs: fast ones would fill the memory */
    uint32_t calm_capacity, disturbed_capacity;
} rg_lane;

typedef struct rg_sampling {
    double (*now_s)(void *user);
    /* Begins to watch at `begin`; else the share of the processors that others used since: below 0: unknown.
     */
    double (*foreign)(void *user, bool begin);
    void *user;
    double turn_s;
    int turns;               /* undisturbed ones that each lane should have */
    int samples;             /* at least that many undisturbed samples, too */
    double foreign_max;      /* a turn with more is disturbed */
    bool (*progress)(void *user, size_t done, size_t total); /* turns; false: RG_INTERRUPTED; may be NULL */
    void *progress_user;
} rg_sampling;

/* Samples lie in cx's arena. As many turns again may be repeated; then what there is has to do. */
rg_err rg_sample(rg_ctx *cx, const rg_sampling *how, rg_lane *lanes, size_t count) RG_CHECKED;

#endif
