/* roi.c - pooling regions of interest to one size: MaxRoiPool, RoiAlign.
 *
 * How large the regions are only the data know. MaxRoiPool is priced as if each covered the whole map;
 * RoiAlign reads a stated number of samples for each output, or one that follows the region's size: then
 * 2 x 2 is assumed, what the published detectors use.
 */
#include "op/share.h"

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
    const int64_t *pooled = rg_op_ints(s, "pooled_shape", &count);
    RG_TRY(rg_need_rank(s, 0, 4, 4));
    RG_TRY(rg_need_rank(s, 1, 2, 2));
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

RG_OP(max_roi_pool) = {
    .name = "MaxRoiPool", .brief = "maxima of regions of interest, pooled to one size", .since = 1,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_SPEC(max_attrs) RG_CASES(max_cases)
    .infer = max_infer, .work = max_work,
};

static rg_err align_infer(const rg_site *s)
{
    rg_dim regions;
    RG_TRY(rg_need_rank(s, 0, 4, 4));
    RG_TRY(rg_need_rank(s, 1, 2, 2));
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

RG_OP(roi_align) = {
    .name = "RoiAlign", .brief = "regions of interest sampled to one size by interpolation", .since = 16,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(align_attrs) RG_CASES(align_cases)
    .infer = align_infer, .work = align_work, .upgrade = align_upgrade,
};
