/* chart_points.c - figures against figures: lines, scatters, and the scatter under roofs.
 *
 * Thousands of points stay a picture of some kilobytes: marks of a series that fall on one spot are drawn
 * once, and of a line that is denser than the picture only the ends and extremes of every pixel are kept, so
 * that no peak is lost. The note below the picture says so.
 */
#include "report/chart.h"

#include <math.h>
#include <stdlib.h>

enum { PLOT_HEIGHT = 380, NARROW_PLOT_HEIGHT = 330, MARKS_MAX = 1500, SPOT_SIZE = 3, SPOT_SIZE_MAX = 12,
       MARKS_OF_LINE = 12, MARKED_LINE_MAX = 60, NAMED_MAX = 30, AVOIDED_MAX = 300 };

typedef struct point {
    double x, y;            /* figures, then places */
    const rg_item *item;
    uint32_t series, order, more; /* that lie on the same spot */
    long spot;
    bool drawn, marked;
} point;

typedef struct points {
    const rg_chart *chart;
    rg_names groups;
    point *list;
    uint32_t count, series_count;
    uint32_t unknown, nowhere; /* left out: absent figures; those that a logarithmic axis cannot show */
    rg_scale x, y;
} points;

static bool is_marked(const rg_chart *chart, const rg_item *item)
{
    const rg_item *flag = chart->mark ? rg_item_find(item, chart->mark) : NULL;
    return flag && flag->kind == RG_ITEM_BOOL && flag->flag;
}

static void widen(rg_scale *s, double x)
{
    s->low = fmin(s->low, x);
    s->high = fmax(s->high, x);
}

static void gather(rg_canvas *c, points *p)
{
    const rg_chart *chart = p->chart;
    uint32_t order = 0;
    rg_names_init(&p->groups, c);
    p->list = RG_NEW(c->arena, point, (size_t)chart->array->count * chart->y_count);
    p->x.low = p->y.low = INFINITY;
    p->x.high = p->y.high = -INFINITY;
    for (const rg_item *item = chart->array->first; p->list && item; item = item->next, order++) {
        uint32_t group = rg_names_at(&p->groups, c, item, chart->group, RG_UNIT_NONE);
        double x = chart->x.path ? rg_cell_number(item, chart->x.path) : order;
        for (size_t k = 0; k < chart->y_count; k++) {
            double y = rg_cell_number(item, chart->y[k].path);
            bool drawn = rg_axis_takes(&chart->x, x) && rg_axis_takes(&chart->y[0], y);
            p->list[p->count++] = (point){
                .x = x, .y = y, .item = item, .series = group * (uint32_t)chart->y_count + (uint32_t)k,
                .order = order, .drawn = drawn, .marked = is_marked(chart, item),
            };
            p->unknown += isnan(x) || isnan(y);
            p->nowhere += !drawn && !isnan(x) && !isnan(y);
            if (!drawn) continue;
            widen(&p->x, x);
            widen(&p->y, y);
        }
    }
    p->series_count = p->groups.count * (uint32_t)chart->y_count;
}

static const char *series_name(rg_canvas *c, const points *p, uint32_t series)
{
    uint32_t y_count = (uint32_t)p->chart->y_count;
    const char *group = p->groups.names[series / y_count], *heading = p->chart->y[series % y_count].heading;
    if (y_count == 1) return group;
    if (!*group) return heading;
    const char *both = rg_arena_printf(c->arena, "%s: %s", group, heading);
    return both ? both : "";
}

static double draw_legend(rg_canvas *c, const points *p, double y)
{
    rg_legend_entry *entries = RG_NEW(c->arena, rg_legend_entry, p->series_count);
    bool *drawn = RG_NEW(c->arena, bool, p->series_count);
    uint32_t count = 0;
    if (!entries || !drawn) return 0;
    for (uint32_t i = 0; i < p->count; i++) drawn[p->list[i].series] |= p->list[i].drawn;
    for (uint32_t i = 0; i < p->series_count; i++)
        if (drawn[i])
            entries[count++] = (rg_legend_entry){
                .name = series_name(c, p, i), .color = i, .shape = RG_SHAPE(i),
                .line = p->chart->kind == RG_CHART_LINE,
            };
    return rg_legend_draw(c, y, entries, count);
}

