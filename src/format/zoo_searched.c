/* zoo_searched.c - mobile classifiers that were searched for, or that follow one that was, as timm has them:
 * EfficientNet Lite and for Edge TPUs, FBNet, Single-Path NAS, MnasNet, MixNet, TinyNet, MobileNet,
 * PP-LCNet. Rows are those of the papers' tables (zoo_ladder.h).
 */
#include "format/zoo_ladder.h"

#define SEP RG_RUNG_SEPARABLE
#define INV RG_RUNG_INVERTED
#define EDGE RG_RUNG_EDGE
#define CONV RG_RUNG_CONV
#define UNI RG_RUNG_UNIVERSAL

/* Kind, repeats, window, stride, expansion, channels, gate, and what else there is. */
#define ROW(shape, times, window, step, wider, out, ...) \
    {.kind = shape, .repeats = times, .kernel = window, .stride = step, .expand = wider, .channels = out, \
     .squeeze = __VA_ARGS__}

/* ---- EfficientNet ---- */

static const rg_rung lite[] = {
    ROW(SEP, 1, 3, 1, 1, 16, 0), ROW(INV, 2, 3, 2, 6, 24, 0), ROW(INV, 2, 5, 2, 6, 40, 0),
    ROW(INV, 3, 3, 2, 6, 80, 0),
    ROW(INV, 3, 5, 1, 6, 112, 0), ROW(INV, 4, 5, 2, 6, 192, 0), ROW(INV, 1, 3, 1, 6, 320, 0),
};

/* The first block widens 24 channels, though more come in. */
static const rg_rung edge_tpu[] = {
    ROW(EDGE, 1, 3, 1, 4, 24, 0, .lone = true, .widens = 24), ROW(EDGE, 2, 3, 2, 8, 32, 0),
    ROW(EDGE, 4, 3, 2, 8, 48, 0), ROW(INV, 5, 5, 2, 8, 96, 0), ROW(INV, 4, 5, 1, 8, 144, 0),
    ROW(INV, 2, 5, 2, 8, 192, 0),
};

static const rg_rung b[] = {
    ROW(SEP, 1, 3, 1, 1, 16, .25), ROW(INV, 2, 3, 2, 6, 24, .25), ROW(INV, 2, 5, 2, 6, 40, .25),
    ROW(INV, 3, 3, 2, 6, 80, .25), ROW(INV, 3, 5, 1, 6, 112, .25), ROW(INV, 4, 5, 2, 6, 192, .25),
    ROW(INV, 1, 3, 1, 6, 320, .25),
};

/* Version 2 in its small size, and as it was before its authors' code was there. */
static const rg_rung v2_small[] = {
    ROW(CONV, 2, 3, 1, 1, 24, 0), ROW(EDGE, 4, 3, 2, 4, 48, 0), ROW(EDGE, 4, 3, 2, 4, 64, 0),
    ROW(INV, 6, 3, 2, 4, 128, .25), ROW(INV, 9, 3, 1, 6, 160, .25), ROW(INV, 15, 3, 2, 6, 256, .25),
};

static const rg_rung v2_small_rw[] = {
    ROW(EDGE, 2, 3, 1, 1, 24, 0), ROW(EDGE, 4, 3, 2, 4, 48, 0), ROW(EDGE, 4, 3, 2, 4, 64, 0),
    ROW(INV, 6, 3, 2, 4, 128, .25), ROW(INV, 9, 3, 1, 6, 160, .25), ROW(INV, 15, 3, 2, 6, 272, .25),
};

/* Repeats of the first four stages by 1.2, of the last two by 1.6. */
static const rg_rung v2_medium_rw[] = {
    ROW(EDGE, 3, 3, 1, 1, 24, 0), ROW(EDGE, 5, 3, 2, 4, 48, 0), ROW(EDGE, 5, 3, 2, 4, 64, 0),
    ROW(INV, 8, 3, 2, 4, 128, .25), ROW(INV, 15, 3, 1, 6, 160, .25), ROW(INV, 24, 3, 2, 6, 272, .25),
};

/* ---- MnasNet and its like ---- */

static const rg_rung mnasnet_a1[] = {
    ROW(SEP, 1, 3, 1, 1, 16, 0, .lone = true), ROW(INV, 2, 3, 2, 6, 24, 0), ROW(INV, 3, 5, 2, 3, 40, .25),
    ROW(INV, 4, 3, 2, 6, 80, 0), ROW(INV, 2, 3, 1, 6, 112, .25), ROW(INV, 3, 5, 2, 6, 160, .25),
    ROW(INV, 1, 3, 1, 6, 320, 0),
};

