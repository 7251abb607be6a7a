/* report_sections.c - how a forecast reads: summary, partition, concurrency, performance, energy, memory, advice, checks.
 * Only layout: every figure comes from the tree that report_forecast.c made.
 */
#include "report/report.h"

static const rg_column summary[] = {
    {"latency_s", "latency", RG_UNIT_SECOND, false}, {"throughput_per_s", "throughput /s", RG_UNIT_COUNT, false},
    {"energy_j", "energy", RG_UNIT_JOULE, false}, {"power_w", "power", RG_UNIT_WATT, false},
    {"peak_memory_byte", "memory", RG_UNIT_BYTE, false}, {"bound", "bound by", RG_UNIT_NONE, false},
    {"interval", "interval", RG_UNIT_NONE, false}, {"notes", "assumed", RG_UNIT_NONE, false},
};
static const rg_column model[] = {
    {"graph.parameters", "parameters", RG_UNIT_COUNT, false}, {"graph.macs", "MACs", RG_UNIT_COUNT, false},
    {"graph.flops", "FLOPs", RG_UNIT_COUNT, false}, {"graph.weight_byte", "weights", RG_UNIT_BYTE, false},
    {"graph.activation_byte", "activations", RG_UNIT_BYTE, false},
};
static const rg_column kinds[] = {
    {"kind", "kind of row", RG_UNIT_NONE, false}, {"rows", "rows", RG_UNIT_COUNT, false}, {"flops", "FLOPs", RG_UNIT_COUNT, false},
    {"latency_s", "time", RG_UNIT_SECOND, true},
};
static const rg_column concurrency[] = {
    {"stages", "stages", RG_UNIT_COUNT, false}, {"rows_per_stage", "rows per stage", RG_UNIT_COUNT, false},
    {"critical_rows", "rows on the critical path", RG_UNIT_COUNT, false}, {"critical_s", "critical path", RG_UNIT_SECOND, false},
    {"critical_flops", "FLOPs on it", RG_UNIT_COUNT, false}, {"parallel_flops", "FLOPs beside it", RG_UNIT_COUNT, false},
    {"graph_speed_up_limit", "speed-up limit of parallel rows (x)", RG_UNIT_NONE, false},
    {"batch_parallelism", "independent inputs", RG_UNIT_COUNT, false}, {"overlap_s", "overlap used", RG_UNIT_SECOND, false},
};
static const rg_column performance[] = {
    {"compute_s", "compute", RG_UNIT_SECOND, false}, {"memory_s", "memory", RG_UNIT_SECOND, false},
    {"overhead_s", "launch, waves, padding", RG_UNIT_SECOND, false}, {"graph_s", "fixed cost", RG_UNIT_SECOND, false},
    {"utilization", "mean utilization", RG_UNIT_FRACTION, false}, {"flops_per_s", "achieved FLOP/s", RG_UNIT_COUNT, false},
    {"core_clock_hz", "core clock", RG_UNIT_HERTZ, false}, {"power_capped", "lowered by the power cap", RG_UNIT_NONE, false},
};
static const rg_column bounds[] = {
    {"bound", "bound by", RG_UNIT_NONE, false}, {"rows", "rows", RG_UNIT_COUNT, false}, {"latency_s", "time", RG_UNIT_SECOND, false},
    {"share", "share", RG_UNIT_FRACTION, true},
};
static const rg_column energy[] = {
    {"compute_j", "compute", RG_UNIT_JOULE, false}, {"memory_j", "memory", RG_UNIT_JOULE, false},
    {"static_j", "idle, leakage, clocks", RG_UNIT_JOULE, false}, {"wasted_j", "of it wasted on idle units", RG_UNIT_JOULE, false},
    {"average_power_w", "average power", RG_UNIT_WATT, false}, {"peak_power_w", "highest row", RG_UNIT_WATT, false},
    {"idle_w", "idle power", RG_UNIT_WATT, false}, {"cap_w", "power cap", RG_UNIT_WATT, false},
    {"flops_per_j", "FLOP per joule", RG_UNIT_COUNT, false}, {"origin", "origin", RG_UNIT_NONE, false},
};
static const rg_column top_energy[] = {
    {"name", "row", RG_UNIT_NONE, false}, {"energy_j", "energy", RG_UNIT_JOULE, false}, {"compute_j", "compute", RG_UNIT_JOULE, false},
    {"memory_j", "memory", RG_UNIT_JOULE, false}, {"static_j", "static", RG_UNIT_JOULE, false}, {"share", "share", RG_UNIT_FRACTION, true},
};
static const rg_column memory[] = {
    {"weight_byte", "weights", RG_UNIT_BYTE, false}, {"activation_byte", "activations (static block)", RG_UNIT_BYTE, false},
    {"workspace_byte", "workspace", RG_UNIT_BYTE, false}, {"runtime_byte", "runtime", RG_UNIT_BYTE, false},
    {"peak_byte", "peak", RG_UNIT_BYTE, false}, {"buffers", "buffers", RG_UNIT_COUNT, false}, {"reuse", "reuse (x)", RG_UNIT_NONE, false},
    {"peak_row", "fullest at", RG_UNIT_NONE, false},
};
static const rg_column fits[] = {
    {"level", "level", RG_UNIT_NONE, false}, {"usable_byte", "usable", RG_UNIT_BYTE, false}, {"needed_byte", "needed", RG_UNIT_BYTE, false},
    {"fits", "fits", RG_UNIT_NONE, false},
};
static const rg_column rows_short[] = {
    {"name", "row", RG_UNIT_NONE, false}, {"kind", "kind", RG_UNIT_NONE, false}, {"flops", "FLOPs", RG_UNIT_COUNT, false},
    {"byte", "bytes", RG_UNIT_BYTE, false}, {"latency_s.value", "time", RG_UNIT_SECOND, true}, {"utilization", "used", RG_UNIT_FRACTION, false},
    {"bound", "bound by", RG_UNIT_NONE, false},
};
static const rg_column rows_terms[] = {
    {"name", "row", RG_UNIT_NONE, false}, {"latency_s.value", "time", RG_UNIT_SECOND, false}, {"terms[0].time_s", "busy", RG_UNIT_SECOND, false},
    {"terms[1].time_s", "launch", RG_UNIT_SECOND, false}, {"terms[2].time_s", "tail", RG_UNIT_SECOND, false},
    {"terms[3].time_s", "correction", RG_UNIT_SECOND, false}, {"limits[0].time_s", "compute limit", RG_UNIT_SECOND, false},
    {"binds", "binds", RG_UNIT_NONE, false}, {"mapping.waves", "waves", RG_UNIT_COUNT, false},
    {"mapping.occupancy", "occupancy", RG_UNIT_FRACTION, false}, {"energy_j.value", "energy", RG_UNIT_JOULE, false},
};
static const rg_column rows_why[] = {{"name", "row", RG_UNIT_NONE, false}, {"why", "why", RG_UNIT_NONE, false}};
static const rg_column checks[] = {{"pass", "pass", RG_UNIT_NONE, false}, {"name", "check", RG_UNIT_NONE, false}, {"text", "what was seen", RG_UNIT_NONE, false}};

