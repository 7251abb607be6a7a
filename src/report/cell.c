/* cell.c - one figure as people read it ("1.23 ms (1.02 - 1.60)") and as machines do (the shortest exact
 * decimal); many figures as one line of blocks.
 */
#include "report/write.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *rg_real_print(char buffer[RG_REAL_SIZE], double x)
{
    double back = 0;
    if (x >= 1 && x < 1e15 && x == (double)(int64_t)x) { /* most figures are counts: no trial is needed */
        snprintf(buffer, RG_REAL_SIZE, "%" PRId64, (int64_t)x);
        return buffer;
    }
    for (int digits = 15; digits <= 17; digits++) {
        rg_str_print(buffer, RG_REAL_SIZE, "%.*g", digits, x);
        if (rg_str_real(rg_str_of(buffer), &back) && back == x) break;
    }
    return buffer;
}

bool rg_cell_is_quantity(const rg_item *item)
{
    return item && item->kind == RG_ITEM_OBJECT && rg_item_find(item, "value");
}

static double number_of(const rg_item *item)
{
    if (rg_cell_is_quantity(item)) item = rg_item_find(item, "value");
    if (item && item->kind == RG_ITEM_INT) return (double)item->integer;
    return item && item->kind == RG_ITEM_REAL ? item->real : NAN;
}

double rg_cell_number(const rg_item *row, const char *path) { return number_of(rg_item_find(row, path)); }

bool rg_cells_are_numbers(const rg_item *array, const char *path)
{
    bool any = false;
    for (const rg_item *row = array->first; row; row = row->next) {
        const rg_item *item = rg_item_find(row, path);
        bool number = !isnan(number_of(item));
        bool unknown = !item || item->kind == RG_ITEM_NULL || rg_cell_is_quantity(item);
        if (!number && !unknown) return false;
        any |= number;
    }
    return any;
}

double rg_cells_max(const rg_item *array, const char *path)
{
    double max = 0;
    for (const rg_item *row = array->first; row; row = row->next) max = fmax(max, rg_cell_number(row, path));
    return max;
}

/* Where the unit of "1.23 ms" begins, its space included. */
static size_t unit_at(const char *text) { return strcspn(text, " "); }

/* The ends of the interval lose the unit that they share with the value. */
static void print_quantity(char *buffer, size_t size, const rg_item *item, rg_unit unit)
{
    double x = number_of(item), low = rg_cell_number(item, "low"), high = rg_cell_number(item, "high");
    char value[64], from[64], to[64];
    rg_unit_print(value, sizeof value, x, unit);
    if (isnan(low) || isnan(high) || (low == x && high == x)) {
        snprintf(buffer, size, "%s", value);
        return;
    }
    rg_unit_print(from, sizeof from, low, unit);
    rg_unit_print(to, sizeof to, high, unit);
    const char *suffix = value + unit_at(value);
    if (strcmp(suffix, from + unit_at(from)) == 0 && strcmp(suffix, to + unit_at(to)) == 0)
        from[unit_at(from)] = to[unit_at(to)] = 0;
    snprintf(buffer, size, "%s (%s - %s)", value, from, to);
}

static const char *print_item(char *buffer, size_t size, const rg_item *item, rg_unit unit);

/* "1, 3, 224, 224"; what does not fit ends in an ellipsis. */
static void print_array(char *buffer, size_t size, const rg_item *array, rg_unit unit)
{
    static const char more[] = ", …";
    size_t used = 0;
    buffer[0] = 0;
    for (const rg_item *item = array->first; item; item = item->next) {
        char scratch[128];
        const char *text = print_item(scratch, sizeof scratch, item, unit);
        size_t need = strlen(text) + (used ? 2 : 0);
        if (used + need + sizeof more > size) {
            snprintf(buffer + used, size - used, "%s", used ? more : more + 2);
            return;
        }
        used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : "", text);
    }
}

static const char *print_item(char *buffer, size_t size, const rg_item *item, rg_unit unit)
{
    if (rg_cell_is_quantity(item) && isnan(number_of(item))) item = NULL; /* an unknown quantity */
    rg_item_kind kind = item ? item->kind : RG_ITEM_NULL;
    if (kind == RG_ITEM_STRING) return item->string;
    if (kind == RG_ITEM_OBJECT && rg_cell_is_quantity(item)) {
        print_quantity(buffer, size, item, unit);
    } else if (kind == RG_ITEM_ARRAY && item->first && item->first->kind != RG_ITEM_OBJECT) {
        print_array(buffer, size, item, unit);
    } else if (kind == RG_ITEM_BOOL) {
        snprintf(buffer, size, "%s", item->flag ? "yes" : "no");
    } else if (kind == RG_ITEM_INT && unit == RG_UNIT_NONE) {
        snprintf(buffer, size, "%" PRId64, item->integer);
    } else if (kind == RG_ITEM_INT || kind == RG_ITEM_REAL) {
        rg_unit_print(buffer, size, number_of(item), unit);
    } else {
        snprintf(buffer, size, "-");
    }
    return buffer;
}

const char *rg_doc_cell(char *buffer, size_t size, const rg_item *row, const rg_column *column)
{
    return print_item(buffer, size, rg_item_find(row, column->path), column->unit);
}

bool rg_spark_print(char line[RG_SPARK_SIZE], const rg_chart *chart)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double part[RG_SPARK_COLUMNS] = {0}, most = 0;
    uint32_t count = chart->array->count, at = 0;
    uint32_t parts = count < RG_SPARK_COLUMNS ? count : RG_SPARK_COLUMNS;
    line[0] = 0;
    if (chart->kind != RG_CHART_STEPS || chart->x.path || chart->base) return false;
    for (const rg_item *item = chart->array->first; item; item = item->next, at++) {
        double *p = &part[(uint64_t)at * parts / count];
        *p = fmax(*p, rg_cell_number(item, chart->y[0].path));
        most = fmax(most, *p);
    }
    for (uint32_t i = 0; i < parts && most > 0; i++) {
        const char *block = blocks[(int)fmin(7, part[i] / most * 8)];
        memcpy(line + strlen(line), block, strlen(block) + 1);
    }
    return most > 0;
}
