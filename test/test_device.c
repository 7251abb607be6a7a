/* test_device.c - device profiles: published figures,
 * the rules that catch wrong ones, and what a bad file is told. */
#include "hw/hw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif

static int setup(void **state)
{
    *state = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = RG_SOURCE_ROOT "/data"});
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value / expected - 1) <= tolerance)) fail_msg("%g is not within %g of %g", value, tolerance,
                                                             expected);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' does not say '%s'", text, part);
}

/* Data sheets of NVIDIA, AMD and Intel (dense), the documentation of Google Cloud TPU, AWS Neuron and Gaudi:
 * engine units, peak of a type with wide sums, bandwidth and size of main memory. */
static const struct {
    const char *id;
    double units;
    rg_unit_kind unit;
    rg_hw_dtype dtype;
    double op_per_s, byte_per_s, memory_gb;
} published[] = {
    {"h100-sxm",       132, RG_MATRIX, RG_HW_BF16, 989.4e12, 3.35e12,  80},
    {"h100-pcie",      114, RG_MATRIX, RG_HW_F16,  756e12,   2.0e12,   80},
    {"h100-nvl",       132, RG_MATRIX, RG_HW_F16,  835e12,   3.9e12,   94},
    {"a100-sxm-80gb",  108, RG_MATRIX, RG_HW_BF16, 312e12,   2.039e12, 80},
    {"a100-sxm-80gb",  108, RG_MATRIX, RG_HW_TF32, 156e12,   2.039e12, 80},
    {"a100-pcie-40gb", 108, RG_VECTOR, RG_HW_F32,  19.5e12,  1.555e12, 40},
    {"v100-pcie-32gb", 80,  RG_MATRIX, RG_HW_F16,  112e12,   0.9e12,   32},
    {"t4",             40,  RG_MATRIX, RG_HW_F16,  65e12,    0.32e12,  16},
    {"t4",             40,  RG_MATRIX, RG_HW_I8,   130e12,   0.32e12,  16},
    {"l4",             58,  RG_MATRIX, RG_HW_F16,  121e12,   0.3e12,   24},
    {"h200-sxm",             132, RG_MATRIX, RG_HW_BF16, 989.4e12, 4.8e12,    141},
    {"h200-nvl",             132, RG_MATRIX, RG_HW_F16,  835.5e12, 4.8e12,    141},
    {"gh200-96gb",           132, RG_MATRIX, RG_HW_F8,   1979e12,  4e12,      96},
    {"b200",                 148, RG_MATRIX, RG_HW_BF16, 2250e12,  7.7e12,    180},
    {"gb200",                148, RG_MATRIX, RG_HW_F8,   5000e12,  8e12,      186},
    {"l40",                  142, RG_MATRIX, RG_HW_F16,  181e12,   0.864e12,  48},
    {"l40s",                 142, RG_MATRIX, RG_HW_F8,   733e12,   0.864e12,  48},
    {"a10",                  72,  RG_MATRIX, RG_HW_F16,  125e12,   0.6e12,    24},
    {"a30",                  56,  RG_MATRIX, RG_HW_F16,  165e12,   0.933e12,  24},
    {"a40",                  84,  RG_MATRIX, RG_HW_F16,  149.7e12, 0.696e12,  48},
    {"rtx-a6000",            84,  RG_VECTOR, RG_HW_F32,  38.7e12,  0.768e12,  48},
    {"rtx-6000-ada",         142, RG_VECTOR, RG_HW_F32,  91.1e12,  0.96e12,   48},
    {"rtx-pro-6000",         188, RG_VECTOR, RG_HW_F32,  125e12,   1.792e12,  96},
    {"quadro-rtx-6000",      72,  RG_MATRIX, RG_HW_F16,  130.5e12, 0.672e12,  24},
    {"rtx-2080-ti",          68,  RG_MATRIX, RG_HW_F16,  53.8e12,  0.616e12,  11},
    {"rtx-3090",             82,  RG_MATRIX, RG_HW_F16,  71e12,    0.936e12,  24},
    {"rtx-4090",             128, RG_MATRIX, RG_HW_F16,  165.2e12, 1.008e12,  24},
    {"rtx-5090",             170, RG_MATRIX, RG_HW_F16,  209.5e12, 1.792e12,  32},
    {"p100-pcie-16gb",       56,  RG_VECTOR, RG_HW_F16,  18.7e12,  0.732e12,  16},
    {"p4",                   20,  RG_VECTOR, RG_HW_I8,   22e12,    0.192e12,  8},
    {"v100-sxm2-16gb",       80,  RG_MATRIX, RG_HW_F16,  125e12,   0.9e12,    16},
    {"jetson-agx-orin-64gb", 16,  RG_MATRIX, RG_HW_I8,   85e12,    0.2048e12, 64},
    {"jetson-thor",          20,  RG_MATRIX, RG_HW_F8,   517e12,   0.273e12,  128},
    {"mi100",                120, RG_MATRIX, RG_HW_F16,  184.6e12, 1.2288e12, 32},
    {"mi210",                104, RG_MATRIX, RG_HW_F16,  181e12,   1.6384e12, 64},
    {"mi250x",               220, RG_MATRIX, RG_HW_F16,  383e12,   3.2768e12, 128},
    {"mi300a",               228, RG_MATRIX, RG_HW_F16,  980.6e12, 5.3e12,    128},
    {"mi300x",               304, RG_MATRIX, RG_HW_F8,   2614.9e12,5.3e12,    192},
    {"mi355x",               256, RG_MATRIX, RG_HW_F16,  2516.6e12,8e12,      288},
    {"rx-7900-xtx",          96,  RG_VECTOR, RG_HW_F32,  61.4e12,  0.96e12,   24},
    {"intel-max-1550",       128, RG_MATRIX, RG_HW_BF16, 839e12,   3.2768e12, 128},
    {"gaudi2",               2,   RG_MATRIX, RG_HW_BF16, 432e12,   2.46e12,   96},
    {"gaudi3",               8,   RG_MATRIX, RG_HW_BF16, 1835e12,  3.7e12,    128},
    {"trainium2",            8,   RG_MATRIX, RG_HW_BF16, 667e12,   2.9e12,    96},
    {"inferentia2",          2,   RG_MATRIX, RG_HW_BF16, 190e12,   0.82e12,   32},
    {"tpu-v2",               2,   RG_MATRIX, RG_HW_BF16, 46e12,    0.7e12,    16},
    {"tpu-v3",               4,   RG_MATRIX, RG_HW_BF16, 123e12,   0.9e12,    32},
    {"tpu-v4",               8,   RG_MATRIX, RG_HW_BF16, 275e12,   1.2e12,    32},
    {"tpu-v5e",              4,   RG_MATRIX, RG_HW_BF16, 197e12,   0.819e12,  16},
    {"tpu-v5p",              8,   RG_MATRIX, RG_HW_BF16, 459e12,   2.765e12,  95},
    {"tpu-v6e",              2,   RG_MATRIX, RG_HW_I8,   1836e12,  1.638e12,  32},
};

