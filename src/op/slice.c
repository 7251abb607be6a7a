/* slice.c - Slice: every step-th element between two bounds, along some axes.
 *
 * As in numpy, a negative bound counts from the end and bounds outside the axis are cut off:
 *
 *     step > 0   start, end in 0..d        length max(0, ceil((end - start) / step))
 *     step < 0   start in 0..d-1, end in -1..d-1
 *
 * For a symbolic size d the same is built as an expression; min and max fold away where the range of d tells
 * which side wins. A bound that is itself symbolic, as in x[:seq], is taken to lie inside.
 */
#include "op/move.h"
#include "op/share.h"

static const rg_case cases[] = {
    {"f32[20,10,5] i64[2]=0,0 i64[2]=3,10 i64[2]=0,1 i64[2]=1,1", "", "f32[3,10,5]"},
    {"f32[20,10,5] i64[3]=20,10,4 i64[3]=0,0,1 i64[3]=0,1,2 i64[3]=-1,-3,-2", "", "f32[19,3,2]"},
    {"f32[batch,197,768] i64[1]=1 i64[1]=9223372036854775807 i64[1]=1", "", "f32[batch,196,768]"},
    {"i64[4]=4,5,6,7 i64[1]=-2 i64[1]=100", "", "i64[2]"},
};

/* What exporters write for "to the end": INT32_MAX, INT64_MAX and their like. */
enum { ENDLESS = INT32_MAX };

typedef struct cut { rg_dim start, end, step; } cut;

static int64_t clip(int64_t x, int64_t low, int64_t high) { return x < low ? low : x > high ? high : x; }

/* Numbers: *first is the index that the slice begins with. */
static int64_t count_numbers(int64_t size, cut c, int64_t *first)
{
    int64_t start = c.start < 0 ? c.start + size : c.start, end = c.end < 0 ? c.end + size : c.end;

    *first = 0;
    if (size == 0) return 0;
    if (c.step > 0) {
        start = clip(start, 0, size);
        end = clip(end, 0, size);
        *first = start;
        return end > start ? (end - start - 1) / c.step + 1 : 0;
    }
    start = clip(start, 0, size - 1);
    end = clip(end, -1, size - 1);
    *first = start;
    return start > end ? (start - end - 1) / -c.step + 1 : 0;
}

/* The bound as a position within 0..size, or -1..size for the end of a backward slice (`floor`). */
static rg_dim position(rg_dims *dims, rg_dim size, rg_dim bound, int64_t floor)
{
    if (!rg_dim_is_number(bound))
        return rg_dim_value(dims, bound) < 0 ? rg_dim_add(dims, size, bound) : bound;
    if (bound >= ENDLESS) return size;
    if (bound <= -ENDLESS) return floor;
    if (bound == 0) /* a size is never less, even where its expression could be */
        return 0;
    return bound > 0 ? rg_dim_min(dims, bound, size) : rg_dim_max(dims, rg_dim_add(dims, size, bound), floor);
}

static rg_dim span_forward(rg_dims *dims, rg_dim size, cut c)
{
    bool from_end = rg_dim_is_number(c.start) && c.start < 0 && c.start > -ENDLESS;

    if (from_end && c.end >= ENDLESS) /* x[-4:]: min(n, 4) reads better than n - max(n - 4, 0) */
        return rg_dim_min(dims, size, -c.start);
    return rg_dim_sub(dims, position(dims, size, c.end, 0), position(dims, size, c.start, 0));
}

static rg_dim span_backward(rg_dims *dims, rg_dim size, cut c)
{
    rg_dim last = rg_dim_sub(dims, size, 1);
    bool from_end = rg_dim_is_number(c.start) && c.start < 0;
    rg_dim start = from_end ? position(dims, size, c.start, 0) : position(dims, last, c.start, 0);

    return rg_dim_sub(dims, start, position(dims, size, c.end, -1));
}

static rg_dim count_symbols(rg_dims *dims, rg_dim size, cut c)
{
    rg_dim span = c.step > 0 ? span_forward(dims, size, c) : span_backward(dims, size, c);
    rg_dim count = rg_dim_ceil(dims, span, c.step > 0 ? c.step : -c.step);

    return count == size ? count : rg_dim_max(dims, count, 0);
}

typedef struct plan {
    rg_type type;
    int64_t offset, stride[RG_RANK_MAX]; /* into the input, when its elements are known */
} plan;

static rg_err cut_axis(const rg_site *s, int axis, cut c, plan *p)
{
    rg_dim size = p->type.dim[axis];
    int64_t first;

    if (!rg_dim_is_number(c.step))
        return rg_site_fail(s, RG_UNSUPPORTED, "its step depends on a size that is not bound");
    if (c.step == 0) return rg_site_fail(s, RG_SHAPE, "its step along axis %d is 0", axis);
    if (!rg_dim_is_number(size) || !rg_dim_is_number(c.start) || !rg_dim_is_number(c.end)) {
        p->type.dim[axis] = count_symbols(rg_site_dims(s), size, c);
        return RG_OK;
    }
    p->type.dim[axis] = count_numbers(size, c, &first);
    p->offset += first * p->stride[axis];
    p->stride[axis] *= p->type.dim[axis] > 1 ? c.step : 0; /* a huge step never leaves the first element */
    return RG_OK;
}

