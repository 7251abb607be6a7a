/* judge_llm_op.c - operators of language models, one of a layer at a time, as Vidur profiles them: 16-bit
 * floats, `num_tokens` rows, one device's share of `num_tensor_parallel_workers`.
 *
 * Each is a graph of one or two nodes, and what is compared is the time of its rows: no step of an engine is
 * around them. The layer is profiled as a whole, so the weights of its other operators are read between two
 * runs of one.
 */
#include "learn/judge_graph.h"

#include "base/limits.h"

typedef struct sizes {
    const rg_exam *exam;
    int64_t tokens, share, heads, kv_heads, width, inner, words;
    bool gated;
} sizes;

static int64_t head_of(const sizes *s) { return s->width / s->heads; }
static int64_t shared(const sizes *s, int64_t all) { return (all + s->share - 1) / s->share; }

static rg_value_id input(rg_build *b, const char *name, int64_t rows, int64_t columns)
{
    return rg_build_input(b, name, RG_F16, 2, (rg_dim[]){rows, columns});
}

static rg_value_id product(rg_build *b, const sizes *s, int64_t in, int64_t out)
{
    rg_value_id weight = rg_build_param(b, "weight", RG_F16, 2, (const int64_t[]){in, out});
    return rg_build_node(b, "MatMul", NULL, input(b, "x", s->tokens, in), weight, -1);
}

/* ---- the operators ---- */

static rg_value_id embed(rg_build *b, const sizes *s)
{
    rg_value_id table =
        rg_build_param(b, "words", RG_F16, 2, (const int64_t[]){shared(s, s->words), s->width});
    rg_value_id ids = rg_build_input(b, "ids", RG_I64, 1, (rg_dim[]){s->tokens});
    return rg_build_node(b, "Gather", "axis=0", table, ids, -1);
}

static rg_value_id norm(rg_build *b, const sizes *s)
{
    rg_value_id scale = rg_build_param(b, "scale", RG_F16, 1, &s->width);
    return rg_build_node(b, "RMSNormalization", "axis=-1", input(b, "x", s->tokens, s->width), scale, -1);
}

/* Keys and values of a head that several queries share are there at least once on each device. */
static int64_t kv_of(const sizes *s) { return s->kv_heads > s->share ? shared(s, s->kv_heads) : 1; }

static rg_value_id project(rg_build *b, const sizes *s)
{
    return product(b, s, s->width, (shared(s, s->heads) + 2 * kv_of(s)) * head_of(s));
}

static rg_value_id turn(rg_build *b, const sizes *s)
{
    rg_dim half[] = {1, s->tokens, head_of(s) / 2};
    rg_value_id cos = rg_build_input(b, "cos", RG_F16, 3, half),
                sin = rg_build_input(b, "sin", RG_F16, 3, half);
    rg_dim heads[] = {1, shared(s, s->heads) + kv_of(s), s->tokens, head_of(s)}; /* of queries and keys */
    rg_value_id x = rg_build_input(b, "x", RG_F16, 4, heads);
    return rg_build_node(b, "RotaryEmbedding", NULL, x, cos, sin, -1);
}

static rg_value_id leave(rg_build *b, const sizes *s)
{
    return product(b, s, shared(s, s->heads) * head_of(s), s->width);
}

static rg_value_id up(rg_build *b, const sizes *s)
{
    return product(b, s, s->width, (s->gated ? 2 : 1) * shared(s, s->inner));
}

static rg_value_id down(rg_build *b, const sizes *s) { return product(b, s, shared(s, s->inner), s->width); }

static rg_value_id activate(rg_build *b, const sizes *s)
{
    int64_t inner = shared(s, s->inner);
    if (!s->gated) return rg_build_node(b, "Gelu", NULL, input(b, "x", s->tokens, inner), -1);
    rg_value_id gate = rg_build_node(b, "Swish", NULL, input(b, "gate", s->tokens, inner), -1);
    return rg_build_node(b, "Mul", NULL, gate, input(b, "up", s->tokens, inner), -1);
}

