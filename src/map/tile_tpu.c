/* tile_tpu.c - a row on systolic arrays: one operand stays in the T x T array, the other streams through it.
 *
 *     passes = ceil(k / T) * ceil(n / T) * batch, spread over the arrays
 *     a pass takes max(m, T) clocks (loading the next stationary block takes T and hides behind the stream),
 *     the last one drains in 2 T (Jouppi et al. 2017, "In-datacenter performance analysis of a tensor
 *     processing unit")
 *
 *     utilization = m n k batch / (T T arrays) / (ceil(passes / arrays) * max(m, T) + 2 T)
 *
 * Either operand may be the stationary one; the compiler takes the better.
 */
#include "map/map.h"

#include <math.h>

static double clocks(const rg_work *w, double stream, double still, double edge, double arrays,
                     double *passes)
{
    *passes = rg_ceil_div(w->k, edge) * rg_ceil_div(still, edge) * w->batch;
    return rg_ceil_div(*passes, arrays) * fmax(stream, edge) + 2 * edge;
}

void rg_tile_tpu(const rg_plan *plan, rg_row *row)
{
    const rg_engine *e = &plan->device->engines[row->peak->engine];
    const rg_work *w = &row->work;
    rg_tiling *t = &row->tiling;
    if (row->peak->unit == RG_MATRIX && e->tile[0] > 0 && rg_row_is_product(row) && w->mac > 0) {
        double edge = e->tile[0], arrays = row->unit_count, passes_n, passes_m;
        double by_n = clocks(w, w->m, w->n, edge, arrays, &passes_n);
        double by_m = clocks(w, w->n, w->m, edge, arrays, &passes_m);
        bool swap = by_m < by_n;
        double still = swap ? w->m : w->n, filled = rg_ceil_div(w->k, edge) * rg_ceil_div(still, edge);
        t->tile[0] = swap ? edge : fmax(w->m, edge);
        t->tile[1] = swap ? fmax(w->n, edge) : edge;
        t->tile[2] = edge;
        t->blocks = swap ? passes_m : passes_n;
        t->occupancy = w->k * still / (filled * edge * edge);
        t->utilization = w->m * w->n * w->k * w->batch / (edge * edge * arrays) / fmin(by_n, by_m);
    } else {
        t->blocks = fmax(row->width.threads, 1);
        t->utilization = fmin(1, t->blocks / fmax(row->op_per_clock / 2, 1));
    }
    t->units = fmin(row->unit_count, t->blocks);
    t->waves = rg_ceil_div(t->blocks, t->units);
    rg_level_traffic(plan, row, 0, 0);
}
