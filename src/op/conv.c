/* conv.c - Conv, with g the group of output channel m:
 *
 *     y[n, m, o] = b[m] + sum over c, k of w[m, c, k] * x[n, g * C/G + c, o * stride + k * dilation - pad]
 *
 * As a matrix product it is G products of (N * outputs) x (M / G) x (C / G * kernel). One input channel a
 * group leaves nothing to sum over but the kernel: that is the depthwise family, which machines run at a
 * fraction of the dense rate.
 */
#include "op/convolve.h"

#include "op/share.h"

static const rg_attr_spec attrs[] = {RG_CONV_ATTRS};

static const rg_case cases[] = {
    {"f32[1,3,224,224] f32[64,3,7,7] f32[64]", "strides=2,2 pads=3,3,3,3", "f32[1,64,112,112]"},
    {"f32[1,64,56,56] f32[64,64,3,3]", "pads=1,1,1,1", "f32[1,64,56,56]"},
    {"f32[1,96,14,14] f32[96,1,3,3]", "group=96 auto_pad=\"SAME_UPPER\" strides=2,2", "f32[1,96,7,7]"},
    {"f32[1,1,7,5] f32[1,1,3,3]", "dilations=2,2", "f32[1,1,3,1]"},
    {"f16[n,8,t] f16[16,4,5]", "group=2 pads=4,0 kernel_shape=[5]", "f16[n,16,t]"},
    {"f32[1,2,4,4,4] f32[3,2,2,2,2]", "auto_pad=\"VALID\"", "f32[1,3,3,3,3]"},
};

static rg_err check_channels(const rg_site *s, const rg_type *x, const rg_type *w)
{
    rg_dims *dims = rg_site_dims(s);
    int64_t group = rg_op_int(s, "group");
    rg_dim used;
    if (group < 1) return rg_site_fail(s, RG_SHAPE, "group is %lld, less than 1", (long long)group);
    RG_TRY(rg_need_equal(s, "input channels, and those that the weights take", x->dim[1],
                         rg_dim_mul(dims, w->dim[1], group), &used));
    if (rg_dim_is_number(w->dim[0]) && w->dim[0] % group != 0)
        return rg_site_fail(s, RG_SHAPE, "%lld output channels do not divide into %lld groups",
                            (long long)w->dim[0], (long long)group);
    return RG_OK;
}

rg_err rg_conv_infer(const rg_site *s, uint32_t x, uint32_t w, rg_dtype dtype)
{
    rg_window window;
    RG_TRY(rg_need_rank(s, x, 3, -1));
    const rg_type *in = rg_in_type(s, x);
    RG_TRY(rg_need_rank(s, w, in->rank, in->rank));
    const rg_type *weight = rg_in_type(s, w);
    RG_TRY(check_channels(s, in, weight));
    RG_TRY(rg_window_read(s, in->rank - 2, &weight->dim[2], &window));
    rg_type out = rg_type_tensor(dtype, in->rank, in->dim);
    out.dim[1] = weight->dim[0];
    for (int i = 0; i < window.rank; i++)
        RG_TRY(rg_window_count(s, &window, i, in->dim[2 + i], false, &out.dim[2 + i]));
    rg_set_out(s, 0, out);
    return RG_OK;
}

rg_err rg_conv_need_bias(const rg_site *s, uint32_t bias, rg_dim channels)
{
    rg_dim size;
    if (!rg_has_in(s, bias)) return RG_OK;
    RG_TRY(rg_need_rank(s, bias, 1, 1));
    return rg_need_equal(s, "bias and output channels", rg_in_type(s, bias)->dim[0], channels, &size);
}

double rg_conv_kernel_count(const rg_site *s, uint32_t w)
{
    double count = 1;
    for (int i = 2; i < rg_in_rank(s, w); i++) count *= (double)rg_in_dim(s, w, i);
    return count;
}

void rg_conv_work(const rg_site *s, uint32_t x, uint32_t w, rg_work *work)
{
    double group = (double)rg_op_int(s, "group"), outputs = rg_out_count(s, 0);
    double channels = (double)rg_out_dim(s, 0, 1), channels_in = (double)rg_in_dim(s, w, 1);
    work->family = group > 1 && rg_in_dim(s, x, 1) == (int64_t)group ? RG_FAMILY_DEPTHWISE : RG_FAMILY_CONV;
    work->batch = group;
    work->m = channels > 0 ? outputs / channels : 0;
    work->n = channels / group;
    work->k = channels_in * rg_conv_kernel_count(s, w);
    work->mac = outputs * work->k;
    work->flop = 2 * work->mac;
    work->channels = channels;
    work->spatial = work->m;
    work->weight_in_b = rg_in_is_const(s, w);
    /* Strides beyond the kernel step over positions: no more is read than every product needs. */
    const rg_type *input = rg_in_type(s, x);
    double whole = rg_type_bytes(s->g, input);
    double touched = rg_dtype_bytes(input->dtype, work->m * work->k * group);
    if (touched < whole && !rg_in_is_const(s, x)) work->in_byte -= whole - touched;
}

static rg_err infer(const rg_site *s)
{
    rg_dtype dtype;
    RG_TRY(rg_need_dtype(s, 0, 3, &dtype));
    RG_TRY(rg_conv_infer(s, 0, 1, dtype));
    return rg_conv_need_bias(s, 2, rg_in_type(s, 1)->dim[0]);
}

static void work(const rg_site *s, rg_work *w)
{
    rg_conv_work(s, 0, 1, w);
    w->flop += rg_has_in(s, 2) ? rg_out_count(s, 0) : 0;
}

RG_OP(conv) = {
    .name = "Conv", .brief = "convolution, grouped and dilated, over any number of spatial axes", .since = 11,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work,
};
