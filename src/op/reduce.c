/* reduce.c - reductions along axes: the Reduce family, ArgMax and ArgMin; and Det, which reduces matrices.
 *
 * A reduction folds each element into a sum that begins at `start`, and ends with `finish`. Integers whose
 * result is an integer by nature wrap as they go (`whole`); the others are computed as reals, and lose their
 * fraction at the end.
 */
#include "op/ordering.h"
#include "op/share.h"

#include <math.h>

typedef rg_dim fold_fn(rg_dims *dims, rg_dim a, rg_dim b);

static rg_dim fold_max(rg_dims *dims, rg_dim a, rg_dim b) { return rg_dim_max(dims, a, b); }
static rg_dim fold_min(rg_dims *dims, rg_dim a, rg_dim b) { return rg_dim_min(dims, a, b); }
static rg_dim fold_prod(rg_dims *dims, rg_dim a, rg_dim b) { return rg_dim_mul(dims, a, b); }
static rg_dim fold_sum(rg_dims *dims, rg_dim a, rg_dim b) { return rg_dim_add(dims, a, b); }

/* Which axes go: those of input 1, all when there are none. False: only the run tells. */
static rg_err reduced_axes(const rg_site *s, int rank, bool drop[RG_RANK_MAX], bool *known)
{
    uint32_t count = 0;
    const rg_dim *axes = rg_in_known(s, 1, &count);
    int axis;

    *known = axes || !rg_has_in(s, 1);
    for (int k = 0; k < rank; k++)
        drop[k] = *known && count == 0 && !rg_op_int(s, "noop_with_empty_axes");
    for (uint32_t i = 0; i < count; i++) {
        RG_TRY(rg_need_axis(s, axes[i], rank, &axis));
        drop[axis] = true;
    }
    return RG_OK;
}

/* A tensor that becomes one element: the sizes' product is how exporters count them. */
static void reduce_follow(const rg_site *s, const rg_type *type, fold_fn *fold)
{
    uint32_t count;
    const rg_dim *in = rg_in_known(s, 0, &count);

    if (!fold || !in || count == 0 || rg_known_size(type) != 1) return;
    rg_dim x = in[0];
    for (uint32_t i = 1; i < count; i++) x = fold(rg_site_dims(s), x, in[i]);
    rg_set_known(s, 0, &x, 1);
}

static rg_err infer_reduce(const rg_site *s, fold_fn *fold)
{
    const rg_type *in = rg_in_type(s, 0);
    rg_type type = rg_type_tensor(in->dtype, -1, NULL);
    bool drop[RG_RANK_MAX], known, keep = rg_op_int(s, "keepdims") != 0;

    RG_TRY(rg_need_tensor(s, 0));
    if (in->rank < 0) {
        rg_set_out(s, 0, type);
        return RG_OK;
    }
    RG_TRY(reduced_axes(s, in->rank, drop, &known));
    if (!known) {
        int listed = rg_list_size(s, 1);
        bool counted = keep || (listed > 0 && listed <= in->rank);
        rg_set_out(s, 0, rg_type_open(s, in->dtype, !counted ? -1 : in->rank - (keep ? 0 : listed)));
        return RG_OK;
    }
    type.rank = 0;
    for (int k = 0; k < in->rank; k++) {
        if (!drop[k] || keep) type.dim[type.rank++] = drop[k] ? 1 : in->dim[k];
    }
    rg_set_out(s, 0, type);
    reduce_follow(s, &type, fold);
    return RG_OK;
}

/* flop and special: per input element; the last two per output element. */
static void work_reduce(const rg_site *s, rg_work *w, double flop, double special, double last_flop,
                        double last_special)
{
    double in = rg_in_count(s, 0), out = rg_out_count(s, 0);

    w->family = RG_FAMILY_REDUCE;
    w->flop = flop * in + last_flop * out;
    w->special = special * in + last_special * out;
    w->m = out;
    w->k = out > 0 ? in / out : 1;
}

/* Up to opset 17 (ReduceSum: 12) the axes were an attribute. */
static rg_err reduce_upgrade(const rg_site *s) { return rg_attr_to_input(s, "axes", 1); }

/* ---- one step, at run time ---- */

typedef double real_step(double sum, double x);
typedef int64_t whole_step(rg_dtype dtype, int64_t sum, int64_t x); /* of u64 the bit pattern */

static double step_add(double sum, double x) { return sum + x; }
static double step_mul(double sum, double x) { return sum * x; }
static double step_abs(double sum, double x) { return sum + fabs(x); }
static double step_square(double sum, double x) { return sum + x * x; }
static double step_max(double sum, double x) { return isnan(sum) || sum >= x ? sum : x; } /* NaN wins */
static double step_min(double sum, double x) { return isnan(sum) || sum <= x ? sum : x; }

