/* zoo_nasnet.c - NASNet-A and PNASNet-5, the large ones, as timm has them: cells that a search found, each of
 * five sums over two inputs, the results of the two cells before (Zoph et al. 2017, figure 4; Liu et al.
 * 2017, figure 1). A separable convolution here is done twice, each time behind a Relu:
 *
 *     Relu -- k x k by channel -- 1x1 -- norm -- Relu -- k x k by channel -- 1x1 -- norm
 *
 * Images are padded as TensorFlow does it: what a window of stride 2 misses, half in front and the larger
 * half behind, by a node of its own as PyTorch code runs it.
 */
#include "format/zoo.h"

#include <math.h>

enum { SIDE = 331 };

typedef struct piece { rg_value_id x; int64_t channels, side; } piece;

static void scope(rg_net *n, const char *cell, const char *name) { rg_zoo_scope(&n->b, "%s.%s", cell, name); }

/* ---- layers ---- */

static piece take(const rg_net *n, int64_t side) { return (piece){n->x, n->channels, side}; }

/* n works on p, padded for a window of that size and stride; answers the side of the result. */
static int64_t enter(rg_net *n, piece p, int64_t kernel, int64_t stride, bool lowest)
{
    int64_t out = (p.side + stride - 1) / stride, all = (out - 1) * stride + kernel - p.side, first = all / 2;
    const int64_t by[] = {0, 0, first, first, 0, 0, all - first, all - first};
    n->x = p.x, n->channels = p.channels;
    if (all <= 0) return out;
    rg_value_id fill = lowest ? rg_build_scalar(&n->b, -INFINITY) : 0, sizes = rg_build_ints(&n->b, 8, by);
    n->x = fill ? rg_build_node(&n->b, "Pad", NULL, n->x, sizes, fill, -1)
                : rg_build_node(&n->b, "Pad", NULL, n->x, sizes, -1);
    return out;
}

static piece pool(rg_net *n, const char *cell, bool max, int64_t stride, piece p)
{
    const rg_pool by = {.kernel = 3, .stride = stride};
    scope(n, cell, "pool");
    int64_t side = enter(n, p, 3, stride, max);
    if (max) rg_net_max_pool(n, by);
    else rg_net_average_pool(n, by);
    return take(n, side);
}

static piece act_conv(rg_net *n, const char *cell, const char *name, int64_t channels, int64_t stride,
                      piece p)
{
    scope(n, cell, name);
    n->x = p.x, n->channels = p.channels;
    rg_net_activate(n, "Relu");
    rg_net_conv(n, (rg_conv){.channels = channels, .stride = stride});
    rg_net_batch_norm(n);
    return take(n, (p.side + stride - 1) / stride);
}

/* early: the first 1x1 widens, not the second. */
typedef struct separable { int64_t channels, kernel, stride; bool early; } separable;

static piece separate(rg_net *n, const char *cell, const char *name, separable s, piece p)
{
    n->x = p.x, n->channels = p.channels;
    int64_t side = p.side;
    for (int i = 0; i < 2; i++) {
        int64_t stride = i ? 1 : s.stride;
        rg_zoo_scope(&n->b, "%s.%s.separable_%d", cell, name, i + 1);
        rg_net_activate(n, "Relu");
        rg_conv by = {n->channels, .kernel = s.kernel, .stride = stride, .group = n->channels};
        if (stride > 1) {
            side = enter(n, take(n, side), s.kernel, stride, false);
            by.pad = -1;
        }
        rg_zoo_scope(&n->b, "%s.%s.separable_%d.depthwise_conv2d", cell, name, i + 1);
        rg_net_conv(n, by);
        rg_zoo_scope(&n->b, "%s.%s.separable_%d.pointwise_conv2d", cell, name, i + 1);
        rg_net_conv(n, (rg_conv){.channels = i || s.early ? s.channels : p.channels});
        rg_zoo_scope(&n->b, "%s.%s.bn_sep_%d", cell, name, i + 1);
        rg_net_batch_norm(n);
    }
    return take(n, side);
}

static piece add(rg_net *n, piece a, piece b)
{
    return (piece){rg_build_node(&n->b, "Add", NULL, a.x, b.x, -1), a.channels, a.side};
}

static piece join(rg_net *n, const char *cell, uint32_t count, const piece *p)
{
    rg_value_id parts[6];
    int64_t channels = 0;
    for (uint32_t i = 0; i < count; i++) parts[i] = p[i].x, channels += p[i].channels;
    rg_zoo_scope(&n->b, "%s", cell);
    rg_net_concat(n, count, parts, channels);
    return take(n, p[0].side);
}

