/* fuzz_picture.c - pictures from any bytes, within a budget of memory; the first byte chooses gray or
 * color. */
#include "base/picture.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_MAX_BYTE = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_ctx *cx =
        size ? rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .memory_limit_byte = MEMORY_MAX_BYTE})
             : NULL;
    rg_picture picture = {0};
    volatile uint8_t sum = 0; /* every pixel is read, so that a sanitizer sees it */
    if (!cx) return 0;
    int channels = data[0] & 1 ? 3 : 1;
    rg_err err =
        rg_picture_read(cx, &cx->arena, (rg_str){(const char *)data + 1, size - 1}, channels, &picture);
    if (err == RG_INTERNAL || (!err && picture.channels != channels)) abort();
    for (int64_t i = 0; !err && i < picture.width * picture.height * channels; i++)
        sum = sum ^ picture.pixels[i];
    rg_ctx_free(cx);
    return 0;
}
