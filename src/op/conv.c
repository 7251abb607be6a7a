/* conv.c - Conv, with g the group of output channel m:
 *
 *     y[n, m, o] = b[m] + sum over c, k of w[m, c, k] * x[n, g * C/G + c, o * stride + k * dilation - pad]
 *
 * As a matrix product it is G products of (N * outputs) x (M / G) x (C / G * kernel). One input channel a
 * group leaves nothing to sum over but the kernel: that is the depthwise family, which machines run at a
 * fraction of the dense rate.
 */
#include "op/convolve.h"

#include "op/product.h"
#include "op/share.h"

#include <string.h>

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

/* ---- kernel ---- */

rg_err rg_conv_init(const rg_run *r, uint32_t x, uint32_t w, rg_conv *c)
{
    const rg_array *in = rg_arg(r, x), *weights = rg_arg(r, w), *out = rg_result(r, 0);
    rg_window window;
    *c = (rg_conv){
        .batch = in->dim[0], .group = rg_op_int(&r->site, "group"),
        .channels_in = in->dim[1], .channels_out = out->dim[1],
    };
    RG_TRY(rg_window_read(&r->site, in->rank - 2, &weights->dim[2], &window));
    RG_TRY(rg_slide_init(r, &window, &in->dim[2], &out->dim[2], &c->slide));
    c->depth = weights->dim[1] * c->slide.kernel_count;
    c->column = RG_NEW(r->scratch, double, c->depth * c->group);
    return c->column ? RG_OK : rg_nomem(r->site.cx);
}

/* Fills the column from image n at the slide's window. */
static void see(const rg_conv *c, const double *x, int64_t n)
{
    const rg_slide *s = &c->slide;
    const double *plane = x + n * c->channels_in * s->over_count;
    memset(c->column, 0, (size_t)(c->channels_in * s->kernel_count) * sizeof *c->column);
    for (int64_t i = 0; i < c->channels_in; i++, plane += s->over_count)
        for (int64_t t = 0; t < s->tap_count; t++)
            c->column[i * s->kernel_count + s->taps[t].kernel] = plane[s->taps[t].at];
}

double rg_conv_sum(const rg_conv *c, const double *weights, int64_t m)
{
    int64_t g = m / (c->channels_out / c->group);
    return rg_dot(weights + m * c->depth, c->column + g * c->depth, c->depth);
}

void rg_conv_run(rg_conv *c, const double *x, const double *weights, rg_conv_put put, void *user)
{
    int64_t windows = c->slide.window_count;
    for (int64_t o = 0; o < windows; o++) {
        rg_slide_to(&c->slide, o);
        for (int64_t n = 0; n < c->batch; n++) {
            see(c, x, n);
            for (int64_t m = 0; m < c->channels_out; m++)
                put(user, (n * c->channels_out + m) * windows + o, m, rg_conv_sum(c, weights, m));
        }
    }
}

typedef struct biased { const rg_array *y, *bias; } biased;

static void put_biased(void *user, int64_t at, int64_t m, double sum)
{
    const biased *b = user;
    rg_put(b->y, at, b->bias ? sum + rg_get(b->bias, m) : sum);
}

static rg_err run(const rg_run *r)
{
    rg_conv c;
    biased out = {rg_result(r, 0), rg_arg(r, 2)};
    RG_TRY(rg_need_numbers(r));
    if (rg_result(r, 0)->count == 0) return RG_OK;
    RG_TRY(rg_conv_init(r, 0, 1, &c));
    const double *x = rg_doubles(r, rg_arg(r, 0)), *w = rg_doubles(r, rg_arg(r, 1));
    if (!x || !w) return rg_nomem(r->site.cx);
    rg_conv_run(&c, x, w, put_biased, &out);
    return RG_OK;
}

RG_OP(conv) = {
    .name = "Conv", .brief = "convolution, grouped and dilated, over any number of spatial axes", .since = 11,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run,
};
