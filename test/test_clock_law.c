/* test_clock_law.c - the law over the clock against its closed forms, fits against laws that are known, the
 * choice of a clock, and weights of a Gaussian process against those worked out by hand.
 */
#include "predict/clock_law.h"
#include "predict/gaussian.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static void assert_near(double got, double wanted, double apart)
{
    if (!(fabs(got - wanted) <= apart * fabs(wanted))) fail_msg("got %.17g, wanted %.17g", got, wanted);
}

#define TOP 2e9

static void terms_go_with_the_clock_as_they_should(void **state)
{
    (void)state;
    rg_clock_law core = {.top_hz = TOP, .core_s = 3, .idle_w = 10, .core_j = 60, .swing = 1};
    assert_near(rg_clock_law_at(&core, TOP / 4).time_s, 12, 1e-12);      /* all of it waits for the clock */
    assert_near(rg_clock_law_at(&core, TOP / 4).power_w, 10 + 60 * 0.75 * 0.75 / 12, 1e-12);
    rg_clock_law memory = {.top_hz = TOP, .memory_s = 3, .fixed_s = 1, .active_w = 8, .memory_j = 40,
                           .swing = 1};
    assert_near(rg_clock_law_at(&memory, TOP / 4).time_s, 4, 1e-12);     /* none of it does */
    assert_near(rg_clock_law_at(&memory, TOP / 4).power_w, 8 * 0.25 * 0.75 * 0.75 + 10, 1e-12);
    rg_clock_law both = {.top_hz = TOP, .core_s = 1, .memory_s = 1, .swing = 1};
    assert_near(rg_clock_law_at(&both, TOP).time_s, sqrt(2), 1e-12);
}

static void voltage_is_flat_and_then_a_square(void **state)
{
    (void)state;
    assert_near(rg_clock_voltage(NULL, TOP, TOP), 1, 1e-12);
    assert_near(rg_clock_voltage(NULL, TOP, 0.3 * TOP), rg_clock_voltage(NULL, TOP, 0.6 * TOP), 1e-12);
    double half = rg_clock_voltage(NULL, TOP, 0.81 * TOP); /* of the rise's clocks: a quarter of its volts */
    assert_near(half, 0.75 + 0.25 / 4, 1e-9);
    static rg_vf points[] = {{1e9, 0.8}, {2e9, 1.0}};
    rg_device d = {.vf = points, .vf_count = 2};
    assert_near(rg_clock_voltage(&d, TOP, 1.5e9), 0.9, 1e-12);
}

/* V = 1 + rise from 1 GHz on; moved by a fifth it begins at 1.2 GHz, and its ends stay. */
static void a_rise_can_be_moved(void **state)
{
    (void)state;
    static rg_vf points[] = {{1e9, 0.5}, {2e9, 1.0}};
    static const rg_device d = {.vf = points, .vf_count = 2};
    rg_clock_law law = {.device = &d, .top_hz = TOP, .memory_s = 1, .active_w = 100, .swing = 1, .begin = 0.5,
                        .bend = log(1.2)};
    assert_near(rg_clock_law_at(&law, TOP).power_w, 100, 1e-12);
    assert_near(rg_clock_law_at(&law, 0.6 * TOP).power_w, 100 * 0.6 * 0.25, 1e-9);
    assert_near(rg_clock_law_at(&law, 0.8 * TOP).power_w, 100 * 0.8 * 0.75 * 0.75, 1e-9);
}

/* Far below the clock that paces it memory goes with the square of the clock; above it, with nothing. */
static void memory_falls_behind_where_the_profile_says(void **state)
{
    (void)state;
    static rg_level memory = {.paced_hz = 0.5 * TOP};
    static const rg_device d = {.levels = &memory, .level_count = 1};
    rg_clock_law law = {.device = &d, .top_hz = TOP, .memory_s = 2, .swing = 1, .paced = true};
    assert_near(rg_clock_law_at(&law, TOP).time_s, 2, 1e-12);
    assert_near(rg_clock_law_at(&law, 0.9 * TOP).time_s, 2, 0.01);
    assert_near(rg_clock_law_at(&law, 0.1 * TOP).time_s, 2 * 25, 0.01);
    memory.paced_power = 3; /* a fifth of the clock to the third, and a quarter where it falls no further */
    assert_near(rg_clock_law_at(&law, 0.1 * TOP).time_s, 2 * 125, 0.01);
    memory.paced_floor_hz = 0.125 * TOP;
    assert_near(rg_clock_law_at(&law, 0.1 * TOP).time_s, 2 * 64, 0.01);
    assert_near(rg_clock_law_at(&law, 0.01 * TOP).time_s, 2 * 64, 0.01);
    memory.paced_hz = 0;
    assert_near(rg_clock_law_at(&law, 0.1 * TOP).time_s, 2, 1e-12);
}

