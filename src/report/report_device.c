/* report_device.c - devices as a document: one in full, each figure with its source; several as a table, by
 * kind and vendor.
 *
 * The tree has everything either way ("ridge.devices/1"); only the layout differs. A figure that a profile
 * does not state is null, never 0.
 */
#include "hw/hw.h"
#include "hw/hw_type.h"
#include "report/doc.h"

#include <inttypes.h>
#include <math.h>
#include <strings.h>

/* Profiles leave out what nobody published; the structs hold 0 there. */
static double stated(double x) { return x > 0 ? x : NAN; }

/* The figures that people compare devices by, beside the lists that they come from: the faster of two. */
static const struct { const char *key; rg_hw_dtype dtype, other; } headline_peaks[] = {
    {"f32_op_per_s", RG_HW_F32, RG_HW_F32},
    {"half_op_per_s", RG_HW_F16, RG_HW_BF16},
    {"i8_op_per_s", RG_HW_I8, RG_HW_I8},
};

/* The list is as wide as a page: ids have to tell what names tell. */
static const rg_column list_columns[] = {
    {"id", "id", RG_UNIT_NONE, false},
    {"kind", "kind", RG_UNIT_NONE, false},
    {"vendor", "vendor", RG_UNIT_NONE, false},
    {"summary.f32_op_per_s", "f32", RG_UNIT_OP_PER_S, false},
    {"summary.half_op_per_s", "f16, bf16", RG_UNIT_OP_PER_S, false},
    {"summary.i8_op_per_s", "i8", RG_UNIT_OP_PER_S, false},
    {"summary.memory_byte", "memory", RG_UNIT_BYTE, false},
    {"summary.memory_byte_per_s", "bandwidth", RG_UNIT_BYTE_PER_S, false},
    {"power.cap_w", "cap", RG_UNIT_WATT, false},
}, head_columns[] = {
    {"id", "id", RG_UNIT_NONE, false},
    {"kind", "kind", RG_UNIT_NONE, false},
    {"vendor", "vendor", RG_UNIT_NONE, false},
    {"architecture", "architecture", RG_UNIT_NONE, false},
    {"year", "year", RG_UNIT_NONE, false},
    {"aliases", "also called", RG_UNIT_NONE, false},
    {"modelled", "modelled, no silicon", RG_UNIT_NONE, false},
    {"detected", "detected here", RG_UNIT_NONE, false},
    {"measured.date", "measured here", RG_UNIT_NONE, false},
    {"power.idle_w", "idle power", RG_UNIT_WATT, false},
    {"power.active_w", "active power", RG_UNIT_WATT, false},
    {"power.ready_w", "power between kernels", RG_UNIT_WATT, false},
    {"power.cap_w", "power cap", RG_UNIT_WATT, false},
    {"power.source", "power source", RG_UNIT_NONE, false},
    {"launch_s", "launch", RG_UNIT_SECOND, false},
    {"launch_source", "launch source", RG_UNIT_NONE, false},
    {"vf_source", "voltage source", RG_UNIT_NONE, false},
    {"clocks_source", "clocks source", RG_UNIT_NONE, false},
    {"note", "note", RG_UNIT_NONE, false},
}, engine_columns[] = {
    {"id", "engine", RG_UNIT_NONE, false},
    {"kind", "kind", RG_UNIT_NONE, false},
    {"count", "count", RG_UNIT_NONE, false},
    {"clock_base_hz", "base", RG_UNIT_HERTZ, false},
    {"clock_max_hz", "max", RG_UNIT_HERTZ, false},
    {"threads", "threads", RG_UNIT_NONE, false},
    {"source", "source", RG_UNIT_NONE, false},
}, peak_columns[] = {
    {"engine", "engine", RG_UNIT_NONE, false},
    {"unit", "unit", RG_UNIT_NONE, false},
    {"dtype", "type", RG_UNIT_NONE, false},
    {"accumulate", "into", RG_UNIT_NONE, false},
    {"op_per_clock", "op/clock", RG_UNIT_NONE, false},
    {"at_clock_hz", "at", RG_UNIT_HERTZ, false},
    {"op_per_s", "peak", RG_UNIT_OP_PER_S, true},
    {"source", "source", RG_UNIT_NONE, false},
}, level_columns[] = {
    {"name", "level", RG_UNIT_NONE, false},
    {"scope", "scope", RG_UNIT_NONE, false},
    {"count", "count", RG_UNIT_NONE, false},
    {"capacity_byte", "capacity", RG_UNIT_BYTE, false},
    {"read_byte_per_s", "read", RG_UNIT_BYTE_PER_S, false},
    {"write_byte_per_s", "write", RG_UNIT_BYTE_PER_S, false},
    {"latency_s", "latency", RG_UNIT_SECOND, false},
    {"pj_per_byte", "pJ/B", RG_UNIT_NONE, false},
    {"source", "source", RG_UNIT_NONE, false},
}, link_columns[] = {
    {"name", "link", RG_UNIT_NONE, false},
    {"to", "to", RG_UNIT_NONE, false},
    {"byte_per_s", "one direction", RG_UNIT_BYTE_PER_S, false},
    {"latency_s", "latency", RG_UNIT_SECOND, false},
    {"start_s", "start", RG_UNIT_SECOND, false},
    {"sustained_fraction", "sustained", RG_UNIT_NONE, false},
    {"devices", "devices", RG_UNIT_NONE, false},
    {"count", "links", RG_UNIT_NONE, false},
    {"source", "source", RG_UNIT_NONE, false},
}, mode_columns[] = {
    {"name", "mode", RG_UNIT_NONE, false},
    {"cap_w", "cap", RG_UNIT_WATT, false},
    {"clock_max_hz", "max clock", RG_UNIT_HERTZ, false},
    {"unit_count", "units", RG_UNIT_NONE, false},
    {"memory_byte_per_s", "memory", RG_UNIT_BYTE_PER_S, false},
    {"aliases", "also called", RG_UNIT_NONE, false},
}, vf_columns[] = {
    {"clock_hz", "clock", RG_UNIT_HERTZ, false},
    {"voltage_v", "voltage (V)", RG_UNIT_NONE, false},
}, source_columns[] = {
    {"key", "source", RG_UNIT_NONE, false},
    {"title", "title", RG_UNIT_NONE, false},
    {"url", "address", RG_UNIT_NONE, false},
};

