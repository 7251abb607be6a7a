/* test_zoo_timm_transformer.c - image transformers and hybrids as timm has them: against the parameters that
 * it publishes, and one of each family against a closed form of its paper.
 */
#include "zoo_check.h"

/* Millions, two digits behind the point: timm's results-imagenet.csv. */
static const zoo_published published[] = {
    {"cait_m36_384", 271.22}, {"cait_m48_448", 356.46}, {"cait_s24_224", 46.92}, {"cait_s24_384", 47.06},
    {"cait_s36_384", 68.37}, {"cait_xs24_384", 26.67}, {"cait_xxs24_224", 11.96}, {"cait_xxs24_384", 12.03},
    {"cait_xxs36_224", 17.3}, {"cait_xxs36_384", 17.37}, {"coat_lite_medium", 44.57},
    {"coat_lite_medium_384", 44.57}, {"coat_lite_mini", 11.01}, {"coat_lite_small", 19.84},
    {"coat_lite_tiny", 5.72}, {"coat_mini", 10.34}, {"coat_small", 21.69}, {"coat_tiny", 5.5},
    {"coatnet_0_rw_224", 27.44},
    {"coatnet_1_rw_224", 41.72}, {"coatnet_2_rw_224", 73.87}, {"coatnet_bn_0_rw_224", 27.44},
    {"coatnet_nano_rw_224", 15.14}, {"coatnet_rmlp_1_rw2_224", 41.72}, {"coatnet_rmlp_1_rw_224", 41.69},
    {"coatnet_rmlp_2_rw_224", 73.88}, {"coatnet_rmlp_2_rw_384", 73.88}, {"coatnet_rmlp_nano_rw_224", 15.15},
    {"coatnext_nano_rw_224", 14.7}, {"convit_base", 86.54}, {"convit_small", 27.78}, {"convit_tiny", 5.71},
    {"deit_base_distilled_patch16_224", 87.34}, {"deit_base_distilled_patch16_384", 87.63},
    {"deit_small_distilled_patch16_224", 22.44}, {"deit_tiny_distilled_patch16_224", 5.91},
    {"efficientformer_l1", 12.29}, {"efficientformer_l3", 31.41}, {"efficientformer_l7", 82.23},
    {"efficientformerv2_l", 26.32}, {"efficientformerv2_s0", 3.6}, {"efficientformerv2_s1", 6.19},
    {"efficientformerv2_s2", 12.71}, {"eva_large_patch14_196", 304.14}, {"eva_large_patch14_336", 304.53},
    {"flexivit_base", 86.59}, {"flexivit_large", 304.36}, {"flexivit_small", 22.06}, {"levit_128", 9.21},
    {"levit_128s", 7.78}, {"levit_192", 10.95}, {"levit_256", 18.89}, {"levit_384", 39.13},
    {"levit_conv_128", 9.21}, {"levit_conv_128s", 7.78}, {"levit_conv_192", 10.95},
    {"levit_conv_256", 18.89}, {"levit_conv_384", 39.13}, {"maxvit_base_tf_224", 119.47},
    {"maxvit_base_tf_384", 119.65}, {"maxvit_base_tf_512", 119.88}, {"maxvit_large_tf_224", 211.79},
    {"maxvit_large_tf_384", 212.03}, {"maxvit_large_tf_512", 212.33}, {"maxvit_nano_rw_256", 15.45},
    {"maxvit_rmlp_base_rw_224", 116.14}, {"maxvit_rmlp_base_rw_384", 116.14},
    {"maxvit_rmlp_nano_rw_256", 15.5}, {"maxvit_rmlp_pico_rw_256", 7.52}, {"maxvit_rmlp_small_rw_224", 64.9},
    {"maxvit_rmlp_tiny_rw_256", 29.15}, {"maxvit_small_tf_224", 68.93}, {"maxvit_small_tf_384", 69.02},
    {"maxvit_small_tf_512", 69.13}, {"maxvit_tiny_rw_224", 29.06}, {"maxvit_tiny_tf_224", 30.92},
    {"maxvit_tiny_tf_384", 30.98}, {"maxvit_tiny_tf_512", 31.05}, {"maxvit_xlarge_tf_384", 475.32},
    {"maxvit_xlarge_tf_512", 475.77}, {"maxxvit_rmlp_nano_rw_256", 16.78},
    {"maxxvit_rmlp_small_rw_256", 66.01}, {"maxxvitv2_nano_rw_256", 23.7},
    {"maxxvitv2_rmlp_base_rw_224", 116.09}, {"maxxvitv2_rmlp_base_rw_384", 116.09}, {"nest_base_jx", 67.72},
    {"nest_small_jx", 38.35}, {"nest_tiny_jx", 17.06}, {"pvt_v2_b0", 3.67}, {"pvt_v2_b1", 14.01},
    {"pvt_v2_b2", 25.36}, {"pvt_v2_b2_li", 22.55}, {"pvt_v2_b3", 45.24}, {"pvt_v2_b4", 62.56},
    {"pvt_v2_b5", 81.96}, {"tnt_s_patch16_224", 23.76}, {"visformer_small", 40.22},
    {"visformer_tiny", 10.32}, {"vit_base_patch16_rpn_224", 86.54}, {"vit_huge_patch14_clip_336", 632.46},
    {"vit_medium_patch16_gap_256", 38.86}, {"vit_medium_patch16_gap_384", 39.03},
    {"vit_relpos_base_patch16_224", 86.43}, {"vit_relpos_base_patch16_clsgap_224", 86.43},
    {"vit_relpos_base_patch32_plus_rpn_256", 119.42}, {"vit_relpos_medium_patch16_224", 38.75},
    {"vit_relpos_medium_patch16_cls_224", 38.76}, {"vit_relpos_medium_patch16_rpn_224", 38.73},
    {"vit_relpos_small_patch16_224", 21.98}, {"vit_srelpos_medium_patch16_224", 38.74},
    {"vit_srelpos_small_patch16_224", 21.97},
};

