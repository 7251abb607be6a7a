/* sanity.c - checks that an impossible report would fail. Each states a law, looks at every row, and prints numbers.
 *
 * They are no tests of the code that made the numbers: sums are taken again from the parts, rooflines from the
 * device's published peaks, buffers from their offsets.
 */
#include "predict/predict.h"

#include <math.h>

#define CLOSE 1e-9 /* relative; sums of doubles in another order */

static bool near(double a, double b) { return fabs(a - b) <= CLOSE * fmax(fabs(a), fabs(b)) + 1e-30; }

typedef struct verdict { bool pass; char text[160]; } verdict;
typedef void (*check_fn)(const rg_forecast *f, verdict *v);

#define SAY(v, ...) rg_str_print((v)->text, sizeof (v)->text, __VA_ARGS__)

static void terms_sum(const rg_forecast *f, verdict *v)
{
    uint32_t bad = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        double sum = 0, longest = 0;
        for (int i = 0; i < RG_TERM_COUNT; i++) sum += f->rows[r].terms_s[i];
        for (int i = 0; i < f->rows[r].limit_count; i++) longest = fmax(longest, f->rows[r].limits[i].time_s);
        bad += !near(sum, f->rows[r].latency_s) || !near(longest, f->rows[r].terms_s[RG_TERM_BUSY]);
    }
    v->pass = bad == 0;
    SAY(v, "the terms of %u of %u rows sum to their latency", f->plan->row_count - bad, f->plan->row_count);
}

static void rows_sum(const rg_forecast *f, verdict *v)
{
    double sum = f->overlap_s + f->graph_s;
    for (uint32_t r = 0; r < f->plan->row_count; r++) sum += f->rows[r].total_s;
    v->pass = near(sum, f->latency_s.value) && f->overlap_s <= 0;
    SAY(v, "rows + overlap + fixed cost = %.6g s, latency %.6g s", sum, f->latency_s.value);
}

static void energy_sum(const rg_forecast *f, verdict *v)
{
    double sum = f->energy.compute_j + f->energy.memory_j + f->energy.static_j;
    double rows = f->plan->device->idle_w * (f->graph_s + f->overlap_s);
    for (uint32_t r = 0; r < f->plan->row_count; r++) rows += f->rows[r].energy_j;
    v->pass = near(sum, f->energy_j.value) && near(rows, f->energy_j.value);
    SAY(v, "compute + memory + static = %.6g J, rows = %.6g J, energy %.6g J", sum, rows, f->energy_j.value);
}

static void power_in_range(const rg_forecast *f, verdict *v)
{
    const rg_device *d = f->plan->device;
    v->pass = f->power_w.value >= d->idle_w * (1 - CLOSE) && (d->cap_w <= 0 || f->power_w.value <= d->cap_w * (1 + CLOSE));
    SAY(v, "idle %.3g W <= average %.3g W <= cap %.3g W", d->idle_w, f->power_w.value, d->cap_w);
}

static void power_is_energy(const rg_forecast *f, verdict *v)
{
    double product = f->power_w.value * f->latency_s.value;
    v->pass = f->latency_s.value <= 0 || near(product, f->energy_j.value);
    SAY(v, "power x latency = %.6g J, energy %.6g J", product, f->energy_j.value);
}

static void below_roofline(const rg_forecast *f, verdict *v)
{
    const rg_plan *plan = f->plan;
    const rg_level *memory = rg_device_memory(plan->device);
    uint32_t bad = 0;
    for (uint32_t r = 0; r < plan->row_count; r++) {
        const rg_row *row = &plan->rows[r];
        double published = 0;
        for (size_t i = 0; i < plan->device->peak_count; i++) { /* all engines of that unit and type together */
            const rg_peak *p = &plan->device->peaks[i];
            if (p->unit == row->peak->unit && p->dtype == row->dtype &&
                p == rg_device_peak(plan->device, p->engine, (int)p->unit, p->dtype)) published += p->op_per_s;
        }
        double least = fmax(2 * row->work.mac / published,
                            row->tiling.traffic_byte[plan->device->level_count - 1] / memory->read_byte_per_s);
        bad += f->rows[r].latency_s < least * (1 - 0.03); /* profiles state peaks within 3 % */
    }
    v->pass = bad == 0;
    SAY(v, "%u of %u rows are no faster than the published peaks allow", plan->row_count - bad, plan->row_count);
}

static void work_is_kept(const rg_forecast *f, verdict *v)
{
    double rows = 0, steps = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) rows += f->plan->rows[r].work.flop * f->plan->rows[r].times;
    for (uint32_t s = 0; s < f->plan->facts->step_count; s++) steps += f->plan->facts->work[s].flop * f->plan->facts->steps[s].times;
    v->pass = near(rows, steps);
    SAY(v, "rows hold %.6g FLOP, nodes %.6g FLOP: grouping loses nothing", rows, steps);
}

static void traffic_is_compulsory(const rg_forecast *f, verdict *v)
{
    double saved = 0, worst = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        saved += f->plan->rows[r].saved_byte;
        worst = fmin(worst, f->plan->rows[r].saved_byte);
    }
    v->pass = worst >= 0;
    SAY(v, "grouping keeps %.4g MB off memory and adds none", saved / 1e6);
}

