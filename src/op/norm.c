/* norm.c - normalizations over groups of elements: y = (x - mean) / sqrt(variance + epsilon) * scale + shift.
 *
 * They differ in what a group is, and in what of the formula they keep:
 *
 *     LayerNormalization, RMSNormalization     the axes from `axis` on, for each position before them
 *     InstanceNormalization                    the spatial axes of one channel
 *     GroupNormalization                       the same of num_groups runs of channels together
 *     MeanVarianceNormalization                stated axes; no scale, no shift
 *     LpNormalization                          one axis; divides by its p-norm
 *
 * Flops for each element: mean 1, centering 1, square and sum 2, times 1/deviation 1, scale and shift 2.
 * Special for each group: a root and a division.
 */
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

#define EPSILON {"epsilon", RG_ATTR_FLOAT, "1e-5", false, "added to the variance"}
#define STASH {"stash_type", RG_ATTR_INT, "1", false, "element type of the statistics, as ONNX numbers them"}

/* Inputs from..to-1 are vectors of `size`, or omitted. */
static rg_err need_vectors(const rg_site *s, uint32_t from, uint32_t to, rg_dim size)
{
    for (uint32_t i = from; i < to; i++) {
        rg_dim same;
        if (!rg_has_in(s, i)) continue;
        RG_TRY(rg_need_rank(s, i, 1, 1));
        RG_TRY(rg_need_equal(s, "scale, shift and channels", rg_in_type(s, i)->dim[0], size, &same));
    }
    return RG_OK;
}

static void fill(const rg_site *s, rg_work *w, double groups, double flop, double special_per_group)
{
    double count = rg_out_count(s, 0);
    w->family = RG_FAMILY_NORM;
    w->m = groups;
    w->k = groups > 0 ? count / groups : 0;
    w->flop = flop * count;
    w->special = special_per_group * groups;
}

static double in_dims(const rg_site *s, int from, int to)
{
    double count = 1;
    for (int i = from; i < to; i++) count *= (double)rg_in_dim(s, 0, i);
    return count;
}

/* ---- kernels ---- */

/* Some elements: `base` + what an index over dim with these strides adds. */
typedef struct span { int rank; int64_t dim[RG_RANK_MAX], stride[RG_RANK_MAX], count; } span;

/* The axes of `x` that a group consists of, or those that tell the groups apart. */
static span span_of(const rg_array *x, const bool in_group[RG_RANK_MAX], bool wanted)
{
    int64_t stride[RG_RANK_MAX];
    span s = {.count = 1};
    rg_array_strides(x, stride);
    for (int k = 0; k < x->rank; k++) {
        if (in_group[k] != wanted) continue;
        s.dim[s.rank] = x->dim[k];
        s.stride[s.rank++] = stride[k];
        s.count *= x->dim[k];
    }
    return s;
}

typedef struct moments { double mean, square; } moments; /* square: mean of squared distances to the mean */

/* about_zero: the mean counts as 0. */
static moments measure(const rg_array *x, const span *s, int64_t base, bool about_zero)
{
    int64_t index[RG_RANK_MAX] = {0};
    double sum = 0, squares = 0, count = (double)s->count;
    for (int64_t i = 0; i < s->count && !about_zero; i++, rg_index_next(s->rank, s->dim, index))
        sum += rg_get(x, base + rg_index_at(s->rank, index, s->stride));
    for (int64_t i = 0; i < s->count; i++, rg_index_next(s->rank, s->dim, index)) {
        double off = rg_get(x, base + rg_index_at(s->rank, index, s->stride)) - sum / count;
        squares += off * off;
    }
    return (moments){sum / count, squares / count};
}

/* ---- LayerNormalization, RMSNormalization ---- */

static const rg_attr_spec layer_attrs[] = {
    {"axis", RG_ATTR_INT, "-1", false, "first axis of a group; negative counts from the last"},
    EPSILON, STASH,
};

static const rg_case layer_cases[] = {
    {"f32[1,128,768] f32[768] f32[768]", NULL, "f32[1,128,768] f32[1,128,1] f32[1,128,1]"},
    {"f32[2,3,5] f32[3,5]", "axis=1", "f32[2,3,5] f32[2,1,1] f32[2,1,1]"},
    {"f16[b,s,64] f16[64] f16[64]", "axis=2", "f16[b,s,64] f32[b,s,1] f32[b,s,1]"},
};

