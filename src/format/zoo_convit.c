/* zoo_convit.c - ConViT as timm has it (d'Ascoli et al. 2021): a vision transformer whose first ten blocks
 * mix two softmaxes, of what places hold and of where they lie to each other,
 *
 *     weights = (1 - sigmoid(gate)) softmax(q kT) + sigmoid(gate) softmax(P (right, down, distance^2)),
 *
 * brought to a sum of one again. A class token joins for the last two. The gates, one a head, are in no
 * count.
 */
#include "format/zoo.h"

#include <math.h>

enum { SIDE = 14, PLACES = SIDE * SIDE, PATCH = 16, HEAD = 48, LAYERS = 12, LOCAL = 10 };

typedef struct convit { int64_t heads; } convit;

/* [1, places, places, 3]: how far right and down of a place another one lies, and the distance's square. */
static rg_value_id offsets(rg_build *b)
{
    float *at;
    rg_value_id x = rg_zoo_floats(b, 4, (const int64_t[]){1, PLACES, PLACES, 3}, &at);
    for (int i = 0; at && i < PLACES * PLACES; i++) {
        int from = i / PLACES, to = i % PLACES, right = to % SIDE - from % SIDE,
            down = to / SIDE - from / SIDE;
        *at++ = (float)right, *at++ = (float)down, *at++ = (float)(right * right + down * down);
    }
    return x;
}

/* The gate's share of each head, [heads, 1, 1], and what is left. */
static rg_value_id mix(rg_build *b, const char *block, int64_t heads, rg_value_id held, rg_value_id lying)
{
    const int64_t shape[] = {heads, 1, 1};
    rg_zoo_scope(b, "%s.attn", block);
    rg_value_id share = rg_build_node(b, "Sigmoid", NULL, rg_build_param(b, "gating_param", RG_F32, 3, shape),
                                      -1);
    rg_value_id rest = rg_build_node(b, "Sub", NULL, rg_build_scalar(b, 1), share, -1);
    held = rg_build_node(b, "Mul", NULL, rest, held, -1);
    lying = rg_build_node(b, "Mul", NULL, share, lying, -1);
    rg_value_id sum = rg_build_node(b, "Add", NULL, held, lying, -1);
    return rg_build_node(b, "Div", NULL, sum, rg_build_node(b, "ReduceSum", NULL, sum,
                         rg_build_ints(b, 1, (const int64_t[]){-1}), -1), -1);
}

/* each: the offsets, once for each image. */
static void attend_near(rg_net *n, const char *block, int64_t heads, rg_value_id each)
{
    rg_build *b = &n->b;
    int64_t width = n->channels;
    rg_value_id from = n->x;
    rg_net_dense(n, block, "attn.qk", 2 * width, false);
    rg_value_id x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 0, 2, heads, HEAD});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,1,4", x, -1);
    rg_value_id q = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 0), -1);
    rg_value_id k = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 1), -1);
    rg_zoo_scope(b, "%s.attn.pos_proj", block);
    rg_value_id lying = rg_build_node(b, "Transpose", "perm=0,3,1,2", rg_zoo_dense(b, each, 3, heads, true),
                                      -1);
    rg_zoo_scope(b, "%s.attn", block);
    x = rg_build_node(b, "MatMul", NULL, q, rg_build_node(b, "Transpose", "perm=0,1,3,2", k, -1), -1);
    x = rg_build_node(b, "Mul", NULL, x, rg_build_scalar(b, (float)(1 / sqrt(HEAD))), -1);
    x = mix(b, block, heads, rg_build_node(b, "Softmax", "axis=-1", x, -1),
            rg_build_node(b, "Softmax", "axis=-1", lying, -1));
    n->x = from, n->channels = width;
    rg_net_dense(n, block, "attn.v", width, false);
    x = rg_build_node(b, "MatMul", NULL, x, rg_zoo_split_heads(b, n->x, heads, HEAD, false), -1);
    n->x = rg_zoo_reshape(b, rg_build_node(b, "Transpose", "perm=0,2,1,3", x, -1), 3,
                          (const int64_t[]){0, 0, width});
    rg_net_dense(n, block, "attn.proj", width, true);
}

static void encode(rg_net *n, int index, int64_t heads, rg_value_id each)
{
    char block[24], scope[32];
    snprintf(block, sizeof block, "blocks.%d", index);
    snprintf(scope, sizeof scope, "%s.attn", block);
    rg_value_id before = n->x;
    rg_net_layer_norm(n, block, "norm1", 1e-6);
    if (index < LOCAL) {
        attend_near(n, block, heads, each);
    } else {
        n->x = rg_zoo_self_attention(&n->b, n->x, &(rg_self_attention){
            .scope = scope, .packed = "qkv", .out = "proj", .heads = heads, .head = HEAD, .unbiased = true,
            .apart = true});
    }
    rg_net_add_scaled(n, block, NULL, false, before);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-6);
    rg_net_mlp(n, block, 4 * n->channels, "Gelu");
    rg_net_add_scaled(n, block, NULL, false, before);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    int64_t heads = ((const convit *)self->layout)->heads, width = heads * HEAD;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, SIDE * PATCH));
    rg_value_id batch = rg_zoo_batch(&n.b, n.x);
    rg_zoo_scope(&n.b, "patch_embed.proj");
    rg_net_conv(&n, (rg_conv){width, .kernel = PATCH, .stride = PATCH, .pad = -1, .bias = true});
    rg_net_unroll(&n);
    n.b.scope = NULL;
    rg_net_add(&n, rg_build_param(&n.b, "pos_embed", RG_F32, 3, (const int64_t[]){1, PLACES, width}));
    rg_value_id times = rg_build_ints(&n.b, 3, (const int64_t[]){1, 1, 1});
    times = rg_build_node(&n.b, "Concat", "axis=0", batch, times, -1);
    rg_value_id each = rg_build_node(&n.b, "Tile", NULL, offsets(&n.b), times, -1);
    for (int i = 0; i < LAYERS; i++) {
        if (i == LOCAL) {
            rg_value_id token = rg_zoo_tokens(&n.b, "cls_token", 1, width, batch);
            n.x = rg_build_node(&n.b, "Concat", "axis=1", token, n.x, -1);
        }
        encode(&n, i, heads, each);
    }
    rg_net_layer_norm(&n, "norm", "", 1e-6);
    n.x = rg_build_node(&n.b, "Gather", "axis=1", n.x, rg_zoo_int(&n.b, 0), -1);
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

#define SOURCE "d'Ascoli et al. 2021, arXiv:2103.10697; parameters: timm, at 224x224"

/* Name, heads, parameters, MACs. */
#define CONVIT_LIST(X) \
    X(convit_tiny, 4, 5710472, 1252360320) \
    X(convit_small, 9, 27777232, 5746563360) \
    X(convit_base, 16, 86539880, 17505452544)

#define ROW(id, count, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = SIDE * PATCH, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, .layout = &(const convit){count}, \
    };
CONVIT_LIST(ROW)
