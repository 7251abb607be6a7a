/* roi.c - pooling regions of interest to one size: MaxRoiPool, RoiAlign.
 *
 * How large the regions are only the data know. MaxRoiPool is priced as if each covered the whole map;
 * RoiAlign reads a stated number of samples for each output, or one that follows the region's size: then
 * 2 x 2 is assumed, what the published detectors use.
 */
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

static const rg_attr_spec max_attrs[] = {
    {"pooled_shape", RG_ATTR_INTS, NULL, true, "height and width of the output"},
    {"spatial_scale", RG_ATTR_FLOAT, "1.0", false, "from the regions' coordinates to those of the input"},
};

static const rg_attr_spec align_attrs[] = {
    {"coordinate_transformation_mode", RG_ATTR_STRING, "half_pixel", false,
     "half_pixel or output_half_pixel"},
    {"mode", RG_ATTR_STRING, "avg", false, "of the samples of one output: avg or max"},
    {"output_height", RG_ATTR_INT, "1", false, "height of the output"},
    {"output_width", RG_ATTR_INT, "1", false, "width of the output"},
    {"sampling_ratio", RG_ATTR_INT, "0", false,
     "samples along each side of an output; 0: as the region needs"},
    {"spatial_scale", RG_ATTR_FLOAT, "1.0", false, "from the regions' coordinates to those of the input"},
};

static const rg_case max_cases[] = {
    {"f32[1,512,14,14] f32[300,5]", "pooled_shape=7,7 spatial_scale=0.0625f", "f32[300,512,7,7]"},
};

static const rg_case align_cases[] = {
    {"f32[1,256,50,68] f32[1000,4] i64[1000]", "output_height=7 output_width=7 sampling_ratio=2",
     "f32[1000,256,7,7]"},
    {"f32[1,1,10,10] f32[3,4] i64[3]", NULL, "f32[3,1,1,1]"},
};

static rg_err set_pooled(const rg_site *s, rg_dim regions, int64_t height, int64_t width)
{
    const rg_type *x = rg_in_type(s, 0);
    if (height < 1 || width < 1)
        return rg_site_fail(s, RG_SHAPE, "an output of %lld x %lld", (long long)height, (long long)width);
    rg_set_out(s, 0, rg_type_tensor(x->dtype, 4, (rg_dim[]){regions, x->dim[1], height, width}));
    return RG_OK;
}

static rg_err max_infer(const rg_site *s)
{
    uint32_t count;
    rg_dim numbers;
    const int64_t *pooled = rg_op_ints(s, "pooled_shape", &count);
    RG_TRY(rg_need_rank(s, 0, 4, 4));
    RG_TRY(rg_need_rank(s, 1, 2, 2));
    RG_TRY(rg_need_equal(s, "numbers of a region", rg_in_type(s, 1)->dim[1], 5, &numbers));
    if (!pooled || count != 2)
        return rg_site_fail(s, RG_SHAPE, "pooled_shape has %u numbers, needs 2", count);
    return set_pooled(s, rg_in_type(s, 1)->dim[0], pooled[0], pooled[1]);
}

static void max_work(const rg_site *s, rg_work *w)
{
    double outputs = rg_out_count(s, 0);
    double map = (double)rg_in_dim(s, 0, 2) * (double)rg_in_dim(s, 0, 3);
    double bins = (double)rg_out_dim(s, 0, 2) * (double)rg_out_dim(s, 0, 3);
    w->family = RG_FAMILY_POOL;
    w->k = bins > 0 ? map / bins : 0;
    w->flop = outputs * w->k;
}

/* ---- MaxRoiPool's kernel: regions in whole pixels, their ends included ---- */

/* The image that a region is of, from the data. */
static rg_err read_batch(const rg_run *r, int64_t region, double batch, int64_t *out)
{
    int64_t count = rg_arg(r, 0)->dim[0];
    if (!(batch >= 0 && batch < (double)count))
        return rg_run_fail(r, RG_INPUT, "region %lld is of image %g, there are %lld", (long long)region,
                           batch, (long long)count);
    *out = (int64_t)batch;
    return RG_OK;
}

/* Part `i` of `parts` of the pixels from..to, cut at the map's edges. */
typedef struct span { int64_t from, to; } span; /* [from, to) */

