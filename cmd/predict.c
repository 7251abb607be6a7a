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
    cmd_machine machine;
    cmd_cost cost;
    const char *explain;
    int seq, past;
} predict_opt;

#define FIELD(name) offsetof(predict_opt, name)
static const rg_opt opts[] = {
    {"on", "ID,...", RG_OPT_LIST, FIELD(machine.device), "host", NULL,
     "devices: ids or aliases, profile files, ID@MODE, host (this machine), or all"},
    CMD_PLACE_OPTIONS(FIELD(machine)),
    CMD_GRAPH_OPTIONS(FIELD(model)),
    {"seq", "N", RG_OPT_INT, FIELD(seq), "-1", NULL,
     "size of the dimension that is called seq: new tokens; as --shape seq=N, -1: as the model says"},
    {"past", "N", RG_OPT_INT, FIELD(past), "-1", NULL,
     "size of the dimension that is called past: tokens in the caches; as --shape past=N, -1: as the model "
     "says"},
    CMD_COST_OPTIONS(FIELD(cost)),
    {"explain", "DEPTH", RG_OPT_TEXT, FIELD(explain), "1", "0|1|2|3",
     "0 the answer, 1 by section, 2 and every row with its reason, 3 and every term"},
};

/* What one call works on; everything is released by done(). */
typedef struct work {
    const predict_opt *opt;
    cmd_model model;         /* with --seq and --past among its shapes, which `shape` holds */
    char *shape;
    cmd_list devices;
    const char **ids;        /* of the devices, `all` resolved */
    size_t id_count;
    const rg_rates *rates;   /* NULL: no costs */
    bool all;                /* of the devices: those that cannot run the model are passed over */
    const rg_forecast **forecasts;
    size_t forecast_count;
} work;

static void done(work *w)
{
    for (size_t i = 0; i < w->forecast_count; i++) rg_forecast_free(w->forecasts[i]);
    rg_rates_free(w->rates);
    free(w->forecasts);
    free(w->ids);
    free(w->shape);
    cmd_list_free(&w->devices);
}

static rg_err no_memory(rg_ctx *cx) { return rg_fail(cx, RG_NOMEM, "no memory for the list of devices"); }

/* Is the dimension among "seq=1,past=4096"? */
static bool has_size(const char *shape, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = shape; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, size) == 0 && at[size] == '=') return true;
    }
    return false;
}

/* --seq and --past are sizes like those of --shape, which may hold others. */
static rg_err read_sizes(rg_ctx *cx, work *w)
{
    const struct { const char *name; int size; } sizes[] = {{"seq", w->opt->seq}, {"past", w->opt->past}};
    const char *given = w->opt->model.shape ? w->opt->model.shape : "";
    size_t room = strlen(given) + CMD_COUNT(sizes) * 32, used = strlen(given);
    w->model = w->opt->model;
    w->shape = calloc(room, 1);
    if (!w->shape) return no_memory(cx);
    memcpy(w->shape, given, used);
    for (size_t i = 0; i < CMD_COUNT(sizes); i++) {
        const char *name = sizes[i].name;
        if (sizes[i].size == -1) continue;
        if (sizes[i].size < 0) return rg_fail(cx, RG_USAGE, "--%s %d is not possible", name, sizes[i].size);
        if (has_size(given, name))
            return rg_fail(cx, RG_USAGE, "--%s %d and --shape %s both give %s: leave out one", name,
                           sizes[i].size, given, name);
        used += (size_t)snprintf(w->shape + used, room - used, "%s%s=%d", used ? "," : "", name,
                                 sizes[i].size);
    }
    if (used) w->model.shape = w->shape;
    return RG_OK;
}

/* "t4,all,host": names in order, `all` standing for every built-in device. */
static rg_err read_devices(rg_ctx *cx, work *w)
{
    const char *const *all;
    size_t all_count;
    CMD_TRY(rg_device_ids(cx, &all, &all_count));
    CMD_TRY(cmd_list_split(cx, "--on", w->opt->machine.device, &w->devices));
    w->ids = calloc(w->devices.count * (all_count + 1), sizeof *w->ids);
    if (!w->ids) return no_memory(cx);
    for (size_t i = 0; i < w->devices.count; i++) {
        bool every = strcmp(w->devices.items[i], "all") == 0;
        if (every) memcpy(w->ids + w->id_count, all, all_count * sizeof *all);
        else w->ids[w->id_count] = w->devices.items[i];
        w->id_count += every ? all_count : 1;
        w->all |= every;
    }
    return RG_OK;
}

