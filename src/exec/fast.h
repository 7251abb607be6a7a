/* fast.h - kernels that compute the beginning of a row at once: its anchor, and what can be done to each
 * result before it is written. To add one, write one file in this folder with an RG_FAST row; the first that
 * fits a row runs it, and what it leaves of the row is run node by node.
 */
#ifndef RG_FAST_H
#define RG_FAST_H

#include "exec/exec.h"
#include "exec/gemm_f32.h"

/* What follows the anchor, in the order in which it is applied: scale and shift (a BatchNormalization, a
 * bias), one addition of another tensor, one activation. */
typedef struct rg_chain {
    uint32_t covered;            /* steps of the row, the anchor's included */
    rg_value_id out;             /* what the last of them gives */
    int64_t channels;
    float *scale, *shift;        /* [channels]: axis 1 of a convolution, the last one of a product; or NULL */
    rg_value_id add;             /* of the shape of `out`; or 0 */
    rg_act act;
    float low, high;
} rg_chain;

typedef struct rg_fast_row {
    rg_ctx *cx;
    const rg_plan *plan;
    const rg_row *row;
    const rg_graph *g;           /* every size a number */
    rg_datum *slots;             /* by value: constants are placed, results too */
    rg_arena *arena;             /* for what is made once */
    rg_site site;                /* of the anchor */
    rg_chain chain;
} rg_fast_row;

typedef struct rg_fast {
    const char *name, *brief;
    /* *state NULL: the row is not for it. */
    rg_err (*make)(const rg_fast_row *r, void **state);
    void (*run)(void *state);
} rg_fast;

#define RG_FAST(id) const rg_fast rg_fast_##id
extern const rg_fast *const rg_fast_table[];
extern const int rg_fast_count;

/* chain.c: from the row's steps. `slots` must hold the row's constants. */
rg_err rg_chain_find(rg_fast_row *r) RG_CHECKED;
/* What a result needs behind the product: pointers at this value's and the addition's memory. */
rg_epilogue rg_chain_epilogue(const rg_fast_row *r);

/* ---- what kernels ask ---- */

static inline const rg_array *rg_fast_array(const rg_fast_row *r, rg_value_id v)
{
    return &r->slots[v].array;
}
/* A constant of the model, or of a row that was computed when it was loaded. */
bool rg_fast_is_constant(const rg_fast_row *r, rg_value_id v);
bool rg_fast_is_f32(const rg_fast_row *r, rg_value_id v);

/* window2.c: a 2-D convolution of f32 with constant weights; padding in front, what is behind follows. */
typedef struct rg_window2 {
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
} rg_window2;
bool rg_window2_read(const rg_fast_row *r, rg_window2 *out); /* false: it is none */

#endif
