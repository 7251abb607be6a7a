/* bind.c - gives symbols numbers: what the user said, else a customary size, and a note of what was assumed.
 *
 * Symbols are replaced in the types of the inputs and everything else is inferred anew, so that Reshape, If
 * and friends see the numbers and decide. A size that nobody stated and whose name says nothing is a guess:
 * when the model cannot be computed with it (a window larger than the signal, two sizes that must agree),
 * others are tried, and the note says so.
 */
#include "pass/pass.h"

#include <math.h>
#include <string.h>

/* Customary sizes by a part of the symbol's name, lower case. Sequence 128 is MLPerf's short BERT setting,
 * 224 ImageNet's crop, 16000 a second of speech. */
static const struct { const char *part; int64_t size; } customary[] = {
    {"batch", 1}, {"past", 0}, {"seq", 128}, {"length", 128}, {"token", 128}, {"height", 224}, {"width", 224},
    {"sample", 16000}, {"frame", 100}, {"time", 128},
};

/* ... and by its place, where the name says nothing: tokens, images, features over time, a piece of sound. */
static const struct { int rank; char class; int axis_from; int64_t size; } places[] = {
    {2, 'i', 1, 128}, {4, 'f', 1, 224}, {4, 'u', 1, 224}, {3, 'f', 1, 128}, {2, 'f', 1, 512},
};

/* When a guess does not fit: 1, 4, 16, ... */
enum { TRY_FACTOR = 4, TRY_COUNT = 8 };

typedef enum origin { STATED, NAMED, GUESSED } origin;

/* A symbol of the inputs, where it stands first, and the number that it gets. */
typedef struct symbol {
    rg_dim_expr expr;
    const rg_type *type;
    int axis;
    int64_t size, first; /* first: what was tried before all else */
    origin origin;
    bool open;       /* it stays a symbol */
} symbol;

typedef struct binder {
    rg_ctx *cx;
    const rg_graph *from;
    const rg_binding *binding;
    rg_type *types;            /* of the inputs, as --shape changes them */
    rg_map by_name;            /* symbol -> index + 1 */
    symbol *symbols; uint32_t count, capacity;
    const rg_type *type; int axis; /* where note_symbol is */
    rg_graph *g;               /* of the attempt */
    bool sized;                /* not the sizes of the file: what it states inside need not hold */
    bool contradicted;         /* it does not hold */
    bool rebatched;            /* targets of Reshape follow --batch */
} binder;

static const rg_region *main_of(const binder *b) { return &b->from->regions[RG_MAIN]; }

/* ---- the symbols of the inputs ---- */

static rg_dim note_symbol(void *user, rg_dims *to, const rg_dim_expr *e)
{
    binder *b = user;
    if (!b->cx->arena.failed && !rg_map_get(&b->by_name, e->name)) {
        if (!RG_GROW(&b->cx->arena, b->symbols, b->count, b->capacity)) return 1; /* the arena remembers */
        b->symbols[b->count++] = (symbol){.expr = *e, .type = b->type, .axis = b->axis, .origin = GUESSED};
        if (!rg_map_put(&b->by_name, e->name, b->count)) return 1;
    }
    return rg_dim_symbol(to, e->name, e->min, e->max, e->preset);
}

static rg_err find_symbols(binder *b)
{
    const rg_region *r = main_of(b);
    rg_dims scratch = {.arena = &b->cx->arena};
    b->types = RG_NEW(&b->cx->arena, rg_type, r->input_count + 1);
    if (!b->types) return rg_nomem(b->cx);
    for (uint32_t i = 0; i < r->input_count; i++) {
        b->type = &b->types[i];
        b->types[i] = b->from->values[r->inputs[i]].type;
        for (b->axis = 0; b->axis < b->type->rank; b->axis++)
            if (!rg_dim_is_number(b->type->dim[b->axis]))
                rg_dim_rewrite(&scratch, &b->from->dims, b->type->dim[b->axis], note_symbol, b);
    }
    return b->cx->arena.failed ? rg_nomem(b->cx) : RG_OK;
}

