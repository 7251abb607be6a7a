/* zoo_vit_timm.c - timm's variants of the vision transformer: without class token or with further ones
 * (registers, a second one that had a teacher), classified by the mean of the patches or by a query that is
 * learned (map), with offsets' numbers from two small layers instead of places, with gated layers, with
 * normalizations elsewhere, with two of each layer side by side.
 *
 *     x = x + scale attention(norm(x)), x = x + scale layers(norm(x))        mostly
 *     x = x + norm(attention(x)), x = x + norm(layers(x))                    POST
 *     x = x + sum of two scale attention(norm(x)), the same of the layers    TWICE
 */
#include "format/zoo.h"

#include <math.h>

enum {
    TOKEN = 1,      /* a class token, which is classified unless MEAN */
    MEAN = 2,       /* the mean of the patches is */
    MAP = 4,        /* what a learned query gets from all is */
    NORM_LAST = 8,  /* normalized behind that, not before */
    NO_NORM = 16,   /* neither */
    BARE = 32,      /* tokens have no place */
    FIRST_NORM = 64, /* behind the patches, which have no bias then: CLIP */
    UNBIASED = 128, /* queries, keys and values */
    SCALED = 256,
    POST = 512, TWICE = 1024,
    GATED = 2048,   /* inner is both halves */
    QUICK = 4096,   /* x sigmoid(1.702 x) for Gelu */
    TANH = 8192,    /* Gelu by tanh */
    SHARED = 16384, /* one table of offsets for all layers */
    TAUGHT = 32768, /* a token with a teacher beside the class token, and a head of its own */
    CLIP = TOKEN | FIRST_NORM, DINO = TOKEN | SCALED, POOLED = MEAN | NORM_LAST,
    REGISTERED = POOLED | BARE | SCALED, RELPOS = POOLED | UNBIASED | SCALED,
};

typedef struct tvit {
    int64_t patch, side, width, layers, heads, inner;
    int how;
    int64_t registers, offsets, classes; /* offsets: features of the layers that make their numbers, 0: places
                                          * have a table; classes 0: none, what would be classified is told */
} tvit;

/* ---- patches, tokens, places ---- */

static int64_t tokens_of(const tvit *v)
{
    return !!(v->how & TOKEN) + !!(v->how & TAUGHT) + v->registers;
}

static void add_places(rg_net *n, int64_t count)
{
    n->b.scope = NULL;
    rg_net_add(n, rg_build_param(&n->b, "pos_embed", RG_F32, 3, (const int64_t[]){1, count, n->channels}));
}

static void embed(rg_net *n, const tvit *v)
{
    int64_t across = v->side / v->patch, patches = across * across;
    uint32_t count = 0;
    rg_value_id parts[4], batch = rg_zoo_batch(&n->b, n->x);
    rg_zoo_scope(&n->b, "patch_embed.proj");
    rg_net_conv(n, (rg_conv){v->width, .kernel = v->patch, .stride = v->patch, .pad = -1,
                             .bias = !(v->how & FIRST_NORM)});
    rg_net_unroll(n);
    if (v->how & BARE) add_places(n, patches);
    if (v->how & TOKEN) parts[count++] = rg_zoo_tokens(&n->b, "cls_token", 1, v->width, batch);
    if (v->how & TAUGHT) parts[count++] = rg_zoo_tokens(&n->b, "dist_token", 1, v->width, batch);
    if (v->registers) parts[count++] = rg_zoo_tokens(&n->b, "reg_token", v->registers, v->width, batch);
    parts[count++] = n->x;
    if (count > 1) n->x = rg_build_nodev(&n->b, "Concat", "axis=1", count, parts, 1, &n->x);
    if (!(v->how & BARE) && !v->offsets) add_places(n, patches + tokens_of(v));
    if (v->how & FIRST_NORM) rg_net_layer_norm(n, "norm_pre", "", 1e-5);
}

/* The numbers that offsets add to scores, [1, heads, positions, positions], 0 for those of tokens. Two layers
 * make them from the offsets' logarithms, read as an image of two channels. */
