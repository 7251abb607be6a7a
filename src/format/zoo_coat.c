/* zoo_coat.c - CoaT as timm has it (Xu et al. 2021): attention in two products of small matrices, to which
 * what convolutions of three windows make of the values is added,
 *
 *     x = q (softmax(k)T v) / sqrt(head) + q * convolved(v)            softmax over the positions
 *
 * in four stages, each with a class token of its own; all blocks of a stage share their convolutions. CoaT,
 * but not CoaT-Lite, goes on with six blocks in which the last three stages attend side by side and add what
 * the others found, resized, to their own; a learned mean of their tokens is classified.
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES = 4, HEADS = 8, WINDOWS = 3, PARALLEL = 6, PATCH = 4 };

static const int64_t windows[WINDOWS] = {3, 5, 7}, window_heads[WINDOWS] = {2, 3, 3};

typedef struct coat {
    int64_t widths[STAGES];
    int layers[STAGES];
    int64_t inner[STAGES], side; /* inner: in widths */
    bool parallel;
} coat;

typedef struct weights { rg_value_id weight, bias; } weights;

/* The stage's own convolutions by channel: of places, and one for each window. */
typedef struct stage { int64_t width, side; weights places, around[WINDOWS]; } stage;

static weights new_weights(rg_net *n, const char *scope, int64_t channels, int64_t kernel)
{
    rg_zoo_scope(&n->b, "%s", scope);
    const int64_t shape[] = {channels, 1, kernel, kernel};
    rg_value_id weight = rg_build_param(&n->b, "weight", RG_F32, 4, shape);
    return (weights){weight, rg_build_param(&n->b, "bias", RG_F32, 1, &channels)};
}

static rg_value_id convolve(rg_build *b, rg_value_id x, weights w, int64_t channels, int64_t kernel)
{
    char attrs[192];
    long long pad = kernel / 2;
    snprintf(attrs, sizeof attrs, "group=%lld kernel_shape=%lld,%lld pads=%lld,%lld,%lld,%lld",
             (long long)channels, (long long)kernel, (long long)kernel, pad, pad, pad, pad);
    return rg_build_node(b, "Conv", attrs, x, w.weight, w.bias, -1);
}

static rg_value_id token_of(rg_net *n) { return rg_zoo_cut(&n->b, n->x, 1, 0, 1); }

/* The places without the token, as an image. */
static void take_image(rg_net *n, const stage *s)
{
    n->x = rg_zoo_cut(&n->b, n->x, 1, 1, INT64_MAX);
    rg_net_roll(n, s->side);
}

static void put_token(rg_net *n, rg_value_id token)
{
    n->x = rg_build_node(&n->b, "Concat", "axis=1", token, n->x, -1);
}

/* What tells places apart: a convolution of the image, added to it. */
static void add_places(rg_net *n, const stage *s, const char *block)
{
    rg_net_name(n, block, "cpe");
    rg_value_id token = token_of(n);
    take_image(n, s);
    rg_net_add(n, convolve(&n->b, n->x, s->places, s->width, 3));
    rg_net_unroll(n);
    put_token(n, token);
}

/* q * convolved(v), [batch, heads, positions, head], with zeros for the token. */
static rg_value_id look_around(rg_net *n, const stage *s, rg_value_id q, rg_value_id v)
{
    rg_build *b = &n->b;
    rg_value_id parts[WINDOWS], x;
    int64_t head = s->width / HEADS, from = 0, places = s->side * s->side;
    v = rg_build_node(b, "Transpose", "perm=0,1,3,2", rg_zoo_cut(b, v, 2, 1, INT64_MAX), -1);
    v = rg_zoo_reshape(b, v, 4, (const int64_t[]){0, s->width, s->side, s->side});
    for (int i = 0; i < WINDOWS; i++) {
        int64_t channels = window_heads[i] * head;
        x = rg_zoo_cut(b, v, 1, from, from + channels);
        parts[i] = convolve(b, x, s->around[i], channels, windows[i]);
        from += channels;
    }
    rg_build_nodev(b, "Concat", "axis=1", WINDOWS, parts, 1, &x);
    x = rg_zoo_reshape(b, x, 4, (const int64_t[]){0, HEADS, head, places});
    x = rg_build_node(b, "Transpose", "perm=0,1,3,2", x, -1);
    x = rg_build_node(b, "Mul", NULL, rg_zoo_cut(b, q, 2, 1, INT64_MAX), x, -1);
    return rg_build_node(b, "Pad", NULL, x,
                         rg_build_ints(b, 8, (const int64_t[]){0, 0, 1, 0, 0, 0, 0, 0}), -1);
}

