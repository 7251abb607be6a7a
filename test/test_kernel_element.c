/* test_kernel_element.c - elementwise kernels where the standard's own cases say little: integers that wrap,
 * 64 unsigned bits, division by zero, NaN, signed zeros, ties, empty and rank-0 tensors, every float type of
 * Cast and its text, blocks of QuantizeLinear. The wanted values are closed forms, IEEE 754, and the tables
 * of the 8-bit formats.
 */
#include "kernel_run.h"

#include <math.h>

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

static void test_unary(void **state)
{
    static const kernel_row rows[] = {
        {"Abs", "i8[3]=-128,-1,5", "", "i8[3]=-128,1,5"},             /* 128 wraps */
        {"Abs", "u64[1]=18446744073709551615", "", "u64[1]=18446744073709551615"},
        {"Neg", "i64[2]=-9223372036854775808,7", "", "i64[2]=-9223372036854775808,-7"},
        {"Sign", "f32[4]=-inf,-0.0,3,nan", "", "f32[4]=-1,0,1,nan"},
        {"Sign", "u64[2]=0,18446744073709551615", "", "u64[2]=0,1"},
        {"BitwiseNot", "u8[3]=0,1,255", "", "u8[3]=255,254,0"},
        {"BitwiseNot", "i16[2]=0,-1", "", "i16[2]=-1,0"},
        {"Not", "bool[2]=0,1", "", "bool[2]=1,0"},
        {"Round", "f32[6]=0.5,1.5,2.5,-0.5,-1.5,2.51", "", "f32[6]=0,2,2,-0.0,-2,3"},
        {"Floor", "f64[2]=-1.5,1.5", "", "f64[2]=-2,1"},
        {"Ceil", "bf16[2]=-1.5,1.5", "", "bf16[2]=-1,2"},
        {"Sqrt", "f32[3]=4,-1,inf", "", "f32[3]=2,nan,inf"},
        {"Reciprocal", "f32[3]=4,0,-0.0", "", "f32[3]=0.25,inf,-inf"},
        {"Log", "f32[2]=1,0", "", "f32[2]=0,-inf"},
        {"Sigmoid", "f32[3]=-1000,0,1000", "", "f32[3]=0,0.5,1"},
        {"Tanh", "f16[3]=-100,0,100", "", "f16[3]=-1,0,1"},
        {"Exp", "f16[2]=0,100", "", "f16[2]=1,inf"},
        {"IsInf", "f32[3]=-inf,inf,nan", "", "bool[3]=1,1,0"},
        {"IsInf", "f32[3]=-inf,inf,1", "detect_negative=0", "bool[3]=0,1,0"},
        {"IsInf", "f32[2]=-inf,inf", "detect_negative=0 detect_positive=0", "bool[2]=0,0"},
        {"IsNaN", "f8e4m3fn[2]=nan,448", "", "bool[2]=1,0"},
        {"Exp", "f32[0]=", "", "f32[0]="},
        {"Exp", "f32[]=0", "", "f32[]=1"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"BitwiseNot", "f32[1]=1", "", "f32[1]"}, RG_SHAPE);
}

