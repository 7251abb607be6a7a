/* judge_model.c - one inference of a whole model: its graph at the sizes of a measurement, then its plan and
 * its price on the machine. The zoo's images have one size; measurements have others.
 */
#include "learn/judge_model.h"

#include "format/format.h"
#include "pass/pass.h"
#include "predict/predict.h"

#include <stdio.h>

/* The input that is an image, [batch, 3, side, side], takes the size; what follows is inferred from it. */
static void resize(rg_graph *g, int64_t side)
{
    const rg_region *main = &g->regions[RG_MAIN];
    for (uint32_t i = 0; i < main->input_count; i++) {
        rg_type *type = &g->values[main->inputs[i]].type;
        if (type->rank == 4) type->dim[2] = type->dim[3] = side;
    }
}

rg_err rg_judge_model(rg_ctx *cx, const char *name, rg_model_sizes sizes, rg_graph **out)
{
    char shape[64] = "";
    rg_graph *built = NULL, *ready = NULL;
    rg_binding binding = {.batch = (int)sizes.batch, .shape = sizes.seq ? shape : NULL};
    RG_TRY(rg_zoo_build(cx, name, NULL, &built));
    if (sizes.side) resize(built, sizes.side);
    snprintf(shape, sizeof shape, "seq=%lld", (long long)sizes.seq);
    rg_err err = rg_graph_bind(cx, built, &binding, &ready);
    rg_graph_free(built); /* what is bound keeps what it shares */
    if (!err) err = rg_passes_apply(cx, ready, sizes.unfused ? "-recognize-attention" : NULL);
    if (err) rg_graph_free(ready);
    else *out = ready;
    return err;
}

rg_err rg_judge_model_cost(rg_ctx *cx, const rg_exam *exam, const rg_graph *graph, const rg_model_way *way,
                           rg_run_cost *out)
{
    const rg_device *device = exam->device;
    rg_forecast_opt how = {.size = sizeof how, .learning = exam->learning, .sort = way->sort,
                           .sketch = way->sketch};
    const rg_runtime *found = NULL;
    rg_runtime *own = NULL;
    const rg_plan *plan = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .precision = way->precision};
    rg_err err = rg_runtime_find(cx, way->runtime, device, &found);
    if (!err) err = rg_runtime_clone(cx, found, &own);
    if (!err && way->fused) own->fuses_attention = true;
    if (!err) err = rg_plan_make(cx, graph, device, own, &opt, &plan);
    if (!err) err = rg_judge_plan(cx, exam, plan, &how, (rg_view){.whole = true, .devices = 1}, out);
    rg_plan_free(plan);
    rg_runtime_free(own);
    rg_runtime_free(found);
    return err;
}
