/* change.c - what if a figure of a profile were another: "levels.hbm.read_byte_per_s=2x".
 *
 * The path goes down the same tables of fields that read the profile, so that every number of the format can
 * be changed and none is named here twice. What has to stay in step does: peaks and private memories follow
 * the units and clocks of their engine, a rate and its operations a clock follow each other, what is usable
 * follows the capacity. The result is a profile of its own, with its own hash.
 */
#include "hw/hw.h"
#include "hw/profile.h"
#include "hw/read.h"

#include <math.h>
#include <string.h>

/* Where a path leads: one double of each row that it names. */
typedef struct target {
    const void *root;
    size_t root_size;        /* a profile's table goes on behind it: fields that are spent when it is read */
    const rg_field *field;
    double *at[RG_CHANGE_ROWS];
    size_t count;
} target;

static bool is_number(const rg_field *f)
{
    return f->kind == RG_FIELD_REAL || f->kind == RG_FIELD_POSITIVE || f->kind == RG_FIELD_SHARE;
}

static const rg_field *field_named(const rg_record *record, rg_str key)
{
    for (size_t i = 0; i < record->field_count; i++)
        if (rg_str_is(key, record->fields[i].key)) return &record->fields[i];
    return NULL;
}

static rg_err fail_key(rg_ctx *cx, const rg_record *record, rg_str key, const char *path)
{
    rg_text names;
    rg_text_init(&names, &cx->arena);
    for (size_t i = 0; i < record->field_count; i++) {
        const rg_field *f = &record->fields[i];
        bool list = f->kind == RG_FIELD_ROWS || f->kind == RG_FIELD_GROUP;
        if (is_number(f) || list) rg_text_printf(&names, "%s%s", names.size ? ", " : "", f->key);
    }
    if (names.failed) return rg_nomem(cx);
    return rg_fail(cx, RG_USAGE, "%s: '%.*s' is no number that can be changed; there are: %s", path,
                   RG_STR(key), names.size ? names.data : "none");
}

/* A row is called by its first text, or where it begins with something else by its type: peaks.f16. */
static bool row_is(const rg_field *list, const char *row, rg_str name)
{
    const rg_record *record = list->record;
    for (size_t i = 0; i < record->field_count; i++) {
        const rg_field *f = &record->fields[i];
        if (f->kind == RG_FIELD_TEXT && i == 0) {
            const char *text;
            memcpy(&text, row + f->at, sizeof text);
            return rg_str_is(name, text);
        }
        if (f->kind == RG_FIELD_NAME && strcmp(f->key, "dtype") == 0) {
            int index;
            memcpy(&index, row + f->at, sizeof index);
            return rg_str_is(name, f->names[index]);
        }
    }
    return false;
}

static rg_err fail_row(rg_ctx *cx, const rg_field *list, const char *data, size_t count, rg_str name,
                       const char *path)
{
    rg_text names;
    const rg_field *first = &list->record->fields[0];
    rg_text_init(&names, &cx->arena);
    for (size_t i = 0; i < count && first->kind == RG_FIELD_TEXT; i++) {
        const char *text;
        memcpy(&text, data + i * list->record->size + first->at, sizeof text);
        rg_text_printf(&names, "%s%s", i ? ", " : "", text);
    }
    if (names.failed) return rg_nomem(cx);
    return rg_fail(cx, RG_USAGE, "%s: no row '%.*s' in %s; there are: %s", path, RG_STR(name), list->key,
                   names.size ? names.data : "types of peaks, such as f16");
}

static rg_err find(rg_ctx *cx, const rg_record *record, void *in, rg_str rest, const char *path, target *out)
{
    rg_str key, name;
    if (!rg_str_cut(&rest, '.', &key)) return fail_key(cx, record, rest, path);
    const rg_field *f = field_named(record, key);
    if (!f || (in == out->root && f->kind != RG_FIELD_GROUP && f->at >= out->root_size))
        return fail_key(cx, record, key, path);
    if (f->kind == RG_FIELD_GROUP) return find(cx, f->record, in, rest, path, out);
    if (is_number(f) && !rest.size && out->count < RG_CHANGE_ROWS) {
        out->field = f;
        out->at[out->count++] = (double *)(void *)((char *)in + f->at);
        return RG_OK;
    }
    if (f->kind != RG_FIELD_ROWS || !rg_str_cut(&rest, '.', &name)) return fail_key(cx, record, key, path);
    char *data;
    size_t count, before = out->count;
    memcpy(&data, (char *)in + f->at, sizeof data);
    memcpy(&count, (char *)in + f->count_at, sizeof count);
    for (size_t i = 0; i < count; i++) {
        char *row = data + i * f->record->size;
        if (row_is(f, row, name)) RG_TRY(find(cx, f->record, row, rest, path, out));
    }
    return out->count > before ? RG_OK : fail_row(cx, f, data, count, name, path);
}

