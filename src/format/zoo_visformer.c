/* zoo_visformer.c - Visformer as timm has it (Chen et al. 2021): a first stage of convolutions alone, two of
 * attention; all linear layers are 1x1 convolutions on images, normalized by batch.
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES = 3, IMAGE_SIDE = 224, GROUPS = 8 };

static const int layers[STAGES] = {7, 4, 4};

typedef struct visformer { int64_t stem, width, heads; } visformer;

static void convolve(rg_net *n, const char *block, const char *name, rg_conv conv)
{
    rg_net_name(n, block, name);
    rg_net_conv(n, conv);
}

/* Queries, keys and values are the channels' thirds; keys lie as their product wants them. */
static void attend(rg_net *n, const char *block, int64_t heads, int64_t side)
{
    rg_build *b = &n->b;
    rg_value_id part[3];
    int64_t width = n->channels, head = width / heads;
    convolve(n, block, "attn.qkv", (rg_conv){.channels = 3 * width});
    rg_net_name(n, block, "attn");
    rg_value_id x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 3, heads, head, -1});
    for (int i = 0; i < 3; i++) part[i] = rg_build_node(b, "Gather", "axis=1", x, rg_zoo_int(b, i), -1);
    x = rg_build_node(b, "Transpose", "perm=0,1,3,2", part[0], -1);
    x = rg_build_node(b, "MatMul", NULL, x, part[1], -1);
    x = rg_build_node(b, "Mul", NULL, x, rg_build_scalar(b, (float)(1 / sqrt((double)head))), -1);
    x = rg_build_node(b, "Softmax", "axis=-1", x, -1);
    x = rg_build_node(b, "MatMul", NULL, x, rg_build_node(b, "Transpose", "perm=0,1,3,2", part[2], -1), -1);
    x = rg_build_node(b, "Transpose", "perm=0,1,3,2", x, -1);
    n->x = rg_zoo_reshape(b, x, 4, (const int64_t[]){0, width, side, side});
    n->channels = width;
    convolve(n, block, "attn.proj", (rg_conv){.channels = width});
}

static void encode(rg_net *n, const visformer *v, int stage, int index, int64_t side)
{
    char block[32];
    int64_t width = n->channels, inner = stage ? 4 * width : 2 * width;
    snprintf(block, sizeof block, "stage%d.%d", stage + 1, index);
    rg_value_id before = n->x;
    if (stage) {
        rg_net_name(n, block, "norm1");
        rg_net_batch_norm(n);
        attend(n, block, v->heads, side);
        rg_net_add_scaled(n, block, NULL, true, before);
        before = n->x;
    }
    rg_net_name(n, block, "norm2");
    rg_net_batch_norm(n);
    convolve(n, block, "mlp.conv1", (rg_conv){.channels = inner});
    rg_net_activate(n, "Gelu");
    if (!stage) {
        convolve(n, block, "mlp.conv2", (rg_conv){inner, .kernel = 3, .group = GROUPS});
        rg_net_activate(n, "Gelu");
    }
    convolve(n, block, "mlp.conv3", (rg_conv){.channels = width});
    rg_net_add_scaled(n, block, NULL, true, before);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const visformer *v = self->layout;
    int64_t side = IMAGE_SIDE / 2, width = v->width / 2;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    rg_net_conv_norm(&n, "stem", (rg_conv){v->stem, .kernel = 7, .stride = 2}, "Relu");
    for (int stage = 0; stage < STAGES; stage++, width *= 2) {
        char name[24];
        int64_t cut = stage ? 2 : 4;
        side /= cut;
        snprintf(name, sizeof name, "patch_embed%d", stage + 1);
        rg_net_conv_bn(&n, name, "proj", "norm",
                       (rg_conv){width, .kernel = cut, .stride = cut, .pad = -1, .bias = true});
        n.b.scope = NULL;
        snprintf(name, sizeof name, "pos_embed%d", stage + 1);
        rg_net_add(&n, rg_build_param(&n.b, name, RG_F32, 4, (const int64_t[]){1, width, side, side}));
        for (int i = 0; i < layers[stage]; i++) encode(&n, v, stage, i, side);
    }
    rg_zoo_scope(&n.b, "norm");
    rg_net_batch_norm(&n);
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

#define SOURCE "Chen et al. 2021, arXiv:2104.12533; parameters: timm, at 224x224"

/* Name, channels of the stem, width of the second stage, heads, parameters, MACs. */
#define VISFORMER_LIST(X) \
    X(visformer_tiny, 16, 192, 3, 10321368, 1267980288) \
    X(visformer_small, 32, 384, 6, 40219592, 4879380480)

#define ROW(id, first, wide, count, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = IMAGE_SIDE, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, .layout = &(const visformer){first, wide, count}, \
    };
VISFORMER_LIST(ROW)
