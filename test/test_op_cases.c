/* test_op_cases.c - every operator of the table: its row is sound, its cases give the types that they state,
 * its work is a number; and with inputs and attributes of every kind that a hostile file can hold, and with
 * memory that ends anywhere, inference answers or refuses, and does nothing else.
 */
#include "case_graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static rg_ctx *new_cx(void)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    assert_non_null(cx);
    return cx;
}

/* All operators are looked at before a test fails, so that one run tells everything. */
static int complaints;

static void complain(const char *format, ...) RG_PRINTF(1, 2);
static void complain(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    print_error("%s\n", text);
    complaints++;
}

static int start(void **state)
{
    (void)state;
    complaints = 0;
    return 0;
}

static void finish(void) { assert_int_equal(complaints, 0); }

/* The graph of a case; NULL, with a complaint, when its text is wrong. */
static rg_graph *graph_of(rg_ctx *cx, const rg_op *op, const rg_case *c)
{
    rg_graph *g = NULL;
    if (case_graph(cx, op, c, &g) == RG_OK) return g;
    complain("%s(%s) %s: %s", op->name, c->inputs ? c->inputs : "graph", c->attrs ? c->attrs : "",
             rg_ctx_error(cx));
    rg_graph_free(g);
    return NULL;
}

#define FOR_EACH_CASE(op, c)                                                              \
    for (int op##_i = 0; op##_i < rg_op_count; op##_i++)                                  \
        for (const rg_op *op = rg_op_table[op##_i]; op; op = NULL)                        \
            for (const rg_case *c = op->cases; c < op->cases + op->case_count; c++)

/* ---- rows ---- */

static void test_rows(void **state)
{
    (void)state;
    for (int i = 0; i < rg_op_count; i++) {
        const rg_op *op = rg_op_table[i];
        if (!op->brief || !op->infer || op->since < 1 || op->case_count == 0 ||
            !(op->work || (op->traits & RG_VIEW)))
            complain("%s: incomplete row", op->name);
        if (op->in_max >= 0 && op->in_max < op->in_min)
            complain("%s: %d to %d inputs", op->name, op->in_min, op->in_max);
        assert_ptr_equal(rg_op_find(rg_str_of(op->domain), rg_str_of(op->name)), op);
        for (size_t k = 0; k < op->attr_count; k++)
            if (!op->attrs[k].name || !op->attrs[k].help || op->attrs[k].kind == RG_ATTR_NONE)
                complain("%s: incomplete attribute %zu", op->name, k);
    }
    finish();
}

static void test_presets(void **state)
{
    (void)state;
    for (int i = 0; i < rg_op_count; i++)
        for (size_t k = 0; k < rg_op_table[i]->attr_count; k++) {
            const rg_attr_spec *a = &rg_op_table[i]->attrs[k];
            rg_str text = rg_str_of(a->preset), part;
            int64_t whole;
            double real;
            bool good = !a->preset || a->kind == RG_ATTR_STRING;
            if (a->kind == RG_ATTR_INT)
                good = good || rg_str_int(text, &whole);
            else if (a->kind == RG_ATTR_FLOAT)
                good = good || rg_str_real(text, &real);
            else if (a->kind == RG_ATTR_INTS && a->preset)
                for (good = true; text.size && rg_str_cut(&text, ',', &part);)
                    good = good && rg_str_int(part, &whole);
            if (!good) complain("%s: preset of %s", rg_op_table[i]->name, a->name);
        }
    finish();
}

static void test_find(void **state)
{
    (void)state;
    assert_string_equal(rg_op_find(RG_LIT("ai.onnx"), RG_LIT("Conv"))->name, "Conv");
    assert_null(rg_op_find(RG_LIT("com.example"), RG_LIT("Conv")));
    assert_null(rg_op_find(RG_LIT(""), RG_LIT("Convv")));
    assert_string_equal(rg_op_nearest(RG_LIT("Convv"))->name, "Conv");
}

/* ---- cases ---- */

static void check_types(rg_ctx *cx, rg_graph *g, const rg_op *op, const rg_case *c)
{
    rg_str rest = rg_str_of(c->outputs), token;
    const rg_region *main_region = &g->regions[RG_MAIN];
    for (uint32_t i = 0; rest.size > 0 && rg_str_cut(&rest, ' ', &token);) {
        rg_type want;
        rg_text text;
        rg_lex lex = {cx, &g->arena, token, 0};
        if (rg_str_is(token, "_")) continue;
        const rg_type *have = &g->values[main_region->outputs[i]].type;
        assert_int_equal(rg_lex_type(&lex, &g->dims, &want), RG_OK);
        rg_text_init(&text, &cx->arena);
        rg_type_print(g, have, &text);
        if (!rg_type_eq(&want, have))
            complain("%s(%s) %s: output %u is %.*s, not %.*s", op->name, c->inputs ? c->inputs : "graph",
                     c->attrs ? c->attrs : "", i, RG_STR(((rg_str){text.data, text.size})), RG_STR(token));
        i++;
    }
}

static void test_types(void **state)
{
    (void)state;
    FOR_EACH_CASE(op, c) {
        rg_ctx *cx = new_cx();
        rg_graph *g = graph_of(cx, op, c);
        if (g && case_infer(cx, g))
            complain("%s(%s) %s: %s", op->name, c->inputs ? c->inputs : "graph", c->attrs ? c->attrs : "",
                     rg_ctx_error(cx));
        else if (g)
            check_types(cx, g, op, c);
        rg_graph_free(g);
        rg_ctx_free(cx);
    }
    finish();
}

static void test_types_of_a_case_survive_a_second_inference(void **state)
{
    (void)state;
    FOR_EACH_CASE(op, c) {
        rg_ctx *cx = new_cx();
        rg_graph *g = graph_of(cx, op, c);
        if (g && (case_infer(cx, g) || rg_graph_infer(cx, g)))
            complain("%s(%s): %s", op->name, c->inputs ? c->inputs : "graph", rg_ctx_error(cx));
        else if (g)
            check_types(cx, g, op, c);
        rg_graph_free(g);
        rg_ctx_free(cx);
    }
    finish();
}

static void test_work(void **state)
{
    (void)state;
    FOR_EACH_CASE(op, c) {
        rg_ctx *cx = new_cx();
        rg_graph *g = graph_of(cx, op, c);
        rg_work w;
        bool typed = g && case_infer(cx, g) == RG_OK;
        for (rg_node_id id = 1; typed && id < g->node_count; id++) {
            rg_node_work(cx, g, id, &w);
            const double facts[] = {w.mac, w.flop, w.special, w.in_byte, w.weight_byte, w.out_byte, w.batch,
                                    w.m,   w.n,    w.k,       w.steps,   w.channels,    w.spatial};
            for (size_t i = 0; i < RG_COUNT(facts); i++)
                if (!isfinite(facts[i]) || facts[i] < 0)
                    complain("%s(%s): fact %zu is %g", op->name, c->inputs ? c->inputs : "graph", i,
                             facts[i]);
            assert_true((unsigned)w.family < RG_FAMILY_COUNT);
            if (w.flop < 2 * w.mac) complain("%s: %g flop for %g mac", op->name, w.flop, w.mac);
        }
        rg_graph_free(g);
        rg_ctx_free(cx);
    }
    finish();
}

/* ---- hostile files: the answer may be any, short of a broken invariant ---- */

static void try(rg_ctx *cx, rg_graph *g, const rg_op *op)
{
    rg_work w;
    rg_err err = case_infer(cx, g);
    if (err == RG_INTERNAL || err == RG_NOMEM) complain("%s: %s", op->name, rg_ctx_error(cx));
    for (rg_node_id id = 1; err == RG_OK && id < g->node_count; id++) rg_node_work(cx, g, id, &w);
}

static void test_hostile_types(void **state)
{
    (void)state;
    static const char *const types[] = {
        "f32[]", "f32[0]", "f32[1]", "f32[3,7]", "i64[2,2,2,2,2,2,2,2]", "f32[*]", "?", "str[5]",
        "f32[9223372036854775807,9223372036854775807,2,2]", "f32[0,0,0,0]", "seq(f32[2])", "opt(?)",
        "f32[a,b,c,d]", "bool[1,1,1,1,1]", "i64[]", "map(str,f32[])", "f32[-1,-9000000000000000000,3]",
    };
    FOR_EACH_CASE(op, c) {
        bool more = c->inputs != NULL;
        for (uint32_t i = 0; more; i++)
            for (size_t k = 0; more && k < RG_COUNT(types); k++) {
                rg_ctx *cx = new_cx();
                rg_graph *g = graph_of(cx, op, c);
                more = g && i < g->regions[RG_MAIN].input_count;
                if (more) {
                    rg_type *type = &g->values[g->regions[RG_MAIN].inputs[i]].type;
                    rg_lex lex = {cx, &g->arena, rg_str_of(types[k]), 0};
                    assert_int_equal(rg_lex_type(&lex, &g->dims, type), RG_OK);
                    try(cx, g, op);
                }
                rg_graph_free(g);
                rg_ctx_free(cx);
            }
    }
    finish();
}

/* Sets attribute `name` of the case's node to a value of its kind, number `choice` of the worst; false: no
 * more. */
static bool spoil(rg_ctx *cx, rg_graph *g, const rg_attr_spec *spec, size_t choice)
{
    static const int64_t ints[] = {INT64_MIN, INT64_MAX, -1, 0, 1 << 30};
    static const double reals[] = {-1e300, 1e300, 0, (double)NAN, (double)INFINITY};
    static const int64_t lists[][13] = {
        {0}, {-1, -1}, {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}, {INT64_MIN, 3}, {1, 1, 1, 1, 1, 1, 1, 1},
    };
    static const uint32_t list_counts[] = {0, 2, 4, 2, 13};
    rg_attr a = {.name = rg_str_of(spec->name), .kind = spec->kind};
    if (choice >= RG_COUNT(ints)) return false;
    if (spec->kind == RG_ATTR_INT)
        a.i = ints[choice];
    else if (spec->kind == RG_ATTR_FLOAT)
        a.f = reals[choice];
    else if (spec->kind == RG_ATTR_STRING && choice < 2)
        a.s = choice ? RG_LIT("") : RG_LIT("nonsense->,,...");
    else if (spec->kind == RG_ATTR_INTS) {
        a.ints = lists[choice];
        a.count = list_counts[choice];
    } else
        return false;
    assert_int_equal(rg_node_set_attr(cx, g, 1, &a), RG_OK);
    return true;
}

static void test_hostile_attributes(void **state)
{
    (void)state;
    FOR_EACH_CASE(op, c) {
        for (size_t i = 0; c->inputs && i < op->attr_count; i++) {
            bool more = true;
            for (size_t choice = 0; more; choice++) {
                rg_ctx *cx = new_cx();
                rg_graph *g = graph_of(cx, op, c);
                more = g && spoil(cx, g, &op->attrs[i], choice);
                if (more) try(cx, g, op);
                rg_graph_free(g);
                rg_ctx_free(cx);
            }
        }
    }
    finish();
}

/* Old versions: every upgrade meets a node that has nothing of what it looks for. */
static void test_old_versions(void **state)
{
    (void)state;
    FOR_EACH_CASE(op, c) {
        for (int version = 1; c->inputs && version < op->since; version++) {
            rg_ctx *cx = new_cx();
            rg_graph *g = graph_of(cx, op, c);
            if (g) {
                g->nodes[1].version = version;
                try(cx, g, op);
            }
            rg_graph_free(g);
            rg_ctx_free(cx);
        }
    }
    finish();
}

/* ---- memory runs out at the n-th block, for every n ---- */

typedef struct budget { int left; } budget;

static void *take_block(void *user, size_t size)
{
    budget *b = user;
    return b->left-- > 0 ? calloc(1, size) : NULL;
}

static void free_block(void *user, void *block)
{
    (void)user;
    free(block);
}

/* The case with memory for `blocks` blocks, and none for its work. */
static rg_err run_within(const rg_op *op, const rg_case *c, int blocks)
{
    budget b = {blocks};
    rg_ctx_opt opt = {.size = sizeof(opt), .alloc = take_block, .free = free_block, .user = &b};
    rg_ctx *cx = rg_ctx_new(&opt);
    rg_graph *g = NULL;
    rg_work w;
    if (!cx) return RG_NOMEM;
    rg_err err = case_graph(cx, op, c, &g);
    err = err ? err : case_infer(cx, g);
    b.left = 0;
    if (!err) rg_node_work(cx, g, 1, &w);
    rg_graph_free(g);
    rg_ctx_free(cx);
    return err;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    enum { BLOCK_MAX = 1000 };
    FOR_EACH_CASE(op, c) {
        rg_err err = RG_NOMEM;
        for (int blocks = 0; err == RG_NOMEM && blocks < BLOCK_MAX; blocks++)
            err = run_within(op, c, blocks);
        if (err)
            complain("%s(%s): %s", op->name, c->inputs ? c->inputs : "graph", rg_err_text(err));
    }
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_rows, start),
        cmocka_unit_test_setup(test_presets, start),
        cmocka_unit_test(test_find),
        cmocka_unit_test_setup(test_types, start),
        cmocka_unit_test_setup(test_types_of_a_case_survive_a_second_inference, start),
        cmocka_unit_test_setup(test_work, start),
        cmocka_unit_test_setup(test_hostile_types, start),
        cmocka_unit_test_setup(test_hostile_attributes, start),
        cmocka_unit_test_setup(test_old_versions, start),
        cmocka_unit_test_setup(test_out_of_memory, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
