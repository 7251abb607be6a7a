/* write_html.c - one self-contained page: no script, no network, every row, readable on a phone, on paper, in
 * both color schemes and by screen readers.
 *
 * Every chart is there twice, drawn for a wide and for a narrow page, and the style sheet shows one of them.
 * What can be taken away (a chart as SVG, a table as CSV) is a link that carries its file.
 */
#include "report/chart.h"

enum { TALL_ROWS = 30, WIDE_COLUMNS = 8, LONG_WORDS = 40, CONTENTS_MIN = 3, HEADING_MAX = 4 };

typedef struct page {
    rg_ctx *cx;
    FILE *out;
    const rg_doc *doc;
    rg_arena arena;          /* names of parts */
    rg_part *charts, *tables;
    size_t chart_count, table_count;
    int shift, level;        /* added to the levels of the document; of the last heading */
    unsigned index;          /* of the block: makes ids */
    bool fields_seen;
    rg_err err;
} page;

static void put(const page *p, const char *text) { rg_utf8_put(p->out, rg_str_of(text), &rg_xml_escapes); }

static void put_element(const page *p, const char *tag, const char *text)
{
    fprintf(p->out, "<%s>", tag);
    put(p, text);
    fprintf(p->out, "</%s>", tag);
}

/* ---- links that carry a file ---- */

/* Percent-encoded (RFC 3986): everything but what every URL may hold and no attribute minds. */
static void put_uri(FILE *out, rg_str bytes)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~!$*()+,;:@/?='";
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        if (c && strchr(plain, c)) putc(c, out);
        else fprintf(out, "%%%02X", c);
    }
}

static void put_link(const page *p, const char *name, const char *suffix, const char *type, rg_str bytes)
{
    fprintf(p->out, "<p class=\"get\"><a download=\"%s.%s\" href=\"data:%s;charset=utf-8,", name, suffix,
            type);
    put_uri(p->out, bytes);
    fprintf(p->out, "\"><span aria-hidden=\"true\">↓ </span>%s.%s</a></p>\n", name, suffix);
}

static const char *part_name(const rg_part *parts, size_t count, const rg_doc_block *b)
{
    for (size_t i = 0; i < count; i++)
        if (parts[i].block == b) return parts[i].name;
    return b->text;
}

/* ---- words ---- */

/* Headings go down by one level at a time, whatever the document skips; there is one of level 1. */
static int heading_level(page *p, const rg_doc_block *b)
{
    int level = b->level + p->shift;
    if (level > p->level + 1) level = p->level + 1;
    return p->level = level < HEADING_MAX ? level : HEADING_MAX;
}

static void put_section(page *p, const rg_doc_block *b)
{
    int level = heading_level(p, b);
    fprintf(p->out, "<h%d id=\"s%u\">", level, p->index);
    put(p, b->text);
    fprintf(p->out, "</h%d>\n", level);
}

static void put_say(page *p, const rg_doc_block *b)
{
    put_element(p, "p", b->text);
    putc('\n', p->out);
}

static void put_point(page *p, const rg_doc_block *b) { put_element(p, "li", b->text); }

static bool may_break(char before, char after)
{
    bool hump = before >= 'a' && before <= 'z' && after >= 'A' && after <= 'Z';
    return hump || (before && strchr("/._:-", before));
}

/* Names of models are paths without a space: they may break behind the signs that part them and where a
 * capital follows a small letter. */
static void put_breakable(const page *p, const char *text)
{
    for (const char *from = text; *from;) {
        const char *to = from + 1;
        while (*to && !may_break(to[-1], *to)) to++;
        rg_utf8_put(p->out, (rg_str){from, (size_t)(to - from)}, &rg_xml_escapes);
        if (*to && *to != ' ') fputs("<wbr>", p->out);
        from = to;
    }
}

/* "1.23 ms (1.02 - 1.60)": the interval is set smaller, on a line of its own. */
static void put_interval(const page *p, const char *text)
{
    const char *interval = strstr(text, " (");
    rg_str value = {text, interval ? (size_t)(interval - text) : strlen(text)};
    rg_utf8_put(p->out, value, &rg_xml_escapes);
    if (interval) put_element(p, "small", interval + 1);
}

