/* test_shape_ops.c - shapes as they are computed inside models: elements of integer tensors followed through
 * chains of operators, nodes of old opsets rewritten to today's meaning, broadcasting and slicing.
 *
 * Expected values are those of the ONNX specification and of numpy's documentation (broadcasting, slicing).
 */
#include "op/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

/* The graph of `text` behind its heading, with types; NULL when it was refused. */
static rg_graph *infer(int opset, const char *text)
{
    rg_graph *g = NULL;
    const char *whole = rg_arena_printf(&cx->arena, "ridge.graph/1 \"t\" opset %d\n%s", opset, text);

    assert_non_null(whole);
    if (rg_graph_of_text(cx, rg_str_of(whole), "test", &g)) fail_msg("%s: %s", text, rg_ctx_error(cx));
    if (rg_graph_resolve(cx, g) == RG_OK && rg_graph_infer(cx, g) == RG_OK) {
        assert_int_equal(rg_graph_verify(cx, g), RG_OK);
        return g;
    }
    rg_graph_free(g);
    return NULL;
}

/* "i64[2] {batch, 5}": the type of output 0, and its elements where they are known. */
static const char *answer(const rg_graph *g)
{
    const rg_value *v = &g->values[g->regions[RG_MAIN].outputs[0]];
    rg_text text;

    rg_text_init(&text, &cx->arena);
    rg_type_print(g, &v->type, &text);
    for (uint32_t i = 0; v->known && i < v->known_count; i++) {
        rg_text_put(&text, rg_str_of(i ? ", " : " {"));
        rg_dim_print(&g->dims, v->known[i], &text);
    }
    if (v->known) rg_text_char(&text, v->known_count ? '}' : '.');
    rg_text_char(&text, '\0');
    assert_false(text.failed);
    return text.data;
}

typedef struct row { const char *text, *want; } row; /* want NULL: it must be refused */

static void check(int opset, const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rg_graph *g = infer(opset, rows[i].text);
        if (!g && rows[i].want) fail_msg("%s\n%s", rows[i].text, rg_ctx_error(cx));
        if (g && !rows[i].want) fail_msg("%s\nis not refused: %s", rows[i].text, answer(g));
        if (g && strcmp(answer(g), rows[i].want) != 0)
            fail_msg("%s\nis %s, not %s", rows[i].text, answer(g), rows[i].want);
        rg_graph_free(g);
    }
}

/* ---- chains ---- */

#define X "graph (%x: f32[batch,64,7,7]) {\n"
#define SEQ "graph (%x: f32[batch,seq,768]) {\n"

