/* zoo_metaformer.c - MetaFormers as timm has them: what mixes positions is pooling (PoolFormer), a separable
 * convolution (ConvFormer), or that and attention in the last two stages (CAFormer).
 *
 *     x --+-- norm -- mixer --+-- Add --+-- norm -- 1x1 to 4 C -- activation -- 1x1 to C --+-- Add
 *         +-------------------+         +--------------------------------------------------+
 *
 * PoolFormer scales by channel what a block adds; the later ones scale what it is added to, in the last two
 * stages, and activate by StarReLU: s relu(x)^2 + b.
 */
#include "format/zoo.h"

enum { STAGES = 4, HEAD = 32 };

typedef enum mixer { POOL, CONV, ATTEND } mixer;

typedef struct metaformer {
    int blocks[STAGES];
    int64_t widths[STAGES];
    mixer early, late;      /* of the first two stages, of the last two */
    bool first;             /* the first version, of PoolFormer alone */
    int64_t side;           /* of the image */
} metaformer;

static rg_value_id star_relu(rg_build *b, rg_value_id x)
{
    const int64_t one = 1;
    rg_value_id scale = rg_build_param(b, "scale", RG_F32, 1, &one);
    rg_value_id bias = rg_build_param(b, "bias", RG_F32, 1, &one);
    x = rg_build_node(b, "Relu", NULL, x, -1);
    x = rg_build_node(b, "Pow", NULL, x, rg_build_scalar(b, 2), -1);
    return rg_build_node(b, "Add", NULL, rg_build_node(b, "Mul", NULL, scale, x, -1), bias, -1);
}

/* Over the channels, which come last: scale alone. */
static void scale_norm(rg_net *n)
{
    rg_value_id scale = rg_build_param(&n->b, "weight", RG_F32, 1, &n->channels);
    n->x = rg_build_node(&n->b, "LayerNormalization", "axis=-1 epsilon=1e-6f", n->x, scale, -1);
}

static void turn(rg_net *n, const char *perm) { n->x = rg_build_node(&n->b, "Transpose", perm, n->x, -1); }

/* Of pooling networks one group of all channels, else each place by itself. */
static void normalize(rg_net *n, const metaformer *m, bool sequence)
{
    if (sequence) {
        scale_norm(n);
    } else if (m->early == POOL) {
        const int64_t shape[] = {n->channels, 1, 1};
        rg_value_id in[3] = {n->x, rg_build_param(&n->b, "weight", RG_F32, 3, shape)}, out;
        if (m->first) in[2] = rg_build_param(&n->b, "bias", RG_F32, 3, shape);
        n->x = rg_build_nodev(&n->b, "LayerNormalization", "axis=1 epsilon=1e-6f", m->first ? 3 : 2, in, 1,
                              &out);
    } else {
        turn(n, "perm=0,2,3,1");
        scale_norm(n);
        turn(n, "perm=0,3,1,2");
    }
}

/* ---- mixers ---- */

static void pool(rg_net *n)
{
    rg_value_id x = n->x;
    rg_net_average_pool(n, (rg_pool){.kernel = 3, .stride = 1, .pad = 1});
    n->x = rg_build_node(&n->b, "Sub", NULL, n->x, x, -1);
}

static void separate(rg_net *n, const char *block)
{
    int64_t width = n->channels;
    rg_zoo_scope(&n->b, "%s.token_mixer.pwconv1", block);
    rg_net_conv(n, (rg_conv){.channels = 2 * width});
    rg_zoo_scope(&n->b, "%s.token_mixer.act1", block);
    n->x = star_relu(&n->b, n->x);
    rg_zoo_scope(&n->b, "%s.token_mixer.dwconv", block);
    rg_net_conv(n, (rg_conv){.channels = 2 * width, .kernel = 7, .group = 2 * width});
    rg_zoo_scope(&n->b, "%s.token_mixer.pwconv2", block);
    rg_net_conv(n, (rg_conv){.channels = width});
}

static void mix(rg_net *n, mixer by, const char *block)
{
    char scope[64];
    rg_zoo_scope(&n->b, "%s.token_mixer", block);
    if (by == POOL) {
        pool(n);
    } else if (by == CONV) {
        separate(n, block);
    } else {
        snprintf(scope, sizeof scope, "%s.token_mixer", block);
        n->x = rg_zoo_self_attention(&n->b, n->x, &(rg_self_attention){
            .scope = scope, .packed = "qkv", .out = "proj", .heads = n->channels / HEAD, .head = HEAD,
            .plain = true});
    }
}

