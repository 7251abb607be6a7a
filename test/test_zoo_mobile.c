/* test_zoo_mobile.c - MobileNet and EfficientNet against closed forms of their tables, with the scaled
 * channels and repeats written out.
 */
#include "zoo_check.h"

/* An inverted residual at `side` with batch normalizations; gate 0: no squeeze and excitation. */
typedef struct block { int64_t in, expanded, out, kernel, stride, gate; } block;

static int64_t halved(int64_t side, int64_t stride) { return (side + stride - 1) / stride; }

static zoo_sum add_block(zoo_sum sum, block b, int64_t side)
{
    int64_t after = halved(side, b.stride);
    if (b.expanded != b.in) sum = zoo_conv_norm(sum, b.in, b.expanded, 1, side * side, 1);
    sum = zoo_conv_norm(sum, b.expanded, b.expanded, b.kernel * b.kernel, after * after, b.expanded);
    if (b.gate) {
        sum = zoo_conv(sum, b.expanded, b.gate, 1, 1, 1, true);
        sum = zoo_conv(sum, b.gate, b.expanded, 1, 1, 1, true);
    }
    return zoo_conv_norm(sum, b.expanded, b.out, 1, after * after, 1);
}

/* Expansion and filter in one. */
static zoo_sum add_fused(zoo_sum sum, block b, int64_t side)
{
    int64_t after = halved(side, b.stride);
    if (b.expanded == b.in) return zoo_conv_norm(sum, b.in, b.out, b.kernel * b.kernel, after * after, 1);
    sum = zoo_conv_norm(sum, b.in, b.expanded, b.kernel * b.kernel, after * after, 1);
    return zoo_conv_norm(sum, b.expanded, b.out, 1, after * after, 1);
}

/* ---- MobileNet ---- */

/* Table 2 of Sandler et al. 2018: expansion, channels, repeats, stride. */
static void mobilenet_v2_is_as_published(void **state)
{
    static const int rows[7][4] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2},
                                   {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    const rg_facts *f = zoo_facts(*state, "mobilenet_v2");
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 32, 9, 112 * 112, 1);
    int64_t channels = 32, side = 112;
    for (int r = 0; r < 7; r++) {
        for (int i = 0; i < rows[r][2]; i++) {
            block b = {channels, channels * rows[r][0], rows[r][1], 3, i ? 1 : rows[r][3], 0};
            sum = add_block(sum, b, side);
            channels = b.out, side = halved(side, b.stride);
        }
    }
    sum = zoo_conv_norm(sum, 320, 1280, 1, 7 * 7, 1);
    zoo_assert(f, zoo_dense(sum, 1, 1280, 1000, true), 300774272, 3504872);
    zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
    assert_int_equal(f->layers, 53);
    assert_true(zoo_has_node(f, "features.1.conv.1/", "Conv"));
    assert_true(zoo_has_node(f, "features.2.conv.2/", "Conv"));
    assert_true(zoo_has_node(f, "features.2.conv.3/", "BatchNormalization"));
    assert_false(zoo_has_node(f, "features.2.conv/", "Add"));
    assert_true(zoo_has_node(f, "features.3.conv/", "Add"));
    rg_facts_free(f);
}

/* Tables 1 and 2 of Howard et al. 2019; the gate is a quarter of what it scales, to multiples of 8. */
static const block v3_large[] = {
    {16, 16, 16, 3, 1, 0},      {16, 64, 24, 3, 2, 0},      {24, 72, 24, 3, 1, 0},
    {24, 72, 40, 5, 2, 24},     {40, 120, 40, 5, 1, 32},    {40, 120, 40, 5, 1, 32},
    {40, 240, 80, 3, 2, 0},     {80, 200, 80, 3, 1, 0},     {80, 184, 80, 3, 1, 0},
    {80, 184, 80, 3, 1, 0},     {80, 480, 112, 3, 1, 120},  {112, 672, 112, 3, 1, 168},
    {112, 672, 160, 5, 2, 168}, {160, 960, 160, 5, 1, 240}, {160, 960, 160, 5, 1, 240},
};

static const block v3_small[] = {
    {16, 16, 16, 3, 2, 8},   {16, 72, 24, 3, 2, 0},   {24, 88, 24, 3, 1, 0},   {24, 96, 40, 5, 2, 24},
    {40, 240, 40, 5, 1, 64}, {40, 240, 40, 5, 1, 64}, {40, 120, 48, 5, 1, 32}, {48, 144, 48, 5, 1, 40},
    {48, 288, 96, 5, 2, 72}, {96, 576, 96, 5, 1, 144}, {96, 576, 96, 5, 1, 144},
};