/* log(e^sum + e^x), the larger one taken out so that nothing overflows; of equal ones, infinite or not, twice
 * the one. */
static double step_exp(double sum, double x)
{
    if (sum == x) return sum + log(2);
    return step_max(sum, x) + log1p(exp(-fabs(sum - x)));
}

static int64_t whole_add(rg_dtype dtype, int64_t sum, int64_t x)
{
    (void)dtype;
    return (int64_t)((uint64_t)sum + (uint64_t)x);
}
static int64_t whole_mul(rg_dtype dtype, int64_t sum, int64_t x)
{
    (void)dtype;
    return (int64_t)((uint64_t)sum * (uint64_t)x);
}
static int64_t whole_abs(rg_dtype dtype, int64_t sum, int64_t x)
{
    bool negative = rg_dtype_class(dtype) == 'i' && x < 0;
    return (int64_t)(negative ? (uint64_t)sum - (uint64_t)x : (uint64_t)sum + (uint64_t)x);
}
static int64_t whole_square(rg_dtype dtype, int64_t sum, int64_t x)
{
    return whole_add(dtype, sum, whole_mul(dtype, x, x));
}
static int64_t whole_max(rg_dtype dtype, int64_t sum, int64_t x)
{
    return rg_whole_less(dtype, sum, x) ? x : sum;
}
static int64_t whole_min(rg_dtype dtype, int64_t sum, int64_t x)
{
    return rg_whole_less(dtype, x, sum) ? x : sum;
}

enum finish { SAME, LOG, ROOT, MEAN };

static double finished(enum finish how, double sum, double count)
{
    switch (how) {
    case LOG: return log(sum);
    case ROOT: return sqrt(sum);
    case MEAN: return sum / count;
    case SAME: break;
    }
    return sum;
}

/* ---- kernel ---- */

/* The axes of the input in two lists: those that stay, and those that one result folds. */
typedef struct fold { int rank; int64_t dim[RG_RANK_MAX], stride[RG_RANK_MAX], count; } fold;

static void push_axis(fold *f, int64_t dim, int64_t stride)
{
    f->dim[f->rank] = dim;
    f->stride[f->rank++] = stride;
    f->count *= dim;
}

static rg_err split_axes(const rg_run *r, fold *kept, fold *gone)
{
    const rg_array *x = rg_arg(r, 0), *axes = rg_arg(r, 1);
    int64_t stride[RG_RANK_MAX], count = axes ? axes->count : 0;
    bool drop[RG_RANK_MAX], all = count == 0 && !rg_op_int(&r->site, "noop_with_empty_axes");
    int axis;
    *kept = *gone = (fold){.count = 1};
    for (int k = 0; k < x->rank; k++) drop[k] = all;
    for (int64_t i = 0; i < count; i++) {
        RG_TRY(rg_need_axis(&r->site, rg_get_int(axes, i), x->rank, &axis));
        drop[axis] = true;
    }
    rg_array_strides(x, stride);
    for (int k = 0; k < x->rank; k++) push_axis(drop[k] ? gone : kept, x->dim[k], stride[k]);
    return RG_OK;
}

/* The elements that become one, from `base` on. An infinite start stands for the type's own bound. */
static int64_t fold_whole(const rg_array *x, const fold *gone, int64_t base, double start, whole_step *step)
{
    int64_t index[RG_RANK_MAX] = {0};
    int64_t sum = isinf(start) ? rg_get_int(x, base) : (int64_t)start;
    for (int64_t i = 0; i < gone->count; i++, rg_index_next(gone->rank, gone->dim, index))
        sum = step(x->dtype, sum, rg_get_int(x, base + rg_index_at(gone->rank, index, gone->stride)));
    return sum;
}

static double fold_real(const rg_array *x, const fold *gone, int64_t base, double start, real_step *step)
{
    int64_t index[RG_RANK_MAX] = {0};
    double sum = start;
    for (int64_t i = 0; i < gone->count; i++, rg_index_next(gone->rank, gone->dim, index))
        sum = step(sum, rg_get(x, base + rg_index_at(gone->rank, index, gone->stride)));
    return sum;
}

static rg_err run_reduce(const rg_run *r, double start, real_step *step, whole_step *whole,
                         enum finish finish)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    int64_t index[RG_RANK_MAX] = {0};
    fold kept, gone;
    RG_TRY(split_axes(r, &kept, &gone));
    bool is_whole = rg_is_whole(x->dtype);
    for (int64_t i = 0; i < y->count; i++, rg_index_next(kept.rank, kept.dim, index)) {
        int64_t base = rg_index_at(kept.rank, index, kept.stride);
        if (is_whole && whole && gone.count > 0) {
            rg_put_int(y, i, fold_whole(x, &gone, base, start, whole));
            continue;
        }
        double sum = finished(finish, fold_real(x, &gone, base, start, step), (double)gone.count);
        rg_put(y, i, y->dtype == RG_BOOL ? sum > 0 : is_whole ? trunc(sum) : sum);
    }
    return RG_OK;
}

