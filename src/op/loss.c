/* loss.c - losses of classifiers: SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss.
 *
 * Input [N, C, d...] and labels [N, d...]; reduced to a scalar, or one loss for each label with reduction
 * "none".
 */
#include "op/share.h"

static const rg_attr_spec attrs[] = {
    {"ignore_index", RG_ATTR_INT, NULL, false, "label that counts nothing"},
    {"reduction", RG_ATTR_STRING, "mean", false, "none, sum, mean"},
};

static const rg_case cross_entropy_cases[] = {
    {"f32[3,5] i64[3]", NULL, "f32[] f32[3,5]"},
    {"f32[3,5,2] i64[3,2] f32[5]", "reduction=\"none\"", "f32[3,2] f32[3,5,2]"},
};

static const rg_case likelihood_cases[] = {
    {"f32[3,5,6,6] i64[3,6,6] f32[5]", "reduction=\"none\" ignore_index=1", "f32[3,6,6]"},
    {"f16[n,5] i32[n]", "reduction=\"sum\"", "f16[]"},
};

static rg_err infer(const rg_site *s)
{
    rg_dim same;
    RG_TRY(rg_need_rank(s, 0, 2, -1));
    const rg_type *x = rg_in_type(s, 0), *labels = rg_in_type(s, 1);
    RG_TRY(rg_need_rank(s, 1, x->rank - 1, x->rank - 1));
    rg_str reduction = rg_op_str(s, "reduction");
    bool none = rg_str_is(reduction, "none");
    if (!none && !rg_str_is(reduction, "sum") && !rg_str_is(reduction, "mean"))
        return rg_site_fail(s, RG_FORMAT, "reduction '%.*s' is none of none, sum, mean", RG_STR(reduction));
    for (int i = 0; i < labels->rank; i++)
        RG_TRY(rg_need_equal(s, "sizes of input and labels", x->dim[i + (i > 0)], labels->dim[i], &same));
    rg_set_out(s, 0, rg_type_tensor(x->dtype, none ? labels->rank : 0, labels->dim));
    rg_set_out(s, 1, *x); /* the logarithms of the probabilities */
    return RG_OK;
}

/* Each label: pick, negate, weigh, add. */
static void likelihood_work(const rg_site *s, rg_work *w)
{
    w->family = RG_FAMILY_REDUCE;
    w->k = rg_in_count(s, 1);
    w->flop = (rg_has_in(s, 2) ? 3 : 2) * w->k;
}

/* A log-softmax in front: see softmax.c. */
static void cross_entropy_work(const rg_site *s, rg_work *w)
{
    likelihood_work(s, w);
    w->flop += 4 * rg_in_count(s, 0);
    w->special = rg_in_count(s, 0) + rg_in_count(s, 1);
}

RG_OP(softmax_cross_entropy_loss) = {
    .name = "SoftmaxCrossEntropyLoss", .brief = "cross entropy of scores and labels", .since = 12,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 2,
    RG_SPEC(attrs) RG_CASES(cross_entropy_cases) .infer = infer, .work = cross_entropy_work,
};

RG_OP(negative_log_likelihood_loss) = {
    .name = "NegativeLogLikelihoodLoss", .brief = "negative log-probability of the labels", .since = 12,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(likelihood_cases) .infer = infer, .work = likelihood_work,
};
