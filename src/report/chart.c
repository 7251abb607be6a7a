/* chart.c - from a chart to its picture: the drawing function of its kind, the note below, and the frame of a
 * file of its own.
 */
#include "report/chart.h"

#include <math.h>

static void (*const draw_kind[RG_CHART_KIND_COUNT])(rg_canvas *c, const rg_chart *chart) = {
    [RG_CHART_LINE] = rg_draw_points,     [RG_CHART_SCATTER] = rg_draw_points,
    [RG_CHART_ROOFLINE] = rg_draw_points, [RG_CHART_BARS] = rg_draw_bars,
    [RG_CHART_STEPS] = rg_draw_steps,     [RG_CHART_SPANS] = rg_draw_spans,
    [RG_CHART_HEAT] = rg_draw_heat,
};

/* Broken into lines where the picture is narrow. */
static void put_note(rg_canvas *c)
{
    rg_str rest = rg_str_of(c->note), word;
    rg_text line;
    rg_text_init(&line, c->arena);
    c->height += c->note ? 4 : 0;
    for (bool more = rg_str_cut(&rest, ' ', &word); more;) {
        if (line.size) rg_text_char(&line, ' ');
        rg_text_put(&line, word);
        more = rg_str_cut(&rest, ' ', &word);
        if (line.failed) return;
        bool full = more && rg_words_width(line.data) + rg_words_width("m") * (double)word.size > c->width;
        if (more && !full) continue;
        c->height += RG_LINE_HEIGHT;
        rg_svg_words(c, "d", 0, c->height - 4, line.data);
        rg_text_init(&line, c->arena);
    }
}

rg_err rg_chart_draw(rg_ctx *cx, rg_arena *arena, const rg_chart *chart, double width, bool tips,
                     rg_drawing *out)
{
    rg_canvas c = {.arena = arena, .width = width, .narrow = width < RG_CHART_WIDE, .tips = tips};
    rg_text_init(&c.svg, arena);
    draw_kind[chart->kind](&c, chart);
    if (c.height <= 0) { /* nothing was drawn */
        c.height = 2 * RG_LINE_HEIGHT;
        rg_svg_words(&c, "d", 0, RG_LINE_HEIGHT, "Nothing to draw: no figure is known.");
    }
    put_note(&c);
    if (c.svg.failed || arena->failed) return rg_nomem(cx);
    *out = (rg_drawing){.svg = {c.svg.data, c.svg.size}, .width = width, .height = ceil(c.height)};
    return RG_OK;
}

enum { MARGIN = 20, TITLE_HEIGHT = 28, SUBJECT_HEIGHT = 20 };

static void put_line(rg_text *file, const char *class_name, int y, const char *words)
{
    rg_text_printf(file, "<text class='%s' x='%d' y='%d'>", class_name, MARGIN, y);
    rg_xml_add(file, words);
    rg_text_put(file, RG_LIT("</text>\n"));
}

rg_err rg_chart_file(rg_ctx *cx, rg_arena *arena, const rg_doc_block *block, rg_drawing *out)
{
    const rg_chart *chart = block->chart;
    rg_drawing drawing;
    rg_text file;
    RG_TRY(rg_chart_draw(cx, arena, chart, RG_CHART_WIDE, true, &drawing));
    int top = MARGIN + TITLE_HEIGHT + (block->subject ? SUBJECT_HEIGHT : 0);
    int width = (int)drawing.width + 2 * MARGIN, height = (int)drawing.height + top + MARGIN;
    rg_text_init(&file, arena);
    rg_text_printf(&file, "<svg xmlns='http://www.w3.org/2000/svg' role='img' width='%d' height='%d' "
                   "viewBox='0 0 %d %d'>\n<title>", width, height, width, height);
    rg_xml_add(&file, chart->title);
    rg_text_put(&file, RG_LIT("</title>\n<desc>"));
    rg_xml_add(&file, chart->text ? chart->text : chart->title);
    rg_text_put(&file, RG_LIT("</desc>\n<style>"));
    rg_chart_style(&file, false);
    rg_text_printf(&file, ".title{font-size:16px;font-weight:600}</style>\n%s\n"
                   "<rect class='paper' width='%d' height='%d'/>\n", rg_chart_patterns, width, height);
    put_line(&file, "title", MARGIN + 12, chart->title);
    if (block->subject) put_line(&file, "d", MARGIN + TITLE_HEIGHT + 4, block->subject);
    rg_text_printf(&file, "<g transform='translate(%d %d)'>", MARGIN, top);
    rg_text_put(&file, drawing.svg);
    rg_text_put(&file, RG_LIT("</g>\n</svg>\n"));
    if (file.failed) return rg_nomem(cx);
    *out = (rg_drawing){.svg = {file.data, file.size}, .width = width, .height = height};
    return RG_OK;
}
