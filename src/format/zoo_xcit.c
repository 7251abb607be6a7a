/* zoo_xcit.c - XCiT as timm has it (El-Nouby et al. 2021): attention between features instead of positions,
 * so that its cost grows with the number of positions alone, not with its square.
 *
 *     q, k, v  [batch, heads, features, positions], of which each row of q and k has a norm of 1
 *     x = softmax(temperature q kT) v
 *
 * Behind it two 3x3 convolutions by channel look around (LPI), then come two layers as in every transformer.
 * A class token joins for the last two blocks, in which it alone asks.
 */
#include "format/zoo.h"

enum { WAVES = 64, CLASS_BLOCKS = 2 };

typedef struct xcit { int64_t width, layers, heads, patch, side; } xcit;

static void turn(rg_net *n) { n->x = rg_build_node(&n->b, "Transpose", "perm=0,2,1", n->x, -1); }

static void normalize(rg_net *n, const char *block, const char *name)
{
    rg_zoo_scope(&n->b, "%s%s", block, name);
    n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, 1e-6);
}

static void add(rg_net *n, const char *block, const char *gamma, rg_value_id before)
{
    rg_zoo_scope(&n->b, "%s", block);
    rg_value_id by = rg_build_param(&n->b, gamma, RG_F32, 1, &n->channels);
    n->x = rg_build_node(&n->b, "Mul", NULL, n->x, by, -1);
    rg_net_add(n, before);
}

/* ---- patches and places ---- */

static void embed(rg_net *n, const xcit *v)
{
    rg_build *b = &n->b;
    float *waves;
    int64_t across = v->side / v->patch, places = across * across;
    int steps = v->patch == 16 ? 4 : 3;
    for (int i = 0; i < steps; i++) {
        rg_zoo_scope(b, "patch_embed.proj.%d.0", 2 * i);
        rg_net_conv(n, (rg_conv){.channels = v->width >> (steps - 1 - i), .kernel = 3, .stride = 2});
        rg_zoo_scope(b, "patch_embed.proj.%d.1", 2 * i);
        rg_net_batch_norm(n);
        if (i < steps - 1) rg_net_activate(n, "Gelu");
    }
    n->x = rg_zoo_reshape(b, n->x, 3, (const int64_t[]){0, v->width, places});
    turn(n);
    rg_value_id x = n->x;
    rg_zoo_scope(b, "pos_embed.token_projection");
    n->x = rg_zoo_floats(b, 4, (const int64_t[]){1, WAVES, across, across}, &waves);
    n->channels = WAVES;
    rg_net_conv(n, (rg_conv){.channels = v->width, .bias = true});
    n->x = rg_zoo_reshape(b, n->x, 3, (const int64_t[]){0, v->width, places});
    turn(n);
    rg_net_add(n, x);
}

/* ---- blocks ---- */

/* To a norm of 1 along the positions. */
static rg_value_id unit(rg_build *b, rg_value_id x)
{
    rg_value_id norm = rg_build_node(b, "ReduceL2", NULL, x, rg_build_ints(b, 1, (const int64_t[]){-1}), -1);
    norm = rg_build_node(b, "Max", NULL, norm, rg_build_scalar(b, 1e-12f), -1);
    return rg_build_node(b, "Div", NULL, x, norm, -1);
}

static void attend(rg_net *n, const xcit *v, const char *block)
{
    rg_build *b = &n->b;
    rg_value_id part[3];
    const int64_t head = v->width / v->heads, shape[] = {v->heads, 1, 1};
    rg_zoo_scope(b, "%s.attn.qkv", block);
    rg_value_id x = rg_zoo_dense(b, n->x, v->width, 3 * v->width, true);
    rg_zoo_scope(b, "%s.attn", block);
    x = rg_zoo_reshape(b, x, 5, (const int64_t[]){0, 0, 3, v->heads, head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,4,1", x, -1);
    for (int i = 0; i < 3; i++) part[i] = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, i), -1);
    rg_value_id keys = rg_build_node(b, "Transpose", "perm=0,1,3,2", unit(b, part[1]), -1);
    x = rg_build_node(b, "MatMul", NULL, unit(b, part[0]), keys, -1);
    x = rg_build_node(b, "Mul", NULL, x, rg_build_param(b, "temperature", RG_F32, 3, shape), -1);
    x = rg_build_node(b, "Softmax", "axis=-1", x, -1);
    x = rg_build_node(b, "MatMul", NULL, x, part[2], -1);
    x = rg_build_node(b, "Transpose", "perm=0,3,1,2", x, -1);
    x = rg_zoo_reshape(b, x, 3, (const int64_t[]){0, 0, v->width});
    rg_zoo_scope(b, "%s.attn.proj", block);
    n->x = rg_zoo_dense(b, x, v->width, v->width, true);
}

