/* advice.c - what would make it better, and by how much: every entry is a forecast of its own, compared
 * with this one. Only what helps inference is tried; what gains less than 2 % of time, energy or memory is
 * left out.
 */
#include "predict/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORTH 0.02

typedef struct advising {
    rg_ctx *cx;
    const rg_forecast *f;
    rg_advice *items;
    uint32_t count, capacity;
} advising;

/* a / b where b may be 0: a machine without energy figures draws none. */
static double ratio(double a, double b) { return b > 0 ? a / b : 1; }

/* The largest relative gain; memory counts half, because what fits costs nothing. */
static double worth(const rg_forecast *f, const rg_advice *x)
{
    double energy = f->energy_j.value > 0 ? x->gain_j / f->energy_j.value : 0;
    double memory = f->peak_memory_byte.value > 0 ? x->gain_byte / f->peak_memory_byte.value / 2 : 0;
    return fmax(x->gain_s / f->latency_s.value, fmax(energy, memory));
}

static rg_err add(advising *a, rg_advice advice)
{
    if (!advice.text) return rg_nomem(a->cx);
    if (!(worth(a->f, &advice) >= WORTH)) return RG_OK;
    if (!RG_GROW(&a->cx->arena, a->items, a->count, a->capacity)) return rg_nomem(a->cx);
    a->items[a->count++] = advice;
    return RG_OK;
}

/* ---- more inputs at once ---- */

/* Work and activations grow with the batch, weights do not; products get more rows, or there are more of
 * them. */
static rg_row enlarged(const rg_row *row, double factor)
{
    rg_row larger = *row;
    rg_work *w = &larger.work;
    bool separate = row->family == RG_FAMILY_ATTENTION || (row->family == RG_FAMILY_GEMM && !w->weight_in_b);
    w->mac *= factor, w->flop *= factor, w->special *= factor;
    w->in_byte *= factor, w->out_byte *= factor;
    larger.side_byte *= factor;
    if (separate) w->batch *= factor;
    else w->m *= factor;
    larger.width.batch *= factor, larger.width.threads *= factor;
    return larger;
}

/* Weights are read and kernels launched once for all inputs. Rows are mapped again at that size. */
static rg_err try_batch(advising *a, double factor)
{
    const rg_forecast *f = a->f;
    const rg_plan *plan = f->plan;
    const rg_level *main_memory = rg_device_memory(plan->device);
    double rows_s = 0, joules = rg_energy_fixed_j(f);
    rg_plan larger;
    memcpy(&larger, plan, offsetof(rg_plan, refs)); /* other threads may be counting references */
    larger.block_byte = (uint64_t)fmin((double)plan->block_byte * factor, RG_BLOCK_BYTE_MAX);
    for (uint32_t r = 0; r < plan->row_count; r++) {
        if (f->skipped[r]) continue;
        rg_row row = enlarged(&plan->rows[r], factor);
        rg_row_cost cost;
        rg_row_retile(&larger, &row);
        rg_price_row(&larger, &row, (rg_clocks){f->clock_hz, f->host_hz}, &cost);
        rg_correct_row(&cost, f->rows[r].residual, f->rows[r].evidence); /* as it is off now */
        rg_energy_row(&larger, &row, f->clock_hz, &cost);
        rows_s += cost.total_s;
        joules += cost.energy_j;
    }
    /* what overlaps keeps its share, and what was learned of the whole its factor */
    double base_s = f->latency_s.value - f->correction_s, before_s = base_s - f->graph_s - f->overlap_s;
    double seconds = f->graph_s + rows_s * (1 + (before_s > 0 ? f->overlap_s / before_s : 0));
    seconds *= f->latency_s.value / base_s;
    /* more work at once may meet the power cap: then time follows energy */
    if (plan->device->cap_w > 0) seconds = fmax(seconds, joules / plan->device->cap_w);
    double memory = plan->weight_byte + (double)larger.block_byte;
    memory += (plan->workspace_byte + plan->communication_byte) * factor;
    if (memory + plan->overhead_byte > main_memory->usable_byte) return RG_OK;
    const char *text = rg_arena_printf(&a->cx->arena,
        "%.0f inputs at once: %.2fx the throughput and %.2fx the energy per input, at %.2fx the latency",
        factor, f->latency_s.value * factor / seconds, ratio(joules / factor, f->energy_j.value),
        seconds / f->latency_s.value);
    return add(a, (rg_advice){"batch", text, f->latency_s.value - seconds / factor,
                              f->energy_j.value - joules / factor, 0});
}

/* ---- another type, another stack ---- */

static rg_err try_plan(advising *a, const char *name, const char *precision, const rg_runtime *runtime,
                       const char *words)
{
    const rg_plan *plan = a->f->plan, *other = NULL;
    const rg_forecast *f = a->f, *better = NULL;
    rg_plan_opt plan_opt = {.size = sizeof plan_opt, .precision = precision, .threads = plan->threads};
    rg_forecast_opt forecast_opt = {.size = sizeof forecast_opt, .core_hz = f->asked_hz,
                                    .host_hz = f->host_hz, .learning = f->learning, .sort = f->sort};
    rg_err err = rg_plan_make(a->cx, plan->graph, plan->device, runtime, &plan_opt, &other);
    if (!err) err = rg_forecast_make(a->cx, other, &forecast_opt, &better);
    if (!err) {
        double s = better->latency_s.value, j = better->energy_j.value;
        double bytes = better->peak_memory_byte.value;
        const char *text = rg_arena_printf(&a->cx->arena,
            "%s: %.2fx as fast, %.2fx the energy, %.2fx the memory", words, ratio(f->latency_s.value, s),
            ratio(j, f->energy_j.value), ratio(bytes, f->peak_memory_byte.value));
        err = add(a, (rg_advice){name, text, f->latency_s.value - s, f->energy_j.value - j,
                                 f->peak_memory_byte.value - bytes});
    }
    rg_forecast_free(better);
    rg_plan_free(other);
    return err;
}

