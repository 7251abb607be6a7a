/* store.c - structs into JSON text, by the table of fields that reads them.
 *
 * A format is told once: what read.c understands is what this writes, so no key can be in one and not in the
 * other. Optional fields that are zero are left out, which the reader takes as zero.
 */
#include "hw/hw.h"
#include "hw/read.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 12 };       /* of a figure: more than any is known to, and products keep their law */
#define WHOLE_MAX 0x1p53    /* numbers up to here are written without a point, where they have none */

typedef struct writer { const char *root; } writer; /* the outermost struct */

static json_t *object_of(const writer *w, const rg_record *record, const char *in);

static json_t *text_at(const void *at)
{
    const char *text;
    memcpy(&text, at, sizeof text);
    return text ? json_string(text) : NULL;
}

static json_t *number_at(const void *at)
{
    double value;
    memcpy(&value, at, sizeof value);
    if (value == floor(value) && fabs(value) < WHOLE_MAX) return json_integer((json_int_t)value);
    return json_real(value);
}

static int int_at(const void *at)
{
    int value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* The first text of the row that the index stands for. */
static json_t *reference(const writer *w, const rg_field *f, const void *at)
{
    const char *rows;
    memcpy(&rows, w->root + f->list_at, sizeof rows);
    return text_at(rows + (size_t)int_at(at) * f->record->size);
}

static json_t *pair_at(const char *at)
{
    return json_pack("[i,i]", int_at(at), int_at(at + sizeof(int)));
}

static json_t *element_of(const writer *w, const rg_field *f, const char *at)
{
    if (f->kind == RG_FIELD_TEXTS) return text_at(at);
    if (rg_field_is_reals(f)) return number_at(at);
    return object_of(w, f->record, at);
}

/* An array, or of KEYED rows an object: `in` is the struct that pointer and count lie in. */
static json_t *list_of(const writer *w, const rg_field *f, const char *in)
{
    bool keyed = f->kind == RG_FIELD_KEYED;
    size_t count, size = f->kind == RG_FIELD_TEXTS ? sizeof(const char *)
                       : rg_field_is_reals(f) ? sizeof(double) : f->record->size;
    const char *data, *key;
    json_t *list = keyed ? json_object() : json_array();
    memcpy(&data, in + f->at, sizeof data);
    memcpy(&count, in + f->count_at, sizeof count);
    for (size_t i = 0; list && i < count; i++) {
        json_t *element = element_of(w, f, data + i * size);
        if (keyed) memcpy(&key, data + i * size, sizeof key);
        if (keyed ? !json_object_set_new(list, key, element) : !json_array_append_new(list, element))
            continue;
        json_decref(list);
        list = NULL;
    }
    return list;
}

static json_t *value_of(const writer *w, const rg_field *f, const char *in)
{
    switch (f->kind) {
    case RG_FIELD_TEXT: return text_at(in + f->at);
    case RG_FIELD_REAL: case RG_FIELD_POSITIVE: case RG_FIELD_SHARE: case RG_FIELD_NUMBER:
        return number_at(in + f->at);
    case RG_FIELD_COUNT: return json_integer(int_at(in + f->at));
    case RG_FIELD_PAIR: return pair_at(in + f->at);
    case RG_FIELD_FLAG: return json_boolean(in[f->at]);
    case RG_FIELD_TRUE: return json_true();
    case RG_FIELD_MARK: return json_string(f->names[0]);
    case RG_FIELD_NAME: return json_string(f->names[int_at(in + f->at)]);
    case RG_FIELD_REF: return reference(w, f, in + f->at);
    case RG_FIELD_GROUP: return object_of(w, f->record, in);
    case RG_FIELD_TEXTS:
    case RG_FIELD_REALS:
    case RG_FIELD_NUMBERS:
    case RG_FIELD_ROWS:
    case RG_FIELD_KEYED:
        return list_of(w, f, in);
    case RG_FIELD_KIND_COUNT: break;
    }
    return NULL;
}

/* Whether the struct has nothing there that the reader would not take for granted. */
static bool is_absent(const rg_field *f, const char *in)
{
    static const char zero[2 * sizeof(int)];
    size_t count;
    const char *text;
    switch (f->kind) {
    case RG_FIELD_TEXT:
        memcpy(&text, in + f->at, sizeof text);
        return !text;
    case RG_FIELD_TEXTS: case RG_FIELD_REALS: case RG_FIELD_NUMBERS: case RG_FIELD_ROWS: case RG_FIELD_KEYED:
        memcpy(&count, in + f->count_at, sizeof count);
        return !count;
    case RG_FIELD_GROUP:
        for (size_t i = 0; i < f->record->field_count; i++)
            if (!is_absent(&f->record->fields[i], in)) return false;
        return true;
    case RG_FIELD_FLAG: return !in[f->at];
    case RG_FIELD_COUNT: return !int_at(in + f->at);
    case RG_FIELD_PAIR: return memcmp(in + f->at, zero, sizeof zero) == 0;
    case RG_FIELD_REAL: case RG_FIELD_POSITIVE: case RG_FIELD_SHARE: case RG_FIELD_NUMBER:
        return memcmp(in + f->at, zero, sizeof(double)) == 0;
    default: return false;
    }
}

static json_t *object_of(const writer *w, const rg_record *record, const char *in)
{
    json_t *object = json_object();
    for (size_t i = 0; object && i < record->field_count; i++) {
        const rg_field *f = &record->fields[i];
        if (!f->required && is_absent(f, in)) continue;
        if (!json_object_set_new(object, f->key, value_of(w, f, in))) continue;
        json_decref(object);
        object = NULL;
    }
    return object;
}

rg_err rg_write_record(rg_ctx *cx, const rg_record *record, const void *in, rg_str *json)
{
    writer w = {in};
    json_t *object = object_of(&w, record, in);
    char *text = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS)) : NULL;
    *json = text ? rg_arena_str(&cx->arena, rg_str_of(text)) : (rg_str){NULL, 0};
    free(text);
    json_decref(object);
    return json->data ? RG_OK : rg_nomem(cx);
}
