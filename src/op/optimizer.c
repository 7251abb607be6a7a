/* optimizer.c - steps of training: Adagrad, Adam, Momentum.
 *
 * Inputs are the learning rate, the step number, then k tensors X, k gradients G, and k of each kind of
 * state. Outputs are the new X and the new states, in the same order.
 */
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

static const rg_attr_spec adagrad_attrs[] = {
    {"decay_factor", RG_ATTR_FLOAT, "0.0", false, "of the learning rate, each step"},
    {"epsilon", RG_ATTR_FLOAT, "1e-6", false, "added to the root"},
    {"norm_coefficient", RG_ATTR_FLOAT, "0.0", false, "of the squared norm of X"},
};
static const rg_attr_spec adam_attrs[] = {
    {"alpha", RG_ATTR_FLOAT, "0.9", false, "decay of the first moment"},
    {"beta", RG_ATTR_FLOAT, "0.999", false, "decay of the second moment"},
    {"epsilon", RG_ATTR_FLOAT, "1e-6", false, "added to the root"},
    {"norm_coefficient", RG_ATTR_FLOAT, "0.0", false, "of the squared norm of X, before the step"},
    {"norm_coefficient_post", RG_ATTR_FLOAT, "0.0", false, "of the squared norm of X, after the step"},
};
static const rg_attr_spec momentum_attrs[] = {
    {"alpha", RG_ATTR_FLOAT, NULL, true, "decay of the momentum"},
    {"beta", RG_ATTR_FLOAT, NULL, true, "factor of new gradients"},
    {"mode", RG_ATTR_STRING, NULL, true, "standard or nesterov"},
    {"norm_coefficient", RG_ATTR_FLOAT, NULL, true, "of the squared norm of X"},
};

static const rg_case adagrad_cases[] = {
    {"f32[] i64[] f32[3] f32[3] f32[3]", NULL, "f32[3] f32[3]"},
};
static const rg_case adam_cases[] = {
    {"f32[] i64[] f32[1] f32[2] f32[1] f32[2] f32[1] f32[2] f32[1] f32[2]", "norm_coefficient=1e-3f",
     "f32[1] f32[2] f32[1] f32[2] f32[1] f32[2]"},
};
static const rg_case momentum_cases[] = {
    {"f32[] i64[] f32[8,2] f32[8,2] f32[8,2]",
     "alpha=0.95f beta=0.1f mode=\"standard\" norm_coefficient=1e-3f", "f32[8,2] f32[8,2]"},
};

enum { FIRST = 2 }; /* behind the learning rate and the step number */

/* kinds: X, G and the states. */
static rg_err infer(const rg_site *s, uint32_t kinds)
{
    uint32_t count = s->node->in_count - FIRST, k = count / kinds;
    if (count % kinds != 0)
        return rg_site_fail(s, RG_FORMAT, "%u tensors do not divide into groups of %u", count, kinds);
    if (s->node->out_count != k * (kinds - 1))
        return rg_site_fail(s, RG_FORMAT, "has %u outputs, needs %u", s->node->out_count, k * (kinds - 1));
    for (uint32_t i = 0; i < k; i++)
        for (uint32_t out = 0; out < kinds - 1; out++)
            rg_set_out(s, out * k + i, rg_type_like(s, FIRST + i, RG_DTYPE_NONE));
    return RG_OK;
}

static rg_err adagrad_infer(const rg_site *s) { return infer(s, 3); }
static rg_err adam_infer(const rg_site *s) { return infer(s, 4); }
static rg_err momentum_infer(const rg_site *s) { return infer(s, 3); }

/* flop, special: for each element of each X. */
static void fill(const rg_site *s, rg_work *w, uint32_t kinds, double flop, double special)
{
    double count = 0;
    for (uint32_t i = 0; i < (s->node->in_count - FIRST) / kinds; i++)
        count += rg_in_count(s, FIRST + i);
    w->family = RG_FAMILY_ELEMENTWISE;
    w->m = count;
    w->flop = flop * count;
    w->special = special * count;
}

/* g += n x; h += g g; x -= r g / (sqrt h + e) */
static void adagrad_work(const rg_site *s, rg_work *w) { fill(s, w, 3, 7, 2); }
/* the same with two decaying moments */
static void adam_work(const rg_site *s, rg_work *w) { fill(s, w, 4, 13, 2); }
/* g += n x; v = a v + b g; x -= r v */
static void momentum_work(const rg_site *s, rg_work *w) { fill(s, w, 3, 7, 0); }

/* ---- kernels ---- */

/* Attributes, and what follows from them and the step number for all elements. */
typedef struct step { double rate, alpha, beta, epsilon, norm, norm_post; bool nesterov; } step;

/* One element: x, its gradient, its states, which move on. Gives the new x. */
typedef double update(const step *s, double x, double g, double *state);

static double adagrad(const step *s, double x, double g, double *h)
{
    g += s->norm * x;
    h[0] += g * g;
    return x - s->rate * g / (sqrt(h[0]) + s->epsilon);
}

static double adam(const step *s, double x, double g, double *moment)
{
    g += s->norm * x;
    moment[0] = s->alpha * moment[0] + (1 - s->alpha) * g;
    moment[1] = s->beta * moment[1] + (1 - s->beta) * g * g;
    return (1 - s->norm_post) * (x - s->rate * moment[0] / (sqrt(moment[1]) + s->epsilon));
}

static double momentum(const step *s, double x, double g, double *v)
{
    g += s->norm * x;
    v[0] = s->alpha * v[0] + s->beta * g;
    return x - s->rate * (s->nesterov ? g + s->alpha * v[0] : v[0]);
}

