/* test_explain.c - one row in full: found by whatever names it, and its figures are those of the forecast; a
 * what-if beside the forecast that it changes: quotients and flips found a second way; and the documents of
 * studies, rows and changes obey the schemas that ship.
 */
#include "json_schema.h"
#include "machine.h"
#include "report/report.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TINY RG_SOURCE_ROOT "/doc/demo/tiny_cnn.onnx"
#define OPTIONS(...) (&(rg_study_opt){.size = sizeof(rg_study_opt), __VA_ARGS__})

/* Three products one after the other, two of one name's beginning, and a view that costs nothing. */
#define NET                                                                                                 \
    "ridge.graph/1 \"net\" opset 20\n"                                                                      \
    "const %w = f32[64,128] none const %u = f32[128,128] none const %v = f32[128,10] none\n"                \
    "graph (%x: f32[32,64]) {\n"                                                                            \
    "  %a = MatMul(%x, %w) @body.first  %b = MatMul(%a, %u) @body.second  %c = MatMul(%b, %v) @head\n"      \
    "  %y = Softmax(%c) @out return %y }"

typedef struct scene { rg_ctx *cx; bench b; rg_doc *doc; } scene;

static int setup(void **state)
{
    static scene s;
    s = (scene){.cx = rg_ctx_new(NULL)};
    s.b.cx = s.cx;
    *state = &s;
    return s.cx ? 0 : -1;
}

static int teardown(void **state)
{
    scene *s = *state;
    rg_doc_free(s->doc);
    bench_free(&s->b);
    rg_ctx_free(s->cx);
    return 0;
}

static const rg_forecast *forecast(scene *s, const char *device, const char *runtime)
{
    if (bench_known(&s->b, device, runtime, NET, NULL, 0)) fail_msg("%s", rg_ctx_error(s->cx));
    return s->b.forecast;
}

static double number(const rg_doc *doc, const char *path)
{
    double x = NAN;
    if (!rg_doc_number(doc, path, &x)) fail_msg("no number %s", path);
    return x;
}

static const char *string(const rg_doc *doc, const char *path)
{
    const char *x = NULL;
    if (!rg_doc_string(doc, path, &x)) fail_msg("no string %s", path);
    return x;
}

static void assert_same(double got, double wanted)
{
    if (got != wanted) fail_msg("got %.17g, wanted %.17g", got, wanted);
}

static uint32_t explained(scene *s, const char *row)
{
    rg_doc_free(s->doc);
    s->doc = NULL;
    if (rg_row_doc(s->cx, s->b.forecast, row, &s->doc)) fail_msg("%s", rg_ctx_error(s->cx));
    return (uint32_t)number(s->doc, "index");
}

static void assert_not_found(scene *s, const char *row, const char *says)
{
    rg_doc *doc;
    assert_int_equal(rg_row_doc(s->cx, s->b.forecast, row, &doc), RG_INPUT);
    assert_null(doc);
    if (!strstr(rg_ctx_error(s->cx), says)) fail_msg("'%s' does not say '%s'", rg_ctx_error(s->cx), says);
}

/* ---- which row ---- */

static void a_row_by_all_its_names(void **state)
{
    scene *s = *state;
    const rg_plan *plan = forecast(s, "t4", "pytorch-eager")->plan;
    for (uint32_t r = 0; r < plan->row_count; r++) {
        char id[20], index[12];
        snprintf(id, sizeof id, "%016" PRIx64, plan->rows[r].id);
        snprintf(index, sizeof index, "%" PRIu32, r);
        assert_int_equal(explained(s, id), r);
        assert_int_equal(explained(s, index), r);
        assert_int_equal(explained(s, plan->rows[r].name), r);
        assert_string_equal(string(s->doc, "row.id"), id);
        assert_string_equal(string(s->doc, "row.name"), plan->rows[r].name);
    }
    assert_string_equal(plan->rows[explained(s, "second")].name, plan->rows[explained(s, "y.sec")].name);
    assert_non_null(strstr(string(s->doc, "row.name"), "body.second"));
}

