/* test_trees.c - files of trees: one written by hand whose sums are known, every way to break it, and trees
 * trained here against what XGBoost itself predicts.
 */
#include "learn/line.h"

#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

#define LEAF RG_TREES_LEAF

/* ---- a file by hand ---- */

#define HEAD(features, low, nodes0, nodes1)                                                              \
    "{\"schema\": \"ridge.trees/1\", \"key\": \"k\", \"made_of\": \"f\", \"data_hash\": \"0\", "         \
    "\"features\": " features ", \"low\": " low ", \"high\": [1, 2], \"pooled_weight\": 0.5, "           \
    "\"reach\": 2, \"trust\": 1, \"known_spread\": 0.1, \"sister_spread\": 0.2, "                        \
    "\"unknown_spread\": 0.3, \"devices\": 1, \"members\": ["                                            \
    "{\"device\": \"all\", \"rows\": 7, \"nodes\": " nodes0 ", \"start\": 0.0625}, "                     \
    "{\"device\": \"gpu\", \"architecture\": \"new\", \"traits\": [1, 2, 3, 4, 5, 6, 7, 8], \"rows\": 3, "  \
    "\"nodes\": " nodes1 "}]}"
#define GOOD HEAD("[\"m\", \"k\"]", "[0, 0]", "6", "18")

/* Of all: one tree of two splits, and one that is a leaf. */
static const rg_tree_node of_all[] = {
    {1.5f, 0, 4}, {2, 1, 2}, {0.25f, LEAF, 0}, {-0.5f, LEAF, 0}, {1, LEAF, 0}, {0.125f, LEAF, 0},
};

enum { STUMPS = 6, NODES = 6 + 3 * STUMPS };

/* Of the device: tree t adds 2^t where the first feature is below t. Six, so that some are summed abreast and
 * some are left over. */
static void put_nodes(rg_tree_node nodes[NODES])
{
    memcpy(nodes, of_all, sizeof of_all);
    for (int t = 0; t < STUMPS; t++) {
        rg_tree_node *stump = nodes + 6 + 3 * t;
        stump[0] = (rg_tree_node){(float)t, 0, 2};
        stump[1] = (rg_tree_node){(float)(1 << t), LEAF, 0};
        stump[2] = (rg_tree_node){0, LEAF, 0};
    }
}

static rg_str file_of(rg_ctx *cx, const char *json, const rg_tree_node *nodes, size_t count)
{
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_text_put(&text, rg_str_of(json));
    while ((text.size + 1) % sizeof *nodes) rg_text_char(&text, ' ');
    rg_text_char(&text, '\n');
    rg_text_put(&text, (rg_str){(const char *)nodes, count * sizeof *nodes});
    assert_false(text.failed);
    return (rg_str){text.data, text.size};
}

static rg_str good_file(rg_ctx *cx)
{
    rg_tree_node nodes[NODES];
    put_nodes(nodes);
    return file_of(cx, GOOD, nodes, NODES);
}

static rg_trees *parsed(rg_ctx *cx, rg_str bytes)
{
    rg_trees *trees = NULL;
    if (rg_trees_parse(cx, bytes, "file", &trees)) fail_msg("%s", rg_ctx_error(cx));
    return trees;
}

static double sum(const rg_trees *t, size_t member, float m, float k)
{
    return rg_trees_sum(&t->members[member], (const float[]){m, k});
}

static void sums_are_those_of_the_file(void **state)
{
    rg_trees *t = parsed(*state, good_file(*state));
    assert_int_equal(t->member_count, 2);
    assert_int_equal(t->members[0].tree_count, 2);
    assert_int_equal(t->members[1].tree_count, STUMPS);
    assert_true(rg_member_is_pooled(&t->members[0]) && !rg_member_is_pooled(&t->members[1]));
    assert_true(sum(t, 0, 1, 1) == 0.0625 + 0.25 + 0.125);
    assert_true(sum(t, 0, 1, 2) == 0.0625 - 0.5 + 0.125);    /* what is not below goes right */
    assert_true(sum(t, 0, 1.5f, 0) == 0.0625 + 1 + 0.125);
    assert_true(sum(t, 1, 2.5f, 0) == 8 + 16 + 32);
    assert_true(sum(t, 1, -1, 0) == 63);
    assert_true(sum(t, 1, 5, 0) == 0);
    rg_trees_free(t);
}

