/* move.h - what the operators that move elements share: boxes of elements that lie evenly, and indices that
 * come from data.
 */
#ifndef RG_MOVE_H
#define RG_MOVE_H

#include "op/kernel.h"

/* Element (i0, i1, ...) is array[at + i0 * stride[0] + i1 * stride[1] + ...]. A stride may be 0, which
 * repeats, or negative, which goes backwards. */
typedef struct rg_box { const rg_array *array; int64_t at, stride[RG_RANK_MAX]; } rg_box;

rg_box rg_box_of(const rg_array *a);                     /* the whole tensor */
/* to[i0, i1, ...] = from[i0, i1, ...] for all indices below `dim`; both boxes lie within their arrays. */
void rg_box_copy(const rg_box *to, const rg_box *from, int rank, const int64_t *dim);

/* All elements; nothing where a runner lets the result lie over the input. */
void rg_copy_whole(const rg_array *to, const rg_array *from);

/* 0 <= *out < size afterwards: negative indices count from the end, others fail as "index 9 is outside 0..4",
 * `what` in front. */
rg_err rg_need_index(const rg_run *r, const char *what, int64_t index, int64_t size, int64_t *out) RG_CHECKED;

/* GatherElements, ScatterElements: along every axis but `axis` the indices do not go beyond the tensor. */
rg_err rg_need_within(const rg_run *r, const rg_array *index, const rg_array *x, int axis) RG_CHECKED;
/* GatherND, ScatterND: the i-th row of `index` are coordinates along the axes from `first` on; *out is the
 * number of the slice of `x` there, counted over those axes. */
rg_err rg_need_coordinates(const rg_run *r, const rg_array *index, int64_t i, const rg_array *x, int first,
                           int64_t *out) RG_CHECKED;

/* An axis that inference has checked. */
static inline int rg_axis_of(const rg_run *r, const char *name, int rank)
{
    int64_t axis = rg_op_int(&r->site, name);
    return (int)(axis < 0 ? axis + rank : axis);
}

#endif
