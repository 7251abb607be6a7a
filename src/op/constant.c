/* constant.c - operators that make tensors from attributes and sizes: Constant, ConstantOfShape, EyeLike,
 * Range, OneHot.
 */
#include "op/ordering.h"
#include "op/share.h"

#include <math.h>

/* ---- Constant: importers turn most into values of their own; what remains is typed here ---- */

static const rg_attr_spec constant_attrs[] = {
    {"value", RG_ATTR_TENSOR, NULL, false, "the tensor"},
    {"value_float", RG_ATTR_FLOAT, NULL, false, "a scalar"},
    {"value_floats", RG_ATTR_FLOATS, NULL, false, "a list"},
    {"value_int", RG_ATTR_INT, NULL, false, "a scalar"},
    {"value_ints", RG_ATTR_INTS, NULL, false, "a list"},
    {"value_string", RG_ATTR_STRING, NULL, false, "a scalar"},
    {"value_strings", RG_ATTR_STRINGS, NULL, false, "a list"},
};

static const rg_case constant_cases[] = {
    {"", "value_ints=2,3,4", "i64[3]"},
    {"", "value_float=0.5", "f32[]"},
};

/* Elements of a tensor attribute that stand for sizes. */
static void follow_tensor(const rg_site *s, const rg_tensor *t)
{
    rg_dim out[RG_KNOWN_MAX];

    bool followed = rg_dtype_is_int(t->dtype) || t->dtype == RG_BOOL;
    if (!followed || !rg_tensor_has_data(t) || t->count > RG_KNOWN_MAX) return;
    for (int64_t i = 0; i < t->count; i++) {
        out[i] = rg_tensor_int(t, i);
        if (out[i] < RG_DIM_FIRST) return;
    }
    rg_set_known(s, 0, out, (uint32_t)t->count);
}

static rg_err constant_infer(const rg_site *s)
{
    const rg_attr *a = s->node->attr_count == 1 ? &s->node->attrs[0] : NULL;
    rg_dim count = a ? (rg_dim)a->count : 0;
    uint32_t known_count;

    switch (a ? a->kind : RG_ATTR_NONE) {
    case RG_ATTR_TENSOR:
        rg_set_out(s, 0, rg_type_tensor(a->tensor->dtype, a->tensor->rank, a->tensor->dim));
        follow_tensor(s, a->tensor);
        return RG_OK;
    case RG_ATTR_FLOAT: rg_set_out(s, 0, rg_type_tensor(RG_F32, 0, NULL)); return RG_OK;
    case RG_ATTR_FLOATS: rg_set_out(s, 0, rg_type_tensor(RG_F32, 1, &count)); return RG_OK;
    case RG_ATTR_STRING: rg_set_out(s, 0, rg_type_tensor(RG_STR, 0, NULL)); return RG_OK;
    case RG_ATTR_STRINGS: rg_set_out(s, 0, rg_type_tensor(RG_STR, 1, &count)); return RG_OK;
    case RG_ATTR_INT: {
        rg_dim x = rg_op_int(s, "value_int");
        rg_set_out(s, 0, rg_type_tensor(RG_I64, 0, NULL));
        rg_set_known(s, 0, &x, 1);
        return RG_OK;
    }
    case RG_ATTR_INTS: {
        const int64_t *ints = rg_op_ints(s, "value_ints", &known_count);
        rg_set_out(s, 0, rg_type_tensor(RG_I64, 1, &count));
        rg_set_known(s, 0, ints, known_count);
        return RG_OK;
    }
    default:
        return rg_site_fail(s, RG_FORMAT, "needs one attribute, its value; has %u", s->node->attr_count);
    }
}

