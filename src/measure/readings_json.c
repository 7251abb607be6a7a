/* readings_json.c - readings out of JSON: {"schema": "ridge.readings/1", "readings": [{...}, ...]}. */
#include "measure/readings.h"

#include <jansson.h>

#define SCHEMA "ridge.readings/1"

static const char *const expected[] = {
    [RG_READING_TEXT] = "a text", [RG_READING_HASH] = "16 hexadecimal digits",
    [RG_READING_REAL] = "a number from 0 on", [RG_READING_FLAG] = "true or false",
};

static rg_err read_member(rg_ctx *cx, const char *key, json_t *value, rg_reading *out)
{
    const rg_reading_column *column = rg_reading_column_find(rg_str_of(key));
    if (!column) return rg_fail(cx, RG_FORMAT, "'%.80s' is no column of readings", key);
    void *at = (char *)out + column->at;
    bool text = column->kind == RG_READING_TEXT || column->kind == RG_READING_HASH;
    if (json_is_null(value)) return RG_OK;
    if (text && json_is_string(value))
        return rg_reading_set(cx, column, rg_str_of(json_string_value(value)), out);
    if (column->kind == RG_READING_FLAG && json_is_boolean(value)) {
        *(bool *)at = json_is_true(value);
        return RG_OK;
    }
    if (column->kind == RG_READING_REAL && json_is_number(value) && json_number_value(value) >= 0) {
        *(double *)at = json_number_value(value);
        return RG_OK;
    }
    return rg_fail(cx, RG_FORMAT, "%s is not %s", key, expected[column->kind]);
}

static rg_err read_element(rg_ctx *cx, json_t *element, rg_readings *out)
{
    rg_reading reading = rg_reading_none();
    const char *key;
    json_t *value;
    if (!json_is_object(element)) return rg_fail(cx, RG_FORMAT, "is no object");
    json_object_foreach(element, key, value) RG_TRY(read_member(cx, key, value, &reading));
    RG_TRY(rg_reading_complete(cx, &reading));
    return rg_readings_add(cx, out, &reading);
}

static rg_err read_root(rg_ctx *cx, json_t *root, const char *path, rg_readings *out)
{
    const char *schema = json_string_value(json_object_get(root, "schema"));
    json_t *list = json_object_get(root, "readings"), *element;
    size_t i;
    if (!schema || strcmp(schema, SCHEMA) != 0)
        return rg_fail(cx, RG_FORMAT, "%s: \"schema\" is %s%.80s%s, not \"" SCHEMA "\"", path,
                       schema ? "\"" : "", schema ? schema : "missing", schema ? "\"" : "");
    if (!json_is_array(list)) return rg_fail(cx, RG_FORMAT, "%s: \"readings\" is no array", path);
    json_array_foreach(list, i, element)
        RG_TRY_NOTE(cx, read_element(cx, element, out), "%s: readings[%zu]", path, i);
    return RG_OK;
}

rg_err rg_readings_json(rg_ctx *cx, rg_str text, const char *path, rg_readings *out)
{
    json_error_t error;
    json_t *root = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (!root) return rg_fail(cx, RG_FORMAT, "%s:%d:%d: %s", path, error.line, error.column, error.text);
    rg_err err = read_root(cx, root, path, out);
    json_decref(root);
    return err;
}
