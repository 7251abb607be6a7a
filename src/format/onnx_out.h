/* onnx_out.h - what the two parts of the ONNX writer share: messages (onnx_write.c) and the bytes of
 * constants (onnx_weight.c).
 *
 * A message is preceded by its size, so every body is run twice: into a stream that only counts, then for
 * good. Constants know their size without being looked at, which keeps counting cheap.
 */
#ifndef RG_ONNX_OUT_H
#define RG_ONNX_OUT_H

#include "format/onnx_proto.h"
#include "ir/ir.h"

#include <pb_encode.h>

typedef struct rg_onnx_out {
    rg_ctx *cx;
    const rg_graph *g;
    rg_arena scratch;            /* dies with the export */
    bool random;                 /* constants without data are made up */
    uint64_t seed;
    rg_str *names;               /* of all values */
    rg_str start;                /* no name starts with it */
    rg_value_id *consts;         /* those that are used */
    uint32_t const_count;
    const char *away;            /* name of the file that holds large constants, or NULL: the model does */
    rg_import *imports;
    uint32_t import_count, import_capacity;
    rg_err err;                  /* why an encoder answered false; OK: writing failed */
} rg_onnx_out;

bool rg_onnx_put_int(pb_ostream_t *out, uint32_t number, int64_t x);
bool rg_onnx_put_str(pb_ostream_t *out, uint32_t number, rg_str s);
/* A nested message whose content `body` writes. */
bool rg_onnx_put_message(rg_onnx_out *w, pb_ostream_t *out, uint32_t number,
                         bool (*body)(rg_onnx_out *w, pb_ostream_t *out, const void *what), const void *what);

/* A TensorProto: `place` is its offset in the file of large constants, or -1: it is written here. */
typedef struct rg_onnx_weight { const rg_tensor *tensor; rg_str name; int64_t place; } rg_onnx_weight;
bool rg_onnx_put_weight(rg_onnx_out *w, pb_ostream_t *out, const void *weight);
/* Bytes that it takes in a file of its own; 0: it belongs into the model. */
size_t rg_onnx_away_size(const rg_tensor *tensor);
bool rg_onnx_put_content(rg_onnx_out *w, pb_ostream_t *out, const rg_onnx_weight *weight);

#endif
