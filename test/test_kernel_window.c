/* test_kernel_window.c - plain kernels of sliding windows, sampling and resizing, where a closed form says
 * more than ONNX's cases do: odd pads, windows over the end, ties, NaN, saturation, what indices from data
 * may do.
 */
#include "kernel_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const kernel_case conv[] = {
    {"Conv", "f32[1,1,3]=1,2,3 f32[1,1,2]=1,10", "auto_pad=\"SAME_LOWER\"", "f32[1,1,3]=10,21,32", RG_OK},
    {"Conv", "f32[1,1,3]=1,2,3 f32[1,1,2]=1,10", "auto_pad=\"SAME_UPPER\"", "f32[1,1,3]=21,32,3", RG_OK},
    {"Conv", "f32[1,1,4]=1,2,3,4 f32[1,1,2]=1,10 f32[1]=100", "dilations=[2] pads=2,0 strides=[2]",
     "f32[1,1,2]=110,131", RG_OK},
    {"Conv", "f64[1,2,1]=1,2 f64[2,1,1]=3,4", "group=2", "f64[1,2,1]=3,8", RG_OK},
    {"Conv", "f32[0,1,3]= f32[1,1,2]=1,1", NULL, "f32[0,1,2]=", RG_OK},
    {"Conv", "f32[1,1,1]=1 f32[1,1,1]=1", "strides=[3000000000]", "f32[1,1,1]", RG_LIMIT},
    {"CausalConvWithState", "f32[1,1,2]=1,2 f32[1,1,3]=1,10,100 f32[1]=1000 f32[1,1,2]=3,4", NULL,
     "f32[1,1,2]=1143,1214 f32[1,1,2]=1,2", RG_OK},
};

/* A padded pixel counts as the zero point. 1.5 * 2 - 0.5 = 2.5 rounds to 2. */
static const kernel_case quantized[] = {
    {"ConvInteger", "u8[1,1,2]=128,130 u8[1,1,2]=1,1 u8[]=128", "pads=1,1", "i32[1,1,3]=0,2,2", RG_OK},
    {"ConvInteger", "u8[1,1,1]=3 i8[2,1,1]=1,1 u8[]=1 i8[2]=0,2", NULL, "i32[1,2,1]=2,-2", RG_OK},
    {"QLinearConv", "u8[1,1,1]=10 f32[]=0.5 u8[]=4 i8[2,1,1]=1,127 f32[2]=0.5,4 i8[2]=0,0 f32[]=0.5 u8[]=7",
     NULL, "u8[1,2,1]=10,255", RG_OK},
    {"QLinearConv", "u8[1,1,1]=5 f32[]=0.5 u8[]=0 i8[1,1,1]=1 f32[]=1 i8[]=0 f32[]=1 u8[]=0 i32[1]=-10", NULL,
     "u8[1,1,1]=0", RG_OK},
    {"QLinearConv", "u8[1,1,1]=5 f32[]=0.5 u8[]=0 i8[1,1,1]=1 f32[3]=1,1,1 i8[]=0 f32[]=1 u8[]=0", NULL,
     "u8[1,1,1]", RG_SHAPE},
};

/* Whole: 1 2 13 20 30. One too much: behind with SAME_UPPER, in front otherwise. */
static const kernel_case transposed[] = {
    {"ConvTranspose", "f32[1,1,2]=1,10 f32[1,1,3]=1,2,3", "strides=[2]", "f32[1,1,5]=1,2,13,20,30", RG_OK},
    {"ConvTranspose", "f32[1,1,2]=1,10 f32[1,1,3]=1,2,3", "strides=[2] output_shape=[4]",
     "f32[1,1,4]=2,13,20,30", RG_OK},
    {"ConvTranspose", "f32[1,1,2]=1,10 f32[1,1,3]=1,2,3", "strides=[2] auto_pad=\"SAME_UPPER\"",
     "f32[1,1,4]=1,2,13,20", RG_OK},
    {"ConvTranspose", "f32[1,1,2]=1,10 f32[1,1,1]=1", "strides=[2] output_padding=[1]", "f32[1,1,4]=1,0,10,0",
     RG_OK},
    {"ConvTranspose", "f32[1,2,1]=1,10 f32[2,1,1]=2,3 f32[2]=100,200", "group=2", "f32[1,2,1]=102,230",
     RG_OK},
};

#define ROW "f32[1,1,1,2]=4,8 f32[1,1,1,1]=1 "
static const kernel_case deformed[] = {
    {"DeformConv", ROW "f32[1,2,1,2]=0,0,0.5,0.5", NULL, "f32[1,1,1,2]=6,4", RG_OK},
    {"DeformConv", ROW "f32[1,2,1,2]=0,0,9,nan f32[1]=1", NULL, "f32[1,1,1,2]=1,1", RG_OK},
    {"DeformConv", ROW "f32[1,2,1,2]=0,0,0,0 _ f32[1,1,1,2]=0.5,0", NULL, "f32[1,1,1,2]=2,0", RG_OK},
    {"DeformConv", ROW "f32[1,4,1,2]=0,0,0,0,0,0,0,0", NULL, "f32[1,1,1,2]", RG_SHAPE},
};

