/* zoo_swin_timm.c - Swin transformers that torchvision has not: other images and windows (Liu et al. 2021;
 * S3: Chen et al. 2021), the second version (Liu et al. 2022), and timm's own reading of it, which it calls
 * CR.
 *
 *     V1   x = x + attention(norm(x)),  scores q kT / sqrt(head) + a table's number for the offset
 *     V2   x = x + norm(attention(x)),  scores scale cos(q, k) + 16 sigmoid(layers(offset))
 *     CR   x = x + norm(attention(x)),  scores cos(q, k) / tau + layers(offset) at each pair of places
 *
 * Every second block shifts its windows by a half; a mask keeps apart what came around (zoo_swin.c has the
 * picture). The scales and tau, one a head, are in no count.
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES = 4, PATCH = 4, LAYERS_V2 = 512, LAYERS_CR = 384, WINDOW_MAX = 24 };

typedef enum swin_version { V1, V2, CR } swin_version;

/* norms: CR's further ones behind every so many blocks; 1: behind each stage; 0: behind the last stage alone.
 */
typedef struct tswin {
    swin_version version;
    int64_t width, head, side; /* head: features of one */
    int layers[STAGES];
    int64_t windows[STAGES];
    int norms;
    int64_t classes;
} tswin;

/* across: windows in a row. mask: of shifted windows, 0 where none are; rows: of offsets in a table. */
typedef struct stage { int64_t side, window, across; rg_value_id mask, rows; } stage;

/* ---- windows ---- */

static void roll(rg_net *n, int64_t axis, int64_t from)
{
    rg_value_id first = rg_zoo_cut(&n->b, n->x, axis, from, INT64_MAX);
    rg_value_id rest = rg_zoo_cut(&n->b, n->x, axis, 0, from);
    n->x = rg_build_node(&n->b, "Concat", axis == 1 ? "axis=1" : "axis=2", first, rest, -1);
}

static void partition(rg_net *n, const stage *s)
{
    int64_t w = s->window, a = s->across;
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){0, a, w, a, w, n->channels});
    rg_net_turn(n, "perm=0,1,3,2,4,5");
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){-1, w * w, n->channels});
}

static void join(rg_net *n, const stage *s)
{
    int64_t w = s->window, a = s->across;
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){-1, a, a, w, w, n->channels});
    rg_net_turn(n, "perm=0,1,3,2,4,5");
    n->x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, s->side, s->side, n->channels});
}

static int region(const stage *s, int64_t at)
{
    return (at >= s->side - s->window) + (at >= s->side - s->window / 2);
}

/* -100 between places of different regions: [1, windows, 1, places, places]. */
static rg_value_id mask_of(rg_build *b, const stage *s)
{
    float *at;
    int64_t w = s->window, places = w * w, count = s->across * s->across;
    rg_value_id mask = rg_zoo_floats(b, 5, (const int64_t[]){1, count, 1, places, places}, &at);
    for (int64_t i = 0; at && i < count; i++) {
        int regions[WINDOW_MAX * WINDOW_MAX];
        for (int64_t k = 0; k < places; k++)
            regions[k] = 3 * region(s, i / s->across * w + k / w) + region(s, i % s->across * w + k % w);
        for (int64_t k = 0; k < places; k++)
            for (int64_t to = 0; to < places; to++) *at++ = regions[k] == regions[to] ? 0 : -100;
    }
    return mask;
}

/* ---- numbers of offsets ---- */

/* Logarithms of how far down and right: of offsets, [1, 2, 2 w - 1, 2 w - 1], brought to 8 at the window's
 * edge; or of pairs of places, [1, 2, w^2, w^2]. */
static rg_value_id coordinates(rg_build *b, swin_version version, int64_t w)
{
    float *at;
    int64_t span = version == CR ? w * w : 2 * w - 1;
    rg_value_id x = rg_zoo_floats(b, 4, (const int64_t[]){1, 2, span, span}, &at);
    for (int64_t i = 0; at && i < 2 * span * span; i++) {
        int64_t row = i / span % span, column = i % span;
        double off;
        if (version == CR) off = (double)(i < span * span ? row / w - column / w : row % w - column % w);
        else off = 8 * (double)((i < span * span ? row : column) - w + 1) / (double)(w - 1);
        double far = version == CR ? log1p(fabs(off)) : log1p(fabs(off)) / log(8);
        at[i] = (float)copysign(far, off);
    }
    return x;
}

