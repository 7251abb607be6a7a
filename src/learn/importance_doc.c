/* importance_doc.c - which features the learned residuals of judged rows rest on: importance[] of an
 * evaluation.
 *
 *     increase = mean APE with one feature's values dealt anew among the rows - mean APE as they are
 *
 * (permutation importance: Breiman, Machine Learning 45, 2001). Features that tell the same stand in for each
 * other, and look less important than they are together. Beside it the share of all splits that ask for a
 * feature; files of trees keep no gains.
 */
#include "learn/row_draw.h"
#include "learn/lesson.h"

#include "hw/hw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1000, ROUNDS = 3, SHOWN = 20 }; /* judged, of a key; deals; features that are shown */

typedef struct weighing {
    rg_ctx *cx;
    rg_doc *doc;
    rg_item *keys;
    const rg_lessons *lessons;
    const rg_lesson *lesson;
    const rg_trees *trees;
    rg_mixture *mixtures;        /* by device */
    size_t *rows, count;         /* of the lesson */
} weighing;

typedef struct weight { size_t feature; double increase, splits; } weight;

/* The trees of a key, or those of a runtime that its own learns from. NULL: none. */
static rg_err find_trees(rg_ctx *cx, const rg_lesson *lesson, const rg_trees **out)
{
    const rg_runtime *runtime = NULL;
    const char *rest = strchr(lesson->key, '.');
    RG_TRY(rg_learned_find(cx, lesson->key, lesson->of, out));
    if (*out || !rest) return RG_OK;
    const char *id = rg_arena_cstr(&cx->arena, (rg_str){lesson->key, (size_t)(rest - lesson->key)});
    if (!id) return rg_nomem(cx);
    RG_TRY(rg_runtime_find(cx, id, NULL, &runtime));
    rg_err err = RG_OK;
    for (size_t i = 0; i < runtime->teacher_count && !*out && !err; i++) {
        const char *key = rg_arena_printf(&cx->arena, "%s%s", runtime->teachers[i], rest);
        err = key ? rg_learned_find(cx, key, lesson->of, out) : rg_nomem(cx);
    }
    rg_runtime_free(runtime);
    return err;
}

static rg_err draw_rows(weighing *w)
{
    rg_row_draw draw = rg_row_draw_of(w->lesson->count, ROWS);
    w->rows = RG_NEW(&w->cx->arena, size_t, draw.wanted + 1);
    if (!w->rows) return rg_nomem(w->cx);
    for (size_t i = 0; i < w->lesson->count; i++)
        if (rg_row_draw_next(&draw)) w->rows[w->count++] = i;
    return RG_OK;
}

/* Mean APE where row i has the feature of row dealt[i]; feature SIZE_MAX: as they are. */
static double error_of(const weighing *w, size_t feature, const size_t *dealt)
{
    const rg_lesson *l = w->lesson;
    float x[RG_TREES_FEATURES];
    double sum = 0;
    for (size_t i = 0; i < w->count; i++) {
        size_t row = w->rows[i];
        rg_residual said;
        memcpy(x, l->x + row * l->features, l->features * sizeof *x);
        if (feature != SIZE_MAX) x[feature] = l->x[w->rows[dealt[i]] * l->features + feature];
        rg_residual_of(&w->mixtures[l->device[row]], x, &said);
        sum += fabs(expm1(said.r - (double)l->r[row]));
    }
    return sum / (double)w->count;
}

static void deal(size_t *dealt, size_t count, uint64_t *random)
{
    for (size_t i = 0; i < count; i++) dealt[i] = i;
    for (size_t i = count; i > 1; i--) { /* Fisher and Yates */
        size_t k = (size_t)(rg_random_unit(random) * (double)i), last = dealt[i - 1];
        dealt[i - 1] = dealt[k];
        dealt[k] = last;
    }
}

/* Shares of the splits of all members, by feature of the table. */
static void count_splits(const weighing *w, weight *weights)
{
    double all = 0;
    for (size_t m = 0; m < w->trees->member_count; m++)
        for (int i = 0; i < w->trees->members[m].node_count; i++) {
            const rg_tree_node *node = &w->trees->members[m].nodes[i];
            if (node->feature == RG_TREES_LEAF) continue;
            weights[w->trees->columns[node->feature]].splits++;
            all++;
        }
    for (size_t i = 0; i < w->lesson->features && all > 0; i++) weights[i].splits /= all;
}

static int by_increase(const void *a, const void *b)
{
    const weight *x = a, *y = b;
    if (x->increase != y->increase) return x->increase > y->increase ? -1 : 1;
    return x->feature < y->feature ? -1 : x->feature > y->feature;
}

static rg_err weigh_features(weighing *w, double error, weight *weights)
{
    size_t *dealt = RG_NEW(&w->cx->arena, size_t, w->count + 1);
    uint64_t random = 1;
    if (!dealt) return rg_nomem(w->cx);
    for (size_t i = 0; i < w->lesson->features; i++) weights[i] = (weight){.feature = i};
    count_splits(w, weights);
    for (int round = 0; round < ROUNDS; round++) {
        deal(dealt, w->count, &random);
        for (size_t i = 0; i < w->lesson->features; i++)
            if (weights[i].splits > 0) weights[i].increase += (error_of(w, i, dealt) - error) / ROUNDS;
    }
    qsort(weights, w->lesson->features, sizeof *weights, by_increase);
    return RG_OK;
}

