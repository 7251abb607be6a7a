/* memory.c - static memory: every activation gets an offset in one block, chosen from lifetimes over rows.
 *
 * Greedy by size: the largest buffer first, each at the lowest offset where it overlaps no placed buffer
 * that lives at the same time (Pisarchyk and Lee 2020, "Efficient memory management for deep neural net
 * inference", section 5). A result may take over the buffer of an input that dies with its row, when the
 * operators allow it and it fits.
 *
 *     rows      0    1    2    3
 *     a  8 KB   ##########                  block:  a d | b c       16 KB, where four buffers hold 24 KB
 *     b  8 KB        ##########
 *     c  4 KB             ##########
 *     d  4 KB                  ######
 *
 * Behind every Send of a pipeline the rows run on another device: each pipeline stage has a block and weights
 * of its own, and the plan's figures are those of the largest.
 */
#include "map/map.h"
#include "map/skyline.h"
#include "op/collective.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGN_BYTE = 64,  /* a cache line, and the widest vector: neighbors never share one */
    NEAR_MAX = 512,   /* neighbors among which a gap is looked for; with more, on top of them all */
};

/* Rows in which a value is written and last read. */
typedef struct life {
    uint32_t born, dies, last_step;
    uint32_t first_row, last_row; /* in which a step touches it: born and dies without what merely holds it */
    bool used, read;
    bool leaves;      /* read outside the row that writes it, or an output */
    uint32_t counted; /* among the weights: of the last pipeline stage + 1 */
} life;

/* Rows [first, end). */
typedef struct pipeline_stage { uint32_t first, end; } pipeline_stage;

typedef struct packing {
    rg_ctx *cx;
    rg_plan *plan;
    const rg_graph *g;
    const rg_facts *facts;
    const uint8_t *kinds;     /* by value: rg_store */
    life *lives;              /* by value; those that own their buffer */
    double *bytes;            /* by value: the largest of what lies in its buffer */
    uint32_t *row_of;         /* by step */
    uint32_t *first, *last;   /* by step: first row of the steps from here on, last row of those up to here */
    uint32_t *writer;         /* by value: row + 1 */
    uint32_t *buffer_of;      /* by value: index + 1, before they are sorted by size */
    rg_value_id *head;        /* by value: the first that lies in its buffer */
    double *cached;           /* by row: live buffers that are caches */
} packing;

static rg_value_id root_of(const packing *x, rg_value_id v) { return v ? x->facts->buffer[v] : 0; }

/* ---- lifetimes ---- */

static bool is_sent(const rg_node *node)
{
    rg_collective_kind kind;
    int64_t group;
    return rg_node_collective(node, &kind, &group) && kind == RG_SEND;
}

static void stretch(life *l, uint32_t row)
{
    if (!l->used || row < l->born) l->born = row;
    if (!l->used || row > l->dies) l->dies = row;
    l->used = true;
}

static void touch(life *l, uint32_t row)
{
    if (!l->used || row < l->first_row) l->first_row = row;
    if (!l->used || row > l->last_row) l->last_row = row;
}

static void touch_step(packing *x, uint32_t s)
{
    const rg_node *node = rg_node_at(x->g, x->facts->steps[s].node);
    uint32_t row = x->row_of[s];
    for (uint32_t i = 0; i < node->out_count; i++) {
        rg_value_id root = root_of(x, node->out[i]);
        if (!root) continue;
        if (!x->writer[root]) x->writer[root] = row + 1;
        x->lives[root].last_step = s;
        touch(&x->lives[root], row + is_sent(node)); /* where it arrives */
        stretch(&x->lives[root], row);
    }
    for (uint32_t i = 0; i < node->in_count; i++) {
        rg_value_id root = root_of(x, node->in[i]);
        if (!root) continue;
        life *l = &x->lives[root];
        bool view = x->facts->work[s].family == RG_FAMILY_VIEW && i == 0; /* renames, does not read */
        l->last_step = s;
        l->read |= !view;
        l->leaves |= x->writer[root] != row + 1;
        touch(l, row);
        stretch(l, row);
    }
}

