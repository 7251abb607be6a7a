/* resize.c - Resize: interpolation along any axes, by scales or to sizes; and Upsample, which became it.
 *
 *     scales     output = floor(input * scale), times the share that a cropping region leaves
 *     sizes      as stated; or, keeping the ratio, every axis by the smallest (largest) of the stated factors
 *
 * An element of the output has a place in the input, axis by axis: `places` has the formulas. It is the sum
 * of the elements around, weighed by a kernel of their distance d; the input's ends go on for ever.
 *
 *     nearest    the one that the rounding picks           linear    1 - d, d < 1
 *     cubic      (a + 2) d^3 - (a + 3) d^2 + 1, d <= 1;  a d^3 - 5 a d^2 + 8 a d - 4 a, d < 2
 *     antialias  the same of d * scale, scale < 1: further around; the weights are divided by their sum
 */
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

enum { X, ROI, SCALES, SIZES };

static const rg_attr_spec attrs[] = {
    {"antialias", RG_ATTR_INT, "0", false, "1: wider filters when shrinking"},
    {"axes", RG_ATTR_INTS, NULL, false, "axes that scales, sizes and roi are about; preset all"},
    {"coordinate_transformation_mode", RG_ATTR_STRING, "half_pixel", false,
     "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_crop_and_resize"},
    {"cubic_coeff_a", RG_ATTR_FLOAT, "-0.75", false, "shape of the cubic"},
    {"exclude_outside", RG_ATTR_INT, "0", false, "1: samples outside weigh nothing"},
    {"extrapolation_value", RG_ATTR_FLOAT, "0.0", false, "what lies outside of a cropping region's input"},
    {"keep_aspect_ratio_policy", RG_ATTR_STRING, "stretch", false,
     "of sizes: stretch, not_larger, not_smaller"},
    {"mode", RG_ATTR_STRING, "nearest", false, "nearest, linear, cubic"},
    {"nearest_mode", RG_ATTR_STRING, "round_prefer_floor", false,
     "round_prefer_floor, round_prefer_ceil, floor, ceil"},
};

static const rg_case cases[] = {
    {"f32[1,3,16,16] _ f32[4]=1,1,2,2", NULL, "f32[1,3,32,32]"},
    {"f32[1,1,2,4] _ f32[4]=1,1,0.6,0.6", "mode=\"linear\"", "f32[1,1,1,2]"},
    {"f32[n,8,h,w] _ f32[4]=1,1,2,0.5", NULL, "f32[n,8,h*2,w/2]"},
    {"f32[1,1,4,4] f32[8]=0,0,0.4,0.6,1,1,0.6,0.8 _ i64[4]=1,1,3,3",
     "mode=\"linear\" coordinate_transformation_mode=\"tf_crop_and_resize\"", "f32[1,1,3,3]"},
    {"f32[1,1,2,4] _ _ i64[2]=7,8", "axes=2,3", "f32[1,1,7,8]"},
    {"f32[1,1,2,4] _ _ i64[2]=7,8", "axes=2,3 keep_aspect_ratio_policy=\"not_larger\"", "f32[1,1,4,8]"},
    {"f32[1,1,2,4] _ _ i64[2]=7,8", "axes=2,3 keep_aspect_ratio_policy=\"not_smaller\"", "f32[1,1,7,14]"},
};

static rg_err read_axes(const rg_site *s, int rank, int axes[RG_RANK_MAX], uint32_t *out)
{
    uint32_t count;
    const int64_t *stated = rg_op_ints(s, "axes", &count);
    if (count > RG_RANK_MAX)
        return rg_site_fail(s, RG_SHAPE, "axes has %u numbers for rank %d", count, rank);
    for (uint32_t i = 0; i < count; i++) RG_TRY(rg_need_axis(s, stated[i], rank, &axes[i]));
    for (int i = 0; i < rank && !stated; i++) axes[i] = i;
    *out = stated ? count : (uint32_t)rank;
    return RG_OK;
}