/* Whole numbers read as such: 40, not 40.0. */
static void add_count(rg_doc *doc, rg_item *parent, const char *key, double x)
{
    if (x > 0 && x == floor(x) && x < 1e15) rg_doc_int(doc, parent, key, (int64_t)x);
    else rg_doc_real(doc, parent, key, stated(x));
}

static void add_names(rg_doc *doc, rg_item *parent, const char *const *names, size_t count)
{
    rg_item *aliases = rg_doc_array(doc, parent, "aliases");
    for (size_t i = 0; i < count; i++) rg_doc_str(doc, aliases, NULL, names[i]);
}

static void add_engines(rg_doc *doc, rg_item *device, const rg_device *d)
{
    rg_item *engines = rg_doc_array(doc, device, "engines");
    for (size_t i = 0; i < d->engine_count; i++) {
        const rg_engine *e = &d->engines[i];
        rg_item *engine = rg_doc_object(doc, engines, NULL);
        rg_doc_str(doc, engine, "id", e->id);
        rg_doc_str(doc, engine, "kind", e->kind);
        add_count(doc, engine, "count", e->count);
        rg_doc_real(doc, engine, "clock_base_hz", stated(e->clock_base_hz));
        rg_doc_real(doc, engine, "clock_max_hz", stated(e->clock_max_hz));
        add_count(doc, engine, "threads", e->threads);
        add_count(doc, engine, "blocks", e->blocks);
        add_count(doc, engine, "warp", e->warp);
        rg_doc_real(doc, engine, "register_byte", stated(e->register_byte));
        rg_doc_real(doc, engine, "shared_byte", stated(e->shared_byte));
        add_count(doc, engine, "simd_bit", e->simd_bit);
        if (e->tile[0] > 0) {
            rg_item *tile = rg_doc_array(doc, engine, "tile");
            for (size_t t = 0; t < RG_COUNT(e->tile); t++) rg_doc_int(doc, tile, NULL, e->tile[t]);
        }
        rg_doc_str(doc, engine, "source", e->source);
    }
}

