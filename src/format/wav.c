/* wav.c - the chunks of a RIFF WAVE file, bounded by the file, and its samples as numbers.
 *
 *     "RIFF" size "WAVE" | id size bytes (pad to even) | id size bytes | ...
 *     "fmt ": tag channels rate byte-rate frame-byte bits [size, valid bits, mask, tag of the real format
 * ...] "data": frames
 *
 * Nothing is resampled: the rate is the caller's to compare.
 */
#include "format/wav.h"

enum {
    RIFF_BYTE = 12, CHUNK_BYTE = 8, FORMAT_BYTE = 16, EXTENSIBLE_BYTE = 40, REAL_TAG_AT = 24,
    TAG_PCM = 1, TAG_FLOAT = 3, TAG_EXTENSIBLE = 0xfffe,
    CHANNELS_MAX = 256,
};

/* What is refused by its name; numbers of the RIFF registry. */
static const struct { uint32_t tag; const char *words; } refused[] = {
    {2, "Microsoft ADPCM"}, {6, "A-law"}, {7, "mu-law"}, {17, "IMA ADPCM"}, {49, "GSM 6.10"}, {85, "MP3"},
};

static const struct { uint32_t tag; int bits; } known[] = {
    {TAG_PCM, 8}, {TAG_PCM, 16}, {TAG_PCM, 24}, {TAG_PCM, 32}, {TAG_FLOAT, 32}, {TAG_FLOAT, 64},
};

static uint32_t u16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const uint8_t *p) { return u16(p) | u16(p + 2) << 16; }

static rg_err read_format(rg_ctx *cx, const uint8_t *p, size_t size, rg_wav *w)
{
    if (size < FORMAT_BYTE) return rg_fail(cx, RG_FORMAT, "a format chunk of %zu bytes", size);
    uint32_t tag = u16(p), rate = u32(p + 4), frame_byte = u16(p + 12);
    if (tag == TAG_EXTENSIBLE && size >= EXTENSIBLE_BYTE) tag = u16(p + REAL_TAG_AT);
    const char *words = "unknown";
    for (size_t i = 0; i < RG_COUNT(refused); i++)
        if (refused[i].tag == tag) words = refused[i].words;
    *w = (rg_wav){.rate_hz = (int)rate, .channels = (int)u16(p + 2), .bits = (int)u16(p + 14),
                  .is_float = tag == TAG_FLOAT};
    bool found = false;
    for (size_t i = 0; i < RG_COUNT(known); i++) found |= known[i].tag == tag && known[i].bits == w->bits;
    if (!found)
        return rg_fail(cx, RG_UNSUPPORTED,
                       "%d bits in format %u (%s); what can be read: PCM of 8, 16, 24, 32 "
                       "bits, floats of 32, 64",
                       w->bits, (unsigned)tag, tag <= TAG_FLOAT ? "linear" : words);
    if (w->channels < 1 || w->channels > CHANNELS_MAX)
        return rg_fail(cx, RG_LIMIT, "%d channels are not within 1..%d", w->channels, CHANNELS_MAX);
    if (rate == 0 || rate > INT32_MAX) return rg_fail(cx, RG_FORMAT, "a rate of %u Hz", (unsigned)rate);
    if (frame_byte != (uint32_t)(w->channels * w->bits / 8))
        return rg_fail(cx, RG_FORMAT, "frames of %u bytes, but %d channels of %d bits", (unsigned)frame_byte,
                       w->channels, w->bits);
    return RG_OK;
}

/* Who writes into a pipe cannot know the size in advance and states the largest: that is the rest. */
static rg_err take_data(rg_ctx *cx, const uint8_t *p, size_t stated, size_t left, rg_wav *w)
{
    size_t size = stated == UINT32_MAX ? left : stated;
    if (!w->channels) return rg_fail(cx, RG_FORMAT, "samples before their format");
    if (size > left) return rg_fail(cx, RG_FORMAT, "%zu bytes of samples, the file has %zu", size, left);
    w->frames = p;
    w->frame_count = (int64_t)size / (w->channels * w->bits / 8);
    return RG_OK;
}

rg_err rg_wav_parse(rg_ctx *cx, rg_str bytes, rg_wav *out)
{
    const uint8_t *p = (const uint8_t *)bytes.data;
    size_t left = bytes.size;
    *out = (rg_wav){0};
    if (left < RIFF_BYTE || memcmp(p, "RIFF", 4) != 0 || memcmp(p + 8, "WAVE", 4) != 0)
        return rg_fail(cx, RG_FORMAT, "no RIFF WAVE file");
    for (p += RIFF_BYTE, left -= RIFF_BYTE; left >= CHUNK_BYTE;) {
        size_t size = u32(p + 4), room = left - CHUNK_BYTE, whole = size + (size & 1);
        const uint8_t *chunk = p + CHUNK_BYTE;
        if (memcmp(p, "data", 4) == 0) return take_data(cx, chunk, size, room, out);
        if (size > room) break;
        if (memcmp(p, "fmt ", 4) == 0) RG_TRY(read_format(cx, chunk, size, out));
        if (whole > room) break;
        p = chunk + whole;
        left = room - whole;
    }
    return rg_fail(cx, RG_FORMAT, "the file ends before its samples");
}

static double sample(const rg_wav *w, const uint8_t *p)
{
    uint64_t code = 0;
    float single;
    double real;
    for (int i = 0; i < w->bits / 8; i++) code |= (uint64_t)p[i] << (8 * i);
    if (w->is_float && w->bits == 32) {
        uint32_t low = (uint32_t)code;
        memcpy(&single, &low, sizeof single);
        return (double)single;
    }
    if (w->is_float) {
        memcpy(&real, &code, sizeof real);
        return real;
    }
    int64_t half = INT64_C(1) << (w->bits - 1);
    if (w->bits > 8) code ^= (uint64_t)half; /* two's complement to offset, as 8 bits are anyway */
    return (double)((int64_t)code - half) / (double)half;
}

double rg_wav_sample(const rg_wav *w, int64_t frame, int channel)
{
    int64_t byte = w->bits / 8;
    const uint8_t *p = w->frames + frame * byte * w->channels;
    if (channel != RG_WAV_MEAN) return sample(w, p + channel * byte);
    double sum = 0;
    for (int i = 0; i < w->channels; i++) sum += sample(w, p + i * byte);
    return sum / w->channels;
}
