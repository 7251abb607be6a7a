/* judge_diffusion.c - images and films by diffusion transformers, `batch` at a time on some devices with
 * xDiT: time of a batch, power of all devices, energy of one image or film.
 *
 *     t = passes steps (layers t_layer + t_exchange) + batch t_decode
 *     tokens = frames' (height / side) (width / side)     frames' = (frames - 1) / folded + 1
 *
 * Networks are stated by their published sizes; one layer is priced by its graph. Devices share the tokens:
 * in products and element by element each has its part; in attention, queries are its own and keys are all
 * (ring), or heads are its own (ulysses), which is as much work. What moves: with ulysses queries, keys,
 * values and results are dealt anew; along the ring keys and values go round. Pictures are decoded by each
 * device alone, as Stable Diffusion's decoder, by the pixel. Text encoders are left out: they run once.
 */
#include "learn/evaluate.h"

#include "format/format.h"
#include "learn/judge_model.h"
#include "op/collective.h"
#include "op/op.h"
#include "predict/link.h"
#include "predict/predict.h"

#include <math.h>
#include <string.h>

/* What a denoiser is, from its configuration as published beside its weights. */
typedef struct denoiser {
    const char *begins;          /* of the checkpoint's name behind the organization */
    int layers;
    int64_t width, heads, inner; /* inner: of the two products behind attention */
    int gated;                   /* 1: two products go in, their results are multiplied */
    int64_t side;                /* pixels that a token is high and wide */
    int folded;                  /* frames that a latent frame stands for */
    int64_t joined;              /* tokens of text that attention has beside those of the picture ... */
    int64_t crossed;             /* ... or that a second attention looks at */
    int passes;                  /* with and without the text, where it is guided so */
    bool linear;                 /* attention through a state of head x head: no scores */
    bool turned;                 /* queries and keys are normalized, then turned by position in f32 */
} denoiser;

static const denoiser denoisers[] = {
    {"PixArt-Sigma-XL-2-1024", 28, 1152, 16, 4608, 0, 16, 1, 0, 300, 2, false, false},
    {"SANA1.5_1.6B", 20, 2240, 70, 5600, 1, 32, 1, 0, 300, 2, true, false},
    {"SANA1.5_4.8B", 60, 2240, 70, 5600, 1, 32, 1, 0, 300, 2, true, false},
    {"HunyuanDiT-v1.2", 40, 1408, 16, 6144, 0, 16, 1, 0, 333, 2, false, true},
    {"Wan2.1-T2V-1.3B", 30, 1536, 12, 8960, 0, 16, 4, 0, 512, 2, false, true},
    {"Wan2.1-T2V-14B", 40, 5120, 40, 13824, 0, 16, 4, 0, 512, 2, false, true},
    {"CogVideoX-2b", 30, 1920, 30, 7680, 0, 16, 4, 226, 0, 2, false, false},
    {"CogVideoX-5b", 42, 3072, 48, 12288, 0, 16, 4, 226, 0, 2, false, true},
    {"HunyuanVideo", 60, 3072, 24, 12288, 0, 16, 4, 256, 0, 1, false, true},
    {"FLUX.1-dev", 57, 3072, 24, 12288, 0, 16, 1, 512, 0, 1, false, true},
    {"FLUX.1-schnell", 57, 3072, 24, 12288, 0, 16, 1, 256, 0, 1, false, true},
    {"stable-diffusion-3.5-large", 38, 2432, 38, 9728, 0, 16, 1, 333, 0, 2, false, false},
    {"stable-diffusion-3.5-medium", 24, 1536, 24, 6144, 0, 16, 1, 333, 0, 2, false, false},
    {"stable-diffusion-3-medium", 24, 1536, 24, 6144, 0, 16, 1, 333, 0, 2, false, false},
    {"AuraFlow", 36, 3072, 12, 8192, 1, 16, 1, 256, 0, 2, false, false},
};

typedef struct work { int64_t batch, tokens, pixels, steps; double ulysses, ring; } work;

static rg_err find_denoiser(rg_ctx *cx, rg_str name, const denoiser **out)
{
    rg_str own = name;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '/') own = (rg_str){name.data + i + 1, name.size - i - 1};
    for (size_t i = 0; i < RG_COUNT(denoisers); i++) {
        *out = &denoisers[i];
        if (rg_str_starts(own, denoisers[i].begins)) return RG_OK;
    }
    *out = NULL;
    return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no denoiser whose sizes are known", RG_STR(name));
}

