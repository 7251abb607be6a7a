/* test_readings.c - readings through both forms and back; what is no reading is refused with its line;
 * joining by hand-made medians; files that are added to, replaced, and left alone.
 */
#include "doc_json.h"
#include "measure/readings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ridge-readings-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static rg_reading sample(void)
{
    rg_reading r = rg_reading_none();
    r.model = "a, \"b\" \xc3\xa9.onnx";
    r.backend = "native";
    r.graph_hash = 0x0123456789abcdef;
    r.plan_hash = 1;
    r.id = UINT64_MAX;
    r.median_s = 0.1;
    r.p99_s = 1e-300;
    r.threads = 2;
    r.disturbed = true;
    r.date = "2024-02-29";
    return r;
}

static bool same_real(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static bool same(const rg_reading *a, const rg_reading *b)
{
    for (size_t i = 0; i < rg_reading_column_count; i++) {
        const rg_reading_column *c = &rg_reading_columns[i];
        const void *x = (const char *)a + c->at, *y = (const char *)b + c->at;
        bool equal = false;
        switch (c->kind) {
        case RG_READING_TEXT: equal = !strcmp(*(const char *const *)x, *(const char *const *)y); break;
        case RG_READING_HASH: equal = *(const uint64_t *)x == *(const uint64_t *)y; break;
        case RG_READING_REAL: equal = same_real(*(const double *)x, *(const double *)y); break;
        case RG_READING_FLAG: equal = *(const bool *)x == *(const bool *)y; break;
        }
        if (!equal) return false;
    }
    return true;
}

/* Every column by its own, through either form: nothing gets lost or into its neighbor. */
static void both_forms(void **state)
{
    rg_ctx *cx = *state;
    rg_readings in = {0}, csv = {0}, json = {0};
    rg_reading all = rg_reading_none(), none = rg_reading_none(), first = sample();
    for (size_t i = 0; i < rg_reading_column_count; i++) {
        const rg_reading_column *c = &rg_reading_columns[i];
        char text[32];
        snprintf(text, sizeof text, c->kind == RG_READING_HASH ? "%016zx" : c->kind == RG_READING_FLAG
                 ? "true" : c->kind == RG_READING_REAL ? "%zu.5" : "text %zu", i + 1);
        assert_int_equal(rg_reading_set(cx, c, rg_str_of(text), &all), RG_OK);
    }
    none.model = none.backend = "x", none.median_s = 0;
    assert_int_equal(rg_readings_add(cx, &in, &first), RG_OK);
    assert_int_equal(rg_readings_add(cx, &in, &all), RG_OK);
    assert_int_equal(rg_readings_add(cx, &in, &none), RG_OK);
    const struct { const char *name; rg_readings *out; } forms[] = {{"a.csv", &csv}, {"a.json", &json}};
    for (size_t f = 0; f < RG_COUNT(forms); f++) {
        assert_int_equal(rg_readings_write(cx, path_of(forms[f].name), &in, false), RG_OK);
        assert_int_equal(rg_readings_read(cx, path_of(forms[f].name), forms[f].out), RG_OK);
        assert_int_equal(forms[f].out->count, in.count);
        for (size_t i = 0; i < in.count; i++) assert_true(same(&in.items[i], &forms[f].out->items[i]));
        unlink(path_of(forms[f].name));
    }
}

/* The schema has the columns, and requires what the reader does. */
static void the_schema_knows_the_columns(void **state)
{
    (void)state;
    char where[256];
    json_t *schema = schema_load("readings", where, sizeof where);
    if (!schema) fail_msg("%s", where);
    json_t *list = json_object_get(json_object_get(schema, "properties"), "readings");
    json_t *item = json_object_get(list, "items"), *properties = json_object_get(item, "properties"), *name;
    size_t k, required = 0;
    assert_int_equal(json_object_size(properties), rg_reading_column_count);
    for (size_t i = 0; i < rg_reading_column_count; i++) {
        assert_non_null(json_object_get(properties, rg_reading_columns[i].key));
        required += rg_reading_columns[i].required;
    }
    json_array_foreach(json_object_get(item, "required"), k, name)
        assert_true(rg_reading_column_find(rg_str_of(json_string_value(name)))->required);
    assert_int_equal(json_array_size(json_object_get(item, "required")), required);
    json_decref(schema);
}

#define HEAD "model,backend,median_s"
#define OPEN "{\"schema\": \"ridge.readings/1\", \"readings\": ["
static const struct { const char *text, *error;
} broken[] = {
    {"", "f: an empty file"},
    {" \n", "f: an empty file"},
    {"PK\3\4", "f:1: 'PK"},
    {"model,speed\n", "f:1: 'speed' is no column of readings"},
    {"model,model\n", "f:1: there are two columns 'model'"},
    {HEAD "\na,b\n", "f:2: fewer cells than the 3 columns"},
    {HEAD "\na,b,1,2\n", "f:2: more cells than the 3 columns"},
    {HEAD "\na,b,1\n\n", "f:3: fewer cells"},
    {HEAD "\na,b,1\nc,d,-1\n", "f:3: median_s: '-1' is not a number from 0 on"},
    {HEAD "\na,b,inf\n", "f:2: median_s: 'inf'"},
    {HEAD "\na,b,1e999\n", "f:2: median_s: '1e999'"},
    {HEAD "\na,b,\n", "f:2: median_s is missing"},
    {HEAD "\n\"a,b,1\n", "f:2: a line ends inside quotes"},
    {HEAD "\n\"a", "f:2: the file ends inside quotes"},
    {HEAD "\na\"b,c,1\n", "f:2: a quote or a line's end inside a cell"},
    {HEAD "\n\"a\"b,c,1\n", "f:2: a quote or a line's end inside a cell"},
    {HEAD "\na\rb,c,1\n", "f:2: a quote or a line's end inside a cell"},
    {HEAD ",plan_hash\na,b,1,12\n", "f:2: plan_hash: '12' is not 16 hexadecimal digits"},
    {HEAD ",disturbed\na,b,1,yes\n", "f:2: disturbed: 'yes' is not true or false"},
    {"{", "f:1:"},
    {"{\"schema\": \"ridge.predict/1\"}", "f: \"schema\" is \"ridge.predict/1\", not"},
    {"{}", "f: \"schema\" is missing, not"},
    {"{\"schema\": \"ridge.readings/1\"}", "f: \"readings\" is no array"},
    {OPEN "1]}", "f: readings[0]: is no object"},
    {OPEN "{\"model\": \"a\", \"backend\": \"b\", \"median_s\": 1}, {\"model\": 1}]}",
     "f: readings[1]: model is"},
    {OPEN "{\"model\": \"a\", \"backend\": \"b\"}]}", "f: readings[0]: median_s is missing"},
    {OPEN "{\"speed\": 1}]}", "f: readings[0]: 'speed' is no column"},
    {OPEN "{\"median_s\": -1}]}", "f: readings[0]: median_s is not a number from 0 on"},
    {OPEN "{\"id\": \"zz\"}]}", "f: readings[0]: id: 'zz'"},
    {OPEN "{\"disturbed\": 1}]}", "f: readings[0]: disturbed is not true or false"},
};

static void what_is_none_is_refused(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(broken); i++) {
        rg_readings out = {0};
        rg_err err = rg_readings_parse(cx, rg_str_of(broken[i].text), "f", &out);
        if (err != RG_FORMAT || strncmp(rg_ctx_error(cx), broken[i].error, strlen(broken[i].error)) != 0)
            fail_msg("%s: %s", broken[i].text, rg_ctx_error(cx));
    }
}

