/* sensitivity.c - `ridge sensitivity MODEL`: which figure of the machine, made better, would help most. */
#include "cmd.h"

typedef struct sensitivity_opt {
    cmd_common common;
    cmd_model model;
    cmd_machine machine;
    double factor;
} sensitivity_opt;

#define FIELD(name) offsetof(sensitivity_opt, name)
static const rg_opt opts[] = {
    {"factor", "X", RG_OPT_REAL, FIELD(factor), "1.25", NULL,
     "how many times better each figure becomes, alone"},
    CMD_MACHINE_OPTIONS(FIELD(machine)),
    CMD_GRAPH_OPTIONS(FIELD(model)),
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const sensitivity_opt *o = opt;
    const rg_plan *plan;
    rg_forecast_opt how;
    (void)argc;
    CMD_TRY(cmd_machine_forecast(cx, &o->machine, &how));
    CMD_TRY(cmd_machine_plan(cx, &o->machine, &o->model, argv[0], &plan));
    rg_err err = rg_sensitivity_doc(cx, plan, &how, o->factor, out);
    rg_plan_free(plan);
    return err;
}

RG_CMD(sensitivity) = {
    .name = "sensitivity",
    .args = "MODEL",
    .brief = "rank what would help most: which figure of the machine",
    .detail = "Each figure that the forecast depends on (peaks, clocks, bandwidths, capacities, latencies,\n"
              "launches, power) is made better alone and everything is forecast again. The table has the\n"
              "largest gain first, and the factor at which the bottleneck moves elsewhere.\n"
              "'ridge predict --set PATH=VALUE' shows one such change in full.",
    .examples = "ridge sensitivity zoo:resnet50 --on h100-sxm\n"
                "ridge sensitivity zoo:bert-base --on t4 --precision f16 --factor 2 --format json",
    .opt_size = sizeof(sensitivity_opt),
    .opts = opts,
    .opt_count = CMD_COUNT(opts),
    .arg_min = 1,
    .arg_max = 1,
    .run = run,
};
