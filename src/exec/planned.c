/* planned.c - the runner of a plan: rows in the plan's order, values at the plan's offsets.
 *
 *     block   | activations, at the offsets of map/memory.c | what stays inside the row that runs |
 *
 * All that can be decided before the first inference is: types, places, constants decoded or pointed to in
 * the model's file, rows of constants computed, weights packed. A run then calls one kernel after the other.
 * What of a row no fast kernel takes runs on the plain ones of its nodes, on one of the workers.
 */
#include "exec/fast.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ALIGN_BYTE = 64 }; /* as the plan's offsets */

/* One node, or the beginning of a row, ready to be called. */
typedef struct call {
    rg_run run;
    const rg_op *op;
    const rg_fast *fast;         /* instead of op, but where it does not allow a run's inputs; or NULL */
    void *state;
    uint32_t row;
} call;

struct rg_planned {
    rg_arena arena;
    const rg_plan *plan;
    rg_graph *g;                 /* every size a number */
    char *block;
    rg_datum *slots;             /* by value: where it lies; count -1: not used */
    const rg_datum **constants;  /* by value: what this runner made itself */
    call *calls; size_t call_count;
    rg_arena scratch, making;
    uint64_t seed, random;
    bool plain;                  /* no fast kernels */
    bool *blocked;               /* by value: in the blocked layout, see fast.h */
    rg_weights *weights; size_t weight_next;
    char *room; size_t room_byte; /* for one kernel at a time */
    rg_team *team;
    double *row_s;               /* by row: seconds are added; NULL: nobody wants to know */
    rg_ctx *cx;                  /* of the run that is going on */
    rg_err err;                  /* of the first worker, */
    size_t failed_at;            /* the call that it is of: atomic, nobody goes on behind it */
};

/* ---- what can run ---- */

static rg_err check_value(rg_ctx *cx, const rg_graph *g, rg_value_id id)
{
    const rg_type *t = &g->values[id].type;
    bool settled =
        t->kind == RG_KIND_TENSOR && t->rank >= 0 && t->dtype != RG_DTYPE_NONE && t->dtype != RG_STR;
    for (int k = 0; settled && k < t->rank; k++) settled = rg_dim_is_number(t->dim[k]);
    if (settled && t->stored)
        return rg_fail(cx, RG_UNSUPPORTED, "%s is stored as %s and computed as %s: no kernel here does that",
                       rg_value_label(cx, g, id), rg_dtype_name(t->stored), rg_dtype_name(t->dtype));
    if (settled) return RG_OK;
    return rg_fail(cx, RG_UNSUPPORTED, "%s is no tensor of numbers whose size is known before the run",
                   rg_value_label(cx, g, id));
}

static rg_err check_node(rg_ctx *cx, const rg_graph *g, rg_node_id id)
{
    const rg_node *node = &g->nodes[id];
    if (node->op->traits & RG_HAS_REGIONS)
        return rg_fail(cx, RG_UNSUPPORTED, "%s decides at run time what runs", rg_node_label(cx, g, id));
    bool view = node->op->traits & RG_VIEW;
    if (!node->op->run && !view)
        return rg_fail(cx, RG_UNSUPPORTED, "%s: there is no kernel for %s", rg_node_label(cx, g, id),
                       node->op->name);
    for (uint32_t i = 0; i < node->in_count; i++)
        if (node->in[i] && g->values[node->in[i]].role != RG_ROLE_CONST)
            RG_TRY(check_value(cx, g, node->in[i]));
    for (uint32_t i = 0; i < node->out_count; i++)
        if (node->out[i]) RG_TRY(check_value(cx, g, node->out[i]));
    return RG_OK;
}

/* ---- places ---- */

static rg_array array_of(const rg_type *t, void *data)
{
    rg_array a = {.dtype = t->dtype, .rank = t->rank, .count = 1, .data = data};
    for (int k = 0; k < t->rank; k++) a.dim[k] = t->dim[k], a.count *= t->dim[k];
    return a;
}

