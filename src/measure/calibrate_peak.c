/* calibrate_peak.c - a loop for each kind of peak: which instructions a fast kernel would use for it.
 *
 * Dot products have no vector extension of C: they are the processor's own functions. Bytes without a dot
 * product instruction go the way that kernels take then: multiply pairs of bytes into 16 bits, add pairs of
 * those into 32, add. Operands are ones, so that the 16 bits cannot saturate.
 */
#include "hw/detect.h"
#include "measure/calibrate_kernel.h"
#include "measure/calibrate_opaque.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ACCUMULATORS = 12 };      /* as calibrate_vector.c says */

/* ---- one number at a time ---- */

#if defined(__x86_64__)
#define SCALAR_TARGET __attribute__((target("fma")))
#else
#define SCALAR_TARGET
#endif

#define SCALAR_KERNEL(name, target, type)                                  \
    target static double name(int64_t steps)                               \
    {                                                                      \
        type sum[ACCUMULATORS] = {0}, b = 1, c = 1;                        \
        double total = 0;                                                  \
        RG_OPAQUE(c);                                                      \
        for (int64_t s = 0; s < steps; s++)                                \
            RG_UNROLL_WHOLE for (int i = 0; i < ACCUMULATORS; i++) {       \
                type x = sum[i];                                           \
                RG_OPAQUE(b);                                              \
                x += b * c;                                                \
                RG_OPAQUE(x); /* or they would become a vector */          \
                sum[i] = x;                                                \
            }                                                              \
        for (int i = 0; i < ACCUMULATORS; i++) total += (double)sum[i];    \
        return total;                                                      \
    }
SCALAR_KERNEL(scalar_f32, , float)
SCALAR_KERNEL(scalar_f64, , double)
#if defined(__x86_64__)
SCALAR_KERNEL(scalar_fma_f32, SCALAR_TARGET, float)
SCALAR_KERNEL(scalar_fma_f64, SCALAR_TARGET, double)
#endif

/* ---- dot products ---- */

#if defined(__x86_64__)

#define ADD_LANES(total, sum, store, type, lanes)                          \
    for (int i_ = 0; i_ < ACCUMULATORS; i_++) {                            \
        type lane_[lanes];                                                 \
        store((void *)lane_, (sum)[i_]);                                   \
        for (int k_ = 0; k_ < (lanes); k_++) (total) += (double)lane_[k_]; \
    }

/* `term` makes the new sum of `sum[i]`, a and b. */
#define DOT_KERNEL(name, features, vector, zero, ones, term, store, type, lanes) \
    __attribute__((target(features))) static double name(int64_t steps)         \
    {                                                                            \
        vector sum[ACCUMULATORS];                                                \
        double total = 0;                                                        \
        __typeof__(ones) a = ones, b = ones;                                     \
        for (int i = 0; i < ACCUMULATORS; i++) sum[i] = zero;                    \
        RG_OPAQUE(b);                                                            \
        for (int64_t s = 0; s < steps; s++)                                      \
            RG_UNROLL_WHOLE for (int i = 0; i < ACCUMULATORS; i++) {             \
                RG_OPAQUE(a);                                                    \
                sum[i] = term;                                                   \
            }                                                                    \
        ADD_LANES(total, sum, store, type, lanes)                                \
        return total;                                                            \
    }

DOT_KERNEL(dot_i8_avx512, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(),
           _mm512_set1_epi32(0x01010101), _mm512_dpbusd_epi32(sum[i], a, b), _mm512_storeu_si512, int32_t, 16)
DOT_KERNEL(dot_i8_avx, "avx2,avxvnni", __m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1),
           _mm256_dpbusd_avx_epi32(sum[i], a, b), _mm256_storeu_si256, int32_t, 8)
DOT_KERNEL(three_i8_avx2, "avx2", __m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1),
           _mm256_add_epi32(sum[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1))),
           _mm256_storeu_si256, int32_t, 8)
/* 1 is 0x3f80 as bf16: the upper half of a float's bits. */
DOT_KERNEL(dot_bf16_avx512, "avx512f,avx512bf16", __m512, _mm512_setzero_ps(), _mm512_set1_epi32(0x3f803f80),
           _mm512_dpbf16_ps(sum[i], (__m512bh)a, (__m512bh)b), _mm512_storeu_ps, float, 16)

#endif

/* ---- which is for what ---- */

/* The first row that fits a peak and has its features. */
static const rg_peak_kernel kernels[] = {
#if defined(__x86_64__)
    {RG_SCALAR, RG_HW_F32, "f32", RG_CPU_BIT(FMA), ACCUMULATORS, scalar_fma_f32,
     "scalar FMA"},
    {RG_SCALAR, RG_HW_F64, "f64", RG_CPU_BIT(FMA), ACCUMULATORS, scalar_fma_f64,
     "scalar FMA"},
    {RG_VECTOR, RG_HW_I8, "i32", RG_CPU_BIT(AVX512F) | RG_CPU_BIT(AVX512_VNNI), ACCUMULATORS * 64.0,
     dot_i8_avx512, "AVX-512-VNNI"},
    {RG_VECTOR, RG_HW_I8, "i32", RG_CPU_BIT(AVX2) | RG_CPU_BIT(AVX_VNNI), ACCUMULATORS * 32.0, dot_i8_avx,
     "AVX-VNNI"},
    {RG_VECTOR, RG_HW_I8, "i32", RG_CPU_BIT(AVX2), ACCUMULATORS * 32.0, three_i8_avx2,
     "AVX2 maddubs, madd, add"},
    {RG_VECTOR, RG_HW_BF16, "f32", RG_CPU_BIT(AVX512F) | RG_CPU_BIT(AVX512_BF16), ACCUMULATORS * 32.0,
     dot_bf16_avx512, "AVX-512-BF16"},
#endif
    {RG_SCALAR, RG_HW_F32, "f32", 0, ACCUMULATORS, scalar_f32, "scalar"},
    {RG_SCALAR, RG_HW_F64, "f64", 0, ACCUMULATORS, scalar_f64, "scalar"},
};

/* Plain multiply-adds of vectors are those of the widest that the processor has. */
static rg_peak_kernel vector_kernel(rg_hw_dtype dtype, unsigned features)
{
    const rg_vector_kernel *v = rg_vector_kernel_for(features);
    return dtype == RG_HW_F32
        ? (rg_peak_kernel){RG_VECTOR, dtype, "f32", v->needs, v->f32_per_step, v->fma_f32, v->how}
        : (rg_peak_kernel){RG_VECTOR, dtype, "f64", v->needs, v->f64_per_step, v->fma_f64, v->how};
}

bool rg_peak_kernel_for(const rg_peak *peak, unsigned features, rg_peak_kernel *out)
{
    if (peak->unit == RG_VECTOR && (peak->dtype == RG_HW_F32 || peak->dtype == RG_HW_F64)) {
        *out = vector_kernel(peak->dtype, features);
        return strcmp(out->accumulate, peak->accumulate) == 0;
    }
    for (size_t i = 0; i < RG_COUNT(kernels); i++) {
        *out = kernels[i];
        if (out->unit == peak->unit && out->dtype == peak->dtype && !(out->needs & ~features) &&
            strcmp(out->accumulate, peak->accumulate) == 0) return true;
    }
    return false;
}
