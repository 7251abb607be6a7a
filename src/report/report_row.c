/* report_row.c - rows[] of "ridge.predict/1": what each row computes, where it runs, what it costs and why,
 * and the tensors that cross its border.
 */
#include "predict/link.h"
#include "report/report.h"

#include <math.h>

typedef struct adding {
    rg_ctx *cx;
    rg_doc *doc;
    const rg_forecast *f;
    rg_uses uses;
    double *start_s; /* by row */
    bool *slowest;
} adding;

static void add_limits(const adding *a, rg_item *row, const rg_row *r, const rg_row_cost *c)
{
    rg_item *limits = rg_doc_array(a->doc, row, "limits"), *terms = rg_doc_array(a->doc, row, "terms");
    int link = (int)a->f->plan->device->level_count + 1;
    rg_collective_terms moved = {0};
    if (r->family == RG_FAMILY_COLLECTIVE) rg_collective_row_s(a->f->plan, r, &moved);
    for (int i = 0; i < c->limit_count; i++) {
        rg_item *limit = rg_doc_object(a->doc, limits, NULL);
        rg_doc_str(a->doc, limit, "name", c->limits[i].name);
        rg_doc_real(a->doc, limit, "time_s", c->limits[i].time_s);
        if (i > 0)
            rg_doc_real(a->doc, limit, "byte", i < link ? r->tiling.traffic_byte[i - 1] : moved.wire_byte);
    }
    for (int i = 0; i < RG_TERM_COUNT; i++) {
        rg_item *term = rg_doc_object(a->doc, terms, NULL);
        rg_doc_str(a->doc, term, "name", rg_term_name((rg_term)i));
        rg_doc_real(a->doc, term, "time_s", c->terms_s[i]);
    }
}

static void add_mapping(const adding *a, rg_item *row, const rg_row *r)
{
    rg_doc *d = a->doc;
    rg_item *m = rg_doc_object(d, row, "mapping");
    const rg_engine *engine = &a->f->plan->device->engines[r->peak->engine];
    rg_doc_str(d, m, "engine", engine->id);
    rg_doc_str(d, m, "unit", rg_unit_kind_name(r->peak->unit));
    rg_doc_str(d, m, "dtype", rg_hw_dtype_name(r->dtype));
    rg_doc_str(d, m, "why", r->placed_why);
    rg_item *tile = rg_doc_array(d, m, "tile");
    for (int i = 0; i < 3; i++) rg_doc_real(d, tile, NULL, r->tiling.tile[i]);
    rg_doc_real(d, m, "blocks", r->tiling.blocks);
    rg_doc_real(d, m, "blocks_per_unit", r->tiling.per_unit);
    rg_doc_real(d, m, "waves", r->tiling.waves);
    rg_doc_real(d, m, "units", r->tiling.units);
    rg_doc_real(d, m, "unit_count", r->unit_count);
    rg_doc_real(d, m, "occupancy", r->tiling.occupancy);
    rg_doc_real(d, m, "utilization", r->tiling.utilization);
    rg_doc_real(d, m, "split_k", r->tiling.split_k);
    rg_doc_real(d, m, "kernels", r->kernels);
    rg_doc_flag(d, m, "at_load", r->folded);
}

static void add_parallelism(const adding *a, rg_item *row, const rg_row *r)
{
    rg_doc *d = a->doc;
    const rg_tiling *t = &r->tiling;
    rg_item *p = rg_doc_object(d, row, "parallelism");
    rg_doc_real(d, p, "batch", r->width.batch);
    rg_doc_real(d, p, "channels", r->width.channels);
    rg_doc_real(d, p, "spatial", r->width.spatial);
    rg_doc_real(d, p, "threads", r->width.threads);
    rg_doc_flag(d, p, "depthwise", r->width.depthwise);
    rg_doc_flag(d, p, "grouped", r->width.grouped);
    rg_doc_str(d, p, "vector_dim", r->width.vector_dim);
    rg_doc_real(d, p, "vector_length", r->width.vector_length);
    rg_doc_flag(d, p, "split_batch", r->width.split_batch);
    rg_doc_flag(d, p, "split_channels", r->width.split_channels);
    rg_doc_flag(d, p, "split_spatial", r->width.split_spatial);
    rg_doc_real(d, p, "min_units", 1);
    rg_doc_real(d, p, "best_units", rg_ceil_div(t->blocks, rg_ceil_div(t->blocks, t->units)));
    rg_doc_real(d, p, "max_units", t->blocks);
}

/* Tensors that cross the row's border: name, type and bytes. */
static void add_tensors(const adding *a, rg_item *row, const char *key, const rg_value_id *ids,
                        uint32_t count)
{
    const rg_graph *g = a->f->plan->graph;
    rg_item *array = rg_doc_array(a->doc, row, key);
    for (uint32_t i = 0; i < count; i++) {
        const rg_value *value = &g->values[ids[i]];
        rg_text type;
        rg_text_init(&type, &a->cx->arena);
        rg_type_print(g, &value->type, &type);
        rg_item *tensor = rg_doc_object(a->doc, array, NULL);
        rg_doc_str(a->doc, tensor, "name", rg_arena_cstr(&a->cx->arena, value->name));
        rg_doc_str(a->doc, tensor, "type", type.data ? type.data : "?");
        rg_doc_real(a->doc, tensor, "byte", rg_type_bytes(g, &value->type));
        rg_doc_str(a->doc, tensor, "layout",
                   value->type.rank == 4 ? a->f->plan->runtime->layout : "row-major");
    }
}

/* 90 % of measurements lie within this factor: learned for its key, else the runtime's prior. */
static double row_factor(const rg_forecast *f, const rg_row_cost *c)
{
    double spread = c->evidence ? f->evidence[c->evidence].spread : 0;
    return spread > 0 ? exp(spread) : fmax(f->plan->runtime->interval_factor, 1);
}

