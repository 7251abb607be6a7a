/* fast_mixture.c - MoE in f32: the tokens of an expert are rows of its products, found by a table, so that
 * nothing is gathered, and each expert's weights are read once however many tokens it has.
 *
 *     choose      each token's k experts and their shares                     split by tokens
 *     deal        pairs of a token and an expert, expert after expert         one worker: a few numbers
 *     up, gate    hidden [pairs, first], from rows of x anywhere              split by what the products have
 *     down        result [pairs, width]
 *     add up      y of a token: its k results, in the order of its choice     split by tokens
 *
 * Choices are made in doubles, as the plain kernel makes them: both must take the same experts.
 */
#include "exec/fast.h"
#include "exec/mathf.h"

#include <math.h>
#include <string.h>

enum { X, ROUTER, W1, B1, W2, B2, W3, B3, INPUTS };
enum { LINE_BYTE = 64 };     /* parts of the room begin at a cache's line */

/* An expert's packed matrix and bias; those of the next lie a step behind. */
typedef struct matrix { const float *packed, *bias; int64_t step, rows, columns; } matrix;

typedef struct mixture {
    const float *x, *router;
    float *y;
    const float *shift;          /* of what follows in the row: [width], or NULL */
    rg_epilogue after;
    matrix up, down, other;      /* other: W3, whose products are factors; no rows: none */
    rg_act act;
    bool glu, neighbors;         /* glu: W1 makes both factors, which lie next to each other or in halves */
    float alpha, beta, limit;
    bool normalize;
    int64_t tokens, experts, k, width, inner, first; /* first: rows of W1 */
    char *const *room;
    size_t probability_at, chosen_at, share_at, place_at, begin_at, row_at; /* bytes */
    size_t hidden_at, other_at, result_at, room_byte;
} mixture;

static void *part_of_room(const mixture *m, size_t at) { return *m->room + at; }

/* ---- who goes where ---- */

static void choose(const mixture *m, int64_t token, double *p)
{
    const float *score = m->router + token * m->experts;
    int32_t *chosen = (int32_t *)part_of_room(m, m->chosen_at) + token * m->k;
    float *share = (float *)part_of_room(m, m->share_at) + token * m->k;
    double max = -INFINITY, sum = 0, kept = 0;
    for (int64_t e = 0; e < m->experts; e++) max = fmax(max, score[e]);
    for (int64_t e = 0; e < m->experts; e++) sum += p[e] = exp(score[e] - max);
    for (int64_t i = 0; i < m->k; i++) {
        int32_t best = 0;
        for (int32_t e = 1; e < m->experts; e++)
            if (p[e] > p[best]) best = e;
        chosen[i] = best;
        kept += p[best];
        share[i] = (float)(p[best] / sum);
        p[best] = -1;
    }
    for (int64_t i = 0; m->normalize && i < m->k; i++) share[i] = (float)(share[i] / (kept / sum));
}

/* Pairs of expert e are begin[e]..begin[e + 1] - 1; each has the place of its token in x, and each choice its
 * pair. */
static void deal(const mixture *m)
{
    const int32_t *chosen = part_of_room(m, m->chosen_at);
    int32_t *place = part_of_room(m, m->place_at), *begin = part_of_room(m, m->begin_at);
    int32_t *row = part_of_room(m, m->row_at);
    memset(begin, 0, (size_t)(m->experts + 1) * sizeof *begin);
    for (int64_t i = 0; i < m->tokens * m->k; i++) begin[chosen[i] + 1]++;
    for (int64_t e = 0; e < m->experts; e++) begin[e + 1] += begin[e];
    for (int64_t i = 0; i < m->tokens * m->k; i++) {
        place[i] = begin[chosen[i]]++;
        row[place[i]] = (int32_t)(i / m->k * m->width);
    }
    for (int64_t e = m->experts; e > 0; e--) begin[e] = begin[e - 1]; /* as they were */
    begin[0] = 0;
}

/* ---- the experts ---- */

/* C [pairs, w->rows] from rows of A: those of x by the table, or of the pairs themselves. */
static void multiply(const mixture *m, const matrix *w, const float *a, int64_t a_step, float *c, rg_act act,
                     rg_part part)
{
    const int32_t *begin = part_of_room(m, m->begin_at), *row = part_of_room(m, m->row_at);
    for (int64_t e = 0; e < m->experts; e++) {
        int64_t from = begin[e];
        rg_gemm g = {.m = begin[e + 1] - from, .n = w->rows, .k = w->columns, .a_step = a_step,
                     .packed = w->packed + e * w->step, .c_step = w->rows, .c_block = RG_BLOCK,
                     .epilogue = {.bias = w->bias ? w->bias + e * w->rows : NULL, .act = act, .low = 1}};
        g.a = a_step ? a + from * a_step : a;
        g.a_row = a_step ? NULL : row + from;
        g.c = c + from * w->rows;
        if (g.m) rg_gemm_run(&g, part);
    }
}

