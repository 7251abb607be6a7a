/* zoo_transformer.c - BERT-base with its pooler, in the pieces that exporters write: products with an Add
 * for the bias, attention as MatMul, Div, Add of the mask, Softmax, MatMul. Finding the larger blocks is the
 * passes' work.
 */
#include "format/zoo.h"

enum {
    HIDDEN = 768, HEADS = 12, HEAD = HIDDEN / HEADS, INNER = 4 * HIDDEN, LAYERS = 12,
    WORDS = 30522, POSITIONS = 512, TYPES = 2, SEQ_PRESET = 128,
};

/* ---- pieces ---- */

static rg_value_id int_scalar(rg_build *b, int64_t x)
{
    rg_value_id id = 0;
    rg_str name = {"", 0};
    if (!b->err) b->err = rg_graph_fresh_name(b->cx, b->g, "int", &name);
    if (!b->err) b->err = rg_graph_add_ints(b->cx, b->g, name, 0, 1, &x, &id);
    return id;
}

/* [..., in] -> [..., out] */
static rg_value_id linear(rg_build *b, rg_value_id x, int64_t in, int64_t out)
{
    rg_value_id weight = rg_build_param(b, "weight", RG_F32, 2, (const int64_t[]){in, out});
    rg_value_id bias = rg_build_param(b, "bias", RG_F32, 1, (const int64_t[]){out});
    return rg_build_node(b, "Add", NULL, rg_build_node(b, "MatMul", NULL, x, weight, -1), bias, -1);
}

static rg_value_id layer_norm(rg_build *b, rg_value_id x)
{
    const int64_t size = HIDDEN;
    rg_value_id scale = rg_build_param(b, "weight", RG_F32, 1, &size);
    rg_value_id bias = rg_build_param(b, "bias", RG_F32, 1, &size);
    return rg_build_node(b, "LayerNormalization", "axis=-1 epsilon=1e-12f", x, scale, bias, -1);
}

static rg_value_id embedding(rg_build *b, const char *name, int64_t rows, rg_value_id ids)
{
    rg_zoo_scope(b, "embeddings.%s", name);
    rg_value_id table = rg_build_param(b, "weight", RG_F32, 2, (const int64_t[]){rows, HIDDEN});
    return rg_build_node(b, "Gather", "axis=0", table, ids, -1);
}

/* ---- the model ---- */

/* ids, types: [batch, seq] -> [batch, seq, hidden]; positions are those of one sequence, [seq, hidden]. */
static rg_value_id embed(rg_build *b, rg_value_id ids, rg_value_id types)
{
    rg_zoo_scope(b, "embeddings");
    rg_value_id seq = rg_build_node(b, "Shape", "end=2 start=1", ids, -1);
    seq = rg_build_node(b, "Squeeze", NULL, seq, -1);
    rg_value_id zero = int_scalar(b, 0), one = int_scalar(b, 1);
    rg_value_id positions = rg_build_node(b, "Range", NULL, zero, seq, one, -1);
    rg_value_id words = embedding(b, "word_embeddings", WORDS, ids);
    rg_value_id kinds = embedding(b, "token_type_embeddings", TYPES, types);
    rg_value_id places = embedding(b, "position_embeddings", POSITIONS, positions);
    rg_zoo_scope(b, "embeddings");
    rg_value_id sum = rg_build_node(b, "Add", NULL, words, kinds, -1);
    sum = rg_build_node(b, "Add", NULL, sum, places, -1);
    rg_zoo_scope(b, "embeddings.LayerNorm");
    return layer_norm(b, sum);
}

/* 0 where a token counts, -10000 where it does not: [batch, 1, 1, seq]. */
static rg_value_id mask_of(rg_build *b, rg_value_id attention_mask)
{
    rg_zoo_scope(b, "mask");
    rg_value_id axes = rg_build_ints(b, 2, (const int64_t[]){1, 2});
    rg_value_id wide = rg_build_node(b, "Unsqueeze", NULL, attention_mask, axes, -1);
    rg_value_id real = rg_build_node(b, "Cast", "to=1", wide, -1);
    rg_value_id hidden = rg_build_node(b, "Sub", NULL, rg_build_scalar(b, 1), real, -1);
    return rg_build_node(b, "Mul", NULL, hidden, rg_build_scalar(b, -10000), -1);
}

