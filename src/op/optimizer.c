/* optimizer.c - steps of training: Adagrad, Adam, Momentum.
 *
 * Inputs are the learning rate, the step number, then k tensors X, k gradients G, and k of each kind of
 * state. Outputs are the new X and the new states, in the same order.
 */
#include "op/share.h"

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

RG_OP(adagrad) = {
    .name = "Adagrad", .domain = "ai.onnx.preview.training", .brief = "one step of ADAGRAD", .since = 1,
    .in_min = 3, .in_max = -1, .out_min = 1, .out_max = -1,
    RG_SPEC(adagrad_attrs) RG_CASES(adagrad_cases) .infer = adagrad_infer, .work = adagrad_work,
};

RG_OP(adam) = {
    .name = "Adam", .domain = "ai.onnx.preview.training", .brief = "one step of Adam", .since = 1,
    .in_min = 3, .in_max = -1, .out_min = 1, .out_max = -1,
    RG_SPEC(adam_attrs) RG_CASES(adam_cases) .infer = adam_infer, .work = adam_work,
};

RG_OP(momentum) = {
    .name = "Momentum", .domain = "ai.onnx.preview.training", .brief = "one step with momentum", .since = 1,
    .in_min = 3, .in_max = -1, .out_min = 1, .out_max = -1,
    RG_SPEC(momentum_attrs) RG_CASES(momentum_cases) .infer = momentum_infer, .work = momentum_work,
};
