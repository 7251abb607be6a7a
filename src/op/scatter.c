/* scatter.c - elements put by index into a copy of a tensor: ScatterElements and its older name Scatter,
 * ScatterND, TensorScatter.
 *
 * The copy is what costs, unless the input may be written over: then only the updates move.
 */
#include "op/share.h"

#define REDUCTION {"reduction", RG_ATTR_STRING, "none", false, "none, add, mul, max or min of old and new"}
#define AXIS {"axis", RG_ATTR_INT, "0", false, "axis that the indices count along"}

static bool reduces(const rg_site *s)
{
    rg_str reduction = rg_op_str(s, "reduction");
    return reduction.size > 0 && !rg_str_is(reduction, "none");
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

RG_OP(scatterelements) = {
    .name = "ScatterElements", .brief = "an element put at every index", .since = 18,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(elements_attrs) RG_CASES(elements_cases)
    .infer = elements_infer, .work = scatter_work,
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
    .infer = elements_infer, .work = scatter_work, .upgrade = scatter_upgrade,
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

RG_OP(scatternd) = {
    .name = "ScatterND", .brief = "slices put at coordinates", .since = 18,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(nd_attrs) RG_CASES(nd_cases)
    .infer = nd_infer, .work = scatter_work,
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

RG_OP(tensorscatter) = {
    .name = "TensorScatter", .brief = "new tokens written into a key or value cache", .since = 24,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(tensor_attrs) RG_CASES(tensor_cases)
    .infer = tensor_infer, .work = tensor_work,
};