/* Halves the side: every second place, and those one further, each through a 1x1 convolution. */
static piece factorize(rg_net *n, const char *cell, int64_t channels, piece p)
{
    const int64_t by[] = {0, 0, -1, -1, 0, 0, 1, 1};
    rg_value_id parts[2];
    scope(n, cell, "act");
    n->x = p.x, n->channels = p.channels;
    rg_net_activate(n, "Relu");
    rg_value_id x = n->x;
    for (int i = 0; i < 2; i++) {
        rg_zoo_scope(&n->b, "%s.path_%d", cell, i + 1);
        n->x = i ? rg_build_node(&n->b, "Pad", NULL, x, rg_build_ints(&n->b, 8, by), -1) : x;
        n->channels = p.channels;
        rg_net_average_pool(n, (rg_pool){.kernel = 1, .stride = 2});
        rg_zoo_scope(&n->b, "%s.path_%d.conv", cell, i + 1);
        rg_net_conv(n, (rg_conv){.channels = channels / 2});
        parts[i] = n->x;
    }
    scope(n, cell, "final_path_bn");
    rg_net_concat(n, 2, parts, channels);
    rg_net_batch_norm(n);
    return take(n, (p.side + 1) / 2);
}

/* ---- NASNet-A ---- */

/* Five sums that halve the side; the first feeds the others alone. early: `right` is wider than the sums. */
static piece reduce(rg_net *n, const char *cell, piece left, piece right, piece pooled, bool early)
{
    int64_t c = left.channels;
    piece sum[5], side;
    sum[0] = separate(n, cell, "comb_iter_0_left", (separable){c, 5, 2, false}, left);
    sum[0] = add(n, sum[0], separate(n, cell, "comb_iter_0_right", (separable){c, 7, 2, early}, right));
    side = separate(n, cell, "comb_iter_1_right", (separable){c, 7, 2, early}, right);
    sum[1] = add(n, pool(n, cell, true, 2, pooled), side);
    side = separate(n, cell, "comb_iter_2_right", (separable){c, 5, 2, early}, right);
    sum[2] = add(n, pool(n, cell, false, 2, pooled), side);
    sum[3] = add(n, pool(n, cell, false, 1, sum[0]), sum[1]);
    side = separate(n, cell, "comb_iter_4_left", (separable){c, 3, 1, false}, sum[0]);
    sum[4] = add(n, side, pool(n, cell, true, 2, pooled));
    return join(n, cell, 4, sum + 1);
}

static piece normal(rg_net *n, const char *cell, piece left, piece right)
{
    int64_t c = right.channels;
    piece out[6] = {left}, side;
    out[1] = separate(n, cell, "comb_iter_0_left", (separable){c, 5, 1, false}, right);
    out[1] = add(n, out[1], separate(n, cell, "comb_iter_0_right", (separable){c, 3, 1, false}, left));
    side = separate(n, cell, "comb_iter_1_left", (separable){c, 5, 1, false}, left);
    out[2] = add(n, side, separate(n, cell, "comb_iter_1_right", (separable){c, 3, 1, false}, left));
    out[3] = add(n, pool(n, cell, false, 1, right), left);
    side = pool(n, cell, false, 1, left);
    out[4] = add(n, side, pool(n, cell, false, 1, left));
    out[5] = add(n, separate(n, cell, "comb_iter_4_left", (separable){c, 3, 1, false}, right), right);
    return join(n, cell, 6, out);
}

typedef struct pair { piece last, before; } pair;

/* A stage of six cells of `channels`, the first behind one that has halved the side. */
static pair stage(rg_net *n, int first, int64_t channels, pair p)
{
    for (int i = 0; i < 6; i++) {
        char cell[16];
        snprintf(cell, sizeof cell, "cell_%d", first + i);
        bool halves = p.before.side != p.last.side;
        piece left = halves ? factorize(n, cell, channels, p.before)
                            : act_conv(n, cell, "conv_prev_1x1", channels, 1, p.before);
        piece right = act_conv(n, cell, "conv_1x1", channels, 1, p.last);
        p = (pair){normal(n, cell, left, right), p.last};
    }
    return p;
}

static pair shrink(rg_net *n, int index, int64_t channels, pair p)
{
    char cell[24];
    snprintf(cell, sizeof cell, "reduction_cell_%d", index);
    piece left = act_conv(n, cell, "conv_prev_1x1", channels, 1, p.before);
    piece right = act_conv(n, cell, "conv_1x1", channels, 1, p.last);
    return (pair){reduce(n, cell, right, left, right, false), p.before};
}

static piece first_conv(rg_net *n, const char *name)
{
    rg_net_conv_norm_act(n, name, (rg_conv){.channels = 96, .kernel = 3, .stride = 2, .pad = -1}, "None");
    return take(n, (SIDE - 3) / 2 + 1);
}

