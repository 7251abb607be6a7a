/* test_session.c - one loaded model, many threads, many sizes: what each gets is what the naive runner gives;
 * a plan is made once for each binding. Worth most under -fsanitize=thread.
 */
#include "exec/session.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { IN = 784, OUT = 10, BATCH_MAX = 3, THREADS = 4, ROUNDS = 6 };

typedef struct fixture {
    rg_ctx *cx;
    char path[64];
    float wanted[BATCH_MAX + 1][BATCH_MAX * OUT]; /* by batch */
} fixture;

static rg_datum *input(rg_ctx *cx, int batch)
{
    rg_datum *x;
    uint64_t seed = (uint64_t)batch;
    if (rg_datum_tensor(cx, RG_F32, 2, (int64_t[]){batch, IN}, &x)) return NULL;
    for (int64_t i = 0; i < x->array.count; i++) rg_put(&x->array, i, rg_random_unit(&seed));
    return x;
}

static void run_naive(fixture *f, int batch)
{
    char shape[32];
    const rg_graph *g;
    const rg_datum *out = NULL, *in = input(f->cx, batch);
    rg_naive *naive;
    snprintf(shape, sizeof shape, "batch=%d", batch);
    rg_load_opt opt = {.size = sizeof opt, .raw = true, .shape = shape};
    assert_non_null(in);
    assert_int_equal(rg_graph_load(f->cx, f->path, &opt, &g), RG_OK);
    assert_int_equal(rg_naive_new(f->cx, g, NULL, &naive), RG_OK);
    assert_int_equal(rg_naive_run(f->cx, naive, &in, &out), RG_OK);
    assert_int_equal(out->array.count, batch * OUT);
    memcpy(f->wanted[batch], out->array.data, (size_t)batch * OUT * sizeof(float));
    rg_datum_free(out);
    rg_datum_free(in);
    rg_naive_free(naive);
    rg_graph_free(g);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    const rg_graph *g;
    rg_load_opt open = {.size = sizeof open, .raw = true, .symbolic = true};
    rg_export_opt random = {.size = sizeof random, .weights = "random", .seed = 1};
    *state = f;
    if (!f || !(f->cx = rg_ctx_new(NULL))) return -1;
    snprintf(f->path, sizeof f->path, "/tmp/ridge-session-%ld.onnx", (long)getpid());
    if (rg_graph_load(f->cx, "zoo:mlp", &open, &g)) return -1;
    rg_err err = rg_graph_export(f->cx, g, f->path, &random);
    rg_graph_free(g);
    for (int batch = 1; !err && batch <= BATCH_MAX; batch++) run_naive(f, batch);
    return err ? -1 : 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    rg_ctx_free(f->cx);
    free(f);
    return 0;
}

/* How far the outputs are from the naive runner's, relative to the largest, or -1. */
static double try_batch(rg_ctx *cx, const fixture *f, rg_session *s, int batch)
{
    const rg_datum *out = NULL, *in = input(cx, batch);
    double most = -1, largest = 0;
    if (in && !rg_session_run(cx, s, &in, &out) && out->array.count == batch * OUT) {
        most = 0;
        for (int64_t i = 0; i < out->array.count; i++) {
            most = fmax(most, fabs(rg_get(&out->array, i) - (double)f->wanted[batch][i]));
            largest = fmax(largest, fabs((double)f->wanted[batch][i]));
        }
        most /= largest;
    }
    rg_datum_free(out);
    rg_datum_free(in);
    return most;
}

typedef struct job { const fixture *f; rg_session *s; int first; double most; } job;

static void *work(void *arg)
{
    job *j = arg;
    rg_ctx *cx = rg_ctx_new(NULL);
    for (int i = 0; cx && i < ROUNDS && j->most >= 0; i++) {
        double far = try_batch(cx, j->f, j->s, (j->first + i) % BATCH_MAX + 1);
        j->most = far < 0 ? -1 : fmax(j->most, far);
    }
    rg_ctx_free(cx);
    return NULL;
}

static void test_threads_share_a_model(void **state)
{
    fixture *f = *state;
    rg_session *s;
    pthread_t threads[THREADS];
    job jobs[THREADS];
    assert_int_equal(rg_session_new(f->cx, f->path, NULL, NULL, &s), RG_OK);
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){f, s, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) assert_true(jobs[i].most >= 0 && jobs[i].most < 1e-5);
    rg_session_counts made = rg_session_count(s);
    assert_int_equal(made.bindings, BATCH_MAX);
    assert_int_equal(made.plans, BATCH_MAX);
    assert_true(made.runners >= BATCH_MAX && made.runners <= BATCH_MAX * THREADS);
    rg_session_free(s);
}

/* With room for two plans, a third makes the older one go; it is made anew. */
static void test_the_oldest_plan_goes(void **state)
{
    static const int batches[] = {1, 2, 1, 3, 1, 2};
    static const size_t plans_then[] = {1, 2, 2, 3, 3, 4};
    fixture *f = *state;
    rg_session *s;
    assert_int_equal(rg_session_new(f->cx, f->path, NULL, &(rg_session_opt){.plans_max = 2}, &s), RG_OK);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        double far = try_batch(f->cx, f, s, batches[i]);
        assert_true(far >= 0 && far < 1e-5);
        assert_int_equal(rg_session_count(s).plans, plans_then[i]);
    }
    rg_session_free(s);
}

static void test_a_wrong_input_is_named(void **state)
{
    fixture *f = *state;
    rg_session *s;
    rg_datum *x;
    const rg_datum *out = NULL;
    assert_int_equal(rg_datum_tensor(f->cx, RG_F64, 2, (int64_t[]){1, IN}, &x), RG_OK);
    assert_int_equal(rg_session_new(f->cx, f->path, NULL, NULL, &s), RG_OK);
    assert_int_equal(rg_session_run(f->cx, s, (const rg_datum *const[]){x}, &out), RG_SHAPE);
    assert_non_null(strstr(rg_ctx_error(f->cx), "another type or shape"));
    assert_null(out);
    assert_int_equal(rg_session_run(f->cx, s, (const rg_datum *const[]){NULL}, &out), RG_INPUT);
    rg_datum_free(x);
    rg_session_free(s);
    assert_int_equal(rg_session_new(f->cx, "/nowhere.onnx", NULL, NULL, &s), RG_INPUT);
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_share_a_model), cmocka_unit_test(test_the_oldest_plan_goes),
        cmocka_unit_test(test_a_wrong_input_is_named),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
