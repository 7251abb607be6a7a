/* label.c - look-ups of ai.onnx.ml: CategoryMapper, LabelEncoder, OneHotEncoder.
 *
 *     y = value[k] where key[k] = x for the first such k, else the default
 *
 * NaN is equal to NaN here: a key may stand for what is missing.
 */
#include "op/learned.h"

#include <math.h>

/* ---- keys ---- */

static bool same(const rg_array *a, int64_t i, const rg_array *b, int64_t k)
{
    if (a->dtype == RG_STR) return rg_str_eq(rg_get_str(a, i), rg_get_str(b, k));
    if (rg_dtype_is_int(a->dtype) && rg_dtype_is_int(b->dtype)) return rg_get_int(a, i) == rg_get_int(b, k);
    double x = rg_get(a, i), y = rg_get(b, k);
    return x == y || (isnan(x) && isnan(y));
}

/* The place of element i of x among the keys; -1 when it is none of them. */
static int64_t find(const rg_array *x, int64_t i, const rg_array *keys)
{
    for (int64_t k = 0; k < keys->count; k++)
        if (same(x, i, keys, k)) return k;
    return -1;
}

/* `count` elements that lie in an attribute, and stay as they are. */
static rg_array view_of(rg_dtype dtype, const void *data, int64_t count)
{
    void *lent = (void *)(uintptr_t)data;
    return (rg_array){.dtype = dtype, .rank = 1, .dim = {count}, .count = count, .data = lent};
}

/* An attribute of any kind as an array: numbers, strings, a tensor. */
static rg_err read_attr(const rg_run *r, const rg_attr *a, rg_array *out)
{
    switch (a->kind) {
    case RG_ATTR_FLOATS:  *out = view_of(RG_F64, a->floats, a->count); return RG_OK;
    case RG_ATTR_INTS:    *out = view_of(RG_I64, a->ints, a->count); return RG_OK;
    case RG_ATTR_STRINGS: *out = view_of(RG_STR, a->strings, a->count); return RG_OK;
    case RG_ATTR_FLOAT:   *out = view_of(RG_F64, &a->f, 1); return RG_OK;
    case RG_ATTR_INT:     *out = view_of(RG_I64, &a->i, 1); return RG_OK;
    case RG_ATTR_STRING:  *out = view_of(RG_STR, &a->s, 1); return RG_OK;
    default: break;
    }
    const rg_tensor *t = a->tensor;
    *out = view_of(t->dtype, t->data, t->count);
    if (t->encoding == RG_DATA_STRING) return RG_OK;
    out->data = RG_NEW(r->scratch, double, t->count); /* no number is larger */
    if (!out->data) return rg_nomem(r->site.cx);
    if (rg_tensor_has_data(t) && rg_tensor_unpack(t, out->data)) return RG_OK;
    return rg_run_fail(r, RG_INPUT, "the elements of attribute %.*s cannot be read", RG_STR(a->name));
}

/* Strings and numbers do not mix. */
static rg_err need_alike(const rg_run *r, const char *what, const rg_array *a, const rg_array *b)
{
    if ((a->dtype == RG_STR) == (b->dtype == RG_STR)) return RG_OK;
    return rg_run_fail(r, RG_FORMAT, "%s are %s where %s is needed", what, rg_dtype_name(a->dtype),
                       rg_dtype_name(b->dtype));
}

/* Numbers are converted where the types differ. */
static void put_from(const rg_array *y, int64_t i, const rg_array *from, int64_t k)
{
    if (y->dtype == from->dtype) rg_copy(y, i, from, k);
    else if (rg_dtype_is_int(from->dtype)) rg_put_int(y, i, rg_get_int(from, k));
    else rg_put(y, i, rg_get(from, k));
}

/* Every element through the table. */
static rg_err look_up(const rg_run *r, const rg_array *keys, const rg_array *values,
                      const rg_array *otherwise)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    RG_TRY(need_alike(r, "the keys", keys, x));
    RG_TRY(need_alike(r, "the values", values, y));
    RG_TRY(need_alike(r, "the defaults", otherwise, y));
    if (keys->count != values->count || otherwise->count < 1)
        return rg_run_fail(r, RG_FORMAT, "%lld keys, %lld values, %lld defaults", (long long)keys->count,
                           (long long)values->count, (long long)otherwise->count);
    for (int64_t i = 0; i < x->count; i++) {
        int64_t k = find(x, i, keys);
        put_from(y, i, k < 0 ? otherwise : values, k < 0 ? 0 : k);
    }
    return RG_OK;
}

/* ---- CategoryMapper ---- */

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

static rg_err run_category(const rg_run *r)
{
    const rg_attr *ints = rg_node_attr(r->site.node, "cats_int64s");
    const rg_attr *strings = rg_node_attr(r->site.node, "cats_strings");
    int64_t number = rg_op_int(&r->site, "default_int64");
    rg_str text = rg_op_str(&r->site, "default_string");
    rg_array numbers, texts, no_number = view_of(RG_I64, &number, 1), no_text = view_of(RG_STR, &text, 1);
    if (!ints || !strings) return rg_run_fail(r, RG_FORMAT, "needs cats_int64s and cats_strings");
    RG_TRY(read_attr(r, ints, &numbers));
    RG_TRY(read_attr(r, strings, &texts));
    bool from_text = rg_arg(r, 0)->dtype == RG_STR;
    return from_text ? look_up(r, &texts, &numbers, &no_number) : look_up(r, &numbers, &texts, &no_text);
}

