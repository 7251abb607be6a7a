/* test_forecast.c - time, energy and power on a machine with round numbers, worked out by hand; how they
 * move with batch, precision, bandwidth and clock; and that every check can fail.
 */
#include "machine.h"

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

#define HEAD "ridge.graph/1 \"net\" opset 20\n"

/* 600 x 1000 x 160: 96e6 multiply-adds are 192 us of arithmetic; A, B and C of 2400, 640 and 384 kB are
 * 34.24 us of memory. 100 x 10 register blocks of 6 x 16 divide evenly among 10 cores: no tail. */
#define GEMM HEAD "const %w = f32[1000,160] none\ngraph (%x: f32[600,1000]) { %y = MatMul(%x, %w) return %y }"
#define GEMM_RELU                                                                                          \
    HEAD "const %w = f32[1000,160] none\n"                                                                 \
    "graph (%x: f32[600,1000]) { %p = MatMul(%x, %w) %y = Relu(%p) return %y }"
/* A million elements read and written are 80 us, their comparisons 1 us. */
#define RELU HEAD "graph (%x: f32[1000,1000]) { %y = Relu(%x) return %y }"
#define RULES \
    "[{\"name\": \"gemm\", \"anchor\": [\"MatMul\"], \"follow\": [\"Relu\"], \"why\": \"epilogue\"}]"

static bench priced(rg_ctx *cx, const knobs *k, const char *text, double core_hz)
{
    bench b = {.cx = cx};
    if (bench_round(&b, k, text, core_hz)) fail_msg("%s", rg_ctx_error(cx));
    return b;
}

static void assert_near(double got, double wanted, double apart)
{
    if (!(fabs(got - wanted) <= apart * fabs(wanted))) fail_msg("got %.17g, wanted %.17g", got, wanted);
}

static void assert_close(double got, double wanted) { assert_near(got, wanted, 1e-9); }

static const rg_check *check_named(const rg_forecast *f, const char *name)
{
    for (uint32_t i = 0; i < f->check_count; i++)
        if (strcmp(f->checks[i].name, name) == 0) return &f->checks[i];
    fail_msg("no check %s", name);
    return NULL;
}

static void assert_checks_pass(const rg_forecast *f)
{
    for (uint32_t i = 0; i < f->check_count; i++)
        if (!f->checks[i].pass) fail_msg("%s: %s", f->checks[i].name, f->checks[i].text);
}

/* ---- closed forms ---- */

static void a_product_is_bound_by_compute(void **state)
{
    bench b = priced(*state, NULL, GEMM, 0);
    const rg_row_cost *c = b.forecast->rows;
    assert_int_equal(c->limit_count, 2);
    assert_close(c->limits[0].time_s, 192e-6);
    assert_close(c->limits[1].time_s, 34.24e-6);
    assert_int_equal(c->bound, RG_BOUND_COMPUTE);
    assert_close(c->terms_s[RG_TERM_BUSY], 192e-6);
    assert_true(c->terms_s[RG_TERM_TAIL] == 0 && c->terms_s[RG_TERM_CORRECTION] == 0);
    assert_close(c->terms_s[RG_TERM_LAUNCH], 2e-6 + 1e-6); /* host, then fork and join */
    assert_close(c->latency_s, 195e-6);
    assert_close(b.forecast->latency_s.value, 195e-6 + 10e-6);
    assert_close(c->intensity, 192e6 / 3.424e6);
    assert_close(c->ridge, 10); /* 1e12 op/s over 1e11 byte/s */
    assert_close(c->utilization, 192.0 / 195);
    assert_close(c->energy.compute_j, 192e6 * 1e-12);
    assert_close(c->energy.memory_j, 3.424e6 * 10e-12);
    assert_close(c->energy.static_j, 10 * 195e-6);
    double joules = 192e-6 + 34.24e-6 + 10 * 205e-6;
    assert_close(b.forecast->energy_j.value, joules);
    assert_close(b.forecast->power_w.value, joules / 205e-6);
    assert_close(b.forecast->wasted_j, 10 * 195e-6 * 3 / 195 + 10 * 10e-6);
    assert_string_equal(b.forecast->bound, "compute");
    assert_false(b.forecast->capped);
    assert_checks_pass(b.forecast);
    bench_free(&b);
}

static void a_pointwise_row_is_bound_by_memory(void **state)
{
    knobs k = machine_default;
    k.active_w = 5, k.ready_w = 2; /* beside the idle power, while cores work, and while they are started */
    bench b = priced(*state, &k, RELU, 0);
    const rg_row_cost *c = b.forecast->rows;
    assert_close(c->limits[0].time_s, 1e-6);
    assert_close(c->limits[1].time_s, 80e-6);
    assert_int_equal(c->bound, RG_BOUND_MEMORY);
    assert_string_equal(c->limits[c->binding].name, "dram");
    assert_close(c->latency_s, 83e-6);
    assert_close(c->energy.compute_j, 1e-6);
    assert_close(c->energy.memory_j, 80e-6);
    assert_close(c->energy.static_j, 10 * 83e-6 + 5 * 80e-6 + 2 * 3e-6);
    assert_close(b.forecast->energy_j.value, c->energy_j + (10 + 2) * 10e-6);
    assert_close(b.forecast->latency_s.value, 93e-6);
    assert_string_equal(b.forecast->bound, "memory");
    assert_checks_pass(b.forecast);
    bench_free(&b);
}

