/* calibrate_kernel.h - loops whose speed is a figure of the machine: arithmetic that never waits, and memory
 * that is only read, only written, copied, or followed from pointer to pointer.
 *
 * A kernel says what it has done, so that a compiler which found a shorter way is noticed: arithmetic counts
 * by its results (every multiply-add adds one), a walk through memory by the place where it ends.
 */
#ifndef RG_CALIBRATE_KERNEL_H
#define RG_CALIBRATE_KERNEL_H

#include "hw/hw.h"

/* ---- arithmetic: calibrate_peak.c ---- */

typedef struct rg_peak_kernel {
    rg_unit_kind unit;
    rg_hw_dtype dtype;
    const char *accumulate;
    unsigned needs;              /* RG_CPU_BIT: all of them */
    double mac_per_step;         /* multiply-adds of one step */
    double (*run)(int64_t steps); /* the sum of all results: how many multiply-adds there were */
    const char *how;             /* the instructions */
} rg_peak_kernel;
enum { RG_PEAK_STEP_MAX = 1 << 23 }; /* as far as a float counts in ones */
/* The fastest that the processor has the features for; false: there is none for that peak. */
bool rg_peak_kernel_for(const rg_peak *peak, unsigned features, rg_peak_kernel *out);

/* ---- instructions of one width: calibrate_vector.c ---- */

enum { RG_MOVE_BYTE = 1024 };    /* of one step through memory */

typedef struct rg_vector_kernel {
    unsigned needs;
    int byte;                    /* of a vector */
    const char *how;
    double f32_per_step, f64_per_step;
    double (*fma_f32)(int64_t steps);
    double (*fma_f64)(int64_t steps);
    /* Additions of which each waits for the one before, one a clock, in whose shadow the vector unit works at
     * half its speed; answers how many there were. */
    int64_t (*clock)(int64_t steps);
    /* So many steps of RG_MOVE_BYTE from `at` on, around the `size` bytes at base, whole steps; answers where
     * it stopped. A copy goes from the first half to the second, around `size` bytes of each. */
    size_t (*read)(char *base, size_t size, size_t at, int64_t steps);
    size_t (*write)(char *base, size_t size, size_t at, int64_t steps);
    size_t (*copy)(char *base, size_t size, size_t at, int64_t steps);
} rg_vector_kernel;
enum { RG_CLOCK_PER_STEP = 16 };
const rg_vector_kernel *rg_vector_kernel_for(unsigned features); /* the widest */

/* ---- waiting: calibrate_chase.c ---- */

enum { RG_CHASE_BYTE = 64 };     /* a line: one pointer each */
/* Makes one circle through all lines of the memory, in an order that nobody can guess. */
void rg_chase_make(char *base, size_t size, uint64_t seed);
/* Follows it; answers where it stopped. */
char *rg_chase_run(char *at, int64_t steps);

#endif
