/* zoo_coatnet.c - CoAtNet (Dai et al. 2021), MaxViT (Tu et al. 2022) and timm's variants of both: four stages
 * of blocks that convolve (C: an inverted residual with a gate, or ConvNeXt's), that attend to the whole
 * image (T), or that convolve and then attend inside windows and across them (M):
 *
 *     window: a a b b        grid: a b a b       places that attend to each other share a letter
 *             a a b b              c d c d       (here of 2x2)
 *             c c d d              a b a b
 *             c c d d              c d c d
 *
 * Scores have a learned number for each offset of two places, from a table or from two small layers. T works
 * by 1x1 convolutions on images, which normalizing over channels leaves with their channels last; where
 * normalizing is by batch they stay as they were, and keys and values lie as no fused attention takes them.
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES = 4, HEAD = 32, PARTS = 32 };

/* How variants differ. */
enum {
    NEXT = 1,           /* ConvNeXt's block, scaled */
    FROM_OUT = 2,       /* the inner width is four times the result's, not the input's */
    OUT_BIAS = 4,       /* of the last convolution and of the one beside */
    EARLY = 8,          /* the gate stands before the second normalization */
    PRE_ACT = 16,       /* activation behind the first normalization */
    POOLED = 32,        /* shrunk by a pool, not by the convolution that looks around */
    MAX_POOL = 64,      /* by the largest of 3x3, not by the mean of 2x2 */
    NARROW = 128,       /* gates of a 16th, not a quarter of the inner width */
    GATE_RELU = 256,    /* not SiLU */
    EXPAND_FIRST = 512, /* attention has the result's width, not the input's */
    BESIDE_BIAS = 1024, /* of the convolution beside an attention that shrinks */
    SCALED = 2048,      /* what attention and its layers add is scaled by channel */
    BATCH = 4096,       /* attention's normalizations are by batch */
    GRID_ALONE = 8192,  /* M attends across windows alone */
    TENSORFLOW = 16384, /* margins as TensorFlow has them, Gelu by tanh */
    PAPER = FROM_OUT | OUT_BIAS | EXPAND_FIRST | BESIDE_BIAS,
    COAT = PRE_ACT | GATE_RELU, COAT2 = PRE_ACT | BESIDE_BIAS, MAX = NARROW | BESIDE_BIAS,
    COAT_OUT = OUT_BIAS | BESIDE_BIAS, CONVNEXT = NEXT | OUT_BIAS | BESIDE_BIAS,
    MAXX = CONVNEXT | SCALED, MAX_TF = FROM_OUT | OUT_BIAS | TENSORFLOW,
};

/* blocks: a letter for each stage, 'A' is one C before all T. offsets: features of the layers that make the
 * numbers of offsets, 0 for a table. hidden: features of the head's first layer, 0: there is none. */
typedef struct maxx {
    int64_t widths[STAGES];
    int layers[STAGES];
    int64_t stem;
    const char *blocks;
    int how;
    int64_t offsets, hidden, side, classes; /* classes 0: 1000 */
} maxx;

/* rows: by offset; last: channels come last. */
typedef struct stage { const maxx *m; int64_t side, window; rg_value_id rows; bool last; } stage;

/* ---- layers ---- */

static void activate(rg_net *n, const maxx *m)
{
    if (m->how & TENSORFLOW) n->x = rg_build_node(&n->b, "Gelu", "approximate=\"tanh\"", n->x, -1);
    else rg_net_activate(n, m->how & (NEXT | FROM_OUT) ? "Gelu" : "SiLU");
}

/* A margin of one behind, where TensorFlow's convolutions of stride 2 have theirs. */
static void convolve(rg_net *n, const maxx *m, const char *block, const char *name, rg_conv conv)
{
    rg_net_name(n, block, name);
    if (conv.stride == 2 && m->how & TENSORFLOW) {
        n->x = rg_build_node(&n->b, "Pad", NULL, n->x,
                             rg_build_ints(&n->b, 8, (const int64_t[]){0, 0, 0, 0, 0, 0, 1, 1}), -1);
        conv.pad = -1;
    }
    rg_net_conv(n, conv);
}

