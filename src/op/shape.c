/* shape.c - operators that ask for shapes or change them without touching an element: Shape, Size,
 * Reshape, Flatten, Squeeze, Unsqueeze, Identity; and Expand, which repeats elements.
 *
 * All hand known elements on: Shape -> Gather -> Unsqueeze -> Concat -> Reshape is how exporters say
 * "keep the batch", and here the batch stays a symbol on the whole way.
 */
#include "op/move.h"
#include "op/share.h"

/* ---- Shape ---- */

static const rg_attr_spec shape_attrs[] = {
    {"start", RG_ATTR_INT, "0", false, "first axis asked for; negative counts from the last"},
    {"end", RG_ATTR_INT, NULL, false, "axis to stop before; all to the last when left out"},
};

static const rg_case shape_cases[] = {
    {"f32[2,3,4]", "", "i64[3]"},
    {"f32[batch,3,224,224]", "start=-2", "i64[2]"},
    {"f32[2,3,4]", "start=1 end=-1", "i64[1]"},
};

static int clip_axis(int64_t axis, int rank)
{
    axis += axis < 0 ? rank : 0;
    return (int)(axis < 0 ? 0 : axis > rank ? rank : axis);
}

static rg_err shape_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);

    RG_TRY(rg_need_tensor(s, 0));
    if (in->rank < 0) {
        rg_set_out(s, 0, rg_type_open(s, RG_I64, 1));
        return RG_OK;
    }
    int start = clip_axis(rg_op_int(s, "start"), in->rank);
    int end = rg_op_has(s, "end") ? clip_axis(rg_op_int(s, "end"), in->rank) : in->rank;
    rg_dim count = end > start ? end - start : 0;
    rg_set_out(s, 0, rg_type_tensor(RG_I64, 1, &count));
    rg_set_known(s, 0, in->dim + start, (uint32_t)count);
    return RG_OK;
}

/* Nothing is read: the shape is known when the kernel is launched, if one is launched at all. */
static void shape_work(const rg_site *s, rg_work *w)
{
    (void)s;
    w->in_byte = w->weight_byte = 0;
}

static rg_err run_shape(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    int start = clip_axis(rg_op_int(&r->site, "start"), x->rank);
    for (int64_t i = 0; i < y->count; i++) rg_put_int(y, i, x->dim[start + i]);
    return RG_OK;
}

RG_OP(shape) = {
    .name = "Shape", .brief = "sizes of the input as a list", .since = 25,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_SHAPE_ONLY,
    RG_SPEC(shape_attrs) RG_CASES(shape_cases)
    .infer = shape_infer, .work = shape_work, .run = run_shape,
};

/* ---- Size ---- */

static const rg_case size_cases[] = {{"f32[2,3,4]", "", "i64[]"}, {"f32[batch,3]", "", "i64[]"}};

static rg_err size_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);

    RG_TRY(rg_need_tensor(s, 0));
    rg_set_out(s, 0, rg_type_tensor(RG_I64, 0, NULL));
    if (in->rank >= 0) {
        rg_dim count = rg_dims_product(s, in, 0, in->rank);
        rg_set_known(s, 0, &count, 1);
    }
    return RG_OK;
}

static rg_err run_size(const rg_run *r)
{
    rg_put_int(rg_result(r, 0), 0, rg_arg(r, 0)->count);
    return RG_OK;
}

RG_OP(size) = {
    .name = "Size", .brief = "number of elements", .since = 25,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_SHAPE_ONLY, RG_CASES(size_cases)
    .infer = size_infer, .work = shape_work, .run = run_size,
};

/* ---- Reshape ---- */

static const rg_attr_spec reshape_attrs[] = {
    {"allowzero", RG_ATTR_INT, "0", false, "1: a 0 in the shape is a size; 0: it keeps the input's size"},
};

static const rg_case reshape_cases[] = {
    {"f32[2,3,4] i64[2]=6,4", "", "f32[6,4]"},
    {"f32[batch,64,7,7] i64[2]=0,-1", "", "f32[batch,3136]"},
    {"f32[batch,196,3,12,64] i64[4]=-1,196,3,768", "", "f32[batch,196,3,768]"},
    {"f32[0,3] i64[2]=3,0", "allowzero=1", "f32[3,0]"},
};

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The size at `hole`: elements of `in` over the product of the other sizes of `out`. Equal sizes and common
 * factors cancel first, so that a symbol comes out as itself instead of as batch*64/64. */
