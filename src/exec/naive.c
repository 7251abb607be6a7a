/* naive.c - the runner that everything else is compared with: node by node, the plain kernel of each, every
 * intermediate a value of its own that is dropped behind its last reader.
 *
 * The types in the graph are presets and symbols; those of a run are facts. So each node is inferred again
 * with the values that it gets, which all stand as constants in a private copy of the graph: then shape
 * inference knows everything, and a kernel finds its outputs made. Bodies of If, Loop and Scan run through
 * their operator's kernel, which calls back here.
 */
#include "exec/exec.h"

#include <string.h>

enum { POISON = 0x7b }; /* a large number in every type: 1.3e36 as f32, which no tolerance takes for zero */

struct rg_naive {
    rg_arena arena;
    const rg_graph *graph;           /* as it was given */
    rg_graph *g;                     /* the copy: values of a run are its constants */
    const rg_datum **constants;      /* by value */
    rg_tensor *shown;                /* by value: what inference sees of a datum */
    const rg_datum **live;           /* by value, in a run */
    uint32_t *last_use;              /* by value: place of its last reader in the order of its own region */
    uint64_t random;
    rg_naive_opt opt;
};

/* ---- who reads a value last ---- */

/* The node of `region` inside which, at whatever depth, node `id` stands; 0 for none. */
static rg_node_id standing_in(const rg_graph *g, rg_node_id id, rg_region_id region)
{
    while (id && g->nodes[id].region != region) id = g->regions[g->nodes[id].region].owner;
    return id;
}

static void note_use(rg_naive *n, const uint32_t *place, rg_value_id value, rg_node_id reader)
{
    rg_node_id at = value ? standing_in(n->g, reader, n->g->values[value].region) : 0;
    if (at && place[at] > n->last_use[value]) n->last_use[value] = place[at];
}

static rg_err find_last_uses(rg_ctx *cx, rg_naive *n)
{
    const rg_graph *g = n->g;
    uint32_t *place = RG_NEW(&cx->arena, uint32_t, g->node_count);
    n->last_use = RG_NEW(&n->arena, uint32_t, g->value_count);
    if (!place || !n->last_use) return rg_nomem(cx);
    for (uint32_t r = 1; r < g->region_count; r++)
        for (uint32_t i = 0; i < g->regions[r].order_count; i++) place[g->regions[r].order[i]] = i + 1;
    for (uint32_t r = 1; r < g->region_count; r++) {
        const rg_region *region = &g->regions[r];
        for (uint32_t i = 0; i < region->order_count; i++) {
            const rg_node *node = &g->nodes[region->order[i]];
            for (uint32_t k = 0; k < node->in_count; k++) note_use(n, place, node->in[k], region->order[i]);
        }
        for (uint32_t i = 0; i < region->output_count; i++) {
            rg_value_id v = region->outputs[i];
            if (g->values[v].region == r) n->last_use[v] = UINT32_MAX; /* kept to the end */
            else note_use(n, place, v, region->owner);
        }
    }
    return RG_OK;
}

/* ---- values ---- */

/* Inference sees the datum as a constant. */
static void show(rg_naive *n, rg_value_id id, const rg_datum *datum)
{
    rg_value *v = &n->g->values[id];
    v->known = NULL;
    v->known_count = 0;
    v->data = NULL;
    v->role = RG_ROLE_CONST;
    v->type = datum->type;
    if (datum->kind != RG_KIND_TENSOR) return;
    const rg_array *a = &datum->array;
    v->type = rg_type_tensor(a->dtype, a->rank, a->dim);
    n->shown[id] = (rg_tensor){
        .dtype = a->dtype, .rank = a->rank, .dim = a->dim, .count = a->count,
        .encoding = a->dtype == RG_STR ? RG_DATA_STRING : RG_DATA_RAW, .data = a->data,
        .size = (size_t)rg_dtype_bytes(a->dtype, (double)a->count),
    };
    v->data = &n->shown[id];
}