static void models_have_timms_parameters(void **state)
{
    (void)state;
    zoo_assert_published(published, RG_COUNT(published), 0.00501);
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

/* Queries, keys and values, the way out, two layers of four times the width; two norms. */
static zoo_sum add_encoder(zoo_sum sum, int64_t rows, int64_t keys, int64_t width, bool bias)
{
    sum = zoo_dense(zoo_norm(zoo_norm(sum, width), width), rows, width, 3 * width, bias);
    sum = zoo_attention(zoo_dense(sum, rows, width, width, true), rows, keys, width);
    return add_mlp(sum, rows, width, 4 * width);
}

static zoo_sum patches(int64_t width, int64_t kernel, int64_t places)
{
    return zoo_conv((zoo_sum){0}, 3, width, kernel * kernel, places, 1, true);
}

static zoo_sum head(zoo_sum sum, int64_t width) { return zoo_dense(sum, 1, width, 1000, true); }

/* Two layers over 4 heads at each of 196^2 pairs of places; a token asks 197. */
static void cait_lets_heads_talk(void **state)
{
    int64_t width = 192;
    zoo_sum sum = patches(width, 16, 196);
    sum.parameters += 196 * width + width;
    for (int i = 0; i < 24; i++) {
        sum = zoo_dense_times(add_encoder(sum, 196, 196, width, true), 2, 196 * 196, 4, 4, true);
        sum.parameters += 2 * width;
    }
    for (int i = 0; i < 2; i++) {
        sum = zoo_dense_times(zoo_norm(zoo_norm(sum, width), width), 2, 197, width, width, true);
        sum = zoo_dense_times(sum, 2, 1, width, width, true);
        sum = add_mlp(zoo_attention(sum, 1, 197, width), 1, width, 4 * width);
        sum.parameters += 2 * width;
    }
    check(state, "cait_xxs24_224", head(zoo_norm(sum, width), width));
}

/* Keys of 7 x 7 places in all stages: of the first image every eighth row and column. */
static void pvt_attends_to_a_smaller_image(void **state)
{
    static const int64_t widths[] = {32, 64, 160, 256}, shrink[] = {8, 4, 2, 1}, inner[] = {8, 8, 4, 4};
    int64_t side = 56, in = 3;
    zoo_sum sum = {0};
    for (int stage = 0; stage < 4; stage++, side /= 2) {
        int64_t width = widths[stage], rows = side * side, by = shrink[stage], wide = inner[stage] * width;
        sum = zoo_norm(zoo_conv(sum, in, width, stage ? 9 : 49, rows, 1, true), width);
        for (int i = 0; i < 2; i++) {
            sum = zoo_dense_times(zoo_norm(zoo_norm(sum, width), width), 2, rows, width, width, true);
            if (by > 1) sum = zoo_norm(zoo_conv(sum, width, width, by * by, 49, 1, true), width);
            sum = zoo_attention(zoo_dense(sum, 49, width, 2 * width, true), rows, 49, width);
            sum = zoo_conv(add_mlp(sum, rows, width, wide), wide, wide, 9, rows, wide, true);
        }
        sum = zoo_norm(sum, width);
        in = width;
    }
    check(state, "pvt_v2_b0", head(sum, in));
}

static void visformer_convolves_first(void **state)
{
    static const int64_t layers[] = {7, 4, 4}, sides[] = {28, 14, 7};
    int64_t in = 16, width = 96;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, in, 49, 112 * 112, 1);
    for (int stage = 0; stage < 3; stage++, width *= 2) {
        int64_t rows = sides[stage] * sides[stage];
        sum = zoo_norm(zoo_conv(sum, in, width, stage ? 4 : 16, rows, 1, true), width);
        sum.parameters += rows * width;
        for (int64_t i = 0; i < layers[stage]; i++) {
            int64_t inner = stage ? 4 * width : 2 * width;
            if (stage) {
                sum = zoo_dense(zoo_norm(sum, width), rows, width, 4 * width, false);
                sum = zoo_attention(sum, rows, rows, width);
            } else {
                sum = zoo_conv(sum, inner, inner, 9, rows, 8, false);
            }
            sum = zoo_dense(zoo_norm(sum, width), rows, width, inner, false);
            sum = zoo_dense(sum, rows, inner, width, false);
        }
        in = width;
    }
    check(state, "visformer_tiny", head(zoo_norm(sum, in), in));
}

