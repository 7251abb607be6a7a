/* binary.c - elementwise operators of two or more inputs, which broadcast as numpy does: ranks are aligned at
 * the last dimension, a dimension of 1 repeats.
 *
 * A row of a list is an operator. Integer results are followed element by element, since shapes are computed
 * with them: `known` combines two elements, and answers false where only the run can tell. `real` and `whole`
 * combine two floats and two integers or bools in the kernel; without `real` floats are refused.
 */
#include "op/ordering.h"
#include "op/share.h"

#include <math.h>

typedef bool known_fn(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out);

/* ---- one element of two ---- */

static bool known_add(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    *out = rg_dim_add(dims, a, b);
    return true;
}

static bool known_sub(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    *out = rg_dim_sub(dims, a, b);
    return true;
}

static bool known_mul(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    *out = rg_dim_mul(dims, a, b);
    return true;
}

static bool known_max(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    *out = rg_dim_max(dims, a, b);
    return true;
}

static bool known_min(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    *out = rg_dim_min(dims, a, b);
    return true;
}

static bool numbers(rg_dim a, rg_dim b) { return rg_dim_is_number(a) && rg_dim_is_number(b); }

/* Integer division drops the fraction, sizes floor it: the same for what is not negative. */
static bool known_div(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    if (b == 0) return false;
    if (numbers(a, b)) {
        *out = a / b;
        return true;
    }
    *out = rg_dim_div(dims, a, b);
    return rg_dim_low(dims, a) >= 0 && rg_dim_low(dims, b) > 0;
}

/* The result has the sign of the divisor, which a - floor(a / b) b has too. */
static bool known_mod(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    if (b == 0) return false;
    if (numbers(a, b)) {
        *out = a % b;
        if (*out != 0 && (*out < 0) != (b < 0)) *out += b;
        return true;
    }
    *out = rg_dim_sub(dims, a, rg_dim_mul(dims, rg_dim_div(dims, a, b), b));
    return rg_dim_low(dims, b) > 0;
}

/* a < b, where numbers or the ranges of symbols decide it. */
static bool known_less(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    bool below = rg_dim_is_number(a) && a < rg_dim_low(dims, b);
    bool above = rg_dim_is_number(b) && rg_dim_low(dims, a) >= b;

    *out = numbers(a, b) ? a < b : below;
    return numbers(a, b) || a == b || below || above;
}

static bool known_greater(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    return known_less(dims, b, a, out);
}

static bool known_less_equal(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    bool decided = known_less(dims, b, a, out);
    *out = !*out;
    return decided;
}

static bool known_greater_equal(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    return known_less_equal(dims, b, a, out);
}

/* Exporters compare sizes with -1: a symbol's range answers that. */
static bool known_equal(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    rg_dim less = 0, greater = 0;
    bool apart = (known_less(dims, a, b, &less) && less) || (known_less(dims, b, a, &greater) && greater);

    *out = a == b;
    return a == b || numbers(a, b) || apart;
}

static bool known_and(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    (void)dims;
    *out = a && b;
    return numbers(a, b);
}

static bool known_or(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    (void)dims;
    *out = a || b;
    return numbers(a, b);
}

static bool known_xor(rg_dims *dims, rg_dim a, rg_dim b, rg_dim *out)
{
    (void)dims;
    *out = !a != !b;
    return numbers(a, b);
}

/* ---- inference ---- */

/* out[i] = known(... known(in0[i], in1[i]), ...); nothing is set when one element is undecided. */
static void follow(const rg_site *s, const rg_type *type, known_fn *known)
{
    rg_dim out[RG_KNOWN_MAX], next[RG_KNOWN_MAX];
    int64_t size = rg_known_size(type);

    if (!known || !rg_known_broadcast(s, 0, type, out)) return;
    for (uint32_t i = 1; i < s->node->in_count; i++) {
        if (!rg_known_broadcast(s, i, type, next)) return;
        for (int64_t k = 0; k < size; k++) {
            if (!known(rg_site_dims(s), out[k], next[k], &out[k])) return;
        }
    }
    rg_set_known(s, 0, out, (uint32_t)size);
}

