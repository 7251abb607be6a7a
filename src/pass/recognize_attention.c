/* recognize_attention.c - Attention from its pieces:
 *
 *     scores = MatMul(Q, K^T)         [batch, heads, q_length, length], or [batch * heads, q_length, length]
 *     Y      = MatMul(Softmax(scale * scores + mask), V)
 *
 * The scale may stand on Q, on K, on both (its root) or on the scores, as factors or quotients; scores may be
 * capped before the mask, cap * Tanh(scores / cap), which ONNX calls softcap. Attention takes K the right way
 * round, so the Transpose that made K^T changes its order, or goes. Batches and heads in one axis are batches
 * of one head.
 *
 * Instead of a mask that is added, a Where may put minus infinity in: then its condition is the mask. And
 * scores of windows may be taken apart for a mask that each window of an image has, after a bias that all
 * have: scores + bias -Reshape-> [batch, windows, heads, ...] + mask -Reshape->. The two meet without the
 * scores then, and what they make goes through the Reshape that is left.
 *
 * Where several query heads share one of K and V, these stand before their repetition: Unsqueeze, Expand,
 * Reshape. ONNX's own decomposition puts zeros where the mask forbids all keys of a query: Attention does
 * that by itself.
 *
 * What splits the heads off and joins them again is part of Attention too, once all of it is there:
 *
 *     [batch, length, heads * size]  -Reshape->    [batch, length, heads, size]
 *                                    -Transpose->  [batch, heads, length, size]
 */
#include "pass/pass.h"

#include <math.h>

typedef struct attention {
    const rg_match *m;
    rg_pieces pieces;
    rg_value_id q, k, v, mask;
    rg_node *turn;       /* the Transpose that makes K^T; NULL: it goes */
    int64_t *perm;       /* its new order */
    double scale, softcap;
    bool repeated;       /* the heads of K and V were repeated for those of Q */
    rg_node *forbid;     /* Where(condition, -inf, scores): becomes Not(condition); or NULL */
    rg_node *split, *sum, *join; /* of scores that were taken apart into windows; or NULL */
} attention;

static const rg_type *type_of(const rg_match *m, rg_value_id v) { return &m->g->values[v].type; }

static rg_node *piece(attention *a, rg_value_id value, const char *type)
{
    return rg_piece(a->m, &a->pieces, value, type, 1);
}

/* What is multiplied by a number, or divided by its inverse, to make this value of the same type; or 0. */
static rg_value_id factor_off(attention *a, rg_value_id value, double *number)
{
    uint32_t count = a->pieces.count;
    const rg_node *node = piece(a, value, "Mul");
    rg_value_id from = 0;
    if (node && rg_const_scalar(a->m, node->in[1], number)) from = node->in[0];
    else if (node && rg_const_scalar(a->m, node->in[0], number)) from = node->in[1];
    else if (!node && (node = piece(a, value, "Div")) && rg_const_scalar(a->m, node->in[1], number)) {
        from = node->in[0];
        *number = 1 / *number;
    }
    if (from && rg_type_eq(type_of(a->m, from), type_of(a->m, value))) return from;
    a->pieces.count = count;
    return 0;
}

static rg_value_id unscaled(attention *a, rg_value_id value)
{
    double number;
    for (rg_value_id from = factor_off(a, value, &number); from; from = factor_off(a, value, &number)) {
        a->scale *= number;
        value = from;
    }
    return value;
}

/* cap * Tanh(value / cap); a value that is not capped stays. */
static rg_value_id uncapped(attention *a, rg_value_id value)
{
    uint32_t count = a->pieces.count;
    double cap, inverse;
    rg_value_id capped = factor_off(a, value, &cap);
    const rg_node *bend = capped ? piece(a, capped, "Tanh") : NULL;
    rg_value_id from = bend ? factor_off(a, bend->in[0], &inverse) : 0;
    if (from && cap > 0 && rg_is_about(cap * inverse, 1)) {
        a->softcap = cap;
        return from;
    }
    a->pieces.count = count;
    return value;
}

/* [batch, heads, length, size] before each head was repeated `n` times: Unsqueeze to [.., heads, 1, ..],
 * Expand to [.., heads, n, ..], Reshape to [.., heads * n, ..]. A value that is no such repetition stays. */
