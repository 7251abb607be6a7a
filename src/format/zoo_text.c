/* zoo_text.c - the pieces of language and speech models. The number of tokens stays a symbol, so that
 * positions and masks are computed from the shape of what comes in.
 */
#include "format/zoo.h"

#include <math.h>

rg_value_id rg_zoo_rms_norm(rg_build *b, rg_value_id x, int64_t size, double epsilon)
{
    rg_value_id square = rg_build_node(b, "Pow", NULL, x, rg_build_scalar(b, 2), -1);
    rg_value_id last = rg_build_ints(b, 1, (const int64_t[]){-1});
    rg_value_id mean = rg_build_node(b, "ReduceMean", NULL, square, last, -1);
    mean = rg_build_node(b, "Add", NULL, mean, rg_build_scalar(b, (float)epsilon), -1);
    rg_value_id root = rg_build_node(b, "Sqrt", NULL, mean, -1);
    rg_value_id y = rg_build_node(b, "Div", NULL, x, root, -1);
    return rg_build_node(b, "Mul", NULL, y, rg_build_param(b, "weight", RG_F32, 1, &size), -1);
}

/* ---- positions ---- */

rg_value_id rg_zoo_positions(rg_build *b, rg_value_id ids, int64_t first)
{
    rg_value_id start = rg_zoo_int(b, first), step = rg_zoo_int(b, 1);
    rg_value_id end = rg_build_node(b, "Shape", "end=2 start=1", ids, -1);
    end = rg_build_node(b, "Squeeze", NULL, end, -1);
    if (first) end = rg_build_node(b, "Add", NULL, end, start, -1);
    return rg_build_node(b, "Range", NULL, start, end, step, -1);
}

rg_value_id rg_zoo_causal_mask(rg_build *b, rg_value_id positions)
{
    rg_value_id column = rg_build_ints(b, 1, (const int64_t[]){1});
    rg_value_id query = rg_build_node(b, "Unsqueeze", NULL, positions, column, -1);
    rg_value_id seen = rg_build_node(b, "LessOrEqual", NULL, positions, query, -1);
    rg_value_id open = rg_build_scalar(b, 0), shut = rg_build_scalar(b, -INFINITY);
    return rg_build_node(b, "Where", NULL, seen, open, shut, -1);
}

/* ---- layers ---- */

rg_value_id rg_zoo_tied(rg_build *b, rg_value_id x, rg_value_id table, int64_t rows, int64_t size)
{
    rg_value_id flat = rg_zoo_reshape(b, x, 2, (const int64_t[]){-1, size});
    rg_value_id y = rg_build_node(b, "Gemm", "transB=1", flat, table, -1);
    rg_value_id shape = rg_build_node(b, "Shape", "end=2", x, -1);
    shape = rg_build_node(b, "Concat", "axis=0", shape, rg_build_ints(b, 1, &rows), -1);
    return rg_build_node(b, "Reshape", NULL, y, shape, -1);
}

static rg_value_id project(rg_build *b, const rg_heads *h, const char *name, rg_value_id x, bool keys)
{
    rg_zoo_scope(b, "%s.%s", h->scope, name);
    rg_value_id y = rg_zoo_dense(b, x, h->width, h->count * h->size, keys ? h->key_bias : h->bias);
    return rg_zoo_split_heads(b, y, h->count, h->size, keys);
}

rg_value_id rg_zoo_attention(rg_build *b, const rg_heads *h, rg_value_id x, rg_value_id memory,
                             rg_value_id mask)
{
    rg_value_id q = project(b, h, h->query, x, false), k = project(b, h, h->key, memory, true);
    rg_value_id v = project(b, h, h->value, memory, false);
    rg_zoo_scope(b, "%s", h->scope);
    rg_value_id y = rg_zoo_attend(b, q, k, v, mask, h->count, h->size, h->scale);
    rg_zoo_scope(b, "%s.%s", h->scope, h->out);
    return rg_zoo_dense(b, y, h->count * h->size, h->width, h->bias);
}

rg_value_id rg_zoo_conv1d(rg_build *b, rg_value_id x, rg_conv1d c)
{
    char attrs[160];
    int64_t kernel = c.kernel ? c.kernel : 1, shape[] = {c.out, c.in, kernel};
    snprintf(attrs, sizeof attrs,
             "dilations=[%lld] group=1 kernel_shape=[%lld] pads=%lld,%lld strides=[%lld]",
             (long long)(c.dilation ? c.dilation : 1), (long long)kernel, (long long)c.before,
             (long long)c.after, (long long)(c.stride ? c.stride : 1));
    rg_value_id weight = rg_build_param(b, "weight", RG_F32, 3, shape);
    rg_value_id bias = rg_build_param(b, "bias", RG_F32, 1, &c.out);
    return rg_build_node(b, "Conv", attrs, x, weight, bias, -1);
}
