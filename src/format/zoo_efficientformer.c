/* zoo_efficientformer.c - EfficientFormer as timm has it (Li et al. 2022): blocks as PoolFormer's, normalized
 * by batch, and at the last places, 7 x 7, attention with a learned number for each offset.
 *
 *     x --+-- pool - x, scaled --+-- Add --+-- 1x1 to 4 C, norm, Gelu, 1x1 to C, norm, scaled --+-- Add
 *
 * timm multiplies scores and values one by one: the keys are cut from a tensor that is transposed already, as
 * no fused attention takes them.
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES = 4, IMAGE_SIDE = 224, PLACES_SIDE = 7, HEADS = 8, KEY = 32, VALUE = 4 * KEY };

/* attending: blocks of the last stage that attend, its last ones. */
typedef struct efficientformer { int64_t widths[STAGES]; int layers[STAGES], attending; } efficientformer;

static void pool_block(rg_net *n, const char *block)
{
    char scope[48];
    int64_t width = n->channels;
    rg_value_id before = n->x;
    rg_net_name(n, block, "token_mixer");
    rg_net_average_pool(n, (rg_pool){.kernel = 3, .stride = 1, .pad = 1});
    n->x = rg_build_node(&n->b, "Sub", NULL, n->x, before, -1);
    rg_net_add_scaled(n, block, "ls1.gamma", true, before);
    before = n->x;
    snprintf(scope, sizeof scope, "%s.mlp", block);
    rg_net_conv_bn(n, scope, "fc1", "norm1", (rg_conv){.channels = 4 * width, .bias = true});
    rg_net_activate(n, "Gelu");
    rg_net_conv_bn(n, scope, "fc2", "norm2", (rg_conv){.channels = width, .bias = true});
    rg_net_add_scaled(n, block, "ls2.gamma", true, before);
}

static void attend(rg_net *n, const char *block)
{
    rg_build *b = &n->b;
    int64_t width = n->channels, places = PLACES_SIDE * PLACES_SIDE;
    rg_net_dense(n, block, "token_mixer.qkv", HEADS * (2 * KEY + VALUE), true);
    rg_net_name(n, block, "token_mixer");
    rg_value_id x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, places, HEADS, 2 * KEY + VALUE});
    x = rg_build_node(b, "Transpose", "perm=0,2,3,1", x, -1);
    rg_value_id q = rg_build_node(b, "Transpose", "perm=0,1,3,2", rg_zoo_cut(b, x, 2, 0, KEY), -1);
    rg_value_id k = rg_zoo_cut(b, x, 2, KEY, 2 * KEY);
    rg_value_id v = rg_zoo_cut(b, x, 2, 2 * KEY, 2 * KEY + VALUE);
    v = rg_build_node(b, "Transpose", "perm=0,1,3,2", v, -1);
    n->x = rg_zoo_attend(b, q, k, v, rg_zoo_offset_bias(b, "attention_biases", HEADS, PLACES_SIDE, 1), HEADS,
                         VALUE, 1 / sqrt((double)KEY));
    n->channels = HEADS * VALUE;
    rg_net_dense(n, block, "token_mixer.proj", width, true);
}

static void attention_block(rg_net *n, const char *block)
{
    rg_value_id before = n->x;
    rg_net_layer_norm(n, block, "norm1", 1e-5);
    attend(n, block);
    rg_net_add_scaled(n, block, "ls1.gamma", false, before);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-5);
    rg_net_mlp(n, block, 4 * n->channels, "Gelu");
    rg_net_add_scaled(n, block, "ls2.gamma", false, before);
}

/* The mean of what two heads say, of which one had learned from a teacher. */
static void classify(rg_net *n)
{
    rg_net other = *n;
    rg_net_linear(&other, "head", 1000);
    n->b = other.b;
    rg_net_linear(n, "head_dist", 1000);
    rg_net_add(n, other.x);
    n->x = rg_build_node(&n->b, "Div", NULL, n->x, rg_build_scalar(&n->b, 2), -1);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const efficientformer *e = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    for (int i = 1; i <= 2; i++) {
        char conv[16], norm[16];
        snprintf(conv, sizeof conv, "conv%d", i);
        snprintf(norm, sizeof norm, "norm%d", i);
        rg_net_conv_bn(&n, "stem", conv, norm,
                       (rg_conv){e->widths[0] * i / 2, .kernel = 3, .stride = 2, .bias = true});
        rg_net_activate(&n, "Relu");
    }
    for (int stage = 0; stage < STAGES; stage++) {
        char name[40];
        snprintf(name, sizeof name, "stages.%d.downsample", stage);
        if (stage)
            rg_net_conv_bn(&n, name, "conv", "norm",
                           (rg_conv){e->widths[stage], .kernel = 3, .stride = 2, .bias = true});
        int pooling = e->layers[stage] - (stage == STAGES - 1 ? e->attending : 0);
        for (int i = 0; i < e->layers[stage]; i++) {
            snprintf(name, sizeof name, "stages.%d.blocks.%d", stage, i);
            if (i == pooling) rg_net_unroll(&n);
            if (i < pooling) pool_block(&n, name);
            else attention_block(&n, name);
        }
    }
    rg_net_layer_norm(&n, "norm", "", 1e-5);
    n.x = rg_zoo_mean(&n.b, n.x, 1);
    classify(&n);
    return rg_net_done(&n, out);
}

#define SOURCE "Li et al. 2022, arXiv:2206.01191; parameters: timm, at 224x224"

/* Name, widths, layers, of which attend, parameters, MACs. */
#define EFFICIENTFORMER_LIST(X) \
    X(efficientformer_l1, 48, 96, 224, 448, 3, 2, 6, 4, 1, 12289928, 1291284736) \
    X(efficientformer_l3, 64, 128, 320, 512, 4, 4, 12, 6, 4, 31406000, 3906573312) \
    X(efficientformer_l7, 96, 192, 384, 768, 6, 6, 18, 8, 8, 82229328, 10119325696)

#define ROW(id, w1, w2, w3, w4, l1, l2, l3, l4, attention, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = IMAGE_SIDE, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const efficientformer){{w1, w2, w3, w4}, {l1, l2, l3, l4}, attention}, \
    };
EFFICIENTFORMER_LIST(ROW)
