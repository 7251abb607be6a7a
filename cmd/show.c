/* show.c - `ridge show MODEL`: what a model is and what it costs on no machine in particular, or what lies in
 * a file of weights.
 */
#include "cmd.h"

#include <string.h>

typedef struct show_opt {
    cmd_common common;
    cmd_model model;
    const char *as;
    bool ir, raw;
} show_opt;

#define FIELD(name) offsetof(show_opt, name)
static const rg_opt opts[] = {
    {"as", "KIND", RG_OPT_TEXT, FIELD(as), NULL, "model|weights",
     "what of it: operators, or tensors; else weights of .safetensors, .gguf and folders of them"},
    {"ir", NULL, RG_OPT_FLAG, FIELD(ir), NULL, NULL, "print the graph in its text form instead"},
    {"raw", NULL, RG_OPT_FLAG, FIELD(raw), NULL, NULL, "as the file has it: no folding, no recognition"},
    CMD_GRAPH_OPTIONS(FIELD(model)),
};

static rg_err run(rg_ctx *cx, const void *opt, int argc, const char *const *argv, rg_doc **out)
{
    const show_opt *o = opt;
    const rg_graph *graph = NULL;
    (void)argc;
    bool weights = o->as ? strcmp(o->as, "weights") == 0 : !o->ir && rg_is_weights(argv[0]);
    if (weights) return rg_weights_doc(cx, argv[0], out);
    CMD_TRY(cmd_model_load(cx, &o->model, argv[0], o->raw, &graph));
    rg_err err = o->ir ? rg_graph_print(cx, graph, stdout) : rg_graph_doc(cx, graph, out);
    rg_graph_free(graph);
    return err ? rg_note(cx, err, "%s", argv[0]) : RG_OK;
}

RG_CMD(show) = {
    .name = "show",
    .args = "MODEL",
    .brief = "show a model: operators, parameters, FLOPs, memory; or weights",
    .detail = "MODEL is an ONNX file, a graph as text (.rg), a GGUF file, a directory with a model.onnx or\n"
              "a config.json, or zoo:NAME (see 'ridge zoo'). No machine is involved: MACs are those of\n"
              "convolutions, matrix products and recurrent gates, FLOPs are twice these plus all other\n"
              "arithmetic; special functions (exp, divide, root) count apart.\n"
              "\n"
              "Of files of weights (.safetensors, .gguf, an index of several) the header is listed: types,\n"
              "bits per weight, layers, the largest tensors, metadata. --as says which of both is meant.\n"
              "\n"
              "--ir prints the graph as text instead, whatever --format says; ridge reads that form\n"
              "back.",
    .examples = "ridge show zoo:resnet50\n"
                "ridge show bert.onnx --shape seq=128 --format json\n"
                "ridge show model.onnx --ir --raw\n"
                "ridge show llama-3-8b.Q4_K_M.gguf\n"
                "ridge show ./Llama-3-8B --as weights",
    .opt_size = sizeof(show_opt),
    .opts = opts,
    .opt_count = CMD_COUNT(opts),
    .arg_min = 1,
    .arg_max = 1,
    .run = run,
};
