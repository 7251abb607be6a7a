/* sort.c - TopK and NonMaxSuppression: the best of many. */
#include "op/ordering.h"
#include "op/share.h"

#include <math.h>

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

/* A row of elements, `step` apart from `base` on. */
typedef struct ranked { const rg_array *x; int64_t base, step; int wanted; } ranked;

static bool ranked_before(const void *user, int64_t a, int64_t b)
{
    const ranked *k = user;
    return rg_order(k->x, k->base + a * k->step, k->x, k->base + b * k->step) == k->wanted;
}

/* Always in order, whether asked for or not; of equal elements the first comes first. */
static rg_err topk_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *k = rg_arg(r, 1);
    const rg_array *values = rg_result(r, 0), *indices = rg_result(r, 1);
    int axis;
    if (k->count != 1) return rg_run_fail(r, RG_SHAPE, "k has %lld elements, not 1", (long long)k->count);
    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "axis"), x->rank, &axis));
    int64_t size = x->dim[axis], step = rg_array_size(x, axis + 1, x->rank), best = rg_get_int(k, 0);
    int64_t rows = size ? x->count / size : 0, *list = RG_NEW(r->scratch, int64_t, size);
    if (!list) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < rows; i++) {
        int64_t to = i / step * step * best + i % step;
        ranked row = {x, i / step * step * size + i % step, step, rg_op_int(&r->site, "largest") ? 1 : -1};
        for (int64_t j = 0; j < size; j++) list[j] = j;
        RG_TRY(rg_sort(r, list, size, ranked_before, &row));
        for (int64_t j = 0; j < best; j++) {
            if (values) rg_copy(values, to + j * step, x, row.base + list[j] * step);
            if (indices) rg_put_int(indices, to + j * step, list[j]);
        }
    }
    return RG_OK;
}