static rg_err read_work(rg_ctx *cx, const rg_exam *exam, const denoiser *d, work *w)
{
    int64_t height = rg_exam_int(exam, "height"), width = rg_exam_int(exam, "width");
    int64_t frames = rg_exam_int(exam, "frames"), ulysses = rg_exam_int(exam, "ulysses");
    int64_t ring = rg_exam_int(exam, "ring"), side = d->side, devices = rg_exam_int(exam, "n_gpus");
    *w = (work){rg_exam_int(exam, "batch"), 0, 0, rg_exam_int(exam, "steps"), (double)ulysses, (double)ring};
    if (frames < 1) frames = 1;
    if (w->batch < 1 || w->steps < 1 || height < side || width < side || height > 65536 || width > 65536 ||
        frames > 65536 || w->batch > 65536)
        return rg_fail(cx, RG_INPUT, "batch, steps, height or width is no whole number that fits");
    if (ulysses < 1 || ring < 1 || ulysses > 64 || ring > 64)
        w->ulysses = devices > 0 ? (double)devices : 1, w->ring = 1;
    w->pixels = frames * height * width;
    w->tokens = ((frames - 1) / d->folded + 1) * (height / side) * (width / side);
    return RG_OK;
}

/* ---- one layer ---- */

static rg_value_id product(rg_build *b, rg_value_id x, int64_t in, int64_t out)
{
    rg_value_id weight = rg_build_param(b, "weight", RG_BF16, 2, (const int64_t[]){in, out});
    rg_value_id bias = rg_build_param(b, "bias", RG_BF16, 1, &out);
    return rg_build_node(b, "Add", NULL, rg_build_node(b, "MatMul", NULL, x, weight, -1), bias, -1);
}

/* Normalized, then scaled and shifted by the state of the time. */
static rg_value_id modulated(rg_build *b, rg_value_id x, int64_t width)
{
    rg_value_id scale = rg_build_param(b, "scale", RG_BF16, 1, &width);
    rg_value_id shift = rg_build_param(b, "shift", RG_BF16, 1, &width);
    x = rg_build_node(b, "LayerNormalization", "axis=-1", x, scale, shift, -1);
    return rg_build_node(b, "Add", NULL, rg_build_node(b, "Mul", NULL, x, scale, -1), shift, -1);
}

static rg_value_id gated(rg_build *b, rg_value_id x, rg_value_id y, int64_t width)
{
    rg_value_id gate = rg_build_param(b, "gate", RG_BF16, 1, &width);
    return rg_build_node(b, "Add", NULL, x, rg_build_node(b, "Mul", NULL, y, gate, -1), -1);
}

/* x cos + y sin, where y is x with its halves changed and one of them negated. */
static rg_value_id turned(rg_build *b, rg_value_id x, int64_t width)
{
    char to[2][16];
    rg_value_id scale = rg_build_param(b, "scale", RG_BF16, 1, &width);
    rg_value_id cosine = rg_build_param(b, "cos", RG_F32, 1, &width);
    rg_value_id sine = rg_build_param(b, "sin", RG_F32, 1, &width);
    snprintf(to[0], sizeof to[0], "to=%d", RG_F32);
    snprintf(to[1], sizeof to[1], "to=%d", RG_BF16);
    x = rg_build_node(b, "LayerNormalization", "axis=-1", x, scale, scale, -1);
    x = rg_build_node(b, "Cast", to[0], x, -1);
    rg_value_id y = rg_build_node(b, "Mul", NULL, rg_build_node(b, "Neg", NULL, x, -1), sine, -1);
    x = rg_build_node(b, "Add", NULL, rg_build_node(b, "Mul", NULL, x, cosine, -1), y, -1);
    return rg_build_node(b, "Cast", to[1], x, -1);
}

