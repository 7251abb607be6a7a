/* test_tile_attention.c - attention on a GPU by closed forms: the scores that a causal mask leaves, heads
 * that share keys in one tile, keys split among blocks, and what a prompt and a token are bound by.
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

/* The row of an attention: the last one. */
static const rg_row *planned_on(bench *b, const char *device, const char *stack, int batch, int heads,
                                int kv_heads, int queries, int keys, const char *attrs)
{
    char text[512];
    snprintf(text, sizeof text,
             HEAD "graph (%%q: f16[%d,%d,%d,128], %%k: f16[%d,%d,%d,128], %%v: f16[%d,%d,%d,128], "
                  "%%n: i64[%d]) { %%y = Attention(%%q, %%k, %%v, _, _, _, %%n) %s return %%y }",
             batch, heads, queries, batch, kv_heads, keys, batch, kv_heads, keys, batch, attrs);
    if (bench_known(b, device, stack, text, NULL, 0)) fail_msg("%s", rg_ctx_error(b->cx));
    return &b->plan->rows[b->plan->row_count - 1];
}

static const rg_row *planned(bench *b, const char *stack, int batch, int heads, int kv_heads, int queries,
                             int keys, const char *attrs)
{
    return planned_on(b, "a100", stack, batch, heads, kv_heads, queries, keys, attrs);
}

static double time_of(const bench *b) { return b->forecast->rows[b->plan->row_count - 1].latency_s; }

/* n (n + 1) / 2 of n^2 scores stay; all are counted. */
static void a_causal_mask_halves_the_price_not_the_count(void **state)
{
    bench causal = {.cx = *state}, whole = {.cx = *state};
    const rg_row *half = planned(&causal, "vllm", 1, 32, 32, 8192, 8192, "is_causal=1");
    const rg_row *all = planned(&whole, "vllm", 1, 32, 32, 8192, 8192, "");
    assert_float_equal(half->work.mac, all->work.mac, 0.5);
    assert_float_equal(half->work.skipped, 1 - 8193.0 / (2 * 8192), 1e-12);
    assert_float_equal(all->work.skipped, 0, 0);
    assert_float_equal(time_of(&causal) / time_of(&whole), 0.52, 0.04);
    bench_free(&causal);
    bench_free(&whole);
}

/* 16 queries behind 48 keys: query i sees 49 + i of 64. */
static void keys_in_front_are_seen(void **state)
{
    bench b = {.cx = *state};
    const rg_row *row = planned(&b, "vllm", 1, 8, 8, 16, 64, "is_causal=1");
    assert_float_equal(row->work.skipped, 1 - (16 * 48 + 16 * 17 / 2) / (16.0 * 64), 1e-12);
    bench_free(&b);
}

/* 4 requests x 8 heads of keys are 32 blocks on 108 SMs: three pieces each. 4 heads fill 4 rows of 16. */
static void a_token_groups_heads_and_splits_keys(void **state)
{
    bench b = {.cx = *state};
    const rg_row *row = planned(&b, "vllm", 4, 32, 8, 1, 4096, "is_causal=1");
    assert_float_equal(row->tiling.tile[0], 16, 0);
    assert_float_equal(row->tiling.split_k, 3, 0);
    assert_float_equal(row->tiling.blocks, 96, 0);
    assert_float_equal(row->work.skipped, 0, 0);
    assert_int_equal(b.forecast->rows[b.plan->row_count - 1].bound, RG_BOUND_MEMORY);
    bench_free(&b);
}

/* 64 heads of one key head are one tile where the stack takes any number, 64 where it takes 32 at most. */
static void a_stack_limits_the_heads_of_a_tile(void **state)
{
    bench any = {.cx = *state}, few = {.cx = *state};
    assert_float_equal(planned(&any, "vllm", 256, 64, 1, 1, 512, "")->tiling.blocks, 256, 0);
    assert_float_equal(planned(&few, "tensorrt-llm", 256, 64, 1, 1, 512, "")->tiling.blocks, 256 * 64, 0);
    assert_true(time_of(&few) > 2 * time_of(&any));
    bench_free(&any);
    bench_free(&few);
}

/* r = 64 blocks of 128 queries; the diagonal's steps are half masked: (n + 1) / 2 of (r + 1) / 2 * 128 keys.
 */
