/* matmul.c - MatMul and its integer forms: batches of m x k times k x n.
 *
 * Where b is one matrix for the whole batch, as weights are, the batch joins the rows: one product of
 * (batch * m) x n x k, which is how every library computes it.
 */
#include "op/product.h"
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

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

/* ---- kernels ---- */

/* Four sums side by side: one alone would wait for each addition before the next. */
double rg_dot(const double *a, const double *b, int64_t count)
{
    double sum[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (int k = 0; k < 4; k++) sum[k] += a[i + k] * b[i + k];
    for (; i < count; i++) sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* The matrices of a whole batch: a has `rows` rows and b `columns` columns in all, m and n to a matrix. */
typedef struct product {
    int rank;                        /* axes of the batch */
    int64_t batch[RG_RANK_MAX], step_a[RG_RANK_MAX], step_b[RG_RANK_MAX]; /* steps in matrices */
    int64_t m, n, k, rows, columns;
    const rg_array *y;
} product;

static product open_product(const rg_array *a, const rg_array *b, const rg_array *y)
{
    bool row = a->rank == 1, column = b->rank == 1;
    rg_array left = *a, right = *b; /* their batches */
    product p = {.rank = y->rank - !row - !column, .k = a->dim[a->rank - 1], .y = y};
    if (y->count == 0) return p;
    p.m = row ? 1 : a->dim[a->rank - 2];
    p.n = column ? 1 : b->dim[b->rank - 1];
    p.rows = row ? 1 : rg_array_size(a, 0, a->rank - 1);
    p.columns = column ? 1 : rg_array_size(b, 0, b->rank - 2) * p.n;
    left.rank = row ? 0 : a->rank - 2;
    right.rank = column ? 0 : b->rank - 2;
    for (int i = 0; i < p.rank; i++) p.batch[i] = y->dim[i];
    rg_broadcast_strides(&left, p.rank, p.batch, p.step_a);
    rg_broadcast_strides(&right, p.rank, p.batch, p.step_b);
    return p;
}

/* Output `at` is row times column; both are counted over all matrices of their side. */
typedef void (*put_product)(const void *user, const product *p, int64_t at, int64_t row, int64_t column);

static void each_product(const product *p, put_product put, const void *user)
{
    int64_t index[RG_RANK_MAX] = {0}, at = 0;
    if (p->y->count == 0) return;
    do {
        int64_t row = rg_index_at(p->rank, index, p->step_a) * p->m;
        int64_t column = rg_index_at(p->rank, index, p->step_b) * p->n;
        for (int64_t i = 0; i < p->m; i++)
            for (int64_t j = 0; j < p->n; j++) put(user, p, at++, row + i, column + j);
    } while (rg_index_next(p->rank, p->batch, index));
}

/* Where element k of a column lies in b; matrices are [k, n]. */
static int64_t in_column(const product *p, int64_t column, int64_t k)
{
    return (column / p->n * p->k + k) * p->n + column % p->n;
}

/* The operands as doubles less their zero points, columns of b made contiguous. */
typedef struct operands { const double *rows, *columns; } operands;

static double sum_of(const operands *o, const product *p, int64_t row, int64_t column)
{
    return rg_dot(o->rows + row * p->k, o->columns + column * p->k, p->k);
}

static rg_err open_operands(const rg_run *r, const product *p, const rg_array *a, const double *a_zero,
                            const rg_array *b, const double *b_zero, operands *o)
{
    double *rows = RG_NEW(r->scratch, double, a->count), *columns = RG_NEW(r->scratch, double, b->count);
    if (!rows || !columns) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < a->count; i++) rows[i] = rg_get(a, i) - (a_zero ? a_zero[i / p->k] : 0);
    for (int64_t j = 0, i = 0; j < p->columns; j++)
        for (int64_t k = 0; k < p->k; k++, i++)
            columns[i] = rg_get(b, in_column(p, j, k)) - (b_zero ? b_zero[j] : 0);
    *o = (operands){rows, columns};
    return RG_OK;
}

static void put_real(const void *user, const product *p, int64_t at, int64_t row, int64_t column)
{
    rg_put(p->y, at, sum_of(user, p, row, column));
}

/* Sums of whole numbers wrap. */
typedef struct integers { const int64_t *a, *b; } integers;

static void put_integer(const void *user, const product *p, int64_t at, int64_t row, int64_t column)
{
    const integers *x = user;
    uint64_t sum = 0;
    for (int64_t k = 0; k < p->k; k++)
        sum += (uint64_t)x->a[row * p->k + k] * (uint64_t)x->b[in_column(p, column, k)];
    rg_put_int(p->y, at, (int64_t)sum);
}

static rg_err run(const rg_run *r)
{
    const rg_array *a = rg_arg(r, 0), *b = rg_arg(r, 1), *y = rg_result(r, 0);
    product p = open_product(a, b, y);
    operands reals;
    RG_TRY(rg_need_numbers(r));
    if (rg_dtype_is_int(y->dtype)) {
        integers whole = {rg_ints(r, a), rg_ints(r, b)};
        if (!whole.a || !whole.b) return rg_nomem(r->site.cx);
        each_product(&p, put_integer, &whole);
        return RG_OK;
    }
    RG_TRY(open_operands(r, &p, a, NULL, b, NULL, &reals));
    each_product(&p, put_real, &reals);
    return RG_OK;
}

RG_OP(matmul) = {
    .name = "MatMul", .brief = "matrix product, batched and broadcast as numpy does", .since = 1,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1,
    RG_CASES(cases) .infer = infer, .work = work, .run = run,
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

/* Scales or zero points of `lines` rows of a or columns of b, `each` of them to a matrix: input i has one for
 * all, one for each line of every matrix, or one for each line. Omitted: `otherwise`. */
static rg_err read_lines(const rg_run *r, uint32_t i, int64_t lines, int64_t each, double otherwise,
                         const double **out)
{
    const rg_array *x = rg_arg(r, i);
    double *values = RG_NEW(r->scratch, double, lines);
    *out = values;
    if (!values) return rg_nomem(r->site.cx);
    if (x && x->count != 1 && x->count != each && x->count != lines)
        return rg_run_fail(r, RG_SHAPE, "input %u has %lld elements, needs 1 or %lld", i, (long long)x->count,
                           (long long)each);
    for (int64_t k = 0; k < lines; k++)
        values[k] = !x ? otherwise : rg_get(x, x->count == 1 ? 0 : x->count == lines ? k : k % each);
    return RG_OK;
}

/* The 32-bit sum wraps; in a double it is exact. */
static void put_sum(const void *user, const product *p, int64_t at, int64_t row, int64_t column)
{
    rg_put_int(p->y, at, (int64_t)sum_of(user, p, row, column));
}

static rg_err integer_run(const rg_run *r)
{
    product p = open_product(rg_arg(r, 0), rg_arg(r, 1), rg_result(r, 0));
    const double *a_zero, *b_zero;
    operands o;
    RG_TRY(rg_need_numbers(r));
    RG_TRY(read_lines(r, 2, p.rows, p.m, 0, &a_zero));
    RG_TRY(read_lines(r, 3, p.columns, p.n, 0, &b_zero));
    RG_TRY(open_operands(r, &p, rg_arg(r, 0), a_zero, rg_arg(r, 1), b_zero, &o));
    each_product(&p, put_sum, &o);
    return RG_OK;
}

RG_OP(matmul_integer) = {
    .name = "MatMulInteger", .brief = "matrix product of 8-bit integers into 32-bit sums", .since = 10,
    .in_min = 2, .in_max = 4, .out_min = 1, .out_max = 1,
    RG_CASES(integer_cases) .infer = integer_infer, .work = integer_work, .run = integer_run,
};

enum { Q_A, Q_A_SCALE, Q_A_ZERO, Q_B, Q_B_SCALE, Q_B_ZERO, Q_Y_SCALE, Q_Y_ZERO };

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

typedef struct linear { operands in; const double *a_scale, *b_scale, *y_scale, *y_zero; } linear;

/* y = round(sum * a_scale * b_scale / y_scale) + zero point, saturated; 8-bit floats are rounded by storing
 * them. The output's parameters are by its rows. */
static void put_linear(const void *user, const product *p, int64_t at, int64_t row, int64_t column)
{
    const linear *q = user;
    int64_t line = at / p->n;
    double scale = q->a_scale[row] * q->b_scale[column] / q->y_scale[line];
    double y = sum_of(&q->in, p, row, column) * scale;
    rg_put(p->y, at, (rg_dtype_is_float(p->y->dtype) ? y : rint(y)) + q->y_zero[line]);
}

static rg_err linear_run(const rg_run *r)
{
    product p = open_product(rg_arg(r, Q_A), rg_arg(r, Q_B), rg_result(r, 0));
    int64_t lines = p.n > 0 ? p.y->count / p.n : 0;
    const double *a_zero, *b_zero;
    linear q;
    RG_TRY(rg_need_numbers(r));
    RG_TRY(read_lines(r, Q_A_SCALE, p.rows, p.m, 1, &q.a_scale));
    RG_TRY(read_lines(r, Q_A_ZERO, p.rows, p.m, 0, &a_zero));
    RG_TRY(read_lines(r, Q_B_SCALE, p.columns, p.n, 1, &q.b_scale));
    RG_TRY(read_lines(r, Q_B_ZERO, p.columns, p.n, 0, &b_zero));
    RG_TRY(read_lines(r, Q_Y_SCALE, lines, p.m, 1, &q.y_scale));
    RG_TRY(read_lines(r, Q_Y_ZERO, lines, p.m, 0, &q.y_zero));
    RG_TRY(open_operands(r, &p, rg_arg(r, Q_A), a_zero, rg_arg(r, Q_B), b_zero, &q.in));
    each_product(&p, put_linear, &q);
    return RG_OK;
}

RG_OP(qlinear_matmul) = {
    .name = "QLinearMatMul", .brief = "quantized matrix product with its scales and zero points", .since = 10,
    .in_min = 8, .in_max = 8, .out_min = 1, .out_max = 1,
    RG_CASES(linear_cases) .infer = linear_infer, .work = linear_work, .run = linear_run,
};
