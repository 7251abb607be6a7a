/* test_facts.c - what the analysis says of small graphs, against figures worked out by hand: sums, stages,
 * critical path, lifetimes, control flow laid flat, parallelism.
 */
#include "analyze/analyze.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

#define HEAD "ridge.graph/1 \"net\" opset 20\n"

static rg_err check(rg_ctx *cx, rg_err err)
{
    if (err) print_error("%s\n", rg_ctx_error(cx));
    return err;
}

/* Facts of a graph that nobody else holds: freeing them frees it. */
static const rg_facts *facts_of(rg_ctx *cx, rg_graph *g)
{
    const rg_facts *facts = NULL;
    assert_int_equal(check(cx, rg_graph_resolve(cx, g)), RG_OK);
    assert_int_equal(check(cx, rg_graph_infer(cx, g)), RG_OK);
    assert_int_equal(check(cx, rg_facts_make(cx, g, &facts)), RG_OK);
    rg_graph_free(g);
    return facts;
}

static const rg_facts *facts_of_text(rg_ctx *cx, const char *text)
{
    rg_graph *g = NULL;
    assert_int_equal(check(cx, rg_graph_of_text(cx, rg_str_of(text), NULL, &g)), RG_OK);
    return facts_of(cx, g);
}

static rg_value_id value_named(const rg_facts *f, const char *name)
{
    for (rg_value_id v = 1; v < f->graph->value_count; v++)
        if (rg_str_is(f->graph->values[v].name, name)) return v;
    fail_msg("no value %s", name);
    return 0;
}

/* The step that computes a value. */
static uint32_t step_named(const rg_facts *f, const char *name)
{
    rg_node_id node = f->graph->values[value_named(f, name)].producer;
    for (uint32_t s = 0; s < f->step_count; s++)
        if (f->steps[s].node == node) return s;
    fail_msg("no step computes %s", name);
    return 0;
}

static bool waits_for(const rg_facts *f, const char *name, const char *other)
{
    uint32_t step = step_named(f, name), wanted = step_named(f, other);
    for (uint32_t d = f->dep_first[step]; d < f->dep_first[step + 1]; d++)
        if (f->deps[d] == wanted) return true;
    return false;
}

static uint32_t dep_count(const rg_facts *f, const char *name)
{
    uint32_t step = step_named(f, name);
    return f->dep_first[step + 1] - f->dep_first[step];
}

static void assert_live(const rg_facts *f, const char *name, const char *buffer, uint32_t born, uint32_t dies)
{
    rg_value_id v = value_named(f, name);
    assert_int_equal(f->buffer[v], value_named(f, buffer));
    assert_int_equal(f->born[v], born);
    assert_int_equal(f->dies[v], dies);
}

/* What holds for every graph. */
static void assert_sane(const rg_facts *f)
{
    double peak = 0, path = 0;
    for (uint32_t s = 0; s < f->step_count; s++) {
        assert_true(f->stage[s] < f->stage_count);
        for (uint32_t d = f->dep_first[s]; d < f->dep_first[s + 1]; d++) {
            assert_true(f->deps[d] < s);
            assert_true(f->stage[f->deps[d]] <= f->stage[s]);
            for (uint32_t e = f->dep_first[s]; e < d; e++) assert_int_not_equal(f->deps[d], f->deps[e]);
        }
        if (f->live_byte[s] > peak) peak = f->live_byte[s];
        assert_true(f->live_byte[s] >= 0);
    }
    for (uint32_t i = 0; i < f->critical_count; i++) {
        const rg_work *w = &f->work[f->critical[i]];
        path += (w->flop + w->special) * f->steps[f->critical[i]].times;
        if (i) assert_true(f->critical[i - 1] < f->critical[i]);
    }
    assert_true(path == f->critical_flop);
    assert_true(peak == f->peak_live_byte);
    if (f->step_count) assert_true(f->live_byte[f->peak_step] == peak);
}

/* ---- straight lines ---- */

