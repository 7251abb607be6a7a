/* test_plan_among.c - a part of something larger: what is read between two runs of it takes the caches. */
#include "machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MIB (1024.0 * 1024)

/* Of f16[64, 1024] times f16[1024, 4096] on an A100, whose L2 has 40 MiB: bytes that memory gives, where
 * so many others pass between two runs. */
static double from_memory(rg_ctx *cx, double beside_byte)
{
    static const char text[] = "ridge.graph/1 \"net\" opset 24\n"
                               "const %w = f16[1024,4096] none\n"
                               "graph (%x: f16[64,1024]) { %y = MatMul(%x, %w) return %y }";
    bench b = {.cx = cx};
    const rg_plan *plan = NULL;
    if (bench_known(&b, "a100", "tensorrt-llm", text, NULL, 0)) fail_msg("%s", rg_ctx_error(cx));
    if (rg_plan_among(cx, b.plan->facts, b.device, b.runtime, NULL, beside_byte, &plan))
        fail_msg("%s", rg_ctx_error(cx));
    assert_float_equal(plan->weight_byte, 8 * MIB, 0); /* its own alone: others are no part of its memory */
    double bytes = plan->rows[0].tiling.traffic_byte[plan->device->level_count - 1];
    rg_plan_free(plan);
    bench_free(&b);
    return bytes;
}

/* 8 MiB of weights and 0.6 MiB of activations: 31 MiB more fit, 32 do not. Activations stay, either way. */
static void others_push_weights_out(void **state)
{
    assert_float_equal(from_memory(*state, 0), 0, 0);
    assert_float_equal(from_memory(*state, 31 * MIB), 0, 0);
    assert_float_equal(from_memory(*state, 32 * MIB), 8 * MIB, 0);
    assert_float_equal(from_memory(*state, 1e15), 8 * MIB, 0);
}

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(others_push_weights_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