static rg_value_id unrepeated(attention *a, rg_value_id value)
{
    uint32_t count = a->pieces.count;
    const rg_node *join = piece(a, value, "Reshape");
    const rg_node *expand = join ? piece(a, join->in[0], "Expand") : NULL;
    const rg_node *open = expand ? piece(a, expand->in[0], "Unsqueeze") : NULL;
    a->pieces.count = open ? a->pieces.count : count;
    if (!open) return value;
    const rg_type *from = type_of(a->m, open->in[0]), *one = type_of(a->m, open->out[0]);
    const rg_type *many = type_of(a->m, expand->out[0]), *all = type_of(a->m, value);
    bool fits = from->rank == 4 && one->rank == 5 && many->rank == 5 && all->rank == 4 && one->dim[2] == 1;
    for (int i = 0; i < 4 && fits; i++)
        fits = from->dim[i] == many->dim[i < 2 ? i : i + 1] && (i == 1 || from->dim[i] == all->dim[i]);
    if (!fits) a->pieces.count = count;
    a->repeated = a->repeated || fits;
    return fits ? open->in[0] : value;
}

/* K from K^T: the last two axes of the Transpose behind it are swapped. */
static bool turn_back(attention *a, rg_value_id turned)
{
    int rank = type_of(a->m, turned)->rank;
    rg_node *turn = piece(a, unscaled(a, turned), "Transpose");
    const rg_attr *perm = turn ? rg_node_attr(turn, "perm") : NULL;
    if (!perm || perm->kind != RG_ATTR_INTS || perm->count != (uint32_t)rank) return false;
    a->perm = RG_NEW(&a->m->g->arena, int64_t, rank);
    if (!a->perm) return false; /* the arena remembers: whoever edits next reports it */
    bool straight = true;
    for (int i = 0; i < rank; i++) {
        a->perm[i] = perm->ints[i < rank - 2 ? i : 2 * rank - 3 - i];
        straight = straight && a->perm[i] == i;
    }
    a->turn = straight ? NULL : turn;
    if (!straight) a->pieces.count--; /* it stays */
    a->k = straight ? unrepeated(a, unscaled(a, turn->in[0])) : turn->out[0];
    return true;
}

/* scale * MatMul(Q, K^T), perhaps capped. */
static bool is_scores(attention *a, rg_value_id value)
{
    a->scale = 1;
    a->softcap = 0;
    const rg_node *product = piece(a, unscaled(a, uncapped(a, value)), "MatMul");
    if (!product || !turn_back(a, product->in[1])) return false;
    a->q = unscaled(a, product->in[0]);
    return a->scale > 0; /* Attention takes its root */
}

/* Broadcasts to the scores without enlarging them, and says so for each axis: a last size of 1 would be
 * padded. */
static bool is_mask(const attention *a, rg_value_id mask, rg_dtype dtype, const rg_type *scores)
{
    const rg_type *t = type_of(a->m, mask);
    if (t->kind != RG_KIND_TENSOR || t->dtype != dtype || t->rank < 2 || t->rank > scores->rank) return false;
    for (int back = 1; back <= t->rank; back++) {
        rg_dim size = t->dim[t->rank - back], full = scores->dim[scores->rank - back];
        if (size != full && (size != 1 || back == 1)) return false;
        if (back == 3 && scores->rank == 3 && size != 1) return false; /* batch and heads in one */
    }
    return true;
}

/* Scores, or scores and a mask in either order. */
static bool is_added_scores(attention *a, rg_value_id value)
{
    uint32_t count = a->pieces.count;
    const rg_type *whole = type_of(a->m, value);
    const rg_node *sum = piece(a, value, "Add");
    if (!sum) return is_scores(a, value);
    for (int side = 0; side < 2; side++) {
        a->pieces.count = count + 1;
        a->mask = sum->in[1 - side];
        bool same = rg_type_eq(type_of(a->m, sum->in[side]), whole);
        if (same && is_mask(a, a->mask, whole->dtype, whole) && is_scores(a, sum->in[side])) return true;
    }
    return false;
}

/* Where(allowed, scores, -inf) or Where(forbidden, -inf, scores). */
static bool is_chosen_scores(attention *a, rg_node *where)
{
    const rg_type *whole = type_of(a->m, where->out[0]);
    for (uint32_t side = 1; side <= 2; side++) {
        double number;
        if (!rg_const_scalar(a->m, where->in[3 - side], &number) || number != -INFINITY) continue;
        a->mask = where->in[0];
        if (!rg_type_eq(type_of(a->m, where->in[side]), whole)) return false;
        if (!is_mask(a, a->mask, RG_BOOL, whole)) return false;
        if (side == 2) {
            a->pieces.count--; /* it stays */
            a->forbid = where;
            a->mask = where->out[0];
        }
        return is_scores(a, where->in[side]);
    }
    return false;
}

