/* test_fit.c - a device fitted with few measurements: the closed form of its posterior, a law that is known
 * and found again from files, which probes are named, and input that is refused.
 */
#include "doc_json.h"
#include "learn/fitting.h"
#include "learn/usual.h"
#include "tree_file.h"

#include <math.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static void assert_close(double got, double wanted)
{
    if (!(fabs(got - wanted) <= 1e-9 * fabs(wanted) + 1e-12))
        fail_msg("got %.17g, wanted %.17g", got, wanted);
}

/* ---- the posterior ---- */

static rg_fit_sample sample_of(rg_spread_pair prior, const double *errors, size_t count)
{
    rg_fit_sample s = {.prior = prior, .count = (double)count};
    for (size_t i = 0; i < count; i++) s.mean += errors[i] / (double)count;
    return s;
}

/* The precision of a mean is that of its prior and n times that of a row; the mean is drawn to 0 by their
 * shares: written down here with precisions, not with the scales of fitting.c. One key alone is the same
 * however much keys share. */
static void the_posterior_is_its_closed_form(void **state)
{
    static const double errors[] = {0.31, 0.18, -0.05, 0.44, 0.27, 0.09, 0.35};
    static const rg_spread_pair priors[] = {{0.15, 0.35}, {0.4, 0.05}, {0.1, 2}};
    static const double apart[] = {1, 0.125};
    (void)state;
    for (size_t p = 0; p < RG_COUNT(priors); p++)
        for (size_t n = 0; n <= RG_COUNT(errors); n++)
            for (size_t a = 0; a < RG_COUNT(apart); a++) {
                double prior = 1 / pow(priors[p].devices, 2), row = 1 / pow(priors[p].rows, 2), sum = 0;
                for (size_t i = 0; i < n; i++) sum += errors[i];
                double precision = prior + (double)n * row;
                rg_fit_sample s = sample_of(priors[p], errors, n);
                rg_fit_together(&s, 1, apart[a]);
                assert_close(s.shift, row * sum / precision);
                assert_close(s.variance, 1 / row + 1 / precision);
                assert_close(rg_fit_variance(priors[p], (double)n), s.variance);
            }
}

/* A normal deviate: Box and Muller. */
static double drawn(uint64_t *random)
{
    double u = 1 - rg_random_unit(random), v = rg_random_unit(random);
    return sqrt(-2 * log(u)) * cos(2 * acos(-1) * v);
}

/* Devices, keys and rows drawn from the model that is assumed: what shifts leave of fresh rows is as large as
 * the variance says, of keys with many, few and no probes, and 90 % lie within 1.645 of its roots. */
static void intervals_hold_what_was_drawn(void **state)
{
    enum { DEVICES = 6000, KEYS = 3 };
    static const int probes[KEYS] = {6, 2, 0};
    static const rg_spread_pair priors[KEYS] = {{0.2, 0.3}, {0.3, 0.2}, {0.15, 0.25}};
    const double apart = 0.25;
    uint64_t random = 17;
    double square[KEYS] = {0}, inside[KEYS] = {0};
    rg_fit_sample s[KEYS];
    (void)state;
    for (int d = 0; d < DEVICES; d++) {
        double z = drawn(&random), fresh[KEYS];
        for (int k = 0; k < KEYS; k++) {
            double errors[6], off = priors[k].devices * (sqrt(1 - apart) * z + sqrt(apart) * drawn(&random));
            for (int i = 0; i < probes[k]; i++) errors[i] = off + priors[k].rows * drawn(&random);
            fresh[k] = off + priors[k].rows * drawn(&random);
            s[k] = sample_of(priors[k], errors, (size_t)probes[k]);
        }
        rg_fit_together(s, KEYS, apart);
        for (int k = 0; k < KEYS; k++) {
            double left = fresh[k] - s[k].shift;
            square[k] += left * left / DEVICES;
            inside[k] += fabs(left) <= 1.645 * sqrt(s[k].variance);
        }
    }
    for (int k = 0; k < KEYS; k++) {
        assert_true(fabs(square[k] / s[k].variance - 1) < 0.06);
        assert_true(fabs(inside[k] / DEVICES - 0.9) < 0.015);
        assert_true(s[k].variance <= rg_fit_variance(s[k].prior, s[k].count)); /* others only help */
    }
}

