/* test_calibrate.c - what is measured and what becomes of it, without a clock: kernels count their own work,
 * walks end where arithmetic says, circles of pointers visit everything, and made-up figures go through the
 * profile, its file and the choice of the host's profile. How fast this machine is, is nobody's test.
 */
#include "json_schema.h"
#include "measure/calibrate.h"
#include "measure/calibrate_kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static bool near(double a, double b, double relative) { return fabs(a - b) <= relative * fabs(b); }

static unsigned features(void)
{
    rg_cpu cpu;
    rg_cpu_read(&cpu, "");
    return cpu.features;
}

/* ---- kernels ---- */

/* Every way that this processor has, not only its best: the masks take features away. */
static const unsigned masks[] = {
    ~0u, ~RG_CPU_BIT(AVX512F), ~(RG_CPU_BIT(AVX512F) | RG_CPU_BIT(AVX_VNNI)),
    ~(RG_CPU_BIT(AVX512F) | RG_CPU_BIT(AVX2)), 0,
};

static void kernels_count_their_work(void **state)
{
    (void)state;
    static const rg_peak peaks[] = {
        {.unit = RG_SCALAR, .dtype = RG_HW_F32, .accumulate = "f32"},
        {.unit = RG_SCALAR, .dtype = RG_HW_F64, .accumulate = "f64"},
        {.unit = RG_VECTOR, .dtype = RG_HW_F32, .accumulate = "f32"},
        {.unit = RG_VECTOR, .dtype = RG_HW_F64, .accumulate = "f64"},
        {.unit = RG_VECTOR, .dtype = RG_HW_I8, .accumulate = "i32"},
        {.unit = RG_VECTOR, .dtype = RG_HW_BF16, .accumulate = "f32"},
    };
    for (size_t m = 0; m < RG_COUNT(masks); m++)
        for (size_t i = 0; i < RG_COUNT(peaks); i++) {
            rg_peak_kernel k;
            if (!rg_peak_kernel_for(&peaks[i], features() & masks[m], &k)) continue;
            assert_true(k.mac_per_step >= 1 && k.run(0) == 0);
            if (k.run(1000) != 1000 * k.mac_per_step) fail_msg("%s miscounts", k.how);
        }
    rg_peak_kernel none;
    assert_false(rg_peak_kernel_for(&(rg_peak){.unit = RG_MATRIX, .dtype = RG_HW_I8, .accumulate = "i32"},
                                    ~0u, &none));
    assert_true(rg_peak_kernel_for(&peaks[2], 0, &none)); /* every processor has some */
}

static void clocks_count_additions(void **state)
{
    (void)state;
    for (size_t m = 0; m < RG_COUNT(masks); m++)
        assert_int_equal(rg_vector_kernel_for(features() & masks[m])->clock(123), 123 * RG_CLOCK_PER_STEP);
}

/* 3 pieces: 7 steps from the second one on end at the last: 1 + 7 = 8 = 2 (mod 3). */
static void walks_go_round(void **state)
{
    (void)state;
    enum { PIECES = 3, SIZE = PIECES * RG_MOVE_BYTE };
    char *memory = aligned_alloc(64, 2 * SIZE);
    assert_non_null(memory);
    for (size_t m = 0; m < RG_COUNT(masks); m++) {
        const rg_vector_kernel *v = rg_vector_kernel_for(features() & masks[m]);
        for (int i = 0; i < 2 * SIZE; i++) memory[i] = (char)(i % 127 + 1);
        assert_int_equal(v->read(memory, SIZE, RG_MOVE_BYTE, 7), 2 * RG_MOVE_BYTE);
        assert_int_equal(v->copy(memory, SIZE, RG_MOVE_BYTE, 2), 0);
        for (int i = 0; i < SIZE; i++) { /* the first piece has not been copied */
            int from = i < RG_MOVE_BYTE ? SIZE + i : i;
            assert_int_equal(memory[SIZE + i], from % 127 + 1);
        }
        assert_int_equal(v->write(memory, SIZE, 2 * RG_MOVE_BYTE, 2), RG_MOVE_BYTE);
        for (int i = 0; i < 2 * SIZE; i++) {
            bool written = i < RG_MOVE_BYTE || (i >= 2 * RG_MOVE_BYTE && i < SIZE);
            assert_int_equal(memory[i] == 0, written);
        }
    }
    free(memory);
}