static rg_err state_size(binder *b, symbol *s, int64_t size)
{
    rg_str name = s->expr.name;
    if (size < s->expr.min || size > s->expr.max)
        return rg_fail(b->cx, RG_USAGE, "--shape: %.*s=%lld is outside %lld..%lld", RG_STR(name),
                       (long long)size, (long long)s->expr.min, (long long)s->expr.max);
    if (s->origin == STATED && s->size != size)
        return rg_fail(b->cx, RG_USAGE, "--shape: %.*s is said to be %lld and %lld", RG_STR(name),
                       (long long)s->size, (long long)size);
    s->origin = STATED;
    s->size = size;
    return RG_OK;
}

/* ---- customary sizes ---- */

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

/* A batch, unless its name says otherwise: axis 0, or axis 1 of a state [layers, batch, hidden]. */
static bool is_batch_place(const symbol *s)
{
    bool state = s->type->rank == 3 && rg_dim_is_number(s->type->dim[0]) && s->type->dim[0] > 1
                 && rg_dim_is_number(s->type->dim[2]);
    return s->axis == 0 || (s->axis == 1 && state);
}

static int64_t by_place(const symbol *s)
{
    char class = rg_dtype_class(s->type->dtype);
    for (size_t i = 0; i < RG_COUNT(places); i++)
        if (places[i].rank == s->type->rank && places[i].class == class && s->axis >= places[i].axis_from)
            return places[i].size;
    return s->expr.preset;
}

/* What the user left open. */
static void assume(const binder *b, symbol *s)
{
    bool preset = s->expr.preset != 1; /* who built the graph has thought of a size */
    size_t row = 0;
    if (s->origin == STATED) return;
    while (row < RG_COUNT(customary) && !contains(s->expr.name, customary[row].part)) row++;
    bool named = row < RG_COUNT(customary), batch = named ? row == 0 : is_batch_place(s);
    bool given = batch && b->binding->batch > 0;
    s->origin = given ? STATED : batch || named || preset ? NAMED : GUESSED;
    if (given) s->size = b->binding->batch;
    else if (preset) s->size = s->expr.preset;
    else if (batch) s->size = 1;
    else s->size = named ? customary[row].size : by_place(s);
    s->open = b->binding->symbolic && !given;
}

static bool is_guess(const symbol *s) { return s->origin == GUESSED && !s->open; }

static int64_t clamped(const symbol *s, int64_t size)
{
    return size < s->expr.min ? s->expr.min : size > s->expr.max ? s->expr.max : size;
}

/* ---- options ---- */

static rg_value_id find_input(const rg_graph *g, rg_str name, uint32_t *index)
{
    const rg_region *r = &g->regions[RG_MAIN];
    for (*index = 0; *index < r->input_count; ++*index)
        if (rg_str_eq(g->values[r->inputs[*index]].name, name)) return r->inputs[*index];
    return 0;
}

static rg_err fail_name(binder *b, const char *option, rg_str name)
{
    rg_text known;
    rg_text_init(&known, &b->cx->arena);
    for (uint32_t i = 0; i < b->count; i++) rg_text_printf(&known, " %.*s", RG_STR(b->symbols[i].expr.name));
    rg_text_printf(&known, "%s; inputs:", b->count ? "" : " none");
    for (uint32_t i = 0; i < main_of(b)->input_count; i++)
        rg_text_printf(&known, " %.*s", RG_STR(b->from->values[main_of(b)->inputs[i]].name));
    if (known.failed) return rg_nomem(b->cx);
    return rg_fail(b->cx, RG_USAGE, "--%s: '%.*s' is no dimension or input of this model; dimensions:%s",
                   option, RG_STR(name), known.data);
}

