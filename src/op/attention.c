/* attention.c - Attention and FlexAttention: softmax(Q K^T * scale + mask) V for each head.
 *
 * Q, K and V are [batch, heads, length, size], or [batch, length, heads * size] with the heads as attributes.
 * Several query heads may share one head of K and V. Past keys and values are put in front of the new ones.
 *
 *     T = past + new length        mac = batch * heads * q_length * T * (qk_size + v_size)
 *
 * A causal mask is counted in full, as FLOP counts of attention customarily are; which share of the scores it
 * rules out is told beside. The kernel computes in doubles: no softmax_precision asks for more.
 */
#include "op/body.h"
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

enum { Q, K, V, MASK, PAST_K, PAST_V, SEQ_LENGTHS };
enum { Y, PRESENT_K, PRESENT_V, SCORES };

typedef struct heads {
    rg_dim batch, q_heads, kv_heads, q_length, kv_length, total, qk_size, v_size; /* total: past + new */
} heads;

static const rg_attr_spec attrs[] = {
    {"is_causal", RG_ATTR_INT, "0", false, "1: a query sees keys up to its own position"},
    {"kv_num_heads", RG_ATTR_INT, NULL, false, "heads of K and V; only for inputs of rank 3"},
    {"q_num_heads", RG_ATTR_INT, NULL, false, "heads of Q; only for inputs of rank 3"},
    {"qk_matmul_output_mode", RG_ATTR_INT, "0", false,
     "what output 3 holds: 0 Q K^T, 1 capped, 2 masked, 3 softmax"},
    {"scale", RG_ATTR_FLOAT, NULL, false, "of Q K^T; preset 1 / sqrt(head size)"},
    {"softcap", RG_ATTR_FLOAT, "0.0", false,
     "scores pass softcap * tanh(score / softcap) before the mask; 0: not"},
    {"softmax_precision", RG_ATTR_INT, NULL, false, "element type of the softmax, as ONNX numbers them"},
};

static const rg_case cases[] = {
    {"f32[1,12,128,64] f32[1,12,128,64] f32[1,12,128,64]", NULL, "f32[1,12,128,64]"},
    {"f32[2,4,24] f32[2,6,24] f32[2,6,30] f32[4,6]", "q_num_heads=3 kv_num_heads=3", "f32[2,4,30]"},
    {"f16[b,32,1,128] f16[b,8,1,128] f16[b,8,1,128] _ f16[b,8,p,128] f16[b,8,p,128]", "is_causal=1",
     "f16[b,32,1,128] f16[b,8,p+1,128] f16[b,8,p+1,128]"},
    {"f32[2,4,72] f32[2,6,24] f32[2,6,24] f32[4,18] f32[2,3,12,8] f32[2,3,12,8]",
     "q_num_heads=9 kv_num_heads=3 softcap=3.0f",
     "f32[2,4,72] f32[2,3,18,8] f32[2,3,18,8] f32[2,9,4,18]"},
};

/* [batch, length, heads * size]. */
static rg_err read_packed(const rg_site *s, heads *h)
{
    rg_dims *dims = rg_site_dims(s);
    const rg_dim *q = rg_in_type(s, Q)->dim, *k = rg_in_type(s, K)->dim, *v = rg_in_type(s, V)->dim;
    int64_t q_heads = rg_op_int(s, "q_num_heads"), kv_heads = rg_op_int(s, "kv_num_heads");
    if (q_heads < 1 || kv_heads < 1)
        return rg_site_fail(s, RG_SHAPE, "rank 3 needs heads: q_num_heads is %lld, kv_num_heads %lld",
                            (long long)q_heads, (long long)kv_heads);
    if ((rg_dim_is_number(q[2]) && q[2] % q_heads) || (rg_dim_is_number(k[2]) && k[2] % kv_heads))
        return rg_site_fail(s, RG_SHAPE, "%lld and %lld columns do not divide into %lld and %lld heads",
                            (long long)q[2], (long long)k[2], (long long)q_heads, (long long)kv_heads);
    *h = (heads){
        .batch = q[0], .q_heads = q_heads, .kv_heads = kv_heads, .q_length = q[1], .kv_length = k[1],
        .qk_size = rg_dim_div(dims, q[2], q_heads), .v_size = rg_dim_div(dims, v[2], kv_heads),
    };
    return RG_OK;
}

