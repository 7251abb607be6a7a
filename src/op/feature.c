/* feature.c - what ai.onnx.ml does to numbers in front of a model: scaling, filling gaps, picking columns.
 *
 *     Binarizer    x > threshold               Normalizer  MAX  x / max x       over each row; rows whose
 *     Scaler       (x - offset) scale                      L1   x / sum |x|     divisor is 0 stay as they are
 *     Imputer      x = replaced ? imputed : x              L2   x / sqrt(sum x^2)
 *
 * Lists of parameters have one number for each feature, the last axis, or one for all.
 */
#include "op/learned.h"

#include <math.h>

/* Scaler and Normalizer answer floats whatever comes in. */
static rg_err float_infer(const rg_site *s)
{
    RG_TRY(rg_need_tensor(s, 0));
    rg_set_out(s, 0, rg_type_like(s, 0, RG_F32));
    return RG_OK;
}

/* ---- the same type: Binarizer, Imputer ---- */

static const rg_attr_spec binarizer_attrs[] = {
    {"threshold", RG_ATTR_FLOAT, "0.0", false, "values above it become 1, others 0"},
};
static const rg_case binarizer_cases[] = {{"f32[3,4]", "threshold=1.0", "f32[3,4]"}};

static rg_err run_binarizer(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    double threshold = rg_op_real(&r->site, "threshold");
    RG_TRY(rg_need_numbers(r));
    for (int64_t i = 0; i < x->count; i++) rg_put(y, i, rg_get(x, i) > threshold);
    return RG_OK;
}

/* Features of a row: the last axis. */
static int64_t feature_count(const rg_array *x) { return x->rank > 0 ? x->dim[x->rank - 1] : 1; }

static rg_err need_features(const rg_run *r, const char *name, uint32_t have)
{
    int64_t features = feature_count(rg_arg(r, 0));
    if (have == 1 || have == features) return RG_OK;
    return rg_run_fail(r, RG_SHAPE, "%s has %u numbers for %lld features", name, have, (long long)features);
}

RG_OP(binarizer) = {
    .name = "Binarizer", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "1 above a threshold, else 0",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE | RG_IN_PLACE,
    RG_SPEC(binarizer_attrs) RG_CASES(binarizer_cases) .infer = rg_infer_same, .work = rg_learned_touch,
    .run = run_binarizer,
};

static const rg_attr_spec imputer_attrs[] = {
    {"imputed_value_floats", RG_ATTR_FLOATS, NULL, false, "what is put in, for each feature or for all"},
    {"imputed_value_int64s", RG_ATTR_INTS, NULL, false, "the same for integers"},
    {"replaced_value_float", RG_ATTR_FLOAT, "0.0", false, "value that means missing"},
    {"replaced_value_int64", RG_ATTR_INT, "0", false, "the same for integers"},
};
static const rg_case imputer_cases[] = {{"f32[batch,4]", "imputed_value_floats=[0.5]", "f32[batch,4]"}};

static rg_err impute_ints(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    uint32_t count;
    const int64_t *value = rg_op_ints(&r->site, "imputed_value_int64s", &count);
    int64_t gap = rg_op_int(&r->site, "replaced_value_int64"), features = feature_count(x);
    RG_TRY(need_features(r, "imputed_value_int64s", count));
    for (int64_t i = 0; i < x->count; i++)
        rg_put_int(y, i, rg_get_int(x, i) == gap ? value[count > 1 ? i % features : 0] : rg_get_int(x, i));
    return RG_OK;
}

static rg_err run_imputer(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    const double *value;
    uint32_t count;
    RG_TRY(rg_need_numbers(r));
    if (rg_dtype_is_int(x->dtype)) return impute_ints(r);
    double gap = rg_op_real(&r->site, "replaced_value_float");
    int64_t features = feature_count(x);
    RG_TRY(rg_learned_reals(r, "imputed_value_floats", &value, &count));
    RG_TRY(need_features(r, "imputed_value_floats", count));
    for (int64_t i = 0; i < x->count; i++) {
        double v = rg_get(x, i);
        bool missing = isnan(gap) ? isnan(v) : v == gap;
        rg_put(y, i, missing ? value[count > 1 ? i % features : 0] : v);
    }
    return RG_OK;
}

RG_OP(imputer) = {
    .name = "Imputer", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "missing values replaced",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE | RG_IN_PLACE,
    RG_SPEC(imputer_attrs) RG_CASES(imputer_cases) .infer = rg_infer_same, .work = rg_learned_touch,
    .run = run_imputer,
};

