/* result.c - outputs in figures that a person can judge: range and mean, odd numbers, the few elements of
 * small ones, the best classes; and in files that other programs read.
 */
#include "measure/result.h"

#include "format/npy.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    SMALL_COUNT = 16,  /* elements that are shown one by one */
    ITEMS_SHOWN = 16,  /* of a sequence or map */
    ROWS_RANKED = 16,  /* a batch of scores; more rows are a map of something */
};

/* ---- in figures ---- */

static const char *const kinds[] = {
    [RG_KIND_SEQUENCE] = "sequence", [RG_KIND_OPTIONAL] = "optional", [RG_KIND_MAP] = "map",
};

/* Strings have no mean, and complex numbers no order. */
static bool is_ordered(rg_dtype dtype) { return dtype != RG_STR && rg_dtype_class(dtype) != 'c'; }

/* Of the finite elements. */
static void put_range(rg_doc *doc, rg_item *object, const rg_array *a)
{
    double min = INFINITY, max = -INFINITY, sum = 0;
    int64_t nan_count = 0, infinite_count = 0;
    for (int64_t i = 0; i < a->count; i++) {
        double x = rg_get(a, i);
        nan_count += isnan(x);
        infinite_count += isinf(x) != 0;
        if (!isfinite(x)) continue;
        min = fmin(min, x);
        max = fmax(max, x);
        sum += x;
    }
    int64_t count = a->count - nan_count - infinite_count;
    rg_doc_real(doc, object, "min", min); /* of none: not finite, and so null */
    rg_doc_real(doc, object, "max", max);
    rg_doc_real(doc, object, "mean", count ? sum / (double)count : NAN);
    rg_doc_int(doc, object, "nan_count", nan_count);
    rg_doc_int(doc, object, "infinite_count", infinite_count);
}

static void put_element(rg_doc *doc, rg_item *list, const rg_array *a, int64_t i)
{
    if (a->dtype == RG_STR) rg_doc_view(doc, list, NULL, rg_get_str(a, i));
    else if (a->dtype == RG_BOOL) rg_doc_flag(doc, list, NULL, rg_get_int(a, i) != 0);
    else if (rg_dtype_is_int(a->dtype) && a->dtype != RG_U64) rg_doc_int(doc, list, NULL, rg_get_int(a, i));
    else rg_doc_real(doc, list, NULL, rg_get(a, i));
}

static void put_type(rg_doc *doc, rg_item *object, const rg_array *a)
{
    char text[32 * RG_RANK_MAX] = "";
    size_t used = 0;
    rg_doc_str(doc, object, "type", rg_dtype_name(a->dtype));
    rg_item *shape = rg_doc_array(doc, object, "shape");
    for (int k = 0; k < a->rank; k++) {
        rg_doc_int(doc, shape, NULL, a->dim[k]);
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%lld", k ? "," : "", (long long)a->dim[k]);
    }
    rg_doc_text(doc, object, "form", "%s[%s]", rg_dtype_name(a->dtype), text);
}

void rg_result_describe(rg_doc *doc, rg_item *object, const rg_datum *datum)
{
    const rg_array *a = &datum->array;
    if (datum->kind == RG_KIND_TENSOR) {
        put_type(doc, object, a);
        if (is_ordered(a->dtype)) put_range(doc, object, a);
        if (a->count > SMALL_COUNT || rg_dtype_class(a->dtype) == 'c') return;
        rg_item *values = rg_doc_array(doc, object, "values");
        for (int64_t i = 0; i < a->count; i++) put_element(doc, values, a, i);
        return;
    }
    rg_doc_str(doc, object, "type", kinds[datum->kind]);
    rg_doc_text(doc, object, "form", "%s of %zu", kinds[datum->kind], datum->item_count);
    rg_doc_int(doc, object, "item_count", (int64_t)datum->item_count);
    rg_item *items = rg_doc_array(doc, object, "items");
    for (size_t i = 0; i < datum->item_count && i < ITEMS_SHOWN; i++)
        rg_result_describe(doc, rg_doc_object(doc, items, NULL), datum->items[i]);
}

/* ---- the best classes ---- */

typedef struct score { int64_t index; double value; } score;