/* d * scale, rounded down. Of an open size only ratios of small numbers can be taken: the continued
 * fraction is not worth its code where every model says 2, 0.5 or 1.5. */
static rg_dim scaled(const rg_site *s, rg_dim d, float scale)
{
    enum { DENOMINATOR_MAX = 16 };
    rg_dims *dims = rg_site_dims(s);
    if (rg_dim_is_number(d)) {
        float size = floorf((float)d * scale); /* in floats, as the specification's own inference has it */
        return size < 0 ? 0 : size < (float)INT32_MAX ? (rg_dim)size : INT32_MAX;
    }
    for (int below = 1; below <= DENOMINATOR_MAX; below++) {
        double above = (double)scale * below;
        if (above < INT32_MAX && fabs(above - round(above)) < 1e-6 * above)
            return rg_dim_div(dims, rg_dim_mul(dims, d, (rg_dim)round(above)), below);
    }
    return rg_dim_open(s, (int64_t)fmin(fmax((double)rg_dim_value(dims, d) * (double)scale, 0), INT32_MAX));
}

/* Share of axis i that the cropping region takes: roi holds all starts, then all ends. */
static float kept_share(const rg_site *s, uint32_t i, uint32_t count)
{
    const rg_tensor *roi = rg_in_const(s, ROI);
    if (!rg_str_is(rg_op_str(s, "coordinate_transformation_mode"), "tf_crop_and_resize") || !roi)
        return 1;
    if (roi->count != 2 * (int64_t)count) return 1;
    return (float)(rg_tensor_real(roi, count + i) - rg_tensor_real(roi, i));
}

static rg_err by_scales(const rg_site *s, uint32_t input, const int *axes, uint32_t count, rg_type *out)
{
    const rg_tensor *scales = rg_in_const(s, input);
    if (scales && scales->count != (int64_t)count)
        return rg_site_fail(s, RG_SHAPE, "%lld scales for %u axes", (long long)scales->count, count);
    for (uint32_t i = 0; i < count; i++) {
        rg_dim *d = &out->dim[axes[i]];
        float scale = scales ? (float)rg_tensor_real(scales, i) : 1;
        if (!(scale > 0) || isinf(scale))
            return rg_site_fail(s, RG_SHAPE, "scale %u is %g", i, (double)scale);
        if (!scales)
            *d = rg_dim_open(s, rg_dim_value(rg_site_dims(s), *d));
        else if (input == SCALES)
            *d = scaled(s, *d, scale * kept_share(s, i, count));
        else
            *d = scaled(s, *d, scale);
    }
    return RG_OK;
}

/* The factor that all axes share when the ratio is kept; 0 when a size is open or nothing is kept. */
static double kept_ratio(const rg_site *s, const rg_dim *sizes, const int *axes, uint32_t count,
                         const rg_type *x)
{
    rg_str policy = rg_op_str(s, "keep_aspect_ratio_policy");
    bool larger = rg_str_is(policy, "not_smaller");
    double ratio = 0;
    if (!larger && !rg_str_is(policy, "not_larger")) return 0;
    for (uint32_t i = 0; i < count; i++) {
        rg_dim in = x->dim[axes[i]];
        if (!rg_dim_is_number(in) || !rg_dim_is_number(sizes[i]) || in <= 0) return 0;
        double factor = (double)sizes[i] / (double)in;
        if (i == 0 || (larger ? factor > ratio : factor < ratio)) ratio = factor;
    }
    return ratio;
}

static rg_err by_sizes(const rg_site *s, const int *axes, uint32_t count, rg_type *out)
{
    uint32_t known_count;
    const rg_dim *sizes = rg_in_known(s, SIZES, &known_count);
    if (sizes && known_count != count)
        return rg_site_fail(s, RG_SHAPE, "%u sizes for %u axes", known_count, count);
    double ratio = sizes ? kept_ratio(s, sizes, axes, count, out) : 0;
    for (uint32_t i = 0; i < count; i++) {
        rg_dim *d = &out->dim[axes[i]];
        if (!sizes)
            *d = rg_dim_open(s, rg_dim_value(rg_site_dims(s), *d));
        else if (ratio > 0)
            *d = (rg_dim)fmin(fmax(floor((double)*d * ratio + 0.5), 0), INT32_MAX);
        else
            *d = sizes[i];
    }
    return RG_OK;
}

