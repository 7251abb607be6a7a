/* zoo_cspnet.c - cross stage partial networks as timm has them (Wang et al. 2019), and DarkNet. In such a
 * stage a 1x1 convolution widens, half of its channels go around the blocks,
 and a 1x1 convolution joins both:
 *
 *     cross    down -- 1x1 --+-- blocks -- 1x1 --+-- 1x1
 *                            +-------------------+
 *     cross 3  down -- 1x1 --+-- blocks ---------+-- 1x1
 *                            +-------------------+
 *     dark     down -- blocks
 */
#include "format/zoo.h"

#include <math.h>

enum { STAGES_MAX = 5 };

typedef enum stage_kind { DARK, CROSS, CROSS_3 } stage_kind;
typedef enum block_kind { BOTTLE, SMALL, EDGE } block_kind; /* 1x1, 3x3, 1x1; 1x1, 3x3; 3x3, 1x1 */

typedef struct cspnet {
    int stages;
    int blocks[STAGES_MAX];
    int64_t widths[STAGES_MAX];
    stage_kind stage;
    block_kind block;
    int64_t stem[3];            /* channels; 0: no such convolution */
    int stem_kernel, stem_stride;
    bool pooled;                /* the stem ends in a maximum of stride 2 */
    bool keeps;                 /* the first stage does not shrink */
    int groups, late[2];        /* of 3x3 convolutions; in stages 2 and 3, where not 0 */
    double inner, wide,
    narrow; /* channels inside a block; of the widening; of a block: for one of the stage */
    bool first_differs;         /* the first stage has 0.5, 2 and 1 of them */
    bool linear;                /* the widening is not activated */
    bool grows;                 /* shrinking widens to the stage's channels */
    bool averages;              /* it is a mean and a 1x1 convolution */
    double squeeze;             /* channels of a gate for one inside the block; 0: there is none */
    const char *activation;
    int64_t side;
} cspnet;

static void conv(rg_net *n, const cspnet *c, const char *scope, const char *name, rg_conv by, bool active)
{
    char layer[72];
    snprintf(layer, sizeof layer, "%s.%s", scope, name);
    rg_net_conv_norm_act(n, layer, by, active ? c->activation : "None");
}

/* To the nearest multiple of 8. */
static void gate(rg_net *n, const cspnet *c, const char *block)
{
    char scope[64];
    if (c->squeeze <= 0) return;
    int64_t squeezed = (int64_t)((double)n->channels * c->squeeze + 4) / 8 * 8;
    snprintf(scope, sizeof scope, "%s.attn", block);
    rg_net_squeeze_excite(n, scope, squeezed < 8 ? 8 : squeezed, c->activation, "Sigmoid");
}

static void run_block(rg_net *n, const cspnet *c, const char *block, int64_t channels, double inner)
{
    rg_value_id before = n->x;
    int64_t middle = (int64_t)rint((double)channels * inner);
    bool edge = c->block == EDGE, bottle = c->block == BOTTLE;
    conv(n, c, block, "conv1", (rg_conv){middle, .kernel = edge ? 3 : 1, .group = edge ? c->groups : 1},
    true);
    if (bottle) conv(n, c, block, "conv2", (rg_conv){middle, .kernel = 3, .group = c->groups}, true);
    gate(n, c, block);
    if (bottle) conv(n, c, block, "conv3", (rg_conv){.channels = channels}, false);
    else if (edge) conv(n, c, block, "conv2", (rg_conv){.channels = channels}, true);
    else conv(n, c, block, "conv2", (rg_conv){channels, .kernel = 3, .group = c->groups}, true);
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, before);
    if (bottle) rg_net_activate(n, c->activation);
}

static void run_blocks(rg_net *n, const cspnet *c, const char *scope, int which, int64_t channels,
double inner)
{
    for (int i = 0; i < c->blocks[which]; i++) {
        char block[48];
        snprintf(block, sizeof block, "%s.blocks.%d", scope, i);
        run_block(n, c, block, channels, inner);
    }
}

static void shrink(rg_net *n, const cspnet *c, const char *scope, int64_t width)
{
    int64_t channels = c->grows || c->averages || c->stage == DARK ? width : n->channels;
    if (c->averages) {
        rg_zoo_scope(&n->b, "%s.conv_down.0", scope);
        rg_net_average_pool(n, (rg_pool){.kernel = 2});
        conv(n, c, scope, "conv_down.1", (rg_conv){.channels = channels, .group = c->groups}, true);
    } else {
        conv(n, c, scope, "conv_down", (rg_conv){channels, .kernel = 3, .stride = 2, .group = c->groups},
        true);
    }
}

