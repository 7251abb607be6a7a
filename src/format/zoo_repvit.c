/* zoo_repvit.c - RepViT as timm has it (Wang et al. 2023), with the branches that its authors fold after
 * training, and both of its classifiers, whose mean is the answer:
 *
 *     mixer    norm(k x k by channel -- norm  +  1x1 by channel  +  x) -- gate
 *     then     x + 1x1 to 2 C -- norm -- Gelu -- 1x1 -- norm
 *
 * Every second block has a gate. The first models normalize the second branch, not the sum.
 */
#include "format/zoo.h"

enum { STAGES = 4 };

typedef struct repvit { int64_t widths[STAGES]; int blocks[STAGES]; bool first; } repvit;

static void conv(rg_net *n, const char *scope, const char *name, rg_conv c)
{
    rg_zoo_scope(&n->b, "%s.%s.c", scope, name);
    rg_net_conv(n, c);
    rg_zoo_scope(&n->b, "%s.%s.bn", scope, name);
    rg_net_batch_norm(n);
}

static void mix(rg_net *n, const repvit *r, const char *scope)
{
    rg_value_id x = n->x;
    int64_t channels = n->channels;
    conv(n, scope, "token_mixer.conv", (rg_conv){channels, .kernel = 3, .group = channels});
    rg_value_id sum = n->x;
    n->x = x;
    if (r->first) {
        conv(n, scope, "token_mixer.conv1", (rg_conv){channels, .kernel = 1, .group = channels});
    } else {
        rg_zoo_scope(&n->b, "%s.token_mixer.conv1", scope);
        rg_net_conv(n, (rg_conv){channels, .kernel = 1, .group = channels, .bias = true});
    }
    rg_zoo_scope(&n->b, "%s.token_mixer", scope);
    rg_net_add(n, sum);
    n->x = rg_build_node(&n->b, "Add", NULL, n->x, x, -1);
    rg_zoo_scope(&n->b, "%s.token_mixer.bn", scope);
    if (!r->first) rg_net_batch_norm(n);
}

static void expand(rg_net *n, const char *scope, const char *name)
{
    char layer[64];
    rg_value_id x = n->x;
    int64_t channels = n->channels;
    snprintf(layer, sizeof layer, "%s.%s", scope, name);
    conv(n, layer, "conv1", (rg_conv){.channels = 2 * channels});
    rg_net_activate(n, "Gelu");
    conv(n, layer, "conv2", (rg_conv){.channels = channels});
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_add(n, x);
}

static void run(rg_net *n, const repvit *r, const char *scope, bool gated)
{
    char gate[56];
    mix(n, r, scope);
    snprintf(gate, sizeof gate, "%s.se", scope);
    if (gated) rg_net_squeeze_excite(n, gate, rg_net_round((double)n->channels / 4, 8), "Relu", "Sigmoid");
    expand(n, scope, "channel_mixer");
}

static void shrink(rg_net *n, const repvit *r, int stage)
{
    char scope[40], block[56];
    snprintf(scope, sizeof scope, "stages.%d.downsample", stage);
    snprintf(block, sizeof block, "%s.pre_block", scope);
    run(n, r, block, false);
    const rg_conv filter = {n->channels, .kernel = 3, .stride = 2, .group = n->channels};
    conv(n, scope, "spatial_downsample", filter);
    conv(n, scope, "channel_downsample", (rg_conv){.channels = r->widths[stage]});
    expand(n, scope, "ffn");
}

static void classify(rg_net *n)
{
    static const char *const heads[] = {"head.head", "head.head_dist"};
    rg_value_id answers[2];
    rg_zoo_scope(&n->b, "global_pool");
    rg_net_global_pool(n);
    rg_net_flatten(n);
    rg_value_id x = n->x;
    int64_t channels = n->channels;
    for (int i = 0; i < 2; i++) {
        n->x = x, n->channels = channels;
        rg_zoo_scope(&n->b, "%s.bn", heads[i]);
        rg_net_batch_norm(n);
        char name[24];
        snprintf(name, sizeof name, "%s.l", heads[i]);
        rg_net_linear(n, name, 1000);
        answers[i] = n->x;
    }
    rg_zoo_scope(&n->b, "head");
    n->x = rg_build_node(&n->b, "Add", NULL, answers[0], answers[1], -1);
    n->x = rg_build_node(&n->b, "Div", NULL, n->x, rg_build_scalar(&n->b, 2), -1);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const repvit *r = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    conv(&n, "stem", "conv1", (rg_conv){r->widths[0] / 2, .kernel = 3, .stride = 2});
    rg_net_activate(&n, "Gelu");
    conv(&n, "stem", "conv2", (rg_conv){r->widths[0], .kernel = 3, .stride = 2});
    for (int stage = 0; stage < STAGES; stage++) {
        if (stage) shrink(&n, r, stage);
        for (int i = 0; i < r->blocks[stage]; i++) {
            char scope[40];
            snprintf(scope, sizeof scope, "stages.%d.blocks.%d", stage, i);
            run(&n, r, scope, i % 2 == 0);
        }
    }
    classify(&n);
    return rg_net_done(&n, out);
}

/* Name, width of the first stage, blocks, first models, parameters, MACs. */
#define REPVIT_LIST(X) \
    X(repvit_m1, 48, 2, 2, 14, 2, true, 5485248, 817280832) \
    X(repvit_m2, 64, 2, 2, 12, 2, true, 8797984, 1339242240) \
    X(repvit_m3, 64, 4, 4, 18, 2, true, 10682832, 1862184704) \
    X(repvit_m0_9, 48, 2, 2, 14, 2, false, 5489328, 817280832) \
    X(repvit_m1_0, 56, 2, 2, 14, 2, false, 7302796, 1108077600) \
    X(repvit_m1_1, 64, 2, 2, 12, 2, false, 8802912, 1339242240) \
    X(repvit_m1_5, 64, 4, 4, 24, 4, false, 14644432, 2276968192) \
    X(repvit_m2_3, 80, 6, 6, 34, 2, false, 23688792, 4521490880)

#define X(id, w, n1, n2, n3, n4, early, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Wang et al. 2023, arXiv:2307.09283, as timm has it", .parameters = params, .macs = mac, \
        .layout = &(const repvit){{w, 2 * w, 4 * w, 8 * w}, {n1, n2, n3, n4}, early}, \
    };
REPVIT_LIST(X)
#undef X