/* As spreadsheets and people write it. */
static void other_ways_to_write_csv(void **state)
{
    rg_ctx *cx = *state;
    static const char *const texts[] = {
        HEAD "\na,b,1\n", HEAD "\r\na,b,1\r\n", HEAD "\na,b,1", "\xef\xbb\xbf" HEAD "\na,b,1\n",
        "\"model\",\"backend\",\"median_s\"\n\"a\",\"b\",\"1\"\n", "median_s,backend,model\n1,b,a\n",
    };
    for (size_t i = 0; i < RG_COUNT(texts); i++) {
        rg_readings out = {0};
        if (rg_readings_parse(cx, rg_str_of(texts[i]), "f", &out)) fail_msg("%s", rg_ctx_error(cx));
        assert_int_equal(out.count, 1);
        assert_string_equal(out.items[0].model, "a");
        assert_string_equal(out.items[0].backend, "b");
        assert_true(out.items[0].median_s == 1 && isnan(out.items[0].p90_s));
    }
    rg_readings out = {0};
    const char *quoted = HEAD "\n\"a \"\"b\"\", c\",d,2\n";
    assert_int_equal(rg_readings_parse(cx, rg_str_of(quoted), "f", &out), RG_OK);
    assert_string_equal(out.items[0].model, "a \"b\", c");
}

