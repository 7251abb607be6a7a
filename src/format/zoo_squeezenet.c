/* zoo_squeezenet.c - SqueezeNet as torchvision has it: fire modules, which squeeze the channels by a 1x1
 * convolution and expand them by a 1x1 and a 3x3 one side by side. All convolutions have a bias, none is
 * normalized, and the last one classifies.
 */
#include "format/zoo.h"

enum { FIRE_COUNT = 8 };

/* The first convolution's channels and kernel, and before which fire modules a pooling stands. */
typedef struct squeezenet { int64_t channels, kernel; bool pooled[FIRE_COUNT]; } squeezenet;

/* Channels of the squeezing convolution; each expanding one has four times as many. */
static const int64_t squeezed[FIRE_COUNT] = {16, 16, 32, 32, 48, 48, 64, 64};

static void conv_relu(rg_net *n, const char *module, const char *name, rg_conv conv)
{
    conv.bias = true;
    rg_zoo_scope(&n->b, "%s%s", module, name);
    rg_net_conv(n, conv);
    rg_net_activate(n, "Relu");
}

static void fire(rg_net *n, int index, int64_t squeeze)
{
    char name[32];
    rg_value_id parts[2];
    snprintf(name, sizeof name, "features.%d", index);
    conv_relu(n, name, ".squeeze", (rg_conv){.channels = squeeze});
    rg_value_id x = n->x;
    conv_relu(n, name, ".expand1x1", (rg_conv){.channels = 4 * squeeze});
    parts[0] = n->x, n->x = x, n->channels = squeeze;
    conv_relu(n, name, ".expand3x3", (rg_conv){.channels = 4 * squeeze, .kernel = 3});
    parts[1] = n->x;
    rg_zoo_scope(&n->b, "%s", name);
    rg_net_concat(n, 2, parts, 8 * squeeze);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const squeezenet *layout = self->layout;
    rg_net n;
    int index = 2; /* behind the first convolution and its Relu */
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    rg_conv stem = {.channels = layout->channels, .kernel = layout->kernel, .stride = 2, .pad = -1};
    conv_relu(&n, "features.0", "", stem);
    for (int i = 0; i < FIRE_COUNT; i++) {
        if (layout->pooled[i]) {
            rg_zoo_scope(&n.b, "features.%d", index++);
            rg_net_max_pool(&n, (rg_pool){.kernel = 3, .stride = 2, .ceil = true});
        }
        fire(&n, index++, squeezed[i]);
    }
    conv_relu(&n, "classifier.1", "", (rg_conv){.channels = 1000});
    rg_zoo_scope(&n.b, "classifier.3");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    return rg_net_done(&n, out);
}

#define SOURCE "Iandola et al. 2016, arXiv:1602.07360; figures: torchvision, IMAGENET1K_V1 at 224x224"

RG_ZOO(squeezenet1_0) = {
    .name = "squeezenet1_0", .family = "cnn", .source = SOURCE, .build = build,
    .parameters = 1248424, .macs = 818924576, .published_macs = 0.819e9, .rounding = 0.5e6,
    .layout = &(const squeezenet){96, 7, {[0] = true, [3] = true, [7] = true}},
};

RG_ZOO(squeezenet1_1) = {
    .name = "squeezenet1_1", .family = "cnn", .source = SOURCE, .build = build,
    .parameters = 1235496, .macs = 349151936, .published_macs = 0.349e9, .rounding = 0.5e6,
    .layout = &(const squeezenet){64, 3, {[0] = true, [2] = true, [4] = true}},
};
