/* strides.c - rearrangements that a runtime with strided views does not carry out: a transposed, cut or
 * repeated tensor is the old bytes with other strides, and whoever reads it follows these. PyTorch has such
 * views ("Tensor Views", its documentation); who needs dense rows (a reshape, a normalization, a product of
 * more than two axes) pays for a copy, which is the row of the rearrangement then.
 *
 *     Reshape -> Transpose -> Gather (queries, keys, values) -> Attention       nothing is copied
 *     Attention -> Transpose -> Reshape          nor here: its result is laid out like its queries
 *     Transpose -> Gelu -> LayerNormalization    a copy: Gelu keeps the strides
 */
#include "map/map.h"

typedef struct finding {
    const rg_graph *g;
    const rg_facts *facts;
    const rg_uses *uses;
    const uint32_t *step_of; /* by node */
    bool *strided;           /* by step: its result may be read with strides */
    bool *tolerant;          /* by step: it reads any strides, and so does whoever sees them behind it */
} finding;

static bool is_one_of(const rg_node *node, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rg_node_is(node, names[i])) return true;
    return false;
}

/* One index alone picks a slice; a list of them gathers. */
static bool rearranges(const rg_graph *g, const rg_node *node)
{
    static const char *const names[] = {"Transpose", "Slice", "Split", "Expand"};
    if (is_one_of(node, names, RG_COUNT(names))) return true;
    return rg_node_is(node, "Gather") && node->in_count == 2 && node->in[1] &&
           g->values[node->in[1]].role == RG_ROLE_CONST && g->values[node->in[1]].type.rank == 0;
}

static bool readers_are_tolerant(const finding *x, const rg_node *node)
{
    for (uint32_t i = 0; i < node->out_count; i++) {
        rg_value_id v = node->out[i];
        if (x->uses->out_uses[v]) return false;
        for (uint32_t u = x->uses->first[v]; u < x->uses->first[v + 1]; u++) {
            uint32_t reader = x->step_of[x->uses->users[u]];
            if (reader == UINT32_MAX || !x->tolerant[reader]) return false;
        }
    }
    return true;
}

/* Element by element with one operand: the result has its strides. */
static bool keeps_strides(const finding *x, uint32_t step, const rg_node *node)
{
    uint32_t operands = 0;
    for (uint32_t i = 0; i < node->in_count; i++)
        operands += node->in[i] && x->g->values[node->in[i]].type.rank > 0;
    return x->facts->work[step].family == RG_FAMILY_ELEMENTWISE && operands == 1;
}

static bool is_laid_out_by_attention(const rg_graph *g, const rg_node *node)
{
    const rg_value *from = &g->values[node->in[0]];
    return rg_node_is(node, "Transpose") && from->role == RG_ROLE_NODE &&
           rg_node_is(&g->nodes[from->producer], "Attention");
}

static void judge(const finding *x, uint32_t step)
{
    const rg_node *node = &x->g->nodes[x->facts->steps[step].node];
    rg_family family = x->facts->work[step].family;
    if (family == RG_FAMILY_VIEW || !node->in_count) return;
    if (rearranges(x->g, node)) {
        x->strided[step] = is_laid_out_by_attention(x->g, node) || readers_are_tolerant(x, node);
        x->tolerant[step] = true; /* else it is what copies */
    } else if (keeps_strides(x, step, node)) {
        x->tolerant[step] = readers_are_tolerant(x, node);
    } else {
        x->tolerant[step] = family == RG_FAMILY_ELEMENTWISE || family == RG_FAMILY_ATTENTION ||
                            family == RG_FAMILY_REDUCE || rg_node_is(node, "Concat");
    }
}

rg_err rg_plan_strides(rg_ctx *cx, const rg_plan *plan, const rg_uses *uses, const uint32_t *step_of,
                       bool *strided)
{
    finding x = {plan->graph, plan->facts, uses, step_of, strided,
                 RG_NEW(&cx->arena, bool, plan->facts->step_count + 1)};
    if (!x.tolerant) return rg_nomem(cx);
    for (uint32_t step = plan->facts->step_count; step-- > 0 && plan->runtime->strided_views;)
        judge(&x, step);
    return RG_OK;
}
