/* test_residual.c - what was learned, in forecasts: mixtures by their closed form, factors that are exactly
 * e^r, limits that they keep, and the evidence that reports list.
 */
#define BENCH_LEARNING RG_LEARN_ALL
#include "doc_json.h"
#include "machine.h"
#include "tree_file.h"

#include <math.h>
#include <stdlib.h>

#define HEAD "ridge.graph/1 \"net\" opset 20\n"
#define GEMM HEAD "const %w = f32[1000,160] none\ngraph (%x: f32[600,1000]) { %y = MatMul(%x, %w) return %y }"
#define TWO                                                                                                \
    HEAD "const %w = f32[1000,160] none\n"                                                                 \
    "graph (%x: f32[600,1000]) { %p = MatMul(%x, %w) %y = Relu(%p) return %y }"

static void assert_close(double got, double wanted)
{
    if (!(fabs(got - wanted) <= 1e-7 * fabs(wanted) + 1e-15))
        fail_msg("got %.17g, wanted %.17g", got, wanted);
}

/* ---- mixtures ---- */

static rg_trees *trees_of(rg_ctx *cx, const tree_file *f, const constant *members, size_t count)
{
    rg_trees *t = NULL;
    if (rg_trees_parse(cx, tree_file_text(cx, f, members, count), "made", &t) ||
        rg_trees_resolve(cx, t, RG_OF_ROW))
        fail_msg("%s", rg_ctx_error(cx));
    return t;
}

static rg_residual answer(rg_ctx *cx, const rg_trees *t, const rg_device *device, rg_mixture *mixture)
{
    float all[RG_TREES_FEATURES] = {0};
    rg_residual out;
    if (rg_mixture_of(cx, t, device, mixture)) fail_msg("%s", rg_ctx_error(cx));
    rg_residual_of(mixture, all, &out);
    return out;
}

static void members_weigh_by_distance(void **state)
{
    (void)state;
    rg_ctx *cx = rg_ctx_new(NULL);
    const rg_device *device = NULL;
    rg_mixture m;
    double near[RG_TRAITS], far[RG_TRAITS], third[RG_TRAITS], beyond[RG_TRAITS];
    assert_int_equal(machine_device(cx, &machine_default, &device), RG_OK);
    rg_traits(device, near);
    memcpy(far, near, sizeof far);
    memcpy(third, near, sizeof third);
    memcpy(beyond, near, sizeof beyond);
    near[0] += 1;               /* at distance 1, 5, 6 and 100 */
    far[1] += 3, far[2] -= 4;
    third[4] += 6;              /* two are nearer */
    beyond[3] += 100;
    const constant members[] = {
        {NULL, NULL, NULL, 0.8, 0},
        {"a", "other", near, 0.25, 0},
        {"b", NULL, far, -0.5, 0},
        {"c", NULL, beyond, 1000, 0},
        {"d", NULL, third, 1000, 0},
    };
    const tree_file file = {.key = "k", .reach = 4, .pooled = 0.3, .trust = 0.75, .known = 0.1, .sister = 0.2,
                            .unknown = 0.4};
    rg_trees *t = trees_of(cx, &file, members, 5);
    rg_residual r = answer(cx, t, device, &m);
    double w1 = exp(-1.0 / 16), w2 = exp(-25.0 / 16);
    assert_close(r.r, 0.75 * (0.3 * (double)0.8f + w1 * 0.25 - w2 * 0.5) / (0.3 + w1 + w2));
    assert_true(r.spread == 0.4 && r.outside == 0 && m.nearness == RG_NEAR_UNKNOWN);
    assert_string_equal(m.nearest->device, "a");
    rg_trees_free(t);
    rg_device_free(device);
    rg_ctx_free(cx);
}

/* Measured behind hosts that are 2 and 8 times as slow as the profile's: for others stands 4, the geometric
 * mean; what has other drivers does not count. A row that takes the device as long as the profile's host, 1:
 * s(1) is 1.5, s(2) 2, s(8) 8, s(4) 4. Files whose members leave hosts in answer as those that do not. */
