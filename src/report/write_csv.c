/* write_csv.c - RFC 4180: the document's tables, every row, exact numbers, lines that end in CR LF.
 *
 * One table is a plain CSV file. Several are separated by an empty line and each is announced by a line "#
 * NAME"; a document without tables gives its fields, as two columns. The first line of a table holds the
 * paths of its columns, which carry the units ("latency_s"); a quantity takes three columns: NAME, NAME.low,
 * NAME.high. A list within a cell is separated by semicolons. Unknown is empty.
 */
#include "report/write.h"

#include <inttypes.h>

static const rg_escapes quoted = {.invalid = "\xef\xbf\xbd", .ascii = {['"'] = "\"\""}};

static void put(rg_text *out, const char *text) { rg_text_put(out, rg_str_of(text)); }

static void put_string(rg_text *out, const char *text)
{
    bool quote = text[strcspn(text, ",\"\r\n")] != 0;
    if (quote) rg_text_char(out, '"');
    rg_utf8_add(out, rg_str_of(text), &quoted);
    if (quote) rg_text_char(out, '"');
}

static void put_item(rg_text *out, const rg_item *item)
{
    char number[RG_REAL_SIZE];
    if (!item) return;
    switch (item->kind) {
    case RG_ITEM_NULL:   break;
    case RG_ITEM_BOOL:   put(out, item->flag ? "true" : "false"); break;
    case RG_ITEM_INT:    rg_text_printf(out, "%" PRId64, item->integer); break;
    case RG_ITEM_REAL:   put(out, rg_real_print(number, item->real)); break;
    case RG_ITEM_STRING: put_string(out, item->string); break;
    case RG_ITEM_OBJECT: put_item(out, rg_item_find(item, "value")); break;
    case RG_ITEM_ARRAY:
        for (const rg_item *element = item->first; element; element = element->next) {
            put_item(out, element);
            if (element->next) rg_text_char(out, ';');
        }
        break;
    }
}

/* Bit c: column c holds quantities somewhere, so that it takes three columns in every row. */
static uint64_t interval_columns(const rg_doc_block *table)
{
    uint64_t bits = 0;
    for (const rg_item *row = table->item->first; row; row = row->next)
        for (size_t c = 0; c < table->column_count; c++)
            bits |= (uint64_t)rg_cell_is_quantity(rg_item_find(row, table->columns[c].path)) << c;
    return bits;
}

/* Row NULL prints the headings. */
static void put_row(rg_text *out, const rg_doc_block *table, const rg_item *row, uint64_t intervals)
{
    static const char *const ends[] = {"low", "high"};
    for (size_t c = 0; c < table->column_count; c++) {
        const char *path = table->columns[c].path;
        const rg_item *cell = row ? rg_item_find(row, path) : NULL;
        if (c) rg_text_char(out, ',');
        if (row) put_item(out, cell);
        else put_string(out, path);
        for (size_t e = 0; e < RG_COUNT(ends) && intervals >> c & 1; e++) {
            rg_text_char(out, ',');
            if (!row) rg_text_printf(out, "%s.%s", path, ends[e]);
            else if (rg_cell_is_quantity(cell)) put_item(out, rg_item_find(cell, ends[e]));
        }
    }
    put(out, "\r\n");
}

void rg_csv_table(rg_text *out, const rg_doc_block *table)
{
    uint64_t intervals = interval_columns(table);
    put_row(out, table, NULL, intervals);
    for (const rg_item *row = table->item->first; row; row = row->next) put_row(out, table, row, intervals);
}

static void put_fields(rg_text *out, const rg_doc_block *fields)
{
    for (size_t c = 0; c < fields->column_count; c++) {
        const rg_item *item = rg_item_find(fields->item, fields->columns[c].path);
        if (!item) continue;
        put_string(out, fields->columns[c].path);
        rg_text_char(out, ',');
        put_item(out, item);
        put(out, "\r\n");
    }
}

static void put_doc(rg_text *out, const rg_doc *doc)
{
    size_t table_count = 0, written = 0;
    for (const rg_doc_block *b = rg_doc_blocks(doc); b; b = b->next) table_count += b->kind == RG_BLOCK_TABLE;
    if (!table_count) put(out, "field,value\r\n");
    for (const rg_doc_block *b = rg_doc_blocks(doc); b; b = b->next) {
        if (!table_count && b->kind == RG_BLOCK_FIELDS) put_fields(out, b);
        if (b->kind != RG_BLOCK_TABLE) continue;
        if (table_count > 1) rg_text_printf(out, "%s# %s\r\n", written ? "\r\n" : "", b->text);
        rg_csv_table(out, b);
        written++;
    }
}

/* Of the document, or of one table. */
static rg_err write_text_of(rg_ctx *cx, const rg_doc *doc, const rg_doc_block *table, FILE *out)
{
    rg_arena arena;
    rg_text text;
    rg_arena_init(&arena, cx);
    rg_text_init(&text, &arena);
    if (table) rg_csv_table(&text, table);
    else put_doc(&text, doc);
    rg_err err = text.failed ? rg_nomem(cx) : RG_OK;
    if (!err) fwrite(text.data, 1, text.size, out);
    rg_arena_done(&arena);
    return err;
}

static rg_err write_csv(rg_ctx *cx, const rg_doc *doc, FILE *out)
{
    return write_text_of(cx, doc, NULL, out);
}

static rg_err write_csv_part(rg_ctx *cx, const rg_doc_block *part, FILE *out)
{
    return write_text_of(cx, NULL, part, out);
}

RG_WRITER(csv) = {.name = "csv", .brief = "the tables, for spreadsheets", .write = write_csv,
                  .part = RG_BLOCK_TABLE, .write_part = write_csv_part};
