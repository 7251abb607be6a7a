/* activation.c - elementwise functions that networks put behind a convolution or a product, and Clip.
 *
 * A row of the list is an operator. flop and special are per element: a sigmoid, tanh, exp, log, erf or
 * division is one special function, what surrounds it is additions, products and comparisons. `formula` is
 * the element y of x; a and b are the first two attributes of the row's list.
 */
#include "op/ordering.h"
#include "op/share.h"

#include <math.h>

enum { GATE = RG_ELEMENTWISE | RG_IN_PLACE | RG_ACTIVATION };

static const rg_attr_spec celu_attrs[] = {
    {"alpha", RG_ATTR_FLOAT, "1.0", false, "scale of the negative side"},
};
static const rg_attr_spec elu_attrs[] = {
    {"alpha", RG_ATTR_FLOAT, "1.0", false, "limit of the negative side"},
};
static const rg_attr_spec gelu_attrs[] = {
    {"approximate", RG_ATTR_STRING, "none", false, "none: by erf; tanh: the approximation by tanh"},
};
static const rg_attr_spec hardsigmoid_attrs[] = {
    {"alpha", RG_ATTR_FLOAT, "0.2", false, "slope"},
    {"beta", RG_ATTR_FLOAT, "0.5", false, "value at 0"},
};
static const rg_attr_spec leakyrelu_attrs[] = {{"alpha", RG_ATTR_FLOAT, "0.01", false, "slope below 0"}};
static const rg_attr_spec selu_attrs[] = {
    {"alpha", RG_ATTR_FLOAT, "1.67326319217681884765625", false, "limit of the negative side, before gamma"},
    {"gamma", RG_ATTR_FLOAT, "1.05070102214813232421875", false, "scale of both sides"},
};
static const rg_attr_spec shrink_attrs[] = {
    {"bias", RG_ATTR_FLOAT, "0.0", false, "how far values outside are moved towards 0"},
    {"lambd", RG_ATTR_FLOAT, "0.5", false, "values within +-lambd become 0"},
};
static const rg_attr_spec swish_attrs[] = {
    {"alpha", RG_ATTR_FLOAT, "1.0", false, "factor inside the sigmoid"},
};
static const rg_attr_spec thresholdedrelu_attrs[] = {
    {"alpha", RG_ATTR_FLOAT, "1.0", false, "values up to it become 0"},
};

static const rg_case any_cases[] = {
    {"f32[2,3]", "", "f32[2,3]"},
    {"f16[batch,8,7,7]", "", "f16[batch,8,7,7]"},
};
static const rg_case alpha_cases[] = {{"f32[2,3]", "", "f32[2,3]"}, {"f32[4]", "alpha=2.0", "f32[4]"}};
static const rg_case gelu_cases[] = {{"f32[3,4]", "approximate=\"tanh\"", "f32[3,4]"}};
static const rg_case shrink_cases[] = {{"f32[5]", "bias=1.5 lambd=1.5", "f32[5]"}};

/* ---- one element, at run time ---- */

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
/* In the form that does not overflow. */
static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double elu(double x, double alpha) { return x > 0 || isnan(x) ? x : alpha * expm1(x); }
static double celu(double x, double alpha) { return x > 0 || isnan(x) ? x : alpha * expm1(x / alpha); }
static double between(double x, double low, double high) { return x < low ? low : x > high ? high : x; }
static double hard_sigmoid(double x, double slope, double shift) { return between(slope * x + shift, 0, 1); }

static double gelu(double x, bool by_tanh)
{
    const double root_2 = 1.41421356237309504880, root_2_over_pi = 0.79788456080286535588;
    double inner = by_tanh ? tanh(root_2_over_pi * (x + 0.044715 * x * x * x)) : erf(x / root_2);
    return x * 0.5 * (1 + inner);
}

static double shrink(double x, double bias, double lambd)
{
    return x < -lambd ? x + bias : x > lambd ? x - bias : isnan(x) ? x : 0;
}

