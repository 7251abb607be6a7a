/* test_meter.c - meters against trees of made-up /sys files as real machines have them, perf events through
 * pipes, and the window that `ridge bench` runs. Every expected figure is worked out here from what
 * was written into those files.
 */
#include "doc_json.h"
#include "measure/lane_energy.h"
#include "meter_tree.h"

#include <errno.h>

#define RAPL "/sys/class/powercap/"
#define HWMON "/sys/class/hwmon/"
#define IIO "/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/"
#define PERF "/sys/bus/event_source/devices/power/"

/* ---- RAPL by powercap ---- */

/* Two sockets of a server with memory, and the platform beside them. 2^32 steps of 61.03515625 uJ. */
static const file server[] = {
    {RAPL "intel-rapl/enabled", "1"},
    {RAPL "intel-rapl:0/name", "package-0"},
    {RAPL "intel-rapl:0/energy_uj", "100000000"},
    {RAPL "intel-rapl:0/max_energy_range_uj", "262144000000"},
    {RAPL "intel-rapl:0:0/name", "core"},
    {RAPL "intel-rapl:0:0/energy_uj", "50000000"},
    {RAPL "intel-rapl:0:0/max_energy_range_uj", "262144000000"},
    {RAPL "intel-rapl:0:1/name", "dram"},
    {RAPL "intel-rapl:0:1/energy_uj", "20000000"},
    {RAPL "intel-rapl:0:1/max_energy_range_uj", "65536000000"},
    {RAPL "intel-rapl:1/name", "package-1"},
    {RAPL "intel-rapl:1/energy_uj", "262143000000"},
    {RAPL "intel-rapl:1/max_energy_range_uj", "262144000000"},
    {RAPL "intel-rapl:2/name", "psys"},
    {RAPL "intel-rapl:2/energy_uj", "900000000"},
    {RAPL "intel-rapl:2/max_energy_range_uj", "262144000000"},
    {RAPL "intel-rapl-mmio:0/name", "package-0"},
    {RAPL "intel-rapl-mmio:0/energy_uj", "100000000"},
};

/* 3 J and 0.5 J more, and a package that began anew: 262144 - 262143 + 2 J. */
static void packages_and_memory(void **state)
{
    rg_ctx *cx = *state;
    char root[32];
    MAKE_ROOT(root, server);
    rg_meters *m = open_at(cx, root);
    rg_meter_state s = state_of(m, "powercap");
    assert_true(s.usable);
    assert_string_equal(s.text, "package-0, dram, package-1");
    assert_true(near(s.window_s, 0.01, 1e-9) && near(rg_meters_window_s(m), 0.01, 1e-9));
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.02);
    put(root, RAPL "intel-rapl:0/energy_uj", "103000000");
    put(root, RAPL "intel-rapl:0:0/energy_uj", "59000000");
    put(root, RAPL "intel-rapl:0:1/energy_uj", "20500000");
    put(root, RAPL "intel-rapl:1/energy_uj", "2000000");
    put(root, RAPL "intel-rapl:2/energy_uj", "999000000");
    const rg_energy *energies = ended(cx, m), *e = rg_energy_best(energies);
    assert_non_null(e);
    assert_string_equal(e->source, "powercap");
    assert_int_equal(e->provenance, RG_MEASURED);
    assert_int_equal(e->scope, RG_COVER_PACKAGE_DRAM);
    assert_true(near(e->joules, 3 + 0.5 + 3, 1e-9));
    assert_true(e->seconds >= 0.02 && e->seconds < 10);
    assert_true(near(e->watts, 6.5 / e->seconds, 1e-9));
    double steps_j = (262144. + 65536. + 262144.) / 4294967296.;
    assert_true(near(e->plus_minus_j, 6.5 / e->seconds * 1e-3 + steps_j, 1e-9));
    rg_meters_close(m);
    remove_root(root);
}

static void what_is_no_figure(void **state)
{
    rg_ctx *cx = *state;
    char root[32];
    MAKE_ROOT(root, server);
    rg_meters *m = open_at(cx, root);
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    put(root, RAPL "intel-rapl:0/energy_uj", "103000000");
    const rg_energy *e = of(ended(cx, m), "powercap");
    expect_reason(e->reason, "too short");
    assert_true(isnan(e->joules) && isnan(e->watts) && isnan(e->plus_minus_j));
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.011);
    expect_reason(of(ended(cx, m), "powercap")->reason, "stood still");
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.011);
    put(root, RAPL "intel-rapl:1/energy_uj", "");
    expect_reason(of(ended(cx, m), "powercap")->reason, "a reading failed");
    rg_meters_close(m);
    remove_root(root);
}

