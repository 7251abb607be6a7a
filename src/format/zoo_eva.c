/* zoo_eva.c - BEiT (Bao et al. 2021), its second version, EVA and EVA-02 (Fang et al. 2022, 2023) as timm has
 * them: vision transformers whose queries and values alone have a bias, with a table of numbers for the
 * offset of two patches (and three more for the class token), or with patches told apart by turning pairs of
 * features of queries and keys,
 *
 *     x = x cos + (-x1, x0, -x3, x2, ...) sin      angles by row and column, the class token as it is
 *
 * and with gated layers, normalized inside.
 */
#include "format/zoo.h"

#include <math.h>

enum {
    OFFSETS = 1,    /* a table of offsets, and no table of places */
    SCALED = 2,
    ROTARY = 4,
    GATED = 8,      /* silu(gate) * other, of one layer; of two, normalized, where INNER */
    INNER = 16,
    APART = 32,     /* queries, keys and values of three layers */
    NORM_OUT = 64,  /* behind attention, before its way out */
    POST = 128,     /* norms stand behind attention and layers */
    TOKEN = 256,    /* the class token is classified, else the mean of the patches */
    BEIT = OFFSETS | SCALED, SMALL_02 = ROTARY | GATED, LARGE_02 = ROTARY | GATED | INNER | APART,
    CLIP_02 = LARGE_02 | NORM_OUT | TOKEN,
};

typedef struct eva { int64_t patch, side, width, layers, heads, inner; int how; int64_t classes; } eva;

/* What all blocks share: rows of offsets, or cosines and sines [patches, features of a head]. */
typedef struct shared { rg_value_id rows, cosines, sines; } shared;

static int64_t across(const eva *e) { return e->side / e->patch; }

/* [(patches + 1)^2] rows of the table: offsets, then token to patch, patch to token, token to itself. */
static rg_value_id rows_of(rg_build *b, int64_t side)
{
    int64_t size = side * side + 1, span = 2 * side - 1, *rows = RG_NEW(&b->g->arena, int64_t, size * size);
    if (!rows && !b->err) b->err = rg_nomem(b->cx);
    if (b->err) return 0;
    for (int64_t i = 0; i < size; i++) {
        for (int64_t k = 0; k < size; k++) {
            int64_t down = (i - 1) / side - (k - 1) / side, right = (i - 1) % side - (k - 1) % side;
            int64_t row = (down + side - 1) * span + right + side - 1;
            rows[i * size + k] = i && k ? row : span * span + (i ? 1 : k ? 0 : 2);
        }
    }
    return rg_build_ints(b, (int)(size * size), rows);
}

static rg_value_id bias_of(rg_build *b, const eva *e, rg_value_id rows)
{
    int64_t span = 2 * across(e) - 1, size = across(e) * across(e) + 1;
    rg_value_id table = rg_build_param(b, "relative_position_bias_table", RG_F32, 2,
                                       (const int64_t[]){span * span + 3, e->heads});
    rg_value_id bias = rg_build_node(b, "Gather", "axis=0", table, rows, -1);
    bias = rg_zoo_reshape(b, bias, 3, (const int64_t[]){size, size, e->heads});
    bias = rg_build_node(b, "Transpose", "perm=2,0,1", bias, -1);
    return rg_build_node(b, "Unsqueeze", NULL, bias, rg_build_ints(b, 1, (const int64_t[]){0}), -1);
}

/* Half of a head's pairs turn by the row, half by the column, at frequencies 10000^(-i / (head / 4)); places
 * as of a 16 x 16 image. */
static void turns_of(rg_build *b, const eva *e, shared *s)
{
    float *cosine, *sine;
    int64_t head = e->width / e->heads, side = across(e), bands = head / 4;
    const int64_t shape[] = {side * side, head};
    s->cosines = rg_zoo_floats(b, 2, shape, &cosine);
    s->sines = rg_zoo_floats(b, 2, shape, &sine);
    for (int64_t i = 0; sine && i < side * side * head; i++) {
        int64_t place = i / head, pair = i % head / 2;
        double at = (double)(pair < bands ? place / side : place % side) * 16 / (double)side;
        double angle = at * pow(10000, -(double)(pair % bands) / (double)bands);
        cosine[i] = (float)cos(angle), sine[i] = (float)sin(angle);
    }
}

