/* test_zoo_regnet.c - RegNet against closed forms of the stages that the paper prints, so that its equations
 * are tested too.
 */
#include "zoo_check.h"

/* Blocks and widths of the four stages, and the width of a group: the best models of Radosavovic et al. 2020,
 * and for regnet_y_128gf the authors' SEER model of that size. Starred widths are torchvision's, which rounds
 * to whole groups differently: the paper has 384; 128 and 768; 168. */
typedef struct regnet {
    const char *name;
    int blocks[4];
    int64_t widths[4], group, macs, parameters;
    bool gated;
} regnet;

static const regnet models[] = {
    {"regnet_x_400mf", {1, 2, 7, 12}, {32, 64, 160, 400 /* * */}, 16, 413812608, 5495976, false},
    {"regnet_x_800mf", {1, 3, 7, 5}, {64, 128, 288, 672}, 16, 799699712, 7259656, false},
    {"regnet_x_1_6gf", {2, 4, 10, 2}, {72, 168, 408, 912}, 24, 1602849792, 9190136, false},
    {"regnet_x_3_2gf", {2, 6, 15, 2}, {96, 192, 432, 1008}, 48, 3176621952, 15296552, false},
    {"regnet_x_8gf", {2, 5, 15, 1}, {80, 240, 720, 1920}, 120, 7995132416, 39572648, false},
    {"regnet_x_16gf", {2, 6, 13, 1}, {256, 512, 896, 2048}, 128, 15940755456, 54278536, false},
    {"regnet_x_32gf", {2, 7, 13, 1}, {336, 672, 1344, 2520}, 168, 31735929792, 107811560, false},
    {"regnet_y_400mf", {1, 3, 6, 6}, {48, 104, 208, 440}, 8, 401842848, 4344144, true},
    {"regnet_y_800mf", {1, 3, 8, 2}, {64, 144 /* * */, 320, 784 /* * */}, 16, 833856256, 6432512, true},
    {"regnet_y_1_6gf", {2, 6, 17, 2}, {48, 120, 336, 888}, 24, 1612076160, 11202430, true},
    {"regnet_y_3_2gf", {2, 5, 13, 1}, {72, 216, 576, 1512}, 24, 3176482752, 19436338, true},
    {"regnet_y_8gf", {2, 4, 10, 1}, {224 /* * */, 448, 896, 2016}, 56, 8473070592, 39381472, true},
    {"regnet_y_16gf", {2, 4, 11, 1}, {224, 448, 1232, 3024}, 112, 15911510272, 83590140, true},
    {"regnet_y_32gf", {2, 5, 12, 1}, {232, 696, 1392, 3712}, 232, 32279552832, 145046770, true},
    {"regnet_y_128gf", {2, 7, 17, 1}, {528, 1056, 2904, 7392}, 264, 127517815680, 644812894, true},
};

/* The gate is a quarter of what comes into the block. */
static zoo_sum add_block(zoo_sum sum, const regnet *m, int64_t in, int64_t out, int64_t side, int64_t after)
{
    int64_t groups = out < m->group ? 1 : out / m->group;
    if (in != out || side != after) sum = zoo_conv_norm(sum, in, out, 1, after * after, 1);
    sum = zoo_conv_norm(sum, in, out, 1, side * side, 1);
    sum = zoo_conv_norm(sum, out, out, 9, after * after, groups);
    if (m->gated) {
        sum = zoo_conv(sum, out, in / 4, 1, 1, 1, true);
        sum = zoo_conv(sum, in / 4, out, 1, 1, 1, true);
    }
    return zoo_conv_norm(sum, out, out, 1, after * after, 1);
}

static void regnet_has_its_closed_form(void **state)
{
    for (size_t k = 0; k < RG_COUNT(models); k++) {
        const regnet *m = &models[k];
        int64_t channels = 32, side = 112;
        zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 32, 9, 112 * 112, 1);
        for (int stage = 0; stage < 4; stage++) {
            for (int i = 0; i < m->blocks[stage]; i++) {
                int64_t after = i ? side : side / 2;
                sum = add_block(sum, m, channels, m->widths[stage], side, after);
                channels = m->widths[stage], side = after;
            }
        }
        const rg_facts *f = zoo_facts(*state, m->name);
        zoo_assert(f, zoo_dense(sum, 1, channels, 1000, true), m->macs, m->parameters);
        rg_facts_free(f);
    }
}

static void regnet_is_named_as_in_torchvision(void **state)
{
    const rg_facts *f = zoo_facts(*state, "regnet_y_400mf");
    zoo_assert_ends(*state, f, true, 0, "image: f32[batch,3,224,224]");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
    /* The first, 16 blocks of 5 with their gates, 4 beside them, the linear one. */
    assert_int_equal(f->layers, 1 + 16 * 5 + 4 + 1);
    assert_true(zoo_has_node(f, "stem.0/", "Conv"));
    assert_true(zoo_has_node(f, "trunk_output.block1.block1-0.proj.0/", "Conv"));
    assert_true(zoo_has_node(f, "trunk_output.block4.block4-5.f.b.1/", "BatchNormalization"));
    assert_true(zoo_has_node(f, "trunk_output.block4.block4-5.f.se.fc2/", "Sigmoid"));
    assert_false(zoo_has_node(f, "trunk_output.block4.block4-5.proj.0/", "Conv"));
    rg_facts_free(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(regnet_has_its_closed_form),
        TEST(regnet_is_named_as_in_torchvision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
