/* report_forecast.c - the tree of "ridge.predict/1": every figure of a forecast once, with its terms.
 *
 * results[] -> summary figures, partition, concurrency, performance, energy, memory_items[], remedies[],
 * memory, advice[], checks[], rows[]
 */
#include "predict/link.h"
#include "report/report.h"

#include <math.h>
#include <string.h>

typedef struct adding { rg_ctx *cx; rg_doc *doc; const rg_forecast *f; } adding;

static void add_histogram(const adding *a, rg_item *parent, const char *key, const char *const *names,
                          const uint32_t *counts, int n)
{
    rg_item *array = rg_doc_array(a->doc, parent, key);
    double all = fmax(a->f->plan->row_count, 1);
    for (int i = 0; i < n; i++) {
        rg_item *bucket = rg_doc_object(a->doc, array, NULL);
        rg_doc_str(a->doc, bucket, "bucket", names[i]);
        rg_doc_int(a->doc, bucket, "rows", counts[i]);
        rg_doc_real(a->doc, bucket, "share", counts[i] / all);
    }
}

/* Rows of the same rule or operator, in the order in which the first of each runs. */
static rg_err add_kinds(const adding *a, rg_item *partition)
{
    typedef struct kind { const char *name; uint32_t rows; double flops, latency_s; } kind;
    const rg_plan *plan = a->f->plan;
    kind *kinds = RG_NEW(&a->cx->arena, kind, plan->row_count + 1);
    uint32_t count = 0;
    rg_map index;
    rg_map_init(&index, &a->cx->arena);
    if (!kinds) return rg_nomem(a->cx);
    for (uint32_t r = 0; r < plan->row_count; r++) {
        rg_str name = rg_str_of(plan->rows[r].kind);
        uint32_t at = rg_map_get(&index, name);
        if (!at && !rg_map_put(&index, name, at = ++count)) return rg_nomem(a->cx);
        kinds[at].name = plan->rows[r].kind;
        kinds[at].rows++;
        kinds[at].flops += plan->rows[r].work.flop * plan->rows[r].times;
        kinds[at].latency_s += a->f->rows[r].total_s;
    }
    rg_item *array = rg_doc_array(a->doc, partition, "kinds");
    for (uint32_t i = 1; i <= count; i++) {
        rg_item *item = rg_doc_object(a->doc, array, NULL);
        rg_doc_str(a->doc, item, "kind", kinds[i].name);
        rg_doc_int(a->doc, item, "rows", kinds[i].rows);
        rg_doc_real(a->doc, item, "flops", kinds[i].flops);
        rg_doc_real(a->doc, item, "latency_s", kinds[i].latency_s);
    }
    return RG_OK;
}

static rg_err add_partition(const adding *a, rg_item *result)
{
    const rg_plan *plan = a->f->plan;
    static const char *const tenths[] = {"0 - 10 %", "10 - 20 %", "20 - 30 %", "30 - 40 %", "40 - 50 %",
                                         "50 - 60 %", "60 - 70 %", "70 - 80 %", "80 - 90 %", "90 - 100 %"};
    uint32_t threads[RG_THREAD_BUCKETS] = {0}, intensity[RG_INTENSITY_BUCKETS] = {0};
    uint32_t used[RG_COUNT(tenths)] = {0};
    double saved = 0;
    rg_item *p = rg_doc_object(a->doc, result, "partition");
    rg_doc_int(a->doc, p, "nodes", plan->facts->step_count);
    rg_doc_int(a->doc, p, "rows", plan->row_count);
    for (uint32_t r = 0; r < plan->row_count; r++) {
        threads[rg_thread_bucket(plan->rows[r].width.threads)]++;
        intensity[rg_intensity_bucket(a->f->rows[r].intensity)]++;
        used[(int)fmin(9, fmax(0, a->f->rows[r].utilization * 10))]++;
        saved += plan->rows[r].saved_byte * plan->rows[r].times;
    }
    rg_doc_real(a->doc, p, "saved_byte", saved);
    RG_TRY(add_kinds(a, p));
    add_histogram(a, p, "parallelism", rg_thread_bucket_name, threads, RG_THREAD_BUCKETS);
    add_histogram(a, p, "intensity", rg_intensity_bucket_name, intensity, RG_INTENSITY_BUCKETS);
    add_histogram(a, p, "utilization", tenths, used, RG_COUNT(tenths));
    return RG_OK;
}

