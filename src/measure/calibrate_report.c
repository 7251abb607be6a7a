/* calibrate_report.c - "ridge.calibration/1": what was measured beside what had been stated, and every figure
 * by itself with its spread.
 */
#include "measure/calibrate.h"
#include "measure/host_load.h"

#include <math.h>

typedef struct report {
    rg_doc *doc;
    const rg_calibration *c;
    const rg_device *measured;
} report;

static const struct { const char *key; rg_unit unit; } kinds[RG_GAUGE_KIND_COUNT] = {
    [RG_GAUGE_CLOCK] = {"clock", RG_UNIT_HERTZ},       [RG_GAUGE_PEAK] = {"peak", RG_UNIT_OP_PER_S},
    [RG_GAUGE_READ] = {"read", RG_UNIT_BYTE_PER_S},    [RG_GAUGE_WRITE] = {"write", RG_UNIT_BYTE_PER_S},
    [RG_GAUGE_COPY] = {"copy", RG_UNIT_BYTE_PER_S},    [RG_GAUGE_LATENCY] = {"latency", RG_UNIT_SECOND},
    [RG_GAUGE_FORK] = {"fork_join", RG_UNIT_SECOND},
};

/* What is compared: by all cores, or by one where there is only that. */
static const rg_gauge *whole(const report *r, rg_gauge_kind kind, int engine, int row)
{
    const rg_gauge *all = rg_gauge_find(r->c, kind, engine, row, true);
    return all ? all : rg_gauge_find(r->c, kind, engine < 0 ? 0 : engine, row, false);
}

/* The figure of a gauge, null where there is none. */
static void add_value(const report *r, rg_item *item, const char *key, const rg_gauge *g)
{
    rg_doc_real(r->doc, item, key, g ? g->value : NAN);
}

static void add_ratio(const report *r, rg_item *item, const char *key, const rg_gauge *g, double stated)
{
    rg_doc_real(r->doc, item, key, g && stated > 0 ? rg_gauge_scaled(r->c, g) / stated : NAN);
}

/* Whole numbers read as such; a control group may leave 1.5 cores. */
static void add_cores(const report *r, rg_item *item, double cores)
{
    if (cores == floor(cores)) rg_doc_int(r->doc, item, "cores", (int64_t)cores);
    else rg_doc_real(r->doc, item, "cores", cores);
}

static void add_quality(const report *r, rg_item *item, const rg_gauge *g)
{
    rg_doc_real(r->doc, item, "spread", g ? g->spread : NAN);
    rg_doc_flag(r->doc, item, "disturbed", g && g->disturbed);
}

static rg_item *add_clocks(const report *r, rg_item *root)
{
    const rg_device *d = r->c->detected;
    rg_item *list = rg_doc_array(r->doc, root, "clocks");
    for (size_t e = 0; e < d->engine_count; e++) {
        rg_item *item = rg_doc_object(r->doc, list, NULL);
        const rg_gauge *one = rg_gauge_find(r->c, RG_GAUGE_CLOCK, (int)e, 0, false);
        rg_doc_str(r->doc, item, "engine", d->engines[e].id);
        add_cores(r, item, d->engines[e].count);
        add_value(r, item, "one_hz", one);
        add_value(r, item, "all_hz", whole(r, RG_GAUGE_CLOCK, (int)e, 0));
        rg_doc_real(r->doc, item, "stated_hz", d->engines[e].clock_max_hz);
        rg_doc_real(r->doc, item, "ratio", one ? one->value / d->engines[e].clock_max_hz : NAN);
        add_quality(r, item, one);
    }
    return list;
}

static rg_item *add_peaks(const report *r, rg_item *root)
{
    const rg_device *d = r->c->detected;
    rg_item *list = rg_doc_array(r->doc, root, "peaks");
    for (int i = 0; i < (int)d->peak_count; i++) {
        const rg_peak *p = &d->peaks[i];
        const rg_gauge *one = rg_gauge_find(r->c, RG_GAUGE_PEAK, p->engine, i, false);
        const rg_gauge *all = whole(r, RG_GAUGE_PEAK, p->engine, i);
        const rg_gauge *clock = rg_gauge_find(r->c, RG_GAUGE_CLOCK, p->engine, 0, false);
        rg_item *item = rg_doc_object(r->doc, list, NULL);
        rg_doc_str(r->doc, item, "engine", d->engines[p->engine].id);
        rg_doc_str(r->doc, item, "unit", rg_unit_kind_name(p->unit));
        rg_doc_str(r->doc, item, "dtype", rg_hw_dtype_name(p->dtype));
        rg_doc_str(r->doc, item, "accumulate", p->accumulate);
        rg_doc_str(r->doc, item, "how", one ? one->how : NULL);
        add_value(r, item, "one_op_per_s", one);
        rg_doc_real(r->doc, item, "one_op_per_clock", one && clock ? one->value / clock->value : NAN);
        add_value(r, item, "all_op_per_s", all);
        rg_doc_real(r->doc, item, "stated_op_per_s", p->op_per_s);
        rg_doc_real(r->doc, item, "stated_op_per_clock", p->op_per_clock);
        add_ratio(r, item, "ratio", all, p->op_per_s);
        add_quality(r, item, all);
    }
    return list;
}

