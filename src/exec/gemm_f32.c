/* gemm_f32.c - the micro-kernels for each instruction set, which of them this machine takes, and the order in
 * which a product's tiles are computed.
 *
 *     for columns of which C's part stays near                    A: read again for each, which costs little
 *       for rows that fit the second cache with a piece of k      A: read from there by every panel
 *         for pieces of k                                         C: waits in that cache between them
 *           for panels                                            B: in the first cache for all those rows
 *             for tiles of rows
 */
#include "exec/gemm_f32.h"
#include "exec/f32x8.h"
#include "exec/mathf.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    PANEL_FLOATS = 6 * 1024, /* 24 KB of a panel at a time: A passes through what a first cache has besides */
    ROWS_FLOATS = 48 * 1024, /* 192 KB of A: with C, half of a second cache of 512 KB, the least of today */
    COLUMNS = 256,           /* of C at a time: each element of A is then used as often */
    LINE_BYTE = 64,
    FLOAT_BYTE = sizeof(float), EIGHT_BYTE = RG_BLOCK * FLOAT_BYTE,
    LATE_TILES = 8,             /* in the first cache, long enough for a loop over them */
    PACK_COLUMNS = 64,          /* at a time: so many panels are written at once, four lines read */
    PACK_AHEAD = 8,             /* lines, by which memory is there in time */
    STRIP = 4,                  /* panels at a time where A is one row */
    SHARE_MACS = 16 * 1024,     /* a worker's least share: a microsecond at half speed, a few barriers */
    HEIGHT_LEAST = 4,           /* rows of a tile below which it waits for its own sums */
    SHARED_BYTE_PER_CYCLE = 16, /* of a cache that cores share: Zen 3 and Ice Lake give each 10 to 20 */
};

/* How the runs of k lie. */
enum { MODE_WHOLE, MODE_BLOCKS, MODE_RUNS };

/* What of a product is to be added now: a piece of k, for one panel of columns. */
typedef struct piece {
    const rg_gemm *g;
    int64_t k_from, k_to;
    const int32_t *run, *run_end; /* of A's tables, where it has any */
    bool last, late;             /* late: the activation is run on some tiles at once, not in them */
    bool first;                  /* panel of these rows, which then come from afar */
    const float *b, *bias;       /* the panel's part, and what sums begin with: NR of them */
    const float *row_bias;       /* as well, from row 0 on; or NULL */
    float *c;                    /* at row 0 and the panel's first column */
    const float *add; /* as c, of what is added at the end: C itself but for the first piece; or NULL */
    const char *ahead, *ahead_end; /* what is read next */
    int64_t ahead_tile; /* bytes of it for every tile: a line for 8 steps of k */
} piece;

static inline const float *panel_at(const rg_gemm *g, int64_t column)
{
    return g->packed + column * (g->packed_k ? g->packed_k : g->k);
}

typedef void (*column_fn)(piece *s, int64_t row, int64_t count, int vecs);

/* Accumulators are registers only when every index is a constant. */
#if defined(__clang__)
#define RG_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RG_UNROLL _Pragma("GCC unroll 16")
#endif

/* A vector that is in a register here, and one that stays in the register it is in. */
#if defined(__x86_64__)
#define RG_USED(vector) __asm__("" : : "v"(vector))
#define RG_HOLD(vector) __asm__("" : "+v"(vector))
#elif defined(__aarch64__)
#define RG_USED(vector) __asm__("" : : "w"(vector))
#define RG_HOLD(vector) __asm__("" : "+w"(vector))
#else
#define RG_USED(vector) (void)(vector)
#define RG_HOLD(vector) (void)(vector)
#endif

#define ACT_LOOP(formula)                                    \
    RG_INDEPENDENT                                           \
    for (int64_t i = 0; i < count; i++) {                    \
        float v = x[i];                                      \
        y[i] = formula;                                      \
    }                                                        \
    break

