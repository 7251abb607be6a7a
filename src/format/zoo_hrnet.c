/* zoo_hrnet.c - HRNet as timm has it (Wang et al. 2019): one image is kept in up to four resolutions side by
 * side, each half as large and twice as wide as the one before. A module runs residual blocks in each, then
 * adds each to each: smaller ones through a 1x1 convolution,
 enlarged; larger ones through 3x3 convolutions of
 * stride 2.
 *
 *     stage 1   stage 2      stage 3         stage 4
 *     ======    ====x====    ====x====...    ====x====...
 *                 \=x====    ====x====       ====x====
 *                              \=x====       ====x====
 *                                              \=x====
 *
 * To classify, each resolution is widened by a bottleneck, and one after the other is halved and added to the
 * next.
 */
#include "format/zoo.h"

enum { WAYS = 4 };

typedef struct hrnet {
    int64_t width;        /* of the largest image; the others double it */
    int64_t first;        /* inner channels of stage 1's bottlenecks */
    int bottlenecks;      /* of them */
    int modules[3];       /* of the stages 2 to 4 */
    int blocks;           /* of each image in a module */
    bool plain;           /* the convolutions behind have no bias */
} hrnet;

typedef struct ways { rg_value_id x[WAYS]; int64_t channels[WAYS]; int count; } ways;

static void enter(rg_net *n, const ways *w, int which) { n->x = w->x[which],
n->channels = w->channels[which]; }

/* Convolution NAME.0, normalization NAME.1, and Relu where `active`. */
static void layer(rg_net *n, const char *name, int64_t channels, int64_t kernel, int64_t stride, bool active)
{
    rg_net_conv_norm(n, name, (rg_conv){channels, .kernel = kernel, .stride = stride},
    active ? "Relu" : "None");
}

/* As large as 2^times of itself. */
static void enlarge(rg_net *n, int times)
{
    static const char attrs[] =
        "coordinate_transformation_mode=\"asymmetric\" mode=\"nearest\" nearest_mode=\"floor\"";
    float *by = NULL;
    rg_value_id scales = rg_zoo_floats(&n->b, 1, (const int64_t[]){4}, &by);
    for (int i = 0; by && i < 4; i++) by[i] = i < 2 ? 1 : (float)(1 << times);
    n->x = rg_build_node(&n->b, "Resize", attrs, n->x, 0, scales, -1);
}

/* Image `from` as large and as wide as image `to`. */
static void bring(rg_net *n, const char *module, const ways *w, int from, int to)
{
    char name[80];
    enter(n, w, from);
    if (from > to) {
        snprintf(name, sizeof name, "%s.fuse_layers.%d.%d", module, to, from);
        layer(n, name, w->channels[to], 1, 1, false);
        enlarge(n, from - to);
    }
    for (int i = from; i < to; i++) {
        bool last = i + 1 == to;
        snprintf(name, sizeof name, "%s.fuse_layers.%d.%d.%d", module, to, from, i - from);
        layer(n, name, w->channels[last ? to : from], 3, 2, !last);
    }
}

static void fuse(rg_net *n, const char *module, ways *w)
{
    ways out = *w;
    for (int to = 0; to < w->count; to++) {
        rg_value_id sum = 0;
        for (int from = 0; from < w->count; from++) {
            bring(n, module, w, from, to);
            rg_zoo_scope(&n->b, "%s", module);
            if (from) rg_net_add(n, sum);
            sum = n->x;
        }
        rg_net_activate(n, "Relu");
        out.x[to] = n->x;
    }
    *w = out;
}

static void run_module(rg_net *n, const hrnet *h, const char *module, ways *w)
{
    for (int way = 0; way < w->count; way++) {
        enter(n, w, way);
        for (int i = 0; i < h->blocks; i++) {
            char name[64];
            snprintf(name, sizeof name, "%s.branches.%d.%d", module, way, i);
            rg_net_residual(n, name, false, w->channels[way], 1);
        }
        w->x[way] = n->x;
    }
    fuse(n, module, w);
}

