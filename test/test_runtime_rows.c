/* test_runtime_rows.c - what tells the stacks that ship apart in a plan: what they group, what they pad. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

#define HEAD "ridge.graph/1 \"net\" opset 20\n"

static void known(bench *b, const char *device, const char *runtime, const char *text)
{
    if (bench_known(b, device, runtime, text, NULL, 0)) fail_msg("%s", rg_ctx_error(b->cx));
    for (uint32_t i = 0; i < b->forecast->check_count; i++)
        if (!b->forecast->checks[i].pass) fail_msg("%s: %s", runtime, b->forecast->checks[i].text);
}

/* Convolution, batch normalization, residual and Relu. Eager runs four kernels; Inductor generates one for
 * what is point-wise; ONNX Runtime, TensorRT and OpenVINO have a convolution with all of it in its epilogue;
 * the residual has no place in that of TensorFlow Lite. */
static void a_residual_block_is_grouped_as_the_stack_does(void **state)
{
    static const char text[] =
        HEAD "const %w = f32[64,64,3,3] none\nconst %s = f32[64] none\nconst %b = f32[64] none\n"
        "const %m = f32[64] none\nconst %v = f32[64] none\n"
        "graph (%x: f32[1,64,56,56]) {\n"
        "  %c = Conv(%x, %w) pads=1,1,1,1  %n = BatchNormalization(%c, %s, %b, %m, %v)\n"
        "  %a = Add(%n, %x)  %y = Relu(%a)  return %y }";
    static const struct { const char *device, *runtime; uint32_t rows; } cases[] = {
        {"t4", "pytorch-eager", 4},   {"t4", "cuda-graph", 4},      {"t4", "pytorch-compile", 2},
        {"t4", "vllm", 2},            {"t4", "onnxruntime-cuda", 1}, {"t4", "tensorrt", 1},
        {"t4", "tensorrt-llm", 1},    {"epyc-9654", "onnxruntime-cpu", 1}, {"xeon-8480", "openvino", 1},
        {"epyc-9654", "tflite", 2},   {"epyc-9654", "native", 1},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        bench b = {.cx = *state};
        known(&b, cases[i].device, cases[i].runtime, text);
        if (b.plan->row_count != cases[i].rows)
            fail_msg("%s: %u rows, not %u", cases[i].runtime, b.plan->row_count, cases[i].rows);
        bench_free(&b);
    }
}

/* The scale of 8 bits takes three launches, rounding one, and what leaves the product is converted in it. */
static void a_scale_of_8_bits_is_three_launches(void **state)
{
    static const char text[] =
        HEAD "const %w = f8e4m3fn[4096,4096] none\n"
        "graph (%x: bf16[64,4096]) {\n"
        "  %m = ReduceMax(%x) keepdims=0  %s = Div(%x, %m)  %q = Cast(%s) to=17\n"
        "  %p = MatMul(%q, %w)  %y = Cast(%p) to=16  return %y }";
    bench b = {.cx = *state};
    known(&b, "h100-sxm", "tensorrt-llm", text);
    assert_int_equal(b.plan->row_count, 3);
    assert_float_equal(b.plan->rows[0].kernels, 3, 0);
    assert_float_equal(b.plan->rows[1].kernels, 1, 0);
    assert_float_equal(b.plan->rows[2].kernels, 1, 0);
    assert_true(b.plan->rows[0].tiling.blocks > 100); /* one result, in pieces of 1024 elements */
    bench_free(&b);
}

/* 3 channels of f16 fill 3 of 8, 4 in each group half of 8, 64 all; f32 has no matrix unit on a T4. What is
 * padded takes longer and is no work. */
static void channels_are_padded_on_matrix_units(void **state)
{
    static const struct { const char *text; double filled; } cases[] = {
        {HEAD "const %w = f16[64,3,7,7] none\n"
         "graph (%x: f16[32,3,224,224]) { %y = Conv(%x, %w) strides=2,2 return %y }", 3.0 / 8},
        {HEAD "const %w = f16[128,4,3,3] none\n"
         "graph (%x: f16[32,128,56,56]) { %y = Conv(%x, %w) group=32 return %y }", 4.0 / 8},
        {HEAD "const %w = f16[64,64,3,3] none\n"
         "graph (%x: f16[32,64,56,56]) { %y = Conv(%x, %w) return %y }", 1},
        {HEAD "const %w = f32[64,3,7,7] none\n"
         "graph (%x: f32[32,3,224,224]) { %y = Conv(%x, %w) return %y }", 1},
        {HEAD "const %w = f16[12,64] none\n"
         "graph (%x: f16[4096,12]) { %y = MatMul(%x, %w) return %y }", 12.0 / 16},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        bench b = {.cx = *state};
        known(&b, "t4", "tensorrt", cases[i].text);
        const rg_row *row = &b.plan->rows[0];
        if (fabs(row->filled - cases[i].filled) > 1e-12) fail_msg("case %zu: %g", i, row->filled);
        rg_row whole = *row;
        rg_row_cost cost;
        whole.filled = 1;
        rg_row_retile(b.plan, &whole);
        rg_price_row(b.plan, &whole, (rg_clocks){.core_hz = b.forecast->clock_hz}, &cost);
        assert_true(whole.tiling.utilization >= row->tiling.utilization);
        assert_true(cost.latency_s <= b.forecast->rows[0].latency_s);
        bench_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_scale_of_8_bits_is_three_launches, setup, teardown),
        cmocka_unit_test_setup_teardown(a_residual_block_is_grouped_as_the_stack_does, setup, teardown),
        cmocka_unit_test_setup_teardown(channels_are_padded_on_matrix_units, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
