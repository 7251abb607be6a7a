/* cumulate.c - operators that keep the shape and order elements along an axis: CumSum, CumProd, Trilu,
 * ReverseSequence.
 */
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

RG_OP(cumsum) = {
    .name = "CumSum", .brief = "running sum along an axis", .since = 14,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(running_attrs) RG_CASES(running_cases)
    .infer = running_infer, .work = running_work,
};

RG_OP(cumprod) = {
    .name = "CumProd", .brief = "running product along an axis", .since = 26,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(running_attrs) RG_CASES(running_cases)
    .infer = running_infer, .work = running_work,
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

RG_OP(trilu) = {
    .name = "Trilu", .brief = "upper or lower triangle, zeros elsewhere", .since = 14,
    .in_min = 1, .in_max = 2, .out_min = 1, .out_max = 1, .traits = RG_IN_PLACE,
    RG_SPEC(trilu_attrs) RG_CASES(trilu_cases)
    .infer = trilu_infer, .work = rg_work_copy,
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

RG_OP(reversesequence) = {
    .name = "ReverseSequence", .brief = "sequences of different lengths, each reversed", .since = 10,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(reverse_attrs) RG_CASES(reverse_cases)
    .infer = reverse_infer, .work = rg_work_copy,
};
