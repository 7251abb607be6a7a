/* clock_law.c - time, power and energy over the core clock.
 *
 *     T(f) = fixed + sqrt((core f0 / f)^2 + (memory g(f))^2)
 *     P(f) = idle + active (f / f0) v2 + (core_j v2 + memory_j) / T(f)          E = P T
 *     v2 = (V(f) / V(f0))^(2 swing)           g: rg_device_pace, over that at f0; 1 for what nobody counted
 *
 * The terms of energy.c, for a run whose operators nobody knows. Ten unknowns against two figures a probe:
 * the rest comes from a prior, so the fit is the maximum a posteriori, by Levenberg and Marquardt with
 * Huber's weights, that one odd probe does not bend the curve:
 *
 *     min  sum h((ln T - ln T_i) / s) + sum h((ln P - ln P_i) / s) + sum ((x - mean) / spread)^2
 *
 * A board may not run at a clock below those that it is meant for, whatever was set: every kernel then takes
 * longer than even the clock explains. So the lowest of several probes has the clock f e^drag, and what drag
 * costs grows straight: it is nought, or as large as it has to be.
 *
 * Three probes say how ln P bends, too, and a parabola through them is another law, with no corner where that
 * of voltages is but customary. The answer is the geometric mean of both, and the law's alone as far as the
 * lowest clock was not had:
 *
 *     P = P_law^(1 - s) e^(s parabola(f))        s = e^(-(drag / spread)^2 / 2) / 2
 *
 * Of time it is no better: that the law is sure of.
 */
#include "predict/clock_law.h"

#include <math.h>
#include <string.h>

/* Of the norm that joins core and memory: 1 would be no overlap, infinity all of it. Batched products of
 * NeuSight (MIT licence), whose reduction is short or long, are met best by 2 on V100, 2.5 on P4 and P100 and
 * 3 on T4; dense layers by 1.8 on V100 and 2.5 on T4, by 1.3 on P100 and A100. */
#define OVERLAP 2.0
/* Scatter of a repeated measurement in logarithms, and where Huber's loss turns straight (1.345 has 95 % of
 * the efficiency of least squares: Huber 1981). */
#define SCATTER 0.01
#define HUBER 1.345
/* The share of cycles in which main memory moves data that can be had: "in practice", DCGM's user guide says
 * of its field 1005. */
#define MEMORY_PEAK 0.8
/* Memory's share of the time at most: a counter does not tell a run that waits for memory alone from one that
 * waits for caches beside it, and if the core had nothing to do the lowest clock would cost nothing (assumed:
 * one part in ten). */
#define MEMORY_MOST 0.9

/* Of the customary supply: flat, then up as a square. Published clocks and voltages are hollow upwards (RTX
 * 2060: 0.718 V at rest, 0.862 V at 1620 MHz, 1.068 V at 1920 MHz; TechPowerUp): a square through them begins
 * at 0.63 of 1.71 GHz, and 0.79 of the voltage there is flat. The watts of ai-inference-energy's sweeps (MIT
 * licence) say 0.65, 0.60 and 0.54 on V100, A100 and H100, and 0.79, 0.66 and 0.72. */
#define FLAT_CLOCK 0.62
#define FLAT_VOLTAGE 0.75
#define RISEN 0.05 /* of the whole rise: a curve has begun to */

static double curve(const rg_device *device, double top_hz, double x)
{
    if (device && device->vf_count) return rg_device_voltage(device, x * top_hz) /
                                           rg_device_voltage(device, top_hz);
    double rise = fmax(x - FLAT_CLOCK, 0) / (1 - FLAT_CLOCK);
    return FLAT_VOLTAGE + (1 - FLAT_VOLTAGE) * rise * rise;
}

/* Where the curve begins to rise, as a share of the highest clock. */
static double begin_of(const rg_device *device, double top_hz)
{
    double floor = curve(device, top_hz, 0), low = 0, high = 1;
    if (floor >= 1) return 0.5; /* it is flat */
    for (int i = 0; i < 24; i++) {
        double middle = (low + high) / 2;
        if (curve(device, top_hz, middle) - floor > RISEN * (1 - floor)) high = middle;
        else low = middle;
    }
    return low;
}

double rg_clock_voltage(const rg_device *device, double top_hz, double clock_hz)
{
    return curve(device, top_hz, clock_hz / top_hz);
}