static void normalize_batch(rg_net *n, const maxx *m, const char *block, const char *name, bool activated)
{
    rg_net_name(n, block, name);
    rg_net_batch_norm(n);
    if (activated) activate(n, m);
}

static double epsilon(const maxx *m) { return m->how & TENSORFLOW ? 1e-5 : 1e-6; }

static void normalize(rg_net *n, const maxx *m, const char *block, const char *name)
{
    if (m->how & BATCH) normalize_batch(n, m, block, name, false);
    else rg_net_image_norm(n, block, name, epsilon(m));
}

static void shrink(rg_net *n, const maxx *m)
{
    if (m->how & MAX_POOL) rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = 2, .pad = 1});
    else rg_net_average_pool(n, (rg_pool){.kernel = 2});
}

/* What a block's result is added to. */
static rg_value_id beside(rg_net *n, const maxx *m, const char *block, int64_t width, int64_t stride,
                          bool bias)
{
    rg_net side = *n;
    if (stride == 1) return n->x;
    rg_net_name(&side, block, "shortcut.expand");
    shrink(&side, m);
    if (side.channels != width) rg_net_conv(&side, (rg_conv){.channels = width, .bias = bias});
    n->b = side.b;
    return side.x;
}

/* ---- convolution ---- */

static void gate(rg_net *n, const maxx *m, const char *block, const char *name, int64_t width)
{
    char scope[96];
    int64_t squeezed = (m->how & FROM_OUT ? width : n->channels) / (m->how & NARROW ? 16 : 4);
    snprintf(scope, sizeof scope, "%s.%s", block, name);
    rg_net_squeeze_excite(n, scope, squeezed, m->how & GATE_RELU ? "Relu" : "SiLU", "Sigmoid");
}

static void invert(rg_net *n, const maxx *m, const char *block, int64_t width, int64_t stride)
{
    bool bias = m->how & OUT_BIAS;
    int64_t inner = 4 * (m->how & FROM_OUT ? width : n->channels);
    rg_value_id before = beside(n, m, block, width, stride, bias);
    normalize_batch(n, m, block, "pre_norm", m->how & PRE_ACT);
    if (stride == 2 && m->how & POOLED) shrink(n, m), stride = 1;
    convolve(n, m, block, "conv1_1x1", (rg_conv){.channels = inner});
    normalize_batch(n, m, block, "norm1", true);
    convolve(n, m, block, "conv2_kxk", (rg_conv){inner, .kernel = 3, .stride = stride, .group = inner});
    if (m->how & EARLY) gate(n, m, block, "se_early", width);
    normalize_batch(n, m, block, "norm2", true);
    if (!(m->how & EARLY)) gate(n, m, block, "se", width);
    convolve(n, m, block, "conv3_1x1", (rg_conv){.channels = width, .bias = bias});
    rg_net_add_scaled(n, block, NULL, true, before);
}

static void image_mlp(rg_net *n, const maxx *m, const char *block)
{
    int64_t width = n->channels;
    rg_net_name(n, block, "mlp.fc1");
    rg_net_conv(n, (rg_conv){.channels = 4 * width, .bias = true});
    if (m->how & NEXT) activate(n, m);
    else rg_net_activate(n, "Gelu");
    rg_net_name(n, block, "mlp.fc2");
    rg_net_conv(n, (rg_conv){.channels = width, .bias = true});
}

static void convolve_block(rg_net *n, const maxx *m, const char *block, int64_t width, int64_t stride)
{
    if (!(m->how & NEXT)) {
        invert(n, m, block, width, stride);
        return;
    }
    rg_value_id before = beside(n, m, block, width, stride, true);
    rg_net_name(n, block, "conv_dw");
    rg_net_conv(n, (rg_conv){width, .kernel = 7, .stride = stride, .group = n->channels, .bias = true});
    rg_net_image_norm(n, block, "norm", epsilon(m));
    image_mlp(n, m, block);
    rg_net_add_scaled(n, block, "ls.gamma", true, before);
}

/* ---- attention ---- */

