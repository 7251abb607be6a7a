/* zoo_whisper.c - Whisper as Hugging Face has it, encoder and decoder as two models, as they are exported and
 * run: the encoder once for 30 seconds of sound, the decoder over the tokens so far, here without a cache.
 *
 *     [80 bins, 3000 frames] -Conv-> [width, 3000] -Conv, stride 2-> [width, 1500] -> positions, layers
 */
#include "format/zoo.h"

enum {
    HEAD = 64, BINS = 80, FRAMES = 3000, SOUNDS = FRAMES / 2, /* what the encoder makes of them */
    WORDS = 51865, POSITIONS = 448, SEQ_PRESET = 128,
};

typedef struct whisper { int layers; int64_t width; bool decoder; } whisper;

static rg_value_id norm(rg_build *b, const whisper *t, const char *scope, const char *name, rg_value_id x)
{
    rg_zoo_scope(b, "%s.%s", scope, name);
    return rg_zoo_layer_norm(b, x, t->width, 1e-5);
}

static rg_value_id add(rg_build *b, const char *scope, rg_value_id x, rg_value_id more)
{
    rg_zoo_scope(b, "%s", scope);
    return rg_build_node(b, "Add", NULL, x, more, -1);
}

/* LAYER.NAME behind its normalization LAYER.NAME_layer_norm; memory 0: self-attention. */
static rg_value_id attend(rg_build *b, const whisper *t, const char *layer, const char *name, rg_value_id x,
                          rg_value_id memory, rg_value_id mask)
{
    char scope[64];
    snprintf(scope, sizeof scope, "%s.%s", layer, name);
    rg_heads heads = {
        .scope = scope, .query = "q_proj", .key = "k_proj", .value = "v_proj", .out = "out_proj",
        .width = t->width, .count = t->width / HEAD, .size = HEAD, .bias = true, .key_bias = false,
    };
    rg_zoo_scope(b, "%s_layer_norm", scope);
    rg_value_id y = rg_zoo_layer_norm(b, x, t->width, 1e-5);
    return add(b, layer, x, rg_zoo_attention(b, &heads, y, memory ? memory : y, mask));
}

static rg_value_id run_layers(rg_build *b, const whisper *t, rg_value_id x, rg_value_id memory,
                              rg_value_id mask)
{
    const char *stack = t->decoder ? "decoder" : "encoder";
    for (int i = 0; i < t->layers; i++) {
        char layer[32];
        snprintf(layer, sizeof layer, "%s.layers.%d", stack, i);
        x = attend(b, t, layer, "self_attn", x, 0, mask);
        if (t->decoder) x = attend(b, t, layer, "encoder_attn", x, memory, 0);
        rg_value_id y = norm(b, t, layer, "final_layer_norm", x);
        x = add(b, layer, x, rg_zoo_feed_forward(b, y, layer, "fc1", "fc2", t->width, 4 * t->width, "Gelu"));
    }
    return norm(b, t, stack, "layer_norm", x);
}

static void encode(rg_build *b, const whisper *t, rg_dim batch)
{
    rg_value_id x = rg_build_input(b, "input_features", RG_F32, 3, (const rg_dim[]){batch, BINS, FRAMES});
    rg_conv1d conv = {.in = BINS, .out = t->width, .kernel = 3, .before = 1, .after = 1};
    rg_zoo_scope(b, "encoder.conv1");
    x = rg_build_node(b, "Gelu", NULL, rg_zoo_conv1d(b, x, conv), -1);
    conv.in = t->width;
    conv.stride = 2;
    rg_zoo_scope(b, "encoder.conv2");
    x = rg_build_node(b, "Gelu", NULL, rg_zoo_conv1d(b, x, conv), -1);
    x = rg_build_node(b, "Transpose", "perm=0,2,1", x, -1);
    rg_zoo_scope(b, "encoder.embed_positions");
    rg_value_id places = rg_build_param(b, "weight", RG_F32, 2, (const int64_t[]){SOUNDS, t->width});
    x = rg_build_node(b, "Add", NULL, x, places, -1);
    rg_build_output(b, "last_hidden_state", run_layers(b, t, x, 0, 0));
}

static void decode(rg_build *b, const whisper *t, rg_dim batch)
{
    rg_dim tokens[] = {batch, rg_build_dim(b, "seq", SEQ_PRESET)}, sounds[] = {batch, SOUNDS, t->width};
    rg_value_id ids = rg_build_input(b, "input_ids", RG_I64, 2, tokens);
    rg_value_id memory = rg_build_input(b, "encoder_hidden_states", RG_F32, 3, sounds);
    rg_zoo_scope(b, "decoder");
    rg_value_id positions = rg_zoo_positions(b, ids, 0), mask = rg_zoo_causal_mask(b, positions);
    rg_zoo_scope(b, "decoder.embed_tokens");
    rg_value_id words = rg_build_param(b, "weight", RG_F32, 2, (const int64_t[]){WORDS, t->width});
    rg_value_id x = rg_build_node(b, "Gather", "axis=0", words, ids, -1);
    rg_zoo_scope(b, "decoder.embed_positions");
    x = add(b, "decoder", x, rg_zoo_embedding(b, positions, POSITIONS, t->width));
    x = run_layers(b, t, x, memory, mask);
    rg_zoo_scope(b, "proj_out");
    rg_build_output(b, "logits", rg_zoo_tied(b, x, words, WORDS, t->width));
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const whisper *t = self->layout;
    rg_build b;
    RG_TRY(rg_build_init(&b, cx, self->name));
    rg_dim batch = rg_build_dim(&b, "batch", 1);
    if (t->decoder) decode(&b, t, batch);
    else encode(&b, t, batch);
    return rg_build_done(&b, out);
}

#define SOURCE "Radford et al. 2022, arXiv:2212.04356; with 80 mel bins, as "
#define ENCODER                                                                                          \
    "; parameters as Hugging Face counts them, the table of sinusoids included: with the decoder's they " \
    "are the checkpoint's; MACs of 30 s by the layer table"
#define DECODER                                                                                      \
    "; parameters as Hugging Face counts them, the tied head once: with the encoder's they are the " \
    "checkpoint's; MACs of 128 tokens, with the keys and values of the sound, by the layer table"

RG_ZOO(whisper_base_encoder) = {
    .name = "whisper-base-encoder", .family = "transformer", .build = build,
    .source = SOURCE "openai/whisper-base" ENCODER,
    .parameters = 20590592, .macs = 43683840000,
    .layout = &(const whisper){.layers = 6, .width = 512, .decoder = false},
};

RG_ZOO(whisper_base_decoder) = {
    .name = "whisper-base-decoder", .family = "transformer", .build = build,
    .source = SOURCE "openai/whisper-base" DECODER,
    .parameters = 52003328, .macs = 12216500224,
    .layout = &(const whisper){.layers = 6, .width = 512, .decoder = true},
};

RG_ZOO(whisper_large_encoder) = {
    .name = "whisper-large-encoder", .family = "transformer", .build = build,
    .source = SOURCE "openai/whisper-large and -large-v2" ENCODER,
    .parameters = 636784640, .macs = 1136332800000,
    .layout = &(const whisper){.layers = 32, .width = 1280, .decoder = false},
};

RG_ZOO(whisper_large_decoder) = {
    .name = "whisper-large-decoder", .family = "transformer", .build = build,
    .source = SOURCE "openai/whisper-large and -large-v2" DECODER,
    .parameters = 906520320, .macs = 276807188480,
    .layout = &(const whisper){.layers = 32, .width = 1280, .decoder = true},
};