/* [batch * windows, ...] from [batch, windows, ...], all of them numbers. */
static bool splits_windows(const rg_type *whole, const rg_type *split)
{
    if (whole->rank != 4 || split->rank != 5) return false;
    for (int i = 0; i < split->rank; i++)
        if (!rg_dim_is_number(split->dim[i]) || (i > 1 && split->dim[i] != whole->dim[i - 1])) return false;
    int64_t count;
    return rg_mul_size(split->dim[0], split->dim[1], &count) && count == whole->dim[0];
}

/* The Reshape that takes scores of a type apart for a sum, which broadcasts no further. */
static rg_node *window_split(attention *a, const rg_node *sum, const rg_type *whole)
{
    uint32_t count = a->pieces.count;
    for (int side = 0; side < 2; side++) {
        rg_node *split = piece(a, sum->in[side], "Reshape");
        const rg_type *apart = type_of(a->m, sum->out[0]);
        if (split && rg_type_eq(type_of(a->m, split->in[0]), whole) && splits_windows(whole, apart) &&
            rg_type_eq(type_of(a->m, split->out[0]), apart))
            return split;
        a->pieces.count = count;
    }
    return NULL;
}

/* Reshape(Reshape(scores + bias) + mask). The mask may be anything that the sum broadcasts; the bias is the
 * same for all windows, so that it can meet the mask, or is not there. */
static bool is_windowed_scores(attention *a, rg_node *join)
{
    const rg_type *whole = type_of(a->m, join->out[0]);
    a->join = join;
    a->sum = piece(a, join->in[0], "Add");
    a->split = a->sum ? window_split(a, a->sum, whole) : NULL;
    if (!a->split) return false;
    a->pieces.count -= 3; /* they stay */
    if (!is_added_scores(a, a->split->in[0])) return false;
    const rg_type *bias = a->mask ? type_of(a->m, a->mask) : NULL;
    return !bias || bias->rank < 4 || bias->dim[0] == 1;
}

/* What goes into the Softmax. */
static bool is_masked_scores(attention *a, rg_value_id value)
{
    rg_node *node = piece(a, value, "Where");
    if (node) return is_chosen_scores(a, node);
    node = piece(a, value, "Reshape");
    return node ? is_windowed_scores(a, node) : is_added_scores(a, value);
}

/* Of rank 4 or 3; batches and heads are the same ones, or K and V have fewer heads to share; and the other
 * sizes are those of the two products. */
static bool shapes_agree(const attention *a, rg_value_id scores, rg_value_id y)
{
    const rg_type *q = type_of(a->m, a->q), *v = type_of(a->m, a->v);
    const rg_type *k = type_of(a->m, a->k); /* of K^T while its Transpose waits to be turned */
    const rg_type *s = type_of(a->m, scores), *out = type_of(a->m, y);
    int rank = s->rank, length = a->turn ? rank - 1 : rank - 2, size = a->turn ? rank - 2 : rank - 1;
    if ((rank != 3 && rank != 4) || q->rank != rank || k->rank != rank || v->rank != rank ||
        out->rank != rank)
        return false;
    if (!rg_dtype_is_float(q->dtype) || v->dtype != q->dtype) return false;
    for (int i = 0; i < rank - 2; i++) {
        bool shared = i == 1 && rg_dim_is_number(s->dim[i]) && rg_dim_is_number(k->dim[i]) && k->dim[i] > 0
                      && s->dim[i] % k->dim[i] == 0 && a->repeated;
        if (q->dim[i] != s->dim[i] || k->dim[i] != v->dim[i] || (k->dim[i] != s->dim[i] && !shared))
            return false;
    }
    return k->dim[size] == q->dim[rank - 1] && k->dim[length] == v->dim[rank - 2];
}

static rg_attr int_attr(const char *name, int64_t x)
{
    return (rg_attr){.name = rg_str_of(name), .kind = RG_ATTR_INT, .i = x};
}

static rg_attr real_attr(const char *name, double x)
{
    return (rg_attr){.name = rg_str_of(name), .kind = RG_ATTR_FLOAT, .f = x};
}

