/* test_op_driver.c - resolving and inferring whole graphs: what is refused and in which words, how the
 * file's own types are weighed, what becomes of nodes of older opsets.
 */
#include "case_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct fixture { rg_ctx *cx; rg_graph *g; } fixture;

static int setup(void **state)
{
    static fixture f;
    f = (fixture){.cx = rg_ctx_new(NULL)};
    *state = &f;
    return f.cx ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    rg_graph_free(f->g);
    rg_ctx_free(f->cx);
    return 0;
}

static rg_err load(fixture *f, int opset, const char *body)
{
    const char *text = rg_arena_printf(&f->cx->arena, "ridge.graph/1 \"t\" opset %d\n%s\n", opset, body);
    assert_int_equal(rg_graph_of_text(f->cx, rg_str_of(text), "test", &f->g), RG_OK);
    return case_infer(f->cx, f->g);
}

/* The graph is refused with `err`, in words that contain `text`. */
static void refused(void **state, int opset, const char *body, rg_err err, const char *text)
{
    fixture *f = *state;
    assert_int_equal(load(f, opset, body), err);
    if (!strstr(rg_ctx_error(f->cx), text))
        fail_msg("\"%s\" does not say \"%s\"", rg_ctx_error(f->cx), text);
}

/* The type of output i of the main graph. */
static void typed(void **state, uint32_t i, const char *want)
{
    fixture *f = *state;
    rg_text text;
    rg_text_init(&text, &f->cx->arena);
    rg_type_print(f->g, &f->g->values[f->g->regions[RG_MAIN].outputs[i]].type, &text);
    assert_int_equal(text.size, strlen(want));
    assert_memory_equal(text.data, want, text.size);
}

static void accepted(void **state, int opset, const char *body, const char *type)
{
    fixture *f = *state;
    if (load(f, opset, body)) fail_msg("%s", rg_ctx_error(f->cx));
    typed(state, 0, type);
}

static const rg_node *node_of_type(const rg_graph *g, const char *type)
{
    for (rg_node_id id = 1; id < g->node_count; id++)
        if (rg_node_is(&g->nodes[id], type) && !g->nodes[id].dead) return &g->nodes[id];
    return NULL;
}

/* ---- what is refused ---- */

static void test_unknown_operator(void **state)
{
    refused(state, 20, "graph (%x: f32[2]) {\n %y = Convv(%x) @/a\n return %y }", RG_UNSUPPORTED,
            "node '/a' (Convv): operator Convv of domain 'ai.onnx' is not known; nearest: Conv");
}

static void test_an_operator_like_no_other(void **state)
{
    refused(state, 20, "graph (%x: f32[2]) {\n %y = Gradient(%x)\n return %y }", RG_UNSUPPORTED,
            "operator Gradient of domain 'ai.onnx' is not known");
    assert_null(strstr(rg_ctx_error(((fixture *)*state)->cx), "nearest"));
}

static void test_unknown_domain(void **state)
{
    refused(state, 20, "graph (%x: f32[2]) {\n %y = com.acme:Relu(%x)\n return %y }", RG_UNSUPPORTED,
            "operator Relu of domain 'com.acme' is not known; nearest: Relu");
}

static void test_unknown_attribute(void **state)
{
    refused(state, 20, "graph (%x: f32[2]) {\n %y = Softmax(%x) axes=1\n return %y }", RG_FORMAT,
            "attribute 'axes' is not known; nearest: axis");
}

static void test_wrong_attribute(void **state)
{
    refused(state, 20, "graph (%x: f32[2]) {\n %y = Softmax(%x) axis=0.5\n return %y }", RG_FORMAT,
            "attribute 'axis' holds a float, not an integer");
}

static void test_missing_attribute(void **state)
{
    refused(state, 20, "graph (%x: f32[1,4,2,2]) {\n %y = DepthToSpace(%x)\n return %y }", RG_FORMAT,
            "attribute 'blocksize' is missing");
}

static void test_too_few_inputs(void **state)
{
    refused(state, 20, "graph (%x: f32[2]) {\n %y = MatMul(%x)\n return %y }", RG_FORMAT,
            "has 1 inputs, needs 2 to 2");
}

static void test_left_out_input(void **state)
{
    refused(state, 20, "graph (%x: f32[2,2]) {\n %y = MatMul(_, %x)\n return %y }", RG_FORMAT,
            "input 0 is required and left out");
}

static void test_axis_outside(void **state)
{
    refused(state, 20, "graph (%x: f32[2,3]) {\n %y = Softmax(%x) axis=9\n return %y }", RG_SHAPE,
            "axis 9 is outside a tensor of rank 2");
}

