/* depth.c - what waits for what: dependencies between steps, their topological stages, the path with the
 * most FLOPs.
 *
 * A step waits for the sources of all that it reads, and for the steps that decide whether it runs at all:
 * the condition of an enclosing If, the trip count of an enclosing Loop. Dependencies point backwards, so
 * one pass in execution order gives both
 *
 *     stage:          ready[i] = max over deps d of ready[d], plus 1 unless i is a view
 *     critical path:  cost[i]  = max over deps d of cost[d], plus (flop + special) * times
 */
#include "analyze/flow.h"

#define NOBODY UINT32_MAX

/* ---- dependencies ---- */

typedef struct gathering { rg_flow *f; uint32_t count, capacity; } gathering;

static rg_err gather(gathering *x, rg_span sources)
{
    rg_flow *f = x->f;
    for (uint32_t i = 0; i < sources.count; i++) {
        uint32_t step = f->pool[sources.first + i];
        if (f->mark[step] == f->round) continue;
        f->mark[step] = f->round;
        if (!RG_GROW(&f->facts->arena, f->facts->deps, x->count, x->capacity)) return rg_nomem(f->cx);
        f->facts->deps[x->count++] = step;
    }
    return RG_OK;
}

static rg_err find_deps(rg_flow *f)
{
    rg_facts *facts = f->facts;
    gathering x = {.f = f};
    facts->dep_first = RG_NEW(&facts->arena, uint32_t, facts->step_count + 1);
    if (!facts->dep_first) return rg_nomem(f->cx);
    for (uint32_t s = 0; s < facts->step_count; s++) {
        const rg_node *node = &f->g->nodes[facts->steps[s].node];
        f->round++;
        for (uint32_t i = 0; i < node->in_count; i++) RG_TRY(gather(&x, f->sources[node->in[i]]));
        RG_TRY(gather(&x, f->gates[node->region]));
        facts->dep_first[s + 1] = x.count;
    }
    return RG_OK;
}

/* ---- stages ---- */

static rg_err find_stages(rg_flow *f)
{
    rg_facts *facts = f->facts;
    /* By step: the first stage that may read its result. */
    uint32_t *ready = RG_NEW(&f->cx->arena, uint32_t, facts->step_count + 1);
    facts->stage = RG_NEW(&facts->arena, uint32_t, facts->step_count + 1);
    if (!ready || !facts->stage) return rg_nomem(f->cx);
    for (uint32_t s = 0; s < facts->step_count; s++) {
        uint32_t at = 0;
        for (uint32_t d = facts->dep_first[s]; d < facts->dep_first[s + 1]; d++)
            if (ready[facts->deps[d]] > at) at = ready[facts->deps[d]];
        bool view = facts->work[s].family == RG_FAMILY_VIEW;
        facts->stage[s] = view && at ? at - 1 : at;
        ready[s] = view ? at : at + 1;
        if (facts->stage[s] + 1 > facts->stage_count) facts->stage_count = facts->stage[s] + 1;
    }
    return RG_OK;
}

/* ---- critical path ---- */

static rg_err find_critical(rg_flow *f)
{
    rg_facts *facts = f->facts;
    double *cost = RG_NEW(&f->cx->arena, double, facts->step_count + 1);
    uint32_t *before = RG_NEW(&f->cx->arena, uint32_t, facts->step_count + 1);
    uint32_t last = NOBODY, length = 0;
    if (!cost || !before) return rg_nomem(f->cx);
    for (uint32_t s = 0; s < facts->step_count; s++) {
        const rg_work *w = &facts->work[s];
        before[s] = NOBODY;
        for (uint32_t d = facts->dep_first[s]; d < facts->dep_first[s + 1]; d++)
            if (before[s] == NOBODY || cost[facts->deps[d]] > cost[before[s]]) before[s] = facts->deps[d];
        cost[s] = (w->flop + w->special) * facts->steps[s].times;
        if (before[s] != NOBODY) cost[s] += cost[before[s]];
        if (last == NOBODY || cost[s] > cost[last]) last = s;
    }
    for (uint32_t s = last; s != NOBODY; s = before[s]) length++;
    facts->critical = RG_NEW(&facts->arena, uint32_t, length + 1);
    if (!facts->critical) return rg_nomem(f->cx);
    facts->critical_count = length;
    facts->critical_flop = last == NOBODY ? 0 : cost[last];
    for (uint32_t s = last; s != NOBODY; s = before[s]) facts->critical[--length] = s;
    return RG_OK;
}

rg_err rg_facts_depend(rg_flow *f)
{
    RG_TRY(find_deps(f));
    RG_TRY(find_stages(f));
    return find_critical(f);
}
