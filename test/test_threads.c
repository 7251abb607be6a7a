/* test_threads.c - what never changes after it is made may be shared: four threads, each with a context of
 * its own, make plans, forecasts and documents from one graph, device, runtime and plan, and write the same
 * bytes as one thread alone. The last references are dropped by several threads at once.
 * Worth most under -fsanitize=thread.
 */
#include "ridge.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 3 };

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif

typedef struct scene {
    const rg_graph *graph;
    const rg_device *device;
    const rg_runtime *runtime;
    const rg_plan *plan;
    /* every thread has a plan of its own; the scene has let go of its parts */
    pthread_barrier_t planned, released;
} scene;

/* The whole answer as bytes, and where it failed otherwise. */
typedef struct answer {
    scene *scene;
    char *bytes;
    size_t size;
    rg_err err;
    char error[256];
} answer;

static rg_err write_plan(rg_ctx *cx, const rg_plan *plan, FILE *out)
{
    const rg_forecast *forecast = NULL;
    rg_doc *doc = NULL;
    rg_err err = rg_forecast_make(cx, plan, NULL, &forecast);
    if (!err) err = rg_forecast_doc(cx, &forecast, 1, 3, &doc);
    if (!err) err = rg_doc_write(cx, doc, "json", out);
    if (!err) err = rg_doc_write(cx, doc, "text", out);
    rg_doc_free(doc);
    rg_forecast_free(forecast);
    return err;
}

static rg_err write_rounds(rg_ctx *cx, const scene *s, const rg_plan *own, FILE *out)
{
    rg_doc *doc = NULL;
    rg_err err = rg_graph_print(cx, s->graph, out);
    if (!err) err = rg_device_doc(cx, &s->device, 1, &doc);
    if (!err) err = rg_doc_write(cx, doc, "json", out);
    rg_doc_free(doc);
    for (int i = 0; i < ROUNDS && !err; i++) {
        const rg_plan *fresh = NULL;
        err = write_plan(cx, s->plan, out);
        if (!err) err = rg_plan_make(cx, s->graph, s->device, s->runtime, NULL, &fresh);
        if (!err) err = write_plan(cx, fresh, out);
        rg_plan_free(fresh);
    }
    return err ? err : write_plan(cx, own, out);
}

/* The barriers are passed whatever fails, so that nobody waits for ever. */
static void *work(void *argument)
{
    answer *a = argument;
    scene *s = a->scene;
    const rg_plan *own = NULL;
    rg_ctx *cx = rg_ctx_new(NULL);
    FILE *out = open_memstream(&a->bytes, &a->size);
    a->err = cx && out ? rg_plan_make(cx, s->graph, s->device, s->runtime, NULL, &own) : RG_NOMEM;
    if (!a->err) a->err = write_rounds(cx, s, own, out);
    pthread_barrier_wait(&s->planned);
    pthread_barrier_wait(&s->released);
    if (!a->err) a->err = write_plan(cx, own, out); /* the plan alone keeps graph, device and runtime alive */
    if (a->err && cx) snprintf(a->error, sizeof a->error, "%s", rg_ctx_error(cx));
    rg_plan_free(own);
    if (out) fclose(out);
    rg_ctx_free(cx);
    return NULL;
}

static void open_scene(rg_ctx *cx, const char *model, const char *device, unsigned threads, scene *s)
{
    *s = (scene){0};
    rg_err err = rg_graph_load(cx, model, NULL, &s->graph);
    if (!err) err = rg_device_find(cx, device, &s->device);
    if (!err) err = rg_runtime_find(cx, NULL, s->device, &s->runtime);
    if (!err) err = rg_plan_make(cx, s->graph, s->device, s->runtime, NULL, &s->plan);
    if (err) fail_msg("%s", rg_ctx_error(cx));
    assert_int_equal(pthread_barrier_init(&s->planned, NULL, threads + 1), 0);
    assert_int_equal(pthread_barrier_init(&s->released, NULL, threads + 1), 0);
}

/* Lets `count` threads work on one scene, then drops the scene's own references while they hold theirs. */
static void run(const char *model, const char *device, unsigned count, answer *answers)
{
    pthread_t threads[THREADS];
    scene s;
    rg_ctx *cx = rg_ctx_new(NULL);
    assert_non_null(cx);
    open_scene(cx, model, device, count, &s);
    for (unsigned i = 0; i < count; i++) {
        answers[i] = (answer){.scene = &s};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &answers[i]), 0);
    }
    pthread_barrier_wait(&s.planned);
    rg_plan_free(s.plan);
    rg_runtime_free(s.runtime);
    rg_device_free(s.device);
    rg_graph_free(s.graph);
    rg_ctx_free(cx); /* objects outlive the context that they were made with */
    pthread_barrier_wait(&s.released);
    for (unsigned i = 0; i < count; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    pthread_barrier_destroy(&s.planned);
    pthread_barrier_destroy(&s.released);
}

static void check_same(const char *model, const char *device)
{
    answer alone, together[THREADS];
    run(model, device, 1, &alone);
    run(model, device, THREADS, together);
    if (alone.err) fail_msg("%s", alone.error);
    assert_true(alone.size > 1000);
    for (int i = 0; i < THREADS; i++) {
        if (together[i].err) fail_msg("thread %d: %s", i, together[i].error);
        assert_int_equal(together[i].size, alone.size);
        assert_memory_equal(together[i].bytes, alone.bytes, alone.size);
        free(together[i].bytes);
    }
    free(alone.bytes);
}

static void threads_share_a_file(void **state)
{
    (void)state;
    check_same(RG_SOURCE_ROOT "/doc/demo/tiny_cnn.onnx", "h100-sxm");
}

static void threads_share_a_zoo_model(void **state)
{
    (void)state;
    check_same("zoo:mobilenet_v2", "xeon-8480");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_file),
        cmocka_unit_test(threads_share_a_zoo_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
