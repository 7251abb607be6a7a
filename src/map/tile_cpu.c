/* tile_cpu.c - a row on a CPU: cores take chunks, SIMD lanes (or the tile unit) take the vectorizable dimension.
 *
 * A product runs as register blocks of 6 × 2 vectors (12 accumulators of the 16 or 32 registers, the shape of the BLIS
 * and oneDNN kernels for AVX2 and AVX-512); a matrix unit works on tiles of 16 × 16. What does not fill a vector or a
 * tile is lost; so is what does not divide among the cores.
 */
#include "map/map.h"

#include <math.h>

enum { BLOCK_ROWS = 6, BLOCK_VECTORS = 2, MATRIX_EDGE = 16, CHUNK_MIN = 4096 };

static double fill_of(double extent, double lanes) { return extent / (rg_ceil_div(extent, lanes) * lanes); }

/* Cores that may be used: of all engines with this unit. */
static double core_count(const rg_plan *plan, const rg_row *row)
{
    double count = 0;
    for (size_t e = 0; e < plan->device->engine_count; e++)
        if (rg_device_peak(plan->device, (int)e, (int)row->peak->unit, row->peak->dtype)) count += plan->device->engines[e].count;
    return plan->threads > 0 ? fmin(count, plan->threads) : count;
}

void rg_tile_cpu(const rg_plan *plan, rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    rg_tiling *t = &row->tiling;
    const rg_work *w = &row->work;
    double lanes = row->peak->unit == RG_SCALAR ? 1 : fmax(e->simd_bit / fmax(rg_hw_dtype_bits(row->dtype), 8), 1);
    double cores = core_count(plan, row), fill;
    if (row->peak->unit == RG_MATRIX) {
        t->tile[0] = t->tile[1] = MATRIX_EDGE, t->tile[2] = 64.0 / (rg_hw_dtype_bits(row->dtype) / 8.0); /* 64-byte tile rows */
        fill = fill_of(w->m, MATRIX_EDGE) * fill_of(w->n, MATRIX_EDGE) * fill_of(w->k, t->tile[2]);
        t->blocks = rg_ceil_div(w->m, MATRIX_EDGE) * rg_ceil_div(w->n, MATRIX_EDGE) * w->batch;
    } else if (rg_row_is_product(row) && w->mac > 0 && row->family != RG_FAMILY_DEPTHWISE) {
        /* lanes along n (packed weights) or along m, whichever loses less; a vector product runs lanes along k */
        double along_n = fill_of(w->n, lanes), along_m = fill_of(w->m, lanes), along_k = fill_of(w->k, lanes);
        fill = fmax(fmax(along_n, along_m), w->m * w->n < 4 * lanes ? along_k : 0);
        t->tile[0] = BLOCK_ROWS, t->tile[1] = BLOCK_VECTORS * lanes, t->tile[2] = w->k;
        t->blocks = rg_ceil_div(w->m, t->tile[0]) * rg_ceil_div(w->n, t->tile[1]) * w->batch;
    } else {
        double length = fmax(row->width.vector_length, 1);
        fill = fill_of(length, lanes);
        t->tile[0] = CHUNK_MIN; /* elements below which forking costs more than it saves */
        t->blocks = fmax(rg_ceil_div(row->width.threads * fmax(w->k, 1), CHUNK_MIN), 1);
    }
    t->units = fmin(cores, t->blocks);
    t->waves = rg_ceil_div(t->blocks, t->units);
    t->occupancy = fill;
    t->utilization = fill * t->blocks / (cores * rg_ceil_div(t->blocks, cores));
    rg_level_traffic(plan, row, 0, 0);
}