RG_INLINE void act_loop(const rg_epilogue *e, const float *x, float *y, int64_t count)
{
    float a = e->low, b = e->high;
    switch (e->act) {
    case RG_ACT_NONE: ACT_LOOP(v);
    case RG_ACT_RELU: ACT_LOOP(rg_pickf(v < 0, 0, v));
    case RG_ACT_CLIP: ACT_LOOP(rg_betweenf(v, a, b));
    case RG_ACT_LEAKY_RELU: ACT_LOOP(rg_pickf(v < 0, a * v, v));
    case RG_ACT_HARD_SIGMOID: ACT_LOOP(rg_betweenf(a * v + b, 0.0f, 1.0f));
    case RG_ACT_HARD_SWISH: ACT_LOOP(rg_hard_swishf(v));
    case RG_ACT_SIGMOID: ACT_LOOP(rg_sigmoidf(v));
    case RG_ACT_TANH: ACT_LOOP(rg_tanhf(v));
    case RG_ACT_SWISH: ACT_LOOP(rg_swishf(v, a));
    case RG_ACT_GELU: ACT_LOOP(rg_geluf(v));
    case RG_ACT_GELU_TANH: ACT_LOOP(rg_gelu_tanhf(v));
    }
}

#if defined(__x86_64__)
#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define LANES 16
#define ROWS 12
#define MAX(x, y) _mm512_max_ps((__m512)(x), (__m512)(y))
#define EACH_ROW(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#include "exec/gemm_f32_tile.h"
#undef EACH_ROW
#undef MAX
#undef ROWS
#undef LANES
#undef TARGET
#undef NAME

#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define ROWS 6
#define MAX(x, y) _mm256_max_ps((__m256)(x), (__m256)(y))
#define EACH_ROW(X) X(1) X(2) X(3) X(4) X(5) X(6)
#include "exec/gemm_f32_tile.h"
#undef EACH_ROW
#undef MAX
#undef ROWS
#undef LANES
#undef TARGET
#undef NAME
#endif

#define NAME(x) plain_##x
#define TARGET
#define LANES 4
#define ROWS 4
#define MAX(x, y) plain_pick((x) > (y), x, y)
#define EACH_ROW(X) X(1) X(2) X(3) X(4)
#include "exec/gemm_f32_tile.h"
#undef EACH_ROW
#undef MAX
#undef ROWS
#undef LANES
#undef TARGET
#undef NAME

enum { ROWS_MAX = 12, NR_MAX = 32 };

typedef struct variant {
    const char *name;
    int lanes, rows;
    const column_fn *columns; /* [mode][rows] */
    void (*strip)(const piece *s, int64_t column);
    void (*act)(const rg_epilogue *e, const float *x, float *y, int64_t count);
} variant;

static const variant plain = {"plain", 4, 4, plain_columns[0], plain_strip, plain_act};
#if defined(__x86_64__)
static const variant avx512 = {"avx512", 16, 12, avx512_columns[0], avx512_strip, avx512_act},
                     avx2 = {"avx2", 8, 6, avx2_columns[0], avx2_strip, avx2_act};
#endif

static const variant *chosen(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return &avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &avx2;
#endif
    return &plain;
}

int rg_gemm_nr(void) { return 2 * chosen()->lanes; }
int rg_gemm_mr(void) { return chosen()->rows; }
const char *rg_gemm_isa(void) { return chosen()->name; }
void rg_act_run(const rg_epilogue *e, const float *x, float *y, int64_t count)
{
    chosen()->act(e, x, y, count);
}

size_t rg_gemm_packed_count(int64_t k, int64_t n)
{
    int64_t nr = rg_gemm_nr();
    return (size_t)((n + nr - 1) / nr * nr * k);
}

/* Panels of B [k, n], from b[p * row_step + j * column_step]. */
typedef struct packing { const float *b; int64_t row_step, column_step, k, n, nr; float *to; } packing;

static inline float *packed_at(const packing *s, int64_t column)
{
    return s->to + column / s->nr * s->nr * s->k + column % s->nr;
}

/* Columns from..to-1 of lines that lie as they are, whole blocks. What comes next is asked for: lines are far
 * apart, which no machine foresees. */
