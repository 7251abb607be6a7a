/* skyline.c - a segment tree over rows: what lives at the same time as a buffer, without looking at all
 * others.
 *
 *     node 1                    [0 ..................... 7]      a buffer of rows 1..5 is kept at nodes
 *     2, 3            [0 .......... 3]      [4 .......... 7]     9 (row 1), 5 (2..3) and 6 (4..5)
 *     4 .. 7        [0, 1]    [2, 3]      [4, 5]    [6, 7]
 *     8 .. 15      [0]  [1]  [2]  [3]    [4]  [5]  [6]  [7]
 *
 * A range of rows splits into O(log n) nodes. Two ranges meet where a node of one is, or lies above or
 * below, a node of the other: `cover` answers from above, `inside` from below. For listing, buffers that
 * live when b is born span a node between that row's leaf and the root; the others are born later, row by
 * row.
 */
#include "map/skyline.h"

struct rg_skyline_cell { const rg_buffer *buffer; uint32_t next; };

rg_err rg_skyline_init(rg_ctx *cx, rg_skyline *sky, uint32_t row_count)
{
    uint32_t size = 1;
    while (size < row_count) size *= 2;
    *sky = (rg_skyline){.arena = &cx->arena, .size = size};
    sky->cover = RG_NEW(sky->arena, uint64_t, 2 * (size_t)size);
    sky->inside = RG_NEW(sky->arena, uint64_t, 2 * (size_t)size);
    sky->spans = RG_NEW(sky->arena, uint32_t, 2 * (size_t)size);
    sky->born = RG_NEW(sky->arena, uint32_t, size);
    return sky->cover && sky->inside && sky->spans && sky->born ? RG_OK : rg_nomem(cx);
}

static bool push(rg_skyline *sky, uint32_t *list, const rg_buffer *b)
{
    if (!RG_GROW(sky->arena, sky->cells, sky->cell_count, sky->cell_capacity)) return false;
    sky->cells[sky->cell_count++] = (struct rg_skyline_cell){b, *list};
    *list = sky->cell_count;
    return true;
}

static void raise(uint64_t *height, uint64_t to)
{
    if (*height < to) *height = to;
}

static bool span(rg_skyline *sky, uint32_t node, const rg_buffer *b)
{
    raise(&sky->cover[node], b->offset_byte + b->size_byte);
    raise(&sky->inside[node], b->offset_byte + b->size_byte);
    return push(sky, &sky->spans[node], b);
}

bool rg_skyline_add(rg_skyline *sky, const rg_buffer *b)
{
    uint32_t left = b->born + sky->size, right = b->dies + sky->size + 1;
    for (; left < right; left /= 2, right /= 2) {
        if (left % 2 && !span(sky, left++, b)) return false;
        if (right % 2 && !span(sky, --right, b)) return false;
    }
    uint64_t end = b->offset_byte + b->size_byte;
    for (left = b->born + sky->size; left; left /= 2) raise(&sky->inside[left], end);
    for (right = b->dies + sky->size; right; right /= 2) raise(&sky->inside[right], end);
    return push(sky, &sky->born[b->born], b);
}

uint64_t rg_skyline_top(const rg_skyline *sky, const rg_buffer *b)
{
    uint32_t left = b->born + sky->size, right = b->dies + sky->size + 1;
    uint64_t top = 0;
    for (; left < right; left /= 2, right /= 2) {
        if (left % 2) raise(&top, sky->inside[left++]);
        if (right % 2) raise(&top, sky->inside[--right]);
    }
    for (left = b->born + sky->size; left; left /= 2) raise(&top, sky->cover[left]);
    for (right = b->dies + sky->size; right; right /= 2) raise(&top, sky->cover[right]);
    return top;
}

/* Appends a list; false when the limit is passed. */
static bool collect(const rg_skyline *sky, uint32_t list, const rg_buffer **near, uint32_t *count,
                    uint32_t limit)
{
    for (; list; list = sky->cells[list - 1].next) {
        if ((*count)++ == limit) return false;
        near[*count - 1] = sky->cells[list - 1].buffer;
    }
    return true;
}

uint32_t rg_skyline_near(const rg_skyline *sky, const rg_buffer *b, const rg_buffer **near, uint32_t limit)
{
    uint32_t count = 0;
    for (uint32_t node = b->born + sky->size; node; node /= 2)
        if (!collect(sky, sky->spans[node], near, &count, limit)) return count;
    for (uint32_t row = b->born + 1; row <= b->dies; row++)
        if (!collect(sky, sky->born[row], near, &count, limit)) return count;
    return count;
}