static void test_published_figures(void **state)
{
    for (size_t i = 0; i < RG_COUNT(published); i++) {
        const rg_device *d;
        assert_int_equal(rg_device_find(*state, published[i].id, &d), RG_OK);
        const rg_peak *p = rg_device_peak(d, -1, (int)published[i].unit, published[i].dtype);
        assert_non_null(p);
        assert_near(p->op_per_s, published[i].op_per_s, 0.01);
        assert_near(d->engines[p->engine].count, published[i].units, 0);
        assert_near(rg_device_memory(d)->read_byte_per_s, published[i].byte_per_s, 0.03);
        assert_near(rg_device_memory(d)->capacity_byte, published[i].memory_gb * 1e9, 0.08); /* GB or GiB */
        rg_device_free(d);
    }
}

static void test_client_cpu_has_no_matrix_unit(void **state)
{
    const rg_device *d;
    double cores = 0, threads = 0;
    assert_int_equal(rg_device_find(*state, "i7-12700k", &d), RG_OK);
    for (size_t i = 0; i < d->peak_count; i++) assert_int_not_equal(d->peaks[i].unit, RG_MATRIX);
    for (size_t i = 0; i < d->engine_count; i++) {
        cores += d->engines[i].count;
        threads += d->engines[i].count * d->engines[i].threads;
        assert_true(d->engines[i].simd_bit <= 256); /* no AVX-512 */
    }
    assert_int_equal(cores, 12);
    assert_int_equal(threads, 20);
    rg_device_free(d);
}

