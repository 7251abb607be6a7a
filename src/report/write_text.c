/* write_text.c - the document for people, in a terminal or a log: aligned columns, plain text, 110 columns
 * wide.
 *
 * Widths are display columns, not bytes. A table that is too wide says once what is the same in all rows;
 * then it takes the room from its widest text column, one column at a time, and cuts names in the middle:
 * both ends of "/encoder/layer.11/output/dense" tell something; and before names become too short, intervals
 * go.
 */
#include "report/write.h"

#include <string.h>

enum {
    PAGE_COLUMNS = 110, GAP_COLUMNS = 2, BAR_COLUMNS = 10, LONG_BAR_COLUMNS = 40,
    NAME_COLUMNS = 16,     /* as long as most ids: shorter ones are worth the intervals */
    NAME_COLUMNS_MIN = 10,
};

/* Control characters would move the cursor or worse: they are replaced, tabs and line ends by spaces. */
static const rg_escapes escapes = {
    .invalid = "\xef\xbf\xbd", .control = "\xef\xbf\xbd", .ascii = {['\t'] = " ", ['\n'] = " ", ['\r'] = " "},
};

typedef struct page { FILE *out; rg_arena arena; } page;

static void put(page *p, rg_str text) { rg_utf8_put(p->out, text, &escapes); }
static void put_spaces(page *p, size_t count) { fprintf(p->out, "%*s", (int)count, ""); }

static void put_line_of(page *p, const char *stroke, size_t count)
{
    while (count--) fputs(stroke, p->out);
}

/* Left- or right-aligned in `columns`; the spaces behind the last cell of a line are not written. */
static void put_cell(page *p, const char *cell, size_t columns, bool right, bool last)
{
    rg_str text = rg_str_of(cell);
    size_t width = rg_utf8_columns(text);
    if (width > columns) {
        rg_str head, tail;
        rg_utf8_ends(text, columns - 1, &head, &tail);
        put(p, head);
        fputs("…", p->out);
        put(p, tail);
        width = rg_utf8_columns(head) + 1 + rg_utf8_columns(tail);
    } else {
        if (right) put_spaces(p, columns - width);
        put(p, text);
        if (right) width = columns;
    }
    if (!last && width < columns) put_spaces(p, columns - width);
}

/* Words from column `indent` on, broken at the page's edge. */
static void put_wrapped(page *p, const char *words, size_t indent)
{
    rg_str rest = rg_str_of(words), word;
    size_t column = indent;
    while (rg_str_cut(&rest, ' ', &word)) {
        size_t width = rg_utf8_columns(word);
        if (column > indent && column + 1 + width > PAGE_COLUMNS) {
            putc('\n', p->out);
            put_spaces(p, indent);
            column = indent;
        }
        if (column > indent) putc(' ', p->out);
        put(p, word);
        column += width + (column > indent);
    }
    putc('\n', p->out);
}

static void put_section(page *p, const rg_doc_block *b)
{
    put(p, rg_str_of(b->text));
    putc('\n', p->out);
    if (b->level > 2) return;
    put_line_of(p, b->level == 1 ? "=" : "-", rg_utf8_columns(rg_str_of(b->text)));
    putc('\n', p->out);
}

static void put_say(page *p, const rg_doc_block *b) { put_wrapped(p, b->text, 0); }

static void put_point(page *p, const rg_doc_block *b)
{
    fputs("- ", p->out);
    put_wrapped(p, b->text, 2);
}

static void put_fields(page *p, const rg_doc_block *b)
{
    size_t widest = 0;
    char buffer[256];
    for (size_t c = 0; c < b->column_count; c++) {
        size_t width = rg_utf8_columns(rg_str_of(b->columns[c].heading));
        if (width > widest && rg_item_find(b->item, b->columns[c].path)) widest = width;
    }
    for (size_t c = 0; c < b->column_count; c++) {
        if (!rg_item_find(b->item, b->columns[c].path)) continue;
        put_cell(p, b->columns[c].heading, widest, false, false);
        put_spaces(p, GAP_COLUMNS + 1);
        put_wrapped(p, rg_doc_cell(buffer, sizeof buffer, b->item, &b->columns[c]), widest + GAP_COLUMNS + 1);
    }
}

/* The length of a bar in eighths of a column; any share above nothing shows. */
static size_t bar_eighths(double x, double max, size_t columns)
{
    if (!(max > 0 && x > 0)) return 0;
    size_t eighths = (size_t)(x / max * (double)columns * 8 + 0.5);
    return eighths ? eighths : 1;
}