/* The Transpose before K turns the other way. */
static rg_err turn_keys(const attention *a)
{
    rg_attr perm = *rg_node_attr(a->turn, "perm");
    perm.ints = a->perm;
    a->m->g->values[a->k].type = (rg_type){.kind = RG_KIND_UNKNOWN, .rank = -1}; /* inferred anew */
    return rg_node_set_attr(a->m->cx, a->m->g, (rg_node_id)(a->turn - a->m->g->nodes), &perm);
}

/* Where(forbidden, ...) is Not(forbidden), which says who is allowed. */
static void allow(const attention *a)
{
    rg_retype(a->forbid, "Not");
    a->forbid->in_count = 1;
    a->m->g->values[a->mask].type = (rg_type){.kind = RG_KIND_UNKNOWN, .rank = -1};
}

/* The Reshape that took the scores apart becomes the Expand of mask and bias to the scores' sizes. */
static rg_err spread_mask(attention *a)
{
    rg_graph *g = a->m->g;
    rg_type apart = g->values[a->split->out[0]].type;
    rg_value_id out = a->split->out[0], sizes;
    int own = a->sum->in[0] == out ? 0 : 1;
    rg_str name;
    RG_TRY(rg_graph_fresh_name(a->m->cx, g, "windows", &name));
    RG_TRY(rg_graph_add_ints(a->m->cx, g, name, 1, apart.rank, apart.dim, &sizes));
    rg_retype(a->split, "Expand");
    a->split->attr_count = 0;
    a->split->in[0] = a->mask ? a->sum->out[0] : a->sum->in[1 - own];
    a->split->in[1] = sizes;
    a->join->in[0] = out;
    if (a->mask) a->sum->in[own] = a->mask;
    a->sum->dead = !a->mask;
    g->values[a->sum->out[0]].type = (rg_type){.kind = RG_KIND_UNKNOWN, .rank = -1};
    a->mask = a->join->out[0];
    return RG_OK;
}

static rg_err rewrite_core(attention *a, int rank)
{
    rg_attr attrs[4];
    uint32_t attr_count = 0;
    if (a->turn) RG_TRY(turn_keys(a));
    if (a->forbid) allow(a);
    if (a->split) RG_TRY(spread_mask(a));
    if (rank == 3) {
        attrs[attr_count++] = int_attr("kv_num_heads", 1);
        attrs[attr_count++] = int_attr("q_num_heads", 1);
    }
    attrs[attr_count++] = real_attr("scale", a->scale);
    if (a->softcap > 0) attrs[attr_count++] = real_attr("softcap", a->softcap);
    rg_value_id in[] = {a->q, a->k, a->v, a->mask};
    rg_node like = {.in = in, .in_count = a->mask ? 4 : 3, .attrs = attrs, .attr_count = attr_count};
    return rg_pieces_become(a->m, &a->pieces, "Attention", &like);
}

/* Equal(ReduceMax(mask), -inf), along the keys: no key is allowed. */
static bool is_all_masked(attention *a, rg_value_id value)
{
    double number;
    const rg_node *equal = piece(a, value, "Equal");
    for (int side = 0; equal && side < 2; side++) {
        if (!rg_const_scalar(a->m, equal->in[side], &number) || number != -INFINITY) continue;
        const rg_node *most = piece(a, equal->in[1 - side], "ReduceMax");
        if (!most || most->in_count != 2 || most->in[0] != a->mask || !rg_int_attr_is(most, "keepdims", 1, 1))
            return false;
        return rg_const_scalar(a->m, most->in[1], &number) &&
               (number == -1 || number == type_of(a->m, a->mask)->rank - 1);
    }
    return false;
}

/* `last` is MatMul(Softmax(...), V), perhaps with a Where(all masked, 0, Softmax(...)) between. */
static rg_err try_core(const rg_match *m, rg_node *last, bool *changed)
{
    attention a = {.m = m, .pieces = rg_pieces_of(last), .v = last->in[1]};
    const rg_node *guard = piece(&a, last->in[0], "Where");
    if (guard && !rg_const_is(m, guard->in[1], 0)) return RG_OK;
    const rg_node *softmax = piece(&a, guard ? guard->in[2] : last->in[0], "Softmax");
    if (!softmax) return RG_OK;
    rg_value_id scores = softmax->out[0];
    int rank = type_of(m, scores)->rank;
    a.v = unrepeated(&a, a.v);
    bool last_axis = rg_int_attr_is(softmax, "axis", -1, -1) || rg_int_attr_is(softmax, "axis", rank - 1, -1);
    if (!last_axis || !is_masked_scores(&a, softmax->in[0]) || !shapes_agree(&a, scores, last->out[0]))
        return RG_OK;
    if (guard && !is_all_masked(&a, guard->in[0])) return RG_OK;
    bool added = a.mask && rg_dtype_is_float(type_of(m, a.mask)->dtype);
    if (added && !a.forbid && rg_const_is(m, a.mask, 0)) a.mask = 0;
    *changed = true;
    return rewrite_core(&a, rank);
}

