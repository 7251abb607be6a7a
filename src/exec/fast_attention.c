/* fast_attention.c - softmax(Q K^T * scale + mask) V in f32, a few queries at a time.
 *
 *     room:   K^T in panels | V in panels | scores [queries, keys]        one head of keys and values
 *
 * Both products run on packed panels; the scores of a tile of queries stay in a near cache between them, and
 * those of all queries are nowhere. What of Attention is not here (a past, softcap, key lengths, scores as a
 * result) is the plain kernel's.
 */
#include "exec/fast.h"
#include "exec/mathf.h"

#include <math.h>

enum { Q, K, V, MASK, INPUTS };
enum { SCORE_FLOATS = 32 * 1024 }; /* 128 KB: with one head's panels, what a second cache of today holds */

/* One operand as [batch, head, row, size]; the last step is 1. */
typedef struct rows { float *data; int64_t batch, head, row; } rows;

typedef struct attention {
    rows q, k, v, y;
    int64_t batch, q_heads, kv_heads, queries, keys, qk_size, v_size, tile; /* tile: queries at a time */
    float scale;
    bool causal, yes_or_no;        /* the mask holds bools */
    const void *mask;              /* or NULL */
    int64_t mask_step[3];          /* of batch, head, query */
    float *k_panels, *v_panels, *score;
} attention;

static float *row_at(const rows *m, int64_t batch, int64_t head, int64_t i)
{
    return m->data + batch * m->batch + head * m->head + i * m->row;
}

/* What a query's scores get before the softmax. */
typedef struct query {
    const attention *a;
    float *score;
    const float *add;     /* a mask of either kind, or none */
    const uint8_t *allow;
    int64_t seen;         /* keys up to the query's own position */
} query;

/* A query that may see nothing stays zero. */
RG_INLINE void weigh(const query *s, int64_t from, int64_t to)
{
    const attention *a = s->a;
    (void)from, (void)to;
    float *x = s->score, scale = a->scale;
    RG_INDEPENDENT
    for (int64_t j = 0; j < a->keys; j++) x[j] *= scale;
    if (s->add) {
        RG_INDEPENDENT
        for (int64_t j = 0; j < a->keys; j++) x[j] += s->add[j];
    }
    if (s->allow) {
        RG_INDEPENDENT
        for (int64_t j = 0; j < a->keys; j++) x[j] = s->allow[j] ? x[j] : -INFINITY;
    }
    for (int64_t j = s->seen; j < a->keys; j++) x[j] = 0;
    float max = rg_maxf(x, s->seen);
    if (max == -INFINITY) max = 0;
    RG_INDEPENDENT
    for (int64_t j = 0; j < s->seen; j++) x[j] = rg_expf(x[j] - max);
    float sum = rg_sumf(x, s->seen), factor = sum == 0 ? 0 : 1 / sum;
    RG_INDEPENDENT
    for (int64_t j = 0; j < s->seen; j++) x[j] *= factor;
}
RG_FOR_MACHINE(weigh, query)

static void weigh_query(const attention *a, int64_t batch, int64_t head, int64_t i, float *score)
{
    int64_t at = batch * a->mask_step[0] + head * a->mask_step[1] + i * a->mask_step[2];
    query s = {.a = a, .score = score, .seen = a->causal && i + 1 < a->keys ? i + 1 : a->keys};
    if (a->mask && a->yes_or_no) s.allow = (const uint8_t *)a->mask + at;
    else if (a->mask) s.add = (const float *)a->mask + at;
    weigh_best(&s, 0, 1);
}

static void run_tile(const attention *a, int64_t batch, int64_t head, int64_t first)
{
    int64_t count = a->queries - first < a->tile ? a->queries - first : a->tile;
    rg_gemm scores = {.m = count,
                      .n = a->keys,
                      .k = a->qk_size,
                      .a = row_at(&a->q, batch, head, first),
                      .a_step = a->q.row,
                      .packed = a->k_panels,
                      .c = a->score,
                      .c_step = a->keys,
                      .c_block = RG_BLOCK};
    rg_gemm mix = {.m = count,
                   .n = a->v_size,
                   .k = a->keys,
                   .a = a->score,
                   .a_step = a->keys,
                   .packed = a->v_panels,
                   .c = row_at(&a->y, batch, head, first),
                   .c_step = a->y.row,
                   .c_block = RG_BLOCK};
    rg_gemm_run(&scores, RG_ALONE);
    for (int64_t i = 0; i < count; i++) weigh_query(a, batch, head, first + i, a->score + i * a->keys);
    rg_gemm_run(&mix, RG_ALONE);
}

/* Heads of keys and values are independent of each other. */
static void run_head(const attention *a, int64_t index)
{
    int64_t batch = index / a->kv_heads, head = index % a->kv_heads, sharing = a->q_heads / a->kv_heads;
    rg_gemm_pack(row_at(&a->k, batch, head, 0), 1, a->k.row, a->qk_size, a->keys, a->k_panels,
                 RG_ALONE);
    rg_gemm_pack(row_at(&a->v, batch, head, 0), a->v.row, 1, a->keys, a->v_size, a->v_panels,
                 RG_ALONE);
    for (int64_t h = head * sharing; h < (head + 1) * sharing; h++)
        for (int64_t first = 0; first < a->queries; first += a->tile) run_tile(a, batch, h, first);
}

