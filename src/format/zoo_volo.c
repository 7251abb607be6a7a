/* zoo_volo.c - VOLO as timm has it (Yuan et al. 2021): at first each place of a halved image tells, without
 * comparing anything, how the 3 x 3 places around it mix; what each makes of them is summed where it
 * overlaps.
 *
 *     weights = softmax(A(pooled x))   [batch, heads, places, 9, 9],   y = fold(weights unfold(V x))
 *
 * Then come transformers, last two blocks in which a class token alone asks. A second head looks at all
 * places and adds half of the most that any of them says.
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES = 4, PATCH = 8, KERNEL = 3, AROUND = KERNEL * KERNEL, TOKEN_BLOCKS = 2 };

/* width, heads: of the first stage; heads2: of the others, of twice the width. inner: in widths. */
typedef struct volo { int64_t stem, width, heads, heads2; int layers[STAGES]; int64_t inner, side; } volo;

static void convolve(rg_net *n, int index, int64_t channels, int64_t kernel, int64_t stride)
{
    char conv[8], norm[8];
    snprintf(conv, sizeof conv, "%d", 3 * index);
    snprintf(norm, sizeof norm, "%d", 3 * index + 1);
    rg_net_conv_bn(n, "patch_embed.conv", conv, norm,
                   (rg_conv){channels, .kernel = kernel, .stride = stride});
    rg_net_activate(n, "Relu");
}

/* ---- outlook, on [batch, side, side, channels] ---- */

/* [batch, channels, side, side] -> the 3 x 3 places around every second one, [batch, channels, 9, places]. */
static rg_value_id unfold(rg_build *b, rg_value_id x, int64_t channels, int64_t side)
{
    rg_value_id parts[AROUND], out, axes = rg_build_ints(b, 2, (const int64_t[]){2, 3});
    rg_value_id step = rg_build_ints(b, 2, (const int64_t[]){2, 2});
    int64_t half = side / 2;
    x = rg_build_node(b, "Pad", NULL, x,
                      rg_build_ints(b, 8, (const int64_t[]){0, 0, 1, 1, 0, 0, 1, 1}), -1);
    for (int64_t i = 0; i < AROUND; i++) {
        int64_t down = i / KERNEL, right = i % KERNEL;
        rg_value_id from = rg_build_ints(b, 2, (const int64_t[]){down, right});
        rg_value_id end = rg_build_ints(b, 2, (const int64_t[]){down + side - 1, right + side - 1});
        parts[i] = rg_build_node(b, "Slice", NULL, x, from, end, axes, step, -1);
        parts[i] = rg_zoo_reshape(b, parts[i], 4, (const int64_t[]){0, channels, 1, half * half});
    }
    rg_build_nodev(b, "Concat", "axis=2", AROUND, parts, 1, &out);
    return out;
}

static void look_out(rg_net *n, const volo *v, const char *attn, int64_t side)
{
    rg_build *b = &n->b;
    int64_t width = n->channels, head = width / v->heads, places = side * side / 4;
    rg_net from = *n;
    rg_net_dense(n, attn, "v", width, false);
    rg_net_name(n, attn, "");
    rg_net_turn(n, "perm=0,3,1,2");
    rg_value_id values = unfold(b, n->x, width, side);
    values = rg_zoo_reshape(b, values, 5, (const int64_t[]){0, v->heads, head, AROUND, places});
    values = rg_build_node(b, "Transpose", "perm=0,1,4,3,2", values, -1);
    n->x = from.x;
    rg_net_turn(n, "perm=0,3,1,2");
    rg_net_average_pool(n, (rg_pool){.kernel = 2, .ceil = true});
    rg_net_turn(n, "perm=0,2,3,1");
    rg_net_dense(n, attn, "attn", AROUND * AROUND * v->heads, true);
    rg_net_name(n, attn, "");
    rg_value_id x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, places, v->heads, AROUND, AROUND});
    x = rg_build_node(b, "Transpose", "perm=0,2,1,3,4", x, -1);
    x = rg_build_node(b, "Mul", NULL, x, rg_build_scalar(b, (float)(1 / sqrt((double)head))), -1);
    x = rg_build_node(b, "MatMul", NULL, rg_build_node(b, "Softmax", "axis=-1", x, -1), values, -1);
    x = rg_build_node(b, "Transpose", "perm=0,1,4,3,2", x, -1);
    x = rg_zoo_reshape(b, x, 3, (const int64_t[]){0, width * AROUND, places});
    n->x = rg_build_node(b, "Col2Im", "pads=1,1,1,1 strides=2,2", x,
                         rg_build_ints(b, 2, (const int64_t[]){side, side}),
                         rg_build_ints(b, 2, (const int64_t[]){KERNEL, KERNEL}), -1);
    n->channels = width;
    rg_net_turn(n, "perm=0,2,3,1");
    rg_net_dense(n, attn, "proj", width, true);
}

