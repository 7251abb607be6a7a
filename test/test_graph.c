/* test_graph.c - graphs: building, ordering, cycles, bodies, dead nodes, clones, names, uses, attributes,
 * equality, the verifier, and every allocation failing once.
 */
#include "ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    *state = rg_ctx_new(NULL);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

#define OK(expr) assert_int_equal((expr), RG_OK)

static rg_value_id value(rg_ctx *cx, rg_graph *g, rg_region_id region, const char *name, rg_role role)
{
    rg_value_id id = 0;
    OK(rg_graph_add_value(cx, g, region, rg_str_of(name), NULL, role, &id));
    if (role == RG_ROLE_INPUT) OK(rg_graph_add_input(cx, g, region, id));
    return id;
}

/* A node of one output; inputs that are 0 are left out at the end. */
static rg_node_id node(rg_ctx *cx, rg_graph *g, rg_region_id region, const char *name, rg_value_id a,
                       rg_value_id b, rg_value_id out)
{
    rg_node_id id = 0;
    rg_node like = {.name = rg_str_of(name), .type = RG_LIT("Op"), .version = 13};
    OK(rg_graph_add_node(cx, g, region, &like, (const rg_value_id[]){a, b}, (a != 0) + (b != 0), &out, 1,
                         &id));
    return id;
}

static rg_graph *new_graph(rg_ctx *cx)
{
    rg_graph *g = NULL;
    OK(rg_graph_new(cx, &g));
    return g;
}

/* ---- order ---- */

static void test_order_is_stable(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g = new_graph(cx);
    rg_value_id x = value(cx, g, RG_MAIN, "x", RG_ROLE_INPUT), v[6];
    for (int i = 0; i < 6; i++)
        v[i] = value(cx, g, RG_MAIN, (const char *[]){"a", "b", "c", "d", "e", "f"}[i], RG_ROLE_NODE);
    /* c needs e, which needs f; the others are free */
    rg_node_id a = node(cx, g, RG_MAIN, "A", x, 0, v[0]), b = node(cx, g, RG_MAIN, "B", x, 0, v[1]);
    rg_node_id c = node(cx, g, RG_MAIN, "C", v[4], v[0], v[2]), d = node(cx, g, RG_MAIN, "D", v[1], 0, v[3]);
    rg_node_id e = node(cx, g, RG_MAIN, "E", v[5], 0, v[4]), f = node(cx, g, RG_MAIN, "F", x, 0, v[5]);
    OK(rg_graph_add_output(cx, g, RG_MAIN, v[2]));
    const rg_node_id expected[] = {a, b, f, e, c, d};
    OK(rg_graph_finish(cx, g));
    assert_memory_equal(g->regions[RG_MAIN].order, expected, sizeof expected);
    OK(rg_graph_finish(cx, g)); /* in order already: nothing moves */
    assert_memory_equal(g->regions[RG_MAIN].order, expected, sizeof expected);
    OK(rg_graph_verify(cx, g));
    rg_graph_free(g);
}

static void test_cycle_is_named(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g = new_graph(cx);
    rg_value_id a = value(cx, g, RG_MAIN, "a", RG_ROLE_NODE), b = value(cx, g, RG_MAIN, "b", RG_ROLE_NODE);
    rg_value_id c = value(cx, g, RG_MAIN, "c", RG_ROLE_NODE);
    node(cx, g, RG_MAIN, "outside", a, 0, c);
    node(cx, g, RG_MAIN, "first", b, 0, a);
    node(cx, g, RG_MAIN, "second", a, 0, b);
    assert_int_equal(rg_graph_finish(cx, g), RG_FORMAT);
    assert_string_equal(rg_ctx_error(cx),
                        "a cycle: node 'first' (Op), which needs node 'second' (Op), which needs the first");
    rg_graph_free(g);
}

