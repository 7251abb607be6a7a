/* site.c - one node as its operator sees it: types, constants, attributes, saying what is wrong, editing.
 *
 * Everything goes through the graph's tables by id, never through pointers kept from before: an upgrade may
 * add nodes and values, and tables move when they grow. Every integer handed to a callback, from an attribute
 * or a constant, is clamped to what a dimension can hold, so that no number of a file can be taken for a
 * symbolic expression.
 */
#include "op/op.h"

#include <assert.h>
#include <string.h>

static const rg_type unknown_type = {.kind = RG_KIND_UNKNOWN, .rank = -1};

static const rg_node *node_of(const rg_site *s) { return &s->g->nodes[s->id]; }

static int64_t clamped(int64_t x) { return x < RG_DIM_FIRST ? RG_DIM_FIRST : x; }

rg_err rg_site_fail(const rg_site *s, rg_err err, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    rg_str_vprint(text, sizeof(text), format, args);
    va_end(args);
    return rg_fail(s->cx, err, "%s: %s", rg_node_label(s->cx, s->g, s->id), text);
}

/* ---- inputs ---- */

static const rg_value *in_value(const rg_site *s, uint32_t i)
{
    const rg_node *n = node_of(s);
    return i < n->in_count && n->in[i] ? &s->g->values[n->in[i]] : NULL;
}

bool rg_has_in(const rg_site *s, uint32_t i) { return in_value(s, i) != NULL; }

const rg_type *rg_in_type(const rg_site *s, uint32_t i)
{
    const rg_value *v = in_value(s, i);
    return v && v->type.kind != RG_KIND_UNKNOWN ? &v->type : &unknown_type;
}

bool rg_in_is_const(const rg_site *s, uint32_t i)
{
    const rg_value *v = in_value(s, i);
    return v && v->role == RG_ROLE_CONST;
}

const rg_tensor *rg_in_const(const rg_site *s, uint32_t i)
{
    const rg_value *v = in_value(s, i);
    return v && v->role == RG_ROLE_CONST && v->data && rg_tensor_has_data(v->data) ? v->data : NULL;
}

/* Inference follows these, element by element: what shapes, axes, indices and conditions are made of. */
static bool is_followed(rg_dtype dtype) { return dtype == RG_I32 || dtype == RG_I64 || dtype == RG_BOOL; }

const rg_dim *rg_in_known(const rg_site *s, uint32_t i, uint32_t *count)
{
    const rg_value *v = in_value(s, i);
    const rg_tensor *t = rg_in_const(s, i);
    *count = 0;
    if (v && v->known) {
        *count = v->known_count;
        return v->known;
    }
    if (!t || !is_followed(t->dtype) || t->count < 0 || t->count > RG_KNOWN_MAX) return NULL;
    rg_dim *known = RG_NEW(&s->cx->arena, rg_dim, t->count + 1); /* + 1: an empty tensor is known too */
    void *packed = RG_NEW(&s->cx->arena, int64_t, t->count + 1); /* at once: a single varint costs a walk */
    if (!known || !packed || !rg_tensor_unpack(t, packed)) return NULL;
    for (int64_t k = 0; k < t->count; k++)
        known[k] = clamped(rg_dtype_get_int(t->dtype, packed, k));
    *count = (uint32_t)t->count;
    return known;
}

rg_err rg_need_rank(const rg_site *s, uint32_t i, int rank_min, int rank_max)
{
    const rg_value *v = in_value(s, i);
    const rg_type *t = rg_in_type(s, i);
    rg_str name = v ? v->name : RG_LIT("");
    if (t->kind != RG_KIND_TENSOR)
        return rg_site_fail(s, RG_SHAPE, "input %u '%.*s' is not known to be a tensor", i, RG_STR(name));
    if (t->rank < 0)
        return rg_site_fail(s, RG_SHAPE, "the rank of input %u '%.*s' is not known", i, RG_STR(name));
    if (t->rank >= rank_min && (rank_max < 0 || t->rank <= rank_max)) return RG_OK;
    if (rank_min == rank_max)
        return rg_site_fail(s, RG_SHAPE, "input %u '%.*s' has rank %d, not %d", i, RG_STR(name), t->rank,
                            rank_min);
    bool low = t->rank < rank_min;
    return rg_site_fail(s, RG_SHAPE, "input %u '%.*s' has rank %d, %s than %d", i, RG_STR(name), t->rank,
                        low ? "less" : "more", low ? rank_min : rank_max);
}

