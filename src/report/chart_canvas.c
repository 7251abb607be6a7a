/* chart_canvas.c - SVG elements, one function each.
 *
 * Coordinates are printed as tenths of a pixel from integers: short, exact enough, and no locale can put a
 * comma into them. Attributes stand in single quotes, which cost one byte where a page carries the picture
 * in a link. Without memory the text is marked as failed, and whoever asked for the picture looks there.
 */
#include "report/chart.h"

#include <math.h>
#include <stdlib.h>

static void put(rg_canvas *c, const char *markup) { rg_text_put(&c->svg, rg_str_of(markup)); }

void rg_xml_add(rg_text *out, const char *words) { rg_utf8_add(out, rg_str_of(words), &rg_xml_escapes); }

static void put_number(rg_canvas *c, double x)
{
    long tenths = lround(fmin(fmax(x, -1e6), 1e6) * 10), size = labs(tenths);
    rg_text_printf(&c->svg, "%s%ld", tenths < 0 ? "-" : "", size / 10);
    if (size % 10) rg_text_printf(&c->svg, ".%ld", size % 10);
}

static void put_attribute(rg_canvas *c, const char *name, double x)
{
    rg_text_printf(&c->svg, " %s='", name);
    put_number(c, x);
    put(c, "'");
}

static void put_class(rg_canvas *c, const char *class_name)
{
    if (class_name && *class_name) rg_text_printf(&c->svg, " class='%s'", class_name);
}

/* The end of an element that was begun: with what it tells, or empty. */
static void put_tip(rg_canvas *c, const char *element, const char *tip)
{
    if (!tip || !c->tips) {
        put(c, "/>");
        return;
    }
    put(c, "><title>");
    rg_xml_add(&c->svg, tip);
    rg_text_printf(&c->svg, "</title></%s>", element);
}

void rg_svg_open(rg_canvas *c, const char *class_name)
{
    put(c, "\n<g");
    put_class(c, class_name);
    put(c, ">");
}

void rg_svg_close(rg_canvas *c) { put(c, "</g>"); }

void rg_svg_rect(rg_canvas *c, const char *class_name, rg_box box, const char *tip)
{
    put(c, "<rect");
    put_class(c, class_name);
    put_attribute(c, "x", box.x);
    put_attribute(c, "y", box.y);
    put_attribute(c, "width", fmax(box.width, 0));
    put_attribute(c, "height", fmax(box.height, 0));
    put_tip(c, "rect", tip);
}

void rg_svg_line(rg_canvas *c, const char *class_name, double x0, double y0, double x1, double y1)
{
    rg_svg_path_begin(c, class_name);
    rg_svg_path_to(c, true, x0, y0);
    rg_svg_path_to(c, false, x1, y1);
    rg_svg_path_end(c, false);
}

void rg_svg_path_begin(rg_canvas *c, const char *class_name)
{
    put(c, "<path");
    put_class(c, class_name);
    put(c, " d='");
}

void rg_svg_path_to(rg_canvas *c, bool fresh, double x, double y)
{
    put(c, fresh ? "M" : "L");
    put_number(c, x);
    put(c, " ");
    put_number(c, y);
}

void rg_svg_path_end(rg_canvas *c, bool closed) { put(c, closed ? "z'/>" : "'/>"); }

/* Outlines around the center, for a radius of 1: alike in area, told apart without color. */
static const struct { int count; double at[12][2]; } shapes[RG_SHAPE_COUNT] = {
    {0, {{0}}}, /* a circle */
    {4, {{-.89, -.89}, {.89, -.89}, {.89, .89}, {-.89, .89}}},
    {3, {{0, -1.25}, {1.15, .8}, {-1.15, .8}}},
    {4, {{0, -1.3}, {1.3, 0}, {0, 1.3}, {-1.3, 0}}},
    {3, {{0, 1.25}, {1.15, -.8}, {-1.15, -.8}}},
    {12, {{-.4, -1.2}, {.4, -1.2}, {.4, -.4}, {1.2, -.4}, {1.2, .4}, {.4, .4},
          {.4, 1.2}, {-.4, 1.2}, {-.4, .4}, {-1.2, .4}, {-1.2, -.4}, {-.4, -.4}}},
    {12, {{-1.1, -.6}, {-.6, -1.1}, {0, -.5}, {.6, -1.1}, {1.1, -.6}, {.5, 0},
          {1.1, .6}, {.6, 1.1}, {0, .5}, {-.6, 1.1}, {-1.1, .6}, {-.5, 0}}},
    {10, {{0, -1.4}, {.36, -.5}, {1.33, -.43}, {.58, .19}, {.82, 1.13},
          {0, .61}, {-.82, 1.13}, {-.58, .19}, {-1.33, -.43}, {-.36, -.5}}},
};