static rg_err finish(rg_net *n, piece last, rg_graph **out)
{
    n->x = last.x, n->channels = last.channels;
    rg_zoo_scope(&n->b, "act");
    rg_net_activate(n, "Relu");
    rg_net_classify(n, "last_linear");
    return rg_net_done(n, out);
}

static rg_err build_nasnet(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    enum { CHANNELS = 168 };
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, SIDE));
    n.epsilon = 1e-3;
    piece raw = first_conv(&n, "conv0"), left, right;
    left = act_conv(&n, "cell_stem_0", "conv_1x1", CHANNELS / 4, 1, raw);
    piece stem = reduce(&n, "cell_stem_0", left, raw, left, true);
    left = act_conv(&n, "cell_stem_1", "conv_1x1", CHANNELS / 2, 1, stem);
    right = factorize(&n, "cell_stem_1", CHANNELS / 2, raw);
    pair p = {reduce(&n, "cell_stem_1", left, right, left, false), stem};
    p = stage(&n, 0, CHANNELS, p);
    p = shrink(&n, 0, 2 * CHANNELS, p);
    p = stage(&n, 6, 2 * CHANNELS, p);
    p = shrink(&n, 1, 4 * CHANNELS, p);
    p = stage(&n, 12, 4 * CHANNELS, p);
    return finish(&n, p.last, out);
}

/* ---- PNASNet-5 ---- */

/* `left` and `right` are ready; early: the first cell, whose left input is wider than the result. */
static piece progress(rg_net *n, const char *cell, int64_t c, int64_t stride, piece left, piece right,
                      bool early)
{
    piece sum[5], side;
    sum[0] = separate(n, cell, "comb_iter_0_left", (separable){c, 5, stride, early}, left);
    side = pool(n, cell, true, stride, left);
    if (early) {
        scope(n, cell, "comb_iter_0_right.conv");
        n->x = side.x, n->channels = side.channels;
        rg_net_conv(n, (rg_conv){.channels = c});
        scope(n, cell, "comb_iter_0_right.bn");
        rg_net_batch_norm(n);
        side = take(n, side.side);
    }
    sum[0] = add(n, sum[0], side);
    side = separate(n, cell, "comb_iter_1_left", (separable){c, 7, stride, false}, right);
    sum[1] = add(n, side, pool(n, cell, true, stride, right));
    side = separate(n, cell, "comb_iter_2_left", (separable){c, 5, stride, false}, right);
    sum[2] = add(n, side, separate(n, cell, "comb_iter_2_right", (separable){c, 3, stride, false}, right));
    side = separate(n, cell, "comb_iter_3_left", (separable){c, 3, 1, false}, sum[2]);
    sum[3] = add(n, side, pool(n, cell, true, stride, right));
    sum[4] = separate(n, cell, "comb_iter_4_left", (separable){c, 3, stride, early}, left);
    side = stride > 1 ? act_conv(n, cell, "comb_iter_4_right", c, stride, right) : right;
    sum[4] = add(n, sum[4], side);
    return join(n, cell, 5, sum);
}

static pair cell_of(rg_net *n, const char *cell, int64_t channels, int64_t stride, pair p)
{
    bool halves = p.before.side != p.last.side;
    piece left = halves ? factorize(n, cell, channels, p.before)
                        : act_conv(n, cell, "conv_prev_1x1", channels, 1, p.before);
    piece right = act_conv(n, cell, "conv_1x1", channels, 1, p.last);
    return (pair){progress(n, cell, channels, stride, left, right, false), p.last};
}

static rg_err build_pnasnet(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, SIDE));
    n.epsilon = 1e-3;
    piece raw = first_conv(&n, "conv_0");
    piece right = act_conv(&n, "cell_stem_0", "conv_1x1", 54, 1, raw);
    pair p = {progress(&n, "cell_stem_0", 54, 2, raw, right, true), raw};
    p = cell_of(&n, "cell_stem_1", 108, 2, p);
    for (int i = 0; i < 12; i++) {
        char cell[16];
        snprintf(cell, sizeof cell, "cell_%d", i);
        p = cell_of(&n, cell, INT64_C(216) << i / 4, i == 4 || i == 8 ? 2 : 1, p);
    }
    return finish(&n, p.last, out);
}

RG_ZOO(nasnetalarge) = {
    .name = "nasnetalarge", .family = "cnn", .image = SIDE, .build = build_nasnet,
    .source = "Zoph et al. 2017, arXiv:1707.07012; parameters: timm, at 331x331",
    .parameters = 88753150, .macs = 23783414658,
};

RG_ZOO(pnasnet5large) = {
    .name = "pnasnet5large", .family = "cnn", .image = SIDE, .build = build_pnasnet,
    .source = "Liu et al. 2017, arXiv:1712.00559; parameters: timm, at 331x331",
    .parameters = 86057668, .macs = 24937395792,
};
