/* pass.h - graph to graph. A pass edits a clone; what it was given stays as it was. To add one, write one
 * file with an RG_PASS row; tools/tables.sh collects them, the order below decides when they run.
 */
#ifndef RG_PASS_H
#define RG_PASS_H

#include "op/op.h"

typedef struct rg_pass {
    const char *name, *brief;
    int order;                 /* passes run in ascending order */
    bool repeat;               /* run the group of repeating passes until none changes the graph (bounded) */
    /* Edits g; where it *changed something, the driver finishes, infers and verifies. */
    rg_err (*run)(rg_ctx *cx, rg_graph *g, bool *changed);
} rg_pass;

#define RG_PASS(id) const rg_pass rg_pass_##id
extern const rg_pass *const rg_pass_table[];
extern const int rg_pass_count;

/* All passes, or those named in the comma-separated `names` (NULL: all; "-a,b": all but a and b), over a
 * clone of `in`. */
rg_err rg_passes_run(rg_ctx *cx, const rg_graph *in, const char *names, rg_graph **out) RG_CHECKED;
/* RG_USAGE names what is no pass, and the passes that there are. */
rg_err rg_passes_check(rg_ctx *cx, const char *names) RG_CHECKED;
/* The same in place, for a graph that nobody else holds; half done after an error. Names are not checked. */
rg_err rg_passes_apply(rg_ctx *cx, rg_graph *g, const char *names) RG_CHECKED;

/* Gives symbols numbers: "seq=128,batch=8" by symbol, "image=1x3x224x224" by input; values of scalar
 * inputs ("sr=16000": the input becomes a constant); trip counts of loops by node name. An unknown name is
 * RG_USAGE and lists the graph's symbols. What stays unbound takes a customary size (bind.c has the
 * table), and the graph's notes say so; symbolic: it stays a symbol. Types are inferred anew. */
typedef struct rg_binding { const char *shape, *value, *trip; int batch; bool symbolic; } rg_binding;
rg_err rg_graph_bind(rg_ctx *cx, const rg_graph *in, const rg_binding *binding, rg_graph **out) RG_CHECKED;

/* ---- matching, for passes that recognize patterns (pass/match.c) ---- */

typedef struct rg_match { rg_ctx *cx; rg_graph *g; rg_uses uses; } rg_match;
rg_err rg_match_init(rg_match *m, rg_ctx *cx, rg_graph *g) RG_CHECKED;
/* Producer of a value when it is a live ai.onnx node of `type` (NULL: any); else NULL. */
rg_node *rg_producer_is(const rg_match *m, rg_value_id value, const char *type);
/* The only user of a value when it has exactly one use, is no region output and is of `type` (NULL: any). */
rg_node *rg_single_user(const rg_match *m, rg_value_id value, const char *type);
/* Uses by nodes; UINT32_MAX for what a region hands out: it must stay under its name. */
uint32_t rg_use_count(const rg_match *m, rg_value_id value);
bool rg_is_about(double a, double b); /* within a relative 1e-3: exporters round */
/* Is it a constant whose every element is about x? */
bool rg_const_is(const rg_match *m, rg_value_id value, double x);
bool rg_const_scalar(const rg_match *m, rg_value_id value, double *out); /* one element, any rank */
/* The other input of a two-input node; 0 when `value` is neither. */
rg_value_id rg_other_input(const rg_node *node, rg_value_id value);
/* Is the attribute, or its preset when it is absent, x? */
bool rg_int_attr_is(const rg_node *node, const char *name, int64_t x, int64_t preset);
/* Node inputs v become renamed[v] (0: as it is), chains followed; one sweep for any number of renamings.
 * Region outputs stay: whoever renames looks at uses.out_uses first. */
void rg_graph_rename(rg_graph *g, rg_value_id *renamed);

/* The nodes that a pattern has taken in so far, the one that makes the result first. A pattern that does
 * not fit sets `count` back. */
enum { RG_PIECES_MAX = 32 };
typedef struct rg_pieces { rg_node *nodes[RG_PIECES_MAX]; uint32_t count; } rg_pieces;
/* Starts with the node that makes the result. */
rg_pieces rg_pieces_of(rg_node *last);
/* Takes in the producer of `value`: one of `type`, in the region of the last node, every one of the `uses`
 * of its only result inside the pattern. NULL when it is not like that. */
rg_node *rg_piece(const rg_match *m, rg_pieces *p, rg_value_id value, const char *type, uint32_t uses);
/* The pattern is one node of `type`, with the inputs and (sorted) attributes of `like`; it takes the
 * place, name and result of the last piece, and the others die. */
rg_err rg_pieces_become(const rg_match *m, const rg_pieces *p, const char *type,
                        const rg_node *like) RG_CHECKED;
void rg_retype(rg_node *node, const char *type); /* an operator of ai.onnx, in today's meaning */

#endif
