/* space.c - blocks of an image laid out otherwise: Col2Im, SpaceToDepth, DepthToSpace. */
#include "op/share.h"

/* ---- SpaceToDepth, DepthToSpace ---- */

static const rg_attr_spec to_depth_attrs[] = {
    {"blocksize", RG_ATTR_INT, NULL, true, "side of the blocks"},
};
static const rg_attr_spec to_space_attrs[] = {
    {"blocksize", RG_ATTR_INT, NULL, true, "side of the blocks"},
    {"mode", RG_ATTR_STRING, "DCR", false, "order in the channels: DCR depth last, CRD depth first"},
};

static const rg_case to_depth_cases[] = {
    {"f32[2,3,4,6]", "blocksize=2", "f32[2,12,2,3]"},
};
static const rg_case to_space_cases[] = {
    {"f32[1,8,2,3]", "blocksize=2", "f32[1,2,4,6]"},
    {"f16[n,64,h,w]", "blocksize=4 mode=\"CRD\"", "f16[n,4,h*4,w*4]"},
};

/* Sizes divided by `by` must be whole where they are numbers. */
static rg_err divide(const rg_site *s, rg_dim d, int64_t by, rg_dim *out)
{
    if (rg_dim_is_number(d) && d % by != 0)
        return rg_site_fail(s, RG_SHAPE, "size %lld does not divide by %lld", (long long)d, (long long)by);
    *out = rg_dim_div(rg_site_dims(s), d, by);
    return RG_OK;
}

static rg_err read_block(const rg_site *s, int64_t *out)
{
    *out = rg_op_int(s, "blocksize");
    RG_TRY(rg_need_rank(s, 0, 4, 4));
    if (*out < 1 || *out > INT16_MAX) /* its square is a factor of the channels */
        return rg_site_fail(s, RG_SHAPE, "blocksize is %lld, outside 1..%d", (long long)*out, INT16_MAX);
    return RG_OK;
}

static rg_err to_depth_infer(const rg_site *s)
{
    int64_t block;
    RG_TRY(read_block(s, &block));
    rg_type out = *rg_in_type(s, 0);
    out.dim[1] = rg_dim_mul(rg_site_dims(s), out.dim[1], block * block);
    RG_TRY(divide(s, out.dim[2], block, &out.dim[2]));
    RG_TRY(divide(s, out.dim[3], block, &out.dim[3]));
    rg_set_out(s, 0, out);
    return RG_OK;
}

static rg_err to_space_infer(const rg_site *s)
{
    int64_t block;
    RG_TRY(read_block(s, &block));
    rg_type out = *rg_in_type(s, 0);
    RG_TRY(divide(s, out.dim[1], block * block, &out.dim[1]));
    out.dim[2] = rg_dim_mul(rg_site_dims(s), out.dim[2], block);
    out.dim[3] = rg_dim_mul(rg_site_dims(s), out.dim[3], block);
    rg_set_out(s, 0, out);
    return RG_OK;
}

RG_OP(space_to_depth) = {
    .name = "SpaceToDepth", .brief = "blocks of pixels become channels", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(to_depth_attrs) RG_CASES(to_depth_cases) .infer = to_depth_infer, .work = rg_work_copy,
};

RG_OP(depth_to_space) = {
    .name = "DepthToSpace", .brief = "channels become blocks of pixels", .since = 11,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(to_space_attrs) RG_CASES(to_space_cases) .infer = to_space_infer, .work = rg_work_copy,
};

/* ---- Col2Im ---- */

enum { COLUMNS, IMAGE, BLOCK };

static const rg_attr_spec col2im_attrs[] = {
    {"dilations", RG_ATTR_INTS, NULL, false, "distance of a block's elements along each axis; preset 1"},
    {"pads", RG_ATTR_INTS, NULL, false, "zeros before each axis, then behind each; preset 0"},
    {"strides", RG_ATTR_INTS, NULL, false, "distance of blocks along each axis; preset 1"},
};

static const rg_case col2im_cases[] = {
    {"f32[1,5,5] i64[2]=5,5 i64[2]=1,5", NULL, "f32[1,1,5,5]"},
    {"f32[n,40,12] i64[3]=4,5,3 i64[3]=1,2,2", "strides=1,1,1", "f32[n,10,4,5,3]"},
};

static rg_err col2im_infer(const rg_site *s)
{
    uint32_t axes, block_axes;
    rg_dims *dims = rg_site_dims(s);
    rg_dim block = 1, out[RG_RANK_MAX];
    RG_TRY(rg_need_rank(s, COLUMNS, 3, 3));
    RG_TRY(rg_need_rank(s, IMAGE, 1, 1));
    const rg_type *x = rg_in_type(s, COLUMNS);
    const rg_dim *image = rg_in_known(s, IMAGE, &axes), *sides = rg_in_known(s, BLOCK, &block_axes);
    rg_dim stated = rg_in_type(s, IMAGE)->dim[0];
    if (!rg_dim_is_number(stated) || stated < 1 || stated > RG_RANK_MAX - 2)
        return rg_site_fail(s, RG_SHAPE, "image_shape has %lld axes, outside 1..%d", (long long)stated,
                            RG_RANK_MAX - 2);
    if (sides && (rg_dim)block_axes != stated)
        return rg_site_fail(s, RG_SHAPE, "image_shape has %lld axes, block_shape %u", (long long)stated,
                            block_axes);
    out[0] = x->dim[0];
    for (int i = 0; i < (int)stated; i++) {
        out[2 + i] = image ? image[i] : rg_dim_open(s, 1);
        block = sides ? rg_dim_mul(dims, block, sides[i]) : block;
    }
    if (rg_dim_is_number(block) && block < 1)
        return rg_site_fail(s, RG_SHAPE, "block_shape holds %lld elements", (long long)block);
    if (sides && rg_dim_is_number(block))
        RG_TRY(divide(s, x->dim[1], block, &out[1]));
    else
        out[1] = sides ? rg_dim_div(dims, x->dim[1], block) : rg_dim_open(s, 1);
    rg_set_out(s, 0, rg_type_tensor(x->dtype, 2 + (int)stated, out));
    return RG_OK;
}

/* Blocks overlap: every column element is added where it belongs. */
static void col2im_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->flop = rg_in_count(s, COLUMNS);
}

RG_OP(col2im) = {
    .name = "Col2Im", .brief = "columns of blocks added up to an image", .since = 18,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(col2im_attrs) RG_CASES(col2im_cases) .infer = col2im_infer, .work = col2im_work,
};
