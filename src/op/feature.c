/* feature.c - what ai.onnx.ml does to features before and behind a model: scaling, encoding, maps. */
#include "op/learned.h"

static const rg_type float_type = {.kind = RG_KIND_TENSOR, .dtype = RG_F32};

static void touch_work(const rg_site *s, rg_work *w)
{
    rg_work_elements(s, w, 1, 0);
    w->family = RG_FAMILY_TREE;
}

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

RG_OP(binarizer) = {
    .name = "Binarizer", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "1 above a threshold, else 0",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE | RG_IN_PLACE,
    RG_SPEC(binarizer_attrs) RG_CASES(binarizer_cases) .infer = rg_infer_same, .work = touch_work,
};

static const rg_attr_spec imputer_attrs[] = {
    {"imputed_value_floats", RG_ATTR_FLOATS, NULL, false, "what is put in, for each feature or for all"},
    {"imputed_value_int64s", RG_ATTR_INTS, NULL, false, "the same for integers"},
    {"replaced_value_float", RG_ATTR_FLOAT, "0.0", false, "value that means missing"},
    {"replaced_value_int64", RG_ATTR_INT, "0", false, "the same for integers"},
};
static const rg_case imputer_cases[] = {{"f32[batch,4]", "imputed_value_floats=[0.5]", "f32[batch,4]"}};

