/* binary.c - elementwise operators of two or more inputs, which broadcast as numpy does: ranks are aligned at
 * the last dimension, a dimension of 1 repeats.
 *
 * A row of a list is an operator. Integer results are followed element by element, since shapes are computed
 * with them: `known` combines two elements, and answers false where only the run can tell.
 */
#include "op/share.h"

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

/* ---- two inputs ---- */

static const rg_attr_spec mod_attrs[] = {
    {"fmod", RG_ATTR_INT, "0", false, "1: the sign of the dividend, as C's fmod; 0: of the divisor"},
};
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

/*    id              ONNX name         opset flop special traits out known  attributes  cases  brief */
#define BINARY_LIST(X)                                                                                     \
    X(add,            "Add",            14, 1, 0, SWAP,  SAME,    known_add, RG_PLAIN, sums, "a + b")      \
    X(sub,            "Sub",            14, 1, 0, PLAIN, SAME,    known_sub, RG_PLAIN, sums, "a - b")      \
    X(mul,            "Mul",            14, 1, 0, SWAP,  SAME,    known_mul, RG_PLAIN, sums, "a b")        \
    X(div,            "Div",            14, 0, 1, PLAIN, SAME,    known_div, RG_PLAIN, sums, "a / b")      \
    X(mod,            "Mod",            13, 2, 1, PLAIN, SAME,                                             \
      rg_op_int(s, "fmod") ? NULL : known_mod, RG_SPEC(mod_attrs), sums, "remainder of a / b")             \
    X(and,            "And",             7, 1, 0, SWAP,  RG_BOOL, known_and, RG_PLAIN, bools, "a and b")   \
    X(or,             "Or",              7, 1, 0, SWAP,  RG_BOOL, known_or, RG_PLAIN, bools, "a or b")     \
    X(xor,            "Xor",             7, 1, 0, SWAP,  RG_BOOL, known_xor,                               \
      RG_PLAIN, bools, "a or b, not both")                                                                 \
    X(bitwiseand,     "BitwiseAnd",     18, 1, 0, SWAP,  SAME,    NULL, RG_PLAIN, words, "bitwise and")    \
    X(bitwiseor,      "BitwiseOr",      18, 1, 0, SWAP,  SAME,    NULL, RG_PLAIN, words, "bitwise or")     \
    X(bitwisexor,     "BitwiseXor",     18, 1, 0, SWAP,  SAME,    NULL,                                    \
      RG_PLAIN, words, "bitwise xor")                                                                      \
    X(bitshift,       "BitShift",       11, 1, 0, PLAIN, SAME,    NULL,                                    \
      RG_SPEC(bitshift_attrs), shifts, "a shifted by b bits")                                              \
    X(equal,          "Equal",          19, 1, 0, EVEN,  RG_BOOL, known_equal, RG_PLAIN, tests, "a = b")   \
    X(greater,        "Greater",        13, 1, 0, TEST,  RG_BOOL, known_greater, RG_PLAIN, tests, "a > b") \
    X(greaterorequal, "GreaterOrEqual", 16, 1, 0, TEST,  RG_BOOL, known_greater_equal,                     \
      RG_PLAIN, tests, "a >= b")                                                                           \
    X(less,           "Less",           13, 1, 0, TEST,  RG_BOOL, known_less, RG_PLAIN, tests, "a < b")    \
    X(lessorequal,    "LessOrEqual",    16, 1, 0, TEST,  RG_BOOL, known_less_equal,                        \
      RG_PLAIN, tests, "a <= b")

#define X(id, onnx, opset, flops, specials, flags, out, known, spec, examples, text)                       \
    static rg_err id##_infer(const rg_site *s) { return infer_broadcast(s, out, known); }                  \
    static void id##_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, flops, specials); }       \
    RG_OP(id) = {                                                                                          \
        .name = onnx, .brief = text, .since = opset, .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, \
        .traits = flags, spec RG_CASES(examples)                                                           \
        .infer = id##_infer, .work = id##_work, .upgrade = upgrade_axis,                                   \
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

RG_OP(pow) = {
    .name = "Pow", .brief = "a to the power b", .since = 15,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, .traits = PLAIN, RG_CASES(pow_cases)
    .infer = pow_infer, .work = pow_work, .upgrade = upgrade_axis,
};

/* ---- any number of inputs ---- */

static const rg_case lists[] = {
    {"f32[2,3]", "", "f32[2,3]"},
    {"f32[2,3] f32[3] f32[]", "", "f32[2,3]"},
    {"f32[batch,8,7,7] f32[batch,8,7,7]", "", "f32[batch,8,7,7]"},
};

/*    id    ONNX name opset special known  brief */
#define VARIADIC_LIST(X)                                        \
    X(max,  "Max",  13, 0, known_max, "largest of the inputs")  \
    X(min,  "Min",  13, 0, known_min, "smallest of the inputs") \
    X(mean, "Mean", 13, 1, NULL,      "mean of the inputs")     \
    X(sum,  "Sum",  13, 0, known_add, "sum of the inputs")

#define X(id, onnx, opset, specials, known, text)                                                           \
    static rg_err id##_infer(const rg_site *s) { return infer_broadcast(s, SAME, known); }                  \
    static void id##_work(const rg_site *s, rg_work *w)                                                     \
    {                                                                                                       \
        rg_work_elements(s, w, (double)s->node->in_count - 1, specials);                                    \
    }                                                                                                       \
    RG_OP(id) = {                                                                                           \
        .name = onnx, .brief = text, .since = opset, .in_min = 1, .in_max = -1, .out_min = 1, .out_max = 1, \
        .traits = SWAP, RG_CASES(lists)                                                                     \
        .infer = id##_infer, .work = id##_work, .upgrade = rg_upgrade_plain,                                \
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

RG_OP(where) = {
    .name = "Where", .brief = "elements of one input or the other, by a condition", .since = 16,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE, RG_CASES(where_cases)
    .infer = where_infer, .work = where_work,
};
