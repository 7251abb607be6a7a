/* transpose.c - Transpose: the axes in another order. */
#include "op/move.h"
#include "op/share.h"

static const rg_attr_spec attrs[] = {
    {"perm", RG_ATTR_INTS, NULL, false, "axis perm[k] of the input becomes axis k; preset: reversed"},
};

static const rg_case cases[] = {
    {"f32[2,3,4]", "", "f32[4,3,2]"},
    {"f32[batch,196,3,12,64]", "perm=2,0,3,1,4", "f32[3,batch,12,196,64]"},
    {"f32[batch,1,5]", "perm=1,0,2", "f32[1,batch,5]"},
};

static rg_err perm_of(const rg_site *s, int rank, int perm[RG_RANK_MAX])
{
    uint32_t count;
    const int64_t *stated = rg_op_ints(s, "perm", &count);
    bool used[RG_RANK_MAX] = {false};

    for (int k = 0; k < rank; k++) perm[k] = rank - 1 - k;
    if (!rg_op_has(s, "perm")) return RG_OK;
    if ((int64_t)count != rank)
        return rg_site_fail(s, RG_SHAPE, "perm has %u axes, the input %d", count, rank);
    for (int k = 0; k < rank; k++) {
        RG_TRY(rg_need_axis(s, stated[k], rank, &perm[k]));
        if (used[perm[k]]) return rg_site_fail(s, RG_SHAPE, "perm has axis %d twice", perm[k]);
        used[perm[k]] = true;
    }
    return RG_OK;
}

static rg_err infer(const rg_site *s)
{
    const rg_type *in = rg_in_type(s, 0);
    rg_type type = *in;
    rg_dim out[RG_KNOWN_MAX];
    int64_t own[RG_RANK_MAX], stride[RG_RANK_MAX];
    int perm[RG_RANK_MAX];

    RG_TRY(rg_need_tensor(s, 0));
    if (in->rank < 0) return rg_infer_same(s);
    RG_TRY(perm_of(s, in->rank, perm));
    rg_strides(in, own);
    for (int k = 0; k < in->rank; k++) {
        type.dim[k] = in->dim[perm[k]];
        stride[k] = own[perm[k]];
    }
    rg_set_out(s, 0, type);
    if (rg_known_view(s, 0, &type, 0, stride, out))
        rg_set_known(s, 0, out, (uint32_t)rg_known_size(&type));
    return RG_OK;
}

/* When only axes of size 1 change places, the elements stay where they are. */
static bool moves_nothing(const rg_site *s, const int *perm, int rank)
{
    int last = -1;

    for (int k = 0; k < rank; k++) {
        if (rg_in_dim(s, 0, perm[k]) == 1) continue;
        if (perm[k] < last) return false;
        last = perm[k];
    }
    return true;
}

static void work(const rg_site *s, rg_work *w)
{
    int perm[RG_RANK_MAX], rank = rg_in_rank(s, 0);

    rg_work_copy(s, w);
    if (rank < 0 || perm_of(s, rank, perm) != RG_OK || !moves_nothing(s, perm, rank)) return;
    w->family = RG_FAMILY_VIEW;
    w->in_byte = w->weight_byte = w->out_byte = 0;
}

static rg_err run(const rg_run *r)
{
    const rg_array *x = rg_arg(r, 0), *y = rg_result(r, 0);
    rg_box to = rg_box_of(y), from = {.array = x};
    int64_t own[RG_RANK_MAX];
    int perm[RG_RANK_MAX];

    RG_TRY(perm_of(&r->site, x->rank, perm));
    rg_array_strides(x, own);
    for (int k = 0; k < x->rank; k++) from.stride[k] = own[perm[k]];
    rg_box_copy(&to, &from, y->rank, y->dim);
    return RG_OK;
}

RG_OP(transpose) = {
    .name = "Transpose", .brief = "the axes in another order", .since = 25,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run,
};