/* The value of the row's i-th attribute; of a choice between two texts, whether it is not the preset. */
static double parameter(const rg_site *s, size_t i)
{
    const rg_op *op = s->node->op;
    const rg_attr_spec *spec = i < op->attr_count ? &op->attrs[i] : NULL;
    if (!spec) return 0;
    return spec->kind == RG_ATTR_FLOAT ? rg_op_real(s, spec->name)
                                       : !rg_str_is(rg_op_str(s, spec->name), spec->preset);
}

/*    id  ONNX name  opset flop special  attributes  cases  formula  brief */
#define ACTIVATION_LIST(X)                                                                                   \
    X(celu,            "Celu",            12, 4, 2, RG_SPEC(celu_attrs), alpha_cases, celu(x, a),            \
      "max(x, 0) + min(0, alpha (exp(x / alpha) - 1))")                                                      \
    X(elu,             "Elu",             22, 3, 1, RG_SPEC(elu_attrs), alpha_cases, elu(x, a),              \
      "x, or alpha (exp(x) - 1) below 0")                                                                    \
    X(gelu,            "Gelu",            20, 4, 1, RG_SPEC(gelu_attrs), gelu_cases, gelu(x, a != 0),        \
      "x times the normal distribution function of x")                                                       \
    X(hardsigmoid,     "HardSigmoid",     22, 4, 0, RG_SPEC(hardsigmoid_attrs), alpha_cases,                 \
      hard_sigmoid(x, a, b), "alpha x + beta, clipped to 0..1")                                              \
    X(hardswish,       "HardSwish",       22, 5, 0, RG_PLAIN, any_cases, x * hard_sigmoid(x, 1.0 / 6, 0.5),  \
      "x HardSigmoid(x), slope 1/6")                                                                         \
    X(leakyrelu,       "LeakyRelu",       16, 2, 0, RG_SPEC(leakyrelu_attrs), alpha_cases,                   \
      x < 0 ? a * x : x, "x, or alpha x below 0")                                                            \
    X(mish,            "Mish",            22, 2, 3, RG_PLAIN, any_cases, x * tanh(softplus(x)),              \
      "x tanh(log(1 + exp(x)))")                                                                             \
    X(relu,            "Relu",            14, 1, 0, RG_PLAIN, any_cases, x < 0 ? 0 : x, "max(x, 0)")         \
    X(selu,            "Selu",            22, 4, 1, RG_SPEC(selu_attrs), any_cases, b * elu(x, a),           \
      "gamma times Elu(x): keeps mean and variance")                                                         \
    X(shrink,          "Shrink",           9, 3, 0, RG_SPEC(shrink_attrs), shrink_cases, shrink(x, a, b),    \
      "0 near 0, moved by bias elsewhere")                                                                   \
    X(softplus,        "Softplus",        22, 1, 2, RG_PLAIN, any_cases, softplus(x), "log(1 + exp(x))")     \
    X(softsign,        "Softsign",        22, 2, 1, RG_PLAIN, any_cases, x / (1 + fabs(x)), "x / (1 + |x|)") \
    X(swish,           "Swish",           24, 2, 1, RG_SPEC(swish_attrs), alpha_cases, x * sigmoid(a * x),   \
      "x sigmoid(alpha x)")                                                                                  \
    X(thresholdedrelu, "ThresholdedRelu", 22, 1, 0, RG_SPEC(thresholdedrelu_attrs), alpha_cases,             \
      x > a || isnan(x) ? x : 0, "x above alpha, else 0")

