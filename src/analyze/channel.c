/* channel.c - which axis of a value holds its channels: what a layer computes so many of, and what biases and
 * scales have one number of each for.
 *
 *     Conv [batch, C, h, w]        Reshape [batch, C, h * w]     Transpose [batch, h * w, C]     MatMul ...
 *                  ^ 1                             ^ 1                               ^ 2 = last
 *
 * Layers with weights say where their channels are; what follows moves the axis along, or loses it.
 */
#include "analyze/flow.h"

/* Layers that make channels: counted from the front, or from the back when negative. */
static const struct { const char *type; int axis; } makers[] = {
    {"Conv", 1},          {"ConvTranspose", 1},       {"ConvInteger", 1},        {"QLinearConv", 1},
    {"DeformConv", 1},    {"CausalConvWithState", 1}, {"BatchNormalization", 1}, {"Gemm", -1},
    {"MatMul", -1},       {"MatMulInteger", -1},      {"QLinearMatMul", -1},     {"RNN", -1},
    {"GRU", -1},          {"LSTM", -1},
};

/* The same numbers in the same order. */
static const char *const regroupers[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"};

/* Elements of the axes [from, to); -1 while one has no number. */
static int64_t extent(const rg_graph *g, const rg_type *t, int from, int to)
{
    int64_t count = 1;
    for (int i = from; i < to; i++) {
        int64_t size = rg_dim_value(&g->dims, t->dim[i]);
        if (size < 0 || !rg_mul_size(count, size, &count)) return -1;
    }
    return count;
}

/* Through a Reshape: the axis that is as long, with as many elements behind each of its own. A single channel
 * is dropped with an axis; it looks like any other axis of one. */
static int regrouped(const rg_graph *g, const rg_type *from, int axis, const rg_type *to)
{
    int64_t size = extent(g, from, axis, axis + 1), behind = extent(g, from, axis + 1, from->rank);
    if (size == 1) return to->rank < from->rank ? RG_CHANNEL_NONE : RG_CHANNEL_UNKNOWN;
    for (int i = 0; i < to->rank; i++)
        if (extent(g, to, i, i + 1) == size && extent(g, to, i + 1, to->rank) == behind) return i;
    return RG_CHANNEL_UNKNOWN;
}

static int transposed(const rg_node *node, int axis, int rank)
{
    const rg_attr *perm = rg_node_attr(node, "perm");
    if (!perm || perm->kind != RG_ATTR_INTS) return rank - 1 - axis;
    for (uint32_t i = 0; i < perm->count; i++)
        if (perm->ints[i] == axis) return (int)i;
    return RG_CHANNEL_UNKNOWN;
}

/* Of a layer with weights. A product whose weights are on its left has its channels before the columns, one
 * of two activations may have any. */
static int made(const rg_graph *g, const rg_node *node, int rank)
{
    for (size_t i = 0; i < RG_COUNT(makers); i++) {
        if (!rg_node_is(node, makers[i].type)) continue;
        bool product = rg_node_is(node, "MatMul"), right = product && rg_constant_behind(g, node->in[1]);
        bool left = product && !right && rg_constant_behind(g, node->in[0]);
        if (product && !left && !right) return RG_CHANNEL_UNKNOWN;
        int axis = left ? -2 : makers[i].axis;
        return axis < 0 ? rank + axis : axis;
    }
    bool table = rg_node_is(node, "Gather") && rg_constant_behind(g, node->in[0]);
    return table ? rank - 1 : RG_CHANNEL_UNKNOWN;
}

/* From the first input that knows. Broadcasting aligns at the end. */
static int carried(const rg_graph *g, const rg_node *node, const rg_type *to, const int8_t *channel)
{
    uint32_t i = 0;
    while (i < node->in_count && channel[node->in[i]] == RG_CHANNEL_UNKNOWN) i++;
    if (i == node->in_count) return RG_CHANNEL_UNKNOWN;
    const rg_type *from = &g->values[node->in[i]].type;
    int axis = channel[node->in[i]];
    if (axis == RG_CHANNEL_NONE) return axis;
    if (rg_node_is(node, "Transpose")) return transposed(node, axis, from->rank);
    for (size_t k = 0; k < RG_COUNT(regroupers); k++)
        if (rg_node_is(node, regroupers[k])) return regrouped(g, from, axis, to);
    bool aligned = to->rank == from->rank || (node->op && node->op->traits & RG_ELEMENTWISE);
    return aligned ? axis + to->rank - from->rank : RG_CHANNEL_UNKNOWN;
}

rg_err rg_facts_channels(const rg_flow *f, int8_t **out)
{
    const rg_graph *g = f->g;
    int8_t *channel = RG_NEW(&f->cx->arena, int8_t, g->value_count);
    if (!channel) return rg_nomem(f->cx);
    for (uint32_t v = 0; v < g->value_count; v++) channel[v] = RG_CHANNEL_UNKNOWN;
    for (uint32_t s = 0; s < f->facts->step_count; s++) {
        const rg_node *node = &g->nodes[f->facts->steps[s].node];
        for (uint32_t i = 0; i < node->out_count; i++) {
            const rg_type *type = &g->values[node->out[i]].type;
            if (!node->out[i] || type->kind != RG_KIND_TENSOR || type->rank < 1) continue;
            int axis = made(g, node, type->rank);
            if (axis == RG_CHANNEL_UNKNOWN) axis = carried(g, node, type, channel);
            channel[node->out[i]] = (int8_t)(axis < type->rank ? axis : RG_CHANNEL_UNKNOWN);
        }
    }
    *out = channel;
    return RG_OK;
}
