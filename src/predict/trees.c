/* trees.c - reading, checking and summing the trees of "ridge.trees/2" and of "ridge.trees/1". What the file
 * says of nodes is checked once, so that summing needs no checks: every walk moves forward inside its tree
 * and ends at a leaf.
 */
#include "predict/trees_packed.h"

#include "hw/read.h"

#include <math.h>
#include <string.h>

_Static_assert(sizeof(rg_tree_node) == 8, "as in a file of ridge.trees/1");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "nodes are used as the file has them");

#define AT(member) offsetof(rg_trees_member, member)
static const rg_field member_fields[] = {
    {"device", RG_FIELD_TEXT, true, AT(device), .help = "id of its device, or all"},
    {"architecture", RG_FIELD_TEXT, false, AT(architecture), .help = "of the device"},
    {"traits", RG_FIELD_NUMBERS, false, AT(traits), AT(trait_count),
     .help = "of the device, for its nearest"},
    {"rows", RG_FIELD_COUNT, true, AT(rows), .help = "measurements that it was made of"},
    {"nodes", RG_FIELD_COUNT, true, AT(node_count), .help = "of all of its trees"},
    {"start", RG_FIELD_NUMBER, false, AT(start), .help = "what every sum begins with"},
    {"host", RG_FIELD_REAL, false, AT(host), .help = "what its host took, in hosts of the profile"},
    {"slopes", RG_FIELD_NUMBERS, false, AT(slopes), AT(slope_count), .help = "by feature, of a linear law"},
    {"over", RG_FIELD_FLAG, false, AT(over), .help = "its sum is added to what the others answer"},
    {"spread", RG_FIELD_REAL, false, AT(spread), .help = "90 % of |log error| of its device"},
    {"analytic", RG_FIELD_REAL, false, AT(analytic), .help = "mean error of the base"},
    {"known", RG_FIELD_REAL, false, AT(known), .help = "mean error where groups were held out"},
    {"unknown", RG_FIELD_REAL, false, AT(unknown), .help = "mean error where the device was"},
    {"analytic_median", RG_FIELD_REAL, false, AT(analytic_median), .help = "median error of the base"},
    {"known_median", RG_FIELD_REAL, false, AT(known_median), .help = "... where groups were held out"},
    {"unknown_median", RG_FIELD_REAL, false, AT(unknown_median), .help = "... where the device was"},
    {"analytic_tau", RG_FIELD_NUMBER, false, AT(analytic_tau), .help = "Kendall's tau of the base"},
    {"known_tau", RG_FIELD_NUMBER, false, AT(known_tau), .help = "... where groups were held out"},
    {"unknown_tau", RG_FIELD_NUMBER, false, AT(unknown_tau), .help = "... where the device was"},
    {"known_coverage", RG_FIELD_REAL, false, AT(known_coverage),
     .help = "of rows held out in 90 % intervals"},
    {"known_width", RG_FIELD_REAL, false, AT(known_width), .help = "of these, (high - low) / value"},
    {"unknown_coverage", RG_FIELD_REAL, false, AT(unknown_coverage), .help = "... where the device was"},
    {"unknown_width", RG_FIELD_REAL, false, AT(unknown_width), .help = "... where the device was"},
};
#undef AT
static const rg_record member_record = RG_RECORD(rg_trees_member, member_fields);