static void test_server_cpu_has_amx(void **state)
{
    const rg_device *d;
    assert_int_equal(rg_device_find(*state, "xeon-8480", &d), RG_OK);
    const rg_peak *bf16 = rg_device_peak(d, 0, RG_MATRIX, RG_HW_BF16), *i8 = rg_device_peak(d, 0, RG_MATRIX,
                                                                                            RG_HW_I8);
    assert_non_null(bf16);
    assert_non_null(i8);
    assert_near(bf16->op_per_clock, 1024, 0); /* Intel: 1024 bf16, 2048 int8 operations a clock and core */
    assert_near(i8->op_per_clock, 2048, 0);
    assert_null(rg_device_peak(d, 0, RG_MATRIX, RG_HW_F64));
    rg_device_free(d);
}

static void test_all_profiles(void **state)
{
    const char *const *ids;
    size_t count;
    assert_int_equal(rg_device_ids(*state, &ids, &count), RG_OK);
    assert_true(count >= 14);
    for (size_t i = 0; i < count; i++) {
        const rg_device *d;
        if (rg_device_find(*state, ids[i], &d)) fail_msg("%s", rg_ctx_error(*state));
        assert_string_equal(rg_device_id(d), ids[i]);
        assert_true(i == 0 || strcmp(ids[i - 1], ids[i]) < 0);
        assert_true(rg_device_memory(d)->capacity_byte >= 1e9);
        assert_true(rg_device_clock_max(d) >= 1e8 && rg_device_clock_max(d) < 7e9);
        assert_true(d->idle_w > 0 && d->launch_s > 0 && !d->detected);
        assert_true(d->modelled == (d->kind == RG_DEVICE_KPU));
        rg_device_free(d);
    }
}

static void test_names_find_one_device(void **state)
{
    const char *const *ids;
    size_t count;
    assert_int_equal(rg_device_ids(*state, &ids, &count), RG_OK);
    for (size_t i = 0; i < count; i++) {
        const rg_device *d, *again;
        assert_int_equal(rg_device_find(*state, ids[i], &d), RG_OK);
        for (size_t k = 0; k < d->alias_count; k += d->alias_count > 4 ? 3 : 1) {
            if (rg_device_find(*state, d->aliases[k], &again)) fail_msg("%s", rg_ctx_error(*state));
            assert_string_equal(rg_device_id(again), ids[i]);
            rg_device_free(again);
        }
        rg_device_free(d);
    }
}

static void test_unknown_name_offers_the_nearest(void **state)
{
    const rg_device *d;
    assert_int_equal(rg_device_find(*state, "h100-sxn", &d), RG_INPUT);
    assert_has(rg_ctx_error(*state), "device 'h100-sxn' is not known; nearest: h100-sxm");
    assert_has(rg_ctx_error(*state), "ridge devices");
    assert_int_equal(rg_device_find(*state, "a100-sxm-8", &d), RG_INPUT);
    assert_has(rg_ctx_error(*state), "nearest: a100-sxm-80gb");
    assert_int_equal(rg_device_find(*state, NULL, &d), RG_INPUT);
    assert_int_equal(rg_device_find(*state, "no/such/file.json", &d), RG_INPUT);
    assert_has(rg_ctx_error(*state), "no/such/file.json");
}

