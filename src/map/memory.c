/* memory.c - static memory: every activation gets an offset in one block, chosen from lifetimes over rows.
 *
 * Greedy by size: the largest buffer first, each at the lowest offset where it overlaps no placed buffer that lives at
 * the same time (Pisarchyk and Lee 2020, "Efficient memory management for deep neural net inference", §5). A result
 * may take over the buffer of an input that dies with its row, when the operator allows it and it fits.
 */
#include "map/map.h"

#include <stdlib.h>

enum { ALIGN_BYTE = 64 }; /* a cache line, and the widest vector */

/* ORT and PyTorch allocate at cache-line multiples too; sizes are rounded so that neighbours never share a line. */
static uint64_t aligned(double bytes) { return ((uint64_t)bytes + ALIGN_BYTE - 1) / ALIGN_BYTE * ALIGN_BYTE; }

/* Rows in which a value is written and last read; values that never leave their row need no buffer. */
typedef struct life { uint32_t born, dies; bool used; } life;

static void stretch(life *l, uint32_t row)
{
    if (!l->used) *l = (life){row, row, true};
    if (row < l->born) l->born = row;
    if (row > l->dies) l->dies = row;
}

static rg_err lifetimes(rg_ctx *cx, const rg_plan *plan, life **out, uint32_t **internal)
{
    const rg_graph *g = plan->graph;
    const rg_facts *facts = plan->facts;
    life *lives = RG_NEW(&cx->arena, life, g->value_count);
    uint32_t *row_of = RG_NEW(&cx->arena, uint32_t, facts->step_count + 1);
    uint32_t *writer = RG_NEW(&cx->arena, uint32_t, g->value_count); /* row + 1 */
    uint32_t *leaves = RG_NEW(&cx->arena, uint32_t, g->value_count); /* read outside its row, or an output */
    if (!lives || !row_of || !writer || !leaves) return rg_nomem(cx);
    for (uint32_t r = 0; r < plan->row_count; r++)
        for (uint32_t k = 0; k < plan->rows[r].step_count; k++) row_of[plan->rows[r].steps[k]] = r;
    for (uint32_t s = 0; s < facts->step_count; s++) {
        const rg_node *node = rg_node_at(g, facts->steps[s].node);
        for (uint32_t i = 0; i < node->out_count; i++) {
            rg_value_id root = node->out[i] ? facts->buffer[node->out[i]] : 0;
            if (!root) continue;
            if (!writer[root]) writer[root] = row_of[s] + 1;
            stretch(&lives[root], row_of[s]);
        }
        for (uint32_t i = 0; i < node->in_count; i++) {
            rg_value_id root = node->in[i] ? facts->buffer[node->in[i]] : 0;
            if (!root) continue;
            stretch(&lives[root], row_of[s]);
            if (writer[root] != row_of[s] + 1) leaves[root] = 1;
        }
    }
    for (uint32_t v = 1; v < g->value_count; v++) { /* what outlives the steps: model inputs, outputs, loop-carried values */
        rg_value_id root = facts->buffer[v];
        if (!root || facts->born[root] == UINT32_MAX || facts->dies[root] == UINT32_MAX || !lives[root].used) continue;
        if (facts->dies[root] >= facts->step_count && plan->row_count) stretch(&lives[root], plan->row_count - 1), leaves[root] = 1;
        else if (facts->dies[root] < facts->step_count) stretch(&lives[root], row_of[facts->dies[root]]);
        if (g->values[root].role == RG_ROLE_INPUT) stretch(&lives[root], 0), leaves[root] = 1;
    }
    *out = lives;
    *internal = leaves;
    return RG_OK;
}

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

/* The lowest gap between the placed buffers that live at the same time: `near`. */
static void place_one(rg_plan *plan, rg_buffer *buffer, const rg_buffer **near, uint32_t near_count)
{
    uint64_t offset = 0;
    if (near_count) qsort(near, near_count, sizeof *near, by_offset);
    for (uint32_t i = 0; i < near_count; i++) {
        if (near[i]->offset_byte >= offset + buffer->size_byte) break;
        uint64_t end = near[i]->offset_byte + near[i]->size_byte;
        if (end > offset) offset = end;
    }
    buffer->offset_byte = offset;
    if (offset + buffer->size_byte > plan->block_byte) plan->block_byte = offset + buffer->size_byte;
}

static rg_err place_all(rg_ctx *cx, rg_plan *plan)
{
    const rg_buffer **near = RG_NEW(&cx->arena, const rg_buffer *, plan->buffer_count + 1);
    if (!near) return rg_nomem(cx);
    if (plan->buffer_count) qsort(plan->buffers, plan->buffer_count, sizeof *plan->buffers, by_size);
    for (uint32_t i = 0; i < plan->buffer_count; i++) {
        rg_buffer *b = &plan->buffers[i];
        uint32_t count = 0;
        for (uint32_t k = 0; k < i; k++) {
            const rg_buffer *other = &plan->buffers[k];
            if (other->born <= b->dies && b->born <= other->dies) near[count++] = other;
        }
        place_one(plan, b, near, count);
    }
    return RG_OK;
}

