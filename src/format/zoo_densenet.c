/* zoo_densenet.c - DenseNet-BC as torchvision has it: every layer reads what all layers of its block before
 * it have made, so that each begins with a concatenation; normalization and activation come before a
 * convolution.
 */
#include "format/zoo.h"

/* Layers of the four blocks, channels that a layer adds, channels behind the first convolution. */
typedef struct densenet { int layers[4]; int64_t growth, stem; } densenet;

enum { LAYER_MAX = 48, BOTTLENECK = 4 }; /* of a block; width of the 1x1 convolution in growths */

/* SCOPE.norm{suffix}, its Relu, SCOPE.conv{suffix}. */
static void norm_conv(rg_net *n, const char *scope, const char *suffix, rg_conv conv)
{
    rg_zoo_scope(&n->b, "%s.norm%s", scope, suffix);
    rg_net_batch_norm(n);
    rg_zoo_scope(&n->b, "%s.relu%s", scope, suffix);
    rg_net_activate(n, "Relu");
    rg_zoo_scope(&n->b, "%s.conv%s", scope, suffix);
    rg_net_conv(n, conv);
}

static void dense_block(rg_net *n, int block, int count, int64_t growth)
{
    rg_value_id parts[1 + LAYER_MAX] = {n->x};
    int64_t channels = n->channels;
    char name[64];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "features.denseblock%d.denselayer%d", block, i + 1);
        norm_conv(n, name, "1", (rg_conv){.channels = BOTTLENECK * growth});
        norm_conv(n, name, "2", (rg_conv){.channels = growth, .kernel = 3});
        parts[1 + i] = n->x;
        channels += growth;
        rg_zoo_scope(&n->b, "features.denseblock%d", block);
        rg_net_concat(n, (uint32_t)i + 2, parts, channels);
    }
}

/* Half of the channels, half of the sides. */
static void transition(rg_net *n, int block)
{
    char name[64];
    snprintf(name, sizeof name, "features.transition%d", block);
    norm_conv(n, name, "", (rg_conv){.channels = n->channels / 2});
    rg_zoo_scope(&n->b, "%s.pool", name);
    rg_net_average_pool(n, (rg_pool){.kernel = 2});
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const densenet *layout = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    rg_zoo_scope(&n.b, "features.conv0");
    rg_net_conv(&n, (rg_conv){.channels = layout->stem, .kernel = 7, .stride = 2});
    rg_zoo_scope(&n.b, "features.norm0");
    rg_net_batch_norm(&n);
    rg_net_activate(&n, "Relu");
    rg_zoo_scope(&n.b, "features.pool0");
    rg_net_max_pool(&n, (rg_pool){.kernel = 3, .stride = 2, .pad = 1});
    for (int block = 1; block <= 4; block++) {
        dense_block(&n, block, layout->layers[block - 1], layout->growth);
        if (block < 4) transition(&n, block);
    }
    rg_zoo_scope(&n.b, "features.norm5");
    rg_net_batch_norm(&n);
    rg_net_activate(&n, "Relu");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "classifier", 1000);
    return rg_net_done(&n, out);
}

/* Name, layers of the blocks, growth, stem, parameters, MACs, GMACs as published. */
#define DENSENET_LIST(X) \
    X(densenet121, 6, 12, 24, 16, 32, 64, 7978856, 2834161664, 2.834) \
    X(densenet161, 6, 12, 36, 24, 48, 96, 28681000, 7727907072, 7.728) \
    X(densenet169, 6, 12, 32, 32, 32, 64, 14149480, 3359843328, 3.36) \
    X(densenet201, 6, 12, 48, 32, 32, 64, 20013928, 4291365888, 4.291)

#define ROW(id, n1, n2, n3, n4, grows, stems, params, mac, gmac) \
    _Static_assert(n3 <= LAYER_MAX && n4 <= LAYER_MAX, #id); \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .layout = &(const densenet){{n1, n2, n3, n4}, grows, stems}, \
        .source = "Huang et al. 2016, arXiv:1608.06993; figures: torchvision, IMAGENET1K_V1 at 224x224", \
        .parameters = params, .macs = mac, .published_macs = gmac * 1e9, .rounding = 0.5e6, \
    };
DENSENET_LIST(ROW)
