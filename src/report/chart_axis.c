/* chart_axis.c - from figures to places: scales whose ends and ticks are round numbers, and the two axes
 * around a plot.
 *
 * Linear steps are 1, 2 or 5 times a power of ten. A logarithmic axis ends at 1, 2 or 5 times a power of
 * ten; its ticks are all of these where there is room, else powers of ten, else every n-th power.
 */
#include "report/chart.h"

#include <math.h>
#include <stdlib.h>

/* Farther out neither sums of figures nor powers of ten can be trusted to stay finite or apart from zero. */
#define FIGURE_MAX 1e300
#define FIGURE_MIN 1e-300

bool rg_axis_takes(const rg_axis *axis, double x)
{
    return fabs(x) <= FIGURE_MAX && (!axis->log || x >= FIGURE_MIN); /* false for NAN */
}

double rg_scale_at(const rg_scale *s, double x)
{
    double share = s->log ? (log(x) - log(s->low)) / (log(s->high) - log(s->low))
                          : (x - s->low) / (s->high - s->low);
    return s->from + share * (s->to - s->from);
}

/* ---- ticks ---- */

/* The smallest 1, 2 or 5 times a power of ten that is not below x; the slack forgives rounding. */
static double round_up(double x)
{
    static const double steps[] = {1, 2, 5};
    double power = pow(10, floor(log10(x)));
    for (size_t i = 0; i < RG_COUNT(steps); i++)
        if (x <= steps[i] * power * (1 + 1e-9)) return steps[i] * power;
    return 10 * power;
}

static double round_down(double x)
{
    double power = pow(10, floor(log10(x) + 1e-9));
    return (x >= 5 * power * (1 - 1e-9) ? 5 : x >= 2 * power * (1 - 1e-9) ? 2 : 1) * power;
}

static bool counts_things(rg_unit unit) { return unit == RG_UNIT_COUNT || unit == RG_UNIT_BYTE; }

/* Ends where the figures end, without the ticks beyond. */
static void cut_ends(rg_scale *s, double low, double high)
{
    int kept = 0;
    for (int i = 0; i < s->tick_count; i++)
        if (s->ticks[i] >= low && s->ticks[i] <= high) s->ticks[kept++] = s->ticks[i];
    s->tick_count = kept;
    s->low = low;
    s->high = high;
}

/* Ends of equal figures are moved apart; an axis of figures that are not close together begins at 0. */
static void fit_linear(rg_scale *s, double low, double high, int about)
{
    if (low >= 0 && low < high / 2) low = 0;
    if (high <= 0 && high > low / 2) high = 0;
    if (high - low <= fmax(fabs(high) * 1e-12, FIGURE_MIN)) {
        if (low > 0) low = 0;
        else if (high < 0) high = 0;
        else high = low + 1;
    }
    double step = round_up((high - low) / about);
    if (counts_things(s->unit) && step < 1) step = 1;
    double first = floor(low / step + 1e-9), last = fmax(ceil(high / step - 1e-9), first + 1);
    s->low = first * step;
    s->high = last * step;
    s->tick_count = (int)fmin(last - first + 1, RG_TICK_MAX);
    for (int i = 0; i < s->tick_count; i++) s->ticks[i] = (first + i) * step;
    if (s->tight) cut_ends(s, low, high);
}

static void fit_log(rg_scale *s, double low, double high, int about)
{
    static const double steps[] = {1, 2, 5};
    s->low = round_down(low);
    s->high = round_up(high);
    if (s->high < s->low * 1.5) {
        s->low = round_down(s->low * 0.4);
        s->high = round_up(s->high * 2.5);
    }
    double first = floor(log10(s->low) + 1e-9), decades = log10(s->high) - first;
    bool fine = (log10(s->high) - log10(s->low)) * 3 <= about;
    double stride = fmax(ceil(decades / about), 1);
    s->tick_count = 0;
    for (double power = first; power <= first + decades + 1e-9; power += stride)
        for (size_t i = 0; i < (fine ? RG_COUNT(steps) : 1); i++) {
            double tick = steps[i] * pow(10, power);
            bool inside = tick >= s->low * (1 - 1e-9) && tick <= s->high * (1 + 1e-9);
            if (inside && s->tick_count < RG_TICK_MAX) s->ticks[s->tick_count++] = tick;
        }
    if (s->tight && high > low * 1.5) cut_ends(s, low, high);
}

/* "500 ms" -> 500, " ms" behind it. */
static double cut_unit(const char *text, rg_str *suffix)
{
    double number = 0;
    size_t money = *text == '$', size = strcspn(text + money, " ");
    rg_str_real((rg_str){text + money, size}, &number);
    *suffix = rg_str_of(text + money + size);
    return number;
}

/* Labels of a linear axis share one prefix, that of its far end, and as many digits as the step needs. */
static void fit_labels(rg_scale *s)
{
    char text[64];
    rg_str suffix;
    double most = fmax(fabs(s->low), fabs(s->high));
    double step = s->tick_count > 1 ? s->ticks[1] - s->ticks[0] : most;
    double number = cut_unit(rg_unit_print(text, sizeof text, most, s->unit), &suffix);
    s->factor = number > 0 ? pow(10, round(log10(most / number))) : 1;
    s->decimals = (int)fmin(fmax(ceil(-log10(step / s->factor) - 1e-9), 0), 6);
}

