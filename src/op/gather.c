/* gather.c - elements picked by index: Gather (and with it the embedding table), GatherElements, GatherND.
 *
 * What is read is what is picked, not the tensor that it is picked from: a token costs one row of a table of
 * fifty thousand.
 *
 *     Gather           y[outer, i, inner] = x[outer, index[i], inner]          along the axis
 *     GatherElements   y[.., i, ..] = x[.., index[.., i, ..], ..]              element by element
 *     GatherND         y[batch, i, inner] = x[batch, index[batch, i, :], inner]
 */
#include "op/move.h"
#include "op/share.h"

#define AXIS {"axis", RG_ATTR_INT, "0", false, "axis that the indices count along"}

/* ---- Gather ---- */

static const rg_attr_spec gather_attrs[] = {AXIS};

static const rg_case gather_cases[] = {
    {"f32[5,4,3] i64[2]", "", "f32[2,4,3]"},
    {"f32[batch,197,768] i64[]=0", "axis=1", "f32[batch,768]"},
    {"f32[30522,768] i64[batch,seq]", "", "f32[batch,seq,768]"},
    {"i64[4]=7,8,9,10 i64[]=-1", "", "i64[]"},
};

static void gather_follow(const rg_site *s, const rg_type *type, int axis)
{
    const rg_type *data = rg_in_type(s, 0);
    rg_dim out[RG_KNOWN_MAX];
    uint32_t count, index_count;
    const rg_dim *known = rg_in_known(s, 0, &count), *index = rg_in_known(s, 1, &index_count);
    int64_t size = rg_known_size(type), own[RG_RANK_MAX];

    if (!known || !index || size < 0 || rg_known_size(data) != (int64_t)count) return;
    rg_strides(data, own);
    int64_t inner = own[axis] ? own[axis] : 1, length = data->dim[axis];
    for (int64_t at = 0; at < size; at++) { /* at: [outer, index, inner] */
        rg_dim i = index[at / inner % index_count];
        int64_t outer = at / inner / index_count;
        if (!rg_dim_is_number(i) || i < -length || i >= length) return;
        out[at] = known[(outer * length + (i < 0 ? i + length : i)) * inner + at % inner];
    }
    rg_set_known(s, 0, out, (uint32_t)size);
}

static rg_err gather_infer(const rg_site *s)
{
    const rg_type *data = rg_in_type(s, 0), *index = rg_in_type(s, 1);
    rg_type type = rg_type_tensor(data->dtype, -1, NULL);
    int axis;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_need_tensor(s, 1));
    if (data->rank < 0 || index->rank < 0) {
        rg_set_out(s, 0, type);
        return RG_OK;
    }
    RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), data->rank, &axis));
    if (data->rank - 1 + index->rank > RG_RANK_MAX)
        return rg_site_fail(s, RG_LIMIT, "rank %d, at most %d", data->rank - 1 + index->rank, RG_RANK_MAX);
    type.rank = 0;
    for (int k = 0; k < axis; k++) type.dim[type.rank++] = data->dim[k];
    for (int k = 0; k < index->rank; k++) type.dim[type.rank++] = index->dim[k];
    for (int k = axis + 1; k < data->rank; k++) type.dim[type.rank++] = data->dim[k];
    rg_set_out(s, 0, type);
    gather_follow(s, &type, axis);
    return RG_OK;
}

static void gather_work(const rg_site *s, rg_work *w)
{
    bool table = rg_in_is_const(s, 0) && rg_in_rank(s, 0) == 2 && rg_dtype_is_float(rg_in_type(s, 0)->dtype);

    rg_work_select(s, w);
    if (table) w->family = RG_FAMILY_EMBED;
}

static rg_err gather_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *index = rg_arg(r, 1), *y = rg_result(r, 0);
    int axis = rg_axis_of(r, "axis", x->rank);
    int64_t outer = rg_array_size(x, 0, axis), inner = rg_array_size(x, axis + 1, x->rank), at = 0, i;

    for (int64_t o = 0; o < outer; o++) {
        for (int64_t k = 0; k < index->count; k++, at += inner) {
            RG_TRY(rg_need_index(r, "index", rg_get_int(index, k), x->dim[axis], &i));
            rg_copy_run(y, at, x, (o * x->dim[axis] + i) * inner, inner);
        }
    }
    return RG_OK;
}

RG_OP(gather) = {
    .name = "Gather", .brief = "slices along an axis, picked by index", .since = 13,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(gather_attrs) RG_CASES(gather_cases)
    .infer = gather_infer, .work = gather_work, .run = gather_run,
};

/* ---- GatherElements ---- */

static const rg_attr_spec elements_attrs[] = {AXIS};

static const rg_case elements_cases[] = {
    {"f32[3,3] i64[2,3]", "axis=0", "f32[2,3]"},
    {"f32[batch,5] i32[batch,2]", "axis=-1", "f32[batch,2]"},
};