static void a_host_is_not_the_device(void **state)
{
    (void)state;
    rg_ctx *cx = rg_ctx_new(NULL);
    const rg_device *device = NULL;
    rg_mixture m;
    rg_residual said;
    double near[RG_TRAITS], other[RG_TRAITS];
    float all[RG_TREES_FEATURES] = {0};
    assert_int_equal(machine_device(cx, &machine_default, &device), RG_OK);
    rg_traits(device, near);
    memcpy(other, near, sizeof other);
    other[7] += 4;
    const constant members[] = {
        {NULL, NULL, NULL, 0.8, 0},
        {"a", NULL, near, 0.25, 2},
        {"b", NULL, near, -0.5, 8},
        {"c", NULL, other, 0.1, 0.5},
    };
    const tree_file file = {.key = "k", .reach = 1, .pooled = 2, .trust = 0.5};
    rg_trees *t = trees_of(cx, &file, members, 4);
    rg_residual r = answer(cx, t, device, &m);
    double left = 2 * ((double)0.8f - log(1.5)) + 0.25 - log(2) - 0.5 - log(8);
    assert_close(m.host, 4);
    assert_close(r.r, 0.5 * left / 4 + log(4));
    assert_int_equal(rg_residuals_of(cx, &m, all, 1, &said), RG_OK);
    assert_close(said.r, r.r);
    rg_trees_free(t);
    t = trees_of(cx, &file, (constant[]){{"round", NULL, near, 0.25, 2}, members[2]}, 2);
    assert_close(answer(cx, t, device, &m).r, 0.25); /* it keeps its host */
    rg_trees_free(t);
    tree_file apart = file;
    apart.hosts_apart = true;
    t = trees_of(cx, &apart, members, 4);
    assert_close(answer(cx, t, device, &m).r, 0.5 * (2 * (double)0.8f + 0.25 - 0.5) / 4 + log(4));
    rg_trees_free(t);
    t = trees_of(cx, &apart, (constant[]){{"round", NULL, near, 0.25, 2}, members[2]}, 2);
    assert_close(answer(cx, t, device, &m).r, 0.25 + log(2));
    rg_trees_free(t);
    rg_device_free(device);
    rg_ctx_free(cx);
}

/* With a host of 4, rows that take the device a half, 2, 4 and 16: alone half of the host's time comes before
 * each; in a queue the longer of both is all. The base is the longer of 1 and the device's. */
static void a_queue_hides_the_host(void **state)
{
    (void)state;
    static const struct { double device, alone, queued; } rows[] = {
        {0.5, 4, 4}, {2, 2, 2}, {4, 1.5, 1}, {16, 18.0 / 16, 1}};
    float x[RG_TREES_FEATURES] = {0};
    size_t issue = 0;
    while (strcmp(rg_feature_name(RG_OF_ROW, issue), "issue") != 0) issue++;
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        x[issue] = (float)-log2(rows[i].device);
        assert_close(rg_host_shift(4, x), log(rows[i].alone));
        assert_close(rg_host_ahead(4, x), log(rows[i].queued));
    }
    assert_true(rg_host_shift(0, x) == 0 && rg_host_ahead(0, x) == 0);
}

static void a_device_that_is_known_answers_alone(void **state)
{
    (void)state;
    rg_ctx *cx = rg_ctx_new(NULL);
    const rg_device *device = NULL;
    rg_mixture m;
    double traits[RG_TRAITS] = {0};
    assert_int_equal(machine_device(cx, &machine_default, &device), RG_OK);
    const constant members[] = {
        {NULL, NULL, NULL, 0.8, 0},
        {"a", "none", traits, 0.25, 0},
        {"round", NULL, traits, -0.5, 3},
        {"c", NULL, traits, 1, 0},
    };
    const tree_file file = {.key = "k", .pooled = 0.3, .trust = 0.5, .known = 0.1, .sister = 0.2,
                            .unknown = 0.4, .low = 1, .high = 2}; /* of the one feature, which is 0 */
    rg_trees *t = trees_of(cx, &file, members, 4);
    rg_residual r = answer(cx, t, device, &m);
    assert_true(r.r == -0.5 && m.nearness == RG_NEAR_KNOWN && r.outside == 1); /* trust is for others */
    assert_close(r.spread, 0.1 * 1.1);
    rg_trees_free(t);
    t = trees_of(cx, &file, members,
                 2); /* without it: one of its architecture, which is too far to be heard */
    r = answer(cx, t, device, &m);
    assert_close(r.r, 0.5 * (double)0.8f);
    assert_true(m.nearness == RG_NEAR_SISTER);
    assert_close(r.spread, 0.2 * 1.1);
    rg_trees_free(t);
    t = trees_of(cx, &file, members, 0);
    assert_true(answer(cx, t, device, &m).r == 0); /* nobody to ask */
    rg_trees_free(t);
    rg_device_free(device);
    rg_ctx_free(cx);
}