static void buffers_apart(const rg_forecast *f, verdict *v)
{
    const rg_plan *p = f->plan;
    double live = 0;
    uint32_t bad = 0;
    for (uint32_t r = 0; r < p->row_count; r++) live = fmax(live, p->live_byte[r]);
    for (uint32_t i = 0; i < p->buffer_count && p->buffer_count <= 4096; i++)
        for (uint32_t k = 0; k < i; k++) {
            const rg_buffer *a = &p->buffers[i], *b = &p->buffers[k];
            bool same_time = a->born <= b->dies && b->born <= a->dies;
            bool same_place = a->offset_byte < b->offset_byte + b->size_byte && b->offset_byte < a->offset_byte + a->size_byte;
            bad += same_time && same_place;
        }
    v->pass = bad == 0 && live <= (double)p->block_byte;
    SAY(v, "%u buffers, %u overlap in time and place; live %.4g MB <= block %.4g MB", p->buffer_count, bad, live / 1e6,
        (double)p->block_byte / 1e6);
}

static void memory_sums(const rg_forecast *f, verdict *v)
{
    const rg_plan *p = f->plan;
    double sum = p->weight_byte + (double)p->block_byte + p->workspace_byte + p->overhead_byte;
    v->pass = near(sum, p->peak_byte) && near(p->peak_byte, f->peak_memory_byte.value);
    SAY(v, "weights + activations + workspace + runtime = %.4g MB, peak %.4g MB", sum / 1e6, p->peak_byte / 1e6);
}

static void speed_up_limited(const rg_forecast *f, verdict *v)
{
    double sum = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) sum += f->rows[r].total_s;
    double most = f->critical_s > 0 ? sum / f->critical_s : 1, got = sum + f->overlap_s > 0 ? sum / (sum + f->overlap_s) : 1;
    v->pass = got <= most * (1 + CLOSE) && most >= 1 - CLOSE;
    SAY(v, "running rows side by side gains %.3gx of at most %.3gx (critical path %.3g s)", got, most, f->critical_s);
}

/* Twice the arithmetic must leave a row that memory binds where it is. */
static void memory_bound_is(const rg_forecast *f, verdict *v)
{
    uint32_t bad = 0, count = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        const rg_row_cost *c = &f->rows[r];
        if (c->bound != RG_BOUND_MEMORY) continue;
        rg_row_cost faster;
        rg_row row = f->plan->rows[r];
        row.op_per_clock *= 2;
        rg_price_row(f->plan, &row, f->clock_hz, &faster);
        count++;
        bad += faster.latency_s < c->latency_s * 0.99;
    }
    v->pass = bad == 0;
    SAY(v, "%u of %u memory-bound rows stay as they are with twice the compute", count - bad, count);
}

static void waste_positive(const rg_forecast *f, verdict *v)
{
    v->pass = f->wasted_j >= 0 && f->wasted_j <= f->energy_j.value * (1 + CLOSE);
    SAY(v, "0 <= wasted %.4g J <= energy %.4g J", f->wasted_j, f->energy_j.value);
}

static void buckets_complete(const rg_forecast *f, verdict *v)
{
    uint32_t threads[RG_THREAD_BUCKETS] = {0}, intensity[RG_INTENSITY_BUCKETS] = {0}, a = 0, b = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        threads[rg_thread_bucket(f->plan->rows[r].width.threads)]++;
        intensity[rg_intensity_bucket(f->rows[r].intensity)]++;
    }
    for (int i = 0; i < RG_THREAD_BUCKETS; i++) a += threads[i];
    for (int i = 0; i < RG_INTENSITY_BUCKETS; i++) b += intensity[i];
    v->pass = a == f->plan->row_count && b == f->plan->row_count;
    SAY(v, "histograms hold %u and %u of %u rows", a, b, f->plan->row_count);
}

static void intervals_hold(const rg_forecast *f, verdict *v)
{
    const rg_estimate *e[] = {&f->latency_s, &f->energy_j, &f->power_w, &f->peak_memory_byte};
    v->pass = true;
    for (size_t i = 0; i < RG_COUNT(e); i++)
        v->pass &= isfinite(e[i]->value) && e[i]->low <= e[i]->value * (1 + CLOSE) && e[i]->value <= e[i]->high * (1 + CLOSE);
    SAY(v, "every figure lies in its interval: latency %.3g <= %.3g <= %.3g s", f->latency_s.low, f->latency_s.value, f->latency_s.high);
}

static const struct { const char *name; check_fn run; } checks[] = {
    {"terms sum", terms_sum},           {"rows sum", rows_sum},             {"energy sums", energy_sum},
    {"power within limits", power_in_range}, {"power is energy over time", power_is_energy},
    {"no row above its roofline", below_roofline}, {"work is kept", work_is_kept},
    {"grouping saves traffic", traffic_is_compulsory}, {"buffers apart", buffers_apart}, {"memory sums", memory_sums},
    {"low concurrency limits speed-up", speed_up_limited}, {"memory-bound is insensitive to compute", memory_bound_is},
    {"waste is positive", waste_positive}, {"histograms complete", buckets_complete}, {"intervals hold", intervals_hold},
};

rg_err rg_forecast_check(rg_ctx *cx, rg_forecast *f)
{
    f->checks = RG_NEW(&f->arena, rg_check, RG_COUNT(checks));
    if (!f->checks) return rg_nomem(cx);
    f->check_count = 0;
    for (size_t i = 0; i < RG_COUNT(checks); i++) {
        verdict v = {.pass = false};
        checks[i].run(f, &v);
        const char *text = rg_arena_cstr(&f->arena, rg_str_of(v.text));
        if (!text) return rg_nomem(cx);
        f->checks[f->check_count++] = (rg_check){checks[i].name, v.pass, text};
    }
    return RG_OK;
}
