/* forecast.c - from a plan to its forecast: the clock under the power cap, rows, path, intervals, checks. */
#include "predict/residual.h"

#include <math.h>
#include <string.h>

void rg_forecast_free(const rg_forecast *constant)
{
    rg_forecast *f = (rg_forecast *)(uintptr_t)constant;
    if (!f) return;
    rg_plan_free(f->plan);
    rg_rates_free(f->rates);
    rg_arena arena = f->arena; /* the forecast itself lies in it */
    rg_arena_done(&arena);
}

void rg_forecast_sum(rg_forecast *f)
{
    const rg_plan *plan = f->plan;
    double rows_s = 0;
    f->energy = (rg_energy){0};
    f->compute_s = f->memory_s = f->overhead_s = f->wasted_j = f->peak_power_w = 0;
    for (uint32_t r = 0; r < plan->row_count; r++) {
        const rg_row_cost *c = &f->rows[r];
        double times = c->latency_s > 0 ? c->total_s / c->latency_s : 0;
        double busy = c->terms_s[RG_TERM_BUSY] * times;
        rows_s += c->total_s;
        if (c->binding == 0) f->compute_s += busy;
        else f->memory_s += busy;
        f->overhead_s += c->total_s - busy;
        f->energy.compute_j += c->energy.compute_j;
        f->energy.memory_j += c->energy.memory_j;
        f->energy.static_j += c->energy.static_j;
        f->wasted_j += c->energy.static_j * (1 - c->utilization);
        f->peak_power_w = fmax(f->peak_power_w, c->power_w);
    }
    double stretch = rg_host_stretch(plan, (rg_clocks){f->clock_hz, f->host_hz});
    f->sequences_s = f->sequences * plan->runtime->sequence_s * stretch;
    f->graph_s = plan->runtime->graph_s * stretch + f->sequences_s;
    f->latency_s.value = rows_s + f->overlap_s + f->graph_s + f->correction_s;
    /* what overlaps idles once */
    double idle_j = plan->device->idle_w * (f->overlap_s + f->correction_s);
    rg_energy fixed = rg_energy_fixed(f);
    idle_j += fixed.static_j;
    f->energy.static_j += idle_j;
    f->energy.memory_j += fixed.memory_j;
    f->wasted_j = fmax(f->wasted_j + idle_j, 0); /* what beats its rows saves no more than they wasted */
    f->energy_j.value = f->energy.compute_j + f->energy.memory_j + f->energy.static_j;
    f->power_w.value = f->latency_s.value > 0 ? f->energy_j.value / f->latency_s.value : plan->device->idle_w;
}

void rg_forecast_at(rg_forecast *f, double clock_hz)
{
    const rg_plan *plan = f->plan;
    double top = rg_device_voltage(plan->device, rg_device_clock_max(plan->device));
    f->clock_hz = clock_hz;
    f->voltage = top > 0 ? rg_device_voltage(plan->device, clock_hz) / top : 1;
    for (uint32_t r = 0; r < plan->row_count; r++) {
        double residual = f->rows[r].residual;
        uint32_t evidence = f->rows[r].evidence;
        rg_price_row(plan, &plan->rows[r], (rg_clocks){clock_hz, f->host_hz}, &f->rows[r]);
        rg_correct_row(&f->rows[r], residual, evidence);
        if (f->skipped[r]) f->rows[r].total_s = 0;
        rg_energy_row(plan, &plan->rows[r], clock_hz, &f->rows[r]);
    }
    rg_forecast_path(f);
    rg_forecast_sum(f);
}

/* From residuals of devices held out where there are some, else a stated prior: the runtime's factor; and
 * what the other arms of Ifs would save. */
static void set_intervals(rg_forecast *f)
{
    const rg_device *device = f->plan->device;
    double factor = fmax(f->plan->runtime->interval_factor, 1);
    if (f->spread > 0) factor = exp(f->spread);
    double root = f->power_spread > 0 ? exp(f->power_spread) : sqrt(factor);
    double t = f->latency_s.value, p = f->power_w.value;
    f->latency_s.low = fmax(t - f->arm_spread_s, 0) / factor;
    f->latency_s.high = t * factor;
    f->power_w.low = fmin(fmax(device->idle_w, p / root), p);
    f->power_w.high = fmax(device->cap_w > 0 ? fmin(device->cap_w, p * root) : p * root, p);
    f->energy_j.low = f->latency_s.low * f->power_w.low;
    f->energy_j.high = f->latency_s.high * f->power_w.high;
    double peak = f->plan->peak_byte, needed = f->plan->weight_byte + (double)f->plan->block_byte;
    /* allocators round up and keep caches: between what is needed and a quarter more than planned (assumed)
     */
    f->peak_memory_byte = (rg_estimate){peak, needed, 1.25 * peak};
}

