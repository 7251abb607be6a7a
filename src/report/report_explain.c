/* report_explain.c - "ridge.explain/1": one row with everything that is known of it, its equation in numbers.
 */
#include "predict/link.h"
#include "report/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS(doc, item, columns) rg_doc_fields(doc, item, columns, RG_COUNT(columns))
#define TABLE(doc, name, item, columns) rg_doc_table(doc, name, item, columns, RG_COUNT(columns), 0)

/* ---- finding the row ---- */

static uint32_t slowest(const rg_forecast *f)
{
    uint32_t best = 0;
    for (uint32_t r = 1; r < f->plan->row_count; r++)
        if (f->rows[r].total_s > f->rows[best].total_s) best = r;
    return best;
}

/* By its id, its whole name, its index; else by the part of a name that only one row has. */
static rg_err find_row(rg_ctx *cx, const rg_plan *plan, const char *wanted, uint32_t *out)
{
    uint32_t matches = 0;
    rg_text near;
    rg_text_init(&near, &cx->arena);
    for (uint32_t r = 0; r < plan->row_count; r++) {
        char id[20], index[12];
        snprintf(id, sizeof id, "%016" PRIx64, plan->rows[r].id);
        snprintf(index, sizeof index, "%" PRIu32, r);
        *out = r;
        if (strcmp(wanted, id) == 0 || strcmp(wanted, index) == 0 || strcmp(wanted, plan->rows[r].name) == 0)
            return RG_OK;
    }
    for (uint32_t r = 0; r < plan->row_count; r++) {
        if (!strstr(plan->rows[r].name, wanted)) continue;
        if (matches++ < 8) rg_text_printf(&near, "%s%s", near.size ? ", " : "", plan->rows[r].name);
        *out = r;
    }
    if (near.failed) return rg_nomem(cx);
    if (matches == 1) return RG_OK;
    if (matches)
        return rg_fail(cx, RG_INPUT, "row '%.64s': %" PRIu32 " rows have that in their name: %s%s", wanted,
                       matches, near.data, matches > 8 ? ", ..." : "");
    return rg_fail(cx, RG_INPUT,
                   "no row '%.64s' among the %" PRIu32 ": an id, an index from 0 or a part of a name; "
                   "'ridge predict --explain 2' lists them",
                   wanted, plan->row_count);
}

/* ---- one row ---- */

static const rg_column what[] = {
    {"id", "id", RG_UNIT_NONE, false},
    {"kind", "kind", RG_UNIT_NONE, false},
    {"family", "family", RG_UNIT_NONE, false},
    {"nodes", "nodes", RG_UNIT_COUNT, false},
    {"times", "times", RG_UNIT_COUNT, false},
    {"stage", "stage", RG_UNIT_COUNT, false},
    {"flops", "FLOPs", RG_UNIT_COUNT, false},
    {"macs", "MACs", RG_UNIT_COUNT, false},
    {"input_byte", "reads", RG_UNIT_BYTE, false},
    {"weight_byte", "weights", RG_UNIT_BYTE, false},
    {"output_byte", "writes", RG_UNIT_BYTE, false},
    {"saved_byte", "kept off memory by grouping", RG_UNIT_BYTE, false},
};
static const rg_column costs[] = {
    {"latency_s", "latency", RG_UNIT_SECOND, false}, {"energy_j", "energy", RG_UNIT_JOULE, false},
    {"power_w", "power", RG_UNIT_WATT, false}, {"bound", "bound by", RG_UNIT_NONE, false},
    {"binds", "longest limit", RG_UNIT_NONE, false}, {"utilization", "of the peak", RG_UNIT_FRACTION, false},
    {"intensity", "arithmetic intensity", RG_UNIT_FLOP_PER_BYTE, false},
    {"ridge", "ridge point", RG_UNIT_FLOP_PER_BYTE, false},
};
static const rg_column mapping[] = {
    {"mapping.engine", "engine", RG_UNIT_NONE, false},
    {"mapping.unit", "unit", RG_UNIT_NONE, false},
    {"mapping.dtype", "computes in", RG_UNIT_NONE, false},
    {"mapping.why", "because", RG_UNIT_NONE, false},
    {"mapping.tile", "tile (m, n, k)", RG_UNIT_NONE, false},
    {"mapping.blocks", "blocks", RG_UNIT_COUNT, false},
    {"mapping.waves", "waves", RG_UNIT_COUNT, false},
    {"mapping.units", "units busy", RG_UNIT_COUNT, false},
    {"mapping.unit_count", "of", RG_UNIT_COUNT, false},
    {"mapping.occupancy", "occupancy", RG_UNIT_FRACTION, false},
    {"mapping.utilization", "useful while busy", RG_UNIT_FRACTION, false},
    {"mapping.split_k", "reduction cut into", RG_UNIT_COUNT, false},
    {"mapping.kernels", "kernels", RG_UNIT_COUNT, false},
};
static const rg_column limits[] = {
    {"name", "resource", RG_UNIT_NONE, false}, {"byte", "moves", RG_UNIT_BYTE, false},
    {"time_s", "alone takes", RG_UNIT_SECOND, true},
};
static const rg_column terms[] = {{"name", "term", RG_UNIT_NONE, false},
                                  {"time_s", "time", RG_UNIT_SECOND, true}};