/* A range of 10 J goes round at 1 kW in 10 ms: after 11 ms nobody knows how often. */
static void a_window_of_many_turns(void **state)
{
    static const file files[] = {
        {RAPL "intel-rapl:0/name", "package-0"},
        {RAPL "intel-rapl:0/energy_uj", "1000000"},
        {RAPL "intel-rapl:0/max_energy_range_uj", "10000000"},
    };
    rg_ctx *cx = *state;
    char root[32];
    MAKE_ROOT(root, files);
    rg_meters *m = open_at(cx, root);
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.011);
    put(root, RAPL "intel-rapl:0/energy_uj", "2000000");
    expect_reason(of(ended(cx, m), "powercap")->reason, "too long");
    rg_meters_close(m);
    remove_root(root);
}

/* As since Linux 5.10 for everybody but root; the test may be root. */
static void not_for_everybody(void **state)
{
    rg_ctx *cx = *state;
    char root[32], path[96];
    uid_t me = geteuid();
    MAKE_ROOT(root, server);
    root_path(path, sizeof path, root, RAPL "intel-rapl:0/energy_uj");
    assert_int_equal(chmod(path, 0), 0);
    if (!me) assert_int_equal(seteuid(65534), 0);
    rg_meters *m = open_at(cx, root);
    if (!me) assert_int_equal(seteuid(me), 0);
    expect_unusable(m, "powercap", "intel-rapl:0/energy_uj (package-0): Permission denied");
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.011);
    const rg_energy *energies = ended(cx, m);
    assert_null(rg_energy_best(energies));
    assert_true(isnan(of((rg_energy *)energies, "powercap")->joules));
    rg_meters_close(m);
    remove_root(root);
}

/* AMD's processors in powercap have no dram; their hwmon driver is not asked then. */
static void amd_in_powercap(void **state)
{
    static const file files[] = {
        {RAPL "intel-rapl:0/name", "package-0"},
        {RAPL "intel-rapl:0/energy_uj", "5000000"},
        {RAPL "intel-rapl:0/max_energy_range_uj", "65532610987"},
        {RAPL "intel-rapl:0:0/name", "core"},
        {RAPL "intel-rapl:0:0/energy_uj", "1000000"},
        {HWMON "hwmon0/name", "amd_energy"},
        {HWMON "hwmon0/energy1_label", "Esocket0"},
        {HWMON "hwmon0/energy1_input", "5000000"},
    };
    rg_ctx *cx = *state;
    char root[32];
    MAKE_ROOT(root, files);
    rg_meters *m = open_at(cx, root);
    expect_unusable(m, "amd_energy", "not needed: powercap measures the same");
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.011);
    put(root, RAPL "intel-rapl:0/energy_uj", "6250000");
    const rg_energy *e = rg_energy_best(ended(cx, m));
    assert_non_null(e);
    assert_true(e->scope == RG_COVER_PACKAGE && near(e->joules, 1.25, 1e-9));
    rg_meters_close(m);
    remove_root(root);
}

/* ---- hwmon ---- */

/* Sockets are added up; cores are in them. A counter without a range does not go back. */
static void amd_energy(void **state)
{
    static const file files[] = {
        {HWMON "hwmon0/name", "k10temp"},
        {HWMON "hwmon1/name", "amd_energy"},
        {HWMON "hwmon1/energy1_label", "Ecore000"},
        {HWMON "hwmon1/energy1_input", "7000000"},
        {HWMON "hwmon1/energy2_label", "Esocket0"},
        {HWMON "hwmon1/energy2_input", "1000000000"},
        {HWMON "hwmon1/energy3_label", "Esocket1"},
        {HWMON "hwmon1/energy3_input", "2000000000"},
    };
    rg_ctx *cx = *state;
    char root[32];
    MAKE_ROOT(root, files);
    rg_meters *m = open_at(cx, root);
    expect_unusable(m, "powercap", "no package in /sys/class/powercap");
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.02);
    put(root, HWMON "hwmon1/energy1_input", "8000000");
    put(root, HWMON "hwmon1/energy2_input", "1000400000");
    put(root, HWMON "hwmon1/energy3_input", "2000600000");
    const rg_energy *e = rg_energy_best(ended(cx, m));
    assert_non_null(e);
    assert_string_equal(e->source, "amd_energy");
    assert_true(e->scope == RG_COVER_PACKAGE && near(e->joules, 1.0, 1e-9));
    assert_true(near(e->plus_minus_j, e->watts * 1e-3 + 2 * 125e-6, 1e-9));
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.011);
    put(root, HWMON "hwmon1/energy2_input", "1000300000");
    expect_reason(of(ended(cx, m), "amd_energy")->reason, "energy2_input went back by 0.1 J");
    rg_meters_close(m);
    remove_root(root);
}

