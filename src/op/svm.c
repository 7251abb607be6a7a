/* svm.c - support vector machines of ai.onnx.ml.
 *
 *     LINEAR  x.v                      POLY     (gamma x.v + coef0)^degree
 *     RBF     exp(-gamma |x - v|^2)    SIGMOID  tanh(gamma x.v + coef0)
 *
 * A regressor sums coefficients times kernel values over the support vectors, plus rho. A classifier has one
 * such sum for each pair of classes i < j, over the vectors of both, and the pair's winner gets a vote;
 * coefficients are [classes - 1, vectors], those of the vectors of class i against class j in row j - 1, of j
 * against i in row i. Without support vectors both are linear models.
 *
 * prob_a and prob_b turn the sums into probabilities of each pair (J. Platt, "Probabilistic outputs for
 * support vector machines", 1999), which are coupled (T.-F. Wu, C.-J. Lin, R. C. Weng, "Probability estimates
 * for multi-class classification by pairwise coupling", 2004, its second method). Without them the scores are
 * the sums: one for each pair of three classes and more.
 */
#include "op/learned.h"

#include <math.h>

#define SVM_ATTRS                                                                     \
    {"coefficients", RG_ATTR_FLOATS, NULL, false, "weights of the support vectors"},  \
    {"kernel_params", RG_ATTR_FLOATS, NULL, false, "gamma, coef0, degree"},           \
    {"kernel_type", RG_ATTR_STRING, "LINEAR", false, "LINEAR, POLY, RBF or SIGMOID"}, \
    {"rho", RG_ATTR_FLOATS, NULL, false, "offsets of the decision functions"},        \
    {"support_vectors", RG_ATTR_FLOATS, NULL, false, "one behind the other"},         \
    RG_POST_TRANSFORM

static const rg_attr_spec svmclassifier_attrs[] = {
    SVM_ATTRS,
    {"classlabels_ints", RG_ATTR_INTS, NULL, false, "the classes, when they are integers"},
    {"classlabels_strings", RG_ATTR_STRINGS, NULL, false, "the classes, when they are strings"},
    {"prob_a", RG_ATTR_FLOATS, NULL, false, "first coefficients of the probabilities"},
    {"prob_b", RG_ATTR_FLOATS, NULL, false, "second coefficients of the probabilities"},
    {"vectors_per_class", RG_ATTR_INTS, NULL, false, "support vectors of each class"},
};

static const rg_attr_spec svmregressor_attrs[] = {
    SVM_ATTRS,
    {"n_supports", RG_ATTR_INT, "0", false, "number of support vectors"},
    {"one_class", RG_ATTR_INT, "0", false, "1: finds what is unlike the training data"},
};

static const rg_case svmclassifier_cases[] = {
    {"f32[batch,2]", "classlabels_ints=0,1 kernel_type=\"RBF\" support_vectors=0.5,0.5,1.0,1.0 "
     "vectors_per_class=1,1 coefficients=1.0,-1.0 rho=[0.1] kernel_params=0.5,0.0,3.0",
     "i64[batch] f32[batch,2]"},
};

static const rg_case svmregressor_cases[] = {
    {"f32[batch,2]", "n_supports=1 support_vectors=0.5,0.5 coefficients=[1.0] rho=[0.1]", "f32[batch,1]"},
};

static int64_t pairs_of(int64_t classes) { return classes * (classes - 1) / 2; }

static rg_err svmclassifier_infer(const rg_site *s)
{
    int64_t classes = (int64_t)rg_learned_count(s, "classlabels_ints") +
                      rg_learned_count(s, "classlabels_strings");
    rg_dim dim[2];
    RG_TRY(rg_learned_classes(s, "classlabels_ints", "classlabels_strings"));
    RG_TRY(rg_learned_rows(s, &dim[0]));
    dim[1] = pairs_of(classes);
    bool sums = rg_learned_count(s, "vectors_per_class") > 0 && rg_learned_count(s, "prob_a") == 0;
    if (sums && classes > 2) rg_set_out(s, 1, rg_type_tensor(RG_F32, 2, dim));
    return RG_OK;
}

static rg_err svmregressor_infer(const rg_site *s) { return rg_learned_targets(s, 1); }

/* A kernel value of every row with every support vector; all but LINEAR end in one special function. */
static void svm_work(const rg_site *s, rg_work *w)
{
    double features = (double)rg_in_dim(s, 0, -1);
    double vectors = features > 0 ? rg_learned_count(s, "support_vectors") / features : 0;

    rg_learned_work(s, w, vectors);
    w->flop += 2 * w->m * (double)rg_learned_count(s, "coefficients");
    w->special = rg_str_is(rg_op_str(s, "kernel_type"), "LINEAR") ? 0 : w->m * vectors;
    w->special += rg_learned_post(s, w->m);
}

