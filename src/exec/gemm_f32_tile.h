/* gemm_f32_tile.h - the micro-kernel, once for each instruction set: included by gemm_f32.c with
 *
 *     NAME(x)   a suffix for everything defined here      TARGET        the function attribute
 *     LANES     floats of a vector                        ROWS          of C that stay in registers
 *     MAX(x, y) x > y ? x : y of its lanes                EACH_ROW(X)   X(1) ... X(ROWS)
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

/* An activation that needs more than comparisons, in memory: the sums themselves then never have an address,
 * so that they stay in registers wherever there is none. */
TARGET RG_INLINE void NAME(activate_far)(const rg_epilogue *e, NAME(vec) (*acc)[2], int rows, int vecs)
{
    NAME(vec) far[ROWS][2];
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        far[i][0] = acc[i][0];
        far[i][1] = vecs > 1 ? acc[i][1] : acc[i][0];
    }
    NAME(act)(e, (float *)far, (float *)far, (int64_t)rows * NAME(NR));
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        RG_UNROLL
        for (int v = 0; v < vecs; v++) acc[i][v] = far[i][v];
    }
}

/* The activation of a whole tile. */
TARGET RG_INLINE void NAME(activate)(const rg_epilogue *e, NAME(vec) (*acc)[2], int rows, int vecs)
{
    NAME(vec) zero = {0}, low = zero + (e->act == RG_ACT_RELU ? 0 : e->low);
    if (e->act > RG_ACT_CLIP) {
        NAME(activate_far)(e, acc, rows, vecs);
        return;
    }
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        RG_UNROLL
        for (int v = 0; v < vecs; v++) acc[i][v] = (NAME(vec))MAX(low, acc[i][v]);
    }
    if (e->act != RG_ACT_CLIP) return;
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        RG_UNROLL
        for (int v = 0; v < vecs; v++) {
            NAME(vec) x = acc[i][v], high = zero + e->high;
            acc[i][v] = NAME(pick)(x > high, high, x);
        }
    }
}

/* One step of k. Factors are used up to its end: else their registers may become those of sums, which then
 * wander, and some into memory. */
#define NAME_STEP(p)                                                                       \
    do {                                                                                   \
        NAME(vec) b0 = *(const NAME(vec) *)(const void *)b, b1 = b0;                       \
        if (vecs > 1) b1 = *(const NAME(vec) *)(const void *)(b + LANES);                  \
        RG_UNROLL                                                                          \
        for (int i = 0; i < rows; i++) {                                                   \
            NAME(vec) x = a[i][p] - (NAME(vec)){0};                                        \
            acc[i][0] += x * b0;                                                           \
            if (vecs > 1) acc[i][1] += x * b1;                                             \
            RG_USED(x);                                                                    \
        }                                                                                  \
        RG_USED(b0);                                                                       \
        RG_USED(b1);                                                                       \
        b += NAME(NR);                                                                     \
    } while (0)

/* Of what comes after this panel: a line or two for every few steps, so that it has come by then. */
#define NAME_AHEAD                                                                         \
    do {                                                                                   \
        __builtin_prefetch(ahead, 0, 2);                                                   \
        __builtin_prefetch(ahead + step / 2, 0, 2);                                        \
        ahead += step;                                                                     \
    } while (0)

/* Where rows of a tile begin: every third, which is as far as an address reaches from one. That they are
 * hidden from the compiler keeps it from computing all of a tile's addresses beforehand and putting them in
 * memory. */
enum { NAME(STARTS) = (ROWS + 2) / 3 };
TARGET RG_INLINE void NAME(starts)(const float *c, int64_t c_step, int rows, const float **start)
{
    RG_UNROLL
    for (int i = 0; i < rows; i += 3) {
        start[i / 3] = c + i * c_step;
        RG_HIDE(start[i / 3]);
    }
}

