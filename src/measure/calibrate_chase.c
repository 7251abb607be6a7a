/* calibrate_chase.c - a walk through memory of which each step waits for the one before.
 *
 * One circle through all lines, drawn by Sattolo's algorithm: a permutation of a single cycle, so that no
 * walk ends in a small part of the memory, and without a stride that a prefetcher could learn.
 */
#include "measure/calibrate_kernel.h"

static char *line(char *base, size_t i) { return base + i * RG_CHASE_BYTE; }

void rg_chase_make(char *base, size_t size, uint64_t seed)
{
    size_t count = size / RG_CHASE_BYTE, next, other;
    for (size_t i = 0; i < count; i++) memcpy(line(base, i), &i, sizeof i);
    for (size_t i = count; i-- > 1;) {
        size_t k = (size_t)(rg_random_next(&seed) % i);
        memcpy(&next, line(base, i), sizeof next);
        memcpy(&other, line(base, k), sizeof other);
        memcpy(line(base, i), &other, sizeof other);
        memcpy(line(base, k), &next, sizeof next);
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(&next, line(base, i), sizeof next);
        char *to = line(base, next);
        memcpy(line(base, i), &to, sizeof to);
    }
}

char *rg_chase_run(char *at, int64_t steps)
{
    for (int64_t s = 0; s < steps; s++) at = *(char **)(void *)at;
    return at;
}