static void put_fields(page *p, const rg_doc_block *b)
{
    char buffer[256];
    fprintf(p->out, "<dl class=\"fields%s\">\n", p->fields_seen ? "" : " first");
    for (size_t c = 0; c < b->column_count; c++) {
        const rg_item *item = rg_item_find(b->item, b->columns[c].path);
        if (!item) continue;
        const char *text = rg_doc_cell(buffer, sizeof buffer, b->item, &b->columns[c]);
        bool sentence = strlen(text) > LONG_WORDS;
        fputs(sentence ? "<div class=\"wide\">" : "<div>", p->out);
        put_element(p, "dt", b->columns[c].heading);
        fputs("<dd>", p->out);
        fputs(item->kind == RG_ITEM_STRING ? "" : "<b>", p->out);
        if (item->kind == RG_ITEM_STRING) put_breakable(p, text);
        else if (rg_cell_is_quantity(item)) put_interval(p, text);
        else put(p, text);
        fputs(item->kind == RG_ITEM_STRING ? "</dd></div>\n" : "</b></dd></div>\n", p->out);
    }
    fputs("</dl>\n", p->out);
    p->fields_seen = true;
}

/* ---- tables ---- */

/* The width is a whole percentage: no locale can put a comma into it. */
static int percent_of(double x, double max) { return max > 0 && x > 0 ? (int)(x / max * 100 + 0.5) : 0; }

/* Of columns. What a wide table says in every row stands in its caption instead. */
typedef struct traits {
    bool number[RG_COLUMN_MAX], left_out[RG_COLUMN_MAX];
    double max[RG_COLUMN_MAX];
    size_t head; /* the first that is shown: names the row */
} traits;

static bool is_constant(const rg_doc_block *b, const rg_column *column)
{
    char first[256], other[256];
    const char *text = rg_doc_cell(first, sizeof first, b->item->first, column);
    for (const rg_item *row = b->item->first->next; row; row = row->next)
        if (strcmp(rg_doc_cell(other, sizeof other, row, column), text) != 0) return false;
    return true;
}

static void find_traits(const rg_doc_block *b, traits *t)
{
    size_t shown = 0;
    bool wide = b->column_count >= WIDE_COLUMNS && b->item->count > 1;
    for (size_t c = 0; c < b->column_count; c++) {
        t->number[c] = rg_cells_are_numbers(b->item, b->columns[c].path);
        t->max[c] = b->columns[c].bar ? rg_cells_max(b->item, b->columns[c].path) : 0;
        t->left_out[c] = wide && is_constant(b, &b->columns[c]);
        shown += !t->left_out[c];
    }
    if (!shown) memset(t->left_out, 0, sizeof t->left_out); /* rows that are all the same */
    for (t->head = 0; t->left_out[t->head];) t->head++;
}

static void put_constants(page *p, const rg_doc_block *b, const traits *t)
{
    char buffer[256];
    const char *before = " <span>in all rows: ";
    for (size_t c = 0; c < b->column_count; c++) {
        if (!t->left_out[c]) continue;
        fputs(before, p->out);
        put(p, b->columns[c].heading);
        putc(' ', p->out);
        put(p, rg_doc_cell(buffer, sizeof buffer, b->item->first, &b->columns[c]));
        before = ", ";
    }
    if (*before == ',') fputs("</span>", p->out);
}

static void put_head(page *p, const rg_doc_block *b, const traits *t)
{
    fputs("<thead><tr>", p->out);
    for (size_t c = 0; c < b->column_count; c++) {
        if (t->left_out[c]) continue;
        fprintf(p->out, "<th scope=\"col\"%s>", t->number[c] ? " class=\"n\"" : "");
        put(p, b->columns[c].heading);
        fputs("</th>", p->out);
    }
    fputs("</tr></thead>\n<tbody>\n", p->out);
}

static void put_cell(page *p, const rg_column *column, const rg_item *row, bool head)
{
    char buffer[256];
    const char *text = rg_doc_cell(buffer, sizeof buffer, row, column);
    if (head) put_breakable(p, text);
    else if (rg_cell_is_quantity(rg_item_find(row, column->path))) put_interval(p, text);
    else put(p, text);
}

static void put_row(page *p, const rg_doc_block *b, const rg_item *row, const traits *t)
{
    char buffer[256];
    fputs("<tr>", p->out);
    for (size_t c = 0; c < b->column_count; c++) {
        const rg_column *column = &b->columns[c];
        bool head = c == t->head;
        if (t->left_out[c]) continue;
        fputs(head ? "<th scope=\"row\"" : "<td", p->out);
        int percent = percent_of(rg_cell_number(row, column->path), t->max[c]);
        if (column->bar) fprintf(p->out, " class=\"n b\" style=\"--w:%d%%\"", percent);
        else if (t->number[c]) fputs(" class=\"n\"", p->out);
        else if (!head && strlen(rg_doc_cell(buffer, sizeof buffer, row, column)) > LONG_WORDS)
            fputs(" class=\"w\"", p->out);
        putc('>', p->out);
        put_cell(p, column, row, head);
        fputs(head ? "</th>" : "</td>", p->out);
    }
    fputs("</tr>\n", p->out);
}

