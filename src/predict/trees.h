/* trees.h - what measurements say that the analytic base does not: boosted regression trees, "ridge.trees/2".
 *
 *     one line of JSON (blanks and '\n' up to a multiple of 8 bytes)   what it is of, its features, members
 *     nodes of member 0, member 1, ...                                 packed (trees_packed.c)
 *
 * A member is a sum of trees over features; one is of all devices together, the others of one device each. A
 * tree is its nodes in preorder: an inner node's left child is the next node, its right one `right` nodes
 * ahead; the left is taken where feature < value. A leaf adds its value. Files of "ridge.trees/1", which have
 * these nodes as they are, are read too. The whole format: doc/learn.md.
 */
#ifndef RG_TREES_H
#define RG_TREES_H

#include "base/base.h"

/* DEPTH: of nodes above one that still wait for their right child. */
enum { RG_TREES_FEATURES = 80, RG_TREES_LEAF = 0xffff, RG_TREES_DEPTH = 64, RG_TRAITS = 8 };
#define RG_TREES_ALL "all" /* the device of the member of all devices */

typedef struct rg_tree_node { float value; uint16_t feature, right; } rg_tree_node;

typedef struct rg_trees_member {
    const char *device;          /* id, or RG_TREES_ALL */
    const char *architecture;
    double *traits; size_t trait_count; /* of the device: residual.c */
    int rows;                    /* measurements that it was made of */
    int node_count;
    double start;                /* what every sum begins with */
    double host; /* what the host took that issued its rows, in hosts of the profile; 0: unknown */
    double *slopes; size_t slope_count; /* by feature: a linear law beside the trees; none: 0 */
    bool over;                   /* its sum is added to what the others answer: fitted with few probes */
    double spread;               /* 90 % of |log error| of its device; 0: as the file's */
    /* Mean |forecast / measured - 1| of its device (of all: mean over devices): of the analytic base, with
     * the device known and groups held out, with the device held out; 0: not tried. */
    double analytic, known, unknown;
    double analytic_median, known_median, unknown_median; /* of the same; 0: not told */
    double analytic_tau, known_tau, unknown_tau; /* Kendall's tau of the same; 0: not told */
    /* Of 90 % intervals, by what other groups, or other devices, say: what they hold, (high - low) / value.
     */
    double known_coverage, known_width, unknown_coverage, unknown_width;
    /* of the file, not of its JSON */
    double middle;               /* while it is taught: the median of what it was taught */
    const rg_tree_node *nodes;
    uint32_t *roots; uint32_t tree_count;
} rg_trees_member;

typedef struct rg_trees {
    rg_arena arena;
    int format;                  /* of the file that it was read from: trees.c */
    const char *key, *made_of, *data_hash;
    const char **features; size_t feature_count;
    double *low, *high; size_t low_count, high_count; /* by feature: the range measured */
    rg_trees_member *members; size_t member_count;
    double pooled_weight, reach; /* how members of other devices are mixed: residual.c */
    double trust;                /* of the answer for a device that was not measured, 0 to 1 */
    bool hosts_apart;            /* members say what rows take beyond the law of their hosts: residual.c */
    double pooled_share;         /* of the pooled member in the answer for one that was, 0 to 1 */
    /* 90 % of |log(measured / forecast)| where the device is known, where only its architecture is, and where
     * neither is, from rows held out; 0: not validated */
    double known_spread, sister_spread, unknown_spread;
    int devices;                 /* that the last two rest on */
    uint8_t columns[RG_TREES_FEATURES]; /* of each feature in its table; set by residual.c */
} rg_trees;

static inline bool rg_member_is_pooled(const rg_trees_member *m)
{
    return strcmp(m->device, RG_TREES_ALL) == 0;
}

/* Keeps nothing of `bytes`. RG_FORMAT, RG_LIMIT: the text names the member and the node that is wrong. */
rg_err rg_trees_parse(rg_ctx *cx, rg_str bytes, const char *name, rg_trees **out) RG_CHECKED;
void rg_trees_free(const rg_trees *trees);
/* Checks a member's nodes and finds where its trees begin. RG_FORMAT, RG_LIMIT. */
rg_err rg_trees_find_roots(rg_ctx *cx, rg_arena *arena, rg_trees_member *member, size_t features) RG_CHECKED;
/* Sum of a member's trees at x[feature_count]. */
double rg_trees_sum(const rg_trees_member *member, const float *x);
/* The same at `count` points, `stride` floats apart. Each tree is fetched once for all of them. */
void rg_trees_sums(const rg_trees_member *member, const float *x, size_t stride, size_t count, double *sums);
/* Its linear law, without `start`, which the sum has; features count within the range that was measured. */
double rg_trees_line(const rg_trees *trees, const rg_trees_member *member, const float *x);
/* The text of a file of these trees, nodes included, in cx's arena; leaves are rounded to a 2^-14th of the
 * largest of their member. */
rg_err rg_trees_write(rg_ctx *cx, const rg_trees *trees, rg_str *out) RG_CHECKED;

#endif