static void attend(rg_net *n, const stage *s, const char *scope)
{
    rg_build *b = &n->b;
    rg_value_id part[3], x, around;
    int64_t head = s->width / HEADS;
    rg_net_dense(n, scope, "qkv", 3 * s->width, true);
    rg_net_name(n, scope, "");
    x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 0, 3, HEADS, head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,1,4", x, -1);
    for (int i = 0; i < 3; i++) part[i] = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, i), -1);
    x = rg_build_node(b, "Softmax", "axis=2", part[1], -1);
    x = rg_build_node(b, "Transpose", "perm=0,1,3,2", x, -1);
    x = rg_build_node(b, "MatMul", NULL, x, part[2], -1);
    x = rg_build_node(b, "MatMul", NULL, part[0], x, -1);
    around = look_around(n, s, part[0], part[2]);
    x = rg_build_node(b, "Mul", NULL, rg_build_scalar(b, (float)(1 / sqrt((double)head))), x, -1);
    x = rg_build_node(b, "Add", NULL, x, around, -1);
    x = rg_build_node(b, "Transpose", "perm=0,2,1,3", x, -1);
    n->x = rg_zoo_reshape(b, x, 3, (const int64_t[]){0, 0, s->width});
    n->channels = s->width;
    rg_net_dense(n, scope, "proj", s->width, true);
}

static void serial_block(rg_net *n, const coat *c, const stage *s, int index, int i)
{
    char block[40], scope[64];
    snprintf(block, sizeof block, "serial_blocks%d.%d", index + 1, i);
    snprintf(scope, sizeof scope, "%s.factoratt_crpe", block);
    add_places(n, s, block);
    rg_value_id before = n->x;
    rg_net_layer_norm(n, block, "norm1", 1e-6);
    attend(n, s, scope);
    rg_net_add_scaled(n, block, NULL, false, before);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-6);
    rg_net_mlp(n, block, c->inner[index] * s->width, "Gelu");
    rg_net_add_scaled(n, block, NULL, false, before);
}

/* ---- side by side ---- */

/* The image of one stage in the sides of another, the token as it is. */
static rg_value_id resized(rg_net *n, rg_value_id x, const stage *from, const stage *to)
{
    rg_net net = *n;
    float *scale;
    if (from == to) return x;
    net.x = x, net.channels = from->width;
    rg_value_id token = token_of(&net), by;
    take_image(&net, from);
    by = rg_zoo_floats(&net.b, 1, (const int64_t[]){4}, &scale);
    for (int i = 0; scale && i < 4; i++) scale[i] = i < 2 ? 1 : (float)to->side / (float)from->side;
    net.x = rg_build_node(&net.b, "Resize", "mode=\"linear\"", net.x, 0, by, -1);
    rg_net_unroll(&net);
    put_token(&net, token);
    n->b = net.b;
    return net.x;
}

/* Two linear layers that the stages of a block share. */
static rg_value_id shared_mlp(rg_build *b, rg_value_id x, const weights w[2])
{
    x = rg_build_node(b, "Add", NULL, rg_build_node(b, "MatMul", NULL, x, w[0].weight, -1), w[0].bias, -1);
    x = rg_build_node(b, "Gelu", NULL, x, -1);
    return rg_build_node(b, "Add", NULL, rg_build_node(b, "MatMul", NULL, x, w[1].weight, -1), w[1].bias, -1);
}

static weights linear_weights(rg_net *n, const char *scope, int64_t in, int64_t out)
{
    rg_zoo_scope(&n->b, "%s", scope);
    rg_value_id weight = rg_build_param(&n->b, "weight", RG_F32, 2, (const int64_t[]){in, out});
    return (weights){weight, rg_build_param(&n->b, "bias", RG_F32, 1, &out)};
}

/* x: of the stages; the first one is left alone. */
static void parallel_block(rg_net *n, const coat *c, const stage stages[STAGES], int i, rg_value_id x[STAGES])
{
    char block[32], scope[64];
    rg_value_id found[STAGES];
    int64_t width = c->widths[1], inner = c->inner[1] * width;
    weights w[2];
    snprintf(block, sizeof block, "parallel_blocks.%d", i);
    for (int k = 1; k < STAGES; k++) {
        char norm[16];
        n->x = x[k], n->channels = width;
        add_places(n, &stages[k], block);
        x[k] = n->x;
        snprintf(norm, sizeof norm, "norm1%d", k + 1);
        rg_net_layer_norm(n, block, norm, 1e-6);
        snprintf(scope, sizeof scope, "%s.factoratt_crpe%d", block, k + 1);
        attend(n, &stages[k], scope);
        found[k] = n->x;
    }
    snprintf(scope, sizeof scope, "%s.mlp2.fc1", block);
    w[0] = linear_weights(n, scope, width, inner);
    snprintf(scope, sizeof scope, "%s.mlp2.fc2", block);
    w[1] = linear_weights(n, scope, inner, width);
    for (int k = 1; k < STAGES; k++) {
        char norm[16];
        rg_net_name(n, block, "");
        n->x = found[k];
        for (int other = 1; other < STAGES; other++)
            if (other != k) rg_net_add(n, resized(n, found[other], &stages[other], &stages[k]));
        rg_net_add(n, x[k]);
        x[k] = n->x;
        snprintf(norm, sizeof norm, "norm2%d", k + 1);
        rg_net_layer_norm(n, block, norm, 1e-6);
        n->x = shared_mlp(&n->b, n->x, w);
        rg_net_add(n, x[k]);
        x[k] = n->x;
    }
}

