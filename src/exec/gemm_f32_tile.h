/* gemm_f32_tile.h - the micro-kernel, once for each instruction set: included by gemm_f32.c with
 *
 *     NAME(x)   a suffix for everything defined here      TARGET        the function attribute
 *     LANES     floats of a vector                        ROWS          of C that stay in registers
 *                                                         EACH_ROW(X)   X(1) ... X(ROWS)
 *
 * C's tile of ROWS x 2 LANES lives in 2 ROWS registers; each step of k loads two vectors of B and multiplies
 * them with one broadcast element of each row of A. No include guard: that is its purpose.
 */
enum { NAME(NR) = 2 * LANES };

typedef float NAME(vec) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t NAME(mask) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef float NAME(half) __attribute__((vector_size(RG_BLOCK * 4), aligned(4), may_alias));

/* x where the mask is all ones, else y. */
TARGET static inline NAME(vec) NAME(pick)(NAME(mask) mask, NAME(vec) x, NAME(vec) y)
{
    return (NAME(vec))(((NAME(mask))x & mask) | ((NAME(mask))y & ~mask));
}

/* LANES columns of a row of C from `column` on: whole blocks, or half of one. */
TARGET static inline const float *NAME(at)(const rg_gemm *g, const float *row, int64_t column)
{
    return row + column / RG_BLOCK * g->c_block + column % RG_BLOCK;
}

TARGET static inline NAME(vec) NAME(load)(const rg_gemm *g, const float *row, int64_t column)
{
    const float *at = NAME(at)(g, row, column);
    if (LANES <= RG_BLOCK || g->c_block == RG_BLOCK) return *(const NAME(vec) *)(const void *)at;
    union { NAME(vec) whole; NAME(half) part[LANES / RG_BLOCK + 1]; } x;
    for (int b = 0; b < LANES / RG_BLOCK; b++)
        x.part[b] = *(const NAME(half) *)(const void *)(at + b * g->c_block);
    return x.whole;
}

TARGET static inline void NAME(store)(const rg_gemm *g, float *row, int64_t column, NAME(vec) v)
{
    float *at = (float *)(uintptr_t)NAME(at)(g, row, column);
    if (LANES <= RG_BLOCK || g->c_block == RG_BLOCK) {
        *(NAME(vec) *)(void *)at = v;
        return;
    }
    union { NAME(vec) whole; NAME(half) part[LANES / RG_BLOCK + 1]; } x = {.whole = v};
    for (int b = 0; b < LANES / RG_BLOCK; b++)
        *(NAME(half) *)(void *)(at + b * g->c_block) = x.part[b];
}

TARGET static void NAME(act)(const rg_epilogue *e, const float *x, float *y, int64_t count)
{
    act_loop(e, x, y, count);
}

/* The activation of a whole tile. */
TARGET RG_INLINE void NAME(activate)(const rg_epilogue *e, NAME(vec) (*acc)[2], int rows, int vecs)
{
    NAME(vec) zero = {0};
    if (e->act > RG_ACT_CLIP) {
        for (int i = 0; i < rows; i++) NAME(act)(e, (float *)acc[i], (float *)acc[i], (int64_t)vecs * LANES);
        return;
    }
    float low = e->act == RG_ACT_RELU ? 0 : e->low;
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        RG_UNROLL
        for (int v = 0; v < vecs; v++) {
            NAME(vec) x = acc[i][v];
            x = NAME(pick)(x < zero + low, zero + low, x);
            if (e->act == RG_ACT_CLIP) x = NAME(pick)(x > zero + e->high, zero + e->high, x);
            acc[i][v] = x;
        }
    }
}

/* One step of k. */
#define NAME_STEP(p)                                                                       \
    do {                                                                                   \
        NAME(vec) b0 = *(const NAME(vec) *)(const void *)b, b1 = b0;                       \
        if (vecs > 1) b1 = *(const NAME(vec) *)(const void *)(b + LANES);                  \
        RG_UNROLL                                                                          \
        for (int i = 0; i < rows; i++) {                                                   \
            float x = a[i][p];                                                             \
            acc[i][0] += x * b0;                                                           \
            if (vecs > 1) acc[i][1] += x * b1;                                             \
        }                                                                                  \
        b += NAME(NR);                                                                     \
    } while (0)

/* Of what comes after this panel: a line or two for every few steps, so that it has come by then. */
#define NAME_AHEAD                                                                          \
    do {                                                                                   \
        __builtin_prefetch(ahead, 0, 2);                                                   \
        __builtin_prefetch(ahead + s->ahead_step / 2, 0, 2);                               \
        ahead += s->ahead_step;                                                            \
    } while (0)