static zoo_sum v3_sum(size_t count, const block *blocks, int64_t features)
{
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 16, 9, 112 * 112, 1);
    int64_t side = 112, last = blocks[count - 1].out;
    for (size_t i = 0; i < count; i++) {
        sum = add_block(sum, blocks[i], side);
        side = halved(side, blocks[i].stride);
    }
    sum = zoo_conv_norm(sum, last, 6 * last, 1, side * side, 1);
    sum = zoo_dense(sum, 1, 6 * last, features, true);
    return zoo_dense(sum, 1, features, 1000, true);
}

static void mobilenet_v3_is_as_published(void **state)
{
    const rg_facts *f = zoo_facts(*state, "mobilenet_v3_large");
    zoo_assert(f, v3_sum(RG_COUNT(v3_large), v3_large, 1280), 216589760, 5483032);
    zoo_assert_ends(*state, f, true, 0, "image: f32[batch,3,224,224]");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
    /* The first, 2 + 14 x 3 in the blocks, two in each of 8 gates, the last and two linear ones. */
    assert_int_equal(f->layers, 1 + 2 + 14 * 3 + 8 * 2 + 1 + 2);
    assert_true(zoo_has_node(f, "features.4.block.1.2/", "Relu"));
    assert_true(zoo_has_node(f, "features.4.block.2.fc1/", "Conv"));
    assert_true(zoo_has_node(f, "features.4.block.2.fc2/", "HardSigmoid"));
    assert_true(zoo_has_node(f, "features.4.block.3.0/", "Conv"));
    assert_true(zoo_has_node(f, "features.7.block.0.2/", "HardSwish"));
    assert_true(zoo_has_node(f, "features.16.2/", "HardSwish"));
    rg_facts_free(f);
    f = zoo_facts(*state, "mobilenet_v3_small");
    zoo_assert(f, v3_sum(RG_COUNT(v3_small), v3_small, 1024), 56510400, 2542856);
    rg_facts_free(f);
}

/* ---- EfficientNet ---- */

/* Channels of the stem, of the seven stages and of the last convolution, and repeats: table 1 of Tan and Le
 * 2019 scaled by width 1, 1, 1.1, 1.2, ... and depth 1, 1.1, 1.2, 1.4, ... */
typedef struct scaled {
    const char *name;
    int64_t side, channels[9];
    int repeats[7];
    int64_t macs, parameters;
} scaled;

static const scaled v1[] = {
    {"efficientnet_b0", 224, {32, 16, 24, 40, 80, 112, 192, 320, 1280}, {1, 2, 2, 3, 3, 4, 1},
     385814752, 5288548},
    {"efficientnet_b1", 240, {32, 16, 24, 40, 80, 112, 192, 320, 1280}, {2, 3, 3, 4, 4, 5, 2},
     686802832, 7794184},
    {"efficientnet_b2", 288, {32, 16, 24, 48, 88, 120, 208, 352, 1408}, {2, 3, 3, 4, 4, 5, 2},
     1087529456, 9109994},
    {"efficientnet_b3", 300, {40, 24, 32, 48, 96, 136, 232, 384, 1536}, {2, 3, 3, 5, 5, 6, 2},
     1827141392, 12233232},
    {"efficientnet_b4", 380, {48, 24, 32, 56, 112, 160, 272, 448, 1792}, {2, 4, 4, 6, 6, 8, 2},
     4393771024, 19341616},
    {"efficientnet_b5", 456, {48, 24, 40, 64, 128, 176, 304, 512, 2048}, {3, 5, 5, 7, 7, 9, 3},
     10266384752, 30389784},
    {"efficientnet_b6", 528, {56, 32, 40, 72, 144, 200, 344, 576, 2304}, {3, 6, 6, 8, 8, 11, 3},
     19067593536, 43040704},
    {"efficientnet_b7", 600, {64, 32, 48, 80, 160, 224, 384, 640, 2560}, {4, 7, 7, 10, 10, 13, 4},
     37745884192, 66347960},
};

