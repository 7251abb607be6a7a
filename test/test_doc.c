/* test_doc.c - the document model and its writers: the expected texts follow from RFC 8259, RFC 4180,
 * GitHub's Markdown and doc.h's own words, not from what the code printed.
 */
#include "report/write.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static rg_doc *new_doc(rg_ctx *cx)
{
    rg_doc *doc = NULL;
    assert_int_equal(rg_doc_new(cx, "ridge.test/1", &doc), RG_OK);
    return doc;
}

/* Writes, frees the document and compares. */
static void expect(rg_ctx *cx, rg_doc *doc, const char *format, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(rg_doc_done(cx, doc), RG_OK);
    assert_int_equal(rg_doc_write(cx, doc, format, out), RG_OK);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    rg_doc_free(doc);
}

static void test_tree_and_paths(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    rg_item *results = rg_doc_array(doc, rg_doc_root(doc), "results");
    rg_item *row = rg_doc_object(doc, results, NULL);
    rg_item *operators = rg_doc_object(doc, rg_doc_root(doc), "operators");
    double x = 0;
    const char *text = NULL;
    (void)state;
    rg_doc_quantity(doc, row, "latency_s", (rg_estimate){2e-3, 1e-3, 3e-3});
    rg_doc_text(doc, row, "model", "zoo:%s", "resnet50");
    rg_doc_int(doc, operators, "ai.onnx.ml.Scaler", 7);
    assert_true(rg_doc_number(doc, "results[0].latency_s.value", &x));
    assert_true(x == 2e-3);
    assert_true(rg_doc_number(doc, "operators.ai.onnx.ml.Scaler", &x));
    assert_true(x == 7);
    assert_true(rg_doc_string(doc, "results[0].model", &text));
    assert_string_equal(text, "zoo:resnet50");
    assert_true(rg_doc_string(doc, "schema", &text));
    assert_string_equal(text, "ridge.test/1");
    static const char *const absent[] = {
        "results[1].latency_s.value", "results[-1]", "results[0", "results[x]",
        "results[99999999999999999999]",
        "results[0].latency", "results[0].latency_s", "result", "operators.ai.onnx", "schema.x", "[0]",
    };
    for (size_t i = 0; i < RG_COUNT(absent); i++) assert_false(rg_doc_number(doc, absent[i], &x));
    rg_doc_free(doc);
    rg_ctx_free(cx);
}

static void test_json(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    rg_item *root = rg_doc_root(doc), *list;
    (void)state;
    rg_doc_str(doc, root, "zeta", "quote \" slash \\ line \n tab \t bell \a end \x1f");
    rg_doc_str(doc, root, "alpha", "µ² · 日本 \xf0\x9f\x98\x80");
    rg_doc_str(doc, root, "nothing", NULL);
    rg_doc_flag(doc, root, "yes", true);
    rg_doc_int(doc, root, "least", INT64_MIN);
    list = rg_doc_array(doc, root, "reals");
    double reals[] = {0.1, 1.0 / 3, 5, 1e22, -0.5, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, NAN, INFINITY};
    for (size_t i = 0; i < RG_COUNT(reals); i++) rg_doc_real(doc, list, NULL, reals[i]);
    rg_doc_quantity(doc, root, "time_s", (rg_estimate){0.5, NAN, 1});
    rg_doc_array(doc, root, "empty");
    rg_doc_object(doc, root, "none");
    list = rg_doc_array(doc, root, "rows");
    rg_doc_int(doc, rg_doc_object(doc, list, NULL), "id", 1);
    rg_doc_object(doc, list, NULL);
    expect(cx, doc, "json",
           "{\n"
           "  \"schema\": \"ridge.test/1\",\n"
           "  \"zeta\": \"quote \\\" slash \\\\ line \\n tab \\t bell \\u0007 end \\u001f\",\n"
           "  \"alpha\": \"µ² · 日本 \xf0\x9f\x98\x80\",\n"
           "  \"nothing\": null,\n"
           "  \"yes\": true,\n"
           "  \"least\": -9223372036854775808,\n"
           "  \"reals\": [0.1, 0.3333333333333333, 5, 1e+22, -0.5, 0.30000000000000004, "
           "4.94065645841247e-324, 1.7976931348623157e+308, null, null],\n"
           "  \"time_s\": {\n    \"value\": 0.5,\n    \"low\": null,\n    \"high\": 1\n  },\n"
           "  \"empty\": [],\n"
           "  \"none\": {},\n"
           "  \"rows\": [\n    {\n      \"id\": 1\n    },\n    {}\n  ]\n"
           "}\n");
    rg_ctx_free(cx);
}

