/* group.c - which nodes run as one kernel. Fusion *is* grouping: a rule of the runtime names an anchor and
 * what may follow it; a row grows along its output while that has one reader, so that nothing outside needs
 * what is inside.
 *
 *     Conv -> BatchNormalization -> Add -> Relu       one row "conv"; Add's other input is a dependency
 *              views (Reshape, ...) ride along: they move no data
 *
 * A follower must compute as many results as the anchor: an epilogue works on the block that the kernel
 * holds, and one that broadcasts it (the scales of squeeze-and-excite, multiplied into a whole map) cannot
 * begin before the kernel has ended. A chain of single readers can never close a cycle between rows:
 * whatever else a later member reads cannot depend on an earlier one, whose only reader is inside. Rows are
 * ordered by their last computing member.
 */
#include "map/map.h"

#include <math.h>
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
    bool *folded;        /* by step: computed from constants, once, at load */
    bool *strided;       /* by step: strides.c */
    uint32_t *pending;   /* views met on the way to the next member */
    uint32_t *mark;      /* by row: stamp for unique dependencies */
    uint32_t *member_capacity; /* by row */
} grouping;

static const rg_node *node_of(const grouping *x, uint32_t step)
{
    return rg_node_at(x->g, x->facts->steps[step].node);
}

static bool is_view(const grouping *x, uint32_t step)
{
    return x->facts->work[step].family == RG_FAMILY_VIEW || x->strided[step];
}

/* The step that computes a value; NOBODY for inputs, constants and what a control node hands out. */
static uint32_t producer_of(const grouping *x, rg_value_id v)
{
    const rg_value *value = &x->g->values[v];
    return v && value->role == RG_ROLE_NODE ? x->step_of[value->producer] : NOBODY;
}

/* ---- what is computed at load ---- */

static bool is_constant(const grouping *x, rg_value_id v)
{
    uint32_t producer = producer_of(x, v);
    return !v || x->g->values[v].role == RG_ROLE_CONST || (producer != NOBODY && x->folded[producer]);
}

static void find_folded(grouping *x)
{
    for (uint32_t step = 0; step < x->facts->step_count; step++) {
        const rg_node *node = node_of(x, step);
        bool folded = x->plan->runtime->folds_constants && node->op && !(node->op->traits & RG_RANDOM);
        for (uint32_t i = 0; i < node->in_count && folded; i++) folded = is_constant(x, node->in[i]);
        x->folded[step] = folded;
    }
}

/* ---- rules ---- */

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
        if (any_matches(x, step, runtime->rules[i].anchor, runtime->rules[i].anchor_count))
            return &runtime->rules[i];
    return NULL;
}

/* ---- growing a row ---- */

static bool add_member(grouping *x, rg_row *row, uint32_t row_index, uint32_t step)
{
    uint32_t *capacity = &x->member_capacity[row_index];
    if (!RG_GROW(&x->plan->arena, row->steps, row->step_count, *capacity)) return false;
    row->steps[row->step_count++] = step;
    x->row_of[step] = row_index;
    return true;
}

/* The only output of a step that anything uses; 0 when there is none or more than one. */
static rg_value_id only_output(const grouping *x, uint32_t step)
{
    const rg_node *node = node_of(x, step);
    rg_value_id used = 0;
    for (uint32_t i = 0; i < node->out_count; i++) {
        rg_value_id v = node->out[i];
        if (!v || (x->uses.first[v] == x->uses.first[v + 1] && !x->uses.out_uses[v])) continue;
        if (used) return 0;
        used = v;
    }
    return used;
}

/* The step that alone reads the only used output of `step`; NOBODY when there is none. */
static uint32_t only_reader(const grouping *x, uint32_t step)
{
    rg_value_id v = only_output(x, step);
    if (!v || x->uses.out_uses[v] || x->uses.first[v + 1] - x->uses.first[v] != 1) return NOBODY;
    uint32_t reader = x->step_of[x->uses.users[x->uses.first[v]]];
    if (reader == NOBODY || x->row_of[reader] != NOBODY) return NOBODY;
    bool together = x->facts->steps[step].arm == x->facts->steps[reader].arm &&
                    node_of(x, step)->region == node_of(x, reader)->region &&
                    x->folded[step] == x->folded[reader];
    return together ? reader : NOBODY;
}

