/* learned.c - linear models and support vector machines of ai.onnx.ml; what the family shares (learned.h). */
#include "op/learned.h"

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

double rg_learned_post(const rg_site *s, double count)
{
    return rg_str_is(rg_op_str(s, "post_transform"), "NONE") ? 0 : count;
}

/* N rows of C features times [C, outputs] weights. */
static void work_linear(const rg_site *s, rg_work *w, double outputs)
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

    work_linear(s, w, classes);
    w->special = rg_learned_post(s, w->m * classes);
}

static rg_err linearregressor_infer(const rg_site *s)
{
    return rg_learned_targets(s, rg_op_int(s, "targets"));
}

static void linearregressor_work(const rg_site *s, rg_work *w)
{
    work_linear(s, w, (double)rg_op_int(s, "targets"));
    w->special = rg_learned_post(s, rg_out_count(s, 0));
}

RG_OP(linearclassifier) = {
    .name = "LinearClassifier", .domain = RG_LEARNED_DOMAIN, .brief = "class by linear scores", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 2,
    RG_SPEC(linearclassifier_attrs) RG_CASES(linearclassifier_cases)
    .infer = linearclassifier_infer, .work = linearclassifier_work,
};

RG_OP(linearregressor) = {
    .name = "LinearRegressor", .domain = RG_LEARNED_DOMAIN, .brief = "linear regression", .since = 1,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(linearregressor_attrs) RG_CASES(linearregressor_cases)
    .infer = linearregressor_infer, .work = linearregressor_work,
};

/* ---- SVMClassifier, SVMRegressor ---- */

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

static rg_err svmclassifier_infer(const rg_site *s)
{
    return rg_learned_classes(s, "classlabels_ints", "classlabels_strings");
}

static rg_err svmregressor_infer(const rg_site *s) { return rg_learned_targets(s, 1); }

/* A kernel value of every row with every support vector; all but LINEAR end in one special function. */
static void svm_work(const rg_site *s, rg_work *w)
{
    double features = (double)rg_in_dim(s, 0, -1);
    double vectors = features > 0 ? rg_learned_count(s, "support_vectors") / features : 0;

    work_linear(s, w, vectors);
    w->flop += 2 * w->m * (double)rg_learned_count(s, "coefficients");
    w->special = rg_str_is(rg_op_str(s, "kernel_type"), "LINEAR") ? 0 : w->m * vectors;
    w->special += rg_learned_post(s, w->m);
}

RG_OP(svmclassifier) = {
    .name = "SVMClassifier", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "class by a support vector machine",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 2,
    RG_SPEC(svmclassifier_attrs) RG_CASES(svmclassifier_cases)
    .infer = svmclassifier_infer, .work = svm_work,
};

RG_OP(svmregressor) = {
    .name = "SVMRegressor", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "regression by a support vector machine",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(svmregressor_attrs) RG_CASES(svmregressor_cases)
    .infer = svmregressor_infer, .work = svm_work,
};