static void add_concurrency(const adding *a, rg_item *result)
{
    const rg_plan *plan = a->f->plan;
    const rg_facts *facts = plan->facts;
    double rows_s = 0, batch = 1;
    for (uint32_t r = 0; r < plan->row_count; r++) {
        rows_s += a->f->rows[r].total_s;
        batch = fmax(batch, plan->rows[r].width.batch);
    }
    rg_item *c = rg_doc_object(a->doc, result, "concurrency");
    rg_doc_int(a->doc, c, "stages", plan->stage_count);
    rg_doc_int(a->doc, c, "critical_rows", a->f->critical_count);
    rg_doc_real(a->doc, c, "critical_s", a->f->critical_s);
    rg_doc_real(a->doc, c, "critical_flops", facts->critical_flop);
    double all = facts->flop + facts->special;
    rg_doc_real(a->doc, c, "parallel_flops", fmax(all - facts->critical_flop, 0));
    rg_doc_real(a->doc, c, "rows_per_stage", plan->row_count / fmax(plan->stage_count, 1));
    rg_doc_real(a->doc, c, "graph_speed_up_limit", a->f->critical_s > 0 ? rows_s / a->f->critical_s : 1);
    rg_doc_real(a->doc, c, "batch_parallelism", batch);
    rg_doc_real(a->doc, c, "overlap_s", a->f->overlap_s);
    rg_item *path = rg_doc_array(a->doc, c, "critical_path");
    for (uint32_t i = 0; i < a->f->critical_count; i++) rg_doc_int(a->doc, path, NULL, a->f->critical[i]);
}

static double row_time(const rg_row_cost *c) { return c->total_s; }
static double row_energy(const rg_row_cost *c) { return c->energy_j; }

/* Indices of the rows that cost most, the costliest first. */
static uint32_t top_rows(const rg_forecast *f, double (*cost)(const rg_row_cost *c), uint32_t *rows)
{
    uint32_t count = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        uint32_t at = count;
        while (at > 0 && cost(&f->rows[r]) > cost(&f->rows[rows[at - 1]])) at--;
        if (at == RG_TOP_ROWS || cost(&f->rows[r]) <= 0) continue;
        if (count < RG_TOP_ROWS) count++;
        memmove(rows + at + 1, rows + at, (count - at - 1) * sizeof *rows);
        rows[at] = r;
    }
    return count;
}

uint32_t rg_slowest_rows(const rg_forecast *f, uint32_t rows[RG_TOP_ROWS])
{
    return top_rows(f, row_time, rows);
}

static void add_slowest(const adding *a, rg_item *performance, double total_s)
{
    char why[512];
    rg_item *top = rg_doc_array(a->doc, performance, "top");
    uint32_t rows[RG_TOP_ROWS], count = rg_slowest_rows(a->f, rows);
    for (uint32_t i = 0; i < count; i++) {
        rg_item *item = rg_doc_object(a->doc, top, NULL);
        rg_doc_int(a->doc, item, "row", rows[i]);
        rg_doc_str(a->doc, item, "name", a->f->plan->rows[rows[i]].name);
        rg_doc_real(a->doc, item, "total_s", a->f->rows[rows[i]].total_s);
        rg_doc_real(a->doc, item, "share", total_s > 0 ? a->f->rows[rows[i]].total_s / total_s : 0);
        rg_doc_str(a->doc, item, "why", rg_row_why(a->f, rows[i], why, sizeof why));
    }
}

