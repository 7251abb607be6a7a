/* bench_report.c - what all results say together, and how the document shows them.
 *
 *     ratio of a backend = exp(mean of log(ratio of each model))
 *
 * The geometric mean is the one by which it does not matter which backend is the reference.
 */
#include "measure/bench.h"

#include <math.h>

/* ---- the machine ---- */

void rg_bench_host(rg_bench *b, rg_item *root)
{
    static const rg_column columns[] = {
        {"cpu", "processor", RG_UNIT_NONE, false}, {"cpus", "processors", RG_UNIT_COUNT, false},
        {"clock", "clock", RG_UNIT_NONE, false}, {"governor", "governor", RG_UNIT_NONE, false},
        {"hypervisor", "hypervisor", RG_UNIT_NONE, false}, {"kernel", "kernel", RG_UNIT_NONE, false},
    };
    rg_host host;
    rg_item *item = rg_doc_object(b->doc, root, "host");
    rg_host_read(&host, "");
    rg_doc_str(b->doc, item, "cpu", host.cpu);
    rg_doc_int(b->doc, item, "cpus", host.cpus);
    rg_doc_str(b->doc, item, "clock", host.clock);
    if (*host.governor) rg_doc_str(b->doc, item, "governor", host.governor);
    if (*host.hypervisor) rg_doc_str(b->doc, item, "hypervisor", host.hypervisor);
    rg_doc_str(b->doc, item, "kernel", host.kernel);
    rg_doc_section(b->doc, 1, "Measured on this machine");
    rg_doc_fields(b->doc, item, columns, RG_COUNT(columns));
}

/* ---- together ---- */

static void summarize(rg_bench *b, const rg_backend *backend, int threads)
{
    const rg_ratio *worst = NULL, *best = NULL;
    double logs = 0;
    int models = 0;
    for (size_t i = 0; i < b->ratio_count; i++) {
        const rg_ratio *r = &b->ratios[i];
        if (r->backend != backend || r->threads != threads) continue;
        logs += log(r->ratio);
        models++;
        if (!worst || r->ratio > worst->ratio) worst = r;
        if (!best || r->ratio < best->ratio) best = r;
    }
    if (!models) return;
    rg_item *item = rg_doc_object(b->doc, b->summary, NULL);
    rg_doc_str(b->doc, item, "backend", backend->name);
    rg_doc_str(b->doc, item, "reference", b->reference->name);
    rg_doc_int(b->doc, item, "threads", threads);
    rg_doc_int(b->doc, item, "models", models);
    rg_doc_real(b->doc, item, "ratio", exp(logs / models));
    rg_doc_real(b->doc, item, "worst_ratio", worst->ratio);
    rg_doc_str(b->doc, item, "worst_model", worst->model);
    rg_doc_real(b->doc, item, "best_ratio", best->ratio);
    rg_doc_str(b->doc, item, "best_model", best->model);
}

void rg_bench_summarize(rg_bench *b)
{
    for (size_t i = 0; i < b->backend_count; i++)
        for (size_t k = 0; k < b->thread_count; k++) summarize(b, b->backends[i], b->threads[k]);
}

/* ---- the layout ---- */

static void lay_out_summary(const rg_bench *b)
{
    static const rg_column columns[] = {
        {"backend", "backend", RG_UNIT_NONE, false}, {"reference", "over", RG_UNIT_NONE, false},
        {"threads", "threads", RG_UNIT_NONE, false}, {"models", "models", RG_UNIT_COUNT, false},
        {"ratio", "ratio", RG_UNIT_NONE, false}, {"worst_ratio", "worst", RG_UNIT_NONE, false},
        {"worst_model", "worst model", RG_UNIT_NONE, false}, {"best_ratio", "best", RG_UNIT_NONE, false},
        {"best_model", "best model", RG_UNIT_NONE, false},
    };
    if (!b->summary || !b->summary->count) return;
    rg_doc_section(b->doc, 2, "Summary");
    rg_doc_table(b->doc, "summary", b->summary, columns, RG_COUNT(columns), 0);
    rg_doc_say(b->doc, "Geometric mean over the models of median / median of %s; below 1 is faster.",
               b->reference->name);
}

static void lay_out_cost(const rg_bench *b)
{
    static const rg_column columns[] = {
        {"model", "model", RG_UNIT_NONE, false}, {"backend", "backend", RG_UNIT_NONE, false},
        {"threads", "threads", RG_UNIT_NONE, false}, {"error_l2", "error", RG_UNIT_NONE, false},
        {"error_of", "from", RG_UNIT_NONE, false}, {"peak_memory_byte", "peak memory", RG_UNIT_BYTE, false},
        {"allocations", "allocations", RG_UNIT_COUNT, false},
        {"foreign_cpu", "foreign", RG_UNIT_FRACTION, false}, {"steady", "steady", RG_UNIT_NONE, false},
    };
    rg_doc_section(b->doc, 2, "Outputs, memory, neighbors");
    rg_doc_table(b->doc, "costs", b->results, columns, RG_COUNT(columns), 0);
    rg_doc_say(b->doc, "Error: |a - b| / |b| of the worst output. Allocations are of one run, peak memory of "
               "loading and running.");
}

