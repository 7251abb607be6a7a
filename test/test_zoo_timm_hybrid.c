/* test_zoo_timm_hybrid.c - more image transformers as timm has them: windows, outlooks, two branches, masked
 * pretraining, mobile ones. Published parameters, and one of each family against a closed form of its paper.
 */
#include "zoo_check.h"

/* Millions, two digits behind the point: timm's results-imagenet.csv. */
static const zoo_published published[] = {
    {"beit_base_patch16_224", 86.53}, {"beit_base_patch16_384", 86.74}, {"beit_large_patch16_224", 304.43},
    {"beit_large_patch16_384", 305}, {"beit_large_patch16_512", 305.67}, {"beitv2_base_patch16_224", 86.53},
    {"beitv2_large_patch16_224", 304.43}, {"crossvit_15_240", 27.53}, {"crossvit_15_dagger_240", 28.21},
    {"crossvit_15_dagger_408", 28.5}, {"crossvit_18_240", 43.27}, {"crossvit_18_dagger_240", 44.27},
    {"crossvit_18_dagger_408", 44.61}, {"crossvit_9_240", 8.55}, {"crossvit_9_dagger_240", 8.78},
    {"crossvit_base_240", 105.03}, {"crossvit_small_240", 26.86}, {"crossvit_tiny_240", 7.01},
    {"davit_base", 87.95}, {"davit_small", 49.75}, {"davit_tiny", 28.36}, {"eva02_base_patch14_448", 87.12},
    {"eva02_large_patch14_448", 305.08}, {"eva02_small_patch14_336", 22.13},
    {"eva02_tiny_patch14_336", 5.76}, {"eva_giant_patch14_224", 1012.56}, {"eva_giant_patch14_336", 1013.01},
    {"eva_giant_patch14_560", 1014.45}, {"mobilevit_s", 5.58}, {"mobilevit_xs", 2.32},
    {"mobilevit_xxs", 1.27}, {"mobilevitv2_050", 1.37}, {"mobilevitv2_075", 2.87}, {"mobilevitv2_100", 4.9},
    {"mobilevitv2_125", 7.48}, {"mobilevitv2_150", 10.59}, {"mobilevitv2_150_384", 10.59},
    {"mobilevitv2_175", 14.25}, {"mobilevitv2_175_384", 14.25}, {"mobilevitv2_200", 18.45},
    {"mobilevitv2_200_384", 18.45}, {"pit_b_distilled_224", 74.79}, {"pit_s_distilled_224", 24.04},
    {"pit_ti_distilled_224", 5.1}, {"pit_xs_distilled_224", 11}, {"swin_base_patch4_window12_384", 87.9},
    {"swin_large_patch4_window12_384", 196.74}, {"swin_s3_base_224", 71.13}, {"swin_s3_small_224", 49.74},
    {"swin_s3_tiny_224", 28.33}, {"swinv2_base_window12to16_192to256", 87.92},
    {"swinv2_base_window12to24_192to384", 87.92}, {"swinv2_base_window16_256", 87.92},
    {"swinv2_base_window8_256", 87.92}, {"swinv2_cr_small_224", 49.7}, {"swinv2_cr_small_ns_224", 49.7},
    {"swinv2_cr_tiny_ns_224", 28.33}, {"swinv2_large_window12to16_192to256", 196.74},
    {"swinv2_large_window12to24_192to384", 196.74}, {"swinv2_small_window16_256", 49.73},
    {"swinv2_small_window8_256", 49.73}, {"swinv2_tiny_window16_256", 28.35},
    {"swinv2_tiny_window8_256", 28.35}, {"twins_pcpvt_base", 43.83}, {"twins_pcpvt_large", 60.99},
    {"twins_pcpvt_small", 24.11}, {"twins_svt_base", 56.07}, {"twins_svt_large", 99.27},
    {"twins_svt_small", 24.06}, {"volo_d1_224", 26.63}, {"volo_d1_384", 26.78}, {"volo_d2_224", 58.68},
    {"volo_d2_384", 58.87}, {"volo_d3_224", 86.33}, {"volo_d3_448", 86.63}, {"volo_d4_224", 192.96},
    {"volo_d4_448", 193.41}, {"volo_d5_224", 295.46}, {"volo_d5_448", 295.91}, {"volo_d5_512", 296.09},
};

/* The scales that are in no count move swinv2_cr_small by 5e-4 below its last digit. */
static void models_have_timms_parameters(void **state)
{
    (void)state;
    zoo_assert_published(published, RG_COUNT(published), 0.0055);
    assert_string_equal(rg_vision_model(rg_str_of("mobilevitv2_150"), 384), "mobilevitv2_150_384");
    const char *model = rg_vision_model(rg_str_of("mobilevitv2_150_384_in22ft1k"), 384);
    assert_string_equal(model, "mobilevitv2_150_384");
}

