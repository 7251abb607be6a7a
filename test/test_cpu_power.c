/* test_cpu_power.c - the power of a processor from its load: ends of the law by hand, readings of a package
 * whose law is known, published design powers under the names that systems give, and that the kind of
 * measurement reads load and threads and nothing else.
 */
#include "learn/evaluate.h"
#include "predict/cpu_power.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-9 * fmax(1, fabs(b)); }

static const rg_cpu_package eight = {
    .idle_w = 20, .awake_w = 10, .core_w = 5, .cap_w = 1000, .cores = 8, .threads = 16, .slowest = 0.5,
    .slowest_voltage = 0.8, .own_fabric = true,
};

static double power(const rg_cpu_package *p, double threads, double busy)
{
    return rg_cpu_power_w(p, (rg_cpu_load){threads, busy});
}

static void ends_of_the_law(void **state)
{
    (void)state;
    assert_true(near(power(&eight, 0, 1), 20));
    assert_true(near(power(&eight, 16, 0), 20));
    assert_true(near(power(&eight, 1, 1), 20 + 10 + 5));
    assert_true(near(power(&eight, 8, 1), 20 + 10 + 40));
    assert_true(power(&eight, 16, 1) > 70 && power(&eight, 16, 1) < 70 + 40); /* a second thread adds less */
    assert_true(near(power(&eight, 99, 1), power(&eight, 16, 1)));
    /* a tenth of the time on eight cores: the lowest clock, where V^2 f is 0.5 x 0.8^2 of the highest's */
    assert_true(near(power(&eight, 8, 0.1), 20 + 10 * (1 - pow(0.9, 8)) + 5 * 0.32 * 8 * 0.1));
    /* 0.47 of the time: halfway to the highest clock, 0.75 of it at 0.9 of its voltage */
    assert_true(near(power(&eight, 8, 0.47), 20 + 10 * (1 - pow(0.53, 8)) + 5 * 0.75 * 0.81 * 8 * 0.47));
    /* two threads a core, begun together by eights: 1.52 cores have something to do, 0.08 for both threads */
    assert_true(near(power(&eight, 16, 0.1),
                     20 + 10 * (1 - pow(0.9, 8)) + 5 * 0.32 * (1.52 + 0.15 * 0.08)));
    rg_cpu_package capped = eight;
    capped.cap_w = 60;
    assert_true(near(power(&capped, 16, 1), 60));
}

static void rises_with_load(void **state)
{
    (void)state;
    for (int fabric = 0; fabric < 2; fabric++) {
        rg_cpu_package p = eight;
        p.own_fabric = fabric;
        for (int i = 0; i < 100; i++) {
            assert_true(power(&p, 16, i / 100.) <= power(&p, 16, (i + 1) / 100.));
            assert_true(i >= 16 || power(&p, i, 1) <= power(&p, i + 1, 1));
        }
    }
}

/* Another idle power: two readings, and every other power follows. Readings are met as well as they repeat,
 * and what they do not tell stays between what was known before and what would meet them alone. */
static void two_readings_settle_it(void **state)
{
    (void)state;
    rg_cpu_package truth = eight, fitted = eight;
    truth.idle_w = 31;
    rg_cpu_reading readings[] = {{{16, 1}, power(&truth, 16, 1)}, {{0, 0}, 31}};
    rg_cpu_package_fit(&fitted, readings, 2);
    for (int i = 0; i <= 16; i++)
        assert_true(fabs(power(&fitted, i, 0.7) / power(&truth, i, 0.7) - 1) < 0.01);
    truth.awake_w *= 1.7, truth.core_w *= 1.7, fitted = eight;
    readings[0].power_w = power(&truth, 16, 1);
    rg_cpu_package_fit(&fitted, readings, 2);
    assert_true(fabs(power(&fitted, 16, 1) / power(&truth, 16, 1) - 1) < 0.01);
    assert_true(fabs(power(&fitted, 0, 0) / 31 - 1) < 0.01);
    assert_true(fitted.awake_w > eight.awake_w && fitted.core_w > eight.core_w);
    rg_cpu_package capped = eight; /* what is measured at full load is then the cap */
    capped.cap_w = 50;
    rg_cpu_reading limits[] = {{{0, 0}, 25}, {{16, 1}, 45}};
    rg_cpu_package_fit(&capped, limits, 2);
    assert_true(near(power(&capped, 16, 1), 45) && fabs(power(&capped, 0, 0) / 25 - 1) < 0.01);
}