static void lay_out_energy(const rg_bench *b)
{
    static const rg_column columns[] = {
        {"model", "model", RG_UNIT_NONE, false}, {"backend", "backend", RG_UNIT_NONE, false},
        {"threads", "threads", RG_UNIT_NONE, false}, {"energy.value_j", "energy", RG_UNIT_JOULE, true},
        {"energy.plus_minus_j", "+-", RG_UNIT_JOULE, false}, {"energy.power_w", "power", RG_UNIT_WATT, false},
        {"energy.provenance", "how known", RG_UNIT_NONE, false},
        {"energy.source", "source", RG_UNIT_NONE, false}, {"energy.scope", "of", RG_UNIT_NONE, false},
        {"energy_reason", "why not measured", RG_UNIT_NONE, false},
    };
    rg_doc_section(b->doc, 2, "Energy");
    rg_doc_table(b->doc, "energy", b->results, columns, RG_COUNT(columns), 0);
    rg_doc_say(b->doc, "Of one inference; what the machine draws when idle is in it. An estimate is the "
               "power of the forecast for this machine times the median time. `ridge doctor` lists the "
               "meters.");
}

static void lay_out_counters(const rg_bench *b)
{
    static const rg_column columns[] = {
        {"model", "model", RG_UNIT_NONE, false}, {"backend", "backend", RG_UNIT_NONE, false},
        {"threads", "threads", RG_UNIT_NONE, false}, {"counters.cycles", "cycles", RG_UNIT_COUNT, false},
        {"counters.instructions", "instructions", RG_UNIT_COUNT, false},
        {"counters.instructions_per_cycle", "per cycle", RG_UNIT_NONE, false},
        {"counters.llc_misses", "last cache missed", RG_UNIT_COUNT, false},
    };
    const rg_item *why = NULL;
    bool any = false;
    for (const rg_item *r = b->results ? b->results->first : NULL; r; r = r->next) {
        const rg_item *counters = rg_item_find(r, "counters");
        any |= counters && counters->kind == RG_ITEM_OBJECT;
        if (!why) why = rg_item_find(r, "counters_reason");
    }
    if (any) {
        rg_doc_section(b->doc, 2, "Counters");
        rg_doc_table(b->doc, "counters", b->results, columns, RG_COUNT(columns), 0);
        rg_doc_say(b->doc, "Of one inference, all threads, outside the kernel.");
    } else if (why && why->kind == RG_ITEM_STRING)
        rg_doc_say(b->doc, "No counters of the processor: %s.", why->string);
}

static void lay_out_times(const rg_bench *b)
{
    bool several = b->backend_count > 1;
    const rg_column columns[] = {
        {"model", "model", RG_UNIT_NONE, false}, {"backend", "backend", RG_UNIT_NONE, false},
        {"version", "version", RG_UNIT_NONE, false}, {"form", "form", RG_UNIT_NONE, false},
        {"threads", "threads", RG_UNIT_NONE, false}, {"median_s", "median", RG_UNIT_SECOND, true},
        {several ? "ratio" : "speed_up", several ? "ratio" : "speed-up", RG_UNIT_NONE, false},
        {"p90_s", "p90", RG_UNIT_SECOND, false}, {"p99_s", "p99", RG_UNIT_SECOND, false},
        {"mean_s", "mean (95 %)", RG_UNIT_SECOND, false}, {"disturbed", "disturbed", RG_UNIT_NONE, false},
    };
    rg_doc_section(b->doc, 2, "Times");
    rg_doc_table(b->doc, "results", b->results, columns, RG_COUNT(columns), 0);
    rg_doc_chart(b->doc, &(rg_chart){
        .kind = RG_CHART_BARS, .name = "times", .title = "Median time of one inference",
        .text = "Backends took turns on the same file and the same inputs.", .array = b->results,
        .x = {.heading = "median", .unit = RG_UNIT_SECOND},
        .y = &(rg_axis){"median_s", "median", RG_UNIT_SECOND, false}, .y_count = 1, .label = "name",
    });
    if (several)
        rg_doc_say(b->doc,
                   "Ratio: median over that of %s with as many threads. Form: as built, fused by Ridge's "
                   "passes, or with attention fused, too; a backend that fuses by itself gets its fastest.",
                   b->reference->name);
    rg_doc_say(b->doc, "Weights and inputs that no file gives are random. %sDisturbed: others used more than "
               "%.3g %% of the processors in most turns.",
               several ? "" : "Speed-up is over the first line of the model. ", b->opt.foreign_max * 100);
}

void rg_bench_lay_out(const rg_bench *b)
{
    static const rg_column missing[] = {
        {"model", "model", RG_UNIT_NONE, false}, {"backend", "backend", RG_UNIT_NONE, false},
        {"threads", "threads", RG_UNIT_NONE, false}, {"text", "why it did not run", RG_UNIT_NONE, false},
    };
    lay_out_times(b);
    lay_out_summary(b);
    lay_out_cost(b);
    if (b->meters) lay_out_energy(b);
    lay_out_counters(b);
    for (const rg_item *r = b->results ? b->results->first : NULL; r; r = r->next)
        rg_row_times_show(b->doc, r);
    if (b->opt.readings)
        rg_doc_say(b->doc, "%zu readings were added to %s.", b->readings.count, b->opt.readings);
    if (!b->unavailable || !b->unavailable->count) return;
    rg_doc_section(b->doc, 2, "What did not run");
    rg_doc_table(b->doc, "unavailable", b->unavailable, missing, RG_COUNT(missing), 0);
}
