/* study_make.h - studies and their documents for tests: made or the test fails; figures by their path.
 */
#ifndef STUDY_MAKE_H
#define STUDY_MAKE_H

#include "report/doc.h"
#include "study/study.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif
#define TINY RG_SOURCE_ROOT "/doc/demo/tiny_cnn.onnx"

static inline int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static inline int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

#define LIST(field, ...)                                 \
    .field##s = (const char *const[]){__VA_ARGS__},      \
    .field##_count = RG_COUNT(((const char *const[]){__VA_ARGS__}))
#define OPTIONS(...) (&(rg_study_opt){.size = sizeof(rg_study_opt), __VA_ARGS__})

static inline rg_study *study(rg_ctx *cx, const rg_study_opt *opt)
{
    rg_study *s = NULL;
    if (rg_study_make(cx, opt, &s)) fail_msg("%s", rg_ctx_error(cx));
    return s;
}

static inline rg_doc *compared(rg_ctx *cx, const rg_study *s, const rg_limits *limits, const char *sort,
                               int explain)
{
    rg_doc *doc;
    if (rg_compare_doc(cx, s, limits, sort, explain, &doc)) fail_msg("%s", rg_ctx_error(cx));
    return doc;
}

static inline rg_doc *swept(rg_ctx *cx, const rg_study *s)
{
    rg_doc *doc;
    if (rg_sweep_doc(cx, s, &doc)) fail_msg("%s", rg_ctx_error(cx));
    return doc;
}

static inline const rg_item *array_of(const rg_doc *doc, const char *path)
{
    const rg_item *array = rg_item_find(rg_doc_tree(doc), path);
    if (!array || array->kind != RG_ITEM_ARRAY) fail_msg("no %s[]", path);
    return array;
}

static inline double number(const rg_item *item, const char *path)
{
    const rg_item *x = rg_item_find(item, path);
    if (x && x->kind == RG_ITEM_INT) return (double)x->integer;
    if (!x || x->kind != RG_ITEM_REAL) fail_msg("no number %s", path);
    return x->real;
}

static inline bool flag(const rg_item *item, const char *path)
{
    const rg_item *x = rg_item_find(item, path);
    if (!x || x->kind != RG_ITEM_BOOL) fail_msg("no flag %s", path);
    return x->flag;
}

static inline const char *string(const rg_item *item, const char *path)
{
    const rg_item *x = rg_item_find(item, path);
    if (!x || x->kind != RG_ITEM_STRING) fail_msg("no string %s", path);
    return x->string;
}

static inline void assert_same(double got, double wanted)
{
    if (got != wanted) fail_msg("got %.17g, wanted %.17g", got, wanted);
}

static inline void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' does not say '%s'", text, part);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