/* In an array (key NULL) or an object. */
static rg_err add_row(const adding *a, rg_item *parent, const char *key, uint32_t index)
{
    const rg_row *r = &a->f->plan->rows[index];
    const rg_row_cost *c = &a->f->rows[index];
    rg_doc *d = a->doc;
    char why[512];
    double factor = row_factor(a->f, c), t = c->latency_s, e = c->energy_j;
    rg_item *row = rg_doc_object(d, parent, key);
    rg_doc_text(d, row, "id", "%016llx", (unsigned long long)r->id);
    rg_doc_str(d, row, "name", r->name);
    rg_doc_str(d, row, "kind", r->kind);
    rg_doc_str(d, row, "family", rg_family_name(r->family));
    rg_doc_int(d, row, "nodes", r->step_count);
    rg_doc_real(d, row, "times", r->times);
    rg_doc_int(d, row, "stage", r->stage);
    rg_doc_real(d, row, "flops", r->work.flop);
    rg_doc_real(d, row, "macs", r->work.mac);
    rg_doc_real(d, row, "byte", r->work.in_byte + r->work.weight_byte + r->work.out_byte);
    rg_doc_real(d, row, "input_byte", r->work.in_byte);
    rg_doc_real(d, row, "weight_byte", r->work.weight_byte);
    rg_doc_real(d, row, "output_byte", r->work.out_byte);
    rg_doc_real(d, row, "saved_byte", r->saved_byte);
    rg_doc_quantity(d, row, "latency_s", (rg_estimate){t, t / factor, t * factor});
    rg_doc_real(d, row, "total_s", c->total_s);
    rg_doc_real(d, row, "start_s", a->start_s[index]);
    rg_doc_flag(d, row, "slowest", a->slowest[index]);
    rg_doc_str(d, row, "evidence", c->evidence ? a->f->evidence[c->evidence].key : NULL);
    add_limits(a, row, r, c);
    rg_doc_quantity(d, row, "energy_j", (rg_estimate){e, e / factor, e * factor});
    rg_doc_real(d, row, "power_w", c->power_w);
    rg_doc_real(d, row, "flops_per_s", c->latency_s > 0 ? r->work.flop / c->latency_s : NAN);
    rg_doc_real(d, row, "intensity", c->intensity);
    rg_doc_real(d, row, "ridge", c->ridge);
    rg_doc_real(d, row, "utilization", c->utilization);
    rg_doc_str(d, row, "bound", rg_bound_name(c->bound));
    rg_doc_str(d, row, "binds", c->limit_count ? c->limits[c->binding].name : "none");
    add_mapping(a, row, r);
    add_parallelism(a, row, r);
    rg_item *deps = rg_doc_array(d, row, "deps");
    for (uint32_t i = 0; i < r->dep_count; i++) rg_doc_int(d, deps, NULL, r->deps[i]);
    rg_doc_str(d, row, "why", rg_row_why(a->f, index, why, sizeof why));
    rg_set set;
    RG_TRY(rg_facts_set(a->cx, a->f->plan->facts, &a->uses, r->steps, r->step_count, &set));
    add_tensors(a, row, "inputs", set.inputs, set.input_count);
    add_tensors(a, row, "weights", set.weights, set.weight_count);
    add_tensors(a, row, "outputs", set.outputs, set.output_count);
    return RG_OK;
}

/* When each row begins. One after the other, unless the stack overlaps branches: then between that order and
 * each row as soon as what it waits for is done, at the share w of what such an order saves. Both orders wait
 * for every dependency, so that every mixture of them does:
 *
 *     start = (1 - w) sum of the rows before + w (finish - time),    w = -overlap / (sum - critical path)
 */
static rg_err find_starts(adding *a)
{
    const rg_forecast *f = a->f;
    uint32_t count = f->plan->row_count;
    double sum = 0, before = 0;
    a->start_s = RG_NEW(&a->cx->arena, double, count);
    if (!a->start_s) return rg_nomem(a->cx);
    for (uint32_t r = 0; r < count; r++) sum += f->rows[r].total_s;
    double w = f->overlap_s < 0 ? fmin(-f->overlap_s / (sum - f->critical_s), 1) : 0;
    for (uint32_t r = 0; r < count; r++) {
        double soonest = f->finish_s[r] - f->rows[r].total_s;
        a->start_s[r] = (1 - w) * before + w * soonest;
        before += f->rows[r].total_s;
    }
    return RG_OK;
}

static rg_err begin(adding *a)
{
    uint32_t slowest[RG_TOP_ROWS], count = rg_slowest_rows(a->f, slowest);
    RG_TRY(rg_graph_uses(a->cx, a->f->plan->graph, &a->cx->arena, &a->uses));
    a->slowest = RG_NEW(&a->cx->arena, bool, a->f->plan->row_count);
    if (!a->slowest) return rg_nomem(a->cx);
    for (uint32_t i = 0; i < count; i++) a->slowest[slowest[i]] = true;
    return find_starts(a);
}

rg_err rg_rows_add(rg_ctx *cx, rg_doc *doc, rg_item *rows, const rg_forecast *f)
{
    adding a = {.cx = cx, .doc = doc, .f = f};
    RG_TRY(begin(&a));
    for (uint32_t i = 0; i < f->plan->row_count; i++) RG_TRY(add_row(&a, rows, NULL, i));
    return RG_OK;
}

rg_err rg_row_add(rg_ctx *cx, rg_doc *doc, rg_item *object, const rg_forecast *f, uint32_t index)
{
    adding a = {.cx = cx, .doc = doc, .f = f};
    RG_TRY(begin(&a));
    return add_row(&a, object, "row", index);
}