/* Spellings of nvidia-smi, of shops and of others' catalogues; what they mean is in the names themselves. */
static void test_words_of_a_name_find_it(void **state)
{
    static const struct {
        const char *name, *id;
    } spelled[] = {
        {"nvidia_h100_sxm5_80gb_hbm3", "h100-sxm"},
        {"NVIDIA H100 PCIe, 80 GB", "h100-pcie"},
        {"A100 SXM4 40 GB", "a100-sxm-40gb"},
        {"nvidia_A100_40G", "a100-sxm-40gb"}, /* as a100 alone is the SXM board */
        {"nvidia_l40_pcie_48gb_gddr6", "l40"},
        {"t4_pcie_16gb", "t4"},
        {"nvidia_b200_sxm5_192gb_hbm3e", "b200"}, /* announced with 192 GB, sold with 180 */
        {"Jetson Orin AGX (CPU)", "jetson-agx-orin-64gb-cpu"},
        {"NVIDIA Jetson Orin NX GPU (8GB)", "jetson-orin-nx-8gb"},
        {"NVIDIA Orin NX SoC", "jetson-orin-nx-16gb"}, /* as orin-nx */
        {"AMD Ryzen 9 8945HS w/ Radeon 780M Graphics", "ryzen-9-8945hs"},
        {"GeForce RTX3060 Graphics Card", "rtx-3060"},
    };
    static const char *const others[] = {"nvidia_a100_160gb", "RTX 4090 Laptop", "NVIDIA GPU", "A80",
                                         "h100-sxm-16gb", "jetson", "blackwell", "max", "8", "orin", "100"};
    const rg_device *d;
    for (size_t i = 0; i < sizeof spelled / sizeof *spelled; i++) {
        if (rg_device_find(*state, spelled[i].name, &d)) fail_msg("%s", rg_ctx_error(*state));
        assert_string_equal(d->id, spelled[i].id);
        rg_device_free(d);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(rg_device_find(*state, others[i], &d), RG_INPUT);
        assert_has(rg_ctx_error(*state), "not known");
    }
}

/* A whole profile, small enough to break in one place at a time. */
static const char small[] =
    "{\"schema\": \"ridge.device/1\", \"name\": \"Small\", \"vendor\": \"v\", \"kind\": \"gpu\","
    " \"architecture\": \"a\","
    " \"year\": 2020, \"aliases\": [\"tiny\"], \"modelled\": true,"
    " \"engines\": [{\"id\": \"sm\", \"kind\": \"sm\", \"count\": 10, \"clock_base_hz\": 1e9,"
    " \"clock_max_hz\": 2e9, \"threads\": 1024, \"tile\": [8, 4], \"source\": \"s; words\"}],"
    " \"peaks\": [{\"engine\": \"sm\", \"unit\": \"vector\", \"dtype\": \"f32\", \"accumulate\": \"f32\","
    " \"dense\": true, \"op_per_clock\": 100, \"at_clock_hz\": 2e9, \"op_per_s\": 2e12, \"source\": \"s\"},"
    " {\"engine\": \"sm\", \"unit\": \"vector\", \"dtype\": \"f16\", \"accumulate\": \"f32\","
    " \"dense\": true, \"op_per_clock\": 200, \"at_clock_hz\": 2e9, \"op_per_s\": 4.1e12,"
    " \"source\": \"s\"}],"
    " \"levels\": [{\"name\": \"dram\", \"scope\": \"device\", \"sharers\": 10, \"count\": 1,"
    " \"capacity_byte\": 4e9,"
    " \"usable_byte\": 3e9, \"read_byte_per_s\": 1e11, \"write_byte_per_s\": 1e11, \"latency_s\": 1e-7,"
    " \"pj_per_byte\": 50, \"source\": \"s\"}],"
    " \"power\": {\"idle_w\": 10, \"cap_w\": 50, \"source\": \"s\"},"
    " \"energy\": {\"pj_per_op\": {\"f32\": 10}, \"at_voltage_v\": 0.8, \"source\": \"s\"},"
    " \"vf\": [{\"clock_hz\": 1e9, \"voltage_v\": 0.8}, {\"clock_hz\": 2e9, \"voltage_v\": 1.0}],"
    " \"vf_source\": \"s\", \"launch_s\": 3e-6, \"launch_source\": \"s\","
    " \"sources\": {\"s\": {\"title\": \"t\", \"url\": \"u\"}}}";

/* `small` with the first `from` turned into `to`, parsed. */
static rg_err parse_changed(rg_ctx *cx, const char *from, const char *to, const rg_device **out)
{
    const char *at = strstr(small, from);
    assert_non_null(at);
    const char *text = rg_arena_printf(&cx->arena, "%.*s%s%s", (int)(at - small), small, to,
                                       at + strlen(from));
    assert_non_null(text);
    return rg_device_parse(cx, rg_str_of(text), "small", out);
}

