/* window.h - the sliding window that convolutions and pools share.
 *
 *     pad_begin         input           pad_end       kernel 3, dilation 2: reach = 2 * (3 - 1) + 1 = 5
 *     |. . .|# # # # # # # # # # # # # # #|. . .|     one output for every start, `stride` apart
 *     [x   x   x]     reach
 *         [x   x   x]
 */
#ifndef RG_WINDOW_H
#define RG_WINDOW_H

#include "op/op.h"

typedef enum rg_auto_pad { RG_PAD_STATED, RG_PAD_VALID, RG_PAD_SAME } rg_auto_pad;

typedef struct rg_window {
    int rank;                     /* spatial axes */
    rg_auto_pad auto_pad;
    rg_dim kernel[RG_RANK_MAX], reach[RG_RANK_MAX];
    int64_t stride[RG_RANK_MAX], dilation[RG_RANK_MAX], pad_begin[RG_RANK_MAX], pad_end[RG_RANK_MAX];
} rg_window;

/* What the operators of the family list; not every one has all of them. */
#define RG_WINDOW_PADS \
    {"pads", RG_ATTR_INTS, NULL, false, "zeros before each spatial axis, then behind each; preset 0"}
#define RG_WINDOW_STRIDES \
    {"strides", RG_ATTR_INTS, NULL, false, "step of the window along each spatial axis; preset 1"}
#define RG_WINDOW_AUTO_PAD \
    {"auto_pad", RG_ATTR_STRING, "NOTSET", false, "NOTSET: pads count; SAME_UPPER, SAME_LOWER, VALID"}
#define RG_WINDOW_DILATIONS \
    {"dilations", RG_ATTR_INTS, NULL, false, "distance of the kernel's elements along each axis; preset 1"}

/* Reads and checks the attributes that the operator lists. `kernel`: the weights' own sizes, or NULL
 * where only kernel_shape tells. Where both are there they must agree. */
rg_err rg_window_read(const rg_site *s, int rank, const rg_dim *kernel, rg_window *w) RG_CHECKED;
/* Windows along spatial axis `axis` of an input of size `in`. ceil: a last window may begin inside the
 * input or its first padding and run over the end. */
rg_err rg_window_count(const rg_site *s, const rg_window *w, int axis, rg_dim in, bool ceil,
                       rg_dim *out) RG_CHECKED;

#endif