enum { PACKED, PLAIN };          /* the format: as it is written, and as it was */
static const char *const formats[] = {"ridge.trees/2", "ridge.trees/1", NULL};
#define AT(member) offsetof(rg_trees, member)
static const rg_field file_fields[] = {
    {"schema", RG_FIELD_NAME, true, AT(format), .names = formats, .help = "the format of this file"},
    {"key", RG_FIELD_TEXT, true, AT(key), .help = "what rows it corrects: runtime.family.type"},
    {"made_of", RG_FIELD_TEXT, true, AT(made_of), .help = "files of measurements"},
    {"data_hash", RG_FIELD_TEXT, true, AT(data_hash), .help = "of the measurements"},
    {"features", RG_FIELD_TEXTS, true, AT(features), AT(feature_count), .help = "names, in order"},
    {"low", RG_FIELD_NUMBERS, true, AT(low), AT(low_count), .help = "least measured"},
    {"high", RG_FIELD_NUMBERS, true, AT(high), AT(high_count), .help = "most measured"},
    {"pooled_weight", RG_FIELD_REAL, true, AT(pooled_weight), .help = "of the member of all devices"},
    {"reach", RG_FIELD_POSITIVE, true, AT(reach), .help = "distance at which a device counts 1/e"},
    {"trust", RG_FIELD_REAL, true, AT(trust), .help = "of the answer for a device that was not measured"},
    {"pooled_share", RG_FIELD_REAL, false, AT(pooled_share), .help = "... where a device is known"},
    {"hosts_apart", RG_FIELD_FLAG, false, AT(hosts_apart), .help = "members leave their hosts out"},
    {"known_spread", RG_FIELD_REAL, true, AT(known_spread), .help = "90 % of |log error|, device known"},
    {"sister_spread", RG_FIELD_REAL, true, AT(sister_spread), .help = "... its architecture known"},
    {"unknown_spread", RG_FIELD_REAL, true, AT(unknown_spread), .help = "... neither known"},
    {"devices", RG_FIELD_COUNT, true, AT(devices), .help = "that this rests on"},
    {"members", RG_FIELD_ROWS, true, AT(members), AT(member_count), &member_record, .help = "sums of trees"},
};
#undef AT
static const rg_record file_record = RG_RECORD(rg_trees, file_fields);

/* A binary tree has one leaf more than inner nodes. Of broken nodes this is any number. */
static uint32_t count_trees(const rg_trees_member *m)
{
    int64_t trees = 0;
    for (int i = 0; i < m->node_count; i++) trees += m->nodes[i].feature == RG_TREES_LEAF ? 1 : -1;
    return trees > 0 ? (uint32_t)trees : 0;
}

typedef struct climb {           /* through the nodes of a member */
    rg_ctx *cx;
    const rg_trees_member *member;
    size_t features;
    uint32_t at;
    uint32_t right[RG_TREES_DEPTH]; int open; /* where right children are to begin that are still to come */
} climb;

static rg_err check_inner(climb *c, const rg_tree_node *node)
{
    const char *name = c->member->device;
    if (node->feature >= c->features)
        return rg_fail(c->cx, RG_FORMAT, "member %s: node %u asks for feature %u of %zu", name, c->at,
                       node->feature, c->features);
    if (c->open == RG_TREES_DEPTH)
        return rg_fail(c->cx, RG_LIMIT, "member %s: node %u lies more than %d deep", name, c->at,
                       RG_TREES_DEPTH);
    c->right[c->open++] = c->at + node->right;
    return RG_OK;
}

/* One tree from c->at to behind its end: the node behind a leaf is the right child that waits last. */
static rg_err check_tree(climb *c)
{
    const rg_trees_member *m = c->member;
    for (c->open = 0; c->at < (uint32_t)m->node_count;) {
        const rg_tree_node *node = &m->nodes[c->at];
        if (!isfinite(node->value))
            return rg_fail(c->cx, RG_FORMAT, "member %s: node %u is no number", m->device, c->at);
        bool leaf = node->feature == RG_TREES_LEAF;
        if (!leaf) RG_TRY(check_inner(c, node));
        c->at++;
        if (!leaf) continue;
        if (!c->open) return RG_OK;
        if (c->right[--c->open] != c->at)
            return rg_fail(c->cx, RG_FORMAT, "member %s: a right child should be node %u, not %u", m->device,
                           c->at, c->right[c->open]);
    }
    return rg_fail(c->cx, RG_FORMAT, "member %s: its last tree goes on behind node %u", m->device, c->at);
}