/* ---- the kernel function ---- */

typedef double kernel(const double *x, const double *v, int64_t size, const double *param);

static double dot(const double *a, const double *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

static double linear(const double *x, const double *v, int64_t size, const double *param)
{
    return (void)param, dot(x, v, size);
}

static double poly(const double *x, const double *v, int64_t size, const double *param)
{
    return pow(param[0] * dot(x, v, size) + param[1], param[2]);
}

static double rbf(const double *x, const double *v, int64_t size, const double *param)
{
    double sum = 0;
    for (int64_t i = 0; i < size; i++) sum += (x[i] - v[i]) * (x[i] - v[i]);
    return exp(-param[0] * sum);
}

static double sigmoid(const double *x, const double *v, int64_t size, const double *param)
{
    return tanh(param[0] * dot(x, v, size) + param[1]);
}

static const struct { const char *name; kernel *at; } kernels[] = {
    {"LINEAR", linear}, {"POLY", poly}, {"RBF", rbf}, {"SIGMOID", sigmoid},
};

/* ---- what both machines have ---- */

typedef struct svm {
    rg_rows in;
    rg_post post;
    const double *coefficient, *rho, *vector, *param; /* param: gamma, coef0, degree */
    uint32_t coefficients, rhos;
    int64_t vectors;                                  /* 0: linear */
    kernel *at;
    double *value;                                    /* room: the kernel of a row with each vector */
} svm;

/* `vectors` are expected; kernel_params may be left out where the kernel is linear. */
static rg_err read_svm(const rg_run *r, int64_t vectors, svm *m)
{
    static const double no_param[3];
    rg_str name = rg_op_str(&r->site, "kernel_type");
    uint32_t params, numbers;
    size_t k = 0;
    *m = (svm){.vectors = vectors};
    RG_TRY(rg_learned_input(r, &m->in));
    RG_TRY(rg_learned_post_of(r, &m->post));
    RG_TRY(rg_learned_reals(r, "coefficients", &m->coefficient, &m->coefficients));
    RG_TRY(rg_learned_reals(r, "rho", &m->rho, &m->rhos));
    RG_TRY(rg_learned_reals(r, "support_vectors", &m->vector, &numbers));
    RG_TRY(rg_learned_reals(r, "kernel_params", &m->param, &params));
    while (k < RG_COUNT(kernels) && !rg_str_is(name, kernels[k].name)) k++;
    if (k == RG_COUNT(kernels))
        return rg_run_fail(r, RG_FORMAT, "there is no kernel_type '%.*s'", RG_STR(name));
    if (m->param && params != 3)
        return rg_run_fail(r, RG_FORMAT, "%u kernel_params, needs gamma, coef0, degree", params);
    if (!m->param) m->param = no_param;
    m->at = kernels[k].at;
    int64_t wanted;
    if (!rg_mul_size(vectors, m->in.size, &wanted) || (vectors > 0 && numbers != wanted))
        return rg_run_fail(r, RG_SHAPE, "support_vectors holds %u numbers for %lld vectors of %lld features",
                           numbers, (long long)vectors, (long long)m->in.size);
    if (m->rhos < 1) return rg_run_fail(r, RG_FORMAT, "rho is empty");
    m->value = RG_NEW(r->scratch, double, vectors);
    return m->value ? RG_OK : rg_nomem(r->site.cx);
}

static void fill_values(const svm *m, const double *x)
{
    for (int64_t v = 0; v < m->vectors; v++)
        m->value[v] = m->at(x, m->vector + v * m->in.size, m->in.size, m->param);
}

/* ---- the classifier ---- */

typedef struct classifier {
    svm svm;
    int64_t classes;
    const int64_t *size, *first;        /* vectors of each class, and where they begin */
    const double *prob_a, *prob_b;      /* of each pair, or NULL */
    double *score, *vote, *pair, *q, *qp; /* room: pairs or classes, classes, classes^2 twice, classes */
} classifier;

/* The sums of all pairs into `score`, their winners into `vote`. */
static void score_pairs(const classifier *c)
{
    const svm *m = &c->svm;
    int64_t n = 0;
    for (int64_t i = 0; i < c->classes; i++) c->vote[i] = 0;
    for (int64_t i = 0; i < c->classes; i++)
        for (int64_t j = i + 1; j < c->classes; j++, n++) {
            int64_t at_i = c->first[i], at_j = c->first[j];
            double sum = m->rho[n];
            sum += dot(m->coefficient + (j - 1) * m->vectors + at_i, m->value + at_i, c->size[i]);
            sum += dot(m->coefficient + i * m->vectors + at_j, m->value + at_j, c->size[j]);
            c->score[n] = sum;
            c->vote[sum > 0 ? i : j]++;
        }
}

/* pair[i][j], the probability of i against j, from the sums; kept off 0 and 1 as LIBSVM does. */
static void make_pairs(const classifier *c)
{
    const double least = 1e-7;
    int64_t n = 0, k = c->classes;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = i + 1; j < k; j++, n++) {
            double p = 1 / (1 + exp(c->prob_a[n] * c->score[n] + c->prob_b[n]));
            c->pair[i * k + j] = fmin(1 - least, fmax(least, p));
            c->pair[j * k + i] = 1 - c->pair[i * k + j];
        }
}

