/* chart_style.c - how charts look: one table of colors for both color schemes, one table of rules, two ways
 * to write them.
 *
 * Series take the colors of Okabe and Ito (Color Universal Design, 2008), which people with any kind of color
 * vision tell apart, darkened for paper and lightened for a dark page until each has a contrast of 3:1 to
 * what is behind it (WCAG 2.1, 1.4.11); text has 4.5:1. A page names them as variables. A file of its own
 * carries the light ones as they are, because SVG renderers other than browsers know no variables.
 */
#include "report/chart.h"

typedef enum color {
    PAPER, CARD, INK, DIM, GRID, EDGE, LINK, SERIES, HEAT = SERIES + RG_COLOR_COUNT,
    COLOR_COUNT = HEAT + RG_HEAT_COUNT, NO_COLOR = COLOR_COUNT,
} color;

static const struct { const char *name, *light, *dark; } colors[COLOR_COUNT] = {
    [PAPER] = {"paper", "#ffffff", "#14181d"},
    [CARD] = {"card", "#f5f7f9", "#1c2229"},
    [INK] = {"ink", "#1b2128", "#e8ecf0"},
    [DIM] = {"dim", "#56606b", "#a3adb8"},
    [GRID] = {"grid", "#dde2e7", "#323a43"},
    [EDGE] = {"edge", "#858e98", "#6f7984"},
    [LINK] = {"link", "#0b5cad", "#7cc0ff"},
    [SERIES] = {"c0", "#0072b2", "#3d9be0"},
    {"c1", "#cc5500", "#f08a3c"},
    {"c2", "#00805c", "#2fbf93"},
    {"c3", "#b0558a", "#dd8fbe"},
    {"c4", "#8a6a00", "#e0b93a"},
    {"c5", "#3a8fc4", "#8fd0f5"},
    {"c6", "#5b6470", "#9aa5b1"},
    {"c7", "#8c3b2e", "#e0806f"},
    [HEAT] = {"h0", "#e6f0f8", "#1b2c3a"},
    {"h1", "#c6ddef", "#203d55"},
    {"h2", "#a0c8e4", "#255072"},
    {"h3", "#74aed5", "#2c668f"},
    {"h4", "#2878ad", "#6fb1de"},
    {"h5", "#15609a", "#a0cff0"},
    {"h6", "#0a4276", "#d2e9fb"},
};

/* `property` takes the color; count > 1: the selector is numbered, and so are the colors. */
static const struct { const char *selector, *more, *property; color color; int count; } rules[] = {
    {"text", "font:12px system-ui,-apple-system,'Segoe UI',Roboto,Arial,'Liberation Sans',sans-serif;",
     "fill", INK, 1},
    {".d", "", "fill", DIM, 1},                              /* ticks, figures beside marks */
    {".v", "paint-order:stroke;stroke-width:3px;", "stroke", PAPER, 1},     /* ... that cross the grid */
    {".a", "font-weight:600;", "fill", DIM, 1},              /* headings of axes */
    {".l", "font-weight:600;paint-order:stroke;stroke-width:3px;stroke-linejoin:round;", "fill", INK, 1},
    {".l", "", "stroke", PAPER, 1},                          /* names of marks, with a halo */
    {".k", "stroke-width:4px", NULL, NO_COLOR, 1},           /* ... wide enough to interrupt lines */
    {".o", "", "fill", PAPER, 1},                            /* on a dark cell */
    {".c", "text-anchor:middle", NULL, NO_COLOR, 1},
    {".e", "text-anchor:end", NULL, NO_COLOR, 1},
    {".g", "fill:none;stroke-width:1;", "stroke", GRID, 1},
    {".z", "fill:none;stroke-width:1;", "stroke", EDGE, 1},
    {".r", "fill:none;stroke-width:1.5;", "stroke", INK, 1}, /* roofs */
    {".j", "fill:none;stroke-width:1.5;stroke-dasharray:5 4;", "stroke", INK, 1},
    {".s", "fill:none;stroke-width:2;stroke-linejoin:round;", "stroke", SERIES, RG_COLOR_COUNT},
    {".f", "", "fill", SERIES, RG_COLOR_COUNT},
    {".m", "stroke-width:1;", "stroke", PAPER, 1},           /* marks */
    {".h", "", "fill", HEAT, RG_HEAT_COUNT},
    {".hx", "stroke-width:1;stroke-dasharray:3 3;", "stroke", EDGE, 1}, /* no figure */
    {".hx", "", "fill", PAPER, 1},
    {".q", "fill:none;stroke-width:1.5;stroke-opacity:.5;", "stroke", PAPER, 1}, /* lines of patterns */
    {".n", "fill-opacity:0", NULL, NO_COLOR, 1},             /* what only the pointer meets */
    {".n:hover", "fill-opacity:.15", NULL, NO_COLOR, 1},
    {".p1", "fill:url(#ridge-p1)", NULL, NO_COLOR, 1},
    {".p2", "fill:url(#ridge-p2)", NULL, NO_COLOR, 1},
    {".p3", "fill:url(#ridge-p3)", NULL, NO_COLOR, 1},
    {".p4", "fill:url(#ridge-p4)", NULL, NO_COLOR, 1},
    {".paper", "", "fill", PAPER, 1},
};

const char rg_chart_patterns[] =
    "<defs>"
    "<pattern id='ridge-p1' width='8' height='8' patternUnits='userSpaceOnUse'>"
    "<path class='q' d='M-2 2L2 -2M0 8L8 0M6 10L10 6'/></pattern>"
    "<pattern id='ridge-p2' width='8' height='8' patternUnits='userSpaceOnUse'>"
    "<path class='q' d='M3 4h2M-1 0h2M7 0h2M-1 8h2M7 8h2'/></pattern>"
    "<pattern id='ridge-p3' width='8' height='8' patternUnits='userSpaceOnUse'>"
    "<path class='q' d='M-2 6L2 10M0 0L8 8M6 -2L10 2'/></pattern>"
    "<pattern id='ridge-p4' width='6' height='6' patternUnits='userSpaceOnUse'>"
    "<path class='q' d='M0 3h6'/></pattern>"
    "</defs>";

static void put_rule(rg_text *out, size_t r, int i, bool page)
{
    rg_text_printf(out, "%s%s", page ? ".chart " : "", rules[r].selector);
    if (rules[r].count > 1) rg_text_printf(out, "%d", i);
    rg_text_printf(out, "{%s", rules[r].more);
    if (rules[r].property && page)
        rg_text_printf(out, "%s:var(--%s)", rules[r].property, colors[rules[r].color + i].name);
    else if (rules[r].property)
        rg_text_printf(out, "%s:%s", rules[r].property, colors[rules[r].color + i].light);
    rg_text_char(out, '}');
}

void rg_chart_style(rg_text *out, bool page)
{
    for (size_t r = 0; r < RG_COUNT(rules); r++)
        for (int i = 0; i < rules[r].count; i++) put_rule(out, r, i, page);
}

void rg_chart_palette(rg_text *out, bool dark)
{
    for (size_t i = 0; i < COLOR_COUNT; i++)
        rg_text_printf(out, "--%s:%s;", colors[i].name, dark ? colors[i].dark : colors[i].light);
}
