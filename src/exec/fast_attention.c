/* fast_attention.c - softmax(Q K^T * scale + mask) V in f32, a tile of queries of one head at a time.
 *
 *     a worker's room:   K^T in panels | V in panels | factors [queries] | scores [queries, keys]
 *
 * Both products run on packed panels; the scores of a tile stay in a near cache between them, and those of
 * all queries are nowhere. Tiles are split over workers, head after head, and each packs the heads that it
 * meets. For a few queries packing would cost more than the products: those read keys and values as they lie.
 * Past keys and values are put in front of the new ones where the present ones, which are results, lie. Of a
 * cache that is longer than what it holds, only the keys that a sequence's length covers are looked at. Lines
 * of Q, K and V of one head are a whole row of all heads apart, which no machine foresees: while weights are
 * computed, a few of the next head's are asked for with each query. What of Attention is not here (scores as
 * a result) is the plain kernel's.
 */
#include "exec/fast.h"
#include "exec/f32x8.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { Q, K, V, MASK, PAST_K, PAST_V, LENGTHS, INPUTS };
enum { Y, PRESENT_K, PRESENT_V, OUTPUTS };
enum {
    SCORE_FLOATS = 32 * 1024, /* 128 KB: with one head's panels, what a second cache of today holds */
    TILE_ROWS = 48,           /* at most: causal ones in front see few keys, and a first cache holds them */
    LINE_FLOATS = 16,         /* parts of the room begin at a cache's line */
    FEW_QUERIES = 4,          /* a head's: they are answered without panels */
    VECTORS = 4,              /* of scores at a time: a step of one takes 3 or 4 cycles, two begin in each */
};

/* One operand as [batch, head, row, size]; the last step is 1. */
typedef struct rows { float *data; int64_t batch, head, row; } rows;

typedef struct attention {
    rows q, k, v, y;               /* k, v: the present ones where they are joined */
    bool joins;
    rows new_k, new_v, past_k, past_v;
    int64_t batch, q_heads, kv_heads, queries, keys, past, qk_size, v_size; /* keys: past + new */
    int64_t tile, tiles;           /* queries at a time; tiles of a head */
    float scale, softcap;
    bool causal, yes_or_no;        /* the mask holds bools */
    const rg_array *lengths;       /* [batch]: keys that are no padding; or NULL */
    const void *mask;              /* or NULL */
    int64_t mask_keys;             /* of its last axis: nobody sees those behind */
    int64_t mask_step[3];          /* of batch, head, query */
    char *const *room;
    int64_t k_count, v_count, room_count; /* floats of a worker's panels, and of its room */
} attention;

static int64_t least(int64_t x, int64_t y) { return x < y ? x : y; }

static float *row_at(const rows *m, int64_t batch, int64_t head, int64_t i)
{
    return m->data + batch * m->batch + head * m->head + i * m->row;
}

/* Rows that are needed soon, some of them with each query. */
typedef struct ahead { const float *data; int64_t row, count, size, some; } ahead;

/* Queries of one head that are worked on together. */
typedef struct tile {
    const attention *a;
    int64_t batch, head, kv_head, first, count;
    int64_t seen;         /* keys that the last of them sees: no more are looked at */
    int64_t all;          /* the same of its sequence's last query: so many are packed */
    int64_t wide;         /* the same in whole panels, which are filled up with zeros */
    float *score;         /* [count, wide] */
    float *factor;        /* [count], of its results */
    bool masked;          /* its mask does something */
    ahead next[3];        /* Q of the next tile, of the next head's K and V this tile's share */
} tile;

/* A few lines with each query, so that they come while others are computed with. */
RG_INLINE void ask_ahead(const tile *t, int64_t i)
{
    for (int k = 0; k < 3; k++) {
        const ahead *n = &t->next[k];
        for (int64_t row = n->some * i, end = least(n->count, row + n->some); row < end; row++)
            for (int64_t j = 0; j < n->size; j += LINE_FLOATS)
                __builtin_prefetch(n->data + row * n->row + j, 0, 2);
    }
}