static void several_rows_or_none(void **state)
{
    scene *s = *state;
    forecast(s, "t4", "pytorch-eager");
    assert_not_found(s, "body", "2 rows have that in their name: ");
    assert_not_found(s, "body", "body.second");
    assert_not_found(s, "nothing", "no row 'nothing'");
    assert_not_found(s, "99", "no row '99'");
    assert_not_found(s, "-1", "no row '-1'");
}

static void without_a_name_the_slowest(void **state)
{
    scene *s = *state;
    static const char *const machines[][2] = {{"t4", "pytorch-eager"}, {"i7-12700k", "onnxruntime-cpu"}};
    for (size_t i = 0; i < RG_COUNT(machines); i++) {
        const rg_forecast *f = forecast(s, machines[i][0], machines[i][1]);
        uint32_t slowest = explained(s, NULL);
        for (uint32_t r = 0; r < f->plan->row_count; r++)
            assert_true(f->rows[r].total_s <= f->rows[slowest].total_s);
        bench_free(&s->b);
        s->b = (bench){.cx = s->cx};
    }
}

/* ---- what is said of it ---- */

static void the_figures_are_those_of_the_row(void **state)
{
    scene *s = *state;
    const rg_forecast *f = forecast(s, "i7-12700k", "onnxruntime-cpu");
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        const rg_row *row = &f->plan->rows[r];
        const rg_row_cost *c = &f->rows[r];
        char index[12];
        double sum = 0;
        snprintf(index, sizeof index, "%" PRIu32, r);
        explained(s, index);
        assert_same(number(s->doc, "row.latency_s.value"), c->latency_s);
        assert_same(number(s->doc, "row.macs"), row->work.mac);
        for (int i = 0; i < RG_TERM_COUNT; i++) {
            char path[48];
            snprintf(path, sizeof path, "row.terms[%d].time_s", i);
            sum += number(s->doc, path);
        }
        assert_true(fabs(sum - c->latency_s) <= 1e-12 * c->latency_s);
        for (int i = 0; i < c->limit_count; i++) {
            char path[48];
            snprintf(path, sizeof path, "row.limits[%d].time_s", i);
            assert_same(number(s->doc, path), c->limits[i].time_s);
        }
    }
}

/* A chain: each row waits for the one before it, and only for that. */
static void neighbors_are_those_of_the_plan(void **state)
{
    scene *s = *state;
    const rg_forecast *f = forecast(s, "t4", "pytorch-eager");
    uint32_t count = f->plan->row_count;
    assert_int_equal(count, 4);
    for (uint32_t r = 0; r < count; r++) {
        double x;
        char index[12];
        snprintf(index, sizeof index, "%" PRIu32, r);
        explained(s, index);
        assert_true(rg_doc_number(s->doc, "before[0].row", &x) == (r > 0));
        if (r > 0) assert_same(x, r - 1);
        assert_true(rg_doc_number(s->doc, "after[0].row", &x) == (r + 1 < count));
        if (r + 1 < count) assert_same(x, r + 1);
        assert_false(rg_doc_number(s->doc, "before[1].row", &x) || rg_doc_number(s->doc, "after[1].row", &x));
        assert_int_equal(rg_item_find(rg_doc_tree(s->doc), "members")->count, f->plan->rows[r].step_count);
    }
}

/* ---- what if ---- */

/* The forecast on a changed machine; the plan goes with it. */
static const rg_forecast *changed(scene *s, const char *change)
{
    const rg_device *device;
    const rg_plan *plan = NULL;
    const rg_forecast *f = NULL;
    const rg_plan *before = s->b.forecast->plan;
    if (rg_device_change(s->cx, before->device, &change, 1, &device)) fail_msg("%s", rg_ctx_error(s->cx));
    rg_err err = rg_plan_make(s->cx, before->graph, device, before->runtime, NULL, &plan);
    if (!err) err = rg_forecast_make(s->cx, plan, NULL, &f);
    if (err) fail_msg("%s", rg_ctx_error(s->cx));
    rg_plan_free(plan);
    rg_device_free(device);
    return f;
}

