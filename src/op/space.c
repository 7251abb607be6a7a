/* space.c - blocks of an image laid out otherwise: Col2Im, SpaceToDepth, DepthToSpace.
 *
 * With the axes of a block split off, two of them are a change of the order of six axes (b: blocksize):
 *
 *     SpaceToDepth       [n, c, h, b, w, b]   ->  [n, b, b, c, h, w]
 *     DepthToSpace DCR   [n, b, b, c, h, w]   ->  [n, c, h, b, w, b]
 *     DepthToSpace CRD   [n, c, b, b, h, w]   ->  [n, c, h, b, w, b]
 *
 * Col2Im adds what lies in column l of the blocks where block l came from:
 *
 *     y[n, c, p(l) * stride - pad + k * dilation] += x[n, c * block + k, l]       along every axis
 */
#include "op/move.h"
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

/* y[i0, ..., i5] = x[...], for y of sizes `dim` where axis k is axis perm[k] of x. */
static rg_err turn(const rg_run *r, const int64_t *dim, const int *perm)
{
    enum { AXES = 6 };
    rg_box to = {.array = rg_result(r, 0)}, from = {.array = rg_arg(r, 0)};
    int64_t size_in_x[AXES], stride_in_x[AXES], y_step = 1, x_step = 1;

    for (int k = 0; k < AXES; k++) size_in_x[perm[k]] = dim[k];
    for (int k = AXES - 1; k >= 0; k--) {
        to.stride[k] = y_step;
        stride_in_x[k] = x_step;
        y_step *= dim[k];
        x_step *= size_in_x[k];
    }
    for (int k = 0; k < AXES; k++) from.stride[k] = stride_in_x[perm[k]];
    rg_box_copy(&to, &from, AXES, dim);
    return RG_OK;
}

static rg_err run_to_depth(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0);
    int64_t b = rg_op_int(&r->site, "blocksize");
    return turn(r, (int64_t[]){x->dim[0], b, b, x->dim[1], x->dim[2] / b, x->dim[3] / b},
                (int[]){0, 3, 5, 1, 2, 4});
}

static rg_err run_to_space(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0);
    bool depth_first = rg_str_is(rg_op_str(&r->site, "mode"), "CRD");
    int64_t b = rg_op_int(&r->site, "blocksize");
    return turn(r, (int64_t[]){x->dim[0], x->dim[1] / (b * b), x->dim[2], b, x->dim[3], b},
                depth_first ? (int[]){0, 1, 4, 2, 5, 3} : (int[]){0, 3, 4, 1, 5, 2});
}

RG_OP(space_to_depth) = {
    .name = "SpaceToDepth", .brief = "blocks of pixels become channels", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(to_depth_attrs) RG_CASES(to_depth_cases) .infer = to_depth_infer, .work = rg_work_copy,
    .run = run_to_depth,
};