/* ---- the softmax ---- */

/* What makes weights of a query's scores: powers of 2 of (scale * score + add) - the greatest of them. */
typedef struct query {
    float *score;
    const float *add;     /* a mask of either kind, or none */
    const uint8_t *allow;
    float scale;
    int64_t seen, whole;  /* keys up to the query's own position; of them, in whole vectors */
} query;

/* Keys that query i of a sequence sees. Without a past, queries are the last of the sequence's keys where its
 * length is known. */
static int64_t seen_by(const attention *a, int64_t batch, int64_t i)
{
    int64_t length = a->lengths ? rg_get_int(a->lengths, batch) : a->keys;
    int64_t before = a->lengths && a->past == 0 ? length - a->queries : a->past;
    int64_t seen = least(length, a->mask_keys);
    if (a->causal) seen = least(seen, before + i + 1);
    return seen > 0 ? seen : 0;
}

/* Queries of a tile see different numbers of keys only where they are causal. */
RG_INLINE query query_of(const tile *t, int64_t i)
{
    const attention *a = t->a;
    int64_t at = t->batch * a->mask_step[0] + t->head * a->mask_step[1] + (t->first + i) * a->mask_step[2];
    int64_t seen = a->causal ? seen_by(a, t->batch, t->first + i) : t->seen;
    query s = {.score = t->score + i * t->wide, .seen = seen, .whole = seen / 8 * 8, .scale = a->scale};
    if (t->masked && a->yes_or_no) s.allow = (const uint8_t *)a->mask + at;
    else if (t->masked) s.add = (const float *)a->mask + at;
    return s;
}

/* What cannot be done while scores are compared, and what is behind the last whole vector: there masks may
 * end, and keys that are not seen get what weighs nothing. */
RG_INLINE void bend(const attention *a, query *s)
{
    const float *add = s->add;
    const uint8_t *allow = s->allow;
    float *x = s->score, scale = s->scale, cap = a->softcap;
    int64_t seen = s->seen, end = (seen + 7) / 8 * 8;
    if (cap > 0) {
        RG_INDEPENDENT
        for (int64_t j = 0; j < seen; j++) x[j] = cap * rg_tanhf(x[j] * scale / cap);
        s->scale = 1;
    } else if (!add && !(scale > 0)) { /* the greatest score would not stay the greatest */
        RG_INDEPENDENT
        for (int64_t j = 0; j < seen; j++) x[j] *= scale;
        s->scale = 1;
    }
    if (allow) {
        RG_INDEPENDENT
        for (int64_t j = 0; j < seen; j++) x[j] = rg_pickf(allow[j] != 0, x[j], -INFINITY);
    }
    for (int64_t j = s->whole; add && j < seen; j++) x[j] = x[j] * s->scale + add[j];
    for (int64_t j = seen; j < end; j++) x[j] = -INFINITY;
}

/* 1.5 * 2^23 + 127, the least exponent, and 2^r's terms from the last on. */
#define EIGHT(x) {x, x, x, x, x, x, x, x}
static const float power_terms[][8] = {
    EIGHT(12583039.0f),      EIGHT(-127.0f),          EIGHT(1.326473882e-03f), EIGHT(9.671516688e-03f),
    EIGHT(5.550733753e-02f), EIGHT(2.402224202e-01f), EIGHT(6.931469776e-01f), EIGHT(1.0f),
};
#undef EIGHT

#if defined(__x86_64__)
#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma")))
#define MAX(x, y) _mm256_max_ps((__m256)(x), (__m256)(y))
#include "exec/fast_attention_weigh.h"
#undef MAX
#undef TARGET
#undef NAME
#endif
#define NAME(x) plain_##x
#define TARGET
#define MAX(x, y) rg_pick8((x) > (y), x, y)
#include "exec/fast_attention_weigh.h"
#undef MAX
#undef TARGET
#undef NAME

static void weigh(const tile *t)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        avx2_weigh(t);
        return;
    }
#endif
    plain_weigh(t);
}

