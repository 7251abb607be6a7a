/* grid_sample.c - GridSample reads an image at points of a grid, interpolating; AffineGrid makes grids.
 *
 * A coordinate of a grid runs from -1 to 1 over the image, and a point names the last axis first. With n
 * pixels along an axis
 *
 *     corners aligned   -1 and 1 are the centers of the first and last pixel   place = (g + 1) / 2 * (n - 1)
 *     else              they are the outer edges of these                      place = ((g + 1) * n - 1) / 2
 */
#include "op/kernel.h"
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

/* ---- GridSample's kernel ---- */

enum { SIDE_MAX = 4 }; /* neighbors along one axis: 1 nearest, 2 linear, 4 cubic */

typedef struct sampler {
    const rg_array *x;
    int axes, side;
    bool corners, border, reflection;
    int64_t stride[RG_RANK_MAX];
} sampler;

/* Neighbors along one axis, weighed; -1: outside, which is zero. */
typedef struct neighbors { int64_t at[SIDE_MAX]; double weight[SIDE_MAX]; } neighbors;
/* A pixel of a plane, weighed. */
typedef struct pixel { int64_t at; double weight; } pixel;

static rg_err open_sampler(const rg_run *r, sampler *s)
{
    static const struct { const char *mode; int side; } modes[] = {
        {"nearest", 1}, {"linear", 2}, {"bilinear", 2}, {"cubic", 4}, {"bicubic", 4},
    };
    rg_str mode = rg_op_str(&r->site, "mode"), padding = rg_op_str(&r->site, "padding_mode");
    const rg_array *x = rg_arg(r, 0);
    *s = (sampler){
        .x = x, .axes = x->rank - 2, .corners = rg_op_int(&r->site, "align_corners") != 0,
        .border = rg_str_is(padding, "border"), .reflection = rg_str_is(padding, "reflection"),
    };
    for (size_t i = 0; i < RG_COUNT(modes); i++)
        if (rg_str_is(mode, modes[i].mode)) s->side = modes[i].side;
    if (!s->side)
        return rg_run_fail(r, RG_FORMAT, "mode '%.*s' is none of nearest, linear, cubic", RG_STR(mode));
    if (!s->border && !s->reflection && !rg_str_is(padding, "zeros"))
        return rg_run_fail(r, RG_FORMAT, "padding_mode '%.*s' is none of zeros, border, reflection",
                           RG_STR(padding));
    rg_array_strides(x, s->stride);
    return RG_OK;
}

/* Mirrored at both ends until it lies between them. */
static double reflect(double place, double low, double high)
{
    double size = high - low;
    if (place >= low && place <= high) return place;
    if (size <= 0) return low;
    double rest = fmod(place < low ? low - place : place - high, 2 * size);
    if (rest > size) rest = 2 * size - rest;
    return place < low ? low + rest : high - rest;
}

/* Into the image as the padding mode has it; zeros leaves it outside. */
static double pad(const sampler *s, double place, double size)
{
    if (s->border) return fmin(fmax(place, 0), size - 1);
    if (s->reflection) return s->corners ? reflect(place, 0, size - 1) : reflect(place, -0.5, size - 0.5);
    return place;
}

/* Weights of the four neighbors of a point that is `t` behind the second: Keys' cubic with a = -0.75. */
static void weigh_cubic(double t, double weight[SIDE_MAX])
{
    const double a = -0.75;
    for (int k = 0; k < SIDE_MAX; k++) {
        double d = fabs(k - 1 - t);
        weight[k] = d <= 1 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    }
}

static neighbors locate(const sampler *s, int axis, double coordinate)
{
    const double far = 0x1p52; /* beyond any image, still a whole number that can step by one */
    double size = (double)s->x->dim[2 + axis];
    double place = s->corners ? (coordinate + 1) / 2 * (size - 1) : ((coordinate + 1) * size - 1) / 2;
    neighbors n = {.weight = {1}};
    place = fmin(fmax(place, -far), far); /* NaN becomes -far */
    if (s->side == 1) place = rint(place);
    place = pad(s, place, size);
    double low = s->side == 1 ? place : floor(place);
    if (s->side == 2) {
        n.weight[0] = 1 - (place - low);
        n.weight[1] = place - low;
    }
    if (s->side == 4) weigh_cubic(place - low, n.weight);
    for (int k = 0; k < s->side; k++) {
        double at = pad(s, low + k - (s->side == 4), size);
        n.at[k] = at >= 0 && at < size ? (int64_t)at : -1;
    }
    return n;
}