/* In the file where it lies as the kernels read it, else decoded. */
static rg_err place_constant(rg_ctx *cx, rg_planned *p, rg_value_id id)
{
    const rg_value *v = &p->plan->graph->values[id];
    const rg_tensor *t = v->data;
    rg_datum *datum, *slot = &p->slots[id];
    if (!t) return rg_fail(cx, RG_INPUT, "%s has no data", rg_value_label(cx, p->g, id));
    bool as_is = t->encoding == RG_DATA_RAW && (uintptr_t)t->data % sizeof(double) == 0 &&
                 (double)t->size >= rg_dtype_bytes(t->dtype, (double)t->count) && v->type.dtype == t->dtype;
    if (as_is) {
        rg_type type = rg_type_tensor(t->dtype, t->rank, t->dim);
        *slot = (rg_datum){
            .kind = RG_KIND_TENSOR, .array = array_of(&type, (void *)(uintptr_t)t->data), .refs = 1};
        return RG_OK;
    }
    rg_err err = rg_datum_of(cx, t, &datum);
    if (err) return rg_note(cx, err, "%s", rg_value_label(cx, p->g, id));
    p->constants[id] = datum;
    *slot = *datum;
    return RG_OK;
}

static size_t size_of(const rg_type *t)
{
    double count = 1;
    for (int k = 0; k < t->rank; k++) count *= (double)t->dim[k];
    return ((size_t)rg_dtype_bytes(t->dtype, count) + ALIGN_BYTE - 1) / ALIGN_BYTE * ALIGN_BYTE;
}

/* A value that stays inside its row lies behind the block, from where the row's others end. `inner` is where
 * the next one goes. */
static void place_result(rg_planned *p, rg_value_id id, size_t *inner)
{
    const rg_type *t = &p->g->values[id].type;
    uint64_t offset = p->plan->offset_of[id];
    if (p->slots[id].refs) return;
    if (offset == RG_NOWHERE) {
        offset = p->plan->block_byte + *inner;
        *inner += size_of(t);
    }
    p->slots[id] = (rg_datum){.kind = RG_KIND_TENSOR, .array = array_of(t, p->block + offset), .refs = 1};
}

/* Bytes that the values inside the hungriest row take together. */
static size_t inner_byte(const rg_plan *plan, const rg_graph *g)
{
    size_t most = 0;
    for (uint32_t r = 0; r < plan->row_count; r++) {
        size_t sum = 0;
        for (uint32_t k = 0; k < plan->rows[r].step_count; k++) {
            const rg_node *node = &g->nodes[plan->facts->steps[plan->rows[r].steps[k]].node];
            for (uint32_t i = 0; i < node->out_count; i++)
                if (node->out[i] && plan->offset_of[node->out[i]] == RG_NOWHERE)
                    sum += size_of(&g->values[node->out[i]].type);
        }
        if (sum > most) most = sum;
    }
    return most;
}

/* ---- calls ---- */

static void make_view(rg_planned *p, const rg_node *node)
{
    rg_datum *from = &p->slots[node->in[0]], *to = &p->slots[node->out[0]];
    *to = (rg_datum){.kind = RG_KIND_TENSOR,
                     .array = array_of(&p->g->values[node->out[0]].type, from->array.data),
                     .refs = 1};
}

static bool is_mere_view(const rg_node *n) { return (n->op->traits & RG_VIEW) && !n->op->run; }

static rg_err fill_run(rg_ctx *cx, rg_planned *p, rg_node_id id, rg_run *run)
{
    const rg_node *node = &p->g->nodes[id];
    const rg_datum **in = RG_NEW(&p->arena, const rg_datum *, node->in_count);
    rg_datum **out = RG_NEW(&p->arena, rg_datum *, node->out_count);
    if (!in || !out) return rg_nomem(cx);
    for (uint32_t i = 0; i < node->in_count; i++)
        if (node->in[i]) in[i] = &p->slots[node->in[i]];
    for (uint32_t i = 0; i < node->out_count; i++)
        if (node->out[i]) out[i] = &p->slots[node->out[i]];
    *run = (rg_run){.site = {cx, p->g, id, node},
                    .in = in,
                    .out = out,
                    .scratch = &p->scratch,
                    .random = &p->random,
                    .runner = p};
    return RG_OK;
}

/* A row of constants alone is computed here and now; what it gives stays in memory of its own. */
static rg_err compute_folded(rg_ctx *cx, rg_planned *p, rg_node_id id)
{
    const rg_node *node = &p->g->nodes[id];
    rg_run run;
    for (uint32_t i = 0; i < node->out_count; i++) {
        const rg_type *t = &p->g->values[node->out[i]].type;
        rg_datum *datum;
        if (!node->out[i]) continue;
        RG_TRY(rg_datum_tensor(cx, t->dtype, t->rank, t->dim, &datum));
        p->constants[node->out[i]] = datum;
        p->slots[node->out[i]] = *datum;
    }
    RG_TRY(fill_run(cx, p, id, &run));
    rg_err err = node->op->run(&run);
    rg_arena_reset(&p->scratch);
    return err;
}

