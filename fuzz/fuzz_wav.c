/* fuzz_wav.c - sound from any bytes: every sample that the header promises can be read. */
#include "format/wav.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_wav wav;
    double sum = 0;
    if (!cx) return 0;
    rg_err err = rg_wav_parse(cx, (rg_str){(const char *)data, size}, &wav);
    for (int64_t i = 0; !err && i < wav.frame_count; i++) {
        sum += rg_wav_sample(&wav, i, RG_WAV_MEAN);
        if (!wav.is_float && (sum < -(double)(i + 1) || sum > (double)(i + 1)))
            abort(); /* PCM is in [-1, 1) */
    }
    rg_ctx_free(cx);
    return 0;
}
