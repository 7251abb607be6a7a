/* zoo_shufflenet.c - ShuffleNetV2 as torchvision has it: a unit works on one half of the channels only, and
 * the halves are shuffled behind it, so that the next unit's half holds channels of both.
 */
#include "format/zoo.h"

/* Channels behind the three stages and behind the last convolution. */
typedef struct shufflenet { int64_t stages[3], last; } shufflenet;

enum { STEM = 24 };
static const int repeats[3] = {4, 8, 4};

/* [batch, 2, half, side, side] -> [batch, half, 2, side, side]: channels of the halves alternate. */
static void shuffle(rg_net *n, int64_t side)
{
    rg_build *b = &n->b;
    int64_t halves[] = {0, 2, n->channels / 2, side, side}, whole[] = {0, n->channels, side, side};
    rg_value_id x = rg_zoo_reshape(b, n->x, 5, halves);
    x = rg_build_node(b, "Transpose", "perm=0,2,1,3,4", x, -1);
    n->x = rg_zoo_reshape(b, x, 4, whole);
}

/* The depthwise convolution and its normalization, from SCOPE.index on; answers the index behind. */
static int filter(rg_net *n, const char *scope, int index, int64_t stride)
{
    rg_conv conv = {.channels = n->channels, .kernel = 3, .stride = stride, .group = n->channels};
    return rg_net_conv_norm_at(n, scope, index, conv, "None");
}

/* With stride 1 the first half passes unchanged; with stride 2 both branches read the whole input. `side` is
 * the result's. */
static void unit(rg_net *n, const char *name, int64_t channels, int64_t stride, int64_t side)
{
    char scope[48];
    const rg_conv pointwise = {.channels = channels / 2};
    rg_value_id parts[2] = {n->x, n->x};
    int64_t before = n->channels;
    if (stride == 1) {
        rg_zoo_scope(&n->b, "%s", name);
        rg_build_nodev(&n->b, "Split", "axis=1 num_outputs=2", 1, &n->x, 2, parts);
        before /= 2;
    } else {
        snprintf(scope, sizeof scope, "%s.branch1", name);
        rg_net_conv_norm_at(n, scope, filter(n, scope, 0, stride), pointwise, "Relu");
        parts[0] = n->x;
    }
    n->x = parts[1], n->channels = before;
    snprintf(scope, sizeof scope, "%s.branch2", name);
    int index = rg_net_conv_norm_at(n, scope, 0, pointwise, "Relu");
    index = filter(n, scope, index, stride);
    rg_net_conv_norm_at(n, scope, index, pointwise, "Relu");
    parts[1] = n->x;
    rg_zoo_scope(&n->b, "%s", name);
    rg_net_concat(n, 2, parts, channels);
    shuffle(n, side);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const shufflenet *layout = self->layout;
    rg_net n;
    int64_t side = 56;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    rg_net_conv_norm(&n, "conv1", (rg_conv){.channels = STEM, .kernel = 3, .stride = 2}, "Relu");
    rg_zoo_scope(&n.b, "maxpool");
    rg_net_max_pool(&n, (rg_pool){.kernel = 3, .stride = 2, .pad = 1});
    for (int stage = 0; stage < 3; stage++) {
        side /= 2;
        for (int i = 0; i < repeats[stage]; i++) {
            char name[32];
            snprintf(name, sizeof name, "stage%d.%d", stage + 2, i);
            unit(&n, name, layout->stages[stage], i ? 1 : 2, side);
        }
    }
    rg_net_conv_norm(&n, "conv5", (rg_conv){.channels = layout->last}, "Relu");
    rg_zoo_scope(&n.b, "globalpool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "fc", 1000);
    return rg_net_done(&n, out);
}

/* Name, channels behind the stages and the last convolution, parameters, MACs, GMACs as published. */
#define SHUFFLENET_LIST(X) \
    X(shufflenet_v2_x0_5, 48, 96, 192, 1024, 1366792, 40476448, 0.04) \
    X(shufflenet_v2_x1_0, 116, 232, 464, 1024, 2278604, 144907992, 0.145) \
    X(shufflenet_v2_x1_5, 176, 352, 704, 1024, 3503624, 295759392, 0.296) \
    X(shufflenet_v2_x2_0, 244, 488, 976, 2048, 7393996, 583253464, 0.583)

#define ROW(id, n1, n2, n3, n4, params, mac, gmac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .build = build, .layout = &(const shufflenet){{n1, n2, n3}, n4}, \
        .source = "Ma et al. 2018, arXiv:1807.11164; figures: torchvision, IMAGENET1K_V1 at 224x224", \
        .parameters = params, .macs = mac, .published_macs = gmac * 1e9, .rounding = 0.5e6, \
    };
SHUFFLENET_LIST(ROW)
