/* test_sweep.c - what a study says as curves: knees, thriftiest batches, best clocks, exponents, each found
 * a second way; and that sensitivities are what the same what-if gives directly.
 */
#include "study_make.h"

/* ---- sweeps ---- */

/* The smallest batch that reaches nine tenths of the best; the order of the request does not matter. */
static void the_knee_of_a_batch_sweep(void **state)
{
    rg_ctx *cx = *state;
    static const char *const orders[] = {"1..256", "256,32,1,64,8,2,128,4,16"};
    double knees[RG_COUNT(orders)][2];
    for (size_t k = 0; k < RG_COUNT(orders); k++) {
        rg_study *s = study(cx, OPTIONS(LIST(model, TINY, "zoo:mlp"), LIST(device, "t4"),
                                        .batch = orders[k]));
        rg_doc *doc = swept(cx, s);
        assert_string_equal(string(rg_doc_tree(doc), "variable"), "batch");
        assert_int_equal(array_of(doc, "points")->count, 18);
        const rg_item *curve = array_of(doc, "curves")->first;
        for (uint32_t m = 0; m < 2; m++, curve = curve->next) {
            double most = 0, knee = INFINITY, thrift = 0, least = INFINITY;
            for (size_t i = m * 9; i < (m + 1) * 9; i++) most = fmax(most, s->points[i].throughput_per_s);
            for (size_t i = m * 9; i < (m + 1) * 9; i++) {
                const rg_point *p = &s->points[i];
                double inputs = (double)p->inputs;
                if (p->throughput_per_s >= 0.9 * most) knee = fmin(knee, inputs);
                if (p->energy_j.value / inputs < least) least = p->energy_j.value / inputs, thrift = inputs;
            }
            assert_string_equal(string(curve, "curve"), s->labels[m]);
            assert_same(number(curve, "knee_batch"), knee);
            assert_same(number(curve, "thriftiest_batch"), thrift);
            assert_same(number(curve, "largest_batch_that_fits"), 256);
            knees[k][m] = knee;
        }
        assert_null(curve);
        rg_doc_free(doc);
        rg_study_free(s);
    }
    assert_memory_equal(knees[0], knees[1], sizeof knees[0]);
}

static void the_best_clocks_of_a_clock_sweep(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, "zoo:shufflenet_v2_x0_5", TINY),
                                    LIST(device, "v100-pcie-32gb", "t4"), .core_mhz = "300..1500:50"));
    rg_doc *doc = swept(cx, s);
    assert_string_equal(string(rg_doc_tree(doc), "variable"), "core_clock_hz");
    const rg_item *curve = array_of(doc, "curves")->first;
    for (size_t first = 0; first < s->point_count; first += 25, curve = curve->next) {
        double least[3] = {INFINITY, INFINITY, INFINITY}, clock[3] = {0};
        for (size_t i = first; i < first + 25; i++) {
            double t = s->points[i].latency_s.value, e = s->points[i].energy_j.value, product = e;
            for (int k = 0; k < 3; k++, product *= t) {
                if (product >= least[k]) continue;
                least[k] = product;
                clock[k] = s->points[i].clock_hz;
            }
        }
        assert_same(number(curve, "best_energy_clock_hz"), clock[0]);
        assert_same(number(curve, "best_edp_clock_hz"), clock[1]);
        assert_same(number(curve, "best_ed2p_clock_hz"), clock[2]);
        assert_true(clock[0] <= clock[1] && clock[1] <= clock[2]); /* the more time weighs, the faster */
    }
    assert_null(curve);
    rg_doc_free(doc);
    rg_study_free(s);
}

static void a_sequence_sweep_has_its_exponent(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, "zoo:distilbert"), LIST(device, "t4"), .seq = "32..256",
                                    .precision = "f32,f16"));
    rg_doc *doc = swept(cx, s);
    const rg_item *curve = array_of(doc, "curves")->first;
    assert_string_equal(string(rg_doc_tree(doc), "variable"), "seq");
    for (size_t i = 0; i < 2; i++, curve = curve->next) {
        double ratio = s->points[4 * i + 3].latency_s.value / s->points[4 * i].latency_s.value;
        assert_string_equal(string(curve, "curve"), i ? "f16" : "f32");
        if (fabs(pow(8, number(curve, "latency_exponent")) - ratio) > 1e-9 * ratio) fail_msg("exponent");
    }
    rg_doc_free(doc);
    rg_study_free(s);
}

