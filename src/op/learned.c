/* learned.c - linear models of ai.onnx.ml, and what the family shares (learned.h).
 *
 *     score[k] = sum_c x[c] coefficients[k, c] + intercepts[k]
 *
 * Where ONNX leaves a choice open, ONNX Runtime 1.30's is taken: two classes with one row of weights get the
 * scores 1 - s and s, and the second class wins where s > 0.
 */
#include "op/learned.h"

#include <math.h>

enum { WEIGHT_BYTE = 4 }; /* attributes are float32 */

/* ---- shared ---- */

uint32_t rg_learned_count(const rg_site *s, const char *name)
{
    const rg_attr *a = rg_node_attr(s->node, name);

    if (a && a->kind == RG_ATTR_TENSOR)
        return a->tensor->count < 0 || a->tensor->count > UINT32_MAX ? 0 : (uint32_t)a->tensor->count;
    return a ? a->count : 0;
}

rg_err rg_learned_rows(const rg_site *s, rg_dim *rows)
{
    RG_TRY(rg_need_rank(s, 0, 1, 2));
    *rows = rg_in_rank(s, 0) == 2 ? rg_in_type(s, 0)->dim[0] : 1;
    return RG_OK;
}

rg_err rg_learned_classes(const rg_site *s, const char *ints, const char *strings)
{
    uint32_t int_count = rg_learned_count(s, ints), string_count = rg_learned_count(s, strings);
    rg_dim dim[2];

    RG_TRY(rg_learned_rows(s, &dim[0]));
    if ((int_count == 0) == (string_count == 0))
        return rg_site_fail(s, RG_FORMAT, "needs either %s or %s", ints, strings);
    dim[1] = int_count + string_count;
    rg_set_out(s, 0, rg_type_tensor(int_count ? RG_I64 : RG_STR, 1, dim));
    rg_set_out(s, 1, rg_type_tensor(RG_F32, 2, dim));
    return RG_OK;
}

rg_err rg_learned_targets(const rg_site *s, int64_t targets)
{
    rg_dim dim[2];

    RG_TRY(rg_learned_rows(s, &dim[0]));
    dim[1] = targets;
    rg_set_out(s, 0, rg_type_tensor(RG_F32, 2, dim));
    return RG_OK;
}

void rg_learned_read(rg_work *w, double byte)
{
    w->in_byte += byte;
    w->weight_byte += byte;
}

void rg_learned_touch(const rg_site *s, rg_work *w)
{
    rg_work_elements(s, w, 1, 0);
    w->family = RG_FAMILY_TREE;
}

double rg_learned_post(const rg_site *s, double count)
{
    return rg_str_is(rg_op_str(s, "post_transform"), "NONE") ? 0 : count;
}

/* ---- shared by the kernels ---- */

rg_err rg_learned_input(const rg_run *r, rg_rows *out)
{
    const rg_array *x = rg_arg(r, 0);
    RG_TRY(rg_need_numbers(r));
    bool list = x->rank == 1;
    *out = (rg_rows){rg_doubles(r, x), list ? 1 : x->dim[0], x->dim[list ? 0 : 1]};
    return out->x ? RG_OK : rg_nomem(r->site.cx);
}

rg_err rg_learned_reals(const rg_run *r, const char *name, const double **out, uint32_t *count)
{
    char as_tensor[64];
    rg_str_print(as_tensor, sizeof as_tensor, "%s_as_tensor", name);
    const rg_attr *a = rg_node_attr(r->site.node, name), *t = rg_node_attr(r->site.node, as_tensor);
    if (!t) t = a;
    *out = NULL;
    *count = 0;
    if (a && a->kind == RG_ATTR_FLOATS) {
        *out = a->floats;
        *count = a->count;
    } else if (t && t->kind == RG_ATTR_TENSOR) {
        int64_t size = t->tensor->count;
        if (!rg_tensor_has_data(t->tensor) || size > UINT32_MAX)
            return rg_run_fail(r, RG_INPUT, "the numbers of attribute %s cannot be read", name);
        double *numbers = RG_NEW(r->scratch, double, size);
        void *packed = RG_NEW(r->scratch, double, size); /* no number is larger */
        if (!numbers || !packed || !rg_tensor_unpack(t->tensor, packed)) return rg_nomem(r->site.cx);
        for (int64_t i = 0; i < size; i++) numbers[i] = rg_dtype_get_real(t->tensor->dtype, packed, i);
        *out = numbers;
        *count = (uint32_t)size;
    }
    return RG_OK;
}

rg_err rg_learned_strings(const rg_run *r, const char *name, const rg_str **out, uint32_t *count)
{
    const rg_attr *a = rg_node_attr(r->site.node, name);
    *out = NULL;
    *count = 0;
    if (a && a->kind != RG_ATTR_STRINGS)
        return rg_run_fail(r, RG_FORMAT, "attribute %s is no list of strings", name);
    if (a) {
        *out = a->strings;
        *count = a->count;
    }
    return RG_OK;
}

