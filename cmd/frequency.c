/* frequency.c - `ridge frequency MODEL`: the core clock to fix a machine at. */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>

typedef struct frequency_opt {
    cmd_common common;
    const char *device, *runtime, *precision, *seq, *shape, *value, *trip, *changes;
    const char *probe, *objective, *slowdown, *limit, *mix;
    int batch, jobs;
} frequency_opt;

#define FIELD(name) offsetof(frequency_opt, name)
static const rg_opt opts[] = {
    {"on", "ID", RG_OPT_TEXT, FIELD(device), "host", NULL,
     "the device: an id or alias, a profile file, ID@MODE, or host (this machine)"},
    {"probe", "FILE", RG_OPT_TEXT, FIELD(probe), NULL, NULL,
     "runs that were measured: CSV of core_mhz, latency_s (or latency_ms), power_w (or energy_j), and of "
     "several models the model; one at the highest clock helps, the lowest and the middle help more"},
    {"objective", "WHAT", RG_OPT_TEXT, FIELD(objective), "edp", "edp|ed2p|energy",
     "what is made least: energy x time, energy x time squared, or energy"},
    {"slowdown", "SHARE", RG_OPT_TEXT, FIELD(slowdown), NULL, NULL,
     "how much longer than the shortest time it may take: 10% or 0.1"},
    {"cap", "POWER", RG_OPT_TEXT, FIELD(limit), NULL, NULL,
     "power that supply or cooling hold for long: 200W; else the device's own cap"},
    {"mix", "MODEL=WEIGHT,...", RG_OPT_LIST, FIELD(mix), NULL, NULL,
     "other models that run in turn at the same clock, and how often for each run of MODEL"},
    {"runtime", "ID", RG_OPT_TEXT, FIELD(runtime), NULL, NULL,
     "software stack: an id (see 'ridge runtimes') or a profile file; else the customary one"},
    {"precision", "TYPE", RG_OPT_TEXT, FIELD(precision), "model", NULL,
     "model, f32, tf32, f16, bf16, f8, i8, amp-f16, with +w=i4g128 and +kv=f8"},
    {"batch", "N", RG_OPT_INT, FIELD(batch), "0", NULL, "inputs per inference; 0: as the model says"},
    {"seq", "N", RG_OPT_TEXT, FIELD(seq), NULL, NULL, "size of the dimension that is called seq"},
    {"shape", "SPEC", RG_OPT_LIST, FIELD(shape), NULL, NULL,
     "sizes of dimensions or inputs: seq=128,image=1x3x224x224"},
    {"value", "SPEC", RG_OPT_LIST, FIELD(value), NULL, NULL, "values of scalar inputs: sr=16000"},
    {"trip", "SPEC", RG_OPT_LIST, FIELD(trip), NULL, NULL, "trip counts of Loop nodes: /decoder/Loop=20"},
    {"set", "PATH=VALUE,...", RG_OPT_LIST, FIELD(changes), NULL, NULL,
     "what if: figures of the profile, by their path: levels.hbm.read_byte_per_s=2x"},
    CMD_JOBS_OPTION(FIELD(jobs)),
};

/* "10%", "0.1"; NULL: -1. */
static rg_err read_share(rg_ctx *cx, const char *text, double *out)
{
    char *end = NULL;
    *out = -1;
    if (!text) return RG_OK;
    double x = strtod(text, &end);
    bool percent = end != text && strcmp(end, "%") == 0;
    if (end == text || (*end && !percent) || !(x >= 0) || x > 1e6)
        return rg_fail(cx, RG_USAGE, "--slowdown: '%s' is no share: 10%% or 0.1", text);
    *out = percent ? x / 100 : x;
    return RG_OK;
}

static rg_err read_power(rg_ctx *cx, const char *text, double *out)
{
    *out = 0;
    if (!text) return RG_OK;
    rg_err err = rg_quantity_read(cx, text, "W", out);
    if (err) return rg_note(cx, err, "--cap");
    return *out > 0 ? RG_OK : rg_fail(cx, RG_USAGE, "--cap: a power is above 0");
}