/* The curve with its rise moved, both of its ends kept. */
static double voltage_at(const rg_clock_law *w, double x)
{
    if (w->bend == 0) return curve(w->device, w->top_hz, x);
    double begin = fmin(w->begin * exp(w->bend), 0.98);
    double moved = x < begin ? x * w->begin / begin : 1 - (1 - x) * (1 - w->begin) / (1 - begin);
    return curve(w->device, w->top_hz, moved);
}

/* What main memory's time grows by at a clock, over that at the highest. */
static double slower(const rg_clock_law *w, double clock_hz)
{
    return w->paced ? rg_device_pace(w->device, clock_hz) / rg_device_pace(w->device, w->top_hz) : 1;
}

/* ---- the law ---- */

rg_clock_point rg_clock_law_at(const rg_clock_law *w, double clock_hz)
{
    double x = clock_hz / w->top_hz;
    double v2 = pow(voltage_at(w, x), 2 * w->swing);
    double core = w->core_s / x, memory = w->memory_s * slower(w, clock_hz);
    double most = fmax(core, memory), t = w->fixed_s;
    if (most > 0) t += most * pow(pow(core / most, OVERLAP) + pow(memory / most, OVERLAP), 1 / OVERLAP);
    double work = t > 0 ? (w->core_j * v2 + w->memory_j) / t : 0,
           watt = w->idle_w + w->active_w * x * v2 + work;
    double parabola = w->curve[0] + x * (w->curve[1] + x * w->curve[2]);
    if (w->curved > 0) watt = pow(watt, 1 - w->curved) * exp(w->curved * parabola);
    return (rg_clock_point){clock_hz, t, watt};
}

static void law_of(const rg_clock_prior *prior, const double *u, rg_clock_law *out)
{
    double t = exp(u[RG_LAW_TIME]), ratio = exp(u[RG_LAW_CORE]);
    double fixed = 1 / (1 + exp(-u[RG_LAW_FIXED]));
    double memory_s = (1 - fixed) * t / pow(pow(ratio, OVERLAP) + 1, 1 / OVERLAP);
    double active = exp(u[RG_LAW_ACTIVE]), memory = exp(u[RG_LAW_MEMORY]);
    double watt = exp(u[RG_LAW_POWER]) / (1 + active + memory);
    *out = (rg_clock_law){
        .device = prior->device, .top_hz = prior->top_hz, .core_s = ratio * memory_s, .memory_s = memory_s,
        .fixed_s = fixed * t, .idle_w = exp(u[RG_LAW_IDLE]), .active_w = watt * active, .core_j = watt * t,
        .memory_j = watt * memory * t, .swing = exp(u[RG_LAW_SWING]),
        .begin = prior->begin, .paced = prior->paced, .bend = u[RG_LAW_BEND],
    };
}

/* ---- the prior ---- */

/* Of work that nobody counted, as whole jobs on V100, A100 and H100 are (ai-inference-energy sweeps, MIT
 * licence: 8 curves). ln (core_s / memory_s): the median one takes 1.24 times as long at a third of the
 * highest clock, as 0.27 of the core's time does; whichever device is left out, the error is the same within
 * a tenth from 0.16 to 0.3. And of what a busy board takes above idle they take a quarter, the geometric
 * mean, as they wait for much else.
 */
#define JOB_CORE (-1.3)
#define JOB_BUSY 0.25
/* What waits for neither, of the time. Jobs: assumed; kernels in a row hide their launches but for the gaps
 * (assumed). */
#define JOB_FIXED 0.05
#define KERNEL_FIXED 0.005

/* Watts of a busy board where no profile says them: idle 1/8 of the cap, clock tree and leakage 1/3, as the
 * profiles that state them have on average. */
#define CUSTOMARY_CAP 250.0

static void power_prior(const rg_device *d, rg_clock_use use, rg_clock_prior *out)
{
    double cap = d && d->cap_w > 0 ? d->cap_w : CUSTOMARY_CAP;
    double idle = d && d->idle_w > 0 ? d->idle_w : cap / 8,
           active = d && d->active_w > 0 ? d->active_w : cap / 3;
    double core = isnan(use.core) ? 0.5 : use.core, memory = isnan(use.memory) ? 0.5 : use.memory;
    /* what is left of the cap is drawn when arithmetic and memory are both busy, half by each */
    double room = fmax(cap - idle - active, cap / 4) / 2;
    double core_w = room * fmax(core, 0.1), memory_w = room * fmax(memory, 0.02);
    out->mean[RG_LAW_IDLE] = log(idle);
    out->mean[RG_LAW_POWER] = log(active + core_w + memory_w);
    out->mean[RG_LAW_ACTIVE] = log(active / core_w);
    out->mean[RG_LAW_MEMORY] = log(memory_w / core_w);
}

