/* judge_vision.c - classifiers of images, a batch at a time: timm's tables, NVIDIA's DeepLearningExamples,
 * MLPerf. Three kinds, scored apart:
 *
 *     vision_graph     models of the zoo, at the image size of the row
 *     vision_totals    others, by their multiply-adds, activations and parameters: see stand_in.c. Where
 *                      parameters alone are known, the others are guessed from them
 *     vision_unknown   training; models that neither the zoo nor totals describe: nothing is answered
 *
 * Models of the zoo teach what totals miss, too (vision_as_totals): the others are few, and of odd families.
 *
 * A stand-in has four stages, or one where the network is a plain transformer, which its name tells. Its
 * layers: the number in the name of a network that is called by it (ResNet-101, VGG-16, DLA-60), else 50,
 * which ResNet-50 and ViT-B (12 blocks of 4 products) have both about; larger transformers are called large,
 * huge, giant and gigantic, of 24, 32, 40 and 48 blocks.
 *
 * Watts are those of whole servers, which no forecast is of.
 */
#include "learn/blocks.h"
#include "learn/judge_model.h"
#include "learn/probed.h"
#include "learn/stand_in.h"
#include "learn/vision_models.h"
#include "predict/predict.h"

#include <math.h>
#include <string.h>

/* "PyTorch/Classification/ConvNets/resnet50v1.5" is called by its last part. NULL: the zoo has none. */
static const char *find_model(const rg_exam *exam)
{
    rg_str name = rg_exam_text(exam, "model"), part = name;
    while (rg_str_cut(&name, '/', &part)) continue;
    return rg_vision_model(part, rg_exam_int(exam, "img_size"));
}

static bool is_training(const rg_exam *exam) { return rg_str_is(rg_exam_text(exam, "mode"), "train"); }

/* Parameters are known of nearly all; without the size of its image they say nothing. */
static bool has_totals(const rg_exam *exam)
{
    bool rest = rg_exam_real(exam, "gmacs") > 0 && rg_exam_real(exam, "macts_m") > 0;
    return rg_exam_real(exam, "params_m") > 0 && (rest || rg_exam_int(exam, "img_size") > 0);
}

static bool is_graph(const rg_exam *exam) { return !is_training(exam) && find_model(exam); }
static bool is_totals(const rg_exam *exam)
{
    return !is_training(exam) && !find_model(exam) && has_totals(exam);
}
static bool has_graph_and_totals(const rg_exam *exam) { return is_graph(exam) && has_totals(exam); }
static bool is_unknown(const rg_exam *exam) { return !is_graph(exam) && !is_totals(exam); }

/* ---- how it was run ---- */

typedef struct setting {
    int64_t batch;
    const char *precision, *runtime;
    rg_sketch sketch;
} setting;
typedef struct meaning { const char *begins, *means; } meaning;

/* With automatic mixed precision products and convolutions compute in the type that it is called by. */
static const meaning precisions[] = {
    {"amp_fp16", "amp-f16"}, {"amp_bf16", "amp-bf16"}, {"bf16", "bf16"}, {"fp16", "f16"}, {"FP16", "f16"},
    {"Mixed ", "f16"}, {"mixed ", "f16"}, {"AMP", "f16"}, {"fp32", "f32"}, {"FP32", "f32"}, {"TF32", "tf32"},
    {"tf32", "tf32"}, {"int8", "i8"}, {"INT8", "i8"}, {"fp8", "f8"}, {"float8", "f8"},
};

/* TensorFlow has no profile: its executor, too, launches one library kernel after the other from the host
 * (assumed to take as long). */
static const meaning frameworks[] = {
    {"pytorch", "pytorch-eager"}, {"PyTorch", "pytorch-eager"}, {"TensorFlow", "pytorch-eager"},
    {"TensorRT", "tensorrt"},
};

static rg_err read_meaning(rg_ctx *cx, const char *what, rg_str text, const meaning *known, size_t count,
                           const char **out)
{
    for (size_t i = 0; i < count; i++)
        if (rg_str_starts(text, known[i].begins)) {
            *out = known[i].means;
            return RG_OK;
        }
    return rg_fail(cx, RG_UNSUPPORTED, "'%.*s' is no %s that is known", RG_STR(text), what);
}

/* Streams of MLPerf Inference send one query, or eight at once (its rules, "Scenarios"). */
static rg_err read_batch(rg_ctx *cx, const rg_exam *exam, int64_t *out)
{
    rg_str mode = rg_exam_text(exam, "mode");
    *out = rg_exam_int(exam, "batch");
    if (*out < 0 && rg_str_is(mode, "SingleStream")) *out = 1;
    if (*out < 0 && rg_str_is(mode, "MultiStream")) *out = 8;
    if (*out >= 1 && *out <= INT32_MAX) return RG_OK;
    return rg_fail(cx, RG_UNSUPPORTED, "how many samples ran at once was not recorded");
}

