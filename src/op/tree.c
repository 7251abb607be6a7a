/* tree.c - decision trees: TreeEnsemble, and the older TreeEnsembleClassifier and TreeEnsembleRegressor.
 *
 * A row walks down every tree, and each step waits for the one before. How deep the trees are the attributes
 * tell only after a walk; they are taken to be balanced, so that n nodes make log2(n + 1) levels:
 *
 *     comparisons = rows * trees * log2(nodes / trees + 1)
 *
 * The kernel turns both forms into one forest: nodes that know their children by index, leaves that know
 * their votes.
 * Where ONNX leaves a choice open, ONNX Runtime 1.30's is taken: when all votes of two classes are for one of
 * them, their sum s decides, s > 0.5 where no weight is negative, else s > 0.
 */
#include "op/learned.h"

#include <math.h>
#include <stdlib.h>

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

/* ---- the forest ---- */

/* Numbered as TreeEnsemble numbers them. */
typedef enum mode { LEQ, LT, GTE, GT, EQ, NEQ, MEMBER, LEAF } mode;

/* Of a leaf, `yes` and `no` are where its votes begin and end. */
typedef struct node {
    mode mode;
    bool missing;                /* NaN goes to `yes` */
    int64_t feature, yes, no;
    int64_t set, set_end;        /* MEMBER: its values among the members */
    double split;
} node;

typedef struct vote { int64_t target; double weight; } vote;

typedef struct forest {
    node *nodes; int64_t node_count;
    vote *votes; int64_t vote_count;
    int64_t *roots, root_count;
    const double *members;
} forest;

static bool holds(const forest *f, const node *n, double x)
{
    if (n->missing && isnan(x)) return true;
    switch (n->mode) {
    case LEQ: return x <= n->split;
    case LT:  return x < n->split;
    case GTE: return x >= n->split;
    case GT:  return x > n->split;
    case EQ:  return x == n->split;
    case NEQ: return x != n->split;
    default: break;
    }
    for (int64_t i = n->set; i < n->set_end; i++)
        if (f->members[i] == x) return true;
    return false;
}

/* A way longer than there are nodes goes in a circle. */
static rg_err walk(const rg_run *r, const forest *f, int64_t root, const double *x, const node **leaf)
{
    const node *n = &f->nodes[root];
    int64_t steps = 0;
    while (n->mode != LEAF && steps++ < f->node_count)
        n = &f->nodes[holds(f, n, x[n->feature]) ? n->yes : n->no];
    *leaf = n;
    return n->mode == LEAF ? RG_OK : rg_run_fail(r, RG_FORMAT, "a tree goes in circles");
}

static rg_err check_node(const rg_run *r, const node *n, int64_t features)
{
    if (n->feature >= 0 && n->feature < features) return RG_OK;
    return rg_run_fail(r, RG_FORMAT, "a node compares feature %lld of %lld", (long long)n->feature,
                       (long long)features);
}

/* Attribute `name` of `count` integers; *out stays NULL where it is optional and left out. */
static rg_err read_ints(const rg_run *r, const char *name, int64_t count, bool optional, const int64_t **out)
{
    uint32_t have;
    *out = rg_op_ints(&r->site, name, &have);
    if (have == count || (optional && !have)) return RG_OK;
    return rg_run_fail(r, RG_FORMAT, "%s has %u elements, needs %lld", name, have, (long long)count);
}

static rg_err read_reals(const rg_run *r, const char *name, int64_t count, const double **out)
{
    uint32_t have;
    RG_TRY(rg_learned_reals(r, name, out, &have));
    if (have == count) return RG_OK;
    return rg_run_fail(r, RG_FORMAT, "%s has %u elements, needs %lld", name, have, (long long)count);
}

/* ---- the older form: nodes and votes are named by tree and number ---- */

typedef struct place { int64_t tree, node, index; } place;

