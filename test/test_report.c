/* test_report.c - the document of a forecast: stable fields with their types and units, sums that hold in
 * the tree, every section in the text, every format; and the JSON obeys the schema that ships.
 */
#include "json_schema.h"
#include "machine.h"
#include "report/report.h"

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
#define NET                                                                                                \
    HEAD "const %w = f32[16,3,3,3] none const %u = f32[16,16,3,3] none const %p = f32[16,10] none\n"       \
    "const %t = f32[16,16,1,1] none\n"                                                                     \
    "graph (%x: f32[2,3,32,32], %c: bool[]) {\n"                                                           \
    "  %a = Conv(%x, %w) pads=1,1,1,1  %b = Relu(%a) %d = Conv(%b, %u) pads=1,1,1,1  %e = Add(%d, %b)\n"   \
    "  %i = If(%c) then_branch=graph () { %q = Conv(%e, %t) return %q }\n"                                 \
    "              else_branch=graph () { %r = Relu(%e) return %r }\n"                                     \
    "  %f = GlobalAveragePool(%i) %g = Flatten(%f) %h = MatMul(%g, %p) %y = Softmax(%h) return %y }"

static bench net(rg_ctx *cx, const char *device, const char *runtime)
{
    bench b = {.cx = cx};
    if (bench_known(&b, device, runtime, NET, NULL, 0)) fail_msg("%s", rg_ctx_error(cx));
    return b;
}

static rg_doc *doc_of(const bench *b, int explain)
{
    rg_doc *doc = NULL;
    if (rg_forecast_doc(b->cx, &b->forecast, 1, explain, &doc)) fail_msg("%s", rg_ctx_error(b->cx));
    return doc;
}

/* The document as written; to be freed. */
static char *written(rg_ctx *cx, const rg_doc *doc, const char *format)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(rg_doc_write(cx, doc, format, out), RG_OK);
    fclose(out);
    assert_int_equal(strlen(text), size);
    return text;
}

static json_t *json_of(const bench *b, int explain)
{
    rg_doc *doc = doc_of(b, explain);
    char *text = written(b->cx, doc, "json");
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json) fail_msg("line %d: %s", error.line, error.text);
    free(text);
    rg_doc_free(doc);
    return json;
}

static json_t *at(json_t *json, const char *key)
{
    json_t *found = json_object_get(json, key);
    if (!found) fail_msg("there is no %s", key);
    return found;
}

static double number(json_t *json, const char *key) { return json_number_value(at(json, key)); }

static void assert_close(double got, double wanted)
{
    bool close = fabs(got - wanted) <= 1e-9 * fabs(wanted) + 1e-30;
    if (!close) fail_msg("got %.17g, wanted %.17g", got, wanted);
}

/* ---- stable fields ---- */

/* q: quantity, n: number, s: string, a: array, o: object, b: boolean; null as well where a ? follows. */
typedef struct field { const char *key, *kind; } field;

static void assert_fields(json_t *object, const field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_t *x = at(object, fields[i].key);
        bool right = false;
        switch (fields[i].kind[0]) {
        case 'q':
            right = number(x, "low") <= number(x, "value") && number(x, "value") <= number(x, "high");
            break;
        case 'n': right = json_is_number(x); break;
        case 's': right = json_is_string(x); break;
        case 'a': right = json_is_array(x); break;
        case 'o': right = json_is_object(x); break;
        case 'b': right = json_is_boolean(x); break;
        }
        bool absent = fields[i].kind[1] == '?' && json_is_null(x);
        if (!right && !absent) fail_msg("%s is no %s", fields[i].key, fields[i].kind);
    }
}