/* The row writes `out`; may it take the place of its first input? */
static bool takes_over(const rg_plan *plan, const rg_row *row, rg_value_id out, const life *lives, uint32_t r, rg_value_id *from)
{
    const rg_node *node = rg_node_at(plan->graph, plan->facts->steps[row->anchor].node);
    if (row->step_count != 1 || !node->op || !(node->op->traits & RG_IN_PLACE) || !node->in_count || !node->in[0]) return false;
    rg_value_id in = plan->facts->buffer[node->in[0]];
    if (!in || !lives[in].used || lives[in].dies != r || lives[in].born == r) return false;
    if (plan->graph->values[in].role != RG_ROLE_NODE) return false;
    *from = in;
    return rg_type_bytes(plan->graph, &plan->graph->values[in].type) == rg_type_bytes(plan->graph, &plan->graph->values[out].type);
}

static rg_err make_buffers(rg_ctx *cx, rg_plan *plan, life *lives, const uint32_t *leaves)
{
    const rg_graph *g = plan->graph;
    uint32_t *buffer_of = RG_NEW(&cx->arena, uint32_t, g->value_count); /* + 1 */
    plan->buffers = RG_NEW(&plan->arena, rg_buffer, g->value_count);
    if (!buffer_of || !plan->buffers) return rg_nomem(cx);
    for (uint32_t v = 1; v < g->value_count; v++) {
        double bytes = rg_type_bytes(g, &g->values[v].type);
        if (!lives[v].used || !leaves[v] || plan->facts->buffer[v] != v || g->values[v].role == RG_ROLE_CONST || bytes <= 0) continue;
        rg_value_id from = 0;
        const rg_row *row = &plan->rows[lives[v].born];
        bool reuse = g->values[v].role == RG_ROLE_NODE && takes_over(plan, row, v, lives, lives[v].born, &from) && buffer_of[from];
        if (reuse) { /* values are numbered in file order; a producer's buffer exists before its reader's */
            rg_buffer *shared = &plan->buffers[buffer_of[from] - 1];
            shared->dies = lives[v].dies > shared->dies ? lives[v].dies : shared->dies;
            shared->in_place = true;
            buffer_of[v] = buffer_of[from];
            continue;
        }
        plan->buffers[plan->buffer_count++] = (rg_buffer){v, 0, aligned(bytes), lives[v].born, lives[v].dies, false};
        buffer_of[v] = plan->buffer_count;
    }
    return RG_OK;
}

static rg_err timeline(rg_plan *plan, rg_ctx *cx)
{
    plan->live_byte = RG_NEW(&plan->arena, double, plan->row_count + 2);
    if (!plan->live_byte) return rg_nomem(cx);
    double sum = 0, live = 0;
    for (uint32_t i = 0; i < plan->buffer_count; i++) { /* differences first, then their running sum */
        plan->live_byte[plan->buffers[i].born] += (double)plan->buffers[i].size_byte;
        plan->live_byte[plan->buffers[i].dies + 1] -= (double)plan->buffers[i].size_byte;
        sum += (double)plan->buffers[i].size_byte;
    }
    for (uint32_t r = 0; r < plan->row_count; r++) {
        live += plan->live_byte[r];
        plan->live_byte[r] = live;
        if (live > plan->live_byte[plan->peak_row]) plan->peak_row = r;
    }
    plan->reuse = plan->block_byte ? sum / (double)plan->block_byte : 1;
    return RG_OK;
}

rg_err rg_plan_memory(rg_ctx *cx, rg_plan *plan)
{
    life *lives = NULL;
    uint32_t *leaves = NULL;
    RG_TRY(lifetimes(cx, plan, &lives, &leaves));
    RG_TRY(make_buffers(cx, plan, lives, leaves));
    RG_TRY(place_all(cx, plan));
    RG_TRY(timeline(plan, cx));
    double largest = 0;
    for (uint32_t i = 0; i < plan->row_count; i++) {
        double bytes = plan->rows[i].work.in_byte + plan->rows[i].work.out_byte;
        if (rg_row_is_product(&plan->rows[i]) && bytes > largest) largest = bytes;
    }
    plan->weight_byte = plan->facts->weight_byte;
    plan->workspace_byte = largest * plan->runtime->workspace_fraction;
    plan->overhead_byte = plan->runtime->memory_overhead_byte;
    plan->peak_byte = plan->weight_byte + (double)plan->block_byte + plan->workspace_byte + plan->overhead_byte;
    return RG_OK;
}