static const rg_case rms_cases[] = {
    {"f32[1,128,4096] f32[4096]", NULL, "f32[1,128,4096]"},
    {"f16[2,3,4,5] f16[4,5]", "axis=-2", "f16[2,3,4,5]"},
};

/* Scale and shift broadcast to x and never enlarge it. */
static rg_err need_affine(const rg_site *s, uint32_t i)
{
    const rg_type *x = rg_in_type(s, 0);
    rg_type both;
    if (!rg_has_in(s, i)) return RG_OK;
    RG_TRY(rg_need_rank(s, i, 0, x->rank));
    RG_TRY(rg_broadcast(s, x, rg_in_type(s, i), &both));
    for (int k = 0; k < x->rank; k++)
        RG_TRY(rg_need_equal(s, "sizes of the input and of its scale", x->dim[k], both.dim[k], &both.dim[k]));
    return RG_OK;
}

static rg_err layer_infer(const rg_site *s)
{
    int axis;
    rg_dtype stash;
    RG_TRY(rg_need_rank(s, 0, 1, -1));
    rg_type out = *rg_in_type(s, 0);
    RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), out.rank, &axis));
    RG_TRY(rg_dtype_attr(s, "stash_type", RG_F32, &stash));
    RG_TRY(need_affine(s, 1));
    RG_TRY(need_affine(s, 2));
    rg_dtype scale = rg_in_type(s, 1)->dtype;
    out.dtype = scale != RG_DTYPE_NONE ? scale : out.dtype;
    rg_set_out(s, 0, out);
    out.dtype = stash;
    for (int i = axis; i < out.rank; i++) out.dim[i] = 1;
    rg_set_out(s, 1, out); /* mean */
    rg_set_out(s, 2, out); /* 1 / deviation */
    return RG_OK;
}

static double layer_groups(const rg_site *s)
{
    int64_t axis = rg_op_int(s, "axis");
    int rank = rg_in_rank(s, 0);
    return in_dims(s, 0, (int)(axis < 0 ? axis + rank : axis));
}

static void layer_work(const rg_site *s, rg_work *w)
{
    fill(s, w, layer_groups(s), rg_has_in(s, 2) ? 7 : 6, 2);
}
static void rms_work(const rg_site *s, rg_work *w) { fill(s, w, layer_groups(s), 4, 2); }

/* Of a group that starts at `base`: scale and shift are broadcast to the whole input. */
static void put_group(const rg_run *r, const span *group, int64_t base, double mean, double inverse)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0), *affine[2] = {rg_arg(r, 1), rg_arg(r, 2)};
    int64_t stride[2][RG_RANK_MAX], place[RG_RANK_MAX], own[RG_RANK_MAX], index[RG_RANK_MAX] = {0};
    rg_array_strides(x, own);
    for (int k = 0; k < 2; k++)
        if (affine[k]) rg_broadcast_strides(affine[k], x->rank, x->dim, stride[k]);
    for (int64_t i = 0; y && i < group->count; i++, rg_index_next(group->rank, group->dim, index)) {
        int64_t at = base + rg_index_at(group->rank, index, group->stride), rest = at;
        for (int k = 0; k < x->rank; k++) place[k] = rest / own[k], rest %= own[k];
        double value = (rg_get(x, at) - mean) * inverse;
        if (affine[0]) value *= rg_get(affine[0], rg_index_at(x->rank, place, stride[0]));
        if (affine[1]) value += rg_get(affine[1], rg_index_at(x->rank, place, stride[1]));
        rg_put(y, at, value);
    }
}

static rg_err run_layer(const rg_run *r, bool about_zero)
{
    const rg_array *x = rg_arg(r, 0), *mean = rg_result(r, 1), *inverse = rg_result(r, 2);
    double epsilon = rg_op_real(&r->site, "epsilon");
    bool in_group[RG_RANK_MAX];
    int axis;
    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "axis"), x->rank, &axis));
    for (int k = 0; k < x->rank; k++) in_group[k] = k >= axis;
    span group = span_of(x, in_group, true), groups = span_of(x, in_group, false);
    for (int64_t i = 0; i < groups.count; i++) {
        moments m = measure(x, &group, i * group.count, about_zero);
        double factor = 1 / sqrt(m.square + epsilon);
        put_group(r, &group, i * group.count, m.mean, factor);
        if (mean) rg_put(mean, i, m.mean);
        if (inverse) rg_put(inverse, i, factor);
    }
    return RG_OK;
}