static span part_of(double from, double to, int64_t i, int64_t parts, int64_t size)
{
    double part = fmax(to - from + 1, 1) / (double)parts;
    double low = floor((double)i * part) + from, high = ceil((double)(i + 1) * part) + from;
    return (span){(int64_t)fmin(fmax(low, 0), (double)size), (int64_t)fmin(fmax(high, 0), (double)size)};
}

/* The greatest element of a part of a plane; 0 when it is empty. */
static double greatest(const double *plane, int64_t width, span rows, span columns)
{
    double best = rows.from < rows.to && columns.from < columns.to ? -INFINITY : 0;
    for (int64_t i = rows.from; i < rows.to; i++)
        for (int64_t j = columns.from; j < columns.to; j++) best = fmax(best, plane[i * width + j]);
    return best;
}

static rg_err max_run(const rg_run *r)
{
    const rg_array *in = rg_arg(r, 0), *rois = rg_arg(r, 1), *y = rg_result(r, 0);
    const int64_t *dim = in->dim, *to = y->dim;
    double scale = rg_op_real(&r->site, "spatial_scale");
    int64_t batch = 0;
    RG_TRY(rg_need_numbers(r));
    const double *x = rg_doubles(r, in);
    if (!x) return rg_nomem(r->site.cx);
    for (int64_t at = 0, n = 0; at < y->count; n++) {
        double edge[4]; /* left, top, right, bottom */
        RG_TRY(read_batch(r, n, rg_get(rois, n * 5), &batch));
        for (int k = 0; k < 4; k++) edge[k] = round(rg_get(rois, n * 5 + 1 + k) * scale);
        for (int64_t i = 0; i < to[1] * to[2] * to[3]; i++, at++) {
            const double *plane = x + (batch * dim[1] + i / to[3] / to[2]) * dim[2] * dim[3];
            span rows = part_of(edge[1], edge[3], i / to[3] % to[2], to[2], dim[2]);
            span columns = part_of(edge[0], edge[2], i % to[3], to[3], dim[3]);
            rg_put(y, at, greatest(plane, dim[3], rows, columns));
        }
    }
    return RG_OK;
}

RG_OP(max_roi_pool) = {
    .name = "MaxRoiPool", .brief = "maxima of regions of interest, pooled to one size", .since = 1,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_SPEC(max_attrs) RG_CASES(max_cases)
    .infer = max_infer, .work = max_work, .run = max_run,
};

static rg_err align_infer(const rg_site *s)
{
    rg_dim regions, numbers;
    RG_TRY(rg_need_rank(s, 0, 4, 4));
    RG_TRY(rg_need_rank(s, 1, 2, 2));
    RG_TRY(rg_need_equal(s, "numbers of a region", rg_in_type(s, 1)->dim[1], 4, &numbers));
    RG_TRY(rg_need_rank(s, 2, 1, 1));
    RG_TRY(rg_need_equal(s, "regions and their batch indices", rg_in_type(s, 1)->dim[0],
                         rg_in_type(s, 2)->dim[0], &regions));
    return set_pooled(s, regions, rg_op_int(s, "output_height"), rg_op_int(s, "output_width"));
}

/* Each sample: four weights, four products, three sums, and one step of the mean or maximum. */
static void align_work(const rg_site *s, rg_work *w)
{
    enum { FLOP_PER_SAMPLE = 12, ASSUMED_SIDE = 2 };
    int64_t side = rg_op_int(s, "sampling_ratio");
    double samples = side > 0 ? (double)side * (double)side : ASSUMED_SIDE * ASSUMED_SIDE;
    w->family = RG_FAMILY_POOL;
    w->k = samples;
    w->flop = rg_out_count(s, 0) * samples * FLOP_PER_SAMPLE;
}

/* Opset 10 knew no shift by half a pixel. */
static rg_err align_upgrade(const rg_site *s)
{
    rg_attr mode = {
        .name = RG_LIT("coordinate_transformation_mode"), .kind = RG_ATTR_STRING,
        .s = RG_LIT("output_half_pixel"),
    };
    return rg_node_set_attr(s->cx, s->g, s->id, &mode);
}

/* ---- RoiAlign's kernel ---- */

/* A region cut into parts, each sampled at a grid of points: [0] along height, [1] along width. */
typedef struct region { double start[2], part[2]; int64_t points[2]; } region;

