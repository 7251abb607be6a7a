/* pad.c - Pad, CenterCropPad, Tile: a tensor with a margin around it, or repeated.
 *
 * Every axis of the result has a map of its own: which index of the input stands where, -1 in a margin that
 * holds a constant. Over an axis of n elements, index i of the result, p = i - margin in front:
 *
 *     constant   p where 0 <= p < n         edge   clip(p, 0, n - 1)
 *     reflect    p in a period of 2(n - 1)  wrap   p mod n
 *     Tile       i mod n
 */
#include "op/move.h"
#include "op/share.h"

/* ---- moving by maps ---- */

/* y[i0, i1, ...] = x[map[0][i0], map[1][i1], ...], the constant where a map has -1. */
static void copy_mapped(const rg_array *y, const rg_array *x, int64_t *const *map, const rg_array *constant)
{
    int64_t index[RG_RANK_MAX] = {0}, stride[RG_RANK_MAX];

    rg_array_strides(x, stride);
    for (int64_t i = 0; i < y->count; i++, rg_index_next(y->rank, y->dim, index)) {
        int64_t at = 0;
        for (int k = 0; k < y->rank && at >= 0; k++)
            at = map[k][index[k]] < 0 ? -1 : at + map[k][index[k]] * stride[k];
        if (at >= 0) rg_copy(y, i, x, at);
        else rg_copy(y, i, constant, 0);
    }
}

/* One element, of the type of input 0: zero or the empty string, or what `value` holds, whose own type may be
 * another, since opset 10 and older stated a float. */
static rg_err make_constant(const rg_run *r, const rg_array *value, rg_array *out)
{
    enum { WIDEST_BYTE = 16 };
    rg_dtype dtype = rg_arg(r, 0)->dtype;

    *out = (rg_array){.dtype = dtype, .count = 1, .data = rg_arena_alloc(r->scratch, WIDEST_BYTE)};
    if (!out->data) return rg_nomem(r->site.cx);
    if (!value || value->count == 0) return RG_OK;
    if (value->dtype == dtype) rg_copy(out, 0, value, 0);
    else if (dtype == RG_STR || value->dtype == RG_STR)
        return rg_run_fail(r, RG_SHAPE, "the constant is %s, the data %s", rg_dtype_name(value->dtype),
                           rg_dtype_name(dtype));
    else rg_put(out, 0, rg_get(value, 0));
    return RG_OK;
}

/* Room for the maps of a result. */
static rg_err make_maps(const rg_run *r, const rg_array *y, int64_t *map[RG_RANK_MAX])
{
    for (int k = 0; k < y->rank; k++)
        if (!(map[k] = RG_NEW(r->scratch, int64_t, y->dim[k]))) return rg_nomem(r->site.cx);
    return RG_OK;
}

/* ---- Pad ---- */

static const rg_attr_spec pad_attrs[] = {
    {"mode", RG_ATTR_STRING, "constant", false, "constant, reflect, edge or wrap: what the margin holds"},
};

static const rg_case pad_cases[] = {
    {"f32[1,3,4,5] i64[8]=0,0,1,1,0,0,2,2", "", "f32[1,3,7,8]"},
    {"f32[batch,3,224,224] i64[2]=-1,4 f32[] i64[1]=3", "mode=\"constant\"", "f32[batch,3,224,227]"},
    {"f32[2,3] i64[4]", "mode=\"edge\"", "f32[u0,u1]"},
};

/* The margins in front of and behind every axis; false where they are not known. */
static rg_err pad_margins(const rg_site *s, int rank, rg_dim before[RG_RANK_MAX], rg_dim behind[RG_RANK_MAX],
                          bool *known)
{
    uint32_t count, axis_count = (uint32_t)rank;
    const rg_dim *pads = rg_in_known(s, 1, &count), *axes = NULL;
    int axis;

    for (int k = 0; k < rank; k++) before[k] = behind[k] = 0;
    if (rg_has_in(s, 3)) axes = rg_in_known(s, 3, &axis_count);
    *known = pads && (axes || !rg_has_in(s, 3));
    if (!*known) return RG_OK;
    if (count != 2 * (uint64_t)axis_count)
        return rg_site_fail(s, RG_SHAPE, "%u pads for %u axes", count, axis_count);
    for (uint32_t i = 0; i < axis_count; i++) {
        RG_TRY(rg_need_axis(s, axes ? axes[i] : (int64_t)i, rank, &axis));
        before[axis] = pads[i];
        behind[axis] = pads[axis_count + i];
    }
    return RG_OK;
}

