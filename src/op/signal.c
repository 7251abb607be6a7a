/* signal.c - Fourier transforms, window functions, mel weights.
 *
 * A transform of n points is priced as the fast one: 5 n log2 n flops, half of it where the input is real or
 * only one side is asked for.
 */
#include "op/share.h"

#include <math.h>

/* The one known number of input i; an open size with `preset` when only the run knows it. */
static rg_dim number_of(const rg_site *s, uint32_t i, int64_t preset)
{
    uint32_t count;
    const rg_dim *known = rg_in_known(s, i, &count);
    return known && count == 1 ? known[0] : rg_dim_open(s, preset);
}

static rg_dim one_side(rg_dims *dims, rg_dim n) { return rg_dim_add(dims, rg_dim_div(dims, n, 2), 1); }

static double fft_flop(double points) { return points > 1 ? 5 * points * log2(points) : 0; }

/* ---- DFT ---- */

enum { DFT_X, DFT_LENGTH, DFT_AXIS };

static const rg_attr_spec dft_attrs[] = {
    {"inverse", RG_ATTR_INT, "0", false, "1: the inverse transform"},
    {"onesided", RG_ATTR_INT, "0", false, "1: half of a symmetric spectrum is written (inverse: is given)"},
};

static const rg_case dft_cases[] = {
    {"f32[1,10,10,1] _ i64[]=1", NULL, "f32[1,10,10,2]"},
    {"f32[1,10,10,1]", "onesided=1", "f32[1,10,6,2]"},
    {"f32[1,6,10,2] _ i64[]=1", "inverse=1 onesided=1", "f32[1,10,10,1]"},
    {"f32[1,10,2] i64[]=16", NULL, "f32[1,16,2]"},
    {"f32[1,10,2] _ i64[]", NULL, "f32[u0,u1,2]"},
};

/* The axis; -1 when only the run knows it. */
static rg_err dft_axis(const rg_site *s, int rank, int *axis)
{
    uint32_t count;
    const rg_dim *known = rg_in_known(s, DFT_AXIS, &count);
    bool stated = known && count == 1 && rg_dim_is_number(known[0]);
    *axis = -1;
    if (rg_has_in(s, DFT_AXIS) && !stated) return RG_OK;
    RG_TRY(rg_need_axis(s, stated ? known[0] : -2, rank, axis));
    if (*axis == rank - 1)
        return rg_site_fail(s, RG_SHAPE, "axis %d holds the real and imaginary parts", *axis);
    return RG_OK;
}

static rg_err dft_infer(const rg_site *s)
{
    int axis;
    rg_dims *dims = rg_site_dims(s);
    bool onesided = rg_op_int(s, "onesided") != 0, inverse = rg_op_int(s, "inverse") != 0;
    RG_TRY(rg_need_rank(s, DFT_X, 2, -1));
    rg_type out = *rg_in_type(s, DFT_X);
    RG_TRY(dft_axis(s, out.rank, &axis));
    rg_dim n = axis < 0 ? 0 : out.dim[axis];
    if (rg_has_in(s, DFT_LENGTH))
        n = number_of(s, DFT_LENGTH, rg_dim_value(dims, n));
    else if (onesided && inverse)
        n = rg_dim_mul(dims, rg_dim_sub(dims, n, 1), 2);
    if (axis >= 0) out.dim[axis] = onesided && !inverse ? one_side(dims, n) : n;
    for (int i = 0; i < out.rank - 1 && axis < 0; i++)
        out.dim[i] = rg_dim_open(s, rg_dim_value(dims, out.dim[i]));
    out.dim[out.rank - 1] = onesided && inverse ? 1 : 2;
    rg_set_out(s, 0, out);
    return RG_OK;
}

/* An axis that is not known is priced as the preset one. */
static void dft_work(const rg_site *s, rg_work *w)
{
    int axis, rank = rg_in_rank(s, DFT_X);
    if (dft_axis(s, rank, &axis) != RG_OK) /* inference has read the same */
        return;
    axis = axis < 0 ? rank - 2 : axis;
    double in = (double)rg_in_dim(s, DFT_X, axis), out = (double)rg_out_dim(s, 0, axis);
    double points = in > out ? in : out, parts = (double)rg_in_dim(s, DFT_X, -1);
    double lines = in * parts > 0 ? rg_in_count(s, DFT_X) / (in * parts) : 0;
    bool half = parts == 1 || rg_op_int(s, "onesided");
    w->m = lines;
    w->k = points;
    w->flop = lines * fft_flop(points) / (half ? 2 : 1);
}

/* Opset 17 had the axis as an attribute, and counted its preset from the first. */
static rg_err dft_upgrade(const rg_site *s)
{
    rg_attr axis = {.name = RG_LIT("axis"), .kind = RG_ATTR_INT, .i = 1};
    if (!rg_node_attr(s->node, "axis")) RG_TRY(rg_node_set_attr(s->cx, s->g, s->id, &axis));
    return rg_attr_to_input(s, "axis", DFT_AXIS);
}

RG_OP(dft) = {
    .name = "DFT", .brief = "discrete Fourier transform along one axis", .since = 20,
    .in_min = 1, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(dft_attrs) RG_CASES(dft_cases) .infer = dft_infer, .work = dft_work, .upgrade = dft_upgrade,
};

/* ---- STFT ---- */

enum { STFT_X, STFT_STEP, STFT_WINDOW, STFT_LENGTH };

static const rg_attr_spec stft_attrs[] = {
    {"onesided", RG_ATTR_INT, "1", false, "1: half of the symmetric spectrum"},
};

