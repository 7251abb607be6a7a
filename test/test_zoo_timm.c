/* test_zoo_timm.c - models as timm has them: against the parameters that it publishes, and some against
 * closed forms of their papers.
 */
#include "zoo_check.h"

/* Millions, two digits behind the point: timm's results/benchmark-*.csv and results-imagenet.csv. */
static const zoo_published published[] = {
    {"caformer_b36", 98.75}, {"caformer_b36_384", 98.75}, {"caformer_m36", 56.2},
    {"caformer_m36_384", 56.2}, {"caformer_s18", 26.34}, {"caformer_s18_384", 26.34},
    {"caformer_s36", 39.3}, {"caformer_s36_384", 39.3}, {"convformer_b36", 99.88},
    {"convformer_m36", 57.05}, {"convformer_s18", 26.77}, {"convformer_s36", 40.01},
    {"convmixer_1024_20_ks9_p14", 24.38}, {"convmixer_1536_20", 51.63}, {"convmixer_768_32", 21.11},
    {"convnext_atto", 3.7}, {"convnext_femto", 5.22}, {"convnext_nano", 15.59}, {"convnext_pico", 9.05},
    {"convnext_xlarge", 350.2}, {"convnext_xxlarge", 846.47}, {"convnextv2_atto", 3.71},
    {"convnextv2_base", 88.72}, {"convnextv2_femto", 5.23}, {"convnextv2_huge", 660.29},
    {"convnextv2_large", 197.96}, {"convnextv2_nano", 15.62}, {"convnextv2_pico", 9.07},
    {"convnextv2_small", 50.32}, {"convnextv2_tiny", 28.64}, {"deit3_b", 86.59}, {"deit3_b_384", 86.88},
    {"deit3_h", 632.13}, {"deit3_l", 304.37}, {"deit3_l_384", 304.76}, {"deit3_m", 38.85},
    {"deit3_s", 22.06}, {"deit3_s_384", 22.21}, {"ecaresnet101d", 44.57}, {"ecaresnet200d", 64.69},
    {"ecaresnet269d", 102.09}, {"ecaresnet50d", 25.58}, {"efficientnet_v2_b0", 7.14},
    {"efficientnet_v2_b1", 8.14}, {"efficientnet_v2_b2", 10.1}, {"efficientnet_v2_b3", 14.36},
    {"efficientnet_v2_xl", 208.12}, {"gmlp_b16", 73.08}, {"gmlp_s16", 19.42}, {"gmlp_ti16", 5.87},
    {"mixer_b16", 59.88}, {"mixer_b32", 60.29}, {"mixer_l16", 208.2}, {"mixer_l32", 206.94},
    {"mixer_s16", 18.53}, {"mixer_s32", 19.1}, {"mobilenet_v2_035", 1.68}, {"mobilenet_v2_050", 1.97},
    {"mobilenet_v2_075", 2.64}, {"mobilenet_v2_110d", 4.52}, {"mobilenet_v2_120d", 5.83},
    {"mobilenet_v2_140", 6.11}, {"pit_b", 73.76}, {"pit_s", 23.46}, {"pit_ti", 4.85}, {"pit_xs", 10.62},
    {"poolformer_m36", 56.17}, {"poolformer_m48", 73.47}, {"poolformer_s12", 11.92},
    {"poolformer_s24", 21.39}, {"poolformer_s36", 30.86}, {"poolformerv2_m36", 56.08},
    {"poolformerv2_m48", 73.35}, {"poolformerv2_s12", 11.89}, {"poolformerv2_s24", 21.34},
    {"poolformerv2_s36", 30.79}, {"regnet_x_002", 2.68}, {"regnet_x_004", 5.16}, {"regnet_x_006", 6.2},
    {"regnet_x_040", 22.12}, {"regnet_x_064", 26.21}, {"regnet_x_120", 46.11}, {"regnet_y_002", 3.16},
    {"regnet_y_006", 6.06}, {"regnet_y_008", 6.26}, {"regnet_y_040", 20.65}, {"regnet_y_064", 30.58},
    {"regnet_y_080", 39.18}, {"regnet_y_120", 51.82}, {"regnet_y_640", 281.38}, {"repvgg_a0", 9.11},
    {"repvgg_a1", 14.09}, {"repvgg_a2", 28.21}, {"repvgg_b0", 15.82}, {"repvgg_b1", 57.42},
    {"repvgg_b2", 89.02}, {"repvgg_b3", 123.09}, {"resnet101c", 44.57}, {"resnet101d", 44.57},
    {"resnet101s", 44.67}, {"resnet152c", 60.21}, {"resnet152d", 60.21}, {"resnet152s", 60.32},
    {"resnet18d", 11.71}, {"resnet200", 64.67}, {"resnet200d", 64.69}, {"resnet26", 16},
    {"resnet26d", 16.01}, {"resnet34d", 21.82}, {"resnet50c", 25.58}, {"resnet50d", 25.58},
    {"resnet50s", 25.68}, {"resnetrs101", 63.62}, {"resnetrs152", 86.62}, {"resnetrs200", 93.21},
    {"resnetrs270", 129.86}, {"resnetrs350", 163.96}, {"resnetrs420", 191.89}, {"resnetrs50", 35.69},
    {"resnext101_32x16d", 194.03}, {"resnext101_32x32d", 468.53}, {"resnext101_32x48d", 828.41},
    {"resnext101_32x4d", 44.18}, {"resnext50d_32x4d", 25.05}, {"seresnet101", 49.33},
    {"seresnet152", 66.82}, {"seresnet152d", 66.84}, {"seresnet18", 11.78}, {"seresnet34", 21.96},
    {"seresnet50", 28.09}, {"seresnext101_32x4d", 48.96}, {"seresnext101_32x8d", 93.57},
    {"seresnext101_64x4d", 88.23}, {"seresnext101d_32x8d", 93.59}, {"seresnext26d_32x4d", 16.81},
    {"seresnext50_32x4d", 27.56}, {"swin_l", 196.53}, {"vit_b_16_384", 86.86}, {"vit_b_32_384", 88.3},
    {"vit_b_32_448", 88.34}, {"vit_b_8", 86.58}, {"vit_h_14", 632.05}, {"vit_l_14", 304.2},
    {"vit_l_14_336", 304.53}, {"vit_l_16_384", 304.72}, {"vit_l_32_384", 306.63}, {"vit_s_16_384", 22.2},
    {"vit_s_32", 22.88}, {"vit_s_32_384", 22.92}, {"vit_ti_16", 5.72}, {"vit_ti_16_384", 5.79},
    {"xcit_large_24_p16_224", 189.1}, {"xcit_large_24_p16_384", 189.1}, {"xcit_large_24_p8_224", 188.93},
    {"xcit_large_24_p8_384", 188.93}, {"xcit_medium_24_p16_224", 84.4}, {"xcit_medium_24_p16_384", 84.4},
    {"xcit_medium_24_p8_224", 84.32}, {"xcit_medium_24_p8_384", 84.32}, {"xcit_nano_12_p16_224", 3.05},
    {"xcit_nano_12_p16_384", 3.05}, {"xcit_nano_12_p8_224", 3.05}, {"xcit_nano_12_p8_384", 3.05},
    {"xcit_small_12_p16_224", 26.25}, {"xcit_small_12_p16_384", 26.25}, {"xcit_small_12_p8_224", 26.21},
    {"xcit_small_12_p8_384", 26.21}, {"xcit_small_24_p16_224", 47.67}, {"xcit_small_24_p16_384", 47.67},
    {"xcit_small_24_p8_224", 47.63}, {"xcit_small_24_p8_384", 47.63}, {"xcit_tiny_12_p16_224", 6.72},
    {"xcit_tiny_12_p16_384", 6.72}, {"xcit_tiny_12_p8_224", 6.71}, {"xcit_tiny_12_p8_384", 6.71},
    {"xcit_tiny_24_p16_224", 12.12}, {"xcit_tiny_24_p16_384", 12.12}, {"xcit_tiny_24_p8_224", 12.11},
    {"xcit_tiny_24_p8_384", 12.11},
};