RG_INLINE void pack_lines(const packing *s, int64_t from, int64_t to)
{
    for (int64_t first = from; first < to; first += PACK_COLUMNS) {
        int64_t end = to - first < PACK_COLUMNS ? to : first + PACK_COLUMNS;
        for (int64_t p = 0; p < s->k; p++) {
            const float *line = s->b + p * s->row_step;
            float *at = packed_at(s, first) + p * s->nr;
            for (int64_t column = first; column < end; column += RG_BLOCK, at += RG_BLOCK) {
                if (column > first && !(column & (s->nr - 1))) at += s->nr * (s->k - 1); /* the next panel */
                __builtin_prefetch(line + PACK_AHEAD * s->row_step + column);
                rg_store8(at, rg_load8(line + column));
            }
        }
    }
}

/* The same of columns that lie as lines: squares that are turned. */
RG_INLINE void pack_turned(const packing *s, int64_t from, int64_t to)
{
    for (int64_t column = from; column < to; column += RG_BLOCK) {
        const float *b = s->b + column * s->column_step;
        float *at = packed_at(s, column);
        int64_t p = 0;
        for (; p + RG_BLOCK <= s->k; p += RG_BLOCK) {
            rg_f32x8 v[RG_BLOCK];
            RG_UNROLLED
            for (int i = 0; i < RG_BLOCK; i++) {
                v[i] = rg_load8(b + i * s->column_step + p);
                __builtin_prefetch(b + (i + RG_BLOCK) * s->column_step + p);
            }
            rg_turn8(v);
            RG_UNROLLED
            for (int i = 0; i < RG_BLOCK; i++) rg_store8(at + (p + i) * s->nr, v[i]);
        }
        for (; p < s->k; p++)
            for (int i = 0; i < RG_BLOCK; i++) at[p * s->nr + i] = b[i * s->column_step + p];
    }
}

/* Columns from..to-1: whole panels, of which the last is filled up. */
RG_INLINE void pack(const packing *s, int64_t from, int64_t to)
{
    int64_t whole = to < s->n ? to : s->n, done = from;
    if (s->column_step == 1 || s->row_step == 1) done = from + (whole - from) / RG_BLOCK * RG_BLOCK;
    if (s->column_step == 1) pack_lines(s, from, done);
    else pack_turned(s, from, done);
    for (int64_t column = done; column < to; column++) {
        const float *b = s->b + column * s->column_step;
        float *at = packed_at(s, column);
        for (int64_t p = 0; p < s->k; p++) at[p * s->nr] = column < s->n ? b[p * s->row_step] : 0;
    }
}
RG_FOR_MACHINE(pack, packing)

void rg_gemm_pack(const float *b, int64_t row_step, int64_t column_step, int64_t k, int64_t n, float *packed,
                  rg_part part)
{
    int64_t nr = rg_gemm_nr(), from, to;
    packing s = {b, row_step, column_step, k, n, nr, packed};
    rg_part_of(part, n, nr, &from, &to);
    if (from < to) pack_best(&s, from, (to + nr - 1) / nr * nr);
}

/* ---- tiles that do not fit: the last columns of a row-major C, and scattered ones ---- */

static float *element(const rg_gemm *g, float *c, int64_t i, int64_t j)
{
    if (g->c_column) return c + i * g->c_step + j * g->c_column;
    return c + i * g->c_step + j / RG_BLOCK * g->c_block + j % RG_BLOCK;
}

/* Computed in a tile of its own, to and from which C and the addition are copied. */
static void edge_tile(const variant *v, const piece *whole, int mode, int64_t row, int rows, int64_t column)
{
    float c[ROWS_MAX * NR_MAX] = {0};
    const rg_gemm *g = whole->g;
    int64_t nr = 2 * v->lanes, columns = g->n - column < nr ? g->n - column : nr;
    rg_gemm own = *g;
    piece s = *whole;
    const float *other = !s.add ? NULL : s.k_from ? g->c : g->epilogue.add;
    for (int64_t i = 0; other && i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            c[i * nr + j] = *element(g, (float *)(uintptr_t)other, row + i, column + j);
    own.c_step = nr, own.c_block = RG_BLOCK;
    s.g = &own;
    s.c =
        (float *)((uintptr_t)c - (uintptr_t)(row * nr) * sizeof *c); /* its own places, as seen from row 0 */
    s.add = other ? s.c : NULL;
    v->columns[mode * v->rows + rows - 1](&s, row, 1, columns <= v->lanes ? 1 : 2);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) *element(g, g->c, row + i, column + j) = c[i * nr + j];
}

