/* graph.c - making graphs, copying them, adding to them, and asking who uses what.
 *
 * Tables grow by doubling inside an arena of their own; ids stay, addresses do not. A clone copies the tables
 * and the lists of ids, which editing touches, and borrows strings, attributes and constants from its base.
 * Whoever loads a model clones it and drops what was read: its tables go at once, only what is shared stays.
 */
#include "ir/ir.h"

#include <assert.h>
#include <string.h>

/* Keeps the old array when there is no memory: a graph that failed to grow is still looked at and freed. */
#define GROW(cx, g, array, count, capacity)                                                        \
    do {                                                                                           \
        void *grown_ = rg_arena_grow(&(g)->tables, (array), (count), &(capacity), sizeof *(array)); \
        if (!grown_) return rg_nomem(cx);                                                          \
        (array) = grown_;                                                                          \
    } while (0)

/* ---- whole graphs ---- */

static rg_graph *allocate(rg_ctx *cx)
{
    rg_graph *g = cx->alloc(cx->user, sizeof *g);
    if (!g) return NULL;
    *g = (rg_graph){0};
    rg_arena_init(&g->arena, cx);
    rg_arena_init(&g->tables, cx);
    g->dims.arena = &g->arena;
    g->refs = g->keeps = 1;
    return g;
}

/* The unused entries 0 and the model's region. */
static rg_err begin_tables(rg_ctx *cx, rg_graph *g)
{
    GROW(cx, g, g->values, 0, g->value_capacity);
    GROW(cx, g, g->nodes, 0, g->node_capacity);
    GROW(cx, g, g->regions, 0, g->region_capacity);
    g->value_count = g->node_count = 1;
    g->region_count = RG_MAIN + 1;
    return RG_OK;
}

rg_err rg_graph_new(rg_ctx *cx, rg_graph **out)
{
    rg_graph *g = allocate(cx);
    rg_err err = g ? begin_tables(cx, g) : rg_nomem(cx);
    *out = err ? NULL : g;
    if (err) rg_graph_free(g);
    return err;
}

/* The array with room for `more` elements behind its `count`; NULL without memory. */
static void *widen(rg_graph *g, void *array, uint32_t count, uint32_t more, uint32_t *capacity, size_t size)
{
    if (more <= *capacity - count) return array;
    void *wide = count <= UINT32_MAX - more ? rg_arena_array(&g->tables, (size_t)count + more, size) : NULL;
    if (!wide) return NULL;
    if (count) memcpy(wide, array, count * size);
    *capacity = count + more;
    return wide;
}

rg_err rg_graph_reserve(rg_ctx *cx, rg_graph *g, uint32_t value_count, uint32_t node_count)
{
    void *wide = widen(g, g->values, g->value_count, value_count, &g->value_capacity, sizeof *g->values);
    if (!wide) return rg_nomem(cx);
    g->values = wide;
    wide = widen(g, g->nodes, g->node_count, node_count, &g->node_capacity, sizeof *g->nodes);
    if (!wide) return rg_nomem(cx);
    g->nodes = wide;
    return RG_OK;
}

/* A copy of the first `count` of an array, never NULL: an empty one may be asked of memory as well. */
static void *copy_of(rg_arena *arena, const void *array, uint32_t count, size_t size)
{
    void *copy = rg_arena_array(arena, count, size);
    if (copy && count) memcpy(copy, array, count * size);
    return copy;
}

#define COPY(g, array, count) ((array) = copy_of(&(g)->tables, (array), (count), sizeof *(array)))

/* Inputs and outputs of a node go to `ids`, one behind the other. */
static void move_ids(rg_node *n, const rg_value_id *in, const rg_value_id *out, rg_value_id *ids)
{
    if (n->in_count) memcpy(ids, in, n->in_count * sizeof *ids);
    if (n->out_count) memcpy(ids + n->in_count, out, n->out_count * sizeof *ids);
    n->in = ids;
    n->out = ids + n->in_count;
}

/* The lists of all nodes, in one piece. */
static bool copy_ids(rg_graph *g)
{
    size_t count = 0;
    for (uint32_t i = 1; i < g->node_count; i++)
        count += (size_t)g->nodes[i].in_count + g->nodes[i].out_count;
    rg_value_id *ids = RG_NEW(&g->tables, rg_value_id, count);
    for (uint32_t i = 1; ids && i < g->node_count; i++) {
        rg_node *n = &g->nodes[i];
        move_ids(n, n->in, n->out, ids);
        ids += n->in_count + n->out_count;
    }
    return ids != NULL;
}