/* Largest first, then in order; what is no number comes last. */
static int by_value(const void *a, const void *b)
{
    const score *x = a, *y = b;
    if (isnan(x->value) != isnan(y->value)) return isnan(x->value) ? 1 : -1;
    if (x->value > y->value || x->value < y->value) return x->value > y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Rows of scores: floats [classes] or [rows, classes, 1, ...]. */
static bool find_rows(const rg_array *a, int64_t *rows, int64_t *classes)
{
    *rows = a->rank > 1 ? a->dim[0] : 1;
    *classes = a->rank ? a->dim[a->rank > 1] : 0;
    return rg_dtype_is_float(a->dtype) && *classes > 1 && *rows >= 1 && *rows <= ROWS_RANKED &&
           a->count == *rows * *classes;
}

static void put_score(rg_doc *doc, rg_item *list, int64_t row, const score *s, const rg_str *labels)
{
    rg_item *item = rg_doc_object(doc, list, NULL);
    rg_doc_int(doc, item, "row", row);
    rg_doc_int(doc, item, "index", s->index);
    if (labels) rg_doc_view(doc, item, "label", labels[s->index]);
    else rg_doc_str(doc, item, "label", NULL);
    rg_doc_real(doc, item, "value", s->value);
}

void rg_result_rank(rg_ctx *cx, rg_doc *doc, rg_item *object, const rg_datum *datum, int top,
                    const rg_str *labels, size_t label_count, bool *labelled)
{
    const rg_array *a = &datum->array;
    int64_t rows, classes;
    if (datum->kind != RG_KIND_TENSOR || !find_rows(a, &rows, &classes)) return;
    bool named = labels && label_count == (size_t)classes;
    score *scores = RG_NEW(&cx->arena, score, classes);
    rg_item *list = rg_doc_array(doc, object, "top");
    *labelled = *labelled || named;
    for (int64_t r = 0; scores && r < rows; r++) {
        for (int64_t i = 0; i < classes; i++) scores[i] = (score){i, rg_get(a, r * classes + i)};
        qsort(scores, (size_t)classes, sizeof *scores, by_value);
        for (int64_t i = 0; i < classes && i < top; i++)
            put_score(doc, list, r, &scores[i], named ? labels : NULL);
    }
}

/* ---- in files ---- */

static const char *file_name(rg_ctx *cx, const char *dir, rg_str name, uint32_t index)
{
    char *text = rg_arena_alloc(&cx->arena, name.size + 1);
    if (!text) return NULL;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_' || (c == '.' && i);
        text[i] = plain ? c : '_';
    }
    if (name.size && rg_str_eq(name, rg_str_of(text))) return rg_arena_printf(&cx->arena, "%s/%s", dir, text);
    return rg_arena_printf(&cx->arena, "%s/%u%s%s", dir, index, name.size ? "_" : "", text);
}

static rg_err save(rg_ctx *cx, rg_doc *doc, rg_item *files, const char *stem, const rg_datum *datum,
                   int depth)
{
    if (depth > RG_NEST_MAX) return rg_fail(cx, RG_LIMIT, "values are nested deeper than %d", RG_NEST_MAX);
    if (datum->kind == RG_KIND_TENSOR) {
        const char *path = rg_arena_printf(&cx->arena, "%s.npy", stem);
        if (!path) return rg_nomem(cx);
        rg_item *item = rg_doc_object(doc, files, NULL);
        rg_doc_str(doc, item, "file", path);
        rg_doc_str(doc, item, "type", rg_dtype_name(rg_npy_type(datum->array.dtype)));
        return rg_npy_write(cx, path, &datum->array);
    }
    static const char *const parts[] = {"keys", "values"};
    for (size_t i = 0; i < datum->item_count; i++) {
        const char *inner = datum->kind == RG_KIND_MAP
                                ? rg_arena_printf(&cx->arena, "%s_%s", stem, parts[i % 2])
                                : rg_arena_printf(&cx->arena, "%s_%zu", stem, i);
        if (!inner) return rg_nomem(cx);
        RG_TRY(save(cx, doc, files, inner, datum->items[i], depth + 1));
    }
    return RG_OK;
}

rg_err rg_result_save(rg_ctx *cx, rg_doc *doc, rg_item *object, const char *dir, rg_str name, uint32_t index,
                      const rg_datum *datum)
{
    const char *stem = file_name(cx, dir, name, index);
    rg_item *files = rg_doc_array(doc, object, "files");
    if (!stem) return rg_nomem(cx);
    if (mkdir(dir, 0777) && errno != EEXIST) return rg_fail(cx, RG_FAILED, "%s: %s", dir, strerror(errno));
    return save(cx, doc, files, stem, datum, 0);
}
