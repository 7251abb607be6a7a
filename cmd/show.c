/* show.c - `ridge show MODEL`: what a model is and what it costs on no machine in particular. */
#include "cmd.h"

typedef struct show_opt {
    cmd_common common;
    cmd_model model;
    bool ir, raw;
} show_opt;

#define FIELD(name) offsetof(show_opt, name)
static const rg_opt opts[] = {
    {"ir", NULL, RG_OPT_FLAG, FIELD(ir), NULL, NULL, "print the graph in its text form instead"},
    {"raw", NULL, RG_OPT_FLAG, FIELD(raw), NULL, NULL, "as the file has it: no folding, no recognition"},
    CMD_MODEL_OPTIONS(FIELD(model)),
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const show_opt *o = opt;
    const rg_graph *graph = NULL;
    (void)argc;
    CMD_TRY(cmd_model_load(cx, &o->model, argv[0], o->raw, &graph));
    rg_err err = o->ir ? rg_graph_print(cx, graph, stdout) : rg_graph_doc(cx, graph, out);
    rg_graph_free(graph);
    return err ? rg_note(cx, err, "%s", argv[0]) : RG_OK;
}

RG_CMD(show) = {
    .name = "show", .args = "MODEL", .brief = "show a model: operators, parameters, FLOPs, memory",
    .detail = "MODEL is an ONNX file, a graph as text (.rg), a directory with a model.onnx, or zoo:NAME\n"
              "(see 'ridge zoo'). No machine is involved: MACs are those of convolutions, matrix\n"
              "products and recurrent gates, FLOPs are twice these plus all other arithmetic; special\n"
              "functions (exp, divide, root) count apart.\n"
              "\n"
              "--ir prints the graph as text instead, whatever --format says; ridge reads that form\n"
              "back.",
    .examples = "ridge show zoo:resnet50\n"
                "ridge show bert.onnx --shape seq=128 --format json\n"
                "ridge show model.onnx --ir --raw",
    .opt_size = sizeof(show_opt), .opts = opts, .opt_count = CMD_COUNT(opts),
    .arg_min = 1, .arg_max = 1, .run = run,
};