static void a_perceptron_has_its_closed_form(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %w1 = f32[784,256] none const %b1 = f32[256] none const %w2 = f32[256,10] none\n"
        "const %b2 = f32[10] none\n"
        "graph (%x: f32[4,784]) { %h = Gemm(%x, %w1, %b1) %r = Relu(%h) %y = Gemm(%r, %w2, %b2) return %y }");
    double mac = 4.0 * (784 * 256 + 256 * 10), parameters = 784 * 256 + 256 + 256 * 10 + 10;
    assert_true(f->mac == mac);
    assert_true(f->flop == 2 * mac + 4 * 256 + 4 * 10 + 4 * 256); /* biases, Relu */
    assert_true(f->special == 0);
    assert_true(f->parameters == parameters);
    assert_true(f->weight_byte == 4 * parameters);
    assert_true(f->activation_byte == 4 * 4 * (256 + 256 + 10));
    assert_true(f->input_byte == 4 * 4 * 784 && f->output_byte == 4 * 4 * 10);
    assert_int_equal(f->layers, 2);
    assert_string_equal(f->family, "mlp");
    assert_int_equal(f->step_count, 3);
    assert_int_equal(f->stage_count, 3);
    assert_int_equal(f->critical_count, 3);
    assert_true(f->critical_flop == f->flop);
    assert_live(f, "x", "x", 0, 0);
    assert_live(f, "h", "h", 0, 1);
    assert_live(f, "y", "y", 2, 3);
    assert_int_equal(f->born[value_named(f, "w1")], UINT32_MAX);
    assert_true(f->live_byte[0] == 4 * 4 * (784 + 256));
    assert_true(f->live_byte[1] == 4 * 4 * (256 + 256));
    assert_true(f->live_byte[2] == 4 * 4 * (256 + 10));
    assert_int_equal(f->peak_step, 0);
    assert_sane(f);
    rg_facts_free(f);
}

static void convolutions_in_a_chain(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %w1 = f32[16,3,3,3] none const %w2 = f32[16,1,3,3] none const %w3 = f32[32,16,1,1] none\n"
        "graph (%x: f32[2,3,8,8]) {\n"
        "  %a = Conv(%x, %w1) pads=1,1,1,1  %b = Conv(%a, %w2) group=16 pads=1,1,1,1\n"
        "  %y = Conv(%b, %w3) return %y }");
    double pixels = 2 * 8 * 8;
    assert_true(f->mac == pixels * (16 * 27 + 16 * 9 + 32 * 16));
    assert_true(f->parameters == 16 * 27 + 16 * 9 + 32 * 16);
    assert_string_equal(f->family, "cnn");
    assert_int_equal(f->layers, 3);
    const rg_width *w = f->width;
    assert_true(w[0].batch == 2 && w[0].channels == 16 && w[0].spatial == 64 && w[0].threads == 2 * 16 * 64);
    assert_false(w[0].depthwise || w[0].grouped);
    assert_true(w[1].depthwise && !w[1].grouped && w[1].split_channels && w[1].split_batch);
    assert_string_equal(w[2].vector_dim, "channels");
    assert_true(w[2].vector_length == 32);
    assert_sane(f);
    rg_facts_free(f);
}

static void a_view_shares_its_source(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %s = i64[2] {3, 4}\n"
        "graph (%x: f32[2,6]) { %a = Relu(%x) %v = Reshape(%a, %s) %b = Relu(%v) %y = Relu(%b) return %y }");
    assert_live(f, "v", "a", 1, 2);
    assert_live(f, "a", "a", 0, 2); /* as long as its view is read */
    assert_int_equal(f->stage[step_named(f, "v")], 0);
    assert_int_equal(f->stage[step_named(f, "b")], 1);
    assert_int_equal(f->stage_count, 3);
    for (uint32_t s = 0; s < f->step_count; s++) assert_true(f->live_byte[s] == (s == 1 ? 48 : 96));
    assert_true(f->activation_byte == 3 * 48);
    assert_true(f->parameters == 0);
    assert_sane(f);
    rg_facts_free(f);
}

/*        b (3x3)
 *      /         \
 *  a               d       all tensors 512 byte
 *      \         /
 *        c (1x1)
 */
