/* tile_kpu.c - a row on tile engines with local memory: result tiles are dealt to the engines, operands
 * stream in.
 *
 *     tiles = ceil(m / T) * ceil(n / T) * batch; an engine computes one at a time in k clocks, plus T to fill
 *     the array; while it computes, the next tile's operands arrive in the other half of its local memory
 *
 *     utilization = m n / (ceil(m / T) T ceil(n / T) T) * k / (k + T)
 *                   * tiles / (engines * ceil(tiles / engines))
 */
#include "map/map.h"

#include <math.h>

void rg_tile_kpu(const rg_plan *plan, rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    const rg_work *w = &row->work;
    rg_tiling *t = &row->tiling;
    double block = 0;
    if (row->peak->unit == RG_MATRIX && e->tile[0] > 0 && rg_row_is_product(row) && w->mac > 0) {
        double edge = e->tile[0], m = rg_ceil_div(w->m, edge), n = rg_ceil_div(w->n, edge);
        t->tile[0] = t->tile[1] = edge, t->tile[2] = w->k;
        t->blocks = m * n * w->batch;
        double rounds = rg_ceil_div(t->blocks, row->unit_count);
        t->occupancy = w->m * w->n / (m * edge * n * edge);
        t->utilization = t->occupancy * w->k / (w->k + edge) * t->blocks / (row->unit_count * rounds);
        /* neighboring tiles share operands in local memory: half of it holds a block of this edge */
        double element = fmax(rg_hw_dtype_bits(row->dtype) / 8.0, 1);
        block = fmax(floor(sqrt(plan->device->levels[0].usable_byte / 2 / (3 * element))), 1);
    } else {
        t->blocks = fmax(row->width.threads, 1);
        t->utilization = fmin(1, t->blocks / fmax(row->op_per_clock / 2, 1));
    }
    t->units = fmin(row->unit_count, t->blocks);
    t->waves = rg_ceil_div(t->blocks, t->units);
    rg_level_traffic(plan, row, block, block);
}
