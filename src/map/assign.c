/* assign.c - which unit computes a row, in which type, and how many of them.
 *
 * Products go to the matrix unit where the device has one for their type, everything else to vector lanes.
 * A type that the device lacks runs in the next wider one that it has (a CPU without f16 arithmetic
 * converts to f32; bf16 and f16 cannot stand in for each other: one lacks the digits, the other the range);
 * only when there is none, in the widest narrower one. Products of floats on a device that has integers alone
 * are refused: quantizing is the model's affair. Devices built around a matrix unit (TPU, KPU) take
 * floating-point products in that unit's widest float, which is what XLA does by default on a TPU
 * (jax.default_matmul_precision).
 */
#include "map/map.h"
#include "op/collective.h"

#include <math.h>
#include <string.h>

bool rg_row_is_product(const rg_row *row)
{
    static const bool product[RG_FAMILY_COUNT] = {
        [RG_FAMILY_GEMM] = true,      [RG_FAMILY_CONV] = true,      [RG_FAMILY_ATTENTION] = true,
        [RG_FAMILY_RECURRENT] = true, [RG_FAMILY_DEPTHWISE] = true,
    };
    return product[row->family];
}

double rg_row_rate(const rg_row *row, double clock_hz)
{
    double clock = clock_hz * row->clock_share;
    return row->op_per_clock * fmin(clock, row->peak->at_clock_hz); /* no faster than published */
}

/* ---- types ---- */

/* To try for a type that a device may lack: itself, wider ones, narrower ones; RG_HW_DTYPE_COUNT ends a
 * row. */
static const rg_hw_dtype fallbacks[RG_HW_DTYPE_COUNT][RG_HW_DTYPE_COUNT] = {
    [RG_HW_F64]  = {RG_HW_F64, RG_HW_F32, RG_HW_BF16, RG_HW_F16, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_F32]  = {RG_HW_F32, RG_HW_F64, RG_HW_BF16, RG_HW_F16, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_TF32] = {RG_HW_TF32, RG_HW_F32, RG_HW_BF16, RG_HW_F16, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_BF16] = {RG_HW_BF16, RG_HW_F32, RG_HW_F64, RG_HW_F16, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_F16]  = {RG_HW_F16, RG_HW_F32, RG_HW_F64, RG_HW_BF16, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_F8]   = {RG_HW_F8, RG_HW_F16, RG_HW_BF16, RG_HW_F32, RG_HW_F64, RG_HW_I8, RG_HW_DTYPE_COUNT},
    [RG_HW_I8]   = {RG_HW_I8, RG_HW_F16, RG_HW_BF16, RG_HW_F32, RG_HW_F64, RG_HW_DTYPE_COUNT},
    [RG_HW_I4]   = {RG_HW_I4, RG_HW_I8, RG_HW_F16, RG_HW_BF16, RG_HW_F32, RG_HW_F64, RG_HW_DTYPE_COUNT},
};

/* The type that a row computes in: of its widest-read input that is a number, weights before indices. */
static rg_hw_dtype wanted_type(const rg_plan *plan, const rg_row *row)
{
    const rg_node *node = rg_node_at(plan->graph, plan->facts->steps[row->anchor].node);
    rg_hw_dtype found = RG_HW_F32, type;
    double most = -1;
    for (uint32_t i = 0; i < node->in_count; i++) {
        const rg_type *t = &plan->graph->values[node->in[i]].type;
        if (!node->in[i] || !rg_hw_dtype_of(t->dtype, &type)) continue;
        bool index = t->dtype == RG_I64 || t->dtype == RG_I32; /* shapes, indices: they set no arithmetic */
        double bytes = rg_type_bytes(plan->graph, t) * (index ? 1e-9 : 1);
        if (bytes > most) most = bytes, found = type;
    }
    return found;
}

/* ---- units ---- */