static void test_undefined_and_twice(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g = new_graph(cx);
    rg_value_id ghost = value(cx, g, RG_MAIN, "ghost", RG_ROLE_NONE),
                out = value(cx, g, RG_MAIN, "out", RG_ROLE_NODE);
    node(cx, g, RG_MAIN, "n", ghost, 0, out);
    assert_int_equal(rg_graph_finish(cx, g), RG_FORMAT);
    assert_string_equal(rg_ctx_error(cx), "node 'n' (Op) uses value 'ghost', which nothing defines");
    rg_graph_free(g);

    g = new_graph(cx);
    out = value(cx, g, RG_MAIN, "out", RG_ROLE_NODE);
    node(cx, g, RG_MAIN, "n", 0, 0, out);
    node(cx, g, RG_MAIN, "m", 0, 0, out);
    assert_int_equal(rg_graph_finish(cx, g), RG_FORMAT);
    assert_string_equal(rg_ctx_error(cx), "value 'out' is defined twice, once by node 'n' (Op)");
    rg_graph_free(g);
}

/* A chain listed backwards: the longest path a sort can meet. */
static void test_long_chain(void **state)
{
    rg_ctx *cx = *state;
    enum { LENGTH = 100000 };
    rg_graph *g = new_graph(cx);
    rg_value_id first = value(cx, g, RG_MAIN, "x", RG_ROLE_INPUT), base = g->value_count;
    for (uint32_t i = 0; i < LENGTH; i++) value(cx, g, RG_MAIN, "", RG_ROLE_NODE);
    for (uint32_t i = LENGTH; i > 0; i--)
        node(cx, g, RG_MAIN, "", i > 1 ? base + i - 2 : first, 0, base + i - 1);
    OK(rg_graph_add_output(cx, g, RG_MAIN, base + LENGTH - 1));
    OK(rg_graph_finish(cx, g));
    for (uint32_t i = 0; i < LENGTH; i++) assert_int_equal(g->regions[RG_MAIN].order[i], LENGTH - i);
    rg_graph_free(g);
}

/* ---- bodies ---- */

typedef struct with_body {
    rg_graph *g;
    rg_value_id x, captured, inside, result;
    rg_node_id owner, maker;
    rg_region_id body;
} with_body;

/* The owner stands first, its body uses what a later node of the model makes. */
static with_body make_body(rg_ctx *cx)
{
    with_body w = {.g = new_graph(cx)};
    w.x = value(cx, w.g, RG_MAIN, "x", RG_ROLE_INPUT);
    w.captured = value(cx, w.g, RG_MAIN, "captured", RG_ROLE_NODE);
    w.result = value(cx, w.g, RG_MAIN, "result", RG_ROLE_NODE);
    w.owner = node(cx, w.g, RG_MAIN, "owner", w.x, 0, w.result);
    w.maker = node(cx, w.g, RG_MAIN, "maker", w.x, 0, w.captured);
    OK(rg_graph_add_region(cx, w.g, w.owner, &w.body));
    w.inside = value(cx, w.g, w.body, "inside", RG_ROLE_NODE);
    node(cx, w.g, w.body, "inner", w.captured, 0, w.inside);
    OK(rg_graph_add_output(cx, w.g, w.body, w.inside));
    OK(rg_graph_add_output(cx, w.g, RG_MAIN, w.result));
    rg_attr attr = {.name = RG_LIT("body"), .kind = RG_ATTR_GRAPH, .region = w.body};
    OK(rg_node_set_attr(cx, w.g, w.owner, &attr));
    return w;
}

static void test_capture_orders_the_owner(void **state)
{
    rg_ctx *cx = *state;
    with_body w = make_body(cx);
    const rg_node_id expected[] = {w.maker, w.owner};
    OK(rg_graph_finish(cx, w.g));
    assert_memory_equal(w.g->regions[RG_MAIN].order, expected, sizeof expected);
    rg_graph_free(w.g);
}

