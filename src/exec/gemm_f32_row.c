/* gemm_f32_row.c - a row times a matrix that lies as it is: for a few rows packing would cost more than it
 * saves. */
#include "exec/gemm_f32.h"
#include "exec/f32x8.h"

enum { VECTORS = 8 };        /* of sums at a time, which do not wait for each other */

typedef struct row_product { const float *a, *b; int64_t b_step, k; float *y; } row_product;

RG_INLINE void columns(const row_product *s, int64_t at, int vectors)
{
    rg_f32x8 sum[VECTORS] = {{0}};
    for (int64_t p = 0; p < s->k; p++) {
        const float *b = s->b + p * s->b_step + at;
        RG_UNROLLED
        for (int v = 0; v < vectors; v++) sum[v] += s->a[p] * rg_load8(b + 8 * v);
    }
    RG_UNROLLED
    for (int v = 0; v < vectors; v++) rg_store8(s->y + at + 8 * v, sum[v]);
}

RG_INLINE void all_columns(const row_product *s, int64_t from, int64_t to)
{
    int64_t at = from;
    for (; at + 8 * VECTORS <= to; at += 8 * VECTORS) columns(s, at, VECTORS);
    for (; at + 8 <= to; at += 8) columns(s, at, 1);
    for (; at < to; at++) {
        float sum = 0;
        for (int64_t p = 0; p < s->k; p++) sum += s->a[p] * s->b[p * s->b_step + at];
        s->y[at] = sum;
    }
}
RG_FOR_MACHINE(all_columns, row_product)

void rg_gemm_row(const float *a, int64_t k, const float *b, int64_t b_step, int64_t n, float *y)
{
    row_product s = {.a = a, .b = b, .b_step = b_step, .k = k, .y = y};
    all_columns_best(&s, 0, n);
}
