/* zoo_twins.c - Twins as timm has them (Chu et al. 2021): PVT's four stages with a convolution by channel
 * behind the first block of each, which tells places apart. PCPVT attends to a smaller image throughout; SVT
 * does so in every second block and inside windows of 7 x 7 places in the others.
 */
#include "format/zoo.h"

enum { STAGES = 4, IMAGE_SIDE = 224, WINDOW = 7 };

static const int64_t shrink[STAGES] = {8, 4, 2, 1};

typedef struct twins {
    int64_t widths[STAGES], heads[STAGES];
    int layers[STAGES];
    int64_t inner[STAGES];
    bool windows;
} twins;

static void embed(rg_net *n, int stage, int64_t width)
{
    char scope[24];
    int64_t cut = stage ? 2 : 4;
    snprintf(scope, sizeof scope, "patch_embeds.%d", stage);
    rg_net_name(n, scope, "proj");
    rg_net_conv(n, (rg_conv){width, .kernel = cut, .stride = cut, .pad = -1, .bias = true});
    rg_net_unroll(n);
    rg_net_layer_norm(n, scope, "norm", 1e-5);
}

/* To an image of 7 x 7 places. */
static void attend(rg_net *n, const char *attn, int64_t heads, int64_t side, int64_t by)
{
    rg_build *b = &n->b;
    int64_t width = n->channels, head = width / heads;
    rg_value_id from = n->x, x, q, k, v;
    rg_net_dense(n, attn, "q", width, true);
    q = rg_zoo_split_heads(b, n->x, heads, head, false);
    n->x = from;
    if (by > 1) {
        rg_net_roll(n, side);
        rg_net_name(n, attn, "sr");
        rg_net_conv(n, (rg_conv){width, .kernel = by, .stride = by, .pad = -1, .bias = true});
        rg_net_unroll(n);
        rg_net_layer_norm(n, attn, "norm", 1e-5);
    }
    rg_net_dense(n, attn, "kv", 2 * width, true);
    rg_net_name(n, attn, "");
    x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 0, 2, heads, head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,1,4", x, -1);
    k = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 0), -1);
    v = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 1), -1);
    k = rg_build_node(b, "Transpose", "perm=0,1,3,2", k, -1);
    n->x = rg_zoo_attend(b, q, k, v, 0, heads, head, 0);
    n->channels = width;
    rg_net_dense(n, attn, "proj", width, true);
}

static void attend_windows(rg_net *n, const char *attn, int64_t heads, int64_t side)
{
    int64_t width = n->channels, across = side / WINDOW;
    rg_net_name(n, attn, "");
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){-1, across, WINDOW, across, WINDOW, width});
    rg_net_turn(n, "perm=0,1,3,2,4,5");
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){-1, WINDOW * WINDOW, width});
    n->x = rg_zoo_self_attention(&n->b, n->x, &(rg_self_attention){
        .scope = attn, .packed = "qkv", .out = "proj", .heads = heads, .head = width / heads});
    rg_net_name(n, attn, "");
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){-1, across, across, WINDOW, WINDOW, width});
    rg_net_turn(n, "perm=0,1,3,2,4,5");
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){-1, side * side, width});
}

static void encode(rg_net *n, const twins *t, int stage, int i, int64_t side)
{
    char block[32], attn[48];
    rg_value_id before = n->x;
    snprintf(block, sizeof block, "blocks.%d.%d", stage, i);
    snprintf(attn, sizeof attn, "%s.attn", block);
    rg_net_layer_norm(n, block, "norm1", 1e-6);
    if (t->windows && i % 2 == 0) attend_windows(n, attn, t->heads[stage], side);
    else attend(n, attn, t->heads[stage], side, shrink[stage]);
    rg_net_add_scaled(n, block, NULL, false, before);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-6);
    rg_net_mlp(n, block, t->inner[stage] * n->channels, "Gelu");
    rg_net_add_scaled(n, block, NULL, false, before);
}

static void add_places(rg_net *n, int stage, int64_t side)
{
    rg_zoo_scope(&n->b, "pos_block.%d.proj.0", stage);
    rg_net_roll(n, side);
    rg_value_id before = n->x;
    rg_net_conv(n, (rg_conv){n->channels, .kernel = 3, .group = n->channels, .bias = true});
    rg_net_add(n, before);
    rg_net_unroll(n);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const twins *t = self->layout;
    int64_t side = IMAGE_SIDE / 4;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    for (int stage = 0; stage < STAGES; stage++) {
        if (stage) rg_net_roll(&n, side), side /= 2;
        embed(&n, stage, t->widths[stage]);
        for (int i = 0; i < t->layers[stage]; i++) {
            encode(&n, t, stage, i, side);
            if (!i) add_places(&n, stage, side);
        }
    }
    rg_net_layer_norm(&n, "norm", "", 1e-6);
    n.x = rg_zoo_mean(&n.b, n.x, 1);
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

#define SOURCE "Chu et al. 2021, arXiv:2104.13840; parameters: timm, at 224x224"

/* Name, widths, heads, layers, inner widths in widths, in windows too, parameters, MACs. */
#define TWINS_LIST(X) \
    X(twins_pcpvt_small, 64, 128, 320, 512, 1, 2, 5, 8, 3, 4, 6, 3, 8, 8, 4, 4, false, 24106216, 3809459968) \
    X(twins_pcpvt_base, 64, 128, 320, 512, 1, 2, 5, 8, 3, 4, 18, 3, 8, 8, 4, 4, false, 43828456, 6652933888) \
    X(twins_pcpvt_large, 64, 128, 320, 512, 1, 2, 5, 8, 3, 8, 27, 3, 8, 8, 4, 4, false, \
      60989672, 9807524096) \
    X(twins_svt_small, 64, 128, 256, 512, 2, 4, 8, 16, 2, 2, 10, 4, 4, 4, 4, 4, true, 24060776, 2927353344) \
    X(twins_svt_base, 96, 192, 384, 768, 3, 6, 12, 24, 2, 2, 18, 2, 4, 4, 4, 4, true, 56070952, 8562612480) \
    X(twins_svt_large, 128, 256, 512, 1024, 4, 8, 16, 32, 2, 2, 18, 2, 4, 4, 4, 4, true, \
      99271400, 15111777280)

#define ROW(id, w1, w2, w3, w4, h1, h2, h3, h4, l1, l2, l3, l4, i1, i2, i3, i4, local, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = IMAGE_SIDE, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const twins){{w1, w2, w3, w4}, {h1, h2, h3, h4}, {l1, l2, l3, l4}, {i1, i2, i3, i4}, \
                                 local}, \
    };
TWINS_LIST(ROW)
