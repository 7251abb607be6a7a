/* doc.c - building and searching a document: the tree of data, and the list of blocks that lays it out.
 *
 * Builders do not report errors one by one: past the arena's limit they answer NULL, accept NULL as a
 * parent, and the arena's own mark is looked at once, by rg_doc_done and again by rg_doc_write.
 */
#include "report/write.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rg_doc {
    rg_arena arena;
    rg_item *root;
    rg_doc_block *first, *last;
    const char *subject;         /* the last heading of level 1 */
};

rg_err rg_doc_new(rg_ctx *cx, const char *schema, rg_doc **out)
{
    rg_arena arena;
    rg_arena_init(&arena, cx);
    rg_doc *doc = RG_NEW(&arena, rg_doc, 1);
    rg_item *root = doc ? RG_NEW(&arena, rg_item, 1) : NULL;
    if (!root) {
        rg_arena_done(&arena);
        return rg_nomem(cx);
    }
    root->kind = RG_ITEM_OBJECT;
    *doc = (rg_doc){.arena = arena, .root = root};
    rg_doc_str(doc, root, "schema", schema);
    *out = doc;
    return RG_OK;
}

void rg_doc_free(rg_doc *doc)
{
    if (!doc) return;
    rg_arena arena = doc->arena; /* the document lies in its own arena */
    rg_arena_done(&arena);
}

/* What was printed into scratch on the way (types, names) counts too: a document with holes is none. */
rg_err rg_doc_done(rg_ctx *cx, rg_doc *doc)
{
    return doc->arena.failed || cx->arena.failed ? rg_nomem(cx) : RG_OK;
}

rg_item *rg_doc_root(rg_doc *doc) { return doc->root; }
const rg_item *rg_doc_tree(const rg_doc *doc) { return doc->root; }
const rg_doc_block *rg_doc_blocks(const rg_doc *doc) { return doc->first; }

/* ---- the tree ---- */

static rg_item *add(rg_doc *doc, rg_item *parent, const char *key, rg_item_kind kind)
{
    assert(parent || doc->arena.failed);
    rg_item *item = parent ? RG_NEW(&doc->arena, rg_item, 1) : NULL;
    if (!item) return NULL;
    assert(parent->kind == (key ? RG_ITEM_OBJECT : RG_ITEM_ARRAY));
    item->kind = kind;
    item->key = key;
    if (parent->last) parent->last->next = item;
    else parent->first = item;
    parent->last = item;
    parent->count++;
    return item;
}