static rg_err pad_infer(const rg_site *s)
{
    rg_dims *dims = rg_site_dims(s);
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);
    rg_dim before[RG_RANK_MAX], behind[RG_RANK_MAX];
    bool known;

    RG_TRY(rg_need_tensor(s, 0));
    if (type.rank < 0) return rg_infer_same(s);
    RG_TRY(pad_margins(s, type.rank, before, behind, &known));
    for (int k = 0; k < type.rank; k++) {
        rg_dim wider = rg_dim_add(dims, type.dim[k], rg_dim_add(dims, before[k], behind[k]));
        type.dim[k] = known ? wider : rg_dim_open(s, rg_dim_value(dims, type.dim[k]));
    }
    rg_set_out(s, 0, type);
    return RG_OK;
}

typedef enum pad_mode { CONSTANT, REFLECT, EDGE, WRAP } pad_mode;

static rg_err read_mode(const rg_run *r, pad_mode *out)
{
    static const char *const names[] = {
        [CONSTANT] = "constant", [REFLECT] = "reflect", [EDGE] = "edge", [WRAP] = "wrap",
    };
    rg_str stated = rg_op_str(&r->site, "mode");

    for (*out = CONSTANT; *out < RG_COUNT(names); ++*out)
        if (rg_str_is(stated, names[*out])) return RG_OK;
    return rg_run_fail(r, RG_UNSUPPORTED, "mode '%.*s'", RG_STR(stated));
}

static int64_t modulo(int64_t p, int64_t n) { return p % n < 0 ? p % n + n : p % n; }

static int64_t mapped(pad_mode mode, int64_t p, int64_t n)
{
    int64_t turn;
    if (p >= 0 && p < n) return p;
    switch (mode) {
    case EDGE: return p < 0 ? 0 : n - 1;
    case WRAP: return modulo(p, n);
    case REFLECT:
        turn = n > 1 ? modulo(p, 2 * (n - 1)) : 0;
        return turn < n ? turn : 2 * (n - 1) - turn;
    default: return -1;
    }
}

/* A negative margin cuts first; what is left is what the other side's margin repeats. */
static rg_err map_axis(const rg_run *r, pad_mode mode, int axis, int64_t before, int64_t behind, int64_t *map,
                       int64_t count)
{
    int64_t size = rg_arg(r, 0)->dim[axis], cut = before < 0 ? -before : 0, margin = before > 0 ? before : 0;
    int64_t n = size - cut - (behind < 0 ? -behind : 0);

    if (n <= 0 && count > 0 && mode != CONSTANT)
        return rg_run_fail(r, RG_SHAPE, "axis %d of size %lld has nothing left to repeat", axis,
                           (long long)size);
    for (int64_t i = 0; i < count; i++) {
        map[i] = mapped(mode, i - margin, n);
        map[i] += map[i] < 0 ? 0 : cut;
    }
    return RG_OK;
}

/* The margins again, from the elements themselves. */
static rg_err read_margins(const rg_run *r, int64_t before[RG_RANK_MAX], int64_t behind[RG_RANK_MAX])
{
    const rg_array *x = rg_arg(r, 0), *pads = rg_arg(r, 1), *axes = rg_arg(r, 3);
    int64_t count = axes ? axes->count : x->rank;
    int axis;

    for (int k = 0; k < x->rank; k++) before[k] = behind[k] = 0;
    if (count > x->rank || pads->count != 2 * count)
        return rg_run_fail(r, RG_SHAPE, "%lld pads for %lld axes of rank %d", (long long)pads->count,
                           (long long)count, x->rank);
    for (int64_t i = 0; i < count; i++) {
        RG_TRY(rg_need_axis(&r->site, axes ? rg_get_int(axes, i) : i, x->rank, &axis));
        before[axis] = rg_get_int(pads, i);
        behind[axis] = rg_get_int(pads, count + i);
        if (before[axis] < -x->dim[axis] || behind[axis] < -x->dim[axis])
            return rg_run_fail(r, RG_SHAPE, "pads %lld and %lld cut more than axis %d has, %lld",
                               (long long)before[axis], (long long)behind[axis], axis,
                               (long long)x->dim[axis]);
    }
    return RG_OK;
}

static rg_err pad_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y;
    int64_t before[RG_RANK_MAX], behind[RG_RANK_MAX], *map[RG_RANK_MAX];
    rg_array constant;
    pad_mode mode;

    RG_TRY(rg_need_result(r, 0, &y));
    RG_TRY(read_mode(r, &mode));
    RG_TRY(make_constant(r, rg_arg(r, 2), &constant));
    RG_TRY(read_margins(r, before, behind));
    RG_TRY(make_maps(r, y, map));
    for (int k = 0; k < x->rank; k++)
        RG_TRY(map_axis(r, mode, k, before[k], behind[k], map[k], y->dim[k]));
    copy_mapped(y, x, map, &constant);
    return RG_OK;
}

/* Up to opset 10 the pads were an attribute, which opset 1 called paddings. */
static rg_err pad_upgrade(const rg_site *s)
{
    RG_TRY(rg_attr_to_input(s, "paddings", 1));
    RG_TRY(rg_attr_to_input(s, "pads", 1));
    return rg_attr_to_input(s, "value", 2);
}

