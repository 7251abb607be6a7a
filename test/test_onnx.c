/* test_onnx.c - what the reader makes of well-formed ONNX: types, constants of every element type and
 * encoding, Constant nodes, bodies, functions, dimensions. Expected values are those of the element types'
 * definitions and of onnx.proto.
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

static rg_str bytes_of(const ob *b) { return (rg_str){(const char *)b->data, b->size}; }

/* The model's graph; a failure prints why. */
static rg_graph *parse(const ob *model)
{
    rg_graph *g = NULL;
    if (rg_onnx_parse(cx, bytes_of(model), NULL, &g)) fail_msg("%s", rg_ctx_error(cx));
    return g;
}

static rg_graph *parse_graph(const ob *graph)
{
    static ob model; /* the graph's strings are views of it */
    memset(&model, 0, sizeof model);
    ob_model(&model, graph);
    return parse(&model);
}

static const rg_value *value_named(const rg_graph *g, const char *name)
{
    for (rg_value_id id = 1; id < g->value_count; id++)
        if (rg_str_is(g->values[id].name, name)) return &g->values[id];
    fail_msg("there is no value '%s'", name);
    return NULL;
}

static const rg_tensor *const_named(const rg_graph *g, const char *name)
{
    const rg_value *v = value_named(g, name);
    assert_int_equal(v->role, RG_ROLE_CONST);
    return v->data;
}

/* Live nodes of a type, and the last of them. */
static int count_nodes(const rg_graph *g, const char *type, rg_node_id *last)
{
    int count = 0;
    for (rg_node_id id = 1; id < g->node_count; id++)
        if (!g->nodes[id].dead && rg_str_is(g->nodes[id].type, type)) count++, *last = id;
    return count;
}

/* ---- element types ---- */

/* Two elements of each type: as raw_data, and as the typed field has them (packed sub-bytes share one entry).
 */