/* One circle: back at the beginning after as many steps as there are lines, and not before. */
static void a_chase_visits_every_line(void **state)
{
    (void)state;
    static const size_t lines[] = {1, 2, 3, 64, 1000};
    for (size_t i = 0; i < RG_COUNT(lines); i++) {
        char *memory = aligned_alloc(64, lines[i] * RG_CHASE_BYTE), *at;
        assert_non_null(memory);
        rg_chase_make(memory, lines[i] * RG_CHASE_BYTE, i);
        at = memory;
        for (size_t k = 1; k < lines[i]; k++) {
            at = rg_chase_run(at, 1);
            assert_true(at != memory && (at - memory) % RG_CHASE_BYTE == 0);
        }
        assert_ptr_equal(rg_chase_run(at, 1), memory);
        assert_ptr_equal(rg_chase_run(memory, (int64_t)lines[i]), memory);
        free(memory);
    }
}

/* ---- a machine that was never measured ---- */

/* Four cores at 2 GHz with two 256 bit multiply-adds; a matrix unit that no kernel measures. */
static const char machine[] =
    "{\"schema\": \"ridge.device/1\", \"name\": \"Model 4\", \"vendor\": \"v\", \"kind\": \"cpu\","
    " \"architecture\": \"a\", \"year\": 2020, \"aliases\": [], \"modelled\": false, \"note\": "
    "\"" RG_DETECTED_NOTE " And more.\","
    " \"engines\": [{\"id\": \"core\", \"kind\": \"core\", \"count\": 4, \"clock_base_hz\": 2e9,"
    "  \"clock_max_hz\": 2e9, \"threads\": 1, \"simd_bit\": 256, \"source\": \"s\"}],"
    " \"peaks\": ["
    "  {\"engine\": \"core\", \"unit\": \"vector\", \"dtype\": \"f32\", \"accumulate\": \"f32\", \"dense\": "
    "true,"
    "   \"op_per_clock\": 32, \"at_clock_hz\": 2e9, \"op_per_s\": 256e9, \"source\": \"s\"},"
    "  {\"engine\": \"core\", \"unit\": \"vector\", \"dtype\": \"bf16\", \"accumulate\": \"f32\", \"dense\": "
    "true,"
    "   \"op_per_clock\": 64, \"at_clock_hz\": 2e9, \"op_per_s\": 512e9, \"source\": \"s\"},"
    "  {\"engine\": \"core\", \"unit\": \"matrix\", \"dtype\": \"i8\", \"accumulate\": \"i32\", \"dense\": "
    "true,"
    "   \"op_per_clock\": 2048, \"at_clock_hz\": 2e9, \"op_per_s\": 16384e9, \"source\": \"s\"}],"
    " \"levels\": ["
    "  {\"name\": \"l1\", \"scope\": \"unit\", \"sharers\": 1, \"count\": 4, \"capacity_byte\": 32768,"
    "   \"usable_byte\": 32768, \"read_byte_per_s\": 512e9, \"write_byte_per_s\": 256e9, \"latency_s\": 2e-9,"
    "   \"pj_per_byte\": 1, \"source\": \"s\"},"
    "  {\"name\": \"l2\", \"scope\": \"device\", \"sharers\": 4, \"count\": 1, \"capacity_byte\": 4194304,"
    "   \"usable_byte\": 4194304, \"read_byte_per_s\": 200e9, \"write_byte_per_s\": 100e9, \"latency_s\": "
    "9e-9,"
    "   \"pj_per_byte\": 4, \"source\": \"s\"},"
    "  {\"name\": \"dram\", \"scope\": \"device\", \"sharers\": 4, \"count\": 1, \"capacity_byte\": 8e9,"
    "   \"usable_byte\": 8e9, \"read_byte_per_s\": 50e9, \"write_byte_per_s\": 50e9, \"latency_s\": 1e-7,"
    "   \"sustained_fraction\": 0.8, \"pj_per_byte\": 100, \"source\": \"s\"}],"
    " \"power\": {\"idle_w\": 5, \"cap_w\": 20, \"source\": \"s\"},"
    " \"energy\": {\"pj_per_op\": {\"f32\": 30}, \"source\": \"s\"},"
    " \"vf\": [{\"clock_hz\": 1e9, \"voltage_v\": 0.7}, {\"clock_hz\": 2e9, \"voltage_v\": 1.0}],"
    " \"vf_source\": \"s\", \"launch_s\": 5e-6, \"launch_source\": \"s\","
    " \"sources\": {\"s\": {\"title\": \"made up\"}}}";