/* Busy time by the resource that is the longest of each row: compute, one memory level, or the links. */
static void add_limits(const adding *a, rg_item *performance)
{
    const rg_device *device = a->f->plan->device;
    size_t link = device->level_count + 1;
    double time[RG_LEVEL_LIMIT + 2] = {0}, bytes[RG_LEVEL_LIMIT + 2] = {0};
    rg_collective_terms moved;
    for (uint32_t r = 0; r < a->f->plan->row_count; r++) {
        const rg_row_cost *c = &a->f->rows[r];
        double times = c->latency_s > 0 ? c->total_s / c->latency_s : 0;
        if (c->limit_count) time[c->binding] += c->terms_s[RG_TERM_BUSY] * times;
        for (int i = 1; i < c->limit_count && i < (int)link; i++)
            bytes[i] += a->f->plan->rows[r].tiling.traffic_byte[i - 1] * times;
        if (a->f->plan->rows[r].family != RG_FAMILY_COLLECTIVE) continue;
        rg_collective_row_s(a->f->plan, &a->f->plan->rows[r], &moved);
        bytes[link] += moved.wire_byte * times;
    }
    rg_item *limits = rg_doc_array(a->doc, performance, "limits");
    for (size_t i = 0; i <= link; i++) {
        if (i == link && bytes[i] == 0) break;
        rg_item *limit = rg_doc_object(a->doc, limits, NULL);
        rg_doc_str(a->doc, limit, "name", !i ? "compute" : i < link ? device->levels[i - 1].name : "links");
        rg_doc_real(a->doc, limit, "binds_s", time[i]);
        if (i) rg_doc_real(a->doc, limit, "byte", bytes[i]);
    }
}

static void add_roof(const adding *a, rg_item *roofs, const char *name, double byte_per_s, double op_per_s)
{
    rg_item *roof = rg_doc_object(a->doc, roofs, NULL);
    rg_doc_str(a->doc, roof, "name", name);
    rg_doc_real(a->doc, roof, "byte_per_s", byte_per_s);
    rg_doc_real(a->doc, roof, "op_per_s", op_per_s);
}

/* What the machine allows at most: its memory levels, and the units that compute rows, at the clock of the
 * forecast. */
static void add_roofs(const adding *a, rg_item *performance)
{
    const rg_plan *plan = a->f->plan;
    const rg_device *device = plan->device;
    rg_item *roofs = rg_doc_array(a->doc, performance, "roofs");
    for (size_t i = 0; i < device->level_count; i++)
        add_roof(a, roofs, device->levels[i].name, device->levels[i].read_byte_per_s, NAN);
    for (uint32_t r = 0; r < plan->row_count; r++) {
        const rg_row *row = &plan->rows[r];
        bool known = a->f->rows[r].limit_count == 0; /* costs nothing: runs on no unit */
        for (uint32_t q = 0; q < r && !known; q++)
            known = plan->rows[q].peak == row->peak && a->f->rows[q].limit_count > 0;
        if (known) continue;
        char name[96];
        bool one = device->engine_count == 1;
        snprintf(name, sizeof name, "%s%s%s %s", one ? "" : device->engines[row->peak->engine].id,
                 one ? "" : " ", rg_unit_kind_name(row->peak->unit), rg_hw_dtype_name(row->peak->dtype));
        add_roof(a, roofs, name, NAN, rg_row_rate(row, a->f->clock_hz));
    }
}

static void add_performance(const adding *a, rg_item *result)
{
    const rg_forecast *f = a->f;
    double bounds[RG_BOUND_COUNT] = {0}, weighted = 0, total = 0, latency_s = f->latency_s.value;
    uint32_t counts[RG_BOUND_COUNT] = {0};
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        bounds[f->rows[r].bound] += f->rows[r].total_s;
        counts[f->rows[r].bound]++;
        weighted += f->rows[r].utilization * f->rows[r].total_s;
        total += f->rows[r].total_s;
    }
    rg_item *p = rg_doc_object(a->doc, result, "performance");
    rg_doc_real(a->doc, p, "compute_s", f->compute_s);
    rg_doc_real(a->doc, p, "memory_s", f->memory_s);
    rg_doc_real(a->doc, p, "overhead_s", f->overhead_s);
    rg_doc_real(a->doc, p, "graph_s", f->graph_s);
    rg_doc_real(a->doc, p, "utilization", total > 0 ? weighted / total : 0);
    rg_doc_real(a->doc, p, "flops_per_s", latency_s > 0 ? f->plan->facts->flop / latency_s : 0);
    rg_doc_real(a->doc, p, "core_clock_hz", f->clock_hz);
    rg_doc_flag(a->doc, p, "power_capped", f->capped);
    rg_item *bound = rg_doc_array(a->doc, p, "bounds");
    for (int i = 0; i < RG_BOUND_COUNT; i++) {
        if (!counts[i]) continue;
        rg_item *b = rg_doc_object(a->doc, bound, NULL);
        rg_doc_str(a->doc, b, "bound", rg_bound_name((rg_bound)i));
        rg_doc_int(a->doc, b, "rows", counts[i]);
        rg_doc_real(a->doc, b, "latency_s", bounds[i]);
        rg_doc_real(a->doc, b, "share", total > 0 ? bounds[i] / total : 0);
    }
    add_limits(a, p);
    add_roofs(a, p);
    add_slowest(a, p, total);
}