/* The Unicode Standard, table 3-7: what is no well-formed sequence is replaced, byte by byte. */
static void test_invalid_utf8(void **state)
{
    static const struct { const char *bytes, *json; } cases[] = {
        {"a\xff" "b", "a\\ufffdb"},
        {"\xc0\xaf", "\\ufffd\\ufffd"},                       /* overlong slash */
        {"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"},            /* overlong, three bytes */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},            /* a surrogate */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* past U+10FFFF */
        {"\xe6\x97", "\\ufffd\\ufffd"},                       /* cut short by the end */
        {"\xe6" "ab", "\\ufffdab"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},             /* U+10FFFF itself is fine */
    };
    (void)state;
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        char expected[128];
        rg_ctx *cx = rg_ctx_new(NULL);
        rg_doc *doc = new_doc(cx);
        rg_doc_str(doc, rg_doc_root(doc), "s", cases[i].bytes);
        snprintf(expected, sizeof expected, "{\n  \"schema\": \"ridge.test/1\",\n  \"s\": \"%s\"\n}\n",
                 cases[i].json);
        expect(cx, doc, "json", expected);
        rg_ctx_free(cx);
    }
}

static void test_width(void **state)
{
    static const struct { const char *text; size_t columns; } cases[] = {
        {"", 0}, {"abc", 3}, {"µs", 2}, {"m²", 2}, {"a·b", 3}, {"日本", 4}, {"e\xcc\x81", 1},
        {"\xff", 1}, {"\x1b[", 2}, {"…", 1}, {"\xf0\x9f\x98\x80", 2},
    };
    (void)state;
    for (size_t i = 0; i < RG_COUNT(cases); i++)
        assert_int_equal(rg_utf8_columns(rg_str_of(cases[i].text)), cases[i].columns);
}

static const rg_column columns[] = {
    {"name", "name", RG_UNIT_NONE, false}, {"latency_s", "time", RG_UNIT_SECOND, false},
    {"byte", "bytes", RG_UNIT_BYTE, false}, {"shape", "shape", RG_UNIT_NONE, false},
};

/* Three rows: an interval, an unknown, a value that is certain; a name with every troublemaker. */
static rg_item *add_rows(rg_doc *doc)
{
    rg_item *rows = rg_doc_array(doc, rg_doc_root(doc), "rows");
    rg_item *row = rg_doc_object(doc, rows, NULL), *shape;
    rg_doc_str(doc, row, "name", "a,\"b\"|c");
    rg_doc_quantity(doc, row, "latency_s", (rg_estimate){1.23e-3, 1.02e-3, 1.6e-3});
    rg_doc_int(doc, row, "byte", 97500000);
    shape = rg_doc_array(doc, row, "shape");
    rg_doc_int(doc, shape, NULL, 1);
    rg_doc_int(doc, shape, NULL, 3);
    row = rg_doc_object(doc, rows, NULL);
    rg_doc_str(doc, row, "name", "µ");
    rg_doc_quantity(doc, row, "latency_s", (rg_estimate){NAN, NAN, NAN});
    row = rg_doc_object(doc, rows, NULL);
    rg_doc_str(doc, row, "name", "line\nend");
    rg_doc_quantity(doc, row, "latency_s", (rg_estimate){2, 2, 2});
    rg_doc_int(doc, row, "byte", 12);
    return rows;
}

