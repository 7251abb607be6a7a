/* why.c - one sentence a row: what binds it, with the numbers that say so. */
#include "predict/predict.h"

#include <math.h>

static void percent_of(char *buffer, size_t size, double share)
{
    if (share >= 0.005) rg_str_print(buffer, size, ", %.0f %% of the time", 100 * share);
    else *buffer = 0;
}

static const char *why_compute(const rg_forecast *f, const rg_row *row, const rg_row_cost *c, char *buffer, size_t size)
{
    char rate[32], tail[48], waves[64] = "";
    const rg_engine *engine = &f->plan->device->engines[row->peak->engine];
    rg_unit_print(rate, sizeof rate, rg_row_rate(row, f->clock_hz), RG_UNIT_OP_PER_S);
    percent_of(tail, sizeof tail, c->terms_s[RG_TERM_TAIL] / c->latency_s);
    if (f->plan->device->kind == RG_DEVICE_GPU && row->tiling.tile[1] > 0)
        rg_str_print(waves, sizeof waves, "; %.0f tiles of %.0fx%.0f in %.0f wave%s", row->tiling.blocks, row->tiling.tile[0],
                 row->tiling.tile[1], row->tiling.waves, row->tiling.waves > 1 ? "s" : "");
    rg_str_print(buffer, size, "compute-bound: %.3g FLOP/B is above the ridge of %.3g; %.0f %% of %s %s %s (%s) used, %.0f of %.0f %ss busy%s%s%s",
             c->intensity, c->ridge, 100 * c->utilization, rate, rg_hw_dtype_name(row->dtype), rg_unit_kind_name(row->peak->unit),
             row->placed_why, row->tiling.units, engine->count, engine->kind, waves, *tail ? "; padding and uneven waves cost" : "",
             *tail ? tail + 1 : "");
    if (c->intensity <= c->ridge)
        rg_str_print(buffer, size, "compute-bound by its shape: only %.0f %% of %s %s %s fits this work, %.0f of %.0f %ss busy%s%s%s",
                 100 * row->tiling.utilization, rate, rg_hw_dtype_name(row->dtype), rg_unit_kind_name(row->peak->unit),
                 row->tiling.units, engine->count, engine->kind, waves, *tail ? "; padding and uneven waves cost" : "", *tail ? tail + 1 : "");
    return buffer;
}

static const char *why_memory(const rg_forecast *f, const rg_row *row, const rg_row_cost *c, char *buffer, size_t size)
{
    char bytes[32], rate[32];
    double moved = row->tiling.traffic_byte[c->binding - 1];
    rg_unit_print(bytes, sizeof bytes, moved, RG_UNIT_BYTE);
    rg_unit_print(rate, sizeof rate, moved / c->limits[c->binding].time_s, RG_UNIT_BYTE_PER_S);
    const char *what = row->work.weight_byte > row->work.in_byte + row->work.out_byte ? "mostly weights" : "mostly activations";
    if (moved / f->plan->device->levels[c->binding - 1].latency_s < moved / c->limits[c->binding].time_s * 1.01)
        snprintf(buffer, size, "memory-bound: %s is so little that the latency of %s decides", bytes, c->limits[c->binding].name);
    else
        rg_str_print(buffer, size, "memory-bound: moves %s (%s) through %s at %s; %.3g FLOP/B is below the ridge of %.3g", bytes, what,
                 c->limits[c->binding].name, rate, c->intensity, c->ridge);
    return buffer;
}

const char *rg_row_why(const rg_forecast *f, uint32_t index, char *buffer, size_t size)
{
    const rg_row *row = &f->plan->rows[index];
    const rg_row_cost *c = &f->rows[index];
    char launch[32], work[32];
    if (row->arm && c->total_s == 0 && c->latency_s > 0) {
        snprintf(buffer, size, "not counted: the other branch of its If costs more");
        return buffer;
    }
    switch (c->bound) {
    case RG_BOUND_COMPUTE: return why_compute(f, row, c, buffer, size);
    case RG_BOUND_MEMORY: return why_memory(f, row, c, buffer, size);
    case RG_BOUND_LAUNCH:
        rg_unit_print(launch, sizeof launch, c->terms_s[RG_TERM_LAUNCH], RG_UNIT_SECOND);
        rg_unit_print(work, sizeof work, c->latency_s - c->terms_s[RG_TERM_LAUNCH], RG_UNIT_SECOND);
        snprintf(buffer, size, "launch-bound: starting it takes %s, its work %s", launch, work);
        return buffer;
    case RG_BOUND_NOTHING: case RG_BOUND_COUNT: break;
    }
    snprintf(buffer, size, "a view: it moves no data");
    return buffer;
}