static void a_diamond_has_two_sides(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %w3 = f32[8,8,3,3] none const %w1 = f32[8,8,1,1] none\n"
        "graph (%x: f32[1,8,4,4]) {\n"
        "  %a = Relu(%x) %b = Conv(%a, %w3) pads=1,1,1,1  %c = Conv(%a, %w1)  %d = Add(%b, %c) return %d }");
    static const uint32_t stage[] = {0, 1, 1, 2}, critical[] = {0, 1, 3};
    static const double live[] = {1024, 1024, 1536, 1536};
    assert_int_equal(f->step_count, 4);
    assert_int_equal(f->stage_count, 3);
    for (uint32_t s = 0; s < 4; s++) {
        assert_int_equal(f->stage[s], stage[s]);
        assert_true(f->live_byte[s] == live[s]);
    }
    assert_int_equal(dep_count(f, "d"), 2);
    assert_true(waits_for(f, "d", "b") && waits_for(f, "d", "c") && waits_for(f, "b", "a"));
    assert_int_equal(f->critical_count, 3);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(f->critical[i], critical[i]);
    assert_true(f->critical_flop == 128 + 2 * 128 * 72 + 128);
    assert_true(f->peak_live_byte == 1536);
    assert_int_equal(f->peak_step, 2);
    assert_sane(f);
    rg_facts_free(f);
}

/* Of the diamond, the two convolutions as one:
 * they share what they read, and both results are needed outside. */
static void any_set_of_nodes_has_facts(void **state)
{
    rg_ctx *cx = *state;
    const rg_facts *f = facts_of_text(cx,
        HEAD "const %w3 = f32[8,8,3,3] none const %w1 = f32[8,8,1,1] none\n"
        "graph (%x: f32[1,8,4,4]) {\n"
        "  %a = Relu(%x) %b = Conv(%a, %w3) pads=1,1,1,1  %c = Conv(%a, %w1)  %d = Add(%b, %c) return %d }");
    static const uint32_t middle[] = {1, 2}, all[] = {0, 1, 2, 3};
    rg_uses uses;
    rg_set set;
    assert_int_equal(rg_graph_uses(cx, f->graph, &cx->arena, &uses), RG_OK);
    assert_int_equal(rg_facts_set(cx, f, &uses, middle, 2, &set), RG_OK);
    assert_int_equal(set.input_count, 1);
    assert_int_equal(set.weight_count, 2);
    assert_int_equal(set.output_count, 2);
    assert_int_equal(set.dep_count, 1);
    assert_int_equal(set.deps[0], 0);
    assert_true(set.in_byte == 512 && set.out_byte == 1024 && set.weight_byte == 4 * 8 * 8 * (9 + 1));
    assert_true(set.mac == 128 * 72 + 128 * 8);
    assert_true(set.intensity == set.flop / (512 + 1024 + 2560));
    assert_int_equal(rg_facts_set(cx, f, &uses, all, 4, &set), RG_OK); /* the whole: only its ends cross */
    assert_true(set.in_byte == 512 && set.out_byte == 512 && set.dep_count == 0 && set.output_count == 1);
    assert_int_equal(rg_facts_set(cx, f, &uses, NULL, 0, &set), RG_OK);
    assert_true(set.flop == 0 && set.intensity == 0);
    rg_facts_free(f);
}

/* ---- control flow ---- */

#define BRANCHES(condition)                                                                              \
    "const %w = f32[8,8] none const %yes = bool[] {1} const %no = bool[] {0}\n"                          \
    "graph (%x: f32[4,8], %c: bool[]) {\n"                                                               \
    "  %n = Not(%c) %a = Relu(%x)\n"                                                                     \
    "  %y = If(" condition ") then_branch=graph () { %p = MatMul(%a, %w) return %p }\n"                  \
    "    else_branch=graph () { %q = Neg(%a) return %q }\n"                                              \
    "  %z = Relu(%y) return %z }"

static void an_undecided_branch_has_two_arms(void **state)
{
    const rg_facts *f = facts_of_text(*state, HEAD BRANCHES("%n"));
    uint32_t p = step_named(f, "p"), q = step_named(f, "q"), z = step_named(f, "z");
    assert_int_equal(f->step_count, 5);
    assert_int_equal(f->arm_count, 3);
    assert_int_equal(f->steps[step_named(f, "a")].arm, 0);
    assert_int_equal(f->steps[p].arm, 1);
    assert_int_equal(f->steps[q].arm, 2);
    assert_int_equal(f->arms[1].branch, 0);
    assert_int_equal(f->arms[2].branch, 1);
    assert_int_equal(f->arms[2].parent, 0);
    assert_true(rg_node_is(rg_node_at(f->graph, f->arms[1].owner), "If"));
    assert_true(waits_for(f, "p", "a") && waits_for(f, "p", "n") && waits_for(f, "q", "n"));
    assert_true(waits_for(f, "z", "p") && waits_for(f, "z", "q"));
    assert_int_equal(dep_count(f, "z"), 2);
    assert_int_equal(f->stage[p], f->stage[q]);
    assert_true(f->mac == 4 * 8 * 8); /* the dearer arm */
    assert_true(f->flop == 1 + 32 + 2 * 4 * 8 * 8 + 32);
    assert_live(f, "y", "y", p, z); /* both branches write into the result */
    assert_live(f, "p", "y", p, p);
    assert_live(f, "q", "y", q, q);
    assert_sane(f);
    rg_facts_free(f);
}