static void test_text_table(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    (void)state;
    rg_doc_section(doc, 1, "Título %d", 1);
    rg_doc_table(doc, "rows", add_rows(doc), columns, RG_COUNT(columns), 0);
    expect(cx, doc, "text",
           "Título 1\n"
           "========\n"
           "name                       time    bytes  shape\n"
           "--------  ---------------------  -------  -----\n"
           "a,\"b\"|c   1.23 ms (1.02 - 1.60)  97.5 MB  1, 3\n"
           "µ                             -        -  -\n"
           "line end                 2.00 s     12 B  -\n");
    rg_ctx_free(cx);
}

static void test_text_blocks(void **state)
{
    static const rg_column fields[] = {
        {"schema", "schema", RG_UNIT_NONE, false}, {"absent", "absent", RG_UNIT_NONE, false},
        {"power_w", "µ-power", RG_UNIT_WATT, false}, {"ok", "ok", RG_UNIT_NONE, false},
    };
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    (void)state;
    rg_doc_real(doc, rg_doc_root(doc), "power_w", 70);
    rg_doc_flag(doc, rg_doc_root(doc), "ok", false);
    rg_doc_section(doc, 2, "Head");
    rg_doc_fields(doc, rg_doc_root(doc), fields, RG_COUNT(fields));
    rg_doc_say(doc, "A sentence of %s words, and so on, that goes on until the line has no more room for "
                    "what it is going to say next.", "many");
    rg_doc_point(doc, "first");
    rg_doc_point(doc, "second \x1b[31mred");
    rg_doc_section(doc, 3, "Small");
    expect(cx, doc, "text",
           "Head\n"
           "----\n"
           "schema    ridge.test/1\n"
           "µ-power   70.0 W\n"
           "ok        no\n"
           "\n"
           "A sentence of many words, and so on, that goes on until the line has no more room for what it is "
           "going to say\n"
           "next.\n"
           "\n"
           "- first\n"
           "- second \xef\xbf\xbd[31mred\n"
           "\n"
           "Small\n");
    rg_ctx_free(cx);
}

/* Bars are eighths of a column: the largest fills its 10 columns, half of it 5; any share at all shows. */
static void test_text_bars(void **state)
{
    static const rg_column bar[] = {{"x", "x", RG_UNIT_NONE, true}, {"name", "name", RG_UNIT_NONE, false}};
    static const double xs[] = {8, 4, 0.001, 0};
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    rg_item *rows = rg_doc_array(doc, rg_doc_root(doc), "rows");
    (void)state;
    for (size_t i = 0; i < RG_COUNT(xs); i++) {
        rg_item *row = rg_doc_object(doc, rows, NULL);
        rg_doc_text(doc, row, "name", "n%zu", i);
        rg_doc_real(doc, row, "x", xs[i]);
    }
    rg_doc_table(doc, "rows", rows, bar, RG_COUNT(bar), 3);
    rg_doc_bars(doc, rows, "name", "x", RG_UNIT_NONE);
    expect(cx, doc, "text",
           "     x              name\n"
           "------------------  ----\n"
           "  8.00  ██████████  n0\n"
           "  4.00  █████       n1\n"
           "0.0010  ▏           n2\n"
           "... and 1 more\n"
           "\n"
           "n0    8.00  ████████████████████"
           "████████████████████\n"
           "n1    4.00  ████████████████████\n"
           "n2  0.0010  ▏\n"
           "n3       0\n");
    rg_ctx_free(cx);
}

/* 110 columns: 2 × (2 + 4) for gap and "10 B" leave 98 for two names of 100; each gives up as much. */
static void test_text_fits_the_page(void **state)
{
    static const rg_column wide[] = {
        {"a", "a", RG_UNIT_NONE, false}, {"n", "n", RG_UNIT_BYTE, false}, {"b", "b", RG_UNIT_NONE, false},
    };
    char name[101], *text = NULL;
    size_t size = 0;
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    rg_item *rows = rg_doc_array(doc, rg_doc_root(doc), "rows"), *row = rg_doc_object(doc, rows, NULL);
    (void)state;
    memset(name, 'x', 100);
    name[0] = '<', name[99] = '>', name[100] = 0;
    rg_doc_str(doc, row, "a", name);
    rg_doc_str(doc, row, "b", name);
    rg_doc_int(doc, row, "n", 10);
    rg_doc_table(doc, "rows", rows, wide, RG_COUNT(wide), 0);
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(rg_doc_write(cx, doc, "text", out), RG_OK);
    fclose(out);
    char *line = strrchr(text, '<');
    while (line > text && line[-1] != '\n') line--;
    rg_str last = rg_str_of(line);
    last.size--; /* the line's end */
    assert_int_equal(rg_utf8_columns(last), 110);
    assert_true(line[0] == '<' && last.data[last.size - 1] == '>' && strstr(line, "x…x"));
    free(text);
    rg_doc_free(doc);
    rg_ctx_free(cx);
}