#define FIELDS(doc, item, columns) rg_doc_fields((doc), (item), (columns), RG_COUNT(columns))
#define TABLE(doc, name, item, columns, limit) rg_doc_table((doc), (name), (item), (columns), RG_COUNT(columns), (limit))

static void show_advice(rg_doc *doc, const rg_item *result)
{
    const rg_item *advice = rg_item_find(result, "advice"), *text;
    rg_doc_section(doc, 2, "What would help");
    if (!advice || !advice->count) {
        rg_doc_say(doc, "Nothing that was tried gains 2 %% of time, energy or memory.");
        return;
    }
    for (const rg_item *a = advice->first; a; a = a->next)
        if ((text = rg_item_find(a, "text"))) rg_doc_point(doc, "%s", text->string);
}

static void show_checks(rg_doc *doc, const rg_item *result, const rg_forecast *f, int explain)
{
    uint32_t failed = 0;
    for (uint32_t i = 0; i < f->check_count; i++) failed += !f->checks[i].pass;
    rg_doc_section(doc, 2, "Checks");
    rg_doc_say(doc, "%u passed, %u failed.", f->check_count - failed, failed);
    if (explain >= 2 || failed) TABLE(doc, "checks", rg_item_find(result, "checks"), checks, 0);
}

static void show_rows(rg_doc *doc, const rg_item *result, int explain)
{
    const rg_item *rows = rg_item_find(result, "rows");
    rg_doc_section(doc, 2, "Rows");
    TABLE(doc, "rows", rows, rows_short, explain >= 2 ? 0 : 12);
    if (explain >= 2) TABLE(doc, "why", rows, rows_why, 0);
    if (explain >= 3) TABLE(doc, "terms", rows, rows_terms, 0);
}

