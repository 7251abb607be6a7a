/* row_draw.h - some of many rows, each as likely as any other: selection sampling (Knuth, TAOCP 2, 3.4.2,
 * algorithm S). From one seed the same of the same rows.
 */
#ifndef RG_ROW_DRAW_H
#define RG_ROW_DRAW_H

#include "base/base.h"

typedef struct rg_row_draw { uint64_t random; size_t left, wanted; } rg_row_draw;

/* Of `all` rows `most`, or all of them. */
static inline rg_row_draw rg_row_draw_of(size_t all, size_t most)
{
    return (rg_row_draw){.random = 1, .left = all, .wanted = all < most ? all : most};
}

/* Asked of each row in turn: is it one of them? */
static inline bool rg_row_draw_next(rg_row_draw *d)
{
    bool taken = rg_random_unit(&d->random) * (double)d->left-- < (double)d->wanted;
    d->wanted -= taken;
    return taken;
}

#endif