static const char *vprint(rg_arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = rg_str_vprint(NULL, 0, format, args);
    char *text = size < 0 ? NULL : rg_arena_alloc(arena, (size_t)size + 1);
    if (text) rg_str_vprint(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}

/* A string item whose copy did not succeed is null: no reader of the tree has to look for NULL strings. */
static rg_item *add_string(rg_doc *doc, rg_item *parent, const char *key, const char *copy)
{
    rg_item *item = add(doc, parent, key, copy ? RG_ITEM_STRING : RG_ITEM_NULL);
    if (item && copy) item->string = copy;
    return item;
}

rg_item *rg_doc_object(rg_doc *doc, rg_item *parent, const char *key)
{
    return add(doc, parent, key, RG_ITEM_OBJECT);
}

rg_item *rg_doc_array(rg_doc *doc, rg_item *parent, const char *key)
{
    return add(doc, parent, key, RG_ITEM_ARRAY);
}

rg_item *rg_doc_real(rg_doc *doc, rg_item *parent, const char *key, double x)
{
    rg_item *item = add(doc, parent, key, isfinite(x) ? RG_ITEM_REAL : RG_ITEM_NULL);
    if (item && isfinite(x)) item->real = x + 0.0; /* -0 becomes 0: nobody means the sign */
    return item;
}

rg_item *rg_doc_int(rg_doc *doc, rg_item *parent, const char *key, int64_t x)
{
    rg_item *item = add(doc, parent, key, RG_ITEM_INT);
    if (item) item->integer = x;
    return item;
}

rg_item *rg_doc_flag(rg_doc *doc, rg_item *parent, const char *key, bool x)
{
    rg_item *item = add(doc, parent, key, RG_ITEM_BOOL);
    if (item) item->flag = x;
    return item;
}

rg_item *rg_doc_str(rg_doc *doc, rg_item *parent, const char *key, const char *x)
{
    return add_string(doc, parent, key, x ? rg_arena_cstr(&doc->arena, rg_str_of(x)) : NULL);
}

rg_item *rg_doc_view(rg_doc *doc, rg_item *parent, const char *key, rg_str x)
{
    return add_string(doc, parent, key, rg_arena_cstr(&doc->arena, x));
}

rg_item *rg_doc_text(rg_doc *doc, rg_item *parent, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = vprint(&doc->arena, format, args);
    va_end(args);
    return add_string(doc, parent, key, text);
}

rg_item *rg_doc_quantity(rg_doc *doc, rg_item *parent, const char *key, rg_estimate x)
{
    rg_item *quantity = rg_doc_object(doc, parent, key);
    rg_doc_real(doc, quantity, "value", x.value);
    rg_doc_real(doc, quantity, "low", x.low);
    rg_doc_real(doc, quantity, "high", x.high);
    return quantity;
}

/* The rest of the path behind a key, or NULL. Keys may hold dots ("ai.onnx.ml"): they are matched whole. */
static const char *behind_key(const char *path, const char *key)
{
    size_t size = strlen(key);
    if (strncmp(path, key, size) != 0) return NULL;
    const char *rest = path + size;
    if (*rest == '.') return rest + 1;
    return *rest == 0 || *rest == '[' ? rest : NULL;
}

static const rg_item *element_at(const rg_item *array, const char *path, const char **rest)
{
    char *end;
    if (path[0] != '[' || path[1] < '0' || path[1] > '9') return NULL;
    unsigned long index = strtoul(path + 1, &end, 10);
    if (*end != ']' || index >= array->count) return NULL;
    *rest = end[1] == '.' ? end + 2 : end + 1;
    const rg_item *item = array->first;
    while (index--) item = item->next;
    return item;
}

const rg_item *rg_item_find(const rg_item *root, const char *path)
{
    const char *rest = NULL;
    if (!root || *path == 0) return root;
    if (root->kind == RG_ITEM_ARRAY) {
        const rg_item *item = element_at(root, path, &rest);
        return item ? rg_item_find(item, rest) : NULL;
    }
    if (root->kind != RG_ITEM_OBJECT) return NULL;
    for (const rg_item *item = root->first; item; item = item->next) {
        rest = behind_key(path, item->key);
        const rg_item *found = rest ? rg_item_find(item, rest) : NULL;
        if (found) return found;
    }
    return NULL;
}

bool rg_doc_number(const rg_doc *doc, const char *path, double *out)
{
    const rg_item *item = rg_item_find(doc->root, path);
    if (!item || (item->kind != RG_ITEM_INT && item->kind != RG_ITEM_REAL)) return false;
    *out = item->kind == RG_ITEM_INT ? (double)item->integer : item->real;
    return true;
}

bool rg_doc_string(const rg_doc *doc, const char *path, const char **out)
{
    const rg_item *item = rg_item_find(doc->root, path);
    if (!item || item->kind != RG_ITEM_STRING) return false;
    *out = item->string;
    return true;
}

/* ---- the layout ---- */

static void add_block(rg_doc *doc, rg_doc_block content)
{
    rg_doc_block *block = RG_NEW(&doc->arena, rg_doc_block, 1);
    if (!block) return;
    *block = content;
    block->subject = doc->subject;
    if (block->kind == RG_BLOCK_SECTION && block->level == 1) doc->subject = block->text;
    if (doc->last) doc->last->next = block;
    else doc->first = block;
    doc->last = block;
}

static void add_words(rg_doc *doc, rg_doc_block block, const char *format, va_list args)
{
    block.text = vprint(&doc->arena, format, args);
    if (block.text) add_block(doc, block);
}

void rg_doc_section(rg_doc *doc, int level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_words(doc, (rg_doc_block){.kind = RG_BLOCK_SECTION, .level = level}, format, args);
    va_end(args);
}

void rg_doc_say(rg_doc *doc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_words(doc, (rg_doc_block){.kind = RG_BLOCK_SAY}, format, args);
    va_end(args);
}

void rg_doc_point(rg_doc *doc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_words(doc, (rg_doc_block){.kind = RG_BLOCK_POINT}, format, args);
    va_end(args);
}

/* A block over items that were not made for lack of memory is left out: the document has failed anyway. */
static void add_columns(rg_doc *doc, rg_doc_block block, const rg_column *columns, size_t count)
{
    assert(count <= RG_COLUMN_MAX);
    rg_column *copy = block.item ? RG_NEW(&doc->arena, rg_column, count) : NULL;
    if (!copy) return;
    memcpy(copy, columns, count * sizeof *copy);
    block.columns = copy;
    block.column_count = count;
    add_block(doc, block);
}

void rg_doc_fields(rg_doc *doc, const rg_item *object, const rg_column *columns, size_t count)
{
    add_columns(doc, (rg_doc_block){.kind = RG_BLOCK_FIELDS, .item = object}, columns, count);
}

void rg_doc_table(rg_doc *doc, const char *name, const rg_item *array, const rg_column *columns, size_t count,
                  size_t limit)
{
    rg_doc_block block = {.kind = RG_BLOCK_TABLE, .text = name, .item = array, .limit = limit};
    add_columns(doc, block, columns, count);
}

static const rg_axis *copy_axes(rg_doc *doc, const rg_axis *axes, size_t count)
{
    rg_axis *copy = RG_NEW(&doc->arena, rg_axis, count);
    if (copy && count) memcpy(copy, axes, count * sizeof *copy);
    return copy;
}

void rg_doc_chart(rg_doc *doc, const rg_chart *chart)
{
    rg_chart *copy = chart->array ? RG_NEW(&doc->arena, rg_chart, 1) : NULL;
    if (!copy) return;
    assert(chart->y_count > 0 && chart->kind < RG_CHART_KIND_COUNT);
    *copy = *chart;
    copy->y = copy_axes(doc, chart->y, chart->y_count);
    copy->under = copy_axes(doc, chart->under, chart->under_count);
    rg_doc_block block = {.kind = RG_BLOCK_CHART, .text = chart->name, .item = chart->array, .chart = copy};
    if (copy->y && copy->under) add_block(doc, block);
}

void rg_doc_bars(rg_doc *doc, const rg_item *array, const char *label, const char *value, rg_unit unit)
{
    rg_doc_block block = {.kind = RG_BLOCK_BARS, .item = array, .label = label, .value = value, .unit = unit};
    if (array) add_block(doc, block);
}