RG_INLINE void finish(const tile *t, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        float *y = row_at(&t->a->y, t->batch, t->head, t->first + i), factor = t->factor[i];
        RG_INDEPENDENT
        for (int64_t j = 0; j < t->a->v_size; j++) y[j] *= factor;
    }
}
RG_FOR_MACHINE(finish, tile)

/* ---- a tile, by panels ---- */

static void multiply(const tile *t, const float *k_panels, const float *v_panels)
{
    const attention *a = t->a;
    rg_gemm scores = {.m = t->count, .n = t->wide, .k = a->qk_size, .packed = k_panels,
                      .a = row_at(&a->q, t->batch, t->head, t->first), .a_step = a->q.row,
                      .c = t->score, .c_step = t->wide, .c_block = RG_BLOCK};
    rg_gemm mix = {.m = t->count, .n = a->v_size, .k = t->seen, .packed = v_panels, .packed_k = t->all,
                   .a = t->score, .a_step = t->wide,
                   .c = row_at(&a->y, t->batch, t->head, t->first), .c_step = a->y.row, .c_block = RG_BLOCK};
    rg_gemm_run(&scores, RG_ALONE);
    weigh(t);
    rg_gemm_run(&mix, RG_ALONE);
    finish_best(t, 0, t->count);
}

/* ---- a few queries, from keys and values as they lie ---- */

RG_INLINE float dot(const float *x, const float *y, int64_t count)
{
    rg_f32x8 a = {0}, b = {0};
    float sum = 0;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        a += rg_load8(x + i) * rg_load8(y + i);
        b += rg_load8(x + i + 8) * rg_load8(y + i + 8);
    }
    a += b;
    for (; i < count; i++) sum += x[i] * y[i];
    for (int k = 0; k < 8; k++) sum += a[k];
    return sum;
}

RG_INLINE void look(const tile *t, int64_t from, int64_t to)
{
    const attention *a = t->a;
    const float *k = row_at(&a->k, t->batch, t->kv_head, 0);
    for (int64_t i = from; i < to; i++) {
        const float *q = row_at(&a->q, t->batch, t->head, t->first + i);
        query s = query_of(t, i);
        for (int64_t j = 0; j < s.seen; j++) s.score[j] = dot(q, k + j * a->k.row, a->qk_size);
    }
}
RG_FOR_MACHINE(look, tile)

static void answer(const tile *t)
{
    const attention *a = t->a;
    const float *v = row_at(&a->v, t->batch, t->kv_head, 0);
    look_best(t, 0, t->count);
    weigh(t);
    for (int64_t i = 0; i < t->count; i++)
        rg_gemm_row(t->score + i * t->wide, t->seen, v, a->v.row, a->v_size,
                    row_at(&a->y, t->batch, t->head, t->first + i));
    finish_best(t, 0, t->count);
}

/* ---- all of them ---- */

/* The past lines, then the new ones, where the present ones lie. */
static void join(const attention *a, const rows *past, const rows *fresh, const rows *to, int64_t size,
                 int64_t line)
{
    int64_t batch = line / a->kv_heads, head = line % a->kv_heads, old = a->past;
    float *at = row_at(to, batch, head, 0);
    if (old) memcpy(at, row_at(past, batch, head, 0), (size_t)(old * size) * sizeof *at);
    for (int64_t i = old; i < a->keys; i++)
        memcpy(at + i * size, row_at(fresh, batch, head, i - old), (size_t)size * sizeof *at);
}

static void join_past(const attention *a, rg_part part)
{
    int64_t from, to;
    rg_part_of(part, a->batch * a->kv_heads, 1, &from, &to);
    for (int64_t line = from; line < to; line++) {
        join(a, &a->past_k, &a->new_k, &a->k, a->qk_size, line);
        join(a, &a->past_v, &a->new_v, &a->v, a->v_size, line);
    }
    rg_team_barrier(part);
}

static int64_t whole_panels(int64_t keys)
{
    int64_t nr = rg_gemm_nr();
    return (keys + nr - 1) / nr * nr;
}