/* Elements that a step writes: of a cache, what is new. */
static int64_t result_count(const grouping *x, uint32_t step)
{
    const rg_node *node = node_of(x, step);
    if (rg_node_is(node, "TensorScatter") && node->in_count > 1)
        return rg_type_count(x->g, &x->g->values[node->in[1]].type);
    return rg_type_count(x->g, &x->g->values[only_output(x, step)].type);
}

/* Follows single readers from the anchor as long as the rule allows; views join only between two members. */
static bool grow_row(grouping *x, rg_row *row, uint32_t row_index, const rg_fuse_rule *rule)
{
    uint32_t pending = 0, members = 1, at = row->anchor;
    int64_t count = result_count(x, row->anchor);
    while (rule && (rule->max_nodes == 0 || members < (uint32_t)rule->max_nodes)) {
        uint32_t next = only_reader(x, at);
        if (next == NOBODY) break;
        if (is_view(x, next)) {
            x->pending[pending++] = at = next;
            continue;
        }
        if (!any_matches(x, next, rule->follow, rule->follow_count)) break;
        if (result_count(x, next) != count) break;
        for (uint32_t i = 0; i < pending; i++)
            if (!add_member(x, row, row_index, x->pending[i])) return false;
        pending = 0;
        if (!add_member(x, row, row_index, next)) return false;
        at = next;
        members++;
    }
    return true;
}

/* What a step multiplies by a matrix of weights; 0: nothing. */
static rg_value_id weighted_by(const grouping *x, uint32_t step)
{
    const rg_node *node = node_of(x, step);
    if (!rg_node_is(node, "MatMul") || x->folded[step]) return 0;
    const rg_value *weight = &x->g->values[node->in[1]];
    return weight->role == RG_ROLE_CONST && weight->type.rank == 2 ? node->in[0] : 0;
}

/* Whether two steps multiply the same rows by weights, which lie side by side then: one product as wide as
 * both. */
static bool are_siblings(const grouping *x, uint32_t step, uint32_t other)
{
    const rg_step *a = &x->facts->steps[step], *b = &x->facts->steps[other];
    rg_value_id rows = weighted_by(x, step);
    return step != other && rows && rows == weighted_by(x, other) && a->arm == b->arm && a->times == b->times;
}

/* A step that the row of products takes: one of them, or the bias of the one before. */
static bool is_beside(const grouping *x, const rg_row *row, uint32_t step, const rg_fuse_rule *rule)
{
    if (x->row_of[step] != NOBODY) return false;
    if (are_siblings(x, row->anchor, step)) return true;
    const rg_node *node = node_of(x, step);
    bool follows = rule && any_matches(x, step, rule->follow, rule->follow_count)
                   && rg_node_is(node, "Add") && only_reader(x, step - 1) == step;
    return follows && (is_constant(x, node->in[0]) || is_constant(x, node->in[1]));
}

/* Siblings join where they and what the row has so far follow each other without a gap: nobody outside can
 * stand between what is read and what is made then. */
static bool add_siblings(grouping *x, rg_row *row, uint32_t row_index, const rg_fuse_rule *rule)
{
    uint32_t end = row->anchor + 1;
    if (!x->plan->runtime->merges_products) return true;
    while (end < x->facts->step_count
           && (x->row_of[end] == row_index || is_beside(x, row, end, rule))) end++;
    for (uint32_t i = 0; i < row->step_count; i++)
        if (row->steps[i] >= end) return true;
    for (uint32_t step = row->anchor + 1; step < end; step++)
        if (x->row_of[step] == NOBODY && !add_member(x, row, row_index, step)) return false;
    return true;
}

/* A view goes with the row that computes what it views. One of an input or a constant is a row of its own,
 * and so is one that waits for something else too: a computed shape. */
