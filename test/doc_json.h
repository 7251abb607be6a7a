/* doc_json.h - a document as programs get it: its JSON, and that this obeys its schema. */
#ifndef DOC_JSON_H
#define DOC_JSON_H

#include "json_schema.h"
#include "report/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* To be freed with json_decref. */
static inline json_t *doc_json(rg_ctx *cx, const rg_doc *doc)
{
    char *text = NULL;
    size_t size = 0;
    json_error_t error;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    if (rg_doc_write(cx, doc, "json", out)) fail_msg("%s", rg_ctx_error(cx));
    assert_int_equal(fclose(out), 0);
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!json) fail_msg("line %d: %s", error.line, error.text);
    free(text);
    return json;
}

/* The schema of data/schema/ by its name. */
static inline void json_obeys(json_t *json, const char *name)
{
    char where[512] = "";
    json_t *schema = schema_load(name, where, sizeof where);
    if (!schema || !schema_obeyed(schema, json, where, sizeof where)) fail_msg("%s: %s", name, where);
    json_decref(schema);
}

static inline void doc_obeys(rg_ctx *cx, const rg_doc *doc, const char *name)
{
    json_t *json = doc_json(cx, doc);
    json_obeys(json, name);
    json_decref(json);
}

#endif