rg_err rg_trees_find_roots(rg_ctx *cx, rg_arena *arena, rg_trees_member *m, size_t features)
{
    climb c = {.cx = cx, .member = m, .features = features};
    uint32_t trees = count_trees(m);
    m->roots = RG_NEW(arena, uint32_t, trees + 1);
    if (!m->roots) return rg_nomem(cx);
    for (m->tree_count = 0; c.at < (uint32_t)m->node_count;) {
        uint32_t begin = c.at;
        RG_TRY(check_tree(&c));
        if (m->tree_count < trees)
            m->roots[m->tree_count++] = begin; /* more than that: a later one is broken */
    }
    return RG_OK;
}

/* Eight bytes each, as they are walked. */
static rg_err read_plain(rg_ctx *cx, rg_trees *t, rg_trees_member *m, rg_str bytes, size_t *taken)
{
    size_t size = (size_t)m->node_count * sizeof(rg_tree_node);
    if (size > bytes.size)
        return rg_fail(cx, RG_FORMAT, "member %s: %d nodes do not fit into the %zu bytes that are left",
                       m->device, m->node_count, bytes.size);
    rg_tree_node *nodes = RG_NEW(&t->arena, rg_tree_node, m->node_count);
    if (!nodes) return rg_nomem(cx);
    memcpy(nodes, bytes.data, size);
    m->nodes = nodes;
    *taken = size;
    return rg_trees_find_roots(cx, &t->arena, m, t->feature_count);
}

static rg_err find_nodes(rg_ctx *cx, rg_trees *t, rg_str bytes)
{
    for (size_t i = 0; i < t->member_count; i++) {
        rg_trees_member *m = &t->members[i];
        size_t taken = 0;
        if (m->trait_count != RG_TRAITS && m->trait_count != 0)
            return rg_fail(cx, RG_FORMAT, "member %s: %zu traits in place of %d", m->device, m->trait_count,
                           RG_TRAITS);
        if (m->slope_count != t->feature_count && m->slope_count != 0)
            return rg_fail(cx, RG_FORMAT, "member %s: %zu slopes of %zu features", m->device, m->slope_count,
                           t->feature_count);
        if (t->format == PLAIN) RG_TRY(read_plain(cx, t, m, bytes, &taken));
        else RG_TRY(rg_trees_unpack(cx, &t->arena, m, t->feature_count, bytes, &taken));
        bytes = (rg_str){bytes.data + taken, bytes.size - taken};
    }
    return bytes.size ? rg_fail(cx, RG_FORMAT, "%zu bytes behind the last member's nodes", bytes.size)
                      : RG_OK;
}

static rg_err parse(rg_ctx *cx, rg_str bytes, rg_trees *t)
{
    const char *line = bytes.size ? memchr(bytes.data, '\n', bytes.size) : NULL;
    size_t head = line ? (size_t)(line - bytes.data) + 1 : 0;
    if (!head) return rg_fail(cx, RG_FORMAT, "none of its %zu bytes ends a first line", bytes.size);
    if (head % sizeof(rg_tree_node))
        return rg_fail(cx, RG_FORMAT, "its first line has %zu bytes, not a multiple of %zu", head,
                       sizeof(rg_tree_node));
    RG_TRY(rg_read_record(cx, &t->arena, (rg_str){bytes.data, head}, &file_record, NULL, t));
    if (t->low_count != t->feature_count || t->high_count != t->feature_count)
        return rg_fail(cx, RG_FORMAT, "%zu features, %zu low and %zu high", t->feature_count, t->low_count,
                       t->high_count);
    if (t->feature_count > RG_TREES_FEATURES)
        return rg_fail(cx, RG_LIMIT, "%zu features exceed %d", t->feature_count, RG_TREES_FEATURES);
    return find_nodes(cx, t, (rg_str){bytes.data + head, bytes.size - head});
}

rg_err rg_trees_parse(rg_ctx *cx, rg_str bytes, const char *name, rg_trees **out)
{
    rg_arena arena;
    rg_arena_init(&arena, cx);
    rg_trees *t = RG_NEW(&arena, rg_trees, 1);
    if (!t) {
        rg_arena_done(&arena);
        return rg_nomem(cx);
    }
    t->arena = arena;
    rg_err err = parse(cx, bytes, t);
    if (err) {
        rg_trees_free(t);
        return rg_note(cx, err, "%s", name);
    }
    *out = t;
    return RG_OK;
}

