/* readings_csv.c - readings out of CSV (RFC 4180): a line with the columns in any order, then a line each.
 *
 *     row   = cell *("," cell) (CR LF / LF)
 *     cell  = *(all but , " CR LF)  /  '"' *(all but " / '""') '"'
 *
 * Strict, so that a file cut in the middle, or one of something else, is not taken for a short one: every
 * line has as many cells as the first, and a quote stands only where one may.
 */
#include "base/limits.h"
#include "measure/readings.h"

enum { COLUMN_MAX = 64 };

typedef struct csv {
    rg_ctx *cx;
    const char *path;
    rg_str rest;
    size_t line;                 /* that rest begins in, from 1 */
    rg_text cell;                /* of the last quoted one */
    const rg_reading_column *columns[COLUMN_MAX]; size_t count;
} csv;

/* At the place where it is. */
static rg_err bad(const csv *c, const char *text)
{
    return rg_fail(c->cx, RG_FORMAT, "%s:%zu: %s", c->path, c->line, text);
}

static char peek(const csv *c) { return c->rest.size ? *c->rest.data : 0; }

static char take(csv *c)
{
    char first = *c->rest.data;
    c->rest.data++;
    c->rest.size--;
    return first;
}

/* Behind the opening quote. */
static rg_err cut_quoted(csv *c, rg_str *out)
{
    c->cell.size = 0;
    while (c->rest.size) {
        char x = take(c);
        if (x == '"' && peek(c) != '"') {
            if (c->cell.failed) return rg_nomem(c->cx);
            *out = (rg_str){c->cell.data, c->cell.size};
            return RG_OK;
        }
        if (x == '"') take(c);
        if (x == '\n') return bad(c, "a line ends inside quotes");
        rg_text_char(&c->cell, x);
    }
    return bad(c, "the file ends inside quotes");
}

/* One cell and what ends it; *last: the line ends behind it. */
static rg_err cut_cell(csv *c, rg_str *out, bool *last)
{
    if (peek(c) == '"') {
        take(c);
        RG_TRY(cut_quoted(c, out));
    } else {
        *out = (rg_str){c->rest.data, 0};
        while (c->rest.size && !strchr(",\"\r\n", *c->rest.data)) take(c), out->size++;
    }
    *last = true;
    if (!c->rest.size) return RG_OK;
    char end = take(c);
    if (end == '\r' && peek(c) == '\n') end = take(c);
    *last = end == '\n';
    if (end == ',' || end == '\n') return RG_OK;
    return bad(c, !end ? "a byte of 0: this is no text" : "a quote or a line's end inside a cell");
}

static rg_err read_columns(csv *c)
{
    bool last = false;
    rg_str key;
    while (!last) {
        RG_TRY(cut_cell(c, &key, &last));
        const rg_reading_column *column = rg_reading_column_find(key);
        int shown = key.size > 80 ? 80 : (int)key.size;
        if (!column)
            return rg_fail(c->cx, RG_FORMAT, "%s:1: '%.*s' is no column of readings", c->path, shown,
                           key.data ? key.data : "");
        for (size_t i = 0; i < c->count; i++)
            if (c->columns[i] == column)
                return rg_fail(c->cx, RG_FORMAT, "%s:1: there are two columns '%s'", c->path, column->key);
        c->columns[c->count++] = column;
    }
    c->line++;
    return RG_OK;
}

static rg_err read_line(csv *c, rg_readings *out)
{
    rg_reading reading = rg_reading_none();
    bool last = false;
    rg_str cell;
    size_t count = 0;
    while (!last && count <= c->count) {
        RG_TRY(cut_cell(c, &cell, &last));
        if (count < c->count && (!last || count + 1 == c->count))
            RG_TRY_NOTE(c->cx, rg_reading_set(c->cx, c->columns[count], cell, &reading), "%s:%zu", c->path,
                        c->line);
        count++;
    }
    if (count != c->count)
        return rg_fail(c->cx, RG_FORMAT, "%s:%zu: %s cells than the %zu columns", c->path, c->line,
                       count < c->count ? "fewer" : "more", c->count);
    RG_TRY_NOTE(c->cx, rg_reading_complete(c->cx, &reading), "%s:%zu", c->path, c->line);
    c->line++;
    return rg_readings_add(c->cx, out, &reading);
}

rg_err rg_readings_csv(rg_ctx *cx, rg_str text, const char *path, rg_readings *out)
{
    csv c = {.cx = cx, .path = path, .rest = text, .line = 1};
    rg_text_init(&c.cell, &cx->arena);
    RG_TRY(read_columns(&c));
    while (c.rest.size) RG_TRY(read_line(&c, out));
    return RG_OK;
}