/* ---- closed forms ---- */

static void check(void **state, const char *name, zoo_sum sum)
{
    zoo_assert_classifier(*state, name, sum, zoo_row(name)->family);
}

static zoo_sum add_mlp(zoo_sum sum, int64_t rows, int64_t width, int64_t inner)
{
    return zoo_dense(zoo_dense(sum, rows, width, inner, true), rows, inner, width, true);
}

/* `biased`: of queries, keys and values, how many have a bias. */
static zoo_sum add_attention(zoo_sum sum, int64_t rows, int64_t keys, int64_t width, int64_t biased)
{
    sum = zoo_dense(zoo_norm(sum, width), rows, width, 3 * width, false);
    sum.parameters += biased * width;
    return zoo_attention(zoo_dense(sum, rows, width, width, true), rows, keys, width);
}

static zoo_sum add_encoder(zoo_sum sum, int64_t rows, int64_t keys, int64_t width, int64_t inner,
                           int64_t biased)
{
    return add_mlp(zoo_norm(add_attention(sum, rows, keys, width, biased), width), rows, width, inner);
}

static zoo_sum patches(int64_t width, int64_t kernel, int64_t places)
{
    return zoo_conv((zoo_sum){0}, 3, width, kernel * kernel, places, 1, true);
}

static zoo_sum head(zoo_sum sum, int64_t width) { return zoo_dense(sum, 1, width, 1000, true); }

/* Numbers of offsets: by a table, by 512 features at each offset, by 384 at each pair of places. */
static void swins_differ_by_offsets(void **state)
{
    static const int64_t layers[] = {2, 2, 6, 2}, s3[] = {7, 7, 14, 7};
    zoo_sum sums[3];
    for (int kind = 0; kind < 3; kind++) {
        int64_t image = kind == 1 ? 256 : 224, side = image / 4, width = 96;
        zoo_sum sum = zoo_norm(patches(width, 4, side * side), width);
        for (int stage = 0; stage < 4; stage++, side /= 2, width *= 2) {
            int64_t window = kind == 0 ? s3[stage] : kind == 1 ? 8 : 7, heads = width / 32;
            int64_t span = (2 * window - 1) * (2 * window - 1), places = window * window;
            if (stage) {
                sum = zoo_dense(sum, side * side, 2 * width, width, false);
                sum = zoo_norm(sum, kind == 1 ? width : 2 * width);
            }
            for (int64_t i = 0; i < layers[stage]; i++) {
                sum = add_encoder(sum, side * side, places, width, 4 * width, kind == 1 ? 2 : 3);
                if (kind == 0) sum.parameters += span * heads;
                if (kind == 1) sum = zoo_dense(zoo_dense(sum, span, 2, 512, true), span, 512, heads, false);
                if (kind == 2) {
                    sum = zoo_dense(sum, places * places, 2, 384, true);
                    sum = zoo_dense(sum, places * places, 384, heads, true);
                    sum.macs += places * side * side * heads; /* lengths times lengths */
                }
            }
        }
        sums[kind] = head(zoo_norm(sum, 768), 768);
    }
    check(state, "swin_s3_tiny_224", sums[0]);
    check(state, "swinv2_tiny_window8_256", sums[1]);
    check(state, "swinv2_cr_tiny_224", sums[2]);
}

static void beit_has_a_table_and_two_biases(void **state)
{
    int64_t width = 768;
    zoo_sum sum = patches(width, 16, 196);
    sum.parameters += width;
    for (int i = 0; i < 12; i++) {
        sum = add_encoder(sum, 197, 197, width, 4 * width, 2);
        sum.parameters += 12 * (27 * 27 + 3) + 2 * width;
    }
    check(state, "beit_base_patch16_224", head(zoo_norm(sum, width), width));

    width = 192; /* EVA-02: two layers of 512 features are one of 1024, whose halves are multiplied */
    sum = patches(width, 14, 24 * 24);
    sum.parameters += width + (24 * 24 + 1) * width;
    for (int i = 0; i < 12; i++) {
        sum = zoo_norm(add_attention(sum, 577, 577, width, 2), width);
        sum = zoo_dense(zoo_dense(sum, 577, width, 1024, true), 577, 512, width, true);
    }
    check(state, "eva02_tiny_patch14_336", head(zoo_norm(sum, width), width));
}

