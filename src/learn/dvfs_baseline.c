/* dvfs_baseline.c - how others forecast a kernel over the clock, judged by the same rows.
 *
 * fgcs: a formula published in Future Generation Computer Systems (2023) with its numbers, f in MHz and
 * shares of time at the highest clock:
 *
 *     ln(1 + P) = -1.0318354 + 0.84864 fp + 0.09749 dram + 0.77006 ln(1 + f)      fp = F64 + F32 / 2
 *
 * Times are those of the probe at the highest clock, T = T0 f0 / f: as if all waited for the core.
 *
 * polynomial, bayesian-linear: regressions over all clocks of the known curves, of ln (T f / (T0 f0)) and
 * ln (P / P0), on the clock and the counters; the second with a prior on each weight (ridge: Bishop 2006, eq.
 * 3.54), linear in counters and in their product with the clock. With it the mean of the prior are the
 * weights that other devices' kernels have, where the reader lets it know other kernels at all.
 *
 * forest: the same by random trees (forest.c). xgboost: by boosted ones (boost.c) with the options that the
 * library itself has; where no other kernel of the device is known, of those of other devices.
 */
#include "learn/boost.h"
#include "learn/dvfs.h"
#include "learn/forest.h"

#include <math.h>
#include <string.h>

/* Counters that regressions use: those that the formula has, and occupancy. */
static const int used[] = {RG_ACTIVE_DRAM, RG_ACTIVE_F32, RG_ACTIVE_F64, RG_ACTIVE_SM, RG_ACTIVE_WARPS};
enum { USED = RG_COUNT(used), TERMS_MAX = 32, PROBES_MAX = 64 };

static double active_of(const rg_dvfs_curve *c, int i) { return isnan(c->active[i]) ? 0 : c->active[i]; }

/* The own curve with its probes; *top: that at the highest clock, NULL: there is none. */
static rg_err read_own(rg_ctx *cx, rg_sitting *s, rg_dvfs_curve *own, const rg_clock_point **top)
{
    size_t at[PROBES_MAX];
    if (rg_sitting_probes(s) > PROBES_MAX)
        return rg_fail(cx, RG_USAGE, "--probes: %d are more than %d", rg_sitting_probes(s), PROBES_MAX);
    RG_TRY(rg_dvfs_read(cx, s, 0, own));
    *top = rg_dvfs_probe(s, own, at) ? &own->points[at[0]] : NULL;
    return RG_OK;
}

static void answer(const rg_dvfs_curve *own, size_t i, double time_s, double power_w,
                   double (*out)[RG_JUDGE_QUANTITIES])
{
    double *to = out[own->settings[i]];
    to[RG_DVFS_TIME] = time_s;
    to[RG_DVFS_POWER] = power_w;
    to[RG_DVFS_ENERGY] = time_s * power_w;
}

rg_err rg_dvfs_fgcs(rg_ctx *cx, rg_sitting *s, double (*out)[RG_JUDGE_QUANTITIES])
{
    rg_dvfs_curve own;
    const rg_clock_point *top = NULL;
    RG_TRY(read_own(cx, s, &own, &top));
    double fp = active_of(&own, RG_ACTIVE_F64) + active_of(&own, RG_ACTIVE_F32) / 2;
    for (size_t i = 0; i < own.count; i++) {
        double hz = own.points[i].clock_hz;
        double power = -1.0318354 + 0.84864 * fp + 0.09749 * active_of(&own, RG_ACTIVE_DRAM)
                       + 0.77006 * log(1 + hz / 1e6);
        answer(&own, i, top ? top->time_s * top->clock_hz / hz : NAN, exp(power) - 1, out);
    }
    return RG_OK;
}

/* ---- regressions ---- */

typedef struct regression {
    bool squares;                /* all products of two; else those with the clock only */
    bool transfer;               /* the prior's mean comes from other devices; else it is 0 */
    double prior;                /* precision of a weight over that of an observation */
    int terms;
    double normal[TERMS_MAX][TERMS_MAX], time[TERMS_MAX], power[TERMS_MAX];
} regression;

/* x: the clock over the highest. */
static int terms_of(const regression *r, const rg_dvfs_curve *c, double x, double *out)
{
    double z[1 + USED] = {0};
    int n = 0;
    z[0] = r->squares ? x : log(x);
    for (int i = 0; i < (int)USED; i++) z[1 + i] = active_of(c, used[i]);
    out[n++] = 1;
    for (int i = 0; i <= (int)USED; i++) out[n++] = z[i];
    for (int i = 0; i <= (int)USED; i++)
        for (int k = i; k <= (int)USED; k++)
            if (r->squares || i == 0) out[n++] = z[i] * z[k];
    return n;
}

