/* test_change.c - what-ifs: a figure by its path, and what follows from it, by closed form. */
#include "hw/hw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture { rg_ctx *cx; const rg_device *device, *out; } fixture;

static int setup(void **state)
{
    static fixture f;
    f = (fixture){.cx = rg_ctx_new(NULL)};
    *state = &f;
    return f.cx && rg_device_find(f.cx, "h100-sxm", &f.device) == RG_OK ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    rg_device_free(f->device);
    rg_device_free(f->out);
    rg_ctx_free(f->cx);
    return 0;
}

static const rg_device *changed(fixture *f, const char *change)
{
    rg_device_free(f->out);
    f->out = NULL;
    rg_err err = rg_device_change(f->cx, f->device, &change, 1, &f->out);
    if (err) fail_msg("%s", rg_ctx_error(f->cx));
    assert_true(f->out->hash != f->device->hash);
    assert_int_equal(rg_device_check(f->cx, f->out), RG_OK);
    return f->out;
}

static bool near(double a, double b) { return fabs(a / b - 1) < 1e-12; }

static void a_level_by_its_name(void **state)
{
    fixture *f = *state;
    const rg_level *hbm = &f->device->levels[2];
    assert_true(near(changed(f, "levels.hbm.read_byte_per_s=2x")->levels[2].read_byte_per_s,
                     2 * hbm->read_byte_per_s));
    assert_true(near(changed(f, "levels.hbm.read_byte_per_s=-20%")->levels[2].read_byte_per_s,
                     0.8 * hbm->read_byte_per_s));
    assert_true(changed(f, "levels.hbm.read_byte_per_s=4e12")->levels[2].read_byte_per_s == 4e12);
    assert_true(near(changed(f, "levels.l2.capacity_byte=2x")->levels[1].usable_byte,
                     2 * f->device->levels[1].usable_byte));
    assert_true(hbm->read_byte_per_s == 3.35e12); /* the profile itself stays */
}

static void units_and_clocks_take_their_peaks_with_them(void **state)
{
    fixture *f = *state;
    const rg_device *d = changed(f, "engines.sm.count=66");
    for (size_t i = 0; i < d->peak_count; i++)
        assert_true(near(d->peaks[i].op_per_s, f->device->peaks[i].op_per_s / 2));
    assert_true(near(d->levels[0].read_byte_per_s, f->device->levels[0].read_byte_per_s / 2));
    assert_true(d->levels[0].count == 66 && d->levels[1].sharers == 66);
    d = changed(f, "engines.sm.clock_max_hz=0.5x");
    for (size_t i = 0; i < d->peak_count; i++)
        assert_true(near(d->peaks[i].op_per_s, f->device->peaks[i].op_per_s / 2));
    assert_true(d->engines[0].clock_base_hz <= d->engines[0].clock_max_hz);
}

static void peaks_by_their_type(void **state)
{
    fixture *f = *state;
    const rg_device *d = changed(f, "peaks.f8.op_per_s=2x");
    for (size_t i = 0; i < d->peak_count; i++) {
        bool hit = d->peaks[i].dtype == RG_HW_F8;
        assert_true(near(d->peaks[i].op_per_clock, f->device->peaks[i].op_per_clock * (hit ? 2 : 1)));
        assert_true(near(d->peaks[i].op_per_s, f->device->peaks[i].op_per_s * (hit ? 2 : 1)));
    }
}

static void a_runtime_by_its_groups(void **state)
{
    fixture *f = *state;
    const rg_runtime *runtime, *out;
    const char *const changes[] = {"launch.launch_s=0", "efficiencies.conv.compute=0.5"};
    assert_int_equal(rg_runtime_find(f->cx, "tensorrt", NULL, &runtime), RG_OK);
    assert_int_equal(rg_runtime_change(f->cx, runtime, changes, 2, &out), RG_OK);
    assert_true(out->launch_s == 0 && runtime->launch_s > 0);
    assert_true(rg_runtime_efficiency(out, "conv", RG_DEVICE_GPU)->compute == 0.5);
    assert_true(rg_runtime_efficiency(runtime, "conv", RG_DEVICE_GPU)->compute != 0.5);
    rg_runtime_free(runtime);
    assert_string_equal(out->id, "tensorrt");
    rg_runtime_free(out);
}

static void a_wrong_change_says_what_there_is(void **state)
{
    static const struct { const char *change, *words; } cases[] = {
        {"hbm", "'hbm' is no change: PATH=VALUE"},
        {"level.hbm=2x", "'level' is no number that can be changed; there are: engines, peaks, levels"},
        {"levels.dram.read_byte_per_s=2x", "no row 'dram' in levels; there are: shared, l2, hbm"},
        {"levels.hbm.reed=2x", "'reed' is no number that can be changed; there are: sharers, count"},
        {"levels.hbm=2x", "levels.hbm: '' is no number that can be changed; there are: sharers, count"},
        {"levels=2x", "'levels' is no number"},
        {"name=2x", "'name' is no number"},
        {"energy.at_voltage_v=2x", "'at_voltage_v' is no number"},
        {"levels.hbm.read_byte_per_s=fast", "'fast' is no value: 2x, +10%, -20% or a number"},
        {"levels.hbm.read_byte_per_s=10%", "'10%' is no value"},
        {"levels.hbm.read_byte_per_s=", "'' is no value"},
        {"levels.hbm.read_byte_per_s=0", "0 is out of range"},
        {"levels.hbm.sustained_fraction=2", "2 is out of range"},
        {"peaks.f33.op_per_s=2x", "no row 'f33' in peaks; there are: types of peaks, such as f16"},
        {"power.cap_w=1", "power.cap_w: 1 is below idle_w 70"},
        {"=2x", "no number"}, {".=2x", "no number"}, {"levels..=1", "no row ''"},
    };
    fixture *f = *state;
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        assert_int_equal(rg_device_change(f->cx, f->device, &cases[i].change, 1, &f->out), RG_USAGE);
        assert_null(f->out);
        if (!strstr(rg_ctx_error(f->cx), cases[i].words))
            fail_msg("%s: '%s' does not say '%s'", cases[i].change, rg_ctx_error(f->cx), cases[i].words);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_level_by_its_name),
        TEST(units_and_clocks_take_their_peaks_with_them),
        TEST(peaks_by_their_type),
        TEST(a_runtime_by_its_groups),
        TEST(a_wrong_change_says_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
