/* test_catalogue.c - all device profiles together: that each one is read and plausible, that names find one
 * device each, and that the spellings of the measured data sets find the right ones.
 *
 * check.c holds what every profile must obey, of whatever machine. The windows here are wider knowledge about
 * machines as they are built: a profile outside of one is a slip of a unit or a factor of two, or it is new
 * and the window has to be thought about.
 */
#include "hw/hw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

typedef struct catalogue { rg_ctx *cx; const rg_device **devices; size_t count; } catalogue;

static int setup(void **state)
{
    catalogue *all = calloc(1, sizeof *all);
    const char *const *ids;
    size_t count;
    *state = all;
    if (!all) return -1;
    all->cx = rg_ctx_new(NULL); /* the profiles that the library carries */
    if (!all->cx || rg_device_ids(all->cx, &ids, &count)) return -1;
    all->devices = calloc(count, sizeof *all->devices);
    for (; all->devices && all->count < count; all->count++) {
        if (rg_device_find(all->cx, ids[all->count], &all->devices[all->count]) == RG_OK) continue;
        print_error("%s\n", rg_ctx_error(all->cx));
        return -1;
    }
    return all->devices ? 0 : -1;
}

static int teardown(void **state)
{
    catalogue *all = *state;
    for (size_t i = 0; i < all->count; i++) rg_device_free(all->devices[i]);
    free(all->devices);
    rg_ctx_free(all->cx);
    free(all);
    return 0;
}

static void test_a_hundred_devices_of_every_kind(void **state)
{
    const catalogue *all = *state;
    int count[RG_DEVICE_KIND_COUNT] = {0};
    assert_true(all->count >= 100);
    for (size_t i = 0; i < all->count; i++) count[all->devices[i]->kind]++;
    for (int kind = 0; kind < RG_DEVICE_KIND_COUNT; kind++)
        if (!count[kind]) fail_msg("no device is a %s", rg_device_kind_name((rg_device_kind)kind));
}

/* ---- names ---- */

typedef struct owner { const char *name, *id; } owner;

static int by_name(const void *a, const void *b)
{
    return strcasecmp(((const owner *)a)->name, ((const owner *)b)->name);
}

static size_t name_count(const rg_device *d)
{
    size_t count = 1 + d->alias_count;
    for (size_t i = 0; i < d->mode_count; i++) count += d->modes[i].alias_count;
    return count;
}

static void add_names(owner *names, size_t *count, const rg_device *d)
{
    names[(*count)++] = (owner){d->id, d->id};
    for (size_t i = 0; i < d->alias_count; i++) names[(*count)++] = (owner){d->aliases[i], d->id};
    for (size_t m = 0; m < d->mode_count; m++)
        for (size_t i = 0; i < d->modes[m].alias_count; i++)
            names[(*count)++] = (owner){d->modes[m].aliases[i], d->id};
}

/* Ids, aliases and those of power modes, over all devices, case ignored. */
static void test_names_are_unique(void **state)
{
    const catalogue *all = *state;
    size_t room = 0, count = 0;
    for (size_t i = 0; i < all->count; i++) room += name_count(all->devices[i]);
    owner *names = calloc(room, sizeof *names);
    assert_non_null(names);
    for (size_t i = 0; i < all->count; i++) add_names(names, &count, all->devices[i]);
    assert_true(count == room);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 1; i < count; i++)
        if (by_name(&names[i - 1], &names[i]) == 0)
            fail_msg("'%s' of %s is '%s' of %s, too", names[i - 1].name, names[i - 1].id, names[i].name,
                     names[i].id);
    free(names);
}

static void test_what_a_device_is_called_finds_it(void **state)
{
    const catalogue *all = *state;
    for (size_t i = 0; i < all->count; i++) {
        const rg_device *d;
        if (rg_device_find(all->cx, all->devices[i]->name, &d)) fail_msg("%s", rg_ctx_error(all->cx));
        assert_string_equal(d->id, all->devices[i]->id);
        rg_device_free(d);
    }
}