static int by_name(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
    if (x->node != y->node) return x->node < y->node ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Sorted by name, then as listed. */
static place *sort_places(const rg_run *r, const int64_t *tree, const int64_t *number, int64_t count)
{
    place *places = RG_NEW(r->scratch, place, count);
    for (int64_t i = 0; places && i < count; i++) places[i] = (place){tree[i], number[i], i};
    if (places) qsort(places, (size_t)count, sizeof *places, by_name);
    return places;
}

/* The first place that is not before `tree`, `number`; `count` when there is none. */
static int64_t find_place(const place *places, int64_t count, int64_t tree, int64_t number)
{
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (by_name(&places[middle], &(place){tree, number, 0}) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static bool is_at(const place *places, int64_t count, int64_t at, int64_t tree, int64_t number)
{
    return at < count && places[at].tree == tree && places[at].node == number;
}

/* Votes in the order of their leaves, so that each leaf has a run of them. */
static rg_err read_votes(const rg_run *r, const char *const names[4], const int64_t *node_tree,
                         const int64_t *node_number, forest *f)
{
    const int64_t *tree, *number, *target;
    const double *weight;
    int64_t count = f->vote_count = rg_learned_count(&r->site, names[0]);
    RG_TRY(read_ints(r, names[0], count, false, &target));
    RG_TRY(read_ints(r, names[1], count, false, &number));
    RG_TRY(read_ints(r, names[2], count, false, &tree));
    RG_TRY(read_reals(r, names[3], count, &weight));
    place *places = sort_places(r, tree, number, count);
    f->votes = RG_NEW(r->scratch, vote, count);
    if (!places || !f->votes) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < count; i++)
        f->votes[i] = (vote){target[places[i].index], weight[places[i].index]};
    for (int64_t i = 0; i < f->node_count; i++) {
        node *n = &f->nodes[i];
        if (n->mode != LEAF) continue;
        n->yes = n->no = find_place(places, count, node_tree[i], node_number[i]);
        while (is_at(places, count, n->no, node_tree[i], node_number[i])) n->no++;
    }
    return RG_OK;
}

static rg_err read_mode(const rg_run *r, rg_str name, mode *out)
{
    static const char *const names[] = {
        [LEQ] = "BRANCH_LEQ", [LT] = "BRANCH_LT", [GTE] = "BRANCH_GTE", [GT] = "BRANCH_GT",
        [EQ] = "BRANCH_EQ", [NEQ] = "BRANCH_NEQ", [MEMBER] = "BRANCH_MEMBER", [LEAF] = "LEAF",
    };
    size_t i = 0;
    while (i < RG_COUNT(names) && !rg_str_is(name, names[i])) i++;
    if (i == RG_COUNT(names) || i == MEMBER)
        return rg_run_fail(r, RG_FORMAT, "there is no nodes_modes '%.*s'", RG_STR(name));
    *out = (mode)i;
    return RG_OK;
}

/* The child of node i by its number. */
static rg_err read_child(const rg_run *r, const place *places, int64_t count, int64_t tree, int64_t number,
                         int64_t *out)
{
    int64_t at = find_place(places, count, tree, number);
    *out = 0;
    if (!is_at(places, count, at, tree, number))
        return rg_run_fail(r, RG_FORMAT, "tree %lld has no node %lld", (long long)tree, (long long)number);
    *out = places[at].index;
    return RG_OK;
}

/* A tree's root is its first node as listed. */
static rg_err find_roots(const rg_run *r, const place *places, forest *f)
{
    f->roots = RG_NEW(r->scratch, int64_t, f->node_count);
    if (!f->roots) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < f->node_count; i++) {
        if (i == 0 || places[i].tree != places[i - 1].tree) f->roots[f->root_count++] = places[i].index;
        int64_t *root = &f->roots[f->root_count - 1];
        if (places[i].index < *root) *root = places[i].index;
    }
    return RG_OK;
}

/* votes: names of the attributes of target, node, tree, weight. */
static rg_err read_old(const rg_run *r, int64_t features, const char *const votes[4], forest *f)
{
    const int64_t *tree, *number, *feature, *yes, *no, *missing;
    const rg_str *modes;
    const double *split;
    uint32_t mode_count;
    int64_t count = rg_learned_count(&r->site, "nodes_treeids");
    *f = (forest){.node_count = count, .nodes = RG_NEW(r->scratch, node, count)};
    RG_TRY(read_ints(r, "nodes_treeids", count, false, &tree));
    RG_TRY(read_ints(r, "nodes_nodeids", count, false, &number));
    RG_TRY(read_ints(r, "nodes_featureids", count, false, &feature));
    RG_TRY(read_ints(r, "nodes_truenodeids", count, false, &yes));
    RG_TRY(read_ints(r, "nodes_falsenodeids", count, false, &no));
    RG_TRY(read_ints(r, "nodes_missing_value_tracks_true", count, true, &missing));
    RG_TRY(read_reals(r, "nodes_values", count, &split));
    RG_TRY(rg_learned_strings(r, "nodes_modes", &modes, &mode_count));
    if (mode_count != count)
        return rg_run_fail(r, RG_FORMAT, "nodes_modes has %u elements, needs %lld", mode_count,
                           (long long)count);
    place *places = sort_places(r, tree, number, count);
    if (!places || !f->nodes) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < count; i++) {
        node *n = &f->nodes[i];
        *n = (node){.feature = feature[i], .split = split[i], .missing = missing && missing[i]};
        RG_TRY(read_mode(r, modes[i], &n->mode));
        if (n->mode == LEAF) continue;
        RG_TRY(check_node(r, n, features));
        RG_TRY(read_child(r, places, count, tree[i], yes[i], &n->yes));
        RG_TRY(read_child(r, places, count, tree[i], no[i], &n->no));
    }
    RG_TRY(find_roots(r, places, f));
    return read_votes(r, votes, tree, number, f);
}

