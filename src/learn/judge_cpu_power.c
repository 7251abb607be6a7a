/* judge_cpu_power.c - the power of processors under load, as RAPL counts it for the package: threads that
 * compute, either some of them all the time or all of them for a share of it.
 *
 * `extra` holds key=value pairs. Load and cores_used (threads that were started, or all there are) say what
 * was run, and they alone are read; the pairs beside them were measured. All rows of a processor are a curve:
 * two readings of it settle its idle power and what load adds.
 */
#include "learn/evaluate.h"
#include "predict/cpu_power.h"

#include <math.h>

/* "load_pct=40.3;cores_used=16;...": NAN where there is no such key. */
static double pair(const rg_exam *exam, const char *key) { return rg_exam_pair(exam, "extra", key); }

static bool has_load(const rg_exam *exam)
{
    return pair(exam, "load_pct") >= 0 && pair(exam, "cores_used") >= 0;
}

static bool is_all(const rg_exam *exam) { return rg_str_is(rg_exam_text(exam, "model"), "stress all_cores"); }

/* Threads of a processor that only its name is known of: all that were started, or, where some were, as many
 * as make them the load that was seen. */
static double threads_seen(const rg_exam *exam)
{
    double started = pair(exam, "cores_used"), share = pair(exam, "load_pct") / 100;
    return is_all(exam) ? started : fmax(started, share > 0 ? round(started / share) : 1);
}

static rg_err find_package(rg_ctx *cx, const rg_exam *exam, rg_cpu_package *out)
{
    double tdp_w;
    rg_str name = rg_exam_text(exam, "device");
    if (exam->device) return rg_cpu_package_of(cx, exam->device, out);
    RG_TRY(rg_cpu_tdp(cx, name, &tdp_w));
    if (!(tdp_w > 0))
        return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' has neither a profile nor a known design power",
                       RG_STR(name));
    *out = rg_cpu_package_rated(tdp_w, fmax(1, threads_seen(exam)));
    return RG_OK;
}

static rg_cpu_load load_of(const rg_exam *exam, const rg_cpu_package *package)
{
    if (is_all(exam)) return (rg_cpu_load){package->threads, pair(exam, "load_pct") / 100};
    return (rg_cpu_load){pair(exam, "cores_used"), 1};
}

/* ---- one processor's curve ---- */

/* Above idle, by what is known without a reading. */
static double rise_of(const rg_cpu_package *package, rg_cpu_load load)
{
    rg_cpu_package free = *package;
    free.idle_w = 0, free.cap_w = INFINITY;
    return rg_cpu_power_w(&free, load);
}

/* Of two readings the busier one is not of the most load: there boost clocks are below what few cores have,
 * and the package is at a limit. Where nearly all of the rise is, most loads draw about as much. */
#define BUSIER 0.9

/* And the other is not idle: that a package is awake and how far its clock is down then go unseen. Of all
 * threads at some load the one that is nearest to this. */
#define HARDLY 0.1

/* How far a setting is from what is wanted. */
typedef double distance_of(const rg_cpu_package *package, const rg_exam *exam, double wanted);

static double off_rise(const rg_cpu_package *package, const rg_exam *exam, double wanted)
{
    return fabs(rise_of(package, load_of(exam, package)) - wanted);
}

static double off_load(const rg_cpu_package *package, const rg_exam *exam, double wanted)
{
    rg_cpu_load load = load_of(exam, package);
    return is_all(exam) ? fabs(load.busy - wanted) : 1 + rise_of(package, load); /* the others come last */
}

/* Of clean settings. */
static size_t nearest(const rg_sitting *s, const rg_cpu_package *package, distance_of *off, double wanted)
{
    double apart = INFINITY;
    size_t best = 0;
    for (size_t i = 0; i < rg_sitting_count(s, 0); i++) {
        double x = off(package, rg_sitting_exam(s, 0, i), wanted);
        if (!rg_sitting_dirty(s, 0, i) && x < apart) best = i, apart = x;
    }
    return best;
}

