/* sampler.c - warm-up, turns, and what is done about neighbours.
 *
 * Warm-up: windows of runs, until the medians of two that follow each other agree. Caches, branch predictors,
 * clocks and lazily built state settle in that time; a fixed number of runs would be too few for one model
 * and minutes for another.
 */
#include "measure/sampler.h"

#include "base/statistics.h"

#include <math.h>

enum {
    WINDOW_RUNS = 64,    /* of a warm-up window, at most */
    WINDOW_MIN = 3,
    WINDOW_COUNT = 20,   /* then it is called unsteady */
    TURN_SAMPLES = 1000, /* kept of one turn, about */
};
#define WARM_UP_S  5.0   /* of one lane, at most */
#define STABLE     0.02  /* medians of two windows differ by less: about the noise of a quiet machine */

typedef struct sampler {
    rg_ctx *cx;
    const rg_sampling *how;
    size_t done, total;  /* turns */
} sampler;

static double now(const sampler *s) { return s->how->now_s(s->how->user); }

static rg_err enter(const sampler *s, const rg_lane *lane)
{
    return lane->enter ? lane->enter(s->cx, lane->user) : RG_OK;
}

static rg_err timed(const sampler *s, const rg_lane *lane, double *out)
{
    double begin = now(s);
    RG_TRY(lane->run(s->cx, lane->user));
    *out = now(s) - begin;
    return RG_OK;
}

/* A tenth of a turn, and three runs. */
static rg_err window_median(const sampler *s, const rg_lane *lane, double *median)
{
    double x[WINDOW_RUNS], begin = now(s);
    size_t count = 0;
    while (count < WINDOW_RUNS && (count < WINDOW_MIN || now(s) - begin < s->how->turn_s / 10))
        RG_TRY(timed(s, lane, &x[count++]));
    rg_sort_ascending(x, count);
    *median = rg_percentile(x, count, 0.5);
    return RG_OK;
}

static rg_err warm_up(const sampler *s, rg_lane *lane)
{
    double begin = now(s), before, median;
    RG_TRY(enter(s, lane));
    RG_TRY(window_median(s, lane, &median));
    for (int i = 1; i < WINDOW_COUNT && !lane->steady && now(s) - begin < WARM_UP_S; i++) {
        before = median;
        RG_TRY(window_median(s, lane, &median));
        lane->steady = fabs(median - before) <= STABLE * before;
    }
    double fit = median > 0 ? s->how->turn_s / median / TURN_SAMPLES : 1;
    lane->stride = fit > 1 ? (uint32_t)fmin(fit, 1e6) : 1;
    return RG_OK;
}

static rg_err keep(const sampler *s, double **list, size_t *count, uint32_t *capacity, const double *x,
                   size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!RG_GROW(&s->cx->arena, *list, *count, *capacity)) return rg_nomem(s->cx);
        (*list)[(*count)++] = x[i];
    }
    return RG_OK;
}

/* The first run finds the caches as the lane before left them: it is not counted where many follow. */
static rg_err take_turn(sampler *s, rg_lane *lane)
{
    double x[2 * TURN_SAMPLES], run_s;
    size_t count = 0;
    RG_TRY(enter(s, lane));
    s->how->foreign(s->how->user, true);
    double begin = now(s);
    RG_TRY(timed(s, lane, &run_s));
    if (run_s < s->how->turn_s) {
        s->how->foreign(s->how->user, true);
        begin = now(s);
    } else x[count++] = run_s;
    for (uint64_t i = 0; !count || (count < RG_COUNT(x) && now(s) - begin < s->how->turn_s); i++) {
        RG_TRY(timed(s, lane, &run_s));
        if (i % lane->stride == 0) x[count++] = run_s;
    }
    double foreign = s->how->foreign(s->how->user, false);
    bool disturbed = foreign > s->how->foreign_max;
    lane->foreign += (foreign - lane->foreign) / ++lane->turns;
    lane->disturbed_turns += disturbed;
    if (disturbed)
        return keep(s, &lane->disturbed_s, &lane->disturbed_count, &lane->disturbed_capacity, x, count);
    return keep(s, &lane->calm_s, &lane->calm_count, &lane->calm_capacity, x, count);
}

static bool wants_more(const sampler *s, const rg_lane *lane)
{
    int calm = lane->turns - lane->disturbed_turns;
    bool enough = calm >= s->how->turns && lane->calm_count >= (size_t)s->how->samples;
    bool tired = lane->disturbed_turns >= s->how->turns &&
                 lane->calm_count + lane->disturbed_count >= (size_t)s->how->samples;
    return !enough && !tired;
}

static rg_err report(sampler *s)
{
    s->total = s->total > ++s->done ? s->total : s->done;
    bool go_on = !s->how->progress || s->how->progress(s->how->progress_user, s->done, s->total);
    return go_on ? RG_OK : rg_fail(s->cx, RG_INTERRUPTED, "interrupted");
}

rg_err rg_sample(rg_ctx *cx, const rg_sampling *how, rg_lane *lanes, size_t count)
{
    sampler s = {.cx = cx, .how = how, .total = count * (size_t)(how->turns + 1)};
    for (size_t i = 0; i < count; i++) {
        RG_TRY(warm_up(&s, &lanes[i]));
        RG_TRY(report(&s));
    }
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            if (!wants_more(&s, &lanes[i])) continue;
            more = true;
            RG_TRY(take_turn(&s, &lanes[i]));
            RG_TRY(report(&s));
        }
    }
    return RG_OK;
}