RG_OP(pad) = {
    .name = "Pad", .brief = "a margin around the input", .since = 25,
    .in_min = 2, .in_max = 4, .out_min = 1, .out_max = 1, RG_SPEC(pad_attrs) RG_CASES(pad_cases)
    .infer = pad_infer, .work = rg_work_copy, .run = pad_run, .upgrade = pad_upgrade,
};

/* ---- CenterCropPad ---- */

static const rg_attr_spec center_attrs[] = {
    {"axes", RG_ATTR_INTS, NULL, false, "axes that the shape lists; all of them when left out"},
};

static const rg_case center_cases[] = {
    {"f32[20,10,3] i64[3]=10,7,3", "", "f32[10,7,3]"},
    {"f32[batch,3,20,8] i64[2]=10,9", "axes=-2,-1", "f32[batch,3,10,9]"},
};

static rg_err center_infer(const rg_site *s)
{
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE), shape;
    uint32_t count;
    const int64_t *axes = rg_op_ints(s, "axes", &count);
    int axis;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_type_from_list(s, 1, type.dtype, &shape));
    if (type.rank < 0) return rg_infer_same(s);
    count = axes ? count : (uint32_t)type.rank;
    if (shape.rank >= 0 && (int64_t)count != shape.rank)
        return rg_site_fail(s, RG_SHAPE, "a shape of %d sizes for %u axes", shape.rank, count);
    for (uint32_t i = 0; i < count; i++) {
        RG_TRY(rg_need_axis(s, axes ? axes[i] : (int64_t)i, type.rank, &axis));
        type.dim[axis] = shape.rank < 0 ? rg_dim_open(s, 1) : shape.dim[i];
    }
    rg_set_out(s, 0, type);
    return RG_OK;
}

static void center_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    if (w->in_byte > w->out_byte)
        w->in_byte = w->out_byte; /* what is cropped is never read */
    if (w->weight_byte > w->in_byte) w->weight_byte = w->in_byte;
}

/* What is cut or added in front is half of the difference, rounded down. */
static rg_err center_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y;
    int64_t *map[RG_RANK_MAX];
    rg_array zero;

    RG_TRY(rg_need_result(r, 0, &y));
    RG_TRY(make_constant(r, NULL, &zero));
    RG_TRY(make_maps(r, y, map));
    for (int k = 0; k < y->rank; k++) {
        int64_t more = y->dim[k] - x->dim[k], margin = more > 0 ? more / 2 : -(-more / 2);
        for (int64_t i = 0; i < y->dim[k]; i++) map[k][i] = mapped(CONSTANT, i - margin, x->dim[k]);
    }
    copy_mapped(y, x, map, &zero);
    return RG_OK;
}

RG_OP(centercroppad) = {
    .name = "CenterCropPad", .brief = "cropped or padded to a size, the middle kept", .since = 18,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(center_attrs) RG_CASES(center_cases)
    .infer = center_infer, .work = center_work, .run = center_run,
};

/* ---- Tile ---- */

static const rg_case tile_cases[] = {
    {"f32[2,3] i64[2]=2,4", "", "f32[4,12]"},
    {"f32[batch,1,5] i64[3]=1,7,1", "", "f32[batch,7,5]"},
};

static rg_err tile_infer(const rg_site *s)
{
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);
    uint32_t count;
    const rg_dim *repeats = rg_in_known(s, 1, &count);

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_need_tensor(s, 1));
    if (repeats && type.rank >= 0 && (int64_t)count != type.rank)
        return rg_site_fail(s, RG_SHAPE, "%u repeats for rank %d", count, type.rank);
    for (int k = 0; k < type.rank; k++)
        type.dim[k] = repeats ? rg_dim_mul(rg_site_dims(s), type.dim[k], repeats[k]) : rg_dim_open(s, 1);
    rg_set_out(s, 0, type);
    return RG_OK;
}

static rg_err tile_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y;
    int64_t *map[RG_RANK_MAX];

    RG_TRY(rg_need_result(r, 0, &y));
    RG_TRY(make_maps(r, y, map));
    for (int k = 0; k < y->rank; k++)
        for (int64_t i = 0; i < y->dim[k]; i++) map[k][i] = i % x->dim[k];
    copy_mapped(y, x, map, NULL); /* no map has a margin */
    return RG_OK;
}

/* Opset 1 repeated one axis; it was withdrawn before anybody exported it. */
static rg_err tile_upgrade(const rg_site *s)
{
    if (s->node->version < 6 && rg_has_in(s, 2))
        return rg_site_fail(s, RG_UNSUPPORTED, "version 1 has an axis input; export with opset 6");
    return RG_OK;
}

RG_OP(tile) = {
    .name = "Tile", .brief = "the input repeated along every axis", .since = 13,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_CASES(tile_cases)
    .infer = tile_infer, .work = rg_work_copy, .run = tile_run, .upgrade = tile_upgrade,
};
