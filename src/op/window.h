/* window.h - the sliding window that convolutions and pools share.
 *
 *     pad_begin         input           pad_end       kernel 3, dilation 2: reach = 2 * (3 - 1) + 1 = 5
 *     |. . .|# # # # # # # # # # # # # # #|. . .|     one output for every start, `stride` apart
 *     [x   x   x]     reach
 *         [x   x   x]
 */
#ifndef RG_WINDOW_H
#define RG_WINDOW_H

#include "op/kernel.h"

typedef enum rg_auto_pad { RG_PAD_STATED, RG_PAD_VALID, RG_PAD_SAME } rg_auto_pad;

typedef struct rg_window {
    int rank;                     /* spatial axes */
    rg_auto_pad auto_pad;
    bool odd_first;               /* of an odd number of pads the larger half comes first: not SAME_UPPER */
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

/* ---- at run time ---- */

/* An element of a window that lies inside the input: which of the kernel's, and where; both row-major. */
typedef struct rg_tap { int64_t kernel, at; } rg_tap;

/* The windows of one node, every size known, and one of them at a time as the taps that do not fall into the
 * padding. A transposed convolution slides over its output. */
typedef struct rg_slide {
    int rank;
    int64_t over[RG_RANK_MAX], count[RG_RANK_MAX], kernel[RG_RANK_MAX]; /* slid over; windows; of each */
    int64_t stride[RG_RANK_MAX], dilation[RG_RANK_MAX], pad_begin[RG_RANK_MAX], pad_end[RG_RANK_MAX];
    int64_t over_count, window_count, kernel_count; /* products */
    int64_t start[RG_RANK_MAX];   /* of the present window; negative in the padding */
    rg_tap *taps; int64_t tap_count;
} rg_slide;

/* Pads before the input, where `total` are needed on both sides. */
static inline int64_t rg_window_front(const rg_window *w, int64_t total)
{
    return total <= 0 ? 0 : w->odd_first ? total - total / 2 : total / 2;
}
/* `over` and `count`: sizes slid over, and windows along each axis. */
rg_err rg_slide_init(const rg_run *r, const rg_window *w, const int64_t *over, const int64_t *count,
                     rg_slide *s) RG_CHECKED;
void rg_slide_to(rg_slide *s, int64_t index); /* to that window, row-major: sets start and taps */
double rg_slide_padded(const rg_slide *s);    /* elements of the window inside the input and its padding */

#endif
