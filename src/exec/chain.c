/* chain.c - what of a row can be done to a result before it is written, so that it is written once.
 *
 *     y = act(scale * (x + bias) + shift + other)
 */
#include "exec/fast.h"

#include <math.h>
#include <string.h>

bool rg_fast_is_constant(const rg_fast_row *r, rg_value_id v)
{
    return v && r->plan->offset_of[v] == RG_NOWHERE && r->slots[v].refs && r->slots[v].array.data &&
           (r->g->values[v].role == RG_ROLE_CONST || r->constants[v]);
}

bool rg_fast_is_f32(const rg_fast_row *r, rg_value_id v)
{
    const rg_type *t = &r->g->values[v].type;
    return v && t->kind == RG_KIND_TENSOR && t->dtype == RG_F32;
}

/* Where in the order of a chain a node comes; each stage once. */
enum { SCALED = 1, ADDED, ACTIVATED };

static rg_err need_scale(rg_fast_row *r)
{
    rg_chain *c = &r->chain;
    if (c->scale) return RG_OK;
    c->scale = RG_NEW(r->arena, float, c->channels);
    c->shift = RG_NEW(r->arena, float, c->channels);
    if (!c->scale || !c->shift) return rg_nomem(r->cx);
    for (int64_t i = 0; i < c->channels; i++) c->scale[i] = 1;
    return RG_OK;
}

static rg_err take_batch_norm(rg_fast_row *r, const rg_site *s, bool *taken)
{
    const rg_node *n = s->node;
    for (int i = 1; i < 5; i++)
        if (!rg_fast_is_constant(r, n->in[i]) || !rg_fast_is_f32(r, n->in[i]) ||
            rg_fast_array(r, n->in[i])->count != r->chain.channels)
            return RG_OK;
    RG_TRY(need_scale(r));
    double epsilon = rg_op_real(s, "epsilon");
    for (int64_t i = 0; i < r->chain.channels; i++) {
        double scale = rg_get(rg_fast_array(r, n->in[1]), i), bias = rg_get(rg_fast_array(r, n->in[2]), i);
        double mean = rg_get(rg_fast_array(r, n->in[3]), i), var = rg_get(rg_fast_array(r, n->in[4]), i);
        double factor = scale / sqrt(var + epsilon);
        r->chain.scale[i] = (float)(r->chain.scale[i] * factor);
        r->chain.shift[i] = (float)((r->chain.shift[i] - mean) * factor + bias);
    }
    *taken = true;
    return RG_OK;
}

static bool same_shape(const rg_array *a, const rg_array *b)
{
    if (a->rank != b->rank) return false;
    for (int k = 0; k < a->rank; k++)
        if (a->dim[k] != b->dim[k]) return false;
    return true;
}

/* A bias of a product is a constant row; anything of the result's own shape is another tensor to add. */
static rg_err take_add(rg_fast_row *r, const rg_node *n, rg_value_id x, bool product, int *stage, bool *taken)
{
    rg_value_id other = n->in[0] == x ? n->in[1] : n->in[0];
    if (n->in_count != 2 || !rg_fast_is_f32(r, other) || n->in[0] == n->in[1]) return RG_OK;
    const rg_array *a = rg_fast_array(r, other);
    bool row = product && rg_fast_is_constant(r, other) && a->count == r->chain.channels && a->rank >= 1 &&
               a->dim[a->rank - 1] == a->count;
    if (row && *stage <= SCALED) {
        RG_TRY(need_scale(r));
        for (int64_t i = 0; i < a->count; i++) r->chain.shift[i] += (float)rg_get(a, i);
        *taken = true;
    } else if (*stage < ADDED && r->slots[other].refs && same_shape(a, rg_fast_array(r, n->out[0])) &&
               same_shape(a, rg_fast_array(r, x))) {
        r->chain.add = other;
        *stage = ADDED;
        *taken = true;
    }
    return RG_OK;
}

rg_err rg_chain_find(rg_fast_row *r)
{
    const rg_plan *plan = r->plan;
    const rg_row *row = r->row;
    bool product = row->family == RG_FAMILY_GEMM;
    int stage = 0;
    rg_value_id x = r->site.node->out[0];
    const rg_array *first = rg_fast_array(r, x);
    r->chain = (rg_chain){.covered = 1, .out = x};
    if (first->rank < 2) return RG_OK;
    r->chain.channels = product ? first->dim[first->rank - 1] : first->dim[1];
    for (uint32_t k = 1; k < row->step_count; k++) {
        rg_node_id id = plan->facts->steps[row->steps[k]].node;
        const rg_node *n = &r->g->nodes[id];
        rg_site site = {r->cx, (rg_graph *)(uintptr_t)r->g, id, n};
        bool reads = false, taken = false;
        for (uint32_t i = 0; i < n->in_count; i++) reads |= n->in[i] == x;
        if (!reads || !n->out_count || !rg_fast_is_f32(r, n->out[0])) break;
        if (rg_node_is(n, "BatchNormalization") && !product && stage <= SCALED) {
            RG_TRY(take_batch_norm(r, &site, &taken));
            stage = SCALED;
        } else if (rg_node_is(n, "Add")) {
            RG_TRY(take_add(r, n, x, product, &stage, &taken));
        } else if (stage < ACTIVATED) {
            rg_epilogue e = {0};
            taken = rg_act_read(r, &site, &e);
            r->chain.act = e.act, r->chain.low = e.low, r->chain.high = e.high;
            stage = ACTIVATED;
        }
        if (!taken) break;
        x = r->chain.out = n->out[0];
        r->chain.covered = k + 1;
        if (stage == ACTIVATED) break;
    }
    return RG_OK;
}

rg_epilogue rg_chain_epilogue(const rg_fast_row *r)
{
    const rg_chain *c = &r->chain;
    return (rg_epilogue){.add = c->add ? rg_fast_array(r, c->add)->data : NULL, .act = c->act, .low = c->low,
                         .high = c->high};
}