static void test_body_cannot_use_its_result(void **state)
{
    rg_ctx *cx = *state;
    with_body w = make_body(cx);
    rg_graph_replace(w.g, w.captured, w.result);
    assert_int_equal(rg_graph_finish(cx, w.g), RG_FORMAT);
    assert_string_equal(rg_ctx_error(cx), "a cycle: node 'owner' (Op), which needs the first");
    rg_graph_free(w.g);

    w = make_body(cx);
    w.g->regions[RG_MAIN].outputs[0] = w.inside;
    assert_int_equal(rg_graph_finish(cx, w.g), RG_FORMAT);
    assert_string_equal(rg_ctx_error(cx), "the graph's output uses value 'inside' of another body");
    rg_graph_free(w.g);
}

static void test_dead_owner_takes_its_body(void **state)
{
    rg_ctx *cx = *state;
    with_body w = make_body(cx);
    rg_graph_replace(w.g, w.result, w.captured);
    w.g->nodes[w.owner].dead = true;
    OK(rg_graph_finish(cx, w.g));
    assert_int_equal(w.g->regions[RG_MAIN].order_count, 1);
    assert_int_equal(w.g->regions[w.body].order_count, 0);
    assert_int_equal(w.g->values[w.inside].role, RG_ROLE_NONE);
    assert_int_equal(w.g->values[w.result].role, RG_ROLE_NONE);
    assert_int_equal(w.g->values[w.captured].role, RG_ROLE_NODE);
    rg_graph_free(w.g);
}

/* A newer node takes over the value of a dead one, as passes do. */
static void test_taking_over(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g = new_graph(cx);
    rg_value_id x = value(cx, g, RG_MAIN, "x", RG_ROLE_INPUT), y = value(cx, g, RG_MAIN, "y", RG_ROLE_NODE);
    rg_node_id old = node(cx, g, RG_MAIN, "old", x, 0, y), new = node(cx, g, RG_MAIN, "new", x, x, y);
    OK(rg_graph_add_output(cx, g, RG_MAIN, y));
    g->nodes[old].dead = true;
    OK(rg_graph_finish(cx, g));
    assert_int_equal(g->values[y].producer, new);
    assert_int_equal(g->regions[RG_MAIN].order_count, 1);
    rg_graph_free(g);
}

static void test_nesting_is_limited(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g = new_graph(cx);
    rg_region_id region = RG_MAIN;
    for (int i = 0; i <= RG_NEST_MAX; i++) {
        rg_node_id owner = node(cx, g, region, "", 0, 0, value(cx, g, region, "", RG_ROLE_NODE));
        OK(rg_graph_add_region(cx, g, owner, &region));
    }
    assert_int_equal(rg_graph_finish(cx, g), RG_LIMIT);
    rg_graph_free(g);
}

/* ---- asking ---- */

static void test_uses(void **state)
{
    rg_ctx *cx = *state;
    with_body w = make_body(cx);
    rg_uses uses;
    OK(rg_graph_finish(cx, w.g));
    OK(rg_graph_uses(cx, w.g, &cx->arena, &uses));
    assert_int_equal(uses.first[w.x + 1] - uses.first[w.x], 2);
    assert_int_equal(uses.users[uses.first[w.x]], w.owner);
    assert_int_equal(uses.users[uses.first[w.x] + 1], w.maker);
    assert_int_equal(uses.first[w.captured + 1] - uses.first[w.captured], 1);
    assert_int_equal(uses.first[w.result + 1] - uses.first[w.result], 0);
    assert_int_equal(uses.out_uses[w.result], 1);
    assert_int_equal(uses.out_uses[w.inside], 1);
    rg_graph_free(w.g);
}

static void test_fresh_names(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g = new_graph(cx);
    rg_str name;
    value(cx, g, RG_MAIN, "y", RG_ROLE_INPUT);
    value(cx, g, RG_MAIN, "y_2", RG_ROLE_INPUT);
    const char *expected[] = {"y_1", "y_3", "y_4"};
    for (size_t i = 0; i < RG_COUNT(expected); i++) {
        OK(rg_graph_fresh_name(cx, g, "y", &name));
        assert_true(rg_str_is(name, expected[i]));
    }
    OK(rg_graph_fresh_name(cx, g, "z", &name));
    assert_true(rg_str_is(name, "z"));
    value(cx, g, RG_MAIN, "w", RG_ROLE_INPUT);
    OK(rg_graph_fresh_name(cx, g, "w", &name));
    assert_true(rg_str_is(name, "w_1"));
    rg_graph_free(g);
}

