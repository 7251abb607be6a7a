/* group.c - which nodes run as one kernel. Fusion *is* grouping: a rule of the runtime names an anchor and what may
 * follow it; a row grows along its output while that has one reader, so that nothing outside ever needs what is inside.
 *
 *     Conv -> BatchNormalization -> Add -> Relu       one row "conv_bn_act"; the other input of Add is a dependency
 *              views (Reshape, ...) ride along: they move no data
 *
 * A chain of single readers can never close a cycle between rows: whatever else a later member reads cannot depend on
 * an earlier one, whose only reader is inside. Rows are ordered by their last computing member.
 */
#include "map/map.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY UINT32_MAX

typedef struct grouping {
    rg_ctx *cx;
    rg_plan *plan;
    const rg_graph *g;
    const rg_facts *facts;
    rg_uses uses;
    uint32_t *step_of;   /* by node */
    uint32_t *row_of;    /* by step */
    uint32_t *pending;   /* views met on the way to the next member */
    uint32_t *mark;      /* by row: stamp for unique dependencies */
    uint32_t *member_capacity;
} grouping;

static const rg_node *node_of(const grouping *x, uint32_t step) { return rg_node_at(x->g, x->facts->steps[step].node); }
static bool is_view(const grouping *x, uint32_t step) { return x->facts->work[step].family == RG_FAMILY_VIEW; }

/* "Conv", "#elementwise" (a family) or "#activation" (a trait). */
static bool name_matches(const grouping *x, uint32_t step, const char *name)
{
    const rg_node *node = node_of(x, step);
    if (name[0] != '#') return rg_str_is(node->type, name);
    if (strcmp(name, "#activation") == 0) return node->op && (node->op->traits & RG_ACTIVATION);
    return strcmp(name + 1, rg_family_name(x->facts->work[step].family)) == 0;
}

static bool any_matches(const grouping *x, uint32_t step, const char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (name_matches(x, step, names[i])) return true;
    return false;
}

static const rg_fuse_rule *rule_for(const grouping *x, uint32_t step)
{
    const rg_runtime *runtime = x->plan->runtime;
    for (size_t i = 0; i < runtime->rule_count; i++)
        if (any_matches(x, step, runtime->rules[i].anchor, runtime->rules[i].anchor_count)) return &runtime->rules[i];
    return NULL;
}

static bool add_member(grouping *x, rg_row *row, uint32_t row_index, uint32_t step)
{
    uint32_t *capacity = &x->member_capacity[row_index];
    row->steps = rg_arena_grow(&x->plan->arena, row->steps, row->step_count, capacity, sizeof *row->steps);
    if (!row->steps) return false;
    row->steps[row->step_count++] = step;
    x->row_of[step] = row_index;
    return true;
}

/* The step that alone reads the only used output of `step`; NOBODY when there is none. */
static uint32_t only_reader(const grouping *x, uint32_t step)
{
    const rg_node *node = node_of(x, step);
    rg_value_id used = 0;
    for (uint32_t i = 0; i < node->out_count; i++) {
        rg_value_id v = node->out[i];
        if (!v || (x->uses.first[v] == x->uses.first[v + 1] && !x->uses.out_uses[v])) continue;
        if (used) return NOBODY;
        used = v;
    }
    if (!used || x->uses.out_uses[used] || x->uses.first[used + 1] - x->uses.first[used] != 1) return NOBODY;
    uint32_t reader = x->step_of[x->uses.users[x->uses.first[used]]];
    if (reader == NOBODY || x->row_of[reader] != NOBODY) return NOBODY;
    const rg_step *a = &x->facts->steps[step], *b = &x->facts->steps[reader];
    return a->arm == b->arm && node->region == rg_node_at(x->g, b->node)->region ? reader : NOBODY;
}

/* Follows single readers from the anchor for as long as the rule allows; views join only between two members. */
static bool grow_row(grouping *x, rg_row *row, uint32_t row_index, const rg_fuse_rule *rule)
{
    uint32_t pending = 0, members = 1, at = row->anchor;
    while (rule && (rule->max_nodes == 0 || members < (uint32_t)rule->max_nodes)) {
        uint32_t next = only_reader(x, at);
        if (next == NOBODY) break;
        if (is_view(x, next)) {
            x->pending[pending++] = at = next;
            continue;
        }
        if (!any_matches(x, next, rule->follow, rule->follow_count)) break;
        for (uint32_t i = 0; i < pending; i++)
            if (!add_member(x, row, row_index, x->pending[i])) return false;
        pending = 0;
        if (!add_member(x, row, row_index, next)) return false;
        at = next;
        members++;
    }
    return true;
}