typedef struct scene { rg_ctx *cx; rg_calibration c; } scene;

static int begin(void **state)
{
    static const unsigned x86 =
        RG_CPU_BIT(AVX512F) | RG_CPU_BIT(AVX512_BF16) | RG_CPU_BIT(AVX2) | RG_CPU_BIT(FMA);
    scene *s = calloc(1, sizeof *s);
    if (!s || !(s->cx = rg_ctx_new(NULL))) return -1;
    s->c.features = x86;
    s->c.on = (rg_made_on){.cpu = "Model 4", .kernel = "Linux 9.9", .date = "2026-01-31", .cores = 4};
    for (size_t i = 0; i < 4; i++) CPU_SET(i, &s->c.cpus[0]);
    if (rg_device_parse(s->cx, RG_LIT(machine), "model-4", &s->c.detected)) return -1;
    *state = s;
    return rg_calibrate_plan(s->cx, &s->c);
}

static int end(void **state)
{
    scene *s = *state;
    rg_device_free(s->c.detected);
    rg_ctx_free(s->cx);
    free(s);
    return 0;
}

static rg_gauge *gauge(scene *s, rg_gauge_kind kind, int row, bool all)
{
    for (size_t i = 0; i < s->c.count; i++) {
        rg_gauge *g = &s->c.gauges[i];
        if (g->kind == kind && g->row == row && g->all == all) return g;
    }
    fail_msg("there is no gauge of kind %d, row %d", (int)kind, row);
    return NULL;
}

static void set(scene *s, rg_gauge_kind kind, int row, bool all, double value)
{
    rg_gauge *g = gauge(s, kind, row, all);
    g->value = g->best = value;
    g->spread = 0.012;
    g->samples = 30;
}

static bool has_bf16_kernel(const scene *s)
{
    rg_peak_kernel k;
    return rg_peak_kernel_for(&s->c.detected->peaks[1], s->c.features, &k);
}

/* 3 GHz alone, 2.8 GHz together; 90 % of f32 was reached. */
static void measure(scene *s, double bf16_op_per_s)
{
    static const double reads[] = {700e9, 220e9, 30e9}, waits[] = {1.5e-9, 8e-9, 120e-9};
    set(s, RG_GAUGE_CLOCK, 0, false, 3e9);
    set(s, RG_GAUGE_CLOCK, 0, true, 2.8e9);
    set(s, RG_GAUGE_PEAK, 0, true, 0.9 * 4 * 32 * 2.8e9);
    if (has_bf16_kernel(s)) set(s, RG_GAUGE_PEAK, 1, true, bf16_op_per_s);
    for (int i = 0; i < 3; i++) {
        set(s, RG_GAUGE_READ, i, true, reads[i]);
        set(s, RG_GAUGE_WRITE, i, true, reads[i] / 2);
        set(s, RG_GAUGE_COPY, i, true, reads[i] / 1.5);
        set(s, RG_GAUGE_LATENCY, i, false, waits[i]);
    }
    set(s, RG_GAUGE_PEAK, 0, false, 95e9);
    set(s, RG_GAUGE_READ, 2, false, 18e9);
    set(s, RG_GAUGE_FORK, 0, true, 7e-7);
}

static const rg_peak *peak_of(const rg_device *d, rg_unit_kind unit, rg_hw_dtype dtype)
{
    return rg_device_peak(d, -1, (int)unit, dtype);
}

