/* fast_reduce.c - sums, means, lengths, greatest and least elements of f32 along axes that are neighbors, and
 * the global pools, which are these over all axes of an image.
 *
 *     [outer, size, inner] -> [outer, inner]
 *
 * Where nothing lies behind the axes a run is reduced in vectors; else `inner` sums stand side by side, a
 * chunk of them at a time. Pixels of the blocked layout are such an axis: behind it are the 8 channels of a
 * block.
 */
#include "exec/axes.h"
#include "exec/f32x8.h"

enum { CHUNK = 64 }; /* sums that stay in registers and the nearest cache while the axis is gone along */

typedef enum fold { FOLD_SUM, FOLD_MEAN, FOLD_MAX, FOLD_MIN, FOLD_SQUARES } fold;

typedef struct reduce {
    void (*run)(const struct reduce *s, int64_t from, int64_t to); /* of outer * chunks */
    const float *x;
    float *y;
    int64_t outer, size, inner, chunks;
    float factor;            /* of a mean: 1 / size */
    bool root;               /* of the result: a length */
} reduce;

typedef struct fold_row { const char *op; fold fold; } fold_row;

static const fold_row folds[] = {
    {"GlobalAveragePool", FOLD_MEAN}, {"GlobalMaxPool", FOLD_MAX}, {"ReduceMax", FOLD_MAX},
    {"ReduceMean", FOLD_MEAN},        {"ReduceMin", FOLD_MIN},     {"ReduceSum", FOLD_SUM},
    {"ReduceSumSquare", FOLD_SQUARES}, {"ReduceL2", FOLD_SQUARES},
};

/* NaN wins. */
RG_INLINE rg_f32x8 folded8(rg_f32x8 sum, rg_f32x8 x, fold how)
{
    if (how == FOLD_MAX) return rg_pick8((x > sum) | (x != x), x, sum);
    if (how == FOLD_MIN) return rg_pick8((x < sum) | (x != x), x, sum);
    if (how == FOLD_SQUARES) return sum + x * x;
    return sum + x;
}

RG_INLINE float folded(float sum, float x, fold how)
{
    if (how == FOLD_MAX) return rg_pickf((x > sum) | (x != x), x, sum);
    if (how == FOLD_MIN) return rg_pickf((x < sum) | (x != x), x, sum);
    return sum + (how == FOLD_SQUARES ? x * x : x);
}

RG_INLINE float start_of(fold how)
{
    return how == FOLD_MAX ? -__builtin_inff() : how == FOLD_MIN ? __builtin_inff() : 0;
}

/* The parts of a square's sum are sums themselves. */
RG_INLINE fold of_parts(fold how) { return how == FOLD_SQUARES ? FOLD_SUM : how; }

/* What all folds end with. */
RG_INLINE float ended(const reduce *s, float sum) { return s->root ? __builtin_sqrtf(sum) : sum * s->factor; }

/* Four vectors, so that sums need not wait for each other. */
RG_INLINE float run_of(const float *x, int64_t count, fold how)
{
    rg_f32x8 zero = {0}, a[4];
    int64_t i = 0;
    RG_UNROLLED
    for (int k = 0; k < 4; k++) a[k] = zero + start_of(how);
    for (; i + 32 <= count; i += 32) {
        RG_UNROLLED
        for (int k = 0; k < 4; k++) a[k] = folded8(a[k], rg_load8(x + i + 8 * k), how);
    }
    for (; i + 8 <= count; i += 8) a[0] = folded8(a[0], rg_load8(x + i), how);
    rg_f32x8 all =
        folded8(folded8(a[0], a[1], of_parts(how)), folded8(a[2], a[3], of_parts(how)), of_parts(how));
    float sum = all[0];
    for (int k = 1; k < 8; k++) sum = folded(sum, all[k], of_parts(how));
    for (; i < count; i++) sum = folded(sum, x[i], how);
    return sum;
}

/* Eight sums side by side, as a block of channels has them: four pixels at a time. */
RG_INLINE void eight_of(const reduce *s, const float *x, float *y, fold how)
{
    rg_f32x8 zero = {0}, a[4];
    int64_t i = 0;
    RG_UNROLLED
    for (int k = 0; k < 4; k++) a[k] = zero + start_of(how);
    for (; i + 4 <= s->size; i += 4) {
        RG_UNROLLED
        for (int k = 0; k < 4; k++) a[k] = folded8(a[k], rg_load8(x + (i + k) * s->inner), how);
    }
    for (; i < s->size; i++) a[0] = folded8(a[0], rg_load8(x + i * s->inner), how);
    rg_f32x8 all =
        folded8(folded8(a[0], a[1], of_parts(how)), folded8(a[2], a[3], of_parts(how)), of_parts(how));
    for (int k = 0; s->root && k < 8; k++) all[k] = __builtin_sqrtf(all[k]);
    rg_store8(y, all * (zero + s->factor));
}

RG_INLINE void chunk_of(const reduce *s, const float *x, float *y, int64_t count, fold how)
{
    float sum[CHUNK];
    for (int64_t i = 0; i < count; i++) sum[i] = start_of(how);
    for (int64_t k = 0; k < s->size; k++) {
        const float *line = x + k * s->inner;
        RG_INDEPENDENT
        for (int64_t i = 0; i < count; i++) sum[i] = folded(sum[i], line[i], how);
    }
    for (int64_t i = 0; i < count; i++) y[i] = ended(s, sum[i]);
}