/* [1, heads, places, places], by two layers. */
static rg_value_id bias_of(rg_net *n, const tswin *t, const stage *s, const char *attn, int64_t heads)
{
    rg_net net = *n;
    rg_build *b = &net.b;
    int64_t span = 2 * s->window - 1;
    net.x = coordinates(b, t->version, s->window);
    net.channels = 2;
    rg_net_name(&net, attn, t->version == CR ? "meta_mlp.fc1" : "cpb_mlp.0");
    rg_net_conv(&net, (rg_conv){.channels = t->version == CR ? LAYERS_CR : LAYERS_V2, .bias = true});
    rg_net_activate(&net, "Relu");
    rg_net_name(&net, attn, t->version == CR ? "meta_mlp.fc2" : "cpb_mlp.2");
    rg_net_conv(&net, (rg_conv){.channels = heads, .bias = t->version == CR});
    rg_net_name(&net, attn, "");
    if (t->version == V2) {
        net.x = rg_zoo_reshape(b, net.x, 2, (const int64_t[]){heads, span * span});
        net.x = rg_build_node(b, "Transpose", "perm=1,0", net.x, -1);
        net.x = rg_zoo_bias_of_rows(b, net.x, s->rows, s->window, heads);
        net.x = rg_build_node(b, "Sigmoid", NULL, net.x, -1);
        net.x = rg_build_node(b, "Mul", NULL, rg_build_scalar(b, 16), net.x, -1);
    }
    n->b = net.b;
    return net.x;
}

/* ---- attention by cosines ---- */

/* Queries and values have a bias; the keys' is zero. */
static void project(rg_net *n, const tswin *t, const char *attn)
{
    rg_build *b = &n->b;
    float *zeros;
    int64_t width = n->channels;
    rg_net_dense(n, attn, "qkv", 3 * width, t->version == CR);
    if (t->version == CR) return;
    rg_net_name(n, attn, "");
    rg_value_id q = rg_build_param(b, "q_bias", RG_F32, 1, &width);
    rg_value_id k = rg_zoo_floats(b, 1, &width, &zeros), v = rg_build_param(b, "v_bias", RG_F32, 1, &width);
    n->x = rg_build_node(b, "Add", NULL, n->x, rg_build_node(b, "Concat", "axis=0", q, k, v, -1), -1);
}

static rg_value_id length(rg_build *b, rg_value_id x)
{
    return rg_build_node(b, "ReduceL2", NULL, x, rg_build_ints(b, 1, (const int64_t[]){-1}), -1);
}

static rg_value_id unit(rg_build *b, rg_value_id x)
{
    rg_value_id norm = rg_build_node(b, "Max", NULL, length(b, x), rg_build_scalar(b, 1e-12f), -1);
    return rg_build_node(b, "Div", NULL, x, norm, -1);
}

static rg_value_id turn(rg_build *b, rg_value_id x)
{
    return rg_build_node(b, "Transpose", "perm=0,1,3,2", x, -1);
}

/* scale cos(q, k): timm's V2 divides before the product, CR behind it. */
static rg_value_id cosines(rg_build *b, swin_version version, rg_value_id q, rg_value_id k, int64_t heads)
{
    const int64_t shape[] = {heads, 1, 1};
    rg_value_id x, least;
    if (version == V2) {
        x = rg_build_node(b, "MatMul", NULL, unit(b, q), turn(b, unit(b, k)), -1);
        rg_value_id scale = rg_build_param(b, "logit_scale", RG_F32, 3, shape);
        scale = rg_build_node(b, "Min", NULL, scale, rg_build_scalar(b, (float)log(100)), -1);
        return rg_build_node(b, "Mul", NULL, x, rg_build_node(b, "Exp", NULL, scale, -1), -1);
    }
    rg_value_id both = rg_build_node(b, "MatMul", NULL, length(b, q), turn(b, length(b, k)), -1);
    x = rg_build_node(b, "MatMul", NULL, q, turn(b, k), -1);
    least = rg_build_node(b, "Max", NULL, both, rg_build_scalar(b, 1e-6f), -1);
    x = rg_build_node(b, "Div", NULL, x, least, -1);
    least = rg_build_node(b, "Max", NULL, rg_build_param(b, "tau", RG_F32, 3, shape),
                          rg_build_scalar(b, 0.01f), -1);
    return rg_build_node(b, "Div", NULL, x, least, -1);
}

