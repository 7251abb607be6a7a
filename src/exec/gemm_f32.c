/* gemm_f32.c - the micro-kernels for each instruction set, which of them this machine takes, and the order in
 * which a product's tiles are computed.
 *
 *     for rows that fit the second cache with a piece of k        A: read from there by every panel
 *       for pieces of k                                           C: waits in memory between them
 *         for panels                                              B: in the first cache for all those rows
 *           for tiles of rows
 */
#include "exec/gemm_f32.h"
#include "exec/mathf.h"

#include <string.h>

enum {
    PANEL_FLOATS = 4096,       /* 16 KB of a panel at a time: half of a first cache */
    ROWS_FLOATS = 32 * 1024,   /* 128 KB of A: a quarter of a second cache of 512 KB, the least of today */
    LINE_BYTE = 64,
    STRIP = 4,                 /* panels at a time where A is one row */
};

/* How the runs of k lie. */
enum { MODE_WHOLE, MODE_BLOCKS, MODE_RUNS };

/* A product, and what of k is to be added now. */
typedef struct piece {
    const rg_gemm *g;
    int64_t k_from, k_to;
    bool first, last;
    const char *ahead; int64_t ahead_step; /* of what is read next, and bytes of it for every 8 steps */
} piece;

typedef void (*tile_fn)(const piece *s, int64_t row, int64_t column, int vecs);

/* Accumulators are registers only when every index is a constant. */
#if defined(__clang__)
#define RG_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RG_UNROLL _Pragma("GCC unroll 16")
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
    case RG_ACT_SWISH: ACT_LOOP(v * rg_sigmoidf(a * v));
    case RG_ACT_GELU: ACT_LOOP(rg_geluf(v));
    case RG_ACT_GELU_TANH: ACT_LOOP(rg_gelu_tanhf(v));
    }
}

#if defined(__x86_64__)
#define NAME(x) avx512_##x
#define TARGET __attribute__((target("avx512f,avx2,fma")))
#define LANES 16
#define ROWS 12
#define EACH_ROW(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#include "exec/gemm_f32_tile.h"
#undef EACH_ROW
#undef ROWS
#undef LANES
#undef TARGET
#undef NAME

#define NAME(x) avx2_##x
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define ROWS 6
#define EACH_ROW(X) X(1) X(2) X(3) X(4) X(5) X(6)
#include "exec/gemm_f32_tile.h"
#undef EACH_ROW
#undef ROWS
#undef LANES
#undef TARGET
#undef NAME
#endif

#define NAME(x) plain_##x
#define TARGET
#define LANES 4
#define ROWS 4
#define EACH_ROW(X) X(1) X(2) X(3) X(4)
#include "exec/gemm_f32_tile.h"
#undef EACH_ROW
#undef ROWS
#undef LANES
#undef TARGET
#undef NAME

enum { ROWS_MAX = 12, NR_MAX = 32 };

typedef struct variant {
    const char *name;
    int lanes, rows;
    const tile_fn *tiles;    /* [mode][rows] */
    void (*strip)(const piece *s, int64_t column);
    void (*act)(const rg_epilogue *e, const float *x, float *y, int64_t count);
} variant;

static const variant plain = {"plain", 4, 4, plain_tiles[0], plain_strip, plain_act};
#if defined(__x86_64__)
static const variant avx512 = {"avx512", 16, 12, avx512_tiles[0], avx512_strip, avx512_act},
                     avx2 = {"avx2", 8, 6, avx2_tiles[0], avx2_strip, avx2_act};
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

void rg_gemm_pack(const float *b, int64_t row_step, int64_t column_step, int64_t k, int64_t n, float *packed,
                  rg_part part)
{
    int64_t nr = rg_gemm_nr(), from, to;
    rg_part_of(part, n, nr, &from, &to);
    packed += from * k;
    for (int64_t column = from; column < to; column += nr) {
        int64_t count = n - column < nr ? n - column : nr;
        for (int64_t p = 0; p < k; p++, packed += nr) {
            const float *at = b + p * row_step + column * column_step;
            if (column_step == 1) memcpy(packed, at, (size_t)count * sizeof *packed);
            else for (int64_t j = 0; j < count; j++) packed[j] = at[j * column_step];
            for (int64_t j = count; j < nr; j++) packed[j] = 0;
        }
    }
}

/* ---- tiles that do not fit: the last columns of a row-major C, and scattered ones ---- */

static float *element(const rg_gemm *g, float *c, int64_t i, int64_t j)
{
    if (g->c_column) return c + i * g->c_step + j * g->c_column;
    return c + i * g->c_step + j / RG_BLOCK * g->c_block + j % RG_BLOCK;
}

