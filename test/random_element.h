/* random_element.h - layers of random graphs that work element by element, with every way of broadcasting,
 * and those that take statistics along axes.
 */
#ifndef RANDOM_ELEMENT_H
#define RANDOM_ELEMENT_H

#include "random_window.h"

/* ---- one input ---- */

/* What a curve makes of its input: nothing larger than max(floor, factor |x|), if x stays within `most`. */
typedef struct random_curve { const char *type, *attrs; double most, factor, floor; } random_curve;

static inline rg_value_id random_activation(random_maker *m, rg_value_id x)
{
    static const random_curve curves[] = {
        {"Abs", NULL, 1e3, 1, 0},
        {"Atan", NULL, 1e3, 0, 1.6},
        {"Celu", "alpha=0.7f", 30, 1, 1},
        {"Cos", NULL, 8, 0, 1},
        {"Elu", NULL, 30, 1, 1},
        {"Elu", "alpha=1.5f", 30, 1, 1.5},
        {"Erf", NULL, 30, 0, 1},
        {"Exp", NULL, 3, 0, 20},
        {"Gelu", NULL, 100, 1, 0.2},
        {"Gelu", "approximate=\"tanh\"", 100, 1, 0.2},
        {"HardSigmoid", NULL, 1e3, 0, 1},
        {"HardSigmoid", "alpha=0.3f beta=0.4f", 1e3, 0, 1},
        {"HardSwish", NULL, 1e3, 1, 0},
        {"LeakyRelu", NULL, 1e3, 1, 0},
        {"LeakyRelu", "alpha=0.3f", 1e3, 1, 0},
        {"LeakyRelu", "alpha=1.5f", 1e3, 1.5, 0},
        {"Mish", NULL, 30, 1, 0.4},
        {"Neg", NULL, 1e3, 1, 0},
        {"Relu", NULL, 1e3, 1, 0},
        {"Selu", NULL, 30, 1.06, 1.8},
        {"Sigmoid", NULL, 1e3, 0, 1},
        {"Sin", NULL, 8, 0, 1},
        {"Softplus", NULL, 30, 1, 0.7},
        {"Softsign", NULL, 1e3, 0, 1},
        {"Swish", NULL, 30, 1, 0.3},
        {"Swish", "alpha=1.7f", 30, 1, 0.3},
        {"Tanh", NULL, 1e3, 0, 1},
    };
    const random_curve *c = &RANDOM_PICK(m, curves);
    x = random_tame(m, x, c->most);
    return RANDOM_NODE(m, c->type, c->attrs, fmax(c->floor, c->factor * random_bound(m, x)), x);
}

/* Formulas that exporters write in several nodes, and recognition makes one of. */
static inline rg_value_id random_formula(random_maker *m, rg_value_id x)
{
    x = random_tame(m, x, 16);
    double bound = random_bound(m, x);
    rg_value_id y;
    switch (random_below(m, 5)) {
    case 0: /* Gelu */
        y = RANDOM_NODE(m, "Div", NULL, bound, x, random_scalar(m, 1.41421356));
        y = RANDOM_NODE(m, "Add", NULL, 2, RANDOM_NODE(m, "Erf", NULL, 1, y), random_scalar(m, 1));
        y = RANDOM_NODE(m, "Mul", NULL, 2 * bound, x, y);
        return RANDOM_NODE(m, "Mul", NULL, bound, y, random_scalar(m, 0.5));
    case 1: /* HardSwish */
        y = RANDOM_NODE(m, "Add", NULL, bound + 3, x, random_scalar(m, 3));
        y = RANDOM_NODE(m, "Clip", NULL, 6, y, random_scalar(m, 0), random_scalar(m, 6));
        y = RANDOM_NODE(m, "Mul", NULL, 6 * bound, x, y);
        return RANDOM_NODE(m, "Div", NULL, bound, y, random_scalar(m, 6));
    case 2: /* Mish */
        y = RANDOM_NODE(m, "Softplus", NULL, bound + 1, x);
        return RANDOM_NODE(m, "Mul", NULL, bound, x, RANDOM_NODE(m, "Tanh", NULL, 1, y));
    case 3: /* the root of the square and one: Sqrt far from where it is steep */
        y = RANDOM_NODE(m, "Pow", NULL, bound * bound, x, random_scalar(m, 2));
        y = RANDOM_NODE(m, "Add", NULL, bound * bound + 1, y, random_scalar(m, 1));
        return RANDOM_NODE(m, random_chance(m, 50) ? "Sqrt" : "Log", NULL, bound + 1, y);
    default:
        y = RANDOM_NODE(m, "Add", NULL, bound + 1, RANDOM_NODE(m, "Abs", NULL, bound, x),
                        random_scalar(m, 1));
        return RANDOM_NODE(m, "Reciprocal", NULL, 1, y);
    }
}