static uint32_t row_of_source(const grouping *x, uint32_t step)
{
    const rg_node *node = node_of(x, step);
    uint32_t producer = node->in_count ? producer_of(x, node->in[0]) : NOBODY;
    if (producer == NOBODY) return NOBODY;
    for (uint32_t i = 1; i < node->in_count; i++)
        if (x->g->values[node->in[i]].role == RG_ROLE_NODE) return NOBODY;
    const rg_step *a = &x->facts->steps[producer], *b = &x->facts->steps[step];
    return a->arm == b->arm && a->times == b->times ? x->row_of[producer] : NOBODY;
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
        row->kernels = rule ? rule->kernels : 0;
        if (!add_member(x, row, index, step) || !grow_row(x, row, index, rule) ||
            (!view && !add_siblings(x, row, index, rule))) return rg_nomem(x->cx);
        row->kind = rule && row->step_count > 1 ? rule->name
                                                 : rg_arena_cstr(&plan->arena, node_of(x, step)->type);
        if (!row->kind) return rg_nomem(x->cx);
    }
    return RG_OK;
}

/* ---- order and identity ---- */

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

static int by_text(const void *a, const void *b)
{
    return rg_str_cmp(*(const rg_str *)a, *(const rg_str *)b);
}

/* Identity and name. A node without a name is known by what it computes. */
static rg_err name_row(grouping *x, rg_row *row)
{
    rg_str *names = RG_NEW(&x->cx->arena, rg_str, row->step_count);
    if (!names) return rg_nomem(x->cx);
    for (uint32_t i = 0; i < row->step_count; i++) {
        const rg_node *node = node_of(x, row->steps[i]);
        rg_value_id result = node->out_count ? node->out[0] : 0;
        names[i] = node->name.size ? node->name : result ? x->g->values[result].name : node->type;
    }
    rg_str anchor = names[0];
    qsort(names, row->step_count, sizeof *names, by_text);
    row->id = RG_HASH_SEED;
    for (uint32_t i = 0; i < row->step_count; i++) row->id = rg_hash_str(row->id, names[i]);
    row->name = rg_arena_cstr(&x->plan->arena, anchor);
    return row->name ? RG_OK : rg_nomem(x->cx);
}

