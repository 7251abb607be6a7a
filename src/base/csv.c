/* csv.c - CSV cut into cells. Plain cells are views of the file; of quoted ones the doubled quotes are gone.
 */
#include "base/csv.h"

/* At the place where it is. */
static rg_err bad(const rg_csv *c, const char *text)
{
    return rg_fail(c->cx, RG_FORMAT, "%s:%zu: %s", c->path, c->line, text);
}

static char peek(const rg_csv *c) { return c->rest.size ? *c->rest.data : 0; }

static char take(rg_csv *c)
{
    char first = *c->rest.data;
    c->rest.data++;
    c->rest.size--;
    return first;
}

/* Behind the opening quote. */
static rg_err cut_quoted(rg_csv *c, rg_str *out)
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

rg_csv rg_csv_open(rg_ctx *cx, const char *path, rg_str text)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* spreadsheets begin UTF-8 with a byte order mark */
    if (!text.data) text = rg_str_of(""); /* nothing was read */
    size_t skip = rg_str_starts(text, mark) ? sizeof mark - 1 : 0;
    rg_csv csv = {.cx = cx, .path = path, .rest = {text.data + skip, text.size - skip}, .line = 1};
    rg_text_init(&csv.cell, &cx->arena);
    return csv;
}

/* Of a plain cell; a byte of 0 is no text. */
static bool is_end(char x) { return x == ',' || x == '\n' || x == '\r' || x == '"' || !x; }

rg_err rg_csv_cell(rg_csv *c, rg_str *out, bool *last)
{
    if (peek(c) == '"') {
        take(c);
        RG_TRY(cut_quoted(c, out));
    } else {
        size_t size = 0;
        while (size < c->rest.size && !is_end(c->rest.data[size])) size++;
        *out = (rg_str){c->rest.data, size};
        c->rest = (rg_str){c->rest.data + size, c->rest.size - size};
    }
    *last = true;
    if (!c->rest.size) return RG_OK;
    char end = take(c);
    if (end == '\r' && peek(c) == '\n') end = take(c);
    *last = end == '\n';
    if (end == ',' || end == '\n') return RG_OK;
    return bad(c, !end ? "a byte of 0: this is no text" : "a quote or a line's end inside a cell");
}
