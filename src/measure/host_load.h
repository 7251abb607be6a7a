/* host_load.h - the machine that is measured on: which processors, who else uses them, what it is.
 *
 * `root` stands before /proc and /sys, as in hw/detect.h: "" on a real machine.
 */
#ifndef RG_HOST_LOAD_H
#define RG_HOST_LOAD_H

#include "base/base.h"

#include <sched.h>

/* The processors that the thread which calls may use. */
rg_err rg_host_allowed(rg_ctx *cx, cpu_set_t *out) RG_CHECKED;
/* Those to measure on: the last `count` of them, or all where there are fewer; the first one of a machine
 * usually serves its interrupts. */
void rg_host_choose(const cpu_set_t *allowed, int count, cpu_set_t *out);
/* Of the thread that calls, and of those that it makes from now on. */
rg_err rg_host_pin(rg_ctx *cx, const cpu_set_t *cpus) RG_CHECKED;

/* Processor time in seconds up to now: of the whole machine, of some processors, and this process' own. */
typedef struct rg_host_load { double at_s, all_s, some_s, own_s; int cpus; bool known; } rg_host_load;
rg_host_load rg_host_load_read(const char *root, const cpu_set_t *some);
/* The share that others used between two readings, of the machine or of those processors, whichever is more;
 * below 0: not known. Ticks are of 10 ms: over less than some of them it means little. */
double rg_host_foreign(const rg_host_load *before, const rg_host_load *after, int some_count);

double rg_host_now_s(void);

/* What figures of this machine belong with. */
typedef struct rg_host {
    char cpu[64], clock[96], governor[32], kernel[128], hypervisor[16]; /* empty: not known */
    int cpus;
} rg_host;
void rg_host_read(rg_host *out, const char *root);

#endif