/* ---- floats: Scaler, Normalizer ---- */

static const rg_attr_spec scaler_attrs[] = {
    {"offset", RG_ATTR_FLOATS, NULL, false, "subtracted first, for each feature or for all"},
    {"scale", RG_ATTR_FLOATS, NULL, false, "multiplied then"},
};
static const rg_case scaler_cases[] = {{"i64[batch,4]", "offset=[0.5] scale=[2.0]", "f32[batch,4]"}};

static void scaler_work(const rg_site *s, rg_work *w)
{
    rg_work_elements(s, w, 2, 0);
    w->family = RG_FAMILY_TREE;
}

static rg_err run_scaler(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    const double *offset, *scale;
    uint32_t offsets, scales;
    int64_t features = feature_count(x);
    RG_TRY(rg_need_numbers(r));
    RG_TRY(rg_learned_reals(r, "offset", &offset, &offsets));
    RG_TRY(rg_learned_reals(r, "scale", &scale, &scales));
    if (offset) RG_TRY(need_features(r, "offset", offsets));
    if (scale) RG_TRY(need_features(r, "scale", scales));
    for (int64_t i = 0; i < x->count; i++) {
        double by = scale ? scale[scales > 1 ? i % features : 0] : 1;
        double from = offset ? offset[offsets > 1 ? i % features : 0] : 0;
        rg_put(y, i, (rg_get(x, i) - from) * by);
    }
    return RG_OK;
}

RG_OP(scaler) = {
    .name = "Scaler", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "(x - offset) scale",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE,
    RG_SPEC(scaler_attrs) RG_CASES(scaler_cases) .infer = float_infer, .work = scaler_work, .run = run_scaler,
};

static const rg_attr_spec normalizer_attrs[] = {{"norm", RG_ATTR_STRING, "MAX", false, "MAX, L1 or L2"}};
static const rg_case normalizer_cases[] = {{"f64[batch,4]", "norm=\"L2\"", "f32[batch,4]"}};

/* A norm of every row, then a division of every element. */
static void normalizer_work(const rg_site *s, rg_work *w)
{
    rg_work_elements(s, w, 2, 1);
    w->family = RG_FAMILY_TREE;
}

typedef struct norm { const char *name; double (*gather)(double all, double x); double first; } norm;

static double max_of(double all, double x) { return fmax(all, x); }
static double l1_of(double all, double x) { return all + fabs(x); }
static double l2_of(double all, double x) { return all + x * x; }

/* Rows lie along axis 1; a list is one row. */
static rg_err run_normalizer(const rg_run *r)
{
    static const norm norms[] = {{"MAX", max_of, -INFINITY}, {"L1", l1_of, 0}, {"L2", l2_of, 0}};
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    rg_str name = rg_op_str(&r->site, "norm");
    size_t n = 0;
    RG_TRY(rg_need_numbers(r));
    while (n < RG_COUNT(norms) && !rg_str_is(name, norms[n].name)) n++;
    if (n == RG_COUNT(norms)) return rg_run_fail(r, RG_FORMAT, "there is no norm '%.*s'", RG_STR(name));
    int axis = x->rank > 1;
    int64_t size = x->rank > 0 ? x->dim[axis] : 1, step = rg_array_size(x, axis + 1, x->rank);
    for (int64_t row = 0; size > 0 && row < x->count / size; row++) {
        int64_t at = row / step * step * size + row % step;
        double all = norms[n].first;
        for (int64_t i = 0; i < size; i++) all = norms[n].gather(all, rg_get(x, at + i * step));
        if (norms[n].gather == l2_of) all = sqrt(all);
        for (int64_t i = 0; i < size; i++)
            rg_put(y, at + i * step, rg_get(x, at + i * step) / (all != 0 ? all : 1));
    }
    return RG_OK;
}

RG_OP(normalizer) = {
    .name = "Normalizer", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "rows divided by their norm",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(normalizer_attrs) RG_CASES(normalizer_cases)
    .infer = float_infer, .work = normalizer_work, .run = run_normalizer,
};

/* ---- columns: ArrayFeatureExtractor, FeatureVectorizer ---- */

static const rg_case extractor_cases[] = {
    {"f32[3,4] i64[2]", "", "f32[3,2]"},
    {"f32[4] i64[1,2]", "", "f32[1,2]"},
};

