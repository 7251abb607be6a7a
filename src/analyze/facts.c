/* facts.c - rg_facts: laid out, priced and summed. The parts are in flow.c, depth.c, liveness.c, parallel.c,
 * census.c.
 *
 * Sums count each step as often as it runs. Of an undecided If only the dearer branch counts, by FLOPs,
 * special functions and bytes moved together: machine-free, it is the nearest thing to time.
 */
#include "analyze/flow.h"

/* ---- work ---- */

static rg_err price(rg_flow *f)
{
    rg_facts *facts = f->facts;
    facts->work = RG_NEW(&facts->arena, rg_work, facts->step_count + 1);
    facts->width = RG_NEW(&facts->arena, rg_width, facts->step_count + 1);
    if (!facts->work || !facts->width) return rg_nomem(f->cx);
    for (uint32_t s = 0; s < facts->step_count; s++) {
        rg_node_work(f->cx, f->g, facts->steps[s].node, &facts->work[s]);
        facts->width[s] = rg_node_width(f->g, &f->g->nodes[facts->steps[s].node], &facts->work[s]);
    }
    return f->cx->arena.failed ? rg_nomem(f->cx) : RG_OK;
}

/* ---- sums ---- */

/* taken[arm]: arm 0, and of each If in a taken arm the dearer branch. Arms come in pairs, outer first. */
static rg_err choose_arms(rg_flow *f, bool **out)
{
    const rg_facts *facts = f->facts;
    double *cost = RG_NEW(&f->cx->arena, double, facts->arm_count);
    bool *taken = RG_NEW(&f->cx->arena, bool, facts->arm_count);
    if (!cost || !taken) return rg_nomem(f->cx);
    for (uint32_t s = 0; s < facts->step_count; s++) {
        const rg_work *w = &facts->work[s];
        double units = w->flop + w->special + w->in_byte + w->weight_byte + w->out_byte;
        cost[facts->steps[s].arm] += units * facts->steps[s].times;
    }
    for (uint32_t arm = facts->arm_count; arm > 2; arm -= 2) { /* inner ones first: a cost is complete here */
        uint32_t then_arm = arm - 2, else_arm = arm - 1;
        bool otherwise = cost[else_arm] > cost[then_arm];
        taken[otherwise ? else_arm : then_arm] = true;
        cost[facts->arms[then_arm].parent] += cost[otherwise ? else_arm : then_arm];
    }
    taken[0] = true;
    for (uint32_t arm = 1; arm < facts->arm_count; arm++) taken[arm] &= taken[facts->arms[arm].parent];
    *out = taken;
    return RG_OK;
}

static void sum_step(rg_facts *facts, uint32_t s, bool taken)
{
    const rg_work *w = &facts->work[s];
    double times = taken ? facts->steps[s].times : 0;
    facts->mac += w->mac * times;
    facts->flop += w->flop * times;
    facts->special += w->special * times;
    facts->layers += w->mac > 0;
    if (w->family == RG_FAMILY_VIEW) return;
    const rg_graph *g = facts->graph;
    const rg_node *node = &g->nodes[facts->steps[s].node];
    for (uint32_t i = 0; i < node->out_count; i++)
        if (node->out[i]) facts->activation_byte += rg_type_bytes(g, &g->values[node->out[i]].type);
}

static double bytes_of(const rg_graph *g, const rg_value_id *ids, uint32_t count)
{
    double bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += rg_type_bytes(g, &g->values[ids[i]].type);
    return bytes;
}

static rg_err sum(rg_flow *f)
{
    bool *taken = NULL;
    rg_facts *facts = f->facts;
    const rg_region *model = &f->g->regions[RG_MAIN];
    RG_TRY(choose_arms(f, &taken));
    for (uint32_t s = 0; s < facts->step_count; s++) sum_step(facts, s, taken[facts->steps[s].arm]);
    facts->input_byte = bytes_of(f->g, model->inputs, model->input_count);
    facts->output_byte = bytes_of(f->g, model->outputs, model->output_count);
    return RG_OK;
}

/* ---- the whole ---- */

static rg_err fill(rg_flow *f)
{
    RG_TRY(rg_flow_lay(f));
    RG_TRY(price(f));
    RG_TRY(rg_facts_depend(f));
    RG_TRY(rg_facts_live(f));
    RG_TRY(rg_facts_weigh(f));
    return sum(f);
}

rg_err rg_facts_make(rg_ctx *cx, const rg_graph *graph, const rg_facts **out)
{
    rg_facts *facts = RG_NEW_OWN(cx, rg_facts);
    *out = NULL;
    if (!facts) return rg_nomem(cx);
    facts->refs = 1;
    facts->graph = rg_graph_ref(graph);
    facts->graph_hash = rg_graph_hash(graph);
    rg_flow flow = {.cx = cx, .g = graph, .facts = facts};
    rg_err err = fill(&flow);
    if (err) rg_facts_free(facts);
    else *out = facts;
    return err;
}

const rg_facts *rg_facts_ref(const rg_facts *facts)
{
    __atomic_add_fetch(&((rg_facts *)(uintptr_t)facts)->refs, 1, __ATOMIC_RELAXED);
    return facts;
}

void rg_facts_free(const rg_facts *facts)
{
    if (!facts || __atomic_sub_fetch(&((rg_facts *)(uintptr_t)facts)->refs, 1, __ATOMIC_ACQ_REL)) return;
    rg_arena arena = facts->arena; /* the facts lie in it */
    rg_graph_free(facts->graph);
    rg_arena_done(&arena);
}