static rg_err infer_broadcast(const rg_site *s, rg_dtype out, known_fn *known)
{
    rg_dtype dtype;
    rg_type type;

    RG_TRY(rg_need_dtype(s, 0, s->node->in_count, &dtype));
    type = rg_type_like(s, 0, dtype);
    for (uint32_t i = 1; i < s->node->in_count; i++) {
        RG_TRY(rg_broadcast(s, &type, rg_in_type(s, i), &type));
    }
    type.dtype = out ? out : dtype;
    rg_set_out(s, 0, type);
    follow(s, &type, known);
    return RG_OK;
}

/* Up to opset 6 input 1 was broadcast only when `broadcast` said so, and began at `axis` of input 0. */
static rg_err upgrade_axis(const rg_site *s)
{
    const rg_attr *axis = rg_node_attr(s->node, "axis");

    if (s->node->version < 7 && axis && axis->kind == RG_ATTR_INT)
        RG_TRY(rg_upgrade_align(s, 1, axis->i));
    rg_site_drop_attr(s, "axis");
    rg_site_drop_attr(s, "broadcast");
    return rg_upgrade_plain(s);
}

/* ---- one element, at run time ---- */

typedef double real_fn(double a, double b);
/* Integers wrap; those of u64 come and go as bit patterns. */
typedef int64_t whole_fn(rg_dtype dtype, int64_t a, int64_t b);

#define REAL(name, expr)  static double real_##name(double a, double b) { return (expr); }
#define WHOLE(name, expr) \
    static int64_t whole_##name(rg_dtype t, int64_t a, int64_t b) { return (void)t, (int64_t)(expr); }

REAL(add, a + b)
REAL(sub, a - b)
REAL(mul, a * b)
REAL(div, a / b)
REAL(equal, a == b)
REAL(greater, a > b)
REAL(greater_equal, a >= b)
REAL(less, a < b)
REAL(less_equal, a <= b)
REAL(max, isnan(a) ? a : isnan(b) || b > a ? b : a) /* NaN wins, as in numpy */
REAL(min, isnan(a) ? a : isnan(b) || b < a ? b : a)
REAL(and, a != 0 && b != 0)
REAL(or, a != 0 || b != 0)
REAL(xor, (a != 0) != (b != 0))

WHOLE(add, (uint64_t)a + (uint64_t)b)
WHOLE(sub, (uint64_t)a - (uint64_t)b)
WHOLE(mul, (uint64_t)a * (uint64_t)b)
WHOLE(equal, a == b)
WHOLE(greater, rg_whole_less(t, b, a))
WHOLE(greater_equal, !rg_whole_less(t, a, b))
WHOLE(less, rg_whole_less(t, a, b))
WHOLE(less_equal, !rg_whole_less(t, b, a))
WHOLE(max, rg_whole_less(t, a, b) ? b : a)
WHOLE(min, rg_whole_less(t, b, a) ? b : a)
WHOLE(and, a && b)
WHOLE(or, a || b)
WHOLE(xor, !a != !b)
WHOLE(bitwise_and, a & b)
WHOLE(bitwise_or, a | b)
WHOLE(bitwise_xor, a ^ b)
WHOLE(left, (uint64_t)b < 64 ? (uint64_t)a << b : 0)
WHOLE(right, (uint64_t)b < 64 ? (uint64_t)a >> b : 0)