/* Weights of 8 bits cost two operations each, in each block of rows, beside what the product costs. */
static void narrow_weights_are_unpacked(void **state)
{
    static const char text[] = HEAD "const %w = f32[64,64] none\n"
                                    "graph (%x: f32[32,64]) { %y = MatMul(%x, %w) return %y }";
    for (int narrow = 0; narrow < 2; narrow++) {
        bench b = {.cx = *state};
        rg_err err = machine_device(*state, &machine_default, &b.device);
        if (!err) err = machine_runtime(*state, &machine_default, &b.runtime);
        if (!err) err = machine_forecast(&b, text, narrow ? "model+w=i8" : NULL, 0, 0);
        if (err) fail_msg("%s", rg_ctx_error(*state));
        double blocks = ceil(32 / b.plan->rows[0].tiling.tile[0]);
        assert_close(b.forecast->rows[0].energy.compute_j,
                     (2 * 32 * 64 * 64 + narrow * 2 * 64 * 64 * blocks) * 1e-12);
        bench_free(&b);
    }
}

/* exp costs as much as 16 additions. */
static void special_functions_cost_more(void **state)
{
    bench b = priced(*state, NULL, HEAD "graph (%x: f32[1000,1000]) { %y = Exp(%x) return %y }", 0);
    assert_close(b.forecast->rows[0].limits[0].time_s, 16e-6);
    assert_close(b.forecast->rows[0].energy.compute_j, 16e-6);
    bench_free(&b);
}

/* 7.68 us of memory and 3 us of launch for a Relu of its own; 0.096 us of arithmetic inside the product's
 * row. */
/* Rows of up to so many elements stay in registers. */
static void short_rows_stay_in_registers(void **state)
{
    (void)state;
    const rg_efficiency some = {.compute = 0.25, .held_k = 64, .held_compute = 0.5}, none = {.compute = 0.25};
    rg_row row = {.efficiency = &some, .work = {.k = 64}};
    assert_true(rg_row_compute_share(&row) == 0.5);
    row.work.k = 65;
    assert_true(rg_row_compute_share(&row) == 0.25);
    row.work.k = 0; /* no rows */
    assert_true(rg_row_compute_share(&row) == 0.25);
    row = (rg_row){.efficiency = &none, .work = {.k = 1}};
    assert_true(rg_row_compute_share(&row) == 0.25);
}

static void fusing_saves_launch_and_traffic(void **state)
{
    knobs k = machine_default;
    bench alone = priced(*state, &k, GEMM_RELU, 0);
    k.rules = RULES;
    bench fused = priced(*state, &k, GEMM_RELU, 0);
    assert_int_equal(alone.plan->row_count, 2);
    assert_int_equal(fused.plan->row_count, 1);
    assert_close(alone.forecast->latency_s.value, 195e-6 + 7.68e-6 + 3e-6 + 10e-6);
    assert_close(fused.forecast->latency_s.value, 195e-6 + 0.096e-6 + 10e-6);
    assert_true(fused.forecast->energy_j.value < alone.forecast->energy_j.value);
    assert_checks_pass(alone.forecast);
    assert_checks_pass(fused.forecast);
    bench_free(&alone);
    bench_free(&fused);
}

/* Ahead of the device, the host shows only where the row is shorter than its launch. */
static void launches_hide_behind_work(void **state)
{
    static const char tiny[] = HEAD "graph (%x: f32[16]) { %y = Relu(%x) return %y }",
        large[] = HEAD "graph (%x: f32[2048,2048]) { %y = MatMul(%x, %x) return %y }";
    bench few = {.cx = *state}, many = {.cx = *state};
    assert_int_equal(bench_known(&few, "t4", "pytorch-eager", tiny, NULL, 0), RG_OK);
    assert_int_equal(bench_known(&many, "t4", "pytorch-eager", large, NULL, 0), RG_OK);
    assert_true(few.runtime->launch_hidden);
    assert_close(few.forecast->rows[0].latency_s, few.runtime->launch_s);
    assert_int_equal(few.forecast->rows[0].bound, RG_BOUND_LAUNCH);
    assert_string_equal(few.forecast->bound, "overhead");
    /* the floor of the device cannot be hidden */
    assert_close(many.forecast->rows[0].terms_s[RG_TERM_LAUNCH], many.device->launch_s);
    bench_free(&few);
    bench_free(&many);
}

/* On a CPU there is nobody else to run ahead: 2 us of launch, and one core, so no fork. */
static void a_cpu_hides_no_launch(void **state)
{
    static const char tiny[] = HEAD "graph (%x: f32[16]) { %y = Relu(%x) return %y }";
    static const char *const hidden[] = {"false", "true"};
    knobs k = machine_default;
    for (size_t i = 0; i < RG_COUNT(hidden); i++) {
        k.hidden = hidden[i];
        bench b = priced(*state, &k, tiny, 0);
        assert_close(b.forecast->rows[0].latency_s, 2e-6 + 1.28e-9);
        bench_free(&b);
    }
}