/* ---- fewer marks ---- */

static int by_series(const void *a, const void *b)
{
    const point *p = a, *q = b;
    if (p->series != q->series) return p->series < q->series ? -1 : 1;
    return (p->order > q->order) - (p->order < q->order);
}

/* What is not drawn and what is marked stays by itself, behind the spots of its series. */
static bool is_apart(const point *p) { return !p->drawn || p->marked; }

static int by_spot(const void *a, const void *b)
{
    const point *p = a, *q = b;
    if (p->series != q->series) return p->series < q->series ? -1 : 1;
    if (is_apart(p) != is_apart(q)) return is_apart(p) ? 1 : -1;
    if (p->spot != q->spot) return p->spot < q->spot ? -1 : 1;
    return (p->order > q->order) - (p->order < q->order);
}

static void merge_spots_of(points *p, int spot_size)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        point *q = &p->list[i];
        q->spot = is_apart(q) ? 0 : (long)(q->y / spot_size) * 4096 + (long)(q->x / spot_size);
    }
    qsort(p->list, p->count, sizeof *p->list, by_spot);
    for (uint32_t i = 0; i < p->count; i++) {
        point *last = kept ? &p->list[kept - 1] : NULL, *q = &p->list[i];
        bool same = last && last->series == q->series && last->spot == q->spot;
        if (same && !is_apart(last) && !is_apart(q)) last->more += 1 + q->more;
        else p->list[kept++] = *q;
    }
    p->count = kept;
}

/* Wider spots until they are few enough, but none wider than a mark. */
static void merge_spots(rg_canvas *c, points *p)
{
    uint32_t before = p->count;
    for (int size = SPOT_SIZE; p->count > MARKS_MAX && size <= SPOT_SIZE_MAX; size *= 2)
        merge_spots_of(p, size);
    if (p->count < before)
        rg_svg_note(c, "%u points as %u marks: those on one spot share a mark", before, p->count);
}

/* Of consecutive points in one column of pixels: the first, the lowest, the highest, the last. */
static uint32_t thin_column(point *list, uint32_t count, point *out)
{
    uint32_t keep[4] = {0, 0, 0, count - 1}, kept = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (list[i].y < list[keep[1]].y) keep[1] = i;
        if (list[i].y > list[keep[2]].y) keep[2] = i;
    }
    if (keep[1] > keep[2]) {
        uint32_t swap = keep[1];
        keep[1] = keep[2];
        keep[2] = swap;
    }
    for (int k = 0; k < 4; k++)
        if (k == 0 || keep[k] != keep[k - 1]) out[kept++] = list[keep[k]];
    return kept;
}

static void thin_lines(rg_canvas *c, points *p)
{
    uint32_t kept = 0, before = p->count;
    if (p->count <= MARKS_MAX) return;
    for (uint32_t i = 0, end; i < p->count; i = end) {
        const point *q = &p->list[i];
        for (end = i + 1; q->drawn && end < p->count; end++) {
            const point *r = &p->list[end];
            if (!r->drawn || r->series != q->series || floor(r->x) != floor(q->x)) break;
        }
        point four[4];
        uint32_t count = thin_column(&p->list[i], end - i, four);
        memcpy(&p->list[kept], four, count * sizeof *four);
        kept += count;
    }
    p->count = kept;
    rg_svg_note(c, "%u points; of each pixel the ends, the lowest and the highest", before);
}

/* ---- marks ---- */

