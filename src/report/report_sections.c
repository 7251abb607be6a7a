/* report_sections.c - how a forecast reads: summary, partition, concurrency, performance, energy, memory,
 * rows, advice, checks. Only layout: every figure comes from the tree that report_forecast.c made.
 */
#include "report/report.h"
#include "report/write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const rg_column summary[] = {
    {"latency_s", "latency", RG_UNIT_SECOND, false},
    {"throughput_per_s", "inputs per second", RG_UNIT_COUNT, false},
    {"energy_j", "energy", RG_UNIT_JOULE, false},
    {"power_w", "power", RG_UNIT_WATT, false},
    {"peak_memory_byte", "memory", RG_UNIT_BYTE, false},
    {"bound", "bound by", RG_UNIT_NONE, false},
    {"interval", "interval", RG_UNIT_NONE, false},
    {"notes", "assumed", RG_UNIT_NONE, false},
};
static const rg_column model[] = {
    {"graph.parameters", "parameters", RG_UNIT_COUNT, false},
    {"graph.macs", "MACs", RG_UNIT_COUNT, false},
    {"graph.flops", "FLOPs", RG_UNIT_COUNT, false},
    {"graph.weight_byte", "weights", RG_UNIT_BYTE, false},
    {"graph.activation_byte", "activations (sum)", RG_UNIT_BYTE, false},
};
static const rg_column kinds[] = {
    {"kind", "kind of row", RG_UNIT_NONE, false},
    {"rows", "rows", RG_UNIT_COUNT, false},
    {"flops", "FLOPs", RG_UNIT_COUNT, false},
    {"latency_s", "time", RG_UNIT_SECOND, true},
};
static const rg_column concurrency[] = {
    {"stages", "stages", RG_UNIT_COUNT, false},
    {"rows_per_stage", "rows per stage", RG_UNIT_COUNT, false},
    {"critical_rows", "rows on the critical path", RG_UNIT_COUNT, false},
    {"critical_s", "critical path", RG_UNIT_SECOND, false},
    {"critical_flops", "operations on it", RG_UNIT_COUNT, false},
    {"parallel_flops", "operations beside it", RG_UNIT_COUNT, false},
    {"graph_speed_up_limit", "speed-up limit of parallel rows (x)", RG_UNIT_NONE, false},
    {"batch_parallelism", "widest batch of a row", RG_UNIT_COUNT, false},
    {"overlap_s", "overlap used", RG_UNIT_SECOND, false},
};
static const rg_column performance[] = {
    {"compute_s", "limited by compute", RG_UNIT_SECOND, false},
    {"memory_s", "limited by memory", RG_UNIT_SECOND, false},
    {"overhead_s", "launch, waves, padding", RG_UNIT_SECOND, false},
    {"graph_s", "fixed cost", RG_UNIT_SECOND, false},
    {"utilization", "mean utilization", RG_UNIT_FRACTION, false},
    {"flops_per_s", "achieved FLOP/s", RG_UNIT_COUNT, false},
    {"core_clock_hz", "core clock", RG_UNIT_HERTZ, false},
    {"power_capped", "lowered by the power cap", RG_UNIT_NONE, false},
};
static const rg_column level_limits[] = {
    {"name", "resource", RG_UNIT_NONE, false},
    {"byte", "moved", RG_UNIT_BYTE, false},
    {"binds_s", "time that it limits", RG_UNIT_SECOND, true},
};
static const rg_column bounds[] = {
    {"bound", "bound by", RG_UNIT_NONE, false},
    {"rows", "rows", RG_UNIT_COUNT, false},
    {"latency_s", "time", RG_UNIT_SECOND, false},
    {"share", "share", RG_UNIT_FRACTION, true},
};
static const rg_column energy[] = {
    {"compute_j", "compute", RG_UNIT_JOULE, false},
    {"memory_j", "memory", RG_UNIT_JOULE, false},
    {"static_j", "idle, leakage, clocks", RG_UNIT_JOULE, false},
    {"wasted_j", "of it wasted on idle units", RG_UNIT_JOULE, false},
    {"average_power_w", "average power", RG_UNIT_WATT, false},
    {"peak_power_w", "highest power of a row", RG_UNIT_WATT, false},
    {"idle_w", "idle power", RG_UNIT_WATT, false},
    {"cap_w", "power cap", RG_UNIT_WATT, false},
    {"flops_per_j", "FLOP per joule", RG_UNIT_COUNT, false},
    {"origin", "origin", RG_UNIT_NONE, false},
};
static const rg_column evidence[] = {
    {"key", "learned from", RG_UNIT_NONE, false},
    {"time_s", "time", RG_UNIT_SECOND, true},
    {"device", "device", RG_UNIT_NONE, false},
    {"how", "which", RG_UNIT_NONE, false},
    {"measurements", "measurements", RG_UNIT_COUNT, false},
    {"spread", "90 % within (x)", RG_UNIT_NONE, false},
    {"outside", "features outside", RG_UNIT_COUNT, false},
};
static const rg_column top_energy[] = {
    {"name", "row", RG_UNIT_NONE, false},
    {"energy_j", "energy", RG_UNIT_JOULE, false},
    {"compute_j", "compute", RG_UNIT_JOULE, false},
    {"memory_j", "memory", RG_UNIT_JOULE, false},
    {"static_j", "static", RG_UNIT_JOULE, false},
    {"share", "share", RG_UNIT_FRACTION, true},
};
static const rg_column memory[] = {
    {"peak_byte", "peak", RG_UNIT_BYTE, false},
    {"activation_byte", "block of activations and caches", RG_UNIT_BYTE, false},
    {"buffers", "buffers", RG_UNIT_COUNT, false},
    {"reuse", "reuse (x)", RG_UNIT_NONE, false},
    {"peak_row", "fullest at", RG_UNIT_NONE, false},
};
static const rg_column memory_items[] = {
    {"name", "what it holds", RG_UNIT_NONE, false},
    {"byte", "bytes", RG_UNIT_BYTE, true},
    {"text", "that is", RG_UNIT_NONE, false},
};
static const rg_column remedies[] = {
    {"name", "would be", RG_UNIT_NONE, false},
    {"peak_memory_byte", "memory", RG_UNIT_BYTE, true},
    {"fits", "fits", RG_UNIT_NONE, false},
    {"estimated", "estimate", RG_UNIT_NONE, false},
};
static const rg_column fits[] = {
    {"level", "level", RG_UNIT_NONE, false},
    {"usable_byte", "usable", RG_UNIT_BYTE, false},
    {"needed_byte", "needed", RG_UNIT_BYTE, false},
    {"fits", "fits", RG_UNIT_NONE, false},
};
static const rg_column rows_short[] = {
    {"name", "row", RG_UNIT_NONE, false},
    {"kind", "kind", RG_UNIT_NONE, false},
    {"flops", "FLOPs", RG_UNIT_COUNT, false},
    {"byte", "bytes", RG_UNIT_BYTE, false},
    {"latency_s.value", "time", RG_UNIT_SECOND, true},
    {"utilization", "used", RG_UNIT_FRACTION, false},
    {"bound", "bound by", RG_UNIT_NONE, false},
};
static const rg_column rows_terms[] = {
    {"name", "row", RG_UNIT_NONE, false},
    {"latency_s.value", "time", RG_UNIT_SECOND, false},
    {"terms[0].time_s", "busy", RG_UNIT_SECOND, false},
    {"terms[1].time_s", "launch", RG_UNIT_SECOND, false},
    {"terms[2].time_s", "tail", RG_UNIT_SECOND, false},
    {"terms[3].time_s", "correction", RG_UNIT_SECOND, false},
    {"limits[0].time_s", "compute limit", RG_UNIT_SECOND, false},
    {"binds", "binds", RG_UNIT_NONE, false},
    {"mapping.waves", "waves", RG_UNIT_COUNT, false},
    {"mapping.occupancy", "occupancy", RG_UNIT_FRACTION, false},
    {"energy_j.value", "energy", RG_UNIT_JOULE, false},
};
static const rg_column rows_why[] = {
    {"name", "row", RG_UNIT_NONE, false},
    {"why", "why", RG_UNIT_NONE, false},
};
static const rg_column checks[] = {
    {"pass", "pass", RG_UNIT_NONE, false},
    {"name", "check", RG_UNIT_NONE, false},
    {"text", "what was seen", RG_UNIT_NONE, false},
};