/* The member of all answers beside its own, without trust and whatever its weight for others; the others do
 * not.
 */
static void all_are_heard_beside_a_known_device(void **state)
{
    (void)state;
    rg_ctx *cx = rg_ctx_new(NULL);
    const rg_device *device = NULL;
    rg_mixture m;
    double near[RG_TRAITS];
    assert_int_equal(machine_device(cx, &machine_default, &device), RG_OK);
    rg_traits(device, near);
    near[0] += 2;
    const constant members[] = {
        {"round", NULL, near, -0.5, 0}, {NULL, NULL, NULL, 0.75, 0}, {"a", NULL, near, 0.25, 0}};
    const tree_file file = {
        .key = "k", .reach = 4, .pooled = 0.1, .trust = 0.25, .shared = 0.3, .known = 0.1};
    rg_trees *t = trees_of(cx, &file, members, 3);
    assert_close(answer(cx, t, device, &m).r, 0.7 * -0.5 + 0.3 * 0.75);
    assert_true(m.nearness == RG_NEAR_KNOWN && m.nearest == &t->members[0]);
    rg_trees_free(t);
    t = trees_of(cx, &file, members, 1); /* there is no such member */
    assert_true(answer(cx, t, device, &m).r == -0.5);
    rg_trees_free(t);
    rg_device_free(device);
    rg_ctx_free(cx);
}

/* ---- forecasts ---- */

typedef struct scene { char dir[64]; bench b; } scene;

static void scene_open(scene *s, const char *text, const knobs *k, rg_learning learning)
{
    rg_ctx_opt opt = {.size = sizeof opt, .data_dir = s->dir};
    rg_forecast_opt how = {.size = sizeof how, .learning = learning};
    s->b = (bench){.cx = rg_ctx_new(&opt)};
    assert_non_null(s->b.cx);
    if (machine_device(s->b.cx, k ? k : &machine_default, &s->b.device) ||
        machine_runtime(s->b.cx, k ? k : &machine_default, &s->b.runtime) ||
        machine_graph(s->b.cx, text, &s->b.graph) ||
        rg_plan_make(s->b.cx, s->b.graph, s->b.device, s->b.runtime, NULL, &s->b.plan) ||
        rg_forecast_make(s->b.cx, s->b.plan, &how, &s->b.forecast))
        fail_msg("%s", rg_ctx_error(s->b.cx));
}

static void scene_close(scene *s)
{
    rg_ctx *cx = s->b.cx;
    bench_free(&s->b);
    rg_ctx_free(cx);
}

static void assert_checks_pass(const rg_forecast *f)
{
    for (uint32_t i = 0; i < f->check_count; i++)
        if (!f->checks[i].pass) fail_msg("%s: %s", f->checks[i].name, f->checks[i].text);
}

static constant known(double r) { return (constant){"round", NULL, NULL, r, 0}; }

static void put(const scene *s, const char *key, double r, double spread)
{
    const constant m = known(r);
    overlay_constants(s->dir, &(tree_file){.key = key, .known = spread}, &m, 1);
}