/* They may lie at any address, and are gone afterwards. */
static void the_bytes_are_not_kept(void **state)
{
    rg_str bytes = good_file(*state);
    char *odd = malloc(bytes.size + 1);
    memcpy(odd + 1, bytes.data, bytes.size);
    rg_trees *t = parsed(*state, (rg_str){odd + 1, bytes.size});
    memset(odd, 0xff, bytes.size + 1);
    free(odd);
    assert_true(sum(t, 1, 2.5f, 0) == 56);
    assert_string_equal(t->members[1].architecture, "new");
    rg_trees_free(t);
}

static void what_is_written_reads_the_same(void **state)
{
    rg_str once, twice;
    rg_trees *t = parsed(*state, good_file(*state));
    assert_int_equal(rg_trees_write(*state, t, &once), RG_OK);
    rg_trees *again = parsed(*state, once);
    assert_int_equal(rg_trees_write(*state, again, &twice), RG_OK);
    assert_int_equal(once.size, twice.size);
    assert_memory_equal(once.data, twice.data, once.size);
    for (float m = -1; m < 7; m += 0.25f)
        for (size_t i = 0; i < 2; i++) assert_true(sum(t, i, m, m) == sum(again, i, m, m));
    assert_true(again->members[1].traits[7] == 8 && again->unknown_spread == 0.3);
    rg_trees_free(again);
    rg_trees_free(t);
}

/* ---- broken files ---- */

static void assert_broken(rg_ctx *cx, rg_str bytes, rg_err wanted, const char *words)
{
    rg_trees *trees = NULL;
    rg_err err = rg_trees_parse(cx, bytes, "file", &trees);
    if (err != wanted || !strstr(rg_ctx_error(cx), words) ||
        !rg_str_starts(rg_str_of(rg_ctx_error(cx)), "file: "))
        fail_msg("%d, %s; wanted %d, %s", (int)err, err ? rg_ctx_error(cx) : "", (int)wanted, words);
}

static void a_file_cut_anywhere_is_told(void **state)
{
    rg_str bytes = good_file(*state);
    for (size_t size = 0; size < bytes.size; size++) {
        rg_ctx *cx = rg_ctx_new(NULL);
        char *part = malloc(size + 1); /* of its own, so that a sanitizer sees what lies behind */
        memcpy(part, bytes.data, size);
        assert_broken(cx, (rg_str){part, size}, RG_FORMAT, "file");
        free(part);
        rg_ctx_free(cx);
    }
}

static void broken_nodes_are_named(void **state)
{
    static const struct { int at; rg_tree_node node; rg_err err; const char *words; } cases[] = {
        {0, {1.5f, 2, 4}, RG_FORMAT, "member all: node 0 asks for feature 2 of 2"},
        {6, {0, 0xfffe, 2}, RG_FORMAT, "member gpu: node 0 asks for feature 65534 of 2"},
        {0, {1.5f, 0, 3}, RG_FORMAT, "member all: a right child should be node 4, not 3"},
        {1, {2, 1, 0}, RG_FORMAT, "member all: a right child should be node 3, not 1"},
        {1, {2, 1, 0xffff}, RG_FORMAT, "member all: a right child should be node 3, not 65536"},
        {2, {NAN, LEAF, 0}, RG_FORMAT, "member all: node 2 is no number"},
        {9, {INFINITY, 0, 2}, RG_FORMAT, "member gpu: node 3 is no number"},
        {5, {0.125f, 0, 2}, RG_FORMAT, "member all: its last tree goes on behind node 6"},
        {1, {2, LEAF, 0}, RG_FORMAT, "member all: a right child should be node 2, not 4"},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        rg_tree_node nodes[NODES];
        put_nodes(nodes);
        nodes[cases[i].at] = cases[i].node;
        assert_broken(*state, file_of(*state, GOOD, nodes, NODES), cases[i].err, cases[i].words);
    }
}

