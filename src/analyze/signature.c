/* signature.c - a workload as a few numbers, for histograms and for finding recipes of similar workloads.
 *
 * The spectral part is of the normalized Laplacian of the undirected step graph,
 *
 *     L = I - D^-1/2 A D^-1/2,    0 <= eigenvalues <= 2    (Chung 1997, "Spectral graph theory", ch. 1)
 *
 * whose largest eigenvalues tell how near to bipartite a graph is: 2 for a chain, less with every odd cycle
 * that a residual or a branch closes. L is never formed: one product with it is one pass over the edges.
 * Eigenvalues come by power iteration, the largest first, each next one orthogonal to those found
 * (deflation). The start is a fixed sequence, so that equal graphs get equal numbers. Iterations are bounded
 * by work, not by convergence: on a graph of millions of nodes the figure is a lower bound, the same on
 * every run.
 */
#include "analyze/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- operator histogram ---- */

static int by_count(const void *a, const void *b)
{
    const rg_op_share *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return rg_str_cmp(x->name, y->name);
}

rg_err rg_op_histogram(rg_ctx *cx, const rg_facts *facts, rg_op_share **items, uint32_t *count)
{
    rg_map index; /* name -> index + 1 */
    uint32_t capacity = 0;
    rg_map_init(&index, &cx->arena);
    *items = NULL;
    *count = 0;
    for (uint32_t s = 0; s < facts->step_count; s++) {
        const rg_node *node = &facts->graph->nodes[facts->steps[s].node];
        uint32_t at = rg_map_get(&index, node->type);
        if (!at) {
            if (!RG_GROW(&cx->arena, *items, *count, capacity)) return rg_nomem(cx);
            at = ++*count;
            (*items)[at - 1] = (rg_op_share){.name = node->type};
            if (!rg_map_put(&index, node->type, at)) return rg_nomem(cx);
        }
        rg_op_share *item = &(*items)[at - 1];
        item->count++;
        item->mac += facts->work[s].mac * facts->steps[s].times;
        item->flop += facts->work[s].flop * facts->steps[s].times;
    }
    if (*count) qsort(*items, *count, sizeof **items, by_count);
    return RG_OK;
}

/* ---- spectrum ---- */

#define WORK_MAX 1e8         /* edge visits of all iterations together */
#define SETTLED  1e-12       /* relative change of an eigenvalue at which it is taken */
enum { ROUNDS_MIN = 8, ROUNDS_MAX = 1000 };

typedef struct laplacian {
    const rg_facts *facts;
    double *scale;                  /* 1 / sqrt(degree); 0 for a node without edges */
    double *found[RG_SPECTRUM];     /* eigenvectors, of length 1 */
    uint32_t found_count;
} laplacian;

static double dot(const double *x, const double *y, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += x[i] * y[i];
    return sum;
}

/* y = L x; a node without edges has a row of zeros. */
static void multiply(const laplacian *l, const double *x, double *y)
{
    const rg_facts *facts = l->facts;
    for (uint32_t i = 0; i < facts->step_count; i++) y[i] = l->scale[i] > 0 ? x[i] : 0;
    for (uint32_t i = 0; i < facts->step_count; i++) {
        for (uint32_t d = facts->dep_first[i]; d < facts->dep_first[i + 1]; d++) {
            uint32_t k = facts->deps[d];
            double weight = l->scale[i] * l->scale[k];
            y[i] -= weight * x[k];
            y[k] -= weight * x[i];
        }
    }
}

/* Takes the parts along known eigenvectors off x and makes its length 1; false when nothing is left. Twice:
 * of a vector that lay almost wholly along them the first time leaves rounding errors, which lie anywhere. */
static bool normalize(const laplacian *l, double *x)
{
    uint32_t count = l->facts->step_count;
    for (int time = 0; time < 2; time++) {
        for (uint32_t e = 0; e < l->found_count; e++) {
            double part = dot(x, l->found[e], count);
            for (uint32_t i = 0; i < count; i++) x[i] -= part * l->found[e][i];
        }
        double length = sqrt(dot(x, x, count));
        if (length < 1e-150) return false;
        for (uint32_t i = 0; i < count; i++) x[i] /= length;
    }
    return true;
}

/* The largest eigenvalue among the vectors orthogonal to those found. x·Lx with |x| = 1 grows towards it. */
static double next_eigenvalue(laplacian *l, double *x, double *y, int rounds)
{
    uint32_t count = l->facts->step_count;
    uint64_t state = 1 + l->found_count;
    double value = 0;
    for (uint32_t i = 0; i < count; i++) x[i] = rg_random_unit(&state) - 0.5;
    if (!normalize(l, x)) return 0;
    for (int round = 0; round < rounds; round++) {
        multiply(l, x, y);
        double before = value;
        value = dot(x, y, count);
        if (!normalize(l, y)) return 0;
        memcpy(x, y, count * sizeof *x);
        if (round && fabs(value - before) <= SETTLED * value) break;
    }
    l->found[l->found_count++] = x;
    return value;
}

static int largest_first(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static rg_err spectrum_of(rg_ctx *cx, const rg_facts *facts, double spectrum[RG_SPECTRUM])
{
    uint32_t count = facts->step_count, edges = facts->dep_first[count];
    laplacian l = {.facts = facts, .scale = RG_NEW(&cx->arena, double, count + 1)};
    double *y = RG_NEW(&cx->arena, double, count + 1);
    double rounds = WORK_MAX / RG_SPECTRUM / ((double)count + edges + 1);
    if (!l.scale || !y) return rg_nomem(cx);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t d = facts->dep_first[i]; d < facts->dep_first[i + 1]; d++)
            l.scale[i]++, l.scale[facts->deps[d]]++;
    }
    for (uint32_t i = 0; i < count; i++) l.scale[i] = l.scale[i] > 0 ? 1 / sqrt(l.scale[i]) : 0;
    for (uint32_t e = 0; e < RG_SPECTRUM && e < count; e++) {
        double *x = RG_NEW(&cx->arena, double, count);
        if (!x) return rg_nomem(cx);
        spectrum[e] = next_eigenvalue(&l, x, y, (int)fmin(fmax(rounds, ROUNDS_MIN), ROUNDS_MAX));
    }
    qsort(spectrum, RG_SPECTRUM, sizeof *spectrum, largest_first); /* those that did not settle may cross */
    return RG_OK;
}

/* ---- the signature ---- */

/* Operators and how they hang together; neither names nor sizes. */
static uint64_t structure_hash(const rg_facts *facts)
{
    uint64_t h = RG_HASH_SEED;
    for (uint32_t s = 0; s < facts->step_count; s++) {
        h = rg_hash_str(h, facts->graph->nodes[facts->steps[s].node].type);
        for (uint32_t d = facts->dep_first[s]; d < facts->dep_first[s + 1]; d++)
            h = rg_hash_u64(h, s - facts->deps[d]);
    }
    return h;
}

rg_err rg_signature_make(rg_ctx *cx, const rg_facts *facts, rg_signature *out)
{
    double total = 0;
    *out = (rg_signature){.hash = structure_hash(facts)};
    for (uint32_t s = 0; s < facts->step_count; s++) {
        double flop = facts->work[s].flop * facts->steps[s].times;
        out->family_share[facts->work[s].family] += flop;
        total += flop;
    }
    for (int i = 0; i < RG_FAMILY_COUNT && total > 0; i++) out->family_share[i] /= total;
    return spectrum_of(cx, facts, out->spectrum);
}
