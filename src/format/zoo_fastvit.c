/* zoo_fastvit.c - FastViT as timm has it (Vasu et al. 2023), with the branches that its authors fold after
 * training. What they call a block of MobileOne is a sum of normalized branches in front of its activation:
 *
 *     k x k convolution  +  1x1 convolution (where k > 1)  +  x (where shapes are the same)
 *
 * Places are mixed by x + scale (block(x) - norm(x)), in the last stage of some by attention.
 */
#include "format/zoo.h"

enum { STAGES = 4, HEAD = 32 };

typedef struct fastvit {
    int64_t width;              /* of the first stage; doubles with each */
    int blocks[STAGES];
    int64_t expand;
    bool attends;               /* the last stage */
} fastvit;

static void conv_bn(rg_net *n, const char *scope, const char *name, rg_conv c)
{
    char layer[80];
    snprintf(layer, sizeof layer, "%s.%s", scope, name);
    rg_net_conv_norm_act(n, layer, c, "None");
}

/* What is added to what was summed before; 0: nothing was. */
static rg_value_id sum(rg_net *n, const char *scope, rg_value_id before)
{
    rg_zoo_scope(&n->b, "%s", scope);
    return before ? rg_build_node(&n->b, "Add", NULL, before, n->x, -1) : n->x;
}

/* A block of MobileOne; squeezed: channels of a gate, 0 for none. */
static void branches(rg_net *n, const char *scope, rg_conv c, int64_t squeezed, const char *activation)
{
    char gate[64];
    rg_value_id x = n->x, all = 0;
    int64_t from = n->channels;
    rg_conv one = {c.channels, .kernel = 1, .stride = c.stride, .group = c.group};
    if (from == c.channels && c.stride <= 1) {
        rg_zoo_scope(&n->b, "%s.identity", scope);
        rg_net_batch_norm(n);
        all = n->x;
    }
    if (c.kernel > 1) {
        n->x = x, n->channels = from;
        conv_bn(n, scope, "conv_scale", one);
        all = sum(n, scope, all);
    }
    n->x = x, n->channels = from;
    conv_bn(n, scope, "conv_kxk.0", c);
    n->x = sum(n, scope, all);
    snprintf(gate, sizeof gate, "%s.se", scope);
    if (squeezed) rg_net_squeeze_excite(n, gate, squeezed, "Relu", "Sigmoid");
    rg_net_activate(n, activation);
}

/* before + x scaled by channel. */
static void add_scaled(rg_net *n, const char *scope, const char *name, rg_value_id before)
{
    const int64_t shape[] = {n->channels, 1, 1};
    rg_zoo_scope(&n->b, "%s.%s", scope, name);
    rg_value_id by = rg_build_param(&n->b, "gamma", RG_F32, 3, shape);
    n->x = rg_build_node(&n->b, "Mul", NULL, n->x, by, -1);
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_add(n, before);
}

/* ---- blocks ---- */

static void mix(rg_net *n, const char *block)
{
    char scope[64];
    rg_value_id x = n->x;
    snprintf(scope, sizeof scope, "%s.token_mixer", block);
    rg_zoo_scope(&n->b, "%s.norm.identity", scope);
    rg_net_batch_norm(n);
    rg_value_id normal = n->x;
    n->x = x;
    snprintf(scope, sizeof scope, "%s.token_mixer.mixer", block);
    branches(n, scope, (rg_conv){n->channels, .kernel = 3, .group = n->channels}, 0, "None");
    snprintf(scope, sizeof scope, "%s.token_mixer", block);
    rg_zoo_scope(&n->b, "%s", scope);
    n->x = rg_build_node(&n->b, "Sub", NULL, n->x, normal, -1);
    add_scaled(n, scope, "layer_scale", x);
}

static void attend(rg_net *n, const char *block)
{
    rg_build *b = &n->b;
    int64_t channels = n->channels, heads = channels / HEAD;
    rg_value_id before = n->x, third[3];
    rg_zoo_scope(b, "%s.norm", block);
    rg_net_batch_norm(n);
    rg_zoo_scope(b, "%s.token_mixer", block);
    rg_value_id shape = rg_build_node(b, "Shape", NULL, n->x, -1);
    rg_value_id x = rg_zoo_reshape(b, n->x, 3, (const int64_t[]){0, channels, -1});
    x = rg_build_node(b, "Transpose", "perm=0,2,1", x, -1);
    rg_zoo_scope(b, "%s.token_mixer.qkv", block);
    x = rg_zoo_dense(b, x, channels, 3 * channels, false);
    rg_zoo_scope(b, "%s.token_mixer", block);
    rg_build_nodev(b, "Split", "axis=-1 num_outputs=3", 1, &x, 3, third);
    for (int i = 0; i < 3; i++) third[i] = rg_zoo_split_heads(b, third[i], heads, HEAD, i == 1);
    x = rg_zoo_attend(b, third[0], third[1], third[2], 0, heads, HEAD, 0);
    rg_zoo_scope(b, "%s.token_mixer.proj", block);
    x = rg_zoo_dense(b, x, channels, channels, true);
    rg_zoo_scope(b, "%s.token_mixer", block);
    x = rg_build_node(b, "Transpose", "perm=0,2,1", x, -1);
    n->x = rg_build_node(b, "Reshape", NULL, x, shape, -1);
    add_scaled(n, block, "layer_scale_1", before);
}

