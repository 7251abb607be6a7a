/* test_conformal.c - spreads and what they hold, by closed forms: order statistics of errors that are known.
 */
#include "learn/conformal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-12 * fmax(1, fabs(b)); }

/* 0.01, -0.02, 0.03, ..., in no order. */
enum { ROWS = 99 };
static void make_rows(rg_held *rows)
{
    for (int i = 0; i < ROWS; i++) {
        int k = (i * 37) % ROWS + 1; /* 37 and 99 have no common divisor */
        rows[i] = (rg_held){.group = (uint64_t)i, .error = (k % 2 ? 0.01 : -0.01) * k};
    }
}

static void a_spread_is_an_order_statistic(void **state)
{
    rg_held rows[ROWS];
    double spread;
    make_rows(rows);
    assert_int_equal(rg_conformal_spread(*state, rows, ROWS, &spread), RG_OK);
    assert_true(near(spread, 0.9)); /* ceil(0.9 x 100) = 90th */
    for (int i = 0; i < ROWS; i++) rows[i].error = i;
    assert_int_equal(rg_conformal_spread(*state, rows, 29, &spread), RG_OK);
    assert_true(near(spread, 26)); /* ceil(0.9 x 30) = 27th of 0, 1, ... */
    assert_int_equal(rg_conformal_spread(*state, rows, RG_CONFORMAL_LEAST - 1, &spread), RG_OK);
    assert_true(spread == 0);
}

/* Devices with errors of 1, 2, ... times a scale: their spreads are 63 scales each (of 69 rows), and of these
 * the largest of few, the ceil(0.9 x 20) = 18th of 19. */
static void devices_are_drawn_as_a_whole(void **state)
{
    enum { DEVICES = 19, EACH = 69, FEW = RG_CONFORMAL_DEVICE - 1 };
    static rg_held rows[DEVICES * EACH];
    double spread;
    for (int d = 0; d < DEVICES; d++)
        for (int i = 0; i < EACH; i++)
            rows[d * EACH + i] =
                (rg_held){.device = (uint32_t)d, .error = (i % 2 ? -1e-3 : 1e-3) * (i + 1) * (d + 1)};
    assert_int_equal(rg_conformal_device_spread(*state, rows, 4 * EACH, &spread), RG_OK);
    assert_true(near(spread, 63e-3 * 4));
    assert_int_equal(rg_conformal_device_spread(*state, rows, DEVICES * EACH, &spread), RG_OK);
    assert_true(near(spread, 63e-3 * 18));
    for (int i = 0; i < FEW; i++) rows[4 * EACH + i] = (rg_held){.device = 99, .error = 7};
    assert_int_equal(rg_conformal_device_spread(*state, rows, 4 * EACH + FEW, &spread), RG_OK);
    assert_true(near(spread, 63e-3 * 4)); /* too few rows are no device ... */
    assert_int_equal(rg_conformal_device_spread(*state, rows + 4 * EACH, FEW, &spread), RG_OK);
    assert_true(near(spread, 7)); /* ... but better than none */
    assert_int_equal(rg_conformal_device_spread(*state, rows, 0, &spread), RG_OK);
    assert_true(spread == 0);
}

static void scores_are_their_closed_forms(void **state)
{
    const rg_held rows[] = {{.error = 0}, {.error = log(2)}, {.error = -log(2)}, {.error = log(1.5)}};
    rg_held_score s;
    assert_int_equal(rg_held_score_of(*state, rows, 4, log(1.6), &s), RG_OK);
    assert_true(near(s.mean, (0 + 1 + 0.5 + 0.5) / 4)); /* twice, half and 1.5 times what was measured */
    assert_true(near(s.median, 0.5));
    assert_true(near(s.coverage, 0.5));
    assert_true(near(s.width, 1.6 - 1 / 1.6));
    assert_int_equal(rg_held_score_of(*state, rows, 4, 0, &s), RG_OK);
    assert_true(isnan(s.coverage) && isnan(s.width) && near(s.median, 0.5));
    assert_true(isnan(s.tau)); /* sizes were not told */
    assert_int_equal(rg_held_score_of(*state, rows, 0, 1, &s), RG_OK);
    assert_true(isnan(s.mean) && isnan(s.coverage));
}

/* Measured 1, e, e^2, e^3; forecast 1, 2 e, e^2 / 2, 1.5 e^3: of six pairs the middle one is the wrong way
 * round. */
static void tau_counts_pairs_that_are_held_out(void **state)
{
    const rg_held rows[] = {{.error = log(1.5), .size = 3}, {.error = log(2), .size = 1},
                            {.error = 0, .size = 0},        {.error = -log(2), .size = 2}};
    rg_held_score s;
    assert_int_equal(rg_held_score_of(*state, rows, 4, 0, &s), RG_OK);
    assert_true(near(s.tau, (5.0 - 1) / 6));
}

/* Rows of one group are alike: halves of groups cover 9 of 10 others, halves of rows would cover what they
 * know. */
static void halves_cover_each_other(void **state)
{
    enum { GROUPS = 2000, EACH = 5 };
    static rg_held rows[GROUPS * EACH];
    uint64_t random = 3;
    rg_held_score s;
    for (int g = 0; g < GROUPS; g++) {
        double error = 2 * rg_random_unit(&random) - 1;
        for (int i = 0; i < EACH; i++) rows[g * EACH + i] = (rg_held){.group = (uint64_t)g, .error = error};
    }
    assert_int_equal(rg_held_cross(*state, rows, GROUPS * EACH, &s), RG_OK);
    if (fabs(s.coverage - 0.9) > 0.02) fail_msg("halves hold %.4f of each other", s.coverage);
    assert_true(fabs(s.width - 2 * sinh(0.9)) < 0.05);
    assert_int_equal(rg_held_cross(*state, rows, RG_CONFORMAL_LEAST, &s), RG_OK);
    assert_true(isnan(s.coverage) && s.mean > 0); /* too few in either half */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spread_is_an_order_statistic), cmocka_unit_test(devices_are_drawn_as_a_whole),
        cmocka_unit_test(scores_are_their_closed_forms),
        cmocka_unit_test(tau_counts_pairs_that_are_held_out),
        cmocka_unit_test(halves_cover_each_other),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