/* The devices of the measured data (shared/measured: the column device, with power_mode as NAME@MODE where it
 * is one), without a trailing " x8". Left out are names that say no machine: an empty one,
 * profile_test_fusion_integration (somebody's test), r760_u6_slim and h13_u3_slim (servers with cards in
 * them), H200-SXM-141GBx8_TRT_MaxQ (a submission), and the mode calibration.json (a file). */
static const struct { const char *spelling, *id; } measured[] = {
    /* edge */
    {"i7_12700k", "i7-12700k"}, {"i7_12700K", "i7-12700k"}, {"intel_core_i7_12700k", "i7-12700k"},
    {"intel_12th_gen_intelr_coretm_i7_12700k", "i7-12700k"}, {"profile_i7_12700k_with_fusion", "i7-12700k"},
    {"amd_ryzen_7_2700x_eight_core_processor", "ryzen-7-2700x"}, {"ryzen_9_8945hs", "ryzen-9-8945hs"},
    {"ryzen_7_8845hs_w_radeon_780m_graphics", "ryzen-7-8845hs"},
    {"ryzen_9_8945hs_w_radeon_780m_graphics", "ryzen-9-8945hs"},
    {"jetson_orin_15w", "jetson-agx-orin-64gb@15W"}, {"jetson_orin_50w", "jetson-agx-orin-64gb@50W"},
    {"jetson_orin_maxn", "jetson-agx-orin-64gb@MAXN"}, {"jetson_orin_agx_15w", "jetson-agx-orin-64gb@15W"},
    {"jetson_orin_agx_50w", "jetson-agx-orin-64gb@50W"},
    {"jetson_orin_agx_maxn", "jetson-agx-orin-64gb@MAXN"},
    {"jetson_orin_agx@50W", "jetson-agx-orin-64gb@50W"},
    {"jetson_orin_agx@MAXN", "jetson-agx-orin-64gb@MAXN"},
    {"jetson_orin_agx_gpu@MAXN", "jetson-agx-orin-64gb@MAXN"},
    {"jetson_orin_agx_gpu@MODE15W", "jetson-agx-orin-64gb@15W"},
    {"jetson_orin_agx_gpu@MODE30W", "jetson-agx-orin-64gb@30W"},
    {"jetson_orin_agx_gpu@MODE50W", "jetson-agx-orin-64gb@50W"},
    {"jetson_orin_agx_cpu@MAXN", "jetson-agx-orin-64gb-cpu@MAXN"},
    {"jetson_orin_agx_cpu@MODE15W", "jetson-agx-orin-64gb-cpu@15W"},
    {"jetson_orin_agx_cpu@MODE30W", "jetson-agx-orin-64gb-cpu@30W"},
    {"jetson_orin_agx_cpu@MODE50W", "jetson-agx-orin-64gb-cpu@50W"},
    {"jetson_orin_nano_8gb", "jetson-orin-nano-8gb@15W"},
    {"jetson_orin_nano_gpu@7W", "jetson-orin-nano-8gb@7W"},
    {"jetson_orin_nano_gpu@15W", "jetson-orin-nano-8gb@15W"},
    {"jetson_orin_nano_gpu@25W", "jetson-orin-nano-8gb@25W"},
    {"jetson_orin_nano_gpu@MAXNSUPER", "jetson-orin-nano-8gb@MAXN_SUPER"},
    {"jetson_orin_nano_cpu@7W", "jetson-orin-nano-8gb-cpu@7W"},
    {"jetson_orin_nano_cpu@15W", "jetson-orin-nano-8gb-cpu@15W"},
    {"jetson_orin_nano_cpu@25W", "jetson-orin-nano-8gb-cpu@25W"},
    {"jetson_orin_nx_16gb_gpu@10W", "jetson-orin-nx-16gb@10W"},
    {"jetson_orin_nx_16gb_gpu@15W", "jetson-orin-nx-16gb@15W"},
    {"jetson_orin_nx_16gb_gpu@25W", "jetson-orin-nx-16gb@25W"},
    {"jetson_orin_nx_16gb_gpu@MAXN", "jetson-orin-nx-16gb@MAXN"},
    {"jetson_orin_nx_16gb_cpu@10W", "jetson-orin-nx-16gb-cpu@10W"},
    {"jetson_orin_nx_16gb_cpu@15W", "jetson-orin-nx-16gb-cpu@15W"},
    {"jetson_orin_nx_16gb_cpu@25W", "jetson-orin-nx-16gb-cpu@25W"},
    {"jetson_orin_nx_16gb_cpu@MAXN", "jetson-orin-nx-16gb-cpu@MAXN"},
    {"profile_jetson_orin_nano_cpu_numpy", "jetson-orin-nano-8gb-cpu"},
    {"profile_jetson_orin_nano_cpu_numpy.json", "jetson-orin-nano-8gb-cpu"},
    {"profile_jetson_orin_nano_gpu_pytorch", "jetson-orin-nano-8gb@7W"},
    {"profile_jetson_orin_nano_gpu_pytorch.json", "jetson-orin-nano-8gb@7W"},
    {"profile_nvidia_jetson_orin_nano", "jetson-orin-nano-8gb@15W"},
    {"profile_nvidia_jetson_orin_nano_cpu_numpy", "jetson-orin-nano-8gb-cpu"},
    {"profile_nvidia_jetson_orin_nano_cpu_pytorch", "jetson-orin-nano-8gb-cpu"},
    {"profile_nvidia_jetson_orin_nano_gpu_pytorch", "jetson-orin-nano-8gb@15W"},
    /* energy */
    {"AMD EPYC 8024P 8-Core Processor", "epyc-8024p"},
    {"AMD Ryzen Threadripper 1950X 16-Core Processor", "threadripper-1950x"},
    {"Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz", "xeon-e3-1240-v2"}, {"A100-80GB", "a100-sxm-80gb"},
    {"RTX 3090", "rtx-3090"}, {"RTX 6000 Ada", "rtx-6000-ada"}, {"A100-PCIE-40GB", "a100-pcie-40gb"},
    {"H100-NVL-94GB", "h100-nvl"}, {"V100-PCIE-32GB", "v100-pcie-32gb"},
    {"Quadro RTX 8000", "quadro-rtx-8000"}, {"Quadro RTX 6000", "quadro-rtx-6000"},
    {"V100-PCIE", "v100-pcie-32gb"}, {"A40", "a40"}, {"P100", "p100-pcie-16gb"}, {"V100", "v100-pcie-32gb"},
    /* kernels */
    {"a100_sxm", "a100-sxm-80gb"}, {"h100_sxm", "h100-sxm"}, {"h200_sxm", "h200-sxm"}, {"l40s", "l40s"},
    {"a100-pcie-40gb", "a100-pcie-40gb"}, {"a100-pcie-80gb", "a100-pcie-80gb"}, {"mi100", "mi100"},
    {"mi210", "mi210"}, {"p4", "p4"}, {"t4", "t4"}, {"p100-pcie-16gb", "p100-pcie-16gb"},
    {"v100-pcie-32gb", "v100-pcie-32gb"},
    /* language models */
    {"a100", "a100-sxm-80gb"}, {"a40", "a40"}, {"h100", "h100-sxm"}, {"A100", "a100-sxm-80gb"},
    {"A100-PCIe-80GB", "a100-pcie-80gb"}, {"B200", "b200"}, {"GB200", "gb200"}, {"H100", "h100-sxm"},
    {"H200", "h200-sxm"}, {"L40S", "l40s"}, {"RTX4090", "rtx-4090"}, {"RTXPRO6000SE", "rtx-pro-6000-server"},
    {"V100-PCIe-16GB", "v100-pcie-16gb"},
    /* vision */
    {"AMD MI300X-NPS1-SPX-192GB-750W", "mi300x"}, {"Intel Core i7-12700H", "i7-12700h"},
    {"Intel Core i9-10940X", "i9-10940x"}, {"NVIDIA A100-40GB", "a100-sxm-40gb"},
    {"NVIDIA A100-80GB", "a100-sxm-80gb"},
    {"NVIDIA GH200 Grace Hopper Superchip 144GB", "gh200-144gb"},
    {"NVIDIA GH200 Grace Hopper Superchip 96GB", "gh200-96gb"}, {"NVIDIA GeForce RTX 3090", "rtx-3090"},
    {"NVIDIA GeForce RTX 4090", "rtx-4090"}, {"NVIDIA GeForce RTX 5090", "rtx-5090"},
    {"NVIDIA H100-PCIe-80GB", "h100-pcie"}, {"NVIDIA H100-SXM-80GB", "h100-sxm"},
    {"NVIDIA H200-SXM-141GB", "h200-sxm"}, {"NVIDIA H200-SXM-141GB-CTS", "h200-sxm@CTS"},
    {"NVIDIA L4", "l4"}, {"NVIDIA L40S", "l40s"}, {"NVIDIA RTX A5000 GPU", "rtx-a5000"},
    {"NVIDIA RTX PRO 6000 Blackwell Max-Q", "rtx-pro-6000-max-q"}, {"NVIDIA T4", "t4"},
    {"NVIDIA T4-16GB", "t4"}, {"NVIDIA V100-16GB", "v100-sxm2-16gb"}, {"NVIDIA V100-32GB", "v100-sxm2-32gb"},
    {"TPU v6", "tpu-v6e"}, {"Tesla T4", "t4"}, {"UntetherAI speedAI240 Preview", "untether-speedai240"},
    {"UntetherAI speedAI240 Slim", "untether-speedai240"},
};