static const row chains[] = {
    /* torch's x.view(x.size(0), -1) */
    {"const %zero = i64[] {0}\nconst %axes = i64[1] {0}\nconst %rest = i64[1] {-1}\n"
     X "%s = Shape(%x) %b = Gather(%s, %zero) %u = Unsqueeze(%b, %axes) %t = Concat(%u, %rest) axis=0\n"
     "%y = Reshape(%x, %t) return %y }", "f32[batch,3136]"},
    {X "%y = Shape(%x) return %y }", "i64[4] {batch, 64, 7, 7}"},
    {X "%y = Shape(%x) start=-3 end=-1 return %y }", "i64[2] {64, 7}"},
    {X "%y = Size(%x) return %y }", "i64[] {batch*3136}"},
    {"const %shape = i64[4] {0, -1, 12, 64}\n" /* attention heads */
     SEQ "%y = Reshape(%x, %shape) return %y }", "f32[batch,seq,12,64]"},
    {"const %shape = i64[2] {-1, 768}\n"
     SEQ "%y = Reshape(%x, %shape) return %y }", "f32[batch*seq,768]"},
    {"const %from = i64[1] {0}\nconst %to = i64[1] {2}\nconst %rest = i64[2] {12, 64}\n"
     SEQ "%s = Shape(%x) %a = Slice(%s, %from, %to) %t = Concat(%a, %rest) axis=0\n"
     "%y = Reshape(%x, %t) return %y }", "f32[batch,seq,12,64]"},
    {"const %one = i64[] {1}\n"
     SEQ "%s = Shape(%x) %n = Gather(%s, %one) %m = Add(%n, %one) %k = Mul(%m, %m)\n"
     "%d = Div(%k, %m) %y = Sub(%d, %one) return %y }", "i64[] {seq}"},
    {"const %zero = i64[] {0}\nconst %one = i64[] {1}\n" /* position ids */
     SEQ "%s = Shape(%x) %n = Gather(%s, %one) %y = Range(%zero, %n, %one) return %y }", "i64[seq]"},
    {"const %two = i64[] {2}\nconst %nine = i64[] {11}\nconst %three = i64[] {3}\n"
     "graph () { %y = Range(%two, %nine, %three) return %y }", "i64[3] {2, 5, 8}"},
    {"const %four = i64[1] {4}\nconst %one = i64[] {1}\nconst %five = i64[] {5}\n"
     "graph () { %a = ConstantOfShape(%four) value=tensor i64[1] {-3} %y = Clip(%a, %one, %five) return %y }",
     "i64[4] {1, 1, 1, 1}"},
    /* torch's expand(-1, 5): sizes of -1 keep what is there; a symbol of 1 or more is not -1 */
    {"const %minus = i64[2] {-1, -1}\nconst %ones = i64[2] {1, 1}\nconst %five = i64[1] {5}\n"
     "const %zero = i64[1] {0}\ngraph (%x: f32[batch,1]) { %s = Shape(%x) %b = Gather(%s, %zero)\n"
     "%t = Concat(%b, %five) axis=0 %e = Equal(%t, %minus) %w = Where(%e, %ones, %t) %y = Expand(%x, %w)\n"
     "return %y }", "f32[batch,5]"},
    /* torch's pad: pairs per axis, last axis first, turned into begins and ends */
    {"const %pads = i64[4] {3, 4, 0, 0}\nconst %pairs = i64[2] {-1, 2}\nconst %last = i64[1] {-1}\n"
     "const %first = i64[1] {-9223372036854775807}\nconst %axis = i64[1] {0}\nconst %back = i64[1] {-1}\n"
     "const %flat = i64[1] {-1}\ngraph (%x: f32[batch,100]) { %r = Reshape(%pads, %pairs)\n"
     "%s = Slice(%r, %last, %first, %axis, %back) %t = Transpose(%s) perm=1,0 %f = Reshape(%t, %flat)\n"
     "%c = Cast(%f) to=7 %y = Pad(%x, %c) return %y }", "f32[batch,107]"},
    {"const %rows = i64[2] {4, 2}\ngraph (%x: f32[6,batch]) { %a, %b = Split(%x, %rows) return %b }",
     "f32[2,batch]"},
    {"graph (%x: f32[2,batch]) { %s = Shape(%x) %a, %y = Split(%s) num_outputs=2 return %y }",
     "i64[1] {batch}"},
    {SEQ "%s = Shape(%x) %y = ReduceProd(%s) keepdims=0 return %y }", "i64[] {batch*seq*768}"},
    {"const %k = i64[1] {5}\ngraph (%x: f32[batch,1000]) { %v, %y = TopK(%x, %k) return %y }",
     "i64[batch,5]"},
    {"const %r = i64[3] {1, 7, 2}\ngraph (%x: f32[batch,1,5]) { %y = Tile(%x, %r) return %y }",
     "f32[batch,7,10]"},
    {"const %m = i64[] {3}\ngraph (%x: f32[7]) { %s = Size(%x) %y = Mod(%s, %m) return %y }", "i64[] {1}"},
    {"const %a = i64[2] {-7, 7}\nconst %b = i64[2] {3, -3}\ngraph () { %y = Mod(%a, %b) return %y }",
     "i64[2] {2, -2}"},
    {"const %a = i64[2] {-7, 7}\nconst %b = i64[2] {3, -3}\ngraph () { %y = Mod(%a, %b) fmod=1 return %y }",
     "i64[2]"},
    {"const %a = i64[2] {-7, 7}\nconst %b = i64[] {2}\ngraph () { %y = Div(%a, %b) return %y }",
     "i64[2] {-3, 3}"},
    {"const %a = i64[3] {1, 0, 2}\ngraph () { %y = NonZero(%a) return %y }", "i64[1,2] {0, 2}"},
};

static void test_chains(void **state)
{
    (void)state;
    check(RG_OPSET_MAX, chains, RG_COUNT(chains));
}

