/* zoo_vovnet.c - VoVNet as timm has it (Lee et al. 2019): each layer of a block reads the one before, and all
 * are joined once, at the end. Version 2 (Lee and Park 2019) adds what came in, and gates the channels of the
 * last block in a stage by one 1x1 convolution.
 *
 *     x --+-- 3x3 --+-- 3x3 --+-- ... --+-- join -- 1x1 (-- gate) (+ x)
 *         +---------+---------+---------+
 *
 * Light ones filter by channel and then by 1x1, with one norm behind both.
 */
#include "format/zoo.h"

enum { STAGES = 4, LAYERS_MAX = 5 };

typedef enum gate { NO_GATE, ONE_CONV, ALONG } gate;

typedef struct vovnet {
    int64_t stem;                        /* channels behind the stem */
    int64_t inner[STAGES], out[STAGES];
    int layers, blocks[STAGES];
    bool adds, light;
    gate gate;
} vovnet;

static void conv(rg_net *n, const char *scope, bool light, rg_conv c)
{
    if (!light) {
        rg_net_conv_norm_act(n, scope, c, "Relu");
        return;
    }
    rg_zoo_scope(&n->b, "%s.conv_dw", scope);
    rg_net_conv(n, (rg_conv){n->channels, .kernel = c.kernel, .stride = c.stride, .group = n->channels});
    rg_zoo_scope(&n->b, "%s.conv_pw", scope);
    rg_net_conv(n, (rg_conv){.channels = c.channels});
    rg_zoo_scope(&n->b, "%s.bn", scope);
    rg_net_batch_norm(n);
    rg_net_activate(n, "Relu");
}

static void gate_channels(rg_net *n, const vovnet *v, const char *block)
{
    char scope[48];
    snprintf(scope, sizeof scope, "%s.attn", block);
    if (v->gate == ONE_CONV) rg_net_gate(n, scope, "fc", "HardSigmoid");
    if (v->gate == ALONG) rg_net_gate_along(n, scope);
}

static void run(rg_net *n, const vovnet *v, const char *block, int stage, int index)
{
    char scope[56];
    rg_value_id parts[LAYERS_MAX + 1] = {n->x};
    int64_t inner = v->inner[stage], all = n->channels + v->layers * inner;
    snprintf(scope, sizeof scope, "%s.conv_reduction", block);
    if (v->light && n->channels != inner) conv(n, scope, false, (rg_conv){.channels = inner});
    for (int i = 0; i < v->layers; i++) {
        snprintf(scope, sizeof scope, "%s.conv_mid.%d", block, i);
        conv(n, scope, v->light, (rg_conv){inner, .kernel = 3});
        parts[i + 1] = n->x;
    }
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_concat(n, (uint32_t)v->layers + 1, parts, all);
    snprintf(scope, sizeof scope, "%s.conv_concat", block);
    conv(n, scope, false, (rg_conv){.channels = v->out[stage]});
    if (index + 1 == v->blocks[stage]) gate_channels(n, v, block);
    rg_zoo_scope(&n->b, "%s", block);
    if (v->adds && index) rg_net_add(n, parts[0]);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const vovnet *v = self->layout;
    const int64_t stem[] = {64, 64, v->stem};
    rg_net n;
    char name[40];
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "stem.%d", i);
        conv(&n, name, v->light && i, (rg_conv){stem[i], .kernel = 3, .stride = i == 1 ? 1 : 2});
    }
    for (int stage = 0; stage < STAGES; stage++) {
        rg_zoo_scope(&n.b, "stages.%d.pool", stage);
        if (stage) rg_net_max_pool(&n, (rg_pool){.kernel = 3, .stride = 2, .ceil = true});
        for (int i = 0; i < v->blocks[stage]; i++) {
            snprintf(name, sizeof name, "stages.%d.blocks.%d", stage, i);
            run(&n, v, name, stage, i);
        }
    }
    rg_net_classify(&n, "head.fc");
    return rg_net_done(&n, out);
}

#define FULL {128, 160, 192, 224}, {256, 512, 768, 1024}
#define SLIM {64, 80, 96, 112}, {112, 256, 384, 512}

/* Name, parameters, MACs, stem, channels, layers, blocks, added, light, gate. */
#define VOVNET_LIST(X) \
    X(vovnet39a, 22600296, 7072227328, 128, FULL, 5, {1, 1, 2, 2}, false, false, NO_GATE) \
    X(vovnet57a, 36640296, 8930144256, 128, FULL, 5, {1, 1, 4, 3}, false, false, NO_GATE) \
    X(ese_vovnet19b_slim_dw, 1897752, 398071376, 64, SLIM, 3, {1, 1, 1, 1}, true, true, ONE_CONV) \
    X(ese_vovnet19b_dw, 6543080, 1333489824, 64, FULL, 3, {1, 1, 1, 1}, true, true, ONE_CONV) \
    X(ese_vovnet19b_slim, 3166136, 1680214784, 128, SLIM, 3, {1, 1, 1, 1}, true, false, ONE_CONV) \
    X(ese_vovnet19b, 11205416, 4121937920, 128, FULL, 3, {1, 1, 1, 1}, true, false, ONE_CONV) \
    X(ese_vovnet39b, 24568936, 7074193408, 128, FULL, 5, {1, 1, 2, 2}, true, false, ONE_CONV) \
    X(ese_vovnet57b, 38608936, 8932110336, 128, FULL, 5, {1, 1, 4, 3}, true, false, ONE_CONV) \
    X(ese_vovnet99b, 63199272, 16488214528, 128, FULL, 5, {1, 3, 9, 3}, true, false, ONE_CONV) \
    X(eca_vovnet39b, 22600316, 7072240128, 128, FULL, 5, {1, 1, 2, 2}, true, false, ALONG)

#define X(id, params, mac, ...) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Lee et al. 2019, arXiv:1904.09730 and 1911.06667; parameters: timm, at 224x224", \
        .parameters = params, .macs = mac, .layout = &(const vovnet){__VA_ARGS__}, \
    };
VOVNET_LIST(X)
#undef X