void rg_trees_free(const rg_trees *trees)
{
    if (!trees) return;
    rg_arena arena = trees->arena; /* they lie in it themselves */
    rg_arena_done(&arena);
}

/* One step down; a leaf stays. Without a branch that depends on x: which way is a coin toss to the machine.
 */
static inline const rg_tree_node *step(const rg_tree_node *node, const float *x)
{
    bool leaf = node->feature == RG_TREES_LEAF, left = x[leaf ? 0 : node->feature] < node->value;
    uint32_t ahead = left ? 1 : node->right;
    return node + (leaf ? 0 : ahead);
}

enum { ABREAST = 4 };            /* walks that do not wait for each other's loads */

static inline void walk(const rg_tree_node *at[ABREAST], const float *const x[ABREAST])
{
    for (bool inner = true; inner;) {
        inner = false;
        for (int k = 0; k < ABREAST; k++) {
            at[k] = step(at[k], x[k]);
            inner |= at[k]->feature != RG_TREES_LEAF;
        }
    }
}

static double leaf_of(const rg_tree_node *node, const float *x)
{
    while (node->feature != RG_TREES_LEAF) node = step(node, x);
    return (double)node->value;
}

double rg_trees_sum(const rg_trees_member *member, const float *x)
{
    const float *const same[ABREAST] = {x, x, x, x};
    const rg_tree_node *at[ABREAST];
    double sum = member->start;
    uint32_t i = 0;
    for (; i + ABREAST <= member->tree_count; i += ABREAST) {
        for (uint32_t k = 0; k < ABREAST; k++) at[k] = member->nodes + member->roots[i + k];
        walk(at, same);
        for (int k = 0; k < ABREAST; k++) sum += (double)at[k]->value;
    }
    for (; i < member->tree_count; i++) sum += leaf_of(member->nodes + member->roots[i], x);
    return sum;
}

void rg_trees_sums(const rg_trees_member *member, const float *x, size_t stride, size_t count, double *sums)
{
    size_t together = count - count % ABREAST;
    for (size_t i = 0; i < together; i++) sums[i] = member->start;
    for (uint32_t t = 0; t < member->tree_count; t++)
        for (size_t i = 0; i < together; i += ABREAST) {
            const float *points[ABREAST];
            const rg_tree_node *at[ABREAST];
            for (size_t k = 0; k < ABREAST; k++) {
                points[k] = x + (i + k) * stride;
                at[k] = member->nodes + member->roots[t];
            }
            walk(at, points);
            for (size_t k = 0; k < ABREAST; k++) sums[i + k] += (double)at[k]->value;
        }
    for (size_t i = together; i < count; i++) sums[i] = rg_trees_sum(member, x + i * stride);
}

double rg_trees_line(const rg_trees *trees, const rg_trees_member *member, const float *x)
{
    double sum = 0;
    for (size_t i = 0; i < member->slope_count; i++) {
        double at = (double)x[i] < trees->low[i] ? trees->low[i] : (double)x[i];
        sum += member->slopes[i] * (at > trees->high[i] ? trees->high[i] : at);
    }
    return sum;
}

rg_err rg_trees_write(rg_ctx *cx, const rg_trees *trees, rg_str *out)
{
    rg_str json;
    rg_text text;
    rg_trees packed = *trees;
    packed.format = PACKED;
    RG_TRY(rg_write_record(cx, &file_record, &packed, &json));
    rg_text_init(&text, &cx->arena);
    for (size_t i = 0; i < json.size; i++) rg_text_char(&text, json.data[i] == '\n' ? ' ' : json.data[i]);
    while ((text.size + 1) % sizeof(rg_tree_node)) rg_text_char(&text, ' ');
    rg_text_char(&text, '\n');
    for (size_t i = 0; i < trees->member_count; i++)
        RG_TRY(rg_trees_pack(cx, &trees->members[i], trees->feature_count, &text));
    if (text.failed) return rg_nomem(cx);
    *out = (rg_str){text.data, text.size};
    return RG_OK;
}
