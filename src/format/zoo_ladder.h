/* zoo_ladder.h - networks that are a table of blocks, one row for each run of equal ones: what searches for
 * mobile networks find. Rows say what timm's block strings say; see zoo_ladder.c for the blocks.
 */
#ifndef RG_ZOO_LADDER_H
#define RG_ZOO_LADDER_H

#include "format/zoo.h"

typedef enum rg_rung_kind {
    RG_RUNG_SEPARABLE, /* by channel, then 1x1 */
    RG_RUNG_INVERTED,  /* 1x1, by channel, 1x1 */
    RG_RUNG_EDGE,      /* over all channels, then 1x1 */
    RG_RUNG_CONV,      /* one convolution */
    RG_RUNG_UNIVERSAL, /* by channel, 1x1, by channel, 1x1; either of the first and the third may be absent */
} rg_rung_kind;

typedef struct rg_rung {
    rg_rung_kind kind;
    int repeats, kernel, stride;   /* the first block has the stride */
    double expand;                 /* channels inside for one that comes in */
    int channels;                  /* of the result */
    double squeeze;                /* channels of the gate for one that comes in (`inside`: for one that it
                                    * scales); 0: there is none */
    bool more;                     /* of the stage that the row before is of: their repeats grow together */
    bool lone;                     /* the input is not added */
    bool active;                   /* of separable ones: activation behind the 1x1, too, and no sum */
    const char *activation;        /* NULL: the network's */
    int mix, mix_in, mix_out;      /* the filter has so many windows, of 3, 5, 7, ..., each over its part of
                                    * the channels; the first and the last 1x1 are in so many parts */
    int group;                     /* channels of a group of the convolution that looks around; 0: as the
                                    * kind says */
    int start;                     /* window of a universal block's first convolution; 0: there is none */
    int widens;                    /* the expansion is of so many channels; 0: of those that come in */
} rg_rung;

typedef struct rg_ladder {
    int count;
    const rg_rung *rungs;
    double width, depth;           /* factors of channels and of repeats */
    int stem, features;            /* channels of the first convolution and of the last */
    bool fixed_stem;               /* the first is not scaled */
    bool fixed_ends;               /* nor the repeats of the first and of the last stage */
    bool scaled_features;          /* the last is scaled */
    bool nearest_depth;            /* repeats are rounded to the nearest; otherwise up */
    double loses;                  /* rounding channels may not leave less than this part of them; 0: 0.9 */
    const char *activation;        /* NULL: Relu */
    const char *gate, *gate_activation; /* of gates; NULL: Sigmoid, the network's */
    bool inside;                   /* gates are told by what they scale */
    bool whole;                    /* gates have multiples of 8 channels */
    bool pooled;                   /* the image is averaged before the last convolution (MobileNetV3) */
    bool plain;                    /* which has no bias then */
    bool normal;                   /* it is normalized all the same (MobileNetV4) */
    int stem_kernel;               /* 0: 3 */
    int64_t side;                  /* of the image */
} rg_ladder;

/* self->layout is an rg_ladder. */
rg_err rg_ladder_build(rg_ctx *cx, const rg_zoo *self, rg_graph **out) RG_CHECKED;

#endif