/* "pytorch 2.4.0" -> 2.04; 0: none is named. */
static double release_of(rg_str name)
{
    int64_t part[2] = {0}, which = 0;
    while (name.size && (name.data[0] < '0' || name.data[0] > '9')) name.data++, name.size--;
    for (; name.size && which < 2; name.data++, name.size--) {
        if (name.data[0] >= '0' && name.data[0] <= '9' && part[which] < 1000)
            part[which] = part[which] * 10 + name.data[0] - '0';
        else which++;
    }
    return part[0] < 100 && part[1] < 100 ? (double)part[0] + (double)part[1] / 100 : 0;
}

static void read_sketch(const rg_exam *exam, setting *s)
{
    s->sketch = (rg_sketch){
        .samples = (double)s->batch, .release = release_of(rg_exam_text(exam, "framework")),
        .channels_last = rg_str_is(rg_exam_text(exam, "layout"), "nhwc"),
        .mixed = rg_str_starts(rg_exam_text(exam, "precision"), "amp"),
    };
}

/* amp-f16 -> f16 */
static const char *plain(const char *precision)
{
    static const char automatic[] = "amp-";
    bool is = rg_str_starts(rg_str_of(precision), automatic);
    return is ? precision + sizeof automatic - 1 : precision;
}

static rg_err read_setting(rg_ctx *cx, const rg_exam *exam, setting *s)
{
    RG_TRY(read_batch(cx, exam, &s->batch));
    RG_TRY(read_meaning(cx, "precision", rg_exam_text(exam, "precision"), precisions, RG_COUNT(precisions),
                        &s->precision));
    RG_TRY(read_meaning(cx, "framework", rg_exam_text(exam, "framework"), frameworks, RG_COUNT(frameworks),
                        &s->runtime));
    if (rg_str_starts(rg_exam_text(exam, "compile"), "dynamo")) {
        s->runtime = "pytorch-compile";
        s->precision = plain(s->precision); /* generated loops convert on their way */
    }
    read_sketch(exam, s);
    return RG_OK;
}

/* scaled_dot_product_attention came with PyTorch 2.0. */
static bool is_unfused(const setting *s) { return s->sketch.release > 0 && s->sketch.release < 2; }

static rg_err answer(rg_ctx *cx, const rg_exam *exam, const setting *s, const rg_graph *graph,
                     const char *sort, double *out)
{
    rg_run_cost cost;
    rg_model_way way = {s->runtime, s->precision, sort, &s->sketch, !is_unfused(s)};
    RG_TRY(rg_judge_model_cost(cx, exam, graph, &way, &cost));
    out[0] = out[2] = cost.latency_s;
    if (exam->spread) exam->spread[1] = exam->spread[2] = exam->spread[0];
    out[1] = (double)s->batch / cost.latency_s;
    return RG_OK;
}

/* ---- the forecasts ---- */

static rg_err forecast_graph(rg_ctx *cx, const rg_exam *exam, double *out)
{
    setting s;
    rg_graph *graph = NULL;
    int64_t side = rg_exam_int(exam, "img_size");
    RG_TRY(read_setting(cx, exam, &s));
    if (side > INT16_MAX)
        return rg_fail(cx, RG_INPUT, "img_size %lld is no side of an image", (long long)side);
    rg_model_sizes sizes = {.batch = s.batch, .side = side > 0 ? side : 0, .unfused = is_unfused(&s)};
    RG_TRY(rg_judge_model(cx, find_model(exam), sizes, &graph));
    rg_err err = answer(cx, exam, &s, graph, "whole", out);
    rg_graph_free(graph);
    return err;
}

static bool contains(rg_str text, const char *part)
{
    for (; text.size; text.data++, text.size--)
        if (rg_str_starts(text, part)) return true;
    return false;
}

/* The first number in a name that can be one of layers; 0: none. */
static int64_t number_in(rg_str name)
{
    int64_t number = 0;
    for (size_t i = 0; i < name.size; i++) {
        bool digit = name.data[i] >= '0' && name.data[i] <= '9';
        if (!digit && number >= 10) break;
        number = digit && number < 1000 ? number * 10 + name.data[i] - '0' : 0;
    }
    return number >= 10 && number < 1000 ? number : 0;
}

static int64_t layers_of(rg_str name)
{
    static const char *const counted[] = {"resn", "res2", "vgg", "dla", "dpn", "densenet", "darknet"};
    static const struct { const char *part; int64_t layers; } sized[] = {
        {"gigantic", 192}, {"giant", 160}, {"huge", 128}, {"large", 96},
    };
    for (size_t i = 0; i < RG_COUNT(counted); i++)
        if (contains(name, counted[i]) && number_in(name)) return number_in(name);
    for (size_t i = 0; i < RG_COUNT(sized); i++)
        if (contains(name, sized[i].part)) return sized[i].layers;
    return 50;
}

/* Each parameter meets every position: of a transformer those are its patches; networks of convolutions use
 * it as often as if all of them saw an image 17 times smaller, with depthwise ones 19 (median of timm's
 * tables, which lie within a factor of 1.3 and 2), and write an element for so many multiply-adds. */
