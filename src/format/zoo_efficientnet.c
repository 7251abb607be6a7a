/* zoo_efficientnet.c - EfficientNet and EfficientNetV2 as torchvision has them. The first scales one table:
 * the channels by `width`, rounded to multiples of 8, and the repeats by `depth`, rounded up; the image grows
 * along. Version 2 has a table for each size, whose early stages are fused, and ends in 1280 features.
 */
#include "format/zoo_mbconv.h"

#include <math.h>

/* The first block of a stage has its stride and widens; expansion is of what comes in. */
typedef struct stage { bool fused; int expand, kernel, stride, channels, repeats; } stage;

typedef struct efficientnet {
    int count;
    const stage *stages;
    double width, depth;
    int64_t stem, last;    /* channels of the first convolution; and of the last, 0: 4 times its input */
    int64_t side;          /* of the image, as the weights are evaluated */
    double epsilon;
    bool nearest;          /* channels are rounded to the nearest, however much that loses */
} efficientnet;

/* Table 1 of Tan and Le 2019. */
static const stage v1[] = {
    {false, 1, 3, 1, 16, 1},  {false, 6, 3, 2, 24, 2},  {false, 6, 5, 2, 40, 2},  {false, 6, 3, 2, 80, 3},
    {false, 6, 5, 1, 112, 3}, {false, 6, 5, 2, 192, 4}, {false, 6, 3, 1, 320, 1},
};

/* Table 4 of Tan and Le 2021. */
static const stage v2_s[] = {
    {true, 1, 3, 1, 24, 2},   {true, 4, 3, 2, 48, 4},   {true, 4, 3, 2, 64, 4},
    {false, 4, 3, 2, 128, 6}, {false, 6, 3, 1, 160, 9}, {false, 6, 3, 2, 256, 15},
};

/* The larger ones are in the authors' code only. */
static const stage v2_m[] = {
    {true, 1, 3, 1, 24, 3},    {true, 4, 3, 2, 48, 5},     {true, 4, 3, 2, 80, 5},
    {false, 4, 3, 2, 160, 7},  {false, 6, 3, 1, 176, 14},  {false, 6, 3, 2, 304, 18},
    {false, 6, 3, 1, 512, 5},
};

static const stage v2_l[] = {
    {true, 1, 3, 1, 32, 4},    {true, 4, 3, 2, 64, 7},     {true, 4, 3, 2, 96, 7},
    {false, 4, 3, 2, 192, 10}, {false, 6, 3, 1, 224, 19},  {false, 6, 3, 2, 384, 25},
    {false, 6, 3, 1, 640, 7},
};

/* In the authors' code only: the small ones, scaled as version 1 is, and the largest. */
static const stage v2_b[] = {
    {true, 1, 3, 1, 16, 1},   {true, 4, 3, 2, 32, 2},   {true, 4, 3, 2, 48, 2},
    {false, 4, 3, 2, 96, 3},  {false, 6, 3, 1, 112, 5}, {false, 6, 3, 2, 192, 8},
};

static const stage v2_xl[] = {
    {true, 1, 3, 1, 32, 4},    {true, 4, 3, 2, 64, 8},     {true, 4, 3, 2, 96, 8},
    {false, 4, 3, 2, 192, 16}, {false, 6, 3, 1, 256, 24},  {false, 6, 3, 2, 512, 32},
    {false, 6, 3, 1, 640, 8},
};

static int64_t scale(const efficientnet *e, int64_t channels)
{
    double wide = (double)channels * e->width;
    return e->nearest ? (int64_t)(wide + 4) / 8 * 8 : rg_net_round(wide, 8);
}

