/* autocast.c - automatic mixed precision as PyTorch has it: weights stay f32, products compute in 16 bit,
 * what would lose too much stays f32, all else takes what comes.
 *
 *     products                       f16 out of f16; what is f32 is converted by a kernel of its own, weights
 *                                    and biases at each call
 *     norms, softmax, powers, sums   f32 out of f32, converted likewise
 *     others                         f32 as soon as one operand that is no single number is f32: the kernel
 *                                    reads both as they are
 *
 * So a scale by channel or a table of positions, which are weights, makes f32 of all that follows up to the
 * next product. (PyTorch documentation, "Automatic Mixed Precision package: CUDA Ops that can autocast to
 * float16, ... to float32", and "Tensor Attributes: type promotion".)
 */
#include "map/map.h"
#include "op/op.h"

#include <stdio.h>

static const char *const narrow[] = {
    "Conv", "ConvTranspose", "MatMul", "Gemm", "Einsum", "Attention", "PRelu", "RNN", "GRU", "LSTM",
};
static const char *const wide[] = {
    "LayerNormalization", "GroupNormalization", "Softmax", "LogSoftmax", "Pow", "Exp", "Log", "Reciprocal",
    "Softplus", "CumSum", "CumProd", "ReduceSum", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
    "ReduceLogSum", "ReduceLogSumExp", "Acos", "Asin", "Cosh", "Sinh", "Tan",
};

typedef struct casting {
    rg_ctx *cx;
    rg_graph *g;
    rg_dtype base;
    rg_value_id *narrowed, *widened; /* by value: what it was converted to; 0: it was not */
    uint32_t count;                  /* values that there were before */
} casting;

static bool is_one_of(const rg_node *node, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rg_node_is(node, names[i])) return true;
    return false;
}

static bool is_float(const casting *c, rg_value_id v)
{
    const rg_type *type = &c->g->values[v].type;
    return v && type->kind == RG_KIND_TENSOR && (type->dtype == RG_F32 || type->dtype == c->base);
}

/* Its conversion, which is made once and stands behind what made it. */
static rg_err convert(casting *c, rg_value_id v, rg_dtype to, rg_value_id *out)
{
    rg_value_id *known = v >= c->count ? NULL : to == RG_F32 ? &c->widened[v] : &c->narrowed[v];
    rg_node like = {.version = RG_OPSET_MAX};
    rg_node_id id;
    rg_str name;
    char text[16];
    *out = v;
    if (!known || !is_float(c, v) || c->g->values[v].type.dtype == to) return RG_OK;
    if (!*known) {
        rg_type type = c->g->values[v].type;
        type.dtype = to;
        snprintf(text, sizeof text, "to=%d", (int)to);
        RG_TRY(rg_attrs_parse(c->cx, &c->g->arena, rg_str_of(text), &like.attrs, &like.attr_count));
        RG_TRY(rg_graph_fresh_name(c->cx, c->g, "autocast", &name));
        RG_TRY(rg_graph_add_value(c->cx, c->g, RG_MAIN, name, &type, RG_ROLE_NODE, known));
        like.type = rg_str_of("Cast");
        like.name = name;
        RG_TRY(rg_graph_add_node(c->cx, c->g, RG_MAIN, &like, &v, 1, known, 1, &id));
    }
    *out = *known;
    return RG_OK;
}

static rg_err convert_all(casting *c, rg_node_id id, rg_dtype to)
{
    for (uint32_t i = 0; i < c->g->nodes[id].in_count; i++) {
        rg_value_id v;
        RG_TRY(convert(c, c->g->nodes[id].in[i], to, &v)); /* the table of nodes may move */
        c->g->nodes[id].in[i] = v;
    }
    return RG_OK;
}

/* torch's Linear adds its bias inside. Input of the Add that is the bias, or -1. */
static int bias_of(const casting *c, const rg_node *node)
{
    for (uint32_t i = 0; i < 2 && rg_node_is(node, "Add") && node->in_count == 2; i++) {
        const rg_value *own = &c->g->values[node->in[i]], *other = &c->g->values[node->in[1 - i]];
        if (own->role != RG_ROLE_CONST || own->type.rank != 1 || other->role != RG_ROLE_NODE) continue;
        const rg_node *product = &c->g->nodes[other->producer];
        if (rg_node_is(product, "MatMul") && rg_constant_behind(c->g, product->in[1])) return (int)i;
    }
    return -1;
}

static rg_dtype promoted(const casting *c, const rg_node *node)
{
    bool first_alone = rg_node_is(node, "BatchNormalization");
    for (uint32_t i = 0; i < node->in_count && !(i && first_alone); i++) {
        const rg_type *type = &c->g->values[node->in[i]].type;
        if (is_float(c, node->in[i]) && type->dtype == RG_F32 && type->rank > 0) return RG_F32;
    }
    return c->base;
}

static rg_err cast_node(casting *c, rg_node_id id)
{
    rg_dtype to;
    if (is_one_of(&c->g->nodes[id], narrow, RG_COUNT(narrow)) || bias_of(c, &c->g->nodes[id]) >= 0) {
        to = c->base;
        RG_TRY(convert_all(c, id, to));
    } else if (is_one_of(&c->g->nodes[id], wide, RG_COUNT(wide))) {
        to = RG_F32;
        RG_TRY(convert_all(c, id, to));
    } else {
        to = promoted(c, &c->g->nodes[id]);
    }
    const rg_node *node = &c->g->nodes[id];
    for (uint32_t i = 0; i < node->out_count; i++)
        if (is_float(c, node->out[i])) c->g->values[node->out[i]].type.dtype = to;
    return RG_OK;
}

rg_err rg_graph_autocast(rg_ctx *cx, rg_graph *g, rg_dtype base)
{
    casting c = {
        .cx = cx, .g = g, .base = base, .count = g->value_count,
        .narrowed = RG_NEW(&cx->arena, rg_value_id, g->value_count),
        .widened = RG_NEW(&cx->arena, rg_value_id, g->value_count),
    };
    uint32_t count = g->regions[RG_MAIN].order_count;
    if (!c.narrowed || !c.widened) return rg_nomem(cx);
    for (uint32_t i = 0; i < count; i++) RG_TRY(cast_node(&c, g->regions[RG_MAIN].order[i]));
    RG_TRY(rg_graph_resolve(cx, g));
    return rg_graph_finish(cx, g);
}
