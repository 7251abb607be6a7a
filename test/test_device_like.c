/* test_device_like.c - profiles that begin with another one's figures, power modes, and changed copies. */
#include "hw/hw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static bool near(double a, double b) { return fabs(a / b - 1) < 1e-9; }

/* A T4 with half the multiprocessors at the same clock, less memory bandwidth, a mode that halves it again.
 */
static const char half_t4[] =
    "{\"schema\": \"ridge.device/1\", \"like\": \"t4\", \"name\": \"Half a T4\", \"aliases\": [\"semi\"],"
    " \"engines\": {\"sm\": {\"count\": 20}},"
    " \"levels\": {\"gddr6\": {\"read_byte_per_s\": 160e9, \"source\": \"mine\"}},"
    " \"power\": {\"cap_w\": 40, \"modes\": [{\"name\": \"30W\", \"cap_w\": 30, \"unit_count\": 10,"
    "   \"clock_max_hz\": 795e6, \"memory_byte_per_s\": 80e9, \"aliases\": [\"semi low\"]}]},"
    " \"sources\": {\"mine\": {\"title\": \"a bench\"}}}";

static const rg_level *level(const rg_device *d, const char *name)
{
    for (size_t i = 0; i < d->level_count; i++)
        if (strcmp(d->levels[i].name, name) == 0) return &d->levels[i];
    fail_msg("%s has no level %s", d->id, name);
    return NULL;
}

static void what_is_not_stated_is_the_bases(void **state)
{
    const rg_device *d, *t4;
    assert_int_equal(rg_device_find(*state, "t4", &t4), RG_OK);
    rg_err err = rg_device_parse(*state, RG_LIT(half_t4), "half", &d);
    if (err) print_error("%s\n", rg_ctx_error(*state));
    assert_int_equal(err, RG_OK);
    assert_string_equal(d->id, "half");
    assert_string_equal(d->architecture, t4->architecture);
    assert_int_equal(d->alias_count, 1);
    assert_true(d->idle_w == t4->idle_w && d->cap_w == 40);
    assert_int_equal(d->source_count, t4->source_count + 1);
    assert_int_equal(d->peak_count, t4->peak_count);
    for (size_t i = 0; i < d->peak_count; i++) {
        assert_true(near(d->peaks[i].op_per_s, t4->peaks[i].op_per_s / 2));
        assert_true(d->peaks[i].at_clock_hz == t4->peaks[i].at_clock_hz);
    }
    assert_true(level(d, "gddr6")->read_byte_per_s == 160e9);
    assert_true(level(d, "gddr6")->capacity_byte == level(t4, "gddr6")->capacity_byte);
    assert_true(near(level(d, "shared")->read_byte_per_s, level(t4, "shared")->read_byte_per_s / 2));
    assert_true(level(d, "shared")->count == 20 && level(d, "gddr6")->sharers == 20);
    assert_true(d->hash != t4->hash);
    rg_device_free(d);
    rg_device_free(t4);
}

static void a_mode_changes_units_clock_memory_and_cap(void **state)
{
    const rg_device *d, *low, *none;
    assert_int_equal(rg_device_parse(*state, RG_LIT(half_t4), "half", &d), RG_OK);
    assert_int_equal(rg_device_in_mode(*state, d, "30w", &low), RG_OK);
    assert_string_equal(low->id, "half@30W");
    assert_true(low->cap_w == 30 && low->engines[0].count == 10 && low->engines[0].clock_max_hz == 795e6);
    assert_true(level(low, "gddr6")->read_byte_per_s == 80e9);
    double clock = 795e6 / d->engines[0].clock_max_hz;
    assert_true(near(low->peaks[0].op_per_s, d->peaks[0].op_per_s / 2 * clock));
    assert_true(near(level(low, "shared")->read_byte_per_s, level(d, "shared")->read_byte_per_s / 2 * clock));
    assert_int_equal(rg_device_check(*state, low), RG_OK);
    assert_int_equal(rg_device_in_mode(*state, d, "99W", &none), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(*state), "no such power mode; there are: 30W"));
    rg_device_free(d); /* the mode keeps what it needs */
    assert_string_equal(low->vendor, "NVIDIA");
    rg_device_free(low);
}

static void assert_refused(void **state, const char *json, const char *words)
{
    const rg_device *d;
    assert_int_not_equal(rg_device_parse(*state, rg_str_of(json), "x", &d), RG_OK);
    if (!strstr(rg_ctx_error(*state), words)) fail_msg("%s\ndoes not say: %s", rg_ctx_error(*state), words);
}

static void bad_bases_and_changes_are_named(void **state)
{
#define HEAD "{\"schema\": \"ridge.device/1\", \"aliases\": [], \"name\": \"x\", \"like\": "
    assert_refused(state, HEAD "\"h10\"}", "like: device 'h10' is not known; nearest: h100-");
    assert_refused(state, HEAD "\"t4\", \"levels\": {\"hbm\": {\"latency_s\": 1}}}",
                   "levels: 'hbm' is none of the 3 rows of the base");
    assert_refused(state, HEAD "\"t4\", \"levels\": {\"gddr6\": {\"latency_s\": -1}}}",
                   "levels.gddr6.latency_s: -1 is not above 0");
    assert_refused(state, HEAD "\"t4\", \"levels\": {\"gddr6\": 7}}", "levels.gddr6: expected an object");
    assert_refused(state, HEAD "\"t4\", \"engines\": [{\"id\": \"sm\"}]}", "engines[0].kind: is missing");
    assert_refused(state, HEAD "7}", "expected a text");
    assert_refused(state, "{\"schema\": \"ridge.device/1\", \"like\": \"t4\"}", "name: is missing");
    assert_refused(state, HEAD "\"t4\", \"power\": {\"cap_w\": 1}}", "power.cap_w: 1 is below idle_w");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_stated_is_the_bases, setup, teardown),
        cmocka_unit_test_setup_teardown(a_mode_changes_units_clock_memory_and_cap, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_bases_and_changes_are_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