/* ---- blocks ---- */

static rg_value_id scaled(rg_net *n, const char *block, const char *name, rg_value_id x, bool sequence)
{
    const int64_t shape[] = {n->channels, 1, 1};
    rg_zoo_scope(&n->b, "%s.%s", block, name);
    rg_value_id by = rg_build_param(&n->b, "scale", RG_F32, sequence ? 1 : 3, shape);
    return rg_build_node(&n->b, "Mul", NULL, x, by, -1);
}

static void expand(rg_net *n, const metaformer *m, const char *block, bool sequence)
{
    int64_t width = n->channels;
    rg_zoo_scope(&n->b, "%s.mlp.fc1", block);
    if (sequence) n->x = rg_zoo_dense(&n->b, n->x, width, 4 * width, false);
    else rg_net_conv(n, (rg_conv){.channels = 4 * width, .bias = m->first});
    rg_zoo_scope(&n->b, "%s.mlp.act", block);
    if (m->first) rg_net_activate(n, "Gelu");
    else n->x = star_relu(&n->b, n->x);
    rg_zoo_scope(&n->b, "%s.mlp.fc2", block);
    if (sequence) n->x = rg_zoo_dense(&n->b, n->x, 4 * width, width, false);
    else rg_net_conv(n, (rg_conv){.channels = width, .bias = m->first});
}

static void block(rg_net *n, const metaformer *m, int stage, const char *name)
{
    mixer by = stage < 2 ? m->early : m->late;
    bool sequence = by == ATTEND;
    for (int half = 1; half <= 2; half++) {
        rg_value_id before = n->x;
        char scale[24];
        rg_zoo_scope(&n->b, "%s.norm%d", name, half);
        normalize(n, m, sequence);
        if (half == 1) mix(n, by, name);
        else expand(n, m, name, sequence);
        snprintf(scale, sizeof scale, m->first ? "layer_scale%d" : "res_scale%d", half);
        if (m->first) n->x = scaled(n, name, scale, n->x, sequence);
        else if (stage >= 2) before = scaled(n, name, scale, before, sequence);
        rg_zoo_scope(&n->b, "%s", name);
        rg_net_add(n, before);
    }
}

static void shrink(rg_net *n, const metaformer *m, int stage)
{
    rg_zoo_scope(&n->b, "stages.%d.downsample.norm", stage);
    if (stage && !m->first) normalize(n, m, false);
    rg_zoo_scope(&n->b, stage ? "stages.%d.downsample.conv" : "stem.conv", stage);
    rg_net_conv(n, (rg_conv){.channels = m->widths[stage], .kernel = stage ? 3 : 7, .stride = stage ? 2 : 4,
                             .pad = stage ? 1 : 2, .bias = true});
    rg_zoo_scope(&n->b, "stem.norm");
    if (!stage && m->early != POOL) normalize(n, m, false);
}

/* Between images and sequences of places. */
static void unroll(rg_net *n)
{
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){0, n->channels, -1});
    turn(n, "perm=0,2,1");
}

static void roll(rg_net *n, int64_t side)
{
    turn(n, "perm=0,2,1");
    n->x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, n->channels, side, side});
}

static void classify(rg_net *n, const metaformer *m)
{
    rg_zoo_scope(&n->b, "head.global_pool");
    rg_net_global_pool(n);
    rg_net_flatten(n);
    rg_zoo_scope(&n->b, "head.norm");
    n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, 1e-6);
    if (m->early != POOL) {
        rg_net_linear(n, "head.fc.fc1", 4 * n->channels);
        rg_net_activate(n, "Relu");
        n->x = rg_build_node(&n->b, "Mul", NULL, n->x, n->x, -1);
        rg_zoo_scope(&n->b, "head.fc.norm");
        n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, 1e-5);
        rg_net_linear(n, "head.fc.fc2", 1000);
    } else {
        rg_net_linear(n, "head.fc", 1000);
    }
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const metaformer *m = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, m->side));
    for (int stage = 0; stage < STAGES; stage++) {
        bool sequence = (stage < 2 ? m->early : m->late) == ATTEND;
        shrink(&n, m, stage);
        if (sequence) unroll(&n);
        for (int i = 0; i < m->blocks[stage]; i++) {
            char name[32];
            snprintf(name, sizeof name, "stages.%d.blocks.%d", stage, i);
            block(&n, m, stage, name);
        }
        if (sequence) roll(&n, m->side / 4 >> stage);
    }
    classify(&n, m);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