static rg_err constant_run(const rg_run *r)
{
    const rg_attr *a = &r->site.node->attrs[0]; /* inference has seen that it is the only one */
    const rg_array *y = rg_result(r, 0);
    rg_datum *datum;
    if (a->kind == RG_ATTR_TENSOR) {
        RG_TRY(rg_datum_of(r->site.cx, a->tensor, &datum));
        rg_give_result(r, 0, datum);
        return RG_OK;
    }
    for (int64_t i = 0; i < y->count; i++) {
        switch (a->kind) {
        case RG_ATTR_FLOAT: rg_put(y, i, a->f); break;
        case RG_ATTR_FLOATS: rg_put(y, i, a->floats[i]); break;
        case RG_ATTR_INT: rg_put_int(y, i, a->i); break;
        case RG_ATTR_INTS: rg_put_int(y, i, a->ints[i]); break;
        case RG_ATTR_STRING: ((rg_str *)y->data)[i] = a->s; break;
        case RG_ATTR_STRINGS: ((rg_str *)y->data)[i] = a->strings[i]; break;
        default: break; /* refused by inference */
        }
    }
    return RG_OK;
}

RG_OP(constant) = {
    .name = "Constant", .brief = "a tensor that the model states", .since = 25,
    .in_min = 0, .in_max = 0, .out_min = 1, .out_max = 1, .traits = RG_VIEW,
    RG_SPEC(constant_attrs) RG_CASES(constant_cases)
    .infer = constant_infer, .run = constant_run,
};

/* ---- ConstantOfShape ---- */

static const rg_attr_spec constantofshape_attrs[] = {
    {"value", RG_ATTR_TENSOR, NULL, false, "one element: what the tensor is filled with; 0.0f when left out"},
};

static const rg_case constantofshape_cases[] = {
    {"i64[3]=2,3,4", "", "f32[2,3,4]"},
    {"i64[0]", "", "f32[]"},
};

static rg_err constantofshape_infer(const rg_site *s)
{
    const rg_attr *value = rg_node_attr(s->node, "value");
    rg_dtype dtype = value ? value->tensor->dtype : RG_F32;
    rg_dim out[RG_KNOWN_MAX], fill = 0;
    rg_type type;

    if (value && value->tensor->count != 1)
        return rg_site_fail(s, RG_FORMAT, "its value has %lld elements, not 1",
                            (long long)value->tensor->count);
    RG_TRY(rg_type_from_list(s, 0, dtype, &type));
    rg_set_out(s, 0, type);

    int64_t size = rg_known_size(&type);
    if (value && rg_tensor_has_data(value->tensor)) fill = rg_tensor_int(value->tensor, 0);
    if (size < 0 || fill < RG_DIM_FIRST) return RG_OK;
    for (int64_t i = 0; i < size; i++) out[i] = fill;
    rg_set_known(s, 0, out, (uint32_t)size);
    return RG_OK;
}

static rg_err constantofshape_run(const rg_run *r)
{
    const rg_attr *value = rg_node_attr(r->site.node, "value");
    const rg_array *y = rg_result(r, 0);
    double element[2] = {0}; /* of the widest type */
    rg_array fill = {.dtype = y->dtype, .count = 1, .data = element};
    if (value && !rg_tensor_unpack(value->tensor, element))
        return rg_run_fail(r, RG_UNSUPPORTED, "its value, %s, cannot be read", rg_dtype_name(y->dtype));
    for (int64_t i = 0; i < y->count; i++) rg_copy(y, i, &fill, 0);
    return RG_OK;
}

RG_OP(constantofshape) = {
    .name = "ConstantOfShape", .brief = "a tensor of a given shape, filled with one value", .since = 25,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(constantofshape_attrs) RG_CASES(constantofshape_cases)
    .infer = constantofshape_infer, .work = rg_work_copy, .run = constantofshape_run,
};

/* ---- EyeLike ---- */

static const rg_attr_spec eyelike_attrs[] = {
    {"dtype", RG_ATTR_INT, NULL, false, "element type of the result; that of the input when left out"},
    {"k", RG_ATTR_INT, "0", false, "which diagonal holds ones: above (positive) or below the main one"},
};

