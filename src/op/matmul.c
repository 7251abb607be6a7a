/* matmul.c - MatMul and its integer forms: batches of m x k times k x n.
 *
 * Where b is one matrix for the whole batch, as weights are, the batch joins the rows: one product of
 * (batch * m) x n x k, which is how every library computes it.
 */
#include "op/product.h"
#include "op/share.h"

static const rg_case cases[] = {
    {"f32[1,128,768] f32[768,3072]", NULL, "f32[1,128,3072]"},
    {"f32[b,12,s,64] f32[b,12,64,s]", NULL, "f32[b,12,s,s]"},
    {"f32[3] f32[3,4]", NULL, "f32[4]"},
    {"f32[2,4,3] f32[3]", NULL, "f32[2,4]"},
    {"f32[3] f32[3]", NULL, "f32[]"},
    {"f16[5,1,2,3] f16[4,3,7]", NULL, "f16[5,4,2,7]"},
};

rg_err rg_product_infer(const rg_site *s, uint32_t a, uint32_t b, rg_dtype dtype)
{
    rg_type out;
    rg_dim same;
    RG_TRY(rg_need_rank(s, a, 1, -1));
    RG_TRY(rg_need_rank(s, b, 1, -1));
    rg_type left = *rg_in_type(s, a), right = *rg_in_type(s, b);
    rg_dim k = left.dim[left.rank - 1], m = left.rank > 1 ? left.dim[left.rank - 2] : 1;
    rg_dim n = right.rank > 1 ? right.dim[right.rank - 1] : 1;
    bool row = left.rank == 1, column = right.rank == 1;
    RG_TRY(rg_need_equal(s, "the summed sizes", k, column ? right.dim[0] : right.dim[right.rank - 2], &same));
    left.rank = row ? 0 : left.rank - 2;
    right.rank = column ? 0 : right.rank - 2;
    RG_TRY(rg_broadcast(s, &left, &right, &out));
    out.dtype = dtype;
    if (!row) out.dim[out.rank++] = m;
    if (!column) out.dim[out.rank++] = n;
    rg_set_out(s, 0, out);
    return RG_OK;
}

void rg_product_work(const rg_site *s, uint32_t a, uint32_t b, rg_work *w)
{
    double matrix = (double)rg_in_dim(s, b, -1) * (double)rg_in_dim(s, b, -2);
    bool column = rg_in_rank(s, b) == 1;
    w->family = RG_FAMILY_GEMM;
    w->k = (double)rg_in_dim(s, a, -1);
    w->m = rg_in_rank(s, a) > 1 ? (double)rg_in_dim(s, a, -2) : 1;
    w->n = column ? 1 : (double)rg_in_dim(s, b, -1);
    w->batch = w->m * w->n > 0 ? rg_out_count(s, 0) / (w->m * w->n) : 0;
    if (column || rg_in_count(s, b) <= matrix) {
        w->m *= w->batch;
        w->batch = 1;
    }
    w->mac = w->batch * w->m * w->n * w->k;
    w->flop = 2 * w->mac;
    w->weight_in_b = rg_in_is_const(s, b);
}

static rg_err infer(const rg_site *s)
{
    rg_dtype dtype;
    RG_TRY(rg_need_dtype(s, 0, 2, &dtype));
    return rg_product_infer(s, 0, 1, dtype);
}

static void work(const rg_site *s, rg_work *w) { rg_product_work(s, 0, 1, w); }

RG_OP(matmul) = {
    .name = "MatMul", .brief = "matrix product, batched and broadcast as numpy does", .since = 1,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_CASES(cases) .infer = infer, .work = work,
};

/* ---- integers: zero points are two operations an output, see conv_int.c ---- */

static const rg_case integer_cases[] = {
    {"u8[4,3] u8[3,2] u8[] u8[]", NULL, "i32[4,2]"},
    {"i8[b,128,768] i8[768,768]", NULL, "i32[b,128,768]"},
};

static rg_err integer_infer(const rg_site *s) { return rg_product_infer(s, 0, 1, RG_I32); }

static void integer_work(const rg_site *s, rg_work *w)
{
    rg_product_work(s, 0, 1, w);
    w->flop += rg_has_in(s, 2) || rg_has_in(s, 3) ? 2 * rg_out_count(s, 0) : 0;
}

RG_OP(matmul_integer) = {
    .name = "MatMulInteger", .brief = "matrix product of 8-bit integers into 32-bit sums", .since = 10,
    .in_min = 2, .in_max = 4, .out_min = 1, .out_max = 1,
    RG_CASES(integer_cases) .infer = integer_infer, .work = integer_work,
};

enum { Q_A = 0, Q_B = 3, Q_Y_ZERO = 7 };

static const rg_case linear_cases[] = {
    {"u8[2,4] f32[] u8[] u8[4,3] f32[] u8[] f32[] u8[]", NULL, "u8[2,3]"},
    {"i8[2,2,4] f16[1] i8[1] i8[2,4,3] f16[1] i8[1] f16[1] i8[1]", NULL, "i8[2,2,3]"},
};

static rg_err linear_infer(const rg_site *s)
{
    return rg_product_infer(s, Q_A, Q_B, rg_in_type(s, Q_Y_ZERO)->dtype);
}

/* Each output: correction by the zero points (2), one multiplication by the scales, rounding, zero point. */
static void linear_work(const rg_site *s, rg_work *w)
{
    rg_product_work(s, Q_A, Q_B, w);
    w->flop += 5 * rg_out_count(s, 0);
}

RG_OP(qlinear_matmul) = {
    .name = "QLinearMatMul", .brief = "quantized matrix product with its scales and zero points", .since = 10,
    .in_min = 8, .in_max = 8, .out_min = 1, .out_max = 1,
    RG_CASES(linear_cases) .infer = linear_infer, .work = linear_work,
};