static const char *tip_of(rg_canvas *c, const points *p, const point *q)
{
    const char *tip = rg_tip_of(c, p->chart, q->item);
    return tip && q->more ? rg_arena_printf(c->arena, "%s; and %u more here", tip, q->more) : tip;
}

static void draw_marks(rg_canvas *c, const points *p, uint32_t first, uint32_t end)
{
    bool line = p->chart->kind == RG_CHART_LINE;
    bool plain = line && p->series_count == 1 && p->count > MARKED_LINE_MAX; /* nothing to tell apart */
    uint32_t series = p->list[first].series, stride = line ? (end - first) / MARKS_OF_LINE + 1 : 1;
    char class_name[16];
    snprintf(class_name, sizeof class_name, "m f%u", RG_COLOR(series));
    rg_svg_open(c, class_name);
    for (uint32_t i = first; i < end; i++) {
        const point *q = &p->list[i];
        bool shown = q->drawn && (!plain || q->marked) &&
                     ((i - first) % stride == 0 || q->marked || i + 1 == end);
        if (shown) rg_svg_shape(c, RG_SHAPE(series), q->x, q->y, q->marked ? 6 : 4, tip_of(c, p, q));
    }
    rg_svg_close(c);
}

/* Broken where a figure is absent. */
static void draw_line(rg_canvas *c, const points *p, uint32_t first, uint32_t end)
{
    bool fresh = true;
    char class_name[16];
    snprintf(class_name, sizeof class_name, "s%u", RG_COLOR(p->list[first].series));
    rg_svg_path_begin(c, class_name);
    for (uint32_t i = first; i < end; i++) {
        if (p->list[i].drawn) rg_svg_path_to(c, fresh, p->list[i].x, p->list[i].y);
        fresh = !p->list[i].drawn;
    }
    rg_svg_path_end(c, false);
}

static void draw_series(rg_canvas *c, points *p)
{
    bool line = p->chart->kind == RG_CHART_LINE;
    qsort(p->list, p->count, sizeof *p->list, by_series);
    if (line) thin_lines(c, p);
    else merge_spots(c, p);
    for (uint32_t i = 0, end; i < p->count; i = end) {
        for (end = i + 1; end < p->count && p->list[end].series == p->list[i].series;) end++;
        if (line) draw_line(c, p, i, end);
        draw_marks(c, p, i, end);
    }
}

/* ---- names ---- */

static int by_x(const void *a, const void *b)
{
    const point *p = a, *q = b;
    if (p->x != q->x) return p->x < q->x ? -1 : 1;
    return (p->y < q->y) - (p->y > q->y);
}

/* The marked points of one series, or of all, joined from left to right. */
static void draw_front(rg_canvas *c, const point *marked, uint32_t count, const point *of)
{
    uint32_t joined = 0;
    for (uint32_t i = 0; i < count; i++) joined += !of || marked[i].series == of->series;
    if (joined < 2) return;
    rg_svg_path_begin(c, "j");
    joined = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!of || marked[i].series == of->series) rg_svg_path_to(c, joined++ == 0, marked[i].x, marked[i].y);
    rg_svg_path_end(c, false);
}

/* A roofline's are only named. */
static void draw_fronts(rg_canvas *c, const rg_chart *chart, const point *marked, uint32_t count)
{
    if (!chart->mark_by_group) draw_front(c, marked, count, NULL);
    for (uint32_t i = 0; chart->mark_by_group && i < count; i++) {
        bool first = true;
        for (uint32_t k = 0; k < i; k++) first &= marked[k].series != marked[i].series;
        if (first) draw_front(c, marked, count, &marked[i]);
    }
}

/* Marked points are named, and all of few that no line is drawn through. What finds no room keeps its name
 * for the pointer. */