static void test_binary_whole(void **state)
{
    static const kernel_row rows[] = {
        {"Add", "i8[2]=127,-128 i8[]=1", "", "i8[2]=-128,-127"},
        {"Sub", "u8[2]=0,5 u8[1]=1", "", "u8[2]=255,4"},
        {"Mul", "i64[1]=9223372036854775807 i64[1]=2", "", "i64[1]=-2"},
        {"Div", "i32[4]=7,-7,7,-7 i32[4]=2,2,-2,-2", "", "i32[4]=3,-3,-3,3"}, /* towards zero */
        {"Div", "i64[2]=-9223372036854775808,5 i64[2]=-1,0", "", "i64[2]=-9223372036854775808,0"},
        {"Div", "u64[1]=18446744073709551615 u64[1]=2", "", "u64[1]=9223372036854775807"},
        {"Mod", "i32[4]=7,-7,7,-7 i32[4]=3,3,-3,-3", "", "i32[4]=1,2,-2,-1"},
        {"Mod", "i32[4]=7,-7,7,-7 i32[4]=3,3,-3,-3", "fmod=1", "i32[4]=1,-1,1,-1"},
        {"Mod", "i64[2]=-9223372036854775808,4 i64[2]=-1,0", "", "i64[2]=0,0"},
        {"Mod", "u64[1]=18446744073709551615 u64[1]=10", "", "u64[1]=5"},
        {"Greater", "u64[2]=9223372036854775808,1 u64[2]=1,9223372036854775808", "", "bool[2]=1,0"},
        {"LessOrEqual", "u64[2]=9223372036854775808,1 u64[2]=1,1", "", "bool[2]=0,1"},
        {"Max", "u64[1]=9223372036854775808 u64[1]=1", "", "u64[1]=9223372036854775808"},
        {"Min", "i8[3]=1,2,3 i8[]=2 i8[1]=-4", "", "i8[3]=-4,-4,-4"},
        {"BitShift", "u8[3]=1,128,255 u8[3]=7,1,8", "direction=\"LEFT\"", "u8[3]=128,0,0"},
        {"BitShift", "u64[2]=9223372036854775808,1 u64[2]=63,64", "direction=\"RIGHT\"", "u64[2]=1,0"},
        {"BitwiseXor", "i32[2]=-1,6 i32[]=3", "", "i32[2]=-4,5"},
        {"Xor", "bool[4]=0,0,1,1 bool[4]=0,1,0,1", "", "bool[4]=0,1,1,0"},
        {"Pow", "i32[3]=2,-3,10 i32[3]=10,3,0", "", "i32[3]=1024,-27,1"},
        {"Pow", "i64[4]=1,-1,2,0 i64[]=-3", "", "i64[4]=1,-1,0,0"},
        {"Pow", "i32[1]=9 f32[]=0.5", "", "i32[1]=3"},
        {"Sum", "i8[1]=100 i8[1]=100 i8[1]=100", "", "i8[1]=44"},
        {"Add", "i4[2]=7,-8 i4[2]=1,-1", "", "i4[2]=-8,7"},
    };
    KERNEL_CHECK_ALL(*state, rows);
}

static void test_binary_real(void **state)
{
    static const kernel_row rows[] = {
        {"Div", "f32[4]=1,-1,0,1 f32[4]=0,0,0,3", "", "f32[4]=inf,-inf,nan,0.333333343"},
        {"Mod", "f32[2]=-7,7 f32[2]=3,-3", "fmod=1", "f32[2]=-1,1"},
        {"Add", "f16[1]=2048 f16[1]=1", "", "f16[1]=2048"}, /* a tie goes to even */
        {"Add", "bf16[1]=256 bf16[1]=1", "", "bf16[1]=256"},
        {"Mul", "f16[1]=300 f16[1]=300", "", "f16[1]=inf"},
        {"Max", "f32[3]=1,nan,-0.5 f32[3]=nan,1,0.5", "", "f32[3]=nan,nan,0.5"},
        {"Mean", "f32[2]=1,2 f32[2]=3,4 f32[]=5", "", "f32[2]=3,3.6666667"},
        {"Equal", "f32[2]=nan,-0.0 f32[2]=nan,0", "", "bool[2]=0,1"},
        {"LessOrEqual", "f32[1]=nan f32[1]=nan", "", "bool[1]=0"},
        {"Pow", "f32[3]=2,-2,4 f32[3]=-1,3,0.5", "", "f32[3]=0.5,-8,2"},
        {"Add", "f32[2,1]=1,2 f32[1,3]=10,20,30", "", "f32[2,3]=11,21,31,12,22,32"},
        {"Add", "f32[2,0]= f32[1]=1", "", "f32[2,0]="},
        {"Where", "bool[2,1]=1,0 i64[3]=1,2,3 i64[]=-1", "", "i64[2,3]=1,2,3,-1,-1,-1"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"BitwiseAnd", "f32[1]=1 f32[1]=1", "", "f32[1]"}, RG_SHAPE);
}