/* ---- TreeEnsemble: nodes and leaves are named by index ---- */

/* Sets in the order of the nodes that test them, a NaN behind each. */
static rg_err read_sets(const rg_run *r, forest *f)
{
    uint32_t count;
    int64_t at = 0;
    RG_TRY(rg_learned_reals(r, "membership_values", &f->members, &count));
    for (int64_t i = 0; i < f->node_count; i++) {
        node *n = &f->nodes[i];
        if (n->mode != MEMBER) continue;
        n->set = at;
        while (at < count && !isnan(f->members[at])) at++;
        n->set_end = at;
        if (n->set == count)
            return rg_run_fail(r, RG_FORMAT, "membership_values has no set for node %lld", (long long)i);
        at++;
    }
    return RG_OK;
}

/* Children of inner nodes; leaves come behind the inner nodes. */
static rg_err read_branch(const rg_run *r, int64_t inner, int64_t leaves, bool leaf, int64_t to, int64_t *out)
{
    int64_t count = leaf ? leaves : inner;
    *out = leaf ? inner + to : to;
    if (to >= 0 && to < count) return RG_OK;
    return rg_run_fail(r, RG_FORMAT, "there is no %s %lld, only %lld", leaf ? "leaf" : "node", (long long)to,
                       (long long)count);
}

static rg_err read_inner(const rg_run *r, int64_t features, int64_t inner, int64_t leaves, node *nodes)
{
    const int64_t *feature, *yes, *no, *yes_leaf, *no_leaf, *missing;
    const double *modes, *split;
    RG_TRY(read_ints(r, "nodes_featureids", inner, false, &feature));
    RG_TRY(read_ints(r, "nodes_truenodeids", inner, false, &yes));
    RG_TRY(read_ints(r, "nodes_falsenodeids", inner, false, &no));
    RG_TRY(read_ints(r, "nodes_trueleafs", inner, false, &yes_leaf));
    RG_TRY(read_ints(r, "nodes_falseleafs", inner, false, &no_leaf));
    RG_TRY(read_ints(r, "nodes_missing_value_tracks_true", inner, true, &missing));
    RG_TRY(read_reals(r, "nodes_modes", inner, &modes));
    RG_TRY(read_reals(r, "nodes_splits", inner, &split));
    for (int64_t i = 0; i < inner; i++) {
        node *n = &nodes[i];
        if (!(modes[i] >= LEQ && modes[i] <= MEMBER))
            return rg_run_fail(r, RG_FORMAT, "there is no nodes_modes %g", modes[i]);
        *n = (node){.mode = (mode)modes[i], .feature = feature[i], .split = split[i],
                    .missing = missing && missing[i]};
        RG_TRY(check_node(r, n, features));
        RG_TRY(read_branch(r, inner, leaves, yes_leaf[i] != 0, yes[i], &n->yes));
        RG_TRY(read_branch(r, inner, leaves, no_leaf[i] != 0, no[i], &n->no));
    }
    return RG_OK;
}

static rg_err read_new(const rg_run *r, int64_t features, forest *f)
{
    const int64_t *target, *root;
    const double *weight;
    int64_t inner = rg_learned_count(&r->site, "nodes_featureids");
    int64_t leaves = rg_learned_count(&r->site, "leaf_targetids");
    int64_t roots = rg_learned_count(&r->site, "tree_roots");
    *f = (forest){
        .node_count = inner + leaves, .nodes = RG_NEW(r->scratch, node, inner + leaves), .vote_count = leaves,
        .votes = RG_NEW(r->scratch, vote, leaves), .root_count = roots,
        .roots = RG_NEW(r->scratch, int64_t, roots),
    };
    if (!f->nodes || !f->votes || !f->roots) return rg_nomem(r->site.cx);
    RG_TRY(read_ints(r, "leaf_targetids", leaves, false, &target));
    RG_TRY(read_reals(r, "leaf_weights", leaves, &weight));
    RG_TRY(read_ints(r, "tree_roots", roots, false, &root));
    RG_TRY(read_inner(r, features, inner, leaves, f->nodes));
    for (int64_t i = 0; i < leaves; i++) {
        f->nodes[inner + i] = (node){.mode = LEAF, .yes = i, .no = i + 1};
        f->votes[i] = (vote){target[i], weight[i]};
    }
    for (int64_t i = 0; i < roots; i++) RG_TRY(read_branch(r, inner, leaves, false, root[i], &f->roots[i]));
    return read_sets(r, f);
}

