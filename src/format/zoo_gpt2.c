/* zoo_gpt2.c - GPT-2 as Hugging Face has it with its language-model head: the reading of a whole prompt,
 * every token attending to itself and what is before it. Queries, keys and values come of one product, and
 * the head's weight is the table of words.
 */
#include "format/zoo.h"

enum { HEAD = 64, WORDS = 50257, POSITIONS = 1024, SEQ_PRESET = 128 };

typedef struct gpt2 { int layers; int64_t width; } gpt2;

static rg_value_id norm(rg_build *b, const gpt2 *t, const char *scope, const char *name, rg_value_id x)
{
    rg_zoo_scope(b, "%s.%s", scope, name);
    return rg_zoo_layer_norm(b, x, t->width, 1e-5);
}

static rg_value_id attend(rg_build *b, const gpt2 *t, const char *block, rg_value_id x, rg_value_id mask)
{
    rg_value_id qkv[3];
    int64_t heads = t->width / HEAD;
    rg_zoo_scope(b, "%s.attn.c_attn", block);
    rg_value_id all = rg_zoo_dense(b, x, t->width, 3 * t->width, true);
    rg_zoo_scope(b, "%s.attn", block);
    rg_build_nodev(b, "Split", "axis=2 num_outputs=3", 1, &all, 3, qkv);
    for (int i = 0; i < 3; i++) qkv[i] = rg_zoo_split_heads(b, qkv[i], heads, HEAD, i == 1);
    rg_value_id y = rg_zoo_attend(b, qkv[0], qkv[1], qkv[2], mask, heads, HEAD, 0);
    rg_zoo_scope(b, "%s.attn.c_proj", block);
    return rg_zoo_dense(b, y, t->width, t->width, true);
}

static rg_value_id feed_forward(rg_build *b, const gpt2 *t, const char *block, rg_value_id x)
{
    rg_zoo_scope(b, "%s.mlp.c_fc", block);
    x = rg_zoo_dense(b, x, t->width, 4 * t->width, true);
    rg_zoo_scope(b, "%s.mlp.act", block);
    x = rg_build_node(b, "Gelu", "approximate=\"tanh\"", x, -1);
    rg_zoo_scope(b, "%s.mlp.c_proj", block);
    return rg_zoo_dense(b, x, 4 * t->width, t->width, true);
}

static rg_value_id add(rg_build *b, const char *block, rg_value_id x, rg_value_id more)
{
    rg_zoo_scope(b, "%s", block);
    return rg_build_node(b, "Add", NULL, x, more, -1);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const gpt2 *t = self->layout;
    rg_build b;
    RG_TRY(rg_build_init(&b, cx, self->name));
    rg_dim shape[] = {rg_build_dim(&b, "batch", 1), rg_build_dim(&b, "seq", SEQ_PRESET)};
    rg_value_id ids = rg_build_input(&b, "input_ids", RG_I64, 2, shape);
    rg_zoo_scope(&b, "transformer");
    rg_value_id positions = rg_zoo_positions(&b, ids, 0), mask = rg_zoo_causal_mask(&b, positions);
    rg_zoo_scope(&b, "transformer.wte");
    rg_value_id words = rg_build_param(&b, "weight", RG_F32, 2, (const int64_t[]){WORDS, t->width});
    rg_value_id x = rg_build_node(&b, "Gather", "axis=0", words, ids, -1);
    rg_zoo_scope(&b, "transformer.wpe");
    rg_value_id places = rg_zoo_embedding(&b, positions, POSITIONS, t->width);
    x = add(&b, "transformer", x, places);
    for (int i = 0; i < t->layers; i++) {
        char block[32];
        snprintf(block, sizeof block, "transformer.h.%d", i);
        x = add(&b, block, x, attend(&b, t, block, norm(&b, t, block, "ln_1", x), mask));
        x = add(&b, block, x, feed_forward(&b, t, block, norm(&b, t, block, "ln_2", x)));
    }
    x = norm(&b, t, "transformer", "ln_f", x);
    rg_zoo_scope(&b, "lm_head");
    rg_build_output(&b, "logits", rg_zoo_tied(&b, x, words, WORDS, t->width));
    return rg_build_done(&b, out);
}

#define SOURCE                                                                                              \
    "Radford et al. 2019, Language Models are Unsupervised Multitask Learners; parameters: Hugging Face's " \
    "GPT2LMHeadModel, the tied head counted once; MACs of a prompt of 128 tokens, the head at every one, "  \
    "by the layer table"

RG_ZOO(gpt2) = {
    .name = "gpt2", .family = "transformer", .source = SOURCE, .build = build,
    .parameters = 124439808, .macs = 16114089984, .layout = &(const gpt2){.layers = 12, .width = 768},
};

RG_ZOO(gpt2_medium) = {
    .name = "gpt2-medium", .family = "transformer", .source = SOURCE, .build = build,
    .parameters = 354823168, .macs = 46047297536, .layout = &(const gpt2){.layers = 24, .width = 1024},
};

RG_ZOO(gpt2_large) = {
    .name = "gpt2-large", .family = "transformer", .source = SOURCE, .build = build,
    .parameters = 774030080, .macs = 100341022720, .layout = &(const gpt2){.layers = 36, .width = 1280},
};

RG_ZOO(gpt2_xl) = {
    .name = "gpt2-xl", .family = "transformer", .source = SOURCE, .build = build,
    .parameters = 1557611200, .macs = 201552896000, .layout = &(const gpt2){.layers = 48, .width = 1600},
};
