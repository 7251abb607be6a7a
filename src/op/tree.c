/* tree.c - decision trees: TreeEnsemble, and the older TreeEnsembleClassifier and TreeEnsembleRegressor.
 *
 * A row walks down every tree, and each step waits for the one before. How deep the trees are the attributes
 * tell only after a walk; they are taken to be balanced, so that n nodes make log2(n + 1) levels:
 *
 *     comparisons = rows * trees * log2(nodes / trees + 1)
 */
#include "op/learned.h"

#include <math.h>

enum { NODE_BYTE = 16 }; /* as runtimes pack a node: feature, threshold, two children, 4 bytes each */

#define TENSOR_OR_FLOATS(name, help)           \
    {name, RG_ATTR_FLOATS, NULL, false, help}, \
    {name "_as_tensor", RG_ATTR_TENSOR, NULL, false, "the same as doubles"}

/* The attributes that both older forms have. */
#define OLD_ATTRS                                                                                    \
    TENSOR_OR_FLOATS("base_values", "added to the result"),                                          \
    {"nodes_falsenodeids", RG_ATTR_INTS, NULL, false, "child where the comparison fails"},           \
    {"nodes_featureids", RG_ATTR_INTS, NULL, false, "feature compared"},                             \
    TENSOR_OR_FLOATS("nodes_hitrates", "how often each node is met"),                                \
    {"nodes_missing_value_tracks_true", RG_ATTR_INTS, NULL, false, "1: NaN goes to the true child"}, \
    {"nodes_modes", RG_ATTR_STRINGS, NULL, false, "BRANCH_LEQ, _LT, _GTE, _GT, _EQ, _NEQ or LEAF"},  \
    {"nodes_nodeids", RG_ATTR_INTS, NULL, false, "number of each node within its tree"},             \
    {"nodes_treeids", RG_ATTR_INTS, NULL, false, "tree of each node"},                               \
    {"nodes_truenodeids", RG_ATTR_INTS, NULL, false, "child where the comparison holds"},            \
    TENSOR_OR_FLOATS("nodes_values", "threshold of each node"),                                      \
    RG_POST_TRANSFORM

static const rg_attr_spec classifier_attrs[] = {
    OLD_ATTRS,
    {"class_ids", RG_ATTR_INTS, NULL, false, "class that each weight votes for"},
    {"class_nodeids", RG_ATTR_INTS, NULL, false, "leaf of each weight"},
    {"class_treeids", RG_ATTR_INTS, NULL, false, "tree of each weight"},
    TENSOR_OR_FLOATS("class_weights", "weight of each vote"),
    {"classlabels_int64s", RG_ATTR_INTS, NULL, false, "the classes, when they are integers"},
    {"classlabels_strings", RG_ATTR_STRINGS, NULL, false, "the classes, when they are strings"},
};

static const rg_attr_spec regressor_attrs[] = {
    OLD_ATTRS,
    {"aggregate_function", RG_ATTR_STRING, "SUM", false, "SUM, AVERAGE, MIN or MAX over the trees"},
    {"n_targets", RG_ATTR_INT, "1", false, "values answered for each row"},
    {"target_ids", RG_ATTR_INTS, NULL, false, "target of each weight"},
    {"target_nodeids", RG_ATTR_INTS, NULL, false, "leaf of each weight"},
    {"target_treeids", RG_ATTR_INTS, NULL, false, "tree of each weight"},
    TENSOR_OR_FLOATS("target_weights", "value that a leaf adds"),
};

static const rg_attr_spec ensemble_attrs[] = {
    {"aggregate_function", RG_ATTR_INT, "1", false, "0 average, 1 sum, 2 minimum, 3 maximum over the trees"},
    {"leaf_targetids", RG_ATTR_INTS, NULL, true, "target of each leaf"},
    {"leaf_weights", RG_ATTR_TENSOR, NULL, true, "value of each leaf"},
    {"membership_values", RG_ATTR_TENSOR, NULL, false, "sets that nodes test, NaN between them"},
    {"n_targets", RG_ATTR_INT, NULL, false, "values answered for each row"},
    {"nodes_falseleafs", RG_ATTR_INTS, NULL, true, "1: the false child is a leaf"},
    {"nodes_falsenodeids", RG_ATTR_INTS, NULL, true, "child where the comparison fails"},
    {"nodes_featureids", RG_ATTR_INTS, NULL, true, "feature compared"},
    {"nodes_hitrates", RG_ATTR_TENSOR, NULL, false, "how often each node is met"},
    {"nodes_missing_value_tracks_true", RG_ATTR_INTS, NULL, false, "1: NaN goes to the true child"},
    {"nodes_modes", RG_ATTR_TENSOR, NULL, true, "comparison: 0 <=, 1 <, 2 >=, 3 >, 4 =, 5 not =, 6 member"},
    {"nodes_splits", RG_ATTR_TENSOR, NULL, true, "threshold of each node"},
    {"nodes_trueleafs", RG_ATTR_INTS, NULL, true, "1: the true child is a leaf"},
    {"nodes_truenodeids", RG_ATTR_INTS, NULL, true, "child where the comparison holds"},
    {"post_transform", RG_ATTR_INT, "0", false, "0 none, 1 softmax, 2 logistic, 3 softmax_zero, 4 probit"},
    {"tree_roots", RG_ATTR_INTS, NULL, true, "node that each tree begins with"},
};

