/* liveness.c - which activations are in memory while each step runs, and how much that is at its worst.
 *
 * A value is alive from the step that writes it to the last one that reads it; the outputs of the model to
 * the end. Two kinds of values have no buffer of their own: a view lies in its source's, and what a body
 * hands out lies where the control node's result does, so that a branch writes its result in place:
 *
 *     y = If(c) {then: a} {else: b}      a, b, y: one buffer, from the first write to the last read of y
 *
 * A body that repeats holds on to everything that it reads from outside until it has ended, since the next
 * round reads it again, and to its own inputs, which the end of a round replaces.
 */
#include "analyze/flow.h"

#include <string.h>

#define NEVER UINT32_MAX

/* ---- lifetimes of single values ---- */

static void write_at(rg_facts *facts, rg_value_id v, uint32_t step)
{
    if (step < facts->born[v]) facts->born[v] = step;
}

static void keep_until(rg_facts *facts, rg_value_id v, uint32_t step)
{
    if (facts->dies[v] == NEVER || step > facts->dies[v]) facts->dies[v] = step;
}

/* A read by something that stands in `region`, at `step`. */
static void read_at(rg_flow *f, rg_value_id v, rg_region_id region, uint32_t step)
{
    if (!v) return;
    for (rg_region_id r = region; r && r != f->g->values[v].region; r = rg_flow_outer(f->g, r)) {
        const rg_body *body = f->body_of[r] ? &f->bodies[f->body_of[r] - 1] : NULL;
        if (body && body->repeats && body->end > step + 1) step = body->end - 1;
    }
    keep_until(f->facts, v, step);
}

/* ---- buffers ---- */

static rg_value_id root_of(const rg_facts *facts, rg_value_id v)
{
    while (facts->buffer[v] != v) v = facts->buffer[v];
    return v;
}

static bool is_inside(const rg_graph *g, rg_region_id region, rg_region_id outer)
{
    while (region && region != outer) region = rg_flow_outer(g, region);
    return region == outer;
}

/* What the body hands out moves into the buffer of the owner's result, if it was computed in the body. */
static bool hand_over(rg_flow *f, const rg_body *body, rg_value_id from, rg_value_id to)
{
    rg_value_id root = root_of(f->facts, from);
    const rg_value *v = &f->g->values[root];
    if (v->role != RG_ROLE_NODE || !is_inside(f->g, v->region, body->region)) return false;
    f->facts->buffer[root] = to;
    return true;
}

static void live_body(rg_flow *f, const rg_body *body)
{
    const rg_node *node = &f->g->nodes[body->owner];
    const rg_region *r = &f->g->regions[body->region];
    uint32_t step_count = f->facts->step_count;
    /* An empty body takes no step: what it hands on is there when the next one starts. */
    uint32_t first = body->first < step_count ? body->first : step_count ? step_count - 1 : 0;
    uint32_t last = body->end > body->first ? body->end - 1 : first;
    rg_handing handing = rg_flow_handing(node);
    uint32_t given = body->repeats ? last : first; /* the owner holds its inputs while it runs */
    for (uint32_t i = 0; i < node->in_count; i++) read_at(f, node->in[i], node->region, given);
    for (uint32_t i = 0; i < r->input_count; i++) {
        write_at(f->facts, r->inputs[i], first);
        keep_until(f->facts, r->inputs[i], last);
    }
    for (uint32_t i = 0; i < r->output_count; i++) read_at(f, r->outputs[i], body->region, last);
    for (uint32_t i = 0; i < node->out_count; i++) {
        uint32_t from = i + handing.shift;
        bool carried = i < handing.carried && from < r->output_count;
        if (!node->out[i] || (carried && hand_over(f, body, r->outputs[from], node->out[i]))) continue;
        write_at(f->facts, node->out[i], carried ? last : first);
    }
}

/* Lifetime of a buffer: from the first write to the last read of any value in it. */
static void merge_lifetimes(rg_flow *f)
{
    rg_facts *facts = f->facts;
    for (rg_value_id v = 1; v < f->g->value_count; v++) {
        rg_value_id root = facts->buffer[v] = root_of(facts, v);
        if (root == v || facts->born[v] == NEVER || f->g->values[root].role == RG_ROLE_CONST) continue;
        write_at(facts, root, facts->born[v]);
        if (facts->dies[v] != NEVER) keep_until(facts, root, facts->dies[v]);
    }
    for (rg_value_id v = 1; v < f->g->value_count; v++) {
        if (facts->born[v] == NEVER) facts->dies[v] = NEVER; /* a constant, or of a branch that never runs */
        else if (facts->dies[v] == NEVER) facts->dies[v] = facts->born[v]; /* written, never read */
    }
}

static void follow_values(rg_flow *f)
{
    const rg_graph *g = f->g;
    rg_facts *facts = f->facts;
    const rg_region *model = &g->regions[RG_MAIN];
    for (rg_value_id v = 0; v < g->value_count; v++) facts->buffer[v] = v;
    for (uint32_t s = 0; s < facts->step_count; s++) {
        const rg_node *node = &g->nodes[facts->steps[s].node];
        bool view = facts->work[s].family == RG_FAMILY_VIEW && node->in_count && node->in[0];
        for (uint32_t i = 0; i < node->in_count; i++) read_at(f, node->in[i], node->region, s);
        for (uint32_t i = 0; i < node->out_count; i++) {
            if (!node->out[i]) continue;
            write_at(facts, node->out[i], s);
            if (view) facts->buffer[node->out[i]] = facts->buffer[node->in[0]];
        }
    }
    for (uint32_t i = 0; i < f->body_count; i++) live_body(f, &f->bodies[i]);
    for (uint32_t i = 0; i < model->output_count; i++)
        keep_until(facts, model->outputs[i], facts->step_count);
    for (uint32_t i = 0; i < model->input_count; i++)
        if (facts->dies[model->inputs[i]] != NEVER) write_at(facts, model->inputs[i], 0);
}

/* ---- bytes ---- */

static void sum_live(rg_flow *f)
{
    const rg_graph *g = f->g;
    rg_facts *facts = f->facts;
    double live = 0;
    for (rg_value_id v = 1; v < g->value_count; v++) { /* differences first, then their running sum */
        if (facts->buffer[v] != v || facts->born[v] == NEVER) continue;
        double bytes = rg_type_bytes(g, &g->values[v].type);
        facts->live_byte[facts->born[v]] += bytes;
        if (facts->dies[v] < facts->step_count) facts->live_byte[facts->dies[v] + 1] -= bytes;
    }
    for (uint32_t s = 0; s < facts->step_count; s++) {
        facts->live_byte[s] = live += facts->live_byte[s];
        if (live > facts->peak_live_byte) facts->peak_live_byte = live, facts->peak_step = s;
    }
}

rg_err rg_facts_live(rg_flow *f)
{
    rg_facts *facts = f->facts;
    uint32_t value_count = f->g->value_count;
    facts->born = RG_NEW(&facts->arena, uint32_t, value_count);
    facts->dies = RG_NEW(&facts->arena, uint32_t, value_count);
    facts->buffer = RG_NEW(&facts->arena, rg_value_id, value_count);
    facts->live_byte = RG_NEW(&facts->arena, double, facts->step_count + 1);
    if (!facts->born || !facts->dies || !facts->buffer || !facts->live_byte) return rg_nomem(f->cx);
    memset(facts->born, 0xff, value_count * sizeof *facts->born);
    memset(facts->dies, 0xff, value_count * sizeof *facts->dies);
    follow_values(f);
    merge_lifetimes(f);
    sum_live(f);
    return RG_OK;
}
