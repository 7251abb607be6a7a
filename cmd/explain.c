/* explain.c - `ridge explain MODEL --row ID`: one row, with everything that is known of it. */
#include "cmd.h"

typedef struct explain_opt {
    cmd_common common;
    cmd_model model;
    cmd_machine machine;
    const char *row;
} explain_opt;

#define FIELD(name) offsetof(explain_opt, name)
static const rg_opt opts[] = {
    {"row", "ID", RG_OPT_TEXT, FIELD(row), NULL, NULL,
     "the row: its id, its index from 0, its name or a part that only its name has; else the slowest"},
    CMD_MACHINE_OPTIONS(FIELD(machine)),
    CMD_GRAPH_OPTIONS(FIELD(model)),
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const explain_opt *o = opt;
    const rg_plan *plan = NULL;
    const rg_forecast *forecast = NULL;
    rg_forecast_opt how;
    (void)argc;
    CMD_TRY(cmd_machine_forecast(cx, &o->machine, &how));
    rg_err err = cmd_machine_plan(cx, &o->machine, &o->model, argv[0], &plan);
    if (!err) err = rg_forecast_make(cx, plan, &how, &forecast);
    if (!err) err = rg_row_doc(cx, forecast, o->row, out);
    rg_forecast_free(forecast);
    rg_plan_free(plan);
    return err;
}

RG_CMD(explain) = {
    .name = "explain", .args = "MODEL", .brief = "explain one row of a forecast in full",
    .detail = "A row is what runs as one kernel; 'ridge predict --explain 2' lists them. The report\n"
              "shows its nodes and tensors, where it runs and why there, the time of each resource\n"
              "alone, the terms that add up to its latency, and the rows around it.",
    .examples = "ridge explain zoo:resnet50 --on h100-sxm --row layer1.0.conv2\n"
                "ridge explain model.onnx --on t4 --row 17 --format json",
    .opt_size = sizeof(explain_opt), .opts = opts, .opt_count = CMD_COUNT(opts), .arg_min = 1, .arg_max = 1,
    .run = run,
};