static const rg_column tensors[] = {
    {"name", "tensor", RG_UNIT_NONE, false}, {"type", "type", RG_UNIT_NONE, false},
    {"byte", "bytes", RG_UNIT_BYTE, false}, {"layout", "layout", RG_UNIT_NONE, false},
};
static const rg_column neighbours[] = {
    {"name", "row", RG_UNIT_NONE, false}, {"id", "id", RG_UNIT_NONE, false},
    {"latency_s", "time", RG_UNIT_SECOND, false},
};

/* t = start + steps latency + T + 2 sqrt(start T); src/predict/link.c has the law. */
static void say_link(rg_doc *doc, const rg_forecast *f, const rg_row *row)
{
    rg_collective_terms t;
    char bytes[32], alpha[32], beta[32], fill[32];
    rg_collective_row_s(f->plan, row, &t);
    rg_unit_print(bytes, sizeof bytes, t.wire_byte, RG_UNIT_BYTE);
    rg_unit_print(alpha, sizeof alpha, t.alpha_s, RG_UNIT_SECOND);
    rg_unit_print(beta, sizeof beta, t.beta_s, RG_UNIT_SECOND);
    rg_unit_print(fill, sizeof fill, t.fill_s, RG_UNIT_SECOND);
    rg_doc_say(
        doc,
        "The %s takes %.0f step%s one after the other, with its start %s; each device sends %s, which the "
        "links carry in %s; filling the pipe adds %s.",
        t.algorithm, t.steps, t.steps > 1 ? "s" : "", alpha, bytes, beta, fill);
}

/* compute t_c = (2 mac / R + other / V) / e, with this row's numbers; src/predict/roofline.c has the law. */
static void say_equation(rg_doc *doc, const rg_forecast *f, uint32_t index)
{
    const rg_row *row = &f->plan->rows[index];
    const rg_row_cost *c = &f->rows[index];
    char macs[32], rate[32], compute[32], busy[32], sum[32];
    if (!c->limit_count) {
        rg_doc_say(doc, "It costs nothing: %s.", row->folded ? "it is computed once, when the model is loaded"
                                                             : "it moves no data");
        return;
    }
    if (row->family == RG_FAMILY_COLLECTIVE) {
        say_link(doc, f, row);
        return;
    }
    rg_unit_print(macs, sizeof macs, 2 * row->work.mac, RG_UNIT_FLOP);
    rg_unit_print(rate, sizeof rate, rg_row_rate(row, f->clock_hz), RG_UNIT_OP_PER_S);
    rg_unit_print(compute, sizeof compute, c->limits[0].time_s, RG_UNIT_SECOND);
    rg_unit_print(busy, sizeof busy, c->terms_s[RG_TERM_BUSY], RG_UNIT_SECOND);
    rg_unit_print(sum, sizeof sum, c->latency_s, RG_UNIT_SECOND);
    rg_doc_say(
        doc,
        "Compute alone: %s of products at %s, of which such kernels reach %.0f %%, and the rest of the "
        "work on the lanes: %s. Each memory level alone takes its bytes over its bandwidth. The longest of "
        "these is busy, %s; with launch and tail it is %s.",
        macs, rate, 100 * rg_row_compute_share(row), compute, busy, sum);
    rg_doc_say(doc, "Efficiency of %s kernels: compute %.2f, memory %.2f (%s).", row->efficiency->family,
               rg_row_compute_share(row), row->efficiency->memory, row->efficiency->source);
}

static void add_neighbour(rg_doc *doc, rg_item *array, const rg_forecast *f, uint32_t index)
{
    rg_item *item = rg_doc_object(doc, array, NULL);
    rg_doc_int(doc, item, "row", index);
    rg_doc_text(doc, item, "id", "%016" PRIx64, f->plan->rows[index].id);
    rg_doc_str(doc, item, "name", f->plan->rows[index].name);
    rg_doc_real(doc, item, "latency_s", f->rows[index].latency_s);
}