static rg_err place_constants(rg_ctx *cx, rg_planned *p, const rg_node *node)
{
    for (uint32_t i = 0; i < node->in_count; i++) {
        rg_value_id v = node->in[i];
        if (v && !p->slots[v].refs && p->g->values[v].role == RG_ROLE_CONST) RG_TRY(place_constant(cx, p, v));
    }
    return RG_OK;
}

/* Everything that the row reads or writes has its place, so that a fast kernel can look at it. */
static rg_err place_row(rg_ctx *cx, rg_planned *p, const rg_row *row)
{
    size_t inner = 0;
    for (uint32_t k = 0; k < row->step_count; k++) {
        rg_node_id id = p->plan->facts->steps[row->steps[k]].node;
        const rg_node *node = &p->g->nodes[id];
        RG_TRY(place_constants(cx, p, node));
        if (is_mere_view(node)) make_view(p, node);
        else if (row->folded) RG_TRY(compute_folded(cx, p, id));
        for (uint32_t i = 0; i < node->out_count; i++)
            if (node->out[i]) place_result(p, node->out[i], &inner);
    }
    return RG_OK;
}

static rg_fast_row row_of(rg_ctx *cx, rg_planned *p)
{
    return (rg_fast_row){.cx = cx, .plan = p->plan, .g = p->g, .slots = p->slots, .constants = p->constants,
                         .blocked = p->blocked,
                         .workers = rg_team_size(p->team), .arena = &p->arena, .making = &p->making,
                         .weights = p->weights,
                         .weight_next = &p->weight_next, .room = &p->room, .room_byte = &p->room_byte};
}

char *const *rg_fast_room(const rg_fast_row *r, size_t byte)
{
    if (byte > *r->room_byte) *r->room_byte = byte;
    return r->room;
}

static rg_err choose_layouts(rg_ctx *cx, rg_planned *p)
{
    p->blocked = RG_NEW(&p->arena, bool, p->g->value_count);
    if (!p->blocked) return rg_nomem(cx);
    rg_fast_row r = row_of(cx, p);
    return p->plain ? RG_OK : rg_layout_find(&r, p->blocked);
}

static rg_err add_node(rg_ctx *cx, rg_planned *p, uint32_t row, rg_node_id id)
{
    const rg_node *node = &p->g->nodes[id];
    if (is_mere_view(node)) return RG_OK;
    call *c = &p->calls[p->call_count++];
    *c = (call){.op = node->op, .row = row};
    return fill_run(cx, p, id, &c->run);
}

/* The first fast kernel that takes the row from its k-th step on; *covered steps are its. A chain is looked
 * for behind a product alone, what else is left of a row goes node by node. */
static rg_err add_fast(rg_ctx *cx, rg_planned *p, uint32_t index, uint32_t k, uint32_t *covered)
{
    const rg_row *row = &p->plan->rows[index];
    rg_node_id id = p->plan->facts->steps[row->steps[k]].node;
    const rg_node *node = &p->g->nodes[id];
    rg_fast_row r = row_of(cx, p);
    r.row = row;
    r.site = (rg_site){cx, p->g, id, node};
    r.chain = (rg_chain){.covered = 1, .out = node->out[0]};
    *covered = 0;
    if (p->plain || node->op->traits & RG_VIEW) return RG_OK;
    bool chained = rg_row_is_product(row) && row->family != RG_FAMILY_ATTENTION;
    if (k == 0 && row->anchor == row->steps[0] && chained) RG_TRY(rg_chain_find(&r));
    for (int i = 0; i < rg_fast_count; i++) {
        void *state;
        RG_TRY(rg_fast_table[i]->make(&r, &state));
        if (!state) continue;
        call *c = &p->calls[p->call_count++];
        *c = (call){.op = node->op, .fast = rg_fast_table[i], .state = state, .row = index};
        *covered = r.chain.covered;
        return c->fast->allows ? fill_run(cx, p, id, &c->run) : RG_OK;
    }
    return RG_OK;
}

static rg_err add_rows(rg_ctx *cx, rg_planned *p)
{
    const rg_plan *plan = p->plan;
    for (uint32_t r = 0; r < plan->row_count; r++) {
        const rg_row *row = &plan->rows[r];
        for (uint32_t k = 0, covered; !row->folded && k < row->step_count; k += covered) {
            RG_TRY(add_fast(cx, p, r, k, &covered));
            rg_arena_reset(&p->making);
            if (covered) continue;
            RG_TRY(add_node(cx, p, r, plan->facts->steps[row->steps[k]].node));
            covered = 1;
        }
    }
    return RG_OK;
}

