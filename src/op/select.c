/* select.c - how much comes out only the data decide: Compress, NonZero, Unique.
 *
 * The sizes are run-time symbols; what stands in for them until somebody says better is everything passing.
 */
#include "op/share.h"

/* A size of at most `most`, all of it until the run tells. */
static rg_dim up_to(const rg_site *s, rg_dim most)
{
    return rg_dim_open(s, rg_dim_value(rg_site_dims(s), most));
}

/* ---- Compress ---- */

static const rg_attr_spec compress_attrs[] = {
    {"axis", RG_ATTR_INT, NULL, false, "axis of the slices; the flattened input when left out"},
};

static const rg_case compress_cases[] = {
    {"f32[3,2] bool[3]", "axis=0", "f32[u0,2]"},
    {"f32[3,2] bool[5]=0,1,0,1,1", "", "f32[3]"},
};

static rg_err compress_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    uint32_t count;
    const rg_dim *keep = rg_in_known(s, 1, &count);
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);
    rg_dim kept = 0;
    int axis = 0;

    RG_TRY(rg_need_tensor(s, 0));
    RG_TRY(rg_need_tensor(s, 1));
    for (uint32_t i = 0; keep && i < count; i++) kept += keep[i] != 0;
    if (!rg_op_has(s, "axis")) {
        rg_dim all = in->rank < 0 ? 1 : rg_dims_product(s, in, 0, in->rank);
        type.rank = 1;
        type.dim[0] = keep ? kept : up_to(s, all);
    } else if (in->rank >= 0) {
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), in->rank, &axis));
        type.dim[axis] = keep ? kept : up_to(s, in->dim[axis]);
    }
    rg_set_out(s, 0, type);
    return RG_OK;
}

RG_OP(compress) = {
    .name = "Compress", .brief = "slices kept by a list of bools", .since = 11,
    .in_min = 2, .in_max = 2, .out_min = 1, .out_max = 1, RG_SPEC(compress_attrs) RG_CASES(compress_cases)
    .infer = compress_infer, .work = rg_work_copy,
};

/* ---- NonZero ---- */

static const rg_case nonzero_cases[] = {{"bool[2,3]", "", "i64[2,u0]"}, {"f32[batch]", "", "i64[1,u0]"}};

/* Known elements are counted, and their places are known too where the input is a list. */
static bool nonzero_follow(const rg_site *s, const rg_type *in)
{
    rg_dim out[RG_KNOWN_MAX], dim[2] = {1, 0};
    uint32_t count;
    const rg_dim *known = rg_in_known(s, 0, &count);

    if (!known || in->rank != 1) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!rg_dim_is_number(known[i]) && rg_dim_low(rg_site_dims(s), known[i]) <= 0) return false;
        if (known[i] != 0) out[dim[1]++] = i;
    }
    rg_set_out(s, 0, rg_type_tensor(RG_I64, 2, dim));
    rg_set_known(s, 0, out, (uint32_t)dim[1]);
    return true;
}

static rg_err nonzero_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);

    RG_TRY(rg_need_tensor(s, 0));
    if (nonzero_follow(s, in)) return RG_OK;
    rg_dim all = in->rank < 0 ? 1 : rg_dims_product(s, in, 0, in->rank);
    rg_dim dim[2] = {in->rank < 0 ? rg_dim_open(s, 1) : in->rank, up_to(s, all)};
    rg_set_out(s, 0, rg_type_tensor(RG_I64, 2, dim));
    return RG_OK;
}

static void nonzero_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->flop = rg_in_count(s, 0);
}

RG_OP(nonzero) = {
    .name = "NonZero", .brief = "coordinates of the elements that are not zero", .since = 13,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_CASES(nonzero_cases)
    .infer = nonzero_infer, .work = nonzero_work,
};

/* ---- Unique ---- */

static const rg_attr_spec unique_attrs[] = {
    {"axis", RG_ATTR_INT, NULL, false, "axis of the slices compared; the flattened input when left out"},
    {"sorted", RG_ATTR_INT, "1", false, "whether the result is sorted, else in order of appearance"},
};

static const rg_case unique_cases[] = {
    {"f32[6]", "", "f32[u0] i64[u0] i64[6] i64[u0]"},
    {"f32[3,4]", "axis=1", "f32[3,u0] i64[u0] i64[4] i64[u0]"},
};

static rg_err unique_infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    rg_type type = rg_type_like(s, 0, RG_DTYPE_NONE);
    rg_dim all, found;
    int axis = 0;

    RG_TRY(rg_need_tensor(s, 0));
    if (rg_op_has(s, "axis") && in->rank >= 0) {
        RG_TRY(rg_need_axis(s, rg_op_int(s, "axis"), in->rank, &axis));
        all = in->dim[axis];
    } else {
        all = in->rank < 0 ? rg_dim_open(s, 1) : rg_dims_product(s, in, 0, in->rank);
        type.rank = rg_op_has(s, "axis") ? -1 : 1;
    }
    found = up_to(s, all);
    type.dim[axis] = found;
    rg_set_out(s, 0, type);
    rg_set_out(s, 1, rg_type_tensor(RG_I64, 1, &found));
    rg_set_out(s, 2, rg_type_tensor(RG_I64, 1, &all));
    rg_set_out(s, 3, rg_type_tensor(RG_I64, 1, &found));
    return RG_OK;
}

/* A sort: n log2 n comparisons. */
static void unique_work(const rg_site *s, rg_work *w)
{
    rg_work_copy(s, w);
    w->family = RG_FAMILY_SORT;
    w->flop = rg_work_sort(rg_in_count(s, 0), rg_in_count(s, 0));
}

RG_OP(unique) = {
    .name = "Unique", .brief = "elements without repetition", .since = 11,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 4, RG_SPEC(unique_attrs) RG_CASES(unique_cases)
    .infer = unique_infer, .work = unique_work,
};
