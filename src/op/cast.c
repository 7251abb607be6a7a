/* cast.c - Cast, CastLike, BitCast: other element types, the same shape.
 *
 * Between integers the low bits stay; floats lose their fraction on the way to an integer. Text is read and
 * written in cast_text.c.
 */
#include "op/cast.h"
#include "op/ordering.h"
#include "op/share.h"

#include <math.h>

/* Between integers and bool elements can be followed; what overflows a narrow integer is left to the run. */
static void cast_follow(const rg_site *s, rg_dtype to)
{
    rg_dim out[RG_KNOWN_MAX];
    uint32_t count;
    const rg_dim *in = rg_in_known(s, 0, &count);

    for (uint32_t i = 0; in && i < count; i++) {
        bool number = rg_dim_is_number(in[i]);
        if (to == RG_BOOL && !number && rg_dim_low(rg_site_dims(s), in[i]) <= 0) return;
        if (to == RG_I32 && number && (in[i] < INT32_MIN || in[i] > INT32_MAX)) return;
        out[i] = to != RG_BOOL ? in[i] : !number || in[i] != 0;
    }
    if (in) rg_set_known(s, 0, out, count);
}

static rg_err cast_to(const rg_site *s, rg_dtype to)
{
    RG_TRY(rg_need_tensor(s, 0));
    rg_set_out(s, 0, rg_type_like(s, 0, to));
    cast_follow(s, to);
    return RG_OK;
}

static void cast_work(const rg_site *s, rg_work *w) { rg_work_elements(s, w, 1, 0); }

/* ---- one element, at run time ---- */

/* Where an 8-bit float overflows: halfway from its largest number to what would be the next, where the even
 * one of the two wins. */
static const struct { rg_dtype dtype; double limit; bool limit_fits, has_inf; } overflows[] = {
    {RG_F8E4M3FN, 464, true, false},     /* 448, 480 */
    {RG_F8E4M3UZ, 248, false, false},    /* 240, 256 */
    {RG_F8E5M2, 61440, false, true},     /* 57344, 65536 */
    {RG_F8E5M2UZ, 61440, false, false},
};

enum { F8E5M2_INF = 0x7c, SIGN = 0x80, F8E8M0_BIAS = 127, F8E8M0_MAX = 254, F8E8M0_NAN = 255 };

static void put_unsaturated(const rg_array *a, int64_t i, double x)
{
    uint8_t *data = a->data; /* an element is a byte */
    for (size_t k = 0; k < RG_COUNT(overflows); k++) {
        double limit = overflows[k].limit;
        bool fits = fabs(x) < limit || (fabs(x) == limit && overflows[k].limit_fits);
        if (overflows[k].dtype != a->dtype || fits || isnan(x)) continue;
        if (overflows[k].has_inf) data[i] = (uint8_t)(F8E5M2_INF | (x < 0 ? SIGN : 0));
        else rg_put(a, i, NAN);
        return;
    }
    rg_put(a, i, x);
}

/* The bare exponent of |x|: there is no sign, no 0 and no infinity. */
static void put_scale(const rg_array *a, int64_t i, double x, const rg_casting *how)
{
    uint8_t *data = a->data;
    int e = 0;
    double part = frexp(fabs(x), &e); /* |x| = part 2^e, part in [1/2, 1) */
    bool down = how->round == RG_SCALE_DOWN || (how->round == RG_SCALE_NEAREST && part < 0.75);
    int code = e + F8E8M0_BIAS - (down || part == 0.5);
    if (!isfinite(x)) code = F8E8M0_NAN;
    else if (x == 0 || code < 0) code = 0;
    else if (code > F8E8M0_MAX) code = how->saturate ? F8E8M0_MAX : F8E8M0_NAN;
    data[i] = (uint8_t)code;
}

/* What does not fit is undefined by the standard; its own cases keep the low bits in types below a byte. */
static void put_whole(const rg_array *a, int64_t i, double x)
{
    enum { BYTE_BITS = 8 };
    if (rg_dtype_bits(a->dtype) < BYTE_BITS && fabs(x) < 0x1p63) rg_put_int(a, i, (int64_t)x);
    else rg_put(a, i, trunc(x));
}