static void keep(rg_naive *n, rg_value_id id, const rg_datum *datum) /* takes the reference over */
{
    rg_datum_free(n->live[id]);
    n->live[id] = datum;
    show(n, id, datum);
    if (n->opt.watch) n->opt.watch(n->opt.user, n->g, id, datum);
}

/* The value is again what the file says of it: the next run may find it elsewhere, or its default. */
static void drop(rg_naive *n, rg_value_id id)
{
    if (!n->live[id]) return;
    rg_datum_free(n->live[id]);
    n->live[id] = NULL;
    n->g->values[id] = n->graph->values[id];
    if (n->constants[id]) show(n, id, n->constants[id]);
}

static rg_err make_constant(rg_ctx *cx, rg_naive *n, rg_value_id id)
{
    rg_datum *datum;
    rg_err err = rg_datum_of(cx, n->graph->values[id].data, &datum);
    if (err) return rg_note(cx, err, "%s", rg_value_label(cx, n->graph, id));
    n->constants[id] = datum;
    return RG_OK;
}

/* What a node reads. Constants are decoded when somebody asks for them first, then kept. */
static rg_err value_of(rg_ctx *cx, rg_naive *n, rg_value_id id, const rg_datum **out)
{
    *out = NULL;
    if (!id) return RG_OK;
    *out = n->live[id] ? n->live[id] : n->constants[id];
    if (*out) return RG_OK;
    if (!n->graph->values[id].data)
        return rg_fail(cx, RG_INPUT, "%s has no value", rg_value_label(cx, n->graph, id));
    RG_TRY(make_constant(cx, n, id));
    *out = n->constants[id];
    show(n, id, *out);
    return RG_OK;
}

/* ---- one node ---- */

/* What inference and kernel allocate for a node dies with it: a loop may run it a million times. Meanwhile
 * the context's arena is the node's scratch, and the graph's takes what inference finds out, over a table of
 * symbols that begins empty: in a run every size is a number, or is not known. */
typedef struct lent { rg_arena scratch, arena; rg_dims dims; } lent;

static lent lend(rg_ctx *cx, rg_naive *n)
{
    lent kept = {cx->arena, n->g->arena, n->g->dims};
    rg_arena_init(&cx->arena, cx);
    rg_arena_init(&n->g->arena, cx);
    n->g->dims = (rg_dims){.arena = &n->g->arena};
    return kept;
}

static void give_back(rg_ctx *cx, rg_naive *n, const lent *kept)
{
    rg_arena_done(&cx->arena);
    rg_arena_done(&n->g->arena);
    cx->arena = kept->scratch;
    n->g->arena = kept->arena;
    n->g->dims = kept->dims;
}

/* Outputs whose types inference has found; the others are the kernel's to make. */
static rg_err make_outputs(rg_ctx *cx, const rg_naive *n, const rg_node *node, rg_datum **out)
{
    for (uint32_t i = 0; i < node->out_count; i++) {
        const rg_type *t = &n->g->values[node->out[i]].type;
        bool known = node->out[i] && t->kind == RG_KIND_TENSOR && t->rank >= 0 && t->dtype != RG_DTYPE_NONE;
        for (int k = 0; known && k < t->rank; k++) known = rg_dim_is_number(t->dim[k]);
        if (!known) continue;
        RG_TRY(rg_datum_tensor(cx, t->dtype, t->rank, t->dim, &out[i]));
        if (n->opt.poison && t->dtype != RG_STR)
            memset(out[i]->array.data, POISON, (size_t)rg_dtype_bytes(t->dtype, (double)out[i]->array.count));
    }
    return RG_OK;
}

/* What the file says of the outputs does not count: the values at hand do, and in a body they say other
 * things on every trip. */