static void look_around(rg_net *n, const xcit *v, const char *block)
{
    int64_t across = v->side / v->patch;
    const rg_conv around = {.channels = v->width, .kernel = 3, .group = v->width, .bias = true};
    turn(n);
    n->x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, v->width, across, across});
    rg_zoo_scope(&n->b, "%s.local_mp.conv1", block);
    rg_net_conv(n, around);
    rg_net_activate(n, "Gelu");
    rg_zoo_scope(&n->b, "%s.local_mp.bn", block);
    rg_net_batch_norm(n);
    rg_zoo_scope(&n->b, "%s.local_mp.conv2", block);
    rg_net_conv(n, around);
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){0, v->width, across * across});
    turn(n);
}

static void encode(rg_net *n, const xcit *v, const char *block)
{
    rg_value_id before = n->x;
    normalize(n, block, ".norm1");
    attend(n, v, block);
    add(n, block, "gamma1", before);
    before = n->x;
    normalize(n, block, ".norm3");
    look_around(n, v, block);
    add(n, block, "gamma3", before);
    before = n->x;
    normalize(n, block, ".norm2");
    n->x = rg_zoo_feed_forward(&n->b, n->x, block, "mlp.fc1", "mlp.fc2", v->width, 4 * v->width, "Gelu");
    add(n, block, "gamma2", before);
}

/* ---- the class token ---- */

/* Positions from..until - 1. */
static rg_value_id cut(rg_build *b, rg_value_id x, int64_t from, int64_t until)
{
    return rg_build_node(b, "Slice", NULL, x, rg_build_ints(b, 1, &from), rg_build_ints(b, 1, &until),
                         rg_build_ints(b, 1, (const int64_t[]){1}), -1);
}

/* The first of all positions is replaced. */
static rg_value_id behind(rg_build *b, rg_value_id token, rg_value_id x)
{
    return rg_build_node(b, "Concat", "axis=1", token, cut(b, x, 1, INT64_MAX), -1);
}

static void ask(rg_net *n, const xcit *v, const char *block)
{
    rg_build *b = &n->b;
    char scope[48];
    rg_value_id before = n->x;
    normalize(n, block, ".norm1");
    snprintf(scope, sizeof scope, "%s.attn", block);
    const rg_heads heads = {.scope = scope, .query = "q", .key = "k", .value = "v", .out = "proj",
                            .width = v->width, .count = v->heads, .size = v->width / v->heads, .bias = true,
                            .key_bias = true};
    rg_value_id token = rg_zoo_attention(b, &heads, cut(b, n->x, 0, 1), n->x, 0);
    n->x = behind(b, token, n->x);
    add(n, block, "gamma1", before);
    normalize(n, block, ".norm2");
    before = n->x;
    token = rg_zoo_feed_forward(b, cut(b, n->x, 0, 1), block, "mlp.fc1", "mlp.fc2", v->width, 4 * v->width,
                                "Gelu");
    rg_zoo_scope(b, "%s", block);
    rg_value_id by = rg_build_param(b, "gamma2", RG_F32, 1, &v->width);
    n->x = behind(b, rg_build_node(b, "Mul", NULL, token, by, -1), n->x);
    rg_net_add(n, before);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const xcit *v = self->layout;
    char block[40];
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, v->side));
    rg_value_id batch = rg_build_node(&n.b, "Shape", "end=1 start=0", n.x, -1);
    embed(&n, v);
    for (int64_t i = 0; i < v->layers; i++) {
        snprintf(block, sizeof block, "blocks.%lld", (long long)i);
        encode(&n, v, block);
    }
    n.b.scope = NULL;
    rg_value_id token = rg_build_param(&n.b, "cls_token", RG_F32, 3, (const int64_t[]){1, 1, v->width});
    rg_value_id each = rg_build_ints(&n.b, 2, (const int64_t[]){1, v->width});
    token = rg_build_node(&n.b, "Expand", NULL, token,
                          rg_build_node(&n.b, "Concat", "axis=0", batch, each, -1), -1);
    n.x = rg_build_node(&n.b, "Concat", "axis=1", token, n.x, -1);
    for (int i = 0; i < CLASS_BLOCKS; i++) {
        snprintf(block, sizeof block, "cls_attn_blocks.%d", i);
        ask(&n, v, block);
    }
    normalize(&n, "norm", "");
    n.x = rg_build_node(&n.b, "Gather", "axis=1", n.x, rg_zoo_int(&n.b, 0), -1);
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

