/* zoo_crossvit.c - CrossViT as timm has it (Chen et al. 2021): two vision transformers side by side, of small
 * patches and of large ones of a smaller image; thrice, behind one block of the first and several of the
 * second, each one's class token asks the other's patches, in the other's width, and comes back.
 */
#include "format/zoo.h"

enum { BRANCHES = 2, ROUNDS = 3 };

static const int64_t patch[BRANCHES] = {12, 16};

/* convolved: patches are cut by three convolutions (the paper's dagger). */
typedef struct crossvit {
    int64_t widths[BRANCHES], heads;
    int layers;
    int64_t inner, side;
    bool convolved;
} crossvit;

/* What each branch has. */
typedef struct pair { rg_value_id x[BRANCHES]; } pair;

static void convolve(rg_net *n, const char *scope, int index, rg_conv conv)
{
    char name[8];
    snprintf(name, sizeof name, "%d", index);
    rg_net_name(n, scope, name);
    conv.bias = true;
    rg_net_conv(n, conv);
    if (index < 4) rg_net_activate(n, "Relu");
}

static void embed(rg_net *n, const crossvit *c, int branch, int64_t side, rg_value_id batch)
{
    char scope[32];
    int64_t width = c->widths[branch], cut = patch[branch], places = (side / cut) * (side / cut);
    snprintf(scope, sizeof scope, "patch_embed.%d.proj", branch);
    if (c->convolved) {
        bool small = cut == 12;
        convolve(n, scope, 0, (rg_conv){width / 4, .kernel = 7, .stride = 4});
        convolve(n, scope, 2,
                 (rg_conv){width / 2, .kernel = 3, .stride = small ? 3 : 2, .pad = small ? -1 : 1});
        convolve(n, scope, 4, (rg_conv){width, .kernel = 3, .stride = small ? 1 : 2});
    } else {
        rg_zoo_scope(&n->b, "%s", scope);
        rg_net_conv(n, (rg_conv){width, .kernel = cut, .stride = cut, .pad = -1, .bias = true});
    }
    rg_net_unroll(n);
    rg_value_id token = rg_zoo_tokens(&n->b, branch ? "cls_token_1" : "cls_token_0", 1, width, batch);
    n->x = rg_build_node(&n->b, "Concat", "axis=1", token, n->x, -1);
    rg_net_add(n, rg_build_param(&n->b, branch ? "pos_embed_1" : "pos_embed_0", RG_F32, 3,
                                 (const int64_t[]){1, 1 + places, width}));
}

static void encode(rg_net *n, const crossvit *c, const char *block)
{
    char attn[64];
    int64_t width = n->channels;
    rg_value_id before = n->x;
    snprintf(attn, sizeof attn, "%s.attn", block);
    rg_net_layer_norm(n, block, "norm1", 1e-6);
    n->x = rg_zoo_self_attention(&n->b, n->x, &(rg_self_attention){
        .scope = attn, .packed = "qkv", .out = "proj", .heads = c->heads, .head = width / c->heads});
    rg_net_add_scaled(n, block, NULL, false, before);
    before = n->x;
    rg_net_layer_norm(n, block, "norm2", 1e-6);
    rg_net_mlp(n, block, c->inner * width, "Gelu");
    rg_net_add_scaled(n, block, NULL, false, before);
}

/* A class token in another width: norm, Gelu, linear. */
static void change_width(rg_net *n, const char *scope, int64_t to)
{
    rg_net_layer_norm(n, scope, "0", 1e-6);
    rg_net_activate(n, "Gelu");
    rg_net_dense(n, scope, "2", to, true);
}

/* The first of n->x asks all of it and is left alone. */
static void ask(rg_net *n, const crossvit *c, const char *scope)
{
    rg_build *b = &n->b;
    char attn[64];
    int64_t width = n->channels, head = width / c->heads;
    rg_value_id token = rg_zoo_cut(b, n->x, 1, 0, 1), all, q, k, v;
    snprintf(attn, sizeof attn, "%s.attn", scope);
    rg_net_layer_norm(n, scope, "norm1", 1e-6);
    all = n->x;
    n->x = rg_zoo_cut(b, all, 1, 0, 1);
    rg_net_dense(n, attn, "wq", width, true);
    q = rg_zoo_split_heads(b, n->x, c->heads, head, false);
    n->x = all;
    rg_net_dense(n, attn, "wk", width, true);
    k = rg_zoo_split_heads(b, n->x, c->heads, head, true);
    n->x = all;
    rg_net_dense(n, attn, "wv", width, true);
    v = rg_zoo_split_heads(b, n->x, c->heads, head, false);
    n->x = rg_zoo_attend(b, q, k, v, 0, c->heads, head, 0);
    rg_net_dense(n, attn, "proj", width, true);
    rg_net_add_scaled(n, scope, NULL, false, token);
}

