/* sanity.c - checks that an impossible report would fail. Each states a law, looks at every row, and prints
 * numbers.
 *
 * They are no tests of the code that made the numbers: sums are taken again from the parts, rooflines from
 * the device's published peaks, buffers from their offsets.
 */
#include "map/skyline.h"
#include "predict/predict.h"

#include <math.h>
#include <stdlib.h>

#define CLOSE 1e-9          /* relative; sums of doubles in another order */
#define PEAK_TOLERANCE 0.03 /* profiles state peaks so exactly */

static bool near(double a, double b) { return fabs(a - b) <= CLOSE * fmax(fabs(a), fabs(b)) + 1e-30; }

typedef struct verdict {
    rg_ctx *cx;  /* scratch memory */
    rg_err err;  /* there is none */
    bool pass;
    char text[160];
} verdict;
typedef void (*check_fn)(const rg_forecast *f, verdict *v);

#define SAY(v, ...) rg_str_print((v)->text, sizeof (v)->text, __VA_ARGS__)

/* ---- time ---- */

static void terms_sum(const rg_forecast *f, verdict *v)
{
    uint32_t bad = 0, count = f->plan->row_count;
    for (uint32_t r = 0; r < count; r++) {
        const rg_row_cost *c = &f->rows[r];
        double sum = 0, longest = 0;
        for (int i = 0; i < RG_TERM_COUNT; i++) sum += c->terms_s[i];
        for (int i = 0; i < c->limit_count; i++) longest = fmax(longest, c->limits[i].time_s);
        bad += !near(sum, c->latency_s) || !near(longest, c->terms_s[RG_TERM_BUSY]);
    }
    v->pass = bad == 0;
    SAY(v, "the terms of %u of %u rows sum to their latency", count - bad, count);
}

static void rows_sum(const rg_forecast *f, verdict *v)
{
    double sum = f->overlap_s + f->graph_s + f->correction_s;
    for (uint32_t r = 0; r < f->plan->row_count; r++) sum += f->rows[r].total_s;
    v->pass = near(sum, f->latency_s.value) && f->overlap_s <= 0;
    SAY(v, "rows + overlap + fixed cost + correction = %.6g s, latency %.6g s", sum, f->latency_s.value);
}

/* What a unit and type can do on all engines together, as published. */
static double published_rate(const rg_device *device, const rg_row *row)
{
    double rate = 0;
    for (size_t i = 0; i < device->peak_count; i++) {
        const rg_peak *p = &device->peaks[i];
        bool same = p->unit == row->peak->unit && p->dtype == row->dtype;
        if (same && p == rg_device_peak(device, p->engine, (int)p->unit, p->dtype)) rate += p->op_per_s;
    }
    return rate;
}

double rg_row_least_s(const rg_plan *plan, const rg_row *row)
{
    const rg_device *device = plan->device;
    const rg_level *memory = rg_device_memory(device);
    double far = row->tiling.traffic_byte[device->level_count - 1];
    if (device->level_count > 1) far = fmax(far - memory[-1].capacity_byte, 0);
    double products = 2 * row->work.mac * row->winograd.products;
    return fmax(products / published_rate(device, row), far / memory->read_byte_per_s);
}

static void below_roofline(const rg_forecast *f, verdict *v)
{
    uint32_t bad = 0, count = f->plan->row_count;
    for (uint32_t r = 0; r < count; r++) {
        const rg_row *row = &f->plan->rows[r];
        if (row->folded) continue; /* runs when the model is loaded */
        bad += !(f->rows[r].latency_s >= rg_row_least_s(f->plan, row) * (1 - PEAK_TOLERANCE));
    }
    v->pass = bad == 0;
    SAY(v, "%u of %u rows are no faster than the published peaks allow", count - bad, count);
}

static void speed_up_limited(const rg_forecast *f, verdict *v)
{
    double sum = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) sum += f->rows[r].total_s;
    double rest = sum + f->overlap_s, most = f->critical_s > 0 ? sum / f->critical_s : 1;
    double got = rest > 0 ? sum / rest : 1;
    v->pass = got <= most * (1 + CLOSE) && most >= 1 - CLOSE;
    SAY(v, "running rows side by side gains %.3gx of at most %.3gx (critical path %.3g s)", got, most,
        f->critical_s);
}

/* Twice the arithmetic must leave a row that memory binds where it is. */
static void memory_bound_is(const rg_forecast *f, verdict *v)
{
    uint32_t bad = 0, count = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        if (f->rows[r].bound != RG_BOUND_MEMORY) continue;
        rg_row_cost faster;
        rg_row row = f->plan->rows[r];
        row.op_per_clock *= 2;
        rg_price_row(f->plan, &row, (rg_clocks){f->clock_hz, f->host_hz}, &faster);
        count++;
        const rg_row_cost *now = &f->rows[r];
        bad += faster.latency_s < (now->latency_s - now->terms_s[RG_TERM_CORRECTION]) * 0.99;
    }
    v->pass = bad == 0;
    SAY(v, "%u of %u memory-bound rows stay as they are with twice the compute", count - bad, count);
}

