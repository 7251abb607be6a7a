/* energy.c - where the joules go, and the clock that the power cap leaves.
 *
 *     E = sum op e_op v2 + sum byte e_level v2 + P_idle t + (f / f0) v2 (P_active t_work + P_ready t_wait)
 *     v2 = (V(f) / V(f0))^2     f0: the highest clock; main memory and links have their own supply: no v2
 *     P = E / t <= cap          solved for f: latency and power are one model
 *
 * P_active is what clock trees and leakage of running engines add whatever they compute (profile: active_w),
 * P_ready what is left of it while clocks stay up and a kernel is launched or awaited (ready_w).
 */
#include "predict/link.h"
#include "predict/predict.h"

#include <math.h>

/* The search for the clock: to a tenth of a percent, finer than any P-state, and no lower than a
 * thousandth. */
#define CLOCK_CLOSE 1e-3
#define CLOCK_LEAST 1e-3
#define GUESSES 6

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

/* Of clocks that run: f v2, of the highest clock's. */
static double activity(const rg_device *device, double clock_hz, double v2)
{
    return clock_hz / rg_device_clock_max(device) * v2;
}

/* The sequences' share of it is kernels that sample and copies as much as the host's loop: engines awake, and
 * what they move goes through every level. */
rg_energy rg_energy_fixed(const rg_forecast *f)
{
    const rg_device *d = f->plan->device;
    double v = relative_voltage(d, f->clock_hz), pj = 0;
    double awake_j = d->active_w * f->sequences_s + d->ready_w * (f->graph_s - f->sequences_s);
    for (size_t i = 0; i < d->level_count; i++)
        pj += d->levels[i].pj_per_byte * (&d->levels[i] == rg_device_memory(d) ? 1 : v * v);
    return (rg_energy){.static_j = d->idle_w * f->graph_s + activity(d, f->clock_hz, v * v) * awake_j,
                       .memory_j = f->sequences * f->plan->runtime->sequence_byte * pj * 1e-12};
}

double rg_energy_fixed_j(const rg_forecast *f)
{
    rg_energy e = rg_energy_fixed(f);
    return e.static_j + e.memory_j;
}

/* Operations of lanes for a weight that is stored in 8 bits or less where products compute in more: one of
 * logic brings it into place, one scales it (Marlin: Frantar et al. 2024, arXiv:2408.11743), in each block of
 * rows anew. */
enum { UNPACK_OPS = 2, UNPACK_BITS = 16 };

static double unpacking(const rg_row *row)
{
    const rg_work *w = &row->work;
    double weights = w->n * w->k * w->batch, rows = fmax(row->tiling.tile[0], 1);
    if (!w->weight_in_b || !(weights > 0) || rg_hw_dtype_bits(row->dtype) < UNPACK_BITS) return 0;
    bool narrow = 8 * w->weight_byte / weights < (8 + UNPACK_BITS) / 2.0; /* with its scales */
    return narrow ? UNPACK_OPS * weights * rg_ceil_div(w->m, rows) : 0;
}

void rg_energy_row(const rg_plan *plan, const rg_row *row, double clock_hz, rg_row_cost *cost)
{
    const rg_device *device = plan->device;
    const rg_work *w = &row->work;
    double v = relative_voltage(device, clock_hz), v2 = v * v, memory = 0;
    double times = cost->latency_s > 0 ? cost->total_s / cost->latency_s : 0;
    double product_j = joule_per_op(device, row->dtype);
    double other_j = row->peak->unit == RG_MATRIX ? joule_per_op(device, RG_HW_F32) : product_j;
    double others = fmax(w->flop - 2 * w->mac, 0) + RG_SPECIAL_FLOP * w->special, done = 1 - w->skipped;
    rg_collective_terms link = {0};
    if (row->family == RG_FAMILY_COLLECTIVE) rg_collective_row_s(plan, row, &link);
    memory += link.link_j;
    for (int i = 1; i < cost->limit_count && i <= (int)device->level_count; i++) {
        const rg_level *level = &device->levels[i - 1];
        double scale = level == rg_device_memory(device) ? 1 : v2;
        memory += row->tiling.traffic_byte[i - 1] * level->pj_per_byte * 1e-12 * scale;
    }
    double work_s = fmax(cost->latency_s - cost->terms_s[RG_TERM_LAUNCH], 0); /* a correction may be < 0 */
    double active_j = device->active_w * work_s + device->ready_w * (cost->latency_s - work_s);
    double unpack_j = unpacking(row) * joule_per_op(device, RG_HW_F32);
    cost->energy.compute_j = times * v2 * (done * (2 * w->mac * product_j + others * other_j) + unpack_j);
    cost->energy.memory_j = times * memory;
    cost->energy.static_j =
        times * (device->idle_w * cost->latency_s + active_j * activity(device, clock_hz, v2));
    cost->energy_j = cost->energy.compute_j + cost->energy.memory_j + cost->energy.static_j;
    cost->power_w = cost->total_s > 0 ? cost->energy_j / cost->total_s : 0;
}

