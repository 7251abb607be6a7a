/* dce.c - dead code: nodes and constants that no output of the model needs. Backwards from the outputs,
 * through bodies: a node that is kept keeps what its bodies hand out, and a body's node is kept when one of
 * its results is.
 */
#include "pass/pass.h"

typedef struct marking { rg_graph *g; bool *live, *read; rg_node_id *stack; uint32_t depth; } marking;

static void need(marking *m, rg_value_id value)
{
    const rg_value *v = &m->g->values[value];
    m->read[value] = true;
    if (v->role != RG_ROLE_NODE || m->live[v->producer]) return;
    m->live[v->producer] = true;
    m->stack[m->depth++] = v->producer;
}

static void need_region(marking *m, rg_region_id region)
{
    const rg_region *r = &m->g->regions[region];
    for (uint32_t i = 0; i < r->output_count; i++) need(m, r->outputs[i]);
}

static void need_node(marking *m, const rg_node *node)
{
    for (uint32_t i = 0; i < node->in_count; i++)
        if (node->in[i]) need(m, node->in[i]);
    for (uint32_t i = 0; i < node->attr_count; i++) {
        const rg_attr *a = &node->attrs[i];
        if (a->kind == RG_ATTR_GRAPH) need_region(m, a->region);
        for (uint32_t k = 0; a->kind == RG_ATTR_GRAPHS && k < a->count; k++) need_region(m, a->regions[k]);
    }
}

static rg_err dce(rg_ctx *cx, rg_graph *g, bool *changed)
{
    marking m = {.g = g};
    m.live = RG_NEW(&cx->arena, bool, g->node_count);
    m.read = RG_NEW(&cx->arena, bool, g->value_count);
    m.stack = RG_NEW(&cx->arena, rg_node_id, g->node_count);
    if (!m.live || !m.read || !m.stack) return rg_nomem(cx);
    need_region(&m, RG_MAIN);
    while (m.depth) need_node(&m, &g->nodes[m.stack[--m.depth]]);
    for (uint32_t i = 1; i < g->node_count; i++) {
        if (m.live[i] || g->nodes[i].dead) continue;
        g->nodes[i].dead = true;
        *changed = true;
    }
    for (uint32_t v = 1; v < g->value_count; v++) /* no reason to infer anew: nobody read them */
        if (g->values[v].role == RG_ROLE_CONST && !m.read[v])
            g->values[v] = (rg_value){.region = g->values[v].region};
    return RG_OK;
}

RG_PASS(dce) = {
    .name = "dce",
    .brief = "drops nodes and constants that no output needs",
    .order = 90,
    .repeat = true,
    .run = dce,
};
