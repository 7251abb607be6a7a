/* mover.h - elements of a box moved to where another one has them: what Transpose, Concat, Slice and their
 * like come to. Where both boxes have runs they are copied; where the input's neighbors are another axis than
 * the result's, these two are done in small squares, so that lines of both sides stay in the nearest cache
 * until all of their elements have been used.
 */
#ifndef RG_MOVER_H
#define RG_MOVER_H

#include "exec/axes.h"

typedef struct rg_mover {
    const char *x;
    char *y;
    int64_t byte;                    /* of an element: 1, 2, 4, 8 */
    int rank;
    int64_t dim[RG_RANK_MAX], from[RG_RANK_MAX], to[RG_RANK_MAX]; /* outer axes; steps in elements */
    int64_t lines, columns;          /* of the innermost two axes */
    int64_t from_line, from_column, to_line, to_column;
    int64_t line_grain, column_grain, strips, slices,
        units; /* a unit of work: a grain of lines and columns */
} rg_mover;

/* Bytes of an element that can be moved; 0: it cannot. */
int64_t rg_mover_byte(rg_dtype dtype);
/* `box` has dim and the steps in x; `to` those in y. x and y at the boxes' first elements. */
void rg_mover_make(const void *x, void *y, int64_t byte, const rg_axes *box, const int64_t *to,
                   rg_mover *out);
void rg_mover_run(const rg_mover *m, rg_part part); /* this worker's share */

#endif
