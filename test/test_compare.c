/* test_compare.c - what a study says as one table: limits by their definition, the Pareto front by brute
 * force, orders, the best of everything; and the steps between two runtimes, which add up.
 */
#include "study_make.h"

/* ---- compare ---- */

/* Several machines, stacks, types and batches: enough that nothing is trivial. */
static rg_study *wide(rg_ctx *cx)
{
    return study(cx, OPTIONS(LIST(model, "zoo:mlp", TINY, "zoo:shufflenet_v2_x0_5"),
                             LIST(device, "t4", "l4", "a100-sxm-80gb", "xeon-8480"),
                             LIST(runtime, "pytorch-eager", "tensorrt", "native"), .precision = "model,i8",
                             .batch = "1,8,64", .core_mhz = "600,1200,2400"));
}

/* No other that fits is as good in both and better in one; of twins the first. */
static bool on_front(const rg_study *s, const rg_point *p)
{
    if (!p->fits) return false;
    for (size_t i = 0; i < s->point_count; i++) {
        const rg_point *q = &s->points[i];
        double time = q->latency_s.value - p->latency_s.value;
        double joules = q->energy_j.value / (double)q->inputs - p->energy_j.value / (double)p->inputs;
        if (q->err || !q->fits || q->model != p->model || time > 0 || joules > 0) continue;
        if (time < 0 || joules < 0 || q < p) return false;
    }
    return true;
}

static void the_front_is_that_of_brute_force(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = wide(cx);
    rg_doc *doc = compared(cx, s, NULL, NULL, 0);
    const rg_item *r = array_of(doc, "results")->first;
    size_t front = 0;
    for (size_t i = 0; i < s->point_count; i++, r = r->next) {
        assert_int_equal(s->points[i].err, RG_OK);
        assert_same(number(r, "latency_s.value"), s->points[i].latency_s.value);
        front += flag(r, "front");
        if (flag(r, "front") != on_front(s, &s->points[i])) fail_msg("point %zu of the front", i);
    }
    assert_null(r);
    assert_true(front >= 3 && front < s->point_count / 2);
    rg_doc_free(doc);
    rg_study_free(s);
}

static void tables_are_sorted_as_asked(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = wide(cx);
    static const struct { const char *sort, *path; bool falls, text; } rows[] = {
        {"latency", "latency_s.value", false, false}, {"energy", "energy_j.value", false, false},
        {"power", "power_w.value", false, false}, {"memory", "peak_memory_byte.value", false, false},
        {"throughput", "throughput_per_s", true, false}, {"device", "device", false, true},
        {"runtime", "runtime", false, true}, {"model", "model", false, true},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_doc *doc = compared(cx, s, NULL, rows[i].sort, 0);
        const rg_item *r = array_of(doc, "results")->first;
        for (; r->next; r = r->next) {
            double rises = rows[i].text ? strcmp(string(r->next, rows[i].path), string(r, rows[i].path))
                                        : number(r->next, rows[i].path) - number(r, rows[i].path);
            if (rows[i].falls ? rises > 0 : rises < 0) fail_msg("not sorted by %s", rows[i].sort);
        }
        rg_doc_free(doc);
    }
    rg_doc *doc;
    assert_int_equal(rg_compare_doc(cx, s, NULL, "beauty", 0, &doc), RG_USAGE);
    assert_has(rg_ctx_error(cx), "beauty");
    assert_null(doc);
    rg_study_free(s);
}

static size_t count_within(const rg_study *s, const rg_limits *l)
{
    size_t count = 0;
    for (size_t i = 0; i < s->point_count; i++) {
        const rg_point *p = &s->points[i];
        count += !p->err && p->fits && (l->latency_s <= 0 || p->latency_s.value <= l->latency_s) &&
                 (l->power_w <= 0 || p->power_w.value <= l->power_w) &&
                 (l->memory_byte <= 0 || p->peak_memory_byte.value <= l->memory_byte) &&
                 (l->energy_j <= 0 || p->energy_j.value <= l->energy_j);
    }
    return count;
}

