/* precision.c - the same graph with its floating-point values in another type: what a forecast at f16, f8
 * or i8 prices. Only types change; which values keep their precision for accuracy's sake is a matter of
 * compression, not of speed.
 */
#include "map/map.h"

#include <string.h>

static const struct { const char *name; rg_dtype dtype; } precisions[] = {
    {"f32", RG_F32}, {"tf32", RG_F32}, {"f16", RG_F16}, {"bf16", RG_BF16}, {"f8", RG_F8E4M3FN}, {"i8", RG_I8},
};

rg_err rg_graph_at_precision(rg_ctx *cx, const rg_graph *graph, const char *precision, const rg_graph **out)
{
    rg_dtype to = RG_DTYPE_NONE;
    if (!precision || strcmp(precision, "model") == 0) {
        *out = rg_graph_ref(graph);
        return RG_OK;
    }
    for (size_t i = 0; i < RG_COUNT(precisions); i++)
        if (strcmp(precision, precisions[i].name) == 0) to = precisions[i].dtype;
    if (to == RG_DTYPE_NONE)
        return rg_fail(cx, RG_USAGE, "precision '%s' is none of model, f32, tf32, f16, bf16, f8, i8",
                       precision);
    rg_graph *copy;
    RG_TRY(rg_graph_clone(cx, graph, &copy));
    for (uint32_t i = 1; i < copy->value_count; i++) {
        rg_type *type = &copy->values[i].type;
        if (type->kind == RG_KIND_TENSOR && rg_dtype_is_float(type->dtype)) type->dtype = to;
    }
    *out = copy;
    return RG_OK;
}

bool rg_hw_dtype_of(rg_dtype dtype, rg_hw_dtype *out)
{
#define AS(type) (RG_HW_##type + 1) /* so that 0 is none */
    static const int of[RG_DTYPE_END] = {
        [RG_F32] = AS(F32),      [RG_F64] = AS(F64),      [RG_F16] = AS(F16),      [RG_BF16] = AS(BF16),
        [RG_F8E4M3FN] = AS(F8),  [RG_F8E4M3UZ] = AS(F8),  [RG_F8E5M2] = AS(F8),    [RG_F8E5M2UZ] = AS(F8),
        [RG_F8E8M0] = AS(F8),    [RG_F4E2M1] = AS(I4),    [RG_I8] = AS(I8),        [RG_U8] = AS(I8),
        [RG_I4] = AS(I4),        [RG_U4] = AS(I4),        [RG_I2] = AS(I4),        [RG_U2] = AS(I4),
        /* wider integers and booleans run in 32-bit or 64-bit lanes at the rate of that float */
        [RG_I16] = AS(F32),      [RG_U16] = AS(F32),      [RG_I32] = AS(F32),      [RG_U32] = AS(F32),
        [RG_I64] = AS(F32),      [RG_U64] = AS(F32),      [RG_BOOL] = AS(F32),     [RG_C64] = AS(F32),
        [RG_C128] = AS(F64),
    };
#undef AS
    if (dtype <= RG_DTYPE_NONE || dtype >= RG_DTYPE_END || !of[dtype]) return false;
    *out = (rg_hw_dtype)(of[dtype] - 1);
    return true;
}
