/* pass.h - graph to graph. A pass edits a clone; what it was given stays as it was. To add one, write one file with an
 * RG_PASS row; tools/tables.sh collects them, the order below decides when they run.
 */
#ifndef RG_PASS_H
#define RG_PASS_H

#include "op/op.h"

typedef struct rg_pass {
    const char *name, *brief;
    int order;                 /* passes run in ascending order */
    bool repeat;               /* run the group of repeating passes until none changes the graph (bounded) */
    rg_err (*run)(rg_ctx *cx, rg_graph *g, bool *changed); /* edits g; the driver finishes, infers and verifies it */
} rg_pass;

#define RG_PASS(id) const rg_pass rg_pass_##id
extern const rg_pass *const rg_pass_table[];
extern const int rg_pass_count;

/* All passes, or those named in the comma-separated `names` (NULL: all), over a clone of `in`. */
rg_err rg_passes_run(rg_ctx *cx, const rg_graph *in, const char *names, rg_graph **out) RG_CHECKED;

/* Gives symbols numbers: "seq=128,batch=8" by symbol, "image=1x3x224x224" by input; values of scalar inputs
 * ("sr=16000": the input becomes a constant); trip counts of loops by node name. An unknown name is RG_USAGE and lists
 * the graph's symbols. What stays unbound takes a customary size (bind.c has the table), and the graph's notes say so;
 * symbolic: it stays a symbol. Types are inferred anew. */
typedef struct rg_binding { const char *shape, *value, *trip; int batch; bool symbolic; } rg_binding;
rg_err rg_graph_bind(rg_ctx *cx, const rg_graph *in, const rg_binding *binding, rg_graph **out) RG_CHECKED;

/* ---- matching, for passes that recognize patterns (pass/match.c) ---- */

typedef struct rg_match { rg_ctx *cx; rg_graph *g; rg_uses uses; } rg_match;
rg_err rg_match_init(rg_match *m, rg_ctx *cx, rg_graph *g) RG_CHECKED;
/* Producer of a value when it is a live ai.onnx node of `type` (NULL: any); else NULL. */
rg_node *rg_producer_is(const rg_match *m, rg_value_id value, const char *type);
/* The only user of a value when it has exactly one use, is no region output and is of `type` (NULL: any). */
rg_node *rg_single_user(const rg_match *m, rg_value_id value, const char *type);
bool rg_used_once(const rg_match *m, rg_value_id value);
/* Is it a constant whose every element is x (within a relative 1e-3: exporters round)? */
bool rg_const_is(const rg_match *m, rg_value_id value, double x);
bool rg_const_scalar(const rg_match *m, rg_value_id value, double *out); /* one element, any rank */
/* The other input of a two-input node; 0 when `value` is neither. */
rg_value_id rg_other_input(const rg_node *node, rg_value_id value);
/* Node inputs v become renamed[v] (0: as it is), chains followed; one sweep for any number of renamings. Region outputs
 * stay: they are names that others know. */
void rg_graph_rename(rg_graph *g, rg_value_id *renamed);
bool rg_is_region_output(const rg_graph *g, rg_region_id region, rg_value_id value);

#endif