/* One size of an input: a symbol takes it, a number must be it, an open rank is stated by it. */
static rg_err state_axis(binder *b, rg_type *type, rg_str name, int axis, int64_t size)
{
    const rg_dim_expr *e = rg_dim_expr_of(&b->from->dims, type->dim[axis]);
    if (e && e->op == RG_DIM_SYMBOL)
        return state_size(b, &b->symbols[rg_map_get(&b->by_name, e->name) - 1], size);
    if (!e && type->dim[axis] == size) return RG_OK;
    rg_text text;
    rg_text_init(&text, &b->cx->arena);
    rg_dim_print(&b->from->dims, type->dim[axis], &text);
    return rg_fail(b->cx, RG_USAGE, "--shape: dimension %d of '%.*s' is %.*s, not %lld", axis, RG_STR(name),
                   RG_STR(((rg_str){text.data, text.size})), (long long)size);
}

/* "1x3x224x224" for an input. */
static rg_err state_input(binder *b, rg_type *type, rg_str name, rg_str sizes)
{
    rg_str part, rest = sizes;
    bool open_rank = type->rank < 0;
    int axis = 0;
    for (; rg_str_cut(&rest, 'x', &part); axis++) {
        int64_t size;
        if (!rg_str_int(part, &size) || size < 0)
            return rg_fail(b->cx, RG_USAGE, "--shape: '%.*s' is no size", RG_STR(part));
        if (axis == RG_RANK_MAX)
            return rg_fail(b->cx, RG_LIMIT, "--shape: '%.*s' has more than %d dimensions", RG_STR(sizes),
                           RG_RANK_MAX);
        if (open_rank) type->dim[axis] = size;
        else if (axis < type->rank) RG_TRY(state_axis(b, type, name, axis, size));
    }
    if (open_rank) type->rank = axis;
    b->sized = b->sized || open_rank;
    if (axis != type->rank)
        return rg_fail(b->cx, RG_USAGE, "--shape: '%.*s' has rank %d, '%.*s' has %d", RG_STR(name),
                       type->rank, RG_STR(sizes), axis);
    return RG_OK;
}

static rg_err take_shape(binder *b, rg_str name, rg_str value)
{
    int64_t size;
    uint32_t at = rg_map_get(&b->by_name, name), index;
    if (at && rg_str_int(value, &size)) return state_size(b, &b->symbols[at - 1], size);
    if (find_input(b->from, name, &index)) return state_input(b, &b->types[index], name, value);
    if (at) return rg_fail(b->cx, RG_USAGE, "--shape: '%.*s' is no size", RG_STR(value));
    return fail_name(b, "shape", name);
}

/* The element, in 16 bytes of the graph's arena; false when the text is no such number. */
static bool read_element(rg_dtype dtype, rg_str text, void *element)
{
    double x;
    int64_t i;
    if (!rg_dtype_is_float(dtype) && rg_str_int(text, &i)) {
        rg_dtype_set_int(dtype, element, 0, i);
        return true;
    }
    if (!rg_str_real(text, &x) || (!rg_dtype_is_float(dtype) && (x != floor(x) || fabs(x) > 9e15)))
        return false;
    if (rg_dtype_is_float(dtype)) rg_dtype_set_real(dtype, element, 0, x);
    else rg_dtype_set_int(dtype, element, 0, (int64_t)x);
    return true;
}

