/* test_opt.c - the option parser over a command of its own: kinds, presets, choices, and what each slip is
 * answered.
 */
#include "cmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct try_opt {
    cmd_common common;
    const char *name, *list, *type, *output;
    int count;
    double factor;
    bool fast;
} try_opt;

#define FIELD(field) offsetof(try_opt, field)
static const rg_opt opts[] = {
    {"name", "TEXT", RG_OPT_TEXT, FIELD(name), NULL, NULL, "a word"},
    {"list", "A,B", RG_OPT_LIST, FIELD(list), "host", NULL, "words"},
    {"precision", "TYPE", RG_OPT_TEXT, FIELD(type), "model", "model|f32|bf16", "a type"},
    {"count", "N", RG_OPT_INT, FIELD(count), "3", NULL, "a number"},
    {"factor", "X", RG_OPT_REAL, FIELD(factor), "0.5", NULL, "a real number"},
    {"fast", NULL, RG_OPT_FLAG, FIELD(fast), NULL, NULL, "a flag"},
    {"output", "FILE", RG_OPT_TEXT, FIELD(output), NULL, NULL, "takes the place of the common one"},
};

static const rg_cmd command = {
    .name = "try", .args = "FILE...", .brief = "a command to try", .opt_size = sizeof(try_opt), .opts = opts,
    .opt_count = CMD_COUNT(opts), .arg_min = 1, .arg_max = 2,
};

/* The program's own table is not linked here: help_find only needs one to look into. */
const rg_cmd *const rg_cmd_table[] = {&command};
const int rg_cmd_count = 1;

enum { WORD_MAX = 16 };

static int count_words(const char *const *words)
{
    int count = 0;
    while (words[count]) count++;
    return count;
}

static try_opt parse(const char *const *words, const char **args, int *arg_count)
{
    try_opt opt = {0};
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_err err = opt_parse(cx, &command, count_words(words), words, &opt, args, arg_count);
    if (err) print_error("%s\n", rg_ctx_error(cx));
    assert_int_equal(err, RG_OK);
    rg_ctx_free(cx);
    return opt;
}

static void test_presets(void **state)
{
    const char *args[WORD_MAX];
    int arg_count;
    (void)state;
    try_opt opt = parse((const char *[]){"model.onnx", NULL}, args, &arg_count);
    assert_int_equal(arg_count, 1);
    assert_string_equal(args[0], "model.onnx");
    assert_null(opt.name);
    assert_string_equal(opt.list, "host");
    assert_string_equal(opt.type, "model");
    assert_string_equal(opt.common.format, "text");
    assert_int_equal(opt.count, 3);
    assert_true(opt.factor == 0.5);
    assert_false(opt.fast || opt.common.quiet || opt.common.help);
}

static void test_all_forms(void **state)
{
    const char *args[WORD_MAX];
    int arg_count;
    (void)state;
    static const char *const words[] = {
        "--name=a=b", "x", "--count", "-7", "--factor=1e-3", "--fast", "-q", "-o", "out", "--format", "json",
        "--", "--fast", NULL,
    };
    try_opt opt = parse(words, args, &arg_count);
    assert_int_equal(arg_count, 2);
    assert_string_equal(args[0], "x");
    assert_string_equal(args[1], "--fast");
    assert_string_equal(opt.name, "a=b");
    assert_int_equal(opt.count, -7);
    assert_true(opt.factor == 1e-3);
    assert_true(opt.fast && opt.common.quiet);
    assert_string_equal(opt.output, "out");
    assert_null(opt.common.output);
    assert_string_equal(opt.common.format, "json");
}

static void test_last_one_counts(void **state)
{
    const char *args[WORD_MAX];
    int arg_count;
    (void)state;
    static const char *const words[] = {"x", "--count=1", "--count=2", "--name=", "-", NULL};
    try_opt opt = parse(words, args, &arg_count);
    assert_int_equal(opt.count, 2);
    assert_string_equal(opt.name, "");
    assert_string_equal(args[1], "-"); /* a lone dash is a word: standard input or output */
}

static void test_help_needs_no_words(void **state)
{
    const char *args[WORD_MAX];
    int arg_count;
    (void)state;
    assert_true(parse((const char *[]){"--help", NULL}, args, &arg_count).common.help);
    assert_true(parse((const char *[]){"-h", NULL}, args, &arg_count).common.help);
}

