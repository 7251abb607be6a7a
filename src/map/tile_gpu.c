/* tile_gpu.c - a row on a GPU: thread blocks, breadth first over the SMs, in waves.
 *
 *     blocks 0..SMs-1 go to different SMs first; only then does an SM take a second one. So a launch takes
 *     ceil(blocks / SMs) rounds of block time, whatever the occupancy:
 *
 *         utilization = fill * blocks / (SMs * ceil(blocks / SMs))        133 blocks on 132 SMs: 133 / 264
 *
 * Products try the tile sizes that vendor libraries ship and keep the one with the least predicted time, with
 * the reduction cut into pieces where that fills more SMs. Elementwise work is 256 threads a block, four
 * elements a thread (16-byte loads of f32).
 */
#include "map/map.h"

#include <math.h>

enum {
    BLOCK_THREADS = 256,
    SMALL_BLOCK_THREADS = 128, /* of tiles below 128 x 64 */
    ELEMENTS_PER_THREAD = 4,
    LONG_ROW = 1024,           /* elements from which a reduction takes a block a row, not a warp */
    STAGES = 3,                /* slabs of both operands that lie in shared memory ... */
    SLAB_BYTE = 64,            /* ... each so many bytes of k */
    BULK_AHEAD = 2,            /* slabs that are fetched ahead by bulk copies, which run by themselves ... */
    THREADS_AHEAD = 1,         /* ... and where threads of the block fetch them */
    SPLIT_MAX = 16,
    SPLIT_K_MIN = 256,         /* of k for each piece */
};

/* m, n of CUTLASS's default threadblock shapes, large to small: what a library is assumed to have. */
static const double tiles[] = {256, 128, 128, 256, 128, 128, 128, 64, 64, 128,
                               64,  64,  64,  32,  32,  64,  32,  32, 16, 32};

static double tile_threads(double tm, double tn)
{
    return tm * tn >= 128 * 64 ? BLOCK_THREADS : SMALL_BLOCK_THREADS;
}

/* Blocks that fit on one SM by threads, shared memory and registers: the f32 result and half of it again. */
static double blocks_per_unit(const rg_engine *e, double tm, double tn)
{
    double limit = e->threads > 0 ? floor(e->threads / tile_threads(tm, tn)) : 1;
    if (e->blocks > 0) limit = fmin(limit, e->blocks);
    if (e->shared_byte > 0) limit = fmin(limit, floor(e->shared_byte / (STAGES * SLAB_BYTE * (tm + tn))));
    if (e->register_byte > 0) limit = fmin(limit, floor(e->register_byte / (tm * tn * 4 * 1.5)));
    return fmax(limit, 0);
}

static double balance(double blocks, double units) { return blocks / (units * rg_ceil_div(blocks, units)); }

/* The same of a library that counts in waves: as many blocks as are resident begin together, and where there
 * are more, the last wave takes as long as the others. */
static double wave_balance(double blocks, double units, double per_unit)
{
    double resident = units * per_unit;
    return blocks <= resident ? balance(blocks, units) : balance(blocks, resident);
}

/* f32 sums of the pieces of a split reduction, written and read again. */
static double partial_byte(const rg_work *w, double split)
{
    return split > 1 ? 2 * split * w->m * w->n * w->batch * 4 : 0;
}

/* Bytes of an element as it comes from memory: weights may be stored narrower than they are computed. */
static double element_byte(const rg_row *row)
{
    const rg_work *w = &row->work;
    double computed = fmax(rg_hw_dtype_bits(row->dtype) / 8.0, 1),
           stored = w->weight_byte / (w->n * w->k * w->batch);
    return w->weight_in_b && stored > 0 && stored < computed ? stored : computed;
}

/* A product cut into blocks of tm x tn, its reduction into `split` pieces. */
static void cut(const rg_engine *e, const rg_row *row, const rg_library_tiles *own, double tm, double tn,
                double split, rg_tiling *t)
{
    const rg_work *w = &row->work;
    double m = rg_ceil_div(w->m, tm), n = rg_ceil_div(w->n, tn);
    t->tile[0] = tm, t->tile[1] = tn;
    t->tile[2] = SLAB_BYTE / element_byte(row);
    t->split_k = split;
    double ahead = e->bulk_copies ? BULK_AHEAD : THREADS_AHEAD;
    t->trips = rg_ceil_div(w->k / split, t->tile[2]) / ahead + 1;
    t->blocks = m * n * w->batch * split;
    double even = own && own->in_waves ? wave_balance(t->blocks, row->unit_count, t->per_unit)
                                       : balance(t->blocks, row->unit_count);
    t->utilization = row->filled * w->m * w->n / (m * tm * n * tn) * even;
}

