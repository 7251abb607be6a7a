/* scatter.c - elements put by index into a copy of a tensor: ScatterElements and its older name Scatter,
 * ScatterND, TensorScatter.
 *
 *     ScatterElements   y[.., index[.., i, ..], ..] = u[.., i, ..]          along the axis
 *     ScatterND         y[index[i, :], inner] = u[i, inner]
 *     TensorScatter     y[batch, .., start[batch] + s, ..] = u[batch, .., s, ..]
 *
 * in the order of the updates: of equal indices the last one wins, and with a reduction all of them count.
 *
 * The copy is what costs, unless the input may be written over: then only the updates move.
 */
#include "op/move.h"
#include "op/share.h"

#include <math.h>

#define REDUCTION {"reduction", RG_ATTR_STRING, "none", false, "none, add, mul, max or min of old and new"}
#define AXIS {"axis", RG_ATTR_INT, "0", false, "axis that the indices count along"}

static bool reduces(const rg_site *s)
{
    rg_str reduction = rg_op_str(s, "reduction");
    return reduction.size > 0 && !rg_str_is(reduction, "none");
}

/* ---- reductions ---- */

typedef enum reduction { NONE, ADD, MUL, MAX, MIN } reduction;

static rg_err read_reduction(const rg_run *r, reduction *out)
{
    static const char *const names[] = {
        [NONE] = "none", [ADD] = "add", [MUL] = "mul", [MAX] = "max", [MIN] = "min"};
    rg_str stated = rg_op_str(&r->site, "reduction");

    for (*out = NONE; *out < RG_COUNT(names); ++*out)
        if (rg_str_is(stated, names[*out])) break;
    if (*out == RG_COUNT(names)) return rg_run_fail(r, RG_UNSUPPORTED, "reduction '%.*s'", RG_STR(stated));
    if (*out != NONE && rg_arg(r, 0)->dtype == RG_STR)
        return rg_run_fail(r, RG_UNSUPPORTED, "reduction '%.*s' of strings", RG_STR(stated));
    return RG_OK;
}

/* Bit patterns as numbers; u64 is compared as what it is. */
static int64_t reduce_ints(reduction by, bool is_u64, int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    bool less = is_u64 ? x < y : a < b;
    switch (by) {
    case ADD: return (int64_t)(x + y);
    case MUL: return (int64_t)(x * y);
    case MAX: return less ? b : a;
    case MIN: return less ? a : b;
    default:  return b;
    }
}

/* Of max and min NaN is the result, as numpy has it. */
static double reduce_reals(reduction by, double a, double b)
{
    switch (by) {
    case ADD: return a + b;
    case MUL: return a * b;
    case MAX: return isnan(a) || a > b ? a : b;
    case MIN: return isnan(a) || a < b ? a : b;
    default:  return b;
    }
}

/* y[i] = y[i] by u[k] */
static void reduce(reduction by, const rg_array *y, int64_t i, const rg_array *u, int64_t k)
{
    if (by == NONE) rg_copy(y, i, u, k);
    else if (rg_dtype_is_int(y->dtype) || y->dtype == RG_BOOL)
        rg_put_int(y, i, reduce_ints(by, y->dtype == RG_U64, rg_get_int(y, i), rg_get_int(u, k)));
    else rg_put(y, i, reduce_reals(by, rg_get(y, i), rg_get(u, k)));
}

static rg_err same_dtype(const rg_run *r, uint32_t update)
{
    rg_dtype of_x = rg_arg(r, 0)->dtype, of_u = rg_arg(r, update)->dtype;
    if (of_x == of_u) return RG_OK;
    return rg_run_fail(r, RG_SHAPE, "updates are %s, the data %s", rg_dtype_name(of_u), rg_dtype_name(of_x));
}

static void scatter_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->flop = reduces(s) ? rg_in_count(s, 2) : 0;
}

/* ---- ScatterElements, Scatter ---- */

static const rg_attr_spec elements_attrs[] = {AXIS, REDUCTION};

static const rg_case elements_cases[] = {
    {"f32[3,3] i64[2,3] f32[2,3]", "axis=0", "f32[3,3]"},
    {"f32[batch,5] i64[batch,2] f32[batch,2]", "axis=-1", "f32[batch,5]"},
};

