/* fold.c - what is known before running becomes constant: shape arithmetic, filled tensors, views of constants; and an If
 * whose condition is known gives way to the branch that will run.
 *
 * Nothing is materialized: a filled tensor is a splat, a view of a constant shares its bytes.
 */
#include "pass/pass.h"

#include <string.h>

typedef struct folding { rg_ctx *cx; rg_graph *g; bool *changed; } folding;

/* Concrete dims of a type, in the graph's arena; NULL when one is symbolic. *count: their product. */
static int64_t *concrete_dims(const folding *x, const rg_type *type, int64_t *count)
{
    if (type->kind != RG_KIND_TENSOR || type->rank < 0) return NULL;
    int64_t *dim = RG_NEW(&x->g->arena, int64_t, type->rank + 1);
    *count = 1;
    for (int i = 0; dim && i < type->rank; i++) {
        dim[i] = type->dim[i];
        if (!rg_dim_is_number(dim[i]) || !rg_mul_size(*count, dim[i], count)) return NULL;
    }
    return dim;
}

/* Output 0 of a node becomes a constant under its own name; the node dies. */
static rg_err become_constant(const folding *x, rg_node *node, const rg_tensor *data)
{
    rg_value *out = &x->g->values[node->out[0]];
    out->role = RG_ROLE_CONST;
    out->producer = 0;
    out->data = data;
    node->out[0] = 0;
    node->dead = true;
    *x->changed = true;
    return RG_OK;
}

static rg_err fold_known(const folding *x, rg_node *node)
{
    const rg_value *out = &x->g->values[node->out[0]];
    int64_t count, *dim = concrete_dims(x, &out->type, &count);
    if (!dim || count != out->known_count) return RG_OK;
    size_t size = (size_t)rg_dtype_bytes(out->type.dtype, (double)count);
    rg_tensor *t = RG_NEW(&x->g->arena, rg_tensor, 1);
    void *bytes = rg_arena_alloc(&x->g->arena, size + 1);
    if (!t || !bytes) return rg_nomem(x->cx);
    for (uint32_t i = 0; i < out->known_count; i++) {
        if (!rg_dim_is_number(out->known[i])) return RG_OK;
        rg_dtype_set_int(out->type.dtype, bytes, i, out->known[i]);
    }
    *t = (rg_tensor){.dtype = out->type.dtype, .rank = out->type.rank, .dim = dim, .count = count, .encoding = RG_DATA_RAW,
                     .data = bytes, .size = size};
    return become_constant(x, node, t);
}

/* One element, repeated over the node's output; `source` holds it at index 0. NULL source: a float zero. */
static rg_err fold_splat(const folding *x, rg_node *node, const rg_tensor *source)
{
    const rg_type *type = &x->g->values[node->out[0]].type;
    int64_t count, *dim = concrete_dims(x, type, &count);
    if (!dim || !rg_dtype_bits(type->dtype)) return RG_OK;
    rg_tensor *t = RG_NEW(&x->g->arena, rg_tensor, 1);
    void *element = rg_arena_alloc(&x->g->arena, 16);
    if (!t || !element) return rg_nomem(x->cx);
    if (source && rg_dtype_is_float(type->dtype)) rg_dtype_set_real(type->dtype, element, 0, rg_tensor_real(source, 0));
    else if (source) rg_dtype_set_int(type->dtype, element, 0, rg_tensor_int(source, 0));
    *t = (rg_tensor){.dtype = type->dtype, .rank = type->rank, .dim = dim, .count = count, .encoding = RG_DATA_SPLAT,
                     .data = element, .size = (size_t)((rg_dtype_bits(type->dtype) + 7) / 8)};
    return become_constant(x, node, t);
}

/* The same bytes in another shape. */
static rg_err fold_view(const folding *x, rg_node *node, const rg_tensor *source)
{
    int64_t count, *dim = concrete_dims(x, &x->g->values[node->out[0]].type, &count);
    if (!dim || count != source->count) return RG_OK;
    rg_tensor *t = RG_NEW(&x->g->arena, rg_tensor, 1);
    if (!t) return rg_nomem(x->cx);
    *t = *source;
    t->rank = x->g->values[node->out[0]].type.rank;
    t->dim = dim;
    return become_constant(x, node, t);
}

/* Operators that keep every element what it is when all are equal. */
static bool keeps_splat(const rg_node *node)
{
    static const char *const names[] = {"Transpose", "Expand", "Cast", "CastLike", "Slice", "Tile", "Gather", "Split"};
    for (size_t i = 0; i < RG_COUNT(names); i++)
        if (rg_node_is(node, names[i])) return true;
    return false;
}