static void test_errors(void **state)
{
    static const struct { const char *words[6], *text; } cases[] = {
        {{"x", "--cuont=1"}, "unknown option --cuont; did you mean --count?"},
        {{"x", "--coun", "1"}, "unknown option --coun; did you mean --count?"},
        {{"x", "--prec=f32"}, "unknown option --prec; did you mean --precision?"},
        {{"x", "--zebra"}, "unknown option --zebra"},
        {{"x", "-z"}, "unknown option -z"},
        {{"x", "-qq"}, "unknown option -qq"},
        {{"x", "--count"}, "--count needs a value, N"},
        {{"x", "--count", "--fast"}, "--count needs a value, N"},
        {{"x", "--count", "many"}, "--count: 'many' is not a whole number"},
        {{"x", "--count", "1.5"}, "--count: '1.5' is not a whole number"},
        {{"x", "--count", "1k"}, "--count: '1k' is not a whole number"},
        {{"x", "--count", " 1"}, "--count: ' 1' is not a whole number"},
        {{"x", "--count="}, "--count: '' is not a whole number"},
        {{"x", "--count", "2147483648"}, "--count: '2147483648' is too large"},
        {{"x", "--count", "99999999999999999999"}, "--count: '99999999999999999999' is too large"},
        {{"x", "--factor", "half"}, "--factor: 'half' is not a number"},
        {{"x", "--factor", "nan"}, "--factor: 'nan' is not a finite number"},
        {{"x", "--factor", "1e999"}, "--factor: '1e999' is not a finite number"},
        {{"x", "--fast=no"}, "--fast takes no value, got 'no'"},
        {{"x", "--list", "a", "--list", "b"}, "--list is given twice; separate its values by commas"},
        {{"x", "--precision", "bf61"}, "--precision: 'bf61' is none of model|f32|bf16; did you mean bf16?"},
        {{"x", "--precision", "q4"}, "--precision: 'q4' is none of model|f32|bf16"},
        {{"x", "--precision", "f3"}, "--precision: 'f3' is none of model|f32|bf16; did you mean f32?"},
        {{"x", "--format", "jsn"},
         "--format: 'jsn' is none of text|json|csv|md|html|svg|png|pdf; did you mean json?"},
        {{"--fast"}, "expected FILE..., got nothing"},
        {{"x", "y", "z"}, "expected FILE..., got 3 words"},
    };
    (void)state;
    for (size_t i = 0; i < CMD_COUNT(cases); i++) {
        try_opt opt = {0};
        const char *args[WORD_MAX];
        int arg_count;
        rg_ctx *cx = rg_ctx_new(NULL);
        const char *const *words = cases[i].words;
        rg_err err = opt_parse(cx, &command, count_words(words), words, &opt, args, &arg_count);
        assert_int_equal(err, RG_USAGE);
        assert_string_equal(rg_ctx_error(cx), cases[i].text);
        rg_ctx_free(cx);
    }
}

static void test_command_names(void **state)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    const rg_cmd *found = NULL;
    (void)state;
    assert_int_equal(help_find(cx, "try", &found), RG_OK);
    assert_ptr_equal(found, &command);
    assert_int_equal(help_find(cx, "predict", &found), RG_USAGE);
    assert_string_equal(rg_ctx_error(cx), "unknown command 'predict'");
    rg_ctx_free(cx);
}

/* A command's own option hides the common one of the same name, in the help as in the parser. */
static void test_option_list(void **state)
{
    int output_count = 0;
    size_t i = 0;
    (void)state;
    for (; opt_at(&command, i); i++) output_count += strcmp(opt_at(&command, i)->name, "output") == 0;
    assert_int_equal(output_count, 1);
    assert_int_equal(i, CMD_COUNT(opts) + opt_common_count - 1);
}

static void test_help_shows_everything(void **state)
{
    char *text = NULL;
    size_t size = 0, i = 0;
    FILE *out = open_memstream(&text, &size);
    (void)state;
    help_command(&command, out);
    fclose(out);
    assert_non_null(strstr(text, "Usage: ridge try [options] FILE...\n"));
    assert_non_null(strstr(text, "a type (model|f32|bf16) [model]"));
    for (; opt_at(&command, i); i++) assert_non_null(strstr(text, opt_at(&command, i)->name));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets), cmocka_unit_test(test_all_forms),
        cmocka_unit_test(test_last_one_counts), cmocka_unit_test(test_help_needs_no_words),
        cmocka_unit_test(test_errors), cmocka_unit_test(test_command_names),
        cmocka_unit_test(test_option_list), cmocka_unit_test(test_help_shows_everything),
    };
    return cmocka_run_group_tests_name("opt", tests, NULL, NULL);
}
