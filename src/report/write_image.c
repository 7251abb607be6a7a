/* write_image.c - one chart as PNG or PDF: the SVG file, rendered by librsvg onto a cairo surface.
 *
 * Both are opened when the first picture is asked for, so that neither the build nor any other command needs
 * them. They stay loaded, because GLib's types cannot be registered twice.
 */
#include "report/chart.h"

#include <dlfcn.h>

/* Pixels of a PNG for one of CSS; points of a PDF for one of CSS. */
#define PNG_SCALE 2.0
#define PDF_SCALE 0.75

/* The parts of the interfaces that are used; handles are opaque pointers, a status of 0 is success. */
typedef struct g_error { uint32_t domain; int code; char *message; } g_error;
typedef int put_bytes(void *user, const unsigned char *data, unsigned size);
enum { CAIRO_ARGB32 = 0, CAIRO_WRITE_ERROR = 11, CAIRO_PDF_CREATE_DATE = 5 };

typedef struct renderer {
    void *(*parse)(const unsigned char *data, size_t size, g_error **error);
    int (*draw)(void *svg, void *cairo, const rg_box *viewport, g_error **error);
    void (*unref)(void *object);
    void (*free_error)(g_error *error);
    void *(*image_new)(int format, int width, int height);
    void *(*pdf_new)(put_bytes *put, void *user, double width, double height);
    void (*pdf_date)(void *surface, int field, const char *value);
    int (*write_png)(void *surface, put_bytes *put, void *user);
    void (*surface_finish)(void *surface);
    int (*surface_status)(void *surface);
    void (*surface_free)(void *surface);
    void *(*cairo_new)(void *surface);
    void (*scale)(void *cairo, double x, double y);
    void (*cairo_free)(void *cairo);
} renderer;

enum { RSVG, CAIRO, GOBJECT };
static const struct { const char *file, *missing; } libraries[] = {
    [RSVG] = {"librsvg-2.so.2", "librsvg-2.so.2 (Debian: librsvg2-2)"},
    [CAIRO] = {"libcairo.so.2", "libcairo.so.2 (Debian: libcairo2)"},
    [GOBJECT] = {"libgobject-2.0.so.0", "libgobject-2.0.so.0 (Debian: libglib2.0-0)"},
};

/* GLib itself is among what the library of its objects needs, so that its symbols are found there. */
static const struct { int library; const char *name; size_t slot; } symbols[] = {
    {RSVG, "rsvg_handle_new_from_data", offsetof(renderer, parse)},
    {RSVG, "rsvg_handle_render_document", offsetof(renderer, draw)},
    {GOBJECT, "g_object_unref", offsetof(renderer, unref)},
    {GOBJECT, "g_error_free", offsetof(renderer, free_error)},
    {CAIRO, "cairo_image_surface_create", offsetof(renderer, image_new)},
    {CAIRO, "cairo_pdf_surface_create_for_stream", offsetof(renderer, pdf_new)},
    {CAIRO, "cairo_pdf_surface_set_metadata", offsetof(renderer, pdf_date)},
    {CAIRO, "cairo_surface_write_to_png_stream", offsetof(renderer, write_png)},
    {CAIRO, "cairo_surface_finish", offsetof(renderer, surface_finish)},
    {CAIRO, "cairo_surface_status", offsetof(renderer, surface_status)},
    {CAIRO, "cairo_surface_destroy", offsetof(renderer, surface_free)},
    {CAIRO, "cairo_create", offsetof(renderer, cairo_new)},
    {CAIRO, "cairo_scale", offsetof(renderer, scale)},
    {CAIRO, "cairo_destroy", offsetof(renderer, cairo_free)},
};

/* What is missing, or NULL. */
static const char *open_renderer(renderer *r)
{
    void *handles[RG_COUNT(libraries)];
    for (size_t i = 0; i < RG_COUNT(libraries); i++) {
        handles[i] = dlopen(libraries[i].file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (!handles[i]) return libraries[i].missing;
    }
    for (size_t i = 0; i < RG_COUNT(symbols); i++) {
        void *address = dlsym(handles[symbols[i].library], symbols[i].name);
        if (!address) return libraries[symbols[i].library].missing;
        /* ISO C has no cast from object to function pointers */
        memcpy((char *)r + symbols[i].slot, &address, sizeof address);
    }
    return NULL;
}

const char *rg_image_missing(void)
{
    renderer r;
    return open_renderer(&r);
}

static int put_to_file(void *user, const unsigned char *data, unsigned size)
{
    return fwrite(data, 1, size, user) == size ? 0 : CAIRO_WRITE_ERROR;
}

/* Takes the surface over. */
static rg_err render(rg_ctx *cx, const renderer *r, const rg_drawing *drawing, void *surface, double scale)
{
    g_error *error = NULL;
    rg_box viewport = {0, 0, drawing->width, drawing->height};
    void *svg = r->parse((const unsigned char *)drawing->svg.data, drawing->svg.size, &error);
    void *cairo = r->cairo_new(surface);
    r->scale(cairo, scale, scale);
    bool drawn = svg && r->draw(svg, cairo, &viewport, &error) && !error;
    const char *why = error ? error->message : "no reason given";
    rg_err err = drawn ? RG_OK : rg_fail(cx, RG_FAILED, "rendering the chart: %s", why);
    if (error) r->free_error(error);
    r->cairo_free(cairo);
    if (svg) r->unref(svg);
    return err;
}

static rg_err write_surface(rg_ctx *cx, const renderer *r, const rg_drawing *drawing, bool pdf, FILE *out)
{
    double scale = pdf ? PDF_SCALE : PNG_SCALE;
    double width = drawing->width * scale, height = drawing->height * scale;
    void *surface = pdf ? r->pdf_new(put_to_file, out, width, height)
                        : r->image_new(CAIRO_ARGB32, (int)width, (int)height);
    if (pdf) r->pdf_date(surface, CAIRO_PDF_CREATE_DATE, NULL); /* the same chart is the same file */
    rg_err err = render(cx, r, drawing, surface, scale);
    int status = 0;
    if (!err && !pdf) status = r->write_png(surface, put_to_file, out);
    r->surface_finish(surface);
    if (!status) status = r->surface_status(surface);
    r->surface_free(surface);
    return err || !status ? err : rg_fail(cx, RG_FAILED, "writing the chart: status %d of cairo", status);
}

static rg_err write_image(rg_ctx *cx, const rg_doc_block *part, bool pdf, FILE *out)
{
    renderer r;
    rg_arena arena;
    rg_drawing drawing;
    const char *missing = open_renderer(&r);
    if (missing) return rg_fail(cx, RG_UNSUPPORTED, "PNG and PDF need %s; SVG needs nothing", missing);
    rg_arena_init(&arena, cx);
    rg_err err = rg_chart_file(cx, &arena, part, &drawing);
    if (!err) err = write_surface(cx, &r, &drawing, pdf, out);
    rg_arena_done(&arena);
    return err;
}

static rg_err write_png(rg_ctx *cx, const rg_doc_block *part, FILE *out)
{
    return write_image(cx, part, false, out);
}

static rg_err write_pdf(rg_ctx *cx, const rg_doc_block *part, FILE *out)
{
    return write_image(cx, part, true, out);
}

RG_WRITER(png) = {.name = "png", .brief = "a chart, as pixels",
                  .part = RG_BLOCK_CHART, .write_part = write_png};
RG_WRITER(pdf) = {.name = "pdf", .brief = "a chart, for print",
                  .part = RG_BLOCK_CHART, .write_part = write_pdf};
