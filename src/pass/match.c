/* match.c - what passes ask of a graph: who makes a value, who alone uses it, which constant it is; and the
 * pieces of a pattern, gathered from its result upwards.
 *
 * Uses are those of the time of rg_match_init. A rewrite only takes uses away, so that what is stale errs
 * towards leaving things alone.
 */
#include "pass/pass.h"

#include <assert.h>
#include <math.h>
#include <string.h>

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

uint32_t rg_use_count(const rg_match *m, rg_value_id value)
{
    return m->uses.out_uses[value] ? UINT32_MAX : m->uses.first[value + 1] - m->uses.first[value];
}

rg_node *rg_single_user(const rg_match *m, rg_value_id value, const char *type)
{
    if (!value || rg_use_count(m, value) != 1) return NULL;
    rg_node *node = &m->g->nodes[m->uses.users[m->uses.first[value]]];
    return !node->dead && (!type || rg_node_is(node, type)) ? node : NULL;
}

bool rg_const_scalar(const rg_match *m, rg_value_id value, double *out)
{
    const rg_tensor *t = value ? m->g->values[value].data : NULL;
    if (!t || m->g->values[value].role != RG_ROLE_CONST || t->count != 1 || !rg_tensor_has_data(t))
        return false;
    *out = rg_tensor_real(t, 0);
    return true;
}

bool rg_is_about(double a, double b) { return fabs(a - b) <= 1e-3 * fabs(b); }

bool rg_const_is(const rg_match *m, rg_value_id value, double x)
{
    const rg_tensor *t = value ? m->g->values[value].data : NULL;
    if (!t || m->g->values[value].role != RG_ROLE_CONST || t->count < 1 || !rg_tensor_has_data(t))
        return false;
    double first = rg_tensor_real(t, 0);
    return rg_is_about(first, x) && (t->count == 1 || rg_tensor_is_splat_of(t, first));
}

rg_value_id rg_other_input(const rg_node *node, rg_value_id value)
{
    if (node->in_count != 2) return 0;
    return node->in[0] == value ? node->in[1] : node->in[1] == value ? node->in[0] : 0;
}

bool rg_int_attr_is(const rg_node *node, const char *name, int64_t x, int64_t preset)
{
    const rg_attr *attr = rg_node_attr(node, name);
    return (attr && attr->kind == RG_ATTR_INT ? attr->i : preset) == x;
}

/* ---- renaming ---- */

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
        for (uint32_t k = 0; k < g->nodes[i].in_count; k++)
            g->nodes[i].in[k] = final_name(renamed, g->nodes[i].in[k]);
}

/* ---- pieces ---- */

void rg_retype(rg_node *node, const char *type)
{
    node->domain = RG_LIT("");
    node->type = rg_str_of(type);
    node->op = rg_op_find(node->domain, node->type);
    assert(node->op);
    node->version = node->op->since;
}

rg_pieces rg_pieces_of(rg_node *last) { return (rg_pieces){.nodes = {last}, .count = 1}; }

rg_node *rg_piece(const rg_match *m, rg_pieces *p, rg_value_id value, const char *type, uint32_t uses)
{
    rg_node *node = rg_producer_is(m, value, type);
    if (!node || p->count == RG_PIECES_MAX || node->region != p->nodes[0]->region) return NULL;
    if (node->out_count != 1 || rg_use_count(m, value) != uses) return NULL;
    return p->nodes[p->count++] = node;
}

rg_err rg_pieces_become(const rg_match *m, const rg_pieces *p, const char *type, const rg_node *like)
{
    rg_node *last = p->nodes[0];
    rg_value_id *in = RG_NEW(&m->g->arena, rg_value_id, like->in_count);
    rg_attr *attrs = RG_NEW(&m->g->arena, rg_attr, like->attr_count + 1);
    if (!in || !attrs) return rg_nomem(m->cx);
    memcpy(in, like->in, like->in_count * sizeof *in);
    if (like->attr_count) memcpy(attrs, like->attrs, like->attr_count * sizeof *attrs);
    rg_retype(last, type);
    last->in = in;
    last->in_count = like->in_count;
    last->attrs = attrs;
    last->attr_count = like->attr_count;
    for (uint32_t i = 1; i < p->count; i++) p->nodes[i]->dead = true;
    return RG_OK;
}