/* p minimizes sum over pairs of (pair[j][i] p[i] - pair[i][j] p[j])^2, sum p = 1: p' Q p, coordinate by
 * coordinate, until Q p is the same everywhere but for 0.005 / classes; 100 rounds at most. */
static void couple_pairs(const classifier *c, double *p)
{
    enum { ROUNDS_MAX = 100 };
    int64_t k = c->classes;
    double *q = c->q, *qp = c->qp;
    for (int64_t i = 0; i < k; i++) {
        p[i] = 1 / (double)k;
        q[i * k + i] = 0;
        for (int64_t j = 0; j < k; j++) {
            if (j == i) continue;
            q[i * k + i] += c->pair[j * k + i] * c->pair[j * k + i];
            q[i * k + j] = -c->pair[j * k + i] * c->pair[i * k + j];
        }
    }
    for (int round = 0; round < ROUNDS_MAX; round++) {
        double whole = 0, error = 0;
        for (int64_t i = 0; i < k; i++) whole += p[i] * (qp[i] = dot(q + i * k, p, k));
        for (int64_t i = 0; i < k; i++) error = fmax(error, fabs(qp[i] - whole));
        if (error < 0.005 / (double)k) return;
        for (int64_t i = 0; i < k; i++) {
            double move = (whole - qp[i]) / q[i * k + i];
            p[i] += move;
            whole = (whole + move * (move * q[i * k + i] + 2 * qp[i])) / (1 + move) / (1 + move);
            for (int64_t j = 0; j < k; j++) {
                qp[j] = (qp[j] + move * q[i * k + j]) / (1 + move);
                p[j] /= 1 + move;
            }
        }
    }
}

static rg_err need_pairs(const rg_run *r, const char *name, uint32_t have, int64_t want)
{
    if ((int64_t)have == want) return RG_OK;
    return rg_run_fail(r, RG_SHAPE, "%s has %u numbers, needs %lld", name, have, (long long)want);
}

static rg_err read_pairs(const rg_run *r, classifier *c)
{
    uint32_t a, b;
    int64_t pairs = pairs_of(c->classes), wanted;
    RG_TRY(rg_learned_reals(r, "prob_a", &c->prob_a, &a));
    RG_TRY(rg_learned_reals(r, "prob_b", &c->prob_b, &b));
    RG_TRY(need_pairs(r, "rho", c->svm.rhos, pairs));
    if (a == 0) c->prob_a = NULL;
    if (c->prob_a) RG_TRY(need_pairs(r, "prob_a", a, pairs));
    if (c->prob_a) RG_TRY(need_pairs(r, "prob_b", b, pairs));
    if (!rg_mul_size(c->svm.vectors, c->classes - 1, &wanted)) return rg_nomem(r->site.cx);
    return need_pairs(r, "coefficients", c->svm.coefficients, wanted);
}

