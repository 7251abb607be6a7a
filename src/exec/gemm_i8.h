/* gemm_i8.h - products of 8-bit matrices for the planned runner, exact in 32 bits.
 *
 *     A [m, k] of u8, packed              B [k, n] of s8, packed             C [m, n]
 *     tiles of rows, 4 k together         panels of columns, 4 k together    i32, or bytes again
 *     [m / mr][k / 4][mr] x 4             [n / nr][k / 4][nr][4]
 *
 * Other types get there by a shift of 128, of elements and zero points alike (signs flip). Zero points are
 * corrections of the sums:
 *
 *     sum (a - za)(b - zb) = sum a b - za_i (sum of column j - k zb_j) - zb_j (sum of row i)
 *
 * Sums wrap at 32 bits as the integers of ONNX do. 4 k together is what VNNI multiplies; AVX2 takes them as
 * two pairs of 16 bits, since its product of bytes (vpmaddubsw) saturates. Nothing here rounds but the last
 * step, in double precision as the plain kernels do it.
 */
#ifndef RG_GEMM_I8_H
#define RG_GEMM_I8_H

#include "base/team.h"

typedef struct rg_gemm_i8 rg_gemm_i8;

enum {
    RG_I8_FLIP = 0x80,       /* what makes u8 of i8, or i8 of u8 */
    RG_I8_STRIP = 32,        /* pixels of a depthwise convolution whose sums stay in registers */
};

/* A set of micro-kernels. Asking the processor is not free: once, when a model is loaded. */
typedef struct rg_i8_isa {
    const char *name;
    int nr, mr, parts;           /* columns of a panel, rows of a tile; parts that 4 k are multiplied in */
    void (*const *tiles)(const uint32_t *a, const int8_t *b, int64_t groups, int32_t *to); /* by rows */
    void (*finish)(const rg_gemm_i8 *g, const int32_t *tile, int64_t row, int64_t rows, int64_t column,
                   int64_t columns);
    /* The last step below for `count` sums that follow each other; NULL: `single` for all. */
    void (*requantize)(const rg_gemm_i8 *g, const int32_t *sums, const double *scale, double single,
                       int64_t count, uint8_t *to);
    /* to[j] = term + sum of w[i] * x[tap[i] + j], j < RG_I8_STRIP: a line of a depthwise convolution. */
    void (*taps)(const int8_t *x, const int32_t *tap, const int32_t *w, int64_t count, int32_t term,
                 int32_t *to);
} rg_i8_isa;
const rg_i8_isa *rg_i8_isa_best(void);
const rg_i8_isa *rg_i8_isa_plain(void);

/* Bytes that m rows, or n columns, of k take packed. */
size_t rg_gemm_i8_rows_byte(const rg_i8_isa *isa, int64_t m, int64_t k);
size_t rg_gemm_i8_columns_byte(const rg_i8_isa *isa, int64_t k, int64_t n);
/* a[i * step + p] ^ flip. sums [m]: of the flipped elements of each row. This worker's share of tiles. */
void rg_gemm_i8_pack_rows(const rg_i8_isa *isa, const uint8_t *a, int64_t step, int64_t m, int64_t k,
                          uint8_t flip, void *packed, int32_t *sums, rg_part part);
/* b[p * n + j] ^ flip. This worker's share of panels. */
void rg_gemm_i8_pack_columns(const rg_i8_isa *isa, const uint8_t *b, int64_t k, int64_t n, uint8_t flip,
                             int8_t *packed, rg_part part);
/* Four of k of a panel's columns, to [nr][4]. */
void rg_gemm_i8_interleave(const rg_i8_isa *isa, const uint8_t *const row[4], int8_t *to);
/* A packed row of k times 1. */
rg_err rg_gemm_i8_ones(rg_ctx *cx, rg_arena *arena, const rg_i8_isa *isa, int64_t k,
                       const void **out) RG_CHECKED;
/* sums [n in whole panels]: of packed columns, less k times their zero[j]. `ones`: see above. */
void rg_gemm_i8_column_sums(const rg_i8_isa *isa, const void *ones, const int8_t *packed, int64_t k,
                            int64_t n, const int32_t *zero, int32_t *sums, rg_part part);

/* s = sum_p a(i, p) b(p, j) - row_factor[i] * column_factor[j] + row_term[i] + column_term[j], then
 *
 *     sums:    c[i, j] = s
 *     bytes:   c[i, j] = round(s * scale), to nearest even, between low and high; + zero
 *
 * Arrays by column hold whole panels. */
struct rg_gemm_i8 {
    const rg_i8_isa *isa;
    int64_t m, n, k;
    const void *rows; const int8_t *columns;
    const int32_t *row_factor, *row_term, *column_factor, *column_term;
    int32_t *sums;                   /* or NULL: bytes */
    uint8_t *bytes;
    int64_t c_step;                  /* elements from row to row; columns follow each other */
    const double *row_scale, *column_scale; /* one of them */
    int32_t low, high, zero;         /* low, high before zero is added */
};
/* This worker's share; no barrier at the end. */
void rg_gemm_i8_run(const rg_gemm_i8 *g, rg_part part);

#endif