static const rg_case eyelike_cases[] = {
    {"i32[4,5]", "dtype=1 k=1", "f32[4,5]"},
    {"f32[n,n]", "", "f32[n,n]"},
};

static rg_err eyelike_infer(const rg_site *s)
{
    rg_dtype dtype;

    RG_TRY(rg_need_rank(s, 0, 2, 2));
    RG_TRY(rg_dtype_attr(s, "dtype", rg_in_type(s, 0)->dtype, &dtype));
    rg_set_out(s, 0, rg_type_like(s, 0, dtype));
    return RG_OK;
}

static void eyelike_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->in_byte = 0; /* only the shape is looked at */
    w->weight_byte = 0;
}

static rg_err eyelike_run(const rg_run *r)
{
    const rg_array *y = rg_result(r, 0);
    int64_t columns = y->dim[1], k = rg_op_int(&r->site, "k");
    for (int64_t i = 0; i < y->count; i++) rg_put(y, i, i % columns - i / columns == k);
    return RG_OK;
}

RG_OP(eyelike) = {
    .name = "EyeLike", .brief = "ones on a diagonal, zeros elsewhere", .since = 22,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1,
    RG_SPEC(eyelike_attrs) RG_CASES(eyelike_cases)
    .infer = eyelike_infer, .work = eyelike_work, .run = eyelike_run,
};

/* ---- Range ---- */

static const rg_case range_cases[] = {
    {"i64[]=2 i64[]=11 i64[]=3", "", "i64[3]"},
    {"i32[]=10 i32[]=4 i32[]=-2", "", "i32[3]"},
};

/* ceil((limit - start) / delta), not below 0. False: only the run knows. */
static bool range_count(const rg_site *s, rg_dim start, rg_dim limit, rg_dim delta, rg_dim *out)
{
    rg_dims *dims = rg_site_dims(s);

    if (!rg_dim_is_number(delta) || delta == 0) return false;
    rg_dim span = delta > 0 ? rg_dim_sub(dims, limit, start) : rg_dim_sub(dims, start, limit);
    *out = rg_dim_ceil(dims, span, delta > 0 ? delta : rg_dim_sub(dims, 0, delta));
    *out = rg_dim_max(dims, *out, 0); /* folds away where it can */
    return true;
}

static bool range_real(const rg_site *s, rg_dim *out)
{
    double x[3];

    for (uint32_t i = 0; i < 3; i++) {
        const rg_tensor *t = rg_in_const(s, i);
        if (!t || t->count != 1) return false;
        x[i] = rg_tensor_real(t, 0);
    }
    double count = ceil((x[1] - x[0]) / x[2]);
    if (!(fabs(count) < INT32_MAX)) /* a NaN too */
        return false;
    *out = count > 0 ? (rg_dim)count : 0;
    return true;
}

static rg_err range_infer(const rg_site *s)
{
    rg_dim out[RG_KNOWN_MAX], count;
    const rg_dim *arg[3];
    uint32_t n;
    bool known = true;
    rg_dtype dtype;

    RG_TRY(rg_need_dtype(s, 0, 3, &dtype));
    for (uint32_t i = 0; i < 3; i++) {
        arg[i] = rg_in_known(s, i, &n);
        known = known && arg[i] && n == 1;
    }
    if (known ? !range_count(s, arg[0][0], arg[1][0], arg[2][0], &count) : !range_real(s, &count))
        count = rg_dim_open(s, 1);
    rg_set_out(s, 0, rg_type_tensor(dtype, 1, &count));
    if (!known || !rg_dim_is_number(count) || count > RG_KNOWN_MAX) return RG_OK;
    for (rg_dim k = 0; k < count; k++)
        out[k] = rg_dim_add(rg_site_dims(s), arg[0][0], rg_dim_mul(rg_site_dims(s), k, arg[2][0]));
    rg_set_known(s, 0, out, (uint32_t)count);
    return RG_OK;
}

static void range_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 2, 0); }

