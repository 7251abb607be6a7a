/* draw.h - where a random operator's numbers come from. */
#ifndef RG_DRAW_H
#define RG_DRAW_H

#include "op/kernel.h"

/* The run's generator; where the node states a seed, one of its own in `own`, begun anew in every run. */
uint64_t *rg_draw_state(const rg_run *r, uint64_t *own);

#endif
