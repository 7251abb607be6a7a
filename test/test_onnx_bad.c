/* test_onnx_bad.c - files that are wrong: each has its error and names the thing; cut anywhere, bent
 * anywhere, or out of memory, the reader answers and leaves nothing behind.
 */
#include "format/onnx.h"

#include "onnx_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static rg_ctx *cx;

static int start(void **state)
{
    (void)state;
    cx = rg_ctx_new(NULL);
    return cx ? 0 : 1;
}

static int stop(void **state)
{
    (void)state;
    rg_ctx_free(cx);
    return 0;
}

static rg_err parse_bytes(rg_ctx *with, const void *data, size_t size)
{
    rg_graph *g = NULL;
    rg_err err = rg_onnx_parse(with, (rg_str){data, size}, NULL, &g);
    if (!err) rg_graph_free(g);
    return err;
}

static void expect(const ob *model, rg_err err, const char *words)
{
    rg_err got = parse_bytes(cx, model->data, model->size);
    if (got != err || !strstr(rg_ctx_error(cx), words))
        fail_msg("%s: \"%s\", expected %s with \"%s\"", rg_err_text(got), got ? rg_ctx_error(cx) : "",
                 rg_err_text(err), words);
}

static void expect_graph(const ob *graph, rg_err err, const char *words)
{
    ob model = {0};
    ob_model(&model, graph);
    expect(&model, err, words);
}

/* x -> Relu -> y */
static void put_chain(ob *graph)
{
    ob_value(graph, OB_INPUT, "x", RG_F32, "2");
    ob_node(graph, "relu", "Relu", "x", "y", NULL);
    ob_value(graph, OB_OUTPUT, "y", RG_F32, "2");
}

/* ---- heads ---- */

static void test_heads(void **state)
{
    (void)state;
    static const struct { int64_t ir, opset; rg_err err; const char *words; } cases[] = {
        {8, RG_OPSET_MAX, RG_OK, ""},
        {8, RG_OPSET_MAX + 1, RG_UNSUPPORTED, "opset 29 is newer than 28"},
        {8, 0, RG_FORMAT, "version 0"},
        {8, -1, RG_FORMAT, "version -1"},
        {14, 17, RG_UNSUPPORTED, "IR version 14 is newer than 13"},
        {0, 17, RG_FORMAT, "IR version 0"},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        ob graph = {0}, model = {0};
        put_chain(&graph);
        ob_int(&model, 1, cases[i].ir);
        ob_opset(&model, OB_MODEL_OPSET, "", cases[i].opset);
        ob_put(&model, OB_MODEL_GRAPH, &graph);
        if (cases[i].err) expect(&model, cases[i].err, cases[i].words);
        else assert_int_equal(parse_bytes(cx, model.data, model.size), RG_OK);
    }
    ob nothing = {0}, twice = {0}, graph = {0}, none = {0};
    expect(&nothing, RG_FORMAT, "not an ONNX model");
    ob_model(&twice, &graph);
    ob_opset(&twice, OB_MODEL_OPSET, "ai.onnx", 13); /* another name of "" */
    expect(&twice, RG_FORMAT, "imported twice");
    put_chain(&graph);
    ob_int(&none, 1, 8);
    ob_put(&none, OB_MODEL_GRAPH, &graph);
    expect(&none, RG_FORMAT, "node 'relu' (Relu): the model imports no opset");
}

/* ---- names ---- */