static void add_peaks(rg_doc *doc, rg_item *device, const rg_device *d)
{
    rg_item *peaks = rg_doc_array(doc, device, "peaks");
    for (size_t i = 0; i < d->peak_count; i++) {
        const rg_peak *p = &d->peaks[i];
        rg_item *peak = rg_doc_object(doc, peaks, NULL);
        rg_doc_str(doc, peak, "engine", d->engines[p->engine].id);
        rg_doc_str(doc, peak, "unit", rg_unit_kind_name(p->unit));
        rg_doc_str(doc, peak, "dtype", rg_hw_dtype_name(p->dtype));
        rg_doc_str(doc, peak, "accumulate", p->accumulate);
        rg_doc_real(doc, peak, "op_per_clock", p->op_per_clock);
        rg_doc_real(doc, peak, "at_clock_hz", p->at_clock_hz);
        rg_doc_real(doc, peak, "op_per_s", p->op_per_s);
        rg_doc_str(doc, peak, "source", p->source);
    }
}

static void add_levels(rg_doc *doc, rg_item *device, const rg_device *d)
{
    rg_item *levels = rg_doc_array(doc, device, "levels");
    for (size_t i = 0; i < d->level_count; i++) {
        const rg_level *l = &d->levels[i];
        rg_item *level = rg_doc_object(doc, levels, NULL);
        rg_doc_str(doc, level, "name", l->name);
        rg_doc_str(doc, level, "scope", rg_scope_names[l->scope]);
        add_count(doc, level, "sharers", l->sharers);
        add_count(doc, level, "count", l->count);
        rg_doc_real(doc, level, "capacity_byte", stated(l->capacity_byte));
        rg_doc_real(doc, level, "usable_byte", stated(l->usable_byte));
        rg_doc_real(doc, level, "read_byte_per_s", stated(l->read_byte_per_s));
        rg_doc_real(doc, level, "write_byte_per_s", stated(l->write_byte_per_s));
        rg_doc_real(doc, level, "sustained_fraction", l->sustained_fraction);
        rg_doc_real(doc, level, "latency_s", stated(l->latency_s));
        rg_doc_real(doc, level, "pj_per_byte", stated(l->pj_per_byte));
        rg_doc_str(doc, level, "source", l->source);
    }
}

static void add_links(rg_doc *doc, rg_item *device, const rg_device *d)
{
    rg_item *links = rg_doc_array(doc, device, "links");
    for (size_t i = 0; i < d->link_count; i++) {
        rg_item *link = rg_doc_object(doc, links, NULL);
        rg_doc_str(doc, link, "name", d->links[i].name);
        rg_doc_str(doc, link, "to", d->links[i].to);
        rg_doc_real(doc, link, "byte_per_s", stated(d->links[i].byte_per_s));
        rg_doc_real(doc, link, "latency_s", stated(d->links[i].latency_s));
        rg_doc_real(doc, link, "start_s", stated(d->links[i].start_s));
        rg_doc_real(doc, link, "sustained_fraction", d->links[i].sustained_fraction);
        rg_doc_real(doc, link, "devices", stated(d->links[i].devices));
        rg_doc_real(doc, link, "count", d->links[i].count);
        rg_doc_real(doc, link, "pj_per_byte", stated(d->links[i].pj_per_byte));
        rg_doc_str(doc, link, "source", d->links[i].source);
    }
}