static void test_labels(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g = new_graph(cx);
    rg_node_id named = node(cx, g, RG_MAIN, "/a/b", 0, 0, value(cx, g, RG_MAIN, "v", RG_ROLE_NODE));
    rg_node_id plain = node(cx, g, RG_MAIN, "", 0, 0, value(cx, g, RG_MAIN, "", RG_ROLE_NODE));
    assert_string_equal(rg_node_label(cx, g, named), "node '/a/b' (Op)");
    assert_string_equal(rg_node_label(cx, g, plain), "node #2 (Op)");
    assert_string_equal(rg_value_label(cx, g, 1), "value 'v'");
    assert_string_equal(rg_value_label(cx, g, 2), "value #2");
    assert_true(rg_node_is(rg_node_at(g, plain), "Op"));
    g->nodes[plain].domain = RG_LIT("other");
    assert_false(rg_node_is(rg_node_at(g, plain), "Op"));
    rg_graph_free(g);
}

/* ---- types ---- */

static const char *type_text(rg_ctx *cx, const rg_graph *g, const rg_type *type)
{
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_type_print(g, type, &text);
    return text.data;
}

static void test_types(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g = new_graph(cx);
    rg_dim batch = rg_dim_symbol(&g->dims, RG_LIT("batch"), 1, 100, 2);
    rg_type image = rg_type_tensor(RG_F16, 4, (const rg_dim[]){batch, 3, 224, 224});
    rg_type scalar = rg_type_tensor(RG_I64, 0, NULL), open = rg_type_tensor(RG_F32, -1, NULL), unknown = {0};
    rg_type list = {.kind = RG_KIND_SEQUENCE, .elem = &image},
            lists = {.kind = RG_KIND_OPTIONAL, .elem = &list};
    rg_type any = {.kind = RG_KIND_SEQUENCE}, any_told = {.kind = RG_KIND_SEQUENCE, .elem = &unknown};
    rg_type map = {.kind = RG_KIND_MAP, .dtype = RG_I64, .elem = &scalar};
    rg_type nibbles = rg_type_tensor(RG_I4, 1, (const rg_dim[]){3});
    rg_type huge = rg_type_tensor(RG_F32, 3, (const rg_dim[]){INT64_C(1) << 40, INT64_C(1) << 40, 5});
    rg_type empty = rg_type_tensor(RG_F32, 3, (const rg_dim[]){INT64_MAX, INT64_MAX, 0});
    assert_string_equal(type_text(cx, g, &image), "f16[batch,3,224,224]");
    assert_string_equal(type_text(cx, g, &scalar), "i64[]");
    assert_string_equal(type_text(cx, g, &open), "f32[*]");
    assert_string_equal(type_text(cx, g, &lists), "opt(seq(f16[batch,3,224,224]))");
    assert_string_equal(type_text(cx, g, &any), "seq(?)");
    assert_string_equal(type_text(cx, g, &map), "map(i64,i64[])");
    assert_int_equal(rg_type_count(g, &image), 2 * 3 * 224 * 224);
    assert_true(rg_type_bytes(g, &image) == 2.0 * 2 * 3 * 224 * 224);
    assert_true(rg_type_bytes(g, &nibbles) == 2);
    assert_int_equal(rg_type_count(g, &scalar), 1);
    assert_int_equal(rg_type_count(g, &open), 0);
    assert_true(rg_type_count(g, &huge) == INT64_MAX);
    assert_int_equal(rg_type_count(g, &empty), 0);
    assert_true(rg_type_bytes(g, &list) == 0);
    assert_true(rg_type_eq(&any, &any_told));
    assert_true(rg_type_eq(&list, &list));
    assert_false(rg_type_eq(&list, &any));
    assert_false(rg_type_eq(&image, &open));
    rg_graph_free(g);
}

/* ---- attributes ---- */