RG_OP(depth_to_space) = {
    .name = "DepthToSpace", .brief = "channels become blocks of pixels", .since = 11,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(to_space_attrs) RG_CASES(to_space_cases) .infer = to_space_infer, .work = rg_work_copy,
    .run = run_to_space,
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

/* Where the blocks of an image lie. */
typedef struct blocks {
    int axes;
    int64_t image[RG_RANK_MAX], side[RG_RANK_MAX], count[RG_RANK_MAX]; /* elements, of a block, blocks */
    int64_t stride[RG_RANK_MAX], pad[RG_RANK_MAX], dilation[RG_RANK_MAX];
    int64_t block, all;                       /* elements of a block, and number of blocks */
} blocks;

/* Steps of more than this would leave every image that fits into memory; products stay below 2^63. */
enum { STEP_MAX = INT32_MAX };

static rg_err read_steps(const rg_run *r, const char *name, uint32_t need, int64_t least, const int64_t **out)
{
    uint32_t count;
    *out = rg_op_ints(&r->site, name, &count);
    if (*out && count != need)
        return rg_run_fail(r, RG_SHAPE, "%s has %u numbers, needs %u", name, count, need);
    for (uint32_t k = 0; *out && k < need; k++)
        if ((*out)[k] < least || (*out)[k] > STEP_MAX)
            return rg_run_fail(r, RG_SHAPE, "%s has %lld, outside %lld..%d", name, (long long)(*out)[k],
                               (long long)least, STEP_MAX);
    return RG_OK;
}

static rg_err read_blocks(const rg_run *r, blocks *b)
{
    const rg_array *image = rg_arg(r, IMAGE), *side = rg_arg(r, BLOCK), *x = rg_arg(r, COLUMNS);
    const int64_t *strides, *pads, *dilations;
    int axes = (int)image->count;

    *b = (blocks){.axes = axes, .block = 1, .all = 1};
    RG_TRY(read_steps(r, "strides", (uint32_t)axes, 1, &strides));
    RG_TRY(read_steps(r, "dilations", (uint32_t)axes, 1, &dilations));
    RG_TRY(read_steps(r, "pads", 2 * (uint32_t)axes, 0, &pads));
    for (int k = 0; k < axes; k++) {
        b->image[k] = rg_get_int(image, k);
        b->side[k] = rg_get_int(side, k);
        b->stride[k] = strides ? strides[k] : 1;
        b->dilation[k] = dilations ? dilations[k] : 1;
        b->pad[k] = pads ? pads[k] : 0;
        if (b->image[k] < 0 || b->image[k] > STEP_MAX || b->side[k] < 1 || b->side[k] > STEP_MAX)
            return rg_run_fail(r, RG_SHAPE, "axis %d: blocks of %lld in an image of %lld", k,
                               (long long)b->side[k], (long long)b->image[k]);
        int64_t room =
            b->image[k] + b->pad[k] + (pads ? pads[axes + k] : 0) - b->dilation[k] * (b->side[k] - 1);
        b->count[k] = room > 0 ? (room - 1) / b->stride[k] + 1 : 0;
        b->block *= b->side[k]; /* divides the columns: inference has checked */
        if (!rg_mul_size(b->all, b->count[k], &b->all)) b->all = INT64_MAX;
    }
    if (b->all != x->dim[2])
        return rg_run_fail(r, RG_SHAPE, "%lld blocks fit into the image, the columns have %lld",
                           (long long)b->all, (long long)x->dim[2]);
    return RG_OK;
}

/* A plane of the image under way: integers wrap, everything else is added in double. */
typedef struct plane { bool is_int; double *real; uint64_t *whole; int64_t size; } plane;

/* Adds the row of the columns that begins at x[from]: element `of_block` of every block. */
static void add_row(const blocks *b, const rg_array *x, int64_t from, const int64_t *of_block, const plane *y)
{
    int64_t at[RG_RANK_MAX] = {0};
    for (int64_t l = 0; l < b->all; l++, rg_index_next(b->axes, b->count, at)) {
        int64_t to = 0;
        bool inside = true;
        for (int k = 0; k < b->axes; k++) {
            int64_t p = at[k] * b->stride[k] - b->pad[k] + of_block[k] * b->dilation[k];
            inside = inside && p >= 0 && p < b->image[k];
            to = to * b->image[k] + p;
        }
        if (inside && y->is_int) y->whole[to] += (uint64_t)rg_get_int(x, from + l);
        else if (inside) y->real[to] += rg_get(x, from + l);
    }
}

static rg_err run_col2im(const rg_run *r)
{
    const rg_array *x = rg_arg(r, COLUMNS), *y;
    blocks b;

    RG_TRY(rg_need_result(r, 0, &y));
    RG_TRY(read_blocks(r, &b));
    int64_t planes = y->dim[0] * y->dim[1], row = 0;
    plane sum = {.is_int = rg_dtype_is_int(y->dtype), .size = rg_array_size(y, 2, y->rank)};
    sum.real = RG_NEW(r->scratch, double, sum.is_int ? 0 : sum.size);
    sum.whole = RG_NEW(r->scratch, uint64_t, sum.is_int ? sum.size : 0);
    if (!sum.real || !sum.whole) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < planes; i++) {
        int64_t of_block[RG_RANK_MAX] = {0};
        for (int64_t k = 0; k < sum.size; k++) {
            if (sum.is_int) sum.whole[k] = 0;
            else sum.real[k] = 0;
        }
        for (int64_t k = 0; k < b.block; k++, row++, rg_index_next(b.axes, b.side, of_block))
            add_row(&b, x, row * x->dim[2], of_block, &sum);
        for (int64_t k = 0; k < sum.size; k++) {
            if (sum.is_int) rg_put_int(y, i * sum.size + k, (int64_t)sum.whole[k]);
            else rg_put(y, i * sum.size + k, sum.real[k]);
        }
    }
    return RG_OK;
}

RG_OP(col2im) = {
    .name = "Col2Im", .brief = "columns of blocks added up to an image", .since = 18,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(col2im_attrs) RG_CASES(col2im_cases) .infer = col2im_infer, .work = col2im_work,
    .run = run_col2im,
};
