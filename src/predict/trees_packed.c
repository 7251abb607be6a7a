/* trees_packed.c - nodes in two bytes. Trees grown on histograms ask few different questions, again and
 * again: a member keeps them once, in a table, and an inner node is a question's number. What a leaf adds is
 * a whole number of units, a power of two that all leaves of a member share: 15 bits of hundreds of trees'
 * leaves are off by 1e-4 or so together. Where a right child begins is not kept: in preorder it follows the
 * left one.
 *
 *     counts[features]  uint16   questions of each feature
 *     thresholds        float    of the first feature's questions, of the second's, ...: x < threshold?
 *     exponent          int16    a unit is 2^exponent
 *     nodes             uint16   below 0x8000 a question's number, else a leaf: (node - 0xc000) units
 *
 * All little endian, nothing between. They are unpacked into the nodes that are walked (trees.h), which know
 * how far ahead their right child is.
 */
#include "predict/trees_packed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Units keep leaves within what a float can say. */
enum { LEAF = 0x8000, ZERO = 0xc000, UNITS_MOST = 0x3fff, EXPONENT_LEAST = -126, EXPONENT_MOST = 113 };

typedef struct question { float threshold; uint16_t feature; } question;

/* ---- reading ---- */

typedef struct unpacking {
    rg_ctx *cx;
    rg_trees_member *member;
    rg_str bytes; size_t at;
    question *questions; size_t question_count;
    double unit;
} unpacking;

static rg_err take(unpacking *u, size_t count, size_t size, const char *what, const char **out)
{
    size_t left = u->bytes.size - u->at;
    if (count > left / size)
        return rg_fail(u->cx, RG_FORMAT, "member %s: %zu %s do not fit into the %zu bytes that are left",
                       u->member->device, count, what, left);
    *out = u->bytes.data + u->at;
    u->at += count * size;
    return RG_OK;
}

static uint16_t word_at(const char *bytes, size_t i)
{
    uint16_t word;
    memcpy(&word, bytes + i * sizeof word, sizeof word);
    return word;
}

static rg_err take_questions(unpacking *u, size_t features)
{
    const char *counts = NULL, *thresholds = NULL;
    RG_TRY(take(u, features, sizeof(uint16_t), "counts", &counts));
    for (size_t f = 0; f < features; f++) u->question_count += word_at(counts, f);
    if (u->question_count > LEAF)
        return rg_fail(u->cx, RG_LIMIT, "member %s: %zu different splits exceed %d", u->member->device,
                       u->question_count, LEAF);
    RG_TRY(take(u, u->question_count, sizeof(float), "thresholds", &thresholds));
    u->questions = RG_NEW(&u->cx->arena, question, u->question_count + 1);
    if (!u->questions) return rg_nomem(u->cx);
    for (size_t f = 0, i = 0; f < features; f++)
        for (size_t end = i + word_at(counts, f); i < end; i++) {
            question *q = &u->questions[i];
            q->feature = (uint16_t)f;
            memcpy(&q->threshold, thresholds + i * sizeof q->threshold, sizeof q->threshold);
            if (!isfinite(q->threshold))
                return rg_fail(u->cx, RG_FORMAT, "member %s: threshold %zu is no number", u->member->device,
                               i);
        }
    return RG_OK;
}

static rg_err take_unit(unpacking *u)
{
    const char *bytes = NULL;
    RG_TRY(take(u, 1, sizeof(int16_t), "exponent", &bytes));
    int exponent = (int16_t)word_at(bytes, 0);
    if (exponent < EXPONENT_LEAST || exponent > EXPONENT_MOST)
        return rg_fail(u->cx, RG_FORMAT, "member %s: leaves have exponent %d, not %d to %d",
                       u->member->device, exponent, EXPONENT_LEAST, EXPONENT_MOST);
    u->unit = ldexp(1, exponent);
    return RG_OK;
}

/* A binary tree has one leaf more than inner nodes. Of broken nodes this is any number. */
static uint32_t count_trees(const char *words, size_t count)
{
    int64_t trees = 0;
    for (size_t i = 0; i < count; i++) trees += word_at(words, i) >= LEAF ? 1 : -1;
    return trees > 0 ? (uint32_t)trees : 0;
}

/* One tree, from *at to behind its end. The node behind a leaf is the right child of the inner node that has
 * waited for the shortest time. */
static rg_err take_tree(const unpacking *u, const char *words, size_t *at, rg_tree_node *nodes)
{
    size_t waiting[RG_TREES_DEPTH], count = (size_t)u->member->node_count;
    const char *device = u->member->device;
    int open = 0;
    for (size_t i = *at; i < count; i++) {
        uint16_t word = word_at(words, i);
        if (word < LEAF) {
            if (word >= u->question_count)
                return rg_fail(u->cx, RG_FORMAT, "member %s: node %zu asks for split %d of %zu", device, i,
                               word, u->question_count);
            if (open == RG_TREES_DEPTH)
                return rg_fail(u->cx, RG_LIMIT, "member %s: node %zu lies more than %d deep", device, i,
                               RG_TREES_DEPTH);
            nodes[i] = (rg_tree_node){u->questions[word].threshold, u->questions[word].feature, 0};
            waiting[open++] = i;
            continue;
        }
        nodes[i] = (rg_tree_node){(float)((word - ZERO) * u->unit), RG_TREES_LEAF, 0};
        *at = i + 1;
        if (!open) return RG_OK;
        size_t parent = waiting[--open], ahead = i + 1 - parent;
        if (ahead > UINT16_MAX)
            return rg_fail(u->cx, RG_LIMIT, "member %s: %zu nodes to the left of node %zu exceed %d", device,
                           ahead - 1, parent, UINT16_MAX - 1);
        nodes[parent].right = (uint16_t)ahead;
    }
    return rg_fail(u->cx, RG_FORMAT, "member %s: its last tree goes on behind node %zu", device, count - 1);
}

