/* test_kernel_move.c - plain kernels that move elements, where numpy's rules say more than ONNX's cases do:
 * bounds at the ends of int64, margins wider than the axis, packed elements, repeated indices, indices that
 * lie outside.
 */
#include "kernel_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LEAST "-9223372036854775808"
#define MOST "9223372036854775807"

static const kernel_case slice[] = {
    {"Slice", "i32[5]=0,1,2,3,4 i64[1]=" LEAST " i64[1]=" MOST " i64[1]=0 i64[1]=3", NULL, "i32[2]=0,3",
     RG_OK},
    {"Slice", "i32[5]=0,1,2,3,4 i64[1]=" MOST " i64[1]=" LEAST " i64[1]=-1 i64[1]=-2", NULL, "i32[3]=4,2,0",
     RG_OK},
    {"Slice", "i32[5]=0,1,2,3,4 i64[1]=9 i64[1]=" LEAST " i64[1]=0 i64[1]=" LEAST, NULL, "i32[1]=4", RG_OK},
    {"Slice", "i32[5]=0,1,2,3,4 i32[1]=3 i32[1]=1", NULL, "i32[0]=", RG_OK},
    {"Slice", "i4[5]=-8,7,1,2,3 i64[1]=1 i64[1]=4", NULL, "i4[3]=7,1,2", RG_OK},
    {"Slice", "f32[2,0]= i64[1]=1 i64[1]=2", NULL, "f32[1,0]=", RG_OK},
    {"Slice", "i32[2,3]=0,1,2,3,4,5 i64[2]=-1,-1 i64[2]=-9,-9 i64[2]=1,0 i64[2]=-2,-1", NULL,
     "i32[2,2]=5,3,2,0", RG_OK},
    {"Slice", "i32[2]=0,1 i64[1]=0 i64[1]=1 i64[1]=0 i64[1]=0", NULL, "i32[1]", RG_SHAPE},
    {"Slice", "i32[2]=0,1 i64[1]=0 i64[1]=1 i64[1]=1", NULL, "i32[1]", RG_SHAPE},
};

static const kernel_case join[] = {
    {"Concat", "u4[3]=1,2,3 u4[2]=4,15", "axis=0", "u4[5]=1,2,3,4,15", RG_OK},
    {"Concat", "i32[2,1]=1,2 i32[2,0]= i32[2,2]=3,4,5,6", "axis=-1", "i32[2,3]=1,3,4,2,5,6", RG_OK},
    {"Split", "i32[5]=0,1,2,3,4 i64[3]=1,2,2", NULL, "i32[1]=0 _ i32[2]=3,4", RG_OK},
    {"Split", "i32[2,3]=0,1,2,3,4,5", "axis=-1 num_outputs=2", "i32[2,2]=0,1,3,4 i32[2,1]=2,5", RG_OK},
    {"Split", "i32[3]=0,1,2 i64[2]=0,3", NULL, "i32[0]= i32[3]=0,1,2", RG_OK},
    {"Split", "i32[3]=0,1,2 i64[2]=-1,4", NULL, "i32[0] i32[3]", RG_SHAPE},
    {"Transpose", "f32[]=7", NULL, "f32[]=7", RG_OK},
    {"Transpose", "u2[2,3]=0,1,2,3,2,1", NULL, "u2[3,2]=0,3,1,2,2,1", RG_OK},
    {"Expand", "f32[2,1]=1,2 i64[3]=2,1,2", NULL, "f32[2,2,2]=1,1,2,2,1,1,2,2", RG_OK},
    {"Expand", "f32[0,1]= i64[2]=1,3", NULL, "f32[0,3]=", RG_OK},
    {"Tile", "i32[2]=1,2 i64[1]=3", NULL, "i32[6]=1,2,1,2,1,2", RG_OK},
    {"Tile", "i32[2]=1,2 i64[1]=0", NULL, "i32[0]=", RG_OK},
    {"Tile", "i32[2]=1,2 i64[1]=-1", NULL, "i32[0]", RG_SHAPE},
    {"Shape", "f32[2,0,4]=", "start=-1 end=-9", "i64[0]=", RG_OK},
    {"Size", "f32[2,0,4]=", NULL, "i64[]=0", RG_OK},
};