/* A view goes with the row that computes what it views; a view of an input or constant is a row of its own. */
static uint32_t row_of_source(const grouping *x, uint32_t step)
{
    const rg_node *node = node_of(x, step);
    rg_value_id source = node->in_count ? node->in[0] : 0;
    if (!source || x->g->values[source].role != RG_ROLE_NODE) return NOBODY;
    uint32_t producer = x->step_of[x->g->values[source].producer];
    if (producer == NOBODY || x->facts->steps[producer].arm != x->facts->steps[step].arm) return NOBODY;
    return x->facts->steps[producer].times == x->facts->steps[step].times ? x->row_of[producer] : NOBODY;
}

static rg_err form_rows(grouping *x)
{
    rg_plan *plan = x->plan;
    for (uint32_t step = 0; step < x->facts->step_count; step++) {
        if (x->row_of[step] != NOBODY) continue;
        bool view = is_view(x, step);
        uint32_t host = view ? row_of_source(x, step) : NOBODY;
        if (host != NOBODY) {
            if (!add_member(x, &plan->rows[host], host, step)) return rg_nomem(x->cx);
            continue;
        }
        uint32_t index = plan->row_count++;
        rg_row *row = &plan->rows[index];
        const rg_fuse_rule *rule = view ? NULL : rule_for(x, step);
        row->anchor = step;
        if (!add_member(x, row, index, step) || !grow_row(x, row, index, rule)) return rg_nomem(x->cx);
        bool fused = row->step_count > 1 && rule;
        row->kind = fused ? rule->name : rg_arena_cstr(&plan->arena, node_of(x, step)->type);
        if (!row->kind) return rg_nomem(x->cx);
    }
    return RG_OK;
}

/* Position that orders rows: the last computing member. */
static uint32_t order_key(const grouping *x, const rg_row *row)
{
    uint32_t key = row->anchor;
    for (uint32_t i = 0; i < row->step_count; i++)
        if (!is_view(x, row->steps[i]) && row->steps[i] > key) key = row->steps[i];
    return key;
}

/* Sorts rows by key: keys are distinct steps, so a table over steps is the sort. */
static rg_err order_rows(grouping *x)
{
    rg_plan *plan = x->plan;
    uint32_t *at = RG_NEW(&x->cx->arena, uint32_t, x->facts->step_count + 1);
    rg_row *sorted = RG_NEW(&plan->arena, rg_row, plan->row_count + 1);
    if (!at || !sorted) return rg_nomem(x->cx);
    for (uint32_t i = 0; i < plan->row_count; i++) at[order_key(x, &plan->rows[i])] = i + 1;
    uint32_t count = 0;
    for (uint32_t step = 0; step < x->facts->step_count; step++)
        if (at[step]) sorted[count++] = plan->rows[at[step] - 1];
    plan->rows = sorted;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < sorted[i].step_count; k++) x->row_of[sorted[i].steps[k]] = i;
    return RG_OK;
}

static int by_text(const void *a, const void *b) { return rg_str_cmp(*(const rg_str *)a, *(const rg_str *)b); }

/* Identity and name. A node without a name is known by what it computes. */
static rg_err name_row(grouping *x, rg_row *row)
{
    rg_str *names = RG_NEW(&x->cx->arena, rg_str, row->step_count);
    if (!names) return rg_nomem(x->cx);
    for (uint32_t i = 0; i < row->step_count; i++) {
        const rg_node *node = node_of(x, row->steps[i]);
        names[i] = node->name.size ? node->name : node->out_count && node->out[0] ? x->g->values[node->out[0]].name : node->type;
    }
    rg_str anchor = names[0];
    qsort(names, row->step_count, sizeof *names, by_text);
    row->id = RG_HASH_SEED;
    for (uint32_t i = 0; i < row->step_count; i++) row->id = rg_hash_str(row->id, names[i]);
    row->name = rg_arena_cstr(&x->plan->arena, anchor);
    return row->name ? RG_OK : rg_nomem(x->cx);
}