/* ---- fits ---- */

static const rg_clock_law laws[] = {
    {.top_hz = TOP, .core_s = 2, .memory_s = 0.5, .fixed_s = 0.05, .idle_w = 40, .active_w = 70,
     .core_j = 200, .memory_j = 30, .swing = 1},
    {.top_hz = TOP, .core_s = 0.5, .memory_s = 2, .fixed_s = 0.1, .idle_w = 30, .active_w = 80, .core_j = 80,
     .memory_j = 90, .swing = 1},
    {.top_hz = TOP, .core_s = 1, .memory_s = 1.1, .fixed_s = 0.1, .idle_w = 35, .active_w = 75, .core_j = 90,
     .memory_j = 50, .swing = 1},
};

static rg_clock_prior unsure(void)
{
    rg_clock_prior prior;
    rg_clock_prior_of(NULL, TOP, (rg_clock_use){NAN, NAN}, &prior);
    return prior;
}

static void three_probes_find_a_law(void **state)
{
    (void)state;
    for (size_t i = 0; i < RG_COUNT(laws); i++) {
        const double clocks[] = {TOP, 0.3 * TOP, 0.65 * TOP};
        rg_clock_point probes[3];
        rg_clock_prior prior = unsure();
        rg_clock_law found;
        for (int k = 0; k < 3; k++) probes[k] = rg_clock_law_at(&laws[i], clocks[k]);
        rg_clock_law_fit(&prior, probes, 3, &found);
        for (double x = 0.3; x <= 1; x += 0.05) {
            rg_clock_point got = rg_clock_law_at(&found, x * TOP), is = rg_clock_law_at(&laws[i], x * TOP);
            assert_near(got.time_s, is.time_s, 0.02);
            assert_near(got.power_w, is.power_w,
                        0.04); /* the corner of its voltages is half of a parabola's */
        }
    }
}

/* ln P = 4 + x + x^2 at three clocks that were had: halfway between that and the law alone. Of two probes or
 * of four the law alone. */
static void three_probes_bend_power(void **state)
{
    (void)state;
    const double clocks[] = {TOP, 0.5 * TOP, 0.75 * TOP, 0.6 * TOP};
    rg_clock_point probes[4];
    rg_clock_prior prior = unsure();
    rg_clock_law found;
    for (int k = 0; k < 4; k++) {
        double x = clocks[k] / TOP;
        probes[k] = (rg_clock_point){clocks[k], 0.2 + 0.8 / x, exp(4 + x + x * x)};
    }
    rg_clock_law_fit(&prior, probes, 3, &found);
    rg_clock_law alone = found;
    alone.curved = 0;
    for (double x = 0.55; x < 1; x += 0.1) {
        rg_clock_point got = rg_clock_law_at(&found, x * TOP), law = rg_clock_law_at(&alone, x * TOP);
        assert_near(got.power_w, sqrt(law.power_w * exp(4 + x + x * x)), 0.01);
        assert_near(got.time_s, law.time_s, 1e-12);
    }
    rg_clock_law_fit(&prior, probes, 2, &found);
    assert_true(found.curved == 0);
    rg_clock_law_fit(&prior, probes, 4, &found);
    assert_true(found.curved == 0);
    probes[2].power_w = NAN;
    rg_clock_law_fit(&prior, probes, 3, &found);
    assert_true(found.curved == 0);
}

