/* order.c - finishing a graph: dead nodes leave, and every region's nodes get a topological order.
 *
 * A node depends on the producers of its inputs. A value from outside that a body uses (or hands out) is a
 * dependency of the node in the producer's own region that the body hangs under, found by climbing the
 * owners:
 *
 *     main:  %a = Neg(x)    If ---- body:  %b = Relu(%a)         so that If comes after Neg
 *
 * Dependencies go into one array by node, then each region is walked depth first along them, in the order it
 * has: what is in order already stays exactly as it is, and independent nodes keep the file's order. The walk
 * keeps its own stack, which is also what names a cycle.
 */
#include "ir/ir.h"

#include <string.h>

enum { CYCLE_SHOWN = 4 };

typedef enum state { FRESH, OPEN, DONE } state;

typedef struct frame { rg_node_id node; uint32_t next; } frame;

typedef struct sorter {
    rg_ctx *cx;
    rg_graph *g;
    rg_arena scratch;
    uint32_t *first;     /* dependencies of node n: deps[first[n]] .. deps[first[n + 1]] */
    rg_node_id *deps;
    uint8_t *states;     /* of nodes */
    frame *stack;
    uint32_t depth;
} sorter;

/* ---- what is dead ---- */

/* The region's body hangs under a dead node, directly or further out. */
static rg_err is_dropped(rg_ctx *cx, const rg_graph *g, rg_region_id region, bool *out)
{
    *out = false;
    for (int depth = 0; region != RG_MAIN; depth++) {
        const rg_node *owner = &g->nodes[g->regions[region].owner];
        if (depth >= RG_NEST_MAX) return rg_fail(cx, RG_LIMIT, "regions nest deeper than %d", RG_NEST_MAX);
        *out |= owner->dead;
        region = owner->region;
    }
    return RG_OK;
}

static void drop_value(rg_graph *g, rg_value_id id)
{
    g->values[id] = (rg_value){.region = g->values[id].region};
}

/* A value that a newer node has taken over stays with that node. */
static void drop_node(rg_graph *g, rg_node_id id)
{
    rg_node *n = &g->nodes[id];
    n->dead = true;
    for (uint32_t k = 0; k < n->out_count; k++) {
        const rg_value *v = &g->values[n->out[k]];
        if (n->out[k] && v->role == RG_ROLE_NODE && v->producer == id) drop_value(g, n->out[k]);
    }
}

static rg_err drop_dead(rg_ctx *cx, rg_graph *g)
{
    for (rg_region_id region = 1; region < g->region_count; region++) {
        rg_region *r = &g->regions[region];
        bool dropped;
        uint32_t kept = 0;
        RG_TRY(is_dropped(cx, g, region, &dropped));
        for (uint32_t i = 0; i < r->order_count; i++) {
            rg_node_id id = r->order[i];
            if (dropped || g->nodes[id].dead) drop_node(g, id);
            else r->order[kept++] = id;
        }
        r->order_count = kept;
        if (!dropped) continue;
        for (uint32_t i = 0; i < r->input_count; i++) drop_value(g, r->inputs[i]);
        r->input_count = r->output_count = 0;
    }
    return RG_OK;
}

/* ---- what depends on what ---- */

static const char *place_of(sorter *s, rg_node_id user)
{
    return user ? rg_node_label(s->cx, s->g, user) : "the graph's output";
}

/* `user` (0: the region hands it out) in `region` uses `value`: finds the node of the value's region that
 * depends on its producer, 0 for none. */
static rg_err find_dependent(sorter *s, rg_region_id region, rg_node_id user, rg_value_id value,
                             rg_node_id *out)
{
    const rg_value *v = &s->g->values[value];
    rg_node_id under = user;
    rg_region_id home = v->role == RG_ROLE_NODE ? s->g->nodes[v->producer].region : v->region;
    *out = 0;
    if (v->role == RG_ROLE_CONST) return RG_OK;
    if (v->role == RG_ROLE_NONE)
        return rg_fail(s->cx, RG_FORMAT, "%s uses %s, which nothing defines", place_of(s, user),
                       rg_value_label(s->cx, s->g, value));
    while (region != home) {
        under = s->g->regions[region].owner;
        if (!under)
            return rg_fail(s->cx, RG_FORMAT, "%s uses %s of another body", place_of(s, user),
                           rg_value_label(s->cx, s->g, value));
        region = s->g->nodes[under].region;
    }
    if (v->role == RG_ROLE_NODE) *out = under;
    return RG_OK;
}

static rg_err each_dep(sorter *s, rg_err (*take)(sorter *s, rg_node_id from, rg_node_id on))
{
    const rg_graph *g = s->g;
    for (rg_region_id region = 1; region < g->region_count; region++) {
        const rg_region *r = &g->regions[region];
        for (uint32_t i = 0; i <= r->order_count; i++) { /* the last round: what the region hands out */
            rg_node_id user = i < r->order_count ? r->order[i] : 0, from;
            const rg_value_id *in = user ? g->nodes[user].in : r->outputs;
            uint32_t count = user ? g->nodes[user].in_count : r->output_count;
            for (uint32_t k = 0; k < count; k++) {
                if (!in[k]) continue;
                RG_TRY(find_dependent(s, region, user, in[k], &from));
                if (from) RG_TRY(take(s, from, g->values[in[k]].producer));
            }
        }
    }
    return RG_OK;
}