void rg_svg_shape(rg_canvas *c, uint32_t shape, double x, double y, double radius, const char *tip)
{
    int count = shapes[shape].count;
    if (!count) {
        put(c, "<circle");
        put_attribute(c, "cx", x);
        put_attribute(c, "cy", y);
        put_attribute(c, "r", radius);
        put_tip(c, "circle", tip);
        return;
    }
    rg_svg_path_begin(c, NULL);
    for (int i = 0; i < count; i++) {
        const double *at = shapes[shape].at[i];
        rg_svg_path_to(c, i == 0, x + at[0] * radius, y + at[1] * radius);
    }
    put(c, "z'");
    put_tip(c, "path", tip);
}

void rg_svg_words(rg_canvas *c, const char *class_name, double x, double y, const char *words)
{
    if (!words || !*words) return;
    put(c, "<text");
    put_class(c, class_name);
    put_attribute(c, "x", x);
    put_attribute(c, "y", y);
    put(c, ">");
    rg_xml_add(&c->svg, words);
    put(c, "</text>");
}

void rg_svg_turned(rg_canvas *c, const char *class_name, double x, double y, double degrees,
                   const char *words)
{
    put(c, "<text");
    put_class(c, class_name);
    put(c, " transform='translate(");
    put_number(c, x);
    put(c, " ");
    put_number(c, y);
    put(c, ")rotate(");
    put_number(c, degrees);
    put(c, ")'>");
    rg_xml_add(&c->svg, words);
    put(c, "</text>");
}

void rg_svg_note(rg_canvas *c, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    rg_str_vprint(text, sizeof text, format, args);
    va_end(args);
    c->note = rg_arena_printf(c->arena, "%s%s%s", c->note ? c->note : "", c->note ? "; " : "", text);
}

/* No font is known here: shares of the text size of a wide one (DejaVu Sans), so that others fit as well. */
static double glyph_width(uint32_t code)
{
    if (code == ' ' || code == '.' || code == ',' || code == ':' || code == '/' || code == '|') return 0.34;
    if (code == 'i' || code == 'j' || code == 'l' || code == 't' || code == 'r' || code == 'f') return 0.38;
    if (code == 'M' || code == 'W' || code == 'm' || code == 'w' || code == '%') return 1;
    if (code >= 'A' && code <= 'Z') return 0.7;
    return 0.62;
}

double rg_words_width(const char *words)
{
    double width = 0;
    for (rg_str rest = rg_str_of(words); rest.size;) {
        rg_str glyph = rest;
        uint32_t code = rg_utf8_cut(&rest).code;
        glyph.size -= rest.size;
        width += code < 128 ? glyph_width(code) : 0.7 * (double)rg_utf8_columns(glyph);
    }
    return width * RG_TEXT_SIZE;
}

const char *rg_words_fit(rg_canvas *c, const char *words, double width)
{
    rg_str text = rg_str_of(words), head, tail;
    double whole = rg_words_width(words), columns = floor((double)rg_utf8_columns(text) * width / whole);
    if (whole <= width) return words;
    for (; columns >= 2; columns--) {
        rg_utf8_ends(text, (size_t)columns - 1, &head, &tail);
        const char *fit = rg_arena_printf(c->arena, "%.*s…%.*s", RG_STR(head), RG_STR(tail));
        if (!fit || rg_words_width(fit) <= width) return fit ? fit : "";
    }
    return "";
}