static const rg_case stft_cases[] = {
    {"f32[1,128,1] i64[]=8 _ i64[]=16", NULL, "f32[1,15,9,2]"},
    {"f32[1,128,1] i64[]=8 f32[16]", NULL, "f32[1,15,9,2]"},
    {"f32[b,t] i64[]=160 f32[400] i64[]=400", NULL, "f32[b,(t-400)/160+1,201,2]"},
};

static rg_err stft_infer(const rg_site *s)
{
    rg_dims *dims = rg_site_dims(s);
    RG_TRY(rg_need_rank(s, STFT_X, 2, 3));
    const rg_type *x = rg_in_type(s, STFT_X);
    rg_dim step = number_of(s, STFT_STEP, 1), length;
    if (rg_has_in(s, STFT_LENGTH))
        length = number_of(s, STFT_LENGTH, 1);
    else if (rg_has_in(s, STFT_WINDOW)) {
        RG_TRY(rg_need_rank(s, STFT_WINDOW, 1, 1));
        length = rg_in_type(s, STFT_WINDOW)->dim[0];
    } else
        return rg_site_fail(s, RG_SHAPE, "neither a window nor a frame length is given");
    bool numbers = rg_dim_is_number(length) && rg_dim_is_number(step);
    if (numbers && (length < 1 || step < 1))
        return rg_site_fail(s, RG_SHAPE, "frames of %lld, every %lld", (long long)length, (long long)step);
    if (numbers && rg_dim_is_number(x->dim[1]) && length > x->dim[1])
        return rg_site_fail(s, RG_SHAPE, "frames of %lld do not fit into a signal of %lld", (long long)length,
                            (long long)x->dim[1]);
    rg_dim frames = rg_dim_add(dims, rg_dim_div(dims, rg_dim_sub(dims, x->dim[1], length), step), 1);
    rg_dim bins = rg_op_int(s, "onesided") ? one_side(dims, length) : length;
    rg_set_out(s, 0, rg_type_tensor(x->dtype, 4, (rg_dim[]){x->dim[0], frames, bins, 2}));
    return RG_OK;
}

/* Windowing is one product for each point. */
static void stft_work(const rg_site *s, rg_work *w)
{
    bool onesided = rg_op_int(s, "onesided") != 0;
    double frames = (double)rg_out_dim(s, 0, 0) * (double)rg_out_dim(s, 0, 1);
    double bins = (double)rg_out_dim(s, 0, 2);
    double points = onesided ? 2 * (bins - 1) : bins;
    w->m = frames;
    w->k = points;
    w->flop = frames * (fft_flop(points) / (onesided ? 2 : 1) + (rg_has_in(s, STFT_WINDOW) ? points : 0));
}

RG_OP(stft) = {
    .name = "STFT", .brief = "Fourier transforms of overlapping frames", .since = 17,
    .in_min = 2, .in_max = 4, .out_min = 1, .out_max = 1,
    RG_SPEC(stft_attrs) RG_CASES(stft_cases) .infer = stft_infer, .work = stft_work,
};

/* ---- windows, mel weights ---- */

static const rg_attr_spec window_attrs[] = {
    {"output_datatype", RG_ATTR_INT, "1", false, "element type of the output, as ONNX numbers them"},
    {"periodic", RG_ATTR_INT, "1", false, "1: the window of a repeating signal; 0: symmetric"},
};

static const rg_attr_spec mel_attrs[] = {
    {"output_datatype", RG_ATTR_INT, "1", false, "element type of the output, as ONNX numbers them"},
};

static const rg_case window_cases[] = {
    {"i32[]=10", NULL, "f32[10]"},
    {"i64[]=400", "periodic=0 output_datatype=11", "f64[400]"},
};

static const rg_case mel_cases[] = {
    {"i32[]=8 i32[]=16 i32[]=8192 f32[] f32[]", NULL, "f32[9,8]"},
};

static rg_err window_infer(const rg_site *s)
{
    rg_dtype dtype;
    RG_TRY(rg_dtype_attr(s, "output_datatype", RG_F32, &dtype));
    rg_set_out(s, 0, rg_type_tensor(dtype, 1, (rg_dim[]){number_of(s, 0, 1)}));
    return RG_OK;
}

/* a0 - a1 cos(2 pi i / n), one more cosine for Blackman. */
static void hann_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 3, 1); }
static void blackman_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 6, 2); }

RG_OP(hann_window) = {
    .name = "HannWindow", .brief = "raised cosine", .since = 17,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(window_attrs) RG_CASES(window_cases) .infer = window_infer, .work = hann_work,
};

RG_OP(hamming_window) = {
    .name = "HammingWindow", .brief = "raised cosine on a pedestal", .since = 17,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(window_attrs) RG_CASES(window_cases) .infer = window_infer, .work = hann_work,
};

RG_OP(blackman_window) = {
    .name = "BlackmanWindow", .brief = "sum of two cosines", .since = 17,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(window_attrs) RG_CASES(window_cases) .infer = window_infer, .work = blackman_work,
};

static rg_err mel_infer(const rg_site *s)
{
    rg_dtype dtype;
    RG_TRY(rg_dtype_attr(s, "output_datatype", RG_F32, &dtype));
    rg_dim bins = number_of(s, 0, 1), points = number_of(s, 1, 1);
    rg_set_out(s, 0, rg_type_tensor(dtype, 2, (rg_dim[]){one_side(rg_site_dims(s), points), bins}));
    return RG_OK;
}

/* Distance from two edges of a triangle, and the smaller of both slopes. */
static void mel_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 3, 2); }

RG_OP(mel_weight_matrix) = {
    .name = "MelWeightMatrix", .brief = "weights from spectrum to mel bands", .since = 17,
    .in_min = 5, .in_max = 5, .out_min = 1, .out_max = 1,
    RG_SPEC(mel_attrs) RG_CASES(mel_cases) .infer = mel_infer, .work = mel_work,
};