/* An empty tensor stands for an omitted input: opset 11 could not leave scales out. */
static bool is_given(const rg_site *s, uint32_t i)
{
    const rg_type *t = rg_in_type(s, i);
    return rg_has_in(s, i) && !(t->kind == RG_KIND_TENSOR && t->rank == 1 && t->dim[0] == 0);
}

static rg_err infer(const rg_site *s)
{
    int axes[RG_RANK_MAX];
    uint32_t count = 0;
    RG_TRY(rg_need_rank(s, X, 1, -1));
    rg_type out = *rg_in_type(s, X);
    RG_TRY(read_axes(s, out.rank, axes, &count));
    bool scales = is_given(s, SCALES), sizes = is_given(s, SIZES);
    if (scales == sizes)
        return rg_site_fail(s, RG_SHAPE, "needs either scales or sizes, has %s", scales ? "both" : "neither");
    if (scales)
        RG_TRY(by_scales(s, SCALES, axes, count, &out));
    else
        RG_TRY(by_sizes(s, axes, count, &out));
    rg_set_out(s, 0, out);
    return RG_OK;
}

/* Samples along each resized axis are 2 (linear) or 4 (cubic): a product and a sum each for every output
 * element. Axes are resized one after another, so that the costs add and do not multiply. */
static void work(const rg_site *s, rg_work *w)
{
    rg_str mode = rg_op_str(s, "mode");
    double samples = rg_str_is(mode, "linear") ? 2 : rg_str_is(mode, "cubic") ? 4 : 0;
    double resized = 0;
    for (int i = 0; i < rg_in_rank(s, X); i++) resized += rg_in_dim(s, X, i) != rg_out_dim(s, 0, i);
    rg_work_copy(s, w);
    w->flop = rg_out_count(s, 0) * samples * 2 * resized;
    w->k = samples > 0 ? samples : 1;
}

/* ---- kernels ---- */

/* One axis: sizes, what they are divided by, and the part of the input that is shown. */
typedef struct stretch { double in, out, scale, start, end; } stretch;

/* Places in the input of element i of the output. `exact` is the output's size before rounding. */
static double half_pixel(const stretch *a, double i) { return (i + 0.5) / a->scale - 0.5; }
static double asymmetric(const stretch *a, double i) { return i / a->scale; }
static double for_nearest(const stretch *a, double i) { return (i + 0.5) / a->scale; }
static double pytorch(const stretch *a, double i)
{
    return a->scale * a->in == 1 ? -0.5 : half_pixel(a, i);
}
static double symmetric(const stretch *a, double i)
{
    double exact = a->scale * a->in;
    return a->in / 2 * (1 - a->out / exact) + half_pixel(a, i);
}
static double corners(const stretch *a, double i)
{
    double exact = a->scale * a->in;
    return exact == 1 ? 0 : i * (a->in - 1) / (exact - 1);
}
static double crop(const stretch *a, double i)
{
    double exact = a->scale * a->in, shown = (a->end - a->start) * (a->in - 1);
    return a->start * (a->in - 1) + (exact == 1 ? shown / 2 : i * shown / (exact - 1));
}

static const struct { const char *name; double (*place)(const stretch *a, double i); } places[] = {
    {"half_pixel", half_pixel}, {"asymmetric", asymmetric}, {"align_corners", corners},
    {"pytorch_half_pixel", pytorch}, {"half_pixel_symmetric", symmetric}, {"tf_crop_and_resize", crop},
    {"tf_half_pixel_for_nn", for_nearest}, /* opset 11 only */
};

