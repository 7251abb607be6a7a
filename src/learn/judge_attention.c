/* judge_attention.c - attention of language models, one layer's, as an engine runs it: `seq_len` new tokens
 * of each of `batch` requests look at `kv_len` tokens, themselves among them, no further back than `window`
 * (0: at all).
 *
 *     queries, keys -RotaryEmbedding->   keys, values -TensorScatter-> caches -Attention (causal)-> result
 *
 * An engine's operator takes what the projection gives: it turns queries and keys by their positions and
 * writes keys and values into the cache, in the cache's type. Where that has 8 bits the products have too:
 * kernels for such caches bring the queries to it.
 *
 * ONNX's Attention knows no window. One token's cache is no longer than the window. A prompt beyond it is as
 * many pieces as windows fit in it; a block of its queries walks the window and the block's own length.
 */
#include "learn/judge_graph.h"

enum { BLOCK = 128 }; /* queries that kernels for prompts take together */

typedef struct sizes {
    int64_t batch, fresh, total, heads, kv_heads, head, window;
    bool causal;
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

/* Takes the window into the sizes. */
static void use_window(sizes *s)
{
    s->causal = true;
    if (!s->window || s->total <= s->window) return;
    if (s->fresh > s->window + BLOCK) { /* pieces side by side, as if of other requests */
        int64_t pieces = (s->fresh + s->window - 1) / s->window;
        s->batch *= pieces;
        s->fresh = (s->fresh + pieces - 1) / pieces;
        s->causal = false;
        s->total = s->window + BLOCK;
    } else {
        s->total = s->fresh + s->window - 1 < s->total ? s->fresh + s->window - 1 : s->total;
    }
}

typedef struct net {
    rg_build b;
    const sizes *s;
    rg_dtype wide, product;  /* of what projections give; of the products */
    rg_value_id cos, sin, start, end;
} net;

static rg_value_id input(net *n, const char *name, int64_t heads, int64_t length, rg_dtype dtype)
{
    const sizes *s = n->s;
    return rg_build_input(&n->b, name, dtype, 4, (rg_dim[]){s->batch, heads, length, s->head});
}

static rg_value_id turned(net *n, rg_value_id x)
{
    return rg_build_node(&n->b, "RotaryEmbedding", NULL, x, n->cos, n->sin, -1);
}

static rg_value_id brought(net *n, rg_value_id x)
{
    char attrs[32];
    if (n->product == n->wide) return x;
    rg_str_print(attrs, sizeof attrs, "to=%d", (int)n->product);
    return rg_build_node(&n->b, "Cast", attrs, x, -1);
}

static rg_value_id cached(net *n, const char *name, rg_value_id fresh)
{
    rg_value_id cache = input(n, name, n->s->kv_heads, n->s->total, n->product);
    if (!n->b.err && rg_type_stores(n->product, n->s->kept, 0))
        n->b.g->values[cache].type.stored = n->s->kept;
    return rg_build_node(&n->b, "TensorScatter", "axis=-2", cache, brought(n, fresh), n->start, -1);
}

static rg_err build(rg_ctx *cx, const sizes *s, rg_graph **out)
{
    net n = {.s = s, .wide = RG_BF16, .product = s->dtype};
    rg_build *b = &n.b;
    RG_TRY(rg_build_init(b, cx, "attention"));
    if (rg_dtype_bits(s->dtype) >= 16) n.wide = s->dtype;
    if (rg_dtype_is_float(s->kept) && rg_dtype_bits(s->kept) < rg_dtype_bits(s->dtype)) n.product = s->kept;
    rg_dim half[] = {s->batch, s->fresh, s->head / 2};
    n.cos = rg_build_input(b, "cos", n.wide, 3, half);
    n.sin = rg_build_input(b, "sin", n.wide, 3, half);
    n.start = rg_build_input(b, "start", RG_I64, 1, (rg_dim[]){s->batch});
    n.end = rg_build_input(b, "end", RG_I64, 1, (rg_dim[]){s->batch});
    rg_value_id q = brought(&n, turned(&n, input(&n, "q", s->heads, s->fresh, n.wide)));
    rg_value_id k = cached(&n, "keys", turned(&n, input(&n, "k", s->kv_heads, s->fresh, n.wide)));
    rg_value_id v = cached(&n, "values", input(&n, "v", s->kv_heads, s->fresh, n.wide));
    const char *attrs = s->causal ? "is_causal=1" : NULL;
    rg_build_output(b, "result", rg_build_node(b, "Attention", attrs, q, k, v, 0, 0, 0, n.end, -1));
    return rg_build_done(b, out);
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    sizes s;
    rg_graph *graph = NULL;
    rg_run_cost cost;
    if (!rg_str_starts(rg_exam_text(exam, "op"), "attention_"))
        return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no attention", RG_STR(rg_exam_text(exam, "op")));
    RG_TRY(read_sizes(cx, exam, &s));
    use_window(&s);
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
