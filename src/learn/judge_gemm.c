/* judge_gemm.c - products of matrices, out[m, n] = A[m, k] B[k, n], `batch` of them side by side.
 *
 *     linear   A is data, B a layer's weights, with a bias       PyTorch, eager
 *     bmm      both are data                                     PyTorch, eager
 *     gemm     A is data, B weights, no bias                     an inference engine, of narrow types
 *
 * Eager times are of one call, launch included; those of engines of the kernel alone, as one of COPIES layers
 * of this shape that are run in turn, so that weights come from memory as they do in a model.
 */
#include "learn/judge_graph.h"

#include <math.h>

typedef struct sizes { int64_t batch, m, n, k; rg_dtype dtype; } sizes;

static rg_value_id linear(rg_build *b, const sizes *s)
{
    rg_value_id x = rg_build_input(b, "x", s->dtype, 2, (rg_dim[]){s->batch * s->m, s->k});
    rg_value_id weight = rg_build_param(b, "weight", s->dtype, 2, (const int64_t[]){s->n, s->k});
    rg_value_id bias = rg_build_param(b, "bias", s->dtype, 1, &s->n);
    return rg_build_node(b, "Gemm", "transB=1", x, weight, bias, -1);
}

static rg_value_id batched(rg_build *b, const sizes *s)
{
    rg_value_id left = rg_build_input(b, "a", s->dtype, 3, (rg_dim[]){s->batch, s->m, s->k});
    rg_value_id right = rg_build_input(b, "b", s->dtype, 3, (rg_dim[]){s->batch, s->k, s->n});
    return rg_build_node(b, "MatMul", NULL, left, right, -1);
}

/* By the largest element: x is read for that, and again to be scaled and rounded. */
static rg_value_id rounded(rg_build *b, const sizes *s, rg_value_id x)
{
    char to[16];
    rg_str_print(to, sizeof to, "to=%d", s->dtype);
    rg_value_id largest = rg_build_node(b, "ReduceMax", "keepdims=0", x, -1);
    return rg_build_node(b, "Cast", to, rg_build_node(b, "Div", NULL, x, largest, -1), -1);
}

/* What is multiplied in 8 bits comes in 16 and leaves in 16: rounding and scaling are part of the call. */
static rg_value_id plain(rg_build *b, const sizes *s)
{
    char to[16];
    bool narrow = rg_dtype_bits(s->dtype) <= 8;
    rg_dim dim[] = {s->batch * s->m, s->k};
    rg_value_id x = rg_build_input(b, "x", narrow ? RG_BF16 : s->dtype, 2, dim);
    rg_value_id weight = rg_build_param(b, "weight", s->dtype, 2, (const int64_t[]){s->k, s->n});
    rg_str_print(to, sizeof to, "to=%d", RG_BF16);
    rg_value_id y = rg_build_node(b, "MatMul", NULL, narrow ? rounded(b, s, x) : x, weight, -1);
    return narrow ? rg_build_node(b, "Cast", to, y, -1) : y;
}

/* Layers run in turn, so many that their weights fill the last cache, and at most five: AIConfigurator,
 * collector of TensorRT-LLM's gemm, outside_loop_count = max(1, min(5, ceil(l2_cache / weight))). */
enum { COPIES_MAX = 5 };

static double other_copies(const sizes *s, const rg_device *device)
{
    const rg_level *memory = rg_device_memory(device);
    double cache = memory > device->levels ? memory[-1].capacity_byte * memory[-1].count : 0;
    double weight_byte = (double)s->k * (double)s->n * rg_dtype_bits(s->dtype) / 8;
    return (fmin(fmax(ceil(cache / weight_byte), 1), COPIES_MAX) - 1) * weight_byte;
}

enum { EAGER, ENGINE }; /* of runtimes[] */
static const struct { const char *name; rg_value_id (*build)(rg_build *b, const sizes *s); int runtime; }
    operators[] = {{"linear", linear, EAGER}, {"bmm", batched, EAGER}, {"gemm", plain, ENGINE}};

static rg_err read_sizes(rg_ctx *cx, const rg_exam *exam, sizes *s)
{
    s->batch = 1;
    if (rg_exam_text(exam, "batch").size) RG_TRY(rg_judge_size(cx, exam, "batch", &s->batch));
    RG_TRY(rg_judge_size(cx, exam, "m", &s->m));
    RG_TRY(rg_judge_size(cx, exam, "n", &s->n));
    RG_TRY(rg_judge_size(cx, exam, "k", &s->k));
    return rg_judge_dtype(cx, exam, "dtype", &s->dtype);
}

static rg_err run(rg_ctx *cx, const rg_exam *exam, size_t op, const rg_device *device, double *out)
{
    sizes s;
    rg_build b;
    rg_graph *graph = NULL;
    rg_run_cost cost;
    RG_TRY(read_sizes(cx, exam, &s));
    RG_TRY(rg_build_init(&b, cx, "product"));
    rg_build_output(&b, "result", operators[op].build(&b, &s));
    RG_TRY(rg_build_done(&b, &graph));
    int runtime = operators[op].runtime;
    double beside_byte = runtime == ENGINE ? other_copies(&s, device) : 0;
    RG_TRY(rg_judge_graph_among(cx, exam, graph, device, exam->runtimes[runtime], beside_byte, &cost));
    out[0] = cost.latency_s;
    out[1] = cost.power_w;
    return RG_OK;
}

/* On a board that may draw so much, where it says so and that is another limit than the profile's. */
static rg_err run_limited(rg_ctx *cx, const rg_exam *exam, size_t op, double *out)
{
    rg_device *limited = NULL;
    double limit_w = rg_exam_real(exam, "power_limit_w");
    if (isnan(limit_w) || limit_w == exam->device->cap_w) return run(cx, exam, op, exam->device, out);
    if (limit_w <= exam->device->idle_w)
        return rg_fail(cx, RG_INPUT, "power_limit_w %g is below the %g W of an idle %s", limit_w,
                       exam->device->idle_w, exam->device->id);
    RG_TRY(rg_device_clone(cx, exam->device, &limited));
    limited->cap_w = limit_w;
    rg_err err = run(cx, exam, op, limited, out);
    rg_device_free(limited);
    return err;
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    rg_str op = rg_exam_text(exam, "op");
    for (size_t i = 0; i < RG_COUNT(operators); i++)
        if (rg_str_is(op, operators[i].name)) return run_limited(cx, exam, i, out);
    return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no product that is known", RG_STR(op));
}

RG_JUDGE(gemm) = {
    .name = "gemm", .brief = "Products of matrices, one at a time",
    .columns = {"device", "op", "dtype", "m", "n", "k", "batch", "power_limit_w"}, .required = 6,
    .device = "device", .family = "op", .finer = {"dtype"}, .runtimes = {"pytorch-eager", "tensorrt-llm"},
    .quantities = {{"latency", "latency_us", 1e-6, RG_UNIT_SECOND}, {"power", "power_w", 1, RG_UNIT_WATT}},
    .forecast = forecast,
};