static inline rg_value_id random_clip(random_maker *m, rg_value_id x)
{
    rg_value_id low = random_scalar(m, random_real(m, -2, 0)),
                high = random_scalar(m, random_real(m, 0.1, 3));
    switch (random_below(m, 3)) {
    case 0: return RANDOM_NODE(m, "Clip", NULL, random_bound(m, x), x, low);
    case 1: return RANDOM_NODE(m, "Clip", NULL, random_bound(m, x), x, 0, high);
    default: return RANDOM_NODE(m, "Clip", NULL, fmin(random_bound(m, x), 3), x, low, high);
    }
}

static inline rg_value_id random_prelu(random_maker *m, rg_value_id x)
{
    int64_t dim[RG_RANK_MAX];
    int rank = random_rank(m, x), some = rank ? (int)random_between(m, 1, rank) : 0;
    for (int i = 0; i < some; i++) dim[i] = random_chance(m, 60) ? random_dim(m, x, rank - some + i) : 1;
    return RANDOM_NODE(m, "PRelu", NULL, random_bound(m, x), x,
                       random_constant(m, RG_F32, some, dim, -0.5, 0.5));
}

/* ---- several inputs ---- */

static inline bool random_broadcasts(const random_maker *m, rg_value_id a, rg_value_id b)
{
    const rg_type *x = random_type(m, a), *y = random_type(m, b);
    int64_t count = 1;
    int rank = x->rank > y->rank ? x->rank : y->rank;
    for (int i = 1; i <= rank; i++) {
        int64_t p = i <= x->rank ? x->dim[x->rank - i] : 1, q = i <= y->rank ? y->dim[y->rank - i] : 1;
        if (p != q && p != 1 && q != 1) return false;
        count *= p > q ? p : q;
    }
    return count <= RANDOM_COUNT_MAX;
}

/* Sizes that broadcast with those of x: its own, some of them 1, leading ones left out, a scalar, one per
 * channel, or more axes in front. */
static inline int random_broadcast_dims(random_maker *m, rg_value_id x, int64_t *dim)
{
    const rg_type *t = random_type(m, x);
    int rank = t->rank, from = 0;
    memcpy(dim, t->dim, (size_t)rank * sizeof *dim);
    switch (random_below(m, 7)) {
    case 0: return 0;
    case 1: dim[0] = 1; return 1;
    case 2: /* [C,1,1] */
        if (rank < 2) return rank;
        for (int i = 2; i < rank; i++) dim[i - 1] = 1;
        dim[0] = t->dim[1];
        return rank - 1;
    case 3: return rank;
    case 4:
        if (rank > 4 || random_count(m, x) * 2 > RANDOM_COUNT_MAX) return rank;
        memmove(dim + 1, dim, (size_t)rank * sizeof *dim);
        dim[0] = random_between(m, 1, 2);
        return rank + 1;
    case 5: from = rank ? (int)random_below(m, rank) : 0; break;
    default: break;
    }
    for (int i = from; i < rank; i++) dim[i - from] = random_chance(m, 50) ? t->dim[i] : 1;
    return rank - from;
}

/* Something that broadcasts with x: an earlier value, a constant or an input. */
static inline rg_value_id random_partner(random_maker *m, rg_value_id x)
{
    int64_t dim[RG_RANK_MAX];
    for (int tries = 0; tries < 4; tries++) {
        rg_value_id y = m->pool[random_below(m, m->pool_count)];
        if (random_chance(m, 50) && random_broadcasts(m, x, y)) return y;
    }
    int rank = random_broadcast_dims(m, x, dim);
    if (random_chance(m, 12)) return random_input(m, RG_F32, rank, dim);
    return random_constant(m, RG_F32, rank, dim, -2, 2);
}

/* Between 0.5 and about 1.5, or 1 and more: what may be divided by. */
static inline rg_value_id random_divisor_like(random_maker *m, rg_value_id x)
{
    int64_t dim[RG_RANK_MAX];
    rg_value_id y = random_partner(m, x);
    if (random_chance(m, 50)) {
        int rank = random_broadcast_dims(m, x, dim);
        return random_constant(m, RG_F32, rank, dim, 0.5, 1.5);
    }
    if (random_chance(m, 50))
        return RANDOM_NODE(m, "Add", NULL, 1.5, RANDOM_NODE(m, "Sigmoid", NULL, 1, y), random_scalar(m, 0.5));
    y = RANDOM_NODE(m, "Abs", NULL, random_bound(m, y), y);
    return RANDOM_NODE(m, "Add", NULL, random_bound(m, y) + 1, random_scalar(m, 1), y);
}