static void add_power(rg_doc *doc, rg_item *device, const rg_device *d)
{
    rg_item *power = rg_doc_object(doc, device, "power");
    rg_doc_real(doc, power, "idle_w", stated(d->idle_w));
    rg_doc_real(doc, power, "active_w", stated(d->active_w));
    rg_doc_real(doc, power, "ready_w", stated(d->ready_w));
    rg_doc_real(doc, power, "cap_w", stated(d->cap_w));
    rg_item *modes = rg_doc_array(doc, power, "modes");
    for (size_t i = 0; i < d->mode_count; i++) {
        rg_item *mode = rg_doc_object(doc, modes, NULL);
        rg_doc_str(doc, mode, "name", d->modes[i].name);
        rg_doc_real(doc, mode, "cap_w", stated(d->modes[i].cap_w));
        rg_doc_real(doc, mode, "clock_max_hz", stated(d->modes[i].clock_max_hz));
        add_count(doc, mode, "unit_count", d->modes[i].unit_count);
        rg_doc_real(doc, mode, "memory_byte_per_s", stated(d->modes[i].memory_byte_per_s));
        add_names(doc, mode, d->modes[i].aliases, d->modes[i].alias_count);
    }
    rg_doc_str(doc, power, "source", d->power_source);
    rg_item *energy = rg_doc_object(doc, device, "energy");
    rg_item *pj_per_op = rg_doc_object(doc, energy, "pj_per_op");
    for (rg_hw_dtype t = 0; t < RG_HW_DTYPE_COUNT; t++)
        if (d->pj_per_op[t] > 0) rg_doc_real(doc, pj_per_op, rg_hw_dtype_name(t), d->pj_per_op[t]);
    rg_doc_str(doc, energy, "source", d->energy_source);
}

static void add_clocks(rg_doc *doc, rg_item *device, const rg_device *d)
{
    rg_item *vf = rg_doc_array(doc, device, "vf");
    for (size_t i = 0; i < d->vf_count; i++) {
        rg_item *point = rg_doc_object(doc, vf, NULL);
        rg_doc_real(doc, point, "clock_hz", d->vf[i].clock_hz);
        rg_doc_real(doc, point, "voltage_v", d->vf[i].voltage_v);
    }
    if (d->vf_count) rg_doc_str(doc, device, "vf_source", d->vf_source);
    rg_item *clocks = rg_doc_array(doc, device, "clocks_hz");
    for (size_t i = 0; i < d->clock_count; i++) rg_doc_real(doc, clocks, NULL, d->clocks_hz[i]);
    if (d->clock_count) rg_doc_str(doc, device, "clocks_source", d->clocks_source);
}

static void add_sources(rg_doc *doc, rg_item *device, const rg_device *d)
{
    rg_item *sources = rg_doc_array(doc, device, "sources");
    for (size_t i = 0; i < d->source_count; i++) {
        rg_item *source = rg_doc_object(doc, sources, NULL);
        rg_doc_str(doc, source, "key", d->sources[i].key);
        rg_doc_str(doc, source, "title", d->sources[i].title);
        rg_doc_str(doc, source, "url", d->sources[i].url);
    }
}

static double peak_rate(const rg_device *d, rg_hw_dtype dtype)
{
    const rg_peak *peak = rg_device_peak(d, -1, -1, dtype);
    return peak ? peak->op_per_s : 0;
}

static void add_summary(rg_doc *doc, rg_item *device, const rg_device *d)
{
    const rg_level *memory = rg_device_memory(d);
    rg_item *summary = rg_doc_object(doc, device, "summary");
    for (size_t i = 0; i < RG_COUNT(headline_peaks); i++) {
        double rate = fmax(peak_rate(d, headline_peaks[i].dtype), peak_rate(d, headline_peaks[i].other));
        rg_doc_real(doc, summary, headline_peaks[i].key, stated(rate));
    }
    rg_doc_real(doc, summary, "memory_byte", stated(memory->capacity_byte * fmax(memory->count, 1)));
    rg_doc_real(doc, summary, "memory_byte_per_s", stated(memory->read_byte_per_s));
}

/* On which machine, and when. */
static void add_measured(rg_doc *doc, rg_item *device, const rg_made_on *on)
{
    if (!on->cpu) return;
    rg_item *measured = rg_doc_object(doc, device, "measured");
    rg_doc_str(doc, measured, "cpu", on->cpu);
    add_count(doc, measured, "cores", on->cores);
    rg_doc_str(doc, measured, "kernel", on->kernel);
    rg_doc_str(doc, measured, "date", on->date);
}