static void add_top_energy(const adding *a, rg_item *energy)
{
    rg_item *top = rg_doc_array(a->doc, energy, "top");
    uint32_t rows[RG_TOP_ROWS], count = top_rows(a->f, row_energy, rows);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t best = rows[i];
        const rg_row_cost *c = &a->f->rows[best];
        rg_item *item = rg_doc_object(a->doc, top, NULL);
        rg_doc_int(a->doc, item, "row", best);
        rg_doc_str(a->doc, item, "name", a->f->plan->rows[best].name);
        rg_doc_real(a->doc, item, "energy_j", c->energy_j);
        rg_doc_real(a->doc, item, "compute_j", c->energy.compute_j);
        rg_doc_real(a->doc, item, "memory_j", c->energy.memory_j);
        rg_doc_real(a->doc, item, "static_j", c->energy.static_j);
        rg_doc_real(a->doc, item, "share", a->f->energy_j.value > 0 ? c->energy_j / a->f->energy_j.value : 0);
    }
}

static void add_energy(const adding *a, rg_item *result)
{
    const rg_forecast *f = a->f;
    double joules = f->energy_j.value;
    rg_item *e = rg_doc_object(a->doc, result, "energy");
    rg_doc_real(a->doc, e, "compute_j", f->energy.compute_j);
    rg_doc_real(a->doc, e, "memory_j", f->energy.memory_j);
    rg_doc_real(a->doc, e, "static_j", f->energy.static_j);
    rg_doc_real(a->doc, e, "wasted_j", f->wasted_j);
    rg_doc_real(a->doc, e, "average_power_w", f->power_w.value);
    rg_doc_real(a->doc, e, "peak_power_w", f->peak_power_w);
    rg_doc_real(a->doc, e, "idle_w", f->plan->device->idle_w);
    rg_doc_real(a->doc, e, "cap_w", f->plan->device->cap_w);
    rg_doc_real(a->doc, e, "flops_per_j", joules > 0 ? f->plan->facts->flop / joules : 0);
    rg_doc_str(a->doc, e, "origin", "estimated");
    add_top_energy(a, e);
}

/* What the peak is made of; whether main memory holds it, and if not, what would make it. */
static rg_err add_memory_items(const adding *a, rg_item *result)
{
    rg_memory_item items[RG_MEMORY_ITEMS];
    const rg_remedy *remedies;
    uint32_t remedy_count;
    double room = rg_forecast_room_byte(a->f), peak = a->f->plan->peak_byte;
    rg_item *list = rg_doc_array(a->doc, result, "memory_items");
    for (int i = 0, count = rg_plan_memory_items(a->f->plan, items); i < count; i++) {
        rg_item *item = rg_doc_object(a->doc, list, NULL);
        rg_doc_str(a->doc, item, "name", items[i].name);
        rg_doc_real(a->doc, item, "byte", items[i].byte);
        rg_doc_str(a->doc, item, "text", items[i].text);
    }
    rg_doc_real(a->doc, result, "usable_memory_byte", room);
    rg_doc_flag(a->doc, result, "fits", peak <= room);
    rg_doc_real(a->doc, result, "missing_memory_byte", fmax(peak - room, 0));
    RG_TRY(rg_forecast_mend(a->cx, a->f, &remedies, &remedy_count));
    list = rg_doc_array(a->doc, result, "remedies");
    for (uint32_t i = 0; i < remedy_count; i++) {
        rg_item *item = rg_doc_object(a->doc, list, NULL);
        rg_doc_str(a->doc, item, "name", remedies[i].name);
        rg_doc_str(a->doc, item, "text", remedies[i].text);
        rg_doc_real(a->doc, item, "peak_memory_byte", remedies[i].peak_byte);
        rg_doc_flag(a->doc, item, "fits", remedies[i].fits);
        rg_doc_flag(a->doc, item, "estimated", remedies[i].estimated);
    }
    return RG_OK;
}