static void test_attr_text(void **state)
{
    rg_ctx *cx = *state;
    rg_attr *attrs;
    uint32_t count;
    const char *text =
        "pads=1,1,1,1 axis=-1 auto_pad=SAME_UPPER alpha=0.5 scales=1,2.5 one=[1] beta=3.f name=\"a b\\\"c\" "
        "activations=Sigmoid,Tanh low=-inf value=tensor f32[2] {1, 2} none=ints[] i=1e3";
    OK(rg_attrs_parse(cx, &cx->arena, rg_str_of(text), &attrs, &count));
    assert_int_equal(count, 13);
    rg_node n = {.attrs = attrs, .attr_count = count};
    for (uint32_t i = 1; i < count; i++) assert_true(rg_str_cmp(attrs[i - 1].name, attrs[i].name) < 0);
    assert_int_equal(rg_node_attr(&n, "pads")->count, 4);
    assert_int_equal(rg_node_attr(&n, "pads")->ints[3], 1);
    assert_int_equal(rg_node_attr(&n, "axis")->i, -1);
    assert_true(rg_str_is(rg_node_attr(&n, "auto_pad")->s, "SAME_UPPER"));
    assert_true(rg_node_attr(&n, "alpha")->kind == RG_ATTR_FLOAT && rg_node_attr(&n, "alpha")->f == 0.5);
    assert_int_equal(rg_node_attr(&n, "scales")->kind, RG_ATTR_FLOATS);
    assert_true(rg_node_attr(&n, "scales")->floats[0] == 1);
    assert_int_equal(rg_node_attr(&n, "one")->kind, RG_ATTR_INTS);
    assert_int_equal(rg_node_attr(&n, "one")->count, 1);
    assert_true(rg_node_attr(&n, "beta")->kind == RG_ATTR_FLOAT && rg_node_attr(&n, "beta")->f == 3);
    assert_true(rg_str_is(rg_node_attr(&n, "name")->s, "a b\"c"));
    assert_int_equal(rg_node_attr(&n, "activations")->kind, RG_ATTR_STRINGS);
    assert_true(rg_str_is(rg_node_attr(&n, "activations")->strings[1], "Tanh"));
    assert_true(rg_node_attr(&n, "low")->f < -1e308);
    assert_true(rg_tensor_real(rg_node_attr(&n, "value")->tensor, 1) == 2);
    assert_true(rg_node_attr(&n, "none")->kind == RG_ATTR_INTS && rg_node_attr(&n, "none")->count == 0);
    assert_int_equal(rg_node_attr(&n, "i")->kind, RG_ATTR_FLOAT);
    assert_null(rg_node_attr(&n, "absent"));
    OK(rg_attrs_parse(cx, &cx->arena, RG_LIT(""), &attrs, &count));
    assert_int_equal(count, 0);
}

static void test_attr_errors(void **state)
{
    rg_ctx *cx = *state;
    rg_attr *attrs;
    uint32_t count;
    const char *bad[] = {"axis", "axis=", "axis=1 axis=2", "=1", "a=1,", "a=\"x", "a=[1", "a=1x",
                         "a=Relu,", "a=type f32[n]", "a==1"};
    for (size_t i = 0; i < RG_COUNT(bad); i++)
        assert_int_not_equal(rg_attrs_parse(cx, &cx->arena, rg_str_of(bad[i]), &attrs, &count), RG_OK);
}

static void test_set_attr(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g = new_graph(cx);
    rg_node_id id = node(cx, g, RG_MAIN, "n", 0, 0, value(cx, g, RG_MAIN, "v", RG_ROLE_NODE));
    const char *names[] = {"m", "z", "a", "m"};
    for (int i = 0; i < 4; i++) {
        rg_attr attr = {.name = rg_str_of(names[i]), .kind = RG_ATTR_INT, .i = i};
        OK(rg_node_set_attr(cx, g, id, &attr));
    }
    const rg_node *n = rg_node_at(g, id);
    assert_int_equal(n->attr_count, 3);
    assert_true(rg_str_is(n->attrs[0].name, "a") && rg_str_is(n->attrs[2].name, "z"));
    assert_int_equal(rg_node_attr(n, "m")->i, 3);
    rg_graph_free(g);
}