/* Splits to the left, each with a leaf at its right. */
static rg_str deep_file(rg_ctx *cx, int depth)
{
    rg_tree_node nodes[2 * (RG_TREES_DEPTH + 1) + 2] = {{0}};
    int count = 2 * depth + 1;
    for (int i = 0; i < depth; i++) nodes[i] = (rg_tree_node){0, 0, (uint16_t)(2 * (depth - i))};
    for (int i = depth; i < count; i++) nodes[i] = (rg_tree_node){1, LEAF, 0};
    nodes[count] = (rg_tree_node){2, LEAF, 0};
    const char *json = rg_arena_printf(&cx->arena, HEAD("[\"m\", \"k\"]", "[0, 0]", "%d", "1"), count);
    return file_of(cx, json, nodes, (size_t)count + 1);
}

static void depth_has_a_limit(void **state)
{
    rg_trees *t = parsed(*state, deep_file(*state, RG_TREES_DEPTH));
    assert_true(sum(t, 0, -1, 0) == 0.0625 + 1);
    rg_trees_free(t);
    assert_broken(*state, deep_file(*state, RG_TREES_DEPTH + 1), RG_LIMIT,
                  "member all: node 64 lies more than 64 deep");
}

static void counts_are_checked(void **state)
{
    static const struct { const char *json; rg_err err; const char *words; } cases[] = {
        {HEAD("[\"m\", \"k\"]", "[0, 0]", "6", "19"), RG_FORMAT, "member gpu: 19 nodes do not fit"},
        {HEAD("[\"m\", \"k\"]", "[0, 0]", "2147483647", "18"), RG_FORMAT, "member all: 2147483647 nodes do"},
        {HEAD("[\"m\", \"k\"]", "[0, 0]", "-1", "18"), RG_FORMAT, "members[0].nodes"},
        {HEAD("[\"m\", \"k\"]", "[0, 0]", "6", "15"), RG_FORMAT, "24 bytes behind"},
        {HEAD("[\"m\", \"k\"]", "[0]", "6", "18"), RG_FORMAT, "2 features, 1 low and 2 high"},
        {HEAD("[\"m\", \"k\", 1]", "[0, 0]", "6", "18"), RG_FORMAT, "features[2]"},
        {"{}", RG_FORMAT, "schema"},
        {"[", RG_FORMAT, "expected near end"},
    };
    rg_tree_node nodes[NODES];
    put_nodes(nodes);
    for (size_t i = 0; i < RG_COUNT(cases); i++)
        assert_broken(*state, file_of(*state, cases[i].json, nodes, NODES), cases[i].err, cases[i].words);
    assert_broken(*state, RG_LIT("{}\n"), RG_FORMAT, "its first line has 3 bytes, not a multiple of 8");
    assert_broken(*state, RG_LIT("{}"), RG_FORMAT, "none of its 2 bytes ends a first line");
}

static void features_have_a_limit(void **state)
{
    rg_ctx *cx = *state;
    rg_text names, zeros;
    rg_tree_node nodes[NODES];
    put_nodes(nodes);
    rg_text_init(&names, &cx->arena);
    rg_text_init(&zeros, &cx->arena);
    for (int i = 0; i <= RG_TREES_FEATURES; i++) {
        rg_text_printf(&names, "%s\"x%d\"", i ? ", " : "[", i);
        rg_text_printf(&zeros, "%s0", i ? ", " : "");
    }
    const char *json = rg_arena_printf(
        &cx->arena,
        "{\"schema\": \"ridge.trees/1\", \"key\": \"k\", \"made_of\": \"f\", \"data_hash\": \"0\", "
        "\"features\": %s], \"low\": [%s], \"high\": [%s], \"pooled_weight\": 0.5, \"reach\": 2, \"trust\": "
        "1, "
        "\"known_spread\": 0, \"sister_spread\": 0, \"unknown_spread\": 0, \"devices\": 1, \"members\": []}",
        names.data, zeros.data, zeros.data);
    char words[64];
    snprintf(words, sizeof words, "%d features exceed %d", RG_TREES_FEATURES + 1, RG_TREES_FEATURES);
    assert_broken(cx, file_of(cx, json, nodes, 0), RG_LIMIT, words);
}

/* ---- training ---- */

enum { ROWS = 600, COLUMNS = 5, ROUNDS = 40, DEPTH = 5 };