/* ---- heads ---- */

static bool swaps_heads(const rg_node *transpose)
{
    static const int64_t order[] = {0, 2, 1, 3};
    const rg_attr *perm = rg_node_attr(transpose, "perm");
    if (!perm || perm->kind != RG_ATTR_INTS || perm->count != RG_COUNT(order)) return false;
    for (size_t i = 0; i < RG_COUNT(order); i++)
        if (perm->ints[i] != order[i]) return false;
    return true;
}

/* [batch, length, columns] and [batch, length, heads, size] are the same numbers. */
static bool splits_heads(const rg_type *whole, const rg_type *split)
{
    return whole->rank == 3 && split->rank == 4 && whole->dim[0] == split->dim[0] &&
           whole->dim[1] == split->dim[1] && rg_dim_is_number(split->dim[2]);
}

/* The value whose heads were split off to make this one, or 0. */
static rg_value_id whole_of(const rg_match *m, rg_pieces *p, rg_value_id value, int64_t *heads)
{
    const rg_node *swap = rg_piece(m, p, value, "Transpose", 1);
    const rg_node *split = swap && swaps_heads(swap) ? rg_piece(m, p, swap->in[0], "Reshape", 1) : NULL;
    if (!split || !splits_heads(type_of(m, split->in[0]), type_of(m, split->out[0]))) return 0;
    *heads = type_of(m, split->out[0])->dim[2];
    return split->in[0];
}

/* Reshape(Transpose(Attention)) with the heads of all three inputs split the same way is one Attention of
 * rank 3. */
static rg_err try_heads(const rg_match *m, rg_node *join, bool *changed)
{
    rg_pieces p = rg_pieces_of(join);
    rg_value_id in[4] = {0};
    int64_t heads[3];
    const rg_node *swap = rg_piece(m, &p, join->in[0], "Transpose", 1);
    if (!swap || !swaps_heads(swap) || !splits_heads(type_of(m, join->out[0]), type_of(m, swap->out[0])))
        return RG_OK;
    const rg_node *core = rg_piece(m, &p, swap->in[0], "Attention", 1);
    const rg_attr *scale = core ? rg_node_attr(core, "scale") : NULL;
    const rg_attr *softcap = core ? rg_node_attr(core, "softcap") : NULL;
    if (!scale || core->attr_count != (softcap ? 2 : 1) || core->in_count > RG_COUNT(in)) return RG_OK;
    for (uint32_t i = 0; i < core->in_count; i++) {
        in[i] = i < 3 ? whole_of(m, &p, core->in[i], &heads[i]) : core->in[i];
        if (!in[i]) return RG_OK;
    }
    if (heads[1] != heads[2]) return RG_OK;
    rg_attr attrs[4] = {int_attr("kv_num_heads", heads[1]), int_attr("q_num_heads", heads[0]), *scale};
    if (softcap) attrs[3] = *softcap;
    rg_node like = {.in = in, .in_count = core->in_count, .attrs = attrs, .attr_count = softcap ? 4 : 3};
    *changed = true;
    return rg_pieces_become(m, &p, "Attention", &like);
}

/* ---- the pass ---- */

static rg_err recognize(rg_ctx *cx, rg_graph *g, bool *changed)
{
    rg_match m;
    RG_TRY(rg_match_init(&m, cx, g));
    for (rg_node_id id = 1; id < g->node_count; id++) {
        rg_node *last = &g->nodes[id];
        if (!last->dead && rg_node_is(last, "MatMul")) RG_TRY(try_core(&m, last, changed));
        else if (!last->dead && rg_node_is(last, "Reshape")) RG_TRY(try_heads(&m, last, changed));
    }
    return RG_OK;
}

RG_PASS(recognize_attention) = {
    .name = "recognize-attention", .brief = "finds Attention in its products and its softmax",
    .order = 50, .repeat = true, .run = recognize,
};
