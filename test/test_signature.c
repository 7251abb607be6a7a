/* test_signature.c - operator histograms and graph spectra. The normalized Laplacians of paths, complete
 * graphs and stars have their eigenvalues in closed form (Chung 1997, "Spectral graph theory", examples 1.1
 * to 1.4).
 */
#include "analyze/analyze.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NODE_MAX = 4096 };
#define PI 3.14159265358979323846

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

/* The i-th node of a graph: given the ones before it. */
typedef rg_value_id (*adder)(rg_build *b, rg_value_id input, const rg_value_id *made, uint32_t count);

static rg_value_id add_path(rg_build *b, rg_value_id input, const rg_value_id *made, uint32_t count)
{
    return rg_build_node(b, "Relu", NULL, count ? made[count - 1] : input, -1);
}

static rg_value_id add_complete(rg_build *b, rg_value_id input, const rg_value_id *made, uint32_t count)
{
    rg_value_id out;
    return rg_build_nodev(b, "Sum", NULL, count ? count : 1, count ? made : &input, 1, &out);
}

static rg_value_id add_star(rg_build *b, rg_value_id input, const rg_value_id *made, uint32_t count)
{
    return rg_build_node(b, "Relu", NULL, count ? made[0] : input, -1);
}

static rg_value_id add_alone(rg_build *b, rg_value_id input, const rg_value_id *made, uint32_t count)
{
    (void)made, (void)count;
    return rg_build_node(b, "Relu", NULL, input, -1);
}

static const rg_facts *facts_of(rg_ctx *cx, adder add, uint32_t count, int64_t size)
{
    rg_build b;
    rg_graph *g;
    const rg_facts *facts;
    rg_value_id *made = RG_NEW(&cx->arena, rg_value_id, count);
    assert_int_equal(rg_build_init(&b, cx, "net"), RG_OK);
    rg_value_id x = rg_build_input(&b, "x", RG_F32, 1, &size);
    for (uint32_t i = 0; i < count; i++) made[i] = add(&b, x, made, i);
    for (uint32_t i = 0; i < count; i++) rg_build_output(&b, rg_arena_printf(&cx->arena, "y%u", i), made[i]);
    assert_int_equal(rg_build_done(&b, &g), RG_OK);
    assert_int_equal(rg_graph_resolve(cx, g), RG_OK);
    assert_int_equal(rg_graph_infer(cx, g), RG_OK);
    assert_int_equal(rg_facts_make(cx, g, &facts), RG_OK);
    rg_graph_free(g);
    return facts;
}

static rg_signature signature_of(rg_ctx *cx, adder add, uint32_t count, int64_t size)
{
    rg_signature signature;
    const rg_facts *facts = facts_of(cx, add, count, size);
    assert_int_equal(rg_signature_make(cx, facts, &signature), RG_OK);
    rg_facts_free(facts);
    return signature;
}

static void assert_near(double x, double wanted, double tolerance)
{
    if (fabs(x - wanted) > tolerance) print_error("%.15g, wanted %.15g\n", x, wanted);
    assert_true(fabs(x - wanted) <= tolerance);
}

/* P_n: 1 - cos(pi k / (n - 1)). */
static void a_path_has_cosines(void **state)
{
    for (uint32_t n = 2; n <= 12; n++) {
        rg_signature s = signature_of(*state, add_path, n, 8);
        for (uint32_t e = 0; e < RG_SPECTRUM; e++)
            assert_near(s.spectrum[e], e < n ? 1 - cos(PI * (n - 1 - e) / (n - 1)) : 0, 1e-7);
    }
}

/* K_n: n / (n - 1), n - 1 times, and 0. */
static void a_complete_graph_has_one_value(void **state)
{
    for (uint32_t n = 2; n <= 9; n++) {
        rg_signature s = signature_of(*state, add_complete, n, 8);
        for (uint32_t e = 0; e < RG_SPECTRUM; e++)
            assert_near(s.spectrum[e], e < n - 1 ? (double)n / (n - 1) : 0, 1e-9);
    }
}

