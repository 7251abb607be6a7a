/* fuzz_graphnet.c - files of networks over rows from any bytes: those that are read answer for a graph with a
 * number, and are written as a file that reads again.
 */
#include "predict/graphnet.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A node that two read, of which one reads the other. */
static double answer(rg_ctx *cx, const rg_graphnet *net)
{
    enum { NODES = 3 };
    float x[NODES * RG_GRAPHNET_INPUTS] = {0};
    double share[NODES] = {0.5, 0.25, 0.25}, r;
    uint32_t first[NODES + 1] = {0, 0, 1, 3}, from[] = {0, 0, 1};
    rg_row_graph g = {NODES, (uint32_t)rg_graphnet_inputs(), x, share, first, from};
    if (rg_graphnet_answer(cx, net, &g, &r) || isnan(r)) abort();
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rg_graphnet *net = NULL, *again = NULL;
    rg_str text;
    rg_ctx *cx = rg_ctx_new(NULL);
    if (!cx) return 0;
    if (!rg_graphnet_parse(cx, (rg_str){(const char *)data, size}, "fuzz", &net)
        && !rg_graphnet_resolve(cx, net)) {
        answer(cx, net);
        if (rg_graphnet_write(cx, net, &text) || rg_graphnet_parse(cx, text, "written", &again)
            || rg_graphnet_resolve(cx, again)) abort();
        answer(cx, again);
    }
    rg_graphnet_free(again);
    rg_graphnet_free(net);
    rg_ctx_free(cx);
    return 0;
}
