/* conv_int.c - convolutions of integers: ConvInteger leaves 32-bit sums, QLinearConv scales and rounds them
 * back to 8 bits. Zero points are subtracted on the way in, which kernels fold into one correction for each
 * output.
 */
#include "op/convolve.h"
#include "op/share.h"

#include <math.h>

static const rg_attr_spec attrs[] = {RG_CONV_ATTRS};

static const rg_case integer_cases[] = {
    {"u8[1,1,3,3] u8[1,1,2,2] u8[]", "pads=1,1,1,1", "i32[1,1,4,4]"},
    {"u8[1,8,10,10] i8[16,4,3,3] u8[] i8[16]", "group=2", "i32[1,16,8,8]"},
};

static rg_err integer_infer(const rg_site *s) { return rg_conv_infer(s, 0, 1, RG_I32); }

/* Two more operations for each output where there are zero points: their correction of the sum. */
static void integer_work(const rg_site *s, rg_work *w)
{
    rg_conv_work(s, 0, 1, w);
    w->flop += rg_has_in(s, 2) || rg_has_in(s, 3) ? 2 * rg_out_count(s, 0) : 0;
}

/* ---- ConvInteger's kernel; sums of products of 8-bit integers are exact in doubles ---- */

/* Elements of input i less the zero point at input `zero`: one for all, or one for each of `channels` along
 * the first axis. Padding is the zero point, so that it is 0 afterwards. */
static rg_err centered(const rg_run *r, uint32_t i, uint32_t zero, int64_t channels, double **out)
{
    const rg_array *x = rg_arg(r, i), *z = rg_arg(r, zero);
    int64_t each = channels ? x->count / channels : x->count;
    *out = RG_NEW(r->scratch, double, x->count);
    if (!*out) return rg_nomem(r->site.cx);
    if (z && z->count != 1 && z->count != channels)
        return rg_run_fail(r, RG_SHAPE, "input %u has %lld zero points, needs 1 or %lld", zero,
                           (long long)z->count, (long long)channels);
    for (int64_t k = 0; k < x->count; k++)
        (*out)[k] = rg_get(x, k) - (z ? rg_get(z, z->count == 1 ? 0 : k / each) : 0);
    return RG_OK;
}

static void put_integer(void *user, int64_t at, int64_t m, double sum)
{
    (void)m;
    rg_put_int(user, at, (int64_t)sum);
}

static rg_err integer_run(const rg_run *r)
{
    rg_conv c;
    double *x, *w;
    RG_TRY(rg_need_numbers(r));
    if (rg_result(r, 0)->count == 0) return RG_OK;
    RG_TRY(rg_conv_init(r, 0, 1, &c));
    RG_TRY(centered(r, 0, 2, 1, &x));
    RG_TRY(centered(r, 1, 3, c.channels_out, &w));
    rg_conv_run(&c, x, w, put_integer, rg_result(r, 0));
    return RG_OK;
}

RG_OP(conv_integer) = {
    .name = "ConvInteger", .brief = "convolution of 8-bit integers into 32-bit sums", .since = 10,
    .in_min = 2, .in_max = 4, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(integer_cases)
    .infer = integer_infer, .work = integer_work, .run = integer_run,
};

enum { Q_X, Q_X_SCALE, Q_X_ZERO, Q_W, Q_W_SCALE, Q_W_ZERO, Q_Y_SCALE, Q_Y_ZERO, Q_BIAS };

static const rg_case linear_cases[] = {
    {"u8[1,3,7,7] f32[] u8[] i8[8,3,3,3] f32[8] i8[8] f32[] u8[] i32[8]", "pads=1,1,1,1", "u8[1,8,7,7]"},
    {"i8[1,4,8] f32[] i8[] i8[4,1,3] f32[] i8[] f32[] i8[]", "group=4 strides=[2]", "i8[1,4,3]"},
};

static rg_err linear_infer(const rg_site *s)
{
    RG_TRY(rg_conv_infer(s, Q_X, Q_W, rg_in_type(s, Q_Y_ZERO)->dtype));
    return rg_conv_need_bias(s, Q_BIAS, rg_in_type(s, Q_W)->dim[0]);
}

/* Each output: correction by the zero points (2), one multiplication by the scales, rounding, the new zero
 * point; and the bias. */
static void linear_work(const rg_site *s, rg_work *w)
{
    rg_conv_work(s, Q_X, Q_W, w);
    w->flop += (rg_has_in(s, Q_BIAS) ? 6 : 5) * rg_out_count(s, 0);
}

/* ---- QLinearConv's kernel ---- */

typedef struct rescaled { const rg_array *y, *bias, *w_scale; double factor, zero; } rescaled;

/* y = round((sum + bias) * x_scale * w_scale / y_scale) + zero point, to nearest even, saturated. */
static void put_linear(void *user, int64_t at, int64_t m, double sum)
{
    const rescaled *q = user;
    double scale = q->factor * rg_get(q->w_scale, q->w_scale->count == 1 ? 0 : m);
    rg_put(q->y, at, rint((q->bias ? sum + rg_get(q->bias, m) : sum) * scale) + q->zero);
}

static rg_err linear_run(const rg_run *r)
{
    static const uint32_t singles[] = {Q_X_SCALE, Q_X_ZERO, Q_Y_SCALE, Q_Y_ZERO};
    rg_conv c;
    double *x, *w;
    RG_TRY(rg_need_numbers(r));
    if (rg_result(r, 0)->count == 0) return RG_OK;
    RG_TRY(rg_conv_init(r, Q_X, Q_W, &c));
    RG_TRY(centered(r, Q_X, Q_X_ZERO, 1, &x));
    RG_TRY(centered(r, Q_W, Q_W_ZERO, c.channels_out, &w));
    for (size_t i = 0; i < RG_COUNT(singles); i++)
        if (rg_arg(r, singles[i])->count != 1)
            return rg_run_fail(r, RG_SHAPE, "input %u has %lld elements, needs 1", singles[i],
                               (long long)rg_arg(r, singles[i])->count);
    const rg_array *w_scale = rg_arg(r, Q_W_SCALE);
    if (w_scale->count != 1 && w_scale->count != c.channels_out)
        return rg_run_fail(r, RG_SHAPE, "%lld scales of the weights, needs 1 or %lld",
                           (long long)w_scale->count, (long long)c.channels_out);
    rescaled out = {
        .y = rg_result(r, 0), .bias = rg_arg(r, Q_BIAS), .w_scale = w_scale,
        .factor = rg_get(rg_arg(r, Q_X_SCALE), 0) / rg_get(rg_arg(r, Q_Y_SCALE), 0),
        .zero = rg_get(rg_arg(r, Q_Y_ZERO), 0),
    };
    rg_conv_run(&c, x, w, put_linear, &out);
    return RG_OK;
}

RG_OP(qlinear_conv) = {
    .name = "QLinearConv", .brief = "quantized convolution with its scales and zero points", .since = 10,
    .in_min = 8, .in_max = 9, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(linear_cases)
    .infer = linear_infer, .work = linear_work, .run = linear_run,
};
