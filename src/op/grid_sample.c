/* grid_sample.c - GridSample reads an image at points of a grid, interpolating; AffineGrid makes grids. */
#include "op/share.h"

#include <math.h>

static const rg_attr_spec sample_attrs[] = {
    {"align_corners", RG_ATTR_INT, "0", false, "1: -1 and 1 are the centers of the corner pixels"},
    {"mode", RG_ATTR_STRING, "linear", false, "linear, nearest, cubic"},
    {"padding_mode", RG_ATTR_STRING, "zeros", false, "outside of the image: zeros, border, reflection"},
};

static const rg_attr_spec affine_attrs[] = {
    {"align_corners", RG_ATTR_INT, "0", false, "1: -1 and 1 are the centers of the corner pixels"},
};

static const rg_case sample_cases[] = {
    {"f32[1,1,3,2] f32[1,2,4,2]", "align_corners=1", "f32[1,1,2,4]"},
    {"f32[n,8,3,2,2] f32[n,2,4,2,3]", "mode=\"nearest\"", "f32[n,8,2,4,2]"},
};

static const rg_case affine_cases[] = {
    {"f32[2,2,3] i64[4]=2,3,5,6", NULL, "f32[2,5,6,2]"},
    {"f32[2,3,4] i64[5]=2,3,4,5,6", "align_corners=1", "f32[2,4,5,6,3]"},
};

static rg_err sample_infer(const rg_site *s)
{
    rg_dim same;
    RG_TRY(rg_need_rank(s, 0, 3, -1));
    const rg_type *x = rg_in_type(s, 0), *grid = rg_in_type(s, 1);
    RG_TRY(rg_need_rank(s, 1, x->rank, x->rank));
    RG_TRY(rg_need_equal(s, "batches of image and grid", x->dim[0], grid->dim[0], &same));
    RG_TRY(rg_need_equal(s, "spatial axes, and coordinates of a point", x->rank - 2, grid->dim[x->rank - 1],
                         &same));
    rg_type out = *x;
    for (int i = 2; i < x->rank; i++) out.dim[i] = grid->dim[i - 1];
    rg_set_out(s, 0, out);
    return RG_OK;
}

/* Each output weighs 2 (linear) or 4 (cubic) neighbors along each axis: a product and a sum for every
 * neighbor. Each point is moved to pixels (3 an axis), and its weights cost about one product for every
 * neighbor. */
static void sample_work(const rg_site *s, rg_work *w)
{
    int axes = rg_in_rank(s, 0) - 2;
    rg_str mode = rg_op_str(s, "mode");
    double side = rg_str_is(mode, "nearest") ? 1 : rg_str_is(mode, "cubic") ? 4 : 2;
    double neighbors = pow(side, axes), points = rg_in_count(s, 1) / axes;
    rg_work_copy(s, w);
    w->k = neighbors;
    w->flop = points * (3 * axes + neighbors) + (side > 1 ? 2 * neighbors * rg_out_count(s, 0) : 0);
}

/* Opset 16 said bilinear and bicubic. */
static rg_err sample_upgrade(const rg_site *s)
{
    const rg_attr *a = rg_node_attr(s->node, "mode");
    rg_attr mode = {.name = RG_LIT("mode"), .kind = RG_ATTR_STRING, .s = RG_LIT("linear")};
    if (!a || a->kind != RG_ATTR_STRING || rg_str_is(a->s, "nearest")) return RG_OK;
    if (rg_str_is(a->s, "bicubic")) mode.s = RG_LIT("cubic");
    return rg_node_set_attr(s->cx, s->g, s->id, &mode);
}

RG_OP(grid_sample) = {
    .name = "GridSample", .brief = "reads an image at the points of a grid", .since = 20,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_SPEC(sample_attrs) RG_CASES(sample_cases)
    .infer = sample_infer, .work = sample_work, .upgrade = sample_upgrade,
};

static rg_err affine_infer(const rg_site *s)
{
    uint32_t count;
    rg_dim out[RG_RANK_MAX], batch;
    RG_TRY(rg_need_rank(s, 0, 3, 3));
    RG_TRY(rg_need_rank(s, 1, 1, 1));
    const rg_type *theta = rg_in_type(s, 0), *size = rg_in_type(s, 1);
    const rg_dim *known = rg_in_known(s, 1, &count);
    rg_dim length = size->dim[0];
    if (!rg_dim_is_number(length) || (length != 4 && length != 5))
        return rg_site_fail(s, RG_SHAPE, "size has %lld numbers, needs 4 or 5", (long long)length);
    int rank = (int)length;
    for (int i = 0; i < rank; i++) out[i] = known ? known[i] : rg_dim_open(s, 1);
    RG_TRY(rg_need_equal(s, "batches of theta and size", out[0], theta->dim[0], &batch));
    out[0] = batch;
    for (int i = 1; i < rank - 1; i++) /* the channels go, the point's coordinates come */
        out[i] = out[i + 1];
    out[rank - 1] = rank - 2;
    rg_set_out(s, 0, rg_type_tensor(theta->dtype, rank, out));
    return RG_OK;
}

/* A point times a matrix of axes x (axes + 1). */
static void affine_work(const rg_site *s, rg_work *w)
{
    rg_work_elements(s, w, 2 * (double)rg_in_dim(s, 0, 1), 0);
}

RG_OP(affine_grid) = {
    .name = "AffineGrid", .brief = "grids of points, turned and moved by matrices", .since = 20,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_SPEC(affine_attrs) RG_CASES(affine_cases)
    .infer = affine_infer, .work = affine_work,
};
