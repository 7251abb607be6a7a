/* place.c - which unit computes a row, in which type, and how many of them.
 *
 * Products go to the matrix unit where the device has one for their type, everything else to vector lanes. A type that
 * the device lacks runs in the next wider one that it has (a CPU without f16 arithmetic converts to f32); only when
 * there is none, in the widest narrower one. Devices built around a matrix unit (TPU, KPU) take products of f32 in that
 * unit's widest float, which is what XLA does by default on a TPU (jax.default_matmul_precision).
 */
#include "map/map.h"

#include <math.h>
#include <string.h>

bool rg_row_is_product(const rg_row *row)
{
    static const bool product[RG_FAMILY_COUNT] = {
        [RG_FAMILY_GEMM] = true, [RG_FAMILY_CONV] = true, [RG_FAMILY_ATTENTION] = true, [RG_FAMILY_RECURRENT] = true,
        [RG_FAMILY_DEPTHWISE] = true,
    };
    return product[row->family];
}

double rg_row_rate(const rg_row *row, double clock_hz)
{
    double clock = clock_hz * row->clock_share;
    return row->op_per_clock * fmin(clock, row->peak->at_clock_hz); /* no faster than where the peak was published */
}

/* Types to try for one that a device may lack: itself, wider ones, then narrower ones; RG_HW_DTYPE_COUNT ends. */
static const rg_hw_dtype fallbacks[RG_HW_DTYPE_COUNT][RG_HW_DTYPE_COUNT] = {
    [RG_HW_F64]  = {RG_HW_F64, RG_HW_F32, RG_HW_BF16, RG_HW_F16, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_F32]  = {RG_HW_F32, RG_HW_F64, RG_HW_BF16, RG_HW_F16, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_TF32] = {RG_HW_TF32, RG_HW_F32, RG_HW_BF16, RG_HW_F16, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_BF16] = {RG_HW_BF16, RG_HW_F16, RG_HW_F32, RG_HW_F64, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_F16]  = {RG_HW_F16, RG_HW_BF16, RG_HW_F32, RG_HW_F64, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_F8]   = {RG_HW_F8, RG_HW_F16, RG_HW_BF16, RG_HW_F32, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_I8]   = {RG_HW_I8, RG_HW_F16, RG_HW_BF16, RG_HW_F32, RG_HW_F64, RG_HW_DTYPE_COUNT},
    [RG_HW_I4]   = {RG_HW_I4, RG_HW_I8, RG_HW_F16, RG_HW_BF16, RG_HW_F32, RG_HW_DTYPE_COUNT},
};

/* The type that a row computes in: of its widest-read input that is a number, weights before indices. */
static rg_hw_dtype wanted_type(const rg_plan *plan, const rg_row *row)
{
    const rg_node *node = rg_node_at(plan->graph, plan->facts->steps[row->anchor].node);
    rg_hw_dtype found = RG_HW_F32, type;
    double most = -1;
    for (uint32_t i = 0; i < node->in_count; i++) {
        const rg_type *t = &plan->graph->values[node->in[i]].type;
        bool index = t->dtype == RG_I64 || t->dtype == RG_I32; /* shapes, indices: they do not set the arithmetic */
        double bytes = rg_type_bytes(plan->graph, t) * (index ? 1e-9 : 1);
        if (node->in[i] && rg_hw_dtype_of(t->dtype, &type) && bytes > most) most = bytes, found = type;
    }
    return found;
}

/* Best peak of one type: unit by preference. `unit` out tells which. */
static const rg_peak *best_unit(const rg_device *device, rg_hw_dtype dtype, bool product)
{
    static const rg_unit_kind for_product[] = {RG_MATRIX, RG_VECTOR, RG_SCALAR};
    static const rg_unit_kind for_others[] = {RG_VECTOR, RG_SCALAR};
    const rg_unit_kind *order = product ? for_product : for_others;
    for (size_t i = 0; i < (product ? RG_COUNT(for_product) : RG_COUNT(for_others)); i++) {
        const rg_peak *peak = rg_device_peak(device, -1, (int)order[i], dtype);
        if (peak) return peak;
    }
    return NULL;
}

