/* linear_attention.c - LinearAttention: a matrix state S for each head in place of the scores.
 *
 *     linear        S += k v^T                              o = scale * q^T S
 *     gated         S = exp(g) S + k v^T
 *     delta         S += beta k (v - S^T k)^T
 *     gated_delta   both
 *
 * Each token costs one product of key size x value size to write the state, one to read it for each query
 * head, and with delta one more to ask what the state holds for k. The length costs linearly, not as its
 * square.
 */
#include "op/share.h"

enum { Q, K, V, PAST, DECAY, BETA };

static const rg_attr_spec attrs[] = {
    {"chunk_size", RG_ATTR_INT, "64", false, "tokens that an implementation may take at once"},
    {"kv_num_heads", RG_ATTR_INT, NULL, true, "heads of K and V"},
    {"q_num_heads", RG_ATTR_INT, NULL, true, "heads of Q"},
    {"scale", RG_ATTR_FLOAT, NULL, false, "of the output; preset 1 / sqrt(key size)"},
    {"update_rule", RG_ATTR_STRING, "gated_delta", false, "linear, gated, delta, gated_delta"},
};

static const rg_case cases[] = {
    {"f32[2,4,64] f32[2,4,32] f32[2,4,32] _ f32[2,4,32] f32[2,4,4]", "q_num_heads=8 kv_num_heads=4",
     "f32[2,4,64] f32[2,4,8,8]"},
    {"f16[b,t,64] f16[b,t,64] f16[b,t,128]", "q_num_heads=4 kv_num_heads=4 update_rule=\"linear\"",
     "f16[b,t,128] f16[b,4,16,32]"},
};

static rg_err infer(const rg_site *s)
{
    rg_dims *dims = rg_site_dims(s);
    int64_t q_heads = rg_op_int(s, "q_num_heads"), kv_heads = rg_op_int(s, "kv_num_heads");
    for (uint32_t i = Q; i <= V; i++) RG_TRY(rg_need_rank(s, i, 3, 3));
    const rg_type *q = rg_in_type(s, Q), *v = rg_in_type(s, V);
    if (kv_heads < 1 || q_heads < 1 || q_heads % kv_heads != 0)
        return rg_site_fail(s, RG_SHAPE, "%lld query heads do not share %lld heads of K and V",
                            (long long)q_heads, (long long)kv_heads);
    rg_dim key = rg_dim_div(dims, q->dim[2], q_heads), value = rg_dim_div(dims, v->dim[2], kv_heads);
    rg_type out = *q;
    out.dim[2] = rg_dim_mul(dims, value, q_heads);
    rg_set_out(s, 0, out);
    rg_dtype state = rg_has_in(s, PAST) ? rg_in_type(s, PAST)->dtype : q->dtype;
    rg_set_out(s, 1, rg_type_tensor(state, 4, (rg_dim[]){q->dim[0], kv_heads, key, value}));
    return RG_OK;
}

static void work(const rg_site *s, rg_work *w)
{
    double q_heads = (double)rg_op_int(s, "q_num_heads"), kv_heads = (double)rg_op_int(s, "kv_num_heads");
    double batch = (double)rg_in_dim(s, Q, 0), tokens = (double)rg_in_dim(s, Q, 1);
    double key = (double)rg_in_dim(s, Q, 2) / q_heads, value = (double)rg_in_dim(s, V, 2) / kv_heads;
    rg_str rule = rg_op_str(s, "update_rule");
    bool delta = rg_str_is(rule, "delta") || rg_str_is(rule, "gated_delta");
    bool gated = rg_str_starts(rule, "gated");
    double states = batch * tokens * kv_heads * key * value;
    w->family = RG_FAMILY_ATTENTION;
    w->batch = batch * q_heads;
    w->m = tokens;
    w->n = value;
    w->k = key;
    w->mac = batch * tokens * q_heads * key * value + states * (delta ? 2 : 1);
    w->flop = 2 * w->mac + rg_out_count(s, 0);
    w->flop += gated ? states : 0;
    w->flop += delta ? 2 * batch * tokens * kv_heads * value : 0;
    w->special = gated ? rg_in_count(s, DECAY) : 0;
}

RG_OP(linear_attention) = {
    .name = "LinearAttention", .brief = "attention through a recurrent matrix state", .since = 27,
    .in_min = 3, .in_max = 6, .out_min = 1, .out_max = 2,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work,
};