static void add_curve(regression *r, const rg_dvfs_curve *c)
{
    const rg_clock_point *top = &c->points[c->count - 1];
    if (isnan(top->time_s) || isnan(top->power_w)) return;
    for (size_t i = 0; i < c->count; i++) {
        const rg_clock_point *p = &c->points[i];
        double z[TERMS_MAX] = {0}, time = log(p->time_s * p->clock_hz / (top->time_s * top->clock_hz));
        double power = log(p->power_w / top->power_w);
        if (isnan(time) || isnan(power)) continue;
        r->terms = terms_of(r, c, p->clock_hz / top->clock_hz, z);
        for (int a = 0; a < r->terms; a++) {
            for (int b = 0; b < r->terms; b++) r->normal[a][b] += z[a] * z[b];
            r->time[a] += z[a] * time;
            r->power[a] += z[a] * power;
        }
    }
}

/* The weights, in place of the right sides: Cholesky. */
static void solve(regression *r)
{
    int n = r->terms;
    double (*a)[TERMS_MAX] = r->normal;
    for (int i = 0; i < n; i++) {
        a[i][i] += r->prior;
        for (int k = 0; k <= i; k++) {
            double sum = a[i][k];
            for (int m = 0; m < k; m++) sum -= a[i][m] * a[k][m];
            a[i][k] = k < i ? sum / a[k][k] : sqrt(fmax(sum, 1e-12));
        }
    }
    for (int side = 0; side < 2; side++) {
        double *b = side ? r->power : r->time;
        for (int i = 0; i < n; i++) {
            for (int m = 0; m < i; m++) b[i] -= a[i][m] * b[m];
            b[i] /= a[i][i];
        }
        for (int i = n - 1; i >= 0; i--) {
            for (int m = i + 1; m < n; m++) b[i] -= a[m][i] * b[m];
            b[i] /= a[i][i];
        }
    }
}

/* With precision a of the prior and its mean m, the right side has a m more. */
static rg_err learn_abroad(rg_ctx *cx, rg_sitting *s, regression *r)
{
    regression other = {.squares = r->squares, .prior = r->prior};
    size_t first = rg_sitting_curves(s), count = rg_sitting_abroad(s);
    for (size_t k = first; k < first + count; k++) {
        rg_dvfs_curve c;
        RG_TRY(rg_dvfs_read(cx, s, k, &c));
        add_curve(&other, &c);
    }
    if (!other.terms) return RG_OK;
    solve(&other);
    r->terms = other.terms;
    for (int i = 0; i < r->terms; i++) {
        r->time[i] = r->prior * other.time[i];
        r->power[i] = r->prior * other.power[i];
    }
    return RG_OK;
}

static rg_err regress(rg_ctx *cx, rg_sitting *s, regression *r, double (*out)[RG_JUDGE_QUANTITIES])
{
    rg_dvfs_curve own;
    const rg_clock_point *top = NULL;
    RG_TRY(read_own(cx, s, &own, &top));
    if (r->transfer) RG_TRY(learn_abroad(cx, s, r));
    for (size_t k = 1; k < rg_sitting_curves(s); k++) {
        rg_dvfs_curve c;
        RG_TRY(rg_dvfs_read(cx, s, k, &c));
        add_curve(r, &c);
    }
    if (!r->terms) return rg_fail(cx, RG_INPUT, "a regression learns from other curves: --known kernels");
    if (!top) return rg_fail(cx, RG_INPUT, "a regression goes from the highest clock: --probes 1");
    solve(r);
    for (size_t i = 0; i < own.count; i++) {
        double z[TERMS_MAX] = {0}, time = 0, power = 0, hz = own.points[i].clock_hz;
        terms_of(r, &own, hz / top->clock_hz, z);
        for (int t = 0; t < r->terms; t++) {
            time += r->time[t] * z[t];
            power += r->power[t] * z[t];
        }
        answer(&own, i, top->time_s * exp(time) * top->clock_hz / hz, top->power_w * exp(power), out);
    }
    return RG_OK;
}

rg_err rg_dvfs_polynomial(rg_ctx *cx, rg_sitting *s, double (*out)[RG_JUDGE_QUANTITIES])
{
    regression r = {.squares = true, .prior = 1e-6}; /* so small that it only keeps equal columns apart */
    return regress(cx, s, &r, out);
}

rg_err rg_dvfs_linear(rg_ctx *cx, rg_sitting *s, double (*out)[RG_JUDGE_QUANTITIES])
{
    /* weights of a standard deviation of 1, observations of 0.1: ratios of times and powers are below e */
    regression r = {.prior = 0.01, .transfer = true};
    return regress(cx, s, &r, out);
}

/* ---- trees ---- */

enum { FEATURES = 1 + USED };

static void features_of(const rg_dvfs_curve *c, double x, float *out)
{
    out[0] = (float)x;
    for (int i = 0; i < (int)USED; i++) out[1 + i] = (float)active_of(c, used[i]);
}

/* What trees learn from: time, then power, of each row. */
typedef struct lesson { float *x; double *y; size_t rows; } lesson;

