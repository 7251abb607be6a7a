/* test_zoo_classic.c - the older image networks of the zoo, AlexNet to MNASNet, against closed forms of their
 * layer tables, which are written out here again, independent of the builders.
 */
#include "zoo_check.h"

typedef struct figures { const char *name; int64_t macs, parameters; } figures;

/* Builds the model, compares, and looks at its two ends: 1000 classes of a square image. */
static void check(rg_ctx *cx, figures wanted, zoo_sum sum, const char *image)
{
    const rg_facts *f = zoo_facts(cx, wanted.name);
    zoo_assert(f, sum, wanted.macs, wanted.parameters);
    zoo_assert_ends(cx, f, true, 0, image);
    zoo_assert_ends(cx, f, false, 0, "logits: f32[batch,1000]");
    rg_facts_free(f);
}

static const char image224[] = "image: f32[batch,3,224,224]", image299[] = "image: f32[batch,3,299,299]";

/* Three linear layers behind `in` features, as AlexNet and VGG end. */
static zoo_sum three_dense(zoo_sum sum, int64_t in)
{
    sum = zoo_dense(zoo_dense(sum, 1, in, 4096, true), 1, 4096, 4096, true);
    return zoo_dense(sum, 1, 4096, 1000, true);
}

static void alexnet_has_its_closed_form(void **state)
{
    zoo_sum sum = zoo_conv((zoo_sum){0}, 3, 64, 11 * 11, 55 * 55, 1, true);
    sum = zoo_conv(sum, 64, 192, 25, 27 * 27, 1, true);
    sum = zoo_conv(sum, 192, 384, 9, 13 * 13, 1, true);
    sum = zoo_conv(sum, 384, 256, 9, 13 * 13, 1, true);
    sum = zoo_conv(sum, 256, 256, 9, 13 * 13, 1, true);
    check(*state, (figures){"alexnet", 714188480, 61100840}, three_dense(sum, 256 * 6 * 6), image224);
}

/* Table 1 of Simonyan and Zisserman 2014, a row for a column: convolutions at 224x224, 112x112, ... 14x14. */
static const struct vgg { figures plain, norm; int convs[5]; } vgg[] = {
    {{"vgg11", 7609090048, 132863336}, {"vgg11_bn", 7609090048, 132868840}, {1, 1, 2, 2, 2}},
    {{"vgg13", 11308466176, 133047848}, {"vgg13_bn", 11308466176, 133053736}, {2, 2, 2, 2, 2}},
    {{"vgg16", 15470264320, 138357544}, {"vgg16_bn", 15470264320, 138365992}, {2, 2, 3, 3, 3}},
    {{"vgg19", 19632062464, 143667240}, {"vgg19_bn", 19632062464, 143678248}, {2, 2, 4, 4, 4}},
};

static void vgg_has_its_closed_form(void **state)
{
    for (size_t v = 0; v < RG_COUNT(vgg); v++) {
        zoo_sum sum = {0}, norms = {0};
        int64_t in = 3;
        for (int stage = 0; stage < 5; stage++) {
            int64_t out = stage < 4 ? 64 << stage : 512, side = 224 >> stage;
            for (int i = 0; i < vgg[v].convs[stage]; i++, in = out) {
                sum = zoo_conv(sum, in, out, 9, side * side, 1, true);
                norms = zoo_norm(norms, out);
            }
        }
        sum = three_dense(sum, 512 * 7 * 7);
        check(*state, vgg[v].plain, sum, image224);
        sum.parameters += norms.parameters;
        check(*state, vgg[v].norm, sum, image224);
    }
}

/* Table 1 of Iandola et al. 2016: the first convolution, and the sides on which the fire modules stand.
 * Version 1.1 begins with 3x3 instead of 7x7, and pools earlier. */
static const struct squeezenet { figures wanted; int64_t stem, kernel, stem_side, sides[8]; } squeezenet[] = {
    {{"squeezenet1_0", 818924576, 1248424}, 96, 49, 109, {54, 54, 54, 27, 27, 27, 27, 13}},
    {{"squeezenet1_1", 349151936, 1235496}, 64, 9, 111, {55, 55, 27, 27, 13, 13, 13, 13}},
};