static void guess(rg_totals *t, double side, double patch, uint32_t blocks)
{
    struct { double step, macs; } is = {17, 450};
    if (blocks & rg_block("depthwise")) is.step = 19, is.macs = 170;
    if (patch > 0) is.step = patch, is.macs = 600;
    t->macs = t->parameters * side * side / (is.step * is.step);
    t->activations = t->macs / is.macs;
}

/* Of a plain network all layers are one stage. */
static rg_err read_totals(rg_ctx *cx, const rg_exam *exam, rg_totals *t, rg_sketch *sketch)
{
    rg_str name = rg_exam_text(exam, "model");
    rg_blocks blocks;
    RG_TRY(rg_blocks_of(cx, name, &blocks));
    *t = (rg_totals){
        .macs = rg_exam_real(exam, "gmacs") * 1e9, .activations = rg_exam_real(exam, "macts_m") * 1e6,
        .parameters = rg_exam_real(exam, "params_m") * 1e6, .layers = layers_of(name),
        .stages = blocks.plain ? 1 : 4,
    };
    sketch->side = fmax((double)rg_exam_int(exam, "img_size"), 0);
    sketch->patch = (double)rg_patch_of(name);
    sketch->blocks = blocks.bits;
    sketch->guessed = !(t->macs > 0 && t->activations > 0);
    if (sketch->guessed) guess(t, sketch->side, sketch->patch, sketch->blocks);
    sketch->macs = t->macs, sketch->activations = t->activations, sketch->parameters = t->parameters;
    return RG_OK;
}

static rg_err forecast_totals(rg_ctx *cx, const rg_exam *exam, double *out)
{
    setting s;
    rg_graph *graph = NULL;
    rg_totals totals;
    RG_TRY(read_setting(cx, exam, &s));
    RG_TRY(read_totals(cx, exam, &totals, &s.sketch));
    s.precision = plain(s.precision); /* a stand-in is products alone */
    RG_TRY(rg_stand_in(cx, &totals, s.batch, &graph));
    rg_err err = answer(cx, exam, &s, graph, "totals", out);
    rg_graph_free(graph);
    return err;
}

static rg_err refuse(rg_ctx *cx, const rg_exam *exam, double *out)
{
    (void)out;
    if (is_training(exam)) return rg_fail(cx, RG_UNSUPPORTED, "a step of training is no inference");
    return rg_fail(cx, RG_UNSUPPORTED, "the model is not in the zoo, and its row has no totals");
}

/* ---- a device of which a few networks were timed ---- */

/* Amounts, and what the name says of the structure. */
static rg_err probe_features(rg_ctx *cx, const rg_exam *exam, const double *forecast, double *x)
{
    double macs = rg_exam_real(exam, "gmacs"), written = rg_exam_real(exam, "macts_m");
    double batch = rg_exam_real(exam, "batch");
    rg_blocks blocks;
    RG_TRY(rg_blocks_of(cx, rg_exam_text(exam, "model"), &blocks));
    *x++ = macs > 0 && written > 0 ? log(macs / written) : 0;
    *x++ = batch > 0 ? log(forecast[0] / batch) : 0;
    *x++ = batch > 0 ? log(batch) : 0;
    *x++ = rg_str_is(rg_exam_text(exam, "layout"), "nhwc");
    for (uint32_t i = 0; i < RG_PROBED_FEATURES - 4; i++) x[i] = blocks.bits >> i & 1;
    return RG_OK;
}

static rg_err correct(rg_ctx *cx, rg_sitting *sitting, double (*out)[RG_JUDGE_QUANTITIES])
{
    return rg_probed_forecast(cx, sitting, probe_features, out);
}

#define COLUMNS                                                                                              \
    .columns = {"device", "mode", "model", "family", "batch", "precision", "img_size", "gmacs", "macts_m",   \
                "params_m", "framework", "compile", "layout"},                                               \
    .device = "device", .family = "family", .curve = correct, .curve_by = {"device"},                        \
    .quantities = {{"step time", "step_ms", 1e-3, RG_UNIT_SECOND},                                           \
                   {"samples per second", "samples_per_s", 1, RG_UNIT_COUNT},                                \
                   {"latency", "latency_ms", 1e-3, RG_UNIT_SECOND}}

RG_JUDGE(vision_graph) = {
    .name = "vision_graph", .brief = "Classifiers of images that the zoo has, by their graphs",
    .has = is_graph, .forecast = forecast_graph, COLUMNS,
};

RG_JUDGE(vision_totals) = {
    .name = "vision_totals", .brief = "Classifiers of images that the zoo does not have, by their totals",
    .has = is_totals, .forecast = forecast_totals, COLUMNS,
};

RG_JUDGE(vision_as_totals) = {
    .name = "vision_as_totals", .brief = "Classifiers of images that the zoo has, as if it had not",
    .has = has_graph_and_totals, .forecast = forecast_totals, .teaches = true, COLUMNS,
};

RG_JUDGE(vision_unknown) = {
    .name = "vision_unknown", .brief = "Images: training, and models that nothing describes",
    .has = is_unknown, .forecast = refuse, COLUMNS,
};
