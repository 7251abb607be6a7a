/* picture_plain.c - the two kinds of pictures that are simple enough to be read right here: BMP and PNM.
 *
 *     BMP   "BM" size - - offset | header size, width, height, planes, bits, compression ... | palette | rows
 *     PNM   "P6" width height 255 | samples; P5 gray, P6 color; P2 and P3 the same in decimal
 *
 * Rows of a BMP run from the bottom up unless its height is negative, and fill up to four bytes. Everything
 * that these headers say is checked against the size of the file before a pixel is read.
 */
#include "base/limits.h"
#include "base/picture.h"

/* ---- BMP ---- */

enum {
    BMP_FILE_HEADER = 14, BMP_INFO_HEADER = 40, /* the info header may be longer: its first 40 bytes count */
    BMP_PLAIN = 0, BMP_BIT_FIELDS = 3,          /* compression */
};

typedef struct bmp {
    const uint8_t *data, *palette;
    int64_t width, height, row_byte, palette_count;
    int bits;
    bool top_down;
} bmp;

static uint32_t u16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const uint8_t *p) { return u16(p) | u16(p + 2) << 16; }

/* The masks of 32-bit pixels that lie as plain ones do: red 0xff0000, green 0xff00, blue 0xff. */
static bool is_plain(const uint8_t *info, rg_str bytes)
{
    static const uint8_t masks[12] = {0, 0, 0xff, 0, 0, 0xff, 0, 0, 0xff};
    uint32_t compression = u32(info + 16);
    if (compression == BMP_PLAIN) return true;
    return compression == BMP_BIT_FIELDS && u16(info + 14) == 32 &&
           bytes.size >= BMP_FILE_HEADER + BMP_INFO_HEADER + sizeof masks &&
           memcmp(info + BMP_INFO_HEADER, masks, sizeof masks) == 0;
}

static rg_err read_bmp_header(rg_ctx *cx, rg_str bytes, bmp *b)
{
    const uint8_t *file = (const uint8_t *)bytes.data, *info = file + BMP_FILE_HEADER;
    if (bytes.size < BMP_FILE_HEADER + BMP_INFO_HEADER)
        return rg_fail(cx, RG_FORMAT, "%zu bytes are no file", bytes.size);
    uint32_t offset = u32(file + 10), header = u32(info);
    if (header < BMP_INFO_HEADER || header > bytes.size - BMP_FILE_HEADER)
        return rg_fail(cx, RG_UNSUPPORTED, "a header of %u bytes", (unsigned)header);
    int64_t height = (int32_t)u32(info + 8);
    *b = (bmp){
        .width = (int32_t)u32(info + 4), .height = height < 0 ? -height : height, .bits = (int)u16(info + 14),
        .top_down = height < 0, .palette = info + header,
    };
    bool known = b->bits == 1 || b->bits == 4 || b->bits == 8 || b->bits == 24 || b->bits == 32;
    if (!known || !is_plain(info, bytes))
        return rg_fail(cx, RG_UNSUPPORTED, "%d bits a pixel with compression %u", b->bits,
                       (unsigned)u32(info + 16));
    if (b->width <= 0 || b->width > RG_PICTURE_PIXEL_MAX)
        return rg_fail(cx, RG_FORMAT, "a width of %lld", (long long)b->width);
    b->row_byte = (b->width * b->bits + 31) / 32 * 4;
    if (offset > bytes.size || b->height > (int64_t)(bytes.size - offset) / b->row_byte)
        return rg_fail(cx, RG_FORMAT, "%lld rows of %lld bytes from byte %u do not fit into %zu",
                       (long long)b->height, (long long)b->row_byte, (unsigned)offset, bytes.size);
    b->data = file + offset;
    if (b->bits <= 8 && offset > BMP_FILE_HEADER + header)
        b->palette_count = (int64_t)(offset - BMP_FILE_HEADER - header) / 4;
    return RG_OK;
}