static rg_value_id offsets(rg_net *n, const tvit *v, const char *scope, rg_value_id rows)
{
    rg_net table = *n;
    float *at;
    int64_t side = v->side / v->patch, span = 2 * side - 1, first = tokens_of(v);
    table.x = rg_zoo_floats(&n->b, 4, (const int64_t[]){1, 2, span, span}, &at);
    for (int64_t i = 0; at && i < 2 * span * span; i++) {
        double off = (double)((i < span * span ? i / span : i % span) - side + 1);
        at[i] = (float)copysign(log1p(fabs(off)), off);
    }
    table.b = n->b, table.channels = 2;
    rg_net_name(&table, scope, "mlp.fc1");
    rg_net_conv(&table, (rg_conv){.channels = v->offsets, .bias = true});
    rg_net_activate(&table, "Relu");
    rg_net_name(&table, scope, "mlp.fc2");
    rg_net_conv(&table, (rg_conv){.channels = v->heads, .bias = true});
    rg_build *b = &table.b;
    rg_net_name(&table, scope, "");
    table.x = rg_zoo_reshape(b, table.x, 2, (const int64_t[]){v->heads, span * span});
    table.x = rg_zoo_bias_of_rows(b, rg_build_node(b, "Transpose", "perm=1,0", table.x, -1), rows, side,
                                  v->heads);
    if (first)
        table.x = rg_build_node(b, "Pad", NULL, table.x,
                                rg_build_ints(b, 8, (const int64_t[]){0, 0, first, first, 0, 0, 0, 0}), -1);
    n->b = table.b;
    return table.x;
}

/* ---- blocks ---- */

static double epsilon(const tvit *v) { return v->how & FIRST_NORM ? 1e-5 : 1e-6; }

static void activate(rg_net *n, const tvit *v)
{
    rg_build *b = &n->b;
    if (v->how & QUICK) {
        rg_value_id gate = rg_build_node(b, "Mul", NULL, rg_build_scalar(b, 1.702f), n->x, -1);
        n->x = rg_build_node(b, "Mul", NULL, n->x, rg_build_node(b, "Sigmoid", NULL, gate, -1), -1);
    } else if (v->how & TANH) {
        n->x = rg_build_node(b, "Gelu", "approximate=\"tanh\"", n->x, -1);
    } else {
        rg_net_activate(n, "Gelu");
    }
}

static void layers(rg_net *n, const tvit *v, const char *block)
{
    int64_t half = v->inner / 2;
    rg_net_dense(n, block, "mlp.fc1", v->inner, true);
    if (v->how & GATED) {
        rg_value_id gate = rg_zoo_cut(&n->b, n->x, 2, 0, half);
        rg_value_id other = rg_zoo_cut(&n->b, n->x, 2, half, v->inner);
        n->x = gate, n->channels = half;
        rg_net_activate(n, "SiLU");
        n->x = rg_build_node(&n->b, "Mul", NULL, n->x, other, -1);
    } else {
        activate(n, v);
    }
    rg_net_dense(n, block, "mlp.fc2", v->width, true);
}

/* Attention, or the two layers, as what is added to x. */
static void branch(rg_net *n, const tvit *v, const char *block, bool attention, rg_value_id bias)
{
    char scope[40];
    const char *norm = attention ? "norm1" : "norm2";
    snprintf(scope, sizeof scope, "%s.attn", block);
    if (!(v->how & POST)) rg_net_layer_norm(n, block, norm, epsilon(v));
    if (!attention) {
        layers(n, v, block);
    } else {
        n->x = rg_zoo_self_attention(&n->b, n->x, &(rg_self_attention){
            .scope = scope, .packed = "qkv", .out = "proj", .heads = v->heads, .head = v->width / v->heads,
            .unbiased = v->how & UNBIASED, .bias = bias});
    }
    if (v->how & POST) rg_net_layer_norm(n, block, norm, epsilon(v));
    rg_net_name(n, block, attention ? "ls1" : "ls2");
    if (v->how & SCALED)
        n->x = rg_build_node(&n->b, "Mul", NULL, n->x, rg_build_param(&n->b, "gamma", RG_F32, 1, &v->width),
                             -1);
}

