/* random_product.h - layers of random graphs that multiply matrices: MatMul and Gemm in all their forms,
 * attention, recurrent networks.
 */
#ifndef RANDOM_PRODUCT_H
#define RANDOM_PRODUCT_H

#include "random_move.h"

/* Products grow with the root of what they sum over when weights do not know of it. */
static inline double random_product_bound(const random_maker *m, rg_value_id a, rg_value_id b, int64_t inner)
{
    return random_bound(m, a) * random_bound(m, b) * sqrt((double)inner);
}

/* x times a matrix: [..., k] times [k, n], a vector, or a matrix for each of x's; and the other way round. */
static inline rg_value_id random_matmul(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x), form = (int)random_below(m, 6);
    if (!rank || rank > 5) return 0;
    x = random_tame(m, x, 32);
    const rg_type *t = random_type(m, x);
    int64_t k = t->dim[rank - 1], n = random_channels(m), dim[RG_RANK_MAX];
    if (form == 0 && random_is_from(m, x, "Transpose")) form = 2; /* which ONNX Runtime 1.30 loses */
    if (form == 0)
        return RANDOM_NODE(m, "MatMul", NULL, 2 * random_bound(m, x), x, random_weight(m, 1, &k, k));
    if (form == 1 && rank > 1) { /* [m, k] on the left of x */
        dim[0] = n;
        dim[1] = t->dim[rank - 2];
        if (random_count(m, x) / dim[1] * n > RANDOM_COUNT_MAX) return 0;
        return RANDOM_NODE(m, "MatMul", NULL, 2 * random_bound(m, x), random_weight(m, 2, dim, dim[1]), x);
    }
    int some = form < 4 || rank < 3 ? 2 : (int)random_between(m, 3, rank);
    for (int i = 0; i < some - 2; i++) dim[i] = random_chance(m, 60) ? t->dim[rank - some + i] : 1;
    if (form == 5 && rank < 3 && random_chance(m, 50)) { /* batched on the right alone */
        some = 3;
        dim[0] = random_between(m, 1, 3);
    }
    dim[some - 2] = k;
    dim[some - 1] = n;
    int64_t batch = some == 3 && rank < 3 ? dim[0] : 1;
    if (random_count(m, x) / k * n * batch > RANDOM_COUNT_MAX) return 0;
    rg_value_id y = RANDOM_NODE(m, "MatMul", NULL, 2 * random_bound(m, x), x, random_weight(m, some, dim, k));
    if (random_chance(m, 60))
        y = RANDOM_NODE(m, "Add", NULL, random_bound(m, y) + 0.5, y, random_vector(m, n, -0.5, 0.5));
    return random_chance(m, 40) ? random_epilogue(m, y) : y;
}

/* With its own transpose: no constant in it. */
static inline rg_value_id random_gram(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    if (rank < 2 || rank > 5) return 0;
    x = random_tame(m, x, 4);
    int64_t perm[RG_RANK_MAX], rows = random_dim(m, x, rank - 2);
    if (random_count(m, x) / random_dim(m, x, rank - 1) * rows > RANDOM_COUNT_MAX) return 0;
    for (int i = 0; i < rank; i++) perm[i] = i;
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
    rg_value_id turned =
        RANDOM_NODE(m, "Transpose", random_list(m, "perm", rank, perm), random_bound(m, x), x);
    return RANDOM_NODE(m, "MatMul", NULL, random_product_bound(m, x, x, random_dim(m, x, rank - 1)), x,
                       turned);
}

static inline rg_value_id random_gemm(random_maker *m, rg_value_id x)
{
    bool trans_a = random_chance(m, 30), trans_b = random_chance(m, 50);
    x = random_of_rank(m, random_tame(m, x, 32), 2);
    if (m->b.err) return 0;
    int64_t rows = random_dim(m, x, trans_a), k = random_dim(m, x, !trans_a), n = random_channels(m);
    int64_t dim[2] = {trans_b ? n : k, trans_b ? k : n};
    if (rows * n > RANDOM_COUNT_MAX) return 0;
    const int64_t biases[][2] = {{n, 0}, {1, n}, {rows, n}, {rows, 1}, {1, 1}};
    static const int ranks[] = {1, 2, 2, 2, 2};
    rg_value_id in[3] = {x, random_weight(m, 2, dim, k)};
    uint32_t count = 2;
    if (random_chance(m, 75)) {
        int64_t form = random_below(m, (int64_t)RG_COUNT(biases) + 1);
        in[count++] = form == (int64_t)RG_COUNT(biases) ? random_scalar(m, random_real(m, -1, 1))
                    : random_chance(m, 12) ? random_input(m, RG_F32, ranks[form], biases[form])
                    : random_constant(m, RG_F32, ranks[form], biases[form], -1, 1);
    }
    const char *attrs = random_text(m, "%s%s", trans_a ? " transA=1" : "", trans_b ? " transB=1" : "");
    if (random_chance(m, 30)) attrs = random_text(m, "%s alpha=%.3f", attrs, random_real(m, -1.5, 1.5));
    if (random_chance(m, 30))
        attrs = random_text(m, "%s beta=%.3f", attrs, random_chance(m, 30) ? 0.0 : random_real(m, -1.5, 1.5));
    rg_value_id y = random_node(m, "Gemm", attrs, 3 * random_bound(m, x) + 3, count, in);
    return random_chance(m, 40) ? random_epilogue(m, y) : y;
}