/* Two things vary: a curve for each of the other. Points stay with theirs, and each is there once. */
static void curves_are_split_by_what_else_varies(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, "zoo:distilbert"), LIST(device, "t4", "l4"), .batch = "1..8",
                                    .seq = "32,64"));
    rg_doc *doc = swept(cx, s);
    const rg_item *curve = array_of(doc, "curves")->first, *point = array_of(doc, "points")->first;
    static const char *const names[] = {"t4, sequence 32", "t4, sequence 64", "l4, sequence 32",
                                        "l4, sequence 64"};
    for (size_t i = 0; i < RG_COUNT(names); i++, curve = curve->next) {
        assert_string_equal(string(curve, "curve"), names[i]);
        for (int b = 0; b < 4; b++, point = point->next) {
            assert_string_equal(string(point, "curve"), names[i]);
            assert_same(number(point, "batch"), 1 << b);
            assert_same(number(point, "seq"), i % 2 ? 64 : 32);
        }
    }
    assert_null(curve);
    assert_null(point);
    rg_doc_free(doc);
    rg_study_free(s);
}

/* ---- sensitivity ---- */

static const rg_forecast *priced(rg_ctx *cx, const rg_plan *plan, const char *path, bool better_is_more,
                                 double factor)
{
    static const char prefix[] = "runtime.";
    char text[128];
    const char *change = text;
    const rg_device *d = NULL;
    const rg_runtime *r = NULL;
    const rg_plan *changed = NULL;
    const rg_forecast *f = NULL;
    bool runtime = strncmp(path, prefix, strlen(prefix)) == 0;
    snprintf(text, sizeof text, "%s=%.17gx", path + (runtime ? strlen(prefix) : 0),
             better_is_more ? factor : 1 / factor);
    rg_err err = runtime ? rg_runtime_change(cx, plan->runtime, &change, 1, &r)
                         : rg_device_change(cx, plan->device, &change, 1, &d);
    if (!err) err = rg_plan_make(cx, plan->graph, d ? d : plan->device, r ? r : plan->runtime, NULL,
                                 &changed);
    if (!err) err = rg_forecast_make(cx, changed, NULL, &f);
    if (err) fail_msg("%s: %s", path, rg_ctx_error(cx));
    rg_plan_free(changed);
    rg_device_free(d);
    rg_runtime_free(r);
    return f;
}

static void check_figure(rg_ctx *cx, const rg_plan *plan, const rg_forecast *now, const rg_item *item,
                         double factor)
{
    const char *path = string(item, "path");
    bool more = string(item, "change")[1] != '/'; /* "2x", not "1/2x" */
    const rg_forecast *f = priced(cx, plan, path, more, factor);
    const rg_item *flip = rg_item_find(item, "flip_factor");
    assert_same(number(item, "latency_s"), f->latency_s.value);
    assert_same(number(item, "energy_j"), f->energy_j.value);
    assert_same(number(item, "gain"), 1 - f->latency_s.value / now->latency_s.value);
    rg_forecast_free(f);
    if (!flip || flip->kind == RG_ITEM_NULL) return;
    f = priced(cx, plan, path, more, flip->real);
    assert_string_not_equal(f->bound, now->bound);
    assert_string_equal(f->bound, string(item, "flips_to"));
    rg_forecast_free(f);
    if (flip->real <= factor) return;
    f = priced(cx, plan, path, more, flip->real / 2);
    assert_string_equal(f->bound, now->bound); /* not before */
    rg_forecast_free(f);
}

static void sensitivities_are_what_ifs(void **state)
{
    rg_ctx *cx = *state;
    static const char *const models[] = {TINY, "zoo:shufflenet_v2_x0_5"};
    size_t flips = 0;
    for (size_t m = 0; m < RG_COUNT(models); m++) {
        rg_study *s = study(cx, OPTIONS(.models = &models[m], .model_count = 1,
                                        LIST(device, "t4", "xeon-8480"), .keep = true));
        for (size_t i = 0; i < s->point_count; i++) {
            const rg_forecast *now = s->points[i].forecast;
            rg_doc *doc;
            double before = INFINITY;
            if (rg_sensitivity_doc(cx, now->plan, NULL, 2, &doc)) fail_msg("%s", rg_ctx_error(cx));
            for (const rg_item *f = array_of(doc, "figures")->first; f; f = f->next) {
                double gain = number(f, "gain");
                const rg_item *flip = rg_item_find(f, "flip_factor");
                assert_true(gain <= before); /* the largest first */
                before = gain;
                flips += flip && flip->kind == RG_ITEM_REAL;
                check_figure(cx, now->plan, now, f, 2);
            }
            rg_doc_free(doc);
        }
        rg_study_free(s);
    }
    assert_true(flips > 0);
}

static void factors_have_bounds(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, TINY), LIST(device, "t4"), .keep = true));
    static const double bad[] = {1, 0.5, 0, -2, 1001, NAN};
    for (size_t i = 0; i < RG_COUNT(bad); i++) {
        rg_doc *doc;
        assert_int_equal(rg_sensitivity_doc(cx, s->points[0].forecast->plan, NULL, bad[i], &doc), RG_USAGE);
        assert_null(doc);
    }
    rg_study_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_knee_of_a_batch_sweep),
        TEST(the_best_clocks_of_a_clock_sweep),
        TEST(a_sequence_sweep_has_its_exponent),
        TEST(curves_are_split_by_what_else_varies),
        TEST(sensitivities_are_what_ifs),
        TEST(factors_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
