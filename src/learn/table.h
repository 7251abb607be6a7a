/* table.h - a file of measurements as columns and rows of text: .csv, or .csv.gz; or readings as JSON. */
#ifndef RG_TABLE_H
#define RG_TABLE_H

#include "base/base.h"
#include "base/limits.h"

typedef struct rg_table {
    rg_arena arena;
    const char *path;
    rg_str *columns; size_t column_count;
    rg_str *cells;               /* row after row */
    size_t row_count;
} rg_table;

/* RG_FORMAT names the line that has more or fewer cells than the first; RG_LIMIT when it unpacks to more than
 * RG_TABLE_BYTE_MAX. */
rg_err rg_table_read(rg_ctx *cx, const char *path, rg_table **out) RG_CHECKED;
void rg_table_free(rg_table *table);
/* SIZE_MAX: there is no such column. */
size_t rg_table_column(const rg_table *table, const char *name);
static inline rg_str rg_table_cell(const rg_table *t, size_t row, size_t column)
{
    return t->cells[row * t->column_count + column];
}

#endif
