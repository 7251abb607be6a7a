/* gemm_f32_strip.h - products whose A is one row, once for each instruction set: the last part of
 * gemm_f32_tile.h, with whose names it is written. No include guard: that is its purpose.
 */
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
