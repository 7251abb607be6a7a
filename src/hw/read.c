/* read.c - JSON text into structs, by a table of fields per struct.
 *
 * jansson checks the syntax and rejects duplicate keys; this file checks the meaning. Fields are read in the
 * order of the table, whatever the order of the text, so that a reference finds the list it points into.
 * Depth needs no limit here: the tables end, and what they do not know is an error.
 */
#include "hw/read.h"
#include "hw/hw.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#define REAL_MAX 1e30 /* no figure of a machine comes near it, and products of four stay finite */

typedef struct reader {
    rg_ctx *cx;
    rg_arena *arena;
    void *root;
    bool over;               /* `root` was filled from a base: what the text leaves out stays */
} reader;

/* Where we are: a chain up to the outermost object. */
typedef struct spot { const struct spot *up; const char *key; size_t index; } spot; /* key NULL: an element */

static const rg_field source_fields[] = {
    {"title", RG_FIELD_TEXT, true, offsetof(rg_source, title), .help = "what the source is called"},
    {"url", RG_FIELD_TEXT, false, offsetof(rg_source, url), .help = "where it was found"},
};
const rg_record rg_source_record = RG_RECORD(rg_source, source_fields);

static void print_spot(rg_text *text, const spot *s)
{
    if (!s) return;
    print_spot(text, s->up);
    if (s->key) rg_text_printf(text, "%s%.64s", text->size ? "." : "", s->key);
    else rg_text_printf(text, "[%zu]", s->index);
}

/* Puts the path before a message that rg_fail has just left. */
static rg_err placed(const reader *r, const spot *s, rg_err err)
{
    rg_text path;
    rg_text_init(&path, &r->cx->arena);
    print_spot(&path, s);
    return path.size && !path.failed ? rg_note(r->cx, err, "%s", path.data) : err;
}