static void make_rows(float *x, float *y, float *weight)
{
    uint64_t random = 7;
    for (int i = 0; i < ROWS; i++) {
        float *at = x + i * COLUMNS;
        for (int k = 0; k < COLUMNS; k++) at[k] = (float)(4 * rg_random_unit(&random) - 2);
        y[i] = (float)sin((double)at[0]) + (at[1] > 0 ? 0.5f : -0.25f) * at[2];
        weight[i] = i % 3 ? 1 : 2;
    }
}

typedef struct api {
    int (*matrix)(const float *, uint64_t, uint64_t, float, void **);
    int (*info)(void *, const char *, const float *, uint64_t);
    int (*create)(void *const *, uint64_t, void **);
    int (*param)(void *, const char *, const char *);
    int (*update)(void *, int, void *);
    int (*predict)(void *, void *, int, unsigned, int, uint64_t *, const float **);
    int (*free_model)(void *);
    int (*free_matrix)(void *);
} api;

static void open_api(void *library, api *out)
{
    static const char *const names[] = {
        "XGDMatrixCreateFromMat", "XGDMatrixSetFloatInfo", "XGBoosterCreate", "XGBoosterSetParam",
        "XGBoosterUpdateOneIter", "XGBoosterPredict", "XGBoosterFree", "XGDMatrixFree",
    };
    void *found[RG_COUNT(names)];
    for (size_t i = 0; i < RG_COUNT(names); i++) assert_non_null(found[i] = dlsym(library, names[i]));
    assert_int_equal(sizeof found, sizeof *out);
    memcpy(out, found, sizeof *out);
}

/* The same training by the library itself, with the settings that boost.h has words for. */
static void train_there(const api *a, const float *x, const float *y, const float *weight, float *out)
{
    static const char *const settings[][2] = {
        {"tree_method", "hist"}, {"objective", "reg:squarederror"}, {"max_depth", "5"}, {"eta", "0.1"},
        {"min_child_weight", "4"}, {"subsample", "0.8"}, {"colsample_bytree", "0.7"}, {"seed", "1"},
        {"nthread", "1"}, {"base_score", "0"}, {"verbosity", "0"},
    };
    void *matrix, *model;
    const float *said;
    uint64_t count;
    assert_int_equal(a->matrix(x, ROWS, COLUMNS, NAN, &matrix), 0);
    assert_int_equal(a->info(matrix, "label", y, ROWS), 0);
    assert_int_equal(a->info(matrix, "weight", weight, ROWS), 0);
    assert_int_equal(a->create(&matrix, 1, &model), 0);
    for (size_t i = 0; i < RG_COUNT(settings); i++)
        assert_int_equal(a->param(model, settings[i][0], settings[i][1]), 0);
    for (int i = 0; i < ROUNDS; i++) assert_int_equal(a->update(model, i, matrix), 0);
    assert_int_equal(a->predict(model, matrix, 0, 0, 0, &count, &said), 0);
    assert_int_equal(count, ROWS);
    memcpy(out, said, ROWS * sizeof *out);
    a->free_model(model);
    a->free_matrix(matrix);
}

static void trained_trees_say_what_xgboost_says(void **state)
{
    static float x[ROWS * COLUMNS], y[ROWS], weight[ROWS], said[ROWS];
    static double sums[ROWS];
    rg_ctx *cx = *state;
    rg_booster *booster = NULL;
    rg_trees_member m = {.device = "d"};
    api a;
    double off = 0, all = 0;
    void *library = dlopen("libxgboost.so.0", RTLD_NOW | RTLD_NODELETE);
    if (!library) skip();
    open_api(library, &a);
    make_rows(x, y, weight);
    train_there(&a, x, y, weight, said);
    rg_boost_data data = {x, y, weight, ROWS, COLUMNS};
    rg_boost_opt opt = {.rounds = ROUNDS, .depth = DEPTH, .rate = 0.1, .leaf_weight = 4, .rows = 0.8,
                        .columns = 0.7, .seed = 1, .threads = 1};
    if (rg_booster_open(cx, &booster)) fail_msg("%s", rg_ctx_error(cx));
    if (rg_booster_train(cx, booster, &data, &opt, &cx->arena, &m)) fail_msg("%s", rg_ctx_error(cx));
    assert_int_equal(rg_trees_find_roots(cx, &cx->arena, &m, COLUMNS), RG_OK);
    assert_int_equal(m.tree_count, ROUNDS);
    for (int i = 0; i < ROWS; i++) {
        off = fmax(off, fabs(rg_trees_sum(&m, x + i * COLUMNS) - (double)said[i]));
        all += fabs((double)y[i]);
    }
    if (off > 1e-6) fail_msg("differs by %g", off);
    assert_true(all / ROWS > 0.3); /* there was something to say */
    for (size_t some = 0; some < 11; some++) { /* every other point, fewer than walk side by side or more */
        rg_trees_sums(&m, x, 2 * COLUMNS, some, sums);
        for (size_t i = 0; i < some; i++) assert_true(fabs(sums[i] - (double)said[2 * i]) <= 1e-6);
    }
    data.count = 0;
    assert_int_equal(rg_booster_train(cx, booster, &data, &opt, &cx->arena, &m), RG_INPUT);
    rg_booster_close(booster);
    dlclose(library);
}