/* The numbers that offsets inside a window add to scores: [1, heads, window^2, window^2]. Two layers that
 * make them read the offsets' logarithms as an image of two channels. */
static rg_value_id bias_of(rg_net *n, const stage *s, const char *block, int64_t heads)
{
    rg_net table = *n;
    int64_t span = 2 * s->window - 1;
    if (!s->m->offsets) {
        rg_net_name(n, block, "attn.rel_pos");
        rg_value_id rows = rg_build_param(&n->b, "relative_position_bias_table", RG_F32, 2,
                                          (const int64_t[]){span * span, heads});
        return rg_zoo_bias_of_rows(&n->b, rows, s->rows, s->window, heads);
    }
    float *at;
    table.x = rg_zoo_floats(&n->b, 4, (const int64_t[]){1, 2, span, span}, &at);
    for (int64_t i = 0; at && i < 2 * span * span; i++) {
        double off = (double)((i < span * span ? i / span : i % span) - s->window + 1);
        at[i] = (float)copysign(log1p(fabs(off)), off);
    }
    table.b = n->b, table.channels = 2;
    rg_net_name(&table, block, "attn.rel_pos.mlp.fc1");
    rg_net_conv(&table, (rg_conv){.channels = s->m->offsets, .bias = true});
    rg_net_activate(&table, "Relu");
    rg_net_name(&table, block, "attn.rel_pos.mlp.fc2");
    rg_net_conv(&table, (rg_conv){.channels = heads, .bias = true});
    n->b = table.b;
    rg_net_name(n, block, "attn.rel_pos");
    table.x = rg_zoo_reshape(&n->b, table.x, 2, (const int64_t[]){heads, span * span});
    table.x = rg_build_node(&n->b, "Transpose", "perm=1,0", table.x, -1);
    return rg_zoo_bias_of_rows(&n->b, table.x, s->rows, s->window, heads);
}

/* On images in their usual order. */
static void attend_image(rg_net *n, const stage *s, const char *block, int64_t width, int64_t out)
{
    rg_build *b = &n->b;
    int64_t heads = width / HEAD, places = s->side * s->side;
    rg_net_name(n, block, "attn.qkv");
    rg_net_conv(n, (rg_conv){.channels = 3 * width, .bias = true});
    rg_value_id bias = bias_of(n, s, block, heads);
    rg_net_name(n, block, "attn");
    rg_value_id x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, heads, 3 * HEAD, places});
    rg_value_id q = rg_build_node(b, "Transpose", "perm=0,1,3,2", rg_zoo_cut(b, x, 2, 0, HEAD), -1);
    rg_value_id k = rg_zoo_cut(b, x, 2, HEAD, 2 * HEAD), v = rg_zoo_cut(b, x, 2, 2 * HEAD, 3 * HEAD);
    q = rg_build_node(b, "Mul", NULL, q, rg_build_scalar(b, (float)(1 / sqrt(HEAD))), -1);
    x = rg_build_node(b, "MatMul", NULL, q, k, -1);
    x = rg_build_node(b, "Softmax", "axis=-1", rg_build_node(b, "Add", NULL, x, bias, -1), -1);
    x = rg_build_node(b, "MatMul", NULL, x, rg_build_node(b, "Transpose", "perm=0,1,3,2", v, -1), -1);
    x = rg_build_node(b, "Transpose", "perm=0,1,3,2", x, -1);
    n->x = rg_zoo_reshape(b, x, 4, (const int64_t[]){0, width, s->side, s->side});
    n->channels = width;
    rg_net_name(n, block, "attn.proj");
    rg_net_conv(n, (rg_conv){.channels = out, .bias = true});
}

static void attend_image_block(rg_net *n, const stage *s, const char *block, int64_t width, int64_t stride)
{
    const maxx *m = s->m;
    bool scaled = m->how & SCALED;
    rg_value_id before = beside(n, m, block, width, stride, m->how & BESIDE_BIAS);
    normalize(n, m, block, stride == 2 ? "norm1.norm" : "norm1");
    if (stride == 2) shrink(n, m);
    attend_image(n, s, block, m->how & EXPAND_FIRST ? width : n->channels, width);
    rg_net_add_scaled(n, block, scaled ? "ls1.gamma" : NULL, true, before);
    before = n->x;
    normalize(n, m, block, "norm2");
    image_mlp(n, m, block);
    rg_net_add_scaled(n, block, scaled ? "ls2.gamma" : NULL, true, before);
}

