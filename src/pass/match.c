/* match.c - what passes ask of a graph: who makes a value, who alone uses it, which constant it is. */
#include "pass/pass.h"

#include <math.h>

rg_err rg_match_init(rg_match *m, rg_ctx *cx, rg_graph *g)
{
    m->cx = cx;
    m->g = g;
    return rg_graph_uses(cx, g, &cx->arena, &m->uses);
}

rg_node *rg_producer_is(const rg_match *m, rg_value_id value, const char *type)
{
    if (!value || m->g->values[value].role != RG_ROLE_NODE) return NULL;
    rg_node *node = &m->g->nodes[m->g->values[value].producer];
    return !node->dead && (!type || rg_node_is(node, type)) ? node : NULL;
}

bool rg_used_once(const rg_match *m, rg_value_id value)
{
    return m->uses.out_uses[value] == 0 && m->uses.first[value + 1] - m->uses.first[value] == 1;
}

rg_node *rg_single_user(const rg_match *m, rg_value_id value, const char *type)
{
    if (!value || !rg_used_once(m, value)) return NULL;
    rg_node *node = &m->g->nodes[m->uses.users[m->uses.first[value]]];
    return !node->dead && (!type || rg_node_is(node, type)) ? node : NULL;
}

bool rg_const_scalar(const rg_match *m, rg_value_id value, double *out)
{
    const rg_tensor *t = value ? m->g->values[value].data : NULL;
    if (!t || m->g->values[value].role != RG_ROLE_CONST || t->count != 1 || !rg_tensor_has_data(t)) return false;
    *out = rg_tensor_real(t, 0);
    return true;
}

bool rg_const_is(const rg_match *m, rg_value_id value, double x)
{
    const rg_tensor *t = value ? m->g->values[value].data : NULL;
    if (!t || m->g->values[value].role != RG_ROLE_CONST || t->count < 1 || !rg_tensor_has_data(t)) return false;
    double first = rg_tensor_real(t, 0);
    return fabs(first - x) <= 1e-3 * fabs(x) && (t->count == 1 || rg_tensor_is_splat_of(t, first));
}

rg_value_id rg_other_input(const rg_node *node, rg_value_id value)
{
    if (node->in_count != 2) return 0;
    return node->in[0] == value ? node->in[1] : node->in[1] == value ? node->in[0] : 0;
}

bool rg_is_region_output(const rg_graph *g, rg_region_id region, rg_value_id value)
{
    const rg_region *r = &g->regions[region];
    for (uint32_t i = 0; i < r->output_count; i++)
        if (r->outputs[i] == value) return true;
    return false;
}

/* Follows a chain of renamings to its end and shortens it, so that a long chain is walked once. */
static rg_value_id final_name(rg_value_id *renamed, rg_value_id v)
{
    rg_value_id end = v;
    while (renamed[end]) end = renamed[end];
    while (renamed[v] && renamed[v] != end) {
        rg_value_id next = renamed[v];
        renamed[v] = end;
        v = next;
    }
    return end;
}

void rg_graph_rename(rg_graph *g, rg_value_id *renamed)
{
    for (uint32_t i = 1; i < g->node_count; i++)
        for (uint32_t k = 0; k < g->nodes[i].in_count; k++) g->nodes[i].in[k] = final_name(renamed, g->nodes[i].in[k]);
}
