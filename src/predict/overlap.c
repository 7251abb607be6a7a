/* overlap.c - from rows to a graph: which arm of an If counts, the longest path, and what parallel branches save.
 *
 *     latency = Σ rows + overlap + graph
 *     overlap = -p · (Σ - max(critical path, Σ time·share of units))
 *
 * p: the share of parallelism between rows that the stack uses (0: one stream). Not even a perfect scheduler gets below
 * the longest path, nor below what keeps all units busy.
 */
#include "predict/predict.h"

#include <math.h>

/* An undecided If takes the arm that costs more; rows of the other keep their figures but count 0. Arms are numbered
 * outer before inner, so going backwards sums inner ones first. */
static rg_err choose_arms(rg_ctx *cx, rg_forecast *f, double *cheaper_s)
{
    const rg_plan *plan = f->plan;
    const rg_facts *facts = plan->facts;
    double *cost = RG_NEW(&cx->arena, double, facts->arm_count + 1);
    bool *dropped = RG_NEW(&cx->arena, bool, facts->arm_count + 1);
    if (!cost || !dropped) return rg_nomem(cx);
    for (uint32_t r = 0; r < plan->row_count; r++)
        if (plan->rows[r].arm) cost[plan->rows[r].arm] += f->rows[r].total_s;
    for (uint32_t a = facts->arm_count; a-- > 1;) {
        double other = 0;
        uint32_t twin = 0;
        for (uint32_t b = 1; b < facts->arm_count; b++)
            if (b != a && facts->arms[b].owner == facts->arms[a].owner && facts->arms[b].parent == facts->arms[a].parent)
                other = cost[b], twin = b;
        if (twin < a && twin) { /* both arms are summed by now: a is the later one */
            bool drop_a = cost[a] <= other;
            dropped[drop_a ? a : twin] = true;
            *cheaper_s += fabs(cost[a] - other);
            if (facts->arms[a].parent) cost[facts->arms[a].parent] += fmax(cost[a], other);
        }
    }
    for (uint32_t r = 0; r < plan->row_count; r++)
        for (uint32_t a = plan->rows[r].arm; a; a = facts->arms[a].parent)
            if (dropped[a]) f->rows[r].total_s = 0, f->rows[r].energy = (rg_energy){0}, f->rows[r].energy_j = 0;
    return RG_OK;
}

static rg_err longest_path(rg_ctx *cx, rg_forecast *f)
{
    const rg_plan *plan = f->plan;
    double *finish = RG_NEW(&cx->arena, double, plan->row_count + 1);
    uint32_t *from = RG_NEW(&cx->arena, uint32_t, plan->row_count + 1), last = 0;
    if (!f->critical) f->critical = RG_NEW(&f->arena, uint32_t, plan->row_count + 1);
    f->critical_count = 0;
    if (!finish || !from || !f->critical) return rg_nomem(cx);
    for (uint32_t r = 0; r < plan->row_count; r++) {
        const rg_row *row = &plan->rows[r];
        from[r] = r;
        for (uint32_t d = 0; d < row->dep_count; d++)
            if (finish[row->deps[d]] > finish[r]) finish[r] = finish[row->deps[d]], from[r] = row->deps[d];
        finish[r] += f->rows[r].total_s;
        if (finish[r] > finish[last]) last = r;
    }
    if (!plan->row_count) return RG_OK;
    f->critical_s = finish[last];
    for (uint32_t r = last;; r = from[r]) {
        f->critical[f->critical_count++] = r;
        if (from[r] == r) break;
    }
    for (uint32_t i = 0; i < f->critical_count / 2; i++) {
        uint32_t swap = f->critical[i];
        f->critical[i] = f->critical[f->critical_count - 1 - i];
        f->critical[f->critical_count - 1 - i] = swap;
    }
    return RG_OK;
}

rg_err rg_forecast_path(rg_ctx *cx, rg_forecast *f)
{
    const rg_plan *plan = f->plan;
    double sum = 0, packed = 0;
    if (!f->settled) RG_TRY(choose_arms(cx, f, &f->arm_spread_s));
    RG_TRY(longest_path(cx, f));
    for (uint32_t r = 0; r < plan->row_count; r++) {
        double units = plan->device->engines[plan->rows[r].peak->engine].count;
        sum += f->rows[r].total_s;
        packed += f->rows[r].total_s * fmin(1, plan->rows[r].tiling.units / fmax(units, 1));
    }
    f->overlap_s = -plan->runtime->branch_overlap * fmax(0, sum - fmax(f->critical_s, packed));
    return RG_OK;
}
