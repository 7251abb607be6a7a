/* causal_conv.c - CausalConvWithState: a depthwise convolution over time that sees only the past. The
 * last k - 1 inputs are handed from call to call as its state, so that a token at a time gives what the whole
 * sequence gives.
 *
 *     p = concat(past, x)    y[t] = f(bias + sum over j < k of w[j] * p[t + j])    present = last k - 1 of p
 */
#include "op/convolve.h"
#include "op/share.h"

#include <math.h>

enum { X, WEIGHT, BIAS, PAST };

static const rg_attr_spec attrs[] = {
    {"activation", RG_ATTR_STRING, "none", false, "applied to the output: none, silu, swish"},
};

static const rg_case cases[] = {
    {"f32[2,4,8] f32[4,1,4]", NULL, "f32[2,4,8] f32[2,4,3]"},
    {"f16[b,64,1] f16[64,1,4] f16[64] f16[b,64,3]", "activation=\"silu\"", "f16[b,64,1] f16[b,64,3]"},
};

static rg_err infer(const rg_site *s)
{
    rg_dtype dtype;
    rg_dim channels, one, same;
    RG_TRY(rg_need_dtype(s, 0, 4, &dtype));
    RG_TRY(rg_need_rank(s, X, 3, 3));
    RG_TRY(rg_need_rank(s, WEIGHT, 3, 3));
    const rg_type *x = rg_in_type(s, X), *w = rg_in_type(s, WEIGHT);
    RG_TRY(rg_need_equal(s, "channels of input and weights", x->dim[1], w->dim[0], &channels));
    RG_TRY(rg_need_equal(s, "input channels of a group, and 1", w->dim[1], 1, &one));
    RG_TRY(rg_conv_need_bias(s, BIAS, channels));
    rg_dim kept = rg_dim_sub(rg_site_dims(s), w->dim[2], 1);
    if (rg_has_in(s, PAST)) {
        rg_dim need[3] = {x->dim[0], channels, kept};
        RG_TRY(rg_need_rank(s, PAST, 3, 3));
        for (int i = 0; i < 3; i++)
            RG_TRY(rg_need_equal(s, "sizes of the past state", rg_in_type(s, PAST)->dim[i], need[i], &same));
    }
    rg_set_out(s, 0, *x);
    rg_set_out(s, 1, rg_type_tensor(dtype, 3, (rg_dim[]){x->dim[0], channels, kept}));
    return RG_OK;
}

static void work(const rg_site *s, rg_work *w)
{
    double count = rg_out_count(s, 0);
    bool active = !rg_str_is(rg_op_str(s, "activation"), "none");
    w->family = RG_FAMILY_DEPTHWISE;
    w->channels = w->batch = (double)rg_in_dim(s, X, 1);
    w->m = w->spatial = w->channels > 0 ? count / w->channels : 0;
    w->k = rg_conv_kernel_count(s, WEIGHT);
    w->mac = count * w->k;
    w->flop = 2 * w->mac + (rg_has_in(s, BIAS) ? count : 0) + (active ? count : 0);
    w->special = active ? count : 0;
    w->weight_in_b = rg_in_is_const(s, WEIGHT);
}

/* One channel of one image: its past and present in `seen`, of size + k - 1. */
static void convolve(const rg_array *y, int64_t at, int64_t size, const double *seen, const double *w,
                     int64_t k, double bias, bool silu)
{
    for (int64_t t = 0; t < size; t++) {
        double sum = bias;
        for (int64_t j = 0; j < k; j++) sum += w[j] * seen[t + j];
        rg_put(y, at + t, silu ? sum / (1 + exp(-sum)) : sum);
    }
}

static rg_err run(const rg_run *r)
{
    const rg_array *in = rg_arg(r, X), *weights = rg_arg(r, WEIGHT), *bias = rg_arg(r, BIAS);
    const rg_array *past = rg_arg(r, PAST), *present = rg_result(r, 1);
    int64_t channels = in->dim[1], size = in->dim[2], k = weights->dim[2], kept = k - 1;
    rg_str activation = rg_op_str(&r->site, "activation");
    bool silu = rg_str_is(activation, "silu") || rg_str_is(activation, "swish");
    RG_TRY(rg_need_numbers(r));
    if (!silu && !rg_str_is(activation, "none"))
        return rg_run_fail(r, RG_FORMAT, "activation '%.*s' is none of none, silu, swish",
                           RG_STR(activation));
    if (k < 1) return rg_run_fail(r, RG_SHAPE, "a kernel of %lld elements", (long long)k);
    const double *x = rg_doubles(r, in), *w = rg_doubles(r, weights);
    double *seen = RG_NEW(r->scratch, double, size + kept);
    if (!x || !w || !seen) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < in->dim[0] * channels; i++) {
        int64_t c = i % channels;
        for (int64_t j = 0; j < kept; j++) seen[j] = past ? rg_get(past, i * kept + j) : 0;
        for (int64_t t = 0; t < size; t++) seen[kept + t] = x[i * size + t];
        convolve(rg_result(r, 0), i * size, size, seen, w + c * k, k, bias ? rg_get(bias, c) : 0, silu);
        for (int64_t j = 0; present && j < kept; j++) rg_put(present, i * kept + j, seen[size + j]);
    }
    return RG_OK;
}

RG_OP(causal_conv_with_state) = {
    .name = "CausalConvWithState", .brief = "depthwise causal convolution with a carried state", .since = 27,
    .in_min = 2, .in_max = 4, .out_min = 1, .out_max = 2,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work, .run = run,
};
