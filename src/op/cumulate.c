/* cumulate.c - operators that keep the shape and order elements along an axis: CumSum, CumProd, Trilu,
 * ReverseSequence.
 */
#include "op/ordering.h"
#include "op/share.h"

/* ---- CumSum, CumProd ---- */

static const rg_attr_spec running_attrs[] = {
    {"exclusive", RG_ATTR_INT, "0", false, "1: an element's own value does not count"},
    {"reverse", RG_ATTR_INT, "0", false, "1: from the end"},
};

static const rg_case running_cases[] = {
    {"f32[5] i32[]=0", "", "f32[5]"},
    {"f64[batch,3] i32[]=-1", "reverse=1", "f64[batch,3]"},
};

static rg_err running_infer(const rg_site *s)
{
    uint32_t count;
    const rg_dim *known = rg_in_known(s, 1, &count);
    int axis;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_need_tensor(s, 1));
    if (known && count == 1 && rg_in_rank(s, 0) >= 0)
        RG_TRY(rg_need_axis(s, known[0], rg_in_rank(s, 0), &axis));
    return rg_infer_same(s);
}

/* One operation per element, in a chain along the axis: m rows of k. */
static void running_work(const rg_site *s, rg_work *w)
{
    uint32_t count;
    const rg_dim *known = rg_in_known(s, 1, &count);
    double length = known && count == 1 ? (double)rg_in_dim(s, 0, (int)known[0]) : 1;

    w->family = RG_FAMILY_REDUCE;
    w->flop = rg_in_count(s, 0);
    w->k = length > 0 ? length : 1;
    w->m = rg_in_count(s, 0) / w->k;
}

/* Along each row: integers wrap, reals are summed in double and rounded as they are written. */
typedef struct running { rg_dtype dtype; bool product; double real; uint64_t whole; } running;

static void put_running(const rg_array *y, int64_t at, const running *sum)
{
    if (rg_is_whole(sum->dtype)) rg_put_int(y, at, (int64_t)sum->whole);
    else rg_put(y, at, sum->real);
}

static void step_running(running *sum, const rg_array *x, int64_t at)
{
    if (rg_is_whole(sum->dtype)) {
        uint64_t n = (uint64_t)rg_get_int(x, at);
        sum->whole = sum->product ? sum->whole * n : sum->whole + n;
    } else {
        sum->real = sum->product ? sum->real * rg_get(x, at) : sum->real + rg_get(x, at);
    }
}

static rg_err run_running(const rg_run *r, bool product)
{
    const rg_array *x = rg_arg(r, 0), *axes = rg_arg(r, 1), *y = rg_result(r, 0);
    bool exclusive = rg_op_int(&r->site, "exclusive") != 0, reverse = rg_op_int(&r->site, "reverse") != 0;
    int axis;
    if (axes->count != 1) return rg_run_fail(r, RG_SHAPE, "%lld axes, not 1", (long long)axes->count);
    RG_TRY(rg_need_axis(&r->site, rg_get_int(axes, 0), x->rank, &axis));
    int64_t size = x->dim[axis], step = rg_array_size(x, axis + 1, x->rank);
    int64_t rows = size ? x->count / size : 0;
    for (int64_t i = 0; i < rows; i++) {
        running sum = {.dtype = x->dtype, .product = product, .real = product, .whole = product};
        for (int64_t k = 0; k < size; k++) {
            int64_t at = i / step * step * size + i % step + (reverse ? size - 1 - k : k) * step;
            if (exclusive) put_running(y, at, &sum);
            step_running(&sum, x, at);
            if (!exclusive) put_running(y, at, &sum);
        }
    }
    return RG_OK;
}

static rg_err cumsum_run(const rg_run *r) { return run_running(r, false); }
static rg_err cumprod_run(const rg_run *r) { return run_running(r, true); }

RG_OP(cumsum) = {
    .name = "CumSum", .brief = "running sum along an axis", .since = 14,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(running_attrs) RG_CASES(running_cases)
    .infer = running_infer, .work = running_work, .run = cumsum_run,
};

RG_OP(cumprod) = {
    .name = "CumProd", .brief = "running product along an axis", .since = 26,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(running_attrs) RG_CASES(running_cases)
    .infer = running_infer, .work = running_work, .run = cumprod_run,
};

/* ---- Trilu ---- */

static const rg_attr_spec trilu_attrs[] = {
    {"upper", RG_ATTR_INT, "1", false, "1: the upper triangle is kept, 0: the lower one"},
};