#define X(id, onnx, opset, flops, specials, spec, examples, formula, words)                                 \
    static void id##_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, flops, specials); }        \
    static rg_err id##_run(const rg_run *r)                                                                 \
    {                                                                                                       \
        const rg_array *from = rg_arg(r, 0), *y = rg_result(r, 0);                                          \
        const double a = parameter(&r->site, 0), b = parameter(&r->site, 1);                                \
        for (int64_t i = 0; i < y->count; i++) {                                                            \
            const double x = rg_get(from, i), value = formula;                                              \
            if (value == x) rg_copy(y, i, from, i); /* an i64 has more digits than a double */              \
            else rg_put(y, i, value);                                                                       \
        }                                                                                                   \
        (void)a, (void)b;                                                                                   \
        return RG_OK;                                                                                       \
    }                                                                                                       \
    RG_OP(id) = {                                                                                           \
        .name = onnx, .brief = words, .since = opset, .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, \
        .traits = GATE, spec RG_CASES(examples)                                                             \
        .infer = rg_infer_same, .work = id##_work, .run = id##_run, .upgrade = rg_upgrade_plain,            \
    };
ACTIVATION_LIST(X)
#undef X

/* ---- PRelu: a slope per channel or per element ---- */

static const rg_case prelu_cases[] = {
    {"f32[2,3,4,4] f32[3,1,1]", "", "f32[2,3,4,4]"},
    {"f32[batch,8] f32[8]", "", "f32[batch,8]"},
};

static rg_err prelu_infer(const rg_site *s)
{
    rg_dtype dtype;
    rg_type type;

    RG_TRY(rg_need_dtype(s, 0, 2, &dtype));
    RG_TRY(rg_broadcast(s, rg_in_type(s, 0), rg_in_type(s, 1), &type));
    rg_set_out(s, 0, rg_type_like(s, 0, dtype));
    return RG_OK;
}

static void prelu_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 2, 0); }

/* Up to opset 6 the slope was one number or a list of one per channel, axis 1. */
static rg_err prelu_upgrade(const rg_site *s)
{
    rg_site_drop_attr(s, "consumed_inputs");
    const rg_type *slope = rg_in_type(s, 1);
    bool per_channel = slope->rank == 1 && slope->dim[0] != 1;
    return s->node->version < 7 && per_channel ? rg_upgrade_align(s, 1, 1) : RG_OK;
}

static rg_err prelu_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *slope = rg_arg(r, 1), *y = rg_result(r, 0);
    int64_t stride[RG_RANK_MAX], index[RG_RANK_MAX] = {0};
    rg_broadcast_strides(slope, y->rank, y->dim, stride);
    for (int64_t i = 0; i < y->count; i++, rg_index_next(y->rank, y->dim, index)) {
        int64_t at = rg_index_at(y->rank, index, stride);
        if (rg_is_whole(x->dtype)) {
            int64_t n = rg_get_int(x, i);
            bool below = rg_whole_less(x->dtype, n, 0);
            rg_put_int(y, i, below ? (int64_t)((uint64_t)n * (uint64_t)rg_get_int(slope, at)) : n);
        } else {
            double v = rg_get(x, i);
            rg_put(y, i, v < 0 ? v * rg_get(slope, at) : v);
        }
    }
    return RG_OK;
}

RG_OP(prelu) = {
    .name = "PRelu", .brief = "x, or slope x below 0, the slope learned", .since = 16,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, .traits = GATE, RG_CASES(prelu_cases)
    .infer = prelu_infer, .work = prelu_work, .run = prelu_run, .upgrade = prelu_upgrade,
};

/* ---- SwiGLU: a gate times a value ---- */

static const rg_case swiglu_cases[] = {
    {"f16[batch,seq,11008] f16[batch,seq,11008]", "", "f16[batch,seq,11008]"},
};

static rg_err swiglu_infer(const rg_site *s)
{
    const rg_type *gate = rg_in_type(s, 0), *value = rg_in_type(s, 1);
    rg_dtype dtype;
    rg_dim same;

    RG_TRY(rg_need_dtype(s, 0, 2, &dtype));
    if (gate->rank >= 0 && value->rank >= 0 && gate->rank != value->rank)
        return rg_site_fail(s, RG_SHAPE, "a gate of rank %d, a value of rank %d", gate->rank, value->rank);
    for (int k = 0; k < gate->rank && value->rank >= 0; k++)
        RG_TRY(rg_need_equal(s, "sizes of gate and value", gate->dim[k], value->dim[k], &same));
    return rg_infer_same(s);
}