void rg_put_cast(const rg_array *a, int64_t i, double x, const rg_casting *how)
{
    if (a->dtype == RG_F8E8M0) put_scale(a, i, x, how);
    else if (rg_dtype_is_int(a->dtype)) put_whole(a, i, x);
    else if (how->saturate) rg_put(a, i, x);
    else put_unsaturated(a, i, x);
}

/* An integer of more bits than a double holds, cut so that rounding once more gives what rounding the integer
 * would: the lowest kept bit says whether any was lost. */
static double sticky(uint64_t n)
{
    enum { DOUBLE_BITS = 53, LOST_BITS = 64 - DOUBLE_BITS };
    const uint64_t lost = (UINT64_C(1) << LOST_BITS) - 1;
    return n >> DOUBLE_BITS ? (double)((n & ~lost) | (n & lost ? lost + 1 : 0)) : (double)n;
}

static double real_of(const rg_array *x, int64_t i, rg_dtype to)
{
    if (!rg_is_whole(x->dtype) || to == RG_F64) return rg_get(x, i);
    int64_t n = rg_get_int(x, i);
    bool negative = x->dtype != RG_U64 && n < 0;
    return negative ? -sticky(0 - (uint64_t)n) : sticky((uint64_t)n);
}

static rg_err cast_element(const rg_run *r, const rg_array *x, const rg_array *y, int64_t i,
                           const rg_casting *how)
{
    if (x->dtype == y->dtype) {
        rg_copy(y, i, x, i);
    } else if (x->dtype == RG_STR) {
        rg_str text = rg_get_str(x, i);
        if (!rg_put_text(y, i, text, how))
            return rg_run_fail(r, RG_INPUT, "element %lld, '%.*s', is no %s", (long long)i, RG_STR(text),
                               rg_dtype_name(y->dtype));
    } else if (y->dtype == RG_STR) {
        rg_str text = rg_number_text(r->scratch, x, i);
        if (!text.data) return rg_nomem(r->site.cx);
        ((rg_str *)y->data)[i] = text;
    } else if (rg_is_whole(x->dtype) && rg_is_whole(y->dtype)) {
        rg_put_int(y, i, rg_get_int(x, i));
    } else {
        rg_put_cast(y, i, real_of(x, i, y->dtype), how);
    }
    return RG_OK;
}

static rg_err cast_run(const rg_run *r)
{
    static const char *const modes[] = {
        [RG_SCALE_UP] = "up", [RG_SCALE_DOWN] = "down", [RG_SCALE_NEAREST] = "nearest",
    };
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    rg_str mode = rg_op_str(&r->site, "round_mode");
    rg_casting how = {.saturate = rg_op_int(&r->site, "saturate") != 0};
    while (how.round < RG_COUNT(modes) && !rg_str_is(mode, modes[how.round])) how.round++;
    if (how.round == RG_COUNT(modes))
        return rg_run_fail(r, RG_FORMAT, "round_mode '%.*s' is not up, down or nearest", RG_STR(mode));
    for (int64_t i = 0; i < y->count; i++) RG_TRY(cast_element(r, x, y, i, &how));
    return RG_OK;
}

/* ---- Cast ---- */

static const rg_attr_spec cast_attrs[] = {
    {"to", RG_ATTR_INT, NULL, true, "element type of the result, as TensorProto.DataType numbers it"},
    {"saturate", RG_ATTR_INT, "1", false, "to 8-bit floats: overflow gives the largest number"},
    {"round_mode", RG_ATTR_STRING, "up", false, "to f8e8m0: up, down or nearest"},
};

static const rg_case cast_cases[] = {
    {"f32[2,3]", "to=10", "f16[2,3]"},
    {"i64[batch]", "to=1", "f32[batch]"},
    {"i64[2]=0,7", "to=9", "bool[2]"},
};

