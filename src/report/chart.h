/* chart.h - charts as SVG: what writers ask for, and what the drawing functions share.
 *
 * A drawing function gets a canvas of some width, puts marks on it and leaves its height there. Marks carry
 * classes only; chart_style.c holds the colors, as variables for a page of two color schemes and as plain
 * values for a file of its own. Lengths are CSS pixels, y grows downwards.
 */
#ifndef RG_CHART_H
#define RG_CHART_H

#include "report/write.h"

/* ---- for writers (chart.c, chart_style.c) ---- */

/* A page holds both and shows the one that fits; a file of its own is wide. */
enum { RG_CHART_WIDE = 760, RG_CHART_NARROW = 350 };

typedef struct rg_drawing { rg_str svg; double width, height; } rg_drawing;

/* The marks, to be put between <svg> and </svg>. tips: each tells its figures when it is pointed at. */
rg_err rg_chart_draw(rg_ctx *cx, rg_arena *arena, const rg_chart *chart, double width, bool tips,
                     rg_drawing *out) RG_CHECKED;
/* A whole file: its title and what it is about above the wide drawing, literal colors. */
rg_err rg_chart_file(rg_ctx *cx, rg_arena *arena, const rg_doc_block *block, rg_drawing *out) RG_CHECKED;
/* Rules for marks inside `.chart`, with the page's variables; and the patterns that they refer to, once. */
void rg_chart_style(rg_text *out, bool page);
void rg_chart_palette(rg_text *out, bool dark); /* "--paper:#fff;...": all variables of one color scheme */
extern const char rg_chart_patterns[];

/* ---- canvas: chart_canvas.c ---- */

enum { RG_TEXT_SIZE = 12, RG_LINE_HEIGHT = 16, RG_COLOR_COUNT = 8, RG_SHAPE_COUNT = 8,
       RG_PATTERN_COUNT = 5, RG_HEAT_COUNT = 7 };

typedef struct rg_canvas {
    rg_text svg;
    rg_arena *arena;
    double width, height;
    bool tips, narrow;
    const char *note; /* below the picture: what was left out or put together; NULL: nothing */
} rg_canvas;

typedef struct rg_box { double x, y, width, height; } rg_box;

void rg_svg_open(rg_canvas *c, const char *class_name);  /* a group; classes: NULL for none */
void rg_svg_close(rg_canvas *c);
void rg_svg_rect(rg_canvas *c, const char *class_name, rg_box box, const char *tip); /* tip NULL: none */
void rg_svg_line(rg_canvas *c, const char *class_name, double x0, double y0, double x1, double y1);
/* One path: begin, points, end. The first point moves there, `fresh` moves again. */
void rg_svg_path_begin(rg_canvas *c, const char *class_name);
void rg_svg_path_to(rg_canvas *c, bool fresh, double x, double y);
void rg_svg_path_end(rg_canvas *c, bool closed);
void rg_svg_shape(rg_canvas *c, uint32_t shape, double x, double y, double radius, const char *tip);
/* One more thing to say below the picture. */
void rg_svg_note(rg_canvas *c, const char *format, ...) RG_PRINTF(2, 3);
/* Classes say size, color and where the anchor is: "" start, "c" middle, "e" end. */
void rg_svg_words(rg_canvas *c, const char *class_name, double x, double y, const char *words);
void rg_svg_turned(rg_canvas *c, const char *class_name, double x, double y, double degrees,
                   const char *words);
void rg_xml_add(rg_text *out, const char *words);        /* escaped */

double rg_words_width(const char *words);                /* an estimate, rather too wide */
/* `words` cut in the middle to what fits; in the canvas's arena, or as it is. */
const char *rg_words_fit(rg_canvas *c, const char *words, double width);

/* ---- axes: chart_axis.c ---- */

enum { RG_TICK_MAX = 32 };

typedef struct rg_scale {
    double low, high;          /* rounded out to ticks; low < high, on a logarithmic axis 0 < low */
    double from, to;           /* where they lie */
    bool log, tight;           /* tight: to be set before; the axis ends where the figures do */
    rg_unit unit;
    double ticks[RG_TICK_MAX];
    int tick_count, decimals;  /* linear: digits behind the point ... */
    double factor;             /* ... in units of this much */
} rg_scale;

/* For figures from low to high, about so many ticks; any finite ends are fine. */
void rg_scale_fit(rg_scale *s, const rg_axis *axis, double low, double high, int about);
double rg_scale_at(const rg_scale *s, double x);
const char *rg_scale_label(const rg_scale *s, double tick, char *buffer, size_t size);
/* False for what has no place on it: absent figures, and on a logarithmic axis those that are not above 0. */
bool rg_axis_takes(const rg_axis *axis, double x);

