/* test_plan_among.c - a part of something larger: what is read between two runs of it takes the caches. */
#include "machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MIB (1024.0 * 1024)

/* Of f16[64, 1024] times f16[1024, 4096]: bytes that memory gives, where so many others pass between two
 * runs. */
static double from_memory(rg_ctx *cx, const char *device, double beside_byte)
{
    static const char text[] = "ridge.graph/1 \"net\" opset 24\n"
                               "const %w = f16[1024,4096] none\n"
                               "graph (%x: f16[64,1024]) { %y = MatMul(%x, %w) return %y }";
    bench b = {.cx = cx};
    const rg_plan *plan = NULL;
    if (bench_known(&b, device, "tensorrt-llm", text, NULL, 0)) fail_msg("%s", rg_ctx_error(cx));
    if (rg_plan_among(cx, b.plan->facts, b.device, b.runtime, NULL, beside_byte, &plan))
        fail_msg("%s", rg_ctx_error(cx));
    assert_float_equal(plan->weight_byte, 8 * MIB, 0); /* its own alone: others are no part of its memory */
    double bytes = plan->rows[0].tiling.traffic_byte[plan->device->level_count - 1];
    rg_plan_free(plan);
    bench_free(&b);
    return bytes;
}

/* 8 MiB of weights and 5/8 MiB of activations in the 96 MiB of an L40S: what fills them stays, half of what
 * is a twentieth more, nothing of what is a tenth more. Activations stay, either way. */
static void others_push_weights_out(void **state)
{
    const double own = 8.625 * MIB, cache = 96 * MIB;
    assert_float_equal(from_memory(*state, "l40s", 0), 0, 0);
    assert_float_equal(from_memory(*state, "l40s", cache - own), 0, 0);
    assert_float_equal(from_memory(*state, "l40s", 1.05 * cache - own), 4 * MIB, 1);
    assert_float_equal(from_memory(*state, "l40s", 1.11 * cache - own), 8 * MIB, 0);
    assert_float_equal(from_memory(*state, "l40s", 1e15), 8 * MIB, 0);
}

/* The L2 of an A100 has 40 MiB in two parts: half of what is read is in both, so that 26.7 MiB fit. */
static void parts_keep_the_same(void **state)
{
    assert_float_equal(from_memory(*state, "a100", 17 * MIB), 0, 0);
    assert_float_equal(from_memory(*state, "a100", 21 * MIB), 8 * MIB, 0);
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
        cmocka_unit_test_setup_teardown(parts_keep_the_same, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
