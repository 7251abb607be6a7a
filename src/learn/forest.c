/* forest.c - extremely randomized trees (Geurts, Ernst and Wehenkel, Machine Learning 63, 2006): each node
 * draws one threshold of every feature, and splits by the one that leaves the least sum of squares; leaves
 * answer with means, the forest with the mean of its trees.
 *
 *     gain = sum over outputs of (sum_left^2 / n_left + sum_right^2 / n_right)
 */
#include "learn/forest.h"

#include <string.h>

/* As the paper has it for regression: leaves of up to 5 rows; trees enough that more change little. */
enum { TREES = 60, LEAF = 5 };

typedef struct node {
    int feature;                 /* -1: a leaf */
    double threshold;            /* left: x < threshold */
    size_t left, right;
    double mean[RG_FOREST_OUTPUTS];
} node;

struct rg_forest {
    int features, outputs;
    node *nodes; size_t count;
    size_t roots[TREES];
};

typedef struct growing {
    rg_forest *forest;
    const double *x, *y;
    size_t *order;               /* rows of the tree; a node has a stretch of it */
    uint64_t seed;
} growing;

typedef struct sums { double n, y[RG_FOREST_OUTPUTS]; } sums;

static const double *row_x(const growing *g, size_t i)
{
    return &g->x[g->order[i] * (size_t)g->forest->features];
}
static const double *row_y(const growing *g, size_t i)
{
    return &g->y[g->order[i] * (size_t)g->forest->outputs];
}

static void add_row(const growing *g, sums *s, size_t i)
{
    s->n++;
    for (int k = 0; k < g->forest->outputs; k++) s->y[k] += row_y(g, i)[k];
}

/* 0 of none: such a split parts nothing. */
static double gain_of(const growing *g, size_t from, size_t to, int feature, double threshold)
{
    sums side[2] = {0};
    double gain = 0;
    for (size_t i = from; i < to; i++) add_row(g, &side[row_x(g, i)[feature] >= threshold], i);
    for (int s = 0; s < 2; s++)
        for (int k = 0; k < g->forest->outputs; k++)
            if (side[0].n > 0 && side[1].n > 0) gain += side[s].y[k] * side[s].y[k] / side[s].n;
    return gain;
}

static size_t draw(growing *g, size_t from, size_t to)
{
    return from + (size_t)(rg_random_next(&g->seed) % (uint64_t)(to - from));
}

static size_t part(growing *g, size_t from, size_t to, int feature, double threshold)
{
    size_t middle = from;
    for (size_t i = from; i < to; i++) {
        if (row_x(g, i)[feature] >= threshold) continue;
        size_t swapped = g->order[middle];
        g->order[middle++] = g->order[i];
        g->order[i] = swapped;
    }
    return middle;
}

/* A threshold between two rows drawn at random. The depth is bounded by the rows. */
static size_t grow(growing *g, size_t from, size_t to)
{
    rg_forest *f = g->forest;
    size_t at = f->count++;
    sums all = {0};
    double best = 0, threshold = 0;
    int feature = -1;
    for (size_t i = from; i < to; i++) add_row(g, &all, i);
    for (int k = 0; k < f->outputs; k++) f->nodes[at].mean[k] = all.y[k] / all.n;
    for (int tried = 0; tried < f->features && to - from > LEAF; tried++) {
        double middle = (row_x(g, draw(g, from, to))[tried] + row_x(g, draw(g, from, to))[tried]) / 2;
        double gain = gain_of(g, from, to, tried, middle);
        if (gain > best) best = gain, feature = tried, threshold = middle;
    }
    f->nodes[at].feature = feature;
    if (feature < 0) return at;
    size_t middle = part(g, from, to, feature, threshold);
    f->nodes[at].threshold = threshold;
    size_t left = grow(g, from, middle), right = grow(g, middle, to);
    f->nodes[at].left = left;
    f->nodes[at].right = right;
    return at;
}

rg_err rg_forest_grow(rg_ctx *cx, const double *x, const double *y, size_t rows, int features, int outputs,
                      uint64_t seed, rg_forest **out)
{
    rg_forest *f = RG_NEW(&cx->arena, rg_forest, 1);
    growing g = {f, x, y, RG_NEW(&cx->arena, size_t, rows + 1), seed};
    *out = f;
    if (!f || !g.order) return rg_nomem(cx);
    if (!rows) return rg_fail(cx, RG_INPUT, "a forest grows of rows: there are none");
    *f = (rg_forest){.features = features, .outputs = outputs, .nodes = RG_NEW(&cx->arena, node,
                                                                               2 * rows * TREES)};
    if (!f->nodes) return rg_nomem(cx);
    for (size_t i = 0; i < rows; i++) g.order[i] = i;
    for (int t = 0; t < TREES; t++) f->roots[t] = grow(&g, 0, rows);
    return RG_OK;
}

void rg_forest_at(const rg_forest *f, const double *x, double *y)
{
    memset(y, 0, sizeof *y * (size_t)f->outputs);
    for (int t = 0; t < TREES; t++) {
        const node *n = &f->nodes[f->roots[t]];
        while (n->feature >= 0) n = &f->nodes[x[n->feature] < n->threshold ? n->left : n->right];
        for (int k = 0; k < f->outputs; k++) y[k] += n->mean[k] / TREES;
    }
}