void rg_clock_prior_of(const rg_device *device, double top_hz, rg_clock_use use, rg_clock_prior *out)
{
    bool known = !isnan(use.core) && !isnan(use.memory);
    *out = (rg_clock_prior){.device = device, .top_hz = top_hz > 0 ? top_hz : rg_device_clock_max(device)};
    out->begin = begin_of(device, out->top_hz);
    out->paced = known && device; /* of jobs most of what does not go with the clock is not memory either */
    power_prior(device, use, out);
    /* the core takes what memory leaves of the norm, and what its pipes are seen to do while memory works */
    double memory = fmin(fmax(known ? use.memory / MEMORY_PEAK : 0.5, 0.01), MEMORY_MOST);
    double left = pow(1 - pow(memory, OVERLAP), 1 / OVERLAP);
    double core = pow(pow(left, OVERLAP) + pow(known ? use.core : 0, OVERLAP), 1 / OVERLAP);
    out->mean[RG_LAW_CORE] = known ? log(core / memory) : JOB_CORE;
    double fixed = known ? KERNEL_FIXED : JOB_FIXED;
    out->mean[RG_LAW_FIXED] = log(fixed / (1 - fixed));
    static const double spread[] = {
        [RG_LAW_TIME] = 10, [RG_LAW_CORE] = 1, [RG_LAW_FIXED] = 1, [RG_LAW_POWER] = 1,
        /* of the sweeps above 0.2 to 0.5 are alike, 0.1 is worse */
        [RG_LAW_IDLE] = 0.3, [RG_LAW_ACTIVE] = 0.5, [RG_LAW_MEMORY] = 0.7, [RG_LAW_SWING] = 0.2,
        /* what the beginnings above scatter by; a clock is had as it is set, within its steps */
        [RG_LAW_BEND] = 0.08, [RG_LAW_DRAG] = 0.05,
    };
    memcpy(out->spread, spread, sizeof spread);
    if (!known) out->mean[RG_LAW_POWER] += log(JOB_BUSY);
    if (!device || !(device->idle_w > 0)) out->spread[RG_LAW_IDLE] = 0.5;
}

/* ---- the fit ---- */

enum { PROBES_MAX = 64, RESIDUALS = 2 * PROBES_MAX + RG_LAW_UNKNOWNS, STEPS = 60 };

typedef struct fitting {
    const rg_clock_prior *prior;
    const rg_clock_point *probes; size_t count;
    size_t lowest;               /* of several; SIZE_MAX: there is but one */
} fitting;

/* Huber's loss as a square: |h|^2 is its value. */
static double blunt(double x)
{
    double size = fabs(x);
    return size <= HUBER ? x : copysign(sqrt(HUBER * (2 * size - HUBER)), x);
}

static int residuals(const fitting *f, const double *u, double *out)
{
    rg_clock_law law;
    int n = 0;
    law_of(f->prior, u, &law);
    for (size_t i = 0; i < f->count; i++) {
        const rg_clock_point *p = &f->probes[i];
        double had_hz = p->clock_hz * (i == f->lowest ? exp(u[RG_LAW_DRAG]) : 1);
        rg_clock_point at = rg_clock_law_at(&law, had_hz);
        out[n++] = p->time_s > 0 ? blunt(log(at.time_s / p->time_s) / SCATTER) : 0;
        out[n++] = p->power_w > 0 ? blunt(log(at.power_w / p->power_w) / SCATTER) : 0;
    }
    for (int i = 0; i < RG_LAW_UNKNOWNS; i++) {
        double off = (u[i] - f->prior->mean[i]) / f->prior->spread[i];
        out[n++] = i == RG_LAW_DRAG && off < 0 ? blunt(off) : off;
    }
    return n;
}

static double squares(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    return sum;
}

/* a x = b, a symmetric and positive: Cholesky, in place. */
static void solve(double a[RG_LAW_UNKNOWNS][RG_LAW_UNKNOWNS], double *b)
{
    for (int i = 0; i < RG_LAW_UNKNOWNS; i++) {
        for (int k = 0; k <= i; k++) {
            double sum = a[i][k];
            for (int m = 0; m < k; m++) sum -= a[i][m] * a[k][m];
            a[i][k] = k < i ? sum / a[k][k] : sqrt(fmax(sum, 1e-12));
        }
        for (int m = 0; m < i; m++) b[i] -= a[i][m] * b[m];
        b[i] /= a[i][i];
    }
    for (int i = RG_LAW_UNKNOWNS - 1; i >= 0; i--) {
        for (int m = i + 1; m < RG_LAW_UNKNOWNS; m++) b[i] -= a[m][i] * b[m];
        b[i] /= a[i][i];
    }
}

