/* test_frequency.c - the clock of a machine: the choice is the least of the curve that is shown, bounds hold,
 * probes move the curve to where they are, and a mix is the sum of its models.
 */
#include "doc_json.h"
#include "scenario/clocking.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static const char *const one[] = {"zoo:mlp"}, *const two[] = {"zoo:mlp", "zoo:alexnet"};

static rg_frequency_opt asked(void)
{
    return (rg_frequency_opt){.size = sizeof(rg_frequency_opt), .models = one, .model_count = 1,
                              .device = "v100-pcie-32gb", .batch = 256, .slowdown = -1, .workers = 1};
}

static rg_clocking *made(rg_ctx *cx, rg_frequency_opt opt)
{
    rg_clocking *c;
    if (rg_clocking_make(cx, &opt, &c)) fail_msg("%s", rg_ctx_error(cx));
    return c;
}

static double energy_of(const rg_clock_point *p) { return p->time_s * p->power_w; }

static void the_choice_is_the_least_of_the_curve(void **state)
{
    rg_frequency_opt opt = asked();
    opt.objective = "energy";
    rg_clocking *c = made(*state, opt);
    assert_int_equal(c->count, 117); /* legal clocks of the board (its profile) */
    assert_near(c->clocks_hz[0], 510e6, 1e-12);
    size_t at = c->best[RG_GOAL_ENERGY];
    for (size_t i = 0; i < c->count; i++) assert_true(energy_of(&c->sum[i]) >= energy_of(&c->sum[at]));
    assert_near(c->energy_ratio.value, energy_of(&c->sum[at]) / energy_of(&c->sum[c->count - 1]), 1e-9);
    assert_true(c->energy_ratio.low < c->energy_ratio.value && c->energy_ratio.value < c->energy_ratio.high);
    assert_true(c->front[c->count - 1] && c->front[at]); /* the fastest, the thriftiest */
    rg_clocking_free(c);
}

static void bounds_hold(void **state)
{
    rg_frequency_opt opt = asked();
    opt.models = two + 1, opt.objective = "energy", opt.slowdown = 0.05;
    rg_clocking *c = made(*state, opt);
    double slow = c->sum[c->best[RG_GOAL_ENERGY]].time_s / c->sum[c->count - 1].time_s;
    double most = 0;
    assert_true(slow <= 1.05);
    for (size_t i = 0; i < c->count; i++) most = fmax(most, c->sum[i].power_w);
    rg_clocking_free(c);
    opt.slowdown = -1, opt.limit_w = 0.8 * most;
    c = made(*state, opt);
    assert_true(c->above > 0);
    for (size_t i = 0; i < c->count; i++) assert_true(c->sum[i].power_w <= 0.8 * most * 1.001);
    rg_clocking_free(c);
}