static void test_csv(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    (void)state;
    rg_doc_table(doc, "rows", add_rows(doc), columns, RG_COUNT(columns), 1);
    expect(cx, doc, "csv",
           "name,latency_s,latency_s.low,latency_s.high,byte,shape\r\n"
           "\"a,\"\"b\"\"|c\",0.00123,0.00102,0.0016,97500000,1;3\r\n"
           "µ,,,,,\r\n"
           "\"line\nend\",2,2,2,12,\r\n");
    rg_ctx_free(cx);
}

static void test_csv_of_several_tables(void **state)
{
    static const rg_column one[] = {{"id", "ID", RG_UNIT_NONE, false}};
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    rg_item *rows = rg_doc_array(doc, rg_doc_root(doc), "rows");
    (void)state;
    rg_doc_int(doc, rg_doc_object(doc, rows, NULL), "id", 1);
    rg_doc_table(doc, "first", rows, one, 1, 0);
    rg_doc_table(doc, "second", rows, one, 1, 0);
    expect(cx, doc, "csv", "# first\r\nid\r\n1\r\n\r\n# second\r\nid\r\n1\r\n");
    doc = new_doc(cx);
    rg_doc_fields(doc, rg_doc_root(doc), (rg_column[]){{"schema", "s", RG_UNIT_NONE, false}}, 1);
    expect(cx, doc, "csv", "field,value\r\nschema,ridge.test/1\r\n");
    rg_ctx_free(cx);
}

static void test_md(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    (void)state;
    rg_doc_section(doc, 2, "A * B");
    rg_doc_point(doc, "x");
    rg_doc_point(doc, "y");
    rg_doc_table(doc, "rows", add_rows(doc), columns, RG_COUNT(columns), 2);
    expect(cx, doc, "md",
           "## A \\* B\n"
           "\n"
           "- x\n"
           "- y\n"
           "\n"
           "| name | time | bytes | shape |\n"
           "| --- | ---: | ---: | --- |\n"
           "| a,\"b\"\\|c | 1.23 ms (1.02 - 1.60) | 97.5 MB | 1, 3 |\n"
           "| µ | - | - | - |\n"
           "\n"
           "... and 1 more\n");
    rg_ctx_free(cx);
}

static void test_html_escapes(void **state)
{
    char *text = NULL;
    size_t size = 0;
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    (void)state;
    rg_doc_section(doc, 1, "<script>alert('&')</script>");
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(rg_doc_write(cx, doc, "html", out), RG_OK);
    fclose(out);
    assert_non_null(strstr(text, ">&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;</h1>"));
    assert_null(strstr(text, "<script"));
    free(text);
    rg_doc_free(doc);
    rg_ctx_free(cx);
}

static void test_cells(void **state)
{
    static const struct { rg_estimate x; rg_unit unit; const char *text; } cases[] = {
        {{1.23e-3, 1.02e-3, 1.6e-3}, RG_UNIT_SECOND, "1.23 ms (1.02 - 1.60)"},
        {{1.23e-3, 870e-6, 1.6e-3}, RG_UNIT_SECOND, "1.23 ms (870 µs - 1.60 ms)"},
        {{0.5, 0.5, 0.5}, RG_UNIT_SECOND, "500 ms"},
        {{0.5, NAN, 1}, RG_UNIT_FRACTION, "50.0 %"},
        {{NAN, 1, 2}, RG_UNIT_SECOND, "-"},
    };
    (void)state;
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        char buffer[128];
        rg_ctx *cx = rg_ctx_new(NULL);
        rg_doc *doc = new_doc(cx);
        rg_column column = {"q", "q", cases[i].unit, false};
        rg_doc_quantity(doc, rg_doc_root(doc), "q", cases[i].x);
        assert_string_equal(rg_doc_cell(buffer, sizeof buffer, rg_doc_root(doc), &column), cases[i].text);
        rg_doc_free(doc);
        rg_ctx_free(cx);
    }
}

