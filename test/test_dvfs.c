/* test_dvfs.c - kernels over the clock: sweeps whose law is known, that nothing but probes is read, what is
 * known of other kernels, baselines by their formulas, dirty runs, and what a wrong clock costs.
 */
#include "learn/cleaning.h"
#include "learn/dvfs.h"
#include "learn/evaluate.h"
#include "learn/forest.h"

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

/* ---- cleaning ---- */

enum { RUNS = 12 };

/* T = 1 + 1 / x, P = 50 + 100 x, at x = 1, 0.9, ...; three runs of each of four clocks, falling. */
static void make_runs(rg_sweep_run *runs)
{
    for (int i = 0; i < RUNS; i++) {
        double x = 1 - 0.1 * (i / 3);
        runs[i] = (rg_sweep_run){x * 1e9, 1 + 1 / x, 50 + 100 * x, i};
    }
}

static void a_sweep_without_trouble_is_clean(void **state)
{
    rg_sweep_run runs[RUNS];
    const char *why[RUNS], *note;
    make_runs(runs);
    assert_int_equal(rg_sweep_clean(*state, runs, RUNS, why, &note), RG_OK);
    for (int i = 0; i < RUNS; i++) assert_null(why[i]);
    assert_non_null(note);
    assert_non_null(strstr(note, "only fall"));
    runs[0].order = 99; /* the highest clock ran once more at the end */
    assert_int_equal(rg_sweep_clean(*state, runs, RUNS, why, &note), RG_OK);
    assert_null(note);
}

static void dirty_runs_are_named(void **state)
{
    rg_sweep_run runs[RUNS];
    const char *why[RUNS], *note;
    make_runs(runs);
    runs[0].time_s = 40, runs[0].power_w = 30;   /* the first run loads the model */
    runs[1].time_s *= 1.3, runs[1].power_w *= 0.8;
    runs[4].time_s *= 1.5, runs[4].power_w *= 0.7;  /* somebody else's turn */
    runs[7].time_s *= 1.5;                       /* longer at the same power */
    runs[10].power_w *= 0.6;                     /* not watched while it ran */
    assert_int_equal(rg_sweep_clean(*state, runs, RUNS, why, &note), RG_OK);
    const char *const named[RUNS] = {[0] = "cold", [1] = "cold", [4] = "waited", [7] = "longer than",
                                     [10] = "less power"};
    for (int i = 0; i < RUNS; i++) {
        if (!named[i]) assert_null(why[i]);
        else if (!why[i] || !strstr(why[i], named[i])) fail_msg("run %d: %s", i, why[i] ? why[i] : "clean");
    }
}

/* ---- files ---- */

enum { CLOCKS = 9, KERNELS = 12 };

static double clock_mhz(int i) { return 1500 - 125 * i; }

/* Kernel k: a share of core_share waits for the clock, the rest does not; its counters say so. */
static double core_share(int k) { return (double)k / (KERNELS - 1); }
static double time_of(int k, double x) { return 1e-3 * (core_share(k) / x + 1 - core_share(k)); }
static double power_of(int k, double x)
{
    return 40 + (20 + 90 * core_share(k)) * x * x + 50 * (1 - core_share(k));
}

/* scale: of every measurement but those at clocks where keep[i] is. */
static char *write_sweeps(char *path, double scale, const bool *keep)
{
    snprintf(path, 64, "/tmp/ridge-dvfs-XXXXXX");
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(f);
    fputs("device,model,task,batch,precision,sm_mhz,mem_mhz,latency_s,power_w,energy_j,extra\n", f);
    for (int k = 0; k < KERNELS; k++)
        for (int i = 0; i < CLOCKS; i++) {
            double x = clock_mhz(i) / clock_mhz(0), s = keep && !keep[i] ? scale : 1;
            double t = s * time_of(k, x), p = s * power_of(k, x);
            fprintf(f, "some-board,k%d,t,1,f32,%.0f,900,%.9g,%.9g,%.9g,DRAMA=%.6f;FP32A=%.6f;FP64A=0\n", k,
                    clock_mhz(i), t, p, t * p, 0.85 * (1 - core_share(k)), 0.9 * core_share(k));
        }
    fclose(f);
    return path;
}

static rg_evaluation *evaluated(rg_ctx *cx, const rg_evaluate_opt *opt, double scale, const bool *keep)
{
    char path[64];
    rg_evaluation *all = NULL;
    size_t count = 0;
    if (rg_evaluate_file(cx, write_sweeps(path, scale, keep), opt, &all, &count))
        fail_msg("%s", rg_ctx_error(cx));
    unlink(path);
    assert_int_equal(count, 1);
    assert_int_equal(all->curve_count, KERNELS);
    return all;
}

#define OPTIONS(...) &(rg_evaluate_opt){.size = sizeof(rg_evaluate_opt), .workers = 1, __VA_ARGS__}

static double error_of(const rg_evaluation *e, int quantity)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < e->count; i++) {
        const rg_verdict *v = &e->verdicts[i];
        if (v->probe) continue;
        sum += fabs(v->forecast[quantity] / v->measured[quantity] - 1);
        n++;
    }
    return sum / (double)n;
}

