/* zoo_convnext.c - ConvNeXt as torchvision has it: a convolution that looks around in each channel, then,
 * with the channels last, what a transformer has behind its attention.
 *
 *     x --+-- 7x7, by channel -- LayerNormalization -- Linear -- Gelu -- Linear -- scale --+-- Add
 *         +--------------------------------------------------------------------------------+
 */
#include "format/zoo.h"

typedef struct convnext { int blocks[4]; int64_t width; } convnext; /* width doubles with every stage */

static void channels_last(rg_net *n)
{
    n->x = rg_build_node(&n->b, "Transpose", "perm=0,2,3,1", n->x, -1);
}

static void channels_first(rg_net *n)
{
    n->x = rg_build_node(&n->b, "Transpose", "perm=0,3,1,2", n->x, -1);
}

static void layer_norm(rg_net *n) { n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, 1e-6); }

/* Over the channels of an image: torchvision's LayerNorm2d. */
static void image_norm(rg_net *n)
{
    channels_last(n);
    layer_norm(n);
    channels_first(n);
}

static void block(rg_net *n, const char *name)
{
    rg_value_id skip = n->x;
    int64_t channels = n->channels;
    rg_zoo_scope(&n->b, "%s.block.0", name);
    rg_net_conv(n, (rg_conv){.channels = channels, .kernel = 7, .group = channels, .bias = true});
    rg_zoo_scope(&n->b, "%s.block.1", name);
    channels_last(n);
    rg_zoo_scope(&n->b, "%s.block.2", name);
    layer_norm(n);
    rg_zoo_scope(&n->b, "%s.block.3", name);
    n->x = rg_zoo_dense(&n->b, n->x, channels, 4 * channels, true);
    rg_zoo_scope(&n->b, "%s.block.4", name);
    rg_net_activate(n, "Gelu");
    rg_zoo_scope(&n->b, "%s.block.5", name);
    n->x = rg_zoo_dense(&n->b, n->x, 4 * channels, channels, true);
    rg_zoo_scope(&n->b, "%s.block.6", name);
    channels_first(n);
    rg_zoo_scope(&n->b, "%s", name);
    rg_value_id scale = rg_build_param(&n->b, "layer_scale", RG_F32, 3, (const int64_t[]){channels, 1, 1});
    n->x = rg_build_node(&n->b, "Mul", NULL, scale, n->x, -1);
    rg_net_add(n, skip);
}

/* Convolutions whose windows lie side by side. The first is normalized behind, the others before. */
static void patches(rg_net *n, int64_t channels, int64_t size)
{
    rg_net_conv(n, (rg_conv){.channels = channels, .kernel = size, .stride = size, .pad = -1, .bias = true});
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const convnext *layout = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    rg_zoo_scope(&n.b, "features.0.0");
    patches(&n, layout->width, 4);
    rg_zoo_scope(&n.b, "features.0.1");
    image_norm(&n);
    for (int stage = 0; stage < 4; stage++) {
        if (stage) {
            rg_zoo_scope(&n.b, "features.%d.0", 2 * stage);
            image_norm(&n);
            rg_zoo_scope(&n.b, "features.%d.1", 2 * stage);
            patches(&n, 2 * n.channels, 2);
        }
        for (int i = 0; i < layout->blocks[stage]; i++) {
            char name[32];
            snprintf(name, sizeof name, "features.%d.%d", 2 * stage + 1, i);
            block(&n, name);
        }
    }
    rg_zoo_scope(&n.b, "avgpool");
    rg_net_global_pool(&n);
    rg_zoo_scope(&n.b, "classifier.0");
    image_norm(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "classifier.2", 1000);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

#define SOURCE "Liu et al. 2022, arXiv:2201.03545; figures: torchvision, IMAGENET1K_V1 at 224x224"

/* id             width  blocks     parameters         macs  published, GMAC */
#define CONVNEXT_LIST(X)                                                                                    \
    X(convnext_tiny,    96, 3, 3,  9, 3,  28589128,  4455531264,  4.456)                                    \
    X(convnext_small,   96, 3, 3, 27, 3,  50223688,  8683712256,  8.684)                                    \
    X(convnext_base,   128, 3, 3, 27, 3,  88591464, 15354729472, 15.355)                                    \
    X(convnext_large,  192, 3, 3, 27, 3, 197767336, 34361433600, 34.361)

#define X(id, wide, first, second, third, fourth, weights, mac, giga)                                       \
    RG_ZOO(id) = {                                                                                          \
        .name = #id, .family = "cnn", .source = SOURCE, .build = build, .parameters = weights, .macs = mac, \
        .published_macs = giga * 1e9, .rounding = 0.5e6,                                                    \
        .layout = &(const convnext){{first, second, third, fourth}, wide},                                  \
    };
CONVNEXT_LIST(X)
#undef X