static void models_have_timms_parameters(void **state)
{
    (void)state;
    zoo_assert_published(published, RG_COUNT(published), 0.00501);
}

/* ---- closed forms ---- */

/* Two linear layers of four times the width between. */
static zoo_sum add_mlp(zoo_sum sum, int64_t rows, int64_t width, bool bias)
{
    return zoo_dense(zoo_dense(sum, rows, width, 4 * width, bias), rows, 4 * width, width, bias);
}

static void linear_layers_take_turns(void **state)
{
    zoo_sum sum = zoo_conv((zoo_sum){0}, 3, 512, 256, 196, 1, true);
    for (int i = 0; i < 8; i++) {
        sum = zoo_dense(zoo_dense(zoo_norm(sum, 512), 512, 196, 256, true), 512, 256, 196, true);
        sum = add_mlp(zoo_norm(sum, 512), 196, 512, true);
    }
    zoo_assert_classifier(*state, "mixer_s16", zoo_dense(zoo_norm(sum, 512), 1, 512, 1000, true), "mlp");
    sum = zoo_conv((zoo_sum){0}, 3, 256, 256, 196, 1, true);
    for (int i = 0; i < 30; i++) {
        sum = zoo_dense(zoo_norm(sum, 256), 196, 256, 1536, true);
        sum = zoo_dense(zoo_norm(sum, 768), 768, 196, 196, true);
        sum = zoo_dense(sum, 196, 768, 256, true);
    }
    zoo_assert_classifier(*state, "gmlp_s16", zoo_dense(zoo_norm(sum, 256), 1, 256, 1000, true), "mlp");
}

