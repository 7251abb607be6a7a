/* test_quantity.c - limits as people type them: a number, a prefix, a unit. */
#include "base/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void what_it_stands_for(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    (void)state;
    static const struct { const char *text, *symbol; double value; } rows[] = {
        {"5ms", "s", 5e-3},         {"5 ms", "s", 5e-3},       {"5  ms", "s", 5e-3},   {"0.005", "s", 5e-3},
        {"1e-3", "s", 1e-3},        {"5e-3s", "s", 5e-3},      {"2.5E3 us", "s", 2.5e-3},
        {"7us", "s", 7e-6},         {"7µs", "s", 7e-6},        {"7ns", "s", 7e-9},     {"3s", "s", 3},
        {"16GB", "B", 16e9},        {"16 GiB", "B", 17179869184.}, {"1KiB", "B", 1024}, {"1kB", "B", 1000},
        {"1KB", "B", 1000},         {"2MiB", "B", 2097152},    {"3TiB", "B", 3298534883328.},
        {"1PB", "B", 1e15},         {"512", "B", 512},
        {"75 W", "W", 75},          {"0.3kW", "W", 300},       {"200mJ", "J", 0.2},    {"+5J", "J", 5},
        {"0", "s", 0},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        double x = NAN;
        rg_err err = rg_quantity_read(cx, rows[i].text, rows[i].symbol, &x);
        if (err) fail_msg("%s: %s", rows[i].text, rg_ctx_error(cx));
        if (fabs(x - rows[i].value) > 1e-12 * rows[i].value) fail_msg("%s: %g", rows[i].text, x);
    }
    rg_ctx_free(cx);
}

static void what_is_none(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    double x;
    (void)state;
    static const struct { const char *text, *symbol; } rows[] = {
        {"", "s"}, {"ms", "s"}, {"5W", "s"}, {"5ms", "W"}, {"5m", "s"}, {"16G", "B"}, {"-5ms", "s"},
        {"5ms ", "s"}, {" 5ms", "s"}, {"5msx", "s"}, {"5mms", "s"}, {"5S", "s"}, {"1.2.3s", "s"}, {"5e", "s"},
        {"5e-", "s"}, {"0x10", "s"}, {"inf", "s"}, {"nan", "s"}, {"1e400", "s"}, {"1e308 Ps", "s"},
        {"5,0ms", "s"}, {"16gB", "B"}, {"5Mis", "B"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        if (rg_quantity_read(cx, rows[i].text, rows[i].symbol, &x) != RG_USAGE)
            fail_msg("'%s' is taken for a quantity in %s", rows[i].text, rows[i].symbol);
        assert_non_null(strstr(rg_ctx_error(cx), rows[i].symbol));
    }
    rg_ctx_free(cx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_stands_for),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
