/* table.c - CSV files, packed by gzip or not, as tables in memory; readings as JSON, too: the table that
 * their CSV would be.
 */
#include "learn/table.h"

#include "base/csv.h"
#include "measure/readings.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <zlib.h>

/* ---- bytes ---- */

/* A copy in the arena, unpacked where it is packed. */
static rg_err load(rg_ctx *cx, const char *path, rg_text *text)
{
    enum { PIECE = 65536 };
    if (rg_path_is_dir(path)) return rg_fail(cx, RG_INPUT, "%s: is a directory, not a file", path);
    char *piece = RG_NEW(&cx->arena, char, PIECE);
    gzFile file = gzopen(path, "rb"); /* reads plain files, too */
    if (!file || !piece) {
        if (file) gzclose(file);
        return piece ? rg_fail(cx, RG_INPUT, "%s: not readable", path) : rg_nomem(cx);
    }
    int size;
    rg_err err = RG_OK;
    while (!err && (size = gzread(file, piece, PIECE)) > 0) {
        rg_text_put(text, (rg_str){piece, (size_t)size});
        if (text->failed) err = rg_nomem(cx);
        else if (text->size > RG_TABLE_BYTE_MAX)
            err = rg_fail(cx, RG_LIMIT, "%s: more than %d bytes of text", path, RG_TABLE_BYTE_MAX);
    }
    if (!err && size < 0)
        err = rg_fail(cx, RG_FORMAT, "%s: damaged: it does not unpack", path);
    bool whole = gzclose_r(file) == Z_OK; /* it alone tells of an archive that ends too soon */
    if (!err && !whole) err = rg_fail(cx, RG_FORMAT, "%s: damaged: it ends before its archive does", path);
    return err;
}

/* ---- cells ---- */

typedef struct cutting { rg_csv csv; rg_table *table; uint32_t capacity; size_t cell_count; } cutting;

static rg_err cut_cell(cutting *c, bool *last)
{
    rg_table *t = c->table;
    rg_str cell;
    if (!RG_GROW(&t->arena, t->cells, c->cell_count, c->capacity)) return rg_nomem(c->csv.cx);
    RG_TRY(rg_csv_cell(&c->csv, &cell, last));
    bool quoted = cell.data == c->csv.cell.data && cell.size; /* it lives until the next one only */
    t->cells[c->cell_count] = quoted ? rg_arena_str(&t->arena, cell) : cell;
    if (quoted && !t->cells[c->cell_count].data) return rg_nomem(c->csv.cx);
    c->cell_count++;
    return RG_OK;
}

static rg_err cut_line(cutting *c)
{
    rg_table *t = c->table;
    size_t before = c->cell_count;
    bool last = false;
    while (!last) RG_TRY(cut_cell(c, &last));
    size_t count = c->cell_count - before;
    if (t->column_count && count != t->column_count)
        return rg_fail(c->csv.cx, RG_FORMAT, "%s:%zu: %zu cells, the first line has %zu", t->path,
                       c->csv.line, count, t->column_count);
    if (!t->column_count) t->column_count = count;
    else t->row_count++;
    c->csv.line++;
    return RG_OK;
}

/* ---- readings ---- */

/* Unknown: empty. */
static rg_err print_cell(rg_ctx *cx, rg_table *t, const rg_reading_column *column, const rg_reading *reading,
                         rg_str *out)
{
    const void *at = (const char *)reading + column->at;
    char text[32] = "";
    const char *from = text;
    if (column->kind == RG_READING_TEXT) from = *(const char *const *)at;
    if (column->kind == RG_READING_FLAG) from = *(const bool *)at ? "true" : "false";
    if (column->kind == RG_READING_HASH && *(const uint64_t *)at)
        snprintf(text, sizeof text, "%016" PRIx64, *(const uint64_t *)at);
    if (column->kind == RG_READING_REAL && !isnan(*(const double *)at))
        rg_str_print(text, sizeof text, "%.17g", *(const double *)at);
    *out = rg_arena_str(&t->arena, rg_str_of(from));
    return out->data || !*from ? RG_OK : rg_nomem(cx);
}

static rg_err lay_readings(rg_ctx *cx, rg_table *t, rg_str text)
{
    rg_readings all = {0};
    RG_TRY(rg_readings_json(cx, text, t->path, &all));
    size_t columns = rg_reading_column_count;
    t->columns = RG_NEW(&t->arena, rg_str, columns);
    t->cells = RG_NEW(&t->arena, rg_str, all.count * columns + 1);
    if (!t->columns || !t->cells) return rg_nomem(cx);
    t->column_count = columns;
    t->row_count = all.count;
    for (size_t c = 0; c < columns; c++) t->columns[c] = rg_str_of(rg_reading_columns[c].key);
    for (size_t i = 0; i < all.count; i++)
        for (size_t c = 0; c < columns; c++)
            RG_TRY(print_cell(cx, t, &rg_reading_columns[c], &all.items[i], &t->cells[i * columns + c]));
    return RG_OK;
}

static bool is_json(rg_str text)
{
    while (text.size && strchr(" \t\r\n", *text.data)) text.data++, text.size--;
    return text.size && *text.data == '{';
}

static rg_err cut(rg_ctx *cx, rg_table *t)
{
    rg_text text;
    rg_text_init(&text, &t->arena);
    RG_TRY(load(cx, t->path, &text));
    if (is_json((rg_str){text.data, text.size})) return lay_readings(cx, t, (rg_str){text.data, text.size});
    if (!text.size) return rg_fail(cx, RG_FORMAT, "%s: empty", t->path);
    cutting c = {.csv = rg_csv_open(cx, t->path, (rg_str){text.data, text.size}), .table = t};
    while (c.csv.rest.size) RG_TRY(cut_line(&c));
    t->columns = t->cells;
    t->cells += t->column_count;
    return RG_OK;
}

rg_err rg_table_read(rg_ctx *cx, const char *path, rg_table **out)
{
    rg_table *t = RG_NEW_OWN(cx, rg_table);
    if (!t) return rg_nomem(cx);
    t->path = path;
    rg_err err = cut(cx, t);
    if (err) rg_table_free(t);
    else *out = t;
    return err;
}

void rg_table_free(rg_table *table)
{
    if (!table) return;
    rg_arena arena = table->arena; /* it lies in there itself */
    rg_arena_done(&arena);
}

size_t rg_table_column(const rg_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (rg_str_is(table->columns[i], name)) return i;
    return SIZE_MAX;
}