/* ---- lines ---- */

/* 3 + 0.5 m - 2 k where m and k were measured, and no further beyond; as many slopes as features, or none. */
static void a_line_counts_within_what_was_measured(void **state)
{
    static const char *features[] = {"m", "k"};
    double low[] = {0, 1}, high[] = {1, 2}, slopes[] = {0.5, -2};
    rg_trees_member member = {.device = "gpu", .rows = 1, .start = 3, .slopes = slopes, .slope_count = 2};
    rg_trees trees = {.key = "k", .made_of = "f", .data_hash = "0", .features = features, .feature_count = 2,
                      .low = low, .low_count = 2, .high = high, .high_count = 2, .members = &member,
                      .member_count = 1, .reach = 1};
    const struct { float x[2]; double y; } cases[] = {
        {{0.5f, 1.5f}, 0.25}, {{1, 2}, -0.5}, {{7, 9}, -0.5}, {{-7, -9}, 1},
    };
    rg_trees *read = NULL;
    rg_str bytes;
    assert_int_equal(rg_trees_write(*state, &trees, &bytes), RG_OK);
    if (rg_trees_parse(*state, bytes, "made", &read)) fail_msg("%s", rg_ctx_error(*state));
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        const rg_trees_member *m = &read->members[0];
        assert_true(rg_trees_sum(m, cases[i].x) + rg_trees_line(read, m, cases[i].x) == cases[i].y);
    }
    rg_trees_free(read);
    member.slope_count = 1;
    assert_int_equal(rg_trees_write(*state, &trees, &bytes), RG_OK);
    assert_int_equal(rg_trees_parse(*state, bytes, "made", &read), RG_FORMAT);
    assert_non_null(strstr(rg_ctx_error(*state), "member gpu: 1 slopes of 2 features"));
}

/* Points on a line, one feature on it and one that never varies: what ridge regression leaves of the slope is
 * 1 / (1 + 0.1), as features have a variance of 1 there. */
static void a_fitted_line_is_its_closed_form(void **state)
{
    float x[2 * 9], y[9];
    double slopes[2], start;
    for (int i = 0; i < 9; i++) {
        x[2 * i] = (float)(3 * i), x[2 * i + 1] = 4;
        y[i] = 0.25f * (float)(3 * i) - 1;
    }
    const rg_boost_data data = {x, y, NULL, 9, 2};
    assert_int_equal(rg_line_fit(*state, &data, slopes, &start), RG_OK);
    assert_true(fabs(slopes[0] - 0.25 / 1.1) < 1e-9 && slopes[1] == 0);
    assert_true(fabs(start + slopes[0] * 12 - 2) < 1e-9); /* the means are met: 12, 2 */
    const rg_boost_data none = {x, y, NULL, 0, 2};
    assert_int_equal(rg_line_fit(*state, &none, slopes, &start), RG_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums_are_those_of_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(the_bytes_are_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_written_reads_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_cut_anywhere_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_nodes_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(depth_has_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(features_have_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_counts_within_what_was_measured, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fitted_line_is_its_closed_form, setup, teardown),
        cmocka_unit_test_setup_teardown(trained_trees_say_what_xgboost_says, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
