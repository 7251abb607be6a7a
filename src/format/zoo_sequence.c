/* zoo_sequence.c - the pieces of transformers as exporters write them: a product and an Add for the bias,
 * attention as MatMul, Div or Mul, Add of the mask, Softmax, MatMul. Finding the larger blocks is the passes'
 * work.
 */
#include "format/zoo.h"

#include <math.h>

rg_value_id rg_zoo_int(rg_build *b, int64_t x)
{
    rg_value_id id = 0;
    rg_str name = {"", 0};
    if (!b->err) b->err = rg_graph_fresh_name(b->cx, b->g, "int", &name);
    if (!b->err) b->err = rg_graph_add_ints(b->cx, b->g, name, 0, 1, &x, &id);
    return id;
}

rg_value_id rg_zoo_dense(rg_build *b, rg_value_id x, int64_t in, int64_t out, bool bias)
{
    rg_value_id weight = rg_build_param(b, "weight", RG_F32, 2, (const int64_t[]){in, out});
    rg_value_id product = rg_build_node(b, "MatMul", NULL, x, weight, -1);
    if (!bias) return product;
    return rg_build_node(b, "Add", NULL, product, rg_build_param(b, "bias", RG_F32, 1, &out), -1);
}

rg_value_id rg_zoo_layer_norm(rg_build *b, rg_value_id x, int64_t size, double epsilon)
{
    char attrs[64];
    rg_value_id scale = rg_build_param(b, "weight", RG_F32, 1, &size);
    rg_value_id bias = rg_build_param(b, "bias", RG_F32, 1, &size);
    rg_str_print(attrs, sizeof attrs, "axis=-1 epsilon=%gf", epsilon);
    return rg_build_node(b, "LayerNormalization", attrs, x, scale, bias, -1);
}

rg_value_id rg_zoo_embedding(rg_build *b, rg_value_id ids, int64_t rows, int64_t size)
{
    rg_value_id table = rg_build_param(b, "weight", RG_F32, 2, (const int64_t[]){rows, size});
    return rg_build_node(b, "Gather", "axis=0", table, ids, -1);
}

rg_value_id rg_zoo_reshape(rg_build *b, rg_value_id x, int count, const int64_t *sizes)
{
    return rg_build_node(b, "Reshape", NULL, x, rg_build_ints(b, count, sizes), -1);
}

rg_value_id rg_zoo_split_heads(rg_build *b, rg_value_id x, int64_t heads, int64_t head, bool keys)
{
    rg_value_id y = rg_zoo_reshape(b, x, 4, (const int64_t[]){0, 0, heads, head});
    return rg_build_node(b, "Transpose", keys ? "perm=0,2,3,1" : "perm=0,2,1,3", y, -1);
}

/* The values, weighed by the scores, with the heads side by side: [batch, queries, heads * head]. */
static rg_value_id mix(rg_build *b, rg_value_id scores, rg_value_id v, int64_t heads, int64_t head)
{
    rg_value_id weights = rg_build_node(b, "Softmax", "axis=-1", scores, -1);
    rg_value_id y = rg_build_node(b, "MatMul", NULL, weights, v, -1);
    y = rg_build_node(b, "Transpose", "perm=0,2,1,3", y, -1);
    return rg_zoo_reshape(b, y, 3, (const int64_t[]){0, 0, heads * head});
}

rg_value_id rg_zoo_attend(rg_build *b, rg_value_id q, rg_value_id k, rg_value_id v, rg_value_id mask,
                          int64_t heads, int64_t head, double scale)
{
    if (scale == 0) scale = 1 / sqrt((double)head);
    rg_value_id scores = rg_build_node(b, "MatMul", NULL, q, k, -1); /* [batch, heads, queries, keys] */
    if (scale != 1) scores = rg_build_node(b, "Mul", NULL, scores, rg_build_scalar(b, (float)scale), -1);
    if (mask) scores = rg_build_node(b, "Add", NULL, scores, mask, -1);
    return mix(b, scores, v, heads, head);
}

/* ---- blocks that image transformers share ---- */

/* [batch, positions, 3 * heads * head] -> queries, keys and values, each [batch, heads, positions, head]. */
static void split_packed(rg_build *b, rg_value_id x, int64_t heads, int64_t head, rg_value_id parts[3])
{
    x = rg_zoo_reshape(b, x, 5, (const int64_t[]){0, 0, 3, heads, head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,1,4", x, -1);
    for (int i = 0; i < 3; i++) parts[i] = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, i), -1);
}

/* The same with keys turned already, [batch, heads, head, positions]. */
static void split_turned(rg_build *b, rg_value_id x, int64_t heads, int64_t head, rg_value_id parts[3])
{
    x = rg_zoo_reshape(b, x, 5, (const int64_t[]){0, 0, 3, heads, head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,4,1", x, -1);
    for (int i = 0; i < 3; i++) {
        parts[i] = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, i), -1);
        if (i != 1) parts[i] = rg_build_node(b, "Transpose", "perm=0,1,3,2", parts[i], -1);
    }
}

