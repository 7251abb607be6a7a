/* zoo_nest.c - NesT as timm has it (Zhang et al. 2021): attention inside blocks of 14 x 14 places, at three
 * levels; between two a 3x3 convolution and a pool make four blocks one.
 */
#include "format/zoo.h"

#include <math.h>

enum { LEVELS = 3, IMAGE_SIDE = 224, PATCH = 4, SIDE = 14, PLACES = SIDE * SIDE, HEAD = 32 };

/* tensorflow: margins of the pool as there, behind alone. */
typedef struct nest { int64_t width; int layers[LEVELS]; bool tensorflow; } nest;

static void shrink(rg_net *n, const nest *p, const char *level, int64_t width)
{
    rg_net_name(n, level, "pool.conv");
    rg_net_conv(n, (rg_conv){width, .kernel = 3, .bias = true});
    rg_net_image_norm(n, level, "pool.norm", 1e-6);
    if (p->tensorflow)
        n->x = rg_build_node(&n->b, "Pad", NULL, n->x,
                             rg_build_ints(&n->b, 8, (const int64_t[]){0, 0, 0, 0, 0, 0, 1, 1}),
                             rg_build_scalar(&n->b, -INFINITY), -1);
    rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = 2, .pad = !p->tensorflow});
}

/* [batch, channels, side, side] -> [batch * blocks, places, channels], each with a learned table. */
static void divide(rg_net *n, const char *level, int64_t across)
{
    rg_build *b = &n->b;
    int64_t c = n->channels, blocks = across * across;
    rg_net_turn(n, "perm=0,2,3,1");
    n->x = rg_zoo_reshape(b, n->x, 6, (const int64_t[]){0, across, SIDE, across, SIDE, c});
    rg_net_turn(n, "perm=0,1,3,2,4,5");
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, blocks, PLACES, c});
    rg_net_name(n, level, "");
    rg_net_add(n, rg_build_param(b, "pos_embed", RG_F32, 4, (const int64_t[]){1, blocks, PLACES, c}));
    n->x = rg_zoo_reshape(b, n->x, 3, (const int64_t[]){-1, PLACES, c});
}

static void join(rg_net *n, int64_t across)
{
    int64_t c = n->channels, side = across * SIDE;
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){-1, across, across, SIDE, SIDE, c});
    rg_net_turn(n, "perm=0,1,3,2,4,5");
    n->x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, side, side, c});
    rg_net_turn(n, "perm=0,3,1,2");
}

static void encode(rg_net *n, const char *block)
{
    char scope[64];
    rg_value_id before = n->x;
    snprintf(scope, sizeof scope, "%s.attn", block);
    rg_net_layer_norm(n, block, "norm1", 1e-6);
    n->x = rg_zoo_self_attention(&n->b, n->x, &(rg_self_attention){
        .scope = scope, .packed = "qkv", .out = "proj", .heads = n->channels / HEAD, .head = HEAD});
    rg_net_add_scaled(n, block, NULL, false, before);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-6);
    rg_net_mlp(n, block, 4 * n->channels, "Gelu");
    rg_net_add_scaled(n, block, NULL, false, before);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const nest *p = self->layout;
    int64_t across = IMAGE_SIDE / PATCH / SIDE;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    rg_zoo_scope(&n.b, "patch_embed.proj");
    rg_net_conv(&n, (rg_conv){p->width, .kernel = PATCH, .stride = PATCH, .pad = -1, .bias = true});
    for (int level = 0; level < LEVELS; level++, across /= 2) {
        char name[24], block[56];
        snprintf(name, sizeof name, "levels.%d", level);
        if (level) shrink(&n, p, name, p->width << level);
        divide(&n, name, across);
        for (int i = 0; i < p->layers[level]; i++) {
            snprintf(block, sizeof block, "%s.transformer_encoder.%d", name, i);
            encode(&n, block);
        }
        rg_net_name(&n, name, "");
        join(&n, across);
    }
    rg_net_image_norm(&n, "norm", "", 1e-6);
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

#define SOURCE "Zhang et al. 2021, arXiv:2105.12723; parameters: timm, at 224x224"

/* Name, width of the first level, layers, as TensorFlow pads, parameters, MACs. */
#define NEST_LIST(X) \
    X(nest_tiny, 96, 2, 2, 8, false, 17057608, 5807152128) \
    X(nest_small, 96, 2, 2, 20, false, 38351176, 10322992128) \
    X(nest_base, 128, 2, 2, 20, false, 67723368, 17925787648) \
    X(nest_tiny_jx, 96, 2, 2, 8, true, 17057608, 5807152128) \
    X(nest_small_jx, 96, 2, 2, 20, true, 38351176, 10322992128) \
    X(nest_base_jx, 128, 2, 2, 20, true, 67723368, 17925787648) \
    X(jx_nest_tiny, 96, 2, 2, 8, true, 17057608, 5807152128) \
    X(jx_nest_small, 96, 2, 2, 20, true, 38351176, 10322992128) \
    X(jx_nest_base, 128, 2, 2, 20, true, 67723368, 17925787648)

#define ROW(id, wide, l1, l2, l3, behind, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = IMAGE_SIDE, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, .layout = &(const nest){wide, {l1, l2, l3}, behind}, \
    };
NEST_LIST(ROW)
