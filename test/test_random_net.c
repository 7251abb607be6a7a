/* test_random_net.c - random:SEED: every number is a network that is whole, the same one each time, of the
 * kind that its last digit says and of a size that can be measured.
 */
#include "analyze/analyze.h"
#include "format/format.h"
#include "pass/pass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static const rg_graph *load(rg_ctx *cx, int seed)
{
    const rg_graph *g = NULL;
    const char *name = rg_arena_printf(&cx->arena, "random:%d", seed);
    if (rg_graph_load(cx, name, NULL, &g)) fail_msg("%s: %s", name, rg_ctx_error(cx));
    return g;
}

static int count_of(const rg_graph *g, const char *op)
{
    int count = 0;
    for (rg_node_id id = 1; id < g->node_count; id++) count += rg_node_is(&g->nodes[id], op);
    return count;
}

static void every_seed_is_a_network(void **state)
{
    enum { SEEDS = 60 };
    double macs[SEEDS];
    for (int seed = 0; seed < SEEDS; seed++) {
        rg_ctx *cx = rg_ctx_worker(*state);
        const rg_facts *facts = NULL;
        const rg_graph *g = load(cx, seed);
        if (rg_facts_make(cx, g, &facts)) fail_msg("random:%d: %s", seed, rg_ctx_error(cx));
        macs[seed] = 0;
        for (uint32_t s = 0; s < facts->step_count; s++) macs[seed] += facts->work[s].mac;
        if (!(macs[seed] > 1e3 && macs[seed] < 2e10)) fail_msg("random:%d has %g MACs", seed, macs[seed]);
        int kind = seed % 10;
        if ((count_of(g, "Conv") > 0) != (kind < 6)) fail_msg("random:%d is of another kind", seed);
        bool attends = count_of(g, "Softmax") + count_of(g, "Attention") > 0;
        if (attends != (kind >= 6 && kind < 9)) fail_msg("random:%d is of another kind", seed);
        rg_facts_free(facts);
        rg_graph_free(g);
        rg_ctx_free(cx);
    }
    for (int a = 0; a < SEEDS; a++)
        for (int b = 0; b < a; b++) assert_true(macs[a] != macs[b]);
}

static void a_seed_is_the_same_each_time(void **state)
{
    for (int seed = 0; seed < 10; seed++) {
        const rg_graph *a = load(*state, seed), *b = load(*state, seed);
        assert_true(rg_graph_hash(a) == rg_graph_hash(b));
        rg_graph_free(a);
        rg_graph_free(b);
    }
}

static void others_are_no_numbers(void **state)
{
    static const char *const names[] = {"random:", "random:x", "random:-1", "random:1.5"};
    for (size_t i = 0; i < RG_COUNT(names); i++) {
        const rg_graph *g = NULL;
        assert_int_equal(rg_graph_load(*state, names[i], NULL, &g), RG_INPUT);
        assert_non_null(strstr(rg_ctx_error(*state), "a number from 0 on"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_seed_is_a_network, setup, teardown),
        cmocka_unit_test_setup_teardown(a_seed_is_the_same_each_time, setup, teardown),
        cmocka_unit_test_setup_teardown(others_are_no_numbers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