/* ---- energy ---- */

static void energy_sum(const rg_forecast *f, verdict *v)
{
    double sum = f->energy.compute_j + f->energy.memory_j + f->energy.static_j;
    double rows = f->plan->device->idle_w * (f->overlap_s + f->correction_s) + rg_energy_fixed_j(f);
    for (uint32_t r = 0; r < f->plan->row_count; r++) rows += f->rows[r].energy_j;
    v->pass = near(sum, f->energy_j.value) && near(rows, f->energy_j.value);
    SAY(v, "compute + memory + static = %.6g J, rows = %.6g J, energy %.6g J", sum, rows,
        f->energy_j.value);
}

static void power_in_range(const rg_forecast *f, verdict *v)
{
    const rg_device *d = f->plan->device;
    double p = f->power_w.value;
    v->pass = p >= d->idle_w * (1 - CLOSE) && (d->cap_w <= 0 || p <= d->cap_w * (1 + CLOSE));
    SAY(v, "idle %.3g W <= average %.3g W <= cap %.3g W", d->idle_w, p, d->cap_w);
}

static void power_is_energy(const rg_forecast *f, verdict *v)
{
    double product = f->power_w.value * f->latency_s.value;
    v->pass = f->latency_s.value <= 0 || near(product, f->energy_j.value);
    SAY(v, "power x latency = %.6g J, energy %.6g J", product, f->energy_j.value);
}

static void waste_positive(const rg_forecast *f, verdict *v)
{
    v->pass = f->wasted_j >= 0 && f->wasted_j <= f->energy_j.value * (1 + CLOSE);
    SAY(v, "0 <= wasted %.4g J <= energy %.4g J", f->wasted_j, f->energy_j.value);
}

/* A unit that is used well spreads its static power over more operations: of each, static energy <= P / (R
 * u). */
static void utilization_saves(const rg_forecast *f, verdict *v)
{
    const rg_device *d = f->plan->device;
    uint32_t bad = 0, count = 0;
    double best = 0, static_w = d->idle_w + fmax(d->active_w, d->ready_w);
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        const rg_row *row = &f->plan->rows[r];
        const rg_row_cost *c = &f->rows[r];
        double ops = rg_row_ops(row) * row->times;
        if (ops <= 0 || c->total_s <= 0) continue;
        double most = static_w / (rg_row_rate(row, f->clock_hz) * c->utilization);
        bad += !(c->energy.static_j / ops <= most * (1 + CLOSE));
        best = fmax(best, c->utilization);
        count++;
    }
    v->pass = bad == 0;
    SAY(v, "static energy per operation falls with utilization in %u of %u rows; at most %.3g used",
        count - bad, count, best);
}

/* ---- work and memory ---- */

static void work_is_kept(const rg_forecast *f, verdict *v)
{
    const rg_facts *facts = f->plan->facts;
    double rows = 0, steps = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++)
        rows += f->plan->rows[r].work.flop * f->plan->rows[r].times;
    for (uint32_t s = 0; s < facts->step_count; s++) steps += facts->work[s].flop * facts->steps[s].times;
    v->pass = near(rows, steps);
    SAY(v, "rows hold %.6g FLOP, nodes %.6g FLOP: grouping loses nothing", rows, steps);
}

static void traffic_is_compulsory(const rg_forecast *f, verdict *v)
{
    double saved = 0, worst = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        saved += f->plan->rows[r].saved_byte;
        const rg_work *work = &f->plan->rows[r].work; /* what is saved is a difference of sums of these */
        double moved = work->in_byte + work->weight_byte + work->out_byte;
        worst = fmin(worst, f->plan->rows[r].saved_byte + CLOSE * moved);
    }
    v->pass = worst >= 0;
    SAY(v, "grouping keeps %.4g MB off memory and adds none", saved / 1e6);
}

static int by_offset(const void *a, const void *b)
{
    const rg_buffer *x = *(const rg_buffer *const *)a, *y = *(const rg_buffer *const *)b;
    return x->offset_byte < y->offset_byte ? -1 : x->offset_byte > y->offset_byte;
}

/* From the bottom of the block upwards, each buffer must begin at or above the top of what lives with it. */
static rg_err count_overlaps(rg_ctx *cx, const rg_plan *p, uint32_t *bad)
{
    const rg_buffer **sorted = RG_NEW(&cx->arena, const rg_buffer *, p->buffer_count + 1);
    rg_skyline sky;
    RG_TRY(rg_skyline_init(cx, &sky, p->row_count));
    if (!sorted) return rg_nomem(cx);
    for (uint32_t i = 0; i < p->buffer_count; i++) sorted[i] = &p->buffers[i];
    if (p->buffer_count) qsort(sorted, p->buffer_count, sizeof *sorted, by_offset);
    for (uint32_t i = 0; i < p->buffer_count; i++) {
        *bad += rg_skyline_top(&sky, sorted[i]) > sorted[i]->offset_byte;
        if (!rg_skyline_add(&sky, sorted[i])) return rg_nomem(cx);
    }
    return RG_OK;
}