static void meters_of_machines(void **state)
{
    static const file files[] = {
        {HWMON "hwmon0/name", "power_meter"}, {HWMON "hwmon0/power1_average", "213000000"},
        {HWMON "hwmon0/power1_average_interval", "500"},
        {HWMON "hwmon3/name", "amdgpu"}, {HWMON "hwmon3/power1_input", "31000000"},
        {HWMON "hwmon4/name", "nct6775"}, {HWMON "hwmon4/power1_input", "1"},
    };
    rg_ctx *cx = *state;
    char root[32];
    MAKE_ROOT(root, files);
    rg_meters *m = open_at(cx, root);
    assert_true(state_of(m, "power_meter").usable && near(state_of(m, "power_meter").window_s, 6, 1e-9));
    assert_string_equal(state_of(m, "power_meter").text, "power1_average");
    rg_meters_close(m);
    put(root, HWMON "hwmon0/name", "nct6775");
    m = open_at(cx, root);
    expect_unusable(m, "power_meter", "no power_meter among the chips");
    rg_meters_close(m);
    remove_root(root);
}

/* ---- supplies of boards ---- */

/* Orin NX: 5 V and 2 A come in, of which the others are fed. 40 uV over 5 mOhm are 8 mA, at 5 V 40 mW. */
static void one_input_rail(void **state)
{
    static const file files[] = {
        {HWMON "hwmon1/name", "ina3221"}, {HWMON "hwmon1/update_interval", "10"},
        {HWMON "hwmon1/in1_label", "VDD_IN"}, {HWMON "hwmon1/in1_input", "5000"},
        {HWMON "hwmon1/curr1_input", "2000"}, {HWMON "hwmon1/shunt1_resistor", "5000"},
        {HWMON "hwmon1/in2_label", "VDD_CPU_GPU_CV"}, {HWMON "hwmon1/in2_input", "5000"},
        {HWMON "hwmon1/curr2_input", "700"},
        {HWMON "hwmon1/in3_label", "VDD_SOC"}, {HWMON "hwmon1/in3_input", "5000"},
        {HWMON "hwmon1/curr3_input", "300"},
        {HWMON "hwmon1/in7_label", "sum of shunt voltages"},
    };
    rg_ctx *cx = *state;
    char root[32];
    MAKE_ROOT(root, files);
    rg_meters *m = open_at(cx, root);
    assert_string_equal(state_of(m, "ina").text, "VDD_IN");
    assert_true(near(rg_meters_window_s(m), 0.12, 1e-9));
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.16);
    const rg_energy *e = rg_energy_best(ended(cx, m));
    assert_non_null(e);
    assert_int_equal(e->provenance, RG_SAMPLED);
    assert_int_equal(e->scope, RG_COVER_BOARD);
    assert_true(near(e->watts, 10, 1e-9) && near(e->joules, 10 * e->seconds, 1e-9));
    assert_true(e->plus_minus_j >= 0.04 * e->seconds && e->plus_minus_j <= 0.13 * e->seconds);

    /* 10 W, then 20 W: the truth lies within what is said. */
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    double t0 = now_s();
    wait_s(0.14);
    double t1 = now_s();
    poke(root, HWMON "hwmon1/curr1_input", "4000");
    wait_s(0.14);
    double t2 = now_s();
    e = rg_energy_best(ended(cx, m));
    assert_non_null(e);
    assert_true(fabs(e->joules - (10 * (t1 - t0) + 20 * (t2 - t1))) < e->plus_minus_j);
    assert_true(e->plus_minus_j > 10 * 0.01 && e->plus_minus_j < e->joules);

    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    expect_reason(of(ended(cx, m), "ina")->reason, "too short");
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    assert_int_equal(rg_meters_begin(cx, m), RG_OK); /* anew */
    rg_meters_close(m);                              /* in the middle of a window */
    remove_root(root);
}

