/* chart_steps.c - filled steps: quantities that hold from one object to the next, one on top of the other and
 * all on top of what never changes.
 *
 * Where more than one step falls into a pixel the highest is drawn, so that no peak is lost.
 */
#include "report/chart.h"

#include <math.h>

enum { PLOT_HEIGHT = 320, NARROW_PLOT_HEIGHT = 300, TIPS_MAX = 400 };

typedef struct step { double from, to; const rg_item *item; } step;

typedef struct steps {
    const rg_chart *chart;
    step *list;
    uint32_t count;
    double base;          /* sum of what lies under all of them */
    rg_scale x, y;
    rg_box plot;
} steps;

static double part_of(const rg_item *item, const rg_axis *axis)
{
    double part = rg_cell_number(item, axis->path);
    return rg_axis_takes(&(rg_axis){0}, part) ? fmax(part, 0) : 0;
}

static double sum_of(const rg_chart *chart, const rg_item *item)
{
    double sum = 0;
    for (size_t k = 0; k < chart->y_count; k++) sum += part_of(item, &chart->y[k]);
    return sum;
}

/* The last step of those that reach to the next is as long as the mean of the others. */
static void gather(rg_canvas *c, steps *s)
{
    const rg_chart *chart = s->chart;
    double index = 0;
    s->list = RG_NEW(c->arena, step, chart->array->count);
    for (const rg_item *item = chart->array->first; s->list && item; item = item->next, index++) {
        double from = chart->x.path ? rg_cell_number(item, chart->x.path) : index;
        double extent = chart->extent ? rg_cell_number(item, chart->extent) : NAN;
        if (!rg_axis_takes(&chart->x, from)) continue;
        if (s->count && isnan(s->list[s->count - 1].to)) s->list[s->count - 1].to = from;
        s->list[s->count++] = (step){from, from + extent, item};
    }
    if (!s->count) return;
    step *last = &s->list[s->count - 1];
    double mean = s->count > 1 ? (last->from - s->list[0].from) / (s->count - 1) : 1;
    if (isnan(last->to)) last->to = last->from + mean;
}

static void find_ends(steps *s)
{
    const rg_chart *chart = s->chart;
    for (size_t i = 0; i < chart->under_count; i++) s->base += part_of(chart->base, &chart->under[i]);
    s->x.tight = true;
    s->x.low = s->list[0].from;
    s->x.high = s->list[0].to;
    s->y.high = s->base;
    for (uint32_t i = 0; i < s->count; i++) {
        s->x.low = fmin(s->x.low, s->list[i].from);
        s->x.high = fmax(s->x.high, s->list[i].to);
        s->y.high = fmax(s->y.high, s->base + sum_of(chart, s->list[i].item));
    }
}

/* From figures to places, one step a pixel at most. */
static void place(rg_canvas *c, steps *s)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        step next = {rg_scale_at(&s->x, s->list[i].from), rg_scale_at(&s->x, s->list[i].to), s->list[i].item};
        step *last = kept ? &s->list[kept - 1] : NULL;
        bool same_pixel = last && next.to - last->from < 1 && next.from - last->to < 0.5;
        if (!same_pixel) {
            s->list[kept++] = next;
            continue;
        }
        if (sum_of(s->chart, next.item) > sum_of(s->chart, last->item)) last->item = next.item;
        last->to = next.to;
    }
    if (kept < s->count)
        rg_svg_note(c, "%u steps; of those in one pixel the highest", s->count);
    s->count = kept;
}

static void draw_base(rg_canvas *c, const steps *s)
{
    double below = 0, floor_y = rg_scale_at(&s->y, s->y.low);
    char class_name[16];
    for (size_t i = 0; i < s->chart->under_count; i++) {
        below += part_of(s->chart->base, &s->chart->under[i]);
        double y = rg_scale_at(&s->y, below);
        rg_box box = {s->plot.x, y, s->plot.width, floor_y - y};
        uint32_t color = (uint32_t)(s->chart->y_count + i);
        snprintf(class_name, sizeof class_name, "f%u", RG_COLOR(color));
        rg_svg_rect(c, class_name, box, NULL);
        snprintf(class_name, sizeof class_name, "p%u", RG_PATTERN(color));
        rg_svg_rect(c, class_name, box, NULL);
        floor_y = y;
    }
}

