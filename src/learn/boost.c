/* boost.c - training by XGBoost's C library. It is opened at run time, so that predicting never needs it; the
 * few functions are declared here as its manual has them. A trained model is read back from its JSON dump:
 * nested nodes {"split": "f3", "split_condition": c, "yes", "no", "children"} and {"leaf": v}; the left child
 * is taken where x < c, as in trees.h.
 */
#include "learn/boost.h"

#include <dlfcn.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Name, what it answers (0: well), what it takes. */
#define FUNCTIONS(X)                                                                                        \
    X(XGDMatrixCreateFromMat, (const float *data, uint64_t rows, uint64_t columns, float missing,          \
                               void **out))                                                                 \
    X(XGDMatrixSetFloatInfo, (void *matrix, const char *field, const float *values, uint64_t count))       \
    X(XGDMatrixFree, (void *matrix))                                                                        \
    X(XGBoosterCreate, (void *const *matrices, uint64_t count, void **out))                                \
    X(XGBoosterFree, (void *model))                                                                         \
    X(XGBoosterSetParam, (void *model, const char *name, const char *value))                               \
    X(XGBoosterUpdateOneIter, (void *model, int round, void *matrix))                                      \
    X(XGBoosterDumpModelEx, (void *model, const char *map, int statistics, const char *format,             \
                             uint64_t *count, const char ***out))

struct rg_booster {
    void *library;
    const char *(*last_error)(void);
#define X(name, arguments) int (*name) arguments;
    FUNCTIONS(X)
#undef X
};

/* A function's address is copied, not cast: ISO C has no cast from void *. */
static bool find(const rg_booster *b, const char *name, void *at)
{
    void *address = dlsym(b->library, name);
    memcpy(at, &address, sizeof address);
    return address != NULL;
}

rg_err rg_booster_open(rg_ctx *cx, rg_booster **out)
{
    static const char name[] = "libxgboost.so.0"; /* Debian 12: libxgboost0 */
    rg_booster *b = RG_NEW(&cx->arena, rg_booster, 1);
    if (!b) return rg_nomem(cx);
    /* It stays when it is closed: threads of its own may not have ended. */
    b->library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!b->library)
        return rg_fail(cx, RG_UNSUPPORTED, "learning needs XGBoost: %s (Debian: apt-get install libxgboost0)",
                       dlerror());
    bool all = find(b, "XGBGetLastError", &b->last_error);
#define X(function, arguments) all = all && find(b, #function, &b->function);
    FUNCTIONS(X)
#undef X
    if (!all) {
        rg_booster_close(b);
        return rg_fail(cx, RG_UNSUPPORTED, "%s lacks functions of XGBoost 1.7", name);
    }
    *out = b;
    return RG_OK;
}

void rg_booster_close(rg_booster *b)
{
    if (b) dlclose(b->library);
}

/* ---- its dump -> nodes ---- */

typedef struct growth {
    rg_ctx *cx;
    rg_arena *arena;
    rg_tree_node *nodes;
    size_t count;
    uint32_t capacity;
} growth;

static rg_err add_node(growth *g, const json_t *json, int depth)
{
    if (!RG_GROW(g->arena, g->nodes, g->count, g->capacity)) return rg_nomem(g->cx);
    size_t at = g->count++;
    const json_t *leaf = json_object_get(json, "leaf"), *split = json_object_get(json, "split");
    if (leaf) {
        g->nodes[at] = (rg_tree_node){(float)json_number_value(leaf), RG_TREES_LEAF, 0};
        return RG_OK;
    }
    const json_t *children = json_object_get(json, "children"), *yes = json_object_get(json, "yes");
    const char *name = json_string_value(split);
    if (!name || name[0] != 'f' || json_array_size(children) != 2 || depth >= RG_TREES_DEPTH)
        return rg_fail(g->cx, RG_INTERNAL, "XGBoost dumped a node that is none, at depth %d", depth);
    const json_t *left = json_array_get(children, 0), *right = json_array_get(children, 1);
    if (json_integer_value(json_object_get(left, "nodeid")) != json_integer_value(yes)) {
        const json_t *other = left;
        left = right, right = other;
    }
    double value = json_number_value(json_object_get(json, "split_condition"));
    RG_TRY(add_node(g, left, depth + 1));
    size_t ahead = g->count - at;
    g->nodes[at] = (rg_tree_node){(float)value, (uint16_t)strtoul(name + 1, NULL, 10), (uint16_t)ahead};
    if (ahead > UINT16_MAX)
        return rg_fail(g->cx, RG_LIMIT, "a tree of %zu nodes exceeds %d", ahead, UINT16_MAX);
    return add_node(g, right, depth + 1);
}