/* AGX Orin has no rail that feeds all: 20 V x 0.5 A + 20 V x 0.25 A + 5 V x 1 A. */
static void rails_added_up(void **state)
{
    static const file files[] = {
        {HWMON "hwmon3/name", "ina3221"}, {HWMON "hwmon3/update_interval", "1"},
        {HWMON "hwmon3/in1_label", "VDD_GPU_SOC"}, {HWMON "hwmon3/in1_input", "20000"},
        {HWMON "hwmon3/curr1_input", "500"},
        {HWMON "hwmon3/in2_label", "VDD_CPU_CV"}, {HWMON "hwmon3/in2_input", "20000"},
        {HWMON "hwmon3/curr2_input", "250"},
        {HWMON "hwmon3/in3_label", "VIN_SYS_5V0"}, {HWMON "hwmon3/in3_input", "5000"},
        {HWMON "hwmon3/curr3_input", "1000"},
        {HWMON "hwmon4/name", "ina3221"}, {HWMON "hwmon4/in1_label", "NC"},
        {HWMON "hwmon4/in2_label", "VDDQ_VDD2_1V8AO"}, {HWMON "hwmon4/in2_input", "4968"},
        {HWMON "hwmon4/curr2_input", "220"}, {HWMON "hwmon4/update_interval", "1"},
    };
    rg_ctx *cx = *state;
    char root[32];
    MAKE_ROOT(root, files);
    rg_meters *m = open_at(cx, root);
    assert_string_equal(state_of(m, "ina").text, "VDD_GPU_SOC, VDD_CPU_CV, VIN_SYS_5V0");
    assert_true(near(rg_meters_window_s(m), 0.12, 1e-9)); /* not faster than every 10 ms */
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.16);
    const rg_energy *e = rg_energy_best(ended(cx, m));
    assert_true(e && e->scope == RG_COVER_BOARD && near(e->watts, 20, 1e-9));
    rg_meters_close(m);

    put(root, HWMON "hwmon3/in1_label", "VDD_GPU"); /* no board that is known */
    m = open_at(cx, root);
    assert_string_equal(state_of(m, "ina").text, "VDD_CPU_CV");
    rg_meters_close(m);
    put(root, HWMON "hwmon3/in2_label", "VDD_SOC");
    m = open_at(cx, root);
    expect_unusable(m, "ina", "nobody knows what these rails feed: VDD_GPU VDD_SOC VIN_SYS_5V0");
    rg_meters_close(m);
    remove_root(root);
}

static void older_boards(void **state)
{
    static const file files[] = {
        {IIO "rail_name_0", "POM_5V_IN"}, {IIO "in_power0_input", "4123"},
        {IIO "rail_name_1", "POM_5V_GPU"}, {IIO "in_power1_input", "1000"},
        {IIO "rail_name_2", "POM_5V_CPU"}, {IIO "in_power2_input", "900"},
        {HWMON "hwmon0/name", "ina226"}, {HWMON "hwmon0/power1_input", "1500000"},
    };
    rg_ctx *cx = *state;
    char root[32];
    MAKE_ROOT(root, files);
    rg_meters *m = open_at(cx, root);
    expect_unusable(m, "ina", "nobody knows what these rails feed: ina226");
    assert_string_equal(state_of(m, "ina_iio").text, "POM_5V_IN");
    assert_true(near(state_of(m, "ina_iio").window_s, 1.2, 1e-9));
    rg_meters_close(m);
    put(root, HWMON "hwmon0/label", "CPU_12V");
    m = open_at(cx, root);
    assert_string_equal(state_of(m, "ina").text, "CPU_12V");
    expect_unusable(m, "ina_iio", "not needed: ina");
    rg_meters_close(m);
    remove_root(root);
}

/* ---- perf events ---- */

static const file events[] = {
    {PERF "type", "12"},
    {PERF "cpumask", "0,18-19"},
    {PERF "events/energy-pkg", "event=0x02"},
    {PERF "events/energy-pkg.scale", "2.3283064365386962890625e-10"},
    {PERF "events/energy-ram", "event=0x03"},
    {PERF "events/energy-ram.scale", "2.3283064365386962890625e-10"},
    {"/proc/sys/kernel/perf_event_paranoid", "2"},
};