/* The features of pairs from..to-1 in their places: of two factors where there are two. */
typedef struct gating { const mixture *m; float *hidden, *other; } gating;

RG_INLINE void gate(const gating *s, int64_t from, int64_t to)
{
    const mixture *m = s->m;
    int64_t step = m->neighbors ? 2 : 1, second = m->neighbors ? 1 : m->inner;
    float limit = m->limit, alpha = m->alpha, beta = m->beta;
    for (int64_t i = from; i < to; i++) {
        float *h = s->hidden + i * m->first, *other = s->other + i * m->inner;
        if (!m->glu) {
            RG_INDEPENDENT
            for (int64_t j = 0; j < m->inner; j++) h[j] *= other[j];
            continue;
        }
        RG_INDEPENDENT
        for (int64_t j = 0; j < m->inner; j++) {
            float g = h[j * step], v = rg_betweenf(h[j * step + second], -limit, limit);
            g = rg_pickf(g > limit, limit, g);
            other[j] = rg_swishf(g, alpha) * (v + beta);
        }
    }
}
RG_FOR_MACHINE(gate, gating)

RG_INLINE void add_up(const mixture *m, int64_t from, int64_t to)
{
    const int32_t *place = part_of_room(m, m->place_at);
    const float *share = part_of_room(m, m->share_at);
    float *result = part_of_room(m, m->result_at);
    for (int64_t token = from; token < to; token++) {
        float *sum = result + place[token * m->k] * m->width, *y = m->y + token * m->width;
        const float *add = m->after.add ? m->after.add + token * m->width : NULL, first = share[token * m->k];
        RG_INDEPENDENT
        for (int64_t j = 0; j < m->width; j++) sum[j] *= first;
        for (int64_t i = 1; i < m->k; i++) {
            const float *one = result + place[token * m->k + i] * m->width, by = share[token * m->k + i];
            RG_INDEPENDENT
            for (int64_t j = 0; j < m->width; j++) sum[j] += by * one[j];
        }
        for (int64_t j = 0; m->shift && j < m->width; j++) sum[j] += m->shift[j];
        for (int64_t j = 0; add && j < m->width; j++) sum[j] += add[j];
        rg_act_run(&m->after, sum, y, m->width);
    }
}
RG_FOR_MACHINE(add_up, mixture)

static void run(void *state, rg_part part)
{
    const mixture *m = state;
    int64_t from, to;
    double *p = (double *)part_of_room(m, m->probability_at) + part.worker * m->experts;
    float *hidden = part_of_room(m, m->hidden_at), *other = part_of_room(m, m->other_at);
    float *result = part_of_room(m, m->result_at);
    rg_part_of(part, m->tokens, 1, &from, &to);
    for (int64_t token = from; token < to; token++) choose(m, token, p);
    rg_team_barrier(part);
    if (part.worker == 0) deal(m);
    rg_team_barrier(part);
    multiply(m, &m->up, m->x, 0, hidden, m->act, part);
    if (m->other.rows) multiply(m, &m->other, m->x, 0, other, RG_ACT_NONE, part);
    rg_team_barrier(part);
    if (m->glu || m->other.rows) {
        gating s = {m, hidden, other};
        rg_part_of(part, m->tokens * m->k, 1, &from, &to);
        gate_best(&s, from, to);
        rg_team_barrier(part);
    }
    multiply(m, &m->down, m->glu ? other : hidden, m->inner, result, RG_ACT_NONE, part);
    rg_team_barrier(part);
    rg_part_of(part, m->tokens, 1, &from, &to);
    add_up_best(m, from, to);
}

/* ---- making ---- */

static bool has(const rg_node *n, uint32_t i) { return i < n->in_count && n->in[i]; }

static bool reads_act(const rg_fast_row *r, mixture *m)
{
    static const struct { const char *name; rg_act act; } acts[] = {
        {"relu", RG_ACT_RELU}, {"gelu", RG_ACT_GELU}, {"silu", RG_ACT_SWISH}, {"identity", RG_ACT_NONE},
    };
    rg_str name = rg_op_str(&r->site, "activation_type");
    m->glu = rg_str_is(name, "swiglu");
    m->neighbors = rg_op_int(&r->site, "swiglu_fusion") == 1;
    m->alpha = (float)rg_op_real(&r->site, "activation_alpha");
    m->beta = (float)rg_op_real(&r->site, "activation_beta");
    m->limit =
        rg_op_has(&r->site, "swiglu_limit") ? (float)rg_op_real(&r->site, "swiglu_limit") : INFINITY;
    for (size_t i = 0; i < RG_COUNT(acts); i++) {
        if (!rg_str_is(name, acts[i].name)) continue;
        m->act = acts[i].act;
        return true;
    }
    return m->glu;
}

