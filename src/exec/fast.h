/* fast.h - kernels that compute the beginning of a row at once: its anchor, and what can be done to each
 * result before it is written. To add one, write one file in this folder with an RG_FAST row; the first that
 * fits a row runs it, and what it leaves of the row is run node by node.
 *
 * Layouts. An f32 activation of four axes [N, C, H, W] whose channels come in eights may lie in blocks of
 * them, [N, C / 8, H, W, 8], where a pixel's channels are a vector (Georganas et al. 2018, "Anatomy of
 * high-performance deep learning convolutions"); it takes the same memory. Which ones do is found once for
 * the whole plan (layout.c): as many as the kernels that read and write them agree to.
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
    float low, high;             /* see rg_epilogue */
} rg_chain;

typedef struct rg_weights rg_weights; /* what kernels made of constants; shared by runners of one plan */

typedef struct rg_fast_row {
    rg_ctx *cx;
    const rg_plan *plan;
    const rg_row *row;
    const rg_graph *g;           /* every size a number */
    rg_datum *slots;             /* by value: constants are placed, results too */
    const rg_datum *const *constants; /* by value: decoded, or computed when the model was loaded; or NULL */
    const bool *blocked;         /* by value */
    int workers;                 /* that will run it */
    rg_arena *arena;             /* for what one runner has for itself: state, room to work in */
    rg_arena *making;            /* for what making a row takes, forgotten behind it */
    rg_weights *weights; size_t *weight_next;
    char **room; size_t *room_byte; /* see rg_fast_room */
    rg_site site;                /* of the anchor */
    rg_chain chain;
} rg_fast_row;

/* How a node's values of four axes and several pixels may lie. */
typedef enum rg_layout_rule {
    RG_LAYOUT_PLAIN,             /* all as ONNX has them */
    RG_LAYOUT_SAME,              /* all blocked, or none */
    RG_LAYOUT_FREE,              /* its first input and its first output each as they like */
} rg_layout_rule;

typedef struct rg_fast {
    const char *name, *brief;
    /* Before any value is placed but constants; a rule other than PLAIN promises that `make` will take the
     * node. NULL: PLAIN for all. The first kernel that says something else decides. */
    rg_layout_rule (*layout)(const rg_fast_row *r);
    /* *state NULL: the row is not for it. */
    rg_err (*make)(const rg_fast_row *r, void **state);
    /* Asked before each run, of every worker, who all answer the same: whether lengths, positions and the
     * like that only the run knows are within their bounds. Where not, the plain kernel of the one node that
     * `make` has taken is run instead, which says what is wrong. NULL: nothing to ask. */
    bool (*allows)(const void *state);
    /* One worker's share, called by all of them; who needs what others write waits with rg_team_barrier. At
     * the end the runner does. */
    void (*run)(void *state, rg_part part);
} rg_fast;

#define RG_FAST(id) const rg_fast rg_fast_##id
extern const rg_fast *const rg_fast_table[]; /* by name of their files */
extern const int rg_fast_count;

/* chain.c: from the row's steps. `slots` must hold the row's constants. */
rg_err rg_chain_find(rg_fast_row *r) RG_CHECKED;
/* What a result needs behind the product: pointers at this value's and the addition's memory. */
rg_epilogue rg_chain_epilogue(const rg_fast_row *r);

/* layout.c: blocked[value] for all values of a plan; r as for layout(), without row and site. */
rg_err rg_layout_find(const rg_fast_row *r, bool *blocked) RG_CHECKED;

/* weights.c: room for what is made of constants, zeroed, 64-byte aligned; it stays until the last runner of
 * the plan is gone. *made: the first of them has filled it already. NULL: no memory. Every runner asks in the
 * same order. */
rg_err rg_weights_new(rg_ctx *cx, rg_weights **out) RG_CHECKED;
rg_weights *rg_weights_ref(rg_weights *w);
void rg_weights_free(rg_weights *w);         /* NULL is allowed */
void *rg_weights_room(const rg_fast_row *r, size_t byte, bool *made);
#define RG_WEIGHTS(r, type, count, made) ((type *)rg_weights_room(r, sizeof(type) * (size_t)(count), made))

/* Room to work in during one call, shared by all of them: *result points at `byte` bytes, 64-byte aligned,
 * from the first run on. They hold anything. */
char *const *rg_fast_room(const rg_fast_row *r, size_t byte);

/* ---- what kernels ask ---- */

static inline const rg_array *rg_fast_array(const rg_fast_row *r, rg_value_id v)
{
    return &r->slots[v].array;
}
/* A constant of the model, or of a row that was computed when it was loaded. */
bool rg_fast_is_constant(const rg_fast_row *r, rg_value_id v);
bool rg_fast_is_f32(const rg_fast_row *r, rg_value_id v);
/* An f32 activation of four axes with several pixels and channels in eights, neither input nor output of the
 * model: may be blocked. */
bool rg_fast_may_block(const rg_fast_row *r, rg_value_id v);
/* The function and its constants of an activation that is one node of one input; false: it is none. */
bool rg_act_read(const rg_fast_row *r, const rg_site *site, rg_epilogue *out);

/* window2.c: a 2-D convolution of f32 with constant weights; padding in front, what is behind follows. */
typedef struct rg_window2 {
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
} rg_window2;
bool rg_window2_read(const rg_fast_row *r, rg_window2 *out); /* false: it is none */
/* Of any types, from the operator's image and weights. */
bool rg_window2_of(const rg_fast_row *r, const rg_array *x, const rg_array *w, rg_window2 *out);

#endif