/* Cut anywhere it is refused or is a shorter file, and with any allocation failing it says so. */
static void cut_and_starved(void **state)
{
    rg_ctx *cx = *state;
    static const char *const texts[] = {
        HEAD ",id\n\"a\",b,1,0123456789abcdef\nc,d,2,\n",
        OPEN "{\"model\": \"a\", \"backend\": \"b\", \"median_s\": 1, \"id\": \"0123456789abcdef\"}]}",
    };
    for (size_t i = 0; i < RG_COUNT(texts); i++)
        for (size_t size = 0; size <= strlen(texts[i]); size++) {
            char *copy = malloc(size + 1); /* so that a sanitizer sees its end */
            rg_readings out = {0};
            assert_non_null(copy);
            memcpy(copy, texts[i], size);
            rg_err err = rg_readings_parse(cx, (rg_str){copy, size}, "f", &out);
            assert_true(err == RG_FORMAT || (!err && out.count <= 2));
            free(copy);
        }
    for (size_t limit = 16; limit < 8192; limit += 16) {
        rg_ctx *poor = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .memory_limit_byte = limit});
        rg_readings out = {0};
        rg_err err = poor ? rg_readings_parse(poor, rg_str_of(texts[0]), "f", &out) : RG_NOMEM;
        assert_true(err == RG_OK || err == RG_NOMEM);
        rg_ctx_free(poor);
    }
}

/* Four of one thing, one of another. Medians of the calm ones: 1 and 3, not of the disturbed 100. */
static void joined_by_median(void **state)
{
    rg_ctx *cx = *state;
    static const char text[] =
        HEAD ",p90_s,samples,threads,id,disturbed,date\n"
        "m,native,3,5,10,1,,false,2024-01-02\nm,native,100,200,1000,1,,true,2024-01-09\n"
        "m,native,7,8,9,1,0000000000000001,true,2024-01-01\n"
        "m,native,1,,20,1,,false,2024-01-05\nm,native,5,7,,2,,false,2024-01-01\n";
    rg_readings in = {0}, out = {0};
    assert_int_equal(rg_readings_parse(cx, rg_str_of(text), "f", &in), RG_OK);
    assert_int_equal(rg_readings_join(cx, &in, &out), RG_OK);
    assert_int_equal(out.count, 3);
    assert_true(out.items[0].median_s == 2 && out.items[0].p90_s == 5 && out.items[0].samples == 30);
    assert_false(out.items[0].disturbed);
    assert_string_equal(out.items[0].date, "2024-01-05");
    assert_true(out.items[1].id == 1 && out.items[1].median_s == 7 && out.items[1].disturbed);
    assert_true(out.items[2].threads == 2 && out.items[2].median_s == 5 && isnan(out.items[2].samples));
    assert_true(isnan(out.items[2].energy_j));
}

static size_t count_of(rg_ctx *cx, const char *name)
{
    rg_readings out = {0};
    if (rg_readings_read(cx, path_of(name), &out)) fail_msg("%s", rg_ctx_error(cx));
    return out.count;
}

