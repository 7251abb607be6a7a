/* gemm_bf16.h - products whose operands are bf16 or f16 in memory and f32 in registers: C = A B + bias.
 *
 *     B   packed as gemm_f32.h has it, in two bytes an element        half of the memory to be read
 *         some panels at a time are widened into a worker's room      and multiplied from its second cache
 *
 * Sums are f32; what is stored is rounded once, to nearest even.
 */
#ifndef RG_GEMM_BF16_H
#define RG_GEMM_BF16_H

#include "exec/gemm_f32.h"

/* Elements that follow each other; `half`: IEEE's f16, else bf16. */
void rg_widen(bool half, const uint16_t *from, float *to, int64_t count);
void rg_narrow(bool half, const float *from, uint16_t *to, int64_t count);

typedef struct rg_gemm_bf16 {
    int64_t m, n, k;
    bool half;
    const float *a;                  /* [m, k], widened */
    const uint16_t *packed;          /* as many elements as rg_gemm_packed_count says */
    const float *bias;               /* [n in whole panels] */
    uint16_t *c;                     /* [m, n] */
} rg_gemm_bf16;
/* This worker's share, in `room` of rg_gemm_bf16_room floats that are its own. */
size_t rg_gemm_bf16_room(const rg_gemm_bf16 *g);
void rg_gemm_bf16_run(const rg_gemm_bf16 *g, float *room, rg_part part);

#endif
