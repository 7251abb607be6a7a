/* fuzz_profile.c - device and runtime profiles from any bytes; the first byte chooses which. */
#include "hw/hw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    rg_ctx *cx = size ? rg_ctx_new(NULL) : NULL;
    if (!cx) return 0;
    rg_str json = {(const char *)data + 1, size - 1};
    rg_err err = data[0] & 1 ? rg_runtime_parse(cx, json, "fuzz", &runtime) : rg_device_parse(cx, json,
        "fuzz", &device);
    if (!err && device) rg_device_voltage(device, rg_device_clock_max(device) / 2);
    rg_device_free(device);
    rg_runtime_free(runtime);
    rg_ctx_free(cx);
    return 0;
}