static int by_id(const void *a, const void *b)
{
    const rg_row *x = *(const rg_row *const *)a, *y = *(const rg_row *const *)b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* ONNX does not ask node names to be unique; rows of the same names are told apart by their order. */
static rg_err part_ids(rg_ctx *cx, rg_plan *plan)
{
    rg_row **rows = RG_NEW(&cx->arena, rg_row *, plan->row_count + 1);
    if (!rows) return rg_nomem(cx);
    for (uint32_t i = 0; i < plan->row_count; i++) rows[i] = &plan->rows[i];
    if (plan->row_count) qsort(rows, plan->row_count, sizeof *rows, by_id);
    for (uint32_t i = 0, next; i < plan->row_count; i = next) {
        uint64_t id = rows[i]->id;
        for (next = i + 1; next < plan->row_count && rows[next]->id == id; next++)
            rows[next]->id = rg_hash_u64(id, next - i);
    }
    return RG_OK;
}

/* ---- work ---- */

static void move_byte(double *from, double *to, double bytes)
{
    bytes = bytes < *from ? bytes : *from;
    *from -= bytes;
    if (to) *to += bytes;
}

/* What is computed inside the row is neither read nor written by it: not in memory. And what was folded, or
 * is a view of a constant, is a weight, which its operator could not know. */
static void settle_inputs(const grouping *x, rg_row *row, uint32_t index, uint32_t step)
{
    const rg_node *node = node_of(x, step);
    for (uint32_t i = 0; i < node->in_count; i++) {
        if (x->g->values[node->in[i]].role != RG_ROLE_NODE) continue;
        rg_value_id v = x->facts->buffer[node->in[i]]; /* through views */
        uint32_t producer = producer_of(x, v);
        double bytes = rg_type_bytes(x->g, &x->g->values[v].type);
        if (producer != NOBODY && x->row_of[producer] == index) {
            move_byte(&row->work.in_byte, NULL, bytes);
            move_byte(&row->work.out_byte, NULL, bytes);
        } else if (is_constant(x, v)) {
            move_byte(&row->work.in_byte, &row->work.weight_byte, bytes);
        }
    }
}

/* The row's work: members summed, less what never leaves the row. */
static void sum_work(grouping *x, rg_row *row, uint32_t index)
{
    const rg_work *anchor = &x->facts->work[row->anchor];
    const rg_work nothing = {.family = RG_FAMILY_VIEW};
    if (is_view(x, row->anchor)) anchor = &nothing;
    double before = anchor->in_byte + anchor->weight_byte + anchor->out_byte;
    row->family = anchor->family;
    row->folded = x->folded[row->anchor];
    row->work = *anchor;
    row->width = x->facts->width[row->anchor];
    row->times = x->facts->steps[row->anchor].times;
    row->arm = x->facts->steps[row->anchor].arm;
    if (row->family == RG_FAMILY_VIEW) row->kernels = 0;
    else if (row->kernels == 0) row->kernels = 1;
    if (row->family != RG_FAMILY_VIEW) settle_inputs(x, row, index, row->anchor);
    double own = row->work.in_byte;
    for (uint32_t i = 0; i < row->step_count; i++) {
        const rg_work *w = &x->facts->work[row->steps[i]];
        if (row->steps[i] == row->anchor || is_view(x, row->steps[i])) continue;
        before += w->in_byte + w->weight_byte + w->out_byte;
        row->work.mac += w->mac, row->work.flop += w->flop, row->work.special += w->special;
        row->work.weight_byte += w->weight_byte;
        row->work.out_byte += w->out_byte;
        if (are_siblings(x, row->anchor, row->steps[i])) { /* what they share is read once */
            row->work.n += w->n;
            continue;
        }
        row->work.in_byte += w->in_byte;
        settle_inputs(x, row, index, row->steps[i]);
    }
    row->side_byte = row->work.in_byte > own ? row->work.in_byte - own : 0;
    row->saved_byte = before - row->work.in_byte - row->work.weight_byte - row->work.out_byte;
}

/* On a GPU a mixture is several kernels: the k best scores, tokens sorted by expert (two), product,
 * activation, product, weighted sum (vLLM, fused_moe.py). */
enum { MIXTURE_KERNELS = 7 };

/* Mean of the largest of R numbers of experts that are read, each of h with probability q where tokens choose
 * independently: sum over x < h of 1 - F(x)^R, F: binomial. */
static double most_read(double held, double q, double parts)
{
    double below = 0, most = 0, all = lgamma(held + 1);
    for (double x = 0; x < held; x++) {
        below += exp(all - lgamma(x + 1) - lgamma(held - x + 1) + x * log(q) + (held - x) * log1p(-q));
        most += 1 - pow(fmin(below, 1), parts);
    }
    return most;
}

/* Devices that share the experts wait for the one of them that reads most. */
static void settle_mixture(const rg_plan *plan, rg_row *row)
{
    const rg_node *node = rg_node_at(plan->graph, plan->facts->steps[row->anchor].node);
    if (!node->op || strcmp(node->op->name, "MoE") != 0) return;
    if (plan->device->kind == RG_DEVICE_GPU) row->kernels = MIXTURE_KERNELS;
    double held = (double)plan->graph->values[node->in[2]].type.dim[0], mean = row->work.batch;
    double parts = (double)plan->graph->values[node->in[1]].type.dim[1] / held;
    if (parts <= 1 || mean <= 0 || mean >= held || held > RG_KNOWN_MAX) return;
    double more = most_read(held, mean / held, parts) / mean;
    row->work.weight_byte *= more;
    row->work.batch *= more;
    row->work.m /= more;
}

/* A fused kernel leaves out what a causal mask rules out, and divides each result by its sum, not each score
 * (Dao 2023, "FlashAttention-2", section 3.1). Without one, attention writes the scores, reads and writes
 * them for the softmax, and reads them again: three kernels and four passes over batch x m x n scores. */
static void settle_attention(const rg_plan *plan, rg_row *row)
{
    if (row->family != RG_FAMILY_ATTENTION) return;
    double count = row->work.batch * row->work.m * row->work.n;
    if (plan->runtime->fuses_attention) {
        row->work.special = fmax(row->work.special - count, 0) + row->work.batch * row->work.m;
        return;
    }
    row->work.skipped = 0;
    const rg_node *node = rg_node_at(plan->graph, plan->facts->steps[row->anchor].node);
    rg_dtype dtype = plan->graph->values[node->in[0]].type.dtype;
    double scores = rg_dtype_bytes(dtype, count);
    row->kernels = 3;
    row->work.in_byte += 2 * scores;
    row->work.out_byte += 2 * scores;
    row->side_byte += 2 * scores;
}

/* ---- dependencies ---- */

/* A view costs no stage: what reads it may begin with it. */
static uint32_t ready_after(const rg_row *row) { return row->stage + (row->family != RG_FAMILY_VIEW); }

static rg_err link_row(grouping *x, uint32_t index)
{
    rg_plan *plan = x->plan;
    rg_row *row = &plan->rows[index];
    uint32_t capacity = 0;
    for (uint32_t k = 0; k < row->step_count; k++) {
        uint32_t step = row->steps[k];
        for (uint32_t d = x->facts->dep_first[step]; d < x->facts->dep_first[step + 1]; d++) {
            uint32_t other = x->row_of[x->facts->deps[d]];
            if (other >= index || x->mark[other] == index + 1) continue;
            if (!RG_GROW(&plan->arena, row->deps, row->dep_count, capacity)) return rg_nomem(x->cx);
            row->deps[row->dep_count++] = other;
            x->mark[other] = index + 1;
            if (ready_after(&plan->rows[other]) > row->stage) row->stage = ready_after(&plan->rows[other]);
        }
    }
    if (row->stage + 1 > plan->stage_count) plan->stage_count = row->stage + 1;
    return RG_OK;
}

static rg_err allocate(grouping *x)
{
    rg_arena *scratch = &x->cx->arena;
    uint32_t steps = x->facts->step_count;
    x->step_of = RG_NEW(scratch, uint32_t, x->g->node_count);
    x->row_of = RG_NEW(scratch, uint32_t, steps + 1);
    x->folded = RG_NEW(scratch, bool, steps + 1);
    x->strided = RG_NEW(scratch, bool, steps + 1);
    x->pending = RG_NEW(scratch, uint32_t, steps + 1);
    x->mark = RG_NEW(scratch, uint32_t, steps + 1);
    x->member_capacity = RG_NEW(scratch, uint32_t, steps + 1);
    x->plan->rows = RG_NEW(scratch, rg_row, steps + 1);
    if (scratch->failed) return rg_nomem(x->cx);
    memset(x->step_of, 0xff, x->g->node_count * sizeof *x->step_of);
    memset(x->row_of, 0xff, (steps + 1) * sizeof *x->row_of);
    for (uint32_t i = 0; i < steps; i++) x->step_of[x->facts->steps[i].node] = i;
    return RG_OK;
}

rg_err rg_plan_group(rg_ctx *cx, rg_plan *plan)
{
    grouping x = {.cx = cx, .plan = plan, .g = plan->graph, .facts = plan->facts};
    RG_TRY(rg_graph_uses(cx, x.g, &cx->arena, &x.uses));
    RG_TRY(allocate(&x));
    find_folded(&x);
    RG_TRY(rg_plan_strides(cx, plan, &x.uses, x.step_of, x.strided));
    RG_TRY(form_rows(&x));
    RG_TRY(order_rows(&x));
    for (uint32_t i = 0; i < plan->row_count; i++) {
        RG_TRY(name_row(&x, &plan->rows[i]));
        sum_work(&x, &plan->rows[i], i);
        settle_attention(plan, &plan->rows[i]);
        settle_mixture(plan, &plan->rows[i]);
        RG_TRY(link_row(&x, i));
    }
    return part_ids(cx, plan);
}
