/* quantized.h - what kernels of quantized operators ask about their inputs. */
#ifndef RG_QUANTIZED_H
#define RG_QUANTIZED_H

#include "exec/fast.h"
#include "exec/gemm_i8.h"

enum {
    RG_I8_K_MAX = 32768,         /* so many products of bytes fit into 31 bits */
    RG_Q_ALIGN_BYTE = 64,        /* of what lies in a room: a line of the cache */
};

/* Input i; 0: there is none. */
static inline rg_value_id rg_q_input(const rg_fast_row *r, int i)
{
    const rg_node *n = r->site.node;
    return i >= 0 && (uint32_t)i < n->in_count ? n->in[i] : 0;
}

static inline bool rg_q_is_byte(const rg_fast_row *r, rg_value_id v)
{
    return v && (r->g->values[v].type.dtype == RG_U8 || r->g->values[v].type.dtype == RG_I8);
}

/* Nothing, or constants: one, or as many as that. */
static inline bool rg_q_is_known(const rg_fast_row *r, rg_value_id v, int64_t count)
{
    if (!v) return true;
    int64_t have = rg_fast_array(r, v)->count;
    return rg_fast_is_constant(r, v) && (have == 1 || have == count);
}

/* Element j of a constant that may be one for all; without it `otherwise`. */
static inline double rg_q_known(const rg_fast_row *r, rg_value_id v, int64_t j, double otherwise)
{
    const rg_array *a = rg_fast_array(r, v);
    return v ? rg_get(a, a->count == 1 ? 0 : j) : otherwise;
}

/* Bounds and zero point of a product whose results are bytes: output 0. */
static inline void rg_q_result(const rg_fast_row *r, rg_value_id y_zero, rg_gemm_i8 *g)
{
    bool with_sign = r->g->values[r->site.node->out[0]].type.dtype == RG_I8;
    g->zero = (int32_t)rg_q_known(r, y_zero, 0, 0);
    g->low = (with_sign ? INT8_MIN : 0) - g->zero;
    g->high = (with_sign ? INT8_MAX : UINT8_MAX) - g->zero;
}

static inline size_t rg_q_aligned(size_t byte)
{
    return (byte + RG_Q_ALIGN_BYTE - 1) / RG_Q_ALIGN_BYTE * RG_Q_ALIGN_BYTE;
}

#endif
