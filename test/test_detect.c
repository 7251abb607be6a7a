/* test_detect.c - this machine as a device, and the pieces of
 * detection against a tree of made-up /proc and /sys files. */
#include "hw/detect.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif

/* A directory that stands for "/", its files remembered for removal. */
typedef struct tree { char root[32]; char files[16][160]; size_t count; } tree;

static void make_tree(tree *t)
{
    *t = (tree){.root = "/tmp/ridge-test-XXXXXX"};
    assert_non_null(mkdtemp(t->root));
}

static void add_bytes(tree *t, const char *path, const void *bytes, size_t size)
{
    char *full = t->files[t->count++];
    size_t at = strlen(t->root), length = strlen(path);
    assert_true(t->count <= RG_COUNT(t->files) && at + length < sizeof t->files[0]);
    memcpy(full, t->root, at);
    memcpy(full + at, path, length + 1);
    for (char *slash = full + strlen(t->root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        mkdir(full, 0700);
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void add_file(tree *t, const char *path, const char *text) { add_bytes(t, path, text, strlen(text)); }

/* Empty directories go with their last file. */
static void drop_tree(tree *t)
{
    while (t->count) {
        char *full = t->files[--t->count];
        assert_int_equal(unlink(full), 0);
        for (char *slash; (slash = strrchr(full, '/')) > full + 4;) {
            *slash = 0;
            if (rmdir(full)) break;
        }
    }
}

static rg_ctx *new_ctx(void)
{
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = RG_SOURCE_ROOT "/data"});
    assert_non_null(cx);
    return cx;
}

static void test_host(void **state)
{
    const rg_device *d;
    rg_ctx *cx = new_ctx();
    (void)state;
    if (rg_device_find(cx, "host", &d)) fail_msg("%s", rg_ctx_error(cx));
    assert_string_equal(rg_device_id(d), "host");
    assert_true(d->detected && d->kind == RG_DEVICE_CPU && d->refs == 1);
    assert_int_equal(rg_device_check(cx, d), RG_OK);
    double units = 0;
    for (size_t i = 0; i < d->engine_count; i++) {
        units += d->engines[i].count;
        assert_true(d->engines[i].threads >= 1 && d->engines[i].clock_max_hz > 5e8 &&
                    d->engines[i].clock_max_hz < 7e9);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    assert_true(units > 0 && units <= (double)online);
    const rg_level *memory = rg_device_memory(d);
    double installed = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    assert_true(fabs(memory->capacity_byte / installed - 1) < 0.01);
    assert_true(memory->usable_byte <= memory->capacity_byte && memory->usable_byte > 16e6);
    assert_non_null(rg_device_peak(d, 0, RG_VECTOR, RG_HW_F32));
    assert_true(d->cap_w > d->idle_w && d->pj_per_op[RG_HW_F32] > 0);
    rg_device_free(d);
    rg_ctx_free(cx);
}

static void test_host_is_the_same_twice(void **state)
{
    const rg_device *a, *b;
    rg_ctx *cx = new_ctx();
    tree t;
    (void)state;
    make_tree(&t); /* the real "cpu MHz" wanders on some machines */
    add_file(&t, "/proc/cpuinfo", "processor\t: 0\ncpu MHz\t\t: 2445.430\n");
    add_file(&t, "/proc/meminfo", "MemTotal:        1000000 kB\nMemFree: 5 kB\n");
    assert_int_equal(rg_device_detect_at(cx, t.root, &a), RG_OK);
    assert_int_equal(rg_device_detect_at(cx, t.root, &b), RG_OK);
    assert_true(a->hash == b->hash);
    assert_true(rg_device_memory(a)->capacity_byte == 1000000 * 1024.0);
    rg_device_free(a);
    rg_device_free(b);
    drop_tree(&t);
    make_tree(&t);
    assert_int_equal(rg_device_detect_at(cx, t.root, &a), RG_FAILED); /* no memory size to be read */
    assert_non_null(strstr(rg_ctx_error(cx), "host: the size of this machine's memory"));
    assert_int_equal(rmdir(t.root), 0);
    rg_ctx_free(cx);
}

static void test_limits_of_version_2(void **state)
{
    tree t;
    (void)state;
    make_tree(&t);
    add_file(&t, "/proc/self/cgroup", "0::/job/step\n");
    add_file(&t, "/sys/fs/cgroup/job/cpu.max", "150000 100000\n");
    add_file(&t, "/sys/fs/cgroup/job/step/cpu.max", "max 100000\n");
    add_file(&t, "/sys/fs/cgroup/job/step/memory.max", "4000000000\n");
    add_file(&t, "/sys/fs/cgroup/job/memory.max", "2000000000\n");
    rg_limit limit = rg_limit_read(t.root);
    assert_true(limit.cpus == 1.5);
    assert_true(limit.memory_byte == 2e9); /* the tightest on the way up */
    drop_tree(&t);
}

static void test_limits_of_version_1(void **state)
{
    tree t;
    (void)state;
    make_tree(&t);
    add_file(&t, "/proc/self/cgroup",
             "5:memory:/outside/of/the/container\n3:cpu,cpuacct:/\n1:name=systemd:/\n");
    add_file(&t, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    add_file(&t, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    add_file(&t, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
    rg_limit limit = rg_limit_read(t.root);
    assert_true(limit.cpus == 0.5 && limit.memory_byte == 1073741824.0);
    drop_tree(&t);
    make_tree(&t);
    add_file(&t, "/proc/self/cgroup", "5:memory:/\n3:cpu,cpuacct:/\n");
    add_file(&t, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    add_file(&t, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    limit = rg_limit_read(t.root);
    assert_true(limit.cpus == 0 && limit.memory_byte == 0); /* how version 1 says "none" */
    drop_tree(&t);
}

static void test_clocks(void **state)
{
    tree t;
    rg_cpu none = {0}, intel = {.base_hz = 2.1e9, .max_hz = 3.9e9};
    double steps[RG_CLOCK_STEP_MAX];
    (void)state;
    make_tree(&t);
    assert_string_equal(rg_clock_read(t.root, &none, 0).source, "estimated");
    assert_true(rg_clock_read(t.root, &intel, 0).max_hz == 3.9e9);
    assert_int_equal(rg_clock_steps(t.root, steps), 0);
    add_file(&t, "/proc/cpuinfo", "processor\t: 0\ncpu MHz\t\t: 2445.430\n");
    assert_true(rg_clock_read(t.root, &none, 0).base_hz == 2445.430 * 1e6);
    add_file(&t, "/sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq", "4900000\n");
    add_file(&t, "/sys/devices/system/cpu/cpu1/cpufreq/base_frequency", "3600000\n");
    rg_clock clock = rg_clock_read(t.root, &intel, 1);
    assert_true(clock.base_hz == 3.6e9 && clock.max_hz == 4.9e9);
    assert_string_equal(clock.source, "cpufreq");
    add_file(&t, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_available_frequencies",
             "3700000 2200000 2200000 1500000 \n");
    assert_int_equal(rg_clock_steps(t.root, steps), 3);
    assert_true(steps[0] == 1.5e9 && steps[2] == 3.7e9);
    drop_tree(&t);
}

/* SMBIOS 3.2, structure type 17: a module of 16 GB DDR4-3200 (running at 2933) on a 64 bit bus. */
enum { MODULE_SIZE = 0x28 };
static void put_module(unsigned char *at, unsigned size_mb, unsigned configured)
{
    memset(at, 0, MODULE_SIZE + 2);
    at[0] = 17;
    at[1] = MODULE_SIZE;
    at[0x0a] = 64;
    at[0x0c] = (unsigned char)(size_mb & 255);
    at[0x0d] = (unsigned char)(size_mb >> 8);
    at[0x12] = 0x1a;
    at[0x15] = 3200 & 255;
    at[0x16] = 3200 >> 8;
    at[0x20] = (unsigned char)(configured & 255);
    at[0x21] = (unsigned char)(configured >> 8);
}

static void test_memory_modules(void **state)
{
    enum { ENTRY = MODULE_SIZE + 2 };
    unsigned char table[3 * ENTRY];
    tree t;
    (void)state;
    put_module(table, 16384, 2933);
    put_module(table + ENTRY, 0, 0); /* an empty slot */
    put_module(table + 2 * ENTRY, 16384, 0);
    for (size_t size = 0; size <= sizeof table; size++) { /* cut anywhere, it ends */
        make_tree(&t);
        add_bytes(&t, "/sys/firmware/dmi/tables/DMI", table, size);
        rg_dram dram = rg_dram_read(t.root);
        double whole = size / ENTRY >= 3 ? 2933e6 * 8 + 3200e6 * 8 : size / ENTRY >= 1 ? 2933e6 * 8 : 0;
        assert_true(dram.byte_per_s == whole);
        if (size == sizeof table) assert_string_equal(dram.text,
                                                      "2 modules DDR4-3200, one a channel assumed");
        drop_tree(&t);
    }
}

static void test_power_and_graphics(void **state)
{
    char name[96];
    tree t;
    (void)state;
    make_tree(&t);
    assert_true(rg_rapl_cap_w(t.root) == 0);
    assert_false(rg_gpu_name(t.root, name, sizeof name));
    add_file(&t, "/sys/class/powercap/intel-rapl:0/constraint_0_power_limit_uw", "350000000\n");
    add_file(&t, "/sys/class/powercap/intel-rapl:1/constraint_0_power_limit_uw", "350000000\n");
    add_file(&t, "/proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t Tesla T4\nIRQ: 5\n");
    assert_true(rg_rapl_cap_w(t.root) == 700);
    assert_true(rg_gpu_name(t.root, name, sizeof name));
    assert_string_equal(name, "Tesla T4");
    drop_tree(&t);
}

/* What a core does in a clock, against the vendors' optimization guides. */
static void test_cores(void **state)
{
    static const struct { rg_cpu cpu; const char *type, *name; double fma_bit; } rows[] = {
        {{.vendor = "AuthenticAMD", .family = 25, .model = 1}, "", "zen3", 512},
        {{.vendor = "AuthenticAMD", .family = 25, .model = 17}, "", "zen4", 512},
        {{.vendor = "GenuineIntel", .family = 6, .model = 143}, "", "sapphire-rapids", 1024},
        {{.vendor = "GenuineIntel", .family = 6, .model = 151}, "IntelCore", "alder-lake", 512},
        {{.vendor = "GenuineIntel", .family = 6, .model = 151}, "IntelAtom", "gracemont", 256},
        {{.vendor = "0x41", .family = 0, .model = 0xd40}, "", "neoverse-v", 512},
        {{.vendor = "0x63", .family = 0, .model = 1}, "", "unknown", 0},
    };
    rg_ctx *cx = new_ctx();
    const rg_core_data *data;
    (void)state;
    if (rg_core_data_read(cx, &cx->arena, &data)) fail_msg("%s", rg_ctx_error(cx));
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const rg_core_row *row = rg_core_row_find(data, &rows[i].cpu, rows[i].type);
        assert_string_equal(row->name, rows[i].name);
        assert_true(row->fma_bit == rows[i].fma_bit);
    }
    rg_ctx_free(cx);
}

static void test_probes(void **state)
{
    static const char *const wanted[] = {"topology", "RAPL", "counters", "NVML", "compiler", "limits"};
    const rg_probe *probes;
    size_t count;
    rg_ctx *cx = new_ctx();
    (void)state;
    assert_int_equal(rg_hw_probes(cx, &probes, &count), RG_OK);
    for (size_t i = 0; i < count; i++) assert_true(probes[i].text && *probes[i].text && probes[i].name);
    for (size_t i = 0; i < RG_COUNT(wanted); i++) {
        bool found = false;
        for (size_t k = 0; k < count; k++) found |= strcmp(probes[k].name, wanted[i]) == 0;
        assert_true(found);
    }
    rg_ctx_free(cx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_host_is_the_same_twice),
        cmocka_unit_test(test_limits_of_version_2),
        cmocka_unit_test(test_limits_of_version_1),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_memory_modules),
        cmocka_unit_test(test_power_and_graphics),
        cmocka_unit_test(test_cores),
        cmocka_unit_test(test_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