/* Two branches of one input, stacked and summed as timm does. */
static void branches(rg_net *n, const tvit *v, const char *block, bool attention)
{
    rg_value_id from = n->x, parts[2], axis;
    for (int i = 0; i < 2; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s.%s.%d", block, attention ? "attns" : "ffns", i);
        n->x = from;
        branch(n, v, name, attention, 0);
        axis = rg_build_ints(&n->b, 1, (const int64_t[]){0});
        parts[i] = rg_build_node(&n->b, "Unsqueeze", NULL, n->x, axis, -1);
    }
    n->x = rg_build_node(&n->b, "Concat", "axis=0", parts[0], parts[1], -1);
    axis = rg_build_ints(&n->b, 1, (const int64_t[]){0});
    n->x = rg_build_node(&n->b, "ReduceSum", "keepdims=0", n->x, axis, -1);
}

static void encode(rg_net *n, const tvit *v, const char *block, rg_value_id bias)
{
    for (int half = 0; half < 2; half++) {
        rg_value_id before = n->x;
        if (v->how & TWICE) branches(n, v, block, !half);
        else branch(n, v, block, !half, bias);
        rg_net_name(n, block, "");
        rg_net_add(n, before);
    }
}

/* ---- heads ---- */

/* A learned query asks all positions; then two layers on what it got. */
static void ask(rg_net *n, const tvit *v, rg_value_id batch)
{
    rg_build *b = &n->b;
    int64_t head = v->width / v->heads;
    rg_value_id x, all = n->x;
    n->x = rg_zoo_tokens(b, "attn_pool.latent", 1, v->width, batch);
    rg_net_dense(n, "attn_pool", "q", v->width, true);
    rg_value_id q = rg_zoo_split_heads(b, n->x, v->heads, head, false);
    n->x = all;
    rg_net_dense(n, "attn_pool", "kv", 2 * v->width, true);
    x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 0, 2, v->heads, head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,1,4", x, -1);
    rg_value_id k = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 0), -1);
    rg_value_id values = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 1), -1);
    k = rg_build_node(b, "Transpose", "perm=0,1,3,2", k, -1);
    n->x = rg_zoo_attend(b, q, k, values, 0, v->heads, head, 0);
    n->channels = v->width;
    rg_net_dense(n, "attn_pool", "proj", v->width, true);
    all = n->x;
    rg_net_layer_norm(n, "attn_pool", "norm", 1e-6);
    rg_net_dense(n, "attn_pool", "mlp.fc1", v->inner, true);
    rg_net_activate(n, "Gelu");
    rg_net_dense(n, "attn_pool", "mlp.fc2", v->width, true);
    rg_net_add_scaled(n, "attn_pool", NULL, false, all);
    n->x = rg_build_node(b, "Gather", "axis=1", n->x, rg_zoo_int(b, 0), -1);
}

static void classify(rg_net *n, const tvit *v, rg_value_id batch)
{
    rg_value_id all;
    if (!(v->how & (NORM_LAST | NO_NORM))) rg_net_layer_norm(n, "norm", "", epsilon(v));
    all = n->x;
    if (v->how & MAP) {
        ask(n, v, batch);
    } else if (v->how & MEAN) {
        if (tokens_of(v)) n->x = rg_zoo_cut(&n->b, n->x, 1, tokens_of(v), INT64_MAX);
        n->x = rg_zoo_mean(&n->b, n->x, 1);
    } else {
        n->x = rg_build_node(&n->b, "Gather", "axis=1", n->x, rg_zoo_int(&n->b, 0), -1);
    }
    if (v->how & NORM_LAST) rg_net_layer_norm(n, "fc_norm", "", epsilon(v));
    if (!v->classes) return;
    rg_net_linear(n, "head", v->classes);
    if (!(v->how & TAUGHT)) return;
    rg_value_id first = n->x;
    n->channels = v->width;
    n->x = rg_build_node(&n->b, "Gather", "axis=1", all, rg_zoo_int(&n->b, 1), -1);
    rg_net_linear(n, "head_dist", v->classes);
    rg_net_add(n, first);
    n->x = rg_build_node(&n->b, "Div", NULL, n->x, rg_build_scalar(&n->b, 2), -1);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const tvit *v = self->layout;
    rg_value_id rows = 0, bias = 0;
    char block[32], scope[48];
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, v->side));
    rg_value_id image = n.x;
    embed(&n, v);
    if (v->offsets) rows = rg_zoo_offset_rows(&n.b, v->side / v->patch);
    if (v->how & SHARED) bias = offsets(&n, v, "shared_rel_pos", rows);
    for (int64_t i = 0; i < v->layers; i++) {
        snprintf(block, sizeof block, "blocks.%lld", (long long)i);
        snprintf(scope, sizeof scope, "%s.attn.rel_pos", block);
        if (v->offsets && !(v->how & SHARED)) bias = offsets(&n, v, scope, rows);
        encode(&n, v, block, bias);
    }
    n.b.scope = NULL;
    classify(&n, v, v->how & MAP ? rg_zoo_batch(&n.b, image) : 0);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

