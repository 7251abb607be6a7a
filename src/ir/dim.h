/* dim.h - symbolic sizes. A dimension is an integer,
 * or an expression over named symbols kept in the graph's table.
 *
 * One int64_t holds either: numbers from INT64_MIN + 2^32 up are themselves; below lie expression ids. So
 * concrete shapes cost nothing, and shape inference is written once, with rg_dim_* in place of + - * /.
 */
#ifndef RG_DIM_H
#define RG_DIM_H

#include "base/base.h"

typedef int64_t rg_dim;
#define RG_DIM_FIRST (INT64_MIN + (INT64_C(1) << 32))
static inline bool rg_dim_is_number(rg_dim d) { return d >= RG_DIM_FIRST; }

typedef enum rg_dim_op {
    RG_DIM_SYMBOL, RG_DIM_ADD, RG_DIM_SUB, RG_DIM_MUL,
    RG_DIM_DIV,  /* floor(a / b) */
    RG_DIM_CEIL, /* ceil(a / b) */
    RG_DIM_MIN, RG_DIM_MAX,
} rg_dim_op;

typedef struct rg_dim_expr {
    rg_dim_op op;
    rg_dim a, b;
    rg_str name;               /* SYMBOL */
    int64_t min, max, preset;  /* range, and the size that stands in until it is bound; constant once made */
    bool run_time;             /* SYMBOL: only the data decide it (NonZero, NMS): never asked of the user */
    uint64_t hash;             /* of the whole expression, the same in every table */
} rg_dim_expr;

typedef struct rg_dims {
    rg_arena *arena;
    rg_dim_expr *exprs;
    uint32_t count, capacity;
    bool failed;
    /* private: the table of shared expressions,
     * the number of the next fresh symbol, the memory of a rewrite */
    uint32_t *slots, slot_count, fresh;
    struct rg_dim_memo *memo;
    uint32_t memo_count, memo_round;
} rg_dims;

/* The same expressions under the same ids, in memory of to->arena, which is set before. False: no memory. */
bool rg_dims_copy(rg_dims *to, const rg_dims *from) RG_CHECKED;

/* Symbols: same name, same symbol. preset is clamped into [min, max]. Without memory or past RG_DIM_EXPR_MAX
 * the answer is `preset` and dims->failed is set, which rg_graph_finish and rg_graph_infer report. */
rg_dim rg_dim_symbol(rg_dims *dims, rg_str name, int64_t min, int64_t max, int64_t preset);
/* run_time, named "u0", "u1", ... */
rg_dim rg_dim_fresh(rg_dims *dims, int64_t min, int64_t max, int64_t preset);
/* Folded and shared: numbers compute (saturating), x+0, x*1, x-x, x/1, max(x,x), (x*a)/a simplify, sums and
 * products are put in one order, so that equal expressions get equal ids. Division by zero answers 0. */
rg_dim rg_dim_make(rg_dims *dims, rg_dim_op op, rg_dim a, rg_dim b);
static inline rg_dim rg_dim_add(rg_dims *s, rg_dim a, rg_dim b) { return rg_dim_make(s, RG_DIM_ADD, a, b); }
static inline rg_dim rg_dim_sub(rg_dims *s, rg_dim a, rg_dim b) { return rg_dim_make(s, RG_DIM_SUB, a, b); }
static inline rg_dim rg_dim_mul(rg_dims *s, rg_dim a, rg_dim b) { return rg_dim_make(s, RG_DIM_MUL, a, b); }
static inline rg_dim rg_dim_div(rg_dims *s, rg_dim a, rg_dim b) { return rg_dim_make(s, RG_DIM_DIV, a, b); }
static inline rg_dim rg_dim_ceil(rg_dims *s, rg_dim a, rg_dim b) { return rg_dim_make(s, RG_DIM_CEIL, a, b); }
static inline rg_dim rg_dim_min(rg_dims *s, rg_dim a, rg_dim b) { return rg_dim_make(s, RG_DIM_MIN, a, b); }
static inline rg_dim rg_dim_max(rg_dims *s, rg_dim a, rg_dim b) { return rg_dim_make(s, RG_DIM_MAX, a, b); }

const rg_dim_expr *rg_dim_expr_of(const rg_dims *dims, rg_dim d); /* NULL for a number */
/* Equal for equal expressions of different tables. */
uint64_t rg_dim_hash(const rg_dims *dims, rg_dim d);
int64_t rg_dim_value(const rg_dims *dims, rg_dim d);              /* with presets; saturating */
/* 224, batch, seq*12, (h+2)/2, ceil(h/2), min(a,b) */
void rg_dim_print(const rg_dims *dims, rg_dim d, rg_text *text);
/* Replaces symbols by numbers: the same expression over `value_of(symbol)`; used when a graph is bound. */
rg_dim rg_dim_rewrite(rg_dims *to, const rg_dims *from, rg_dim d,
                      rg_dim (*symbol)(void *user, rg_dims *to, const rg_dim_expr *expr), void *user);

#endif