static inline rg_value_id random_binary(random_maker *m, rg_value_id x)
{
    static const char *const types[] = {"Add", "Add", "Sub", "Mul", "Mul", "Div", "Max", "Min"};
    const char *type = RANDOM_PICK(m, types);
    bool divides = !strcmp(type, "Div"), swaps = random_chance(m, 40);
    x = random_tame(m, x, 32);
    if (divides) {
        rg_value_id y = random_divisor_like(m, x);
        return RANDOM_NODE(m, "Div", NULL, 2 * random_bound(m, x), x, y);
    }
    rg_value_id y = random_tame(m, random_partner(m, x), 32);
    double a = random_bound(m, x), b = random_bound(m, y), bound = !strcmp(type, "Mul") ? a * b : a + b;
    rg_value_id out = RANDOM_NODE(m, type, NULL, bound, swaps ? y : x, swaps ? x : y);
    return random_chance(m, 25) ? random_epilogue(m, out) : out;
}

static inline rg_value_id random_variadic(random_maker *m, rg_value_id x)
{
    static const char *const types[] = {"Sum", "Mean", "Max", "Min"};
    rg_value_id in[4] = {x}, all = x; /* the sizes of all so far */
    uint32_t count = 1;
    double bound = random_bound(m, x);
    for (int64_t more = random_below(m, 4); more > 0; more--) {
        rg_value_id y = random_partner(m, x);
        if (!m->b.err && random_same_shape(m, x, y)) all = y;
        else if (m->b.err || random_rank(m, y) > random_rank(m, x) ||
                 random_count(m, y) > random_count(m, all))
            continue;
        in[count++] = y;
        bound += random_bound(m, y);
    }
    for (uint32_t i = 1; i < count; i++) /* sizes that broadcast with x may not with each other */
        for (uint32_t k = 1; k < i; k++)
            if (!random_broadcasts(m, in[i], in[k])) count = 2;
    return random_node(m, RANDOM_PICK(m, types), NULL, bound, count, in);
}

static inline rg_value_id random_where(random_maker *m, rg_value_id x)
{
    int64_t dim[RG_RANK_MAX];
    int rank = random_broadcast_dims(m, x, dim);
    rg_value_id y = random_partner(m, x), when;
    if (random_is_exact(m, x) && random_chance(m, 50))
        when = RANDOM_NODE(m, random_chance(m, 50) ? "Greater" : "Less", NULL, 1, x, random_scalar(m, 0.25));
    else if (random_chance(m, 50)) when = random_input(m, RG_BOOL, rank, dim);
    else when = random_constant(m, RG_BOOL, rank, dim, 0, 1);
    if (m->b.err || !random_broadcasts(m, when, y)) return 0;
    double bound = fmax(random_bound(m, x), random_bound(m, y));
    return random_chance(m, 50) ? RANDOM_NODE(m, "Where", NULL, bound, when, x, y)
                                : RANDOM_NODE(m, "Where", NULL, bound, when, y, x);
}

/* ---- along axes ---- */

/* Statistics of next to nothing amplify what is lost in rounding by 1 / sqrt(epsilon): ten times, at most. */
static inline const char *random_epsilon(random_maker *m)
{
    return random_text(m, "epsilon=%.4f", random_real(m, 0.01, 0.1));
}

static inline rg_value_id random_layer_norm(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    if (!rank) return 0;
    x = random_tame(m, x, 16);
    const rg_type *t = random_type(m, x);
    int axis = random_chance(m, 70) ? rank - 1 : (int)random_below(m, rank), some = rank - axis;
    int64_t dim[RG_RANK_MAX];
    memcpy(dim, t->dim + axis, (size_t)some * sizeof *dim);
    rg_value_id scale = random_constant(m, RG_F32, some, dim, -1.5, 1.5);
    const char *attrs =
        random_text(m, "%s axis=%d", random_epsilon(m), random_chance(m, 50) ? axis : axis - rank);
    if (random_chance(m, 20)) return RANDOM_NODE(m, "RMSNormalization", attrs, 8, x, scale);
    if (random_chance(m, 30)) return RANDOM_NODE(m, "LayerNormalization", attrs, 8, x, scale);
    return RANDOM_NODE(m, "LayerNormalization", attrs, 8, x, scale,
                       random_constant(m, RG_F32, some, dim, -0.5, 0.5));
}