/* At each of 14 x 14 places 81 weights a head for 9 places around; a head for all places. */
static void volo_looks_out(void **state)
{
    int64_t width = 192;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 64, 49, 112 * 112, 1);
    for (int i = 0; i < 2; i++) sum = zoo_conv_norm(sum, 64, 64, 9, 112 * 112, 1);
    sum = zoo_conv(sum, 64, width, 16, 784, 1, true);
    for (int i = 0; i < 4; i++) {
        sum = zoo_dense(zoo_norm(sum, width), 784, width, width, false);
        sum = zoo_dense(zoo_dense(sum, 196, width, 81 * 6, true), 784, width, width, true);
        sum.macs += 196 * 81 * width;
        sum = add_mlp(zoo_norm(sum, width), 784, width, 3 * width);
    }
    sum = zoo_conv(sum, width, 2 * width, 4, 196, 1, true);
    width *= 2;
    sum.parameters += 196 * width + width;
    for (int i = 0; i < 4 + 8 + 2; i++) sum = add_encoder(sum, 196, 196, width, 3 * width, 0);
    for (int i = 0; i < 2; i++) {
        sum = zoo_dense(zoo_norm(sum, width), 197, width, 2 * width, false);
        sum = zoo_dense(sum, 1, width, width, false);
        sum = zoo_attention(zoo_dense(sum, 1, width, width, true), 1, 197, width);
        sum = add_mlp(zoo_norm(sum, width), 1, width, 3 * width);
    }
    sum = zoo_dense(zoo_norm(sum, width), 196, width, 1000, true);
    check(state, "volo_d1_224", head(sum, width));
}

static void crossvit_asks_the_other_branch(void **state)
{
    static const int64_t widths[] = {96, 192}, positions[] = {401, 197}, patch[] = {12, 16};
    zoo_sum sum = {0};
    for (int i = 0; i < 2; i++) {
        int64_t width = widths[i], other = widths[1 - i], rows = positions[i];
        sum = zoo_conv(sum, 3, width, patch[i] * patch[i], rows - 1, 1, true);
        sum.parameters += width + rows * width;
        for (int round = 0; round < 3; round++) {
            for (int k = 0; k < (i ? 4 : 1); k++) sum = add_encoder(sum, rows, rows, width, 4 * width, 3);
            sum = zoo_dense(zoo_norm(sum, width), 1, width, other, true);
            sum = zoo_dense(zoo_norm(sum, width), 1, width, other, true); /* and back from this one */
            sum = zoo_dense_times(zoo_norm(sum, width), 2, 1, width, width, true);
            sum = zoo_attention(zoo_dense_times(sum, 2, rows, width, width, true), 1, rows, width);
        }
        sum = head(zoo_norm(sum, width), width);
    }
    check(state, "crossvit_tiny_240", sum);
}

static zoo_sum add_inverted(zoo_sum sum, int64_t in, int64_t out, int64_t expand, int64_t rows,
                            int64_t stride)
{
    int64_t inner = expand * in;
    sum = zoo_conv_norm(sum, in, inner, 1, rows * stride * stride, 1);
    sum = zoo_conv_norm(sum, inner, inner, 9, rows, inner);
    return zoo_conv_norm(sum, inner, out, 1, rows, 1);
}

static void mobilevit_attends_across_patches(void **state)
{
    static const int64_t widths[] = {64, 80, 96}, inner[] = {96, 120, 144}, depths[] = {2, 4, 3};
    int64_t side = 64, in = 48;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 16, 9, 128 * 128, 1);
    sum = add_inverted(add_inverted(sum, 16, 32, 4, 128 * 128, 1), 32, 48, 4, side * side, 2);
    for (int i = 0; i < 2; i++) sum = add_inverted(sum, 48, 48, 4, side * side, 1);
    for (int stage = 0; stage < 3; stage++) {
        int64_t width = widths[stage], wide = inner[stage], rows;
        side /= 2, rows = side * side;
        sum = zoo_conv_norm(add_inverted(sum, in, width, 4, rows, 2), width, width, 9, rows, 1);
        sum = zoo_conv(sum, width, wide, 1, rows, 1, false);
        for (int64_t i = 0; i < depths[stage]; i++) sum = add_encoder(sum, rows, rows / 4, wide, 2 * wide, 3);
        sum = zoo_conv_norm(zoo_norm(sum, wide), wide, width, 1, rows, 1);
        sum = zoo_conv_norm(sum, 2 * width, width, 9, rows, 1);
        in = width;
    }
    check(state, "mobilevit_xs", head(zoo_conv_norm(sum, in, 384, 1, 64, 1), 384));
}

