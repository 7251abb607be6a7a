/* resolve.c - from what the file says a node is to a row of the operator table.
 *
 * A node of an older opset is rewritten to the meaning that the rest of the program knows (`upgrade`), so
 * that nothing behind this file has to ask for a version. Then counts and attributes are held against the
 * operator's specification: what a callback reads has the kind that it expects.
 */
#include "op/op.h"

#include <string.h>

static const char *const kind_names[] = {
    [RG_ATTR_NONE] = "nothing",      [RG_ATTR_INT] = "an integer",      [RG_ATTR_FLOAT] = "a float",
    [RG_ATTR_STRING] = "a string",   [RG_ATTR_TENSOR] = "a tensor",     [RG_ATTR_GRAPH] = "a graph",
    [RG_ATTR_INTS] = "integers",     [RG_ATTR_FLOATS] = "floats",       [RG_ATTR_STRINGS] = "strings",
    [RG_ATTR_TENSORS] = "tensors",   [RG_ATTR_GRAPHS] = "graphs",       [RG_ATTR_TYPE] = "a type",
};

/* ---- "did you mean" ---- */

const rg_op *rg_op_nearest(rg_str name)
{
    const rg_op *near = NULL;
    int least = name.size > 4 ? 3 : 2; /* letters: what differs in so many is another word */
    for (int i = 0; i < rg_op_count; i++) {
        int d = rg_str_distance(name, rg_str_of(rg_op_table[i]->name));
        if (d < least) {
            least = d;
            near = rg_op_table[i];
        }
    }
    return near;
}

/* ---- checks against the specification ---- */

static const rg_attr_spec *spec_named(const rg_op *op, rg_str name)
{
    for (size_t i = 0; i < op->attr_count; i++)
        if (rg_str_is(name, op->attrs[i].name)) return &op->attrs[i];
    return NULL;
}

static rg_err fail_attr(const rg_site *s, rg_str name)
{
    const rg_op *op = s->node->op;
    if (op->attr_count == 0)
        return rg_site_fail(s, RG_FORMAT, "attribute '%.*s' is not known; it has none", RG_STR(name));
    rg_str near = rg_str_of(op->attrs[0].name);
    for (size_t i = 1; i < op->attr_count; i++) {
        rg_str other = rg_str_of(op->attrs[i].name);
        if (rg_str_distance(name, other) < rg_str_distance(name, near)) near = other;
    }
    return rg_site_fail(s, RG_FORMAT, "attribute '%.*s' is not known; nearest: %.*s", RG_STR(name),
                        RG_STR(near));
}

/* `strict`: the node's version is one whose attributes are listed; older ones may carry what was dropped. */
static rg_err check_attrs(const rg_site *s, bool strict)
{
    const rg_node *n = s->node;
    for (uint32_t i = 0; i < n->attr_count; i++) {
        const rg_attr *a = &n->attrs[i];
        const rg_attr_spec *spec = spec_named(n->op, a->name);
        if (!spec && strict) return fail_attr(s, a->name);
        if (spec && a->kind != spec->kind && a->kind != RG_ATTR_NONE)
            return rg_site_fail(s, RG_FORMAT, "attribute '%s' holds %s, not %s", spec->name,
                                kind_names[a->kind], kind_names[spec->kind]);
    }
    for (size_t i = 0; i < n->op->attr_count; i++)
        if (n->op->attrs[i].required && !rg_op_has(s, n->op->attrs[i].name))
            return rg_site_fail(s, RG_FORMAT, "attribute '%s' is missing", n->op->attrs[i].name);
    return RG_OK;
}

static uint32_t used(const rg_value_id *ids, uint32_t count)
{
    while (count > 0 && ids[count - 1] == 0) count--;
    return count;
}

static rg_err check_counts(const rg_site *s)
{
    const rg_node *n = s->node;
    const rg_op *op = n->op;
    int in = (int)used(n->in, n->in_count), out = (int)used(n->out, n->out_count);
    if (in < op->in_min || (op->in_max >= 0 && in > op->in_max))
        return rg_site_fail(s, RG_FORMAT, "has %d inputs, needs %d to %d", in, op->in_min,
                            op->in_max < 0 ? RG_IO_MAX : op->in_max);
    if (out < op->out_min || (op->out_max >= 0 && out > op->out_max))
        return rg_site_fail(s, RG_FORMAT, "has %d outputs, needs %d to %d", out, op->out_min,
                            op->out_max < 0 ? RG_IO_MAX : op->out_max);
    for (int i = 0; i < op->in_min; i++)
        if (!n->in[i]) return rg_site_fail(s, RG_FORMAT, "input %d is required and left out", i);
    return RG_OK;
}

/* ---- one node ---- */

/* Upgrades until the node has today's meaning; an upgrade may turn it into another operator. */
static rg_err upgrade(rg_ctx *cx, rg_graph *g, rg_node_id id)
{
    enum { TURNS_MAX = 4 };
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        const rg_node *n = &g->nodes[id];
        const rg_op *op = n->op;
        if (!op || n->version >= op->since || !op->upgrade) return RG_OK;
        rg_site site = {cx, g, id, n};
        rg_str type = n->type;
        RG_TRY(op->upgrade(&site));
        g->nodes[id].version = op->since;
        if (!rg_str_eq(type, g->nodes[id].type))
            g->nodes[id].op = rg_op_find(g->nodes[id].domain, g->nodes[id].type);
    }
    return rg_fail(cx, RG_INTERNAL, "%s: its upgrades never end", rg_node_label(cx, g, id));
}

static rg_err resolve_node(rg_ctx *cx, rg_graph *g, rg_node_id id)
{
    if (!g->nodes[id].op)
        return RG_OK; /* inference names it, if anything needs it */
    bool strict = g->nodes[id].version >= g->nodes[id].op->since;
    RG_TRY(upgrade(cx, g, id));
    if (!g->nodes[id].op) return RG_OK;
    rg_site site = {cx, g, id, &g->nodes[id]};
    RG_TRY(check_counts(&site));
    return check_attrs(&site, strict && g->nodes[id].version <= RG_OPSET_MAX);
}

/* The row of a node's type; nodes of a type met before take it from there, by name. */
static const rg_op *find(rg_map *met, const rg_graph *g, rg_node_id id)
{
    const rg_node *n = &g->nodes[id];
    uint32_t like = rg_map_get(met, n->type);
    if (like && rg_str_eq(g->nodes[like].domain, n->domain) && g->nodes[like].op)
        return g->nodes[like].op;
    return rg_op_find(n->domain, n->type);
}

rg_err rg_graph_resolve(rg_ctx *cx, rg_graph *g)
{
    uint32_t count = g->node_count;
    rg_map met;
    rg_map_init(&met, &cx->arena);
    for (rg_node_id id = 1; id < g->node_count; id++) { /* upgrades append nodes: their turn comes */
        if (g->nodes[id].dead) continue;
        rg_str type = g->nodes[id].type;
        g->nodes[id].op = find(&met, g, id);
        RG_TRY(resolve_node(cx, g, id));
        if (rg_str_eq(type, g->nodes[id].type) && !rg_map_put(&met, type, id)) return rg_nomem(cx);
    }
    if (g->arena.failed || cx->arena.failed) return rg_nomem(cx);
    return count == g->node_count ? RG_OK : rg_graph_finish(cx, g); /* orders what was added */
}