static void show_key(weighing *w, double error, const weight *weights)
{
    static const rg_column columns[] = {
        {"feature", "feature", RG_UNIT_NONE, false}, {"is", "is", RG_UNIT_NONE, false},
        {"increase", "error more without", RG_UNIT_FRACTION, true},
        {"splits", "of the splits", RG_UNIT_FRACTION, false},
    };
    rg_item *k = rg_doc_object(w->doc, w->keys, NULL);
    const rg_item *key = rg_doc_str(w->doc, k, "key", w->lesson->key);
    rg_doc_str(w->doc, k, "trees", w->trees->key);
    rg_doc_int(w->doc, k, "rows", (int64_t)w->count);
    rg_doc_real(w->doc, k, "mape", error);
    rg_item *features = rg_doc_array(w->doc, k, "features");
    for (size_t i = 0; i < w->lesson->features && i < SHOWN && weights[i].splits > 0; i++) {
        rg_item *f = rg_doc_object(w->doc, features, NULL);
        rg_doc_str(w->doc, f, "feature", rg_feature_name(w->lesson->of, weights[i].feature));
        rg_doc_str(w->doc, f, "is", rg_feature_help(w->lesson->of, weights[i].feature));
        rg_doc_real(w->doc, f, "increase", weights[i].increase);
        rg_doc_real(w->doc, f, "splits", weights[i].splits);
    }
    rg_doc_section(w->doc, 2, "Features of %s", w->lesson->key);
    rg_doc_say(w->doc, "How much the mean error of %.1f %% grows where one feature's values are dealt anew "
               "among %zu rows.", 100 * error, w->count);
    rg_doc_table(w->doc, "importance", features, columns, RG_COUNT(columns), 0);
    if (!key) return;
    rg_doc_chart(w->doc, &(rg_chart){
                             .kind = RG_CHART_BARS,
                             .name = key->string,
                             .title = "What learned residuals rest on",
                             .text = "Growth of the mean error where one feature is dealt anew.",
                             .array = features,
                             .x = {.heading = "feature"},
                             .y = &(rg_axis){"increase", "error more without", RG_UNIT_FRACTION, false},
                             .y_count = 1,
                             .label = "feature",
                         });
}

static rg_err weigh_key(weighing *w)
{
    weight weights[RG_TREES_FEATURES];
    RG_TRY(find_trees(w->cx, w->lesson, &w->trees));
    if (!w->trees || !w->lesson->count) return RG_OK;
    w->mixtures = RG_NEW(&w->cx->arena, rg_mixture, w->lessons->device_count);
    if (!w->mixtures) return rg_nomem(w->cx);
    for (size_t d = 0; d < w->lessons->device_count; d++)
        RG_TRY(rg_mixture_of(w->cx, w->trees, w->lessons->devices[d], &w->mixtures[d]));
    RG_TRY(draw_rows(w));
    double error = error_of(w, SIZE_MAX, NULL);
    RG_TRY(weigh_features(w, error, weights));
    show_key(w, error, weights);
    return RG_OK;
}

static rg_err weigh_scope(rg_ctx *cx, rg_doc *doc, rg_item *keys, const char *const *files, size_t count,
                          const rg_evaluate_opt *opt, bool whole)
{
    rg_lessons lessons;
    rg_evaluate_opt how = *opt;
    how.learning = whole ? RG_LEARN_ROWS : RG_LEARN_NONE;
    how.baseline = NULL;
    how.probes = 0;
    rg_lessons_init(cx, &lessons);
    rg_err err = RG_OK;
    for (size_t i = 0; i < count && !err; i++)
        err = rg_lessons_add(cx, &lessons, files[i], &how, whole, NULL);
    for (size_t i = 0; i < lessons.count && !err; i++) {
        weighing w = {.cx = cx, .doc = doc, .keys = keys, .lessons = &lessons, .lesson = &lessons.items[i]};
        err = weigh_key(&w);
    }
    rg_lessons_done(&lessons);
    return err;
}

rg_err rg_importance_doc(rg_ctx *cx, rg_doc *doc, const char *const *files, size_t count,
                         const rg_evaluate_opt *opt)
{
    rg_item *keys = rg_doc_array(doc, rg_doc_root(doc), "importance");
    rg_doc_section(doc, 1, "What learned residuals rest on");
    if (opt->learning != RG_LEARN_NONE) RG_TRY(weigh_scope(cx, doc, keys, files, count, opt, false));
    if (opt->learning == RG_LEARN_ALL) RG_TRY(weigh_scope(cx, doc, keys, files, count, opt, true));
    if (keys && !keys->count) rg_doc_say(doc, "Nothing was learned of what these files measure.");
    return RG_OK;
}