static void a_change_is_told_in_quotients(void **state)
{
    scene *s = *state;
    const rg_forecast *a = forecast(s, "t4", "tensorrt"), *b = changed(s, "launch_s=0.25x");
    const struct { const char *key; double before, after; } rows[] = {
        {"latency_s", a->latency_s.value, b->latency_s.value},
        {"energy_j", a->energy_j.value, b->energy_j.value},
        {"power_w", a->power_w.value, b->power_w.value}, {"compute_s", a->compute_s, b->compute_s},
        {"memory_s", a->memory_s, b->memory_s}, {"overhead_s", a->overhead_s, b->overhead_s},
        {"core_clock_hz", a->clock_hz, b->clock_hz},
    };
    assert_int_equal(rg_change_doc(s->cx, a, b, 1, &s->doc), RG_OK);
    assert_int_equal(rg_item_find(rg_doc_tree(s->doc), "change.figures")->count, RG_COUNT(rows));
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        char path[64];
        snprintf(path, sizeof path, "change.figures[%zu].key", i);
        assert_string_equal(string(s->doc, path), rows[i].key);
        snprintf(path, sizeof path, "change.figures[%zu].before", i);
        assert_same(number(s->doc, path), rows[i].before);
        snprintf(path, sizeof path, "change.figures[%zu].after", i);
        assert_same(number(s->doc, path), rows[i].after);
        snprintf(path, sizeof path, "change.figures[%zu].ratio", i);
        if (rows[i].before > 0) assert_same(number(s->doc, path), rows[i].after / rows[i].before);
    }
    assert_same(number(s->doc, "results[0].latency_s.value"), b->latency_s.value);
    rg_forecast_free(b);
}

static void the_flips_are_those_whose_bounds_differ(void **state)
{
    scene *s = *state;
    static const char *const changes[] = {"launch_s=0.01x", "launch_s=100x",
                                          "levels.gddr6.read_byte_per_s=0.01x"};
    const rg_forecast *a = forecast(s, "t4", "tensorrt");
    uint32_t flips = 0;
    for (size_t k = 0; k < RG_COUNT(changes); k++) {
        const rg_forecast *b = changed(s, changes[k]);
        rg_doc *doc;
        uint32_t count = 0;
        assert_int_equal(rg_change_doc(s->cx, a, b, 0, &doc), RG_OK);
        assert_int_equal(a->plan->row_count, b->plan->row_count);
        for (uint32_t r = 0; r < a->plan->row_count; r++) {
            char path[64];
            if (a->rows[r].bound == b->rows[r].bound) continue;
            snprintf(path, sizeof path, "change.flips[%u].row", count++);
            assert_same(number(doc, path), r);
        }
        assert_int_equal(rg_item_find(rg_doc_tree(doc), "change.flips")->count, count);
        assert_string_equal(string(doc, "change.bound_before"), a->bound);
        assert_string_equal(string(doc, "change.bound_after"), b->bound);
        flips += count;
        rg_doc_free(doc);
        rg_forecast_free(b);
    }
    assert_true(flips > 0);
}

static void the_same_again_changes_nothing(void **state)
{
    scene *s = *state;
    const rg_forecast *a = forecast(s, "t4", "tensorrt");
    assert_int_equal(rg_change_doc(s->cx, a, a, 3, &s->doc), RG_OK);
    assert_same(number(s->doc, "change.figures[0].ratio"), 1);
    assert_int_equal(rg_item_find(rg_doc_tree(s->doc), "change.flips")->count, 0);
}

/* ---- schemas ---- */

static void obeys(rg_ctx *cx, rg_doc *doc, const char *name)
{
    char *text = NULL, where[512] = "";
    size_t size = 0;
    json_error_t error;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(rg_doc_write(cx, doc, "json", out), RG_OK);
    assert_int_equal(fclose(out), 0);
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!json) fail_msg("%s: line %d: %s", name, error.line, error.text);
    json_t *schema = schema_load(name, where, sizeof where);
    if (!schema || !schema_obeyed(schema, json, where, sizeof where)) fail_msg("%s: %s", name, where);
    json_object_set_new(json, "schema", json_string("ridge.other/1"));
    assert_false(schema_obeyed(schema, json, where, sizeof where)); /* it would have noticed */
    json_decref(schema);
    json_decref(json);
    free(text);
    rg_doc_free(doc);
}

