/* zoo_dla.c - Deep Layer Aggregation as timm has it (Yu et al. 2017): stages are trees whose leaves are
 * residual blocks. A tree of one level joins its two blocks, and what the levels above hand down, by a 1x1
 * convolution; a deeper one is two trees, of which the second is handed the first one's result.
 *
 *     level 1:  x --+-- block -- block --+-- join -- 1x1 (+ second block)
 *                   +---------------------+ from above
 */
#include "format/zoo.h"

enum { LEVELS = 6, ABOVE_MAX = 6, PARTS = 4 };

typedef enum block_kind { BASIC, BOTTLENECK, SPLIT } block_kind; /* split: in four parts,
each read by the next */

typedef struct dla {
    int levels[LEVELS];
    int64_t channels[LEVELS];
    block_kind block;
    int64_t groups, base;
    bool adds;                  /* the first of what a tree joins, to the result */
} dla;

typedef struct above { rg_value_id x[ABOVE_MAX]; int64_t channels[ABOVE_MAX]; int count; } above;

static void hand_down(above *a, rg_value_id x, int64_t channels)
{
    a->x[a->count] = x, a->channels[a->count++] = channels;
}

static void layer(rg_net *n, const char *block, const char *conv, const char *norm, rg_conv c, bool active)
{
    rg_zoo_scope(&n->b, "%s.%s", block, conv);
    rg_net_conv(n, c);
    rg_zoo_scope(&n->b, "%s.%s", block, norm);
    rg_net_batch_norm(n);
    if (active) rg_net_activate(n, "Relu");
}

static void run_block(rg_net *n, const dla *d, const char *block, int64_t out, int64_t stride,
                      rg_value_id shortcut)
{
    int64_t inner = out * d->base / 64 * d->groups / 2;
    if (d->block == BASIC) {
        layer(n, block, "conv1", "bn1", (rg_conv){out, .kernel = 3, .stride = stride}, true);
        layer(n, block, "conv2", "bn2", (rg_conv){out, .kernel = 3}, false);
    } else {
        rg_conv filter = {inner, .kernel = 3, .stride = stride, .group = d->groups};
        layer(n, block, "conv1", "bn1", (rg_conv){.channels = d->block == SPLIT ? PARTS * inner : inner},
        true);
        if (d->block == SPLIT)
            rg_net_chain(n, block, (rg_chain){PARTS, inner, stride, d->groups, .alone = stride > 1});
        else
            layer(n, block, "conv2", "bn2", filter, true);
        layer(n, block, "conv3", "bn3", (rg_conv){.channels = out}, false);
    }
    rg_zoo_scope(&n->b, "%s", block);
    n->x = rg_build_node(&n->b, "Add", NULL, n->x, shortcut, -1);
    rg_net_activate(n, "Relu");
}

/* ---- trees ---- */

static rg_value_id shrink(rg_net *n, const char *name, int64_t stride)
{
    rg_value_id x = n->x;
    rg_zoo_scope(&n->b, "%s.downsample", name);
    if (stride > 1) rg_net_max_pool(n, (rg_pool){.kernel = stride});
    rg_value_id bottom = n->x;
    n->x = x;
    return bottom;
}

static void leaf(rg_net *n, const dla *d, const char *name, int64_t out, int64_t stride, const above *a)
{
    char scope[80];
    rg_value_id x = n->x, bottom = shrink(n, name, stride), parts[2 + ABOVE_MAX];
    int64_t from = n->channels, all = 2 * out;
    if (from != out) {
        n->x = bottom;
        layer(n, name, "project.0", "project.1", (rg_conv){.channels = out}, false);
        bottom = n->x;
    }
    n->x = x, n->channels = from;
    snprintf(scope, sizeof scope, "%s.tree1", name);
    run_block(n, d, scope, out, stride, bottom);
    parts[1] = n->x;
    snprintf(scope, sizeof scope, "%s.tree2", name);
    run_block(n, d, scope, out, 1, n->x);
    parts[0] = n->x;
    for (int i = 0; i < a->count; i++) parts[2 + i] = a->x[i], all += a->channels[i];
    rg_zoo_scope(&n->b, "%s.root", name);
    rg_net_concat(n, 2 + (uint32_t)a->count, parts, all);
    layer(n, name, "root.conv", "root.bn", (rg_conv){.channels = out}, false);
    if (d->adds) n->x = rg_build_node(&n->b, "Add", NULL, n->x, parts[0], -1);
    rg_net_activate(n, "Relu");
}

