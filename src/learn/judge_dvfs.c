/* judge_dvfs.c - kernels over the core clock: time, power and energy of a run at each clock, from none, one
 * or a few of them.
 *
 * The law of predict/clock_law.c is fitted to the probes; its prior are the shares of time in which units
 * work, as counters say at the highest clock. Where other kernels of the device are known, each is fitted to
 * the probes of the same clocks, too; what its law then misses, at every clock, is carried over by a Gaussian
 * process, weights by how alike the counters and the probes are, and by random trees; the mean of both, as
 * one follows slopes and the other steps.
 *
 *     ln T(f) = ln T_law(f) + (sum_k w_k (ln T_k(f) - ln T_law,k(f)) + trees(f)) / 2     P likewise; E = P T
 *
 * Energies that are not power x time (a meter's window is another than the clock's) keep the ratio of the
 * probes. A time without any probe cannot be said.
 */
#include "learn/cleaning.h"
#include "learn/dvfs.h"
#include "learn/forest.h"
#include "predict/gaussian.h"

#include "base/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- curves ---- */

/* "DRAMA=0.5;FP32A=0.1": NAN where the name is not there. */
static double extra_of(const rg_exam *exam, const char *name) { return rg_exam_pair(exam, "extra", name); }

static void read_active(const rg_exam *exam, double *out)
{
    static const char *const names[] = {
        [RG_ACTIVE_DRAM] = "DRAMA", [RG_ACTIVE_F16] = "FP16A", [RG_ACTIVE_F32] = "FP32A",
        [RG_ACTIVE_F64] = "FP64A",  [RG_ACTIVE_SM] = "SMACT",  [RG_ACTIVE_WARPS] = "SMOCC",
        [RG_ACTIVE_TENSOR] = "TENSO",
    };
    for (int i = 0; i < RG_ACTIVE_COUNT; i++) out[i] = extra_of(exam, names[i]);
}

typedef struct placed { double clock_hz; size_t setting; } placed;

static int by_clock(const void *a, const void *b)
{
    double x = ((const placed *)a)->clock_hz, y = ((const placed *)b)->clock_hz;
    return x < y ? -1 : x > y;
}

rg_err rg_dvfs_read(rg_ctx *cx, rg_sitting *s, size_t curve, rg_dvfs_curve *out)
{
    size_t n = rg_sitting_count(s, curve);
    placed *order = RG_NEW(&cx->arena, placed, n);
    *out = (rg_dvfs_curve){n, RG_NEW(&cx->arena, size_t, n), RG_NEW(&cx->arena, rg_clock_point, n),
                           RG_NEW(&cx->arena, double, n), {0}};
    if (!order || !out->settings || !out->points || !out->energy_j) return rg_nomem(cx);
    for (size_t i = 0; i < n; i++)
        order[i] = (placed){rg_exam_real(rg_sitting_exam(s, curve, i), "sm_mhz") * 1e6, i};
    qsort(order, n, sizeof *order, by_clock);
    for (size_t i = 0; i < n; i++) {
        double measured[RG_JUDGE_QUANTITIES];
        out->settings[i] = order[i].setting;
        out->points[i] = (rg_clock_point){order[i].clock_hz, NAN, NAN};
        out->energy_j[i] = NAN;
        if (!curve || !rg_sitting_measured(s, curve, order[i].setting, measured)) continue;
        out->points[i].time_s = measured[RG_DVFS_TIME];
        out->points[i].power_w = measured[RG_DVFS_POWER];
        out->energy_j[i] = measured[RG_DVFS_ENERGY];
    }
    read_active(rg_sitting_exam(s, curve, order[n - 1].setting), out->active);
    return RG_OK;
}

/* Of those that are clean; SIZE_MAX: all of these are taken. */
static size_t nearest(const rg_sitting *s, const rg_dvfs_curve *c, double clock_hz, const size_t *taken,
                      size_t count)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < c->count; i++) {
        size_t k = rg_sitting_dirty(s, 0, c->settings[i]) ? SIZE_MAX : 0;
        while (k < count && taken[k] != i) k++;
        double off = fabs(c->points[i].clock_hz - clock_hz);
        if (k == count && (best == SIZE_MAX || off < fabs(c->points[best].clock_hz - clock_hz))) best = i;
    }
    return best;
}