/* On images whose channels come last, as normalizing over channels leaves them: 1x1 convolutions are linear
 * layers there. */
static void attend_last(rg_net *n, const stage *s, const char *block, int64_t width, int64_t out)
{
    char scope[64];
    rg_build *b = &n->b;
    int64_t heads = width / HEAD, places = s->side * s->side;
    snprintf(scope, sizeof scope, "%s.attn", block);
    rg_net_dense(n, scope, "qkv", 3 * width, true);
    rg_value_id part[3], bias = bias_of(n, s, block, heads);
    rg_net_name(n, scope, "");
    rg_value_id x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){0, places, heads, 3 * HEAD});
    x = rg_build_node(b, "Transpose", "perm=0,2,1,3", x, -1);
    for (int i = 0; i < 3; i++) part[i] = rg_zoo_cut(b, x, 3, i * HEAD, (i + 1) * HEAD);
    part[1] = rg_build_node(b, "Transpose", "perm=0,1,3,2", part[1], -1);
    x = rg_zoo_attend(b, part[0], part[1], part[2], bias, heads, HEAD, 0);
    n->x = rg_zoo_reshape(b, x, 4, (const int64_t[]){0, s->side, s->side, width});
    n->channels = width;
    rg_net_dense(n, scope, "proj", out, true);
}

/* To an image whose channels come last, unless it is one. */
static void turn_last(rg_net *n, stage *s)
{
    if (!s->last) rg_net_turn(n, "perm=0,2,3,1");
    s->last = true;
}

static void attend_last_block(rg_net *n, stage *s, const char *block, int64_t width, int64_t stride)
{
    const maxx *m = s->m;
    bool scaled = m->how & SCALED;
    rg_net from = *n;
    if (stride == 1) turn_last(n, s);
    from.x = stride == 2 ? beside(n, m, block, width, stride, m->how & BESIDE_BIAS) : n->x;
    if (stride == 2) {
        rg_net_turn(n, "perm=0,2,3,1");
        rg_net_layer_norm(n, block, "norm1.norm", epsilon(m));
        rg_net_turn(n, "perm=0,3,1,2");
        shrink(n, m);
        turn_last(n, s);
        from.x = rg_build_node(&n->b, "Transpose", "perm=0,2,3,1", from.x, -1);
    } else {
        rg_net_layer_norm(n, block, "norm1", epsilon(m));
    }
    attend_last(n, s, block, m->how & EXPAND_FIRST ? width : n->channels, width);
    rg_net_add_scaled(n, block, scaled ? "ls1.gamma" : NULL, false, from.x);
    from.x = n->x;
    rg_net_layer_norm(n, block, "norm2", epsilon(m));
    rg_net_mlp(n, block, 4 * width, "Gelu");
    rg_net_add_scaled(n, block, scaled ? "ls2.gamma" : NULL, false, from.x);
}

/* ---- attention inside windows and across them, on [batch, side, side, channels] ---- */

static void partition(rg_net *n, const stage *s, bool grid)
{
    int64_t window = s->window, across = s->side / window, tiles = grid ? window : across;
    const int64_t size = s->side / tiles;
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){0, tiles, size, tiles, size, n->channels});
    rg_net_turn(n, grid ? "perm=0,2,4,1,3,5" : "perm=0,1,3,2,4,5");
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){-1, window * window, n->channels});
}

static void join(rg_net *n, const stage *s, bool grid)
{
    int64_t window = s->window, across = s->side / window;
    n->x = rg_zoo_reshape(&n->b, n->x, 6,
                          (const int64_t[]){-1, across, across, window, window, n->channels});
    rg_net_turn(n, grid ? "perm=0,3,1,4,2,5" : "perm=0,1,3,2,4,5");
    n->x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, s->side, s->side, n->channels});
}

