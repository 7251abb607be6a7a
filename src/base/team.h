/* team.h - threads that work on the same thing at the same time, over and over: a forward pass.
 *
 *     rg_team_run:   worker 0 is the caller   | work | barrier | work | barrier | ... | all are done
 *                    workers 1..              | work | barrier | work | barrier | ... |
 *
 * Who waits spins for a while, which costs less than a microsecond, then sleeps, which costs tens of them but
 * leaves the processor to others. How long "a while" is follows from how often it was worth it.
 */
#ifndef RG_TEAM_H
#define RG_TEAM_H

#include "base/base.h"

typedef struct rg_team rg_team;

/* Who one is of how many; what work is split by. */
typedef struct rg_part { rg_team *team; int worker, workers; } rg_part;
static const rg_part RG_ALONE = {NULL, 0, 1};

/* `size` threads, the caller's included: 1 makes no thread. pin: each of the others onto a processor of its
 * own among those that the caller may use, where there are enough. A thread that cannot be had is an error.
 */
rg_err rg_team_new(rg_ctx *cx, int size, bool pin, rg_team **out) RG_CHECKED;
void rg_team_free(rg_team *team);                          /* NULL is allowed */
int rg_team_size(const rg_team *team);                     /* NULL: 1 */
/* Calls `work` on every worker and returns when all are done. One caller at a time; not from within. */
void rg_team_run(rg_team *team, void (*work)(void *user, rg_part part), void *user);
/* From within: nobody goes on before all have come. */
void rg_team_barrier(rg_part part);

/* This worker's share of `count` things, in whole grains: from..to-1, which may be nothing. */
static inline void rg_part_of(rg_part part, int64_t count, int64_t grain, int64_t *from, int64_t *to)
{
    int64_t grains = (count + grain - 1) / grain;
    *from = grains * part.worker / part.workers * grain;
    *to = grains * (part.worker + 1) / part.workers * grain;
    if (*from > count) *from = count;
    if (*to > count) *to = count;
}

#endif