/* np.pad of [0, 1, 2] by (5, 4): reflection has a period of 4. */
static const kernel_case pad[] = {
    {"Pad", "i32[3]=0,1,2 i64[2]=5,4", "mode=\"reflect\"", "i32[12]=1,0,1,2,1,0,1,2,1,0,1,2", RG_OK},
    {"Pad", "i32[3]=0,1,2 i64[2]=2,4", "mode=\"wrap\"", "i32[9]=1,2,0,1,2,0,1,2,0", RG_OK},
    {"Pad", "i32[3]=0,1,2 i64[2]=1,2", "mode=\"edge\"", "i32[6]=0,0,1,2,2,2", RG_OK},
    {"Pad", "i32[1]=7 i64[2]=2,1", "mode=\"reflect\"", "i32[4]=7,7,7,7", RG_OK},
    {"Pad", "i32[4]=0,1,2,3 i64[2]=-1,2", "mode=\"wrap\"", "i32[5]=1,2,3,1,2", RG_OK},
    {"Pad", "i32[4]=0,1,2,3 i64[2]=-1,-2", NULL, "i32[1]=1", RG_OK},
    {"Pad", "u64[2]=1,2 i64[2]=1,0 u64[]=18446744073709551615", NULL, "u64[3]=18446744073709551615,1,2",
     RG_OK},
    {"Pad", "i32[2,2]=1,2,3,4 i64[2]=1,0 i32[]=9 i64[1]=-1", NULL, "i32[2,3]=9,1,2,9,3,4", RG_OK},
    {"Pad", "i4[1]=-8 i64[2]=1,1 i4[]=7", NULL, "i4[3]=7,-8,7", RG_OK},
    {"Pad", "f32[0]= i64[2]=1,1", NULL, "f32[2]=0,0", RG_OK},
    {"Pad", "f32[0]= i64[2]=1,1", "mode=\"edge\"", "f32[2]", RG_SHAPE},
    {"Pad", "f32[1]=1 i64[2]=-2,5", NULL, "f32[4]", RG_SHAPE},
    {"CenterCropPad", "i32[5]=1,2,3,4,5 i64[1]=2", NULL, "i32[2]=2,3", RG_OK},
    {"CenterCropPad", "i32[5]=1,2,3,4,5 i64[1]=8", NULL, "i32[8]=0,1,2,3,4,5,0,0", RG_OK},
};

static const kernel_case gather[] = {
    {"Gather", "i32[3]=5,6,7 i64[2,1]=-1,0", NULL, "i32[2,1]=7,5", RG_OK},
    {"Gather", "i32[2,2]=1,2,3,4 i32[]=-2", "axis=1", "i32[2]=1,3", RG_OK},
    {"Gather", "i32[2,2]=1,2,3,4 i64[0]=", "axis=1", "i32[2,0]=", RG_OK},
    {"Gather", "i32[3]=5,6,7 i64[1]=3", NULL, "i32[1]", RG_SHAPE},
    {"Gather", "i32[3]=5,6,7 i64[1]=" LEAST, NULL, "i32[1]", RG_SHAPE},
    {"GatherElements", "i32[2,2]=1,2,3,4 i64[1,2]=-1,0", NULL, "i32[1,2]=3,2", RG_OK},
    {"GatherElements", "i32[2,2]=1,2,3,4 i64[1,3]=0,0,0", NULL, "i32[1,3]", RG_SHAPE},
    {"GatherElements", "i32[2,2]=1,2,3,4 i64[1,1]=2", NULL, "i32[1,1]", RG_SHAPE},
    {"GatherND", "f32[2]=5,6 i64[2,0]=", NULL, "f32[2,2]=5,6,5,6", RG_OK},
    {"GatherND", "f32[2,2]=1,2,3,4 i64[2,1]=-1,0", "batch_dims=1", "f32[2]=2,3", RG_OK},
    {"GatherND", "f32[2,2]=1,2,3,4 i64[1,2]=1,2", NULL, "f32[1]", RG_SHAPE},
};