static void squeezenet_has_its_closed_form(void **state)
{
    static const int64_t squeezed[8] = {16, 16, 32, 32, 48, 48, 64, 64};
    for (size_t v = 0; v < RG_COUNT(squeezenet); v++) {
        const struct squeezenet *s = &squeezenet[v];
        zoo_sum sum = zoo_conv((zoo_sum){0}, 3, s->stem, s->kernel, s->stem_side * s->stem_side, 1, true);
        int64_t in = s->stem;
        for (int i = 0; i < 8; i++, in = 8 * squeezed[i - 1]) {
            int64_t places = s->sides[i] * s->sides[i], few = squeezed[i];
            sum = zoo_conv(sum, in, few, 1, places, 1, true);
            sum = zoo_conv(sum, few, 4 * few, 1, places, 1, true);
            sum = zoo_conv(sum, few, 4 * few, 9, places, 1, true);
        }
        check(*state, s->wanted, zoo_conv(sum, 512, 1000, 1, 13 * 13, 1, true), image224);
    }
}

/* Table 1 of Huang et al. 2016: growth, layers of the blocks, which have sides 56, 28, 14, 7. */
static const struct densenet { figures wanted; int64_t growth; int layers[4]; } densenet[] = {
    {{"densenet121", 2834161664, 7978856}, 32, {6, 12, 24, 16}},
    {{"densenet169", 3359843328, 14149480}, 32, {6, 12, 32, 32}},
    {{"densenet201", 4291365888, 20013928}, 32, {6, 12, 48, 32}},
    {{"densenet161", 7727907072, 28681000}, 48, {6, 12, 36, 24}},
};

/* A layer normalizes what it reads, so that the norms go with the channels before the convolutions. */
static void densenet_has_its_closed_form(void **state)
{
    for (size_t v = 0; v < RG_COUNT(densenet); v++) {
        int64_t k = densenet[v].growth, channels = 2 * k;
        zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, channels, 49, 112 * 112, 1);
        for (int block = 0; block < 4; block++) {
            int64_t side = 56 >> block, places = side * side;
            for (int i = 0; i < densenet[v].layers[block]; i++, channels += k) {
                sum = zoo_conv(zoo_norm(sum, channels), channels, 4 * k, 1, places, 1, false);
                sum = zoo_conv(zoo_norm(sum, 4 * k), 4 * k, k, 9, places, 1, false);
            }
            sum = zoo_norm(sum, channels);
            if (block == 3) break;
            sum = zoo_conv(sum, channels, channels / 2, 1, places, 1, false);
            channels /= 2;
        }
        check(*state, densenet[v].wanted, zoo_dense(sum, 1, channels, 1000, true), image224);
    }
}

/* Table 1 of Szegedy et al. 2014: side, what comes in, 1x1, reduction and 3x3, reduction and "5x5" (3x3 in
 * torchvision), projection. */
static const int64_t googlenet[][8] = {
    {28, 192, 64, 96, 128, 16, 32, 32},     {28, 256, 128, 128, 192, 32, 96, 64},
    {14, 480, 192, 96, 208, 16, 48, 64},    {14, 512, 160, 112, 224, 24, 64, 64},
    {14, 512, 128, 128, 256, 24, 64, 64},   {14, 512, 112, 144, 288, 32, 64, 64},
    {14, 528, 256, 160, 320, 32, 128, 128}, {7, 832, 256, 160, 320, 32, 128, 128},
    {7, 832, 384, 192, 384, 48, 128, 128},
};

static void googlenet_has_its_closed_form(void **state)
{
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 64, 49, 112 * 112, 1);
    sum = zoo_conv_norm(zoo_conv_norm(sum, 64, 64, 1, 56 * 56, 1), 64, 192, 9, 56 * 56, 1);
    for (size_t i = 0; i < RG_COUNT(googlenet); i++) {
        const int64_t *m = googlenet[i], places = m[0] * m[0];
        sum = zoo_conv_norm(sum, m[1], m[2] + m[3] + m[5] + m[7], 1, places, 1);
        sum = zoo_conv_norm(zoo_conv_norm(sum, m[3], m[4], 9, places, 1), m[5], m[6], 9, places, 1);
    }
    sum = zoo_dense(sum, 1, 1024, 1000, true);
    check(*state, (figures){"googlenet", 1498376192, 6624904}, sum, image224);
}

