/* readings_file.c - files of readings: read in either form, written in one step, and several of one thing
 * made one.
 */
#include "base/limits.h"
#include "base/statistics.h"
#include "measure/readings.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

/* ---- reading ---- */

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

rg_err rg_readings_parse(rg_ctx *cx, rg_str text, const char *path, rg_readings *out)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, that spreadsheets put in front */
    if (rg_str_starts(text, mark)) text.data += sizeof mark - 1, text.size -= sizeof mark - 1;
    rg_str rest = text;
    while (rest.size && is_blank(*rest.data)) rest.data++, rest.size--;
    if (!rest.size) return rg_fail(cx, RG_FORMAT, "%s: an empty file is no readings", path);
    return *rest.data == '{' ? rg_readings_json(cx, text, path, out) : rg_readings_csv(cx, text, path, out);
}

rg_err rg_readings_read(rg_ctx *cx, const char *path, rg_readings *out)
{
    rg_file *file;
    RG_TRY(rg_file_map(cx, path, &file));
    rg_str bytes = rg_file_bytes(file);
    rg_err err = bytes.size > RG_READINGS_BYTE_MAX ? rg_fail(cx, RG_LIMIT, "%s: %zu bytes exceed %d", path,
                                                             bytes.size, RG_READINGS_BYTE_MAX)
                                                   : rg_readings_parse(cx, bytes, path, out);
    rg_file_unref(file);
    return err;
}

/* ---- writing ---- */

/* "csv", "json", or NULL. */
static const char *form_of(const char *path)
{
    static const char *const forms[] = {"csv", "json"};
    const char *dot = strrchr(rg_path_base(path), '.');
    for (size_t i = 0; dot && i < RG_COUNT(forms); i++)
        if (strcmp(dot + 1, forms[i]) == 0) return forms[i];
    return NULL;
}

rg_err rg_readings_check(rg_ctx *cx, const char *path)
{
    rg_readings found = {0};
    if (!form_of(path)) return rg_fail(cx, RG_USAGE, "%s: readings go to a .csv or a .json file", path);
    if (access(path, F_OK)) return RG_OK;
    return rg_readings_read(cx, path, &found);
}

static rg_err write_doc(rg_ctx *cx, const rg_readings *readings, const char *form, FILE *file)
{
    rg_doc *doc;
    RG_TRY(rg_doc_new(cx, "ridge.readings/1", &doc));
    rg_column *columns = RG_NEW(&cx->arena, rg_column, rg_reading_column_count);
    rg_item *list = rg_doc_array(doc, rg_doc_root(doc), "readings");
    for (size_t i = 0; columns && i < rg_reading_column_count; i++)
        columns[i] = (rg_column){rg_reading_columns[i].key, rg_reading_columns[i].key, RG_UNIT_NONE, false};
    rg_readings_put(doc, list, readings);
    if (columns) rg_doc_table(doc, "readings", list, columns, rg_reading_column_count, 0);
    rg_err err = columns ? rg_doc_done(cx, doc) : rg_nomem(cx);
    if (!err) err = rg_doc_write(cx, doc, form, file);
    rg_doc_free(doc);
    return err;
}

static rg_err write_all(rg_ctx *cx, const char *path, const rg_readings *readings, bool keep, FILE *file)
{
    rg_readings all = {0};
    if (keep && access(path, F_OK) == 0) RG_TRY(rg_readings_read(cx, path, &all));
    for (size_t i = 0; i < readings->count; i++) RG_TRY(rg_readings_add(cx, &all, &readings->items[i]));
    RG_TRY(write_doc(cx, &all, form_of(path), file));
    if (fflush(file) || ferror(file) || fsync(fileno(file)))
        return rg_fail(cx, RG_FAILED, "%s: %s", path, strerror(errno));
    return RG_OK;
}

