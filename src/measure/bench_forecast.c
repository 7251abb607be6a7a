/* bench_forecast.c - a forecast on trial: row by row beside what the row took.
 *
 * The plan that runs is the plan that is priced, so rows need no matching. Rows are timed in runs of their
 * own: each call of a kernel then looks at the clock twice, which fast rows would feel.
 *
 *     error   = forecast / measured - 1                   of rows, of the whole
 *     roof    = min(peak, bandwidth x intensity)          intensity: FLOP / bytes that cross the row's border
 *     of roof = FLOP / measured / roof                    over 1 where operands came out of a cache, or where
 *                                                         Winograd's convolution takes fewer operations
 */
#include "measure/bench_forecast.h"

#include "base/statistics.h"
#include "measure/host_load.h"
#include "predict/predict.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { RUNS_MIN = 5, RUNS_MAX = 101, CLOCK_LOOKS = 10000 };
#define TIMED_S     1.0   /* of all runs, about */
#define COUNTED     0.01  /* of the time: rows below say nothing about a forecast */
#define LARGE_FLOP  50e6  /* rows that should come near their roof ... */
#define NEAR_ROOF   0.85  /* ... which is this share of it */

/* ---- timing ---- */

static double clock_cost_s(void)
{
    double begun_s = rg_host_now_s(), now_s = begun_s;
    for (int i = 0; i < CLOCK_LOOKS; i++) now_s = rg_host_now_s();
    return (now_s - begun_s) / CLOCK_LOOKS;
}

/* The first run finds cold caches and is not kept. samples: [rows][RUNS_MAX]. */
static rg_err run_timed(rg_ctx *cx, const rg_backend *backend, void *state, uint32_t rows, double *row_s,
                        double *samples, size_t *runs)
{
    double begun_s = rg_host_now_s();
    RG_TRY(backend->run(cx, state));
    for (*runs = 0; *runs < RUNS_MAX; ++*runs) {
        if (*runs >= RUNS_MIN && rg_host_now_s() - begun_s > TIMED_S) break;
        memset(row_s, 0, rows * sizeof *row_s);
        RG_TRY(backend->run(cx, state));
        for (uint32_t r = 0; r < rows; r++) samples[(size_t)r * RUNS_MAX + *runs] = row_s[r];
    }
    return RG_OK;
}

rg_err rg_row_times_take(rg_ctx *cx, const rg_backend *backend, void *state, rg_row_times *out)
{
    const rg_plan *plan = backend->plan(state);
    uint32_t rows = plan->row_count;
    double *row_s = RG_NEW(&cx->arena, double, rows + 1);
    double *samples = RG_NEW(&cx->arena, double, ((size_t)rows + 1) * RUNS_MAX);
    *out = (rg_row_times){.plan = plan, .clock_s = clock_cost_s(), .median_s = RG_NEW(&cx->arena, double,
                          rows + 1), .p90_s = RG_NEW(&cx->arena, double, rows + 1),
                          .p99_s = RG_NEW(&cx->arena, double, rows + 1)};
    if (!row_s || !samples || !out->median_s || !out->p90_s || !out->p99_s) return rg_nomem(cx);
    backend->time_rows(state, row_s);
    rg_err err = run_timed(cx, backend, state, rows, row_s, samples, &out->runs);
    backend->time_rows(state, NULL);
    for (uint32_t r = 0; r < rows; r++) {
        double *x = samples + (size_t)r * RUNS_MAX;
        rg_sort_ascending(x, out->runs);
        out->median_s[r] = rg_percentile(x, out->runs, 0.5);
        out->p90_s[r] = rg_percentile(x, out->runs, 0.9);
        out->p99_s[r] = rg_percentile(x, out->runs, 0.99);
        out->total_s += out->median_s[r];
    }
    return err;
}

/* ---- joining ---- */

typedef struct joining {
    rg_doc *doc;
    const rg_forecast *f;
    const rg_row_times *times;
    double byte_per_s;               /* of main memory, as it can be had */
    int large, near_roof;            /* rows above LARGE_FLOP, and those that come near their roof */
    double least;                    /* share of its roof of the one that is farthest from it */
    double *errors; size_t error_count; /* of rows that count, without their signs */
} joining;

static double row_flop(const rg_row *row) { return row->work.flop * row->times; }

