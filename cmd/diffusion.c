/* diffusion.c - `ridge diffusion PIPELINE`: what an image takes when several models make it in turn. */
#include "cmd.h"

#include <stdio.h>

typedef struct diffusion_opt {
    cmd_common common;
    cmd_cost cost;
    const char *devices, *runtimes, *precision, *images, *size, *scheduler, *guidance, *changes, *explain;
    int steps, tokens, jobs;
    bool offload;
} diffusion_opt;

#define FIELD(name) offsetof(diffusion_opt, name)
static const rg_opt opts[] = {
    {"on", "ID,...", RG_OPT_LIST, FIELD(devices), "host", NULL,
     "devices: ids or aliases, profile files, ID@MODE, host (this machine), or all"},
    {"runtime", "ID,...", RG_OPT_LIST, FIELD(runtimes), NULL, NULL,
     "software stacks: ids, profile files, or all; else the customary one of each device"},
    {"precision", "TYPE", RG_OPT_TEXT, FIELD(precision), NULL, NULL,
     "type of all parts that keep none of their own: model, f32, f16, bf16, f8, i8; else the pipeline's"},
    {"size", "WxH", RG_OPT_TEXT, FIELD(size), NULL, NULL, "of the image: 1024x768; else the pipeline's"},
    {"images", "RANGE", RG_OPT_LIST, FIELD(images), "1", NULL, "made at once: 1,4 or 1..16 (doubling)"},
    {"steps", "N", RG_OPT_INT, FIELD(steps), "0", NULL, "of the scheduler; 0: the pipeline's"},
    {"scheduler", "NAME", RG_OPT_TEXT, FIELD(scheduler), NULL, NULL,
     "how often steps evaluate the denoiser: euler, heun, dpm++2m, ...; else the pipeline's"},
    {"guidance", "X", RG_OPT_TEXT, FIELD(guidance), NULL, NULL,
     "scale of guidance; up to 1 there is none, and one pass is enough; else the pipeline's"},
    {"tokens", "N", RG_OPT_INT, FIELD(tokens), "0", NULL, "of the text; 0: the pipeline's"},
    {"offload", NULL, RG_OPT_FLAG, FIELD(offload), NULL, NULL,
     "parts come into the device's memory one by one: less memory, and their weights cross the host's link"},
    {"set", "PATH=VALUE,...", RG_OPT_LIST, FIELD(changes), NULL, NULL,
     "what if: figures of every profile, by their path: levels.hbm.read_byte_per_s=2x"},
    CMD_COST_OPTIONS(FIELD(cost)),
    CMD_JOBS_OPTION(FIELD(jobs)),
    {"explain", "DEPTH", RG_OPT_TEXT, FIELD(explain), "1", "0|1|2",
     "0 the table, 1 and each part, 2 and its slowest rows"},
};

/* "1024x768", width first. */
static rg_err read_size(rg_ctx *cx, const char *text, int *width, int *height)
{
    char rest;
    *width = *height = 0;
    if (!text) return RG_OK;
    if (sscanf(text, "%9dx%9d%c", width, height, &rest) == 2 && *width > 0 && *height > 0) return RG_OK;
    return rg_fail(cx, RG_USAGE, "--size: '%s' is no WIDTHxHEIGHT such as 1024x768", text);
}

static rg_err report(rg_ctx *cx, const diffusion_opt *o, const char *pipeline, const rg_rates *rates,
                     size_t *failed, rg_doc **out)
{
    cmd_list devices = {0}, runtimes = {0}, changes = {0};
    cmd_progress progress;
    rg_diffusion_opt opt = {
        .size = sizeof opt, .precision = o->precision, .images = o->images, .tokens = o->tokens,
        .steps = o->steps, .scheduler = o->scheduler, .guidance = o->guidance, .offload = o->offload,
        .workers = (size_t)o->jobs, .explain = o->explain[0] - '0', .rates = rates,
        .progress = cmd_progress_step, .user = &progress,
    };
    rg_err err = read_size(cx, o->size, &opt.width, &opt.height);
    if (!err) err = cmd_jobs_check(cx, o->jobs);
    if (!err) err = cmd_list_split(cx, "--on", o->devices, &devices);
    if (!err) err = cmd_list_split(cx, "--runtime", o->runtimes, &runtimes);
    if (!err) err = cmd_list_split(cx, "--set", o->changes, &changes);
    if (!err) {
        opt.devices = devices.items, opt.device_count = devices.count;
        opt.runtimes = runtimes.items, opt.runtime_count = runtimes.count;
        opt.changes = changes.items, opt.change_count = changes.count;
        cmd_progress_begin(&progress, &o->common, "ridge diffusion");
        err = rg_diffusion_doc(cx, pipeline, &opt, failed, out);
        cmd_progress_end(&progress);
    }
    cmd_list_free(&changes);
    cmd_list_free(&runtimes);
    cmd_list_free(&devices);
    return err;
}

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const diffusion_opt *o = opt;
    const rg_rates *rates = NULL;
    size_t failed = 0;
    (void)argc;
    CMD_TRY(cmd_cost_rates(cx, &o->cost, &rates));
    rg_err err = report(cx, o, argv[0], rates, &failed, out);
    rg_rates_free(rates);
    if (err || !failed) return err;
    return rg_fail(cx, RG_GATE, "%zu check%s failed", failed, failed == 1 ? "" : "s");
}

RG_CMD(diffusion) = {
    .name = "diffusion", .args = "PIPELINE",
    .brief = "images by diffusion: time, energy, memory and cost of one",
    .detail = "Several models make an image in turn: text encoders once, a denoiser at every evaluation of\n"
              "the scheduler, a decoder at the end. PIPELINE says which, with what sizes and how often:\n"
              "zoo:sd15, zoo:sd21, zoo:sdxl, zoo:sd35-medium, zoo:sd35-large, zoo:flux-dev,\n"
              "zoo:flux-schnell, or a file of the same form (doc/diffusion.md) over models of one's own.\n"
              "\n"
              "Guidance above 1 evaluates with the text and without it, twice the work of the denoiser, but\n"
              "for models that take its scale as an input.\n"
              "\n"
              "Exit code 3: a forecast failed one of its own checks.",
    .examples = "ridge diffusion zoo:sdxl --on h100-sxm,rtx-4090 --steps 30 --images 1,4\n"
                "ridge diffusion zoo:flux-dev --on rtx-4090 --offload\n"
                "ridge diffusion zoo:sd15 --on t4 --scheduler dpm++2m --steps 20 --price any\n"
                "ridge diffusion mine.json --on l4 --size 768x512 --format html -o mine.html",
    .opt_size = sizeof(diffusion_opt), .opts = opts, .opt_count = CMD_COUNT(opts), .arg_min = 1, .arg_max = 1,
    .run = run,
};
