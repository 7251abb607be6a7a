/* export.c - `ridge export MODEL -o FILE`: writes a model as ONNX, by default exactly what was read. */
#include "cmd.h"

typedef struct export_opt {
    cmd_common common;
    cmd_model model;
    const char *output, *weights;
    int seed;
    bool optimized;
} export_opt;

#define FIELD(name) offsetof(export_opt, name)
static const rg_opt opts[] = {
    {"output", "FILE", RG_OPT_TEXT, FIELD(output), NULL, NULL, "the file to write (required)"},
    {"optimized", NULL, RG_OPT_FLAG, FIELD(optimized), NULL, NULL, "after the passes: folded, simplified"},
    {"weights", "KIND", RG_OPT_TEXT, FIELD(weights), "keep", "keep|random",
     "parameters without values: keep refuses them, random makes them up"},
    {"seed", "N", RG_OPT_INT, FIELD(seed), "0", NULL, "of the random weights"},
    CMD_GRAPH_OPTIONS(FIELD(model)),
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const export_opt *o = opt;
    cmd_model model = o->model;
    const rg_graph *graph = NULL;
    rg_export_opt to = {
        .size = sizeof to, .weights = o->weights[0] == 'r' ? "random" : NULL, .seed = (uint64_t)o->seed,
    };
    (void)argc, (void)out;
    if (!o->output) return rg_fail(cx, RG_USAGE, "expected a file to write: -o FILE");
    model.symbolic = true;
    CMD_TRY(cmd_model_load(cx, &model, argv[0], !o->optimized, &graph));
    rg_err err = rg_graph_export(cx, graph, o->output, &to);
    rg_graph_free(graph);
    return err ? rg_note(cx, err, "%s", argv[0]) : RG_OK;
}

RG_CMD(export) = {
    .name = "export", .args = "MODEL", .brief = "write a model as an ONNX file",
    .detail = "Writes the graph as it was read; operators of older opsets get their newer meaning. "
              "Sizes that\n"
              "the model leaves open stay open; those that are given (--batch, --shape) are fixed. "
              "Constants\n"
              "that would make the file larger than 2 GB go to FILE.data beside it.",
    .examples = "ridge export zoo:resnet50 --weights random -o resnet50.onnx\n"
                "ridge export bert.onnx --optimized --shape seq=128 -o bert-128.onnx",
    .opt_size = sizeof(export_opt), .opts = opts, .opt_count = CMD_COUNT(opts),
    .arg_min = 1, .arg_max = 1, .run = run,
};
