/* test_random_graphs.c - random graphs give the same in every way to run them: node by node, after the
 * passes, as planned with plain kernels and with fast ones, and in ONNX Runtime where RIDGE_ONNXRUNTIME says
 * where that is.
 *
 *     RIDGE_GRAPHS=10000       seeds 1 ... 10000 (preset GRAPHS)
 *     RIDGE_GRAPH_SEED=77      that seed alone; with RIDGE_GRAPHS, so many from it on
 *
 * What fails is made smaller by leaving out layers for as long as it still fails, and printed as text.
 */
#include "exec/exec.h"
#include "hw/hw.h"
#include "measure/backend.h"
#include "measure/feed.h"
#include "pass/pass.h"
#include "random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    GRAPHS = 300,
    SHOWN_MAX = 5,
    INPUT_MAX = 64,
    REFUSED_FREE = 5,
    REFUSED_SHARE = 20, /* graphs with what ONNX Runtime lacks: so many, and one in so many */
};

/* Runners add in another order, use other polynomials for exp and its relatives, and fold constants into
 * weights. A sum of k terms has an error of about sqrt(k) units in the last place, 6e-8 of what it sums;
 * twelve layers of some hundred terms each, none of which amplifies more than tenfold, stay below 1e-5 of the
 * result as a whole. Single elements, which may be what is left of a difference, are held to 1e-4 of the
 * largest. Results are of about 1: below SCALE_MIN they are what such terms leave when they cancel. */
#define WHOLE_MAX  1e-5
#define ELEMENT_MAX 1e-4
#define SCALE_MIN  0.1

typedef struct fixture {
    rg_ctx *cx;
    const rg_device *device;
    const rg_runtime *runtime;
    const rg_backend *peer;      /* NULL: not there */
    char path[64];
    int refused;                 /* by the peer */
} fixture;

/* One graph, and what the naive runner makes of it. */
typedef struct trial {
    rg_ctx *cx;
    const fixture *f;
    const rg_graph *g, *passed;
    const double *step;
    const rg_datum *in[INPUT_MAX], *wanted[RANDOM_OUT_MAX];
    bool refused;
} trial;

static uint32_t input_count(const rg_graph *g) { return g->regions[RG_MAIN].input_count; }
static uint32_t output_count(const rg_graph *g) { return g->regions[RG_MAIN].output_count; }

/* ---- comparing ---- */

/* Fails with the first element, or the whole, that is too far away. */
static rg_err compare_elements(rg_ctx *cx, uint32_t i, const rg_array *have, const rg_array *wanted,
                               double step)
{
    double far = 0, all = 0, most = SCALE_MIN;
    bool is_float = rg_dtype_is_float(wanted->dtype);
    for (int64_t k = 0; k < wanted->count; k++) {
        double y = rg_get(wanted, k);
        if (isfinite(y)) most = fmax(most, fabs(y));
    }
    for (int64_t k = 0; k < wanted->count; k++) {
        double x = rg_get(have, k), y = rg_get(wanted, k), d = fabs(x - y);
        if (x == y || (isnan(x) && isnan(y))) continue;
        if (!(d <= 1.001 * step + (is_float ? ELEMENT_MAX * most : 0)))
            return rg_fail(cx, RG_FAILED, "output %u: element %lld is %.9g, not %.9g (the largest is %g)", i,
                           (long long)k, x, y, most);
        if (d > step) far += (d - step) * (d - step);
    }
    for (int64_t k = 0; k < wanted->count; k++) all += rg_get(wanted, k) * rg_get(wanted, k);
    all = fmax(all, SCALE_MIN * SCALE_MIN * (double)wanted->count);
    if (far <= WHOLE_MAX * WHOLE_MAX * all || !isfinite(all)) return RG_OK;
    return rg_fail(cx, RG_FAILED, "output %u is %g apart as a whole", i, sqrt(far / all));
}

static rg_err compare(const trial *t, uint32_t i, const rg_array *have)
{
    const rg_array *wanted = &t->wanted[i]->array;
    if (have->dtype != wanted->dtype || have->rank != wanted->rank)
        return rg_fail(t->cx, RG_FAILED, "output %u is %s of rank %d, not %s of rank %d", i,
                       rg_dtype_name(have->dtype), have->rank, rg_dtype_name(wanted->dtype), wanted->rank);
    for (int k = 0; k < have->rank; k++)
        if (have->dim[k] != wanted->dim[k])
            return rg_fail(t->cx, RG_FAILED, "output %u has size %lld at axis %d, not %lld", i,
                           (long long)have->dim[k], k, (long long)wanted->dim[k]);
    return compare_elements(t->cx, i, have, wanted, t->step[i]);
}