static const row refused[] = {
    {"const %s = i64[2] {-1, -1}\n" X "%y = Reshape(%x, %s) return %y }", NULL},
    {"const %s = i64[2] {4, 7}\ngraph (%x: f32[6,4]) { %y = Reshape(%x, %s) return %y }", NULL},
    {"const %s = i64[2] {-1, 5}\ngraph (%x: f32[6,4]) { %y = Reshape(%x, %s) return %y }", NULL},
    {"graph (%x: f32[6,4], %z: f32[5,4]) { %y = Concat(%x, %z) axis=1 return %y }", NULL},
    {"graph (%x: f32[6,4], %z: i64[6,4]) { %y = Add(%x, %z) return %y }", NULL},
    {"graph (%x: seq(f32[2])) { %y = Exp(%x) return %y }", NULL},
    {"const %a = i64[1] {1}\ngraph (%x: f32[2,3]) { %y = Squeeze(%x, %a) return %y }", NULL},
    {"const %a = i64[1] {4}\ngraph (%x: f32[2,3]) { %y = ReduceSum(%x, %a) return %y }", NULL},
    {"const %a = i64[2] {0, 0}\ngraph (%x: f32[2,3]) { %y = Unsqueeze(%x, %a) return %y }", NULL},
    {"graph (%x: f32[2,3]) { %y = Transpose(%x) perm=0,0 return %y }", NULL},
    {"graph (%x: f32[7]) { %y, %z = Split(%x) return %y }", NULL},
    {"const %k = i64[1] {9}\ngraph (%x: f32[2,3]) { %y, %z = TopK(%x, %k) return %y }", NULL},
};

static void test_refused(void **state)
{
    (void)state;
    check(13, refused, RG_COUNT(refused));
}

/* ---- old opsets ---- */

static const struct { int opset; row row; } old[] = {
    {6, {"graph (%x: f32[2,3,4,5], %b: f32[3,4]) { %y = Add(%x, %b) axis=1 broadcast=1 return %y }",
         "f32[2,3,4,5]"}},
    {6, {"graph (%x: f32[2,3,4,5], %b: f32[3]) { %y = Mul(%x, %b) axis=-3 broadcast=1 return %y }",
         "f32[2,3,4,5]"}},
    {6, {"graph (%x: f32[2,3,4,5], %b: f32[4,5]) { %y = Div(%x, %b) broadcast=1 return %y }",
         "f32[2,3,4,5]"}},
    {6, {"graph (%x: f32[2,3,4], %b: f32[3]) { %r = Relu(%x) %y = Add(%r, %b) axis=1 broadcast=1\n"
         "return %y }", "f32[2,3,4]"}}, /* the rank of %r is not stated */
    {6, {"graph (%x: f32[2,3], %b: f32[3]) { %y = Less(%x, %b) axis=1 broadcast=1 return %y }", "bool[2,3]"}},
    {6, {"graph (%x: f32[2,3], %b: f32[3]) { %y = Add(%x, %b) axis=2 broadcast=1 return %y }", NULL}},
    {6, {"graph (%x: f32[2,3,4], %s: f32[3]) { %y = PRelu(%x, %s) return %y }", "f32[2,3,4]"}},
    {6, {"graph (%x: f32[2,3]) { %y = Clip(%x) max=6.0 min=0.0 return %y }", "f32[2,3]"}},
    {6, {"graph (%x: f32[2,3]) { %y = Clip(%x) max=6.0 return %y }", "f32[2,3]"}},
    {1, {"graph (%x: f32[2,3]) { %y = Relu(%x) consumed_inputs=[0] return %y }", "f32[2,3]"}},
    {1, {"graph (%x: f32[2,3,4]) { %y = Reshape(%x) shape=6,-1 return %y }", "f32[6,4]"}},
    {1, {"graph (%x: f32[2,3], %z: f32[2,4]) { %y = Concat(%x, %z) return %y }", "f32[2,7]"}},
    {1, {"graph (%x: f32[9,8,7]) { %y = Slice(%x) axes=0,2 starts=1,-3 ends=4,100 return %y }",
         "f32[3,8,3]"}},
    {1, {"graph (%x: f32[2,9]) { %y, %z = TopK(%x) k=4 return %y }", "f32[2,4]"}},
    {1, {"graph (%x: f32[2,3]) { %y = Cast(%x) to=\"FLOAT16\" return %y }", "f16[2,3]"}},
    {1, {"graph (%x: f32[2,3]) { %y = Cast(%x) to=\"INT64\" return %y }", "i64[2,3]"}},
    {1, {"graph (%x: f32[2,3]) { %y = Cast(%x) to=\"WIDE\" return %y }", NULL}},
    {1, {"graph (%x: f32[2,3]) { %y = Pad(%x) paddings=0,1,0,2 return %y }", "f32[2,6]"}},
    {2, {"graph (%x: f32[2,3]) { %y = Pad(%x) pads=1,0,1,0 value=0.5 mode=\"constant\" return %y }",
         "f32[4,3]"}},
    {2, {"graph (%x: f32[7,3]) { %y, %z = Split(%x) axis=0 split=4,3 return %z }", "f32[3,3]"}},
    {11, {"graph (%x: f32[1,3,1]) { %y = Squeeze(%x) axes=[0] return %y }", "f32[3,1]"}},
    {11, {"graph (%x: f32[3]) { %y = Unsqueeze(%x) axes=0,2 return %y }", "f32[1,3,1]"}},
    {11, {"graph (%x: f32[2,3,4]) { %y = ReduceSum(%x) axes=1,2 keepdims=0 return %y }", "f32[2]"}},
    {17, {"graph (%x: f32[2,3,4]) { %y = ReduceMean(%x) axes=[-1] return %y }", "f32[2,3,1]"}},
    {17, {"graph (%x: f32[2,3,4]) { %y = ReduceMax(%x) keepdims=0 return %y }", "f32[]"}},
};

