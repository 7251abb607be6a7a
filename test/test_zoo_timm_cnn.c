/* test_zoo_timm_cnn.c - convolutional networks as timm has them: against the parameters that it publishes,
 * and one of each family against the closed form of its paper's table.
 */
#include "zoo_check.h"

/* Millions, two digits behind the point: timm's results-imagenet.csv, its model cards and the column params_m
 * of its tables. */
static const zoo_published published[] = {
    {"cs3darknet_focus_l", 21.15}, {"cs3darknet_focus_m", 9.3}, {"cs3darknet_l", 21.16},
    {"cs3darknet_m", 9.31}, {"cs3darknet_x", 35.05}, {"cs3edgenet_x", 47.82}, {"cs3se_edgenet_x", 50.72},
    {"cs3sedarknet_l", 21.91}, {"cs3sedarknet_x", 35.4}, {"cspdarknet53", 27.64}, {"cspresnet50", 21.62},
    {"cspresnet50d", 21.64}, {"cspresnet50w", 28.12}, {"cspresnext50", 20.57}, {"darknet17", 14.3},
    {"darknet21", 20.86}, {"darknet53", 41.61}, {"darknetaa53", 36.02}, {"dla102", 33.27},
    {"dla102x", 26.31}, {"dla102x2", 41.28}, {"dla169", 53.39}, {"dla34", 15.74}, {"dla46_c", 1.3},
    {"dla46x_c", 1.07}, {"dla60", 22.04}, {"dla60_res2net", 20.85}, {"dla60_res2next", 17.03},
    {"dla60x", 17.35}, {"dla60x_c", 1.32}, {"eca_resnet33ts", 19.68}, {"eca_resnext26ts", 10.3},
    {"eca_vovnet39b", 22.6}, {"ecaresnet26t", 16.01}, {"ecaresnet50t", 25.57}, {"ecaresnetlight", 30.16},
    {"efficientnet_b8", 87.41}, {"efficientnet_el", 10.59}, {"efficientnet_em", 6.9},
    {"efficientnet_es", 5.44}, {"efficientnet_l2", 480.31}, {"efficientnet_lite0", 4.65},
    {"efficientnet_lite1", 5.42}, {"efficientnet_lite2", 6.09}, {"efficientnet_lite3", 8.2},
    {"efficientnet_lite4", 13.01}, {"efficientnetv2_rw_m", 53.24}, {"efficientnetv2_rw_s", 23.94},
    {"efficientnetv2_rw_t", 13.65}, {"efficientvit_b0", 3.41}, {"efficientvit_b1", 9.1},
    {"efficientvit_b2", 24.33}, {"efficientvit_b3", 48.65}, {"efficientvit_l1", 52.65},
    {"efficientvit_l2", 63.71}, {"efficientvit_l3", 246.04}, {"ese_vovnet19b_dw", 6.54},
    {"ese_vovnet19b_slim", 3.17}, {"ese_vovnet19b_slim_dw", 1.9}, {"ese_vovnet39b", 24.57},
    {"ese_vovnet57b", 38.61}, {"ese_vovnet99b", 63.2}, {"fastvit_ma36", 44.07}, {"fastvit_s12", 9.47},
    {"fastvit_sa12", 11.58}, {"fastvit_sa24", 21.55}, {"fastvit_sa36", 31.53}, {"fastvit_t12", 7.55},
    {"fastvit_t8", 4.03}, {"fbnetc_100", 5.57}, {"fbnetv3_b", 8.6}, {"fbnetv3_d", 10.31},
    {"fbnetv3_g", 16.62}, {"gcresnet33ts", 19.88}, {"gcresnet50t", 25.9}, {"gcresnext26ts", 10.48},
    {"gcresnext50ts", 15.67}, {"gernet_l", 31.08}, {"gernet_m", 21.14}, {"gernet_s", 8.17},
    {"hgnet_base", 71.58}, {"hgnet_small", 24.36}, {"hgnet_tiny", 14.74}, {"hgnetv2_b0", 6},
    {"hgnetv2_b2", 11.22}, {"hgnetv2_b3", 16.29}, {"hgnetv2_b4", 19.8},
    {"hgnetv2_b5", 39.57}, {"hgnetv2_b6", 75.26}, {"hrnet_w18", 21.3}, {"hrnet_w18_small", 13.19},
    {"hrnet_w18_small_v2", 15.6}, {"hrnet_w18_ssld", 21.3}, {"hrnet_w30", 37.71}, {"hrnet_w32", 41.23},
    {"hrnet_w40", 57.56}, {"hrnet_w44", 67.06}, {"hrnet_w48", 77.47}, {"hrnet_w48_ssld", 77.47},
    {"hrnet_w64", 128.06}, {"lcnet_050", 1.88}, {"lcnet_075", 2.36}, {"lcnet_100", 2.95},
    {"legacy_senet154", 115.09}, {"legacy_seresnext26_32x4d", 16.79}, {"legacy_xception", 22.86},
    {"mambaout_base", 84.81}, {"mambaout_base_plus_rw", 101.66}, {"mambaout_base_short_rw", 88.83},
    {"mambaout_base_tall_rw", 86.48}, {"mambaout_base_wide_rw", 94.45}, {"mambaout_femto", 7.3},
    {"mambaout_kobe", 9.14}, {"mambaout_small", 48.49}, {"mambaout_small_rw", 48.5},
    {"mambaout_tiny", 26.55}, {"mixnet_l", 7.33}, {"mixnet_m", 5.01}, {"mixnet_s", 4.13},
    {"mixnet_xl", 11.9}, {"mixnet_xxl", 23.96}, {"mnasnet_140", 7.12}, {"mnasnet_small", 2.03},
    {"mobilenet_edgetpu_100", 4.09}, {"mobilenet_edgetpu_v2_l", 10.92}, {"mobilenet_edgetpu_v2_m", 8.46},
    {"mobilenet_edgetpu_v2_s", 5.99}, {"mobilenet_edgetpu_v2_xs", 4.46}, {"mobilenetv1_100", 4.23},
    {"mobilenetv1_100h", 5.28}, {"mobilenetv1_125", 6.27}, {"mobilenetv3_large_075", 3.99},
    {"mobilenetv3_large_150d", 14.62}, {"mobilenetv3_large_minimal_100", 3.92}, {"mobilenetv3_rw", 5.48},
    {"mobilenetv3_small_050", 1.59}, {"mobilenetv3_small_075", 2.04},
    {"mobilenetv3_small_minimal_100", 2.04}, {"mobilenetv4_conv_large", 32.59},
    {"mobilenetv4_conv_medium", 9.72}, {"mobilenetv4_conv_small", 3.77},
    {"mobilenetv4_conv_small_035", 1.91}, {"mobilenetv4_conv_small_050", 2.24}, {"nasnetalarge", 88.75},
    {"pnasnet5large", 86.06}, {"rdnet_base", 87.45}, {"rdnet_large", 186.27}, {"rdnet_small", 50.44},
    {"rdnet_tiny", 23.86}, {"regnetv_040", 20.64}, {"regnetv_064", 30.58}, {"regnetz_b16", 9.72},
    {"regnetz_c16", 13.46}, {"regnetz_d32", 27.58}, {"regnetz_d8", 23.37}, {"regnetz_e8", 57.7},
    {"repvit_m0_9", 5.49}, {"repvit_m1", 5.49}, {"repvit_m1_0", 7.3}, {"repvit_m1_1", 8.8},
    {"repvit_m1_5", 14.64}, {"repvit_m2", 8.8}, {"repvit_m2_3", 23.69}, {"repvit_m3", 10.68},
    {"res2net101_26w_4s", 45.21}, {"res2net101d", 45.23}, {"res2net50_14w_8s", 25.06},
    {"res2net50_26w_4s", 25.7}, {"res2net50_26w_6s", 37.05}, {"res2net50_26w_8s", 48.4},
    {"res2net50_48w_2s", 25.29}, {"res2net50d", 25.72}, {"res2next50", 24.67}, {"resnet10t", 5.44},
    {"resnet14t", 10.08}, {"resnet26t", 16.01}, {"resnet32ts", 17.96}, {"resnet33ts", 19.68},
    {"resnet50t", 25.57}, {"resnet51q", 35.7}, {"resnet61q", 36.85}, {"resnetaa101d", 44.57},
    {"resnetaa34d", 21.82}, {"resnetaa50", 25.56}, {"resnetaa50d", 25.58}, {"resnetv2_101", 44.54},
    {"resnetv2_101d", 44.56}, {"resnetv2_152", 60.19}, {"resnetv2_152d", 60.2}, {"resnetv2_18", 11.69},
    {"resnetv2_18d", 11.71}, {"resnetv2_34", 21.8}, {"resnetv2_34d", 21.82}, {"resnetv2_50", 25.55},
    {"resnetv2_50d", 25.57}, {"resnetv2_50t", 25.57}, {"resnext26ts", 10.3}, {"rexnet_100", 4.8},
    {"rexnet_130", 7.56}, {"rexnet_150", 9.73}, {"rexnet_200", 16.37}, {"rexnet_300", 34.71},
    {"rexnetr_200", 16.52}, {"rexnetr_300", 34.81}, {"selecsls42b", 32.46}, {"selecsls60", 30.67},
    {"selecsls60b", 32.77}, {"semnasnet_050", 2.08}, {"semnasnet_075", 2.91}, {"semnasnet_100", 3.89},
    {"semnasnet_140", 6.11}, {"seresnet33ts", 19.78}, {"seresnext26t_32x4d", 16.81},
    {"seresnext26ts", 10.39}, {"seresnextaa101d_32x8d", 93.59}, {"seresnextaa201d_32x8d", 149.39},
    {"spnasnet_100", 4.42}, {"tinynet_a", 6.19}, {"tinynet_b", 3.73}, {"tinynet_c", 2.46},
    {"tinynet_d", 2.34}, {"tinynet_e", 2.04}, {"vovnet39a", 22.6}, {"vovnet57a", 36.64},
    {"xception41", 26.97}, {"xception41p", 26.91}, {"xception65", 39.92}, {"xception65p", 39.82},
    {"xception71", 42.34},
};

