/* zoo_convnext.c - ConvNeXt as torchvision has it: a convolution that looks around in each channel, then,
 * with the channels last, what a transformer has behind its attention.
 *
 *     x --+-- 7x7, by channel -- LayerNormalization -- Linear -- Gelu -- Linear -- scale --+-- Add
 *         +--------------------------------------------------------------------------------+
 *
 * Version 2 lets channels compete in front of the second linear layer, and has no scale (Woo et al. 2023,
 * section 3.2):
 *
 *     g = root of the sum of squares of each channel over the image     n = g / (mean over channels of g)
 *     x = x (weight n) + bias + x
 */
#include "format/zoo.h"

/* width doubles with every stage */
typedef struct convnext { int blocks[4]; int64_t width; bool competes; } convnext;

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

/* [batch, height, width, channels]. */
static void compete(rg_net *n, int64_t channels)
{
    rg_build *b = &n->b;
    rg_value_id weight = rg_build_param(b, "weight", RG_F32, 1, &channels);
    rg_value_id bias = rg_build_param(b, "bias", RG_F32, 1, &channels);
    rg_value_id sum = rg_build_node(b, "ReduceL2", NULL, n->x, rg_build_ints(b, 2, (const int64_t[]){1, 2}),
                                    -1);
    rg_value_id mean = rg_build_node(b, "ReduceMean", NULL, sum,
                                     rg_build_ints(b, 1, (const int64_t[]){3}), -1);
    mean = rg_build_node(b, "Add", NULL, mean, rg_build_scalar(b, 1e-6f), -1);
    rg_value_id by = rg_build_node(b, "Mul", NULL, weight, rg_build_node(b, "Div", NULL, sum, mean, -1), -1);
    rg_value_id x = rg_build_node(b, "Mul", NULL, n->x, by, -1);
    rg_net_add(n, rg_build_node(b, "Add", NULL, x, bias, -1));
}

static void block(rg_net *n, const char *name, bool competes)
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
    rg_zoo_scope(&n->b, "%s.grn", name);
    if (competes) compete(n, 4 * channels);
    rg_zoo_scope(&n->b, "%s.block.5", name);
    n->x = rg_zoo_dense(&n->b, n->x, 4 * channels, channels, true);
    rg_zoo_scope(&n->b, "%s.block.6", name);
    channels_first(n);
    rg_zoo_scope(&n->b, "%s", name);
    if (!competes) {
        const int64_t shape[] = {channels, 1, 1};
        rg_value_id scale = rg_build_param(&n->b, "layer_scale", RG_F32, 3, shape);
        n->x = rg_build_node(&n->b, "Mul", NULL, scale, n->x, -1);
    }
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
            block(&n, name, layout->competes);
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
    X(convnext_tiny,    96, 3, 3,  9, 3,  28589128,  4455531264,  4.456) \
    X(convnext_small,   96, 3, 3, 27, 3,  50223688,  8683712256,  8.684) \
    X(convnext_base,   128, 3, 3, 27, 3,  88591464, 15354729472, 15.355) \
    X(convnext_large,  192, 3, 3, 27, 3, 197767336, 34361433600, 34.361)

#define X(id, wide, first, second, third, fourth, weights, mac, giga)                                       \
    RG_ZOO(id) = {                                                                                          \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, \
        .source = SOURCE, .build = build, .parameters = weights, .macs = mac, \
        .published_macs = giga * 1e9, .rounding = 0.5e6,                                                    \
        .layout = &(const convnext){{first, second, third, fourth}, wide, false},                     \
    };
CONVNEXT_LIST(X)
#undef X

#define LIU "Liu et al. 2022, arXiv:2201.03545; parameters: timm, at 224x224"
#define WOO "Woo et al. 2023, arXiv:2301.00808; parameters: timm, at 224x224"

/* Sizes that torchvision has not, and version 2. */
#define MORE_LIST(X)                                                                                        \
    X(convnext_atto,     40, 2, 2,  6, 2, false, LIU, 3695520, 547332480) \
    X(convnext_femto,    48, 2, 2,  6, 2, false, LIU, 5217784, 779629824) \
    X(convnext_pico,     64, 2, 2,  6, 2, false, LIU, 9045672, 1367055360) \
    X(convnext_nano,     80, 2, 2,  8, 2, false, LIU, 15593560, 2445528320) \
    X(convnext_xlarge,  256, 3, 3, 27, 3, false, LIU, 350196968, 60921030656) \
    X(convnext_xxlarge, 384, 3, 4, 30, 3, false, LIU, 846471016, 151570166784) \
    X(convnextv2_atto,   40, 2, 2,  6, 2, true,  WOO, 3708400, 547332480) \
    X(convnextv2_femto,  48, 2, 2,  6, 2, true,  WOO, 5233240, 779629824) \
    X(convnextv2_pico,   64, 2, 2,  6, 2, true,  WOO, 9066280, 1367055360) \
    X(convnextv2_nano,   80, 2, 2,  8, 2, true,  WOO, 15623800, 2445528320) \
    X(convnextv2_tiny,   96, 3, 3,  9, 3, true,  WOO, 28635496, 4455531264) \
    X(convnextv2_small,  96, 3, 3, 27, 3, true,  WOO, 50318440, 8683712256) \
    X(convnextv2_base,  128, 3, 3, 27, 3, true,  WOO, 88717800, 15354729472) \
    X(convnextv2_large, 192, 3, 3, 27, 3, true,  WOO, 197956840, 34361433600) \
    X(convnextv2_huge,  352, 3, 3, 27, 3, true,  WOO, 660289640, 114922100480)

#define X(id, wide, first, second, third, fourth, competing, from, weights, mac)                            \
    RG_ZOO(id) = {                                                                                          \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, \
        .source = from, .build = build, .parameters = weights, .macs = mac,   \
        .layout = &(const convnext){{first, second, third, fourth}, wide, competing},                       \
    };
MORE_LIST(X)
#undef X