/* ---- the plan ---- */

static void what_is_measured(void **state)
{
    scene *s = *state;
    assert_int_equal(gauge(s, RG_GAUGE_CLOCK, 0, true)->cores, 4);
    assert_int_equal(gauge(s, RG_GAUGE_CLOCK, 0, false)->cores, 1);
    assert_int_equal(gauge(s, RG_GAUGE_FORK, 0, true)->cores, 4);
    for (size_t i = 0; i < s->c.count; i++) {
        const rg_gauge *g = &s->c.gauges[i];
        assert_true(g->samples == 0);
        assert_false(g->kind == RG_GAUGE_PEAK && g->row == 2);          /* no kernel for matrix units */
        assert_false(g->kind == RG_GAUGE_LATENCY && g->all);
    }
    /* what l1 cannot hold and l2 can, alone and by four */
    assert_true(gauge(s, RG_GAUGE_READ, 0, false)->footprint_byte == 16384);
    assert_true(gauge(s, RG_GAUGE_READ, 1, false)->footprint_byte == 32768 + 4194304 / 4);
    assert_true(gauge(s, RG_GAUGE_READ, 1, true)->footprint_byte == 32768 + 4194304 / 4 / 4);
    /* four times the caches would be 17 MB: the least walk, shared by four */
    assert_true(gauge(s, RG_GAUGE_READ, 2, false)->footprint_byte == 67108864);
    assert_true(gauge(s, RG_GAUGE_READ, 2, true)->footprint_byte == 67108864 / 4);
}

static void one_core_has_no_team(void **state)
{
    scene *s = *state;
    CPU_ZERO(&s->c.cpus[0]);
    CPU_SET(7, &s->c.cpus[0]);
    assert_int_equal(rg_calibrate_plan(s->cx, &s->c), RG_OK);
    for (size_t i = 0; i < s->c.count; i++) assert_true(!s->c.gauges[i].all && s->c.gauges[i].cores == 1);
    CPU_ZERO(&s->c.cpus[0]);
    assert_int_equal(rg_calibrate_plan(s->cx, &s->c), RG_FAILED);
}

/* ---- the profile ---- */

static void figures_replace_estimates(void **state)
{
    scene *s = *state;
    const rg_device *d;
    measure(s, 2 * 0.9 * 4 * 32 * 2.8e9);
    if (rg_calibrate_apply(s->cx, &s->c, &d)) fail_msg("%s", rg_ctx_error(s->cx));
    assert_int_equal(rg_device_check(s->cx, d), RG_OK);
    assert_true(d->engines[0].clock_max_hz == 3e9 && d->engines[0].clock_base_hz == 2e9);
    const rg_peak *f32 = peak_of(d, RG_VECTOR, RG_HW_F32), *i8 = peak_of(d, RG_MATRIX, RG_HW_I8);
    assert_true(near(f32->op_per_s, 322.56e9, 1e-12));
    assert_true(near(f32->op_per_clock, 28.8, 1e-12) && f32->at_clock_hz == 2.8e9);
    assert_true(near(i8->op_per_s, 4 * 2048 * 2.8e9, 1e-12)); /* follows the clock, and says so */
    assert_non_null(strstr(i8->source, "not measured"));
    assert_non_null(strstr(f32->source, "median of 30, spread 1.2 %, 2026-01-31"));
    assert_true(d->levels[0].read_byte_per_s == 700e9 && d->levels[0].write_byte_per_s == 350e9);
    assert_true(d->levels[2].sustained_fraction == 1 && d->levels[2].latency_s == 120e-9);
    assert_true(f32->alone_op_per_s == 95e9 && i8->alone_op_per_s == 0);
    assert_true(d->levels[2].alone_read_byte_per_s == 18e9 && d->levels[0].alone_read_byte_per_s == 0);
    assert_true(d->launch_s == 7e-7);
    assert_true(near(d->vf[0].clock_hz, 1.5e9, 1e-12) && near(d->vf[1].clock_hz, 3e9, 1e-12));
    /* joules a second at the f32 peak stay what they were */
    assert_true(near(d->pj_per_op[RG_HW_F32] * f32->op_per_s, 30 * 256e9, 1e-12));
    assert_non_null(strstr(d->note, "Measured on this machine on 2026-01-31"));
    assert_non_null(strstr(d->note, " And more."));
    assert_null(strstr(d->note, RG_DETECTED_NOTE));
    rg_device_free(d);
}