static zoo_sum add_linear_norm(zoo_sum sum, int64_t rows, int64_t in, int64_t out)
{
    return zoo_norm(zoo_dense(sum, rows, in, out, false), out);
}

/* Heads of 16 features of a key, 32 of a value, 64 where the image shrinks. */
static void levit_shrinks_by_attention(void **state)
{
    static const int64_t widths[] = {128, 256, 384}, heads[] = {4, 6, 8}, layers[] = {2, 3, 4};
    static const int64_t places[] = {196, 49, 16};
    zoo_sum sum = {0};
    int64_t in = 3, side = 112;
    for (int64_t out = 16; out <= 128; out *= 2, side /= 2) {
        sum = zoo_conv_norm(sum, in, out, 9, side * side, 1);
        in = out;
    }
    for (int stage = 0; stage < 3; stage++) {
        int64_t rows = places[stage], width = widths[stage], count = heads[stage];
        if (stage) {
            int64_t before = places[stage - 1], asked = in / 16;
            sum = add_linear_norm(add_linear_norm(sum, before, in, asked * 80), rows, in, asked * 16);
            sum.macs += rows * before * asked * 80;
            sum.parameters += asked * before;
            sum = add_linear_norm(sum, rows, asked * 64, width);
            sum = add_linear_norm(add_linear_norm(sum, rows, width, 2 * width), rows, 2 * width, width);
        }
        for (int64_t i = 0; i < layers[stage]; i++) {
            sum = add_linear_norm(add_linear_norm(sum, rows, width, count * 64), rows, count * 32, width);
            sum.macs += rows * rows * count * 48;
            sum.parameters += count * rows;
            sum = add_linear_norm(add_linear_norm(sum, rows, width, 2 * width), rows, 2 * width, width);
        }
        in = width;
    }
    for (int i = 0; i < 2; i++) sum = head(zoo_norm(sum, in), in);
    check(state, "levit_128s", sum);
    check(state, "levit_conv_128s", sum);
}

/* Pools have no weights; the last block has 8 heads of 32 features of a key and 128 of a value. */
static void efficientformer_attends_last(void **state)
{
    static const int64_t widths[] = {48, 96, 224, 448}, layers[] = {3, 2, 6, 4};
    int64_t side = 56, in = 48;
    zoo_sum sum = zoo_norm(zoo_conv((zoo_sum){0}, 3, 24, 9, 112 * 112, 1, true), 24);
    sum = zoo_norm(zoo_conv(sum, 24, 48, 9, side * side, 1, true), 48);
    for (int stage = 0; stage < 4; stage++) {
        int64_t width = widths[stage];
        if (stage) side /= 2, sum = zoo_norm(zoo_conv(sum, in, width, 9, side * side, 1, true), width);
        for (int64_t i = 0; i < layers[stage]; i++) {
            sum = add_mlp(sum, side * side, width, 4 * width);
            sum.parameters += 2 * width; /* scales */
            if (stage < 3 || i < 3) {
                sum = zoo_norm(zoo_norm(sum, 4 * width), width);
            } else {
                sum = zoo_dense(zoo_norm(zoo_norm(sum, width), width), 49, width, 8 * (2 * 32 + 128), true);
                sum = zoo_dense(sum, 49, 8 * 128, width, true);
                sum.macs += 49 * 49 * 8 * (32 + 128);
                sum.parameters += 8 * 49;
            }
        }
        in = width;
    }
    check(state, "efficientformer_l1", head(head(zoo_norm(sum, in), in), in));
}