static void mobilevit_weighs_keys(void **state)
{
    static const int64_t widths[] = {128, 192, 256}, depths[] = {2, 4, 3};
    int64_t side = 64, in = 64;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 16, 9, 128 * 128, 1);
    sum = add_inverted(add_inverted(sum, 16, 32, 2, 128 * 128, 1), 32, 64, 2, side * side, 2);
    sum = add_inverted(sum, 64, 64, 2, side * side, 1);
    for (int stage = 0; stage < 3; stage++) {
        int64_t width = widths[stage], wide = width / 2, rows;
        side /= 2, rows = side * side;
        sum = zoo_conv_norm(add_inverted(sum, in, width, 2, rows, 2), width, width, 9, rows, width);
        sum = zoo_conv(sum, width, wide, 1, rows, 1, false);
        for (int64_t i = 0; i < depths[stage]; i++) {
            sum = zoo_dense(zoo_norm(sum, wide), rows, wide, 1 + 2 * wide, true);
            sum = zoo_norm(zoo_dense(sum, rows, wide, wide, true), wide);
            sum = add_mlp(sum, rows, wide, 2 * wide);
        }
        sum = zoo_conv_norm(zoo_norm(sum, wide), wide, width, 1, rows, 1);
        in = width;
    }
    check(state, "mobilevitv2_050", head(sum, in));
}

/* Attention between features: each of 32 of a head with each, at all places, twice. */
static void davit_attends_two_ways(void **state)
{
    static const int64_t layers[] = {1, 1, 3, 1};
    int64_t side = 56, width = 96;
    zoo_sum sum = zoo_norm(patches(width, 7, side * side), width);
    for (int stage = 0; stage < 4; stage++, side /= 2, width *= 2) {
        int64_t rows = side * side;
        if (stage) sum = zoo_conv(zoo_norm(sum, width / 2), width / 2, width, 4, rows, 1, true);
        for (int64_t i = 0; i < 2 * layers[stage]; i++) {
            for (int k = 0; k < 2; k++) sum = zoo_conv(sum, width, width, 9, rows, width, true);
            sum = add_encoder(sum, rows, i % 2 ? 32 : 49, width, 4 * width, 3);
        }
    }
    check(state, "davit_tiny", head(zoo_norm(sum, 768), 768));
}

/* Windows of 12, 24 and 12 places a side, which fit 48, 24 and 12. */
static void tinyvit_looks_around(void **state)
{
    static const int64_t widths[] = {96, 192, 384, 576}, layers[] = {2, 2, 6, 2}, windows[] = {0, 12, 24, 12};
    int64_t side = 96;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 48, 9, 192 * 192, 1);
    sum = zoo_conv_norm(sum, 48, 96, 9, side * side, 1);
    for (int i = 0; i < 2; i++) sum = add_inverted(sum, 96, 96, 4, side * side, 1);
    for (int stage = 1; stage < 4; stage++) {
        int64_t width = widths[stage], rows = side * side, places = windows[stage] * windows[stage];
        sum = zoo_conv_norm(sum, widths[stage - 1], width, 1, rows, 1);
        side /= 2, rows = side * side;
        sum = zoo_conv_norm(zoo_conv_norm(sum, width, width, 9, rows, width), width, width, 1, rows, 1);
        for (int64_t i = 0; i < layers[stage]; i++) {
            sum = zoo_conv_norm(sum, width, width, 9, rows, width);
            sum = add_encoder(sum, rows, places, width, 4 * width, 3);
            sum.parameters += places * width / 32;
        }
    }
    check(state, "tiny_vit_21m_384", head(zoo_norm(sum, 576), 576));
}

static void twins_attend_near_and_far(void **state)
{
    static const int64_t layers[] = {2, 2, 10, 4}, shrink[] = {8, 4, 2, 1};
    int64_t side = 56, width = 64, in = 3;
    zoo_sum sum = {0};
    for (int stage = 0; stage < 4; stage++, side /= 2, width *= 2) {
        int64_t rows = side * side, by = shrink[stage];
        sum = zoo_norm(zoo_conv(sum, in, width, stage ? 4 : 16, rows, 1, true), width);
        sum = zoo_conv(sum, width, width, 9, rows, width, true);
        for (int64_t i = 0; i < layers[stage]; i++) {
            if (i % 2 == 0) {
                sum = add_encoder(sum, rows, 49, width, 4 * width, 3);
                continue;
            }
            sum = zoo_dense_times(zoo_norm(sum, width), 2, rows, width, width, true);
            if (by > 1) sum = zoo_norm(zoo_conv(sum, width, width, by * by, 49, 1, true), width);
            sum = zoo_attention(zoo_dense(sum, 49, width, 2 * width, true), rows, 49, width);
            sum = add_mlp(zoo_norm(sum, width), rows, width, 4 * width);
        }
        in = width;
    }
    check(state, "twins_svt_small", head(zoo_norm(sum, in), in));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(models_have_timms_parameters),
        TEST(swins_differ_by_offsets),
        TEST(beit_has_a_table_and_two_biases),
        TEST(volo_looks_out),
        TEST(crossvit_asks_the_other_branch),
        TEST(mobilevit_attends_across_patches),
        TEST(mobilevit_weighs_keys),
        TEST(davit_attends_two_ways),
        TEST(tinyvit_looks_around),
        TEST(twins_attend_near_and_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
