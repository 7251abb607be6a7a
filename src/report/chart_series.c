/* chart_series.c - what charts name: series in the order in which they first appear, what a mark tells when
 * it is pointed at, legends, and labels that keep off one another.
 */
#include "report/chart.h"

#include <math.h>

void rg_names_init(rg_names *names, rg_canvas *c)
{
    *names = (rg_names){0};
    rg_map_init(&names->index, c->arena);
}

const char *rg_name_of(rg_canvas *c, const rg_item *item, const char *path, rg_unit unit)
{
    char buffer[256];
    if (!path || !rg_item_find(item, path)) return "";
    const char *name = rg_doc_cell(buffer, sizeof buffer, item, &(rg_column){.path = path, .unit = unit});
    if (name != buffer) return name;
    name = rg_arena_cstr(c->arena, rg_str_of(buffer));
    return name ? name : "";
}

const char *rg_value_of(rg_canvas *c, double x, rg_unit unit)
{
    char buffer[64];
    const char *value = rg_arena_cstr(c->arena, rg_str_of(rg_unit_print(buffer, sizeof buffer, x, unit)));
    return value ? value : "";
}

uint32_t rg_names_at(rg_names *names, rg_canvas *c, const rg_item *item, const char *path, rg_unit unit)
{
    const char *name = rg_name_of(c, item, path, unit);
    uint32_t at = rg_map_get(&names->index, rg_str_of(name));
    if (at) return at - 1;
    if (!RG_GROW(c->arena, names->names, names->count, names->capacity)) return 0;
    if (!rg_map_put(&names->index, rg_str_of(name), names->count + 1)) return 0;
    names->names[names->count] = name;
    return names->count++;
}

static void tell(rg_text *tip, rg_canvas *c, const rg_axis *axis, const rg_item *item)
{
    double x = axis->path ? rg_cell_number(item, axis->path) : NAN;
    if (isnan(x)) return;
    rg_text_printf(tip, "%s%s %s", tip->size ? ", " : "", axis->heading, rg_value_of(c, x, axis->unit));
}

const char *rg_tip_of(rg_canvas *c, const rg_chart *chart, const rg_item *item)
{
    rg_text tip;
    if (!c->tips) return NULL;
    rg_text_init(&tip, c->arena);
    rg_text_put(&tip, rg_str_of(rg_name_of(c, item, chart->label, RG_UNIT_NONE)));
    if (chart->group) {
        const char *group = rg_name_of(c, item, chart->group, RG_UNIT_NONE);
        rg_text_printf(&tip, "%s%s", tip.size && *group ? ", " : "", group);
    }
    tell(&tip, c, &chart->x, item);
    for (size_t i = 0; i < chart->y_count; i++) tell(&tip, c, &chart->y[i], item);
    return tip.data;
}

/* ---- legends ---- */

enum { KEY_SIZE = 10, KEY_GAP = 6, ENTRY_GAP = 16, LEGEND_MAX = 24 };

static void draw_key(rg_canvas *c, const rg_legend_entry *entry, double x, double y)
{
    char class_name[16];
    const char *kind = entry->bar ? "f" : entry->line ? "s" : "m f";
    snprintf(class_name, sizeof class_name, "%s%u", kind, RG_COLOR(entry->color));
    if (entry->bar) {
        rg_box box = {x, y - KEY_SIZE + 1, KEY_SIZE, KEY_SIZE};
        rg_svg_rect(c, class_name, box, NULL);
        snprintf(class_name, sizeof class_name, "p%u", entry->shape);
        if (entry->shape) rg_svg_rect(c, class_name, box, NULL);
        return;
    }
    if (entry->line) {
        rg_svg_line(c, class_name, x - 3, y - 4, x + KEY_SIZE + 3, y - 4);
        snprintf(class_name, sizeof class_name, "m f%u", RG_COLOR(entry->color));
    }
    rg_svg_open(c, class_name);
    rg_svg_shape(c, entry->shape, x + KEY_SIZE / 2.0, y - 4, 4.5, NULL);
    rg_svg_close(c);
}

double rg_legend_draw(rg_canvas *c, double y, const rg_legend_entry *entries, uint32_t count)
{
    double x = 4, baseline = y + RG_TEXT_SIZE;
    if (count < 2) return 0;
    for (uint32_t i = 0; i < count && i <= LEGEND_MAX; i++) {
        const char *name = i < LEGEND_MAX ? rg_words_fit(c, entries[i].name, c->width - 2 * ENTRY_GAP)
                                          : rg_arena_printf(c->arena, "and %u more", count - LEGEND_MAX);
        if (!name) return 0;
        double width = KEY_SIZE + KEY_GAP + rg_words_width(name);
        if (x > 4 && x + width > c->width) {
            x = 4;
            baseline += RG_LINE_HEIGHT + 2;
        }
        if (i < LEGEND_MAX) draw_key(c, &entries[i], x, baseline);
        rg_svg_words(c, NULL, x + KEY_SIZE + KEY_GAP, baseline, name);
        x += width + ENTRY_GAP;
    }
    return baseline - y + RG_LINE_HEIGHT;
}

/* ---- labels ---- */