/* What the steps do not show: outputs live to the end, the model's inputs from the beginning, and a body
 * that repeats holds what it reads until all its rows have run. Rows are not in the order of steps, so such
 * a bound covers every row with a step before it. */
static void hold(packing *x, rg_value_id root)
{
    const rg_facts *facts = x->facts;
    const rg_value *value = &x->g->values[root];
    uint32_t born = facts->born[root], dies = facts->dies[root], steps = facts->step_count;
    life *l = &x->lives[root];
    if (born >= steps || value->role == RG_ROLE_CONST || (!l->used && dies < steps)) return;
    if (dies >= steps) stretch(l, x->plan->row_count - 1);
    else if (dies > l->last_step) stretch(l, x->last[dies]);
    bool given = value->region == RG_MAIN && value->role == RG_ROLE_INPUT;
    if (given || !x->writer[root])
        stretch(l, given ? 0 : x->first[born]); /* a view of an input writes none */
    l->leaves |= dies >= steps || given || !x->writer[root];
}

static void find_lives(packing *x)
{
    const rg_plan *plan = x->plan;
    uint32_t steps = x->facts->step_count;
    for (uint32_t r = 0; r < plan->row_count; r++)
        for (uint32_t k = 0; k < plan->rows[r].step_count; k++) x->row_of[plan->rows[r].steps[k]] = r;
    for (uint32_t s = 0; s < steps; s++)
        x->last[s] = s && x->last[s - 1] > x->row_of[s] ? x->last[s - 1] : x->row_of[s];
    for (uint32_t s = steps; s-- > 0;)
        x->first[s] = s + 1 < steps && x->first[s + 1] < x->row_of[s] ? x->first[s + 1] : x->row_of[s];
    for (uint32_t s = 0; s < steps; s++) touch_step(x, s);
    for (uint32_t v = 1; v < x->g->value_count; v++) {
        rg_value_id root = root_of(x, v);
        x->bytes[root] = fmax(x->bytes[root], rg_type_bytes(x->g, &x->g->values[v].type));
        if (root == v) hold(x, v);
    }
}

/* ---- buffers ---- */

/* Every computing member may write where it reads. */
static bool works_in_place(const packing *x, const rg_row *row)
{
    for (uint32_t i = 0; i < row->step_count; i++) {
        const rg_node *node = rg_node_at(x->g, x->facts->steps[row->steps[i]].node);
        bool view = x->facts->work[row->steps[i]].family == RG_FAMILY_VIEW;
        if (!view && !(node->op && node->op->traits & RG_IN_PLACE)) return false;
    }
    return true;
}

/* Is a cache that stays where it is, whatever the stack does with other results? Of the model's inputs only
 * these are written. */
static bool stays(const packing *x, const rg_node *node, rg_value_id in, rg_value_id out)
{
    bool cache = x->kinds[in] == RG_STORE_CACHE && x->kinds[out] == RG_STORE_CACHE;
    return cache && rg_node_is(node, "TensorScatter");
}

/* The row r writes `out`; the input whose place it may take, or 0. A cache at a row's end is written into,
 * whatever made what is new in it. */
static rg_value_id taken_over(const packing *x, uint32_t r, rg_value_id out)
{
    const rg_row *row = &x->plan->rows[r];
    const rg_node *node = rg_node_at(x->g, x->facts->steps[row->steps[row->step_count - 1]].node);
    bool into_cache = rg_node_is(node, "TensorScatter");
    if (!into_cache) node = rg_node_at(x->g, x->facts->steps[row->anchor].node);
    if (row->family == RG_FAMILY_VIEW || (!into_cache && !works_in_place(x, row)) || !node->op) return 0;
    uint32_t candidates = node->op->traits & RG_COMMUTES ? 2 : 1;
    for (uint32_t i = 0; i < candidates && i < node->in_count; i++) {
        rg_value_id in = root_of(x, node->in[i]);
        const life *l = &x->lives[in];
        bool leaves = x->facts->dies[in] >= x->facts->step_count;
        bool may = x->plan->runtime->in_place && l->born != r && x->g->values[in].role == RG_ROLE_NODE;
        bool dying = in && !leaves && l->used && l->dies == r && (may || stays(x, node, in, out));
        if (dying && x->buffer_of[in] && x->bytes[in] == x->bytes[out]) return in;
    }
    return 0;
}