/* [batch, heads, length, size]. */
static void read_split(const rg_site *s, heads *h)
{
    const rg_dim *q = rg_in_type(s, Q)->dim, *k = rg_in_type(s, K)->dim, *v = rg_in_type(s, V)->dim;
    *h = (heads){
        .batch = q[0], .q_heads = q[1], .kv_heads = k[1], .q_length = q[2], .kv_length = k[2],
        .qk_size = q[3], .v_size = v[3],
    };
}

static rg_err check_heads(const rg_site *s, const heads *h)
{
    const rg_type *q = rg_in_type(s, Q), *k = rg_in_type(s, K), *v = rg_in_type(s, V);
    int length = q->rank == 3 ? 1 : 2;
    rg_dim same;
    RG_TRY(rg_need_equal(s, "lengths of K and V", k->dim[length], v->dim[length], &same));
    if (q->rank == 4)
        RG_TRY(rg_need_equal(s, "head sizes of Q and K", q->dim[3], k->dim[3], &same));
    bool numbers = rg_dim_is_number(h->q_heads) && rg_dim_is_number(h->kv_heads);
    if (numbers && (h->kv_heads < 1 || h->q_heads % h->kv_heads != 0))
        return rg_site_fail(s, RG_SHAPE, "%lld query heads do not share %lld heads of K and V",
                            (long long)h->q_heads, (long long)h->kv_heads);
    return RG_OK;
}

static rg_err read_heads(const rg_site *s, heads *h)
{
    rg_dims *dims = rg_site_dims(s);
    RG_TRY(rg_need_rank(s, Q, 3, 4));
    int rank = rg_in_rank(s, Q);
    RG_TRY(rg_need_rank(s, K, rank, rank));
    RG_TRY(rg_need_rank(s, V, rank, rank));
    if (rank == 3)
        RG_TRY(read_packed(s, h));
    else
        read_split(s, h);
    RG_TRY(check_heads(s, h));
    h->total = h->kv_length;
    if (rg_has_in(s, PAST_K)) {
        RG_TRY(rg_need_rank(s, PAST_K, 4, 4));
        h->total = rg_dim_add(dims, rg_in_type(s, PAST_K)->dim[2], h->kv_length);
    }
    return RG_OK;
}

static rg_err infer(const rg_site *s)
{
    heads h;
    RG_TRY(read_heads(s, &h));
    rg_dtype dtype = rg_in_type(s, Q)->dtype;
    rg_dim columns = rg_dim_mul(rg_site_dims(s), h.q_heads, h.v_size);
    if (rg_in_rank(s, Q) == 3)
        rg_set_out(s, Y, rg_type_tensor(dtype, 3, (rg_dim[]){h.batch, h.q_length, columns}));
    else
        rg_set_out(s, Y, rg_type_tensor(dtype, 4, (rg_dim[]){h.batch, h.q_heads, h.q_length, h.v_size}));
    rg_set_out(s, PRESENT_K, rg_type_tensor(rg_in_type(s, K)->dtype, 4,
                                            (rg_dim[]){h.batch, h.kv_heads, h.total, h.qk_size}));
    rg_set_out(s, PRESENT_V, rg_type_tensor(rg_in_type(s, V)->dtype, 4,
                                            (rg_dim[]){h.batch, h.kv_heads, h.total, h.v_size}));
    rg_set_out(s, SCORES, rg_type_tensor(dtype, 4, (rg_dim[]){h.batch, h.q_heads, h.q_length, h.total}));
    return RG_OK;
}

/* k holds both products' inner sizes: QK^T sums qk_size, and AV costs v_size for each score. */
static void fill(rg_work *w, double count, double q_length, double total, double qk_size, double v_size)
{
    double scores = count * q_length * total;
    w->family = RG_FAMILY_ATTENTION;
    w->batch = count;
    w->m = q_length;
    w->n = total;
    w->k = qk_size + v_size;
    w->mac = scores * w->k;
    w->flop = 2 * w->mac + scores * 4; /* scale; softmax: compare, subtract, add */
    w->special = scores * 2;           /* exp, divide */
}

/* Of q * t scores, the share that no query sees, of which `before` lie in front of the first one:
 *
 *     seen = sum over i < q of min(t, before + i + 1)
 */
