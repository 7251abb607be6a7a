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

/* Where the panel's v-th vector lies, behind its first column: whole blocks, or half of one. */
TARGET RG_INLINE int64_t NAME(place)(int64_t c_block, int v)
{
    return v * LANES / RG_BLOCK * c_block + v * LANES % RG_BLOCK;
}

TARGET RG_INLINE NAME(vec) NAME(load)(const float *at, int64_t c_block)
{
    if (LANES <= RG_BLOCK || c_block == RG_BLOCK) return *(const NAME(vec) *)(const void *)at;
    union { NAME(vec) whole; NAME(half) part[LANES / RG_BLOCK + 1]; } x;
    for (int b = 0; b < LANES / RG_BLOCK; b++)
        x.part[b] = *(const NAME(half) *)(const void *)(at + b * c_block);
    return x.whole;
}

TARGET RG_INLINE void NAME(store)(float *at, int64_t c_block, NAME(vec) v)
{
    if (LANES <= RG_BLOCK || c_block == RG_BLOCK) {
        *(NAME(vec) *)(void *)at = v;
        return;
    }
    union { NAME(vec) whole; NAME(half) part[LANES / RG_BLOCK + 1]; } x = {.whole = v};
    for (int b = 0; b < LANES / RG_BLOCK; b++)
        *(NAME(half) *)(void *)(at + b * c_block) = x.part[b];
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
        NAME(vec) copy[2 * ROWS]; /* the call takes an address: sums that have one would lie in memory */
        RG_UNROLL
        for (int i = 0; i < rows; i++) {
            RG_UNROLL
            for (int v = 0; v < vecs; v++) copy[i * vecs + v] = acc[i][v];
        }
        NAME(act)(e, (float *)copy, (float *)copy, (int64_t)rows * vecs * LANES);
        RG_UNROLL
        for (int i = 0; i < rows; i++) {
            RG_UNROLL
            for (int v = 0; v < vecs; v++) acc[i][v] = copy[i * vecs + v];
        }
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
#define NAME_AHEAD                                                                         \
    do {                                                                                   \
        __builtin_prefetch(ahead, 0, 2);                                                   \
        __builtin_prefetch(ahead + step / 2, 0, 2);                                        \
        ahead += step;                                                                     \
    } while (0)

/* Sums of one tile. C's lines are asked for first, so that they have come when they are written. */
TARGET RG_INLINE void NAME(tile)(const piece *s, int64_t row, const char *ahead, int rows, int vecs, int mode)
{
    const rg_gemm *g = s->g;
    const int64_t c_step = g->c_step, c_block = g->c_block, step = s->ahead_step;
    NAME(vec) acc[ROWS][2];
    const float *a[ROWS], *b = s->b;
    float *c = s->c + row * c_step;
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        a[i] = g->a + (g->a_row ? g->a_row[row + i] : (row + i) * g->a_step);
        RG_UNROLL
        for (int v = 0; v < vecs; v++) {
            __builtin_prefetch(c + i * c_step + NAME(place)(c_block, v), 1, 3);
            acc[i][v] = *(const NAME(vec) *)(const void *)(s->bias + v * LANES);
        }
    }
    if (s->row_bias) {
        RG_UNROLL
        for (int i = 0; i < rows; i++) {
            RG_UNROLL
            for (int v = 0; v < vecs; v++) acc[i][v] += s->row_bias[row + i];
        }
    }
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
    if (s->add) {
        const float *add = s->add + row * c_step;
        RG_UNROLL
        for (int i = 0; i < rows; i++)
            RG_UNROLL
            for (int v = 0; v < vecs; v++)
                acc[i][v] += NAME(load)(add + i * c_step + NAME(place)(c_block, v), c_block);
    }
    if (s->last && g->epilogue.act) NAME(activate)(&g->epilogue, acc, rows, vecs);
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        RG_UNROLL
        for (int v = 0; v < vecs; v++)
            NAME(store)(c + i * c_step + NAME(place)(c_block, v), c_block, acc[i][v]);
    }
}
#undef NAME_AHEAD
#undef NAME_STEP

/* Tiles below each other. `rows`, `vecs` and `mode` are constants where this is called. */
TARGET RG_INLINE void NAME(column)(piece *s, int64_t row, int64_t count, int rows, int vecs, int mode)
{
    for (; count > 0; count--, row += rows) {
        NAME(tile)(s, row, s->ahead, rows, vecs, mode);
        if (s->ahead < s->ahead_end) s->ahead += s->ahead_tile;
        else s->ahead_step = 0;
    }
}

#define NAME_COLUMN(mode, MODE, n)                                                        \
    TARGET static void NAME(mode##_##n)(piece *s, int64_t row, int64_t count, int vecs)  \
    {                                                                                    \
        if (vecs > 1) NAME(column)(s, row, count, n, 2, MODE);                           \
        else NAME(column)(s, row, count, n, 1, MODE);                                    \
    }
#define X(n)                                                                                                 \
    NAME_COLUMN(whole, MODE_WHOLE, n) NAME_COLUMN(blocks, MODE_BLOCKS, n) NAME_COLUMN(runs, MODE_RUNS, n)
EACH_ROW(X)
#undef X
#undef NAME_COLUMN

static const column_fn NAME(columns)[][ROWS] = {
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
    const float *a = g->a + (g->a_row ? g->a_row[0] : 0), *bias = g->epilogue.bias, *add = g->epilogue.add;
    NAME(vec) acc[STRIP][2];
    const float *b[STRIP];
    RG_UNROLL
    for (int j = 0; j < STRIP; j++) {
        b[j] = panel_at(g, column + j * NAME(NR));
        RG_UNROLL
        for (int v = 0; v < 2; v++) {
            NAME(vec) x = {0};
            acc[j][v] =
                bias ? *(const NAME(vec) *)(const void *)(bias + column + j * NAME(NR) + v * LANES) : x;
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
    RG_UNROLL
    for (int j = 0; add && j < STRIP; j++) {
        RG_UNROLL
        for (int v = 0; v < 2; v++) {
            int64_t at = (column + j * NAME(NR)) / RG_BLOCK * g->c_block + NAME(place)(g->c_block, v);
            acc[j][v] += NAME(load)(add + at, g->c_block);
        }
    }
    if (g->epilogue.act) NAME(activate)(&g->epilogue, acc, STRIP, 2);
    RG_UNROLL
    for (int j = 0; j < STRIP; j++) {
        RG_UNROLL
        for (int v = 0; v < 2; v++) {
            int64_t at = (column + j * NAME(NR)) / RG_BLOCK * g->c_block + NAME(place)(g->c_block, v);
            NAME(store)(g->c + at, g->c_block, acc[j][v]);
        }
    }
}