/* Width, layers, heads, inner width. */
#define SP(wide, deep, count, inner) wide, deep, count, inner
#define TINY 192, 12, 3, 768
#define XSMALL 256, 10, 4, 1024
#define SMALL 384, 12, 6, 1536
#define MEDIUM 512, 12, 8, 2048
#define MEDIUM_DEEP 512, 20, 8, 2048
#define BETWIXT 640, 12, 10, 2560
#define BASE 768, 12, 12, 3072
#define PLUS 896, 12, 14, 3584
#define LARGE 1024, 24, 16, 4096
#define HUGE_ 1280, 32, 16, 5120
#define GIANT 1408, 40, 16, 6144
#define GIGANTIC 1664, 48, 16, 8192
#define GIANT_OPT 1536, 40, 16, 6144
#define SO150M 896, 18, 14, 2304
#define SO150M2 832, 21, 13, 2176
#define SO400M 1152, 27, 16, 4304

#define ROW(id, cut, size, sizes, as, extra, offset, class_count, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = size, .source = ZOO_SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const tvit){cut, size, sizes, as, extra, offset, class_count}, \
    };

#define ZOO_SOURCE "Dosovitskiy et al. 2020, arXiv:2010.11929; variants and parameters: timm"

/* Name, patch, side, sizes, how, registers, features of offsets' layers, classes, parameters, MACs. */
#define PLAIN_LIST(X) \
    X(flexivit_small, 16, 240, SMALL, TOKEN | BARE, 0, 0, 1000, 22061416, 5336263680) \
    X(flexivit_base, 16, 240, BASE, TOKEN | BARE, 0, 0, 1000, 86589160, 20270143488) \
    X(flexivit_large, 16, 240, LARGE, TOKEN | BARE, 0, 0, 1000, 304355304, 70938173440) \
    X(deit_tiny_distilled_patch16_224, 16, 224, TINY, TOKEN | TAUGHT, 0, 0, 1000, 5910800, 1261003776) \
    X(deit_small_distilled_patch16_224, 16, 224, SMALL, TOKEN | TAUGHT, 0, 0, 1000, 22436432, 4624140288) \
    X(deit_base_distilled_patch16_224, 16, 224, BASE, TOKEN | TAUGHT, 0, 0, 1000, 87338192, 17656811520) \
    X(deit_base_distilled_patch16_384, 16, 384, BASE, TOKEN | TAUGHT, 0, 0, 1000, 87630032, 55591342080) \
    X(vit_giant_patch14_224, 14, 224, GIANT, TOKEN, 0, 0, 1000, 1012611432, 267031491584) \
    X(vit_gigantic_patch14_224, 14, 224, GIGANTIC, TOKEN, 0, 0, 1000, 1844440680, 483747550208) \
    X(vit_base_patch16_224_miil, 16, 224, BASE, TOKEN | UNBIASED, 0, 0, 11221, 94399957, 17571677952) \
    X(vit_base_patch32_plus_256, 32, 256, PLUS, DINO, 0, 0, 1000, 119478120, 7782268928) \
    X(vit_base_patch16_plus_240, 16, 240, PLUS, DINO, 0, 0, 1000, 117557992, 27380907008) \
    X(vit_base_patch16_rpn_224, 16, 224, BASE, POOLED | UNBIASED | POST, 0, 0, 1000, 86538472, 17471649792) \
    X(vit_small_patch16_36x1_224, 16, 224, SP(384, 36, 6, 1536), DINO, 0, 0, 1000, 64665448, 13680273408) \
    X(vit_small_patch16_18x2_224, 16, 224, SP(384, 18, 6, 1536), DINO | TWICE, 0, 0, 1000, \
      64665448, 13680273408) \
    X(vit_base_patch16_18x2_224, 16, 224, SP(768, 18, 12, 3072), DINO | TWICE, 0, 0, 1000, \
      256731880, 52458737664) \
    X(eva_large_patch14_196, 14, 196, LARGE, TOKEN | POOLED, 0, 0, 1000, 304142312, 61518585856) \
    X(eva_large_patch14_336, 14, 336, LARGE, TOKEN | POOLED, 0, 0, 1000, 304531432, 190960132096) \
    X(vit_intern300m_patch14_448, 14, 448, LARGE, DINO | NO_NORM, 0, 0, 0, 304012288, 361796517888)