/* The windows of an image side by side, each with its own mask, and back. */
static rg_value_id mask_windows(rg_build *b, rg_value_id scores, const rg_self_attention *a)
{
    int64_t size = a->positions;
    scores = rg_zoo_reshape(b, scores, 5, (const int64_t[]){-1, a->windows, a->heads, size, size});
    scores = rg_build_node(b, "Add", NULL, scores, a->mask, -1);
    return rg_zoo_reshape(b, scores, 4, (const int64_t[]){-1, a->heads, size, size});
}

rg_value_id rg_zoo_self_attention(rg_build *b, rg_value_id x, const rg_self_attention *a)
{
    int64_t width = a->heads * a->head;
    double scale = a->scale != 0 ? a->scale : 1 / sqrt((double)a->head);
    rg_value_id parts[3];
    rg_zoo_scope(b, "%s.%s", a->scope, a->packed);
    x = rg_zoo_dense(b, x, width, 3 * width, !a->plain && !a->unbiased);
    rg_zoo_scope(b, "%s", a->scope);
    (a->apart ? split_turned : split_packed)(b, x, a->heads, a->head, parts);
    rg_value_id q = rg_build_node(b, "Mul", NULL, parts[0], rg_build_scalar(b, (float)scale), -1),
                k = parts[1];
    if (!a->apart) k = rg_build_node(b, "Transpose", "perm=0,1,3,2", k, -1);
    rg_value_id scores = rg_build_node(b, "MatMul", NULL, q, k, -1);
    if (a->bias) scores = rg_build_node(b, "Add", NULL, scores, a->bias, -1);
    if (a->mask) scores = mask_windows(b, scores, a);
    x = mix(b, scores, parts[2], a->heads, a->head);
    rg_zoo_scope(b, "%s.%s", a->scope, a->out);
    return rg_zoo_dense(b, x, width, width, !a->plain);
}

rg_value_id rg_zoo_feed_forward(rg_build *b, rg_value_id x, const char *scope, const char *first,
                                const char *second, int64_t size, int64_t inner, const char *activation)
{
    rg_zoo_scope(b, "%s.%s", scope, first);
    x = rg_build_node(b, activation, NULL, rg_zoo_dense(b, x, size, inner, true), -1);
    rg_zoo_scope(b, "%s.%s", scope, second);
    return rg_zoo_dense(b, x, inner, size, true);
}

rg_value_id rg_zoo_offset_rows(rg_build *b, int64_t side)
{
    int64_t size = side * side, span = 2 * side - 1, *rows = RG_NEW(&b->g->arena, int64_t, size * size);
    if (!rows && !b->err) b->err = rg_nomem(b->cx);
    if (b->err) return 0;
    for (int64_t i = 0; i < size; i++) {
        for (int64_t k = 0; k < size; k++) {
            int64_t down = i / side - k / side, right = i % side - k % side;
            rows[i * size + k] = (down + side - 1) * span + right + side - 1;
        }
    }
    return rg_build_ints(b, (int)(size * size), rows);
}

rg_value_id rg_zoo_bias_of_rows(rg_build *b, rg_value_id table, rg_value_id rows, int64_t side, int64_t heads)
{
    int64_t size = side * side;
    rg_value_id bias = rg_build_node(b, "Gather", "axis=0", table, rows, -1);
    bias = rg_zoo_reshape(b, bias, 3, (const int64_t[]){size, size, heads});
    bias = rg_build_node(b, "Transpose", "perm=2,0,1", bias, -1);
    return rg_build_node(b, "Unsqueeze", NULL, bias, rg_build_ints(b, 1, (const int64_t[]){0}), -1);
}

rg_value_id rg_zoo_relative_bias(rg_build *b, int64_t side, int64_t heads)
{
    int64_t span = 2 * side - 1;
    rg_value_id table = rg_build_param(b, "relative_position_bias_table", RG_F32, 2,
                                       (const int64_t[]){span * span, heads});
    return rg_zoo_bias_of_rows(b, table, rg_zoo_offset_rows(b, side), side, heads);
}

rg_value_id rg_zoo_floats(rg_build *b, int rank, const int64_t *dim, float **data)
{
    rg_arena *arena = &b->g->arena;
    rg_value_id id = 0;
    rg_str name = {"", 0};
    *data = NULL;
    if (!b->err) b->err = rg_graph_fresh_name(b->cx, b->g, "floats", &name);
    if (b->err) return 0;
    int64_t count = 1, *dims = RG_NEW(arena, int64_t, rank);
    for (int i = 0; dims && i < rank; i++) count *= dims[i] = dim[i];
    rg_tensor *t = RG_NEW(arena, rg_tensor, 1);
    float *floats = RG_NEW(arena, float, count);
    if (!dims || !t || !floats) {
        b->err = rg_nomem(b->cx);
        return 0;
    }
    *t = (rg_tensor){.dtype = RG_F32, .rank = rank, .dim = dims, .count = count, .encoding = RG_DATA_RAW};
    t->data = floats;
    t->size = (size_t)count * sizeof *floats;
    b->err = rg_graph_add_const(b->cx, b->g, name, t, &id);
    if (!b->err) *data = floats;
    return id;
}
