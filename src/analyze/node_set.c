/* node_set.c - facts of any set of nodes, as if they were one: sums of work, and the tensors at its border.
 *
 * The cost is that of the set, not of the graph: membership is a search in the sorted ids of its nodes.
 */
#include "analyze/analyze.h"

#include <stdlib.h>

typedef struct border {
    rg_ctx *cx;
    const rg_facts *facts;
    const rg_uses *uses;
    rg_node_id *nodes; /* of the set, ascending */
    uint32_t node_count;
    rg_set *out;
    uint32_t input_capacity, weight_capacity, output_capacity, dep_capacity;
} border;

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool is_member(const border *b, rg_node_id node)
{
    return bsearch(&node, b->nodes, b->node_count, sizeof node, by_id) != NULL;
}

static rg_err add(border *b, rg_value_id **list, uint32_t *count, uint32_t *capacity, rg_value_id value)
{
    if (!RG_GROW(&b->cx->arena, *list, *count, *capacity)) return rg_nomem(b->cx);
    (*list)[(*count)++] = value;
    return RG_OK;
}

/* Sorts, drops repetitions, and sums the bytes of what is left. */
static double settle(const border *b, rg_value_id *list, uint32_t *count)
{
    const rg_graph *g = b->facts->graph;
    double bytes = 0;
    uint32_t kept = 0;
    if (*count) qsort(list, *count, sizeof *list, by_id);
    for (uint32_t i = 0; i < *count; i++) {
        if (kept && list[kept - 1] == list[i]) continue;
        list[kept++] = list[i];
        bytes += rg_type_bytes(g, &g->values[list[i]].type);
    }
    *count = kept;
    return bytes;
}

static rg_err read_inputs(border *b, const rg_node *node)
{
    rg_set *o = b->out;
    for (uint32_t i = 0; i < node->in_count; i++) {
        const rg_value *value = &b->facts->graph->values[node->in[i]];
        if (!node->in[i]) continue;
        if (value->role == RG_ROLE_CONST)
            RG_TRY(add(b, &o->weights, &o->weight_count, &b->weight_capacity, node->in[i]));
        else if (value->role != RG_ROLE_NODE || !is_member(b, value->producer))
            RG_TRY(add(b, &o->inputs, &o->input_count, &b->input_capacity, node->in[i]));
    }
    return RG_OK;
}

static rg_err write_outputs(border *b, const rg_node *node)
{
    rg_set *o = b->out;
    for (uint32_t i = 0; i < node->out_count; i++) {
        rg_value_id value = node->out[i];
        if (!value) continue;
        bool needed = b->uses->out_uses[value] > 0;
        for (uint32_t u = b->uses->first[value]; u < b->uses->first[value + 1] && !needed; u++)
            needed = !is_member(b, b->uses->users[u]);
        if (needed) RG_TRY(add(b, &o->outputs, &o->output_count, &b->output_capacity, value));
    }
    return RG_OK;
}

static rg_err wait_for(border *b, uint32_t step)
{
    rg_set *o = b->out;
    for (uint32_t d = b->facts->dep_first[step]; d < b->facts->dep_first[step + 1]; d++) {
        if (is_member(b, b->facts->steps[b->facts->deps[d]].node)) continue;
        RG_TRY(add(b, &o->deps, &o->dep_count, &b->dep_capacity, b->facts->deps[d]));
    }
    return RG_OK;
}

rg_err rg_facts_set(rg_ctx *cx, const rg_facts *facts, const rg_uses *uses, const uint32_t *steps,
                    uint32_t count, rg_set *out)
{
    border b = {.cx = cx, .facts = facts, .uses = uses, .node_count = count, .out = out};
    *out = (rg_set){0};
    b.nodes = RG_NEW(&cx->arena, rg_node_id, count + 1);
    if (!b.nodes) return rg_nomem(cx);
    for (uint32_t i = 0; i < count; i++) b.nodes[i] = facts->steps[steps[i]].node;
    if (count) qsort(b.nodes, count, sizeof *b.nodes, by_id);
    for (uint32_t i = 0; i < count; i++) {
        const rg_work *w = &facts->work[steps[i]];
        const rg_node *node = rg_node_at(facts->graph, facts->steps[steps[i]].node);
        out->mac += w->mac * facts->steps[steps[i]].times;
        out->flop += w->flop * facts->steps[steps[i]].times;
        out->special += w->special * facts->steps[steps[i]].times;
        RG_TRY(read_inputs(&b, node));
        RG_TRY(write_outputs(&b, node));
        RG_TRY(wait_for(&b, steps[i]));
    }
    out->in_byte = settle(&b, out->inputs, &out->input_count);
    out->weight_byte = settle(&b, out->weights, &out->weight_count);
    out->out_byte = settle(&b, out->outputs, &out->output_count);
    uint32_t kept = 0;
    if (out->dep_count) qsort(out->deps, out->dep_count, sizeof *out->deps, by_id);
    for (uint32_t i = 0; i < out->dep_count; i++)
        if (!kept || out->deps[kept - 1] != out->deps[i]) out->deps[kept++] = out->deps[i];
    out->dep_count = kept;
    double bytes = out->in_byte + out->weight_byte + out->out_byte;
    out->intensity = bytes > 0 ? out->flop / bytes : 0;
    return RG_OK;
}
