/* study_options.c - the options that compare and sweep share, and the study that they ask for. */
#include "cmd.h"

rg_err cmd_study_run(rg_ctx *cx, const cmd_study *o, const cmd_common *common, const char *name,
                     const rg_rates *rates, bool keep, int argc, const char *const *argv, rg_study **out)
{
    cmd_list devices, runtimes = {0}, changes = {0};
    cmd_progress progress;
    rg_learning learning;
    *out = NULL;
    CMD_TRY(rg_learning_read(cx, o->learning, &learning));
    rg_err err = cmd_list_split(cx, "--on", o->devices, &devices);
    if (!err) err = cmd_list_split(cx, "--runtime", o->runtimes, &runtimes);
    if (!err) err = cmd_list_split(cx, "--set", o->changes, &changes);
    if (!err && o->threads < 0) err = rg_fail(cx, RG_USAGE, "--threads: %d is negative", o->threads);
    if (!err) err = cmd_jobs_check(cx, o->jobs);
    if (!err) {
        cmd_progress_begin(&progress, common, name);
        err = rg_study_make(cx,
                            &(rg_study_opt){
                                .size = sizeof(rg_study_opt),
                                .models = argv,
                                .model_count = (size_t)argc,
                                .devices = devices.items,
                                .device_count = devices.count,
                                .runtimes = runtimes.items,
                                .runtime_count = runtimes.count,
                                .precision = o->precision,
                                .batch = o->batch,
                                .seq = o->seq,
                                .core_mhz = o->core_mhz,
                                .shape = o->shape,
                                .value = o->value,
                                .trip = o->trip,
                                .skip = o->skip,
                                .changes = changes.items,
                                .change_count = changes.count,
                                .cpu_threads = o->threads,
                                .workers = (size_t)o->jobs,
                                .keep = keep,
                                .progress = cmd_progress_step,
                                .user = &progress,
                                .rates = rates,
                                .learning = learning,
                            },
                            out);
        cmd_progress_end(&progress);
    }
    cmd_list_free(&changes);
    cmd_list_free(&runtimes);
    cmd_list_free(&devices);
    return err;
}

rg_err cmd_study_gate(rg_ctx *cx, const rg_study *study)
{
    size_t failed = rg_study_checks_failed(study);
    return failed ? rg_fail(cx, RG_GATE, "%zu check%s failed", failed, failed == 1 ? "" : "s") : RG_OK;
}