/* The device computes both types at the same rate: a forecast cannot tell them apart. */
static bool same_peak(const rg_device *device, rg_hw_dtype a, rg_hw_dtype b)
{
    const rg_peak *x = rg_device_peak(device, -1, -1, a), *y = rg_device_peak(device, -1, -1, b);
    return x && y && x->op_per_s == y->op_per_s;
}

static rg_err try_precisions(advising *a)
{
    static const struct { const char *precision; rg_hw_dtype dtype; const char *words; } types[] = {
        {"f16", RG_HW_F16, "f16 weights and activations"},
        {"bf16", RG_HW_BF16, "bf16 weights and activations"},
        {"i8", RG_HW_I8, "int8 weights and activations, after calibration"},
        {"f8", RG_HW_F8, "f8 weights and activations, after calibration"},
    };
    const rg_plan *plan = a->f->plan;
    for (size_t i = 0; i < RG_COUNT(types); i++) {
        bool twin = i % 2 && rg_hw_dtype_bits(types[i].dtype) == rg_hw_dtype_bits(types[i - 1].dtype);
        /* would say the same */
        if (twin && same_peak(plan->device, types[i].dtype, types[i - 1].dtype)) continue;
        if (!rg_device_peak(plan->device, -1, -1, types[i].dtype)) continue;
        if (strncmp(plan->precision, types[i].precision, strcspn(plan->precision, "+")) == 0) continue;
        RG_TRY(try_plan(a, "precision", types[i].precision, plan->runtime, types[i].words));
    }
    return RG_OK;
}

/* Of a model that reads its weights and caches for a token or a few, storing them narrower is as good as a
 * wider memory. What it has no more of, there is no gain to tell of. */
static rg_err try_storages(advising *a)
{
    static const struct { const char *precision, *words; } storages[] = {
        {"model+w=i8", "weights stored in i8"},
        {"model+w=i4g128", "weights stored in i4, a scale for every 128"},
        {"model+kv=f8", "caches stored in f8"},
        {"model+w=i4g128+kv=f8", "weights stored in i4 and caches in f8"},
    };
    for (size_t i = 0; i < RG_COUNT(storages) && a->f->plan->cache_byte > 0; i++) {
        rg_err err = try_plan(a, "storage", storages[i].precision, a->f->plan->runtime, storages[i].words);
        if (err && err != RG_USAGE) return err;
    }
    return RG_OK;
}

/* The same stack with something changed. Borrowed: its plan is gone before the copy is. */
static rg_runtime copy_of(const rg_runtime *runtime)
{
    rg_runtime copy;
    memcpy(&copy, runtime, offsetof(rg_runtime, refs));
    copy.refs = UINT32_MAX / 2;
    return copy;
}

/* What the elementwise, normalization and copying rows cost that a stack with wider fusion would fold into
 * others: the same stack with the grouping rules of the native plan. */
static rg_err try_fusion(advising *a)
{
    const rg_plan *plan = a->f->plan;
    const rg_runtime *native = NULL;
    RG_TRY(rg_runtime_find(a->cx, "native", plan->device, &native));
    rg_err err = RG_OK;
    if (strcmp(native->id, plan->runtime->id) != 0) {
        rg_runtime fused = copy_of(plan->runtime);
        fused.rules = native->rules;
        fused.rule_count = native->rule_count;
        fused.fuses_attention = native->fuses_attention;
        fused.folds_constants = native->folds_constants;
        err = try_plan(a, "fusion", plan->precision, &fused,
                       "fusing activations, additions and norms into the kernels before them");
    }
    rg_runtime_free(native);
    return err;
}

static rg_err try_in_place(advising *a)
{
    rg_runtime in_place = copy_of(a->f->plan->runtime);
    if (in_place.in_place) return RG_OK;
    in_place.in_place = true;
    return try_plan(a, "in-place", a->f->plan->precision, &in_place,
                    "writing results over inputs that are read no more");
}

/* ---- the whole ---- */

rg_err rg_forecast_advise(rg_ctx *cx, const rg_forecast *f, const rg_advice **advice, uint32_t *count)
{
    advising a = {.cx = cx, .f = f};
    *advice = NULL;
    *count = 0;
    if (f->latency_s.value <= 0) return RG_OK;
    RG_TRY(try_batch(&a, 8));
    RG_TRY(try_precisions(&a));
    RG_TRY(try_storages(&a));
    RG_TRY(try_fusion(&a));
    RG_TRY(try_in_place(&a));
    for (uint32_t i = 1; i < a.count; i++) { /* few: insertion sort, largest first */
        rg_advice x = a.items[i];
        uint32_t k = i;
        for (; k > 0 && worth(f, &x) > worth(f, &a.items[k - 1]); k--) a.items[k] = a.items[k - 1];
        a.items[k] = x;
    }
    *advice = a.items;
    *count = a.count;
    return RG_OK;
}
