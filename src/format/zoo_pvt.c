/* zoo_pvt.c - PVT v2 as timm has it (Wang et al. 2021): a transformer in four stages whose keys and values
 * come from a smaller image, which a convolution without overlap makes (or, in its linear form, pooling to
 * 7 x 7 and a 1x1 convolution); a 3x3 convolution by channel stands between the two linear layers of a block.
 */
#include "format/zoo.h"

enum { STAGES = 4, IMAGE_SIDE = 224, POOLED = 7 };

static const int64_t heads[STAGES] = {1, 2, 5, 8}, shrink[STAGES] = {8, 4, 2, 1};

typedef struct pvt { int64_t widths[STAGES]; int layers[STAGES]; int64_t inner[STAGES]; bool linear; } pvt;

/* Patches overlap. */
static void embed(rg_net *n, const char *scope, int64_t kernel, int64_t stride, int64_t width)
{
    rg_net_name(n, scope, "proj");
    rg_net_conv(n, (rg_conv){width, .kernel = kernel, .stride = stride, .bias = true});
    rg_net_unroll(n);
    rg_net_layer_norm(n, scope, "norm", 1e-5);
}

/* The image that keys and values come from. */
static void reduce(rg_net *n, const pvt *p, const char *block, int stage, int64_t side)
{
    int64_t by = shrink[stage], width = n->channels;
    if (by == 1 && !p->linear) return;
    rg_net_name(n, block, "attn");
    rg_net_roll(n, side);
    if (p->linear) rg_net_average_pool(n, (rg_pool){.kernel = side / POOLED});
    rg_net_name(n, block, "attn.sr");
    if (p->linear) rg_net_conv(n, (rg_conv){width, .bias = true});
    else rg_net_conv(n, (rg_conv){width, .kernel = by, .stride = by, .pad = -1, .bias = true});
    rg_net_unroll(n);
    rg_net_layer_norm(n, block, "attn.norm", 1e-5);
    if (p->linear) rg_net_activate(n, "Gelu");
}

static void attend(rg_net *n, const pvt *p, const char *block, int stage, int64_t side)
{
    rg_build *b = &n->b;
    int64_t width = n->channels, head = width / heads[stage];
    rg_value_id x = n->x;
    rg_net_dense(n, block, "attn.q", width, true);
    rg_value_id q = rg_zoo_split_heads(b, n->x, heads[stage], head, false);
    n->x = x;
    reduce(n, p, block, stage, side);
    rg_net_dense(n, block, "attn.kv", 2 * width, true);
    rg_net_name(n, block, "attn");
    x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 0, 2, heads[stage], head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,1,4", x, -1);
    rg_value_id k = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 0), -1);
    rg_value_id v = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 1), -1);
    k = rg_build_node(b, "Transpose", "perm=0,1,3,2", k, -1);
    n->x = rg_zoo_attend(b, q, k, v, 0, heads[stage], head, 0);
    n->channels = width;
    rg_net_dense(n, block, "attn.proj", width, true);
}

static void expand(rg_net *n, const pvt *p, const char *block, int stage, int64_t side)
{
    int64_t width = n->channels, inner = width * p->inner[stage];
    rg_net_dense(n, block, "mlp.fc1", inner, true);
    rg_net_roll(n, side);
    rg_net_name(n, block, "mlp.dwconv");
    if (p->linear) rg_net_activate(n, "Relu");
    rg_net_conv(n, (rg_conv){inner, .kernel = 3, .group = inner, .bias = true});
    rg_net_unroll(n);
    rg_net_activate(n, "Gelu");
    rg_net_dense(n, block, "mlp.fc2", width, true);
}

static void encode(rg_net *n, const pvt *p, const char *block, int stage, int64_t side)
{
    rg_value_id before = n->x;
    rg_net_layer_norm(n, block, "norm1", 1e-6);
    attend(n, p, block, stage, side);
    rg_net_add_scaled(n, block, NULL, false, before);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-6);
    expand(n, p, block, stage, side);
    rg_net_add_scaled(n, block, NULL, false, before);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const pvt *p = self->layout;
    int64_t side = IMAGE_SIDE / 4;
    char name[40];
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    embed(&n, "patch_embed", 7, 4, p->widths[0]);
    for (int stage = 0; stage < STAGES; stage++) {
        snprintf(name, sizeof name, "stages.%d.downsample", stage);
        if (stage) side /= 2, embed(&n, name, 3, 2, p->widths[stage]);
        for (int i = 0; i < p->layers[stage]; i++) {
            snprintf(name, sizeof name, "stages.%d.blocks.%d", stage, i);
            encode(&n, p, name, stage, side);
        }
        snprintf(name, sizeof name, "stages.%d.norm", stage);
        rg_net_layer_norm(&n, name, "", 1e-6);
        rg_net_roll(&n, side);
    }
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

#define SOURCE "Wang et al. 2021, arXiv:2106.13797; parameters: timm, at 224x224"

/* Name, widths, layers, widths of the inner layers in widths, linear, parameters, MACs. */
#define PVT_LIST(X) \
    X(pvt_v2_b0, 32, 64, 160, 256, 2, 2, 2, 2, 8, 8, 4, 4, false, 3666760, 566065664) \
    X(pvt_v2_b1, 64, 128, 320, 512, 2, 2, 2, 2, 8, 8, 4, 4, false, 14009000, 2108355584) \
    X(pvt_v2_b2, 64, 128, 320, 512, 3, 4, 6, 3, 8, 8, 4, 4, false, 25362856, 4026734592) \
    X(pvt_v2_b2_li, 64, 128, 320, 512, 3, 4, 6, 3, 8, 8, 4, 4, true, 22553512, 3888850944) \
    X(pvt_v2_b3, 64, 128, 320, 512, 3, 4, 18, 3, 8, 8, 4, 4, false, 45238696, 6897303552) \
    X(pvt_v2_b4, 64, 128, 320, 512, 3, 8, 27, 3, 8, 8, 4, 4, false, 62556072, 10101116416) \
    X(pvt_v2_b5, 64, 128, 320, 512, 3, 6, 40, 3, 4, 4, 4, 4, false, 81956008, 11717260288)

#define ROW(id, w1, w2, w3, w4, l1, l2, l3, l4, i1, i2, i3, i4, pooled, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = IMAGE_SIDE, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const pvt){{w1, w2, w3, w4}, {l1, l2, l3, l4}, {i1, i2, i3, i4}, pooled}, \
    };
PVT_LIST(ROW)
