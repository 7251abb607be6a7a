/* perf_counter.h - what the processor itself counts while something runs: clock cycles, instructions, misses
 * of the last cache. Of the thread that opens the counters and of those that it makes from then on.
 */
#ifndef RG_PERF_COUNTER_H
#define RG_PERF_COUNTER_H

#include "base/base.h"

/*    id, name */
#define RG_COUNTER_LIST(X) X(CYCLES, "cycles") X(INSTRUCTIONS, "instructions") X(LLC_MISSES, "llc_misses")
typedef enum rg_counter {
#define X(id, name) RG_COUNTER_##id,
    RG_COUNTER_LIST(X)
#undef X
    RG_COUNTER_COUNT
} rg_counter;
const char *rg_counter_name(rg_counter counter);

/* What one descriptor reads: the count, and for how many nanoseconds it was wanted and could be kept. */
typedef struct rg_count { uint64_t value, wanted_ns, kept_ns; } rg_count;

typedef struct rg_counters {
    int file[RG_COUNTER_COUNT];        /* below 0: the kernel does not give it */
    rg_count begun[RG_COUNTER_COUNT];
    char reason[160];                  /* empty: at least one counts; else why none does */
} rg_counters;

/* That none is to be had is an answer: c->reason. open: a descriptor, or -1 and errno; NULL: the system's. */
void rg_counters_open(rg_counters *c, int (*open)(rg_counter counter));
void rg_counters_begin(rg_counters *c);
/* Since the beginning, carried on to the whole time where counters had to share; NAN: not counted. */
void rg_counters_end(rg_counters *c, double count[RG_COUNTER_COUNT]);
void rg_counters_close(rg_counters *c);

#endif
