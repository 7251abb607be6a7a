/* move.c - boxes of elements copied, indices checked; see move.h. */
#include "op/move.h"

rg_box rg_box_of(const rg_array *a)
{
    rg_box box = {.array = a};
    rg_array_strides(a, box.stride);
    return box;
}

/* The last axis is copied as one run where it lies packed on both sides. */
void rg_box_copy(const rg_box *to, const rg_box *from, int rank, const int64_t *dim)
{
    int64_t index[RG_RANK_MAX] = {0}, row = 1, to_step = 1, from_step = 1;
    for (int k = 0; k < rank; k++)
        if (dim[k] <= 0) return;
    if (rank > 0) {
        row = dim[--rank];
        to_step = to->stride[rank];
        from_step = from->stride[rank];
    }
    do {
        int64_t i = to->at + rg_index_at(rank, index, to->stride);
        int64_t k = from->at + rg_index_at(rank, index, from->stride);
        if (to_step == 1 && from_step == 1) rg_copy_run(to->array, i, from->array, k, row);
        else
            for (int64_t n = 0; n < row; n++)
                rg_copy(to->array, i + n * to_step, from->array, k + n * from_step);
    } while (rg_index_next(rank, dim, index));
}

void rg_copy_whole(const rg_array *to, const rg_array *from)
{
    if (to->data != from->data) rg_copy_run(to, 0, from, 0, from->count);
}

rg_err rg_need_index(const rg_run *r, const char *what, int64_t index, int64_t size, int64_t *out)
{
    if (index < -size || index >= size)
        return rg_run_fail(r, RG_SHAPE, "%s %lld is outside %lld..%lld", what, (long long)index,
                           (long long)-size, (long long)size - 1);
    *out = index < 0 ? index + size : index;
    return RG_OK;
}

rg_err rg_need_within(const rg_run *r, const rg_array *index, const rg_array *x, int axis)
{
    if (index->rank != x->rank)
        return rg_run_fail(r, RG_SHAPE, "indices of rank %d for rank %d", index->rank, x->rank);
    for (int k = 0; k < x->rank; k++)
        if (k != axis && index->count > 0 && index->dim[k] > x->dim[k])
            return rg_run_fail(r, RG_SHAPE, "indices of size %lld at axis %d, the data have %lld",
                               (long long)index->dim[k], k, (long long)x->dim[k]);
    return RG_OK;
}

rg_err rg_need_coordinates(const rg_run *r, const rg_array *index, int64_t i, const rg_array *x, int first,
                           int64_t *out)
{
    int64_t depth = index->dim[index->rank - 1], at = 0;
    for (int64_t d = 0; d < depth; d++) {
        int64_t size = x->dim[first + d], k = 0;
        RG_TRY(rg_need_index(r, "coordinate", rg_get_int(index, i * depth + d), size, &k));
        at = at * size + k;
    }
    *out = at;
    return RG_OK;
}
