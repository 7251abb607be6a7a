/* zoo_hgnet.c - PP-HGNet, version 1 and 2, as timm has it: each block joins what came in and what each of its
 * convolutions made, and squeezes all of that by 1x1 convolutions. Version 1 gates the channels then; version
 * 2 has a second 1x1 convolution, and in late stages convolutions of 1x1 and 5x5 by channel. Small ones of
 * version 2 scale and shift behind each activation, with two numbers in all.
 */
#include "format/zoo.h"

enum { STAGES = 4, LAYERS_MAX = 8 };

typedef struct stage { int64_t inner, out; int blocks; } stage;

typedef struct hgnet {
    int64_t stem[2];           /* channels inside the stem, and behind it */
    stage stages[STAGES];
    int layers;                /* of a block */
    bool second;               /* version 2 */
    bool shifts;
} hgnet;

static void shift(rg_net *n, const char *scope)
{
    const int64_t one = 1;
    rg_build *b = &n->b;
    rg_zoo_scope(b, "%s.lab", scope);
    rg_value_id scale = rg_build_param(b, "scale", RG_F32, 1, &one);
    rg_value_id bias = rg_build_param(b, "bias", RG_F32, 1, &one);
    n->x = rg_build_node(b, "Mul", NULL, scale, n->x, -1);
    n->x = rg_build_node(b, "Add", NULL, n->x, bias, -1);
}

static void conv(rg_net *n, const hgnet *h, const char *scope, rg_conv c, bool active)
{
    rg_net_conv_norm_act(n, scope, c, active ? "Relu" : "None");
    if (active && h->shifts) shift(n, scope);
}

/* ---- stem ---- */

static void pad(rg_net *n)
{
    const int64_t by[] = {0, 0, 0, 0, 0, 0, 1, 1};
    n->x = rg_build_node(&n->b, "Pad", NULL, n->x, rg_build_ints(&n->b, 8, by), -1);
}

static void first_stem(rg_net *n, const hgnet *h)
{
    const int64_t channels[] = {h->stem[0], h->stem[0], h->stem[1]};
    char scope[24];
    for (int i = 0; i < 3; i++) {
        snprintf(scope, sizeof scope, "stem.stem.%d", i);
        conv(n, h, scope, (rg_conv){channels[i], .kernel = 3, .stride = i ? 1 : 2}, true);
    }
    rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = 2, .pad = 1});
}

static void second_stem(rg_net *n, const hgnet *h)
{
    int64_t inner = h->stem[0];
    rg_value_id parts[2];
    conv(n, h, "stem.stem1", (rg_conv){inner, .kernel = 3, .stride = 2}, true);
    pad(n);
    rg_value_id x = n->x;
    conv(n, h, "stem.stem2a", (rg_conv){inner / 2, .kernel = 2, .pad = -1}, true);
    pad(n);
    conv(n, h, "stem.stem2b", (rg_conv){inner, .kernel = 2, .pad = -1}, true);
    parts[1] = n->x;
    n->x = x;
    rg_zoo_scope(&n->b, "stem.pool");
    rg_net_max_pool(n, (rg_pool){.kernel = 2, .stride = 1, .ceil = true});
    parts[0] = n->x;
    rg_net_concat(n, 2, parts, 2 * inner);
    conv(n, h, "stem.stem3", (rg_conv){inner, .kernel = 3, .stride = 2}, true);
    conv(n, h, "stem.stem4", (rg_conv){.channels = h->stem[1]}, true);
}

/* ---- blocks ---- */

static void layer(rg_net *n, const hgnet *h, const char *block, int index, int64_t channels, bool light)
{
    char scope[64];
    if (light) {
        snprintf(scope, sizeof scope, "%s.layers.%d.conv1", block, index);
        conv(n, h, scope, (rg_conv){.channels = channels}, false);
        snprintf(scope, sizeof scope, "%s.layers.%d.conv2", block, index);
        conv(n, h, scope, (rg_conv){channels, .kernel = 5, .group = channels}, true);
    } else {
        snprintf(scope, sizeof scope, "%s.layers.%d", block, index);
        conv(n, h, scope, (rg_conv){channels, .kernel = 3}, true);
    }
}

static void squeeze(rg_net *n, const hgnet *h, const char *block, int64_t out)
{
    char scope[56];
    snprintf(scope, sizeof scope, "%s.aggregation.0", block);
    conv(n, h, scope, (rg_conv){.channels = h->second ? out / 2 : out}, true);
    snprintf(scope, sizeof scope, "%s.aggregation.1", block);
    if (h->second) conv(n, h, scope, (rg_conv){.channels = out}, true);
    else rg_net_gate(n, scope, "conv", "Sigmoid");
}

