/* forest.c - extremely randomized trees (Geurts, Ernst and Wehenkel, Machine Learning 63, 2006): each node
 * draws one threshold of every feature, and splits by the one that leaves the least sum of squares; leaves
 * answer with means, the forest with the mean of its trees.
 *
 *     gain = sum over outputs of (sum_left^2 / n_left + sum_right^2 / n_right)
 *
 * Grown trees are those of predict/trees.h, a member for each output, alike but for what their leaves say.
 */
#include "learn/forest.h"

/* As the paper has it for regression: leaves of up to 5 rows; trees enough that more change little. */
enum { TREES = 60, LEAF = 5 };

struct rg_forest {
    int features, outputs;
    size_t count;                /* of nodes */
    uint32_t roots[TREES];
    rg_trees_member members[RG_FOREST_OUTPUTS]; /* nodes and roots are shared with what is below */
    rg_tree_node *nodes[RG_FOREST_OUTPUTS];
};

typedef struct growing {
    rg_ctx *cx;
    rg_forest *forest;
    const float *x;
    const double *y;
    size_t *order;               /* rows of the tree; a node has a stretch of it */
    uint64_t seed;
} growing;

typedef struct sums { double n, y[RG_FOREST_OUTPUTS]; } sums;

static const float *row_x(const growing *g, size_t i)
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
static double gain_of(const growing *g, size_t from, size_t to, int feature, float threshold)
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

static size_t part(growing *g, size_t from, size_t to, int feature, float threshold)
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

static void add_leaf(rg_forest *f, size_t at, const sums *all)
{
    for (int k = 0; k < f->outputs; k++)
        f->nodes[k][at] = (rg_tree_node){(float)(all->y[k] / all->n), RG_TREES_LEAF, 0};
}

/* A threshold between two rows drawn at random. */
static rg_err grow(growing *g, size_t from, size_t to, int depth)
{
    rg_forest *f = g->forest;
    size_t at = f->count++;
    sums all = {0};
    double best = 0;
    float threshold = 0;
    int feature = -1;
    bool ends = to - from <= LEAF || depth == RG_TREES_DEPTH;
    for (size_t i = from; i < to; i++) add_row(g, &all, i);
    for (int tried = 0; tried < f->features && !ends; tried++) {
        float middle = (row_x(g, draw(g, from, to))[tried] + row_x(g, draw(g, from, to))[tried]) / 2;
        double gain = gain_of(g, from, to, tried, middle);
        if (gain > best) best = gain, feature = tried, threshold = middle;
    }
    add_leaf(f, at, &all);
    if (feature < 0) return RG_OK;
    size_t middle = part(g, from, to, feature, threshold);
    RG_TRY(grow(g, from, middle, depth + 1));
    size_t ahead = f->count - at;
    if (ahead > UINT16_MAX)
        return rg_fail(g->cx, RG_LIMIT, "a tree of %zu nodes exceeds %d", ahead, UINT16_MAX);
    for (int k = 0; k < f->outputs; k++)
        f->nodes[k][at] = (rg_tree_node){threshold, (uint16_t)feature, (uint16_t)ahead};
    return grow(g, middle, to, depth + 1);
}

/* A tree of n rows has n leaves at most. */
static rg_err make_room(rg_ctx *cx, rg_forest *f, size_t rows)
{
    size_t most = 2 * rows * TREES;
    for (int k = 0; k < f->outputs; k++) {
        f->nodes[k] = RG_NEW(&cx->arena, rg_tree_node, most);
        if (!f->nodes[k]) return rg_nomem(cx);
        f->members[k] = (rg_trees_member){.nodes = f->nodes[k], .roots = f->roots, .tree_count = TREES};
    }
    return RG_OK;
}

rg_err rg_forest_grow(rg_ctx *cx, const float *x, const double *y, size_t rows, int features, int outputs,
                      uint64_t seed, rg_forest **out)
{
    rg_forest *f = RG_NEW(&cx->arena, rg_forest, 1);
    growing g = {cx, f, x, y, RG_NEW(&cx->arena, size_t, rows + 1), seed};
    *out = f;
    if (!f || !g.order) return rg_nomem(cx);
    if (!rows) return rg_fail(cx, RG_INPUT, "a forest grows of rows: there are none");
    *f = (rg_forest){.features = features, .outputs = outputs};
    RG_TRY(make_room(cx, f, rows));
    for (size_t i = 0; i < rows; i++) g.order[i] = i;
    for (int t = 0; t < TREES; t++) {
        f->roots[t] = (uint32_t)f->count;
        RG_TRY(grow(&g, 0, rows, 0));
    }
    return RG_OK;
}

void rg_forest_at(const rg_forest *f, const float *x, double *y)
{
    for (int k = 0; k < f->outputs; k++) y[k] = rg_trees_sum(&f->members[k], x) / TREES;
}