static void test_window_too_large(void **state)
{
    refused(state, 20, "graph (%x: f32[1,1,5,5], %w: f32[1,1,7,7]) {\n %y = Conv(%x, %w)\n return %y }",
            RG_SHAPE, "a window of 7 does not fit into the padded size 5");
}

static void test_channels_differ(void **state)
{
    refused(state, 20, "graph (%x: f32[1,3,5,5], %w: f32[8,4,3,3]) {\n %y = Conv(%x, %w)\n return %y }",
            RG_SHAPE, "3 and 4 differ");
}

/* ---- the file's own types ---- */

static void test_stated_type_contradicts(void **state)
{
    refused(state, 20, "graph (%x: f32[2,3]) {\n %y: f32[2,4] = Softmax(%x)\n return %y }", RG_SHAPE,
            "is f32[2,3] by its inputs, but the file says f32[2,4]");
}

static void test_stated_dtype_contradicts(void **state)
{
    refused(state, 20, "graph (%x: f32[2]) {\n %y: f16[2] = Softmax(%x)\n return %y }", RG_SHAPE,
            "but the file says f16[2]");
}

static void test_stated_symbol_yields_to_a_number(void **state)
{
    accepted(state, 20, "graph (%x: f32[2,3]) {\n %y: f32[batch,3] = Softmax(%x)\n return %y }", "f32[2,3]");
}

static void test_stated_number_wins_over_an_expression(void **state)
{
    accepted(state, 20,
             "graph (%x: f32[1,1,h,4]) {\n %y: f32[1,1,5,2] = MaxPool(%x) kernel_shape=2,2 strides=2,2\n"
             " return %y }",
             "f32[1,1,5,2]");
}

static void test_stated_size_of_a_run_time_size(void **state)
{
    accepted(state, 20, "graph (%x: f32[9]) {\n %y: i64[1,found] = NonZero(%x)\n return %y }",
             "i64[1,found]");
}

static void test_stated_rank_where_none_is_inferred(void **state)
{
    accepted(state, 20, "graph (%x: f32[*]) {\n %y: f32[3,4] = Softplus(%x)\n return %y }", "f32[3,4]");
}

/* ---- older opsets ---- */

static void test_softmax_12_flattens(void **state)
{
    fixture *f = *state;
    accepted(state, 12, "graph (%x: f32[2,3,4]) {\n %y = Softmax(%x) axis=1\n return %y }", "f32[2,3,4]");
    const rg_node *softmax = node_of_type(f->g, "Softmax"), *reshape = node_of_type(f->g, "Reshape");
    assert_non_null(reshape);
    const rg_type *rows = &f->g->values[softmax->in[0]].type;
    assert_int_equal(rows->rank, 2);
    assert_int_equal(rows->dim[1], 12);
    assert_int_equal(reshape->out[0], f->g->regions[RG_MAIN].outputs[0]);
}

static void test_softmax_12_of_the_last_axis_stays(void **state)
{
    fixture *f = *state;
    accepted(state, 12, "graph (%x: f32[2,3]) {\n %y = Softmax(%x)\n return %y }", "f32[2,3]");
    assert_int_equal(f->g->node_count, 2);
    assert_int_equal(rg_node_attr(&f->g->nodes[1], "axis")->i, -1);
}

static void test_softmax_12_finds_its_rank(void **state)
{
    fixture *f = *state;
    accepted(state, 12, "graph (%x: f32[2,3]) {\n %a = Relu(%x)\n %y = Softmax(%a) axis=1\n return %y }",
             "f32[2,3]");
    assert_null(node_of_type(f->g, "Reshape"));
}

static void test_dropout_7(void **state)
{
    fixture *f = *state;
    accepted(state, 7, "graph (%x: f32[2,3]) {\n %y = Dropout(%x) ratio=0.25\n return %y }", "f32[2,3]");
    assert_int_equal(f->g->nodes[1].in_count, 2);
    const rg_value *ratio = &f->g->values[f->g->nodes[1].in[1]];
    assert_float_equal(rg_tensor_real(ratio->data, 0), 0.25, 0);
}

static void test_batch_norm_6(void **state)
{
    fixture *f = *state;
    accepted(state, 6, "graph (%x: f32[2,3], %s: f32[3]) {\n"
             " %y = BatchNormalization(%x, %s, %s, %s, %s) is_test=1 spatial=1\n return %y }", "f32[2,3]");
    assert_null(rg_node_attr(&f->g->nodes[1], "spatial"));
}