static void priors_come_from_intervals(void **state)
{
    const rg_device *device = NULL;
    rg_trees_member own = {.device = "t4"};
    rg_trees trees = {.key = "made.gemm.f32", .known_spread = 0.329, .unknown_spread = 0.658};
    if (rg_device_find(*state, "t4", &device)) fail_msg("%s", rg_ctx_error(*state));
    rg_spread_pair p = rg_fit_prior(&trees, device), none = rg_fit_prior(NULL, device);
    assert_close(p.rows, 0.2); /* 1.645 standard deviations */
    assert_close(p.devices, sqrt(0.16 - 0.04));
    assert_true(none.rows > 0 && none.devices > none.rows);
    trees.unknown_spread = 0.1; /* devices that differ by less than their rows do */
    assert_true(rg_fit_prior(&trees, device).devices > 0);
    trees.key = "made.whole.f32"; /* rows of networks, devices: two unknowns, not one in the other */
    assert_close(rg_fit_prior(&trees, device).devices, 0.1 / 1.645);
    trees.members = &own, trees.member_count = 1; /* it was measured itself */
    assert_close(rg_fit_prior(&trees, device).devices, 0.2);
    rg_device_free(device);
}

/* Each measurement by the factor of the others. */
static void errors_are_of_rows_left_out(void **state)
{
    float r[] = {0.5f, 0.3f};
    const rg_lesson lesson = {.key = "made.gemm.f32", .count = 2, .r = r};
    const rg_spread_pair prior = {0.1, 0.1};
    rg_fit_sample keys[] = {{.prior = prior}, {.prior = prior, .count = 2, .mean = 0.4}};
    double before, after;
    (void)state;
    rg_fit_test(keys, 2, 1, 1, &lesson, &before, &after);
    assert_true(fabs(before - (2 - exp(-0.5) - exp(-0.3)) / 2) < 1e-6);
    assert_true(fabs(after - (2 - exp(0.15 - 0.5) - exp(0.25 - 0.3)) / 2) < 1e-6); /* half of the other's */
}

/* ---- files ---- */

typedef struct place { char dir[64], into[80], path[96]; } place;

static void place_open(place *p)
{
    overlay_make(p->dir, sizeof p->dir);
    snprintf(p->into, sizeof p->into, "%s/learned", p->dir);
    snprintf(p->path, sizeof p->path, "%s/products.csv", p->dir);
}

static void place_done(const place *p, const char *key)
{
    overlay_drop(p->dir, key);
    unlink(p->path);
    overlay_done(p->dir);
}

/* Each product takes `factor` times what is forecast of it: the forecasts come from the program itself. */
static const int sizes[] = {256, 384, 512, 768, 1024, 1536, 2048, 3072};

static void put_products(const place *p, const double *us, double factor)
{
    FILE *file = fopen(p->path, "w");
    assert_non_null(file);
    fputs("device,op,batch,m,n,k,dtype,latency_us\n", file);
    for (size_t i = 0; i < RG_COUNT(sizes); i++) {
        char number[32];
        rg_str_print(number, sizeof number, "%.12g", us ? us[i] * factor : 100.0);
        fprintf(file, "h100-sxm,linear,1,%d,%d,%d,float32,%s\n", sizes[i], sizes[i], sizes[i], number);
    }
    assert_int_equal(fclose(file), 0);
}

