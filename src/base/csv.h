/* csv.h - the cells of a CSV file (RFC 4180), one after the other.
 *
 *     file  = [byte order mark] *row
 *     row   = cell *("," cell) (CR LF / LF)
 *     cell  = *(all but , " CR LF)  /  '"' *(all but " / '""') '"'
 *
 * Strict, so that a file cut in the middle, or one of something else, is not taken for a short one: a quote
 * stands only where one may. How many cells a line has to have is the reader's to say.
 */
#ifndef RG_CSV_H
#define RG_CSV_H

#include "base/base.h"

typedef struct rg_csv {
    rg_ctx *cx;
    const char *path;            /* for errors */
    rg_str rest;
    size_t line;                 /* that rest begins in, from 1; the reader counts */
    rg_text cell;                /* of the last quoted one */
} rg_csv;

rg_csv rg_csv_open(rg_ctx *cx, const char *path, rg_str text);
/* One cell and what ends it; *last: the line ends behind it. The cell lives until the next one. */
rg_err rg_csv_cell(rg_csv *csv, rg_str *out, bool *last) RG_CHECKED;

#endif