static void stable_fields_are_there(void **state)
{
    static const field result_fields[] = {
        {"model", "s"}, {"device", "s"}, {"runtime", "s"}, {"batch", "n"}, {"precision", "s"},
        {"latency_s", "q"}, {"energy_j", "q"}, {"power_w", "q"}, {"peak_memory_byte", "q"},
        {"cost_usd", "n?"}, {"carbon_g", "n?"}, {"bound", "s"}, {"checks", "a"}, {"rows", "a"},
        {"partition", "o"}, {"concurrency", "o"}, {"performance", "o"}, {"energy", "o"}, {"memory", "o"},
        {"advice", "a"}, {"hashes", "o"},
    };
    static const field row_fields[] = {
        {"id", "s"}, {"name", "s"}, {"kind", "s"}, {"flops", "n"}, {"byte", "n"}, {"latency_s", "q"},
        {"limits", "a"}, {"terms", "a"}, {"energy_j", "q"}, {"bound", "s"}, {"why", "s"}, {"mapping", "o"},
        {"parallelism", "o"},
    };
    static const field check_fields[] = {{"name", "s"}, {"pass", "b"}, {"text", "s"}};
    bench b = net(*state, "h100-sxm", "tensorrt");
    json_t *json = json_of(&b, 0), *result = json_array_get(at(json, "results"), 0), *x;
    size_t i;
    assert_string_equal(json_string_value(at(json, "schema")), "ridge.predict/1");
    assert_int_equal(json_array_size(at(json, "results")), 1);
    assert_fields(result, result_fields, RG_COUNT(result_fields));
    json_array_foreach(at(result, "rows"), i, x) assert_fields(x, row_fields, RG_COUNT(row_fields));
    json_array_foreach(at(result, "checks"), i, x) assert_fields(x, check_fields, RG_COUNT(check_fields));
    assert_string_equal(json_string_value(at(result, "device")), "h100-sxm");
    assert_string_equal(json_string_value(at(result, "runtime")), "tensorrt");
    assert_string_equal(json_string_value(at(result, "precision")), "model");
    assert_close(number(result, "batch"), 2);
    json_decref(json);
    bench_free(&b);
}

static double sum_of(json_t *array, const char *key)
{
    double sum = 0;
    json_t *x;
    size_t i;
    json_array_foreach(array, i, x) sum += number(x, key);
    return sum;
}

static void assert_row_sums(json_t *rows)
{
    json_t *row, *limit;
    size_t i, k;
    json_array_foreach(rows, i, row) {
        double longest = 0;
        assert_close(sum_of(at(row, "terms"), "time_s"), number(at(row, "latency_s"), "value"));
        json_array_foreach(at(row, "limits"), k, limit) longest = fmax(longest, number(limit, "time_s"));
        assert_close(number(json_array_get(at(row, "terms"), 0), "time_s"), longest); /* busy */
        assert_close(number(row, "byte"),
                     number(row, "input_byte") + number(row, "weight_byte") + number(row, "output_byte"));
    }
}

static void assert_histograms(json_t *partition, double row_count)
{
    static const char *const names[] = {"parallelism", "intensity", "utilization"};
    for (size_t i = 0; i < RG_COUNT(names); i++) {
        assert_close(sum_of(at(partition, names[i]), "share"), 1);
        assert_close(sum_of(at(partition, names[i]), "rows"), row_count);
    }
}

static void assert_sums(json_t *result)
{
    json_t *rows = at(result, "rows"), *energy = at(result, "energy"), *memory = at(result, "memory");
    json_t *performance = at(result, "performance"), *partition = at(result, "partition");
    double latency_s = number(at(result, "latency_s"), "value"), rows_s = sum_of(rows, "total_s");
    double energy_j = number(at(result, "energy_j"), "value"), row_count = (double)json_array_size(rows);
    double around_s = number(at(result, "concurrency"), "overlap_s") + number(performance, "graph_s");
    assert_row_sums(rows);
    assert_histograms(partition, row_count);
    assert_close(rows_s + around_s, latency_s);
    assert_close(number(energy, "compute_j") + number(energy, "memory_j") + number(energy, "static_j"),
                 energy_j);
    assert_close(number(at(result, "power_w"), "value") * latency_s, energy_j);
    assert_close(number(memory, "weight_byte") + number(memory, "activation_byte") +
                     number(memory, "workspace_byte") + number(memory, "runtime_byte"),
                 number(at(result, "peak_memory_byte"), "value"));
    assert_close(sum_of(at(partition, "kinds"), "rows"), row_count);
    assert_close(sum_of(at(partition, "kinds"), "latency_s"), rows_s);
    assert_close(sum_of(at(performance, "bounds"), "share"), 1);
    assert_close(sum_of(at(performance, "bounds"), "rows"), row_count);
    assert_close((double)json_array_size(at(memory, "timeline_byte")), row_count);
}