static void efficientnet_has_its_closed_form(void **state)
{
    static const int64_t kernel[7] = {3, 3, 5, 3, 5, 5, 3}, stride[7] = {1, 2, 2, 2, 1, 2, 1};
    for (size_t m = 0; m < RG_COUNT(v1); m++) {
        const int64_t *channels = v1[m].channels;
        int64_t side = halved(v1[m].side, 2);
        zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, channels[0], 9, side * side, 1);
        for (int s = 0; s < 7; s++) {
            for (int i = 0; i < v1[m].repeats[s]; i++) {
                int64_t in = channels[i ? s + 1 : s], out = channels[s + 1];
                block b = {in, s ? 6 * in : in, out, kernel[s], i ? 1 : stride[s], in / 4};
                sum = add_block(sum, b, side);
                side = halved(side, b.stride);
            }
        }
        sum = zoo_conv_norm(sum, channels[7], channels[8], 1, side * side, 1);
        const rg_facts *f = zoo_facts(*state, v1[m].name);
        zoo_assert(f, zoo_dense(sum, 1, channels[8], 1000, true), v1[m].macs, v1[m].parameters);
        rg_facts_free(f);
    }
}

static void efficientnet_is_named_as_in_torchvision(void **state)
{
    const rg_facts *f = zoo_facts(*state, "efficientnet_b0");
    zoo_assert_ends(*state, f, true, 0, "image: f32[batch,3,224,224]");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
    /* The first, 4 + 15 x 5 in the blocks with their gates, the last and the linear one. */
    assert_int_equal(f->layers, 1 + 4 + 15 * 5 + 1 + 1);
    assert_true(zoo_has_node(f, "features.1.0.block.1.fc1/", "Sigmoid")); /* of the SiLU */
    assert_true(zoo_has_node(f, "features.2.0.block.2.fc2/", "Conv"));
    assert_true(zoo_has_node(f, "features.2.0.block.3.1/", "BatchNormalization"));
    assert_true(zoo_has_node(f, "features.8.0/", "Conv") && zoo_has_node(f, "classifier.1/", "Gemm"));
    rg_facts_free(f);
}

/* Rows of Tan and Le 2021, table 4, and of the authors' code: expansion, stride, channels, repeats; all 3x3.
 * The first three are fused; the others have gates. */
typedef struct v2 {
    const char *name;
    int64_t side, stem;
    int count, rows[7][4];
    int64_t macs, parameters;
} v2;

static const v2 v2_models[] = {
    {"efficientnet_v2_s", 384, 24, 6,
     {{1, 1, 24, 2}, {4, 2, 48, 4}, {4, 2, 64, 4}, {4, 2, 128, 6}, {6, 1, 160, 9}, {6, 2, 256, 15}},
     8365617152, 21458488},
    {"efficientnet_v2_m", 480, 24, 7,
     {{1, 1, 24, 3}, {4, 2, 48, 5}, {4, 2, 80, 5}, {4, 2, 160, 7}, {6, 1, 176, 14}, {6, 2, 304, 18},
      {6, 1, 512, 5}},
     24582460384, 54139356},
    {"efficientnet_v2_l", 480, 32, 7,
     {{1, 1, 32, 4}, {4, 2, 64, 7}, {4, 2, 96, 7}, {4, 2, 192, 10}, {6, 1, 224, 19}, {6, 2, 384, 25},
      {6, 1, 640, 7}},
     56079699008, 118515272},
};

static void efficientnet_v2_has_its_closed_form(void **state)
{
    for (size_t m = 0; m < RG_COUNT(v2_models); m++) {
        int64_t side = v2_models[m].side / 2, channels = v2_models[m].stem;
        zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, channels, 9, side * side, 1);
        for (int s = 0; s < v2_models[m].count; s++) {
            const int *row = v2_models[m].rows[s];
            for (int i = 0; i < row[3]; i++) {
                block b = {channels, channels * row[0], row[2], 3, i ? 1 : row[1], channels / 4};
                sum = s < 3 ? add_fused(sum, b, side) : add_block(sum, b, side);
                channels = b.out, side = halved(side, b.stride);
            }
        }
        sum = zoo_conv_norm(sum, channels, 1280, 1, side * side, 1);
        const rg_facts *f = zoo_facts(*state, v2_models[m].name);
        zoo_assert(f, zoo_dense(sum, 1, 1280, 1000, true), v2_models[m].macs, v2_models[m].parameters);
        assert_true(zoo_has_node(f, "features.1.1.block/", "Add"));
        assert_true(zoo_has_node(f, "features.2.0.block.1.0/", "Conv"));
        rg_facts_free(f);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(mobilenet_v2_is_as_published),
        TEST(mobilenet_v3_is_as_published),
        TEST(efficientnet_has_its_closed_form),
        TEST(efficientnet_is_named_as_in_torchvision),
        TEST(efficientnet_v2_has_its_closed_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