/* Shapes were inferred: they fit each other. */
static bool fits(const rg_fast_row *r, mixture *m)
{
    const rg_node *n = r->site.node;
    if (!rg_str_is(n->type, "MoE") || !rg_str_is(n->domain, "com.microsoft")) return false;
    if (n->in_count <= W2 || n->in_count > INPUTS || !n->out[0]) return false;
    for (uint32_t i = X; i < n->in_count; i++)
        if (n->in[i] && (!rg_fast_is_f32(r, n->in[i]) || (i >= W1 && !rg_fast_is_constant(r, n->in[i]))))
            return false;
    const rg_array *x = rg_fast_array(r, n->in[X]), *router = rg_fast_array(r, n->in[ROUTER]),
                   *up = rg_fast_array(r, n->in[W1]), *down = rg_fast_array(r, n->in[W2]);
    m->experts = down->dim[0], m->width = down->dim[1], m->inner = down->dim[2], m->first = up->dim[1];
    if (m->experts < 1 || m->width < 1 || m->inner < 1 || m->first < 1 || x->count == 0) return false;
    m->tokens = x->count / m->width;
    m->k = rg_op_int(&r->site, "k");
    m->normalize = rg_op_int(&r->site, "normalize_routing_weights") != 0;
    m->x = x->data, m->router = router->data, m->y = rg_fast_array(r, r->chain.out)->data;
    if (m->k < 1 || m->k > m->experts || router->count != m->tokens * m->experts) return false;
    if (x->dim[x->rank - 1] != m->width || x->count > INT32_MAX || m->tokens * m->k > INT32_MAX) return false;
    if (!reads_act(r, m) || (m->glu && has(n, W3))) return false;
    return m->first == (m->glu ? 2 : 1) * m->inner;
}

/* Weights are [experts, rows, columns]. */
static rg_err pack(const rg_fast_row *r, uint32_t i, matrix *out)
{
    const rg_node *n = r->site.node;
    bool made;
    if (!has(n, i)) return RG_OK;
    const rg_array *w = rg_fast_array(r, n->in[i]);
    int64_t experts = w->dim[0], rows = w->dim[1], columns = w->dim[2];
    int64_t step = (int64_t)rg_gemm_packed_count(columns, rows);
    float *packed = RG_WEIGHTS(r, float, step * experts, &made);
    if (!packed) return rg_nomem(r->cx);
    for (int64_t e = 0; !made && e < experts; e++)
        rg_gemm_pack((const float *)w->data + e * rows * columns, 1, columns, columns, rows,
                     packed + e * step, RG_ALONE);
    *out = (matrix){.packed = packed, .step = step, .rows = rows, .columns = columns,
                    .bias = has(n, i + 1) ? rg_fast_array(r, n->in[i + 1])->data : NULL};
    return RG_OK;
}

static size_t take(mixture *m, int64_t count, size_t size)
{
    size_t at = m->room_byte;
    m->room_byte += ((size_t)count * size + LINE_BYTE - 1) / LINE_BYTE * LINE_BYTE;
    return at;
}

static void divide_room(const rg_fast_row *r, mixture *m)
{
    int64_t pairs = m->tokens * m->k;
    m->probability_at = take(m, r->workers * m->experts, sizeof(double));
    m->chosen_at = take(m, pairs, sizeof(int32_t));
    m->share_at = take(m, pairs, sizeof(float));
    m->place_at = take(m, pairs, sizeof(int32_t));
    m->begin_at = take(m, m->experts + 1, sizeof(int32_t));
    m->row_at = take(m, pairs, sizeof(int32_t));
    m->hidden_at = take(m, pairs * m->first, sizeof(float));
    m->other_at = take(m, m->glu || m->other.rows ? pairs * m->inner : 0, sizeof(float));
    m->result_at = take(m, pairs * m->width, sizeof(float));
    m->room = rg_fast_room(r, m->room_byte);
}

static rg_err make(const rg_fast_row *r, void **state)
{
    mixture m = {0};
    *state = NULL;
    if (!fits(r, &m)) return RG_OK;
    RG_TRY(pack(r, W1, &m.up));
    RG_TRY(pack(r, W2, &m.down));
    RG_TRY(pack(r, W3, &m.other));
    divide_room(r, &m);
    m.after = rg_chain_epilogue(r);
    m.shift = r->chain.shift; /* a product's scale is 1 */
    mixture *made = RG_NEW(r->arena, mixture, 1);
    if (!made) return rg_nomem(r->cx);
    *made = m;
    *state = made;
    return RG_OK;
}

RG_FAST(mixture) = {
    .name = "mixture", .brief = "MoE, the tokens of an expert together", .make = make, .run = run,
};
