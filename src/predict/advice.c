/* advice.c - what would make it better, and by how much: every entry is a forecast of its own, compared with this one.
 * Only what helps inference is tried; what gains less than 2 % of time, energy or memory is left out.
 */
#include "predict/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORTH 0.02

typedef struct advising { rg_ctx *cx; const rg_forecast *f; rg_advice *items; uint32_t count, capacity; } advising;

static rg_err add(advising *a, const char *name, double gain_s, double gain_j, double gain_byte, const char *text)
{
    const rg_forecast *f = a->f;
    if (gain_s < WORTH * f->latency_s.value && gain_j < WORTH * f->energy_j.value && gain_byte < WORTH * f->peak_memory_byte.value)
        return RG_OK;
    if (!text || !RG_GROW(&a->cx->arena, a->items, a->count, a->capacity)) return rg_nomem(a->cx);
    a->items[a->count++] = (rg_advice){name, text, gain_s, gain_j, gain_byte};
    return RG_OK;
}

/* More inputs at once: weights are read and kernels launched once for all of them. Work and activations grow with the
 * batch, so rows are mapped again at that size. */
static rg_err try_batch(advising *a, double factor)
{
    const rg_plan *plan = a->f->plan;
    double seconds = a->f->graph_s, joules = 0;
    rg_plan larger = *plan;
    larger.block_byte = (uint64_t)((double)plan->block_byte * factor);
    for (uint32_t r = 0; r < plan->row_count; r++) {
        if (a->f->rows[r].total_s <= 0) continue;
        rg_row row = plan->rows[r];
        rg_row_cost cost;
        row.work.mac *= factor, row.work.flop *= factor, row.work.special *= factor;
        row.work.in_byte *= factor, row.work.out_byte *= factor;
        *(row.family == RG_FAMILY_ATTENTION || (row.family == RG_FAMILY_GEMM && !row.work.weight_in_b) ? &row.work.batch : &row.work.m) *= factor;
        row.width.batch *= factor, row.width.threads *= factor;
        rg_row_retile(&larger, &row);
        rg_price_row(&larger, &row, a->f->clock_hz, &cost);
        rg_energy_row(&larger, &row, a->f->clock_hz, &cost);
        seconds += cost.total_s;
        joules += cost.energy_j;
    }
    /* more work at once may meet the power cap: then time follows energy */
    if (plan->device->cap_w > 0) seconds = fmax(seconds, joules / plan->device->cap_w);
    double memory = plan->weight_byte + (double)larger.block_byte + plan->workspace_byte * factor + plan->overhead_byte;
    const rg_level *main_memory = rg_device_memory(plan->device);
    if (memory > main_memory->usable_byte * fmax(main_memory->count, 1)) return RG_OK;
    double gain_s = a->f->latency_s.value - seconds / factor, gain_j = a->f->energy_j.value - joules / factor;
    return add(a, "batch", gain_s, gain_j, 0,
               rg_arena_printf(&a->cx->arena, "%.0f inputs at once: %.2fx the throughput and %.2fx the energy per input, at %.2fx the latency", factor,
                               a->f->latency_s.value * factor / seconds, joules / factor / a->f->energy_j.value, seconds / a->f->latency_s.value));
}

/* The same model in another type or on another stack. */
static rg_err try_plan(advising *a, const char *name, const char *precision, const rg_runtime *runtime, const char *text)
{
    const rg_plan *plan = a->f->plan, *other = NULL;
    const rg_forecast *better = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .precision = precision, .threads = plan->threads};
    rg_err err = rg_plan_make(a->cx, plan->graph, plan->device, runtime, &opt, &other);
    if (!err) err = rg_forecast_make(a->cx, other, NULL, &better);
    if (!err) {
        double gain_s = a->f->latency_s.value - better->latency_s.value, gain_j = a->f->energy_j.value - better->energy_j.value;
        double gain_byte = a->f->peak_memory_byte.value - better->peak_memory_byte.value;
        err = add(a, name, gain_s, gain_j, gain_byte,
                  rg_arena_printf(&a->cx->arena, "%s: %.2fx as fast, %.2fx the energy, %.2fx the memory", text,
                                  a->f->latency_s.value / better->latency_s.value, better->energy_j.value / a->f->energy_j.value,
                                  better->peak_memory_byte.value / a->f->peak_memory_byte.value));
    }
    rg_forecast_free(better);
    rg_plan_free(other);
    return err;
}