static const char *json_words(json_t *json)
{
    static const char *const words[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return words[json_typeof(json)];
}

static rg_err wrong_type(const reader *r, const spot *s, const rg_field *f, json_t *json, const char *wanted)
{
    return placed(r, s, rg_fail(r->cx, RG_FORMAT, "expected %s, got %s (%s)", wanted, json_words(json),
                                f->help));
}

static rg_err read_object(const reader *r, const spot *s, const rg_record *record, json_t *json, void *out);

static rg_err read_text(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    if (!json_is_string(json)) return wrong_type(r, s, f, json, "a text");
    rg_str text = {json_string_value(json), json_string_length(json)};
    if (!text.size) return placed(r, s, rg_fail(r->cx, RG_FORMAT, "is an empty text (%s)", f->help));
    const char *copy = rg_arena_cstr(r->arena, text);
    if (!copy) return rg_nomem(r->cx);
    memcpy(at, &copy, sizeof copy);
    return RG_OK;
}

static rg_err read_real(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    static const struct { double min, max; bool open; const char *words; } ranges[] = {
        [RG_FIELD_REAL]     = {0, REAL_MAX, false, "at least 0"},
        [RG_FIELD_POSITIVE] = {0, REAL_MAX, true,  "above 0"},
        [RG_FIELD_REALS]    = {0, REAL_MAX, true,  "above 0"},
        [RG_FIELD_SHARE]    = {0, 1,        true,  "above 0 and at most 1"},
        [RG_FIELD_NUMBER]   = {-REAL_MAX, REAL_MAX, false, "above -1e30"},
        [RG_FIELD_NUMBERS]  = {-REAL_MAX, REAL_MAX, false, "above -1e30"},
    };
    if (!json_is_number(json)) return wrong_type(r, s, f, json, "a number");
    double value = json_number_value(json);
    if (value < ranges[f->kind].min || value > ranges[f->kind].max || (ranges[f->kind].open && value == 0))
        return placed(r, s, rg_fail(r->cx, RG_FORMAT, "%g is not %s (%s)", value,
                                    value > REAL_MAX ? "below 1e30" : ranges[f->kind].words, f->help));
    memcpy(at, &value, sizeof value);
    return RG_OK;
}

static rg_err read_count(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    if (!json_is_number(json)) return wrong_type(r, s, f, json, "a whole number");
    double value = json_number_value(json);
    if (value < 0 || value > INT32_MAX || value != floor(value))
        return placed(r, s, rg_fail(r->cx, RG_FORMAT, "%g is not a whole number from 0 to %d (%s)", value,
                                    INT32_MAX, f->help));
    int count = (int)value;
    memcpy(at, &count, sizeof count);
    return RG_OK;
}

static rg_err read_pair(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    if (!json_is_array(json) || json_array_size(json) != 2)
        return wrong_type(r, s, f, json, "a list of two numbers");
    for (size_t i = 0; i < 2; i++)
        RG_TRY(read_count(r, &(spot){s, NULL, i}, f, json_array_get(json, i), (char *)at + i * sizeof(int)));
    return RG_OK;
}

static rg_err read_flag(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    if (!json_is_boolean(json)) return wrong_type(r, s, f, json, "true or false");
    bool flag = json_is_true(json);
    memcpy(at, &flag, sizeof flag);
    return RG_OK;
}

static rg_err read_true(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    (void)at;
    return json_is_true(json) ? RG_OK : wrong_type(r, s, f, json, "true");
}

/* The index of a text among names, or the names that would have been right. */
static rg_err find_name(const reader *r, const spot *s, const rg_field *f, json_t *json, int *index)
{
    if (!json_is_string(json)) return wrong_type(r, s, f, json, "a text");
    rg_text known;
    rg_text_init(&known, &r->cx->arena);
    for (*index = 0; f->names[*index]; ++*index) {
        if (strcmp(f->names[*index], json_string_value(json)) == 0) return RG_OK;
        rg_text_printf(&known, "%s%s", *index ? ", " : "", f->names[*index]);
    }
    if (known.failed) return rg_nomem(r->cx);
    return placed(r, s, rg_fail(r->cx, RG_FORMAT, "'%.64s' is not one of: %s (%s)", json_string_value(json),
                                known.data, f->help));
}

static rg_err read_mark(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    int index;
    (void)at;
    return find_name(r, s, f, json, &index);
}

static rg_err read_name(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    int index;
    RG_TRY(find_name(r, s, f, json, &index));
    memcpy(at, &index, sizeof index);
    return RG_OK;
}

/* An array in the outermost struct, as its pointer and count say. */
typedef struct list { const char *data; size_t count; } list;

static list list_at(const void *base, size_t at, size_t count_at)
{
    list l;
    memcpy(&l.data, (const char *)base + at, sizeof l.data);
    memcpy(&l.count, (const char *)base + count_at, sizeof l.count);
    return l;
}

static rg_err read_ref(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    if (!json_is_string(json)) return wrong_type(r, s, f, json, "a text");
    list l = list_at(r->root, f->list_at, f->count_at);
    for (size_t i = 0; i < l.count; i++) {
        const char *id;
        memcpy(&id, l.data + i * f->record->size, sizeof id);
        if (strcmp(id, json_string_value(json)) != 0) continue;
        int index = (int)i;
        memcpy(at, &index, sizeof index);
        return RG_OK;
    }
    return placed(r, s, rg_fail(r->cx, RG_FORMAT, "'%.64s' is not the id of any (%s)",
                                json_string_value(json), f->help));
}

static rg_err read_group(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    if (!json_is_object(json)) return wrong_type(r, s, f, json, "an object");
    return read_object(r, s, f->record, json, (char *)at - f->at);
}

/* Room for `count` elements at the field; *data is NULL when there are none. */
static rg_err make_list(const reader *r, const rg_field *f, void *at, size_t count, size_t size, char **data)
{
    *data = count ? rg_arena_array(r->arena, count, size) : NULL;
    if (count && !*data) return rg_nomem(r->cx);
    memcpy(at, data, sizeof *data);
    memcpy((char *)at - f->at + f->count_at, &count, sizeof count);
    return RG_OK;
}

/* Rows of the base, changed in place where the text names them: the base was read for this profile alone. */
static rg_err change_rows(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    list l = list_at((char *)at - f->at, f->at, f->count_at);
    for (void *i = json_object_iter(json); i; i = json_object_iter_next(json, i)) {
        spot here = {s, json_object_iter_key(i), 0};
        json_t *item = json_object_iter_value(i);
        size_t row = 0;
        for (; row < l.count; row++) {
            const char *name;
            memcpy(&name, l.data + row * f->record->size, sizeof name);
            if (strcmp(name, here.key) == 0) break;
        }
        if (row == l.count)
            return placed(r, s, rg_fail(r->cx, RG_FORMAT, "'%.64s' is none of the %zu rows of the base (%s)",
                                        here.key, l.count, f->help));
        if (!json_is_object(item)) return wrong_type(r, &here, f, item, "an object");
        RG_TRY(read_object(r, &here, f->record, item, (char *)(uintptr_t)l.data + row * f->record->size));
    }
    return RG_OK;
}

static rg_err read_list(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    size_t size = f->kind == RG_FIELD_TEXTS ? sizeof(const char *)
                : rg_field_is_reals(f) ? sizeof(double) : f->record->size;
    char *data;
    if (json_is_object(json) && r->over && f->kind == RG_FIELD_ROWS && f->record->fields[0].at == 0 &&
        f->record->fields[0].kind == RG_FIELD_TEXT)
        return change_rows(r, s, f, json, at);
    if (!json_is_array(json)) return wrong_type(r, s, f, json, "a list");
    reader fresh = *r;
    fresh.over = false; /* new rows have no base */
    r = &fresh;
    RG_TRY(make_list(r, f, at, json_array_size(json), size, &data));
    for (size_t i = 0; i < json_array_size(json); i++) {
        json_t *item = json_array_get(json, i);
        spot here = {s, NULL, i};
        char *element = data + i * size;
        if (f->kind == RG_FIELD_TEXTS) RG_TRY(read_text(r, &here, f, item, element));
        else if (rg_field_is_reals(f)) RG_TRY(read_real(r, &here, f, item, element));
        else if (!json_is_object(item)) return wrong_type(r, &here, f, item, "an object");
        else RG_TRY(read_object(r, &here, f->record, item, element));
    }
    return RG_OK;
}

static rg_err read_keyed(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at)
{
    char *data;
    if (!json_is_object(json)) return wrong_type(r, s, f, json, "an object");
    list before = list_at((char *)at - f->at, f->at, f->count_at);
    size_t old = before.count * f->record->size;
    reader fresh = *r;
    fresh.over = false;
    r = &fresh;
    RG_TRY(make_list(r, f, at, before.count + json_object_size(json), f->record->size, &data));
    if (old) memcpy(data, before.data, old);
    data += old;
    for (void *i = json_object_iter(json); i; i = json_object_iter_next(json, i)) {
        spot here = {s, json_object_iter_key(i), 0};
        json_t *item = json_object_iter_value(i);
        const char *key = rg_arena_cstr(r->arena, rg_str_of(here.key));
        if (!key) return rg_nomem(r->cx);
        if (!json_is_object(item)) return wrong_type(r, &here, f, item, "an object");
        RG_TRY(read_object(r, &here, f->record, item, data));
        memcpy(data, &key, sizeof key);
        data += f->record->size;
    }
    return RG_OK;
}

typedef rg_err (*read_fn)(const reader *r, const spot *s, const rg_field *f, json_t *json, void *at);

static const read_fn readers[RG_FIELD_KIND_COUNT] = {
    [RG_FIELD_TEXT] = read_text,   [RG_FIELD_REAL] = read_real,   [RG_FIELD_POSITIVE] = read_real,
    [RG_FIELD_SHARE] = read_real,  [RG_FIELD_COUNT] = read_count, [RG_FIELD_PAIR] = read_pair,
    [RG_FIELD_FLAG] = read_flag,   [RG_FIELD_TRUE] = read_true,   [RG_FIELD_MARK] = read_mark,
    [RG_FIELD_NAME] = read_name,   [RG_FIELD_REF] = read_ref,     [RG_FIELD_GROUP] = read_group,
    [RG_FIELD_TEXTS] = read_list,  [RG_FIELD_REALS] = read_list,  [RG_FIELD_ROWS] = read_list,
    [RG_FIELD_KEYED] = read_keyed, [RG_FIELD_NUMBER] = read_real, [RG_FIELD_NUMBERS] = read_list,
};

static const char *nearest_key(const rg_record *record, rg_str key)
{
    const char *near = record->fields[0].key;
    for (size_t k = 1; k < record->field_count; k++) {
        const char *name = record->fields[k].key;
        if (rg_str_distance(key, rg_str_of(name)) < rg_str_distance(key, rg_str_of(near))) near = name;
    }
    return near;
}

static rg_err check_keys(const reader *r, const spot *s, const rg_record *record, json_t *json)
{
    for (void *i = json_object_iter(json); i; i = json_object_iter_next(json, i)) {
        rg_str key = rg_str_of(json_object_iter_key(i));
        bool known = false;
        for (size_t k = 0; k < record->field_count && !known; k++)
            known = rg_str_is(key, record->fields[k].key);
        if (!known)
            return placed(r, s, rg_fail(r->cx, RG_FORMAT,
                                        "unknown key '%.64s'; the nearest known one is '%s'",
                                        key.data, nearest_key(record, key)));
    }
    return RG_OK;
}

static rg_err read_object(const reader *r, const spot *s, const rg_record *record, json_t *json, void *out)
{
    RG_TRY(check_keys(r, s, record, json));
    for (size_t i = 0; i < record->field_count; i++) {
        const rg_field *f = &record->fields[i];
        json_t *value = json_object_get(json, f->key);
        spot here = {s, f->key, 0};
        if (value) RG_TRY(readers[f->kind](r, &here, f, value, (char *)out + f->at));
        else if (f->required && !r->over)
            return placed(r, &here, rg_fail(r->cx, RG_FORMAT, "is missing (%s)", f->help));
    }
    return RG_OK;
}

rg_err rg_read_record(rg_ctx *cx, rg_arena *arena, rg_str text, const rg_record *record, rg_read_base base,
                      void *out)
{
    json_error_t error;
    json_t *json = json_loadb(text.data ? text.data : "", text.size, JSON_REJECT_DUPLICATES, &error);
    if (!json && !*error.text) return rg_nomem(cx); /* it has words for every error but that one */
    if (!json) return rg_fail(cx, RG_FORMAT, "line %d, column %d: %s", error.line, error.column, error.text);
    rg_err err = RG_OK;
    const char *like = base ? json_string_value(json_object_get(json, "like")) : NULL;
    reader r = {cx, arena, out, like != NULL};
    if (!json_is_object(json)) err = rg_fail(cx, RG_FORMAT, "expected an object, got %s", json_words(json));
    if (!err && like) err = base(cx, arena, like, out);
    if (!err) err = read_object(&r, NULL, record, json, out);
    json_decref(json);
    return err;
}

bool rg_source_known(const rg_source *sources, size_t count, const char *text)
{
    rg_str word = {text, text ? strcspn(text, " ;,:") : 0};
    for (size_t i = 0; i < count; i++)
        if (rg_str_is(word, sources[i].key)) return true;
    return false;
}
