/* energy.c - where the joules go, and the clock that the power cap leaves.
 *
 *     E = Σ op·e_op·v² + Σ byte·e_level·v² (main memory: its own supply, no v²) + P_idle·t + P_active·(f/f0)·v²·t_work
 *     v = V(f) / V(f0)          f0: the highest clock
 *     P = E / t <= cap          solved for f: latency and power are one model
 *
 * P_active is what clock trees and leakage of running engines add whatever they compute (profile: power.active_w).
 */
#include "predict/predict.h"

#include <math.h>

static double relative_voltage(const rg_device *device, double clock_hz)
{
    double top = rg_device_voltage(device, rg_device_clock_max(device));
    return top > 0 ? rg_device_voltage(device, clock_hz) / top : 1;
}

/* A type that the profile has no energy for costs as f32 in proportion to its bits. */
static double joule_per_op(const rg_device *device, rg_hw_dtype dtype)
{
    double pj = device->pj_per_op[dtype];
    if (pj <= 0) pj = device->pj_per_op[RG_HW_F32] * rg_hw_dtype_bits(dtype) / 32;
    return pj * 1e-12;
}

void rg_energy_row(const rg_plan *plan, const rg_row *row, double clock_hz, rg_row_cost *cost)
{
    const rg_device *device = plan->device;
    const rg_work *w = &row->work;
    double v = relative_voltage(device, clock_hz), v2 = v * v, times = cost->latency_s > 0 ? cost->total_s / cost->latency_s : 0;
    rg_hw_dtype others = row->peak->unit == RG_MATRIX ? RG_HW_F32 : row->dtype;
    double other_op = fmax(w->flop - 2 * w->mac, 0) + RG_SPECIAL_FLOP * w->special, memory = 0;
    for (int i = 1; i < cost->limit_count; i++) {
        const rg_level *level = &device->levels[i - 1];
        bool main_memory = level == rg_device_memory(device);
        memory += row->tiling.traffic_byte[i - 1] * level->pj_per_byte * 1e-12 * (main_memory ? 1 : v2);
    }
    double work_s = cost->latency_s - cost->terms_s[RG_TERM_LAUNCH];
    double active_w = device->active_w * clock_hz / rg_device_clock_max(device) * v2;
    cost->energy.compute_j = times * v2 * (2 * w->mac * joule_per_op(device, row->dtype) + other_op * joule_per_op(device, others));
    cost->energy.memory_j = times * memory;
    cost->energy.static_j = times * (device->idle_w * cost->latency_s + active_w * work_s);
    cost->energy_j = cost->energy.compute_j + cost->energy.memory_j + cost->energy.static_j;
    cost->power_w = cost->total_s > 0 ? cost->energy_j / cost->total_s : 0;
}

/* Bisection: power rises with the clock, because every dynamic term does and time falls. 1 % of a clock is finer than
 * any P-state. */
void rg_forecast_clock(rg_forecast *f, double core_hz)
{
    const rg_device *device = f->plan->device;
    double top = rg_device_clock_max(device), high = core_hz > 0 ? fmin(core_hz, top) : top, low = high / 20;
    rg_forecast_at(f, high);
    if (f->power_w.value <= device->cap_w || device->cap_w <= 0) return;
    f->capped = true;
    while (high - low > 0.01 * low) {
        double middle = (low + high) / 2;
        rg_forecast_at(f, middle);
        if (f->power_w.value > device->cap_w) high = middle;
        else low = middle;
    }
    rg_forecast_at(f, low);
}

rg_err rg_clock_best(rg_ctx *cx, const double *clock_hz, const double *time_s, const double *energy_j, size_t count,
                     rg_best_clock *out)
{
    *out = (rg_best_clock){0};
    if (count == 0) return rg_fail(cx, RG_INPUT, "no clock to choose from");
    for (size_t i = 0; i < count; i++) {
        if (!(time_s[i] > 0) || !(energy_j[i] > 0))
            return rg_fail(cx, RG_INPUT, "at %.4g Hz: time %g s and energy %g J must both be above 0", clock_hz[i], time_s[i], energy_j[i]);
        if (energy_j[i] < energy_j[out->energy]) out->energy = i;
        if (energy_j[i] * time_s[i] < energy_j[out->edp] * time_s[out->edp]) out->edp = i;
        if (energy_j[i] * time_s[i] * time_s[i] < energy_j[out->ed2p] * time_s[out->ed2p] * time_s[out->ed2p]) out->ed2p = i;
    }
    return RG_OK;
}
