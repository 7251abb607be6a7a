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

/* One step of k, whose factors of A lie `at` bytes behind their rows' beginnings. Factors are used up to its
 * end and sums stay in the registers they are in: else sums wander, some into memory, and every move takes
 * the place of a multiplication where another thread shares the core. */
#define NAME_STEP(at)                                                                      \
    do {                                                                                   \
        NAME(vec) b0 = *(const NAME(vec) *)(const void *)b, b1 = b0;                       \
        if (vecs > 1) b1 = *(const NAME(vec) *)(const void *)(b + LANES);                  \
        RG_UNROLL                                                                          \
        for (int i = 0; i < rows; i++) {                                                   \
            NAME(vec) x = *(const float *)(const void *)(a[i] + (at)) - (NAME(vec)){0};    \
            acc[i][0] += x * b0;                                                           \
            RG_HOLD(acc[i][0]);                                                            \
            if (vecs > 1) {                                                                \
                acc[i][1] += x * b1;                                                       \
                RG_HOLD(acc[i][1]);                                                        \
            }                                                                              \
            RG_USED(x);                                                                    \
        }                                                                                  \
        RG_USED(b0);                                                                       \
        RG_USED(b1);                                                                       \
        b += NAME(NR);                                                                     \
    } while (0)

/* Of what comes after this panel: a line for every few steps, so that it has come by then. */
#define NAME_AHEAD                                                                         \
    do {                                                                                   \
        __builtin_prefetch(ahead, 0, 2);                                                   \
        ahead += LINE_BYTE;                                                                \
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

/* What the next tile reads of these runs: rows of neighbors follow each other, runs are too far apart for a
 * machine to foresee them. */
TARGET RG_INLINE void NAME(ask_below)(const char *run, int rows)
{
    RG_UNROLL
    for (int byte = 0; byte < rows * EIGHT_BYTE; byte += LINE_BYTE)
        __builtin_prefetch(run + rows * EIGHT_BYTE + byte);
}

/* Where a tile's rows of A begin, where it lies in C and in what is added, and what is read after its panel.
 */
typedef struct NAME(spot) {
    const char *a[ROWS];
    float *c;
    const float *add;
    const char *ahead;
} NAME(spot);

/* Sums of one tile. */
TARGET RG_INLINE void NAME(tile)(const piece *s, const rg_gemm *g, const NAME(spot) * spot, int64_t row,
                                 int rows, int vecs, int mode)
{
    const int64_t c_step = g->c_step, c_block = g->c_block;
    NAME(vec) acc[ROWS][2];
    const char *const *a = spot->a, *ahead = spot->ahead;
    const float *b = s->b, *c = spot->c, *add = spot->add, *start[NAME(STARTS)];
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
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
        int64_t at = s->k_from * FLOAT_BYTE, end = s->k_to * FLOAT_BYTE,
                eights = end - (end - at) % EIGHT_BYTE;
        for (; at < eights; at += EIGHT_BYTE) {
            RG_HIDE(at); /* one index for all rows, not a pointer for each */
            NAME_AHEAD;
            RG_UNROLL
            for (int q = 0; q < RG_BLOCK; q++) NAME_STEP(at + q * FLOAT_BYTE);
        }
        for (; at < end; at += FLOAT_BYTE) NAME_STEP(at);
    } else {
        const int64_t length = mode == MODE_BLOCKS ? RG_BLOCK : g->run_length;
        for (const int32_t *run = s->run, *end = s->run_end; run < end; run++) {
            int64_t at = *run * (int64_t)FLOAT_BYTE;
            RG_HIDE(at);
            NAME_AHEAD;
            if (mode == MODE_BLOCKS && s->first) NAME(ask_below)(a[0] + at, rows);
            if (mode == MODE_BLOCKS) {
                RG_UNROLL
                for (int q = 0; q < RG_BLOCK; q++) NAME_STEP(at + q * FLOAT_BYTE);
            } else {
                const int64_t fours = at + length / 4 * 4 * FLOAT_BYTE;
                for (; at < fours; at += 4 * FLOAT_BYTE) {
                    RG_UNROLL
                    for (int q = 0; q < 4; q++) NAME_STEP(at + q * FLOAT_BYTE);
                }
                if (length & 2) {
                    RG_UNROLL
                    for (int q = 0; q < 2; q++) NAME_STEP(at + q * FLOAT_BYTE);
                    at += 2 * FLOAT_BYTE;
                }
                if (length & 1) NAME_STEP(at);
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
    const piece s = *whole;
    const rg_gemm g = *whole->g;
    const int64_t a_step = g.a_row ? 0 : g.a_step * FLOAT_BYTE, a_tile = rows * a_step,
                  c_tile = rows * g.c_step;
    int64_t a_at = row * a_step;
    NAME(spot)
    spot = {.c = s.c + row * g.c_step, .add = s.add ? s.add + row * g.c_step : NULL, .ahead = s.ahead};
    for (;; row += rows) {
        const char *a = (const char *)g.a + a_at;
        RG_UNROLL
        for (int i = 0; i < rows; i++)
            spot.a[i] = g.a_row ? (const char *)(g.a + g.a_row[row + i]) : a + i * a_step;
        NAME(tile)(&s, &g, &spot, row, rows, vecs, mode);
        spot.ahead = spot.ahead + s.ahead_tile < s.ahead_end ? spot.ahead + s.ahead_tile : s.ahead;
        if (--count == 0) break;
        a_at += a_tile;
        spot.c += c_tile;
        if (spot.add) spot.add += c_tile;
    }
    whole->ahead = spot.ahead;
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

#include "exec/gemm_f32_strip.h"