/* One damped step from u: J^T J + damping diag(J^T J). False: nothing got better. */
static bool step(const fitting *f, double *u, double *damping)
{
    enum { N = RG_LAW_UNKNOWNS };
    double r[RESIDUALS], moved[RESIDUALS], jacobian[N][RESIDUALS], normal[N][N], next[N], slope[N];
    const double small = 1e-6;
    int n = residuals(f, u, r);
    for (int i = 0; i < N; i++) {
        memcpy(next, u, sizeof next);
        next[i] += small;
        residuals(f, next, moved);
        for (int k = 0; k < n; k++) jacobian[i][k] = (moved[k] - r[k]) / small;
    }
    for (int tries = 0; tries < 8; tries++) {
        for (int i = 0; i < N; i++) {
            slope[i] = 0;
            for (int k = 0; k < n; k++) slope[i] -= jacobian[i][k] * r[k];
            for (int m = 0; m < N; m++) {
                normal[i][m] = 0;
                for (int k = 0; k < n; k++) normal[i][m] += jacobian[i][k] * jacobian[m][k];
            }
            normal[i][i] *= 1 + *damping;
        }
        solve(normal, slope);
        double longest = 0;
        for (int i = 0; i < N; i++) longest = fmax(longest, fabs(slope[i]));
        for (int i = 0; i < N; i++) next[i] = u[i] + slope[i] / fmax(longest, 1);
        residuals(f, next, moved);
        double before = squares(r, n), after = squares(moved, n);
        if (after < before) {
            memcpy(u, next, sizeof next);
            *damping = fmax(*damping / 10, 1e-9);
            return before - after > 1e-9 * before;
        }
        *damping *= 10;
    }
    return false;
}

/* Through ln P of three probes at clocks of their own, by Newton's divided differences; drag: of the lowest.
 */
static void bend_power(const fitting *f, double drag, rg_clock_law *law)
{
    double x[3], y[3], off = drag / f->prior->spread[RG_LAW_DRAG];
    if (f->count != 3) return;
    for (size_t i = 0; i < 3; i++) {
        x[i] = f->probes[i].clock_hz / f->prior->top_hz * (i == f->lowest ? exp(drag) : 1);
        y[i] = log(f->probes[i].power_w);
    }
    double first = (y[1] - y[0]) / (x[1] - x[0]), second = (y[2] - y[1]) / (x[2] - x[1]);
    double c = (second - first) / (x[2] - x[0]), b = first - c * (x[0] + x[1]);
    if (!isfinite(c)) return; /* a power that was not measured, or a clock twice */
    law->curve[0] = y[0] - x[0] * (b + c * x[0]);
    law->curve[1] = b;
    law->curve[2] = c;
    law->curved = exp(-off * off / 2) / 2;
}

void rg_clock_law_fit(const rg_clock_prior *prior, const rg_clock_point *probes, size_t count,
                      rg_clock_law *out)
{
    rg_clock_prior p = *prior;
    fitting f = {&p, probes, count < PROBES_MAX ? count : PROBES_MAX, count > 1 ? 0 : SIZE_MAX};
    /* a run that is all core or all memory may have a valley of its own */
    static const double starts[] = {0, -2, 2};
    double u[RG_LAW_UNKNOWNS], best[RG_LAW_UNKNOWNS], r[RESIDUALS], least = INFINITY, highest_hz = 0;
    for (size_t i = 0; i < f.count; i++) {
        if (count > 1 && probes[i].clock_hz < probes[f.lowest].clock_hz) f.lowest = i;
        if (!(probes[i].time_s > 0) || probes[i].clock_hz <= highest_hz) continue;
        highest_hz = probes[i].clock_hz;
        p.mean[RG_LAW_TIME] = log(probes[i].time_s); /* where to begin; its spread says nothing of it */
    }
    memcpy(best, p.mean, sizeof best);
    for (size_t k = 0; k < RG_COUNT(starts) && f.count; k++) {
        double damping = 1e-3;
        memcpy(u, p.mean, sizeof u);
        u[RG_LAW_CORE] += starts[k] * p.spread[RG_LAW_CORE];
        for (int i = 0; i < STEPS && step(&f, u, &damping); i++) {}
        double cost = squares(r, residuals(&f, u, r));
        if (cost < least) least = cost, memcpy(best, u, sizeof best);
    }
    law_of(&p, best, out);
    bend_power(&f, f.lowest < f.count ? best[RG_LAW_DRAG] : 0, out);
}

