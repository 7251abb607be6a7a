/* zoo_pit.c - PiT as timm has it (Heo et al. 2021): a vision transformer in three stages. Between two, a 3x3
 * convolution by channel halves the image and doubles its channels; the class token has a linear layer for
 * that. Patches overlap.
 */
#include "format/zoo.h"

enum { STAGES = 3, IMAGE_SIDE = 224 };

/* tokens: the class token, perhaps one beside it that had a teacher and has a head of its own. */
typedef struct pit {
    int64_t patch, stride, base;
    int layers[STAGES];
    int64_t heads[STAGES], tokens;
} pit;

static void turn(rg_net *n) { n->x = rg_build_node(&n->b, "Transpose", "perm=0,2,1", n->x, -1); }

static void normalize(rg_net *n, const char *block, const char *name)
{
    rg_zoo_scope(&n->b, "%s%s", block, name);
    n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, 1e-6);
}

static void encode(rg_net *n, const pit *p, int stage, int index)
{
    char block[48], scope[64];
    rg_value_id before = n->x;
    snprintf(block, sizeof block, "transformers.%d.blocks.%d", stage, index);
    snprintf(scope, sizeof scope, "%s.attn", block);
    normalize(n, block, ".norm1");
    const rg_self_attention attention = {.scope = scope, .packed = "qkv", .out = "proj",
                                         .heads = p->heads[stage], .head = p->base};
    n->x = rg_zoo_self_attention(&n->b, n->x, &attention);
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, before);
    before = n->x;
    normalize(n, block, ".norm2");
    n->x = rg_zoo_feed_forward(&n->b, n->x, block, "mlp.fc1", "mlp.fc2", n->channels, 4 * n->channels,
                               "Gelu");
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, before);
}

static rg_value_id slice(rg_build *b, rg_value_id x, int64_t from, int64_t until)
{
    return rg_build_node(b, "Slice", NULL, x, rg_build_ints(b, 1, &from), rg_build_ints(b, 1, &until),
                         rg_build_ints(b, 1, (const int64_t[]){1}), -1);
}

/* Class token and image apart, and together: n->x is the image, [batch, channels, side, side]. */
static rg_value_id divide(rg_net *n, const pit *p, int64_t side)
{
    rg_value_id token = slice(&n->b, n->x, 0, p->tokens);
    n->x = slice(&n->b, n->x, p->tokens, INT64_MAX);
    turn(n);
    n->x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, n->channels, side, side});
    return token;
}

static void join(rg_net *n, rg_value_id token)
{
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){0, n->channels, -1});
    turn(n);
    n->x = rg_build_node(&n->b, "Concat", "axis=1", token, n->x, -1);
}

static rg_value_id shrink(rg_net *n, int stage, rg_value_id token)
{
    int64_t channels = n->channels;
    rg_zoo_scope(&n->b, "transformers.%d.pool.conv", stage);
    rg_net_conv(n, (rg_conv){2 * channels, .kernel = 3, .stride = 2, .group = channels, .bias = true});
    rg_zoo_scope(&n->b, "transformers.%d.pool.fc", stage);
    return rg_zoo_dense(&n->b, token, channels, 2 * channels, true);
}

/* What the heads of the tokens say, in the mean. */
static void classify(rg_net *n, const pit *p)
{
    rg_value_id all = n->x, first;
    int64_t width = n->channels;
    n->x = rg_build_node(&n->b, "Gather", "axis=1", all, rg_zoo_int(&n->b, 0), -1);
    rg_net_linear(n, "head", 1000);
    if (p->tokens == 1) return;
    first = n->x, n->channels = width;
    n->x = rg_build_node(&n->b, "Gather", "axis=1", all, rg_zoo_int(&n->b, 1), -1);
    rg_net_linear(n, "head_dist", 1000);
    rg_net_add(n, first);
    n->x = rg_build_node(&n->b, "Div", NULL, n->x, rg_build_scalar(&n->b, 2), -1);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const pit *p = self->layout;
    int64_t side = (IMAGE_SIDE - p->patch) / p->stride + 1, width = p->base * p->heads[0];
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    rg_value_id batch = rg_build_node(&n.b, "Shape", "end=1 start=0", n.x, -1);
    rg_zoo_scope(&n.b, "patch_embed.conv");
    rg_net_conv(&n, (rg_conv){.channels = width, .kernel = p->patch, .stride = p->stride, .pad = -1,
                              .bias = true});
    n.b.scope = NULL;
    n.x = rg_zoo_reshape(&n.b, n.x, 3, (const int64_t[]){0, width, side * side});
    turn(&n);
    rg_value_id places = rg_build_param(&n.b, "pos_embed", RG_F32, 3,
                                        (const int64_t[]){1, side * side, width});
    rg_net_add(&n, places);
    turn(&n);
    rg_value_id token = rg_zoo_tokens(&n.b, "cls_token", p->tokens, width, batch);
    for (int stage = 0; stage < STAGES; stage++) {
        if (stage) token = shrink(&n, stage, token), side = (side + 1) / 2;
        join(&n, token);
        for (int i = 0; i < p->layers[stage]; i++) encode(&n, p, stage, i);
        if (stage < STAGES - 1) token = divide(&n, p, side);
    }
    n.x = slice(&n.b, n.x, 0, p->tokens);
    normalize(&n, "norm", "");
    classify(&n, p);
    return rg_net_done(&n, out);
}

#define SOURCE "Heo et al. 2021, arXiv:2103.16302; parameters: timm, pit_*_224 at 224x224"

/* Table 1 of the paper. Name, patch, stride, features of a head, layers, heads, parameters, MACs. */
#define PIT_LIST(X) \
    X(pit_ti, 16, 8, 32, 2, 6, 4, 2, 4, 8, 4847272, 699059456) \
    X(pit_xs, 16, 8, 48, 2, 6, 4, 2, 4, 8, 10618888, 1394699136) \
    X(pit_s, 16, 8, 48, 2, 6, 4, 3, 6, 12, 23461912, 2870796096) \
    X(pit_b, 14, 7, 64, 3, 6, 4, 4, 8, 16, 73764840, 12401916928)

#define ROW(id, cut, step, wide, l1, l2, l3, h1, h2, h3, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .source = SOURCE, .build = build, .parameters = params, \
        .macs = mac, .layout = &(const pit){cut, step, wide, {l1, l2, l3}, {h1, h2, h3}, 1}, \
    };
PIT_LIST(ROW)

/* The same with two tokens. Name, as above. */
#define TAUGHT_LIST(X) \
    X(pit_ti_distilled_224, 16, 8, 32, 2, 6, 4, 2, 4, 8, 5104336, 704967680) \
    X(pit_xs_distilled_224, 16, 8, 48, 2, 6, 4, 2, 4, 8, 11003984, 1406909952) \
    X(pit_s_distilled_224, 16, 8, 48, 2, 6, 4, 3, 6, 12, 24039056, 2896646400) \
    X(pit_b_distilled_224, 14, 7, 64, 3, 6, 4, 4, 8, 16, 74790096, 12482355712)

#define TAUGHT_ROW(id, cut, step, wide, l1, l2, l3, h1, h2, h3, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = IMAGE_SIDE, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const pit){cut, step, wide, {l1, l2, l3}, {h1, h2, h3}, 2}, \
    };
TAUGHT_LIST(TAUGHT_ROW)
