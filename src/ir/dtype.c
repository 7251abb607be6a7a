/* dtype.c - element types: names, sizes, and single elements of packed little-endian storage as numbers.
 *
 * Elements are moved as bit patterns of up to 64 bits, low byte first, so that the host's byte order and the
 * data's alignment do not matter; the small floats all follow from one row each of `minis`.
 */
#include "ir/dtype.h"

#include <math.h>
#include <string.h>

enum { STRING_BYTE = 16 }; /* what one string counts in sizes: a pointer and a length */

static const struct { const char *name; int bits; char class; } rows[RG_DTYPE_END] = {
#define X(id, text, code, width, kind) [code] = {text, width, kind},
    RG_DTYPE_LIST(X)
#undef X
};

/* What other tools call them. */
static const struct { const char *name; rg_dtype dtype; } aliases[] = {
    {"fp32", RG_F32},         {"float32", RG_F32},      {"float", RG_F32},       {"single", RG_F32},
    {"fp16", RG_F16},         {"float16", RG_F16},      {"half", RG_F16},        {"fp64", RG_F64},
    {"float64", RG_F64},      {"double", RG_F64},       {"bfloat16", RG_BF16},   {"bfloat", RG_BF16},
    {"int8", RG_I8},          {"int16", RG_I16},        {"int32", RG_I32},       {"int64", RG_I64},
    {"int", RG_I32},          {"long", RG_I64},         {"uint8", RG_U8},        {"uint16", RG_U16},
    {"uint32", RG_U32},       {"uint64", RG_U64},       {"int4", RG_I4},         {"uint4", RG_U4},
    {"int2", RG_I2},          {"uint2", RG_U2},         {"string", RG_STR},      {"complex64", RG_C64},
    {"complex128", RG_C128},  {"f8", RG_F8E4M3FN},      {"fp8", RG_F8E4M3FN},    {"float8", RG_F8E4M3FN},
    {"float8e4m3fn", RG_F8E4M3FN},   {"float8_e4m3fn", RG_F8E4M3FN},   {"float8e4m3fnuz", RG_F8E4M3UZ},
    {"float8_e4m3fnuz", RG_F8E4M3UZ}, {"float8e5m2", RG_F8E5M2},       {"float8_e5m2", RG_F8E5M2},
    {"float8e5m2fnuz", RG_F8E5M2UZ}, {"float8_e5m2fnuz", RG_F8E5M2UZ}, {"float8e8m0", RG_F8E8M0},
    {"float8_e8m0fnu", RG_F8E8M0},   {"float4e2m1", RG_F4E2M1},        {"fp4", RG_F4E2M1},
};

/* Sign, exponent and mantissa fields, IEEE-like with subnormals. Codes are without the sign bit. `inf` 0:
 * there is none, and too large numbers become `max`; so they do in f8e5m2, as ONNX Cast saturates to float8
 * by default. `nan` is the whole code: of the unsigned-zero kinds it is the pattern that would be -0. */
typedef struct mini {
    rg_dtype dtype;
    int exp_bits, man_bits, bias;
    uint32_t max, inf, nan;
    bool saturates;
} mini;
static const mini minis[] = {
    {RG_F16,      5, 10, 15,  0x7bff, 0x7c00, 0x7e00, false},
    {RG_BF16,     8, 7,  127, 0x7f7f, 0x7f80, 0x7fc0, false},
    {RG_F8E4M3FN, 4, 3,  7,   0x7e,   0,      0x7f,   true},
    {RG_F8E4M3UZ, 4, 3,  8,   0x7f,   0,      0x80,   true},
    {RG_F8E5M2,   5, 2,  15,  0x7b,   0x7c,   0x7f,   true},
    {RG_F8E5M2UZ, 5, 2,  16,  0x7f,   0,      0x80,   true},
    {RG_F4E2M1,   2, 1,  1,   0x7,    0,      0,      true},
};

static bool in_table(rg_dtype dtype) { return (unsigned)dtype < RG_DTYPE_END && rows[dtype].name; }

const char *rg_dtype_name(rg_dtype dtype) { return in_table(dtype) ? rows[dtype].name : "?"; }
int rg_dtype_bits(rg_dtype dtype) { return in_table(dtype) ? rows[dtype].bits : 0; }
char rg_dtype_class(rg_dtype dtype) { return in_table(dtype) ? rows[dtype].class : 'o'; }
bool rg_dtype_is_float(rg_dtype dtype) { return rg_dtype_class(dtype) == 'f'; }
bool rg_dtype_is_int(rg_dtype dtype) { return rg_dtype_class(dtype) == 'i' || rg_dtype_class(dtype) == 'u'; }