static int64_t whole_lines(int64_t count)
{
    return (count + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
}

/* A mask of keys alone, such as the one of padding, is often one of nothing. */
static bool masks(const attention *a, int64_t batch, int64_t head)
{
    int64_t at = batch * a->mask_step[0] + head * a->mask_step[1];
    bool some = false;
    if (!a->mask || a->mask_step[2]) return a->mask != NULL;
    if (a->yes_or_no)
        for (int64_t j = 0; j < a->mask_keys; j++) some |= !((const uint8_t *)a->mask)[at + j];
    else
        for (int64_t j = 0; j < a->mask_keys; j++) some |= ((const float *)a->mask)[at + j] != 0;
    return some;
}

static tile tile_of(const attention *a, int64_t index, float *factor)
{
    int64_t head = index / a->tiles % a->q_heads, first = index % a->tiles * a->tile;
    int64_t count = least(a->queries - first, a->tile), batch = index / a->tiles / a->q_heads;
    int64_t seen = seen_by(a, batch, first + count - 1);
    return (tile){.a = a,
                  .batch = batch,
                  .head = head,
                  .first = first,
                  .count = count,
                  .kv_head = head / (a->q_heads / a->kv_heads),
                  .seen = seen,
                  .masked = masks(a, batch, head),
                  .all = seen_by(a, batch, a->queries - 1),
                  .wide = whole_panels(seen),
                  .factor = factor,
                  .score = factor + whole_lines(a->tile)};
}

/* Nothing is seen. */
static void clear(const tile *t)
{
    for (int64_t i = 0; i < t->count; i++) {
        float *y = row_at(&t->a->y, t->batch, t->head, t->first + i);
        memset(y, 0, (size_t)t->a->v_size * sizeof *y);
    }
}

static ahead ahead_of(const tile *t, const rows *m, int64_t batch, int64_t head, int64_t from, int64_t count,
                      int64_t size)
{
    return (ahead){row_at(m, batch, head, from), m->row, count, size, (count + t->count - 1) / t->count};
}

/* What comes behind tile `index`; this worker's end before `to`. */
static void look_ahead(tile *t, int64_t index, int64_t to)
{
    const attention *a = t->a;
    int64_t per_line = a->tiles * (a->q_heads / a->kv_heads), line = index / per_line + 1;
    int64_t part = index % per_line, from = t->all * part / per_line;
    int64_t count = t->all * (part + 1) / per_line - from;
    if (index + 1 < to) {
        tile n = tile_of(a, index + 1, t->factor);
        t->next[0] = ahead_of(t, &a->q, n.batch, n.head, n.first, n.count, a->qk_size);
    }
    if (line * per_line < to) {
        int64_t batch = line / a->kv_heads, head = line % a->kv_heads;
        t->next[1] = ahead_of(t, &a->k, batch, head, from, count, a->qk_size);
        t->next[2] = ahead_of(t, &a->v, batch, head, from, count, a->v_size);
    }
}

static bool allows(const void *state)
{
    const attention *a = state;
    bool all = true;
    for (int64_t b = 0; a->lengths && b < a->batch; b++) {
        int64_t length = rg_get_int(a->lengths, b);
        all &= length >= 0 && length <= a->keys;
    }
    return all;
}

static void run(void *state, rg_part part)
{
    const attention *a = state;
    float *k_panels = (float *)(void *)*a->room + part.worker * a->room_count,
          *v_panels = k_panels + a->k_count;
    int64_t from, to, packed = -1;
    if (a->joins) join_past(a, part);
    rg_part_of(part, a->batch * a->q_heads * a->tiles, 1, &from, &to);
    for (int64_t i = from; i < to; i++) {
        tile t = tile_of(a, i, v_panels + a->v_count);
        int64_t line = t.batch * a->kv_heads + t.kv_head;
        if (!t.seen || a->queries <= FEW_QUERIES) {
            if (t.seen) answer(&t);
            else clear(&t);
            continue;
        }
        if (line != packed) {
            const float *k = row_at(&a->k, t.batch, t.kv_head, 0), *v = row_at(&a->v, t.batch, t.kv_head, 0);
            rg_gemm_pack(k, 1, a->k.row, a->qk_size, t.all, k_panels, RG_ALONE);
            rg_gemm_pack(v, a->v.row, 1, t.all, a->v_size, v_panels, RG_ALONE);
        }
        packed = line;
        look_ahead(&t, i, to);
        multiply(&t, k_panels, v_panels);
    }
}

/* ---- making ---- */

static rows rows_of(const rg_array *x, int64_t heads, int64_t size)
{
    int64_t length = x->dim[x->rank - 2];
    bool packed = x->rank == 3;
    return (rows){.data = x->data, .batch = heads * length * size, .head = packed ? size : length * size,
                  .row = packed ? heads * size : size};
}

static bool has(const rg_value_id *ids, uint32_t count, uint32_t i) { return i < count && ids[i]; }

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
    int64_t fresh = k->dim[k->rank - 2];
    if (a->q_heads < 1 || a->kv_heads < 1 || a->q_heads % a->kv_heads) return false;
    a->past = has(n->in, n->in_count, PAST_K) ? rg_fast_array(r, n->in[PAST_K])->dim[2] : 0;
    a->keys = a->past + fresh;
    a->qk_size = q->dim[q->rank - 1] / (packed ? a->q_heads : 1);
    a->v_size = v->dim[v->rank - 1] / (packed ? a->kv_heads : 1);
    return a->keys > 0 && a->qk_size > 0 && a->v_size > 0 && k->dim[0] == a->batch && v->dim[0] == a->batch &&
           k->count == a->batch * a->kv_heads * fresh * a->qk_size &&
           v->count == a->batch * a->kv_heads * fresh * a->v_size;
}

