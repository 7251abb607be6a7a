/* mathf.h - exp and its relatives in single precision without branches or calls, so that a compiler makes
 * vectors of loops over them; and how such a loop is compiled for what a machine may have besides the base.
 *
 *     exp x = 2^n e^r,  n = round(x / ln 2),  |r| <= ln 2 / 2        tanh, sigmoid by exp
 *     erf x = x P(x^2) below 1, 1 - exp(Q(x)) up to 4, where it is 1 in this precision
 *
 * The polynomials interpolate the exact functions at Chebyshev points of their intervals. Relative errors of
 * exp, log, tanh and erf stay below 2e-7, so do absolute ones of a sigmoid.
 */
#ifndef RG_MATHF_H
#define RG_MATHF_H

#include "base/base.h"

#define RG_INLINE static inline __attribute__((always_inline))

/* Vectors wider than the base machine's are passed to functions that are inlined alone: no ABI is concerned.
 */
#pragma GCC diagnostic ignored "-Wpsabi"

/* The next loop's iterations depend on each other in no way, even where it writes what it reads. That a
 * build for looking for mistakes makes no vectors of it is no reason to warn. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#define RG_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define RG_INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Every turn of the next loop stands for itself: what it indexes by constants can lie in registers. */
#if defined(__clang__)
#define RG_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define RG_UNROLLED _Pragma("GCC unroll 32")
#endif

/* The compiler must take a pointer, or an index, for any. */
#define RG_HIDE(pointer) __asm__("" : "+r"(pointer))

/* name##_best(state, from, to): the RG_INLINE function `name`, compiled for what this machine has. */
#if defined(__x86_64__)
#define RG_FOR_MACHINE(name, type)                                                                           \
    static void name##_plain(const type *s, int64_t from, int64_t to) { name(s, from, to); }                 \
    __attribute__((target("avx2,fma"))) static void name##_avx2(const type *s, int64_t from, int64_t to)     \
    {                                                                                                        \
        name(s, from, to);                                                                                   \
    }                                                                                                        \
    static void name##_best(const type *s, int64_t from, int64_t to)                                         \
    {                                                                                                        \
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) name##_avx2(s, from, to);       \
        else name##_plain(s, from, to);                                                                      \
    }
#else
#define RG_FOR_MACHINE(name, type) \
    static void name##_best(const type *s, int64_t from, int64_t to) { name(s, from, to); }
#endif

typedef union rg_f32_bits { float f; uint32_t u; } rg_f32_bits;

/* A choice that stays a choice: compilers sink or thread what ?: makes, and then see branches in the loop. */
RG_INLINE float rg_pickf(bool yes, float x, float y)
{
    uint32_t mask = 0u - (uint32_t)yes;
    rg_f32_bits a = {.f = x}, b = {.f = y};
    return ((rg_f32_bits){.u = (a.u & mask) | (b.u & ~mask)}).f;
}

/* 2^n for -126 <= n <= 127. */
RG_INLINE float rg_power_of_2f(uint32_t n) { return ((rg_f32_bits){.u = (n + 127u) << 23}).f; }

/* Beyond -104 and 89 the result is 0 and infinity anyway. 2^n in two factors, each of which is a normal
 * number. Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits. */
RG_INLINE float rg_expf(float x)
{
    const float round = 12582912.0f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    x = rg_pickf(x < -104.0f, -104.0f, x);
    x = rg_pickf(x > 89.0f, 89.0f, x);
    rg_f32_bits shifted = {.f = x * 1.44269504f + round};
    float n = shifted.f - round;
    uint32_t whole = shifted.u - 0x4b400000u, half = (uint32_t)((int32_t)whole >> 1);
    float r = x - n * ln2_high - n * ln2_low;
    float p = 1.989099083e-04f;
    p = p * r + 1.393365000e-03f;
    p = p * r + 8.333310925e-03f;
    p = p * r + 4.166646493e-02f;
    p = p * r + 1.666666668e-01f;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    return p * rg_power_of_2f(half) * rg_power_of_2f(whole - half);
}