/* An input that no row reads has a place, too. */
static rg_err place_inputs(rg_ctx *cx, rg_planned *p)
{
    const rg_region *model = &p->g->regions[RG_MAIN];
    for (uint32_t i = 0; i < model->input_count; i++) {
        rg_value_id v = model->inputs[i];
        RG_TRY(check_value(cx, p->g, v));
        const rg_type *t = &p->g->values[v].type;
        uint64_t offset = p->plan->offset_of[v];
        void *data = offset == RG_NOWHERE ? rg_arena_alloc(&p->arena, size_of(t)) : p->block + offset;
        if (!data) return rg_nomem(cx);
        p->slots[v] = (rg_datum){.kind = RG_KIND_TENSOR, .array = array_of(t, data), .refs = 1};
    }
    return RG_OK;
}

/* How often any node reads v; as a result of the model, too. */
static int count_readers(const rg_graph *g, rg_value_id v)
{
    const rg_region *model = &g->regions[RG_MAIN];
    int count = 0;
    for (uint32_t k = 0; k < model->order_count; k++)
        for (uint32_t i = 0; i < g->nodes[model->order[k]].in_count; i++)
            count += g->nodes[model->order[k]].in[i] == v;
    for (uint32_t i = 0; i < model->output_count; i++) count += model->outputs[i] == v;
    return count;
}

/* A cache of keys or values that the model is given is written to where it lies, so that the whole of it need
 * not be copied for a few new lines. As input and result live longer than any row, they have a place of their
 * own, behind which what the plan has for them is never touched. */
static rg_err place_cache(rg_ctx *cx, rg_planned *p, const rg_node *n)
{
    rg_value_id in = n->in[0], out = n->out[0];
    if (!rg_node_is(n, "TensorScatter") || !in || !out || p->g->values[in].role != RG_ROLE_INPUT ||
        count_readers(p->g, in) > 1)
        return RG_OK;
    const rg_type *t = &p->g->values[in].type;
    void *data = rg_arena_alloc(&p->arena, size_of(t) + ALIGN_BYTE);
    if (!data) return rg_nomem(cx);
    data = (char *)data + (ALIGN_BYTE - (uintptr_t)data % ALIGN_BYTE) % ALIGN_BYTE;
    p->slots[in] = p->slots[out] =
        (rg_datum){.kind = RG_KIND_TENSOR, .array = array_of(t, data), .refs = 1};
    return RG_OK;
}

static rg_err place_caches(rg_ctx *cx, rg_planned *p)
{
    const rg_region *model = &p->g->regions[RG_MAIN];
    for (uint32_t k = 0; k < model->order_count; k++)
        RG_TRY(place_cache(cx, p, &p->g->nodes[model->order[k]]));
    return RG_OK;
}

/* ---- the whole ---- */

static rg_err make_block(rg_ctx *cx, size_t size, char **out)
{
    *out = aligned_alloc(ALIGN_BYTE, (size + ALIGN_BYTE - 1) / ALIGN_BYTE * ALIGN_BYTE);
    if (!*out) return rg_fail(cx, RG_NOMEM, "no memory for %zu bytes of activations", size);
    rg_large_pages(*out, size);
    return RG_OK;
}

/* Before anything is placed: sizes that are not known have no place. */
static rg_err check_all(rg_ctx *cx, const rg_planned *p)
{
    const rg_region *model = &p->g->regions[RG_MAIN];
    if (p->plan->pipeline_count > 1)
        return rg_fail(cx, RG_UNSUPPORTED, "%u pipeline stages run on as many devices, and this is one",
                       p->plan->pipeline_count);
    for (uint32_t i = 0; i < model->order_count; i++) RG_TRY(check_node(cx, p->g, model->order[i]));
    return RG_OK;
}