static rg_item *add_levels(const report *r, rg_item *root)
{
    const rg_device *d = r->c->detected;
    rg_item *list = rg_doc_array(r->doc, root, "levels");
    for (int i = 0; i < (int)d->level_count; i++) {
        const rg_level *l = &d->levels[i];
        const rg_gauge *read = whole(r, RG_GAUGE_READ, -1, i);
        const rg_gauge *latency = rg_gauge_find(r->c, RG_GAUGE_LATENCY, 0, i, false);
        rg_item *item = rg_doc_object(r->doc, list, NULL);
        rg_doc_str(r->doc, item, "name", l->name);
        rg_doc_real(r->doc, item, "capacity_byte", l->capacity_byte);
        rg_doc_real(r->doc, item, "footprint_byte", latency ? latency->footprint_byte : NAN);
        for (rg_gauge_kind kind = RG_GAUGE_READ; kind <= RG_GAUGE_COPY; kind++) {
            static const char *const keys[][2] = {
                [RG_GAUGE_READ] = {"one_read_byte_per_s", "all_read_byte_per_s"},
                [RG_GAUGE_WRITE] = {"one_write_byte_per_s", "all_write_byte_per_s"},
                [RG_GAUGE_COPY] = {"one_copy_byte_per_s", "all_copy_byte_per_s"},
            };
            add_value(r, item, keys[kind][0], rg_gauge_find(r->c, kind, 0, i, false));
            add_value(r, item, keys[kind][1], whole(r, kind, -1, i));
        }
        add_value(r, item, "latency_s", latency);
        rg_doc_real(r->doc, item, "stated_read_byte_per_s", l->read_byte_per_s * l->sustained_fraction);
        add_ratio(r, item, "ratio", read, l->read_byte_per_s * l->sustained_fraction);
        rg_doc_real(r->doc, item, "stated_latency_s", l->latency_s);
        rg_doc_real(r->doc, item, "latency_ratio", latency ? latency->value / l->latency_s : NAN);
        add_quality(r, item, read);
    }
    return list;
}

static rg_item *add_region(const report *r, rg_item *root)
{
    const rg_gauge *g = rg_gauge_find(r->c, RG_GAUGE_FORK, -1, 0, true);
    if (!g) return NULL;
    rg_item *item = rg_doc_object(r->doc, root, "fork_join");
    rg_doc_int(r->doc, item, "threads", g->cores);
    add_value(r, item, "region_s", g);
    rg_doc_real(r->doc, item, "stated_s", r->c->detected->launch_s);
    rg_doc_real(r->doc, item, "ratio", g->value / r->c->detected->launch_s);
    add_quality(r, item, g);
    return item;
}

/* Every gauge as it is. */
static void add_figures(const report *r, rg_item *root)
{
    const rg_device *d = r->c->detected;
    rg_item *list = rg_doc_array(r->doc, root, "figures");
    for (size_t i = 0; i < r->c->count; i++) {
        const rg_gauge *g = &r->c->gauges[i];
        const rg_peak *p = g->kind == RG_GAUGE_PEAK ? &d->peaks[g->row] : NULL;
        bool memory = g->kind >= RG_GAUGE_READ && g->kind <= RG_GAUGE_LATENCY;
        rg_item *item = rg_doc_object(r->doc, list, NULL);
        rg_doc_str(r->doc, item, "kind", kinds[g->kind].key);
        if (p)
            rg_doc_text(r->doc, item, "of", "%s %s", rg_unit_kind_name(p->unit), rg_hw_dtype_name(p->dtype));
        else rg_doc_str(r->doc, item, "of", memory ? d->levels[g->row].name : NULL);
        rg_doc_int(r->doc, item, "cores", g->cores);
        rg_doc_real(r->doc, item, "footprint_byte", memory ? g->footprint_byte : NAN);
        rg_doc_real(r->doc, item, "median", g->samples ? g->value : NAN);
        rg_doc_real(r->doc, item, "best", g->samples ? g->best : NAN);
        rg_doc_real(r->doc, item, "spread", g->samples ? g->spread : NAN);
        rg_doc_int(r->doc, item, "samples", (int64_t)g->samples);
        rg_doc_flag(r->doc, item, "disturbed", g->disturbed);
    }
}