/* ---- running ---- */

static const rg_datum *input_of(const trial *t, const rg_graph *g, uint32_t i)
{
    return t->in[rg_feeds_find(t->g, g->values[g->regions[RG_MAIN].inputs[i]].name)];
}

static rg_err make_inputs(trial *t, uint64_t seed)
{
    const rg_region *model = &t->g->regions[RG_MAIN];
    if (model->input_count > INPUT_MAX)
        return rg_fail(t->cx, RG_LIMIT, "%u inputs, more than %d", model->input_count, INPUT_MAX);
    for (uint32_t i = 0; i < model->input_count; i++) {
        const rg_type *type = &t->g->values[model->inputs[i]].type;
        rg_datum *datum;
        RG_TRY(rg_datum_tensor(t->cx, type->dtype, type->rank, type->dim, &datum));
        random_fill(&datum->array, rg_hash_u64(seed, i));
        t->in[i] = datum;
    }
    return RG_OK;
}

static rg_err run_naive(trial *t, const rg_graph *g, const rg_datum **out)
{
    const rg_datum *in[INPUT_MAX];
    rg_naive *naive;
    for (uint32_t i = 0; i < input_count(g); i++) in[i] = input_of(t, g, i);
    RG_TRY(rg_naive_new(t->cx, g, &(rg_naive_opt){.poison = true}, &naive));
    rg_err err = rg_naive_run(t->cx, naive, in, out);
    rg_naive_free(naive);
    return err;
}

static rg_err try_passes(trial *t)
{
    const rg_datum *out[RANDOM_OUT_MAX] = {NULL};
    rg_err err = run_naive(t, t->passed, out);
    for (uint32_t i = 0; i < output_count(t->g) && !err; i++) err = compare(t, i, &out[i]->array);
    for (uint32_t i = 0; i < output_count(t->g); i++) rg_datum_free(out[i]);
    return err;
}

/* Twice: what a run leaves in the block must not matter to the next. */
static rg_err run_planned(trial *t, rg_planned *planned)
{
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < input_count(t->passed); i++) {
            const rg_array *from = &input_of(t, t->passed, i)->array;
            rg_copy_run(rg_planned_input(planned, i), 0, from, 0, from->count);
        }
        RG_TRY(rg_planned_run(t->cx, planned));
        for (uint32_t i = 0; i < output_count(t->g); i++)
            RG_TRY(compare(t, i, rg_planned_output(planned, i)));
    }
    return RG_OK;
}

static rg_err try_planned(trial *t, const rg_planned_opt *opt)
{
    const rg_plan *plan;
    rg_planned *planned = NULL;
    RG_TRY(rg_plan_make(t->cx, t->passed, t->f->device, t->f->runtime, NULL, &plan));
    rg_err err = rg_planned_new(t->cx, plan, opt, &planned);
    if (!err) err = run_planned(t, planned);
    rg_planned_free(planned);
    rg_plan_free(plan);
    return err;
}

static rg_err try_plain(trial *t) { return try_planned(t, &(rg_planned_opt){.plain = true}); }
static rg_err try_fast(trial *t) { return try_planned(t, &(rg_planned_opt){.threads = 1}); }
static rg_err try_two(trial *t) { return try_planned(t, &(rg_planned_opt){.threads = 2}); }
static rg_err try_three(trial *t) { return try_planned(t, &(rg_planned_opt){.threads = 3}); }

/* What the peer refuses to load is nobody's mistake. */
static rg_err try_peer(trial *t)
{
    const rg_backend *peer = t->f->peer;
    const rg_job job = {.path = t->f->path, .g = t->g, .in = t->in, .threads = 1,
                        .library = getenv("RIDGE_ONNXRUNTIME")};
    const char *version;
    void *state = NULL;
    rg_datum *out;
    if (!peer) return RG_OK;
    RG_TRY(rg_graph_export(t->cx, t->g, t->f->path, NULL));
    if (peer->open(t->cx, &job, &state, &version)) {
        t->refused = true;
        return RG_OK;
    }
    rg_err err = peer->run(t->cx, state);
    for (uint32_t i = 0; i < output_count(t->g) && !err; i++) {
        err = peer->output(t->cx, state, i, &out);
        if (err) break;
        err = compare(t, i, &out->array);
        rg_datum_free(out);
    }
    peer->close(state);
    return err;
}

