/* gemm_i8_tile.h - the micro-kernel of 8-bit products, for each instruction set: gemm_i8.c includes it with
 *
 *     NAME(x)          a suffix for everything defined here   TARGET       the function attribute
 *     VEC, LANES       a vector and its 32-bit lanes          ROWS, VECS   of C that stay in registers
 *     PARTS            that 4 bytes are multiplied in         EACH_ROW(X)  X(1) ... X(ROWS)
 *     LOAD(at), ALL(x) a vector from memory, of one i32       STORE(at, v)
 *     PART(b, q)       part q of each lane of B               DOT(sum, a, b)   sum + products of a part
 *     WIDEN(at)        LANES bytes as a vector                ADD, TIMES   of lanes
 *     KEEP(v)          v is computed here: integer sums may be reordered, and then registers do not suffice
 *
 * No include guard: that is its purpose.
 */

/* Sums of `rows` rows and a panel; `rows` is a constant where this is called. The parts of a row's 4 bytes
 * are apart in A already; those of B are made here, so that B is read as bytes. */
TARGET RG_INLINE void NAME(tile)(const uint32_t *a, const int8_t *b, int64_t groups, int rows, int32_t *to)
{
    VEC acc[ROWS][VECS];
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        RG_UNROLL
        for (int v = 0; v < VECS; v++) acc[i][v] = ALL(0);
    }
    for (int64_t g = 0; g < groups; g++, a += PARTS * ROWS, b += 4 * LANES * VECS) {
        __builtin_prefetch(b + AHEAD_BYTE, 0, 2);
        RG_UNROLL
        for (int q = 0; q < PARTS; q++) {
            VEC some[VECS];
            RG_UNROLL
            for (int v = 0; v < VECS; v++) some[v] = PART(LOAD(b + 4 * LANES * v), q);
            RG_UNROLL
            for (int i = 0; i < rows; i++) {
                VEC x = ALL(a[q * ROWS + i]);
                RG_UNROLL
                for (int v = 0; v < VECS; v++) {
                    acc[i][v] = DOT(acc[i][v], x, some[v]);
                    KEEP(acc[i][v]);
                }
            }
        }
    }
    RG_UNROLL
    for (int i = 0; i < rows; i++) {
        RG_UNROLL
        for (int v = 0; v < VECS; v++) STORE(to + (i * VECS + v) * LANES, acc[i][v]);
    }
}

#define X(n)                                                                                        \
    TARGET static void NAME(tile_##n)(const uint32_t *a, const int8_t *b, int64_t groups, int32_t *to) \
    {                                                                                               \
        NAME(tile)(a, b, groups, n, to);                                                            \
    }
EACH_ROW(X)
#undef X

static tile_fn NAME(tiles)[] = {
#define X(n) NAME(tile_##n),
    EACH_ROW(X)
#undef X
};

TARGET static void NAME(finish)(const rg_gemm_i8 *g, const int32_t *tile, int64_t row, int64_t rows,
                                int64_t column, int64_t columns)
{
    finish_tile(g, tile, VECS * LANES, row, rows, column, columns);
}

TARGET static void NAME(requantize)(const rg_gemm_i8 *g, const int32_t *sums, const double *scale,
                                    double single, int64_t count, uint8_t *to)
{
    to_bytes(g, sums, scale, single, count, to);
}

TARGET static void NAME(taps)(const int8_t *x, const int32_t *tap, const int32_t *w, int64_t count,
                              int32_t term, int32_t *to)
{
    VEC sums[RG_I8_STRIP / LANES];
    RG_UNROLL
    for (int v = 0; v < RG_I8_STRIP / LANES; v++) sums[v] = ALL(term);
    for (int64_t i = 0; i < count; i++) {
        const int8_t *at = x + tap[i];
        RG_UNROLL
        for (int v = 0; v < RG_I8_STRIP / LANES; v++)
            sums[v] = ADD(sums[v], TIMES(WIDEN(at + v * LANES), ALL(w[i])));
    }
    RG_UNROLL
    for (int v = 0; v < RG_I8_STRIP / LANES; v++) STORE(to + v * LANES, sums[v]);
}