/* "top_energy" -> "Top energy" */
static void put_name(const page *p, const char *name)
{
    for (const char *at = name; *at; at++) {
        bool first = at == name && *at >= 'a' && *at <= 'z';
        putc(first ? *at - 'a' + 'A' : *at == '_' ? ' ' : *at, p->out);
    }
}

static void put_csv(page *p, const rg_doc_block *b)
{
    rg_arena arena;
    rg_text csv;
    rg_arena_init(&arena, p->cx);
    rg_text_init(&csv, &arena);
    rg_csv_table(&csv, b);
    const char *name = part_name(p->tables, p->table_count, b);
    if (csv.failed) p->err = rg_nomem(p->cx);
    else put_link(p, name, "csv", "text/csv", (rg_str){csv.data, csv.size});
    rg_arena_done(&arena);
}

static void put_table(page *p, const rg_doc_block *b)
{
    traits t;
    find_traits(b, &t);
    bool tall = b->item->count > TALL_ROWS;
    fprintf(p->out, "<div class=\"table%s\" role=\"group\" aria-labelledby=\"t%u\" tabindex=\"0\">\n"
            "<table><caption id=\"t%u\">", tall ? " tall" : "", p->index, p->index);
    put_name(p, b->text);
    if (tall) fprintf(p->out, " <span>(%u)</span>", b->item->count);
    put_constants(p, b, &t);
    fputs("</caption>\n", p->out);
    put_head(p, b, &t);
    for (const rg_item *row = b->item->first; row; row = row->next) put_row(p, b, row, &t);
    fputs("</tbody></table></div>\n", p->out);
    put_csv(p, b);
}

static void put_bars(page *p, const rg_doc_block *b)
{
    char buffer[256];
    const rg_column label = {.path = b->label}, value = {.path = b->value, .unit = b->unit};
    double max = rg_cells_max(b->item, b->value);
    fputs("<ul class=\"bars\" role=\"list\">\n", p->out);
    for (const rg_item *row = b->item->first; row; row = row->next) {
        fputs("<li>", p->out);
        put_element(p, "span", rg_doc_cell(buffer, sizeof buffer, row, &label));
        int percent = percent_of(rg_cell_number(row, b->value), max);
        fprintf(p->out, "<i style=\"--w:%d%%\"></i><span class=\"n\">", percent);
        put(p, rg_doc_cell(buffer, sizeof buffer, row, &value));
        fputs("</span></li>\n", p->out);
    }
    fputs("</ul>\n", p->out);
}

/* ---- charts ---- */

static rg_err put_drawing(page *p, rg_arena *arena, const rg_chart *chart, bool narrow)
{
    rg_drawing d;
    char id[16];
    snprintf(id, sizeof id, "%c%u", narrow ? 'n' : 'w', p->index);
    RG_TRY(rg_chart_draw(p->cx, arena, chart, narrow ? RG_CHART_NARROW : RG_CHART_WIDE, !narrow, &d));
    fprintf(p->out, "<svg class=\"chart %s\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%st\" "
            "aria-describedby=\"%sd\"><title id=\"%st\">", narrow ? "narrow" : "wide-chart", (int)d.width,
            (int)d.height, id, id, id);
    put(p, chart->title);
    fprintf(p->out, "</title><desc id=\"%sd\">", id);
    put(p, chart->text ? chart->text : chart->title);
    fputs("</desc>", p->out);
    fwrite(d.svg.data, 1, d.svg.size, p->out);
    fputs("</svg>\n", p->out);
    return RG_OK;
}

static rg_err put_pictures(page *p, rg_arena *arena, const rg_doc_block *b)
{
    rg_drawing file;
    RG_TRY(put_drawing(p, arena, b->chart, false));
    RG_TRY(put_drawing(p, arena, b->chart, true));
    RG_TRY(rg_chart_file(p->cx, arena, b, &file));
    put_link(p, part_name(p->charts, p->chart_count, b), "svg", "image/svg+xml", file.svg);
    return RG_OK;
}

static void put_chart(page *p, const rg_doc_block *b)
{
    rg_arena arena;
    rg_arena_init(&arena, p->cx);
    fputs("<figure>\n<figcaption>", p->out);
    put_element(p, "b", b->chart->title);
    if (b->chart->text) put_element(p, "span", b->chart->text);
    fputs("</figcaption>\n", p->out);
    rg_err err = put_pictures(p, &arena, b);
    if (err) p->err = err;
    fputs("</figure>\n", p->out);
    rg_arena_done(&arena);
}

/* ---- the page ---- */

static void (*const put_block[])(page *p, const rg_doc_block *b) = {
    [RG_BLOCK_SECTION] = put_section, [RG_BLOCK_SAY] = put_say,     [RG_BLOCK_POINT] = put_point,
    [RG_BLOCK_FIELDS] = put_fields,   [RG_BLOCK_TABLE] = put_table, [RG_BLOCK_BARS] = put_bars,
    [RG_BLOCK_CHART] = put_chart,
};