static rg_err fill_hole(const rg_site *s, const rg_type *in, rg_type *out, int hole)
{
    rg_dims *dims = rg_site_dims(s);
    rg_dim top = 1, bottom = 1, top_number = 1, bottom_number = 1;
    bool used[RG_RANK_MAX] = {false};

    for (int k = 0; k < out->rank; k++) {
        int same = 0;
        if (k == hole) continue;
        while (same < in->rank && (used[same] || in->dim[same] != out->dim[k])) same++;
        if (same < in->rank)
            used[same] = true;
        else if (rg_dim_is_number(out->dim[k]))
            bottom_number = rg_dim_mul(dims, bottom_number, out->dim[k]);
        else
            bottom = rg_dim_mul(dims, bottom, out->dim[k]);
    }
    for (int k = 0; k < in->rank; k++) {
        if (!used[k] && rg_dim_is_number(in->dim[k]))
            top_number = rg_dim_mul(dims, top_number, in->dim[k]);
        else if (!used[k])
            top = rg_dim_mul(dims, top, in->dim[k]);
    }
    if (top == bottom) {
        top = bottom = 1;
        if (bottom_number != 0 && top_number % bottom_number != 0)
            return rg_site_fail(s, RG_SHAPE, "%lld elements do not divide into rows of %lld",
                                (long long)top_number, (long long)bottom_number);
    }
    int64_t divisor = bottom_number == 0 ? 1 : common_divisor(top_number, bottom_number);
    top = rg_dim_mul(dims, top, top_number / divisor);
    bottom = rg_dim_mul(dims, bottom, bottom_number / divisor);
    out->dim[hole] = rg_dim_div(dims, top, bottom);
    return RG_OK;
}

/* Numbers only: a symbol may still become whatever fits. */
static rg_err check_count(const rg_site *s, const rg_type *in, const rg_type *out)
{
    rg_dim from = in->rank < 0 ? 0 : rg_dims_product(s, in, 0, in->rank);
    rg_dim to = rg_dims_product(s, out, 0, out->rank);

    if (in->rank >= 0 && rg_dim_is_number(from) && rg_dim_is_number(to) && from != to)
        return rg_site_fail(s, RG_SHAPE, "%lld elements do not make a shape of %lld", (long long)from,
                            (long long)to);
    return RG_OK;
}

static rg_err reshape_known(const rg_site *s, const rg_dim *shape, uint32_t count, rg_type *out)
{
    const rg_type *in = rg_in_type(s, 0);
    bool keep_zero = rg_op_int(s, "allowzero") != 0;
    int hole = -1;

    *out = rg_type_tensor(in->dtype, (int)count, shape);
    for (int k = 0; k < (int)count; k++) {
        rg_dim d = shape[k];
        if (d == -1 && hole >= 0)
            return rg_site_fail(s, RG_SHAPE, "the shape has -1 at both %d and %d", hole, k);
        if (d == -1)
            hole = k;
        else if (rg_dim_is_number(d) && d < 0)
            return rg_site_fail(s, RG_SHAPE, "the shape has %lld at %d", (long long)d, k);
        if (d != 0 || keep_zero) continue;
        if (in->rank >= 0 && k >= in->rank)
            return rg_site_fail(s, RG_SHAPE, "the shape keeps axis %d of rank %d", k, in->rank);
        out->dim[k] = in->rank < 0 ? rg_dim_open(s, 1) : in->dim[k];
    }
    if (hole < 0) return check_count(s, in, out);
    if (in->rank >= 0) return fill_hole(s, in, out, hole);
    out->dim[hole] = rg_dim_open(s, 1);
    return RG_OK;
}

static rg_err reshape_infer(const rg_site *s)
{
    uint32_t count;
    const rg_dim *shape = rg_in_known(s, 1, &count);
    rg_type type;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_need_tensor(s, 1));
    if (shape && count > RG_RANK_MAX)
        return rg_site_fail(s, RG_LIMIT, "rank %u, at most %d", count, RG_RANK_MAX);
    if (shape)
        RG_TRY(reshape_known(s, shape, count, &type));
    else
        type = rg_type_open(s, rg_in_type(s, 0)->dtype, rg_list_size(s, 1));
    rg_set_out(s, 0, type);
    rg_known_copy(s, 0, 0);
    return RG_OK;
}