static rg_err add_buffer(packing *x, rg_value_id v)
{
    rg_plan *plan = x->plan;
    const life *l = &x->lives[v];
    double bytes = x->bytes[v];
    bool needed = l->used && (l->leaves || !l->read) && x->g->values[v].role != RG_ROLE_CONST && bytes > 0;
    if (!needed || x->facts->buffer[v] != v || x->buffer_of[v]) return RG_OK;
    if (x->writer[v] && plan->rows[x->writer[v] - 1].folded) return RG_OK; /* a weight */
    if (bytes > RG_BLOCK_BYTE_MAX)
        return rg_fail(x->cx, RG_LIMIT, "%s needs %.3g bytes; %.3g is the limit",
                       rg_value_label(x->cx, x->g, v), bytes, (double)RG_BLOCK_BYTE_MAX);
    rg_value_id from = x->writer[v] == l->born + 1 ? taken_over(x, l->born, v) : 0;
    if (from) {
        rg_buffer *shared = &plan->buffers[x->buffer_of[from] - 1];
        life *first = &x->lives[x->head[from]];
        if (l->dies > shared->dies) shared->dies = l->dies;
        if (l->last_row > first->last_row) first->last_row = l->last_row;
        shared->in_place = true;
        x->buffer_of[v] = x->buffer_of[from];
        x->head[v] = x->head[from];
        return RG_OK;
    }
    uint64_t size = ((uint64_t)bytes + ALIGN_BYTE - 1) / ALIGN_BYTE * ALIGN_BYTE;
    plan->buffers[plan->buffer_count++] = (rg_buffer){v, 0, size, l->born, l->dies, false};
    x->buffer_of[v] = plan->buffer_count;
    x->head[v] = v;
    return RG_OK;
}

/* What no row writes first (inputs, what a loop joins), then results in the order in which rows write them:
 * what is taken over is there by then. */
static rg_err add_buffers(packing *x)
{
    const rg_plan *plan = x->plan;
    for (uint32_t v = 1; v < x->g->value_count; v++)
        if (!x->writer[v]) RG_TRY(add_buffer(x, v));
    for (uint32_t r = 0; r < plan->row_count; r++) {
        for (uint32_t k = 0; k < plan->rows[r].step_count; k++) {
            const rg_node *node = rg_node_at(x->g, x->facts->steps[plan->rows[r].steps[k]].node);
            for (uint32_t i = 0; i < node->out_count; i++)
                if (node->out[i]) RG_TRY(add_buffer(x, root_of(x, node->out[i])));
        }
    }
    return RG_OK;
}

/* ---- offsets ---- */

static int by_size(const void *a, const void *b)
{
    const rg_buffer *x = a, *y = b;
    if (x->size_byte != y->size_byte) return x->size_byte < y->size_byte ? 1 : -1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static int by_offset(const void *a, const void *b)
{
    const rg_buffer *x = *(const rg_buffer *const *)a, *y = *(const rg_buffer *const *)b;
    return x->offset_byte < y->offset_byte ? -1 : x->offset_byte > y->offset_byte;
}

/* The lowest gap above `offset` between the placed buffers that live at the same time: `near`. */
static uint64_t lowest_gap(uint64_t offset, uint64_t size, const rg_buffer **near, uint32_t count)
{
    if (count) qsort(near, count, sizeof *near, by_offset);
    for (uint32_t i = 0; i < count && near[i]->offset_byte < offset + size; i++) {
        uint64_t end = near[i]->offset_byte + near[i]->size_byte;
        if (end > offset) offset = end;
    }
    return offset;
}

/* From the first row that anything lives in to the last. */
static pipeline_stage span_of(const rg_plan *plan)
{
    pipeline_stage span = {UINT32_MAX, 0};
    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        if (plan->buffers[i].born < span.first) span.first = plan->buffers[i].born;
        if (plan->buffers[i].dies > span.end) span.end = plan->buffers[i].dies;
    }
    return span;
}

