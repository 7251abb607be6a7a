/* zoo_rdnet.c - RDNet as timm has it (Kim et al. 2024): DenseNet with the blocks of ConvNeXt. A block reads
 * what all blocks of its stage before it made, joined, and adds channels to that:
 *
 *     join -- 7x7 by channel -- norm -- 1x1 to 4 C -- Gelu -- 1x1 to G (-- gate) -- scale
 *
 * Three blocks are a stage; between two, a norm and a convolution keep half of the channels, some at half of
 * the side.
 */
#include "format/zoo.h"

enum { BLOCKS = 3, EARLY = 2 /* stages without gates */ };

typedef struct rdnet {
    int64_t begin;                  /* channels of the first convolution */
    int stages, first_halves, late; /* the stages from 1 to the first count, and that one, halve the side */
    int64_t growth[4];              /* of the first, the second, the middle stages, and from `late` on */
} rdnet;

static void normalize(rg_net *n)
{
    n->x = rg_build_node(&n->b, "Transpose", "perm=0,2,3,1", n->x, -1);
    n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, 1e-6);
    n->x = rg_build_node(&n->b, "Transpose", "perm=0,3,1,2", n->x, -1);
}

static void layer(rg_net *n, const char *block, int index, rg_conv conv)
{
    rg_zoo_scope(&n->b, "%s.layers.layers.%d", block, index);
    conv.bias = true;
    rg_net_conv(n, conv);
}

static void run(rg_net *n, const char *block, int64_t growth, bool gated)
{
    char gate[64];
    int64_t channels = n->channels, shape[] = {growth, 1, 1};
    layer(n, block, 0, (rg_conv){channels, .kernel = 7, .group = channels});
    rg_zoo_scope(&n->b, "%s.layers.layers.1", block);
    normalize(n);
    layer(n, block, 2, (rg_conv){.channels = channels * 4 / 8 * 8});
    rg_net_activate(n, "Gelu");
    layer(n, block, 4, (rg_conv){.channels = growth});
    snprintf(gate, sizeof gate, "%s.layers.layers.5", block);
    if (gated) rg_net_gate(n, gate, "fc", "HardSigmoid");
    rg_zoo_scope(&n->b, "%s", block);
    rg_value_id by = rg_build_param(&n->b, "gamma", RG_F32, 3, shape);
    n->x = rg_build_node(&n->b, "Mul", NULL, n->x, by, -1);
}

static void run_stage(rg_net *n, int stage, int64_t growth)
{
    rg_value_id parts[BLOCKS + 1] = {n->x};
    int64_t channels = n->channels;
    for (int i = 0; i < BLOCKS; i++) {
        char block[48];
        snprintf(block, sizeof block, "dense_stages.%d.%d.dense_block%d", stage, stage ? 2 : 0, i);
        run(n, block, growth, stage >= EARLY);
        parts[i + 1] = n->x;
        channels += growth;
        rg_zoo_scope(&n->b, "dense_stages.%d.%d", stage, stage ? 2 : 0);
        rg_net_concat(n, (uint32_t)i + 2, parts, channels);
    }
}

static int64_t growth_of(const rdnet *r, int stage)
{
    if (stage < 2) return r->growth[stage];
    return r->growth[stage < r->late ? 2 : 3];
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const rdnet *r = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    rg_zoo_scope(&n.b, "stem.0");
    rg_net_conv(&n, (rg_conv){.channels = r->begin, .kernel = 4, .stride = 4, .pad = -1, .bias = true});
    rg_zoo_scope(&n.b, "stem.1");
    normalize(&n);
    for (int stage = 0; stage < r->stages; stage++) {
        int64_t window = stage <= r->first_halves || stage == r->late ? 2 : 1;
        rg_zoo_scope(&n.b, "dense_stages.%d.0", stage);
        if (stage) normalize(&n);
        rg_zoo_scope(&n.b, "dense_stages.%d.1", stage);
        if (stage)
            rg_net_conv(&n, (rg_conv){n.channels / 2 / 8 * 8, .kernel = window, .stride = window, .pad = -1,
                                      .bias = true});
        run_stage(&n, stage, growth_of(r, stage));
    }
    rg_zoo_scope(&n.b, "head.global_pool");
    rg_net_global_pool(&n);
    rg_zoo_scope(&n.b, "head.norm");
    normalize(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "head.fc", 1000);
    return rg_net_done(&n, out);
}

/* Name, first channels, stages, the last one that halves the side, growth, parameters, MACs. */
#define RDNET_LIST(X) \
    X(rdnet_tiny, 64, 7, 6, 64, 104, 128, 224, 23863008, 5032673424) \
    X(rdnet_small, 72, 11, 9, 64, 128, 128, 240, 50436448, 8706216840) \
    X(rdnet_base, 120, 11, 9, 96, 128, 168, 336, 87451096, 15358159296) \
    X(rdnet_large, 144, 12, 10, 128, 192, 256, 360, 186269632, 34675293792)

#define X(id, channels, count, behind, g1, g2, g3, g4, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Kim et al. 2024, arXiv:2403.19588, as timm has it", .parameters = params, .macs = mac, \
        .layout = &(const rdnet){channels, count, 2, behind, {g1, g2, g3, g4}}, \
    };
RDNET_LIST(X)
#undef X