static double row_byte(const rg_row *row)
{
    return (row->work.in_byte + row->work.weight_byte + row->work.out_byte) * row->times;
}

static double roof_of(const joining *j, const rg_row *row)
{
    double peak = rg_row_rate(row, j->f->clock_hz), flop = row_flop(row), byte = row_byte(row);
    return byte > 0 ? fmin(peak, j->byte_per_s * flop / byte) : peak;
}

static void put_row(joining *j, rg_item *list, uint32_t index)
{
    const rg_row *row = &j->f->plan->rows[index];
    double measured = j->times->median_s[index], forecast = j->f->rows[index].total_s, flop = row_flop(row);
    double error = measured > 0 ? forecast / measured - 1 : NAN;
    double share = measured > 0 && flop > 0 ? flop / measured / roof_of(j, row) : NAN;
    rg_item *item = rg_doc_object(j->doc, list, NULL);
    rg_doc_text(j->doc, item, "id", "%016" PRIx64, row->id);
    rg_doc_str(j->doc, item, "name", row->name);
    rg_doc_str(j->doc, item, "kind", row->kind);
    rg_doc_real(j->doc, item, "forecast_s", forecast);
    rg_doc_real(j->doc, item, "measured_s", measured);
    rg_doc_real(j->doc, item, "share", j->times->total_s > 0 ? measured / j->times->total_s : NAN);
    rg_doc_real(j->doc, item, "error", error);
    rg_doc_real(j->doc, item, "flops", flop);
    rg_doc_real(j->doc, item, "byte", row_byte(row));
    rg_doc_real(j->doc, item, "flop_per_s", measured > 0 ? flop / measured : NAN);
    rg_doc_real(j->doc, item, "roof_flop_per_s", flop > 0 ? roof_of(j, row) : NAN);
    rg_doc_real(j->doc, item, "of_roof", share);
    rg_doc_str(j->doc, item, "bound", rg_bound_name(j->f->rows[index].bound));
    if (measured >= COUNTED * j->times->total_s && !isnan(error)) j->errors[j->error_count++] = fabs(error);
    if (flop < LARGE_FLOP || isnan(share)) return;
    if (!j->large++ || share < j->least) j->least = share;
    j->near_roof += share >= NEAR_ROOF;
}

typedef struct ranked { double s; uint32_t row; } ranked;

static int by_time(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->s != y->s) return x->s < y->s ? 1 : -1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* The longest first. Views and what was computed while loading take no time in either. */
static rg_err put_rows(rg_ctx *cx, joining *j, rg_item *result)
{
    uint32_t count = j->f->plan->row_count, kept = 0;
    ranked *order = RG_NEW(&cx->arena, ranked, count + 1);
    j->errors = RG_NEW(&cx->arena, double, count + 1);
    if (!order || !j->errors) return rg_nomem(cx);
    for (uint32_t r = 0; r < count; r++)
        if (j->times->median_s[r] > 0 || j->f->rows[r].total_s > 0)
            order[kept++] = (ranked){j->times->median_s[r], r};
    qsort(order, kept, sizeof *order, by_time);
    rg_item *list = rg_doc_array(j->doc, result, "rows");
    for (uint32_t i = 0; i < kept; i++) put_row(j, list, order[i].row);
    rg_sort_ascending(j->errors, j->error_count);
    return RG_OK;
}

static void put_roof(const joining *j, rg_item *result)
{
    const rg_device *device = j->f->plan->device;
    rg_item *roof = rg_doc_object(j->doc, result, "roof");
    rg_doc_flag(j->doc, roof, "measured", device->made_on.cpu != NULL);
    rg_doc_str(j->doc, roof, "date", device->made_on.date);
    rg_doc_real(j->doc, roof, "byte_per_s", j->byte_per_s);
    rg_doc_int(j->doc, roof, "large_rows", j->large);
    rg_doc_int(j->doc, roof, "large_rows_near", j->near_roof);
    rg_doc_real(j->doc, roof, "large_least", j->large ? j->least : NAN);
}

