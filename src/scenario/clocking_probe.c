/* clocking_probe.c - runs at some clocks as somebody measured them: CSV with a header. */
#include "base/csv.h"
#include "scenario/clocking.h"

#include <math.h>

typedef enum role { NONE, CLOCK, TIME, POWER, ENERGY, MODEL, ROLE_COUNT } role;

static const struct { const char *name; role role; double scale; } names[] = {
    {"core_mhz", CLOCK, 1e6},  {"sm_mhz", CLOCK, 1e6},   {"latency_s", TIME, 1}, {"latency_ms", TIME, 1e-3},
    {"power_w", POWER, 1},     {"energy_j", ENERGY, 1},  {"model", MODEL, 1},
};

enum { COLUMN_MAX = 64, PROBE_MAX = 65536, BYTE_MAX = 1 << 24 };
typedef struct table {
    rg_csv in;
    role roles[COLUMN_MAX]; double scales[COLUMN_MAX]; size_t count;
    bool has[ROLE_COUNT];
} table;

static rg_err read_header(table *t)
{
    bool last = false;
    rg_str cell;
    while (!last) {
        RG_TRY(rg_csv_cell(&t->in, &cell, &last));
        if (t->count == COLUMN_MAX)
            return rg_fail(t->in.cx, RG_LIMIT, "%s:1: more than %d columns", t->in.path, COLUMN_MAX);
        t->roles[t->count] = NONE;
        for (size_t i = 0; i < RG_COUNT(names); i++) {
            if (!rg_str_is(cell, names[i].name) || t->has[names[i].role]) continue;
            t->roles[t->count] = names[i].role;
            t->scales[t->count] = names[i].scale;
            t->has[names[i].role] = true;
        }
        t->count++;
    }
    if (!t->has[CLOCK] || !(t->has[TIME] || t->has[POWER]))
        return rg_fail(t->in.cx, RG_FORMAT, "%s:1: it names no %s; probes have core_mhz, and latency_s "
                       "(or latency_ms) or power_w", t->in.path,
                       t->has[CLOCK] ? "latency and no power" : "clock");
    t->in.line++;
    return RG_OK;
}

/* Empty: not measured. */
static rg_err read_number(table *t, size_t column, rg_str cell, double *out)
{
    double x = NAN;
    bool fine = !cell.size || (rg_str_real(cell, &x) && x > 0 && isfinite(x));
    *out = x * t->scales[column];
    if (fine) return RG_OK;
    return rg_fail(t->in.cx, RG_FORMAT, "%s:%zu: '%.*s' is no number above 0", t->in.path, t->in.line,
                   RG_STR(cell));
}

static rg_err read_row(table *t, rg_clock_probe *row)
{
    double x[ROLE_COUNT];
    bool last = false;
    rg_str cell;
    size_t count = 0;
    for (int i = 0; i < ROLE_COUNT; i++) x[i] = NAN;
    row->model = (rg_str){0};
    for (; !last && count < t->count; count++) {
        role r = t->roles[count];
        RG_TRY(rg_csv_cell(&t->in, &cell, &last));
        if (r == MODEL) row->model = rg_arena_str(&t->in.cx->arena, cell);
        if (r == MODEL && cell.size && !row->model.data) return rg_nomem(t->in.cx);
        if (r != MODEL && r != NONE) RG_TRY(read_number(t, count, cell, &x[r]));
    }
    if (count < t->count || !last)
        return rg_fail(t->in.cx, RG_FORMAT, "%s:%zu: %s cells than the %zu columns", t->in.path, t->in.line,
                       last ? "fewer" : "more", t->count);
    if (isnan(x[CLOCK])) return rg_fail(t->in.cx, RG_FORMAT, "%s:%zu: no clock", t->in.path, t->in.line);
    if (isnan(x[POWER])) x[POWER] = x[ENERGY] / x[TIME];
    row->point = (rg_clock_point){x[CLOCK], x[TIME], x[POWER]};
    row->line = t->in.line++;
    return RG_OK;
}

rg_err rg_clock_probes_parse(rg_ctx *cx, const char *path, rg_str text, rg_clock_probe **out, size_t *count)
{
    table t = {.in = rg_csv_open(cx, path, text)};
    uint32_t capacity = 0;
    *out = NULL;
    *count = 0;
    if (!text.size) return rg_fail(cx, RG_FORMAT, "%s: empty", path);
    RG_TRY(read_header(&t));
    while (t.in.rest.size) {
        rg_clock_probe row;
        RG_TRY(read_row(&t, &row));
        if (*count == PROBE_MAX) return rg_fail(cx, RG_LIMIT, "%s: more than %d probes", path, PROBE_MAX);
        if (!RG_GROW(&cx->arena, *out, *count, capacity)) return rg_nomem(cx);
        (*out)[(*count)++] = row;
    }
    return *count ? RG_OK : rg_fail(cx, RG_FORMAT, "%s: has no probes", path);
}

rg_err rg_clock_probes_read(rg_ctx *cx, const char *path, rg_clock_probe **out, size_t *count)
{
    rg_file *file = NULL;
    RG_TRY(rg_file_map(cx, path, &file));
    rg_str text = rg_file_bytes(file);
    rg_err err = text.size > BYTE_MAX
                     ? rg_fail(cx, RG_LIMIT, "%s: %zu bytes are more than %d", path, text.size, BYTE_MAX)
                     : rg_clock_probes_parse(cx, path, text, out, count);
    rg_file_unref(file);
    return err;
}