/* The gate is as wide as a quarter of what comes into the block, not of what it scales. */
static void blocks(rg_net *n, int index, const stage *s, int64_t channels, int repeats)
{
    for (int i = 0; i < repeats; i++) {
        char list[48];
        snprintf(list, sizeof list, "features.%d.%d.block", index, i);
        rg_net_mbconv(n, list, (rg_mbconv){
            .expanded = rg_net_round((double)(n->channels * s->expand), 8), .channels = channels,
            .kernel = s->kernel, .stride = i ? 1 : s->stride, .fused = s->fused, .activation = "SiLU",
            .squeezed = n->channels / 4, .gate_activation = "SiLU", .gate = "Sigmoid"});
    }
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const efficientnet *e = self->layout;
    rg_net n;
    char name[32];
    RG_TRY(rg_net_begin(&n, cx, self, e->side));
    n.epsilon = e->epsilon;
    int64_t stem = scale(e, e->stem);
    rg_net_conv_norm(&n, "features.0", (rg_conv){.channels = stem, .kernel = 3, .stride = 2}, "SiLU");
    for (int i = 0; i < e->count; i++) {
        const stage *s = &e->stages[i];
        blocks(&n, i + 1, s, scale(e, s->channels), (int)ceil(s->repeats * e->depth));
    }
    snprintf(name, sizeof name, "features.%d", e->count + 1);
    int64_t last = e->last ? scale(e, e->last) : 4 * n.channels;
    rg_net_conv_norm(&n, name, (rg_conv){.channels = last}, "SiLU");
    rg_zoo_scope(&n.b, "avgpool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "classifier.1", 1000);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

#define V1_SOURCE "Tan and Le 2019, arXiv:1905.11946; figures: torchvision, IMAGENET1K_V1 at its test size"
#define V2_SOURCE "Tan and Le 2021, arXiv:2104.00298; figures: torchvision, IMAGENET1K_V1 at its test size"

/*    id           width depth side epsilon parameters      macs  published, GMAC */
#define V1_LIST(X)                                                                                          \
    X(efficientnet_b0, 1.0, 1.0, 224, 1e-5,  5288548,   385814752,  0.386) \
    X(efficientnet_b1, 1.0, 1.1, 240, 1e-5,  7794184,   686802832,  0.687) \
    X(efficientnet_b2, 1.1, 1.2, 288, 1e-5,  9109994,  1087529456,  1.088) \
    X(efficientnet_b3, 1.2, 1.4, 300, 1e-5, 12233232,  1827141392,  1.827) \
    X(efficientnet_b4, 1.4, 1.8, 380, 1e-5, 19341616,  4393771024,  4.394) \
    X(efficientnet_b5, 1.6, 2.2, 456, 1e-3, 30389784, 10266384752, 10.266) \
    X(efficientnet_b6, 1.8, 2.6, 528, 1e-3, 43040704, 19067593536, 19.068) \
    X(efficientnet_b7, 2.0, 3.1, 600, 1e-3, 66347960, 37745884192, 37.746)

/*    id              rows  stem side parameters       macs  published, GMAC */
#define V2_LIST(X)                                                                                          \
    X(efficientnet_v2_s, v2_s, 24, 384,  21458488,  8365617152,  8.366) \
    X(efficientnet_v2_m, v2_m, 24, 480,  54139356, 24582460384, 24.582) \
    X(efficientnet_v2_l, v2_l, 32, 480, 118515272, 56079699008, 56.080)

#define MODEL(id, text, weights, mac, giga, ...)                                                            \
    RG_ZOO(id) = {                                                                                          \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, \
        .source = text, .build = build, .parameters = weights, .macs = mac,   \
        .published_macs = giga * 1e9, .rounding = 0.5e6, .layout = &(const efficientnet){__VA_ARGS__},      \
    };

#define X(id, wide, deep, size, eps, weights, mac, giga)                                                    \
    MODEL(id, V1_SOURCE, weights, mac, giga, .count = RG_COUNT(v1), .stages = v1, .width = wide,            \
          .depth = deep, .stem = 32, .side = size, .epsilon = eps)
V1_LIST(X)
#undef X

#define X(id, rows, first, size, weights, mac, giga)                                                        \
    MODEL(id, V2_SOURCE, weights, mac, giga, .count = RG_COUNT(rows), .stages = rows, .width = 1,           \
          .depth = 1, .stem = first, .last = 1280, .side = size, .epsilon = 1e-3)
V2_LIST(X)
#undef X

#define MORE_SOURCE "Tan and Le 2021, arXiv:2104.00298; parameters: timm, tf_efficientnetv2_*"

/*    id               rows   width depth stem side parameters macs */
#define MORE_LIST(X)                                                                                        \
    X(efficientnet_v2_b0, v2_b,  1.0, 1.0, 32, 224, 7139704, 718086176) \
    X(efficientnet_v2_b1, v2_b,  1.0, 1.1, 32, 240, 8141052, 1196819360) \
    X(efficientnet_v2_b2, v2_b,  1.1, 1.2, 32, 260, 10096086, 1697542832) \
    X(efficientnet_v2_b3, v2_b,  1.2, 1.4, 32, 300, 14358406, 3011458816) \
    X(efficientnet_v2_xl, v2_xl, 1.0, 1.0, 32, 512, 208119808, 93353451520)

#define LARGE_SOURCE "Tan and Le 2019, arXiv:1905.11946; parameters: timm, tf_efficientnet_*"

/*    id           width depth side parameters macs: in the authors' code only */
#define LARGE_LIST(X)                                                                                       \
    X(efficientnet_b8, 2.2, 3.6, 672, 87413142, 62597461568) \
    X(efficientnet_l2, 4.3, 5.3, 800, 480309308, 475703653280)

#define X(id, wide, deep, size, weights, mac)                                                               \
    RG_ZOO(id) = {                                                                                          \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .source = LARGE_SOURCE, .build = build,        \
        .parameters = weights, .macs = mac,                                                                 \
        .layout = &(const efficientnet){.count = RG_COUNT(v1), .stages = v1, .width = wide, .depth = deep,  \
                                        .stem = 32, .side = size, .epsilon = 1e-3},                         \
    };
LARGE_LIST(X)
#undef X

#define X(id, rows, wide, deep, first, size, weights, mac)                                                  \
    RG_ZOO(id) = {                                                                                          \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, \
        .source = MORE_SOURCE, .build = build, .parameters = weights,         \
        .macs = mac, .layout = &(const efficientnet){.count = RG_COUNT(rows), .stages = rows, .width = wide, \
                                                     .depth = deep, .stem = first, .last = 1280,            \
                                                     .side = size, .epsilon = 1e-3, .nearest = true},       \
    };
MORE_LIST(X)
#undef X