void rg_scale_fit(rg_scale *s, const rg_axis *axis, double low, double high, int about)
{
    if (about < 2) about = 2;
    s->log = axis->log;
    /* the heading says it, and labels of that width would stand too far apart */
    s->unit = axis->unit == RG_UNIT_FLOP_PER_BYTE ? RG_UNIT_NONE : axis->unit;
    if (s->log) fit_log(s, low, high, about);
    else fit_linear(s, low, high, about);
    fit_labels(s);
}

/* "1.50 ms" -> "1.5 ms", "20.0 %" -> "20 %" */
static void drop_zeros(char *text)
{
    size_t end = strcspn(text, " "), keep = end;
    if (!memchr(text, '.', end) || memchr(text, 'e', end)) return;
    while (text[keep - 1] == '0') keep--;
    if (text[keep - 1] == '.') keep--;
    memmove(text + keep, text + end, strlen(text + end) + 1);
}

const char *rg_scale_label(const rg_scale *s, double tick, char *buffer, size_t size)
{
    char most[64];
    rg_str suffix;
    if (s->log) {
        rg_unit_print(buffer, size, tick, s->unit);
        drop_zeros(buffer);
        return buffer;
    }
    cut_unit(rg_unit_print(most, sizeof most, fmax(fabs(s->low), fabs(s->high)), s->unit), &suffix);
    bool zero = tick == 0 && s->unit != RG_UNIT_USD;
    rg_str_print(buffer, size, "%s%.*f%.*s", s->unit == RG_UNIT_USD ? "$" : "", zero ? 0 : s->decimals,
                 tick / s->factor, zero ? 0 : (int)suffix.size, suffix.data);
    return buffer;
}

/* ---- both axes ---- */

static double widest_label(const rg_scale *s)
{
    char text[64];
    double widest = 0;
    for (int i = 0; i < s->tick_count; i++)
        widest = fmax(widest, rg_words_width(rg_scale_label(s, s->ticks[i], text, sizeof text)));
    return widest;
}

enum { TICK_SPACE_X = 76, TICK_SPACE_Y = 34 }; /* pixels from tick to tick, about */

static void fit_width(rg_scale *x, const rg_axis *axis, double low, double high, double width)
{
    for (int about = (int)(width / TICK_SPACE_X) + 1; about >= 2; about--) {
        rg_scale_fit(x, axis, low, high, about);
        if ((widest_label(x) + RG_LABEL_GAP) * x->tick_count <= width * 1.1) return;
    }
}

static void draw_y(rg_canvas *c, const rg_scale *y, rg_box plot)
{
    char text[64];
    for (int i = 0; i < y->tick_count; i++) {
        double at = rg_scale_at(y, y->ticks[i]);
        rg_svg_line(c, "g", plot.x, at, plot.x + plot.width, at);
        const char *label = rg_scale_label(y, y->ticks[i], text, sizeof text);
        rg_svg_words(c, "d e", plot.x - RG_LABEL_GAP, at + 4, label);
    }
}

/* The outermost labels are kept within the picture. */
void rg_axis_draw(rg_canvas *c, rg_box plot, const rg_axis *axis, rg_scale *x)
{
    char text[64];
    double bottom = plot.y + plot.height;
    fit_width(x, axis, x->low, x->high, plot.width);
    x->from = plot.x;
    x->to = plot.x + plot.width;
    for (int i = 0; i < x->tick_count; i++) {
        double at = rg_scale_at(x, x->ticks[i]);
        rg_svg_line(c, "g", at, plot.y, at, bottom);
        const char *label = rg_scale_label(x, x->ticks[i], text, sizeof text);
        double half = rg_words_width(label) / 2, middle = fmax(fmin(at, c->width - half), half);
        rg_svg_words(c, "d c", middle, bottom + RG_LINE_HEIGHT, label);
    }
    rg_svg_words(c, "a e", plot.x + plot.width, bottom + RG_AXIS_HEIGHT - 4, axis->heading);
}

rg_box rg_axes_draw(rg_canvas *c, rg_box room, const rg_axis *x_axis, rg_scale *x, const rg_axis *y_axis,
                    rg_scale *y)
{
    rg_box plot = {room.x, room.y + RG_HEADING_HEIGHT, room.width,
                   room.height - RG_HEADING_HEIGHT - RG_AXIS_HEIGHT};
    rg_scale_fit(y, y_axis, y->low, y->high, (int)(plot.height / TICK_SPACE_Y));
    double left = widest_label(y) + RG_LABEL_GAP;
    plot.x += left;
    plot.width -= left + 2 * RG_LABEL_GAP; /* half a label may stand out */
    y->from = plot.y + plot.height;
    y->to = plot.y;
    rg_svg_open(c, NULL);
    draw_y(c, y, plot);
    rg_axis_draw(c, plot, x_axis, x);
    rg_svg_line(c, "z", plot.x, y->from, plot.x + plot.width, y->from);
    rg_svg_words(c, "a", room.x, room.y + RG_TEXT_SIZE, y_axis->heading);
    rg_svg_close(c);
    return plot;
}
