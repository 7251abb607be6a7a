/* zoo_mobilenet.c - MobileNetV2 and MobileNetV3 as torchvision has them: inverted residuals, rows of the
 * papers' tables.
 */
#include "format/zoo_mbconv.h"

#include <math.h>

/* ---- version 2 ---- */

/* Table 2 of the paper: expansion, channels, repeats, stride of the first. */
static const struct { int expand, channels, repeats, stride; } v2_stages[] = {
    {1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
};

/* Channels by `width`, repeats by `depth`; deep: neither the first and the last convolution nor the first and
 * the last stage are scaled (timm's mobilenetv2_110d). */
typedef struct v2 { double width, depth; bool deep; } v2;

static rg_err build_v2(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const v2 *by = self->layout;
    int64_t last = by->deep || by->width < 1 ? 1280 : rg_net_round(1280 * by->width, 8);
    rg_net n;
    char name[32];
    int index = 1;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    int64_t stem = by->deep ? 32 : rg_net_round(32 * by->width, 8);
    rg_net_conv_norm(&n, "features.0", (rg_conv){.channels = stem, .kernel = 3, .stride = 2}, "Relu6");
    for (size_t s = 0; s < RG_COUNT(v2_stages); s++) {
        bool inner = s > 0 && s + 1 < RG_COUNT(v2_stages);
        int repeats = (int)ceil(v2_stages[s].repeats * (inner ? by->depth : 1));
        for (int i = 0; i < repeats; i++) {
            char list[32];
            snprintf(list, sizeof list, "features.%d.conv", index++);
            rg_net_mbconv(&n, list, (rg_mbconv){
                .expanded = n.channels * v2_stages[s].expand, .kernel = 3,
                .channels = rg_net_round(v2_stages[s].channels * by->width, 8),
                .stride = i ? 1 : v2_stages[s].stride, .activation = "Relu6", .loose = true});
        }
    }
    snprintf(name, sizeof name, "features.%d", index);
    rg_net_conv_norm(&n, name, (rg_conv){.channels = last}, "Relu6");
    rg_zoo_scope(&n.b, "avgpool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "classifier.1", 1000);
    return rg_net_done(&n, out);
}

RG_ZOO(mobilenet_v2) = {
    .name = "mobilenet_v2", .family = "cnn",
    .source = "Sandler et al. 2018, arXiv:1801.04381; figures: torchvision, IMAGENET1K_V1 at 224x224",
    .parameters = 3504872, .macs = 300774272, .published_macs = 0.301e9, .rounding = 0.5e6, .build = build_v2,
    .layout = &(const v2){1, 1, false},
};

#define V2_SOURCE "Sandler et al. 2018, arXiv:1801.04381; parameters: timm, at 224x224"

/* Name, width, depth, deep, parameters, MACs. */
#define V2_LIST(X) \
    X(mobilenet_v2_035, 0.35, 1, false, 1677128, 59285808) \
    X(mobilenet_v2_050, 0.5, 1, false, 1968680, 97131840) \
    X(mobilenet_v2_075, 0.75, 1, false, 2636424, 209069792) \
    X(mobilenet_v2_140, 1.4, 1, false, 6108776, 582195824) \
    X(mobilenet_v2_110d, 1.1, 1.2, true, 4516520, 430516080) \
    X(mobilenet_v2_120d, 1.2, 1.4, true, 5831144, 668857568)

#define V2_ROW(id, wide, far, deeper, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .source = V2_SOURCE, .parameters = params, .macs = mac, \
        .build = build_v2, .layout = &(const v2){wide, far, deeper}, \
    };
V2_LIST(V2_ROW)

/* ---- version 3 ---- */

/* A row of the paper's tables 1 and 2: SE, and HS (HardSwish) or RE (Relu). */
typedef struct v3_block { int kernel, expanded, channels; bool squeezes, hard; int stride; } v3_block;
typedef struct v3 { int count; const v3_block *blocks; int64_t features; } v3;

static const v3_block v3_large[] = {
    {3, 16, 16, false, false, 1},  {3, 64, 24, false, false, 2},  {3, 72, 24, false, false, 1},
    {5, 72, 40, true, false, 2},   {5, 120, 40, true, false, 1},  {5, 120, 40, true, false, 1},
    {3, 240, 80, false, true, 2},  {3, 200, 80, false, true, 1},  {3, 184, 80, false, true, 1},
    {3, 184, 80, false, true, 1},  {3, 480, 112, true, true, 1},  {3, 672, 112, true, true, 1},
    {5, 672, 160, true, true, 2},  {5, 960, 160, true, true, 1},  {5, 960, 160, true, true, 1},
};

static const v3_block v3_small[] = {
    {3, 16, 16, true, false, 2},   {3, 72, 24, false, false, 2},  {3, 88, 24, false, false, 1},
    {5, 96, 40, true, true, 2},    {5, 240, 40, true, true, 1},   {5, 240, 40, true, true, 1},
    {5, 120, 48, true, true, 1},   {5, 144, 48, true, true, 1},   {5, 288, 96, true, true, 2},
    {5, 576, 96, true, true, 1},   {5, 576, 96, true, true, 1},
};

static rg_err build_v3(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const v3 *layout = self->layout;
    rg_net n;
    char name[32];
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    n.epsilon = 1e-3;
    rg_net_conv_norm(&n, "features.0", (rg_conv){.channels = 16, .kernel = 3, .stride = 2}, "HardSwish");
    for (int i = 0; i < layout->count; i++) {
        const v3_block *row = &layout->blocks[i];
        snprintf(name, sizeof name, "features.%d.block", i + 1);
        rg_net_mbconv(&n, name, (rg_mbconv){
            .expanded = row->expanded, .channels = row->channels, .kernel = row->kernel,
            .stride = row->stride, .activation = row->hard ? "HardSwish" : "Relu",
            .squeezed = row->squeezes ? rg_net_round(row->expanded / 4, 8) : 0,
            .gate_activation = "Relu", .gate = "HardSigmoid"});
    }
    snprintf(name, sizeof name, "features.%d", layout->count + 1);
    rg_net_conv_norm(&n, name, (rg_conv){.channels = 6 * n.channels}, "HardSwish");
    rg_zoo_scope(&n.b, "avgpool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "classifier.0", layout->features);
    rg_net_activate(&n, "HardSwish");
    rg_net_linear(&n, "classifier.3", 1000);
    return rg_net_done(&n, out);
}

#define V3_SOURCE "Howard et al. 2019, arXiv:1905.02244; figures: torchvision, IMAGENET1K_V1 at 224x224"

RG_ZOO(mobilenet_v3_large) = {
    .name = "mobilenet_v3_large", .family = "cnn", .source = V3_SOURCE, .build = build_v3,
    .parameters = 5483032, .macs = 216589760, .published_macs = 0.217e9, .rounding = 0.5e6,
    .layout = &(const v3){RG_COUNT(v3_large), v3_large, .features = 1280},
};

RG_ZOO(mobilenet_v3_small) = {
    .name = "mobilenet_v3_small", .family = "cnn", .source = V3_SOURCE, .build = build_v3,
    .parameters = 2542856, .macs = 56510400, .published_macs = 0.057e9, .rounding = 0.5e6,
    .layout = &(const v3){RG_COUNT(v3_small), v3_small, .features = 1024},
};
