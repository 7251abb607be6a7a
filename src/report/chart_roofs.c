/* chart_roofs.c - what a machine can reach at most, over arithmetic intensity I:
 *
 *     attainable op/s = min(peak op/s, I x byte/s)        (Williams, Waterman, Patterson 2009)
 *
 * Each memory level is a slope up to the highest peak, each unit's peak a level line from the steepest slope
 * on. Both axes are logarithmic, so that all slopes are parallel; a roof carries its name, unless there is no
 * room for it.
 */
#include "report/chart.h"

#include <math.h>

typedef struct roof { double byte_per_s, op_per_s; } roof; /* NAN: no such limit */

static roof roof_of(const rg_item *line)
{
    return (roof){rg_cell_number(line, "byte_per_s"), rg_cell_number(line, "op_per_s")};
}

typedef struct reach { double byte_high, byte_low, op_high; } reach;

static reach reach_of(const rg_item *lines)
{
    reach r = {0, INFINITY, 0};
    for (const rg_item *line = lines ? lines->first : NULL; line; line = line->next) {
        roof f = roof_of(line);
        if (f.byte_per_s > 0) r.byte_high = fmax(r.byte_high, f.byte_per_s);
        if (f.byte_per_s > 0) r.byte_low = fmin(r.byte_low, f.byte_per_s);
        if (f.op_per_s > 0) r.op_high = fmax(r.op_high, f.op_per_s);
    }
    return r;
}

/* The highest peak and the ridge point of the slowest memory have to be seen. */
void rg_roofs_include(const rg_item *lines, rg_scale *x, rg_scale *y)
{
    reach r = reach_of(lines);
    if (r.op_high > 0) y->high = fmax(y->high, 1.7 * r.op_high); /* and its name above it */
    if (r.op_high > 0 && r.byte_high > 0) x->high = fmax(x->high, 1.5 * r.op_high / r.byte_low);
    x->low *= 0.8; /* no mark lies on the border */
    y->low *= 0.7;
    x->high *= 1.1;
    x->tight = y->tight = true;
}

static rg_span slope_of(const roof *f, const reach *r, const rg_scale *x, const rg_scale *y)
{
    double top = f->op_per_s > 0 ? f->op_per_s : r->op_high > 0 ? r->op_high : y->high;
    double begin = fmax(x->low, y->low / f->byte_per_s), end = fmin(top / f->byte_per_s, x->high);
    return (rg_span){rg_scale_at(x, begin), rg_scale_at(y, begin * f->byte_per_s), rg_scale_at(x, end),
                     rg_scale_at(y, end * f->byte_per_s)};
}

static rg_span peak_of(const roof *f, const reach *r, const rg_scale *x, const rg_scale *y)
{
    double byte_per_s = f->byte_per_s > 0 ? f->byte_per_s : r->byte_high;
    double begin = byte_per_s > 0 ? fmax(f->op_per_s / byte_per_s, x->low) : x->low;
    double at = rg_scale_at(y, fmax(f->op_per_s, y->low));
    return (rg_span){rg_scale_at(x, begin), at, x->to, at};
}

/* The line alone, or the name alone: names interrupt the lines of others, and are drawn after all lines. */
static void draw(rg_canvas *c, rg_labels *labels, rg_span line, bool peak, const char *name, double figure)
{
    if (!(line.x0 < line.x1)) return;
    if (!labels) {
        rg_svg_line(c, "r", line.x0, line.y0, line.x1, line.y1);
        return;
    }
    rg_labels_avoid_line(c, labels, line);
    rg_unit unit = peak ? RG_UNIT_OP_PER_S : RG_UNIT_BYTE_PER_S;
    const char *words = rg_arena_printf(c->arena, "%s %s", name, rg_value_of(c, figure, unit));
    if (words && !rg_labels_along(c, labels, line, peak, words)) rg_svg_note(c, "unnamed: %s", words);
}

static void draw_all(rg_canvas *c, const rg_item *lines, const rg_scale *x, const rg_scale *y,
                     rg_labels *labels)
{
    reach r = reach_of(lines);
    for (const rg_item *line = lines ? lines->first : NULL; line; line = line->next) {
        roof f = roof_of(line);
        const char *name = rg_name_of(c, line, "name", RG_UNIT_NONE);
        if (f.byte_per_s > 0) draw(c, labels, slope_of(&f, &r, x, y), false, name, f.byte_per_s);
        if (f.op_per_s > y->low) draw(c, labels, peak_of(&f, &r, x, y), true, name, f.op_per_s);
    }
}

void rg_roofs_draw(rg_canvas *c, const rg_item *lines, const rg_scale *x, const rg_scale *y,
                   rg_labels *labels)
{
    rg_svg_open(c, NULL);
    draw_all(c, lines, x, y, NULL);
    draw_all(c, lines, x, y, labels);
    rg_svg_close(c);
}