static const rg_rung mnasnet_b1[] = {
    ROW(SEP, 1, 3, 1, 1, 16, 0, .lone = true), ROW(INV, 3, 3, 2, 3, 24, 0), ROW(INV, 3, 5, 2, 3, 40, 0),
    ROW(INV, 3, 5, 2, 6, 80, 0), ROW(INV, 2, 3, 1, 6, 96, 0), ROW(INV, 4, 5, 2, 6, 192, 0),
    ROW(INV, 1, 3, 1, 6, 320, 0, .lone = true),
};

static const rg_rung mnasnet_tiny[] = {
    ROW(SEP, 1, 3, 1, 1, 8, 0), ROW(INV, 1, 3, 2, 3, 16, 0), ROW(INV, 2, 3, 2, 6, 16, 0),
    ROW(INV, 4, 5, 2, 6, 32, .25),
    ROW(INV, 3, 3, 1, 6, 32, .25), ROW(INV, 3, 5, 2, 6, 88, .25), ROW(INV, 1, 3, 1, 6, 144, 0),
};

static const rg_rung single_path[] = {
    ROW(SEP, 1, 3, 1, 1, 16, 0, .lone = true), ROW(INV, 3, 3, 2, 3, 24, 0),
    ROW(INV, 1, 5, 2, 6, 40, 0), ROW(INV, 3, 3, 1, 3, 40, 0, .more = true),
    ROW(INV, 1, 5, 2, 6, 80, 0), ROW(INV, 3, 3, 1, 3, 80, 0, .more = true),
    ROW(INV, 1, 5, 1, 6, 96, 0), ROW(INV, 3, 5, 1, 3, 96, 0, .more = true),
    ROW(INV, 4, 5, 2, 6, 192, 0), ROW(INV, 1, 3, 1, 6, 320, 0, .lone = true),
};

/* ---- FBNet ---- */

static const rg_rung fbnet_c[] = {
    ROW(INV, 1, 3, 1, 1, 16, 0),
    ROW(INV, 1, 3, 2, 6, 24, 0), ROW(INV, 2, 3, 1, 1, 24, 0, .more = true),
    ROW(INV, 1, 5, 2, 6, 32, 0), ROW(INV, 1, 5, 1, 3, 32, 0, .more = true),
    ROW(INV, 1, 5, 1, 6, 32, 0, .more = true),
    ROW(INV, 1, 3, 1, 6, 32, 0, .more = true),
    ROW(INV, 1, 5, 2, 6, 64, 0), ROW(INV, 1, 5, 1, 3, 64, 0, .more = true),
    ROW(INV, 2, 5, 1, 6, 64, 0, .more = true),
    ROW(INV, 3, 5, 1, 6, 112, 0), ROW(INV, 1, 5, 1, 3, 112, 0, .more = true),
    ROW(INV, 4, 5, 2, 6, 184, 0), ROW(INV, 1, 3, 1, 6, 352, 0),
};

static const rg_rung fbnet3_b[] = {
    ROW(SEP, 2, 3, 1, 1, 16, 0), ROW(INV, 1, 5, 2, 4, 24, 0), ROW(INV, 3, 5, 1, 2, 24, 0, .more = true),
    ROW(INV, 1, 5, 2, 5, 40, .25), ROW(INV, 4, 5, 1, 3, 40, .25, .more = true),
    ROW(INV, 1, 5, 2, 5, 72, 0), ROW(INV, 4, 3, 1, 3, 72, 0, .more = true),
    ROW(INV, 1, 3, 1, 5, 120, .25), ROW(INV, 5, 5, 1, 3, 120, .25, .more = true),
    ROW(INV, 1, 3, 2, 6, 184, .25), ROW(INV, 5, 5, 1, 4, 184, .25, .more = true),
    ROW(INV, 1, 5, 1, 6, 224, .25, .more = true), ROW(CONV, 1, 1, 1, 1, 1344, 0, .lone = true),
};

static const rg_rung fbnet3_d[] = {
    ROW(SEP, 2, 3, 1, 1, 16, 0), ROW(INV, 1, 3, 2, 5, 24, 0), ROW(INV, 5, 3, 1, 2, 24, 0, .more = true),
    ROW(INV, 1, 5, 2, 4, 40, .25), ROW(INV, 4, 3, 1, 3, 40, .25, .more = true),
    ROW(INV, 1, 3, 2, 5, 72, 0), ROW(INV, 4, 3, 1, 3, 72, 0, .more = true),
    ROW(INV, 1, 3, 1, 5, 128, .25), ROW(INV, 6, 5, 1, 3, 128, .25, .more = true),
    ROW(INV, 1, 3, 2, 6, 208, .25), ROW(INV, 5, 5, 1, 5, 208, .25, .more = true),
    ROW(INV, 1, 5, 1, 6, 240, .25, .more = true), ROW(CONV, 1, 1, 1, 1, 1440, 0, .lone = true),
};

