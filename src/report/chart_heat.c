/* chart_heat.c - a table of colored cells: one row for each label, one column for each name on the x axis,
 * darker (on a dark page: lighter) for more. Cells that have room also carry their figure.
 */
#include "report/chart.h"

#include <math.h>

enum {
    ROWS_MAX = 60, COLUMNS_MAX = 40,
    CELL_WIDTH_MAX = 96, CELL_HEIGHT = 26, SWATCH = 18, TURNED_MAX = 110, /* pixels */
};
#define SLANT 0.71 /* height of a turned name of length 1 */

typedef struct heat {
    const rg_chart *chart;
    rg_names rows, columns;
    double low, high, value_width;
    double left, top, cell_width;
    uint32_t left_out;
} heat;

static void measure(rg_canvas *c, heat *h)
{
    const rg_chart *chart = h->chart;
    rg_names_init(&h->rows, c);
    rg_names_init(&h->columns, c);
    h->low = INFINITY;
    h->high = -INFINITY;
    for (const rg_item *item = chart->array->first; item; item = item->next) {
        double y = rg_cell_number(item, chart->y[0].path);
        uint32_t row = rg_names_at(&h->rows, c, item, chart->label, RG_UNIT_NONE);
        uint32_t column = rg_names_at(&h->columns, c, item, chart->x.path, chart->x.unit);
        bool shown = row < ROWS_MAX && column < COLUMNS_MAX;
        h->left_out += !shown;
        if (!shown || !rg_axis_takes(&chart->y[0], y)) continue;
        h->low = fmin(h->low, y);
        h->high = fmax(h->high, y);
        h->value_width = fmax(h->value_width, rg_words_width(rg_value_of(c, y, chart->y[0].unit)));
    }
    if (h->rows.count > ROWS_MAX) h->rows.count = ROWS_MAX;
    if (h->columns.count > COLUMNS_MAX) h->columns.count = COLUMNS_MAX;
}

static int shade_of(const heat *h, double y)
{
    bool log_scale = h->chart->y[0].log;
    double span = log_scale ? log(h->high) - log(h->low) : h->high - h->low;
    double share = !(span > 0) ? 0 : (log_scale ? log(y) - log(h->low) : y - h->low) / span;
    return (int)fmin(share * RG_HEAT_COUNT, RG_HEAT_COUNT - 1);
}

static void draw_cell(rg_canvas *c, heat *h, const rg_item *item)
{
    uint32_t row = rg_names_at(&h->rows, c, item, h->chart->label, RG_UNIT_NONE);
    uint32_t column = rg_names_at(&h->columns, c, item, h->chart->x.path, h->chart->x.unit);
    double y = rg_cell_number(item, h->chart->y[0].path);
    bool known = rg_axis_takes(&h->chart->y[0], y);
    int shade = known ? shade_of(h, y) : 0;
    char class_name[16];
    if (row >= ROWS_MAX || column >= COLUMNS_MAX) return;
    rg_box box = {h->left + column * h->cell_width, h->top + row * CELL_HEIGHT, h->cell_width - 2,
                  CELL_HEIGHT - 2};
    snprintf(class_name, sizeof class_name, known ? "h%d" : "hx", shade);
    rg_svg_rect(c, class_name, box, rg_tip_of(c, h->chart, item));
    const char *value = known ? rg_value_of(c, y, h->chart->y[0].unit) : "–";
    if (h->value_width > box.width) return; /* all or none */
    rg_svg_words(c, shade * 2 > RG_HEAT_COUNT ? "c o" : "c", box.x + box.width / 2, box.y + 16, value);
}

/* What the shades mean: swatches between the least and the greatest figure. */
static void draw_key(rg_canvas *c, const heat *h)
{
    const rg_axis *axis = &h->chart->y[0];
    const char *low = rg_value_of(c, h->low, axis->unit), *high = rg_value_of(c, h->high, axis->unit);
    double x = rg_words_width(low) + RG_LABEL_GAP;
    char class_name[16];
    rg_svg_words(c, "d", 0, RG_TEXT_SIZE, low);
    for (int i = 0; i < RG_HEAT_COUNT; i++) {
        snprintf(class_name, sizeof class_name, "h%d", i);
        rg_svg_rect(c, class_name, (rg_box){x + i * SWATCH, 1, SWATCH, RG_TEXT_SIZE + 1}, NULL);
    }
    x += RG_HEAT_COUNT * SWATCH + RG_LABEL_GAP;
    rg_svg_words(c, "d", x, RG_TEXT_SIZE, high);
    x += rg_words_width(high) + 12;
    rg_svg_words(c, "a", x, RG_TEXT_SIZE, rg_words_fit(c, axis->heading, c->width - x));
}

static bool lies_flat(const heat *h, double widest) { return widest <= h->cell_width - 4; }

/* Names of columns lie flat where each fits over its own; else they are turned. Answers their height. */
static double name_columns(rg_canvas *c, const heat *h, double y, double widest)
{
    bool flat = lies_flat(h, widest);
    double length = fmin(widest, TURNED_MAX), height = flat ? RG_LINE_HEIGHT : length * SLANT + 12;
    for (uint32_t i = 0; i < h->columns.count; i++) {
        const char *name = rg_words_fit(c, h->columns.names[i], length);
        double middle = h->left + (i + 0.5) * h->cell_width - 1;
        if (flat) rg_svg_words(c, "d c", middle, y + RG_TEXT_SIZE, name);
        else rg_svg_turned(c, "d", middle + 2, y + height - 5, -45, name);
    }
    return height + 2;
}

static double widest_of(const rg_names *names)
{
    double widest = 0;
    for (uint32_t i = 0; i < names->count; i++) widest = fmax(widest, rg_words_width(names->names[i]));
    return widest;
}

void rg_draw_heat(rg_canvas *c, const rg_chart *chart)
{
    heat h = {.chart = chart};
    measure(c, &h);
    if (c->arena->failed || !h.columns.count) return;
    double name_width = fmin(widest_of(&h.rows), c->width * 0.34), widest = widest_of(&h.columns);
    h.left = name_width > 0 ? name_width + 8 : 0;
    h.cell_width = fmin((c->width - h.left) / h.columns.count, fmax(CELL_WIDTH_MAX, widest + RG_LABEL_GAP));
    if (!lies_flat(&h, widest)) { /* the last turned name needs room */
        double room = c->width - h.left - fmin(widest, TURNED_MAX) * SLANT;
        h.cell_width = fmin(room / h.columns.count, CELL_WIDTH_MAX);
    }
    if (h.low <= h.high) draw_key(c, &h);
    double y = RG_LINE_HEIGHT + 8;
    rg_svg_words(c, "a", h.left, y + RG_TEXT_SIZE, chart->x.heading);
    y += RG_LINE_HEIGHT;
    h.top = y + name_columns(c, &h, y, widest);
    for (uint32_t i = 0; i < h.rows.count; i++)
        rg_svg_words(c, "e", h.left - 8, h.top + i * CELL_HEIGHT + 16,
                     rg_words_fit(c, h.rows.names[i], name_width));
    for (const rg_item *item = chart->array->first; item; item = item->next) draw_cell(c, &h, item);
    if (h.left_out)
        rg_svg_note(c, "%u of %u cells: the first %d rows and %d columns", chart->array->count - h.left_out,
                    chart->array->count, ROWS_MAX, COLUMNS_MAX);
    c->height = h.top + h.rows.count * CELL_HEIGHT;
}
