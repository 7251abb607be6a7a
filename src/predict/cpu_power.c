/* cpu_power.c - the power of a processor's package from its load.
 *
 *     P = P_idle + P_awake A u + P_core g (B1 + S B2)  <= cap
 *     f = f_min + (1 - f_min) (b - 0.32) / (0.62 - 0.32), from f_min to 1
 *                                         share of the clock of all cores; b: how busy a thread is
 *     g = f V(f)^2                        dynamic power goes as C V^2 f
 *     A = 1 - (1 - b)^min(n, 8)           some of n threads is awake
 *     B1 = (n1 - n2) b + n2 (1 - (1 - b)^2)   cores with something to do; n2 of n1 have two threads
 *     B2 = n2 b^2                         cores whose second thread is at work beside the first
 *
 * Threads go to cores without one first. f is the mean of what three governors did (below): they raise it
 * later and more steeply than schedutil's 1.25 b. u is g where cache and fabric run on the clock of the
 * cores, as a last cache that all cores share does, and 1 where clusters of cores are joined by a fabric of
 * its own clock: it wakes as a whole.
 *
 *     P_core = C f V^2,  C = 0.1 nF for each nanometre that the process is named by
 *
 * The capacitance of gates and wires goes as their size. 0.1 nF, and what a second thread adds, are stated
 * priors: fitted on all but one of three processors of 5, 14 and 22 nm (codecarbon's loads against RAPL), the
 * first is 0.06 to 0.11. What remains is in doc/evaluate.md.
 */
#include "predict/cpu_power.h"

#include <math.h>

/* How busy threads are where a governor begins to raise the clock, and where it has raised it to the highest:
 * means of the same three processors, whose clocks leave the lowest at 0.2, 0.3 and 0.45 and are the highest
 * from 0.5, 0.66 and 0.71 on. */
#define GOVERNOR_FROM 0.32
#define GOVERNOR_TO 0.62
/* Threads that are awake at times of their own: those of a load begin together. Against all of n it is nearer
 * on the processor of 32 threads and no worse on that of 16. */
#define APART 8.0
#define CORE_F_PER_NM 0.1e-9    /* as above: scalar floating-point loops */
#define SECOND_THREAD 0.15      /* assumed: what it adds to a core's power */
/* Shares of the design power where nothing else is known: idle and full load are the means of the same three
 * processors, 0.08 to 0.24 and 0.53 to 0.93; awake is the share that profiles of CPUs assume for active_w.
 */
#define IDLE_SHARE 0.17
#define AWAKE_SHARE 0.135
#define FULL_SHARE 0.72
#define SLOWEST 0.4             /* lowest clock and its voltage, of the highest: data/cpu/cores.json */
#define SLOWEST_VOLTAGE (0.75 / 1.1)

/* ---- the law ---- */

/* g */
static double dynamic(const rg_cpu_package *p, double busy)
{
    double slope = 1 - p->slowest, way = (busy - GOVERNOR_FROM) / (GOVERNOR_TO - GOVERNOR_FROM);
    double f = p->slowest + slope * fmin(fmax(way, 0), 1);
    double v = slope > 0 ? 1 - (1 - p->slowest_voltage) * (1 - f) / slope : 1;
    return f * v * v;
}

enum { IDLE, AWAKE, CORES, TERMS };

/* Its terms, whatever the cap; their sum. */
static double terms(const rg_cpu_package *p, rg_cpu_load load, double out[TERMS])
{
    double n = fmin(fmax(load.threads, 0), p->threads), b = fmin(fmax(load.busy, 0), 1);
    double one = fmin(n, p->cores), two = n - one;
    double g = dynamic(p, b), awake = 1 - pow(1 - b, fmin(n, APART));
    double first = (one - two) * b + two * (1 - (1 - b) * (1 - b)), second = two * b * b;
    out[IDLE] = p->idle_w;
    out[AWAKE] = p->awake_w * awake * (p->own_fabric ? 1 : g);
    out[CORES] = p->core_w * g * (first + SECOND_THREAD * second);
    return out[IDLE] + out[AWAKE] + out[CORES];
}

double rg_cpu_power_w(const rg_cpu_package *package, rg_cpu_load load)
{
    double w[TERMS];
    return fmin(terms(package, load, w), package->cap_w);
}

/* ---- a package ---- */

rg_cpu_package rg_cpu_package_rated(double tdp_w, double threads)
{
    double cores = fmax(1, threads / 2);
    double load = cores + SECOND_THREAD * (threads - cores);
    return (rg_cpu_package){
        .idle_w = IDLE_SHARE * tdp_w, .awake_w = AWAKE_SHARE * tdp_w, .cap_w = tdp_w,
        .core_w = (FULL_SHARE - IDLE_SHARE - AWAKE_SHARE) * tdp_w / load,
        .cores = cores, .threads = threads, .slowest = SLOWEST, .slowest_voltage = SLOWEST_VOLTAGE,
    };
}

/* The clock that peaks are stated at is that of all cores. */
static double all_core_hz(const rg_device *d, size_t engine)
{
    for (size_t i = 0; i < d->peak_count; i++)
        if (d->peaks[i].engine == (int)engine && d->peaks[i].at_clock_hz > 0) return d->peaks[i].at_clock_hz;
    return d->engines[engine].clock_max_hz;
}

/* Caches in front of main memory: the last one belongs to clusters, of which there are several. */
static bool has_own_fabric(const rg_device *d)
{
    const rg_level *last = d->level_count > 1 ? &d->levels[d->level_count - 2] : NULL;
    return last && last->scope == RG_SCOPE_CLUSTER && last->count > 1;
}