static const rg_rung fbnet3_g[] = {
    ROW(SEP, 3, 3, 1, 1, 24, 0), ROW(INV, 1, 5, 2, 4, 40, 0), ROW(INV, 4, 5, 1, 2, 40, 0, .more = true),
    ROW(INV, 1, 5, 2, 4, 56, .25), ROW(INV, 4, 5, 1, 3, 56, .25, .more = true),
    ROW(INV, 1, 5, 2, 5, 104, 0), ROW(INV, 4, 3, 1, 3, 104, 0, .more = true),
    ROW(INV, 1, 3, 1, 5, 160, .25), ROW(INV, 8, 5, 1, 3, 160, .25, .more = true),
    ROW(INV, 1, 3, 2, 6, 264, .25), ROW(INV, 6, 5, 1, 5, 264, .25, .more = true),
    ROW(INV, 2, 5, 1, 6, 288, .25, .more = true), ROW(CONV, 1, 1, 1, 1, 1728, 0, .lone = true),
};

/* ---- MixNet ---- */

#define RELU .activation = "Relu"
#define SILU .activation = "SiLU"

static const rg_rung mix_s[] = {
    ROW(SEP, 1, 3, 1, 1, 16, 0),
    ROW(INV, 1, 3, 2, 6, 24, 0, .mix_in = 2, .mix_out = 2),
    ROW(INV, 1, 3, 1, 3, 24, 0, .mix_in = 2, .mix_out = 2, .more = true),
    ROW(INV, 1, 3, 2, 6, 40, .5, SILU, .mix = 3),
    ROW(INV, 3, 3, 1, 6, 40, .5, SILU, .mix = 2, .mix_in = 2, .mix_out = 2, .more = true),
    ROW(INV, 1, 3, 2, 6, 80, .25, SILU, .mix = 3, .mix_out = 2),
    ROW(INV, 2, 3, 1, 6, 80, .25, SILU, .mix = 2, .mix_out = 2, .more = true),
    ROW(INV, 1, 3, 1, 6, 120, .5, SILU, .mix = 3, .mix_in = 2, .mix_out = 2),
    ROW(INV, 2, 3, 1, 3, 120, .5, SILU, .mix = 4, .mix_in = 2, .mix_out = 2, .more = true),
    ROW(INV, 1, 3, 2, 6, 200, .5, SILU, .mix = 5),
    ROW(INV, 2, 3, 1, 6, 200, .5, SILU, .mix = 4, .mix_out = 2, .more = true),
};

static const rg_rung mix_m[] = {
    ROW(SEP, 1, 3, 1, 1, 24, 0),
    ROW(INV, 1, 3, 2, 6, 32, 0, .mix = 3, .mix_in = 2, .mix_out = 2),
    ROW(INV, 1, 3, 1, 3, 32, 0, .mix_in = 2, .mix_out = 2, .more = true),
    ROW(INV, 1, 3, 2, 6, 40, .5, SILU, .mix = 4),
    ROW(INV, 3, 3, 1, 6, 40, .5, SILU, .mix = 2, .mix_in = 2, .mix_out = 2, .more = true),
    ROW(INV, 1, 3, 2, 6, 80, .25, SILU, .mix = 3),
    ROW(INV, 3, 3, 1, 6, 80, .25, SILU, .mix = 4, .mix_in = 2, .mix_out = 2, .more = true),
    ROW(INV, 1, 3, 1, 6, 120, .5, SILU),
    ROW(INV, 3, 3, 1, 3, 120, .5, SILU, .mix = 4, .mix_in = 2, .mix_out = 2, .more = true),
    ROW(INV, 1, 3, 2, 6, 200, .5, SILU, .mix = 4),
    ROW(INV, 3, 3, 1, 6, 200, .5, SILU, .mix = 4, .mix_out = 2, .more = true),
};

/* ---- MobileNet ---- */

static const rg_rung mobile1[] = {
    ROW(SEP, 1, 3, 1, 1, 64, 0, .active = true), ROW(SEP, 2, 3, 2, 1, 128, 0, .active = true),
    ROW(SEP, 2, 3, 2, 1, 256, 0, .active = true), ROW(SEP, 6, 3, 2, 1, 512, 0, .active = true),
    ROW(SEP, 2, 3, 2, 1, 1024, 0, .active = true),
};

