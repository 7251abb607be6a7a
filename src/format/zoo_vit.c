/* zoo_vit.c - vision transformers: an image is cut into patches, which are the words of a sequence behind a
 * learned class token, whose last state is classified. As torchvision has them (ViT) and as timm does (DeiT,
 * without distillation); they differ in names only.
 */
#include "format/zoo.h"

enum { IMAGE_SIDE = 224 };

typedef struct names {
    const char *patch, *token, *places, *layer; /* the layers' number follows */
    const char *norm1, *attention, *packed, *out, *norm2, *inner, *outer;
    const char *norm, *head;
} names;

static const names torchvision = {
    .patch = "conv_proj", .token = "class_token", .places = "encoder.pos_embedding",
    .layer = "encoder.layers.encoder_layer_",
    .norm1 = "ln_1", .attention = "self_attention", .packed = "in_proj", .out = "out_proj",
    .norm2 = "ln_2", .inner = "mlp.0", .outer = "mlp.3", .norm = "encoder.ln", .head = "heads.head",
};

static const names timm = {
    .patch = "patch_embed.proj", .token = "cls_token", .places = "pos_embed", .layer = "blocks.",
    .norm1 = "norm1", .attention = "attn", .packed = "qkv", .out = "proj",
    .norm2 = "norm2", .inner = "mlp.fc1", .outer = "mlp.fc2", .norm = "norm", .head = "head",
};

/* Table 1 of the ViT paper, table 1 of DeiT's; the inner layers are four times the width. side: of the image;
 * scaled: what a block adds is scaled by channel, and the class token has no place (DeiT III). */
typedef struct vit { const names *names; int64_t patch, layers, heads, width, side; bool scaled; } vit;

/* The image -> [batch, 1 + patches, width]. */
static void embed(rg_net *n, const vit *v)
{
    rg_build *b = &n->b;
    int64_t side = v->side / v->patch, patches = side * side;
    rg_value_id batch = rg_build_node(b, "Shape", "end=1 start=0", n->x, -1);
    rg_zoo_scope(b, "%s", v->names->patch);
    rg_conv cut = {.channels = v->width, .kernel = v->patch, .stride = v->patch, .pad = -1, .bias = true};
    rg_net_conv(n, cut);
    rg_value_id x = rg_zoo_reshape(b, n->x, 3, (const int64_t[]){0, v->width, patches});
    x = rg_build_node(b, "Transpose", "perm=0,2,1", x, -1);
    b->scope = NULL; /* what follows is named in full */
    rg_value_id token = rg_build_param(b, v->names->token, RG_F32, 3, (const int64_t[]){1, 1, v->width});
    rg_value_id places = rg_build_param(b, v->names->places, RG_F32, 3,
                                        (const int64_t[]){1, !v->scaled + patches, v->width});
    if (v->scaled) x = rg_build_node(b, "Add", NULL, x, places, -1);
    rg_value_id one_each = rg_build_ints(b, 2, (const int64_t[]){1, v->width});
    one_each = rg_build_node(b, "Concat", "axis=0", batch, one_each, -1);
    token = rg_build_node(b, "Expand", NULL, token, one_each, -1);
    x = rg_build_node(b, "Concat", "axis=1", token, x, -1);
    n->x = v->scaled ? x : rg_build_node(b, "Add", NULL, x, places, -1);
}

static void normalize(rg_net *n, const vit *v) { n->x = rg_zoo_layer_norm(&n->b, n->x, v->width, 1e-6); }

/* To what was before. */
static void add_scaled(rg_net *n, const vit *v, const char *layer, int index, rg_value_id before)
{
    rg_zoo_scope(&n->b, "%s", layer);
    if (v->scaled) {
        rg_value_id by = rg_build_param(&n->b, index == 1 ? "ls1.gamma" : "ls2.gamma", RG_F32, 1, &v->width);
        n->x = rg_build_node(&n->b, "Mul", NULL, n->x, by, -1);
    }
    rg_net_add(n, before);
}

static void encode(rg_net *n, const vit *v, int index)
{
    rg_build *b = &n->b;
    const names *s = v->names;
    char layer[64], scope[96];
    snprintf(layer, sizeof layer, "%s%d", s->layer, index);
    snprintf(scope, sizeof scope, "%s.%s", layer, s->attention);
    rg_value_id before = n->x;
    rg_zoo_scope(b, "%s.%s", layer, s->norm1);
    normalize(n, v);
    rg_self_attention attention = {.scope = scope, .packed = s->packed, .out = s->out, .heads = v->heads,
                                   .head = v->width / v->heads};
    n->x = rg_zoo_self_attention(b, n->x, &attention);
    add_scaled(n, v, layer, 1, before);
    before = n->x;
    rg_zoo_scope(b, "%s.%s", layer, s->norm2);
    normalize(n, v);
    n->x = rg_zoo_feed_forward(b, n->x, layer, s->inner, s->outer, v->width, 4 * v->width, "Gelu");
    add_scaled(n, v, layer, 2, before);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const vit *v = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, v->side));
    embed(&n, v);
    for (int i = 0; i < v->layers; i++) encode(&n, v, i);
    rg_zoo_scope(&n.b, "%s", v->names->norm);
    normalize(&n, v);
    n.x = rg_build_node(&n.b, "Gather", "axis=1", n.x, rg_zoo_int(&n.b, 0), -1); /* the class token */
    rg_net_linear(&n, v->names->head, 1000);
    return rg_net_done(&n, out);
}