static void test_reads_every_field(void **state)
{
    const rg_device *d;
    assert_int_equal(rg_device_parse(*state, RG_LIT(small), "small", &d), RG_OK);
    assert_string_equal(d->name, "Small");
    assert_int_equal(d->kind, RG_DEVICE_GPU);
    assert_int_equal(d->year, 2020);
    assert_true(d->modelled);
    assert_string_equal(d->aliases[0], "tiny");
    assert_int_equal(d->engines[0].tile[0], 8);
    assert_int_equal(d->engines[0].tile[1], 4);
    assert_int_equal(d->peaks[1].dtype, RG_HW_F16);
    assert_int_equal(d->peaks[1].engine, 0);
    assert_int_equal(d->levels[0].scope, RG_SCOPE_DEVICE);
    assert_near(d->levels[0].sustained_fraction, 1, 0); /* not stated */
    assert_string_equal(d->sources[0].key, "s");
    assert_string_equal(d->sources[0].url, "u");
    rg_device_free(d);
}

static void test_voltage_is_interpolated_and_clamped(void **state)
{
    const rg_device *d;
    assert_int_equal(rg_device_parse(*state, RG_LIT(small), "small", &d), RG_OK);
    assert_near(rg_device_voltage(d, 1.5e9), 0.9, 1e-12);
    assert_near(rg_device_voltage(d, 1.25e9), 0.85, 1e-12);
    assert_near(rg_device_voltage(d, 1), 0.8, 1e-12);
    assert_near(rg_device_voltage(d, 9e9), 1.0, 1e-12);
    /* CV^2: stated at 0.8 V, held at 1 V */
    assert_near(d->pj_per_op[RG_HW_F32], 10 * (1.0 / 0.8) * (1.0 / 0.8), 1e-12);
    assert_true(d->pj_per_op[RG_HW_I8] == 0);
    rg_device_free(d);
    /* 8 W at 0.8 V, which is 1 GHz; f V^2 at 2 GHz and 1 V is 2 x 1.5625 times that */
    assert_int_equal(parse_changed(*state, "\"idle_w\": 10", "\"idle_w\": 10, \"active_w\": 8", &d), RG_OK);
    assert_near(d->active_w, 8 * 2 * 1.5625, 1e-12);
    rg_device_free(d);
    assert_int_equal(parse_changed(*state, "\"idle_w\": 10", "\"idle_w\": 10, \"ready_w\": 2", &d), RG_OK);
    assert_near(d->ready_w, 2 * 2 * 1.5625, 1e-12);
    rg_device_free(d);
}