/* The bounds are not known: the axes may be, else any may be cut. */
static rg_err open_axes(const rg_site *s, const rg_dim *axes, uint32_t count, plan *p)
{
    int rank = p->type.rank, axis;

    for (uint32_t i = 0; i < (axes ? count : (uint32_t)rank); i++) {
        RG_TRY(rg_need_axis(s, axes ? axes[i] : (int64_t)i, rank, &axis));
        p->type.dim[axis] = rg_dim_open(s, rg_dim_value(rg_site_dims(s), p->type.dim[axis]));
    }
    return RG_OK;
}

static rg_err plan_slice(const rg_site *s, plan *p)
{
    uint32_t starts, ends, axis_count, steps;
    const rg_dim *start = rg_in_known(s, 1, &starts), *end = rg_in_known(s, 2, &ends);
    const rg_dim *axes = rg_in_known(s, 3, &axis_count), *step = rg_in_known(s, 4, &steps);
    bool axes_open = rg_has_in(s, 3) && !axes, steps_open = rg_has_in(s, 4) && !step;
    int axis;

    if (!start || !end || axes_open || steps_open) {
        bool counted = !axes && !rg_has_in(s, 3) && rg_list_size(s, 1) >= 0;
        if (!counted || rg_list_size(s, 1) > p->type.rank) return open_axes(s, axes, axis_count, p);
        rg_dim first[RG_RANK_MAX];
        for (int k = 0; k < rg_list_size(s, 1); k++) first[k] = k;
        return open_axes(s, first, (uint32_t)rg_list_size(s, 1), p);
    }
    if (starts != ends || (axes && axis_count != starts) || (step && steps != starts))
        return rg_site_fail(s, RG_SHAPE, "%u starts, %u ends, %u axes, %u steps", starts, ends, axis_count,
                            steps);
    for (uint32_t i = 0; i < starts; i++) {
        RG_TRY(rg_need_axis(s, axes ? axes[i] : (int64_t)i, p->type.rank, &axis));
        RG_TRY(cut_axis(s, axis, (cut){start[i], end[i], step ? step[i] : 1}, p));
    }
    return RG_OK;
}

static rg_err infer(const rg_site *s)
{
    plan p = {.type = rg_type_like(s, 0, RG_DTYPE_NONE)};
    rg_dim out[RG_KNOWN_MAX];

    RG_TRY(rg_need_tensor(s, 0));
    if (p.type.rank < 0) return rg_infer_same(s);
    rg_strides(&p.type, p.stride);
    RG_TRY(plan_slice(s, &p));
    rg_set_out(s, 0, p.type);
    if (rg_known_view(s, 0, &p.type, p.offset, p.stride, out))
        rg_set_known(s, 0, out, (uint32_t)rg_known_size(&p.type));
    return RG_OK;
}

/* Element i of a list of bounds, axes or steps; `otherwise` without the list. */
static rg_dim bound(const rg_array *list, int64_t i, int64_t otherwise)
{
    int64_t x = list ? rg_get_int(list, i) : otherwise;
    return x < RG_DIM_FIRST ? RG_DIM_FIRST : x; /* what lies below is far outside every axis, and no number */
}

static rg_err run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *starts = rg_arg(r, 1), *ends = rg_arg(r, 2), *y;
    const rg_array *axes = rg_arg(r, 3), *steps = rg_arg(r, 4);
    plan p = {.type = rg_type_tensor(x->dtype, x->rank, x->dim)};
    int axis;

    RG_TRY(rg_need_result(r, 0, &y));
    rg_array_strides(x, p.stride);
    if (ends->count != starts->count || (axes && axes->count != starts->count) ||
        (steps && steps->count != starts->count))
        return rg_run_fail(r, RG_SHAPE, "its starts, ends, axes and steps are not equally many");
    for (int64_t i = 0; i < starts->count; i++) {
        cut c = {bound(starts, i, 0), bound(ends, i, 0), bound(steps, i, 1)};
        RG_TRY(rg_need_axis(&r->site, bound(axes, i, i), x->rank, &axis));
        RG_TRY(cut_axis(&r->site, axis, c, &p));
    }
    rg_box to = rg_box_of(y), from = {.array = x, .at = p.offset};
    for (int k = 0; k < x->rank; k++) from.stride[k] = p.stride[k];
    rg_box_copy(&to, &from, y->rank, p.type.dim);
    return RG_OK;
}

/* Up to opset 9 the bounds were attributes. */
static rg_err upgrade(const rg_site *s)
{
    RG_TRY(rg_attr_to_input(s, "starts", 1));
    RG_TRY(rg_attr_to_input(s, "ends", 2));
    return rg_attr_to_input(s, "axes", 3);
}

RG_OP(slice) = {
    .name = "Slice", .brief = "every step-th element between two bounds", .since = 13,
    .in_min = 3, .in_max = 5, .out_min = 1, .out_max = 1, RG_CASES(cases)
    .infer = infer, .work = rg_work_select, .run = run, .upgrade = upgrade,
};
