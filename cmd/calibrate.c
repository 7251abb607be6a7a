/* calibrate.c - `ridge calibrate`: what this machine really does. */
#include "cmd.h"

typedef struct calibrate_opt {
    cmd_common common;
    const char *output;
    bool quick;
} calibrate_opt;

#define FIELD(name) offsetof(calibrate_opt, name)
static const rg_opt opts[] = {
    {"output", "FILE", RG_OPT_TEXT, FIELD(output), NULL, NULL,
     "the profile; else $RIDGE_HOST, else ridge/hw/host.json in $XDG_DATA_HOME or ~/.local/share"},
    {"quick", NULL, RG_OPT_FLAG, FIELD(quick), NULL, NULL, "a few seconds, rougher figures"},
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const calibrate_opt *o = opt;
    cmd_progress progress;
    (void)argc;
    (void)argv;
    cmd_progress_begin(&progress, &o->common, "ridge calibrate");
    rg_err err = rg_calibrate_doc(cx, &(rg_calibrate_opt){
        .size = sizeof(rg_calibrate_opt), .output = o->output, .quick = o->quick,
        .progress = cmd_progress_step, .user = &progress,
    }, out);
    cmd_progress_end(&progress);
    return err;
}

RG_CMD(calibrate) = {
    .name = "calibrate",
    .brief = "measure this machine: the profile that host stands for",
    .detail = "Measures clocks, operations per second of each type, bandwidth and latency of each memory\n"
              "level, by one core and by all, and what a parallel region costs. All figures are taken in\n"
              "turns, so that what else goes on meets them alike; turns in which others used the processors\n"
              "are repeated. It takes some twenty seconds; other programs should rest.\n"
              "\n"
              "The result is a device profile. While processor, cores and kernel are those that it was\n"
              "measured on, '--on host' means that profile; else this machine is detected, and its note\n"
              "says why.",
    .examples = "ridge calibrate\n"
                "ridge devices host\n"
                "ridge calibrate --quick --output ./here.json --format json\n"
                "ridge predict zoo:resnet50 --on ./here.json",
    .opt_size = sizeof(calibrate_opt),
    .opts = opts,
    .opt_count = CMD_COUNT(opts),
    .run = run,
};
