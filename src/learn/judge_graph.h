/* judge_graph.h - kernels one at a time: a graph of one or two nodes planned on a device, for the kinds that
 * measure operators.
 */
#ifndef RG_JUDGE_GRAPH_H
#define RG_JUDGE_GRAPH_H

#include "ir/ir.h"
#include "learn/evaluate.h"

/* A whole number from 1 on; RG_INPUT names the column otherwise. */
rg_err rg_judge_size(rg_ctx *cx, const rg_exam *exam, const char *column, int64_t *out) RG_CHECKED;
/* Floats or integers; RG_UNSUPPORTED: neither. */
rg_err rg_judge_dtype(rg_ctx *cx, const rg_exam *exam, const char *column, rg_dtype *out) RG_CHECKED;

typedef struct rg_run_cost { double latency_s, power_w; } rg_run_cost;
/* What a plan takes, forecast as said; shown to whoever looks on, its interval of time told to the exam. */
rg_err rg_judge_plan(rg_ctx *cx, const rg_exam *exam, const rg_plan *plan, const rg_forecast_opt *how,
                     rg_view view, rg_run_cost *out) RG_CHECKED;

/* What a finished graph takes, again and again, without what the runtime spends once for each inference; f32
 * is plain f32. Frees the graph. */
rg_err rg_judge_graph(rg_ctx *cx, const rg_exam *exam, rg_graph *graph, const rg_device *device,
                      const rg_runtime *runtime, rg_run_cost *out) RG_CHECKED;
/* ... where `beside_byte` of other weights are read between two runs of it. */
rg_err rg_judge_graph_among(rg_ctx *cx, const rg_exam *exam, rg_graph *graph, const rg_device *device,
                            const rg_runtime *runtime, double beside_byte, rg_run_cost *out) RG_CHECKED;

#endif