static void files_are_added_to(void **state)
{
    rg_ctx *cx = *state;
    rg_readings one = {0};
    rg_reading r = sample();
    assert_int_equal(rg_readings_add(cx, &one, &r), RG_OK);
    assert_int_equal(rg_readings_check(cx, path_of("x.csv")), RG_OK); /* not there yet */
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(rg_readings_write(cx, path_of("x.csv"), &one, true), RG_OK);
        assert_int_equal(count_of(cx, "x.csv"), i);
    }
    assert_int_equal(rg_readings_write(cx, path_of("x.csv"), &one, false), RG_OK);
    assert_int_equal(count_of(cx, "x.csv"), 1);
    assert_int_equal(rg_readings_write(cx, path_of("x.json"), &one, true), RG_OK);
    assert_int_equal(count_of(cx, "x.json"), 1);

    write_file("x.csv.new", ""); /* somebody else is at it */
    assert_int_equal(rg_readings_write(cx, path_of("x.csv"), &one, true), RG_FAILED);
    assert_non_null(strstr(rg_ctx_error(cx), "x.csv.new is there"));
    unlink(path_of("x.csv.new"));
    assert_int_equal(count_of(cx, "x.csv"), 1);

    write_file("y.csv", "name,price\nbread,3\n"); /* something else stays as it is */
    assert_int_equal(rg_readings_check(cx, path_of("y.csv")), RG_FORMAT);
    assert_int_equal(rg_readings_write(cx, path_of("y.csv"), &one, true), RG_FORMAT);
    assert_int_equal(access(path_of("y.csv.new"), F_OK), -1);
    assert_int_equal(rg_readings_check(cx, path_of("y.txt")), RG_USAGE);
    assert_int_equal(rg_readings_write(cx, path_of("z/y.csv"), &one, true), RG_FAILED);
    static const char *const made[] = {"x.csv", "x.json", "y.csv"};
    for (size_t i = 0; i < RG_COUNT(made); i++) unlink(path_of(made[i]));
}

/* The command: both forms merged into one, and a document that its schema describes. */
static void shown_and_merged(void **state)
{
    rg_ctx *cx = *state;
    rg_doc *doc;
    double x;
    char csv[128], json[128], saved[128];
    snprintf(csv, sizeof csv, "%s", path_of("p.csv"));
    snprintf(json, sizeof json, "%s", path_of("p.json"));
    snprintf(saved, sizeof saved, "%s", path_of("both.json"));
    write_file("p.csv", HEAD "\nm,native,1\n");
    write_file("p.json", OPEN "{\"model\": \"m\", \"backend\": \"native\", \"median_s\": 3}]}");
    const char *files[] = {csv, json};
    rg_readings_opt opt = {.size = sizeof opt, .save = saved};
    assert_int_equal(rg_readings_doc(cx, files, 2, &opt, &doc), RG_OK);
    assert_true(rg_doc_number(doc, "readings[0].median_s", &x) && x == 2);
    assert_int_equal(count_of(cx, "both.json"), 1);
    doc_obeys(cx, doc, "readings");
    rg_doc_free(doc);
    opt = (rg_readings_opt){.size = sizeof opt, .all = true};
    assert_int_equal(rg_readings_doc(cx, files, 2, &opt, &doc), RG_OK);
    assert_true(rg_doc_number(doc, "readings[1].median_s", &x) && x == 3);
    rg_doc_free(doc);
    const char *gone = "/nowhere.csv";
    assert_int_equal(rg_readings_doc(cx, &gone, 1, NULL, &doc), RG_INPUT);
    unlink(csv);
    unlink(json);
    unlink(saved);
}

static int begin(void **state)
{
    *state = rg_ctx_new(NULL);
    return *state && mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    rmdir(folder);
    rg_ctx_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms), cmocka_unit_test(the_schema_knows_the_columns),
        cmocka_unit_test(what_is_none_is_refused), cmocka_unit_test(other_ways_to_write_csv),
        cmocka_unit_test(cut_and_starved), cmocka_unit_test(joined_by_median),
        cmocka_unit_test(files_are_added_to), cmocka_unit_test(shown_and_merged),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