static void attend_windows(rg_net *n, const stage *s, const char *block, bool grid)
{
    char scope[80];
    const maxx *m = s->m;
    bool scaled = m->how & SCALED;
    int64_t width = n->channels;
    rg_value_id before = n->x;
    rg_net_layer_norm(n, block, "norm1", epsilon(m));
    snprintf(scope, sizeof scope, "%s.attn", block);
    rg_self_attention attention = {.scope = scope, .packed = "qkv", .out = "proj", .head = HEAD,
                                   .heads = width / HEAD};
    attention.bias = bias_of(n, s, block, attention.heads);
    rg_net_name(n, block, "");
    partition(n, s, grid);
    n->x = rg_zoo_self_attention(&n->b, n->x, &attention);
    rg_net_name(n, block, "");
    join(n, s, grid);
    rg_net_add_scaled(n, block, scaled ? "ls1.gamma" : NULL, false, before);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", epsilon(m));
    rg_net_dense(n, block, "mlp.fc1", 4 * width, true);
    if (m->how & TENSORFLOW) activate(n, m);
    else rg_net_activate(n, "Gelu");
    rg_net_dense(n, block, "mlp.fc2", width, true);
    rg_net_add_scaled(n, block, scaled ? "ls2.gamma" : NULL, false, before);
}

/* ---- the networks ---- */

static void run_block(rg_net *n, stage *s, int index, int i)
{
    const maxx *m = s->m;
    char block[40], part[64];
    int64_t width = m->widths[index], stride = i ? 1 : 2;
    char kind = m->blocks[index];
    snprintf(block, sizeof block, "stages.%d.blocks.%d", index, i);
    if (kind == 'A') kind = i ? 'T' : 'C';
    if (kind == 'T') {
        if (m->how & BATCH) attend_image_block(n, s, block, width, stride);
        else attend_last_block(n, s, block, width, stride);
        return;
    }
    snprintf(part, sizeof part, kind == 'M' ? "%s.conv" : "%s", block);
    convolve_block(n, m, part, width, stride);
    if (kind == 'C') return;
    rg_net_turn(n, "perm=0,2,3,1");
    snprintf(part, sizeof part, "%s.attn_block", block);
    if (!(m->how & GRID_ALONE)) attend_windows(n, s, part, false);
    snprintf(part, sizeof part, "%s.attn_grid", block);
    attend_windows(n, s, part, true);
    rg_net_turn(n, "perm=0,3,1,2");
}

static void classify(rg_net *n, const maxx *m)
{
    if (!m->hidden) normalize(n, m, "norm", "");
    rg_net_name(n, "head", "");
    rg_net_global_pool(n);
    if (m->hidden) rg_net_image_norm(n, "head.norm", "", epsilon(m));
    rg_net_flatten(n);
    if (m->hidden) {
        rg_net_linear(n, "head.pre_logits.fc", m->hidden);
        rg_net_activate(n, "Tanh");
    }
    rg_net_linear(n, "head.fc", m->classes ? m->classes : 1000);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const maxx *m = self->layout;
    stage s = {.m = m, .side = m->side / 2, .window = m->side / PARTS};
    bool bias = m->how & TENSORFLOW;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, m->side));
    if (m->how & TENSORFLOW) n.epsilon = 1e-3;
    int64_t first = m->how & FROM_OUT ? m->stem : m->stem == 32 ? 24 : m->stem / 2;
    convolve(&n, m, "stem", "conv1", (rg_conv){first, .kernel = 3, .stride = 2, .bias = bias});
    if (m->how & NEXT) rg_net_image_norm(&n, "stem.norm1", "", 1e-6), activate(&n, m);
    else normalize_batch(&n, m, "stem", "norm1", true);
    convolve(&n, m, "stem", "conv2", (rg_conv){m->stem, .kernel = 3, .bias = bias});
    for (int i = 0; i < STAGES; i++) {
        s.side /= 2;
        if (m->blocks[i] == 'T' || m->blocks[i] == 'A') s.window = s.side;
        n.b.scope = NULL;
        if (m->blocks[i] != 'C') s.rows = rg_zoo_offset_rows(&n.b, s.window);
        for (int k = 0; k < m->layers[i]; k++) run_block(&n, &s, i, k);
        if (s.last) rg_net_turn(&n, "perm=0,3,1,2");
        s.last = false;
    }
    classify(&n, m);
    return rg_net_done(&n, out);
}

