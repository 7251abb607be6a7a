/* bind.c - gives symbols numbers: what the user said, else a customary size, and a note of what was assumed.
 *
 * Symbols are replaced in the types of the inputs and everything else is inferred anew, so that Reshape, If and
 * friends see the numbers and decide.
 */
#include "pass/pass.h"

#include <limits.h>
#include <string.h>

typedef struct binder {
    rg_ctx *cx;
    rg_graph *g;
    const rg_graph *from;
    const rg_binding *binding;
    rg_text notes;
    rg_map sizes;      /* symbol -> index + 1 into values */
    int64_t *values; bool *assumed; uint32_t count, capacity, assumed_capacity;
} binder;

/* Customary sizes by a part of the symbol's name, lower case. The first dimension of an input is a batch unless its
 * name says otherwise: 1. Sequence 128 is MLPerf's short BERT setting, 224 ImageNet's crop. */
static const struct { const char *part; int64_t size; } customary[] = {
    {"batch", 1}, {"past", 0}, {"seq", 128}, {"length", 128}, {"token", 128}, {"height", 224}, {"width", 224},
    {"sample", 16000}, {"frame", 100}, {"time", 128},
};

static bool contains(rg_str name, const char *part)
{
    size_t size = strlen(part);
    for (size_t i = 0; i + size <= name.size; i++) {
        size_t k = 0;
        while (k < size && (name.data[i + k] | 0x20) == part[k]) k++;
        if (k == size) return true;
    }
    return false;
}

static int64_t customary_size(const rg_dim_expr *symbol, int axis)
{
    int64_t size = symbol->preset;
    bool known = false;
    for (size_t i = 0; i < RG_COUNT(customary) && !known; i++)
        if ((known = contains(symbol->name, customary[i].part))) size = customary[i].size;
    if (!known && axis == 0) size = 1;
    return size < symbol->min ? symbol->min : size > symbol->max ? symbol->max : size;
}

static rg_err set_size(binder *b, rg_str name, int64_t size, bool assumed)
{
    uint32_t at = rg_map_get(&b->sizes, name);
    if (at) {
        b->values[at - 1] = size;
        b->assumed[at - 1] = assumed;
        return RG_OK;
    }
    if (!RG_GROW(&b->cx->arena, b->values, b->count, b->capacity) ||
        !RG_GROW(&b->cx->arena, b->assumed, b->count, b->assumed_capacity)) return rg_nomem(b->cx);
    b->values[b->count] = size;
    b->assumed[b->count] = assumed;
    return rg_map_put(&b->sizes, name, ++b->count) ? RG_OK : rg_nomem(b->cx);
}

static const rg_dim_expr *find_symbol(const rg_dims *dims, rg_str name)
{
    for (uint32_t i = 0; i < dims->count; i++)
        if (dims->exprs[i].op == RG_DIM_SYMBOL && rg_str_eq(dims->exprs[i].name, name)) return &dims->exprs[i];
    return NULL;
}

static rg_value_id find_input(const rg_graph *g, rg_str name)
{
    const rg_region *r = &g->regions[RG_MAIN];
    for (uint32_t i = 0; i < r->input_count; i++)
        if (rg_str_eq(g->values[r->inputs[i]].name, name)) return r->inputs[i];
    return 0;
}

static rg_err unknown_name(binder *b, const char *option, rg_str name)
{
    rg_text known;
    rg_text_init(&known, &b->cx->arena);
    for (uint32_t i = 0; i < b->g->dims.count; i++) {
        const rg_dim_expr *e = &b->g->dims.exprs[i];
        if (e->op == RG_DIM_SYMBOL && !e->run_time) rg_text_printf(&known, " %.*s", RG_STR(e->name));
    }
    rg_text_printf(&known, "; inputs:");
    const rg_region *r = &b->g->regions[RG_MAIN];
    for (uint32_t i = 0; i < r->input_count; i++) rg_text_printf(&known, " %.*s", RG_STR(b->g->values[r->inputs[i]].name));
    return rg_fail(b->cx, RG_USAGE, "--%s: '%.*s' is no dimension or input of this model; dimensions:%s", option, RG_STR(name),
                   known.data ? known.data : "");
}

