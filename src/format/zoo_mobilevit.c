/* zoo_mobilevit.c - MobileViT (Mehta and Rastegari 2021) and its second version (2022) as timm has them:
 * inverted residuals, and in the last three stages transformers in which the places at the same position of
 * all patches of 2 x 2 attend to each other.
 *
 *     V1   x = fuse([x, conv(attend(conv(x)))])
 *     V2   one number a place weighs the keys: y = relu(v) * sum of keys softmax(q), and no fusing
 */
#include "format/zoo.h"

enum { STAGES = 5, FIRST = 2, PATCH = 2, CUT = PATCH * PATCH, HEADS = 4, IMAGE_SIDE = 256 };

static const int blocks[FIRST] = {1, 3}, blocks2[FIRST] = {1, 2}, depths[STAGES] = {0, 0, 2, 4, 3};

/* expand: of inverted residuals. inner: of the transformers; V2 has half of the stage's channels.
 * last: channels of a convolution behind all, 0: none. */
typedef struct mobilevit {
    bool second;
    int64_t stem, widths[STAGES], expand, inner[STAGES], last, side;
} mobilevit;

static void convolve(rg_net *n, const char *block, const char *name, rg_conv conv, bool activated)
{
    char scope[64];
    snprintf(scope, sizeof scope, "%s.%s", block, name);
    rg_net_conv_bn(n, scope, "conv", "bn", conv);
    if (activated) rg_net_activate(n, "SiLU");
}

static void invert(rg_net *n, const mobilevit *m, const char *block, int64_t width, int64_t stride)
{
    rg_value_id before = n->x;
    int64_t in = n->channels, inner = m->expand * in;
    convolve(n, block, "conv1_1x1", (rg_conv){.channels = inner}, true);
    convolve(n, block, "conv2_kxk", (rg_conv){inner, .kernel = 3, .stride = stride, .group = inner}, true);
    convolve(n, block, "conv3_1x1", (rg_conv){.channels = width}, false);
    if (stride == 1 && in == width) rg_net_add_scaled(n, block, NULL, true, before);
}

/* ---- V1 ---- */

static void encode(rg_net *n, const char *block)
{
    char attn[80];
    int64_t width = n->channels;
    rg_value_id before = n->x;
    snprintf(attn, sizeof attn, "%s.attn", block);
    rg_net_layer_norm(n, block, "norm1", 1e-5);
    n->x = rg_zoo_self_attention(&n->b, n->x, &(rg_self_attention){
        .scope = attn, .packed = "qkv", .out = "proj", .heads = HEADS, .head = width / HEADS});
    rg_net_add_scaled(n, block, NULL, false, before);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-5);
    rg_net_dense(n, block, "mlp.fc1", 2 * width, true);
    rg_net_activate(n, "SiLU");
    rg_net_dense(n, block, "mlp.fc2", width, true);
    rg_net_add_scaled(n, block, NULL, false, before);
}

static void attend(rg_net *n, const char *block, int depth, int64_t inner, int64_t side)
{
    rg_build *b = &n->b;
    char name[64];
    int64_t width = n->channels, across = side / PATCH;
    rg_value_id before = n->x;
    convolve(n, block, "conv_kxk", (rg_conv){width, .kernel = 3}, true);
    rg_net_name(n, block, "conv_1x1");
    rg_net_conv(n, (rg_conv){.channels = inner});
    rg_net_name(n, block, "");
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){-1, PATCH, across, PATCH});
    rg_net_turn(n, "perm=0,2,1,3");
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){-1, inner, across * across, CUT});
    rg_net_turn(n, "perm=0,3,2,1");
    n->x = rg_zoo_reshape(b, n->x, 3, (const int64_t[]){-1, across * across, inner});
    for (int i = 0; i < depth; i++) {
        snprintf(name, sizeof name, "%s.transformer.%d", block, i);
        encode(n, name);
    }
    rg_net_layer_norm(n, block, "norm", 1e-5);
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){-1, CUT, across * across, inner});
    rg_net_turn(n, "perm=0,3,2,1");
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){-1, across, PATCH, PATCH});
    rg_net_turn(n, "perm=0,2,1,3");
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){-1, inner, side, side});
    convolve(n, block, "conv_proj", (rg_conv){.channels = width}, true);
    rg_net_name(n, block, "");
    rg_net_concat(n, 2, (const rg_value_id[]){before, n->x}, 2 * width);
    convolve(n, block, "conv_fusion", (rg_conv){width, .kernel = 3}, true);
}

