/* canonicalize.c - nodes that change nothing go: a row of the table names an operator and the test for its doing nothing.
 * What is left has one form, which recognition relies on.
 */
#include "pass/pass.h"

#include <math.h>
#include <string.h>

static bool same_type(const rg_match *m, const rg_node *n)
{
    return rg_type_eq(&m->g->values[n->in[0]].type, &m->g->values[n->out[0]].type);
}

static bool always(const rg_match *m, const rg_node *n)
{
    (void)m, (void)n;
    return true;
}

/* Inference: Dropout passes its input through unless training_mode says otherwise. */
static bool not_training(const rg_match *m, const rg_node *n)
{
    double mode;
    if (n->in_count < 3 || !n->in[2]) return true;
    return rg_const_scalar(m, n->in[2], &mode) && mode == 0;
}

static bool keeps_order(const rg_match *m, const rg_node *n)
{
    const rg_attr *perm = rg_node_attr(n, "perm");
    if (!perm || perm->kind != RG_ATTR_INTS) return m->g->values[n->in[0]].type.rank >= 0 && m->g->values[n->in[0]].type.rank <= 1;
    for (uint32_t i = 0; i < perm->count; i++)
        if (perm->ints[i] != i) return false;
    return true;
}

static bool one_input(const rg_match *m, const rg_node *n)
{
    (void)m;
    return n->in_count == 1;
}

/* x + 0, x - 0, x * 1, x / 1, x ** 1 with a constant that does not broadcast x. */
static bool neutral(const rg_match *m, const rg_node *n)
{
    bool multiplies = rg_node_is(n, "Mul") || rg_node_is(n, "Div") || rg_node_is(n, "Pow");
    const rg_tensor *t = m->g->values[n->in[1]].data;
    if (m->g->values[n->in[1]].role != RG_ROLE_CONST || !t || !rg_tensor_has_data(t)) return false;
    return same_type(m, n) && rg_tensor_is_splat_of(t, multiplies ? 1 : 0);
}

static bool pads_nothing(const rg_match *m, const rg_node *n)
{
    const rg_tensor *t = n->in_count > 1 ? m->g->values[n->in[1]].data : NULL;
    return t && m->g->values[n->in[1]].role == RG_ROLE_CONST && rg_tensor_has_data(t) && rg_tensor_is_splat_of(t, 0);
}

static const struct { const char *type; bool (*idle)(const rg_match *m, const rg_node *n); } idlers[] = {
    {"Identity", always}, {"Dropout", not_training}, {"Cast", same_type}, {"CastLike", same_type}, {"Reshape", same_type},
    {"Flatten", same_type}, {"Expand", same_type}, {"Transpose", keeps_order}, {"Concat", one_input}, {"Sum", one_input},
    {"Max", one_input}, {"Min", one_input}, {"Mean", one_input}, {"Add", neutral}, {"Sub", neutral}, {"Mul", neutral},
    {"Div", neutral}, {"Pow", neutral}, {"Pad", pads_nothing},
};

/* Its further outputs (Dropout's mask) must be unused. */
static bool only_first_output(const rg_match *m, const rg_node *n)
{
    for (uint32_t i = 1; i < n->out_count; i++) {
        rg_value_id v = n->out[i];
        if (v && (m->uses.first[v] != m->uses.first[v + 1] || m->uses.out_uses[v])) return false;
    }
    return n->out_count > 0 && n->out[0] && n->in_count > 0 && n->in[0];
}

/* Two reorderings in a row are one; two reshapes in a row are the second. */
static rg_err merge_pairs(rg_match *m, rg_node *n, bool *changed)
{
    const rg_node *first = rg_producer_is(m, n->in[0], NULL);
    if (!first || first == n || first->region != n->region) return RG_OK;
    bool reshapes = rg_node_is(n, "Reshape") && (rg_node_is(first, "Reshape") || rg_node_is(first, "Flatten") ||
                                                 rg_node_is(first, "Squeeze") || rg_node_is(first, "Unsqueeze"));
    if (reshapes) {
        const rg_tensor *shape = m->g->values[n->in[1]].data;
        bool copies = !shape || !rg_tensor_has_data(shape); /* a 0 copies a dimension of what is reshaped */
        for (int64_t i = 0; !copies && i < shape->count; i++) copies = rg_tensor_int(shape, i) == 0;
        if (copies) return RG_OK;
        n->in[0] = first->in[0];
        *changed = true;
        return RG_OK;
    }
    const rg_attr *a = rg_node_attr(first, "perm"), *b = rg_node_attr(n, "perm");
    if (!rg_node_is(n, "Transpose") || !rg_node_is(first, "Transpose") || !a || !b || a->kind != RG_ATTR_INTS ||
        b->kind != RG_ATTR_INTS || a->count != b->count) return RG_OK;
    int64_t *both = RG_NEW(&m->g->arena, int64_t, a->count + 1);
    if (!both) return rg_nomem(m->cx);
    for (uint32_t i = 0; i < a->count; i++) {
        if (b->ints[i] < 0 || b->ints[i] >= a->count) return RG_OK;
        both[i] = a->ints[b->ints[i]];
    }
    rg_attr merged = *b;
    merged.ints = both;
    n->in[0] = first->in[0];
    *changed = true;
    return rg_node_set_attr(m->cx, m->g, (rg_node_id)(n - m->g->nodes), &merged);
}

static rg_err run(rg_ctx *cx, rg_graph *g, bool *changed)
{
    rg_match m;
    RG_TRY(rg_match_init(&m, cx, g));
    rg_value_id *renamed = RG_NEW(&cx->arena, rg_value_id, g->value_count);
    if (!renamed) return rg_nomem(cx);
    for (rg_node_id id = 1; id < g->node_count; id++) {
        rg_node *n = &g->nodes[id];
        if (n->dead || !n->op || n->op->domain || !only_first_output(&m, n)) continue;
        bool idle = false;
        for (size_t i = 0; i < RG_COUNT(idlers) && !idle; i++)
            idle = rg_node_is(n, idlers[i].type) && idlers[i].idle(&m, n);
        if (idle && !rg_is_region_output(g, n->region, n->out[0])) {
            renamed[n->out[0]] = n->in[0];
            n->dead = true;
            *changed = true;
        } else if (!idle) {
            RG_TRY(merge_pairs(&m, n, changed));
        }
    }
    rg_graph_rename(g, renamed);
    return RG_OK;
}

RG_PASS(canonicalize) = {.name = "canonicalize", .brief = "drops nodes that change nothing, merges pairs", .order = 20, .repeat = true, .run = run};
