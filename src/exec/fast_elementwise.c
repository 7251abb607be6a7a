/* fast_elementwise.c - functions of one or two f32 tensors, element by element, in vectors.
 *
 * Operands that are broadcast: neighboring axes along which both behave alike count as one, so that what is
 * left is runs of elements in which each operand advances by one or stays.
 *
 *     [2,3,4,5] + [3,1,1]   is   [2,3,20] + [.,3,.]       six runs of twenty, the right side standing
 */
#include "exec/fast.h"
#include "exec/mathf.h"

#include <math.h>
#include <string.h>

enum { LINE_FLOATS = 16 };   /* of a cache line: no two workers write one */

/* ---- of one tensor ---- */

typedef struct unary unary;
struct unary {
    void (*run)(const unary *u, int64_t from, int64_t to);
    const float *x;
    float *y;
    int64_t count;
    float a, b; /* attributes or bounds */
};

/*    id       ONNX name   attributes a and b, or NULL    y of x, a, b */
#define UNARY_OPS(X)                                                                        \
    X(abs, "Abs", NULL, NULL, rg_absf(x))                                                    \
    X(erf, "Erf", NULL, NULL, rg_erff(x))                                                    \
    X(exp, "Exp", NULL, NULL, rg_expf(x))                                                    \
    X(hard_sigmoid, "HardSigmoid", "alpha", "beta", rg_betweenf(a * x + b, 0.0f, 1.0f))          \
    X(hard_swish, "HardSwish", NULL, NULL, rg_hard_swishf(x))                                    \
    X(leaky_relu, "LeakyRelu", "alpha", NULL, rg_pickf(x < 0, a * x, x))                             \
    X(neg, "Neg", NULL, NULL, -x)                                                            \
    X(reciprocal, "Reciprocal", NULL, NULL, 1.0f / x)                                        \
    X(relu, "Relu", NULL, NULL, rg_pickf(x < 0, 0, x))                                               \
    X(sigmoid, "Sigmoid", NULL, NULL, rg_sigmoidf(x))                                        \
    X(sqrt, "Sqrt", NULL, NULL, sqrtf(x))                                                    \
    X(swish, "Swish", "alpha", NULL, x * rg_sigmoidf(a * x))                                 \
    X(tanh, "Tanh", NULL, NULL, rg_tanhf(x))

/* What a table row cannot say: which of them a node means is in its inputs or a text. */
#define SPECIAL_OPS(X)                          \
    X(clip, , , , rg_betweenf(x, a, b))              \
    X(cube, , , , x * x * x)                     \
    X(gelu_erf, , , , rg_geluf(x))            \
    X(gelu_tanh, , , , rg_gelu_tanhf(x))          \
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

