/* wav.h - sound as samples: RIFF WAVE files of PCM or floats, one rate, any number of channels. */
#ifndef RG_WAV_H
#define RG_WAV_H

#include "base/base.h"

enum { RG_WAV_MEAN = -1 }; /* instead of a channel */

/* A view of the file's bytes. A frame is one sample of every channel. */
typedef struct rg_wav {
    int rate_hz, channels, bits;
    bool is_float;
    int64_t frame_count;
    const uint8_t *frames;
} rg_wav;

/* PCM of 8, 16, 24 or 32 bits, floats of 32 or 64; RG_UNSUPPORTED names what else it is. */
rg_err rg_wav_parse(rg_ctx *cx, rg_str bytes, rg_wav *out) RG_CHECKED;
/* In [-1, 1) for PCM; floats as they are. Channel RG_WAV_MEAN: the mean of all. */
double rg_wav_sample(const rg_wav *wav, int64_t frame, int channel);

#endif