static const struct { const char *name; rg_err (*run)(trial *t); } runners[] = {
    {"after the passes", try_passes},
    {"planned, plain kernels", try_plain},
    {"planned, fast kernels", try_fast},
    {"planned, two threads", try_two},
    {"planned, three threads", try_three},
    {"ONNX Runtime", try_peer},
};

/* ---- one graph ---- */

static rg_err prepare(trial *t, random_graph *r)
{
    RG_TRY(random_graph_make(t->cx, r));
    t->g = r->g;
    t->step = r->step;
    RG_TRY(make_inputs(t, r->seed));
    RG_TRY(run_naive(t, t->g, t->wanted));
    rg_graph *passed;
    RG_TRY(rg_passes_run(t->cx, t->g, NULL, &passed));
    t->passed = passed;
    return RG_OK;
}

/* The runner that disagrees; NULL: none. "generator": there is no graph. With what it says, and the graph. */
static const char *disagreeing(fixture *f, random_graph *r, FILE *say)
{
    trial *t = calloc(1, sizeof *t);
    const char *who = "generator";
    assert_non_null(t);
    *t = (trial){.cx = rg_ctx_new(NULL), .f = f};
    assert_non_null(t->cx);
    rg_err err = prepare(t, r);
    for (size_t i = 0; i < RG_COUNT(runners) && !err; i++) {
        who = runners[i].name;
        err = runners[i].run(t);
    }
    if (err && say) {
        fprintf(say, "seed %llu without layers %#x, %s: %s\n", (unsigned long long)r->seed, r->skip, who,
                rg_ctx_error(t->cx));
        if (t->g && rg_graph_print(t->cx, t->g, say)) fprintf(say, "(no text)\n");
    }
    if (t->refused && getenv("RIDGE_GRAPH_SEED")) fprintf(stderr, "refused: %s\n", rg_ctx_error(t->cx));
    f->refused += t->refused;
    for (uint32_t i = 0; i < INPUT_MAX; i++) rg_datum_free(t->in[i]);
    for (uint32_t i = 0; i < RANDOM_OUT_MAX; i++) rg_datum_free(t->wanted[i]);
    rg_graph_free(t->passed);
    rg_graph_free(t->g);
    rg_ctx_free(t->cx);
    free(t);
    return err ? who : NULL;
}

/* Leaves out every layer without which the same runner still disagrees. */
static void shrink(fixture *f, random_graph *r, const char *who)
{
    for (int i = r->layers - 1; i >= 0; i--) {
        random_graph less = {.seed = r->seed, .skip = r->skip | 1u << i};
        const char *now = disagreeing(f, &less, NULL);
        if (now && !strcmp(now, who)) r->skip = less.skip;
    }
}

static void all_agree(void **state)
{
    fixture *f = *state;
    const char *one = getenv("RIDGE_GRAPH_SEED"), *many = getenv("RIDGE_GRAPHS");
    int64_t first = 1, count = one ? 1 : GRAPHS;
    int wrong = 0;
    if (many && !rg_str_int(rg_str_of(many), &count)) fail_msg("RIDGE_GRAPHS=%s is no number", many);
    if (one && !rg_str_int(rg_str_of(one), &first)) fail_msg("RIDGE_GRAPH_SEED=%s is no number", one);
    for (int64_t seed = first; seed < first + count; seed++) {
        random_graph r = {.seed = (uint64_t)seed};
        const char *who = disagreeing(f, &r, NULL);
        if (!who || ++wrong > SHOWN_MAX) continue;
        int refused = f->refused;
        shrink(f, &r, who);
        disagreeing(f, &r, stderr);
        f->refused = refused;
    }
    if (f->peer) print_message("ONNX Runtime refused %d graphs\n", f->refused);
    if (wrong) fail_msg("%d of %lld graphs", wrong, (long long)count);
    if (f->refused > REFUSED_FREE + count / REFUSED_SHARE)
        fail_msg("%d of %lld graphs refused", f->refused, (long long)count);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    *state = f;
    if (!f) return -1;
    f->cx = rg_ctx_new(NULL);
    snprintf(f->path, sizeof f->path, "/tmp/ridge-random-%ld.onnx", (long)getpid());
    for (int i = 0; i < rg_backend_count && getenv("RIDGE_ONNXRUNTIME"); i++)
        if (!strcmp(rg_backend_table[i]->name, "onnxruntime")) f->peer = rg_backend_table[i];
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(all_agree, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
