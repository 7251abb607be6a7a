/* gemm.c - Gemm: Y = alpha * A' * B' + beta * C, where ' may transpose and C broadcasts to [m, n]. */
#include "op/kernel.h"
#include "op/product.h"
#include "op/share.h"

static const rg_attr_spec attrs[] = {
    {"alpha", RG_ATTR_FLOAT, "1.0", false, "factor of the product"},
    {"beta", RG_ATTR_FLOAT, "1.0", false, "factor of C"},
    {"transA", RG_ATTR_INT, "0", false, "1: A is [k, m]"},
    {"transB", RG_ATTR_INT, "0", false, "1: B is [n, k]"},
};

static const rg_case cases[] = {
    {"f32[1,2048] f32[1000,2048] f32[1000]", "transB=1", "f32[1,1000]"},
    {"f32[3,2] f32[3,4] f32[]", "transA=1 alpha=0.5f beta=0.25f", "f32[2,4]"},
    {"f16[n,8] f16[8,5]", NULL, "f16[n,5]"},
};

static rg_err infer(const rg_site *s)
{
    rg_dtype dtype;
    rg_dim k;
    rg_type sum;
    RG_TRY(rg_need_dtype(s, 0, 3, &dtype));
    RG_TRY(rg_need_rank(s, 0, 2, 2));
    RG_TRY(rg_need_rank(s, 1, 2, 2));
    const rg_dim *a = rg_in_type(s, 0)->dim, *b = rg_in_type(s, 1)->dim;
    int ta = rg_op_int(s, "transA") != 0, tb = rg_op_int(s, "transB") != 0;
    RG_TRY(rg_need_equal(s, "the summed sizes", a[!ta], b[tb], &k));
    rg_type out = rg_type_tensor(dtype, 2, (rg_dim[]){a[ta], b[!tb]});
    if (rg_has_in(s, 2)) {
        RG_TRY(rg_need_rank(s, 2, 0, 2));
        RG_TRY(rg_broadcast(s, &out, rg_in_type(s, 2), &sum));
        for (int i = 0; i < 2; i++)
            RG_TRY(rg_need_equal(s, "sizes of the product and of C", out.dim[i], sum.dim[i], &sum.dim[i]));
    }
    rg_set_out(s, 0, out);
    return RG_OK;
}

static void work(const rg_site *s, rg_work *w)
{
    double outputs = rg_out_count(s, 0);
    int ta = rg_op_int(s, "transA") != 0;
    w->family = RG_FAMILY_GEMM;
    w->m = (double)rg_out_dim(s, 0, 0);
    w->n = (double)rg_out_dim(s, 0, 1);
    w->k = (double)rg_in_dim(s, 0, !ta);
    w->mac = w->m * w->n * w->k;
    w->flop = 2 * w->mac;
    w->flop += rg_op_real(s, "alpha") != 1 ? outputs : 0;
    if (rg_has_in(s, 2)) w->flop += rg_op_real(s, "beta") != 1 ? 2 * outputs : outputs;
    w->weight_in_b = rg_in_is_const(s, 1);
}

/* Before opset 7 an attribute said whether C broadcasts; today it always may. */
static rg_err upgrade(const rg_site *s)
{
    rg_site_drop_attr(s, "broadcast");
    return RG_OK;
}

/* ---- kernel ---- */

/* Element k of line i of a matrix: of row i where the columns are summed over, else of column i. */
static int64_t element(const rg_array *x, bool rows, int64_t i, int64_t k)
{
    return rows ? i * x->dim[1] + k : k * x->dim[1] + i;
}

/* Lines of a matrix one behind the other, each as long as the sum. */
static double *lines_of(const rg_run *r, const rg_array *x, bool rows, int64_t k)
{
    double *out = RG_NEW(r->scratch, double, x->count);
    for (int64_t i = 0; out && i < x->count; i++) out[i] = rg_get(x, element(x, rows, i / k, i % k));
    return out;
}

static uint64_t sum_integers(const rg_array *a, bool a_rows, int64_t i, const rg_array *b, bool b_rows,
                             int64_t j, int64_t k)
{
    uint64_t sum = 0;
    for (int64_t l = 0; l < k; l++)
        sum += (uint64_t)rg_get_int(a, element(a, a_rows, i, l)) *
               (uint64_t)rg_get_int(b, element(b, b_rows, j, l));
    return sum;
}

static rg_err run(const rg_run *r)
{
    const rg_array *a = rg_arg(r, 0), *b = rg_arg(r, 1), *c = rg_arg(r, 2), *y = rg_result(r, 0);
    bool a_rows = !rg_op_int(&r->site, "transA"), b_rows = rg_op_int(&r->site, "transB") != 0;
    double alpha = rg_op_real(&r->site, "alpha"), beta = rg_op_real(&r->site, "beta");
    bool whole = rg_dtype_is_int(y->dtype) && alpha == 1 && beta == 1; /* and wraps */
    int64_t k = a->dim[a_rows], n = y->dim[1], step[RG_RANK_MAX] = {0};
    RG_TRY(rg_need_numbers(r));
    const double *rows = whole ? NULL : lines_of(r, a, a_rows, k);
    const double *columns = whole ? NULL : lines_of(r, b, b_rows, k);
    if (!whole && (!rows || !columns)) return rg_nomem(r->site.cx);
    if (c) rg_broadcast_strides(c, 2, y->dim, step);
    for (int64_t at = 0; at < y->count; at++) {
        int64_t i = at / n, j = at % n, in_c = i * step[0] + j * step[1];
        if (whole) {
            uint64_t sum = sum_integers(a, a_rows, i, b, b_rows, j, k);
            rg_put_int(y, at, (int64_t)(sum + (c ? (uint64_t)rg_get_int(c, in_c) : 0)));
        } else {
            double sum = alpha * rg_dot(rows + i * k, columns + j * k, k);
            rg_put(y, at, c ? sum + beta * rg_get(c, in_c) : sum);
        }
    }
    return RG_OK;
}

RG_OP(gemm) = {
    .name = "Gemm", .brief = "general matrix product with bias", .since = 7,
    .in_min = 2, .in_max = 3, .out_min = 1, .out_max = 1,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run, .upgrade = upgrade,
};
