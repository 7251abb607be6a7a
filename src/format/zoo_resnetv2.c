/* zoo_resnetv2.c - residual networks of version 2 as timm has them (He et al. 2016): each convolution is
 * normalized and activated in front, the way around begins behind the first of them, and sums stay linear.
 *
 *     x -- norm -- Relu --+-- 1x1 -- norm -- Relu -- 3x3 -- norm -- Relu -- 1x1 --+-- Add
 *     (x, where shapes are the same; else +-- 1x1 ------------------------------- +)
 */
#include "format/zoo.h"

enum { STAGES = 4 };

typedef struct resnetv2 {
    int blocks[STAGES];
    bool bottleneck;
    bool deep, tiered;      /* three convolutions for the first one; the first of three quarters */
    bool averages;          /* the way around shrinks by a mean */
} resnetv2;

static void conv(rg_net *n, const char *scope, const char *name, rg_conv c)
{
    rg_zoo_scope(&n->b, "%s.%s", scope, name);
    rg_net_conv(n, c);
}

static void normalize(rg_net *n, const char *scope, const char *name)
{
    rg_zoo_scope(&n->b, "%s.%s", scope, name);
    rg_net_batch_norm(n);
    rg_net_activate(n, "Relu");
}

static void residual(rg_net *n, const resnetv2 *r, const char *block, int64_t width, int64_t stride)
{
    int64_t from = n->channels, out = r->bottleneck ? 4 * width : width;
    rg_value_id skip = n->x;
    normalize(n, block, "norm1");
    rg_value_id y = n->x;
    if (from != out || stride > 1) {
        bool averages = r->averages && stride > 1;
        rg_zoo_scope(&n->b, "%s.downsample.pool", block);
        if (averages) rg_net_average_pool(n, (rg_pool){.kernel = 2, .stride = 2, .ceil = true});
        conv(n, block, "downsample.conv", (rg_conv){.channels = out, .stride = averages ? 1 : stride});
        skip = n->x;
    }
    n->x = y, n->channels = from;
    if (r->bottleneck) {
        conv(n, block, "conv1", (rg_conv){.channels = width});
        normalize(n, block, "norm2");
        conv(n, block, "conv2", (rg_conv){width, .kernel = 3, .stride = stride});
        normalize(n, block, "norm3");
        conv(n, block, "conv3", (rg_conv){.channels = out});
    } else {
        conv(n, block, "conv1", (rg_conv){width, .kernel = 3, .stride = stride});
        normalize(n, block, "norm2");
        conv(n, block, "conv2", (rg_conv){width, .kernel = 3});
    }
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, skip);
}

static void stem(rg_net *n, const resnetv2 *r)
{
    if (r->deep) {
        conv(n, "stem", "conv1", (rg_conv){r->tiered ? 24 : 32, .kernel = 3, .stride = 2});
        normalize(n, "stem", "norm1");
        conv(n, "stem", "conv2", (rg_conv){32, .kernel = 3});
        normalize(n, "stem", "norm2");
        conv(n, "stem", "conv3", (rg_conv){64, .kernel = 3});
    } else {
        conv(n, "stem", "conv", (rg_conv){64, .kernel = 7, .stride = 2});
    }
    rg_zoo_scope(&n->b, "stem.pool");
    rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = 2, .pad = 1});
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const resnetv2 *r = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    stem(&n, r);
    for (int stage = 0; stage < STAGES; stage++) {
        for (int i = 0; i < r->blocks[stage]; i++) {
            char block[40];
            snprintf(block, sizeof block, "stages.%d.blocks.%d", stage, i);
            residual(&n, r, block, INT64_C(64) << stage, stage && !i ? 2 : 1);
        }
    }
    rg_zoo_scope(&n.b, "norm");
    rg_net_batch_norm(&n);
    rg_net_activate(&n, "Relu");
    rg_net_global_pool(&n);
    conv(&n, "head", "fc", (rg_conv){.channels = 1000, .bias = true});
    rg_net_flatten(&n);
    return rg_net_done(&n, out);
}

/* Name, parameters, MACs, blocks, bottleneck, stem of three, tiered, averages. */
#define RESNETV2_LIST(X) \
    X(resnetv2_18, 11687720, 1814073344, {2, 2, 2, 2}, false, false, false, false) \
    X(resnetv2_18d, 11706952, 2053713920, {2, 2, 2, 2}, false, true, false, true) \
    X(resnetv2_34, 21795880, 3663761408, {3, 4, 6, 3}, false, false, false, false) \
    X(resnetv2_34d, 21815112, 3903401984, {3, 4, 6, 3}, false, true, false, true) \
    X(resnetv2_50, 25549352, 4089184256, {3, 4, 6, 3}, true, false, false, false) \
    X(resnetv2_50d, 25568584, 4328824832, {3, 4, 6, 3}, true, true, false, true) \
    X(resnetv2_50t, 25566048, 4297213952, {3, 4, 6, 3}, true, true, true, true) \
    X(resnetv2_101, 44541480, 7801405440, {3, 4, 23, 3}, true, false, false, false) \
    X(resnetv2_101d, 44560712, 8041046016, {3, 4, 23, 3}, true, true, false, true) \
    X(resnetv2_152, 60185128, 11513626624, {3, 8, 36, 3}, true, false, false, false) \
    X(resnetv2_152d, 60204360, 11753267200, {3, 8, 36, 3}, true, true, false, true)

#define X(id, params, mac, ...) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "He et al. 2016, arXiv:1603.05027; parameters: timm, at 224x224", \
        .parameters = params, .macs = mac, .layout = &(const resnetv2){__VA_ARGS__}, \
    };
RESNETV2_LIST(X)
#undef X