/* Both axes around a plot: makes room for the labels, fits the ticks, draws grid, labels and headings.
 * In: all the room, and in low and high the figures' ends. Out: where the marks go. */
enum { RG_HEADING_HEIGHT = 26, RG_LABEL_GAP = 6 };
rg_box rg_axes_draw(rg_canvas *c, rg_box room, const rg_axis *x_axis, rg_scale *x, const rg_axis *y_axis,
                    rg_scale *y);

/* The lower axis alone, over a plot that is known; it takes RG_AXIS_HEIGHT below. */
enum { RG_AXIS_HEIGHT = 2 * RG_LINE_HEIGHT + 4 };
void rg_axis_draw(rg_canvas *c, rg_box plot, const rg_axis *axis, rg_scale *x);

/* ---- names and series: chart_series.c ---- */

typedef struct rg_names { rg_map index; const char **names; uint32_t count, capacity; } rg_names;
void rg_names_init(rg_names *names, rg_canvas *c);
/* The index of what stands at the path, added when it is new. Without memory the arena says so. */
uint32_t rg_names_at(rg_names *names, rg_canvas *c, const rg_item *item, const char *path, rg_unit unit);
/* As people read it; NULL paths and absent things are "". In the arena or the document. */
const char *rg_name_of(rg_canvas *c, const rg_item *item, const char *path, rg_unit unit);
const char *rg_value_of(rg_canvas *c, double x, rg_unit unit);
/* What a mark tells: "NAME, GROUP, time 1.2 ms, bytes 3.4 MB". NULL without tips. */
const char *rg_tip_of(rg_canvas *c, const rg_chart *chart, const rg_item *item);

typedef struct rg_legend_entry { const char *name; uint32_t color, shape; bool line, bar; } rg_legend_entry;
/* From the canvas's left on; answers the height that it takes. */
double rg_legend_draw(rg_canvas *c, double y, const rg_legend_entry *entries, uint32_t count);
#define RG_COLOR(i) ((i) % RG_COLOR_COUNT)
#define RG_PATTERN(i) ((uint32_t)(i) % RG_PATTERN_COUNT) /* 0: none */
/* Beyond eight series the colors come again with other shapes. */
#define RG_SHAPE(i) (((i) + (i) / RG_COLOR_COUNT) % RG_SHAPE_COUNT)

/* Labels that do not lie on one another. */
typedef struct rg_boxes { rg_box *list; uint32_t count, capacity; } rg_boxes;
typedef struct rg_labels { rg_box room; rg_boxes taken, avoided; } rg_labels;
/* strict: nowhere rather than on what should be avoided. */
bool rg_labels_place(rg_canvas *c, rg_labels *labels, double x, double y, bool strict, const char *words);
void rg_labels_take(rg_canvas *c, rg_labels *labels, rg_box box);  /* nothing may lie there */
void rg_labels_avoid(rg_canvas *c, rg_labels *labels, rg_box box); /* rather not */
typedef struct rg_span { double x0, y0, x1, y1; } rg_span;         /* a line that goes to the right */
void rg_labels_avoid_line(rg_canvas *c, rg_labels *labels, rg_span line);
/* Along the line, above it: as near to its beginning, or its end, as there is room. */
bool rg_labels_along(rg_canvas *c, rg_labels *labels, rg_span line, bool from_end, const char *words);

/* ---- the kinds, by rg_chart_kind ---- */

void rg_draw_points(rg_canvas *c, const rg_chart *chart); /* LINE, SCATTER, ROOFLINE: chart_points.c */
/* Roofs of a roofline, chart_roofs.c: first the scales' ends are moved so that they can be seen. */
void rg_roofs_include(const rg_item *lines, rg_scale *x, rg_scale *y);
void rg_roofs_draw(rg_canvas *c, const rg_item *lines, const rg_scale *x, const rg_scale *y,
                   rg_labels *labels);
void rg_draw_bars(rg_canvas *c, const rg_chart *chart);   /* chart_bars.c */
void rg_draw_steps(rg_canvas *c, const rg_chart *chart);  /* chart_steps.c */
void rg_draw_spans(rg_canvas *c, const rg_chart *chart);  /* chart_spans.c */
void rg_draw_heat(rg_canvas *c, const rg_chart *chart);   /* chart_heat.c */

#endif