/* e^x for x <= 0, such as a softmax takes: 0 below -87, from where on it is no normal number.
 * 127 more than what rounds makes the lowest bits the exponent's. */
RG_INLINE float rg_exp_belowf(float x)
{
    const float round = 12582912.0f + 127.0f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    rg_f32_bits shifted = {.f = x * 1.44269504f + round};
    float n = shifted.f - round, r = x - n * ln2_high - n * ln2_low;
    float p = 1.989099083e-04f;
    p = p * r + 1.393365000e-03f;
    p = p * r + 8.333310925e-03f;
    p = p * r + 4.166646493e-02f;
    p = p * r + 1.666666668e-01f;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    rg_f32_bits y = {.f = p * ((rg_f32_bits){.u = shifted.u << 23}).f};
    return ((rg_f32_bits){.u = y.u & ((uint32_t)(x < -87.0f) - 1u)}).f;
}

RG_INLINE float rg_absf(float x) { return ((rg_f32_bits){.u = ((rg_f32_bits){.f = x}).u & 0x7fffffffu}).f; }
RG_INLINE float rg_with_sign(float size, float sign)
{
    return ((rg_f32_bits){.u = ((rg_f32_bits){.f = size}).u | (((rg_f32_bits){.f = sign}).u & 0x80000000u)})
        .f;
}

/* Of two parameters, since only then compilers see a minimum before they see a branch. */
RG_INLINE int32_t rg_min_i32(int32_t a, int32_t b) { return a < b ? a : b; }
RG_INLINE uint32_t rg_min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* e^-x = 2^n 2^f, 0 from 88 on and infinity from -89 on, for what is added to 1 and divided by: the error of
 * 2^f is 9e-8 of it. Bits of positive numbers are in the order of the numbers, those of negative ones behind
 * them in the opposite order: so either bound is a minimum of integers. A NaN does not survive it. */
RG_INLINE float rg_exp_minusf(float x)
{
    const float round = 12582912.0f + 127.0f, log2_e = 1.44269504f;
    const rg_f32_bits most = {.f = 88.0f}, least = {.f = -89.0f};
    int32_t below = rg_min_i32((int32_t)((rg_f32_bits){.f = x}).u, (int32_t)most.u);
    float y = ((rg_f32_bits){.u = rg_min_u32((uint32_t)below, least.u)}).f;
    rg_f32_bits shifted = {.f = round - y * log2_e};
    float f = (round - shifted.f) - y * log2_e;
    float p = 1.326473882e-03f;
    p = p * f + 9.671516688e-03f;
    p = p * f + 5.550733753e-02f;
    p = p * f + 2.402224202e-01f;
    p = p * f + 6.931469776e-01f;
    p = p * f + 1.0f;
    return p * ((rg_f32_bits){.u = shifted.u << 23}).f;
}

RG_INLINE float rg_sigmoidf(float x)
{
    rg_f32_bits y = {.f = 1.0f / (1.0f + rg_exp_minusf(x))};
    return ((rg_f32_bits){.u = y.u | (0u - (uint32_t)(x != x))}).f;
}
/* x times the sigmoid of alpha x. */
RG_INLINE float rg_swishf(float x, float alpha) { return x / (1.0f + rg_exp_minusf(alpha * x)); }

RG_INLINE float rg_tanhf(float x)
{
    float size = rg_absf(x), z = x * x;
    float p = 2.292744933e-03f;
    p = p * z - 8.343945657e-03f;
    p = p * z + 2.176891871e-02f;
    p = p * z - 5.395925959e-02f;
    p = p * z + 1.333330356e-01f;
    p = p * z - 3.333333317e-01f;
    float far = rg_with_sign(1.0f - 2.0f / (rg_expf(2.0f * size) + 1.0f), x);
    return rg_pickf(size < 0.625f, p * z * x + x, far);
}

