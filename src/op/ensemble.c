/* ensemble.c - the attributes of TreeEnsemble, and of the older TreeEnsembleClassifier and
 * TreeEnsembleRegressor, as one forest (ensemble.h). The older form names nodes and votes by their tree and
 * number, in any order, leaves among the nodes; the newer one names nodes and leaves by index, in lists
 * apart. Nothing of it is trusted: lengths, names, indices and modes are checked here, once, so that walking
 * needs not look.
 */
#include "op/ensemble.h"

#include "op/learned.h"

#include <math.h>
#include <stdlib.h>

/* ---- what both forms share ---- */

static rg_err check_node(const rg_run *r, const rg_ensemble_node *n, int64_t features)
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
                         const int64_t *node_number, rg_ensemble *f)
{
    const int64_t *tree, *number, *target;
    const double *weight;
    int64_t count = f->vote_count = rg_learned_count(&r->site, names[0]);
    RG_TRY(read_ints(r, names[0], count, false, &target));
    RG_TRY(read_ints(r, names[1], count, false, &number));
    RG_TRY(read_ints(r, names[2], count, false, &tree));
    RG_TRY(read_reals(r, names[3], count, &weight));
    place *places = sort_places(r, tree, number, count);
    f->votes = RG_NEW(r->scratch, rg_vote, count);
    if (!places || !f->votes) return rg_nomem(r->site.cx);
    for (int64_t i = 0; i < count; i++)
        f->votes[i] = (rg_vote){target[places[i].index], weight[places[i].index]};
    for (int64_t i = 0; i < f->node_count; i++) {
        rg_ensemble_node *n = &f->nodes[i];
        if (n->mode != RG_TREE_LEAF) continue;
        n->yes = n->no = find_place(places, count, node_tree[i], node_number[i]);
        while (is_at(places, count, n->no, node_tree[i], node_number[i])) n->no++;
    }
    return RG_OK;
}

static rg_err read_mode(const rg_run *r, rg_str name, rg_tree_mode *out)
{
    static const char *const names[] = {
        [RG_TREE_LEQ] = "BRANCH_LEQ", [RG_TREE_LT] = "BRANCH_LT", [RG_TREE_GTE] = "BRANCH_GTE",
        [RG_TREE_GT] = "BRANCH_GT", [RG_TREE_EQ] = "BRANCH_EQ", [RG_TREE_NEQ] = "BRANCH_NEQ",
        [RG_TREE_MEMBER] = "BRANCH_MEMBER", [RG_TREE_LEAF] = "LEAF",
    };
    size_t i = 0;
    while (i < RG_COUNT(names) && !rg_str_is(name, names[i])) i++;
    if (i == RG_COUNT(names) || i == RG_TREE_MEMBER)
        return rg_run_fail(r, RG_FORMAT, "there is no nodes_modes '%.*s'", RG_STR(name));
    *out = (rg_tree_mode)i;
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
static rg_err find_roots(const rg_run *r, const place *places, rg_ensemble *f)
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

rg_err rg_ensemble_read_old(const rg_run *r, int64_t features, const char *const votes[4], rg_ensemble *f)
{
    const int64_t *tree, *number, *feature, *yes, *no, *missing;
    const rg_str *modes;
    const double *split;
    uint32_t mode_count;
    int64_t count = rg_learned_count(&r->site, "nodes_treeids");
    *f = (rg_ensemble){.node_count = count, .nodes = RG_NEW(r->scratch, rg_ensemble_node, count)};
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
        rg_ensemble_node *n = &f->nodes[i];
        *n = (rg_ensemble_node){.feature = feature[i], .split = split[i], .missing = missing && missing[i]};
        RG_TRY(read_mode(r, modes[i], &n->mode));
        if (n->mode == RG_TREE_LEAF) continue;
        RG_TRY(check_node(r, n, features));
        RG_TRY(read_child(r, places, count, tree[i], yes[i], &n->yes));
        RG_TRY(read_child(r, places, count, tree[i], no[i], &n->no));
    }
    RG_TRY(find_roots(r, places, f));
    return read_votes(r, votes, tree, number, f);
}

/* ---- TreeEnsemble: nodes and leaves are named by index ---- */

/* Sets in the order of the nodes that test them, a NaN behind each. */
static rg_err read_sets(const rg_run *r, rg_ensemble *f)
{
    uint32_t count;
    int64_t at = 0;
    RG_TRY(rg_learned_reals(r, "membership_values", &f->members, &count));
    for (int64_t i = 0; i < f->node_count; i++) {
        rg_ensemble_node *n = &f->nodes[i];
        if (n->mode != RG_TREE_MEMBER) continue;
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

static rg_err read_inner(const rg_run *r, int64_t features, int64_t inner, int64_t leaves,
                         rg_ensemble_node *nodes)
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
        rg_ensemble_node *n = &nodes[i];
        if (!(modes[i] >= RG_TREE_LEQ && modes[i] <= RG_TREE_MEMBER))
            return rg_run_fail(r, RG_FORMAT, "there is no nodes_modes %g", modes[i]);
        *n = (rg_ensemble_node){.mode = (rg_tree_mode)modes[i], .feature = feature[i], .split = split[i],
                                .missing = missing && missing[i]};
        RG_TRY(check_node(r, n, features));
        RG_TRY(read_branch(r, inner, leaves, yes_leaf[i] != 0, yes[i], &n->yes));
        RG_TRY(read_branch(r, inner, leaves, no_leaf[i] != 0, no[i], &n->no));
    }
    return RG_OK;
}

rg_err rg_ensemble_read(const rg_run *r, int64_t features, rg_ensemble *f)
{
    const int64_t *target, *root;
    const double *weight;
    int64_t inner = rg_learned_count(&r->site, "nodes_featureids");
    int64_t leaves = rg_learned_count(&r->site, "leaf_targetids");
    int64_t roots = rg_learned_count(&r->site, "tree_roots");
    *f = (rg_ensemble){
        .nodes = RG_NEW(r->scratch, rg_ensemble_node, inner + leaves), .node_count = inner + leaves,
        .votes = RG_NEW(r->scratch, rg_vote, leaves), .vote_count = leaves,
        .roots = RG_NEW(r->scratch, int64_t, roots), .root_count = roots,
    };
    if (!f->nodes || !f->votes || !f->roots) return rg_nomem(r->site.cx);
    RG_TRY(read_ints(r, "leaf_targetids", leaves, false, &target));
    RG_TRY(read_reals(r, "leaf_weights", leaves, &weight));
    RG_TRY(read_ints(r, "tree_roots", roots, false, &root));
    RG_TRY(read_inner(r, features, inner, leaves, f->nodes));
    for (int64_t i = 0; i < leaves; i++) {
        f->nodes[inner + i] = (rg_ensemble_node){.mode = RG_TREE_LEAF, .yes = i, .no = i + 1};
        f->votes[i] = (rg_vote){target[i], weight[i]};
    }
    for (int64_t i = 0; i < roots; i++) RG_TRY(read_branch(r, inner, leaves, false, root[i], &f->roots[i]));
    return read_sets(r, f);
}