#define YU_2021 "Yu et al. 2021, arXiv:2111.11418; parameters: timm, at 224x224"
#define YU_2022 "Yu et al. 2022, arXiv:2210.13452; parameters: timm, at 224x224"

/* Name, blocks, widths, early, late, first, side, parameters, MACs. */
#define METAFORMER_LIST(X) \
    X(poolformer_s12, 2, 2, 6, 2, 64, 128, 320, 512, POOL, POOL, true, 224, 11915176, 1812267008) \
    X(poolformer_s24, 4, 4, 12, 4, 64, 128, 320, 512, POOL, POOL, true, 224, 21388968, 3392208896) \
    X(poolformer_s36, 6, 6, 18, 6, 64, 128, 320, 512, POOL, POOL, true, 224, 30862760, 4972150784) \
    X(poolformer_m36, 6, 6, 18, 6, 96, 192, 384, 768, POOL, POOL, true, 224, 56172520, 8758788096) \
    X(poolformer_m48, 8, 8, 24, 8, 96, 192, 384, 768, POOL, POOL, true, 224, 73473448, 11533320192) \
    X(poolformerv2_s12, 2, 2, 6, 2, 64, 128, 320, 512, POOL, POOL, false, 224, 11891624, 1812267008) \
    X(poolformerv2_s24, 4, 4, 12, 4, 64, 128, 320, 512, POOL, POOL, false, 224, 21341352, 3392208896) \
    X(poolformerv2_s36, 6, 6, 18, 6, 64, 128, 320, 512, POOL, POOL, false, 224, 30791080, 4972150784) \
    X(poolformerv2_m36, 6, 6, 18, 6, 96, 192, 384, 768, POOL, POOL, false, 224, 56077000, 8758788096) \
    X(poolformerv2_m48, 8, 8, 24, 8, 96, 192, 384, 768, POOL, POOL, false, 224, 73345864, 11533320192) \
    X(convformer_s18, 3, 3, 9, 3, 64, 128, 320, 512, CONV, CONV, false, 224, 26774376, 3940984320) \
    X(convformer_s36, 3, 12, 18, 3, 64, 128, 320, 512, CONV, CONV, false, 224, 40012008, 7639683072) \
    X(convformer_m36, 3, 12, 18, 3, 96, 192, 384, 576, CONV, CONV, false, 224, 57051496, 12842333568) \
    X(convformer_b36, 3, 12, 18, 3, 128, 256, 512, 768, CONV, CONV, false, 224, 99882472, 22629413376) \
    X(caformer_s18, 3, 3, 9, 3, 64, 128, 320, 512, CONV, ATTEND, false, 224, 26341608, 4106941440) \
    X(caformer_s36, 3, 12, 18, 3, 64, 128, 320, 512, CONV, ATTEND, false, 224, 39297000, 7971597312) \
    X(caformer_m36, 3, 12, 18, 3, 96, 192, 384, 576, CONV, ATTEND, false, 224, 56204776, 13240630656) \
    X(caformer_b36, 3, 12, 18, 3, 128, 256, 512, 768, CONV, ATTEND, false, 224, 98753512, 23160476160) \
    X(caformer_s18_384, 3, 3, 9, 3, 64, 128, 320, 512, CONV, ATTEND, false, 384, 26341608, 13366149120) \
    X(caformer_s36_384, 3, 12, 18, 3, 64, 128, 320, 512, CONV, ATTEND, false, 384, 39297000, 25984253952) \
    X(caformer_m36_384, 3, 12, 18, 3, 96, 192, 384, 576, CONV, ATTEND, false, 384, 56204776, 41977276416) \
    X(caformer_b36_384, 3, 12, 18, 3, 128, 256, 512, 768, CONV, ATTEND, false, 384, 98753512, 72150343680)

#define X(id, b1, b2, b3, b4, w1, w2, w3, w4, near, far, old, size, weights, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = far == ATTEND ? "transformer" : "cnn", .build = build, \
        .image = far == ATTEND ? size : RG_IMAGE_ANY, \
        .source = old ? YU_2021 : YU_2022, .parameters = weights, .macs = mac, \
        .layout = &(const metaformer){{b1, b2, b3, b4}, {w1, w2, w3, w4}, near, far, old, size}, \
    };
METAFORMER_LIST(X)
#undef X