/* A program that set a locale with a decimal comma still gets JSON. Skipped where there is none. */
static void test_comma_locale(void **state)
{
    char buffer[RG_REAL_SIZE];
    (void)state;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
        print_message("no de_DE.UTF-8 here\n");
        skip();
    }
    assert_string_equal(rg_real_print(buffer, 1.5), "1.5");
    assert_string_equal(rg_real_print(buffer, -1.5e-7), "-1.5e-07");
    setlocale(LC_NUMERIC, "C");
}

static void test_unknown_format(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    (void)state;
    assert_int_equal(rg_doc_write(cx, doc, "xml", stdout), RG_USAGE);
    assert_string_equal(rg_ctx_error(cx),
                        "unknown format 'xml'; there are csv, html, json, md, pdf, png, svg, text");
    rg_doc_free(doc);
    rg_ctx_free(cx);
}

static void test_write_error(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_doc *doc = new_doc(cx);
    FILE *full = fopen("/dev/full", "w");
    (void)state;
    if (!full) skip();
    assert_int_equal(rg_doc_write(cx, doc, "json", full), RG_FAILED);
    fclose(full);
    rg_doc_free(doc);
    rg_ctx_free(cx);
}

/* STYLE 31: fail the n-th allocation, for every n. */
typedef struct budget { int left; } budget;

static void *budget_alloc(void *user, size_t size)
{
    budget *b = user;
    return b->left-- > 0 ? calloc(1, size) : NULL;
}

static void budget_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static rg_err build_and_write(rg_ctx *cx, FILE *out)
{
    rg_doc *doc;
    RG_TRY(rg_doc_new(cx, "ridge.test/1", &doc));
    rg_item *rows = rg_doc_array(doc, rg_doc_root(doc), "rows");
    for (int i = 0; i < 300; i++) {
        rg_item *row = rg_doc_object(doc, rows, NULL);
        rg_doc_text(doc, row, "name", "row %d", i);
        rg_doc_quantity(doc, row, "latency_s", (rg_estimate){i, i, i + 1});
    }
    rg_doc_section(doc, 1, "Rows");
    rg_doc_table(doc, "rows", rows, columns, 2, 0);
    rg_doc_bars(doc, rows, "name", "latency_s", RG_UNIT_SECOND);
    rg_err err = rg_doc_write(cx, doc, "text", out);
    rg_doc_free(doc);
    return err;
}

static void test_no_memory(void **state)
{
    rg_err err = RG_NOMEM;
    int n = 1;
    (void)state;
    for (; err == RG_NOMEM && n < 1000; n++) {
        budget b = {n};
        rg_ctx_opt opt = {.size = sizeof opt, .alloc = budget_alloc, .free = budget_free, .user = &b};
        rg_ctx *cx = rg_ctx_new(&opt);
        FILE *out = fopen("/dev/null", "w");
        err = build_and_write(cx, out);
        fclose(out);
        rg_ctx_free(cx);
    }
    assert_int_equal(err, RG_OK);
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree_and_paths), cmocka_unit_test(test_json),
        cmocka_unit_test(test_invalid_utf8), cmocka_unit_test(test_width),
        cmocka_unit_test(test_text_table), cmocka_unit_test(test_text_blocks),
        cmocka_unit_test(test_text_bars), cmocka_unit_test(test_text_fits_the_page),
        cmocka_unit_test(test_csv), cmocka_unit_test(test_csv_of_several_tables), cmocka_unit_test(test_md),
        cmocka_unit_test(test_html_escapes), cmocka_unit_test(test_cells),
        cmocka_unit_test(test_comma_locale), cmocka_unit_test(test_unknown_format),
        cmocka_unit_test(test_write_error), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
