/* body.c - types in and out of the bodies of control operators; see body.h. */
#include "op/body.h"

rg_err rg_body_of(const rg_site *s, const char *name, uint32_t inputs, uint32_t outputs, rg_region_id *out)
{
    const rg_attr *a = rg_node_attr(s->node, name);
    if (!a || a->kind != RG_ATTR_GRAPH || a->region == 0 || a->region >= s->g->region_count)
        return rg_site_fail(s, RG_FORMAT, "attribute '%s' is no graph", name);
    const rg_region *r = &s->g->regions[a->region];
    if (r->owner != s->id)
        return rg_site_fail(s, RG_FORMAT, "the graph of attribute '%s' belongs to another node", name);
    if (r->input_count != inputs)
        return rg_site_fail(s, RG_SHAPE, "%s takes %u inputs, the node gives %u", name, r->input_count,
                            inputs);
    if (r->output_count < outputs)
        return rg_site_fail(s, RG_SHAPE, "%s gives %u outputs, the node needs %u", name, r->output_count,
                            outputs);
    *out = a->region;
    return RG_OK;
}

static bool same_dtype(const rg_type *a, const rg_type *b)
{
    return a->dtype == b->dtype || a->dtype == RG_DTYPE_NONE || b->dtype == RG_DTYPE_NONE;
}

rg_err rg_body_give(const rg_site *s, rg_region_id body, uint32_t i, const rg_type *type)
{
    rg_value *v = &s->g->values[s->g->regions[body].inputs[i]];
    rg_type given = *type;
    if (!rg_type_agree(&s->g->dims, &v->type, &given)) {
        if (v->type.kind != type->kind || !same_dtype(&v->type, type))
            return rg_site_fail(s, RG_SHAPE, "input %u '%.*s' of the body is %s, %s is given", i,
                                RG_STR(v->name), rg_dtype_name(v->type.dtype), rg_dtype_name(type->dtype));
        given = *type;
    }
    v->type = given;
    v->known = NULL;
    v->known_count = 0;
    return RG_OK;
}

const rg_type *rg_body_out(const rg_site *s, rg_region_id body, uint32_t i)
{
    return &s->g->values[s->g->regions[body].outputs[i]].type;
}

static void forget(rg_graph *g, rg_value_id id)
{
    if (id && g->values[id].role != RG_ROLE_CONST)
        g->values[id].type = (rg_type){.kind = RG_KIND_UNKNOWN, .rank = -1};
}

void rg_body_forget(const rg_site *s, rg_region_id body)
{
    rg_graph *g = s->g;
    const rg_region *r = &g->regions[body];
    for (uint32_t i = 0; i < r->input_count; i++) forget(g, r->inputs[i]);
    for (uint32_t i = 0; i < r->order_count; i++) {
        const rg_node *n = &g->nodes[r->order[i]];
        for (uint32_t k = 0; k < n->out_count; k++) forget(g, n->out[k]);
        for (uint32_t k = 0; k < n->attr_count; k++)
            if (n->attrs[k].kind == RG_ATTR_GRAPH) rg_body_forget(s, n->attrs[k].region);
    }
}

int rg_body_depth(const rg_site *s)
{
    int depth = 0;
    rg_region_id region = s->node->region;
    while (region != RG_MAIN && depth <= RG_NEST_MAX) {
        region = s->g->nodes[s->g->regions[region].owner].region;
        depth++;
    }
    return depth;
}

static rg_dim join_dim(const rg_site *s, rg_dim a, rg_dim b, bool open)
{
    rg_dims *dims = rg_site_dims(s);
    const rg_dim_expr *e = rg_dim_expr_of(dims, a);
    int64_t x = rg_dim_value(dims, a), y = rg_dim_value(dims, b);
    if (a == b || (open && e && e->op == RG_DIM_SYMBOL && e->run_time)) /* joined in an earlier round */
        return a;
    bool bounded = !open && rg_dim_is_number(a) && rg_dim_is_number(b);
    int64_t low = x < y ? x : y, high = x < y ? y : x;
    return rg_dim_fresh(dims, bounded ? low : 0, bounded ? high : INT32_MAX, high);
}

rg_err rg_body_join(const rg_site *s, const char *what, uint32_t i, const rg_type *a, const rg_type *b,
                    bool open, rg_type *out)
{
    *out = a->kind == RG_KIND_UNKNOWN ? *b : *a;
    if (a->kind == RG_KIND_UNKNOWN || b->kind == RG_KIND_UNKNOWN) return RG_OK;
    if (a->kind != b->kind || !same_dtype(a, b))
        return rg_site_fail(s, RG_SHAPE, "%s %u is %s one way and %s the other", what, i,
                            rg_dtype_name(a->dtype), rg_dtype_name(b->dtype));
    out->dtype = a->dtype ? a->dtype : b->dtype;
    if (a->kind != RG_KIND_TENSOR) {
        out->elem = a->elem ? a->elem : b->elem;
        return RG_OK;
    }
    out->rank = a->rank == b->rank ? a->rank : -1;
    for (int k = 0; k < out->rank; k++) out->dim[k] = join_dim(s, a->dim[k], b->dim[k], open);
    return RG_OK;
}
