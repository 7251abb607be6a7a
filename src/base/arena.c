/* arena.c - bump allocation: everything of a request lives in one arena and dies with it.
 *
 *     block: | next, size | ....used.... | ....free.... |
 *
 * Blocks double up to a megabyte, or to what the owner says, so that small graphs stay small and large ones
 * make few calls. Memory arrives zeroed when it is handed out, not with its block: half of a block is never
 * touched.
 */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_MIN = 4096, BLOCK_MAX = 1 << 20, ALIGN = 16 };

struct rg_block {
    struct rg_block *next;
    size_t size, used; /* of the bytes behind this header */
};

enum { HEADER = (sizeof(struct rg_block) + ALIGN - 1) / ALIGN * ALIGN };

void rg_arena_init(rg_arena *arena, rg_ctx *cx)
{
    *arena = (rg_arena){
        .cx = cx, .limit_byte = cx->memory_limit_byte, .block_byte = BLOCK_MAX, .alloc = cx->alloc,
        .free = cx->free, .user = cx->user,
    };
}

static void *add_block(rg_arena *arena, size_t need)
{
    size_t size = arena->head ? arena->head->size * 2 : BLOCK_MIN;
    if (size > arena->block_byte) size = arena->block_byte;
    if (size < need) size = need;
    if (size > arena->limit_byte - arena->used_byte) size = need;
    struct rg_block *block = arena->alloc(arena->user, HEADER + size);
    if (!block) return NULL;
    rg_large_pages(block, HEADER + size);
    *block = (struct rg_block){.next = arena->head, .size = size};
    arena->head = block;
    arena->used_byte += size;
    return block;
}

void *rg_arena_alloc(rg_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) goto fail;
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (size == 0) size = ALIGN;
    if (!arena->head || arena->head->size - arena->head->used < size) {
        if (arena->failed || size > arena->limit_byte - arena->used_byte) goto fail;
        if (!add_block(arena, size)) goto fail;
    }
    struct rg_block *block = arena->head;
    void *memory = (char *)block + HEADER + block->used;
    block->used += size;
    return memset(memory, 0, size);
fail:
    arena->failed = true;
    return NULL;
}

void rg_arena_done(rg_arena *arena)
{
    for (struct rg_block *block = arena->head, *next; block; block = next) {
        next = block->next;
        arena->free(arena->user, block);
    }
    arena->head = NULL;
    arena->used_byte = 0;
}

void *rg_arena_own(rg_ctx *cx, size_t size, size_t arena_at)
{
    rg_arena arena;
    rg_arena_init(&arena, cx);
    char *thing = rg_arena_alloc(&arena, size);
    if (thing) memcpy(thing + arena_at, &arena, sizeof arena);
    else rg_arena_done(&arena);
    return thing;
}

void rg_arena_reset(rg_arena *arena)
{
    size_t held = arena->used_byte;
    if (arena->head && arena->head->next) { /* it has grown: one block of that size will do from now on */
        rg_arena_done(arena);
        add_block(arena, held); /* without memory it grows again */
    }
    if (arena->head) arena->head->used = 0;
    arena->failed = false;
}

void *rg_arena_array(rg_arena *arena, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size) {
        arena->failed = true;
        return NULL;
    }
    return rg_arena_alloc(arena, count * size);
}

void *rg_arena_grow(rg_arena *arena, void *array, size_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) return array;
    size_t wanted = *capacity ? (size_t)*capacity * 2 : 8;
    if (wanted > UINT32_MAX) {
        arena->failed = true;
        return NULL;
    }
    void *grown = rg_arena_array(arena, wanted, size);
    if (!grown) return NULL;
    if (count) memcpy(grown, array, count * size);
    *capacity = (uint32_t)wanted;
    return grown;
}

rg_str rg_arena_str(rg_arena *arena, rg_str s)
{
    char *copy = rg_arena_alloc(arena, s.size + 1);
    if (!copy) return (rg_str){NULL, 0};
    if (s.size) memcpy(copy, s.data, s.size);
    return (rg_str){copy, s.size};
}

const char *rg_arena_cstr(rg_arena *arena, rg_str s) { return rg_arena_str(arena, s).data; }

const char *rg_arena_printf(rg_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = rg_str_vprint(NULL, 0, format, args);
    va_end(args);
    char *text = size < 0 ? NULL : rg_arena_alloc(arena, (size_t)size + 1);
    if (text) rg_str_vprint(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}
