/* convolve.h - what all convolutions share: Conv, its integer variants, DeformConv. */
#ifndef RG_CONVOLVE_H
#define RG_CONVOLVE_H

#include "op/window.h"

#define RG_CONV_KERNEL \
    {"kernel_shape", RG_ATTR_INTS, NULL, false, "spatial sizes of the kernel; preset: those of the weights"}
#define RG_CONV_GROUP \
    {"group", RG_ATTR_INT, "1", false, "groups that the channels are divided into"}
#define RG_CONV_ATTRS \
    RG_WINDOW_AUTO_PAD, RG_WINDOW_DILATIONS, RG_CONV_GROUP, RG_CONV_KERNEL, RG_WINDOW_PADS, RG_WINDOW_STRIDES

/* Sets output 0 to `dtype` [N, M, spatial...], from input x [N, C, spatial...] and weights w
 * [M, C/group, kernel...]. */
rg_err rg_conv_infer(const rg_site *s, uint32_t x, uint32_t w, rg_dtype dtype) RG_CHECKED;
/* The products: every output sums C/group * kernel of them. Fills family, mac, flop = 2 * mac,
 * the loop nest. */
void rg_conv_work(const rg_site *s, uint32_t x, uint32_t w, rg_work *work);
/* bias: 1-D, one element an output channel; nothing to check when it is omitted. */
rg_err rg_conv_need_bias(const rg_site *s, uint32_t bias, rg_dim channels) RG_CHECKED;
double rg_conv_kernel_count(const rg_site *s, uint32_t w); /* product of the spatial sizes of the weights */

/* ---- at run time: window by window, what the kernel sees is laid out as one column ---- */

typedef struct rg_conv {
    rg_slide slide;
    int64_t batch, group, channels_in, channels_out; /* of the whole tensors */
    int64_t depth;           /* products to a sum: channels_in / group * kernel */
    double *column;          /* [channels_in, kernel], zero in the padding */
} rg_conv;

rg_err rg_conv_init(const rg_run *r, uint32_t x, uint32_t w, rg_conv *c) RG_CHECKED;
/* The column's products with the weights of output channel m. */
double rg_conv_sum(const rg_conv *c, const double *weights, int64_t m);
/* All sums: `put` gets the output's index, its channel and the sum. */
typedef void (*rg_conv_put)(void *user, int64_t at, int64_t m, double sum);
void rg_conv_run(rg_conv *c, const double *x, const double *weights, rg_conv_put put, void *user);

#endif
