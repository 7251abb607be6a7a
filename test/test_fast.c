/* test_fast.c - fast kernels give what the plain ones give: each on sizes that no vector divides, in every
 * form of broadcasting, and on nothing at all; exp and its relatives against the C library's in double
 * precision.
 */
#include "exec/mathf.h"
#include "fast_case.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void fill(const rg_array *a, uint64_t seed)
{
    for (int64_t i = 0; i < a->count; i++) {
        double x = rg_random_unit(&seed);
        if (rg_dtype_is_float(a->dtype)) rg_put(a, i, 6 * x - 3);
        else rg_put_int(a, i, x < 0.7);
    }
}

static rg_planned *run(fixture *f, const rg_plan *plan, const rg_graph *g, bool plain)
{
    rg_planned *planned;
    assert_int_equal(rg_planned_new(f->cx, plan, &(rg_planned_opt){.plain = plain}, &planned), RG_OK);
    for (uint32_t i = 0; i < g->regions[RG_MAIN].input_count; i++) fill(rg_planned_input(planned, i), i + 1);
    for (int round = 0; round < 2; round++) { /* what the first one leaves may not matter */
        for (uint32_t i = 0; i < g->regions[RG_MAIN].input_count; i++)
            fill(rg_planned_input(planned, i), i + 1);
        assert_int_equal(rg_planned_run(f->cx, planned), RG_OK);
    }
    return planned;
}

static void compare(const fast_case *c, const rg_array *wanted, const rg_array *have)
{
    assert_int_equal(wanted->count, have->count);
    for (int64_t i = 0; i < wanted->count; i++) {
        double x = rg_get(have, i), y = rg_get(wanted, i);
        /* sums of some twenty terms up to 9, in f32, with additions fused or not */
        bool same = fabs(x - y) <= 4e-6 * fmax(1, fabs(y)) || (isnan(x) && isnan(y)) || x == y;
        if (!same)
            fail_msg("%s(%s) {%s}: [%lld] is %.9g, not %.9g", c->op, c->inputs, c->attrs, (long long)i, x, y);
    }
}

static void check(fixture *f, const fast_case *c)
{
    rg_graph *g = NULL;
    const rg_plan *plan;
    const rg_op *op = rg_op_find(rg_str_of(""), rg_str_of(c->op));
    assert_non_null(op);
    assert_int_equal(case_graph(f->cx, op, &(rg_case){c->inputs, c->attrs, c->outputs}, &g), RG_OK);
    assert_int_equal(case_infer(f->cx, g), RG_OK);
    assert_int_equal(rg_plan_make(f->cx, g, f->device, f->runtime, NULL, &plan), RG_OK);
    rg_planned *plain = run(f, plan, g, true), *fast = run(f, plan, g, false);
    for (uint32_t i = 0; i < g->regions[RG_MAIN].output_count; i++)
        compare(c, rg_planned_output(plain, i), rg_planned_output(fast, i));
    rg_planned_free(fast);
    rg_planned_free(plain);
    rg_plan_free(plan);
    rg_graph_free(g);
}

#define CHECK_ALL(state, cases) \
    for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++) check(*(state), &(cases)[i])

static void one_tensor(void **state)
{
    static const char *const ops[] = {
        "Abs", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Neg", "Reciprocal", "Relu",
        "Sigmoid", "Sqrt", "Swish", "Tanh",
    };
    static const fast_case cases[] = {
        {"Gelu", "f32[3,37]", "approximate=\"tanh\"", "f32[3,37]"},
        {"Swish", "f32[3,37]", "alpha=1.7", "f32[3,37]"},
        {"HardSigmoid", "f32[3,37]", "alpha=0.3 beta=0.4", "f32[3,37]"},
        {"LeakyRelu", "f32[0,37]", "", "f32[0,37]"},
        {"Clip", "f32[3,37] f32[]=-0.5 f32[]=1.5", "", "f32[3,37]"},
        {"Clip", "f32[3,37] _ f32[]=1.5", "", "f32[3,37]"},
        {"Pow", "f32[3,37] f32[]=2", "", "f32[3,37]"},
        {"Pow", "f32[3,37] f32[1]=3", "", "f32[3,37]"},
        {"Pow", "f32[3,37] f32[]=0.5", "", "f32[3,37]"},
        {"Pow", "f32[3,37] i64[]=2", "", "f32[3,37]"},
        {"Pow", "f32[37] f32[1,1]=2", "", "f32[1,37]"},
    };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        check(*state, &(fast_case){ops[i], "f32[5,7,3]", "", "f32[5,7,3]"});
    CHECK_ALL(state, cases);
}