static rg_evaluation *evaluated(rg_ctx *cx, const char *path)
{
    rg_evaluation *all = NULL;
    size_t count = 0;
    const rg_evaluate_opt opt = {.size = sizeof opt, .workers = 1, .learning = RG_LEARN_ALL};
    if (rg_evaluate_file(cx, path, &opt, &all, &count)) fail_msg("%s", rg_ctx_error(cx));
    assert_int_equal(count, 1);
    return all;
}

/* Every product takes 1.5 times what is forecast. A fit multiplies by 1.5 as far as its prior lets it, which
 * the report says, and forecasts with what was written are that much longer. */
static void a_factor_is_found_again(void **state)
{
    static const char key[] = "pytorch-eager.gemm.f32";
    rg_ctx *cx = *state;
    place p;
    double us[RG_COUNT(sizes)];
    rg_doc *doc = NULL;
    const rg_trees *old = NULL;
    const rg_device *device = NULL;
    place_open(&p);
    put_products(&p, NULL, 1);
    rg_evaluation *e = evaluated(cx, p.path);
    assert_int_equal(e->count, RG_COUNT(sizes));
    for (size_t i = 0; i < e->count; i++) us[i] = e->verdicts[i].forecast[0] * 1e6;
    rg_evaluation_free(e, 1);
    put_products(&p, us, 1.5);
    const char *file = p.path;
    const rg_fit_opt opt = {.size = sizeof opt, .device = "h100-sxm", .out = p.into, .workers = 1};
    if (rg_fit_doc(cx, &file, 1, &opt, &doc)) fail_msg("%s", rg_ctx_error(cx));
    json_t *json = doc_json(cx, doc), *one = json_array_get(json_object_get(json, "keys"), 0);
    rg_doc_free(doc);
    assert_string_equal(json_string_value(json_object_get(one, "key")), key);
    assert_int_equal(json_integer_value(json_object_get(one, "measurements")), RG_COUNT(sizes));
    double factor = json_real_value(json_object_get(one, "factor"));
    assert_int_equal(rg_learned_find(cx, key, RG_OF_ROW, &old), RG_OK);
    if (rg_device_find(cx, "h100-sxm", &device)) fail_msg("%s", rg_ctx_error(cx));
    rg_spread_pair prior = rg_fit_prior(old, device);
    double n = RG_COUNT(sizes), row = n / pow(prior.rows, 2);
    rg_device_free(device);
    if (fabs(log(factor) / (log(1.5) * row / (row + 1 / pow(prior.devices, 2))) - 1) > 1e-3)
        fail_msg("a factor of %.6f", factor);
    assert_true(fabs(json_real_value(json_object_get(one, "before")) - (1 - 1 / 1.5)) < 1e-3);
    json_decref(json);
    rg_ctx *over = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = p.dir});
    e = evaluated(over, p.path);
    for (size_t i = 0; i < e->count; i++)
        assert_true(fabs(e->verdicts[i].forecast[0] * 1e6 / (us[i] * factor) - 1) < 2e-3);
    rg_evaluation_free(e, 1);
    rg_ctx_free(over);
    place_done(&p, key);
}

static void probes_of_a_model_are_named(void **state)
{
    rg_doc *doc = NULL;
    const rg_fit_opt opt = {.size = sizeof opt, .device = "h100-sxm", .model = "zoo:resnet50", .workers = 1};
    if (rg_fit_doc(*state, NULL, 0, &opt, &doc)) fail_msg("%s", rg_ctx_error(*state));
    json_t *json = doc_json(*state, doc), *probes = json_object_get(json, "probes"), *probe;
    rg_doc_free(doc);
    size_t i;
    double before = 1;
    assert_true(json_array_size(probes) >= 2);
    json_array_foreach(probes, i, probe) { /* what tells most comes first; no key twice */
        double narrower = json_number_value(json_object_get(probe, "narrower"));
        assert_true(narrower >= 0 && narrower <= before);
        before = narrower;
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(json_string_value(json_object_get(probe, "key")),
                                    json_string_value(json_object_get(json_array_get(probes, k), "key")));
    }
    json_decref(json);
}

