/* op.h - what an operator is. To add one, write one file in this folder; nothing else changes.
 *
 * tools/tables.sh collects every RG_OP(id) and every X(id, ...) row of a *_LIST in src/op/
 * into the build's op_table.c.
 *
 * An operator sees one node through an rg_site. Shape inference runs over symbolic dimensions (ir/dim.h) and
 * knows small integer tensors element by element (`known`): that is what carries Shape -> Gather -> Concat ->
 * Reshape. Work is asked after binding, when every dimension has a number.
 */
#ifndef RG_OP_H
#define RG_OP_H

#include "ir/ir.h"

/* The kind of kernel that computes it: what machines and runtimes have efficiencies for. */
#define RG_FAMILY_LIST(X)                                                          \
    X(VIEW,        "view",        "moves no data: reshape, squeeze, identity")     \
    X(GEMM,        "gemm",        "matrix product with constant weights or not")   \
    X(CONV,        "conv",        "dense or grouped convolution")                  \
    X(DEPTHWISE,   "depthwise",   "convolution with one input channel a group")    \
    X(ATTENTION,   "attention",   "softmax(QK^T)V in one kernel")                  \
    X(RECURRENT,   "recurrent",   "RNN, GRU, LSTM: a chain of small products")     \
    X(ELEMENTWISE, "elementwise", "out[i] from in[i] alone, broadcast included")   \
    X(NORM,        "norm",        "statistics along axes, then scaling")           \
    X(SOFTMAX,     "softmax",     "softmax and its relatives")                     \
    X(REDUCE,      "reduce",      "reduction along axes")                          \
    X(POOL,        "pool",        "sliding windows without weights")               \
    X(MOVE,        "move",        "copies: transpose, concat, slice, pad, gather") \
    X(EMBED,       "embed",       "table look-up of rows")                         \
    X(SORT,        "sort",        "TopK, NonMaxSuppression, Unique")               \
    X(TREE,        "tree",        "decision trees and other ai.onnx.ml models")    \
    X(CONTROL,     "control",     "If, Loop, Scan: their bodies are priced")       \
    X(COLLECTIVE,  "collective",  "data between devices")                          \
    X(OTHER,       "other",       "everything else: strings, images, sequences")

typedef enum rg_family {
#define X(id, name, words) RG_FAMILY_##id,
    RG_FAMILY_LIST(X)
#undef X
    RG_FAMILY_COUNT
} rg_family;
const char *rg_family_name(rg_family family);

/* What an operator does to a machine, no machine named. MAC: multiply-accumulate of Conv, Gemm, MatMul (QK^T
 * and AV included) and recurrent gates, nothing else. flop = 2 * mac + listed others (adds, compares,
 * multiplies); special: exp, log, erf, sqrt, divide, tanh, sigmoid, sin: not in flop, costed apart. */
typedef struct rg_work {
    rg_family family;
    double mac, flop, special;
    /* Activations read, constants read, results written. Filled before the callback, where in_byte still
     * holds the constants too, so that an operator that reads part of its inputs corrects both;
     * rg_node_work takes them apart. */
    double in_byte, weight_byte, out_byte;
    /* The loop nest as matrix products: `batch` independent products m×n×k, repeated `steps` times in
     * sequence. Elementwise: m = elements. Reductions:
     * m = outputs, k = reduced length. 1 where it means nothing. */
    double batch, m, n, k, steps;
    double channels, spatial;              /* independent output channels (0: none) and positions */
    bool weight_in_b;                      /* the n×k operand is a constant */
    /* Attention: query heads that share one head of keys (0: one); of mac, flop and special, the share of
     * scores that a causal mask rules out: counted, as published counts do, but left out by fused kernels. */
    double share, skipped;
} rg_work;

/* One node as its operator sees it. */
typedef struct rg_site { rg_ctx *cx; rg_graph *g; rg_node_id id; const rg_node *node; } rg_site;

enum rg_trait {
    RG_ELEMENTWISE = 1 << 0,  /* out[i] depends on in[i] alone (broadcast allowed):
                               * may join any fusion group */
    RG_IN_PLACE    = 1 << 1,  /* may write over input 0 when it is the last reader */
    RG_VIEW        = 1 << 2,  /* moves no data */
    RG_COMMUTES    = 1 << 3,  /* inputs 0 and 1 may be swapped */
    RG_RANDOM      = 1 << 4,  /* not a function of its inputs: never folded, never merged */
    RG_HAS_REGIONS = 1 << 5,  /* If, Loop, Scan */
    RG_SHAPE_ONLY  = 1 << 6,  /* reads shapes, not data: Shape, Size */
    RG_ACTIVATION  = 1 << 7,  /* customary epilogue of a convolution or product: Relu, Clip, Sigmoid, ... */
};

typedef struct rg_attr_spec {
    const char *name;
    rg_attr_kind kind;
    const char *preset;      /* as attribute text ("1", "0.5", "NOTSET", "1,1"); NULL: no preset (optional) */
    bool required;
    const char *help;
} rg_attr_spec;

/* A case: inputs as types ("f32[1,3,8,8] i64[2]=1,-1 _"), attributes as text, expected output types as text.
 * inputs NULL: the attributes are bodies, so `attrs` is a whole graph as text, and `outputs` are its outputs'
 * types. The shape test, and later the kernels', gradients' and the micro-benchmark, iterate over these. */
typedef struct rg_case { const char *inputs, *attrs, *outputs; } rg_case;

struct rg_run;