/* Launching costs clocks of the host, not seconds: at half the clock twice the time. A CPU is its own
 * host. */
static void launches_follow_the_host_clock(void **state)
{
    static const char tiny[] = HEAD "graph (%x: f32[16]) { %y = Relu(%x) return %y }";
    bench gpu = {.cx = *state}, cpu = {.cx = *state};
    const rg_forecast *half = NULL, *never = NULL;
    assert_int_equal(bench_known(&gpu, "t4", "pytorch-eager", tiny, NULL, 0), RG_OK);
    double stated_hz = gpu.runtime->host_clock_hz;
    rg_forecast_opt opt = {.size = sizeof opt, .host_hz = stated_hz / 2, .learning = RG_LEARN_NONE};
    assert_int_equal(rg_forecast_make(gpu.cx, gpu.plan, &opt, &half), RG_OK);
    assert_close(half->rows[0].latency_s, 2 * gpu.runtime->launch_s);
    assert_close(half->graph_s, 2 * gpu.runtime->graph_s);
    assert_close(gpu.forecast->graph_s, gpu.runtime->graph_s);
    opt.host_hz = -1;
    assert_int_equal(rg_forecast_make(gpu.cx, gpu.plan, &opt, &never), RG_USAGE);
    assert_int_equal(bench_known(&cpu, "i7-12700k", "pytorch-eager", tiny, NULL, 0), RG_OK);
    assert_close(cpu.forecast->graph_s, cpu.runtime->graph_s * stated_hz / cpu.forecast->clock_hz);
    rg_forecast_free(half);
    bench_free(&gpu);
    bench_free(&cpu);
}

/* 7 of 3 us, beside the 10 us of a step: it is awake meanwhile, and each moves a megabyte at 10 pJ/byte. */
static void sequences_take_host_time(void **state)
{
    static const char tiny[] = HEAD "graph (%x: f32[16]) { %y = Relu(%x) return %y }";
    knobs k = machine_default;
    const rg_forecast *f = NULL, *never = NULL;
    rg_forecast_opt opt = {.size = sizeof opt, .sequences = 7};
    k.sequence_s = 3e-6, k.sequence_byte = 1e6, k.active_w = 5, k.ready_w = 2;
    bench b = priced(*state, &k, tiny, 0);
    assert_int_equal(rg_forecast_make(b.cx, b.plan, &opt, &f), RG_OK);
    assert_close(f->graph_s, 10e-6 + 21e-6);
    assert_close(f->latency_s.value - b.forecast->latency_s.value, 21e-6);
    assert_close(f->energy_j.value - b.forecast->energy_j.value, 21e-6 * (10 + 5) + 7 * 10e-6);
    assert_close(f->energy.memory_j - b.forecast->energy.memory_j, 7 * 10e-6);
    assert_checks_pass(f);
    opt.sequences = -1;
    assert_int_equal(rg_forecast_make(b.cx, b.plan, &opt, &never), RG_USAGE);
    rg_forecast_free(f);
    bench_free(&b);
}

/* 606 x 1000 x 16: 101 blocks on 10 cores take 11 rounds, where 10.1 would do. */
static void uneven_blocks_leave_a_tail(void **state)
{
    knobs k = machine_default;
    k.byte_per_s = 1e12;
    bench b = priced(*state, &k,
        HEAD "const %w = f32[1000,16] none\ngraph (%x: f32[606,1000]) { %y = MatMul(%x, %w) return %y }", 0);
    const rg_row_cost *c = b.forecast->rows;
    assert_close(c->terms_s[RG_TERM_BUSY], 19.392e-6);
    assert_close(c->terms_s[RG_TERM_TAIL], 19.392e-6 * (11 / 10.1 - 1));
    assert_close(c->latency_s, 19.392e-6 * 11 / 10.1 + 3e-6);
    assert_int_equal(c->bound, RG_BOUND_COMPUTE);
    assert_checks_pass(b.forecast);
    bench_free(&b);
}

/* ---- clock and cap ---- */

static void a_fixed_clock_slows_compute_only(void **state)
{
    bench half = priced(*state, NULL, GEMM, 0.5e9), memory = priced(*state, NULL, RELU, 0.5e9);
    bench more = priced(*state, NULL, GEMM, 7e9);
    assert_close(half.forecast->rows[0].limits[0].time_s, 384e-6);
    assert_close(half.forecast->clock_hz, 0.5e9);
    assert_close(memory.forecast->rows[0].latency_s, 83e-6);
    assert_close(more.forecast->clock_hz, 1e9); /* no faster than the machine */
    assert_checks_pass(half.forecast);
    bench_free(&half);
    bench_free(&memory);
    bench_free(&more);
    rg_forecast_opt opt = {.size = sizeof opt, .core_hz = -1};
    const rg_forecast *f = NULL;
    bench b = priced(*state, NULL, GEMM, 0);
    assert_int_equal(rg_forecast_make(b.cx, b.plan, &opt, &f), RG_USAGE);
    opt.core_hz = NAN;
    assert_int_equal(rg_forecast_make(b.cx, b.plan, &opt, &f), RG_USAGE);
    bench_free(&b);
}