static void run(rg_net *n, const hgnet *h, const char *block, const stage *s, bool light, bool added)
{
    rg_value_id parts[LAYERS_MAX], before = n->x;
    int64_t channels = n->channels + h->layers * s->inner;
    parts[0] = before;
    for (int i = 0; i < h->layers; i++) {
        layer(n, h, block, i, s->inner, light);
        parts[i + 1] = n->x;
    }
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_concat(n, (uint32_t)h->layers + 1, parts, channels);
    squeeze(n, h, block, s->out);
    if (added) rg_net_add(n, before);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const hgnet *h = self->layout;
    rg_net n;
    char name[40];
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    if (h->second) second_stem(&n, h);
    else first_stem(&n, h);
    for (int i = 0; i < STAGES; i++) {
        snprintf(name, sizeof name, "stages.%d.downsample", i);
        if (i) conv(&n, h, name, (rg_conv){n.channels, .kernel = 3, .stride = 2, .group = n.channels}, false);
        for (int k = 0; k < h->stages[i].blocks; k++) {
            snprintf(name, sizeof name, "stages.%d.blocks.%d", i, k);
            run(&n, h, name, &h->stages[i], h->second && i >= 2, k > 0);
        }
    }
    rg_zoo_scope(&n.b, "head.global_pool");
    rg_net_global_pool(&n);
    rg_zoo_scope(&n.b, "head.last_conv.0");
    rg_net_conv(&n, (rg_conv){.channels = 2048});
    rg_net_activate(&n, "Relu");
    if (h->shifts) shift(&n, "head.last_conv.2");
    rg_net_flatten(&n);
    rg_net_linear(&n, "head.fc", 1000);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

/* Name, stem, inner and outer channels and blocks of the stages, layers, version 2, shifts, parameters,
MACs. */
#define HGNET_LIST(X) \
    X(hgnet_tiny, 48, 96, 96, 224, 1, 128, 448, 1, 160, 512, 2, 192, 768, 1, 5, false, false, 14735864, \
      4530447104) \
    X(hgnet_small, 64, 128, 128, 256, 1, 160, 512, 1, 192, 768, 2, 224, 1024, 1, 6, false, false, 24360872, \
      8508610304) \
    X(hgnet_base, 96, 160, 192, 320, 1, 224, 640, 2, 256, 960, 3, 288, 1280, 2, 7, false, false, 71578184, \
      25109564352) \
    X(hgnetv2_b0, 16, 16, 16, 64, 1, 32, 256, 1, 64, 512, 2, 128, 1024, 1, 3, true, true, 5996488, \
      321326464) \
    X(hgnetv2_b1, 24, 32, 32, 64, 1, 48, 256, 1, 96, 512, 2, 192, 1024, 1, 3, true, true, 6343096, \
      489387840) \
    X(hgnetv2_b2, 24, 32, 32, 96, 1, 64, 384, 1, 128, 768, 3, 256, 1536, 1, 4, true, true, 11221272, \
      1137703680) \
    X(hgnetv2_b3, 24, 32, 32, 128, 1, 64, 512, 1, 128, 1024, 3, 256, 2048, 1, 5, true, true, 16292120, \
      1770919680) \
    X(hgnetv2_b4, 32, 48, 48, 128, 1, 96, 512, 1, 192, 1024, 3, 384, 2048, 1, 6, true, false, 19796680, \
      2734148352) \
    X(hgnetv2_b5, 32, 64, 64, 128, 1, 128, 512, 2, 256, 1024, 5, 512, 2048, 2, 6, true, false, 39569064, \
      6538404864) \
    X(hgnetv2_b6, 48, 96, 96, 192, 2, 192, 512, 3, 384, 1024, 6, 768, 2048, 3, 6, true, false, 75256776, \
      16840566272)

#define X(id, inner, behind, i1, o1, b1, i2, o2, b2, i3, o3, b3, i4, o4, b4, count, two, lab, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Cui et al. 2021 and PaddleClas, ppcls/arch/backbone/legendary_models; parameters: timm", \
        .parameters = params, .macs = mac, \
        .layout = &(const hgnet){{inner, behind}, {{i1, o1, b1}, {i2, o2, b2}, {i3, o3, b3}, {i4, o4, b4}}, \
                                 count, two, lab}, \
    };
HGNET_LIST(X)
#undef X
