/* tile_cpu.c - a row on a CPU: cores take chunks, SIMD lanes (or the tile unit) take the vectorizable
 * dimension.
 *
 * A product runs as register blocks of 6 x 2 vectors (12 accumulators of the 16 or 32 registers, the shape
 * of the BLIS and oneDNN kernels for AVX2 and AVX-512); a matrix unit works on tiles of 16 x 16. What does
 * not fill a vector or a tile is lost; so is what does not divide among the cores.
 *
 *     blocks among u = min(cores, blocks, chunks) cores: ceil(blocks / u) rounds
 *     utilization = fill * blocks / (cores * rounds)
 *
 * chunks: a core is only woken for what takes longer than waking it.
 */
#include "map/map.h"

#include <math.h>

enum {
    BLOCK_ROWS = 6,
    BLOCK_VECTORS = 2,
    MATRIX_EDGE = 16,
    MATRIX_ROW_BYTE = 64,
    CHUNK_ELEMENTS = 16384, /* 64 KiB of f32: what a core streams during one fork and join */
    CHUNK_MAC = 65536,      /* multiply-adds of a product worth a thread (MLAS_SGEMM_THREAD_COMPLEXITY) */
};

static double fill_of(double extent, double lanes) { return extent / (rg_ceil_div(extent, lanes) * lanes); }

/* Tiles of a matrix unit; answers the share of them that is filled. */
static double tile_matrix(const rg_row *row, rg_tiling *t)
{
    const rg_work *w = &row->work;
    t->tile[0] = t->tile[1] = MATRIX_EDGE;
    t->tile[2] = MATRIX_ROW_BYTE / (rg_hw_dtype_bits(row->dtype) / 8.0);
    t->blocks = rg_ceil_div(w->m, t->tile[0]) * rg_ceil_div(w->n, t->tile[1]) * w->batch;
    return fill_of(w->m, t->tile[0]) * fill_of(w->n, t->tile[1]) * fill_of(w->k, t->tile[2]);
}

/* Register blocks. Lanes lie along n (packed weights) or along m, whichever loses less; where the result is
 * smaller than the accumulators, along k. */
static double tile_vector(const rg_row *row, rg_tiling *t, double lanes)
{
    const rg_work *w = &row->work;
    t->tile[0] = BLOCK_ROWS, t->tile[1] = BLOCK_VECTORS * lanes, t->tile[2] = w->k;
    t->blocks = rg_ceil_div(w->m, t->tile[0]) * rg_ceil_div(w->n, t->tile[1]) * w->batch;
    double fill = fmax(fill_of(w->n, lanes), fill_of(w->m, lanes));
    return w->m * w->n < 4 * lanes ? fmax(fill, fill_of(w->k, lanes)) : fill;
}

/* Everything else: chunks of elements. A point-wise loop runs over the tensor as if it were flat. */
static double tile_flat(const rg_row *row, rg_tiling *t, double lanes)
{
    bool flat = row->family == RG_FAMILY_ELEMENTWISE;
    double length = flat ? row->width.threads : row->width.vector_length;
    t->tile[0] = CHUNK_ELEMENTS;
    t->blocks = fmax(rg_ceil_div(row->width.threads * fmax(row->work.k, 1), CHUNK_ELEMENTS), 1);
    return fill_of(fmax(length, 1), lanes);
}

void rg_tile_cpu(const rg_plan *plan, rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    const rg_work *w = &row->work;
    rg_tiling *t = &row->tiling;
    double lanes = fmax(e->simd_bit / fmax(rg_hw_dtype_bits(row->dtype), 8), 1), chunks = INFINITY;
    if (row->peak->unit == RG_SCALAR) lanes = 1;
    if (rg_row_is_product(row) && w->mac > 0 && row->family != RG_FAMILY_DEPTHWISE) {
        t->occupancy = row->peak->unit == RG_MATRIX ? tile_matrix(row, t) : tile_vector(row, t, lanes);
        chunks = rg_ceil_div(w->mac / fmax(w->steps, 1), CHUNK_MAC);
    } else {
        t->occupancy = tile_flat(row, t, lanes);
    }
    t->units = fmin(row->unit_count, fmin(t->blocks, chunks));
    t->waves = rg_ceil_div(t->blocks, t->units);
    t->utilization = t->occupancy * t->blocks / (row->unit_count * t->waves);
    rg_level_traffic(plan, row, 0, 0);
}