static void a_decided_branch_is_a_straight_line(void **state)
{
    const rg_facts *f = facts_of_text(*state, HEAD BRANCHES("%no"));
    assert_int_equal(f->step_count, 4);
    assert_int_equal(f->arm_count, 1);
    assert_int_equal(f->steps[step_named(f, "q")].arm, 0);
    assert_true(f->mac == 0);
    assert_true(waits_for(f, "z", "q"));
    assert_int_equal(f->born[value_named(f, "p")], UINT32_MAX);
    assert_sane(f);
    rg_facts_free(f);
    f = facts_of_text(*state, HEAD BRANCHES("%yes"));
    assert_true(f->mac == 4 * 8 * 8);
    rg_facts_free(f);
}

/* The inner If costs more than the other outer branch only by its dearer branch. */
static void nested_branches_take_the_dearest_way(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %w = f32[8,8] none const %big = f32[8,16] none const %back = f32[16,8] none\n"
        "graph (%x: f32[4,8], %c: bool[], %d: bool[]) {\n"
        "  %y = If(%c) then_branch=graph () { %p = MatMul(%x, %w) return %p }\n"
        "    else_branch=graph () {\n"
        "      %i = If(%d) then_branch=graph () { %q = Neg(%x) return %q }\n"
        "        else_branch=graph () { %r = MatMul(%x, %big) %s = MatMul(%r, %back) return %s }\n"
        "      return %i }\n"
        "  return %y }");
    assert_int_equal(f->arm_count, 5);
    assert_int_equal(f->arms[f->steps[step_named(f, "s")].arm].parent, 2);
    assert_true(f->mac == 2 * 4 * 8 * 16);
    assert_int_equal(f->buffer[value_named(f, "s")], value_named(f, "y"));
    assert_int_equal(f->dies[value_named(f, "y")], f->step_count);
    assert_sane(f);
    rg_facts_free(f);
}

static void a_loop_runs_as_often_as_it_says(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %m = i64[] {5} const %yes = bool[] {1}\n"
        "graph (%x: f32[10]) {\n"
        "  %o = Relu(%x) %s = Neg(%x)\n"
        "  %y, %all = Loop(%m, %yes, %s) body=graph (%i: i64[], %on: bool[], %v: f32[10]) {\n"
        "    %t = Identity(%on) %u = Add(%v, %o) %w = Neg(%u) return %t, %w, %u }\n"
        "  %z = Relu(%y) return %z, %all }");
    uint32_t u = step_named(f, "u"), w = step_named(f, "w"), z = step_named(f, "z");
    assert_true(f->steps[u].times == 5 && f->steps[z].times == 1);
    assert_true(f->flop == 10 + 10 + 5 * (10 + 10) + 10);
    assert_true(f->critical_flop == 10 + 5 * (10 + 10) + 10);
    assert_true(waits_for(f, "u", "s") && waits_for(f, "u", "o") && waits_for(f, "z", "w"));
    assert_live(f, "o", "o", 0, w);              /* the next round reads it again */
    assert_live(f, "w", "y", w, w);
    assert_live(f, "y", "y", w, z);              /* the carried value ends in the result's buffer */
    assert_live(f, "v", "v", step_named(f, "t"), w);
    assert_live(f, "all", "all", step_named(f, "t"), f->step_count);
    assert_live(f, "u", "u", u, w);              /* a scanned value is copied at the end of the round */
    assert_true(f->output_byte == 40 + 5 * 40);
    assert_sane(f);
    rg_facts_free(f);
}

static const struct { const char *trips; double times; } loops[] = {
    {"%x_rows", 7},   /* a named symbol's preset */
    {"%asked", 1},    /* a model input: not known */
    {"_", 1},
    {"%never", 0},
    {"%open", 1},     /* "until the condition fails" */
    {"%three", 3},
};

