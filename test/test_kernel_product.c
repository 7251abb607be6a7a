/* test_kernel_product.c - plain kernels of matrix products and of Einsum, where a closed form says more than
 * ONNX's cases do: wrapping and rounding, zero points and scales by row and column, empty sums.
 */
#include "kernel_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* 65504 is the greatest half; 2048 + 1 is not a half, 2048 + 1 + 1 is: sums are rounded once. */
static const kernel_case matmul[] = {
    {"MatMul", "f32[3]=1,2,3 f32[3]=4,5,6", NULL, "f32[]=32", RG_OK},
    {"MatMul", "f32[2]=1,2 f32[2,3]=1,2,3,4,5,6", NULL, "f32[3]=9,12,15", RG_OK},
    {"MatMul", "f32[2,2]=1,2,3,4 f32[2]=10,1", NULL, "f32[2]=12,34", RG_OK},
    {"MatMul", "f32[2,1,1,1]=1,2 f32[3,1,1]=10,20,30", NULL, "f32[2,3,1,1]=10,20,30,20,40,60", RG_OK},
    {"MatMul", "f32[2,0]= f32[0,3]=", NULL, "f32[2,3]=0,0,0,0,0,0", RG_OK},
    {"MatMul", "f32[0,2]= f32[2,3]=1,2,3,4,5,6", NULL, "f32[0,3]=", RG_OK},
    {"MatMul", "f16[1,3]=2048,1,1 f16[3,1]=1,1,1", NULL, "f16[1,1]=2050", RG_OK},
    {"MatMul", "f64[1,2]=9007199254740992,1 f64[2,1]=1,-1", NULL, "f64[1,1]=9007199254740991", RG_OK},
    {"MatMul", "i32[1,2]=2147483647,1 i32[2,1]=2,0", NULL, "i32[1,1]=-2", RG_OK},
    {"MatMul", "i64[1]=4611686018427387904 i64[1]=4", NULL, "i64[]=0", RG_OK},
    {"MatMul", "i64[1]=9007199254740993 i64[1]=1", NULL, "i64[]=9007199254740993", RG_OK},
    {"MatMul", "u32[1]=4294967295 u32[1]=2", NULL, "u32[]=4294967294", RG_OK},
    {"MatMul", "f32[2,3]=1,1,1,1,1,1 f32[2,3]=1,1,1,1,1,1", NULL, "f32[2,3]", RG_SHAPE},
};

static const kernel_case integer[] = {
    {"MatMulInteger", "u8[2,2]=10,20,30,40 i8[2,2]=1,0,0,1 u8[2]=10,30", NULL, "i32[2,2]=0,10,0,10", RG_OK},
    {"MatMulInteger", "u8[1,2]=255,0 i8[2,1]=-128,5 u8[]=0 i8[]=127", NULL, "i32[1,1]=-65025", RG_OK},
    {"MatMulInteger", "u8[1,1]=1 u8[1,2]=5,5 _ u8[2]=5,7", NULL, "i32[1,2]=0,-2", RG_OK},
    {"MatMulInteger", "u8[2,1,1]=4,4 u8[1,1]=1 u8[2,1,1]=1,2", NULL, "i32[2,1,1]=3,2", RG_OK},
    {"MatMulInteger", "u8[1,1]=1 u8[1,2]=5,5 _ u8[3]=5,7,9", NULL, "i32[1,2]", RG_SHAPE},
};

/* 2.5 rounds to 2 and 3.5 to 4; beyond the type it saturates. */
static const kernel_case linear[] = {
    {"QLinearMatMul", "u8[2,1]=5,7 f32[]=0.5 u8[]=0 u8[1,1]=1 f32[]=1 u8[]=0 f32[]=1 u8[]=0", NULL,
     "u8[2,1]=2,4", RG_OK},
    {"QLinearMatMul", "u8[2,1]=255,0 f32[]=1 u8[]=1 u8[1,1]=100 f32[]=1 u8[]=0 f32[]=1 u8[]=3", NULL,
     "u8[2,1]=255,0", RG_OK},
    {"QLinearMatMul", "i8[2,1]=1,1 f32[2]=1,2 i8[2]=0,-1 i8[1,2]=1,2 f32[2]=1,10 i8[2]=0,1 f32[]=1 i8[]=-1",
     NULL, "i8[2,2]=0,9,3,39", RG_OK},
};

static const kernel_case gemm[] = {
    {"Gemm", "f32[1,2]=1,2 f32[2,1]=3,4 f32[]=100", "alpha=2.0f beta=0.5f", "f32[1,1]=72", RG_OK},
    {"Gemm", "f32[2,1]=1,2 f32[3,2]=1,2,3,4,5,6 f32[1,3]=1,2,3", "transA=1 transB=1", "f32[1,3]=6,13,20",
     RG_OK},
    {"Gemm", "f32[2,0]= f32[0,2]= f32[2,1]=7,8", NULL, "f32[2,2]=7,7,8,8", RG_OK},
    {"Gemm", "i32[1,1]=2147483647 i32[1,1]=1 i32[1]=1", NULL, "i32[1,1]=-2147483648", RG_OK},
    {"Gemm", "i64[1,1]=9007199254740993 i64[1,1]=1", NULL, "i64[1,1]=9007199254740993", RG_OK},
    {"Gemm", "i32[1,1]=5 i32[1,1]=1", "alpha=2.0f", "i32[1,1]=10", RG_OK},
};

static const kernel_case einsum[] = {
    {"Einsum", "f32[2,2]=1,2,3,4", "equation=\"ii->\"", "f32[]=5", RG_OK},
    {"Einsum", "f32[2,2]=1,2,3,4", "equation=\"ii->i\"", "f32[2]=1,4", RG_OK},
    {"Einsum", "f32[2,2]=1,2,3,4", "equation=\"ba\"", "f32[2,2]=1,3,2,4", RG_OK},
    {"Einsum", "f32[2,1,2]=1,2,3,4 f32[2]=1,10", "equation=\"...i,i->...\"", "f32[2,1]=21,43", RG_OK},
    {"Einsum", "f32[1,2]=1,2 f32[3,2]=1,1,2,2,3,3", "equation=\"...j,...j->...\"", "f32[3]=3,6,9", RG_OK},
    {"Einsum", "f32[2]=1,2 f32[2]=3,4 f32[2]=5,6", "equation=\"a,b,c->\"", "f32[]=231", RG_OK},
    {"Einsum", "i32[2]=2147483647,1 i32[2]=1,1", "equation=\"i,i\"", "i32[]=-2147483648", RG_OK},
    {"Einsum", "f32[2,0]=", "equation=\"ij->i\"", "f32[2]=0,0", RG_OK},
    {"Einsum", "f32[2]=1,2", "equation=\"i->ii\"", "f32[2,2]", RG_FORMAT},
};

#define TEST(name, list)                                                 \
    static void name(void **state)                                       \
    {                                                                    \
        (void)state;                                                     \
        assert_int_equal(kernel_cases_wrong(list, RG_COUNT(list)), 0);   \
        assert_int_equal(kernel_cases_starved(list, RG_COUNT(list)), 0); \
    }
TEST(test_matmul, matmul)
TEST(test_integer, integer)
TEST(test_linear, linear)
TEST(test_gemm, gemm)
TEST(test_einsum, einsum)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul), cmocka_unit_test(test_integer), cmocka_unit_test(test_linear),
        cmocka_unit_test(test_gemm), cmocka_unit_test(test_einsum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
