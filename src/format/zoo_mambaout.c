/* zoo_mambaout.c - MambaOut as timm has it (Yu and Wang 2024): gated convolutional blocks with the channels
 * last. One linear layer makes gates, channels that pass, and channels that look around by 7 x 7:
 *
 *     x --+-- norm -- Linear --+-- act ---------------------- Mul -- Linear (-- scale) --+-- Add
 *         |                    +-- pass ------+-- join --------+                         |
 *         |                    +-- by channel +                                          |
 *         +------------------------------------------------------------------------------+
 */
#include "format/zoo.h"

enum { STAGES = 4 };

typedef struct mambaout {
    int blocks[STAGES];
    int64_t widths[STAGES];
    double expand, look;     /* features of the gate, channels that look around, for one of the block */
    bool own;                /* timm's: norms before shrinking, scaled blocks, a plain head */
    const char *activation;
} mambaout;

static void turn(rg_net *n, const char *perm) { n->x = rg_build_node(&n->b, "Transpose", perm, n->x, -1); }
static void first(rg_net *n) { turn(n, "perm=0,3,1,2"); }
static void last(rg_net *n) { turn(n, "perm=0,2,3,1"); }

static void normalize(rg_net *n, const char *scope, const char *name)
{
    rg_zoo_scope(&n->b, "%s.%s", scope, name);
    n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, 1e-6);
}

static void dense(rg_net *n, const char *scope, const char *name, int64_t out)
{
    rg_zoo_scope(&n->b, "%s.%s", scope, name);
    n->x = rg_zoo_dense(&n->b, n->x, n->channels, out, true);
    n->channels = out;
}

static void halve(rg_net *n, const char *scope, const char *name, int64_t channels)
{
    rg_zoo_scope(&n->b, "%s.%s", scope, name);
    rg_net_conv(n, (rg_conv){.channels = channels, .kernel = 3, .stride = 2, .bias = true});
}

static void block(rg_net *n, const mambaout *m, const char *scope)
{
    rg_build *b = &n->b;
    rg_value_id before = n->x, part[3];
    int64_t width = n->channels, hidden = (int64_t)(m->expand * (double)width);
    int64_t around = (int64_t)(m->look * (double)width);
    const int64_t sizes[] = {hidden, hidden - around, around};
    normalize(n, scope, "norm");
    dense(n, scope, "fc1", 2 * hidden);
    rg_zoo_scope(b, "%s", scope);
    const rg_value_id in[] = {n->x, rg_build_ints(b, 3, sizes)};
    rg_build_nodev(b, "Split", "axis=3", 2, in, 3, part);
    n->x = part[2], n->channels = around;
    first(n);
    rg_zoo_scope(b, "%s.conv", scope);
    rg_net_conv(n, (rg_conv){around, .kernel = 7, .group = around, .bias = true});
    last(n);
    rg_value_id all = rg_build_node(b, "Concat", "axis=3", part[1], n->x, -1);
    rg_zoo_scope(b, "%s.act", scope);
    n->x = part[0], n->channels = hidden;
    rg_net_activate(n, m->activation);
    n->x = rg_build_node(b, "Mul", NULL, n->x, all, -1);
    dense(n, scope, "fc2", width);
    rg_zoo_scope(b, "%s.ls", scope);
    if (m->own) {
        rg_value_id by = rg_build_param(b, "gamma", RG_F32, 1, &width);
        n->x = rg_build_node(b, "Mul", NULL, n->x, by, -1);
    }
    rg_zoo_scope(b, "%s", scope);
    rg_net_add(n, before);
}

static void shrink(rg_net *n, const mambaout *m, int stage)
{
    char scope[32];
    snprintf(scope, sizeof scope, "stages.%d.downsample", stage);
    if (m->own) normalize(n, scope, "norm");
    first(n);
    halve(n, scope, "conv", m->widths[stage]);
    last(n);
    if (!m->own) normalize(n, scope, "norm");
}

static void stem(rg_net *n, const mambaout *m)
{
    halve(n, "stem", "conv1", m->widths[0] / 2);
    if (!m->own) {
        last(n);
        normalize(n, "stem", "norm1");
        first(n);
    }
    rg_net_activate(n, m->activation);
    halve(n, "stem", "conv2", m->widths[0]);
    last(n);
    normalize(n, "stem", "norm2");
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const mambaout *m = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    stem(&n, m);
    for (int stage = 0; stage < STAGES; stage++) {
        if (stage) shrink(&n, m, stage);
        for (int i = 0; i < m->blocks[stage]; i++) {
            char scope[32];
            snprintf(scope, sizeof scope, "stages.%d.blocks.%d", stage, i);
            block(&n, m, scope);
        }
    }
    rg_zoo_scope(&n.b, "head");
    rg_value_id places = rg_build_ints(&n.b, 2, (const int64_t[]){1, 2});
    n.x = rg_build_node(&n.b, "ReduceMean", "keepdims=0", n.x, places, -1);
    normalize(&n, "head", "norm");
    dense(&n, "head", "pre_logits.fc", 4 * n.channels);
    rg_net_activate(&n, "Gelu");
    if (!m->own) normalize(&n, "head", "pre_logits.norm");
    rg_net_linear(&n, "head.fc", 1000);
    return rg_net_done(&n, out);
}

#define THIN {48, 96, 192, 288}
#define WIDE {96, 192, 384, 576}
#define BROAD {128, 256, 512, 768}

/* Name, parameters, MACs, blocks, widths, expansion, looking around, timm's own, activation. */
#define MAMBAOUT_LIST(X) \
    X(mambaout_femto, 7304536, 1147984992, {3, 3, 9, 3}, THIN, 8. / 3, 1, false, "Gelu") \
    X(mambaout_kobe, 9141208, 1505865312, {3, 3, 15, 3}, THIN, 8. / 3, 1, false, "Gelu") \
    X(mambaout_tiny, 26545096, 4469655744, {3, 3, 9, 3}, WIDE, 8. / 3, 1, false, "Gelu") \
    X(mambaout_small, 48488072, 8936423616, {3, 4, 27, 3}, WIDE, 8. / 3, 1, false, "Gelu") \
    X(mambaout_base, 84813092, 15794325760, {3, 4, 27, 3}, BROAD, 8. / 3, 1, false, "Gelu") \
    X(mambaout_small_rw, 48495560, 8936423616, {3, 4, 27, 3}, WIDE, 8. / 3, 1, true, "Gelu") \
    X(mambaout_base_short_rw, 88827688, 16280785216, {3, 3, 25, 3}, BROAD, 3, 1.25, true, "Gelu") \
    X(mambaout_base_tall_rw, 86481448, 16116684608, {3, 4, 30, 3}, BROAD, 2.5, 1.25, true, "Gelu") \
    X(mambaout_base_wide_rw, 94448104, 17751798144, {3, 4, 27, 3}, BROAD, 3, 1.5, true, "SiLU") \
    X(mambaout_base_plus_rw, 101656552, 19161191808, {3, 4, 30, 3}, BROAD, 3, 1.5, true, "SiLU")

#define X(id, params, mac, ...) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Yu and Wang 2024, arXiv:2405.07992, as timm has it", .parameters = params, .macs = mac, \
        .layout = &(const mambaout){__VA_ARGS__}, \
    };
MAMBAOUT_LIST(X)
#undef X