#define SOURCE "El-Nouby et al. 2021, arXiv:2106.09681; parameters: timm"

/* Name, width, layers, heads, patch, side, parameters, MACs. */
#define XCIT_LIST(X) \
    X(xcit_nano_12_p16_224, 128, 12, 4, 16, 224, 3053224, 550952448) \
    X(xcit_nano_12_p16_384, 128, 12, 4, 16, 384, 3053224, 1618114048) \
    X(xcit_nano_12_p8_224, 128, 12, 4, 8, 224, 3049016, 2133603840) \
    X(xcit_nano_12_p8_384, 128, 12, 4, 8, 384, 3049016, 6269171200) \
    X(xcit_tiny_12_p16_224, 192, 12, 4, 16, 224, 6716272, 1230138624) \
    X(xcit_tiny_12_p16_384, 192, 12, 4, 16, 384, 6716272, 3613012224) \
    X(xcit_tiny_12_p8_224, 192, 12, 4, 8, 224, 6706504, 4771008768) \
    X(xcit_tiny_12_p8_384, 192, 12, 4, 8, 384, 6706504, 14018834688) \
    X(xcit_tiny_24_p16_224, 192, 24, 4, 16, 224, 12116896, 2322068736) \
    X(xcit_tiny_24_p16_384, 192, 24, 4, 16, 384, 12116896, 6821949696) \
    X(xcit_tiny_24_p8_224, 192, 24, 4, 8, 224, 12107128, 9138729216) \
    X(xcit_tiny_24_p8_384, 192, 24, 4, 8, 384, 12107128, 26854584576) \
    X(xcit_small_12_p16_224, 384, 12, 8, 16, 224, 26253304, 4795832832) \
    X(xcit_small_12_p16_384, 384, 12, 8, 16, 384, 26253304, 14086267392) \
    X(xcit_small_12_p8_224, 384, 12, 8, 8, 224, 26213032, 18618819072) \
    X(xcit_small_12_p8_384, 384, 12, 8, 8, 384, 26213032, 54708920832) \
    X(xcit_small_24_p16_224, 384, 24, 8, 16, 224, 47671384, 9060592128) \
    X(xcit_small_24_p16_384, 384, 24, 8, 16, 384, 47671384, 26619437568) \
    X(xcit_small_24_p8_224, 384, 24, 8, 8, 224, 47631112, 35677856256) \
    X(xcit_small_24_p8_384, 384, 24, 8, 8, 384, 47631112, 104841601536) \
    X(xcit_medium_24_p16_224, 512, 24, 8, 16, 224, 84395752, 16083597312) \
    X(xcit_medium_24_p16_384, 512, 24, 8, 16, 384, 84395752, 47252887552) \
    X(xcit_medium_24_p8_224, 512, 24, 8, 8, 224, 84323624, 63345776640) \
    X(xcit_medium_24_p8_384, 512, 24, 8, 8, 384, 84323624, 186145822720) \
    X(xcit_large_24_p16_224, 768, 24, 16, 16, 224, 189096136, 35787002880) \
    X(xcit_large_24_p16_384, 768, 24, 16, 16, 384, 189096136, 105141027840) \
    X(xcit_large_24_p8_224, 768, 24, 16, 8, 224, 188932648, 140957303808) \
    X(xcit_large_24_p8_384, 768, 24, 16, 8, 384, 188932648, 414212932608)

#define ROW(id, wide, count, head_count, cuts, size, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = size, \
        .source = SOURCE, .build = build, .parameters = params, \
        .macs = mac, .layout = &(const xcit){wide, count, head_count, cuts, size}, \
    };
XCIT_LIST(ROW)
