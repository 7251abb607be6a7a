/* test_picture.c - pictures that are written here byte by byte: each kind gives its pixels, in color and in
 * gray; damaged and oversized ones are refused; files cut anywhere.
 */
#include "base/limits.h"
#include "base/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <zlib.h>

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

enum { ROOM = 1024 };
typedef struct bytes { uint8_t data[ROOM]; size_t size; } bytes;

static void put(bytes *b, const void *data, size_t size)
{
    assert_true(b->size + size <= ROOM);
    if (size) memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_big(bytes *b, uint32_t x)
{
    put(b, (const uint8_t[]){(uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x}, 4);
}

static void put_little(bytes *b, uint32_t x, int size)
{
    for (int i = 0; i < size; i++) put(b, (const uint8_t[]){(uint8_t)(x >> (8 * i))}, 1);
}

static rg_err read_bytes(const bytes *b, int channels, rg_picture *out)
{
    return rg_picture_read(cx, &cx->arena, (rg_str){(const char *)b->data, b->size}, channels, out);
}

/* The library of the kind may not be there; its error says so. */
static void read_ok(const bytes *b, int channels, rg_picture *out)
{
    rg_err err = read_bytes(b, channels, out);
    if (err == RG_UNSUPPORTED && strstr(rg_ctx_error(cx), "which is not there")) skip();
    if (err) fail_msg("%s", rg_ctx_error(cx));
}

/* 2 x 2: red, green; blue, (10, 20, 30) */
static const uint8_t four[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30};

/* round(.299 r + .587 g + .114 b) */
static const uint8_t four_gray[] = {76, 150, 29, 18};

static void check_four(const bytes *b)
{
    rg_picture p;
    read_ok(b, 3, &p);
    assert_int_equal(p.width, 2);
    assert_int_equal(p.height, 2);
    assert_int_equal(p.channels, 3);
    assert_memory_equal(p.pixels, four, sizeof four);
    read_ok(b, 1, &p);
    assert_int_equal(p.channels, 1);
    assert_memory_equal(p.pixels, four_gray, sizeof four_gray);
}

/* No beginning of it is a picture. */
static void check_cut(const bytes *b, size_t to)
{
    rg_picture p;
    for (size_t size = 0; size < to; size++) {
        char *copy = malloc(size + 1); /* of its own, so that a sanitizer sees a step beyond it */
        assert_non_null(copy);
        memcpy(copy, b->data, size);
        if (!rg_picture_read(cx, &cx->arena, (rg_str){copy, size}, 3, &p))
            fail_msg("%zu bytes are read", size);
        free(copy);
    }
}

/* ---- PNG ---- */

static void put_chunk(bytes *b, const char *name, const void *data, size_t size)
{
    size_t from = b->size + 4;
    put_big(b, (uint32_t)size);
    put(b, name, 4);
    put(b, data, size);
    put_big(b, (uint32_t)crc32(0, b->data + from, (unsigned)(b->size - from)));
}

/* `row_byte` bytes of pixels a row; every row begins with its filter, 0. */
static void put_png(bytes *b, int color, int bits, uint32_t width, uint32_t height, const uint8_t *rows,
                    size_t row_byte)
{
    bytes head = {0}, raw = {0};
    uint8_t packed[ROOM];
    uLongf size = sizeof packed;
    *b = (bytes){0};
    put(b, "\x89PNG\r\n\x1a\n", 8);
    put_big(&head, width);
    put_big(&head, height);
    put(&head, (const uint8_t[]){(uint8_t)bits, (uint8_t)color, 0, 0, 0}, 5);
    put_chunk(b, "IHDR", head.data, head.size);
    for (uint32_t y = 0; y < height && y < 2; y++) {
        put(&raw, "", 1);
        put(&raw, rows + y * row_byte, row_byte);
    }
    assert_int_equal(compress(packed, &size, raw.data, raw.size), Z_OK);
    put_chunk(b, "IDAT", packed, size);
    put_chunk(b, "IEND", NULL, 0);
}

static void test_png(void **state)
{
    (void)state;
    bytes b;
    put_png(&b, 2, 8, 2, 2, four, 6);
    check_four(&b);
    check_cut(&b, b.size - 12); /* all but IEND, which libpng can do without */

    /* alpha is dropped, not mixed in; 16 bits become 8 */
    static const uint8_t alpha[] = {255, 0, 0, 9, 0, 255, 0, 0, 0, 0, 255, 200, 10, 20, 30, 255};
    put_png(&b, 6, 8, 2, 2, alpha, 8);
    check_four(&b);
    uint8_t wide[24];
    for (int i = 0; i < 12; i++) wide[2 * i] = wide[2 * i + 1] = four[i];
    put_png(&b, 2, 16, 2, 2, wide, 12);
    check_four(&b);

    rg_picture p;
    static const uint8_t gray[] = {0, 100, 200, 255};
    put_png(&b, 0, 8, 2, 2, gray, 2);
    read_ok(&b, 1, &p);
    assert_memory_equal(p.pixels, gray, sizeof gray);
    put_png(&b, 2, 8, 2, 2, four, 6);
    b.data[50] ^= 1; /* inside IDAT */
    assert_int_equal(read_bytes(&b, 3, &p), RG_FORMAT);
    put_png(&b, 2, 8, 100000, 100000, four, 6);
    assert_int_equal(read_bytes(&b, 3, &p), RG_LIMIT);
    assert_non_null(strstr(rg_ctx_error(cx), "100000 x 100000"));
}

/* ---- JPEG ---- */

/* 8 x 8, gray, one block: quantizers of 8; one Huffman code each, 0: of the DC table for "6 bits follow", of
 * the AC table for "end of block". The bits 0 101000 0 are so a DC of 40, and a block of 128 + 40 * 8 / 8. */
static void put_jpeg(bytes *b)
{
    static const uint8_t lengths[15] = {0};
    *b = (bytes){0};
    put(b, "\xff\xd8\xff\xdb\x00\x43\x00", 7);
    for (int i = 0; i < 64; i++) put(b, "\x08", 1);
    put(b, "\xff\xc0\x00\x0b\x08\x00\x08\x00\x08\x01\x01\x11\x00", 13);
    put(b, "\xff\xc4\x00\x14\x00\x01", 6);
    put(b, lengths, sizeof lengths);
    put(b, "\x06\xff\xc4\x00\x14\x10\x01", 7);
    put(b, lengths, sizeof lengths);
    put(b, "\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x50\xff\xd9", 14);
}

static void test_jpeg(void **state)
{
    (void)state;
    bytes b;
    rg_picture p;
    put_jpeg(&b);
    read_ok(&b, 1, &p);
    assert_int_equal(p.width, 8);
    assert_int_equal(p.height, 8);
    for (int i = 0; i < 64; i++) assert_int_equal(p.pixels[i], 168);
    read_ok(&b, 3, &p);
    for (int i = 0; i < 192; i++) assert_int_equal(p.pixels[i], 168);
    check_cut(&b, b.size - 2); /* all but the mark of the end */
}

/* ---- WebP ---- */

/* One pixel, lossless: no transform, no cache, five prefix codes of one symbol each, so that no bit codes a
 * pixel. In the order of the stream (lowest bit first): width - 1, height - 1 in 14 bits each, alpha used,
 * version 0 in 3; then 0 (transforms), 0 (cache), 0 (one group); a simple code is 1, one symbol 0, of 8 bits
 * 1, the symbol. */
static void put_webp(bytes *b)
{
    static const struct { uint32_t value; int bits; } fields[] = {
        {0, 14}, {0, 14}, {0, 1}, {0, 3}, {0, 1}, {0, 1}, {0, 1},
        {1, 1}, {0, 1}, {1, 1}, {20, 8},   /* green */
        {1, 1}, {0, 1}, {1, 1}, {10, 8},   /* red */
        {1, 1}, {0, 1}, {1, 1}, {30, 8},   /* blue */
        {1, 1}, {0, 1}, {1, 1}, {255, 8},  /* alpha */
        {1, 1}, {0, 1}, {0, 1}, {0, 1},    /* distance: a symbol of 1 bit */
    };
    uint8_t stream[16] = {0x2f};
    int at = 8;
    for (size_t i = 0; i < RG_COUNT(fields); i++)
        for (int k = 0; k < fields[i].bits; k++, at++)
            stream[at / 8] |= (uint8_t)((fields[i].value >> k & 1) << (at % 8));
    *b = (bytes){0};
    put(b, "RIFF", 4);
    put_little(b, 12 + sizeof stream, 4);
    put(b, "WEBPVP8L", 8);
    put_little(b, sizeof stream, 4);
    put(b, stream, sizeof stream);
}

static void test_webp(void **state)
{
    (void)state;
    bytes b;
    rg_picture p;
    put_webp(&b);
    read_ok(&b, 3, &p);
    assert_int_equal(p.width * p.height, 1);
    assert_memory_equal(p.pixels, four + 9, 3);
    check_cut(&b, b.size - 4);
}

/* ---- BMP ---- */

/* `height` below 0: the top row comes first. */
static void put_bmp(bytes *b, int bits, int32_t width, int32_t height, const void *palette,
                    size_t palette_byte, const void *rows, size_t size)
{
    *b = (bytes){0};
    put(b, "BM", 2);
    put_little(b, (uint32_t)(54 + palette_byte + size), 4);
    put_little(b, 0, 4);
    put_little(b, (uint32_t)(54 + palette_byte), 4);
    put_little(b, 40, 4);
    put_little(b, (uint32_t)width, 4);
    put_little(b, (uint32_t)height, 4);
    put_little(b, 1, 2);
    put_little(b, (uint32_t)bits, 2);
    for (int i = 0; i < 6; i++) put_little(b, 0, 4);
    put(b, palette, palette_byte);
    put(b, rows, size);
}

static void test_bmp(void **state)
{
    (void)state;
    bytes b;
    static const uint8_t up[] = {255, 0, 0, 30, 20, 10, 0, 0, 0, 0, 255, 0, 255, 0, 0, 0};
    put_bmp(&b, 24, 2, 2, NULL, 0, up, sizeof up);
    check_four(&b);
    check_cut(&b, b.size);
    static const uint8_t down[] = {0, 0, 255, 0, 255, 0, 0, 0, 255, 0, 0, 30, 20, 10, 0, 0};
    put_bmp(&b, 24, 2, -2, NULL, 0, down, sizeof down);
    check_four(&b);
    static const uint8_t wide[] = {255, 0, 0, 9, 30, 20, 10, 9, 0, 0, 255, 9, 0, 255, 0, 9};
    put_bmp(&b, 32, 2, 2, NULL, 0, wide, sizeof wide);
    check_four(&b);

    static const uint8_t palette[] = {0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 30, 20, 10, 0};
    static const uint8_t eight[] = {2, 3, 0, 0, 0, 1, 0, 0}, four_bits[] = {0x23, 0, 0, 0, 0x01, 0, 0, 0};
    put_bmp(&b, 8, 2, 2, palette, sizeof palette, eight, sizeof eight);
    check_four(&b);
    put_bmp(&b, 4, 2, 2, palette, sizeof palette, four_bits, sizeof four_bits);
    check_four(&b);

    rg_picture p;
    static const uint8_t beyond[] = {2, 4, 0, 0, 0, 1, 0, 0};
    put_bmp(&b, 8, 2, 2, palette, sizeof palette, beyond, sizeof beyond);
    assert_int_equal(read_bytes(&b, 3, &p), RG_FORMAT);
    assert_non_null(strstr(rg_ctx_error(cx), "color 4 of a palette of 4"));
    put_bmp(&b, 16, 2, 2, NULL, 0, up, sizeof up);
    assert_int_equal(read_bytes(&b, 3, &p), RG_UNSUPPORTED);
    put_bmp(&b, 24, INT32_MAX, INT32_MIN, NULL, 0, up, sizeof up);
    assert_int_equal(read_bytes(&b, 3, &p), RG_FORMAT);
    put_bmp(&b, 24, 2, 3, NULL, 0, up, sizeof up);
    assert_int_equal(read_bytes(&b, 3, &p), RG_FORMAT);
}

/* ---- PNM ---- */

static void set_text(bytes *b, const char *text)
{
    *b = (bytes){0};
    put(b, text, strlen(text));
}

static void test_pnm(void **state)
{
    (void)state;
    bytes b;
    rg_picture p;
    set_text(&b, "P6\n# made by hand\n2 2\n255\n");
    put(&b, four, sizeof four);
    check_four(&b);
    check_cut(&b, b.size);
    set_text(&b, "P3 2 2 255 255 0 0  0 255 0\n0 0 255 10 20 30");
    check_four(&b);

    static const uint8_t gray[] = {0, 255, 85, 170};
    set_text(&b, "P5 2 2 3\n");
    put(&b, "\x00\x03\x01\x02", 4); /* of 3: thirds of 255 */
    read_ok(&b, 1, &p);
    assert_memory_equal(p.pixels, gray, sizeof gray);
    set_text(&b, "P5 2 2 65535 ");
    put(&b, "\0\0\xff\xff\x55\x55\xaa\xaa", 8);
    read_ok(&b, 1, &p);
    assert_memory_equal(p.pixels, gray, sizeof gray);
    set_text(&b, "P2 2 2 3 0 3 1 2");
    read_ok(&b, 1, &p);
    assert_memory_equal(p.pixels, gray, sizeof gray);

    static const char *const bad[] = {
        "P5 2 2 3\n\x01\x02\x03\x04", "P2 2 2 3 0 3 1 4", "P2 2 2 3 0 3 1 x", "P5 0 2 255 ", "P5 2 2 0 1234",
        "P5 2 2 65536 12345678", "P6 99999999999 2 255 1234", "P6 67108864 67108864 255 1", "P5 2", "P5",
    };
    for (size_t i = 0; i < RG_COUNT(bad); i++) {
        set_text(&b, bad[i]);
        if (read_bytes(&b, 1, &p) != RG_FORMAT) fail_msg("'%s': %s", bad[i], rg_ctx_error(cx));
    }
}

static void test_refused_by_name(void **state)
{
    (void)state;
    static const struct { const char *text, *words;
    } rows[] = {
        {"GIF89a", "a GIF picture"},
        {"II*", "a TIFF picture"},
        {"hello", "no known kind"},
        {"", "no known kind"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        bytes b;
        rg_picture p;
        set_text(&b, rows[i].text);
        assert_int_equal(read_bytes(&b, 3, &p), RG_UNSUPPORTED);
        assert_non_null(strstr(rg_ctx_error(cx), rows[i].words));
        assert_non_null(strstr(rg_ctx_error(cx), "PNG, JPEG"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png), cmocka_unit_test(test_jpeg), cmocka_unit_test(test_webp),
        cmocka_unit_test(test_bmp), cmocka_unit_test(test_pnm),  cmocka_unit_test(test_refused_by_name),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