static void round_of(rg_net *n, const crossvit *c, int index, pair *p)
{
    char scope[48];
    rg_value_id tokens[BRANCHES], images[BRANCHES];
    for (int i = 0; i < BRANCHES; i++) {
        n->x = p->x[i], n->channels = c->widths[i];
        for (int k = 0; k < (i ? c->layers : 1); k++) {
            snprintf(scope, sizeof scope, "blocks.%d.blocks.%d.%d", index, i, k);
            encode(n, c, scope);
        }
        images[i] = rg_zoo_cut(&n->b, n->x, 1, 1, INT64_MAX);
        n->x = rg_zoo_cut(&n->b, n->x, 1, 0, 1);
        snprintf(scope, sizeof scope, "blocks.%d.projs.%d", index, i);
        change_width(n, scope, c->widths[1 - i]);
        tokens[i] = n->x;
    }
    for (int i = 0; i < BRANCHES; i++) {
        n->channels = c->widths[1 - i];
        snprintf(scope, sizeof scope, "blocks.%d.fusion.%d", index, i);
        rg_net_name(n, scope, "");
        n->x = rg_build_node(&n->b, "Concat", "axis=1", tokens[i], images[1 - i], -1);
        ask(n, c, scope);
        snprintf(scope, sizeof scope, "blocks.%d.revert_projs.%d", index, i);
        change_width(n, scope, c->widths[i]);
        p->x[i] = rg_build_node(&n->b, "Concat", "axis=1", n->x, images[i], -1);
    }
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const crossvit *c = self->layout;
    const int64_t sides[BRANCHES] = {c->side, c->side == 240 ? 224 : 384};
    char attrs[96];
    pair p;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, c->side));
    rg_value_id image = n.x, batch = rg_zoo_batch(&n.b, n.x);
    for (int i = 0; i < BRANCHES; i++) {
        n.x = image, n.channels = 3;
        snprintf(attrs, sizeof attrs, "mode=\"cubic\" cubic_coeff_a=-0.75f axes=2,3");
        rg_value_id sizes = rg_build_ints(&n.b, 2, (const int64_t[]){sides[i], sides[i]});
        if (i) n.x = rg_build_node(&n.b, "Resize", attrs, n.x, 0, 0, sizes, -1);
        embed(&n, c, i, sides[i], batch);
        p.x[i] = n.x;
    }
    for (int i = 0; i < ROUNDS; i++) round_of(&n, c, i, &p);
    for (int i = 0; i < BRANCHES; i++) {
        n.x = p.x[i], n.channels = c->widths[i];
        rg_net_layer_norm(&n, i ? "norm.1" : "norm.0", "", 1e-6);
        n.x = rg_build_node(&n.b, "Gather", "axis=1", n.x, rg_zoo_int(&n.b, 0), -1);
        rg_net_linear(&n, i ? "head.1" : "head.0", 1000);
        if (i) rg_net_add(&n, p.x[0]);
        else p.x[0] = n.x;
    }
    n.x = rg_build_node(&n.b, "Div", NULL, n.x, rg_build_scalar(&n.b, 2), -1);
    return rg_net_done(&n, out);
}

#define SOURCE "Chen et al. 2021, arXiv:2103.14899; parameters: timm"

/* Name, widths, heads, layers of the second, inner width, side, cut by convolutions, parameters, MACs. */
#define CROSSVIT_LIST(X) \
    X(crossvit_tiny_240, 96, 192, 3, 4, 4, 240, false, 7014800, 1562734080) \
    X(crossvit_small_240, 192, 384, 6, 4, 4, 240, false, 26856272, 5615557632) \
    X(crossvit_base_240, 384, 768, 12, 4, 4, 240, false, 105025232, 21191473152) \
    X(crossvit_9_240, 128, 256, 4, 3, 3, 240, false, 8553296, 1840796160) \
    X(crossvit_15_240, 192, 384, 6, 5, 3, 240, false, 27528464, 5790571776) \
    X(crossvit_18_240, 224, 448, 7, 6, 3, 240, false, 43271408, 9031158528) \
    X(crossvit_9_dagger_240, 128, 256, 4, 3, 3, 240, true, 8776592, 1979049984) \
    X(crossvit_15_dagger_240, 192, 384, 6, 5, 3, 240, true, 28209008, 6112304640) \
    X(crossvit_15_dagger_408, 192, 384, 6, 5, 3, 408, true, 28500080, 21398550336) \
    X(crossvit_18_dagger_240, 224, 448, 7, 6, 3, 240, true, 44266976, 9473218944) \
    X(crossvit_18_dagger_408, 224, 448, 7, 6, 3, 408, true, 44606560, 32409093024)

#define ROW(id, w1, w2, count, deep, wider, size, convs, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = size, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, \
        .layout = &(const crossvit){{w1, w2}, count, deep, wider, size, convs}, \
    };
CROSSVIT_LIST(ROW)