static void a_row_takes_e_to_the_r(void **state)
{
    (void)state;
    scene with, without;
    overlay_make(with.dir, sizeof with.dir);
    memcpy(without.dir, with.dir, sizeof with.dir);
    put(&with, "round.gemm.f32", 0.25, 0.3);
    scene_open(&with, GEMM, NULL, RG_LEARN_ALL);
    scene_open(&without, GEMM, NULL, RG_LEARN_NONE);
    const rg_forecast *f = with.b.forecast, *base = without.b.forecast;
    const rg_row_cost *c = f->rows, *b = base->rows;
    assert_close(b->latency_s, 195e-6); /* by hand: test_forecast.c */
    assert_true(base->evidence_count == 0 && b->residual == 0 && b->terms_s[RG_TERM_CORRECTION] == 0);
    assert_close(c->latency_s, 195e-6 * exp(0.25));
    assert_close(c->terms_s[RG_TERM_CORRECTION], 195e-6 * (exp(0.25) - 1));
    for (int i = 0; i < RG_TERM_CORRECTION; i++) assert_close(c->terms_s[i], b->terms_s[i]);
    assert_close(f->latency_s.value, 195e-6 * exp(0.25) + 10e-6);
    assert_close(f->latency_s.high, f->latency_s.value * exp(0.3));
    assert_close(f->latency_s.low, f->latency_s.value / exp(0.3));
    assert_close(base->latency_s.high, base->latency_s.value * 2);
    assert_close(c->energy_j, c->power_w * c->total_s);
    assert_int_equal(f->evidence_count, 2);
    assert_int_equal(c->evidence, 1);
    assert_string_equal(f->evidence[1].key, "round.gemm.f32");
    assert_string_equal(f->evidence[1].device, "round");
    rg_mixture m;
    assert_int_equal(rg_learned_for(with.b.cx, f, 0, RG_TARGET_LATENCY, &m), RG_OK);
    assert_true(m.trees && !m.queued); /* its only row */
    assert_true(f->hash != base->hash);
    assert_checks_pass(f);
    scene_close(&without);
    scene_close(&with);
    overlay_drop(with.dir, "round.gemm.f32");
    overlay_done(with.dir);
}

/* Spreads of rows weigh by their time; a row without evidence has the profile's factor, 2. */
static void intervals_are_mixed_by_time(void **state)
{
    (void)state;
    scene s;
    overlay_make(s.dir, sizeof s.dir);
    put(&s, "round.gemm.f32", -0.1, 0.3);
    scene_open(&s, TWO, NULL, RG_LEARN_ALL);
    const rg_forecast *f = s.b.forecast;
    assert_int_equal(f->plan->row_count, 2);
    double a = f->rows[0].total_s, b = f->rows[1].total_s;
    rg_mixture m;
    assert_close(f->spread, (a * 0.3 + b * log(2)) / (a + b));
    assert_int_equal(rg_learned_for(s.b.cx, f, 0, RG_TARGET_LATENCY, &m), RG_OK);
    assert_true(m.trees && m.queued);
    assert_true(f->rows[1].evidence == 0 && f->rows[1].residual == 0);
    scene_close(&s);
    overlay_drop(s.dir, "round.gemm.f32");
    overlay_done(s.dir);
}

/* 192 us of arithmetic at the peak: not even a residual of -5 gets below them. */
static void peaks_are_not_beaten(void **state)
{
    (void)state;
    scene s;
    overlay_make(s.dir, sizeof s.dir);
    put(&s, "round.gemm.f32", -5, 0.3);
    scene_open(&s, GEMM, NULL, RG_LEARN_ALL);
    assert_close(s.b.forecast->rows->latency_s, 192e-6);
    assert_close(s.b.forecast->rows->utilization, 1);
    assert_checks_pass(s.b.forecast);
    scene_close(&s);
    overlay_drop(s.dir, "round.gemm.f32");
    overlay_done(s.dir);
}

