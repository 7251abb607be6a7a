/* zoo_mixer.c - networks of linear layers alone, as timm has them: patches of an image are positions, and a
 * layer over the positions takes turns with one over the features.
 *
 *     MLP-Mixer   x + mlp(norm(x)^T)^T          then x + mlp(norm(x))
 *     ResMLP      x + s1 linear(affine(x)^T)^T  then x + s2 mlp(affine(x)); no norm: scale and bias alone
 *     gMLP        x + fc2(u * linear(norm(v)^T)^T), [u v] = gelu(fc1(norm(x)))
 */
#include "format/zoo.h"

enum { IMAGE_SIDE = 224 };

typedef enum kind { MIXER, RESMLP, GMLP } kind;

typedef struct mixer { kind kind; int64_t patch, layers, width; } mixer;

static void turn(rg_net *n) { n->x = rg_build_node(&n->b, "Transpose", "perm=0,2,1", n->x, -1); }

static void normalize(rg_net *n, const mixer *m, const char *name)
{
    rg_build *b = &n->b;
    rg_zoo_scope(b, "%s", name);
    if (m->kind != RESMLP) {
        n->x = rg_zoo_layer_norm(b, n->x, m->width, 1e-6);
        return;
    }
    rg_value_id alpha = rg_build_param(b, "alpha", RG_F32, 1, &m->width);
    rg_value_id beta = rg_build_param(b, "beta", RG_F32, 1, &m->width);
    n->x = rg_build_node(b, "Add", NULL, rg_build_node(b, "Mul", NULL, n->x, alpha, -1), beta, -1);
}

/* What a block of ResMLP adds is scaled by feature. */
static void add(rg_net *n, const mixer *m, const char *block, int half, rg_value_id before)
{
    rg_zoo_scope(&n->b, "%s", block);
    if (m->kind == RESMLP) {
        rg_value_id by = rg_build_param(&n->b, half == 1 ? "ls1" : "ls2", RG_F32, 1, &m->width);
        n->x = rg_build_node(&n->b, "Mul", NULL, n->x, by, -1);
    }
    rg_net_add(n, before);
}

static void mix(rg_net *n, const mixer *m, const char *block, int64_t places)
{
    char name[48];
    rg_value_id before = n->x;
    snprintf(name, sizeof name, "%s.norm1", block);
    normalize(n, m, name);
    turn(n);
    rg_zoo_scope(&n->b, "%s.linear_tokens", block);
    if (m->kind == RESMLP)
        n->x = rg_zoo_dense(&n->b, n->x, places, places, true);
    else
        n->x = rg_zoo_feed_forward(&n->b, n->x, block, "mlp_tokens.fc1", "mlp_tokens.fc2", places,
                                   m->width / 2, "Gelu");
    turn(n);
    add(n, m, block, 1, before);
    before = n->x;
    snprintf(name, sizeof name, "%s.norm2", block);
    normalize(n, m, name);
    n->x = rg_zoo_feed_forward(&n->b, n->x, block, "mlp_channels.fc1", "mlp_channels.fc2", m->width,
                               4 * m->width, "Gelu");
    add(n, m, block, 2, before);
}