static void one_probe_is_met_and_use_tells_the_rest(void **state)
{
    (void)state;
    rg_clock_point probe = {TOP, 0.25, 180};
    rg_clock_prior busy, waiting;
    rg_clock_law a, b;
    rg_clock_prior_of(NULL, TOP, (rg_clock_use){0.9, 0.02}, &busy);
    rg_clock_prior_of(NULL, TOP, (rg_clock_use){0.1, 0.88}, &waiting);
    rg_clock_law_fit(&busy, &probe, 1, &a);
    rg_clock_law_fit(&waiting, &probe, 1, &b);
    assert_near(rg_clock_law_at(&a, TOP).time_s, 0.25, 1e-3);
    assert_near(rg_clock_law_at(&a, TOP).power_w, 180, 0.01);
    assert_near(rg_clock_law_at(&b, TOP).time_s, 0.25, 1e-3);
    assert_true(rg_clock_law_at(&a, TOP / 2).time_s > 1.9 * 0.25);
    assert_true(rg_clock_law_at(&b, TOP / 2).time_s < 1.3 * 0.25);
    assert_true(rg_clock_law_at(&a, TOP / 2).power_w < rg_clock_law_at(&b, TOP / 2).power_w);
}

/* A counter of 0.4 is half of the 0.8 that memory reaches; one above that says no more than nine parts in
 * ten. The core takes what the norm of 2 leaves and what its pipes do. */
static void counters_tell_core_from_memory(void **state)
{
    (void)state;
    static const struct {
        double core, counted, ratio;
    } cases[] = {
        {0, 0.4, 1.7320508075688772},  /* sqrt(1 - 0.5^2) / 0.5 */
        {0.6, 0.4, 2.1071307505705477}, /* sqrt(1 - 0.5^2 + 0.6^2) / 0.5 */
        {0, 0.95, 0.4843221048378526}, /* sqrt(1 - 0.9^2) / 0.9 */
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        rg_clock_prior prior;
        rg_clock_prior_of(NULL, TOP, (rg_clock_use){cases[i].core, cases[i].counted}, &prior);
        assert_near(exp(prior.mean[RG_LAW_CORE]), cases[i].ratio, 1e-12);
    }
}

static void without_probes_the_prior_stands(void **state)
{
    (void)state;
    rg_clock_prior prior = unsure();
    rg_clock_law law;
    rg_clock_law_fit(&prior, NULL, 0, &law);
    assert_near(rg_clock_law_at(&law, TOP).time_s, 1, 1e-9);
    assert_near(rg_clock_law_at(&law, TOP).power_w,
                exp(prior.mean[RG_LAW_POWER]) + exp(prior.mean[RG_LAW_IDLE]), 1e-9);
}

static void an_odd_probe_does_not_bend_the_rest(void **state)
{
    (void)state;
    rg_clock_point probes[6];
    rg_clock_prior prior = unsure();
    rg_clock_law found;
    for (int k = 0; k < 6; k++) probes[k] = rg_clock_law_at(&laws[0], (1 - 0.12 * k) * TOP);
    probes[2].power_w *= 0.6;
    rg_clock_law_fit(&prior, probes, 6, &found);
    double x = 0.8 * TOP;
    assert_near(rg_clock_law_at(&found, x).power_w, rg_clock_law_at(&laws[0], x).power_w, 0.03);
}

/* The lowest probe ran at half of the clock that it was set: what is between the others does not bend. */
static void a_probe_below_its_clock_is_seen_through(void **state)
{
    (void)state;
    const double clocks[] = {TOP, 0.3 * TOP, 0.65 * TOP};
    rg_clock_point probes[3];
    rg_clock_prior prior;
    rg_clock_law found;
    rg_clock_prior_of(NULL, TOP, (rg_clock_use){0.9, 0.1}, &prior);
    for (int k = 0; k < 3; k++) probes[k] = rg_clock_law_at(&laws[0], clocks[k]);
    probes[1] = rg_clock_law_at(&laws[0], 0.15 * TOP);
    probes[1].clock_hz = clocks[1];
    rg_clock_law_fit(&prior, probes, 3, &found);
    for (double x = 0.4; x < 1; x += 0.1) {
        rg_clock_point got = rg_clock_law_at(&found, x * TOP), is = rg_clock_law_at(&laws[0], x * TOP);
        assert_near(got.time_s, is.time_s, 0.03);
        assert_near(got.power_w, is.power_w, 0.05);
    }
}

/* ---- the choice ---- */