static const rg_case trilu_cases[] = {{"f32[batch,4,5]", "upper=0", "f32[batch,4,5]"}};

static rg_err trilu_infer(const rg_site *s)
{
    RG_TRY(rg_need_tensor(s, 0));
    if (rg_in_rank(s, 0) >= 0) RG_TRY(rg_need_rank(s, 0, 2, -1));
    return rg_infer_same(s);
}

/* Column j of row i is above diagonal k where j - i > k, on it where j - i = k. */
static rg_err trilu_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *diagonal = rg_arg(r, 1), *y = rg_result(r, 0);
    bool upper = rg_op_int(&r->site, "upper") != 0;
    int64_t rows = x->dim[x->rank - 2], columns = x->dim[x->rank - 1];
    if (diagonal && diagonal->count != 1)
        return rg_run_fail(r, RG_SHAPE, "k has %lld elements, not 1", (long long)diagonal->count);
    int64_t k = diagonal ? rg_get_int(diagonal, 0) : 0;
    for (int64_t at = 0; at < y->count; at++) {
        int64_t offset = at % columns - at / columns % rows;
        bool keep = upper ? offset >= k : offset <= k;
        if (keep) rg_copy(y, at, x, at);
        else if (y->dtype == RG_STR) ((rg_str *)y->data)[at] = RG_LIT("");
        else rg_put(y, at, 0);
    }
    return RG_OK;
}

RG_OP(trilu) = {
    .name = "Trilu", .brief = "upper or lower triangle, zeros elsewhere", .since = 14,
    .in_min = 1, .in_max = 2, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(trilu_attrs) RG_CASES(trilu_cases)
    .infer = trilu_infer, .work = rg_work_copy, .run = trilu_run,
};

/* ---- ReverseSequence ---- */

static const rg_attr_spec reverse_attrs[] = {
    {"batch_axis", RG_ATTR_INT, "1", false, "axis of the sequences"},
    {"time_axis", RG_ATTR_INT, "0", false, "axis that is reversed, as far as each sequence is long"},
};

static const rg_case reverse_cases[] = {{"f32[4,batch,8] i64[batch]", "", "f32[4,batch,8]"}};

static rg_err reverse_infer(const rg_site *s)
{
    int axis;

    RG_TRY(rg_need_tensor(s, 0));
    if (rg_in_rank(s, 0) >= 0) {
        RG_TRY(rg_need_axis(s, rg_op_int(s, "batch_axis"), rg_in_rank(s, 0), &axis));
        RG_TRY(rg_need_axis(s, rg_op_int(s, "time_axis"), rg_in_rank(s, 0), &axis));
    }
    return rg_infer_same(s);
}

/* Of sequence b the first length[b] steps are turned round, the others stay. */
static rg_err reverse_run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *length = rg_arg(r, 1), *y = rg_result(r, 0);
    int64_t stride[RG_RANK_MAX], index[RG_RANK_MAX] = {0};
    int batch, time;
    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "batch_axis"), x->rank, &batch));
    RG_TRY(rg_need_axis(&r->site, rg_op_int(&r->site, "time_axis"), x->rank, &time));
    if (batch == time) return rg_run_fail(r, RG_SHAPE, "axis %d is that of batch and of time", batch);
    if (length->count != x->dim[batch])
        return rg_run_fail(r, RG_SHAPE, "%lld lengths for a batch of %lld", (long long)length->count,
                           (long long)x->dim[batch]);
    for (int64_t b = 0; b < length->count; b++)
        if (rg_get_int(length, b) < 0 || rg_get_int(length, b) > x->dim[time])
            return rg_run_fail(r, RG_SHAPE, "sequence %lld of length %lld in %lld steps", (long long)b,
                               (long long)rg_get_int(length, b), (long long)x->dim[time]);
    rg_array_strides(x, stride);
    for (int64_t at = 0; at < y->count; at++, rg_index_next(x->rank, x->dim, index)) {
        int64_t steps = rg_get_int(length, index[batch]), t = index[time];
        rg_copy(y, at, x, t < steps ? at + (steps - 1 - 2 * t) * stride[time] : at);
    }
    return RG_OK;
}

RG_OP(reversesequence) = {
    .name = "ReverseSequence", .brief = "sequences of different lengths, each reversed", .since = 10,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(reverse_attrs) RG_CASES(reverse_cases)
    .infer = reverse_infer, .work = rg_work_copy, .run = reverse_run,
};
