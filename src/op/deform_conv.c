/* deform_conv.c - DeformConv: a convolution whose taps are moved by learned offsets, so that each reads the
 * input between pixels, by bilinear interpolation.
 */
#include "op/convolve.h"
#include "op/share.h"

enum { X, WEIGHT, OFFSET, BIAS, MASK };

static const rg_attr_spec attrs[] = {
    RG_WINDOW_DILATIONS, RG_CONV_GROUP, RG_CONV_KERNEL, RG_WINDOW_PADS, RG_WINDOW_STRIDES,
    {"offset_group", RG_ATTR_INT, "1", false, "groups of input channels that share their offsets"},
};

static const rg_case cases[] = {
    {"f32[1,1,3,3] f32[1,1,2,2] f32[1,8,4,4] f32[1]", "kernel_shape=2,2 pads=1,1,1,1", "f32[1,1,4,4]"},
    {"f32[1,2,3,3] f32[1,2,2,2] f32[1,16,2,2] _ f32[1,8,2,2]", "offset_group=2", "f32[1,1,2,2]"},
};

static rg_err infer(const rg_site *s)
{
    rg_dtype dtype;
    RG_TRY(rg_need_dtype(s, 0, 5, &dtype));
    RG_TRY(rg_conv_infer(s, X, WEIGHT, dtype));
    RG_TRY(rg_need_rank(s, OFFSET, rg_in_rank(s, X), rg_in_rank(s, X)));
    return rg_conv_need_bias(s, BIAS, rg_in_type(s, WEIGHT)->dim[0]);
}

/* Each tap of each input channel at each position: the place (2), four weights (4 multiplications after 2
 * subtractions), four products and three sums; one more for the mask. */
static void work(const rg_site *s, rg_work *w)
{
    rg_conv_work(s, X, WEIGHT, w);
    double taps = w->spatial * (double)rg_in_dim(s, X, 1) * rg_conv_kernel_count(s, WEIGHT);
    w->flop += taps * (rg_has_in(s, MASK) ? 16 : 15);
    w->flop += rg_has_in(s, BIAS) ? rg_out_count(s, 0) : 0;
}

RG_OP(deform_conv) = {
    .name = "DeformConv", .brief = "deformable convolution: taps moved by learned offsets", .since = 19,
    .in_min = 3, .in_max = 5, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work,
};