/* ---- the order ---- */

typedef struct range { int64_t from, to; } range;

/* `count` tiles of `height` rows. In blocks of columns rows are neighbors, so that a costly activation is a
 * long loop over what several tiles have just written; in a tile it would wait for its own beginning. */
static void run_tiles(const variant *v, piece *s, column_fn fn, int64_t row, int64_t count, int64_t height,
                      int64_t columns)
{
    const rg_gemm *g = s->g;
    int vecs = columns <= v->lanes ? 1 : 2;
    for (int64_t some; s->late && count > 0; count -= some, row += some * height) {
        some = count < LATE_TILES ? count : LATE_TILES;
        fn(s, row, some, vecs);
        for (int64_t j = 0; j < columns; j += RG_BLOCK) {
            float *c = s->c + j / RG_BLOCK * g->c_block + row * RG_BLOCK;
            v->act(&g->epilogue, c, c, some * height * RG_BLOCK);
        }
    }
    if (count > 0) fn(s, row, count, vecs);
}

/* Tiles of about the same height: a last one of a row or two would take as long as one of four. */
static void run_panel(const variant *v, const piece *part, int mode, range rows, int64_t column,
                      const float *next)
{
    piece s = *part;
    const rg_gemm *g = s.g;
    float bias[NR_MAX] = {0};
    int64_t nr = 2 * v->lanes, count = rows.to - rows.from, tiles = (count + v->rows - 1) / v->rows;
    int64_t byte = (s.k_to - s.k_from) * nr * (int64_t)sizeof *next, eights = (s.k_to - s.k_from + 7) / 8;
    int64_t columns = g->n - column < nr ? g->n - column : nr, at = column / RG_BLOCK * g->c_block;
    const rg_epilogue *e = &g->epilogue;
    bool edge = g->c_column || (columns < nr && columns != v->lanes);
    if (e->bias && s.k_from == 0) memcpy(bias, e->bias + column, (size_t)columns * sizeof *bias);
    s.b = panel_at(g, column) + s.k_from * nr;
    s.bias = bias;
    s.row_bias = s.k_from == 0 ? g->row_bias : NULL;
    s.c = g->c + at;
    s.add = s.k_from ? s.c : e->add ? e->add + at : NULL;
    s.ahead = (const char *)next;
    s.ahead_end = s.ahead + byte;
    s.ahead_tile = LINE_BYTE * eights;
    int64_t height = count / tiles, higher = count % tiles;
    if (!edge) {
        const column_fn *fn = &v->columns[mode * v->rows + height - 1];
        s.late = s.last && e->act > RG_ACT_CLIP && g->c_step == RG_BLOCK && columns % RG_BLOCK == 0;
        if (higher) run_tiles(v, &s, fn[1], rows.from, higher, height + 1, columns);
        run_tiles(v, &s, fn[0], rows.from + higher * (height + 1), tiles - higher, height, columns);
        return;
    }
    for (int64_t row = rows.from, i = 0; i < tiles; i++) {
        int64_t some = height + (i < higher);
        edge_tile(v, &s, mode, row, (int)some, column);
        row += some;
    }
}

/* `count` in pieces of at most `most`, of about the same size in whole grains. */
static int64_t even(int64_t count, int64_t most, int64_t grain)
{
    int64_t pieces = (count + most - 1) / most, size = (count + pieces - 1) / pieces;
    return (size + grain - 1) / grain * grain;
}

/* One piece of k, for all panels. */
static void run_piece(const variant *v, const piece *s, int mode, range rows, range columns)
{
    const rg_gemm *g = s->g;
    int64_t nr = 2 * v->lanes;
    for (int64_t column = columns.from; column < columns.to; column += nr) {
        bool more = column + nr < columns.to;
        const float *next =
            panel_at(g, more ? column + nr : columns.from) + (more ? s->k_from : s->k_to) * nr;
        piece panel = *s;
        panel.first = column == columns.from;
        run_panel(v, &panel, mode, rows, column, next);
    }
}