/* Half of the cores' time is what a control group leaves: rates are of that half, clocks are not. */
static void a_share_of_the_cores(void **state)
{
    scene *s = *state;
    const rg_device *d;
    rg_device *half;
    assert_int_equal(rg_device_clone(s->cx, s->c.detected, &half), RG_OK);
    half->engines[0].count = 2;
    for (size_t i = 0; i < half->peak_count; i++) half->peaks[i].op_per_s /= 2;
    rg_device_free(s->c.detected);
    s->c.detected = half;
    measure(s, 2 * 0.9 * 4 * 32 * 2.8e9);
    assert_int_equal(rg_calibrate_apply(s->cx, &s->c, &d), RG_OK);
    assert_true(near(peak_of(d, RG_VECTOR, RG_HW_F32)->op_per_s, 161.28e9, 1e-12));
    assert_true(near(peak_of(d, RG_VECTOR, RG_HW_F32)->op_per_clock, 28.8, 1e-12));
    assert_true(near(d->levels[2].read_byte_per_s, 15e9, 1e-12));
    rg_device_free(d);
}

/* No profile may state a narrower type as slower: it is not stated at all then. */
static void a_slow_narrow_type_goes(void **state)
{
    scene *s = *state;
    const rg_device *d;
    if (!has_bf16_kernel(s)) skip();
    measure(s, 100e9);
    assert_int_equal(rg_calibrate_apply(s->cx, &s->c, &d), RG_OK);
    assert_null(peak_of(d, RG_VECTOR, RG_HW_BF16));
    assert_int_equal(d->peak_count, 2);
    rg_device_free(d);
}