RG_INLINE void reduce_chunks(const reduce *s, int64_t from, int64_t to, fold how)
{
    for (int64_t n = from; n < to; n++) {
        int64_t outer = n / s->chunks, first = n % s->chunks * CHUNK;
        int64_t count = s->inner - first < CHUNK ? s->inner - first : CHUNK;
        const float *x = s->x + outer * s->size * s->inner + first;
        float *y = s->y + outer * s->inner + first;
        if (s->inner == 1) *y = ended(s, run_of(x, s->size, how));
        else if (count == RG_BLOCK) eight_of(s, x, y, how);
        else chunk_of(s, x, y, count, how);
    }
}

#define FOLDS(X) X(sum, FOLD_SUM) X(max, FOLD_MAX) X(min, FOLD_MIN) X(squares, FOLD_SQUARES)
#define X(id, how)                                                                                           \
    RG_INLINE void reduce_##id(const reduce *s, int64_t from, int64_t to)                                    \
    {                                                                                                        \
        reduce_chunks(s, from, to, how);                                                                     \
    }                                                                                                        \
    RG_FOR_MACHINE(reduce_##id, reduce)
FOLDS(X)
#undef X

static void (*const by_fold[])(const reduce *s, int64_t from, int64_t to) = {
    [FOLD_SUM] = reduce_sum_best, [FOLD_MEAN] = reduce_sum_best, [FOLD_MAX] = reduce_max_best,
    [FOLD_MIN] = reduce_min_best, [FOLD_SQUARES] = reduce_squares_best,
};

static void run(void *state, rg_part part)
{
    const reduce *s = state;
    int64_t from, to;
    rg_part_of(part, s->outer * s->chunks, 1, &from, &to);
    s->run(s, from, to);
}

/* ---- making ---- */

/* The axes first..last-1 go; false: they are no neighbors, or not known. */
static bool reads_axes(const rg_fast_row *r, int *first, int *last)
{
    const rg_node *n = r->site.node;
    int rank = rg_fast_array(r, n->in[0])->rank;
    bool drop[RG_RANK_MAX] = {false};
    *first = 0, *last = rank;
    if (rg_str_starts(rg_str_of(n->op->name), "Global")) {
        *first = 2;
        return rank > 2;
    }
    if (n->in_count > 1 && n->in[1] && !rg_fast_is_constant(r, n->in[1])) return false;
    const rg_array *axes = n->in_count > 1 && n->in[1] ? rg_fast_array(r, n->in[1]) : NULL;
    if (!axes || axes->count == 0) return !rg_op_int(&r->site, "noop_with_empty_axes");
    for (int64_t i = 0; i < axes->count; i++) {
        int64_t axis = rg_get_int(axes, i);
        drop[axis < 0 ? axis + rank : axis] = true;
    }
    while (!drop[*first]) ++*first;
    for (*last = *first; *last < rank && drop[*last]; ++*last) {}
    for (int k = *last; k < rank; k++)
        if (drop[k]) return false;
    return true;
}

static const fold_row *row_of(const rg_fast_row *r, int *first, int *last)
{
    const rg_node *n = r->site.node;
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++) {
        if (!rg_node_is(n, folds[i].op)) continue;
        if (!rg_fast_is_f32(r, n->in[0]) || !n->out[0] || rg_fast_array(r, n->in[0])->count == 0) return NULL;
        return reads_axes(r, first, last) ? &folds[i] : NULL;
    }
    return NULL;
}

/* All pixels of images in blocks; the result has none. */
static rg_layout_rule layout(const rg_fast_row *r)
{
    int first, last;
    if (!row_of(r, &first, &last)) return RG_LAYOUT_PLAIN;
    return rg_fast_array(r, r->site.node->in[0])->rank == 4 && first == 2 && last == 4 ? RG_LAYOUT_SAME
                                                                                       : RG_LAYOUT_PLAIN;
}

static rg_err make(const rg_fast_row *r, void **state)
{
    const rg_node *n = r->site.node;
    int first, last;
    const fold_row *row = row_of(r, &first, &last);
    *state = NULL;
    if (!row) return RG_OK;
    const rg_array *x = rg_fast_array(r, n->in[0]);
    reduce *s = RG_NEW(r->arena, reduce, 1);
    if (!s) return rg_nomem(r->cx);
    *s = (reduce){.run = by_fold[row->fold], .x = x->data, .y = rg_fast_array(r, n->out[0])->data,
                  .outer = rg_array_size(x, 0, first), .size = rg_array_size(x, first, last),
                  .inner = rg_array_size(x, last, x->rank), .factor = 1};
    s->root = rg_node_is(n, "ReduceL2");
    if (row->fold == FOLD_MEAN) s->factor = 1 / (float)s->size;
    if (r->blocked && r->blocked[n->in[0]]) s->outer /= RG_BLOCK, s->inner = RG_BLOCK;
    s->chunks = (s->inner + CHUNK - 1) / CHUNK;
    *state = s;
    return RG_OK;
}

RG_FAST(reduce) = {
    .name = "reduce", .brief = "sums, means, lengths, greatest and least elements along axes",
    .layout = layout, .make = make, .run = run,
};
