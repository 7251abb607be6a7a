/* test_plan_merged.c - products of the same rows by several weights, which some stacks compute as one. */
#include "machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

#define RULES \
    "[{\"name\": \"gemm\", \"anchor\": [\"#gemm\"], \"follow\": [\"Add\", \"#activation\"]," \
    "  \"max_nodes\": 3, \"why\": \"epilogue\"}]"

static bench planned(rg_ctx *cx, const char *rules, const char *text, bool merges)
{
    bench b = {.cx = cx};
    knobs k = machine_default;
    k.rules = rules;
    rg_err err = machine_device(cx, &k, &b.device);
    if (!err) err = machine_runtime(cx, &k, &b.runtime);
    if (!err) ((rg_runtime *)(uintptr_t)b.runtime)->merges_products = merges;
    if (!err) err = machine_forecast(&b, text, NULL, 0, 0);
    if (err) fail_msg("%s", rg_ctx_error(cx));
    return b;
}

/* Index of the row that computes a value. */
static uint32_t row_of(const bench *b, const char *value)
{
    const rg_plan *p = b->plan;
    for (uint32_t r = 0; r < p->row_count; r++)
        for (uint32_t k = 0; k < p->rows[r].step_count; k++) {
            const rg_node *node = rg_node_at(p->graph, p->facts->steps[p->rows[r].steps[k]].node);
            if (rg_str_is(p->graph->values[node->out[0]].name, value)) return r;
        }
    fail_msg("no row computes %s", value);
    return 0;
}

#define HEAD \
    "ridge.graph/1 \"net\" opset 20\n" \
    "const %w = f32[64,64] none const %u = f32[64,32] none const %c = f32[64] none\n"

/* Queries with a bias and keys are one product of 64 + 32 columns, whose rows are read once; r is no part of
 * it, as something stands between. */
static void products_of_the_same_rows_are_one(void **state)
{
    static const char text[] =
        HEAD "graph (%x: f32[16,64]) {\n"
             "  %q = MatMul(%x, %w) %b = Add(%q, %c) %k = MatMul(%x, %u) %t = Tanh(%k)\n"
             "  %r = MatMul(%x, %u) return %b, %t, %r }";
    for (int merges = 0; merges < 2; merges++) {
        bench b = planned(*state, RULES, text, merges);
        const double columns = merges ? 96 : 64;
        uint32_t q = row_of(&b, "q");
        assert_int_equal(row_of(&b, "b"), q);
        assert_int_equal(row_of(&b, "k") == q, merges);
        assert_true(row_of(&b, "r") != q && row_of(&b, "t") != q);
        const rg_work *work = &b.plan->rows[q].work;
        assert_float_equal(work->n, columns, 0);
        assert_float_equal(work->mac, 16 * 64 * columns, 0);
        assert_float_equal(work->in_byte, 16 * 64 * 4, 0);
        assert_float_equal(work->weight_byte, 64 * columns * 4 + 64 * 4, 0);
        assert_float_equal(work->out_byte, 16 * columns * 4, 0);
        for (uint32_t i = 0; i < b.forecast->check_count; i++) assert_true(b.forecast->checks[i].pass);
        bench_free(&b);
    }
}

/* An epilogue that needs more than a constant ends the row: it may wait for somebody who waits for it. */
static void others_residuals_stay_apart(void **state)
{
    static const char text[] =
        HEAD "graph (%x: f32[16,64], %z: f32[16,64]) {\n"
             "  %k = MatMul(%x, %u) %q = MatMul(%x, %w) %s = Add(%q, %z) return %k, %s }";
    bench b = planned(*state, RULES, text, true);
    assert_int_equal(row_of(&b, "k"), row_of(&b, "q"));
    assert_true(row_of(&b, "s") > row_of(&b, "q"));
    bench_free(&b);
}

/* Without a rule for products the row is called what its first node is. */
static void no_rule_is_needed(void **state)
{
    bench b = planned(*state, "[]", HEAD "graph (%x: f32[16,64]) {\n"
                                         "  %k = MatMul(%x, %u) %q = MatMul(%x, %w) return %k, %q }", true);
    assert_int_equal(b.plan->row_count, 1);
    assert_string_equal(b.plan->rows[0].kind, "MatMul");
    bench_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(products_of_the_same_rows_are_one, setup, teardown),
        cmocka_unit_test_setup_teardown(no_rule_is_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(others_residuals_stay_apart, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