/* "MODEL=WEIGHT" cut at its last '=', in place. */
static rg_err read_mix(rg_ctx *cx, char *text, const char **model, double *weight)
{
    char *equal = strrchr(text, '='), *end = NULL;
    if (equal) *weight = strtod(equal + 1, &end);
    if (!equal || equal == text || end == equal + 1 || *end || !(*weight > 0))
        return rg_fail(cx, RG_USAGE, "--mix: '%s' is no MODEL=WEIGHT with a weight above 0", text);
    *equal = 0;
    *model = text;
    return RG_OK;
}

static rg_err ask(rg_ctx *cx, const frequency_opt *o, rg_frequency_opt *asked, rg_doc **out)
{
    cmd_progress progress;
    CMD_TRY(cmd_jobs_check(cx, o->jobs));
    CMD_TRY(read_share(cx, o->slowdown, &asked->slowdown));
    CMD_TRY(read_power(cx, o->limit, &asked->limit_w));
    cmd_progress_begin(&progress, &o->common, "ridge frequency");
    asked->progress = cmd_progress_step;
    asked->user = &progress;
    rg_err err = rg_frequency_doc(cx, asked, out);
    cmd_progress_end(&progress);
    return err;
}

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const frequency_opt *o = opt;
    cmd_list changes = {0}, mix = {0};
    const char **models = NULL;
    double *weights = NULL;
    (void)argc;
    rg_err err = cmd_list_split(cx, "--set", o->changes, &changes);
    if (!err) err = cmd_list_split(cx, "--mix", o->mix, &mix);
    if (!err) {
        models = calloc(mix.count + 1, sizeof *models);
        weights = calloc(mix.count + 1, sizeof *weights);
        if (!models || !weights) err = rg_fail(cx, RG_NOMEM, "out of memory");
    }
    if (!err) models[0] = argv[0], weights[0] = 1;
    for (size_t i = 0; i < mix.count && !err; i++)
        err = read_mix(cx, mix.words + (mix.items[i] - mix.words), &models[i + 1], &weights[i + 1]);
    if (!err)
        err = ask(cx, o, &(rg_frequency_opt){
            .size = sizeof(rg_frequency_opt), .models = models, .model_count = mix.count + 1,
            .weights = weights, .device = o->device, .runtime = o->runtime, .precision = o->precision,
            .batch = o->batch, .seq = o->seq, .shape = o->shape, .value = o->value, .trip = o->trip,
            .changes = changes.items, .change_count = changes.count, .probe = o->probe,
            .objective = o->objective, .workers = (size_t)o->jobs,
        }, out);
    free(models);
    free(weights);
    cmd_list_free(&mix);
    cmd_list_free(&changes);
    return err;
}

RG_CMD(frequency) = {
    .name = "frequency",
    .args = "MODEL",
    .brief = "the core clock to fix a machine at, and what it saves",
    .detail =
        "Forecasts time, power and energy at every legal core clock of the device and chooses one: the\n"
        "least energy-delay product, or the least energy within a slowdown. Runs that were measured at\n"
        "one or a few clocks (--probe) correct the curve. The saving comes with the interval that is\n"
        "left open; --mix finds one clock for several models.\n"
        "\n"
        "Exit code 3: no clock keeps to the power that is allowed.",
    .examples =
        "ridge frequency zoo:resnet50 --on v100-pcie-32gb\n"
        "ridge frequency zoo:bert-base --on a100-pcie-40gb --objective energy --slowdown 10%\n"
        "ridge frequency zoo:resnet50 --on h100-nvl --cap 250W --mix zoo:bert-base=2,zoo:vit_b_16=1\n"
        "ridge frequency model.onnx --on v100-pcie-32gb --probe measured.csv --format html -o clocks.html",
    .opt_size = sizeof(frequency_opt),
    .opts = opts,
    .opt_count = CMD_COUNT(opts),
    .arg_min = 1,
    .arg_max = 1,
    .run = run,
};