/* A point far from the others of its key is odd, the mean of another key is not; what is NAN stays out. */
static void odd_rows_are_far_from_the_mean(void **state)
{
    static const double x[] = {0, 5, 2, 5, 4, 5, 100, 5, 102, 5, 900, 5}; /* the second tells nothing */
    static const uint8_t key_of[] = {0, 0, 0, 1, 1, 1};
    double odd[] = {0, 0, 0, 0, 0, NAN}, mean = 208 / 5.0, variance = 20424 / 5.0 - mean * mean;
    (void)state;
    rg_odd_rows(x, 6, 2, key_of, odd);
    assert_close(odd[0], 4 / variance);
    assert_close(odd[1], 0);
    assert_close(odd[2], 4 / variance);
    assert_close(odd[3], 1 / variance);
    assert_close(odd[4], 1 / variance);
    assert_true(isnan(odd[5]));
}

static void networks_to_time_are_named(void **state)
{
    rg_doc *doc = NULL;
    const rg_fit_opt opt = {
        .size = sizeof opt, .device = "l4", .whole = true, .precision = "f16", .workers = 1};
    int of_batch[129] = {0};
    if (rg_fit_doc(*state, NULL, 0, &opt, &doc)) fail_msg("%s", rg_ctx_error(*state));
    json_t *json = doc_json(*state, doc), *networks = json_object_get(json, "networks"), *one;
    rg_doc_free(doc);
    size_t i;
    assert_int_equal(json_array_size(networks), 10);
    json_array_foreach(networks, i, one) {
        const char *model = json_string_value(json_object_get(one, "model"));
        of_batch[json_integer_value(json_object_get(one, "batch"))]++;
        assert_true(json_real_value(json_object_get(one, "latency_s")) > 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(
                model, json_string_value(json_object_get(json_array_get(networks, k), "model")));
    }
    assert_true(of_batch[1] >= 3 && of_batch[16] >= 3 && of_batch[128] >= 3);
    json_decref(json);
}

static void what_cannot_be_fitted_is_refused(void **state)
{
    rg_ctx *cx = *state;
    place p;
    rg_doc *doc = NULL;
    place_open(&p);
    put_products(&p, NULL, 1);
    const char *file = p.path, *none = "/nonexistent/none.csv";
    struct { const char *path; rg_fit_opt opt; rg_err err; const char *words;
    } cases[] = {
        {file, {.device = "no-such-device"}, RG_INPUT, "no-such-device"},
        {none, {.device = "h100-sxm"}, RG_INPUT, none},
        {file, {.device = "t4"}, RG_INPUT, "no row of the files is a measurement of t4"},
        {file,
         {.device = "h100-sxm", .whole = true},
         RG_INPUT,
         "no row of the files is a measurement of h100-sxm"},
        {file, {.device = "h100-sxm", .out = "/nonexistent"}, RG_INPUT, "/nonexistent"},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        cases[i].opt.size = sizeof cases[i].opt;
        cases[i].opt.workers = 1;
        assert_int_equal(rg_fit_doc(cx, &cases[i].path, 1, &cases[i].opt, &doc), cases[i].err);
        assert_null(doc);
        if (!strstr(rg_ctx_error(cx), cases[i].words)) fail_msg("%s", rg_ctx_error(cx));
    }
    place_done(&p, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_posterior_is_its_closed_form, setup, teardown),
        cmocka_unit_test_setup_teardown(intervals_hold_what_was_drawn, setup, teardown),
        cmocka_unit_test_setup_teardown(priors_come_from_intervals, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_are_of_rows_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_factor_is_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(probes_of_a_model_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_rows_are_far_from_the_mean, setup, teardown),
        cmocka_unit_test_setup_teardown(networks_to_time_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_fitted_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