static void test_spellings_of_measured_data(void **state)
{
    const catalogue *all = *state;
    for (size_t i = 0; i < RG_COUNT(measured); i++) {
        const rg_device *d;
        if (rg_device_find(all->cx, measured[i].spelling, &d)) fail_msg("%s", rg_ctx_error(all->cx));
        assert_string_equal(d->id, measured[i].id);
        rg_device_free(d);
    }
}

static void test_words_find_families(void **state)
{
    const catalogue *all = *state;
    const char *const *ids;
    size_t count, nvidia = 0;
    for (size_t i = 0; i < all->count; i++) nvidia += strcmp(all->devices[i]->vendor, "NVIDIA") == 0;
    assert_int_equal(rg_device_search(all->cx, "nVidia", &ids, &count), RG_OK);
    assert_true(nvidia > 50 && count == nvidia);
    assert_int_equal(rg_device_search(all->cx, "ironwood", &ids, &count), RG_OK);
    assert_int_equal(count, 1);
    assert_string_equal(ids[0], "tpu-v7");
    assert_int_equal(rg_device_search(all->cx, "no such thing", &ids, &count), RG_OK);
    assert_int_equal(count, 0);
}

/* ---- power modes ---- */

static void test_modes_hold_what_they_state(void **state)
{
    const catalogue *all = *state;
    for (size_t i = 0; i < all->count; i++) {
        for (size_t k = 0; k < all->devices[i]->mode_count; k++) {
            const rg_power_mode *mode = &all->devices[i]->modes[k];
            const rg_device *d;
            assert_int_equal(rg_device_in_mode(all->cx, all->devices[i], mode->name, &d), RG_OK);
            const rg_engine *first = &d->engines[0];
            assert_true(d->cap_w == mode->cap_w);
            if (mode->unit_count > 0) assert_true(fabs(first->count / mode->unit_count - 1) < 1e-12);
            if (mode->clock_max_hz > 0)
                assert_true(fabs(first->clock_max_hz / mode->clock_max_hz - 1) < 1e-12);
            if (mode->memory_byte_per_s > 0)
                assert_true(rg_device_memory(d)->read_byte_per_s == mode->memory_byte_per_s);
            if (rg_device_check(all->cx, d)) fail_msg("%s: %s", d->id, rg_ctx_error(all->cx));
            rg_device_free(d);
        }
    }
}