static bool lives_throughout(const rg_buffer *b, pipeline_stage span)
{
    return b->born == span.first && b->dies == span.end;
}

static rg_err keep_within(rg_ctx *cx, rg_plan *plan, const rg_buffer *b)
{
    uint64_t end = b->offset_byte + b->size_byte;
    if ((double)end > RG_BLOCK_BYTE_MAX)
        return rg_fail(cx, RG_LIMIT, "activations need more than %.3g bytes", (double)RG_BLOCK_BYTE_MAX);
    if (end > plan->block_byte) plan->block_byte = end;
    return RG_OK;
}

/* The largest first. What lives throughout, as a language model's caches do, is in nobody's way at the
 * bottom; everything else goes into the lowest gap above. */
static rg_err place_all(rg_ctx *cx, rg_plan *plan)
{
    rg_skyline sky;
    const rg_buffer *near[NEAR_MAX];
    pipeline_stage span = span_of(plan);
    RG_TRY(rg_skyline_init(cx, &sky, plan->row_count));
    if (plan->buffer_count) qsort(plan->buffers, plan->buffer_count, sizeof *plan->buffers, by_size);
    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        if (!lives_throughout(&plan->buffers[i], span)) continue;
        plan->buffers[i].offset_byte = plan->block_byte;
        RG_TRY(keep_within(cx, plan, &plan->buffers[i]));
    }
    uint64_t bottom = plan->block_byte;
    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        rg_buffer *b = &plan->buffers[i];
        if (lives_throughout(b, span)) continue;
        uint32_t count = rg_skyline_near(&sky, b, near, NEAR_MAX);
        uint64_t top = count > NEAR_MAX ? rg_skyline_top(&sky, b) : 0;
        b->offset_byte = count > NEAR_MAX ? (top > bottom ? top : bottom)
                                          : lowest_gap(bottom, b->size_byte, near, count);
        RG_TRY(keep_within(cx, plan, b));
        if (!rg_skyline_add(&sky, b)) return rg_nomem(cx);
    }
    return RG_OK;
}

/* Where each value lies: with the first of its buffer, views with what they show. */
static rg_err locate(packing *x)
{
    rg_plan *plan = x->plan;
    uint64_t *placed = RG_NEW(&x->cx->arena, uint64_t, x->g->value_count); /* offset + 1 */
    plan->offset_of = RG_NEW(&plan->arena, uint64_t, x->g->value_count);
    if (!placed || !plan->offset_of) return rg_nomem(x->cx);
    for (uint32_t i = 0; i < plan->buffer_count; i++)
        placed[plan->buffers[i].value] = plan->buffers[i].offset_byte + 1;
    for (uint32_t v = 0; v < x->g->value_count; v++)
        plan->offset_of[v] = placed[x->head[root_of(x, v)]] - 1; /* 0 - 1 is RG_NOWHERE */
    return RG_OK;
}

/* ---- sums ---- */

/* Live bytes by row; and how many of them are caches at most. */
static void timeline(packing *x, pipeline_stage stage)
{
    rg_plan *plan = x->plan;
    double sum = 0, live = 0, cached = 0;
    memset(plan->live_byte, 0, (plan->row_count + 2) * sizeof *plan->live_byte);
    memset(x->cached, 0, (plan->row_count + 2) * sizeof *x->cached);
    for (uint32_t i = 0; i < plan->buffer_count; i++) { /* differences first, then their running sum */
        const rg_buffer *b = &plan->buffers[i];
        double cache = x->kinds[b->value] == RG_STORE_CACHE ? (double)b->size_byte : 0;
        plan->live_byte[b->born] += (double)b->size_byte;
        plan->live_byte[b->dies + 1] -= (double)b->size_byte;
        x->cached[b->born] += cache;
        x->cached[b->dies + 1] -= cache;
        sum += (double)b->size_byte;
    }
    plan->peak_row = stage.first;
    plan->cache_byte = 0;
    for (uint32_t r = 0; r < plan->row_count; r++) {
        live += plan->live_byte[r];
        cached += x->cached[r];
        plan->live_byte[r] = live;
        plan->cache_byte = fmax(plan->cache_byte, cached);
        if (live > plan->live_byte[plan->peak_row]) plan->peak_row = r;
    }
    plan->reuse = plan->block_byte ? sum / (double)plan->block_byte : 1;
}