/* Section 2.1 of the gMLP paper; the inner layer is six times the width. */
static void gate(rg_net *n, const mixer *m, const char *block, int64_t places)
{
    rg_build *b = &n->b;
    rg_value_id before = n->x, outs[2];
    int64_t inner = 6 * m->width, half = inner / 2;
    char name[48];
    snprintf(name, sizeof name, "%s.norm", block);
    normalize(n, m, name);
    rg_zoo_scope(b, "%s.mlp_channels.fc1", block);
    rg_value_id x = rg_build_node(b, "Gelu", NULL, rg_zoo_dense(b, n->x, m->width, inner, true), -1);
    rg_value_id in[2] = {x, rg_build_ints(b, 2, (const int64_t[]){half, half})};
    rg_build_nodev(b, "Split", "axis=-1", 2, in, 2, outs);
    rg_zoo_scope(b, "%s.mlp_channels.gate.norm", block);
    n->x = rg_zoo_layer_norm(b, outs[1], half, 1e-5);
    turn(n);
    rg_zoo_scope(b, "%s.mlp_channels.gate.proj", block);
    n->x = rg_zoo_dense(b, n->x, places, places, true);
    turn(n);
    n->x = rg_build_node(b, "Mul", NULL, outs[0], n->x, -1);
    rg_zoo_scope(b, "%s.mlp_channels.fc2", block);
    n->x = rg_zoo_dense(b, n->x, half, m->width, true);
    add(n, m, block, 2, before);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const mixer *m = self->layout;
    int64_t side = IMAGE_SIDE / m->patch, places = side * side;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    rg_zoo_scope(&n.b, "stem.proj");
    rg_net_conv(&n, (rg_conv){.channels = m->width, .kernel = m->patch, .stride = m->patch, .pad = -1,
                              .bias = true});
    n.x = rg_zoo_reshape(&n.b, n.x, 3, (const int64_t[]){0, m->width, places});
    turn(&n);
    for (int i = 0; i < m->layers; i++) {
        char block[32];
        snprintf(block, sizeof block, "blocks.%d", i);
        if (m->kind == GMLP) gate(&n, m, block, places);
        else mix(&n, m, block, places);
    }
    normalize(&n, m, "norm");
    rg_zoo_scope(&n.b, "pool");
    n.x = rg_build_node(&n.b, "ReduceMean", "keepdims=0", n.x, rg_build_ints(&n.b, 1, (const int64_t[]){1}),
                        -1);
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

#define TOLSTIKHIN "Tolstikhin et al. 2021, arXiv:2105.01601; parameters: timm, at 224x224"
#define TOUVRON "Touvron et al. 2021, arXiv:2105.03404; parameters: timm, at 224x224"
#define LIU "Liu et al. 2021, arXiv:2105.08050; parameters: timm, at 224x224"

/* Name, kind, patch, layers, width, parameters, MACs, source. */
#define MIXER_LIST(X) \
    X(mixer_s16, MIXER, 16, 8, 512, 18528264, 3776958464, TOLSTIKHIN) \
    X(mixer_s32, MIXER, 32, 8, 512, 19104624, 1002426368, TOLSTIKHIN) \
    X(mixer_b16, MIXER, 16, 12, 768, 59880472, 12601767936, TOLSTIKHIN) \
    X(mixer_b32, MIXER, 32, 12, 768, 60293428, 3237722112, TOLSTIKHIN) \
    X(mixer_l16, MIXER, 16, 24, 1024, 208196168, 44547678208, TOLSTIKHIN) \
    X(mixer_l32, MIXER, 32, 24, 1024, 206939264, 11253293056, TOLSTIKHIN) \
    X(resmlp_12, RESMLP, 16, 12, 384, 15346264, 3009739776, TOUVRON) \
    X(resmlp_24, RESMLP, 16, 24, 384, 30011464, 5961292800, TOUVRON) \
    X(resmlp_36, RESMLP, 16, 36, 384, 44676664, 8912845824, TOUVRON) \
    X(resmlp_big_24, RESMLP, 8, 24, 768, 129119848, 100230739968, TOUVRON) \
    X(gmlp_ti16, GMLP, 16, 30, 128, 5867328, 1328989184, LIU) \
    X(gmlp_s16, GMLP, 16, 30, 256, 19422656, 4392060928, LIU) \
    X(gmlp_b16, GMLP, 16, 30, 512, 73075392, 15720452096, LIU)

#define ROW(id, sort, cut, count, wide, params, mac, from) \
    RG_ZOO(id) = { \
        .name = #id, .family = "mlp", .source = from, .build = build, .parameters = params, .macs = mac, \
        .layout = &(const mixer){sort, cut, count, wide}, \
    };
MIXER_LIST(ROW)