static void tree(rg_net *n, const dla *d, const char *name, int levels, int64_t out, int64_t stride, above a)
{
    char scope[64];
    if (levels == 1) {
        leaf(n, d, name, out, stride, &a);
        return;
    }
    snprintf(scope, sizeof scope, "%.50s.tree1", name);
    tree(n, d, scope, levels - 1, out, stride, (above){.count = 0});
    hand_down(&a, n->x, out);
    snprintf(scope, sizeof scope, "%.50s.tree2", name);
    tree(n, d, scope, levels - 1, out, 1, a);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const dla *d = self->layout;
    rg_net n;
    char name[16];
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    layer(&n, "base_layer", "0", "1", (rg_conv){d->channels[0], .kernel = 7}, true);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "level%d", i);
        layer(&n, name, "0", "1", (rg_conv){d->channels[i], .kernel = 3, .stride = i + 1}, true);
    }
    for (int i = 2; i < LEVELS; i++) {
        above a = {.count = 0};
        snprintf(name, sizeof name, "level%d", i);
        if (i > 2) hand_down(&a, shrink(&n, name, 2), n.channels);
        tree(&n, d, name, d->levels[i], d->channels[i], 2, a);
    }
    rg_net_global_pool(&n);
    rg_zoo_scope(&n.b, "fc");
    rg_net_conv(&n, (rg_conv){.channels = 1000, .bias = true});
    rg_net_flatten(&n);
    return rg_net_done(&n, out);
}

#define THIN {16, 32, 64, 64, 128, 256}
#define WIDE {16, 32, 128, 256, 512, 1024}

/* Name, parameters, MACs, levels, channels, block, groups, base, added. */
#define DLA_LIST(X) \
    X(dla34, 15742104, 3060043776, {1, 1, 1, 2, 2, 1}, {16, 32, 64, 128, 256, 512}, BASIC, 1, 64, false) \
    X(dla46_c, 1301400, 574269440, {1, 1, 1, 2, 2, 1}, THIN, BOTTLENECK, 1, 64, false) \
    X(dla46x_c, 1068440, 532723712, {1, 1, 1, 2, 2, 1}, THIN, BOTTLENECK, 32, 4, false) \
    X(dla60x_c, 1319832, 581294080, {1, 1, 1, 2, 3, 1}, THIN, BOTTLENECK, 32, 4, false) \
    X(dla60, 22036632, 4235878400, {1, 1, 1, 2, 3, 1}, WIDE, BOTTLENECK, 1, 64, false) \
    X(dla60x, 17352344, 3516555264, {1, 1, 1, 2, 3, 1}, WIDE, BOTTLENECK, 32, 4, false) \
    X(dla102, 33268888, 7164551168, {1, 1, 1, 3, 4, 1}, WIDE, BOTTLENECK, 1, 64, true) \
    X(dla102x, 26309272, 5847932928, {1, 1, 1, 3, 4, 1}, WIDE, BOTTLENECK, 32, 4, true) \
    X(dla102x2, 41282200, 9283985408, {1, 1, 1, 3, 4, 1}, WIDE, BOTTLENECK, 64, 4, true) \
    X(dla169, 53389720, 11557560320, {1, 1, 2, 3, 5, 1}, WIDE, BOTTLENECK, 1, 64, true) \
    X(dla60_res2net, 20848072, 4122681344, {1, 1, 1, 2, 3, 1}, WIDE, SPLIT, 1, 28, false) \
    X(dla60_res2next, 17032984, 3458752512, {1, 1, 1, 2, 3, 1}, WIDE, SPLIT, 8, 4, false)

#define X(id, params, mac, ...) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Yu et al. 2017, arXiv:1707.06484; parameters: timm, at 224x224", \
        .parameters = params, .macs = mac, .layout = &(const dla){__VA_ARGS__}, \
    };
DLA_LIST(X)
#undef X