static void test_old_opsets(void **state)
{
    (void)state;
    for (size_t i = 0; i < RG_COUNT(old); i++) check(old[i].opset, &old[i].row, 1);
}

/* What opset 6 aligned at an axis must meet the same elements: [3,4] at axis 1 of [2,3,4,5] is [3,4,1]. */
static void test_old_broadcast_aligns(void **state)
{
    (void)state;
    rg_graph *g = infer(6, "graph (%x: f32[2,3,4,5], %b: f32[3,4]) {\n"
                           "%y = Add(%x, %b) axis=1 broadcast=1 return %y }");
    assert_non_null(g);
    const rg_node *add = NULL;
    for (rg_node_id id = 1; id < g->node_count; id++)
        if (rg_node_is(&g->nodes[id], "Add")) add = &g->nodes[id];
    assert_non_null(add);
    const rg_type *b = &g->values[add->in[1]].type;
    assert_int_equal(b->rank, 3);
    assert_true(b->dim[0] == 3 && b->dim[1] == 4 && b->dim[2] == 1);
    assert_null(rg_node_attr(add, "axis"));
    assert_null(rg_node_attr(add, "broadcast"));
    rg_graph_free(g);
}

/* ---- broadcasting: the examples of numpy's documentation ---- */

static const struct { const char *a, *b, *want; } broadcasts[] = {
    {"256,256,3", "3", "256,256,3"},
    {"8,1,6,1", "7,1,5", "8,7,6,5"},
    {"5,4", "1", "5,4"},
    {"5,4", "4", "5,4"},
    {"15,3,5", "15,1,5", "15,3,5"},
    {"15,3,5", "3,5", "15,3,5"},
    {"15,3,5", "3,1", "15,3,5"},
    {"", "2,3", "2,3"},
    {"0,3", "1,3", "0,3"},
    {"batch,1", "5", "batch,5"},
    {"batch,3", "1,3", "batch,3"},
    {"batch,3", "batch,1", "batch,3"},
    {"3", "4", NULL},
    {"2,1", "8,4,3", NULL},
};

static void test_broadcasting(void **state)
{
    (void)state;
    for (size_t i = 0; i < RG_COUNT(broadcasts); i++) {
        const char *want = broadcasts[i].want;
        const char *text = rg_arena_printf(
            &cx->arena, "graph (%%a: f32[%s], %%b: f32[%s]) { %%y = Add(%%a, %%b) return %%y }",
            broadcasts[i].a, broadcasts[i].b);
        row both = {text, want ? rg_arena_printf(&cx->arena, "f32[%s]", want) : NULL};
        check(14, &both, 1);
    }
}

/* ---- slices of 0..9, as numpy answers x[start:end:step] ---- */

static const struct { const char *start, *end, *step, *want; } slices[] = {
    {"2", "7", "1", "i64[5] {2, 3, 4, 5, 6}"},
    {"1", "7", "2", "i64[3] {1, 3, 5}"},
    {"-2", "10", "1", "i64[2] {8, 9}"},
    {"-3", "3", "-1", "i64[4] {7, 6, 5, 4}"},
    {"5", "9223372036854775807", "1", "i64[5] {5, 6, 7, 8, 9}"},
    {"-1", "-9223372036854775808", "-1", "i64[10] {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}"},
    {"100", "0", "-4", "i64[3] {9, 5, 1}"},
    {"-100", "3", "1", "i64[3] {0, 1, 2}"},
    {"7", "2", "1", "i64[0]."},
    {"2", "7", "-1", "i64[0]."},
    {"3", "4", "9223372036854775807", "i64[1] {3}"},
    {"0", "10", "0", NULL},
};