static const rg_rung mobile3_rw[] = {
    ROW(SEP, 1, 3, 1, 1, 16, 0, RELU, .lone = true),
    ROW(INV, 1, 3, 2, 4, 24, 0, RELU), ROW(INV, 1, 3, 1, 3, 24, 0, RELU, .more = true),
    ROW(INV, 3, 5, 2, 3, 40, .25, RELU),
    ROW(INV, 1, 3, 2, 6, 80, 0), ROW(INV, 1, 3, 1, 2.5, 80, 0, .more = true),
    ROW(INV, 2, 3, 1, 2.3, 80, 0, .more = true),
    ROW(INV, 2, 3, 1, 6, 112, .25), ROW(INV, 3, 5, 2, 6, 160, .25),
    ROW(CONV, 1, 1, 1, 1, 960, 0, .lone = true),
};

static const rg_rung mobile3_large[] = {
    ROW(SEP, 1, 3, 1, 1, 16, 0, RELU),
    ROW(INV, 1, 3, 2, 4, 24, 0, RELU), ROW(INV, 1, 3, 1, 3, 24, 0, RELU, .more = true),
    ROW(INV, 3, 5, 2, 3, 40, .25, RELU),
    ROW(INV, 1, 3, 2, 6, 80, 0), ROW(INV, 1, 3, 1, 2.5, 80, 0, .more = true),
    ROW(INV, 2, 3, 1, 2.3, 80, 0, .more = true),
    ROW(INV, 2, 3, 1, 6, 112, .25), ROW(INV, 3, 5, 2, 6, 160, .25),
    ROW(CONV, 1, 1, 1, 1, 960, 0, .lone = true),
};

static const rg_rung mobile3_large_min[] = {
    ROW(SEP, 1, 3, 1, 1, 16, 0), ROW(INV, 1, 3, 2, 4, 24, 0), ROW(INV, 1, 3, 1, 3, 24, 0, .more = true),
    ROW(INV, 3, 3, 2, 3, 40, 0), ROW(INV, 1, 3, 2, 6, 80, 0), ROW(INV, 1, 3, 1, 2.5, 80, 0, .more = true),
    ROW(INV, 2, 3, 1, 2.3, 80, 0, .more = true),
    ROW(INV, 2, 3, 1, 6, 112, 0), ROW(INV, 3, 3, 2, 6, 160, 0), ROW(CONV, 1, 1, 1, 1, 960, 0, .lone = true),
};

static const rg_rung mobile3_small[] = {
    ROW(SEP, 1, 3, 2, 1, 16, .25, RELU),
    ROW(INV, 1, 3, 2, 4.5, 24, 0, RELU), ROW(INV, 1, 3, 1, 3.67, 24, 0, RELU, .more = true),
    ROW(INV, 1, 5, 2, 4, 40, .25), ROW(INV, 2, 5, 1, 6, 40, .25, .more = true),
    ROW(INV, 2, 5, 1, 3, 48, .25), ROW(INV, 3, 5, 2, 6, 96, .25), ROW(CONV, 1, 1, 1, 1, 576, 0, .lone = true),
};

static const rg_rung mobile3_small_min[] = {
    ROW(SEP, 1, 3, 2, 1, 16, 0), ROW(INV, 1, 3, 2, 4.5, 24, 0), ROW(INV, 1, 3, 1, 3.67, 24, 0, .more = true),
    ROW(INV, 1, 3, 2, 4, 40, 0), ROW(INV, 2, 3, 1, 6, 40, 0, .more = true),
    ROW(INV, 2, 3, 1, 3, 48, 0), ROW(INV, 3, 3, 2, 6, 96, 0), ROW(CONV, 1, 1, 1, 1, 576, 0, .lone = true),
};

static const rg_rung mobile_edge[] = {
    ROW(CONV, 1, 1, 1, 1, 16, 0, .lone = true),
    ROW(EDGE, 1, 3, 2, 8, 32, 0), ROW(EDGE, 3, 3, 1, 4, 32, 0, .more = true),
    ROW(EDGE, 1, 3, 2, 8, 48, 0), ROW(EDGE, 3, 3, 1, 4, 48, 0, .more = true),
    ROW(INV, 1, 3, 2, 8, 96, 0), ROW(INV, 3, 3, 1, 4, 96, 0, .more = true),
    ROW(INV, 1, 3, 1, 8, 96, 0, .lone = true), ROW(INV, 3, 3, 1, 4, 96, 0, .more = true),
    ROW(INV, 1, 5, 2, 8, 160, 0), ROW(INV, 3, 5, 1, 4, 160, 0, .more = true), ROW(INV, 1, 3, 1, 8, 192, 0),
};