static double skipped_share(double q, double t, double before)
{
    double rising = fmin(fmax(t - before, 0), q); /* queries that see less than all, or just all */
    double seen = rising * before + rising * (rising + 1) / 2 + (q - rising) * t;
    return q * t > 0 ? fmax(1 - seen / (q * t), 0) : 0;
}

/* Sizes from the types alone: no expression is made here, a graph being priced does not change. */
static void work(const rg_site *s, rg_work *w)
{
    bool packed = rg_in_rank(s, Q) == 3;
    double q_heads = (double)(packed ? rg_op_int(s, "q_num_heads") : rg_in_dim(s, Q, 1));
    double kv_heads = (double)(packed ? rg_op_int(s, "kv_num_heads") : rg_in_dim(s, K, 1));
    double q_length = (double)rg_in_dim(s, Q, -2), total = (double)rg_in_dim(s, K, -2);
    double qk_size = (double)rg_in_dim(s, Q, -1) / (packed ? q_heads : 1);
    double v_size = (double)rg_in_dim(s, V, -1) / (packed ? kv_heads : 1);
    double before = rg_has_in(s, PAST_K) ? (double)rg_in_dim(s, PAST_K, 2) : 0;
    total += before;
    if (!rg_has_in(s, PAST_K) && rg_has_in(s, SEQ_LENGTHS)) before = fmax(total - q_length, 0);
    fill(w, (double)rg_in_dim(s, Q, 0) * q_heads, q_length, total, qk_size, v_size);
    w->share = fmax(q_heads / fmax(kv_heads, 1), 1);
    if (rg_op_int(s, "is_causal")) w->skipped = skipped_share(q_length, total, before);
    double scores = w->batch * q_length * total;
    w->flop += rg_has_in(s, MASK) || rg_op_int(s, "is_causal") ? scores : 0;
    if (rg_op_real(s, "softcap") != 0) {
        w->flop += 2 * scores;
        w->special += scores;
    }
}

/* ---- the kernel ---- */

/* Elements of one input as doubles, [batch, heads, length, size] by strides, the last of which is 1. */
typedef struct rows { const double *data; int64_t batch, head, row; } rows;

static const double *row_at(const rows *m, int64_t b, int64_t head, int64_t i)
{
    return m->data + b * m->batch + head * m->head + i * m->row;
}

static rg_err read_rows(const rg_run *r, uint32_t i, int64_t head_count, int64_t size, rows *out)
{
    const rg_array *a = rg_arg(r, i);
    int64_t length = a->dim[a->rank - 2];
    bool packed = a->rank == 3;
    *out = (rows){
        .data = rg_doubles(r, a), .batch = head_count * length * size,
        .head = packed ? size : length * size, .row = packed ? head_count * size : size,
    };
    return out->data ? RG_OK : rg_nomem(r->site.cx);
}

static rg_err need_size(const rg_run *r, const char *what, int64_t have, int64_t want)
{
    if (have == want) return RG_OK;
    return rg_run_fail(r, RG_SHAPE, "%s is %lld, needs to be %lld", what, (long long)have, (long long)want);
}

/* What inference leaves to the run. */
static rg_err check_inputs(const rg_run *r, const heads *h)
{
    const rg_array *k = rg_arg(r, K), *v = rg_arg(r, V);
    RG_TRY(need_size(r, "the batch of K", k->dim[0], h->batch));
    RG_TRY(need_size(r, "the batch of V", v->dim[0], h->batch));
    if (k->rank == 3) {
        RG_TRY(need_size(r, "the columns of K", k->dim[2], h->kv_heads * h->qk_size));
        return need_size(r, "the columns of V", v->dim[2], h->kv_heads * h->v_size);
    }
    return need_size(r, "the heads of V", v->dim[1], h->kv_heads);
}