static void rows_and_changes_obey_their_schemas(void **state)
{
    scene *s = *state;
    rg_doc *doc;
    const rg_forecast *a = forecast(s, "t4", "tensorrt"), *b = changed(s, "launch_s=0.01x");
    assert_int_equal(rg_row_doc(s->cx, a, "2", &doc), RG_OK);
    obeys(s->cx, doc, "explain");
    assert_int_equal(rg_change_doc(s->cx, a, b, 2, &doc), RG_OK);
    obeys(s->cx, doc, "predict");
    assert_int_equal(rg_sensitivity_doc(s->cx, a->plan, NULL, 4, &doc), RG_OK);
    obeys(s->cx, doc, "sensitivity");
    rg_forecast_free(b);
}

static void studies_obey_their_schemas(void **state)
{
    scene *s = *state;
    static const char *const models[] = {TINY, "zoo:distilbert"}, *const devices[] = {"t4", "coral-edge-tpu"};
    static const char *const runtimes[] = {"native", "tensorrt"};
    static const struct { const char *batch, *seq, *clocks; bool keep; } rows[] = {
        {NULL, NULL, NULL, true}, {"1..8", NULL, NULL, false}, {NULL, "32..64", NULL, false},
        {"1,2", NULL, "600,900", true},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_study *study;
        rg_doc *doc;
        rg_err err = rg_study_make(s->cx, OPTIONS(.models = models, .model_count = 2, .devices = devices,
                                                  .device_count = 2, .runtimes = runtimes, .runtime_count = 2,
                                                  .batch = rows[i].batch, .seq = rows[i].seq,
                                                  .core_mhz = rows[i].clocks, .keep = rows[i].keep), &study);
        if (err) fail_msg("%s", rg_ctx_error(s->cx));
        assert_int_equal(rg_compare_doc(s->cx, study, NULL, "energy", rows[i].keep, &doc), RG_OK);
        obeys(s->cx, doc, "compare");
        assert_int_equal(rg_sweep_doc(s->cx, study, &doc), RG_OK);
        obeys(s->cx, doc, "sweep");
        rg_study_free(study);
    }
}

/* ---- without memory ---- */

typedef struct budget { size_t left; } budget;

static void *budget_alloc(void *user, size_t size)
{
    budget *b = user;
    return b->left && b->left-- ? malloc(size) : NULL;
}

static void budget_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static void every_allocation_may_fail(void **state)
{
    scene *s = *state;
    const rg_forecast *a = forecast(s, "t4", "tensorrt"), *b = changed(s, "launch_s=0.01x");
    rg_err err = RG_NOMEM;
    for (size_t n = 1; err == RG_NOMEM; n++) {
        budget left = {n};
        rg_doc *doc = NULL;
        rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .alloc = budget_alloc,
                                              .free = budget_free, .user = &left});
        assert_non_null(cx);
        err = rg_row_doc(cx, a, "body.s", &doc);
        rg_doc_free(doc);
        doc = NULL;
        if (!err) err = rg_change_doc(cx, a, b, 3, &doc);
        rg_doc_free(doc);
        assert_true(err == RG_NOMEM || err == RG_OK);
        rg_ctx_free(cx);
        assert_true(n < 1000);
    }
    rg_forecast_free(b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_row_by_all_its_names),
        TEST(several_rows_or_none),
        TEST(without_a_name_the_slowest),
        TEST(the_figures_are_those_of_the_row),
        TEST(neighbors_are_those_of_the_plan),
        TEST(a_change_is_told_in_quotients),
        TEST(the_flips_are_those_whose_bounds_differ),
        TEST(the_same_again_changes_nothing),
        TEST(rows_and_changes_obey_their_schemas),
        TEST(studies_obey_their_schemas),
        TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
