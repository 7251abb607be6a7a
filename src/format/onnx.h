/* onnx.h - ONNX models, opset 1 to RG_OPSET_MAX, in and out.
 *
 * Reading gives a graph of resolved operators, without inferred types. Constant data are views of the mapped
 * file (or of the caller's bytes): nothing is copied. Model-local functions are expanded into their nodes,
 * Constant nodes become constants. The writer is rg_graph_export of ridge.h.
 */
#ifndef RG_ONNX_H
#define RG_ONNX_H

#include "ir/ir.h"

rg_err rg_onnx_load(rg_ctx *cx, const char *path, rg_graph **out) RG_CHECKED;

/* `bytes` must outlive the graph. `source` (may be NULL) is the path that stands for them: its folder holds
 * the external data, which is not available without one. */
rg_err rg_onnx_parse(rg_ctx *cx, rg_str bytes, const char *source, rg_graph **out) RG_CHECKED;

#endif