/* Keys and values of the tokens that the other devices hold come as they are. */
static rg_value_id attend(rg_build *b, const denoiser *d, rg_value_id x, const rg_dim *all)
{
    char attrs[80];
    long long heads = d->heads;
    rg_value_id q = product(b, x, d->width, d->width), k = product(b, x, d->width, d->width);
    rg_value_id v = product(b, x, d->width, d->width);
    if (d->turned) q = turned(b, q, d->width), k = turned(b, k, d->width);
    if (d->linear) q = rg_build_node(b, "Mul", NULL, rg_build_node(b, "Mul", NULL, q, k, -1), v, -1);
    else {
        rg_value_id keys = rg_build_input(b, "keys", RG_BF16, 3, all);
        rg_value_id values = rg_build_input(b, "values", RG_BF16, 3, all);
        snprintf(attrs, sizeof attrs, "kv_num_heads=%lld q_num_heads=%lld", heads, heads);
        rg_build_output(b, "k", k);
        rg_build_output(b, "v", v);
        q = rg_build_node(b, "Attention", attrs, q, keys, values, -1);
    }
    return product(b, q, d->width, d->width);
}

static rg_value_id look_at_text(rg_build *b, const denoiser *d, rg_value_id x, int64_t batch)
{
    char attrs[80];
    long long heads = d->heads;
    rg_dim words[] = {batch, d->crossed, d->width};
    rg_value_id q = product(b, x, d->width, d->width), text = rg_build_input(b, "text", RG_BF16, 3, words);
    rg_value_id k = product(b, text, d->width, d->width), v = product(b, text, d->width, d->width);
    snprintf(attrs, sizeof attrs, "kv_num_heads=%lld q_num_heads=%lld", heads, heads);
    return product(b, rg_build_node(b, "Attention", attrs, q, k, v, -1), d->width, d->width);
}

static rg_value_id feed(rg_build *b, const denoiser *d, rg_value_id x)
{
    rg_value_id y = product(b, x, d->width, d->inner);
    y = rg_build_node(b, "Gelu", NULL, y, -1);
    if (d->gated) y = rg_build_node(b, "Mul", NULL, y, product(b, x, d->width, d->inner), -1);
    return product(b, y, d->inner, d->width);
}

static rg_err build_layer(rg_ctx *cx, const denoiser *d, const work *w, rg_graph **out)
{
    rg_build b;
    double devices = w->ulysses * w->ring;
    int64_t all = w->tokens + d->joined, own = (int64_t)fmax(1, ceil((double)all / devices));
    int64_t batch = w->batch * d->passes;
    RG_TRY(rg_build_init(&b, cx, "layer"));
    rg_value_id x = rg_build_input(&b, "x", RG_BF16, 3, (rg_dim[]){batch, own, d->width});
    rg_value_id y = attend(&b, d, modulated(&b, x, d->width), (rg_dim[]){batch, all, d->width});
    x = gated(&b, x, y, d->width);
    if (d->crossed) x = rg_build_node(&b, "Add", NULL, x, look_at_text(&b, d, x, batch), -1);
    x = gated(&b, x, feed(&b, d, modulated(&b, x, d->width)), d->width);
    rg_build_output(&b, "result", x);
    RG_TRY(rg_build_done(&b, out));
    rg_err err = rg_graph_resolve(cx, *out);
    if (!err) err = rg_graph_infer(cx, *out);
    if (err) rg_graph_free(*out);
    return err;
}

typedef struct cost { double latency_s, power_w; } cost;

/* A layer is no whole inference. */
static rg_learning part_of(const rg_exam *exam)
{
    return exam->learning == RG_LEARN_ALL ? RG_LEARN_ROWS : exam->learning;
}

/* PyTorch's attention is FlashAttention-2, whose matrix instructions are Ampere's: at best 0.7 of a unit that
 * does 2048 operations a clock, as A100's, and half of that share on H100 (Dao 2023, section 4.1: 50 to 73 %;
 * Shah et al. 2024, "FlashAttention-3": FlashAttention-2 reaches 35 % on H100), whose unit does twice as
 * many.
 */
#define ATTENTION_SHARE 0.7
#define ATTENTION_OP_PER_CLOCK 2048.0

static void limit_attention(const rg_device *device, rg_runtime *runtime)
{
    const rg_peak *peak = rg_device_peak(device, -1, RG_MATRIX, RG_HW_BF16);
    double share = ATTENTION_SHARE;
    if (peak && device->kind == RG_DEVICE_GPU) share *= fmin(1, ATTENTION_OP_PER_CLOCK / peak->op_per_clock);
    for (size_t i = 0; i < runtime->efficiency_count; i++)
        if (strcmp(runtime->efficiencies[i].family, "attention") == 0)
            runtime->efficiencies[i].compute = share;
}

