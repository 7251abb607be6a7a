/* share.c - helpers of the operators; see share.h. */
#include "op/share.h"

#include <math.h>

/* ---- types ---- */

rg_err rg_need_tensor(const rg_site *s, uint32_t i)
{
    static const char *const kinds[] = {
        [RG_KIND_SEQUENCE] = "a sequence", [RG_KIND_OPTIONAL] = "an optional",
        [RG_KIND_MAP] = "a map", [RG_KIND_SPARSE] = "a sparse tensor",
    };
    rg_kind kind = rg_in_type(s, i)->kind;

    if (kind == RG_KIND_TENSOR || kind == RG_KIND_UNKNOWN) return RG_OK;
    return rg_site_fail(s, RG_SHAPE, "input %u is %s, not a tensor", i, kinds[kind]);
}

rg_err rg_need_dtype(const rg_site *s, uint32_t from, uint32_t to, rg_dtype *out)
{
    *out = RG_DTYPE_NONE;
    for (uint32_t i = from; i < to; i++) {
        if (!rg_has_in(s, i)) continue;
        RG_TRY(rg_need_tensor(s, i));
        rg_dtype dtype = rg_in_type(s, i)->dtype;
        if (*out == RG_DTYPE_NONE)
            *out = dtype;
        else if (dtype != RG_DTYPE_NONE && dtype != *out)
            return rg_site_fail(s, RG_SHAPE, "input %u is %s where %s is expected", i, rg_dtype_name(dtype),
                                rg_dtype_name(*out));
    }
    return RG_OK;
}

rg_type rg_type_like(const rg_site *s, uint32_t i, rg_dtype dtype)
{
    const rg_type *in = rg_in_type(s, i);
    bool tensor = in->kind == RG_KIND_TENSOR;

    return rg_type_tensor(dtype ? dtype : in->dtype, tensor ? in->rank : -1, in->dim);
}

rg_err rg_dtype_attr(const rg_site *s, const char *name, rg_dtype otherwise, rg_dtype *out)
{
    *out = otherwise;
    if (!rg_op_has(s, name)) return RG_OK;

    int64_t code = rg_op_int(s, name);
    if (code <= RG_DTYPE_NONE || code >= RG_DTYPE_END)
        return rg_site_fail(s, RG_FORMAT, "attribute %s: %lld is no element type", name, (long long)code);
    *out = (rg_dtype)code;
    return RG_OK;
}

rg_err rg_need_equal(const rg_site *s, const char *what, rg_dim a, rg_dim b, rg_dim *out)
{
    if (rg_dim_is_number(a) && rg_dim_is_number(b) && a != b)
        return rg_site_fail(s, RG_SHAPE, "%s: %lld and %lld differ", what, (long long)a, (long long)b);
    *out = rg_dim_is_number(b) ? b : a;
    return RG_OK;
}

rg_dim rg_dim_open(const rg_site *s, int64_t preset)
{
    return rg_dim_fresh(rg_site_dims(s), 0, INT32_MAX, preset);
}

rg_type rg_type_open(const rg_site *s, rg_dtype dtype, int rank)
{
    rg_dim dim[RG_RANK_MAX] = {0};

    for (int k = 0; k < rank; k++) dim[k] = rg_dim_open(s, 1);
    return rg_type_tensor(dtype, rank, dim);
}

int rg_list_size(const rg_site *s, uint32_t i)
{
    const rg_type *list = rg_in_type(s, i);
    return list->rank == 1 && list->dim[0] >= 0 && list->dim[0] <= RG_RANK_MAX ? (int)list->dim[0] : -1;
}

rg_err rg_type_from_list(const rg_site *s, uint32_t i, rg_dtype dtype, rg_type *out)
{
    uint32_t count;
    const rg_dim *known = rg_in_known(s, i, &count);

    RG_TRY(rg_need_tensor(s, i));
    if (known && count > RG_RANK_MAX)
        return rg_site_fail(s, RG_LIMIT, "input %u states a rank of %u, at most %d", i, count, RG_RANK_MAX);
    *out = known ? rg_type_tensor(dtype, (int)count, known) : rg_type_open(s, dtype, rg_list_size(s, i));
    return RG_OK;
}

int64_t rg_dim_low(const rg_dims *dims, rg_dim d)
{
    const rg_dim_expr *e = rg_dim_expr_of(dims, d);
    return e ? e->min : d;
}

const rg_type *rg_type_keep(const rg_site *s, rg_type type)
{
    rg_type *kept = RG_NEW(&s->g->arena, rg_type, 1);

    if (kept) *kept = type;
    return kept;
}

rg_err rg_infer_same(const rg_site *s)
{
    RG_TRY(rg_need_tensor(s, 0));
    rg_set_out(s, 0, rg_type_like(s, 0, RG_DTYPE_NONE));
    return RG_OK;
}

/* ---- known elements ---- */

int64_t rg_known_size(const rg_type *type)
{
    int64_t size = 1;

    if (type->rank < 0) return -1;
    for (int k = 0; k < type->rank; k++) {
        if (!rg_dim_is_number(type->dim[k]) || type->dim[k] < 0 || !rg_mul_size(size, type->dim[k], &size))
            return -1;
    }
    return size <= RG_KNOWN_MAX ? size : -1;
}

void rg_known_copy(const rg_site *s, uint32_t in, uint32_t out)
{
    uint32_t count;
    const rg_dim *known = rg_in_known(s, in, &count);

    if (known) rg_set_known(s, out, known, count);
}

void rg_strides(const rg_type *type, int64_t stride[RG_RANK_MAX])
{
    int64_t step = rg_known_size(type) > 0;

    for (int k = type->rank - 1; k >= 0; k--) {
        stride[k] = step;
        step *= step ? type->dim[k] : 1;
    }
}

