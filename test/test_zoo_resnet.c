/* test_zoo_resnet.c - the zoo's ResNet, ResNeXt and Wide ResNet against closed forms of the papers' tables.
 */
#include "zoo_check.h"

/* A layer with square kernel and image: `side` of its output, how often it occurs. */
typedef struct layer { int64_t in, out, kernel, side, count; } layer;

/* Table 1 of He et al. 2015, 50 layers, the stride in the 3x3 convolutions. */
static const layer resnet50_layers[] = {
    {3, 64, 7, 112, 1},
    {64, 64, 1, 56, 1}, {256, 64, 1, 56, 2}, {64, 64, 3, 56, 3}, {64, 256, 1, 56, 4},
    {256, 128, 1, 56, 1}, {512, 128, 1, 28, 3}, {128, 128, 3, 28, 4}, {128, 512, 1, 28, 4},
    {256, 512, 1, 28, 1},
    {512, 256, 1, 28, 1}, {1024, 256, 1, 14, 5}, {256, 256, 3, 14, 6}, {256, 1024, 1, 14, 6},
    {512, 1024, 1, 14, 1},
    {1024, 512, 1, 14, 1}, {2048, 512, 1, 7, 2}, {512, 512, 3, 7, 3}, {512, 2048, 1, 7, 3},
    {1024, 2048, 1, 7, 1},
};

static void resnet50_is_its_layer_table(void **state)
{
    const rg_facts *f = zoo_facts(*state, "resnet50");
    zoo_sum sum = {0};
    for (size_t i = 0; i < RG_COUNT(resnet50_layers); i++) {
        layer l = resnet50_layers[i];
        for (int k = 0; k < l.count; k++)
            sum = zoo_conv_norm(sum, l.in, l.out, l.kernel * l.kernel, l.side * l.side, 1);
    }
    zoo_assert(f, zoo_dense(sum, 1, 2048, 1000, true), 4089184256, 25557032);
    zoo_assert_ends(*state, f, true, 0, "image: f32[batch,3,224,224]");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
    assert_string_equal(f->graph->source, "zoo:resnet50");
    assert_int_equal(f->layers, 54);
    assert_true(zoo_has_node(f, "layer1.0.conv1/", "Conv"));
    assert_true(zoo_has_node(f, "layer4.2.bn3/", "BatchNormalization"));
    assert_true(zoo_has_node(f, "layer2.0.downsample.0/", "Conv"));
    assert_false(zoo_has_node(f, "layer2.1.downsample.0/", "Conv"));
    assert_true(zoo_has_node(f, "fc/", "Gemm"));
    /* At most three of the 56x56x256 maps at once, in the first stage: both sides of a sum and the result. */
    assert_true(f->peak_live_byte == 3 * 4.0 * 256 * 56 * 56);
    rg_facts_free(f);
}

/* ---- all variants ---- */

/* `inner` is the width inside the first stage's bottleneck, 0 where blocks are two 3x3 convolutions: 64 in
 * Table 1 of He et al., groups x width of a group in Xie et al. ("32x4d"), twice 64 in wide networks. */
static const struct variant {
    const char *name;
    int blocks[4];
    int64_t groups, inner, macs, parameters;
} variants[] = {
    {"resnet18", {2, 2, 2, 2}, 1, 0, 1814073344, 11689512},
    {"resnet34", {3, 4, 6, 3}, 1, 0, 3663761408, 21797672},
    {"resnet50", {3, 4, 6, 3}, 1, 64, 4089184256, 25557032},
    {"resnet101", {3, 4, 23, 3}, 1, 64, 7801405440, 44549160},
    {"resnet152", {3, 8, 36, 3}, 1, 64, 11513626624, 60192808},
    {"resnext50_32x4d", {3, 4, 6, 3}, 32, 128, 4230479872, 25028904},
    {"resnext101_32x8d", {3, 4, 23, 3}, 32, 256, 16414015488, 88791336},
    {"resnext101_64x4d", {3, 4, 23, 3}, 64, 256, 15460270080, 83455272},
    {"wide_resnet50_2", {3, 4, 6, 3}, 1, 128, 11398021120, 68883240},
    {"wide_resnet101_2", {3, 4, 23, 3}, 1, 128, 22753050624, 126886696},
};

static zoo_sum closed_form(const struct variant *v)
{
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 64, 49, 112 * 112, 1);
    int64_t in = 64, before = 56 * 56; /* channels and places of what a block reads */
    for (int stage = 0; stage < 4; stage++) {
        int64_t inner = v->inner << stage, side = 56 >> stage, places = side * side;
        int64_t out = (v->inner ? 256 : 64) << stage;
        for (int i = 0; i < v->blocks[stage]; i++) {
            if (v->inner) {
                sum = zoo_conv_norm(sum, in, inner, 1, before, 1);
                sum = zoo_conv_norm(sum, inner, inner, 9, places, v->groups);
                sum = zoo_conv_norm(sum, inner, out, 1, places, 1);
            } else {
                sum = zoo_conv_norm(sum, in, out, 9, places, 1);
                sum = zoo_conv_norm(sum, out, out, 9, places, 1);
            }
            if (in != out) sum = zoo_conv_norm(sum, in, out, 1, places, 1);
            in = out, before = places;
        }
    }
    return zoo_dense(sum, 1, in, 1000, true);
}

static void every_variant_has_its_closed_form(void **state)
{
    for (size_t i = 0; i < RG_COUNT(variants); i++) {
        const rg_facts *f = zoo_facts(*state, variants[i].name);
        zoo_assert(f, closed_form(&variants[i]), variants[i].macs, variants[i].parameters);
        rg_facts_free(f);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(resnet50_is_its_layer_table),
        TEST(every_variant_has_its_closed_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
