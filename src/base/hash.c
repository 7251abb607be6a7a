/* hash.c - a 64-bit hash and a random generator, both the same on every machine.
 *
 * The hash folds eight bytes at a time through a 64x64->128 bit multiply, whose halves are xored: the mixing
 * step of the wyhash family. The generator is splitmix64 (Steele, Lea, Flood 2014, "Fast splittable
 * pseudorandom number generators"): its increment and its two multipliers are the constants below.
 */
#include "base/base.h"

#include <string.h>

#define SPLITMIX_STEP UINT64_C(0x9e3779b97f4a7c15)
#define SPLITMIX_A    UINT64_C(0xbf58476d1ce4e5b9)
#define SPLITMIX_B    UINT64_C(0x94d049bb133111eb)

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)(a ^ SPLITMIX_A) * (b ^ SPLITMIX_B);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Little-endian, whatever the machine. */
static uint64_t load(const unsigned char *p, size_t size)
{
    uint64_t x = 0;
    for (size_t i = 0; i < size; i++) x |= (uint64_t)p[i] << (8 * i);
    return x;
}

uint64_t rg_hash(uint64_t seed, const void *data, size_t size)
{
    const unsigned char *p = data;
    uint64_t h = seed;
    for (; size >= 8; p += 8, size -= 8) h = fold(h, load(p, 8));
    return fold(h ^ size, size ? load(p, size) : 0);
}

uint64_t rg_hash_u64(uint64_t seed, uint64_t x) { return fold(seed, x + SPLITMIX_STEP); }
uint64_t rg_hash_str(uint64_t seed, rg_str s) { return rg_hash(rg_hash_u64(seed, s.size), s.data, s.size); }

uint64_t rg_random_next(uint64_t *state)
{
    uint64_t z = *state += SPLITMIX_STEP;
    z = (z ^ (z >> 30)) * SPLITMIX_A;
    z = (z ^ (z >> 27)) * SPLITMIX_B;
    return z ^ (z >> 31);
}

double rg_random_unit(uint64_t *state) { return (double)(rg_random_next(state) >> 11) * 0x1p-53; }