static void models_have_timms_parameters(void **state)
{
    (void)state;
    zoo_assert_published(published, RG_COUNT(published), 0.00501);
}

/* ---- closed forms ---- */

static void check(void **state, const char *name, zoo_sum sum)
{
    zoo_assert_classifier(*state, name, sum, "cnn");
}

/* 1x1, `kernel` weights by channel, 1x1; the first where it widens. */
static zoo_sum inverted(zoo_sum sum, int64_t in, int64_t inner, int64_t out, int64_t kernel, int64_t from,
                        int64_t to)
{
    if (inner != in) sum = zoo_conv_norm(sum, in, inner, 1, from, 1);
    return zoo_conv_norm(zoo_conv_norm(sum, inner, inner, kernel, to, inner), inner, out, 1, to, 1);
}

/* Two 1x1 convolutions with bias on one place. */
static zoo_sum squeezed(zoo_sum sum, int64_t channels, int64_t inner)
{
    return zoo_conv(zoo_conv(sum, channels, inner, 1, 1, 1, true), inner, channels, 1, 1, 1, true);
}

static void lite_has_no_gates(void **state)
{
    static const struct { int64_t out, repeats, kernel, stride; } rows[] = {
        {24, 2, 9, 2}, {40, 2, 25, 2}, {80, 3, 9, 2}, {112, 3, 25, 1}, {192, 4, 25, 2}, {320, 1, 9, 1},
    };
    int64_t in = 16, side = 112;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 32, 9, side * side, 1);
    sum = inverted(sum, 32, 32, 16, 9, side * side, side * side);
    for (size_t r = 0; r < RG_COUNT(rows); r++) {
        for (int64_t i = 0; i < rows[r].repeats; i++) {
            int64_t to = i ? side : side / rows[r].stride;
            sum = inverted(sum, in, 6 * in, rows[r].out, rows[r].kernel, side * side, to * to);
            in = rows[r].out, side = to;
        }
    }
    sum = zoo_conv_norm(sum, in, 1280, 1, side * side, 1);
    check(state, "efficientnet_lite0", zoo_dense(sum, 1, 1280, 1000, true));
}