static void test_names(void **state)
{
    (void)state;
    ob undefined = {0}, twice = {0}, cycle = {0}, outside = {0}, bytes = {0}, nameless = {0}, output = {0};
    ob idle = {0};
    ob_node(&undefined, "relu", "Relu", "x", "y", NULL);
    expect_graph(&undefined, RG_FORMAT, "node 'relu' (Relu): 'x' is not defined");
    put_chain(&twice);
    ob_node(&twice, "again", "Neg", "x", "y", NULL);
    expect_graph(&twice, RG_FORMAT, "node 'again' (Neg): 'y' is defined twice");
    ob_node(&cycle, "one", "Relu", "b", "a", NULL);
    ob_node(&cycle, "two", "Neg", "a", "b", NULL);
    ob_value(&cycle, OB_OUTPUT, "b", RG_F32, "2");
    expect_graph(&cycle, RG_FORMAT, "cycle");
    put_chain(&outside);
    ob_value(&outside, OB_OUTPUT, "nowhere", RG_F32, "2");
    expect_graph(&outside, RG_FORMAT, "'nowhere' is not defined");
    ob_value(&bytes, OB_INPUT, "caf\xe9", RG_F32, "2");
    expect_graph(&bytes, RG_FORMAT, "not UTF-8 at byte 3");
    ob_value(&nameless, OB_INPUT, "", RG_F32, "2");
    expect_graph(&nameless, RG_FORMAT, "has no name");
    ob_node(&output, NULL, "", "", "y", NULL);
    expect_graph(&output, RG_FORMAT, "names no operator");
    ob_node(&idle, "idle", "Relu", "", "", NULL);
    expect_graph(&idle, RG_FORMAT, "node 'idle' (Relu): it has neither inputs nor outputs");
}

/* ---- tensors ---- */

static void test_tensors(void **state)
{
    (void)state;
    static const struct { int dtype; const char *dims; int size; rg_err err; const char *words; } cases[] = {
        {RG_F32, "2,3", 4, RG_FORMAT, "initializer 'w': tensor has 4 bytes, f32[2,3] needs 24"},
        {RG_F32, "2,3", 25, RG_FORMAT, "needs 24"},
        {RG_F32, "", 0, RG_FORMAT, "f32[] needs 4"},
        {RG_I4, "3", 1, RG_FORMAT, "i4[3] needs 2"},
        {RG_F32, "-1", 4, RG_FORMAT, "size -1 at axis 0"},
        {RG_F32, "4294967296,4294967296", 4, RG_FORMAT, "63 bits"},
        {RG_F32, "4611686018427387904", 4, RG_FORMAT, "63 bits"},
        {RG_F32, "1,1,1,1,1,1,1,1,1", 4, RG_LIMIT, "rank 9, the limit is 8"},
        {99, "1", 4, RG_UNSUPPORTED, "element type 99"},
        {0, "1", 4, RG_UNSUPPORTED, "element type 0"},
        {8, "2", 4, RG_FORMAT, "0 elements, its shape needs 2"},
    };
    static const uint8_t zeros[32];
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        ob graph = {0}, w = {0};
        ob_tensor(&w, "w", cases[i].dtype, cases[i].dims);
        ob_bytes(&w, 9, zeros, (size_t)cases[i].size);
        ob_initializer(&graph, &w);
        expect_graph(&graph, cases[i].err, cases[i].words);
    }
    ob few = {0}, cut = {0}, none = {0}, graph = {0}, graph2 = {0}, graph3 = {0};
    ob_tensor(&few, "w", RG_I64, "3");
    ob_bytes(&few, 7, "\1\2", 2);
    ob_initializer(&graph, &few);
    expect_graph(&graph, RG_FORMAT, "2 elements, its shape needs 3");
    ob_tensor(&cut, "w", RG_I64, "2");
    ob_bytes(&cut, 7, "\1\x82", 2);
    ob_initializer(&graph2, &cut);
    expect_graph(&graph2, RG_FORMAT, "middle of an element");
    ob_tensor(&none, "w", RG_F32, "2");
    ob_initializer(&graph3, &none);
    expect_graph(&graph3, RG_FORMAT, "tensor has 0 bytes, f32[2] needs 8");
}

/* ---- nesting ---- */

static void test_deep_graphs(void **state)
{
    (void)state;
    ob inner = {0};
    for (int i = 0; i < RG_NEST_MAX + 8; i++) {
        ob attrs = {0}, outer = {0};
        ob_attr_graph(&attrs, "then_branch", &inner);
        ob_node(&outer, "deep", "If", "", "y", &attrs);
        inner = outer;
    }
    expect_graph(&inner, RG_LIMIT, "nest deeper than 32");
}

static void test_deep_types(void **state)
{
    (void)state;
    ob type = {0}, value = {0}, graph = {0};
    ob_type(&type, RG_F32, "2");
    for (int i = 0; i < RG_NEST_MAX + 8; i++) {
        ob elem = {0}, outer = {0};
        ob_put(&elem, 1, &type);
        ob_put(&outer, 4, &elem);
        type = outer;
    }
    ob_str(&value, 1, "x");
    ob_put(&value, 2, &type);
    ob_put(&graph, OB_INPUT, &value);
    expect_graph(&graph, RG_LIMIT, "input 'x': its type nests deeper than 32");
}