static void run(void *state, rg_part part)
{
    const attention *a = state;
    if (part.worker) return;
    for (int64_t i = 0; i < a->batch * a->kv_heads; i++) run_head(a, i);
}

/* ---- making ---- */

static rows rows_of(const rg_array *x, int64_t heads, int64_t size)
{
    int64_t length = x->dim[x->rank - 2];
    bool packed = x->rank == 3;
    return (rows){.data = x->data, .batch = heads * length * size, .head = packed ? size : length * size,
                  .row = packed ? heads * size : size};
}

/* Sizes, which must agree with each other: the plain kernel says so where they do not. */
static bool reads_sizes(const rg_fast_row *r, attention *a)
{
    const rg_node *n = r->site.node;
    const rg_array *q = rg_fast_array(r, n->in[Q]), *k = rg_fast_array(r, n->in[K]),
                   *v = rg_fast_array(r, n->in[V]);
    bool packed = q->rank == 3;
    if ((q->rank != 3 && q->rank != 4) || k->rank != q->rank || v->rank != q->rank) return false;
    a->batch = q->dim[0];
    a->q_heads = packed ? rg_op_int(&r->site, "q_num_heads") : q->dim[1];
    a->kv_heads = packed ? rg_op_int(&r->site, "kv_num_heads") : k->dim[1];
    a->queries = q->dim[q->rank - 2];
    a->keys = k->dim[q->rank - 2];
    if (a->q_heads < 1 || a->kv_heads < 1 || a->q_heads % a->kv_heads) return false;
    a->qk_size = q->dim[q->rank - 1] / (packed ? a->q_heads : 1);
    a->v_size = v->dim[v->rank - 1] / (packed ? a->kv_heads : 1);
    return a->keys > 0 && a->qk_size > 0 && a->v_size > 0 && k->dim[0] == a->batch && v->dim[0] == a->batch &&
           k->count == a->batch * a->kv_heads * a->keys * a->qk_size &&
           v->count == a->batch * a->kv_heads * a->keys * a->v_size;
}

static bool reads_mask(const rg_fast_row *r, attention *a)
{
    const rg_node *n = r->site.node;
    const int64_t dim[] = {a->batch, a->q_heads, a->queries};
    if (n->in_count <= MASK || !n->in[MASK]) return true;
    const rg_array *m = rg_fast_array(r, n->in[MASK]);
    a->yes_or_no = m->dtype == RG_BOOL;
    a->mask = m->data;
    if ((m->dtype != RG_F32 && m->dtype != RG_BOOL) || m->rank < 1 || m->rank > 4) return false;
    if (m->dim[m->rank - 1] != a->keys) return false;
    int64_t step = a->keys;
    for (int axis = 2, k = m->rank - 2; k >= 0; axis--, k--) {
        if (m->dim[k] != dim[axis] && m->dim[k] != 1) return false;
        a->mask_step[axis] = m->dim[k] == 1 ? 0 : step;
        step *= m->dim[k];
    }
    return true;
}

static bool fits(const rg_fast_row *r, attention *a)
{
    const rg_node *n = r->site.node;
    if (!rg_node_is(n, "Attention") || n->in_count <= V || !n->out[0]) return false;
    for (uint32_t i = 0; i < n->in_count; i++)
        if (n->in[i] && ((i < MASK && !rg_fast_is_f32(r, n->in[i])) || i >= INPUTS)) return false;
    for (uint32_t i = 1; i < n->out_count; i++)
        if (n->out[i]) return false;
    if (rg_op_real(&r->site, "softcap") != 0 || !reads_sizes(r, a) || !reads_mask(r, a)) return false;
    a->causal = rg_op_int(&r->site, "is_causal") != 0;
    a->scale = (float)(rg_op_has(&r->site, "scale") ? rg_op_real(&r->site, "scale")
                                                    : 1 / sqrt((double)a->qk_size));
    a->q = rows_of(rg_fast_array(r, n->in[Q]), a->q_heads, a->qk_size);
    a->k = rows_of(rg_fast_array(r, n->in[K]), a->kv_heads, a->qk_size);
    a->v = rows_of(rg_fast_array(r, n->in[V]), a->kv_heads, a->v_size);
    a->y = rows_of(rg_fast_array(r, n->out[0]), a->q_heads, a->v_size);
    return true;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    attention a = {0};
    *state = NULL;
    if (!fits(r, &a)) return RG_OK;
    int64_t least = rg_gemm_mr(), most = SCORE_FLOATS / a.keys / least * least;
    a.tile = most < least ? least : most;
    if (a.tile > a.queries) a.tile = a.queries;
    a.k_panels = RG_NEW(r->arena, float, rg_gemm_packed_count(a.qk_size, a.keys));
    a.v_panels = RG_NEW(r->arena, float, rg_gemm_packed_count(a.keys, a.v_size));
    a.score = RG_NEW(r->arena, float, a.tile * a.keys);
    attention *made = RG_NEW(r->arena, attention, 1);
    if (!a.k_panels || !a.v_panels || !a.score || !made) return rg_nomem(r->cx);
    *made = a;
    *state = made;
    return RG_OK;
}

RG_FAST(attention) = {
    .name = "attention", .brief = "softmax(QK^T)V, a tile of queries at a time", .make = make, .run = run,
};