/* One image more, from the smallest; behind stage 1 the first is narrowed, too. */
static void divide(rg_net *n, const hrnet *h, ways *w, int stage)
{
    char name[32];
    int last = w->count++;
    ways before = *w;
    for (int way = stage == 2 ? 0 : last; way <= last; way++) {
        bool smaller = way == last;
        enter(n, &before, smaller ? last - 1 : way);
        snprintf(name, sizeof name, smaller ? "transition%d.%d.0" : "transition%d.%d", stage - 1, way);
        layer(n, name, h->width << way, 3, smaller ? 2 : 1, true);
        w->x[way] = n->x, w->channels[way] = n->channels;
    }
}

static void classify(rg_net *n, const hrnet *h, const ways *w)
{
    rg_value_id sum = 0;
    char name[32];
    for (int way = 0; way < WAYS; way++) {
        if (way) {
            snprintf(name, sizeof name, "downsamp_modules.%d", way - 1);
            rg_net_conv_norm(n, name, (rg_conv){INT64_C(128) << way, .kernel = 3, .stride = 2,
            .bias = !h->plain},
                             "Relu");
            sum = n->x;
        }
        enter(n, w, way);
        snprintf(name, sizeof name, "incre_modules.%d.0", way);
        rg_net_residual(n, name, true, INT64_C(32) << way, 1);
        if (way) rg_net_add(n, sum);
    }
    rg_net_conv_norm(n, "final_layer", (rg_conv){.channels = 2048, .bias = !h->plain}, "Relu");
    rg_net_classify(n, "classifier");
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const hrnet *h = self->layout;
    rg_net n;
    char name[32];
    RG_TRY(rg_net_begin(&n, cx, self, 224));
    for (int i = 1; i <= 2; i++) {
        rg_zoo_scope(&n.b, "conv%d", i);
        rg_net_conv(&n, (rg_conv){.channels = 64, .kernel = 3, .stride = 2});
        rg_zoo_scope(&n.b, "bn%d", i);
        rg_net_batch_norm(&n);
        rg_net_activate(&n, "Relu");
    }
    for (int i = 0; i < h->bottlenecks; i++) {
        snprintf(name, sizeof name, "layer1.%d", i);
        rg_net_residual(&n, name, true, h->first, 1);
    }
    ways w = {.x = {n.x}, .channels = {n.channels}, .count = 1};
    for (int stage = 2; stage <= WAYS; stage++) {
        divide(&n, h, &w, stage);
        for (int i = 0; i < h->modules[stage - 2]; i++) {
            snprintf(name, sizeof name, "stage%d.%d", stage, i);
            run_module(&n, h, name, &w);
        }
    }
    classify(&n, h, &w);
    return rg_net_done(&n, out);
}

/* ---- the models ---- */

/* Name, width, inner channels and number of stage 1's, modules, blocks, no bias, parameters, MACs. */
#define HRNET_LIST(X) \
    X(hrnet_w18_small, 16, 32, 1, 1, 1, 1, 2, false, 13187464, 1601508352) \
    X(hrnet_w18_small_v2, 18, 64, 2, 1, 3, 2, 2, false, 15597464, 2595712864) \
    X(hrnet_w18, 18, 64, 4, 1, 4, 3, 4, false, 21299004, 4283537072) \
    X(hrnet_w30, 30, 64, 4, 1, 4, 3, 4, false, 37712220, 8105781680) \
    X(hrnet_w32, 32, 64, 4, 1, 4, 3, 4, false, 41232680, 8921133056) \
    X(hrnet_w40, 40, 64, 4, 1, 4, 3, 4, false, 57557160, 12691997440) \
    X(hrnet_w44, 44, 64, 4, 1, 4, 3, 4, false, 67064984, 14883104960) \
    X(hrnet_w48, 48, 64, 4, 1, 4, 3, 4, false, 77469864, 17277996032) \
    X(hrnet_w64, 64, 64, 4, 1, 4, 3, 4, false, 128059944, 28895395840) \
    X(hrnet_w18_ssld, 18, 64, 4, 1, 4, 3, 4, true, 21295164, 4283537072) \
    X(hrnet_w48_ssld, 48, 64, 4, 1, 4, 3, 4, true, 77466024, 17277996032)

#define X(id, wide, inner, count, m2, m3, m4, each, bare, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = build, \
        .source = "Wang et al. 2019, arXiv:1908.07919; parameters: timm, at 224x224", \
        .parameters = params, .macs = mac, \
        .layout = &(const hrnet){wide, inner, count, {m2, m3, m4}, each, bare}, \
    };
HRNET_LIST(X)
#undef X
