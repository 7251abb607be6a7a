/* zoo_inception.c - Inception v3 as torchvision has it: modules whose branches all read the module's input
 * and are concatenated. Each kind of module is a table of convolutions. The auxiliary classifier serves
 * training only and is left out; so is the rescaling of the input that torchvision puts in front for weights
 * ported from TensorFlow.
 */
#include "format/zoo.h"

/* What a convolution of a module reads. */
enum {
    INPUT, /* the module's input: a branch begins */
    LAST,  /* the convolution before it */
    TWIN,  /* what the convolution before it reads: both results, concatenated, are the branch's */
    POOL   /* the module's input, average-pooled: a branch begins */
};

/* Kernels are height x width. Stride 2 goes without padding, 0 channels stand for the module's `channels`. */
typedef struct layer { int reads; const char *name; int64_t channels, high, wide, stride; } layer;

/* 35x35, with 5x5 convolutions; `channels` of the pooled branch. */
static const layer kind_a[] = {
    {INPUT, "branch1x1", 64, 1, 1, 1},
    {INPUT, "branch5x5_1", 48, 1, 1, 1},
    {LAST, "branch5x5_2", 64, 5, 5, 1},
    {INPUT, "branch3x3dbl_1", 64, 1, 1, 1},
    {LAST, "branch3x3dbl_2", 96, 3, 3, 1},
    {LAST, "branch3x3dbl_3", 96, 3, 3, 1},
    {POOL, "branch_pool", 0, 1, 1, 1},
};

/* 35x35 to 17x17, where the input itself is max-pooled as a last branch. */
static const layer kind_b[] = {
    {INPUT, "branch3x3", 384, 3, 3, 2},
    {INPUT, "branch3x3dbl_1", 64, 1, 1, 1},
    {LAST, "branch3x3dbl_2", 96, 3, 3, 1},
    {LAST, "branch3x3dbl_3", 96, 3, 3, 2},
};

/* 17x17, 7x7 convolutions in two steps; `channels` inside the branches. */
static const layer kind_c[] = {
    {INPUT, "branch1x1", 192, 1, 1, 1},
    {INPUT, "branch7x7_1", 0, 1, 1, 1},
    {LAST, "branch7x7_2", 0, 1, 7, 1},
    {LAST, "branch7x7_3", 192, 7, 1, 1},
    {INPUT, "branch7x7dbl_1", 0, 1, 1, 1},
    {LAST, "branch7x7dbl_2", 0, 7, 1, 1},
    {LAST, "branch7x7dbl_3", 0, 1, 7, 1},
    {LAST, "branch7x7dbl_4", 0, 7, 1, 1},
    {LAST, "branch7x7dbl_5", 192, 1, 7, 1},
    {POOL, "branch_pool", 192, 1, 1, 1},
};

/* 17x17 to 8x8, with the max-pooled input. */
static const layer kind_d[] = {
    {INPUT, "branch3x3_1", 192, 1, 1, 1},
    {LAST, "branch3x3_2", 320, 3, 3, 2},
    {INPUT, "branch7x7x3_1", 192, 1, 1, 1},
    {LAST, "branch7x7x3_2", 192, 1, 7, 1},
    {LAST, "branch7x7x3_3", 192, 7, 1, 1},
    {LAST, "branch7x7x3_4", 192, 3, 3, 2},
};

/* 8x8, the last 3x3 convolution of a branch as 1x3 and 3x1 side by side. */
static const layer kind_e[] = {
    {INPUT, "branch1x1", 320, 1, 1, 1},
    {INPUT, "branch3x3_1", 384, 1, 1, 1},
    {LAST, "branch3x3_2a", 384, 1, 3, 1},
    {TWIN, "branch3x3_2b", 384, 3, 1, 1},
    {INPUT, "branch3x3dbl_1", 448, 1, 1, 1},
    {LAST, "branch3x3dbl_2", 384, 3, 3, 1},
    {LAST, "branch3x3dbl_3a", 384, 1, 3, 1},
    {TWIN, "branch3x3dbl_3b", 384, 3, 1, 1},
    {POOL, "branch_pool", 192, 1, 1, 1},
};

#define KIND(table) table, RG_COUNT(table)

/* `halves`: the module takes stride 2, and keeps the max-pooled input as its last branch. */
typedef struct module { const char *name; const layer *layers; size_t count; int64_t channels; bool halves; }
    module;