/* ---- attention ---- */

static void attend(rg_net *n, const volo *v, const char *attn, int64_t side)
{
    int64_t width = n->channels;
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){0, side * side, width});
    n->x = rg_zoo_self_attention(&n->b, n->x, &(rg_self_attention){
        .scope = attn, .packed = "qkv", .out = "proj", .heads = v->heads2, .head = width / v->heads2,
        .unbiased = true, .apart = true});
    n->x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, side, side, width});
}

/* The token, n->x, of itself and the image. */
static void ask(rg_net *n, const volo *v, const char *attn)
{
    rg_build *b = &n->b;
    int64_t width = n->channels, head = width / v->heads2;
    rg_value_id from = n->x, x;
    rg_net_dense(n, attn, "kv", 2 * width, false);
    rg_net_name(n, attn, "");
    x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 0, 2, v->heads2, head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,4,1", x, -1);
    rg_value_id k = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 0), -1);
    rg_value_id values = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 1), -1);
    values = rg_build_node(b, "Transpose", "perm=0,1,3,2", values, -1);
    n->x = rg_zoo_cut(b, from, 1, 0, 1), n->channels = width;
    rg_net_dense(n, attn, "q", width, false);
    x = rg_zoo_split_heads(b, n->x, v->heads2, head, false);
    n->x = rg_zoo_attend(b, x, k, values, 0, v->heads2, head, 0);
    rg_net_dense(n, attn, "proj", width, true);
}

typedef enum mixer { OUTLOOK, ATTENTION, TOKEN } mixer;

static void block(rg_net *n, const volo *v, const char *name, mixer by, int64_t side)
{
    char attn[48];
    rg_value_id before = n->x, rest = 0;
    snprintf(attn, sizeof attn, "%s.attn", name);
    if (by == TOKEN) {
        before = rg_zoo_cut(&n->b, n->x, 1, 0, 1);
        rest = rg_zoo_cut(&n->b, n->x, 1, 1, INT64_MAX);
    }
    rg_net_layer_norm(n, name, "norm1", 1e-5);
    if (by == OUTLOOK) look_out(n, v, attn, side);
    else if (by == ATTENTION) attend(n, v, attn, side);
    else ask(n, v, attn);
    rg_net_add_scaled(n, name, NULL, false, before);
    before = n->x;
    rg_net_layer_norm(n, name, "norm2", 1e-5);
    rg_net_mlp(n, name, v->inner * n->channels, "Gelu");
    rg_net_add_scaled(n, name, NULL, false, before);
    if (rest) n->x = rg_build_node(&n->b, "Concat", "axis=1", n->x, rest, -1);
}

/* ---- the networks ---- */