/* ---- windows ---- */

static void assert_within(const rg_device *d, const char *what, double x, double low, double high)
{
    if (!(x >= low && x <= high)) fail_msg("%s: %s is %g, not %g to %g", d->id, what, x, low, high);
}

/* Byte of main memory for an operation at the best rate; what a launch costs; pJ an operation for each bit of
 * its operands. By kind: a CPU core does a hundredth of what a tensor core does with its energy. */
static const struct { double ratio[2], launch_s[2], pj_per_bit[2]; } windows[RG_DEVICE_KIND_COUNT] = {
    [RG_DEVICE_CPU] = {{1e-3, 0.3},   {3e-6, 2e-5}, {0.05, 10}},
    [RG_DEVICE_GPU] = {{4e-4, 0.05},  {2e-6, 5e-5}, {0.01, 0.7}},
    [RG_DEVICE_TPU] = {{4e-4, 0.02},  {2e-6, 1e-5}, {0.005, 0.2}},
    [RG_DEVICE_KPU] = {{3e-4, 0.01},  {2e-6, 1e-5}, {0.005, 0.2}},
    [RG_DEVICE_NPU] = {{4e-5, 0.01},  {1e-6, 2e-5}, {0.003, 0.6}},
};

static double best_rate(const rg_device *d)
{
    double best = 0;
    for (size_t i = 0; i < d->peak_count; i++) best = fmax(best, d->peaks[i].op_per_s);
    return best;
}