/* Of x [batch, heads, 1 + patches, head] the patches, turned. */
static rg_value_id turned(rg_build *b, const eva *e, const shared *s, rg_value_id x)
{
    int64_t head = e->width / e->heads, places = across(e) * across(e);
    rg_value_id last = rg_build_ints(b, 1, (const int64_t[]){-1}),
                step = rg_build_ints(b, 1, (const int64_t[]){2});
    rg_value_id end = rg_build_ints(b, 1, &head), parts[2], patches = rg_zoo_cut(b, x, 2, 1, INT64_MAX);
    for (int64_t i = 0; i < 2; i++) {
        rg_value_id from = rg_build_ints(b, 1, (const int64_t[]){1 - i});
        parts[i] = rg_build_node(b, "Slice", NULL, patches, from, end, last, step, -1);
        if (!i) parts[i] = rg_build_node(b, "Neg", NULL, parts[i], -1);
        parts[i] = rg_build_node(b, "Unsqueeze", NULL, parts[i], last, -1);
    }
    rg_value_id other = rg_build_node(b, "Concat", "axis=-1", parts[0], parts[1], -1);
    other = rg_zoo_reshape(b, other, 4, (const int64_t[]){0, e->heads, places, head});
    rg_value_id sum = rg_build_node(b, "Add", NULL, rg_build_node(b, "Mul", NULL, patches, s->cosines, -1),
                                    rg_build_node(b, "Mul", NULL, other, s->sines, -1), -1);
    return rg_build_node(b, "Concat", "axis=2", rg_zoo_cut(b, x, 2, 0, 1), sum, -1);
}

/* ---- blocks ---- */

/* Queries, keys, values, [batch, heads, positions, head]. */
static void project(rg_net *n, const eva *e, const char *attn, rg_value_id part[3])
{
    static const char *const names[] = {"q_proj", "k_proj", "v_proj"};
    rg_build *b = &n->b;
    float *zeros;
    int64_t head = e->width / e->heads;
    rg_value_id from = n->x, x;
    for (int i = 0; i < 3 && e->how & APART; i++) {
        n->x = from;
        rg_net_dense(n, attn, names[i], e->width, i != 1);
        part[i] = rg_zoo_split_heads(b, n->x, e->heads, head, false);
    }
    if (e->how & APART) return;
    rg_net_dense(n, attn, "qkv", 3 * e->width, false);
    n->channels = e->width;
    rg_net_name(n, attn, "");
    rg_value_id q = rg_build_param(b, "q_bias", RG_F32, 1, &e->width);
    rg_value_id k = rg_zoo_floats(b, 1, &e->width, &zeros);
    rg_value_id v = rg_build_param(b, "v_bias", RG_F32, 1, &e->width);
    x = rg_build_node(b, "Add", NULL, n->x, rg_build_node(b, "Concat", "axis=0", q, k, v, -1), -1);
    x = rg_zoo_reshape(b, x, 5, (const int64_t[]){0, 0, 3, e->heads, head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,1,4", x, -1);
    for (int i = 0; i < 3; i++) part[i] = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, i), -1);
}

static void attend(rg_net *n, const eva *e, const shared *s, const char *block)
{
    char attn[48];
    rg_build *b = &n->b;
    rg_value_id part[3], bias = 0;
    snprintf(attn, sizeof attn, "%s.attn", block);
    project(n, e, attn, part);
    rg_net_name(n, attn, "");
    if (e->how & OFFSETS) bias = bias_of(b, e, s->rows);
    for (int i = 0; i < 2 && e->how & ROTARY; i++) part[i] = turned(b, e, s, part[i]);
    part[1] = rg_build_node(b, "Transpose", "perm=0,1,3,2", part[1], -1);
    n->x = rg_zoo_attend(b, part[0], part[1], part[2], bias, e->heads, e->width / e->heads, 0);
    if (e->how & NORM_OUT) rg_net_layer_norm(n, attn, "norm", 1e-6);
    rg_net_dense(n, attn, "proj", e->width, true);
}