static void test_activation(void **state)
{
    static const kernel_row rows[] = {
        {"Relu", "i64[2]=-5,9007199254740993", "", "i64[2]=0,9007199254740993"}, /* 2^53 + 1: no double */
        {"Relu", "f32[3]=nan,-inf,inf", "", "f32[3]=nan,0,inf"},
        {"LeakyRelu", "f32[2]=-2,2", "alpha=0.5", "f32[2]=-1,2"},
        {"Elu", "f64[2]=-0.6931471805599453,3", "alpha=2.0", "f64[2]=-1,3"},      /* e^-ln2 - 1 = -1/2 */
        {"Celu", "f64[2]=-1.3862943611198906,3", "alpha=2.0", "f64[2]=-1,3"},
        {"Softplus", "f32[3]=-1000,0,1000", "", "f32[3]=0,0.69314718,1000"},
        {"Mish", "f32[2]=0,1000", "", "f32[2]=0,1000"},
        {"Gelu", "f64[2]=0,1", "", "f64[2]=0,0.8413447460685429"},                 /* the normal CDF at 1 */
        {"Gelu", "f64[1]=1", "approximate=\"tanh\"", "f64[1]=0.8411919906082768"},
        {"HardSigmoid", "f32[3]=-10,0,10", "", "f32[3]=0,0.5,1"},
        {"HardSwish", "f32[4]=-3,0,3,1", "", "f32[4]=0,0,3,0.6666667"},
        {"Shrink", "f32[4]=-2,-0.5,0.5,2", "bias=1.5 lambd=1.0", "f32[4]=-0.5,0,0,0.5"},
        {"Softsign", "f32[2]=-1,3", "", "f32[2]=-0.5,0.75"},
        {"ThresholdedRelu", "f32[3]=0.5,1,1.5", "", "f32[3]=0,0,1.5"},
        {"Swish", "f32[2]=0,0.69314718", "", "f32[2]=0,0.46209812"},               /* ln 2 * 2/3 */
        {"Selu", "f32[2]=0,1", "", "f32[2]=0,1.05070102"},
        {"SwiGLU", "f32[2]=0.69314718,0 f32[2]=3,5", "", "f32[2]=1.3862944,0"},
        {"PRelu", "f32[2,2]=-1,1,-2,2 f32[2]=0.5,4", "", "f32[2,2]=-0.5,1,-1,2"},
        {"PRelu", "i64[2]=-3,3 i64[1]=-2", "", "i64[2]=6,3"},
        {"Clip", "f32[3]=-1,nan,9 f32[]=0 f32[]=5", "", "f32[3]=0,nan,5"},
        {"Clip", "u64[2]=1,18446744073709551615 _ u64[]=9223372036854775808", "",
         "u64[2]=1,9223372036854775808"},
        {"Clip", "i8[3]=-5,0,5 i8[]=3 i8[]=1", "", "i8[3]=1,1,1"}, /* crossing limits: the upper one */
    };
    KERNEL_CHECK_ALL(*state, rows);
}

/* to: 1 f32, 2 u8, 3 i8, 7 i64, 9 bool, 10 f16, 12 u32, 13 u64, 16 bf16, 17 e4m3fn, 18 e4m3fnuz, 19 e5m2,
 * 20 e5m2fnuz, 22 i4, 23 f4e2m1, 24 e8m0, 26 i2 */