static bool copy_tables(rg_graph *g)
{
    bool ok = COPY(g, g->values, g->value_count) && COPY(g, g->nodes, g->node_count) &&
              COPY(g, g->regions, g->region_count) && COPY(g, g->imports, g->import_count) && copy_ids(g);
    g->value_capacity = g->value_count;
    g->node_capacity = g->node_count;
    g->region_capacity = g->region_count;
    g->import_capacity = g->import_count;
    for (uint32_t i = 1; ok && i < g->region_count; i++) {
        rg_region *r = &g->regions[i];
        ok = COPY(g, r->inputs, r->input_count) && COPY(g, r->outputs, r->output_count) &&
             COPY(g, r->order, r->order_count);
        r->input_capacity = r->input_count;
        r->output_capacity = r->output_count;
        r->order_capacity = r->order_count;
    }
    return ok;
}

/* The clone's `base`: what it borrows from outlives it. */
static const rg_graph *keep(const rg_graph *graph)
{
    __atomic_add_fetch(&((rg_graph *)graph)->keeps, 1, __ATOMIC_RELAXED);
    return graph;
}

rg_err rg_graph_clone(rg_ctx *cx, const rg_graph *from, rg_graph **out)
{
    rg_graph *g = allocate(cx);
    *out = NULL;
    if (!g) return rg_nomem(cx);
    rg_arena arena = g->arena, tables = g->tables;
    memcpy(g, from, offsetof(rg_graph, refs)); /* other threads may be counting there */
    g->arena = arena;
    g->tables = tables;
    g->base = keep(from);
    g->files = NULL;
    g->file_count = g->file_capacity = 0;
    g->names = (rg_map){0};
    g->named_count = 0;
    g->dims.arena = &g->arena;
    if (!copy_tables(g) || !rg_dims_copy(&g->dims, &from->dims)) {
        rg_graph_free(g);
        return rg_nomem(cx);
    }
    *out = g;
    return RG_OK;
}

const rg_graph *rg_graph_ref(const rg_graph *graph)
{
    __atomic_add_fetch(&((rg_graph *)graph)->refs, 1, __ATOMIC_RELAXED);
    return graph;
}

static bool drops_last(uint32_t *count) { return __atomic_sub_fetch(count, 1, __ATOMIC_ACQ_REL) == 0; }

/* All references together are one keep. */
void rg_graph_free(const rg_graph *graph)
{
    rg_graph *g = (rg_graph *)graph;
    if (!g || !drops_last(&g->refs)) return;
    rg_arena_done(&g->tables);
    while (g && drops_last(&g->keeps)) {
        rg_graph *base = (rg_graph *)g->base;
        void (*release)(void *user, void *block) = g->arena.free;
        void *user = g->arena.user;
        for (uint32_t i = 0; g->files && i < g->file_count; i++) rg_file_unref(g->files[i]);
        rg_arena_done(&g->arena);
        release(user, g);
        g = base;
    }
}

/* ---- adding ---- */

rg_err rg_graph_add_value(rg_ctx *cx, rg_graph *g, rg_region_id region, rg_str name, const rg_type *type,
                          rg_role role, rg_value_id *out)
{
    assert(region > 0 && region < g->region_count);
    if (g->value_count >= RG_VALUE_MAX) return rg_fail(cx, RG_LIMIT, "more than %d values", RG_VALUE_MAX);
    GROW(cx, g, g->values, g->value_count, g->value_capacity);
    rg_value *v = &g->values[g->value_count];
    *v = (rg_value){.name = name, .role = role, .region = region};
    if (type) v->type = *type;
    *out = g->value_count++;
    return RG_OK;
}

rg_err rg_graph_add_const(rg_ctx *cx, rg_graph *g, rg_str name, const rg_tensor *data, rg_value_id *out)
{
    rg_type type = rg_type_tensor(data->dtype, data->rank, data->dim);
    RG_TRY(rg_graph_add_value(cx, g, RG_MAIN, name, &type, RG_ROLE_CONST, out));
    g->values[*out].data = data;
    return RG_OK;
}

