/* test_zoo.c - the built-in models against their published figures and against closed forms of their layer
 * tables, which are written out here again, independent of the builders.
 */
#include "zoo_check.h"

/* ---- the models ---- */

static void mlp_has_its_closed_form(void **state)
{
    const rg_facts *f = zoo_facts(*state, "mlp");
    zoo_sum sum = zoo_dense((zoo_sum){0}, 1, 784, 512, true);
    sum = zoo_dense(zoo_dense(sum, 1, 512, 256, true), 1, 256, 10, true);
    zoo_assert(f, sum, 535040, 535818);
    zoo_assert_ends(*state, f, true, 0, "image: f32[batch,784]");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,10]");
    rg_facts_free(f);
    f = zoo_facts(*state, "mlp-256");
    zoo_assert(f, zoo_dense(zoo_dense((zoo_sum){0}, 1, 784, 256, true), 1, 256, 10, true), 203264, 203530);
    rg_facts_free(f);
}

/* ---- the table ---- */

static void every_row_keeps_its_word(void **state)
{
    for (int i = 0; i < rg_zoo_count; i++) {
        const rg_zoo *zoo = rg_zoo_table[i];
        const rg_facts *f = zoo_facts(*state, zoo->name);
        assert_true(f->parameters == zoo->parameters);
        assert_true(f->mac == zoo->macs);
        if (zoo->published_macs > 0) assert_true(fabs(f->mac - zoo->published_macs) <= zoo->rounding);
        assert_string_equal(f->family, zoo->family);
        assert_true(strlen(zoo->source) > 0);
        rg_facts_free(f);
    }
}

static void an_unknown_name_is_told_the_nearest(void **state)
{
    rg_graph *g = NULL;
    assert_int_equal(rg_zoo_build(*state, "bert-bade", NULL, &g), RG_INPUT);
    assert_null(g);
    assert_non_null(strstr(rg_ctx_error(*state), "zoo model 'bert-bade' is not known; nearest: bert-base, "));
    assert_int_equal(rg_zoo_build(*state, "", NULL, &g), RG_INPUT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(mlp_has_its_closed_form),
        TEST(every_row_keeps_its_word),
        TEST(an_unknown_name_is_told_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