/* Ten blocks with a layer of 3 numbers for each head at each pair of places; their gates are not counted. */
static void convit_mixes_two_softmaxes(void **state)
{
    int64_t width = 192;
    zoo_sum sum = patches(width, 16, 196);
    sum.parameters += 196 * width + width;
    for (int i = 0; i < 12; i++) {
        int64_t rows = i < 10 ? 196 : 197;
        sum = add_encoder(sum, rows, rows, width, false);
        if (i < 10) sum = zoo_dense(sum, 196 * 196, 3, 4, true);
    }
    check(state, "convit_tiny", head(zoo_norm(sum, width), width));
}

/* 16 pixels of 24 features in each of 196 patches. */
static void tnt_has_a_transformer_inside(void **state)
{
    int64_t width = 384, pixel = 24, pixels = 196 * 16;
    zoo_sum sum = zoo_conv((zoo_sum){0}, 3, pixel, 49, pixels, 1, true);
    sum.parameters += 16 * pixel + 197 * width + width;
    sum = zoo_norm(zoo_dense(zoo_norm(sum, 16 * pixel), 196, 16 * pixel, width, true), width);
    for (int i = 0; i < 12; i++) {
        sum = add_encoder(zoo_norm(sum, pixel), pixels, 16, pixel, false);
        sum = zoo_dense(sum, 196, 16 * pixel, width, true);
        sum = add_encoder(sum, 197, 197, width, false);
    }
    check(state, "tnt_s_patch16_224", head(zoo_norm(sum, width), width));
}

static void nest_joins_blocks(void **state)
{
    static const int64_t layers[] = {2, 2, 8};
    int64_t side = 56, width = 96;
    zoo_sum sum = patches(width, 4, side * side);
    for (int level = 0; level < 3; level++) {
        if (level) {
            sum = zoo_norm(zoo_conv(sum, width, 2 * width, 9, side * side, 1, true), 2 * width);
            side /= 2, width *= 2;
        }
        sum.parameters += side * side * width;
        for (int64_t i = 0; i < layers[level]; i++) sum = add_encoder(sum, side * side, 196, width, true);
    }
    check(state, "nest_tiny", head(zoo_norm(sum, width), width));
    check(state, "nest_tiny_jx", head(zoo_norm(sum, width), width));
}

/* Filters of four times the width of the result, with a gate of a quarter of it. */
static zoo_sum add_inverted(zoo_sum sum, int64_t in, int64_t out, int64_t rows, int64_t stride)
{
    int64_t inner = 4 * out;
    if (stride == 2 && in != out) sum = zoo_dense(sum, rows, in, out, true);
    sum = zoo_conv_norm(zoo_norm(sum, in), in, inner, 1, rows * stride * stride, 1);
    sum = zoo_conv_norm(sum, inner, inner, 9, rows, inner);
    sum = zoo_dense(zoo_dense(sum, 1, inner, out / 4, true), 1, out / 4, inner, true);
    return zoo_dense(sum, rows, inner, out, true);
}

/* Attention of the whole image: a number for each offset and head of 32 features. */
static void coatnet_convolves_then_attends(void **state)
{
    static const int64_t layers[] = {2, 3, 5, 2};
    int64_t in = 64, side = 112;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 64, 9, side * side, 1);
    sum = zoo_conv(sum, 64, 64, 9, side * side, 1, false);
    for (int stage = 0; stage < 4; stage++) {
        int64_t width = 96 << stage, rows;
        side /= 2, rows = side * side;
        for (int64_t i = 0; i < layers[stage]; i++, in = width) {
            if (stage < 2) {
                sum = add_inverted(sum, in, width, rows, i ? 1 : 2);
                continue;
            }
            if (!i) sum = zoo_dense(sum, rows, in, width, true);
            sum = zoo_dense(zoo_norm(zoo_norm(sum, in), width), rows, in, 3 * width, true);
            sum = zoo_attention(zoo_dense(sum, rows, width, width, true), rows, rows, width);
            sum = add_mlp(sum, rows, width, 4 * width);
            sum.parameters += (2 * side - 1) * (2 * side - 1) * width / 32;
        }
    }
    check(state, "coatnet_0_224", head(zoo_dense(zoo_norm(sum, in), 1, in, in, true), in));
}