/* How, of a place between two elements, the nearest is picked; t is the distance from the left one, > 0. */
static bool behind_half(double t) { return t > 0.5; }
static bool from_half(double t) { return t >= 0.5; }
static bool at_right(double t) { return t >= 1; }
static bool always(double t) { return t > 0; }

static const struct { const char *name; bool (*is_right)(double t); } roundings[] = {
    {"round_prefer_floor", behind_half}, {"round_prefer_ceil", from_half}, {"floor", at_right},
    {"ceil", always},
};

enum { NEAREST = 0, LINEAR = 1, CUBIC = 2 }; /* how far the kernel reaches, in elements */

typedef struct resizing {
    int reach;
    bool antialias, exclude, crops;
    double cubic, beyond;            /* a; what lies outside of the input when cropping */
    double (*place)(const stretch *a, double i);
    bool (*is_right)(double t);
} resizing;

/* For each element of an axis of the output `taps` neighbors from `first` on, which may lie outside. */
typedef struct filter {
    int64_t in, out, taps;
    int64_t *first;
    double *weight;                  /* [out, taps] */
    bool *outside;                   /* the place itself lies outside of a cropped input */
} filter;

static double weigh(const resizing *z, double d)
{
    double a = z->cubic;
    d = fabs(d);
    if (z->reach == LINEAR) return d < 1 ? 1 - d : 0;
    if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* Weights of one element, divided by their sum where some are left out or the kernel is stretched. */
static void fill_filter(const resizing *z, filter *f, int64_t i, double place, double scale)
{
    double low = ceil(place) - 1, t = place - low, sum = 0; /* 0 < t <= 1 */
    double *weight = f->weight + i * f->taps;
    if (z->reach == NEAREST) {
        f->first[i] = (int64_t)low + z->is_right(t);
        weight[0] = 1;
        return;
    }
    f->first[i] = (int64_t)low + 1 - f->taps / 2;
    for (int64_t k = 0; k < f->taps; k++) {
        int64_t at = f->first[i] + k;
        bool excluded = z->exclude && (at < 0 || at >= f->in);
        weight[k] = excluded ? 0 : weigh(z, ((double)at - place) * scale);
        sum += weight[k];
    }
    for (int64_t k = 0; k < f->taps && (z->exclude || z->antialias); k++) weight[k] /= sum;
}

/* Half of the taps: what a stretched kernel reaches to the left of its place's left neighbor, and that. */
static rg_err open_filter(const rg_run *r, const resizing *z, const stretch *a, filter *f)
{
    double scale = z->antialias ? fmin(a->scale, 1) : 1, half = fmax(ceil(z->reach / scale), 0);
    *f = (filter){.in = (int64_t)a->in, .out = (int64_t)a->out};
    if (!(a->scale > 0) || isinf(a->scale) || f->in < 1)
        return rg_run_fail(r, RG_SHAPE, "an axis of %lld cannot become %lld", (long long)f->in,
                           (long long)f->out);
    if (!(half <= 8 * a->in + 8)) /* cropping may ask for any scale */
        return rg_run_fail(r, RG_LIMIT, "a filter of %g elements for an axis of %lld", 2 * half,
                           (long long)f->in);
    f->taps = z->reach == NEAREST ? 1 : 2 * (int64_t)half;
    f->first = RG_NEW(r->scratch, int64_t, f->out);
    f->outside = RG_NEW(r->scratch, bool, f->out);
    f->weight = rg_arena_array(r->scratch, (size_t)f->out, (size_t)f->taps * sizeof *f->weight);
    if (!f->first || !f->outside || !f->weight) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < f->out; i++) {
        double place = z->place(a, (double)i), far = 2 * a->in + 2; /* clamped there: NaN becomes -far */
        f->outside[i] = z->crops && !(place >= 0 && place <= a->in - 1);
        fill_filter(z, f, i, fmin(fmax(place, -far), far), scale);
    }
    return RG_OK;
}