static void swiglu_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 3, 1); }

static rg_err swiglu_run(const rg_run *r)
{
    const rg_array *gate = rg_arg(r, 0), *value = rg_arg(r, 1), *y = rg_result(r, 0);
    double alpha = rg_op_real(&r->site, "alpha");
    for (int64_t i = 0; i < y->count; i++) {
        double x = rg_get(gate, i);
        rg_put(y, i, x * sigmoid(alpha * x) * rg_get(value, i));
    }
    return RG_OK;
}

RG_OP(swiglu) = {
    .name = "SwiGLU", .brief = "Swish of the first input times the second", .since = 28,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE | RG_IN_PLACE,
    RG_SPEC(swish_attrs) RG_CASES(swiglu_cases) .infer = swiglu_infer, .work = swiglu_work,
    .run = swiglu_run,
};

/* ---- Clip: the limits are inputs, either may be left out ---- */

static const rg_case clip_cases[] = {
    {"f32[2,3] f32[] f32[]", "", "f32[2,3]"},
    {"f16[batch,96,7,7]", "", "f16[batch,96,7,7]"},
    {"i64[2]=-3,9 i64[]=0 i64[]=5", "", "i64[2]"},
};

static rg_err clip_infer(const rg_site *s)
{
    rg_dims *dims = rg_site_dims(s);
    rg_dim out[RG_KNOWN_MAX];
    uint32_t count, low_count = 0, high_count = 0;

    RG_TRY(rg_infer_same(s));
    const rg_dim *in = rg_in_known(s, 0, &count), *low = rg_in_known(s, 1, &low_count);
    const rg_dim *high = rg_in_known(s, 2, &high_count);
    if (!in || (rg_has_in(s, 1) && low_count != 1) || (rg_has_in(s, 2) && high_count != 1))
        return RG_OK;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = low_count ? rg_dim_max(dims, in[i], low[0]) : in[i];
        out[i] = high_count ? rg_dim_min(dims, out[i], high[0]) : out[i];
    }
    rg_set_known(s, 0, out, count);
    return RG_OK;
}

static void clip_work(const rg_site *s, rg_work *w)
{
    rg_work_elements(s, w, rg_has_in(s, 1) + rg_has_in(s, 2), 0);
}

/* Up to opset 10 the limits were attributes. */
static rg_err clip_upgrade(const rg_site *s)
{
    rg_site_drop_attr(s, "consumed_inputs");
    RG_TRY(rg_attr_to_input(s, "min", 1));
    return rg_attr_to_input(s, "max", 2);
}

/* A limit is one element; left out or empty, there is none. */
static const rg_array *limit(const rg_run *r, uint32_t i)
{
    const rg_array *a = rg_arg(r, i);
    return a && a->count ? a : NULL;
}

/* min(max(x, low), high): high wins where they cross. NaN stays. */
static rg_err clip_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0), *low = limit(r, 1), *high = limit(r, 2);
    rg_dtype dtype = x->dtype;
    if ((low && low->dtype != dtype) || (high && high->dtype != dtype))
        return rg_run_fail(r, RG_SHAPE, "a limit is not of the input's type, %s", rg_dtype_name(dtype));
    for (int64_t i = 0; i < y->count; i++) {
        bool raise = low && rg_order(x, i, low, 0) < 0;
        const rg_array *from = raise ? low : x;
        int64_t at = raise ? 0 : i;
        bool is_nan = !rg_is_whole(dtype) && isnan(rg_get(from, at));
        bool lower = high && !is_nan && rg_order(from, at, high, 0) > 0;
        rg_copy(y, i, lower ? high : from, lower ? 0 : at);
    }
    return RG_OK;
}

RG_OP(clip) = {
    .name = "Clip", .brief = "limited to min..max", .since = 13,
    .in_min = 1, .in_max = 3, .out_min = 1, .out_max = 1, .traits = GATE, RG_CASES(clip_cases)
    .infer = clip_infer, .work = clip_work, .run = clip_run, .upgrade = clip_upgrade,
};