/* ---- the networks ---- */

static void begin_stage(rg_net *n, const coat *c, int index, stage *s, rg_value_id batch)
{
    char scope[40];
    int64_t cut = index ? 2 : PATCH;
    *s = (stage){.width = c->widths[index], .side = c->side / PATCH >> index};
    snprintf(scope, sizeof scope, "patch_embed%d", index + 1);
    rg_net_name(n, scope, "proj");
    rg_net_conv(n, (rg_conv){s->width, .kernel = cut, .stride = cut, .pad = -1, .bias = true});
    rg_net_unroll(n);
    rg_net_layer_norm(n, scope, "norm", 1e-5);
    snprintf(scope, sizeof scope, "cls_token%d", index + 1);
    put_token(n, rg_zoo_tokens(&n->b, scope, 1, s->width, batch));
    snprintf(scope, sizeof scope, "cpe%d.proj", index + 1);
    s->places = new_weights(n, scope, s->width, 3);
    for (int i = 0; i < WINDOWS; i++) {
        snprintf(scope, sizeof scope, "crpe%d.conv_list.%d", index + 1, i);
        s->around[i] = new_weights(n, scope, window_heads[i] * s->width / HEADS, windows[i]);
    }
}

/* The learned mean of three stages' tokens. */
static void aggregate(rg_net *n, rg_value_id x[STAGES])
{
    rg_value_id tokens[STAGES - 1];
    for (int k = 1; k < STAGES; k++) {
        char norm[16];
        snprintf(norm, sizeof norm, "norm%d", k + 1);
        n->x = x[k];
        rg_net_layer_norm(n, norm, "", 1e-6);
        tokens[k - 1] = token_of(n);
    }
    rg_build_nodev(&n->b, "Concat", "axis=1", STAGES - 1, tokens, 1, &n->x);
    rg_net_name(n, "aggregate", "");
    n->x = rg_zoo_conv1d(&n->b, n->x, (rg_conv1d){.in = STAGES - 1, .out = 1});
    n->x = rg_zoo_reshape(&n->b, n->x, 2, (const int64_t[]){0, n->channels});
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const coat *c = self->layout;
    stage stages[STAGES];
    rg_value_id x[STAGES];
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, c->side));
    rg_value_id batch = rg_zoo_batch(&n.b, n.x);
    for (int i = 0; i < STAGES; i++) {
        if (i) take_image(&n, &stages[i - 1]);
        begin_stage(&n, c, i, &stages[i], batch);
        for (int k = 0; k < c->layers[i]; k++) serial_block(&n, c, &stages[i], i, k);
        x[i] = n.x;
    }
    for (int i = 0; c->parallel && i < PARALLEL; i++) parallel_block(&n, c, stages, i, x);
    if (c->parallel) {
        aggregate(&n, x);
    } else {
        rg_net_layer_norm(&n, "norm4", "", 1e-6);
        n.x = rg_build_node(&n.b, "Gather", "axis=1", n.x, rg_zoo_int(&n.b, 0), -1);
    }
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

#define SOURCE "Xu et al. 2021, arXiv:2104.06399; parameters: timm"

/* Name, widths, layers, inner widths, side, side by side at the end, parameters, MACs. */
#define COAT_LIST(X) \
    X(coat_tiny, 152, 152, 152, 152, 2, 2, 2, 2, 4, 4, 4, 4, 224, true, 5498540, 4316447208) \
    X(coat_mini, 152, 216, 216, 216, 2, 2, 2, 2, 4, 4, 4, 4, 224, true, 10337004, 6772601512) \
    X(coat_small, 152, 320, 320, 320, 2, 2, 2, 2, 4, 4, 4, 4, 224, true, 21693908, 12548023008) \
    X(coat_lite_tiny, 64, 128, 256, 320, 2, 2, 2, 2, 8, 8, 4, 4, 224, false, 5721960, 1589037952) \
    X(coat_lite_mini, 64, 128, 320, 512, 2, 2, 2, 2, 8, 8, 4, 4, 224, false, 11011560, 1987031552) \
    X(coat_lite_small, 64, 128, 320, 512, 3, 4, 6, 3, 8, 8, 4, 4, 224, false, 19838504, 3943563264) \
    X(coat_lite_medium, 128, 256, 320, 512, 3, 6, 10, 8, 4, 4, 4, 4, 224, false, 44571048, 9770857984) \
    X(coat_lite_medium_384, 128, 256, 320, 512, 3, 6, 10, 8, 4, 4, 4, 4, 384, false, 44571048, 28628731904)

#define ROW(id, w1, w2, w3, w4, l1, l2, l3, l4, i1, i2, i3, i4, size, more, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = size, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const coat){{w1, w2, w3, w4}, {l1, l2, l3, l4}, {i1, i2, i3, i4}, size, more}, \
    };
COAT_LIST(ROW)