static void expand(rg_net *n, const fastvit *f, const char *block, const char *scale)
{
    rg_value_id before = n->x;
    int64_t channels = n->channels;
    conv_bn(n, block, "mlp.conv", (rg_conv){channels, .kernel = 7, .group = channels});
    rg_zoo_scope(&n->b, "%s.mlp.fc1", block);
    rg_net_conv(n, (rg_conv){.channels = f->expand * channels, .bias = true});
    rg_net_activate(n, "Gelu");
    rg_zoo_scope(&n->b, "%s.mlp.fc2", block);
    rg_net_conv(n, (rg_conv){.channels = channels, .bias = true});
    add_scaled(n, block, scale, before);
}

/* ---- stages ---- */

/* Two windows by channel, which double the channels, then a 1x1 block. */
static void shrink(rg_net *n, int stage)
{
    char scope[40];
    rg_value_id x = n->x;
    int64_t from = n->channels;
    snprintf(scope, sizeof scope, "stages.%d.downsample.proj.0", stage);
    conv_bn(n, scope, "large_conv", (rg_conv){2 * from, .kernel = 7, .stride = 2, .group = from});
    rg_value_id large = n->x;
    n->x = x, n->channels = from;
    conv_bn(n, scope, "small_conv", (rg_conv){2 * from, .kernel = 3, .stride = 2, .group = from});
    rg_net_add(n, large);
    snprintf(scope, sizeof scope, "stages.%d.downsample.proj.1", stage);
    branches(n, scope, (rg_conv){n->channels, .kernel = 1}, 0, "Gelu");
}

/* Where a place is: a 7x7 window of its neighbors. */
static void place(rg_net *n, int stage)
{
    rg_value_id x = n->x;
    rg_zoo_scope(&n->b, "stages.%d.pos_emb.pos_enc", stage);
    rg_net_conv(n, (rg_conv){n->channels, .kernel = 7, .group = n->channels, .bias = true});
    rg_net_add(n, x);
}

static void stem(rg_net *n, int64_t width)
{
    branches(n, "stem.0", (rg_conv){width, .kernel = 3, .stride = 2}, 0, "Gelu");
    branches(n, "stem.1", (rg_conv){width, .kernel = 3, .stride = 2, .group = width}, 0, "Gelu");
    branches(n, "stem.2", (rg_conv){width, .kernel = 1}, 0, "Gelu");
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const fastvit *f = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 256));
    stem(&n, f->width);
    for (int stage = 0; stage < STAGES; stage++) {
        bool attends = f->attends && stage + 1 == STAGES;
        if (stage) shrink(&n, stage);
        if (attends) place(&n, stage);
        for (int i = 0; i < f->blocks[stage]; i++) {
            char block[40];
            snprintf(block, sizeof block, "stages.%d.blocks.%d", stage, i);
            if (attends) attend(&n, block);
            else mix(&n, block);
            expand(&n, f, block, attends ? "layer_scale_2" : "layer_scale");
        }
    }
    int64_t last = n.channels;
    branches(&n, "final_conv", (rg_conv){2 * last, .kernel = 3, .group = last}, last / 8, "Gelu");
    rg_net_classify(&n, "head.fc");
    return rg_net_done(&n, out);
}

/* Name, width, blocks, expansion, attention, parameters, MACs. */
#define FASTVIT_LIST(X) \
    X(fastvit_t8, 48, 2, 2, 4, 2, 3, false, 4026232, 690149376) \
    X(fastvit_t12, 64, 2, 2, 6, 2, 3, false, 7553704, 1397727232) \
    X(fastvit_s12, 64, 2, 2, 6, 2, 4, false, 9473576, 1800380416) \
    X(fastvit_sa12, 64, 2, 2, 6, 2, 4, true, 11580968, 1943937024) \
    X(fastvit_sa24, 64, 4, 4, 12, 4, 4, true, 21554216, 3769966592) \
    X(fastvit_sa36, 64, 6, 6, 18, 6, 4, true, 31527464, 5595996160) \
    X(fastvit_ma36, 76, 6, 6, 18, 6, 4, true, 44068004, 7825709056)

#define X(id, w, n1, n2, n3, n4, wider, late, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Vasu et al. 2023, arXiv:2303.14189, as timm has it", .parameters = params, .macs = mac, \
        .layout = &(const fastvit){w, {n1, n2, n3, n4}, wider, late}, \
    };
FASTVIT_LIST(X)
#undef X