static void add_memory(const adding *a, rg_item *result)
{
    const rg_plan *plan = a->f->plan;
    rg_item *m = rg_doc_object(a->doc, result, "memory");
    rg_doc_real(a->doc, m, "weight_byte", plan->weight_byte);
    rg_doc_real(a->doc, m, "activation_byte", (double)plan->block_byte);
    rg_doc_real(a->doc, m, "cache_byte", plan->cache_byte);
    rg_doc_real(a->doc, m, "workspace_byte", plan->workspace_byte);
    rg_doc_real(a->doc, m, "communication_byte", plan->communication_byte);
    rg_doc_real(a->doc, m, "runtime_byte", plan->overhead_byte);
    rg_doc_real(a->doc, m, "peak_byte", plan->peak_byte);
    rg_doc_int(a->doc, m, "buffers", plan->buffer_count);
    rg_doc_real(a->doc, m, "reuse", plan->reuse);
    rg_doc_int(a->doc, m, "pipeline_stages", plan->pipeline_count);
    rg_doc_str(a->doc, m, "peak_row", plan->row_count ? plan->rows[plan->peak_row].name : NULL);
    rg_item *fits = rg_doc_array(a->doc, m, "fits");
    for (size_t i = 0; i < plan->device->level_count; i++) {
        const rg_level *level = &plan->device->levels[i];
        double room = level->usable_byte * fmax(level->count, 1);
        bool last = i + 1 == plan->device->level_count;
        double need = last ? plan->peak_byte : plan->weight_byte + (double)plan->block_byte;
        rg_item *fit = rg_doc_object(a->doc, fits, NULL);
        rg_doc_str(a->doc, fit, "level", level->name);
        rg_doc_real(a->doc, fit, "usable_byte", room);
        rg_doc_real(a->doc, fit, "needed_byte", need);
        rg_doc_flag(a->doc, fit, "fits", need <= room);
    }
    rg_item *timeline = rg_doc_array(a->doc, m, "timeline_byte");
    for (uint32_t r = 0; r < plan->row_count; r++) rg_doc_real(a->doc, timeline, NULL, plan->live_byte[r]);
}

static void add_checks(const adding *a, rg_item *result)
{
    rg_item *checks = rg_doc_array(a->doc, result, "checks");
    for (uint32_t i = 0; i < a->f->check_count; i++) {
        rg_item *check = rg_doc_object(a->doc, checks, NULL);
        rg_doc_str(a->doc, check, "name", a->f->checks[i].name);
        rg_doc_flag(a->doc, check, "pass", a->f->checks[i].pass);
        rg_doc_str(a->doc, check, "text", a->f->checks[i].text);
    }
}

static rg_err add_advice(const adding *a, rg_item *result)
{
    const rg_advice *advice;
    uint32_t count;
    RG_TRY(rg_forecast_advise(a->cx, a->f, &advice, &count));
    rg_item *list = rg_doc_array(a->doc, result, "advice");
    for (uint32_t i = 0; i < count; i++) {
        rg_item *item = rg_doc_object(a->doc, list, NULL);
        rg_doc_str(a->doc, item, "name", advice[i].name);
        rg_doc_str(a->doc, item, "text", advice[i].text);
        rg_doc_real(a->doc, item, "gain_s", advice[i].gain_s);
        rg_doc_real(a->doc, item, "gain_j", advice[i].gain_j);
        rg_doc_real(a->doc, item, "gain_byte", advice[i].gain_byte);
    }
    return RG_OK;
}

static void add_interval(const adding *a, rg_item *result)
{
    const rg_forecast *f = a->f;
    if (f->spread > 0)
        rg_doc_text(a->doc, result, "interval",
                    "learned: 90 %% of measurements that were held out lie within a factor %.3g of such a "
                    "forecast; see evidence", exp(f->spread));
    else
        rg_doc_text(a->doc, result, "interval",
                    "a stated prior: real times lie within a factor %.2g of the forecast in 90 %% of cases; "
                    "not validated yet", f->plan->runtime->interval_factor);
}

