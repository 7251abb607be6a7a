/* zoo_tokens.c - what timm's image transformers share: layers named BLOCK.NAME on an activation of
 * [batch, positions, channels], the ways between that and an image, and tables of biases by offset.
 */
#include "format/zoo.h"

void rg_net_name(rg_net *n, const char *block, const char *name)
{
    rg_zoo_scope(&n->b, "%s%s%s", block, *block && *name ? "." : "", name);
}

void rg_net_turn(rg_net *n, const char *perm) { n->x = rg_build_node(&n->b, "Transpose", perm, n->x, -1); }

void rg_net_dense(rg_net *n, const char *block, const char *name, int64_t out, bool bias)
{
    rg_net_name(n, block, name);
    n->x = rg_zoo_dense(&n->b, n->x, n->channels, out, bias);
    n->channels = out;
}

void rg_net_layer_norm(rg_net *n, const char *block, const char *name, double epsilon)
{
    rg_net_name(n, block, name);
    n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, epsilon);
}

void rg_net_image_norm(rg_net *n, const char *block, const char *name, double epsilon)
{
    rg_net_name(n, block, name);
    rg_net_turn(n, "perm=0,2,3,1");
    n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, epsilon);
    rg_net_turn(n, "perm=0,3,1,2");
}

void rg_net_conv_bn(rg_net *n, const char *block, const char *conv, const char *norm, rg_conv c)
{
    rg_net_name(n, block, conv);
    rg_net_conv(n, c);
    rg_net_name(n, block, norm);
    rg_net_batch_norm(n);
}

void rg_net_unroll(rg_net *n)
{
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){0, n->channels, -1});
    rg_net_turn(n, "perm=0,2,1");
}

void rg_net_roll(rg_net *n, int64_t side)
{
    rg_net_turn(n, "perm=0,2,1");
    n->x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, n->channels, side, side});
}

rg_value_id rg_zoo_cut(rg_build *b, rg_value_id x, int64_t axis, int64_t from, int64_t until)
{
    return rg_build_node(b, "Slice", NULL, x, rg_build_ints(b, 1, &from), rg_build_ints(b, 1, &until),
                         rg_build_ints(b, 1, &axis), -1);
}

rg_value_id rg_zoo_mean(rg_build *b, rg_value_id x, int64_t axis)
{
    return rg_build_node(b, "ReduceMean", "keepdims=0", x, rg_build_ints(b, 1, &axis), -1);
}

rg_value_id rg_zoo_batch(rg_build *b, rg_value_id image)
{
    return rg_build_node(b, "Shape", "end=1 start=0", image, -1);
}

rg_value_id rg_zoo_tokens(rg_build *b, const char *name, int64_t count, int64_t width, rg_value_id batch)
{
    b->scope = NULL;
    rg_value_id token = rg_build_param(b, name, RG_F32, 3, (const int64_t[]){1, count, width});
    rg_value_id each = rg_build_ints(b, 2, (const int64_t[]){count, width});
    return rg_build_node(b, "Expand", NULL, token, rg_build_node(b, "Concat", "axis=0", batch, each, -1), -1);
}

void rg_net_add_scaled(rg_net *n, const char *block, const char *gamma, bool image, rg_value_id before)
{
    const int64_t shape[] = {n->channels, 1, 1};
    rg_net_name(n, block, "");
    if (gamma) {
        rg_value_id by = rg_build_param(&n->b, gamma, RG_F32, image ? 3 : 1, shape);
        n->x = rg_build_node(&n->b, "Mul", NULL, n->x, by, -1);
    }
    rg_net_add(n, before);
}

void rg_net_mlp(rg_net *n, const char *block, int64_t inner, const char *activation)
{
    int64_t width = n->channels;
    n->x = rg_zoo_feed_forward(&n->b, n->x, block, "mlp.fc1", "mlp.fc2", width, inner, activation);
}

rg_value_id rg_zoo_offset_bias(rg_build *b, const char *name, int64_t heads, int64_t side, int64_t step)
{
    int64_t across = (side + step - 1) / step, queries = across * across, keys = side * side;
    int64_t *rows = RG_NEW(&b->g->arena, int64_t, queries * keys);
    if (!rows && !b->err) b->err = rg_nomem(b->cx);
    if (b->err) return 0;
    for (int64_t i = 0; i < queries; i++) {
        for (int64_t k = 0; k < keys; k++) {
            int64_t down = i / across * step - k / side, right = i % across * step - k % side;
            rows[i * keys + k] = (down < 0 ? -down : down) * side + (right < 0 ? -right : right);
        }
    }
    rg_value_id table = rg_build_param(b, name, RG_F32, 2, (const int64_t[]){heads, keys});
    rg_value_id bias = rg_build_node(b, "Gather", "axis=1", table,
                                     rg_build_ints(b, (int)(queries * keys), rows), -1);
    return rg_zoo_reshape(b, bias, 4, (const int64_t[]){1, heads, queries, keys});
}
