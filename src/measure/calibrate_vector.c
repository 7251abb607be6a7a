/* calibrate_vector.c - multiply-adds and memory walks of each vector width that the processor may have.
 *
 * Twelve accumulators: a core that starts two multiply-adds a clock, each of which takes four or five, needs
 * eight to ten of them in flight, and twelve with two operands still fit into sixteen registers.
 */
#include "hw/detect.h"
#include "measure/calibrate_kernel.h"
#include "measure/calibrate_opaque.h"

enum { ACCUMULATORS = 12, SHADOW = 8 }; /* 8 multiply-adds in 16 clocks: never in the way of the additions */
#define UNROLL RG_UNROLL_WHOLE

/* Branch-free: a branch that is wrong once in a round costs a quarter of a round through a small cache. */
static inline size_t next_step(size_t at, size_t size)
{
    at += RG_MOVE_BYTE;
    return at & -(size_t)(at < size);
}

#define NAME(x) x##_base
#define TARGET
#define BYTE 16
#include "measure/calibrate_vector.h"

#if defined(__x86_64__)
#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define BYTE 32
#include "measure/calibrate_vector.h"

#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,fma")))
#define BYTE 64
#include "measure/calibrate_vector.h"
#endif

#define ROW(id, features, width, words)                                                          \
    {.needs = (features), .byte = (width), .how = (words),                                       \
     .f32_per_step = ACCUMULATORS * (width) / 4.0, .f64_per_step = ACCUMULATORS * (width) / 8.0, \
     .fma_f32 = fma_f32_##id, .fma_f64 = fma_f64_##id, .clock = clock_##id, .read = read_##id,   \
     .write = write_##id, .copy = copy_##id}

static const rg_vector_kernel kernels[] = { /* widest first */
#if defined(__x86_64__)
    ROW(avx512, RG_CPU_BIT(AVX512F) | RG_CPU_BIT(FMA), 64, "AVX-512 FMA"),
    ROW(avx2, RG_CPU_BIT(AVX2) | RG_CPU_BIT(FMA), 32, "AVX2 FMA"),
    ROW(base, 0, 16, "SSE2"),
#elif defined(__aarch64__)
    ROW(base, 0, 16, "NEON FMA"),
#else
    ROW(base, 0, 16, "128 bit vectors"),
#endif
};

const rg_vector_kernel *rg_vector_kernel_for(unsigned features)
{
    size_t i = 0;
    while (kernels[i].needs & ~features) i++; /* the last needs nothing */
    return &kernels[i];
}