/* ---- attention ---- */

/* [n, t, heads * d] as [n, heads, t, d], or [n, heads, d, t]: projected from x. */
static inline rg_value_id random_heads(random_maker *m, rg_value_id x, int64_t heads, int64_t d, bool turned)
{
    int64_t n = random_dim(m, x, 0), t = random_dim(m, x, 1), c = random_dim(m, x, 2),
            dim[2] = {c, heads * d};
    rg_value_id y = RANDOM_NODE(m, "MatMul", NULL, 2 * random_bound(m, x), x, random_weight(m, 2, dim, c));
    if (random_chance(m, 60))
        y = RANDOM_NODE(m, "Add", NULL, random_bound(m, y) + 0.5, y, random_vector(m, heads * d, -0.5, 0.5));
    y = random_reshape(m, y, 4, (const int64_t[]){n, t, heads, d});
    return RANDOM_NODE(m, "Transpose", turned ? "perm=0,2,3,1" : "perm=0,2,1,3", random_bound(m, y), y);
}

/* Scores under a mask: causal, as a constant that is added; or chosen by bools that the user gives. */
static inline rg_value_id random_mask(random_maker *m, rg_value_id scores, int64_t n, int64_t t)
{
    double bound = random_bound(m, scores);
    if (random_chance(m, 40)) return scores;
    if (random_chance(m, 50)) {
        rg_value_id when = random_input(m, RG_BOOL, 4, (const int64_t[]){n, 1, 1, t});
        return RANDOM_NODE(m, "Where", NULL, bound, when, scores, random_scalar(m, -1e9));
    }
    rg_value_id mask = random_constant(m, RG_F32, 2, (const int64_t[]){t, t}, 0, 0);
    if (m->b.err) return 0;
    float *at = (float *)(uintptr_t)m->b.g->values[mask].data->data;
    for (int64_t i = 0; i < t * t; i++) at[i] = i % t > i / t ? -1e4F : 0;
    return RANDOM_NODE(m, "Add", NULL, bound, scores, mask);
}

static inline rg_value_id random_attention(random_maker *m, rg_value_id x)
{
    x = random_of_rank(m, random_tame(m, x, 4), 3);
    if (m->b.err) return 0;
    int64_t n = random_dim(m, x, 0), t = random_dim(m, x, 1), c = random_dim(m, x, 2);
    int64_t heads = random_between(m, 1, 4), d = random_between(m, 1, 9), out[2] = {heads * d, c};
    if (n * t * heads * (t > d ? t : d) > RANDOM_COUNT_MAX) return 0;
    rg_value_id q = random_heads(m, x, heads, d, false), k = random_heads(m, x, heads, d, true);
    rg_value_id v = random_heads(m, x, heads, d, false), scores;
    double scale = 1 / sqrt((double)d);
    if (random_chance(m, 30))
        q = RANDOM_NODE(m, "Mul", NULL, random_bound(m, q), q, random_scalar(m, scale)), scale = 1;
    scores = RANDOM_NODE(m, "MatMul", NULL, 16, q, k);
    if (scale < 1 && random_chance(m, 50))
        scores = RANDOM_NODE(m, "Mul", NULL, 16, scores, random_scalar(m, scale));
    else if (scale < 1) scores = RANDOM_NODE(m, "Div", NULL, 16, scores, random_scalar(m, 1 / scale));
    rg_value_id p = RANDOM_NODE(m, "Softmax", "axis=-1", 1, random_mask(m, scores, n, t));
    rg_value_id y = RANDOM_NODE(m, "MatMul", NULL, random_bound(m, v), p, v);
    y = RANDOM_NODE(m, "Transpose", "perm=0,2,1,3", random_bound(m, y), y);
    y = random_reshape(m, y, 3, (const int64_t[]){n, t, heads * d});
    y = RANDOM_NODE(m, "MatMul", NULL, 2 * random_bound(m, y), y, random_weight(m, 2, out, out[0]));
    if (random_chance(m, 70)) y = RANDOM_NODE(m, "Add", NULL, random_bound(m, x) + random_bound(m, y), x, y);
    return y;
}