/* Inception v3: in, out, weights of the kernel, side of the result, how often. The 1x1 convolutions that read
 * the same input stand together. */
static const int64_t inception[][5] = {
    {3, 32, 9, 149, 1}, {32, 32, 9, 147, 1}, {32, 64, 9, 147, 1}, {64, 80, 1, 73, 1}, {80, 192, 9, 71, 1},
    /* Mixed_5b, 5c, 5d */
    {192, 64 + 48 + 64 + 32, 1, 35, 1}, {256, 64 + 48 + 64 + 64, 1, 35, 1},
    {288, 64 + 48 + 64 + 64, 1, 35, 1},
    {48, 64, 25, 35, 3}, {64, 96, 9, 35, 3}, {96, 96, 9, 35, 3},
    /* Mixed_6a */
    {288, 384, 9, 17, 1}, {288, 64, 1, 35, 1}, {64, 96, 9, 35, 1}, {96, 96, 9, 17, 1},
    /* Mixed_6b; 6c, 6d; 6e */
    {768, 192 + 128 + 128 + 192, 1, 17, 1}, {128, 128, 7, 17, 4}, {128, 192, 7, 17, 2},
    {768, 192 + 160 + 160 + 192, 1, 17, 2}, {160, 160, 7, 17, 8}, {160, 192, 7, 17, 4},
    {768, 192 + 192 + 192 + 192, 1, 17, 1}, {192, 192, 7, 17, 6},
    /* Mixed_7a */
    {768, 192 + 192, 1, 17, 1}, {192, 320, 9, 8, 1}, {192, 192, 7, 17, 2}, {192, 192, 9, 8, 1},
    /* Mixed_7b, 7c */
    {1280, 320 + 384 + 448 + 192, 1, 8, 1}, {2048, 320 + 384 + 448 + 192, 1, 8, 1},
    {384, 384, 3, 8, 8}, {448, 384, 9, 8, 2},
};

static void inception_v3_has_its_closed_form(void **state)
{
    zoo_sum sum = {0}, aux = zoo_conv_norm((zoo_sum){0}, 768, 128, 1, 5 * 5, 1);
    for (size_t i = 0; i < RG_COUNT(inception); i++) {
        const int64_t *l = inception[i];
        for (int k = 0; k < l[4]; k++) sum = zoo_conv_norm(sum, l[0], l[1], l[2], l[3] * l[3], 1);
    }
    sum = zoo_dense(sum, 1, 2048, 1000, true);
    check(*state, (figures){"inception_v3", 5713216096, 23834568}, sum, image299);
    /* torchvision's published count has the auxiliary classifier in it. */
    aux = zoo_dense(zoo_conv_norm(aux, 128, 768, 25, 1, 1), 1, 768, 1000, true);
    assert_int_equal(sum.parameters + aux.parameters, 27161264);
}

/* Table 5 of Ma et al. 2018, with torchvision's widths for 2x: channels of the stages and of the last one. */
static const struct shufflenet { figures wanted; int64_t widths[4]; } shufflenet[] = {
    {{"shufflenet_v2_x0_5", 40476448, 1366792}, {48, 96, 192, 1024}},
    {{"shufflenet_v2_x1_0", 144907992, 2278604}, {116, 232, 464, 1024}},
    {{"shufflenet_v2_x1_5", 295759392, 3503624}, {176, 352, 704, 1024}},
    {{"shufflenet_v2_x2_0", 583253464, 7393996}, {244, 488, 976, 2048}},
};

