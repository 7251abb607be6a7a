/* run.c - `ridge run MODEL`: what the model gives for inputs out of files, or made-up ones. */
#include "cmd.h"

typedef struct run_opt {
    cmd_common common;
    cmd_model model;
    const char *inputs, *backend, *save, *labels;
    const char *resize, *mean, *std, *layout, *color, *channel;
    double scale, at_s;
    int seed, top, rate_hz, samples, threads;
    bool random;
} run_opt;

#define FIELD(name) offsetof(run_opt, name)
static const rg_opt opts[] = {
    {"input", "NAME=FILE,...", RG_OPT_LIST, FIELD(inputs), NULL, NULL,
     "inputs: .npy, .npz, .pb, .png, .jpg, .webp, .bmp, .ppm, .wav; an .npz may stand without a name"},
    {"random", NULL, RG_OPT_FLAG, FIELD(random), NULL, NULL, "make up the inputs that have no file"},
    {"seed", "N", RG_OPT_INT, FIELD(seed), "0", NULL, "of made-up inputs and of random operators"},
    {"save", "DIR", RG_OPT_TEXT, FIELD(save), NULL, NULL, "write each output to DIR/NAME.npy"},
    {"top", "N", RG_OPT_INT, FIELD(top), "5", NULL, "show the N largest scores of each row of classes"},
    {"labels", "FILE", RG_OPT_TEXT, FIELD(labels), NULL, NULL, "names of the classes, one a line"},
    {"backend", "NAME", RG_OPT_TEXT, FIELD(backend), "native", "native|naive",
     "native: as a plan for this machine, where that can run the model; naive: node by node, plainly"},
    {"threads", "N", RG_OPT_INT, FIELD(threads), "1", NULL, "of the native backend"},
    {"resize", "WxH", RG_OPT_TEXT, FIELD(resize), NULL, NULL, "pictures: to that size, bilinear"},
    {"scale", "X", RG_OPT_REAL, FIELD(scale), "0", NULL,
     "pictures: bytes times X; 0: 1/255 for inputs of floats, else 1"},
    {"mean", "X,...", RG_OPT_LIST, FIELD(mean), NULL, NULL,
     "pictures: minus X, one for each channel or for all"},
    {"std", "X,...", RG_OPT_LIST, FIELD(std), NULL, NULL, "pictures: then over X"},
    {"layout", "NAME", RG_OPT_TEXT, FIELD(layout), "auto", "auto|nchw|nhwc",
     "pictures: channels first or last; auto: what the input's sizes say"},
    {"color", "ORDER", RG_OPT_TEXT, FIELD(color), "rgb", "rgb|bgr", "pictures: order of the channels"},
    {"channel", "N", RG_OPT_TEXT, FIELD(channel), "mean", NULL,
     "sound: a channel from 0, or the mean of all"},
    {"rate", "HZ", RG_OPT_INT, FIELD(rate_hz), "0", NULL,
     "sound: the rate that it must have, as nothing is resampled; 0: any"},
    {"at", "S", RG_OPT_REAL, FIELD(at_s), "0", NULL, "sound: where to begin, in seconds"},
    {"samples", "N", RG_OPT_INT, FIELD(samples), "0", NULL,
     "sound: how many samples; 0: as many as the input has room for"},
    CMD_MODEL_OPTIONS(FIELD(model)),
};

static rg_err check(rg_ctx *cx, const run_opt *o)
{
    const struct { const char *name; int value; } numbers[] = {
        {"top", o->top}, {"rate", o->rate_hz}, {"samples", o->samples}, {"batch", o->model.batch},
        {"threads", o->threads},
    };
    for (size_t i = 0; i < CMD_COUNT(numbers); i++)
        if (numbers[i].value < 0)
            return rg_fail(cx, RG_USAGE, "--%s: %d is negative", numbers[i].name, numbers[i].value);
    return RG_OK;
}

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const run_opt *o = opt;
    cmd_list inputs = {0};
    (void)argc;
    CMD_TRY(check(cx, o));
    rg_err err = cmd_list_split(cx, "--input", o->inputs, &inputs);
    if (!err)
        err = rg_run_doc(cx, argv[0],
                         &(rg_run_opt){
                             .size = sizeof(rg_run_opt),
                             .shape = o->model.shape,
                             .value = o->model.value,
                             .trip = o->model.trip,
                             .batch = o->model.batch,
                             .inputs = inputs.items,
                             .input_count = inputs.count,
                             .random = o->random,
                             .seed = (uint64_t)o->seed,
                             .backend = o->backend,
                             .threads = o->threads,
                             .out_dir = o->save,
                             .top = o->top,
                             .labels = o->labels,
                             .resize = o->resize,
                             .scale = o->scale,
                             .mean = o->mean,
                             .std = o->std,
                             .layout = o->layout,
                             .color = o->color,
                             .channel = o->channel,
                             .rate_hz = o->rate_hz,
                             .at_s = o->at_s,
                             .samples = o->samples,
                         },
                         out);
    cmd_list_free(&inputs);
    return err;
}

RG_CMD(run) = {
    .name = "run",
    .args = "MODEL",
    .brief = "run a model on inputs and show what it gives",
    .detail =
        "Inputs are files in the type and shape that the model takes; sizes that the model leaves open\n"
        "are those of the files. Pictures become (x * scale - mean) / std with x in 0..255, sound\n"
        "becomes samples in [-1, 1); the report says what was done. Nothing is cast or reshaped\n"
        "otherwise: a file that does not fit is refused with what the input takes.\n"
        "\n"
        "The backend is Ridge's own. How fast it is, is no measurement and so not shown.",
    .examples = "ridge run mnist.onnx --input digit.npy\n"
                "ridge run resnet50.onnx --input cat.jpg --resize 224x224 --mean 0.485,0.456,0.406 "
                "--std 0.229,0.224,0.225 --labels imagenet.txt\n"
                "ridge run bert.onnx --input ids=ids.npy,mask=mask.npy --save answers\n"
                "ridge run vad.onnx --input input=speech.wav,state=zeros.npy --rate 16000 --value sr=16000 "
                "--samples 576\n"
                "ridge run model.onnx --random --seed 7",
    .opt_size = sizeof(run_opt),
    .opts = opts,
    .opt_count = CMD_COUNT(opts),
    .arg_min = 1,
    .arg_max = 1,
    .run = run,
};