static const rg_peak *first_of(const rg_device *device, rg_hw_dtype want, bool product)
{
    for (const rg_hw_dtype *d = fallbacks[want]; *d != RG_HW_DTYPE_COUNT; d++) {
        const rg_peak *peak = best_unit(device, *d, product);
        if (peak) return peak;
    }
    return NULL;
}

/* Does the stack put f32 products of this family on tf32 units? */
static bool tf32_allowed(const rg_runtime *runtime, rg_family family)
{
    if (!runtime->tf32) return false;
    return strcmp(runtime->tf32, "allowed") == 0 || (strcmp(runtime->tf32, "conv") == 0 && family == RG_FAMILY_CONV);
}

static const rg_peak *choose(const rg_plan *plan, const rg_row *row, rg_hw_dtype want, const char **why)
{
    const rg_device *device = plan->device;
    bool matrix_machine = device->kind == RG_DEVICE_TPU || device->kind == RG_DEVICE_KPU;
    /* A depthwise convolution has no reuse across channels: one column of a matrix unit would do all its work. */
    bool product = rg_row_is_product(row) && row->family != RG_FAMILY_DEPTHWISE && row->work.mac > 0;
    const rg_peak *peak = NULL;
    *why = product ? "a product in a type that has no matrix unit here" : "no product: vector lanes";
    if (product && want == RG_HW_F32 && (strcmp(plan->precision, "tf32") == 0 || tf32_allowed(plan->runtime, row->family)))
        if ((peak = rg_device_peak(device, -1, RG_MATRIX, RG_HW_TF32))) *why = "the stack allows tf32 for f32 products";
    if (!peak && product && want == RG_HW_F32 && matrix_machine) {
        peak = rg_device_peak(device, -1, RG_MATRIX, RG_HW_BF16);
        if (!peak) peak = rg_device_peak(device, -1, RG_MATRIX, RG_HW_F16);
        *why = "products of f32 run in the matrix unit's widest float";
    }
    if (!peak) peak = first_of(device, want, product);
    if (!peak) { /* only a matrix unit, of any type */
        for (size_t i = 0; i < device->peak_count && !peak; i++) peak = &device->peaks[i];
        *why = "the device has no other unit";
    } else if (peak->unit == RG_MATRIX && !strncmp(*why, "a product", 9)) {
        *why = "a product: the matrix unit";
    }
    return peak;
}

/* Engines that offer the same unit and type as `peak`, fastest first, until `threads` cores are taken. */
static void gather_units(const rg_plan *plan, rg_row *row)
{
    const rg_device *device = plan->device;
    double left = plan->threads > 0 && device->kind == RG_DEVICE_CPU ? plan->threads : INFINITY;
    double top = rg_device_clock_max(device);
    row->op_per_clock = 0;
    row->clock_share = device->engines[row->peak->engine].clock_max_hz / top;
    double reference = fmin(row->clock_share * top, row->peak->at_clock_hz);
    for (size_t e = 0; e < device->engine_count; e++) {
        const rg_peak *peak = rg_device_peak(device, (int)e, (int)row->peak->unit, row->peak->dtype);
        if (!peak) continue;
        double count = fmin(device->engines[e].count, left);
        left -= count;
        row->op_per_clock += count * peak->op_per_clock * peak->at_clock_hz / reference;
    }
    /* Work without reuse enters a systolic array along one edge only. */
    const rg_engine *engine = &device->engines[row->peak->engine];
    if (row->peak->unit == RG_MATRIX && engine->tile[1] > 0 && !(rg_row_is_product(row) && row->work.mac > 0))
        row->op_per_clock /= engine->tile[1];
}

rg_err rg_plan_place(rg_ctx *cx, rg_plan *plan)
{
    for (uint32_t i = 0; i < plan->row_count; i++) {
        rg_row *row = &plan->rows[i];
        rg_hw_dtype want = wanted_type(plan, row);
        row->peak = choose(plan, row, want, &row->placed_why);
        if (!row->peak) return rg_fail(cx, RG_FORMAT, "%s: the profile has no peak", plan->device->id);
        row->dtype = row->peak->dtype;
        row->efficiency = rg_runtime_efficiency(plan->runtime, rg_family_name(row->family));
        gather_units(plan, row);
    }
    return RG_OK;
}
