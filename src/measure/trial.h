/* trial.h - a backend tried in a process of its own: whether it works at all, and what it takes besides time.
 */
#ifndef RG_TRIAL_H
#define RG_TRIAL_H

#include "measure/backend.h"
#include "measure/host_load.h"

typedef struct rg_trial {
    rg_err err;                  /* why it cannot run the model, with text */
    char text[1024], version[64];
    double run_s;                /* the least of a few runs, of a backend that fuses; else 0 */
    double peak_byte;            /* resident, beyond what the process had before; below 0: not known */
    int64_t allocations;         /* of the second run; below 0: not counted */
    int64_t minor_faults, major_faults; /* of everything: loading and its runs */
} rg_trial;

/* Fails only when there can be no trial; what the backend did, dying included, stands in *out. */
rg_err rg_trial_run(rg_ctx *cx, const rg_backend *backend, const rg_job *job, const cpu_set_t *cpus,
                    rg_trial *out) RG_CHECKED;

#endif