static rg_value_id add(rg_build *b, const sizes *s)
{
    rg_value_id x = input(b, "x", s->tokens, s->width), y = input(b, "y", s->tokens, s->width);
    return rg_build_node(b, "Add", NULL, x, y, -1);
}

/* Weights of a whole layer. */
static double layer_byte(const sizes *s)
{
    double heads = (double)((shared(s, s->heads) + kv_of(s)) * 2 * head_of(s)); /* in and out */
    double inner = (double)((s->gated ? 3 : 2) * shared(s, s->inner));
    return (heads + inner) * (double)s->width * rg_dtype_bits(RG_F16) / 8;
}

static const struct { const char *name; rg_value_id (*build)(rg_build *b, const sizes *s); } operators[] = {
    {"emb", embed}, {"input_layernorm", norm}, {"post_attention_layernorm", norm},
    {"attn_pre_proj", project}, {"attn_rope", turn}, {"attn_post_proj", leave},
    {"mlp_up_proj", up}, {"mlp_act", activate}, {"mlp_down_proj", down}, {"add", add},
};

/* ---- the forecast ---- */

static rg_err read_sizes(rg_ctx *cx, const rg_exam *exam, sizes *s)
{
    *s = (sizes){.exam = exam, .gated = rg_exam_flag(exam, "use_gated_mlp")};
    RG_TRY(rg_judge_size(cx, exam, "num_tokens", &s->tokens));
    RG_TRY(rg_judge_size(cx, exam, "num_tensor_parallel_workers", &s->share));
    RG_TRY(rg_judge_size(cx, exam, "n_head", &s->heads));
    RG_TRY(rg_judge_size(cx, exam, "n_kv_head", &s->kv_heads));
    RG_TRY(rg_judge_size(cx, exam, "n_embd", &s->width));
    RG_TRY(rg_judge_size(cx, exam, "n_expanded_embd", &s->inner));
    RG_TRY(rg_judge_size(cx, exam, "vocab_size", &s->words));
    const int64_t largest[] = {s->heads, s->kv_heads, s->width, s->inner, s->words};
    for (size_t i = 0; i < RG_COUNT(largest); i++)
        if (largest[i] > RG_HF_SIZE_MAX)
            return rg_fail(cx, RG_LIMIT, "a size of %lld exceeds %d", (long long)largest[i], RG_HF_SIZE_MAX);
    if (s->width >= s->heads) return RG_OK;
    return rg_fail(cx, RG_INPUT, "%lld heads do not fit into a width of %lld", (long long)s->heads,
                   (long long)s->width);
}

static rg_err build(rg_ctx *cx, const sizes *s, rg_graph **out)
{
    rg_build b;
    rg_str op = rg_exam_text(s->exam, "op");
    RG_TRY(rg_build_init(&b, cx, "operator"));
    for (size_t i = 0; i < RG_COUNT(operators); i++) {
        if (!rg_str_is(op, operators[i].name)) continue;
        rg_build_output(&b, "result", operators[i].build(&b, s));
        return rg_build_done(&b, out);
    }
    rg_graph_free(b.g);
    return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no operator of a layer that is known", (int)op.size,
                   op.data);
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    sizes s;
    rg_graph *graph = NULL;
    rg_run_cost cost;
    RG_TRY(read_sizes(cx, exam, &s));
    RG_TRY(build(cx, &s, &graph));
    RG_TRY(rg_judge_graph_among(cx, exam, graph, exam->device, exam->runtimes[0], layer_byte(&s), &cost));
    out[0] = cost.latency_s;
    return RG_OK;
}

RG_JUDGE(llm_op) = {
    .name = "llm_op", .brief = "Operators of a language model's layers, one at a time",
    .columns = {"device", "op", "num_tokens", "num_tensor_parallel_workers", "n_head", "n_kv_head", "n_embd",
                "n_expanded_embd", "vocab_size", "use_gated_mlp"},
    .device = "device", .family = "op", .runtimes = {"vllm"},
    .quantities = {{"latency", "ms", 1e-3, RG_UNIT_SECOND}},
    .forecast = forecast,
};