static rg_err layer_run(const rg_run *r) { return run_layer(r, false); }
static rg_err rms_run(const rg_run *r) { return run_layer(r, true); }

RG_OP(layer_normalization) = {
    .name = "LayerNormalization", .brief = "normalizes the last axes, then scales and shifts", .since = 17,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 3,
    RG_SPEC(layer_attrs) RG_CASES(layer_cases) .infer = layer_infer, .work = layer_work,
    .run = layer_run,
};

RG_OP(rms_normalization) = {
    .name = "RMSNormalization", .brief = "divides by the root mean square over the last axes", .since = 23,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_SPEC(layer_attrs) RG_CASES(rms_cases) .infer = layer_infer, .work = rms_work,
    .run = rms_run,
};

/* ---- InstanceNormalization, GroupNormalization ---- */

static const rg_attr_spec instance_attrs[] = {EPSILON};
static const rg_attr_spec group_attrs[] = {
    EPSILON, STASH,
    {"num_groups", RG_ATTR_INT, NULL, true, "groups that the channels are divided into"},
};

static const rg_case instance_cases[] = {
    {"f32[2,3,4,5] f32[3] f32[3]", NULL, "f32[2,3,4,5]"},
    {"f16[n,64,t] f16[64] f16[64]", "epsilon=1e-3f", "f16[n,64,t]"},
};

static const rg_case group_cases[] = {
    {"f32[3,4,2,2] f32[4] f32[4]", "num_groups=2", "f32[3,4,2,2]"},
    {"f16[n,320,64,64] f16[320] f16[320]", "num_groups=32 epsilon=1e-6f", "f16[n,320,64,64]"},
};

static rg_err instance_infer(const rg_site *s)
{
    RG_TRY(rg_need_rank(s, 0, 3, -1));
    RG_TRY(need_vectors(s, 1, 3, rg_in_type(s, 0)->dim[1]));
    return rg_infer_same(s);
}

/* Opset 18 gave scale and shift one element a group, which opset 21 made one a channel: both are accepted. */
static rg_err group_infer(const rg_site *s)
{
    int64_t groups = rg_op_int(s, "num_groups");
    RG_TRY(rg_need_rank(s, 0, 2, -1));
    rg_dim channels = rg_in_type(s, 0)->dim[1];
    if (groups < 1 || (rg_dim_is_number(channels) && channels % groups != 0))
        return rg_site_fail(s, RG_SHAPE, "%lld channels do not divide into %lld groups", (long long)channels,
                            (long long)groups);
    RG_TRY(need_vectors(s, 1, 3, s->node->version < 21 ? groups : channels));
    return rg_infer_same(s);
}

static void instance_work(const rg_site *s, rg_work *w) { fill(s, w, in_dims(s, 0, 2), 7, 2); }

static void group_work(const rg_site *s, rg_work *w)
{
    fill(s, w, in_dims(s, 0, 1) * (double)rg_op_int(s, "num_groups"), 7, 2);
}

/* Groups of channels that follow each other, of each image; scale and shift are by channel or by group. */
static rg_err run_channels(const rg_run *r, int64_t groups, bool per_group)
{
    const rg_array *x = rg_arg(r, 0), *scale = rg_arg(r, 1), *shift = rg_arg(r, 2), *y = rg_result(r, 0);
    double epsilon = rg_op_real(&r->site, "epsilon");
    if (y->count == 0) return RG_OK;
    int64_t channels = x->dim[1], spatial = rg_array_size(x, 2, x->rank), wide = channels / groups;
    span group = {.rank = 1, .dim = {wide * spatial}, .stride = {1}, .count = wide * spatial};
    for (int64_t i = 0; i < x->dim[0] * groups; i++) {
        moments m = measure(x, &group, i * group.count, false);
        double factor = 1 / sqrt(m.square + epsilon);
        for (int64_t k = 0; k < group.count; k++) {
            int64_t at = i * group.count + k, channel = at / spatial % channels;
            int64_t of = per_group ? channel / wide : channel;
            rg_put(y, at, (rg_get(x, at) - m.mean) * factor * rg_get(scale, of) + rg_get(shift, of));
        }
    }
    return RG_OK;
}