static rg_err read_region(const rg_run *r, int64_t n, region *out)
{
    enum { POINTS_MAX = 1 << 20 }; /* along one side of one part */
    const rg_array *rois = rg_arg(r, 1), *y = rg_result(r, 0);
    bool half = rg_str_is(rg_op_str(&r->site, "coordinate_transformation_mode"), "half_pixel");
    double scale = rg_op_real(&r->site, "spatial_scale"), shift = half ? 0.5 : 0;
    int64_t ratio = rg_op_int(&r->site, "sampling_ratio");
    for (int i = 0; i < 2; i++) {
        out->start[i] = rg_get(rois, n * 4 + 1 - i) * scale - shift;
        double size = rg_get(rois, n * 4 + 3 - i) * scale - shift - out->start[i];
        if (!half) size = fmax(size, 1); /* malformed regions become one pixel */
        out->part[i] = size / (double)y->dim[2 + i];
        double points = ratio > 0 ? (double)ratio : ceil(out->part[i]);
        if (!(points <= POINTS_MAX))
            return rg_run_fail(r, RG_LIMIT, "region %lld asks for %g points along a part, more than %d",
                               (long long)n, points, POINTS_MAX);
        out->points[i] = points > 0 ? (int64_t)points : 0;
    }
    return RG_OK;
}

/* The pixels around a place along one axis, weighed; beyond the outermost centers, these. */
typedef struct pair { int64_t low, high; double low_weight, high_weight; } pair;

static pair around(double place, int64_t size)
{
    double last = (double)(size - 1);
    if (!(place >= -1 && place <= (double)size)) return (pair){0, 0, 0, 0};
    place = fmin(fmax(place, 0), last);
    int64_t low = (int64_t)place;
    double rest = place - (double)low;
    return (pair){low, low < size - 1 ? low + 1 : low, 1 - rest, rest};
}

/* One part of one plane: the mean of its points, or the greatest of all their weighed pixels. */
static double pool_part(const region *g, const double *x, const int64_t *size, int64_t i, int64_t j,
                        bool max)
{
    double sum = 0, best = -INFINITY;
    int64_t count = g->points[0] * g->points[1];
    for (int64_t k = 0; k < count; k++) {
        double down = ((double)(k / g->points[1]) + 0.5) / (double)g->points[0] + (double)i;
        double across = ((double)(k % g->points[1]) + 0.5) / (double)g->points[1] + (double)j;
        pair h = around(g->start[0] + down * g->part[0], size[0]);
        pair w = around(g->start[1] + across * g->part[1], size[1]);
        double four[4] = {
            h.low_weight * w.low_weight * x[h.low * size[1] + w.low],
            h.low_weight * w.high_weight * x[h.low * size[1] + w.high],
            h.high_weight * w.low_weight * x[h.high * size[1] + w.low],
            h.high_weight * w.high_weight * x[h.high * size[1] + w.high],
        };
        for (int f = 0; f < 4; f++) {
            sum += four[f];
            best = fmax(best, four[f]);
        }
    }
    return count == 0 ? 0 : max ? best : sum / (double)count;
}

static rg_err align_run(const rg_run *r)
{
    const rg_array *in = rg_arg(r, 0), *y = rg_result(r, 0);
    const int64_t *dim = in->dim, *to = y->dim;
    bool max = rg_str_is(rg_op_str(&r->site, "mode"), "max");
    RG_TRY(rg_need_numbers(r));
    const double *x = rg_doubles(r, in);
    if (!x) return rg_nomem(r->site.cx);
    if (in->count == 0 && y->count > 0)
        return rg_run_fail(r, RG_SHAPE, "regions of an empty map");
    for (int64_t at = 0, n = 0; at < y->count; n++) {
        region g;
        int64_t batch = 0;
        RG_TRY(read_region(r, n, &g));
        RG_TRY(read_batch(r, n, rg_get(rg_arg(r, 2), n), &batch));
        for (int64_t c = 0; c < to[1]; c++) {
            const double *plane = x + (batch * dim[1] + c) * dim[2] * dim[3];
            for (int64_t i = 0; i < to[2] * to[3]; i++)
                rg_put(y, at++, pool_part(&g, plane, dim + 2, i / to[3], i % to[3], max));
        }
    }
    return RG_OK;
}

RG_OP(roi_align) = {
    .name = "RoiAlign", .brief = "regions of interest sampled to one size by interpolation", .since = 16,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(align_attrs) RG_CASES(align_cases)
    .infer = align_infer, .work = align_work, .run = align_run, .upgrade = align_upgrade,
};