/* ---- builder, clones, equality ---- */

static rg_err build(rg_ctx *cx, const char *name, float slope, rg_graph **out)
{
    rg_build b;
    RG_TRY(rg_build_init(&b, cx, name));
    rg_dim batch = rg_build_dim(&b, "batch", 2);
    rg_value_id x = rg_build_input(&b, "x", RG_F32, 2, (const rg_dim[]){batch, 8});
    b.scope = "fc";
    rg_value_id w = rg_build_param(&b, "weight", RG_F32, 2, (const int64_t[]){8, 4});
    rg_value_id y = rg_build_node(&b, "MatMul", NULL, x, w, -1);
    y = rg_build_node(&b, "Add", NULL, y, rg_build_scalar(&b, 1), -1);
    b.scope = NULL;
    y = rg_build_node(&b, "LeakyRelu", slope > 0.1f ? "alpha=0.2" : "alpha=0.1", y, -1);
    rg_value_id halves[2];
    rg_value_id sizes = rg_build_ints(&b, 2, (const int64_t[]){1, 3});
    rg_build_nodev(&b, "Split", "axis=1", 2, (const rg_value_id[]){y, sizes}, 2, halves);
    rg_build_output(&b, "low", halves[0]);
    rg_build_output(&b, "high", halves[1]);
    rg_build_output(&b, "same", x);
    return rg_build_done(&b, out);
}

static void test_build(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g;
    OK(build(cx, "tiny", 0.1f, &g));
    OK(rg_graph_verify(cx, g));
    const rg_region *main_region = &g->regions[RG_MAIN];
    assert_int_equal(main_region->input_count, 1);
    assert_int_equal(main_region->output_count, 3);
    assert_int_equal(main_region->order_count, 5);
    const rg_node *matmul = rg_node_at(g, main_region->order[0]);
    assert_true(rg_str_is(matmul->name, "fc/MatMul_0"));
    assert_true(rg_str_is(rg_value_at(g, matmul->in[1])->name, "fc/weight"));
    assert_int_equal(rg_value_at(g, matmul->in[1])->data->count, 32);
    assert_int_equal(matmul->version, RG_OPSET_MAX);
    assert_true(rg_str_is(rg_value_at(g, main_region->outputs[1])->name, "high"));
    assert_true(rg_node_is(rg_node_at(g, main_region->order[4]), "Identity"));
    rg_graph_free(g);
}

static void test_build_error_is_sticky(void **state)
{
    rg_ctx *cx = *state;
    rg_build b;
    rg_graph *g;
    OK(rg_build_init(&b, cx, "bad"));
    rg_value_id w = rg_build_param(&b, "w", RG_F32, 2, (const int64_t[]){INT64_MAX, 3});
    rg_build_output(&b, "y", rg_build_node(&b, "Relu", NULL, w, -1));
    assert_int_equal(rg_build_done(&b, &g), RG_SHAPE);
    assert_null(g);
    OK(rg_build_init(&b, cx, "bad"));
    rg_build_node(&b, "Relu", "alpha", -1);
    assert_int_equal(rg_build_done(&b, &g), RG_FORMAT);
}

static void test_equality(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *a, *b, *c, *d;
    OK(build(cx, "tiny", 0.1f, &a));
    OK(build(cx, "tiny", 0.1f, &b));
    OK(build(cx, "tiny", 0.2f, &c));
    OK(build(cx, "other", 0.1f, &d));
    assert_true(rg_graph_eq(a, b));
    assert_false(rg_graph_eq(a, c));
    assert_false(rg_graph_eq(a, d));
    assert_true(rg_graph_hash(a) == rg_graph_hash(b));
    assert_true(rg_graph_hash(a) != rg_graph_hash(c));
    assert_true(rg_graph_hash(a) == rg_graph_hash(d)); /* names do not count */
    b->nodes[b->regions[RG_MAIN].order[0]].name = RG_LIT("renamed");
    assert_false(rg_graph_eq(a, b));
    assert_true(rg_graph_hash(a) == rg_graph_hash(b));
    rg_graph_free(a);
    rg_graph_free(b);
    rg_graph_free(c);
    rg_graph_free(d);
}