static rg_err elements_infer(const rg_site *s)
{
    const rg_type *data = rg_in_type(s, 0);
    int axis;

    for (uint32_t i = 0; i < 3; i++) {
        RG_TRY(rg_need_tensor(s, i));
        if (data->rank >= 0 && rg_in_rank(s, i) >= 0 && rg_in_rank(s, i) != data->rank)
            return rg_site_fail(s, RG_SHAPE, "data of rank %d, input %u of rank %d", data->rank, i,
                                rg_in_rank(s, i));
    }
    if (data->rank >= 0) RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), data->rank, &axis));
    return rg_infer_same(s);
}

static rg_err elements_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *index = rg_arg(r, 1), *u = rg_arg(r, 2), *y = rg_result(r, 0);
    int axis = rg_axis_of(r, "axis", x->rank);
    int64_t at[RG_RANK_MAX] = {0}, stride[RG_RANK_MAX], i;
    reduction by;

    RG_TRY(read_reduction(r, &by));
    RG_TRY(same_dtype(r, 2));
    RG_TRY(rg_need_within(r, index, x, axis));
    if (u->count != index->count)
        return rg_run_fail(r, RG_SHAPE, "%lld updates for %lld indices", (long long)u->count,
                           (long long)index->count);
    rg_copy_whole(y, x);
    rg_array_strides(x, stride);
    for (int64_t k = 0; k < index->count; k++, rg_index_next(index->rank, index->dim, at)) {
        RG_TRY(rg_need_index(r, "index", rg_get_int(index, k), x->dim[axis], &i));
        reduce(by, y, rg_index_at(x->rank, at, stride) + (i - at[axis]) * stride[axis], u, k);
    }
    return RG_OK;
}

RG_OP(scatterelements) = {
    .name = "ScatterElements", .brief = "an element put at every index", .since = 18,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(elements_attrs) RG_CASES(elements_cases)
    .infer = elements_infer, .work = scatter_work, .run = elements_run,
};

/* The name of opsets 9 and 10. */
static rg_err scatter_upgrade(const rg_site *s)
{
    s->g->nodes[s->id].type = RG_LIT("ScatterElements");
    return RG_OK;
}

RG_OP(scatter) = {
    .name = "Scatter", .brief = "ScatterElements under its older name", .since = 11,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(elements_attrs) RG_CASES(elements_cases)
    .infer = elements_infer, .work = scatter_work, .run = elements_run, .upgrade = scatter_upgrade,
};

/* ---- ScatterND ---- */

static const rg_attr_spec nd_attrs[] = {REDUCTION};

static const rg_case nd_cases[] = {
    {"f32[8] i64[4,1] f32[4]", "", "f32[8]"},
    {"f32[4,4,4] i64[2,1] f32[2,4,4]", "reduction=\"add\"", "f32[4,4,4]"},
};

static rg_err nd_infer(const rg_site *s)
{
    const rg_type *data = rg_in_type(s, 0), *index = rg_in_type(s, 1);

    for (uint32_t i = 0; i < 3; i++) RG_TRY(rg_need_tensor(s, i));
    if (index->rank == 0 || data->rank == 0)
        return rg_site_fail(s, RG_SHAPE, "data of rank %d, indices of rank %d", data->rank, index->rank);
    if (index->rank > 0 && data->rank > 0 && index->dim[index->rank - 1] > data->rank)
        return rg_site_fail(s, RG_SHAPE, "%lld coordinates for data of rank %d",
                            (long long)index->dim[index->rank - 1], data->rank);
    return rg_infer_same(s);
}

static rg_err nd_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *index = rg_arg(r, 1), *u = rg_arg(r, 2), *y = rg_result(r, 0);
    int64_t depth = index->dim[index->rank - 1], slices = rg_array_size(index, 0, index->rank - 1), at, most;
    int64_t inner = depth <= x->rank ? rg_array_size(x, (int)depth, x->rank) : 0;
    reduction by;

    RG_TRY(read_reduction(r, &by));
    RG_TRY(same_dtype(r, 2));
    if (!rg_mul_size(slices, inner, &most) || u->count != most)
        return rg_run_fail(r, RG_SHAPE, "%lld updates for %lld slices of %lld elements", (long long)u->count,
                           (long long)slices, (long long)inner);
    rg_copy_whole(y, x);
    for (int64_t i = 0; i < slices; i++) {
        RG_TRY(rg_need_coordinates(r, index, i, x, 0, &at));
        for (int64_t k = 0; k < inner; k++) reduce(by, y, at * inner + k, u, i * inner + k);
    }
    return RG_OK;
}