/* ---- counting the votes ---- */

typedef enum aggregate { AVERAGE, SUM, MIN, MAX } aggregate; /* numbered as TreeEnsemble numbers them */

static rg_err check_targets(const rg_run *r, const forest *f, int64_t targets)
{
    for (int64_t i = 0; i < f->vote_count; i++)
        if (f->votes[i].target < 0 || f->votes[i].target >= targets)
            return rg_run_fail(r, RG_FORMAT, "a vote for target %lld of %lld",
                               (long long)f->votes[i].target, (long long)targets);
    return RG_OK;
}

/* Scores of one row; a target without a vote gets 0. */
static rg_err count_votes(const rg_run *r, const forest *f, aggregate how, const double *x, int64_t targets,
                          double *score, bool *voted)
{
    for (int64_t k = 0; k < targets; k++) score[k] = 0, voted[k] = false;
    for (int64_t t = 0; t < f->root_count; t++) {
        const node *leaf;
        RG_TRY(walk(r, f, f->roots[t], x, &leaf));
        for (int64_t i = leaf->yes; i < leaf->no; i++) {
            const vote *v = &f->votes[i];
            double *to = &score[v->target];
            if (how == MIN) *to = voted[v->target] ? fmin(*to, v->weight) : v->weight;
            else if (how == MAX) *to = voted[v->target] ? fmax(*to, v->weight) : v->weight;
            else *to += v->weight;
            voted[v->target] = true;
        }
    }
    for (int64_t k = 0; how == AVERAGE && k < targets; k++) score[k] /= (double)f->root_count;
    return RG_OK;
}

/* base_values: one for each target, or none. */
static rg_err read_base(const rg_run *r, int64_t targets, const double **out)
{
    uint32_t count;
    RG_TRY(rg_learned_reals(r, "base_values", out, &count));
    if (count == 0) *out = NULL;
    if (count == 0 || count == targets) return RG_OK;
    return rg_run_fail(r, RG_FORMAT, "%u base_values for %lld targets", count, (long long)targets);
}

/* Values of all rows: of a regressor in either form. */
static rg_err regress(const rg_run *r, const forest *f, const rg_rows *in, aggregate how, rg_post post,
                      const double *base, const rg_array *y)
{
    int64_t targets = y->dim[1];
    double *score = RG_NEW(r->scratch, double, targets);
    bool *voted = RG_NEW(r->scratch, bool, targets);
    if (!score || !voted) return rg_nomem(r->site.cx);
    RG_TRY(check_targets(r, f, targets));
    for (int64_t i = 0; i < in->count; i++) {
        RG_TRY(count_votes(r, f, how, in->x + i * in->size, targets, score, voted));
        for (int64_t k = 0; base && k < targets; k++) score[k] += base[k];
        rg_learned_transform(post, score, targets);
        for (int64_t k = 0; k < targets; k++) rg_put(y, i * targets + k, score[k]);
    }
    return RG_OK;
}

static rg_err run_ensemble(const rg_run *r)
{
    int64_t how = rg_op_int(&r->site, "aggregate_function"), post = rg_op_int(&r->site, "post_transform");
    bool stated = rg_op_has(&r->site, "n_targets");
    rg_rows in;
    forest f;
    rg_array *y;
    RG_TRY(rg_learned_input(r, &in));
    RG_TRY(read_new(r, in.size, &f));
    if (how < AVERAGE || how > MAX || post < RG_POST_NONE || post > RG_POST_PROBIT)
        return rg_run_fail(r, RG_FORMAT, "aggregate_function is %lld, post_transform %lld", (long long)how,
                           (long long)post);
    int64_t dim[] = {in.count, stated ? rg_op_int(&r->site, "n_targets") : 0};
    for (int64_t i = 0; !stated && i < f.vote_count; i++)
        if (f.votes[i].target >= dim[1] && f.votes[i].target < UINT32_MAX) dim[1] = f.votes[i].target + 1;
    RG_TRY(rg_make_result(r, 0, rg_arg(r, 0)->dtype, 2, dim, &y));
    return y ? regress(r, &f, &in, (aggregate)how, (rg_post)post, NULL, y) : RG_OK;
}