static void sums_hold_in_the_tree(void **state)
{
    static const char *const machines[][2] = {
        {"h100-sxm", "tensorrt"}, {"t4", "pytorch-eager"}, {"i7-12700k", "onnxruntime-cpu"},
        {"tpu-v4", "native"},
    };
    for (size_t i = 0; i < RG_COUNT(machines); i++) {
        bench b = net(*state, machines[i][0], machines[i][1]);
        json_t *json = json_of(&b, 0);
        assert_sums(json_array_get(at(json, "results"), 0));
        json_decref(json);
        bench_free(&b);
    }
}

static void the_arm_not_taken_counts_nothing(void **state)
{
    bench b = net(*state, "i7-12700k", "pytorch-eager");
    json_t *json = json_of(&b, 0), *rows = at(json_array_get(at(json, "results"), 0), "rows"), *x;
    size_t i, skipped = 0;
    json_array_foreach(rows, i, x) {
        bool told = strstr(json_string_value(at(x, "why")), "other branch") != NULL;
        if (told) assert_true(number(x, "total_s") == 0 && number(at(x, "latency_s"), "value") > 0);
        skipped += told;
    }
    assert_int_equal(skipped, 1);
    json_decref(json);
    bench_free(&b);
}

/* 14 thread blocks or chunks on 10 units take two rounds: 7 would do. */
static void units_are_told_from_blocks(void **state)
{
    bench b = {.cx = *state};
    if (bench_round(&b, NULL, HEAD "graph (%x: f32[14,16384]) { %y = Relu(%x) return %y }", 0))
        fail_msg("%s", rg_ctx_error(b.cx));
    json_t *json = json_of(&b, 0), *result = json_array_get(at(json, "results"), 0);
    json_t *row = json_array_get(at(result, "rows"), 0);
    json_t *p = at(row, "parallelism"), *m = at(row, "mapping");
    assert_close(number(m, "units"), 10);
    assert_close(number(m, "unit_count"), 10);
    assert_close(number(m, "waves"), 2);
    assert_close(number(p, "min_units"), 1);
    assert_close(number(p, "best_units"), 7);
    assert_close(number(p, "max_units"), 14);
    json_decref(json);
    bench_free(&b);
}

static void a_model_without_nodes_has_a_report(void **state)
{
    static const char *const formats[] = {"text", "json", "csv", "md", "html"};
    bench b = {.cx = *state};
    if (bench_round(&b, NULL, HEAD "graph (%x: f32[4]) { return %x }", 0)) fail_msg("%s", rg_ctx_error(b.cx));
    rg_doc *doc = doc_of(&b, 3);
    for (size_t i = 0; i < RG_COUNT(formats); i++) {
        char *text = written(b.cx, doc, formats[i]);
        assert_true(*text);
        assert_null(strstr(text, "nan"));
        free(text);
    }
    rg_doc_free(doc);
    bench_free(&b);
}

/* ---- layout ---- */

static void every_section_is_in_the_text(void **state)
{
    static const char *const sections[] = {
        "Partition", "Concurrency", "Performance", "Energy", "Memory", "Rows", "What would help", "Checks",
    };
    bench b = net(*state, "h100-sxm", "tensorrt");
    rg_doc *doc = doc_of(&b, 1), *brief = doc_of(&b, 0);
    char *text = written(b.cx, doc, "text"), *short_text = written(b.cx, brief, "text");
    for (size_t i = 0; i < RG_COUNT(sections); i++) {
        const char *found = strstr(text, sections[i]);
        if (!found) fail_msg("there is no section %s", sections[i]);
        assert_true(found > text && found[-1] == '\n');
        assert_null(strstr(short_text, sections[i]));
    }
    assert_non_null(strstr(short_text, "latency"));
    assert_non_null(strstr(text, "passed, 0 failed"));
    free(text);
    free(short_text);
    rg_doc_free(doc);
    rg_doc_free(brief);
    bench_free(&b);
}