/* The row's work: members summed, less what never leaves the row. */
static void sum_work(grouping *x, rg_row *row, uint32_t index)
{
    const rg_work *anchor = &x->facts->work[row->anchor];
    row->family = anchor->family;
    row->work = *anchor;
    row->width = x->facts->width[row->anchor];
    row->times = x->facts->steps[row->anchor].times;
    row->arm = x->facts->steps[row->anchor].arm;
    row->kernels = row->family == RG_FAMILY_VIEW ? 0 : 1;
    double before = 0;
    for (uint32_t i = 0; i < row->step_count; i++) {
        const rg_work *w = &x->facts->work[row->steps[i]];
        const rg_node *node = node_of(x, row->steps[i]);
        before += w->in_byte + w->weight_byte + w->out_byte;
        if (row->steps[i] != row->anchor) {
            row->work.mac += w->mac, row->work.flop += w->flop, row->work.special += w->special;
            row->work.in_byte += w->in_byte, row->work.weight_byte += w->weight_byte, row->work.out_byte += w->out_byte;
        }
        if (is_view(x, row->steps[i])) continue;
        for (uint32_t k = 0; k < node->in_count; k++) {
            rg_value_id v = node->in[k] ? x->facts->buffer[node->in[k]] : 0; /* through views */
            const rg_value *value = v ? &x->g->values[v] : NULL;
            if (!value || value->role != RG_ROLE_NODE) continue;
            uint32_t producer = x->step_of[value->producer];
            if (producer == NOBODY || x->row_of[producer] != index) continue;
            double bytes = rg_type_bytes(x->g, &value->type);
            row->work.in_byte -= bytes < row->work.in_byte ? bytes : row->work.in_byte;
            if (only_reader(x, producer) == NOBODY && x->row_of[producer] != index) continue;
            row->work.out_byte -= bytes < row->work.out_byte ? bytes : row->work.out_byte;
        }
    }
    row->saved_byte = before - row->work.in_byte - row->work.weight_byte - row->work.out_byte;
}

/* Without a fused kernel, attention writes the scores, reads and writes them for the softmax, and reads them again:
 * three kernels and four passes over batch × m × n scores. */
static void unfuse_attention(const rg_plan *plan, rg_row *row)
{
    if (row->family != RG_FAMILY_ATTENTION || plan->runtime->fuses_attention) return;
    rg_dtype dtype = plan->graph->values[rg_node_at(plan->graph, plan->facts->steps[row->anchor].node)->in[0]].type.dtype;
    double scores = rg_dtype_bytes(dtype, row->work.batch * row->work.m * row->work.n);
    row->kernels = 3;
    row->work.in_byte += 2 * scores;
    row->work.out_byte += 2 * scores;
}

static rg_err link_rows(grouping *x)
{
    rg_plan *plan = x->plan;
    x->mark = RG_NEW(&x->cx->arena, uint32_t, plan->row_count + 1);
    if (!x->mark) return rg_nomem(x->cx);
    for (uint32_t i = 0; i < plan->row_count; i++) {
        rg_row *row = &plan->rows[i];
        uint32_t capacity = 0;
        x->mark[i] = i + 1;
        for (uint32_t k = 0; k < row->step_count; k++) {
            uint32_t step = row->steps[k];
            for (uint32_t d = x->facts->dep_first[step]; d < x->facts->dep_first[step + 1]; d++) {
                uint32_t other = x->row_of[x->facts->deps[d]];
                if (other >= i || x->mark[other] == i + 1) continue;
                if (!RG_GROW(&plan->arena, row->deps, row->dep_count, capacity)) return rg_nomem(x->cx);
                row->deps[row->dep_count++] = other;
                x->mark[other] = i + 1;
                if (plan->rows[other].stage + 1 > row->stage) row->stage = plan->rows[other].stage + 1;
            }
        }
        if (row->stage + 1 > plan->stage_count) plan->stage_count = row->stage + 1;
    }
    return RG_OK;
}

rg_err rg_plan_group(rg_ctx *cx, rg_plan *plan)
{
    grouping x = {.cx = cx, .plan = plan, .g = plan->graph, .facts = plan->facts};
    uint32_t steps = plan->facts->step_count;
    RG_TRY(rg_graph_uses(cx, x.g, &cx->arena, &x.uses));
    x.step_of = RG_NEW(&cx->arena, uint32_t, x.g->node_count);
    x.row_of = RG_NEW(&cx->arena, uint32_t, steps + 1);
    x.pending = RG_NEW(&cx->arena, uint32_t, steps + 1);
    x.member_capacity = RG_NEW(&cx->arena, uint32_t, steps + 1);
    plan->rows = RG_NEW(&cx->arena, rg_row, steps + 1);
    if (!x.step_of || !x.row_of || !x.pending || !x.member_capacity || !plan->rows) return rg_nomem(cx);
    memset(x.step_of, 0xff, x.g->node_count * sizeof *x.step_of);
    memset(x.row_of, 0xff, (steps + 1) * sizeof *x.row_of);
    for (uint32_t i = 0; i < steps; i++) x.step_of[plan->facts->steps[i].node] = i;
    RG_TRY(form_rows(&x));
    RG_TRY(order_rows(&x));
    for (uint32_t i = 0; i < plan->row_count; i++) {
        RG_TRY(name_row(&x, &plan->rows[i]));
        sum_work(&x, &plan->rows[i], i);
        unfuse_attention(plan, &plan->rows[i]);
    }
    return link_rows(&x);
}
