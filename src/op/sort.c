/* sort.c - TopK and NonMaxSuppression: the best of many. */
#include "op/share.h"

/* ---- TopK ---- */

static const rg_attr_spec topk_attrs[] = {
    {"axis", RG_ATTR_INT, "-1", false, "axis that is searched"},
    {"largest", RG_ATTR_INT, "1", false, "1: the largest, 0: the smallest"},
    {"sorted", RG_ATTR_INT, "1", false, "1: the result is in order"},
};

static const rg_case topk_cases[] = {
    {"f32[3,4] i64[1]=3", "", "f32[3,3] i64[3,3]"},
    {"f32[batch,1000] i64[1]=5", "axis=1", "f32[batch,5] i64[batch,5]"},
};

static rg_err topk_infer(const rg_site *s)
{
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);
    uint32_t count;
    const rg_dim *k = rg_in_known(s, 1, &count);
    int axis;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_need_tensor(s, 1));
    if (type.rank >= 0) {
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), type.rank, &axis));
        rg_dim size = type.dim[axis];
        bool known = k && count == 1;
        if (known && rg_dim_is_number(k[0]) && rg_dim_is_number(size) && k[0] > size)
            return rg_site_fail(s, RG_SHAPE, "the best %lld of %lld", (long long)k[0], (long long)size);
        type.dim[axis] = known ? k[0] : rg_dim_open(s, rg_dim_value(rg_site_dims(s), size));
    }
    rg_set_out(s, 0, type);
    type.dtype = RG_I64;
    rg_set_out(s, 1, type);
    return RG_OK;
}

/* A heap of k along every row: log2 k comparisons for each element. */
static void topk_work(const rg_site *s, rg_work *w)
{
    double in = rg_in_count(s, 0), rows;
    int64_t length = rg_in_dim(s, 0, (int)rg_op_int(s, "axis"));

    rows = length > 0 ? in / (double)length : 0;
    w->family = RG_FAMILY_SORT;
    w->flop = rg_work_sort(in, rows > 0 ? rg_out_count(s, 0) / rows : 1);
    w->m = rows;
    w->k = (double)length;
}

/* Opset 1 had k as an attribute. */
static rg_err topk_upgrade(const rg_site *s) { return rg_attr_to_input(s, "k", 1); }

RG_OP(topk) = {
    .name = "TopK", .brief = "the k largest or smallest along an axis, and where they are", .since = 24,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 2, RG_SPEC(topk_attrs) RG_CASES(topk_cases)
    .infer = topk_infer, .work = topk_work, .upgrade = topk_upgrade,
};

/* ---- NonMaxSuppression ---- */

static const rg_attr_spec nms_attrs[] = {
    {"center_point_box", RG_ATTR_INT, "0", false, "0: boxes are two corners; 1: center, width and height"},
};

static const rg_case nms_cases[] = {
    {"f32[1,6,4] f32[1,1,6] i64[1]=3 f32[1] f32[1]", "", "i64[u0,3]"},
};

/* At most this many boxes of each class of each image. */
static rg_dim nms_most(const rg_site *s)
{
    uint32_t count;
    const rg_dim *most = rg_in_known(s, 2, &count);
    rg_dim boxes = rg_in_type(s, 0)->dim[1];

    if (!rg_has_in(s, 2))
        return 0; /* the standard's preset: none */
    return most && count == 1 ? rg_dim_min(rg_site_dims(s), boxes, most[0]) : boxes;
}

/* How many survive only the boxes tell; until then it is the most that can. */
static rg_err nms_infer(const rg_site *s)
{
    rg_dims *dims = rg_site_dims(s);
    const rg_type *boxes = rg_in_type(s, 0), *scores = rg_in_type(s, 1);
    rg_dim dim[2] = {0, 3}, same;

    RG_TRY(rg_need_rank(s, 0, 3, 3));
    RG_TRY(rg_need_rank(s, 1, 3, 3));
    RG_TRY(rg_need_equal(s, "images of boxes and scores", boxes->dim[0], scores->dim[0], &same));
    RG_TRY(rg_need_equal(s, "boxes and scores", boxes->dim[1], scores->dim[2], &same));
    rg_dim most = rg_dim_mul(dims, rg_dim_mul(dims, scores->dim[0], scores->dim[1]), nms_most(s));
    dim[0] = rg_dim_open(s, rg_dim_value(dims, most));
    rg_set_out(s, 0, rg_type_tensor(RG_I64, 2, dim));
    return RG_OK;
}

/* Each class is sorted by score; then a box is compared with those already selected. An intersection over
 * union is 4 comparisons for the corners of the overlap, 7 operations for the areas and a division. */
static void nms_work(const rg_site *s, rg_work *w)
{
    enum { OVERLAP_FLOP = 11 };
    double scores = rg_in_count(s, 1), boxes = (double)rg_in_dim(s, 0, 1);
    double rows = (double)rg_in_dim(s, 0, 0) * (double)rg_in_dim(s, 1, 1); /* classes of images */
    double selected = rows > 0 ? rg_out_count(s, 0) / 3 / rows : 0; /* of one class of one image */
    double compared = rows * boxes * selected / 2;

    w->family = RG_FAMILY_SORT;
    w->flop = rg_work_sort(scores, boxes) + OVERLAP_FLOP * compared;
    w->special = compared;
    w->m = rows;
    w->k = boxes;
}

RG_OP(nonmaxsuppression) = {
    .name = "NonMaxSuppression", .brief = "boxes that no better box of their class overlaps", .since = 11,
    .in_min = 2, .in_max = 5, .out_min = 1, .out_max = 1, RG_SPEC(nms_attrs) RG_CASES(nms_cases)
    .infer = nms_infer, .work = nms_work,
};