/* Table 1 of Cui et al. 2021: separable convolutions, the last two squeezed to a quarter. */
static void lcnet_gates_its_end(void **state)
{
    static const struct { int64_t out, kernel, stride, gate; } rows[] = {
        {32, 9, 1, 0}, {64, 9, 2, 0}, {64, 9, 1, 0}, {128, 9, 2, 0}, {128, 9, 1, 0}, {256, 9, 2, 0},
        {256, 25, 1, 0}, {256, 25, 1, 0}, {256, 25, 1, 0}, {256, 25, 1, 0}, {256, 25, 1, 0},
        {512, 25, 2, 4}, {512, 25, 1, 4},
    };
    int64_t in = 16, side = 112;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, in, 9, side * side, 1);
    for (size_t r = 0; r < RG_COUNT(rows); r++) {
        side /= rows[r].stride;
        sum = inverted(sum, in, in, rows[r].out, rows[r].kernel, side * side, side * side);
        if (rows[r].gate) sum = squeezed(sum, in, in / rows[r].gate);
        in = rows[r].out;
    }
    sum = zoo_conv(sum, in, 1280, 1, 1, 1, true);
    check(state, "lcnet_100", zoo_dense(sum, 1, 1280, 1000, true));
}

/* ---- HRNet ---- */

