/* layout.c - which activations lie in blocks of channels.
 *
 * Every one that may starts blocked. A node all of whose values have to lie alike makes them plain when one
 * of them is, a node that nobody can run on blocks makes all its values plain; until nothing changes.
 */
#include "exec/fast.h"

bool rg_fast_may_block(const rg_fast_row *r, rg_value_id v)
{
    if (!v || !rg_fast_is_f32(r, v) || r->g->values[v].role == RG_ROLE_CONST) return false;
    const rg_type *t = &r->g->values[v].type;
    if (t->rank != 4 || t->dim[1] % RG_BLOCK || t->dim[1] == 0 || t->dim[2] * t->dim[3] < 2) return false;
    const rg_region *model = &r->g->regions[RG_MAIN];
    for (uint32_t i = 0; i < model->input_count; i++)
        if (model->inputs[i] == v) return false;
    for (uint32_t i = 0; i < model->output_count; i++)
        if (model->outputs[i] == v) return false;
    return true;
}

/* Of four axes and several pixels: lies differently in the two layouts. */
static bool matters(const rg_fast_row *r, rg_value_id v)
{
    if (!v) return false;
    const rg_type *t = &r->g->values[v].type;
    return t->kind == RG_KIND_TENSOR && t->rank == 4 && t->dim[1] > 1 && t->dim[2] * t->dim[3] > 1;
}

static bool same_shape(const rg_type *a, const rg_type *b)
{
    if (a->rank != b->rank) return false;
    for (int k = 0; k < a->rank; k++)
        if (a->dim[k] != b->dim[k]) return false;
    return true;
}

/* A renaming of the same shape moves nothing. */
static rg_layout_rule rule_of(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    if ((n->op->traits & RG_VIEW) && !n->op->run)
        return same_shape(&r->g->values[n->in[0]].type, &r->g->values[n->out[0]].type) ? RG_LAYOUT_SAME
                                                                                      : RG_LAYOUT_PLAIN;
    for (int i = 0; i < rg_fast_count; i++) {
        rg_layout_rule rule = rg_fast_table[i]->layout ? rg_fast_table[i]->layout(r) : RG_LAYOUT_PLAIN;
        if (rule != RG_LAYOUT_PLAIN) return rule;
    }
    return RG_LAYOUT_PLAIN;
}

static bool make_plain(bool *blocked, rg_value_id v)
{
    bool was = blocked[v];
    blocked[v] = false;
    return was;
}

/* True: something changed. */
static bool settle(const rg_fast_row *r, rg_layout_rule rule, bool *blocked)
{
    const rg_node *n = r->site.node;
    bool change = false, plain = rule == RG_LAYOUT_PLAIN;
    if (rule == RG_LAYOUT_FREE) return false;
    for (uint32_t i = 0; i < n->in_count; i++) plain |= matters(r, n->in[i]) && !blocked[n->in[i]];
    for (uint32_t i = 0; i < n->out_count; i++) plain |= matters(r, n->out[i]) && !blocked[n->out[i]];
    for (uint32_t i = 0; plain && i < n->in_count; i++) change |= make_plain(blocked, n->in[i]);
    for (uint32_t i = 0; plain && i < n->out_count; i++) change |= make_plain(blocked, n->out[i]);
    return change;
}

rg_err rg_layout_find(const rg_fast_row *row, bool *blocked)
{
    const rg_plan *plan = row->plan;
    rg_fast_row r = *row;
    uint32_t steps = plan->facts->step_count;
    rg_layout_rule *rules = RG_NEW(r.arena, rg_layout_rule, steps + 1);
    if (!rules) return rg_nomem(r.cx);
    for (rg_value_id v = 1; v < r.g->value_count; v++) blocked[v] = rg_fast_may_block(&r, v);
    for (bool change = true, first = true; change; first = false) {
        change = false;
        for (uint32_t s = 0; s < steps; s++) {
            rg_node_id id = plan->facts->steps[s].node;
            r.site = (rg_site){r.cx, (rg_graph *)(uintptr_t)r.g, id, &r.g->nodes[id]};
            if (first) rules[s] = rule_of(&r);
            change |= settle(&r, rules[s], blocked);
        }
    }
    return RG_OK;
}
