/* zoo_swin.c - Swin transformers as torchvision has them: attention inside windows of 7x7 places, which every
 * second block shifts by half a window; stages halve the image by putting four neighbors side by side.
 *
 * A shift rolls the image around, so that windows at the edge hold places from both sides; a mask keeps
 * these apart:
 *
 *     0 0 0 0 | 1 1 1     regions of the last window's rows after a roll by 3: four rows that were there,
 *                         three that came around
 */
#include "format/zoo.h"

enum { SIDE = 7, PLACES = SIDE * SIDE, SHIFT = SIDE / 2, HEAD = 32, STAGES = 4, IMAGE_SIDE = 224, PATCH = 4 };

/* Section 3.3 of the paper: channels of the first stage, which double from stage to stage; blocks of each. */
typedef struct swin { int64_t width; int blocks[STAGES]; } swin;

static void normalize(rg_net *n) { n->x = rg_zoo_layer_norm(&n->b, n->x, n->channels, 1e-5); }

/* What comes first on an axis from `from` on, with what was before it behind: torch.roll by -from. */
static void roll(rg_net *n, int64_t axis, int64_t from)
{
    rg_build *b = &n->b;
    rg_value_id zero = rg_build_ints(b, 1, (const int64_t[]){0}), cut = rg_build_ints(b, 1, &from);
    rg_value_id end = rg_build_ints(b, 1, (const int64_t[]){INT64_MAX}), along = rg_build_ints(b, 1, &axis);
    rg_value_id first = rg_build_node(b, "Slice", NULL, n->x, cut, end, along, -1);
    rg_value_id rest = rg_build_node(b, "Slice", NULL, n->x, zero, cut, along, -1);
    n->x = rg_build_node(b, "Concat", axis == 1 ? "axis=1" : "axis=2", first, rest, -1);
}

/* [batch, side, side, channels] -> [batch * windows, PLACES, channels]. */
static void partition(rg_net *n, int64_t across)
{
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){0, across, SIDE, across, SIDE, n->channels});
    n->x = rg_build_node(&n->b, "Transpose", "perm=0,1,3,2,4,5", n->x, -1);
    n->x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){-1, PLACES, n->channels});
}

static void join(rg_net *n, int64_t across)
{
    n->x = rg_zoo_reshape(&n->b, n->x, 6, (const int64_t[]){-1, across, across, SIDE, SIDE, n->channels});
    n->x = rg_build_node(&n->b, "Transpose", "perm=0,1,3,2,4,5", n->x, -1);
    n->x = rg_zoo_reshape(&n->b, n->x, 4, (const int64_t[]){0, across * SIDE, across * SIDE, n->channels});
}

/* The region of a row or column of a rolled image: rolled windows meet at `side - SIDE`, sides at -SHIFT. */
static int region(int64_t at, int64_t side) { return (at >= side - SIDE) + (at >= side - SHIFT); }

/* -100 between places of different regions: [1, windows, 1, PLACES, PLACES]. */
static rg_value_id mask_of(rg_build *b, int64_t across)
{
    float *at;
    int64_t windows = across * across, side = across * SIDE;
    rg_value_id mask = rg_zoo_floats(b, 5, (const int64_t[]){1, windows, 1, PLACES, PLACES}, &at);
    for (int64_t w = 0; at && w < windows; w++) {
        int regions[PLACES];
        for (int64_t i = 0; i < PLACES; i++)
            regions[i] = 3 * region(w / across * SIDE + i / SIDE, side) +
                         region(w % across * SIDE + i % SIDE, side);
        for (int64_t i = 0; i < PLACES; i++)
            for (int64_t k = 0; k < PLACES; k++) *at++ = regions[i] == regions[k] ? 0 : -100;
    }
    return mask;
}

/* mask 0: windows that are not shifted. */
static void attend(rg_net *n, const char *block, int64_t across, rg_value_id mask)
{
    char scope[48];
    rg_self_attention attention = {.scope = scope, .packed = "qkv", .out = "proj", .head = HEAD,
                                   .heads = n->channels / HEAD, .mask = mask, .windows = across * across,
                                   .positions = PLACES};
    snprintf(scope, sizeof scope, "%s.attn", block);
    rg_zoo_scope(&n->b, "%s", scope);
    attention.bias = rg_zoo_relative_bias(&n->b, SIDE, attention.heads);
    if (mask) roll(n, 1, SHIFT), roll(n, 2, SHIFT);
    partition(n, across);
    n->x = rg_zoo_self_attention(&n->b, n->x, &attention);
    rg_zoo_scope(&n->b, "%s", scope);
    join(n, across);
    if (mask) roll(n, 1, -SHIFT), roll(n, 2, -SHIFT);
}