static bool is_point(const rg_doc_block *b) { return b && b->kind == RG_BLOCK_POINT; }

/* The name of the document, where it does not begin with its only heading of level 1. */
static const char *own_title(const rg_doc *doc)
{
    const rg_doc_block *first = rg_doc_blocks(doc);
    int count = 0;
    for (const rg_doc_block *b = first; b; b = b->next) count += b->kind == RG_BLOCK_SECTION && b->level == 1;
    bool headed = first && first->kind == RG_BLOCK_SECTION && first->level == 1;
    return headed && count == 1 ? first->text : NULL;
}

static void put_style(page *p)
{
    rg_text css;
    rg_text_init(&css, &p->arena);
    rg_text_put(&css, RG_LIT(":root{color-scheme:light dark;"));
    rg_chart_palette(&css, false);
    rg_text_put(&css, RG_LIT("}@media(prefers-color-scheme:dark){:root{"));
    rg_chart_palette(&css, true);
    rg_text_put(&css, RG_LIT("}}@media print{:root{color-scheme:light;"));
    rg_chart_palette(&css, false);
    rg_text_put(&css, RG_LIT("}}"));
    rg_text_put(&css, rg_str_of(rg_page_style));
    rg_chart_style(&css, true);
    if (css.failed) p->err = rg_nomem(p->cx);
    else fprintf(p->out, "<style>%s</style>\n", css.data);
}

/* Sections of level 2: the only level that a page of one result and one of many both have. */
static bool is_listed(const page *p, const rg_doc_block *b)
{
    return b->kind == RG_BLOCK_SECTION && b->level + p->shift == 2;
}

static void put_contents(page *p)
{
    unsigned listed = 0, index = 0;
    for (const rg_doc_block *b = rg_doc_blocks(p->doc); b; b = b->next) listed += is_listed(p, b);
    fprintf(p->out, "<div class=\"page%s\">\n", listed >= CONTENTS_MIN ? " toc" : "");
    if (listed < CONTENTS_MIN) return;
    fputs("<nav aria-label=\"Contents\"><p>Contents</p><ol>\n", p->out);
    for (const rg_doc_block *b = rg_doc_blocks(p->doc); b; b = b->next, index++) {
        if (!is_listed(p, b)) continue;
        fprintf(p->out, "<li><a href=\"#s%u\">", index);
        put(p, b->text);
        fputs("</a></li>\n", p->out);
    }
    fputs("</ol></nav>\n", p->out);
}

static void put_head_of_page(page *p, const char *title)
{
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>", p->out);
    put(p, title);
    fputs("</title>\n", p->out);
    put_style(p);
    fprintf(p->out, "</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
            "<svg class=\"defs chart\" aria-hidden=\"true\">%s</svg>\n", rg_chart_patterns);
}

static void put_blocks(page *p)
{
    const rg_doc_block *before = NULL;
    p->index = 0;
    for (const rg_doc_block *b = rg_doc_blocks(p->doc); b && !p->err; before = b, b = b->next, p->index++) {
        if (is_point(b) && !is_point(before)) fputs("<ul class=\"points\">\n", p->out);
        put_block[b->kind](p, b);
        if (is_point(b) && !is_point(b->next)) fputs("</ul>\n", p->out);
    }
}

static void put_page(page *p)
{
    const char *title = own_title(p->doc), *schema = "";
    rg_doc_string(p->doc, "schema", &schema);
    put_head_of_page(p, title ? title : "Ridge report");
    p->shift = title ? 0 : 1;
    put_contents(p);
    fputs("<main id=\"main\">\n", p->out);
    if (!title) fputs("<h1>Ridge report</h1>\n", p->out);
    p->level = title ? 0 : 1;
    put_blocks(p);
    fprintf(p->out, "</main></div>\n<footer>Ridge %s, %s</footer>\n</body>\n</html>\n", rg_version(), schema);
}

static rg_err write_html(rg_ctx *cx, const rg_doc *doc, FILE *out)
{
    page p = {.cx = cx, .out = out, .doc = doc};
    rg_arena_init(&p.arena, cx);
    p.err = rg_parts_find(cx, &p.arena, doc, RG_BLOCK_CHART, &p.charts, &p.chart_count);
    if (!p.err) p.err = rg_parts_find(cx, &p.arena, doc, RG_BLOCK_TABLE, &p.tables, &p.table_count);
    if (!p.err) put_page(&p);
    rg_arena_done(&p.arena);
    return p.err;
}

RG_WRITER(html) = {.name = "html", .brief = "a page of its own", .write = write_html};
