/* overlap.c - from rows to a graph: which arm of an If counts, the longest path, what parallel branches
 * save.
 *
 *     latency = sum of rows + overlap + graph
 *     overlap = -p (sum - max(critical path, sum of time x share of units))
 *
 * p: the share of parallelism between rows that the stack uses (0: one stream). Not even a perfect
 * scheduler gets below the longest path, nor below what keeps all units busy.
 */
#include "predict/predict.h"

#include <math.h>

#define NOBODY UINT32_MAX

/* An undecided If takes the arm that costs more; rows of the other keep their figures but count 0. The two
 * arms of an If are neighbors in the table, before those of all Ifs nested in them: going backwards, a pair
 * is complete. */
rg_err rg_forecast_arms(rg_ctx *cx, rg_forecast *f)
{
    const rg_facts *facts = f->plan->facts;
    /* by arm: its cost with the dearer arms inside it, and with the cheaper ones */
    double *most = RG_NEW(&cx->arena, double, facts->arm_count + 1);
    double *least = RG_NEW(&cx->arena, double, facts->arm_count + 1);
    bool *dropped = RG_NEW(&cx->arena, bool, facts->arm_count + 1);
    if (!most || !least || !dropped) return rg_nomem(cx);
    for (uint32_t r = 0; r < f->plan->row_count; r++) most[f->plan->rows[r].arm] += f->rows[r].total_s;
    for (uint32_t a = 0; a < facts->arm_count; a++) least[a] = most[a];
    for (uint32_t a = facts->arm_count; a > 2; a -= 2) {
        uint32_t then_arm = a - 2, else_arm = a - 1, parent = facts->arms[then_arm].parent;
        dropped[most[else_arm] > most[then_arm] ? then_arm : else_arm] = true;
        most[parent] += fmax(most[then_arm], most[else_arm]);
        least[parent] += fmin(least[then_arm], least[else_arm]);
    }
    f->arm_spread_s = most[0] - least[0];
    for (uint32_t r = 0; r < f->plan->row_count; r++)
        for (uint32_t a = f->plan->rows[r].arm; a; a = facts->arms[a].parent) f->skipped[r] |= dropped[a];
    return RG_OK;
}

/* The dependency that a row waits for longest; NOBODY when it waits for none. */
static uint32_t waits_for(const rg_forecast *f, uint32_t r)
{
    const rg_row *row = &f->plan->rows[r];
    uint32_t last = NOBODY;
    for (uint32_t d = 0; d < row->dep_count; d++)
        if (last == NOBODY || f->finish_s[row->deps[d]] > f->finish_s[last]) last = row->deps[d];
    return last;
}

static void longest_path(rg_forecast *f)
{
    uint32_t count = f->plan->row_count, last = count ? 0 : NOBODY, length = 0;
    for (uint32_t r = 0; r < count; r++) {
        uint32_t before = waits_for(f, r);
        f->finish_s[r] = (before == NOBODY ? 0 : f->finish_s[before]) + f->rows[r].total_s;
        if (f->finish_s[r] > f->finish_s[last]) last = r;
    }
    f->critical_s = count ? f->finish_s[last] : 0;
    for (uint32_t r = last; r != NOBODY; r = waits_for(f, r)) length++;
    f->critical_count = length;
    for (uint32_t r = last; r != NOBODY; r = waits_for(f, r)) f->critical[--length] = r;
}

void rg_forecast_path(rg_forecast *f)
{
    const rg_plan *plan = f->plan;
    double sum = 0, packed = 0;
    longest_path(f);
    for (uint32_t r = 0; r < plan->row_count; r++) {
        sum += f->rows[r].total_s;
        packed += f->rows[r].total_s * fmin(1, plan->rows[r].tiling.units / plan->rows[r].unit_count);
    }
    f->overlap_s = -plan->runtime->branch_overlap * fmax(0, sum - fmax(f->critical_s, packed));
}