/* One reading of eight threads, 20 + 10 + 40 = 70 W, that is e^0.001 times that: to the first order a term of
 * share s and spread d moves by d^2 s / (sum of d^2 s^2 + 0.01^2) of it. */
static void a_reading_moves_terms_by_share_and_spread(void **state)
{
    (void)state;
    const double share[] = {20 / 70., 10 / 70., 40 / 70.}, spread[] = {0.3, 0.7, 0.3};
    rg_cpu_package fitted = eight;
    rg_cpu_reading reading = {{8, 1}, 70 * exp(0.001)};
    double variance = 0.01 * 0.01;
    for (int i = 0; i < 3; i++) variance += spread[i] * spread[i] * share[i] * share[i];
    rg_cpu_package_fit(&fitted, &reading, 1);
    const double had[] = {20, 10, 5}, has[] = {fitted.idle_w, fitted.awake_w, fitted.core_w};
    for (int i = 0; i < 3; i++) {
        double wanted = 0.001 * spread[i] * spread[i] * share[i] / variance;
        assert_true(fabs(log(has[i] / had[i]) - wanted) < 0.01 * wanted);
    }
    rg_cpu_package none = eight;
    rg_cpu_package_fit(&none, NULL, 0);
    assert_true(near(power(&none, 5, 0.3), power(&eight, 5, 0.3)));
}

static void names_find_their_power(void **state)
{
    static const struct { const char *name; double watts; } published[] = {
        {"AMD EPYC 8024P 8-Core Processor", 90},
        {"Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz", 69},
        {"AMD Ryzen Threadripper 1950X 16-Core Processor", 180},
        {"nobody's processor", 0},
        {"", 0},
    };
    double watts;
    for (size_t i = 0; i < RG_COUNT(published); i++) {
        assert_int_equal(rg_cpu_tdp(*state, rg_str_of(published[i].name), &watts), RG_OK);
        assert_true(near(watts, published[i].watts));
    }
    assert_int_equal(rg_cpu_node(*state, "ivy-bridge", &watts), RG_OK);
    assert_true(near(watts, 22)); /* as Intel states it */
    assert_int_equal(rg_cpu_node(*state, "abacus", &watts), RG_OK);
    assert_true(watts == 0);
}

/* Within idle and cap, whatever the profile; a GPU is none. */
static void profiles_make_packages(void **state)
{
    static const char *const ids[] = {"epyc-8024p", "threadripper-1950x", "i7-12700k", "raspberry-pi-5"};
    const rg_device *d = NULL;
    rg_cpu_package p;
    for (size_t i = 0; i < RG_COUNT(ids); i++) {
        assert_int_equal(rg_device_find(*state, ids[i], &d), RG_OK);
        assert_int_equal(rg_cpu_package_of(*state, d, &p), RG_OK);
        assert_true(near(power(&p, 0, 0), d->idle_w));
        assert_true(power(&p, p.threads, 1) > 1.2 * d->idle_w && power(&p, p.threads, 1) <= d->cap_w);
        rg_device_free(d);
    }
    assert_int_equal(rg_device_find(*state, "t4", &d), RG_OK);
    assert_int_equal(rg_cpu_package_of(*state, d, &p), RG_UNSUPPORTED);
    rg_device_free(d);
}

/* ---- the kind ---- */

