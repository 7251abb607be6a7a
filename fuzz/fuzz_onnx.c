/* fuzz_onnx.c - ONNX files from any bytes, through inference to text, within a budget of memory. */
#include "format/onnx.h"
#include "op/op.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_MAX_BYTE = 64 << 20 };

static const char source[] = "/dev/null/model.onnx"; /* in no folder: external data are looked for in vain */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .memory_limit_byte = MEMORY_MAX_BYTE});
    rg_graph *graph = NULL;
    rg_text text;
    if (!cx) return 0;
    rg_err err = rg_onnx_parse(cx, (rg_str){(const char *)data, size}, source, &graph);
    if (!err) err = rg_graph_infer(cx, graph);
    rg_text_init(&text, &cx->arena);
    if (!err) err = rg_graph_to_text(cx, graph, &text);
    if (err == RG_INTERNAL) abort();
    rg_graph_free(graph);
    rg_ctx_free(cx);
    return 0;
}