/* ---- functions ---- */

static void test_recursion(void **state)
{
    (void)state;
    ob graph = {0}, model = {0}, f = {0}, g = {0};
    ob_function(&f, "f", "x", "y");
    ob_node_in(&f, OB_FUNCTION_NODE, "local", "inner", "g", "x", "y", NULL);
    ob_function(&g, "g", "x", "y");
    ob_node_in(&g, OB_FUNCTION_NODE, "local", "back", "f", "x", "y", NULL);
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_node_in(&graph, OB_GRAPH_NODE, "local", "call", "f", "x", "y", NULL);
    ob_model(&model, &graph);
    ob_put(&model, OB_MODEL_FUNCTION, &f);
    ob_put(&model, OB_MODEL_FUNCTION, &g);
    expect(&model, RG_FORMAT, "function 'f' calls itself");
}

/* Twenty functions, each calling the one before four times: 4^20 nodes from 2 kB. */
static void test_explosion(void **state)
{
    (void)state;
    ob graph = {0}, model = {0};
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_node_in(&graph, OB_GRAPH_NODE, "local", "call", "f19", "x", "y", NULL);
    ob_model(&model, &graph);
    for (int i = 0; i < 20; i++) {
        char name[16], before[16];
        ob f = {0};
        snprintf(name, sizeof name, "f%d", i);
        snprintf(before, sizeof before, "f%d", i - 1);
        ob_function(&f, name, "x", "e");
        const char *const in[] = {"x", "b", "c", "d"}, *const out[] = {"b", "c", "d", "e"};
        for (int k = 0; k < 4; k++)
            ob_node_in(&f, OB_FUNCTION_NODE, i ? "local" : NULL, NULL, i ? before : "Relu", in[k], out[k],
                       NULL);
        ob_put(&model, OB_MODEL_FUNCTION, &f);
    }
    expect(&model, RG_LIMIT, "functions unfold to more than");
}

static void test_calls(void **state)
{
    (void)state;
    ob graph = {0}, model = {0}, f = {0}, graph2 = {0}, model2 = {0}, f2 = {0}, stray = {0}, attrs = {0};
    ob_function(&f, "f", "x", "y");
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_node_in(&graph, OB_GRAPH_NODE, "local", "call", "f", "x", "y", NULL);
    ob_model(&model, &graph);
    ob_put(&model, OB_MODEL_FUNCTION, &f);
    expect(&model, RG_FORMAT, "node 'call' (f): function 'f': output 'y': 'y' is not defined");
    ob_put(&model, OB_MODEL_FUNCTION, &f);
    expect(&model, RG_FORMAT, "function 'f' is defined twice");
    ob_function(&f2, "f", "x", "x");
    ob_value(&graph2, OB_INPUT, "x", RG_F32, "2");
    ob_node_in(&graph2, OB_GRAPH_NODE, "local", "call", "f", "x,x", "y", NULL);
    ob_model(&model2, &graph2);
    ob_put(&model2, OB_MODEL_FUNCTION, &f2);
    expect(&model2, RG_FORMAT, "it has 2 inputs and 1 outputs, the function has 1 and 1");
    ob_attr_ref(&attrs, "alpha", "slope", 1);
    ob_value(&stray, OB_INPUT, "x", RG_F32, "2");
    ob_node(&stray, "leaky", "LeakyRelu", "x", "y", &attrs);
    expect_graph(&stray, RG_FORMAT, "node 'leaky' (LeakyRelu): attribute 'alpha': it refers to 'slope'");
}