static void trip_counts_are_found_or_assumed(void **state)
{
    for (size_t i = 0; i < RG_COUNT(loops); i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 HEAD "symbol rows = 7 from 1\n"
                 "const %%never = i64[] {0} const %%open = i64[] {9223372036854775807}\n"
                 "const %%three = i64[] {3}\n"
                 "const %%yes = bool[] {1} const %%first = i64[] {0}\n"
                 "graph (%%x: f32[rows,2], %%asked: i64[]) {\n"
                 "  %%shape = Shape(%%x) %%x_rows = Gather(%%shape, %%first) %%spare = Neg(%%asked)\n"
                 "  %%y = Loop(%s, %%yes, %%x) body=graph (%%i: i64[], %%on: bool[], %%v: f32[rows,2]) {\n"
                 "    %%t = Identity(%%on) %%u = Relu(%%v) return %%t, %%u }\n"
                 "  return %%y, %%x_rows, %%spare }", loops[i].trips);
        const rg_facts *f = facts_of_text(*state, text);
        assert_true(f->steps[step_named(f, "u")].times == loops[i].times);
        assert_sane(f);
        rg_facts_free(f);
    }
}

static void a_scan_runs_along_its_axis_and_nests(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %m = i64[] {3} const %yes = bool[] {1} const %w = f32[4,4] none\n"
        "graph (%h: f32[2,4], %x: f32[2,6,4]) {\n"
        "  %last, %all = Scan(%h, %x) num_scan_inputs=1 scan_input_axes=[1]\n"
        "    body=graph (%state: f32[2,4], %now: f32[2,4]) {\n"
        "    %a = Add(%state, %now)\n"
        "    %b = Loop(%m, %yes, %a) body=graph (%i: i64[], %on: bool[], %v: f32[2,4]) {\n"
        "      %t = Identity(%on) %u = MatMul(%v, %w) return %t, %u }\n"
        "    %c = Identity(%b) return %b, %c }\n"
        "  return %last, %all }");
    assert_true(f->steps[step_named(f, "a")].times == 6);
    assert_true(f->steps[step_named(f, "u")].times == 18);
    assert_true(f->mac == 18 * 2 * 4 * 4);
    assert_int_equal(f->layers, 1);
    assert_true(waits_for(f, "c", "u"));
    assert_true(f->parameters == 16);
    assert_int_equal(f->dies[value_named(f, "x")], f->step_count - 1); /* each round takes the next slice */
    assert_int_equal(f->buffer[value_named(f, "b")], value_named(f, "last"));
    assert_int_equal(f->buffer[value_named(f, "u")], value_named(f, "last"));
    assert_sane(f);
    rg_facts_free(f);
}

/* Bodies without a node hand on what they are given. */
static void empty_bodies_are_passed_through(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %m = i64[] {3} const %yes = bool[] {1}\n"
        "graph (%x: f32[4], %c: bool[]) {\n"
        "  %a = Relu(%x)\n"
        "  %b = If(%c) then_branch=graph () { return %a } else_branch=graph () { return %x }\n"
        "  %d = Loop(%m, %yes, %b) body=graph (%i: i64[], %on: bool[], %v: f32[4]) { return %on, %v }\n"
        "  %y = Neg(%d) return %y }");
    assert_int_equal(f->step_count, 2);
    assert_true(waits_for(f, "y", "a"));
    assert_int_equal(dep_count(f, "y"), 1);
    assert_sane(f);
    rg_facts_free(f);
}

/* ---- parameters ---- */

/* One constant of every kind: those that count have 2, 4, 8, ... elements, so that a wrong one shows. */
static void only_weights_are_parameters(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %table = f32[3,2] none const %w = f32[2,4] none const %bias = f32[4] none\n"
        "const %scale = f32[4] none const %eps = f32[] {1e-05} const %shape = i64[3] {1, -1, 4}\n"
        "const %mask = f32[1,3,3] none const %positions = f32[1,3,4] none const %two = f32[] {2}\n"
        "const %spare = f32[1000] none\n"
        "graph (%ids: i64[3], %unused: f32[2]) {\n"
        "  %e = Gather(%table, %ids) %p = MatMul(%e, %w) %q = Add(%p, %bias) %r = Mul(%q, %scale)\n"
        "  %s = Add(%r, %eps)\n"
        "  %t = Reshape(%s, %shape) %u = Add(%t, %positions) %k = Transpose(%u) perm=0,2,1\n"
        "  %v = MatMul(%u, %k) %m = Add(%v, %mask) %n = Softmax(%m) %o = MatMul(%n, %u)\n"
        "  %y = Mul(%o, %two) return %y }");
    double parameters = 6 + 8 + 4 + 4 + 12;
    assert_true(f->parameters == parameters);
    assert_true(f->weight_byte == 4 * (parameters + 1 + 9 + 1) + 3 * 8);
    assert_string_equal(f->family, "transformer");
    rg_facts_free(f);
}

