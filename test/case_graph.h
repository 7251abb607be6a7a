/* case_graph.h - a graph of one node from the text of an operator's case, for the tests that walk the
 * operators.
 *
 *     inputs    "f32[1,3,8,8] i64[2]=1,-1 _"       typed inputs, constants with their elements, omitted ones
 *     outputs   "f32[1,3,8,8] _"                   as many outputs as there are types
 */
#ifndef CASE_GRAPH_H
#define CASE_GRAPH_H

#include "ir/literal.h"
#include "op/op.h"

#include <string.h>

enum { CASE_VALUE_MAX = 32 };

/* Elements behind "=", into a constant. */
static inline rg_err case_const(rg_ctx *cx, rg_graph *g, const rg_type *type, rg_str text, rg_value_id *out)
{
    rg_tensor *t = RG_NEW(&g->arena, rg_tensor, 1);
    int64_t count = rg_type_count(g, type);
    double *data = RG_NEW(&g->arena, double, count + 1), x = 0;
    int64_t whole = 0;
    rg_str part, name;
    if (!t || !data) return rg_nomem(cx);
    for (int64_t i = 0; i < count; i++) {
        if (!rg_str_cut(&text, ',', &part))
            return rg_fail(cx, RG_FORMAT, "%lld elements are too few", (long long)i);
        if (rg_str_int(part, &whole) && !rg_dtype_is_float(type->dtype))
            rg_dtype_set_int(type->dtype, data, i, whole);
        else if (rg_str_real(part, &x))
            rg_dtype_set_real(type->dtype, data, i, x);
        else
            return rg_fail(cx, RG_FORMAT, "'%.*s' is no element", RG_STR(part));
    }
    *t = (rg_tensor){
        .dtype = type->dtype, .rank = type->rank, .dim = type->dim, .count = count, .encoding = RG_DATA_RAW,
        .data = data, .size = (size_t)rg_dtype_bytes(type->dtype, (double)count),
    };
    RG_TRY(rg_graph_fresh_name(cx, g, "c", &name));
    return rg_graph_add_const(cx, g, name, t, out);
}

/* One type of the text; "_" gives 0. */
static inline rg_err case_value(rg_ctx *cx, rg_graph *g, rg_str token, bool is_input, rg_value_id *out)
{
    rg_str elements = token, text, name;
    rg_type *type = RG_NEW(&g->arena, rg_type, 1);
    *out = 0;
    if (rg_str_is(token, "_")) return RG_OK;
    if (!is_input) { /* its type is not looked at: symbols that inference makes would be taken */
        RG_TRY(rg_graph_fresh_name(cx, g, "y", &name));
        RG_TRY(rg_graph_add_value(cx, g, RG_MAIN, name, NULL, RG_ROLE_NODE, out));
        return rg_graph_add_output(cx, g, RG_MAIN, *out);
    }
    if (!type || !rg_str_cut(&elements, '=', &text)) return rg_nomem(cx);
    rg_lex lex = {cx, &g->arena, text, 0};
    RG_TRY(rg_lex_type(&lex, &g->dims, type));
    if (text.size < token.size) return case_const(cx, g, type, elements, out);
    RG_TRY(rg_graph_fresh_name(cx, g, "x", &name));
    RG_TRY(rg_graph_add_value(cx, g, RG_MAIN, name, type, RG_ROLE_INPUT, out));
    return rg_graph_add_input(cx, g, RG_MAIN, *out);
}

static inline rg_err case_values(rg_ctx *cx, rg_graph *g, const char *text, bool is_input, rg_value_id *ids,
                                 uint32_t *count)
{
    rg_str rest = rg_str_of(text), token;
    for (*count = 0; rest.size > 0 && rg_str_cut(&rest, ' ', &token); ++*count) {
        if (*count == CASE_VALUE_MAX)
            return rg_fail(cx, RG_LIMIT, "more than %d values", CASE_VALUE_MAX);
        RG_TRY(case_value(cx, g, token, is_input, &ids[*count]));
    }
    return RG_OK;
}

/* The graph, neither resolved nor inferred; of a case that is a whole graph, that graph. */
static inline rg_err case_graph(rg_ctx *cx, const rg_op *op, const rg_case *c, rg_graph **out)
{
    rg_value_id in[CASE_VALUE_MAX], outs[CASE_VALUE_MAX];
    uint32_t in_count, out_count, attr_count = 0;
    rg_attr *attrs = NULL;
    rg_node_id node;
    if (!c->inputs) return rg_graph_of_text(cx, rg_str_of(c->attrs), "case", out);
    RG_TRY(rg_graph_new(cx, out));
    rg_graph *g = *out;
    g->opset = RG_OPSET_MAX;
    RG_TRY(case_values(cx, g, c->inputs, true, in, &in_count));
    RG_TRY(case_values(cx, g, c->outputs, false, outs, &out_count));
    RG_TRY(rg_attrs_parse(cx, &g->arena, rg_str_of(c->attrs), &attrs, &attr_count));
    rg_node like = {
        .name = rg_str_of("case"), .type = rg_str_of(op->name), .domain = rg_str_of(op->domain),
        .version = op->since, .attrs = attrs, .attr_count = attr_count,
    };
    return rg_graph_add_node(cx, g, RG_MAIN, &like, in, in_count, outs, out_count, &node);
}

static inline rg_err case_infer(rg_ctx *cx, rg_graph *g)
{
    RG_TRY(rg_graph_resolve(cx, g));
    RG_TRY(rg_graph_finish(cx, g));
    return rg_graph_infer(cx, g);
}

#endif
