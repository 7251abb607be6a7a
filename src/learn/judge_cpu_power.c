/* judge_cpu_power.c - the power of processors under load, as RAPL counts it for the package: threads that
 * compute, either some of them all the time or all of them for a share of it.
 *
 * `extra` holds key=value pairs. Load and cores_used (threads that were started, or all there are) say what
 * was run, and they alone are read; the pairs beside them were measured.
 */
#include "learn/evaluate.h"
#include "predict/cpu_power.h"

#include <math.h>

/* "load_pct=40.3;cores_used=16;...": NAN where there is no such key. */
static double pair(const rg_exam *exam, const char *key)
{
    rg_str rest = rg_exam_text(exam, "extra"), one, name;
    double x;
    while (rg_str_cut(&rest, ';', &one))
        if (rg_str_cut(&one, '=', &name) && rg_str_is(name, key)) return rg_str_real(one, &x) ? x : NAN;
    return NAN;
}

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

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    rg_cpu_package package;
    RG_TRY(find_package(cx, exam, &package));
    out[0] = rg_cpu_power_w(&package, load_of(exam, &package));
    return RG_OK;
}

RG_JUDGE(cpu_power) = {
    .name = "cpu_power", .brief = "Processors under load: power of the package",
    .columns = {"device", "model", "extra"}, .has = has_load,
    .device = "device", .family = "model", .any_device = true,
    .quantities = {{"power", "power_w", 1, RG_UNIT_WATT}},
    .forecast = forecast,
};