/* What is known of the clock: power rises with it, because every dynamic term does and time falls. */
typedef struct search {
    double held_hz, held_w;      /* the highest clock known to be within the cap; 0: none */
    double over_hz, over_w;      /* the lowest known to be above it */
} search;

/* Where the power between the two is the cap: straight in logarithms, of slope 1 where there is no lower one.
 * What that does not find soon, halves do. */
static double guess(const search *s, double cap_w, int tries)
{
    if (tries >= GUESSES) return (s->held_hz + s->over_hz) / 2;
    double slope = s->held_hz > 0 ? log(s->over_w / s->held_w) / log(s->over_hz / s->held_hz) : 1;
    double hz = s->over_hz * exp(log(cap_w / s->over_w) / slope);
    return fmin(fmax(hz, s->held_hz), s->over_hz);
}

/* Bisection, if the cap were met at root_hz: what would be tried, and the two clocks it ends between. */
static void bisect(double top_hz, double highest_hz, double root_hz, double *low, double *high)
{
    *low = *high = highest_hz;
    while (*low > root_hz && *low > CLOCK_LEAST * top_hz) *low /= 2;
    while (*high - *low > CLOCK_CLOSE * *low) {
        double middle = (*low + *high) / 2;
        if (middle > root_hz) *high = middle;
        else *low = middle;
    }
}

/* A forecast at a clock is dear, so bisection is done on a guess, and only the two clocks that it ends
 * between are forecast: where they are on the wrong side, the next guess is better. A cap that no clock can
 * hold (the check of power will say so) leaves the lowest. */
void rg_forecast_clock(rg_forecast *f)
{
    const rg_device *device = f->plan->device;
    double top = rg_device_clock_max(device), highest = f->clock_hz, low, high;
    if (f->power_w.value <= device->cap_w || device->cap_w <= 0) return;
    f->capped = true;
    search s = {0, 0, highest, f->power_w.value};
    for (int tries = 0;; tries++) {
        bisect(top, highest, guess(&s, device->cap_w, tries), &low, &high);
        double ask = high < s.over_hz ? high : low;
        if (ask <= s.held_hz || ask >= s.over_hz) break;
        rg_forecast_at(f, ask);
        double watt = f->power_w.value;
        if (watt > device->cap_w) s.over_hz = ask, s.over_w = watt;
        else s.held_hz = ask, s.held_w = watt;
    }
    if (f->clock_hz != low) rg_forecast_at(f, low);
}

rg_err rg_clock_best(rg_ctx *cx, const double *clock_hz, const double *time_s, const double *energy_j,
                     size_t count, rg_best_clock *out)
{
    *out = (rg_best_clock){0};
    if (count == 0) return rg_fail(cx, RG_INPUT, "no clock to choose from");
    for (size_t i = 0; i < count; i++) {
        double t = time_s[i], e = energy_j[i];
        if (!(t > 0 && isfinite(t)) || !(e > 0 && isfinite(e)))
            return rg_fail(cx, RG_INPUT, "at %.4g Hz: time %g s and energy %g J must be above 0 and finite",
                           clock_hz[i], t, e);
        size_t a = out->energy, b = out->edp, c = out->ed2p;
        if (e < energy_j[a]) out->energy = i;
        if (e * t < energy_j[b] * time_s[b]) out->edp = i;
        if (e * t * t < energy_j[c] * time_s[c] * time_s[c]) out->ed2p = i;
    }
    return RG_OK;
}
