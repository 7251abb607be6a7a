/* weights.c - what kernels make of constants when a model is loaded: packed panels, transformed filters. The
 * first runner of a plan makes it; runners that share its weights ask in the same order and find it made.
 */
#include "exec/fast.h"

enum {
    ALIGN_BYTE = 64,         /* a cache line, and the widest vector */
    BLOCK_BYTE = 64 << 20,   /* many large pages, of which the last block leaves some untouched */
};

struct rg_weights {
    rg_arena arena;
    void **rooms; size_t count; uint32_t capacity;
    uint32_t refs;           /* atomic */
};

rg_err rg_weights_new(rg_ctx *cx, rg_weights **out)
{
    *out = NULL;
    rg_weights *w = RG_NEW_OWN(cx, rg_weights);
    if (!w) return rg_nomem(cx);
    w->arena.block_byte = BLOCK_BYTE;
    w->refs = 1;
    *out = w;
    return RG_OK;
}

rg_weights *rg_weights_ref(rg_weights *w)
{
    __atomic_add_fetch(&w->refs, 1, __ATOMIC_RELAXED);
    return w;
}

void rg_weights_free(rg_weights *w)
{
    if (!w || __atomic_sub_fetch(&w->refs, 1, __ATOMIC_ACQ_REL)) return;
    rg_arena arena = w->arena; /* it lies in there itself */
    rg_arena_done(&arena);
}

void *rg_weights_room(const rg_fast_row *r, size_t byte, bool *made)
{
    rg_weights *w = r->weights;
    size_t index = (*r->weight_next)++;
    *made = index < w->count;
    if (*made) return w->rooms[index];
    if (byte > SIZE_MAX - ALIGN_BYTE || !RG_GROW(&w->arena, w->rooms, w->count, w->capacity)) return NULL;
    char *room = rg_arena_alloc(&w->arena, byte + ALIGN_BYTE);
    if (!room) return NULL;
    room += (ALIGN_BYTE - (uintptr_t)room % ALIGN_BYTE) % ALIGN_BYTE;
    return w->rooms[w->count++] = room;
}
