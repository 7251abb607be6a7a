/* test_zoo_convnext.c - ConvNeXt against the closed form of its stages. */
#include "zoo_check.h"

/* Section 3 of Liu et al. 2022: channels of the first stage, which double, and blocks. */
typedef struct convnext { const char *name; int64_t width, blocks[4], macs, parameters; } convnext;

static const convnext models[] = {
    {"convnext_tiny", 96, {3, 3, 9, 3}, 4455531264, 28589128},
    {"convnext_small", 96, {3, 3, 27, 3}, 8683712256, 50223688},
    {"convnext_base", 128, {3, 3, 27, 3}, 15354729472, 88591464},
    {"convnext_large", 192, {3, 3, 27, 3}, 34361433600, 197767336},
};

/* Per block: 49 C weights and C biases, the normalization, C to 4 C and back, and C scales. */
static zoo_sum add_block(zoo_sum sum, int64_t channels, int64_t places)
{
    sum = zoo_norm(zoo_conv(sum, channels, channels, 49, places, channels, true), channels);
    sum = zoo_dense(sum, places, channels, 4 * channels, true);
    sum = zoo_dense(sum, places, 4 * channels, channels, true);
    sum.parameters += channels;
    return sum;
}

static void convnext_has_its_closed_form(void **state)
{
    for (size_t m = 0; m < RG_COUNT(models); m++) {
        int64_t channels = models[m].width, side = 56;
        zoo_sum sum = zoo_norm(zoo_conv((zoo_sum){0}, 3, channels, 16, side * side, 1, true), channels);
        for (int stage = 0; stage < 4; stage++) {
            for (int i = 0; i < models[m].blocks[stage]; i++) sum = add_block(sum, channels, side * side);
            sum = zoo_norm(sum, channels); /* before a downsampling, and before the classifier */
            if (stage == 3) break;
            side /= 2;
            sum = zoo_conv(sum, channels, 2 * channels, 4, side * side, 1, true);
            channels *= 2;
        }
        const rg_facts *f = zoo_facts(*state, models[m].name);
        zoo_assert(f, zoo_dense(sum, 1, channels, 1000, true), models[m].macs, models[m].parameters);
        rg_facts_free(f);
    }
}

static void convnext_is_named_as_in_torchvision(void **state)
{
    const rg_facts *f = zoo_facts(*state, "convnext_tiny");
    zoo_assert_ends(*state, f, true, 0, "image: f32[batch,3,224,224]");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
    assert_int_equal(f->layers, 4 + 18 * 3 + 1); /* patches, blocks, classifier */
    assert_true(zoo_has_node(f, "features.0.1/", "LayerNormalization"));
    assert_true(zoo_has_node(f, "features.5.8.block.3/", "MatMul"));
    assert_true(zoo_has_node(f, "features.5.8.block.4/", "Gelu"));
    assert_true(zoo_has_node(f, "features.6.1/", "Conv") && zoo_has_node(f, "features.7.2/", "Mul"));
    assert_true(zoo_has_node(f, "classifier.0/", "LayerNormalization"));
    rg_facts_free(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(convnext_has_its_closed_form),
        TEST(convnext_is_named_as_in_torchvision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