/* ---- V2 ---- */

/* One group of all channels, places and positions: GroupNorm of timm. */
static void normalize(rg_net *n, const char *block, const char *name)
{
    rg_net_name(n, block, name);
    rg_value_id scale = rg_build_param(&n->b, "weight", RG_F32, 1, &n->channels);
    rg_value_id bias = rg_build_param(&n->b, "bias", RG_F32, 1, &n->channels);
    n->x = rg_build_node(&n->b, "GroupNormalization", "num_groups=1 epsilon=1e-5f", n->x, scale, bias, -1);
}

/* [batch, channels, positions in a patch, patches] */
static void weigh_keys(rg_net *n, const char *block)
{
    rg_build *b = &n->b;
    rg_value_id before = n->x, keys, values, x;
    int64_t width = n->channels;
    normalize(n, block, "norm1");
    rg_net_name(n, block, "attn.qkv_proj");
    rg_net_conv(n, (rg_conv){.channels = 1 + 2 * width, .bias = true});
    rg_net_name(n, block, "attn");
    x = rg_build_node(b, "Softmax", "axis=-1", rg_zoo_cut(b, n->x, 1, 0, 1), -1);
    keys = rg_zoo_cut(b, n->x, 1, 1, 1 + width);
    values = rg_zoo_cut(b, n->x, 1, 1 + width, 1 + 2 * width);
    x = rg_build_node(b, "Mul", NULL, keys, x, -1);
    x = rg_build_node(b, "ReduceSum", NULL, x, rg_build_ints(b, 1, (const int64_t[]){-1}), -1);
    values = rg_build_node(b, "Relu", NULL, values, -1);
    n->x = rg_build_node(b, "Mul", NULL, values, x, -1);
    n->channels = width;
    rg_net_name(n, block, "attn.out_proj");
    rg_net_conv(n, (rg_conv){.channels = width, .bias = true});
    rg_net_add_scaled(n, block, NULL, true, before);
    before = n->x;
    normalize(n, block, "norm2");
    rg_net_name(n, block, "mlp.fc1");
    rg_net_conv(n, (rg_conv){.channels = 2 * width, .bias = true});
    rg_net_activate(n, "SiLU");
    rg_net_name(n, block, "mlp.fc2");
    rg_net_conv(n, (rg_conv){.channels = width, .bias = true});
    rg_net_add_scaled(n, block, NULL, true, before);
}

static void attend2(rg_net *n, const char *block, int depth, int64_t side)
{
    rg_build *b = &n->b;
    char name[64];
    int64_t width = n->channels, inner = width / 2, across = side / PATCH;
    convolve(n, block, "conv_kxk", (rg_conv){width, .kernel = 3, .group = width}, true);
    rg_net_name(n, block, "conv_1x1");
    rg_net_conv(n, (rg_conv){.channels = inner});
    n->x = rg_zoo_reshape(b, n->x, 6, (const int64_t[]){0, inner, across, PATCH, across, PATCH});
    rg_net_turn(n, "perm=0,1,3,5,2,4");
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, inner, CUT, across * across});
    for (int i = 0; i < depth; i++) {
        snprintf(name, sizeof name, "%s.transformer.%d", block, i);
        weigh_keys(n, name);
    }
    normalize(n, block, "norm");
    n->x = rg_zoo_reshape(b, n->x, 6, (const int64_t[]){0, inner, PATCH, PATCH, across, across});
    rg_net_turn(n, "perm=0,1,4,2,5,3");
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, inner, side, side});
    convolve(n, block, "conv_proj", (rg_conv){.channels = width}, false);
}

