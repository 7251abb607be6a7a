/* test_kernel_reduce.c - kernels along axes: reductions of nothing, of extremes and of NaN, ties of ArgMax
 * and TopK, running sums, normalizations, and what selects or makes elements. Wanted values are closed forms.
 */
#include "kernel_run.h"

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

static void test_reduce(void **state)
{
    static const kernel_row rows[] = {
        {"ReduceSum", "i32[2]=2147483647,1", "keepdims=0", "i32[]=-2147483648"},
        {"ReduceSum", "f32[2,3]=1,2,3,4,5,6 i64[1]=-1", "", "f32[2,1]=6,15"},
        {"ReduceSum", "f32[2,2,2]=1,2,3,4,5,6,7,8 i64[2]=0,-1", "keepdims=0", "f32[2]=14,22"},
        {"ReduceSum", "f32[2]=1,2", "noop_with_empty_axes=1", "f32[2]=1,2"},
        {"ReduceL1", "f32[2]=-1,2", "noop_with_empty_axes=1", "f32[2]=1,2"},
        {"ReduceL1", "i64[2]=-9223372036854775808,1", "keepdims=0", "i64[]=-9223372036854775807"},
        {"ReduceL2", "f32[2]=3,4", "keepdims=0", "f32[]=5"},
        {"ReduceL2", "i32[2]=1,1", "keepdims=0", "i32[]=1"},
        {"ReduceMax", "u64[2]=9223372036854775808,1", "keepdims=0", "u64[]=9223372036854775808"},
        {"ReduceMin", "f32[3]=1,nan,-1", "keepdims=0", "f32[]=nan"},
        {"ReduceMax", "bool[3]=0,1,0", "keepdims=0", "bool[]=1"},
        {"ReduceMean", "i32[3]=1,2,2", "keepdims=0", "i32[]=1"},
        {"ReduceMean", "f16[2]=60000,60000", "keepdims=0", "f16[]=60000"}, /* no overflow inside */
        {"ReduceLogSumExp", "f64[2]=1000,1000", "keepdims=0", "f64[]=1000.6931471805599"},
        {"ReduceLogSumExp", "f64[3]=-inf,-inf,-inf", "keepdims=0", "f64[]=-inf"},
        {"ReduceLogSum", "f32[2]=0.5,0.5", "keepdims=0", "f32[]=0"},
        {"ReduceSumSquare", "i8[1]=12", "keepdims=0", "i8[]=-112"}, /* 144 wraps */
        {"ReduceSum", "f32[]=7", "", "f32[]=7"},
        /* of nothing: the neutral element */
        {"ReduceSum", "f32[2,0]= i64[1]=1", "keepdims=0", "f32[2]=0,0"},
        {"ReduceProd", "f32[0]=", "keepdims=0", "f32[]=1"},
        {"ReduceMax", "f32[0]=", "keepdims=0", "f32[]=-inf"},
        {"ReduceMin", "i8[0]=", "keepdims=0", "i8[]=127"},
        {"ReduceMax", "u64[0]=", "keepdims=0", "u64[]=0"},
        {"ReduceMax", "bool[0]=", "keepdims=0", "bool[]=0"},
        {"ReduceMin", "bool[0]=", "keepdims=0", "bool[]=1"},
        {"ReduceMean", "f32[0]=", "keepdims=0", "f32[]=nan"},
        {"ReduceLogSumExp", "f32[0]=", "keepdims=0", "f32[]=-inf"},
        {"ReduceSum", "f32[0,3]= i64[1]=1", "", "f32[0,1]="},
    };
    KERNEL_CHECK_ALL(*state, rows);
}

static void test_arg(void **state)
{
    static const kernel_row rows[] = {
        {"ArgMax", "f32[4]=1,3,3,2", "keepdims=0", "i64[]=1"},
        {"ArgMax", "f32[4]=1,3,3,2", "keepdims=0 select_last_index=1", "i64[]=2"},
        {"ArgMin", "i64[2,2]=5,5,1,2", "axis=-1", "i64[2,1]=0,0"},
        {"ArgMin", "f32[4]=1,nan,0,nan", "keepdims=0", "i64[]=1"},
        {"ArgMax", "u64[2]=1,9223372036854775808", "keepdims=0", "i64[]=1"},
        {"TopK", "f32[5]=1,3,2,3,nan i64[1]=3", "", "f32[3]=nan,3,3 i64[3]=4,1,3"},
        {"TopK", "i64[2,3]=3,1,2,9,8,9 i64[1]=2", "largest=0", "i64[2,2]=1,2,8,9 i64[2,2]=1,2,1,0"},
        {"TopK", "f32[3,2]=1,6,2,5,3,4 i64[1]=1", "axis=0", "f32[1,2]=3,6 i64[1,2]=2,0"},
        {"TopK", "f32[3]=1,2,3 i64[1]=0", "", "f32[0]= i64[0]="},
        {"TopK", "f32[3]=1,2,3 i64[1]=2", "", "_ i64[2]=2,1"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"ArgMax", "f32[0]=", "", "i64[1]"}, RG_SHAPE);
    kernel_check_fails(*state, &(kernel_row){"TopK", "f32[3]=1,2,3 i64[1]=4", "", "f32[4] i64[4]"}, RG_SHAPE);
}

