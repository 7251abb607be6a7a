/* chart_bars.c - a horizontal bar for each object, its parts one behind the other, its sum in figures.
 *
 * Names stand to the left of the bars, in a narrow picture above them. Parts differ in color and pattern.
 */
#include "report/chart.h"

#include <math.h>

enum { BARS_MAX = 40, BAR_SIZE = 14, BAR_STEP = 24, NAME_STEP = 17 };

typedef struct bars {
    const rg_chart *chart;
    rg_names groups;
    uint32_t count;
    bool by_group;           /* one part, colored by its group */
    double name_width, value_width;
    rg_scale x;
    rg_box plot;
} bars;

/* Parts below 0 stand to the left of it. */
typedef struct sums { double above, below; } sums;

static sums sums_of(const rg_chart *chart, const rg_item *item)
{
    sums s = {0, 0};
    for (size_t k = 0; k < chart->y_count; k++) {
        double part = rg_cell_number(item, chart->y[k].path);
        if (rg_axis_takes(&chart->y[0], part)) *(part < 0 ? &s.below : &s.above) += part;
    }
    return s;
}

static const char *value_of(rg_canvas *c, const rg_chart *chart, const rg_item *item)
{
    sums s = sums_of(chart, item);
    bool known = false;
    for (size_t k = 0; k < chart->y_count; k++) known |= !isnan(rg_cell_number(item, chart->y[k].path));
    return known ? rg_value_of(c, s.above + s.below, chart->y[0].unit) : "unknown";
}

static void measure(rg_canvas *c, bars *b)
{
    const rg_chart *chart = b->chart;
    rg_names_init(&b->groups, c);
    b->by_group = chart->group && chart->y_count == 1;
    b->x.low = chart->y[0].log ? INFINITY : 0;
    b->x.high = 0;
    for (const rg_item *item = chart->array->first; item && b->count < BARS_MAX; item = item->next) {
        sums s = sums_of(chart, item);
        if (s.above > 0 || !chart->y[0].log) b->x.low = fmin(b->x.low, chart->y[0].log ? s.above : s.below);
        b->x.high = fmax(b->x.high, s.above);
        const char *name = rg_name_of(c, item, chart->label, RG_UNIT_NONE);
        b->name_width = fmax(b->name_width, rg_words_width(name));
        b->value_width = fmax(b->value_width, rg_words_width(value_of(c, chart, item)));
        if (b->by_group) rg_names_at(&b->groups, c, item, chart->group, RG_UNIT_NONE);
        b->count++;
    }
}

static double draw_legend(rg_canvas *c, const bars *b)
{
    uint32_t count = b->by_group ? b->groups.count : (uint32_t)b->chart->y_count;
    rg_legend_entry *entries = RG_NEW(c->arena, rg_legend_entry, count);
    for (uint32_t i = 0; entries && i < count; i++) {
        const char *name = b->by_group ? b->groups.names[i] : b->chart->y[i].heading;
        entries[i] = (rg_legend_entry){.name = name, .color = i, .shape = RG_PATTERN(i), .bar = true};
    }
    return entries ? rg_legend_draw(c, 0, entries, count) : 0;
}

static void draw_part(rg_canvas *c, uint32_t color, rg_box box, const char *tip)
{
    char class_name[16];
    snprintf(class_name, sizeof class_name, "f%u", RG_COLOR(color));
    rg_svg_rect(c, class_name, box, tip);
    if (!RG_PATTERN(color)) return;
    snprintf(class_name, sizeof class_name, "p%u", RG_PATTERN(color));
    rg_svg_rect(c, class_name, box, NULL);
}

static double zero_of(const bars *b) { return rg_scale_at(&b->x, b->x.log ? b->x.low : 0); }

/* Parts from 0 to both sides; on a logarithmic axis there is one, from the axis' end on. */
static void draw_bar(rg_canvas *c, bars *b, const rg_item *item, double y)
{
    const rg_chart *chart = b->chart;
    sums s = {0, 0};
    const char *tip = rg_tip_of(c, chart, item);
    double zero = zero_of(b), end = zero;
    for (size_t k = 0; k < chart->y_count; k++) {
        double part = rg_cell_number(item, chart->y[k].path);
        if (!rg_axis_takes(&chart->y[0], part) || part == 0) continue;
        double *sum = part < 0 ? &s.below : &s.above;
        double from = b->x.log && *sum == 0 ? zero : rg_scale_at(&b->x, *sum);
        *sum += part;
        double to = rg_scale_at(&b->x, *sum);
        uint32_t color = b->by_group ? rg_names_at(&b->groups, c, item, chart->group, RG_UNIT_NONE)
                                     : (uint32_t)k;
        draw_part(c, color, (rg_box){fmin(from, to), y, fabs(to - from), BAR_SIZE}, tip);
        end = fmax(end, to);
    }
    rg_svg_words(c, "d v", end + RG_LABEL_GAP, y + BAR_SIZE - 3, value_of(c, chart, item));
}

static void draw_rows(rg_canvas *c, bars *b, double step)
{
    uint32_t at = 0;
    for (const rg_item *item = b->chart->array->first; item && at < b->count; item = item->next, at++) {
        double y = b->plot.y + at * step + 4;
        const char *name = rg_name_of(c, item, b->chart->label, RG_UNIT_NONE);
        if (c->narrow) {
            rg_svg_words(c, "v", b->plot.x, y + RG_TEXT_SIZE - 2, rg_words_fit(c, name, c->width - 8));
            draw_bar(c, b, item, y + NAME_STEP);
        } else {
            double right = b->plot.x - 8;
            rg_svg_words(c, "e", right, y + BAR_SIZE - 3, rg_words_fit(c, name, b->name_width));
            draw_bar(c, b, item, y);
        }
    }
}

void rg_draw_bars(rg_canvas *c, const rg_chart *chart)
{
    bars b = {.chart = chart};
    measure(c, &b);
    if (c->arena->failed || b.x.low > b.x.high || !b.count) return;
    double top = draw_legend(c, &b), step = c->narrow ? BAR_STEP + NAME_STEP : BAR_STEP;
    b.name_width = c->narrow ? 0 : fmin(b.name_width, c->width * 0.36);
    double left = c->narrow ? 0 : b.name_width + 8;
    rg_axis axis = chart->y[0];
    if (chart->y_count > 1 || chart->x.heading) axis.heading = chart->x.heading;
    b.plot = (rg_box){left, top, c->width - left - b.value_width - RG_LABEL_GAP, b.count * step + 6};
    rg_axis_draw(c, b.plot, &axis, &b.x);
    double zero = zero_of(&b);
    rg_svg_line(c, "z", zero, top, zero, top + b.plot.height);
    draw_rows(c, &b, step);
    if (chart->array->count > b.count)
        rg_svg_note(c, "the first %u of %u", b.count, chart->array->count);
    c->height = top + b.plot.height + RG_AXIS_HEIGHT;
}
