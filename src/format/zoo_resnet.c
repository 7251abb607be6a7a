/* zoo_resnet.c - residual networks as torchvision has them: ResNet (version 1.5, the stride in the 3x3
 * convolution), ResNeXt (that convolution in groups) and Wide ResNet (twice the inner width).
 */
#include "format/zoo.h"

/* Blocks of the four stages, of width 64, 128, 256, 512. A bottleneck ends in four times that width; inside
 * it has groups * base / 64 times the width. */
typedef struct resnet { int blocks[4]; bool bottleneck; int64_t groups, base; } resnet;

/* conv{index} and bn{index} of a block; the last one's activation comes behind the sum. */
static void conv_norm(rg_net *n, const char *block, int index, rg_conv conv)
{
    rg_zoo_scope(&n->b, "%s.conv%d", block, index);
    rg_net_conv(n, conv);
    rg_zoo_scope(&n->b, "%s.bn%d", block, index);
    rg_net_batch_norm(n);
}

static void basic(rg_net *n, const char *block, int64_t width, int64_t stride)
{
    conv_norm(n, block, 1, (rg_conv){.channels = width, .kernel = 3, .stride = stride});
    rg_net_activate(n, "Relu");
    conv_norm(n, block, 2, (rg_conv){.channels = width, .kernel = 3});
}

static void bottleneck(rg_net *n, const resnet *r, const char *block, int64_t width, int64_t stride)
{
    int64_t groups = r->groups, inner = width * r->base / 64 * groups;
    conv_norm(n, block, 1, (rg_conv){.channels = inner});
    rg_net_activate(n, "Relu");
    conv_norm(n, block, 2, (rg_conv){.channels = inner, .kernel = 3, .stride = stride, .group = groups});
    rg_net_activate(n, "Relu");
    conv_norm(n, block, 3, (rg_conv){.channels = 4 * width});
}

static void residual(rg_net *n, const resnet *r, const char *block, int64_t width, int64_t stride)
{
    rg_value_id skip = n->x;
    int64_t before = n->channels;
    if (r->bottleneck) bottleneck(n, r, block, width, stride);
    else basic(n, block, width, stride);
    int64_t after = n->channels;
    rg_value_id x = n->x;
    n->x = skip;
    if (stride != 1 || before != after) {
        n->channels = before;
        rg_zoo_scope(&n->b, "%s.downsample.0", block);
        rg_net_conv(n, (rg_conv){.channels = after, .stride = stride});
        rg_zoo_scope(&n->b, "%s.downsample.1", block);
        rg_net_batch_norm(n);
    }
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, x);
    rg_net_activate(n, "Relu");
}

/* Stem and stages; names begin with `prefix`. */
static void trunk(rg_net *n, const resnet *r, const char *prefix)
{
    rg_zoo_scope(&n->b, "%sconv1", prefix);
    rg_net_conv(n, (rg_conv){.channels = 64, .kernel = 7, .stride = 2});
    rg_zoo_scope(&n->b, "%sbn1", prefix);
    rg_net_batch_norm(n);
    rg_net_activate(n, "Relu");
    rg_zoo_scope(&n->b, "%smaxpool", prefix);
    rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = 2, .pad = 1});
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < r->blocks[stage]; i++) {
            char block[64];
            snprintf(block, sizeof block, "%slayer%d.%d", prefix, stage + 1, i);
            residual(n, r, block, INT64_C(64) << stage, stage && !i ? 2 : 1);
        }
    }
}

void rg_net_resnet50_trunk(rg_net *n, const char *prefix)
{
    static const resnet resnet50 = {{3, 4, 6, 3}, .bottleneck = true, .groups = 1, .base = 64};
    trunk(n, &resnet50, prefix);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    trunk(&n, self->layout, "");
    rg_zoo_scope(&n.b, "avgpool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "fc", 1000);
    return rg_net_done(&n, out);
}

#define HE "He et al. 2015, arXiv:1512.03385"
#define XIE "Xie et al. 2016, arXiv:1611.05431"
#define ZAGORUYKO "Zagoruyko and Komodakis 2016, arXiv:1605.07146"

/* Name, blocks of the stages, bottleneck, groups, base, parameters, MACs, GMACs as published, paper. */
#define RESNET_LIST(X) \
    X(resnet18, 2, 2, 2, 2, false, 1, 64, 11689512, 1814073344, 1.814, HE) \
    X(resnet34, 3, 4, 6, 3, false, 1, 64, 21797672, 3663761408, 3.664, HE) \
    X(resnet50, 3, 4, 6, 3, true, 1, 64, 25557032, 4089184256, 4.089, HE) \
    X(resnet101, 3, 4, 23, 3, true, 1, 64, 44549160, 7801405440, 7.801, HE) \
    X(resnet152, 3, 8, 36, 3, true, 1, 64, 60192808, 11513626624, 11.514, HE) \
    X(resnext50_32x4d, 3, 4, 6, 3, true, 32, 4, 25028904, 4230479872, 4.23, XIE) \
    X(resnext101_32x8d, 3, 4, 23, 3, true, 32, 8, 88791336, 16414015488, 16.414, XIE) \
    X(resnext101_64x4d, 3, 4, 23, 3, true, 64, 4, 83455272, 15460270080, 15.46, XIE) \
    X(wide_resnet50_2, 3, 4, 6, 3, true, 1, 128, 68883240, 11398021120, 11.398, ZAGORUYKO) \
    X(wide_resnet101_2, 3, 4, 23, 3, true, 1, 128, 126886696, 22753050624, 22.753, ZAGORUYKO)

#define ROW(id, n1, n2, n3, n4, deep, group_count, group_base, params, mac, gmac, paper) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .build = build, \
        .source = paper "; figures: torchvision, IMAGENET1K_V1 at 224x224", \
        .parameters = params, .macs = mac, .published_macs = gmac * 1e9, .rounding = 0.5e6, \
        .layout = &(const resnet){{n1, n2, n3, n4}, deep, group_count, group_base}, \
    };
RESNET_LIST(ROW)
