/* pad.c - Pad, CenterCropPad, Tile: a tensor with a margin around it, or repeated. */
#include "op/share.h"

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
    .infer = pad_infer, .work = rg_work_copy, .upgrade = pad_upgrade,
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

RG_OP(centercroppad) = {
    .name = "CenterCropPad", .brief = "cropped or padded to a size, the middle kept", .since = 18,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(center_attrs) RG_CASES(center_cases)
    .infer = center_infer, .work = center_work,
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
    .infer = tile_infer, .work = rg_work_copy, .upgrade = tile_upgrade,
};
