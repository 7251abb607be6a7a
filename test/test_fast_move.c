/* test_fast_move.c - fast kernels that move elements, choose between them, or reduce axes: plain layout,
 * sizes that no vector divides, elements of every size, several workers.
 */
#include "exec/mathf.h"
#include "fast_case.h"

static void transposed(void **state)
{
    static const fast_case cases[] = {
        {"Transpose", "f32[37,41]", "", "f32[41,37]"},
        {"Transpose", "f32[2,19,3,5,23]", "perm=2,0,3,1,4", "f32[3,2,5,19,23]"},
        {"Transpose", "f32[2,19,23,3]", "perm=0,3,1,2", "f32[2,3,19,23]"},
        {"Transpose", "f32[2,24,9,11]", "perm=0,2,3,1", "f32[2,9,11,24]"},
        {"Transpose", "f32[3,17,5]", "perm=2,1,0", "f32[5,17,3]"},
        {"Transpose", "i64[37,41]", "", "i64[41,37]"},
        {"Transpose", "u8[3,17,5]", "perm=2,1,0", "u8[5,17,3]"},
        {"Transpose", "f16[3,17,5]", "perm=1,0,2", "f16[17,3,5]"},
        {"Transpose", "f32[2,2,2,2,2,2,2,2]", "perm=7,5,3,1,6,4,2,0", "f32[2,2,2,2,2,2,2,2]"},
        {"Transpose", "f32[0,3]", "", "f32[3,0]"},
        {"DepthToSpace", "f32[2,12,5,7]", "blocksize=2", "f32[2,3,10,14]"},
        {"DepthToSpace", "i32[1,18,5,7]", "blocksize=3 mode=\"CRD\"", "i32[1,2,15,21]"},
        {"SpaceToDepth", "f32[2,3,10,14]", "blocksize=2", "f32[2,12,5,7]"},
        {"Expand", "f32[3,1,5] i64[4]=2,3,7,5", "", "f32[2,3,7,5]"},
        {"Expand", "bool[3,1] i64[2]=3,70", "", "bool[3,70]"},
    };
    FAST_CHECK_ALL(state, cases);
}

static void joined_and_cut(void **state)
{
    static const fast_case cases[] = {
        {"Concat", "f32[2,3,7] f32[2,5,7] f32[2,1,7]", "axis=1", "f32[2,9,7]"},
        {"Concat", "f32[2,3,7] f32[2,3,1]", "axis=-1", "f32[2,3,8]"},
        {"Concat", "i64[2,3] i64[0,3] i64[5,3]", "axis=0", "i64[7,3]"},
        {"Concat", "f32[3,9000] f32[3,1]", "axis=1", "f32[3,9001]"},
        {"Split", "f32[2,9,7] i64[3]=3,5,1", "axis=1", "f32[2,3,7] f32[2,5,7] f32[2,1,7]"},
        {"Split", "f16[7]", "num_outputs=3", "f16[3] f16[3] f16[1]"},
        {"Slice", "f32[20,10,5] i64[3]=20,10,4 i64[3]=0,0,1 i64[3]=0,1,2 i64[3]=-1,-3,-2", "", "f32[19,3,2]"},
        {"Slice", "f32[2,197,70] i64[1]=1 i64[1]=9223372036854775807 i64[1]=1", "", "f32[2,196,70]"},
        {"Slice", "i32[9] i64[1]=-3 i64[1]=100", "", "i32[3]"},
        {"Slice", "f32[9] i64[1]=4 i64[1]=2", "", "f32[0]"},
        {"Slice", "f32[6,8] i64[2]=0,1 i64[2]=6,8 i64[2]=0,1 i64[2]=2,3", "", "f32[3,3]"},
        {"Pad", "f32[2,5,7] i64[6]=1,0,2,0,3,1", "", "f32[3,8,10]"},
        {"Pad", "f32[5,7] i64[2]=1,2 f32[]=1.5 i64[1]=-1", "", "f32[5,10]"},
        {"Pad", "u8[5,7] i64[4]=1,2,3,4 u8[]=9", "", "u8[9,13]"},
        {"Pad", "f32[5,7] i64[4]=-1,2,3,-4", "", "f32[7,5]"},
        {"Pad", "f32[5,7] i64[4]=1,2,3,4", "mode=\"reflect\"", "f32[9,13]"},
        {"Gather", "f32[5,4,3] i64[2]=4,-5", "", "f32[2,4,3]"},
        {"Gather", "f32[2,9,70] i64[]=-1", "axis=1", "f32[2,70]"},
        {"Gather", "i64[2,9] i32[2,2]=0,3,8,3", "axis=1", "i64[2,2,2]"},
    };
    FAST_CHECK_ALL(state, cases);
}