rg_err rg_graph_add_region(rg_ctx *cx, rg_graph *g, rg_node_id owner, rg_region_id *out)
{
    assert(owner > 0 && owner < g->node_count);
    if (g->region_count >= RG_NODE_MAX) return rg_fail(cx, RG_LIMIT, "more than %d regions", RG_NODE_MAX);
    GROW(cx, g, g->regions, g->region_count, g->region_capacity);
    g->regions[g->region_count] = (rg_region){.owner = owner};
    *out = g->region_count++;
    return RG_OK;
}

static rg_err append(rg_ctx *cx, rg_graph *g, rg_value_id **list, uint32_t *count, uint32_t *capacity,
                     rg_value_id value)
{
    if (*count >= RG_IO_MAX)
        return rg_fail(cx, RG_LIMIT, "more than %d inputs or outputs of a graph", RG_IO_MAX);
    GROW(cx, g, *list, *count, *capacity);
    (*list)[(*count)++] = value;
    return RG_OK;
}

rg_err rg_graph_add_input(rg_ctx *cx, rg_graph *g, rg_region_id region, rg_value_id value)
{
    rg_region *r = &g->regions[region];
    return append(cx, g, &r->inputs, &r->input_count, &r->input_capacity, value);
}

rg_err rg_graph_add_output(rg_ctx *cx, rg_graph *g, rg_region_id region, rg_value_id value)
{
    rg_region *r = &g->regions[region];
    return append(cx, g, &r->outputs, &r->output_count, &r->output_capacity, value);
}

rg_err rg_graph_add_node(rg_ctx *cx, rg_graph *g, rg_region_id region, const rg_node *like,
                         const rg_value_id *in, uint32_t in_count, const rg_value_id *out, uint32_t out_count,
                         rg_node_id *node)
{
    assert(region > 0 && region < g->region_count);
    rg_node n = {0};
    if (like) n = *like; /* by value: it may lie in the table that is about to move */
    n.dead = false;
    if (in_count > RG_IO_MAX || out_count > RG_IO_MAX)
        return rg_fail(cx, RG_LIMIT,
                       "node '%.*s' (%.*s) has %u inputs and %u outputs, at most %d are allowed",
                       RG_STR(n.name), RG_STR(n.type), in_count, out_count, RG_IO_MAX);
    if (g->node_count >= RG_NODE_MAX) return rg_fail(cx, RG_LIMIT, "more than %d nodes", RG_NODE_MAX);
    rg_region *r = &g->regions[region];
    n.region = region;
    n.in_count = in_count;
    n.out_count = out_count;
    rg_value_id *ids = RG_NEW(&g->tables, rg_value_id, (size_t)in_count + out_count);
    if (!ids) return rg_nomem(cx);
    move_ids(&n, in, out, ids);
    GROW(cx, g, g->nodes, g->node_count, g->node_capacity);
    GROW(cx, g, r->order, r->order_count, r->order_capacity);
    *node = g->node_count++;
    g->nodes[*node] = n;
    r->order[r->order_count++] = *node;
    for (uint32_t i = 0; i < out_count; i++) {
        rg_value *v = &g->values[n.out[i]];
        if (n.out[i]) v->role = RG_ROLE_NODE, v->producer = *node, v->region = region;
    }
    return RG_OK;
}

static rg_err add_raw(rg_ctx *cx, rg_graph *g, rg_str name, rg_dtype dtype, int rank, int64_t count,
                      const void *data, size_t size, rg_value_id *out)
{
    rg_tensor *t = RG_NEW(&g->arena, rg_tensor, 1);
    int64_t *dim = RG_NEW(&g->arena, int64_t, 1);
    char *bytes = rg_arena_array(&g->arena, (size_t)count, size);
    assert(rank == 0 ? count == 1 : rank == 1);
    if (!t || !dim || !bytes) return rg_nomem(cx);
    dim[0] = count;
    if (count) memcpy(bytes, data, (size_t)count * size);
    *t = (rg_tensor){.dtype = dtype, .rank = rank, .dim = dim, .count = count, .encoding = RG_DATA_RAW};
    t->data = bytes;
    t->size = (size_t)count * size;
    return rg_graph_add_const(cx, g, name, t, out);
}

rg_err rg_graph_add_ints(rg_ctx *cx, rg_graph *g, rg_str name, int rank, int64_t count, const int64_t *data,
                         rg_value_id *out)
{
    return add_raw(cx, g, name, RG_I64, rank, count, data, sizeof *data, out);
}

