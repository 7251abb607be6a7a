/* attention.c - Attention and FlexAttention: softmax(Q K^T * scale + mask) V for each head.
 *
 * Q, K and V are [batch, heads, length, size], or [batch, length, heads * size] with the heads as attributes.
 * Several query heads may share one head of K and V. Past keys and values are put in front of the new ones.
 *
 *     T = past + new length        mac = batch * heads * q_length * T * (qk_size + v_size)
 *
 * A causal mask is counted in full, as FLOP counts of attention customarily are.
 */
#include "op/body.h"
#include "op/share.h"

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
     "what output 3 holds: 0 Q K^T, 1 masked, 2 capped, 3 softmax"},
    {"scale", RG_ATTR_FLOAT, NULL, false, "of Q K^T; preset 1 / sqrt(head size)"},
    {"softcap", RG_ATTR_FLOAT, "0.0", false, "scores pass softcap * tanh(score / softcap); 0: not"},
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

/* Sizes from the types alone: no expression is made here, a graph being priced does not change. */
static void work(const rg_site *s, rg_work *w)
{
    bool packed = rg_in_rank(s, Q) == 3;
    double q_heads = (double)(packed ? rg_op_int(s, "q_num_heads") : rg_in_dim(s, Q, 1));
    double kv_heads = (double)(packed ? rg_op_int(s, "kv_num_heads") : rg_in_dim(s, K, 1));
    double q_length = (double)rg_in_dim(s, Q, -2), total = (double)rg_in_dim(s, K, -2);
    double qk_size = (double)rg_in_dim(s, Q, -1) / (packed ? q_heads : 1);
    double v_size = (double)rg_in_dim(s, V, -1) / (packed ? kv_heads : 1);
    total += rg_has_in(s, PAST_K) ? (double)rg_in_dim(s, PAST_K, 2) : 0;
    fill(w, (double)rg_in_dim(s, Q, 0) * q_heads, q_length, total, qk_size, v_size);
    double scores = w->batch * q_length * total;
    w->flop += rg_has_in(s, MASK) || rg_op_int(s, "is_causal") ? scores : 0;
    if (rg_op_real(s, "softcap") != 0) {
        w->flop += 2 * scores;
        w->special += scores;
    }
}

RG_OP(attention) = {
    .name = "Attention", .brief = "scaled dot-product attention, with grouped heads and a past", .since = 23,
    .in_min = 3, .in_max = 7, .out_min = 1, .out_max = 4,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work,
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

RG_OP(flex_attention) = {
    .name = "FlexAttention", .domain = "ai.onnx.preview",
    .brief = "attention whose scores and probabilities are changed by graphs", .since = 1,
    .in_min = 3, .in_max = 3, .out_min = 1, .out_max = 1, .traits = RG_HAS_REGIONS,
    RG_SPEC(flex_attrs) RG_CASES(flex_cases)
    .infer = flex_infer, .work = flex_work,
};
