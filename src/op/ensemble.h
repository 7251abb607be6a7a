/* ensemble.h - a forest of decision trees as it is walked: nodes know their children by index, leaves the run
 * of their votes. Both forms that ONNX writes one in are read into this (ensemble.c), and checked on the way.
 */
#ifndef RG_ENSEMBLE_H
#define RG_ENSEMBLE_H

#include "op/kernel.h"

/* How a node compares; numbered as TreeEnsemble numbers them. */
typedef enum rg_tree_mode {
    RG_TREE_LEQ, RG_TREE_LT, RG_TREE_GTE, RG_TREE_GT, RG_TREE_EQ, RG_TREE_NEQ, RG_TREE_MEMBER, RG_TREE_LEAF
} rg_tree_mode;

/* Of a leaf, `yes` and `no` are where its votes begin and end. */
typedef struct rg_ensemble_node {
    rg_tree_mode mode;
    bool missing;                /* NaN goes to `yes` */
    int64_t feature, yes, no;
    int64_t set, set_end;        /* MEMBER: its values among the members */
    double split;
} rg_ensemble_node;

typedef struct rg_vote { int64_t target; double weight; } rg_vote;

/* In the run's scratch. */
typedef struct rg_ensemble {
    rg_ensemble_node *nodes; int64_t node_count;
    rg_vote *votes; int64_t vote_count;
    int64_t *roots, root_count;
    const double *members;
} rg_ensemble;

/* Of rows of so many features. Afterwards nodes compare features that there are and children exist; that no
 * way goes in circles, and what targets votes are for, is whoever walks it to see. RG_FORMAT, RG_NOMEM. */
rg_err rg_ensemble_read(const rg_run *r, int64_t features, rg_ensemble *out) RG_CHECKED; /* TreeEnsemble */
/* The older operators; votes: names of the attributes of target, node, tree, weight. */
rg_err rg_ensemble_read_old(const rg_run *r, int64_t features, const char *const votes[4],
                            rg_ensemble *out) RG_CHECKED;

#endif