/* Version 2, by its stages' channels and the groups of its edges. */
#define MOBILE_EDGE2(c1, c2, c3, c4, c5, c6, c7, size) \
    ROW(CONV, 1, 1, 1, 1, c1, 0, .lone = true), \
    ROW(EDGE, 1, 3, 2, 8, c2, 0), ROW(EDGE, 1, 3, 1, 4, c2, 0, .group = size, .more = true), \
    ROW(EDGE, 1, 3, 2, 8, c3, 0), ROW(EDGE, 1, 3, 1, 4, c3, 0, .group = size, .more = true), \
    ROW(EDGE, 1, 3, 1, 4, c3, 0, .more = true), ROW(EDGE, 1, 3, 1, 4, c3, 0, .group = size, .more = true), \
    ROW(EDGE, 1, 3, 2, 8, c4, 0), ROW(INV, 3, 3, 1, 4, c4, 0, .more = true), \
    ROW(INV, 1, 3, 1, 8, c5, 0), ROW(INV, 3, 3, 1, 4, c5, 0, .more = true), \
    ROW(INV, 1, 3, 2, 8, c6, 0), ROW(INV, 3, 3, 1, 4, c6, 0, .more = true), ROW(INV, 1, 3, 1, 8, c7, 0)

static const rg_rung mobile_edge2_xs[] = {MOBILE_EDGE2(16, 32, 48, 96, 144, 160, 192, 64)};
static const rg_rung mobile_edge2_s[] = {MOBILE_EDGE2(24, 48, 64, 128, 160, 192, 256, 64)};
static const rg_rung mobile_edge2_m[] = {MOBILE_EDGE2(32, 64, 80, 160, 192, 240, 320, 64)};
static const rg_rung mobile_edge2_l[] = {MOBILE_EDGE2(32, 64, 96, 192, 240, 256, 384, 128)};

/* Version 4: universal blocks, whose first window is `.start`, and 1x1 convolutions between. */
#define WITH(size) .start = size, .more = true

static const rg_rung mobile4_small[] = {
    ROW(CONV, 1, 3, 2, 1, 32, 0, .lone = true), ROW(CONV, 1, 1, 1, 1, 32, 0, .lone = true, .more = true),
    ROW(CONV, 1, 3, 2, 1, 96, 0, .lone = true), ROW(CONV, 1, 1, 1, 1, 64, 0, .lone = true, .more = true),
    ROW(UNI, 1, 5, 2, 3, 96, 0, .start = 5), ROW(UNI, 4, 3, 1, 2, 96, 0, WITH(0)),
    ROW(UNI, 1, 0, 1, 4, 96, 0, WITH(3)),
    ROW(UNI, 1, 3, 2, 6, 128, 0, .start = 3), ROW(UNI, 1, 5, 1, 4, 128, 0, WITH(5)),
    ROW(UNI, 1, 5, 1, 4, 128, 0, WITH(0)), ROW(UNI, 1, 5, 1, 3, 128, 0, WITH(0)),
    ROW(UNI, 2, 3, 1, 4, 128, 0, WITH(0)), ROW(CONV, 1, 1, 1, 1, 960, 0, .lone = true),
};

static const rg_rung mobile4_medium[] = {
    ROW(EDGE, 1, 3, 2, 4, 48, 0),
    ROW(UNI, 1, 5, 2, 4, 80, 0, .start = 3), ROW(UNI, 1, 3, 1, 2, 80, 0, WITH(3)),
    ROW(UNI, 1, 5, 2, 6, 160, 0, .start = 3), ROW(UNI, 2, 3, 1, 4, 160, 0, WITH(3)),
    ROW(UNI, 1, 5, 1, 4, 160, 0, WITH(3)), ROW(UNI, 1, 3, 1, 4, 160, 0, WITH(3)),
    ROW(UNI, 1, 0, 1, 4, 160, 0, WITH(3)), ROW(UNI, 1, 0, 1, 2, 160, 0, WITH(0)),
    ROW(UNI, 1, 0, 1, 4, 160, 0, WITH(3)),
    ROW(UNI, 1, 5, 2, 6, 256, 0, .start = 5), ROW(UNI, 1, 5, 1, 4, 256, 0, WITH(5)),
    ROW(UNI, 2, 5, 1, 4, 256, 0, WITH(3)), ROW(UNI, 1, 0, 1, 4, 256, 0, WITH(0)),
    ROW(UNI, 1, 0, 1, 4, 256, 0, WITH(3)), ROW(UNI, 1, 5, 1, 2, 256, 0, WITH(3)),
    ROW(UNI, 1, 5, 1, 4, 256, 0, WITH(5)), ROW(UNI, 2, 0, 1, 4, 256, 0, WITH(0)),
    ROW(UNI, 1, 0, 1, 2, 256, 0, WITH(5)), ROW(CONV, 1, 1, 1, 1, 960, 0, .lone = true),
};