/* Four cores that do less than one, or, with others seen, less than four: somebody else had them. */
static void figures_without_sense(void **state)
{
    scene *s = *state;
    const rg_device *d;
    static const struct {
        rg_gauge_kind kind;
        double one, all;
        bool seen;
        rg_err err;
        const char *text;
    } rows[] = {
        {RG_GAUGE_CLOCK, 3e9, 0.7e9, false, RG_FAILED, "clock: 4 cores reach 700 MHz, one alone 3.00 GHz"},
        {RG_GAUGE_CLOCK, 3e9, 1.5e9, false, RG_OK, ""},
        {RG_GAUGE_PEAK, 100e9, 40e9, false, RG_FAILED, "arithmetic: 4 cores reach 40.0 Gop/s"},
        {RG_GAUGE_PEAK, 100e9, 200e9, false, RG_OK, ""},
        {RG_GAUGE_PEAK, 100e9, 200e9, true, RG_FAILED, "arithmetic: 4 cores reach 200 Gop/s"},
        {RG_GAUGE_PEAK, 100e9, 300e9, true, RG_OK, ""}, /* of 373: their clock is lower together */
        {RG_GAUGE_READ, 200e9, 100e9, false, RG_FAILED,
         "reading: 4 cores reach 100 GB/s, one alone 200 GB/s"},
        {RG_GAUGE_COPY, 200e9, 190e9, false, RG_OK, ""},
        {RG_GAUGE_COPY, 200e9, 190e9, true, RG_FAILED, "copying: 4 cores reach 190 GB/s"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        measure(s, 2 * 0.9 * 4 * 32 * 2.8e9);
        set(s, rows[i].kind, 0, false, rows[i].one);
        set(s, rows[i].kind, 0, true, rows[i].all);
        gauge(s, rows[i].kind, 0, true)->disturbed = rows[i].seen;
        assert_int_equal(rg_calibrate_apply(s->cx, &s->c, &d), rows[i].err);
        if (!strstr(rg_ctx_error(s->cx), rows[i].text)) fail_msg("%s", rg_ctx_error(s->cx));
        rg_device_free(d);
        gauge(s, rows[i].kind, 0, false)->samples = 0;
        gauge(s, rows[i].kind, 0, true)->disturbed = false;
    }
}

/* A gauge without samples changes nothing. */
static void nothing_measured(void **state)
{
    scene *s = *state;
    const rg_device *d;
    assert_int_equal(rg_calibrate_apply(s->cx, &s->c, &d), RG_OK);
    assert_true(d->engines[0].clock_max_hz == 2e9 && d->levels[1].read_byte_per_s == 200e9);
    assert_true(peak_of(d, RG_VECTOR, RG_HW_F32)->op_per_s == 256e9 && d->launch_s == 5e-6);
    rg_device_free(d);
}

/* ---- the file ---- */

static void profiles_read_back(void **state)
{
    scene *s = *state;
    const rg_device *d, *back;
    rg_str json, again;
    measure(s, 2 * 0.9 * 4 * 32 * 2.8e9);
    assert_int_equal(rg_calibrate_apply(s->cx, &s->c, &d), RG_OK);
    assert_int_equal(rg_device_write(s->cx, d, &json), RG_OK);
    if (rg_device_parse(s->cx, json, "host", &back)) fail_msg("%s", rg_ctx_error(s->cx));
    assert_string_equal(back->made_on.cpu, "Model 4");
    assert_string_equal(back->made_on.kernel, "Linux 9.9");
    assert_string_equal(back->made_on.date, "2026-01-31");
    assert_true(back->made_on.cores == 4 && !back->detected);
    assert_int_equal(back->peak_count, d->peak_count);
    for (size_t i = 0; i < d->peak_count; i++) {
        assert_true(near(back->peaks[i].op_per_s, d->peaks[i].op_per_s, 1e-11));
        assert_string_equal(back->peaks[i].source, d->peaks[i].source);
    }
    for (size_t i = 0; i < d->level_count; i++)
        assert_true(near(back->levels[i].latency_s, d->levels[i].latency_s, 1e-11));
    assert_int_equal(rg_device_write(s->cx, back, &again), RG_OK);
    assert_true(rg_str_eq(json, again));
    rg_device_free(back);
    rg_device_free(d);
}

static const rg_device *read_back(scene *s, const rg_device *d, rg_str *json)
{
    const rg_device *back;
    assert_int_equal(rg_device_write(s->cx, d, json), RG_OK);
    if (rg_device_parse(s->cx, *json, "back", &back)) fail_msg("%s", rg_ctx_error(s->cx));
    return back;
}

/* Whatever is in a profile comes back: one of every kind that ships, with modes, links, clocks, tiles.
 * Figures are rounded once: from then on the text stays. */
static void shipped_profiles_read_back(void **state)
{
    scene *s = *state;
    static const char *const ids[] = {"t4", "h100-sxm", "i7-12700k", "tpu-v4", "kpu-t256", "hailo-8",
                                      "jetson-orin-nano-8gb", "raspberry-pi-5"};
    for (size_t i = 0; i < RG_COUNT(ids); i++) {
        const rg_device *d;
        rg_str json, rounded, again;
        assert_int_equal(rg_device_find(s->cx, ids[i], &d), RG_OK);
        const rg_device *once = read_back(s, d, &json), *twice = read_back(s, once, &rounded);
        assert_int_equal(rg_device_write(s->cx, twice, &again), RG_OK);
        if (!rg_str_eq(rounded, again)) fail_msg("%s is another when it is read back", ids[i]);
        assert_true(once->mode_count == d->mode_count && once->link_count == d->link_count);
        assert_true(near(once->active_w, d->active_w, 1e-11) && once->clock_count == d->clock_count);
        for (size_t k = 0; k < d->peak_count; k++)
            assert_true(near(once->peaks[k].op_per_s, d->peaks[k].op_per_s, 1e-11));
        for (size_t k = 0; k < d->level_count; k++)
            assert_true(near(once->levels[k].pj_per_byte, d->levels[k].pj_per_byte, 1e-11));
        rg_device_free(twice);
        rg_device_free(once);
        rg_device_free(d);
    }
}

/* ---- host ---- */

static const char *write_file(scene *s, const char *text, size_t size)
{
    char path[] = "/tmp/ridge-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    close(fd);
    return rg_arena_printf(&s->cx->arena, "%s", path);
}

static void the_host_is_what_was_measured_on_it(void **state)
{
    scene *s = *state;
    const rg_device *d, *host;
    rg_str json;
    measure(s, 2 * 0.9 * 4 * 32 * 2.8e9);
    assert_int_equal(rg_host_made_on(s->cx, s->c.detected, &s->c.on), RG_OK);
    assert_string_equal(s->c.on.cpu, "Model 4");
    assert_true(s->c.on.cores == 4);
    s->c.on.date = "2026-01-31";
    static const struct { const char *cpu, *kernel; double cores; const char *why; } rows[] = {
        {NULL, NULL, 0, NULL},
        {"Model 5", NULL, 0, "it was measured on Model 5, this is Model 4"},
        {NULL, "Linux 1.0", 0, "it was measured under Linux 1.0, this is"},
        {NULL, NULL, 3, "it was measured with 3 cores, there are 4"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_calibration c = s->c;
        if (rows[i].cpu) c.on.cpu = rows[i].cpu;
        if (rows[i].kernel) c.on.kernel = rows[i].kernel;
        if (rows[i].cores > 0) c.on.cores = rows[i].cores;
        assert_int_equal(rg_calibrate_apply(s->cx, &c, &d), RG_OK);
        assert_int_equal(rg_device_write(s->cx, d, &json), RG_OK);
        const char *path = write_file(s, json.data, json.size);
        assert_int_equal(rg_host_choose_profile(s->cx, path, s->c.detected, &host), RG_OK);
        assert_int_equal(rows[i].why == NULL, host->made_on.cpu != NULL);
        if (!rows[i].why) assert_string_equal(rg_device_id(host), "host");
        else if (!strstr(host->note, rows[i].why)) fail_msg("%s", host->note);
        rg_device_free(host);
        rg_device_free(d);
        unlink(path);
    }
}

static void a_broken_profile_is_no_obstacle(void **state)
{
    scene *s = *state;
    static const struct { const char *text, *why; } rows[] = {
        {"{", "line 1"},
        {"{}", "schema: is missing"},
        {machine, "does not say which machine"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const rg_device *host;
        const char *path = write_file(s, rows[i].text, strlen(rows[i].text));
        assert_int_equal(rg_host_choose_profile(s->cx, path, s->c.detected, &host), RG_OK);
        assert_true(host->peaks[0].op_per_s == 256e9);
        if (!strstr(host->note, rows[i].why) || !strstr(host->note, path)) fail_msg("%s", host->note);
        rg_device_free(host);
        unlink(path);
    }
    const rg_device *host;
    assert_int_equal(rg_host_choose_profile(s->cx, NULL, s->c.detected, &host), RG_OK);
    assert_ptr_equal(host, s->c.detected);
    rg_device_free(host);
    assert_int_equal(rg_host_choose_profile(s->cx, "/nowhere.json", s->c.detected, &host), RG_OK);
    assert_ptr_equal(host, s->c.detected);
    rg_device_free(host);
}

static void where_the_profile_is(void **state)
{
    scene *s = *state;
    static const struct { const char *own, *data, *home, *path; } rows[] = {
        {"/a/b.json", "/data", "/home/u", "/a/b.json"},
        {"", "/data", "/home/u", NULL},
        {NULL, "/data", "/home/u", "/data/ridge/hw/host.json"},
        {NULL, "relative", "/home/u", "/home/u/.local/share/ridge/hw/host.json"},
        {NULL, NULL, "/home/u", "/home/u/.local/share/ridge/hw/host.json"},
        {NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const struct { const char *name, *value; } set_to[] = {
            {"RIDGE_HOST", rows[i].own}, {"XDG_DATA_HOME", rows[i].data}, {"HOME", rows[i].home},
        };
        const char *path;
        for (size_t k = 0; k < RG_COUNT(set_to); k++)
            if (set_to[k].value) setenv(set_to[k].name, set_to[k].value, 1);
            else unsetenv(set_to[k].name);
        assert_int_equal(rg_host_profile_path(s->cx, &path), RG_OK);
        assert_int_equal(path == NULL, rows[i].path == NULL);
        if (path) assert_string_equal(path, rows[i].path);
    }
    setenv("RIDGE_HOST", "", 1);
}

/* ---- the document ---- */

static void the_report_obeys_its_schema(void **state)
{
    scene *s = *state;
    const rg_device *d;
    rg_doc *doc;
    char where[512] = "", *text = NULL;
    size_t size = 0;
    double x;
    measure(s, 2 * 0.9 * 4 * 32 * 2.8e9);
    s->c.gauges[0].disturbed = true;
    assert_int_equal(rg_calibrate_apply(s->cx, &s->c, &d), RG_OK);
    assert_int_equal(rg_doc_new(s->cx, "ridge.calibration/1", &doc), RG_OK);
    rg_calibrate_describe(doc, &s->c, d, "/x/host.json");
    assert_int_equal(rg_doc_done(s->cx, doc), RG_OK);
    assert_true(rg_doc_number(doc, "peaks[0].ratio", &x) && near(x, 322.56 / 256, 1e-12));
    assert_true(rg_doc_number(doc, "levels[2].ratio", &x) &&
                near(x, 30.0 / 40, 1e-12)); /* of what is sustained */
    assert_true(rg_doc_number(doc, "clocks[0].all_hz", &x) && x == 2.8e9);
    assert_true(rg_doc_number(doc, "ridge_points[2].intensity", &x) && near(x, 322.56 / 30, 1e-12));
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(rg_doc_write(s->cx, doc, "json", out), RG_OK);
    fclose(out);
    json_t *json = json_loadb(text, size, 0, NULL), *schema = schema_load("calibration", where, sizeof where);
    if (!json || !schema || !schema_obeyed(schema, json, where, sizeof where)) fail_msg("%s", where);
    json_decref(json);
    json_decref(schema);
    free(text);
    out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(rg_doc_write(s->cx, doc, "text", out), RG_OK);
    fclose(out);
    assert_non_null(strstr(text, "Other programs used the processors"));
    free(text);
    rg_doc_free(doc);
    rg_device_free(d);
}

static bool stop(void *user, size_t done, size_t total)
{
    (void)total;
    return done < *(const size_t *)user;
}

static void stopping_leaves_no_profile(void **state)
{
    scene *s = *state;
    size_t most = 0;
    rg_doc *doc;
    char dir[] = "/tmp/ridge-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    const char *path = rg_arena_printf(&s->cx->arena, "%s/host.json", dir);
    rg_calibrate_opt opt = {
        .size = sizeof opt, .output = path, .quick = true, .progress = stop, .user = &most};
    assert_int_equal(rg_calibrate_doc(s->cx, &opt, &doc), RG_INTERRUPTED);
    assert_null(doc);
    assert_int_equal(rmdir(dir), 0); /* it is empty */
}

static void no_place(void **state)
{
    scene *s = *state;
    rg_doc *doc;
    setenv("RIDGE_HOST", "", 1);
    assert_int_equal(rg_calibrate_doc(s->cx, NULL, &doc), RG_USAGE);
    assert_non_null(strstr(rg_ctx_error(s->cx), "--output"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_count_their_work),
        cmocka_unit_test(clocks_count_additions),
        cmocka_unit_test(walks_go_round),
        cmocka_unit_test(a_chase_visits_every_line),
        TEST(what_is_measured),
        TEST(one_core_has_no_team),
        TEST(figures_replace_estimates),
        TEST(a_share_of_the_cores),
        TEST(a_slow_narrow_type_goes),
        TEST(figures_without_sense),
        TEST(nothing_measured),
        TEST(profiles_read_back),
        TEST(shipped_profiles_read_back),
        TEST(the_host_is_what_was_measured_on_it),
        TEST(a_broken_profile_is_no_obstacle),
        TEST(where_the_profile_is),
        TEST(the_report_obeys_its_schema),
        TEST(stopping_leaves_no_profile),
        TEST(no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