/* A nanojoule an operation: 0.192 J in 192 us are 1000 W at full clock, beside 10 W idle.
 *     constant voltage    P = 10 + 1000 f          510 W at half the clock
 *     voltage with clock  P = 10 + 1000 f^3        135 W at half the clock
 */
static void the_cap_sets_the_clock(void **state)
{
    static const struct { double voltage, cap_w; } rows[] = {{1, 510}, {0.5, 135}};
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        knobs k = machine_default;
        k.pj_per_op = 1000, k.pj_per_byte = 0, k.launch_s = k.graph_s = 0, k.fork_s = 1e-15;
        k.voltage_half_v = rows[i].voltage, k.cap_w = rows[i].cap_w;
        bench b = priced(*state, &k, GEMM, 0);
        assert_true(b.forecast->capped);
        assert_near(b.forecast->clock_hz, 0.5e9, 0.01);
        assert_near(b.forecast->latency_s.value, 384e-6, 0.01);
        assert_near(b.forecast->power_w.value, rows[i].cap_w, 0.01);
        assert_true(b.forecast->power_w.value <= rows[i].cap_w);
        assert_near(b.forecast->voltage, rows[i].voltage, 0.01);
        assert_checks_pass(b.forecast);
        bench_free(&b);
        k.cap_w = 1011;
        b = priced(*state, &k, GEMM, 0);
        assert_false(b.forecast->capped);
        assert_close(b.forecast->power_w.value, 1010);
        bench_free(&b);
    }
}

/* P = 10 + 1000 f again: the clock is the cap's own, or less by a thousandth at most. */
static void any_cap_is_met_within_a_thousandth(void **state)
{
    static const double caps_w[] = {12, 35, 100, 260, 333, 511, 735, 999, 1009.9};
    for (size_t i = 0; i < RG_COUNT(caps_w); i++) {
        knobs k = machine_default;
        k.pj_per_op = 1000, k.pj_per_byte = 0, k.launch_s = k.graph_s = 0, k.fork_s = 1e-15;
        k.voltage_half_v = 1, k.cap_w = caps_w[i];
        bench b = priced(*state, &k, GEMM, 0);
        double exact_hz = (caps_w[i] - 10) / 1000 * 1e9;
        assert_true(b.forecast->clock_hz <= exact_hz * (1 + 1e-9));
        assert_true(b.forecast->clock_hz >= exact_hz / (1 + 1e-3));
        assert_near(b.forecast->power_w.value, 10 + 1000 * b.forecast->clock_hz / 1e9, 1e-6);
        bench_free(&b);
    }
}

static void a_cap_that_no_clock_holds_is_reported(void **state)
{
    knobs k = machine_default;
    k.cap_w = k.idle_w;
    bench b = priced(*state, &k, GEMM, 0);
    rg_summary summary = {.size = sizeof summary};
    rg_forecast_summary(b.forecast, &summary);
    assert_false(check_named(b.forecast, "power within limits")->pass);
    assert_int_equal(summary.checks_failed, 1);
    bench_free(&b);
}

/* f = 1000, 1200, 1400; t = 1, 0.9, 0.8; E = 100, 120, 140: E t is 100, 108, 112; E t t is 100, 97.2, 89.6.
 */
static void the_best_clock_depends_on_the_question(void **state)
{
    const double clock[] = {1000e6, 1200e6, 1400e6}, time[] = {1.0, 0.9, 0.8}, energy[] = {100, 120, 140};
    rg_best_clock best;
    assert_int_equal(rg_clock_best(*state, clock, time, energy, 3, &best), RG_OK);
    assert_int_equal(best.energy, 0);
    assert_int_equal(best.edp, 0);
    assert_int_equal(best.ed2p, 2);
    const double bad[] = {0, -1, NAN, INFINITY};
    for (size_t i = 0; i < RG_COUNT(bad); i++) {
        const double t[] = {1.0, bad[i], 0.8}, e[] = {100, 120, bad[i]};
        assert_int_equal(rg_clock_best(*state, clock, t, energy, 3, &best), RG_INPUT);
        assert_non_null(strstr(rg_ctx_error(*state), "1.2e+09"));
        assert_int_equal(rg_clock_best(*state, clock, time, e, 3, &best), RG_INPUT);
    }
    assert_int_equal(rg_clock_best(*state, clock, time, energy, 0, &best), RG_INPUT);
}

/* ---- from rows to a graph ---- */