/* Editing a clone leaves its base as it was; the base lives as long as the clone needs it. */
static void test_clone(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *base, *same, *clone, *next;
    OK(build(cx, "tiny", 0.1f, &base));
    OK(build(cx, "tiny", 0.1f, &same));
    OK(rg_graph_clone(cx, base, &clone));
    assert_true(rg_graph_eq(base, clone));
    rg_region *r = &clone->regions[RG_MAIN];
    rg_node_id add = r->order[1], leaky = r->order[2];
    rg_graph_replace(clone, clone->nodes[add].out[0], clone->nodes[add].in[0]);
    clone->nodes[add].dead = true;
    rg_attr alpha = {.name = RG_LIT("alpha"), .kind = RG_ATTR_FLOAT, .f = 7};
    OK(rg_node_set_attr(cx, clone, leaky, &alpha));
    rg_dim_symbol(&clone->dims, RG_LIT("more"), 1, 2, 1);
    OK(rg_graph_finish(cx, clone));
    assert_int_equal(r->order_count, 4);
    assert_true(rg_graph_eq(base, same));
    assert_false(rg_graph_eq(base, clone));
    rg_graph_free(same);
    OK(rg_graph_clone(cx, clone, &next));
    rg_graph_free(base);
    rg_graph_free(clone);
    OK(rg_graph_finish(cx, next));
    assert_true(rg_str_is(rg_node_at(next, next->regions[RG_MAIN].order[0])->name, "fc/MatMul_0"));
    assert_true(rg_node_attr(rg_node_at(next, leaky), "alpha")->f == 7);
    rg_graph_free(next);
    rg_graph_free(NULL);
}

/* The base's holes do not count: a graph with removed nodes equals one that never had them. */
static void test_equal_up_to_holes(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g[2];
    for (int i = 0; i < 2; i++) {
        g[i] = new_graph(cx);
        rg_value_id x = value(cx, g[i], RG_MAIN, "x", RG_ROLE_INPUT);
        if (i) {
            rg_node_id gone =
                node(cx, g[i], RG_MAIN, "gone", x, 0, value(cx, g[i], RG_MAIN, "g", RG_ROLE_NODE));
            g[i]->nodes[gone].dead = true;
        }
        rg_value_id y = value(cx, g[i], RG_MAIN, "y", RG_ROLE_NODE);
        node(cx, g[i], RG_MAIN, "n", x, 0, y);
        OK(rg_graph_add_output(cx, g[i], RG_MAIN, y));
        OK(rg_graph_finish(cx, g[i]));
    }
    assert_true(rg_graph_eq(g[0], g[1]));
    assert_true(rg_graph_hash(g[0]) == rg_graph_hash(g[1]));
    rg_graph_free(g[0]);
    rg_graph_free(g[1]);
}

/* ---- the verifier ---- */

static void break_producer(rg_graph *g) { g->values[g->nodes[1].out[0]].producer = 2; }
static void break_input(rg_graph *g) { g->nodes[1].in[0] = 99; }
static void break_order(rg_graph *g)
{
    rg_region *r = &g->regions[RG_MAIN];
    rg_node_id first = r->order[0];
    r->order[0] = r->order[1];
    r->order[1] = first;
}
static void break_missing(rg_graph *g) { g->regions[RG_MAIN].order_count--; }
static void break_name(rg_graph *g) { g->values[2].name = g->values[1].name; }
static void break_rank(rg_graph *g) { g->values[1].type.rank = RG_RANK_MAX + 1; }
static void break_dim(rg_graph *g) { g->values[1].type.dim[0] = INT64_MIN + 1000; }
static void break_role(rg_graph *g) { g->values[1].role = RG_ROLE_NODE; }
static void break_known(rg_graph *g)
{
    static const rg_dim known[] = {1, 2};
    g->values[2].known = known;
    g->values[2].known_count = 2;
}
static void break_attrs(rg_graph *g)
{
    static rg_attr twice[] = {{.name = {"a", 1}, .kind = RG_ATTR_INT},
                              {.name = {"a", 1}, .kind = RG_ATTR_INT}};
    g->nodes[1].attrs = twice;
    g->nodes[1].attr_count = 2;
}
static void break_region(rg_graph *g) { g->nodes[1].region = 7; }
static void break_const(rg_graph *g) { g->values[2].data = NULL; }