static void add_rows(const rg_dvfs_curve *c, lesson *l)
{
    const rg_clock_point *top = &c->points[c->count - 1];
    for (size_t i = 0; i < c->count; i++) {
        const rg_clock_point *p = &c->points[i];
        double time = log(p->time_s * p->clock_hz / (top->time_s * top->clock_hz));
        double power = log(p->power_w / top->power_w);
        if (isnan(time) || isnan(power)) continue;
        features_of(c, p->clock_hz / top->clock_hz, &l->x[l->rows * FEATURES]);
        l->y[2 * l->rows] = time;
        l->y[2 * l->rows + 1] = power;
        l->rows++;
    }
}

static rg_err gather(rg_ctx *cx, rg_sitting *s, size_t first, size_t end, lesson *out)
{
    size_t most = 0;
    for (size_t k = first; k < end; k++) most += rg_sitting_count(s, k);
    *out =
        (lesson){RG_NEW(&cx->arena, float, most *FEATURES + 1), RG_NEW(&cx->arena, double, 2 * most + 1), 0};
    if (!out->x || !out->y) return rg_nomem(cx);
    for (size_t k = first; k < end; k++) {
        rg_dvfs_curve c;
        RG_TRY(rg_dvfs_read(cx, s, k, &c));
        add_rows(&c, out);
    }
    return RG_OK;
}

static rg_err check(rg_ctx *cx, const lesson *l, const rg_clock_point *top)
{
    if (!l->rows) return rg_fail(cx, RG_INPUT, "trees learn from other curves: --known kernels");
    if (!top) return rg_fail(cx, RG_INPUT, "trees go from the highest clock: --probes 1");
    return RG_OK;
}

rg_err rg_dvfs_forest(rg_ctx *cx, rg_sitting *s, double (*out)[RG_JUDGE_QUANTITIES])
{
    rg_dvfs_curve own;
    const rg_clock_point *top = NULL;
    rg_forest *forest;
    lesson l;
    RG_TRY(read_own(cx, s, &own, &top));
    RG_TRY(gather(cx, s, 1, rg_sitting_curves(s), &l));
    RG_TRY(check(cx, &l, top));
    RG_TRY(rg_forest_grow(cx, l.x, l.y, l.rows, FEATURES, 2, 1, &forest));
    for (size_t i = 0; i < own.count; i++) {
        float z[FEATURES];
        double logs[2], hz = own.points[i].clock_hz;
        features_of(&own, hz / top->clock_hz, z);
        rg_forest_at(forest, z, logs);
        answer(&own, i, top->time_s * exp(logs[0]) * top->clock_hz / hz, top->power_w * exp(logs[1]), out);
    }
    return RG_OK;
}

/* Of time and of power. */
static rg_err boost(rg_ctx *cx, rg_booster *booster, const lesson *l, rg_trees_member trees[2])
{
    const rg_boost_opt defaults = {.rounds = 100,
                                   .depth = 6,
                                   .rate = 0.3,
                                   .leaf_weight = 1,
                                   .rows = 1,
                                   .columns = 1,
                                   .threads = 1}; /* XGBoost's parameters as it documents them */
    float *y = RG_NEW(&cx->arena, float, l->rows);
    if (!y) return rg_nomem(cx);
    for (size_t q = 0; q < 2; q++) {
        for (size_t i = 0; i < l->rows; i++) y[i] = (float)l->y[2 * i + q];
        const rg_boost_data data = {.x = l->x, .y = y, .count = l->rows, .features = FEATURES};
        trees[q] = (rg_trees_member){.device = RG_TREES_ALL};
        RG_TRY(rg_booster_train(cx, booster, &data, &defaults, &cx->arena, &trees[q]));
        RG_TRY(rg_trees_find_roots(cx, &cx->arena, &trees[q], FEATURES));
    }
    return RG_OK;
}

rg_err rg_dvfs_xgboost_ready(rg_ctx *cx)
{
    rg_booster *booster;
    RG_TRY(rg_booster_open(cx, &booster));
    rg_booster_close(booster);
    return RG_OK;
}

rg_err rg_dvfs_xgboost(rg_ctx *cx, rg_sitting *s, double (*out)[RG_JUDGE_QUANTITIES])
{
    rg_dvfs_curve own;
    const rg_clock_point *top = NULL;
    rg_booster *booster;
    rg_trees_member trees[2];
    lesson l;
    size_t known = rg_sitting_curves(s);
    RG_TRY(read_own(cx, s, &own, &top));
    RG_TRY(gather(cx, s, 1, known, &l));
    if (!l.rows) RG_TRY(gather(cx, s, known, known + rg_sitting_abroad(s), &l));
    RG_TRY(check(cx, &l, top));
    RG_TRY(rg_booster_open(cx, &booster));
    rg_err err = boost(cx, booster, &l, trees);
    rg_booster_close(booster);
    for (size_t i = 0; i < own.count && !err; i++) {
        float z[FEATURES];
        double hz = own.points[i].clock_hz;
        features_of(&own, hz / top->clock_hz, z);
        answer(&own, i, top->time_s * exp(rg_trees_sum(&trees[0], z)) * top->clock_hz / hz,
               top->power_w * exp(rg_trees_sum(&trees[1], z)), out);
    }
    return err;
}