/* Every element of the k tensors; `kinds` as in infer. */
static rg_err run(const rg_run *r, uint32_t kinds, update *move, const step *s)
{
    enum { STATES_MAX = 2 };
    uint32_t k = (r->site.node->in_count - FIRST) / kinds, states = kinds - 2;
    for (uint32_t i = 0; i < k; i++) {
        const rg_array *x = rg_arg(r, FIRST + i);
        for (uint32_t kind = 1; kind < kinds; kind++) {
            const rg_array *a = rg_arg(r, FIRST + kind * k + i);
            if (!a || a->count != x->count)
                return rg_run_fail(r, RG_SHAPE, "input %u has %lld elements, needs %lld",
                                   FIRST + kind * k + i, a ? (long long)a->count : 0LL, (long long)x->count);
        }
        for (int64_t n = 0; n < x->count; n++) {
            double state[STATES_MAX];
            for (uint32_t c = 0; c < states; c++) state[c] = rg_get(rg_arg(r, FIRST + (2 + c) * k + i), n);
            double moved = move(s, rg_get(x, n), rg_get(rg_arg(r, FIRST + k + i), n), state);
            if (rg_wanted(r, i)) rg_put(rg_result(r, i), n, moved);
            for (uint32_t c = 0; c < states; c++)
                if (rg_wanted(r, (1 + c) * k + i)) rg_put(rg_result(r, (1 + c) * k + i), n, state[c]);
        }
    }
    return RG_OK;
}

/* The learning rate, the number of steps before this one, and a group of tensors at least. */
static rg_err read_step(const rg_run *r, uint32_t kinds, double *rate, double *count)
{
    RG_TRY(rg_need_numbers(r));
    if (r->site.node->in_count < FIRST + kinds || rg_arg(r, 0)->count != 1 || rg_arg(r, 1)->count != 1)
        return rg_run_fail(r, RG_SHAPE, "needs a learning rate, a step number and %u tensors", kinds);
    for (uint32_t i = 0; i < (r->site.node->in_count - FIRST) / kinds; i++)
        if (!rg_arg(r, FIRST + i)) return rg_run_fail(r, RG_INPUT, "tensor %u is left out", i);
    *rate = rg_get(rg_arg(r, 0), 0);
    *count = rg_get(rg_arg(r, 1), 0);
    return RG_OK;
}

static rg_err run_adagrad(const rg_run *r)
{
    double count;
    step s = {.epsilon = rg_op_real(&r->site, "epsilon"), .norm = rg_op_real(&r->site, "norm_coefficient")};
    RG_TRY(read_step(r, 3, &s.rate, &count));
    s.rate /= 1 + count * rg_op_real(&r->site, "decay_factor");
    return run(r, 3, adagrad, &s);
}

/* The moments begin at zero; the rate makes good for it. */
static rg_err run_adam(const rg_run *r)
{
    double count;
    step s = {
        .alpha = rg_op_real(&r->site, "alpha"), .beta = rg_op_real(&r->site, "beta"),
        .epsilon = rg_op_real(&r->site, "epsilon"), .norm = rg_op_real(&r->site, "norm_coefficient"),
        .norm_post = rg_op_real(&r->site, "norm_coefficient_post"),
    };
    RG_TRY(read_step(r, 4, &s.rate, &count));
    if (count > 0) s.rate *= sqrt(1 - pow(s.beta, count)) / (1 - pow(s.alpha, count));
    return run(r, 4, adam, &s);
}

/* The first step takes the gradient whole. */
static rg_err run_momentum(const rg_run *r)
{
    double count;
    rg_str mode = rg_op_str(&r->site, "mode");
    step s = {
        .alpha = rg_op_real(&r->site, "alpha"), .norm = rg_op_real(&r->site, "norm_coefficient"),
        .nesterov = rg_str_is(mode, "nesterov"),
    };
    if (!s.nesterov && !rg_str_is(mode, "standard"))
        return rg_run_fail(r, RG_FORMAT, "mode '%.*s' is neither standard nor nesterov", RG_STR(mode));
    RG_TRY(read_step(r, 3, &s.rate, &count));
    s.beta = count > 0 ? rg_op_real(&r->site, "beta") : 1;
    return run(r, 3, momentum, &s);
}

RG_OP(adagrad) = {
    .name = "Adagrad", .domain = "ai.onnx.preview.training", .brief = "one step of ADAGRAD", .since = 1,
    .in_min = 3, .in_max = -1, .out_min = 1, .out_max = -1,
    RG_SPEC(adagrad_attrs) RG_CASES(adagrad_cases) .infer = adagrad_infer, .work = adagrad_work,
    .run = run_adagrad,
};

RG_OP(adam) = {
    .name = "Adam", .domain = "ai.onnx.preview.training", .brief = "one step of Adam", .since = 1,
    .in_min = 3, .in_max = -1, .out_min = 1, .out_max = -1,
    RG_SPEC(adam_attrs) RG_CASES(adam_cases) .infer = adam_infer, .work = adam_work,
    .run = run_adam,
};

RG_OP(momentum) = {
    .name = "Momentum", .domain = "ai.onnx.preview.training", .brief = "one step with momentum", .since = 1,
    .in_min = 3, .in_max = -1, .out_min = 1, .out_max = -1,
    RG_SPEC(momentum_attrs) RG_CASES(momentum_cases) .infer = momentum_infer, .work = momentum_work,
    .run = run_momentum,
};