void rg_result_show(rg_doc *doc, const rg_item *result, const rg_forecast *f, int explain)
{
    const rg_plan *plan = f->plan;
    rg_doc_section(doc, 1, "%.*s on %s with %s", RG_STR(plan->graph->name), plan->device->name, plan->runtime->id);
    if (plan->device->modelled) rg_doc_say(doc, "%s is modelled: no silicon to compare with, not validated.", plan->device->name);
    FIELDS(doc, result, summary);
    const rg_level *main_memory = rg_device_memory(plan->device);
    double room = main_memory->usable_byte * (main_memory->count > 1 ? main_memory->count : 1);
    if (plan->peak_byte > room)
        rg_doc_say(doc, "It does not fit: %.3g GB are needed, %.3g GB of %s are usable.", plan->peak_byte / 1e9, room / 1e9, main_memory->name);
    if (explain < 1) return;
    FIELDS(doc, result, model);
    rg_doc_section(doc, 2, "Partition");
    rg_doc_say(doc, "%u nodes run as %u rows; grouping keeps traffic off memory.", plan->facts->step_count, plan->row_count);
    TABLE(doc, "kinds", rg_item_find(result, "partition.kinds"), kinds, 0);
    rg_doc_say(doc, "Rows by independent results (threads), and by FLOP per byte:");
    rg_doc_bars(doc, rg_item_find(result, "partition.parallelism"), "bucket", "rows", RG_UNIT_COUNT);
    rg_doc_bars(doc, rg_item_find(result, "partition.intensity"), "bucket", "rows", RG_UNIT_COUNT);
    rg_doc_section(doc, 2, "Concurrency");
    FIELDS(doc, rg_item_find(result, "concurrency"), concurrency);
    rg_doc_section(doc, 2, "Performance");
    FIELDS(doc, rg_item_find(result, "performance"), performance);
    TABLE(doc, "bounds", rg_item_find(result, "performance.bounds"), bounds, 0);
    rg_doc_say(doc, "Rows by utilization of their unit:");
    rg_doc_bars(doc, rg_item_find(result, "partition.utilization"), "bucket", "rows", RG_UNIT_COUNT);
    rg_doc_section(doc, 2, "Energy");
    FIELDS(doc, rg_item_find(result, "energy"), energy);
    TABLE(doc, "top_energy", rg_item_find(result, "energy.top"), top_energy, explain >= 2 ? 10 : 5);
    rg_doc_section(doc, 2, "Memory");
    FIELDS(doc, rg_item_find(result, "memory"), memory);
    TABLE(doc, "fits", rg_item_find(result, "memory.fits"), fits, 0);
    show_rows(doc, result, explain);
    show_advice(doc, result);
    show_checks(doc, result, f, explain);
}
