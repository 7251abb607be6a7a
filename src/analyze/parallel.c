/* parallel.c - how wide a node is: how many results it computes independently of each other, and along what.
 *
 * Which axes are the batch, the channels and the positions follows from the kind of kernel:
 *
 *     convolution, pooling, and anything else of rank 4 and up   [batch, channels, positions...]
 *     products                                                   m rows (positions), n columns, `batch` times
 *     the rest                                                   [batch, positions..., channels]
 *
 * Every channel of a depthwise convolution is independent: it is narrow per channel, not sequential.
 */
#include "analyze/flow.h"

typedef enum lanes { LANES_NONE, LANES_CHANNELS, LANES_SPATIAL, LANES_COLUMNS } lanes;

static const char *const lane_name[] = {"none", "channels", "spatial", "columns"};

/* What vector lanes take: blocked channels where a window slides over positions, else what is contiguous. */
static const lanes lanes_of[RG_FAMILY_COUNT] = {
    [RG_FAMILY_GEMM] = LANES_COLUMNS,
    [RG_FAMILY_CONV] = LANES_CHANNELS,
    [RG_FAMILY_DEPTHWISE] = LANES_CHANNELS,
    [RG_FAMILY_ATTENTION] = LANES_COLUMNS,
    [RG_FAMILY_RECURRENT] = LANES_COLUMNS,
    [RG_FAMILY_ELEMENTWISE] = LANES_SPATIAL,
    [RG_FAMILY_NORM] = LANES_SPATIAL,
    [RG_FAMILY_SOFTMAX] = LANES_COLUMNS,
    [RG_FAMILY_REDUCE] = LANES_COLUMNS,
    [RG_FAMILY_POOL] = LANES_CHANNELS,
    [RG_FAMILY_MOVE] = LANES_COLUMNS,
    [RG_FAMILY_EMBED] = LANES_COLUMNS,
};

static double size_at(const rg_graph *g, const rg_type *type, int axis)
{
    return (double)rg_dim_value(&g->dims, type->dim[axis]);
}

static bool slides(rg_family family)
{
    return family == RG_FAMILY_CONV || family == RG_FAMILY_DEPTHWISE || family == RG_FAMILY_POOL;
}

static bool multiplies(rg_family family)
{
    return family == RG_FAMILY_GEMM || family == RG_FAMILY_ATTENTION || family == RG_FAMILY_RECURRENT;
}

/* Batch, channels and positions of a tensor. */
static void spread(const rg_graph *g, const rg_type *type, rg_family family, rg_width *w)
{
    int rank = type->kind == RG_KIND_TENSOR && type->rank > 0 ? type->rank : 0;
    bool channels_first = slides(family) || rank >= 4;
    int channel_axis = rank < 2 ? 0 : channels_first ? 1 : rank - 1;
    for (int axis = 0; axis < rank; axis++) {
        double size = size_at(g, type, axis);
        if (axis == channel_axis) w->channels = size;
        else if (axis == 0) w->batch = size;
        else w->spatial *= size;
    }
}

rg_width rg_node_width(const rg_graph *g, const rg_node *node, const rg_work *work)
{
    rg_width w = {.batch = 1, .channels = 1, .spatial = 1};
    const rg_type *type = &g->values[node->out_count ? node->out[0] : 0].type;
    if (multiplies(work->family)) w.batch = work->batch, w.channels = work->n, w.spatial = work->m;
    else spread(g, type, work->family, &w);
    w.threads = w.batch * w.channels * w.spatial;
    w.depthwise = work->family == RG_FAMILY_DEPTHWISE;
    w.grouped = work->family == RG_FAMILY_CONV && work->batch > 1;
    lanes take = lanes_of[work->family];
    if (take == LANES_SPATIAL && type->rank < 4) take = LANES_COLUMNS; /* the last axis is no position */
    double columns = type->rank > 0 ? size_at(g, type, type->rank - 1) : 1;
    if (multiplies(work->family)) columns = work->n;
    w.vector_dim = lane_name[take];
    w.vector_length = take == LANES_CHANNELS  ? w.channels
                      : take == LANES_SPATIAL ? w.spatial
                      : take == LANES_COLUMNS ? columns
                                              : 1;
    w.split_batch = w.batch > 1;
    w.split_channels = w.channels > 1;
    w.split_spatial = w.spatial > 1;
    return w;
}

/* ---- histograms ---- */

const char *const rg_thread_bucket_name[RG_THREAD_BUCKETS] = {"< 1K", "1K - 10K", "10K - 100K", ">= 100K"};
const char *const rg_intensity_bucket_name[RG_INTENSITY_BUCKETS] = {
    "< 1", "1 - 4", "4 - 16", "16 - 64", "64 - 256", ">= 256",
};

static int bucket(double x, double first_edge, double ratio, int count)
{
    int i = 0;
    for (double edge = first_edge; i < count - 1 && x >= edge; edge *= ratio) i++;
    return i;
}

int rg_thread_bucket(double threads) { return bucket(threads, 1e3, 10, RG_THREAD_BUCKETS); }
int rg_intensity_bucket(double flop_per_byte) { return bucket(flop_per_byte, 1, 4, RG_INTENSITY_BUCKETS); }