#define FIELDS(doc, item, columns) rg_doc_fields((doc), (item), (columns), RG_COUNT(columns))
#define TABLE(doc, name, item, columns, limit) \
    rg_doc_table((doc), (name), (item), (columns), RG_COUNT(columns), (limit))

static const char *text_at(const rg_item *item, const char *path)
{
    const rg_item *found = rg_item_find(item, path);
    return found && found->kind == RG_ITEM_STRING ? found->string : "";
}

/* ---- sections ---- */

static bool flag_at(const rg_item *item, const char *path)
{
    const rg_item *found = rg_item_find(item, path);
    return found && found->kind == RG_ITEM_BOOL && found->flag;
}

/* The first that fits; they come from the mildest to the hardest. */
static const rg_item *remedy_of(const rg_item *result)
{
    const rg_item *list = rg_item_find(result, "remedies"), *r = list ? list->first : NULL;
    while (r && !flag_at(r, "fits")) r = r->next;
    return r;
}

void rg_misfit_say(rg_doc *doc, const rg_item *result, bool named)
{
    char need[32], have[32], then[32], helps[96] = "nothing that was tried would";
    const rg_item *remedy = remedy_of(result);
    if (flag_at(result, "fits")) return;
    rg_unit_print(need, sizeof need, rg_cell_number(result, "peak_memory_byte.value"), RG_UNIT_BYTE);
    rg_unit_print(have, sizeof have, rg_cell_number(result, "usable_memory_byte"), RG_UNIT_BYTE);
    if (remedy) {
        rg_unit_print(then, sizeof then, rg_cell_number(remedy, "peak_memory_byte"), RG_UNIT_BYTE);
        rg_str_print(helps, sizeof helps, "%s would (%s%s)", text_at(remedy, "name"), then,
                     flag_at(remedy, "estimated") ? " a device, an estimate" : "");
    }
    rg_doc_point(doc, "%s%s%sdoes not fit: %s of %s usable; %s", named ? text_at(result, "model") : "",
                 named ? " on " : "", named ? text_at(result, "device") : "", need, have, helps);
}

