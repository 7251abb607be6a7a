/* test_meter_nvidia.c - NVIDIA's meters against stand-ins: libraries that are built here, with counters of
 * energy, without, and such that do not work; and a program called nvidia-smi.
 */
#include "meter_tree.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;
extern RG_METER(nvidia_smi);

/* Two devices of 100 W by a clock, the second one of which a driver may not support. */
static const char stand_in[] =
    "#include <time.h>\n"
    "#include <stdio.h>\n"
    "static int one, two;\n"
    "int nvmlInit_v2(void) { return START; }\n"
    "int nvmlShutdown(void) { return 0; }\n"
    "int nvmlDeviceGetCount_v2(unsigned *count) { return *count = 2, 0; }\n"
    "int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { return *d = i ? &two : &one, 0; }\n"
    "int nvmlDeviceGetName(void *d, char *name, unsigned size)\n"
    "{ return snprintf(name, size, d == &one ? \"T4\" : \"L4\"), 0; }\n"
    "#ifdef ENERGY\n"
    "int nvmlDeviceGetTotalEnergyConsumption(void *d, unsigned long long *mj) {\n"
    "    struct timespec t;\n"
    "    clock_gettime(CLOCK_MONOTONIC, &t);\n"
    "    *mj = (unsigned long long)(100e3 * ((double)t.tv_sec + (double)t.tv_nsec * 1e-9));\n"
    "    return d == &one ? ENERGY : 3;\n"
    "}\n"
    "#endif\n"
    "int nvmlDeviceGetPowerUsage(void *d, unsigned *mw) { return *mw = d == &one ? 61340 : 250, POWER; }\n";

static void run_program(char *const *argv)
{
    pid_t child;
    int status;
    if (posix_spawnp(&child, argv[0], NULL, NULL, argv, environ)) skip();
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void build(const char *root, const char *out, char *start, char *power, char *energy)
{
    char from[96], to[96];
    root_path(from, sizeof from, root, "/nvml.c");
    root_path(to, sizeof to, root, out);
    run_program((char *[]){"cc", "-shared", "-fPIC", from, "-o", to, start, power, energy, NULL});
}

static void nvidia_library(void **state)
{
    rg_ctx *cx = *state;
    rg_meters *counter, *power, *m;
    char root[32], library[4][96];
    static const char *const names[] = {"/energy.so", "/power.so", "/broken.so", "/silent.so"};
    make_root(root, NULL, 0);
    put(root, "/nvml.c", stand_in);
    build(root, names[0], "-DSTART=0", "-DPOWER=0", "-DENERGY=0");
    build(root, names[1], "-DSTART=0", "-DPOWER=0", NULL);
    build(root, names[2], "-DSTART=9", "-DPOWER=0", "-DENERGY=0");
    build(root, names[3], "-DSTART=0", "-DPOWER=15", "-DENERGY=3");
    for (size_t i = 0; i < RG_COUNT(names); i++) root_path(library[i], sizeof library[i], root, names[i]);
    rg_meter_opt opt = {.root = root, .subjects = RG_SUBJECT(GPU), .nvml = library[0]};
    assert_int_equal(rg_meters_open(cx, &opt, &counter), RG_OK);
    assert_string_equal(state_of(counter, "nvml").text, "T4"); /* the other one's counter is not supported */
    assert_true(near(rg_meters_window_s(counter), 1, 1e-9));
    expect_unusable(counter, "nvml_power", "not needed: nvml");
    opt.nvml = library[1];
    assert_int_equal(rg_meters_open(cx, &opt, &power), RG_OK);
    expect_unusable(power, "nvml", "no device says its energy: NVML's error 3");
    assert_string_equal(state_of(power, "nvml_power").text, "T4, L4");

    assert_int_equal(rg_meters_begin(cx, counter), RG_OK);
    assert_int_equal(rg_meters_begin(cx, power), RG_OK);
    wait_s(1.3);
    const rg_energy *e = rg_energy_best(ended(cx, counter));
    assert_true(e && e->provenance == RG_MEASURED && e->scope == RG_COVER_GPU);
    assert_true(fabs(e->watts - 100) < 1);
    assert_true(near(e->plus_minus_j, e->watts * 0.1 + 1e-3 + 0.05 * e->joules, 1e-9));
    e = rg_energy_best(ended(cx, power));
    assert_true(e && e->provenance == RG_SAMPLED && e->scope == RG_COVER_GPU);
    assert_true(near(e->watts, 61.34 + 0.25, 1e-9));
    assert_true(near(e->plus_minus_j, 2e-3 * e->seconds + 0.05 * e->joules, 1e-6)); /* it does not vary */
    rg_meters_close(counter);
    rg_meters_close(power);

    opt.nvml = library[2];
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    expect_unusable(m, "nvml", "does not start: error 9");
    expect_unusable(m, "nvml_power", "does not start: error 9");
    rg_meters_close(m);
    opt.nvml = library[3];
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    expect_unusable(m, "nvml_power", "no device says its power: NVML's error 15");
    rg_meters_close(m);
    opt.nvml = "/nowhere.so";
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    expect_unusable(m, "nvml", "no /nowhere.so");
    rg_meters_close(m);
    remove_root(root);
}

/* Which of its answers are figures. */
static void nvidia_program(void **state)
{
    static const struct { const char *script, *reason; int count; double first_w; } rows[] = {
        {"#!/bin/sh\n[ \"$1 $2\" = '--query-gpu=power.draw --format=csv,noheader,nounits' ] || exit 2\n"
         "printf '61.34\\n[N/A]\\n250.50\\n'", NULL, 2, 61.34},
        {"#!/bin/sh\necho '[N/A]'", "shows no device's power", 0, 0},
        {"#!/bin/sh\necho 'No devices were found'\nexit 6", "ends with an error", 0, 0},
    };
    rg_ctx *cx = *state;
    char root[32], bin[64], program[96], *before = strdup(getenv("PATH"));
    make_root(root, NULL, 0);
    root_path(bin, sizeof bin, root, "/bin");
    root_path(program, sizeof program, root, "/bin/nvidia-smi");
    setenv("PATH", bin, 1);
    rg_meter_opt opt = {.root = root};
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        double x[RG_CHANNEL_MAX];
        rg_gauge gauge = {.meter = &rg_meter_nvidia_smi};
        put(root, "/bin/nvidia-smi", rows[i].script);
        assert_int_equal(chmod(program, 0755), 0);
        rg_err err = gauge.meter->open(cx, &opt, &gauge);
        assert_int_equal(err, rows[i].reason ? RG_UNSUPPORTED : RG_OK);
        if (err) expect_reason(rg_ctx_error(cx), rows[i].reason);
        assert_int_equal(gauge.count, rows[i].count);
        if (!err) assert_true(gauge.meter->read(&gauge, x) && near(x[0], rows[i].first_w, 1e-9));
    }
    unlink(program);
    rg_gauge gauge = {.meter = &rg_meter_nvidia_smi};
    assert_int_equal(gauge.meter->open(cx, &opt, &gauge), RG_UNSUPPORTED);
    expect_reason(rg_ctx_error(cx), "No such file");
    setenv("PATH", before, 1);
    free(before);
    remove_root(root);
}

static int begin(void **state)
{
    *state = rg_ctx_new(NULL);
    return *state ? 0 : -1;
}

static int end(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nvidia_library), cmocka_unit_test(nvidia_program)};
    return cmocka_run_group_tests(tests, begin, end);
}