/* "image=1x3x224x224": every symbol of that input's shape; numbers must agree. */
static rg_err bind_input(binder *b, rg_value_id input, rg_str name, rg_str sizes)
{
    rg_type *type = &b->g->values[input].type;
    rg_str part, rest = sizes;
    int axis = 0;
    if (type->rank < 0) { /* the file left the rank open: the user states it */
        for (rg_str r = sizes; rg_str_cut(&r, 'x', &part);) axis++;
        if (axis > RG_RANK_MAX) return rg_fail(b->cx, RG_LIMIT, "--shape: %d dimensions exceed %d", axis, RG_RANK_MAX);
        type->rank = axis;
        for (axis = 0; axis < type->rank; axis++) type->dim[axis] = rg_dim_fresh(&b->g->dims, 0, INT64_MAX, 1);
    }
    for (axis = 0; rg_str_cut(&rest, 'x', &part); axis++) {
        int64_t size;
        if (!rg_str_int(part, &size) || size < 0) return rg_fail(b->cx, RG_USAGE, "--shape: '%.*s' is no size", RG_STR(part));
        if (axis >= type->rank)
            return rg_fail(b->cx, RG_USAGE, "--shape: '%.*s' has rank %d, '%.*s' has more", RG_STR(name), type->rank, RG_STR(sizes));
        const rg_dim_expr *e = rg_dim_expr_of(&b->g->dims, type->dim[axis]);
        if (e && e->op == RG_DIM_SYMBOL) RG_TRY(set_size(b, e->name, size, false));
        else if (!e && type->dim[axis] != size)
            return rg_fail(b->cx, RG_USAGE, "--shape: dimension %d of '%.*s' is %lld, not %lld", axis, RG_STR(name),
                           (long long)type->dim[axis], (long long)size);
    }
    if (axis != type->rank)
        return rg_fail(b->cx, RG_USAGE, "--shape: '%.*s' has rank %d, '%.*s' has %d", RG_STR(name), type->rank, RG_STR(sizes), axis);
    return RG_OK;
}

/* Walks "a=1,b=2". */
static rg_err each_pair(binder *b, const char *option, const char *text, rg_err (*take)(binder *b, rg_str name, rg_str value))
{
    rg_str rest = rg_str_of(text), part, name;
    while (rg_str_cut(&rest, ',', &part)) {
        if (!rg_str_cut(&part, '=', &name) || !name.size || !part.size)
            return rg_fail(b->cx, RG_USAGE, "--%s: expected NAME=NUMBER, got '%.*s'", option, RG_STR(name));
        RG_TRY(take(b, name, part));
    }
    return RG_OK;
}

static rg_err take_shape(binder *b, rg_str name, rg_str value)
{
    int64_t size;
    const rg_dim_expr *symbol = find_symbol(&b->g->dims, name);
    rg_value_id input = find_input(b->g, name);
    if (symbol && rg_str_int(value, &size)) {
        if (size < symbol->min || size > symbol->max)
            return rg_fail(b->cx, RG_USAGE, "--shape: %.*s=%lld is outside %lld..%lld", RG_STR(name), (long long)size,
                           (long long)symbol->min, (long long)symbol->max);
        return set_size(b, symbol->name, size, false);
    }
    if (input) return bind_input(b, input, name, value);
    if (symbol) return rg_fail(b->cx, RG_USAGE, "--shape: '%.*s' is no size", RG_STR(value));
    return unknown_name(b, "shape", name);
}

static rg_err take_value(binder *b, rg_str name, rg_str value)
{
    double x;
    rg_value_id input = find_input(b->g, name), constant;
    if (!input) return unknown_name(b, "value", name);
    if (!rg_str_real(value, &x)) return rg_fail(b->cx, RG_USAGE, "--value: '%.*s' is no number", RG_STR(value));
    const rg_type *type = &b->g->values[input].type;
    if (type->kind != RG_KIND_TENSOR || !rg_dtype_bits(type->dtype) || rg_type_count(b->g, type) != 1)
        return rg_fail(b->cx, RG_USAGE, "--value: input '%.*s' is not one number", RG_STR(name));
    rg_tensor *data = RG_NEW(&b->g->arena, rg_tensor, 1);
    int64_t *dim = RG_NEW(&b->g->arena, int64_t, RG_RANK_MAX);
    void *element = rg_arena_alloc(&b->g->arena, 16);
    if (!data || !dim || !element) return rg_nomem(b->cx);
    for (int i = 0; i < type->rank; i++) dim[i] = 1;
    *data = (rg_tensor){.dtype = type->dtype, .rank = type->rank < 0 ? 0 : type->rank, .dim = dim, .count = 1,
                        .encoding = RG_DATA_RAW, .data = element, .size = (size_t)((rg_dtype_bits(type->dtype) + 7) / 8)};
    if (rg_dtype_is_float(type->dtype)) rg_dtype_set_real(type->dtype, element, 0, x);
    else rg_dtype_set_int(type->dtype, element, 0, (int64_t)x);
    RG_TRY(rg_graph_add_const(b->cx, b->g, RG_LIT(""), data, &constant));
    rg_graph_replace(b->g, input, constant);
    rg_region *r = &b->g->regions[RG_MAIN];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->input_count; i++)
        if (r->inputs[i] != input) r->inputs[kept++] = r->inputs[i];
    r->input_count = kept;
    b->g->values[input].role = RG_ROLE_NONE; /* rg_graph_finish drops it */
    return RG_OK;
}

