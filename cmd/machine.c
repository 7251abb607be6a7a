/* machine.c - the options that say where one model runs, and the plan for it. */
#include "cmd.h"

#include <string.h>

rg_err cmd_machine_check(rg_ctx *cx, const cmd_machine *m)
{
    const struct { const char *option; int value; } rows[] = {
        {"--core-mhz", m->core_mhz}, {"--host-mhz", m->host_mhz}, {"--threads", m->threads},
    };
    for (size_t i = 0; i < CMD_COUNT(rows); i++)
        if (rows[i].value < 0)
            return rg_fail(cx, RG_USAGE, "%s: %d is negative", rows[i].option, rows[i].value);
    return RG_OK;
}

rg_err cmd_machine_forecast(rg_ctx *cx, const cmd_machine *m, rg_forecast_opt *out)
{
    *out = (rg_forecast_opt){.size = sizeof *out, .core_hz = m->core_mhz * 1e6, .host_hz = m->host_mhz * 1e6};
    return rg_learning_read(cx, m->learning, &out->learning);
}

/* Changes that begin with "runtime." are the runtime's. */
static rg_err change(rg_ctx *cx, const cmd_list *changes, const rg_device **device,
                     const rg_runtime **runtime)
{
    static const char prefix[] = "runtime.";
    for (size_t i = 0; i < changes->count; i++) {
        bool of_runtime = strncmp(changes->items[i], prefix, strlen(prefix)) == 0;
        const char *change = changes->items[i] + (of_runtime ? strlen(prefix) : 0);
        const rg_runtime *runtime_before = *runtime;
        const rg_device *device_before = *device;
        rg_err err;
        if (of_runtime) {
            err = rg_runtime_change(cx, runtime_before, &change, 1, runtime);
            rg_runtime_free(runtime_before);
        } else {
            err = rg_device_change(cx, device_before, &change, 1, device);
            rg_device_free(device_before);
        }
        if (err) return err;
    }
    return RG_OK;
}

rg_err cmd_machine_find(rg_ctx *cx, const cmd_machine *m, const char *id, bool changed,
                        const rg_device **device, const rg_runtime **runtime)
{
    cmd_list changes = {0};
    const rg_device *d = NULL;
    const rg_runtime *r = NULL;
    rg_err err = rg_device_find(cx, id, &d);
    if (!err) err = rg_runtime_find(cx, m->runtime, d, &r);
    if (!err && changed) err = cmd_list_split(cx, "--set", m->changes, &changes);
    if (!err) err = change(cx, &changes, &d, &r);
    cmd_list_free(&changes);
    if (err) {
        rg_runtime_free(r);
        rg_device_free(d);
        return err;
    }
    *device = d;
    *runtime = r;
    return RG_OK;
}

rg_err cmd_machine_plan(rg_ctx *cx, const cmd_machine *m, const cmd_model *model, const char *path,
                        const rg_plan **out)
{
    const rg_graph *graph = NULL;
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .precision = m->precision, .threads = m->threads};
    CMD_TRY(cmd_machine_check(cx, m));
    rg_err err = cmd_model_load(cx, model, path, false, &graph);
    if (!err) err = cmd_machine_find(cx, m, m->device, true, &device, &runtime);
    if (!err) err = rg_plan_make(cx, graph, device, runtime, &opt, out);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_graph_free(graph);
    return err;
}