static void test_cast(void **state)
{
    static const kernel_row rows[] = {
        {"Cast", "f32[4]=1.9,-1.9,nan,1e30", "to=7", "i64[4]=1,-1,0,9223372036854775807"},
        {"Cast", "f32[3]=-1,255.9,300", "to=2", "u8[3]=0,255,255"},
        {"Cast", "i64[3]=200,-129,256", "to=3", "i8[3]=-56,127,0"}, /* the low bits */
        {"Cast", "i64[1]=-1", "to=13", "u64[1]=18446744073709551615"},
        {"Cast", "u64[1]=18446744073709551615", "to=7", "i64[1]=-1"},
        {"Cast", "f32[3]=0.5,0,nan", "to=9", "bool[3]=1,0,1"},
        {"Cast", "i64[1]=256", "to=9", "bool[1]=1"},
        {"Cast", "bool[2]=1,0", "to=1", "f32[2]=1,0"},
        /* 2^24 + 1 is a tie and goes down; with 2^-29 of it more it is none: 2^54 + 2^30 + 1 */
        {"Cast", "i64[2]=16777217,18014399583223809", "to=1", "f32[2]=16777216,18014400656965632"},
        {"Cast", "f64[2]=65519,65520", "to=10", "f16[2]=65504,inf"},
        {"Cast", "f32[4]=464,465,-inf,nan", "to=17 saturate=1", "f8e4m3fn[4]=448,448,-448,nan"},
        {"Cast", "f32[4]=464,465,-inf,17", "to=17 saturate=0", "f8e4m3fn[4]=448,nan,nan,16"},
        {"Cast", "f32[3]=247,248,-1000", "to=18 saturate=0", "f8e4m3fnuz[3]=240,nan,nan"},
        {"Cast", "f32[3]=61440,-1e9,inf", "to=19", "f8e5m2[3]=57344,-57344,57344"},
        {"Cast", "f32[2]=61439,61440", "to=20 saturate=0", "f8e5m2fnuz[2]=57344,nan"},
        {"Cast", "f32[5]=0.25,0.75,2.5,5,100", "to=23", "f4e2m1[5]=0,1,2,4,6"}, /* ties to even */
        {"Cast", "f32[4]=1,1.1,1.5,3", "to=24", "f8e8m0[4]=1,2,2,4"},
        {"Cast", "f32[4]=1,1.1,1.5,3", "to=24 round_mode=\"down\"", "f8e8m0[4]=1,1,1,2"},
        {"Cast", "f32[4]=1,1.1,1.5,2.9", "to=24 round_mode=\"nearest\"", "f8e8m0[4]=1,1,2,2"},
        {"Cast", "f64[2]=1e300,inf", "to=24", "f8e8m0[2]=1.7014118346046923e38,nan"},
        {"Cast", "f64[1]=1e300", "to=24 saturate=0", "f8e8m0[1]=nan"},
        {"Cast", "i32[3]=9,-9,7", "to=22", "i4[3]=-7,7,7"},
        {"Cast", "i32[3]=1,-2,3", "to=26", "i2[3]=1,-2,-1"},
        {"CastLike", "f32[2]=1.5,-2.5 i8[0]=", "", "i8[2]=1,-2"},
        {"BitCast", "f32[2]=1,-2", "to=6", "i32[2]=1065353216,-1073741824"},
        {"Cast", "f32[0]=", "to=7", "i64[0]="},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"Cast", "f32[1]=1", "to=24 round_mode=\"odd\"", "f8e8m0[1]"},
                       RG_FORMAT);
}

/* The only 8-bit float with an infinity; text cannot state it, being saturated on the way. */
static void test_cast_to_infinity(void **state)
{
    static const kernel_row row = {"Cast", "f32[3]=61439,61440,-1e9", "to=19 saturate=0", "f8e5m2[3]"};
    const rg_datum *out[KERNEL_OUT_MAX] = {NULL};
    assert_int_equal(kernel_run(*state, &row, NULL, NULL, out), RG_OK);
    assert_true(rg_get(&out[0]->array, 0) == 57344);
    assert_true(rg_get(&out[0]->array, 1) == (double)INFINITY);
    assert_true(rg_get(&out[0]->array, 2) == -(double)INFINITY);
    rg_datum_free(out[0]);
}

static void test_number_to_text(void **state)
{
    static const struct { const char *input; const char *text[4]; } rows[] = {
        {"f32[4]=0.1,1e-5,1e16,123456789", {"0.1", "1e-05", "1e+16", "123456790.0"}},
        {"f32[4]=-0.0,100,0.0001,1.5e-10", {"-0.0", "100.0", "0.0001", "1.5e-10"}},
        {"f16[4]=0.1,65504,nan,-inf", {"0.1", "65500.0", "nan", "-inf"}},
        {"f64[4]=0.1,0.30000000000000004,1e15,5e-324",
         {"0.1", "0.30000000000000004", "1000000000000000.0", "5e-324"}},
        {"i64[4]=-9223372036854775808,0,7,-1", {"-9223372036854775808", "0", "7", "-1"}},
        {"u64[4]=18446744073709551615,1,2,3", {"18446744073709551615", "1", "2", "3"}},
        {"bool[4]=0,1,1,0", {"False", "True", "True", "False"}},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const rg_datum *out[KERNEL_OUT_MAX] = {NULL};
        kernel_row row = {"Cast", rows[i].input, "to=8", "str[4]"};
        assert_int_equal(kernel_run(*state, &row, NULL, NULL, out), RG_OK);
        for (int k = 0; k < 4; k++) {
            rg_str have = rg_get_str(&out[0]->array, k);
            if (!rg_str_is(have, rows[i].text[k]))
                fail_msg("%s: '%.*s', wanted '%s'", rows[i].input, RG_STR(have), rows[i].text[k]);
        }
        rg_datum_free(out[0]);
    }
}