/* Best peak of one type: unit by preference. */
static const rg_peak *best_unit(const rg_device *device, rg_hw_dtype dtype, bool product)
{
    static const rg_unit_kind order[] = {RG_MATRIX, RG_VECTOR, RG_SCALAR};
    for (size_t i = product ? 0 : 1; i < RG_COUNT(order); i++) {
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
static bool tf32_allowed(const rg_plan *plan, rg_family family)
{
    const char *tf32 = plan->runtime->tf32;
    if (rg_str_starts(rg_str_of(plan->precision), "tf32")) return true;
    return tf32 && (strcmp(tf32, "allowed") == 0 || (strcmp(tf32, "conv") == 0 && family == RG_FAMILY_CONV));
}

/* The matrix unit where a product leaves its own type for it; NULL where it does not. */
static const rg_peak *special_unit(const rg_plan *plan, const rg_row *row, rg_hw_dtype want, const char **why)
{
    const rg_device *device = plan->device;
    const rg_peak *peak = NULL;
    if (want == RG_HW_F32 && tf32_allowed(plan, row->family)) {
        *why = "the stack allows tf32 for f32 products";
        peak = rg_device_peak(device, -1, RG_MATRIX, RG_HW_TF32);
    }
    bool matrix_machine = device->kind == RG_DEVICE_TPU || device->kind == RG_DEVICE_KPU ||
                          device->kind == RG_DEVICE_NPU;
    bool wide = want == RG_HW_F32 || want == RG_HW_F16 || want == RG_HW_BF16;
    if (peak || !matrix_machine || !wide || rg_device_peak(device, -1, RG_MATRIX, want)) return peak;
    *why = "products of floats run in the matrix unit's widest float";
    peak = rg_device_peak(device, -1, RG_MATRIX, RG_HW_BF16);
    return peak ? peak : rg_device_peak(device, -1, RG_MATRIX, RG_HW_F16);
}

static const rg_peak *choose(const rg_plan *plan, const rg_row *row, rg_hw_dtype want, const char **why)
{
    /* A depthwise convolution has no reuse across channels: one column of a matrix unit would do its work. */
    bool product = rg_row_is_product(row) && row->family != RG_FAMILY_DEPTHWISE && row->work.mac > 0;
    const rg_peak *peak = product ? special_unit(plan, row, want, why) : NULL;
    if (peak) return peak;
    peak = first_of(plan->device, want, product);
    if (!peak) { /* this is no product, and the profile, which has one peak at least, knows only products */
        *why = "the device has no other unit";
        return &plan->device->peaks[0];
    }
    *why = peak->dtype != want       ? "the device has no unit of its type: the nearest that it has"
           : !product                ? "no product: vector lanes"
           : peak->unit == RG_MATRIX ? "a product: the matrix unit"
                                     : "a product in a type that has no matrix unit here";
    return peak;
}

/* ---- how many ---- */

/* Rate of one unit of engine e on the pipes that `like` names; 0 when it has none. */
static double unit_rate(const rg_device *device, size_t e, const rg_peak *like)
{
    const rg_peak *peak = rg_device_peak(device, (int)e, (int)like->unit, like->dtype);
    return peak ? peak->op_per_clock * peak->at_clock_hz : 0;
}

/* Rate of `count` units of engine e together: what one has alone, as far as all of them have it. */
static double among_others(const rg_device *device, size_t e, const rg_peak *like, double count)
{
    const rg_peak *peak = rg_device_peak(device, (int)e, (int)like->unit, like->dtype);
    double units = device->engines[e].count, all = units * unit_rate(device, e, like), share = count / units;
    if (peak->alone_op_per_s <= 0 || share >= 1) return share * all;
    return fmin(fmax(count * peak->alone_op_per_s, share * all), all);
}

/* Units of engine e that are used when `limit` are: the fastest engines are filled first. */
static double usable_count(const rg_device *device, size_t e, const rg_peak *like, double limit)
{
    double own = unit_rate(device, e, like), before = 0;
    for (size_t i = 0; i < device->engine_count; i++) {
        double rate = unit_rate(device, i, like);
        if (rate > own || (rate == own && i < e)) before += device->engines[i].count;
    }
    return fmax(0, fmin(device->engines[e].count, limit - before));
}

/* Every engine that offers the row's unit and type takes part: P and E cores work on one row together. */
static void gather_units(const rg_plan *plan, rg_row *row)
{
    const rg_device *device = plan->device;
    const rg_engine *engine = &device->engines[row->peak->engine];
    double limit = plan->threads > 0 && device->kind == RG_DEVICE_CPU ? plan->threads : INFINITY;
    double top = rg_device_clock_max(device);
    row->clock_share = engine->clock_max_hz / top;
    double reference = fmin(row->clock_share * top, row->peak->at_clock_hz);
    row->op_per_clock = row->unit_count = row->unit_total = 0;
    for (size_t e = 0; e < device->engine_count; e++) {
        double rate = unit_rate(device, e, row->peak);
        if (rate <= 0) continue;
        double count = usable_count(device, e, row->peak, limit);
        row->op_per_clock += among_others(device, e, row->peak, count) / reference;
        row->unit_count += count;
        row->unit_total += device->engines[e].count;
    }
    /* Work without reuse enters a systolic array along one edge only. */
    if (row->peak->unit == RG_MATRIX && engine->tile[1] > 0 && !(rg_row_is_product(row) && row->work.mac > 0))
        row->op_per_clock /= engine->tile[1];
}

/* Kernels of a matrix unit load whole vectors of channels: a stack that fills them up multiplies zeros too.
 *
 *     filled = c / (p ceil(c / p))       c: channels of one group; of other products the reduction itself
 *
 * What it adds to the results, the tiles count. */
static double filled_share(const rg_plan *plan, const rg_row *row)
{
    const rg_node *node = rg_node_at(plan->graph, plan->facts->steps[row->anchor].node);
    int pad = plan->runtime->pad[row->dtype];
    double channels = row->work.k;
    if (pad <= 1 || row->peak->unit != RG_MATRIX || !rg_row_is_product(row)) return 1;
    if (row->family == RG_FAMILY_CONV) { /* its reduction goes over positions of the kernel too */
        const rg_type *x = &plan->graph->values[node->in[0]].type;
        channels = (double)rg_dim_value(&plan->graph->dims, x->dim[1]) / row->work.batch;
    }
    return channels > 0 ? channels / (pad * rg_ceil_div(channels, pad)) : 1;
}

static bool is_float(rg_hw_dtype dtype) { return dtype != RG_HW_I8 && dtype != RG_HW_I4; }

static rg_err refuse(rg_ctx *cx, const rg_plan *plan, const rg_row *row, rg_hw_dtype want)
{
    return rg_fail(cx, RG_UNSUPPORTED,
                   "%s computes products in %s alone, and row '%s' is one of %s: quantize the "
                   "model, or ask for a forecast of that with --precision i8",
                   plan->device->id, rg_hw_dtype_name(row->peak->dtype), row->name, rg_hw_dtype_name(want));
}

/* A collective needs links that join its group. */
static rg_err check_group(rg_ctx *cx, const rg_plan *plan, const rg_row *row)
{
    const rg_node *node = rg_node_at(plan->graph, plan->facts->steps[row->anchor].node);
    rg_collective_kind kind;
    int64_t group, stride = rg_collective_stride(node);
    rg_reach reach;
    if (!rg_node_collective(node, &kind, &group) || group == 1) return RG_OK;
    if (rg_device_reach(plan->device, (double)group, (double)stride, &reach)) return RG_OK;
    double widest = 1;
    for (size_t i = 0; i < plan->device->link_count; i++)
        widest = fmax(widest, plan->device->links[i].devices);
    return rg_fail(cx, RG_UNSUPPORTED,
                   "row '%s' joins %lld devices, from the first to the last %lld, and the links of %s join "
                   "%.0f: a profile with a network link joins any number",
                   row->name, (long long)group, (long long)((group - 1) * stride + 1), plan->device->id,
                   widest);
}

rg_err rg_plan_place(rg_ctx *cx, rg_plan *plan)
{
    for (uint32_t i = 0; i < plan->row_count; i++) {
        rg_row *row = &plan->rows[i];
        rg_hw_dtype want = wanted_type(plan, row);
        if (row->family == RG_FAMILY_COLLECTIVE) RG_TRY(check_group(cx, plan, row));
        row->peak = choose(plan, row, want, &row->placed_why);
        bool product = rg_row_is_product(row) && row->work.mac > 0;
        if (product && is_float(want) && !is_float(row->peak->dtype)) return refuse(cx, plan, row, want);
        row->dtype = row->peak->dtype;
        row->efficiency =
            rg_runtime_efficiency(plan->runtime, rg_family_name(row->family), plan->device->kind);
        gather_units(plan, row);
        row->filled = filled_share(plan, row);
    }
    return RG_OK;
}