/* Constants that rows read, once each, and what was folded from constants that other rows read. */
static double weights_of(packing *x, pipeline_stage stage)
{
    const rg_plan *plan = x->plan;
    double bytes = 0;
    for (uint32_t s = 0; s < x->facts->step_count; s++) {
        const rg_node *node = rg_node_at(x->g, x->facts->steps[s].node);
        uint32_t row = x->row_of[s];
        if (plan->rows[row].folded || row < stage.first || row >= stage.end) continue;
        for (uint32_t i = 0; i < node->in_count; i++) {
            rg_value_id v = root_of(x, node->in[i]);
            bool folded = x->writer[v] && plan->rows[x->writer[v] - 1].folded;
            if (x->g->values[v].role != RG_ROLE_CONST && !folded) continue;
            if (x->lives[v].counted == stage.first + 1) continue;
            x->lives[v].counted = stage.first + 1;
            bytes += x->bytes[v];
        }
    }
    return bytes;
}

/* Of products what they read and write, of collectives what they send and what arrives. */
static void find_buffers_beside(rg_plan *plan, pipeline_stage stage)
{
    double product = 0, collective = 0;
    for (uint32_t r = stage.first; r < stage.end; r++) {
        const rg_row *row = &plan->rows[r];
        if (rg_row_is_product(row)) product = fmax(product, row->work.in_byte + row->work.out_byte);
        if (row->family == RG_FAMILY_COLLECTIVE)
            collective = fmax(collective, fmax(row->work.in_byte, row->work.out_byte));
    }
    plan->workspace_byte = product * plan->runtime->workspace_fraction;
    plan->communication_byte = 2 * collective;
}

int rg_plan_memory_items(const rg_plan *plan, rg_memory_item out[RG_MEMORY_ITEMS])
{
    const struct { bool optional; rg_memory_item item;
    } items[RG_MEMORY_ITEMS] = {
        {false, {"weights", plan->weight_byte, "constants, as they are stored"}},
        {true, {"copies of weights", plan->copies_byte, "as kernels read them, by the runtime's profile"}},
        {true, {"kv cache", plan->cache_byte, "keys and values of all tokens, as they are stored"}},
        {false,
         {"activations", (double)plan->block_byte - plan->cache_byte, "one block that the rows share"}},
        {false, {"workspace", plan->workspace_byte, "of the largest product, by the runtime's profile"}},
        {true,
         {"communication buffers", plan->communication_byte,
          "of the largest collective: what leaves and what arrives"}},
        {false,
         {"runtime overhead", plan->overhead_byte, "context, allocator and code, by the runtime's profile"}},
    };
    int count = 0;
    for (int i = 0; i < RG_MEMORY_ITEMS; i++)
        if (!items[i].optional || items[i].item.byte > 0) out[count++] = items[i].item;
    return count;
}

/* ---- pipeline stages ---- */

static rg_err find_stages(packing *x, pipeline_stage **out, uint32_t *count)
{
    const rg_plan *plan = x->plan;
    pipeline_stage *stages = NULL, stage = {0};
    uint32_t capacity = 0;
    *count = 0;
    for (uint32_t r = 0; r <= plan->row_count; r++) {
        bool last = r == plan->row_count;
        if (!last && !is_sent(rg_node_at(x->g, x->facts->steps[plan->rows[r].anchor].node))) continue;
        if (last && *count && stage.first == r) break; /* nothing behind the last Send */
        stage.end = last ? r : r + 1;
        if (!RG_GROW(&x->cx->arena, stages, *count, capacity)) return rg_nomem(x->cx);
        stages[(*count)++] = stage;
        stage.first = stage.end;
    }
    *out = stages;
    return RG_OK;
}