/* Casts one string; the result as a token of kernel_datum. */
static rg_err cast_text(rg_ctx *cx, const char *text, const char *attrs, const char *wanted)
{
    const rg_datum *out[KERNEL_OUT_MAX] = {NULL};
    rg_datum *in = NULL;
    char why[256];
    assert_int_equal(rg_datum_tensor(cx, RG_STR, 0, NULL, &in), RG_OK);
    ((rg_str *)in->array.data)[0] = rg_str_of(text);
    rg_err err = kernel_run(cx, &(kernel_row){"Cast", "str[]", attrs, "f32[]"}, in, NULL, out);
    if (!err) {
        rg_datum *want = kernel_datum(cx, rg_str_of(wanted));
        if (!rg_datum_close(out[0], want, 0, 0, why, sizeof why)) fail_msg("'%s': %s", text, why);
        rg_datum_free(want);
    }
    rg_datum_free(out[0]);
    rg_datum_free(in);
    return err;
}

static void test_text_to_number(void **state)
{
    static const struct { const char *text, *attrs, *wanted; } rows[] = {
        {"3.14", "to=11", "f64[]=3.14"},
        {" 1E8 ", "to=1", "f32[]=1e8"},
        {"+INF", "to=1", "f32[]=inf"},
        {"-inf", "to=10", "f16[]=-inf"},
        {"NaN", "to=1", "f32[]=nan"},
        {"100.5", "to=7", "i64[]=100"},
        {"-9223372036854775808", "to=7", "i64[]=-9223372036854775808"},
        {"18446744073709551615", "to=13", "u64[]=18446744073709551615"},
        {"True", "to=9", "bool[]=1"},
        {"0", "to=9", "bool[]=0"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++)
        assert_int_equal(cast_text(*state, rows[i].text, rows[i].attrs, rows[i].wanted), RG_OK);
    assert_int_equal(cast_text(*state, "Hello", "to=1", "f32[]=0"), RG_INPUT);
    assert_int_equal(cast_text(*state, "", "to=7", "i64[]=0"), RG_INPUT);
}

static void test_quantize(void **state)
{
    static const kernel_row rows[] = {
        {"QuantizeLinear", "f32[5]=0.5,1.5,2.5,1000,-1000 f32[]=1 u8[]=0", "", "u8[5]=0,2,2,255,0"},
        {"QuantizeLinear", "f32[2,2]=1,2,3,4 f32[2]=1,2 i8[2]=0,10", "axis=1", "i8[2,2]=1,11,3,12"},
        {"QuantizeLinear", "f32[2,2]=1,2,3,4 f32[2]=1,2", "axis=0", "u8[2,2]=1,2,2,2"},
        {"QuantizeLinear", "f32[1,5]=1,2,3,4,5 f32[1,3]=1,2,5", "axis=1 block_size=2 output_dtype=22",
         "i4[1,5]=1,2,2,2,1"},
        {"QuantizeLinear", "f32[2]=500,-1e9 f32[]=1", "output_dtype=17 saturate=0", "f8e4m3fn[2]=nan,nan"},
        {"QuantizeLinear", "f32[2]=20,-20 f32[]=1", "output_dtype=22", "i4[2]=7,-8"},
        {"DequantizeLinear", "u8[3]=0,128,255 f32[]=0.5 u8[]=128", "", "f32[3]=-64,0,63.5"},
        {"DynamicQuantizeLinear", "f32[3]=0,2,255", "", "u8[3]=0,2,255 f32[]=1 u8[]=0"},
        {"DynamicQuantizeLinear", "f32[3]=-128,0,127", "", "u8[3]=0,128,255 f32[]=1 u8[]=128"},
        {"DynamicQuantizeLinear", "f32[2]=0,0", "", "u8[2]=0,0 f32[]=0 u8[]=0"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    static const kernel_row blocks = {"QuantizeLinear", "f32[1,4]=1,2,3,4 f32[1,3]=1,1,1",
                                      "axis=1 block_size=2", "u8[1,4]"};
    kernel_check_fails(*state, &blocks, RG_SHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_binary_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_binary_real, setup, teardown),
        cmocka_unit_test_setup_teardown(test_activation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cast, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cast_to_infinity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_number_to_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_to_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quantize, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
