/* test_malloc.c - the system's malloc refuses the n-th request, for every n: what the context's allocator
 * does not see is asked for by jansson, which reads the profiles, and by libc. The answer is an error or the
 * right result, and every block comes back. The wrappers below take malloc's place in the whole process, so
 * this is a test of its own, and none under a sanitizer, which takes the same place.
 */
#include "ridge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

#if !defined(__GLIBC__) || defined(SANITIZED)

int main(void) { return 77; } /* skipped: nothing can take malloc's place here */

#else

/* Counts only while a flow runs: the C library and the test's own code are left alone. */
static struct { long asked, refuse_at, live; bool on; } meter;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

/* A power of two is never refused: jansson's lexer doubles its buffer, does not look whether that went well,
 * and then drops bytes or aborts. */
static bool refused(size_t size)
{
    bool power_of_two = !(size & (size - 1));
    return meter.on && !power_of_two && ++meter.asked == meter.refuse_at;
}

static void *counted(void *block)
{
    meter.live += meter.on && block;
    return block;
}

void *malloc(size_t size) { return refused(size) ? NULL : counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size)
{
    return refused(count * size) ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
    if (refused(size)) return NULL;
    return block ? __libc_realloc(block, size) : counted(__libc_realloc(NULL, size));
}

void free(void *block)
{
    meter.live -= meter.on && block;
    __libc_free(block);
}

/* Profiles read by jansson, and a document of them. */
static rg_err flow(FILE *out)
{
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    rg_doc *doc = NULL;
    rg_ctx *cx = rg_ctx_new(NULL);
    if (!cx) return RG_NOMEM;
    rg_err err = rg_device_find(cx, "t4", &device);
    if (!err) err = rg_runtime_find(cx, NULL, device, &runtime);
    if (!err) err = rg_device_doc(cx, &device, 1, &doc);
    if (!err) err = rg_doc_write(cx, doc, "json", out);
    rg_doc_free(doc);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_ctx_free(cx);
    return err;
}

static rg_err run_with(long refuse_at, FILE *out)
{
    meter.asked = meter.live = 0;
    meter.refuse_at = refuse_at;
    meter.on = true;
    rg_err err = flow(out);
    meter.on = false;
    return err;
}

static void every_refused_malloc_is_survived(void **state)
{
    (void)state;
    FILE *out = fopen("/dev/null", "w");
    assert_non_null(out);
    /* what is allocated once for the whole process is there after this */
    assert_int_equal(run_with(0, out), RG_OK);
    long needed = meter.asked, told = 0;
    assert_true(needed > 100); /* jansson has a block for every value */
    for (long n = 1; n <= needed; n++) {
        rg_err err = run_with(n, out);
        told += err != RG_OK;
        /* jansson tells a missing token and a token without memory apart nowhere:
         * the former is what we can say */
        assert_true(err == RG_OK || err == RG_NOMEM || err == RG_FORMAT);
        assert_int_equal(meter.live, 0);
    }
    assert_true(told > needed / 2);
    fclose(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_refused_malloc_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