static void cross(rg_net *n, const cspnet *c, const char *scope, int which)
{
    bool differs = c->first_differs && which == 0;
    int64_t width = c->widths[which];
    int64_t wide = (int64_t)rint((double)width * (differs ? 2 : c->wide)), half = wide / 2;
    int64_t narrow = (int64_t)rint((double)width * (differs ? 1 : c->narrow));
    rg_value_id halves[2];
    conv(n, c, scope, "conv_exp", (rg_conv){.channels = wide}, !c->linear);
    const rg_value_id in[] = {n->x, rg_build_ints(&n->b, 2, (const int64_t[]){half, half})};
    rg_build_nodev(&n->b, "Split", "axis=1", 2, in, 2, halves);
    int inside = c->stage == CROSS; /* the first half goes around, else the second */
    n->x = halves[inside], n->channels = half;
    run_blocks(n, c, scope, which, narrow, differs ? 0.5 : c->inner);
    if (c->stage == CROSS) conv(n, c, scope, "conv_transition_b", (rg_conv){.channels = half}, true);
    halves[inside] = n->x;
    rg_zoo_scope(&n->b, "%s", scope);
    rg_net_concat(n, 2, halves, c->stage == CROSS ? wide : half + narrow);
    conv(n, c, scope, "conv_transition", (rg_conv){.channels = width}, true);
}

static void stem(rg_net *n, const cspnet *c)
{
    for (int i = 0; i < 3 && c->stem[i]; i++) {
        char name[16];
        snprintf(name, sizeof name, "conv%d", i + 1);
        conv(n, c, "stem", name, (rg_conv){c->stem[i], .kernel = c->stem_kernel,
                                           .stride = i == 0 && c->stem_stride > 1 ? 2 : 1,
                                           .pad = c->stem_kernel == 6 ? 2 : 0}, true);
    }
    if (c->pooled) rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = 2, .pad = 1});
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const cspnet *c = self->layout;
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, c->side));
    stem(&n, c);
    for (int i = 0; i < c->stages; i++) {
        char scope[24];
        cspnet own = *c;
        if ((i == 2 || i == 3) && c->late[i - 2]) own.groups = c->late[i - 2];
        snprintf(scope, sizeof scope, "stages.%d", i);
        if (i || !c->keeps) shrink(&n, &own, scope, c->widths[i]);
        if (c->stage == DARK) run_blocks(&n, &own, scope, i, c->widths[i], c->inner);
        else cross(&n, &own, scope, i);
    }
    rg_net_classify(&n, "head.fc");
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

#define LEAKY .activation = "LeakyRelu", .side = 256
#define WIDTHS {64, 128, 256, 512, 1024}
#define CSP .stages = 4, .blocks = {3, 3, 5, 2}, .stage = CROSS, .block = BOTTLE, .stem_stride = 4, \
    .pooled = true, .keeps = true, .linear = true, LEAKY
#define DARKNET .stages = 5, .widths = WIDTHS, .stage = DARK, .block = SMALL, .stem = {32}, \
    .stem_kernel = 3, .stem_stride = 1, .groups = 1, .inner = 0.5, LEAKY
#define CS3(b1, b2, b3, b4, w) .stages = 4, .blocks = {b1, b2, b3, b4}, \
    .widths = {2 * w, 4 * w, 8 * w, 16 * w}, .stage = CROSS_3, .stem_stride = 2, .groups = 1, .wide = 1, \
    .narrow = 0.5, .activation = "SiLU", .side = 256
#define PLAIN(w) .stem = {w / 2, w}, .stem_kernel = 3
#define FOCUS(w) .stem = {w}, .stem_kernel = 6
#define GATED .squeeze = 0.25