static rg_err elements_infer(const rg_site *s)
{
    const rg_type *data = rg_in_type(s, 0), *index = rg_in_type(s, 1);
    int axis;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_need_tensor(s, 1));
    if (data->rank >= 0) RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), data->rank, &axis));
    if (data->rank >= 0 && index->rank >= 0 && data->rank != index->rank)
        return rg_site_fail(s, RG_SHAPE, "data of rank %d and indices of rank %d", data->rank, index->rank);
    rg_set_out(s, 0, rg_type_like(s, 1, data->dtype));
    return RG_OK;
}

static rg_err elements_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *index = rg_arg(r, 1), *y = rg_result(r, 0);
    int axis = rg_axis_of(r, "axis", x->rank);
    int64_t at[RG_RANK_MAX] = {0}, stride[RG_RANK_MAX], i;

    RG_TRY(rg_need_within(r, index, x, axis));
    rg_array_strides(x, stride);
    for (int64_t k = 0; k < index->count; k++, rg_index_next(index->rank, index->dim, at)) {
        RG_TRY(rg_need_index(r, "index", rg_get_int(index, k), x->dim[axis], &i));
        rg_copy(y, k, x, rg_index_at(x->rank, at, stride) + (i - at[axis]) * stride[axis]);
    }
    return RG_OK;
}

RG_OP(gatherelements) = {
    .name = "GatherElements", .brief = "an element for every index", .since = 13,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(elements_attrs) RG_CASES(elements_cases)
    .infer = elements_infer, .work = rg_work_select, .run = elements_run,
};

/* ---- GatherND ---- */

static const rg_attr_spec nd_attrs[] = {
    {"batch_dims", RG_ATTR_INT, "0", false, "leading axes that data and indices share"},
};

static const rg_case nd_cases[] = {
    {"f32[2,2] i64[2,2]", "", "f32[2]"},
    {"f32[2,2,2] i64[2,1]", "batch_dims=1", "f32[2,2]"},
    {"f32[batch,8,4] i64[5,1]", "", "f32[5,8,4]"},
};

static rg_err nd_infer(const rg_site *s)
{
    const rg_type *data = rg_in_type(s, 0), *index = rg_in_type(s, 1);
    rg_type type = rg_type_tensor(data->dtype, -1, NULL);
    int64_t batch = rg_op_int(s, "batch_dims");

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_need_tensor(s, 1));
    if (data->rank < 0 || index->rank < 0) {
        rg_set_out(s, 0, type);
        return RG_OK;
    }
    if (data->rank < 1 || index->rank < 1)
        return rg_site_fail(s, RG_SHAPE, "data of rank %d, indices of rank %d", data->rank, index->rank);
    rg_dim depth = index->dim[index->rank - 1]; /* coordinates of one index */
    if (!rg_dim_is_number(depth)) {
        rg_set_out(s, 0, type);
        return RG_OK;
    }
    if (batch < 0 || batch >= index->rank || batch >= data->rank || depth < 0 || depth > data->rank - batch)
        return rg_site_fail(s, RG_SHAPE, "batch_dims %lld and %lld coordinates do not fit into rank %d",
                            (long long)batch, (long long)depth, data->rank);
    int from = (int)(batch + depth);
    if (index->rank - 1 + data->rank - from > RG_RANK_MAX)
        return rg_site_fail(s, RG_LIMIT, "a rank above %d", RG_RANK_MAX);
    type.rank = 0;
    for (int k = 0; k < index->rank - 1; k++) type.dim[type.rank++] = index->dim[k];
    for (int k = from; k < data->rank; k++) type.dim[type.rank++] = data->dim[k];
    rg_set_out(s, 0, type);
    return RG_OK;
}

static rg_err nd_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *index = rg_arg(r, 1), *y = rg_result(r, 0);
    int batch = (int)rg_op_int(&r->site, "batch_dims"), depth = (int)index->dim[index->rank - 1];
    int64_t batches = rg_array_size(index, 0, batch),
            per_batch = rg_array_size(index, batch, index->rank - 1);
    int64_t inner = rg_array_size(x, batch + depth, x->rank), whole = rg_array_size(x, batch, x->rank), at;

    for (int k = 0; k < batch; k++)
        if (x->dim[k] != index->dim[k])
            return rg_run_fail(r, RG_SHAPE, "batch axis %d has size %lld in the data, %lld in the indices", k,
                               (long long)x->dim[k], (long long)index->dim[k]);
    for (int64_t i = 0; i < batches * per_batch; i++) {
        RG_TRY(rg_need_coordinates(r, index, i, x, batch, &at));
        rg_copy_run(y, i * inner, x, i / per_batch * whole + at * inner, inner);
    }
    return RG_OK;
}

RG_OP(gathernd) = {
    .name = "GatherND", .brief = "slices picked by coordinates", .since = 13,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(nd_attrs) RG_CASES(nd_cases)
    .infer = nd_infer, .work = rg_work_select, .run = nd_run,
};