/* The lines of a tile of C, or of what is added to it, are asked for, so that they have come when its sums
 * are there. In blocks two rows share a line; across, the last vector's line is the only one that the panel
 * before has not had. */
TARGET RG_INLINE void NAME(ask)(const float *c, int64_t c_step, int64_t c_block, int rows, int vecs)
{
    const float *start[NAME(STARTS)];
    bool across = c_block == RG_BLOCK;
    RG_UNROLL
    for (int v = across ? vecs - 1 : 0; v < vecs; v++) {
        NAME(starts)(c + NAME(place)(c_block, v), c_step, rows, start);
        RG_UNROLL
        for (int i = 0; i < rows; i++)
            if (across || i % 2 || i == rows - 1) __builtin_prefetch(start[i / 3] + i % 3 * c_step, 1, 3);
    }
}

/* Sums of one tile. */
TARGET RG_INLINE void NAME(tile)(const piece *s, const rg_gemm *g, int64_t row, const char *ahead, int rows,
                                 int vecs, int mode)
{
    const int64_t c_step = g->c_step, c_block = g->c_block, step = s->ahead_step;
    NAME(vec) acc[ROWS][2];
    const float *a[ROWS], *b = s->b, *start[NAME(STARTS)];
    const float *c = s->c + row * c_step, *add = s->add ? s->add + row * c_step : NULL;
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        a[i] = g->a + (g->a_row ? g->a_row[row + i] : (row + i) * g->a_step);
        RG_UNROLL
        for (int v = 0; v < vecs; v++) acc[i][v] = *(const NAME(vec) *)(const void *)(s->bias + v * LANES);
    }
    NAME(ask)(c, c_step, c_block, rows, vecs);
    if (add && add != c) NAME(ask)(add, c_step, c_block, rows, vecs);
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
            RG_HIDE(p); /* one index for all rows, not a pointer for each */
            NAME_AHEAD;
            RG_UNROLL
            for (int q = 0; q < RG_BLOCK; q++) NAME_STEP(p + q);
        }
        for (; p < s->k_to; p++) NAME_STEP(p);
    } else {
        const int64_t length = mode == MODE_BLOCKS ? RG_BLOCK : g->run_length;
        for (const int32_t *run = s->run, *end = s->run_end; run < end; run++) {
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
    RG_UNROLL
    for (int v = 0; v < vecs; v++) {
        if (!add) break;
        NAME(starts)(add + NAME(place)(c_block, v), c_step, rows, start);
        RG_UNROLL
        for (int i = 0; i < rows; i++) acc[i][v] += NAME(load)(start[i / 3] + i % 3 * c_step, c_block);
    }
    if (s->last && !s->late && g->epilogue.act) NAME(activate)(&s->g->epilogue, acc, rows, vecs);
    RG_UNROLL
    for (int v = 0; v < vecs; v++) {
        NAME(starts)(c + NAME(place)(c_block, v), c_step, rows, start);
        RG_UNROLL
        for (int i = 0; i < rows; i++)
            NAME(store)((float *)(uintptr_t)start[i / 3] + i % 3 * c_step, c_block, acc[i][v]);
    }
}
#undef NAME_AHEAD
#undef NAME_STEP

/* Tiles below each other. `rows`, `vecs` and `mode` are constants where this is called. There are copies here
 * of what says where things lie: it need not be read again behind every store. */
TARGET RG_INLINE void NAME(column)(piece *whole, int64_t row, int64_t count, int rows, int vecs, int mode)
{
    piece s = *whole;
    const rg_gemm g = *whole->g;
    for (; count > 0; count--, row += rows) {
        NAME(tile)(&s, &g, row, s.ahead, rows, vecs, mode);
        if (s.ahead < s.ahead_end) s.ahead += s.ahead_tile;
        else s.ahead_step = 0;
    }
    whole->ahead = s.ahead;
    whole->ahead_step = s.ahead_step;
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
    for (int j = 0; j < STRIP; j++) {
        if (!add) break;
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
