/* zoo_davit.c - DaViT as timm has it (Ding et al. 2022): blocks in turn attend inside windows of 7 x 7 places
 * and between features,
 *
 *     x = (softmax(kT v / sqrt(head)) qT)T        [batch, heads, head, head] weights
 *
 * each between two 3x3 convolutions by channel, added to what they convolve.
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES = 4, HEAD = 32, WINDOW = 7, IMAGE_SIDE = 224 };

typedef struct davit { int64_t width; int layers[STAGES]; } davit;

/* Of an image, which stays one. */
static void add_places(rg_net *n, const char *block, const char *name)
{
    char scope[64];
    rg_value_id before = n->x;
    snprintf(scope, sizeof scope, "%s.%s.proj", block, name);
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_conv(n, (rg_conv){n->channels, .kernel = 3, .group = n->channels, .bias = true});
    rg_net_add(n, before);
}

static void attend_windows(rg_net *n, const char *attn, int64_t side)
{
    int64_t width = n->channels, across = side / WINDOW, places = WINDOW * WINDOW;
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){-1, across, WINDOW, across, WINDOW, width});
    rg_net_turn(n, "perm=0,1,3,2,4,5");
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){-1, places, width});
    n->x = rg_zoo_self_attention(&n->b, n->x, &(rg_self_attention){
        .scope = attn, .packed = "qkv", .out = "proj", .heads = width / HEAD, .head = HEAD});
    rg_net_name(n, attn, "");
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){-1, across, across, WINDOW, WINDOW, width});
    rg_net_turn(n, "perm=0,1,3,2,4,5");
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){-1, side * side, width});
}

static void attend_features(rg_net *n, const char *attn)
{
    rg_build *b = &n->b;
    rg_value_id part[3], x;
    int64_t width = n->channels, heads = width / HEAD;
    rg_net_dense(n, attn, "qkv", 3 * width, true);
    rg_net_name(n, attn, "");
    x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 0, 3, heads, HEAD});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,1,4", x, -1);
    for (int i = 0; i < 3; i++) part[i] = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, i), -1);
    x = rg_build_node(b, "Mul", NULL, part[1], rg_build_scalar(b, (float)(1 / sqrt(HEAD))), -1);
    x = rg_build_node(b, "Transpose", "perm=0,1,3,2", x, -1);
    x = rg_build_node(b, "Softmax", "axis=-1", rg_build_node(b, "MatMul", NULL, x, part[2], -1), -1);
    x = rg_build_node(b, "MatMul", NULL, x, rg_build_node(b, "Transpose", "perm=0,1,3,2", part[0], -1), -1);
    x = rg_build_node(b, "Transpose", "perm=0,3,1,2", x, -1);
    n->x = rg_zoo_reshape(b, x, 3, (const int64_t[]){0, 0, width});
    n->channels = width;
    rg_net_dense(n, attn, "proj", width, true);
}

static void encode(rg_net *n, const char *block, int64_t side, bool features)
{
    char attn[64];
    rg_value_id before;
    snprintf(attn, sizeof attn, "%s.attn", block);
    add_places(n, block, "cpe1");
    rg_net_unroll(n);
    before = n->x;
    rg_net_layer_norm(n, block, "norm1", 1e-5);
    if (features) attend_features(n, attn);
    else attend_windows(n, attn, side);
    rg_net_add_scaled(n, block, NULL, false, before);
    rg_net_roll(n, side);
    add_places(n, block, "cpe2");
    rg_net_unroll(n);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-5);
    rg_net_mlp(n, block, 4 * n->channels, "Gelu");
    rg_net_add_scaled(n, block, NULL, false, before);
    rg_net_roll(n, side);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const davit *d = self->layout;
    int64_t side = IMAGE_SIDE / 4;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    rg_zoo_scope(&n.b, "stem.conv");
    rg_net_conv(&n, (rg_conv){d->width, .kernel = 7, .stride = 4, .bias = true});
    rg_net_image_norm(&n, "stem.norm", "", 1e-5);
    for (int stage = 0; stage < STAGES; stage++, side /= 2) {
        char name[48];
        snprintf(name, sizeof name, "stages.%d.downsample", stage);
        if (stage) {
            rg_net_image_norm(&n, name, "norm", 1e-5);
            rg_net_name(&n, name, "conv");
            rg_net_conv(&n, (rg_conv){d->width << stage, .kernel = 2, .stride = 2, .pad = -1, .bias = true});
        }
        for (int i = 0; i < 2 * d->layers[stage]; i++) {
            snprintf(name, sizeof name, "stages.%d.blocks.%d.%d", stage, i / 2, i % 2);
            encode(&n, name, side, i % 2);
        }
    }
    rg_net_name(&n, "head", "");
    rg_net_global_pool(&n);
    rg_net_image_norm(&n, "head.norm", "", 1e-5);
    rg_net_flatten(&n);
    rg_net_linear(&n, "head.fc", 1000);
    return rg_net_done(&n, out);
}

#define SOURCE "Ding et al. 2022, arXiv:2204.03645; parameters: timm, at 224x224"

/* Name, width of the first stage, pairs of blocks, parameters, MACs. */
#define DAVIT_LIST(X) \
    X(davit_tiny, 96, 1, 1, 3, 1, 28360168, 4521801216) \
    X(davit_small, 96, 1, 1, 9, 1, 49745896, 8773012992) \
    X(davit_base, 128, 1, 1, 9, 1, 87954408, 15473797120) \
    X(davit_large, 192, 1, 1, 9, 1, 196811752, 34540035072) \
    X(davit_huge, 256, 1, 1, 9, 1, 348922856, 61159165952) \
    X(davit_giant, 384, 1, 1, 12, 3, 1406470120, 192785184768)

#define ROW(id, wide, l1, l2, l3, l4, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = IMAGE_SIDE, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, .layout = &(const davit){wide, {l1, l2, l3, l4}}, \
    };
DAVIT_LIST(ROW)
