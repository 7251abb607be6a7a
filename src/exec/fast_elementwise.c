/* fast_elementwise.c - functions of one f32 tensor, element by element, in vectors. */
#include "exec/fast.h"
#include "exec/mathf.h"

#include <math.h>

enum { LINE_FLOATS = 16 };   /* of a cache line: no two workers write one */

typedef struct unary unary;
struct unary {
    void (*run)(const unary *u, int64_t from, int64_t to);
    const float *x;
    float *y;
    int64_t count;
    float a, b; /* attributes or bounds */
};

/*    id       ONNX name   attributes a and b, or NULL    y of x, a, b */
#define UNARY_OPS(X)                                                                                         \
    X(abs, "Abs", NULL, NULL, rg_absf(x))                                                                    \
    X(ceil, "Ceil", NULL, NULL, ceilf(x))                                                                    \
    X(celu, "Celu", "alpha", NULL, rg_pickf(x > 0, x, a * (rg_expf(x / a) - 1.0f)))                          \
    X(cos, "Cos", NULL, NULL, cosf(x))                                                                       \
    X(elu, "Elu", "alpha", NULL, rg_pickf(x > 0, x, a * (rg_expf(x) - 1.0f)))                                \
    X(erf, "Erf", NULL, NULL, rg_erff(x))                                                                    \
    X(exp, "Exp", NULL, NULL, rg_expf(x))                                                                    \
    X(floor, "Floor", NULL, NULL, floorf(x))                                                                 \
    X(hard_sigmoid, "HardSigmoid", "alpha", "beta", rg_betweenf(a * x + b, 0.0f, 1.0f))                      \
    X(hard_swish, "HardSwish", NULL, NULL, rg_hard_swishf(x))                                                \
    X(leaky_relu, "LeakyRelu", "alpha", NULL, rg_pickf(x < 0, a * x, x))                                     \
    X(log, "Log", NULL, NULL, rg_logf(x))                                                                    \
    X(mish, "Mish", NULL, NULL, rg_mishf(x))                                                                 \
    X(neg, "Neg", NULL, NULL, -x)                                                                            \
    X(reciprocal, "Reciprocal", NULL, NULL, 1.0f / x)                                                        \
    X(relu, "Relu", NULL, NULL, rg_pickf(x < 0, 0, x))                                                       \
    X(round, "Round", NULL, NULL, nearbyintf(x))                                                             \
    X(selu, "Selu", "alpha", "gamma", b * rg_pickf(x > 0, x, a * (rg_expf(x) - 1.0f)))                       \
    X(sigmoid, "Sigmoid", NULL, NULL, rg_sigmoidf(x))                                                        \
    X(sign, "Sign", NULL, NULL, rg_pickf(x != x, x, (float)((x > 0) - (x < 0))))                             \
    X(sin, "Sin", NULL, NULL, sinf(x))                                                                       \
    X(softplus, "Softplus", NULL, NULL, rg_softplusf(x))                                                     \
    X(softsign, "Softsign", NULL, NULL, x / (1.0f + rg_absf(x)))                                             \
    X(sqrt, "Sqrt", NULL, NULL, sqrtf(x))                                                                    \
    X(swish, "Swish", "alpha", NULL, rg_swishf(x, a))                                                        \
    X(tanh, "Tanh", NULL, NULL, rg_tanhf(x))                                                                 \
    X(thresholded_relu, "ThresholdedRelu", "alpha", NULL, rg_pickf((x > a) | (x != x), x, 0))

/* What a table row cannot say: which of them a node means is in its inputs or a text. */
#define SPECIAL_OPS(X)                          \
    X(clip, , , , rg_betweenf(x, a, b))              \
    X(cube, , , , x * x * x)                     \
    X(gelu_erf, , , , rg_geluf(x))            \
    X(gelu_tanh, , , , rg_gelu_tanhf(x))          \
    X(power, , , , powf(x, a))                    \
    X(square, , , , x * x)