static void layers(rg_net *n, const eva *e, const char *block)
{
    rg_build *b = &n->b;
    rg_value_id from = n->x, gate;
    if (!(e->how & GATED)) {
        rg_net_mlp(n, block, e->inner, "Gelu");
        return;
    }
    if (e->how & INNER) {
        rg_net_dense(n, block, "mlp.fc1_g", e->inner, true);
        gate = n->x, n->x = from, n->channels = e->width;
        rg_net_dense(n, block, "mlp.fc1_x", e->inner, true);
        from = n->x;
    } else {
        rg_net_dense(n, block, "mlp.fc1", 2 * e->inner, true);
        gate = rg_zoo_cut(b, n->x, 2, 0, e->inner);
        from = rg_zoo_cut(b, n->x, 2, e->inner, 2 * e->inner);
    }
    n->x = gate, n->channels = e->inner;
    rg_net_activate(n, "SiLU");
    n->x = rg_build_node(b, "Mul", NULL, n->x, from, -1);
    if (e->how & INNER) rg_net_layer_norm(n, block, "mlp.norm", 1e-6);
    rg_net_dense(n, block, "mlp.fc2", e->width, true);
}

static void encode(rg_net *n, const eva *e, const shared *s, const char *block)
{
    for (int half = 0; half < 2; half++) {
        const char *norm = half ? "norm2" : "norm1", *gamma = half ? "gamma_2" : "gamma_1";
        rg_value_id before = n->x;
        if (!(e->how & POST)) rg_net_layer_norm(n, block, norm, 1e-6);
        if (half) layers(n, e, block);
        else attend(n, e, s, block);
        if (e->how & POST) rg_net_layer_norm(n, block, norm, 1e-6);
        rg_net_add_scaled(n, block, e->how & SCALED ? gamma : NULL, false, before);
    }
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const eva *e = self->layout;
    int64_t patches = across(e) * across(e);
    shared s = {0};
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, e->side));
    rg_value_id batch = rg_zoo_batch(&n.b, n.x);
    rg_zoo_scope(&n.b, "patch_embed.proj");
    rg_net_conv(&n, (rg_conv){e->width, .kernel = e->patch, .stride = e->patch, .pad = -1, .bias = true});
    rg_net_unroll(&n);
    rg_value_id token = rg_zoo_tokens(&n.b, "cls_token", 1, e->width, batch);
    n.x = rg_build_node(&n.b, "Concat", "axis=1", token, n.x, -1);
    if (e->how & OFFSETS) s.rows = rows_of(&n.b, across(e));
    else
        rg_net_add(&n,
                   rg_build_param(&n.b, "pos_embed", RG_F32, 3, (const int64_t[]){1, 1 + patches, e->width}));
    if (e->how & ROTARY) turns_of(&n.b, e, &s);
    for (int64_t i = 0; i < e->layers; i++) {
        char block[32];
        snprintf(block, sizeof block, "blocks.%d", (int)i);
        encode(&n, e, &s, block);
    }
    if (e->how & TOKEN) {
        rg_net_layer_norm(&n, "norm", "", 1e-6);
        n.x = rg_build_node(&n.b, "Gather", "axis=1", n.x, rg_zoo_int(&n.b, 0), -1);
    } else {
        n.x = rg_zoo_mean(&n.b, rg_zoo_cut(&n.b, n.x, 1, 1, INT64_MAX), 1);
        rg_net_layer_norm(&n, "fc_norm", "", 1e-6);
    }
    if (e->classes) rg_net_linear(&n, "head", e->classes);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

/* Width, layers, heads. */
#define TINY 192, 12, 3
#define SMALL 384, 12, 6
#define BASE 768, 12, 12
#define LARGE 1024, 24, 16
#define GIANT 1408, 40, 16

