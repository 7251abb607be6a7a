/* write_html.c - one self-contained page: no script, no network, readable in both color schemes, every row.
 */
#include "report/write.h"

static const rg_escapes escapes = {
    .invalid = "\xef\xbf\xbd", .control = "\xef\xbf\xbd",
    .ascii = {
        ['\t'] = " ", ['\n'] = " ", ['\r'] = " ", ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;",
        ['"'] = "&quot;", ['\''] = "&#39;",
    },
};

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:75em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:.5em 0}"
    "th,td{padding:.2em .8em .2em 0;text-align:left;vertical-align:top;border-bottom:1px solid #8884}"
    "th.n,td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "td.b{min-width:8em}td.b div{height:.8em;margin-top:.3em;background:#4a7ebb}"
    "dl{display:grid;grid-template-columns:max-content auto;gap:.2em 1em}dt{font-weight:600}dd{margin:0}";

static void put(FILE *out, const char *text) { rg_utf8_put(out, rg_str_of(text), &escapes); }

static void put_element(FILE *out, const char *tag, const char *text)
{
    fprintf(out, "<%s>", tag);
    put(out, text);
    fprintf(out, "</%s>\n", tag);
}

static void put_section(FILE *out, const rg_doc_block *b)
{
    static const char *const tags[] = {"h1", "h1", "h2", "h3"};
    put_element(out, tags[b->level < 3 ? b->level : 3], b->text);
}

static void put_say(FILE *out, const rg_doc_block *b) { put_element(out, "p", b->text); }
static void put_point(FILE *out, const rg_doc_block *b) { put_element(out, "li", b->text); }

static void put_fields(FILE *out, const rg_doc_block *b)
{
    char buffer[256];
    fputs("<dl>\n", out);
    for (size_t c = 0; c < b->column_count; c++) {
        if (!rg_item_find(b->item, b->columns[c].path)) continue;
        put_element(out, "dt", b->columns[c].heading);
        put_element(out, "dd", rg_doc_cell(buffer, sizeof buffer, b->item, &b->columns[c]));
    }
    fputs("</dl>\n", out);
}

static void put_cell(FILE *out, const char *tag, bool number, const char *text)
{
    fprintf(out, "<%s%s>", tag, number ? " class=n" : "");
    put(out, text);
    fprintf(out, "</%s>", tag);
}

/* The width is a whole percentage: no locale can put a comma into it. */
static void put_bar(FILE *out, double x, double max)
{
    int percent = max > 0 && x > 0 ? (int)(x / max * 100 + 0.5) : 0;
    fprintf(out, "<td class=b><div style=\"width:%d%%\"></div></td>", percent);
}

static void put_rows(FILE *out, const rg_item *array, const rg_column *columns, size_t count)
{
    char buffer[256];
    double max[RG_COLUMN_MAX] = {0};
    fputs("<table>\n<tr>", out);
    for (size_t c = 0; c < count; c++) {
        if (columns[c].bar) max[c] = rg_cells_max(array, columns[c].path);
        put_cell(out, "th", rg_cells_are_numbers(array, columns[c].path), columns[c].heading);
        if (columns[c].bar) fputs("<th></th>", out);
    }
    fputs("</tr>\n", out);
    for (const rg_item *row = array->first; row; row = row->next) {
        fputs("<tr>", out);
        for (size_t c = 0; c < count; c++) {
            double x = rg_cell_number(row, columns[c].path);
            put_cell(out, "td", x == x, rg_doc_cell(buffer, sizeof buffer, row, &columns[c]));
            if (columns[c].bar) put_bar(out, x, max[c]);
        }
        fputs("</tr>\n", out);
    }
    fputs("</table>\n", out);
}

static void put_table(FILE *out, const rg_doc_block *b)
{
    put_rows(out, b->item, b->columns, b->column_count);
}

static void put_bars(FILE *out, const rg_doc_block *b)
{
    rg_column columns[] = {
        {.path = b->label, .heading = ""}, {.path = b->value, .heading = "", .unit = b->unit, .bar = true},
    };
    put_rows(out, b->item, columns, RG_COUNT(columns));
}

static void (*const put_block[])(FILE *out, const rg_doc_block *b) = {
    [RG_BLOCK_SECTION] = put_section, [RG_BLOCK_SAY] = put_say,     [RG_BLOCK_POINT] = put_point,
    [RG_BLOCK_FIELDS] = put_fields,   [RG_BLOCK_TABLE] = put_table, [RG_BLOCK_BARS] = put_bars,
};

static bool is_point(const rg_doc_block *b) { return b && b->kind == RG_BLOCK_POINT; }

static rg_err write_html(rg_ctx *cx, const rg_doc *doc, FILE *out)
{
    (void)cx;
    const rg_doc_block *first = rg_doc_blocks(doc);
    fputs("<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<title>", out);
    put(out, first && first->kind == RG_BLOCK_SECTION ? first->text : "ridge");
    fprintf(out, "</title>\n<style>%s</style>\n", style);
    for (const rg_doc_block *b = first, *before = NULL; b; before = b, b = b->next) {
        if (is_point(b) && !is_point(before)) fputs("<ul>\n", out);
        put_block[b->kind](out, b);
        if (is_point(b) && !is_point(b->next)) fputs("</ul>\n", out);
    }
    return RG_OK;
}

RG_WRITER(html) = {.name = "html", .brief = "a page of its own", .write = write_html};
