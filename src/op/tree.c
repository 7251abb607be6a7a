/* tree.c - decision trees: TreeEnsemble, and the older TreeEnsembleClassifier and TreeEnsembleRegressor.
 *
 * A row walks down every tree, and each step waits for the one before. How deep the trees are the attributes
 * tell only after a walk; they are taken to be balanced, so that n nodes make log2(n + 1) levels:
 *
 *     comparisons = rows * trees * log2(nodes / trees + 1)
 *
 * The kernel reads all of them as one forest (ensemble.h).
 * Where ONNX leaves a choice open, ONNX Runtime 1.30's is taken: when all votes of two classes are for one of
 * them, their sum s decides, s > 0.5 where no weight is negative, else s > 0.
 */
#include "op/ensemble.h"
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

/* ---- walking ---- */

static bool holds(const rg_ensemble *f, const rg_ensemble_node *n, double x)
{
    if (n->missing && isnan(x)) return true;
    switch (n->mode) {
    case RG_TREE_LEQ: return x <= n->split;
    case RG_TREE_LT:  return x < n->split;
    case RG_TREE_GTE: return x >= n->split;
    case RG_TREE_GT:  return x > n->split;
    case RG_TREE_EQ:  return x == n->split;
    case RG_TREE_NEQ: return x != n->split;
    default: break;
    }
    for (int64_t i = n->set; i < n->set_end; i++)
        if (f->members[i] == x) return true;
    return false;
}

/* A way longer than there are nodes goes in a circle. */
static rg_err walk(const rg_run *r, const rg_ensemble *f, int64_t root, const double *x,
                   const rg_ensemble_node **leaf)
{
    const rg_ensemble_node *n = &f->nodes[root];
    int64_t steps = 0;
    while (n->mode != RG_TREE_LEAF && steps++ < f->node_count)
        n = &f->nodes[holds(f, n, x[n->feature]) ? n->yes : n->no];
    *leaf = n;
    return n->mode == RG_TREE_LEAF ? RG_OK : rg_run_fail(r, RG_FORMAT, "a tree goes in circles");
}

/* ---- counting the votes ---- */

typedef enum aggregate { AVERAGE, SUM, MIN, MAX } aggregate; /* numbered as TreeEnsemble numbers them */

static rg_err check_targets(const rg_run *r, const rg_ensemble *f, int64_t targets)
{
    for (int64_t i = 0; i < f->vote_count; i++)
        if (f->votes[i].target < 0 || f->votes[i].target >= targets)
            return rg_run_fail(r, RG_FORMAT, "a vote for target %lld of %lld",
                               (long long)f->votes[i].target, (long long)targets);
    return RG_OK;
}

/* Scores of one row; a target without a vote gets 0. */
static rg_err count_votes(const rg_run *r, const rg_ensemble *f, aggregate how, const double *x,
                          int64_t targets, double *score, bool *voted)
{
    for (int64_t k = 0; k < targets; k++) score[k] = 0, voted[k] = false;
    for (int64_t t = 0; t < f->root_count; t++) {
        const rg_ensemble_node *leaf;
        RG_TRY(walk(r, f, f->roots[t], x, &leaf));
        for (int64_t i = leaf->yes; i < leaf->no; i++) {
            const rg_vote *v = &f->votes[i];
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
static rg_err regress(const rg_run *r, const rg_ensemble *f, const rg_rows *in, aggregate how, rg_post post,
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
    rg_ensemble f;
    rg_array *y;
    RG_TRY(rg_learned_input(r, &in));
    RG_TRY(rg_ensemble_read(r, in.size, &f));
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
    rg_ensemble f;
    while (how < RG_COUNT(names) && !rg_str_is(name, names[how])) how++;
    if (how == RG_COUNT(names))
        return rg_run_fail(r, RG_FORMAT, "there is no aggregate_function '%.*s'", RG_STR(name));
    RG_TRY(rg_learned_input(r, &in));
    RG_TRY(rg_learned_post_of(r, &post));
    RG_TRY(rg_ensemble_read_old(r, in.size, votes, &f));
    RG_TRY(read_base(r, rg_result(r, 0)->dim[1], &base));
    return regress(r, &f, &in, (aggregate)how, post, base, rg_result(r, 0));
}

/* ---- the classifier ---- */

/* The class that all votes are for, where there are two classes; else -1. */
static int64_t only_class(const rg_ensemble *f, int64_t classes)
{
    if (classes != 2 || f->vote_count == 0) return -1;
    for (int64_t i = 1; i < f->vote_count; i++)
        if (f->votes[i].target != f->votes[0].target) return -1;
    return f->votes[0].target;
}

static bool is_sure(const rg_ensemble *f)
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
    rg_ensemble f;
    double *score = RG_NEW(r->scratch, double, classes);
    bool *voted = RG_NEW(r->scratch, bool, classes);
    if (!score || !voted) return rg_nomem(r->site.cx);
    RG_TRY(rg_learned_input(r, &in));
    RG_TRY(rg_learned_post_of(r, &post));
    RG_TRY(rg_ensemble_read_old(r, in.size, votes, &f));
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