static rg_err read_classifier(const rg_run *r, classifier *c)
{
    uint32_t sizes;
    int64_t vectors = 0, classes = (int64_t)rg_learned_count(&r->site, "classlabels_ints") +
                                   rg_learned_count(&r->site, "classlabels_strings");
    *c = (classifier){.classes = classes, .size = rg_op_ints(&r->site, "vectors_per_class", &sizes)};
    int64_t *first = RG_NEW(r->scratch, int64_t, sizes);
    if (!first) return rg_nomem(r->site.cx);
    for (uint32_t i = 0; i < sizes; i++) {
        first[i] = vectors;
        if (c->size[i] < 0 || !rg_add_size(vectors, c->size[i], &vectors))
            return rg_run_fail(r, RG_FORMAT, "class %u has %lld vectors", i, (long long)c->size[i]);
    }
    c->first = first;
    RG_TRY(read_svm(r, vectors, &c->svm));
    if (vectors > 0 && (classes < 2 || sizes != classes))
        return rg_run_fail(r, RG_SHAPE, "vectors of %u classes, and %lld labels", sizes, (long long)classes);
    if (vectors > 0) RG_TRY(read_pairs(r, c));
    int64_t columns;
    bool fits = rg_mul_size(c->svm.in.size, classes, &columns) && c->svm.coefficients == columns;
    if (vectors == 0 && !fits)
        return rg_run_fail(r, RG_SHAPE, "%u coefficients for %lld classes of %lld features",
                           c->svm.coefficients, (long long)classes, (long long)c->svm.in.size);
    int64_t square = vectors > 0 ? classes * classes : 0;
    c->score = RG_NEW(r->scratch, double, classes + pairs_of(classes));
    c->vote = RG_NEW(r->scratch, double, classes);
    c->pair = RG_NEW(r->scratch, double, square);
    c->q = RG_NEW(r->scratch, double, square);
    c->qp = RG_NEW(r->scratch, double, classes);
    return c->score && c->vote && c->pair && c->q && c->qp ? RG_OK : rg_nomem(r->site.cx);
}

/* Scores of one row; gives their number, and the winner. */
static int64_t classify(const classifier *c, const double *x, int64_t *best)
{
    const svm *m = &c->svm;
    if (m->vectors == 0) {
        for (int64_t k = 0; k < c->classes; k++)
            c->score[k] = m->rho[k < m->rhos ? k : 0] + dot(x, m->coefficient + k * m->in.size, m->in.size);
        *best = rg_learned_best(c->score, c->classes);
        return c->classes;
    }
    fill_values(m, x);
    score_pairs(c);
    *best = rg_learned_best(c->vote, c->classes);
    if (c->prob_a) {
        make_pairs(c);
        couple_pairs(c, c->score);
        return c->classes;
    }
    if (c->classes > 2) return pairs_of(c->classes);
    c->score[1] = c->score[0];
    rg_learned_pair(m->post, false, c->score);
    return 2;
}

static rg_err run_classifier(const rg_run *r)
{
    classifier c;
    RG_TRY(read_classifier(r, &c));
    for (int64_t i = 0; i < c.svm.in.count; i++) {
        int64_t best, count = classify(&c, c.svm.in.x + i * c.svm.in.size, &best);
        rg_learned_transform(c.svm.post, c.score, count);
        rg_learned_answer(r, "classlabels_ints", "classlabels_strings", i, best, c.score, count);
    }
    return RG_OK;
}

/* ---- the regressor ---- */

static rg_err run_regressor(const rg_run *r)
{
    const rg_array *y = rg_result(r, 0);
    int64_t vectors = rg_op_int(&r->site, "n_supports");
    bool one_class = rg_op_int(&r->site, "one_class") != 0;
    svm m;
    if (vectors < 0) return rg_run_fail(r, RG_FORMAT, "n_supports is %lld", (long long)vectors);
    RG_TRY(read_svm(r, vectors, &m));
    int64_t wanted = vectors > 0 ? vectors : m.in.size;
    if ((int64_t)m.coefficients != wanted)
        return rg_run_fail(r, RG_SHAPE, "%u coefficients, needs %lld", m.coefficients, (long long)wanted);
    for (int64_t i = 0; i < m.in.count; i++) {
        const double *x = m.in.x + i * m.in.size;
        fill_values(&m, x);
        double sum = m.rho[0] + dot(m.coefficient, vectors > 0 ? m.value : x, wanted);
        if (one_class) sum = sum > 0 ? 1 : -1;
        rg_learned_transform(m.post, &sum, 1);
        rg_put(y, i, sum);
    }
    return RG_OK;
}

RG_OP(svmclassifier) = {
    .name = "SVMClassifier", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "class by a support vector machine",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 2,
    RG_SPEC(svmclassifier_attrs) RG_CASES(svmclassifier_cases)
    .infer = svmclassifier_infer, .work = svm_work, .run = run_classifier,
};

RG_OP(svmregressor) = {
    .name = "SVMRegressor", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "regression by a support vector machine",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(svmregressor_attrs) RG_CASES(svmregressor_cases)
    .infer = svmregressor_infer, .work = svm_work, .run = run_regressor,
};
