/* zoo_convmixer.c - ConvMixer and RepVGG as timm has them: one block over and over.
 *
 *     ConvMixer   x = norm(act(by channel, k x k, of x)) + x, then x = norm(act(1x1 of x))
 *     RepVGG      x = act(norm(3x3 of x) + norm(1x1 of x) + norm(x)), as it is trained; the last where sizes
 *                 stay
 */
#include "format/zoo.h"

/* ---- ConvMixer ---- */

typedef struct convmixer {
    int64_t width;
    int layers;
    int64_t kernel, patch;
    const char *activation;
} convmixer;

static void activate_norm(rg_net *n, const convmixer *c, const char *scope)
{
    rg_net_activate(n, c->activation);
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_batch_norm(n);
}

static rg_err build_mixer(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const convmixer *c = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    rg_zoo_scope(&n.b, "stem.0");
    rg_net_conv(&n, (rg_conv){.channels = c->width, .kernel = c->patch, .stride = c->patch, .pad = -1,
                              .bias = true});
    activate_norm(&n, c, "stem.2");
    for (int i = 0; i < c->layers; i++) {
        char scope[40];
        rg_value_id before = n.x;
        rg_zoo_scope(&n.b, "blocks.%d.0.fn.0", i);
        rg_net_conv(&n, (rg_conv){c->width, .kernel = c->kernel, .group = c->width, .bias = true});
        snprintf(scope, sizeof scope, "blocks.%d.0.fn.2", i);
        activate_norm(&n, c, scope);
        rg_net_add(&n, before);
        rg_zoo_scope(&n.b, "blocks.%d.1", i);
        rg_net_conv(&n, (rg_conv){.channels = c->width, .bias = true});
        snprintf(scope, sizeof scope, "blocks.%d.3", i);
        activate_norm(&n, c, scope);
    }
    rg_zoo_scope(&n.b, "pooling");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

#define TROCKMAN "Trockman and Kolter 2022, arXiv:2201.09792; parameters: timm, at 224x224"

/* Name, width, layers, kernel, patch, activation, parameters, MACs. */
#define MIXER_LIST(X) \
    X(convmixer_768_32, 768, 32, 7, 7, "Relu", 21110248, 20676851712) \
    X(convmixer_1024_20_ks9_p14, 1024, 20, 9, 14, "Gelu", 24383464, 5948547072) \
    X(convmixer_1536_20, 1536, 20, 9, 7, "Gelu", 51625960, 51099168768)

#define MIXER(id, wide, count, around, cut, by, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, \
        .source = TROCKMAN, .build = build_mixer, .parameters = params, \
        .macs = mac, .layout = &(const convmixer){wide, count, around, cut, by}, \
    };
MIXER_LIST(MIXER)

/* ---- RepVGG ---- */

typedef struct repvgg { int blocks[4]; double widths[4]; } repvgg;

static void branch(rg_net *n, const char *block, const char *name, rg_conv conv)
{
    rg_zoo_scope(&n->b, "%s.%s.conv", block, name);
    rg_net_conv(n, conv);
    rg_zoo_scope(&n->b, "%s.%s.bn", block, name);
    rg_net_batch_norm(n);
}

static void fold(rg_net *n, const char *block, int64_t width, int64_t stride)
{
    rg_value_id x = n->x;
    int64_t before = n->channels;
    branch(n, block, "conv_kxk", (rg_conv){.channels = width, .kernel = 3, .stride = stride});
    rg_value_id sum = n->x;
    n->x = x, n->channels = before;
    branch(n, block, "conv_1x1", (rg_conv){.channels = width, .stride = stride});
    rg_net_add(n, sum);
    if (stride == 1 && before == width) {
        sum = n->x, n->x = x;
        rg_zoo_scope(&n->b, "%s.identity", block);
        rg_net_batch_norm(n);
        rg_net_add(n, sum);
    }
    rg_net_activate(n, "Relu");
}

static rg_err build_repvgg(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const repvgg *r = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    fold(&n, "stem", r->widths[0] < 1 ? (int64_t)(64 * r->widths[0]) : 64, 2);
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < r->blocks[stage]; i++) {
            char block[32];
            snprintf(block, sizeof block, "stages.%d.%d", stage, i);
            fold(&n, block, (int64_t)((64 << stage) * r->widths[stage]), i ? 1 : 2);
        }
    }
    rg_zoo_scope(&n.b, "head.global_pool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "head.fc", 1000);
    return rg_net_done(&n, out);
}

#define DING "Ding et al. 2021, arXiv:2101.03697; parameters: timm, at 224x224"

/* Tables 2 and 3 of the paper. Name, blocks, widths against 64, 128, 256, 512, parameters, MACs. */
#define REPVGG_LIST(X) \
    X(repvgg_a0, 2, 4, 14, 1, 0.75, 2.5, 9108968, 1512581120) \
    X(repvgg_a1, 2, 4, 14, 1, 1, 2.5, 14092264, 2626488320) \
    X(repvgg_a2, 2, 4, 14, 1, 1.5, 2.75, 28210600, 5685345280) \
    X(repvgg_b0, 4, 6, 16, 1, 1, 2.5, 15817960, 3397191680) \
    X(repvgg_b1, 4, 6, 16, 1, 2, 4, 57415016, 13128089600) \
    X(repvgg_b2, 4, 6, 16, 1, 2.5, 5, 89022376, 20418170880) \
    X(repvgg_b3, 4, 6, 16, 1, 3, 5, 123085288, 29120696320)

#define REPVGG(id, b1, b2, b3, b4, wide, last, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .source = DING, .build = build_repvgg, .parameters = params, \
        .macs = mac, .layout = &(const repvgg){{b1, b2, b3, b4}, {wide, wide, wide, last}}, \
    };
REPVGG_LIST(REPVGG)