static void test_rates_fit_each_other(void **state)
{
    const catalogue *all = *state;
    for (size_t i = 0; i < all->count; i++) {
        const rg_device *d = all->devices[i];
        const rg_level *memory = rg_device_memory(d);
        assert_within(d, "byte per op", memory->read_byte_per_s / best_rate(d), windows[d->kind].ratio[0],
                      windows[d->kind].ratio[1]);
        assert_within(d, "launch_s", d->launch_s, windows[d->kind].launch_s[0], windows[d->kind].launch_s[1]);
        assert_within(d, "usable share of memory", memory->usable_byte / memory->capacity_byte, 0.5, 1);
        assert_within(d, "idle share of the cap", d->idle_w / d->cap_w, 0.01, 0.5);
        assert_within(d, "year", d->year, 2012, 2026);
        for (size_t k = 0; k < d->engine_count; k++) {
            const rg_engine *e = &d->engines[k];
            assert_within(d, "highest over base clock", e->clock_max_hz / e->clock_base_hz, 1, 8);
            assert_true(e->count == floor(e->count));
        }
    }
}

/* Outwards a level is slower, later and dearer; none is written faster than it is read. */
static void test_levels_are_in_order(void **state)
{
    const catalogue *all = *state;
    for (size_t i = 0; i < all->count; i++) {
        const rg_device *d = all->devices[i];
        for (size_t k = 0; k < d->level_count; k++) {
            const rg_level *l = &d->levels[k], *outer = k + 1 < d->level_count ? &d->levels[k + 1] : l;
            if (l->write_byte_per_s > l->read_byte_per_s)
                fail_msg("%s: %s is written faster than read", d->id, l->name);
            if (l->count != floor(l->count)) fail_msg("%s: %s has %g instances", d->id, l->name, l->count);
            if (l->read_byte_per_s >= outer->read_byte_per_s && l->latency_s <= outer->latency_s &&
                l->pj_per_byte <= outer->pj_per_byte) continue;
            fail_msg("%s: %s is nearer than %s, but slower, later or dearer", d->id, l->name, outer->name);
        }
    }
}

/* An energy is that of the unit which a type is meant for: on vector units, types that matrix units have too
 * are not compared. */