static zoo_sum bottleneck(zoo_sum sum, int64_t in, int64_t inner, int64_t places)
{
    if (in != 4 * inner) sum = zoo_conv_norm(sum, in, 4 * inner, 1, places, 1);
    sum = zoo_conv_norm(zoo_conv_norm(sum, in, inner, 1, places, 1), inner, inner, 9, places, 1);
    return zoo_conv_norm(sum, inner, 4 * inner, 1, places, 1);
}

/* Small version 1: width 16, a module in each stage, two blocks in each image of it. */
static void images_of_four_sizes_are_fused(void **state)
{
    zoo_sum sum = zoo_conv_norm(zoo_conv_norm((zoo_sum){0}, 3, 64, 9, 112 * 112, 1), 64, 64, 9, 56 * 56, 1);
    sum = bottleneck(sum, 64, 32, 56 * 56);
    sum = zoo_conv_norm(sum, 128, 16, 9, 56 * 56, 1);
    for (int64_t ways = 2; ways <= 4; ways++) {
        int64_t side = 56 >> (ways - 1);
        sum = zoo_conv_norm(sum, ways == 2 ? 128 : 16 << (ways - 2), 16 << (ways - 1), 9, side * side, 1);
        for (int64_t to = 0; to < ways; to++) {
            for (int i = 0; i < 4; i++) /* two blocks of two */
                sum = zoo_conv_norm(sum, 16 << to, 16 << to, 9, (56 >> to) * (56 >> to), 1);
            for (int64_t from = to + 1; from < ways; from++)
                sum = zoo_conv_norm(sum, 16 << from, 16 << to, 1, (56 >> from) * (56 >> from), 1);
            for (int64_t from = 0; from < to; from++)
                for (int64_t s = from; s < to; s++)
                    sum = zoo_conv_norm(sum, 16 << from, s + 1 == to ? 16 << to : 16 << from, 9,
                                        (56 >> (s + 1)) * (56 >> (s + 1)), 1);
        }
    }
    for (int64_t way = 0; way < 4; way++) {
        int64_t places = (56 >> way) * (56 >> way);
        sum = bottleneck(sum, 16 << way, 32 << way, places);
        if (!way) continue;
        sum = zoo_conv_norm(sum, 64 << way, 128 << way, 9, places, 1);
        sum.parameters += 128 << way;
    }
    sum = zoo_conv_norm(sum, 1024, 2048, 1, 49, 1);
    sum.parameters += 2048;
    check(state, "hrnet_w18_small", zoo_dense(sum, 1, 2048, 1000, true));
}

/* ---- Xception ---- */

