/* zoo_cait.c - CaiT as timm has it (Touvron et al. 2021): deep vision transformers whose heads talk to each
 * other before and behind the softmax,
 *
 *     weights = W softmax(L (q kT)),   L and W [heads, heads], at each pair of positions
 *
 * which is why no fused attention computes them. A class token comes for the last two blocks, in which it
 * alone asks, the image and itself.
 */
#include "format/zoo.h"

#include <math.h>

enum { HEAD = 48, PATCH = 16, TOKEN_BLOCKS = 2 };

typedef struct cait { int64_t width, layers, side; } cait;

/* A linear layer over the heads of [batch, heads, queries, keys]. */
static rg_value_id talk(rg_build *b, const char *block, const char *name, int64_t heads, rg_value_id x)
{
    x = rg_build_node(b, "Transpose", "perm=0,2,3,1", x, -1);
    rg_zoo_scope(b, "%s.%s", block, name);
    return rg_build_node(b, "Transpose", "perm=0,3,1,2", rg_zoo_dense(b, x, heads, heads, true), -1);
}

static void attend(rg_net *n, const char *block)
{
    rg_build *b = &n->b;
    rg_value_id part[3];
    int64_t width = n->channels, heads = width / HEAD;
    rg_net_dense(n, block, "attn.qkv", 3 * width, true);
    rg_value_id x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 0, 3, heads, HEAD});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,1,4", x, -1);
    for (int i = 0; i < 3; i++) part[i] = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, i), -1);
    rg_value_id q = rg_build_node(b, "Mul", NULL, part[0], rg_build_scalar(b, (float)(1 / sqrt(HEAD))), -1);
    x = rg_build_node(b, "MatMul", NULL, q, rg_build_node(b, "Transpose", "perm=0,1,3,2", part[1], -1), -1);
    x = talk(b, block, "attn.proj_l", heads, x);
    x = rg_build_node(b, "Softmax", "axis=-1", x, -1);
    x = talk(b, block, "attn.proj_w", heads, x);
    x = rg_build_node(b, "MatMul", NULL, x, part[2], -1);
    x = rg_build_node(b, "Transpose", "perm=0,2,1,3", x, -1);
    n->x = rg_zoo_reshape(b, x, 3, (const int64_t[]){0, 0, width});
    n->channels = width;
    rg_net_dense(n, block, "attn.proj", width, true);
}

static void encode(rg_net *n, const char *block)
{
    rg_value_id before = n->x;
    rg_net_layer_norm(n, block, "norm1", 1e-6);
    attend(n, block);
    rg_net_add_scaled(n, block, "gamma_1", false, before);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-6);
    rg_net_mlp(n, block, 4 * n->channels, "Gelu");
    rg_net_add_scaled(n, block, "gamma_2", false, before);
}

/* n->x is the token, [batch, 1, channels]. */
static void ask(rg_net *n, const char *block, rg_value_id image)
{
    char scope[48];
    int64_t width = n->channels;
    rg_value_id token = n->x;
    snprintf(scope, sizeof scope, "%s.attn", block);
    rg_net_name(n, block, "");
    n->x = rg_build_node(&n->b, "Concat", "axis=1", token, image, -1);
    rg_net_layer_norm(n, block, "norm1", 1e-6);
    const rg_heads heads = {.scope = scope, .query = "q", .key = "k", .value = "v", .out = "proj",
                            .width = width, .count = width / HEAD, .size = HEAD, .bias = true,
                            .key_bias = true};
    n->x = rg_zoo_attention(&n->b, &heads, rg_zoo_cut(&n->b, n->x, 1, 0, 1), n->x, 0);
    rg_net_add_scaled(n, block, "gamma_1", false, token);
    token = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-6);
    rg_net_mlp(n, block, 4 * width, "Gelu");
    rg_net_add_scaled(n, block, "gamma_2", false, token);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const cait *v = self->layout;
    int64_t across = v->side / PATCH;
    char block[40];
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, v->side));
    rg_value_id batch = rg_zoo_batch(&n.b, n.x);
    rg_zoo_scope(&n.b, "patch_embed.proj");
    rg_net_conv(&n, (rg_conv){v->width, .kernel = PATCH, .stride = PATCH, .pad = -1, .bias = true});
    rg_net_unroll(&n);
    n.b.scope = NULL;
    rg_net_add(&n, rg_build_param(&n.b, "pos_embed", RG_F32, 3,
                                  (const int64_t[]){1, across * across, v->width}));
    for (int64_t i = 0; i < v->layers; i++) {
        snprintf(block, sizeof block, "blocks.%lld", (long long)i);
        encode(&n, block);
    }
    rg_value_id image = n.x;
    n.x = rg_zoo_tokens(&n.b, "cls_token", 1, v->width, batch);
    for (int i = 0; i < TOKEN_BLOCKS; i++) {
        snprintf(block, sizeof block, "blocks_token_only.%d", i);
        ask(&n, block, image);
    }
    n.x = rg_build_node(&n.b, "Concat", "axis=1", n.x, image, -1);
    rg_net_layer_norm(&n, "norm", "", 1e-6);
    n.x = rg_build_node(&n.b, "Gather", "axis=1", n.x, rg_zoo_int(&n.b, 0), -1);
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

#define SOURCE "Touvron et al. 2021, arXiv:2103.17239; parameters: timm"

/* Name, width, layers, side, parameters, MACs. */
#define CAIT_LIST(X) \
    X(cait_xxs24_224, 192, 24, 224, 11956264, 2523475200) \
    X(cait_xxs24_384, 192, 24, 384, 12029224, 9599136000) \
    X(cait_xxs36_224, 192, 36, 224, 17299720, 3755697408) \
    X(cait_xxs36_384, 192, 36, 384, 17372680, 14313009408) \
    X(cait_xs24_384, 288, 24, 384, 26670088, 19240642944) \
    X(cait_s24_224, 384, 24, 224, 46916200, 9327327744) \
    X(cait_s24_384, 384, 24, 384, 47062120, 32110109184) \
    X(cait_s36_384, 384, 36, 384, 68366632, 47907955200) \
    X(cait_m36_384, 768, 36, 384, 271221352, 172943655936) \
    X(cait_m48_448, 768, 48, 448, 356460520, 329107670016)

#define ROW(id, wide, count, size, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = size, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, .layout = &(const cait){wide, count, size}, \
    };
CAIT_LIST(ROW)