static double most_rise(const rg_sitting *s, const rg_cpu_package *package)
{
    double most = 0;
    for (size_t i = 0; i < rg_sitting_count(s, 0); i++)
        if (!rg_sitting_dirty(s, 0, i))
            most = fmax(most, rise_of(package, load_of(rg_sitting_exam(s, 0, i), package)));
    return most;
}

/* One probe is the highest load: most of an estimate's error is there. */
static void fit(rg_sitting *s, rg_cpu_package *package)
{
    size_t chosen[2], count = 0;
    rg_cpu_reading readings[2];
    double power_w[RG_JUDGE_QUANTITIES];
    int probes = rg_sitting_probes(s);
    chosen[0] = nearest(s, package, off_load, HARDLY);
    chosen[1] = nearest(s, package, off_rise, (probes > 1 ? BUSIER : 1) * most_rise(s, package));
    for (int i = probes > 1 ? 0 : 1; probes > 0 && i < 2; i++)
        if (rg_sitting_measured(s, 0, chosen[i], power_w))
            readings[count++] =
                (rg_cpu_reading){load_of(rg_sitting_exam(s, 0, chosen[i]), package), power_w[0]};
    rg_cpu_package_fit(package, readings, count);
}

static rg_err forecast(rg_ctx *cx, rg_sitting *s, double (*out)[RG_JUDGE_QUANTITIES])
{
    rg_cpu_package package;
    size_t fullest = 0, count = rg_sitting_count(s, 0);
    for (size_t i = 1; i < count; i++)
        if (threads_seen(rg_sitting_exam(s, 0, i)) > threads_seen(rg_sitting_exam(s, 0, fullest)))
            fullest = i;
    RG_TRY(find_package(cx, rg_sitting_exam(s, 0, fullest), &package));
    fit(s, &package);
    for (size_t i = 0; i < count; i++)
        out[i][0] = rg_cpu_power_w(&package, load_of(rg_sitting_exam(s, 0, i), &package));
    return RG_OK;
}

/* ---- counters that add what they have counted already ---- */

#define TWICE 1.5 /* between once and twice */
#define NEXT_RUN 0.5 /* load falls by half of all from the end of one run to the beginning of the next */

/* Runs are one after the other in the file, each from idle to full. Some counters' readers add the cores to
 * the package that they are a part of. Where two runs of one processor end far apart, the higher is such. */
static rg_err clean(rg_ctx *cx, const rg_exam *exams, rg_verdict *const *rows, size_t count,
                    const char **note)
{
    double *most = RG_NEW(&cx->arena, double, count + 1), least = INFINITY; /* by row: of its run */
    size_t begin = 0;
    *note = NULL;
    if (!most) return rg_nomem(cx);
    for (size_t i = 0; i <= count; i++) {
        bool ends = i == count || (i > 0 && pair(&exams[i], "load_pct") / 100 + NEXT_RUN <
                                               pair(&exams[i - 1], "load_pct") / 100);
        if (!ends) continue;
        double top = 0;
        for (size_t k = begin; k < i; k++) top = fmax(top, rows[k]->measured[0]);
        for (size_t k = begin; k < i; k++) most[k] = top;
        if (i > begin) least = fmin(least, top);
        begin = i;
    }
    for (size_t i = 0; i < count; i++)
        if (most[i] > TWICE * least)
            rows[i]->dirty = "cores counted beside the package that they are a part of";
    return RG_OK;
}

RG_JUDGE(cpu_power) = {
    .name = "cpu_power", .brief = "Processors under load: power of the package",
    .columns = {"device", "model", "extra"}, .has = has_load,
    .device = "device", .family = "model", .any_device = true,
    .quantities = {{"power", "power_w", 1, RG_UNIT_WATT}},
    .curve = forecast, .curve_by = {"device"}, .clean = clean,
};