/* A power that is a product, the same for all elements. */
static bool reads_power(const rg_fast_row *r, double *out)
{
    const rg_node *n = r->site.node;
    if (!rg_fast_is_constant(r, n->in[1]) || rg_fast_array(r, n->in[1])->count != 1) return false;
    if (rg_fast_array(r, n->in[1])->rank > rg_fast_array(r, n->in[0])->rank) return false;
    *out = rg_get(rg_fast_array(r, n->in[1]), 0);
    return *out == 2 || *out == 3 || *out == 0.5;
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
    u->run = power == 2 ? square_loop_best : power == 3 ? cube_loop_best : sqrt_loop_best;
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

/* ---- of two tensors ---- */

typedef struct binary binary;
struct binary {
    void (*run)(const binary *s, int64_t from, int64_t to);
    const float *a, *b;
    float *y;
    int64_t count, run_count;                                  /* elements, and those of a run */
    int rank; int64_t dim[RG_RANK_MAX];                        /* of the runs */
    int64_t a_step[RG_RANK_MAX], b_step[RG_RANK_MAX];          /* from run to run */
    bool a_moves, b_moves;                                     /* within a run */
};

/*    id   ONNX name   y of a and b */
#define BINARY_OPS(X)                         \
    X(add, "Add", a + b)                       \
    X(div, "Div", a / b)                       \
    X(mul, "Mul", a * b)                       \
    X(sub, "Sub", a - b)

/* A run, or what of it lies in from..to-1. */
RG_INLINE void place_run(const binary *s, int64_t run, const float **a, const float **b)
{
    *a = s->a;
    *b = s->b;
    for (int k = s->rank - 1; k >= 0; k--) {
        int64_t index = run % s->dim[k];
        run /= s->dim[k];
        *a += index * s->a_step[k];
        *b += index * s->b_step[k];
    }
}

#define LINE(formula_a, formula_b, formula)                        \
    RG_INDEPENDENT                                                 \
    for (int64_t i = 0; i < count; i++) {                          \
        float a = formula_a, b = formula_b;                        \
        y[i] = formula;                                            \
    }

#define X(id, onnx, formula)                                                                       \
    RG_INLINE void id##_loop(const binary *s, int64_t from, int64_t to)                            \
    {                                                                                              \
        for (int64_t at = from, count; at < to; at += count) {                                     \
            const float *pa, *pb;                                                                  \
            float *y = s->y + at;                                                                  \
            int64_t in_run = at % s->run_count;                                                    \
            count = s->run_count - in_run < to - at ? s->run_count - in_run : to - at;             \
            place_run(s, at / s->run_count, &pa, &pb);                                             \
            pa += s->a_moves ? in_run : 0;                                                         \
            pb += s->b_moves ? in_run : 0;                                                         \
            float one_a = *pa, one_b = *pb; /* where it stands */                                  \
            if (s->a_moves && s->b_moves) LINE(pa[i], pb[i], formula)                              \
            else if (s->a_moves) LINE(pa[i], one_b, formula)                                       \
            else LINE(one_a, pb[i], formula)                                                       \
        }                                                                                          \
    }                                                                                              \
    RG_FOR_MACHINE(id##_loop, binary)
BINARY_OPS(X)
#undef X

typedef struct binary_row {
    const char *name;
    void (*run)(const binary *s, int64_t from, int64_t to);
} binary_row;

static const binary_row binary_rows[] = {
#define X(id, onnx, formula) {onnx, id##_loop_best},
    BINARY_OPS(X)
#undef X
};

/* Axes from the last one: one that goes on as the axis behind it would is counted with it. */
static void merge_axes(binary *s, const rg_array *a, const rg_array *b, const rg_array *y)
{
    int64_t a_own[RG_RANK_MAX], b_own[RG_RANK_MAX], dim[RG_RANK_MAX], a_step[RG_RANK_MAX],
        b_step[RG_RANK_MAX];
    int count = 0;
    rg_broadcast_strides(a, y->rank, y->dim, a_own);
    rg_broadcast_strides(b, y->rank, y->dim, b_own);
    for (int k = y->rank - 1; k >= 0; k--) {
        if (y->dim[k] == 1) continue;
        int64_t behind = count ? dim[count - 1] : 0;
        if (count && a_own[k] == a_step[count - 1] * behind && b_own[k] == b_step[count - 1] * behind) {
            dim[count - 1] *= y->dim[k];
            continue;
        }
        dim[count] = y->dim[k];
        a_step[count] = a_own[k];
        b_step[count++] = b_own[k];
    }
    s->run_count = count ? dim[0] : 1;
    s->a_moves = !count || a_step[0];
    s->b_moves = !count || b_step[0];
    s->rank = count ? count - 1 : 0;
    for (int k = 0; k < s->rank; k++) {
        s->dim[k] = dim[count - 1 - k];
        s->a_step[k] = a_step[count - 1 - k];
        s->b_step[k] = b_step[count - 1 - k];
    }
}

static void run_binary(void *state, rg_part part)
{
    const binary *s = state;
    int64_t from, to;
    rg_part_of(part, s->count, LINE_FLOATS, &from, &to);
    s->run(s, from, to);
}

static const binary_row *fits_binary(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    const binary_row *row = NULL;
    for (size_t i = 0; i < sizeof binary_rows / sizeof *binary_rows; i++)
        if (rg_node_is(n, binary_rows[i].name)) row = &binary_rows[i];
    return row && rg_fast_is_f32(r, n->in[0]) && rg_fast_is_f32(r, n->in[1]) ? row : NULL;
}

/* Operands of the result's size are walked along it, wherever its elements lie. */
static rg_layout_rule layout_binary(const rg_fast_row *r)
{
    const rg_node *n = r->site.node;
    if (!fits_binary(r)) return RG_LAYOUT_PLAIN;
    int64_t count = rg_fast_array(r, n->out[0])->count;
    for (int i = 0; i < 2; i++) {
        const rg_array *a = rg_fast_array(r, n->in[i]);
        if (a->count != 1 && a->count != count) return RG_LAYOUT_PLAIN;
    }
    return RG_LAYOUT_SAME;
}

static rg_err make_binary(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    const binary_row *row = fits_binary(r);
    *state = NULL;
    if (!row) return RG_OK;
    const rg_array *a = rg_fast_array(r, n->in[0]), *b = rg_fast_array(r, n->in[1]),
                   *y = rg_fast_array(r, n->out[0]);
    binary *s = RG_NEW(r->arena, binary, 1);
    if (!s) return rg_nomem(r->cx);
    *s = (binary){.run = row->run, .a = a->data, .b = b->data, .y = y->data, .count = y->count};
    if (y->count) merge_axes(s, a, b, y);
    *state = s;
    return RG_OK;
}

RG_FAST(binary) = {
    .name = "binary",
    .brief = "sums, products and quotients of two tensors",
    .layout = layout_binary,
    .make = make_binary,
    .run = run_binary,
};
