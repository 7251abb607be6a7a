/* fit.c - `ridge fit FILE...`: a device fitted with few measurements, and what to measure next. */
#include "cmd.h"

typedef struct fit_opt {
    cmd_common common;
    const char *device, *into, *model, *runtime, *precision;
    bool whole;
    int jobs;
} fit_opt;

#define FIELD(name) offsetof(fit_opt, name)
static const rg_opt opts[] = {
    {"on", "ID", RG_OPT_TEXT, FIELD(device), NULL, NULL, "the device that was measured (see ridge devices)"},
    CMD_INTO_OPTION(FIELD(into)),
    {"whole", NULL, RG_OPT_FLAG, FIELD(whole), NULL, NULL,
     "fit with whole inferences, else with kernels; without a FILE, name ten networks to time"},
    {"model", "MODEL", RG_OPT_TEXT, FIELD(model), NULL, NULL,
     "name the measurements that would narrow this model's interval most"},
    {"runtime", "ID", RG_OPT_TEXT, FIELD(runtime), NULL, NULL,
     "of the model; else the device's customary one"},
    {"precision", "TYPE", RG_OPT_TEXT, FIELD(precision), NULL, NULL, "of the model: model, f32, f16, ..."},
    CMD_JOBS_OPTION(FIELD(jobs)),
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const fit_opt *o = opt;
    cmd_progress progress;
    if (!o->device) return rg_fail(cx, RG_USAGE, "--on is missing: whose measurements are they?");
    if (!argc && !o->model && !o->whole)
        return rg_fail(cx, RG_USAGE, "neither a FILE nor --model nor --whole");
    CMD_TRY(cmd_jobs_check(cx, o->jobs));
    cmd_progress_begin(&progress, &o->common, "ridge fit");
    rg_err err = rg_fit_doc(cx, argv, (size_t)argc, &(rg_fit_opt){
        .size = sizeof(rg_fit_opt), .device = o->device, .out = o->into, .whole = o->whole, .model = o->model,
        .runtime = o->runtime, .precision = o->precision, .workers = (size_t)o->jobs,
        .progress = cmd_progress_step, .user = &progress,
    }, out);
    cmd_progress_end(&progress);
    return err;
}

RG_CMD(fit) = {
    .name = "fit", .args = "[FILE...]", .brief = "fit a device with few measurements",
    .detail = "FILE is a table of measurements, as `ridge evaluate` reads them; rows of other devices are\n"
              "passed over. 5 to 50 kernels, or about ten whole models, are enough: each family of kernels\n"
              "gets a factor, drawn to 1 as far as measurements are few, and trees from 30 rows on.",
    .examples = "ridge fit kernels.csv --on l4 --into my/learned\n"
                "ridge predict model.onnx --on l4 --data my\n"
                "ridge fit --whole --on l4 --precision f16\n"
                "ridge fit --on l4 --model zoo:resnet50",
    .opt_size = sizeof(fit_opt), .opts = opts, .opt_count = CMD_COUNT(opts),
    .arg_min = 0, .arg_max = -1, .run = run,
};