static void add_host(const report *r, rg_item *root)
{
    rg_host host;
    rg_item *item = rg_doc_object(r->doc, root, "host");
    rg_host_read(&host, "");
    rg_doc_str(r->doc, item, "cpu", r->c->on.cpu);
    add_cores(r, item, r->c->on.cores);
    rg_doc_str(r->doc, item, "kernel", r->c->on.kernel);
    rg_doc_str(r->doc, item, "governor", *host.governor ? host.governor : NULL);
    rg_doc_str(r->doc, item, "hypervisor", *host.hypervisor ? host.hypervisor : NULL);
}

/* ---- the roofline: vector peaks and levels, marked where each level meets the peak of f32 ---- */

static const rg_peak *f32_peak(const rg_device *d) { return rg_device_peak(d, -1, RG_VECTOR, RG_HW_F32); }

static rg_item *add_roofs(const report *r, rg_item *root)
{
    rg_item *list = rg_doc_array(r->doc, root, "roofs");
    for (size_t i = 0; i < r->measured->level_count; i++) {
        rg_item *item = rg_doc_object(r->doc, list, NULL);
        rg_doc_str(r->doc, item, "name", r->measured->levels[i].name);
        rg_doc_real(r->doc, item, "byte_per_s", r->measured->levels[i].read_byte_per_s);
    }
    for (size_t i = 0; i < r->measured->peak_count; i++) {
        const rg_peak *p = &r->measured->peaks[i];
        if (p->unit == RG_SCALAR) continue;
        rg_item *item = rg_doc_object(r->doc, list, NULL);
        rg_doc_str(r->doc, item, "name", rg_hw_dtype_name(p->dtype));
        rg_doc_real(r->doc, item, "op_per_s", p->op_per_s);
    }
    return list;
}

static rg_item *add_ridges(const report *r, rg_item *root)
{
    rg_item *list = rg_doc_array(r->doc, root, "ridge_points");
    const rg_peak *peak = f32_peak(r->measured);
    for (size_t i = 0; peak && i < r->measured->level_count; i++) {
        const rg_level *l = &r->measured->levels[i];
        rg_item *item = rg_doc_object(r->doc, list, NULL);
        rg_doc_str(r->doc, item, "name", l->name);
        rg_doc_real(r->doc, item, "intensity", peak->op_per_s / l->read_byte_per_s);
        rg_doc_real(r->doc, item, "op_per_s", peak->op_per_s);
    }
    return list;
}

/* ---- layout ---- */

static const rg_column head_columns[] =
    {
        {"host.cpu", "processor", RG_UNIT_NONE, false},
        {"host.cores", "cores", RG_UNIT_NONE, false},
        {"host.kernel", "kernel", RG_UNIT_NONE, false},
        {"host.governor", "governor", RG_UNIT_NONE, false},
        {"host.hypervisor", "hypervisor", RG_UNIT_NONE, false},
        {"date", "date", RG_UNIT_NONE, false},
        {"profile", "profile", RG_UNIT_NONE, false},
},
                       clock_columns[] =
                           {
                               {"engine", "engine", RG_UNIT_NONE, false},
                               {"one_hz", "one core", RG_UNIT_HERTZ, false},
                               {"all_hz", "all cores", RG_UNIT_HERTZ, false},
                               {"stated_hz", "detected", RG_UNIT_HERTZ, false},
                               {"ratio", "ratio", RG_UNIT_NONE, false},
                               {"spread", "spread", RG_UNIT_FRACTION, false},
                               {"disturbed", "disturbed", RG_UNIT_NONE, false},
},
                       peak_columns[] =
                           {
                               {"unit", "unit", RG_UNIT_NONE, false},
                               {"dtype", "type", RG_UNIT_NONE, false},
                               {"one_op_per_s", "one core", RG_UNIT_OP_PER_S, false},
                               {"one_op_per_clock", "op/clock", RG_UNIT_NONE, false},
                               {"all_op_per_s", "all cores", RG_UNIT_OP_PER_S, true},
                               {"stated_op_per_s", "detected", RG_UNIT_OP_PER_S, false},
                               {"ratio", "ratio", RG_UNIT_NONE, false},
                               {"spread", "spread", RG_UNIT_FRACTION, false},
                               {"disturbed", "disturbed", RG_UNIT_NONE, false},
                               {"how", "by", RG_UNIT_NONE, false},
},
                       level_columns[] =
                           {
                               {"name", "level", RG_UNIT_NONE, false},
                               {"one_read_byte_per_s", "read, one core", RG_UNIT_BYTE_PER_S, false},
                               {"all_read_byte_per_s", "read, all", RG_UNIT_BYTE_PER_S, true},
                               {"all_write_byte_per_s", "write, all", RG_UNIT_BYTE_PER_S, false},
                               {"all_copy_byte_per_s", "copy, all", RG_UNIT_BYTE_PER_S, false},
                               {"stated_read_byte_per_s", "detected", RG_UNIT_BYTE_PER_S, false},
                               {"ratio", "ratio", RG_UNIT_NONE, false},
                               {"spread", "spread", RG_UNIT_FRACTION, false},
                               {"disturbed", "disturbed", RG_UNIT_NONE, false},
},
                       wait_columns[] =
                           {
                               {"name", "level", RG_UNIT_NONE, false},
                               {"footprint_byte", "walk", RG_UNIT_BYTE, false},
                               {"latency_s", "latency", RG_UNIT_SECOND, true},
                               {"stated_latency_s", "detected", RG_UNIT_SECOND, false},
                               {"latency_ratio", "ratio", RG_UNIT_NONE, false},
},
                       region_columns[] = {
                           {"threads", "threads", RG_UNIT_NONE, false},
                           {"region_s", "empty parallel region", RG_UNIT_SECOND, false},
                           {"stated_s", "detected", RG_UNIT_SECOND, false},
                           {"ratio", "ratio", RG_UNIT_NONE, false},
};

