/* conv_share.h - what kernels of convolutions share. */
#ifndef RG_CONV_SHARE_H
#define RG_CONV_SHARE_H

#include "exec/fast.h"
#include "exec/mover.h"

/* Part of an image that goes into blocks, and where it begins in floats. */
typedef struct rg_gather { rg_mover mover; int64_t from, to; } rg_gather;

/* A copy of an image with zeros around it, for windows that reach beyond it; or one in blocks of an image
 * that is not, the last of which is filled up with zeros; or one of those pixels alone that windows see. */
typedef struct rg_frame {
    int64_t planes, in_h, in_w;      /* of the image */
    int64_t wide;                    /* floats of a pixel in a plane: RG_BLOCK, or 1 */
    int64_t top, left, h, w;         /* of the copy, and where the image lies in it */
    bool needed;                     /* else h and w are the image's */
    int64_t step_h, step_w;          /* lines and columns from one that is copied to the next */
    rg_gather gather[2]; int gather_count; /* into blocks: the whole ones, and what is left */
} rg_frame;

/* Windows read lines -before..after-1 and columns alike; the image's are 0..in_h-1. */
rg_frame rg_frame_of(int64_t planes, int64_t in_h, int64_t in_w, int64_t wide, const int64_t before[2],
                     const int64_t after[2]);
/* The same image of `channels` planes gathered in blocks: `planes` becomes the number of blocks. */
void rg_frame_gather(rg_frame *f, int64_t channels);
/* The same image in blocks, nothing around it: every step_w-th pixel of every step_h-th line, h by w of them.
 */
void rg_frame_thin(rg_frame *f, int64_t step_h, int64_t step_w, int64_t h, int64_t w);
static inline int64_t rg_frame_count(const rg_frame *f) { return f->planes * f->h * f->w * f->wide; }
/* This worker's share of one image; all meet in it. */
void rg_frame_fill(const rg_frame *f, const float *image, float *to, rg_part part);

/* An f32 image, f32 weights and bias that are constant. */
bool rg_conv_is_constant(const rg_fast_row *r);
/* bias[channels]: of the convolution and what follows it; scaled. Behind it are zeros for one more panel. */
rg_err rg_conv_bias(const rg_fast_row *r, int64_t channels, const float **bias) RG_CHECKED;
/* What the weights of output channel o are multiplied by. */
static inline float rg_conv_scale(const rg_fast_row *r, int64_t o)
{
    return r->chain.scale ? r->chain.scale[o] : 1;
}

#endif