static void a_prompt_fills_tiles_but_for_the_diagonal(void **state)
{
    bench b = {.cx = *state};
    const rg_row *row = planned(&b, "vllm", 2, 64, 8, 8192, 8192, "is_causal=1");
    double seen = (8192 + 1) / 2.0 / (65 / 2.0 * 128);
    assert_float_equal(row->tiling.tile[0], 128, 0);
    assert_float_equal(row->tiling.blocks, 2 * 64 * 64, 0);
    assert_true(row->tiling.utilization <= seen && row->tiling.utilization > 0.85 * seen);
    bench_free(&b);
}

/* One query or 16, of no earlier keys: a block of 64 rows for each head of each request. */
static void a_short_prompt_is_a_warp_groups_rows(void **state)
{
    for (int queries = 1; queries <= 16; queries += 15) {
        bench b = {.cx = *state};
        const rg_row *row = planned(&b, "vllm", 4, 32, 8, queries, queries, "is_causal=1");
        assert_float_equal(row->tiling.tile[0], 64, 0);
        assert_float_equal(row->tiling.blocks, 4 * 32, 0);
        bench_free(&b);
    }
}

/* Keys and values of 2 requests, 8 heads and 1024 tokens are 8 MiB, which an L2 of 40 MiB holds; but they are
 * of earlier steps, all but the token's own. A prompt's have just been written. */
static void caches_of_earlier_steps_come_from_memory(void **state)
{
    bench token = {.cx = *state}, prompt = {.cx = *state};
    const rg_row *row = planned(&token, "vllm", 2, 32, 8, 1, 1024, "is_causal=1");
    double keys = 2.0 * 8 * 1024 * 128 * 2 * 2;
    assert_int_equal(token.device->level_count, 3);
    assert_float_equal(row->tiling.traffic_byte[2], keys * 1023 / 1024, 16); /* or lengths */
    row = planned(&prompt, "vllm", 1, 32, 8, 256, 256, "is_causal=1");
    assert_float_equal(row->tiling.traffic_byte[2], 0, 0);
    bench_free(&token);
    bench_free(&prompt);
}

/* Of what is no product, the part that products do not hide: by the time of compute, less products. */
static double shown(void *cx, const char *device, double lanes_per_hz, int length)
{
    bench b = {.cx = cx};
    const rg_row *row = planned_on(&b, device, "tensorrt-llm", 32, 32, 32, length, length, "");
    double hz = b.forecast->clock_hz, products_s = 2 * row->work.mac / rg_row_rate(row, hz);
    double others = row->work.flop - 2 * row->work.mac + RG_SPECIAL_FLOP * row->work.special;
    double compute_s = b.forecast->rows[b.plan->row_count - 1].limits[0].time_s;
    double share = (compute_s * row->efficiency->compute - products_s) * lanes_per_hz * hz / others;
    bench_free(&b);
    return share;
}

/* FlashAttention-3, table 2: 512 FLOP a score take 512 / 661 ps with overlap and 512 / 570 ps without, so
 * that of the 0.26 ps of an exp 0.14 ps are shown: a third of the 0.41 ps that lanes take for a score. A
 * block's last step of 128 keys has no products left to hide behind. A100 has no copies that run by
 * themselves. */
static void asynchronous_products_hide_more_of_the_softmax(void **state)
{
    const double h100 = 132 * 256, a100 = 108 * 128, steady = (0.26 - (512. / 570 - 512. / 661)) / 0.41;
    assert_float_equal(shown(*state, "h100-sxm", h100, 16384), steady, 0.02);
    assert_float_equal(shown(*state, "h100-sxm", h100, 256), (steady + 1) / 2, 0.02);
    assert_float_equal(shown(*state, "h100-sxm", h100, 128), 1, 1e-3);
    assert_float_equal(shown(*state, "a100", a100, 16384), 0.5, 1e-3);
    assert_float_equal(shown(*state, "a100", a100, 128), 0.5, 1e-3);
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
        cmocka_unit_test_setup_teardown(a_causal_mask_halves_the_price_not_the_count, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_in_front_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(a_token_groups_heads_and_splits_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stack_limits_the_heads_of_a_tile, setup, teardown),
        cmocka_unit_test_setup_teardown(a_prompt_fills_tiles_but_for_the_diagonal, setup, teardown),
        cmocka_unit_test_setup_teardown(a_short_prompt_is_a_warp_groups_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(asynchronous_products_hide_more_of_the_softmax, setup, teardown),
        cmocka_unit_test_setup_teardown(caches_of_earlier_steps_come_from_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