/* [batch, seq, hidden] -> [batch, heads, seq, head], or [batch, heads, head, seq] for the keys. */
static rg_value_id heads_of(rg_build *b, const char *layer, const char *name, rg_value_id x, bool keys)
{
    rg_zoo_scope(b, "%s.attention.self.%s", layer, name);
    rg_value_id y = linear(b, x, HIDDEN, HIDDEN);
    y = rg_build_node(b, "Reshape", NULL, y, rg_build_ints(b, 4, (const int64_t[]){0, 0, HEADS, HEAD}), -1);
    return rg_build_node(b, "Transpose", keys ? "perm=0,2,3,1" : "perm=0,2,1,3", y, -1);
}

static rg_value_id attend(rg_build *b, const char *layer, rg_value_id x, rg_value_id mask)
{
    rg_value_id q = heads_of(b, layer, "query", x, false), k = heads_of(b, layer, "key", x, true);
    rg_value_id v = heads_of(b, layer, "value", x, false);
    rg_zoo_scope(b, "%s.attention.self", layer);
    rg_value_id scores = rg_build_node(b, "MatMul", NULL, q, k, -1); /* [batch, heads, seq, seq] */
    scores = rg_build_node(b, "Div", NULL, scores, rg_build_scalar(b, 8), -1); /* sqrt(64), a head's size */
    scores = rg_build_node(b, "Add", NULL, scores, mask, -1);
    scores = rg_build_node(b, "Softmax", "axis=-1", scores, -1);
    rg_value_id y = rg_build_node(b, "MatMul", NULL, scores, v, -1);
    y = rg_build_node(b, "Transpose", "perm=0,2,1,3", y, -1);
    return rg_build_node(b, "Reshape", NULL, y, rg_build_ints(b, 3, (const int64_t[]){0, 0, HIDDEN}), -1);
}

/* A linear layer whose result is added to `rest` and normalized: so end attention and the inner layers. */
static rg_value_id close_block(rg_build *b, const char *name, rg_value_id x, int64_t size, rg_value_id rest)
{
    rg_zoo_scope(b, "%s.dense", name);
    x = linear(b, x, size, HIDDEN);
    rg_zoo_scope(b, "%s", name);
    x = rg_build_node(b, "Add", NULL, x, rest, -1);
    rg_zoo_scope(b, "%s.LayerNorm", name);
    return layer_norm(b, x);
}

static rg_value_id encode(rg_build *b, int index, rg_value_id x, rg_value_id mask)
{
    char layer[32], name[64];
    snprintf(layer, sizeof layer, "encoder.layer.%d", index);
    snprintf(name, sizeof name, "%s.attention.output", layer);
    x = close_block(b, name, attend(b, layer, x, mask), HIDDEN, x);
    rg_zoo_scope(b, "%s.intermediate.dense", layer);
    rg_value_id inner = rg_build_node(b, "Gelu", NULL, linear(b, x, HIDDEN, INNER), -1);
    snprintf(name, sizeof name, "%s.output", layer);
    return close_block(b, name, inner, INNER, x);
}

static rg_err build_bert(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_build b;
    RG_TRY(rg_build_init(&b, cx, self->name));
    rg_dim shape[] = {rg_build_dim(&b, "batch", 1), rg_build_dim(&b, "seq", SEQ_PRESET)};
    rg_value_id ids = rg_build_input(&b, "input_ids", RG_I64, 2, shape);
    rg_value_id types = rg_build_input(&b, "token_type_ids", RG_I64, 2, shape);
    rg_value_id mask = mask_of(&b, rg_build_input(&b, "attention_mask", RG_I64, 2, shape));
    rg_value_id x = embed(&b, ids, types);
    for (int i = 0; i < LAYERS; i++) x = encode(&b, i, x, mask);
    rg_zoo_scope(&b, "pooler");
    rg_value_id first = rg_build_node(&b, "Gather", "axis=1", x, int_scalar(&b, 0), -1);
    rg_zoo_scope(&b, "pooler.dense");
    first = rg_build_node(&b, "Tanh", NULL, rg_zoo_linear(&b, first, HIDDEN, HIDDEN), -1);
    rg_build_output(&b, "last_hidden_state", x);
    rg_build_output(&b, "pooler_output", first);
    return rg_build_done(&b, out);
}

RG_ZOO(bert_base) = {
    .name = "bert-base", .family = "transformer",
    .source = "Devlin et al. 2018, arXiv:1810.04805; parameters: bert-base-uncased with pooler; MACs of 128 "
              "tokens by the layer table",
    .parameters = 109482240, .macs = 11174215680, .build = build_bert,
};