PLAIN_LIST(ROW)

/* The mean of the patches. */
#define MEAN_LIST(X) \
    X(vit_medium_patch16_gap_240, 16, 240, MEDIUM, MEAN | UNBIASED | SCALED, 0, 0, 11821, \
      44396589, 9210071552) \
    X(vit_medium_patch16_gap_256, 16, 256, MEDIUM, MEAN | UNBIASED | SCALED, 0, 0, 1000, \
      38861288, 10570158080) \
    X(vit_medium_patch16_gap_384, 16, 384, MEDIUM, MEAN | UNBIASED | SCALED, 0, 0, 1000, \
      39025128, 26047139840) \
    X(vit_betwixt_patch16_gap_256, 16, 256, BETWIXT, MEAN | UNBIASED | SCALED, 0, 0, 1000, \
      60372840, 16232596480) \
    X(vit_base_patch16_gap_224, 16, 224, SP(768, 12, 16, 3072), MEAN, 0, 0, 1000, 86566120, 17471649792) \
    X(vit_huge_patch14_gap_224, 14, 224, HUGE_, MEAN, 0, 0, 0, 630762240, 166622658560) \
    X(vit_huge_patch16_gap_448, 16, 448, HUGE_, MEAN, 0, 0, 0, 631668480, 544373473280) \
    X(vit_giant_patch16_gap_224, 16, 224, GIANT, MEAN, 0, 0, 0, 1011368576, 202352984064) \
    X(vit_wee_patch16_reg1_gap_256, 16, 256, SP(256, 14, 4, 1280), REGISTERED, 1, 0, 1000, \
      13422568, 3825206272) \
    X(vit_little_patch16_reg1_gap_256, 16, 256, SP(320, 14, 5, 1792), REGISTERED, 1, 0, 1000, \
      22515048, 6255248640) \
    X(vit_little_patch16_reg4_gap_256, 16, 256, SP(320, 14, 5, 1792), REGISTERED, 4, 0, 1000, \
      22516008, 6334517760) \
    X(vit_medium_patch16_reg1_gap_256, 16, 256, MEDIUM, REGISTERED, 1, 0, 1000, 38880232, 10614210560) \
    X(vit_medium_patch16_reg4_gap_256, 16, 256, MEDIUM, REGISTERED, 4, 0, 1000, 38881768, 10746515456) \
    X(vit_mediumd_patch16_reg4_gap_256, 16, 256, MEDIUM_DEEP, REGISTERED, 4, 0, 1000, 64109032, 17843408896) \
    X(vit_mediumd_patch16_reg4_gap_384, 16, 384, MEDIUM_DEEP, REGISTERED, 4, 0, 1000, 64272872, 43606921216) \
    X(vit_betwixt_patch16_reg1_gap_256, 16, 256, BETWIXT, REGISTERED, 1, 0, 1000, 60396520, 16299458560) \
    X(vit_betwixt_patch16_reg4_gap_256, 16, 256, BETWIXT, REGISTERED, 4, 0, 1000, 60398440, 16500229120) \
    X(vit_betwixt_patch16_reg4_gap_384, 16, 384, BETWIXT, REGISTERED, 4, 0, 1000, 60603240, 39660651520) \
    X(vit_base_patch16_reg4_gap_256, 16, 256, BASE, POOLED | BARE, 4, 0, 1000, 86615272, 23480776704) \
    X(vit_base_patch16_reg8_gap_256, 16, 256, BASE, POOLED | BARE, 8, 0, 1000, 86618344, 23859148800) \
    X(vit_so150m_patch16_reg4_gap_256, 16, 256, SO150M, MEAN, 4, 0, 1000, 134131560, 36708912128) \
    X(vit_so150m_patch16_reg4_gap_384, 16, 384, SO150M, MEAN, 4, 0, 1000, 134418280, 87878110208) \
    X(vit_so150m_patch16_reg4_map_256, 16, 256, SO150M, MAP, 4, 0, 1000, 141481064, 37132576768) \
    X(vit_so150m2_patch16_reg1_gap_256, 16, 256, SO150M2, REGISTERED | UNBIASED, 1, 0, 1000, \
      136058728, 36957960832) \
    X(vit_so150m2_patch16_reg1_gap_384, 16, 384, SO150M2, REGISTERED | UNBIASED, 1, 0, 1000, \
      136324968, 89427475072) \
    X(vit_so150m2_patch16_reg1_gap_448, 16, 448, SO150M2, REGISTERED | UNBIASED, 1, 0, 1000, \
      136498024, 127370349184)