static rg_err infer(rg_ctx *cx, rg_naive *n, rg_node_id id)
{
    const rg_node *node = &n->g->nodes[id];
    for (uint32_t i = 0; i < node->out_count; i++) {
        rg_value *v = &n->g->values[node->out[i]];
        if (!node->out[i]) continue;
        v->type = (rg_type){.kind = RG_KIND_UNKNOWN, .rank = -1};
        v->role = RG_ROLE_NODE;
        v->data = NULL;
    }
    return rg_node_infer(cx, n->g, id);
}

static rg_err run_body(const rg_run *r, rg_region_id region, const rg_datum *const *in, const rg_datum **out);

/* The same elements in another shape: Reshape and its like need no kernel. */
static rg_err run_view(rg_ctx *cx, const rg_run *r, rg_datum **out)
{
    const rg_type *t = &r->site.g->values[r->site.node->out[0]].type;
    if (r->in[0]->kind != RG_KIND_TENSOR) {
        *out = (rg_datum *)(uintptr_t)rg_datum_ref(r->in[0]);
        return RG_OK;
    }
    return rg_datum_view(cx, r->in[0], t->rank, t->dim, out);
}

static rg_err call(rg_ctx *cx, rg_naive *n, rg_run *r)
{
    const rg_node *node = r->site.node;
    const rg_op *op = node->op;
    bool has_bodies =
        op->traits & RG_HAS_REGIONS; /* their kernels run the bodies and so find out themselves */
    if (!has_bodies) RG_TRY(infer(cx, n, r->site.id));
    if (!op->run && (op->traits & RG_VIEW) && node->in_count && r->in[0]) return run_view(cx, r, &r->out[0]);
    if (!op->run)
        return rg_fail(cx, RG_UNSUPPORTED, "%s: there is no kernel for %s",
                       rg_node_label(cx, n->g, r->site.id), op->name);
    if (!has_bodies) RG_TRY(make_outputs(cx, n, node, r->out));
    RG_TRY(op->run(r));
    for (uint32_t i = 0; i < node->out_count; i++) {
        if (node->out[i] && !r->out[i])
            return rg_fail(cx, RG_INTERNAL, "%s: its kernel left output %u unmade",
                           rg_node_label(cx, n->g, r->site.id), i);
        if (r->out[i]) RG_TRY(rg_datum_own_strings(cx, r->out[i]));
    }
    return RG_OK;
}

static rg_err run_node(rg_ctx *cx, rg_naive *n, rg_node_id id)
{
    const rg_node *node = &n->g->nodes[id];
    lent kept = lend(cx, n);
    const rg_datum **in = RG_NEW(&cx->arena, const rg_datum *, node->in_count);
    rg_datum **out = RG_NEW(&cx->arena, rg_datum *, node->out_count);
    rg_err err = in && out ? RG_OK : rg_nomem(cx);
    for (uint32_t i = 0; i < node->in_count && !err; i++) err = value_of(cx, n, node->in[i], &in[i]);
    rg_run r = {
        .site = {cx, n->g, id, node}, .in = in, .out = out, .scratch = &cx->arena, .random = &n->random,
        .training = n->opt.training, .body = run_body, .runner = n,
    };
    if (!err && !node->op) err = rg_node_infer(cx, n->g, id); /* says that the operator is not known */
    else if (!err) err = call(cx, n, &r);
    if (!err && (cx->arena.failed || n->g->arena.failed)) err = rg_nomem(cx);
    for (uint32_t i = 0; out && i < node->out_count; i++) {
        if (!err && node->out[i]) keep(n, node->out[i], out[i]);
        else rg_datum_free(out[i]);
    }
    give_back(cx, n, &kept);
    return err;
}

/* ---- a region ---- */

