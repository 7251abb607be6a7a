/* gemm_f32_tile.h - the micro-kernel, once for each instruction set: included by gemm_f32.c with
 *
 *     NAME(x)   a suffix for everything defined here      TARGET   the function attribute
 *     LANES     floats of a vector                        ROWS     of C that stay in registers
 *
 * C's tile of ROWS x 2 LANES lives in 2 ROWS registers; each step of k loads two vectors of B and multiplies
 * them with one broadcast element of each row of A. No include guard: that is its purpose.
 */
typedef float NAME(vec) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t NAME(mask) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

/* x where the mask is all ones, else y. */
TARGET static inline NAME(vec) NAME(pick)(NAME(mask) mask, NAME(vec) x, NAME(vec) y)
{
    return (NAME(vec))(((NAME(mask))x & mask) | ((NAME(mask))y & ~mask));
}

TARGET static inline void NAME(finish)(const rg_epilogue *e, NAME(vec) x, int64_t row, int64_t column,
                                       float *c, const float *add, int64_t count)
{
    if (e->row_bias) x += e->row_bias[row];
    for (int64_t j = 0; j < count; j++) {
        float y = x[j];
        if (e->column_bias) y += e->column_bias[column + j];
        if (add) y += add[j];
        if (e->act == RG_ACT_RELU) y = y > 0 ? y : 0;
        else if (e->act == RG_ACT_CLIP) y = y < e->low ? e->low : y > e->high ? e->high : y;
        c[j] = y;
    }
}

/* The common end: whole vectors, no bounds. */
TARGET static inline void NAME(finish_whole)(const rg_epilogue *e, NAME(vec) x, int64_t row, int64_t column,
                                             float *c, const float *add)
{
    if (e->row_bias) x += e->row_bias[row];
    if (e->column_bias) x += *(const NAME(vec) *)(const void *)(e->column_bias + column);
    if (add) x += *(const NAME(vec) *)(const void *)add;
    NAME(vec) zero = {0};
    if (e->act == RG_ACT_RELU) x = NAME(pick)(x > zero, x, zero);
    if (e->act == RG_ACT_CLIP) {
        x = NAME(pick)(x < zero + e->low, zero + e->low, x);
        x = NAME(pick)(x > zero + e->high, zero + e->high, x);
    }
    *(NAME(vec) *)(void *)c = x;
}

/* `rows` <= ROWS rows of C against one panel. */
TARGET static void NAME(tile)(const rg_gemm *g, int64_t row, int64_t rows, int64_t column, const float *panel)
{
    NAME(vec) left[ROWS] = {0}, right[ROWS] = {0};
    const float *a[ROWS];
    int64_t columns = g->n - column;
    RG_UNROLL
    for (int i = 0; i < ROWS; i++)
        a[i] = g->a + (row + (i < rows ? i : 0)) * g->a_step; /* the rest repeats row 0 */
    for (int64_t p = 0; p < g->k; p++, panel += 2 * LANES) {
        NAME(vec) b0 = *(const NAME(vec) *)(const void *)panel;
        NAME(vec) b1 = *(const NAME(vec) *)(const void *)(panel + LANES);
        RG_UNROLL
        for (int i = 0; i < ROWS; i++) {
            left[i] += a[i][p] * b0;
            right[i] += a[i][p] * b1;
        }
    }
    for (int64_t i = 0; i < rows; i++) {
        float *c = g->c + (row + i) * g->c_step + column;
        const float *add = g->epilogue.add ? g->epilogue.add + (row + i) * g->c_step + column : NULL;
        if (columns >= 2 * LANES) {
            NAME(finish_whole)(&g->epilogue, left[i], row + i, column, c, add);
            NAME(finish_whole)
            (&g->epilogue, right[i], row + i, column + LANES, c + LANES, add ? add + LANES : NULL);
            continue;
        }
        int64_t first = columns < LANES ? columns : LANES;
        NAME(finish)(&g->epilogue, left[i], row + i, column, c, add, first);
        if (columns > LANES)
            NAME(finish)(&g->epilogue, right[i], row + i, column + LANES, c + LANES, add ? add + LANES : NULL,
                         columns - LANES);
    }
}

TARGET static void NAME(run)(const rg_gemm *g, int64_t from, int64_t to)
{
    int64_t together = GROUP_FLOATS / (g->k * 2 * LANES);
    if (together < 1) together = 1;
    for (int64_t group = from; group < to;
         group += together) { /* panels that stay in a near cache for all rows */
        int64_t end = group + together < to ? group + together : to;
        for (int64_t row = 0; row < g->m; row += ROWS)
            for (int64_t panel = group; panel < end; panel++)
                NAME(tile)(g, row, g->m - row < ROWS ? g->m - row : ROWS, panel * 2 * LANES,
                           g->packed + panel * 2 * LANES * g->k);
    }
}
