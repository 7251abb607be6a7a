/* causal_conv.c - CausalConvWithState: a depthwise convolution over time that sees only the past. The
 * last k - 1 inputs are handed from call to call as its state, so that a token at a time gives what the whole
 * sequence gives.
 */
#include "op/convolve.h"
#include "op/share.h"

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
    rg_dim channels;
    RG_TRY(rg_need_dtype(s, 0, 4, &dtype));
    RG_TRY(rg_need_rank(s, X, 3, 3));
    RG_TRY(rg_need_rank(s, WEIGHT, 3, 3));
    const rg_type *x = rg_in_type(s, X), *w = rg_in_type(s, WEIGHT);
    RG_TRY(rg_need_equal(s, "channels of input and weights", x->dim[1], w->dim[0], &channels));
    RG_TRY(rg_conv_need_bias(s, BIAS, channels));
    rg_dim kept = rg_dim_sub(rg_site_dims(s), w->dim[2], 1);
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

RG_OP(causal_conv_with_state) = {
    .name = "CausalConvWithState", .brief = "depthwise causal convolution with a carried state", .since = 27,
    .in_min = 2, .in_max = 4, .out_min = 1, .out_max = 2,
    RG_SPEC(attrs) RG_CASES(cases)
    .infer = infer, .work = work,
};