MEAN_LIST(ROW)

#define RELPOS_LIST(X) \
    X(vit_relpos_small_patch16_224, 16, 224, SMALL, RELPOS, 0, 128, 1000, 21983920, 4582984704) \
    X(vit_relpos_medium_patch16_224, 16, 224, MEDIUM, RELPOS, 0, 128, 1000, 38747208, 7959587840) \
    X(vit_relpos_base_patch16_224, 16, 224, BASE, RELPOS, 0, 128, 1000, 86429560, 17487326208) \
    X(vit_relpos_base_patch16_plus_240, 16, 240, PLUS, MEAN | SCALED, 0, 128, 1000, 117380880, 27276271616) \
    X(vit_relpos_base_patch32_plus_rpn_256, 32, 256, PLUS, MEAN | POST, 0, 128, 1000, 119423760, 7669419008) \
    X(vit_relpos_small_patch16_rpn_224, 16, 224, SMALL, MEAN | UNBIASED | POST, 0, 128, 1000, \
      21974704, 4582984704) \
    X(vit_relpos_medium_patch16_rpn_224, 16, 224, MEDIUM, MEAN | UNBIASED | POST, 0, 128, 1000, \
      38734920, 7959587840) \
    X(vit_relpos_base_patch16_rpn_224, 16, 224, BASE, MEAN | UNBIASED | POST, 0, 128, 1000, \
      86411128, 17487326208) \
    X(vit_relpos_medium_patch16_cls_224, 16, 224, MEDIUM, DINO | UNBIASED, 0, 256, 1000, \
      38764616, 8013363200) \
    X(vit_relpos_base_patch16_cls_224, 16, 224, BASE, DINO | UNBIASED, 0, 128, 1000, 86430328, 17579504640) \
    X(vit_relpos_base_patch16_clsgap_224, 16, 224, BASE, TOKEN | RELPOS, 0, 128, 1000, \
      86430328, 17579504640) \
    X(vit_srelpos_small_patch16_224, 16, 224, SMALL, MEAN | UNBIASED | SCALED | SHARED, 0, 384, 1000, \
      21973486, 4576266240) \
    X(vit_srelpos_medium_patch16_224, 16, 224, MEDIUM, MEAN | UNBIASED | SCALED | SHARED, 0, 512, 1000, \
      38735856, 7952122880)
RELPOS_LIST(ROW)

#undef ZOO_SOURCE
#define ZOO_SOURCE "Oquab et al. 2023, arXiv:2304.07193; parameters: timm"

/* Without a head. */
#define DINO_LIST(X) \
    X(vit_small_patch14_dinov2, 14, 518, SMALL, DINO, 0, 0, 0, 22056192, 46696739328) \
    X(vit_base_patch14_dinov2, 14, 518, BASE, DINO, 0, 0, 0, 86579712, 151573718016) \
    X(vit_large_patch14_dinov2, 14, 518, LARGE, DINO, 0, 0, 0, 304367616, 506803826688) \
    X(vit_giant_patch14_dinov2, 14, 518, SP(1536, 40, 24, 8192), DINO | GATED, 0, 0, 0, \
      1136479232, 1783342958592) \
    X(vit_small_patch14_reg4_dinov2, 14, 518, SMALL, DINO | BARE, 4, 0, 0, 22057344, 46882828800) \
    X(vit_base_patch14_reg4_dinov2, 14, 518, BASE, DINO | BARE, 4, 0, 0, 86582016, 152115766272) \
    X(vit_large_patch14_reg4_dinov2, 14, 518, LARGE, DINO | BARE, 4, 0, 0, 304370688, 508551278592) \
    X(vit_giant_patch14_reg4_dinov2, 14, 518, SP(1536, 40, 24, 8192), DINO | BARE | GATED, 4, 0, 0, \
      1136483840, 1789221537792)
