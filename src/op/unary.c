/* unary.c - the one-input elementwise family: a row of the list is a whole operator.
 *
 * flop and special are per element (see rg_work). Integer results that shapes are made of are followed
 * element by element: `known` says what one element becomes. `real` and `whole` are what the kernel makes of
 * a float and of an integer or bool; without `whole` integers go through `real`, without `real` floats are
 * refused.
 */
#include "op/ordering.h"
#include "op/share.h"

#include <math.h>

typedef bool known_fn(rg_dims *dims, rg_dim x, rg_dim *out);

static bool known_abs(rg_dims *dims, rg_dim x, rg_dim *out)
{
    *out = rg_dim_is_number(x) && x < 0 ? -x : x;
    return rg_dim_is_number(x) || rg_dim_low(dims, x) >= 0;
}

static bool known_neg(rg_dims *dims, rg_dim x, rg_dim *out)
{
    *out = rg_dim_sub(dims, 0, x);
    return true;
}

static bool known_not(rg_dims *dims, rg_dim x, rg_dim *out)
{
    (void)dims;
    *out = x == 0;
    return rg_dim_is_number(x);
}

static bool known_same(rg_dims *dims, rg_dim x, rg_dim *out)
{
    (void)dims;
    *out = x;
    return true;
}

static bool known_sign(rg_dims *dims, rg_dim x, rg_dim *out)
{
    *out = rg_dim_is_number(x) ? (x > 0) - (x < 0) : 1;
    return rg_dim_is_number(x) || rg_dim_low(dims, x) > 0;
}

static rg_err infer_unary(const rg_site *s, rg_dtype dtype, known_fn *known)
{
    rg_dim out[RG_KNOWN_MAX];
    uint32_t count;

    RG_TRY(rg_need_tensor(s, 0));
    if (rg_in_type(s, 0)->dtype == RG_STR)
        return rg_site_fail(s, RG_SHAPE, "input 0 holds strings, not numbers");
    rg_set_out(s, 0, rg_type_like(s, 0, dtype));

    const rg_dim *in = known ? rg_in_known(s, 0, &count) : NULL;
    for (uint32_t i = 0; in && i < count; i++) {
        if (!known(rg_site_dims(s), in[i], &out[i])) return RG_OK;
    }
    if (in) rg_set_known(s, 0, out, count);
    return RG_OK;
}

/* ---- one element, at run time ---- */

typedef double real_fn(double x);
typedef int64_t whole_fn(int64_t x, bool is_signed); /* unsigned: of u64 the bit pattern */

static double real_neg(double x) { return -x; }
static double real_reciprocal(double x) { return 1 / x; }
static double real_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double real_sign(double x) { return isnan(x) ? x : (x > 0) - (x < 0); }
static double real_not(double x) { return x == 0; }
static double real_isnan(double x) { return isnan(x) != 0; }
static double real_isinf(double x) { return isinf(x) != 0; }
static double real_isposinf(double x) { return x == INFINITY; }
static double real_isneginf(double x) { return x == -INFINITY; }
static double real_never(double x)
{
    (void)x;
    return 0;
}

static int64_t whole_same(int64_t x, bool is_signed)
{
    (void)is_signed;
    return x;
}
static int64_t whole_neg(int64_t x, bool is_signed)
{
    (void)is_signed;
    return (int64_t)(0 - (uint64_t)x);
}
static int64_t whole_abs(int64_t x, bool is_signed) { return is_signed && x < 0 ? whole_neg(x, true) : x; }
static int64_t whole_sign(int64_t x, bool is_signed) { return is_signed ? (x > 0) - (x < 0) : x != 0; }
static int64_t whole_not(int64_t x, bool is_signed)
{
    (void)is_signed;
    return x == 0;
}
static int64_t whole_invert(int64_t x, bool is_signed)
{
    (void)is_signed;
    return ~x;
}

static real_fn *isinf_of(const rg_site *s)
{
    static real_fn *const by_sign[2][2] = {{real_never, real_isposinf}, {real_isneginf, real_isinf}};
    return by_sign[rg_op_int(s, "detect_negative") != 0][rg_op_int(s, "detect_positive") != 0];
}

