/* edge_piece.h - operators and benchmarks of small machines as graphs, by how a row spells their sizes. */
#ifndef RG_EDGE_PIECE_H
#define RG_EDGE_PIECE_H

#include "ir/ir.h"
#include "learn/evaluate.h"

/* "key": "text" or "key": number of a flat JSON object; empty where there is none. */
rg_str rg_edge_member(rg_str json, const char *key);

/* The graph of an operator:
 *
 *     matmul, linear   "MxKxN"               gemm          "MxNxK", `batch` side by side
 *     vector_add       "N"                   conv2d_*      "cin3_cout64_hw224_k7_s2_g1"
 *     mlp              "in-[h, ...]-out"     blas*, stream_*, add, matmul of a benchmark: a JSON object
 *
 * RG_UNSUPPORTED: none of them; RG_INPUT: sizes that nobody can read. */
rg_err rg_edge_piece(rg_ctx *cx, rg_str op, rg_str shape, int64_t batch, rg_dtype dtype,
                     rg_graph **out) RG_CHECKED;

/* Kernels that the modules of a fused pattern are launched as, "Conv2d_BatchNorm2d_SiLU_+3more". */
double rg_edge_launches(rg_str pattern);

#endif