static bool overlap(rg_box a, rg_box b)
{
    return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

static void add_box(rg_canvas *c, rg_boxes *boxes, rg_box box)
{
    if (RG_GROW(c->arena, boxes->list, boxes->count, boxes->capacity)) boxes->list[boxes->count++] = box;
    else boxes->count = 0;
}

void rg_labels_take(rg_canvas *c, rg_labels *labels, rg_box box) { add_box(c, &labels->taken, box); }
void rg_labels_avoid(rg_canvas *c, rg_labels *labels, rg_box box) { add_box(c, &labels->avoided, box); }

static bool misses(const rg_boxes *boxes, rg_box box)
{
    for (uint32_t i = 0; i < boxes->count; i++)
        if (overlap(boxes->list[i], box)) return false;
    return true;
}

static bool is_free(const rg_labels *labels, rg_box box)
{
    rg_box room = labels->room;
    if (box.x < room.x || box.x + box.width > room.x + room.width) return false;
    if (box.y < room.y || box.y + box.height > room.y + room.height) return false;
    return misses(&labels->taken, box);
}

/* Where a label may stand around its mark: of the box's left upper corner, shares of its size, then pixels.
 * To the far ones a line leads. */
enum { NEAR_COUNT = 8 };
static const struct { double width, height, right, down; } places[] = {
    {0, -.5, 9, 0}, {-1, -.5, -9, 0}, {-.5, -1, 0, -7}, {-.5, 0, 0, 7},
    {0, -1, 6, -5}, {0, 0, 6, 5}, {-1, -1, -6, -5}, {-1, 0, -6, 5},
    {0, 0, 22, 22}, {-1, 0, -22, 22}, {0, -1, 22, -22}, {-1, -1, -22, -22},
    {0, 0, 30, 44}, {-1, 0, -30, 44}, {0, -1, 30, -44}, {-1, -1, -30, -44}, {0, 0, 38, 66}, {-1, 0, -38, 66},
};

static void put_label(rg_canvas *c, size_t place, rg_box box, double x, double y, const char *words)
{
    bool left = places[place].width == -1, middle = places[place].width == -.5;
    double anchor = left ? box.x + box.width - 1 : middle ? box.x + box.width / 2 : box.x + 1;
    if (place >= NEAR_COUNT) {
        double end_x = left ? box.x + box.width : box.x;
        rg_svg_line(c, "z", x, y, end_x, box.y + box.height / 2);
    }
    rg_svg_words(c, left ? "l e" : middle ? "l c" : "l", anchor, box.y + box.height - 3, words);
}

/* Whether the line to a far label crosses no other label. */
static bool lead_is_free(const rg_labels *labels, size_t place, rg_box box, double x, double y)
{
    enum { CLEAR = 12, STEP = 4 }; /* pixels from the mark on, and between the points that are looked at */
    double to_x = places[place].width == -1 ? box.x + box.width : box.x, to_y = box.y + box.height / 2;
    double length = hypot(to_x - x, to_y - y);
    for (double along = CLEAR; place >= NEAR_COUNT && along < length; along += STEP) {
        rg_box point = {x + (to_x - x) * along / length, y + (to_y - y) * along / length, 1, 1};
        if (!misses(&labels->taken, point)) return false;
    }
    return true;
}

bool rg_labels_place(rg_canvas *c, rg_labels *labels, double x, double y, bool strict, const char *words)
{
    double width = rg_words_width(words) + 2, height = RG_TEXT_SIZE + 2;
    if (!*words) return false;
    for (size_t i = 0; i < RG_COUNT(places) + (strict ? 0 : NEAR_COUNT); i++) {
        size_t at = i % RG_COUNT(places);
        rg_box box = {x + places[at].width * width + places[at].right,
                      y + places[at].height * height + places[at].down, width, height};
        if (!is_free(labels, box) || (i == at && !misses(&labels->avoided, box))) continue;
        if (!lead_is_free(labels, at, box, x, y)) continue;
        rg_labels_take(c, labels, box);
        put_label(c, at, box, x, y, words);
        return true;
    }
    return false;
}

/* A turned label is a chain of squares: one box around all would claim a whole corner of the plot. */
static bool chain_is_free(const rg_labels *labels, rg_box link, double ux, double uy, double width)
{
    for (double along = 0; along <= width; along += link.width) {
        rg_box moved = {link.x + ux * along, link.y + uy * along, link.width, link.height};
        if (!is_free(labels, moved)) return false;
    }
    return true;
}

void rg_labels_avoid_line(rg_canvas *c, rg_labels *labels, rg_span line)
{
    enum { LINK = 6 };
    double length = hypot(line.x1 - line.x0, line.y1 - line.y0);
    for (double along = 0; along <= length; along += LINK) {
        double x = line.x0 + (line.x1 - line.x0) * along / length;
        double y = line.y0 + (line.y1 - line.y0) * along / length;
        rg_labels_avoid(c, labels, (rg_box){x - LINK / 2.0, y - 1, LINK, 2});
    }
}

bool rg_labels_along(rg_canvas *c, rg_labels *labels, rg_span line, bool from_end, const char *words)
{
    enum { LINK = 10, ABOVE = 6, STEP = 12 };
    double length = hypot(line.x1 - line.x0, line.y1 - line.y0), width = rg_words_width(words);
    double ux = (line.x1 - line.x0) / length, uy = (line.y1 - line.y0) / length;
    double slack = length - width - 2 * LINK;
    for (double gone = 0; gone <= slack; gone += STEP) {
        double from = LINK + (from_end ? slack - gone : gone);
        double x = line.x0 + ux * from + uy * ABOVE, y = line.y0 + uy * from - ux * ABOVE;
        double middle_x = x + uy * LINK / 2, middle_y = y - ux * LINK / 2;
        rg_box link = {middle_x - LINK / 2.0, middle_y - LINK / 2.0, LINK, LINK};
        if (!chain_is_free(labels, link, ux, uy, width)) continue;
        for (double along = 0; along <= width; along += LINK)
            rg_labels_take(c, labels, (rg_box){link.x + ux * along, link.y + uy * along, LINK, LINK});
        rg_svg_turned(c, "l k", x, y, atan2(uy, ux) * 180 / acos(-1), words);
        return true;
    }
    return false;
}
