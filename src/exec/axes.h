/* axes.h - where the elements of a value lie, in either layout, and walks over several values at once.
 *
 * A blocked value [N, C, H, W] is a tensor of five axes, [N, C / 8, H, W, 8], whose last two memory axes are
 * what they are: so kernels that move elements or work on each of them need to know one form only.
 */
#ifndef RG_AXES_H
#define RG_AXES_H

#include "exec/fast.h"

typedef struct rg_axes { int rank; int64_t dim[RG_RANK_MAX], step[RG_RANK_MAX]; } rg_axes; /* in elements */

/* The value's own axes, with blocks if it lies in them. */
rg_axes rg_axes_of(const rg_fast_row *r, rg_value_id v);
/* The axes of a result of which v is an operand: aligned at the last one, step 0 where v is repeated. In
 * blocks where the result lies so; false: v does not, and has both channels and pixels. */
bool rg_axes_like(const rg_fast_row *r, rg_value_id v, rg_value_id result, rg_axes *out);
/* For layout(): whether v could be an operand of a blocked result of that shape. */
bool rg_axes_may_join(const rg_fast_row *r, rg_value_id v, rg_value_id result);

/* A walk over up to three operands of a packed result. What is left of the axes are lines of `run` elements
 * in which each operand advances by one or stays, some number of lines with even steps, and the rest.
 *
 *     [2,3,4,5] + [3,1,1]   is   [2,3,20] + [.,3,.]       two times three lines of twenty, the right side
 * standing
 */
enum { RG_OPERANDS = 3 };
typedef struct rg_walk {
    int64_t count, run, lines;           /* elements; of a line; of lines with even steps */
    bool moves[RG_OPERANDS];             /* within a line */
    int64_t line_step[RG_OPERANDS];
    int rank; int64_t dim[RG_RANK_MAX];  /* outer axes */
    int64_t step[RG_OPERANDS][RG_RANK_MAX];
} rg_walk;

/* Where to go on: operands at[i], lines of `run` elements. */
typedef struct rg_span { int64_t at[RG_OPERANDS], lines, run; } rg_span;

/* False: an operand would advance by something else. `axes` of an operand each. */
bool rg_walk_make(const rg_axes *axes, int operands, rg_walk *out);
/* Of the elements from..to-1 as many as can be had at once; returns how many. */
int64_t rg_walk_next(const rg_walk *w, int64_t from, int64_t to, rg_span *out);

#endif