static const kernel_case pools[] = {
    {"MaxPool", "f32[1,1,4]=3,3,1,2", "kernel_shape=[2]", "f32[1,1,3]=3,3,2 i64[1,1,3]=0,1,3", RG_OK},
    {"MaxPool", "f32[1,1,2,3]=1,2,3,4,9,6", "kernel_shape=2,2 storage_order=1",
     "f32[1,1,1,2]=9,9 i64[1,1,1,2]=3,3", RG_OK},
    {"MaxPool", "f32[1,1,3]=1,nan,2", "kernel_shape=[2]", "f32[1,1,2]=nan,nan", RG_OK},
    {"MaxPool", "i8[1,1,2]=-5,-7", "kernel_shape=[2] pads=1,1", "i8[1,1,3]=-5,-5,-7", RG_OK},
    {"AveragePool", "f32[1,1,4]=1,2,3,4", "kernel_shape=[3] strides=[2] pads=1,1 ceil_mode=1",
     "f32[1,1,3]=1.5,3,4", RG_OK},
    {"AveragePool", "f32[1,1,4]=1,2,3,4",
     "kernel_shape=[3] strides=[2] pads=1,1 ceil_mode=1 count_include_pad=1", "f32[1,1,3]=1,3,2", RG_OK},
    {"AveragePool", "f32[1,1,4]=1,2,3,4", "kernel_shape=[2] dilations=[2]", "f32[1,1,2]=2,3", RG_OK},
    {"LpPool", "f32[1,1,2]=-3,4", "kernel_shape=[2]", "f32[1,1,1]=5", RG_OK},
    {"LpPool", "f32[1,1,2]=-3,4", "kernel_shape=[2] p=1", "f32[1,1,1]=7", RG_OK},
    {"GlobalLpPool", "f32[1,1,3]=3,4,5", "p=3", "f32[1,1,1]=6", RG_OK},
    {"GlobalMaxPool", "f16[1,2,2]=1,2,-3,-4", NULL, "f16[1,2,1]=2,-3", RG_OK},
    {"GlobalAveragePool", "f32[1,1,2,2]=1,2,3,6", NULL, "f32[1,1,1,1]=3", RG_OK},
    {"MaxUnpool", "f32[1,1,2]=5,6 i64[1,1,2]=1,2", "kernel_shape=[2] strides=[2]", "f32[1,1,4]=0,5,6,0",
     RG_OK},
    {"MaxUnpool", "f32[1,1,1,1]=5 i64[1,1,1,1]=2 i64[4]=1,1,3,3", "kernel_shape=2,2",
     "f32[1,1,3,3]=0,0,0,5,0,0,0,0,0", RG_OK},
    {"MaxUnpool", "f32[1,1,2]=5,6 i64[1,1,2]=1,4", "kernel_shape=[2] strides=[2]", "f32[1,1,4]", RG_INPUT},
    {"MaxUnpool", "f32[1,1,2]=5,6 i64[1,1,2]=1,-1", "kernel_shape=[2] strides=[2]", "f32[1,1,4]", RG_INPUT},
};

/* Half the size puts every place between two elements: 0.5 and 2.5. Antialiasing weighs 1 3 3 1 there. */
static const kernel_case resized[] = {
    {"Resize", "f32[4]=0,8,16,24 _ f32[1]=0.5", NULL, "f32[2]=0,16", RG_OK},
    {"Resize", "f32[4]=0,8,16,24 _ f32[1]=0.5", "nearest_mode=\"round_prefer_ceil\"", "f32[2]=8,24", RG_OK},
    {"Resize", "f32[4]=0,8,16,24 _ f32[1]=0.5", "nearest_mode=\"floor\"", "f32[2]=0,16", RG_OK},
    {"Resize", "f32[4]=0,8,16,24 _ f32[1]=0.5", "nearest_mode=\"ceil\"", "f32[2]=8,24", RG_OK},
    {"Resize", "f32[4]=0,8,16,24 _ f32[1]=0.5", "mode=\"linear\"", "f32[2]=4,20", RG_OK},
    {"Resize", "f32[4]=0,8,16,24 _ f32[1]=0.5", "mode=\"linear\" antialias=1", "f32[2]=5,19", RG_OK},
    {"Resize", "f32[4]=0,8,16,24 _ f32[1]=0.5", "mode=\"linear\" antialias=1 exclude_outside=1",
     "f32[2]=5.714285714285714,18.285714285714285", RG_OK},
    {"Resize", "f32[2]=0,6 _ _ i64[1]=4", "mode=\"linear\" coordinate_transformation_mode=\"align_corners\"",
     "f32[4]=0,2,4,6", RG_OK},
    {"Resize", "f32[2]=0,6 _ _ i64[1]=3", "mode=\"linear\" coordinate_transformation_mode=\"asymmetric\"",
     "f32[3]=0,4,6", RG_OK},
    {"Resize", "f32[3]=0,6,12 f32[2]=0.5,1.5 _ i64[1]=3",
     "mode=\"linear\" coordinate_transformation_mode=\"tf_crop_and_resize\" extrapolation_value=-1.0f",
     "f32[3]=6,12,-1", RG_OK},
    {"Resize", "i64[1]=9007199254740993 _ f32[1]=2", NULL, "i64[2]=9007199254740993,9007199254740993", RG_OK},
    {"Resize", "u8[2]=0,3 _ _ i64[1]=3", "mode=\"linear\" coordinate_transformation_mode=\"align_corners\"",
     "u8[3]=0,1,3", RG_OK},
    {"Resize", "bool[2]=0,1 _ f32[1]=2", NULL, "bool[4]=0,0,1,1", RG_OK},
    {"Resize", "f32[0]= _ _ i64[1]=2", NULL, "f32[2]", RG_SHAPE},
    {"Resize", "f32[2]=0,1 _ f32[1]=2", "mode=\"lanczos\"", "f32[4]", RG_FORMAT},
    {"Upsample", "f32[1,1,1,2]=1,2 f32[4]=1,1,2,1.5", NULL, "f32[1,1,2,3]=1,1,2,1,1,2", RG_OK},
};