/* Four products, each on one of 10 cores: a stack that overlaps all of them takes as long as one. */
static void branches_overlap_as_far_as_the_stack_can(void **state)
{
    static const char text[] =
        HEAD "const %w = f32[1000,16] none\n"
        "graph (%x: f32[4,1000]) {\n"
        "  %a = MatMul(%x, %w) %b = MatMul(%x, %w) %c = MatMul(%x, %w) %d = MatMul(%x, %w)\n"
        "  return %a, %b, %c, %d }";
    static const double shares[] = {0, 0.5, 1};
    for (size_t i = 0; i < RG_COUNT(shares); i++) {
        knobs k = machine_default;
        k.branch_overlap = shares[i], k.graph_s = 0;
        bench b = priced(*state, &k, text, 0);
        double one = b.forecast->rows[0].latency_s;
        assert_int_equal(b.plan->stage_count, 1);
        assert_close(b.plan->rows[0].tiling.units, 1);
        assert_close(b.forecast->critical_s, one);
        assert_near(b.forecast->overlap_s + 1, 1 - shares[i] * 3 * one, 1e-12);
        assert_close(b.forecast->latency_s.value, (4 - 3 * shares[i]) * one);
        assert_checks_pass(b.forecast);
        bench_free(&b);
    }
}

/* Rows that fill the machine cannot overlap, whatever the stack can do. */
static void full_rows_do_not_overlap(void **state)
{
    knobs k = machine_default;
    k.branch_overlap = 1;
    bench b = priced(*state, &k,
        HEAD "const %w = f32[1000,160] none\n"
        "graph (%x: f32[600,1000]) { %a = MatMul(%x, %w) %b = MatMul(%x, %w) return %a, %b }", 0);
    assert_close(b.forecast->critical_s, 195e-6);
    assert_true(b.forecast->overlap_s == 0);
    assert_close(b.forecast->latency_s.value, 2 * 195e-6 + 10e-6);
    bench_free(&b);
}

/* Whichever arm is dearer counts; the interval reaches down to the cheapest way through both Ifs. */
static void the_dearer_arm_counts(void **state)
{
    static const char text[] =
        HEAD "const %w = f32[1000,160] none\n"
        "graph (%x: f32[600,1000], %c: bool[], %d: bool[]) {\n"
        "  %y = If(%c) then_branch=graph () {\n"
        "      %i = If(%d) then_branch=graph () { %p = MatMul(%x, %w) return %p }\n"
        "                  else_branch=graph () { %q = MatMul(%x, %w) %r = Relu(%q) return %r }\n"
        "      %t = Exp(%i) return %t }\n"
        "    else_branch=graph () { %u = MatMul(%x, %w) return %u }\n"
        "  return %y }";
    knobs k = machine_default;
    k.graph_s = 0;
    bench b = priced(*state, &k, text, 0);
    const rg_forecast *f = b.forecast;
    double product = 195e-6, relu = 10.68e-6, exp_s = 3e-6 + 7.68e-6;
    assert_int_equal(b.plan->row_count, 5);
    static const bool skipped[] = {true, false, false, false, true}; /* p; q, r; t; u */
    for (uint32_t r = 0; r < 5; r++) {
        assert_int_equal(f->skipped[r], skipped[r]);
        assert_true((f->rows[r].total_s == 0) == skipped[r]);
        assert_true(f->rows[r].latency_s > 0);
    }
    assert_close(f->latency_s.value, product + relu + exp_s);
    assert_close(f->arm_spread_s, relu + exp_s); /* else: one product */
    assert_close(f->latency_s.low, product / 2);
    assert_checks_pass(f);
    bench_free(&b);
}

/* ---- properties ---- */

static double latency(rg_ctx *cx, const char *device, const char *runtime, const char *precision,
                      const char *text, double *energy_j)
{
    bench b = {.cx = cx};
    if (bench_known(&b, device, runtime, text, precision, 0)) fail_msg("%s", rg_ctx_error(cx));
    double latency_s = b.forecast->latency_s.value;
    if (energy_j) *energy_j = b.forecast->energy_j.value;
    assert_checks_pass(b.forecast);
    bench_free(&b);
    return latency_s;
}

static const char *net_of_batch(rg_ctx *cx, int batch)
{
    return rg_arena_printf(&cx->arena,
        HEAD "const %%w = f32[64,3,7,7] none const %%v = f32[64,64,3,3] none const %%p = f32[64,1000] none\n"
        "graph (%%x: f32[%d,3,112,112]) {\n"
        "  %%a = Conv(%%x, %%w) strides=2,2 pads=3,3,3,3  %%b = Relu(%%a)\n"
        "  %%c = Conv(%%b, %%v) pads=1,1,1,1  %%d = Add(%%c, %%b)  %%e = Relu(%%d)\n"
        "  %%f = GlobalAveragePool(%%e) %%g = Flatten(%%f) %%h = MatMul(%%g, %%p) %%y = Softmax(%%h)\n"
        "  return %%y }",
        batch);
}

static const char *const machines[][2] = {
    {"h100-sxm", "tensorrt"}, {"a100-pcie-40gb", "pytorch-eager"}, {"t4", "tensorrt"},
    {"i7-12700k", "onnxruntime-cpu"}, {"xeon-8480", "native"}, {"tpu-v4", "native"}, {"kpu-t100", "native"},
};