#define VIT "Dosovitskiy et al. 2020, arXiv:2010.11929; figures: torchvision, IMAGENET1K_V1 at 224x224"
#define DEIT \
    "Touvron et al. 2020, arXiv:2012.12877; figures: timm, deit_small_patch16_224.fb_in1k at 224x224"

/* Name, names, patch, layers, heads, width, parameters, MACs, GMACs as published, half of their last digit,
 * source. */
#define VIT_LIST(X) \
    X(vit_b_16, torchvision, 16, 12, 12, 768, 86567656, 17563828224, 17.564, 5e-4, VIT) \
    X(vit_b_32, torchvision, 32, 12, 12, 768, 88224232, 4409186304, 4.409, 5e-4, VIT) \
    X(vit_l_16, torchvision, 16, 24, 16, 1024, 304326632, 61554712576, 61.555, 5e-4, VIT) \
    X(vit_l_32, torchvision, 32, 24, 16, 1024, 306535400, 15377539072, 15.378, 5e-4, VIT) \
    X(deit_s, timm, 16, 12, 6, 384, 22050664, 4598882304, 4.6, 0.05, DEIT)

#define ROW(id, naming, patch_, layers_, heads_, width_, parameters_, macs_, gmacs, half, from) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .source = from, .build = build, \
        .parameters = parameters_, .macs = macs_, .published_macs = gmacs * 1e9, .rounding = half * 1e9, \
        .layout = &(const vit){&naming, patch_, layers_, heads_, width_, IMAGE_SIDE, false}, \
    };
VIT_LIST(ROW)

#define MORE "Dosovitskiy et al. 2020, arXiv:2010.11929; parameters: timm"
#define DEIT3 "Touvron et al. 2022, arXiv:2204.07118; parameters: timm"

/* Sizes and images that torchvision has not. Name, patch, layers, heads, width, side, scaled, parameters,
 * MACs, source. */
#define MORE_LIST(X) \
    X(vit_ti_16, 16, 12, 3, 192, 224, false, 5717416, 1253683200, MORE) \
    X(vit_ti_16_384, 16, 12, 3, 192, 384, false, 5790376, 4682219520, MORE) \
    X(vit_s_32, 32, 12, 6, 384, 224, false, 22878952, 1142909952, MORE) \
    X(vit_s_32_384, 32, 12, 6, 384, 384, false, 22915432, 3442900992, MORE) \
    X(vit_s_16_384, 16, 12, 6, 384, 384, false, 22196584, 15490351104, MORE) \
    X(vit_s_8, 8, 12, 6, 384, 224, false, 22055272, 22405742592, MORE) \
    X(vit_b_8, 8, 12, 12, 768, 224, false, 86576872, 78148337664, MORE) \
    X(vit_b_16_384, 16, 12, 12, 768, 384, false, 86859496, 55484350464, MORE) \
    X(vit_b_32_384, 32, 12, 12, 768, 384, false, 88297192, 13043564544, MORE) \
    X(vit_b_32_448, 32, 12, 12, 768, 448, false, 88337128, 17910644736, MORE) \
    X(vit_l_14, 14, 24, 16, 1024, 224, false, 304203752, 81013006336, MORE) \
    X(vit_l_14_336, 14, 24, 16, 1024, 336, false, 304531432, 190960132096, MORE) \
    X(vit_l_16_384, 16, 24, 16, 1024, 384, false, 304715752, 191066300416, MORE) \
    X(vit_l_32_384, 32, 24, 16, 1024, 384, false, 306632680, 45275963392, MORE) \
    X(vit_h_14, 14, 32, 16, 1280, 224, false, 632045800, 167295109120, MORE) \
    X(deit3_s, 16, 12, 6, 384, 224, true, 22059496, 4598882304, DEIT3) \
    X(deit3_s_384, 16, 12, 6, 384, 384, true, 22205416, 15490351104, DEIT3) \
    X(deit3_m, 16, 12, 8, 512, 224, true, 38849512, 7990968320, DEIT3) \
    X(deit3_b, 16, 12, 12, 768, 224, true, 86585320, 17563828224, DEIT3) \
    X(deit3_b_384, 16, 12, 12, 768, 384, true, 86877160, 55484350464, DEIT3) \
    X(deit3_l, 16, 24, 16, 1024, 224, true, 304374760, 61554712576, DEIT3) \
    X(deit3_l_384, 16, 24, 16, 1024, 384, true, 304763880, 191066300416, DEIT3) \
    X(deit3_h, 14, 32, 16, 1280, 224, true, 632126440, 167295109120, DEIT3)

#define MORE_ROW(id, patch_, layers_, heads_, width_, side_, scaled_, parameters_, macs_, from) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .source = from, .build = build, .parameters = parameters_, \
        .macs = macs_, .layout = &(const vit){&timm, patch_, layers_, heads_, width_, side_, scaled_}, \
    };
MORE_LIST(MORE_ROW)
