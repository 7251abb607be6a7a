/* calibrate_plan.c - which figures of a device can be measured here, and how much memory each walks through.
 *
 * A level is seen by a walk that the nearer level cannot hold and the level itself can:
 *
 *     footprint = what nearer levels hold + share x what one thread has of this level
 *
 * The share is a half where the level is the core's own, and a quarter where it is shared: others' lines lie
 * there too. A walk of that size in a fixed order finds nothing in the nearer level, which has always just
 * dropped what comes next. Main memory needs four times all caches, so that they hold little of it.
 */
#include "measure/calibrate.h"
#include "measure/calibrate_kernel.h"

#include <math.h>

#define OWN_SHARE    0.5
#define COMMON_SHARE 0.25
#define CACHE_TIMES  4.0
#define MEMORY_SHARE 0.125               /* of what the process may have, at most */
#define WALK_BYTE_MIN 0x1p26 /* of main memory: 64 MiB, for machines whose caches are not known ... */
#define WALK_BYTE_MAX 0x1p30             /* ... and 1 GiB: laying out the circle of pointers takes seconds */

static int cores_of(const rg_calibration *c, int engine)
{
    int count = 0;
    for (int e = 0; e < (int)c->detected->engine_count; e++)
        if (engine < 0 || engine == e) count += CPU_COUNT(&c->cpus[e]);
    return count;
}

/* Threads that share an instance of the level while `threads` of them run. */
static double sharing(const rg_level *level, int threads)
{
    return fmin(fmax(level->sharers, 1), threads);
}

static double memory_walk(const rg_device *d, int threads)
{
    double caches = 0;
    for (size_t i = 0; i + 1 < d->level_count; i++) caches += d->levels[i].capacity_byte * d->levels[i].count;
    double walk = fmin(fmax(CACHE_TIMES * caches, WALK_BYTE_MIN), WALK_BYTE_MAX);
    return fmin(walk, MEMORY_SHARE * rg_device_memory(d)->usable_byte) / threads;
}

/* Of one of `threads` threads, in whole pairs of steps. */
static double footprint(const rg_device *d, size_t row, int threads)
{
    double nearer = 0, own;
    for (size_t i = 0; i < row; i++) nearer = d->levels[i].capacity_byte / sharing(&d->levels[i], threads);
    if (row + 1 == d->level_count) own = memory_walk(d, threads);
    else {
        const rg_level *l = &d->levels[row];
        own = nearer + l->capacity_byte / sharing(l, threads) * (l->sharers > 1 ? COMMON_SHARE : OWN_SHARE);
    }
    return fmax(floor(own / (2 * RG_MOVE_BYTE)), 1) * 2 * RG_MOVE_BYTE;
}

typedef struct plan { rg_ctx *cx; rg_calibration *c; uint32_t capacity; bool failed; } plan;

static void add(plan *p, rg_gauge gauge)
{
    rg_calibration *c = p->c;
    gauge.cores = gauge.all ? cores_of(c, gauge.engine) : 1;
    p->failed = p->failed || !RG_GROW(&p->cx->arena, c->gauges, c->count, p->capacity);
    if (!p->failed) c->gauges[c->count++] = gauge;
}

/* By one thread, and by all where there are more. */
static void add_both(plan *p, rg_gauge gauge)
{
    int engine = gauge.engine;
    gauge.engine = engine < 0 ? 0 : engine;
    add(p, gauge);
    gauge.engine = engine;
    gauge.all = true;
    if (cores_of(p->c, engine) > 1) add(p, gauge);
}

static void add_level(plan *p, size_t row)
{
    const rg_device *d = p->c->detected;
    for (rg_gauge_kind kind = RG_GAUGE_READ; kind <= RG_GAUGE_LATENCY; kind++) {
        rg_gauge gauge = {.kind = kind, .row = (int)row, .footprint_byte = footprint(d, row, 1)};
        int cores = cores_of(p->c, -1);
        add(p, gauge);
        if (kind == RG_GAUGE_LATENCY || cores < 2) continue;
        gauge.engine = -1;
        gauge.all = true;
        gauge.footprint_byte = footprint(d, row, cores);
        add(p, gauge);
    }
}

rg_err rg_calibrate_plan(rg_ctx *cx, rg_calibration *c)
{
    plan p = {.cx = cx, .c = c};
    const rg_device *d = c->detected;
    c->gauges = NULL;
    c->count = 0;
    for (size_t e = 0; e < d->engine_count; e++) {
        if (!cores_of(c, (int)e))
            return rg_fail(cx, RG_FAILED, "none of the %g cores '%s' is there to measure on",
                           d->engines[e].count, d->engines[e].id);
        add_both(&p, (rg_gauge){.kind = RG_GAUGE_CLOCK, .engine = (int)e});
    }
    for (size_t i = 0; i < d->peak_count; i++) {
        rg_peak_kernel kernel;
        if (!rg_peak_kernel_for(&d->peaks[i], c->features, &kernel)) continue;
        add_both(&p, (rg_gauge){.kind = RG_GAUGE_PEAK, .engine = d->peaks[i].engine, .row = (int)i,
                                .how = kernel.how});
    }
    for (size_t i = 0; i < d->level_count; i++) add_level(&p, i);
    if (cores_of(c, -1) > 1) add(&p, (rg_gauge){.kind = RG_GAUGE_FORK, .engine = -1, .all = true});
    return p.failed ? rg_nomem(cx) : RG_OK;
}