rg_dtype rg_dtype_named(rg_str name)
{
    for (int i = 1; i < RG_DTYPE_END; i++)
        if (rows[i].name && rg_str_is(name, rows[i].name)) return (rg_dtype)i;
    for (size_t i = 0; i < RG_COUNT(aliases); i++)
        if (rg_str_is(name, aliases[i].name)) return aliases[i].dtype;
    return RG_DTYPE_NONE;
}

double rg_dtype_bytes(rg_dtype dtype, double count)
{
    if (dtype == RG_STR) return STRING_BYTE * count;
    return ceil(count * rg_dtype_bits(dtype) / 8);
}

/* ---- bit patterns ---- */

/* Of a complex element the real part: its first half. */
static int part_bits(rg_dtype dtype)
{
    int bits = rg_dtype_bits(dtype);
    return rg_dtype_class(dtype) == 'c' ? bits / 2 : bits;
}

static uint64_t load_bits(rg_dtype dtype, const void *data, int64_t index)
{
    int bits = rg_dtype_bits(dtype), byte_count = part_bits(dtype) / 8;
    const uint8_t *p = data;
    uint64_t code = 0;
    if (bits < 8) {
        int shift = (int)(index % (8 / bits)) * bits;
        return (uint64_t)(p[index / (8 / bits)] >> shift) & ((1u << bits) - 1);
    }
    p += (size_t)index * (size_t)(bits / 8);
    for (int i = 0; i < byte_count; i++) code |= (uint64_t)p[i] << (8 * i);
    return code;
}

static void store_bits(rg_dtype dtype, void *data, int64_t index, uint64_t code)
{
    int bits = rg_dtype_bits(dtype), byte_count = bits / 8;
    uint8_t *p = data;
    if (bits < 8) {
        int shift = (int)(index % (8 / bits)) * bits;
        unsigned mask = ((1u << bits) - 1) << shift;
        uint8_t *byte = &p[index / (8 / bits)];
        *byte = (uint8_t)((*byte & ~mask) | (((unsigned)code << shift) & mask));
        return;
    }
    p += (size_t)index * (size_t)byte_count;
    for (int i = 0; i < byte_count; i++) p[i] = i < part_bits(dtype) / 8 ? (uint8_t)(code >> (8 * i)) : 0;
}

/* ---- floats ---- */

static const mini *mini_of(rg_dtype dtype)
{
    for (size_t i = 0; i < RG_COUNT(minis); i++)
        if (minis[i].dtype == dtype) return &minis[i];
    return NULL;
}

static double mini_decode(const mini *m, uint32_t code)
{
    uint32_t sign = 1u << (m->exp_bits + m->man_bits), size = code & (sign - 1);
    int exponent = (int)(size >> m->man_bits);
    double mantissa = (double)(size & ((1u << m->man_bits) - 1));
    if (m->nan && (code == m->nan || (m->nan < sign && size > (m->inf ? m->inf : m->max)))) return NAN;
    double x = m->inf && size == m->inf ? INFINITY
             : exponent ? ldexp(mantissa + (double)(1u << m->man_bits), exponent - m->bias - m->man_bits)
                        : ldexp(mantissa, 1 - m->bias - m->man_bits);
    return code & sign ? -x : x;
}

/* With e the exponent of |x|, never below the smallest normal one, n = |x| / 2^(e - man_bits) rounded to
 * nearest even has the hidden bit exactly where the exponent field begins. So code = (e - e_min) * 2^man_bits
 * + n, and a carry out of the rounding moves into the exponent by itself. */
static uint32_t mini_encode(const mini *m, double x)
{
    uint32_t sign = signbit(x) ? 1u << (m->exp_bits + m->man_bits) : 0;
    int e = 0, e_min = 1 - m->bias;
    if (isnan(x)) return m->nan;
    if (isinf(x)) return sign | (m->saturates ? m->max : m->inf);
    frexp(x, &e);
    e = e - 1 < e_min || x == 0 ? e_min : e - 1;
    uint64_t code =
        ((uint64_t)(e - e_min) << m->man_bits) + (uint64_t)nearbyint(ldexp(fabs(x), m->man_bits - e));
    if (code > m->max) code = m->saturates ? m->max : m->inf;
    if (code == 0 && m->nan == 1u << (m->exp_bits + m->man_bits)) sign = 0; /* no -0 */
    return sign | (uint32_t)code;
}

enum { E8M0_BIAS = 127, E8M0_NAN = 0xff };

/* f8e8m0 is the bare exponent of a scale: no sign, no zero. Halfway goes up. */
static uint32_t e8m0_encode(double x)
{
    int e = 0;
    if (isnan(x)) return E8M0_NAN;
    if (x <= 0) return 0;
    if (isinf(x)) return E8M0_NAN - 1;
    if (frexp(x, &e) < 0.75) e--;
    e += E8M0_BIAS;
    return e < 0 ? 0 : e >= E8M0_NAN ? E8M0_NAN - 1 : (uint32_t)e;
}

