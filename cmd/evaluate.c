/* evaluate.c - `ridge evaluate FILE...`: forecasts against measurements by others. */
#include "cmd.h"

typedef struct evaluate_opt {
    cmd_common common;
    const char *kind, *known, *baseline, *learning;
    int jobs, probes;
    bool importance;
} evaluate_opt;

#define FIELD(name) offsetof(evaluate_opt, name)
static const rg_opt opts[] = {
    {"kind", "NAME", RG_OPT_TEXT, FIELD(kind), NULL, NULL,
     "judge only rows of this kind: gemm, conv, attention, vision_graph, llm_op, ... (a wrong one lists "
     "all); else all that the files have"},
    {"probes", "N", RG_OPT_INT, FIELD(probes), "0", NULL,
     "of kinds whose rows are curves: measurements of each curve that its forecast is told; not scored"},
    {"known", "WHAT", RG_OPT_TEXT, FIELD(known), "none", "none|kernels|families|devices",
     "other curves that a forecast is told: all of the same device (kernels), those of other families, or "
     "those of other devices alone"},
    {"baseline", "NAME", RG_OPT_TEXT, FIELD(baseline), NULL, NULL,
     "forecast as others do, by the same rows (a wrong one lists those of the kind)"},
    {"importance", NULL, RG_OPT_FLAG, FIELD(importance), NULL, NULL,
     "rank the features that learned residuals rest on, by what forecasts lose without each"},
    CMD_LEARNING_OPTION(FIELD(learning)),
    CMD_JOBS_OPTION(FIELD(jobs)),
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const evaluate_opt *o = opt;
    cmd_progress progress;
    rg_learning learning;
    CMD_TRY(rg_learning_read(cx, o->learning, &learning));
    CMD_TRY(cmd_jobs_check(cx, o->jobs));
    cmd_progress_begin(&progress, &o->common, "ridge evaluate");
    rg_err err = rg_evaluate_doc(cx, argv, (size_t)argc,
                                 &(rg_evaluate_opt){
                                     .size = sizeof(rg_evaluate_opt),
                                     .kind = o->kind,
                                     .workers = (size_t)o->jobs,
                                     .probes = o->probes,
                                     .known = o->known,
                                     .baseline = o->baseline,
                                     .progress = cmd_progress_step,
                                     .user = &progress,
                                     .learning = learning,
                                     .importance = o->importance,
                                 },
                                 out);
    cmd_progress_end(&progress);
    return err;
}

RG_CMD(evaluate) = {
    .name = "evaluate",
    .args = "FILE...",
    .brief = "score forecasts against measurements",
    .detail =
        "FILE is a table of measurements, .csv or .csv.gz, or readings, .json; its kind is known by its\n"
        "columns. Each row is forecast from the columns that identify it and from nothing else, then\n"
        "compared: mean and median absolute percentage error, bias, rank correlation (Kendall's tau),\n"
        "what 90 % intervals hold, by device and family, devices weighted equally; charts of measured\n"
        "against forecast and of what is left. A row that cannot be forecast counts as an error of 100 %.",
    .examples = "ridge evaluate llm_ops.csv.gz\n"
                "ridge evaluate llm_serving.csv.gz --kind llm_serving --format json -o scores.json\n"
                "ridge evaluate nv_dvfs.csv.gz --probes 3 --known families --baseline xgboost\n"
                "ridge evaluate conv2d.csv.gz --importance --format html -o conv.html\n"
                "ridge evaluate conv2d.csv.gz --format svg --part residual-1 -o left.svg",
    .opt_size = sizeof(evaluate_opt),
    .opts = opts,
    .opt_count = CMD_COUNT(opts),
    .arg_min = 1,
    .arg_max = -1,
    .run = run,
};