static void run_rows(const variant *v, const rg_gemm *g, range rows, range columns)
{
    int64_t nr = 2 * v->lanes, length = g->a_run ? g->run_length : 1;
    int mode = !g->a_run ? MODE_WHOLE : length == RG_BLOCK ? MODE_BLOCKS : MODE_RUNS;
    int64_t k_step = even(g->k, PANEL_FLOATS / nr, length), row_most = ROWS_FLOATS / k_step;
    int64_t row_step = even(rows.to - rows.from, row_most > v->rows ? row_most : v->rows, v->rows);
    int64_t column_step = even(columns.to - columns.from, COLUMNS, nr);
    for (int64_t column = columns.from; column < columns.to; column += column_step) {
        range across = {column, column + column_step < columns.to ? column + column_step : columns.to};
        for (int64_t row = rows.from; row < rows.to; row += row_step) {
            range down = {row, row + row_step < rows.to ? row + row_step : rows.to};
            for (int64_t k = 0; k < g->k; k += k_step) {
                int64_t end = k + k_step < g->k ? k + k_step : g->k;
                piece s = {.g = g, .k_from = k, .k_to = end, .last = end == g->k};
                if (g->a_run) s.run = g->a_run + k / length, s.run_end = g->a_run + end / length;
                run_piece(v, &s, mode, down, across);
            }
        }
    }
}

static void run_row(const variant *v, const rg_gemm *g, range columns)
{
    int64_t nr = 2 * v->lanes, column = columns.from;
    piece s = {.g = g, .k_to = g->k, .last = true};
    for (; column + STRIP * nr <= columns.to && column + STRIP * nr <= g->n; column += STRIP * nr)
        v->strip(&s, column);
    for (; column < columns.to; column += nr) run_panel(v, &s, MODE_WHOLE, (range){0, 1}, column, g->packed);
}

/* Workers make a grid over C. Its form costs the cycles of a share, two products of vectors each, or what the
 * share's rows of A and panels of B take to come, both in units of k: the sum of both is least where shares
 * are even first, and square then. Where the whole is small, fewer workers than there are have something to
 * do. */
static void split(const variant *v, const rg_gemm *g, rg_part part, range *rows, range *columns)
{
    int64_t nr = 2 * v->lanes, panels = (g->n + nr - 1) / nr, most = g->m * g->n * g->k / SHARE_MACS + 1;
    int64_t workers = part.workers < most ? part.workers : most, down = 1, least = INT64_MAX;
    for (int64_t i = 1; i <= workers; i++) {
        int64_t across = workers / i, height = (g->m + i - 1) / i, width = (panels + across - 1) / across;
        int64_t cost = (height > HEIGHT_LEAST ? height : HEIGHT_LEAST) * width +
                       (height + width * nr) * (int64_t)sizeof(float) / SHARED_BYTE_PER_CYCLE;
        if (cost < least) least = cost, down = i;
    }
    int64_t across = workers / down;
    if (part.worker >= down * across) return;
    rg_part_of((rg_part){.worker = (int)(part.worker / across), .workers = (int)down}, g->m, 1, &rows->from,
               &rows->to);
    rg_part_of((rg_part){.worker = (int)(part.worker % across), .workers = (int)across}, g->n, nr,
               &columns->from, &columns->to);
}

void rg_gemm_run(const rg_gemm *g, rg_part part)
{
    const variant *v = chosen();
    range rows = {0, part.workers > 1 ? 0 : g->m}, columns = {0, g->n};
    if (part.workers > 1) split(v, g, part, &rows, &columns);
    if (rows.from >= rows.to || columns.from >= columns.to) return;
    if (g->m == 1 && !g->a_run && !g->row_bias && !g->c_column) run_row(v, g, columns);
    else if (g->k > 0) run_rows(v, g, rows, columns);
}