/* The operator of that name, with fewer heads for keys than for queries. */
static inline rg_value_id random_attention_node(random_maker *m, rg_value_id x)
{
    x = random_of_rank(m, random_tame(m, x, 4), 3);
    if (m->b.err) return 0;
    int64_t n = random_dim(m, x, 0), t = random_dim(m, x, 1), c = random_dim(m, x, 2);
    int64_t few = random_between(m, 1, 2), heads = few * random_between(m, 1, 2), d = random_between(m, 1, 9);
    if (n * t * heads * (t > d ? t : d) > RANDOM_COUNT_MAX) return 0;
    rg_value_id in[3];
    for (int i = 0; i < 3; i++) {
        int64_t dim[2] = {c, (i ? few : heads) * d};
        in[i] = RANDOM_NODE(m, "MatMul", NULL, 2 * random_bound(m, x), x, random_weight(m, 2, dim, c));
    }
    const char *attrs = random_text(m, "q_num_heads=%lld kv_num_heads=%lld is_causal=%d", (long long)heads,
                                    (long long)few, (int)random_below(m, 2));
    return random_node(m, "Attention", attrs, 2 * random_bound(m, x), 3, in);
}

/* A product, an activation, a product: what stands between two attentions. */
static inline rg_value_id random_feed_forward(random_maker *m, rg_value_id x)
{
    int rank = random_rank(m, x);
    if (!rank) return 0;
    x = random_tame(m, x, 16);
    int64_t c = random_dim(m, x, rank - 1), wide = c * random_between(m, 1, 3), in[2] = {c, wide},
            out[2] = {wide, c};
    if (random_count(m, x) / c * wide > RANDOM_COUNT_MAX) return 0;
    rg_value_id y = RANDOM_NODE(m, "MatMul", NULL, 2 * random_bound(m, x), x, random_weight(m, 2, in, c));
    y = RANDOM_NODE(m, "Add", NULL, random_bound(m, y) + 0.5, y, random_vector(m, wide, -0.5, 0.5));
    y = random_epilogue(m, y);
    y = RANDOM_NODE(m, "MatMul", NULL, 2 * random_bound(m, y), y, random_weight(m, 2, out, wide));
    y = RANDOM_NODE(m, "Add", NULL, random_bound(m, y) + 0.5, random_vector(m, c, -0.5, 0.5), y);
    return RANDOM_NODE(m, "Add", NULL, random_bound(m, x) + random_bound(m, y), x, y);
}

/* ---- recurrent networks ---- */

/* [length, batch, input]; the lengths of the sequences, the first state and the other outputs now and then.
 */
static inline rg_value_id random_recurrent(random_maker *m, rg_value_id x)
{
    static const struct { const char *type; int gates; } cells[] = {{"RNN", 1}, {"GRU", 3}, {"LSTM", 4}};
    static const char *const ways[] = {"forward", "reverse", "bidirectional"};
    int64_t cell = random_below(m, 3), way = random_below(m, 3), dirs = way == 2 ? 2 : 1;
    x = random_of_rank(m, random_tame(m, x, 8), 3);
    if (m->b.err) return 0;
    int64_t length = random_dim(m, x, 0), batch = random_dim(m, x, 1), wide = random_dim(m, x, 2);
    int64_t hidden = random_between(m, 1, 9), all = cells[cell].gates * hidden;
    if (length * batch * dirs * hidden > RANDOM_COUNT_MAX || length * batch * all * wide > 200000) return 0;
    rg_value_id in[8] = {x}, out[3];
    uint32_t count = 3, outs = 1 + (uint32_t)random_below(m, cell == 2 ? 3 : 2);
    in[1] = random_weight(m, 3, (const int64_t[]){dirs, all, wide}, wide);
    in[2] = random_weight(m, 3, (const int64_t[]){dirs, all, hidden}, 4 * hidden); /* errors fade */
    if (random_chance(m, 60)) {
        in[3] = random_constant(m, RG_F32, 2, (const int64_t[]){dirs, 2 * all}, -0.5, 0.5);
        count = 4;
    }
    if (random_chance(m, 20)) {
        in[4] = random_constant(m, RG_I32, 1, &batch, 1, (double)length);
        count = 5;
    }
    for (int i = 5; i < (cell == 2 ? 7 : 6); i++) {
        if (random_chance(m, 70)) break;
        in[i] = random_constant(m, RG_F32, 3, (const int64_t[]){dirs, batch, hidden}, -0.5, 0.5);
        count = (uint32_t)i + 1;
    }
    if (cell == 2 && random_chance(m, 15)) {
        in[7] = random_constant(m, RG_F32, 2, (const int64_t[]){dirs, 3 * hidden}, -0.5, 0.5);
        count = 8;
    }
    const char *attrs = random_text(m, "hidden_size=%lld direction=\"%s\"", (long long)hidden, ways[way]);
    if (cell == 1 && random_chance(m, 50)) attrs = random_text(m, "%s linear_before_reset=1", attrs);
    random_nodes(m, cells[cell].type, attrs, 1, count, in, outs, out);
    for (uint32_t i = 1; i < outs; i++) random_offer(m, out[i]);
    if (m->b.err) return 0;
    if (random_chance(m, 40)) return out[0];
    rg_value_id y = RANDOM_NODE(m, "Transpose", "perm=0,2,1,3", 1, out[0]);
    return random_reshape(m, y, 3, (const int64_t[]){length, batch, dirs * hidden});
}

#endif