/* A pipe with what will be read: 1 J at first, then 1 J and some 2^-32 J more by event and processor. */
static int counted(uint32_t type, uint64_t config, int cpu)
{
    uint64_t joule = UINT64_C(1) << 32;
    uint64_t counts[] = {joule, joule + (config == 2 ? joule : joule / 2) + (uint64_t)cpu};
    int ends[2];
    assert_int_equal(type, 12);
    assert_true((config == 2 || config == 3) && (cpu == 0 || cpu == 18 || cpu == 19));
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], counts, sizeof counts), sizeof counts);
    close(ends[1]);
    return ends[0];
}

static int counted_packages(uint32_t type, uint64_t config, int cpu)
{
    errno = EINVAL;
    return config == 2 || cpu == 0 ? counted(type, config, cpu) : -1;
}

static int denied(uint32_t type, uint64_t config, int cpu)
{
    (void)type, (void)config, (void)cpu;
    errno = EACCES;
    return -1;
}

static void perf_events(void **state)
{
    rg_ctx *cx = *state;
    rg_meters *m;
    char root[32];
    MAKE_ROOT(root, events);
    rg_meter_opt opt = {.root = root, .subjects = RG_SUBJECT(PROCESSOR), .perf_open = counted};
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.011);
    const rg_energy *e = rg_energy_best(ended(cx, m));
    assert_non_null(e);
    assert_string_equal(e->source, "perf");
    assert_int_equal(e->scope, RG_COVER_PACKAGE_DRAM);
    assert_true(near(e->joules, 3 * 1.5 + 2 * (18 + 19) * 0x1p-32, 1e-15));
    expect_unusable(m, "nvml", "not asked for");
    rg_meters_close(m);

    opt.perf_open = counted_packages;
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.011);
    e = rg_energy_best(ended(cx, m));
    assert_true(e && e->scope == RG_COVER_PACKAGE && near(e->joules, 3, 1e-6));
    rg_meters_close(m);

    opt.perf_open = denied;
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    expect_unusable(m, "perf",
                    "perf_event_paranoid is 2, 0 would do: energy-pkg of cpu 0: Permission denied");
    rg_meters_close(m);
    remove_root(root);
}

/* ---- no meter ---- */

static void nothing_there(void **state)
{
    rg_ctx *cx = *state;
    char root[32];
    rg_meters *m;
    rg_estimate power_w = {40, 30, 60};
    make_root(root, NULL, 0);
    rg_meter_opt opt = {.root = root, .nvml = "/nowhere.so",
                        .subjects = ~RG_SUBJECT(GPU)};
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    assert_true(rg_meters_window_s(m) == 0);
    for (int i = 0; i < rg_meter_count; i++) {
        assert_false(rg_meters_state(m, i).usable);
        assert_true(*rg_meters_state(m, i).text);
    }
    rg_meters_close(m);
    opt.power_w = &power_w;
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.002);
    const rg_energy *e = rg_energy_best(ended(cx, m));
    assert_true(e && e->provenance == RG_ESTIMATED && near(e->joules, 40 * e->seconds, 1e-12));
    assert_true(near(e->plus_minus_j, 20 * e->seconds, 1e-12));
    power_w = (rg_estimate){0};
    assert_int_equal(rg_meters_begin(cx, m), RG_OK);
    wait_s(0.002);
    assert_null(rg_energy_best(ended(cx, m)));
    rg_meters_close(m);
    rg_meters_close(NULL);
    remove_root(root);
}

typedef struct scarce { int left; } scarce;

static void *scarce_alloc(void *user, size_t size)
{
    scarce *s = user;
    return s->left-- > 0 ? malloc(size) : NULL;
}

static void scarce_free(void *user, void *block)
{
    (void)user;
    free(block);
}