/* The buffers that a stage's rows touch, as long as they live in it; a cache is there from its begin to its
 * end. */
static void take_buffers(packing *x, pipeline_stage stage, const rg_buffer *all, uint32_t count)
{
    rg_plan *plan = x->plan;
    plan->buffer_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const life *l = &x->lives[all[i].value];
        rg_buffer b = all[i];
        if (l->first_row >= stage.end || l->last_row < stage.first) continue;
        if (b.born < stage.first) b.born = stage.first;
        if (b.dies >= stage.end) b.dies = stage.end - 1;
        plan->buffers[plan->buffer_count++] = b;
    }
}

/* The plan's figures as those of one stage. */
static rg_err fill_stage(packing *x, pipeline_stage stage)
{
    rg_plan *plan = x->plan;
    rg_memory_item items[RG_MEMORY_ITEMS];
    plan->block_byte = 0;
    RG_TRY(place_all(x->cx, plan));
    timeline(x, stage);
    plan->weight_byte = weights_of(x, stage);
    find_buffers_beside(plan, stage);
    plan->overhead_byte = plan->runtime->memory_overhead_byte;
    plan->peak_byte = 0;
    for (int i = 0, count = rg_plan_memory_items(plan, items); i < count; i++)
        plan->peak_byte += items[i].byte;
    return RG_OK;
}

/* Every stage in turn, then the largest again, which stays. */
static rg_err fill_largest(packing *x, const pipeline_stage *stages, uint32_t count)
{
    rg_plan *plan = x->plan;
    uint32_t all_count = plan->buffer_count, largest = 0;
    rg_buffer *all = RG_NEW(&x->cx->arena, rg_buffer, all_count + 1);
    double most = -1;
    if (!all) return rg_nomem(x->cx);
    memcpy(all, plan->buffers, all_count * sizeof *all);
    for (uint32_t i = 0; i < count; i++) {
        take_buffers(x, stages[i], all, all_count);
        RG_TRY(fill_stage(x, stages[i]));
        if (plan->peak_byte > most) most = plan->peak_byte, largest = i;
    }
    for (uint32_t v = 0; v < x->g->value_count; v++) x->lives[v].counted = 0;
    take_buffers(x, stages[largest], all, all_count);
    plan->pipeline_largest = largest;
    return fill_stage(x, stages[largest]);
}

/* ---- the whole ---- */

rg_err rg_plan_memory(rg_ctx *cx, rg_plan *plan)
{
    packing x = {.cx = cx, .plan = plan, .g = plan->graph, .facts = plan->facts};
    rg_arena *scratch = &cx->arena;
    uint32_t values = x.g->value_count, steps = x.facts->step_count + 1;
    pipeline_stage *stages = NULL;
    x.lives = RG_NEW(scratch, life, values);
    x.bytes = RG_NEW(scratch, double, values);
    x.writer = RG_NEW(scratch, uint32_t, values);
    x.buffer_of = RG_NEW(scratch, uint32_t, values);
    x.head = RG_NEW(scratch, rg_value_id, values);
    x.row_of = RG_NEW(scratch, uint32_t, steps);
    x.first = RG_NEW(scratch, uint32_t, steps);
    x.last = RG_NEW(scratch, uint32_t, steps);
    x.cached = RG_NEW(scratch, double, plan->row_count + 2);
    plan->buffers = RG_NEW(&plan->arena, rg_buffer, values);
    plan->live_byte = RG_NEW(&plan->arena, double, plan->row_count + 2);
    if (scratch->failed || !plan->buffers || !plan->live_byte) return rg_nomem(cx);
    RG_TRY(rg_graph_stores(cx, x.g, &x.kinds));
    find_lives(&x);
    RG_TRY(add_buffers(&x));
    RG_TRY(find_stages(&x, &stages, &plan->pipeline_count));
    if (plan->pipeline_count > 1) RG_TRY(fill_largest(&x, stages, plan->pipeline_count));
    else RG_TRY(fill_stage(&x, stages[0]));
    return locate(&x);
}