typedef struct rg_op {
    const char *name;                 /* ONNX op_type */
    const char *domain;               /* NULL: ai.onnx; "ai.onnx.ml", ... */
    const char *brief;                /* one line for the manual */
    int since;                        /* the opset of the meaning implemented
                                       * here (older ones go through upgrade) */
    int in_min, in_max;               /* in_max -1: any number */
    int out_min, out_max;
    unsigned traits;
    const rg_attr_spec *attrs; size_t attr_count;
    const rg_case *cases;      size_t case_count;

    rg_err (*infer)(const rg_site *s);              /* required: sets output types (and
                                                     * known elements) or says why not */
    void (*work)(const rg_site *s, rg_work *w);     /* required, except for views; see rg_work */
    /* The plain kernel (op/kernel.h); NULL for views, which the runner makes. */
    rg_err (*run)(const struct rg_run *r);
    /* Rewrites a node of an older meaning (node->version < since) in place: attributes to inputs, renamed
     * fields. NULL: older meanings are the same where they are accepted. */
    rg_err (*upgrade)(const rg_site *s);
} rg_op;

#define RG_OP(id) const rg_op rg_op_##id

extern const rg_op *const rg_op_table[];
extern const int rg_op_count;
const rg_op *rg_op_find(rg_str domain, rg_str name); /* NULL when there is none */
const rg_op *rg_op_nearest(rg_str name);             /* by spelling, for messages; NULL: none is near */

/* ---- the driver (op/infer.c) ---- */

/* Sets node->op, checks counts of inputs/outputs and attributes against the specs, upgrades old meanings.
 * Unknown operators are left NULL: inference names them. */
rg_err rg_graph_resolve(rg_ctx *cx, rg_graph *g) RG_CHECKED;
/* Types of all values, in topological order, regions included. A type stated by the file is checked against
 * the inferred one: contradiction is RG_SHAPE. */
rg_err rg_graph_infer(rg_ctx *cx, rg_graph *g) RG_CHECKED;
/* One node, whose inputs have their types. */
rg_err rg_node_infer(rg_ctx *cx, rg_graph *g, rg_node_id id) RG_CHECKED;
/* For the operators with bodies. */
rg_err rg_region_infer(rg_ctx *cx, rg_graph *g, rg_region_id region) RG_CHECKED;
/* Takes into *inferred what the file knows better (see infer.c); false when the two contradict each other. */
bool rg_type_agree(const rg_dims *dims, const rg_type *stated, rg_type *inferred);
/* Facts of one node with its byte counts filled in; views and constants give family VIEW and zeros. */
void rg_node_work(rg_ctx *cx, const rg_graph *g, rg_node_id node, rg_work *out);

/* ---- what callbacks use (op/site.c) ---- */

/* Fails with "node '/x' (Softmax): ..." in front. */
rg_err rg_site_fail(const rg_site *s, rg_err err, const char *format, ...) RG_PRINTF(3, 4);
bool rg_has_in(const rg_site *s, uint32_t i);
const rg_type *rg_in_type(const rg_site *s, uint32_t i);    /* never NULL; kind UNKNOWN when omitted */
const rg_tensor *rg_in_const(const rg_site *s, uint32_t i); /* constant data that can be read, or NULL */
/* Elements of a small integer (or bool) input, from a constant or from inference; NULL when not known. */
const rg_dim *rg_in_known(const rg_site *s, uint32_t i, uint32_t *count);
/* Max -1: any; also fails for unknown rank. */
rg_err rg_need_rank(const rg_site *s, uint32_t i, int rank_min, int rank_max) RG_CHECKED;
/* 0 <= *axis < rank afterwards; fails with "axis 9 is outside a tensor of rank 2". */
rg_err rg_need_axis(const rg_site *s, int64_t axis, int rank, int *out) RG_CHECKED;
bool rg_has_out(const rg_site *s, uint32_t i);
void rg_set_out(const rg_site *s, uint32_t i, rg_type type);            /* ignores an omitted output */
void rg_set_known(const rg_site *s, uint32_t i, const rg_dim *known, uint32_t count); /* copies */
/* Attribute as the node has it, else the preset of the spec; asserts that the spec lists it. */
int64_t rg_op_int(const rg_site *s, const char *name);
double rg_op_real(const rg_site *s, const char *name);
rg_str rg_op_str(const rg_site *s, const char *name);
/* NULL when absent and no preset */
const int64_t *rg_op_ints(const rg_site *s, const char *name, uint32_t *count);
bool rg_op_has(const rg_site *s, const char *name);                             /* stated by the node */
rg_dims *rg_site_dims(const rg_site *s);
/* Multidirectional broadcasting of ranks and dimensions. Distinct symbols are taken to be equal. */
rg_err rg_broadcast(const rg_site *s, const rg_type *a, const rg_type *b, rg_type *out) RG_CHECKED;
rg_dim rg_dims_product(const rg_site *s, const rg_type *t, int from, int to); /* of dim[from..to) */

/* For work: concrete sizes. */
int64_t rg_in_dim(const rg_site *s, uint32_t i, int axis);  /* axis may be negative; 1 when out of range */
int rg_in_rank(const rg_site *s, uint32_t i);
double rg_in_count(const rg_site *s, uint32_t i);           /* elements; 0 when omitted */
int64_t rg_out_dim(const rg_site *s, uint32_t i, int axis);
double rg_out_count(const rg_site *s, uint32_t i);
bool rg_in_is_const(const rg_site *s, uint32_t i);

/* ---- editing, for upgrade and decomposition (op/site.c) ---- */

/* Turns attribute `name` (int, ints, float) into constant
 * input i (rank 0 for the singular kinds) and removes it. */
rg_err rg_attr_to_input(const rg_site *s, const char *name, uint32_t i) RG_CHECKED;
/* Extends the input list with 0s. */
rg_err rg_site_set_input(const rg_site *s, uint32_t i, rg_value_id value) RG_CHECKED;
void rg_site_drop_attr(const rg_site *s, const char *name);

#endif