/* Up to opset 4 the shape was an attribute. */
static rg_err reshape_upgrade(const rg_site *s)
{
    rg_site_drop_attr(s, "consumed_inputs");
    return rg_attr_to_input(s, "shape", 1);
}

RG_OP(reshape) = {
    .name = "Reshape", .brief = "the same elements in another shape", .since = 25,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, .traits = RG_VIEW,
    RG_SPEC(reshape_attrs) RG_CASES(reshape_cases)
    .infer = reshape_infer, .upgrade = reshape_upgrade,
};

/* ---- Flatten ---- */

static const rg_attr_spec flatten_attrs[] = {
    {"axis", RG_ATTR_INT, "1", false, "axes before it make the rows, the others the columns"},
};

static const rg_case flatten_cases[] = {
    {"f32[batch,64,7,7]", "", "f32[batch,3136]"},
    {"f32[2,3,4]", "axis=0", "f32[1,24]"},
    {"f32[2,3,4]", "axis=-1", "f32[6,4]"},
};

static rg_err flatten_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    int64_t axis = rg_op_int(s, "axis");

    RG_TRY(rg_need_tensor(s, 0));
    if (in->rank < 0) {
        rg_set_out(s, 0, rg_type_open(s, in->dtype, 2));
        return RG_OK;
    }
    if (axis < -in->rank || axis > in->rank)
        return rg_site_fail(s, RG_SHAPE, "axis %lld of rank %d", (long long)axis, in->rank);
    int at = (int)(axis < 0 ? axis + in->rank : axis);
    rg_dim dim[2] = {rg_dims_product(s, in, 0, at), rg_dims_product(s, in, at, in->rank)};
    rg_set_out(s, 0, rg_type_tensor(in->dtype, 2, dim));
    rg_known_copy(s, 0, 0);
    return RG_OK;
}

RG_OP(flatten) = {
    .name = "Flatten", .brief = "a matrix of the same elements", .since = 25,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_VIEW,
    RG_SPEC(flatten_attrs) RG_CASES(flatten_cases)
    .infer = flatten_infer,
};

/* ---- Squeeze and Unsqueeze ---- */

static const rg_case squeeze_cases[] = {
    {"f32[1,3,1,4]", "", "f32[3,4]"},
    {"f32[batch,1,5] i64[1]=-2", "", "f32[batch,5]"},
    {"i64[1]=7 i64[1]=0", "", "i64[]"},
};

static const rg_case unsqueeze_cases[] = {
    {"f32[3,4] i64[2]=0,-1", "", "f32[1,3,4,1]"},
    {"f32[batch,5] i64[1]=1", "", "f32[batch,1,5]"},
    {"i64[]=7 i64[1]=0", "", "i64[1]"},
};

/* Marks the axes of a tensor of `rank` that input 1 lists. */
static rg_err mark_axes(const rg_site *s, const rg_dim *axes, uint32_t count, int rank, bool *mark)
{
    int axis;

    for (uint32_t i = 0; i < count; i++) {
        if (!rg_dim_is_number(axes[i]))
            return rg_site_fail(s, RG_UNSUPPORTED, "its axes depend on sizes that are not bound");
        RG_TRY(rg_need_axis(s, axes[i], rank, &axis));
        if (mark[axis]) return rg_site_fail(s, RG_SHAPE, "axis %d is listed twice", axis);
        mark[axis] = true;
    }
    return RG_OK;
}

static rg_err squeeze_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    bool drop[RG_RANK_MAX] = {false};
    uint32_t count;
    const rg_dim *axes = rg_in_known(s, 1, &count);
    rg_type type = rg_type_tensor(in->dtype, 0, NULL);

    RG_TRY(rg_need_tensor(s, 0));
    if (in->rank < 0 || (rg_has_in(s, 1) && !axes)) {
        int open = in->rank < 0 ? -1 : rg_list_size(s, 1);
        bool fits = open >= 0 && open <= in->rank;
        rg_set_out(s, 0, rg_type_open(s, in->dtype, fits ? in->rank - open : -1));
        return RG_OK;
    }
    RG_TRY(mark_axes(s, axes, count, in->rank, drop));
    for (int k = 0; k < in->rank; k++) {
        if (drop[k] && rg_dim_is_number(in->dim[k]) && in->dim[k] != 1)
            return rg_site_fail(s, RG_SHAPE, "axis %d has size %lld, not 1", k, (long long)in->dim[k]);
        if (!rg_has_in(s, 1)) drop[k] = in->dim[k] == 1;
        if (!drop[k]) type.dim[type.rank++] = in->dim[k];
    }
    rg_set_out(s, 0, type);
    rg_known_copy(s, 0, 0);
    return RG_OK;
}