/* The input becomes a constant of the attempt's graph. */
static rg_err take_value(binder *b, rg_str name, rg_str value)
{
    uint32_t index;
    rg_graph *g = b->g;
    rg_value_id input = find_input(g, name, &index), constant;
    if (!input) return fail_name(b, "value", name);
    const rg_type *type = &g->values[input].type;
    if (type->kind != RG_KIND_TENSOR || !rg_dtype_bits(type->dtype) || rg_type_count(g, type) != 1)
        return rg_fail(b->cx, RG_USAGE, "--value: input '%.*s' is not one number", RG_STR(name));
    rg_tensor *data = RG_NEW(&g->arena, rg_tensor, 1);
    int64_t *dim = RG_NEW(&g->arena, int64_t, RG_RANK_MAX);
    void *element = rg_arena_alloc(&g->arena, 16);
    if (!data || !dim || !element) return rg_nomem(b->cx);
    if (!read_element(type->dtype, value, element))
        return rg_fail(b->cx, RG_USAGE, "--value: '%.*s' is no %s", RG_STR(value),
                       rg_dtype_name(type->dtype));
    for (int i = 0; i < type->rank; i++) dim[i] = 1;
    *data = (rg_tensor){.dtype = type->dtype, .rank = type->rank, .dim = dim, .count = 1, .data = element};
    data->encoding = RG_DATA_RAW;
    data->size = (size_t)((rg_dtype_bits(type->dtype) + 7) / 8);
    RG_TRY(rg_graph_add_const(b->cx, g, RG_LIT(""), data, &constant));
    rg_graph_replace(g, input, constant);
    rg_region *r = &g->regions[RG_MAIN];
    memmove(r->inputs + index, r->inputs + index + 1, (--r->input_count - index) * sizeof *r->inputs);
    g->values[constant].name = g->values[input].name;
    g->values[input] = (rg_value){.region = RG_MAIN};
    return RG_OK;
}

/* Exporters name most nodes; a value always has a name. */
static rg_str loop_name(const rg_graph *g, const rg_node *loop)
{
    return loop->name.size || !loop->out_count ? loop->name : g->values[loop->out[0]].name;
}

/* The Loop's trip count becomes a constant. */
static rg_err take_trip(binder *b, rg_str name, rg_str value)
{
    rg_graph *g = b->g;
    rg_node_id id = 1;
    int64_t trips;
    rg_value_id constant;
    while (id < g->node_count &&
           !(rg_node_is(&g->nodes[id], "Loop") && rg_str_eq(loop_name(g, &g->nodes[id]), name)))
        id++;
    if (id == g->node_count) return rg_fail(b->cx, RG_USAGE, "--trip: no Loop is named '%.*s'", RG_STR(name));
    if (!rg_str_int(value, &trips) || trips < 0)
        return rg_fail(b->cx, RG_USAGE, "--trip: '%.*s' is no count", RG_STR(value));
    rg_site site = {b->cx, g, id, &g->nodes[id]};
    RG_TRY(rg_graph_add_ints(b->cx, g, RG_LIT(""), 0, 1, &trips, &constant));
    return rg_site_set_input(&site, 0, constant);
}

/* Walks "a=1,b=2". */
static rg_err each_pair(binder *b, const char *option, const char *text,
                        rg_err (*take)(binder *b, rg_str name, rg_str value))
{
    rg_str rest = rg_str_of(text), part, name = {0};
    while (rg_str_cut(&rest, ',', &part)) {
        if (!rg_str_cut(&part, '=', &name) || !name.size || !part.size)
            return rg_fail(b->cx, RG_USAGE, "--%s: expected NAME=NUMBER, got '%.*s'", option, RG_STR(name));
        RG_TRY(take(b, name, part));
    }
    return RG_OK;
}

/* ---- an attempt ---- */

static rg_dim replace_symbol(void *user, rg_dims *to, const rg_dim_expr *e)
{
    const binder *b = user;
    uint32_t at = rg_map_get(&b->by_name, e->name);
    const symbol *s = at ? &b->symbols[at - 1] : NULL;
    return s && !s->open ? s->size : rg_dim_symbol(to, e->name, e->min, e->max, e->preset);
}

/* A batch that the file fixed: --batch replaces the leading 1 of every input that has one. */
static void force_batch(const binder *b, rg_type *type)
{
    if (b->binding->batch > 0 && type->kind == RG_KIND_TENSOR && type->rank >= 2 && type->dim[0] == 1)
        type->dim[0] = b->binding->batch;
}

static void set_inputs(binder *b)
{
    for (uint32_t i = 0; i < main_of(b)->input_count; i++) {
        rg_type *type = &b->g->values[main_of(b)->inputs[i]].type;
        *type = b->types[i];
        force_batch(b, type);
        for (int axis = 0; axis < type->rank; axis++)
            if (!rg_dim_is_number(type->dim[axis]))
                type->dim[axis] =
                    rg_dim_rewrite(&b->g->dims, &b->from->dims, type->dim[axis], replace_symbol, b);
        b->sized = b->sized || !rg_type_eq(type, &b->from->values[main_of(b)->inputs[i]].type);
    }
}

