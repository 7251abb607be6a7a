/* product.h - matrix products by numpy's rules, shared by MatMul, MatMulInteger and QLinearMatMul; and the
 * sum of products that they, Gemm and the convolutions end in.
 */
#ifndef RG_PRODUCT_H
#define RG_PRODUCT_H

#include "op/op.h"

/* Sets output 0 to `dtype` [..., m, n] from a [..., m, k] and b [..., k, n]; leading axes broadcast, and
 * a vector is a row on the left and a column on the right, whose axis the output lacks. */
rg_err rg_product_infer(const rg_site *s, uint32_t a, uint32_t b, rg_dtype dtype) RG_CHECKED;
/* Fills family, mac, flop = 2 * mac and the loop nest. */
void rg_product_work(const rg_site *s, uint32_t a, uint32_t b, rg_work *w);
/* Sum of a[i] * b[i]. */
double rg_dot(const double *a, const double *b, int64_t count);

#endif
