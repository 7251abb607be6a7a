/* skyline.h - placed buffers, found by when they live: rows from left to right, offsets upwards. */
#ifndef RG_SKYLINE_H
#define RG_SKYLINE_H

#include "map/map.h"

typedef struct rg_skyline {
    rg_arena *arena;
    uint32_t size;                 /* rows, rounded up to a power of two */
    uint64_t *cover, *inside;      /* by node of the tree: highest end that spans it all; highest in it */
    uint32_t *spans;               /* by node: list of buffers that span it, cell + 1 */
    uint32_t *born;                /* by row: list of buffers that are born there, cell + 1 */
    struct rg_skyline_cell *cells;
    uint32_t cell_count, cell_capacity;
} rg_skyline;

/* Scratch memory of cx; nothing to free. Rows of buffers must be below row_count. */
rg_err rg_skyline_init(rg_ctx *cx, rg_skyline *sky, uint32_t row_count) RG_CHECKED;
/* The buffer is referenced. False: no memory. */
bool rg_skyline_add(rg_skyline *sky, const rg_buffer *b) RG_CHECKED;
/* The highest end among buffers that live while b does; 0 when there is none. */
uint64_t rg_skyline_top(const rg_skyline *sky, const rg_buffer *b);
/* Those buffers, in no particular order; `limit` + 1 when there are more than `limit`. */
uint32_t rg_skyline_near(const rg_skyline *sky, const rg_buffer *b, const rg_buffer **near, uint32_t limit);

#endif
