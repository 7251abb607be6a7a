/* test_native_cost.c - what the native stack costs on a processor: Winograd's algorithm by its closed form,
 * starts of sums, a core that works alone, copies of weights.
 */
#include "machine.h"
#include "map/winograd_row.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEAD "ridge.graph/1 \"net\" opset 20\n"
#define CONV(channels, each, side, attrs)                                                                  \
    HEAD "const %w = f32[" channels "," each ",3,3] none\n"                                                \
    "graph (%x: f32[1," channels "," side "," side "]) { %y = Conv(%x, %w) " attrs " return %y }"

static int setup(void **state)
{
    bench *b = calloc(1, sizeof *b);
    *state = b;
    return b && (b->cx = rg_ctx_new(NULL)) ? 0 : -1;
}

static int teardown(void **state)
{
    bench *b = *state;
    rg_ctx *cx = b->cx;
    bench_free(b);
    rg_ctx_free(cx);
    free(b);
    return 0;
}

/* On the round machine; change: of a copy of it, NULL: as it is. */
static const rg_row *row_of(bench *b, const char *text, void (*change)(rg_device *), int threads)
{
    rg_device *own = NULL;
    if (machine_device(b->cx, &machine_default, &b->device) || rg_device_clone(b->cx, b->device, &own))
        fail_msg("%s", rg_ctx_error(b->cx));
    if (change) change(own);
    rg_device_free(b->device);
    b->device = own;
    if (rg_runtime_find(b->cx, "native", b->device, &b->runtime) ||
        machine_forecast(b, text, NULL, threads, 0))
        fail_msg("%s", rg_ctx_error(b->cx));
    return &b->plan->rows[0];
}

static void assert_close(double got, double wanted)
{
    if (!(fabs(got - wanted) <= 1e-9 * fabs(wanted))) fail_msg("got %.17g, wanted %.17g", got, wanted);
}

/* F(4x4, 3x3) on 56 x 56: 14 x 14 tiles of 36 products for 16 results that have 9 each. */
static void winograd_by_its_counts(void **state)
{
    bench *b = *state;
    const rg_row *row = row_of(b, CONV("64", "64", "56", "pads=1,1,1,1"), NULL, 0);
    const double mac = 56.0 * 56 * 64 * 64 * 9, steps = 14.0 * 14 * (300 + 260) * 8;
    assert_int_equal(row->winograd.m, 4);
    assert_close(row->winograd.products, 36.0 / (16 * 9));
    assert_close(row->winograd.weights, 4);
    assert_close(row->winograd.steps, steps);
    assert_close(row->winograd.calls, 36 * 4); /* of 64 tiles each */
    const rg_limit *limits = b->forecast->rows[0].limits;
    double start = 1 + row->efficiency->start_k / 64, products_s = 2 * mac / 4 * start / 1e12;
    double clocks = steps * RG_WINOGRAD_STEP_CLOCKS + 36 * 4 * RG_WINOGRAD_CALL_CLOCKS;
    assert_close(limits[0].time_s,
                 products_s / row->efficiency->compute + clocks / 1e10 + 0.78 * limits[1].time_s);
    for (uint32_t i = 0; i < b->forecast->check_count; i++) assert_true(b->forecast->checks[i].pass);
}

/* 7 x 7: two tiles a side, the second of them half empty. */
static void tiles_are_filled_up(void **state)
{
    const rg_row *row = row_of(*state, CONV("256", "256", "7", "pads=1,1,1,1"), NULL, 0);
    double side = row->winograd.m == 4 ? 2 : 4, points = (row->winograd.m + 2) * (row->winograd.m + 2);
    assert_true(row->winograd.m > 0);
    assert_close(row->winograd.products, points * side * side / (9 * 49));
}

static void others_go_direct(void **state)
{
    static const char *const texts[] = {
        CONV("64", "64", "56", "pads=1,1,1,1 strides=2,2"),
        CONV("64", "64", "56", "pads=2,2,2,2 dilations=2,2"),
        CONV("64", "4", "56", "pads=1,1,1,1 group=16"), /* groups narrower than a block */
        HEAD "const %w = f32[64,64,1,1] none\ngraph (%x: f32[1,64,56,56]) { %y = Conv(%x, %w) return %y }",
    };
    bench *b = *state;
    for (size_t i = 0; i < RG_COUNT(texts); i++) {
        const rg_row *row = row_of(b, texts[i], NULL, 0);
        if (row->winograd.m || row->winograd.products != 1 || row->winograd.weights != 1)
            fail_msg("case %zu: F(%d)", i, row->winograd.m);
        bench_free(b);
    }
}

static void faster_alone(rg_device *d)
{
    d->peaks[0].alone_op_per_s = 1.5e11;
    d->levels[0].alone_read_byte_per_s = 3e10;
}

/* One core has 150 of 1000 Gop/s while the others rest, eight have all that there is; bytes likewise. */
static void cores_alone_are_faster(void **state)
{
    static const struct { int threads; double op_per_s, byte_per_s; } cases[] = {
        {1, 1.5e11, 3e10}, {2, 3e11, 6e10}, {8, 1e12, 1e11}, {10, 1e12, 1e11},
    };
    const char *text = HEAD "const %w = f32[4096,4096] none\n"
                            "graph (%x: f32[16,4096]) { %y = MatMul(%x, %w) return %y }";
    bench *b = *state;
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        const rg_row *row = row_of(b, text, faster_alone, cases[i].threads);
        assert_close(rg_row_rate(row, 1e9), cases[i].op_per_s);
        double time_s = row->tiling.traffic_byte[0] / (cases[i].byte_per_s * row->efficiency->memory);
        assert_close(b->forecast->rows[0].limits[1].time_s, time_s);
        bench_free(b);
    }
}

/* The file's, 7 of 8 decoded, and of the product packed once more: a table that is looked up is not. */
static void weights_are_kept_as_read(void **state)
{
    bench *b = *state;
    row_of(b, HEAD "const %t = f32[1000,64] none\nconst %w = f32[64,32] none\n"
           "graph (%i: i64[5]) { %x = Gather(%t, %i) %y = MatMul(%x, %w) return %y }", NULL, 0);
    const double table = 4 * 1000 * 64, weight = 4 * 64 * 32;
    assert_close(b->plan->copies_byte, 0.875 * (table + weight) + weight);
    rg_memory_item items[RG_MEMORY_ITEMS];
    double sum = 0;
    for (int i = 0, n = rg_plan_memory_items(b->plan, items); i < n; i++) sum += items[i].byte;
    assert_close(b->plan->peak_byte, sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(winograd_by_its_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(tiles_are_filled_up, setup, teardown),
        cmocka_unit_test_setup_teardown(others_go_direct, setup, teardown),
        cmocka_unit_test_setup_teardown(cores_alone_are_faster, setup, teardown),
        cmocka_unit_test_setup_teardown(weights_are_kept_as_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