/* The input's element at place k of an axis: its ends go on. */
static int64_t inside(const filter *f, int64_t k) { return k < 0 ? 0 : k < f->in ? k : f->in - 1; }

/* [outer, in, inner] to [outer, out, inner]. */
static void apply(const filter *f, const double *x, double *y, int64_t outer, int64_t inner)
{
    for (int64_t o = 0; o < outer * f->out; o++, y += inner) {
        const double *weight = f->weight + o % f->out * f->taps, *block = x + o / f->out * f->in * inner;
        for (int64_t k = 0; k < f->taps; k++) {
            const double *from = block + inside(f, f->first[o % f->out] + k) * inner;
            for (int64_t i = 0; i < inner; i++) y[i] += weight[k] * from[i];
        }
    }
}

/* Axis after axis: the kernel of a point is the product of those of its axes. */
static rg_err interpolate(const rg_run *r, const filter *filters, const double **out)
{
    rg_array now = *rg_arg(r, X); /* its sizes become those of the output */
    const double *x = rg_doubles(r, &now);
    for (int k = 0; x && k < now.rank; k++) {
        const filter *f = &filters[k];
        if (!f->weight) continue;
        int64_t outer = rg_array_size(&now, 0, k), inner = rg_array_size(&now, k + 1, now.rank), count;
        if (!rg_mul_size(outer * inner, f->out, &count)) return rg_nomem(r->site.cx);
        double *y = RG_NEW(r->scratch, double, count);
        if (y) apply(f, x, y, outer, inner);
        now.dim[k] = f->out;
        x = y;
    }
    *out = x;
    return x ? RG_OK : rg_nomem(r->site.cx);
}

/* Every element from the nearest (`x` NULL) or from the interpolated x, or what lies beyond a cropped input.
 * Whole numbers are cut off, as ONNX's reference does. */
static void store(const rg_array *in, const rg_array *y, const filter *filters, const double *x,
                  double beyond)
{
    int64_t index[RG_RANK_MAX] = {0}, stride[RG_RANK_MAX];
    bool whole = !rg_dtype_is_float(y->dtype);
    rg_array_strides(in, stride);
    for (int64_t at = 0; at < y->count; at++, rg_index_next(y->rank, y->dim, index)) {
        int64_t from = 0;
        bool outside = false;
        for (int k = 0; k < y->rank; k++) {
            const filter *f = &filters[k];
            from += stride[k] * (f->weight ? inside(f, f->first[index[k]]) : index[k]);
            outside = outside || (f->weight && f->outside[index[k]]);
        }
        if (!outside && !x) rg_copy(y, at, in, from);
        else if (outside || x) {
            double value = outside ? beyond : x[at];
            rg_put(y, at, whole ? trunc(value) : value);
        }
    }
}

/* Filters of the axes that are not left as they are; the others keep weight NULL. */
static rg_err open_filters(const rg_run *r, const resizing *z, const double *scale, const double *roi,
                           filter filters[RG_RANK_MAX])
{
    const rg_array *x = rg_arg(r, X), *y = rg_result(r, 0);
    for (int k = 0; k < x->rank; k++) {
        stretch a = {(double)x->dim[k], (double)y->dim[k], scale[k], roi[k], roi[x->rank + k]};
        if (scale[k] == 1 && a.start == 0 && a.end == 1 && a.in == a.out) continue;
        RG_TRY(open_filter(r, z, &a, &filters[k]));
    }
    return RG_OK;
}

static rg_err resize(const rg_run *r, const resizing *z, const double *scale, const double *roi)
{
    const rg_array *in = rg_arg(r, X), *y = rg_result(r, 0);
    filter filters[RG_RANK_MAX] = {0};
    const double *x = NULL;
    if (y->count == 0) return RG_OK;
    if (z->reach != NEAREST || z->crops) RG_TRY(rg_need_numbers(r)); /* the nearest of anything is copied */
    RG_TRY(open_filters(r, z, scale, roi, filters));
    if (z->reach != NEAREST) RG_TRY(interpolate(r, filters, &x));
    store(in, y, filters, x, z->beyond);
    return RG_OK;
}