static void probes_are_the_highest_the_lowest_the_middle(void **state)
{
    for (int probes = 0; probes <= 3; probes++) {
        rg_evaluation *e = evaluated(*state, OPTIONS(.probes = probes), 1, NULL);
        for (size_t i = 0; i < e->count; i++) {
            int at = (int)(i % CLOCKS);
            bool is = (probes > 0 && at == 0) || (probes > 1 && at == CLOCKS - 1) ||
                      (probes > 2 && at == CLOCKS / 2);
            assert_int_equal(e->verdicts[i].probe, is);
            assert_true(e->verdicts[i].forecast[1] > 0);
            assert_true(probes > 0 ? e->verdicts[i].forecast[0] > 0 : isnan(e->verdicts[i].forecast[0]));
        }
        rg_evaluation_free(e, 1);
    }
}

/* With everything but the probes measured otherwise, the forecasts are the same to the last bit. */
static void nothing_but_probes_is_read(void **state)
{
    const bool keep[CLOCKS] = {[0] = true, [CLOCKS / 2] = true, [CLOCKS - 1] = true};
    rg_evaluation *a = evaluated(*state, OPTIONS(.probes = 3), 1, keep);
    rg_evaluation *b = evaluated(*state, OPTIONS(.probes = 3), 1.02, keep);
    for (size_t i = 0; i < a->count; i++)
        for (int q = 0; q < 3; q++)
            assert_true(a->verdicts[i].forecast[q] == b->verdicts[i].forecast[q]);
    assert_true(a->verdicts[1].measured[0] != b->verdicts[1].measured[0]);
    rg_evaluation_free(a, 1);
    rg_evaluation_free(b, 1);
}

static void more_that_is_known_is_nearer(void **state)
{
    rg_evaluation *one = evaluated(*state, OPTIONS(.probes = 1), 1, NULL);
    rg_evaluation *three = evaluated(*state, OPTIONS(.probes = 3), 1, NULL);
    rg_evaluation *known = evaluated(*state, OPTIONS(.probes = 1, .known = "kernels"), 1, NULL);
    for (int q = 0; q < 3; q++) {
        assert_true(error_of(three, q) < error_of(one, q));
        assert_true(error_of(known, q) < error_of(one, q));
    }
    assert_true(error_of(three, 0) < 0.03 && error_of(three, 1) < 0.03);
    assert_true(error_of(known, 0) < 0.02 && error_of(known, 1) < 0.02);
    rg_evaluation_free(one, 1);
    rg_evaluation_free(three, 1);
    rg_evaluation_free(known, 1);
}

static void families_are_kept_out(void **state)
{
    /* each kernel is a family of its own here: with families kept out the rest is known all the same */
    rg_evaluation *a = evaluated(*state, OPTIONS(.probes = 1, .known = "kernels"), 1, NULL);
    rg_evaluation *b = evaluated(*state, OPTIONS(.probes = 1, .known = "families"), 1, NULL);
    for (size_t i = 0; i < a->count; i++)
        assert_true(a->verdicts[i].forecast[0] == b->verdicts[i].forecast[0]);
    rg_evaluation_free(a, 1);
    rg_evaluation_free(b, 1);
}

/* ---- baselines ---- */

static void the_formula_is_the_published_one(void **state)
{
    rg_evaluation *e = evaluated(*state, OPTIONS(.probes = 1, .baseline = "fgcs"), 1, NULL);
    const rg_verdict *v = &e->verdicts[(KERNELS - 1) * CLOCKS + 4]; /* FP32A 0.9, DRAMA 0, 1000 MHz */
    assert_near(v->forecast[1], exp(-1.0318354 + 0.84864 * 0.45 + 0.77006 * log(1001)) - 1, 1e-9);
    assert_near(v->forecast[0], time_of(KERNELS - 1, 1) * 1.5, 1e-6);
    rg_evaluation_free(e, 1);
}

static void regressions_learn_from_others(void **state)
{
    const char *const names[] = {"polynomial", "bayesian-linear", "forest", "xgboost"};
    for (size_t i = 0; i < RG_COUNT(names); i++) {
        if (strcmp(names[i], "xgboost") == 0 && rg_dvfs_xgboost_ready(*state)) continue;
        rg_evaluation *e =
            evaluated(*state, OPTIONS(.probes = 1, .known = "kernels", .baseline = names[i]), 1, NULL);
        assert_true(error_of(e, 0) < 0.06 && error_of(e, 1) < 0.06);
        rg_evaluation_free(e, 1);
        e = evaluated(*state, OPTIONS(.probes = 1, .baseline = names[i]), 1, NULL);
        assert_non_null(e->verdicts[0].error); /* of whom? */
        rg_evaluation_free(e, 1);
    }
}

/* A library that is missing is no miss of each row: the whole is refused, and said why. */
static void boosting_asks_for_its_library(void **state)
{
    char path[64];
    rg_evaluation *all;
    size_t count;
    if (!rg_dvfs_xgboost_ready(*state)) skip();
    write_sweeps(path, 1, NULL);
    assert_int_equal(rg_evaluate_file(*state, path,
                                      OPTIONS(.probes = 1, .known = "kernels", .baseline = "xgboost"), &all,
                                      &count),
                     RG_UNSUPPORTED);
    assert_non_null(strstr(rg_ctx_error(*state), "libxgboost"));
    unlink(path);
}