/* The past rows, then the new ones: [batch, kv_heads, total, size]; the present output says the same. */
static rg_err join_past(const rg_run *r, const heads *h, uint32_t in, uint32_t past, uint32_t present,
                        int64_t size, rows *out)
{
    const rg_array *old = rg_arg(r, past), *y = rg_result(r, present);
    int64_t old_length = h->total - h->kv_length, lines = h->batch * h->kv_heads;
    int64_t want[] = {h->batch, h->kv_heads, old_length, size};
    rows fresh;
    RG_TRY(read_rows(r, in, h->kv_heads, size, &fresh));
    if (old) RG_TRY(need_size(r, "the rank of the past", old->rank, 4));
    for (int d = 0; old && d < 4; d++) RG_TRY(need_size(r, "a size of the past", old->dim[d], want[d]));
    if (!old && old_length > 0)
        return rg_run_fail(r, RG_SHAPE, "keys and values need a past both or none");
    int64_t count, block;
    if (!rg_mul_size(h->total, size, &block) || !rg_mul_size(lines, block, &count))
        return rg_nomem(r->site.cx);
    double *all = RG_NEW(r->scratch, double, count);
    if (!all) return rg_nomem(r->site.cx);
    for (int64_t line = 0; line < lines; line++)
        for (int64_t i = 0; i < h->total; i++) {
            bool is_old = i < old_length;
            const double *from =
                is_old ? NULL : row_at(&fresh, line / h->kv_heads, line % h->kv_heads, i - old_length);
            for (int64_t d = 0; d < size; d++)
                all[line * block + i * size + d] =
                    is_old ? rg_get(old, (line * old_length + i) * size + d) : from[d];
        }
    for (int64_t i = 0; y && i < count; i++) rg_put(y, i, all[i]);
    *out = (rows){all, h->kv_heads * block, block, size};
    return RG_OK;
}

/* Who may look at whom, and what is added to a score. */
typedef struct bias {
    const rg_array *mask;            /* or NULL; its last axis may end before the keys do: masked behind */
    int64_t stride[4];               /* of [batch, head, query, key] */
    const rg_array *valid;           /* keys of each sequence that are no padding, or NULL */
    bool causal;
    int64_t past, q_length;
} bias;

static rg_err read_bias(const rg_run *r, const heads *h, bias *out)
{
    const int64_t dim[] = {h->batch, h->q_heads, h->q_length, h->total};
    const rg_array *m = rg_arg(r, MASK);
    *out = (bias){
        .mask = m, .valid = rg_arg(r, SEQ_LENGTHS), .causal = rg_op_int(&r->site, "is_causal") != 0,
        .past = h->total - h->kv_length, .q_length = h->q_length,
    };
    if (out->valid) RG_TRY(need_size(r, "the number of key lengths", out->valid->count, h->batch));
    for (int64_t b = 0; out->valid && b < h->batch; b++) {
        int64_t length = rg_get_int(out->valid, b);
        if (length < 0 || length > h->total)
            return rg_run_fail(r, RG_INPUT, "key length %lld of sequence %lld is outside 0 to %lld",
                               (long long)length, (long long)b, (long long)h->total);
    }
    if (!m) return RG_OK;
    if (m->rank < 1 || m->rank > 4) return rg_run_fail(r, RG_SHAPE, "the mask has rank %d", m->rank);
    int64_t step = 1;
    for (int axis = 3, k = m->rank - 1; k >= 0; axis--, k--) {
        bool fits = m->dim[k] == dim[axis] || (axis == 3 ? m->dim[k] < dim[axis] : m->dim[k] == 1);
        if (!fits)
            return rg_run_fail(r, RG_SHAPE, "size %lld of the mask does not broadcast to %lld",
                               (long long)m->dim[k], (long long)dim[axis]);
        out->stride[axis] = m->dim[k] == dim[axis] || axis == 3 ? step : 0;
        step *= m->dim[k];
    }
    return RG_OK;
}

/* Without a past, queries are the last of the valid keys where their number is known. */
static double bias_at(const bias *m, int64_t b, int64_t head, int64_t i, int64_t j)
{
    int64_t valid = m->valid ? rg_get_int(m->valid, b) : INT64_MAX;
    int64_t before = m->past > 0 || !m->valid ? m->past : valid - m->q_length;
    if (j >= valid || (m->causal && j - i > before)) return -INFINITY;
    if (!m->mask) return 0;
    if (j >= m->mask->dim[m->mask->rank - 1]) return -INFINITY;
    int64_t at = b * m->stride[0] + head * m->stride[1] + i * m->stride[2] + j * m->stride[3];
    if (m->mask->dtype == RG_BOOL) return rg_get_int(m->mask, at) ? 0 : -INFINITY;
    return rg_get(m->mask, at);
}