RG_OP(categorymapper) = {
    .name = "CategoryMapper", .domain = RG_LEARNED_DOMAIN, .since = 1,
    .brief = "strings to integers, or back",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(category_attrs) RG_CASES(category_cases)
    .infer = category_infer, .work = rg_learned_touch, .run = run_category,
};

/* ---- LabelEncoder ---- */

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

/* The attribute of a side, "keys" or "values", whatever its type; NULL when there is none. */
static const rg_attr *side_of(const rg_run *r, const char *const names[4])
{
    const rg_attr *a = NULL;
    for (int i = 0; i < 4 && !a; i++) a = rg_node_attr(r->site.node, names[i]);
    return a;
}

/* default_tensor, or the preset of the type that comes out. */
static rg_err read_default(const rg_run *r, rg_attr *preset, rg_array *out)
{
    rg_dtype dtype = rg_result(r, 0)->dtype;
    const rg_attr *tensor = rg_node_attr(r->site.node, "default_tensor");
    if (dtype == RG_STR)
        *preset = (rg_attr){.kind = RG_ATTR_STRING, .s = rg_op_str(&r->site, "default_string")};
    else if (rg_dtype_is_float(dtype))
        *preset = (rg_attr){.kind = RG_ATTR_FLOAT, .f = rg_op_real(&r->site, "default_float")};
    else
        *preset = (rg_attr){.kind = RG_ATTR_INT, .i = rg_op_int(&r->site, "default_int64")};
    return read_attr(r, tensor ? tensor : preset, out);
}

/* Version 1 numbered strings from 0, in either direction. */
static rg_err run_numbered(const rg_run *r, const rg_attr *classes, const rg_array *otherwise)
{
    rg_array texts, numbers;
    int64_t *number = RG_NEW(r->scratch, int64_t, classes->count);
    if (!number) return rg_nomem(r->site.cx);
    for (uint32_t i = 0; i < classes->count; i++) number[i] = i;
    numbers = view_of(RG_I64, number, classes->count);
    RG_TRY(read_attr(r, classes, &texts));
    bool from_text = rg_arg(r, 0)->dtype == RG_STR;
    return look_up(r, from_text ? &texts : &numbers, from_text ? &numbers : &texts, otherwise);
}

static rg_err run_label(const rg_run *r)
{
    static const char *const key_names[] = {"keys_tensor", "keys_strings", "keys_int64s", "keys_floats"};
    static const char *const value_names[] = {"values_tensor", "values_floats", "values_int64s",
                                              "values_strings"};
    const rg_attr *key = side_of(r, key_names), *value = side_of(r, value_names);
    const rg_attr *classes = rg_node_attr(r->site.node, "classes_strings");
    rg_attr preset;
    rg_array keys, values, otherwise;
    RG_TRY(read_default(r, &preset, &otherwise));
    if (classes && !value) return run_numbered(r, classes, &otherwise);
    if (!key || !value) return rg_run_fail(r, RG_FORMAT, "no attribute holds its keys");
    RG_TRY(read_attr(r, key, &keys));
    RG_TRY(read_attr(r, value, &values));
    return look_up(r, &keys, &values, &otherwise);
}

RG_OP(labelencoder) = {
    .name = "LabelEncoder", .domain = RG_LEARNED_DOMAIN, .since = 4,
    .brief = "keys to values",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(label_attrs) RG_CASES(label_cases)
    .infer = label_infer, .work = rg_learned_touch, .run = run_label,
};

/* ---- OneHotEncoder ---- */

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

/* Numbers that are no integers are cut to one, as ONNX Runtime 1.30 does. */
static rg_err run_onehot(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    bool text = x->dtype == RG_STR;
    const rg_attr *a = rg_node_attr(r->site.node, text ? "cats_strings" : "cats_int64s");
    rg_array categories;
    if (!a) return rg_run_fail(r, RG_FORMAT, "there are no categories for %s", rg_dtype_name(x->dtype));
    RG_TRY(read_attr(r, a, &categories));
    if (y->dim[y->rank - 1] != categories.count)
        return rg_run_fail(r, RG_FORMAT, "has categories of strings and of integers");
    rg_clear(y);
    for (int64_t i = 0; i < x->count; i++) {
        int64_t number = text ? 0 : rg_get_int(x, i);
        rg_array one = view_of(RG_I64, &number, 1);
        int64_t k = text ? find(x, i, &categories) : find(&one, 0, &categories);
        if (k >= 0) rg_put(y, i * categories.count + k, 1);
        else if (!rg_op_int(&r->site, "zeros"))
            return rg_run_fail(r, RG_INPUT, "element %lld is in no category", (long long)i);
    }
    return RG_OK;
}

RG_OP(onehotencoder) = {
    .name = "OneHotEncoder", .domain = RG_LEARNED_DOMAIN, .brief = "categories as vectors with a single 1",
    .since = 1, .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(onehot_attrs) RG_CASES(onehot_cases) .infer = onehot_infer, .work = rg_learned_touch,
    .run = run_onehot,
};