/* Of other devices, what is of other families, and nothing of one's own. */
static void devices_are_kept_out(void **state)
{
    rg_evaluation *e =
        evaluated(*state, OPTIONS(.probes = 1, .known = "devices", .baseline = "forest"), 1, NULL);
    assert_non_null(e->verdicts[0].error); /* there is one device alone */
    rg_evaluation_free(e, 1);
}

/* Means of leaves: a constant is met, a step is met away from its edge, and nothing lies outside of what was
 * seen. */
static void trees_find_steps(void **state)
{
    enum { ROWS = 200 };
    float x[2 * ROWS];
    double y[2 * ROWS], got[2];
    rg_forest *f;
    for (int i = 0; i < ROWS; i++) {
        x[2 * i] = (float)i;
        x[2 * i + 1] = (float)(i % 7); /* tells nothing */
        y[2 * i] = i < 100 ? 1 : 3;
        y[2 * i + 1] = 5;
    }
    assert_int_equal(rg_forest_grow(*state, x, y, ROWS, 2, 2, 1, &f), RG_OK);
    rg_forest_at(f, (const float[]){50, 3}, got);
    assert_near(got[0], 1, 0.01);
    assert_near(got[1], 5, 1e-9);
    rg_forest_at(f, (const float[]){150, 3}, got);
    assert_near(got[0], 3, 0.01);
    rg_forest_at(f, (const float[]){1e6, 3}, got);
    assert_near(got[0], 3, 1e-9);
    assert_int_equal(rg_forest_grow(*state, x, y, 0, 2, 2, 1, &f), RG_INPUT);
}

static void wrong_options_are_refused(void **state)
{
    char path[64];
    rg_evaluation *all;
    size_t count;
    write_sweeps(path, 1, NULL);
    assert_int_equal(rg_evaluate_file(*state, path, OPTIONS(.probes = -1), &all, &count), RG_USAGE);
    assert_int_equal(rg_evaluate_file(*state, path, OPTIONS(.known = "all"), &all, &count), RG_USAGE);
    assert_int_equal(rg_evaluate_file(*state, path, OPTIONS(.baseline = "x"), &all, &count), RG_USAGE);
    assert_non_null(strstr(rg_ctx_error(*state), "fgcs, polynomial, bayesian-linear, forest"));
    assert_int_equal(rg_evaluate_file(*state, path, OPTIONS(.probes = 65), &all, &count), RG_USAGE);
    unlink(path);
}

/* ---- the choice ---- */

static double edp_of(int k, double x) { return time_of(k, x) * time_of(k, x) * power_of(k, x); }

static void the_loss_is_that_of_the_chosen_clock(void **state)
{
    char path[64], field[64];
    rg_doc *doc;
    double at, best, loss, mean = 0, most = 0, told;
    const char *file = write_sweeps(path, 1, NULL);
    assert_int_equal(rg_evaluate_doc(*state, &file, 1, OPTIONS(.probes = 1), &doc), RG_OK);
    for (int k = 0; k < KERNELS; k++) {
        double least = INFINITY;
        for (int i = 0; i < CLOCKS; i++) least = fmin(least, edp_of(k, clock_mhz(i) / clock_mhz(0)));
        snprintf(field, sizeof field, "choices[0].curves[%d].at", k);
        assert_true(rg_doc_number(doc, field, &at));
        snprintf(field, sizeof field, "choices[0].curves[%d].best_at", k);
        assert_true(rg_doc_number(doc, field, &best));
        snprintf(field, sizeof field, "choices[0].curves[%d].loss", k);
        assert_true(rg_doc_number(doc, field, &loss));
        assert_near(edp_of(k, best / clock_mhz(0)), least, 1e-6);
        assert_near(1 + loss, edp_of(k, at / clock_mhz(0)) / least, 1e-6);
        mean += loss / KERNELS;
        most = fmax(most, loss);
    }
    assert_true(rg_doc_number(doc, "choices[0].loss_mean", &told));
    assert_near(1 + told, 1 + mean, 1e-9);
    assert_true(rg_doc_number(doc, "choices[0].loss_most", &told));
    assert_near(1 + told, 1 + most, 1e-9);
    rg_doc_free(doc);
    unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sweep_without_trouble_is_clean),
        TEST(dirty_runs_are_named),
        TEST(probes_are_the_highest_the_lowest_the_middle),
        TEST(nothing_but_probes_is_read),
        TEST(more_that_is_known_is_nearer),
        TEST(families_are_kept_out),
        TEST(the_formula_is_the_published_one),
        TEST(regressions_learn_from_others),
        TEST(boosting_asks_for_its_library),
        TEST(devices_are_kept_out),
        TEST(trees_find_steps),
        TEST(wrong_options_are_refused),
        TEST(the_loss_is_that_of_the_chosen_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