static const rg_rung mobile4_large[] = {
    ROW(EDGE, 1, 3, 2, 4, 48, 0),
    ROW(UNI, 1, 5, 2, 4, 96, 0, .start = 3), ROW(UNI, 1, 3, 1, 4, 96, 0, WITH(3)),
    ROW(UNI, 1, 5, 2, 4, 192, 0, .start = 3), ROW(UNI, 3, 3, 1, 4, 192, 0, WITH(3)),
    ROW(UNI, 1, 5, 1, 4, 192, 0, WITH(3)), ROW(UNI, 5, 3, 1, 4, 192, 0, WITH(5)),
    ROW(UNI, 1, 0, 1, 4, 192, 0, WITH(3)),
    ROW(UNI, 4, 5, 2, 4, 512, 0, .start = 5), ROW(UNI, 1, 0, 1, 4, 512, 0, WITH(5)),
    ROW(UNI, 1, 3, 1, 4, 512, 0, WITH(5)), ROW(UNI, 2, 0, 1, 4, 512, 0, WITH(5)),
    ROW(UNI, 1, 3, 1, 4, 512, 0, WITH(5)), ROW(UNI, 1, 5, 1, 4, 512, 0, WITH(5)),
    ROW(UNI, 3, 0, 1, 4, 512, 0, WITH(5)), ROW(CONV, 1, 1, 1, 1, 960, 0, .lone = true),
};

static const rg_rung pp_lcnet[] = {
    ROW(SEP, 1, 3, 1, 1, 32, 0, .active = true), ROW(SEP, 2, 3, 2, 1, 64, 0, .active = true),
    ROW(SEP, 2, 3, 2, 1, 128, 0, .active = true), ROW(SEP, 1, 3, 2, 1, 256, 0, .active = true),
    ROW(SEP, 1, 5, 1, 1, 256, 0, .active = true, .more = true), ROW(SEP, 4, 5, 1, 1, 256, 0, .active = true),
    ROW(SEP, 2, 5, 2, 1, 512, .25, .active = true),
};

/* ---- the models ---- */

#define UP .nearest_depth = false
#define LITE .activation = "Relu6", .fixed_stem = true, .fixed_ends = true
#define TAN "Tan and Le 2019, arXiv:1905.11946"
#define GUPTA "Gupta and Akin 2020, arXiv:2003.02838"
#define SCALED .scaled_features = true
#define TAN_V2 "Tan and Le 2021, arXiv:2104.00298"
#define SWISH .activation = "SiLU"
#define HAN "Han et al. 2020, arXiv:2010.14819"
#define TINY .activation = "SiLU", .fixed_stem = true, .nearest_depth = true
#define MNASNET "Tan et al. 2018, arXiv:1807.11626"
#define SPNAS "Stamoulis et al. 2019, arXiv:1904.02877"
#define FBNET "Wu et al. 2018, arXiv:1812.03443"
#define FBNET3 "Dai et al. 2020, arXiv:2006.02049"
#define HARD .activation = "HardSwish", .gate = "HardSigmoid", .pooled = true
#define FB3 HARD, .whole = true, .plain = true, .loses = .95
#define MIXNET "Tan and Le 2019, arXiv:1907.09595"
#define HOWARD "Howard et al. 2017, arXiv:1704.04861"
#define MOBILE1 .activation = "Relu6"
#define HOWARD_3 "Howard et al. 2019, arXiv:1905.02244"
#define MOBILE3 HARD, .gate_activation = "Relu", .inside = true, .whole = true
#define STEM .fixed_stem = true
#define LATE .pooled = true
#define QIN "Qin et al. 2024, arXiv:2404.10518"
#define MOBILE4 .pooled = true, .plain = true, .normal = true
#define EDGE_2 "Akin et al. 2022, arXiv:2204.14007"
#define CUI "Cui et al. 2021, arXiv:2109.15099"
#define LCNET HARD, .gate_activation = "Relu", .inside = true