static double decode_float(rg_dtype dtype, uint64_t code)
{
    if (dtype == RG_F8E8M0) return code == E8M0_NAN ? NAN : ldexp(1, (int)code - E8M0_BIAS);
    if (part_bits(dtype) == 64) {
        double x;
        memcpy(&x, &code, sizeof x);
        return x;
    }
    if (part_bits(dtype) == 32) {
        float x;
        uint32_t low = (uint32_t)code;
        memcpy(&x, &low, sizeof x);
        return (double)x;
    }
    return mini_decode(mini_of(dtype), (uint32_t)code);
}

/* A double past float's range is undefined to convert in C: halfway to the next power of two and up is
 * infinity. */
static float to_float(double x)
{
    if (isnan(x) || isinf(x) || fabs(x) <= 0x1.fffffep127) return (float)x;
    return (float)copysign(fabs(x) < 0x1.ffffffp127 ? 0x1.fffffep127 : INFINITY, x);
}

static uint64_t encode_float(rg_dtype dtype, double x)
{
    if (dtype == RG_F8E8M0) return e8m0_encode(x);
    if (part_bits(dtype) == 64) {
        uint64_t code;
        memcpy(&code, &x, sizeof code);
        return code;
    }
    if (part_bits(dtype) == 32) {
        float f = to_float(x);
        uint32_t code;
        memcpy(&code, &f, sizeof code);
        return code;
    }
    return mini_encode(mini_of(dtype), x);
}

/* ---- one element ---- */

static bool is_real(rg_dtype dtype) { return rg_dtype_class(dtype) == 'f' || rg_dtype_class(dtype) == 'c'; }

static int64_t sign_extended(uint64_t code, int bits)
{
    uint64_t sign = UINT64_C(1) << (bits - 1);
    return (int64_t)((code ^ sign) - sign);
}

/* Toward zero, saturating; NaN becomes 0. */
static int64_t saturated(double x)
{
    if (isnan(x)) return 0;
    if (x >= 0x1p63) return INT64_MAX;
    return x < -0x1p63 ? INT64_MIN : (int64_t)x;
}

double rg_dtype_get_real(rg_dtype dtype, const void *data, int64_t index)
{
    if (!rg_dtype_bits(dtype)) return 0;
    uint64_t code = load_bits(dtype, data, index);
    if (is_real(dtype)) return decode_float(dtype, code);
    if (dtype == RG_BOOL) return code != 0;
    return rg_dtype_class(dtype) == 'i' ? (double)sign_extended(code, rg_dtype_bits(dtype)) : (double)code;
}

int64_t rg_dtype_get_int(rg_dtype dtype, const void *data, int64_t index)
{
    if (!rg_dtype_bits(dtype)) return 0;
    uint64_t code = load_bits(dtype, data, index);
    if (is_real(dtype)) return saturated(decode_float(dtype, code));
    if (dtype == RG_BOOL) return code != 0;
    if (rg_dtype_class(dtype) == 'i') return sign_extended(code, rg_dtype_bits(dtype));
    return code > INT64_MAX ? INT64_MAX : (int64_t)code;
}

void rg_dtype_set_int(rg_dtype dtype, void *data, int64_t index, int64_t x)
{
    int bits = rg_dtype_bits(dtype);
    if (!bits) return;
    if (is_real(dtype)) {
        rg_dtype_set_real(dtype, data, index, (double)x);
        return;
    }
    bool is_signed = rg_dtype_class(dtype) == 'i';
    int64_t max = is_signed ? INT64_MAX >> (64 - bits) : bits == 64 ? INT64_MAX : (INT64_C(1) << bits) - 1;
    int64_t min = is_signed ? -max - 1 : 0;
    if (dtype == RG_BOOL) x = x != 0;
    store_bits(dtype, data, index, (uint64_t)(x < min ? min : x > max ? max : x));
}

void rg_dtype_set_real(rg_dtype dtype, void *data, int64_t index, double x)
{
    if (!rg_dtype_bits(dtype)) return;
    if (is_real(dtype))
        store_bits(dtype, data, index, encode_float(dtype, x));
    else if (dtype == RG_BOOL)
        store_bits(dtype, data, index, x != 0);
    else if (dtype == RG_U64 && x >= 0x1p63)
        store_bits(dtype, data, index, x >= 0x1p64 ? UINT64_MAX : (uint64_t)x);
    else
        rg_dtype_set_int(dtype, data, index, saturated(nearbyint(x)));
}