/* Scales of 1 and biases of 0 are merged by exporters when layers are fresh; tied weights are tied. */
static void merged_constants_count_by_use(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %one = f32[4] splat 1 const %tied = f32[4] {1, 2, 3, 4} const %w = f32[4,4] none\n"
        "const %token = f32[1,1,4] none\n"
        "graph (%x: f32[1,2,4]) {\n"
        "  %a = LayerNormalization(%x, %one) axis=-1  %b = LayerNormalization(%a, %one) axis=-1\n"
        "  %c = LayerNormalization(%b, %tied) axis=-1  %d = LayerNormalization(%c, %tied) axis=-1\n"
        "  %e = Concat(%token, %d) axis=1  %k = Transpose(%e) perm=0,2,1  %s = MatMul(%e, %k)\n"
        "  %p = Softmax(%s) %o = MatMul(%p, %e) %q = MatMul(%o, %w) %y = MatMul(%q, %w) return %y }");
    assert_true(f->parameters == 2 * 4 + 4 + 4 + 16);
    assert_true(f->weight_byte == 4 * (4 + 4 + 4 + 16));
    rg_facts_free(f);
}

static void statistics_and_shared_weights_count_as_published(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %w = f32[4,4,1,1] none const %g = f32[4] none const %b = f32[4] none\n"
        "const %m = f32[4] none const %v = f32[4] none\n"
        "graph (%x: f32[1,4,2,2]) {\n"
        "  %a = Conv(%x, %w) %n = BatchNormalization(%a, %g, %b, %m, %v) %y = Conv(%n, %w) return %y }");
    assert_true(f->parameters == 16 + 4 + 4);
    assert_true(f->weight_byte == 4 * (16 + 4 * 4));
    rg_facts_free(f);
}

/* ---- parallelism ---- */

static void buckets_have_the_stated_edges(void **state)
{
    (void)state;
    static const struct { double x; int threads, intensity; } edges[] = {
        {0, 0, 0}, {0.99, 0, 0}, {1, 0, 1}, {3.9, 0, 1}, {4, 0, 2}, {16, 0, 3}, {64, 0, 4}, {255, 0, 4},
        {256, 0, 5}, {999, 0, 5}, {1000, 1, 5}, {9999, 1, 5}, {10000, 2, 5}, {1e5, 3, 5}, {1e12, 3, 5}};
    for (size_t i = 0; i < RG_COUNT(edges); i++) {
        assert_int_equal(rg_thread_bucket(edges[i].x), edges[i].threads);
        assert_int_equal(rg_intensity_bucket(edges[i].x), edges[i].intensity);
    }
}

static void products_are_as_wide_as_their_results(void **state)
{
    const rg_facts *f = facts_of_text(*state,
        HEAD "const %w = f32[64,32] none\n"
        "graph (%q: f32[2,12,128,64], %k: f32[2,12,64,128]) {\n"
        "  %s = MatMul(%q, %k) %p = Softmax(%s) %o = MatMul(%q, %w) return %p, %o }");
    const rg_width *s = &f->width[step_named(f, "s")], *o = &f->width[step_named(f, "o")];
    assert_true(s->threads == 2.0 * 12 * 128 * 128 && s->batch == 24 && s->channels == 128);
    assert_string_equal(s->vector_dim, "columns");
    assert_true(o->threads == 2.0 * 12 * 128 * 32 && o->vector_length == 32);
    assert_true(f->width[step_named(f, "p")].threads == 2.0 * 12 * 128 * 128);
    rg_facts_free(f);
}

/* ---- size ---- */

