/* test_onnx_suite.c - every model of the shared archives is read: the ONNX backend suite and the real models.
 */
#include "format/onnx.h"

#include "tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);
    return size >= tail && strcmp(text + size - tail, end) == 0;
}

/* Reads all files of the archive whose name ends so; returns how many there were. */
static int read_all(const char *archive, const char *end)
{
    const char *shared = getenv("RIDGE_SHARED");
    char path[1024];
    tar t;
    int count = 0, refused = 0;
    snprintf(path, sizeof path, "%s/%s", shared ? shared : RG_SOURCE_ROOT "/../shared", archive);
    if (!tar_open(&t, path)) {
        print_message("%s is not there\n", path);
        skip();
    }
    while (tar_next(&t)) {
        if (!ends_with(t.name, end)) continue;
        rg_ctx *cx = rg_ctx_new(NULL);
        rg_graph *g = NULL;
        assert_non_null(cx);
        count++;
        if (rg_onnx_parse(cx, (rg_str){(const char *)t.data, t.size}, NULL, &g)) {
            print_message("%s: %s\n", t.name, rg_ctx_error(cx));
            refused++;
        }
        rg_graph_free(g);
        rg_ctx_free(cx);
    }
    tar_close(&t);
    assert_int_equal(refused, 0);
    return count;
}

static void test_backend_suite(void **state)
{
    (void)state;
    assert_true(read_all("onnx/onnx-backend-dev.tar.gz", "/model.onnx") >= 1263);
}

static void test_real_models(void **state)
{
    (void)state;
    assert_true(read_all("models/models-dev.tar.gz", ".onnx") >= 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backend_suite),
        cmocka_unit_test(test_real_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