RG_OP(topk) = {
    .name = "TopK", .brief = "the k largest or smallest along an axis, and where they are", .since = 24,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 2, RG_SPEC(topk_attrs) RG_CASES(topk_cases)
    .infer = topk_infer, .work = topk_work, .run = topk_run, .upgrade = topk_upgrade,
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

typedef struct box { double low[2], high[2]; } box; /* by axis */

/* Two opposite corners y, x, y, x in any order; or center x, y, width, height. */
static box box_at(const rg_array *boxes, int64_t i, bool centered)
{
    double v[4];
    box b;
    for (int k = 0; k < 4; k++) v[k] = rg_get(boxes, 4 * i + k);
    for (int k = 0; k < 2; k++) {
        double one = centered ? v[k] - v[k + 2] / 2 : v[k], other = centered ? v[k] + v[k + 2] / 2 : v[k + 2];
        b.low[k] = fmin(one, other);
        b.high[k] = fmax(one, other);
    }
    return b;
}

static double area(const box *b) { return (b->high[0] - b->low[0]) * (b->high[1] - b->low[1]); }

/* Intersection over union; boxes without area overlap nothing. */
static double overlap(const box *a, const box *b)
{
    box both;
    for (int k = 0; k < 2; k++) {
        both.low[k] = fmax(a->low[k], b->low[k]);
        both.high[k] = fmin(a->high[k], b->high[k]);
        if (both.high[k] <= both.low[k]) return 0;
    }
    return area(&both) / (area(a) + area(b) - area(&both));
}

/* One class of one image. */
typedef struct suppression {
    const rg_array *boxes, *scores;
    int64_t first_box, first_score, most;
    double iou, score;
    bool centered;
} suppression;

static bool score_before(const void *user, int64_t a, int64_t b)
{
    const suppression *n = user;
    return rg_get(n->scores, n->first_score + a) > rg_get(n->scores, n->first_score + b);
}

/* Takes the best box that overlaps none taken before, until none or enough are. The taken ones come first in
 * `list`, where there is always room: they are of those already looked at. */
static rg_err suppress(const rg_run *r, const suppression *n, int64_t *list, int64_t *taken)
{
    int64_t size = n->boxes->dim[1], count = 0;
    *taken = 0;
    for (int64_t i = 0; i < size; i++)
        if (!(rg_get(n->scores, n->first_score + i) <= n->score)) list[count++] = i;
    RG_TRY(rg_sort(r, list, count, score_before, n));
    for (int64_t i = 0; i < count && *taken < n->most; i++) {
        box b = box_at(n->boxes, n->first_box + list[i], n->centered);
        bool keep = true;
        for (int64_t k = 0; k < *taken && keep; k++) {
            box other = box_at(n->boxes, n->first_box + list[k], n->centered);
            keep = overlap(&b, &other) <= n->iou;
        }
        if (keep) list[(*taken)++] = list[i];
    }
    return RG_OK;
}

static double option(const rg_run *r, uint32_t i, double otherwise)
{
    const rg_array *a = rg_arg(r, i);
    return a && a->count ? rg_get(a, 0) : otherwise;
}

/* Without a threshold every score passes: none is <= NaN. Without a number nothing is selected. */
static rg_err nms_options(const rg_run *r, suppression *n)
{
    double most = option(r, 2, 0);
    int64_t size = rg_arg(r, 1)->dim[2];
    *n = (suppression){
        .boxes = rg_arg(r, 0), .scores = rg_arg(r, 1), .iou = option(r, 3, 0), .score = option(r, 4, NAN),
        .most = most < (double)size ? (int64_t)most : size,
        .centered = rg_op_int(&r->site, "center_point_box") != 0,
    };
    if (n->boxes->dim[2] != 4)
        return rg_run_fail(r, RG_SHAPE, "boxes of %lld numbers, not 4", (long long)n->boxes->dim[2]);
    if (n->iou < 0 || n->iou > 1) return rg_run_fail(r, RG_INPUT, "iou_threshold is %g, not in 0..1", n->iou);
    return RG_OK;
}

typedef struct selection { int64_t image, class, box; } selection;

static rg_err nms_put(const rg_run *r, const selection *chosen, int64_t count)
{
    rg_array *y;
    RG_TRY(rg_make_result(r, 0, RG_I64, 2, (int64_t[2]){count, 3}, &y));
    for (int64_t i = 0; y && i < count; i++) {
        rg_put_int(y, 3 * i, chosen[i].image);
        rg_put_int(y, 3 * i + 1, chosen[i].class);
        rg_put_int(y, 3 * i + 2, chosen[i].box);
    }
    return RG_OK;
}

static rg_err nms_run(const rg_run *r)
{
    const rg_array *scores = rg_arg(r, 1);
    int64_t classes = scores->dim[1], size = scores->dim[2], rows = size ? scores->count / size : 0, taken;
    int64_t *list = RG_NEW(r->scratch, int64_t, size);
    selection *chosen = NULL;
    uint32_t capacity = 0;
    size_t count = 0;
    suppression n;
    RG_TRY(nms_options(r, &n));
    if (!list) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < rows; i++) {
        n.first_box = i / classes * size;
        n.first_score = i * size;
        RG_TRY(suppress(r, &n, list, &taken));
        for (int64_t k = 0; k < taken; k++) {
            if (!RG_GROW(r->scratch, chosen, count, capacity)) return rg_nomem(r->site.cx);
            chosen[count++] = (selection){i / classes, i % classes, list[k]};
        }
    }
    return nms_put(r, chosen, (int64_t)count);
}

RG_OP(nonmaxsuppression) = {
    .name = "NonMaxSuppression", .brief = "boxes that no better box of their class overlaps", .since = 11,
    .in_min = 2, .in_max = 5, .out_min = 1, .out_max = 1, RG_SPEC(nms_attrs) RG_CASES(nms_cases)
    .infer = nms_infer, .work = nms_work, .run = nms_run,
};