static rg_err make(rg_ctx *cx, rg_planned *p)
{
    const rg_plan *plan = p->plan;
    uint32_t values = plan->graph->value_count;
    RG_TRY(rg_graph_clone(cx, plan->graph, &p->g));
    RG_TRY(check_all(cx, p));
    p->slots = RG_NEW(&p->arena, rg_datum, values);
    p->constants = RG_NEW(&p->arena, const rg_datum *, values);
    p->calls = RG_NEW(&p->arena, call, plan->facts->step_count + 1);
    if (!p->slots || !p->constants || !p->calls) return rg_nomem(cx);
    size_t size = (size_t)plan->block_byte + inner_byte(plan, p->g) + ALIGN_BYTE;
    RG_TRY(make_block(cx, size, &p->block));
    RG_TRY(place_inputs(cx, p));
    RG_TRY(place_caches(cx, p));
    for (uint32_t r = 0; r < plan->row_count; r++) RG_TRY(place_row(cx, p, &plan->rows[r]));
    RG_TRY(choose_layouts(cx, p));
    RG_TRY(add_rows(cx, p));
    RG_TRY(make_block(cx, p->room_byte + ALIGN_BYTE, &p->room));
    const rg_region *model = &p->g->regions[RG_MAIN];
    for (uint32_t i = 0; i < model->output_count; i++) /* a constant may be one */
        if (!p->slots[model->outputs[i]].refs) RG_TRY(place_constant(cx, p, model->outputs[i]));
    return RG_OK;
}

rg_err rg_planned_new(rg_ctx *cx, const rg_plan *plan, const rg_planned_opt *opt, rg_planned **out)
{
    *out = NULL;
    rg_planned *p = RG_NEW_OWN(cx, rg_planned);
    if (!p) return rg_nomem(cx);
    rg_arena_init(&p->scratch, cx);
    rg_arena_init(&p->making, cx);
    p->plan = rg_plan_ref(plan);
    p->plain = opt && opt->plain;
    p->seed = opt ? opt->seed : 0;
    if (opt && opt->share) p->weights = rg_weights_ref(opt->share->weights);
    rg_err err = opt && opt->share && opt->share->plan != plan
                     ? rg_fail(cx, RG_INTERNAL, "runners share weights of different plans")
                     : RG_OK;
    if (!err && !p->weights) err = rg_weights_new(cx, &p->weights);
    if (!err) err = rg_team_new(cx, opt && opt->threads ? opt->threads : 1, opt && opt->pin, &p->team);
    if (!err) err = make(cx, p);
    rg_arena_done(&p->making);
    if (err) rg_planned_free(p);
    else *out = p;
    return err;
}

rg_array *rg_planned_input(rg_planned *p, uint32_t i)
{
    return &p->slots[p->g->regions[RG_MAIN].inputs[i]].array;
}

const rg_array *rg_planned_output(const rg_planned *p, uint32_t i)
{
    return &p->slots[p->g->regions[RG_MAIN].outputs[i]].array;
}

void rg_planned_time(rg_planned *p, double *row_s) { p->row_s = row_s; }

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static rg_err run_plain(rg_planned *p, call *c)
{
    c->run.site.cx = p->cx;
    RG_TRY(c->op->run(&c->run));
    if (p->scratch.failed) return rg_nomem(p->cx);
    rg_arena_reset(&p->scratch);
    return RG_OK;
}

/* This time: see rg_fast. */
static bool is_fast(const call *c) { return c->fast && (!c->fast->allows || c->fast->allows(c->state)); }

static void forward(void *user, rg_part part)
{
    rg_planned *p = user;
    bool timed = p->row_s && part.worker == 0;
    for (size_t i = 0; i < p->call_count; i++) {
        call *c = &p->calls[i];
        double begun = timed ? now_s() : 0;
        if (is_fast(c)) c->fast->run(c->state, part);
        else if (part.worker == 0 && (p->err = run_plain(p, c)))
            __atomic_store_n(&p->failed_at, i, __ATOMIC_RELAXED);
        rg_team_barrier(part);
        if (timed) p->row_s[c->row] += now_s() - begun;
        if (__atomic_load_n(&p->failed_at, __ATOMIC_RELAXED) <= i) return;
    }
}

rg_err rg_planned_run(rg_ctx *cx, rg_planned *p)
{
    p->cx = cx;
    p->err = RG_OK;
    p->failed_at = SIZE_MAX;
    p->random = p->seed;
    rg_team_run(p->team, forward, p);
    return p->err;
}

void rg_planned_free(rg_planned *p)
{
    if (!p) return;
    rg_team_free(p->team);
    for (uint32_t i = 0; p->constants && i < p->plan->graph->value_count; i++) rg_datum_free(p->constants[i]);
    free(p->block);
    free(p->room);
    rg_weights_free(p->weights);
    rg_graph_free(p->g);
    rg_plan_free(p->plan);
    rg_arena_done(&p->scratch);
    rg_arena arena = p->arena; /* the runner itself lies in it */
    rg_arena_done(&arena);
}