#define W(first) first, 2 * (first), 4 * (first), 8 * (first) /* widths that double */
#define WIDEST 256, 512, 1280, 2048

#define ROW(id, widths, l1, l2, l3, l4, wide, kinds, as, offset, inner, size, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = (as) & BATCH ? "cnn" : "transformer", .image = size, .source = ZOO_SOURCE, \
        .build = build, .parameters = params, .macs = mac, \
        .layout = &(const maxx){{widths}, {l1, l2, l3, l4}, wide, kinds, as, offset, inner, size, 0}, \
    };

#define ZOO_SOURCE "Dai et al. 2021, arXiv:2106.04803; parameters: timm"

/* Name, widths, layers, channels of the stem, blocks, how, features of offsets' layers, features of the
 * head's first layer, side, parameters, MACs. */
#define COATNET_LIST(X) \
    X(coatnet_pico_rw_224, W(64), 2, 3, 5, 2, 64, "CCTT", COAT_OUT, 0, 0, 224, 10851364, 2028459520) \
    X(coatnet_nano_rw_224, W(64), 3, 4, 6, 3, 64, "CCTT", COAT_OUT | POOLED, 0, 0, \
      224, 15141244, 2382715392) \
    X(coatnet_nano_cc_224, W(64), 3, 4, 6, 3, 64, "CCAA", COAT | BESIDE_BIAS | POOLED, 0, 0, \
      224, 13757328, 2213098496) \
    X(coatnet_0_rw_224, W(96), 2, 3, 7, 2, 64, "CCTT", COAT | EARLY | POOLED, 0, 0, \
      224, 27435562, 4406300928) \
    X(coatnet_1_rw_224, W(96), 2, 6, 14, 2, 64, "CCTT", COAT | EARLY, 0, 0, 224, 41721502, 7992160512) \
    X(coatnet_2_rw_224, W(128), 2, 6, 14, 2, 128, "CCTT", COAT2, 0, 0, 224, 73868400, 15019256832) \
    X(coatnet_bn_0_rw_224, W(96), 2, 3, 7, 2, 64, "CCTT", COAT | EARLY | BATCH, 0, 0, \
      224, 27435562, 4647145728) \
    X(coatnet_rmlp_nano_rw_224, W(64), 3, 4, 6, 3, 64, "CCTT", COAT_OUT, 384, 0, 224, 15145116, 2594052864) \
    X(coatnet_rmlp_0_rw_224, W(96), 2, 3, 7, 2, 64, "CCTT", COAT | BESIDE_BIAS, 512, 0, \
      224, 27446074, 4684945664) \
    X(coatnet_rmlp_1_rw_224, W(96), 2, 6, 14, 2, 64, "CCTT", COAT | EARLY | POOLED | MAX_POOL, 384, 0, \
      224, 41691982, 7807099392) \
    X(coatnet_rmlp_1_rw2_224, W(96), 2, 6, 14, 2, 64, "CCTT", COAT | BESIDE_BIAS, 512, 0, \
      224, 41724622, 8066538752) \
    X(coatnet_rmlp_2_rw_224, W(128), 2, 6, 14, 2, 128, "CCTT", COAT2 | SCALED, 512, 0, \
      224, 73881264, 15114828800) \
    X(coatnet_rmlp_2_rw_384, W(128), 2, 6, 14, 2, 128, "CCTT", COAT2 | SCALED, 512, 0, \
      384, 73881264, 47488266240) \
    X(coatnet_rmlp_3_rw_224, W(192), 2, 6, 14, 2, 192, "CCTT", COAT2 | SCALED, 512, 0, \
      224, 165152788, 33458952704) \
    X(coatnext_nano_rw_224, W(64), 3, 4, 6, 3, 64, "CCTT", CONVNEXT, 0, 0, 224, 14701244, 2461268480) \
    X(coatnet_0_224, W(96), 2, 3, 5, 2, 64, "CCTT", PAPER, 0, 768, 224, 25036820, 4546507776) \
    X(coatnet_1_224, W(96), 2, 6, 14, 2, 64, "CCTT", PAPER, 0, 768, 224, 42225776, 8643499008) \
    X(coatnet_2_224, W(128), 2, 6, 14, 2, 128, "CCTT", PAPER, 0, 1024, 224, 74684744, 16427134976) \
    X(coatnet_3_224, W(192), 2, 6, 14, 2, 192, "CCTT", PAPER, 0, 1536, 224, 166966264, 36453156864) \
    X(coatnet_4_224, W(192), 2, 12, 28, 2, 192, "CCTT", PAPER, 0, 1536, 224, 275425288, 62316840960) \
    X(coatnet_5_224, WIDEST, 2, 12, 28, 2, 192, "CCTT", PAPER, 0, 2048, 224, 687472008, 145264287744)