/* With attention in one kernel; f32 nowhere. */
static rg_err price(rg_ctx *cx, const rg_exam *exam, const rg_graph *g, const char *precision, cost *out)
{
    rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    const rg_forecast *f = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .precision = precision};
    rg_forecast_opt how = {.size = sizeof how, .learning = part_of(exam)};
    RG_TRY(rg_runtime_clone(cx, exam->runtimes[0], &runtime));
    runtime->fuses_attention = true;
    limit_attention(exam->device, runtime);
    runtime->graph_s = 0;
    rg_err err = rg_plan_make(cx, g, exam->device, runtime, &opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, &how, &f);
    if (!err) *out = (cost){f->latency_s.value, f->power_w.value};
    rg_forecast_free(f);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    return err;
}

/* ---- all of it ---- */

/* Of one layer: what each device deals to the others of its group, and what goes round the ring. */
static double exchange_s(const rg_device *device, const denoiser *d, const work *w)
{
    double devices = w->ulysses * w->ring, u = w->ulysses;
    double own_byte = 2. * (double)(w->batch * d->passes * d->width) * (double)w->tokens / devices;
    double sum = 0;
    if (d->linear) /* the state alone is summed: head x head for each head */
        return rg_collective_s(device, RG_ALL_REDUCE, devices, 1,
                               2. * (double)(w->batch * d->passes * d->width * d->width / d->heads), NULL);
    if (u > 1) sum += 4 * rg_collective_s(device, RG_ALL_TO_ALL, u, 1, own_byte, NULL);
    if (w->ring > 1) sum += rg_collective_s(device, RG_ALL_GATHER, w->ring, u, 2 * own_byte * w->ring, NULL);
    return sum;
}

/* The decoder of the zoo makes 512 x 512 pixels. */
static rg_err decode(rg_ctx *cx, const rg_exam *exam, const work *w, cost *out)
{
    rg_graph *g = NULL;
    RG_TRY(rg_judge_model(cx, "sd-vae-decoder", (rg_model_sizes){.batch = 1}, &g));
    rg_err err = price(cx, exam, g, "bf16", out);
    out->latency_s *= (double)w->pixels / (512. * 512.);
    rg_graph_free(g);
    return err;
}

static rg_err forecast(rg_ctx *cx, const rg_exam *exam, double *out)
{
    const denoiser *d;
    work w;
    rg_graph *g = NULL;
    cost layer, last;
    RG_TRY(find_denoiser(cx, rg_exam_text(exam, "model"), &d));
    RG_TRY(read_work(cx, exam, d, &w));
    RG_TRY(build_layer(cx, d, &w, &g));
    rg_err err = price(cx, exam, g, "model", &layer);
    rg_graph_free(g);
    if (!err) err = decode(cx, exam, &w, &last);
    if (err) return err;
    double devices = w.ulysses * w.ring, layers = (double)d->layers * (double)w.steps;
    double steps_s = layers * layer.latency_s, moves_s = layers * exchange_s(exam->device, d, &w);
    double decode_s = (double)w.batch * last.latency_s, batch_s = steps_s + moves_s + decode_s;
    double idle_j = exam->device->idle_w * moves_s,
           batch_j = layer.power_w * steps_s + idle_j + last.power_w * decode_s;
    out[0] = batch_s;
    out[1] = devices * batch_j / batch_s;
    out[2] = devices * batch_j / (double)w.batch;
    return RG_OK;
}

RG_JUDGE(diffusion) = {
    .name = "diffusion", .brief = "Images and films by diffusion transformers, a batch at a time with xDiT",
    .columns = {"device", "n_gpus", "model", "precision", "batch", "height", "width", "steps", "frames",
                "ulysses", "ring"},
    .where = "kind", .where_is = "diffusion_energy",
    .device = "device", .family = "model", .runtimes = {"pytorch-eager"},
    .quantities = {{"latency", "batch_latency_s", 1, RG_UNIT_SECOND},
                   {"power", "avg_power_w", 1, RG_UNIT_WATT},
                   {"energy per item", "energy_per_item_j", 1, RG_UNIT_JOULE}},
    .forecast = forecast,
};