/* Three separable convolutions, the last of stride 2 where from != to. */
static zoo_sum separables(zoo_sum sum, int64_t in, const int64_t *out, int64_t from, int64_t to, bool around)
{
    if (around && (in != out[2] || from != to)) sum = zoo_conv_norm(sum, in, out[2], 1, to, 1);
    for (int i = 0; i < 3; i++) {
        int64_t places = i == 2 ? to : from;
        sum = zoo_conv_norm(zoo_conv_norm(sum, in, in, 9, places, in), in, out[i], 1, places, 1);
        in = out[i];
    }
    return sum;
}

static void aligned_xception_has_41_layers(void **state)
{
    static const int64_t w128[] = {128, 128, 128}, w256[] = {256, 256, 256}, w728[] = {728, 728, 728},
        exit_1[] = {728, 1024, 1024}, exit_2[] = {1536, 1536, 2048};
    const int64_t s150 = 150 * 150, s75 = 75 * 75, s38 = 38 * 38, s19 = 19 * 19, s10 = 100;
    zoo_sum sum = zoo_conv_norm(zoo_conv_norm((zoo_sum){0}, 3, 32, 9, s150, 1), 32, 64, 9, s150, 1);
    sum = separables(separables(sum, 64, w128, s150, s75, true), 128, w256, s75, s38, true);
    sum = separables(sum, 256, w728, s38, s19, true);
    for (int i = 0; i < 8; i++) sum = separables(sum, 728, w728, s19, s19, true);
    sum = separables(separables(sum, 728, exit_1, s19, s10, true), 1024, exit_2, s10, s10, false);
    check(state, "xception41", zoo_dense(sum, 1, 2048, 1000, true));
}

/* ---- networks that join ---- */

static void selecsls_joins_its_first_module(void **state)
{
    static const struct { int64_t inner, out; bool first; } rows[] = {
        {64, 64, true}, {64, 128, false}, {128, 128, true}, {128, 128, false}, {128, 288, false},
        {288, 288, true}, {288, 288, false}, {288, 288, false}, {288, 416, false},
    };
    int64_t in = 32, side = 112, kept = 0;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 32, 9, side * side, 1);
    for (size_t r = 0; r < RG_COUNT(rows); r++) {
        int64_t inner = rows[r].inner, half = inner / 2;
        if (rows[r].first) side /= 2;
        sum = zoo_conv_norm(sum, in, inner, 9, side * side, 1);
        sum = zoo_conv_norm(sum, inner, inner, 1, side * side, 1);
        sum = zoo_conv_norm(sum, inner, half, 9, side * side, 1);
        sum = zoo_conv_norm(sum, half, inner, 1, side * side, 1);
        sum = zoo_conv_norm(sum, inner, half, 9, side * side, 1);
        in = rows[r].out;
        sum = zoo_conv_norm(sum, 2 * inner + (rows[r].first ? 0 : kept), in, 1, side * side, 1);
        if (rows[r].first) kept = in;
    }
    sum = zoo_conv_norm(zoo_conv_norm(sum, 416, 756, 9, 49, 1), 756, 1024, 9, 49, 1);
    sum = zoo_conv_norm(zoo_conv_norm(sum, 1024, 1024, 9, 16, 1), 1024, 1280, 1, 16, 1);
    check(state, "selecsls60", zoo_dense(sum, 1, 1280, 1000, true));
}

static void hgnet_gathers_its_layers(void **state)
{
    static const struct { int64_t inner, out, blocks; } stages[] = {
        {96, 224, 1}, {128, 448, 1}, {160, 512, 2}, {192, 768, 1},
    };
    int64_t in = 96, side = 56;
    zoo_sum sum = zoo_conv_norm(zoo_conv_norm((zoo_sum){0}, 3, 48, 9, 112 * 112, 1), 48, 48, 9, 112 * 112, 1);
    sum = zoo_conv_norm(sum, 48, 96, 9, 112 * 112, 1);
    for (int s = 0; s < 4; s++) {
        int64_t inner = stages[s].inner;
        if (s) side /= 2, sum = zoo_conv_norm(sum, in, in, 9, side * side, in);
        for (int64_t b = 0; b < stages[s].blocks; b++) {
            sum = zoo_conv_norm(sum, in, inner, 9, side * side, 1);
            for (int i = 1; i < 5; i++) sum = zoo_conv_norm(sum, inner, inner, 9, side * side, 1);
            sum = zoo_conv_norm(sum, in + 5 * inner, stages[s].out, 1, side * side, 1);
            in = stages[s].out;
            sum = zoo_conv(sum, in, in, 1, 1, 1, true);
        }
    }
    sum = zoo_conv(sum, in, 2048, 1, 1, 1, false);
    check(state, "hgnet_tiny", zoo_dense(sum, 1, 2048, 1000, true));
}