static void test_batch_norm_training_keeps_three_outputs(void **state)
{
    fixture *f = *state;
    accepted(state, 9,
             "graph (%x: f32[2,3], %s: f32[3]) {\n"
             " %y, %m, %v, %sm, %sv = BatchNormalization(%x, %s, %s, %s, %s)\n return %y, %m, %v }",
             "f32[2,3]");
    assert_int_equal(f->g->nodes[1].out_count, 3);
    assert_int_equal(rg_node_attr(&f->g->nodes[1], "training_mode")->i, 1);
}

static void test_upsample_becomes_resize(void **state)
{
    fixture *f = *state;
    accepted(state, 7, "graph (%x: f32[1,1,2,2]) {\n %y = Upsample(%x) scales=1.0,1.0,2.0,3.0\n return %y }",
             "f32[1,1,4,6]");
    const rg_node *n = node_of_type(f->g, "Resize");
    assert_non_null(n);
    assert_int_equal(n->in_count, 3);
    assert_true(rg_str_is(rg_node_attr(n, "coordinate_transformation_mode")->s, "asymmetric"));
    assert_true(rg_str_is(rg_node_attr(n, "nearest_mode")->s, "floor"));
}

static void test_upsample_9_and_resize_10(void **state)
{
    fixture *f = *state;
    accepted(state, 9, "const %s = f32[4] {1, 1, 2, 2}\ngraph (%x: f32[1,1,2,2]) {\n %y = Upsample(%x, %s)\n"
             " return %y }", "f32[1,1,4,4]");
    rg_graph_free(f->g);
    f->g = NULL;
    accepted(state, 10, "const %s = f32[4] {1, 1, 2, 2}\ngraph (%x: f32[1,1,2,2]) {\n %y = Resize(%x, %s)\n"
             " return %y }", "f32[1,1,4,4]");
}

static void test_dft_17(void **state)
{
    accepted(state, 17,
             "graph (%x: f32[1,6,10,2]) {\n %y = DFT(%x) axis=1 inverse=1 onesided=1\n return %y }",
             "f32[1,10,10,1]");
}

/* The batch of 4 becomes a Scan of its own around the one over 3 slices. */
static void test_scan_8(void **state)
{
    fixture *f = *state;
    accepted(state, 8,
             "graph (%s: f32[4,2], %x: f32[4,3,2]) {\n"
             " %last, %all = Scan(_, %s, %x) body=graph (%a: f32[2], %b: f32[2]) {\n"
             "  %c = Add(%a, %b)\n  return %c, %c\n } directions=[1] num_scan_inputs=1\n"
             " return %all, %last }",
             "f32[4,3,2]");
    typed(state, 1, "f32[4,2]");
    assert_int_equal(f->g->node_count, 4);
    const rg_node *outer = &f->g->nodes[1], *inner = &f->g->nodes[3];
    assert_int_equal(rg_node_attr(outer, "num_scan_inputs")->i, 2);
    assert_int_equal(f->g->regions[inner->region].owner, 1);
    assert_int_equal(rg_node_attr(inner, "num_scan_inputs")->i, 1);
    assert_int_equal(rg_node_attr(inner, "scan_input_directions")->ints[0], 1);
    assert_null(rg_node_attr(outer, "directions"));
    assert_int_equal(rg_graph_verify(f->cx, f->g), RG_OK);
}

static void test_scan_8_of_batches_of_different_lengths(void **state)
{
    refused(state, 8,
            "graph (%n: i64[4], %s: f32[4,2], %x: f32[4,3,2]) {\n"
            " %last, %all = Scan(%n, %s, %x) body=graph (%a: f32[2], %b: f32[2]) {\n"
            "  %c = Add(%a, %b)\n  return %c, %c\n } num_scan_inputs=1\n return %all, %last }",
            RG_UNSUPPORTED, "input 0, the lengths of the batches in opset 8, is not supported");
}

static void test_scatter_9(void **state)
{
    accepted(state, 9, "graph (%x: f32[3,3], %i: i64[2,3], %u: f32[2,3]) {\n"
             " %y = Scatter(%x, %i, %u) axis=1\n return %y }", "f32[3,3]");
    assert_non_null(node_of_type(((fixture *)*state)->g, "ScatterElements"));
}

/* ---- bodies ---- */

static void test_a_branch_that_never_runs_may_be_wrong(void **state)
{
    accepted(state, 20, "const %c = bool[] {1}\ngraph (%x: f32[2,3]) {\n"
             " %y = If(%c) else_branch=graph () {\n  %e = Softmax(%x) axis=7\n  return %e\n }"
             " then_branch=graph () {\n  %t = Softmax(%x)\n  return %t\n }\n return %y }", "f32[2,3]");
}

