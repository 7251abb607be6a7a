/* test_tile_lanes.c - products on a GPU's lanes by what NeuSight's measurements say of cuBLAS's kernels:
 * small tiles reach less, linear layers take the host longer, and small caches lose what weights push out.
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

static const rg_row *forecast_of(bench *b, const char *device, const char *text)
{
    if (bench_known(b, device, "pytorch-eager", text, NULL, 0)) fail_msg("%s", rg_ctx_error(b->cx));
    return &b->plan->rows[b->plan->row_count - 1];
}

static const rg_row *linear(bench *b, const char *device, int m, int n, int k)
{
    char text[512];
    snprintf(text, sizeof text,
             HEAD "const %%w = f32[%d,%d] none\nconst %%b = f32[%d] none\n"
                  "graph (%%x: f32[%d,%d]) { %%y = Gemm(%%x, %%w, %%b) transB=1 return %%y }", n, k, n, m, k);
    return forecast_of(b, device, text);
}

static const rg_row *batched(bench *b, const char *device, int batch, int m, int n, int k)
{
    char text[512];
    snprintf(text, sizeof text,
             HEAD "graph (%%x: f32[%d,%d,%d], %%z: f32[%d,%d,%d]) { %%y = MatMul(%%x, %%z) return %%y }",
             batch, m, k, batch, k, n);
    return forecast_of(b, device, text);
}

static const rg_row_cost *cost_of(const bench *b) { return &b->forecast->rows[b->plan->row_count - 1]; }

/* Medians of large linear layers on V100, of the peak, by results a thread, against that of the largest. */
static double measured_share(const rg_row *row)
{
    double results = row->tiling.tile[0] * row->tiling.tile[1];
    return (results >= 128 * 64   ? 0.86
            : results >= 128 * 32 ? 0.79
            : results >= 64 * 32  ? 0.69
                                  : 0.60) /
           0.86;
}

static void small_tiles_reach_less(void **state)
{
    static const int shapes[][2] = {{4096, 4096}, {128, 5120}, {32, 2560}, {96, 700}, {30, 90}};
    double most = 0, least = 1;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        bench b = {.cx = *state};
        int m = shapes[i][0], n = shapes[i][1];
        const rg_row *row = linear(&b, "v100-pcie-32gb", m, n, 200); /* too short to split */
        const rg_tiling *t = &row->tiling;
        double rows = ceil(m / t->tile[0]), columns = ceil(n / t->tile[1]), blocks = rows * columns;
        double fill = (double)m * n / (rows * t->tile[0] * columns * t->tile[1]);
        double reached = t->utilization / (fill * blocks / (80 * ceil(blocks / 80)));
        assert_float_equal(t->split_k, 1, 0);
        assert_float_equal(reached, measured_share(row), 0.05);
        most = fmax(most, reached), least = fmin(least, reached);
        bench_free(&b);
    }
    assert_true(most > 0.99 && least < 0.8);
}

/* Medians of the shortest, us: linear layers 55, 96, 56, 57 and 66, batched products 32, 53, 32, 35 and 48.
 */
static void a_linear_layer_takes_the_host_longer(void **state)
{
    bench layer = {.cx = *state}, product = {.cx = *state};
    linear(&layer, "a100-pcie-40gb", 16, 16, 16);
    batched(&product, "a100-pcie-40gb", 1, 16, 16, 16);
    double ratio = cost_of(&layer)->latency_s / cost_of(&product)->latency_s;
    assert_true(ratio > 66.2 / 48.4 && ratio < 95.8 / 53.5);
    assert_float_equal(cost_of(&layer)->host_s / cost_of(&product)->host_s, ratio, 1e-9);
    bench_free(&layer);
    bench_free(&product);
}

/* 4096 x 4096 weights are 32 times the cache of 2 MiB. By their times, layers of this kind draw 0.99 times
 * what blocks ask for, 1 / tm + 1 / tn of m n k, with tiles of 32 x 128, 2.25 times with 64 x 64. Weights of
 * a quarter of the cache, batches, and other architectures' kernels keep to it. */
static void weights_push_slabs_out_of_a_small_cache(void **state)
{
    bench large = {.cx = *state}, small = {.cx = *state}, pair = {.cx = *state}, volta = {.cx = *state};
    const rg_row *row = linear(&large, "p4", 8192, 4096, 4096);
    double asked = 4.0 * 8192 * 4096 * 4096 * (1 / row->tiling.tile[0] + 1 / row->tiling.tile[1]);
    assert_true(row->tiling.traffic_byte[2] > 0.99 * asked && row->tiling.traffic_byte[2] < 2.25 * asked);
    row = linear(&small, "p4", 65536, 256, 512);
    double once = 4.0 * (65536 * 512 + 256 * 512 + 65536 * 256); /* five times of this are asked for */
    assert_true(row->tiling.traffic_byte[2] >= once && row->tiling.traffic_byte[2] < 1.5 * once);
    row = batched(&pair, "p4", 1, 8192, 4096, 4096);
    assert_true(row->tiling.traffic_byte[2] < asked / 2);
    row = linear(&volta, "v100-pcie-32gb", 8192, 4096, 4096);
    assert_true(row->tiling.traffic_byte[2] < asked / 2);
    bench_free(&large);
    bench_free(&small);
    bench_free(&pair);
    bench_free(&volta);
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
        cmocka_unit_test_setup_teardown(small_tiles_reach_less, setup, teardown),
        cmocka_unit_test_setup_teardown(a_linear_layer_takes_the_host_longer, setup, teardown),
        cmocka_unit_test_setup_teardown(weights_push_slabs_out_of_a_small_cache, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
