/* test_zoo_loaded.c - the built-in models as commands see them: binding and passes change neither what a
 * model is nor its parameters nor its multiply-accumulates, and attention is found wherever it is.
 */
#include "zoo_check.h"

static const rg_facts *loaded(rg_ctx *cx, const char *name, const char *shape)
{
    char model[64];
    snprintf(model, sizeof model, "zoo:%s", name);
    return zoo_loaded(cx, model, shape);
}

/* Models of one builder differ by its table, which test_zoo builds in full: here four of each have to do. */
static bool is_told_already(int index)
{
    enum { EACH = 4 };
    const rg_zoo *zoo = rg_zoo_table[index];
    int same = 0;
    for (int i = 0; i < index; i++)
        same += rg_zoo_table[i]->build == zoo->build && rg_zoo_table[i]->build_share == zoo->build_share;
    return same >= EACH;
}

static void passes_keep_every_figure(void **state)
{
    for (int i = 0; i < rg_zoo_count; i++) {
        const rg_zoo *zoo = rg_zoo_table[i];
        if (is_told_already(i)) continue;
        const rg_facts *f = loaded(*state, zoo->name, NULL);
        bool same = f->parameters == zoo->parameters && f->mac == zoo->macs;
        if (!same) print_error("%s: %.0f parameters, %.0f MACs\n", zoo->name, f->parameters, f->mac);
        assert_true(same);
        assert_string_equal(f->family, zoo->family);
        rg_facts_free(f);
    }
}

/* Attentions by the papers' layer counts. */
static const struct { const char *name, *shape; int attentions; } found[] = {
    {"bert-base", NULL, 12},
    {"distilbert", "batch=3,seq=40", 6},
    {"gpt2", NULL, 12},
    {"t5-base", NULL, 12 + 2 * 12},              /* encoder; decoder, on itself and on the encoder */
    {"whisper-base-encoder", NULL, 6},
    {"whisper-base-decoder", NULL, 2 * 6},
    {"vit_b_16", NULL, 12},
    {"deit_s", "batch=4", 12},
    {"swin_t", NULL, 2 + 2 + 6 + 2},             /* every second one in shifted windows */
    {"swin_t", "batch=2", 2 + 2 + 6 + 2},
    {"swin_b", NULL, 2 + 2 + 18 + 2},
    {"maxvit_t", NULL, 2 * (2 + 2 + 5 + 2)},     /* in windows and across them */
    {"detr_resnet50", NULL, 6 + 2 * 6},
};

static void attention_is_found_everywhere(void **state)
{
    for (size_t i = 0; i < RG_COUNT(found); i++) {
        const rg_facts *f = loaded(*state, found[i].name, found[i].shape);
        int attentions = zoo_node_count(f, "Attention"), softmaxes = zoo_node_count(f, "Softmax");
        bool all = attentions == found[i].attentions && softmaxes == 0;
        if (!all) print_error("%s: %d attentions, %d softmaxes\n", found[i].name, attentions, softmaxes);
        assert_true(all);
        rg_facts_free(f);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(passes_keep_every_figure),
        TEST(attention_is_found_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