static void limits_are_kept_by_those_below(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = wide(cx);
    const rg_point *p = &s->points[s->point_count / 2];
    const rg_limits rows[] = {
        {.size = sizeof(rg_limits)},
        {.size = sizeof(rg_limits), .latency_s = p->latency_s.value}, /* itself is within */
        {.size = sizeof(rg_limits), .power_w = p->power_w.value},
        {.size = sizeof(rg_limits), .memory_byte = p->peak_memory_byte.value},
        {.size = sizeof(rg_limits), .energy_j = p->energy_j.value},
        {.size = sizeof(rg_limits), .latency_s = p->latency_s.value, .power_w = p->power_w.value,
         .memory_byte = p->peak_memory_byte.value, .energy_j = p->energy_j.value},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        size_t count = count_within(s, &rows[i]), told = 0;
        assert_true(count > 0);
        assert_int_equal(rg_study_within(s, &rows[i]), count);
        rg_doc *doc = compared(cx, s, &rows[i], NULL, 0);
        for (const rg_item *r = array_of(doc, "results")->first; r; r = r->next) told += flag(r, "within");
        assert_int_equal(told, count);
        assert_true(flag(rg_doc_tree(doc), "verdict.met"));
        assert_same(number(rg_doc_tree(doc), "verdict.within"), (double)count);
        rg_doc_free(doc);
    }
    assert_int_equal(rg_study_within(s, NULL), count_within(s, &rows[0]));
    rg_study_free(s);
}

/* One point, a quarter of its latency and half of its energy: the verdict names the worse. */
static void a_verdict_names_the_worst_limit(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, TINY), LIST(device, "t4")));
    const rg_point *p = &s->points[0];
    rg_limits limits = {.size = sizeof limits, .latency_s = p->latency_s.value / 4,
                        .energy_j = p->energy_j.value / 2};
    assert_int_equal(rg_study_within(s, &limits), 0);
    rg_doc *doc = compared(cx, s, &limits, NULL, 0);
    assert_false(flag(rg_doc_tree(doc), "verdict.met"));
    assert_has(string(rg_doc_tree(doc), "verdict.text"), "its latency is");
    assert_has(string(rg_doc_tree(doc), "verdict.text"), "4x the limit");
    rg_doc_free(doc);
    limits.latency_s = nextafter(p->latency_s.value, 0);
    limits.energy_j = 0;
    assert_int_equal(rg_study_within(s, &limits), 0);
    limits.latency_s = p->latency_s.value;
    assert_int_equal(rg_study_within(s, &limits), 1);
    rg_study_free(s);
}

/* No machine with so little memory takes part, however fast. */
static void what_does_not_fit_is_not_within(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, "zoo:mlp"), LIST(device, "t4", "l4"),
                                    .batch = "1,100000000"));
    for (size_t i = 0; i < s->point_count; i++) assert_true(s->points[i].fits == (i % 2 == 0));
    assert_int_equal(rg_study_within(s, NULL), 2);
    rg_doc *doc = compared(cx, s, NULL, NULL, 0);
    assert_has(string(rg_doc_tree(doc), "verdict.text"), "2 of 4 fit the memory of the device");
    rg_doc_free(doc);
    rg_study_free(s);
}

static void best_and_cells_are_the_fastest(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = wide(cx);
    rg_doc *doc = compared(cx, s, NULL, NULL, 0);
    const rg_item *best = array_of(doc, "best")->first, *cell = array_of(doc, "cells")->first;
    for (uint32_t m = 0; m < s->model_count; m++) {
        double fastest = INFINITY;
        for (uint32_t d = 0; d < s->device_count; d++, cell = cell->next) {
            double here = INFINITY;
            for (size_t i = 0; i < s->point_count; i++)
                if (s->points[i].model == m && s->points[i].device == d)
                    here = fmin(here, s->points[i].latency_s.value);
            assert_same(number(cell, "latency_s"), here);
            assert_string_equal(string(cell, "device"), rg_device_id(s->devices[d]));
            fastest = fmin(fastest, here);
        }
        assert_same(number(best, "latency_s.value"), fastest);
        best = best->next;
    }
    assert_null(best);
    assert_null(cell);
    rg_doc_free(doc);
    rg_study_free(s);
}

static void rows_and_checks_come_when_kept(void **state)
{
    rg_ctx *cx = *state;
    for (int keep = 0; keep < 2; keep++) {
        rg_study *s = study(cx, OPTIONS(LIST(model, TINY), LIST(device, "t4", "l4"), .keep = keep));
        for (int explain = 0; explain < 2; explain++) {
            rg_doc *doc = compared(cx, s, NULL, NULL, explain);
            const rg_item *r = array_of(doc, "results")->first;
            for (size_t i = 0; r; r = r->next, i++) {
                uint32_t rows = rg_item_find(r, "rows")->count, checks = rg_item_find(r, "checks")->count;
                assert_int_equal(rows, keep && explain ? s->points[i].rows : 0);
                assert_int_equal(checks, keep ? s->points[i].checks : 0);
                assert_same(number(r, "checks_passed"), s->points[i].checks);
            }
            rg_doc_free(doc);
        }
        assert_int_equal(rg_study_checks_failed(s), 0);
        rg_study_free(s);
    }
}

