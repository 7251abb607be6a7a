/* hw_type.h - the names of hw.h's enums as lists that end in NULL: what the profile reader accepts and the
 * rg_*_name functions answer. Private to hw/. */
#ifndef RG_HW_TYPE_H
#define RG_HW_TYPE_H

#include "hw/hw.h"

extern const char *const rg_hw_dtype_names[RG_HW_DTYPE_COUNT + 1];
extern const char *const rg_device_kind_names[RG_DEVICE_KIND_COUNT + 1];
extern const char *const rg_unit_kind_names[RG_MATRIX + 2];
extern const char *const rg_scope_names[RG_SCOPE_DEVICE + 2];

#endif
