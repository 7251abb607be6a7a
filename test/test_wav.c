/* test_wav.c - sound files: samples of every width by their definition, channels, chunks that are not known,
 * headers that lie, files cut anywhere.
 */
#include "format/wav.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static rg_ctx *cx;

static int start(void **state)
{
    (void)state;
    cx = rg_ctx_new(NULL);
    return cx ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    rg_ctx_free(cx);
    return 0;
}

enum { ROOM = 512 };
typedef struct sound { uint8_t bytes[ROOM]; size_t size; } sound;

static void put(sound *s, uint64_t x, int size)
{
    assert_true(s->size + (size_t)size <= ROOM);
    for (int i = 0; i < size; i++) s->bytes[s->size++] = (uint8_t)(x >> (8 * i));
}

static void put_text(sound *s, const char *text)
{
    for (; *text; text++) put(s, (uint8_t)*text, 1);
}

static void put_format(sound *s, int tag, int channels, int rate, int bits)
{
    put_text(s, "fmt ");
    put(s, 16, 4);
    put(s, (uint64_t)tag, 2);
    put(s, (uint64_t)channels, 2);
    put(s, (uint64_t)rate, 4);
    put(s, (uint64_t)(rate * channels * bits / 8), 4);
    put(s, (uint64_t)(channels * bits / 8), 2);
    put(s, (uint64_t)bits, 2);
}

static void put_riff(sound *s)
{
    *s = (sound){0};
    put_text(s, "RIFF");
    put(s, 0, 4); /* nobody needs the size of the whole */
    put_text(s, "WAVE");
}

static sound sound_of(int tag, int channels, int bits, const void *data, size_t size)
{
    sound s;
    put_riff(&s);
    put_format(&s, tag, channels, 16000, bits);
    put_text(&s, "data");
    put(&s, size, 4);
    for (size_t i = 0; i < size; i++) put(&s, ((const uint8_t *)data)[i], 1);
    return s;
}

static rg_err parse(const sound *s, rg_wav *w)
{
    return rg_wav_parse(cx, (rg_str){(const char *)s->bytes, s->size}, w);
}

/* Full scale is 1: the smallest code is -1, the middle 0, the largest one step below 1. */
static void test_samples(void **state)
{
    (void)state;
    static const struct { int tag, bits; const char *bytes; size_t size; double wanted[3]; } rows[] = {
        {1, 8, "\x00\x80\xff", 3, {-1, 0, 127.0 / 128}},
        {1, 16, "\x00\x80\x00\x00\xff\x7f", 6, {-1, 0, 32767.0 / 32768}},
        {1, 24, "\x00\x00\x80\x00\x00\x00\xff\xff\x7f", 9, {-1, 0, 8388607.0 / 8388608}},
        {1, 32, "\x00\x00\x00\x80\x00\x00\x00\x00\xff\xff\xff\x7f", 12, {-1, 0, 2147483647.0 / 2147483648.0}},
        {3, 32, "\x00\x00\x80\xbf\x00\x00\x00\x00\x00\x00\x00\x40", 12, {-1, 0, 2}},
        {3, 64, "\0\0\0\0\0\0\xf0\xbf\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40", 24, {-1, 0, 2}},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_wav w;
        sound s = sound_of(rows[i].tag, 1, rows[i].bits, rows[i].bytes, rows[i].size);
        assert_int_equal(parse(&s, &w), RG_OK);
        assert_int_equal(w.rate_hz, 16000);
        assert_int_equal(w.channels, 1);
        assert_int_equal(w.frame_count, 3);
        for (int k = 0; k < 3; k++)
            if (rg_wav_sample(&w, k, 0) != rows[i].wanted[k])
                fail_msg("%d bits: sample %d is %g", rows[i].bits, k, rg_wav_sample(&w, k, 0));
    }
}