/* Features attend to features: each of 8 heads multiplies [48, 196] with [196, 48], and that with [48, 196].
 */
static void xcit_attends_to_features(void **state)
{
    zoo_sum sum = {0};
    int64_t in = 3, side = 224;
    for (int64_t out = 48; out <= 384; out *= 2) {
        side /= 2;
        sum = zoo_conv_norm(sum, in, out, 9, side * side, 1);
        in = out;
    }
    sum = zoo_conv(sum, 64, 384, 1, 196, 1, true);
    for (int i = 0; i < 12; i++) {
        sum = zoo_dense(zoo_dense(zoo_norm(sum, 384), 196, 384, 3 * 384, true), 196, 384, 384, true);
        sum.macs += 2 * INT64_C(8) * 48 * 48 * 196;
        sum = zoo_conv(zoo_norm(sum, 384), 384, 384, 9, 196, 384, true);
        sum = zoo_conv(zoo_norm(sum, 384), 384, 384, 9, 196, 384, true);
        sum = add_mlp(zoo_norm(sum, 384), 196, 384, true);
        sum.parameters += 8 + 3 * 384; /* temperatures, scales */
    }
    for (int i = 0; i < 2; i++) {
        sum = zoo_dense_times(zoo_norm(sum, 384), 2, 197, 384, 384, true);
        sum = zoo_attention(zoo_dense_times(sum, 2, 1, 384, 384, true), 1, 197, 384);
        sum = add_mlp(zoo_norm(sum, 384), 1, 384, true);
        sum.parameters += 2 * 384;
    }
    sum.parameters += 384;
    zoo_assert_classifier(*state, "xcit_small_12_p16_224", zoo_dense(zoo_norm(sum, 384), 1, 384, 1000, true),
                          "transformer");
}

/* Positions and a class token: 27^2, 14^2, 7^2 and one more. */
static void pit_halves_its_image(void **state)
{
    static const int64_t layers[] = {2, 6, 4}, sides[] = {27, 14, 7};
    int64_t width = 144;
    zoo_sum sum = zoo_conv((zoo_sum){0}, 3, width, 256, 27 * 27, 1, true);
    sum.parameters += width * 27 * 27 + width;
    for (int stage = 0; stage < 3; stage++) {
        int64_t rows = sides[stage] * sides[stage] + 1;
        if (stage) {
            sum = zoo_conv(sum, width, 2 * width, 9, rows - 1, width, true);
            sum = zoo_dense(sum, 1, width, 2 * width, true);
            width *= 2;
        }
        for (int64_t i = 0; i < layers[stage]; i++) {
            sum = zoo_dense(zoo_norm(sum, width), rows, width, 3 * width, true);
            sum = zoo_attention(zoo_dense(sum, rows, width, width, true), rows, rows, width);
            sum = add_mlp(zoo_norm(sum, width), rows, width, true);
        }
    }
    zoo_assert_classifier(*state, "pit_s", zoo_dense(zoo_norm(sum, width), 1, width, 1000, true),
                          "transformer");
}