/* All but the inputs follows from them. */
static void forget_types(rg_graph *g)
{
    for (uint32_t v = 1; v < g->value_count; v++) {
        rg_value *value = &g->values[v];
        bool main_input = value->role == RG_ROLE_INPUT && value->region == RG_MAIN;
        if (value->role == RG_ROLE_CONST || main_input) continue;
        value->type = (rg_type){.kind = RG_KIND_UNKNOWN, .rank = -1};
        value->known = NULL;
        value->known_count = 0;
    }
}

/* Exporters bake the batch into the targets of Reshape: [1, 2048]. The leading 1 becomes the asked batch. */
static rg_err rebatch_reshapes(binder *b)
{
    for (rg_node_id id = 1; id < b->g->node_count; id++) {
        const rg_node *node = &b->g->nodes[id];
        if (node->dead || !rg_node_is(node, "Reshape") || node->in_count < 2) continue;
        const rg_value *shape = &b->g->values[node->in[1]];
        const rg_tensor *t = shape->role == RG_ROLE_CONST ? shape->data : NULL;
        if (!t || !rg_tensor_has_data(t) || t->count < 2 || t->count > RG_RANK_MAX) continue;
        if (rg_tensor_int(t, 0) != 1) continue;
        int64_t sizes[RG_RANK_MAX];
        for (int64_t i = 0; i < t->count; i++) sizes[i] = i ? rg_tensor_int(t, i) : b->binding->batch;
        rg_value_id constant;
        rg_site site = {b->cx, b->g, id, node};
        RG_TRY(rg_graph_add_ints(b->cx, b->g, RG_LIT(""), 1, t->count, sizes, &constant));
        RG_TRY(rg_site_set_input(&site, 1, constant));
    }
    return RG_OK;
}

/* The graph with the sizes that the symbols have now. */
static rg_err attempt(binder *b)
{
    const rg_binding *o = b->binding;
    RG_TRY(rg_graph_clone(b->cx, b->from, &b->g));
    set_inputs(b);
    rg_err err = b->rebatched ? rebatch_reshapes(b) : RG_OK;
    if (!err && o->value) err = each_pair(b, "value", o->value, take_value);
    if (!err && o->trip) err = each_pair(b, "trip", o->trip, take_trip);
    if (b->sized) forget_types(b->g);
    if (!err) err = rg_graph_finish(b->cx, b->g);
    if (!err) err = rg_graph_infer(b->cx, b->g);
    if (!err) return RG_OK;
    rg_graph_free(b->g);
    b->g = NULL;
    return err;
}

/* Other sizes for the guesses, until the model can be computed. The first failure is what is told in the
 * end. */
static rg_err try_guesses(binder *b, rg_err first)
{
    bool guesses = false;
    rg_err err = first;
    const char *why = rg_arena_printf(&b->cx->arena, "%s", rg_ctx_error(b->cx));
    if (!why) return rg_nomem(b->cx);
    for (uint32_t i = 0; i < b->count; i++) guesses = guesses || is_guess(&b->symbols[i]);
    int64_t size = 1;
    for (int i = 0; i < TRY_COUNT && guesses && err == RG_SHAPE; i++, size *= TRY_FACTOR) {
        for (uint32_t k = 0; k < b->count; k++)
            if (is_guess(&b->symbols[k])) b->symbols[k].size = clamped(&b->symbols[k], size);
        err = attempt(b);
    }
    return err ? rg_fail(b->cx, first, "%s", why) : RG_OK;
}