static void draw_names(rg_canvas *c, const points *p, rg_labels *labels)
{
    const rg_chart *chart = p->chart;
    bool all = chart->kind == RG_CHART_SCATTER && !chart->mark && !chart->guide && p->count <= NAMED_MAX;
    point *named = RG_NEW(c->arena, point, p->count);
    double last_x = 0, last_y = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; named && i < p->count; i++)
        if (p->list[i].drawn && (all || p->list[i].marked)) named[count++] = p->list[i];
    if (!count) return;
    qsort(named, count, sizeof *named, by_x);
    if (chart->kind != RG_CHART_ROOFLINE && !all) draw_fronts(c, chart, named, count);
    for (uint32_t i = 0; i < count; i++)
        rg_labels_take(c, labels, (rg_box){named[i].x - 5, named[i].y - 5, 10, 10});
    for (uint32_t i = 0; i < count; i++) {
        const char *name = rg_name_of(c, named[i].item, chart->label, RG_UNIT_NONE);
        bool same_spot = i && hypot(named[i].x - last_x, named[i].y - last_y) < SPOT_SIZE_MAX;
        if (same_spot) continue;
        last_x = named[i].x, last_y = named[i].y;
        rg_labels_place(c, labels, last_x, last_y, all || chart->kind == RG_CHART_ROOFLINE,
                        rg_words_fit(c, name, c->width / 3));
    }
}

static void say_left_out(rg_canvas *c, const points *p)
{
    if (p->unknown) rg_svg_note(c, "%u of %u not shown: unknown", p->unknown, p->count);
    if (p->nowhere)
        rg_svg_note(c, "%u of %u not shown: without a place on a logarithmic axis", p->nowhere, p->count);
}

/* Marks that names should keep off, where there are not too many. */
static void avoid_marks(rg_canvas *c, const points *p, rg_labels *labels)
{
    for (uint32_t i = 0; i < p->count && p->count <= AVOIDED_MAX; i++)
        if (p->list[i].drawn) rg_labels_avoid(c, labels, (rg_box){p->list[i].x - 4, p->list[i].y - 4, 8, 8});
}

/* As far as both axes go. */
static void draw_guide(rg_canvas *c, const points *p)
{
    bool even = p->chart->guide == RG_GUIDE_EVEN;
    double low = even ? fmax(p->x.low, p->y.low) : 1, high = even ? fmin(p->x.high, p->y.high) : 1;
    if (p->chart->guide == RG_GUIDE_NONE || low > high || low < p->y.low || high > p->y.high) return;
    rg_svg_line(c, "j", even ? rg_scale_at(&p->x, low) : p->x.from, rg_scale_at(&p->y, low),
                even ? rg_scale_at(&p->x, high) : p->x.to, rg_scale_at(&p->y, high));
}

void rg_draw_points(rg_canvas *c, const rg_chart *chart)
{
    points p = {.chart = chart};
    double height = c->narrow ? NARROW_PLOT_HEIGHT : PLOT_HEIGHT;
    gather(c, &p);
    if (c->arena->failed || p.unknown + p.nowhere == p.count) return;
    double top = draw_legend(c, &p, 0);
    p.x.tight = chart->kind == RG_CHART_LINE;
    if (chart->kind == RG_CHART_ROOFLINE) rg_roofs_include(chart->lines, &p.x, &p.y);
    rg_box plot = rg_axes_draw(c, (rg_box){0, top, c->width, height}, &chart->x, &p.x, &chart->y[0], &p.y);
    rg_labels labels = {.room = plot};
    if (chart->kind == RG_CHART_ROOFLINE) rg_roofs_draw(c, chart->lines, &p.x, &p.y, &labels);
    draw_guide(c, &p);
    say_left_out(c, &p);
    for (uint32_t i = 0; i < p.count; i++) {
        if (!p.list[i].drawn) continue;
        p.list[i].x = rg_scale_at(&p.x, p.list[i].x);
        p.list[i].y = rg_scale_at(&p.y, p.list[i].y);
    }
    draw_series(c, &p);
    avoid_marks(c, &p, &labels);
    draw_names(c, &p, &labels);
    c->height = top + height;
}
