/* trees.h - what measurements say that the analytic base does not: boosted regression trees, "ridge.trees/1".
 *
 *     one line of JSON (blanks and '\n' up to a multiple of 8 bytes)   what it is of, its features, members
 *     nodes of member 0, member 1, ...                                 8 bytes each, little endian
 *
 * A member is a sum of trees over features; one is of all devices together (its device is ""), the others of
 * one device each. A tree is its nodes in preorder: an inner node's left child is the next node, its right
 * one `right` nodes ahead; the left is taken where feature < value. A leaf adds its value.
 */
#ifndef RG_TREES_H
#define RG_TREES_H

#include "base/base.h"

enum { RG_TREES_FEATURES = 48, RG_TREES_LEAF = 0xffff, RG_TREES_DEPTH = 64, RG_TRAITS = 8 };

typedef struct rg_tree_node { float value; uint16_t feature, right; } rg_tree_node;

typedef struct rg_trees_member {
    const char *device;          /* id; "": of all */
    const char *architecture;
    double *traits; size_t trait_count; /* of the device: residual.c */
    int rows;                    /* measurements that it was made of */
    int node_count;
    double start;                /* what every sum begins with */
    /* of the file, not of its JSON */
    const rg_tree_node *nodes;
    uint32_t *roots; uint32_t tree_count;
} rg_trees_member;

typedef struct rg_trees {
    rg_arena arena;
    const char *key, *made_of, *data_hash;
    const char **features; size_t feature_count;
    double *low, *high; size_t low_count, high_count; /* by feature: the range measured */
    rg_trees_member *members; size_t member_count;
    double pooled_weight, reach; /* how members of other devices are mixed: residual.c */
    double trust;                /* of the answer for a device that was not measured, 0 to 1 */
    /* 90 % of |log(measured / forecast)| where the device is known, where only its architecture is, and where
     * neither is, from rows held out; 0: not validated */
    double known_spread, sister_spread, unknown_spread;
    int devices;                 /* that the last two rest on */
    uint8_t columns[RG_TREES_FEATURES]; /* of each feature in its table; set by residual.c */
} rg_trees;

/* `bytes` stay where they are as long as the trees live. RG_FORMAT names the member and node that is wrong.
 */
rg_err rg_trees_parse(rg_ctx *cx, rg_str bytes, const char *name, rg_trees **out) RG_CHECKED;
void rg_trees_free(const rg_trees *trees);
/* Checks a member's nodes and finds where its trees begin; RG_FORMAT names the node that is wrong. */
rg_err rg_trees_find_roots(rg_ctx *cx, rg_arena *arena, rg_trees_member *member, size_t features) RG_CHECKED;
/* Sum of a member's trees at x[feature_count]. */
double rg_trees_sum(const rg_trees_member *member, const float *x);
/* The text of a file of these trees, nodes included; in cx's arena. */
rg_err rg_trees_write(rg_ctx *cx, const rg_trees *trees, rg_str *out) RG_CHECKED;

#endif