RG_OP(imputer) = {
    .name = "Imputer", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "missing values replaced",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE | RG_IN_PLACE,
    RG_SPEC(imputer_attrs) RG_CASES(imputer_cases) .infer = rg_infer_same, .work = touch_work,
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

RG_OP(scaler) = {
    .name = "Scaler", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "(x - offset) scale",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE,
    RG_SPEC(scaler_attrs) RG_CASES(scaler_cases) .infer = float_infer, .work = scaler_work,
};

static const rg_attr_spec normalizer_attrs[] = {{"norm", RG_ATTR_STRING, "MAX", false, "MAX, L1 or L2"}};
static const rg_case normalizer_cases[] = {{"f64[batch,4]", "norm=\"L2\"", "f32[batch,4]"}};

/* A norm of every row, then a division of every element. */
static void normalizer_work(const rg_site *s, rg_work *w)
{
    rg_work_elements(s, w, 2, 1);
    w->family = RG_FAMILY_TREE;
}

RG_OP(normalizer) = {
    .name = "Normalizer", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "rows divided by their norm",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(normalizer_attrs) RG_CASES(normalizer_cases)
    .infer = float_infer, .work = normalizer_work,
};

/* ---- look-ups: CategoryMapper, LabelEncoder, OneHotEncoder, ArrayFeatureExtractor ---- */

static const rg_attr_spec category_attrs[] = {
    {"cats_int64s", RG_ATTR_INTS, NULL, false, "the integers"},
    {"cats_strings", RG_ATTR_STRINGS, NULL, false, "the string of each"},
    {"default_int64", RG_ATTR_INT, "-1", false, "answer to an unknown string"},
    {"default_string", RG_ATTR_STRING, "_Unused", false, "answer to an unknown integer"},
};
static const rg_case category_cases[] = {
    {"str[batch]", "cats_int64s=1,2 cats_strings=[\"a\",\"b\"]", "i64[batch]"},
    {"i64[batch]", "cats_int64s=1,2 cats_strings=[\"a\",\"b\"]", "str[batch]"},
};

static rg_err category_infer(const rg_site *s)
{
    RG_TRY(rg_need_tensor(s, 0));
    rg_set_out(s, 0, rg_type_like(s, 0, rg_in_type(s, 0)->dtype == RG_STR ? RG_I64 : RG_STR));
    return RG_OK;
}

RG_OP(categorymapper) = {
    .name = "CategoryMapper", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "strings to integers, or back",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(category_attrs) RG_CASES(category_cases)
    .infer = category_infer, .work = touch_work,
};

#define LABEL_SIDE(side)                                           \
    {side "_floats", RG_ATTR_FLOATS, NULL, false, "as floats"},    \
    {side "_int64s", RG_ATTR_INTS, NULL, false, "as integers"},    \
    {side "_strings", RG_ATTR_STRINGS, NULL, false, "as strings"}, \
    {side "_tensor", RG_ATTR_TENSOR, NULL, false, "as a tensor"}

static const rg_attr_spec label_attrs[] = {
    LABEL_SIDE("keys"),
    LABEL_SIDE("values"),
    {"default_float", RG_ATTR_FLOAT, "-0.0", false, "answer to an unknown key"},
    {"default_int64", RG_ATTR_INT, "-1", false, "answer to an unknown key"},
    {"default_string", RG_ATTR_STRING, "_Unused", false, "answer to an unknown key"},
    {"default_tensor", RG_ATTR_TENSOR, NULL, false, "answer to an unknown key"},
    {"classes_strings", RG_ATTR_STRINGS, NULL, false, "version 1: strings, numbered from 0"},
};
static const rg_case label_cases[] = {
    {"str[batch]", "keys_strings=[\"a\",\"b\"] values_int64s=0,1 default_int64=42", "i64[batch]"},
    {"i64[batch]", "keys_int64s=1,2 values_tensor=tensor i16[2] {3, 4}", "i16[batch]"},
};

/* The values tell the type; version 1 knew strings and their numbers only. */
static rg_err label_infer(const rg_site *s)
{
    const rg_attr *values = rg_node_attr(s->node, "values_tensor");
    rg_dtype dtype = rg_in_type(s, 0)->dtype == RG_STR ? RG_I64 : RG_STR;

    RG_TRY(rg_need_tensor(s, 0));
    if (values)
        dtype = values->tensor->dtype;
    else if (rg_op_has(s, "values_floats"))
        dtype = RG_F32;
    else if (rg_op_has(s, "values_int64s"))
        dtype = RG_I64;
    else if (rg_op_has(s, "values_strings"))
        dtype = RG_STR;
    else if (!rg_op_has(s, "classes_strings"))
        return rg_site_fail(s, RG_FORMAT, "no attribute holds its values");
    rg_set_out(s, 0, rg_type_like(s, 0, dtype));
    return RG_OK;
}

RG_OP(labelencoder) = {
    .name = "LabelEncoder", .domain = RG_LEARNED_DOMAIN, .since = 4,
    .brief = "keys to values",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(label_attrs) RG_CASES(label_cases)
    .infer = label_infer, .work = touch_work,
};

static const rg_attr_spec onehot_attrs[] = {
    {"cats_int64s", RG_ATTR_INTS, NULL, false, "the categories, when they are integers"},
    {"cats_strings", RG_ATTR_STRINGS, NULL, false, "the categories, when they are strings"},
    {"zeros", RG_ATTR_INT, "1", false, "1: an unknown category is all zeros, 0: an error"},
};
static const rg_case onehot_cases[] = {{"i64[batch,2]", "cats_int64s=1,2,3", "f32[batch,2,3]"}};

static rg_err onehot_infer(const rg_site *s)
{
    rg_type type = rg_type_like(s, 0, RG_F32);

    RG_TRY(rg_need_tensor(s, 0));
    if (type.rank >= RG_RANK_MAX) return rg_site_fail(s, RG_LIMIT, "a rank above %d", RG_RANK_MAX);
    if (type.rank >= 0)
        type.dim[type.rank++] = rg_learned_count(s, "cats_int64s") + rg_learned_count(s, "cats_strings");
    rg_set_out(s, 0, type);
    return RG_OK;
}

RG_OP(onehotencoder) = {
    .name = "OneHotEncoder", .domain = RG_LEARNED_DOMAIN, .brief = "categories as vectors with a single 1",
    .since = 1, .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(onehot_attrs) RG_CASES(onehot_cases) .infer = onehot_infer, .work = touch_work,
};

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

RG_OP(arrayfeatureextractor) = {
    .name = "ArrayFeatureExtractor", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "columns picked by index",
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_CASES(extractor_cases)
    .infer = extractor_infer, .work = rg_work_select,
};

/* ---- FeatureVectorizer ---- */

static const rg_attr_spec vectorizer_attrs[] = {
    {"inputdimensions", RG_ATTR_INTS, NULL, false, "columns of every input"},
};
static const rg_case vectorizer_cases[] = {{"f32[batch,2] f32[batch,3]", "", "f32[batch,5]"}};

static rg_err vectorizer_infer(const rg_site *s)
{
    rg_dim dim[2] = {1, 0};

    for (uint32_t i = 0; i < s->node->in_count; i++) {
        RG_TRY(rg_need_rank(s, i, 1, 2));
        const rg_type *in = rg_in_type(s, i);
        rg_dim rows = in->rank == 2 ? in->dim[0] : 1;
        RG_TRY(rg_need_equal(s, "rows of the inputs", i == 0 ? rows : dim[0], rows, &dim[0]));
        dim[1] = rg_dim_add(rg_site_dims(s), dim[1], in->dim[in->rank - 1]);
    }
    rg_set_out(s, 0, rg_type_tensor(RG_F32, 2, dim));
    return RG_OK;
}

RG_OP(featurevectorizer) = {
    .name = "FeatureVectorizer", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "columns of all inputs, as floats",
    .in_min = 1, .in_max = -1, .out_min = 1, .out_max = 1, RG_SPEC(vectorizer_attrs)
    RG_CASES(vectorizer_cases) .infer = vectorizer_infer, .work = rg_work_copy,
};

/* ---- maps: CastMap, DictVectorizer, ZipMap ---- */

static rg_err need_map(const rg_site *s)
{
    rg_kind kind = rg_in_type(s, 0)->kind;

    if (kind == RG_KIND_MAP || kind == RG_KIND_UNKNOWN) return RG_OK;
    return rg_site_fail(s, RG_SHAPE, "input 0 is not a map");
}

static void map_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->family = RG_FAMILY_TREE;
}

