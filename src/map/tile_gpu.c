/* tile_gpu.c - a row on a GPU: thread blocks, breadth first over the SMs, in waves.
 *
 *     blocks 0..SMs-1 go to different SMs first; only then does an SM take a second one. So a launch of `blocks` takes
 *     ceil(blocks / SMs) rounds of block time, whatever the occupancy: utilization = blocks / (SMs * rounds).
 *
 * Products try the tile sizes that vendor libraries ship and keep the one with the least predicted time. Elementwise
 * work is 256 threads a block, four elements a thread (16-byte loads of f32).
 */
#include "map/map.h"

#include <math.h>

enum { BLOCK_THREADS = 256, ELEMENTS_PER_THREAD = 4, STAGES = 3, STEP_BYTE = 64, SPLIT_MAX = 16 };

/* m, n of CUTLASS's default threadblock shapes, large to small. */
static const double tiles[][2] = {{256, 128}, {128, 256}, {128, 128}, {128, 64}, {64, 128}, {64, 64}, {64, 32}, {32, 64}, {32, 32}, {16, 32}};

/* Blocks that fit on one SM: threads, shared memory for STAGES slabs of both operands, registers for the f32 result. */
static double blocks_per_unit(const rg_engine *e, double tm, double tn, double threads)
{
    double limit = e->threads > 0 ? floor(e->threads / threads) : 1;
    if (e->blocks > 0) limit = fmin(limit, e->blocks);
    if (e->shared_byte > 0) limit = fmin(limit, floor(e->shared_byte / (STAGES * STEP_BYTE * (tm + tn))));
    if (e->register_byte > 0) limit = fmin(limit, floor(e->register_byte / (tm * tn * 4 * 1.5))); /* half again for operands */
    return fmax(limit, 0);
}

static double balance(double blocks, double units) { return blocks / (units * rg_ceil_div(blocks, units)); }

/* Time of a candidate in units of "the whole product at peak", the slower of compute and the traffic of the level
 * behind the SMs at that device's own ridge. */
static double candidate_cost(const rg_plan *plan, const rg_row *row, double tm, double tn, double split, double units)
{
    const rg_work *w = &row->work;
    double blocks = rg_ceil_div(w->m, tm) * rg_ceil_div(w->n, tn) * w->batch * split;
    double fill = w->m * w->n / (rg_ceil_div(w->m, tm) * tm * rg_ceil_div(w->n, tn) * tn);
    double compute = 1 / (fill * balance(blocks, units));
    double rate = rg_row_rate(row, rg_device_clock_max(plan->device));
    size_t far = plan->device->level_count > 1 ? 1 : 0;
    double partial = split > 1 ? 2 * split * w->m * w->n * w->batch * 4 : 0; /* f32 partial sums, out and back */
    double bytes = rg_product_traffic(row, tm, tn) + partial;
    double share = fmin(1, blocks / units);
    double traffic = bytes / (plan->device->levels[far].read_byte_per_s * share) * rate / (2 * w->mac);
    return fmax(compute, traffic);
}

static void tile_product(const rg_plan *plan, rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    rg_tiling *t = &row->tiling;
    const rg_work *w = &row->work;
    double best = INFINITY;
    for (size_t i = 0; i < RG_COUNT(tiles); i++) {
        double tm = tiles[i][0], tn = tiles[i][1], threads = tm * tn >= 128 * 64 ? BLOCK_THREADS : 128;
        double fit = blocks_per_unit(e, tm, tn, threads);
        if (fit < 1) continue;
        for (double split = 1; split <= SPLIT_MAX && (split == 1 || w->k / split >= 4 * STEP_BYTE); split *= 2) {
            double cost = candidate_cost(plan, row, tm, tn, split, e->count);
            if (cost >= best * 0.999) continue;
            best = cost;
            t->tile[0] = tm, t->tile[1] = tn, t->tile[2] = STEP_BYTE / fmax(rg_hw_dtype_bits(row->dtype) / 8.0, 1);
            t->split_k = split;
            t->per_unit = fit;
            t->occupancy = fmin(1, fit * threads / e->threads);
        }
    }
    if (!t->tile[0]) t->tile[0] = t->tile[1] = 16, t->per_unit = 1;
    double m = rg_ceil_div(w->m, t->tile[0]), n = rg_ceil_div(w->n, t->tile[1]);
    t->blocks = m * n * w->batch * t->split_k;
    double fill = w->m * w->n / (m * t->tile[0] * n * t->tile[1]);
    t->utilization = fill * balance(t->blocks, e->count);
}

static void tile_flat(const rg_plan *plan, rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    rg_tiling *t = &row->tiling;
    double elements = fmax(row->width.threads, 1);
    /* a reduction is a block a row when rows are long, a warp a row when they are short */
    double per_block = row->work.k > 1 ? (row->work.k >= 1024 ? 1 : BLOCK_THREADS / fmax(e->warp, 1))
                                       : (double)BLOCK_THREADS * ELEMENTS_PER_THREAD;
    t->blocks = fmax(rg_ceil_div(elements, per_block), 1);
    t->per_unit = fmax(e->threads > 0 ? floor((double)e->threads / BLOCK_THREADS) : 1, 1);
    t->tile[0] = per_block;
    t->occupancy = fmin(1, t->blocks / (e->count * t->per_unit));
    t->utilization = fmin(1, elements / (t->blocks * per_block)) * balance(t->blocks, e->count);
}

void rg_tile_gpu(const rg_plan *plan, rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    bool product = rg_row_is_product(row) && row->work.mac > 0;
    if (product && row->family != RG_FAMILY_DEPTHWISE) tile_product(plan, row);
    else tile_flat(plan, row);
    row->tiling.units = fmin(e->count, row->tiling.blocks);
    row->tiling.waves = rg_ceil_div(row->tiling.blocks, e->count * row->tiling.per_unit);
    rg_level_traffic(plan, row, row->tiling.tile[0], row->tiling.tile[1]);
}