/* What stands in for an attribute that the call lacks must be a value: nobody is left to refer to. */
static void test_default_that_refers(void **state)
{
    (void)state;
    ob graph = {0}, model = {0}, f = {0}, attrs = {0}, preset = {0};
    ob_function(&f, "f", "x", "y");
    ob_attr_ref(&attrs, "alpha", "slope", 1);
    ob_node_in(&f, OB_FUNCTION_NODE, NULL, "leaky", "LeakyRelu", "x", "y", &attrs);
    ob_str(&preset, 1, "slope");
    ob_str(&preset, 21, "other");
    ob_put(&f, 11, &preset);
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_node_in(&graph, OB_GRAPH_NODE, "local", "call", "f", "x", "y", NULL);
    ob_model(&model, &graph);
    ob_put(&model, OB_MODEL_FUNCTION, &f);
    expect(&model, RG_FORMAT, "the default of attribute 'slope' is a reference, not a value");
}

/* ---- attributes ---- */

static void test_attributes(void **state)
{
    (void)state;
    ob twice = {0}, attrs = {0}, sparse = {0}, attrs2 = {0}, empty = {0}, constant = {0}, attrs3 = {0},
       value = {0};
    ob_value(&twice, OB_INPUT, "x", RG_F32, "2");
    ob_attr_int(&attrs, "axis", 0);
    ob_attr_int(&attrs, "axis", 1);
    ob_node(&twice, "s", "Softmax", "x", "y", &attrs);
    expect_graph(&twice, RG_FORMAT, "node 's' (Softmax): attribute 'axis' is given twice");
    ob_attr(&attrs2, "axis", 11, &empty);
    ob_value(&sparse, OB_INPUT, "x", RG_F32, "2");
    ob_node(&sparse, "s", "Softmax", "x", "y", &attrs2);
    expect_graph(&sparse, RG_UNSUPPORTED, "attribute 'axis': its type 11");
    ob_str(&value, 4, "text");
    ob_attr(&attrs3, "value_int", 3, &value);
    ob_node(&constant, NULL, "Constant", "", "c", &attrs3);
    expect_graph(&constant, RG_FORMAT,
                 "node of 'c' (Constant): attribute 'value_int' has a value of another kind");
}

/* ---- damage ---- */

/* A little of everything: bodies, functions, typed and raw data, strings, types of types. */
static void put_everything(ob *model)
{
    ob graph = {0}, body = {0}, attrs = {0}, w = {0}, ints = {0}, words = {0}, f = {0}, ref = {0}, call = {0},
       c = {0}, ca = {0};
    const float data[] = {1, 2};
    ob_tensor(&w, "w", RG_F32, "2");
    ob_floats(&w, 2, data);
    ob_tensor(&ints, "ints", RG_I32, "3");
    ob_bytes(&ints, 5, "\1\x80\1\3", 4);
    ob_tensor(&words, "words", 8, "1");
    ob_str(&words, 6, "word");
    ob_initializer(&graph, &w);
    ob_initializer(&graph, &ints);
    ob_initializer(&graph, &words);
    ob_value(&graph, OB_INPUT, "x", RG_F32, "batch,?");
    ob_value(&graph, OB_INPUT, "cond", RG_BOOL, "");
    ob_node(&body, "in", "Add", "x,w", "z", NULL);
    ob_value(&body, OB_OUTPUT, "z", RG_F32, NULL);
    ob_attr_graph(&attrs, "then_branch", &body);
    ob_attr_graph(&attrs, "else_branch", &body);
    ob_node(&graph, "if", "If", "cond", "a", &attrs);
    ob_tensor(&c, NULL, RG_F16, "1");
    ob_int(&c, 5, 0x3c00);
    ob_attr_tensor(&ca, "value", &c);
    ob_node(&graph, NULL, "Constant", "", "c", &ca);
    ob_attr_float(&call, "slope", 0.5f);
    ob_node_in(&graph, OB_GRAPH_NODE, "local", "call", "f", "a", "y", &call);
    ob_value(&graph, OB_OUTPUT, "y", RG_F32, "batch,2");
    ob_value(&graph, OB_VALUE_INFO, "a", RG_F32, "batch,2");
    ob_model(model, &graph);
    ob_function(&f, "f", "x", "y");
    ob_attr_ref(&ref, "alpha", "slope", 1);
    ob_node_in(&f, OB_FUNCTION_NODE, NULL, "leaky", "LeakyRelu", "x", "y", &ref);
    ob_put(model, OB_MODEL_FUNCTION, &f);
}

