/* picture.c - which reader a picture belongs to, by its first bytes, and the readers that are other
 * libraries'.
 *
 * Every reader gives red, green and blue; gray is made of these here, so that it is the same for all. JPEG is
 * the exception: its own brightness is the gray.
 */
#include "base/picture.h"

#include "base/limits.h"

#include <dlfcn.h>

rg_err rg_picture_make(rg_ctx *cx, rg_arena *arena, int64_t width, int64_t height, int channels,
                       rg_picture *out)
{
    if (width <= 0 || height <= 0)
        return rg_fail(cx, RG_FORMAT, "a picture of %lld x %lld", (long long)width, (long long)height);
    if (width > RG_PICTURE_PIXEL_MAX / height)
        return rg_fail(cx, RG_LIMIT, "a picture of %lld x %lld has more than %d pixels", (long long)width,
                       (long long)height, RG_PICTURE_PIXEL_MAX);
    uint8_t *pixels = RG_NEW(arena, uint8_t, width * height * channels);
    *out = (rg_picture){.height = height, .width = width, .channels = channels, .pixels = pixels};
    return pixels ? RG_OK : rg_nomem(cx);
}

/* ---- libraries ---- */

typedef struct symbol { const char *name; void *slot; } symbol;

/* The handle, to be closed by dlclose. */
static rg_err open_library(rg_ctx *cx, const char *file, const char *package, const symbol *symbols,
                           size_t count, void **out)
{
    *out = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!*out)
        return rg_fail(cx, RG_UNSUPPORTED, "needs %s, which is not there (Debian: %s)", file, package);
    for (size_t i = 0; i < count; i++) {
        void *address = dlsym(*out, symbols[i].name);
        if (!address) {
            dlclose(*out);
            return rg_fail(cx, RG_UNSUPPORTED, "%s has no %s", file, symbols[i].name);
        }
        /* ISO C has no cast from object to function pointers */
        memcpy(symbols[i].slot, &address, sizeof address);
    }
    return RG_OK;
}

/* ---- PNG ---- */

/* libpng's simplified interface: struct and constants of its version 1. */
enum { PNG_VERSION = 1, PNG_RGBA = 3, PNG_16_BIT_IS_SRGB = 4 };
typedef struct png_image {
    void *opaque;
    uint32_t version, width, height, format, flags, map_entries, verdict;
    char message[64];
} png_image;

typedef struct png {
    int (*begin)(png_image *image, const void *memory, size_t size);
    int (*finish)(png_image *image, const void *background, void *buffer, int32_t row_stride, void *map);
    void (*free)(png_image *image);
} png;

/* Red, green, blue and alpha in `raw`; without alpha, libpng would mix the picture with a background. */
static rg_err decode_png(rg_ctx *cx, rg_arena *arena, const png *p, png_image *image, rg_picture *raw)
{
    RG_TRY(rg_picture_make(cx, arena, image->width, image->height, 4, raw));
    image->format = PNG_RGBA;
    image->flags |= PNG_16_BIT_IS_SRGB;
    if (p->finish(image, NULL, raw->pixels, 0, NULL)) return RG_OK;
    return rg_fail(cx, RG_FORMAT, "%.64s", image->message);
}

static rg_err drop_alpha(rg_ctx *cx, rg_arena *arena, const rg_picture *raw, rg_picture *out)
{
    RG_TRY(rg_picture_make(cx, arena, raw->width, raw->height, 3, out));
    for (int64_t i = 0; i < raw->width * raw->height; i++)
        memcpy(out->pixels + 3 * i, raw->pixels + 4 * i, 3);
    return RG_OK;
}

static rg_err read_png(rg_ctx *cx, rg_arena *arena, rg_str bytes, int channels, rg_picture *out)
{
    png p = {0};
    png_image image = {.version = PNG_VERSION};
    rg_picture raw = {0};
    void *library;
    const symbol symbols[] = {
        {"png_image_begin_read_from_memory", &p.begin}, {"png_image_finish_read", &p.finish},
        {"png_image_free", &p.free},
    };
    (void)channels;
    RG_TRY(open_library(cx, "libpng16.so.16", "libpng16-16", symbols, RG_COUNT(symbols), &library));
    rg_err err = p.begin(&image, bytes.data, bytes.size) ? decode_png(cx, arena, &p, &image, &raw)
                                                         : rg_fail(cx, RG_FORMAT, "%.64s", image.message);
    p.free(&image);
    dlclose(library);
    return err ? err : drop_alpha(cx, arena, &raw, out);
}

/* ---- JPEG ---- */

/* TurboJPEG, the interface of libjpeg-turbo whose handles are opaque. Damaged files are refused, and those of
 * endless progressive scans; the exact transform is used, so that all machines see the same pixels. */
enum { TJ_RGB = 0, TJ_GRAY = 6, TJ_ACCURATE = 4096, TJ_STOP_ON_WARNING = 8192, TJ_LIMIT_SCANS = 32768 };

typedef struct jpeg {
    void *(*open)(void);
    int (*header)(void *handle, const unsigned char *data, unsigned long size, int *width, int *height,
                  int *sampling, int *color);
    int (*decode)(void *handle, const unsigned char *data, unsigned long size, unsigned char *to, int width,
                  int pitch, int height, int format, int flags);
    char *(*error)(void *handle);
    int (*close)(void *handle);
} jpeg;

