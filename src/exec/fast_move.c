/* fast_move.c - Transpose of elements of four bytes.
 *
 * Axes that stay neighbors count as one. If the last one stays the last, runs are copied; else it changes
 * places with the one whose elements lie together in the input, and these two are done in small squares:
 * both sides' lines stay in the nearest cache until all of their elements have been used.
 */
#include "exec/fast.h"

#include <string.h>

enum { SIDE = 16 }; /* a cache line of floats */

/* All by the result's axes: size, and distance of neighbors in the input and in the result. */
typedef struct transpose {
    const uint32_t *x;
    uint32_t *y;
    int rank;
    int64_t dim[RG_RANK_MAX], from[RG_RANK_MAX], to[RG_RANK_MAX];
    int64_t count;                                  /* squares or runs */
    int64_t run;                                    /* elements that are copied together; 0: squares */
    int64_t lines, line_step, columns, column_step; /* of a square: y[line][column] = x[column][line] */
} transpose;

static void copy_square(const transpose *s, const uint32_t *x, uint32_t *y)
{
    for (int64_t line = 0; line < s->lines; line += SIDE)
        for (int64_t column = 0; column < s->columns; column += SIDE) {
            int64_t last = line + SIDE < s->lines ? line + SIDE : s->lines;
            int64_t end = column + SIDE < s->columns ? column + SIDE : s->columns;
            for (int64_t i = line; i < last; i++)
                for (int64_t j = column; j < end; j++) y[i * s->line_step + j] = x[j * s->column_step + i];
        }
}

static void run(void *state, rg_part part)
{
    const transpose *s = state;
    if (part.worker) return;
    int64_t index[RG_RANK_MAX] = {0};
    for (int64_t i = 0; i < s->count; i++, rg_index_next(s->rank, s->dim, index)) {
        const uint32_t *x = s->x + rg_index_at(s->rank, index, s->from);
        uint32_t *y = s->y + rg_index_at(s->rank, index, s->to);
        if (s->run) memcpy(y, x, (size_t)s->run * sizeof *y);
        else copy_square(s, x, y);
    }
}

static void drop_axis(transpose *s, int axis)
{
    s->rank--;
    for (int k = axis; k < s->rank; k++) {
        s->dim[k] = s->dim[k + 1];
        s->from[k] = s->from[k + 1];
        s->to[k] = s->to[k + 1];
    }
}

/* What is left are the axes between which nothing stays together. */
static void merge_axes(transpose *s)
{
    for (int k = s->rank - 1; k >= 0; k--)
        if (s->dim[k] == 1) drop_axis(s, k);
    for (int k = s->rank - 2; k >= 0; k--) {
        if (s->from[k] != s->from[k + 1] * s->dim[k + 1]) continue;
        s->dim[k + 1] *= s->dim[k];
        drop_axis(s, k);
    }
}

/* Takes the axes off that a square or a run consists of. */
static void take_inner(transpose *s)
{
    int last = s->rank - 1, near = last;
    if (s->rank == 0) s->run = 1;
    else if (s->from[last] == 1) s->run = s->dim[last];
    while (!s->run && s->from[near] != 1) near--; /* an input's last axis of more than one element is there */
    if (!s->run) {
        s->lines = s->dim[near];
        s->line_step = s->to[near];
        s->columns = s->dim[last];
        s->column_step = s->from[last];
    }
    if (s->rank) drop_axis(s, last);
    if (!s->run) drop_axis(s, near);
    s->count = 1;
    for (int k = 0; k < s->rank; k++) s->count *= s->dim[k];
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    uint32_t count;
    int64_t own[RG_RANK_MAX];
    *state = NULL;
    if (!rg_node_is(n, "Transpose")) return RG_OK;
    const rg_array *x = rg_fast_array(r, n->in[0]), *y = rg_fast_array(r, n->out[0]);
    const int64_t *perm = rg_op_has(&r->site, "perm") ? rg_op_ints(&r->site, "perm", &count) : NULL;
    if (rg_dtype_bytes(x->dtype, 1) != sizeof(uint32_t) || x->count == 0) return RG_OK;
    transpose *s = RG_NEW(r->arena, transpose, 1);
    if (!s) return rg_nomem(r->cx);
    *s = (transpose){.x = x->data, .y = y->data, .rank = y->rank};
    rg_array_strides(x, own);
    rg_array_strides(y, s->to);
    for (int k = 0; k < y->rank; k++) {
        int64_t axis = perm ? perm[k] : y->rank - 1 - k;
        s->dim[k] = y->dim[k];
        s->from[k] = own[axis < 0 ? axis + y->rank : axis];
    }
    merge_axes(s);
    take_inner(s);
    if (s->x == s->y) s->count = 0; /* axes of size 1 alone: the plan lets the result lie over the input */
    *state = s;
    return RG_OK;
}

RG_FAST(transpose) = {
    .name = "transpose", .brief = "axes in another order", .make = make, .run = run,
};