static void test_det(void **state)
{
    static const kernel_row rows[] = {
        {"Det", "f32[2,2]=0,1,1,0", "", "f32[]=-1"}, /* needs a swap */
        {"Det", "f64[2,2,2]=1,2,3,4,2,0,0,3", "", "f64[2]=-2,6"},
        {"Det", "f32[3,3]=1,2,3,4,5,6,7,8,9", "", "f32[]=0"},
        {"Det", "f32[1,0,0]=", "", "f32[1]=1"}, /* the empty product */
    };
    KERNEL_CHECK_ALL(*state, rows);
}

static void test_cumulate(void **state)
{
    static const kernel_row rows[] = {
        {"CumSum", "i8[3]=100,100,100 i32[]=0", "", "i8[3]=100,-56,44"},
        {"CumSum", "f32[4]=1,2,3,4 i64[]=-1", "exclusive=1 reverse=1", "f32[4]=9,7,4,0"},
        {"CumProd", "f32[2,2]=1,2,3,4 i32[]=0", "exclusive=1", "f32[2,2]=1,1,1,2"},
        {"CumProd", "i64[3]=2,3,4 i32[1]=0", "reverse=1", "i64[3]=24,12,4"},
        {"CumSum", "f32[0,2]= i32[]=1", "", "f32[0,2]="},
        {"Trilu", "i64[2,3]=1,2,3,4,5,6", "", "i64[2,3]=1,2,3,0,5,6"},
        {"Trilu", "bool[2,2]=1,1,1,1 i64[]=-9223372036854775808", "", "bool[2,2]=1,1,1,1"},
        {"Trilu", "f16[2,2]=1,2,3,4 i64[]=-1", "upper=0", "f16[2,2]=0,0,3,0"},
        {"ReverseSequence", "f32[3,2]=1,2,3,4,5,6 i64[2]=2,3", "", "f32[3,2]=3,6,1,4,5,2"},
        {"ReverseSequence", "i8[2,2]=1,2,3,4 i64[2]=0,2", "batch_axis=0 time_axis=1", "i8[2,2]=1,2,4,3"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"CumSum", "f32[2]=1,2 i32[]=1", "", "f32[2]"}, RG_SHAPE);
    kernel_check_fails(*state, &(kernel_row){"ReverseSequence", "f32[2,1]=1,2 i64[1]=3", "", "f32[2,1]"},
                       RG_SHAPE);
}

/* Boxes 0 and 1 have 2/3 of their union in common; box 2 lies apart. */
#define BOXES "f32[1,3,4]=0,0,1,1,0,0.2,1,1.2,5,5,6,6 f32[1,1,3]=0.9,0.8,0.7"

static void test_select(void **state)
{
    static const kernel_row rows[] = {
        {"Compress", "f32[2,3]=1,2,3,4,5,6 bool[3]=1,0,1", "axis=-1", "f32[2,2]=1,3,4,6"},
        {"Compress", "i64[2,2]=1,2,3,4 bool[3]=0,1,1", "", "i64[2]=2,3"},
        {"Compress", "f32[2]=1,2 bool[2]=0,0", "axis=0", "f32[0]="},
        {"NonZero", "f32[2,2]=0,nan,0.5,-0.0", "", "i64[2,2]=0,1,1,0"},
        {"NonZero", "i64[]=3", "", "i64[0,1]="},
        {"NonZero", "bool[0]=", "", "i64[1,0]="},
        {"Unique", "f32[5]=2,1,1,3,2", "", "f32[3]=1,2,3 i64[3]=1,0,3 i64[5]=1,0,0,2,1 i64[3]=2,2,1"},
        {"Unique", "f32[5]=2,1,1,3,2", "sorted=0", "f32[3]=2,1,3 i64[3]=0,1,3 i64[5]=0,1,1,2,0 i64[3]=2,2,1"},
        {"Unique", "i32[2,3]=1,0,1,2,0,2", "axis=1", "i32[2,2]=0,1,0,2 i64[2]=1,0 i64[3]=1,0,1 i64[2]=1,2"},
        {"Unique", "f32[3]=nan,1,nan", "", "f32[2]=1,nan i64[2]=1,0 i64[3]=1,0,1 i64[2]=1,2"},
        {"Unique", "f32[0]=", "", "f32[0]= i64[0]= i64[0]= i64[0]="},
        {"NonMaxSuppression", BOXES " i64[]=3 f32[]=0.5", "", "i64[2,3]=0,0,0,0,0,2"},
        {"NonMaxSuppression", BOXES " i64[]=3 f32[]=0.7", "", "i64[3,3]=0,0,0,0,0,1,0,0,2"},
        {"NonMaxSuppression", "f32[1,2,4]=1,1,0,0,9,9,8,8 f32[1,1,2]=0.5,0.9 i64[]=1 f32[]=0.5 f32[]=0.6", "",
         "i64[1,3]=0,0,1"},
        {"NonMaxSuppression", "f32[1,1,4]=0,0,1,1 f32[1,1,1]=1", "", "i64[0,3]="},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"Compress", "f32[2]=1,2 bool[3]=0,0,1", "axis=0", "f32[1]"},
                       RG_SHAPE);
}