static rg_err fold_constant_input(const folding *x, rg_node *node)
{
    const rg_value *in = node->in_count && node->in[0] ? &x->g->values[node->in[0]] : NULL;
    const rg_tensor *data = in && in->role == RG_ROLE_CONST ? in->data : NULL;
    if (rg_node_is(node, "ConstantOfShape")) {
        const rg_attr *value = rg_node_attr(node, "value");
        const rg_tensor *fill = value && value->kind == RG_ATTR_TENSOR ? value->tensor : NULL;
        if (fill && (fill->count != 1 || !rg_tensor_has_data(fill))) return RG_OK;
        return fold_splat(x, node, fill);
    }
    if (!data) return RG_OK;
    if (node->op->traits & RG_VIEW) return fold_view(x, node, data);
    if (!keeps_splat(node)) return RG_OK;
    if (rg_tensor_has_data(data) && (data->encoding == RG_DATA_SPLAT || data->count == 1) && rg_dtype_bits(data->dtype))
        return fold_splat(x, node, data);
    if (data->encoding == RG_DATA_NONE && rg_node_is(node, "Transpose")) return fold_view(x, node, data); /* still no values */
    return RG_OK;
}

/* The nodes of a body join the region of their owner, whose results they now make. */
static rg_err inline_branch(const folding *x, rg_node_id owner, rg_region_id body)
{
    rg_region_id parent = x->g->nodes[owner].region;
    const rg_region *from = &x->g->regions[body];
    if (from->output_count < x->g->nodes[owner].out_count) return RG_OK;
    for (uint32_t i = 0; i < x->g->nodes[owner].out_count; i++) /* the model's outputs keep their names: leave those Ifs */
        if (x->g->nodes[owner].out[i] && rg_is_region_output(x->g, parent, x->g->nodes[owner].out[i]) &&
            x->g->values[from->outputs[i]].role != RG_ROLE_NODE) return RG_OK;
    for (uint32_t v = 1; v < x->g->value_count; v++)
        if (x->g->values[v].region == body) x->g->values[v].region = parent;
    for (uint32_t i = 0; i < from->order_count; i++) {
        rg_region *to = &x->g->regions[parent];
        x->g->nodes[from->order[i]].region = parent;
        if (!RG_GROW(&x->g->arena, to->order, to->order_count, to->order_capacity)) return rg_nomem(x->cx);
        to->order[to->order_count++] = from->order[i];
    }
    rg_node *node = &x->g->nodes[owner];
    for (uint32_t i = 0; i < node->out_count; i++) {
        if (!node->out[i]) continue;
        rg_value_id inner = from->outputs[i];
        if (rg_is_region_output(x->g, parent, node->out[i])) { /* swap: the inner producer takes the outer value over */
            rg_node *maker = &x->g->nodes[x->g->values[inner].producer];
            for (uint32_t k = 0; k < maker->out_count; k++)
                if (maker->out[k] == inner) maker->out[k] = node->out[i];
            x->g->values[node->out[i]].producer = x->g->values[inner].producer;
            rg_graph_replace(x->g, inner, node->out[i]);
            x->g->values[inner].role = RG_ROLE_NONE;
        } else {
            rg_graph_replace(x->g, node->out[i], inner);
        }
        node->out[i] = 0;
    }
    x->g->regions[body].order_count = 0;
    x->g->regions[body].output_count = 0;
    node->dead = true;
    *x->changed = true;
    return RG_OK;
}

static rg_err fold_if(const folding *x, rg_node_id id)
{
    const rg_node *node = &x->g->nodes[id];
    const rg_value *condition = &x->g->values[node->in[0]];
    int64_t decided = -1;
    if (condition->role == RG_ROLE_CONST && condition->data && rg_tensor_has_data(condition->data) && condition->data->count == 1)
        decided = rg_tensor_int(condition->data, 0) != 0;
    else if (condition->known_count == 1 && rg_dim_is_number(condition->known[0])) decided = condition->known[0] != 0;
    if (decided < 0) return RG_OK;
    const rg_attr *body = rg_node_attr(node, decided ? "then_branch" : "else_branch");
    return body && body->kind == RG_ATTR_GRAPH ? inline_branch(x, id, body->region) : RG_OK;
}

static rg_err fold(rg_ctx *cx, rg_graph *g, bool *changed)
{
    folding x = {cx, g, changed};
    for (rg_node_id id = 1; id < g->node_count; id++) {
        rg_node *node = &g->nodes[id];
        if (node->dead || !node->op || (node->op->traits & RG_RANDOM)) continue;
        if (rg_node_is(node, "If")) {
            RG_TRY(fold_if(&x, id));
            continue;
        }
        bool one_output = node->out_count >= 1 && node->out[0];
        for (uint32_t i = 1; i < node->out_count; i++) one_output &= !node->out[i];
        if (!one_output || (node->op->traits & RG_HAS_REGIONS)) continue;
        if (g->values[node->out[0]].known) RG_TRY(fold_known(&x, node));
        if (!node->dead) RG_TRY(fold_constant_input(&x, node));
    }
    return RG_OK;
}

RG_PASS(fold) = {.name = "fold", .brief = "computes shape arithmetic, filled tensors and decided branches", .order = 10, .repeat = true, .run = fold};
