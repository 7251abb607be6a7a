/* test_locale.c - the program that we are linked into may have set a locale that writes 1,5 for 1.5: what is
 * read and printed must not change, and its locale must be as before. The locale is compiled here by
 * localedef, into a folder of its own; without localedef and its sources (Debian:
 * package locales) there is nothing to test with.
 */
#include "ir/ir.h"

#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif

static const char source[] =
    "LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\ngrouping 3;3\nEND LC_NUMERIC\n";

static char folder[] = "/tmp/ridge-locale-XXXXXX", input[64], output[64];

static bool write_source(void)
{
    FILE *file = fopen(input, "w");
    bool good = file && fputs(source, file) >= 0;
    return file && !fclose(file) && good;
}

/* -c: a locale of one category is less than localedef likes, and all that is needed. */
static void compile_locale(void)
{
    extern char **environ;
    static char program[] = "localedef", force[] = "-c", quiet[] = "--quiet", from[] = "-i";
    static char map[] = "-f", utf8[] = "UTF-8";
    char *const args[] = {program, force, quiet, from, input, map, utf8, output, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    if (posix_spawn_file_actions_init(&actions)) return;
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (!posix_spawnp(&child, program, &actions, NULL, args, environ)) waitpid(child, NULL, 0);
    posix_spawn_file_actions_destroy(&actions);
}

/* False where no such locale can be made. */
static bool enter_comma_locale(void)
{
    if (!mkdtemp(folder)) return false;
    snprintf(input, sizeof input, "%s/source", folder);
    snprintf(output, sizeof output, "%s/comma", folder);
    if (write_source()) compile_locale();
    setenv("LOCPATH", folder, 1);
    return setlocale(LC_NUMERIC, "comma") && strcmp(localeconv()->decimal_point, ",") == 0;
}

static void leave_comma_locale(void)
{
    char file[96];
    setlocale(LC_NUMERIC, "C");
    snprintf(file, sizeof file, "%s/LC_NUMERIC", output);
    unlink(file);
    rmdir(output);
    unlink(input);
    rmdir(folder);
}

/* The program's own numbers keep their comma: the library has not changed its locale. */
static void check_program_keeps_comma(void)
{
    char buffer[16];
    snprintf(buffer, sizeof buffer, "%.1f", 1.5);
    assert_string_equal(buffer, "1,5");
}

static void check_base(rg_ctx *cx)
{
    char buffer[64];
    double x = 0;
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_text_printf(&text, "%g", 0.25);
    assert_string_equal(text.data, "0.25");
    assert_string_equal(rg_arena_printf(&cx->arena, "%.2f", 2.5), "2.50");
    assert_string_equal(rg_unit_print(buffer, sizeof buffer, 1.5e-3, RG_UNIT_SECOND), "1.50 ms");
    assert_int_equal(rg_fail(cx, RG_GATE, "%.1f of %.1f", 0.5, 1.5), RG_GATE);
    assert_string_equal(rg_ctx_error(cx), "0.5 of 1.5");
    assert_true(rg_str_real(RG_LIT("1.5"), &x));
    assert_true(x == 1.5);
    assert_false(rg_str_real(RG_LIT("1,5"), &x));
}

/* From a text graph and a JSON profile to documents: all that is read or printed on the way. */
static void write_all(FILE *out)
{
    static const char *const formats[] = {"json", "text", "md", "csv", "html"};
    const rg_graph *graph = NULL;
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    const rg_forecast *forecast = NULL;
    rg_doc *doc = NULL;
    rg_ctx *cx = rg_ctx_new(NULL);
    assert_non_null(cx);
    rg_err err = rg_graph_load(cx, RG_SOURCE_ROOT "/doc/demo/tiny_cnn.rg", NULL, &graph);
    if (!err) err = rg_graph_print(cx, graph, out);
    if (!err) err = rg_device_find(cx, "h100-sxm", &device);
    if (!err) err = rg_runtime_find(cx, NULL, device, &runtime);
    if (!err) err = rg_plan_make(cx, graph, device, runtime, NULL, &plan);
    if (!err) err = rg_forecast_make(cx, plan, NULL, &forecast);
    if (!err) err = rg_forecast_doc(cx, &forecast, 1, 3, &doc);
    for (size_t i = 0; i < RG_COUNT(formats) && !err; i++) err = rg_doc_write(cx, doc, formats[i], out);
    if (err) fail_msg("%s", rg_ctx_error(cx));
    rg_doc_free(doc);
    rg_forecast_free(forecast);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_graph_free(graph);
    rg_ctx_free(cx);
}

static void numbers_ignore_the_locale(void **state)
{
    (void)state;
    char *here = NULL, *there = NULL;
    size_t here_size = 0, there_size = 0;
    FILE *out = open_memstream(&here, &here_size);
    assert_non_null(out);
    write_all(out);
    fclose(out);
    if (!enter_comma_locale()) {
        leave_comma_locale();
        free(here);
        print_message("localedef could not make a locale with a decimal comma\n");
        skip();
    }
    check_program_keeps_comma();
    rg_ctx *cx = rg_ctx_new(NULL);
    assert_non_null(cx);
    check_base(cx);
    rg_ctx_free(cx);
    out = open_memstream(&there, &there_size);
    assert_non_null(out);
    write_all(out);
    fclose(out);
    check_program_keeps_comma();
    leave_comma_locale();
    assert_int_equal(there_size, here_size);
    assert_memory_equal(there, here, here_size);
    free(here);
    free(there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_ignore_the_locale)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