/* ---- why runtimes differ ---- */

static void spreads_add_up(void **state)
{
    rg_ctx *cx = *state;
    static const char *const models[] = {TINY, "zoo:mobilenet_v3_small", "zoo:distilbert"};
    rg_study *s = study(cx, OPTIONS(.models = models, .model_count = RG_COUNT(models), LIST(device, "t4"),
                                    LIST(runtime, "all"), .core_mhz = "900", .cpu_threads = 2));
    rg_doc *doc = compared(cx, s, NULL, NULL, 0);
    const rg_item *spread = array_of(doc, "spreads")->first;
    size_t count = 0, runtimes = s->point_count / RG_COUNT(models);
    for (; spread; spread = spread->next, count++) {
        const rg_point *slow = NULL, *fast = NULL;
        double sum = 0, gain = number(spread, "gain_s");
        for (const rg_item *step = rg_item_find(spread, "steps")->first; step; step = step->next) {
            sum += number(step, "gain_s");
            assert_true(strlen(string(step, "text")) > 20);
        }
        for (size_t i = 0; i < s->point_count; i++) {
            const rg_point *p = &s->points[i];
            if (strcmp(s->labels[p->model], string(spread, "model")) != 0) continue;
            if (strcmp(s->runtimes[p->runtime]->id, string(spread, "to")) == 0) fast = p;
            if (!slow || p->latency_s.value > slow->latency_s.value) slow = p;
        }
        assert_string_equal(s->runtimes[slow->runtime]->id, string(spread, "runtime"));
        assert_same(gain, slow->latency_s.value - fast->latency_s.value);
        if (fabs(sum - gain) > 1e-9 * slow->latency_s.value) fail_msg("steps %.12g, gain %.12g", sum, gain);
    }
    assert_true(count == 12 || count == RG_COUNT(models) * (runtimes - 1));
    rg_doc_free(doc);
    rg_study_free(s);
}

static void a_runtime_does_not_differ_from_itself(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, TINY), LIST(device, "t4"), .keep = true));
    rg_spread_step steps[RG_SPREAD_STEPS];
    int count = -1;
    assert_int_equal(
        rg_spread(cx, s->points[0].forecast->plan, s->runtimes[0], 0, RG_LEARN_ALL, steps, &count), RG_OK);
    assert_int_equal(count, 0);
    rg_study_free(s);
}

/* Launches alone: the step is the whole difference, and only that one is there. */
static void one_difference_is_one_step(void **state)
{
    rg_ctx *cx = *state;
    rg_study *s = study(cx, OPTIONS(LIST(model, "zoo:mobilenet_v3_small"), LIST(device, "t4"),
                                    LIST(runtime, "pytorch-eager"), .keep = true));
    static const struct { const char *change, *step; } rows[] = {
        {"launch.launch_s=0.5x", "launches"}, {"launch.graph_s=3x", "fixed cost"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const rg_plan *plan = s->points[0].forecast->plan, *changed;
        const rg_runtime *to;
        const rg_forecast *f;
        rg_spread_step steps[RG_SPREAD_STEPS];
        int count = 0;
        assert_int_equal(rg_runtime_change(cx, plan->runtime, &rows[i].change, 1, &to), RG_OK);
        assert_int_equal(rg_spread(cx, plan, to, 0, RG_LEARN_ALL, steps, &count), RG_OK);
        assert_int_equal(rg_plan_make(cx, plan->graph, plan->device, to, NULL, &changed), RG_OK);
        assert_int_equal(rg_forecast_make(cx, changed, NULL, &f), RG_OK);
        assert_int_equal(count, 1);
        assert_string_equal(steps[0].name, rows[i].step);
        assert_same(steps[0].gain_s, s->points[0].latency_s.value - f->latency_s.value);
        rg_forecast_free(f);
        rg_plan_free(changed);
        rg_runtime_free(to);
    }
    rg_study_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_front_is_that_of_brute_force),
        TEST(tables_are_sorted_as_asked),
        TEST(limits_are_kept_by_those_below),
        TEST(a_verdict_names_the_worst_limit),
        TEST(what_does_not_fit_is_not_within),
        TEST(best_and_cells_are_the_fastest),
        TEST(rows_and_checks_come_when_kept),
        TEST(spreads_add_up),
        TEST(a_runtime_does_not_differ_from_itself),
        TEST(one_difference_is_one_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