#define ROW(id, cut, size, sizes, wide, as, class_count, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = size, .source = ZOO_SOURCE, .build = build, \
        .parameters = params, .macs = mac, .layout = &(const eva){cut, size, sizes, wide, as, class_count}, \
    };

#define ZOO_SOURCE "Bao et al. 2021, arXiv:2106.08254, arXiv:2208.06366; parameters: timm"

/* Name, patch, side, sizes, inner width, how, classes, parameters, MACs. */
#define BEIT_LIST(X) \
    X(beit_base_patch16_224, 16, 224, BASE, 3072, BEIT, 1000, 86530984, 17563828224) \
    X(beit_base_patch16_384, 16, 384, BASE, 3072, BEIT, 1000, 86744104, 55484350464) \
    X(beit_large_patch16_224, 16, 224, LARGE, 4096, BEIT, 1000, 304430568, 61554712576) \
    X(beit_large_patch16_384, 16, 384, LARGE, 4096, BEIT, 1000, 304998888, 191066300416) \
    X(beit_large_patch16_512, 16, 512, LARGE, 4096, BEIT, 1000, 305674728, 361986285568) \
    X(beitv2_base_patch16_224, 16, 224, BASE, 3072, BEIT, 1000, 86530984, 17563828224) \
    X(beitv2_large_patch16_224, 16, 224, LARGE, 4096, BEIT, 1000, 304430568, 61554712576)
BEIT_LIST(ROW)

#undef ZOO_SOURCE
#define ZOO_SOURCE "Fang et al. 2022, 2023, arXiv:2211.07636, arXiv:2303.11331; parameters: timm"

#define EVA_LIST(X) \
    X(eva_giant_patch14_224, 14, 224, GIANT, 6144, 0, 1000, 1012555112, 267031491584) \
    X(eva_giant_patch14_336, 14, 336, GIANT, 6144, 0, 1000, 1013005672, 620319192064) \
    X(eva_giant_patch14_560, 14, 560, GIANT, 6144, 0, 1000, 1014447464, 1905861309440) \
    X(eva_giant_patch14_clip_224, 14, 224, GIANT, 6144, TOKEN, 1024, 1012588928, 267031525376) \
    X(eva02_tiny_patch14_224, 14, 224, TINY, 512, SMALL_02, 0, 5502144, 1697518080) \
    X(eva02_small_patch14_224, 14, 224, SMALL, 1024, SMALL_02, 0, 21621120, 6123561984) \
    X(eva02_base_patch14_224, 14, 224, BASE, 2048, LARGE_02, 0, 85758720, 23161227264) \
    X(eva02_large_patch14_224, 14, 224, LARGE, 2730, LARGE_02, 0, 303268800, 80999350272) \
    X(eva02_tiny_patch14_336, 14, 336, TINY, 512, SMALL_02, 1000, 5756584, 4662312960) \
    X(eva02_small_patch14_336, 14, 336, SMALL, 1024, SMALL_02, 1000, 22129000, 15450537984) \
    X(eva02_base_patch14_448, 14, 448, BASE, 2048, LARGE_02, 1000, 87117544, 106886332416) \
    X(eva02_large_patch14_448, 14, 448, LARGE, 2730, LARGE_02, 1000, 305080232, 361747161088) \
    X(eva02_base_patch16_clip_224, 16, 224, BASE, 2048, CLIP_02, 512, 86263040, 17563453440) \
    X(eva02_large_patch14_clip_224, 14, 224, LARGE, 2730, CLIP_02, 768, 304105152, 81000136704) \
    X(eva02_large_patch14_clip_336, 14, 336, LARGE, 2730, CLIP_02, 768, 304432832, 190931533824) \
    X(eva02_enormous_patch14_clip_224, 14, 224, ENORMOUS, 15360, POST | TOKEN, 1024, \
      4350556928, 1132163465216)
#define ENORMOUS 1792, 64, 16
EVA_LIST(ROW)