static void more_inputs_take_longer_but_less_each(void **state)
{
    for (size_t i = 0; i < RG_COUNT(machines); i++) {
        double before_s = 0, before_j = 0, alone_s = 0;
        for (int batch = 1; batch <= 256; batch *= 4) {
            double energy_j, now_s = latency(*state, machines[i][0], machines[i][1], NULL,
                                             net_of_batch(*state, batch), &energy_j);
            /* as long, where the host takes longest */
            if (now_s < before_s || energy_j <= before_j)
                fail_msg("%s batch %d: %g s after %g s", machines[i][0], batch, now_s, before_s);
            if (batch == 1) alone_s = now_s;
            assert_true(now_s <= batch * alone_s);
            before_s = now_s, before_j = energy_j;
        }
    }
}

/* On machines that have them all: narrower is not slower and draws no more. */
static void narrower_types_are_no_slower(void **state)
{
    static const char *const precisions[] = {"f32", "f16", "i8"};
    for (size_t i = 0; i < RG_COUNT(machines); i++) {
        double before_s = INFINITY, before_j = INFINITY;
        for (size_t p = 0; p < RG_COUNT(precisions); p++) {
            double energy_j, now_s = latency(*state, machines[i][0], machines[i][1], precisions[p],
                                             net_of_batch(*state, 16), &energy_j);
            if (now_s > before_s * 1.001 || energy_j > before_j * 1.001)
                fail_msg("%s %s: %g s after %g s", machines[i][0], precisions[p], now_s, before_s);
            before_s = now_s, before_j = energy_j;
        }
    }
}

static void bandwidth_helps_until_compute_binds(void **state)
{
    double before = INFINITY;
    for (double rate = 1e9; rate < 1e14; rate *= 3) {
        knobs k = machine_default;
        k.byte_per_s = rate, k.launch_s = k.graph_s = 0, k.fork_s = 1e-15;
        bench b = priced(*state, &k, GEMM, 0);
        double now = b.forecast->latency_s.value;
        assert_true(now <= before);
        assert_close(now, fmax(192e-6, 3.424e6 / rate));
        before = now;
        bench_free(&b);
    }
}

/* ---- checks ---- */

#define SPOIL(name, change) \
    static void name(rg_forecast *f, rg_plan *p) { (void)f, (void)p; change; }
SPOIL(spoil_terms, f->rows[0].terms_s[RG_TERM_LAUNCH] += 1e-6)
SPOIL(spoil_busy, f->rows[0].limits[0].time_s *= 2)
SPOIL(spoil_rows, f->latency_s.value *= 1.001)
SPOIL(spoil_overlap, f->overlap_s = 1e-9)
SPOIL(spoil_parts, f->energy.memory_j *= 2)
SPOIL(spoil_rows_energy, f->rows[1].energy_j *= 2)
SPOIL(spoil_cap, f->power_w.value = p->device->cap_w * 1.01)
SPOIL(spoil_idle, f->power_w.value = p->device->idle_w * 0.99)
SPOIL(spoil_power, f->power_w.value *= 1.001)
SPOIL(spoil_compute, f->rows[0].latency_s = 192e-6 * 0.9)
SPOIL(spoil_traffic, f->rows[1].latency_s = 7.68e-6 * 0.9)
SPOIL(spoil_latency, f->rows[0].latency_s = NAN)
SPOIL(spoil_work, p->rows[0].work.flop *= 2)
SPOIL(spoil_saved, p->rows[0].saved_byte = -1)
SPOIL(spoil_offset, p->buffers[0].offset_byte = p->buffers[1].offset_byte)
SPOIL(spoil_block, p->block_byte -= 64)
SPOIL(spoil_peak, p->peak_byte += 1)
SPOIL(spoil_speed_up, f->overlap_s = -0.5 * f->latency_s.value)
SPOIL(spoil_bound, f->rows[0].bound = RG_BOUND_MEMORY)
SPOIL(spoil_static, f->rows[0].energy.static_j *= 1.01)
SPOIL(spoil_waste, f->wasted_j = -1e-12)
SPOIL(spoil_wasted, f->wasted_j = f->energy_j.value * 1.001)
SPOIL(spoil_intensity, f->rows[0].intensity = NAN)
SPOIL(spoil_threads, p->rows[0].width.threads = -1)
SPOIL(spoil_high, f->latency_s.high = f->latency_s.value * 0.999)
SPOIL(spoil_low, f->peak_memory_byte.low = f->peak_memory_byte.value * 1.001)
SPOIL(spoil_value, f->energy_j.value = INFINITY)

