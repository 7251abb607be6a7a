/* recognize_norm.c - LayerNormalization and RMSNormalization from the pieces that exporters write before
 * opset 17 and 23:
 *
 *     d = x - ReduceMean(x)                       LayerNormalization; RMSNormalization has d = x
 *     v = ReduceMean(d ^ 2) + epsilon
 *     y = d / sqrt(v) * scale [+ bias]            bias: LayerNormalization only
 *
 * Squares are Pow(d, 2) or Mul(d, d); the root is Sqrt or Pow(v, 0.5); the division is Div, or Mul by a
 * reciprocal. Models of half precision do all but the scale in f32, between two Casts: that is what
 * stash_type means.
 */
#include "pass/pass.h"

typedef struct norm {
    rg_match *m;
    rg_pieces pieces;      /* from the division on */
    rg_node *divide;
    rg_value_id x, scale, bias;
    uint32_t x_uses;       /* of x, in the pattern */
    int axis_count;        /* the last so many axes are normalized together */
    double epsilon;
    bool centered;
} norm;

static const rg_type *type_of(const norm *n, rg_value_id v) { return &n->m->g->values[v].type; }

static rg_node *piece(norm *n, rg_value_id value, const char *type)
{
    return rg_piece(n->m, &n->pieces, value, type, 1);
}

/* v, when `value` is Sqrt(v) or Pow(v, 0.5); else 0. */
static rg_value_id rooted(norm *n, rg_value_id value)
{
    uint32_t count = n->pieces.count;
    const rg_node *root = piece(n, value, "Sqrt");
    if (root) return root->in[0];
    root = piece(n, value, "Pow");
    if (root && rg_const_is(n->m, root->in[1], 0.5)) return root->in[0];
    n->pieces.count = count;
    return 0;
}

/* v, when `value` is 1 / sqrt(v); else 0. */
static rg_value_id inverse_rooted(norm *n, rg_value_id value)
{
    uint32_t count = n->pieces.count;
    const rg_node *inverse = piece(n, value, "Reciprocal");
    if (inverse) return rooted(n, inverse->in[0]);
    if ((inverse = piece(n, value, "Div")) && rg_const_is(n->m, inverse->in[0], 1))
        return rooted(n, inverse->in[1]);
    n->pieces.count = count;
    if ((inverse = piece(n, value, "Pow")) && rg_const_is(n->m, inverse->in[1], -0.5)) return inverse->in[0];
    n->pieces.count = count;
    return 0;
}

/* A mean over the last axes that keeps them; how many there are, 0 when it is not like that. */
static int mean_axes(const norm *n, const rg_node *mean)
{
    const rg_tensor *axes = mean->in_count == 2 ? n->m->g->values[mean->in[1]].data : NULL;
    int rank = type_of(n, mean->in[0])->rank;
    uint32_t met = 0;
    if (!rg_int_attr_is(mean, "keepdims", 1, 1) || !axes || !rg_tensor_has_data(axes)) return 0;
    if (axes->count < 1 || axes->count > rank) return 0;
    for (int64_t i = 0; i < axes->count; i++) {
        int64_t axis = rg_tensor_int(axes, i), from_end = axis < 0 ? -axis : rank - axis;
        if (from_end < 1 || from_end > axes->count) return 0;
        met |= 1u << from_end;
    }
    return met == (1u << (axes->count + 1)) - 2 ? (int)axes->count : 0;
}

/* d, when `value` is d * d; its uses by the square are counted in. */
static rg_value_id squared(norm *n, rg_value_id value, uint32_t *uses)
{
    uint32_t count = n->pieces.count;
    const rg_node *square = piece(n, value, "Pow");
    *uses = square ? 1 : 2;
    if (square && rg_const_is(n->m, square->in[1], 2)) return square->in[0];
    n->pieces.count = count;
    square = piece(n, value, "Mul");
    return square && square->in[0] == square->in[1] ? square->in[0] : 0;
}

/* v = ReduceMean(d ^ 2) + epsilon. */
static bool is_variance(norm *n, rg_value_id v, rg_value_id d, uint32_t *uses)
{
    const rg_node *sum = piece(n, v, "Add");
    for (int side = 0; sum && side < 2; side++) {
        const rg_node *mean = rg_producer_is(n->m, sum->in[side], "ReduceMean");
        if (!mean || !rg_const_scalar(n->m, sum->in[1 - side], &n->epsilon)) continue;
        if (!piece(n, sum->in[side], "ReduceMean")) return false;
        n->axis_count = mean_axes(n, mean);
        return n->axis_count > 0 && squared(n, mean->in[0], uses) == d;
    }
    return false;
}

/* Where d is x less its mean, and used by nothing else, x is what is normalized; else d is. */
static void find_center(norm *n, rg_value_id d, uint32_t uses)
{
    uint32_t count = n->pieces.count;
    const rg_node *center = rg_piece(n->m, &n->pieces, d, "Sub", uses);
    const rg_node *mean = center ? piece(n, center->in[1], "ReduceMean") : NULL;
    n->centered = mean && mean->in[0] == center->in[0] && mean_axes(n, mean) == n->axis_count;
    n->x = n->centered ? center->in[0] : d;
    n->x_uses = n->centered ? 2 : uses;
    if (!n->centered) n->pieces.count = count;
}