static void maxvit_attends_inside_and_across(void **state)
{
    static const int64_t layers[] = {2, 2, 5, 2};
    int64_t in = 64, side = 112;
    zoo_sum sum = zoo_norm(zoo_conv((zoo_sum){0}, 3, 64, 9, side * side, 1, true), 64);
    sum = zoo_conv(sum, 64, 64, 9, side * side, 1, true);
    for (int stage = 0; stage < 4; stage++) {
        int64_t width = 64 << stage;
        side /= 2;
        for (int64_t i = 0; i < layers[stage]; i++, in = width) {
            sum = add_inverted(sum, in, width, side * side, i ? 1 : 2);
            for (int k = 0; k < 2; k++) sum = add_encoder(sum, side * side, 49, width, true);
            sum.parameters += 2 * 13 * 13 * width / 32;
        }
    }
    check(state, "maxvit_tiny_tf_224", head(zoo_dense(zoo_norm(sum, in), 1, in, in, true), in));
}

/* Convolutions by channel of 3 x 3 for places and of 3, 5, 7 for 2, 3, 3 of 8 heads: their weights count once
 * a stage. Of a head's features each meets each at all positions, twice. */
static void coat_shares_convolutions(void **state)
{
    static const int64_t widths[] = {64, 128, 256, 320}, inner[] = {8, 8, 4, 4};
    int64_t in = 3, side = 56;
    zoo_sum sum = {0};
    for (int stage = 0; stage < 4; stage++, side /= 2) {
        int64_t width = widths[stage], head = width / 8, places = side * side, rows = places + 1;
        int64_t around = head * (2 * 9 + 3 * 25 + 3 * 49);
        sum = zoo_norm(zoo_conv(sum, in, width, stage ? 4 : 16, places, 1, true), width);
        sum.parameters += width + 9 * width + width + around + width; /* token, convolutions, their biases */
        for (int i = 0; i < 2; i++) {
            sum = zoo_dense(zoo_norm(zoo_norm(sum, width), width), rows, width, 3 * width, true);
            sum = add_mlp(zoo_dense(sum, rows, width, width, true), rows, width, inner[stage] * width);
            sum.macs += places * (9 * width + around) + 2 * rows * width * head;
        }
        in = width;
    }
    check(state, "coat_lite_tiny", head(zoo_norm(sum, in), in));
}

/* What variants have more or less than a vision transformer of 12 layers over 196 patches. */
static void vits_vary(void **state)
{
    int64_t width = 192, span = 27 * 27;
    zoo_sum sum = patches(width, 16, 196);
    for (int i = 0; i < 12; i++) sum = add_encoder(sum, 198, 198, width, true);
    sum.parameters += 2 * width + 198 * width; /* two tokens, places */
    check(state, "deit_tiny_distilled_patch16_224", head(head(zoo_norm(sum, width), width), width));

    width = 384;
    sum = patches(width, 16, 196);
    for (int i = 0; i < 12; i++) {
        sum = add_encoder(sum, 196, 196, width, false);
        sum = zoo_dense(zoo_dense(sum, span, 2, 128, true), span, 128, 6, true);
        sum.parameters += 2 * width;
    }
    check(state, "vit_relpos_small_patch16_224", head(zoo_norm(sum, width), width));

    width = 512;
    sum = patches(width, 16, 256);
    sum.parameters += 256 * width + 4 * width; /* registers have no place */
    for (int i = 0; i < 12; i++) {
        sum = add_encoder(sum, 260, 260, width, true);
        sum.parameters += 2 * width;
    }
    check(state, "vit_medium_patch16_reg4_gap_256", head(zoo_norm(sum, width), width));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(models_have_timms_parameters),
        TEST(cait_lets_heads_talk),
        TEST(pvt_attends_to_a_smaller_image),
        TEST(visformer_convolves_first),
        TEST(levit_shrinks_by_attention),
        TEST(efficientformer_attends_last),
        TEST(convit_mixes_two_softmaxes),
        TEST(tnt_has_a_transformer_inside),
        TEST(nest_joins_blocks),
        TEST(coatnet_convolves_then_attends),
        TEST(maxvit_attends_inside_and_across),
        TEST(coat_shares_convolutions),
        TEST(vits_vary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