/* LayerNormalization as its equation. */
static inline rg_value_id random_norm_formula(random_maker *m, rg_value_id x)
{
    int64_t last = -1;
    if (!random_rank(m, x)) return 0;
    x = random_tame(m, x, 16);
    double bound = random_bound(m, x);
    rg_value_id axes = random_ints(m, 1, &last), mean = RANDOM_NODE(m, "ReduceMean", NULL, bound, x, axes);
    rg_value_id centered = RANDOM_NODE(m, "Sub", NULL, 2 * bound, x, mean), square;
    if (random_chance(m, 50)) square = RANDOM_NODE(m, "Pow", NULL, 4 * bound, centered, random_scalar(m, 2));
    else square = RANDOM_NODE(m, "Mul", NULL, 4 * bound, centered, centered);
    rg_value_id variance = RANDOM_NODE(m, "ReduceMean", NULL, 4 * bound, square, axes);
    variance = RANDOM_NODE(m, "Add", NULL, 4 * bound, variance, random_scalar(m, 0.015625));
    rg_value_id y =
        RANDOM_NODE(m, "Div", NULL, 8, centered, RANDOM_NODE(m, "Sqrt", NULL, 2 * bound, variance));
    if (m->b.err) return 0;
    int64_t c = random_dim(m, x, random_rank(m, x) - 1);
    if (random_chance(m, 70)) y = RANDOM_NODE(m, "Mul", NULL, 8, y, random_vector(m, c, -1, 1));
    if (random_chance(m, 70)) y = RANDOM_NODE(m, "Add", NULL, 8, y, random_vector(m, c, -0.5, 0.5));
    return y;
}

static inline rg_value_id random_channel_norm(random_maker *m, rg_value_id x)
{
    if (random_rank(m, x) < 3) return 0;
    x = random_tame(m, x, 16);
    int64_t c = random_dim(m, x, 1);
    const char *epsilon = random_epsilon(m);
    rg_value_id scale = random_vector(m, c, -1.5, 1.5), shift = random_vector(m, c, -0.5, 0.5);
    if (random_chance(m, 50)) return RANDOM_NODE(m, "InstanceNormalization", epsilon, 8, x, scale, shift);
    const char *attrs = random_text(m, "%s num_groups=%lld", epsilon, (long long)random_divisor(m, c));
    return RANDOM_NODE(m, "GroupNormalization", attrs, 8, x, scale, shift);
}

static inline rg_value_id random_softmax(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    if (!rank) return 0;
    x = random_tame(m, x, 8);
    const char *attrs =
        random_chance(m, 40) ? NULL : random_text(m, "axis=%d", (int)random_between(m, -rank, rank - 1));
    if (random_chance(m, 20)) return RANDOM_NODE(m, "LogSoftmax", attrs, 24, x);
    return RANDOM_NODE(m, "Softmax", attrs, 1, x);
}

static inline rg_value_id random_reduce(random_maker *m, rg_value_id x)
{
    static const char *const types[] = {"ReduceMean", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin",
                                        "ReduceL1",   "ReduceL2",   "ReduceSumSquare", "ReduceLogSumExp"};
    const char *type = RANDOM_PICK(m, types);
    int rank = random_rank(m, x), count = 0;
    int64_t axes[RG_RANK_MAX], gone = 1;
    x = random_tame(m, x, 16);
    for (int i = 0; i < rank; i++) {
        if (random_chance(m, 50)) continue;
        axes[count++] = random_chance(m, 50) ? i : i - rank;
        gone *= random_dim(m, x, i);
    }
    const char *attrs = random_chance(m, 50) ? "keepdims=0" : NULL;
    bool is_sum = strstr(type, "Sum") || strstr(type, "L1") || strstr(type, "L2");
    bool squares = strstr(type, "Square"), logs = strstr(type, "Log");
    double bound = random_bound(m, x) * (squares ? random_bound(m, x) : 1);
    if (!count) gone = random_count(m, x);
    bound = logs ? bound + 9 : is_sum ? bound * (double)gone : bound;
    if (strstr(type, "L2") && random_bound(m, x) > 0) { /* its root is steep at 0 */
        x = RANDOM_NODE(m, "Add", NULL, bound, RANDOM_NODE(m, "Abs", NULL, bound, x), random_scalar(m, 0.25));
    }
    if (!count) return RANDOM_NODE(m, type, attrs, bound, x); /* no list: all of them */
    return RANDOM_NODE(m, type, attrs, bound, x, random_ints(m, count, axes));
}

#endif