/* Whichever allocation fails, it is an error and everything is closed. */
static void without_memory(void **state)
{
    char root[32];
    rg_err err = RG_NOMEM;
    (void)state;
    MAKE_ROOT(root, server);
    for (int n = 1; err == RG_NOMEM && n < 100; n++) {
        rg_meters *m = NULL;
        scarce s = {1000};
        rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){
            .size = sizeof(rg_ctx_opt), .alloc = scarce_alloc, .free = scarce_free, .user = &s});
        assert_non_null(cx);
        s.left = n - 1;
        rg_meter_opt opt = {.root = root, .subjects = RG_SUBJECT(PROCESSOR) | RG_SUBJECT(BOARD)};
        err = rg_meters_open(cx, &opt, &m);
        assert_true(err == RG_OK || (err == RG_NOMEM && !m));
        assert_true(err || state_of(m, "powercap").usable);
        rg_meters_close(m);
        rg_ctx_free(cx);
    }
    assert_int_equal(err, RG_OK);
    remove_root(root);
}

/* ---- estimated by load ---- */

static double watts_of(const rg_energy *energies, const char *source)
{
    for (int i = 0; i < rg_meter_count; i++)
        if (strcmp(energies[i].source, source) == 0) {
            if (energies[i].reason) fail_msg("%s", energies[i].reason);
            assert_int_equal(energies[i].provenance, RG_ESTIMATED);
            return energies[i].watts;
        }
    fail();
    return 0;
}

/* Without a counter of a processor: idle stays below busy, and busy processors cost no more once all are. */
static void by_load(void **state)
{
    rg_energy energies[32];
    char root[] = "/tmp/ridge-meter-XXXXXX";
    static const char *const stats[] = {
        "cpu  0 0 0 900000000\ncpu0 0 0 0 900000000", "cpu  0 0 0 900000009\ncpu0 0 0 0 900000009",
        "cpu  900000000 0 0 900000000\ncpu0 900000000 0 0 900000000",
    };
    double watts[2];
    rg_meters *m = NULL;
    rg_meter_opt opt = {.root = root, .subjects = RG_SUBJECT(PROCESSOR)};
    assert_true(rg_meter_count <= 32 && mkdtemp(root));
    put(root, "/proc/stat", stats[0]);
    put(root, "/proc/meminfo", "MemTotal:       16384000 kB");
    if (rg_meters_open(*state, &opt, &m)) fail_msg("%s", rg_ctx_error(*state));
    assert_true(rg_meters_window_s(m) == 0); /* nothing measures */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rg_meters_begin(*state, m), RG_OK);
        put(root, "/proc/stat", stats[i + 1]);
        usleep(2000);
        rg_meters_end(m, energies);
        watts[i] = watts_of(energies, "load");
    }
    assert_true(watts[0] > 0 && watts[1] > 1.5 * watts[0]);
    rg_meters_close(m);
    remove_root(root);
}

/* ---- of one inference ---- */

/* Half a joule a run. */
typedef struct burner { const char *root; uint64_t energy_uj; } burner;

static rg_err burn(rg_ctx *cx, void *user)
{
    burner *b = user;
    char text[32];
    (void)cx;
    snprintf(text, sizeof text, "%llu", (unsigned long long)(b->energy_uj += 500000));
    poke(b->root, RAPL "intel-rapl:0/energy_uj", text);
    usleep(5000);
    return RG_OK;
}

static rg_err rest(rg_ctx *cx, void *user)
{
    (void)cx, (void)user;
    usleep(5000);
    return RG_OK;
}

static double number(const rg_doc *doc, const char *path)
{
    double x = NAN;
    if (!rg_doc_number(doc, path, &x)) fail_msg("no %s", path);
    return x;
}