COATNET_LIST(ROW)

#undef ZOO_SOURCE

#define ZOO_SOURCE "Tu et al. 2022, arXiv:2204.01697; parameters: timm"

#define MAXVIT_LIST(X) \
    X(maxvit_pico_rw_256, W(32), 2, 2, 5, 2, 32, "MMMM", MAX, 0, 0, 256, 7457996, 1802452992) \
    X(maxvit_nano_rw_256, W(64), 1, 2, 3, 1, 64, "MMMM", MAX, 0, 0, 256, 15451148, 4416999424) \
    X(maxvit_tiny_rw_224, W(64), 2, 2, 5, 2, 64, "MMMM", MAX, 0, 0, 224, 29057312, 5068002304) \
    X(maxvit_tiny_rw_256, W(64), 2, 2, 5, 2, 64, "MMMM", MAX, 0, 0, 256, 29066720, 6689665024) \
    X(maxvit_rmlp_pico_rw_256, W(32), 2, 2, 5, 2, 32, "MMMM", MAX, 512, 0, 256, 7515980, 1817198592) \
    X(maxvit_rmlp_nano_rw_256, W(64), 1, 2, 3, 1, 64, "MMMM", MAX, 512, 0, 256, 15501452, 4431745024) \
    X(maxvit_rmlp_tiny_rw_256, W(64), 2, 2, 5, 2, 64, "MMMM", MAX, 512, 0, 256, 29148896, 6714087424) \
    X(maxvit_rmlp_small_rw_224, W(96), 2, 2, 5, 2, 64, "MMMM", MAX | SCALED, 512, 0, \
      224, 64895044, 10691100160) \
    X(maxvit_rmlp_small_rw_256, W(96), 2, 2, 5, 2, 64, "MMMM", MAX | SCALED, 512, 0, \
      256, 64895044, 14069594112) \
    X(maxvit_rmlp_base_rw_224, W(96), 2, 6, 14, 2, 64, "MMMM", MAX, 512, 768, 224, 116135788, 23041795584) \
    X(maxvit_rmlp_base_rw_384, W(96), 2, 6, 14, 2, 64, "MMMM", MAX, 512, 768, 384, 116135788, 70652678144) \
    X(maxxvit_rmlp_nano_rw_256, W(64), 1, 2, 3, 1, 64, "MMMM", MAXX, 512, 0, 256, 16779628, 4344532992) \
    X(maxxvit_rmlp_tiny_rw_256, W(64), 2, 2, 5, 2, 64, "MMMM", MAXX, 512, 0, 256, 29636528, 6631618560) \
    X(maxxvit_rmlp_small_rw_256, W(96), 2, 2, 5, 2, 96, "MMMM", MAXX, 512, 0, 256, 66010516, 14619445248) \
    X(maxxvitv2_nano_rw_256, W(96), 1, 2, 3, 1, 96, "MMMM", MAXX | GRID_ALONE, 0, 0, \
      256, 23696611, 6243022848) \
    X(maxxvitv2_rmlp_base_rw_224, W(128), 2, 6, 12, 2, 128, "MMMM", MAXX | GRID_ALONE, 512, 0, \
      224, 116092512, 24149524480) \
    X(maxxvitv2_rmlp_base_rw_384, W(128), 2, 6, 12, 2, 128, "MMMM", MAXX | GRID_ALONE, 512, 0, \
      384, 116092512, 72823040000) \
    X(maxxvitv2_rmlp_large_rw_224, W(160), 2, 6, 16, 2, 160, "MMMM", MAXX | GRID_ALONE, 512, 1280, \
      224, 215417166, 44069372416)