/* Computed in a tile of its own, to and from which C, bias and addition are copied. */
static void edge_tile(const variant *v, const piece *s, int mode, int64_t row, int64_t rows, int64_t column)
{
    float c[ROWS_MAX * NR_MAX] = {0}, bias[NR_MAX] = {0};
    const rg_gemm *g = s->g;
    int64_t nr = 2 * v->lanes, columns = g->n - column < nr ? g->n - column : nr;
    rg_gemm own = *g;
    piece one = *s;
    float *other = s->first ? (float *)(uintptr_t)g->epilogue.add : g->c;
    for (int64_t i = 0; other && i < rows; i++)
        for (int64_t j = 0; j < columns; j++) c[i * nr + j] = *element(g, other, row + i, column + j);
    if (s->first && g->epilogue.bias)
        memcpy(bias, g->epilogue.bias + column, (size_t)columns * sizeof *bias);
    /* the tile's own places, as seen from row 0 and column 0 */
    own.c_column = 0, own.c_step = nr, own.c_block = RG_BLOCK;
    own.c = (float *)((uintptr_t)c - (uintptr_t)(row * nr + column) * sizeof *c);
    own.epilogue.add = s->first && g->epilogue.add ? own.c : NULL;
    own.epilogue.bias = (const float *)((uintptr_t)bias - (uintptr_t)column * sizeof *bias);
    one.g = &own;
    v->tiles[mode * v->rows + rows - 1](&one, row, column, columns <= v->lanes ? 1 : 2);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) *element(g, g->c, row + i, column + j) = c[i * nr + j];
}

/* ---- the order ---- */

typedef struct range { int64_t from, to; } range;

static void run_panel(const variant *v, const piece *whole, int mode, range rows, int64_t column,
                      const float *next)
{
    piece s = *whole;
    const rg_gemm *g = s.g;
    int64_t nr = 2 * v->lanes, tiles = (rows.to - rows.from + v->rows - 1) / v->rows;
    int64_t byte = (s.k_to - s.k_from) * nr * (int64_t)sizeof *next, eights = (s.k_to - s.k_from + 7) / 8;
    bool edge = g->c_column || (g->n - column < nr && g->n - column != v->lanes);
    int vecs = g->n - column <= v->lanes ? 1 : 2;
    s.ahead = (const char *)next;
    s.ahead_step = byte / (tiles * eights) > LINE_BYTE ? 2 * LINE_BYTE : LINE_BYTE;
    for (int64_t row = rows.from; row < rows.to; row += v->rows) {
        int64_t count = rows.to - row < v->rows ? rows.to - row : v->rows;
        if (edge) edge_tile(v, &s, mode, row, count, column);
        else v->tiles[mode * v->rows + count - 1](&s, row, column, vecs);
        s.ahead += s.ahead_step * eights;
        if (s.ahead >= (const char *)next + byte) s.ahead_step = 0;
    }
}

/* `count` in pieces of at most `most`, of about the same size in whole grains. */
static int64_t even(int64_t count, int64_t most, int64_t grain)
{
    int64_t pieces = (count + most - 1) / most, size = (count + pieces - 1) / pieces;
    return (size + grain - 1) / grain * grain;
}

static void run_rows(const variant *v, const rg_gemm *g, range rows, range columns)
{
    int64_t nr = 2 * v->lanes, length = g->a_run ? g->run_length : 1;
    int mode = !g->a_run ? MODE_WHOLE : length == RG_BLOCK ? MODE_BLOCKS : MODE_RUNS;
    int64_t k_step = even(g->k, PANEL_FLOATS / nr, length), row_most = ROWS_FLOATS / k_step;
    int64_t row_step = even(rows.to - rows.from, row_most > v->rows ? row_most : v->rows, v->rows);
    for (int64_t row = rows.from; row < rows.to; row += row_step) {
        range some = {row, row + row_step < rows.to ? row + row_step : rows.to};
        for (int64_t k = 0; k < g->k; k += k_step) {
            int64_t end = k + k_step < g->k ? k + k_step : g->k;
            piece s = {.g = g, .k_from = k, .k_to = end, .first = k == 0, .last = end == g->k};
            for (int64_t column = columns.from; column < columns.to; column += nr) {
                bool more = column + nr < columns.to;
                const float *next =
                    g->packed + (more ? (column + nr) * g->k + k * nr : columns.from * g->k + end * nr);
                run_panel(v, &s, mode, some, column, next);
            }
        }
    }
}

static void run_row(const variant *v, const rg_gemm *g, range columns)
{
    int64_t nr = 2 * v->lanes, column = columns.from;
    piece s = {.g = g, .k_to = g->k, .first = true, .last = true};
    for (; column + STRIP * nr <= columns.to && column + STRIP * nr <= g->n; column += STRIP * nr)
        v->strip(&s, column);
    for (; column < columns.to; column += nr) run_panel(v, &s, MODE_WHOLE, (range){0, 1}, column, g->packed);
}

/* Workers split rows or columns: the side of which more would otherwise be read by all of them. Where there
 * are too few tiles of it for all to have about the same, the other one. */
static bool splits_rows(const variant *v, const rg_gemm *g, int workers)
{
    int64_t tiles = (g->m + v->rows - 1) / v->rows, panels = (g->n + 2 * v->lanes - 1) / (2 * v->lanes);
    int64_t enough = 4 * (int64_t)workers;
    if (tiles >= enough && panels >= enough) return g->m > g->n;
    return tiles >= panels;
}

void rg_gemm_run(const rg_gemm *g, rg_part part)
{
    const variant *v = chosen();
    range rows = {0, g->m}, columns = {0, g->n};
    if (part.workers > 1 && splits_rows(v, g, part.workers))
        rg_part_of(part, g->m, v->rows, &rows.from, &rows.to);
    else rg_part_of(part, g->n, 2 * v->lanes, &columns.from, &columns.to);
    if (rows.from >= rows.to || columns.from >= columns.to) return;
    if (g->m == 1 && !g->a_run && !g->c_column) run_row(v, g, columns);
    else if (g->k > 0) run_rows(v, g, rows, columns);
}