static void show_neighbours(rg_doc *doc, rg_item *root, const rg_forecast *f, uint32_t index)
{
    const rg_plan *plan = f->plan;
    rg_item *before = rg_doc_array(doc, root, "before"), *after = rg_doc_array(doc, root, "after");
    for (uint32_t i = 0; i < plan->rows[index].dep_count; i++)
        add_neighbour(doc, before, f, plan->rows[index].deps[i]);
    for (uint32_t r = index + 1; r < plan->row_count; r++)
        for (uint32_t i = 0; i < plan->rows[r].dep_count; i++)
            if (plan->rows[r].deps[i] == index) add_neighbour(doc, after, f, r);
    if (before && before->count) rg_doc_section(doc, 3, "It waits for");
    if (before && before->count) TABLE(doc, "before", before, neighbours);
    if (after && after->count) rg_doc_section(doc, 3, "These wait for it");
    if (after && after->count) TABLE(doc, "after", after, neighbours);
}

static void show_tensors(rg_doc *doc, const rg_item *row)
{
    static const struct { const char *key, *heading; } parts[] = {
        {"inputs", "Reads"}, {"weights", "Weights"}, {"outputs", "Writes"},
    };
    for (size_t i = 0; i < RG_COUNT(parts); i++) {
        const rg_item *list = rg_item_find(row, parts[i].key);
        if (!list || !list->count) continue;
        rg_doc_section(doc, 3, "%s", parts[i].heading);
        TABLE(doc, parts[i].key, list, tensors);
    }
}

/* The nodes of the graph that became this row, in order. */
static void add_members(rg_ctx *cx, rg_doc *doc, rg_item *root, const rg_plan *plan, const rg_row *row)
{
    rg_item *array = rg_doc_array(doc, root, "members");
    static const rg_column members[] = {
        {"name", "node", RG_UNIT_NONE, false}, {"operator", "operator", RG_UNIT_NONE, false},
    };
    for (uint32_t i = 0; i < row->step_count; i++) {
        const rg_node *node = &plan->graph->nodes[plan->facts->steps[row->steps[i]].node];
        rg_item *item = rg_doc_object(doc, array, NULL);
        rg_doc_str(doc, item, "name", rg_arena_cstr(&cx->arena, node->name));
        rg_doc_str(doc, item, "operator", rg_arena_cstr(&cx->arena, node->type));
    }
    TABLE(doc, "members", array, members);
}

static rg_err fill_row(rg_ctx *cx, rg_doc *doc, const rg_forecast *f, uint32_t index)
{
    const rg_plan *plan = f->plan;
    char why[512];
    rg_item *root = rg_doc_root(doc);
    rg_doc_str(doc, root, "model", rg_model_label(&cx->arena, plan->graph));
    rg_doc_str(doc, root, "device", plan->device->id);
    rg_doc_str(doc, root, "runtime", plan->runtime->id);
    rg_doc_str(doc, root, "precision", plan->precision);
    rg_doc_int(doc, root, "index", index);
    RG_TRY(rg_row_add(cx, doc, root, f, index));
    const rg_item *row = rg_item_find(root, "row");
    rg_doc_section(doc, 1, "Row %u of %u: %s", index, plan->row_count, plan->rows[index].name);
    rg_doc_say(doc, "%s", rg_row_why(f, index, why, sizeof why));
    FIELDS(doc, row, what);
    add_members(cx, doc, root, plan, &plan->rows[index]);
    rg_doc_section(doc, 2, "What it costs");
    FIELDS(doc, row, costs);
    say_equation(doc, f, index);
    TABLE(doc, "limits", rg_item_find(row, "limits"), limits);
    TABLE(doc, "terms", rg_item_find(row, "terms"), terms);
    rg_doc_section(doc, 2, "Where it runs");
    FIELDS(doc, row, mapping);
    rg_doc_section(doc, 2, "What crosses its border");
    show_tensors(doc, row);
    show_neighbours(doc, root, f, index);
    return rg_doc_done(cx, doc);
}

rg_err rg_row_doc(rg_ctx *cx, const rg_forecast *forecast, const char *row, rg_doc **out)
{
    uint32_t index = slowest(forecast);
    *out = NULL;
    if (!forecast->plan->row_count) return rg_fail(cx, RG_INPUT, "the model computes nothing: it has no row");
    if (row) RG_TRY(find_row(cx, forecast->plan, row, &index));
    RG_TRY(rg_doc_new(cx, "ridge.explain/1", out));
    rg_err err = fill_row(cx, *out, forecast, index);
    if (!err) return RG_OK;
    rg_doc_free(*out);
    *out = NULL;
    return err;
}