static const struct { const char *from, *to, *says; } broken[] = {
    {"\"count\": 10", "\"counts\": 10",
     "small.json: engines[0]: unknown key 'counts'; the nearest known one is 'count'"},
    {"\"count\": 10, ", "", "small.json: engines[0].count: is missing (units of this engine)"},
    {"\"count\": 10", "\"count\": \"10\"", "engines[0].count: expected a number, got a text"},
    {"\"count\": 10", "\"count\": 0", "engines[0].count: 0 is not above 0"},
    {"\"count\": 10", "\"count\": -4", "engines[0].count: -4 is not above 0"},
    {"\"count\": 10", "\"count\": 1e40", "engines[0].count: 1e+40 is not below 1e30"},
    {"\"threads\": 1024", "\"threads\": 10.5", "engines[0].threads: 10.5 is not a whole number"},
    {"[8, 4]", "[8]", "engines[0].tile: expected a list of two numbers"},
    {"[8, 4]", "[8, -4]", "engines[0].tile[1]: -4 is not a whole number"},
    {"\"year\": 2020", "\"year\": null", "year: expected a whole number, got null"},
    {"ridge.device/1", "ridge.device/2", "schema: 'ridge.device/2' is not one of: ridge.device/1"},
    {"\"kind\": \"gpu\"", "\"kind\": \"dsp\"", "kind: 'dsp' is not one of: cpu, gpu, tpu, kpu"},
    {"\"modelled\": true", "\"modelled\": 1", "modelled: expected true or false, got a number"},
    {"\"dense\": true", "\"dense\": false", "peaks[0].dense: expected true, got false"},
    {"\"engine\": \"sm\"", "\"engine\": \"xm\"", "peaks[0].engine: 'xm' is not the id of any"},
    {"\"name\": \"Small\"", "\"name\": \"\"", "name: is an empty text"},
    {"[\"tiny\"]", "[7]", "aliases[0]: expected a text, got a number"},
    {"[\"tiny\"]", "{}", "aliases: expected a list, got an object"},
    {"{\"f32\": 10}", "{\"f33\": 10}", "energy.pj_per_op: unknown key 'f33'; the nearest known one is 'f32'"},
    {"{\"title\": \"t\", \"url\": \"u\"}", "{}", "sources.s.title: is missing"},
    {"{\"title\": \"t\", \"url\": \"u\"}", "7", "sources.s: expected an object, got a number"},
    /* 10 x 100 x 2e9 = 2e12: 4 % off is caught, 3 % is what rounding explains */
    {"\"op_per_s\": 2e12", "\"op_per_s\": 2.085e12",
     "peaks[0].op_per_s: 10 sm x 100 op x 2e+09 Hz is 2e+12 op/s, the profile says 2.085e+12: 4.1 % apart"},
    {"\"op_per_clock\": 200, \"at_clock_hz\": 2e9, \"op_per_s\": 4.1e12",
     "\"op_per_clock\": 50, \"at_clock_hz\": 2e9, \"op_per_s\": 1e12",
     "peaks[1]: f16 at 1e+12 op/s is slower than the wider f32 of peaks[0] at 2e+12"},
    {"\"cap_w\": 50", "\"cap_w\": 9", "power.cap_w: 9 is below idle_w 10"},
    {"\"usable_byte\": 3e9", "\"usable_byte\": 5e9",
     "levels[0].usable_byte: 5000000000 is above capacity_byte 4000000000"},
    {"\"clock_max_hz\": 2e9", "\"clock_max_hz\": 9e8",
     "engines[0].clock_max_hz: 9e+08 is below clock_base_hz 1e+09"},
    {"{\"clock_hz\": 2e9, \"voltage_v\": 1.0}", "{\"clock_hz\": 1e9, \"voltage_v\": 1.0}",
     "vf[1]: 1e+09 Hz at 1 V does not ascend"},
    {"\"s; words\"", "\"x; words\"", "engines[0]: source 'x; words' does not begin with a key of sources"},
    {"\"launch_source\": \"s\"", "\"launch_source\": \"t\"", "launch_source: source 't' does not begin"},
    {", \"vf_source\": \"s\"", "", "vf_source: is missing"},
    {"\"scope\": \"device\"", "\"scope\": \"unit\"", "levels[0]: the last level is main memory"},
    {"\"year\": 2020", "\"year\": 2020, \"year\": 2021", "duplicate object key"},
    {"\"year\": 2020", "\"year\": 2020,, ", "small.json: line 1, column"},
};

static void test_says_what_is_wrong(void **state)
{
    for (size_t i = 0; i < RG_COUNT(broken); i++) {
        const rg_device *d = NULL;
        rg_err err = parse_changed(*state, broken[i].from, broken[i].to, &d);
        if (err != RG_FORMAT) fail_msg("'%s' gives %d, not RG_FORMAT", broken[i].to, (int)err);
        assert_has(rg_ctx_error(*state), broken[i].says);
    }
}

static void test_cut_at_every_byte(void **state)
{
    const rg_device *d;
    for (size_t size = 0; size + 1 < sizeof small; size++)
        assert_int_equal(rg_device_parse(*state, (rg_str){small, size}, "small", &d), RG_FORMAT);
}

static void test_too_large(void **state)
{
    const rg_device *d;
    char *text = calloc(1, RG_PROFILE_MAX + 1);
    assert_non_null(text);
    assert_int_equal(rg_device_parse(*state, (rg_str){text, RG_PROFILE_MAX + 1}, "big", &d), RG_LIMIT);
    free(text);
}

