/* zoo_regnet.c - RegNetX and RegNetY as torchvision has them: bottlenecks of grouped convolutions, whose
 * widths follow a line that is rounded to few steps. RegNetY adds squeeze and excitation.
 *
 * Section 3.3 of Radosavovic et al. 2020, for block j of `depth`:
 *
 *     u_j = w_0 + w_a j                 the line                                   (2)
 *     s_j = log(u_j / w_0) / log(w_m)   in powers of w_m ...                       (3)
 *     w_j = w_0 w_m^round(s_j)          ... whole ones, and to multiples of 8      (4)
 *
 * Blocks of equal width are a stage. Its width is then rounded to whole groups, which torchvision does in its
 * own way: regnet_x_400mf, regnet_y_800mf and regnet_y_8gf have a stage that is wider than the paper's.
 */
#include "format/zoo.h"

#include <math.h>

/* nearest: to the nearest number of groups, as the paper and timm do it. front: each convolution of a block
 * is normalized and activated in front, by SiLU, and the way around with the first of them; averages: that
 * way shrinks by a mean (timm's RegNetV). */
typedef struct regnet {
    int depth;
    double w_0, w_a, w_m;
    int64_t group_width;
    bool squeezes, nearest, front, averages;
} regnet;

/* A tie goes to the even number, as in the authors' code: 80 * 2.25 is 22.5 times 8 and becomes 176. */
static int64_t width_of(const regnet *r, int block)
{
    double line = r->w_0 + r->w_a * block;
    double power = rint(log(line / r->w_0) / log(r->w_m));
    int64_t width = (int64_t)rint(r->w_0 * pow(r->w_m, power) / 8) * 8;
    if (r->nearest && width >= r->group_width)
        return (int64_t)rint((double)width / (double)r->group_width) * r->group_width;
    return rg_net_round((double)width, width < r->group_width ? width : r->group_width);
}

static void part(rg_net *n, const char *block, const char *name, rg_conv conv, const char *activation)
{
    char scope[80];
    snprintf(scope, sizeof scope, "%s.%s", block, name);
    rg_net_conv_norm(n, scope, conv, activation);
}

static void bottleneck(rg_net *n, const regnet *r, const char *block, int64_t width, int64_t stride)
{
    char gate[80];
    int64_t before = n->channels, groups = width < r->group_width ? 1 : width / r->group_width;
    rg_value_id skip = n->x;
    if (stride != 1 || before != width)
        part(n, block, "proj", (rg_conv){.channels = width, .stride = stride}, "None");
    rg_value_id side = n->x;
    n->x = skip, n->channels = before;
    part(n, block, "f.a", (rg_conv){.channels = width}, "Relu");
    part(n, block, "f.b", (rg_conv){width, .kernel = 3, .stride = stride, .group = groups}, "Relu");
    snprintf(gate, sizeof gate, "%s.f.se", block);
    if (r->squeezes) rg_net_squeeze_excite(n, gate, before / 4, "Relu", "Sigmoid");
    part(n, block, "f.c", (rg_conv){.channels = width}, "None");
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, side);
    rg_net_activate(n, "Relu");
}

/* norm{index} in front, conv{index}. */
static void front_part(rg_net *n, const char *block, int index, rg_conv conv, rg_value_id *normal)
{
    rg_zoo_scope(&n->b, "%s.norm%d", block, index);
    rg_net_batch_norm(n);
    rg_net_activate(n, "SiLU");
    if (normal) *normal = n->x;
    rg_zoo_scope(&n->b, "%s.conv%d", block, index);
    rg_net_conv(n, conv);
}

static void front_bottleneck(rg_net *n, const regnet *r, const char *block, int64_t width, int64_t stride)
{
    char gate[80];
    int64_t before = n->channels;
    rg_value_id skip;
    front_part(n, block, 1, (rg_conv){.channels = width}, &skip);
    rg_conv filter = {width, .kernel = 3, .stride = stride, .group = width / r->group_width};
    front_part(n, block, 2, filter, NULL);
    snprintf(gate, sizeof gate, "%s.se", block);
    rg_net_squeeze_excite(n, gate, (int64_t)rint((double)before / 4), "SiLU", "Sigmoid");
    front_part(n, block, 3, (rg_conv){.channels = width}, NULL);
    rg_value_id sum = n->x;
    n->x = skip, n->channels = before;
    if (stride != 1 || before != width) {
        rg_zoo_scope(&n->b, "%s.downsample", block);
        bool averages = r->averages && stride > 1;
        if (averages) rg_net_average_pool(n, (rg_pool){.kernel = 2, .stride = 2, .ceil = true});
        rg_net_conv(n, (rg_conv){.channels = width, .stride = averages ? 1 : stride});
    }
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, sum);
}

