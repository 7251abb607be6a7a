/* zoo_levit.c - LeViT as timm has it (Graham et al. 2021): convolutions down to 14 x 14 places, then three
 * stages of attention with a learned number for each offset, normalized by batch. Between two stages every
 * second row and column asks all places, which quarters the image. Two forms with the same figures: linear
 * layers on rows of places (levit_*), 1x1 convolutions on images (levit_conv_*).
 *
 * Values of a head are wider than its keys, and timm multiplies scores and values one by one: the keys are
 * cut from a tensor that is transposed already, as no fused attention takes them.
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES = 3, IMAGE_SIDE = 224, STEM = 4, WIDER = 2, WIDER_DOWN = 4, INNER = 2 };

static const int64_t sides[STAGES] = {14, 7, 4};

typedef struct levit {
    int64_t widths[STAGES], key, heads[STAGES]; /* key: features of one */
    int layers[STAGES];
    bool conv;
} levit;

/* One layer and its normalization, BLOCK.NAME.linear and BLOCK.NAME.bn, on n->x with `places` places. */
static void layer(rg_net *n, const levit *v, const char *block, const char *name, int64_t out, int64_t places)
{
    char scope[80];
    snprintf(scope, sizeof scope, "%s.%s", block, name);
    if (v->conv) {
        rg_net_conv_bn(n, scope, "linear", "bn", (rg_conv){.channels = out});
        return;
    }
    rg_net_dense(n, scope, "linear", out, false);
    rg_net_name(n, scope, "bn");
    n->x = rg_zoo_reshape(&n->b, n->x, 2, (const int64_t[]){-1, out});
    rg_net_batch_norm(n);
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){-1, places, out});
}

/* What a layer made, by heads: [batch, heads, features of a head, places]. */
static rg_value_id by_head(rg_net *n, const levit *v, int64_t heads, int64_t places)
{
    int64_t each = n->channels / heads;
    if (v->conv) return rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, heads, each, places});
    rg_value_id x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, places, heads, each});
    return rg_build_node(&n->b, "Transpose", "perm=0,2,3,1", x, -1);
}

/* q [batch, heads, key, queries], k and v [batch, heads, key or value, side^2] -> n->x of `out` channels. */
static void weigh(rg_net *n, const levit *l, const char *block, int64_t side, int64_t step, int64_t out,
                  const rg_value_id part[3], int64_t heads, int64_t value)
{
    rg_build *b = &n->b;
    int64_t across = (side + step - 1) / step, places = across * across;
    rg_net_name(n, block, "");
    rg_value_id bias = rg_zoo_offset_bias(b, "attention_biases", heads, side, step);
    rg_value_id x = rg_build_node(b, "Transpose", "perm=0,1,3,2", part[0], -1);
    x = rg_build_node(b, "MatMul", NULL, x, part[1], -1);
    x = rg_build_node(b, "Mul", NULL, x, rg_build_scalar(b, (float)(1 / sqrt((double)l->key))), -1);
    x = rg_build_node(b, "Add", NULL, x, bias, -1);
    x = rg_build_node(b, "Softmax", "axis=-1", x, -1);
    n->channels = heads * value;
    x = rg_build_node(b, "MatMul", NULL, x, rg_build_node(b, "Transpose", "perm=0,1,3,2", part[2], -1), -1);
    x = rg_build_node(b, "Transpose", l->conv ? "perm=0,1,3,2" : "perm=0,2,1,3", x, -1);
    if (l->conv) n->x = rg_zoo_reshape(b, x, 4, (const int64_t[]){0, n->channels, across, across});
    else n->x = rg_zoo_reshape(b, x, 3, (const int64_t[]){0, places, n->channels});
    rg_net_activate(n, "HardSwish");
    layer(n, l, block, "proj.ln", out, places);
}

static void attend(rg_net *n, const levit *v, const char *block, int stage, int64_t side)
{
    rg_value_id part[3];
    int64_t key = v->key, value = WIDER * key, heads = v->heads[stage], width = n->channels;
    layer(n, v, block, "qkv", heads * (2 * key + value), side * side);
    rg_value_id x = by_head(n, v, heads, side * side);
    part[0] = rg_zoo_cut(&n->b, x, 2, 0, key);
    part[1] = rg_zoo_cut(&n->b, x, 2, key, 2 * key);
    part[2] = rg_zoo_cut(&n->b, x, 2, 2 * key, 2 * key + value);
    weigh(n, v, block, side, 1, width, part, heads, value);
}

/* Every second row and column. */
static void thin(rg_net *n, const levit *v, int64_t side)
{
    rg_build *b = &n->b;
    int64_t half = (side + 1) / 2;
    if (v->conv) {
        rg_net_average_pool(n, (rg_pool){.kernel = 1, .stride = 2});
        return;
    }
    rg_value_id zero = rg_build_ints(b, 2, (const int64_t[]){0, 0}),
                axes = rg_build_ints(b, 2, (const int64_t[]){1, 2});
    rg_value_id end = rg_build_ints(b, 2, (const int64_t[]){side, side});
    rg_value_id step = rg_build_ints(b, 2, (const int64_t[]){2, 2});
    rg_value_id x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, side, side, n->channels});
    x = rg_build_node(b, "Slice", NULL, x, zero, end, axes, step, -1);
    n->x = rg_zoo_reshape(b, x, 3, (const int64_t[]){0, half * half, n->channels});
}