static void test_hash_follows_text_and_id(void **state)
{
    const rg_device *a, *b, *c, *same;
    assert_int_equal(rg_device_parse(*state, RG_LIT(small), "small", &a), RG_OK);
    assert_int_equal(rg_device_parse(*state, RG_LIT(small), "small", &same), RG_OK);
    assert_int_equal(rg_device_parse(*state, RG_LIT(small), "other", &b), RG_OK);
    assert_int_equal(parse_changed(*state, "3e-6", "4e-6", &c), RG_OK);
    assert_true(a->hash == same->hash && a->hash != b->hash && a->hash != c->hash);
    assert_ptr_equal(rg_device_ref(a), a);
    rg_device_free(a);
    assert_string_equal(rg_device_id(a), "small"); /* the second reference holds it */
    rg_device_free(a);
    rg_device_free(same);
    rg_device_free(b);
    rg_device_free(c);
    rg_device_free(NULL);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_own_files_and_ambiguous_names(void **state)
{
    char dir[] = "/tmp/ridge-test-XXXXXX", hw[64], a[96], b[96];
    const rg_device *d;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(hw, sizeof hw, "%s/hw", dir);
    snprintf(a, sizeof a, "%s/first.json", hw);
    snprintf(b, sizeof b, "%s/second.json", hw);
    assert_int_equal(mkdir(hw, 0700), 0);
    write_file(a, small);
    write_file(b, small);
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = dir});
    assert_int_equal(rg_device_find(cx, a, &d), RG_OK);
    assert_string_equal(rg_device_id(d), "first");
    rg_device_free(d);
    assert_int_equal(rg_device_find(cx, "second", &d), RG_OK);
    rg_device_free(d);
    assert_int_equal(rg_device_find(cx, "TINY", &d), RG_INPUT);
    assert_has(rg_ctx_error(cx), "device 'TINY' is ambiguous: first, second answer to it");
    assert_int_equal(unlink(b), 0);
    assert_int_equal(rg_device_find(cx, "TINY", &d), RG_OK);
    assert_string_equal(rg_device_id(d), "first");
    rg_device_free(d);
    rg_ctx_free(cx);
    assert_int_equal(unlink(a) | rmdir(hw) | rmdir(dir), 0);
}

/* An allocator that fails from the n-th request on. */
typedef struct budget { size_t left; } budget;

static void *budget_alloc(void *user, size_t size)
{
    budget *b = user;
    if (!b->left) return NULL;
    b->left--;
    return calloc(1, size);
}

static void budget_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static void test_every_allocation_may_fail(void **state)
{
    rg_err err = RG_NOMEM;
    (void)state;
    for (size_t n = 1; err == RG_NOMEM; n++) {
        budget b = {n};
        const rg_device *d;
        rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .alloc = budget_alloc,
                                              .free = budget_free, .user = &b});
        assert_non_null(cx);
        err = rg_device_parse(cx, RG_LIT(small), "small", &d);
        assert_true(err == RG_NOMEM || err == RG_OK);
        if (!err) rg_device_free(d);
        rg_ctx_free(cx);
        assert_true(n < 1000);
    }
}

static void test_element_types(void **state)
{
    rg_hw_dtype t;
    (void)state;
    for (int i = 0; i < RG_HW_DTYPE_COUNT; i++) {
        assert_true(rg_hw_dtype_named(rg_str_of(rg_hw_dtype_name((rg_hw_dtype)i)), &t));
        assert_int_equal(t, i);
    }
    assert_int_equal(rg_hw_dtype_bits(RG_HW_TF32), 32);
    assert_int_equal(rg_hw_dtype_bits(RG_HW_I4), 4);
    assert_false(rg_hw_dtype_named(RG_LIT("f33"), &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_published_figures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_cpu_has_no_matrix_unit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server_cpu_has_amx, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_profiles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_find_one_device, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_name_offers_the_nearest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_words_of_a_name_find_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_every_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_voltage_is_interpolated_and_clamped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_says_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_at_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hash_follows_text_and_id, setup, teardown),
        cmocka_unit_test(test_own_files_and_ambiguous_names),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_element_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