static void encode(rg_net *n, const char *block, int64_t across, rg_value_id mask)
{
    rg_value_id before = n->x;
    rg_zoo_scope(&n->b, "%s.norm1", block);
    normalize(n);
    attend(n, block, across, mask);
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, before);
    before = n->x;
    rg_zoo_scope(&n->b, "%s.norm2", block);
    normalize(n);
    n->x = rg_zoo_feed_forward(&n->b, n->x, block, "mlp.0", "mlp.3", n->channels, 4 * n->channels, "Gelu");
    rg_zoo_scope(&n->b, "%s", block);
    rg_net_add(n, before);
}

/* Every second row or column, from `first` on. */
static rg_value_id every_second(rg_build *b, rg_value_id x, int64_t axis, int64_t first)
{
    rg_value_id start = rg_build_ints(b, 1, &first), end = rg_build_ints(b, 1, (const int64_t[]){INT64_MAX});
    rg_value_id along = rg_build_ints(b, 1, &axis), step = rg_build_ints(b, 1, (const int64_t[]){2});
    return rg_build_node(b, "Slice", NULL, x, start, end, along, step, -1);
}

/* [batch, side, side, channels] -> [batch, side / 2, side / 2, 2 * channels]. */
static void merge(rg_net *n, int index)
{
    rg_build *b = &n->b;
    rg_value_id parts[4];
    rg_zoo_scope(b, "features.%d", index);
    for (int i = 0; i < 4; i++) parts[i] = every_second(b, every_second(b, n->x, 1, i % 2), 2, i / 2);
    n->x = rg_build_node(b, "Concat", "axis=-1", parts[0], parts[1], parts[2], parts[3], -1);
    n->channels *= 4;
    rg_zoo_scope(b, "features.%d.norm", index);
    normalize(n);
    rg_zoo_scope(b, "features.%d.reduction", index);
    n->x = rg_zoo_dense(b, n->x, n->channels, n->channels / 2, false);
    n->channels /= 2;
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const swin *s = self->layout;
    int64_t across = IMAGE_SIDE / PATCH / SIDE; /* windows */
    rg_net n;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    rg_zoo_scope(&n.b, "features.0.0");
    rg_conv cut = {.channels = s->width, .kernel = PATCH, .stride = PATCH, .pad = -1, .bias = true};
    rg_net_conv(&n, cut);
    n.x = rg_build_node(&n.b, "Transpose", "perm=0,2,3,1", n.x, -1);
    rg_zoo_scope(&n.b, "features.0.2");
    normalize(&n);
    for (int stage = 0; stage < STAGES; stage++, across /= 2) {
        if (stage) merge(&n, 2 * stage);
        rg_zoo_scope(&n.b, "features.%d", 2 * stage + 1);
        rg_value_id mask = across > 1 ? mask_of(&n.b, across) : 0; /* a single window cannot be shifted */
        for (int i = 0; i < s->blocks[stage]; i++) {
            char block[32];
            snprintf(block, sizeof block, "features.%d.%d", 2 * stage + 1, i);
            encode(&n, block, across, i % 2 ? mask : 0);
        }
    }
    rg_zoo_scope(&n.b, "norm");
    normalize(&n);
    rg_zoo_scope(&n.b, "avgpool");
    n.x = rg_build_node(&n.b, "Transpose", "perm=0,3,1,2", n.x, -1);
    rg_net_global_pool(&n);
    rg_net_flatten(&n);
    rg_net_linear(&n, "head", 1000);
    return rg_net_done(&n, out);
}

#define SOURCE "Liu et al. 2021, arXiv:2103.14030; figures: torchvision, IMAGENET1K_V1 at 224x224"

RG_ZOO(swin_t) = {
    .name = "swin_t", .family = "transformer", .source = SOURCE, .build = build,
    .parameters = 28288354, .macs = 4490566656, .published_macs = 4.491e9, .rounding = 0.5e6,
    .layout = &(const swin){96, {2, 2, 6, 2}},
};

RG_ZOO(swin_s) = {
    .name = "swin_s", .family = "transformer", .source = SOURCE, .build = build,
    .parameters = 49606258, .macs = 8740875264, .published_macs = 8.741e9, .rounding = 0.5e6,
    .layout = &(const swin){96, {2, 2, 18, 2}},
};

RG_ZOO(swin_b) = {
    .name = "swin_b", .family = "transformer", .source = SOURCE, .build = build,
    .parameters = 87768224, .macs = 15430946816, .published_macs = 15.431e9, .rounding = 0.5e6,
    .layout = &(const swin){128, {2, 2, 18, 2}},
};

RG_ZOO(swin_l) = {
    .name = "swin_l", .family = "transformer", .build = build,
    .source = "Liu et al. 2021, arXiv:2103.14030; parameters: timm, at 224x224",
    .parameters = 196532476, .macs = 34475759616,
    .layout = &(const swin){192, {2, 2, 18, 2}},
};
