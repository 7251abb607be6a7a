/* loss.c - losses of classifiers: SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss.
 *
 * Input [N, C, d...] and labels [N, d...]; reduced to a scalar, or one loss for each label with reduction
 * "none".
 *
 *     loss[n, d] = -weight[t] x[n, t, d]     t = labels[n, d]; x of the cross entropy: log softmax over C
 *     mean = sum loss / sum weight[t]        weights are 1 where none are given, 0 at ignore_index
 */
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

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

/* ---- kernels ---- */

/* The logarithms of the probabilities, as doubles in the shape of x. */
static rg_err log_softmax(const rg_run *r, const double **out)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 1);
    int64_t classes = x->dim[1], step = rg_array_size(x, 2, x->rank);
    double *to = RG_NEW(r->scratch, double, x->count);
    *out = to;
    if (!to) return rg_nomem(r->site.cx);
    for (int64_t line = 0; classes > 0 && line < x->count / classes; line++) {
        int64_t at = line / step * classes * step + line % step;
        double max = -INFINITY, sum = 0;
        for (int64_t k = 0; k < classes; k++) max = fmax(max, rg_get(x, at + k * step));
        for (int64_t k = 0; k < classes; k++) sum += exp(rg_get(x, at + k * step) - max);
        for (int64_t k = 0; k < classes; k++) to[at + k * step] = rg_get(x, at + k * step) - max - log(sum);
    }
    for (int64_t i = 0; y && i < x->count; i++) rg_put(y, i, to[i]);
    return RG_OK;
}

static rg_err reduce(const rg_run *r, const double *x)
{
    const rg_array *in = rg_arg(r, 0), *labels = rg_arg(r, 1), *weight = rg_arg(r, 2), *y = rg_result(r, 0);
    int64_t classes = in->dim[1], step = rg_array_size(in, 2, in->rank);
    rg_str reduction = rg_op_str(&r->site, "reduction");
    bool none = rg_str_is(reduction, "none"), ignores = rg_op_has(&r->site, "ignore_index");
    int64_t ignored = rg_op_int(&r->site, "ignore_index");
    double sum = 0, weights = 0;
    if (weight && weight->count != classes)
        return rg_run_fail(r, RG_SHAPE, "%lld weights for %lld classes", (long long)weight->count,
                           (long long)classes);
    for (int64_t i = 0; i < labels->count; i++) {
        int64_t t = rg_get_int(labels, i);
        bool counts = !ignores || t != ignored;
        if (counts && (t < 0 || t >= classes))
            return rg_run_fail(r, RG_INPUT, "label %lld is outside 0 to %lld", (long long)t,
                               (long long)classes - 1);
        double w = !counts ? 0 : weight ? rg_get(weight, t) : 1;
        double loss = counts ? -w * x[(i / step * classes + t) * step + i % step] : 0;
        if (none && y) rg_put(y, i, loss);
        sum += loss;
        weights += w;
    }
    if (!none && y) rg_put(y, 0, rg_str_is(reduction, "mean") ? sum / weights : sum);
    return RG_OK;
}

static rg_err run_likelihood(const rg_run *r)
{
    RG_TRY(rg_need_numbers(r));
    const double *x = rg_doubles(r, rg_arg(r, 0));
    return x ? reduce(r, x) : rg_nomem(r->site.cx);
}

static rg_err run_cross_entropy(const rg_run *r)
{
    const double *x;
    RG_TRY(rg_need_numbers(r));
    RG_TRY(log_softmax(r, &x));
    return reduce(r, x);
}

RG_OP(softmax_cross_entropy_loss) = {
    .name = "SoftmaxCrossEntropyLoss", .brief = "cross entropy of scores and labels", .since = 12,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 2,
    RG_SPEC(attrs) RG_CASES(cross_entropy_cases) .infer = infer, .work = cross_entropy_work,
    .run = run_cross_entropy,
};

RG_OP(negative_log_likelihood_loss) = {
    .name = "NegativeLogLikelihoodLoss", .brief = "negative log-probability of the labels", .since = 12,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(likelihood_cases) .infer = infer, .work = likelihood_work,
    .run = run_likelihood,
};