/* Towards zero. ONNX leaves division by zero open: it gives 0 here, and never a trap; nor does -2^63 / -1. */
static int64_t whole_div(rg_dtype dtype, int64_t a, int64_t b)
{
    if (b == 0) return 0;
    if (dtype == RG_U64) return (int64_t)((uint64_t)a / (uint64_t)b);
    return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t whole_fmod(rg_dtype dtype, int64_t a, int64_t b)
{
    if (b == 0) return 0;
    if (dtype == RG_U64) return (int64_t)((uint64_t)a % (uint64_t)b);
    return b == -1 ? 0 : a % b;
}

/* With the sign of the divisor. */
static int64_t whole_mod(rg_dtype dtype, int64_t a, int64_t b)
{
    int64_t rest = whole_fmod(dtype, a, b);
    return dtype != RG_U64 && rest && (rest < 0) != (b < 0) ? rest + b : rest;
}

static double real_mod(double a, double b)
{
    double rest = fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/* ---- kernels ---- */

static bool equal_strings(const rg_array *const *x, const int64_t *at)
{
    return rg_str_eq(rg_get_str(x[0], at[0]), rg_get_str(x[1], at[1]));
}

/* out[i] = f(... f(in0[i], in1[i]), ...) / divisor, every input broadcast to the output. */
static rg_err run_broadcast(const rg_run *r, real_fn *real, whole_fn *whole, double divisor)
{
    const rg_array *y = rg_result(r, 0);
    uint32_t count = r->site.node->in_count;
    const rg_array **x = RG_NEW(r->scratch, const rg_array *, count);
    int64_t(*stride)[RG_RANK_MAX] = rg_arena_array(r->scratch, count, sizeof(*stride));
    int64_t *at = RG_NEW(r->scratch, int64_t, count), index[RG_RANK_MAX] = {0};
    if (!x || !stride || !at) return rg_nomem(r->site.cx);
    for (uint32_t k = 0; k < count; k++) {
        x[k] = rg_arg(r, k);
        if (!x[k]) return rg_run_fail(r, RG_INPUT, "input %u is left out", k);
    }
    for (uint32_t k = 0; k < count; k++) rg_broadcast_strides(x[k], y->rank, y->dim, stride[k]);
    rg_dtype dtype = x[0]->dtype;
    if (!real && !rg_is_whole(dtype))
        return rg_run_fail(r, RG_SHAPE, "input 0 holds %s, not integers", rg_dtype_name(dtype));
    for (int64_t i = 0; i < y->count; i++, rg_index_next(y->rank, y->dim, index)) {
        for (uint32_t k = 0; k < count; k++) at[k] = rg_index_at(y->rank, index, stride[k]);
        if (dtype == RG_STR) {
            rg_put_int(y, i, equal_strings(x, at));
        } else if (whole && rg_is_whole(dtype)) {
            int64_t sum = rg_get_int(x[0], at[0]);
            for (uint32_t k = 1; k < count; k++) sum = whole(dtype, sum, rg_get_int(x[k], at[k]));
            rg_put_int(y, i, sum);
        } else {
            double sum = rg_get(x[0], at[0]);
            for (uint32_t k = 1; k < count; k++) sum = real(sum, rg_get(x[k], at[k]));
            rg_put(y, i, divisor == 1 ? sum : sum / divisor);
        }
    }
    return RG_OK;
}

/* ---- two inputs ---- */

static const rg_attr_spec mod_attrs[] = {
    {"fmod", RG_ATTR_INT, "0", false, "1: the sign of the dividend, as C's fmod; 0: of the divisor"},
};
static whole_fn *shift_of(const rg_run *r)
{
    return rg_str_is(rg_op_str(&r->site, "direction"), "LEFT") ? whole_left : whole_right;
}

static const rg_attr_spec bitshift_attrs[] = {
    {"direction", RG_ATTR_STRING, NULL, true, "LEFT or RIGHT"},
};

static const rg_case sums[] = {
    {"f32[2,3,4] f32[2,3,4]", "", "f32[2,3,4]"},
    {"f32[batch,64,8,8] f32[64,1,1]", "", "f32[batch,64,8,8]"},
    {"f16[4,1] f16[5]", "", "f16[4,5]"},
    {"i64[3]=7,8,9 i64[]=2", "", "i64[3]"},
};
static const rg_case tests[] = {
    {"f32[2,3] f32[3]", "", "bool[2,3]"},
    {"i64[2]=1,2 i64[2]=1,3", "", "bool[2]"},
};
static const rg_case bools[] = {
    {"bool[3,4] bool[4]", "", "bool[3,4]"},
    {"bool[]=1 bool[]=0", "", "bool[]"},
};
static const rg_case words[] = {{"u8[4,5] u8[5]", "", "u8[4,5]"}};
static const rg_case shifts[] = {{"u16[3] u16[3]", "direction=\"LEFT\"", "u16[3]"}};

enum {
    PLAIN = RG_ELEMENTWISE | RG_IN_PLACE, SWAP = PLAIN | RG_COMMUTES,
    TEST = RG_ELEMENTWISE, EVEN = RG_ELEMENTWISE | RG_COMMUTES, /* a bool in place of wider numbers */
};

#define SAME RG_DTYPE_NONE /* the element type of the inputs */

/*    id  ONNX name  opset flop special traits out known real whole  attributes  cases  brief */
#define BINARY_LIST(X)                                                                                   \
    X(add,            "Add",            14, 1, 0, SWAP,  SAME, known_add, real_add, whole_add, RG_PLAIN, \
      sums, "a + b")                                                                                     \
    X(sub,            "Sub",            14, 1, 0, PLAIN, SAME, known_sub, real_sub, whole_sub, RG_PLAIN, \
      sums, "a - b")                                                                                     \
    X(mul,            "Mul",            14, 1, 0, SWAP,  SAME, known_mul, real_mul, whole_mul, RG_PLAIN, \
      sums, "a b")                                                                                       \
    X(div,            "Div",            14, 0, 1, PLAIN, SAME, known_div, real_div, whole_div, RG_PLAIN, \
      sums, "a / b")                                                                                     \
    X(mod,            "Mod",            13, 2, 1, PLAIN, SAME, rg_op_int(s, "fmod") ? NULL : known_mod,  \
      rg_op_int(&r->site, "fmod") ? fmod : real_mod,                                                     \
      rg_op_int(&r->site, "fmod") ? whole_fmod : whole_mod,                                              \
      RG_SPEC(mod_attrs), sums, "remainder of a / b")                                                    \
    X(and,            "And",             7, 1, 0, SWAP,  RG_BOOL, known_and, real_and, whole_and,        \
      RG_PLAIN, bools, "a and b")                                                                        \
    X(or,             "Or",              7, 1, 0, SWAP,  RG_BOOL, known_or, real_or, whole_or, RG_PLAIN, \
      bools, "a or b")                                                                                   \
    X(xor,            "Xor",             7, 1, 0, SWAP,  RG_BOOL, known_xor, real_xor, whole_xor,        \
      RG_PLAIN, bools, "a or b, not both")                                                               \
    X(bitwiseand,     "BitwiseAnd",     18, 1, 0, SWAP,  SAME, NULL, NULL, whole_bitwise_and,            \
      RG_PLAIN, words, "bitwise and")                                                                    \
    X(bitwiseor,      "BitwiseOr",      18, 1, 0, SWAP,  SAME, NULL, NULL, whole_bitwise_or, RG_PLAIN,   \
      words, "bitwise or")                                                                               \
    X(bitwisexor,     "BitwiseXor",     18, 1, 0, SWAP,  SAME, NULL, NULL, whole_bitwise_xor,            \
      RG_PLAIN, words, "bitwise xor")                                                                    \
    X(bitshift,       "BitShift",       11, 1, 0, PLAIN, SAME, NULL, NULL, shift_of(r),                  \
      RG_SPEC(bitshift_attrs), shifts, "a shifted by b bits")                                            \
    X(equal,          "Equal",          19, 1, 0, EVEN,  RG_BOOL, known_equal, real_equal, whole_equal,  \
      RG_PLAIN, tests, "a = b")                                                                          \
    X(greater,        "Greater",        13, 1, 0, TEST,  RG_BOOL, known_greater, real_greater,           \
      whole_greater, RG_PLAIN, tests, "a > b")                                                           \
    X(greaterorequal, "GreaterOrEqual", 16, 1, 0, TEST,  RG_BOOL, known_greater_equal,                   \
      real_greater_equal, whole_greater_equal, RG_PLAIN, tests, "a >= b")                                \
    X(less,           "Less",           13, 1, 0, TEST,  RG_BOOL, known_less, real_less, whole_less,     \
      RG_PLAIN, tests, "a < b")                                                                          \
    X(lessorequal,    "LessOrEqual",    16, 1, 0, TEST,  RG_BOOL, known_less_equal, real_less_equal,     \
      whole_less_equal, RG_PLAIN, tests, "a <= b")

#define X(id, onnx, opset, flops, specials, flags, out, known, real, whole, spec, examples, text)          \
    static rg_err id##_infer(const rg_site *s) { return infer_broadcast(s, out, known); }                  \
    static void id##_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, flops, specials); }       \
    static rg_err id##_run(const rg_run *r) { return run_broadcast(r, real, whole, 1); }                   \
    RG_OP(id) = {                                                                                          \
        .name = onnx, .brief = text, .since = opset, .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, \
        .traits = flags, spec RG_CASES(examples)                                                           \
        .infer = id##_infer, .work = id##_work, .run = id##_run, .upgrade = upgrade_axis,                  \
    };
BINARY_LIST(X)
#undef X

/* ---- Pow: the exponent may be of another element type ---- */

static const rg_case pow_cases[] = {{"f32[2,3] f32[]", "", "f32[2,3]"}, {"f32[4] i64[4]", "", "f32[4]"}};

static rg_err pow_infer(const rg_site *s)
{
    rg_type type;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_need_tensor(s, 1));
    RG_TRY(rg_broadcast(s, rg_in_type(s, 0), rg_in_type(s, 1), &type));
    rg_set_out(s, 0, type);
    return RG_OK;
}

/* A constant exponent of 2 or 3 is products, anything else exp(b log(a)). */
static void pow_work(const rg_site *s, rg_work *w)
{
    const rg_tensor *b = rg_in_const(s, 1);
    double power = b && b->count == 1 ? rg_tensor_real(b, 0) : 0;
    bool product = power == 2 || power == 3;

    rg_work_elements(s, w, product ? power - 1 : 0, product ? 0 : 2);
}

/* By squaring; a negative power is 1 over the positive one, which is 0 but for 1 and -1. */
static int64_t whole_pow(rg_dtype dtype, int64_t a, int64_t b, rg_dtype power)
{
    uint64_t x = (uint64_t)a, y = 1, n = (uint64_t)b;
    bool inverse = power != RG_U64 && b < 0;
    if (inverse && a == -1 && dtype != RG_U64) return b % 2 ? -1 : 1;
    if (inverse) return a == 1;
    for (; n; n >>= 1, x *= x)
        if (n & 1) y *= x;
    return (int64_t)y;
}

/* In integers where both are; an integer to a real power drops the fraction. */
static rg_err pow_run(const rg_run *r)
{
    const rg_array *a = rg_arg(r, 0), *b = rg_arg(r, 1), *y = rg_result(r, 0);
    int64_t stride_a[RG_RANK_MAX], stride_b[RG_RANK_MAX], index[RG_RANK_MAX] = {0};
    bool whole = rg_is_whole(a->dtype), both = whole && rg_is_whole(b->dtype);
    rg_broadcast_strides(a, y->rank, y->dim, stride_a);
    rg_broadcast_strides(b, y->rank, y->dim, stride_b);
    for (int64_t i = 0; i < y->count; i++, rg_index_next(y->rank, y->dim, index)) {
        int64_t ia = rg_index_at(y->rank, index, stride_a), ib = rg_index_at(y->rank, index, stride_b);
        double x = both ? 0 : pow(rg_get(a, ia), rg_get(b, ib));
        if (both) rg_put_int(y, i, whole_pow(a->dtype, rg_get_int(a, ia), rg_get_int(b, ib), b->dtype));
        else rg_put(y, i, whole ? trunc(x) : x);
    }
    return RG_OK;
}

RG_OP(pow) = {
    .name = "Pow", .brief = "a to the power b", .since = 15,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, .traits = PLAIN, RG_CASES(pow_cases)
    .infer = pow_infer, .work = pow_work, .run = pow_run, .upgrade = upgrade_axis,
};

/* ---- any number of inputs ---- */

static const rg_case lists[] = {
    {"f32[2,3]", "", "f32[2,3]"},
    {"f32[2,3] f32[3] f32[]", "", "f32[2,3]"},
    {"f32[batch,8,7,7] f32[batch,8,7,7]", "", "f32[batch,8,7,7]"},
};

/*    id    ONNX name opset special known real whole divisor  brief */
#define VARIADIC_LIST(X)                                                                            \
    X(max,  "Max",  13, 0, known_max, real_max, whole_max, 1, "largest of the inputs")              \
    X(min,  "Min",  13, 0, known_min, real_min, whole_min, 1, "smallest of the inputs")             \
    X(mean, "Mean", 13, 1, NULL,      real_add, NULL, r->site.node->in_count, "mean of the inputs") \
    X(sum,  "Sum",  13, 0, known_add, real_add, whole_add, 1, "sum of the inputs")

#define X(id, onnx, opset, specials, known, real, whole, divisor, text)                                     \
    static rg_err id##_infer(const rg_site *s) { return infer_broadcast(s, SAME, known); }                  \
    static void id##_work(const rg_site *s, rg_work *w)                                                     \
    {                                                                                                       \
        rg_work_elements(s, w, (double)s->node->in_count - 1, specials);                                    \
    }                                                                                                       \
    static rg_err id##_run(const rg_run *r) { return run_broadcast(r, real, whole, divisor); }              \
    RG_OP(id) = {                                                                                           \
        .name = onnx, .brief = text, .since = opset, .in_min = 1, .in_max = -1, .out_min = 1, .out_max = 1, \
        .traits = SWAP, RG_CASES(lists)                                                                     \
        .infer = id##_infer, .work = id##_work, .run = id##_run, .upgrade = rg_upgrade_plain,               \
    };
VARIADIC_LIST(X)
#undef X

/* ---- Where ---- */

static const rg_case where_cases[] = {
    {"bool[2,3] f32[2,3] f32[]", "", "f32[2,3]"},
    {"bool[batch,1] f32[5] f32[batch,5]", "", "f32[batch,5]"},
    {"bool[2]=1,0 i64[2]=4,5 i64[2]=6,7", "", "i64[2]"},
};

static void where_follow(const rg_site *s, const rg_type *type)
{
    rg_dim test[RG_KNOWN_MAX], yes[RG_KNOWN_MAX], no[RG_KNOWN_MAX];
    int64_t size = rg_known_size(type);

    if (!rg_known_broadcast(s, 1, type, yes) || !rg_known_broadcast(s, 2, type, no)) return;
    bool tested = rg_known_broadcast(s, 0, type, test);
    for (int64_t k = 0; k < size; k++) {
        if (yes[k] != no[k] && !tested) return;
        if (tested && !test[k]) yes[k] = no[k];
    }
    rg_set_known(s, 0, yes, (uint32_t)size);
}

static rg_err where_infer(const rg_site *s)
{
    rg_dtype dtype, test;
    rg_type type;

    RG_TRY(rg_need_dtype(s, 0, 1, &test));
    RG_TRY(rg_need_dtype(s, 1, 3, &dtype));
    if (test != RG_BOOL && test != RG_DTYPE_NONE)
        return rg_site_fail(s, RG_SHAPE, "the condition is %s, not bool", rg_dtype_name(test));
    RG_TRY(rg_broadcast(s, rg_in_type(s, 0), rg_in_type(s, 1), &type));
    RG_TRY(rg_broadcast(s, &type, rg_in_type(s, 2), &type));
    type.dtype = dtype;
    rg_set_out(s, 0, type);
    where_follow(s, &type);
    return RG_OK;
}

static void where_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 1, 0); }

static rg_err where_run(const rg_run *r)
{
    const rg_array *y = rg_result(r, 0), *x[3] = {rg_arg(r, 0), rg_arg(r, 1), rg_arg(r, 2)};
    int64_t stride[3][RG_RANK_MAX], index[RG_RANK_MAX] = {0};
    for (int k = 0; k < 3; k++) rg_broadcast_strides(x[k], y->rank, y->dim, stride[k]);
    for (int64_t i = 0; i < y->count; i++, rg_index_next(y->rank, y->dim, index)) {
        int from = rg_get_int(x[0], rg_index_at(y->rank, index, stride[0])) ? 1 : 2;
        rg_copy(y, i, x[from], rg_index_at(y->rank, index, stride[from]));
    }
    return RG_OK;
}

RG_OP(where) = {
    .name = "Where", .brief = "elements of one input or the other, by a condition", .since = 16,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE, RG_CASES(where_cases)
    .infer = where_infer, .work = where_work, .run = where_run,
};
