/* write_csv.c - RFC 4180: the document's tables, every row, exact numbers, lines that end in CR LF.
 *
 * One table is a plain CSV file. Several are separated by an empty line and each is announced by a line "#
 * NAME"; a document without tables gives its fields, as two columns. The first line of a table holds the
 * paths of its columns, which carry the units ("latency_s"); a quantity takes three columns: NAME, NAME.low,
 * NAME.high. A list within a cell is separated by semicolons. Unknown is empty.
 */
#include "report/write.h"

#include <inttypes.h>
#include <string.h>

static const rg_escapes quoted = {.invalid = "\xef\xbf\xbd", .ascii = {['"'] = "\"\""}};

static void put_string(FILE *out, const char *text)
{
    bool quote = text[strcspn(text, ",\"\r\n")] != 0;
    if (quote) putc('"', out);
    rg_utf8_put(out, rg_str_of(text), &quoted);
    if (quote) putc('"', out);
}

static void put_item(FILE *out, const rg_item *item)
{
    char number[RG_REAL_SIZE];
    if (!item) return;
    switch (item->kind) {
    case RG_ITEM_NULL:   break;
    case RG_ITEM_BOOL:   fputs(item->flag ? "true" : "false", out); break;
    case RG_ITEM_INT:    fprintf(out, "%" PRId64, item->integer); break;
    case RG_ITEM_REAL:   fputs(rg_real_print(number, item->real), out); break;
    case RG_ITEM_STRING: put_string(out, item->string); break;
    case RG_ITEM_OBJECT: put_item(out, rg_item_find(item, "value")); break;
    case RG_ITEM_ARRAY:
        for (const rg_item *element = item->first; element; element = element->next) {
            put_item(out, element);
            if (element->next) putc(';', out);
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
static void put_row(FILE *out, const rg_doc_block *table, const rg_item *row, uint64_t intervals)
{
    static const char *const ends[] = {"low", "high"};
    for (size_t c = 0; c < table->column_count; c++) {
        const char *path = table->columns[c].path;
        const rg_item *cell = row ? rg_item_find(row, path) : NULL;
        if (c) putc(',', out);
        if (row) put_item(out, cell);
        else put_string(out, path);
        for (size_t e = 0; e < RG_COUNT(ends) && intervals >> c & 1; e++) {
            putc(',', out);
            if (!row) fprintf(out, "%s.%s", path, ends[e]);
            else if (rg_cell_is_quantity(cell)) put_item(out, rg_item_find(cell, ends[e]));
        }
    }
    fputs("\r\n", out);
}

static void put_table(FILE *out, const rg_doc_block *table)
{
    uint64_t intervals = interval_columns(table);
    put_row(out, table, NULL, intervals);
    for (const rg_item *row = table->item->first; row; row = row->next) put_row(out, table, row, intervals);
}

static void put_fields(FILE *out, const rg_doc_block *fields)
{
    for (size_t c = 0; c < fields->column_count; c++) {
        const rg_item *item = rg_item_find(fields->item, fields->columns[c].path);
        if (!item) continue;
        put_string(out, fields->columns[c].path);
        putc(',', out);
        put_item(out, item);
        fputs("\r\n", out);
    }
}

static rg_err write_csv(rg_ctx *cx, const rg_doc *doc, FILE *out)
{
    (void)cx;
    size_t table_count = 0, written = 0;
    for (const rg_doc_block *b = rg_doc_blocks(doc); b; b = b->next) table_count += b->kind == RG_BLOCK_TABLE;
    if (!table_count) fputs("field,value\r\n", out);
    for (const rg_doc_block *b = rg_doc_blocks(doc); b; b = b->next) {
        if (!table_count && b->kind == RG_BLOCK_FIELDS) put_fields(out, b);
        if (b->kind != RG_BLOCK_TABLE) continue;
        if (table_count > 1) fprintf(out, "%s# %s\r\n", written ? "\r\n" : "", b->text);
        put_table(out, b);
        written++;
    }
    return RG_OK;
}

RG_WRITER(csv) = {.name = "csv", .brief = "the tables, for spreadsheets", .write = write_csv};
