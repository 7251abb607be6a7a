/* test_tile_library.c - products on matrix units by the tiles that a stack's library has, against what
 * AIConfigurator measured of TensorRT-LLM's.
 */
#include "machine.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "ridge.graph/1 \"net\" opset 24\n"

static const rg_row *product(bench *b, const char *device, int m, int n, int k)
{
    char text[512];
    snprintf(text, sizeof text,
             HEAD "const %%w = bf16[%d,%d] none\n"
                  "graph (%%x: bf16[%d,%d]) { %%y = MatMul(%%x, %%w) return %%y }", k, n, m, k);
    if (bench_known(b, device, "tensorrt-llm", text, NULL, 0)) fail_msg("%s", rg_ctx_error(b->cx));
    return &b->plan->rows[b->plan->row_count - 1];
}

/* Where more blocks than are resident wait, the last wave takes as long as the others, however few it has. */
static void the_last_wave_takes_as_long_as_the_others(void **state)
{
    int many = 0;
    for (int n = 1024; n <= 16384; n += 512) {
        bench b = {.cx = *state};
        const rg_row *row = product(&b, "a100-sxm-80gb", 1024, n, 1024);
        const rg_tiling *t = &row->tiling;
        double rows = ceil(1024 / t->tile[0]), columns = ceil(n / t->tile[1]), blocks = rows * columns;
        double resident = 108 * t->per_unit;
        double fill = 1024.0 * n / (rows * t->tile[0] * columns * t->tile[1]);
        if (t->split_k == 1 && blocks > resident) {
            assert_float_equal(t->utilization, fill * blocks / (resident * ceil(blocks / resident)), 1e-9);
            many++;
        }
        bench_free(&b);
    }
    assert_true(many > 10);
}

/* 1024 x 2560 x 8192 took an H100 57.6 us, 0.753 of 989 TFLOP/s. Tiles of 128 x 128, 256 x 128 and 192 x 192
 * fill 0.61, 0.61 and 0.54 of 132 SMs: it has others. */
static void tiles_of_many_widths_fill_the_machine(void **state)
{
    bench b = {.cx = *state};
    const rg_row *row = product(&b, "h100-sxm", 1024, 2560, 8192);
    if (row->tiling.utilization < 0.753)
        fail_msg("%g with %g x %g", row->tiling.utilization, row->tiling.tile[0], row->tiling.tile[1]);
    bench_free(&b);
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
        cmocka_unit_test_setup_teardown(the_last_wave_takes_as_long_as_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(tiles_of_many_widths_fill_the_machine, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