/* `rows`, `vecs` and `mode` are constants where this is called. */
TARGET RG_INLINE void NAME(tile)(const piece *s, int64_t row, int64_t column, int rows, int vecs, int mode)
{
    const rg_gemm *g = s->g;
    NAME(vec) acc[ROWS][2];
    const float *a[ROWS], *b = g->packed + column * g->k + s->k_from * NAME(NR);
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        const float *c = g->c + (row + i) * g->c_step;
        const float *bias = g->epilogue.bias, *add = g->epilogue.add;
        a[i] = g->a + (g->a_row ? g->a_row[row + i] : (row + i) * g->a_step);
        RG_UNROLL
        for (int v = 0; v < vecs; v++) {
            int64_t at = column + v * LANES;
            NAME(vec) x = {0};
            if (!s->first) x = NAME(load)(g, c, at);
            else if (bias) x = *(const NAME(vec) *)(const void *)(bias + at);
            if (s->first && add) x += NAME(load)(g, add + (row + i) * g->c_step, at);
            acc[i][v] = x;
        }
    }
    const char *ahead = s->ahead;
    if (mode == MODE_WHOLE) {
        int64_t p = s->k_from;
        for (; p + RG_BLOCK <= s->k_to; p += RG_BLOCK) {
            NAME_AHEAD;
            RG_UNROLL
            for (int q = 0; q < RG_BLOCK; q++) NAME_STEP(p + q);
        }
        for (; p < s->k_to; p++) NAME_STEP(p);
    } else {
        const int64_t length = mode == MODE_BLOCKS ? RG_BLOCK : g->run_length;
        for (const int32_t *run = g->a_run + s->k_from / length, *end = g->a_run + s->k_to / length;
             run < end; run++) {
            const int64_t at = *run;
            NAME_AHEAD;
            if (mode == MODE_BLOCKS) {
                RG_UNROLL
                for (int p = 0; p < RG_BLOCK; p++) NAME_STEP(at + p);
            } else {
                for (int64_t p = 0; p < length; p++) NAME_STEP(at + p);
            }
        }
    }
    if (s->last && g->epilogue.act) NAME(activate)(&g->epilogue, acc, rows, vecs);
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        RG_UNROLL
        for (int v = 0; v < vecs; v++)
            NAME(store)(g, g->c + (row + i) * g->c_step, column + v * LANES, acc[i][v]);
    }
}
#undef NAME_AHEAD
#undef NAME_STEP

#define X(n)                                                                                         \
    TARGET static void NAME(whole_##n)(const piece *s, int64_t row, int64_t column, int vecs)        \
    {                                                                                                \
        if (vecs > 1) NAME(tile)(s, row, column, n, 2, MODE_WHOLE);                                  \
        else NAME(tile)(s, row, column, n, 1, MODE_WHOLE);                                           \
    }                                                                                                \
    TARGET static void NAME(blocks_##n)(const piece *s, int64_t row, int64_t column, int vecs)       \
    {                                                                                                \
        if (vecs > 1) NAME(tile)(s, row, column, n, 2, MODE_BLOCKS);                                 \
        else NAME(tile)(s, row, column, n, 1, MODE_BLOCKS);                                          \
    }                                                                                                \
    TARGET static void NAME(runs_##n)(const piece *s, int64_t row, int64_t column, int vecs)         \
    {                                                                                                \
        if (vecs > 1) NAME(tile)(s, row, column, n, 2, MODE_RUNS);                                   \
        else NAME(tile)(s, row, column, n, 1, MODE_RUNS);                                            \
    }
EACH_ROW(X)
#undef X

static const tile_fn NAME(tiles)[][ROWS] = {
#define X(n) NAME(whole_##n),
    {EACH_ROW(X)},
#undef X
#define X(n) NAME(blocks_##n),
    {EACH_ROW(X)},
#undef X
#define X(n) NAME(runs_##n),
    {EACH_ROW(X)},
#undef X
};

/* One row of A that is whole: several panels at a time, since one gives too few sums that do not wait for
 * each other. */
TARGET static void NAME(strip)(const piece *s, int64_t column)
{
    const rg_gemm *g = s->g;
    const float *a = g->a + (g->a_row ? g->a_row[0] : 0);
    NAME(vec) acc[STRIP][2];
    const float *b[STRIP];
    RG_UNROLL
    for (int j = 0; j < STRIP; j++) {
        b[j] = g->packed + (column + j * NAME(NR)) * g->k;
        RG_UNROLL
        for (int v = 0; v < 2; v++) {
            int64_t at = column + j * NAME(NR) + v * LANES;
            NAME(vec) x = {0};
            if (g->epilogue.bias) x = *(const NAME(vec) *)(const void *)(g->epilogue.bias + at);
            if (g->epilogue.add) x += NAME(load)(g, g->epilogue.add, at);
            acc[j][v] = x;
        }
    }
    for (int64_t p = 0; p < g->k; p++) {
        float x = a[p];
        RG_UNROLL
        for (int j = 0; j < STRIP; j++) {
            acc[j][0] += x * *(const NAME(vec) *)(const void *)(b[j] + p * NAME(NR));
            acc[j][1] += x * *(const NAME(vec) *)(const void *)(b[j] + p * NAME(NR) + LANES);
        }
    }
    if (g->epilogue.act) NAME(activate)(&g->epilogue, acc, STRIP, 2);
    RG_UNROLL
    for (int j = 0; j < STRIP; j++) {
        NAME(store)(g, g->c, column + j * NAME(NR), acc[j][0]);
        NAME(store)(g, g->c, column + j * NAME(NR) + LANES, acc[j][1]);
    }
}
