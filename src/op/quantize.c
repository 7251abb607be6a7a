/* quantize.c - between floats and small integers: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear.
 *
 *     q = saturate(round(x / scale) + zero)      x = (q - zero) scale
 *
 * The scale is one number, one per slice of an axis, or one per block of an axis.
 */
#include "op/cast.h"
#include "op/share.h"

#include <math.h>

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

/* ---- which scale an element has ---- */

/* The scale of element `index` of the input lies at the sum of index[k] / block[k] * stride[k]. */
typedef struct scaling { int rank; int64_t block[RG_RANK_MAX], stride[RG_RANK_MAX]; } scaling;

static rg_err block_scaling(const rg_run *r, int axis, scaling *out)
{
    const rg_array *x = rg_arg(r, 0), *scale = rg_arg(r, 1);
    int64_t block = rg_op_int(&r->site, "block_size"), blocks = scale->dim[axis];
    if (block <= 0) block = blocks ? (x->dim[axis] + blocks - 1) / blocks : 1;
    for (int k = 0; k < x->rank; k++) {
        int64_t size = k == axis ? x->dim[k] / block + (x->dim[k] % block != 0) : x->dim[k];
        if (scale->dim[k] != size)
            return rg_run_fail(r, RG_SHAPE, "axis %d has %lld scales, not %lld", k, (long long)scale->dim[k],
                               (long long)size);
    }
    rg_array_strides(scale, out->stride);
    out->block[axis] = block;
    return RG_OK;
}

static rg_err scaling_of(const rg_run *r, scaling *out)
{
    const rg_array *x = rg_arg(r, 0), *scale = rg_arg(r, 1), *zero = rg_arg(r, 2);
    int axis;
    *out = (scaling){.rank = x->rank};
    for (int k = 0; k < x->rank; k++) out->block[k] = 1;
    if (zero && zero->count != scale->count)
        return rg_run_fail(r, RG_SHAPE, "%lld zero points for %lld scales", (long long)zero->count,
                           (long long)scale->count);
    if (scale->count == 1 && scale->rank < 2 && rg_op_int(&r->site, "block_size") == 0) return RG_OK;
    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "axis"), x->rank, &axis));
    if (scale->rank == x->rank && (x->rank > 1 || rg_op_int(&r->site, "block_size")))
        return block_scaling(r, axis, out);
    if (scale->count != x->dim[axis])
        return rg_run_fail(r, RG_SHAPE, "%lld scales for %lld slices", (long long)scale->count,
                           (long long)x->dim[axis]);
    out->stride[axis] = 1;
    return RG_OK;
}

static int64_t scale_at(const scaling *s, const int64_t *index)
{
    int64_t at = 0;
    for (int k = 0; k < s->rank; k++) at += index[k] / s->block[k] * s->stride[k];
    return at;
}

/* x as an element of that type would hold it. */
static double rounded(rg_dtype dtype, double x)
{
    uint8_t element[16]; /* the widest type */
    rg_dtype_set_real(dtype, element, 0, x);
    return rg_dtype_get_real(dtype, element, 0);
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

/* The quotient is rounded to the precision of the division first: that decides ties. */
static rg_err quantize_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *scale = rg_arg(r, 1), *zero = rg_arg(r, 2), *y = rg_result(r, 0);
    const rg_casting how = {.saturate = rg_op_int(&r->site, "saturate") != 0};
    int64_t index[RG_RANK_MAX] = {0};
    rg_dtype precision = scale->dtype;
    scaling s;
    if (rg_op_int(&r->site, "precision"))
        RG_TRY(rg_dtype_attr(&r->site, "precision", scale->dtype, &precision));
    RG_TRY(scaling_of(r, &s));
    for (int64_t i = 0; i < y->count; i++, rg_index_next(x->rank, x->dim, index)) {
        int64_t at = scale_at(&s, index);
        double q = rounded(precision, rg_get(x, i) / rg_get(scale, at)), shift = zero ? rg_get(zero, at) : 0;
        if (rg_dtype_is_int(y->dtype)) rg_put(y, i, nearbyint(q) + shift);
        else rg_put_cast(y, i, q + shift, &how);
    }
    return RG_OK;
}

RG_OP(quantizelinear) = {
    .name = "QuantizeLinear", .brief = "floats rounded to small integers", .since = 25,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE,
    RG_SPEC(quantize_attrs) RG_CASES(quantize_cases)
    .infer = quantize_infer, .work = quantize_work, .run = quantize_run,
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

static rg_err dequantize_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *scale = rg_arg(r, 1), *zero = rg_arg(r, 2), *y = rg_result(r, 0);
    int64_t index[RG_RANK_MAX] = {0};
    scaling s;
    RG_TRY(scaling_of(r, &s));
    for (int64_t i = 0; i < y->count; i++, rg_index_next(x->rank, x->dim, index)) {
        int64_t at = scale_at(&s, index);
        rg_put(y, i, (rg_get(x, i) - (zero ? rg_get(zero, at) : 0)) * rg_get(scale, at));
    }
    return RG_OK;
}

RG_OP(dequantizelinear) = {
    .name = "DequantizeLinear", .brief = "small integers back to floats", .since = 25,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE,
    RG_SPEC(dequantize_attrs) RG_CASES(dequantize_cases)
    .infer = dequantize_infer, .work = dequantize_work, .run = dequantize_run,
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

/* The range takes 0 in, so that 0 is exact. Each step is rounded to float, as the operators are that the
 * standard composes it of: zero points sit on ties. */
static rg_err dynamic_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *out[3] = {rg_result(r, 0), rg_result(r, 1), rg_result(r, 2)};
    double low = 0, high = 0;
    for (int64_t i = 0; i < x->count; i++) {
        low = fmin(low, rg_get(x, i));
        high = fmax(high, rg_get(x, i));
    }
    double scale = rounded(RG_F32, rounded(RG_F32, high - low) / UINT8_MAX);
    double zero = scale > 0 ? rounded(RG_U8, rounded(RG_F32, -low / scale)) : 0;
    for (int64_t i = 0; out[0] && i < x->count; i++) {
        double q = scale > 0 ? rounded(RG_F32, rg_get(x, i) / scale) : 0;
        rg_put(out[0], i, nearbyint(q) + zero);
    }
    if (out[1]) rg_put(out[1], 0, scale);
    if (out[2]) rg_put(out[2], 0, zero);
    return RG_OK;
}

RG_OP(dynamicquantizelinear) = {
    .name = "DynamicQuantizeLinear", .brief = "floats to u8 by their own range", .since = 11,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 3, RG_CASES(dynamic_cases)
    .infer = dynamic_infer, .work = dynamic_work, .run = dynamic_run,
};