/* Name, parameters, MACs, how it is built. */
#define CSPNET_LIST(X) \
    X(cspresnet50, 21616168, 4517240832, CSP, .widths = {128, 256, 512, 1024}, .stem = {64}, \
      .stem_kernel = 7, .groups = 1, .inner = 0.5, .wide = 2, .narrow = 1) \
    X(cspresnet50d, 21635400, 4830240768, CSP, .widths = {128, 256, 512, 1024}, .stem = {32, 32, 64}, \
      .stem_kernel = 3, .groups = 1, .inner = 0.5, .wide = 2, .narrow = 1) \
    X(cspresnet50w, 28118216, 5020008448, CSP, .widths = {256, 512, 1024, 2048}, .stem = {32, 32, 64}, \
      .stem_kernel = 3, .groups = 1, .inner = 0.25, .wide = 1, .narrow = 0.5) \
    X(cspresnext50, 20569896, 4014948352, CSP, .widths = {256, 512, 1024, 2048}, .stem = {64}, \
      .stem_kernel = 7, .groups = 32, .inner = 1, .wide = 1, .narrow = 0.5) \
    X(cspdarknet53, 27642184, 6533652480, .stages = 5, .blocks = {1, 2, 8, 8, 4}, .widths = WIDTHS, \
      .stage = CROSS, .block = SMALL, .stem = {32}, .stem_kernel = 3, .stem_stride = 1, .groups = 1, \
      .inner = 1, .wide = 1, .narrow = 0.5, .first_differs = true, .grows = true, LEAKY) \
    X(darknet17, 14304840, 3245318144, DARKNET, .blocks = {1, 1, 1, 1, 1}) \
    X(darknet21, 20863048, 3916406784, DARKNET, .blocks = {1, 1, 1, 2, 2}) \
    X(sedarknet21, 20950432, 3916492288, DARKNET, .blocks = {1, 1, 1, 2, 2}, .squeeze = 0.0625) \
    X(darknet53, 41609928, 9285115904, DARKNET, .blocks = {1, 2, 8, 8, 4}) \
    X(darknetaa53, 36022984, 7942938624, DARKNET, .blocks = {1, 2, 8, 8, 4}, .averages = true) \
    X(cs3darknet_s, 3276344, 712232960, CS3(1, 3, 4, 1, 32), PLAIN(32), .block = SMALL, .inner = 1) \
    X(cs3darknet_m, 9310240, 2068690944, CS3(2, 4, 6, 2, 48), PLAIN(48), .block = SMALL, .inner = 1) \
    X(cs3darknet_l, 21164168, 4847017984, CS3(3, 6, 9, 3, 64), PLAIN(64), .block = SMALL, .inner = 1) \
    X(cs3darknet_x, 35046320, 8355153920, CS3(3, 7, 11, 3, 80), PLAIN(80), .block = SMALL, .inner = 1) \
    X(cs3darknet_focus_s, 3274728, 686280704, CS3(1, 3, 4, 1, 32), FOCUS(32), .block = SMALL, .inner = 1) \
    X(cs3darknet_focus_m, 9304360, 1973139456, CS3(2, 4, 6, 2, 48), FOCUS(48), .block = SMALL, .inner = 1) \
    X(cs3darknet_focus_l, 21151720, 4644118528, CS3(3, 6, 9, 3, 64), FOCUS(64), .block = SMALL, .inner = 1) \
    X(cs3darknet_focus_x, 35025000, 8007157760, CS3(3, 7, 11, 3, 80), FOCUS(80), .block = SMALL, .inner = 1) \
    X(cs3sedarknet_l, 21913592, 4847761408, CS3(3, 6, 9, 3, 64), PLAIN(64), .block = SMALL, .inner = 1, \
      GATED) \
    X(cs3sedarknet_x, 35397904, 8355498240, CS3(3, 7, 11, 3, 80), PLAIN(80), .block = SMALL, .inner = 1, \
      .squeeze = 0.0625) \
    X(cs3sedarknet_xdw, 21601488, 5933825024, .stages = 4, .blocks = {3, 6, 12, 4}, \
      .widths = {256, 512, 1024, 2048}, .stage = CROSS, .block = BOTTLE, PLAIN(64), .stem_stride = 2, \
      .groups = 1, .late = {256, 512}, .inner = 0.5, .wide = 1, .narrow = 0.5, .squeeze = 0.0625, \
      .activation = "SiLU", .side = 256) \
    X(cs3edgenet_x, 47821120, 11500881920, CS3(3, 7, 11, 3, 80), PLAIN(80), .block = EDGE, .inner = 1.5) \
    X(cs3se_edgenet_x, 50721584, 11503769600, CS3(3, 7, 11, 3, 80), PLAIN(80), .block = EDGE, .inner = 1.5, \
      GATED)

#define X(id, params, mac, ...) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Wang et al. 2019, arXiv:1911.11929; parameters: timm, at 256x256", \
        .parameters = params, .macs = mac, .layout = &(const cspnet){__VA_ARGS__}, \
    };
CSPNET_LIST(X)
#undef X
