/* pass_graph.h - what the tests of passes share: graphs from text, passes over them, and counting what is
 * left. */
#ifndef PASS_GRAPH_H
#define PASS_GRAPH_H

#include "analyze/analyze.h"
#include "pass/pass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "ridge.graph/1 \"net\" opset 24\n"

static inline int start(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static inline int stop(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static inline void expect_ok(rg_ctx *cx, rg_err err)
{
    if (err) print_error("%s\n", rg_ctx_error(cx));
    assert_int_equal(err, RG_OK);
}

/* Resolved, not inferred. */
static inline rg_graph *graph_of(rg_ctx *cx, const char *text)
{
    rg_graph *g = NULL;
    expect_ok(cx, rg_graph_of_text(cx, rg_str_of(text), NULL, &g));
    expect_ok(cx, rg_graph_resolve(cx, g));
    return g;
}

/* Behind the named passes (NULL: all), verified. */
static inline rg_graph *passed(rg_ctx *cx, const rg_graph *in, const char *names)
{
    rg_graph *out = NULL;
    expect_ok(cx, rg_passes_run(cx, in, names, &out));
    expect_ok(cx, rg_graph_verify(cx, out));
    return out;
}

static inline rg_graph *passed_text(rg_ctx *cx, const char *text, const char *names)
{
    rg_graph *in = graph_of(cx, text);
    expect_ok(cx, rg_graph_infer(cx, in));
    rg_graph *out = passed(cx, in, names);
    rg_graph_free(in);
    return out;
}

/* Live nodes of a type (NULL: of all) in all regions. */
static inline int nodes_of(const rg_graph *g, const char *type)
{
    int count = 0;
    for (rg_node_id id = 1; id < g->node_count; id++)
        count += !g->nodes[id].dead && (!type || rg_node_is(&g->nodes[id], type));
    return count;
}

/* The only live node of a type. */
static inline const rg_node *the_node(const rg_graph *g, const char *type)
{
    const rg_node *found = NULL;
    assert_int_equal(nodes_of(g, type), 1);
    for (rg_node_id id = 1; id < g->node_count; id++)
        if (!g->nodes[id].dead && rg_node_is(&g->nodes[id], type)) found = &g->nodes[id];
    return found;
}

static inline const rg_value *the_value(const rg_graph *g, const char *name)
{
    for (rg_value_id v = 1; v < g->value_count; v++)
        if (rg_str_is(g->values[v].name, name)) return &g->values[v];
    fail_msg("no value %s", name);
    return NULL;
}

static inline double mac_of(rg_ctx *cx, const rg_graph *g)
{
    const rg_facts *facts = NULL;
    expect_ok(cx, rg_facts_make(cx, g, &facts));
    double mac = facts->mac;
    rg_facts_free(facts);
    return mac;
}

#endif