static void more_depth_says_more(void **state)
{
    bench b = net(*state, "h100-sxm", "tensorrt");
    size_t before = 0;
    for (int explain = 0; explain <= 3; explain++) {
        rg_doc *doc = doc_of(&b, explain);
        char *text = written(b.cx, doc, "text"), *json = written(b.cx, doc, "json");
        assert_true(strlen(text) > before);
        before = strlen(text);
        assert_non_null(strstr(json, "\"why\"")); /* the tree is whole at every depth */
        free(text);
        free(json);
        rg_doc_free(doc);
    }
    bench_free(&b);
}

static void every_format_says_something(void **state)
{
    static const struct { const char *format, *part; } rows[] = {
        {"text", "latency"}, {"json", "\"ridge.predict/1\""}, {"csv", "latency_s"}, {"md", "|"},
        {"html", "<table"},
    };
    bench b = net(*state, "h100-sxm", "tensorrt");
    rg_doc *doc = doc_of(&b, 3);
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        char *text = written(b.cx, doc, rows[i].format);
        if (!strstr(text, rows[i].part)) fail_msg("%s without %s", rows[i].format, rows[i].part);
        free(text);
    }
    rg_doc_free(doc);
    bench_free(&b);
}

/* Two forecasts are compared in one table; each has its own result. */
static void results_are_compared(void **state)
{
    bench one = net(*state, "h100-sxm", "tensorrt"), other = net(*state, "i7-12700k", "native");
    const rg_forecast *both[] = {one.forecast, other.forecast};
    rg_doc *doc = NULL;
    const char *device;
    double x;
    assert_int_equal(rg_forecast_doc(*state, both, 2, 1, &doc), RG_OK);
    assert_true(rg_doc_string(doc, "results[1].device", &device));
    assert_string_equal(device, "i7-12700k");
    assert_true(rg_doc_number(doc, "results[0].rows[0].terms[0].time_s", &x) && x > 0);
    char *text = written(*state, doc, "text");
    assert_non_null(strstr(text, "h100-sxm"));
    assert_non_null(strstr(text, "i7-12700k"));
    free(text);
    rg_doc_free(doc);
    bench_free(&one);
    bench_free(&other);
}

/* ---- the schema ---- */

static void the_json_obeys_its_schema(void **state)
{
    static const char *const machines[][2] = {
        {"h100-sxm", "tensorrt"}, {"i7-12700k", "onnxruntime-cpu"}, {"kpu-t100", "native"},
    };
    char where[512] = "";
    json_t *schema = schema_load("predict", where, sizeof where);
    if (!schema) fail_msg("%s", where);
    for (size_t i = 0; i < RG_COUNT(machines); i++) {
        bench b = net(*state, machines[i][0], machines[i][1]);
        json_t *json = json_of(&b, 0);
        if (!schema_obeyed(schema, json, where, sizeof where)) fail_msg("%s", where);
        json_object_set_new(json_array_get(at(json, "results"), 0), "latency_s", json_string("soon"));
        assert_false(schema_obeyed(schema, json, where, sizeof where)); /* it would have noticed */
        json_decref(json);
        bench_free(&b);
    }
    json_decref(schema);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stable_fields_are_there),
        TEST(sums_hold_in_the_tree),
        TEST(the_arm_not_taken_counts_nothing),
        TEST(units_are_told_from_blocks),
        TEST(a_model_without_nodes_has_a_report),
        TEST(every_section_is_in_the_text),
        TEST(more_depth_says_more),
        TEST(every_format_says_something),
        TEST(results_are_compared),
        TEST(the_json_obeys_its_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