/* A Loop's trip count is a symbol named after its node; it comes into being with the first inference. */
static rg_err take_trip(binder *b, rg_str name, rg_str value)
{
    int64_t trips;
    bool found = false;
    for (uint32_t i = 1; i < b->g->node_count && !found; i++)
        found = rg_node_is(&b->g->nodes[i], "Loop") && rg_str_eq(b->g->nodes[i].name, name);
    if (!found) return rg_fail(b->cx, RG_USAGE, "--trip: no Loop node is named '%.*s'", RG_STR(name));
    if (!rg_str_int(value, &trips) || trips < 0)
        return rg_fail(b->cx, RG_USAGE, "--trip: '%.*s' is no count", RG_STR(value));
    rg_dim symbol = rg_dim_symbol(&b->g->dims, name, trips, trips, trips);
    return symbol == trips && b->g->dims.failed ? rg_nomem(b->cx) : RG_OK;
}

static rg_dim replace_symbol(void *user, rg_dims *to, const rg_dim_expr *e)
{
    binder *b = user;
    uint32_t at = rg_map_get(&b->sizes, e->name);
    return at ? b->values[at - 1] : rg_dim_symbol(to, e->name, e->min, e->max, e->preset);
}

/* Customary sizes for what the user left open. */
static rg_err assume_rest(binder *b)
{
    const rg_region *r = &b->g->regions[RG_MAIN];
    for (uint32_t i = 0; i < r->input_count; i++) {
        const rg_type *type = &b->g->values[r->inputs[i]].type;
        for (int axis = 0; axis < type->rank; axis++) {
            const rg_dim_expr *e = rg_dim_expr_of(&b->g->dims, type->dim[axis]);
            if (!e || e->op != RG_DIM_SYMBOL || rg_map_get(&b->sizes, e->name)) continue;
            bool batch = b->binding->batch > 0 && (axis == 0 || contains(e->name, "batch"));
            if (b->binding->symbolic && !batch) continue;
            RG_TRY(set_size(b, e->name, batch ? b->binding->batch : customary_size(e, axis), !batch));
            if (!batch)
                rg_text_printf(&b->notes, "%s%.*s=%lld", b->notes.size ? ", " : "", RG_STR(e->name),
                               (long long)b->values[b->count - 1]);
        }
    }
    return RG_OK;
}

/* A batch that the file fixed: --batch replaces the leading 1 of every input that has one. */
static void force_batch(binder *b)
{
    const rg_region *r = &b->g->regions[RG_MAIN];
    for (uint32_t i = 0; i < r->input_count && b->binding->batch > 0; i++) {
        rg_type *type = &b->g->values[r->inputs[i]].type;
        if (type->kind == RG_KIND_TENSOR && type->rank >= 2 && type->dim[0] == 1) type->dim[0] = b->binding->batch;
    }
}

static rg_err apply(binder *b)
{
    rg_graph *g = b->g;
    rg_region *r = &g->regions[RG_MAIN];
    for (uint32_t i = 0; i < r->input_count; i++) {
        rg_type *type = &g->values[r->inputs[i]].type;
        for (int axis = 0; axis < type->rank; axis++)
            if (!rg_dim_is_number(type->dim[axis]))
                type->dim[axis] = rg_dim_rewrite(&g->dims, &b->from->dims, type->dim[axis], replace_symbol, b);
    }
    for (uint32_t v = 1; v < g->value_count; v++) { /* all else follows from the inputs */
        rg_value *value = &g->values[v];
        bool main_input = value->role == RG_ROLE_INPUT && value->region == RG_MAIN;
        if (value->role == RG_ROLE_CONST || main_input) continue;
        value->type.kind = RG_KIND_UNKNOWN;
        value->type.rank = -1;
        value->known = NULL;
        value->known_count = 0;
    }
    RG_TRY(rg_graph_finish(b->cx, g));
    return rg_graph_infer(b->cx, g);
}

rg_err rg_graph_bind(rg_ctx *cx, const rg_graph *in, const rg_binding *binding, rg_graph **out)
{
    binder b = {.cx = cx, .from = in, .binding = binding};
    RG_TRY(rg_graph_clone(cx, in, &b.g));
    rg_map_init(&b.sizes, &cx->arena);
    rg_text_init(&b.notes, &b.g->arena);
    if (in->notes) rg_text_printf(&b.notes, "%s", in->notes);
    rg_err err = RG_OK;
    if (binding->shape) err = each_pair(&b, "shape", binding->shape, take_shape);
    if (!err && binding->value) err = each_pair(&b, "value", binding->value, take_value);
    if (!err && binding->trip) err = each_pair(&b, "trip", binding->trip, take_trip);
    if (!err) err = assume_rest(&b);
    if (!err) {
        force_batch(&b);
        err = apply(&b);
        if (err && b.notes.size) err = rg_note(cx, err, "with %s assumed (--shape sets it)", b.notes.data);
    }
    if (err) {
        rg_graph_free(b.g);
        return err;
    }
    b.g->notes = b.notes.size ? b.notes.data : NULL;
    *out = b.g;
    return RG_OK;
}