static void show_summary(rg_doc *doc, const rg_item *result, const rg_forecast *f)
{
    const rg_plan *plan = f->plan;
    const char *name = plan->device->name;
    rg_doc_section(doc, 1, "%s on %s with %s", text_at(result, "model"), name, plan->runtime->id);
    rg_misfit_say(doc, result, false);
    if (plan->device->modelled)
        rg_doc_say(doc, "%s is modelled: no silicon to compare with, not validated.", name);
    /* the last says what was assumed */
    rg_doc_fields(doc, result, summary, RG_COUNT(summary) - !plan->graph->notes);
}

static void show_partition(rg_doc *doc, const rg_item *result, const rg_plan *plan)
{
    const rg_item *partition = rg_item_find(result, "partition");
    char saved[32];
    rg_unit_print(saved, sizeof saved, rg_cell_number(partition, "saved_byte"), RG_UNIT_BYTE);
    rg_doc_section(doc, 2, "Partition");
    rg_doc_say(doc, "%u nodes run as %u rows; grouping keeps %s of traffic off memory.",
               plan->facts->step_count, plan->row_count, saved);
    TABLE(doc, "kinds", rg_item_find(partition, "kinds"), kinds, 0);
    rg_result_chart(doc, result, "mix_time");
    rg_result_chart(doc, result, "mix_flops");
    rg_doc_say(doc, "Rows by independent results, which are the threads that can work on one:");
    rg_doc_bars(doc, rg_item_find(partition, "parallelism"), "bucket", "rows", RG_UNIT_COUNT);
    rg_doc_say(doc, "Rows by arithmetic intensity, in FLOP per byte that they must move:");
    rg_doc_bars(doc, rg_item_find(partition, "intensity"), "bucket", "rows", RG_UNIT_COUNT);
}