static rg_err read_mode(const rg_run *r, resizing *z)
{
    static const struct { const char *name; int reach; } modes[] = {
        {"nearest", NEAREST}, {"linear", LINEAR}, {"bilinear", LINEAR}, {"cubic", CUBIC},
    };
    rg_str mode = rg_op_str(&r->site, "mode");
    for (size_t i = 0; i < RG_COUNT(modes); i++)
        if (rg_str_is(mode, modes[i].name)) {
            z->reach = modes[i].reach;
            return RG_OK;
        }
    return rg_run_fail(r, RG_FORMAT, "mode '%.*s' is none of nearest, linear, cubic", RG_STR(mode));
}

static rg_err read_resizing(const rg_run *r, resizing *z)
{
    rg_str place = rg_op_str(&r->site, "coordinate_transformation_mode");
    rg_str rounding = rg_op_str(&r->site, "nearest_mode");
    *z = (resizing){
        .antialias = rg_op_int(&r->site, "antialias") != 0,
        .exclude = rg_op_int(&r->site, "exclude_outside") != 0,
        .crops = rg_str_is(place, "tf_crop_and_resize"), .cubic = rg_op_real(&r->site, "cubic_coeff_a"),
        .beyond = rg_op_real(&r->site, "extrapolation_value"),
    };
    for (size_t i = 0; i < RG_COUNT(places); i++)
        if (rg_str_is(place, places[i].name)) z->place = places[i].place;
    for (size_t i = 0; i < RG_COUNT(roundings); i++)
        if (rg_str_is(rounding, roundings[i].name)) z->is_right = roundings[i].is_right;
    if (!z->place)
        return rg_run_fail(r, RG_FORMAT, "coordinate_transformation_mode '%.*s' is not known", RG_STR(place));
    if (!z->is_right) return rg_run_fail(r, RG_FORMAT, "nearest_mode '%.*s' is not known", RG_STR(rounding));
    return read_mode(r, z);
}

/* Factors of all axes, from scales or sizes; and the part of the input that is shown, all starts, then all
 * ends. */
static rg_err read_factors(const rg_run *r, const resizing *z, double *scale, double *roi)
{
    const rg_site *s = &r->site;
    const rg_array *x = rg_arg(r, X), *regions = rg_arg(r, ROI);
    const rg_array *sizes = is_given(s, SIZES) ? rg_arg(r, SIZES) : NULL;
    int axes[RG_RANK_MAX];
    uint32_t count;
    RG_TRY(read_axes(s, x->rank, axes, &count));
    const rg_dim *stated = sizes && sizes->count == count ? rg_ints(r, sizes) : NULL; /* known by now */
    double ratio = stated ? kept_ratio(s, stated, axes, count, rg_in_type(s, X)) : 0;
    if (z->crops && (!regions || regions->count != 2 * (int64_t)count))
        return rg_run_fail(r, RG_SHAPE, "roi has %lld numbers, needs %u",
                           regions ? (long long)regions->count : 0, 2 * count);
    for (int k = 0; k < x->rank; k++) scale[k] = roi[x->rank + k] = 1;
    for (uint32_t i = 0; i < count; i++) {
        int k = axes[i];
        if (!sizes) scale[k] = rg_get(rg_arg(r, SCALES), i);
        else scale[k] = ratio > 0 ? ratio : rg_get(sizes, i) / (double)x->dim[k];
        if (!z->crops) continue;
        roi[k] = rg_get(regions, i);
        roi[x->rank + k] = rg_get(regions, count + i);
    }
    return RG_OK;
}

static rg_err run(const rg_run *r)
{
    double scale[RG_RANK_MAX], roi[2 * RG_RANK_MAX] = {0};
    resizing z;
    RG_TRY(read_resizing(r, &z));
    RG_TRY(read_factors(r, &z, scale, roi));
    return resize(r, &z, scale, roi);
}