static rg_err instance_run(const rg_run *r) { return run_channels(r, rg_arg(r, 0)->dim[1], false); }
static rg_err group_run(const rg_run *r)
{
    return run_channels(r, rg_op_int(&r->site, "num_groups"), r->site.node->version < 21);
}

RG_OP(instance_normalization) = {
    .name = "InstanceNormalization", .brief = "normalizes the spatial axes of each channel", .since = 6,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(instance_attrs) RG_CASES(instance_cases) .infer = instance_infer, .work = instance_work,
    .run = instance_run, .upgrade = rg_upgrade_plain,
};

RG_OP(group_normalization) = {
    .name = "GroupNormalization", .brief = "normalizes channel groups with their spatial axes", .since = 21,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(group_attrs) RG_CASES(group_cases) .infer = group_infer, .work = group_work,
    .run = group_run,
};

/* ---- MeanVarianceNormalization, LpNormalization ---- */

static const rg_attr_spec mean_variance_attrs[] = {
    {"axes", RG_ATTR_INTS, "0,2,3", false, "axes of a group"},
};
static const rg_attr_spec lp_attrs[] = {
    {"axis", RG_ATTR_INT, "-1", false, "axis of a group"},
    {"p", RG_ATTR_INT, "2", false, "exponent of the norm: 1 or 2"},
};

static const rg_case mean_variance_cases[] = {
    {"f32[3,3,3,1]", NULL, "f32[3,3,3,1]"},
    {"f32[2,5,7]", "axes=[-1]", "f32[2,5,7]"},
};
static const rg_case lp_cases[] = {
    {"f32[2,3]", "axis=0", "f32[2,3]"},
    {"f16[n,128]", "p=1", "f16[n,128]"},
};

static rg_err mean_variance_infer(const rg_site *s)
{
    uint32_t count;
    const int64_t *axes = rg_op_ints(s, "axes", &count);
    RG_TRY(rg_need_rank(s, 0, 0, -1));
    for (uint32_t i = 0; i < count; i++) {
        int axis;
        RG_TRY(rg_need_axis(s, axes[i], rg_in_rank(s, 0), &axis));
    }
    return rg_infer_same(s);
}

static void mean_variance_work(const rg_site *s, rg_work *w)
{
    uint32_t count;
    const int64_t *axes = rg_op_ints(s, "axes", &count);
    double group = 1;
    for (uint32_t i = 0; i < count; i++) group *= (double)rg_in_dim(s, 0, (int)axes[i]);
    fill(s, w, group > 0 ? rg_in_count(s, 0) / group : 0, 5, 2);
}

/* The standard adds a small number to the deviation, not to the variance. */
static rg_err mean_variance_run(const rg_run *r)
{
    const double epsilon = 1e-9;
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    int64_t index[RG_RANK_MAX] = {0}, inner[RG_RANK_MAX] = {0};
    bool in_group[RG_RANK_MAX] = {false};
    uint32_t count;
    const int64_t *axes = rg_op_ints(&r->site, "axes", &count);
    for (uint32_t i = 0; i < count; i++) {
        int axis;
        RG_TRY(rg_need_axis(&r->site, axes[i], x->rank, &axis));
        in_group[axis] = true;
    }
    if (y->count == 0) return RG_OK;
    span group = span_of(x, in_group, true), groups = span_of(x, in_group, false);
    for (int64_t i = 0; i < groups.count; i++, rg_index_next(groups.rank, groups.dim, index)) {
        int64_t base = rg_index_at(groups.rank, index, groups.stride);
        moments m = measure(x, &group, base, false);
        for (int64_t k = 0; k < group.count; k++, rg_index_next(group.rank, group.dim, inner)) {
            int64_t at = base + rg_index_at(group.rank, inner, group.stride);
            rg_put(y, at, (rg_get(x, at) - m.mean) / (sqrt(m.square) + epsilon));
        }
    }
    return RG_OK;
}

RG_OP(mean_variance_normalization) = {
    .name = "MeanVarianceNormalization", .brief = "zero mean and unit variance over stated axes", .since = 9,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(mean_variance_attrs) RG_CASES(mean_variance_cases)
    .infer = mean_variance_infer, .work = mean_variance_work, .run = mean_variance_run,
};

static rg_err lp_infer(const rg_site *s)
{
    int axis;
    RG_TRY(rg_need_rank(s, 0, 1, -1));
    RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), rg_in_rank(s, 0), &axis));
    return rg_infer_same(s);
}

