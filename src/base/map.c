/* map.c - string to number: open addressing with linear probing, half full at most. */
#include "base/base.h"

#include <string.h>

/* `data` NULL: free. A quarter of a cache line: a model has a name a value, and look-ups miss the cache. */
struct rg_map_slot { const char *data; uint32_t size, value; };

void rg_map_init(rg_map *map, rg_arena *arena) { *map = (rg_map){.arena = arena}; }

/* The slot of `key`, or the free one where it would go. */
static struct rg_map_slot *slot_of(const rg_map *map, rg_str key)
{
    uint32_t mask = map->capacity - 1, i = (uint32_t)rg_hash(RG_HASH_SEED, key.data, key.size) & mask;
    for (;; i = (i + 1) & mask) {
        struct rg_map_slot *slot = &map->slots[i];
        if (!slot->data || rg_str_eq((rg_str){slot->data, slot->size}, key)) return slot;
    }
}

uint32_t rg_map_get(const rg_map *map, rg_str key)
{
    return map->capacity ? slot_of(map, key)->value : 0;
}

static bool resize(rg_map *map, uint32_t capacity)
{
    rg_map old = *map;
    map->slots = RG_NEW(map->arena, struct rg_map_slot, capacity);
    if (!map->slots) {
        *map = old;
        return false;
    }
    map->capacity = capacity;
    for (uint32_t i = 0; i < old.capacity; i++) {
        const struct rg_map_slot *slot = &old.slots[i];
        if (slot->data) *slot_of(map, (rg_str){slot->data, slot->size}) = *slot;
    }
    return true;
}

bool rg_map_reserve(rg_map *map, uint32_t count)
{
    uint32_t capacity = map->capacity ? map->capacity : 64;
    while (capacity / 2 < count) {
        if (capacity > UINT32_MAX / 2) return false;
        capacity *= 2;
    }
    return capacity == map->capacity || resize(map, capacity);
}

bool rg_map_put(rg_map *map, rg_str key, uint32_t value)
{
    if (key.size > UINT32_MAX || !rg_map_reserve(map, map->count + 1)) return false;
    struct rg_map_slot *slot = slot_of(map, key);
    map->count += !slot->data;
    *slot = (struct rg_map_slot){key.data ? key.data : "", (uint32_t)key.size, value};
    return true;
}