static void show_concurrency(rg_doc *doc, const rg_item *result)
{
    const rg_item *c = rg_item_find(result, "concurrency");
    double overlap = rg_cell_number(c, "overlap_s");
    rg_doc_section(doc, 2, "Concurrency");
    FIELDS(doc, c, concurrency);
    rg_doc_say(doc, "Rows side by side could make it %.3g times as fast at most: the longest path stays. "
               "This runtime %s.", rg_cell_number(c, "graph_speed_up_limit"),
               overlap < 0 ? "uses a part of that" : "runs one row after the other");
    rg_result_chart(doc, result, "timeline");
}

/* Layers repeat: rows of one kind with the same reason are told together. */
typedef struct alike { const rg_item *row; double time_s; uint32_t count; } alike;
enum { SLOWEST_MAX = 5 };

static bool is_alike(const rg_item *a, const rg_item *b)
{
    bool same_kind = strcmp(text_at(a, "kind"), text_at(b, "kind")) == 0;
    return same_kind && strcmp(text_at(a, "why"), text_at(b, "why")) == 0;
}

/* The slowest row that is not like one of the groups, with all that are like it; row NULL: none is left. */
static alike next_slowest(const rg_item *rows, const alike *groups, int count)
{
    alike worst = {0};
    double longest = 0;
    for (const rg_item *row = rows->first; row; row = row->next) {
        double time = rg_cell_number(row, "total_s");
        bool told = time <= longest;
        for (int i = 0; i < count && !told; i++) told = is_alike(row, groups[i].row);
        if (!told) worst.row = row, longest = time;
    }
    for (const rg_item *row = rows->first; worst.row && row; row = row->next)
        if (is_alike(row, worst.row)) worst.time_s += rg_cell_number(row, "total_s"), worst.count++;
    return worst;
}

static int by_time(const void *a, const void *b)
{
    const alike *x = a, *y = b;
    return (x->time_s < y->time_s) - (x->time_s > y->time_s);
}

static void show_slowest(rg_doc *doc, const rg_item *rows)
{
    alike groups[SLOWEST_MAX];
    double sum = 0;
    int count = 0;
    for (const rg_item *row = rows ? rows->first : NULL; row; row = row->next)
        sum += rg_cell_number(row, "total_s");
    for (; sum > 0 && count < SLOWEST_MAX; count++) {
        groups[count] = next_slowest(rows, groups, count);
        if (!groups[count].row) break;
    }
    if (!count) return;
    qsort(groups, (size_t)count, sizeof *groups, by_time);
    rg_doc_say(doc, "The slowest rows, those alike together:");
    for (const alike *g = groups; g < groups + count; g++) {
        char time[32];
        rg_unit_print(time, sizeof time, g->time_s, RG_UNIT_SECOND);
        rg_doc_point(doc, "%s (%s, %u row%s): %s, %.3g %% of all rows; %s", text_at(g->row, "name"),
                     text_at(g->row, "kind"), g->count, g->count > 1 ? "s" : "", time, 100 * g->time_s / sum,
                     text_at(g->row, "why"));
    }
}

static void show_performance(rg_doc *doc, const rg_item *result)
{
    const rg_item *performance_item = rg_item_find(result, "performance");
    rg_doc_section(doc, 2, "Performance");
    FIELDS(doc, performance_item, performance);
    rg_result_chart(doc, result, "roofline");
    TABLE(doc, "bounds", rg_item_find(performance_item, "bounds"), bounds, 0);
    rg_doc_say(doc, "Rows by utilization of their unit:");
    rg_doc_bars(doc, rg_item_find(result, "partition.utilization"), "bucket", "rows", RG_UNIT_COUNT);
    rg_result_chart(doc, result, "utilization");
    TABLE(doc, "limits", rg_item_find(result, "performance.limits"), level_limits, 0);
    show_slowest(doc, rg_item_find(result, "rows"));
}

static void show_evidence(rg_doc *doc, const rg_item *result)
{
    const rg_item *list = rg_item_find(result, "evidence");
    if (!list || !list->count) return;
    rg_doc_section(doc, 2, "Evidence");
    rg_doc_say(doc, "Measurements corrected the analytic time of these rows, in their term `correction`:");
    TABLE(doc, "evidence", list, evidence, 0);
}