static double dot(const double *a, const double *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

/* A row without any key that may be looked at stays zero. */
static void softmax(double *row, int64_t count)
{
    double max = -INFINITY, sum = 0;
    for (int64_t j = 0; j < count; j++) max = fmax(max, row[j]);
    for (int64_t j = 0; j < count; j++) sum += row[j] = row[j] == -INFINITY ? 0 : exp(row[j] - max);
    for (int64_t j = 0; j < count; j++) row[j] = sum == 0 ? 0 : row[j] / sum;
}

/* y[d] = sum_j p[j] v[j][d]; a key of no weight adds nothing, whatever its value. */
static void mix(const double *p, const rows *v, int64_t b, int64_t head, int64_t count, int64_t size,
                double *y)
{
    for (int64_t d = 0; d < size; d++) y[d] = 0;
    for (int64_t j = 0; j < count; j++) {
        const double *from = row_at(v, b, head, j);
        for (int64_t d = 0; p[j] != 0 && d < size; d++) y[d] += p[j] * from[d];
    }
}

/* What one call computes with; `score` and `y` are room for one query. */
typedef struct attention {
    heads h;
    rows q, k, v;
    bias bias;
    double scale, softcap;
    int64_t mode;
    double *score, *y;
} attention;

static void keep_scores(const rg_array *to, int64_t at, const double *row, int64_t count)
{
    for (int64_t j = 0; to && j < count; j++) rg_put(to, at + j, row[j]);
}

static void run_query(const rg_run *r, const attention *a, int64_t b, int64_t head, int64_t i)
{
    enum { PRODUCT, CAPPED, MASKED, PROBABILITY };
    const heads *h = &a->h;
    const rg_array *y = rg_result(r, Y), *scores = rg_result(r, SCORES);
    int64_t kv_head = head / (h->q_heads / h->kv_heads), at = (b * h->q_heads + head) * h->q_length + i;
    bool packed = rg_arg(r, Q)->rank == 3;
    const rg_array *kept[] = {NULL, NULL, NULL, NULL};
    kept[a->mode] = scores;
    for (int64_t j = 0; j < h->total; j++)
        a->score[j] = a->scale * dot(row_at(&a->q, b, head, i), row_at(&a->k, b, kv_head, j), h->qk_size);
    keep_scores(kept[PRODUCT], at * h->total, a->score, h->total);
    for (int64_t j = 0; j < h->total && a->softcap > 0; j++)
        a->score[j] = a->softcap * tanh(a->score[j] / a->softcap);
    keep_scores(kept[CAPPED], at * h->total, a->score, h->total);
    for (int64_t j = 0; j < h->total; j++) a->score[j] += bias_at(&a->bias, b, head, i, j);
    keep_scores(kept[MASKED], at * h->total, a->score, h->total);
    softmax(a->score, h->total);
    keep_scores(kept[PROBABILITY], at * h->total, a->score, h->total);
    mix(a->score, &a->v, b, kv_head, h->total, h->v_size, a->y);
    if (packed) at = (b * h->q_length + i) * h->q_heads + head;
    for (int64_t d = 0; d < h->v_size; d++) rg_put(y, at * h->v_size + d, a->y[d]);
}

static rg_err run_attention(const rg_run *r)
{
    attention a = {.softcap = rg_op_real(&r->site, "softcap")};
    heads *h = &a.h;
    RG_TRY(rg_need_numbers(r));
    RG_TRY(read_heads(&r->site, h));
    RG_TRY(check_inputs(r, h));
    RG_TRY(read_rows(r, Q, h->q_heads, h->qk_size, &a.q));
    RG_TRY(join_past(r, h, K, PAST_K, PRESENT_K, h->qk_size, &a.k));
    RG_TRY(join_past(r, h, V, PAST_V, PRESENT_V, h->v_size, &a.v));
    RG_TRY(read_bias(r, h, &a.bias));
    a.scale = rg_op_has(&r->site, "scale") ? rg_op_real(&r->site, "scale") : 1 / sqrt((double)h->qk_size);
    a.mode = rg_op_int(&r->site, "qk_matmul_output_mode");
    if (a.mode < 0 || a.mode > 3)
        return rg_run_fail(r, RG_FORMAT, "qk_matmul_output_mode is %lld, not 0 to 3", (long long)a.mode);
    a.score = RG_NEW(r->scratch, double, h->total);
    a.y = RG_NEW(r->scratch, double, h->v_size);
    if (!a.score || !a.y) return rg_nomem(r->site.cx);
    for (int64_t b = 0; b < h->batch; b++)
        for (int64_t head = 0; head < h->q_heads; head++)
            for (int64_t i = 0; i < h->q_length; i++) run_query(r, &a, b, head, i);
    return RG_OK;
}

RG_OP(attention) = {
    .name = "Attention", .brief = "scaled dot-product attention, with grouped heads and a past", .since = 23,
    .in_min = 3, .in_max = 7, .out_min = 1, .out_max = 4,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run_attention,
};

/* ---- FlexAttention: graphs of the model's own change scores and probabilities ---- */

static const rg_attr_spec flex_attrs[] = {
    {"prob_mod", RG_ATTR_GRAPH, NULL, false, "changes the probabilities [batch, heads, q_length, kv_length]"},
    {"scale", RG_ATTR_FLOAT, NULL, false, "of Q K^T; preset 1 / sqrt(head size)"},
    {"score_mod", RG_ATTR_GRAPH, NULL, false, "changes the scores, of the same shape"},
    {"softmax_precision", RG_ATTR_INT, NULL, false, "element type of the softmax, as ONNX numbers them"},
};

static const rg_case flex_cases[] = {
    {"f32[2,4,8,16] f32[2,4,6,16] f32[2,4,6,32]", NULL, "f32[2,4,8,32]"},
    {"f16[2,8,4,16] f16[2,2,6,16] f16[2,2,6,16]", "scale=0.5f", "f16[2,8,4,16]"},
};

static rg_err infer_mod(const rg_site *s, const char *name, const rg_type *scores)
{
    rg_region_id body;
    if (!rg_op_has(s, name)) return RG_OK;
    RG_TRY(rg_body_of(s, name, 1, 1, &body));
    RG_TRY(rg_body_give(s, body, 0, scores));
    return rg_region_infer(s->cx, s->g, body);
}

static rg_err flex_infer(const rg_site *s)
{
    heads h;
    for (uint32_t i = Q; i <= V; i++) RG_TRY(rg_need_rank(s, i, 4, 4));
    read_split(s, &h);
    RG_TRY(check_heads(s, &h));
    rg_type out = *rg_in_type(s, Q);
    rg_type scores = rg_type_tensor(out.dtype, 4, (rg_dim[]){h.batch, h.q_heads, h.q_length, h.kv_length});
    RG_TRY(infer_mod(s, "score_mod", &scores));
    RG_TRY(infer_mod(s, "prob_mod", &scores));
    out.dim[3] = h.v_size;
    rg_set_out(s, Y, out);
    return RG_OK;
}

static void flex_work(const rg_site *s, rg_work *w)
{
    fill(w, (double)rg_in_dim(s, Q, 0) * (double)rg_in_dim(s, Q, 1), (double)rg_in_dim(s, Q, 2),
         (double)rg_in_dim(s, K, 2), (double)rg_in_dim(s, Q, 3), (double)rg_in_dim(s, V, 3));
}

/* All scores or probabilities through one of the graphs. Takes the reference over, gives a new one. */
static rg_err run_mod(const rg_run *r, const char *name, const rg_datum **scores)
{
    const rg_attr *a = rg_node_attr(r->site.node, name);
    const rg_datum *out = NULL;
    if (!a) return RG_OK;
    if (r->site.g->regions[a->region].output_count != 1)
        return rg_run_fail(r, RG_SHAPE, "%s gives %u outputs, needs 1", name,
                           r->site.g->regions[a->region].output_count);
    rg_err err = r->body(r, a->region, scores, &out);
    rg_datum_free(*scores);
    *scores = out;
    return err;
}

static rg_err flex_scores(const rg_run *r, const heads *h, rg_datum **out)
{
    bool scaled = rg_op_has(&r->site, "scale");
    double scale = scaled ? rg_op_real(&r->site, "scale") : 1 / sqrt((double)h->qk_size);
    rows q, k;
    RG_TRY(read_rows(r, Q, h->q_heads, h->qk_size, &q));
    RG_TRY(read_rows(r, K, h->kv_heads, h->qk_size, &k));
    int64_t dim[] = {h->batch, h->q_heads, h->q_length, h->kv_length}, at[4] = {0};
    RG_TRY(rg_datum_tensor(r->site.cx, rg_arg(r, Q)->dtype, 4, dim, out));
    const rg_array *s = &(*out)->array;
    for (int64_t n = 0; n < s->count; n++, rg_index_next(4, dim, at)) {
        int64_t kv_head = at[1] / (h->q_heads / h->kv_heads);
        const double *from = row_at(&q, at[0], at[1], at[2]), *to = row_at(&k, at[0], kv_head, at[3]);
        rg_put(s, n, scale * dot(from, to, h->qk_size));
    }
    return RG_OK;
}

/* Softmax along the keys. Takes the reference over, gives a new one. */
static rg_err flex_softmax(const rg_run *r, const heads *h, const rg_datum **scores)
{
    rg_datum *out;
    double *row = RG_NEW(r->scratch, double, h->kv_length);
    if (!row) return rg_nomem(r->site.cx);
    RG_TRY(rg_datum_like(r->site.cx, &(*scores)->array, &out));
    for (int64_t at = 0; at < out->array.count; at += h->kv_length) {
        for (int64_t j = 0; j < h->kv_length; j++) row[j] = rg_get(&(*scores)->array, at + j);
        softmax(row, h->kv_length);
        for (int64_t j = 0; j < h->kv_length; j++) rg_put(&out->array, at + j, row[j]);
    }
    rg_datum_free(*scores);
    *scores = out;
    return RG_OK;
}

static rg_err flex_mix(const rg_run *r, const heads *h, const rg_array *p)
{
    rg_array *out;
    rows v;
    double *row = RG_NEW(r->scratch, double, h->kv_length), *y = RG_NEW(r->scratch, double, h->v_size);
    int64_t dim[] = {h->batch, h->q_heads, h->q_length, h->v_size};
    if (!row || !y) return rg_nomem(r->site.cx);
    RG_TRY(read_rows(r, V, h->kv_heads, h->v_size, &v));
    RG_TRY(rg_make_result(r, Y, rg_arg(r, Q)->dtype, 4, dim, &out));
    int64_t queries = h->batch * h->q_heads * h->q_length;
    for (int64_t n = 0; out && n < queries; n++) {
        int64_t head = n / h->q_length % h->q_heads, b = n / h->q_length / h->q_heads;
        for (int64_t j = 0; j < h->kv_length; j++) row[j] = rg_get(p, n * h->kv_length + j);
        mix(row, &v, b, head / (h->q_heads / h->kv_heads), h->kv_length, h->v_size, y);
        for (int64_t d = 0; d < h->v_size; d++) rg_put(out, n * h->v_size + d, y[d]);
    }
    return RG_OK;
}

static rg_err need_scores(const rg_run *r, const heads *h, const rg_datum *d)
{
    const int64_t dim[] = {h->batch, h->q_heads, h->q_length, h->kv_length};
    bool same = d->kind == RG_KIND_TENSOR && d->array.rank == 4 && rg_dtype_is_float(d->array.dtype);
    for (int k = 0; same && k < 4; k++) same = d->array.dim[k] == dim[k];
    return same ? RG_OK : rg_run_fail(r, RG_SHAPE, "a graph has changed the shape or the kind of the scores");
}

static rg_err run_flex(const rg_run *r)
{
    rg_datum *made;
    heads h;
    RG_TRY(rg_need_numbers(r));
    read_split(&r->site, &h);
    RG_TRY(check_heads(&r->site, &h));
    RG_TRY(check_inputs(r, &h));
    RG_TRY(flex_scores(r, &h, &made));
    const rg_datum *scores = made;
    rg_err err = run_mod(r, "score_mod", &scores);
    if (!err) err = need_scores(r, &h, scores);
    if (!err) err = flex_softmax(r, &h, &scores);
    if (!err) err = run_mod(r, "prob_mod", &scores);
    if (!err) err = need_scores(r, &h, scores);
    if (!err) err = flex_mix(r, &h, &scores->array);
    rg_datum_free(scores);
    return err;
}

RG_OP(flex_attention) = {
    .name = "FlexAttention", .domain = "ai.onnx.preview",
    .brief = "attention whose scores and probabilities are changed by graphs", .since = 1,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_HAS_REGIONS,
    RG_SPEC(flex_attrs) RG_CASES(flex_cases)
    .infer = flex_infer, .work = flex_work, .run = run_flex,
};
