/* zoo_wavenet.c - WaveNet without conditioning: 30 gated residual layers over samples of sound of 256 levels,
 * each hearing two samples 1, 2, 4, ..., 512 apart, three times over. All samples at once, as in training and
 * scoring; generation computes one of them at a time.
 *
 *     x -+-> filter, tanh ----*--> skip     -> sum over layers
 *        +-> gate, sigmoid --'  '-> residual + x -> next layer
 */
#include "format/zoo.h"

enum {
    STACKS = 3, DILATIONS = 10, LAYERS = STACKS * DILATIONS, TAPS = 2,
    LEVELS = 256, RESIDUAL = 64, SKIP = 256, SEQ_PRESET = 16000,
};

/* Hears no sample of the future: all of the padding is in front. */
static rg_value_id causal(rg_build *b, rg_value_id x, int64_t in, int64_t dilation)
{
    rg_conv1d conv = {.in = in, .out = RESIDUAL, .kernel = TAPS, .dilation = dilation, .before = dilation};
    return rg_zoo_conv1d(b, x, conv);
}

static rg_value_id point(rg_build *b, rg_value_id x, int64_t in, int64_t out)
{
    return rg_zoo_conv1d(b, x, (rg_conv1d){.in = in, .out = out});
}

static rg_value_id gated(rg_build *b, int index, rg_value_id x)
{
    int64_t dilation = INT64_C(1) << index % DILATIONS;
    rg_zoo_scope(b, "filter_convs.%d", index);
    rg_value_id filter = rg_build_node(b, "Tanh", NULL, causal(b, x, RESIDUAL, dilation), -1);
    rg_zoo_scope(b, "gate_convs.%d", index);
    rg_value_id gate = rg_build_node(b, "Sigmoid", NULL, causal(b, x, RESIDUAL, dilation), -1);
    return rg_build_node(b, "Mul", NULL, filter, gate, -1);
}

/* i64[batch, seq] -> [batch, LEVELS, seq], 1 at the level of each sample. */
static rg_value_id one_hot(rg_build *b, rg_value_id samples)
{
    float *values = NULL;
    rg_value_id off_on = rg_zoo_floats(b, 1, (const int64_t[]){2}, &values);
    if (values) values[1] = 1;
    return rg_build_node(b, "OneHot", "axis=1", samples, rg_zoo_int(b, LEVELS), off_on, -1);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_build b;
    RG_TRY(rg_build_init(&b, cx, self->name));
    rg_dim shape[] = {rg_build_dim(&b, "batch", 1), rg_build_dim(&b, "seq", SEQ_PRESET)};
    rg_value_id samples = rg_build_input(&b, "samples", RG_I64, 2, shape), sum = 0;
    rg_zoo_scope(&b, "start_conv");
    rg_value_id x = causal(&b, one_hot(&b, samples), LEVELS, 1);
    for (int i = 0; i < LAYERS; i++) {
        rg_value_id y = gated(&b, i, x);
        rg_zoo_scope(&b, "skip_convs.%d", i);
        rg_value_id skip = point(&b, y, RESIDUAL, SKIP);
        sum = sum ? rg_build_node(&b, "Add", NULL, sum, skip, -1) : skip;
        if (i + 1 == LAYERS) break; /* nobody hears the last one's residual */
        rg_zoo_scope(&b, "residual_convs.%d", i);
        x = rg_build_node(&b, "Add", NULL, point(&b, y, RESIDUAL, RESIDUAL), x, -1);
    }
    rg_zoo_scope(&b, "end_conv_1");
    x = point(&b, rg_build_node(&b, "Relu", NULL, sum, -1), SKIP, LEVELS);
    rg_zoo_scope(&b, "end_conv_2");
    x = point(&b, rg_build_node(&b, "Relu", NULL, x, -1), LEVELS, LEVELS);
    rg_build_output(&b, "logits", x);
    return rg_build_done(&b, out);
}

RG_ZOO(wavenet) = {
    .name = "wavenet", .family = "cnn", .build = build,
    .source = "van den Oord et al. 2016, arXiv:1609.03499, dilations of section 2.1; 64 residual, 256 skip "
              "channels and 256 levels, as NVIDIA/nv-wavenet tests them; the last residual, which nothing "
              "reads, left out; figures by the layer table, of one second at 16 kHz",
    .parameters = 1279616, .macs = 20250624000,
};