#define X(id, onnx, first, second, formula)                         \
    RG_INLINE void id##_loop(const unary *u, int64_t from, int64_t to) \
    {                                                               \
        const float *in = u->x, a = u->a, b = u->b;                 \
        float *out = u->y;                                          \
        (void)a, (void)b;                                           \
        RG_INDEPENDENT                                              \
        for (int64_t i = from; i < to; i++) {                       \
            float x = in[i];                                        \
            out[i] = formula;                                       \
        }                                                           \
    }                                                               \
    RG_FOR_MACHINE(id##_loop, unary)
UNARY_OPS(X)
SPECIAL_OPS(X)
#undef X

typedef struct unary_row {
    const char *name, *a, *b;
    void (*run)(const unary *u, int64_t from, int64_t to);
} unary_row;

static const unary_row unary_rows[] = {
#define X(id, onnx, first, second, formula) {onnx, first, second, id##_loop_best},
    UNARY_OPS(X)
#undef X
};

/* A bound of Clip. */
static bool reads_bound(const rg_fast_row *r, uint32_t i, float preset, float *out)
{
    const rg_node *n = r->site.node;
    *out = preset;
    if (i >= n->in_count || !n->in[i]) return true;
    if (!rg_fast_is_constant(r, n->in[i]) || !rg_fast_is_f32(r, n->in[i])) return false;
    *out = (float)rg_get(rg_fast_array(r, n->in[i]), 0);
    return true;
}

/* A power that is the same for all elements. */
static bool reads_power(const rg_fast_row *r, double *out)
{
    const rg_node *n = r->site.node;
    if (!rg_fast_is_constant(r, n->in[1]) || rg_fast_array(r, n->in[1])->count != 1) return false;
    if (rg_fast_array(r, n->in[1])->rank > rg_fast_array(r, n->in[0])->rank) return false;
    *out = rg_get(rg_fast_array(r, n->in[1]), 0);
    return true;
}

static bool choose_unary(const rg_fast_row *r, unary *u)
{
    const rg_node *n = r->site.node;
    double power;
    for (size_t i = 0; i < sizeof unary_rows / sizeof *unary_rows; i++) {
        const unary_row *row = &unary_rows[i];
        if (!rg_node_is(n, row->name)) continue;
        u->run = row->run;
        if (row->a) u->a = (float)rg_op_real(&r->site, row->a);
        if (row->b) u->b = (float)rg_op_real(&r->site, row->b);
        return true;
    }
    if (rg_node_is(n, "Gelu")) {
        u->run = rg_str_is(rg_op_str(&r->site, "approximate"), "tanh") ? gelu_tanh_loop_best
                                                                        : gelu_erf_loop_best;
        return true;
    }
    if (rg_node_is(n, "Clip")) {
        u->run = clip_loop_best;
        return reads_bound(r, 1, -INFINITY, &u->a) && reads_bound(r, 2, INFINITY, &u->b);
    }
    if (!rg_node_is(n, "Pow") || !reads_power(r, &power)) return false;
    u->a = (float)power;
    u->run = power == 2 ? square_loop_best : power == 3 ? cube_loop_best : power == 0.5 ? sqrt_loop_best
                                                                                          : power_loop_best;
    return true;
}

static void run_unary(void *state, rg_part part)
{
    const unary *u = state;
    int64_t from, to;
    rg_part_of(part, u->count, LINE_FLOATS, &from, &to);
    u->run(u, from, to);
}

static bool fits_unary(const rg_fast_row *r, unary *u)
{
    const rg_node *n = r->site.node;
    return n->in_count >= 1 && n->out_count == 1 && rg_fast_is_f32(r, n->in[0]) &&
           rg_fast_is_f32(r, n->out[0]) && choose_unary(r, u);
}

static rg_layout_rule layout_unary(const rg_fast_row *r)
{
    unary u = {0};
    return fits_unary(r, &u) ? RG_LAYOUT_SAME : RG_LAYOUT_PLAIN;
}

static rg_err make_unary(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    unary u = {0};
    *state = NULL;
    if (!fits_unary(r, &u)) return RG_OK;
    unary *made = RG_NEW(r->arena, unary, 1);
    if (!made) return rg_nomem(r->cx);
    u.x = rg_fast_array(r, n->in[0])->data;
    u.y = rg_fast_array(r, n->out[0])->data;
    u.count = rg_fast_array(r, n->out[0])->count;
    *made = u;
    *state = made;
    return RG_OK;
}

RG_FAST(unary) = {
    .name = "unary",
    .brief = "activations and other functions of one tensor",
    .layout = layout_unary,
    .make = make_unary,
    .run = run_unary,
};
