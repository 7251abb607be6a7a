/* test_planned.c - the plan's runner gives what the naive one gives, in static memory, without allocating. */
#include "exec/exec.h"
#include "hw/hw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct fixture {
    rg_ctx *cx;
    char path[64];
    size_t allocations;
    const rg_device *device;
    const rg_runtime *runtime;
} fixture;

static void *count_alloc(void *user, size_t size)
{
    ((fixture *)user)->allocations++;
    return malloc(size);
}

static void count_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    *state = f;
    if (!f) return -1;
    f->cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .alloc = count_alloc, .free = count_free,
                                     .user = f});
    snprintf(f->path, sizeof f->path, "/tmp/ridge-planned-%ld.onnx", (long)getpid());
    if (!f->cx || rg_device_find(f->cx, "epyc-9654", &f->device)) return -1;
    return rg_runtime_find(f->cx, "native", f->device, &f->runtime) ? -1 : 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    rg_runtime_free(f->runtime);
    rg_device_free(f->device);
    rg_ctx_free(f->cx);
    free(f);
    return 0;
}

/* ---- running both ---- */

static void fill(const rg_array *a, uint64_t seed)
{
    for (int64_t i = 0; i < a->count; i++) {
        if (rg_dtype_is_int(a->dtype)) rg_put_int(a, i, (int64_t)(rg_random_next(&seed) % 4));
        else rg_put(a, i, 2 * rg_random_unit(&seed) - 1);
    }
}

typedef struct results { const rg_datum *in[8], *out[8]; uint32_t in_count, out_count; } results;

static void free_results(results *r)
{
    for (uint32_t i = 0; i < r->in_count; i++) rg_datum_free(r->in[i]);
    for (uint32_t i = 0; i < r->out_count; i++) rg_datum_free(r->out[i]);
}

/* With random inputs of the graph's own sizes. */
static void run_naive(fixture *f, const rg_graph *g, results *r)
{
    const rg_region *model = &g->regions[RG_MAIN];
    rg_naive *naive;
    *r = (results){.in_count = model->input_count, .out_count = model->output_count};
    assert_true(model->input_count <= 8 && model->output_count <= 8);
    for (uint32_t i = 0; i < model->input_count; i++) {
        const rg_type *t = &g->values[model->inputs[i]].type;
        int64_t dim[RG_RANK_MAX];
        rg_datum *datum;
        for (int k = 0; k < t->rank; k++) dim[k] = rg_dim_value(&g->dims, t->dim[k]);
        assert_int_equal(rg_datum_tensor(f->cx, t->dtype, t->rank, dim, &datum), RG_OK);
        fill(&datum->array, i + 1);
        r->in[i] = datum;
    }
    assert_int_equal(rg_naive_new(f->cx, g, &(rg_naive_opt){.poison = true}, &naive), RG_OK);
    rg_err err = rg_naive_run(f->cx, naive, r->in, r->out);
    if (err) fail_msg("naive: %s", rg_ctx_error(f->cx));
    rg_naive_free(naive);
}

static rg_planned *plan(fixture *f, const rg_graph *g, const rg_planned_opt *opt)
{
    const rg_plan *plan;
    rg_planned *planned;
    assert_int_equal(rg_plan_make(f->cx, g, f->device, f->runtime, NULL, &plan), RG_OK);
    rg_err err = rg_planned_new(f->cx, plan, opt, &planned);
    if (err) fail_msg("planned: %s", rg_ctx_error(f->cx));
    rg_plan_free(plan);
    return planned;
}

/* |a - b| relative to b as a whole. */
static double distance(const rg_array *a, const rg_array *b)
{
    double far = 0, all = 0;
    assert_int_equal(a->count, b->count);
    for (int64_t i = 0; i < a->count; i++) {
        double x = rg_get(a, i), y = rg_get(b, i);
        far += (x - y) * (x - y);
        all += y * y;
    }
    return sqrt(far / (all > 0 ? all : 1));
}

static void run_planned(fixture *f, rg_planned *planned, const results *naive)
{
    for (uint32_t i = 0; i < naive->in_count; i++) {
        const rg_array *from = &naive->in[i]->array, *to = rg_planned_input(planned, i);
        assert_int_equal(from->count, to->count);
        rg_copy_run(to, 0, from, 0, from->count);
    }
    rg_err err = rg_planned_run(f->cx, planned);
    if (err) fail_msg("planned: %s", rg_ctx_error(f->cx));
}