DINO_LIST(ROW)

#undef ZOO_SOURCE
#define ZOO_SOURCE "Radford et al. 2021, arXiv:2103.00020; parameters: timm, whose heads project"

#define CLIP_LIST(X) \
    X(vit_xsmall_patch16_clip_224, 16, 224, XSMALL, CLIP, 0, 0, 512, 8277504, 1786639360) \
    X(vit_medium_patch32_clip_224, 32, 224, MEDIUM, CLIP, 0, 0, 512, 39692288, 1995489280) \
    X(vit_medium_patch16_clip_224, 16, 224, MEDIUM, CLIP, 0, 0, 512, 38587904, 7990718464) \
    X(vit_betwixt_patch32_clip_224, 32, 224, BETWIXT, CLIP, 0, 0, 512, 61411712, 3084185600) \
    X(vit_base_patch32_clip_256, 32, 256, BASE, CLIP, 0, 0, 512, 87861248, 5750016000) \
    X(vit_base_patch16_plus_clip_240, 16, 240, PLUS, CLIP, 0, 0, 640, 117214464, 27380584448) \
    X(vit_huge_patch14_clip_336, 14, 336, HUGE_, CLIP, 0, 0, 1000, 632456680, 390725355520) \
    X(vit_huge_patch14_clip_378, 14, 378, HUGE_, CLIP, 0, 0, 1024, 632683264, 503481441280) \
    X(vit_giant_patch14_clip_224, 14, 224, GIANT, CLIP, 0, 0, 1024, 1012646656, 267031525376) \
    X(vit_gigantic_patch14_clip_224, 14, 224, GIGANTIC, CLIP, 0, 0, 1280, 1844908544, 483748016128) \
    X(vit_gigantic_patch14_clip_378, 14, 378, GIGANTIC, CLIP, 0, 0, 1280, 1845695616, 1429226126848) \
    X(vit_base_patch32_clip_quickgelu_224, 32, 224, BASE, CLIP | QUICK, 0, 0, 512, 87849728, 4408811520) \
    X(vit_base_patch16_clip_quickgelu_224, 16, 224, BASE, CLIP | QUICK, 0, 0, 512, 86193152, 17563453440) \
    X(vit_large_patch14_clip_quickgelu_224, 14, 224, LARGE, CLIP | QUICK, 0, 0, 768, 303966976, 81012768768) \
    X(vit_large_patch14_clip_quickgelu_336, 14, 336, LARGE, CLIP | QUICK, 0, 0, 768, \
      304294656, 190959894528) \
    X(vit_huge_patch14_clip_quickgelu_224, 14, 224, HUGE_, CLIP | QUICK, 0, 0, 1024, \
      632077824, 167295139840) \
    X(vit_huge_patch14_clip_quickgelu_378, 14, 378, HUGE_, CLIP | QUICK, 0, 0, 1024, \
      632683264, 503481441280) \
    X(vit_gigantic_patch14_clip_quickgelu_224, 14, 224, GIGANTIC, CLIP | QUICK, 0, 0, 1280, \
      1844908544, 483748016128)
CLIP_LIST(ROW)

#undef ZOO_SOURCE
#define ZOO_SOURCE "Zhai et al. 2023, arXiv:2303.15343; parameters: timm"

