/* graphnet.h - what measurements of whole inferences say beyond the sum of rows: a small graph network over
 * the rows of a plan, "ridge.graphnet/1".
 *
 *     t = (sum of rows) e^r        r = sum_i share_i g(h_i)
 *
 * Nodes are rows that take time, edges the results that one hands to another. A node begins with the features
 * of its row (features.h) and the logarithm of its share of the time, and hears its neighbors a few times.
 * Without weights it says nothing, r = 0: the base is the sum of rows. The whole format: doc/learn.md.
 */
#ifndef RG_GRAPHNET_H
#define RG_GRAPHNET_H

#include "predict/features.h"
#include "predict/trees.h"

enum { RG_GRAPHNET_HIDDEN = 64, RG_GRAPHNET_ROUNDS = 4, RG_GRAPHNET_MEMBERS = 16,
       RG_GRAPHNET_INPUTS = RG_TREES_FEATURES + 1 };
#define RG_GRAPHNET_SHARE "share" /* the last feature: log2 of the row's share of all rows' time */
/* A feature counts no further from its mean than so many of its standard deviations. */
#define RG_GRAPHNET_CLIP 3.0

/* Weights of one network, one after the other:
 *
 *     input     [inputs][hidden], [hidden]                       matrix, bias
 *     rounds x  [3 hidden][hidden], [hidden]                     of itself, its sources, its readers; bias
 *     output    [rounds + 1][hidden], [1]                        of each round's state; constant
 */
typedef struct rg_graphnet_member { double *weights; size_t weight_count; } rg_graphnet_member;

typedef struct rg_graphnet {
    rg_arena arena;
    const char *key, *made_of, *data_hash;
    const char **features; size_t feature_count; /* of rows, then the share */
    double *mean, *scale; size_t mean_count, scale_count; /* by feature; scale above 0 */
    int hidden, rounds;
    rg_graphnet_member *members; size_t member_count; /* their mean answers */
    int graphs, families;        /* that it was made of; families are held out together */
    double base, held_out; /* mean |forecast / measured - 1| of the sum of rows, of the network on families
                            * that it was not taught */
    double spread;               /* 90 % of |log error| of those; 0: not validated */
    uint8_t columns[RG_GRAPHNET_INPUTS]; /* of each feature among those of rows; set by rg_graphnet_resolve */
} rg_graphnet;

/* The rows of a plan as a network sees them. */
typedef struct rg_row_graph {
    uint32_t count, inputs;
    float *x;                    /* count x inputs: features of the row, then its share */
    double *share;               /* of the time; they sum to 1 */
    uint32_t *first, *from; /* node i reads what nodes from[first[i] .. first[i + 1]) wrote, all before i */
} rg_row_graph;

/* f: its rows are corrected already. In `arena`. */
rg_err rg_row_graph_of(rg_ctx *cx, rg_arena *arena, const rg_forecast *f, rg_row_graph *out) RG_CHECKED;

/* Of the columns of rg_row_graph: features of rows, then the share. */
size_t rg_graphnet_inputs(void);
const char *rg_graphnet_input_name(size_t column);

/* Numbers of a network of this form. */
size_t rg_graphnet_weight_count(size_t inputs, int hidden, int rounds);
/* Doubles that running it needs: states by round and node, and sums over neighbors. */
size_t rg_graphnet_room(const rg_graphnet *net, const rg_row_graph *g);
/* r of one member. room: then has [rounds + 1][count][hidden] states, and behind them, for each round, what
 * each node was given: [count][2 hidden], means over its sources and over its readers. */
double rg_graphnet_run(const rg_graphnet *net, size_t member, const rg_row_graph *g, double *room);
/* A feature of a node as a member sees it. */
static inline double rg_graphnet_input(const rg_graphnet *net, const float *x, size_t feature)
{
    double z = ((double)x[net->columns[feature]] - net->mean[feature]) / net->scale[feature];
    return z < -RG_GRAPHNET_CLIP ? -RG_GRAPHNET_CLIP : z > RG_GRAPHNET_CLIP ? RG_GRAPHNET_CLIP : z;
}
/* Mean of all members. In cx's scratch. */
rg_err rg_graphnet_answer(rg_ctx *cx, const rg_graphnet *net, const rg_row_graph *g, double *r) RG_CHECKED;

/* Keeps nothing of `text`. RG_FORMAT, RG_LIMIT name what is wrong, with both numbers. */
rg_err rg_graphnet_parse(rg_ctx *cx, rg_str text, const char *name, rg_graphnet **out) RG_CHECKED;
void rg_graphnet_free(const rg_graphnet *net);
/* Finds the columns of its features. RG_FORMAT: one has another name. */
rg_err rg_graphnet_resolve(rg_ctx *cx, rg_graphnet *net) RG_CHECKED;
/* Its file, in cx's arena. */
rg_err rg_graphnet_write(rg_ctx *cx, const rg_graphnet *net, rg_str *out) RG_CHECKED;

/* Of data/learned/KEY.graphnet, KEY as of trees of whole inferences, by the plan's runtime or those that it
 * learns from; kept by the context. NULL: there is none. */
rg_err rg_graphnet_for(rg_ctx *cx, const rg_forecast *f, const rg_graphnet **out) RG_CHECKED;

#endif