/* f V^2 of the highest clock that is left at this one: active_w holds at the highest. */
static double step_down(const rg_device *d, double clock_hz)
{
    double top_hz = rg_device_clock_max(d);
    double v = rg_device_voltage(d, clock_hz) / rg_device_voltage(d, top_hz);
    return clock_hz / top_hz * v * v;
}

rg_err rg_cpu_package_of(rg_ctx *cx, const rg_device *device, rg_cpu_package *out)
{
    double node_nm, cores = 0, threads = 0, core_w = 0;
    if (device->kind != RG_DEVICE_CPU)
        return rg_fail(cx, RG_UNSUPPORTED, "%s is no CPU, but a %s", device->id,
                       rg_device_kind_name(device->kind));
    RG_TRY(rg_cpu_node(cx, device->architecture, &node_nm));
    for (size_t i = 0; i < device->engine_count; i++) {
        const rg_engine *e = &device->engines[i];
        double hz = all_core_hz(device, i), volt = rg_device_voltage(device, hz);
        cores += e->count;
        threads += e->count * fmax(e->threads, 1);
        core_w += e->count * CORE_F_PER_NM * node_nm * hz * volt * volt;
    }
    *out = rg_cpu_package_rated(device->cap_w, threads);
    double hz = all_core_hz(device, 0), slowest_hz = device->vf_count ? device->vf[0].clock_hz : 0;
    if (slowest_hz > 0 && slowest_hz < hz) {
        out->slowest = slowest_hz / hz;
        out->slowest_voltage = rg_device_voltage(device, slowest_hz) / rg_device_voltage(device, hz);
    }
    out->idle_w = device->idle_w;
    if (device->active_w > 0) out->awake_w = device->active_w * step_down(device, hz);
    out->core_w *= out->cores / cores; /* as many cores as there are share it */
    out->cores = cores;
    out->threads = threads;
    out->own_fabric = has_own_fabric(device);
    if (node_nm > 0 && device->vf_count) out->core_w = core_w / cores;
    return RG_OK;
}

/* ---- readings ---- */

/* Two readings against three unknowns, the logarithms of what the terms are to be multiplied by: the rest
 * comes from what is known without a reading, so the fit is the maximum a posteriori,
 *
 *     min  sum_i ((ln P(x) - ln P_i) / SCATTER)^2 + sum_k (x_k / spread_k)^2       d ln P / d x_k = P_k / P
 *
 * by Gauss's and Newton's steps, each of them the readings one after the other, as Kalman has it: that
 * divides by numbers alone.
 */
#define SCATTER 0.01 /* of a reading repeated; the same as of clock_law.c */
enum { STEPS = 40 };

/* Of what profiles say: idle as in clock_law.c; what being awake draws is assumed in all of them, within a
 * factor of two; cores as the nanofarads that fit each of three processors scatter about 0.1. */
static const double spreads[TERMS] = {[IDLE] = 0.3, [AWAKE] = 0.7, [CORES] = 0.3};

static rg_cpu_package moved(const rg_cpu_package *p, const double x[TERMS])
{
    rg_cpu_package out = *p;
    out.idle_w *= exp(x[IDLE]);
    out.awake_w *= exp(x[AWAKE]);
    out.core_w *= exp(x[CORES]);
    return out;
}

/* One reading more: the mean and covariance that it leaves, with the law straight about x. */
static void hear(const rg_cpu_package *prior, const rg_cpu_reading *reading, const double x[TERMS],
                 double mean[TERMS], double covariance[TERMS][TERMS])
{
    rg_cpu_package p = moved(prior, x);
    double slope[TERMS], moves[TERMS] = {0}, variance = SCATTER * SCATTER;
    double watt = terms(&p, reading->load, slope), off = log(reading->power_w / watt);
    for (int i = 0; i < TERMS; i++) {
        slope[i] /= watt;
        off -= slope[i] * (mean[i] - x[i]);
    }
    for (int i = 0; i < TERMS; i++) {
        for (int k = 0; k < TERMS; k++) moves[i] += covariance[i][k] * slope[k];
        variance += slope[i] * moves[i];
    }
    for (int i = 0; i < TERMS; i++) {
        mean[i] += moves[i] * off / variance;
        for (int k = 0; k < TERMS; k++) covariance[i][k] -= moves[i] * moves[k] / variance;
    }
}

/* Where a reading would be above the cap, it shows the cap: it says nothing of what lies below. */
static bool shows_cap(const rg_cpu_package *p, const rg_cpu_reading *reading)
{
    double w[TERMS];
    return terms(p, reading->load, w) >= p->cap_w;
}

void rg_cpu_package_fit(rg_cpu_package *package, const rg_cpu_reading *readings, size_t count)
{
    double x[TERMS] = {0}, cap_w = 0, most_w = 0;
    for (int step = 0; step < STEPS; step++) {
        double mean[TERMS] = {0}, covariance[TERMS][TERMS] = {{0}};
        for (int i = 0; i < TERMS; i++) covariance[i][i] = spreads[i] * spreads[i];
        for (size_t i = 0; i < count; i++)
            if (readings[i].power_w > 0 && !shows_cap(package, &readings[i]))
                hear(package, &readings[i], x, mean, covariance);
        for (int i = 0; i < TERMS; i++) x[i] = (x[i] + mean[i]) / 2; /* halfway: the law is curved */
    }
    for (size_t i = 0; i < count; i++) {
        most_w = fmax(most_w, readings[i].power_w);
        if (shows_cap(package, &readings[i])) cap_w = fmax(cap_w, readings[i].power_w);
    }
    *package = moved(package, x);
    package->cap_w = fmax(cap_w > 0 ? cap_w : package->cap_w, most_w);
}
