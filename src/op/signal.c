/* signal.c - Fourier transforms, window functions, mel weights.
 *
 *     DFT  y[k] = sum_j x[j] exp(-2 pi i j k / n)        inverse: exp(+...) / n
 *
 * A transform of n points is priced as the fast one: 5 n log2 n flops, half of it where the input is real or
 * only one side is asked for. The kernel sums as the formula says; only its sines come from a table.
 */
#include "op/kernel.h"
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

/* ---- the transform ---- */

static const double pi = 3.14159265358979323846;

/* `count` complex points that lie `step` numbers apart; parts 1: the imaginary ones are not there. */
typedef struct line { const rg_array *a; int64_t at, step, count; int parts; } line;

static double real_at(const line *x, int64_t i) { return rg_get(x->a, x->at + i * x->step); }

static double imaginary_at(const line *x, int64_t i)
{
    return x->parts > 1 ? rg_get(x->a, x->at + i * x->step + 1) : 0;
}

/* A transform of n points: room, and cos and sin of 2 pi k / n. */
typedef struct transform { int64_t n; bool inverse, onesided; double *cos, *sin, *re, *im; } transform;

static rg_err prepare(const rg_run *r, int64_t n, bool inverse, bool onesided, transform *out)
{
    *out = (transform){
        .n = n, .inverse = inverse, .onesided = onesided, .cos = RG_NEW(r->scratch, double, n),
        .sin = RG_NEW(r->scratch, double, n), .re = RG_NEW(r->scratch, double, n),
        .im = RG_NEW(r->scratch, double, n),
    };
    if (!out->cos || !out->sin || !out->re || !out->im) return rg_nomem(r->site.cx);
    for (int64_t k = 0; k < n; k++) {
        out->cos[k] = cos(2 * pi * (double)k / (double)n);
        out->sin[k] = sin(2 * pi * (double)k / (double)n);
    }
    return RG_OK;
}

/* Points in, cut or filled up with zeros to n, times a window where there is one. The inverse of one side
 * knows the other: x[n - k] is the conjugate of x[k]. */
static void read_points(const transform *t, const line *x, const rg_array *window)
{
    for (int64_t i = 0; i < t->n; i++) {
        double w = window ? rg_get(window, i) : 1;
        bool mirrored = t->inverse && t->onesided && i > t->n / 2;
        int64_t from = mirrored ? t->n - i : i;
        t->re[i] = from < x->count ? w * real_at(x, from) : 0;
        t->im[i] = from < x->count ? w * imaginary_at(x, from) : 0;
        if (mirrored) t->im[i] = -t->im[i];
    }
}

static void write_points(const transform *t, const line *y)
{
    double scale = t->inverse ? 1 / (double)t->n : 1;
    for (int64_t k = 0; k < y->count; k++) {
        double re = 0, im = 0;
        for (int64_t j = 0, turn = 0; j < t->n; j++, turn = (turn + k) % t->n) {
            double c = t->cos[turn], s = t->inverse ? t->sin[turn] : -t->sin[turn];
            re += t->re[j] * c - t->im[j] * s;
            im += t->re[j] * s + t->im[j] * c;
        }
        rg_put(y->a, y->at + k * y->step, scale * re);
        if (y->parts > 1) rg_put(y->a, y->at + k * y->step + 1, scale * im);
    }
}

/* The parts of a complex number: the last axis, which has size 1 or 2. */
static rg_err read_parts(const rg_run *r, const rg_array *x, int *parts)
{
    int64_t last = x->dim[x->rank - 1];
    *parts = (int)last;
    if (last == 1 || last == 2) return RG_OK;
    return rg_run_fail(r, RG_SHAPE, "the last axis holds real and imaginary parts, but has size %lld",
                       (long long)last);
}

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

static rg_err check_dft_axis(const rg_site *s, int64_t stated, int rank, int *axis)
{
    RG_TRY(rg_need_axis(s, stated, rank, axis));
    if (*axis == rank - 1)
        return rg_site_fail(s, RG_SHAPE, "axis %d holds the real and imaginary parts", *axis);
    return RG_OK;
}