/* ---- the networks ---- */

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const mobilevit *m = self->layout;
    int64_t side = m->side / 2;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, m->side));
    rg_net_conv_bn(&n, "stem", "conv", "bn", (rg_conv){m->stem, .kernel = 3, .stride = 2});
    rg_net_activate(&n, "SiLU");
    for (int stage = 0; stage < STAGES; stage++) {
        char block[40];
        int count = stage >= FIRST ? 1 : m->second ? blocks2[stage] : blocks[stage];
        if (stage) side /= 2;
        for (int i = 0; i < count; i++) {
            snprintf(block, sizeof block, "stages.%d.%d", stage, i);
            invert(&n, m, block, m->widths[stage], stage && !i ? 2 : 1);
        }
        snprintf(block, sizeof block, "stages.%d.1", stage);
        if (stage < FIRST) continue;
        if (m->second) attend2(&n, block, depths[stage], side);
        else attend(&n, block, depths[stage], m->inner[stage], side);
    }
    if (m->last) convolve(&n, "final_conv", "0", (rg_conv){.channels = m->last}, true);
    rg_net_name(&n, "head", "");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "head.fc", 1000);
    return rg_net_done(&n, out);
}

#define SOURCE "Mehta and Rastegari 2021, 2022, arXiv:2110.02178, arXiv:2206.02680; parameters: timm"

/* Name, channels of the stages, expansion, widths of the transformers, channels behind all, parameters, MACs.
 */
#define FIRST_LIST(X) \
    X(mobilevit_xxs, 16, 24, 48, 64, 80, 2, 64, 80, 96, 320, 1272024, 407364096) \
    X(mobilevit_xs, 32, 48, 64, 80, 96, 4, 96, 120, 144, 384, 2317848, 1025911808) \
    X(mobilevit_s, 32, 64, 96, 128, 160, 4, 144, 192, 240, 640, 5578632, 2000831488)

#define FIRST_ROW(id, w1, w2, w3, w4, w5, wider, i3, i4, i5, final, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = wider == 2 ? "transformer" : "cnn", .image = IMAGE_SIDE, .source = SOURCE, \
        .build = build, .parameters = params, .macs = mac, \
        .layout = &(const mobilevit){false, 16, {w1, w2, w3, w4, w5}, wider, {0, 0, i3, i4, i5}, final, \
                                     IMAGE_SIDE}, \
    };
FIRST_LIST(FIRST_ROW)

/* Name, an eighth of the channels of the first stage, of which others are 2, 4, 6 and 8, side, parameters,
 * MACs. */
#define SECOND_LIST(X) \
    X(mobilevitv2_050, 4, 256, 1370593, 464594944) \
    X(mobilevitv2_075, 6, 256, 2866009, 1027980288) \
    X(mobilevitv2_100, 8, 256, 4901841, 1812090880) \
    X(mobilevitv2_125, 10, 256, 7478089, 2816926720) \
    X(mobilevitv2_150, 12, 256, 10594753, 4042487808) \
    X(mobilevitv2_175, 14, 256, 14251833, 5488774144) \
    X(mobilevitv2_200, 16, 256, 18449329, 7155785728) \
    X(mobilevitv2_150_384, 12, 384, 10594753, 9094637568) \
    X(mobilevitv2_175_384, 14, 384, 14251833, 12348621824) \
    X(mobilevitv2_200_384, 16, 384, 18449329, 16099237888)

#define SECOND_ROW(id, unit, size, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = size, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const mobilevit){true, 4 * unit, {8 * unit, 16 * unit, 32 * unit, 48 * unit, 64 * unit}, \
                                     2, {0}, 0, size}, \
    };
SECOND_LIST(SECOND_ROW)
