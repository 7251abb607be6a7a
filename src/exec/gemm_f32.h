/* gemm_f32.h - single-precision matrix products for the planned runner: C = epilogue(A B), with B in panels.
 *
 *     A [m, k]          B [k, n], packed                                  C [m, n]
 *     row-major         panels of `nr` columns: [n / nr][k][nr]           row-major
 *
 * Panels are made once for weights, and per block for what a convolution gathers from its image. The
 * micro-kernel is chosen for the machine when the program starts: AVX-512, AVX2, or plain C vectors.
 */
#ifndef RG_GEMM_F32_H
#define RG_GEMM_F32_H

#include "base/base.h"

typedef enum rg_act { RG_ACT_NONE, RG_ACT_RELU, RG_ACT_CLIP, RG_ACT_OTHER } rg_act;

/* What happens to a result before it is written: + bias, + what lies in `add`, then the activation. */
typedef struct rg_epilogue {
    const float *row_bias;   /* [m], or NULL */
    const float *column_bias; /* [n], or NULL */
    const float *add;        /* as C, same step, or NULL */
    rg_act act;
    float low, high;         /* of RG_ACT_CLIP */
} rg_epilogue;

/* Columns of a panel, and rows that the micro-kernel takes at once. */
int rg_gemm_nr(void);
int rg_gemm_mr(void);
const char *rg_gemm_isa(void);

/* Floats that B takes in panels; the last one is filled up with zeros. */
size_t rg_gemm_packed_count(int64_t k, int64_t n);
/* b[p * row_step + j * column_step]: a transposed B has the steps swapped. */
void rg_gemm_pack(const float *b, int64_t row_step, int64_t column_step, int64_t k, int64_t n, float *packed);

/* C[m, columns first..last) of the panels; `c_step` floats from row to row. */
typedef struct rg_gemm {
    int64_t m, n, k;
    const float *a; int64_t a_step;
    const float *packed;
    float *c; int64_t c_step;
    rg_epilogue epilogue;
} rg_gemm;
/* Panels from..to-1 only: pieces of work that may run side by side. */
void rg_gemm_run(const rg_gemm *g, int64_t from, int64_t to);
static inline int64_t rg_gemm_panels(const rg_gemm *g) { return (g->n + rg_gemm_nr() - 1) / rg_gemm_nr(); }

#endif