static void power_is_learned_between_idle_and_cap(void **state)
{
    (void)state;
    static const struct { double r; bool capped, idle; } cases[] = {{0.25, false, false}, {9, true, false},
                                                                    {-9, false, true}};
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        scene s;
        knobs k = machine_default;
        k.cap_w = 20;
        overlay_make(s.dir, sizeof s.dir);
        scene_open(&s, GEMM, &k, RG_LEARN_NONE);
        double base_w = s.b.forecast->rows->power_w;
        scene_close(&s);
        put(&s, "round.gemm.f32.power", cases[i].r, 0.3);
        scene_open(&s, GEMM, &k, RG_LEARN_ALL);
        double wanted = cases[i].capped ? 20 : cases[i].idle ? 10 : base_w * exp(0.25);
        assert_close(s.b.forecast->rows->power_w, wanted);
        assert_close(s.b.forecast->rows->latency_s, 195e-6);
        assert_checks_pass(s.b.forecast);
        scene_close(&s);
        overlay_drop(s.dir, "round.gemm.f32.power");
        overlay_done(s.dir);
    }
}

static void the_whole_takes_e_to_the_r(void **state)
{
    (void)state;
    static const double factors[] = {-0.6, 0.4};
    for (size_t i = 0; i < RG_COUNT(factors); i++) {
        scene s;
        knobs k = machine_default;
        overlay_make(s.dir, sizeof s.dir);
        scene_open(&s, GEMM, &k, RG_LEARN_NONE);
        double base_s = s.b.forecast->latency_s.value;
        k.cap_w = s.b.forecast->power_w.value * 1.01; /* what is made faster would exceed it */
        scene_close(&s);
        put(&s, "round.whole.f32", factors[i], 0.2);
        scene_open(&s, GEMM, &k, RG_LEARN_ALL);
        assert_close(s.b.forecast->latency_s.value, base_s * exp(factors[i]));
        assert_close(s.b.forecast->correction_s, base_s * (exp(factors[i]) - 1));
        assert_close(s.b.forecast->latency_s.high, s.b.forecast->latency_s.value * exp(0.2));
        assert_checks_pass(s.b.forecast);
        scene_close(&s);
        scene_open(&s, GEMM, &k, RG_LEARN_ROWS);
        assert_close(s.b.forecast->latency_s.value, base_s);
        scene_close(&s);
        put(&s, "round.whole.f32.power", 0.0, 0.2); /* as the base has it */
        scene_open(&s, GEMM, &k, RG_LEARN_ALL);
        assert_close(s.b.forecast->power_w.value, k.cap_w / 1.01);
        assert_checks_pass(s.b.forecast);
        scene_close(&s);
        overlay_drop(s.dir, "round.whole.f32.power");
        overlay_drop(s.dir, "round.whole.f32");
        overlay_done(s.dir);
    }
}

/* ---- files that are wrong ---- */

static void a_wrong_file_is_named(void **state)
{
    (void)state;
    static const struct { const char *key, *feature, *words; } cases[] = {
        {"round.conv.f32", NULL, "learned/round.gemm.f32.trees: its key is round.conv.f32"},
        {"round.gemm.f32", "color", "learned/round.gemm.f32.trees: features[0]: 'color' is none of the"},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        scene s;
        overlay_make(s.dir, sizeof s.dir);
        rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = s.dir});
        const constant m = known(0.5);
        overlay_put(
            s.dir, "round.gemm.f32",
            tree_file_text(cx, &(tree_file){.key = cases[i].key, .feature = cases[i].feature}, &m, 1));
        bench b = {.cx = cx};
        assert_int_equal(bench_round(&b, NULL, GEMM, 0), RG_FORMAT);
        if (!strstr(rg_ctx_error(cx), cases[i].words)) fail_msg("%s", rg_ctx_error(cx));
        bench_free(&b);
        rg_ctx_free(cx);
        overlay_drop(s.dir, "round.gemm.f32");
        overlay_done(s.dir);
    }
}

/* ---- whatever is learned, laws hold ---- */

