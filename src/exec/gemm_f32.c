/* gemm_f32.c - the micro-kernels for each instruction set, and which of them this machine takes. */
#include "exec/gemm_f32.h"

#include <string.h>

enum { GROUP_FLOATS = 64 * 1024 }; /* 256 KB: half of a core's second cache on small machines of today */

/* Accumulators are registers only when every index is a constant. */
#if defined(__clang__)
#define RG_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RG_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__x86_64__)
#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f,fma")))
#define LANES 16
#define ROWS 12
#include "exec/gemm_f32_tile.h"
#undef ROWS
#undef LANES
#undef TARGET
#undef NAME

#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define ROWS 6
#include "exec/gemm_f32_tile.h"
#undef ROWS
#undef LANES
#undef TARGET
#undef NAME
#endif

#define NAME(x) plain_##x
#define TARGET
#define LANES 4
#define ROWS 4
#include "exec/gemm_f32_tile.h"
#undef ROWS
#undef LANES
#undef TARGET
#undef NAME

typedef struct variant {
    const char *name;
    int lanes, rows;
    void (*run)(const rg_gemm *g, int64_t from, int64_t to);
} variant;

static const variant plain = {"plain", 4, 4, plain_run};
#if defined(__x86_64__)
static const variant avx512 = {"avx512", 16, 12, avx512_run}, avx2 = {"avx2", 8, 6, avx2_run};
#endif

static const variant *chosen(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return &avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2;
#endif
    return &plain;
}

int rg_gemm_nr(void) { return 2 * chosen()->lanes; }
int rg_gemm_mr(void) { return chosen()->rows; }
const char *rg_gemm_isa(void) { return chosen()->name; }

size_t rg_gemm_packed_count(int64_t k, int64_t n)
{
    int64_t nr = rg_gemm_nr();
    return (size_t)((n + nr - 1) / nr * nr * k);
}

void rg_gemm_pack(const float *b, int64_t row_step, int64_t column_step, int64_t k, int64_t n, float *packed)
{
    int64_t nr = rg_gemm_nr();
    for (int64_t column = 0; column < n; column += nr) {
        int64_t count = n - column < nr ? n - column : nr;
        for (int64_t p = 0; p < k; p++, packed += nr) {
            const float *from = b + p * row_step + column * column_step;
            if (column_step == 1) memcpy(packed, from, (size_t)count * sizeof *packed);
            else for (int64_t j = 0; j < count; j++) packed[j] = from[j * column_step];
            for (int64_t j = count; j < nr; j++) packed[j] = 0;
        }
    }
}

void rg_gemm_run(const rg_gemm *g, int64_t from, int64_t to) { chosen()->run(g, from, to); }