/* Each cut lies in a block of its own size, so that a sanitizer sees a read past the end. */
static void test_every_cut(void **state)
{
    (void)state;
    ob model = {0};
    put_everything(&model);
    assert_int_equal(parse_bytes(cx, model.data, model.size), RG_OK);
    for (size_t size = 0; size < model.size; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        assert_non_null(copy);
        memcpy(copy, model.data, size);
        rg_err err = parse_bytes(cx, copy, size);
        free(copy);
        if (err == RG_INTERNAL) fail_msg("cut at %zu: %s", size, rg_ctx_error(cx));
    }
}

static void test_every_byte_bent(void **state)
{
    (void)state;
    static const uint8_t bends[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    ob model = {0};
    put_everything(&model);
    for (size_t at = 0; at < model.size; at++) {
        uint8_t was = model.data[at];
        for (size_t i = 0; i < RG_COUNT(bends); i++) {
            model.data[at] = bends[i];
            if (parse_bytes(cx, model.data, model.size) == RG_INTERNAL)
                fail_msg("byte %zu is %02x: %s", at, bends[i], rg_ctx_error(cx));
        }
        model.data[at] = was;
    }
}

/* A length that reaches past the end, at each level of the file. */
static void test_lying_lengths(void **state)
{
    (void)state;
    static const struct { const char *bytes; size_t size; const char *words; } cases[] = {
        {"\x08\x08\x3a\xff\xff\xff\xff\x0f", 8,
         "not a whole ONNX model: ModelProto is malformed or cut off at byte 2"},
        {"\x08\x08\x3a\x02\x0a\x7f", 6, "GraphProto is malformed or cut off at byte 0"},
        {"\x08\x08\x3a\x04\x0a\x02\x0a\x05", 8, "NodeProto is malformed"},
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "ModelProto is malformed"},
        {"\x0a\x00", 2, "ModelProto.ir_version has wire type 2"},
        {"\x0b", 1, "ModelProto is malformed"},
        {"\x00\x00", 2, "ModelProto is malformed"},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        rg_err err = parse_bytes(cx, cases[i].bytes, cases[i].size);
        if (err != RG_FORMAT || !strstr(rg_ctx_error(cx), cases[i].words))
            fail_msg("case %zu: \"%s\", expected \"%s\"", i, rg_ctx_error(cx), cases[i].words);
    }
}

/* ---- memory ---- */

typedef struct meter { long given, returned, refuse_at; } meter;

static void *metered_alloc(void *user, size_t size)
{
    meter *m = user;
    if (m->given + 1 >= m->refuse_at) return NULL;
    void *block = calloc(1, size);
    if (block) m->given++;
    return block;
}

static void metered_free(void *user, void *block)
{
    meter *m = user;
    if (block) m->returned++;
    free(block);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    ob model = {0};
    put_everything(&model);
    for (long n = 2;; n++) {
        meter m = {.refuse_at = n};
        rg_ctx_opt opt = {.size = sizeof opt, .alloc = metered_alloc, .free = metered_free, .user = &m};
        rg_ctx *small = rg_ctx_new(&opt);
        if (!small) continue;
        rg_err err = parse_bytes(small, model.data, model.size);
        rg_ctx_free(small);
        assert_int_equal(m.given, m.returned);
        if (!err) break;
        assert_int_equal(err, RG_NOMEM);
        assert_true(n < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_heads, start, stop),
        cmocka_unit_test_setup_teardown(test_names, start, stop),
        cmocka_unit_test_setup_teardown(test_tensors, start, stop),
        cmocka_unit_test_setup_teardown(test_deep_graphs, start, stop),
        cmocka_unit_test_setup_teardown(test_deep_types, start, stop),
        cmocka_unit_test_setup_teardown(test_recursion, start, stop),
        cmocka_unit_test_setup_teardown(test_explosion, start, stop),
        cmocka_unit_test_setup_teardown(test_calls, start, stop),
        cmocka_unit_test_setup_teardown(test_default_that_refers, start, stop),
        cmocka_unit_test_setup_teardown(test_attributes, start, stop),
        cmocka_unit_test_setup_teardown(test_every_cut, start, stop),
        cmocka_unit_test_setup_teardown(test_every_byte_bent, start, stop),
        cmocka_unit_test_setup_teardown(test_lying_lengths, start, stop),
        cmocka_unit_test_setup_teardown(test_out_of_memory, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