static const char *bound_of_all(const rg_forecast *f)
{
    double overhead = f->overhead_s + f->graph_s;
    if (overhead >= f->compute_s && overhead >= f->memory_s) return "overhead";
    return f->compute_s >= f->memory_s ? "compute" : "memory";
}

static rg_err make(rg_ctx *cx, rg_forecast *f)
{
    uint32_t count = f->plan->row_count + 1;
    f->rows = RG_NEW(&f->arena, rg_row_cost, count);
    f->skipped = RG_NEW(&f->arena, bool, count);
    f->finish_s = RG_NEW(&f->arena, double, count);
    f->critical = RG_NEW(&f->arena, uint32_t, count);
    if (f->arena.failed) return rg_nomem(cx);
    double top = rg_device_clock_max(f->plan->device),
           highest = f->asked_hz > 0 ? fmin(f->asked_hz, top) : top;
    rg_forecast_at(f, highest);
    RG_TRY(rg_forecast_arms(cx, f)); /* they stay as chosen when only the clock moves */
    if (f->plan->facts->arm_count > 1) rg_forecast_at(f, highest);
    rg_forecast_clock(f);
    if (f->learning != RG_LEARN_NONE) RG_TRY(rg_forecast_learn(cx, f));
    set_intervals(f);
    f->bound = bound_of_all(f);
    if (f->rates) rg_rates_for(f->rates, f->plan->device, &f->card);
    if (f->rates) rg_cost_once(&f->card.rates, f->latency_s, f->energy_j, &f->cost);
    f->hash = rg_hash_u64(rg_hash_u64(RG_HASH_SEED, f->plan->hash), (uint64_t)f->clock_hz);
    for (uint32_t i = 1; i < f->evidence_count; i++)
        f->hash = rg_hash_str(f->hash, rg_str_of(f->evidence[i].data_hash));
    return f->unchecked ? RG_OK : rg_forecast_check(cx, f);
}

rg_err rg_learning_read(rg_ctx *cx, const char *word, rg_learning *out)
{
    static const char *const words[] = {
        [RG_LEARN_ALL] = "all", [RG_LEARN_ROWS] = "rows", [RG_LEARN_NONE] = "none",
    };
    for (size_t i = 0; i < RG_COUNT(words); i++) {
        *out = (rg_learning)i;
        if (!word || strcmp(word, words[i]) == 0) return RG_OK;
    }
    return rg_fail(cx, RG_USAGE, "'%.64s' is none of: all, rows, none", word);
}

rg_err rg_forecast_make(rg_ctx *cx, const rg_plan *plan, const rg_forecast_opt *opt, const rg_forecast **out)
{
    rg_forecast_opt o = {0};
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    if (!(o.core_hz >= 0) || isinf(o.core_hz))
        return rg_fail(cx, RG_USAGE, "a core clock of %g Hz is not possible", o.core_hz);
    if (!(o.host_hz >= 0) || isinf(o.host_hz))
        return rg_fail(cx, RG_USAGE, "a host clock of %g Hz is not possible", o.host_hz);
    if (!(o.sequences >= 0) || isinf(o.sequences))
        return rg_fail(cx, RG_USAGE, "a step of %g sequences is not possible", o.sequences);
    rg_arena arena;
    rg_arena_init(&arena, cx);
    rg_forecast *f = RG_NEW(&arena, rg_forecast, 1);
    if (!f) {
        rg_arena_done(&arena);
        return rg_nomem(cx);
    }
    f->arena = arena;
    f->plan = rg_plan_ref(plan);
    f->asked_hz = o.core_hz;
    f->host_hz = o.host_hz;
    f->learning = o.learning;
    if (o.sketch) f->sketch = *o.sketch;
    f->sequences = o.sequences;
    f->unchecked = o.unchecked;
    f->sort = rg_arena_cstr(&f->arena, rg_str_of(o.sort ? o.sort : "whole"));
    if (!f->sort) {
        rg_forecast_free(f);
        return rg_nomem(cx);
    }
    f->rates = o.rates ? rg_rates_ref(o.rates) : NULL;
    rg_err err = make(cx, f);
    if (err) {
        rg_forecast_free(f);
        return err;
    }
    *out = f;
    return RG_OK;
}

void rg_forecast_summary(const rg_forecast *f, rg_summary *out)
{
    rg_summary s = {
        .size = out->size, .latency_s = f->latency_s, .energy_j = f->energy_j, .power_w = f->power_w,
        .peak_memory_byte = f->peak_memory_byte,
        .cost_usd = f->rates ? f->cost.usd : (rg_estimate){NAN, NAN, NAN},
        .carbon_g = f->rates ? f->cost.carbon_g : (rg_estimate){NAN, NAN, NAN},
    };
    for (uint32_t i = 0; i < f->check_count; i++) s.checks_failed += !f->checks[i].pass;
    memcpy(out, &s, out->size < sizeof s ? out->size : sizeof s);
}