static rg_err run_unary(const rg_run *r, real_fn *real, whole_fn *whole)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    bool is_signed = rg_dtype_class(x->dtype) == 'i';
    if (!real && !rg_is_whole(x->dtype))
        return rg_run_fail(r, RG_SHAPE, "input 0 holds %s, not integers", rg_dtype_name(x->dtype));
    if (whole && rg_is_whole(x->dtype))
        for (int64_t i = 0; i < y->count; i++) rg_put_int(y, i, whole(rg_get_int(x, i), is_signed));
    else
        for (int64_t i = 0; i < y->count; i++) rg_put(y, i, real(rg_get(x, i)));
    return RG_OK;
}

static const rg_attr_spec isinf_attrs[] = {
    {"detect_negative", RG_ATTR_INT, "1", false, "whether -inf counts"},
    {"detect_positive", RG_ATTR_INT, "1", false, "whether +inf counts"},
};

static const rg_case reals[] = {{"f32[5]", "", "f32[5]"}, {"f16[batch,64,56,56]", "", "f16[batch,64,56,56]"}};
static const rg_case signed_ints[] = {{"f32[5]", "", "f32[5]"}, {"i64[2]=-3,4", "", "i64[2]"}};
static const rg_case ints[] = {{"i32[4,5]", "", "i32[4,5]"}};
static const rg_case bools[] = {{"bool[3,4]", "", "bool[3,4]"}};
static const rg_case tests[] = {{"f32[3,4]", "", "bool[3,4]"}, {"f16[n]", "", "bool[n]"}};

enum { PLAIN = RG_ELEMENTWISE | RG_IN_PLACE, CURVE = PLAIN | RG_ACTIVATION };

#define SAME RG_DTYPE_NONE /* the element type of the input */