rg_err rg_picture_bmp(rg_ctx *cx, rg_arena *arena, rg_str bytes, rg_picture *out)
{
    bmp b = {0};
    RG_TRY(read_bmp_header(cx, bytes, &b));
    RG_TRY(rg_picture_make(cx, arena, b.width, b.height, 3, out));
    uint8_t *to = out->pixels;
    for (int64_t y = 0; y < b.height; y++) {
        const uint8_t *row = b.data + (b.top_down ? y : b.height - 1 - y) * b.row_byte;
        for (int64_t x = 0; x < b.width; x++, to += 3) {
            const uint8_t *bgr = row + x * b.bits / 8;
            if (b.bits <= 8) { /* leftmost pixel in the highest bits */
                int shift = 8 - b.bits - (int)(x * b.bits % 8);
                int64_t entry = (*bgr >> shift) & ((1 << b.bits) - 1);
                if (entry >= b.palette_count)
                    return rg_fail(cx, RG_FORMAT, "color %lld of a palette of %lld", (long long)entry,
                                   (long long)b.palette_count);
                bgr = b.palette + entry * 4;
            }
            to[0] = bgr[2], to[1] = bgr[1], to[2] = bgr[0];
        }
    }
    return RG_OK;
}

/* ---- PNM ---- */

enum { PNM_SAMPLE_MAX = 65535 };

/* A decimal number behind blanks and comments; -1: there is none, or it is above `max`. */
static int64_t pnm_number(rg_str *rest, int64_t max)
{
    int64_t x = -1;
    bool comment = false;
    for (; rest->size; rest->data++, rest->size--) {
        char c = *rest->data;
        comment = c == '#' || (comment && c != '\n');
        if (!comment && c >= '0' && c <= '9') break;
        if (!comment && c != ' ' && (c < '\t' || c > '\r')) return -1;
    }
    for (; rest->size && *rest->data >= '0' && *rest->data <= '9'; rest->data++, rest->size--) {
        x = (x < 0 ? 0 : x) * 10 + (*rest->data - '0');
        if (x > max) return -1;
    }
    return x;
}

/* One sample, the next bytes big-endian or the next number; -1: there is none. */
static int64_t pnm_sample(rg_str *rest, bool decimal, int64_t max)
{
    if (decimal) return pnm_number(rest, max);
    size_t size = max > UINT8_MAX ? 2 : 1;
    if (rest->size < size) return -1;
    const uint8_t *p = (const uint8_t *)rest->data;
    int64_t x = size == 2 ? p[0] << 8 | p[1] : p[0];
    rest->data += size;
    rest->size -= size;
    return x <= max ? x : -1;
}

rg_err rg_picture_pnm(rg_ctx *cx, rg_arena *arena, rg_str bytes, rg_picture *out)
{
    bool decimal = bytes.data[1] <= '3', color = bytes.data[1] == '3' || bytes.data[1] == '6';
    rg_str rest = {bytes.data + 2, bytes.size - 2};
    int64_t width = pnm_number(&rest, RG_PICTURE_PIXEL_MAX), height = pnm_number(&rest, RG_PICTURE_PIXEL_MAX);
    int64_t max = pnm_number(&rest, PNM_SAMPLE_MAX);
    if (width <= 0 || height <= 0 || max <= 0 || !rest.size)
        return rg_fail(cx, RG_FORMAT, "no width, height and largest sample, of up to %d", PNM_SAMPLE_MAX);
    rest.data++, rest.size--; /* the one blank behind the header */
    int64_t needed = width > RG_PICTURE_PIXEL_MAX / height ? INT64_MAX : width * height * (color ? 3 : 1);
    if ((uint64_t)needed > rest.size) /* a sample takes a byte at least */
        return rg_fail(cx, RG_FORMAT, "%lld x %lld pixels do not fit into %zu bytes", (long long)width,
                       (long long)height, rest.size);
    RG_TRY(rg_picture_make(cx, arena, width, height, 3, out));
    for (int64_t i = 0; i < width * height * 3; i++) {
        if (!color && i % 3) { /* gray: the same three times */
            out->pixels[i] = out->pixels[i - 1];
            continue;
        }
        int64_t x = pnm_sample(&rest, decimal, max);
        if (x < 0)
            return rg_fail(cx, RG_FORMAT, "sample %lld is missing or above %lld", (long long)i,
                           (long long)max);
        out->pixels[i] = (uint8_t)((x * UINT8_MAX + max / 2) / max);
    }
    return RG_OK;
}
