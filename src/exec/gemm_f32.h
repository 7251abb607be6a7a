/* gemm_f32.h - single-precision matrix products for the planned runner: C = act(A B + bias + other).
 *
 *     A [m, k]                            B [k, n], packed                  C [m, n]
 *     rows anywhere, and each row's       panels of `nr` columns:           blocks of 8 columns,
 *     runs of k anywhere                  [n / nr][k][nr]                   rows at a fixed step
 *
 * A is never packed. Where its rows begin and where their runs of consecutive elements lie are two tables, so
 * that a convolution is a product whose A is the image itself: a row is an output pixel's window, a run is
 * the 8 channels of one tap (Dukhan 2019, "The indirect convolution algorithm"). C's blocks of 8 columns lie
 * `c_block` apart: 8 in a row-major matrix, a plane of pixels in the blocked layout (see fast.h). The
 * micro-kernel is chosen for the machine when the program starts: AVX-512, AVX2, or plain C vectors.
 */
#ifndef RG_GEMM_F32_H
#define RG_GEMM_F32_H

#include "base/team.h"

enum { RG_BLOCK = 8 };       /* channels that lie together in the blocked layout */

typedef enum rg_act {
    RG_ACT_NONE, RG_ACT_RELU, RG_ACT_CLIP,               /* by comparisons alone */
    RG_ACT_LEAKY_RELU, RG_ACT_HARD_SIGMOID, RG_ACT_HARD_SWISH, RG_ACT_SIGMOID, RG_ACT_TANH, RG_ACT_SWISH,
    RG_ACT_GELU, RG_ACT_GELU_TANH,
} rg_act;

/* What happens to a result before it is written: + bias, + what lies in `add`, then the activation. */
typedef struct rg_epilogue {
    const float *bias;       /* [n], or NULL */
    const float *add;        /* where C lies: same steps, C itself allowed; or NULL */
    rg_act act;
    float low, high;         /* of CLIP; alpha of LEAKY_RELU, SWISH; alpha and beta of HARD_SIGMOID */
} rg_epilogue;

/* Columns of a panel, and rows that the micro-kernel takes at once. */
int rg_gemm_nr(void);
int rg_gemm_mr(void);
const char *rg_gemm_isa(void);

/* Floats that B takes in panels; the last one is filled up with zeros. */
size_t rg_gemm_packed_count(int64_t k, int64_t n);
/* b[p * row_step + j * column_step]: a transposed B has the steps swapped. This worker's share of panels. */
void rg_gemm_pack(const float *b, int64_t row_step, int64_t column_step, int64_t k, int64_t n, float *packed,
                  rg_part part);

/* Element (i, p) of A: a[row(i) + run(p / run_length) + p % run_length], where row(i) = a_row ? a_row[i] :
 * i * a_step and run(r) = a_run ? a_run[r] : r * run_length. Element (i, j) of C: c[i * c_step +
 * j / 8 * c_block + j % 8]; scattered (c_column not 0): c[i * c_step + j * c_column]. */
typedef struct rg_gemm {
    int64_t m, n, k;
    const float *a; int64_t a_step;
    const int32_t *a_row;            /* [m], or NULL */
    const int32_t *a_run;            /* [k / run_length], or NULL */
    int64_t run_length;              /* divides k; of any use with a_run alone */
    const float *packed; int64_t packed_k; /* rows that were packed, of which the first k count; 0: k */
    const float *row_bias;           /* [m], or NULL */
    float *c; int64_t c_step, c_block, c_column;
    rg_epilogue epilogue;
} rg_gemm;
/* This worker's share; no barrier at the end. Each element is the work of one worker and its sum in one
 * order, whatever their number: results do not depend on it. */
void rg_gemm_run(const rg_gemm *g, rg_part part);

/* gemm_f32_row.c: y[j] = sum_p a[p] b[p * b_step + j] for n columns of a matrix that is not packed. */
void rg_gemm_row(const float *a, int64_t k, const float *b, int64_t b_step, int64_t n, float *y);

/* y[i] = act(x[i]), in place allowed. */
void rg_act_run(const rg_epilogue *e, const float *x, float *y, int64_t count);

#endif