static void test_channels(void **state)
{
    (void)state;
    rg_wav w;
    sound s = sound_of(1, 2, 16, "\x00\x40\x00\xc0\x00\x40\x00\x20", 8); /* 1/2 -1/2, 1/2 1/4 */
    assert_int_equal(parse(&s, &w), RG_OK);
    assert_int_equal(w.frame_count, 2);
    assert_true(rg_wav_sample(&w, 0, 0) == 0.5 && rg_wav_sample(&w, 0, 1) == -0.5);
    assert_true(rg_wav_sample(&w, 0, RG_WAV_MEAN) == 0 && rg_wav_sample(&w, 1, RG_WAV_MEAN) == 0.375);
}

/* Other chunks are passed over, with the byte that makes their size even; an extensible format names the real
 * one further in; who wrote into a pipe states the largest size. */
static void test_chunks(void **state)
{
    (void)state;
    sound s;
    rg_wav w;
    put_riff(&s);
    put_text(&s, "LIST");
    put(&s, 3, 4);
    put_text(&s, "abc");
    put(&s, 0, 1);
    put_text(&s, "fmt ");
    put(&s, 40, 4);
    put(&s, 0xfffe, 2);
    put(&s, 1, 2);
    put(&s, 8000, 4);
    put(&s, 16000, 4);
    put(&s, 2, 2);
    put(&s, 16, 2);
    put(&s, 22, 2);
    put(&s, 16, 2);
    put(&s, 4, 4);
    put(&s, 1, 2); /* PCM */
    for (int i = 0; i < 14; i++) put(&s, 0, 1);
    put_text(&s, "data");
    put(&s, UINT32_MAX, 4);
    put(&s, 0x4000, 2);
    put(&s, 0xc0, 1); /* half a sample */
    assert_int_equal(parse(&s, &w), RG_OK);
    assert_int_equal(w.rate_hz, 8000);
    assert_int_equal(w.frame_count, 1);
    assert_true(rg_wav_sample(&w, 0, RG_WAV_MEAN) == 0.5);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { int tag, channels, bits; rg_err err; const char *words; } rows[] = {
        {6, 1, 8, RG_UNSUPPORTED, "A-law"},         {7, 1, 8, RG_UNSUPPORTED, "mu-law"},
        {17, 1, 4, RG_UNSUPPORTED, "IMA ADPCM"},    {1, 1, 12, RG_UNSUPPORTED, "12 bits"},
        {3, 1, 16, RG_UNSUPPORTED, "16 bits"},      {99, 1, 16, RG_UNSUPPORTED, "format 99"},
        {1, 0, 16, RG_LIMIT, "0 channels"},         {1, 300, 16, RG_LIMIT, "300 channels"},
    };
    rg_wav w;
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        sound s = sound_of(rows[i].tag, rows[i].channels, rows[i].bits, "\0\0", 2);
        rg_err err = parse(&s, &w);
        if (err != rows[i].err || !strstr(rg_ctx_error(cx), rows[i].words))
            fail_msg("row %zu: %d %s", i, (int)err, rg_ctx_error(cx));
    }
    sound early, frame = sound_of(1, 1, 16, "\0\0", 2), rate = frame;
    put_riff(&early);
    put_text(&early, "data");
    put(&early, 0, 4);
    assert_int_equal(parse(&early, &w), RG_FORMAT);
    assert_non_null(strstr(rg_ctx_error(cx), "before their format"));
    frame.bytes[32] = 3; /* bytes of a frame */
    assert_int_equal(parse(&frame, &w), RG_FORMAT);
    assert_non_null(strstr(rg_ctx_error(cx), "frames of 3 bytes"));
    memset(rate.bytes + 24, 0, 4);
    assert_int_equal(parse(&rate, &w), RG_FORMAT);
    assert_non_null(strstr(rg_ctx_error(cx), "rate of 0"));
}

static void test_cut(void **state)
{
    (void)state;
    sound s = sound_of(1, 1, 16, "\0\0\x01\0\x02\0", 6);
    for (size_t size = 0; size < s.size; size++) {
        char *copy = malloc(size + 1); /* of its own, so that a sanitizer sees a step beyond it */
        rg_wav w;
        assert_non_null(copy);
        memcpy(copy, s.bytes, size);
        if (rg_wav_parse(cx, (rg_str){copy, size}, &w) != RG_FORMAT) fail_msg("%zu bytes are read", size);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples), cmocka_unit_test(test_channels), cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