static void drop_read(rg_naive *n, rg_region_id region, const rg_node *node, uint32_t place)
{
    for (uint32_t i = 0; i < node->in_count; i++) {
        rg_value_id v = node->in[i];
        if (v && n->g->values[v].region == region && n->last_use[v] == place) drop(n, v);
    }
    for (uint32_t i = 0; i < node->out_count; i++) /* nobody reads it */
        if (node->out[i] && !n->last_use[node->out[i]]) drop(n, node->out[i]);
}

static rg_err run_region(rg_ctx *cx, rg_naive *n, rg_region_id id, const rg_datum *const *in,
                         const rg_datum **out)
{
    const rg_region *region = &n->g->regions[id];
    rg_err err = RG_OK;
    for (uint32_t i = 0; i < region->input_count; i++)
        if (in[i]) keep(n, region->inputs[i], rg_datum_ref(in[i]));
    for (uint32_t i = 0; i < region->order_count && !err; i++) {
        const rg_node *node = &n->g->nodes[region->order[i]];
        if (node->dead) continue;
        err = run_node(cx, n, region->order[i]);
        if (!err) drop_read(n, id, node, i + 1);
    }
    for (uint32_t i = 0; i < region->output_count; i++) {
        out[i] = NULL;
        if (!err) err = value_of(cx, n, region->outputs[i], &out[i]);
        out[i] = err ? NULL : rg_datum_ref(out[i]);
    }
    for (uint32_t i = 0; i < region->output_count && err; i++) {
        rg_datum_free(out[i]);
        out[i] = NULL;
    }
    return err;
}

/* What the body defined is gone after it; its results are held by `out`. A body may run inside itself never:
 * regions do not call each other. */
static void clear_region(rg_naive *n, rg_region_id id)
{
    const rg_region *region = &n->g->regions[id];
    for (uint32_t i = 0; i < region->input_count; i++) drop(n, region->inputs[i]);
    for (uint32_t i = 0; i < region->order_count; i++) {
        const rg_node *node = &n->g->nodes[region->order[i]];
        for (uint32_t k = 0; k < node->out_count; k++) drop(n, node->out[k]);
    }
}

static rg_err run_body(const rg_run *r, rg_region_id region, const rg_datum *const *in, const rg_datum **out)
{
    rg_naive *n = r->runner;
    rg_err err = run_region(r->site.cx, n, region, in, out);
    clear_region(n, region);
    return err;
}

/* ---- the whole ---- */

rg_err rg_naive_new(rg_ctx *cx, const rg_graph *graph, const rg_naive_opt *opt, rg_naive **out)
{
    *out = NULL;
    rg_naive *n = RG_NEW_OWN(cx, rg_naive);
    if (!n) return rg_nomem(cx);
    n->graph = rg_graph_ref(graph);
    if (opt) n->opt = *opt;
    n->constants = RG_NEW(&n->arena, const rg_datum *, graph->value_count);
    n->live = RG_NEW(&n->arena, const rg_datum *, graph->value_count);
    n->shown = RG_NEW(&n->arena, rg_tensor, graph->value_count);
    rg_err err = n->constants && n->live && n->shown ? rg_graph_clone(cx, graph, &n->g) : rg_nomem(cx);
    if (!err) err = find_last_uses(cx, n);
    if (err) rg_naive_free(n);
    else *out = n;
    return err;
}

rg_err rg_naive_run(rg_ctx *cx, rg_naive *n, const rg_datum *const *in, const rg_datum **out)
{
    n->random = n->opt.seed;
    rg_err err = run_region(cx, n, RG_MAIN, in, out);
    clear_region(n, RG_MAIN);
    return err;
}

void rg_naive_free(rg_naive *n)
{
    if (!n) return;
    for (uint32_t i = 0; i < n->graph->value_count; i++) {
        if (n->live) rg_datum_free(n->live[i]);
        if (n->constants) rg_datum_free(n->constants[i]);
    }
    rg_graph_free(n->g);
    rg_graph_free(n->graph);
    rg_arena arena = n->arena; /* the runner itself lies in it */
    rg_arena_done(&arena);
}