static rg_err count_dep(sorter *s, rg_node_id from, rg_node_id on)
{
    (void)on;
    if (s->first[from] == UINT32_MAX)
        return rg_fail(s->cx, RG_LIMIT, "more than %u links between nodes", UINT32_MAX);
    s->first[from]++;
    return RG_OK;
}

/* Counts were turned into starts; each start moves to its end, which is the next one's start. */
static rg_err put_dep(sorter *s, rg_node_id from, rg_node_id on)
{
    s->deps[s->first[from]++] = on;
    return RG_OK;
}

static rg_err gather_deps(sorter *s)
{
    uint32_t count = s->g->node_count;
    uint64_t total = 0;
    s->first = RG_NEW(&s->scratch, uint32_t, count + 1);
    if (!s->first) return rg_nomem(s->cx);
    RG_TRY(each_dep(s, count_dep));
    for (uint32_t i = 0; i <= count; i++) {
        uint32_t here = s->first[i];
        s->first[i] = (uint32_t)total;
        total += here;
    }
    if (total > UINT32_MAX) return rg_fail(s->cx, RG_LIMIT, "more than %u links between nodes", UINT32_MAX);
    s->deps = RG_NEW(&s->scratch, rg_node_id, total);
    if (!s->deps) return rg_nomem(s->cx);
    RG_TRY(each_dep(s, put_dep));
    memmove(s->first + 1, s->first, count * sizeof *s->first);
    s->first[0] = 0;
    return RG_OK;
}

/* ---- the order ---- */

/* The stack from `on` upwards is the cycle: each depends on the next. */
static rg_err fail_cycle(sorter *s, rg_node_id on)
{
    rg_text text;
    uint32_t at = s->depth;
    rg_text_init(&text, &s->scratch);
    while (at > 0 && s->stack[at - 1].node != on) at--;
    uint32_t count = s->depth - (at - 1);
    for (uint32_t i = 0; i < count && i < CYCLE_SHOWN; i++)
        rg_text_printf(&text, "%s, which needs ", rg_node_label(s->cx, s->g, s->stack[at - 1 + i].node));
    if (count > CYCLE_SHOWN) rg_text_printf(&text, "%u more, which need ", count - CYCLE_SHOWN);
    if (text.failed) return rg_nomem(s->cx);
    return rg_fail(s->cx, RG_FORMAT, "a cycle: %sthe first", text.data);
}

static void push(sorter *s, rg_node_id node)
{
    s->states[node] = OPEN;
    s->stack[s->depth++] = (frame){node, s->first[node]};
}

/* Puts `root`, behind everything that it depends on, at the end of `order`. */
static rg_err visit(sorter *s, rg_node_id root, rg_node_id *order, uint32_t *count)
{
    push(s, root);
    while (s->depth) {
        frame *top = &s->stack[s->depth - 1];
        if (top->next == s->first[top->node + 1]) {
            s->states[top->node] = DONE;
            order[(*count)++] = top->node;
            s->depth--;
            continue;
        }
        rg_node_id on = s->deps[top->next++];
        if (s->states[on] == OPEN) return fail_cycle(s, on);
        if (s->states[on] == FRESH) push(s, on);
    }
    return RG_OK;
}

static rg_err sort_regions(sorter *s)
{
    rg_graph *g = s->g;
    s->states = RG_NEW(&s->scratch, uint8_t, g->node_count);
    s->stack = RG_NEW(&s->scratch, frame, g->node_count);
    rg_node_id *order = RG_NEW(&s->scratch, rg_node_id, g->node_count);
    if (!s->states || !s->stack || !order) return rg_nomem(s->cx);
    for (rg_region_id region = 1; region < g->region_count; region++) {
        rg_region *r = &g->regions[region];
        uint32_t count = 0;
        for (uint32_t i = 0; i < r->order_count; i++)
            if (s->states[r->order[i]] == FRESH) RG_TRY(visit(s, r->order[i], order, &count));
        if (count != r->order_count)
            return rg_fail(s->cx, RG_INTERNAL, "region %u lists %u nodes, of which %u can be ordered", region,
                           r->order_count, count);
        if (count) memcpy(r->order, order, count * sizeof *order);
    }
    return RG_OK;
}

/* ---- the whole ---- */

static rg_err check_outputs(rg_ctx *cx, const rg_graph *g)
{
    for (rg_node_id i = 1; i < g->node_count; i++) {
        const rg_node *n = &g->nodes[i];
        for (uint32_t k = 0; !n->dead && k < n->out_count; k++) {
            const rg_value *v = &g->values[n->out[k]];
            if (n->out[k] && (v->role != RG_ROLE_NODE || v->producer != i))
                return rg_fail(cx, RG_FORMAT, "%s is defined twice, once by %s",
                               rg_value_label(cx, g, n->out[k]), rg_node_label(cx, g, i));
        }
    }
    return RG_OK;
}

rg_err rg_graph_finish(rg_ctx *cx, rg_graph *g)
{
    sorter s = {.cx = cx, .g = g};
    if (g->dims.failed)
        return g->arena.failed ? rg_nomem(cx)
                               : rg_fail(cx, RG_LIMIT, "more than %d symbolic sizes", RG_DIM_EXPR_MAX);
    RG_TRY(drop_dead(cx, g));
    RG_TRY(check_outputs(cx, g));
    rg_arena_init(&s.scratch, cx);
    rg_err err = gather_deps(&s);
    if (!err) err = sort_regions(&s);
    rg_arena_done(&s.scratch);
#ifdef RG_DEBUG
    if (!err) err = rg_graph_verify(cx, g);
#endif
    return err;
}
