/* zoo_tinyvit.c - TinyViT as timm has it (Wu et al. 2022): a first stage of inverted residuals, three of
 * attention inside windows with a learned number for each offset, behind each of which a 3x3 convolution by
 * channel looks around; normalized by batch where it convolves.
 */
#include "format/zoo.h"

enum { STAGES = 4, HEAD = 32 };

static const int layers[STAGES] = {2, 2, 6, 2};

/* window: of the second and last stage, of the third twice that. */
typedef struct tinyvit { int64_t widths[STAGES], window, side, classes; } tinyvit;

static void convolve(rg_net *n, const char *block, const char *name, rg_conv conv)
{
    char scope[64];
    snprintf(scope, sizeof scope, "%s.%s", block, name);
    rg_net_conv_bn(n, scope, "conv", "bn", conv);
}

static void invert(rg_net *n, const char *block)
{
    int64_t width = n->channels, inner = 4 * width;
    rg_value_id before = n->x;
    convolve(n, block, "conv1", (rg_conv){.channels = inner});
    rg_net_activate(n, "Gelu");
    convolve(n, block, "conv2", (rg_conv){inner, .kernel = 3, .group = inner});
    rg_net_activate(n, "Gelu");
    convolve(n, block, "conv3", (rg_conv){.channels = width});
    rg_net_add_scaled(n, block, NULL, true, before);
    rg_net_activate(n, "Gelu");
}

static void shrink(rg_net *n, const char *block, int64_t width)
{
    convolve(n, block, "conv1", (rg_conv){.channels = width});
    rg_net_activate(n, "Gelu");
    convolve(n, block, "conv2", (rg_conv){width, .kernel = 3, .stride = 2, .group = width});
    rg_net_activate(n, "Gelu");
    convolve(n, block, "conv3", (rg_conv){.channels = width});
}

/* [batch * windows, places, channels] */
static void attend(rg_net *n, const char *attn, int64_t window)
{
    rg_build *b = &n->b;
    rg_value_id part[3], x;
    int64_t width = n->channels, heads = width / HEAD;
    rg_net_layer_norm(n, attn, "norm", 1e-5);
    rg_net_dense(n, attn, "qkv", 3 * width, true);
    rg_net_name(n, attn, "");
    x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, 0, heads, 3 * HEAD});
    x = rg_build_node(b, "Transpose", "perm=0,2,1,3", x, -1);
    for (int i = 0; i < 3; i++) part[i] = rg_zoo_cut(b, x, 3, i * HEAD, (i + 1) * HEAD);
    part[1] = rg_build_node(b, "Transpose", "perm=0,1,3,2", part[1], -1);
    n->x = rg_zoo_attend(b, part[0], part[1], part[2],
                         rg_zoo_offset_bias(b, "attention_biases", heads, window, 1), heads, HEAD, 0);
    n->channels = width;
    rg_net_dense(n, attn, "proj", width, true);
}

/* On [batch, side^2, channels]; an image that no whole windows fit gets zeros behind. */
static void encode(rg_net *n, const char *block, int64_t side, int64_t window)
{
    rg_build *b = &n->b;
    char attn[48];
    int64_t width = n->channels, across = (side + window - 1) / window, whole = across * window;
    rg_value_id before = n->x;
    snprintf(attn, sizeof attn, "%s.attn", block);
    rg_net_name(n, attn, "");
    if (across > 1) {
        n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, side, side, width});
        if (whole > side)
            n->x = rg_build_node(b, "Pad", NULL, n->x, rg_build_ints(b, 8, (const int64_t[]){
                0, 0, 0, 0, 0, whole - side, whole - side, 0}), -1);
        n->x = rg_zoo_reshape(b, n->x, 6, (const int64_t[]){0, across, window, across, window, width});
        rg_net_turn(n, "perm=0,1,3,2,4,5");
        n->x = rg_zoo_reshape(b, n->x, 3, (const int64_t[]){-1, window * window, width});
    }
    attend(n, attn, window);
    rg_net_name(n, attn, "");
    if (across > 1) {
        n->x = rg_zoo_reshape(b, n->x, 6, (const int64_t[]){-1, across, across, window, window, width});
        rg_net_turn(n, "perm=0,1,3,2,4,5");
        n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, whole, whole, width});
        if (whole > side) n->x = rg_zoo_cut(b, rg_zoo_cut(b, n->x, 1, 0, side), 2, 0, side);
        n->x = rg_zoo_reshape(b, n->x, 3, (const int64_t[]){0, side * side, width});
    }
    rg_net_add_scaled(n, block, NULL, false, before);
    rg_net_roll(n, side);
    convolve(n, block, "local_conv", (rg_conv){width, .kernel = 3, .group = width});
    rg_net_unroll(n);
    before = n->x;
    rg_net_layer_norm(n, block, "mlp.norm", 1e-5);
    rg_net_mlp(n, block, 4 * width, "Gelu");
    rg_net_add_scaled(n, block, NULL, false, before);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const tinyvit *t = self->layout;
    int64_t side = t->side / 4;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, t->side));
    convolve(&n, "patch_embed", "conv1", (rg_conv){t->widths[0] / 2, .kernel = 3, .stride = 2});
    rg_net_activate(&n, "Gelu");
    convolve(&n, "patch_embed", "conv2", (rg_conv){t->widths[0], .kernel = 3, .stride = 2});
    for (int stage = 0; stage < STAGES; stage++) {
        char name[40];
        snprintf(name, sizeof name, "stages.%d.downsample", stage);
        if (stage > 1) rg_net_roll(&n, side);
        if (stage) side = (side + 1) / 2, shrink(&n, name, t->widths[stage]), rg_net_unroll(&n);
        for (int i = 0; i < layers[stage]; i++) {
            snprintf(name, sizeof name, "stages.%d.blocks.%d", stage, i);
            if (stage) encode(&n, name, side, stage == 2 ? 2 * t->window : t->window);
            else invert(&n, name);
        }
    }
    n.x = rg_zoo_mean(&n.b, n.x, 1);
    rg_net_layer_norm(&n, "head.norm", "", 1e-5);
    rg_net_linear(&n, "head.fc", t->classes);
    return rg_net_done(&n, out);
}

#define SOURCE                                                                                               \
    "Wu et al. 2022, arXiv:2207.10666; parameters: timm, whose weights of these images tell the classes"

/* Name, widths, window, side, classes, parameters, MACs. */
#define TINYVIT_LIST(X) \
    X(tiny_vit_5m_224, 64, 128, 160, 320, 7, 224, 21841, 12082725, 1261843840) \
    X(tiny_vit_11m_224, 64, 128, 256, 448, 7, 224, 21841, 20354581, 2025382912) \
    X(tiny_vit_21m_224, 96, 192, 384, 576, 7, 224, 21841, 33223825, 4262333952) \
    X(tiny_vit_21m_384, 96, 192, 384, 576, 12, 384, 1000, 21230488, 13697865216) \
    X(tiny_vit_21m_512, 96, 192, 384, 576, 16, 512, 1000, 21268120, 26883623424)

#define ROW(id, w1, w2, w3, w4, near, size, class_count, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = size, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const tinyvit){{w1, w2, w3, w4}, near, size, class_count}, \
    };
TINYVIT_LIST(ROW)
