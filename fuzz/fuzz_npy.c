/* fuzz_npy.c - NumPy files from any bytes, within a budget of memory: what is read is written and read again,
 * and is the same.
 */
#include "format/npy.h"

#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_MAX_BYTE = 64 << 20 };

static void check_again(rg_ctx *cx, const rg_datum *datum)
{
    char path[64], text[256];
    rg_datum *again;
    snprintf(path, sizeof path, "/tmp/ridge-fuzz-npy-%ld", (long)getpid());
    if (rg_npy_write(cx, path, &datum->array)) abort();
    if (rg_npy_read(cx, path, &again)) abort();
    bool ordered = rg_dtype_class(datum->array.dtype) != 'c';
    if (ordered && !rg_datum_close(again, datum, 0, 0, text, sizeof text)) abort();
    rg_datum_free(again);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .memory_limit_byte = MEMORY_MAX_BYTE});
    rg_datum *datum;
    if (!cx) return 0;
    rg_err err = rg_npy_parse(cx, (rg_str){(const char *)data, size}, &datum);
    if (err == RG_INTERNAL) abort();
    if (!err && datum->array.count < 4096) check_again(cx, datum);
    rg_datum_free(datum);
    rg_ctx_free(cx);
    return 0;
}