static const kernel_case sampled[] = {
    {"GridSample", "f32[1,1,1,2]=4,8 f32[1,1,3,2]=-0.5,0,0,0,0.5,0", NULL, "f32[1,1,1,3]=4,6,8", RG_OK},
    {"GridSample", "f32[1,1,1,2]=4,8 f32[1,1,3,2]=-1,0,-2,0,nan,0", "mode=\"nearest\"",
     "f32[1,1,1,3]=4,0,0", RG_OK},
    {"GridSample", "f32[1,1,1,2]=4,8 f32[1,1,3,2]=-9,0,9,0,1e30,0", "padding_mode=\"border\"",
     "f32[1,1,1,3]=4,8,8", RG_OK},
    {"GridSample", "f32[1,1,1,2]=4,8 f32[1,1,2,2]=1.5,0,3.5,0", "padding_mode=\"reflection\"",
     "f32[1,1,1,2]=8,4", RG_OK},
    {"GridSample", "f32[1,1,1,1]=4 f32[1,1,1,2]=5,-7", "padding_mode=\"reflection\" align_corners=1",
     "f32[1,1,1,1]=4", RG_OK},
    {"GridSample", "i64[1,1,1]=9007199254740993 f32[1,1,1]=0", "mode=\"nearest\"",
     "i64[1,1,1]=9007199254740993", RG_OK},
    {"AffineGrid", "f32[1,2,3]=1,0,0,0,1,0 i64[4]=1,1,1,2", NULL, "f32[1,1,2,2]=-0.5,0,0.5,0", RG_OK},
    {"AffineGrid", "f32[1,2,3]=0,1,5,2,0,0 i64[4]=1,1,2,1", "align_corners=1", "f32[1,2,1,2]=4,0,6,0", RG_OK},
};

#define MAP "f32[1,1,4,4]=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 "
static const kernel_case regions[] = {
    {"MaxRoiPool", MAP "f32[1,5]=0,0,0,3,3", "pooled_shape=2,2", "f32[1,1,2,2]=5,7,13,15", RG_OK},
    {"MaxRoiPool", MAP "f32[1,5]=0,9,9,12,12", "pooled_shape=1,1", "f32[1,1,1,1]=0", RG_OK},
    {"MaxRoiPool", MAP "f32[1,5]=1,0,0,3,3", "pooled_shape=2,2", "f32[1,1,2,2]", RG_INPUT},
    {"RoiAlign", MAP "f32[1,4]=1,1,3,3 i64[1]=0", "sampling_ratio=2", "f32[1,1,1,1]=7.5", RG_OK},
    {"RoiAlign", MAP "f32[1,4]=0,0,4,4 i64[1]=-1", NULL, "f32[1,1,1,1]", RG_INPUT},
    {"RoiAlign", MAP "f32[1,4]=0,0,1e30,4 i64[1]=0", NULL, "f32[1,1,1,1]", RG_LIMIT},
};

#define TEST(name, list)                                                 \
    static void name(void **state)                                       \
    {                                                                    \
        (void)state;                                                     \
        assert_int_equal(kernel_cases_wrong(list, RG_COUNT(list)), 0);   \
        assert_int_equal(kernel_cases_starved(list, RG_COUNT(list)), 0); \
    }
TEST(test_conv, conv)
TEST(test_quantized, quantized)
TEST(test_transposed, transposed)
TEST(test_deformed, deformed)
TEST(test_pools, pools)
TEST(test_resized, resized)
TEST(test_sampled, sampled)
TEST(test_regions, regions)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv), cmocka_unit_test(test_quantized), cmocka_unit_test(test_transposed),
        cmocka_unit_test(test_deformed), cmocka_unit_test(test_pools), cmocka_unit_test(test_resized),
        cmocka_unit_test(test_sampled), cmocka_unit_test(test_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