/* Norms have a scale alone, StarReLU two numbers; the last two stages scale what is added to. */
static void caformer_convolves_then_attends(void **state)
{
    static const int64_t widths[] = {64, 128, 320, 512}, blocks[] = {3, 3, 9, 3};
    int64_t side = 56, in = 64;
    zoo_sum sum = zoo_conv((zoo_sum){0}, 3, in, 49, side * side, 1, true);
    sum.parameters += in;
    for (int stage = 0; stage < 4; stage++) {
        int64_t width = widths[stage], rows;
        if (stage) {
            side /= 2;
            sum.parameters += in;
            sum = zoo_conv(sum, in, width, 9, side * side, 1, true);
        }
        in = width, rows = side * side;
        for (int64_t i = 0; i < blocks[stage]; i++) {
            if (stage < 2) {
                sum = zoo_conv(zoo_dense(sum, rows, width, 2 * width, false), 2 * width, 2 * width, 49, rows,
                               2 * width, false);
                sum = zoo_dense(sum, rows, 2 * width, width, false);
            } else {
                sum = zoo_dense(zoo_dense(sum, rows, width, 3 * width, false), rows, width, width, false);
                sum = zoo_attention(sum, rows, rows, width);
            }
            sum = add_mlp(sum, rows, width, false);
            sum.parameters += 2 * width + (stage < 2 ? 0 : 2 * width);
        }
    }
    sum = zoo_norm(zoo_dense(zoo_norm(sum, in), 1, in, 4 * in, true), 4 * in);
    sum = zoo_dense(sum, 1, 4 * in, 1000, true);
    const rg_facts *f = zoo_facts(*state, "caformer_s18");
    assert_true(f->mac == (double)sum.macs);
    assert_int_equal(zoo_node_count(f, "Softmax"), 12);
    rg_facts_free(f);
}

static void pooling_has_no_weights(void **state)
{
    static const int64_t widths[] = {64, 128, 320, 512}, blocks[] = {2, 2, 6, 2};
    int64_t side = 56, in = 64;
    zoo_sum sum = zoo_conv((zoo_sum){0}, 3, in, 49, side * side, 1, true);
    for (int stage = 0; stage < 4; stage++) {
        if (stage) side /= 2, sum = zoo_conv(sum, in, widths[stage], 9, side * side, 1, true);
        in = widths[stage];
        for (int64_t i = 0; i < blocks[stage]; i++) {
            sum = add_mlp(zoo_norm(zoo_norm(sum, in), in), side * side, in, true);
            sum.parameters += 2 * in;
        }
    }
    zoo_assert_classifier(*state, "poolformer_s12", zoo_dense(zoo_norm(sum, in), 1, in, 1000, true), "cnn");
}

static void one_block_over_and_over(void **state)
{
    zoo_sum sum = zoo_norm(zoo_conv((zoo_sum){0}, 3, 768, 49, 1024, 1, true), 768);
    for (int i = 0; i < 32; i++) {
        sum = zoo_norm(zoo_conv(sum, 768, 768, 49, 1024, 768, true), 768);
        sum = zoo_norm(zoo_conv(sum, 768, 768, 1, 1024, 1, true), 768);
    }
    zoo_assert_classifier(*state, "convmixer_768_32", zoo_dense(sum, 1, 768, 1000, true), "cnn");
}

