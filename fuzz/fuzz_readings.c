/* fuzz_readings.c - readings from any bytes, within a budget of memory: what is read is written and read
 * again, in both forms, and there are as many.
 */
#include "measure/readings.h"

#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_MAX_BYTE = 64 << 20 };

static void check_again(rg_ctx *cx, const rg_readings *readings, const char *form)
{
    char path[64];
    rg_readings again = {0};
    snprintf(path, sizeof path, "/tmp/ridge-fuzz-readings-%ld.%s", (long)getpid(), form);
    rg_err err = rg_readings_write(cx, path, readings, false);
    if (!err) err = rg_readings_read(cx, path, &again);
    if (err ? err != RG_NOMEM : again.count != readings->count) abort();
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .memory_limit_byte = MEMORY_MAX_BYTE});
    rg_readings readings = {0}, joined = {0};
    if (!cx) return 0;
    rg_err err = rg_readings_parse(cx, (rg_str){(const char *)data, size}, "fuzz", &readings);
    if (err == RG_INTERNAL) abort();
    if (!err && rg_readings_join(cx, &readings, &joined) == RG_OK && joined.count > readings.count) abort();
    if (!err && readings.count < 64) {
        check_again(cx, &readings, "csv");
        check_again(cx, &readings, "json");
    }
    rg_ctx_free(cx);
    return 0;
}