static void test_verifier(void **state)
{
    rg_ctx *cx = *state;
    void (*const breaks[])(rg_graph *g) = {
        break_producer, break_input, break_order, break_missing, break_name,   break_rank,
        break_dim,      break_role,  break_known, break_attrs,   break_region, break_const,
    };
    for (size_t i = 0; i < RG_COUNT(breaks); i++) {
        rg_graph *g;
        OK(build(cx, "tiny", 0.1f, &g));
        OK(rg_graph_verify(cx, g));
        breaks[i](g);
        assert_int_equal(rg_graph_verify(cx, g), RG_INTERNAL);
        rg_graph_free(g);
    }
}

/* ---- every allocation fails once ---- */

typedef struct failing { int left; int alive; } failing;

static void *failing_alloc(void *user, size_t size)
{
    failing *f = user;
    if (f->left-- == 0) return NULL;
    f->alive++;
    return calloc(1, size);
}

static void failing_free(void *user, void *block)
{
    failing *f = user;
    f->alive -= block != NULL;
    free(block);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    rg_err err = RG_NOMEM;
    for (int n = 1; err; n++) {
        failing f = {.left = n};
        rg_ctx_opt opt = {.size = sizeof opt, .alloc = failing_alloc, .free = failing_free, .user = &f};
        rg_ctx *cx = rg_ctx_new(&opt);
        rg_graph *g = NULL, *clone = NULL;
        assert_non_null(cx);
        err = build(cx, "tiny", 0.1f, &g);
        if (!err) err = rg_graph_clone(cx, g, &clone);
        if (!err) err = rg_graph_finish(cx, clone);
        assert_true(err == RG_OK || err == RG_NOMEM);
        assert_true(err == RG_OK || f.left < 0);
        rg_graph_free(g);
        rg_graph_free(clone);
        rg_ctx_free(cx);
        assert_int_equal(f.alive, 0);
        assert_true(n < 1000);
    }
}

/* The limit of the arena, in small steps: allocations fail in the middle of blocks too. */
static void test_memory_limit(void **state)
{
    (void)state;
    rg_err err = RG_NOMEM;
    for (size_t limit = 16; err; limit += 16) {
        rg_ctx_opt opt = {.size = sizeof opt, .memory_limit_byte = limit};
        rg_ctx *cx = rg_ctx_new(&opt);
        rg_graph *g = NULL, *clone = NULL;
        err = build(cx, "tiny", 0.1f, &g);
        if (!err) err = rg_graph_clone(cx, g, &clone);
        if (!err) err = rg_graph_finish(cx, clone);
        assert_true(err == RG_OK || err == RG_NOMEM);
        rg_graph_free(g);
        rg_graph_free(clone);
        rg_ctx_free(cx);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_order_is_stable), TEST(test_cycle_is_named), TEST(test_undefined_and_twice),
        TEST(test_long_chain), TEST(test_capture_orders_the_owner), TEST(test_body_cannot_use_its_result),
        TEST(test_dead_owner_takes_its_body), TEST(test_taking_over), TEST(test_nesting_is_limited),
        TEST(test_uses), TEST(test_fresh_names), TEST(test_labels), TEST(test_types), TEST(test_attr_text),
        TEST(test_attr_errors), TEST(test_set_attr), TEST(test_build), TEST(test_build_error_is_sticky),
        TEST(test_equality), TEST(test_clone), TEST(test_equal_up_to_holes), TEST(test_verifier),
        TEST(test_out_of_memory), TEST(test_memory_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