/* Table 2 of Ding et al. 2021: stages of 2, 4, 14, 1 blocks, of which the first has no identity. */
static void repvgg_has_three_branches(void **state)
{
    static const int64_t widths[] = {48, 96, 192, 1280}, blocks[] = {2, 4, 14, 1};
    int64_t in = 48, side = 112;
    zoo_sum sum = zoo_conv_norm(zoo_conv_norm((zoo_sum){0}, 3, 48, 9, side * side, 1), 3, 48, 1, side * side,
                                1);
    for (int stage = 0; stage < 4; stage++) {
        side /= 2;
        for (int64_t i = 0; i < blocks[stage]; i++) {
            if (i) sum = zoo_norm(sum, in);
            sum = zoo_conv_norm(sum, in, widths[stage], 9, side * side, 1);
            sum = zoo_conv_norm(sum, in, widths[stage], 1, side * side, 1);
            in = widths[stage];
        }
    }
    zoo_assert_classifier(*state, "repvgg_a0", zoo_dense(sum, 1, in, 1000, true), "cnn");
}

/* What a variant has more than the network that it is one of. */
static void variants_differ_by_closed_forms(void **state)
{
    static const int64_t blocks[] = {3, 4, 6, 3};
    (void)state;
    const rg_zoo *resnet50 = zoo_row("resnet50"), *tiny = zoo_row("convnext_tiny");
    double gates = 0, along = 0, competing = 0;
    for (int stage = 0; stage < 4; stage++) {
        double channels = 256 << stage, squeezed = channels / 16, wide = 4 * (96 << stage);
        gates += (double)blocks[stage] * (2 * channels * squeezed + squeezed + channels);
        along += (double)blocks[stage] * (stage < 3 ? 5 : 7);
        competing += (stage == 2 ? 9 : 3) * (2 * wide - wide / 4);
    }
    assert_true(zoo_row("seresnet50")->parameters == resnet50->parameters + gates);
    /* three convolutions, 3 -> 32 -> 32 -> 64, with norms, for one of 7 x 7 */
    double stem = 9 * (3 * 32 + 32 * 32 + 32 * 64) + 2 * 2 * 32 - 49 * 3 * 64;
    assert_true(zoo_row("resnet50d")->parameters == resnet50->parameters + stem);
    assert_true(zoo_row("ecaresnet50d")->parameters == resnet50->parameters + stem + along);
    assert_true(zoo_row("convnextv2_tiny")->parameters == tiny->parameters + competing);
    /* two scales a block; the class token has no place */
    assert_true(zoo_row("deit3_s")->parameters == zoo_row("deit_s")->parameters + 12 * 2 * 384 - 384);
}

/* ---- names ---- */

static void names_are_found(void **state)
{
    (void)state;
    assert_string_equal(rg_vision_model(rg_str_of("resnet50"), 288), "resnet50");
    assert_string_equal(rg_vision_model(rg_str_of("gluon_resnet101_v1d"), 224), "resnet101d");
    assert_string_equal(rg_vision_model(rg_str_of("xcit_nano_12_p8_384_dist"), 384), "xcit_nano_12_p8_384");
    assert_string_equal(rg_vision_model(rg_str_of("caformer_m36"), 384), "caformer_m36_384");
    assert_string_equal(rg_vision_model(rg_str_of("deit3_huge_patch14_224_in21ft1k"), 0), "deit3_h");
    assert_string_equal(rg_vision_model(rg_str_of("caformer_m36"), 224), "caformer_m36");
    assert_string_equal(rg_vision_model(rg_str_of("vgg16"), 0), "vgg16");
    assert_null(rg_vision_model(rg_str_of("vgg16"), 256));
    assert_null(rg_vision_model(rg_str_of("xcit_nano_12_p8_384"), 224));
    assert_null(rg_vision_model(rg_str_of("repvgg_a0"), 224));
    assert_null(rg_vision_model(rg_str_of("mlp"), 0));
    assert_null(rg_vision_model(rg_str_of("vit_base_patch16_224"), 384));
    assert_null(rg_vision_model(rg_str_of("resnet50x4_clip"), 288));
    assert_null(rg_vision_model(rg_str_of(""), 224));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(models_have_timms_parameters),
        TEST(linear_layers_take_turns),
        TEST(xcit_attends_to_features),
        TEST(pit_halves_its_image),
        TEST(caformer_convolves_then_attends),
        TEST(pooling_has_no_weights),
        TEST(one_block_over_and_over),
        TEST(repvgg_has_three_branches),
        TEST(variants_differ_by_closed_forms),
        TEST(names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