RG_OP(scatternd) = {
    .name = "ScatterND", .brief = "slices put at coordinates", .since = 18,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(nd_attrs) RG_CASES(nd_cases)
    .infer = nd_infer, .work = scatter_work, .run = nd_run,
};

/* ---- TensorScatter: a key or value cache with the newest tokens written into it ---- */

static const rg_attr_spec tensor_attrs[] = {
    {"axis", RG_ATTR_INT, "-2", false, "sequence axis of the cache; not the first one"},
    {"mode", RG_ATTR_STRING, "linear", false, "linear, or circular: indices wrap around the cache"},
};

static const rg_case tensor_cases[] = {
    {"f32[batch,8,1024,64] f32[batch,8,1,64] i64[batch]", "", "f32[batch,8,1024,64]"},
};

static rg_err tensor_infer(const rg_site *s)
{
    const rg_type *cache = rg_in_type(s, 0), *update = rg_in_type(s, 1);
    rg_dtype dtype;
    rg_dim size;
    int axis;

    RG_TRY(rg_need_dtype(s, 0, 2, &dtype));
    if (cache->rank >= 0) RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), cache->rank, &axis));
    if (cache->rank >= 0 && update->rank >= 0 && cache->rank != update->rank)
        return rg_site_fail(s, RG_SHAPE, "cache of rank %d, update of rank %d", cache->rank, update->rank);
    for (int k = 0; k < cache->rank && update->rank >= 0; k++) {
        if (k != axis)
            RG_TRY(rg_need_equal(s, "sizes of cache and update", cache->dim[k], update->dim[k], &size));
    }
    return rg_infer_same(s);
}

/* Caches are updated in place: the update is read and written, the rest stays. */
static void tensor_work(const rg_site *s, rg_work *w)
{
    double update = rg_type_bytes(s->g, rg_in_type(s, 1));

    rg_work_copy(s, w);
    w->in_byte = update + rg_type_bytes(s->g, rg_in_type(s, 2));
    w->weight_byte = 0;
    w->out_byte = update;
    w->m = rg_in_count(s, 1);
}

/* Where the update of a batch begins: 0 without input 2. */
static rg_err read_start(const rg_run *r, int64_t batch, int64_t size, int64_t length, bool wraps,
                         int64_t *out)
{
    const rg_array *starts = rg_arg(r, 2);
    if (starts && starts->count != rg_arg(r, 0)->dim[0])
        return rg_run_fail(r, RG_SHAPE, "%lld write indices for a batch of %lld", (long long)starts->count,
                           (long long)rg_arg(r, 0)->dim[0]);
    *out = starts ? rg_get_int(starts, batch) : 0;
    if (*out < 0 || (!wraps && *out > size - length))
        return rg_run_fail(r, RG_SHAPE, "write index %lld for %lld tokens in a cache of %lld",
                           (long long)*out, (long long)length, (long long)size);
    if (wraps && size > 0) *out %= size;
    return RG_OK;
}

static rg_err tensor_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *u = rg_arg(r, 1), *y = rg_result(r, 0);
    bool wraps = rg_str_is(rg_op_str(&r->site, "mode"), "circular");
    int axis = rg_axis_of(r, "axis", x->rank);
    int64_t size = x->dim[axis], length = u->dim[axis], start = 0;
    int64_t rows = rg_array_size(x, 0, axis), inner = rg_array_size(x, axis + 1, x->rank);

    if (axis == 0) return rg_run_fail(r, RG_SHAPE, "axis 0 is the batch, not the sequence");
    if (length > size)
        return rg_run_fail(r, RG_SHAPE, "%lld tokens for a cache of %lld", (long long)length,
                           (long long)size);
    rg_copy_whole(y, x);
    for (int64_t i = 0; i < rows; i++) {
        RG_TRY(read_start(r, i / (rows / x->dim[0]), size, length, wraps, &start));
        for (int64_t s = 0; s < length; s++) {
            int64_t to = start + s < size ? start + s : start + s - size;
            rg_copy_run(y, (i * size + to) * inner, u, (i * length + s) * inner, inner);
        }
    }
    return RG_OK;
}

RG_OP(tensorscatter) = {
    .name = "TensorScatter", .brief = "new tokens written into a key or value cache", .since = 24,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(tensor_attrs) RG_CASES(tensor_cases)
    .infer = tensor_infer, .work = tensor_work, .run = tensor_run,
};