/* The top edge of part k and of all below it, to the right; and back along the edge below. */
static double edge_of(const steps *s, const step *t, size_t parts)
{
    double sum = s->base;
    for (size_t k = 0; k < parts; k++) sum += part_of(t->item, &s->chart->y[k]);
    return rg_scale_at(&s->y, sum);
}

static void draw_area(rg_canvas *c, const steps *s, size_t k, const char *class_name)
{
    rg_svg_path_begin(c, class_name);
    for (uint32_t i = 0; i < s->count; i++) {
        double y = edge_of(s, &s->list[i], k + 1);
        rg_svg_path_to(c, i == 0, s->list[i].from, y);
        rg_svg_path_to(c, false, s->list[i].to, y);
    }
    for (uint32_t i = s->count; i-- > 0;) {
        double y = edge_of(s, &s->list[i], k);
        rg_svg_path_to(c, false, s->list[i].to, y);
        rg_svg_path_to(c, false, s->list[i].from, y);
    }
    rg_svg_path_end(c, true);
}

static void draw_areas(rg_canvas *c, const steps *s)
{
    char class_name[16];
    for (size_t k = 0; k < s->chart->y_count; k++) {
        snprintf(class_name, sizeof class_name, "f%u", RG_COLOR((uint32_t)k));
        draw_area(c, s, k, class_name);
        snprintf(class_name, sizeof class_name, "p%u", RG_PATTERN((uint32_t)k));
        if (RG_PATTERN(k)) draw_area(c, s, k, class_name);
    }
    for (uint32_t i = 0; c->tips && i < s->count && s->count <= TIPS_MAX; i++) {
        rg_box box = {s->list[i].from, s->plot.y, s->list[i].to - s->list[i].from, s->plot.height};
        rg_svg_rect(c, "n", box, rg_tip_of(c, s->chart, s->list[i].item));
    }
}

/* In the line of the heading, where nothing else can be. */
static void name_highest(rg_canvas *c, const steps *s, const char *heading)
{
    const step *highest = &s->list[0];
    for (uint32_t i = 1; i < s->count; i++)
        if (sum_of(s->chart, s->list[i].item) > sum_of(s->chart, highest->item)) highest = &s->list[i];
    double sum = s->base + sum_of(s->chart, highest->item);
    const char *value = rg_value_of(c, sum, s->chart->y[0].unit);
    const char *name = rg_name_of(c, highest->item, s->chart->label, RG_UNIT_NONE);
    double room = s->plot.x + s->plot.width - rg_words_width(heading ? heading : "") - 2 * RG_LINE_HEIGHT;
    const char *words = rg_arena_printf(c->arena, "highest %s%s%s", value, *name ? ", " : "", name);
    if (words) words = rg_words_fit(c, words, room);
    rg_svg_words(c, "d e", s->plot.x + s->plot.width, s->plot.y - RG_LABEL_GAP, words);
}

static double draw_legend(rg_canvas *c, const rg_chart *chart)
{
    uint32_t count = (uint32_t)(chart->y_count + chart->under_count);
    rg_legend_entry *entries = RG_NEW(c->arena, rg_legend_entry, count);
    for (uint32_t i = 0; entries && i < count; i++) {
        const rg_axis *axis = i < chart->y_count ? &chart->y[i] : &chart->under[i - chart->y_count];
        entries[i] = (rg_legend_entry){
            .name = axis->heading, .color = i, .shape = RG_PATTERN(i), .bar = true,
        };
    }
    return entries ? rg_legend_draw(c, 0, entries, count) : 0;
}

void rg_draw_steps(rg_canvas *c, const rg_chart *chart)
{
    steps s = {.chart = chart};
    double height = c->narrow ? NARROW_PLOT_HEIGHT : PLOT_HEIGHT;
    rg_axis y_axis = chart->y[0];
    y_axis.log = false; /* what is filled stands on 0 */
    if (chart->y_count + chart->under_count > 1) y_axis.heading = NULL; /* the legend names the parts */
    gather(c, &s);
    if (c->arena->failed || !s.count) return;
    find_ends(&s);
    double top = draw_legend(c, chart);
    s.plot = rg_axes_draw(c, (rg_box){0, top, c->width, height}, &chart->x, &s.x, &y_axis, &s.y);
    place(c, &s);
    draw_base(c, &s);
    draw_areas(c, &s);
    name_highest(c, &s, y_axis.heading);
    c->height = top + height;
}