rg_err rg_need_axis(const rg_site *s, int64_t axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return rg_site_fail(s, RG_SHAPE, "axis %lld is outside a tensor of rank %d", (long long)axis, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return RG_OK;
}

/* ---- outputs ---- */

bool rg_has_out(const rg_site *s, uint32_t i)
{
    const rg_node *n = node_of(s);
    return i < n->out_count && n->out[i] != 0;
}

void rg_set_out(const rg_site *s, uint32_t i, rg_type type)
{
    if (rg_has_out(s, i)) s->g->values[node_of(s)->out[i]].type = type;
}

void rg_set_known(const rg_site *s, uint32_t i, const rg_dim *known, uint32_t count)
{
    if (!rg_has_out(s, i) || !known || count > RG_KNOWN_MAX) return;
    rg_value *v = &s->g->values[node_of(s)->out[i]];
    if (v->type.kind != RG_KIND_TENSOR || !is_followed(v->type.dtype)) return;
    rg_dim *copy = RG_NEW(&s->g->arena, rg_dim, count + 1); /* + 1: an empty tensor is known too */
    if (!copy)
        return; /* the arena remembers; rg_graph_infer reports it */
    memcpy(copy, known, count * sizeof(*known));
    v->known = copy;
    v->known_count = count;
}

/* ---- attributes ---- */

static const rg_attr_spec *spec_of(const rg_site *s, const char *name)
{
    const rg_op *op = node_of(s)->op;
    for (size_t i = 0; i < op->attr_count; i++)
        if (strcmp(op->attrs[i].name, name) == 0) return &op->attrs[i];
    assert(!"the operator's attribute list names what its callbacks read");
    return NULL;
}

/* The node's own attribute, when it is of the kind that the caller can read. */
static const rg_attr *stated(const rg_site *s, const char *name, rg_attr_kind kind)
{
    const rg_attr *a = rg_node_attr(node_of(s), name);
    return a && a->kind == kind ? a : NULL;
}

static rg_str preset_of(const rg_site *s, const char *name)
{
    const rg_attr_spec *spec = spec_of(s, name);
    return rg_str_of(spec ? spec->preset : NULL);
}

bool rg_op_has(const rg_site *s, const char *name)
{
    const rg_attr *a = rg_node_attr(node_of(s), name);
    return a && a->kind != RG_ATTR_NONE;
}

int64_t rg_op_int(const rg_site *s, const char *name)
{
    const rg_attr *a = stated(s, name, RG_ATTR_INT);
    int64_t x = 0;
    if (a) return clamped(a->i);
    return rg_str_int(preset_of(s, name), &x) ? x : 0;
}

double rg_op_real(const rg_site *s, const char *name)
{
    const rg_attr *a = stated(s, name, RG_ATTR_FLOAT);
    double x = 0;
    if (a) return a->f;
    return rg_str_real(preset_of(s, name), &x) ? x : 0;
}

rg_str rg_op_str(const rg_site *s, const char *name)
{
    const rg_attr *a = stated(s, name, RG_ATTR_STRING);
    return a ? a->s : preset_of(s, name);
}

/* Nearly always the file's own array; copied only when a number in it could not be a dimension. */
static const int64_t *clamped_ints(const rg_site *s, const rg_attr *a)
{
    uint32_t i = 0;
    while (i < a->count && a->ints[i] >= RG_DIM_FIRST) i++;
    if (i == a->count) return a->ints;
    int64_t *copy = RG_NEW(&s->cx->arena, int64_t, a->count);
    for (i = 0; copy && i < a->count; i++) copy[i] = clamped(a->ints[i]);
    return copy;
}

const int64_t *rg_op_ints(const rg_site *s, const char *name, uint32_t *count)
{
    const rg_attr *a = stated(s, name, RG_ATTR_INTS);
    *count = 0;
    if (a) {
        const int64_t *ints = a->count ? clamped_ints(s, a) : NULL;
        *count = ints ? a->count : 0;
        return ints;
    }
    rg_str rest = preset_of(s, name), part;
    int64_t *ints = rest.size ? RG_NEW(&s->cx->arena, int64_t, rest.size) : NULL; /* enough and to spare */
    while (ints && rg_str_cut(&rest, ',', &part) && rg_str_int(part, &ints[*count])) ++*count;
    return ints;
}

/* ---- symbolic shapes ---- */

rg_dims *rg_site_dims(const rg_site *s) { return &s->g->dims; }

/* One dimension of a broadcast; false when neither is 1 and both are numbers that differ. */
static bool broadcast_dim(rg_dim a, rg_dim b, rg_dim *out)
{
    *out = a;
    if (a == b || b == 1) return true;
    if (a == 1 || (rg_dim_is_number(b) && !rg_dim_is_number(a))) {
        *out = b;
        return true;
    }
    return !rg_dim_is_number(a) || !rg_dim_is_number(b);
}

rg_err rg_broadcast(const rg_site *s, const rg_type *a, const rg_type *b, rg_type *out)
{
    rg_type t = rg_type_tensor(a->dtype, -1, NULL);
    if (a->rank >= 0 && b->rank >= 0) {
        t.rank = a->rank > b->rank ? a->rank : b->rank;
        for (int i = 0; i < t.rank; i++) {
            int ia = i - (t.rank - a->rank), ib = i - (t.rank - b->rank);
            rg_dim da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
            if (!broadcast_dim(da, db, &t.dim[i]))
                return rg_site_fail(s, RG_SHAPE, "sizes %lld and %lld of axis %d do not broadcast",
                                    (long long)da, (long long)db, i - t.rank);
        }
    }
    *out = t;
    return RG_OK;
}

rg_dim rg_dims_product(const rg_site *s, const rg_type *t, int from, int to)
{
    rg_dim product = 1;
    for (int i = from; i < to; i++) product = rg_dim_mul(&s->g->dims, product, t->dim[i]);
    return product;
}

/* ---- concrete sizes ---- */

/* Under the presets of its symbols an expression can be negative: a kernel of 7 on an image of height 1. */
static int64_t size_of(const rg_site *s, rg_dim d)
{
    int64_t size = rg_dim_value(&s->g->dims, d);
    return size > 0 ? size : 0;
}

static int64_t dim_at(const rg_site *s, const rg_type *t, int axis)
{
    int at = axis < 0 ? axis + t->rank : axis;
    return t->kind == RG_KIND_TENSOR && at >= 0 && at < t->rank ? size_of(s, t->dim[at]) : 1;
}

/* As double: a count may pass 2^63 in a file made to hurt, and work only needs a magnitude. */
static double count_of(const rg_site *s, const rg_type *t)
{
    double count = 1;
    if (t->kind != RG_KIND_TENSOR || t->rank < 0) return 0;
    for (int i = 0; i < t->rank; i++) count *= (double)size_of(s, t->dim[i]);
    return count;
}

static const rg_type *out_type(const rg_site *s, uint32_t i)
{
    return rg_has_out(s, i) ? &s->g->values[node_of(s)->out[i]].type : &unknown_type;
}

int64_t rg_in_dim(const rg_site *s, uint32_t i, int axis) { return dim_at(s, rg_in_type(s, i), axis); }
int rg_in_rank(const rg_site *s, uint32_t i) { return rg_in_type(s, i)->rank; }
double rg_in_count(const rg_site *s, uint32_t i) { return count_of(s, rg_in_type(s, i)); }
int64_t rg_out_dim(const rg_site *s, uint32_t i, int axis) { return dim_at(s, out_type(s, i), axis); }
double rg_out_count(const rg_site *s, uint32_t i) { return count_of(s, out_type(s, i)); }

/* ---- editing ---- */

rg_err rg_site_set_input(const rg_site *s, uint32_t i, rg_value_id value)
{
    rg_node *n = &s->g->nodes[s->id];
    uint32_t count = i < n->in_count ? n->in_count : i + 1;
    rg_value_id *in = RG_NEW(&s->g->arena, rg_value_id, count); /* never in place: `like` shares arrays */
    if (!in) return rg_nomem(s->cx);
    if (n->in_count) memcpy(in, n->in, n->in_count * sizeof(*in));
    in[i] = value;
    n->in = in;
    n->in_count = count;
    return RG_OK;
}

void rg_site_drop_attr(const rg_site *s, const char *name)
{
    rg_node *n = &s->g->nodes[s->id];
    const rg_attr *drop = rg_node_attr(n, name);
    if (!drop) return;
    rg_attr *attrs = RG_NEW(&s->g->arena, rg_attr, n->attr_count); /* never in place: `like` shares arrays */
    uint32_t count = 0;
    if (!attrs)
        return; /* the arena remembers; rg_graph_resolve reports it */
    for (uint32_t i = 0; i < n->attr_count; i++)
        if (&n->attrs[i] != drop) attrs[count++] = n->attrs[i];
    n->attrs = attrs;
    n->attr_count = count;
}

static rg_err add_floats(const rg_site *s, rg_str name, int rank, const double *from, uint32_t count,
                         rg_value_id *out)
{
    float *data = RG_NEW(&s->cx->arena, float, count + 1);
    if (!data) return rg_nomem(s->cx);
    for (uint32_t i = 0; i < count; i++) data[i] = (float)from[i];
    return rg_graph_add_floats(s->cx, s->g, name, rank, count, data, out);
}

rg_err rg_attr_to_input(const rg_site *s, const char *name, uint32_t i)
{
    const rg_attr *a = rg_node_attr(node_of(s), name);
    rg_value_id value = 0;
    rg_str fresh;
    if (!a) return RG_OK;
    RG_TRY(rg_graph_fresh_name(s->cx, s->g, name, &fresh));
    if (a->kind == RG_ATTR_INT)
        RG_TRY(rg_graph_add_ints(s->cx, s->g, fresh, 0, 1, &a->i, &value));
    else if (a->kind == RG_ATTR_INTS)
        RG_TRY(rg_graph_add_ints(s->cx, s->g, fresh, 1, a->count, a->ints, &value));
    else if (a->kind == RG_ATTR_FLOAT)
        RG_TRY(add_floats(s, fresh, 0, &a->f, 1, &value));
    else if (a->kind == RG_ATTR_FLOATS)
        RG_TRY(add_floats(s, fresh, 1, a->floats, a->count, &value));
    else
        return rg_site_fail(s, RG_FORMAT, "attribute '%s' is not a number or a list of numbers", name);
    rg_site_drop_attr(s, name);
    return rg_site_set_input(s, i, value);
}
