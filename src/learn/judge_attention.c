/* judge_attention.c - attention of language models, one layer's: `seq_len` new tokens of each of `batch`
 * requests look at `kv_len` tokens, themselves among them, no further back than `window` (0: at all).
 *
 *     query i of s sees    min(window, t - s + i + 1)  of t keys
 *
 * Kernels skip what nobody sees, so the graph has as many keys as a query sees on average. Keys and values of
 * earlier tokens lie in the cache, in the cache's type.
 */
#include "learn/judge_graph.h"

typedef struct sizes {
    int64_t batch, fresh, total, heads, kv_heads, head, window;
    rg_dtype dtype, kept;
} sizes;

static rg_err read_sizes(rg_ctx *cx, const rg_exam *exam, sizes *s)
{
    s->window = rg_exam_int(exam, "window");
    if (s->window < 0) return rg_fail(cx, RG_INPUT, "window is no whole number from 0 on");
    RG_TRY(rg_judge_size(cx, exam, "batch", &s->batch));
    RG_TRY(rg_judge_size(cx, exam, "seq_len", &s->fresh));
    RG_TRY(rg_judge_size(cx, exam, "kv_len", &s->total));
    RG_TRY(rg_judge_size(cx, exam, "heads", &s->heads));
    RG_TRY(rg_judge_size(cx, exam, "kv_heads", &s->kv_heads));
    RG_TRY(rg_judge_size(cx, exam, "head_dim", &s->head));
    RG_TRY(rg_judge_dtype(cx, exam, "dtype", &s->dtype));
    RG_TRY(rg_judge_dtype(cx, exam, "kv_dtype", &s->kept));
    if (s->total >= s->fresh) return RG_OK;
    return rg_fail(cx, RG_INPUT, "kv_len %lld is below seq_len %lld", (long long)s->total,
                   (long long)s->fresh);
}

/* Queries up to the window's length see all before them, the others a window. */
static int64_t keys_seen(const sizes *s)
{
    int64_t past = s->total - s->fresh, whole = s->fresh;
    if (s->window && s->window - past < whole) whole = s->window > past ? s->window - past : 0;
    double sum = (double)whole * (double)past + (double)whole * (double)(whole + 1) / 2
                 + (double)(s->fresh - whole) * (double)s->window;
    int64_t mean = (int64_t)(sum / (double)s->fresh + 0.5);
    return mean < 1 ? 1 : mean;
}

static rg_value_id keys(rg_build *b, const char *name, const sizes *s)
{
    rg_dim dim[] = {s->batch, s->kv_heads, keys_seen(s), s->head};
    rg_value_id v = rg_build_input(b, name, s->dtype, 4, dim);
    if (!b->err && s->total > s->fresh && rg_type_stores(s->dtype, s->kept, 0))
        b->g->values[v].type.stored = s->kept;
    return v;
}

static rg_err build(rg_ctx *cx, const sizes *s, rg_graph **out)
{
    rg_build b;
    RG_TRY(rg_build_init(&b, cx, "attention"));
    rg_value_id q = rg_build_input(&b, "q", s->dtype, 4, (rg_dim[]){s->batch, s->heads, s->fresh, s->head});
    rg_value_id k = keys(&b, "k", s), v = keys(&b, "v", s);
    rg_build_output(&b, "result", rg_build_node(&b, "Attention", NULL, q, k, v, -1));
    return rg_build_done(&b, out);
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    sizes s;
    rg_graph *graph = NULL;
    rg_kernel_cost cost;
    if (!rg_str_starts(rg_exam_text(exam, "op"), "attention_"))
        return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no attention", RG_STR(rg_exam_text(exam, "op")));
    RG_TRY(read_sizes(cx, exam, &s));
    RG_TRY(build(cx, &s, &graph));
    RG_TRY(rg_judge_graph(cx, exam, graph, exam->device, exam->runtimes[0], &cost));
    out[0] = cost.latency_s;
    out[1] = cost.power_w;
    return RG_OK;
}

RG_JUDGE(attention) = {
    .name = "attention", .brief = "Attention of language models, one layer's, with an inference engine",
    .columns = {"device", "op", "batch", "seq_len", "kv_len", "heads", "kv_heads", "head_dim", "window",
                "dtype", "kv_dtype"},
    .device = "device", .family = "op", .finer = {"dtype", "kv_dtype"}, .runtimes = {"tensorrt-llm"},
    .quantities = {{"latency", "latency_us", 1e-6, RG_UNIT_SECOND}, {"power", "power_w", 1, RG_UNIT_WATT}},
    .forecast = forecast,
};