static rg_item *add_device(rg_doc *doc, rg_item *devices, const rg_device *d)
{
    rg_item *device = rg_doc_object(doc, devices, NULL);
    rg_doc_str(doc, device, "id", d->id);
    rg_doc_str(doc, device, "name", d->name);
    rg_doc_str(doc, device, "kind", rg_device_kind_name(d->kind));
    rg_doc_str(doc, device, "vendor", d->vendor);
    rg_doc_str(doc, device, "architecture", d->architecture);
    add_count(doc, device, "year", d->year);
    add_names(doc, device, d->aliases, d->alias_count);
    rg_doc_flag(doc, device, "modelled", d->modelled);
    rg_doc_flag(doc, device, "detected", d->detected);
    add_measured(doc, device, &d->made_on);
    rg_doc_str(doc, device, "note", d->note);
    add_summary(doc, device, d);
    add_engines(doc, device, d);
    add_peaks(doc, device, d);
    add_levels(doc, device, d);
    add_links(doc, device, d);
    add_power(doc, device, d);
    add_clocks(doc, device, d);
    rg_doc_real(doc, device, "launch_s", stated(d->launch_s));
    rg_doc_str(doc, device, "launch_source", d->launch_source);
    add_sources(doc, device, d);
    rg_doc_text(doc, device, "device_hash", "%016" PRIx64, d->hash);
    return device;
}

/* The tables of one device, in the order that data flows: what computes, from where, over what. */
static void lay_out(rg_doc *doc, const rg_item *device, const char *name)
{
    static const struct { const char *path, *title; const rg_column *columns; size_t count; } parts[] = {
        {"engines", "Engines", engine_columns, RG_COUNT(engine_columns)},
        {"peaks", "Peaks", peak_columns, RG_COUNT(peak_columns)},
        {"levels", "Memory levels, nearest first", level_columns, RG_COUNT(level_columns)},
        {"links", "Links", link_columns, RG_COUNT(link_columns)},
        {"power.modes", "Power modes", mode_columns, RG_COUNT(mode_columns)},
        {"vf", "Voltage by clock", vf_columns, RG_COUNT(vf_columns)},
        {"sources", "Sources", source_columns, RG_COUNT(source_columns)},
    };
    rg_doc_section(doc, 1, "%s", name);
    rg_doc_fields(doc, device, head_columns, RG_COUNT(head_columns));
    for (size_t i = 0; i < RG_COUNT(parts); i++) {
        const rg_item *rows = rg_item_find(device, parts[i].path);
        if (!rows || !rows->count) continue;
        rg_doc_section(doc, 2, "%s", parts[i].title);
        rg_doc_table(doc, parts[i].path, rows, parts[i].columns, parts[i].count, 0);
    }
}

static bool is_behind(const rg_device *a, const rg_device *b)
{
    if (a->kind != b->kind) return a->kind > b->kind;
    return strcasecmp(a->vendor, b->vendor) > 0;
}

/* By kind, then vendor; of one vendor in the order given. */
static const rg_device **sort(rg_ctx *cx, const rg_device *const *devices, size_t count)
{
    const rg_device **sorted = RG_NEW(&cx->arena, const rg_device *, count + 1);
    for (size_t i = 0; sorted && i < count; i++) {
        size_t at = i;
        for (; at > 0 && is_behind(sorted[at - 1], devices[i]); at--) sorted[at] = sorted[at - 1];
        sorted[at] = devices[i];
    }
    return sorted;
}

rg_err rg_device_doc(rg_ctx *cx, const rg_device *const *devices, size_t count, rg_doc **out)
{
    rg_doc *doc;
    const rg_device **sorted = sort(cx, devices, count);
    if (!sorted) return rg_nomem(cx);
    RG_TRY(rg_doc_new(cx, "ridge.devices/1", &doc));
    rg_item *list = rg_doc_array(doc, rg_doc_root(doc), "devices");
    for (size_t i = 0; i < count; i++) {
        rg_item *device = add_device(doc, list, sorted[i]);
        if (count == 1) lay_out(doc, device, sorted[i]->name);
    }
    if (count != 1) {
        rg_doc_section(doc, 1, "Devices");
        rg_doc_table(doc, "devices", list, list_columns, RG_COUNT(list_columns), 0);
    }
    rg_err err = rg_doc_done(cx, doc);
    if (err) rg_doc_free(doc);
    else *out = doc;
    return err;
}