/* "2x", "+10%", "-20%", or the number itself. */
static bool read_value(rg_str text, double old, double *out)
{
    double x;
    if (!text.size) return false;
    bool sign = *text.data == '+' || *text.data == '-';
    char last = text.data[text.size - 1];
    if (last == 'x' || last == '%') text.size--;
    if (!rg_str_real(text, &x) || (last == '%') != sign) return false;
    *out = last == 'x' ? old * x : last == '%' ? old * (1 + x / 100) : x;
    return true;
}

static rg_err set_target(rg_ctx *cx, const target *t, rg_str value, const char *path)
{
    for (size_t i = 0; i < t->count; i++) {
        double x, max = t->field->kind == RG_FIELD_SHARE ? 1 : 1e30;
        if (!read_value(value, *t->at[i], &x))
            return rg_fail(cx, RG_USAGE,
                           "%s: '%.*s' is no value: 2x, +10%%, -20%% or a number in the unit of the key",
                           path, RG_STR(value));
        if (x < 0 || x > max || (x == 0 && t->field->kind != RG_FIELD_REAL))
            return rg_fail(cx, RG_USAGE, "%s: %g is out of range (%s)", path, x, t->field->help);
        *t->at[i] = x;
    }
    return RG_OK;
}

static rg_err change(rg_ctx *cx, const rg_record *record, void *in, size_t size, const char *assignment)
{
    rg_str value = rg_str_of(assignment), path;
    target t = {.root = in, .root_size = size};
    if (!strchr(assignment, '=') || !rg_str_cut(&value, '=', &path))
        return rg_fail(cx, RG_USAGE, "'%s' is no change: PATH=VALUE, such as levels.hbm.read_byte_per_s=2x",
                       assignment);
    const char *words = rg_arena_cstr(&cx->arena, path);
    if (!words) return rg_nomem(cx);
    RG_TRY(find(cx, record, in, path, words, &t));
    return set_target(cx, &t, value, words);
}

/* ---- what follows ---- */

static void follow(const rg_device *before, rg_device *d)
{
    for (size_t i = 0; i < d->engine_count; i++) {
        const rg_engine *old = &before->engines[i];
        double units = d->engines[i].count / old->count;
        double clock = d->engines[i].clock_max_hz / old->clock_max_hz;
        d->engines[i].count = old->count;
        d->engines[i].clock_max_hz = old->clock_max_hz;
        if (units != 1 || clock != 1) rg_engine_scale(d, i, units, clock);
    }
    for (size_t i = 0; i < d->peak_count; i++) {
        const rg_peak *old = &before->peaks[i];
        rg_peak *p = &d->peaks[i];
        double scaled = old->op_per_s * (p->at_clock_hz / old->at_clock_hz) *
                        (d->engines[p->engine].count / before->engines[p->engine].count);
        if (p->op_per_clock != old->op_per_clock)
            p->op_per_s = scaled * (p->op_per_clock / old->op_per_clock);
        else p->op_per_clock *= p->op_per_s / scaled;
    }
    for (size_t i = 0; i < d->level_count; i++) {
        const rg_level *old = &before->levels[i];
        rg_level *l = &d->levels[i];
        if (l->capacity_byte != old->capacity_byte) l->usable_byte *= l->capacity_byte / old->capacity_byte;
        if (l->usable_byte > l->capacity_byte) l->capacity_byte = l->usable_byte;
    }
}

rg_err rg_device_change(rg_ctx *cx, const rg_device *device, const char *const *changes, size_t count,
                        const rg_device **out)
{
    rg_device *d = NULL;
    *out = NULL;
    RG_TRY(rg_device_clone(cx, device, &d));
    rg_err err = RG_OK;
    for (size_t i = 0; i < count && !err; i++) {
        err = change(cx, &rg_device_record, d, sizeof *d, changes[i]);
        d->hash = rg_hash_str(d->hash, rg_str_of(changes[i]));
    }
    if (!err) {
        follow(device, d);
        if (d->cap_w < d->idle_w)
            err = rg_fail(cx, RG_USAGE, "power.cap_w: %g is below idle_w %g", d->cap_w, d->idle_w);
    }
    if (err) rg_device_free(d);
    else *out = d;
    return err;
}

rg_err rg_runtime_change(rg_ctx *cx, const rg_runtime *runtime, const char *const *changes, size_t count,
                         const rg_runtime **out)
{
    rg_runtime *r = NULL;
    *out = NULL;
    RG_TRY(rg_runtime_clone(cx, runtime, &r));
    rg_err err = RG_OK;
    for (size_t i = 0; i < count && !err; i++) {
        err = change(cx, &rg_runtime_record, r, sizeof *r, changes[i]);
        r->hash = rg_hash_str(r->hash, rg_str_of(changes[i]));
    }
    if (err) rg_runtime_free(r);
    else *out = r;
    return err;
}
