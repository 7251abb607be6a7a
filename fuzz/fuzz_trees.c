/* fuzz_trees.c - files of learned trees from any bytes: those that are read can be summed anywhere, and are
 * written as a file that reads the same, once leaves are rounded as files have them.
 */
#include "predict/trees.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sum_all(const rg_trees *t, double *sums)
{
    static const float corners[] = {-1e30f, -1, 0, 0.5f, 3, 1e30f};
    for (size_t m = 0; m < t->member_count && m < 16; m++)
        for (size_t c = 0; c < RG_COUNT(corners); c++) {
            float x[RG_TREES_FEATURES];
            for (int i = 0; i < RG_TREES_FEATURES; i++) x[i] = i % 2 ? corners[c] : -corners[c];
            sums[m * RG_COUNT(corners) + c] = rg_trees_sum(&t->members[m], x);
        }
}

/* As it is written, and read again. */
static rg_trees *reread(rg_ctx *cx, const rg_trees *t)
{
    rg_trees *again = NULL;
    rg_str bytes;
    if (rg_trees_write(cx, t, &bytes) || rg_trees_parse(cx, bytes, "written", &again)) abort();
    for (size_t m = 0; m < t->member_count; m++) /* text has 12 digits of it */
        again->members[m].start = t->members[m].start;
    return again;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_trees *trees = NULL, *rounded = NULL, *again = NULL;
    double before[96] = {0}, after[96] = {0};
    rg_ctx *cx = rg_ctx_new(NULL);
    if (!cx) return 0;
    if (!rg_trees_parse(cx, (rg_str){(const char *)data, size}, "fuzz", &trees)) {
        sum_all(trees, before);
        rounded = reread(cx, trees);
        sum_all(rounded, before);
        again = reread(cx, rounded);
        sum_all(again, after);
        if (memcmp(before, after, sizeof before) != 0) abort();
    }
    rg_trees_free(again);
    rg_trees_free(rounded);
    rg_trees_free(trees);
    rg_ctx_free(cx);
    return 0;
}
