/* dce.c - dead code: nodes that no output of the model needs. Backwards from the outputs, through bodies: a body keeps
 * what its owner's body outputs need, and an owner is kept when one of its results is.
 */
#include "pass/pass.h"

typedef struct marking { rg_graph *g; bool *live; rg_node_id *stack; uint32_t depth; } marking;

static void need(marking *m, rg_value_id value)
{
    const rg_value *v = &m->g->values[value];
    if (!value || v->role != RG_ROLE_NODE || m->live[v->producer]) return;
    m->live[v->producer] = true;
    m->stack[m->depth++] = v->producer;
}

static rg_err dce(rg_ctx *cx, rg_graph *g, bool *changed)
{
    marking m = {g, RG_NEW(&cx->arena, bool, g->node_count), RG_NEW(&cx->arena, rg_node_id, g->node_count), 0};
    if (!m.live || !m.stack) return rg_nomem(cx);
    const rg_region *top = &g->regions[RG_MAIN];
    for (uint32_t i = 0; i < top->output_count; i++) need(&m, top->outputs[i]);
    while (m.depth) {
        rg_node_id id = m.stack[--m.depth];
        const rg_node *node = &g->nodes[id];
        for (uint32_t i = 0; i < node->in_count; i++) need(&m, node->in[i]);
        for (uint32_t r = 1; r < g->region_count && node->op && (node->op->traits & RG_HAS_REGIONS); r++) {
            if (g->regions[r].owner != id) continue;
            for (uint32_t i = 0; i < g->regions[r].output_count; i++) need(&m, g->regions[r].outputs[i]);
        }
    }
    for (uint32_t i = 1; i < g->node_count; i++) {
        if (m.live[i] || g->nodes[i].dead) continue;
        g->nodes[i].dead = true;
        *changed = true;
    }
    return RG_OK;
}

RG_PASS(dce) = {.name = "dce", .brief = "drops nodes that no output needs", .order = 90, .repeat = true, .run = dce};