static rg_err read_dump(growth *g, const char *const *trees, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        json_error_t error;
        json_t *json = json_loads(trees[i], 0, &error);
        if (!json && !*error.text) return rg_nomem(g->cx);
        if (!json) return rg_fail(g->cx, RG_INTERNAL, "XGBoost's dump of tree %d: %s", (int)i, error.text);
        rg_err err = add_node(g, json, 0);
        json_decref(json);
        if (err) return err;
    }
    return RG_OK;
}

/* ---- training ---- */

static rg_err said(rg_ctx *cx, const rg_booster *b, int result)
{
    return result == 0 ? RG_OK : rg_fail(cx, RG_FAILED, "XGBoost: %.300s", b->last_error());
}

static rg_err set_all(rg_ctx *cx, const rg_booster *b, void *model, const rg_boost_opt *o)
{
    const struct { const char *name; double value; } numbers[] = {
        {"max_depth", o->depth}, {"eta", o->rate}, {"min_child_weight", o->leaf_weight},
        {"subsample", o->rows},  {"colsample_bytree", o->columns}, {"seed", (double)(o->seed & 0xffffff)},
        {"nthread", o->threads}, {"base_score", 0}, {"verbosity", 0}, {"max_leaves", o->leaves},
    };
    RG_TRY(said(cx, b, b->XGBoosterSetParam(model, "tree_method", "hist")));
    RG_TRY(said(cx, b, b->XGBoosterSetParam(model, "objective", "reg:squarederror")));
    if (o->leaves > 0) RG_TRY(said(cx, b, b->XGBoosterSetParam(model, "grow_policy", "lossguide")));
    for (size_t i = 0; i < RG_COUNT(numbers); i++) {
        char text[32];
        rg_str_print(text, sizeof text, "%.8g", numbers[i].value);
        RG_TRY(said(cx, b, b->XGBoosterSetParam(model, numbers[i].name, text)));
    }
    return RG_OK;
}

static rg_err run_rounds(rg_ctx *cx, const rg_booster *b, void *model, void *matrix, const rg_boost_opt *opt,
                         growth *g)
{
    const char **trees = NULL;
    uint64_t count = 0;
    RG_TRY(set_all(cx, b, model, opt));
    for (int i = 0; i < opt->rounds; i++) RG_TRY(said(cx, b, b->XGBoosterUpdateOneIter(model, i, matrix)));
    RG_TRY(said(cx, b, b->XGBoosterDumpModelEx(model, "", 0, "json", &count, &trees)));
    return read_dump(g, trees, count);
}

static rg_err train(rg_ctx *cx, const rg_booster *b, const rg_boost_data *d, const rg_boost_opt *opt,
                    void *matrix, growth *g)
{
    void *model = NULL;
    RG_TRY(said(cx, b, b->XGDMatrixSetFloatInfo(matrix, "label", d->y, d->count)));
    if (d->weight) RG_TRY(said(cx, b, b->XGDMatrixSetFloatInfo(matrix, "weight", d->weight, d->count)));
    RG_TRY(said(cx, b, b->XGBoosterCreate(&matrix, 1, &model)));
    rg_err err = run_rounds(cx, b, model, matrix, opt, g);
    b->XGBoosterFree(model);
    return err;
}

rg_err rg_booster_train(rg_ctx *cx, rg_booster *b, const rg_boost_data *d, const rg_boost_opt *opt,
                        rg_arena *arena, rg_trees_member *member)
{
    void *matrix = NULL;
    growth g = {cx, arena, NULL, 0, 0};
    if (!d->count) return rg_fail(cx, RG_INPUT, "there are no rows to learn from");
    RG_TRY(said(cx, b, b->XGDMatrixCreateFromMat(d->x, d->count, d->features, NAN, &matrix)));
    rg_err err = train(cx, b, d, opt, matrix, &g);
    b->XGDMatrixFree(matrix);
    if (err) return err;
    member->nodes = g.nodes;
    if (g.count > INT32_MAX) return rg_fail(cx, RG_LIMIT, "%zu nodes exceed %d", g.count, INT32_MAX);
    member->node_count = (int)g.count;
    member->start = 0;
    return RG_OK;
}
