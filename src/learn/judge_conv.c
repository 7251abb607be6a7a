/* judge_conv.c - convolutions of square images with square kernels, [batch, c_in, hw, hw] to c_out channels,
 * with a bias, as PyTorch calls them, launch included. They were measured with TF32 off: f32 is plain f32.
 */
#include "learn/judge_graph.h"

typedef struct sizes { int64_t batch, in, out, kernel, side, stride, pad; rg_dtype dtype; } sizes;

static rg_err read_sizes(rg_ctx *cx, const rg_exam *exam, sizes *s)
{
    s->pad = rg_exam_int(exam, "pad");
    if (s->pad < 0 || s->pad > INT32_MAX) return rg_fail(cx, RG_INPUT, "pad is no whole number from 0 on");
    RG_TRY(rg_judge_size(cx, exam, "batch", &s->batch));
    RG_TRY(rg_judge_size(cx, exam, "c_in", &s->in));
    RG_TRY(rg_judge_size(cx, exam, "c_out", &s->out));
    RG_TRY(rg_judge_size(cx, exam, "k", &s->kernel));
    RG_TRY(rg_judge_size(cx, exam, "hw", &s->side));
    RG_TRY(rg_judge_size(cx, exam, "stride", &s->stride));
    return rg_judge_dtype(cx, exam, "dtype", &s->dtype);
}

static rg_err build(rg_ctx *cx, const sizes *s, rg_graph **out)
{
    char attrs[160];
    rg_build b;
    long long stride = s->stride, pad = s->pad;
    snprintf(attrs, sizeof attrs, "pads=[%lld,%lld,%lld,%lld] strides=[%lld,%lld]", pad, pad, pad, pad,
             stride, stride);
    RG_TRY(rg_build_init(&b, cx, "convolution"));
    rg_value_id x = rg_build_input(&b, "x", s->dtype, 4, (rg_dim[]){s->batch, s->in, s->side, s->side});
    rg_value_id weight =
        rg_build_param(&b, "weight", s->dtype, 4, (const int64_t[]){s->out, s->in, s->kernel, s->kernel});
    rg_value_id bias = rg_build_param(&b, "bias", s->dtype, 1, &s->out);
    rg_build_output(&b, "result", rg_build_node(&b, "Conv", attrs, x, weight, bias, -1));
    return rg_build_done(&b, out);
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    sizes s;
    rg_graph *graph = NULL;
    rg_run_cost cost;
    if (!rg_str_is(rg_exam_text(exam, "op"), "conv"))
        return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no convolution", RG_STR(rg_exam_text(exam, "op")));
    RG_TRY(read_sizes(cx, exam, &s));
    RG_TRY(build(cx, &s, &graph));
    RG_TRY(rg_judge_graph(cx, exam, graph, exam->device, exam->runtimes[0], &cost));
    out[0] = cost.latency_s;
    return RG_OK;
}

RG_JUDGE(conv) = {
    .name = "conv", .brief = "Convolutions with PyTorch, one at a time",
    .columns = {"device", "op", "batch", "c_in", "c_out", "k", "hw", "stride", "pad", "dtype"},
    .device = "device", .family = "op", .finer = {"dtype"}, .runtimes = {"pytorch-eager"},
    .quantities = {{"latency", "latency_us", 1e-6, RG_UNIT_SECOND}},
    .forecast = forecast,
};