static void two_tensors(void **state)
{
    static const fast_case cases[] = {
        {"Add", "f32[2,3,5,7] f32[2,3,5,7]", "", "f32[2,3,5,7]"},
        {"Sub", "f32[2,3,5,7] f32[]", "", "f32[2,3,5,7]"},
        {"Sub", "f32[1] f32[2,3,5,7]", "", "f32[2,3,5,7]"},
        {"Mul", "f32[2,3,5,7] f32[2,3,1,1]", "", "f32[2,3,5,7]"},
        {"Mul", "f32[2,3,1,1] f32[2,3,5,7]", "", "f32[2,3,5,7]"},
        {"Div", "f32[2,3,5,7] f32[7]", "", "f32[2,3,5,7]"},
        {"Div", "f32[7] f32[2,3,5,7]", "", "f32[2,3,5,7]"},
        {"Add", "f32[3,1] f32[1,7]", "", "f32[3,7]"},
        {"Add", "f32[2,1,5,1] f32[3,1,7]", "", "f32[2,3,5,7]"},
        {"Mul", "f32[] f32[]", "", "f32[]"},
        {"Mul", "f32[1,1] f32[1]", "", "f32[1,1]"},
        {"Add", "f32[0,3] f32[3]", "", "f32[0,3]"},
        {"Add", "f32[3,1000] f32[3,1]", "", "f32[3,1000]"},
    };
    CHECK_ALL(state, cases);
}

static void norms(void **state)
{
    static const fast_case cases[] = {
        {"LayerNormalization", "f32[2,3,37] f32[37] f32[37]", "", "f32[2,3,37]"},
        {"LayerNormalization", "f32[2,3,37] f32[37]", "epsilon=0.1", "f32[2,3,37]"},
        {"LayerNormalization", "f32[2,3,5] f32[3,5] f32[5]", "axis=1", "f32[2,3,5]"},
        {"LayerNormalization", "f32[2,3,5] f32[3,5] f32[1,3,5]", "axis=1", "f32[2,3,5]"},
        {"LayerNormalization", "f32[2,24,9,7] f32[24,1,1] f32[24,1,1]", "axis=1", "f32[2,24,9,7]"},
        {"LayerNormalization", "f32[2,3,37] f32[1,3,1]", "axis=-2", "f32[2,3,37]"},
        {"LayerNormalization", "f32[2,3,5] f32[3,1] f32[3,5]", "axis=1", "f32[2,3,5]"},
        {"LayerNormalization", "f32[2,3,5] f32[] f32[2,1,5]", "", "f32[2,3,5]"},
        {"RMSNormalization", "f32[2,3,37] f32[37]", "", "f32[2,3,37]"},
        {"Softmax", "f32[2,3,37]", "", "f32[2,3,37]"},
        {"Softmax", "f32[2,3,1]", "axis=2", "f32[2,3,1]"},
        {"Softmax", "f32[2,3,5]", "axis=1", "f32[2,3,5]"},
        {"Softmax", "f32[0,5]", "", "f32[0,5]"},
        {"BatchNormalization", "f32[2,3,5,7] f32[3]=1,2,-3 f32[3]=4,5,6 f32[3]=-1,0,1 f32[3]=0.5,1,2", "",
         "f32[2,3,5,7]"},
        {"BatchNormalization", "f32[2,3] f32[3]=1,2,-3 f32[3]=4,5,6 f32[3]=-1,0,1 f32[3]=0.5,1,2", "",
         "f32[2,3]"},
    };
    CHECK_ALL(state, cases);
}