rg_err rg_graph_add_floats(rg_ctx *cx, rg_graph *g, rg_str name, int rank, int64_t count, const float *data,
                           rg_value_id *out)
{
    return add_raw(cx, g, name, RG_F32, rank, count, data, sizeof *data, out);
}

void rg_graph_replace(rg_graph *g, rg_value_id from, rg_value_id to)
{
    for (uint32_t i = 1; i < g->node_count; i++)
        for (uint32_t k = 0; k < g->nodes[i].in_count; k++)
            if (g->nodes[i].in[k] == from) g->nodes[i].in[k] = to;
    for (uint32_t i = 1; i < g->region_count; i++)
        for (uint32_t k = 0; k < g->regions[i].output_count; k++)
            if (g->regions[i].outputs[k] == from) g->regions[i].outputs[k] = to;
}

/* ---- asking ---- */

/* The map remembers per name the number that was tried last, so that a thousand names of one prefix take a
 * thousand look-ups and not a million. */
rg_err rg_graph_fresh_name(rg_ctx *cx, rg_graph *g, const char *prefix, rg_str *out)
{
    if (!g->names.arena) rg_map_init(&g->names, &g->tables);
    for (; g->named_count < g->value_count; g->named_count++) {
        rg_str name = g->values[g->named_count].name;
        if (name.size && !rg_map_get(&g->names, name) && !rg_map_put(&g->names, name, 1)) return rg_nomem(cx);
    }
    const char *name = rg_arena_cstr(&g->arena, rg_str_of(prefix));
    rg_str stem = rg_str_of(name);
    uint32_t tried = rg_map_get(&g->names, stem);
    for (; name && rg_map_get(&g->names, rg_str_of(name)); tried++)
        name = rg_arena_printf(&g->arena, "%s_%u", prefix, tried);
    bool kept = name && rg_map_put(&g->names, stem, tried ? tried : 1) &&
                (name == stem.data || rg_map_put(&g->names, rg_str_of(name), 1));
    if (!kept) return rg_nomem(cx);
    *out = rg_str_of(name);
    return RG_OK;
}

rg_err rg_graph_uses(rg_ctx *cx, const rg_graph *g, rg_arena *arena, rg_uses *out)
{
    uint32_t *first = RG_NEW(arena, uint32_t, g->value_count + 1);
    uint32_t *out_uses = RG_NEW(arena, uint32_t, g->value_count);
    size_t total = 0;
    if (!first || !out_uses) return rg_nomem(cx);
    for (uint32_t i = 1; i < g->node_count; i++)
        for (uint32_t k = 0; !g->nodes[i].dead && k < g->nodes[i].in_count; k++)
            first[g->nodes[i].in[k]]++, total++;
    rg_node_id *users = total < UINT32_MAX ? RG_NEW(arena, rg_node_id, total) : NULL;
    if (!users) return rg_nomem(cx);
    uint32_t at = 0; /* the end of each run, which filling backwards turns into its start */
    for (uint32_t i = 0; i < g->value_count; i++) {
        at += i ? first[i] : 0;
        first[i] = at;
    }
    first[g->value_count] = at;
    for (uint32_t i = g->node_count - 1; i > 0; i--)
        for (uint32_t k = g->nodes[i].in_count; !g->nodes[i].dead && k > 0; k--)
            if (g->nodes[i].in[k - 1]) users[--first[g->nodes[i].in[k - 1]]] = i;
    for (uint32_t i = 1; i < g->region_count; i++)
        for (uint32_t k = 0; k < g->regions[i].output_count; k++) out_uses[g->regions[i].outputs[k]]++;
    *out = (rg_uses){first, users, out_uses};
    return RG_OK;
}

const char *rg_node_label(rg_ctx *cx, const rg_graph *g, rg_node_id id)
{
    const rg_node *n = &g->nodes[id];
    rg_arena *arena = &cx->arena;
    const char *label = n->name.size
                            ? rg_arena_printf(arena, "node '%.*s' (%.*s)", RG_STR(n->name), RG_STR(n->type))
                            : rg_arena_printf(arena, "node #%u (%.*s)", id, RG_STR(n->type));
    return label ? label : "node";
}

const char *rg_value_label(rg_ctx *cx, const rg_graph *g, rg_value_id id)
{
    rg_str name = g->values[id].name;
    const char *label = name.size ? rg_arena_printf(&cx->arena, "value '%.*s'", RG_STR(name))
                                  : rg_arena_printf(&cx->arena, "value #%u", id);
    return label ? label : "a value";
}