static void classify(rg_net *n)
{
    rg_build *b = &n->b;
    rg_value_id all = n->x;
    int64_t width = n->channels;
    n->x = rg_build_node(b, "Gather", "axis=1", all, rg_zoo_int(b, 0), -1);
    rg_net_linear(n, "head", 1000);
    rg_value_id first = n->x;
    n->x = rg_zoo_cut(b, all, 1, 1, INT64_MAX), n->channels = width;
    rg_net_dense(n, "aux_head", "", 1000, true);
    n->x = rg_build_node(b, "ReduceMax", "keepdims=0", n->x, rg_build_ints(b, 1, (const int64_t[]){1}), -1);
    n->x = rg_build_node(b, "Mul", NULL, n->x, rg_build_scalar(b, 0.5f), -1);
    rg_net_add(n, first);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const volo *v = self->layout;
    int64_t side = v->side / PATCH, width = 2 * v->width;
    char name[40];
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, v->side));
    rg_value_id batch = rg_zoo_batch(&n.b, n.x);
    for (int i = 0; i < 3; i++) convolve(&n, i, v->stem, i ? 3 : 7, i ? 1 : 2);
    rg_zoo_scope(&n.b, "patch_embed.proj");
    rg_net_conv(&n, (rg_conv){v->width, .kernel = 4, .stride = 4, .pad = -1, .bias = true});
    rg_net_turn(&n, "perm=0,2,3,1");
    for (int i = 0; i < v->layers[0]; i++) {
        snprintf(name, sizeof name, "network.0.%d", i);
        block(&n, v, name, OUTLOOK, side);
    }
    rg_zoo_scope(&n.b, "network.1.proj");
    rg_net_turn(&n, "perm=0,3,1,2");
    rg_net_conv(&n, (rg_conv){width, .kernel = 2, .stride = 2, .pad = -1, .bias = true});
    rg_net_turn(&n, "perm=0,2,3,1");
    side /= 2;
    n.b.scope = NULL;
    rg_net_add(&n, rg_build_param(&n.b, "pos_embed", RG_F32, 4, (const int64_t[]){1, side, side, width}));
    for (int stage = 1; stage < STAGES; stage++) {
        for (int i = 0; i < v->layers[stage]; i++) {
            snprintf(name, sizeof name, "network.%d.%d", stage + 1, i);
            block(&n, v, name, ATTENTION, side);
        }
    }
    n.x = rg_zoo_reshape(&n.b, n.x, 3, (const int64_t[]){0, side * side, width});
    rg_value_id token = rg_zoo_tokens(&n.b, "cls_token", 1, width, batch);
    n.x = rg_build_node(&n.b, "Concat", "axis=1", token, n.x, -1);
    for (int i = 0; i < TOKEN_BLOCKS; i++) {
        snprintf(name, sizeof name, "post_network.%d", i);
        block(&n, v, name, TOKEN, side);
    }
    rg_net_layer_norm(&n, "norm", "", 1e-5);
    classify(&n);
    return rg_net_done(&n, out);
}

#define SOURCE "Yuan et al. 2021, arXiv:2106.13112; parameters: timm"

/* Name, channels of the stem, width, heads, of the later stages, layers, inner width, side, parameters, MACs.
 */
#define VOLO_LIST(X) \
    X(volo_d1_224, 64, 192, 6, 12, 4, 4, 8, 2, 3, 224, 26632040, 6918741504) \
    X(volo_d1_384, 64, 192, 6, 12, 4, 4, 8, 2, 3, 384, 26777960, 22679560704) \
    X(volo_d2_224, 64, 256, 8, 16, 6, 4, 10, 4, 3, 224, 58678336, 14305415168) \
    X(volo_d2_384, 64, 256, 8, 16, 6, 4, 10, 4, 3, 384, 58872896, 46063638528) \
    X(volo_d3_224, 64, 256, 8, 16, 8, 8, 16, 4, 3, 224, 86325072, 20732057600) \
    X(volo_d3_448, 64, 256, 8, 16, 8, 8, 16, 4, 3, 448, 86626128, 96128522240) \
    X(volo_d4_224, 64, 384, 12, 16, 8, 8, 16, 4, 3, 224, 192961520, 44262982656) \
    X(volo_d4_448, 64, 384, 12, 16, 8, 8, 16, 4, 3, 448, 193413104, 196840571904) \
    X(volo_d5_224, 128, 384, 12, 16, 12, 12, 20, 4, 4, 224, 295455584, 72301181952) \
    X(volo_d5_448, 128, 384, 12, 16, 12, 12, 20, 4, 4, 448, 295907168, 314650960896) \
    X(volo_d5_512, 128, 384, 12, 16, 12, 12, 20, 4, 4, 512, 296091488, 424557659136)

#define ROW(id, first, wide, h1, h2, l1, l2, l3, l4, wider, size, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = size, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const volo){first, wide, h1, h2, {l1, l2, l3, l4}, wider, size}, \
    };
VOLO_LIST(ROW)
