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
#include "op/kernel.h"
#include "op/share.h"

#include <math.h>

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

/* ---- the kernel ---- */

/* Sizes, and inputs as doubles; tokens are [batch, tokens, heads * size]. */
typedef struct flow {
    int64_t batch, tokens, q_heads, kv_heads, key, value;
    const double *q, *k, *v, *past, *decay, *beta;  /* the last three may be NULL */
    int64_t decay_size, beta_heads; /* columns of a head in decay: 1 or `key`; heads of beta: 1 or all */
    double scale;
} flow;

static rg_err read_tokens(const rg_run *r, uint32_t i, const flow *f, int64_t columns, const double **out)
{
    const rg_array *a = rg_arg(r, i);
    *out = NULL;
    if (!a) return RG_OK;
    if (a->rank != 3 || a->dim[0] != f->batch || a->dim[1] != f->tokens || a->dim[2] != columns)
        return rg_run_fail(r, RG_SHAPE, "input %u is not [%lld, %lld, %lld]", i, (long long)f->batch,
                           (long long)f->tokens, (long long)columns);
    *out = rg_doubles(r, a);
    return *out ? RG_OK : rg_nomem(r->site.cx);
}

/* Gates are there exactly where the rule uses them. */
static rg_err need_gates(const rg_run *r)
{
    rg_str rule = rg_op_str(&r->site, "update_rule");
    bool linear = rg_str_is(rule, "linear"), gated = rg_str_is(rule, "gated");
    bool delta = rg_str_is(rule, "delta"), both = rg_str_is(rule, "gated_delta");
    if (!linear && !gated && !delta && !both)
        return rg_run_fail(r, RG_FORMAT, "update_rule '%.*s' is none of linear, gated, delta, gated_delta",
                           RG_STR(rule));
    if ((gated || both) != (rg_arg(r, DECAY) != NULL) || (delta || both) != (rg_arg(r, BETA) != NULL))
        return rg_run_fail(r, RG_INPUT, "update_rule '%.*s' and the inputs decay and beta do not agree",
                           RG_STR(rule));
    return RG_OK;
}

static rg_err read_flow(const rg_run *r, flow *f)
{
    const rg_array *q = rg_arg(r, Q), *decay = rg_arg(r, DECAY), *beta = rg_arg(r, BETA);
    const rg_array *past = rg_arg(r, PAST);
    int64_t q_heads = rg_op_int(&r->site, "q_num_heads"), kv_heads = rg_op_int(&r->site, "kv_num_heads");
    *f = (flow){
        .batch = q->dim[0], .tokens = q->dim[1], .q_heads = q_heads, .kv_heads = kv_heads,
        .key = q->dim[2] / q_heads, .value = rg_arg(r, V)->dim[2] / kv_heads, .decay_size = 1,
        .beta_heads = 1, .scale = rg_op_real(&r->site, "scale"),
    };
    if (f->scale == 0) f->scale = 1 / sqrt((double)f->key);
    if (decay && decay->rank == 3 && decay->dim[2] == kv_heads * f->key) f->decay_size = f->key;
    if (beta && beta->rank == 3 && beta->dim[2] == kv_heads) f->beta_heads = kv_heads;
    RG_TRY(need_gates(r));
    RG_TRY(read_tokens(r, Q, f, q_heads * f->key, &f->q));
    RG_TRY(read_tokens(r, K, f, kv_heads * f->key, &f->k));
    RG_TRY(read_tokens(r, V, f, kv_heads * f->value, &f->v));
    RG_TRY(read_tokens(r, DECAY, f, kv_heads * f->decay_size, &f->decay));
    RG_TRY(read_tokens(r, BETA, f, f->beta_heads, &f->beta));
    int64_t heads, state, count;
    if (!rg_mul_size(f->batch, kv_heads, &heads) || !rg_mul_size(f->key, f->value, &state) ||
        !rg_mul_size(heads, state, &count))
        return rg_run_fail(r, RG_LIMIT, "a state of more than 2^63 elements");
    if (past && past->count != count)
        return rg_run_fail(r, RG_SHAPE, "the past state has %lld elements, needs %lld",
                           (long long)past->count, (long long)count);
    f->past = past ? rg_doubles(r, past) : NULL;
    return past && !f->past ? rg_nomem(r->site.cx) : RG_OK;
}

/* One token of one head of K and V moves the state on, [key, value]; u: room for value elements. */
static void move_state(const flow *f, int64_t token, int64_t head, double *state, double *u)
{
    const double *k = f->k + (token * f->kv_heads + head) * f->key;
    const double *v = f->v + (token * f->kv_heads + head) * f->value;
    const double *decay = f->decay ? f->decay + (token * f->kv_heads + head) * f->decay_size : NULL;
    for (int64_t i = 0; decay && i < f->key; i++)
        for (int64_t d = 0; d < f->value; d++)
            state[i * f->value + d] *= exp(decay[f->decay_size > 1 ? i : 0]);
    for (int64_t d = 0; d < f->value; d++) {
        double held = 0;
        for (int64_t i = 0; i < f->key; i++) held += state[i * f->value + d] * k[i];
        double beta = f->beta ? f->beta[token * f->beta_heads + (f->beta_heads > 1 ? head : 0)] : 0;
        u[d] = f->beta ? beta * (v[d] - held) : v[d];
    }
    for (int64_t i = 0; i < f->key; i++)
        for (int64_t d = 0; d < f->value; d++) state[i * f->value + d] += k[i] * u[d];
}

/* The query heads that share the head of K and V read it. */
static void read_state(const flow *f, int64_t token, int64_t head, const double *state, const rg_array *y)
{
    int64_t group = f->q_heads / f->kv_heads;
    for (int64_t h = head * group; h < (head + 1) * group; h++) {
        const double *q = f->q + (token * f->q_heads + h) * f->key;
        for (int64_t d = 0; d < f->value; d++) {
            double sum = 0;
            for (int64_t i = 0; i < f->key; i++) sum += q[i] * state[i * f->value + d];
            rg_put(y, (token * f->q_heads + h) * f->value + d, f->scale * sum);
        }
    }
}

static rg_err run(const rg_run *r)
{
    flow f;
    RG_TRY(rg_need_numbers(r));
    RG_TRY(read_flow(r, &f));
    int64_t size = f.key * f.value;
    const rg_array *y = rg_result(r, 0), *present = rg_result(r, 1);
    double *state = RG_NEW(r->scratch, double, size), *u = RG_NEW(r->scratch, double, f.value);
    if (!state || !u) return rg_nomem(r->site.cx);
    for (int64_t b = 0; b < f.batch; b++)
        for (int64_t head = 0; head < f.kv_heads; head++) {
            int64_t at = (b * f.kv_heads + head) * size;
            for (int64_t i = 0; i < size; i++) state[i] = f.past ? f.past[at + i] : 0;
            for (int64_t t = 0; t < f.tokens; t++) {
                move_state(&f, b * f.tokens + t, head, state, u);
                if (y) read_state(&f, b * f.tokens + t, head, state, y);
            }
            for (int64_t i = 0; present && i < size; i++) rg_put(present, at + i, state[i]);
        }
    return RG_OK;
}

RG_OP(linear_attention) = {
    .name = "LinearAttention", .brief = "attention through a recurrent matrix state", .since = 27,
    .in_min = 3, .in_max = 6, .out_min = 1, .out_max = 2,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run,
};