/* The pixels around a point, [side] along each axis. */
static int64_t gather(const sampler *s, const rg_array *grid, int64_t point, pixel *out)
{
    neighbors axis[RG_RANK_MAX];
    int64_t side[RG_RANK_MAX], index[RG_RANK_MAX] = {0}, count = 0;
    for (int i = 0; i < s->axes; i++) {
        axis[i] = locate(s, i, rg_get(grid, point * s->axes + s->axes - 1 - i));
        side[i] = s->side;
    }
    do {
        pixel p = {0, 1};
        bool inside = true;
        for (int i = 0; i < s->axes; i++) {
            int64_t at = axis[i].at[index[i]];
            inside = inside && at >= 0;
            p.at += at * s->stride[2 + i];
            p.weight *= axis[i].weight[index[i]];
        }
        if (inside) out[count++] = p;
    } while (rg_index_next(s->axes, side, index));
    return count;
}

static rg_err sample_run(const rg_run *r)
{
    const rg_array *grid = rg_arg(r, 1), *y = rg_result(r, 0);
    sampler s;
    RG_TRY(open_sampler(r, &s));
    if (s.side > 1) RG_TRY(rg_need_numbers(r)); /* the nearest pixel of anything is copied */
    if (y->count == 0) return RG_OK;
    if (s.side == 1) rg_clear(y); /* where a point sees no pixel */
    pixel *pixels = RG_NEW(r->scratch, pixel, pow(s.side, s.axes));
    if (!pixels) return rg_nomem(r->site.cx);
    int64_t plane = rg_array_size(s.x, 2, s.x->rank), points = rg_array_size(y, 2, y->rank);
    for (int64_t i = 0; i < y->dim[0] * points; i++) {
        int64_t count = gather(&s, grid, i, pixels);
        for (int64_t c = i / points * y->dim[1]; c < (i / points + 1) * y->dim[1]; c++) {
            int64_t at = c * points + i % points;
            double sum = 0;
            for (int64_t k = 0; k < count && s.side > 1; k++)
                sum += pixels[k].weight * rg_get(s.x, c * plane + pixels[k].at);
            if (s.side > 1) rg_put(y, at, sum);
            else if (count) rg_copy(y, at, s.x, c * plane + pixels[0].at);
        }
    }
    return RG_OK;
}

RG_OP(grid_sample) = {
    .name = "GridSample", .brief = "reads an image at the points of a grid", .since = 20,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_SPEC(sample_attrs) RG_CASES(sample_cases)
    .infer = sample_infer, .work = sample_work, .run = sample_run, .upgrade = sample_upgrade,
};

static rg_err affine_infer(const rg_site *s)
{
    uint32_t count;
    rg_dim out[RG_RANK_MAX], batch, same;
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
    RG_TRY(rg_need_equal(s, "rows of theta, and spatial axes", theta->dim[1], rank - 2, &same));
    RG_TRY(rg_need_equal(s, "columns of theta, and spatial axes and 1", theta->dim[2], rank - 1, &same));
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

/* Point i of n along an axis; the only one where corners are aligned is the middle. */
static double along(int64_t i, int64_t n, bool corners)
{
    if (corners) return n > 1 ? 2 * (double)i / (double)(n - 1) - 1 : 0;
    return (2 * (double)i + 1) / (double)n - 1;
}

static rg_err affine_run(const rg_run *r)
{
    const rg_array *theta = rg_arg(r, 0), *y = rg_result(r, 0);
    bool corners = rg_op_int(&r->site, "align_corners") != 0;
    int axes = y->rank - 2;
    int64_t index[RG_RANK_MAX] = {0}, at = 0; /* [batch, spatial...] */
    RG_TRY(rg_need_numbers(r));
    if (y->count == 0) return RG_OK;
    do {
        for (int row = 0; row < axes; row++, at++) {
            int64_t matrix = (index[0] * axes + row) * (axes + 1);
            double sum = rg_get(theta, matrix + axes);
            for (int k = 0; k < axes; k++)
                sum += rg_get(theta, matrix + k) * along(index[axes - k], y->dim[axes - k], corners);
            rg_put(y, at, sum);
        }
    } while (rg_index_next(axes + 1, y->dim, index));
    return RG_OK;
}

RG_OP(affine_grid) = {
    .name = "AffineGrid", .brief = "grids of points, turned and moved by matrices", .since = 20,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_SPEC(affine_attrs) RG_CASES(affine_cases)
    .infer = affine_infer, .work = affine_work, .run = affine_run,
};