/* [batch * windows, places, channels] */
static void attend_cosines(rg_net *n, const tswin *t, const stage *s, const char *attn, bool shifted)
{
    rg_build *b = &n->b;
    rg_value_id part[3], x;
    int64_t width = n->channels, heads = width / t->head, places = s->window * s->window;
    project(n, t, attn);
    rg_value_id bias = bias_of(n, t, s, attn, heads);
    rg_net_name(n, attn, "");
    x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 0, 3, heads, t->head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,1,4", x, -1);
    for (int i = 0; i < 3; i++) part[i] = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, i), -1);
    x = cosines(b, t->version, part[0], part[1], heads);
    x = rg_build_node(b, "Add", NULL, x, bias, -1);
    if (shifted) {
        x = rg_zoo_reshape(b, x, 5, (const int64_t[]){-1, s->across * s->across, heads, places, places});
        x = rg_build_node(b, "Add", NULL, x, s->mask, -1);
        x = rg_zoo_reshape(b, x, 4, (const int64_t[]){-1, heads, places, places});
    }
    x = rg_build_node(b, "Softmax", "axis=-1", x, -1);
    x = rg_build_node(b, "MatMul", NULL, x, part[2], -1);
    x = rg_build_node(b, "Transpose", "perm=0,2,1,3", x, -1);
    n->x = rg_zoo_reshape(b, x, 3, (const int64_t[]){0, 0, width});
    n->channels = width;
    rg_net_dense(n, attn, "proj", width, true);
}

/* ---- blocks, on [batch, side, side, channels] ---- */

static void attend(rg_net *n, const tswin *t, const stage *s, const char *block, bool shifted)
{
    char attn[48];
    int64_t half = s->window / 2;
    snprintf(attn, sizeof attn, "%s.attn", block);
    rg_net_name(n, attn, "");
    rg_self_attention attention = {.scope = attn, .packed = "qkv", .out = "proj", .head = t->head,
                                   .heads = n->channels / t->head, .mask = shifted ? s->mask : 0,
                                   .windows = s->across * s->across, .positions = s->window * s->window};
    if (t->version == V1) {
        int64_t rows = (2 * s->window - 1) * (2 * s->window - 1);
        rg_value_id table = rg_build_param(&n->b, "relative_position_bias_table", RG_F32, 2,
                                           (const int64_t[]){rows, attention.heads});
        attention.bias = rg_zoo_bias_of_rows(&n->b, table, s->rows, s->window, attention.heads);
    }
    if (shifted) roll(n, 1, half), roll(n, 2, half);
    partition(n, s);
    if (t->version == V1) n->x = rg_zoo_self_attention(&n->b, n->x, &attention);
    else attend_cosines(n, t, s, attn, shifted);
    rg_net_name(n, attn, "");
    join(n, s);
    if (shifted) roll(n, 1, -half), roll(n, 2, -half);
}

static void encode(rg_net *n, const tswin *t, const stage *s, const char *block, bool shifted)
{
    bool before = t->version == V1;
    rg_value_id from = n->x;
    if (before) rg_net_layer_norm(n, block, "norm1", 1e-5);
    attend(n, t, s, block, shifted);
    if (!before) rg_net_layer_norm(n, block, "norm1", 1e-5);
    rg_net_add_scaled(n, block, NULL, false, from);
    from = n->x;
    if (before) rg_net_layer_norm(n, block, "norm2", 1e-5);
    rg_net_mlp(n, block, 4 * n->channels, "Gelu");
    if (!before) rg_net_layer_norm(n, block, "norm2", 1e-5);
    rg_net_add_scaled(n, block, NULL, false, from);
}

/* Four neighbors side by side, to twice the channels; V2 normalizes behind. */
static void merge(rg_net *n, const tswin *t, const char *scope, int64_t side)
{
    int64_t width = n->channels, half = side / 2;
    rg_net_name(n, scope, "");
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){0, half, 2, half, 2, width});
    rg_net_turn(n, "perm=0,1,3,4,2,5");
    n->x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, half, half, 4 * width});
    n->channels = 4 * width;
    if (t->version != V2) rg_net_layer_norm(n, scope, "norm", 1e-5);
    rg_net_dense(n, scope, "reduction", 2 * width, false);
    if (t->version == V2) rg_net_layer_norm(n, scope, "norm", 1e-5);
}