static const rg_attr_spec reduce_attrs[] = {
    {"keepdims", RG_ATTR_INT, "1", false, "1: reduced axes stay with size 1"},
    {"noop_with_empty_axes", RG_ATTR_INT, "0", false, "1: no axes reduce nothing, 0: everything"},
};

static const rg_case reduce_cases[] = {
    {"f32[3,2,2] i64[1]=1", "keepdims=0", "f32[3,2]"},
    {"f32[batch,7,7,64] i64[2]=-3,-2", "", "f32[batch,1,1,64]"},
    {"f32[3,2]", "keepdims=0", "f32[]"},
    {"f32[3,2] i64[0]=", "noop_with_empty_axes=1", "f32[3,2]"},
};

/*    id  ONNX name  opset flop special  flop special of an output  fold  start step whole finish  brief */
#define REDUCE_LIST(X)                                                                                     \
    X(reducel1,        "ReduceL1",        18, 2, 0, 0, 0, NULL,      0, step_abs, whole_abs, SAME,         \
      "sum of absolute values")                                                                            \
    X(reducel2,        "ReduceL2",        18, 2, 0, 0, 1, NULL,      0, step_square, NULL, ROOT,           \
      "square root of the sum of squares")                                                                 \
    X(reducelogsum,    "ReduceLogSum",    18, 1, 0, 0, 1, NULL,      0, step_add, NULL, LOG,               \
      "logarithm of the sum")                                                                              \
    X(reducelogsumexp, "ReduceLogSumExp", 18, 3, 1, 0, 1, NULL,      -INFINITY, step_exp, NULL, SAME,      \
      "logarithm of the sum of exponentials")                                                              \
    X(reducemax,       "ReduceMax",       20, 1, 0, 0, 0, fold_max,  -INFINITY, step_max, whole_max, SAME, \
      "maximum")                                                                                           \
    X(reducemean,      "ReduceMean",      18, 1, 0, 1, 0, NULL,      0, step_add, NULL, MEAN, "mean")      \
    X(reducemin,       "ReduceMin",       20, 1, 0, 0, 0, fold_min,  INFINITY, step_min, whole_min, SAME,  \
      "minimum")                                                                                           \
    X(reduceprod,      "ReduceProd",      18, 1, 0, 0, 0, fold_prod, 1, step_mul, whole_mul, SAME,         \
      "product")                                                                                           \
    X(reducesum,       "ReduceSum",       13, 1, 0, 0, 0, fold_sum,  0, step_add, whole_add, SAME, "sum")  \
    X(reducesumsquare, "ReduceSumSquare", 18, 2, 0, 0, 0, NULL,      0, step_square, whole_square,         \
      SAME, "sum of squares")

#define X(id, onnx, opset, flops, specials, last_flops, last_specials, fold, start, step, whole, finish,   \
          words)                                                                                           \
    static rg_err id##_infer(const rg_site *s) { return infer_reduce(s, fold); }                           \
    static void id##_work(const rg_site *s, rg_work *w)                                                    \
    {                                                                                                      \
        work_reduce(s, w, flops, specials, last_flops, last_specials);                                     \
    }                                                                                                      \
    static rg_err id##_run(const rg_run *r) { return run_reduce(r, start, step, whole, finish); }          \
    RG_OP(id) = {                                                                                          \
        .name = onnx, .brief = words " along axes", .since = opset,                                        \
        .in_min = 1, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(reduce_attrs) RG_CASES(reduce_cases) \
        .infer = id##_infer, .work = id##_work, .run = id##_run, .upgrade = reduce_upgrade,                \
    };
REDUCE_LIST(X)
#undef X

/* ---- ArgMax, ArgMin ---- */

static const rg_attr_spec arg_attrs[] = {
    {"axis", RG_ATTR_INT, "0", false, "axis searched"},
    {"keepdims", RG_ATTR_INT, "1", false, "1: the axis stays with size 1"},
    {"select_last_index", RG_ATTR_INT, "0", false, "1: of equal elements the last one counts"},
};

static const rg_case arg_cases[] = {
    {"f32[2,3,4]", "axis=1", "i64[2,1,4]"},
    {"f32[batch,1000]", "axis=-1 keepdims=0", "i64[batch]"},
};

static rg_err arg_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    rg_type type = rg_type_tensor(RG_I64, -1, NULL);
    bool keep = rg_op_int(s, "keepdims") != 0;
    int axis;

    RG_TRY(rg_need_tensor(s, 0));
    if (in->rank >= 0) {
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), in->rank, &axis));
        type.rank = 0;
        for (int k = 0; k < in->rank; k++) {
            if (k != axis || keep) type.dim[type.rank++] = k == axis ? 1 : in->dim[k];
        }
    }
    rg_set_out(s, 0, type);
    return RG_OK;
}