static rg_err try_precisions(advising *a)
{
    static const struct { const char *precision; rg_hw_dtype dtype; const char *text; } types[] = {
        {"bf16", RG_HW_BF16, "bf16 weights and activations"}, {"f16", RG_HW_F16, "f16 weights and activations"},
        {"f8", RG_HW_F8, "f8 weights and activations, after calibration"}, {"i8", RG_HW_I8, "int8 weights and activations, after calibration"},
    };
    for (size_t i = 0; i < RG_COUNT(types); i++) {
        const rg_peak *peak = rg_device_peak(a->f->plan->device, -1, -1, types[i].dtype);
        if (!peak || strcmp(a->f->plan->precision, types[i].precision) == 0) continue;
        RG_TRY(try_plan(a, "precision", types[i].precision, a->f->plan->runtime, types[i].text));
    }
    return RG_OK;
}

/* What the elementwise, normalization and copying rows cost that a stack with wider fusion would fold into others. */
static rg_err try_fusion(advising *a)
{
    const rg_runtime *native = NULL;
    RG_TRY(rg_runtime_find(a->cx, "native", a->f->plan->device, &native));
    rg_err err = RG_OK;
    if (strcmp(native->id, a->f->plan->runtime->id) != 0 && rg_runtime_runs_on(native, a->f->plan->device)) {
        rg_runtime fused = *a->f->plan->runtime; /* the same stack with the grouping rules of the native plan */
        fused.rules = native->rules, fused.rule_count = native->rule_count, fused.fuses_attention = native->fuses_attention;
        fused.refs = 1u << 30; /* borrowed: the plans that use it are gone before this function returns */
        err = try_plan(a, "fusion", a->f->plan->precision, &fused, "fusing activations, additions and norms into the kernels before them");
    }
    rg_runtime_free(native);
    return err;
}

static rg_err note_reuse(advising *a)
{
    const rg_plan *plan = a->f->plan;
    double naive = 0;
    for (uint32_t i = 0; i < plan->buffer_count; i++) naive += (double)plan->buffers[i].size_byte;
    double saved = naive - (double)plan->block_byte;
    return add(a, "static memory", 0, 0, saved > 0 && naive > (double)plan->block_byte * 1.5 ? saved : 0,
               rg_arena_printf(&a->cx->arena, "one static block with buffers reused and written in place holds %.1fx its size: a stack that keeps "
                               "every intermediate needs %.3g MB more", plan->reuse, saved / 1e6));
}

static double worth(const rg_forecast *f, const rg_advice *x)
{
    return fmax(x->gain_s / f->latency_s.value, fmax(x->gain_j / f->energy_j.value, 0.5 * x->gain_byte / f->peak_memory_byte.value));
}

rg_err rg_forecast_advise(rg_ctx *cx, const rg_forecast *f, const rg_advice **advice, uint32_t *count)
{
    advising a = {.cx = cx, .f = f};
    *advice = NULL;
    *count = 0;
    if (f->latency_s.value <= 0) return RG_OK;
    RG_TRY(try_batch(&a, 8));
    RG_TRY(try_precisions(&a));
    RG_TRY(try_fusion(&a));
    RG_TRY(note_reuse(&a));
    for (uint32_t i = 1; i < a.count; i++) /* few: insertion sort, largest first */
        for (uint32_t k = i; k > 0 && worth(f, &a.items[k]) > worth(f, &a.items[k - 1]); k--) {
            rg_advice swap = a.items[k];
            a.items[k] = a.items[k - 1];
            a.items[k - 1] = swap;
        }
    *advice = a.items;
    *count = a.count;
    return RG_OK;
}