/* The file bakes its batch into the middle, too. Where that does not help, the first failure stands. */
static rg_err try_rebatched(binder *b, rg_err first)
{
    const char *why = rg_arena_printf(&b->cx->arena, "%s", rg_ctx_error(b->cx));
    if (!why) return rg_nomem(b->cx);
    b->rebatched = true;
    rg_err err = attempt(b);
    if (err != RG_SHAPE) return err;
    b->rebatched = false;
    return rg_fail(b->cx, first, "%s", why);
}

static rg_err bind_sizes(binder *b)
{
    rg_err err = attempt(b);
    if (err == RG_SHAPE && !b->sized) { /* the file contradicts itself: its inputs count */
        b->sized = b->contradicted = true;
        err = attempt(b);
    }
    if (err == RG_SHAPE && b->binding->batch > 1) err = try_rebatched(b, err);
    return err == RG_SHAPE ? try_guesses(b, err) : err;
}

/* ---- notes ---- */

static void print_assumed(const binder *b, bool tried, rg_text *text)
{
    bool more = false;
    for (uint32_t i = 0; i < b->count; i++) {
        const symbol *s = &b->symbols[i];
        if (s->origin == STATED || s->open) continue;
        rg_text_printf(text, "%s%.*s=%lld", more ? ", " : "", RG_STR(s->expr.name),
                       (long long)(tried ? s->size : s->first));
        if (tried && s->size != s->first) rg_text_printf(text, " (%lld does not fit)", (long long)s->first);
        more = true;
    }
}

/* Loops whose number of trips only the data know: they are counted once. */
static void print_loops(const rg_graph *g, rg_text *text)
{
    for (rg_node_id id = 1; id < g->node_count; id++) {
        const rg_node *node = &g->nodes[id];
        if (node->dead || !rg_node_is(node, "Loop")) continue;
        const rg_value *trips = &g->values[node->in_count ? node->in[0] : 0];
        bool counted = trips->role == RG_ROLE_CONST && trips->data && rg_tensor_has_data(trips->data) &&
                       trips->data->count == 1 && rg_tensor_int(trips->data, 0) < INT32_MAX;
        if (!counted && !trips->known)
            rg_text_printf(text, "%strips of %.*s=1", text->size ? ", " : "", RG_STR(loop_name(g, node)));
    }
}

static rg_err write_notes(binder *b)
{
    rg_text text;
    rg_text_init(&text, &b->g->arena);
    if (b->from->notes) rg_text_printf(&text, "%s", b->from->notes);
    if (b->from->notes && b->count) rg_text_printf(&text, ", ");
    print_assumed(b, true, &text);
    print_loops(b->g, &text);
    if (b->contradicted)
        rg_text_printf(&text, "%ssizes stated inside do not follow from the inputs and were ignored",
                       text.size ? ", " : "");
    b->g->notes = text.size ? text.data : NULL;
    return text.failed ? rg_nomem(b->cx) : RG_OK;
}

/* What failed, with the sizes that it failed with. */
static rg_err fail_bound(binder *b, rg_err err)
{
    rg_text text;
    rg_text_init(&text, &b->cx->arena);
    print_assumed(b, false, &text);
    if (err == RG_SHAPE && text.size)
        return rg_note(b->cx, err, "with %s assumed (--shape sets it)", text.data);
    return err;
}

rg_err rg_graph_bind(rg_ctx *cx, const rg_graph *in, const rg_binding *binding, rg_graph **out)
{
    binder b = {.cx = cx, .from = in, .binding = binding};
    rg_map_init(&b.by_name, &cx->arena);
    RG_TRY(find_symbols(&b));
    if (binding->shape) RG_TRY(each_pair(&b, "shape", binding->shape, take_shape));
    for (uint32_t i = 0; i < b.count; i++) {
        assume(&b, &b.symbols[i]);
        b.symbols[i].first = b.symbols[i].size = clamped(&b.symbols[i], b.symbols[i].size);
    }
    rg_err err = bind_sizes(&b);
    if (err) return fail_bound(&b, err);
    err = write_notes(&b);
    if (err) rg_graph_free(b.g);
    else *out = b.g;
    return err;
}