static rg_err join(rg_ctx *cx, joining *j, rg_item *result, double median_s)
{
    const rg_level *memory = rg_device_memory(j->f->plan->device);
    rg_estimate forecast = j->f->latency_s;
    j->byte_per_s = memory->read_byte_per_s;
    if (memory->sustained_fraction > 0) j->byte_per_s *= memory->sustained_fraction;
    rg_doc_quantity(j->doc, result, "forecast_s", forecast);
    rg_doc_real(j->doc, result, "forecast_error", median_s > 0 ? forecast.value / median_s - 1 : NAN);
    rg_doc_flag(j->doc, result, "forecast_covers", median_s >= forecast.low && median_s <= forecast.high);
    RG_TRY(put_rows(cx, j, result));
    rg_doc_real(j->doc, result, "forecast_median_ape",
                j->error_count ? rg_percentile(j->errors, j->error_count, 0.5) : NAN);
    rg_doc_real(j->doc, result, "rows_s", j->times->total_s);
    rg_doc_int(j->doc, result, "row_runs", (int64_t)j->times->runs);
    rg_doc_real(j->doc, result, "clock_s", j->times->clock_s);
    put_roof(j, result);
    return RG_OK;
}

rg_err rg_row_times_put(rg_ctx *cx, rg_doc *doc, rg_item *result, const rg_row_times *times, double median_s)
{
    joining j = {.doc = doc, .times = times};
    RG_TRY(rg_forecast_make(cx, times->plan, NULL, &j.f));
    rg_err err = join(cx, &j, result, median_s);
    rg_forecast_free(j.f);
    return err;
}

/* ---- the section ---- */

void rg_row_times_show(rg_doc *doc, const rg_item *result)
{
    static const rg_column whole[] = {
        {"forecast_s", "forecast", RG_UNIT_SECOND, false}, {"median_s", "measured", RG_UNIT_SECOND, false},
        {"forecast_error", "error", RG_UNIT_FRACTION, false},
        {"forecast_median_ape", "median error of rows", RG_UNIT_FRACTION, false},
        {"rows_s", "sum of all rows", RG_UNIT_SECOND, false},
        {"clock_s", "one look at the clock", RG_UNIT_SECOND, false},
        {"roof.byte_per_s", "memory", RG_UNIT_BYTE_PER_S, false},
        {"roof.large_rows", "rows above 50 MFLOP", RG_UNIT_COUNT, false},
        {"roof.large_rows_near", "of them at 85 % of the roof", RG_UNIT_COUNT, false},
        {"roof.large_least", "the farthest from it", RG_UNIT_FRACTION, false},
    };
    static const rg_column columns[] = {
        {"id", "id", RG_UNIT_NONE, false},
        {"name", "name", RG_UNIT_NONE, false},
        {"kind", "kind", RG_UNIT_NONE, false},
        {"forecast_s", "forecast", RG_UNIT_SECOND, false},
        {"measured_s", "measured", RG_UNIT_SECOND, false},
        {"error", "error", RG_UNIT_FRACTION, false},
        {"flop_per_s", "rate", RG_UNIT_OP_PER_S, false},
        {"of_roof", "of the roof", RG_UNIT_FRACTION, false},
        {"bound", "bound by", RG_UNIT_NONE, false},
    };
    const rg_item *rows = rg_item_find(result, "rows"), *name = rg_item_find(result, "name");
    if (!rows || !name) return;
    rg_doc_section(doc, 2, "Against the forecast: %s", name->string);
    rg_doc_fields(doc, result, whole, RG_COUNT(whole));
    rg_doc_table(doc, "rows", rows, columns, RG_COUNT(columns), 0);
    const rg_item *date = rg_item_find(result, "roof.date");
    bool known = date && date->kind == RG_ITEM_STRING;
    rg_doc_say(
        doc,
        "Medians of runs in which every call of a kernel looks at the clock twice; rows below 1 %% "
        "are not in the median error. Of the roof: FLOP/s over min(peak, memory x FLOP/byte), above "
        "100 %% where operands were in a cache, or an algorithm takes fewer operations. Peak and memory "
        "are %s%s.",
        known ? "as ridge calibrate measured them on " : "estimated: ridge calibrate measures them",
        known ? date->string : "");
    rg_doc_chart(doc, &(rg_chart){
        .kind = RG_CHART_SCATTER, .name = "rows", .title = "Rows: measured time over forecast",
        .text = "Each mark is a row of the plan; on the diagonal a forecast is right.", .array = rows,
        .x = {"forecast_s", "forecast", RG_UNIT_SECOND, true},
        .y = &(rg_axis){"measured_s", "measured", RG_UNIT_SECOND, true}, .y_count = 1, .group = "bound",
        .label = "name",
    });
}
