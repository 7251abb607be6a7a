/* readings_column.c - the columns of readings as one table, from which both forms are read and written.
 *
 * Hashes are 16 hexadecimal digits, flags true or false; what nobody knows is empty in CSV and null in JSON.
 */
#include "base/limits.h"
#include "measure/readings.h"

#include <inttypes.h>
#include <math.h>

#define AT(name) offsetof(rg_reading, name)
#define HASH(name, same, help)  {#name, RG_READING_HASH, AT(name), false, same, help}
#define TEXT(name, same, help)  {#name, RG_READING_TEXT, AT(name), false, same, help}
#define REAL(name, same, help)  {#name, RG_READING_REAL, AT(name), false, same, help}
const rg_reading_column rg_reading_columns[] = {
    {"model", RG_READING_TEXT, AT(model), true, true, "path or zoo:NAME, as it was named"},
    HASH(graph_hash, true, "of the graph behind the passes"),
    TEXT(device, true, "id of the profile that stands for this machine"),
    HASH(device_hash, false, "of that profile"),
    TEXT(runtime, false, "id of the profile that stands for the backend"),
    HASH(runtime_hash, false, "of that profile"),
    HASH(data_hash, false, "of all profiles and tables that forecasts read"),
    HASH(plan_hash, true, "of graph, device, runtime, precision, threads and rows"),
    HASH(id, true, "of the row; unknown: the whole model"),
    TEXT(name, false, "of the row"),
    TEXT(kind, false, "of the row"),
    {"backend", RG_READING_TEXT, AT(backend), true, true, "who ran it"},
    TEXT(version, true, "of the backend"),
    REAL(threads, true, "processor cores that it might use"),
    REAL(batch, true, "inputs of one inference"),
    TEXT(precision, true, "as asked for: model or a type"),
    {"median_s", RG_READING_REAL, AT(median_s), true, false, "of one inference, or of the row in it"},
    REAL(p90_s, false, "nine of ten samples are below"),
    REAL(p99_s, false, "99 of 100 samples are below"),
    REAL(samples, false, "that the percentiles are of"),
    REAL(energy_j, false, "of one inference"),
    REAL(energy_plus_minus_j, false, "how far it may be off"),
    TEXT(energy_provenance, false, "measured, sampled or estimated"),
    TEXT(energy_scope, false, "what the energy covers: package, board, ..."),
    REAL(peak_memory_byte, false, "resident, of a process that loads and runs the model"),
    {"disturbed", RG_READING_FLAG, AT(disturbed), false, false, "others used the machine meanwhile"},
    TEXT(date, false, "day of the measurement, UTC"),
    TEXT(host, true, "processor, their number, system, hypervisor"),
};
const size_t rg_reading_column_count = RG_COUNT(rg_reading_columns);

const rg_reading_column *rg_reading_column_find(rg_str key)
{
    for (size_t i = 0; i < RG_COUNT(rg_reading_columns); i++)
        if (rg_str_is(key, rg_reading_columns[i].key)) return &rg_reading_columns[i];
    return NULL;
}

rg_reading rg_reading_none(void)
{
    rg_reading none = {0};
    for (size_t i = 0; i < RG_COUNT(rg_reading_columns); i++) {
        void *at = (char *)&none + rg_reading_columns[i].at;
        if (rg_reading_columns[i].kind == RG_READING_TEXT) *(const char **)at = "";
        if (rg_reading_columns[i].kind == RG_READING_REAL) *(double *)at = NAN;
    }
    return none;
}

rg_err rg_readings_add(rg_ctx *cx, rg_readings *to, const rg_reading *reading)
{
    if (to->count >= RG_READING_MAX)
        return rg_fail(cx, RG_LIMIT, "more than %d readings", RG_READING_MAX);
    if (!RG_GROW(&cx->arena, to->items, to->count, to->capacity)) return rg_nomem(cx);
    to->items[to->count++] = *reading;
    return RG_OK;
}

/* ---- one cell ---- */

static bool hash_of(rg_str text, uint64_t *out)
{
    *out = 0;
    if (text.size != 16) return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return false;
        *out = *out << 4 | (uint64_t)digit;
    }
    return true;
}

static bool is_line(rg_str text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f) return false;
    return text.size <= RG_NAME_MAX;
}

rg_err rg_reading_set(rg_ctx *cx, const rg_reading_column *column, rg_str text, rg_reading *out)
{
    void *at = (char *)out + column->at;
    const char *expected = NULL, *copy;
    double x;
    if (!text.size) return RG_OK;
    switch (column->kind) {
    case RG_READING_TEXT:
        if (!is_line(text)) {
            expected = "a line of text";
            break;
        }
        copy = rg_arena_cstr(&cx->arena, text);
        if (!copy) return rg_nomem(cx);
        *(const char **)at = copy;
        break;
    case RG_READING_HASH:
        if (!hash_of(text, at)) expected = "16 hexadecimal digits";
        break;
    case RG_READING_REAL:
        if (!rg_str_real(text, &x) || !(x >= 0) || isinf(x)) expected = "a number from 0 on";
        else *(double *)at = x;
        break;
    case RG_READING_FLAG:
        *(bool *)at = rg_str_is(text, "true");
        if (!*(bool *)at && !rg_str_is(text, "false")) expected = "true or false";
        break;
    }
    if (!expected) return RG_OK;
    int shown = text.size > 80 ? 80 : (int)text.size;
    return rg_fail(cx, RG_FORMAT, "%s: '%.*s' is not %s", column->key, shown, text.data, expected);
}

static bool is_known(const rg_reading_column *column, const rg_reading *reading)
{
    const void *at = (const char *)reading + column->at;
    switch (column->kind) {
    case RG_READING_TEXT: return **(const char *const *)at;
    case RG_READING_HASH: return *(const uint64_t *)at != 0;
    case RG_READING_REAL: return !isnan(*(const double *)at);
    case RG_READING_FLAG: break;
    }
    return true;
}

rg_err rg_reading_complete(rg_ctx *cx, const rg_reading *reading)
{
    for (size_t i = 0; i < RG_COUNT(rg_reading_columns); i++)
        if (rg_reading_columns[i].required && !is_known(&rg_reading_columns[i], reading))
            return rg_fail(cx, RG_FORMAT, "%s is missing", rg_reading_columns[i].key);
    return RG_OK;
}

static void put_cell(rg_doc *doc, rg_item *item, const rg_reading_column *column, const rg_reading *reading)
{
    const void *at = (const char *)reading + column->at;
    if (!is_known(column, reading)) {
        rg_doc_str(doc, item, column->key, NULL);
        return;
    }
    switch (column->kind) {
    case RG_READING_TEXT: rg_doc_str(doc, item, column->key, *(const char *const *)at); break;
    case RG_READING_HASH: rg_doc_text(doc, item, column->key, "%016" PRIx64, *(const uint64_t *)at); break;
    case RG_READING_REAL: rg_doc_real(doc, item, column->key, *(const double *)at); break;
    case RG_READING_FLAG: rg_doc_flag(doc, item, column->key, *(const bool *)at); break;
    }
}

void rg_readings_put(rg_doc *doc, rg_item *array, const rg_readings *readings)
{
    for (size_t i = 0; i < readings->count; i++) {
        rg_item *item = rg_doc_object(doc, array, NULL);
        for (size_t c = 0; c < RG_COUNT(rg_reading_columns); c++)
            put_cell(doc, item, &rg_reading_columns[c], &readings->items[i]);
    }
}