void rg_clock_prior_from(const rg_clock_law *law, rg_clock_prior *out)
{
    const double least = 1e-6; /* a term that is not there still has a logarithm */
    rg_clock_point top = rg_clock_law_at(law, law->top_hz);
    double core_w = fmax(law->core_j / top.time_s, least * top.power_w);
    double fixed = fmin(fmax(law->fixed_s / top.time_s, least), 1 - least);
    rg_clock_prior_of(law->device, law->top_hz, (rg_clock_use){NAN, NAN}, out);
    out->paced = law->paced;
    out->mean[RG_LAW_TIME] = log(top.time_s);
    out->mean[RG_LAW_CORE] = log(fmax(law->core_s, least * top.time_s)
                                 / fmax(law->memory_s, least * top.time_s));
    out->mean[RG_LAW_FIXED] = log(fixed / (1 - fixed));
    out->mean[RG_LAW_POWER] = log(fmax(top.power_w - law->idle_w, least * top.power_w));
    out->mean[RG_LAW_IDLE] = log(fmax(law->idle_w, least * top.power_w));
    out->mean[RG_LAW_ACTIVE] = log(fmax(law->active_w, least * core_w) / core_w);
    out->mean[RG_LAW_MEMORY] = log(fmax(law->memory_j / top.time_s, least * core_w) / core_w);
    out->mean[RG_LAW_SWING] = log(law->swing);
    out->mean[RG_LAW_BEND] = law->bend;
}

static double saving(const rg_clock_prior *prior, const rg_clock_point *probes, size_t count, double from_hz,
                     double to_hz)
{
    rg_clock_law law;
    rg_clock_law_fit(prior, probes, count, &law);
    rg_clock_point from = rg_clock_law_at(&law, from_hz), to = rg_clock_law_at(&law, to_hz);
    return to.power_w * to.time_s / (from.power_w * from.time_s);
}

/* Each mean moved by its standard deviation and the law fitted again: the square root of the sum of the
 * squares of what that changes is the standard deviation of the logarithm, as far as all is linear. */
rg_estimate rg_clock_saving(const rg_clock_prior *prior, const rg_clock_point *probes, size_t count,
                            double from_hz, double to_hz)
{
    const double wide = 1.645; /* of a normal distribution, 90 % lie within so many standard deviations */
    double value = saving(prior, probes, count, from_hz, to_hz), variance = 0;
    for (int i = 0; i < RG_LAW_UNKNOWNS; i++) {
        rg_clock_prior moved = *prior;
        /* a ratio does not depend on the first two, nor a law on what one probe had */
        if (i == RG_LAW_TIME || i == RG_LAW_POWER || i == RG_LAW_DRAG) continue;
        moved.mean[i] += moved.spread[i];
        double change = log(saving(&moved, probes, count, from_hz, to_hz) / value);
        variance += change * change;
    }
    double factor = exp(wide * sqrt(variance));
    return (rg_estimate){value, value / factor, value * factor};
}

/* ---- the choice ---- */

const char *rg_clock_goal_name(rg_clock_goal goal)
{
    static const char *const names[] = {"edp", "ed2p", "energy"};
    return names[goal];
}

size_t rg_clock_choose(rg_clock_goal goal, const rg_clock_point *points, size_t count, double slowdown,
                       double cap_w)
{
    static const double delays[] = {[RG_GOAL_EDP] = 1, [RG_GOAL_ED2P] = 2, [RG_GOAL_ENERGY] = 0};
    double shortest = INFINITY, least = INFINITY;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < count; i++)
        if (!(cap_w > 0 && points[i].power_w > cap_w)) shortest = fmin(shortest, points[i].time_s);
    for (size_t i = 0; i < count; i++) {
        double t = points[i].time_s, cost = points[i].power_w * pow(t, 1 + delays[goal]);
        if ((cap_w > 0 && points[i].power_w > cap_w) || (slowdown >= 0 && t > (1 + slowdown) * shortest))
            continue;
        if (cost < least) least = cost, best = i;
    }
    return best;
}

void rg_clock_front(const rg_clock_point *points, size_t count, bool *out)
{
    for (size_t i = 0; i < count; i++) {
        double t = points[i].time_s, e = t * points[i].power_w;
        out[i] = true;
        for (size_t k = 0; k < count && out[i]; k++) {
            double other_t = points[k].time_s, other_e = other_t * points[k].power_w;
            out[i] = !(other_t <= t && other_e <= e && (other_t < t || other_e < e));
        }
    }
}