static const module modules[] = {
    {"Mixed_5b", KIND(kind_a), 32, false},  {"Mixed_5c", KIND(kind_a), 64, false},
    {"Mixed_5d", KIND(kind_a), 64, false},  {"Mixed_6a", KIND(kind_b), 0, true},
    {"Mixed_6b", KIND(kind_c), 128, false}, {"Mixed_6c", KIND(kind_c), 160, false},
    {"Mixed_6d", KIND(kind_c), 160, false}, {"Mixed_6e", KIND(kind_c), 192, false},
    {"Mixed_7a", KIND(kind_d), 0, true},    {"Mixed_7b", KIND(kind_e), 0, false},
    {"Mixed_7c", KIND(kind_e), 0, false},
};

static void convolve(rg_net *n, const module *m, const layer *l)
{
    char name[48];
    snprintf(name, sizeof name, "%s.%s", m->name, l->name);
    rg_conv conv = {.channels = l->channels ? l->channels : m->channels, .kernel = l->high,
                    .kernel_w = l->wide, .stride = l->stride, .pad = l->stride == 2 ? -1 : 0};
    rg_net_basic_conv(n, name, conv);
}

static void mixed(rg_net *n, const module *m)
{
    enum { BRANCH_MAX = 4 };
    typedef struct activation { rg_value_id x; int64_t channels; } activation;
    const activation input = {n->x, n->channels};
    activation read = input; /* of the convolution before */
    rg_value_id parts[BRANCH_MAX];
    uint32_t branches = 0;
    int64_t channels = 0;
    for (size_t i = 0; i < m->count; i++) {
        const layer *l = &m->layers[i];
        activation last = {n->x, n->channels};
        if (l->reads != TWIN) read = l->reads == LAST ? last : input;
        n->x = read.x, n->channels = read.channels;
        if (l->reads == POOL) {
            rg_zoo_scope(&n->b, "%s", m->name);
            rg_net_average_pool(n, (rg_pool){.kernel = 3, .stride = 1, .pad = 1, .count_pad = true});
        }
        convolve(n, m, l);
        if (l->reads == TWIN) {
            rg_zoo_scope(&n->b, "%s", m->name);
            rg_net_concat(n, 2, (rg_value_id[]){last.x, n->x}, last.channels + n->channels);
        }
        bool ends = i + 1 == m->count || l[1].reads == INPUT || l[1].reads == POOL;
        if (ends) parts[branches++] = n->x, channels += n->channels;
    }
    rg_zoo_scope(&n->b, "%s", m->name);
    if (m->halves) {
        n->x = input.x;
        rg_net_max_pool(n, (rg_pool){.kernel = 3, .stride = 2});
        parts[branches++] = n->x, channels += input.channels;
    }
    rg_net_concat(n, branches, parts, channels);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const rg_pool halve = {.kernel = 3, .stride = 2};
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, 299));
    n.epsilon = 1e-3;
    rg_net_basic_conv(&n, "Conv2d_1a_3x3", (rg_conv){.channels = 32, .kernel = 3, .stride = 2, .pad = -1});
    rg_net_basic_conv(&n, "Conv2d_2a_3x3", (rg_conv){.channels = 32, .kernel = 3, .pad = -1});
    rg_net_basic_conv(&n, "Conv2d_2b_3x3", (rg_conv){.channels = 64, .kernel = 3});
    rg_net_max_pool(&n, halve);
    rg_net_basic_conv(&n, "Conv2d_3b_1x1", (rg_conv){.channels = 80});
    rg_net_basic_conv(&n, "Conv2d_4a_3x3", (rg_conv){.channels = 192, .kernel = 3, .pad = -1});
    rg_net_max_pool(&n, halve);
    for (size_t i = 0; i < RG_COUNT(modules); i++) mixed(&n, &modules[i]);
    rg_zoo_scope(&n.b, "avgpool");
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "fc", 1000);
    return rg_net_done(&n, out);
}

RG_ZOO(inception_v3) = {
    .name = "inception_v3", .family = "cnn", .image = RG_IMAGE_ANY, .build = build,
    .source = "Szegedy et al. 2015, arXiv:1512.00567; figures: torchvision, IMAGENET1K_V1 at 299x299, whose "
              "27161264 parameters count the auxiliary classifier, left out here, with 3326696",
    .parameters = 23834568, .macs = 5713216096, .published_macs = 5.713e9, .rounding = 0.5e6,
};