rg_err rg_trees_unpack(rg_ctx *cx, rg_arena *arena, rg_trees_member *m, size_t features, rg_str bytes,
                       size_t *taken)
{
    unpacking u = {.cx = cx, .member = m, .bytes = bytes};
    const char *words = NULL;
    RG_TRY(take_questions(&u, features));
    RG_TRY(take_unit(&u));
    RG_TRY(take(&u, (size_t)m->node_count, sizeof(uint16_t), "nodes", &words));
    uint32_t trees = count_trees(words, (size_t)m->node_count);
    rg_tree_node *nodes = RG_NEW(arena, rg_tree_node, m->node_count + 1);
    m->nodes = nodes;
    m->roots = RG_NEW(arena, uint32_t, trees + 1);
    if (!nodes || !m->roots) return rg_nomem(cx);
    m->tree_count = 0;
    for (size_t at = 0; at < (size_t)m->node_count;) {
        uint32_t begin = (uint32_t)at;
        RG_TRY(take_tree(&u, words, &at, nodes));
        if (m->tree_count < trees) m->roots[m->tree_count++] = begin; /* more: a later one is broken */
    }
    *taken = u.at;
    return RG_OK;
}

/* ---- writing ---- */

static int by_question(const void *a, const void *b)
{
    const question *x = a, *y = b;
    if (x->feature != y->feature) return (x->feature > y->feature) - (x->feature < y->feature);
    return (x->threshold > y->threshold) - (x->threshold < y->threshold);
}

static rg_err gather(rg_ctx *cx, const rg_trees_member *m, question **out, size_t *count)
{
    question *all = RG_NEW(&cx->arena, question, m->node_count + 1);
    size_t inner = 0;
    if (!all) return rg_nomem(cx);
    for (int i = 0; i < m->node_count; i++)
        if (m->nodes[i].feature != RG_TREES_LEAF)
            all[inner++] = (question){m->nodes[i].value, m->nodes[i].feature};
    qsort(all, inner, sizeof *all, by_question);
    *count = 0;
    for (size_t i = 0; i < inner; i++)
        if (!*count || by_question(&all[i], &all[*count - 1]) != 0) all[(*count)++] = all[i];
    *out = all;
    return *count <= LEAF ? RG_OK
                          : rg_fail(cx, RG_LIMIT, "member %s: %zu different splits exceed %d", m->device,
                                    *count, LEAF);
}

/* The least whose UNITS_MOST reach the largest leaf. */
static int exponent_of(const rg_trees_member *m)
{
    double most = 0;
    for (int i = 0; i < m->node_count; i++)
        if (m->nodes[i].feature == RG_TREES_LEAF) most = fmax(most, fabs((double)m->nodes[i].value));
    int exponent = EXPONENT_LEAST;
    while (exponent < EXPONENT_MOST && most > ldexp(UNITS_MOST, exponent)) exponent++;
    return exponent;
}

static void put_word(rg_text *to, int word)
{
    uint16_t bits = (uint16_t)word;
    rg_text_put(to, (rg_str){(const char *)&bits, sizeof bits});
}

/* Values that no unit reaches are as large as can be. */
static int leaf_word(float value, double unit)
{
    double units = rint((double)value / unit);
    return ZERO + (int)fmin(fmax(units, -UNITS_MOST), UNITS_MOST);
}

rg_err rg_trees_pack(rg_ctx *cx, const rg_trees_member *m, size_t features, rg_text *to)
{
    question *questions = NULL;
    size_t count = 0;
    RG_TRY(gather(cx, m, &questions, &count));
    for (size_t f = 0, i = 0; f < features; f++) {
        size_t begin = i;
        while (i < count && questions[i].feature == f) i++;
        put_word(to, (int)(i - begin));
    }
    for (size_t i = 0; i < count; i++)
        rg_text_put(to, (rg_str){(const char *)&questions[i].threshold, sizeof questions[i].threshold});
    int exponent = exponent_of(m);
    put_word(to, exponent);
    for (int i = 0; i < m->node_count; i++) {
        const rg_tree_node *node = &m->nodes[i];
        const question asked = {node->value, node->feature};
        const question *found = node->feature == RG_TREES_LEAF
                                    ? NULL
                                    : bsearch(&asked, questions, count, sizeof asked, by_question);
        put_word(to, found ? (int)(found - questions) : leaf_word(node->value, ldexp(1, exponent)));
    }
    return to->failed ? rg_nomem(cx) : RG_OK;
}