static void of_one_inference(void **state)
{
    rg_ctx *cx = *state;
    char root[32];
    rg_doc *doc;
    const char *text;
    rg_lane_energy taken;
    rg_estimate power_w = {40, 30, 60};
    MAKE_ROOT(root, server);
    burner b = {root, 100000000};
    rg_lane lane = {.run = burn, .user = &b};
    rg_meters *m;
    rg_meter_opt opt = {.root = root, .subjects = RG_SUBJECT(PROCESSOR) | RG_SUBJECT(MODEL),
                        .power_w = &power_w};
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    assert_int_equal(rg_lane_energy_take(cx, m, &lane, &taken), RG_OK);
    assert_null(taken.reason);
    assert_true(taken.runs > 10 && taken.window.seconds >= 0.5);
    assert_int_equal(rg_doc_new(cx, "test/1", &doc), RG_OK);
    rg_lane_energy_put(doc, rg_doc_root(doc), &taken, 0.005);
    assert_true(near(number(doc, "energy.value_j"), 0.5, 1e-9));
    assert_true(number(doc, "energy.plus_minus_j") > 0 && number(doc, "energy.plus_minus_j") < 0.005);
    assert_true(near(number(doc, "energy.power_w"), 0.5 * (double)taken.runs / taken.window.seconds, 1e-9));
    assert_true(rg_doc_string(doc, "energy.provenance", &text));
    assert_string_equal(text, "measured");
    rg_doc_free(doc);
    lane.run = rest;
    assert_int_equal(rg_lane_energy_take(cx, m, &lane, &taken), RG_OK);
    expect_reason(taken.reason, "powercap: its counters stood still for 0.5");
    assert_true(taken.window.provenance == RG_ESTIMATED && !taken.window.reason);
    rg_meters_close(m);

    /* Without a meter nothing is run; the estimate is of the median time. */
    lane.run = NULL;
    put(root, RAPL "intel-rapl:0/name", "core");
    put(root, RAPL "intel-rapl:1/name", "core");
    assert_int_equal(rg_meters_open(cx, &opt, &m), RG_OK);
    assert_int_equal(rg_lane_energy_take(cx, m, &lane, &taken), RG_OK);
    assert_string_equal(taken.reason, "no meter is usable");
    assert_int_equal(rg_doc_new(cx, "test/1", &doc), RG_OK);
    rg_lane_energy_put(doc, rg_doc_root(doc), &taken, 0.25);
    assert_true(near(number(doc, "energy.value_j"), 10, 1e-9));
    assert_true(near(number(doc, "energy.plus_minus_j"), 5, 1e-9));
    assert_true(near(number(doc, "energy.window_s"), 0.25, 1e-9));
    rg_doc_free(doc);
    rg_meters_close(m);
    remove_root(root);
}

/* Whatever machine this is: a figure and its provenance, or the reason. */
static void of_a_model(void **state)
{
    rg_ctx *cx = *state;
    rg_doc *doc;
    const char *model = "zoo:mlp", *text;
    rg_bench_opt opt = {.size = sizeof opt, .backends = "native", .turn_s = 1e-3, .turns = 2, .samples = 3};
    assert_int_equal(rg_bench_doc(cx, &model, 1, &opt, &doc), RG_OK);
    assert_true(number(doc, "results[0].energy.value_j") > 0);
    assert_true(number(doc, "results[0].energy.plus_minus_j") > 0);
    assert_true(rg_doc_string(doc, "results[0].energy.provenance", &text));
    assert_true(rg_doc_string(doc, "meters[0].text", &text) && *text);
    if (strcmp(text, "estimated") == 0) assert_true(rg_doc_string(doc, "results[0].energy_reason", &text));
    rg_doc_free(doc);
    opt.no_energy = true;
    assert_int_equal(rg_bench_doc(cx, &model, 1, &opt, &doc), RG_OK);
    assert_true(rg_doc_string(doc, "results[0].energy_reason", &text));
    assert_string_equal(text, "not asked for");
    assert_false(rg_doc_string(doc, "meters[0].text", &text));
    rg_doc_free(doc);
}

/* What `ridge doctor` says obeys its schema, and names every meter. */
static void doctor(void **state)
{
    rg_ctx *cx = *state;
    rg_doc *doc;
    assert_int_equal(rg_doctor_doc(cx, &doc), RG_OK);
    json_t *json = doc_json(cx, doc);
    json_obeys(json, "doctor");
    assert_int_equal(json_array_size(json_object_get(json, "meters")), rg_meter_count);
    json_decref(json);
    rg_doc_free(doc);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packages_and_memory), cmocka_unit_test(what_is_no_figure),
        cmocka_unit_test(a_window_of_many_turns), cmocka_unit_test(not_for_everybody),
        cmocka_unit_test(amd_in_powercap), cmocka_unit_test(amd_energy), cmocka_unit_test(meters_of_machines),
        cmocka_unit_test(one_input_rail), cmocka_unit_test(rails_added_up), cmocka_unit_test(older_boards),
        cmocka_unit_test(perf_events), cmocka_unit_test(nothing_there), cmocka_unit_test(without_memory),
        cmocka_unit_test(by_load),
        cmocka_unit_test(of_one_inference), cmocka_unit_test(of_a_model), cmocka_unit_test(doctor),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