static void show_energy(rg_doc *doc, const rg_item *result, const rg_forecast *f, int explain)
{
    rg_doc_section(doc, 2, "Energy");
    FIELDS(doc, rg_item_find(result, "energy"), energy);
    if (f->plan->device->cap_w > 0 && f->peak_power_w > f->plan->device->cap_w)
        rg_doc_say(doc, "The cap holds for the average of an inference; single rows draw more for a moment.");
    rg_result_chart(doc, result, "energy");
    TABLE(doc, "top_energy", rg_item_find(result, "energy.top"), top_energy, explain >= 2 ? 10 : 5);
}

static void show_timeline(rg_doc *doc, const rg_item *result)
{
    char peak[32];
    double most = rg_cells_max(rg_item_find(result, "memory.timeline_byte"), "");
    if (most <= 0) return;
    rg_unit_print(peak, sizeof peak, most, RG_UNIT_BYTE);
    rg_doc_say(doc, "Activations alive, from the first row to the last; the highest is %s:", peak);
    rg_result_chart(doc, result, "activations");
    rg_result_chart(doc, result, "memory");
}

static void show_memory(rg_doc *doc, const rg_item *result)
{
    rg_doc_section(doc, 2, "Memory");
    TABLE(doc, "memory_items", rg_item_find(result, "memory_items"), memory_items, 0);
    rg_result_chart(doc, result, "memory_items");
    FIELDS(doc, rg_item_find(result, "memory"), memory);
    if (!flag_at(result, "fits")) {
        rg_misfit_say(doc, result, false);
        TABLE(doc, "remedies", rg_item_find(result, "remedies"), remedies, 0);
    }
    show_timeline(doc, result);
    rg_doc_say(doc, "A cache that holds weights and activations keeps them off the next level; main memory "
               "holds everything.");
    TABLE(doc, "fits", rg_item_find(result, "memory.fits"), fits, 0);
}

static void show_rows(rg_doc *doc, const rg_item *result, int explain)
{
    const rg_item *rows = rg_item_find(result, "rows");
    rg_doc_section(doc, 2, "Rows, in execution order");
    TABLE(doc, "rows", rows, rows_short, explain >= 2 ? 0 : 12);
    if (explain >= 2) TABLE(doc, "why", rows, rows_why, 0);
    if (explain >= 3) TABLE(doc, "terms", rows, rows_terms, 0);
}

static void show_advice(rg_doc *doc, const rg_item *result)
{
    const rg_item *advice = rg_item_find(result, "advice");
    rg_doc_section(doc, 2, "What would help");
    if (!advice || !advice->count)
        rg_doc_say(doc, "Nothing that was tried gains 2 %% of time or energy, or 4 %% of memory.");
    for (const rg_item *a = advice ? advice->first : NULL; a; a = a->next)
        rg_doc_point(doc, "%s", text_at(a, "text"));
}

static void show_checks(rg_doc *doc, const rg_item *result, const rg_forecast *f)
{
    uint32_t failed = 0;
    for (uint32_t i = 0; i < f->check_count; i++) failed += !f->checks[i].pass;
    rg_doc_section(doc, 2, "Checks");
    rg_doc_say(doc, "%u passed, %u failed.", f->check_count - failed, failed);
    TABLE(doc, "checks", rg_item_find(result, "checks"), checks, 0);
}

void rg_result_show(rg_doc *doc, const rg_item *result, const rg_forecast *f, int explain)
{
    show_summary(doc, result, f);
    if (explain < 1) {
        rg_cost_show(doc, result, f, explain);
        return;
    }
    FIELDS(doc, result, model);
    show_partition(doc, result, f->plan);
    show_concurrency(doc, result);
    show_performance(doc, result);
    show_evidence(doc, result);
    show_energy(doc, result, f, explain);
    rg_cost_show(doc, result, f, explain);
    show_memory(doc, result);
    show_rows(doc, result, explain);
    show_advice(doc, result);
    show_checks(doc, result, f);
}