static bool reads_mask(const rg_fast_row *r, attention *a)
{
    const rg_node *n = r->site.node;
    const int64_t dim[] = {a->batch, a->q_heads, a->queries};
    a->mask_keys = a->keys;
    if (n->in_count <= MASK || !n->in[MASK]) return true;
    const rg_array *m = rg_fast_array(r, n->in[MASK]);
    a->yes_or_no = m->dtype == RG_BOOL;
    a->mask = m->data;
    if ((m->dtype != RG_F32 && m->dtype != RG_BOOL) || m->rank < 1 || m->rank > 4) return false;
    if (m->dim[m->rank - 1] > a->keys) return false;
    int64_t step = a->mask_keys = m->dim[m->rank - 1];
    for (int axis = 2, k = m->rank - 2; k >= 0; axis--, k--) {
        if (m->dim[k] != dim[axis] && m->dim[k] != 1) return false;
        a->mask_step[axis] = m->dim[k] == 1 ? 0 : step;
        step *= m->dim[k];
    }
    return true;
}

static bool reads_lengths(const rg_fast_row *r, attention *a)
{
    const rg_node *n = r->site.node;
    if (!has(n->in, n->in_count, LENGTHS)) return true;
    a->lengths = rg_fast_array(r, n->in[LENGTHS]);
    return rg_dtype_is_int(a->lengths->dtype) && a->lengths->count == a->batch;
}

/* [batch, kv_heads, rows, size]. */
static bool is_lines(const rg_fast_row *r, const attention *a, rg_value_id v, int64_t count, int64_t size)
{
    const rg_array *x = rg_fast_array(r, v);
    return rg_fast_is_f32(r, v) && x->rank == 4 && x->dim[0] == a->batch && x->dim[1] == a->kv_heads &&
           x->dim[2] == count && x->dim[3] == size;
}