static rg_err set_text(const rg_site *s, rg_str name, rg_str text)
{
    rg_attr a = {.name = name, .kind = RG_ATTR_STRING, .s = text};
    return rg_node_set_attr(s->cx, s->g, s->id, &a);
}

/* Opset 10: inputs X and scales; no shift by half a pixel, and rounding down. */
static rg_err upgrade(const rg_site *s)
{
    if (s->node->version >= 11) return RG_OK;
    rg_value_id scales = s->node->in_count > 1 ? s->node->in[1] : 0;
    RG_TRY(rg_site_set_input(s, SCALES, scales));
    RG_TRY(rg_site_set_input(s, ROI, 0));
    RG_TRY(set_text(s, RG_LIT("coordinate_transformation_mode"), RG_LIT("asymmetric")));
    return set_text(s, RG_LIT("nearest_mode"), RG_LIT("floor"));
}

RG_OP(resize) = {
    .name = "Resize", .brief = "interpolation to other sizes along any axes", .since = 19,
    .in_min = 1, .in_max = 4, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run, .upgrade = upgrade,
};

/* ---- Upsample: what Resize of opset 10 does, under its old name ---- */

static const rg_attr_spec upsample_attrs[] = {
    {"mode", RG_ATTR_STRING, "nearest", false, "nearest or linear"},
};

static const rg_case upsample_cases[] = {
    {"f32[1,1,2,2] f32[4]=1,1,2,3", NULL, "f32[1,1,4,6]"},
};

static rg_err upsample_infer(const rg_site *s)
{
    int axes[RG_RANK_MAX];
    RG_TRY(rg_need_rank(s, X, 1, -1));
    rg_type out = *rg_in_type(s, X);
    for (int i = 0; i < out.rank; i++) axes[i] = i;
    RG_TRY(by_scales(s, 1, axes, (uint32_t)out.rank, &out));
    rg_set_out(s, 0, out);
    return RG_OK;
}

/* Opset 1 scaled height and width, by two attributes; opset 7 all axes, by a list; opset 9 by an input. */
static rg_err upsample_upgrade(const rg_site *s)
{
    const rg_attr *height = rg_node_attr(s->node, "height_scale");
    const rg_attr *width = rg_node_attr(s->node, "width_scale");
    if (height && width && height->kind == RG_ATTR_FLOAT && width->kind == RG_ATTR_FLOAT) {
        double *scales = RG_NEW(&s->g->arena, double, 4);
        if (!scales) return rg_nomem(s->cx);
        scales[0] = scales[1] = 1;
        scales[2] = height->f;
        scales[3] = width->f;
        rg_attr list = {.name = RG_LIT("scales"), .kind = RG_ATTR_FLOATS, .count = 4, .floats = scales};
        RG_TRY(rg_node_set_attr(s->cx, s->g, s->id, &list));
        rg_site_drop_attr(s, "height_scale");
        rg_site_drop_attr(s, "width_scale");
    }
    RG_TRY(rg_attr_to_input(s, "scales", 1));
    s->g->nodes[s->id].type = RG_LIT("Resize");
    return RG_OK;
}

static rg_err upsample_run(const rg_run *r)
{
    double scale[RG_RANK_MAX], roi[2 * RG_RANK_MAX] = {0};
    resizing z = {.place = asymmetric, .is_right = at_right};
    RG_TRY(read_mode(r, &z));
    for (int k = 0; k < rg_arg(r, X)->rank; k++) {
        scale[k] = rg_get(rg_arg(r, 1), k);
        roi[rg_arg(r, X)->rank + k] = 1;
    }
    return resize(r, &z, scale, roi);
}

RG_OP(upsample) = {
    .name = "Upsample", .brief = "the name of Resize before opset 10", .since = 10,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_SPEC(upsample_attrs) RG_CASES(upsample_cases)
    .infer = upsample_infer, .work = work, .run = upsample_run, .upgrade = upsample_upgrade,
};