static const char *written(char *path, const char *text)
{
    snprintf(path, 64, "/tmp/ridge-frequency-XXXXXX");
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void probes_move_the_curve(void **state)
{
    char path[64];
    rg_frequency_opt opt = asked();
    opt.batch = 0;
    rg_clocking *before = made(*state, opt);
    size_t top = before->count - 1;
    written(path, "core_mhz,latency_ms,power_w\n1380,.05,200\n510,.09,70\n945,.06,90\n");
    opt.probe = path;
    rg_clocking *after = made(*state, opt);
    assert_int_equal(after->models[0].probe_count, 3);
    assert_near(after->sum[top].time_s, 5e-5, 0.03);
    assert_near(after->sum[top].power_w, 200, 0.05);
    assert_near(after->sum[0].time_s, 9e-5, 0.05);
    assert_near(after->sum[0].power_w, 70, 0.05);
    /* what is measured is no longer open */
    double open = log(before->energy_ratio.high / before->energy_ratio.low);
    assert_true(log(after->energy_ratio.high / after->energy_ratio.low) < open);
    rg_clocking_free(before);
    rg_clocking_free(after);
    unlink(path);
}

static void a_mix_is_the_sum_of_its_models(void **state)
{
    const double weights[] = {3, 2};
    rg_frequency_opt opt = asked();
    opt.models = two, opt.model_count = 2, opt.weights = weights;
    rg_clocking *c = made(*state, opt);
    for (size_t i = 0; i < c->count; i++) {
        const rg_clock_point *a = &c->models[0].points[i], *b = &c->models[1].points[i];
        assert_near(c->sum[i].time_s, 3 * a->time_s + 2 * b->time_s, 1e-12);
        assert_near(energy_of(&c->sum[i]), 3 * energy_of(a) + 2 * energy_of(b), 1e-12);
    }
    rg_clocking_free(c);
}

static void probe_files_are_strict(void **state)
{
    static const struct { const char *text; rg_err err; } rows[] = {
        {"core_mhz,latency_s\n1000,1\n", RG_OK},
        {"sm_mhz,latency_s,energy_j,note\n1000,2,30,x\n900,,,\n", RG_OK},
        {"core_mhz,note\n1000,1\n", RG_FORMAT},
        {"latency_s,power_w\n1,1\n", RG_FORMAT},
        {"core_mhz,latency_s\n,1\n", RG_FORMAT},
        {"core_mhz,latency_s\n1000,-1\n", RG_FORMAT},
        {"core_mhz,latency_s\n1000\n", RG_FORMAT},
        {"core_mhz,latency_s\n", RG_FORMAT},
        {"", RG_FORMAT},
        {"\xEF\xBB\xBF" "core_mhz,latency_s\n1000,1\n", RG_OK}, /* as spreadsheets begin */
    };
    rg_clock_probe *probes;
    size_t count;
    for (size_t i = 0; i < RG_COUNT(rows); i++)
        assert_int_equal(rg_clock_probes_parse(*state, "p.csv", rg_str_of(rows[i].text), &probes, &count),
                         rows[i].err);
    assert_int_equal(rg_clock_probes_parse(*state, "p.csv", rg_str_of(rows[1].text), &probes, &count), RG_OK);
    assert_int_equal(count, 2);
    assert_near(probes[0].point.power_w, 15, 1e-12); /* 30 J in 2 s */
    assert_true(isnan(probes[1].point.time_s) && isnan(probes[1].point.power_w));
}

/* What no run of this model on this device can have said: the line, and both numbers. */
static void probes_of_other_runs_are_refused(void **state)
{
    static const struct { const char *text, *error; } rows[] = {
        {"core_mhz,latency_ms,power_w\n1380,.05,200\n1e300,.05,200\n", ":3: a clock of 1e+300 MHz; v100"},
        {"core_mhz,latency_ms,power_w\n1.380,.05,200\n", "510 to 1380 MHz"},
        {"core_mhz,latency_ms,power_w\n1380,1e300,200\n", ":2: 1e+279 Es measured"},
        {"core_mhz,latency_s,power_w\n1380,.05,200\n", ":2: 50.0 ms measured"}, /* they were milliseconds */
        {"core_mhz,latency_ms,power_w\n1380,.05,200000\n", ":2: 200 kW measured"},
    };
    char path[64];
    rg_clocking *c;
    rg_frequency_opt opt = asked();
    opt.batch = 0;
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        opt.probe = written(path, rows[i].text);
        assert_int_equal(rg_clocking_make(*state, &opt, &c), RG_INPUT);
        if (!strstr(rg_ctx_error(*state), rows[i].error)) fail_msg("%s", rg_ctx_error(*state));
        unlink(path);
    }
}

static void wrong_use_is_refused(void **state)
{
    const double none = 0;
    rg_frequency_opt opts[6];
    rg_clocking *c;
    for (size_t i = 0; i < RG_COUNT(opts); i++) opts[i] = asked();
    opts[0].objective = "x";
    opts[1].weights = &none;
    opts[2].batch = -1;
    opts[3].limit_w = -1;
    opts[4].model_count = 0;
    opts[5].probe = "/nowhere.csv";
    for (size_t i = 0; i < RG_COUNT(opts); i++)
        assert_int_equal(rg_clocking_make(*state, &opts[i], &c), i < 5 ? RG_USAGE : RG_INPUT);
}

static void the_report_obeys_its_schema(void **state)
{
    rg_doc *doc;
    const double weights[] = {1, 2};
    rg_frequency_opt opt = asked();
    opt.models = two, opt.model_count = 2, opt.weights = weights;
    assert_int_equal(rg_frequency_doc(*state, &opt, &doc), RG_OK);
    doc_obeys(*state, doc, "frequency");
    rg_doc_free(doc);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_choice_is_the_least_of_the_curve),
        TEST(bounds_hold),
        TEST(probes_move_the_curve),
        TEST(a_mix_is_the_sum_of_its_models),
        TEST(probe_files_are_strict), TEST(probes_of_other_runs_are_refused),
        TEST(wrong_use_is_refused),
        TEST(the_report_obeys_its_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