RG_INLINE float rg_erff(float x)
{
    float size = rg_absf(x), z = x * x, p = 7.875875049e-05f, q = -1.327236181e-05f;
    float t = rg_pickf(size > 4.0f, 4.0f, size);
    p = p * z - 8.016864283e-04f;
    p = p * z + 5.189087423e-03f;
    p = p * z - 2.685421201e-02f;
    p = p * z + 1.128359472e-01f;
    p = p * z - 3.761262667e-01f;
    p = p * z + 1.283791660e-01f; /* less 1, which x itself adds */
    q = q * t + 3.169370225e-04f;
    q = q * t - 3.432351381e-03f;
    q = q * t + 2.260477224e-02f;
    q = q * t - 1.032811176e-01f;
    q = q * t - 6.391412576e-01f;
    q = q * t - 1.125893652f;
    q = q * t - 7.658977795e-04f;
    return rg_pickf(size < 1.0f, p * x + x, rg_with_sign(1.0f - rg_expf(q), x));
}

/* x = 2^n m, m around 1: n ln 2 + log m, log m = 2 artanh s with s = (m - 1) / (m + 1), |s| < 0.172, whose
 * series ends here with an error of 2e-9 of it. 2^-126 is the least number with all of its digits. */
RG_INLINE float rg_logf(float x)
{
    const uint32_t root_half = 0x3f3504f3u;
    const float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    bool small = x < 1.17549435e-38f;
    rg_f32_bits bits = {.f = rg_pickf(small, x * 8388608.0f, x)};
    uint32_t above = bits.u - root_half;
    float n = (float)((int32_t)above >> 23) - rg_pickf(small, 23.0f, 0);
    rg_f32_bits m = {.u = (above & 0x7fffffu) + root_half};
    float s = (m.f - 1.0f) / (m.f + 1.0f), z = s * s;
    float series = 2.0f * s * z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9))));
    float y = n * ln2_high + (2.0f * s + (series + n * ln2_low));
    y = rg_pickf(x == 0, -__builtin_inff(), y);
    y = rg_pickf(x < 0, __builtin_nanf(""), y);
    return rg_pickf((x != x) | (x == __builtin_inff()), x, y);
}

/* ---- activations ---- */

RG_INLINE float rg_betweenf(float x, float low, float high)
{
    return rg_pickf(x < low, low, rg_pickf(x > high, high, x));
}
/* The share of a normal distribution that lies below x: 1/2 + x P(x^2) / Q(x^2), fitted up to 5.5, from where
 * on it is 0 or 1 in this precision. Absolute errors stay below 2e-7. */
RG_INLINE float rg_normalf(float x)
{
    const float most = 5.5f * 5.5f;
    float z = x * x, p = 2.293160310e-08f, q = 1.199034752e-06f;
    z = rg_pickf(z > most, most, z);
    p = p * z + 6.301501289e-06f;
    p = p * z + 1.645651674e-04f;
    p = p * z + 4.651429895e-03f;
    p = p * z + 3.345808305e-02f;
    p = p * z + 3.989422738e-01f;
    q = q * z + 7.216412020e-05f;
    q = q * z + 1.860597676e-03f;
    q = q * z + 2.841565998e-02f;
    q = q * z + 2.505333791e-01f;
    q = q * z + 1.0f;
    return rg_betweenf(0.5f + x * (p / q), 0.0f, 1.0f);
}
RG_INLINE float rg_geluf(float x) { return x * rg_normalf(x); }
/* (1 + tanh u) / 2 is the sigmoid of 2 u. */
RG_INLINE float rg_gelu_tanhf(float x) { return x * rg_sigmoidf(1.595769122f * (x + 0.044715f * x * x * x)); }
/* log(1 + e^x), in the form that does not overflow. */
RG_INLINE float rg_softplusf(float x) { return rg_pickf(x < 0, 0, x) + rg_logf(1.0f + rg_expf(-rg_absf(x))); }
/* x tanh(log(1 + e^x)) = x p / (p + 2), p = e^x (e^x + 2); above 20 it is x in this precision. */
RG_INLINE float rg_mishf(float x)
{
    float e = rg_expf(rg_pickf(x > 20.0f, 20.0f, x)), p = e * (e + 2.0f);
    return x * (p / (p + 2.0f));
}
RG_INLINE float rg_hard_swishf(float x) { return x * rg_betweenf(x * (1.0f / 6) + 0.5f, 0.0f, 1.0f); }

#endif