static void test_constant(void **state)
{
    static const kernel_row rows[] = {
        {"Constant", "", "value_floats=[1.5,-2]", "f32[2]=1.5,-2"},
        {"Constant", "", "value_int=-7", "i64[]=-7"},
        {"ConstantOfShape", "i64[2]=2,1", "", "f32[2,1]=0,0"},
        {"ConstantOfShape", "i64[1]=0", "", "f32[0]="},
        {"EyeLike", "f32[2,3]=0,0,0,0,0,0", "k=1", "f32[2,3]=0,1,0,0,0,1"},
        {"EyeLike", "i32[2,2]=7,7,7,7", "k=-1 dtype=9", "bool[2,2]=0,0,1,0"},
        {"Range", "i64[]=10 i64[]=4 i64[]=-2", "", "i64[3]=10,8,6"},
        {"Range", "f32[]=0 f32[]=1 f32[]=0.25", "", "f32[4]=0,0.25,0.5,0.75"},
        {"Range", "i32[]=3 i32[]=3 i32[]=1", "", "i32[0]="},
        {"OneHot", "i64[4]=0,2,-1,5 i64[]=3 f32[2]=-1,1", "", "f32[4,3]=1,-1,-1,-1,-1,1,-1,-1,1,-1,-1,-1"},
        {"OneHot", "f32[2]=1,0 f32[1]=2 i8[2]=0,9", "axis=0", "i8[2,2]=0,9,9,0"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"Range", "i64[]=0 i64[]=4 i64[]=0", "", "i64[1]"}, RG_INPUT);
}

static void test_norm(void **state)
{
    static const kernel_row rows[] = {
        {"LayerNormalization", "f32[2,2]=1,3,5,5 f32[2]=2,2 f32[2]=0,1", "epsilon=0.0",
         "f32[2,2]=-2,3,nan,nan f32[2,1]=2,5 f32[2,1]=1,inf"},
        {"RMSNormalization", "f32[1,2]=3,4 f32[2]=1,2", "epsilon=0.0", "f32[1,2]=0.84852814,2.2627417"},
        {"InstanceNormalization", "f32[1,2,2]=1,3,10,30 f32[2]=1,2 f32[2]=0,5", "epsilon=0.0",
         "f32[1,2,2]=-1,1,3,7"},
        {"GroupNormalization", "f32[1,2,2]=1,1,3,3 f32[2]=1,2 f32[2]=0,0", "num_groups=1 epsilon=0.0",
         "f32[1,2,2]=-1,-1,2,2"},
        {"MeanVarianceNormalization", "f32[2,2]=1,3,10,30", "axes=[1]", "f32[2,2]=-1,1,-1,1"},
        {"LpNormalization", "f32[2,2]=3,4,0,0", "", "f32[2,2]=0.6,0.8,0,0"},
        {"LpNormalization", "f32[2,2]=3,4,-1,4", "axis=0 p=1", "f32[2,2]=0.75,0.5,-0.25,0.5"},
        {"LRN", "f32[1,3,1]=1,2,3", "size=2 alpha=2.0 beta=1.0 bias=0.0",
         "f32[1,3,1]=0.2,0.15384616,0.3333333"},
        {"BatchNormalization", "f32[2,1]=1,3 f32[1]=2 f32[1]=1 f32[1]=2 f32[1]=4", "epsilon=0.0",
         "f32[2,1]=0,2"},
        {"BatchNormalization", "f32[2,1]=1,3 f32[1]=2 f32[1]=1 f32[1]=0 f32[1]=0",
         "epsilon=0.0 training_mode=1 momentum=0.75", "f32[2,1]=-1,3 f32[1]=0.5 f32[1]=0.25"},
        {"LpNormalization", "f32[2,0]=", "", "f32[2,0]="},
        {"LayerNormalization", "f32[0,2]= f32[2]=1,1", "", "f32[0,2]="},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"LpNormalization", "f32[1]=1", "p=3", "f32[1]"}, RG_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reduce, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arg, setup, teardown),
        cmocka_unit_test_setup_teardown(test_det, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cumulate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_select, setup, teardown),
        cmocka_unit_test_setup_teardown(test_constant, setup, teardown),
        cmocka_unit_test_setup_teardown(test_norm, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
