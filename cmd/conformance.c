/* conformance.c - `ridge conformance DIR...`: does what Ridge runs compute what ONNX says? */
#include "cmd.h"

typedef struct conformance_opt {
    cmd_common common;
    double rtol, atol;
    int jobs, threads;
    const char *backend;
} conformance_opt;

#define FIELD(name) offsetof(conformance_opt, name)
static const rg_opt opts[] = {
    {"rtol", "X", RG_OPT_REAL, FIELD(rtol), "1e-3", NULL, "relative difference that is allowed"},
    {"atol", "X", RG_OPT_REAL, FIELD(atol), "1e-7", NULL, "absolute difference that is allowed"},
    {"backend", "NAME", RG_OPT_TEXT, FIELD(backend), "naive", NULL,
     "naive: plain kernels, node by node; native: as planned for this machine, where there is a plan"},
    {"threads", "N", RG_OPT_INT, FIELD(threads), "1", NULL, "of each planned run"},
    {"jobs", "N", RG_OPT_INT, FIELD(jobs), "0", NULL, "cases at once; 0: one for each core"},
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const conformance_opt *o = opt;
    cmd_progress progress;
    size_t failed;
    if (o->rtol < 0 || o->atol < 0) return rg_fail(cx, RG_USAGE, "a tolerance is not negative");
    CMD_TRY(cmd_jobs_check(cx, o->jobs));
    cmd_progress_begin(&progress, &o->common, "ridge conformance");
    rg_err err = rg_conformance_doc(cx, &(rg_conformance_opt){
        .size = sizeof(rg_conformance_opt), .dirs = argv, .dir_count = (size_t)argc, .rtol = o->rtol,
        .atol = o->atol, .workers = (size_t)o->jobs, .progress = cmd_progress_step, .user = &progress,
        .backend = o->backend, .threads = o->threads,
    }, &failed, out);
    cmd_progress_end(&progress);
    if (!err && failed) return rg_fail(cx, RG_GATE, "%zu case%s failed", failed, failed == 1 ? "" : "s");
    return err;
}

RG_CMD(conformance) = {
    .name = "conformance",
    .args = "DIR...",
    .brief = "test what Ridge computes against ONNX's own cases",
    .detail = "Every folder below DIR with a model.onnx and test_data_set_*/input_*.pb, output_*.pb is a\n"
              "case: the model runs on the inputs, and its outputs must be those of the files, within\n"
              "|a - b| <= atol + rtol |b|.\n"
              "\n"
              "Exit code 3: a case failed.",
    .examples = "ridge conformance onnx/backend/test/data/node\n"
                "ridge conformance onnx/backend/test/data --backend native --threads 2\n"
                "ridge conformance data/node/test_softmax_axis_0 --format json",
    .opt_size = sizeof(conformance_opt),
    .opts = opts,
    .opt_count = CMD_COUNT(opts),
    .arg_min = 1,
    .arg_max = -1,
    .run = run,
};
