/* learn.c - `ridge learn FILE...`: residuals of forecasts, learned from measurements. */
#include "cmd.h"

typedef struct learn_opt {
    cmd_common common;
    const char *into, *export_to, *key, *without;
    bool whole, graph, force;
    int jobs;
} learn_opt;

#define FIELD(name) offsetof(learn_opt, name)
static const rg_opt opts[] = {
    CMD_INTO_OPTION(FIELD(into)),
    {"export", "DIR", RG_OPT_TEXT, FIELD(export_to), NULL, NULL,
     "write the features and residuals of each key to DIR/KEY.csv"},
    {"key", "KEY", RG_OPT_TEXT, FIELD(key), NULL, NULL, "learn only keys that begin so: pytorch-eager.gemm"},
    {"without", "DEVICE", RG_OPT_TEXT, FIELD(without), NULL, NULL,
     "learn nothing from this device: what is written then shows how it fares unseen"},
    {"whole", NULL, RG_OPT_FLAG, FIELD(whole), NULL, NULL,
     "learn from whole inferences, on top of what kernels taught, else from kernels"},
    {"graph", NULL, RG_OPT_FLAG, FIELD(graph), NULL, NULL,
     "learn from whole inferences by networks over their rows; kept where they beat the sum"},
    {"force", NULL, RG_OPT_FLAG, FIELD(force), NULL, NULL, "replace a file that scores better, too"},
    CMD_JOBS_OPTION(FIELD(jobs)),
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const learn_opt *o = opt;
    cmd_progress progress;
    CMD_TRY(cmd_jobs_check(cx, o->jobs));
    cmd_progress_begin(&progress, &o->common, "ridge learn");
    rg_err err = rg_learn_doc(cx, argv, (size_t)argc, &(rg_learn_opt){
        .size = sizeof(rg_learn_opt), .out = o->into, .export_to = o->export_to, .key = o->key,
        .without = o->without, .whole = o->whole, .graph = o->graph, .force = o->force,
        .workers = (size_t)o->jobs, .progress = cmd_progress_step, .user = &progress,
    }, out);
    cmd_progress_end(&progress);
    return err;
}

RG_CMD(learn) = {
    .name = "learn", .args = "FILE...", .brief = "learn from measurements what forecasts miss",
    .detail = "FILE is a table of measurements, as `ridge evaluate` reads them. For each runtime, family of\n"
              "kernels and type, boosted trees learn log(measured / analytic forecast) from features that\n"
              "name no device. They are tested on devices that were held out, and written with what that\n"
              "says about their intervals. A file that scores better than the new one is kept.\n"
              "\n"
              "With --graph networks over the rows of whole inferences learn what their sum misses. They\n"
              "are tested on families of models held out, and written where they do better.",
    .examples = "ridge learn linear.csv.gz bmm.csv.gz --into my/learned\n"
                "ridge learn vision.csv.gz --whole --key pytorch-compile --data my --into my/learned\n"
                "ridge learn linear.csv.gz --without t4 --into unseen/learned\n"
                "ridge evaluate linear.csv.gz --data unseen\n"
                "ridge learn llm_ops.csv.gz --export features --format json",
    .opt_size = sizeof(learn_opt), .opts = opts, .opt_count = CMD_COUNT(opts),
    .arg_min = 1, .arg_max = -1, .run = run,
};