static rg_err range_run(const rg_run *r)
{
    const rg_array *start = rg_arg(r, 0), *delta = rg_arg(r, 2), *y = rg_result(r, 0);
    for (uint32_t i = 0; i < 3; i++)
        if (rg_arg(r, i)->count != 1)
            return rg_run_fail(r, RG_SHAPE, "input %u has %lld elements, not 1", i,
                               (long long)rg_arg(r, i)->count);
    if (!y)
        return rg_run_fail(r, RG_INPUT, "from %g to %g in steps of %g", rg_get(start, 0),
                           rg_get(rg_arg(r, 1), 0), rg_get(delta, 0));
    for (int64_t i = 0; i < y->count; i++) {
        uint64_t step = (uint64_t)rg_get_int(delta, 0) * (uint64_t)i;
        if (rg_is_whole(y->dtype)) rg_put_int(y, i, (int64_t)((uint64_t)rg_get_int(start, 0) + step));
        else rg_put(y, i, rg_get(start, 0) + (double)i * rg_get(delta, 0));
    }
    return RG_OK;
}

RG_OP(range) = {
    .name = "Range", .brief = "start, start + delta, ... below limit", .since = 11,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1, RG_CASES(range_cases)
    .infer = range_infer, .work = range_work, .run = range_run,
};

/* ---- OneHot ---- */

static const rg_attr_spec onehot_attrs[] = {
    {"axis", RG_ATTR_INT, "-1", false, "where the new axis of size depth stands in the result"},
};

static const rg_case onehot_cases[] = {
    {"i64[2,3] i64[]=10 f32[2]", "", "f32[2,3,10]"},
    {"i64[batch] i64[1]=12 i32[2]", "axis=0", "i32[12,batch]"},
};

/* The depth may be stated as a float. */
static rg_dim onehot_depth(const rg_site *s)
{
    const rg_tensor *t = rg_in_const(s, 1);
    uint32_t count;
    const rg_dim *known = rg_in_known(s, 1, &count);

    if (known && count == 1) return known[0];
    return t && t->count == 1 ? rg_tensor_int(t, 0) : rg_dim_open(s, 1);
}

static rg_err onehot_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    rg_type type = rg_type_tensor(rg_in_type(s, 2)->dtype, -1, NULL);
    int axis;

    for (uint32_t i = 0; i < 3; i++) RG_TRY(rg_need_tensor(s, i));
    if (in->rank >= RG_RANK_MAX) return rg_site_fail(s, RG_LIMIT, "a rank above %d", RG_RANK_MAX);
    if (in->rank >= 0) {
        type.rank = in->rank + 1;
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), type.rank, &axis));
        for (int k = 0; k < type.rank; k++)
            type.dim[k] = k == axis ? onehot_depth(s) : in->dim[k - (k > axis)];
    }
    rg_set_out(s, 0, type);
    return RG_OK;
}

/* A negative index counts from the end; one outside of the depth switches nothing on. */
static rg_err onehot_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *values = rg_arg(r, 2), *y = rg_result(r, 0);
    int axis;
    if (values->count != 2)
        return rg_run_fail(r, RG_SHAPE, "%lld values, not off and on", (long long)values->count);
    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "axis"), x->rank + 1, &axis));
    if (!y)
        return rg_run_fail(r, RG_SHAPE, "the depth has %lld elements, not 1", (long long)rg_arg(r, 1)->count);
    int64_t depth = y->dim[axis], step = rg_array_size(x, axis, x->rank);
    for (int64_t i = 0; i < y->count; i++) {
        int64_t index = rg_get_int(x, i / step / depth * step + i % step);
        bool on = (index < 0 ? index + depth : index) == i / step % depth;
        rg_copy(y, i, values, on);
    }
    return RG_OK;
}

RG_OP(onehot) = {
    .name = "OneHot", .brief = "indices as vectors with a single on-value", .since = 11,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(onehot_attrs) RG_CASES(onehot_cases)
    .infer = onehot_infer, .work = rg_work_copy, .run = onehot_run,
};