/* changed: with the figures of --set. */
static rg_err forecast(rg_ctx *cx, const work *w, const rg_graph *graph, const char *id, bool changed,
                       const rg_forecast **out)
{
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    const cmd_machine *m = &w->opt->machine;
    rg_plan_opt plan_opt = {.size = sizeof plan_opt, .precision = m->precision, .threads = m->threads};
    rg_forecast_opt opt;
    CMD_TRY(cmd_machine_forecast(cx, m, &opt));
    opt.rates = w->rates;
    rg_err err = cmd_machine_find(cx, m, id, changed, &device, &runtime);
    if (!err) err = rg_plan_make(cx, graph, device, runtime, &plan_opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, &opt, out);
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
    rg_err err = cmd_model_load(cx, &w->model, model, false, &graph), refused = RG_OK;
    for (size_t i = 0; !err && i < w->id_count; i++) {
        err = forecast(cx, w, graph, w->ids[i], true, &w->forecasts[w->forecast_count]);
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
    CMD_TRY(cmd_machine_check(cx, &w->opt->machine));
    CMD_TRY(read_sizes(cx, w));
    CMD_TRY(read_devices(cx, w));
    CMD_TRY(cmd_cost_rates(cx, &w->opt->cost, &w->rates));
    w->forecasts = calloc((size_t)model_count * w->id_count + 1, sizeof *w->forecasts);
    if (!w->forecasts) return no_memory(cx);
    for (int i = 0; i < model_count; i++) CMD_TRY(forecast_model(cx, w, models[i]));
    return RG_OK;
}

/* A what-if on one machine is shown beside the forecast without it. */
static rg_err show(rg_ctx *cx, const work *w, const char *model, rg_doc **out)
{
    int explain = w->opt->explain[0] - '0';
    const rg_graph *graph = NULL;
    const rg_forecast *before = NULL;
    if (!w->opt->machine.changes || w->forecast_count != 1) {
        CMD_TRY(rg_forecast_doc(cx, w->forecasts, w->forecast_count, explain, out));
        return rg_forecast_doc_add_tokens(cx, *out, w->forecasts, w->forecast_count,
                                          w->opt->model.parallel);
    }
    rg_err err = cmd_model_load(cx, &w->model, model, false, &graph);
    if (!err) err = forecast(cx, w, graph, w->ids[0], false, &before);
    if (!err) err = rg_change_doc(cx, before, w->forecasts[0], explain, out);
    rg_forecast_free(before);
    rg_graph_free(graph);
    return err;
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
    if (!err) err = show(cx, &w, argv[0], out);
    if (!err) err = gate(cx, &w);
    done(&w);
    return err;
}

RG_CMD(predict) = {
    .name = "predict",
    .args = "MODEL...",
    .brief = "predict time, energy, power and memory of one inference",
    .detail = "MODEL is an ONNX file, a graph as text (.rg), a config.json or .gguf of a known kind, a\n"
              "directory with a model.onnx or config.json, or zoo:NAME (see 'ridge zoo'). With several\n"
              "models or devices the report is one table, a row for each; --explain 2 adds the report of\n"
              "each.\n"
              "\n"
              "Every row comes with its reason, every main figure with an interval that is meant to\n"
              "hold it nine times in ten: from measurements that were held out, where some taught rows like\n"
              "these (--learning), else a prior that the runtime's profile states. Sizes that the model\n"
              "leaves open take customary values, which the report lists as assumed; --shape sets them.\n"
              "\n"
              "Of a language model --past and --seq say what one step is: --past 0 --seq 2048 reads a\n"
              "prompt, --past 2048 --seq 1 writes a token behind it. A --precision such as\n"
              "f16+w=i4g128+kv=f8 stores weights (w) and caches (kv) narrower than it computes.\n"
              "\n"
              "--set asks what if: a figure of the machine or its stack is another one. The report shows\n"
              "what that changes and which rows are bound by something else then.\n"
              "\n"
              "--price, --owned and --region ask what it costs in dollars and in CO2: for one inference,\n"
              "for one input, for a million of them, for an hour, each with its interval and sources.\n"
              "Nothing is assumed but, where nobody says where, the mean of the world's electricity.\n"
              "\n"
              "Exit code 3: the forecast failed one of its own checks; the report, still written, says\n"
              "which.",
    .examples = "ridge predict zoo:resnet50 --on h100-sxm\n"
                "ridge predict bert.onnx --on t4,host --shape seq=128 --precision f16\n"
                "ridge predict zoo:llama3-8b --on t4 --past 2048 --seq 1 --precision f16+w=i4g128\n"
                "ridge predict zoo:resnet50 --on all --explain 0 --format csv\n"
                "ridge predict zoo:resnet50 --on h100-sxm --set levels.hbm.read_byte_per_s=2x\n"
                "ridge predict zoo:resnet50 --on h100-sxm --price aws:p5.48xlarge --utilization 0.6\n"
                "ridge predict zoo:bert-base --on l4 --owned price_usd=9000,years=4,tariff_usd_per_kwh=0.2 "
                "--region de\n"
                "ridge predict zoo:bert-base --on h100-sxm --runtime tensorrt --explain 3 --format json",
    .opt_size = sizeof(predict_opt),
    .opts = opts,
    .opt_count = CMD_COUNT(opts),
    .arg_min = 1,
    .arg_max = -1,
    .run = run,
};