static rg_err decode_jpeg(rg_ctx *cx, rg_arena *arena, const jpeg *j, void *handle, rg_str bytes,
                          rg_picture *out)
{
    int width, height, sampling, color, format = out->channels == 1 ? TJ_GRAY : TJ_RGB;
    int flags = TJ_ACCURATE | TJ_STOP_ON_WARNING | TJ_LIMIT_SCANS;
    const unsigned char *data = (const unsigned char *)bytes.data;
    if (j->header(handle, data, bytes.size, &width, &height, &sampling, &color))
        return rg_fail(cx, RG_FORMAT, "%.200s", j->error(handle));
    RG_TRY(rg_picture_make(cx, arena, width, height, out->channels, out));
    if (j->decode(handle, data, bytes.size, out->pixels, width, 0, height, format, flags))
        return rg_fail(cx, RG_FORMAT, "%.200s", j->error(handle));
    return RG_OK;
}

static rg_err read_jpeg(rg_ctx *cx, rg_arena *arena, rg_str bytes, int channels, rg_picture *out)
{
    jpeg j = {0};
    void *library;
    const symbol symbols[] = {
        {"tjInitDecompress", &j.open}, {"tjDecompressHeader3", &j.header}, {"tjDecompress2", &j.decode},
        {"tjGetErrorStr2", &j.error}, {"tjDestroy", &j.close},
    };
    RG_TRY(open_library(cx, "libturbojpeg.so.0", "libturbojpeg0", symbols, RG_COUNT(symbols), &library));
    void *handle = j.open();
    out->channels = channels;
    rg_err err = handle ? decode_jpeg(cx, arena, &j, handle, bytes, out) : rg_nomem(cx);
    if (handle) j.close(handle);
    dlclose(library);
    return err;
}

/* ---- WebP ---- */

typedef struct webp {
    int (*header)(const uint8_t *data, size_t size, int *width, int *height);
    uint8_t *(*decode)(const uint8_t *data, size_t size, uint8_t *to, size_t room, int stride);
} webp;

static rg_err decode_webp(rg_ctx *cx, rg_arena *arena, const webp *w, rg_str bytes, rg_picture *out)
{
    int width, height;
    const uint8_t *data = (const uint8_t *)bytes.data;
    if (!w->header(data, bytes.size, &width, &height)) return rg_fail(cx, RG_FORMAT, "no WebP header");
    RG_TRY(rg_picture_make(cx, arena, width, height, 3, out));
    if (w->decode(data, bytes.size, out->pixels, (size_t)(out->width * out->height * 3), width * 3))
        return RG_OK;
    return rg_fail(cx, RG_FORMAT, "a damaged WebP picture");
}

static rg_err read_webp(rg_ctx *cx, rg_arena *arena, rg_str bytes, int channels, rg_picture *out)
{
    webp w = {0};
    void *library;
    const symbol symbols[] = {{"WebPGetInfo", &w.header}, {"WebPDecodeRGBInto", &w.decode}};
    (void)channels;
    RG_TRY(open_library(cx, "libwebp.so.7", "libwebp7", symbols, RG_COUNT(symbols), &library));
    rg_err err = decode_webp(cx, arena, &w, bytes, out);
    dlclose(library);
    return err;
}

/* ---- the kinds ---- */

static rg_err read_bmp(rg_ctx *cx, rg_arena *arena, rg_str bytes, int channels, rg_picture *out)
{
    (void)channels;
    return rg_picture_bmp(cx, arena, bytes, out);
}

static rg_err read_pnm(rg_ctx *cx, rg_arena *arena, rg_str bytes, int channels, rg_picture *out)
{
    (void)channels;
    return rg_picture_pnm(cx, arena, bytes, out);
}

/* A row without a reader is a kind that is recognized in order to be refused by its name. */
static const struct kind {
    size_t at;
    const char *magic;
    const char *name;
    rg_err (*read)(rg_ctx *cx, rg_arena *arena, rg_str bytes, int channels, rg_picture *out);
} kinds[] = {
    {0, "\x89PNG\r\n\x1a\n", "PNG", read_png},
    {0, "\xff\xd8\xff", "JPEG", read_jpeg},
    {8, "WEBP", "WebP", read_webp},
    {0, "BM", "BMP", read_bmp},
    {0, "P2", "PGM", read_pnm},
    {0, "P3", "PPM", read_pnm},
    {0, "P5", "PGM", read_pnm},
    {0, "P6", "PPM", read_pnm},
    {0, "GIF8", "GIF", NULL},
    {0, "II*", "TIFF", NULL},
    {0, "MM", "TIFF", NULL},
    {4, "jP  ", "JPEG 2000", NULL},
};

static const struct kind *kind_of(rg_str bytes)
{
    for (size_t i = 0; i < RG_COUNT(kinds); i++) {
        size_t size = strlen(kinds[i].magic), at = kinds[i].at;
        if (bytes.size >= at + size && memcmp(bytes.data + at, kinds[i].magic, size) == 0) return &kinds[i];
    }
    return NULL;
}

/* In place: a gray pixel lies at or before its colors. The weights are BT.601's in 1/65536. */
static void make_gray(rg_picture *p)
{
    for (int64_t i = 0; i < p->width * p->height; i++) {
        const uint8_t *rgb = p->pixels + 3 * i;
        p->pixels[i] = (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >> 16);
    }
    p->channels = 1;
}

rg_err rg_picture_read(rg_ctx *cx, rg_arena *arena, rg_str bytes, int channels, rg_picture *out)
{
    const struct kind *kind = kind_of(bytes);
    static const char known[] = "what can be read: PNG, JPEG, WebP, BMP, PNM";
    if (!kind) return rg_fail(cx, RG_UNSUPPORTED, "no known kind of picture; %s", known);
    if (!kind->read) return rg_fail(cx, RG_UNSUPPORTED, "a %s picture; %s", kind->name, known);
    RG_TRY_NOTE(cx, kind->read(cx, arena, bytes, channels, out), "%s", kind->name);
    if (channels == 1 && out->channels == 3) make_gray(out);
    return RG_OK;
}