/* What the learned terms rest on, [0] of each forecast left out. */
static void add_evidence(const adding *a, rg_item *result)
{
    rg_item *list = rg_doc_array(a->doc, result, "evidence");
    for (uint32_t i = 1; i < a->f->evidence_count; i++) {
        const rg_evidence *e = &a->f->evidence[i];
        double time_s = 0;
        for (uint32_t r = 0; r < a->f->plan->row_count; r++)
            if (a->f->rows[r].evidence == i) time_s += a->f->rows[r].total_s;
        rg_item *item = rg_doc_object(a->doc, list, NULL);
        rg_doc_str(a->doc, item, "key", e->key);
        rg_doc_real(a->doc, item, "time_s", time_s);
        rg_doc_str(a->doc, item, "device", e->device);
        rg_doc_str(a->doc, item, "how", e->how);
        rg_doc_int(a->doc, item, "measurements", e->rows);
        rg_doc_real(a->doc, item, "spread", e->spread > 0 ? exp(e->spread) : NAN);
        rg_doc_int(a->doc, item, "outside", e->outside);
        rg_doc_str(a->doc, item, "made_of", e->made_of);
        rg_doc_str(a->doc, item, "data_hash", e->data_hash);
    }
}

/* The size that stands for the batch: the first dimension of the first input. */
static int64_t batch_of(const rg_graph *g)
{
    const rg_region *main_region = &g->regions[RG_MAIN];
    const rg_type *type = main_region->input_count ? &g->values[main_region->inputs[0]].type : NULL;
    return type && type->rank > 0 ? rg_dim_value(&g->dims, type->dim[0]) : 1;
}

const char *rg_model_label(rg_arena *arena, const rg_graph *g)
{
    if (!g->source || !*g->source) return rg_arena_cstr(arena, g->name);
    rg_str path = rg_str_of(g->source), part, last = {"", 0}, folder = {"", 0};
    if (rg_str_starts(path, "zoo:")) return rg_arena_cstr(arena, g->name);
    while (rg_str_cut(&path, '/', &part)) folder = last, last = part;
    if (last.size > 5 && memcmp(last.data + last.size - 5, ".onnx", 5) == 0) last.size -= 5;
    return rg_arena_cstr(arena, rg_str_is(last, "model") && folder.size ? folder : last);
}

rg_err rg_result_add(rg_ctx *cx, rg_doc *doc, rg_item *results, const rg_forecast *f, rg_item **out)
{
    const rg_plan *plan = f->plan;
    adding a = {cx, doc, f};
    rg_item *r = *out = rg_doc_object(doc, results, NULL);
    rg_doc_str(doc, r, "model", rg_model_label(&cx->arena, plan->graph));
    rg_doc_str(doc, r, "source", plan->graph->source);
    rg_doc_str(doc, r, "device", plan->device->id);
    rg_doc_str(doc, r, "device_name", plan->device->name);
    rg_doc_flag(doc, r, "validated", f->spread > 0);
    rg_doc_str(doc, r, "runtime", plan->runtime->id);
    rg_doc_int(doc, r, "batch", batch_of(plan->graph));
    rg_doc_str(doc, r, "precision", plan->precision);
    rg_doc_quantity(doc, r, "latency_s", f->latency_s);
    rg_doc_quantity(doc, r, "energy_j", f->energy_j);
    rg_doc_quantity(doc, r, "power_w", f->power_w);
    rg_doc_quantity(doc, r, "peak_memory_byte", f->peak_memory_byte);
    double batch = (double)batch_of(plan->graph), latency_s = f->latency_s.value;
    rg_doc_real(doc, r, "throughput_per_s", latency_s > 0 ? batch / latency_s : 0);
    rg_cost_add(doc, r, f, batch);
    rg_doc_str(doc, r, "bound", f->bound);
    add_interval(&a, r);
    rg_doc_str(doc, r, "notes", plan->graph->notes);
    rg_item *hashes = rg_doc_object(doc, r, "hashes");
    rg_doc_text(doc, hashes, "graph_hash", "%016llx", (unsigned long long)rg_graph_hash(plan->graph));
    rg_doc_text(doc, hashes, "device_hash", "%016llx", (unsigned long long)plan->device->hash);
    rg_doc_text(doc, hashes, "runtime_hash", "%016llx", (unsigned long long)plan->runtime->hash);
    rg_doc_text(doc, hashes, "plan_hash", "%016llx", (unsigned long long)plan->hash);
    RG_TRY(rg_graph_fields(cx, doc, rg_doc_object(doc, r, "graph"), plan->facts));
    RG_TRY(add_partition(&a, r));
    add_concurrency(&a, r);
    add_performance(&a, r);
    add_energy(&a, r);
    add_evidence(&a, r);
    RG_TRY(add_memory_items(&a, r));
    add_memory(&a, r);
    RG_TRY(add_advice(&a, r));
    add_checks(&a, r);
    return rg_rows_add(cx, doc, rg_doc_array(doc, r, "rows"), f);
}