rg_err rg_learned_post_of(const rg_run *r, rg_post *out)
{
    static const char *const names[] = {
        [RG_POST_NONE] = "NONE", [RG_POST_SOFTMAX] = "SOFTMAX", [RG_POST_LOGISTIC] = "LOGISTIC",
        [RG_POST_SOFTMAX_ZERO] = "SOFTMAX_ZERO", [RG_POST_PROBIT] = "PROBIT",
    };
    rg_str name = rg_op_str(&r->site, "post_transform");
    size_t i = 0;
    while (i < RG_COUNT(names) && !rg_str_is(name, names[i])) i++;
    *out = i < RG_COUNT(names) ? (rg_post)i : RG_POST_NONE;
    if (i < RG_COUNT(names)) return RG_OK;
    return rg_run_fail(r, RG_FORMAT, "there is no post_transform '%.*s'", RG_STR(name));
}

/* The quantile of the normal distribution: sqrt(2) erfinv(2 p - 1), erfinv as S. Winitzki approximates it
 * ("A handy approximation for the error function and its inverse", 2008), which ONNX's reference does too. */
static double probit(double p)
{
    const double a = 0.147, pi = 3.14159265358979323846;
    double x = 2 * p - 1, l = log((1 - x) * (1 + x)), v = 2 / (pi * a) + l / 2;
    return sqrt(2) * copysign(sqrt(sqrt(v * v - l / a) - v), x);
}

/* `zero`: scores that are nothing stay nothing. */
static void softmax(double *score, int64_t count, bool zero)
{
    const double nothing = 1e-7; /* ONNX's reference */
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++) max = fmax(max, score[i]);
    for (int64_t i = 0; i < count; i++)
        sum += score[i] = zero && fabs(score[i]) <= nothing ? 0 : exp(score[i] - max);
    for (int64_t i = 0; i < count; i++) score[i] = sum == 0 ? 0.5 : score[i] / sum;
}

void rg_learned_transform(rg_post post, double *score, int64_t count)
{
    switch (post) {
    case RG_POST_NONE: break;
    case RG_POST_SOFTMAX: softmax(score, count, false); break;
    case RG_POST_SOFTMAX_ZERO: softmax(score, count, true); break;
    case RG_POST_LOGISTIC:
        for (int64_t i = 0; i < count; i++) score[i] = 1 / (1 + exp(-score[i]));
        break;
    case RG_POST_PROBIT:
        for (int64_t i = 0; i < count; i++) score[i] = probit(score[i]);
        break;
    }
}

void rg_learned_pair(rg_post post, bool sure, double score[2])
{
    bool probability = post == RG_POST_PROBIT || (post == RG_POST_NONE && sure);
    score[0] = probability ? 1 - score[1] : -score[1];
}

int64_t rg_learned_best(const double *score, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (score[i] > score[best]) best = i;
    return best;
}

void rg_learned_answer(const rg_run *r, const char *ints, const char *strings, int64_t row, int64_t which,
                       const double *score, int64_t count)
{
    const rg_array *labels = rg_result(r, 0), *scores = rg_result(r, 1);
    const rg_attr *a = rg_node_attr(r->site.node, ints), *b = rg_node_attr(r->site.node, strings);
    if (labels && labels->dtype == RG_STR) ((rg_str *)labels->data)[row] = b->strings[which];
    else if (labels) rg_put_int(labels, row, a->ints[which]);
    for (int64_t i = 0; scores && i < count; i++) rg_put(scores, row * count + i, score[i]);
}

/* N rows of C features times [C, outputs] weights. */
void rg_learned_work(const rg_site *s, rg_work *w, double outputs)
{
    double features = (double)rg_in_dim(s, 0, -1), rows = features > 0 ? rg_in_count(s, 0) / features : 0;

    w->family = RG_FAMILY_TREE;
    w->flop = 2 * rows * features * outputs;
    w->m = rows;
    w->n = outputs;
    w->k = features;
    w->weight_in_b = true;
    rg_learned_read(w, features * outputs * WEIGHT_BYTE);
}

/* ---- LinearClassifier, LinearRegressor ---- */

static const rg_attr_spec linearclassifier_attrs[] = {
    {"classlabels_ints", RG_ATTR_INTS, NULL, false, "the classes, when they are integers"},
    {"classlabels_strings", RG_ATTR_STRINGS, NULL, false, "the classes, when they are strings"},
    {"coefficients", RG_ATTR_FLOATS, NULL, true, "weights, class by class"},
    {"intercepts", RG_ATTR_FLOATS, NULL, false, "one summand for each class"},
    {"multi_class", RG_ATTR_INT, "0", false, "1: multinomial, 0: one against the rest"},
    RG_POST_TRANSFORM,
};

static const rg_attr_spec linearregressor_attrs[] = {
    {"coefficients", RG_ATTR_FLOATS, NULL, false, "weights, target by target"},
    {"intercepts", RG_ATTR_FLOATS, NULL, false, "one summand for each target"},
    {"targets", RG_ATTR_INT, "1", false, "values answered for each row"},
    RG_POST_TRANSFORM,
};

