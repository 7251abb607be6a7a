/* write_svg.c - one chart as an SVG file of its own, for browsers and for renderers. */
#include "report/chart.h"

static rg_err write_svg(rg_ctx *cx, const rg_doc_block *part, FILE *out)
{
    rg_arena arena;
    rg_drawing drawing = {0};
    rg_arena_init(&arena, cx);
    rg_err err = rg_chart_file(cx, &arena, part, &drawing);
    if (!err) fwrite(drawing.svg.data, 1, drawing.svg.size, out);
    rg_arena_done(&arena);
    return err;
}

RG_WRITER(svg) = {.name = "svg", .brief = "a chart, as vectors",
                  .part = RG_BLOCK_CHART, .write_part = write_svg};
