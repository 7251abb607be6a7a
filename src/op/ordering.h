/* ordering.h - comparing elements of run-time tensors, and sorting by any order. */
#ifndef RG_ORDERING_H
#define RG_ORDERING_H

#include "op/kernel.h"

/* Computed as whole numbers: integers and bools. */
static inline bool rg_is_whole(rg_dtype dtype) { return rg_dtype_is_int(dtype) || dtype == RG_BOOL; }
/* a < b for what rg_get_int answers: u64 comes as its bit pattern. */
static inline bool rg_whole_less(rg_dtype dtype, int64_t a, int64_t b)
{
    return dtype == RG_U64 ? (uint64_t)a < (uint64_t)b : a < b;
}
/* -1, 0 or 1: element i of `a` below, like or above element k of `b`, of the same type. Strings bytewise; NaN
 * is like NaN and above everything, so that this is an order and can be sorted by. */
int rg_order(const rg_array *a, int64_t i, const rg_array *b, int64_t k);

/* Whether what `a` stands for must come before what `b` stands for. */
typedef bool rg_before(const void *user, int64_t a, int64_t b);
/* Sorts `list`; what neither comes before the other keeps its order. RG_NOMEM. */
rg_err rg_sort(const rg_run *r, int64_t *list, int64_t count, rg_before *before, const void *user) RG_CHECKED;

#endif