static const rg_case linearclassifier_cases[] = {
    {"f32[batch,2]", "classlabels_ints=0,1,2 coefficients=1.0,2.0,3.0,4.0,5.0,6.0",
     "i64[batch] f32[batch,3]"},
};

static const rg_case linearregressor_cases[] = {
    {"f32[batch,3]", "coefficients=1.0,2.0,3.0", "f32[batch,1]"},
};

static rg_err linearclassifier_infer(const rg_site *s)
{
    return rg_learned_classes(s, "classlabels_ints", "classlabels_strings");
}

static void linearclassifier_work(const rg_site *s, rg_work *w)
{
    double ints = rg_learned_count(s, "classlabels_ints");
    double classes = ints + rg_learned_count(s, "classlabels_strings");

    rg_learned_work(s, w, classes);
    w->special = rg_learned_post(s, w->m * classes);
}

static rg_err linearregressor_infer(const rg_site *s)
{
    return rg_learned_targets(s, rg_op_int(s, "targets"));
}

static void linearregressor_work(const rg_site *s, rg_work *w)
{
    rg_learned_work(s, w, (double)rg_op_int(s, "targets"));
    w->special = rg_learned_post(s, rg_out_count(s, 0));
}

/* Weights of `outputs` rows, or as many as there are. */
typedef struct linear { rg_rows in; const double *weight, *intercept; int64_t outputs; } linear;

static rg_err read_linear(const rg_run *r, linear *l)
{
    uint32_t weights, intercepts;
    RG_TRY(rg_learned_input(r, &l->in));
    RG_TRY(rg_learned_reals(r, "coefficients", &l->weight, &weights));
    RG_TRY(rg_learned_reals(r, "intercepts", &l->intercept, &intercepts));
    l->outputs = l->in.size > 0 ? weights / l->in.size : intercepts;
    if (l->outputs < 1 || weights != l->outputs * l->in.size)
        return rg_run_fail(r, RG_SHAPE, "%u coefficients for %lld features", weights, (long long)l->in.size);
    if (l->intercept && intercepts != l->outputs)
        return rg_run_fail(r, RG_SHAPE, "%u intercepts for %lld rows of coefficients", intercepts,
                           (long long)l->outputs);
    return RG_OK;
}

static void score_row(const linear *l, int64_t row, double *score)
{
    for (int64_t k = 0; k < l->outputs; k++) {
        score[k] = l->intercept ? l->intercept[k] : 0;
        for (int64_t c = 0; c < l->in.size; c++)
            score[k] += l->in.x[row * l->in.size + c] * l->weight[k * l->in.size + c];
    }
}

static rg_err run_linearclassifier(const rg_run *r)
{
    int64_t classes = (int64_t)rg_learned_count(&r->site, "classlabels_ints") +
                      rg_learned_count(&r->site, "classlabels_strings");
    rg_post post;
    linear l;
    RG_TRY(rg_learned_post_of(r, &post));
    RG_TRY(read_linear(r, &l));
    bool pair = l.outputs == 1 && classes == 2;
    if (!pair && l.outputs != classes)
        return rg_run_fail(r, RG_SHAPE, "%lld rows of coefficients for %lld classes", (long long)l.outputs,
                           (long long)classes);
    double *score = RG_NEW(r->scratch, double, classes);
    if (!score) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < l.in.count; i++) {
        score_row(&l, i, pair ? score + 1 : score);
        int64_t best = pair ? score[1] > 0 : rg_learned_best(score, classes);
        if (pair) rg_learned_pair(post, true, score);
        rg_learned_transform(post, score, classes);
        rg_learned_answer(r, "classlabels_ints", "classlabels_strings", i, best, score, classes);
    }
    return RG_OK;
}

static rg_err run_linearregressor(const rg_run *r)
{
    const rg_array *y = rg_result(r, 0);
    rg_post post;
    linear l;
    RG_TRY(rg_learned_post_of(r, &post));
    RG_TRY(read_linear(r, &l));
    if (l.outputs != y->dim[1])
        return rg_run_fail(r, RG_SHAPE, "%lld rows of coefficients for %lld targets", (long long)l.outputs,
                           (long long)y->dim[1]);
    double *score = RG_NEW(r->scratch, double, l.outputs);
    if (!score) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < l.in.count; i++) {
        score_row(&l, i, score);
        rg_learned_transform(post, score, l.outputs);
        for (int64_t k = 0; k < l.outputs; k++) rg_put(y, i * l.outputs + k, score[k]);
    }
    return RG_OK;
}

RG_OP(linearclassifier) = {
    .name = "LinearClassifier", .domain = RG_LEARNED_DOMAIN, .brief = "class by linear scores", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 2,
    RG_SPEC(linearclassifier_attrs) RG_CASES(linearclassifier_cases)
    .infer = linearclassifier_infer, .work = linearclassifier_work, .run = run_linearclassifier,
};

RG_OP(linearregressor) = {
    .name = "LinearRegressor", .domain = RG_LEARNED_DOMAIN, .brief = "linear regression", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(linearregressor_attrs) RG_CASES(linearregressor_cases)
    .infer = linearregressor_infer, .work = linearregressor_work, .run = run_linearregressor,
};