static const rg_attr_spec castmap_attrs[] = {
    {"cast_to", RG_ATTR_STRING, "TO_FLOAT", false, "TO_FLOAT, TO_STRING or TO_INT64"},
    {"map_form", RG_ATTR_STRING, "DENSE", false, "DENSE: in the order of the keys; SPARSE: at them"},
    {"max_map", RG_ATTR_INT, "1", false, "SPARSE: size of the result"},
};
static const rg_case castmap_cases[] = {
    {"map(i64,f32[])", "map_form=\"SPARSE\" max_map=8", "f32[1,8]"},
    {"map(i64,str[])", "cast_to=\"TO_STRING\"", "str[1,u0]"},
};

static rg_err castmap_infer(const rg_site *s)
{
    rg_str to = rg_op_str(s, "cast_to");
    bool sparse = rg_str_is(rg_op_str(s, "map_form"), "SPARSE");
    rg_dim dim[2] = {1, sparse ? rg_op_int(s, "max_map") : rg_dim_open(s, 1)};
    rg_dtype dtype = rg_str_is(to, "TO_STRING") ? RG_STR : rg_str_is(to, "TO_INT64") ? RG_I64 : RG_F32;

    RG_TRY(need_map(s));
    rg_set_out(s, 0, rg_type_tensor(dtype, 2, dim));
    return RG_OK;
}

RG_OP(castmap) = {
    .name = "CastMap", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "values of a map as a tensor",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(castmap_attrs) RG_CASES(castmap_cases)
    .infer = castmap_infer, .work = map_work,
};

static const rg_attr_spec dict_attrs[] = {
    {"int64_vocabulary", RG_ATTR_INTS, NULL, false, "the keys, when they are integers"},
    {"string_vocabulary", RG_ATTR_STRINGS, NULL, false, "the keys, when they are strings"},
};
static const rg_case dict_cases[] = {
    {"map(str,i64[])", "string_vocabulary=[\"a\",\"b\",\"c\"]", "i64[1,3]"},
};

static rg_err dict_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    rg_dim dim[2] = {1, rg_learned_count(s, "int64_vocabulary") + rg_learned_count(s, "string_vocabulary")};

    RG_TRY(need_map(s));
    rg_set_out(s, 0, rg_type_tensor(in->elem ? in->elem->dtype : RG_DTYPE_NONE, 2, dim));
    return RG_OK;
}

RG_OP(dictvectorizer) = {
    .name = "DictVectorizer", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "values of a map, ordered by a vocabulary",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(dict_attrs) RG_CASES(dict_cases) .infer = dict_infer, .work = map_work,
};

static const rg_attr_spec zipmap_attrs[] = {
    {"classlabels_int64s", RG_ATTR_INTS, NULL, false, "the keys, when they are integers"},
    {"classlabels_strings", RG_ATTR_STRINGS, NULL, false, "the keys, when they are strings"},
};
static const rg_case zipmap_cases[] = {{"f32[batch,2]", "classlabels_int64s=0,1", "seq(map(i64,f32[]))"}};

static rg_err zipmap_infer(const rg_site *s)
{
    rg_type map = {.kind = RG_KIND_MAP, .rank = -1, .elem = &float_type};
    rg_type list = {.kind = RG_KIND_SEQUENCE, .rank = -1};

    RG_TRY(rg_need_tensor(s, 0));
    map.dtype = rg_op_has(s, "classlabels_strings") ? RG_STR : RG_I64;
    if (!(list.elem = rg_type_keep(s, map))) return rg_nomem(s->cx);
    rg_set_out(s, 0, list);
    return RG_OK;
}

/* Every row becomes a map of its own: an entry of key and value for every score. */
static void zipmap_work(const rg_site *s, rg_work *w)
{
    enum { ENTRY_BYTE = 16 };

    w->family = RG_FAMILY_TREE;
    w->m = rg_in_count(s, 0);
    w->out_byte = ENTRY_BYTE * w->m;
}

RG_OP(zipmap) = {
    .name = "ZipMap", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "rows of scores as maps from class to score",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(zipmap_attrs) RG_CASES(zipmap_cases)
    .infer = zipmap_infer, .work = zipmap_work,
};