static rg_err unsqueeze_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    bool put[RG_RANK_MAX] = {false};
    uint32_t count;
    const rg_dim *axes = rg_in_known(s, 1, &count);
    rg_type type = rg_type_tensor(in->dtype, -1, NULL);
    int64_t rank = in->rank + (axes ? (int64_t)count : rg_list_size(s, 1));

    RG_TRY(rg_need_tensor(s, 0));
    if (in->rank >= 0 && rank > RG_RANK_MAX)
        return rg_site_fail(s, RG_LIMIT, "rank %lld, at most %d", (long long)rank, RG_RANK_MAX);
    if (in->rank < 0 || !axes) {
        rg_set_out(s, 0, rg_type_open(s, in->dtype, in->rank < 0 || rg_list_size(s, 1) < 0 ? -1 : (int)rank));
        return RG_OK;
    }
    type.rank = (int)rank;
    RG_TRY(mark_axes(s, axes, count, type.rank, put));
    for (int k = 0, from = 0; k < type.rank; k++) type.dim[k] = put[k] ? 1 : in->dim[from++];
    rg_set_out(s, 0, type);
    rg_known_copy(s, 0, 0);
    return RG_OK;
}

/* Up to opset 12 the axes were an attribute. */
static rg_err axes_upgrade(const rg_site *s) { return rg_attr_to_input(s, "axes", 1); }

RG_OP(squeeze) = {
    .name = "Squeeze", .brief = "axes of size 1 dropped", .since = 25,
    .in_min = 1, .in_max = 2, .out_min = 1, .out_max = 1, .traits = RG_VIEW, RG_CASES(squeeze_cases)
    .infer = squeeze_infer, .upgrade = axes_upgrade,
};

RG_OP(unsqueeze) = {
    .name = "Unsqueeze", .brief = "axes of size 1 put in", .since = 25,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, .traits = RG_VIEW, RG_CASES(unsqueeze_cases)
    .infer = unsqueeze_infer, .upgrade = axes_upgrade,
};

/* ---- Identity: of any type, sequences too ---- */

static const rg_case identity_cases[] = {{"f32[batch,3]", "", "f32[batch,3]"}, {"i64[]=5", "", "i64[]"}};

static rg_err identity_infer(const rg_site *s)
{
    rg_set_out(s, 0, *rg_in_type(s, 0));
    rg_known_copy(s, 0, 0);
    return RG_OK;
}

RG_OP(identity) = {
    .name = "Identity", .brief = "the input itself", .since = 25,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_VIEW, RG_CASES(identity_cases)
    .infer = identity_infer,
};

/* ---- Expand ---- */

static const rg_case expand_cases[] = {
    {"f32[3,1] i64[3]=2,1,6", "", "f32[2,3,6]"},
    {"f32[1,1,768] i64[3]=4,1,1", "", "f32[4,1,768]"},
};

static rg_err expand_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    rg_dim out[RG_KNOWN_MAX];
    rg_type shape, type;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_type_from_list(s, 1, in->dtype, &shape));
    RG_TRY(rg_broadcast(s, in, &shape, &type));
    rg_set_out(s, 0, type);
    if (rg_known_broadcast(s, 0, &type, out))
        rg_set_known(s, 0, out, (uint32_t)rg_known_size(&type));
    return RG_OK;
}

static rg_err run_expand(const rg_run *r)
{
    const rg_array *y;
    RG_TRY(rg_need_result(r, 0, &y));
    rg_box to = rg_box_of(y), from = {.array = rg_arg(r, 0)};
    rg_broadcast_strides(from.array, y->rank, y->dim, from.stride);
    rg_box_copy(&to, &from, y->rank, y->dim);
    return RG_OK;
}

RG_OP(expand) = {
    .name = "Expand", .brief = "repeated along axes of size 1, as broadcasting does", .since = 13,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_CASES(expand_cases)
    .infer = expand_infer, .work = rg_work_copy, .run = run_expand,
};
