/* body.c - types and values in and out of the bodies of control operators; see body.h. */
#include "op/body.h"
#include "op/move.h"

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

/* ---- runs ---- */

rg_err rg_body_init(const rg_run *r, const char *name, rg_body *out)
{
    const rg_attr *a = rg_node_attr(r->site.node, name);
    *out = (rg_body){0};
    if (!a || a->kind != RG_ATTR_GRAPH || a->region == 0 || a->region >= r->site.g->region_count)
        return rg_run_fail(r, RG_FORMAT, "attribute '%s' is no graph", name);
    const rg_region *region = &r->site.g->regions[a->region];
    out->region = a->region;
    out->in = RG_NEW(r->scratch, const rg_datum *, region->input_count);
    out->out = RG_NEW(r->scratch, const rg_datum *, region->output_count);
    if (!out->in || !out->out) return rg_nomem(r->site.cx);
    out->in_count = region->input_count;
    out->out_count = region->output_count;
    return RG_OK;
}

void rg_body_put(rg_body *body, uint32_t i, const rg_datum *datum)
{
    rg_datum_free(body->in[i]);
    body->in[i] = datum;
}

static void drop_outputs(rg_body *body)
{
    for (uint32_t i = 0; i < body->out_count; i++) rg_datum_free(rg_body_take(body, i));
}

rg_err rg_body_run(const rg_run *r, rg_body *body)
{
    drop_outputs(body);
    return r->body(r, body->region, body->in, body->out);
}

const rg_datum *rg_body_take(rg_body *body, uint32_t i)
{
    const rg_datum *datum = body->out[i];
    body->out[i] = NULL;
    return datum;
}

void rg_body_done(rg_body *body)
{
    drop_outputs(body);
    for (uint32_t i = 0; i < body->in_count; i++) rg_body_put(body, i, NULL);
}

rg_err rg_body_scalar(const rg_run *r, rg_dtype dtype, int64_t x, const rg_datum **out)
{
    rg_datum *datum;
    *out = NULL;
    RG_TRY(rg_datum_tensor(r->site.cx, dtype, 0, NULL, &datum));
    rg_put_int(&datum->array, 0, x);
    *out = datum;
    return RG_OK;
}

rg_err rg_body_truth(const rg_run *r, const rg_datum *datum, const char *what, bool *out)
{
    *out = false;
    if (datum->kind != RG_KIND_TENSOR || datum->array.dtype != RG_BOOL || datum->array.count != 1)
        return rg_run_fail(r, RG_SHAPE, "%s is not one bool", what);
    *out = rg_get_int(&datum->array, 0) != 0;
    return RG_OK;
}

/* ---- trips ---- */

rg_err rg_trips_add(const rg_run *r, rg_trips *trips, const rg_datum *datum)
{
    if (datum->kind != RG_KIND_TENSOR || !RG_GROW(r->scratch, trips->items, trips->count, trips->capacity)) {
        bool tensor = datum->kind == RG_KIND_TENSOR;
        rg_datum_free(datum);
        return tensor ? rg_nomem(r->site.cx)
                      : rg_run_fail(r, RG_SHAPE, "an output to be stacked is no tensor");
    }
    trips->items[trips->count++] = datum;
    return RG_OK;
}

void rg_trips_done(rg_trips *trips)
{
    for (uint32_t i = 0; i < trips->count; i++) rg_datum_free(trips->items[i]);
    *trips = (rg_trips){0};
}

static rg_err check_alike(const rg_run *r, const rg_trips *trips, uint32_t i)
{
    for (uint32_t t = 1; t < trips->count; t++) {
        const rg_array *first = &trips->items[0]->array, *a = &trips->items[t]->array;
        bool same = a->dtype == first->dtype && a->rank == first->rank;
        for (int k = 0; same && k < a->rank; k++) same = a->dim[k] == first->dim[k];
        if (!same)
            return rg_run_fail(r, RG_SHAPE,
                               "output %u cannot be stacked: element %u has another shape than 0", i, t);
    }
    return RG_OK;
}

/* The type of what is stacked; a size that nobody knows is 0. */
static rg_array shape_of_items(const rg_trips *trips, const rg_type *item)
{
    if (trips->count) return trips->items[0]->array;
    rg_array a = {.dtype = item ? item->dtype : RG_DTYPE_NONE};
    a.rank = item && item->kind == RG_KIND_TENSOR && item->rank > 0 ? item->rank : 0;
    for (int k = 0; k < a.rank; k++) a.dim[k] = rg_dim_is_number(item->dim[k]) ? item->dim[k] : 0;
    return a;
}

rg_err rg_trips_stack(const rg_run *r, const rg_trips *trips, uint32_t i, int64_t axis, bool backwards,
                      const rg_type *item)
{
    rg_array a = shape_of_items(trips, item), *y;
    int64_t dim[RG_RANK_MAX + 1];
    int at;

    if (a.rank >= RG_RANK_MAX) return rg_run_fail(r, RG_LIMIT, "output %u would have rank %d", i, a.rank + 1);
    RG_TRY(rg_need_axis(&r->site, axis, a.rank + 1, &at));
    RG_TRY(check_alike(r, trips, i));
    for (int k = 0; k <= a.rank; k++) dim[k] = k < at ? a.dim[k] : k == at ? trips->count : a.dim[k - 1];
    RG_TRY(rg_make_result(r, i, a.dtype, a.rank + 1, dim, &y));
    for (uint32_t t = 0; y && t < trips->count; t++) {
        const rg_array *x = &trips->items[t]->array;
        rg_box to = rg_box_of(y), from = rg_box_of(x);
        to.at = (backwards ? trips->count - 1 - t : t) * to.stride[at];
        for (int k = at; k < a.rank; k++) to.stride[k] = to.stride[k + 1];
        rg_box_copy(&to, &from, a.rank, x->dim);
    }
    return RG_OK;
}
