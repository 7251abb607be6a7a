/* predict.c - `ridge predict MODEL...`: time, energy, power and memory of one inference, with the reasons.
 *
 * The command is the data flow, one line a stage, for every model on every device; all the thinking is in
 * the library.
 */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>

typedef struct predict_opt {
    cmd_common common;
    cmd_model model;
    const char *devices, *runtime, *precision, *explain;
    int core_mhz, threads;
} predict_opt;

#define FIELD(name) offsetof(predict_opt, name)
static const rg_opt opts[] = {
    {"on", "ID,...", RG_OPT_LIST, FIELD(devices), "host", NULL,
     "devices: ids or aliases, profile files, host (this machine), or all"},
    {"runtime", "ID", RG_OPT_TEXT, FIELD(runtime), NULL, NULL,
     "software stack: an id (see 'ridge runtimes') or a profile file; else the customary one"},
    CMD_MODEL_OPTIONS(FIELD(model)),
    {"precision", "TYPE", RG_OPT_TEXT, FIELD(precision), "model", "model|f32|tf32|f16|bf16|f8|i8",
     "type that all floating-point values get; model keeps the file's; tf32 is f32 on matrix units"},
    {"core-mhz", "MHZ", RG_OPT_INT, FIELD(core_mhz), "0", NULL,
     "highest core clock; 0: the device's own; the power cap may lower either"},
    {"threads", "N", RG_OPT_INT, FIELD(threads), "0", NULL, "CPU cores to use; 0: all"},
    {"explain", "DEPTH", RG_OPT_TEXT, FIELD(explain), "1", "0|1|2|3",
     "0 the answer, 1 by section, 2 and every row with its reason, 3 and every term"},
};

/* What one call works on; everything is released by done(). */
typedef struct work {
    const predict_opt *opt;
    char *names;             /* a copy of the device list, cut at its commas */
    const char **ids;
    size_t id_count;
    bool all;                /* of the devices: those that cannot run the model are passed over */
    const rg_forecast **forecasts;
    size_t forecast_count;
} work;

static void done(work *w)
{
    for (size_t i = 0; i < w->forecast_count; i++) rg_forecast_free(w->forecasts[i]);
    free(w->forecasts);
    free(w->ids);
    free(w->names);
}

static rg_err no_memory(rg_ctx *cx) { return rg_fail(cx, RG_NOMEM, "no memory for the list of devices"); }

/* "t4,all,host": names in order, `all` standing for every built-in device. */
static rg_err read_devices(rg_ctx *cx, work *w)
{
    const char *list = w->opt->devices, *const *all;
    size_t size = strlen(list) + 1, all_count;
    CMD_TRY(rg_device_ids(cx, &all, &all_count));
    w->names = malloc(size);
    /* a name takes two bytes, `all` takes four */
    w->ids = calloc(size + all_count * size / 3, sizeof *w->ids);
    if (!w->names || !w->ids) return no_memory(cx);
    memcpy(w->names, list, size);
    for (char *name = w->names; name;) {
        char *comma = strchr(name, ',');
        if (comma) *comma = 0;
        if (!*name) return rg_fail(cx, RG_USAGE, "--on: '%s' has an empty name", list);
        if (strcmp(name, "all") == 0) {
            memcpy(w->ids + w->id_count, all, all_count * sizeof *all);
            w->id_count += all_count;
            w->all = true;
        } else {
            w->ids[w->id_count++] = name;
        }
        name = comma ? comma + 1 : NULL;
    }
    return RG_OK;
}

static rg_err forecast(rg_ctx *cx, const predict_opt *o, const rg_graph *graph, const char *id,
                       const rg_forecast **out)
{
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    rg_plan_opt plan_opt = {.size = sizeof plan_opt, .precision = o->precision, .threads = o->threads};
    rg_forecast_opt forecast_opt = {.size = sizeof forecast_opt, .core_hz = o->core_mhz * 1e6};
    rg_err err = rg_device_find(cx, id, &device);
    if (!err) err = rg_runtime_find(cx, o->runtime, device, &runtime);
    if (!err) err = rg_plan_make(cx, graph, device, runtime, &plan_opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, &forecast_opt, out);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    return err;
}