static void check_outputs(const rg_planned *planned, const results *naive, double tolerance)
{
    for (uint32_t i = 0; i < naive->out_count; i++) {
        double apart = distance(rg_planned_output(planned, i), &naive->out[i]->array);
        if (!(apart <= tolerance)) fail_msg("output %u is %g apart", i, apart);
    }
}

/* Three times: what a run leaves in the block must not matter to the next, which allocates nothing. */
static void compare_runs(fixture *f, const rg_graph *g, const rg_planned_opt *opt, const results *naive,
                         double tolerance)
{
    rg_planned *planned = plan(f, g, opt);
    for (int round = 0; round < 3; round++) {
        size_t before = f->allocations;
        run_planned(f, planned, naive);
        if (round == 2) assert_int_equal(f->allocations, before);
        check_outputs(planned, naive, tolerance);
    }
    rg_planned_free(planned);
}

static void check_same_bits(const rg_planned *a, const rg_planned *b, const results *naive)
{
    for (uint32_t i = 0; i < naive->out_count; i++) {
        const rg_array *x = rg_planned_output(a, i), *y = rg_planned_output(b, i);
        assert_memory_equal(x->data, y->data, (size_t)rg_dtype_bytes(x->dtype, (double)x->count));
    }
}

/* A second runner finds all weights made; more threads change nothing; the first may be gone. */
static void compare_sharing(fixture *f, const rg_graph *g, const results *naive)
{
    const rg_plan *p;
    rg_planned *one, *two, *four;
    assert_int_equal(rg_plan_make(f->cx, g, f->device, f->runtime, NULL, &p), RG_OK);
    assert_int_equal(rg_planned_new(f->cx, p, NULL, &one), RG_OK);
    assert_int_equal(rg_planned_new(f->cx, p, &(rg_planned_opt){.share = one, .threads = 2}, &two), RG_OK);
    assert_int_equal(rg_planned_new(f->cx, p, &(rg_planned_opt){.threads = 4}, &four), RG_OK);
    run_planned(f, one, naive);
    run_planned(f, two, naive);
    run_planned(f, four, naive);
    check_same_bits(one, two, naive);
    check_same_bits(one, four, naive);
    rg_planned_free(one);
    run_planned(f, two, naive);
    check_same_bits(two, four, naive);
    rg_planned_free(two);
    rg_planned_free(four);
    rg_plan_free(p);
}

static void compare(fixture *f, const rg_graph *raw, const rg_graph *g, double tolerance)
{
    static const rg_planned_opt ways[] = {{.plain = true}, {.threads = 1}, {.threads = 3}};
    results naive;
    run_naive(f, raw, &naive);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) compare_runs(f, g, &ways[i], &naive, tolerance);
    compare_sharing(f, g, &naive);
    free_results(&naive);
}

/* As built with random weights, against what the passes make of it. */
static void compare_zoo(fixture *f, const char *name, const char *shape)
{
    const rg_graph *built, *raw, *g;
    rg_load_opt sized = {.size = sizeof sized, .raw = true, .shape = shape};
    rg_load_opt as_built = {.size = sizeof as_built, .raw = true}, passed = {.size = sizeof passed};
    rg_export_opt random = {.size = sizeof random, .weights = "random", .seed = 1};
    assert_int_equal(rg_graph_load(f->cx, name, &sized, &built), RG_OK);
    rg_err err = rg_graph_export(f->cx, built, f->path, &random);
    if (!err) err = rg_graph_load(f->cx, f->path, &as_built, &raw);
    if (!err) err = rg_graph_load(f->cx, f->path, &passed, &g);
    if (err) fail_msg("%s: %s", name, rg_ctx_error(f->cx));
    compare(f, raw, g, 1e-4);
    rg_graph_free(g);
    rg_graph_free(raw);
    rg_graph_free(built);
}

static void a_perceptron(void **state) { compare_zoo(*state, "zoo:mlp", NULL); }
static void squeezed_channels(void **state) { compare_zoo(*state, "zoo:mobilenet_v3_small", NULL); }
static void shuffled_channels(void **state) { compare_zoo(*state, "zoo:shufflenet_v2_x0_5", NULL); }
static void a_transformer(void **state) { compare_zoo(*state, "zoo:distilbert", "seq=4"); }
static void squeezed_maps(void **state) { compare_zoo(*state, "zoo:squeezenet1_1", NULL); }
static void a_recurrent_network(void **state) { compare_zoo(*state, "zoo:gru-2x512", "seq=3"); }

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_perceptron), TEST(squeezed_channels), TEST(shuffled_channels),
        TEST(a_transformer), TEST(squeezed_maps), TEST(a_recurrent_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