static const rg_column compared[] = {
    {"model", "model", RG_UNIT_NONE, false},
    {"device", "device", RG_UNIT_NONE, false},
    {"runtime", "runtime", RG_UNIT_NONE, false},
    {"precision", "precision", RG_UNIT_NONE, false},
    {"batch", "batch", RG_UNIT_COUNT, false},
    {"latency_s.value", "latency", RG_UNIT_SECOND, false},
    {"energy_j.value", "energy", RG_UNIT_JOULE, false},
    {"power_w.value", "power", RG_UNIT_WATT, false},
    {"peak_memory_byte.value", "memory", RG_UNIT_BYTE, false},
    {"bound", "bound by", RG_UNIT_NONE, false},
};

/* Among several results only the failed checks are named. */
static void say_failures(rg_doc *doc, const rg_item *result)
{
    const rg_item *checks = rg_item_find(result, "checks"), *model = rg_item_find(result, "model");
    const rg_item *device = rg_item_find(result, "device");
    for (const rg_item *c = checks ? checks->first : NULL; c; c = c->next) {
        const rg_item *pass = rg_item_find(c, "pass"), *name = rg_item_find(c, "name");
        const rg_item *text = rg_item_find(c, "text");
        if (!pass || pass->flag || !name || !text || !model || !device) continue;
        rg_doc_point(doc, "%s on %s fails the check '%s': %s", model->string, device->string, name->string,
                     text->string);
    }
}

static const rg_column priced[] = {
    {"cost_usd.value", "cost", RG_UNIT_USD, false},
    {"carbon_g.value", "CO2", RG_UNIT_GRAM, false},
};

/* Costs stand behind the rest where somebody asked for them. */
static void show_compared(rg_doc *doc, const rg_item *results, bool costs)
{
    rg_column columns[RG_COUNT(compared) + RG_COUNT(priced)];
    memcpy(columns, compared, sizeof compared);
    memcpy(columns + RG_COUNT(compared), priced, sizeof priced);
    rg_doc_table(doc, "results", results, columns, RG_COUNT(columns) - (costs ? 0 : RG_COUNT(priced)), 0);
}

static void show_all(rg_doc *doc, const rg_item *results, const rg_forecast *const *forecasts, size_t count,
                     int explain)
{
    if (count > 1) {
        show_compared(doc, results, forecasts[0]->rates != NULL);
        rg_results_charts(doc, results);
    }
    const rg_item *result = results->first;
    for (size_t i = 0; result; i++, result = result->next) {
        if (count == 1 || explain > 1) {
            rg_result_show(doc, result, forecasts[i], explain);
            continue;
        }
        rg_misfit_say(doc, result, true);
        say_failures(doc, result);
    }
}

rg_err rg_forecast_doc(rg_ctx *cx, const rg_forecast *const *forecasts, size_t count, int explain,
                       rg_doc **out)
{
    rg_doc *doc;
    RG_TRY(rg_doc_new(cx, "ridge.predict/1", &doc));
    rg_item *results = rg_doc_array(doc, rg_doc_root(doc), "results"), *result;
    rg_err err = RG_OK;
    for (size_t i = 0; i < count && !err; i++) err = rg_result_add(cx, doc, results, forecasts[i], &result);
    if (!err) err = rg_doc_done(cx, doc); /* what is shown has to be whole */
    if (!err) show_all(doc, results, forecasts, count, explain);
    if (!err) err = rg_doc_done(cx, doc);
    if (err) {
        rg_doc_free(doc);
        return err;
    }
    *out = doc;
    return RG_OK;
}