static rg_err cast_infer(const rg_site *s)
{
    rg_dtype to;

    RG_TRY(rg_dtype_attr(s, "to", RG_DTYPE_NONE, &to));
    return cast_to(s, to);
}

/* Up to opset 5 the type was named by text: FLOAT, INT64, ... */
static rg_err cast_upgrade(const rg_site *s)
{
    const rg_attr *to = rg_node_attr(s->node, "to");
    char lower[16];

    if (!to || to->kind != RG_ATTR_STRING) return RG_OK;
    size_t size = to->s.size < sizeof(lower) ? to->s.size : sizeof(lower);
    for (size_t i = 0; i < size; i++) {
        char c = to->s.data[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    rg_dtype dtype = rg_dtype_named((rg_str){lower, size});
    if (dtype == RG_DTYPE_NONE)
        return rg_site_fail(s, RG_FORMAT, "attribute to: '%.*s' is no element type", RG_STR(to->s));
    rg_attr code = {.name = to->name, .kind = RG_ATTR_INT, .i = dtype};
    return rg_node_set_attr(s->cx, s->g, s->id, &code);
}

RG_OP(cast) = {
    .name = "Cast", .brief = "elements converted to another type", .since = 25,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE,
    RG_SPEC(cast_attrs) RG_CASES(cast_cases)
    .infer = cast_infer, .work = cast_work, .run = cast_run, .upgrade = cast_upgrade,
};

/* ---- CastLike ---- */

static const rg_attr_spec castlike_attrs[] = {
    {"saturate", RG_ATTR_INT, "1", false, "as Cast"},
    {"round_mode", RG_ATTR_STRING, "up", false, "as Cast"},
};

static const rg_case castlike_cases[] = {{"f32[2,3] f16[1]", "", "f16[2,3]"}};

static rg_err castlike_infer(const rg_site *s)
{
    RG_TRY(rg_need_tensor(s, 1));
    return cast_to(s, rg_in_type(s, 1)->dtype);
}

/* Of the second input only the type counts. */
static void castlike_work(const rg_site *s, rg_work *w)
{
    double unread = rg_type_bytes(s->g, rg_in_type(s, 1));

    cast_work(s, w);
    if (s->node->in[0] != s->node->in[1]) {
        w->in_byte -= unread;
        w->weight_byte -= rg_in_is_const(s, 1) ? unread : 0;
    }
}

RG_OP(castlike) = {
    .name = "CastLike", .brief = "elements converted to the type of the second input", .since = 25,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, .traits = RG_ELEMENTWISE,
    RG_SPEC(castlike_attrs) RG_CASES(castlike_cases)
    .infer = castlike_infer, .work = castlike_work, .run = cast_run,
};

/* ---- BitCast ---- */

static const rg_attr_spec bitcast_attrs[] = {
    {"to", RG_ATTR_INT, NULL, true, "element type of the same width"},
};

static const rg_case bitcast_cases[] = {{"f32[2,3]", "to=6", "i32[2,3]"}};

static rg_err bitcast_infer(const rg_site *s)
{
    rg_dtype from, to;

    RG_TRY(rg_need_dtype(s, 0, 1, &from));
    RG_TRY(rg_dtype_attr(s, "to", RG_DTYPE_NONE, &to));
    if (from && rg_dtype_bits(from) != rg_dtype_bits(to))
        return rg_site_fail(s, RG_SHAPE, "%s has %d bits, %s %d", rg_dtype_name(from), rg_dtype_bits(from),
                            rg_dtype_name(to), rg_dtype_bits(to));
    rg_set_out(s, 0, rg_type_like(s, 0, to));
    return RG_OK;
}

static rg_err bitcast_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    memmove(y->data, x->data, (size_t)rg_dtype_bytes(y->dtype, (double)y->count));
    return RG_OK;
}

RG_OP(bitcast) = {
    .name = "BitCast", .brief = "the same bits, read as another type", .since = 26,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, .traits = RG_VIEW,
    RG_SPEC(bitcast_attrs) RG_CASES(bitcast_cases)
    .infer = bitcast_infer, .run = bitcast_run,
};
