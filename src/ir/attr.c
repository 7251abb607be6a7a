/* attr.c - attributes as text and as sorted arrays: `axis=1 pads=1,1,1,1 auto_pad=SAME_UPPER alpha=0.5f`.
 *
 * Values are those of the text form (ir/literal.h); written by hand, a string that is a word may also stand
 * without quotes, and so may a list of them: activations=Sigmoid,Tanh.
 */
#include "ir/literal.h"

#include <stdlib.h>
#include <string.h>

/* Words that begin a value which is no bare string. */
static const char *const reserved[] = {"inf", "nan", "tensor", "type"};

/* A bare word comes next; it is not taken. */
static bool is_bare(const rg_lex *at)
{
    rg_lex lex = *at;
    rg_str word;
    char c = rg_lex_peek(&lex);
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!is_letter || !rg_lex_word(&lex, &word) || rg_lex_touches(&lex, '[')) return false;
    for (size_t i = 0; i < RG_COUNT(reserved); i++)
        if (rg_str_is(word, reserved[i])) return false;
    return true;
}

static rg_err read_words(rg_lex *lex, rg_attr *out)
{
    rg_str *words = NULL, word;
    uint32_t count = 0, capacity = 0;
    do {
        if (!rg_lex_word(lex, &word)) return rg_lex_fail(lex, RG_FORMAT, "expected a word");
        if (!RG_GROW(lex->arena, words, count, capacity)) return rg_nomem(lex->cx);
        words[count] = rg_arena_str(lex->arena, word);
        if (!words[count++].data) return rg_nomem(lex->cx);
    } while (rg_lex_take(lex, ","));
    if (count == 1) {
        out->kind = RG_ATTR_STRING;
        out->s = words[0];
        return RG_OK;
    }
    out->kind = RG_ATTR_STRINGS;
    out->count = count;
    out->strings = words;
    return RG_OK;
}

static rg_err read_attr(rg_lex *lex, rg_attr *out)
{
    rg_dims dims = {.arena = lex->arena};
    rg_str name;
    RG_TRY(rg_lex_name(lex, &name));
    *out = (rg_attr){.name = rg_arena_str(lex->arena, name)};
    if (!out->name.data) return rg_nomem(lex->cx);
    RG_TRY(rg_lex_expect(lex, "="));
    if (is_bare(lex)) return read_words(lex, out);
    RG_TRY(rg_lex_attr(lex, &dims, out));
    if (dims.count)
        return rg_lex_fail(lex, RG_UNSUPPORTED, "a symbolic size in an attribute outside a graph");
    return RG_OK;
}

rg_err rg_attrs_parse(rg_ctx *cx, rg_arena *arena, rg_str text, rg_attr **attrs, uint32_t *count)
{
    rg_lex lex = {.cx = cx, .arena = arena, .text = text};
    uint32_t capacity = 0;
    *attrs = NULL;
    for (*count = 0; !rg_lex_end(&lex); ++*count) {
        if (*count == RG_ATTR_MAX) return rg_lex_fail(&lex, RG_LIMIT, "more than %d attributes", RG_ATTR_MAX);
        if (!RG_GROW(arena, *attrs, *count, capacity)) return rg_nomem(cx);
        RG_TRY_NOTE(cx, read_attr(&lex, &(*attrs)[*count]), "attributes '%.*s'", RG_STR(text));
    }
    rg_attrs_sort(*attrs, *count);
    for (uint32_t i = 1; i < *count; i++)
        if (rg_str_eq((*attrs)[i].name, (*attrs)[i - 1].name))
            return rg_fail(cx, RG_FORMAT, "attributes '%.*s': '%.*s' is given twice", RG_STR(text),
                           RG_STR((*attrs)[i].name));
    return RG_OK;
}

static int by_name(const void *a, const void *b)
{
    return rg_str_cmp(((const rg_attr *)a)->name, ((const rg_attr *)b)->name);
}

void rg_attrs_sort(rg_attr *attrs, uint32_t count)
{
    if (count > 1) qsort(attrs, count, sizeof *attrs, by_name);
}

const rg_attr *rg_node_attr(const rg_node *node, const char *name)
{
    for (uint32_t i = 0; i < node->attr_count; i++)
        if (rg_str_is(node->attrs[i].name, name)) return &node->attrs[i];
    return NULL;
}

rg_err rg_node_set_attr(rg_ctx *cx, rg_graph *g, rg_node_id node, const rg_attr *attr)
{
    rg_node *n = &g->nodes[node];
    uint32_t at = 0;
    while (at < n->attr_count && rg_str_cmp(n->attrs[at].name, attr->name) < 0) at++;
    bool replaces = at < n->attr_count && rg_str_eq(n->attrs[at].name, attr->name);
    uint32_t count = n->attr_count + !replaces, rest = n->attr_count - at - replaces;
    rg_attr *attrs = RG_NEW(&g->arena, rg_attr, count); /* never in place: nodes share the array */
    if (!attrs) return rg_nomem(cx);
    if (at) memcpy(attrs, n->attrs, at * sizeof *attrs);
    attrs[at] = *attr;
    if (rest) memcpy(attrs + at + 1, n->attrs + at + replaces, rest * sizeof *attrs);
    n->attrs = attrs;
    n->attr_count = count;
    return RG_OK;
}