/* One tree: feature 0 <= 0.5 ? leaf : leaf. */
#define OLD_TREE                                                                                      \
    "nodes_falsenodeids=2,0,0 nodes_featureids=0,0,0 nodes_modes=[\"BRANCH_LEQ\",\"LEAF\",\"LEAF\"] " \
    "nodes_nodeids=0,1,2 nodes_treeids=0,0,0 nodes_truenodeids=1,0,0 nodes_values=0.5,0.0,0.0 "

static const rg_case classifier_cases[] = {
    {"f32[batch,4]", OLD_TREE "class_ids=0,1 class_nodeids=1,2 class_treeids=0,0 class_weights=1.0,1.0 "
     "classlabels_int64s=0,1", "i64[batch] f32[batch,2]"},
};

static const rg_case regressor_cases[] = {
    {"f32[batch,4]", OLD_TREE "n_targets=1 target_ids=0,0 target_nodeids=1,2 target_treeids=0,0 "
     "target_weights=1.0,2.0", "f32[batch,1]"},
};

static const rg_case ensemble_cases[] = {
    {"f64[batch,3]", "leaf_targetids=0,1 leaf_weights=tensor f64[2] {1, 2} n_targets=2 nodes_falseleafs=[1] "
     "nodes_falsenodeids=[1] nodes_featureids=[0] nodes_modes=tensor u8[1] {0} nodes_trueleafs=[1] "
     "nodes_splits=tensor f64[1] {0.5} nodes_truenodeids=[0] tree_roots=[0]", "f64[batch,2]"},
};

/* `nodes` that compare, in `trees` trees. */
static void work_trees(const rg_site *s, rg_work *w, double nodes, double trees)
{
    double features = (double)rg_in_dim(s, 0, -1), rows = features > 0 ? rg_in_count(s, 0) / features : 0;
    double depth = trees > 0 ? log2(nodes / trees + 1) : 0;
    double visited = rows * trees * depth;

    w->family = RG_FAMILY_TREE;
    w->flop = visited + rows * trees; /* comparisons, then one addition for each tree */
    w->m = rows * trees;
    w->k = depth;
    w->steps = depth > 1 ? depth : 1;
    rg_learned_read(w, NODE_BYTE * (visited < nodes ? visited : nodes));
}

/* The older forms list nodes tree by tree, leaves among them: one more than there are inner nodes. */
static void old_work(const rg_site *s, rg_work *w)
{
    uint32_t count;
    const int64_t *tree = rg_op_ints(s, "nodes_treeids", &count);
    double trees = count > 0;

    for (uint32_t i = 1; i < count; i++) trees += tree[i] != tree[i - 1];
    work_trees(s, w, count > trees ? (count - trees) / 2 : 0, trees);
    w->special = rg_learned_post(s, rg_out_count(s, s->node->out_count - 1));
}

static rg_err classifier_infer(const rg_site *s)
{
    return rg_learned_classes(s, "classlabels_int64s", "classlabels_strings");
}

static rg_err regressor_infer(const rg_site *s) { return rg_learned_targets(s, rg_op_int(s, "n_targets")); }

static rg_err ensemble_infer(const rg_site *s)
{
    rg_dim dim[2];

    RG_TRY(rg_learned_rows(s, &dim[0]));
    dim[1] = rg_op_has(s, "n_targets") ? rg_op_int(s, "n_targets") : rg_dim_open(s, 1);
    rg_set_out(s, 0, rg_type_tensor(rg_in_type(s, 0)->dtype, 2, dim));
    return RG_OK;
}

static void ensemble_work(const rg_site *s, rg_work *w)
{
    work_trees(s, w, rg_learned_count(s, "nodes_featureids"), rg_learned_count(s, "tree_roots"));
    w->special = rg_op_int(s, "post_transform") ? rg_out_count(s, 0) : 0;
}

RG_OP(treeensembleclassifier) = {
    .name = "TreeEnsembleClassifier", .domain = RG_LEARNED_DOMAIN, .since = 3,
    .brief = "class by a vote of trees",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 2, RG_SPEC(classifier_attrs) RG_CASES(classifier_cases)
    .infer = classifier_infer, .work = old_work,
};

RG_OP(treeensembleregressor) = {
    .name = "TreeEnsembleRegressor", .domain = RG_LEARNED_DOMAIN, .since = 3,
    .brief = "values summed over trees",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(regressor_attrs) RG_CASES(regressor_cases)
    .infer = regressor_infer, .work = old_work,
};

RG_OP(treeensemble) = {
    .name = "TreeEnsemble", .domain = RG_LEARNED_DOMAIN, .brief = "values aggregated over trees", .since = 5,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(ensemble_attrs) RG_CASES(ensemble_cases)
    .infer = ensemble_infer, .work = ensemble_work,
};
