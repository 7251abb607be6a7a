/* test_onnx_out.c - what leaves and comes back: exported models read to an equal graph with equal constants,
 * made-up weights have the spread that they should have, and external data stay within the model's folder.
 */
#include "format/onnx.h"
#include "op/op.h"

#include "onnx_bytes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static rg_ctx *cx;
static char folder[64];

static int start(void **state)
{
    (void)state;
    cx = rg_ctx_new(NULL);
    snprintf(folder, sizeof folder, "/tmp/ridge-onnx-XXXXXX");
    return cx && mkdtemp(folder) ? 0 : 1;
}

static const char *path_of(const char *name)
{
    const char *path = rg_arena_printf(&cx->arena, "%s/%s", folder, name);
    assert_non_null(path);
    return path;
}

static int stop(void **state)
{
    (void)state;
    static const char *const names[] = {"a.onnx",      "b.onnx",           "c.onnx", "w.bin",
                                        "inner/w.bin", "inner/model.onnx", "inner"};
    for (size_t i = 0; i < RG_COUNT(names); i++) remove(path_of(names[i]));
    remove(folder);
    rg_ctx_free(cx);
    return 0;
}

static void write_bytes(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(path_of(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static rg_graph *load(const char *name)
{
    rg_graph *g = NULL;
    if (rg_onnx_load(cx, path_of(name), &g)) fail_msg("%s", rg_ctx_error(cx));
    return g;
}

/* Out and in again; each through a file of its own, as constants at one place of one file count as equal
 * unseen. */
static rg_graph *again(const rg_graph *g, const char *name, const rg_export_opt *opt)
{
    if (rg_graph_export(cx, g, path_of(name), opt)) fail_msg("%s", rg_ctx_error(cx));
    return load(name);
}

static const rg_tensor *find_const(const rg_graph *g, const char *name)
{
    for (rg_value_id id = 1; id < g->value_count; id++)
        if (rg_str_is(g->values[id].name, name) && g->values[id].role == RG_ROLE_CONST)
            return g->values[id].data;
    return NULL;
}

/* ---- there and back ---- */

/* An If whose branches hand out something from outside, a constant of each encoding, an omitted input, a
 * typed list. */
static void put_model(ob *model)
{
    ob graph = {0}, yes = {0}, no = {0}, attrs = {0}, w = {0}, ints = {0}, words = {0}, clip = {0};
    const float data[] = {0.5f, 2};
    ob_tensor(&w, "w", RG_F32, "2");
    ob_floats(&w, 2, data);
    ob_tensor(&ints, "ints", RG_I64, "2");
    ob_bytes(&ints, 7, "\x80\1\3", 3);
    ob_tensor(&words, "words", 8, "2");
    ob_str(&words, 6, "one");
    ob_str(&words, 6, "two");
    ob_initializer(&graph, &w);
    ob_initializer(&graph, &ints);
    ob_initializer(&graph, &words);
    ob_value(&graph, OB_INPUT, "x", RG_F32, "batch,2");
    ob_value(&graph, OB_INPUT, "cond", RG_BOOL, "");
    ob_node(&yes, NULL, "Add", "x,w", "sum", NULL);
    ob_value(&yes, OB_OUTPUT, "sum", RG_F32, NULL);
    ob_value(&no, OB_OUTPUT, "x", RG_F32, NULL);
    ob_attr_graph(&attrs, "then_branch", &yes);
    ob_attr_graph(&attrs, "else_branch", &no);
    ob_node(&graph, "choose", "If", "cond", "a", &attrs);
    ob_attr_float(&clip, "alpha", 0.25f);
    ob_node(&graph, "leaky", "LeakyRelu", "a", "b", &clip);
    ob_node(&graph, "clip", "Clip", "b,,w", "y", NULL);
    ob_node(&graph, "words", "Identity", "words", "said", NULL);
    ob_node(&graph, "ints", "Identity", "ints", "numbers", NULL);
    ob_value(&graph, OB_OUTPUT, "y", RG_F32, "batch,2");
    ob_value(&graph, OB_OUTPUT, "said", 8, "2");
    ob_value(&graph, OB_OUTPUT, "numbers", RG_I64, "2");
    ob_model(model, &graph);
}

static void check_consts(const rg_graph *a, const rg_graph *b)
{
    static const char *const names[] = {"w", "ints", "words"};
    for (size_t i = 0; i < RG_COUNT(names); i++) {
        const rg_tensor *x = find_const(a, names[i]), *y = find_const(b, names[i]);
        assert_true(x && y);
        assert_true(rg_tensor_eq(x, y));
    }
}

/* The branch that hands out x gets an Identity; from then on nothing changes any more. */
static void test_round_trip(void **state)
{
    (void)state;
    ob model = {0};
    put_model(&model);
    write_bytes("a.onnx", model.data, model.size);
    rg_graph *g = load("a.onnx");
    rg_graph *b = again(g, "b.onnx", NULL);
    assert_int_equal(b->node_count, g->node_count + 1);
    assert_int_equal(b->opset >= 18, 1);
    check_consts(g, b);
    rg_graph *c = again(b, "c.onnx", NULL);
    assert_true(rg_graph_hash(b) == rg_graph_hash(c));
    check_consts(g, c);
    rg_graph_free(g);
    rg_graph_free(b);
    rg_graph_free(c);
}

/* Split of opset 13 may leave the parts unsaid; opset 18, which is written, wants at least their number. */
static void test_equal_parts_are_counted(void **state)
{
    (void)state;
    ob graph = {0}, model = {0};
    ob_value(&graph, OB_INPUT, "x", RG_F32, "6");
    ob_node(&graph, "cut", "Split", "x", "a,b,c", NULL);
    ob_value(&graph, OB_OUTPUT, "b", RG_F32, "2");
    ob_model(&model, &graph);
    write_bytes("a.onnx", model.data, model.size);
    rg_graph *g = load("a.onnx"), *b = again(g, "b.onnx", NULL);
    assert_null(rg_node_attr(&g->nodes[1], "num_outputs"));
    assert_int_equal(rg_node_attr(&b->nodes[1], "num_outputs")->i, 3);
    rg_graph_free(g);
    rg_graph_free(b);
}

/* What is to be written as it was read keeps its open sizes, and operators that nobody here can compute. */
static void test_as_it_was_read(void **state)
{
    (void)state;
    static const rg_load_opt as_read = {.size = sizeof as_read, .raw = true, .symbolic = true};
    static const rg_load_opt bound = {.size = sizeof bound, .raw = true, .symbolic = true, .batch = 4};
    ob graph = {0}, model = {0};
    const rg_graph *g = NULL;
    ob_value(&graph, OB_INPUT, "x", RG_F32, "batch,2");
    ob_node_in(&graph, OB_GRAPH_NODE, "local", "own", "Own", "x", "a", NULL);
    ob_node(&graph, "relu", "Relu", "a", "y", NULL);
    ob_value(&graph, OB_OUTPUT, "y", RG_F32, "batch,2");
    ob_model(&model, &graph);
    write_bytes("a.onnx", model.data, model.size);
    assert_int_equal(rg_graph_load(cx, path_of("a.onnx"), NULL, &g), RG_UNSUPPORTED);
    assert_int_equal(rg_graph_load(cx, path_of("a.onnx"), &bound, &g), RG_UNSUPPORTED);
    assert_int_equal(rg_graph_load(cx, path_of("a.onnx"), &as_read, &g), RG_OK);
    rg_graph *b = again(g, "b.onnx", NULL);
    const rg_type *type = &b->values[b->regions[RG_MAIN].outputs[0]].type;
    assert_true(rg_str_is(rg_dim_expr_of(&b->dims, type->dim[0])->name, "batch"));
    assert_true(rg_str_is(b->nodes[1].type, "Own"));
    assert_true(rg_str_is(b->nodes[1].domain, "local"));
    rg_graph_free(g);
    rg_graph_free(b);
}

static void test_splats_are_written_out(void **state)
{
    (void)state;
    static const struct { rg_dtype dtype; uint8_t element[4]; int64_t count; double x;
    } splats[] = {
        {RG_F32, {0, 0, 0x80, 0x3f}, 5000, 1},
        {RG_F16, {0, 0x3c}, 3, 1},
        {RG_I4, {0x0e}, 9, -2},
        {RG_U2, {3}, 5, 3},
    };
    for (size_t i = 0; i < RG_COUNT(splats); i++) {
        rg_build build;
        rg_value_id id;
        rg_graph *g;
        assert_int_equal(rg_build_init(&build, cx, "splat"), RG_OK);
        rg_tensor t = {.dtype = splats[i].dtype,
                       .rank = 1,
                       .dim = &splats[i].count,
                       .count = splats[i].count,
                       .encoding = RG_DATA_SPLAT,
                       .data = splats[i].element,
                       .size = sizeof splats[i].element};
        assert_int_equal(rg_graph_add_const(cx, build.g, RG_LIT("c"), &t, &id), RG_OK);
        rg_build_output(&build, "y", rg_build_node(&build, "Identity", NULL, id, -1));
        assert_int_equal(rg_build_done(&build, &g), RG_OK);
        rg_graph *b = again(g, "b.onnx", NULL);
        const rg_tensor *c = find_const(b, "c");
        assert_non_null(c);
        assert_int_equal(c->encoding, RG_DATA_RAW);
        assert_true(rg_tensor_real(c, 0) == splats[i].x && rg_tensor_real(c, c->count - 1) == splats[i].x);
        rg_graph_free(b);
        rg_graph_free(g);
    }
}

/* ---- made-up weights ---- */

static rg_graph *build_layer(void)
{
    rg_build b;
    rg_graph *g = NULL;
    assert_int_equal(rg_build_init(&b, cx, "layer"), RG_OK);
    rg_value_id x = rg_build_input(&b, "x", RG_F32, 2, (const rg_dim[]){1, 300});
    rg_value_id w = rg_build_param(&b, "w", RG_F32, 2, (const int64_t[]){300, 40});
    rg_value_id bias = rg_build_param(&b, "bias", RG_F32, 1, (const int64_t[]){40});
    rg_build_output(&b, "y", rg_build_node(&b, "Gemm", NULL, x, w, bias, -1));
    assert_int_equal(rg_build_done(&b, &g), RG_OK);
    return g;
}

static const rg_tensor *const_like(const rg_graph *g, int rank)
{
    for (rg_value_id id = 1; id < g->value_count; id++)
        if (g->values[id].role == RG_ROLE_CONST && g->values[id].data->rank == rank)
            return g->values[id].data;
    return NULL;
}

static void test_random_weights(void **state)
{
    (void)state;
    rg_graph *g = build_layer();
    const rg_export_opt one = {.size = sizeof one, .weights = "random", .seed = 1},
                        two = {.size = sizeof two, .weights = "random", .seed = 2};
    assert_int_equal(rg_graph_export(cx, g, path_of("b.onnx"), NULL), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(cx), "has no values"));
    rg_graph *a = again(g, "a.onnx", &one), *b = again(g, "b.onnx", &one), *c = again(g, "c.onnx", &two);
    const rg_tensor *w = const_like(a, 2), *bias = const_like(a, 1);
    assert_true(rg_tensor_eq(w, const_like(b, 2)));
    assert_false(rg_tensor_eq(w, const_like(c, 2)));
    double bound = sqrt(3.0 / 300), sum = 0, squares = 0;
    for (int64_t i = 0; i < w->count; i++) {
        double x = rg_tensor_real(w, i);
        assert_true(fabs(x) <= bound * 1.000001);
        sum += x;
        squares += x * x;
    }
    /* uniform in (-a, a): mean 0, variance a^2 / 3 = 1 / fan_in; 12000 samples, five standard errors */
    assert_true(fabs(sum / 12000) < 5 * sqrt(1.0 / 300 / 12000));
    assert_true(fabs(squares / 12000 * 300 - 1) < 0.05);
    for (int64_t i = 0; i < bias->count; i++)
        assert_true(rg_tensor_real(bias, i) >= 0.5 && rg_tensor_real(bias, i) <= 1.5);
    rg_graph_free(g);
    rg_graph_free(a);
    rg_graph_free(b);
    rg_graph_free(c);
}

static void test_unwritable(void **state)
{
    (void)state;
    rg_graph *g = build_layer();
    const rg_export_opt opt = {.size = sizeof opt, .weights = "random"},
                        odd = {.size = sizeof odd, .weights = "zero"};
    assert_int_equal(rg_graph_export(cx, g, path_of("nowhere/b.onnx"), &opt), RG_INPUT);
    assert_int_equal(rg_graph_export(cx, g, path_of("b.onnx"), &odd), RG_INPUT);
    assert_int_not_equal(access(path_of("b.onnx"), F_OK), 0);
    rg_graph_free(g);
}

/* ---- external data ---- */

static void put_entry(ob *tensor, const char *key, const char *value)
{
    ob entry = {0};
    ob_str(&entry, 1, key);
    ob_str(&entry, 2, value);
    ob_put(tensor, 13, &entry);
}

/* A model in `name` with the constant f32[2] `w` at a place of another file; NULL leaves an entry out. */
static rg_err load_external(const char *name, const char *location, const char *offset, const char *length,
                            rg_graph **out)
{
    ob graph = {0}, model = {0}, w = {0};
    ob_tensor(&w, "w", RG_F32, "2");
    put_entry(&w, "location", location);
    if (offset) put_entry(&w, "offset", offset);
    if (length) put_entry(&w, "length", length);
    ob_int(&w, 14, 1);
    ob_initializer(&graph, &w);
    ob_model(&model, &graph);
    write_bytes(name, model.data, model.size);
    return rg_onnx_load(cx, path_of(name), out);
}

static void test_external(void **state)
{
    (void)state;
    const float data[] = {7, 1.5f, -2};
    rg_graph *g = NULL;
    assert_int_equal(mkdir(path_of("inner"), 0700), 0);
    write_bytes("inner/w.bin", data, sizeof data);
    write_bytes("w.bin", data, sizeof data);
    assert_int_equal(load_external("a.onnx", "inner/w.bin", "4", "8", &g), RG_OK);
    const rg_tensor *w = find_const(g, "w");
    assert_true(rg_tensor_real(w, 0) == 1.5 && rg_tensor_real(w, 1) == -2);
    assert_int_equal(w->offset, 4);
    assert_int_equal(g->file_count, 2);
    rg_graph_free(g);
    assert_int_equal(load_external("a.onnx", "w.bin", NULL, NULL, &g), RG_OK);
    assert_true(rg_tensor_real(find_const(g, "w"), 0) == 7);
    rg_graph_free(g);
}

static void test_external_refused(void **state)
{
    (void)state;
    static const struct { const char *location, *offset, *length; rg_err err; const char *words; } cases[] = {
        {"../w.bin",    "0",  "8",  RG_FORMAT, "outside of the model's folder"},
        {"x/../../w.bin", "0", "8", RG_FORMAT, "outside of the model's folder"},
        {"/etc/passwd", "0",  "8",  RG_FORMAT, "outside of the model's folder"},
        {"link.bin",    "0",  "8",  RG_FORMAT, "outside of the model's folder"},
        {"missing.bin", "0",  "8",  RG_INPUT,  "missing.bin"},
        {".",           "0",  "8",  RG_FORMAT, "outside of the model's folder"},
        {"",            "0",  "8",  RG_FORMAT, "without a location"},
        {"w.bin",       "8",  "8",  RG_FORMAT, "has 12 bytes, the tensor lies at 8"},
        {"w.bin",       "99999999999999", "8", RG_FORMAT, "has 12 bytes"},
        {"w.bin",       "9223372036854775807", "8", RG_FORMAT, "has 12 bytes"},
        {"w.bin",       "-4", "8",  RG_FORMAT, "'-4' is not a number of bytes"},
        {"w.bin",       "0",  "4",  RG_FORMAT, "has 4 bytes, the tensor's type needs 8"},
    };
    const float data[] = {7, 1.5f, -2};
    rg_graph *g = NULL;
    assert_int_equal(mkdir(path_of("inner"), 0700), 0);
    write_bytes("inner/w.bin", data, sizeof data);
    write_bytes("w.bin", data, sizeof data);
    assert_int_equal(symlink("../w.bin", path_of("inner/link.bin")), 0);
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        rg_err err =
            load_external("inner/model.onnx", cases[i].location, cases[i].offset, cases[i].length, &g);
        if (err != cases[i].err || !strstr(rg_ctx_error(cx), cases[i].words))
            fail_msg("'%s': \"%s\", expected \"%s\"", cases[i].location, rg_ctx_error(cx), cases[i].words);
        assert_non_null(strstr(rg_ctx_error(cx), "model.onnx: initializer 'w': "));
    }
    remove(path_of("inner/link.bin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, start, stop),
        cmocka_unit_test_setup_teardown(test_equal_parts_are_counted, start, stop),
        cmocka_unit_test_setup_teardown(test_as_it_was_read, start, stop),
        cmocka_unit_test_setup_teardown(test_splats_are_written_out, start, stop),
        cmocka_unit_test_setup_teardown(test_random_weights, start, stop),
        cmocka_unit_test_setup_teardown(test_unwritable, start, stop),
        cmocka_unit_test_setup_teardown(test_external, start, stop),
        cmocka_unit_test_setup_teardown(test_external_refused, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
