/* json_schema.h - whether a document's JSON obeys a schema of data/schema/: the part of JSON Schema that ours
 * use. Stricter in one thing: every key of an object that lists its properties has to be among them.
 */
#ifndef JSON_SCHEMA_H
#define JSON_SCHEMA_H

#include "base/base.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif

/* Where in the document one is, and where it says what breaks the schema. */
typedef struct schema_place { json_t *root; char *where; size_t size; } schema_place;

static inline bool schema_holds(const schema_place *at, json_t *schema, json_t *x, const char *path);

static inline bool schema_is_type(json_t *x, const char *type)
{
    if (strcmp(type, "object") == 0) return json_is_object(x);
    if (strcmp(type, "array") == 0) return json_is_array(x);
    if (strcmp(type, "string") == 0) return json_is_string(x);
    if (strcmp(type, "boolean") == 0) return json_is_boolean(x);
    if (strcmp(type, "null") == 0) return json_is_null(x);
    bool whole = json_is_number(x) && floor(json_number_value(x)) == json_number_value(x);
    return strcmp(type, "integer") == 0 ? whole : json_is_number(x);
}

static inline bool schema_lists(json_t *list, json_t *x, bool types)
{
    if (json_is_string(list)) return schema_is_type(x, json_string_value(list));
    json_t *option;
    size_t i;
    json_array_foreach(list, i, option)
        if (types ? schema_is_type(x, json_string_value(option)) : json_equal(option, x)) return true;
    return false;
}

static inline bool schema_members_hold(const schema_place *at, json_t *schema, json_t *x, const char *path)
{
    json_t *member, *name, *properties = json_object_get(schema, "properties");
    json_t *others = json_object_get(schema, "additionalProperties");
    const char *key;
    size_t i;
    json_array_foreach(json_object_get(schema, "required"), i, name) {
        if (json_object_get(x, json_string_value(name))) continue;
        snprintf(at->where, at->size, "%s has no %s", path, json_string_value(name));
        return false;
    }
    json_object_foreach(x, key, member) {
        char below[256];
        snprintf(below, sizeof below, "%s.%s", path, key);
        json_t *sub = json_object_get(properties, key);
        if (!sub && properties && !others) {
            snprintf(at->where, at->size, "%s is not described", below);
            return false;
        }
        if (!sub && json_is_object(others)) sub = others;
        if (sub && !schema_holds(at, sub, member, below)) return false;
    }
    return true;
}

static inline bool schema_holds(const schema_place *at, json_t *schema, json_t *x, const char *path)
{
    json_t *sub, *type = json_object_get(schema, "type"), *choices = json_object_get(schema, "enum");
    const char *ref = json_string_value(json_object_get(schema, "$ref"));
    size_t i;
    if (ref) {
        json_t *definitions = json_object_get(at->root, "definitions");
        return schema_holds(at, json_object_get(definitions, strrchr(ref, '/') + 1), x, path);
    }
    json_array_foreach(json_object_get(schema, "allOf"), i, sub)
        if (!schema_holds(at, sub, x, path)) return false;
    json_t *any = json_object_get(schema, "anyOf"), *constant = json_object_get(schema, "const");
    bool fits = !any;
    json_array_foreach(any, i, sub) fits |= schema_holds(at, sub, x, path);
    if (!fits) return false;
    json_t *least = json_object_get(schema, "minimum");
    bool right = (!type || schema_lists(type, x, true)) && (!choices || schema_lists(choices, x, false)) &&
                 (!constant || json_equal(constant, x)) &&
                 (!least || !json_is_number(x) || json_number_value(x) >= json_number_value(least));
    if (!right) {
        snprintf(at->where, at->size, "%s has the wrong type or value", path);
        return false;
    }
    if (json_is_object(x)) return schema_members_hold(at, schema, x, path);
    json_t *items = json_object_get(schema, "items"), *element;
    json_array_foreach(x, i, element) {
        char below[256];
        snprintf(below, sizeof below, "%s[%zu]", path, i);
        if (items && !schema_holds(at, items, element, below)) return false;
    }
    return true;
}

/* True, or `where` says what breaks the schema. */
static inline bool schema_obeyed(json_t *schema, json_t *json, char *where, size_t size)
{
    schema_place at = {schema, where, size};
    return schema_holds(&at, schema, json, "");
}

/* By the name of its document: "predict". NULL, with the reason in `where`. */
static inline json_t *schema_load(const char *name, char *where, size_t size)
{
    json_error_t error;
    char path[512];
    snprintf(path, sizeof path, "%s/data/schema/%s.schema.json", RG_SOURCE_ROOT, name);
    json_t *schema = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!schema) snprintf(where, size, "%s", error.text); /* it names the path */
    return schema;
}

#endif