/* Name, rows, width, depth, first and last channels, side, source, parameters, MACs, what else there is. */
#define SEARCHED_LIST(X) \
    X(efficientnet_lite0, lite, 1.0, 1.0, 32, 1280, 224, TAN, 4652008, 385187552, LITE) \
    X(efficientnet_lite1, lite, 1.0, 1.1, 32, 1280, 240, TAN, 5416680, 600185232, LITE) \
    X(efficientnet_lite2, lite, 1.1, 1.2, 32, 1280, 260, TAN, 6092072, 859736272, LITE) \
    X(efficientnet_lite3, lite, 1.2, 1.4, 32, 1280, 300, TAN, 8197096, 1607554544, LITE) \
    X(efficientnet_lite4, lite, 1.4, 1.8, 32, 1280, 380, TAN, 13006568, 3943564112, LITE) \
    X(efficientnet_es, edge_tpu, 1.0, 1.0, 32, 1280, 224, GUPTA, 5438392, 1788731008, SCALED) \
    X(efficientnet_em, edge_tpu, 1.0, 1.1, 32, 1280, 240, GUPTA, 6899496, 3013321088, SCALED) \
    X(efficientnet_el, edge_tpu, 1.2, 1.4, 32, 1280, 300, GUPTA, 10589712, 7936082848, SCALED) \
    X(efficientnetv2_rw_t, v2_small, 0.8, 0.9, 24, 1280, 288, TAN_V2, 13649388, 3159953120, SWISH, SCALED) \
    X(efficientnetv2_rw_s, v2_small_rw, 1.0, 1.0, 24, 1792, 384, TAN_V2, 23941296, 8640282112, SWISH) \
    X(efficientnetv2_rw_m, v2_medium_rw, 1.2, 1.0, 24, 1792, 416, TAN_V2, 53236442, 21332303888, SWISH, \
      SCALED) \
    X(tinynet_a, b, 1.0, 1.2, 32, 1280, 192, HAN, 6187972, 336867712, TINY) \
    X(tinynet_b, b, 0.75, 1.1, 32, 1280, 188, HAN, 3730562, 200709360, TINY) \
    X(tinynet_c, b, 0.54, 0.85, 32, 1280, 184, HAN, 2457234, 99536432, TINY) \
    X(tinynet_d, b, 0.54, 0.695, 32, 1280, 152, HAN, 2338446, 51580656, TINY) \
    X(tinynet_e, b, 0.51, 0.6, 32, 1280, 106, HAN, 2042972, 24356848, TINY) \
    X(semnasnet_050, mnasnet_a1, 0.5, 1, 32, 1280, 224, MNASNET, 2082006, 103162992, UP) \
    X(semnasnet_075, mnasnet_a1, 0.75, 1, 32, 1280, 224, MNASNET, 2912278, 223448480, UP) \
    X(semnasnet_100, mnasnet_a1, 1.0, 1, 32, 1280, 224, MNASNET, 3887038, 311579072, UP) \
    X(semnasnet_140, mnasnet_a1, 1.4, 1, 32, 1280, 224, MNASNET, 6105992, 586317952, UP) \
    X(mnasnet_140, mnasnet_b1, 1.4, 1, 32, 1280, 224, MNASNET, 7115728, 588799408, UP) \
    X(mnasnet_small, mnasnet_tiny, 1.0, 1, 8, 1280, 224, MNASNET, 2030264, 68339184, .fixed_stem = true) \
    X(spnasnet_100, single_path, 1, 1, 32, 1280, 224, SPNAS, 4421616, 333467072, UP) \
    X(fbnetc_100, fbnet_c, 1, 1, 16, 1984, 224, FBNET, 5572200, 384960160, UP) \
    X(fbnetv3_b, fbnet3_b, 1, 1, 16, 1984, 256, FBNET3, 8598464, 530631936, FB3) \
    X(fbnetv3_d, fbnet3_d, 1, 1, 24, 1984, 256, FBNET3, 10306272, 653862016, FB3) \
    X(fbnetv3_g, fbnet3_g, 1, 1, 32, 1984, 288, FBNET3, 16623888, 1722792736, FB3) \
    X(mixnet_s, mix_s, 1, 1, 16, 1536, 224, MIXNET, 4134606, 239173360, .nearest_depth = true) \
    X(mixnet_m, mix_m, 1, 1, 24, 1536, 224, MIXNET, 5014382, 339172672, .nearest_depth = true) \
    X(mixnet_l, mix_m, 1.3, 1, 24, 1536, 224, MIXNET, 7329252, 555251792, .nearest_depth = true) \
    X(mixnet_xl, mix_m, 1.6, 1.2, 24, 1536, 224, MIXNET, 11896768, 904010880, .nearest_depth = true) \
    X(mixnet_xxl, mix_m, 2.4, 1.3, 24, 1536, 224, MIXNET, 23961752, 1992725184, .nearest_depth = true) \
    X(mobilenetv1_100, mobile1, 1, 1, 32, 0, 224, HOWARD, 4231976, 568740352, MOBILE1) \
    X(mobilenetv1_100h, mobile1, 1, 1, 32, 1024, 224, HOWARD, 5282600, 620120576, MOBILE1) \
    X(mobilenetv1_125, mobile1, 1.25, 1, 32, 0, 224, HOWARD, 6270840, 879516800, MOBILE1) \
    X(mobilenetv3_rw, mobile3_rw, 1, 1, 16, 1280, 224, HOWARD_3, 5479918, 216587936, HARD, .inside = true, \
      .plain = true) \
    X(mobilenetv3_large_075, mobile3_large, 0.75, 1, 16, 1280, 224, HOWARD_3, 3993528, 154560624, MOBILE3) \
    X(mobilenetv3_large_150d, mobile3_large, 1.5, 1.2, 16, 1280, 256, HOWARD_3, 14622320, 1010021120, \
      MOBILE3) \
    X(mobilenetv3_small_050, mobile3_small, 0.5, 1, 16, 1024, 224, HOWARD_3, 1593224, 24188688, MOBILE3, \
      STEM) \
    X(mobilenetv3_small_075, mobile3_small, 0.75, 1, 16, 1024, 224, HOWARD_3, 2041872, 43399344, MOBILE3) \
    X(mobilenetv3_large_minimal_100, mobile3_large_min, 1, 1, 16, 1280, 224, HOWARD_3, 3924288, 209136704, \
      LATE) \
    X(mobilenetv3_small_minimal_100, mobile3_small_min, 1, 1, 16, 1024, 224, HOWARD_3, 2044736, 52288448, \
      LATE) \
    X(mobilenetv4_conv_small_035, mobile4_small, 0.35, 1, 32, 1280, 224, QIN, 1905384, 47723040, MOBILE4, \
      STEM) \
    X(mobilenetv4_conv_small_050, mobile4_small, 0.5, 1, 32, 1280, 224, QIN, 2238952, 64741408, MOBILE4, \
      STEM) \
    X(mobilenetv4_conv_small, mobile4_small, 1, 1, 32, 1280, 224, QIN, 3774024, 186005568, MOBILE4) \
    X(mobilenetv4_conv_medium, mobile4_medium, 1, 1, 32, 1280, 256, QIN, 9715512, 1080244224, MOBILE4) \
    X(mobilenetv4_conv_large, mobile4_large, 1, 1, 24, 1280, 384, QIN, 32590864, 6376220672, MOBILE4) \
    X(mobilenet_edgetpu_100, mobile_edge, 1, 1, 32, 1280, 224, GUPTA, 4091432, 990669184, UP) \
    X(mobilenet_edgetpu_v2_xs, mobile_edge2_xs, 1, 1, 32, 1280, 224, EDGE_2, 4459880, 688214528, \
      .stem_kernel = 3) \
    X(mobilenet_edgetpu_v2_s, mobile_edge2_s, 1, 1, 64, 1280, 224, EDGE_2, 5986456, 1198002688, \
      .stem_kernel = 5) \
    X(mobilenet_edgetpu_v2_m, mobile_edge2_m, 1, 1, 64, 1344, 224, EDGE_2, 8462888, 1835637440, \
      .stem_kernel = 5) \
    X(mobilenet_edgetpu_v2_l, mobile_edge2_l, 1, 1, 64, 1408, 224, EDGE_2, 10921640, 2530786432, \
      .stem_kernel = 7) \
    X(lcnet_035, pp_lcnet, 0.35, 1, 16, 1280, 224, CUI, 1644370, 27357832, LCNET) \
    X(lcnet_050, pp_lcnet, 0.5, 1, 16, 1280, 224, CUI, 1880856, 44731008, LCNET) \
    X(lcnet_075, pp_lcnet, 0.75, 1, 16, 1280, 224, CUI, 2358288, 94786496, LCNET) \
    X(lcnet_100, pp_lcnet, 1, 1, 16, 1280, 224, CUI, 2953800, 155700480, LCNET) \
    X(lcnet_150, pp_lcnet, 1.5, 1, 16, 1280, 224, CUI, 4501112, 334188416, LCNET)

#define X(id, table, wide, deep, first, last, size, text, params, mac, ...) \
    RG_ZOO(id) = { \
        .name = #id, .family = "cnn", .image = RG_IMAGE_ANY, .build = rg_ladder_build, \
        .source = text ", as timm has it", .parameters = params, .macs = mac, \
        .layout = &(const rg_ladder){.count = RG_COUNT(table), .rungs = table, .width = wide, .depth = deep, \
                                     .stem = first, .features = last, .side = size, __VA_ARGS__}, \
    };
SEARCHED_LIST(X)
#undef X