static void compared_and_chosen(void **state)
{
    static const char *const tests[] = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"};
    static const fast_case cases[] = {
        {"Max", "f32[2,3,5,7] f32[3,1,1]", "", "f32[2,3,5,7]"},
        {"Min", "f32[2,3,5,7] f32[7]", "", "f32[2,3,5,7]"},
        {"PRelu", "f32[2,3,5,7] f32[3,1,1]", "", "f32[2,3,5,7]"},
        {"Mul", "f32[2,3,50,8] f32[2,3,1,8]", "", "f32[2,3,50,8]"},
        {"Sub", "f32[5,1,8] f32[1,9,8]", "", "f32[5,9,8]"},
        {"And", "bool[3,40] bool[40]", "", "bool[3,40]"},
        {"Or", "bool[3,40] bool[3,1]", "", "bool[3,40]"},
        {"Xor", "bool[] bool[3,40]", "", "bool[3,40]"},
        {"Where", "bool[2,1,5,7] f32[2,3,5,7] f32[]", "", "f32[2,3,5,7]"},
        {"Where", "bool[2,3,5,7] f32[] f32[2,3,5,7]", "", "f32[2,3,5,7]"},
        {"Where", "bool[5,1] i64[5,70] i64[70]", "", "i64[5,70]"},
        {"Where", "bool[70] u8[5,70] u8[5,70]", "", "u8[5,70]"},
        {"Where", "bool[70] f16[] f16[]", "", "f16[70]"},
        {"Where", "bool[] f32[] f32[]", "", "f32[]"},
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        fast_check_case(*state, &(fast_case){tests[i], "f32[3,70] f32[70]", "", "bool[3,70]"});
        fast_check_case(*state, &(fast_case){tests[i], "i64[3,70] i64[3,1]", "", "bool[3,70]"});
        fast_check_case(*state, &(fast_case){tests[i], "i32[1,70] i32[3,1]", "", "bool[3,70]"});
    }
    FAST_CHECK_ALL(state, cases);
}

static void one_tensor(void **state)
{
    static const char *const ops[] = {
        "Ceil",  "Celu", "Cos",  "Elu", "Floor",    "Log",      "Mish",
        "Round", "Selu", "Sign", "Sin", "Softplus", "Softsign", "ThresholdedRelu",
    };
    static const fast_case cases[] = {
        {"Celu", "f32[3,37]", "alpha=1.7", "f32[3,37]"},
        {"Elu", "f32[3,37]", "alpha=0.3", "f32[3,37]"},
        {"Pow", "f32[3,37] f32[]=-2", "", "f32[3,37]"},
        {"Pow", "f32[3,37] f32[1]=0.3", "", "f32[3,37]"},
    };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        fast_check_case(*state, &(fast_case){ops[i], "f32[5,7,3]", "", "f32[5,7,3]"});
    FAST_CHECK_ALL(state, cases);
}

/* Against the C library's in double precision. */
static void curves(void **state)
{
    (void)state;
    for (double at = 1e-40; at < 3e38; at *= 1.0013) {
        float x = (float)at;
        double exact = log((double)x);
        assert_true(fabs(rg_logf(x) - exact) <= 2e-7 * fabs(exact));
    }
    for (double at = -90; at < 90; at += 0.0037) {
        float x = (float)at;
        double plus = x > 0 ? x + log1p(exp(-(double)x)) : log1p(exp((double)x));
        assert_true(fabs(rg_softplusf(x) - plus) <= 2e-7 * fmax(1, plus));
        assert_true(fabs(rg_mishf(x) - x * tanh(plus)) <= 2e-7 * fmax(1, plus));
    }
    assert_true(rg_logf(0) == -INFINITY && rg_logf(1) == 0 && rg_logf(INFINITY) == INFINITY);
    assert_true(isnan(rg_logf(-1)) && isnan(rg_logf(NAN)));
}

static void reduced(void **state)
{
    static const char *const ops[] = {
        "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceSumSquare", "ReduceL2",
    };
    static const char *const forms[][3] = {
        {"f32[3,5,77] i64[1]=-1", "", "f32[3,5,1]"},
        {"f32[3,5,77] i64[2]=1,2", "keepdims=0", "f32[3]"},
        {"f32[3,5,77] i64[1]=1", "", "f32[3,1,77]"},
        {"f32[3,5,8] i64[1]=0", "keepdims=0", "f32[5,8]"},
        {"f32[3,5,7] i64[2]=0,2", "", "f32[1,5,1]"},
        {"f32[3,50]", "keepdims=0", "f32[]"},
        {"f32[3,5]", "noop_with_empty_axes=1", "f32[3,5]"},
    };
    static const fast_case cases[] = {
        {"Softmax", "f32[3,5,77]", "axis=1", "f32[3,5,77]"},
        {"Softmax", "f32[1,4,7,64]", "axis=0", "f32[1,4,7,64]"},
        {"GlobalMaxPool", "f32[2,3,5,7]", "", "f32[2,3,1,1]"},
        {"GlobalAveragePool", "f32[2,3,37]", "", "f32[2,3,1]"},
        {"GlobalAveragePool", "f32[2,16,13,7]", "", "f32[2,16,1,1]"},
    };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (size_t k = 0; k < sizeof forms / sizeof *forms; k++)
            fast_check_case(*state, &(fast_case){ops[i], forms[k][0], forms[k][1], forms[k][2]});
    FAST_CHECK_ALL(state, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transposed), cmocka_unit_test(joined_and_cut), cmocka_unit_test(compared_and_chosen),
        cmocka_unit_test(one_tensor), cmocka_unit_test(curves), cmocka_unit_test(reduced),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
