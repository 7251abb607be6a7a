/* onnx_in.h - what the parts of the ONNX reader share: the import under way, and scopes of names.
 *
 * Names of an ONNX graph are resolved where the graph stands:
 *
 *     model      scope {region 1}
 *     If body    scope {its region, outer = where the If stands}       sees all that the If sees
 *     function   scope {region of the call, call = which call}         sees its own inputs only
 */
#ifndef RG_ONNX_IN_H
#define RG_ONNX_IN_H

#include "format/onnx_proto.h"
#include "ir/ir.h"

typedef struct rg_onnx_imports { rg_import *items; uint32_t count; } rg_onnx_imports;

/* A model-local function. */
typedef struct rg_onnx_def { rg_onnx_function msg; rg_onnx_imports imports; } rg_onnx_def;

typedef struct rg_onnx_scope rg_onnx_scope;

typedef struct rg_onnx_call {
    const rg_onnx_def *def;
    const rg_onnx_node *node;      /* the call */
    const rg_onnx_scope *caller;
} rg_onnx_call;

struct rg_onnx_scope {
    const rg_onnx_scope *outer;    /* whose names are seen too, or NULL */
    const rg_onnx_call *call;      /* the function being expanded, or NULL */
    rg_region_id region;
    rg_str prefix;                 /* of the names that the expansion makes: "layer1/attn/" */
    int depth;
    rg_map names;                  /* value id + 1: an omitted input of a function is known, too */
    rg_map bound;                  /* outputs of a function: the caller's value */
};

typedef struct rg_onnx_in {
    rg_ctx *cx;
    rg_graph *g;
    rg_arena scratch;              /* dies with the import */
    rg_str bytes;
    const char *source;            /* or NULL */
    const rg_map *top;             /* the model's own names */
    rg_map names;                  /* given out in other scopes: the next number to tell equal ones apart */
    rg_map files;                  /* location of external data: index in g->files + 1 */
    rg_map functions;              /* domain, name and overload: index in defs + 1 */
    rg_onnx_def *defs;
    rg_text key;                   /* where such a key is put together */
    rg_value_id *ids;              /* inputs and outputs of the node being made */
    uint32_t id_capacity;
    uint32_t unnamed_dim_count, call_count;
    int64_t unfold_left;           /* bytes that calls may still unfold to */
} rg_onnx_in;

/* ---- onnx_read.c ---- */

/* Nodes of a graph or function, in any order. */
rg_err rg_onnx_read_nodes(rg_onnx_in *in, rg_onnx_scope *scope, rg_wire_list nodes) RG_CHECKED;
/* What references and calls unfold to is bounded: functions that call each other twice grow exponentially. */
rg_err rg_onnx_charge(rg_onnx_in *in, size_t byte, size_t node_count) RG_CHECKED;
rg_err rg_onnx_read_graph(rg_onnx_in *in, rg_onnx_scope *scope, rg_str bytes) RG_CHECKED;
rg_err rg_onnx_read_imports(rg_onnx_in *in, rg_wire_list list, rg_onnx_imports *out) RG_CHECKED;
bool rg_onnx_is_main_domain(rg_str domain);
/* UTF-8 without NUL, of at most RG_NAME_MAX bytes; `what` it is the name of. */
rg_err rg_onnx_check_name(rg_ctx *cx, rg_str name, const char *what) RG_CHECKED;
/* The graph takes the reference over, in any case. */
rg_err rg_onnx_keep_file(rg_onnx_in *in, rg_file *file) RG_CHECKED;
rg_err rg_onnx_note_node(rg_ctx *cx, rg_err err, const rg_onnx_node *node);
rg_err rg_onnx_find_value(rg_onnx_in *in, const rg_onnx_scope *scope, rg_str name,
                          rg_value_id *out) RG_CHECKED;

/* ---- onnx_type.c ---- */

/* `input`: unnamed dimensions get a symbol. Elsewhere a shape with one is left to inference. */
rg_err rg_onnx_read_type(rg_onnx_in *in, rg_str bytes, bool input, rg_type *out) RG_CHECKED;

/* ---- onnx_attr.c ---- */

/* One attribute, its graphs owned by `owner`; kind NONE: it refers to one that the calling node lacks. */
rg_err rg_onnx_read_attr(rg_onnx_in *in, const rg_onnx_scope *scope, rg_node_id owner, rg_str bytes,
                         rg_attr *out) RG_CHECKED;
rg_err rg_onnx_read_attrs(rg_onnx_in *in, const rg_onnx_scope *scope, rg_node_id owner,
                          rg_wire_list list) RG_CHECKED;
rg_err rg_onnx_read_constant(rg_onnx_in *in, const rg_onnx_scope *scope, const rg_onnx_node *node,
                             rg_tensor *out) RG_CHECKED;

/* ---- onnx_tensor.c ---- */

rg_err rg_onnx_read_tensor(rg_onnx_in *in, rg_str bytes, rg_tensor *out, rg_str *name) RG_CHECKED;

/* ---- onnx_external.c ---- */

/* `need`: the bytes that the tensor's type asks for. */
rg_err rg_onnx_read_external(rg_onnx_in *in, rg_wire_list entries, size_t need, rg_tensor *out) RG_CHECKED;

/* ---- onnx_function.c ---- */

rg_err rg_onnx_read_functions(rg_onnx_in *in, rg_wire_list list) RG_CHECKED;
/* NULL: the node calls none. Fails without memory only. */
rg_err rg_onnx_find_function(rg_onnx_in *in, const rg_onnx_node *node, const rg_onnx_def **out) RG_CHECKED;
rg_err rg_onnx_expand(rg_onnx_in *in, const rg_onnx_scope *caller, const rg_onnx_node *node,
                      const rg_onnx_def *def) RG_CHECKED;

#endif