/* The last axis is replaced by the indices; a list becomes one row. */
static rg_err extractor_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0), *index = rg_in_type(s, 1);
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);

    RG_TRY(rg_need_rank(s, 0, 1, -1));
    RG_TRY(rg_need_tensor(s, 1));
    if (in->rank == 1) {
        type.rank = 2;
        type.dim[0] = 1;
    }
    rg_dim picked = index->rank < 0 ? rg_dim_open(s, 1) : rg_dims_product(s, index, 0, index->rank);
    type.dim[type.rank - 1] = picked;
    rg_set_out(s, 0, type);
    return RG_OK;
}

static rg_err run_extractor(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *index = rg_arg(r, 1), *y = rg_result(r, 0);
    int64_t columns = x->dim[x->rank - 1], rows = rg_array_size(x, 0, x->rank - 1);
    for (int64_t i = 0; i < index->count; i++) {
        int64_t at = rg_get_int(index, i);
        if (at < 0 || at >= columns)
            return rg_run_fail(r, RG_INPUT, "index %lld is outside 0 to %lld", (long long)at,
                               (long long)columns - 1);
        for (int64_t row = 0; row < rows; row++) rg_copy(y, row * index->count + i, x, row * columns + at);
    }
    return RG_OK;
}

RG_OP(arrayfeatureextractor) = {
    .name = "ArrayFeatureExtractor", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "columns picked by index",
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_CASES(extractor_cases)
    .infer = extractor_infer, .work = rg_work_select, .run = run_extractor,
};

static const rg_attr_spec vectorizer_attrs[] = {
    {"inputdimensions", RG_ATTR_INTS, NULL, false, "columns of every input"},
};
static const rg_case vectorizer_cases[] = {{"f32[batch,2] f32[batch,3]", "", "f32[batch,5]"}};

static rg_err vectorizer_infer(const rg_site *s)
{
    rg_dim dim[2] = {1, 0};
    uint32_t count;
    const int64_t *stated = rg_op_ints(s, "inputdimensions", &count);

    if (stated && count != s->node->in_count)
        return rg_site_fail(s, RG_FORMAT, "%u inputdimensions for %u inputs", count, s->node->in_count);
    for (uint32_t i = 0; i < s->node->in_count; i++) {
        RG_TRY(rg_need_rank(s, i, 1, 2));
        const rg_type *in = rg_in_type(s, i);
        rg_dim rows = in->rank == 2 ? in->dim[0] : 1, columns = in->dim[in->rank - 1];
        if (stated && stated[i] < 0)
            return rg_site_fail(s, RG_FORMAT, "input %u is to give %lld columns", i, (long long)stated[i]);
        RG_TRY(rg_need_equal(s, "rows of the inputs", i == 0 ? rows : dim[0], rows, &dim[0]));
        dim[1] = rg_dim_add(rg_site_dims(s), dim[1], stated ? stated[i] : columns);
    }
    rg_set_out(s, 0, rg_type_tensor(RG_F32, 2, dim));
    return RG_OK;
}

/* Inputs side by side; inputdimensions cuts their rows or fills them up with zeros. */
static rg_err run_vectorizer(const rg_run *r)
{
    const rg_array *y = rg_result(r, 0);
    uint32_t count;
    const int64_t *stated = rg_op_ints(&r->site, "inputdimensions", &count);
    int64_t at = 0;
    RG_TRY(rg_need_numbers(r));
    rg_clear(y);
    for (uint32_t i = 0; i < r->site.node->in_count; i++) {
        const rg_array *x = rg_arg(r, i);
        int64_t columns = x->dim[x->rank - 1], wanted = stated ? stated[i] : columns;
        for (int64_t row = 0; row < y->dim[0]; row++)
            for (int64_t c = 0; c < columns && c < wanted; c++)
                rg_put(y, row * y->dim[1] + at + c, rg_get(x, row * columns + c));
        at += wanted;
    }
    return RG_OK;
}

RG_OP(featurevectorizer) = {
    .name = "FeatureVectorizer", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "columns of all inputs, as floats",
    .in_min = 1, .in_max = -1, .out_min = 1, .out_max = 1, RG_SPEC(vectorizer_attrs)
    RG_CASES(vectorizer_cases) .infer = vectorizer_infer, .work = rg_work_copy, .run = run_vectorizer,
};
