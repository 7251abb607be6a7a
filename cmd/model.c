/* model.c - the model options that several commands share, and loading with them. */
#include "cmd.h"

#include <string.h>

rg_err cmd_model_load(rg_ctx *cx, const cmd_model *model, const char *path, bool raw, const rg_graph **out)
{
    rg_load_opt opt = {
        .size = sizeof opt, .shape = model->shape, .value = model->value, .trip = model->trip,
        .batch = model->batch, .raw = raw, .symbolic = model->symbolic,
        .parallel = model->parallel, .skip = model->skip,
    };
    if (model->batch < 0) return rg_fail(cx, RG_USAGE, "--batch: %d is negative", model->batch);
    rg_err err = rg_graph_load(cx, path, &opt, out);
    bool named = strncmp(rg_ctx_error(cx), path, strlen(path)) == 0; /* "x.onnx: No such file" */
    return err && !named ? rg_note(cx, err, "%s", path) : err;
}