/* That the file beside it is new says that nobody else is between reading and writing. */
rg_err rg_readings_write(rg_ctx *cx, const char *path, const rg_readings *readings, bool keep)
{
    const char *beside = rg_arena_printf(&cx->arena, "%s.new", path);
    if (!beside) return rg_nomem(cx);
    if (!form_of(path)) return rg_fail(cx, RG_USAGE, "%s: readings go to a .csv or a .json file", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (fd < 0 && errno == EEXIST)
        return rg_fail(cx, RG_FAILED, "%s is there: another program writes %s, or was stopped while it did",
                       beside, path);
    if (!file) {
        int why = errno;
        if (fd >= 0) close(fd), unlink(beside);
        return rg_fail(cx, RG_FAILED, "%s: %s", beside, strerror(why));
    }
    rg_err err = write_all(cx, path, readings, keep, file);
    if (fclose(file) && !err) err = rg_fail(cx, RG_FAILED, "%s: %s", beside, strerror(errno));
    if (!err && rename(beside, path)) err = rg_fail(cx, RG_FAILED, "%s: %s", path, strerror(errno));
    if (err) unlink(beside);
    return err;
}

/* ---- joining ---- */

static uint64_t key_of(const rg_reading *reading)
{
    uint64_t h = RG_HASH_SEED;
    for (size_t i = 0; i < rg_reading_column_count; i++) {
        const rg_reading_column *c = &rg_reading_columns[i];
        const char *at = (const char *)reading + c->at;
        if (!c->same) continue;
        if (c->kind == RG_READING_TEXT) h = rg_hash_str(h, rg_str_of(*(const char *const *)at));
        else h = rg_hash(h, at, sizeof(uint64_t)); /* a hash or a double */
    }
    return h;
}

/* Which readings are of one thing: next[i] is the one after i, or the count; first, last: by thing. */
typedef struct groups { size_t *first, *last, *next, count; } groups;

static rg_err find_groups(rg_ctx *cx, const rg_readings *in, groups *out)
{
    rg_map seen;
    rg_map_init(&seen, &cx->arena);
    *out = (groups){RG_NEW(&cx->arena, size_t, in->count + 1), RG_NEW(&cx->arena, size_t, in->count + 1),
                    RG_NEW(&cx->arena, size_t, in->count + 1), 0};
    if (!out->first || !out->last || !out->next) return rg_nomem(cx);
    for (size_t i = 0; i < in->count; i++) {
        uint64_t hash = key_of(&in->items[i]);
        rg_str key = rg_arena_str(&cx->arena, (rg_str){(const char *)&hash, sizeof hash});
        if (!key.data) return rg_nomem(cx);
        uint32_t group = rg_map_get(&seen, key); /* 1 + index */
        out->next[i] = in->count;
        if (group) out->next[out->last[group - 1]] = i;
        else {
            out->first[out->count++] = i;
            group = (uint32_t)out->count;
            if (!rg_map_put(&seen, key, group)) return rg_nomem(cx);
        }
        out->last[group - 1] = i;
    }
    return RG_OK;
}

/* Of those that nobody disturbed, if there are any, else of all; x: room for them. */
static rg_reading join_group(const rg_readings *in, const groups *g, size_t group, double *x)
{
    bool disturbed = true;
    for (size_t i = g->first[group]; i < in->count; i = g->next[i])
        disturbed = disturbed && in->items[i].disturbed;
    rg_reading one = in->items[g->first[group]];
    one.disturbed = disturbed;
    one.date = "";
    for (size_t c = 0; c < rg_reading_column_count; c++) {
        const rg_reading_column *column = &rg_reading_columns[c];
        size_t count = 0;
        double sum = 0;
        if (column->kind != RG_READING_REAL || column->same) continue;
        for (size_t i = g->first[group]; i < in->count; i = g->next[i]) {
            double value = *(const double *)((const char *)&in->items[i] + column->at);
            if (in->items[i].disturbed == disturbed && !isnan(value)) x[count++] = value, sum += value;
        }
        rg_sort_ascending(x, count);
        double middle = column->at == offsetof(rg_reading, samples) ? sum : rg_percentile(x, count, 0.5);
        *(double *)((char *)&one + column->at) = count ? middle : NAN;
    }
    for (size_t i = g->first[group]; i < in->count; i = g->next[i]) {
        const rg_reading *r = &in->items[i];
        if (r->disturbed == disturbed && strcmp(r->date, one.date) > 0) one.date = r->date;
    }
    return one;
}

rg_err rg_readings_join(rg_ctx *cx, const rg_readings *in, rg_readings *out)
{
    groups g;
    double *x = RG_NEW(&cx->arena, double, in->count + 1);
    if (!x) return rg_nomem(cx);
    RG_TRY(find_groups(cx, in, &g));
    for (size_t i = 0; i < g.count; i++) {
        rg_reading one = join_group(in, &g, i, x);
        RG_TRY(rg_readings_add(cx, out, &one));
    }
    return RG_OK;
}
