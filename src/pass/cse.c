/* cse.c - common subexpressions: two nodes of one region with the same operator, attributes and inputs are
 * one. Constants that hold the same are made one first, so that nodes fed by twins meet. In execution order,
 * so that what a replaced node fed is seen with its new inputs.
 */
#include "pass/pass.h"

#include <string.h>

typedef struct seen { rg_match m; rg_node_id *slots; uint32_t mask; } seen;

/* What is not hashed here is compared, which is slow only where thousands of nodes differ in nothing else. */
static uint64_t hash_attr(uint64_t h, const rg_attr *a)
{
    h = rg_hash_u64(rg_hash_str(h, a->name), a->kind);
    if (a->kind == RG_ATTR_INT) return rg_hash_u64(h, (uint64_t)a->i);
    if (a->kind == RG_ATTR_FLOAT) return rg_hash(h, &a->f, sizeof a->f);
    if (a->kind == RG_ATTR_STRING) return rg_hash_str(h, a->s);
    return a->kind == RG_ATTR_INTS && a->count ? rg_hash(h, a->ints, a->count * sizeof *a->ints) : h;
}

static uint64_t hash_node(const rg_node *n)
{
    uint64_t h = rg_hash_str(rg_hash_str(RG_HASH_SEED, n->domain), n->type);
    h = rg_hash_u64(h, n->region);
    for (uint32_t i = 0; i < n->in_count; i++) h = rg_hash_u64(h, n->in[i]);
    for (uint32_t i = 0; i < n->attr_count; i++) h = hash_attr(h, &n->attrs[i]);
    return h;
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
    bool counts =
        a->in_count == b->in_count && a->out_count == b->out_count && a->attr_count == b->attr_count;
    if (!counts || a->region != b->region) return false;
    if (!rg_str_eq(a->type, b->type) || !rg_str_eq(a->domain, b->domain)) return false;
    if (a->in_count && memcmp(a->in, b->in, a->in_count * sizeof *a->in) != 0) return false;
    for (uint32_t i = 0; i < a->out_count; i++)
        if (!a->out[i] != !b->out[i]) return false;
    for (uint32_t i = 0; i < a->attr_count; i++)
        if (!same_attr(&a->attrs[i], &b->attrs[i])) return false;
    return true;
}

/* What a region hands out keeps its name: its node stays. */
static bool may_go(const rg_match *m, const rg_node *node)
{
    if (!node->op || (node->op->traits & (RG_RANDOM | RG_HAS_REGIONS))) return false;
    for (uint32_t i = 0; i < node->out_count; i++)
        if (m->uses.out_uses[node->out[i]]) return false;
    return true;
}

static void merge_nodes(seen *s, const rg_region *region, rg_value_id *renamed, bool *changed)
{
    rg_node *nodes = s->m.g->nodes;
    for (uint32_t k = 0; k < region->order_count; k++) {
        rg_node *node = &nodes[region->order[k]];
        for (uint32_t i = 0; i < node->in_count; i++)
            if (renamed[node->in[i]]) node->in[i] = renamed[node->in[i]];
        if (node->dead || !may_go(&s->m, node)) continue;
        uint32_t at = (uint32_t)hash_node(node) & s->mask;
        while (s->slots[at] && !same_node(&nodes[s->slots[at]], node)) at = (at + 1) & s->mask;
        if (!s->slots[at]) {
            s->slots[at] = region->order[k];
            continue;
        }
        const rg_node *first = &nodes[s->slots[at]];
        for (uint32_t i = 0; i < node->out_count; i++)
            if (node->out[i]) renamed[node->out[i]] = first->out[i];
        node->dead = true;
        *changed = true;
    }
}

/* Numbers and small integer lists: shape arithmetic. Weights that happen to be equal (all ones, say) stay
 * apart: a trained model will tell them apart, and they count as parameters. */
static bool may_merge(const rg_value *value)
{
    const rg_tensor *t = value->data;
    if (value->role != RG_ROLE_CONST || !t || !rg_tensor_has_data(t)) return false;
    return t->count == 1 || (rg_dtype_is_int(t->dtype) && t->count <= RG_RANK_MAX);
}

/* Constants with equal content become one. */
static rg_err merge_constants(seen *s, rg_value_id *renamed)
{
    const rg_value *values = s->m.g->values;
    rg_value_id *slots = RG_NEW(&s->m.cx->arena, rg_value_id, (size_t)s->mask + 1);
    if (!slots) return rg_nomem(s->m.cx);
    for (uint32_t v = 1; v < s->m.g->value_count; v++) {
        if (!may_merge(&values[v])) continue;
        const rg_tensor *t = values[v].data;
        uint32_t at =
            (uint32_t)rg_hash_u64(rg_hash(RG_HASH_SEED, t->data, t->size), (uint64_t)t->dtype) & s->mask;
        while (slots[at] && !rg_tensor_eq(values[slots[at]].data, t)) at = (at + 1) & s->mask;
        if (slots[at]) renamed[v] = slots[at];
        else slots[at] = v;
    }
    return RG_OK;
}

static rg_err cse(rg_ctx *cx, rg_graph *g, bool *changed)
{
    seen s = {.mask = 64};
    RG_TRY(rg_match_init(&s.m, cx, g));
    while (s.mask < 2 * (g->node_count > g->value_count ? g->node_count : g->value_count)) s.mask *= 2;
    s.slots = RG_NEW(&cx->arena, rg_node_id, s.mask--);
    rg_value_id *renamed = RG_NEW(&cx->arena, rg_value_id, g->value_count);
    if (!s.slots || !renamed) return rg_nomem(cx);
    RG_TRY(merge_constants(&s, renamed));
    for (uint32_t r = 1; r < g->region_count; r++) merge_nodes(&s, &g->regions[r], renamed, changed);
    rg_graph_rename(g, renamed); /* bodies: walked before or after what they capture */
    return RG_OK;
}

RG_PASS(cse) = {
    .name = "cse", .brief = "computes what is computed twice once", .order = 80, .repeat = true, .run = cse,
};