/* CR's third norm. */
static bool ends(const tswin *t, int index, int i)
{
    bool last = i == t->layers[index] - 1;
    if (t->version != CR) return false;
    return (t->norms > 1 && (i + 1) % t->norms == 0) || (last && (t->norms == 1 || index == STAGES - 1));
}

static void run_stage(rg_net *n, const tswin *t, int index)
{
    char name[40];
    stage s = {.side = t->side / PATCH >> index, .window = t->windows[index]};
    snprintf(name, sizeof name, t->version == CR ? "stages.%d.downsample" : "layers.%d.downsample", index);
    if (index) merge(n, t, name, 2 * s.side);
    if (s.window > s.side) s.window = s.side;
    s.across = s.side / s.window;
    n->b.scope = NULL;
    if (s.across > 1) s.mask = mask_of(&n->b, &s); /* a single window cannot be shifted */
    if (t->version != CR) s.rows = rg_zoo_offset_rows(&n->b, s.window);
    for (int i = 0; i < t->layers[index]; i++) {
        snprintf(name, sizeof name, t->version == CR ? "stages.%d.blocks.%d" : "layers.%d.blocks.%d", index,
                 i);
        encode(n, t, &s, name, i % 2 && s.mask);
        if (ends(t, index, i)) rg_net_layer_norm(n, name, "norm3", 1e-5);
    }
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const tswin *t = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, t->side));
    rg_zoo_scope(&n.b, "patch_embed.proj");
    rg_net_conv(&n, (rg_conv){t->width, .kernel = PATCH, .stride = PATCH, .pad = -1, .bias = true});
    rg_net_turn(&n, "perm=0,2,3,1");
    rg_net_layer_norm(&n, "patch_embed.norm", "", 1e-5);
    for (int i = 0; i < STAGES; i++) run_stage(&n, t, i);
    if (t->version != CR) rg_net_layer_norm(&n, "norm", "", 1e-5);
    rg_net_name(&n, "head", "");
    n.x = rg_build_node(&n.b, "ReduceMean", "keepdims=0", n.x,
                        rg_build_ints(&n.b, 2, (const int64_t[]){1, 2}), -1);
    rg_net_linear(&n, t->version == CR ? "head" : "head.fc", t->classes);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

#define EACH(window) window, window, window, window
#define S3(first, second) first, second, 14, 7
#define DEEP 2, 2, 18, 2
#define SHORT 2, 2, 6, 2

#define ROW(id, as, wide, each, size, deep, wins, further, class_count, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = size, .source = ZOO_SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const tswin){as, wide, each, size, {deep}, {wins}, further, class_count}, \
    };

#define ZOO_SOURCE                                                                                           \
    "Liu et al. 2021, arXiv:2103.14030, S3: Chen et al. 2021, arXiv:2111.14725; parameters: timm"

/* Name, version, width, features of a head, side, layers, windows, further norms, classes, parameters,
 * MACs. */
#define FIRST_LIST(X) \
    X(swin_base_patch4_window12_384, V1, 128, 32, 384, DEEP, EACH(12), 0, 1000, 87903584, 47083134976) \
    X(swin_large_patch4_window12_384, V1, 192, 32, 384, DEEP, EACH(12), 0, 1000, 196735516, 103919087616) \
    X(swin_s3_tiny_224, V1, 96, 32, 224, SHORT, S3(7, 7), 0, 1000, 28328674, 4623332352) \
    X(swin_s3_small_224, V1, 96, 32, 224, DEEP, S3(14, 14), 0, 1000, 49737298, 9404703744) \
    X(swin_s3_base_224, V1, 96, 32, 224, LONG, S3(7, 7), 0, 1000, 71125762, 13655012352)
#define LONG 2, 2, 30, 2
FIRST_LIST(ROW)

#undef ZOO_SOURCE
#define ZOO_SOURCE "Liu et al. 2022, arXiv:2111.09883; parameters: timm"

