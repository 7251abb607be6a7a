/* test_fast_half.c - 16-bit floats: every f16 and bf16 to f32 and back, halves between two of them to the
 * even one, both against the library's own element access; products of them are within a last place of the
 * plain ones.
 */
#include "case_graph.h"
#include "exec/exec.h"
#include "exec/gemm_bf16.h"
#include "hw/hw.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { CODES = 1 << 16 };

static void there_and_back(void **state)
{
    static uint16_t codes[CODES], back[CODES];
    static float wide[CODES];
    (void)state;
    for (int i = 0; i < CODES; i++) codes[i] = (uint16_t)i;
    for (int half = 0; half < 2; half++) {
        rg_dtype dtype = half ? RG_F16 : RG_BF16;
        rg_widen(half, codes, wide, CODES);
        rg_narrow(half, wide, back, CODES);
        for (int i = 0; i < CODES; i++) {
            double x = rg_dtype_get_real(dtype, codes, i);
            if (isnan(x)) assert_true(isnan(wide[i]) && isnan(rg_dtype_get_real(dtype, back, i)));
            else if (wide[i] != x || back[i] != codes[i])
                fail_msg("%#x: %g, not %g, and %#x", i, wide[i], x, back[i]);
        }
    }
}

/* What lies between two of them, in the middle, a little beside it, and beyond both ends. */
static void rounding(void **state)
{
    static const double shifts[] = {0.25, 0.5, 0.499, 0.501, 0.75};
    uint16_t have, wanted;
    (void)state;
    for (int half = 0; half < 2; half++) {
        rg_dtype dtype = half ? RG_F16 : RG_BF16;
        for (int i = 0; i < CODES - 1; i++) {
            uint16_t codes[2] = {(uint16_t)i, (uint16_t)(i + 1)};
            double a = rg_dtype_get_real(dtype, codes, 0), b = rg_dtype_get_real(dtype, codes, 1);
            for (size_t k = 0; k < sizeof shifts / sizeof *shifts && isfinite(a) && !isnan(b); k++) {
                double end =
                    isfinite(b) ? b : 2 * a - rg_dtype_get_real(dtype, &(uint16_t){(uint16_t)(i - 1)}, 0);
                float x = (float)(a + shifts[k] * (end - a));
                rg_narrow(half, &x, &have, 1);
                rg_dtype_set_real(dtype, &wanted, 0, x);
                if (have != wanted) fail_msg("%.9g: %#x, not %#x", x, have, wanted);
            }
        }
    }
}

static rg_planned *run(rg_ctx *cx, const rg_plan *plan, const rg_graph *g, const rg_planned_opt *opt)
{
    rg_planned *planned;
    assert_int_equal(rg_planned_new(cx, plan, opt, &planned), RG_OK);
    for (uint32_t i = 0; i < g->regions[RG_MAIN].input_count; i++) {
        const rg_array *a = rg_planned_input(planned, i);
        uint64_t seed = i + 1;
        for (int64_t k = 0; k < a->count; k++) rg_put(a, k, 2 * rg_random_unit(&seed) - 1);
    }
    assert_int_equal(rg_planned_run(cx, planned), RG_OK);
    return planned;
}

typedef struct product { const char *op, *type, *attrs; int64_t m, n, k; bool bias; } product;

/* [a,b]= and a * b elements. */
static size_t put_constant(char *to, size_t size, const char *type, int64_t a, int64_t b)
{
    size_t at = (size_t)snprintf(to, size, a ? " %s[%lld,%lld]=" : " %s[%.0lld%lld]=", type, (long long)a,
                                 (long long)b);
    uint64_t seed = 9;
    for (int64_t i = 0; i < (a ? a : 1) * b; i++) {
        at += (size_t)snprintf(to + at, size - at, "%s%.3f", i ? "," : "", rg_random_unit(&seed) - 0.5);
        assert_true(at < size);
    }
    return at;
}

static void check(rg_ctx *cx, const rg_device *device, const rg_runtime *runtime, const product *p)
{
    static char text[1 << 20];
    rg_graph *g = NULL;
    const rg_plan *plan;
    bool swapped = strstr(p->attrs, "transB") != NULL;
    size_t at =
        (size_t)snprintf(text, sizeof text, "%s[%lld,%lld]", p->type, (long long)p->m, (long long)p->k);
    at += put_constant(text + at, sizeof text - at, p->type, swapped ? p->n : p->k, swapped ? p->k : p->n);
    if (p->bias) put_constant(text + at, sizeof text - at, p->type, 0, p->n);
    const rg_op *op = rg_op_find(rg_str_of(""), rg_str_of(p->op));
    assert_int_equal(case_graph(cx, op, &(rg_case){text, p->attrs, "f32[1]"}, &g), RG_OK);
    if (case_infer(cx, g)) fail_msg("%s: %s", p->op, rg_ctx_error(cx));
    assert_int_equal(rg_plan_make(cx, g, device, runtime, NULL, &plan), RG_OK);
    rg_planned *plain = run(cx, plan, g, &(rg_planned_opt){.plain = true});
    double step = strcmp(p->type, "f16") == 0 ? 0x1p-10 : 0x1p-7; /* last place of 1 */
    for (int threads = 1; threads <= 3; threads++) {
        rg_planned *fast = run(cx, plan, g, &(rg_planned_opt){.threads = threads});
        const rg_array *wanted = rg_planned_output(plain, 0), *have = rg_planned_output(fast, 0);
        for (int64_t i = 0; i < wanted->count; i++) {
            double x = rg_get(have, i), y = rg_get(wanted, i);
            if (!(fabs(x - y) <= step * fmax(fabs(y), 0x1p-6)))
                fail_msg("%s %s: [%lld] is %.9g, not %.9g", p->op, p->type, (long long)i, x, y);
        }
        rg_planned_free(fast);
    }
    rg_planned_free(plain);
    rg_plan_free(plan);
    rg_graph_free(g);
}

static void products(void **state)
{
    static const product cases[] = {
        {"MatMul", "f16", "", 1, 100, 70, false},   {"MatMul", "bf16", "", 7, 33, 129, false},
        {"MatMul", "bf16", "", 50, 300, 200, false}, {"Gemm", "f16", "transB=1", 13, 37, 20, true},
        {"Gemm", "bf16", "beta=0.5", 3, 16, 20, true},
    };
    rg_ctx *cx = rg_ctx_new(NULL);
    const rg_device *device;
    const rg_runtime *runtime;
    (void)state;
    assert_int_equal(rg_device_find(cx, "epyc-9654", &device), RG_OK);
    assert_int_equal(rg_runtime_find(cx, "native", device, &runtime), RG_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check(cx, device, runtime, &cases[i]);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_ctx_free(cx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back), cmocka_unit_test(rounding), cmocka_unit_test(products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