static const rg_forecast *forecast_of(rg_ctx *cx, const char *model, const char *on, rg_learning learning)
{
    const rg_graph *g = NULL;
    const rg_device *d = NULL;
    const rg_runtime *r = NULL;
    const rg_plan *p = NULL;
    const rg_forecast *f = NULL;
    rg_forecast_opt how = {.size = sizeof how, .learning = learning};
    if (rg_graph_load(cx, model, NULL, &g) || rg_device_find(cx, on, &d) ||
        rg_runtime_find(cx, "pytorch-eager", d, &r) || rg_plan_make(cx, g, d, r, NULL, &p) ||
        rg_forecast_make(cx, p, &how, &f))
        fail_msg("%s", rg_ctx_error(cx));
    rg_plan_free(p);
    rg_runtime_free(r);
    rg_device_free(d);
    rg_graph_free(g);
    return f;
}

/* Keys of every family and of the whole, each with a residual of its own, of time and of power. */
static void put_random(const char *dir, uint64_t *random, bool drop)
{
    for (int i = 0; i < 4 * (RG_FAMILY_COUNT + 1); i++) {
        char key[80];
        const char *name = i / 4 < RG_FAMILY_COUNT ? rg_family_name((rg_family)(i / 4)) : "whole";
        snprintf(key, sizeof key, "pytorch-eager.%s.%s%s", name, i & 2 ? "f32" : "tf32",
                 i & 1 ? ".power" : "");
        const constant m = {NULL, NULL, NULL, 3 * rg_random_unit(random) - 1.5, 0};
        if (drop) overlay_drop(dir, key);
        else overlay_constants(dir, &(tree_file){.key = key, .pooled = 1, .trust = 1, .unknown = 0.5}, &m, 1);
    }
}

static void all_checks_pass_whatever_was_learned(void **state)
{
    (void)state;
    static const char *const models[] = {"zoo:resnet18", "zoo:distilbert"},
                      *const devices[] = {"t4", "h100-sxm", "rtx-3090"};
    uint64_t random = 5;
    char dir[64];
    overlay_make(dir, sizeof dir);
    for (size_t i = 0; i < 2 * RG_COUNT(devices); i++) {
        put_random(dir, &random, false);
        rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = dir});
        const rg_forecast *f = forecast_of(cx, models[i % 2], devices[i / 2], RG_LEARN_ALL);
        assert_checks_pass(f);
        assert_true(f->evidence_count > 2 && f->correction_s != 0);
        rg_forecast_free(f);
        rg_ctx_free(cx);
    }
    put_random(dir, &random, true);
    overlay_done(dir);
}

static void nothing_learned_is_the_analytic_base(void **state)
{
    (void)state;
    uint64_t random = 9;
    char dir[64];
    overlay_make(dir, sizeof dir);
    rg_ctx *bare = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = dir});
    const rg_forecast *a = forecast_of(bare, "zoo:resnet18", "t4", RG_LEARN_NONE);
    put_random(dir, &random, false);
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = dir});
    const rg_forecast *b = forecast_of(cx, "zoo:resnet18", "t4", RG_LEARN_NONE);
    assert_true(a->latency_s.value == b->latency_s.value && a->energy_j.value == b->energy_j.value);
    assert_true(a->latency_s.high == b->latency_s.high && a->hash == b->hash && b->evidence_count == 0);
    rg_forecast_free(b);
    rg_forecast_free(a);
    rg_ctx_free(cx);
    rg_ctx_free(bare);
    put_random(dir, &random, true);
    overlay_done(dir);
}

/* ---- reports, words, memory ---- */

static json_t *report_of(rg_ctx *cx, const rg_forecast *f)
{
    rg_doc *doc = NULL;
    if (rg_forecast_doc(cx, &f, 1, 3, &doc)) fail_msg("%s", rg_ctx_error(cx));
    json_t *json = doc_json(cx, doc);
    rg_doc_free(doc);
    return json;
}