/* Without a head; the second version's Gelu is by tanh. */
#define SIGLIP_LIST(X) \
    X(vit_base_patch32_siglip_256, 32, 256, BASE, MAP | TANH, 0, 0, 0, 94552320, 5743804416) \
    X(vit_base_patch16_siglip_224, 16, 224, BASE, MAP, 0, 0, 0, 92884224, 17708292096) \
    X(vit_base_patch16_siglip_256, 16, 256, BASE, MAP, 0, 0, 0, 92930304, 23410507776) \
    X(vit_base_patch16_siglip_384, 16, 384, BASE, MAP, 0, 0, 0, 93176064, 56063655936) \
    X(vit_base_patch16_siglip_512, 16, 512, BASE, MAP, 0, 0, 0, 93520128, 108119851008) \
    X(vit_large_patch16_siglip_256, 16, 256, LARGE, MAP, 0, 0, 0, 315956224, 81279844352) \
    X(vit_large_patch16_siglip_384, 16, 384, LARGE, MAP, 0, 0, 0, 316283904, 191926239232) \
    X(vit_large_patch16_siglip_512, 16, 512, LARGE, MAP | TANH, 0, 0, 0, 316742656, 363742625792) \
    X(vit_so400m_patch14_siglip_224, 14, 224, SO400M, MAP, 0, 0, 0, 427680704, 110176948224) \
    X(vit_so400m_patch14_siglip_378, 14, 378, SO400M, MAP, 0, 0, 0, 428225600, 335173224960) \
    X(vit_so400m_patch14_siglip_384, 14, 384, SO400M, MAP, 0, 0, 0, 428225600, 335173224960) \
    X(vit_so400m_patch16_siglip_256, 16, 256, SO400M, MAP | TANH, 0, 0, 0, 427888064, 110230032384) \
    X(vit_so400m_patch16_siglip_384, 16, 384, SO400M, MAP | TANH, 0, 0, 0, 428256704, 259468038144) \
    X(vit_so400m_patch16_siglip_512, 16, 512, SO400M, MAP | TANH, 0, 0, 0, 428772800, 489804779520) \
    X(vit_giantopt_patch16_siglip_256, 16, 256, GIANT_OPT, MAP | TANH, 0, 0, 0, 1163168256, 299497684992) \
    X(vit_giantopt_patch16_siglip_384, 16, 384, GIANT_OPT, MAP | TANH, 0, 0, 0, 1163659776, 696489541632) \
    X(vit_base_patch32_siglip_gap_256, 32, 256, BASE, MEAN | TANH, 0, 0, 0, 87465216, 5662310400) \
    X(vit_base_patch16_siglip_gap_224, 16, 224, BASE, MEAN, 0, 0, 0, 85797120, 17470881792) \
    X(vit_base_patch16_siglip_gap_256, 16, 256, BASE, MEAN, 0, 0, 0, 85843200, 23102226432) \
    X(vit_base_patch16_siglip_gap_384, 16, 384, BASE, MEAN, 0, 0, 0, 86088960, 55377395712) \
    X(vit_base_patch16_siglip_gap_512, 16, 512, BASE, MEAN, 0, 0, 0, 86433024, 106904420352) \
    X(vit_large_patch16_siglip_gap_256, 16, 256, LARGE, MEAN, 0, 0, 0, 303361024, 80731963392) \
    X(vit_large_patch16_siglip_gap_384, 16, 384, LARGE, MEAN, 0, 0, 0, 303688704, 190706614272) \
    X(vit_large_patch16_siglip_gap_512, 16, 512, LARGE, MEAN | TANH, 0, 0, 0, 304147456, 361582559232) \
    X(vit_so400m_patch14_siglip_gap_224, 14, 224, SO400M, MEAN, 0, 0, 0, 412442352, 109484310528) \
    X(vit_so400m_patch14_siglip_gap_378, 14, 378, SO400M, MEAN, 0, 0, 0, 412987248, 333224057088) \
    X(vit_so400m_patch14_siglip_gap_384, 14, 384, SO400M, MEAN, 0, 0, 0, 412987248, 333224057088) \
    X(vit_so400m_patch14_siglip_gap_448, 14, 448, SO400M, MEAN, 0, 0, 0, 413327088, 486859603968) \
    X(vit_so400m_patch14_siglip_gap_896, 14, 896, SO400M, MEAN, 0, 0, 0, 416866032, 2730196205568) \
    X(vit_so400m_patch16_siglip_gap_256, 16, 256, SO400M, MEAN | TANH, 0, 0, 0, 412649712, 109537394688) \
    X(vit_so400m_patch16_siglip_gap_384, 16, 384, SO400M, MEAN | TANH, 0, 0, 0, 413018352, 257925316608) \
    X(vit_so400m_patch16_siglip_gap_512, 16, 512, SO400M, MEAN | TANH, 0, 0, 0, 413534448, 487071940608) \
    X(vit_giantopt_patch16_siglip_gap_256, 16, 256, GIANT_OPT, MEAN | TANH, 0, 0, 0, \
      1134838272, 298265346048) \
    X(vit_giantopt_patch16_siglip_gap_384, 16, 384, GIANT_OPT, MEAN | TANH, 0, 0, 0, 1135329792, 693746270208)
SIGLIP_LIST(ROW)
