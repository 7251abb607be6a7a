/* fast_case.h - a graph's plan run with plain kernels, and with fast ones on one, two and three workers: the
 * former is what the latter must give, to the last bit the same for any number of workers.
 */
#ifndef FAST_CASE_H
#define FAST_CASE_H

#include "case_graph.h"
#include "exec/exec.h"
#include "hw/hw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct fixture { rg_ctx *cx; const rg_device *device; const rg_runtime *runtime; } fixture;

static inline int fixture_setup(void **state)
{
    static fixture f;
    f = (fixture){.cx = rg_ctx_new(NULL)};
    *state = &f;
    if (!f.cx || rg_device_find(f.cx, "epyc-9654", &f.device)) return -1;
    return rg_runtime_find(f.cx, "native", f.device, &f.runtime) ? -1 : 0;
}

static inline int fixture_teardown(void **state)
{
    fixture *f = *state;
    rg_runtime_free(f->runtime);
    rg_device_free(f->device);
    rg_ctx_free(f->cx);
    return 0;
}

static inline void fast_fill(const rg_array *a, uint64_t seed)
{
    for (int64_t i = 0; i < a->count; i++) {
        double x = rg_random_unit(&seed);
        if (rg_dtype_is_float(a->dtype)) rg_put(a, i, 6 * x - 3);
        else rg_put_int(a, i, a->dtype == RG_BOOL ? x < 0.6 : (int64_t)(4 * x));
    }
}

static inline rg_planned *fast_run(fixture *f, const rg_plan *plan, const rg_planned_opt *opt)
{
    rg_planned *planned;
    const rg_region *model = &plan->graph->regions[RG_MAIN];
    rg_err err = rg_planned_new(f->cx, plan, opt, &planned);
    if (err) fail_msg("%s", rg_ctx_error(f->cx));
    for (int round = 0; round < 2; round++) { /* what the first one leaves may not matter */
        for (uint32_t i = 0; i < model->input_count; i++) fast_fill(rg_planned_input(planned, i), i + 1);
        assert_int_equal(rg_planned_run(f->cx, planned), RG_OK);
    }
    return planned;
}

/* Takes the graph over. */
static inline void fast_check(fixture *f, rg_graph *g, const char *what)
{
    const rg_plan *plan;
    rg_planned *fast[3];
    if (case_infer(f->cx, g)) fail_msg("%s: %s", what, rg_ctx_error(f->cx));
    assert_int_equal(rg_plan_make(f->cx, g, f->device, f->runtime, NULL, &plan), RG_OK);
    rg_planned *plain = fast_run(f, plan, &(rg_planned_opt){.plain = true});
    for (int i = 0; i < 3; i++) fast[i] = fast_run(f, plan, &(rg_planned_opt){.threads = i + 1});
    for (uint32_t k = 0; k < g->regions[RG_MAIN].output_count; k++) {
        const rg_array *wanted = rg_planned_output(plain, k), *have = rg_planned_output(fast[0], k);
        assert_int_equal(wanted->count, have->count);
        for (int64_t i = 0; i < wanted->count; i++) {
            double x = rg_get(have, i), y = rg_get(wanted, i);
            bool same = fabs(x - y) <= 4e-6 * fmax(1, fabs(y)) || (isnan(x) && isnan(y)) || x == y;
            if (!same) fail_msg("%s: output %u [%lld] is %.9g, not %.9g", what, k, (long long)i, x, y);
        }
        size_t size = (size_t)rg_dtype_bytes(have->dtype, (double)have->count);
        for (int i = 1; i < 3; i++)
            assert_memory_equal(have->data, rg_planned_output(fast[i], k)->data, size);
    }
    for (int i = 0; i < 3; i++) rg_planned_free(fast[i]);
    rg_planned_free(plain);
    rg_plan_free(plan);
    rg_graph_free(g);
}

/* One operator. */
typedef struct fast_case { const char *op, *inputs, *attrs, *outputs; } fast_case;

static inline void fast_check_case(fixture *f, const fast_case *c)
{
    rg_graph *g = NULL;
    const rg_op *op = rg_op_find(rg_str_of(""), rg_str_of(c->op));
    assert_non_null(op);
    rg_err err = case_graph(f->cx, op, &(rg_case){c->inputs, c->attrs, c->outputs}, &g);
    if (err) fail_msg("%s(%s): %s", c->op, c->inputs, rg_ctx_error(f->cx));
    fast_check(f, g, c->op);
}

#define FAST_CHECK_ALL(state, cases) \
    for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++) fast_check_case(*(state), &(cases)[i])

#endif
