/* write_md.c - GitHub-flavored Markdown: headings, lists and pipe tables.
 *
 * Names are data: whatever Markdown would read as markup is escaped, also within a table's cells, where a
 * bare pipe would begin a new column.
 */
#include "report/write.h"

static const rg_escapes escapes = {
    .invalid = "\xef\xbf\xbd", .control = "\xef\xbf\xbd",
    .ascii = {
        ['\t'] = " ", ['\n'] = " ", ['\r'] = " ", ['|'] = "\\|", ['\\'] = "\\\\", ['*'] = "\\*",
        ['`'] = "\\`", ['<'] = "&lt;", ['&'] = "&amp;", ['['] = "\\[",
    },
};

static void put(FILE *out, const char *text) { rg_utf8_put(out, rg_str_of(text), &escapes); }

static void put_section(FILE *out, const rg_doc_block *b)
{
    fprintf(out, "%.*s ", b->level, "######");
    put(out, b->text);
    putc('\n', out);
}

static void put_say(FILE *out, const rg_doc_block *b)
{
    put(out, b->text);
    putc('\n', out);
}

static void put_point(FILE *out, const rg_doc_block *b)
{
    fputs("- ", out);
    put_say(out, b);
}

static void put_fields(FILE *out, const rg_doc_block *b)
{
    char buffer[256];
    for (size_t c = 0; c < b->column_count; c++) {
        if (!rg_item_find(b->item, b->columns[c].path)) continue;
        fputs("- **", out);
        put(out, b->columns[c].heading);
        fputs(":** ", out);
        put(out, rg_doc_cell(buffer, sizeof buffer, b->item, &b->columns[c]));
        putc('\n', out);
    }
}

static void put_rows(FILE *out, const rg_item *array, const rg_column *columns, size_t count,
                     size_t row_count)
{
    char buffer[256];
    for (size_t c = 0; c < count; c++) {
        fputs(c ? " | " : "| ", out);
        put(out, columns[c].heading);
    }
    fputs(" |\n", out);
    for (size_t c = 0; c < count; c++)
        fprintf(out, "%s%s", c ? " | " : "| ", rg_cells_are_numbers(array, columns[c].path) ? "---:" : "---");
    fputs(" |\n", out);
    for (const rg_item *row = array->first; row && row_count; row = row->next, row_count--) {
        for (size_t c = 0; c < count; c++) {
            fputs(c ? " | " : "| ", out);
            put(out, rg_doc_cell(buffer, sizeof buffer, row, &columns[c]));
        }
        fputs(" |\n", out);
    }
}

static void put_table(FILE *out, const rg_doc_block *b)
{
    size_t row_count = b->limit && b->limit < b->item->count ? b->limit : b->item->count;
    put_rows(out, b->item, b->columns, b->column_count, row_count);
    if (row_count < b->item->count) fprintf(out, "\n... and %zu more\n", b->item->count - row_count);
}

static void put_bars(FILE *out, const rg_doc_block *b)
{
    rg_column columns[] = {
        {.path = b->label, .heading = ""}, {.path = b->value, .heading = "", .unit = b->unit},
    };
    put_rows(out, b->item, columns, RG_COUNT(columns), b->item->count);
}

static void (*const put_block[])(FILE *out, const rg_doc_block *b) = {
    [RG_BLOCK_SECTION] = put_section, [RG_BLOCK_SAY] = put_say,     [RG_BLOCK_POINT] = put_point,
    [RG_BLOCK_FIELDS] = put_fields,   [RG_BLOCK_TABLE] = put_table, [RG_BLOCK_BARS] = put_bars,
};

static rg_err write_md(rg_ctx *cx, const rg_doc *doc, FILE *out)
{
    char spark[RG_SPARK_SIZE];
    (void)cx;
    for (const rg_doc_block *b = rg_doc_blocks(doc), *before = NULL; b; before = b, b = b->next) {
        if (b->kind == RG_BLOCK_CHART && !rg_spark_print(spark, b->chart)) continue; /* a picture */
        bool together = before && before->kind == RG_BLOCK_POINT && b->kind == RG_BLOCK_POINT;
        if (before && !together) putc('\n', out);
        if (b->kind == RG_BLOCK_CHART) fprintf(out, "%s\n", spark);
        else put_block[b->kind](out, b);
    }
    return RG_OK;
}

RG_WRITER(md) = {.name = "md", .brief = "Markdown, for issues and pages", .write = write_md};