#define SECOND_LIST(X) \
    X(swinv2_tiny_window8_256, V2, 96, 32, 256, SHORT, EACH(8), 0, 1000, 28347016, 5939690496) \
    X(swinv2_tiny_window16_256, V2, 96, 32, 256, SHORT, EACH(16), 0, 1000, 28347016, 6660619264) \
    X(swinv2_small_window8_256, V2, 96, 32, 256, DEEP, EACH(8), 0, 1000, 49728136, 11545857024) \
    X(swinv2_small_window16_256, V2, 96, 32, 256, DEEP, EACH(16), 0, 1000, 49728136, 12783078400) \
    X(swinv2_base_window8_256, V2, 128, 32, 256, DEEP, EACH(8), 0, 1000, 87918440, 20325134336) \
    X(swinv2_base_window16_256, V2, 128, 32, 256, DEEP, EACH(16), 0, 1000, 87918440, 21969235968) \
    X(swinv2_base_window12_192, V2, 128, 32, 192, DEEP, EACH(12), 0, 21841, 109280465, 11877602304) \
    X(swinv2_base_window12to16_192to256, V2, 128, 32, 256, DEEP, EACH(16), 0, 1000, 87918440, 21969235968) \
    X(swinv2_base_window12to24_192to384, V2, 128, 32, 384, DEEP, EACH(24), 0, 1000, 87918440, 55148310528) \
    X(swinv2_large_window12_192, V2, 192, 32, 192, DEEP, EACH(12), 0, 21841, 228771985, 26133917184) \
    X(swinv2_large_window12to16_192to256, V2, 192, 32, 256, DEEP, EACH(16), 0, 1000, 196739368, 47740303360) \
    X(swinv2_large_window12to24_192to384, V2, 192, 32, 384, DEEP, EACH(24), 0, 1000, \
      196739368, 115991427072) \
    X(swinv2_cr_tiny_224, CR, 96, 32, 224, SHORT, EACH(7), 0, 1000, 28331986, 4642117776) \
    X(swinv2_cr_tiny_ns_224, CR, 96, 32, 224, SHORT, EACH(7), 1, 1000, 28333330, 4642117776) \
    X(swinv2_cr_tiny_384, CR, 96, 32, 384, SHORT, EACH(12), 0, 1000, 28331986, 15302608896) \
    X(swinv2_cr_small_224, CR, 96, 32, 224, DEEP, EACH(7), 0, 1000, 49694818, 9048702672) \
    X(swinv2_cr_small_ns_224, CR, 96, 32, 224, DEEP, EACH(7), 1, 1000, 49696162, 9048702672) \
    X(swinv2_cr_small_ns_256, CR, 96, 32, 256, DEEP, EACH(8), 1, 1000, 49696162, 12032980992) \
    X(swinv2_cr_small_384, CR, 96, 32, 384, DEEP, EACH(12), 0, 1000, 49694818, 29647276032) \
    X(swinv2_cr_base_224, CR, 128, 32, 224, DEEP, EACH(7), 0, 1000, 87877088, 15826631616) \
    X(swinv2_cr_base_ns_224, CR, 128, 32, 224, DEEP, EACH(7), 1, 1000, 87878880, 15826631616) \
    X(swinv2_cr_base_384, CR, 128, 32, 384, DEEP, EACH(12), 0, 1000, 87877088, 50500427776) \
    X(swinv2_cr_large_224, CR, 192, 32, 224, DEEP, EACH(7), 0, 1000, 196681948, 35047159200) \
    X(swinv2_cr_large_384, CR, 192, 32, 384, DEEP, EACH(12), 0, 1000, 196681948, 108853923840) \
    X(swinv2_cr_huge_224, CR, 352, 44, 224, DEEP, EACH(7), 6, 1000, 657829176, 115878812544) \
    X(swinv2_cr_huge_384, CR, 352, 32, 384, DEEP, EACH(12), 6, 1000, 657937746, 351846287360) \
    X(swinv2_cr_giant_224, CR, 512, 32, 224, GIANT, EACH(7), 6, 1000, 2598758856, 483622549248) \
    X(swinv2_cr_giant_384, CR, 512, 32, 384, GIANT, EACH(12), 6, 1000, 2598758856, 1450243883008)
#define GIANT 2, 2, 42, 2
SECOND_LIST(ROW)
