/* readings.h - "ridge.readings/1": what was measured, one record for each model or row of a plan, and what it
 * was measured on. Stored as CSV or JSON; doc/readings.md tells every column.
 *
 *     forecast --plan_hash, id--> readings          the join of evaluation and training
 */
#ifndef RG_READINGS_H
#define RG_READINGS_H

#include "report/doc.h"

/* Texts are never NULL; hashes are 0, texts empty and figures NAN where nobody knows. */
typedef struct rg_reading {
    const char *model;
    uint64_t graph_hash;
    const char *device;
    uint64_t device_hash;
    const char *runtime;
    uint64_t runtime_hash, data_hash, plan_hash;
    uint64_t id;                     /* of the row; 0: the whole model */
    const char *name, *kind;         /* of the row; empty: the whole model */
    const char *backend, *version;
    double threads, batch;
    const char *precision;
    double median_s, p90_s, p99_s, samples;
    double energy_j, energy_plus_minus_j;
    const char *energy_provenance, *energy_scope;
    double peak_memory_byte;
    bool disturbed;
    const char *date, *host;
} rg_reading;

typedef struct rg_readings { rg_reading *items; size_t count; uint32_t capacity; } rg_readings;

/* With every text empty and every figure unknown. */
rg_reading rg_reading_none(void);
/* Its texts are borrowed. */
rg_err rg_readings_add(rg_ctx *cx, rg_readings *to, const rg_reading *reading) RG_CHECKED;

/* CSV or JSON, by what the file begins with, added to *out; in cx's arena. RG_FORMAT names line or element,
 * and column. */
rg_err rg_readings_read(rg_ctx *cx, const char *path, rg_readings *out) RG_CHECKED;
rg_err rg_readings_parse(rg_ctx *cx, rg_str text, const char *path, rg_readings *out) RG_CHECKED;
/* Whether the path ends in .csv or .json, and is not there or has readings in it. */
rg_err rg_readings_check(rg_ctx *cx, const char *path) RG_CHECKED;
/* The file anew, by its ending, in one step: readers see the old one or the new one. keep: with what was in
 * it before. RG_FAILED: somebody else is writing it. */
rg_err rg_readings_write(rg_ctx *cx, const char *path, const rg_readings *readings, bool keep) RG_CHECKED;

/* Those of one thing on one machine become one: medians of figures, sums of samples, the last date. In the
 * order of the first of each. */
rg_err rg_readings_join(rg_ctx *cx, const rg_readings *in, rg_readings *out) RG_CHECKED;

/* ---- the columns, one table for all forms: readings_column.c ---- */

typedef enum rg_reading_kind {
    RG_READING_TEXT, RG_READING_HASH, RG_READING_REAL, RG_READING_FLAG
} rg_reading_kind;
typedef struct rg_reading_column {
    const char *key;
    rg_reading_kind kind;
    size_t at;                       /* in rg_reading */
    bool required;
    bool same;                       /* readings that agree in all of these are of one thing */
    const char *help;
} rg_reading_column;
extern const rg_reading_column rg_reading_columns[];
extern const size_t rg_reading_column_count;
/* NULL: there is none. */
const rg_reading_column *rg_reading_column_find(rg_str key);
/* From text as CSV has it, empty: unknown; copied into cx's arena. RG_FORMAT names column and text. */
rg_err rg_reading_set(rg_ctx *cx, const rg_reading_column *column, rg_str text,
                      rg_reading *out) RG_CHECKED;
/* RG_FORMAT names a required column that has nothing. */
rg_err rg_reading_complete(rg_ctx *cx, const rg_reading *reading) RG_CHECKED;
/* Adds them to an array, every column. */
void rg_readings_put(rg_doc *doc, rg_item *array, const rg_readings *readings);

/* ---- forms: readings_csv.c, readings_json.c ---- */

rg_err rg_readings_csv(rg_ctx *cx, rg_str text, const char *path, rg_readings *out) RG_CHECKED;
rg_err rg_readings_json(rg_ctx *cx, rg_str text, const char *path, rg_readings *out) RG_CHECKED;

#endif