static void pools(void **state)
{
    static const fast_case cases[] = {
        {"MaxPool", "f32[2,3,9,11]", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", "f32[2,3,5,6]"},
        {"MaxPool", "f32[1,2,9,11]", "kernel_shape=3,2", "f32[1,2,7,10]"},
        {"MaxPool", "f32[1,2,9,11]", "kernel_shape=3,3 strides=3,3 ceil_mode=1", "f32[1,2,3,4]"},
        {"MaxPool", "f32[1,2,9,11]", "kernel_shape=2,2 dilations=2,3", "f32[1,2,7,8]"},
        {"MaxPool", "f32[1,2,9,11]", "kernel_shape=2,4 auto_pad=\"SAME_LOWER\"", "f32[1,2,9,11]"},
        {"MaxPool", "f32[1,1,2,2]", "kernel_shape=3,3 pads=1,1,1,1", "f32[1,1,2,2]"},
        {"AveragePool", "f32[2,3,9,11]", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", "f32[2,3,5,6]"},
        {"AveragePool", "f32[2,3,9,11]", "kernel_shape=3,3 pads=1,1,1,1 count_include_pad=1",
         "f32[2,3,9,11]"},
        {"AveragePool", "f32[1,2,9,11]", "kernel_shape=2,4 strides=2,1 auto_pad=\"SAME_UPPER\"",
         "f32[1,2,5,11]"},
        {"GlobalAveragePool", "f32[2,3,5,7]", "", "f32[2,3,1,1]"},
        {"GlobalAveragePool", "f32[2,3,37]", "", "f32[2,3,1]"},
    };
    CHECK_ALL(state, cases);
}

static void attention(void **state)
{
    static const fast_case cases[] = {
        {"Attention", "f32[2,3,13,7] f32[2,3,19,7] f32[2,3,19,5]", "", "f32[2,3,13,5]"},
        {"Attention", "f32[2,3,13,7] f32[2,3,13,7] f32[2,3,13,5]", "is_causal=1", "f32[2,3,13,5]"},
        {"Attention", "f32[2,13,24] f32[2,19,24] f32[2,19,30] f32[13,19]", "q_num_heads=3 kv_num_heads=3",
         "f32[2,13,30]"},
        {"Attention", "f32[2,4,13,8] f32[2,2,19,8] f32[2,2,19,8] f32[2,1,1,19]", "scale=0.5",
         "f32[2,4,13,8]"},
        {"Attention", "f32[2,4,3,8] f32[2,2,9,8] f32[2,2,9,8] bool[4,3,9]", "is_causal=1", "f32[2,4,3,8]"},
        {"Attention", "f32[1,1,2,8] f32[1,1,3,8] f32[1,1,3,8] bool[2,3]=0,0,0,1,0,1", "", "f32[1,1,2,8]"},
        {"Attention", "f32[1,2,5,8] f32[1,2,700,8] f32[1,2,700,8]", "", "f32[1,2,5,8]"},
        {"Attention", "f32[1,2,5,8] f32[1,2,7,8] f32[1,2,7,8]", "softcap=2.0", "f32[1,2,5,8]"},
        {"Attention", "f32[1,2,3,8] f32[1,2,7,8] f32[1,2,7,8]", "softcap=2.0", "f32[1,2,3,8]"},
        {"Attention", "f32[2,4,1,37] f32[2,2,19,37] f32[2,2,19,45] f32[2,1,1,19]", "", "f32[2,4,1,45]"},
        {"Attention", "f32[2,4,2,9] f32[2,2,2,9] f32[2,2,2,33] _ f32[2,2,5,9] f32[2,2,5,33]", "is_causal=1",
         "f32[2,4,2,33] f32[2,2,7,9] f32[2,2,7,33]"},
        {"Attention", "f32[2,11,24] f32[2,11,24] f32[2,11,30] bool[1,3,11,17] f32[2,3,6,8] f32[2,3,6,10]",
         "q_num_heads=3 kv_num_heads=3 is_causal=1", "f32[2,11,30] f32[2,3,17,8] f32[2,3,17,10]"},
        {"Attention", "f32[1,2,9,8] f32[1,2,9,8] f32[1,2,9,8]", "is_causal=1",
         "f32[1,2,9,8] f32[1,2,9,8] f32[1,2,9,8]"},
        {"Attention", "f32[1,1,700,8] f32[1,1,700,8] f32[1,1,700,8]", "is_causal=1", "f32[1,1,700,8]"},
        {"Attention", "f32[2,100,48] f32[2,93,24] f32[2,93,24] f32[2,1,1,93]", "q_num_heads=6 kv_num_heads=3",
         "f32[2,100,48]"},
        {"Attention", "f32[1,2,57,16] f32[1,2,67,16] f32[1,2,67,40] f32[2,57,67]", "", "f32[1,2,57,40]"},
        {"Attention", "f32[1,2,57,16] f32[1,2,67,16] f32[1,2,67,40] bool[2,1,67]", "", "f32[1,2,57,40]"},
        {"Attention", "f32[1,1,5,8] f32[1,1,9,8] f32[1,1,9,8] f32[9]=0,0,0,0,0,0,0,0,0", "", "f32[1,1,5,8]"},
        {"Attention", "f32[1,1,5,8] f32[1,1,3,8] f32[1,1,3,8] bool[1,3]=1,1,1", "", "f32[1,1,5,8]"},
        /* what forbids is often the least float, also for all keys of a query */
        {"Attention", "f32[1,1,5,8] f32[1,1,2,8] f32[1,1,2,8] "
                      "f32[5,2]=-3.4028235e38,-3.4028235e38,0,-3.4028235e38,1,2,-80,0,-1e30,-2e30", "",
         "f32[1,1,5,8]"},
        {"Attention", "f32[1,1,5,8] f32[1,1,2,8] f32[1,1,2,8] f32[2]=-3.4028235e38,-3.4028235e38", "",
         "f32[1,1,5,8]"},
    };
    CHECK_ALL(state, cases);
}

static void products(void **state)
{
    static const fast_case cases[] = {
        {"MatMul", "f32[5,7] f32[7,37]", "", "f32[5,37]"},
        {"MatMul", "f32[2,3,5,7] f32[2,3,7,37]", "", "f32[2,3,5,37]"},
        {"MatMul", "f32[2,3,5,7] f32[3,7,9]", "", "f32[2,3,5,9]"},
        {"MatMul", "f32[2,1,5,7] f32[1,3,7,9]", "", "f32[2,3,5,9]"},
        {"MatMul", "f32[2,3,5,7] f32[7,9]", "", "f32[2,3,5,9]"},
        {"MatMul", "f32[5,7] f32[2,3,7,9]", "", "f32[2,3,5,9]"},
        {"MatMul", "f32[1,5,7] f32[2,1,7,9]", "", "f32[2,1,5,9]"},
        {"MatMul", "f32[7] f32[2,7,9]", "", "f32[2,9]"},
        {"MatMul", "f32[0,7] f32[7,9]", "", "f32[0,9]"},
        {"MatMul", "f32[2,3,1,19] f32[2,3,19,300]", "", "f32[2,3,1,300]"},
        {"MatMul", "f32[3,4,7] f32[2,1,7,73]", "", "f32[2,3,4,73]"},
        {"MatMul", "f32[5,3,9,7] f32[5,1,7,37]", "", "f32[5,3,9,37]"},
    };
    CHECK_ALL(state, cases);
}

static void moves(void **state)
{
    static const fast_case cases[] = {
        {"Transpose", "f32[37,41]", "", "f32[41,37]"},
        {"Transpose", "f32[2,19,3,5,23]", "perm=2,0,3,1,4", "f32[3,2,5,19,23]"},
        {"Transpose", "f32[2,19,23,3]", "perm=0,3,1,2", "f32[2,3,19,23]"},
        {"Transpose", "f32[2,3,19,23]", "perm=0,2,3,1", "f32[2,19,23,3]"},
        {"Transpose", "f32[2,19,3,23]", "perm=0,2,3,1", "f32[2,3,23,19]"},
        {"Transpose", "f32[3,17,5]", "perm=2,1,0", "f32[5,17,3]"},
        {"Transpose", "f32[3,17,1]", "perm=2,0,1", "f32[1,3,17]"},
        {"Transpose", "f32[1,1]", "", "f32[1,1]"},
        {"Transpose", "f32[0,3]", "", "f32[3,0]"},
        {"Transpose", "i64[3,5]", "", "i64[5,3]"},
        {"Transpose", "i32[3,5]", "", "i32[5,3]"},
    };
    CHECK_ALL(state, cases);
}

static double apart(double x, double y) { return fabs(x - y) / fabs(y); }

static void curves(void **state)
{
    (void)state;
    for (double at = -87; at < 88.5; at += 0.0037) {
        float x = (float)at;
        assert_true(apart(rg_expf(x), exp(x)) < 2e-7);
        assert_true(apart(rg_tanhf(x), tanh(x)) < 2e-7);
        assert_true(apart(rg_erff(x), erf(x)) < 2e-7);
        assert_true(fabs(rg_sigmoidf(x) - 1 / (1 + exp(-(double)x))) < 2e-7);
        assert_true(fabs(rg_swishf(x, 0.7f) - x / (1 + exp(-0.7 * x))) <= 2e-7 * fmax(1, fabs(x)));
    }
    assert_true(rg_expf(-INFINITY) == 0 && rg_expf(INFINITY) == INFINITY && isnan(rg_expf(NAN)));
    assert_true(rg_expf(0) == 1 && rg_tanhf(0) == 0 && rg_erff(0) == 0);
    assert_true(rg_tanhf(-INFINITY) == -1 && rg_erff(INFINITY) == 1);
    assert_true(isnan(rg_tanhf(NAN)) && isnan(rg_erff(NAN)));
    assert_true(isnan(rg_sigmoidf(NAN)) && isnan(rg_sigmoidf(-NAN)) && isnan(rg_swishf(NAN, 1)));
    for (float x = 80; x < INFINITY; x *= 1.01f) {
        assert_true(rg_sigmoidf(x) == 1 && fabsf(rg_sigmoidf(-x)) < 1e-34f);
        assert_true(rg_swishf(x, 1) == x && fabsf(rg_swishf(-x, 1)) < 1e-32f);
    }
    assert_true(rg_sigmoidf(INFINITY) == 1 && rg_sigmoidf(-INFINITY) == 0 && rg_sigmoidf(0) == 0.5f);
    assert_true(rg_swishf(INFINITY, 1) == INFINITY && rg_swishf(0, 1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves), cmocka_unit_test(one_tensor), cmocka_unit_test(two_tensors),
        cmocka_unit_test(norms),  cmocka_unit_test(pools),      cmocka_unit_test(attention),
        cmocka_unit_test(products), cmocka_unit_test(moves),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