/* The part of the result that one fetch from the level behind the SMs serves: two blocks. Neighbors that
 * run side by side need one operand in common, and its second request is answered on the way: by the L2
 * request coalescer of Ampere, by multicast in a cluster of Hopper. Without it no product could reach the
 * peak of the latter. */
static void fetch_shape(const rg_tiling *t, double *m, double *n)
{
    *m = t->tile[0] <= t->tile[1] ? 2 * t->tile[0] : t->tile[0];
    *n = t->tile[0] <= t->tile[1] ? t->tile[1] : 2 * t->tile[1];
}

/* Instructions that multiply, of all: a thread with p results loads 2 sqrt(p) operands a step, four at
 * once. */
static double issue_share(const rg_tiling *t)
{
    double p = t->tile[0] * t->tile[1] / tile_threads(t->tile[0], t->tile[1]);
    return p / (p + sqrt(p) / 2);
}

/* What a tile reaches of the rate of the largest on lanes. A thread with p results multiplies p times a step
 * and fetches 2 sqrt(p) operands from shared memory, each for as long as a multiplication; kernels on lanes
 * take 256 threads for more than 128 x 64, else 128. By this 64, 32, 16 and 8 results a thread reach 1, 0.92,
 * 0.83 and 0.73 (NeuSight, large `linear`: 0.86, 0.79, 0.69, 0.60 of the peak on V100; 0.81, 0.73, 0.66, 0.59
 * on A100). */
static double reached(const rg_row *row, const rg_tiling *t)
{
    enum { MOST = 64 };
    double results = t->tile[0] * t->tile[1];
    double p = fmin(results / (results > 128 * 64 ? BLOCK_THREADS : SMALL_BLOCK_THREADS), MOST);
    if (row->peak->unit != RG_VECTOR) return 1;
    return (1 + 2 / sqrt(MOST)) / (1 + 2 / sqrt(p));
}

/* Its time in units of "the whole product at peak": the slower of compute and the traffic of the level behind
 * the SMs, of which few blocks draw only their share. Of equals the one that computes least padding. */
static double cost_of(const rg_plan *plan, const rg_row *row, const rg_tiling *t)
{
    const rg_level *behind = &plan->device->levels[plan->device->level_count > 1 ? 1 : 0];
    double m, n;
    fetch_shape(t, &m, &n);
    double bytes = rg_product_traffic(row, m, n) + partial_byte(&row->work, t->split_k);
    double share = fmin(1, t->blocks / row->unit_count);
    double rate = rg_row_rate(row, rg_device_clock_max(plan->device));
    double share_done = row->peak->unit == RG_VECTOR ? reached(row, t) : issue_share(t);
    double compute = 1 / (t->utilization * share_done);
    /* few SMs draw no more than their own memories take in: the bandwidth that roofline.c prices */
    double drawn = fmin(behind->read_byte_per_s, share * plan->device->levels[0].read_byte_per_s);
    double traffic = bytes / drawn * rate / (2 * row->work.mac);
    double waves = rg_ceil_div(t->blocks, row->unit_count * t->per_unit); /* each waits for its slabs of k */
    double wait = waves * t->trips * behind->latency_s * rate / (2 * row->work.mac);
    double join = t->split_k > 1 ? plan->device->launch_s * rate / (2 * row->work.mac) : 0;
    return fmax(fmax(compute, traffic), wait) + join + compute / 1000;
}

/* Where lanes are as many as the schedulers issue for (4 of a warp each in every SM since Maxwell: CUDA C++
 * guide), an instruction that is no multiplication costs the lanes a clock; where they are half as many, it
 * goes in between. */
static double issue_limit(const rg_row *row, const rg_engine *e)
{
    enum { SCHEDULERS = 4 };
    double lanes = row->peak->op_per_clock / 2;
    if (row->peak->unit != RG_VECTOR || e->warp <= 0) return 1;
    return fmin(1, issue_share(&row->tiling) * SCHEDULERS * e->warp / lanes);
}

static const rg_library_tiles *own_tiles(const rg_plan *plan, const rg_row *row)
{
    return rg_runtime_tiles(plan->runtime, plan->device->architecture, rg_hw_dtype_name(row->dtype),
                            row->work.weight_in_b);
}