static void say_disturbed(const report *r)
{
    size_t count = 0;
    for (size_t i = 0; i < r->c->count; i++) count += r->c->gauges[i].disturbed;
    if (count)
        rg_doc_say(r->doc,
                   "Other programs used the processors: %zu of %zu figures have too few turns without "
                   "them and are what the fast tenth of all runs reached. Calibrate again when it is quiet.",
                   count, r->c->count);
}

static void draw_roofline(const report *r, const rg_item *ridges, const rg_item *roofs)
{
    static const rg_axis y = {"op_per_s", "operations per second", RG_UNIT_OP_PER_S, true};
    if (!ridges || !ridges->count) return;
    rg_doc_chart(r->doc, &(rg_chart){
        .kind = RG_CHART_ROOFLINE, .name = "roofline", .title = "Measured roofline",
        .text = "What all cores reach at most, over arithmetic per byte of each memory level. The marks are "
                "ridge points: where f32 arithmetic takes as long as the level.",
        .array = ridges, .lines = roofs, .label = "name",
        .x = {"intensity", "arithmetic intensity, FLOP per byte", RG_UNIT_FLOP_PER_BYTE, true},
        .y = &y, .y_count = 1,
    });
}

void rg_calibrate_describe(rg_doc *doc, const rg_calibration *c, const rg_device *measured, const char *path)
{
    report r = {doc, c, measured};
    rg_item *root = rg_doc_root(doc);
    rg_doc_str(doc, root, "profile", path);
    rg_doc_str(doc, root, "date", c->on.date);
    rg_doc_real(doc, root, "turn_s", c->turn_s);
    rg_doc_int(doc, root, "turns", c->turns);
    rg_doc_real(doc, root, "foreign_max", c->foreign_max);
    add_host(&r, root);
    const rg_item *clocks = add_clocks(&r, root), *peaks = add_peaks(&r, root);
    const rg_item *levels = add_levels(&r, root), *region = add_region(&r, root);
    add_figures(&r, root);
    const rg_item *roofs = add_roofs(&r, root), *ridges = add_ridges(&r, root);
    rg_doc_section(doc, 1, "Calibration of this machine");
    rg_doc_fields(doc, root, head_columns, RG_COUNT(head_columns));
    say_disturbed(&r);
    rg_doc_section(doc, 2, "Clock under load");
    rg_doc_table(doc, "clocks", clocks, clock_columns, RG_COUNT(clock_columns), 0);
    rg_doc_section(doc, 2, "Peaks");
    rg_doc_table(doc, "peaks", peaks, peak_columns, RG_COUNT(peak_columns), 0);
    rg_doc_section(doc, 2, "Bandwidth");
    rg_doc_table(doc, "levels", levels, level_columns, RG_COUNT(level_columns), 0);
    rg_doc_section(doc, 2, "Latency");
    rg_doc_table(doc, "latency", levels, wait_columns, RG_COUNT(wait_columns), 0);
    if (region) {
        rg_doc_section(doc, 2, "Fork and join");
        rg_doc_fields(doc, region, region_columns, RG_COUNT(region_columns));
    }
    draw_roofline(&r, ridges, roofs);
}