/* x[start:end:step], x being whatever `head` and `input` say. */
static const char *slice_text(const char *head, const char *input, const char *from, const char *to,
                              const char *step)
{
    return rg_arena_printf(&cx->arena,
                           "%sconst %%a = i64[1] {%s}\nconst %%b = i64[1] {%s}\nconst %%c = i64[1] {0}\n"
                           "const %%d = i64[1] {%s}\ngraph (%s) {\n"
                           "%%y = Slice(%%x, %%a, %%b, %%c, %%d) return %%y }",
                           head, from, to, step, input);
}

static void test_slices(void **state)
{
    (void)state;
    const char *digits = "const %x = i64[10] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}\n";
    for (size_t i = 0; i < RG_COUNT(slices); i++) {
        row one = {slice_text(digits, "", slices[i].start, slices[i].end, slices[i].step), slices[i].want};
        check(13, &one, 1);
    }
}

/* Sizes that are symbols of 1 or more: the formula holds for every value. */
static const struct { const char *start, *end, *step, *want; } symbolic_slices[] = {
    {"0", "9223372036854775807", "1", "f32[n]"},
    {"1", "9223372036854775807", "1", "f32[n-1]"},
    {"0", "-1", "1", "f32[n-1]"},
    {"0", "1", "1", "f32[1]"},
    {"-1", "9223372036854775807", "1", "f32[1]"},
    {"0", "9223372036854775807", "2", "f32[ceil(n/2)]"},
    {"-1", "-9223372036854775807", "-1", "f32[n]"},
    {"0", "512", "1", "f32[min(n,512)]"},
    {"-4", "9223372036854775807", "1", "f32[min(n,4)]"},
};

static void test_symbolic_slices(void **state)
{
    (void)state;
    for (size_t i = 0; i < RG_COUNT(symbolic_slices); i++) {
        row one = {slice_text("", "%x: f32[n]", symbolic_slices[i].start, symbolic_slices[i].end,
                              symbolic_slices[i].step), symbolic_slices[i].want};
        check(13, &one, 1);
    }
}

/* ---- work ---- */

static rg_work work_of(const char *text)
{
    rg_work w = {.family = RG_FAMILY_COUNT};
    rg_graph *g = infer(RG_OPSET_MAX, text);
    assert_non_null(g);
    rg_node_work(cx, g, 1, &w);
    rg_graph_free(g);
    return w;
}

static void test_work(void **state)
{
    (void)state;
    /* 8 tokens of a table of 1000 rows of 64 floats: 8 indices and 8 rows are read, not the table */
    rg_work w = work_of("const %t = f32[1000,64] none\ngraph (%i: i64[8]) { %y = Gather(%t, %i) return %y }");
    assert_int_equal(w.family, RG_FAMILY_EMBED);
    assert_float_equal(w.in_byte, 8 * 8, 0);
    assert_float_equal(w.weight_byte, 8 * 64 * 4, 0);
    assert_float_equal(w.out_byte, 8 * 64 * 4, 0);

    w = work_of("graph (%x: f32[2,3,4]) { %y = Add(%x, %x) return %y }");
    assert_int_equal(w.family, RG_FAMILY_ELEMENTWISE);
    assert_float_equal(w.flop, 24, 0);
    assert_float_equal(w.mac, 0, 0);
    assert_float_equal(w.in_byte, 96, 0);

    w = work_of("graph (%x: f16[2,3,4]) { %y = Sigmoid(%x) return %y }");
    assert_float_equal(w.special, 24, 0);
    assert_float_equal(w.out_byte, 48, 0);

    w = work_of("graph (%x: f32[16,100]) { %y = ReduceMean(%x) keepdims=0 return %y }");
    assert_int_equal(w.family, RG_FAMILY_REDUCE);
    assert_float_equal(w.flop, 1601, 0);
    assert_float_equal(w.k, 1600, 0);

    w = work_of("graph (%x: f32[1,64,1,1]) { %y = Transpose(%x) perm=0,2,3,1 return %y }");
    assert_int_equal(w.family, RG_FAMILY_VIEW);
    assert_float_equal(w.in_byte + w.out_byte, 0, 0);

    w = work_of("graph (%x: f32[8,64,7,7]) { %y = Shape(%x) return %y }");
    assert_float_equal(w.in_byte, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chains, start, stop),
        cmocka_unit_test_setup_teardown(test_refused, start, stop),
        cmocka_unit_test_setup_teardown(test_old_opsets, start, stop),
        cmocka_unit_test_setup_teardown(test_old_broadcast_aligns, start, stop),
        cmocka_unit_test_setup_teardown(test_broadcasting, start, stop),
        cmocka_unit_test_setup_teardown(test_slices, start, stop),
        cmocka_unit_test_setup_teardown(test_symbolic_slices, start, stop),
        cmocka_unit_test_setup_teardown(test_work, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