static void arg_work(const rg_site *s, rg_work *w) { work_reduce(s, w, 1, 0, 0, 0); }

/* Of a NaN it answers the place, as numpy does. */
static rg_err run_arg(const rg_run *r, int wanted)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    bool last = rg_op_int(&r->site, "select_last_index") != 0, real = !rg_is_whole(x->dtype);
    int axis;
    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "axis"), x->rank, &axis));
    int64_t size = x->dim[axis], step = rg_array_size(x, axis + 1, x->rank);
    if (size == 0 && y->count)
        return rg_run_fail(r, RG_SHAPE, "axis %d has no elements to choose from", axis);
    for (int64_t i = 0; i < y->count; i++) {
        int64_t at = i / step * step * size + i % step, best = 0;
        for (int64_t k = 1; k < size; k++) {
            int order = rg_order(x, at + k * step, x, at + best * step);
            bool nan = real && isnan(rg_get(x, at + best * step));
            bool better = real && isnan(rg_get(x, at + k * step)) ? !nan : !nan && order == wanted;
            if (better || (last && order == 0)) best = k;
        }
        rg_put_int(y, i, best);
    }
    return RG_OK;
}

static rg_err argmax_run(const rg_run *r) { return run_arg(r, 1); }
static rg_err argmin_run(const rg_run *r) { return run_arg(r, -1); }

RG_OP(argmax) = {
    .name = "ArgMax", .brief = "index of the largest element along an axis", .since = 13,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(arg_attrs) RG_CASES(arg_cases)
    .infer = arg_infer, .work = arg_work, .run = argmax_run,
};

RG_OP(argmin) = {
    .name = "ArgMin", .brief = "index of the smallest element along an axis", .since = 13,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(arg_attrs) RG_CASES(arg_cases)
    .infer = arg_infer, .work = arg_work, .run = argmin_run,
};

/* ---- Det ---- */

static const rg_case det_cases[] = {{"f32[2,3,3]", "", "f32[2]"}, {"f64[4,4]", "", "f64[]"}};

static rg_err det_infer(const rg_site *s)
{
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);
    rg_dim size;

    RG_TRY(rg_need_rank(s, 0, 2, -1));
    RG_TRY(rg_need_equal(s, "rows and columns", type.dim[type.rank - 2], type.dim[type.rank - 1], &size));
    type.rank -= 2;
    rg_set_out(s, 0, type);
    return RG_OK;
}

/* LU decomposition: 2/3 n^3 operations and a division for each row below a pivot; then n products. */
static void det_work(const rg_site *s, rg_work *w)
{
    double n = (double)rg_in_dim(s, 0, -1), count = rg_out_count(s, 0);

    w->family = RG_FAMILY_OTHER;
    w->flop = count * (2 * n * n * n / 3 + n);
    w->special = count * n * (n - 1) / 2;
    w->m = count;
    w->k = n * n;
}

/* Swaps row k with the one that has the largest element in column k; false when they are all zero. */
static bool pivot(double *m, int64_t n, int64_t k, double *det)
{
    int64_t best = k;
    for (int64_t i = k + 1; i < n; i++)
        if (fabs(m[i * n + k]) > fabs(m[best * n + k])) best = i;
    for (int64_t j = 0; j < n && best != k; j++) {
        double t = m[k * n + j];
        m[k * n + j] = m[best * n + j];
        m[best * n + j] = t;
    }
    if (best != k) *det = -*det;
    return m[k * n + k] != 0;
}

/* The product of the pivots of Gaussian elimination; destroys the matrix. */
static double determinant(double *m, int64_t n)
{
    double det = 1;
    for (int64_t k = 0; k < n; k++) {
        if (!pivot(m, n, k, &det)) return 0;
        det *= m[k * n + k];
        for (int64_t i = k + 1; i < n; i++) {
            double f = m[i * n + k] / m[k * n + k];
            for (int64_t j = k + 1; j < n; j++) m[i * n + j] -= f * m[k * n + j];
        }
    }
    return det;
}

static rg_err det_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    if (y->count == 0) return RG_OK;
    int64_t n = x->dim[x->rank - 1], size = n * n;
    double *m = RG_NEW(r->scratch, double, size);
    if (!m) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < y->count; i++) {
        for (int64_t k = 0; k < size; k++) m[k] = rg_get(x, i * size + k);
        rg_put(y, i, determinant(m, n));
    }
    return RG_OK;
}

RG_OP(det) = {
    .name = "Det", .brief = "determinant of square matrices", .since = 22,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_CASES(det_cases)
    .infer = det_infer, .work = det_work, .run = det_run,
};