static void buffers_apart(const rg_forecast *f, verdict *v)
{
    const rg_plan *p = f->plan;
    double live = 0, block = (double)p->block_byte;
    uint32_t bad = 0;
    v->err = count_overlaps(v->cx, p, &bad);
    for (uint32_t r = 0; r < p->row_count; r++) live = fmax(live, p->live_byte[r]);
    v->pass = bad == 0 && live <= block;
    SAY(v, "%u buffers, %u overlap in time and place; live %.4g MB <= block %.4g MB", p->buffer_count, bad,
        live / 1e6, block / 1e6);
}

static void memory_sums(const rg_forecast *f, verdict *v)
{
    const rg_plan *p = f->plan;
    rg_memory_item items[RG_MEMORY_ITEMS];
    double sum = 0, least = 0;
    for (int i = 0, count = rg_plan_memory_items(p, items); i < count; i++) {
        sum += items[i].byte;
        least = fmin(least, items[i].byte);
    }
    v->pass = near(sum, p->peak_byte) && near(p->peak_byte, f->peak_memory_byte.value) && least >= 0;
    SAY(v, "weights, caches, activations and the rest sum to %.4g MB, peak %.4g MB", sum / 1e6,
        f->peak_memory_byte.value / 1e6);
}

/* ---- the report ---- */

static void buckets_complete(const rg_forecast *f, verdict *v)
{
    uint32_t threads[RG_THREAD_BUCKETS] = {0}, intensity[RG_INTENSITY_BUCKETS] = {0}, a = 0, b = 0;
    uint32_t count = f->plan->row_count, odd = 0;
    for (uint32_t r = 0; r < count; r++) {
        odd += !(f->rows[r].intensity >= 0) || !(f->plan->rows[r].width.threads >= 0);
        threads[rg_thread_bucket(f->plan->rows[r].width.threads)]++;
        intensity[rg_intensity_bucket(f->rows[r].intensity)]++;
    }
    for (int i = 0; i < RG_THREAD_BUCKETS; i++) a += threads[i];
    for (int i = 0; i < RG_INTENSITY_BUCKETS; i++) b += intensity[i];
    v->pass = a == count && b == count && odd == 0;
    SAY(v, "histograms hold %u and %u of %u rows, %u of them negative", a, b, count, odd);
}

static void intervals_hold(const rg_forecast *f, verdict *v)
{
    const rg_estimate *e[] = {&f->latency_s, &f->energy_j, &f->power_w, &f->peak_memory_byte}, *t = e[0];
    v->pass = true;
    for (size_t i = 0; i < RG_COUNT(e); i++) {
        double low = e[i]->low, value = e[i]->value, high = e[i]->high;
        v->pass &= isfinite(value) && low >= 0 && low <= value * (1 + CLOSE) && value <= high * (1 + CLOSE);
    }
    SAY(v, "every figure lies in its interval: latency %.3g <= %.3g <= %.3g s", t->low, t->value,
        t->high);
}

static const struct { const char *name; check_fn run; } checks[] = {
    {"terms sum", terms_sum},
    {"rows sum", rows_sum},
    {"energy sums", energy_sum},
    {"power within limits", power_in_range},
    {"power is energy over time", power_is_energy},
    {"no row above its roofline", below_roofline},
    {"work is kept", work_is_kept},
    {"grouping saves traffic", traffic_is_compulsory},
    {"buffers apart", buffers_apart},
    {"memory sums", memory_sums},
    {"low concurrency limits speed-up", speed_up_limited},
    {"memory-bound is insensitive to compute", memory_bound_is},
    {"high utilization saves energy", utilization_saves},
    {"waste is positive", waste_positive},
    {"histograms complete", buckets_complete},
    {"intervals hold", intervals_hold},
};

rg_err rg_forecast_check(rg_ctx *cx, rg_forecast *f)
{
    f->checks = RG_NEW(&f->arena, rg_check, RG_COUNT(checks));
    if (!f->checks) return rg_nomem(cx);
    f->check_count = 0;
    for (size_t i = 0; i < RG_COUNT(checks); i++) {
        verdict v = {.cx = cx};
        checks[i].run(f, &v);
        RG_TRY(v.err);
        const char *text = rg_arena_cstr(&f->arena, rg_str_of(v.text));
        if (!text) return rg_nomem(cx);
        f->checks[f->check_count++] = (rg_check){checks[i].name, v.pass, text};
    }
    return RG_OK;
}
