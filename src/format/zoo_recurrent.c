/* zoo_recurrent.c - acoustic models of two recurrent layers and a linear one: frames of sound to scores of
 * characters, [seq, batch, 80] -> [seq, batch, 29]. Sizes are a choice, the interface that of CTC models: 80
 * mel bins; 26 letters, space, apostrophe and blank.
 */
#include "format/zoo.h"

enum { BINS = 80, HIDDEN = 512, LAYERS = 2, CHARACTERS = 29, SEQ_PRESET = 128 };

typedef struct recurrent { const char *type, *attrs; int64_t gates; } recurrent;

/* [seq, batch, in] -> [seq, batch, HIDDEN]. Weights as torch has them, its two biases end to end. */
static rg_value_id layer(rg_build *b, const recurrent *t, int index, rg_value_id x, int64_t in)
{
    char name[32];
    int64_t rows = t->gates * HIDDEN;
    rg_value_id inputs[4] = {x}, all;
    snprintf(name, sizeof name, "weight_ih_l%d", index);
    inputs[1] = rg_build_param(b, name, RG_F32, 3, (const int64_t[]){1, rows, in});
    snprintf(name, sizeof name, "weight_hh_l%d", index);
    inputs[2] = rg_build_param(b, name, RG_F32, 3, (const int64_t[]){1, rows, HIDDEN});
    snprintf(name, sizeof name, "bias_l%d", index);
    inputs[3] = rg_build_param(b, name, RG_F32, 2, (const int64_t[]){1, 2 * rows});
    rg_build_nodev(b, t->type, t->attrs, 4, inputs, 1, &all); /* [seq, 1, batch, HIDDEN] */
    return rg_build_node(b, "Squeeze", NULL, all, rg_build_ints(b, 1, (const int64_t[]){1}), -1);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const recurrent *t = self->layout;
    rg_build b;
    RG_TRY(rg_build_init(&b, cx, self->name));
    rg_dim shape[] = {rg_build_dim(&b, "seq", SEQ_PRESET), rg_build_dim(&b, "batch", 1), BINS};
    rg_value_id x = rg_build_input(&b, "features", RG_F32, 3, shape);
    rg_zoo_scope(&b, "rnn");
    for (int i = 0; i < LAYERS; i++) x = layer(&b, t, i, x, i ? HIDDEN : BINS);
    rg_zoo_scope(&b, "fc");
    rg_build_output(&b, "logits", rg_zoo_dense(&b, x, HIDDEN, CHARACTERS, true));
    return rg_build_done(&b, out);
}

#define CHOICE "; 80 mel bins, 2 layers of 512, 29 characters; figures by the layer table, of 128 frames"

RG_ZOO(lstm_2x512) = {
    .name = "lstm-2x512", .family = "rnn", .build = build,
    .source = "LSTM of Hochreiter and Schmidhuber 1997 with torch's biases" CHOICE,
    .parameters = 3332637, .macs = 425525248, .layout = &(const recurrent){"LSTM", "hidden_size=512", 4},
};

/* torch weighs the state before the reset gate. */
RG_ZOO(gru_2x512) = {
    .name = "gru-2x512", .family = "rnn", .build = build,
    .source = "GRU of Cho et al. 2014, arXiv:1406.1078, with torch's biases" CHOICE,
    .parameters = 2503197, .macs = 319619072,
    .layout = &(const recurrent){"GRU", "hidden_size=512 linear_before_reset=1", 3},
};