static void test_a_branch_that_contradicts_the_shapes_is_not_taken(void **state)
{
    accepted(state, 20, "graph (%c: bool[], %x: f32[2,3], %w: f32[5,7]) {\n"
             " %y = If(%c) else_branch=graph () {\n  %e = Softmax(%x)\n  return %e\n }"
             " then_branch=graph () {\n  %t = MatMul(%x, %w)\n  return %t\n }\n return %y }", "f32[2,3]");
}

static void test_two_branches_that_contradict_the_shapes(void **state)
{
    refused(state, 20, "graph (%c: bool[], %x: f32[2,3]) {\n"
            " %y = If(%c) else_branch=graph () {\n  %e = Softmax(%x) axis=7\n  return %e\n }"
            " then_branch=graph () {\n  %t = MatMul(%x, %x)\n  return %t\n }\n return %y }", RG_SHAPE,
            "axis 7 is outside");
}

static void test_branches_of_other_types(void **state)
{
    refused(
        state, 20,
        "graph (%c: bool[], %x: f32[2], %i: i64[2]) {\n"
        " %y = If(%c) else_branch=graph () { return %i } then_branch=graph () { return %x }\n return %y }",
        RG_SHAPE, "output 0 is f32 one way and i64 the other");
}

static void test_loop_until(void **state)
{
    accepted(state, 20, "const %m = i64[] {9223372036854775807}\ngraph (%x: f32[4], %c: bool[]) {\n"
             " %a, %all = Loop(%m, %c, %x) body=graph (%i: i64[], %go: bool[], %v: f32[4]) {\n"
             "  %n = Add(%v, %x)\n  return %go, %n, %n\n }\n return %all }", "f32[u0,4]");
}

static void test_nested_loops_end(void **state)
{
    /* four loops deep, each with a value that grows: without a bound every level would double the work */
    fixture *f = *state;
    const char *body =
             "graph (%x: f32[1,2], %c: bool[]) {\n"
             " %y = Loop(_, %c, %x) body=graph (%i1: i64[], %g1: bool[], %v1: ?) {\n"
             "  %y1 = Loop(_, %c, %v1) body=graph (%i2: i64[], %g2: bool[], %v2: ?) {\n"
             "   %y2 = Loop(_, %c, %v2) body=graph (%i3: i64[], %g3: bool[], %v3: ?) {\n"
             "    %y3 = Loop(_, %c, %v3) body=graph (%i4: i64[], %g4: bool[], %v4: ?) {\n"
             "     %n = Concat(%v4, %x) axis=0\n     return %g4, %n\n    }\n    return %g3, %y3\n   }\n"
             "   return %g2, %y2\n  }\n  return %g1, %y1\n }\n return %y }";
    assert_int_equal(load(f, 20, body), RG_OK);
    const rg_type *y = &f->g->values[f->g->regions[RG_MAIN].outputs[0]].type;
    assert_int_equal(y->rank, 2);
    assert_false(rg_dim_is_number(y->dim[0]));
    assert_int_equal(y->dim[1], 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unknown_operator),
        TEST(test_an_operator_like_no_other),
        TEST(test_unknown_domain),
        TEST(test_unknown_attribute),
        TEST(test_wrong_attribute),
        TEST(test_missing_attribute),
        TEST(test_too_few_inputs),
        TEST(test_left_out_input),
        TEST(test_axis_outside),
        TEST(test_window_too_large),
        TEST(test_channels_differ),
        TEST(test_stated_type_contradicts),
        TEST(test_stated_dtype_contradicts),
        TEST(test_stated_symbol_yields_to_a_number),
        TEST(test_stated_number_wins_over_an_expression),
        TEST(test_stated_size_of_a_run_time_size),
        TEST(test_stated_rank_where_none_is_inferred),
        TEST(test_softmax_12_flattens),
        TEST(test_softmax_12_of_the_last_axis_stays),
        TEST(test_softmax_12_finds_its_rank),
        TEST(test_dropout_7),
        TEST(test_batch_norm_6),
        TEST(test_batch_norm_training_keeps_three_outputs),
        TEST(test_upsample_becomes_resize),
        TEST(test_upsample_9_and_resize_10),
        TEST(test_dft_17),
        TEST(test_scan_8),
        TEST(test_scan_8_of_batches_of_different_lengths),
        TEST(test_scatter_9),
        TEST(test_a_branch_that_never_runs_may_be_wrong),
        TEST(test_a_branch_that_contradicts_the_shapes_is_not_taken),
        TEST(test_two_branches_that_contradict_the_shapes),
        TEST(test_branches_of_other_types),
        TEST(test_loop_until),
        TEST(test_nested_loops_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