static rg_err run_regressor(const rg_run *r)
{
    static const char *const votes[] = {"target_ids", "target_nodeids", "target_treeids", "target_weights"};
    static const char *const names[] = {[AVERAGE] = "AVERAGE", [SUM] = "SUM", [MIN] = "MIN", [MAX] = "MAX"};
    rg_str name = rg_op_str(&r->site, "aggregate_function");
    size_t how = 0;
    const double *base;
    rg_post post;
    rg_rows in;
    forest f;
    while (how < RG_COUNT(names) && !rg_str_is(name, names[how])) how++;
    if (how == RG_COUNT(names))
        return rg_run_fail(r, RG_FORMAT, "there is no aggregate_function '%.*s'", RG_STR(name));
    RG_TRY(rg_learned_input(r, &in));
    RG_TRY(rg_learned_post_of(r, &post));
    RG_TRY(read_old(r, in.size, votes, &f));
    RG_TRY(read_base(r, rg_result(r, 0)->dim[1], &base));
    return regress(r, &f, &in, (aggregate)how, post, base, rg_result(r, 0));
}

/* ---- the classifier ---- */

/* The class that all votes are for, where there are two classes; else -1. */
static int64_t only_class(const forest *f, int64_t classes)
{
    if (classes != 2 || f->vote_count == 0) return -1;
    for (int64_t i = 1; i < f->vote_count; i++)
        if (f->votes[i].target != f->votes[0].target) return -1;
    return f->votes[0].target;
}

static bool is_sure(const forest *f)
{
    bool sure = true;
    for (int64_t i = 0; i < f->vote_count; i++) sure = sure && f->votes[i].weight >= 0;
    return sure;
}

static rg_err run_classifier(const rg_run *r)
{
    static const char *const votes[] = {"class_ids", "class_nodeids", "class_treeids", "class_weights"};
    int64_t classes = (int64_t)rg_learned_count(&r->site, "classlabels_int64s") +
                      rg_learned_count(&r->site, "classlabels_strings");
    const double *base;
    uint32_t bases;
    rg_post post;
    rg_rows in;
    forest f;
    double *score = RG_NEW(r->scratch, double, classes);
    bool *voted = RG_NEW(r->scratch, bool, classes);
    if (!score || !voted) return rg_nomem(r->site.cx);
    RG_TRY(rg_learned_input(r, &in));
    RG_TRY(rg_learned_post_of(r, &post));
    RG_TRY(read_old(r, in.size, votes, &f));
    RG_TRY(check_targets(r, &f, classes));
    RG_TRY(rg_learned_reals(r, "base_values", &base, &bases));
    int64_t only = only_class(&f, classes);
    bool sure = is_sure(&f), one_base = only >= 0 && bases == 1;
    if (bases != 0 && bases != classes && !one_base)
        return rg_run_fail(r, RG_FORMAT, "%u base_values for %lld classes", bases, (long long)classes);
    for (int64_t i = 0; i < in.count; i++) {
        RG_TRY(count_votes(r, &f, SUM, in.x + i * in.size, classes, score, voted));
        for (int64_t k = 0; bases && k < classes; k++) score[k] += base[one_base ? 0 : k];
        int64_t best = rg_learned_best(score, classes);
        if (only >= 0) {
            best = score[only] > (sure ? 0.5 : 0);
            score[1] = score[only];
            rg_learned_pair(post, sure, score);
        }
        rg_learned_transform(post, score, classes);
        rg_learned_answer(r, "classlabels_int64s", "classlabels_strings", i, best, score, classes);
    }
    return RG_OK;
}

RG_OP(treeensembleclassifier) = {
    .name = "TreeEnsembleClassifier", .domain = RG_LEARNED_DOMAIN, .since = 3,
    .brief = "class by a vote of trees",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 2, RG_SPEC(classifier_attrs) RG_CASES(classifier_cases)
    .infer = classifier_infer, .work = old_work, .run = run_classifier,
};

RG_OP(treeensembleregressor) = {
    .name = "TreeEnsembleRegressor", .domain = RG_LEARNED_DOMAIN, .since = 3,
    .brief = "values summed over trees",
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(regressor_attrs) RG_CASES(regressor_cases)
    .infer = regressor_infer, .work = old_work, .run = run_regressor,
};

RG_OP(treeensemble) = {
    .name = "TreeEnsemble", .domain = RG_LEARNED_DOMAIN, .brief = "values aggregated over trees", .since = 5,
    .in_min = 1, .in_max = 1, .out_min = 1, .out_max = 1, RG_SPEC(ensemble_attrs) RG_CASES(ensemble_cases)
    .infer = ensemble_infer, .work = ensemble_work, .run = run_ensemble,
};
