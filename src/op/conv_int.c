/* conv_int.c - convolutions of integers: ConvInteger leaves 32-bit sums, QLinearConv scales and rounds them
 * back to 8 bits. Zero points are subtracted on the way in, which kernels fold into one correction for each
 * output.
 */
#include "op/convolve.h"
#include "op/share.h"

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

RG_OP(conv_integer) = {
    .name = "ConvInteger", .brief = "convolution of 8-bit integers into 32-bit sums", .since = 10,
    .in_min = 2, .in_max = 4, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(integer_cases)
    .infer = integer_infer, .work = integer_work,
};

enum { Q_X = 0, Q_W = 3, Q_Y_ZERO = 7, Q_BIAS = 8 };

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

RG_OP(qlinear_conv) = {
    .name = "QLinearConv", .brief = "quantized convolution with its scales and zero points", .since = 10,
    .in_min = 8, .in_max = 9, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(linear_cases)
    .infer = linear_infer, .work = linear_work,
};
