/* chart_spans.c - a timeline: each object from its beginning to its end, in the lane of its group.
 *
 * Objects that are narrower than a pixel and touch each other share a rectangle; how many is said by the
 * pointer, and below the picture.
 */
#include "report/chart.h"

#include <math.h>

enum { LANES_MAX = 16, BAR_SIZE = 16, LANE_STEP = 26, NAME_STEP = 17 };
#define THIN 2.0 /* pixels */

/* The sum of its figures; and the rectangle that it holds back, with how many objects are in it. */
typedef struct lane { double sum, from, to; const rg_item *first; uint32_t count; } lane;

typedef struct spans {
    const rg_chart *chart;
    rg_names groups;
    lane *lanes;
    uint32_t lane_count, drawn, objects;
    double step, value_width;
    rg_scale x;
    rg_box plot;
} spans;

static bool read_span(const rg_chart *chart, const rg_item *item, double *from, double *extent)
{
    *from = rg_cell_number(item, chart->x.path);
    *extent = rg_cell_number(item, chart->y[0].path);
    return rg_axis_takes(&chart->x, *from) && rg_axis_takes(&(rg_axis){0}, *extent) && *extent >= 0;
}

/* Groups beyond the last lane share it. */
static uint32_t lane_of(rg_canvas *c, spans *s, const rg_item *item)
{
    uint32_t at = rg_names_at(&s->groups, c, item, s->chart->group, RG_UNIT_NONE);
    return at < LANES_MAX ? at : LANES_MAX - 1;
}

static void measure(rg_canvas *c, spans *s)
{
    double from, extent;
    rg_names_init(&s->groups, c);
    s->lanes = RG_NEW(c->arena, lane, LANES_MAX);
    s->x.tight = true;
    s->x.low = INFINITY;
    s->x.high = -INFINITY;
    for (const rg_item *item = s->chart->array->first; s->lanes && item; item = item->next) {
        if (!read_span(s->chart, item, &from, &extent)) continue;
        s->lanes[lane_of(c, s, item)].sum += extent;
        s->x.low = fmin(s->x.low, from);
        s->x.high = fmax(s->x.high, from + extent);
        s->objects++;
    }
    s->lane_count = s->groups.count < LANES_MAX ? s->groups.count : LANES_MAX;
    for (uint32_t i = 0; i < s->lane_count; i++) {
        const char *value = rg_value_of(c, s->lanes[i].sum, s->chart->y[0].unit);
        s->value_width = fmax(s->value_width, rg_words_width(value));
    }
}

static const char *lane_name(const spans *s, uint32_t i)
{
    return i + 1 == LANES_MAX && s->groups.count > LANES_MAX ? "all others" : s->groups.names[i];
}

static double bar_top(const rg_canvas *c, const spans *s, uint32_t i)
{
    return s->plot.y + i * s->step + 5 + (c->narrow ? NAME_STEP : 0);
}

/* Draws what the lane holds back. */
static void flush(rg_canvas *c, spans *s, uint32_t i)
{
    lane *l = &s->lanes[i];
    char class_name[16];
    if (!l->count) return;
    const char *tip = rg_tip_of(c, s->chart, l->first);
    if (tip && l->count > 1) tip = rg_arena_printf(c->arena, "%s; and %u more", tip, l->count - 1);
    snprintf(class_name, sizeof class_name, "f%u", RG_COLOR(i));
    rg_box box = {l->from, bar_top(c, s, i), fmax(l->to - l->from, 0.5), BAR_SIZE};
    rg_svg_rect(c, class_name, box, tip);
    l->count = 0;
    s->drawn++;
}

static void draw_spans(rg_canvas *c, spans *s)
{
    double from, extent;
    rg_svg_open(c, NULL);
    for (const rg_item *item = s->chart->array->first; item; item = item->next) {
        if (!read_span(s->chart, item, &from, &extent)) continue;
        uint32_t i = lane_of(c, s, item);
        lane *l = &s->lanes[i];
        double x0 = rg_scale_at(&s->x, from), x1 = rg_scale_at(&s->x, from + extent);
        bool joins = l->count && x0 >= l->from && x0 - l->to < 0.5 && x1 - l->from < THIN;
        if (!joins) {
            flush(c, s, i);
            *l = (lane){.sum = l->sum, .from = x0, .to = x1, .first = item};
        }
        l->to = fmax(l->to, x1);
        l->count++;
    }
    for (uint32_t i = 0; i < s->lane_count; i++) flush(c, s, i);
    rg_svg_close(c);
}

static void name_lanes(rg_canvas *c, const spans *s, double name_width)
{
    for (uint32_t i = 0; i < s->lane_count; i++) {
        double y = bar_top(c, s, i);
        const char *sum = rg_value_of(c, s->lanes[i].sum, s->chart->y[0].unit);
        double right = s->plot.x + s->plot.width, room = c->narrow ? right - s->value_width - 8 : name_width;
        const char *name = rg_words_fit(c, lane_name(s, i), room);
        if (c->narrow) {
            rg_svg_words(c, "v", 0, y - 5, name);
            rg_svg_words(c, "d v e", right, y - 5, sum);
        } else {
            rg_svg_words(c, "e", s->plot.x - 8, y + BAR_SIZE - 4, name);
            rg_svg_words(c, "d", right + 8, y + BAR_SIZE - 4, sum);
        }
    }
}

void rg_draw_spans(rg_canvas *c, const rg_chart *chart)
{
    spans s = {.chart = chart};
    double name_width = 0;
    measure(c, &s);
    if (c->arena->failed || !s.objects) return;
    s.step = c->narrow ? LANE_STEP + NAME_STEP : LANE_STEP;
    for (uint32_t i = 0; !c->narrow && i < s.lane_count; i++)
        name_width = fmax(name_width, rg_words_width(lane_name(&s, i)));
    name_width = fmin(name_width, c->width * 0.3);
    double left = c->narrow ? 0 : name_width + 8, right = c->narrow ? 2 : s.value_width + 10;
    s.plot = (rg_box){left, 2, c->width - left - right, s.lane_count * s.step + 4};
    rg_axis_draw(c, s.plot, &chart->x, &s.x);
    rg_svg_line(c, "z", left, s.plot.y + s.plot.height, left + s.plot.width, s.plot.y + s.plot.height);
    draw_spans(c, &s);
    name_lanes(c, &s, name_width);
    if (s.drawn < s.objects)
        rg_svg_note(c, "%u spans as %u: thin ones that touch are drawn together", s.objects, s.drawn);
    c->height = s.plot.y + s.plot.height + RG_AXIS_HEIGHT;
}