/* Channels of block j: 16 + 180 j / 16, to the nearest. */
static void rexnet_grows_by_one_step(void **state)
{
    static const int64_t strides[] = {1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1};
    int64_t in = 32, side = 112;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, in, 9, side * side, 1);
    for (int j = 0; j < 16; j++) {
        int64_t to = side / strides[j], inner = j ? 6 * in : in, out = (int64_t)rint(16 + 11.25 * j);
        sum = inverted(sum, in, inner, out, 9, side * side, to * to);
        if (j >= 3) sum = zoo_norm(squeezed(sum, inner, inner / 12), inner / 12);
        in = out, side = to;
    }
    sum = zoo_conv_norm(sum, in, 1280, 1, 49, 1);
    check(state, "rexnet_100", zoo_dense(sum, 1, 1280, 1000, true));
}

/* ---- DarkNet ---- */

/* 1x1, then 3x3 back. */
static zoo_sum small(zoo_sum sum, int64_t channels, int64_t inner, int64_t places)
{
    return zoo_conv_norm(zoo_conv_norm(sum, channels, inner, 1, places, 1), inner, channels, 9, places, 1);
}

static void darknet_has_53_layers(void **state)
{
    static const int64_t blocks[] = {1, 2, 8, 8, 4};
    int64_t in = 32, side = 256;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, in, 9, side * side, 1);
    for (int s = 0; s < 5; s++) {
        side /= 2;
        sum = zoo_conv_norm(sum, in, 2 * in, 9, side * side, 1);
        for (int64_t b = 0; b < blocks[s]; b++)
            sum = small(sum, 2 * in, in, side * side);
        in *= 2;
    }
    check(state, "darknet53", zoo_dense(sum, 1, 1024, 1000, true));
}

/* Half of the channels go around the blocks. */
static void half_goes_around(void **state)
{
    static const int64_t blocks[] = {3, 6, 9, 3};
    int64_t in = 64, side = 128;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 32, 9, side * side, 1);
    sum = zoo_conv_norm(sum, 32, 64, 9, side * side, 1);
    for (int s = 0; s < 4; s++) {
        int64_t out = 2 * in, half = in;
        side /= 2;
        sum = zoo_conv_norm(zoo_conv_norm(sum, in, in, 9, side * side, 1), in, out, 1, side * side, 1);
        for (int64_t b = 0; b < blocks[s]; b++)
            sum = small(sum, half, half, side * side);
        sum = zoo_conv_norm(sum, out, out, 1, side * side, 1);
        in = out;
    }
    check(state, "cs3darknet_l", zoo_dense(sum, 1, 1024, 1000, true));
}

/* ---- rows of blocks ---- */