MAXVIT_LIST(ROW)

/* As published, with windows of a 32nd of the side. */
#define MAXVIT_TF_LIST(X) \
    X(maxvit_tiny_tf_224, W(64), 2, 2, 5, 2, 64, "MMMM", MAX_TF, 0, 512, 224, 30916528, 5545201664) \
    X(maxvit_tiny_tf_384, W(64), 2, 2, 5, 2, 64, "MMMM", MAX_TF, 0, 512, 384, 30977008, 17299738624) \
    X(maxvit_tiny_tf_512, W(64), 2, 2, 5, 2, 64, "MMMM", MAX_TF, 0, 512, 512, 31049584, 32867028992) \
    X(maxvit_small_tf_224, W(96), 2, 2, 5, 2, 64, "MMMM", MAX_TF, 0, 768, 224, 68927956, 11579172864) \
    X(maxvit_small_tf_384, W(96), 2, 2, 5, 2, 64, "MMMM", MAX_TF, 0, 768, 384, 69018676, 35531065344) \
    X(maxvit_small_tf_512, W(96), 2, 2, 5, 2, 64, "MMMM", MAX_TF, 0, 768, 512, 69127540, 66333050880) \
    X(maxvit_base_tf_224, W(96), 2, 6, 14, 2, 64, "MMMM", MAX_TF, 0, 768, 224, 119467708, 23901935616) \
    X(maxvit_base_tf_384, W(96), 2, 6, 14, 2, 64, "MMMM", MAX_TF, 0, 768, 384, 119653468, 73168029696) \
    X(maxvit_base_tf_512, W(96), 2, 6, 14, 2, 64, "MMMM", MAX_TF, 0, 768, 512, 119876380, 136235649024) \
    X(maxvit_large_tf_224, W(128), 2, 6, 14, 2, 128, "MMMM", MAX_TF, 0, 1024, 224, 211785560, 43492564992) \
    X(maxvit_large_tf_384, W(128), 2, 6, 14, 2, 128, "MMMM", MAX_TF, 0, 1024, 384, 212033240, 131709181952) \
    X(maxvit_large_tf_512, W(128), 2, 6, 14, 2, 128, "MMMM", MAX_TF, 0, 1024, 512, 212330456, 242359246848) \
    X(maxvit_xlarge_tf_384, W(192), 2, 6, 14, 2, 192, "MMMM", MAX_TF, 0, 1536, 384, 475323472, 291511578624) \
    X(maxvit_xlarge_tf_512, W(192), 2, 6, 14, 2, 192, "MMMM", MAX_TF, 0, 1536, 512, 475769296, 530549354496)
MAXVIT_TF_LIST(ROW)

/* The weights that timm has of these two tell more classes: ImageNet-12k, ImageNet-21k. */
RG_ZOO(coatnet_3_rw_224) = {
    .name = "coatnet_3_rw_224", .family = "transformer", .image = 224, .build = build,
    .source = "Dai et al. 2021, arXiv:2106.04803; parameters: timm",
    .parameters = 181805305, .macs = 33337614336,
    .layout = &(const maxx){{W(192)}, {2, 6, 14, 2}, 192, "CCTT", COAT2 | SCALED, 0, 0, 224, 11821},
};

RG_ZOO(maxvit_xlarge_tf_224) = {
    .name = "maxvit_xlarge_tf_224", .family = "transformer", .image = 224, .build = build,
    .source = ZOO_SOURCE, .parameters = 506987643, .macs = 97245860352,
    .layout = &(const maxx){{W(192)}, {2, 6, 14, 2}, 192, "MMMM", MAX_TF, 0, 1536, 224, 21843},
};