static void reports_list_the_evidence(void **state)
{
    (void)state;
    scene s;
    overlay_make(s.dir, sizeof s.dir);
    put(&s, "round.gemm.f32", 0.25, 0.3);
    scene_open(&s, GEMM, NULL, RG_LEARN_ALL);
    json_t *json = report_of(s.b.cx, s.b.forecast);
    json_t *result = json_array_get(json_object_get(json, "results"), 0);
    json_t *list = json_object_get(result, "evidence"), *one = json_array_get(list, 0);
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_object_get(one, "key")), "round.gemm.f32");
    assert_string_equal(json_string_value(json_object_get(one, "made_of")), "made-up.csv");
    assert_string_equal(json_string_value(json_object_get(one, "data_hash")), "0123456789abcdef");
    assert_int_equal(json_integer_value(json_object_get(one, "measurements")), 1000);
    assert_close(json_number_value(json_object_get(one, "spread")), exp(0.3));
    json_t *row = json_array_get(json_object_get(result, "rows"), 0);
    assert_string_equal(json_string_value(json_object_get(row, "evidence")), "round.gemm.f32");
    json_decref(json);
    scene_close(&s);
    overlay_drop(s.dir, "round.gemm.f32");
    overlay_done(s.dir);
}

static void learning_has_three_words(void **state)
{
    (void)state;
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_learning l;
    assert_true(!rg_learning_read(cx, NULL, &l) && l == RG_LEARN_ALL);
    assert_true(!rg_learning_read(cx, "rows", &l) && l == RG_LEARN_ROWS);
    assert_true(!rg_learning_read(cx, "none", &l) && l == RG_LEARN_NONE);
    assert_int_equal(rg_learning_read(cx, "some", &l), RG_USAGE);
    assert_string_equal(rg_ctx_error(cx), "'some' is none of: all, rows, none");
    rg_ctx_free(cx);
}

typedef struct meter { long given, returned, refuse_at; } meter;

static void *metered_alloc(void *user, size_t size)
{
    meter *m = user;
    if (m->given + 1 >= m->refuse_at) return NULL;
    void *block = calloc(1, size);
    if (block) m->given++;
    return block;
}

static void metered_free(void *user, void *block)
{
    if (block) ((meter *)user)->returned++;
    free(block);
}

static void memory_that_ends_is_told(void **state)
{
    (void)state;
    scene s;
    rg_err err = RG_NOMEM;
    overlay_make(s.dir, sizeof s.dir);
    put(&s, "round.gemm.f32", 0.25, 0.3);
    put(&s, "round.whole.f32", 0.25, 0.3);
    for (long n = 1; err == RG_NOMEM && n < 10000; n++) {
        meter m = {.refuse_at = n};
        bench b = {.cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .alloc = metered_alloc,
                                                  .free = metered_free, .user = &m, .data_dir = s.dir})};
        if (b.cx) err = bench_round(&b, NULL, GEMM, 0);
        if (!err) assert_close(b.forecast->latency_s.value, (195e-6 * exp(0.25) + 10e-6) * exp(0.25));
        if (err && err != RG_NOMEM) fail_msg("allocation %ld: %s", n, rg_ctx_error(b.cx));
        if (b.cx) bench_free(&b);
        rg_ctx_free(b.cx);
        assert_int_equal(m.given, m.returned);
    }
    assert_int_equal(err, RG_OK);
    overlay_drop(s.dir, "round.gemm.f32");
    overlay_drop(s.dir, "round.whole.f32");
    overlay_done(s.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_weigh_by_distance),
        cmocka_unit_test(a_host_is_not_the_device),
        cmocka_unit_test(a_queue_hides_the_host),
        cmocka_unit_test(a_device_that_is_known_answers_alone),
        cmocka_unit_test(all_are_heard_beside_a_known_device),
        cmocka_unit_test(a_row_takes_e_to_the_r),
        cmocka_unit_test(intervals_are_mixed_by_time),
        cmocka_unit_test(peaks_are_not_beaten),
        cmocka_unit_test(power_is_learned_between_idle_and_cap),
        cmocka_unit_test(the_whole_takes_e_to_the_r),
        cmocka_unit_test(a_wrong_file_is_named),
        cmocka_unit_test(all_checks_pass_whatever_was_learned),
        cmocka_unit_test(nothing_learned_is_the_analytic_base),
        cmocka_unit_test(reports_list_the_evidence),
        cmocka_unit_test(learning_has_three_words),
        cmocka_unit_test(memory_that_ends_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