/* Updates count in their order, and integers wrap. */
static const kernel_case scatter[] = {
    {"ScatterElements", "i32[3]=0,0,0 i64[3]=1,1,-1 i32[3]=5,6,7", NULL, "i32[3]=0,6,7", RG_OK},
    {"ScatterElements", "u8[1]=250 i64[2]=0,0 u8[2]=10,10", "reduction=\"add\"", "u8[1]=14", RG_OK},
    {"ScatterElements", "i64[1]=" MOST " i64[1]=0 i64[1]=2", "reduction=\"mul\"", "i64[1]=-2", RG_OK},
    {"ScatterElements", "u64[1]=18446744073709551615 i64[1]=0 u64[1]=1", "reduction=\"min\"", "u64[1]=1",
     RG_OK},
    {"ScatterElements", "u64[1]=1 i64[1]=0 u64[1]=18446744073709551615", "reduction=\"max\"",
     "u64[1]=18446744073709551615", RG_OK},
    {"ScatterElements", "f32[1]=1 i64[2]=0,0 f32[2]=nan,2", "reduction=\"max\"", "f32[1]=nan", RG_OK},
    {"ScatterElements", "f16[1]=2048 i64[1]=0 f16[1]=1", "reduction=\"add\"", "f16[1]=2048", RG_OK},
    {"ScatterElements", "i32[3]=0,0,0 i64[1]=3 i32[1]=5", NULL, "i32[3]", RG_SHAPE},
    {"ScatterElements", "i32[3]=0,0,0 i64[1]=0 i32[2]=5,6", NULL, "i32[3]", RG_SHAPE},
    {"ScatterND", "i32[2,2]=9,9,9,9 i64[3,1]=0,0,1 i32[3,2]=1,8,7,2,3,10", "reduction=\"min\"",
     "i32[2,2]=1,2,3,9", RG_OK},
    {"ScatterND", "i32[2]=1,2 i64[1,1]=2 i32[1]=5", NULL, "i32[2]", RG_SHAPE},
    {"TensorScatter", "i32[2,3,1]=1,2,3,4,5,6 i32[2,2,1]=7,8,9,10 i64[2]=2,7", "mode=\"circular\"",
     "i32[2,3,1]=8,2,7,4,9,10", RG_OK},
    {"TensorScatter", "i32[1,3,1]=1,2,3 i32[1,2,1]=7,8 i64[1]=2", NULL, "i32[1,3,1]", RG_SHAPE},
};

/* Two blocks of two overlap in one element; 2^53 + 1 is no double. */
static const kernel_case space[] = {
    {"Col2Im", "i64[1,2,2]=1,9007199254740992,1,5 i64[1]=3 i64[1]=2", NULL, "i64[1,1,3]=1,9007199254740993,5",
     RG_OK},
    {"Col2Im", "f32[1,2,2]=1,2,3,4 i64[1]=2 i64[1]=2", "pads=1,1 strides=[2]", "f32[1,1,2]=3,2", RG_OK},
    {"Col2Im", "f32[1,2,2]=1,2,3,4 i64[1]=4 i64[1]=2", "dilations=[2]", "f32[1,1,4]=1,2,3,4", RG_OK},
    {"Col2Im", "f32[1,2,3]=1,2,3,4,5,6 i64[1]=3 i64[1]=2", NULL, "f32[1,1,3]", RG_SHAPE},
    {"Col2Im", "f32[1,2,2]=1,2,3,4 i64[1]=3 i64[1]=2", "strides=[0]", "f32[1,1,3]", RG_SHAPE},
    {"DepthToSpace", "i32[1,4,1,1]=1,2,3,4", "blocksize=2", "i32[1,1,2,2]=1,2,3,4", RG_OK},
    {"DepthToSpace", "i32[1,8,1,1]=1,2,3,4,5,6,7,8", "blocksize=2 mode=\"CRD\"",
     "i32[1,2,2,2]=1,2,3,4,5,6,7,8", RG_OK},
    {"DepthToSpace", "i32[1,8,1,1]=1,2,3,4,5,6,7,8", "blocksize=2", "i32[1,2,2,2]=1,3,5,7,2,4,6,8", RG_OK},
    {"SpaceToDepth", "i32[1,2,2,2]=1,3,5,7,2,4,6,8", "blocksize=2", "i32[1,8,1,1]=1,2,3,4,5,6,7,8", RG_OK},
};

#define TEST(list) \
    static void test_##list(void **state) \
    { \
        (void)state; \
        assert_int_equal(kernel_cases_wrong(list, RG_COUNT(list)), 0); \
    }
TEST(slice)
TEST(join)
TEST(pad)
TEST(gather)
TEST(scatter)
TEST(space)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slice),  cmocka_unit_test(test_join),    cmocka_unit_test(test_pad),
        cmocka_unit_test(test_gather), cmocka_unit_test(test_scatter), cmocka_unit_test(test_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