static void put_bar(page *p, size_t eighths)
{
    static const char *const ends[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    put_line_of(p, "█", eighths / 8);
    fputs(ends[eighths % 8], p->out);
}

/* ---- tables ---- */

typedef struct table_column {
    const rg_column *column;
    const char **cells; /* [rows] */
    size_t width;
    bool number;
    double max;         /* for the bar */
} table_column;

static const char *cell_of(page *p, const rg_item *row, const rg_column *column)
{
    char buffer[256];
    const char *cell = rg_doc_cell(buffer, sizeof buffer, row, column);
    return cell == buffer ? rg_arena_cstr(&p->arena, rg_str_of(cell)) : cell;
}

static bool fill_column(page *p, table_column *t, const rg_column *column, const rg_item *array,
                        size_t row_count)
{
    t->column = column;
    t->cells = RG_NEW(&p->arena, const char *, row_count);
    t->number = rg_cells_are_numbers(array, column->path);
    t->max = column->bar ? rg_cells_max(array, column->path) : 0;
    t->width = rg_utf8_columns(rg_str_of(column->heading));
    const rg_item *row = array->first;
    for (size_t r = 0; t->cells && r < row_count; r++, row = row->next) {
        t->cells[r] = cell_of(p, row, column);
        if (!t->cells[r]) return false;
        size_t width = rg_utf8_columns(rg_str_of(t->cells[r]));
        if (width > t->width) t->width = width;
    }
    return t->cells != NULL;
}

static bool is_too_wide(const table_column *columns, size_t count)
{
    size_t total = 0;
    for (size_t c = 0; c < count; c++) {
        size_t bar = columns[c].column->bar ? GAP_COLUMNS + BAR_COLUMNS : 0;
        total += columns[c].width + bar + (c ? GAP_COLUMNS : 0);
    }
    return total > PAGE_COLUMNS;
}

static void cut_names(table_column *columns, size_t count, size_t shortest)
{
    while (is_too_wide(columns, count)) {
        table_column *widest = NULL;
        for (size_t c = 0; c < count; c++)
            if (!columns[c].number && (!widest || columns[c].width > widest->width)) widest = &columns[c];
        if (!widest || widest->width <= shortest) return;
        widest->width--;
    }
}

static bool is_constant(const table_column *t, size_t row_count)
{
    for (size_t r = 1; r < row_count; r++)
        if (strcmp(t->cells[r], t->cells[0]) != 0) return false;
    return true;
}

/* Says what all rows have in common and takes those columns out; answers how many columns are left. */
static size_t put_constants(page *p, table_column *columns, size_t count, size_t row_count)
{
    rg_text words;
    size_t left = 0;
    rg_text_init(&words, &p->arena);
    for (size_t c = 0; c < count; c++) left += !is_constant(&columns[c], row_count);
    if (!left) return count; /* rows that are all the same are shown as they are */
    left = 0;
    for (size_t c = 0; c < count; c++) {
        const table_column *t = &columns[c];
        if (!is_constant(t, row_count)) columns[left++] = *t;
        else rg_text_printf(&words, "%s %s %s", words.size ? "," : "In all rows:", t->column->heading,
                            t->cells[0]);
    }
    if (words.failed || !words.size) return left;
    put_wrapped(p, words.data, 0);
    putc('\n', p->out);
    return left;
}

static bool drop_intervals(page *p, table_column *columns, size_t count, const rg_item *array,
                           size_t row_count)
{
    for (size_t c = 0; c < count; c++) {
        table_column *t = &columns[c];
        const rg_item *row = array->first;
        rg_column value = *t->column;
        if (!rg_cell_is_quantity(rg_item_find(row, value.path))) continue;
        value.path = rg_arena_printf(&p->arena, "%s.value", value.path);
        t->width = rg_utf8_columns(rg_str_of(value.heading));
        for (size_t r = 0; value.path && r < row_count; r++, row = row->next) {
            t->cells[r] = cell_of(p, row, &value);
            if (!t->cells[r]) return false;
            size_t width = rg_utf8_columns(rg_str_of(t->cells[r]));
            if (width > t->width) t->width = width;
        }
    }
    return !p->arena.failed;
}

/* What a page has no room for, the least important first; answers how many columns are left, 0 without
 * memory. */
static size_t fit_page(page *p, table_column *columns, size_t count, const rg_item *array, size_t row_count)
{
    if (is_too_wide(columns, count) && row_count > 1) count = put_constants(p, columns, count, row_count);
    cut_names(columns, count, NAME_COLUMNS);
    if (is_too_wide(columns, count) && !drop_intervals(p, columns, count, array, row_count)) return 0;
    cut_names(columns, count, NAME_COLUMNS_MIN);
    return count;
}

static void put_row(page *p, const table_column *columns, size_t count, const rg_item *row, size_t index)
{
    for (size_t c = 0; c < count; c++) {
        const table_column *t = &columns[c];
        bool last = c + 1 == count;
        if (c) put_spaces(p, GAP_COLUMNS);
        put_cell(p, row ? t->cells[index] : t->column->heading, t->width, t->number, last && !t->column->bar);
        if (!t->column->bar) continue;
        size_t eighths = row ? bar_eighths(rg_cell_number(row, t->column->path), t->max, BAR_COLUMNS) : 0;
        if (eighths || !last) put_spaces(p, GAP_COLUMNS);
        put_bar(p, eighths);
        if (!last) put_spaces(p, BAR_COLUMNS - (eighths + 7) / 8);
    }
    putc('\n', p->out);
}

static void put_table(page *p, const rg_doc_block *b)
{
    size_t row_count = b->limit && b->limit < b->item->count ? b->limit : b->item->count;
    table_column *columns = RG_NEW(&p->arena, table_column, b->column_count);
    for (size_t c = 0; columns && c < b->column_count; c++)
        if (!fill_column(p, &columns[c], &b->columns[c], b->item, row_count)) return;
    if (!columns) return;
    size_t count = fit_page(p, columns, b->column_count, b->item, row_count);
    if (!count) return;
    put_row(p, columns, count, NULL, 0);
    for (size_t c = 0; c < count; c++) {
        size_t bar = columns[c].column->bar ? GAP_COLUMNS + BAR_COLUMNS : 0;
        if (c) put_spaces(p, GAP_COLUMNS);
        put_line_of(p, "-", columns[c].width + bar);
    }
    putc('\n', p->out);
    const rg_item *row = b->item->first;
    for (size_t r = 0; r < row_count; r++, row = row->next) put_row(p, columns, count, row, r);
    if (row_count < b->item->count) fprintf(p->out, "... and %zu more\n", b->item->count - row_count);
}

static void put_bars(page *p, const rg_doc_block *b)
{
    rg_column label = {.path = b->label, .heading = ""};
    rg_column value = {.path = b->value, .heading = "", .unit = b->unit};
    table_column columns[2] = {{0}};
    if (!fill_column(p, &columns[0], &label, b->item, b->item->count)) return;
    if (!fill_column(p, &columns[1], &value, b->item, b->item->count)) return;
    if (columns[0].width > LONG_BAR_COLUMNS) columns[0].width = LONG_BAR_COLUMNS;
    double max = rg_cells_max(b->item, b->value);
    const rg_item *row = b->item->first;
    for (size_t r = 0; row; r++, row = row->next) {
        size_t eighths = bar_eighths(rg_cell_number(row, b->value), max, LONG_BAR_COLUMNS);
        put_cell(p, columns[0].cells[r], columns[0].width, false, false);
        put_spaces(p, GAP_COLUMNS);
        put_cell(p, columns[1].cells[r], columns[1].width, true, true);
        if (eighths) put_spaces(p, GAP_COLUMNS);
        put_bar(p, eighths);
        putc('\n', p->out);
    }
}

/* ---- the page ---- */

static void (*const put_block[])(page *p, const rg_doc_block *b) = {
    [RG_BLOCK_SECTION] = put_section, [RG_BLOCK_SAY] = put_say,     [RG_BLOCK_POINT] = put_point,
    [RG_BLOCK_FIELDS] = put_fields,   [RG_BLOCK_TABLE] = put_table, [RG_BLOCK_BARS] = put_bars,
};

/* Blocks are set apart by an empty line, but a heading holds on to its block and points stand together. */
static bool is_apart(const rg_doc_block *before, const rg_doc_block *b)
{
    if (!before || before->kind == RG_BLOCK_SECTION) return false;
    return before->kind != RG_BLOCK_POINT || b->kind != RG_BLOCK_POINT;
}

static rg_err write_text(rg_ctx *cx, const rg_doc *doc, FILE *out)
{
    page p = {.out = out};
    char spark[RG_SPARK_SIZE];
    rg_arena_init(&p.arena, cx);
    for (const rg_doc_block *b = rg_doc_blocks(doc), *before = NULL; b; before = b, b = b->next) {
        if (b->kind == RG_BLOCK_CHART && !rg_spark_print(spark, b->chart)) continue; /* a picture */
        if (is_apart(before, b)) putc('\n', out);
        if (b->kind == RG_BLOCK_CHART) fprintf(out, "%s\n", spark);
        else put_block[b->kind](&p, b);
    }
    bool failed = p.arena.failed;
    rg_arena_done(&p.arena);
    return failed ? rg_nomem(cx) : RG_OK;
}

RG_WRITER(text) = {.name = "text", .brief = "for people", .write = write_text};