/* T = 1 / x and E = 1 + x^3: E' = 0 at x = 0; (E T)' = 0 where 2 x^3 = 1; (E T^2)' = 0 where x^3 = 2. */
static void the_choice_is_that_of_the_closed_form(void **state)
{
    enum { N = 200 };
    rg_clock_point p[N];
    (void)state;
    for (int i = 0; i < N; i++) {
        double x = 0.01 * (i + 1);
        p[i] = (rg_clock_point){x, 1 / x, (1 + x * x * x) * x};
    }
    assert_near(p[rg_clock_choose(RG_GOAL_EDP, p, N, NAN, 0)].clock_hz, cbrt(0.5), 0.01);
    assert_near(p[rg_clock_choose(RG_GOAL_ED2P, p, N, NAN, 0)].clock_hz, cbrt(2), 0.01);
    assert_int_equal(rg_clock_choose(RG_GOAL_ENERGY, p, N, NAN, 0), 0);
    assert_near(p[rg_clock_choose(RG_GOAL_ENERGY, p, N, 1, 0)].clock_hz, 1, 1e-9);   /* twice the time of 2 */
    size_t capped = rg_clock_choose(RG_GOAL_ED2P, p, N, NAN, 1);                     /* P(x) <= 1 */
    assert_true(p[capped].power_w <= 1 && p[capped + 1].power_w > 1);
    assert_int_equal(rg_clock_choose(RG_GOAL_EDP, p, N, NAN, 1e-9), SIZE_MAX);
}

static void the_front_has_what_nothing_beats(void **state)
{
    (void)state;
    const rg_clock_point p[] = {{3, 1, 9}, {2, 2, 3}, {1, 3, 3}, {1, 1, 9}}; /* E: 9, 6, 9, 9 */
    bool front[4];
    rg_clock_front(p, 4, front);
    assert_true(front[0] && front[1] && !front[2] && front[3]);
}

/* ---- the Gaussian process ---- */

static void weights_are_those_worked_out_by_hand(void **state)
{
    rg_gaussian *g;
    double w[2];
    const double one = 5; /* a single one has no spread: k = 1 + 0 + 1, and 0.01 of noise */
    assert_int_equal(rg_gaussian_fit(*state, &one, 1, 1, &g), RG_OK);
    rg_gaussian_weights(g, &one, w);
    assert_near(w[0], 2 / 2.01, 1e-12);
    const double two[] = {1, 3}, middle = 2; /* scaled: -1 and 1; two are too few for a plane */
    assert_int_equal(rg_gaussian_fit(*state, two, 2, 1, &g), RG_OK);
    rg_gaussian_weights(g, &middle, w);
    double same = 2 + 0.01, other = 1 + exp(-4 / 0.72), near_by = 1 + exp(-1 / 0.72);
    assert_near(w[0], near_by / (same + other), 1e-9);
    assert_near(w[1], w[0], 1e-9);
}

/* Of y = 3 + 2 x: met between what was seen, and beyond it still rising. */
static void a_plane_is_followed(void **state)
{
    static const double at[] = {10.5, 19, 22};
    double x[20], w[20], y[3] = {0};
    rg_gaussian *g;
    for (int i = 0; i < 20; i++) x[i] = i;
    assert_int_equal(rg_gaussian_fit(*state, x, 20, 1, &g), RG_OK);
    for (int k = 0; k < 3; k++) {
        rg_gaussian_weights(g, &at[k], w);
        for (int i = 0; i < 20; i++) y[k] += w[i] * (3 + 2 * x[i]);
    }
    assert_near(y[0], 24, 0.005);
    assert_true(y[2] > y[1] + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_go_with_the_clock_as_they_should),
        cmocka_unit_test(voltage_is_flat_and_then_a_square),
        cmocka_unit_test(a_rise_can_be_moved),
        cmocka_unit_test(memory_falls_behind_where_the_profile_says),
        cmocka_unit_test(three_probes_find_a_law), cmocka_unit_test(three_probes_bend_power),
        cmocka_unit_test(a_probe_below_its_clock_is_seen_through),
        cmocka_unit_test(one_probe_is_met_and_use_tells_the_rest),
        cmocka_unit_test(counters_tell_core_from_memory),
        cmocka_unit_test(without_probes_the_prior_stands),
        cmocka_unit_test(an_odd_probe_does_not_bend_the_rest),
        cmocka_unit_test(the_choice_is_that_of_the_closed_form),
        cmocka_unit_test(the_front_has_what_nothing_beats),
        cmocka_unit_test_setup_teardown(a_plane_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(weights_are_those_worked_out_by_hand, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