size_t rg_dvfs_probe(rg_sitting *s, rg_dvfs_curve *own, size_t *at)
{
    size_t wanted = (size_t)rg_sitting_probes(s), count = 0;
    double low = own->points[0].clock_hz, high = own->points[own->count - 1].clock_hz;
    for (size_t i = 0; i < wanted && i < own->count; i++) {
        double share = i == 0 ? 1 : i == 1 ? 0 : (double)(i - 1) / (double)(wanted - 1);
        double measured[RG_JUDGE_QUANTITIES];
        size_t k = nearest(s, own, low + share * (high - low), at, count);
        if (k == SIZE_MAX || !rg_sitting_measured(s, 0, own->settings[k], measured)) break;
        own->points[k].time_s = measured[RG_DVFS_TIME];
        own->points[k].power_w = measured[RG_DVFS_POWER];
        own->energy_j[k] = measured[RG_DVFS_ENERGY];
        at[count++] = k;
    }
    return count;
}

double rg_dvfs_between(const rg_dvfs_curve *c, const double *logs, double clock_hz)
{
    size_t below = SIZE_MAX, above = SIZE_MAX;
    for (size_t i = 0; i < c->count; i++) {
        if (isnan(logs[i])) continue;
        if (c->points[i].clock_hz <= clock_hz) below = i;
        else if (above == SIZE_MAX) above = i;
    }
    if (below == SIZE_MAX) return above == SIZE_MAX ? NAN : logs[above];
    if (above == SIZE_MAX) return logs[below];
    double from = c->points[below].clock_hz, to = c->points[above].clock_hz;
    return logs[below] + (logs[above] - logs[below]) * (clock_hz - from) / (to - from);
}

/* ---- the law and what it misses ---- */

/* Of a curve: its law by the probes, ln (measured / law) at its clocks, and what it is known by. */
enum { TREES_FROM = 10 }; /* known curves; of fewer, trees have a leaf or two for each clock */
enum { PROBES_MAX = 64, FEATURES = RG_ACTIVE_COUNT + 2 * PROBES_MAX };
typedef struct fitted {
    rg_clock_law law;
    double *time, *power;        /* by clock of the own curve: ln of measured over law; NAN: not measured */
    double features[FEATURES];
} fitted;

typedef struct forecasting {
    rg_ctx *cx;
    rg_sitting *s;
    rg_dvfs_curve own;
    size_t at[PROBES_MAX]; size_t probes;
    fitted *known; size_t known_count;
} forecasting;

static rg_clock_use use_of(const double *active)
{
    double core = NAN;
    const int pipes[] = {RG_ACTIVE_F16, RG_ACTIVE_F32, RG_ACTIVE_F64, RG_ACTIVE_TENSOR};
    for (size_t i = 0; i < RG_COUNT(pipes); i++) core = fmax(core, active[pipes[i]]);
    return (rg_clock_use){core, active[RG_ACTIVE_DRAM]};
}

/* How a curve looks by what one is told: counters, the power at the first probe, and time x clock and power
 * at the others relative to that. */
static void find_features(const forecasting *f, const double *active, const rg_clock_point *probes,
                          double *out)
{
    size_t n = 0;
    for (int i = 0; i < RG_ACTIVE_COUNT; i++) out[n++] = isnan(active[i]) ? 0 : active[i];
    for (size_t i = 0; i < f->probes; i++) {
        const rg_clock_point *p = &probes[i], *top = &probes[0];
        out[n++] = i ? log(p->power_w / top->power_w) : log(p->power_w);
        if (i) out[n++] = log(p->time_s * p->clock_hz / (top->time_s * top->clock_hz));
    }
}

static size_t feature_count(const forecasting *f)
{
    return RG_ACTIVE_COUNT + (f->probes ? 2 * f->probes - 1 : 0);
}

static void fit_law(const forecasting *f, const double *active, const rg_clock_point *probes, fitted *out)
{
    rg_clock_prior prior;
    const rg_device *device = rg_sitting_exam(f->s, 0, 0)->device;
    rg_clock_prior_of(device, f->own.points[f->own.count - 1].clock_hz, use_of(active), &prior);
    rg_clock_law_fit(&prior, probes, f->probes, &out->law);
    find_features(f, active, probes, out->features);
}