/* Table of GENet-normal: two stages of two 3x3, one of bottlenecks by 4, two of inverted ones by 3. */
static void genet_changes_its_blocks(void **state)
{
    static const struct { int64_t out, inner, blocks, stride; bool basic, alone; } rows[] = {
        {128, 128, 1, 2, true, false}, {192, 192, 2, 2, true, false}, {640, 160, 6, 2, false, false},
        {640, 1920, 4, 2, false, true}, {640, 1920, 1, 1, false, true},
    };
    int64_t in = 32, side = 112;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, in, 9, side * side, 1);
    for (size_t r = 0; r < RG_COUNT(rows); r++) {
        for (int64_t b = 0; b < rows[r].blocks; b++) {
            int64_t inner = rows[r].inner, out = rows[r].out, to = b ? side : side / rows[r].stride;
            if (in != out || to != side) sum = zoo_conv_norm(sum, in, out, 1, to * to, 1);
            if (rows[r].basic) {
                sum = zoo_conv_norm(zoo_conv_norm(sum, in, out, 9, to * to, 1), out, out, 9, to * to, 1);
            } else {
                sum = zoo_conv_norm(sum, in, inner, 1, side * side, 1);
                sum = zoo_conv_norm(sum, inner, inner, 9, to * to, rows[r].alone ? inner : 1);
                sum = zoo_conv_norm(sum, inner, out, 1, to * to, 1);
            }
            in = out, side = to;
        }
    }
    sum = zoo_conv_norm(sum, in, 2560, 1, side * side, 1);
    check(state, "gernet_m", zoo_dense(sum, 1, 2560, 1000, true));
}

/* A gate by context: one channel that weighs places, C / 8 inside, normalized. */
static void variants_differ_by_their_gates(void **state)
{
    static const int64_t inner[] = {64, 128, 384, 384}, blocks[] = {2, 3, 3, 2};
    double context = 0, squeeze = 0, along = 0;
    (void)state;
    for (int s = 0; s < 4; s++) {
        double c = (double)inner[s], n = (double)blocks[s], r = fmax(8, c / 16);
        context += n * (c + 1 + c * c / 8 + c / 8 + 2 * c / 8 + c * c / 8 + c);
        squeeze += n * (2 * c * r + r + c);
        along += n * (c < 128 ? 3 : 5); /* (log2(c) + 1) / 2, to the odd above: 3.5, 4, 4.8 */
    }
    double plain = zoo_row("resnet33ts")->parameters;
    assert_true(zoo_row("gcresnet33ts")->parameters == plain + context);
    assert_true(zoo_row("seresnet33ts")->parameters == plain + squeeze);
    assert_true(zoo_row("eca_resnet33ts")->parameters == plain + along);
    /* A blur has a constant window for each channel: behind the stem, and in three stages' first blocks. */
    assert_true(zoo_row("resnetblur50")->parameters
                == zoo_row("resnet50")->parameters + 9 * (64 + 128 + 256 + 512));
    assert_true(zoo_row("resnetaa50")->parameters == zoo_row("resnet50")->parameters);
    assert_true(zoo_row("resnet50t")->parameters
                == zoo_row("resnet50d")->parameters - 9 * 3 * 8 - 9 * 8 * 32 - 2 * 8);
}

/* ---- names ---- */

static void names_are_found(void **state)
{
    (void)state;
    assert_string_equal(rg_vision_model(rg_str_of("tf_efficientnet_lite3"), 300), "efficientnet_lite3");
    assert_string_equal(rg_vision_model(rg_str_of("tf_efficientnet_b8_ap"), 672), "efficientnet_b8");
    assert_string_equal(rg_vision_model(rg_str_of("tf_mixnet_l"), 224), "mixnet_l");
    assert_string_equal(rg_vision_model(rg_str_of("efficientnet_es_pruned"), 224), "efficientnet_es");
    assert_string_equal(rg_vision_model(rg_str_of("gluon_senet154"), 224), "legacy_senet154");
    assert_string_equal(rg_vision_model(rg_str_of("hrnet_w32"), 224), "hrnet_w32");
    assert_null(rg_vision_model(rg_str_of("tf_"), 224));
    assert_null(rg_vision_model(rg_str_of("tf_efficientnet_cc_b0_4e"), 224));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(models_have_timms_parameters),
        TEST(lite_has_no_gates),
        TEST(lcnet_gates_its_end),
        TEST(images_of_four_sizes_are_fused),
        TEST(aligned_xception_has_41_layers),
        TEST(selecsls_joins_its_first_module),
        TEST(hgnet_gathers_its_layers),
        TEST(rexnet_grows_by_one_step),
        TEST(darknet_has_53_layers),
        TEST(half_goes_around),
        TEST(genet_changes_its_blocks),
        TEST(variants_differ_by_their_gates),
        TEST(names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