/* S_n: 2, then 1 n - 2 times, then 0. */
static void a_star_has_two_ones_and_zero(void **state)
{
    for (uint32_t n = 3; n <= 9; n++) {
        rg_signature s = signature_of(*state, add_star, n, 8);
        for (uint32_t e = 0; e < RG_SPECTRUM; e++)
            assert_near(s.spectrum[e], e == 0 ? 2 : e < n - 1 ? 1 : 0, 1e-9);
    }
}

static void a_graph_without_edges_has_zeros(void **state)
{
    rg_signature s = signature_of(*state, add_alone, 5, 8);
    for (uint32_t e = 0; e < RG_SPECTRUM; e++) assert_true(s.spectrum[e] == 0);
}

/* Not converged on a long path, but a lower bound, near the limit 2, sorted, and the same on every run. */
static void a_long_path_is_bounded_and_repeatable(void **state)
{
    rg_signature a = signature_of(*state, add_path, NODE_MAX, 8);
    rg_signature b = signature_of(*state, add_path, NODE_MAX, 8);
    for (uint32_t e = 0; e < RG_SPECTRUM; e++) {
        assert_true(a.spectrum[e] == b.spectrum[e]);
        assert_true(a.spectrum[e] > 1.98 && a.spectrum[e] <= (e ? a.spectrum[e - 1] : 2 + 1e-12));
    }
}

static void the_hash_sees_structure_only(void **state)
{
    uint64_t path = signature_of(*state, add_path, 6, 8).hash;
    assert_true(path == signature_of(*state, add_path, 6, 99).hash);
    assert_true(path != signature_of(*state, add_path, 7, 8).hash);
    assert_true(path != signature_of(*state, add_star, 6, 8).hash);
    assert_true(path != signature_of(*state, add_complete, 6, 8).hash);
}

static const char mixed[] =
    "ridge.graph/1 \"net\" opset 20\nconst %w = f32[8,8] none const %m = i64[] {4} const %yes = bool[] {1}\n"
    "graph (%x: f32[2,8]) {\n"
    "  %a = Relu(%x) %b = MatMul(%a, %w) %c = Relu(%b)\n"
    "  %d = Loop(%m, %yes, %c) body=graph (%i: i64[], %on: bool[], %v: f32[2,8]) {\n"
    "    %t = Identity(%on) %u = MatMul(%v, %w) return %t, %u }\n"
    "  %e = Relu(%d) return %e }";

static void histogram_and_shares_count_every_step(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *g;
    const rg_facts *f;
    rg_op_share *items;
    uint32_t count;
    rg_signature signature;
    assert_int_equal(rg_graph_of_text(cx, RG_LIT(mixed), NULL, &g), RG_OK);
    assert_int_equal(rg_graph_resolve(cx, g), RG_OK);
    assert_int_equal(rg_graph_infer(cx, g), RG_OK);
    assert_int_equal(rg_facts_make(cx, g, &f), RG_OK);
    rg_graph_free(g);
    assert_int_equal(rg_op_histogram(cx, f, &items, &count), RG_OK);
    assert_int_equal(count, 3);
    assert_true(rg_str_is(items[0].name, "Relu") && items[0].count == 3);
    assert_true(items[0].mac == 0 && items[0].flop == 48);
    assert_true(rg_str_is(items[1].name, "MatMul") && items[1].count == 2 && items[1].mac == 5 * 128);
    assert_true(rg_str_is(items[2].name, "Identity") && items[2].count == 1);
    assert_int_equal(rg_signature_make(cx, f, &signature), RG_OK);
    assert_near(signature.family_share[RG_FAMILY_GEMM], 1280.0 / 1328, 1e-15);
    assert_near(signature.family_share[RG_FAMILY_ELEMENTWISE], 48.0 / 1328, 1e-15);
    rg_facts_free(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_path_has_cosines),
        TEST(a_complete_graph_has_one_value),
        TEST(a_star_has_two_ones_and_zero),
        TEST(a_graph_without_edges_has_zeros),
        TEST(a_long_path_is_bounded_and_repeatable),
        TEST(the_hash_sees_structure_only),
        TEST(histogram_and_shares_count_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
