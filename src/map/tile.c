/* tile.c - what every mapper shares: the mapper table, the traffic of a blocked product, and who holds what.
 *
 * Steady state is modelled: the same inference again and again, as a server runs it. So data that a near memory can
 * keep does not travel from the far one again:
 *   - weights stay in a level whose usable capacity holds the whole model with its activations;
 *   - activations pass from row to row through a level of which the row's input and output fill half at most
 *     (the other half streams weights through).
 */
#include "map/map.h"

#include <math.h>

double rg_ceil_div(double a, double b) { return ceil(a / b); }

double rg_product_traffic(const rg_row *row, double tm, double tn)
{
    const rg_work *w = &row->work;
    double rows = rg_ceil_div(w->m, fmax(fmin(tm, w->m), 1)), columns = rg_ceil_div(w->n, fmax(fmin(tn, w->n), 1));
    /* operand A (m×k) is read once per block column, B (n×k) once per block row */
    double a = w->weight_in_b ? w->in_byte : w->in_byte / 2, b = w->weight_in_b ? w->weight_byte : w->weight_byte + w->in_byte / 2;
    return a * columns + b * rows * (w->weight_in_b || w->steps <= 1 ? 1 : w->steps) + w->out_byte;
}

static double level_usable(const rg_level *level) { return level->usable_byte * fmax(level->count, 1); }

/* Edge of the square blocks that a level can hold: three blocks (two operands, one result) in f32 or narrower. */
static double block_edge(const rg_plan *plan, const rg_row *row, size_t level)
{
    double element = fmax(rg_hw_dtype_bits(row->dtype), 8) / 8.0;
    return floor(sqrt(plan->device->levels[level].usable_byte / (3 * element)));
}

void rg_level_traffic(const rg_plan *plan, rg_row *row, double block_m, double block_n)
{
    const rg_device *device = plan->device;
    const rg_work *w = &row->work;
    double weights = w->weight_byte, activations = w->in_byte + w->out_byte;
    double repeated = weights * fmax(w->steps, 1); /* a recurrent step reads its weights again */
    double model = plan->weight_byte + (double)plan->block_byte;
    size_t count = device->level_count < RG_LEVEL_LIMIT ? device->level_count : RG_LEVEL_LIMIT;
    for (size_t i = 0; i < count; i++) {
        double near = i ? level_usable(&device->levels[i - 1]) : 0; /* what the next nearer level keeps */
        double bytes = repeated + activations;
        if (i && model <= near) bytes = 0;
        else if (i) {
            double kept_weights = weights <= near / 2 ? weights : repeated;
            bytes = kept_weights + (activations <= near / 2 ? 0 : activations);
        }
        if (rg_row_is_product(row) && w->mac > 0 && w->steps <= 1 && bytes > 0) {
            /* blocks of the nearer level: what a unit works on, or what fits there */
            double edge = i ? block_edge(plan, row, i - 1) : 0;
            bool unit = i && device->levels[i - 1].scope == RG_SCOPE_UNIT && block_m > 0;
            double tm = unit ? block_m : edge, tn = unit ? block_n : edge;
            if (i && activations + weights > near / 2) bytes = fmax(bytes, rg_product_traffic(row, tm, tn));
        }
        row->tiling.traffic_byte[i] = bytes;
    }
}

static const rg_mapper mappers[RG_DEVICE_KIND_COUNT] = {
    [RG_DEVICE_CPU] = rg_tile_cpu, [RG_DEVICE_GPU] = rg_tile_gpu, [RG_DEVICE_TPU] = rg_tile_tpu, [RG_DEVICE_KPU] = rg_tile_kpu,
};

void rg_row_retile(const rg_plan *plan, rg_row *row)
{
    row->tiling = (rg_tiling){.utilization = 1, .occupancy = 1, .split_k = 1, .waves = 1, .per_unit = 1, .blocks = 1};
    row->tiling.units = plan->device->engines[row->peak->engine].count;
    if (row->family != RG_FAMILY_VIEW) mappers[plan->device->kind](plan, row);
}

void rg_plan_tile(rg_plan *plan)
{
    for (uint32_t i = 0; i < plan->row_count; i++) rg_row_retile(plan, &plan->rows[i]);
}