static rg_evaluation *judged(rg_ctx *cx, const char *text, int probes, size_t *count)
{
    char path[] = "/tmp/ridge-cpu-power-XXXXXX";
    rg_evaluation *all = NULL;
    rg_evaluate_opt opt = {.size = sizeof opt, .probes = probes};
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    if (rg_evaluate_file(cx, path, &opt, &all, count)) fail_msg("%s", rg_ctx_error(cx));
    unlink(path);
    assert_int_equal(*count, 1);
    assert_string_equal(all[0].judge->name, "cpu_power");
    return all;
}

static void reads_load_only(void **state)
{
    static const char *const files[] = {
        "device,model,power_w,energy_j,latency_s,sm_mhz,extra\n"
        "AMD EPYC 8024P 8-Core Processor,stress all_cores,48,1000,30,2900,"
        "load_pct=50.0;cores_used=16;rapl_power_col=47;codecarbon_estimate_w=43;temp_c=60\n"
        "Intel Xeon E5-2620 v3,stress some_cores,48,1000,30,2900,load_pct=50;cores_used=12\n",
        "device,model,power_w,energy_j,latency_s,sm_mhz,extra\n"
        "AMD EPYC 8024P 8-Core Processor,stress all_cores,1,,,,load_pct=50.0;cores_used=16\n"
        "Intel Xeon E5-2620 v3,stress some_cores,1,,,,load_pct=50;cores_used=12\n",
    };
    double seen[2][2];
    for (int i = 0; i < 2; i++) {
        size_t count = 0;
        rg_evaluation *all = judged(*state, files[i], 0, &count);
        for (int k = 0; k < 2; k++) seen[i][k] = all[0].verdicts[k].forecast[0];
        rg_evaluation_free(all, count);
    }
    for (int k = 0; k < 2; k++) assert_true(seen[0][k] > 10 && seen[0][k] == seen[1][k]);
    assert_true(seen[0][1] < 85); /* 24 threads of a processor without a profile, rated 85 W */
}

/* Awake 12 W and 8 cores of 0.5 nF at 3 GHz and 0.98 V, 1.44 W: above idle 20.6, 22.1 and 25.2 W with 6, 7
 * and 16 threads, so that 7 are nearest to nine tenths of the most. The other reading is all threads at a
 * tenth. */
static void asks_for_a_tenth_and_nearly_all(void **state)
{
    static const char text[] =
        "device,model,power_w,energy_j,latency_s,sm_mhz,extra\n"
        "AMD EPYC 8024P 8-Core Processor,stress all_cores,18,,,,load_pct=0.5;cores_used=16\n"
        "AMD EPYC 8024P 8-Core Processor,stress all_cores,28,,,,load_pct=11;cores_used=16\n"
        "AMD EPYC 8024P 8-Core Processor,stress all_cores,45,,,,load_pct=50;cores_used=16\n"
        "AMD EPYC 8024P 8-Core Processor,stress all_cores,48,,,,load_pct=100;cores_used=16\n"
        "AMD EPYC 8024P 8-Core Processor,stress some_cores,18,,,,load_pct=0;cores_used=0\n"
        "AMD EPYC 8024P 8-Core Processor,stress some_cores,44,,,,load_pct=37.5;cores_used=6\n"
        "AMD EPYC 8024P 8-Core Processor,stress some_cores,46,,,,load_pct=43.8;cores_used=7\n"
        "AMD EPYC 8024P 8-Core Processor,stress some_cores,48,,,,load_pct=100;cores_used=16\n";
    size_t count = 0;
    rg_evaluation *all = judged(*state, text, 2, &count);
    assert_int_equal(all[0].count, 8);
    for (size_t i = 0; i < 8; i++) assert_int_equal(all[0].verdicts[i].probe, i == 1 || i == 6);
    rg_evaluation_free(all, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_of_the_law),
        cmocka_unit_test(rises_with_load),
        cmocka_unit_test(two_readings_settle_it),
        cmocka_unit_test(a_reading_moves_terms_by_share_and_spread),
        cmocka_unit_test_setup_teardown(names_find_their_power, setup, teardown),
        cmocka_unit_test_setup_teardown(profiles_make_packages, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_load_only, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_for_a_tenth_and_nearly_all, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