/* The axis; -1 when only the run knows it. */
static rg_err dft_axis(const rg_site *s, int rank, int *axis)
{
    uint32_t count;
    const rg_dim *known = rg_in_known(s, DFT_AXIS, &count);
    bool stated = known && count == 1 && rg_dim_is_number(known[0]);
    *axis = -1;
    if (rg_has_in(s, DFT_AXIS) && !stated) return RG_OK;
    return check_dft_axis(s, stated ? known[0] : -2, rank, axis);
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

static rg_err run_dft(const rg_run *r)
{
    const rg_array *x = rg_arg(r, DFT_X), *length = rg_arg(r, DFT_LENGTH), *y = rg_result(r, 0);
    const rg_array *which = rg_arg(r, DFT_AXIS);
    bool inverse = rg_op_int(&r->site, "inverse") != 0, onesided = rg_op_int(&r->site, "onesided") != 0;
    int axis, parts;
    transform t;
    RG_TRY(rg_need_numbers(r));
    if (which && which->count != 1) return rg_run_fail(r, RG_SHAPE, "axis is not one number");
    RG_TRY(check_dft_axis(&r->site, which ? rg_get_int(which, 0) : -2, x->rank, &axis));
    RG_TRY(read_parts(r, x, &parts));
    int64_t in = x->dim[axis], out = y->dim[axis], n = onesided && inverse ? out : in;
    if (length) n = length->count == 1 ? rg_get_int(length, 0) : 0;
    if (length && n < 1) return rg_run_fail(r, RG_INPUT, "a length of %lld points", (long long)n);
    RG_TRY(prepare(r, n, inverse, onesided, &t));
    int64_t in_step = rg_array_size(x, axis + 1, x->rank), out_step = rg_array_size(y, axis + 1, y->rank);
    int64_t inner = in_step / parts, outer = rg_array_size(x, 0, axis);
    int out_parts = (int)y->dim[y->rank - 1];
    for (int64_t k = 0; k < outer * inner; k++) {
        int64_t block = k / inner, at = k % inner;
        read_points(&t, &(line){x, block * in * in_step + at * parts, in_step, in, parts}, NULL);
        write_points(&t, &(line){y, block * out * out_step + at * out_parts, out_step, out, out_parts});
    }
    return RG_OK;
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
    RG_SPEC(dft_attrs) RG_CASES(dft_cases) .infer = dft_infer, .work = dft_work,
    .run = run_dft, .upgrade = dft_upgrade,
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

static rg_err run_stft(const rg_run *r)
{
    const rg_array *x = rg_arg(r, STFT_X), *window = rg_arg(r, STFT_WINDOW), *y = rg_result(r, 0);
    const rg_array *given = rg_arg(r, STFT_LENGTH);
    int64_t step = rg_arg(r, STFT_STEP)->count == 1 ? rg_get_int(rg_arg(r, STFT_STEP), 0) : 0;
    int64_t length = given ? (given->count == 1 ? rg_get_int(given, 0) : 0) : window->count;
    int parts = 1;
    transform t;
    RG_TRY(rg_need_numbers(r));
    if (x->rank == 3) RG_TRY(read_parts(r, x, &parts));
    if (step < 1 || length < 1)
        return rg_run_fail(r, RG_INPUT, "frames of %lld, every %lld", (long long)length, (long long)step);
    if (window && window->count != length)
        return rg_run_fail(r, RG_SHAPE, "a window of %lld for frames of %lld", (long long)window->count,
                           (long long)length);
    RG_TRY(prepare(r, length, false, rg_op_int(&r->site, "onesided") != 0, &t));
    int64_t frames = y->dim[1], bins = y->dim[2];
    for (int64_t k = 0; k < y->dim[0] * frames; k++) {
        int64_t at = (k / frames * x->dim[1] + k % frames * step) * parts;
        read_points(&t, &(line){x, at, parts, length, parts}, window);
        write_points(&t, &(line){y, k * bins * 2, 2, bins, 2});
    }
    return RG_OK;
}

RG_OP(stft) = {
    .name = "STFT", .brief = "Fourier transforms of overlapping frames", .since = 17,
    .in_min = 2, .in_max = 4, .out_min = 1, .out_max = 1,
    RG_SPEC(stft_attrs) RG_CASES(stft_cases) .infer = stft_infer, .work = stft_work,
    .run = run_stft,
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

/* Integer types, which output_datatype may ask for, take what a Cast would. */
static void put_cast(const rg_array *y, int64_t i, double x)
{
    rg_put(y, i, rg_dtype_is_int(y->dtype) ? trunc(x) : x);
}

/* a0 - a1 cos(2 pi i / n) + a2 cos(4 pi i / n); n is the size, less one for a symmetric window. A symmetric
 * window of one point, where n would be 0, is 1. */
static rg_err run_window(const rg_run *r, double a0, double a1, double a2)
{
    const rg_array *y = rg_result(r, 0);
    RG_TRY(rg_need_numbers(r));
    double n = (double)y->count - (rg_op_int(&r->site, "periodic") ? 0 : 1);
    for (int64_t i = 0; i < y->count; i++) {
        double angle = 2 * pi * (double)i / n;
        put_cast(y, i, n > 0 ? a0 - a1 * cos(angle) + a2 * cos(2 * angle) : 1);
    }
    return RG_OK;
}

static rg_err run_hann(const rg_run *r) { return run_window(r, 0.5, 0.5, 0); }
static rg_err run_hamming(const rg_run *r) { return run_window(r, 25.0 / 46, 21.0 / 46, 0); }
static rg_err run_blackman(const rg_run *r) { return run_window(r, 0.42, 0.5, 0.08); }

RG_OP(hann_window) = {
    .name = "HannWindow", .brief = "raised cosine", .since = 17,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(window_attrs) RG_CASES(window_cases) .infer = window_infer, .work = hann_work,
    .run = run_hann,
};

RG_OP(hamming_window) = {
    .name = "HammingWindow", .brief = "raised cosine on a pedestal", .since = 17,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(window_attrs) RG_CASES(window_cases) .infer = window_infer, .work = hann_work,
    .run = run_hamming,
};

RG_OP(blackman_window) = {
    .name = "BlackmanWindow", .brief = "sum of two cosines", .since = 17,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(window_attrs) RG_CASES(window_cases) .infer = window_infer, .work = blackman_work,
    .run = run_blackman,
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

/* The mel scale: 2595 log10(1 + f / 700). Corners of the bands lie evenly on it, ONNX's step being the range
 * over bands + 2; `corner` of them as bins of the spectrum. */
static int64_t corner_bin(double low_hz, double high_hz, int64_t bands, int64_t corner, double points,
                          double rate_hz)
{
    double low = 2595 * log10(1 + low_hz / 700), high = 2595 * log10(1 + high_hz / 700);
    double mel = low + (high - low) / (double)(bands + 2) * (double)corner;
    double bin = floor((points + 1) * 700 * (pow(10, mel / 2595) - 1) / rate_hz);
    return bin >= 0 && bin < 0x1p53 ? (int64_t)bin : -1;
}

/* Triangles over neighboring corners; what lies above the spectrum is cut off. */
static rg_err run_mel(const rg_run *r)
{
    const rg_array *y = rg_result(r, 0);
    RG_TRY(rg_need_numbers(r));
    for (uint32_t i = 0; i < 5; i++)
        if (rg_arg(r, i)->count != 1) return rg_run_fail(r, RG_SHAPE, "input %u is not one number", i);
    double points = rg_get(rg_arg(r, 1), 0), rate_hz = rg_get(rg_arg(r, 2), 0);
    double low_hz = rg_get(rg_arg(r, 3), 0), high_hz = rg_get(rg_arg(r, 4), 0);
    int64_t bins = y->dim[0], bands = y->dim[1];
    rg_clear(y);
    for (int64_t band = 0; band < bands; band++) {
        int64_t c[3];
        for (int k = 0; k < 3; k++) {
            c[k] = corner_bin(low_hz, high_hz, bands, band + k, points, rate_hz);
            if (c[k] < 0)
                return rg_run_fail(r, RG_INPUT, "band %lld of %g to %g Hz is in no spectrum sampled at %g Hz",
                                   (long long)band, low_hz, high_hz, rate_hz);
        }
        if (c[0] == c[1] && c[1] < bins) rg_put(y, c[1] * bands + band, 1);
        for (int64_t k = c[0]; c[0] < c[1] && k <= c[1] && k < bins; k++)
            put_cast(y, k * bands + band, (double)(k - c[0]) / (double)(c[1] - c[0]));
        for (int64_t k = c[1]; k < c[2] && k < bins; k++)
            put_cast(y, k * bands + band, (double)(c[2] - k) / (double)(c[2] - c[1]));
    }
    return RG_OK;
}

RG_OP(mel_weight_matrix) = {
    .name = "MelWeightMatrix", .brief = "weights from spectrum to mel bands", .since = 17,
    .in_min = 5, .in_max = 5, .out_min = 1, .out_max = 1,
    RG_SPEC(mel_attrs) RG_CASES(mel_cases) .infer = mel_infer, .work = mel_work,
    .run = run_mel,
};
