/* cse.c - common subexpressions: two nodes of one region with the same operator, attributes and inputs are one.
 * Constants that hold the same are made one first, so that nodes fed by twins meet. In execution order, so that what a
 * replaced node fed is seen with its new inputs.
 */
#include "pass/pass.h"

#include <string.h>

typedef struct seen { rg_ctx *cx; rg_graph *g; rg_node_id *slots; uint32_t mask; } seen;

static uint64_t hash_node(const rg_node *n)
{
    uint64_t h = rg_hash_str(rg_hash_str(RG_HASH_SEED, n->domain), n->type);
    h = rg_hash_u64(h, n->region);
    for (uint32_t i = 0; i < n->in_count; i++) h = rg_hash_u64(h, n->in[i]);
    return rg_hash_u64(h, n->attr_count);
}

static bool same_attr(const rg_attr *a, const rg_attr *b)
{
    if (!rg_str_eq(a->name, b->name) || a->kind != b->kind || a->count != b->count) return false;
    switch (a->kind) {
    case RG_ATTR_INT: return a->i == b->i;
    case RG_ATTR_FLOAT: return memcmp(&a->f, &b->f, sizeof a->f) == 0;
    case RG_ATTR_STRING: return rg_str_eq(a->s, b->s);
    case RG_ATTR_TENSOR: return rg_tensor_eq(a->tensor, b->tensor);
    case RG_ATTR_INTS: return !a->count || memcmp(a->ints, b->ints, a->count * sizeof *a->ints) == 0;
    case RG_ATTR_FLOATS: return !a->count || memcmp(a->floats, b->floats, a->count * sizeof *a->floats) == 0;
    default: return false; /* bodies, types, lists of strings: taken as different */
    }
}

static bool same_node(const rg_node *a, const rg_node *b)
{
    if (a->region != b->region || a->in_count != b->in_count || a->out_count != b->out_count || a->attr_count != b->attr_count) return false;
    if (!rg_str_eq(a->type, b->type) || !rg_str_eq(a->domain, b->domain)) return false;
    if (a->in_count && memcmp(a->in, b->in, a->in_count * sizeof *a->in) != 0) return false;
    for (uint32_t i = 0; i < a->out_count; i++)
        if (!a->out[i] != !b->out[i]) return false;
    for (uint32_t i = 0; i < a->attr_count; i++)
        if (!same_attr(&a->attrs[i], &b->attrs[i])) return false;
    return true;
}

/* An output of the model keeps its name: its node stays. */
static bool may_go(const rg_graph *g, const rg_node *node)
{
    if (!node->op || (node->op->traits & (RG_RANDOM | RG_HAS_REGIONS))) return false;
    for (uint32_t i = 0; i < node->out_count; i++)
        if (node->out[i] && rg_is_region_output(g, node->region, node->out[i])) return false;
    return true;
}

static void merge_nodes(seen *s, const rg_region *region, rg_value_id *renamed, bool *changed)
{
    for (uint32_t k = 0; k < region->order_count; k++) {
        rg_node *node = &s->g->nodes[region->order[k]];
        for (uint32_t i = 0; i < node->in_count; i++)
            if (renamed[node->in[i]]) node->in[i] = renamed[node->in[i]];
        if (node->dead || !may_go(s->g, node)) continue;
        uint32_t at = (uint32_t)hash_node(node) & s->mask;
        while (s->slots[at] && !same_node(&s->g->nodes[s->slots[at]], node)) at = (at + 1) & s->mask;
        if (!s->slots[at]) {
            s->slots[at] = region->order[k];
            continue;
        }
        const rg_node *first = &s->g->nodes[s->slots[at]];
        for (uint32_t i = 0; i < node->out_count; i++)
            if (node->out[i]) renamed[node->out[i]] = first->out[i];
        node->dead = true;
        *changed = true;
    }
}

/* Numbers and small integer lists: shape arithmetic. Weights that happen to be equal (all ones, say) stay apart: a
 * trained model will tell them apart, and they count as parameters. */
static bool may_merge(const rg_value *value)
{
    const rg_tensor *t = value->data;
    if (value->role != RG_ROLE_CONST || !t || !rg_tensor_has_data(t)) return false;
    return t->count == 1 || (rg_dtype_is_int(t->dtype) && t->count <= RG_RANK_MAX);
}

/* Constants with equal content become one. */
static rg_err merge_constants(seen *s, rg_value_id *renamed)
{
    rg_value_id *slots = RG_NEW(&s->cx->arena, rg_value_id, (size_t)s->mask + 1);
    if (!slots) return rg_nomem(s->cx);
    for (uint32_t v = 1; v < s->g->value_count; v++) {
        const rg_value *value = &s->g->values[v];
        if (!may_merge(value)) continue;
        uint64_t h = rg_hash_u64(rg_hash(RG_HASH_SEED, value->data->data, value->data->size), (uint64_t)value->data->dtype);
        uint32_t at = (uint32_t)h & s->mask;
        while (slots[at] && !rg_tensor_eq(s->g->values[slots[at]].data, value->data)) at = (at + 1) & s->mask;
        if (slots[at]) renamed[v] = slots[at];
        else slots[at] = v;
    }
    return RG_OK;
}

static rg_err cse(rg_ctx *cx, rg_graph *g, bool *changed)
{
    seen s = {.cx = cx, .g = g};
    uint32_t size = 64;
    while (size < 2 * (g->node_count > g->value_count ? g->node_count : g->value_count)) size *= 2;
    s.mask = size - 1;
    s.slots = RG_NEW(&cx->arena, rg_node_id, size);
    rg_value_id *renamed = RG_NEW(&cx->arena, rg_value_id, g->value_count);
    if (!s.slots || !renamed) return rg_nomem(cx);
    RG_TRY(merge_constants(&s, renamed));
    for (uint32_t r = 1; r < g->region_count; r++) merge_nodes(&s, &g->regions[r], renamed, changed);
    rg_graph_rename(g, renamed); /* bodies: walked before or after what they capture */
    return RG_OK;
}

RG_PASS(cse) = {.name = "cse", .brief = "computes what is computed twice once", .order = 80, .repeat = true, .run = cse};
