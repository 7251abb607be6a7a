/* cleaning.c - runs of a sweep that no kernel can have, whatever it computes. Between a lower clock a and a
 * higher one b, with the same work:
 *
 *     T(b) <= T(a)         P(b) >= P(a)
 *
 * A run that takes longer than a lower clock needs, at no more power, waited: for files, for a cold cache,
 * for others. One that takes less power than a lower clock in no more time was not watched while it ran.
 * Repeats of a clock tell the same of each other. Runs at the beginning that wait are cold ones.
 */
#include "learn/cleaning.h"

#include "base/statistics.h"

#include <math.h>
#include <stdlib.h>

/* Beyond what repeats differ by: those of one clock scatter by 1 to 3 % in sweeps without trouble. */
#define APART 0.1
/* Lower clocks that a time is held against: the least of so many, as one of them may have waited, too. */
enum { LOWER = 3 };

typedef struct level { double clock_hz, time_s, power_w, least_s; size_t count; } level;

typedef struct sweep {
    const rg_sweep_run *runs; size_t count;
    level *levels; size_t level_count; /* ascending clock */
    double *values;
} sweep;

static int by_clock(const void *a, const void *b)
{
    double x = ((const level *)a)->clock_hz, y = ((const level *)b)->clock_hz;
    return x < y ? -1 : x > y;
}

static double median_of(sweep *s, double clock_hz, bool power)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        double x = power ? s->runs[i].power_w : s->runs[i].time_s;
        if (s->runs[i].clock_hz == clock_hz && x > 0) s->values[n++] = x;
    }
    rg_sort_ascending(s->values, n);
    return n ? rg_percentile(s->values, n, 0.5) : NAN;
}

static void find_levels(sweep *s)
{
    for (size_t i = 0; i < s->count; i++) {
        double hz = s->runs[i].clock_hz, t = s->runs[i].time_s;
        size_t k = 0;
        while (k < s->level_count && s->levels[k].clock_hz != hz) k++;
        if (k == s->level_count) s->levels[s->level_count++] = (level){hz, 0, 0, INFINITY, 0};
        s->levels[k].count++;
        if (t > 0) s->levels[k].least_s = fmin(s->levels[k].least_s, t);
    }
    qsort(s->levels, s->level_count, sizeof *s->levels, by_clock);
    for (size_t k = 0; k < s->level_count; k++) {
        s->levels[k].time_s = median_of(s, s->levels[k].clock_hz, false);
        s->levels[k].power_w = median_of(s, s->levels[k].clock_hz, true);
    }
}

static bool is_slow(const sweep *s, const rg_sweep_run *run, size_t at)
{
    double least = s->levels[at].count > 2 ? s->levels[at].least_s : INFINITY;
    for (size_t k = at; k > 0 && at - k < LOWER; k--) least = fmin(least, s->levels[k - 1].time_s);
    return run->time_s > (1 + APART) * least;
}

static bool is_weak(const sweep *s, const rg_sweep_run *run, size_t at)
{
    double below = at ? s->levels[at - 1].power_w : 0;
    if (s->levels[at].count > 2) below = fmax(below, s->levels[at].power_w);
    return run->power_w < (1 - APART) * below;
}

static const char *fault_of(const sweep *s, const rg_sweep_run *run)
{
    size_t at = 0;
    while (s->levels[at].clock_hz != run->clock_hz) at++;
    bool slow = is_slow(s, run, at), weak = is_weak(s, run, at);
    if (slow && weak) return "it waited: longer than a lower clock or its repeats, at less power";
    if (slow) return "longer than a lower clock or its repeats";
    return weak ? "less power than a lower clock or its repeats" : NULL;
}

/* Those before which no run was right. */
static void name_cold(const sweep *s, const char **why)
{
    double first_right = INFINITY;
    for (size_t i = 0; i < s->count; i++)
        if (!why[i] && s->runs[i].order >= 0) first_right = fmin(first_right, s->runs[i].order);
    for (size_t i = 0; i < s->count; i++)
        if (why[i] && s->runs[i].order < first_right) why[i] = "a cold run: none before it was right";
}

/* Every clock no higher than that of the run before, of many: what changes with time looks like an effect of
 * the clock. */
static const char *order_of(const sweep *s)
{
    size_t up = 0, down = 0;
    for (size_t i = 0; i < s->count; i++) {
        size_t before = SIZE_MAX;
        for (size_t k = 0; k < s->count; k++) {
            bool earlier = s->runs[k].order < s->runs[i].order;
            if (earlier && (before == SIZE_MAX || s->runs[k].order > s->runs[before].order)) before = k;
        }
        if (before == SIZE_MAX) continue;
        up += s->runs[i].clock_hz > s->runs[before].clock_hz;
        down += s->runs[i].clock_hz < s->runs[before].clock_hz;
    }
    if (s->level_count <= LOWER || (up && down) || !(up || down)) return NULL;
    return down ? "clocks only fall from run to run: drift cannot be told from the clock"
                : "clocks only rise from run to run: drift cannot be told from the clock";
}

rg_err rg_sweep_clean(rg_ctx *cx, const rg_sweep_run *runs, size_t count, const char **why, const char **note)
{
    sweep s = {.runs = runs, .count = count, .levels = RG_NEW(&cx->arena, level, count + 1),
               .values = RG_NEW(&cx->arena, double, count + 1)};
    if (!s.levels || !s.values) return rg_nomem(cx);
    find_levels(&s);
    for (size_t i = 0; i < count; i++) why[i] = fault_of(&s, &runs[i]);
    name_cold(&s, why);
    *note = order_of(&s);
    return RG_OK;
}