/*    id        ONNX name  opset flop special traits out known  real  whole  attributes  cases  brief */
#define UNARY_LIST(X)                                                                                        \
    X(abs,        "Abs",        13, 1, 0, PLAIN, SAME, known_abs, fabs, whole_abs, RG_PLAIN, signed_ints,    \
      "absolute value")                                                                                      \
    X(acos,       "Acos",       22, 0, 1, PLAIN, SAME, NULL, acos, NULL, RG_PLAIN, reals, "inverse cosine")  \
    X(acosh,      "Acosh",      22, 0, 1, PLAIN, SAME, NULL, acosh, NULL, RG_PLAIN, reals,                   \
      "inverse of cosh")                                                                                     \
    X(asin,       "Asin",       22, 0, 1, PLAIN, SAME, NULL, asin, NULL, RG_PLAIN, reals, "inverse sine")    \
    X(asinh,      "Asinh",      22, 0, 1, PLAIN, SAME, NULL, asinh, NULL, RG_PLAIN, reals,                   \
      "inverse of sinh")                                                                                     \
    X(atan,       "Atan",       22, 0, 1, PLAIN, SAME, NULL, atan, NULL, RG_PLAIN, reals, "inverse tangent") \
    X(atanh,      "Atanh",      22, 0, 1, PLAIN, SAME, NULL, atanh, NULL, RG_PLAIN, reals,                   \
      "inverse of tanh")                                                                                     \
    X(bitwisenot, "BitwiseNot", 18, 1, 0, PLAIN, SAME, NULL, NULL, whole_invert, RG_PLAIN, ints,             \
      "every bit inverted")                                                                                  \
    X(ceil,       "Ceil",       13, 1, 0, PLAIN, SAME, known_same, ceil, whole_same, RG_PLAIN, reals,        \
      "rounded up")                                                                                          \
    X(cos,        "Cos",        22, 0, 1, PLAIN, SAME, NULL, cos, NULL, RG_PLAIN, reals, "cosine")           \
    X(cosh,       "Cosh",       22, 0, 1, PLAIN, SAME, NULL, cosh, NULL, RG_PLAIN, reals,                    \
      "hyperbolic cosine")                                                                                   \
    X(erf,        "Erf",        13, 0, 1, PLAIN, SAME, NULL, erf, NULL, RG_PLAIN, reals,                     \
      "Gauss error function")                                                                                \
    X(exp,        "Exp",        13, 0, 1, PLAIN, SAME, NULL, exp, NULL, RG_PLAIN, reals, "exponential")      \
    X(floor,      "Floor",      13, 1, 0, PLAIN, SAME, known_same, floor, whole_same, RG_PLAIN, reals,       \
      "rounded down")                                                                                        \
    X(isinf,      "IsInf",      20, 1, 0, RG_ELEMENTWISE, RG_BOOL, NULL, isinf_of(&r->site), NULL,           \
      RG_SPEC(isinf_attrs), tests, "where an element is infinite")                                           \
    X(isnan,      "IsNaN",      20, 1, 0, RG_ELEMENTWISE, RG_BOOL, NULL, real_isnan, NULL, RG_PLAIN, tests,  \
      "where an element is not a number")                                                                    \
    X(log,        "Log",        13, 0, 1, PLAIN, SAME, NULL, log, NULL, RG_PLAIN, reals,                     \
      "natural logarithm")                                                                                   \
    X(neg,        "Neg",        13, 1, 0, PLAIN, SAME, known_neg, real_neg, whole_neg, RG_PLAIN,             \
      signed_ints, "negated")                                                                                \
    X(not,        "Not",         1, 1, 0, PLAIN, SAME, known_not, real_not, whole_not, RG_PLAIN, bools,      \
      "logical not")                                                                                         \
    X(reciprocal, "Reciprocal", 13, 0, 1, PLAIN, SAME, NULL, real_reciprocal, NULL, RG_PLAIN, reals,         \
      "1 / x")                                                                                               \
    X(round,      "Round",      22, 1, 0, PLAIN, SAME, NULL, nearbyint, whole_same, RG_PLAIN, reals,         \
      "nearest, ties even")                                                                                  \
    X(sigmoid,    "Sigmoid",    13, 0, 1, CURVE, SAME, NULL, real_sigmoid, NULL, RG_PLAIN, reals,            \
      "1 / (1 + exp(-x))")                                                                                   \
    X(sign,       "Sign",       13, 1, 0, PLAIN, SAME, known_sign, real_sign, whole_sign, RG_PLAIN,          \
      signed_ints, "-1, 0 or 1")                                                                             \
    X(sin,        "Sin",        22, 0, 1, PLAIN, SAME, NULL, sin, NULL, RG_PLAIN, reals, "sine")             \
    X(sinh,       "Sinh",       22, 0, 1, PLAIN, SAME, NULL, sinh, NULL, RG_PLAIN, reals, "hyperbolic sine") \
    X(sqrt,       "Sqrt",       13, 0, 1, PLAIN, SAME, NULL, sqrt, NULL, RG_PLAIN, reals, "square root")     \
    X(tan,        "Tan",        22, 0, 1, PLAIN, SAME, NULL, tan, NULL, RG_PLAIN, reals, "tangent")          \
    X(tanh,       "Tanh",       13, 0, 1, CURVE, SAME, NULL, tanh, NULL, RG_PLAIN, reals,                    \
      "hyperbolic tangent")

#define X(id, onnx, opset, flops, specials, flags, out, known, real, whole, spec, examples, words)          \
    static rg_err id##_infer(const rg_site *s) { return infer_unary(s, out, known); }                       \
    static void id##_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, flops, specials); }        \
    static rg_err id##_run(const rg_run *r) { return run_unary(r, real, whole); }                           \
    RG_OP(id) = {                                                                                           \
        .name = onnx, .brief = words, .since = opset, .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, \
        .traits = flags, spec RG_CASES(examples)                                                            \
        .infer = id##_infer, .work = id##_work, .run = id##_run, .upgrade = rg_upgrade_plain,               \
    };
UNARY_LIST(X)
#undef X