/* A known curve has to have been measured at the clocks of the probes, or between such. */
static rg_err fit_known(forecasting *f, const rg_dvfs_curve *c, fitted *out, bool *usable)
{
    rg_clock_point probes[PROBES_MAX];
    double *time = RG_NEW(&f->cx->arena, double, c->count), *power = RG_NEW(&f->cx->arena, double, c->count);
    out->time = RG_NEW(&f->cx->arena, double, f->own.count);
    out->power = RG_NEW(&f->cx->arena, double, f->own.count);
    *usable = true;
    if (!time || !power || !out->time || !out->power) return rg_nomem(f->cx);
    for (size_t i = 0; i < c->count; i++) {
        time[i] = log(c->points[i].time_s * c->points[i].clock_hz);
        power[i] = log(c->points[i].power_w);
    }
    for (size_t i = 0; i < f->probes; i++) {
        double hz = f->own.points[f->at[i]].clock_hz;
        probes[i] = (rg_clock_point){hz, exp(rg_dvfs_between(c, time, hz)) / hz,
                                     exp(rg_dvfs_between(c, power, hz))};
        *usable = *usable && probes[i].time_s > 0 && probes[i].power_w > 0;
    }
    if (!*usable) return RG_OK;
    fit_law(f, c->active, probes, out);
    for (size_t i = 0; i < f->own.count; i++) {
        double hz = f->own.points[i].clock_hz;
        rg_clock_point at = rg_clock_law_at(&out->law, hz);
        out->time[i] = rg_dvfs_between(c, time, hz) - log(hz * at.time_s);
        out->power[i] = rg_dvfs_between(c, power, hz) - log(at.power_w);
        *usable = *usable && !isnan(out->time[i]) && !isnan(out->power[i]);
    }
    return RG_OK;
}

/* A dirty probe of a known curve would be taken for how the kernel is. */
static bool has_probes(const forecasting *f, const rg_dvfs_curve *c)
{
    for (size_t i = 0; i < f->probes; i++)
        for (size_t k = 0; k < c->count; k++)
            if (c->points[k].clock_hz == f->own.points[f->at[i]].clock_hz && isnan(c->points[k].time_s))
                return false;
    return true;
}

static rg_err fit_all_known(forecasting *f)
{
    size_t curves = rg_sitting_curves(f->s);
    f->known = RG_NEW(&f->cx->arena, fitted, curves);
    if (!f->known) return rg_nomem(f->cx);
    for (size_t k = 1; k < curves; k++) {
        rg_dvfs_curve c;
        bool usable = false;
        RG_TRY(rg_dvfs_read(f->cx, f->s, k, &c));
        if (has_probes(f, &c)) RG_TRY(fit_known(f, &c, &f->known[f->known_count], &usable));
        f->known_count += usable;
    }
    return RG_OK;
}

/* weights: NULL where nothing is known. */
static rg_err weigh_known(forecasting *f, const fitted *own, double **weights)
{
    size_t n = f->known_count, d = feature_count(f);
    double *x = RG_NEW(&f->cx->arena, double, n * d + 1);
    rg_gaussian *g;
    *weights = RG_NEW(&f->cx->arena, double, n + 1);
    if (!x || !*weights) return rg_nomem(f->cx);
    for (size_t i = 0; i < n; i++) memcpy(&x[i * d], f->known[i].features, d * sizeof *x);
    RG_TRY(rg_gaussian_fit(f->cx, x, n, d, &g));
    rg_gaussian_weights(g, own->features, *weights);
    return RG_OK;
}

/* What trees see of a curve at clock i of the own one: [1 + feature_count] */
static void put_features(const forecasting *f, size_t i, const double *features, float *out)
{
    out[0] = (float)f->own.points[i].clock_hz;
    for (size_t k = 0; k < feature_count(f); k++) out[1 + k] = (float)features[k];
}

/* Trees over all clocks of the known curves. NULL where nothing is known. */
static rg_err grow_trees(forecasting *f, rg_forest **out)
{
    size_t n = f->known_count, clocks = f->own.count, d = 1 + feature_count(f), rows = 0;
    float *x = RG_NEW(&f->cx->arena, float, n * clocks * d + 1);
    double *y = RG_NEW(&f->cx->arena, double, 2 * n * clocks + 1);
    *out = NULL;
    if (!x || !y) return rg_nomem(f->cx);
    if (n < TREES_FROM) return RG_OK;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < clocks; i++, rows++) {
            put_features(f, i, f->known[k].features, &x[rows * d]);
            y[2 * rows] = f->known[k].time[i];
            y[2 * rows + 1] = f->known[k].power[i];
        }
    return rg_forest_grow(f->cx, x, y, rows, (int)d, 2, 1, out);
}

/* Median over the probes of energy / (power x time). */
static double window_of(const forecasting *f)
{
    double ratios[PROBES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < f->probes; i++) {
        const rg_clock_point *p = &f->own.points[f->at[i]];
        double ratio = f->own.energy_j[f->at[i]] / (p->power_w * p->time_s);
        if (ratio > 0) ratios[n++] = ratio;
    }
    rg_sort_ascending(ratios, n);
    return n ? rg_percentile(ratios, n, 0.5) : 1;
}

/* What the laws of known curves miss at clock i of the own one: logarithms of time and power. */
static void carry_over(const forecasting *f, const fitted *own, const double *weights, const rg_forest *trees,
                       size_t i, double out[2])
{
    double said[2];
    float z[1 + FEATURES];
    out[0] = out[1] = 0;
    for (size_t k = 0; k < f->known_count; k++) {
        out[0] += weights[k] * f->known[k].time[i];
        out[1] += weights[k] * f->known[k].power[i];
    }
    if (!trees) return;
    put_features(f, i, own->features, z);
    rg_forest_at(trees, z, said);
    for (int q = 0; q < 2; q++) out[q] = (out[q] + said[q]) / 2;
}