static const struct {
    rg_dtype dtype;
    int field;
    uint8_t raw[16]; int raw_size;
    int64_t typed[2]; int typed_count;
    double x, y;
} dtypes[] = {
    {RG_U8, 5, {1, 200}, 2, {1, 200}, 2, 1, 200},
    {RG_I8, 5, {1, 0xfe}, 2, {1, -2}, 2, 1, -2},
    {RG_U16, 5, {1, 0, 0xff, 0xff}, 4, {1, 65535}, 2, 1, 65535},
    {RG_I16, 5, {1, 0, 0xfe, 0xff}, 4, {1, -2}, 2, 1, -2},
    {RG_I32, 5, {1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff}, 8, {1, -2}, 2, 1, -2},
    {RG_I64, 7, {1, 0, 0, 0, 0, 0, 0, 0, 0xfe, 255, 255, 255, 255, 255, 255, 255}, 16, {1, -2}, 2, 1, -2},
    {RG_U32, 11, {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 8, {1, 4294967295}, 2, 1, 4294967295.0},
    {RG_U64, 11, {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 16, {1, 4294967296}, 2, 1, 4294967296.0},
    {RG_BOOL, 5, {1, 0}, 2, {1, 0}, 2, 1, 0},
    {RG_F16, 5, {0x00, 0x3c, 0x00, 0xc0}, 4, {0x3c00, 0xc000}, 2, 1, -2},
    {RG_BF16, 5, {0x80, 0x3f, 0x00, 0xc0}, 4, {0x3f80, 0xc000}, 2, 1, -2},
    {RG_F8E4M3FN, 5, {0x38, 0xc0}, 2, {0x38, 0xc0}, 2, 1, -2},
    {RG_F8E4M3UZ, 5, {0x40, 0xc8}, 2, {0x40, 0xc8}, 2, 1, -2},
    {RG_F8E5M2, 5, {0x3c, 0xc0}, 2, {0x3c, 0xc0}, 2, 1, -2},
    {RG_F8E5M2UZ, 5, {0x40, 0xc4}, 2, {0x40, 0xc4}, 2, 1, -2},
    {RG_F8E8M0, 5, {127, 129}, 2, {127, 129}, 2, 1, 4},
    {RG_F4E2M1, 5, {0xc2}, 1, {0xc2}, 1, 1, -2},
    {RG_U4, 5, {0xf1}, 1, {0xf1}, 1, 1, 15},
    {RG_I4, 5, {0xe1}, 1, {0xe1}, 1, 1, -2},
    {RG_U2, 5, {0x0d}, 1, {0x0d}, 1, 1, 3},
    {RG_I2, 5, {0x09}, 1, {0x09}, 1, 1, -2},
};

static void check_pair(const rg_graph *g, const char *name, rg_dtype dtype, double x, double y)
{
    const rg_tensor *t = const_named(g, name);
    assert_int_equal(t->dtype, dtype);
    assert_int_equal(t->count, 2);
    assert_true(rg_tensor_has_data(t));
    if (rg_tensor_real(t, 0) != x || rg_tensor_real(t, 1) != y)
        fail_msg("%s %s: %g %g, expected %g %g", rg_dtype_name(dtype), name, rg_tensor_real(t, 0),
                 rg_tensor_real(t, 1), x, y);
}

static void test_dtypes(void **state)
{
    (void)state;
    for (size_t i = 0; i < RG_COUNT(dtypes); i++) {
        ob graph = {0}, raw = {0}, packed = {0}, loose = {0}, run = {0};
        ob_tensor(&raw, "raw", dtypes[i].dtype, "2");
        ob_bytes(&raw, 9, dtypes[i].raw, (size_t)dtypes[i].raw_size);
        ob_tensor(&packed, "packed", dtypes[i].dtype, "2");
        ob_tensor(&loose, "loose", dtypes[i].dtype, "2");
        for (int k = 0; k < dtypes[i].typed_count; k++) {
            ob_varint(&run, (uint64_t)dtypes[i].typed[k]);
            ob_int(&loose, (unsigned)dtypes[i].field, dtypes[i].typed[k]);
        }
        ob_put(&packed, (unsigned)dtypes[i].field, &run);
        ob_initializer(&graph, &raw);
        ob_initializer(&graph, &packed);
        ob_initializer(&graph, &loose);
        rg_graph *g = parse_graph(&graph);
        check_pair(g, "raw", dtypes[i].dtype, dtypes[i].x, dtypes[i].y);
        check_pair(g, "packed", dtypes[i].dtype, dtypes[i].x, dtypes[i].y);
        check_pair(g, "loose", dtypes[i].dtype, dtypes[i].x, dtypes[i].y);
        rg_graph_free(g);
    }
}

static void test_floats_lie_where_they_are(void **state)
{
    (void)state;
    ob graph = {0}, f32 = {0}, f64 = {0}, loose = {0}, c64 = {0}, model = {0};
    const float floats[] = {1.5f, -2};
    const double doubles[] = {1.5, -2};
    ob_tensor(&f32, "f32", RG_F32, "2");
    ob_bytes(&f32, 4, floats, sizeof floats);
    ob_tensor(&f64, "f64", RG_F64, "2,1");
    ob_bytes(&f64, 10, doubles, sizeof doubles);
    ob_tensor(&loose, "loose", RG_F32, "2");
    ob_f32(&loose, 4, 1.5f);
    ob_f32(&loose, 4, -2);
    ob_tensor(&c64, "c64", RG_C64, ""); /* a scalar: no dims */
    ob_bytes(&c64, 4, floats, sizeof floats);
    const ob *tensors[] = {&f32, &f64, &loose, &c64};
    for (size_t i = 0; i < RG_COUNT(tensors); i++) ob_initializer(&graph, tensors[i]);
    ob_model(&model, &graph);
    rg_graph *g = parse(&model);
    check_pair(g, "f32", RG_F32, 1.5, -2);
    check_pair(g, "f64", RG_F64, 1.5, -2);
    check_pair(g, "loose", RG_F32, 1.5, -2);
    const uint8_t *at = const_named(g, "f32")->data;
    assert_true(at > model.data && at < model.data + model.size);
    assert_int_equal(const_named(g, "f64")->rank, 2);
    assert_int_equal(const_named(g, "c64")->count, 1);
    assert_int_equal(const_named(g, "c64")->rank, 0);
    rg_graph_free(g);
}

static void test_strings_and_empty(void **state)
{
    (void)state;
    ob graph = {0}, words = {0}, none = {0};
    ob_tensor(&words, "words", 8, "2");
    ob_str(&words, 6, "one");
    ob_str(&words, 6, "");
    ob_tensor(&none, "none", RG_F32, "3,0");
    ob_initializer(&graph, &words);
    ob_initializer(&graph, &none);
    rg_graph *g = parse_graph(&graph);
    const rg_tensor *t = const_named(g, "words");
    assert_int_equal(t->encoding, RG_DATA_STRING);
    assert_true(rg_str_is(((const rg_str *)t->data)[0], "one"));
    assert_int_equal(((const rg_str *)t->data)[1].size, 0);
    assert_int_equal(const_named(g, "none")->count, 0);
    assert_int_equal(const_named(g, "none")->dim[0], 3);
    rg_graph_free(g);
}

/* ---- Constant ---- */

static void constant(ob *graph, const char *out, const char *attr, int type, const ob *value)
{
    ob attrs = {0};
    ob_attr(&attrs, attr, type, value);
    ob_node(graph, NULL, "Constant", "", out, &attrs);
}

static void test_constant_forms(void **state)
{
    (void)state;
    ob graph = {0}, tensor = {0}, value = {0}, i = {0}, is = {0}, f = {0}, fs = {0}, s = {0}, ss = {0};
    const float two[] = {0.5f, 3};
    ob_tensor(&tensor, NULL, RG_F32, "2");
    ob_floats(&tensor, 2, two);
    ob_put(&value, 5, &tensor);
    ob_int(&i, 3, -7);
    ob_int(&is, 8, 4);
    ob_int(&is, 8, 5);
    ob_f32(&f, 2, 0.25f);
    ob_f32(&fs, 7, 0.5f);
    ob_f32(&fs, 7, 3);
    ob_str(&s, 4, "text");
    ob_str(&ss, 9, "a");
    ob_str(&ss, 9, "b");
    constant(&graph, "value", "value", 4, &value);
    constant(&graph, "int", "value_int", 2, &i);
    constant(&graph, "ints", "value_ints", 7, &is);
    constant(&graph, "float", "value_float", 0, &f); /* the type left out, as old files do */
    constant(&graph, "floats", "value_floats", 6, &fs);
    constant(&graph, "string", "value_string", 3, &s);
    constant(&graph, "strings", "value_strings", 8, &ss);
    rg_graph *g = parse_graph(&graph);
    assert_int_equal(g->node_count, 1);
    check_pair(g, "value", RG_F32, 0.5, 3);
    check_pair(g, "ints", RG_I64, 4, 5);
    check_pair(g, "floats", RG_F32, 0.5, 3);
    assert_int_equal(rg_tensor_int(const_named(g, "int"), 0), -7);
    assert_int_equal(const_named(g, "int")->rank, 0);
    assert_true(rg_tensor_real(const_named(g, "float"), 0) == 0.25);
    assert_true(rg_str_is(*(const rg_str *)const_named(g, "string")->data, "text"));
    assert_true(rg_str_is(((const rg_str *)const_named(g, "strings")->data)[1], "b"));
    rg_graph_free(g);
}

/* ---- inputs, dimensions, order ---- */

static void test_input_with_initializer_is_constant(void **state)
{
    (void)state;
    ob graph = {0}, w = {0};
    const float data[] = {1, 2};
    ob_tensor(&w, "w", RG_F32, "2");
    ob_floats(&w, 2, data);
    ob_initializer(&graph, &w);
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_value(&graph, OB_INPUT, "w", RG_F32, "2");
    ob_node(&graph, "sum", "Add", "x,w", "y", NULL);
    ob_value(&graph, OB_OUTPUT, "y", RG_F32, "2");
    rg_graph *g = parse_graph(&graph);
    assert_int_equal(g->regions[RG_MAIN].input_count, 1);
    check_pair(g, "w", RG_F32, 1, 2);
    rg_graph_free(g);
}

static void check_type(const rg_graph *g, const char *name, const char *expected)
{
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_type_print(g, &value_named(g, name)->type, &text);
    assert_string_equal(text.data, expected);
}

static void test_dimensions(void **state)
{
    (void)state;
    ob graph = {0};
    ob_value(&graph, OB_INPUT, "x", RG_F32, "batch,?,3,?");
    ob_value(&graph, OB_INPUT, "mask", RG_I64, "batch,past + 1");
    ob_value(&graph, OB_INPUT, "past", RG_I64, "past,-1");
    ob_value(&graph, OB_INPUT, "any", RG_F16, NULL);
    ob_node(&graph, NULL, "Relu", "x", "y", NULL);
    ob_node(&graph, NULL, "Neg", "past", "z", NULL);
    ob_value(&graph, OB_OUTPUT, "y", RG_F32, "batch,?,3,?");
    ob_value(&graph, OB_OUTPUT, "z", RG_I64, "past,k");
    rg_graph *g = parse_graph(&graph);
    check_type(g, "x", "f32[batch,d0,3,d1]");
    check_type(g, "mask", "i64[batch,past+1]");
    check_type(g, "past", "i64[past,d2]");
    check_type(g, "any", "f16[*]");
    check_type(g, "y", "f32[*]"); /* a size that the file is silent about: nothing is stated */
    check_type(g, "z", "i64[past,k]");
    rg_graph_free(g);
}

static void test_any_order(void **state)
{
    (void)state;
    ob graph = {0};
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_node(&graph, "second", "Relu", "a", "y", NULL);
    ob_node(&graph, "first", "Neg", "x", "a", NULL);
    ob_value(&graph, OB_OUTPUT, "y", RG_F32, "2");
    rg_graph *g = parse_graph(&graph);
    const rg_region *r = &g->regions[RG_MAIN];
    assert_int_equal(r->order_count, 2);
    assert_true(rg_str_is(g->nodes[r->order[0]].name, "first"));
    assert_true(rg_str_is(g->nodes[r->order[1]].name, "second"));
    assert_int_equal(g->nodes[r->order[0]].version, 17);
    rg_graph_free(g);
}

/* ---- bodies ---- */

static void branch(ob *to, const char *type)
{
    ob_node(to, NULL, type, "x", "inner", NULL); /* x is of the graph around; both branches say "inner" */
    ob_value(to, OB_OUTPUT, "inner", RG_F32, "2");
}

static void test_if(void **state)
{
    (void)state;
    ob graph = {0}, yes = {0}, no = {0}, attrs = {0};
    branch(&yes, "Relu");
    branch(&no, "Neg");
    ob_attr_graph(&attrs, "then_branch", &yes);
    ob_attr_graph(&attrs, "else_branch", &no);
    ob_value(&graph, OB_INPUT, "cond", RG_BOOL, "");
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_node(&graph, "choose", "If", "cond", "y", &attrs);
    ob_value(&graph, OB_OUTPUT, "y", RG_F32, "2");
    rg_graph *g = parse_graph(&graph);
    rg_node_id id = 0, relu = 0, neg = 0;
    assert_int_equal(count_nodes(g, "If", &id), 1);
    assert_int_equal(count_nodes(g, "Relu", &relu), 1);
    assert_int_equal(count_nodes(g, "Neg", &neg), 1);
    const rg_attr *then = rg_node_attr(&g->nodes[id], "then_branch");
    assert_int_equal(then->kind, RG_ATTR_GRAPH);
    assert_int_equal(g->regions[then->region].owner, id);
    assert_int_equal(g->nodes[relu].region, then->region);
    assert_int_equal(g->nodes[relu].in[0], g->nodes[neg].in[0]);
    assert_false(rg_str_eq(g->values[g->nodes[relu].out[0]].name, g->values[g->nodes[neg].out[0]].name));
    rg_graph_free(g);
}

/* Operators of others may have lists of what ours have one of: two tensors, two bodies. */
static void test_lists(void **state)
{
    (void)state;
    ob graph = {0}, body[2] = {0}, tensor = {0}, tensors = {0}, graphs = {0}, attrs = {0};
    const float data[] = {0.5f, 2};
    branch(&body[0], "Relu");
    branch(&body[1], "Neg");
    ob_tensor(&tensor, "", RG_F32, "2");
    ob_floats(&tensor, 2, data);
    for (int i = 0; i < 2; i++) {
        ob_put(&tensors, 10, &tensor);
        ob_put(&graphs, 11, &body[i]);
    }
    ob_attr(&attrs, "tensors", 9, &tensors);
    ob_attr(&attrs, "graphs", 10, &graphs);
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_node_in(&graph, OB_GRAPH_NODE, "local", "many", "Many", "x", "y", &attrs);
    rg_graph *g = parse_graph(&graph);
    rg_node_id id = 0, neg = 0;
    assert_int_equal(count_nodes(g, "Many", &id), 1);
    assert_int_equal(count_nodes(g, "Neg", &neg), 1);
    const rg_attr *a = rg_node_attr(&g->nodes[id], "tensors"), *b = rg_node_attr(&g->nodes[id], "graphs");
    assert_int_equal(a->kind, RG_ATTR_TENSORS);
    assert_int_equal(a->count, 2);
    assert_true(rg_tensor_real(a->tensors[1], 1) == 2);
    assert_int_equal(b->kind, RG_ATTR_GRAPHS);
    assert_int_equal(b->count, 2);
    assert_int_equal(b->regions[1], g->nodes[neg].region);
    rg_graph_free(g);
}

/* ---- functions ---- */

/* scale(x) = {alpha} * x through LeakyRelu, default 0.5; twice(x) = scale(scale(x)), both with its own alpha.
 */
static void put_functions(ob *model)
{
    ob scale = {0}, twice = {0}, ref = {0}, pass = {0}, preset = {0};
    ob_function(&scale, "scale", "x,unused", "y");
    ob_attr_ref(&ref, "alpha", "slope", 1);
    ob_node_in(&scale, OB_FUNCTION_NODE, NULL, "leaky", "LeakyRelu", "x", "y", &ref);
    ob_str(&preset, 1, "slope");
    ob_f32(&preset, 2, 0.5f);
    ob_int(&preset, 20, 1);
    ob_put(&scale, 11, &preset);
    ob_function(&twice, "twice", "x", "y,same");
    ob_attr_ref(&pass, "slope", "alpha", 1);
    ob_node_in(&twice, OB_FUNCTION_NODE, "local", "one", "scale", "x", "t", &pass);
    ob_node_in(&twice, OB_FUNCTION_NODE, "local", "two", "scale", "t", "y", NULL);
    ob_node_in(&twice, OB_FUNCTION_NODE, NULL, NULL, "Identity", "x", "same", NULL);
    ob_put(model, OB_MODEL_FUNCTION, &scale);
    ob_put(model, OB_MODEL_FUNCTION, &twice);
}

static void test_functions(void **state)
{
    (void)state;
    ob graph = {0}, model = {0}, attrs = {0};
    ob_attr_float(&attrs, "alpha", 0.125f);
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_node_in(&graph, OB_GRAPH_NODE, "local", "call", "twice", "x", "y", &attrs);
    ob_value(&graph, OB_OUTPUT, "y", RG_F32, "2");
    ob_model(&model, &graph);
    put_functions(&model);
    rg_graph *g = parse(&model);
    const rg_region *r = &g->regions[RG_MAIN];
    rg_node_id last = 0;
    assert_int_equal(count_nodes(g, "LeakyRelu", &last), 2);
    assert_int_equal(count_nodes(g, "twice", &last), 0);
    const rg_node *one = NULL, *two = NULL;
    for (uint32_t i = 0; i < r->order_count; i++) {
        const rg_node *n = &g->nodes[r->order[i]];
        if (rg_str_is(n->name, "call/one/leaky")) one = n;
        if (rg_str_is(n->name, "call/two/leaky")) two = n;
    }
    assert_true(one && two);
    assert_true(rg_node_attr(one, "alpha")->f == 0.125); /* from the call, through twice */
    assert_true(rg_node_attr(two, "alpha")->f == 0.5);   /* nobody gives it: scale's own */
    assert_int_equal(two->in[0], one->out[0]);
    assert_int_equal(two->out[0], r->outputs[0]);
    assert_true(rg_str_is(g->values[r->outputs[0]].name, "y"));
    assert_int_equal(one->version, 17);
    rg_graph_free(g);
}

/* A function may hand on its input, or a constant: the call's output is a copy then. */
static void test_function_hands_on(void **state)
{
    (void)state;
    ob graph = {0}, model = {0}, f = {0}, attrs = {0};
    ob_attr_ref(&attrs, "value_int", "n", 2);
    ob_function(&f, "pair", "x", "x,n");
    ob_node_in(&f, OB_FUNCTION_NODE, NULL, NULL, "Constant", "", "n", &attrs);
    ob call = {0};
    ob_attr_int(&call, "n", 9);
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_node_in(&graph, OB_GRAPH_NODE, "local", NULL, "pair", "x", "y,z", &call);
    ob_value(&graph, OB_OUTPUT, "y", RG_F32, "2");
    ob_value(&graph, OB_OUTPUT, "z", RG_I64, "");
    ob_model(&model, &graph);
    ob_put(&model, OB_MODEL_FUNCTION, &f);
    rg_graph *g = parse(&model);
    rg_node_id last = 0;
    assert_int_equal(count_nodes(g, "Identity", &last), 2);
    assert_int_equal(rg_tensor_int(g->values[g->nodes[last].in[0]].data, 0), 9);
    rg_graph_free(g);
}

/* ---- heads ---- */

static void test_imports(void **state)
{
    (void)state;
    ob graph = {0}, model = {0};
    ob_value(&graph, OB_INPUT, "x", RG_F32, "2");
    ob_str(&graph, 2, "net");
    ob_node_in(&graph, OB_GRAPH_NODE, "ai.onnx", NULL, "Relu", "x", "y", NULL);
    ob_node_in(&graph, OB_GRAPH_NODE, "com.example", NULL, "Strange", "y", "z", NULL);
    ob_value(&graph, OB_OUTPUT, "z", RG_F32, "2");
    ob_model(&model, &graph);
    ob_opset(&model, OB_MODEL_OPSET, "com.example", 3);
    rg_graph *g = parse(&model);
    assert_int_equal(g->opset, 17);
    assert_int_equal(g->ir_version, 8);
    assert_true(rg_str_is(g->name, "net"));
    assert_true(rg_str_is(g->producer, "test"));
    rg_node_id id = 0;
    assert_int_equal(count_nodes(g, "Strange", &id), 1);
    assert_int_equal(g->nodes[id].version, 3);
    assert_null(g->nodes[id].op);
    assert_int_equal(count_nodes(g, "Relu", &id), 1);
    assert_int_equal(g->nodes[id].domain.size, 0);
    assert_non_null(g->nodes[id].op);
    rg_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dtypes, start, stop),
        cmocka_unit_test_setup_teardown(test_floats_lie_where_they_are, start, stop),
        cmocka_unit_test_setup_teardown(test_strings_and_empty, start, stop),
        cmocka_unit_test_setup_teardown(test_constant_forms, start, stop),
        cmocka_unit_test_setup_teardown(test_input_with_initializer_is_constant, start, stop),
        cmocka_unit_test_setup_teardown(test_dimensions, start, stop),
        cmocka_unit_test_setup_teardown(test_any_order, start, stop),
        cmocka_unit_test_setup_teardown(test_if, start, stop),
        cmocka_unit_test_setup_teardown(test_lists, start, stop),
        cmocka_unit_test_setup_teardown(test_functions, start, stop),
        cmocka_unit_test_setup_teardown(test_function_hands_on, start, stop),
        cmocka_unit_test_setup_teardown(test_imports, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
