/* quantize.c - between floats and small integers: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear.
 *
 *     q = saturate(round(x / scale) + zero)      x = (q - zero) scale
 *
 * The scale is one number, one per slice of an axis, or one per block of an axis.
 */
#include "op/share.h"

#define AXIS {"axis", RG_ATTR_INT, "1", false, "axis of the scales, if several"}
#define BLOCK {"block_size", RG_ATTR_INT, "0", false, "elements that share a scale along the axis; 0: all"}
#define OUTPUT {"output_dtype", RG_ATTR_INT, "0", false, "element type of the result; 0: the inputs tell"}

/* The scale fits the input: one element, one per slice, or the input's rank with blocks. */
static rg_err check_scale(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0), *scale = rg_in_type(s, 1);
    bool single = scale->rank == 0 || (scale->rank == 1 && scale->dim[0] == 1);
    rg_dim same;
    int axis;

    for (uint32_t i = 0; i < 3; i++) RG_TRY(rg_need_tensor(s, i));
    if (in->rank < 0 || scale->rank < 0 || single) return RG_OK;
    RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), in->rank, &axis));
    if (scale->rank == 1 && rg_op_int(s, "block_size") == 0)
        return rg_need_equal(s, "scales and slices", scale->dim[0], in->dim[axis], &same);
    if (scale->rank != in->rank)
        return rg_site_fail(s, RG_SHAPE, "scales of rank %d for an input of rank %d", scale->rank, in->rank);
    return RG_OK;
}

/* The type that attribute output_dtype states, else `otherwise`. */
static rg_err output_dtype(const rg_site *s, rg_dtype otherwise, rg_dtype *out)
{
    *out = otherwise;
    return rg_op_int(s, "output_dtype") == 0 ? RG_OK : rg_dtype_attr(s, "output_dtype", otherwise, out);
}

/* ---- QuantizeLinear ---- */

static const rg_attr_spec quantize_attrs[] = {
    AXIS,
    BLOCK,
    OUTPUT,
    {"precision", RG_ATTR_INT, "0", false, "element type of the division; 0: that of the scale"},
    {"saturate", RG_ATTR_INT, "1", false, "to 8-bit floats: overflow gives the largest number"},
};

static const rg_case quantize_cases[] = {
    {"f32[6] f32[] u8[]", "", "u8[6]"},
    {"f32[1,3,3,2] f32[3] i8[3]", "", "i8[1,3,3,2]"},
    {"f32[batch,8] f32[]", "output_dtype=22", "i4[batch,8]"},
};

static rg_err quantize_infer(const rg_site *s)
{
    rg_dtype dtype = rg_in_type(s, 2)->dtype; /* of the zero point */

    RG_TRY(check_scale(s));
    RG_TRY(output_dtype(s, dtype ? dtype : rg_has_in(s, 2) ? RG_DTYPE_NONE : RG_U8, &dtype));
    rg_type type = rg_type_like(s, 0, dtype);
    type.dtype = dtype;
    rg_set_out(s, 0, type);
    return RG_OK;
}

static void quantize_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 3, 1); }

RG_OP(quantizelinear) = {
    .name = "QuantizeLinear", .brief = "floats rounded to small integers", .since = 25,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE,
    RG_SPEC(quantize_attrs) RG_CASES(quantize_cases)
    .infer = quantize_infer, .work = quantize_work,
};

/* ---- DequantizeLinear ---- */

static const rg_attr_spec dequantize_attrs[] = {AXIS, BLOCK, OUTPUT};

static const rg_case dequantize_cases[] = {
    {"u8[4] f32[] u8[]", "", "f32[4]"},
    {"i8[64,3,7,7] f32[64] i8[64]", "axis=0", "f32[64,3,7,7]"},
    {"i4[768,768] f16[768,24]", "block_size=32", "f16[768,768]"},
};

static rg_err dequantize_infer(const rg_site *s)
{
    rg_dtype dtype;

    RG_TRY(check_scale(s));
    RG_TRY(output_dtype(s, rg_in_type(s, 1)->dtype, &dtype));
    rg_type type = rg_type_like(s, 0, dtype);
    type.dtype = dtype;
    rg_set_out(s, 0, type);
    return RG_OK;
}

static void dequantize_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 2, 0); }

RG_OP(dequantizelinear) = {
    .name = "DequantizeLinear", .brief = "small integers back to floats", .since = 25,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE,
    RG_SPEC(dequantize_attrs) RG_CASES(dequantize_cases)
    .infer = dequantize_infer, .work = dequantize_work,
};

/* ---- DynamicQuantizeLinear ---- */

static const rg_case dynamic_cases[] = {{"f32[batch,6]", "", "u8[batch,6] f32[] u8[]"}};

static rg_err dynamic_infer(const rg_site *s)
{
    RG_TRY(rg_need_tensor(s, 0));
    rg_set_out(s, 0, rg_type_like(s, 0, RG_U8));
    rg_set_out(s, 1, rg_type_tensor(RG_F32, 0, NULL));
    rg_set_out(s, 2, rg_type_tensor(RG_U8, 0, NULL));
    return RG_OK;
}

/* Minimum and maximum of all elements, then QuantizeLinear: the input is read twice. */
static void dynamic_work(const rg_site *s, rg_work *w)
{
    rg_work_elements(s, w, 5, 1);
    w->family = RG_FAMILY_REDUCE;
    w->in_byte *= 2;
}

RG_OP(dynamicquantizelinear) = {
    .name = "DynamicQuantizeLinear", .brief = "floats to u8 by their own range", .since = 11,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 3, RG_CASES(dynamic_cases)
    .infer = dynamic_infer, .work = dynamic_work,
};
