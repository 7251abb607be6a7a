/* f32x8.h - vectors of eight floats: a pixel of a block of channels, a sum's step, a row of a square. */
#ifndef RG_F32X8_H
#define RG_F32X8_H

#include "exec/mathf.h"

typedef float rg_f32x8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t rg_i32x8 __attribute__((vector_size(32), aligned(4), may_alias));

RG_INLINE rg_f32x8 rg_load8(const float *from) { return *(const rg_f32x8 *)(const void *)from; }
RG_INLINE void rg_store8(float *to, rg_f32x8 x) { *(rg_f32x8 *)(void *)to = x; }
RG_INLINE rg_f32x8 rg_pick8(rg_i32x8 yes, rg_f32x8 x, rg_f32x8 y)
{
    return (rg_f32x8)(((rg_i32x8)x & yes) | ((rg_i32x8)y & ~yes));
}

/* ---- reductions: the order of a sum is ours to choose ---- */

RG_INLINE float rg_sumf(const float *x, int64_t count)
{
    rg_f32x8 a = {0}, b = {0};
    float sum = 0;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        a += *(const rg_f32x8 *)(const void *)(x + i);
        b += *(const rg_f32x8 *)(const void *)(x + i + 8);
    }
    a += b;
    for (; i < count; i++) sum += x[i];
    for (int k = 0; k < 8; k++) sum += a[k];
    return sum;
}

/* Sum of (x - mean)^2. */
RG_INLINE float rg_squaresf(const float *x, int64_t count, float mean)
{
    rg_f32x8 a = {0}, b = {0};
    float sum = 0;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        rg_f32x8 left = *(const rg_f32x8 *)(const void *)(x + i) - mean;
        rg_f32x8 right = *(const rg_f32x8 *)(const void *)(x + i + 8) - mean;
        a += left * left;
        b += right * right;
    }
    a += b;
    for (; i < count; i++) sum += (x[i] - mean) * (x[i] - mean);
    for (int k = 0; k < 8; k++) sum += a[k];
    return sum;
}

/* The greatest, NaN passed over; -infinity of nothing. */
RG_INLINE float rg_maxf(const float *x, int64_t count)
{
    float max = -__builtin_inff();
    rg_f32x8 a = {max, max, max, max, max, max, max, max}, b = a;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        rg_f32x8 left = rg_load8(x + i), right = rg_load8(x + i + 8);
        a = rg_pick8(left > a, left, a);
        b = rg_pick8(right > b, right, b);
    }
    a = rg_pick8(b > a, b, a);
    for (; i < count; i++) max = x[i] > max ? x[i] : max;
    for (int k = 0; k < 8; k++) max = a[k] > max ? a[k] : max;
    return max;
}

/* ---- a square of eight vectors ---- */

/* rows[i][j] becomes rows[j][i]: neighbors change places in ever larger groups. */
RG_INLINE void rg_turn8(rg_f32x8 *v)
{
    rg_f32x8 a[8], b[8];
    RG_UNROLLED
    for (int i = 0; i < 8; i += 2) {
        a[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        a[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    RG_UNROLLED
    for (int i = 0; i < 8; i += 4) {
        b[i] = __builtin_shufflevector(a[i], a[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        b[i + 1] = __builtin_shufflevector(a[i], a[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        b[i + 2] = __builtin_shufflevector(a[i + 1], a[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        b[i + 3] = __builtin_shufflevector(a[i + 1], a[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    RG_UNROLLED
    for (int i = 0; i < 4; i++) {
        v[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        v[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

#endif