static void stem(rg_net *n, const regnet *r)
{
    const rg_conv first = {.channels = 32, .kernel = 3, .stride = 2};
    rg_zoo_scope(&n->b, "stem");
    if (r->front) rg_net_conv(n, first);
    else rg_net_conv_norm(n, "stem", first, "Relu");
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const regnet *r = self->layout;
    rg_net n;
    int stage = 0, within = 0;
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    stem(&n, r);
    for (int i = 0; i < r->depth; i++) {
        char block[64];
        int64_t width = width_of(r, i);
        bool first = i == 0 || width != n.channels;
        if (first) stage++, within = 0;
        snprintf(block, sizeof block, "trunk_output.block%d.block%d-%d", stage, stage, within++);
        if (r->front) front_bottleneck(&n, r, block, width, first ? 2 : 1);
        else bottleneck(&n, r, block, width, first ? 2 : 1);
    }
    if (r->front) rg_net_activate(&n, "SiLU");
    rg_zoo_scope(&n.b, "avgpool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "fc", 1000);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

#define SOURCE "Radosavovic et al. 2020, arXiv:2003.13678; figures: torchvision, IMAGENET1K at 224x224"

/*    id          depth  w_0    w_a   w_m group gated parameters          macs  published, GMAC */
#define REGNET_LIST(X)                                                                                      \
    X(regnet_x_400mf, 22,  24,  24.48, 2.54,  16, false,   5495976,    413812608,   0.414) \
    X(regnet_x_800mf, 16,  56,  35.73, 2.28,  16, false,   7259656,    799699712,   0.800) \
    X(regnet_x_1_6gf, 18,  80,  34.01, 2.25,  24, false,   9190136,   1602849792,   1.603) \
    X(regnet_x_3_2gf, 25,  88,  26.31, 2.25,  48, false,  15296552,   3176621952,   3.177) \
    X(regnet_x_8gf,   23,  80,  49.56, 2.88, 120, false,  39572648,   7995132416,   7.995) \
    X(regnet_x_16gf,  22, 216,  55.59, 2.10, 128, false,  54278536,  15940755456,  15.941) \
    X(regnet_x_32gf,  23, 320,  69.86, 2.00, 168, false, 107811560,  31735929792,  31.736) \
    X(regnet_y_400mf, 16,  48,  27.89, 2.09,   8, true,    4344144,    401842848,   0.402) \
    X(regnet_y_800mf, 14,  56,  38.84, 2.40,  16, true,    6432512,    833856256,   0.834) \
    X(regnet_y_1_6gf, 27,  48,  20.71, 2.65,  24, true,   11202430,   1612076160,   1.612) \
    X(regnet_y_3_2gf, 21,  80,  42.63, 2.66,  24, true,   19436338,   3176482752,   3.176) \
    X(regnet_y_8gf,   17, 192,  76.82, 2.19,  56, true,   39381472,   8473070592,   8.473) \
    X(regnet_y_16gf,  18, 200, 106.23, 2.48, 112, true,   83590140,  15911510272,  15.912) \
    X(regnet_y_32gf,  20, 232, 115.89, 2.53, 232, true,  145046770,  32279552832,  32.280) \
    X(regnet_y_128gf, 27, 456, 160.83, 2.52, 264, true,  644812894, 127517815680, 127.518)

/* The other sizes of the paper's tables, as timm has them. */
#define MORE_LIST(X)                                                                                        \
    X(regnet_x_004, 22, 24, 24.48, 2.54, 16, false, 5157512, 397677568) \
    X(regnet_y_008, 14, 56, 38.84, 2.40, 16, true, 6263168, 797176832) \
    X(regnet_y_080, 17, 192, 76.82, 2.19, 56, true, 39180068, 7963057312) \
    X(regnet_x_002, 13, 24, 36.44, 2.49, 8, false, 2684792, 199039872) \
    X(regnet_x_006, 16, 48, 36.97, 2.24, 24, false, 6196040, 600890112) \
    X(regnet_x_040, 23, 96, 38.65, 2.43, 40, false, 22118248, 3964498816) \
    X(regnet_x_064, 17, 184, 60.83, 2.07, 56, false, 26209256, 6460291264) \
    X(regnet_x_120, 19, 168, 73.36, 2.37, 112, false, 46106056, 12086678016) \
    X(regnet_y_002, 13, 24, 36.44, 2.49, 8, true, 3162996, 199514080) \
    X(regnet_y_006, 15, 48, 32.54, 2.32, 16, true, 6055160, 601220992) \
    X(regnet_y_040, 22, 96, 31.41, 2.24, 64, true, 20646656, 3973288448) \
    X(regnet_y_064, 25, 112, 33.22, 2.27, 72, true, 30583252, 6355204992) \
    X(regnet_y_120, 19, 168, 73.36, 2.37, 112, true, 51822544, 12092376576) \
    X(regnet_y_640, 20, 352, 147.48, 2.40, 328, true, 281378786, 64069959616)

#define X(id, blocks, first, slope, step, group, gated, weights, mac, giga)                                 \
    RG_ZOO(id) = {                                                                                          \
        .name = #id, .family = "cnn", .source = SOURCE, .build = build, .parameters = weights, .macs = mac, \
        .published_macs = giga * 1e9, .rounding = 0.5e6,                                                    \
        .layout = &(const regnet){blocks, first, slope, step, group, gated, .nearest = false},              \
    };
REGNET_LIST(X)
#undef X

#define X(id, blocks, first, slope, step, group, gated, weights, mac)                                       \
    RG_ZOO(id) = {                                                                                          \
        .name = #id, .family = "cnn", .build = build, .parameters = weights, .macs = mac,                   \
        .source = "Radosavovic et al. 2020, arXiv:2003.13678; parameters: timm, at 224x224",                \
        .layout = &(const regnet){blocks, first, slope, step, group, gated, .nearest = true},               \
    };
MORE_LIST(X)
#undef X

/* timm's own. */
#define OWN_LIST(X)                                                                                         \
    X(regnetv_040, 22, 96, 31.41, 2.24, 64, true, false, 20640640, 3973288448) \
    X(regnetv_064, 25, 112, 33.22, 2.27, 72, true, true, 30576052, 6355204992)

#define X(id, blocks, first, slope, step, group, before, mean, weights, mac)                                \
    RG_ZOO(id) = {                                                                                          \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, .parameters = weights,         \
        .macs = mac, .source = "Radosavovic et al. 2020, arXiv:2003.13678; parameters: timm, at 224x224",   \
        .layout = &(const regnet){blocks, first, slope, step, group, true, true, before, mean},             \
    };
OWN_LIST(X)
#undef X