/* Present keys and values are what past, if any, and new ones are joined in. */
static bool reads_past(const rg_fast_row *r, attention *a)
{
    const rg_node *n = r->site.node;
    bool past_k = has(n->in, n->in_count, PAST_K), past_v = has(n->in, n->in_count, PAST_V);
    bool k = has(n->out, n->out_count, PRESENT_K), v = has(n->out, n->out_count, PRESENT_V);
    if (!past_k && !past_v && !k && !v) return true;
    if (past_k != past_v || !k || !v || !is_lines(r, a, n->out[PRESENT_K], a->keys, a->qk_size) ||
        !is_lines(r, a, n->out[PRESENT_V], a->keys, a->v_size))
        return false;
    if (past_k) {
        if (!is_lines(r, a, n->in[PAST_K], a->past, a->qk_size) ||
            !is_lines(r, a, n->in[PAST_V], a->past, a->v_size))
            return false;
        a->past_k = rows_of(rg_fast_array(r, n->in[PAST_K]), a->kv_heads, a->qk_size);
        a->past_v = rows_of(rg_fast_array(r, n->in[PAST_V]), a->kv_heads, a->v_size);
    }
    a->joins = true;
    a->new_k = a->k;
    a->new_v = a->v;
    a->k = rows_of(rg_fast_array(r, n->out[PRESENT_K]), a->kv_heads, a->qk_size);
    a->v = rows_of(rg_fast_array(r, n->out[PRESENT_V]), a->kv_heads, a->v_size);
    return true;
}

static bool fits(const rg_fast_row *r, attention *a)
{
    const rg_node *n = r->site.node;
    if (!rg_node_is(n, "Attention") || n->in_count <= V || !n->out[Y]) return false;
    for (uint32_t i = 0; i < n->in_count; i++)
        if (n->in[i] && ((i < MASK && !rg_fast_is_f32(r, n->in[i])) || i >= INPUTS)) return false;
    if (has(n->out, n->out_count, OUTPUTS)) return false;
    if (!reads_sizes(r, a) || !reads_mask(r, a) || !reads_lengths(r, a)) return false;
    a->causal = rg_op_int(&r->site, "is_causal") != 0;
    a->softcap = (float)rg_op_real(&r->site, "softcap");
    a->scale = (float)(rg_op_has(&r->site, "scale") ? rg_op_real(&r->site, "scale")
                                                    : 1 / sqrt((double)a->qk_size));
    a->q = rows_of(rg_fast_array(r, n->in[Q]), a->q_heads, a->qk_size);
    a->k = rows_of(rg_fast_array(r, n->in[K]), a->kv_heads, a->qk_size);
    a->v = rows_of(rg_fast_array(r, n->in[V]), a->kv_heads, a->v_size);
    a->y = rows_of(rg_fast_array(r, n->out[Y]), a->q_heads, a->v_size);
    return reads_past(r, a);
}

static rg_err make(const rg_fast_row *r, void **state)
{
    attention a = {0};
    *state = NULL;
    if (!fits(r, &a)) return RG_OK;
    int64_t least = rg_gemm_mr(), wide = whole_panels(a.keys);
    int64_t most = SCORE_FLOATS / wide < TILE_ROWS ? SCORE_FLOATS / wide : TILE_ROWS;
    a.tile = most < least ? least : most / least * least;
    if (a.tile > a.queries) a.tile = a.queries;
    a.tiles = a.tile ? (a.queries + a.tile - 1) / a.tile : 0;
    bool panels = a.queries > FEW_QUERIES;
    a.k_count = panels ? whole_lines((int64_t)rg_gemm_packed_count(a.qk_size, a.keys)) : 0;
    a.v_count = panels ? whole_lines((int64_t)rg_gemm_packed_count(a.keys, a.v_size)) : 0;
    a.room_count = a.k_count + a.v_count + whole_lines(a.tile) + whole_lines(a.tile * wide);
    a.room = rg_fast_room(r, (size_t)(r->workers * a.room_count) * sizeof(float));
    attention *made = RG_NEW(r->arena, attention, 1);
    if (!made) return rg_nomem(r->cx);
    *made = a;
    *state = made;
    return RG_OK;
}

RG_FAST(attention) = {
    .name = "attention", .brief = "softmax(QK^T)V, a tile of queries at a time", .make = make,
    .allows = allows, .run = run,
};