/* A chain this long must neither recurse nor take quadratic time. */
static void long_chains_are_walked_in_a_line(void **state)
{
    enum { LENGTH = 50000 };
    rg_build b;
    rg_graph *g;
    assert_int_equal(rg_build_init(&b, *state, "chain"), RG_OK);
    rg_value_id x = rg_build_input(&b, "x", RG_F32, 1, (const rg_dim[]){8});
    for (int i = 0; i < LENGTH; i++) x = rg_build_node(&b, "Relu", NULL, x, -1);
    rg_build_output(&b, "y", x);
    assert_int_equal(rg_build_done(&b, &g), RG_OK);
    const rg_facts *f = facts_of(*state, g);
    assert_int_equal(f->step_count, LENGTH);
    assert_int_equal(f->stage_count, LENGTH);
    assert_int_equal(f->critical_count, LENGTH);
    assert_true(f->peak_live_byte == 64);
    rg_facts_free(f);
}

/* ---- the end of memory ---- */

typedef struct meter { long given, returned, refuse_at; } meter;

static void *metered_alloc(void *user, size_t size)
{
    meter *m = user;
    void *block = m->given + 1 < m->refuse_at ? calloc(1, size) : NULL;
    m->given += block != NULL;
    return block;
}

static void metered_free(void *user, void *block)
{
    meter *m = user;
    m->returned += block != NULL;
    free(block);
}

static rg_err describe(rg_ctx *cx, const rg_graph *g)
{
    const rg_facts *f;
    rg_op_share *items;
    rg_signature signature;
    uint32_t count;
    RG_TRY(rg_facts_make(cx, g, &f));
    rg_err err = rg_op_histogram(cx, f, &items, &count);
    if (!err) err = rg_signature_make(cx, f, &signature);
    rg_facts_free(f);
    return err;
}

/* Whichever allocation is refused, the answer is RG_NOMEM and nothing leaks. */
static void every_refused_allocation_is_told(void **state)
{
    enum { LENGTH = 400 }; /* several blocks of each arena */
    rg_ctx *own = *state;
    rg_build b;
    rg_graph *g;
    rg_err err = RG_NOMEM;
    assert_int_equal(rg_build_init(&b, own, "chain"), RG_OK);
    rg_value_id x = rg_build_input(&b, "x", RG_F32, 1, (const rg_dim[]){8});
    for (int i = 0; i < LENGTH; i++) x = rg_build_node(&b, "Add", NULL, x, x, -1);
    rg_build_output(&b, "y", x);
    assert_int_equal(rg_build_done(&b, &g), RG_OK);
    assert_int_equal(rg_graph_resolve(own, g), RG_OK);
    assert_int_equal(rg_graph_infer(own, g), RG_OK);
    for (long n = 2; err == RG_NOMEM; n++) {
        meter m = {.refuse_at = n};
        rg_ctx_opt opt = {.size = sizeof opt, .alloc = metered_alloc, .free = metered_free, .user = &m};
        rg_ctx *cx = rg_ctx_new(&opt);
        err = cx ? describe(cx, g) : RG_NOMEM;
        rg_ctx_free(cx);
        assert_int_equal(m.given, m.returned);
        assert_true(err || n > 10);
    }
    assert_int_equal(err, RG_OK);
    rg_graph_free(g);
}

static void nothing_is_a_graph_too(void **state)
{
    const rg_facts *f = facts_of_text(*state, HEAD "graph (%x: f32[3]) { return %x }");
    assert_int_equal(f->step_count, 0);
    assert_int_equal(f->stage_count, 0);
    assert_int_equal(f->critical_count, 0);
    assert_true(f->flop == 0 && f->peak_live_byte == 0);
    assert_string_equal(f->family, "other");
    rg_facts_free(f);
    rg_facts_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_perceptron_has_its_closed_form),
        TEST(convolutions_in_a_chain),
        TEST(a_view_shares_its_source),
        TEST(a_diamond_has_two_sides),
        TEST(any_set_of_nodes_has_facts),
        TEST(an_undecided_branch_has_two_arms),
        TEST(a_decided_branch_is_a_straight_line),
        TEST(nested_branches_take_the_dearest_way),
        TEST(a_loop_runs_as_often_as_it_says),
        TEST(trip_counts_are_found_or_assumed),
        TEST(a_scan_runs_along_its_axis_and_nests),
        TEST(empty_bodies_are_passed_through),
        TEST(only_weights_are_parameters),
        TEST(merged_constants_count_by_use),
        TEST(statistics_and_shared_weights_count_as_published),
        TEST(buckets_have_the_stated_edges),
        TEST(products_are_as_wide_as_their_results),
        TEST(long_chains_are_walked_in_a_line),
        TEST(every_refused_allocation_is_told),
        TEST(nothing_is_a_graph_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