static void shrink(rg_net *n, const levit *v, const char *block, int stage, int64_t side)
{
    rg_value_id part[3], before = n->x;
    int64_t width = n->channels, key = v->key, value = WIDER_DOWN * key, heads = width / key;
    int64_t half = (side + 1) / 2;
    layer(n, v, block, "kv", heads * (key + value), side * side);
    rg_value_id x = by_head(n, v, heads, side * side);
    part[1] = rg_zoo_cut(&n->b, x, 2, 0, key);
    part[2] = rg_zoo_cut(&n->b, x, 2, key, key + value);
    n->x = before, n->channels = width;
    thin(n, v, side);
    layer(n, v, block, "q.ln", heads * key, half * half);
    part[0] = by_head(n, v, heads, half * half);
    weigh(n, v, block, side, 2, v->widths[stage], part, heads, value);
}

static void expand(rg_net *n, const levit *v, const char *block, int64_t places)
{
    rg_value_id before = n->x;
    int64_t width = n->channels;
    layer(n, v, block, "mlp.ln1", INNER * width, places);
    rg_net_activate(n, "HardSwish");
    layer(n, v, block, "mlp.ln2", width, places);
    rg_net_add_scaled(n, block, NULL, v->conv, before);
}

static void run_stage(rg_net *n, const levit *v, int stage)
{
    int64_t side = sides[stage];
    char block[48], attention[64];
    if (stage) {
        snprintf(block, sizeof block, "stages.%d.downsample", stage);
        snprintf(attention, sizeof attention, "%s.attn_downsample", block);
        shrink(n, v, attention, stage, sides[stage - 1]);
        expand(n, v, block, side * side);
    }
    for (int i = 0; i < v->layers[stage]; i++) {
        rg_value_id before = n->x;
        snprintf(block, sizeof block, "stages.%d.blocks.%d", stage, i);
        snprintf(attention, sizeof attention, "%s.attn", block);
        attend(n, v, attention, stage, side);
        rg_net_add_scaled(n, block, NULL, v->conv, before);
        expand(n, v, block, side * side);
    }
}

/* Of the two heads, one had learned from a teacher; their answers are averaged. */
static void classify(rg_net *n)
{
    static const char *const names[] = {"head", "head_dist"};
    rg_value_id x = n->x, sum = 0;
    int64_t width = n->channels;
    for (int i = 0; i < 2; i++) {
        char scope[24];
        n->x = x, n->channels = width;
        rg_net_name(n, names[i], "bn");
        rg_net_batch_norm(n);
        snprintf(scope, sizeof scope, "%s.linear", names[i]);
        rg_net_linear(n, scope, 1000);
        if (i) rg_net_add(n, sum);
        sum = n->x;
    }
    n->x = rg_build_node(&n->b, "Div", NULL, n->x, rg_build_scalar(&n->b, 2), -1);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const levit *v = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    for (int i = 0; i < STEM; i++) {
        char scope[24];
        snprintf(scope, sizeof scope, "stem.conv%d", i + 1);
        rg_net_conv_bn(&n, scope, "linear", "bn",
                       (rg_conv){v->widths[0] >> (STEM - 1 - i), .kernel = 3, .stride = 2});
        if (i < STEM - 1) rg_net_activate(&n, "HardSwish");
    }
    if (!v->conv) rg_net_unroll(&n);
    for (int stage = 0; stage < STAGES; stage++) run_stage(&n, v, stage);
    if (v->conv) rg_net_global_pool(&n), rg_net_flatten(&n);
    else n.x = rg_zoo_mean(&n.b, n.x, 1);
    classify(&n);
    return rg_net_done(&n, out);
}

#define SOURCE "Graham et al. 2021, arXiv:2104.01136; parameters: timm, at 224x224"

/* Name, widths, features of a key, heads, layers, as convolutions, parameters, MACs. */
#define LEVIT_LIST(X) \
    X(levit_128s, 128, 256, 384, 16, 4, 6, 8, 2, 3, 4, false, 7777058, 304660832) \
    X(levit_128, 128, 256, 384, 16, 4, 8, 12, 4, 4, 4, false, 9213936, 405321728) \
    X(levit_192, 192, 288, 384, 32, 3, 5, 6, 4, 4, 4, false, 10947069, 657022080) \
    X(levit_256, 256, 384, 512, 32, 4, 6, 8, 4, 4, 4, false, 18893876, 1127257344) \
    X(levit_384, 384, 512, 768, 32, 6, 9, 12, 4, 4, 4, false, 39128836, 2351786880) \
    X(levit_conv_128s, 128, 256, 384, 16, 4, 6, 8, 2, 3, 4, true, 7777058, 304660832) \
    X(levit_conv_128, 128, 256, 384, 16, 4, 8, 12, 4, 4, 4, true, 9213936, 405321728) \
    X(levit_conv_192, 192, 288, 384, 32, 3, 5, 6, 4, 4, 4, true, 10947069, 657022080) \
    X(levit_conv_256, 256, 384, 512, 32, 4, 6, 8, 4, 4, 4, true, 18893876, 1127257344) \
    X(levit_conv_384, 384, 512, 768, 32, 6, 9, 12, 4, 4, 4, true, 39128836, 2351786880)

#define ROW(id, w1, w2, w3, each, h1, h2, h3, l1, l2, l3, images, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = images ? "cnn" : "transformer", .image = IMAGE_SIDE, .source = SOURCE, \
        .build = build, .parameters = params, .macs = mac, \
        .layout = &(const levit){{w1, w2, w3}, each, {h1, h2, h3}, {l1, l2, l3}, images}, \
    };
LEVIT_LIST(ROW)
