/* zoo_mnasnet.c - MNASNet-B1 as torchvision has it: inverted residuals whose kernels, expansions and repeats
 * were found by search; the variants scale all widths but the last one.
 */
#include "format/zoo.h"

enum { STEM = 32, SEPARABLE = 16, LAST = 1280 }; /* channels of the other convolutions */

/* Stacks of inverted residuals behind the stem. */
static const struct { int channels, kernel, stride, expand, repeats; } stacks[] = {
    {24, 3, 2, 3, 3}, {40, 5, 2, 3, 3},  {80, 5, 2, 6, 3},
    {96, 3, 1, 6, 2}, {192, 5, 2, 6, 4}, {320, 3, 1, 6, 1},
};

/* Expand, filter each channel, project without activation; the input is added where sizes allow. */
static void inverted_residual(rg_net *n, const char *name, int64_t channels, int64_t kernel, int64_t stride,
                              int64_t expand)
{
    char scope[48];
    rg_value_id skip = n->x;
    int64_t before = n->channels, wide = before * expand;
    snprintf(scope, sizeof scope, "%s.layers", name);
    rg_conv filter = {.channels = wide, .kernel = kernel, .stride = stride, .group = wide};
    int index = rg_net_conv_norm_at(n, scope, 0, (rg_conv){.channels = wide}, "Relu");
    index = rg_net_conv_norm_at(n, scope, index, filter, "Relu");
    rg_net_conv_norm_at(n, scope, index, (rg_conv){.channels = channels}, "None");
    if (stride != 1 || before != channels) return;
    rg_zoo_scope(&n->b, "%s", name);
    rg_net_add(n, skip);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const double scale = *(const double *)self->layout;
    const int64_t stem = rg_net_round(scale * STEM, 8);
    const rg_conv begin = {.channels = stem, .kernel = 3, .stride = 2};
    const rg_conv filter = {.channels = stem, .kernel = 3, .group = stem};
    const rg_conv project = {.channels = rg_net_round(scale * SEPARABLE, 8)};
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    int index = rg_net_conv_norm_at(&n, "layers", 0, begin, "Relu");
    index = rg_net_conv_norm_at(&n, "layers", index, filter, "Relu");
    index = rg_net_conv_norm_at(&n, "layers", index, project, "None");
    for (size_t s = 0; s < RG_COUNT(stacks); s++, index++) {
        int64_t channels = rg_net_round(scale * stacks[s].channels, 8);
        for (int i = 0; i < stacks[s].repeats; i++) {
            char name[32];
            int stride = i ? 1 : stacks[s].stride;
            snprintf(name, sizeof name, "layers.%d.%d", index, i);
            inverted_residual(&n, name, channels, stacks[s].kernel, stride, stacks[s].expand);
        }
    }
    rg_net_conv_norm_at(&n, "layers", index, (rg_conv){.channels = LAST}, "Relu");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "classifier.1", 1000);
    return rg_net_done(&n, out);
}

/* Name, factor of the widths, parameters, MACs, GMACs as published. */
#define MNASNET_LIST(X) \
    X(mnasnet0_5, 0.5, 2218512, 104455968, 0.104) \
    X(mnasnet0_75, 0.75, 3170208, 215493104, 0.215) \
    X(mnasnet1_0, 1.0, 4383312, 314415872, 0.314) \
    X(mnasnet1_3, 1.3, 6282256, 526362432, 0.526)

#define ROW(id, factor, params, mac, gmac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .build = build, .layout = &(const double){factor}, \
        .source = "Tan et al. 2018, arXiv:1807.11626; figures: torchvision, IMAGENET1K_V1 at 224x224", \
        .parameters = params, .macs = mac, .published_macs = gmac * 1e9, .rounding = 0.5e6, \
    };
MNASNET_LIST(ROW)