bool rg_known_view(const rg_site *s, uint32_t i, const rg_type *type, int64_t offset, const int64_t *stride,
                   rg_dim *out)
{
    uint32_t count;
    const rg_dim *known = rg_in_known(s, i, &count);
    int64_t size = rg_known_size(type), index[RG_RANK_MAX] = {0};

    if (!known || size < 0) return false;
    for (int64_t n = 0; n < size; n++) {
        int64_t at = offset;
        for (int k = 0; k < type->rank; k++) at += index[k] * stride[k];
        if (at < 0 || at >= (int64_t)count) return false;
        out[n] = known[at];
        for (int k = type->rank - 1; k >= 0 && ++index[k] == type->dim[k]; k--) index[k] = 0;
    }
    return true;
}

bool rg_known_broadcast(const rg_site *s, uint32_t i, const rg_type *type, rg_dim *out)
{
    const rg_type *in = rg_in_type(s, i);
    int64_t own[RG_RANK_MAX] = {0}, stride[RG_RANK_MAX] = {0};

    if (in->rank < 0 || in->rank > type->rank) return false;
    rg_strides(in, own);
    for (int k = 0; k < in->rank; k++)
        stride[type->rank - in->rank + k] = in->dim[k] == 1 ? 0 : own[k];
    return rg_known_view(s, i, type, 0, stride, out);
}

/* ---- work ---- */

void rg_work_elements(const rg_site *s, rg_work *w, double flop, double special)
{
    double count = rg_out_count(s, 0);

    w->family = RG_FAMILY_ELEMENTWISE;
    w->flop = flop * count;
    w->special = special * count;
    w->m = count;
}

void rg_work_copy(const rg_site *s, rg_work *w)
{
    w->family = RG_FAMILY_MOVE;
    w->m = 0;
    for (uint32_t i = 0; i < s->node->out_count; i++) w->m += rg_out_count(s, i);
}

void rg_work_select(const rg_site *s, rg_work *w)
{
    double whole = rg_type_bytes(s->g, rg_in_type(s, 0));
    double taken = rg_out_count(s, 0) * whole / (rg_in_count(s, 0) > 0 ? rg_in_count(s, 0) : 1);

    rg_work_copy(s, w);
    w->in_byte += taken - whole;
    if (rg_in_is_const(s, 0)) w->weight_byte += taken - whole;
}

double rg_work_sort(double count, double length) { return length > 2 ? count * log2(length) : count; }

/* ---- older meanings ---- */

rg_err rg_upgrade_plain(const rg_site *s)
{
    rg_site_drop_attr(s, "consumed_inputs");
    return RG_OK;
}

/* Old broadcasting depends on ranks, which upgrades run too early to know: the nodes just before this one,
 * in the order of the file, are inferred here. Each is done once, since the walk back stops where types are
 * known. What cannot be inferred yet stays unknown and is reported by whoever needs it. */
void rg_infer_before(const rg_site *s)
{
    rg_graph *g = s->g;
    rg_node_id first = s->id;

    while (first > 1) {
        const rg_node *n = &g->nodes[first - 1];
        bool known = n->out_count > 0 && g->values[n->out[0]].type.kind != RG_KIND_UNKNOWN;
        if (known || n->region != s->node->region) break;
        first--;
    }
    for (rg_node_id id = first; id < s->id; id++) {
        rg_site before = {s->cx, g, id, &g->nodes[id]};
        const rg_op *op = before.node->op;
        if (op && !before.node->dead && !(op->traits & RG_HAS_REGIONS) && op->infer(&before) != RG_OK)
            return;
    }
}

static rg_err insert_unsqueeze(const rg_site *s, uint32_t i, int64_t count, const int64_t *axes)
{
    rg_value_id in[2] = {s->node->in[i], 0}, out;
    rg_region_id region = s->node->region;
    rg_node_id id;
    rg_str name;

    RG_TRY(rg_graph_fresh_name(s->cx, s->g, "axes", &name));
    RG_TRY(rg_graph_add_ints(s->cx, s->g, name, 1, count, axes, &in[1]));
    RG_TRY(rg_graph_fresh_name(s->cx, s->g, "aligned", &name));
    RG_TRY(rg_graph_add_value(s->cx, s->g, region, name, NULL, RG_ROLE_NODE, &out));
    rg_node like = {.name = name, .type = RG_LIT("Unsqueeze"), .version = RG_OPSET_MAX};
    RG_TRY(rg_graph_add_node(s->cx, s->g, region, &like, in, 2, &out, 1, &id));
    return rg_site_set_input(s, i, out);
}

rg_err rg_upgrade_align(const rg_site *s, uint32_t i, int64_t axis)
{
    int64_t axes[RG_RANK_MAX];

    if (rg_in_rank(s, 0) < 0 || rg_in_rank(s, i) < 0) rg_infer_before(s);
    int rank = rg_in_rank(s, 0), own = rg_in_rank(s, i);
    if (own == 0) return RG_OK;
    if (rank < 0 || own < 0)
        return rg_site_fail(s, RG_UNSUPPORTED, "broadcasting along axis %lld (opset 6) needs known ranks",
                            (long long)axis);
    if (axis < 0) axis += rank;
    if (axis < 0 || axis > rank - own)
        return rg_site_fail(s, RG_SHAPE, "axis %lld: rank %d does not fit into rank %d from there",
                            (long long)axis, own, rank);
    int64_t tail = rank - own - axis;
    for (int64_t k = 0; k < tail; k++) axes[k] = own + k;
    return tail > 0 ? insert_unsqueeze(s, i, tail, axes) : RG_OK;
}