static rg_err forecast(rg_ctx *cx, rg_sitting *s, double (*out)[RG_JUDGE_QUANTITIES])
{
    forecasting f = {.cx = cx, .s = s};
    rg_clock_point probes[PROBES_MAX];
    fitted own;
    double *weights = NULL;
    rg_forest *trees = NULL;
    if (rg_sitting_probes(s) > PROBES_MAX)
        return rg_fail(cx, RG_USAGE, "--probes: %d are more than %d", rg_sitting_probes(s), PROBES_MAX);
    RG_TRY(rg_dvfs_read(cx, s, 0, &f.own));
    f.probes = rg_dvfs_probe(s, &f.own, f.at);
    for (size_t i = 0; i < f.probes; i++) probes[i] = f.own.points[f.at[i]];
    fit_law(&f, f.own.active, probes, &own);
    RG_TRY(fit_all_known(&f));
    RG_TRY(weigh_known(&f, &own, &weights));
    RG_TRY(grow_trees(&f, &trees));
    double window = window_of(&f);
    for (size_t i = 0; i < f.own.count; i++) {
        rg_clock_point at = rg_clock_law_at(&own.law, f.own.points[i].clock_hz);
        double missed[2], *to = out[f.own.settings[i]];
        carry_over(&f, &own, weights, trees, i, missed);
        to[RG_DVFS_POWER] = at.power_w * exp(missed[1]);
        if (!f.probes) continue;
        to[RG_DVFS_TIME] = at.time_s * exp(missed[0]);
        to[RG_DVFS_ENERGY] = to[RG_DVFS_TIME] * to[RG_DVFS_POWER] * window;
    }
    return RG_OK;
}

/* ---- the kind ---- */

/* A clock that was set: rows of a processor under some load tell the one that it then had. */
static bool has_clock(const rg_exam *exam)
{
    return rg_exam_real(exam, "sm_mhz") > 0 && isnan(extra_of(exam, "load_pct"));
}

static rg_err clean(rg_ctx *cx, const rg_exam *exams, rg_verdict *const *rows, size_t count,
                    const char **note)
{
    rg_sweep_run *runs = RG_NEW(&cx->arena, rg_sweep_run, count + 1);
    const char **why = RG_NEW(&cx->arena, const char *, count + 1);
    if (!runs || !why) return rg_nomem(cx);
    for (size_t i = 0; i < count; i++)
        runs[i] = (rg_sweep_run){rg_exam_real(&exams[i], "sm_mhz") * 1e6, rows[i]->measured[RG_DVFS_TIME],
                                 rows[i]->measured[RG_DVFS_POWER], extra_of(&exams[i], "run_order")};
    RG_TRY(rg_sweep_clean(cx, runs, count, why, note));
    for (size_t i = 0; i < count; i++) rows[i]->dirty = why[i];
    return RG_OK;
}

RG_JUDGE(dvfs) = {
    .name = "dvfs", .brief = "Kernels and whole jobs over the core clock",
    .columns = {"device", "model", "task", "batch", "precision", "sm_mhz", "mem_mhz", "extra"},
    .has = has_clock,
    .device = "device", .family = "model", .finer = {"task"}, .any_device = true,
    .quantities = {[RG_DVFS_TIME] = {"latency", "latency_s", 1, RG_UNIT_SECOND},
                   [RG_DVFS_POWER] = {"power", "power_w", 1, RG_UNIT_WATT},
                   [RG_DVFS_ENERGY] = {"energy", "energy_j", 1, RG_UNIT_JOULE}},
    .curve = forecast, .curve_by = {"device", "model", "task", "batch", "precision", "mem_mhz"},
    .setting = "sm_mhz", .time = RG_DVFS_TIME, .energy = RG_DVFS_ENERGY, .clean = clean,
    .baselines = {
        {"fgcs", "power by the published formula of FGCS 2023, time as 1 / f", rg_dvfs_fgcs, NULL},
        {"polynomial", "polynomial of degree 2 in clock and counters", rg_dvfs_polynomial, NULL},
        {"bayesian-linear", "Bayesian linear regression on clock and counters", rg_dvfs_linear, NULL},
        {"forest", "extremely randomized trees on clock and counters", rg_dvfs_forest, NULL},
        {"xgboost", "boosted trees on clock and counters", rg_dvfs_xgboost, rg_dvfs_xgboost_ready},
    },
};