static void test_energies_are_stated_and_ordered(void **state)
{
    const catalogue *all = *state;
    for (size_t i = 0; i < all->count; i++) {
        const rg_device *d = all->devices[i];
        for (size_t k = 0; k < d->peak_count; k++) {
            const rg_peak *p = &d->peaks[k];
            double pj = d->pj_per_op[p->dtype];
            assert_within(d, "pJ per op and bit", pj / rg_hw_dtype_bits(p->dtype),
                          windows[d->kind].pj_per_bit[0], windows[d->kind].pj_per_bit[1]);
            assert_true(p->at_clock_hz <= 1.001 * d->engines[p->engine].clock_max_hz);
            for (size_t j = 0; j < d->peak_count; j++) {
                const rg_peak *wide = &d->peaks[j];
                if (wide->engine != p->engine || wide->unit != p->unit) continue;
                if (rg_hw_dtype_bits(wide->dtype) <= rg_hw_dtype_bits(p->dtype)) continue;
                if (p->unit != RG_MATRIX && rg_device_peak(d, -1, RG_MATRIX, wide->dtype)) continue;
                if (pj > d->pj_per_op[wide->dtype] * 1.001)
                    fail_msg("%s: %s is dearer than %s", d->id, rg_hw_dtype_name(p->dtype),
                             rg_hw_dtype_name(wide->dtype));
            }
        }
    }
}

/* Power of a unit kind at its peak, and of the clock tree:
 *     P = sum over engines of op/s pJ (V / Vmax)^2 + P_active f / fmax (V / Vmax)^2,   V at the peak's clock.
 * f64 is left out: no network runs on it. */
static double compute_power(const rg_device *d, rg_unit_kind unit, rg_hw_dtype dtype)
{
    double power = 0, top_hz = rg_device_clock_max(d);
    for (size_t e = 0; e < d->engine_count; e++) {
        double best = 0;
        for (size_t i = 0; i < d->peak_count; i++) {
            const rg_peak *p = &d->peaks[i];
            if ((size_t)p->engine != e || p->unit != unit || p->dtype != dtype) continue;
            double v = rg_device_voltage(d, p->at_clock_hz) / rg_device_voltage(d, top_hz);
            double tree = e == 0 ? d->active_w * p->at_clock_hz / top_hz : 0;
            best = fmax(best, (p->op_per_s * 1e-12 * d->pj_per_op[dtype] + tree) * v * v);
        }
        power += best;
    }
    return power;
}

static double top_power(const rg_device *d)
{
    double top = 0;
    for (int unit = RG_SCALAR; unit <= RG_MATRIX; unit++)
        for (rg_hw_dtype t = RG_HW_F32; t < RG_HW_DTYPE_COUNT; t++)
            top = fmax(top, compute_power(d, (rg_unit_kind)unit, t));
    return top;
}

/* With memory at full tilt too, a device draws about its cap: one that cannot come near it has energies that
 * are too low, one that would need more than twice of it too high ones. Large boards are limited by power,
 * not by heat of a case: there products alone come near it. The L4, at 28 % of its f32 peak in measured
 * products, is the most limited. The cap holds at the clock that a maker guarantees: one that runs products
 * at twice that clock for a moment, as the L40S, may need twice the cap. */
static void test_full_tilt_is_about_the_cap(void **state)
{
    const catalogue *all = *state;
    for (size_t i = 0; i < all->count; i++) {
        const rg_device *d = all->devices[i];
        const rg_level *m = rg_device_memory(d);
        double compute = d->idle_w + top_power(d);
        double full = compute + m->read_byte_per_s * m->sustained_fraction * m->pj_per_byte * 1e-12;
        /* a board without a fan pays for its heat out of the same cap */
        bool passive = d->kind == RG_DEVICE_GPU && d->cap_w <= 75;
        double boost = d->engines[0].clock_max_hz / d->engines[0].clock_base_hz;
        assert_within(d, "full tilt over the cap", full / d->cap_w, 0.3, passive ? 6.5 : fmax(2.1, boost));
        if (d->kind == RG_DEVICE_GPU && d->cap_w >= 100)
            assert_within(d, "products over the cap", compute / d->cap_w, 0.65, fmax(1.45, boost));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hundred_devices_of_every_kind),
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_what_a_device_is_called_finds_it),
        cmocka_unit_test(test_spellings_of_measured_data),
        cmocka_unit_test(test_words_find_families),
        cmocka_unit_test(test_modes_hold_what_they_state),
        cmocka_unit_test(test_rates_fit_each_other),
        cmocka_unit_test(test_levels_are_in_order),
        cmocka_unit_test(test_energies_are_stated_and_ordered),
        cmocka_unit_test(test_full_tilt_is_about_the_cap),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
