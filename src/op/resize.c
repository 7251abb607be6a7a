/* resize.c - Resize: interpolation along any axes, by scales or to sizes; and Upsample, which became it.
 *
 *     scales     output = floor(input * scale), times the share that a cropping region leaves
 *     sizes      as stated; or, keeping the ratio, every axis by the smallest (largest) of the stated factors
 */
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
    .infer = infer, .work = work, .upgrade = upgrade,
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

RG_OP(upsample) = {
    .name = "Upsample", .brief = "the name of Resize before opset 10", .since = 10,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_SPEC(upsample_attrs) RG_CASES(upsample_cases)
    .infer = upsample_infer, .work = work, .upgrade = upsample_upgrade,
};
