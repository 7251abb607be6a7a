/* cleaning.h - sweeps of clocks as people measure them: which runs show something else than the kernel. */
#ifndef RG_CLEANING_H
#define RG_CLEANING_H

#include "base/base.h"

typedef struct rg_sweep_run {
    double clock_hz, time_s, power_w;
    double order;                      /* when it ran, of all runs; NAN: not known */
} rg_sweep_run;

/* why[i]: NULL, or what is wrong with run i (a constant). note: NULL, or what is with all of them. */
rg_err rg_sweep_clean(rg_ctx *cx, const rg_sweep_run *runs, size_t count, const char **why,
                      const char **note) RG_CHECKED;

#endif