static void every_check_can_fail(void **state)
{
    static const struct { const char *name; void (*spoil)(rg_forecast *f, rg_plan *p); } rows[] = {
        {"terms sum", spoil_terms}, {"terms sum", spoil_busy},
        {"rows sum", spoil_rows}, {"rows sum", spoil_overlap},
        {"energy sums", spoil_parts}, {"energy sums", spoil_rows_energy},
        {"power within limits", spoil_cap}, {"power within limits", spoil_idle},
        {"power is energy over time", spoil_power},
        {"no row above its roofline", spoil_compute}, {"no row above its roofline", spoil_traffic},
        {"no row above its roofline", spoil_latency},
        {"work is kept", spoil_work},
        {"grouping saves traffic", spoil_saved},
        {"buffers apart", spoil_offset}, {"buffers apart", spoil_block},
        {"memory sums", spoil_peak},
        {"low concurrency limits speed-up", spoil_speed_up},
        {"memory-bound is insensitive to compute", spoil_bound},
        {"high utilization saves energy", spoil_static},
        {"waste is positive", spoil_waste}, {"waste is positive", spoil_wasted},
        {"histograms complete", spoil_intensity}, {"histograms complete", spoil_threads},
        {"intervals hold", spoil_high}, {"intervals hold", spoil_low}, {"intervals hold", spoil_value},
    };
    uint32_t seen = 0;
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        bench b = priced(*state, NULL, GEMM_RELU, 0);
        rg_forecast *f = (rg_forecast *)(uintptr_t)b.forecast;
        assert_checks_pass(f);
        rows[i].spoil(f, (rg_plan *)(uintptr_t)b.plan);
        assert_int_equal(rg_forecast_check(b.cx, f), RG_OK);
        if (check_named(f, rows[i].name)->pass) fail_msg("row %zu: %s passes", i, rows[i].name);
        assert_true(strlen(check_named(f, rows[i].name)->text) > 10);
        seen += i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0;
        if (i + 1 == RG_COUNT(rows)) assert_int_equal(seen, f->check_count); /* none was left out */
        bench_free(&b);
    }
}

/* Sums of more than 2^53 bytes are rounded: a difference below 0 by less than their last digits is none. */
static void rounding_is_no_fault(void **state)
{
    bench b = priced(*state, NULL, GEMM_RELU, 0);
    rg_forecast *f = (rg_forecast *)(uintptr_t)b.forecast;
    rg_row *row = &((rg_plan *)(uintptr_t)b.plan)->rows[0];
    row->work.out_byte = 0x1p60;
    row->saved_byte = -128; /* the distance of doubles there is 256 */
    assert_int_equal(rg_forecast_check(b.cx, f), RG_OK);
    assert_true(check_named(f, "grouping saves traffic")->pass);
    row->saved_byte = -0x1p40;
    assert_int_equal(rg_forecast_check(b.cx, f), RG_OK);
    assert_false(check_named(f, "grouping saves traffic")->pass);
    bench_free(&b);
}

/* A what-if may leave more power to a device that waits than to one that works. */
static void waiting_may_draw_more_than_working(void **state)
{
    static const char *const change = "power.active_w=0";
    rg_ctx *cx = *state;
    const rg_graph *graph = NULL;
    const rg_device *known = NULL, *changed = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    const rg_forecast *f = NULL;
    if (rg_graph_load(cx, "zoo:mlp", NULL, &graph) || rg_device_find(cx, "h100-sxm", &known)
        || rg_device_change(cx, known, &change, 1, &changed)
        || rg_runtime_find(cx, "tensorrt", changed, &runtime)
        || rg_plan_make(cx, graph, changed, runtime, NULL, &plan) || rg_forecast_make(cx, plan, NULL, &f))
        fail_msg("%s", rg_ctx_error(cx));
    assert_true(changed->ready_w > changed->active_w);
    assert_checks_pass(f);
    rg_forecast_free(f);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(changed);
    rg_device_free(known);
    rg_graph_free(graph);
}

/* ---- words ---- */