/* One model on every device. With `--on all`, a device that cannot run it is no error as long as one can. */
static rg_err forecast_model(rg_ctx *cx, work *w, const char *model)
{
    const rg_graph *graph = NULL;
    size_t before = w->forecast_count;
    rg_err err = cmd_model_load(cx, &w->opt->model, model, false, &graph), refused = RG_OK;
    for (size_t i = 0; !err && i < w->id_count; i++) {
        err = forecast(cx, w->opt, graph, w->ids[i], &w->forecasts[w->forecast_count]);
        if (!err) w->forecast_count++;
        else rg_note(cx, err, "%s on %s", model, w->ids[i]);
        if (err == RG_UNSUPPORTED && w->all) {
            cmd_remark(cx, &w->opt->common);
            refused = err;
            err = RG_OK;
        }
    }
    rg_graph_free(graph);
    return err || w->forecast_count > before ? err : refused;
}

static rg_err forecast_all(rg_ctx *cx, work *w, int model_count, const char *const *models)
{
    const predict_opt *o = w->opt;
    if (o->core_mhz < 0) return rg_fail(cx, RG_USAGE, "--core-mhz: %d is negative", o->core_mhz);
    if (o->threads < 0) return rg_fail(cx, RG_USAGE, "--threads: %d is negative", o->threads);
    CMD_TRY(read_devices(cx, w));
    w->forecasts = calloc((size_t)model_count * w->id_count + 1, sizeof *w->forecasts);
    if (!w->forecasts) return no_memory(cx);
    for (int i = 0; i < model_count; i++) CMD_TRY(forecast_model(cx, w, models[i]));
    return RG_OK;
}

/* The document is complete either way; a failed check becomes the exit code. */
static rg_err gate(rg_ctx *cx, const work *w)
{
    int failed = 0;
    for (size_t i = 0; i < w->forecast_count; i++) {
        rg_summary summary = {.size = sizeof summary};
        rg_forecast_summary(w->forecasts[i], &summary);
        failed += summary.checks_failed;
    }
    return failed ? rg_fail(cx, RG_GATE, "%d check%s failed", failed, failed == 1 ? "" : "s") : RG_OK;
}

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    work w = {.opt = opt};
    rg_err err = forecast_all(cx, &w, argc, argv);
    if (!err) err = rg_forecast_doc(cx, w.forecasts, w.forecast_count, w.opt->explain[0] - '0', out);
    if (!err) err = gate(cx, &w);
    done(&w);
    return err;
}

RG_CMD(predict) = {
    .name = "predict", .args = "MODEL...", .brief = "predict time, energy, power and memory of one inference",
    .detail = "MODEL is an ONNX file, a graph as text (.rg), a directory with a model.onnx, or zoo:NAME\n"
              "(see 'ridge zoo'). With several models or devices the report is one table, a row for\n"
              "each; --explain 2 adds the report of each.\n"
              "\n"
              "Every row comes with its reason, every main figure with an interval that is meant to\n"
              "hold it nine times in ten: a prior that the runtime's profile states, not yet validated\n"
              "by measurements. Sizes that the model leaves open take customary values, which the report\n"
              "lists as assumed; --shape sets them.\n"
              "\n"
              "Exit code 3: the forecast failed one of its own checks; the report, still written, says\n"
              "which.",
    .examples = "ridge predict zoo:resnet50 --on h100-sxm\n"
                "ridge predict bert.onnx --on t4,host --shape seq=128 --precision f16\n"
                "ridge predict zoo:resnet50 --on all --explain 0 --format csv\n"
                "ridge predict zoo:bert-base --on h100-sxm --runtime tensorrt --explain 3 --format json",
    .opt_size = sizeof(predict_opt), .opts = opts, .opt_count = CMD_COUNT(opts),
    .arg_min = 1, .arg_max = -1, .run = run,
};