static void shufflenet_has_its_closed_form(void **state)
{
    static const int repeats[3] = {4, 8, 4};
    for (size_t v = 0; v < RG_COUNT(shufflenet); v++) {
        zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 24, 9, 112 * 112, 1);
        int64_t in = 24;
        for (int stage = 0; stage < 3; stage++) {
            int64_t out = shufflenet[v].widths[stage], half = out / 2;
            int64_t side = 28 >> stage, places = side * side;
            /* The first unit: both branches on all channels, the second branch's 1x1 before its stride. */
            sum = zoo_conv_norm(zoo_conv_norm(sum, in, in, 9, places, in), in, half, 1, places, 1);
            sum = zoo_conv_norm(sum, in, half, 1, 4 * places, 1);
            for (int i = 0; i < repeats[stage]; i++) {
                if (i) sum = zoo_conv_norm(sum, half, half, 1, places, 1);
                sum = zoo_conv_norm(sum, half, half, 9, places, half);
                sum = zoo_conv_norm(sum, half, half, 1, places, 1);
            }
            in = out;
        }
        int64_t last = shufflenet[v].widths[3];
        sum = zoo_dense(zoo_conv_norm(sum, in, last, 1, 7 * 7, 1), 1, last, 1000, true);
        check(*state, shufflenet[v].wanted, sum, image224);
    }
}

static void shufflenet_splits_and_shuffles(void **state)
{
    const rg_facts *f = zoo_facts(*state, "shufflenet_v2_x1_0");
    assert_true(zoo_has_node(f, "stage2.0.branch1.0/", "Conv"));
    assert_false(zoo_has_node(f, "stage2.0/", "Split"));
    assert_true(zoo_has_node(f, "stage2.1/", "Split") && zoo_has_node(f, "stage2.1/", "Transpose"));
    rg_facts_free(f);
}

/* 32, 16, 24, 40, 80, 96, 192, 320 channels times the factor, rounded to multiples of 8 by hand. */
static const struct mnasnet { figures wanted; int64_t widths[8]; } mnasnet[] = {
    {{"mnasnet0_5", 104455968, 2218512}, {16, 8, 16, 24, 40, 48, 96, 160}},
    {{"mnasnet0_75", 215493104, 3170208}, {24, 16, 24, 32, 64, 72, 144, 240}},
    {{"mnasnet1_0", 314415872, 4383312}, {32, 16, 24, 40, 80, 96, 192, 320}},
    {{"mnasnet1_3", 526362432, 6282256}, {40, 24, 32, 56, 104, 128, 248, 416}},
};

static void mnasnet_has_its_closed_form(void **state)
{
    /* Expansion, weights of the kernel, repeats, side behind. */
    static const int64_t stacks[6][4] = {{3, 9, 3, 56}, {3, 25, 3, 28}, {6, 25, 3, 14},
                                         {6, 9, 2, 14}, {6, 25, 4, 7},  {6, 9, 1, 7}};
    for (size_t v = 0; v < RG_COUNT(mnasnet); v++) {
        const int64_t *w = mnasnet[v].widths;
        zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, w[0], 9, 112 * 112, 1);
        sum = zoo_conv_norm(sum, w[0], w[0], 9, 112 * 112, w[0]);
        sum = zoo_conv_norm(sum, w[0], w[1], 1, 112 * 112, 1);
        int64_t in = w[1], before = 112 * 112;
        for (int s = 0; s < 6; s++) {
            for (int i = 0; i < stacks[s][2]; i++) {
                int64_t wide = stacks[s][0] * in, places = stacks[s][3] * stacks[s][3];
                sum = zoo_conv_norm(sum, in, wide, 1, before, 1);
                sum = zoo_conv_norm(sum, wide, wide, stacks[s][1], places, wide);
                sum = zoo_conv_norm(sum, wide, w[2 + s], 1, places, 1);
                in = w[2 + s], before = places;
            }
        }
        sum = zoo_dense(zoo_conv_norm(sum, in, 1280, 1, 7 * 7, 1), 1, 1280, 1000, true);
        check(*state, mnasnet[v].wanted, sum, image224);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(alexnet_has_its_closed_form),
        TEST(vgg_has_its_closed_form),
        TEST(squeezenet_has_its_closed_form),
        TEST(densenet_has_its_closed_form),
        TEST(googlenet_has_its_closed_form),
        TEST(inception_v3_has_its_closed_form),
        TEST(shufflenet_has_its_closed_form),
        TEST(shufflenet_splits_and_shuffles),
        TEST(mnasnet_has_its_closed_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