static void every_row_says_why(void **state)
{
    static const struct { const char *text, *words; } rows[] = {
        {GEMM, "compute-bound"}, {RELU, "memory-bound"},
        {HEAD "graph (%x: f32[16]) { %y = Relu(%x) return %y }", "launch-bound"},
        {HEAD "const %s = i64[1] {16} graph (%x: f32[4,4]) { %y = Reshape(%x, %s) return %y }", "a view"},
        {HEAD "const %w = f32[4,4] none graph () { %y = Transpose(%w) return %y }", "model is loaded"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        bench b = priced(*state, NULL, rows[i].text, 0);
        char why[512];
        if (!strstr(rg_row_why(b.forecast, 0, why, sizeof why), rows[i].words)) fail_msg("%s", why);
        for (size_t size = 1; size < sizeof why; size++) { /* whatever room there is */
            why[size] = 'x';
            rg_row_why(b.forecast, 0, why, size);
            assert_true(strlen(why) < size && why[size] == 'x');
        }
        bench_free(&b);
    }
}

/* A product of 120 x 1000 x 1000 moves 2 x 480 kB and 4 MB in 49.6 us at 1e11 byte/s, and takes 240 us to
 * compute; at 2e10 byte/s both take as long. */
static void balance_is_said(void **state)
{
    knobs k = machine_default;
    k.byte_per_s = 4.96e6 / 250e-6;
    bench b = priced(*state, &k,
        HEAD "const %w = f32[1000,1000] none\n"
        "graph (%x: f32[120,1000]) { %y = MatMul(%x, %w) return %y }", 0);
    char why[512];
    assert_int_equal(b.forecast->rows[0].bound, RG_BOUND_BALANCED);
    assert_non_null(strstr(rg_row_why(b.forecast, 0, why, sizeof why), "balanced"));
    bench_free(&b);
}

/* Eight inputs at once read the weights once: advised where weights are what is waited for. */
static void advice_is_priced(void **state)
{
    bench b = priced(*state, NULL,
        HEAD "const %w = f32[1000,1600] none\ngraph (%x: f32[1,1000]) { %y = MatMul(%x, %w) return %y }", 0);
    const rg_advice *advice = NULL;
    uint32_t count = 0;
    assert_int_equal(rg_forecast_advise(b.cx, b.forecast, &advice, &count), RG_OK);
    assert_true(count > 0);
    assert_string_equal(advice[0].name, "batch");
    /* 64.104 us of memory and 13 us of launch and graph, against 64.5 us and 13 us for eight */
    double one = b.forecast->latency_s.value;
    bench eight = priced(*state, NULL,
        HEAD "const %w = f32[1000,1600] none\ngraph (%x: f32[8,1000]) { %y = MatMul(%x, %w) return %y }", 0);
    assert_near(advice[0].gain_s, one - eight.forecast->latency_s.value / 8, 1e-6);
    assert_near(advice[0].gain_j, b.forecast->energy_j.value - eight.forecast->energy_j.value / 8, 1e-6);
    bench_free(&b);
    bench_free(&eight);
}

/* A product of 400 MB and the Relu behind it: both at once where results stay apart; else the product and,
 * while it is computed, its input of 0.4 MB. */
static void in_place_is_advised_where_it_is_missing(void **state)
{
    static const char text[] = HEAD
        "const %w = f32[10,10000] none\n"
        "graph (%x: f32[10000,10]) { %p = MatMul(%x, %w) %y = Relu(%p) return %y }";
    const rg_advice *advice = NULL;
    uint32_t count = 0;
    double gain = -1;
    bench apart = {.cx = *state}, within = {.cx = *state};
    assert_int_equal(bench_known(&apart, "t4", "pytorch-eager", text, NULL, 0), RG_OK);
    assert_int_equal(rg_forecast_advise(apart.cx, apart.forecast, &advice, &count), RG_OK);
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(advice[i].name, "in-place") == 0) gain = advice[i].gain_byte;
    assert_close(gain, 800e6 - 400.4e6);
    assert_int_equal(bench_known(&within, "t4", "tensorrt", text, NULL, 0), RG_OK);
    assert_int_equal(rg_forecast_advise(within.cx, within.forecast, &advice, &count), RG_OK);
    for (uint32_t i = 0; i < count; i++) assert_string_not_equal(advice[i].name, "in-place");
    bench_free(&apart);
    bench_free(&within);
}

/* The same figures without the checks. */
static void checks_can_be_spared(void **state)
{
    bench b = priced(*state, NULL, GEMM, 0);
    const rg_forecast_opt opt = {.size = sizeof opt, .unchecked = true};
    const rg_forecast *f = NULL;
    assert_int_equal(rg_forecast_make(b.cx, b.forecast->plan, &opt, &f), RG_OK);
    assert_int_equal(f->check_count, 0);
    assert_true(b.forecast->check_count > 0);
    assert_true(f->latency_s.value == b.forecast->latency_s.value);
    assert_true(f->energy_j.value == b.forecast->energy_j.value);
    rg_forecast_free(f);
    bench_free(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_product_is_bound_by_compute),
        TEST(a_pointwise_row_is_bound_by_memory),
        TEST(special_functions_cost_more),
        TEST(short_rows_stay_in_registers),
        TEST(narrow_weights_are_unpacked),
        TEST(fusing_saves_launch_and_traffic),
        TEST(launches_hide_behind_work),
        TEST(a_cpu_hides_no_launch),
        TEST(launches_follow_the_host_clock),
        TEST(sequences_take_host_time), TEST(uneven_blocks_leave_a_tail),
        TEST(a_fixed_clock_slows_compute_only),
        TEST(the_cap_sets_the_clock), TEST(any_cap_is_met_within_a_thousandth),
        TEST(a_cap_that_no_clock_holds_is_reported), TEST(checks_can_be_spared),
        TEST(the_best_clock_depends_on_the_question),
        TEST(branches_overlap_as_far_as_the_stack_can),
        TEST(full_rows_do_not_overlap),
        TEST(the_dearer_arm_counts),
        TEST(more_inputs_take_longer_but_less_each),
        TEST(narrower_types_are_no_slower),
        TEST(bandwidth_helps_until_compute_binds),
        TEST(every_check_can_fail),
        TEST(rounding_is_no_fault),
        TEST(waiting_may_draw_more_than_working),
        TEST(every_row_says_why),
        TEST(balance_is_said),
        TEST(advice_is_priced),
        TEST(in_place_is_advised_where_it_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
