/* test_range.c - sizes and clocks as people type them: values, doublings, steps, and what is none of them. */
#include "study/study.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int open_context(void **state)
{
    *state = rg_ctx_new(NULL);
    return *state ? 0 : 1;
}

static int close_context(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static rg_range range(rg_ctx *cx, const char *text)
{
    rg_range r;
    rg_err err = rg_range_read(cx, &cx->arena, "--batch", text, &r);
    if (err) fail_msg("%s: %s", text, rg_ctx_error(cx));
    return r;
}

static void what_it_stands_for(void **state)
{
    rg_ctx *cx = *state;
    static const struct { const char *text; size_t count; double values[12]; } rows[] = {
        {"8", 1, {8}},
        {"0.5", 1, {0.5}},
        {"1,3,2", 3, {1, 3, 2}},                      /* as asked: nobody sorts */
        {"4,4", 2, {4, 4}},
        {"1..8", 4, {1, 2, 4, 8}},                    /* doubling */
        {"1..10", 5, {1, 2, 4, 8, 10}},               /* the end is always there */
        {"3..3", 1, {3}},
        {"10..50:10", 5, {10, 20, 30, 40, 50}},       /* steps */
        {"10..45:10", 5, {10, 20, 30, 40, 45}},
        {"5..6:10", 2, {5, 6}},
        {"1,4..16,100..300:100", 7, {1, 4, 8, 16, 100, 200, 300}},
        {"1e3..3e3:1e3", 3, {1000, 2000, 3000}},
        {"1..2:0.1", 11, {1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2}},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_range r = range(cx, rows[i].text);
        if (r.count != rows[i].count) fail_msg("%s: %zu values", rows[i].text, r.count);
        for (size_t k = 0; k < r.count; k++)
            if (fabs(r.values[k] - rows[i].values[k]) > 1e-12) fail_msg("%s: value %zu", rows[i].text, k);
    }
}

static void nothing_was_asked(void **state)
{
    rg_ctx *cx = *state;
    rg_range r;
    assert_int_equal(rg_range_read(cx, &cx->arena, "--batch", NULL, &r), RG_OK);
    assert_int_equal(r.count, 0);
}

static void what_is_no_range(void **state)
{
    rg_ctx *cx = *state;
    static const char *const bad[] = {
        "", ",", "0", "-1", "x", "1,,2", "8..1", "0..8", "1..", "..8", "..", "1...8", "1..8:", "1..8:0",
        "1..8:-1", "1..8:x", "1:2", "1..8..16", " 1", "1 ", "inf", "1..inf", "nan", "1..8:nan", "1.2.3",
    };
    for (size_t i = 0; i < RG_COUNT(bad); i++) {
        rg_range r;
        if (rg_range_read(cx, &cx->arena, "--seq", bad[i], &r) != RG_USAGE) fail_msg("'%s' is taken", bad[i]);
        assert_non_null(strstr(rg_ctx_error(cx), "--seq: "));
        if (bad[i][0] && bad[i][0] != ',') assert_non_null(strstr(rg_ctx_error(cx), "1..256 (doubling)"));
    }
}

static void long_ones_have_a_limit(void **state)
{
    rg_ctx *cx = *state;
    char text[32];
    rg_range r;
    snprintf(text, sizeof text, "1..%d:1", RG_RANGE_MAX);
    assert_int_equal(range(cx, text).count, RG_RANGE_MAX);
    snprintf(text, sizeof text, "1..%d:1", RG_RANGE_MAX + 1);
    assert_int_equal(rg_range_read(cx, &cx->arena, "--batch", text, &r), RG_LIMIT);
    assert_int_equal(rg_range_read(cx, &cx->arena, "--batch", "1e300..2e300:1", &r),
                     RG_LIMIT); /* x + 1 = x */
    assert_int_equal(rg_range_read(cx, &cx->arena, "--batch", "1e-300..1e300:1e-300", &r), RG_LIMIT);
    assert_int_equal(range(cx, "1e-3..1e3").count, 21); /* 2^20 > 10^6 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_it_stands_for, open_context, close_context),
        cmocka_unit_test_setup_teardown(nothing_was_asked, open_context, close_context),
        cmocka_unit_test_setup_teardown(what_is_no_range, open_context, close_context),
        cmocka_unit_test_setup_teardown(long_ones_have_a_limit, open_context, close_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