/* Power and sum; one division for each element, one root for each group. */
static void lp_work(const rg_site *s, rg_work *w)
{
    double group = (double)rg_in_dim(s, 0, (int)rg_op_int(s, "axis"));
    fill(s, w, group > 0 ? rg_in_count(s, 0) / group : 0, 2, 1);
    w->special += rg_out_count(s, 0);
}

/* Where the norm is 0, so is the result. */
static rg_err lp_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    int64_t p = rg_op_int(&r->site, "p");
    int axis;
    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "axis"), x->rank, &axis));
    if (p != 1 && p != 2) return rg_run_fail(r, RG_UNSUPPORTED, "p is %lld, not 1 or 2", (long long)p);
    if (y->count == 0) return RG_OK;
    int64_t size = x->dim[axis], step = rg_array_size(x, axis + 1, x->rank);
    for (int64_t i = 0; i < x->count / size; i++) {
        int64_t base = i / step * step * size + i % step;
        double sum = 0;
        for (int64_t k = 0; k < size; k++) {
            double v = rg_get(x, base + k * step);
            sum += p == 1 ? fabs(v) : v * v;
        }
        double norm = p == 1 ? sum : sqrt(sum);
        for (int64_t k = 0; k < size; k++)
            rg_put(y, base + k * step, norm == 0 ? 0 : rg_get(x, base + k * step) / norm);
    }
    return RG_OK;
}

RG_OP(lp_normalization) = {
    .name = "LpNormalization", .brief = "divides by the p-norm along one axis", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(lp_attrs) RG_CASES(lp_cases) .infer = lp_infer, .work = lp_work, .run = lp_run,
};

/* ---- LRN ---- */

static const rg_attr_spec lrn_attrs[] = {
    {"alpha", RG_ATTR_FLOAT, "0.0001", false, "factor of the mean square"},
    {"beta", RG_ATTR_FLOAT, "0.75", false, "exponent"},
    {"bias", RG_ATTR_FLOAT, "1.0", false, "added to the mean square"},
    {"size", RG_ATTR_INT, NULL, true, "channels summed over"},
};

static const rg_case lrn_cases[] = {
    {"f32[1,64,56,56]", "size=5 alpha=1e-4f beta=0.75f", "f32[1,64,56,56]"},
};

static rg_err lrn_infer(const rg_site *s)
{
    RG_TRY(rg_need_rank(s, 0, 2, -1));
    if (rg_op_int(s, "size") < 1)
        return rg_site_fail(s, RG_SHAPE, "size is %lld, less than 1", (long long)rg_op_int(s, "size"));
    return rg_infer_same(s);
}

/* y = x / (bias + alpha / size * sum of size squares)^beta; each square is computed once. */
static void lrn_work(const rg_site *s, rg_work *w)
{
    double size = (double)rg_op_int(s, "size"), count = rg_out_count(s, 0);
    fill(s, w, count, 1 + (size - 1) + 2 + 1, 1);
    w->k = size;
}

/* Channels from (size - 1) / 2 below to the rest above, as far as there are any. */
static rg_err lrn_run(const rg_run *r)
{
    const rg_site *s = &r->site;
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    double alpha = rg_op_real(s, "alpha"), beta = rg_op_real(s, "beta"), bias = rg_op_real(s, "bias");
    if (y->count == 0) return RG_OK;
    int64_t size = rg_op_int(s, "size"), channels = x->dim[1], spatial = rg_array_size(x, 2, x->rank);
    int64_t below = (size - 1) / 2, above = size - 1 - below;
    for (int64_t i = 0; i < y->count; i++) {
        int64_t c = i / spatial % channels, low = c < below ? 0 : c - below;
        int64_t high = channels - 1 - c < above ? channels - 1 : c + above;
        double sum = 0;
        for (int64_t k = low; k <= high; k++) {
            double v = rg_get(x, i + (k - c) * spatial);
            sum += v * v;
        }
        rg_put(y, i, rg_get(x, i) / pow(bias + alpha / (double)size * sum, beta));
    }
    return RG_OK;
}

RG_OP(lrn) = {
    .name = "LRN", .brief = "local response normalization across channels", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(lrn_attrs) RG_CASES(lrn_cases) .infer = lrn_infer, .work = lrn_work, .run = lrn_run,
};