/* n->divide is d / sqrt(v), or d * (1 / sqrt(v)) in either order. */
static bool is_division(norm *n)
{
    bool product = rg_node_is(n->divide, "Mul");
    for (int side = 0; side < (product ? 2 : 1); side++) {
        rg_value_id d = n->divide->in[side], below = n->divide->in[1 - side];
        uint32_t uses = 0;
        n->pieces = rg_pieces_of(n->divide);
        rg_value_id v = product ? inverse_rooted(n, below) : rooted(n, below);
        if (!v || !is_variance(n, v, d, &uses)) continue;
        find_center(n, d, uses + 1);
        const rg_type *x = type_of(n, n->x); /* f64 would lose by a deviation in f32 */
        return x->dtype != RG_F64 && rg_type_eq(x, type_of(n, n->divide->out[0]));
    }
    return false;
}

/* One number for each normalized position: the last sizes of x. A constant may have ones before; of another
 * value they would tell that a batch and a sequence happen to be 1.
 */
static bool is_affine(const norm *n, rg_value_id v)
{
    const rg_type *x = type_of(n, n->x), *t = type_of(n, v);
    bool constant = n->m->g->values[v].role == RG_ROLE_CONST;
    if (t->kind != RG_KIND_TENSOR || t->rank < n->axis_count ||
        t->rank > (constant ? x->rank : n->axis_count))
        return false;
    for (int back = 1; back <= t->rank; back++)
        if (t->dim[t->rank - back] != (back <= n->axis_count ? x->dim[x->rank - back] : 1)) return false;
    return true;
}

/* The node behind the last one that combines its result with a scale or a bias; it becomes the last one. */
static rg_value_id take_affine(norm *n, const char *type)
{
    rg_node *last = n->pieces.nodes[0], *next = rg_single_user(n->m, last->out[0], type);
    rg_value_id other = next ? rg_other_input(next, last->out[0]) : 0;
    if (!other || next->region != last->region || n->pieces.count == RG_PIECES_MAX || !is_affine(n, other))
        return 0;
    n->pieces.nodes[n->pieces.count++] = last;
    n->pieces.nodes[0] = next;
    return other;
}

/* x comes from a Cast to f32 that only the pattern reads, and the result is cast back: both are part of
 * it. */
static void take_casts(norm *n)
{
    rg_node *last = n->pieces.nodes[0], *back = rg_single_user(n->m, last->out[0], "Cast");
    uint32_t count = n->pieces.count;
    if (type_of(n, n->x)->dtype != RG_F32 || !back || back->region != last->region || count == RG_PIECES_MAX)
        return;
    const rg_node *to = rg_piece(n->m, &n->pieces, n->x, "Cast", n->x_uses);
    if (to && n->pieces.count < RG_PIECES_MAX &&
        rg_type_eq(type_of(n, to->in[0]), type_of(n, back->out[0]))) {
        n->pieces.nodes[n->pieces.count++] = last;
        n->pieces.nodes[0] = back;
        n->x = to->in[0];
    } else {
        n->pieces.count = count;
    }
}

static rg_err rewrite(norm *n)
{
    rg_attr attrs[] = {
        {.name = RG_LIT("axis"), .kind = RG_ATTR_INT, .i = -n->axis_count},
        {.name = RG_LIT("epsilon"), .kind = RG_ATTR_FLOAT, .f = n->epsilon},
    };
    rg_value_id in[] = {n->x, n->scale, n->bias};
    rg_node like = {.in = in, .in_count = n->bias ? 3 : 2, .attrs = attrs, .attr_count = RG_COUNT(attrs)};
    return rg_pieces_become(n->m, &n->pieces, n->centered ? "LayerNormalization" : "RMSNormalization", &like);
}

static rg_err recognize(rg_ctx *cx, rg_graph *g, bool *changed)
{
    rg_match m;
    RG_TRY(rg_match_init(&m, cx, g));
    for (rg_node_id id = 1; id < g->node_count; id++) {
        norm n = {.m = &m, .divide = &g->nodes[id]};
        bool divides = rg_node_is(n.divide, "Div") || rg_node_is(n.divide, "Mul");
        if (n.divide->dead || !divides || n.divide->in_count != 2 || !is_division(&n)) continue;
        take_casts(&n);
        n.scale = take_affine(&n, "Mul");
        if (!n.scale) continue; /* both operators need one */
        n.bias = n.centered ? take_affine(&n, "Add") : 0;
        RG_TRY(rewrite(&n));
        *changed = true;
    }
    return RG_OK;
}

RG_PASS(recognize_norm) = {
    .name = "recognize-norm", .brief = "finds LayerNormalization and RMSNormalization in their pieces",
    .order = 30, .repeat = true, .run = recognize,
};
