/* hw_type.c - element types, device kinds, units and scopes by name. */
#include "hw/hw_type.h"

const char *const rg_hw_dtype_names[] = {
#define X(id, name, bits) name,
    RG_HW_DTYPE_LIST(X)
#undef X
    NULL
};

static const int dtype_bits[] = {
#define X(id, name, bits) bits,
    RG_HW_DTYPE_LIST(X)
#undef X
};

const char *const rg_device_kind_names[] = {"cpu", "gpu", "tpu", "kpu", "npu", NULL};
const char *const rg_unit_kind_names[] = {"scalar", "vector", "matrix", NULL};
const char *const rg_scope_names[] = {"unit", "cluster", "device", NULL};

const char *rg_hw_dtype_name(rg_hw_dtype dtype) { return rg_hw_dtype_names[dtype]; }
int rg_hw_dtype_bits(rg_hw_dtype dtype) { return dtype_bits[dtype]; }
const char *rg_device_kind_name(rg_device_kind kind) { return rg_device_kind_names[kind]; }
const char *rg_unit_kind_name(rg_unit_kind unit) { return rg_unit_kind_names[unit]; }

bool rg_hw_dtype_named(rg_str name, rg_hw_dtype *out)
{
    for (int i = 0; i < RG_HW_DTYPE_COUNT; i++) {
        if (!rg_str_is(name, rg_hw_dtype_names[i])) continue;
        *out = (rg_hw_dtype)i;
        return true;
    }
    return false;
}
