/* map.c - string to number: open addressing with linear probing, half full at most. */
#include "base/base.h"

#include <string.h>

struct rg_map_slot { rg_str key; uint32_t value; bool used; };

void rg_map_init(rg_map *map, rg_arena *arena) { *map = (rg_map){.arena = arena}; }

/* The slot of `key`, or the free one where it would go. */
static struct rg_map_slot *slot_of(const rg_map *map, rg_str key)
{
    uint32_t mask = map->capacity - 1, i = (uint32_t)rg_hash(RG_HASH_SEED, key.data, key.size) & mask;
    while (map->slots[i].used && !rg_str_eq(map->slots[i].key, key)) i = (i + 1) & mask;
    return &map->slots[i];
}

uint32_t rg_map_get(const rg_map *map, rg_str key)
{
    if (!map->capacity) return 0;
    const struct rg_map_slot *slot = slot_of(map, key);
    return slot->used ? slot->value : 0;
}

static bool grow(rg_map *map)
{
    rg_map old = *map;
    if (old.capacity > UINT32_MAX / 4) return false;
    map->capacity = old.capacity ? old.capacity * 2 : 64;
    map->slots = RG_NEW(map->arena, struct rg_map_slot, map->capacity);
    if (!map->slots) {
        *map = old;
        return false;
    }
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.slots[i].used) *slot_of(map, old.slots[i].key) = old.slots[i];
    return true;
}

bool rg_map_put(rg_map *map, rg_str key, uint32_t value)
{
    if ((map->count + 1) * 2 > map->capacity && !grow(map)) return false;
    struct rg_map_slot *slot = slot_of(map, key);
    map->count += !slot->used;
    *slot = (struct rg_map_slot){key, value, true};
    return true;
}