static void tile_product(const rg_plan *plan, rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    const rg_work *w = &row->work;
    const rg_library_tiles *own = own_tiles(plan, row);
    const double *sizes = own ? own->sizes : tiles;
    size_t count = own ? own->size_count : RG_COUNT(tiles);
    double least = INFINITY;
    for (size_t i = 0; i + 1 < count; i += 2) {
        double tm = sizes[i], tn = sizes[i + 1], fit = blocks_per_unit(e, tm, tn);
        rg_tiling t = row->tiling;
        t.blocks = 0;
        for (double split = 1; split <= SPLIT_MAX && fit >= 1; split *= 2) {
            if (split > 1 && (w->k / split < SPLIT_K_MIN || t.blocks >= row->unit_count)) break;
            if (split > 1 && own && !own->weights) break; /* batches are not split */
            t.per_unit = fit;
            cut(e, row, own, tm, tn, split, &t);
            double cost = cost_of(plan, row, &t);
            if (cost >= least) continue; /* of equals the larger tile, which comes first */
            least = cost;
            t.occupancy = fmin(1, fit * tile_threads(tm, tn) / fmax(e->threads, 1));
            row->tiling = t;
        }
    }
    /* a unit too small for any of them computes the smallest anyway */
    if (isinf(least)) cut(e, row, own, sizes[count - 2], sizes[count - 1], 1, &row->tiling);
    row->tiling.utilization *= issue_limit(row, e);
    if (row->family == RG_FAMILY_GEMM) row->tiling.utilization *= reached(row, &row->tiling);
}

/* Blocks that run side by side ask the last cache for the same slabs of k, but not at the same time: what
 * other slabs have pushed out meanwhile comes from main memory again. Where weights fill the cache more than
 * once,
 *
 *     strays = min(s (weights / cache)^0.18, 2) of what all blocks ask       s: of the library's kernels
 *
 * 2: a burst of memory has 64 bytes, a row of a slab asks for 32. The power is that of NeuSight's `linear`
 * with tiles of 32 x 128 on P4 (0.73 of it at 2 times its cache, 0.99 at 27, 1.54 at 160) and on P100 (1.2 at
 * 34, 1.33 at 100), by their times and sustained bandwidths. */
#define STRAY_POWER 0.18
#define STRAY_MOST 2

static void lose_strays(const rg_plan *plan, rg_row *row)
{
    const rg_library_tiles *own = own_tiles(plan, row);
    size_t last = plan->device->level_count - 1;
    if (!own || own->strays <= 0 || last < 1) return;
    double times = row->work.weight_byte / plan->device->levels[last - 1].capacity_byte;
    double asked = rg_product_traffic(row, row->tiling.tile[0], row->tiling.tile[1]);
    double strays = fmin(own->strays * pow(times, STRAY_POWER), STRAY_MOST) * asked;
    if (times > 1) row->tiling.traffic_byte[last] = fmax(row->tiling.traffic_byte[last], strays);
}

/* Long sums of which there are few are cut, and their pieces joined by atomic operations, so that all SMs
 * have some (CUDA C++ samples, "reduction": a grid of as many blocks as run at once). */
static double pieces_of(const rg_row *row, double results, double room)
{
    if (row->family != RG_FAMILY_REDUCE || row->work.k < LONG_ROW) return 1;
    return fmax(fmin(floor(room / results), floor(row->work.k / LONG_ROW)), 1);
}

static void tile_flat(const rg_plan *plan, rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    rg_tiling *t = &row->tiling;
    double elements = fmax(row->width.threads, 1), per_block = BLOCK_THREADS * ELEMENTS_PER_THREAD;
    if (row->work.k > 1) per_block = row->work.k >= LONG_ROW ? 1 : BLOCK_THREADS / fmax(e->warp, 1);
    t->per_unit = fmax(floor((double)e->threads / BLOCK_THREADS), 1);
    per_block /= pieces_of(row, elements, row->unit_count * t->per_unit);
    t->blocks = rg_ceil_div(elements, per_block);
    t->tile[0] = per_block;
    t->occupancy = fmin(1, t->blocks / (row->unit_count * t->per_unit));
    t->utilization = elements / (t->blocks * per_block) * balance(t->blocks, row->unit_count);
}

void rg_tile_gpu(const rg_plan *plan, rg_row *row)
{
    rg_tiling *t = &row->tiling;
    bool product = rg_row_is_product(row) && row->work.mac > 0 && row->family != RG_FAMILY_DEPTHWISE;
    double m = 0, n = 0;
    if (product && row->family == RG_FAMILY_ATTENTION && row->kernels <= 1) {
        rg_tile_attention(plan, row);
        return;
    }
    if (product) {
        tile_product(plan, row);
        fetch_shape(t, &m, &n);
    } else {
        tile_flat(plan, row);
    }
    t->units = fmin(row->unit_count, t->blocks);
    t->waves = rg_ceil_div(t->blocks, row->unit_count * t->per_unit);
    rg_level_traffic(plan, row, m, n);
    if (product && plan->device->level_count > 1) t->traffic_byte[1] += partial_byte(&row->work, t->split_k);
    if (product) lose_strays(plan, row);
}
