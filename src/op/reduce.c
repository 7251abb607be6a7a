/* reduce.c - reductions along axes: the Reduce family, ArgMax and ArgMin; and Det, which reduces matrices. */
#include "op/share.h"

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

/*    id               ONNX name         opset flop special  flop special of an output  fold   brief */
#define REDUCE_LIST(X)                                                                                       \
    X(reducel1,        "ReduceL1",        18, 2, 0, 0, 0, NULL,      "sum of absolute values")               \
    X(reducel2,        "ReduceL2",        18, 2, 0, 0, 1, NULL,      "square root of the sum of squares")    \
    X(reducelogsum,    "ReduceLogSum",    18, 1, 0, 0, 1, NULL,      "logarithm of the sum")                 \
    X(reducelogsumexp, "ReduceLogSumExp", 18, 3, 1, 0, 1, NULL,      "logarithm of the sum of exponentials") \
    X(reducemax,       "ReduceMax",       20, 1, 0, 0, 0, fold_max,  "maximum")                              \
    X(reducemean,      "ReduceMean",      18, 1, 0, 1, 0, NULL,      "mean")                                 \
    X(reducemin,       "ReduceMin",       20, 1, 0, 0, 0, fold_min,  "minimum")                              \
    X(reduceprod,      "ReduceProd",      18, 1, 0, 0, 0, fold_prod, "product")                              \
    X(reducesum,       "ReduceSum",       13, 1, 0, 0, 0, fold_sum,  "sum")                                  \
    X(reducesumsquare, "ReduceSumSquare", 18, 2, 0, 0, 0, NULL,      "sum of squares")

#define X(id, onnx, opset, flops, specials, last_flops, last_specials, fold, words)                        \
    static rg_err id##_infer(const rg_site *s) { return infer_reduce(s, fold); }                           \
    static void id##_work(const rg_site *s, rg_work *w)                                                    \
    {                                                                                                      \
        work_reduce(s, w, flops, specials, last_flops, last_specials);                                     \
    }                                                                                                      \
    RG_OP(id) = {                                                                                          \
        .name = onnx, .brief = words " along axes", .since = opset,                                        \
        .in_min = 1, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(reduce_attrs) RG_CASES(reduce_cases) \
        .infer = id##_infer, .work = id##_work, .upgrade = reduce_upgrade,                                 \
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

RG_OP(argmax) = {
    .name = "ArgMax", .brief = "index of the largest element along an axis", .since = 13,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(arg_attrs) RG_CASES(arg_cases)
    .infer = arg_infer, .work = arg_work,
};

RG_OP(argmin) = {
    .name = "ArgMin", .brief = "index of the smallest element along an axis", .since = 13,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(arg_attrs) RG_CASES(arg_cases)
    .infer = arg_infer, .work = arg_work,
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

RG_OP(det) = {
    .name = "Det", .brief = "determinant of square matrices", .since = 22,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_CASES(det_cases)
    .infer = det_infer, .work = det_work,
};
