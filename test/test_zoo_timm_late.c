/* test_zoo_timm_late.c - convolutional networks of timm from 2022 on, and what was searched for without end,
 * against closed forms of their tables: each layer written out again, independent of the builders.
 */
#include "zoo_check.h"

static void check(void **state, const char *name, zoo_sum sum)
{
    zoo_assert_classifier(*state, name, sum, "cnn");
}

/* Two 1x1 convolutions with bias on one place. */
static zoo_sum squeezed(zoo_sum sum, int64_t channels, int64_t inner)
{
    return zoo_conv(zoo_conv(sum, channels, inner, 1, 1, 1, true), inner, channels, 1, 1, 1, true);
}

/* ---- RepViT ---- */

static zoo_sum doubled(zoo_sum sum, int64_t channels, int64_t places)
{
    sum = zoo_conv_norm(sum, channels, 2 * channels, 1, places, 1);
    return zoo_conv_norm(sum, 2 * channels, channels, 1, places, 1);
}

/* 3x3 by channel with its norm, 1x1 by channel with bias, and a norm of their sum. */
static zoo_sum repvit_block(zoo_sum sum, int64_t channels, int64_t places, bool gated)
{
    sum = zoo_conv_norm(sum, channels, channels, 9, places, channels);
    sum = zoo_norm(zoo_conv(sum, channels, channels, 1, places, channels, true), channels);
    if (gated) sum = squeezed(sum, channels, channels / 4 / 8 * 8);
    return doubled(sum, channels, places);
}

static void repvit_keeps_its_branches(void **state)
{
    static const int64_t blocks[] = {2, 2, 12, 2};
    int64_t width = 64, side = 56;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 32, 9, 112 * 112, 1);
    sum = zoo_conv_norm(sum, 32, 64, 9, side * side, 1);
    for (int stage = 0; stage < 4; stage++) {
        if (stage) {
            sum = repvit_block(sum, width, side * side, false);
            side /= 2;
            sum = zoo_conv_norm(sum, width, width, 9, side * side, width);
            sum = zoo_conv_norm(sum, width, 2 * width, 1, side * side, 1);
            width *= 2;
            sum = doubled(sum, width, side * side);
        }
        for (int64_t i = 0; i < blocks[stage]; i++) sum = repvit_block(sum, width, side * side, i % 2 == 0);
    }
    for (int i = 0; i < 2; i++) sum = zoo_dense(zoo_norm(sum, width), 1, width, 1000, true);
    check(state, "repvit_m1_1", sum);
}

/* ---- EfficientViT ---- */

/* fewer: the first two of three have a bias, not a norm. */
static zoo_sum inverted(zoo_sum sum, int64_t in, int64_t out, int64_t from, int64_t to, bool fewer)
{
    int64_t inner = 4 * in;
    if (fewer) {
        sum = zoo_conv(sum, in, inner, 1, from, 1, true);
        sum = zoo_conv(sum, inner, inner, 9, to, inner, true);
    } else {
        sum = zoo_conv_norm(sum, in, inner, 1, from, 1);
        sum = zoo_conv_norm(sum, inner, inner, 9, to, inner);
    }
    return zoo_conv_norm(sum, inner, out, 1, to, 1);
}

/* Heads of 16: k^T [v 1] of 16 x 17, then q times that, for each of two scales. */
static zoo_sum linear_attention(zoo_sum sum, int64_t width, int64_t places)
{
    int64_t heads = width / 16;
    sum = zoo_conv(sum, width, 3 * width, 1, places, 1, false);
    sum = zoo_conv(sum, 3 * width, 3 * width, 25, places, 3 * width, false);
    sum = zoo_conv(sum, 3 * width, 3 * width, 1, places, 3 * heads, false);
    sum.macs += 2 * heads * 2 * 16 * 17 * places;
    return zoo_conv_norm(sum, 2 * width, width, 1, places, 1);
}

static void attention_is_linear(void **state)
{
    static const int64_t blocks[] = {2, 3, 3, 4};
    int64_t width = 16, side = 112;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, width, 9, side * side, 1);
    sum = zoo_conv_norm(sum, width, width, 9, side * side, width);
    sum = zoo_conv_norm(sum, width, width, 1, side * side, 1);
    for (int stage = 0; stage < 4; stage++) {
        bool attends = stage >= 2;
        int64_t places = side * side / 4;
        sum = inverted(sum, width, 2 * width, side * side, places, attends);
        width *= 2, side /= 2;
        for (int64_t i = attends ? 0 : 1; i < blocks[stage]; i++) {
            if (attends) sum = linear_attention(sum, width, places);
            sum = inverted(sum, width, width, places, places, attends);
        }
    }
    sum = zoo_conv_norm(sum, width, 1536, 1, side * side, 1);
    sum = zoo_norm(zoo_dense(sum, 1, 1536, 1600, false), 1600);
    check(state, "efficientvit_b1", zoo_dense(sum, 1, 1600, 1000, true));
}

/* ---- FastViT ---- */

/* A k x k and a 1x1 branch, and one that is only normalized where sizes are the same. */
static zoo_sum branches(zoo_sum sum, int64_t in, int64_t out, int64_t kernel, int64_t places, int64_t groups,
                        bool same)
{
    sum = zoo_conv_norm(sum, in, out, kernel, places, groups);
    if (kernel > 1) sum = zoo_conv_norm(sum, in, out, 1, places, groups);
    return same ? zoo_norm(sum, in) : sum;
}

static zoo_sum fast_mlp(zoo_sum sum, int64_t width, int64_t places)
{
    sum = zoo_conv_norm(sum, width, width, 49, places, width);
    sum = zoo_conv(sum, width, 4 * width, 1, places, 1, true);
    sum = zoo_conv(sum, 4 * width, width, 1, places, 1, true);
    sum.parameters += width;
    return sum;
}

static void fastvit_attends_at_its_end(void **state)
{
    static const int64_t blocks[] = {2, 2, 6, 2};
    int64_t width = 64, side = 64;
    zoo_sum sum = branches((zoo_sum){0}, 3, width, 9, 128 * 128, 1, false);
    sum = branches(sum, width, width, 9, side * side, width, false);
    sum = branches(sum, width, width, 1, side * side, 1, true);
    for (int stage = 0; stage < 4; stage++) {
        if (stage) {
            side /= 2;
            sum = zoo_conv_norm(sum, width, 2 * width, 49, side * side, width);
            sum = zoo_conv_norm(sum, width, 2 * width, 9, side * side, width);
            width *= 2;
            sum = branches(sum, width, width, 1, side * side, 1, true);
        }
        int64_t places = side * side;
        if (stage == 3) sum = zoo_conv(sum, width, width, 49, places, width, true);
        for (int64_t i = 0; i < blocks[stage]; i++) {
            if (stage == 3) {
                sum = zoo_dense(zoo_norm(sum, width), places, width, 3 * width, false);
                sum = zoo_dense(zoo_attention(sum, places, places, width), places, width, width, true);
            } else {
                sum = branches(zoo_norm(sum, width), width, width, 9, places, width, true);
            }
            sum.parameters += width;
            sum = fast_mlp(sum, width, places);
        }
    }
    sum = branches(sum, width, 2 * width, 9, side * side, width, false);
    sum = squeezed(sum, 2 * width, width / 8);
    check(state, "fastvit_sa12", zoo_dense(sum, 1, 2 * width, 1000, true));
}

/* ---- MambaOut, RDNet ---- */

static void a_third_of_the_features_look_around(void **state)
{
    static const int64_t widths[] = {96, 192, 384, 576}, blocks[] = {3, 3, 9, 3};
    int64_t side = 56;
    zoo_sum sum = zoo_norm(zoo_conv((zoo_sum){0}, 3, 48, 9, 112 * 112, 1, true), 48);
    sum = zoo_norm(zoo_conv(sum, 48, 96, 9, side * side, 1, true), 96);
    for (int stage = 0; stage < 4; stage++) {
        int64_t width = widths[stage], hidden = 8 * width / 3;
        if (stage) {
            side /= 2;
            sum = zoo_norm(zoo_conv(sum, widths[stage - 1], width, 9, side * side, 1, true), width);
        }
        for (int64_t i = 0; i < blocks[stage]; i++) {
            sum = zoo_dense(zoo_norm(sum, width), side * side, width, 2 * hidden, true);
            sum = zoo_conv(sum, width, width, 49, side * side, width, true);
            sum = zoo_dense(sum, side * side, hidden, width, true);
        }
    }
    sum = zoo_dense(zoo_norm(sum, 576), 1, 576, 2304, true);
    check(state, "mambaout_tiny", zoo_dense(zoo_norm(sum, 2304), 1, 2304, 1000, true));
}

static void each_block_reads_all_before_it(void **state)
{
    static const struct { int64_t growth; bool halves, gated; } stages[] = {
        {64, false, false}, {104, true, false}, {128, true, true}, {128, false, true}, {128, false, true},
        {128, false, true}, {224, true, true},
    };
    int64_t channels = 64, side = 56;
    zoo_sum sum = zoo_norm(zoo_conv((zoo_sum){0}, 3, 64, 16, side * side, 1, true), 64);
    for (size_t s = 0; s < RG_COUNT(stages); s++) {
        if (s) {
            int64_t kept = channels / 2 / 8 * 8, kernel = stages[s].halves ? 4 : 1;
            if (stages[s].halves) side /= 2;
            sum = zoo_conv(zoo_norm(sum, channels), channels, kept, kernel, side * side, 1, true);
            channels = kept;
        }
        for (int i = 0; i < 3; i++) {
            int64_t growth = stages[s].growth, inner = 4 * channels, places = side * side;
            sum = zoo_norm(zoo_conv(sum, channels, channels, 49, places, channels, true), channels);
            sum = zoo_conv(sum, channels, inner, 1, places, 1, true);
            sum = zoo_conv(sum, inner, growth, 1, places, 1, true);
            if (stages[s].gated) sum = zoo_conv(sum, growth, growth, 1, 1, 1, true);
            sum.parameters += growth;
            channels += growth;
        }
    }
    check(state, "rdnet_tiny", zoo_dense(zoo_norm(sum, channels), 1, channels, 1000, true));
}

/* ---- PNASNet ---- */

/* Relu, by channel, 1x1, norm; twice, the first onto so many places. */
static zoo_sum separable(zoo_sum sum, int64_t in, int64_t out, int64_t kernel, int64_t to, bool early)
{
    int64_t middle = early ? out : in;
    sum = zoo_norm(zoo_conv(zoo_conv(sum, in, in, kernel, to, in, false), in, middle, 1, to, 1, false),
                   middle);
    sum = zoo_conv(zoo_conv(sum, middle, middle, kernel, to, middle, false), middle, out, 1, to, 1, false);
    return zoo_norm(sum, out);
}

static zoo_sum five_sums(zoo_sum sum, int64_t left, int64_t c, int64_t from, int64_t to, bool early)
{
    static const int64_t right[] = {49, 25, 9};
    sum = separable(sum, left, c, 25, to, early);
    for (int i = 0; i < 3; i++) sum = separable(sum, c, c, right[i], to, false);
    sum = separable(sum, c, c, 9, to, false);
    sum = separable(sum, left, c, 9, to, early);
    return from == to ? sum : zoo_conv_norm(sum, c, c, 1, to, 1);
}

static void pnasnet_repeats_one_cell(void **state)
{
    static const int64_t sides[] = {165, 83, 42, 42, 42, 42, 42, 21, 21, 21, 21, 11, 11, 11, 11};
    int64_t before = 96, last = 270, before_side = 165;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 96, 9, 165 * 165, 1);
    sum = zoo_conv_norm(sum, 96, 54, 1, 165 * 165, 1);
    sum = zoo_conv_norm(five_sums(sum, 96, 54, 165 * 165, 83 * 83, true), 96, 54, 1, 83 * 83, 1);
    for (int i = 0; i < 13; i++) {
        int64_t c = i ? 216 << (i - 1) / 4 : 108, from = sides[i + 1], to = sides[i + 2];
        sum = zoo_conv_norm(sum, before, c, 1, from * from, 1); /* in two halves where it shrinks */
        assert_true(before_side == from || (before_side + 1) / 2 == from);
        sum = zoo_conv_norm(sum, last, c, 1, from * from, 1);
        sum = five_sums(sum, c, c, from * from, to * to, false);
        before = last, before_side = from, last = 5 * c;
    }
    check(state, "pnasnet5large", zoo_dense(sum, 1, 4320, 1000, true));
}

/* ---- aggregation, version 2 of ResNet ---- */

/* Two bottlenecks of half the width, and a 1x1 that joins them and what the trees above hand down. */
static zoo_sum leaf(zoo_sum sum, int64_t in, int64_t out, int64_t from, int64_t to, int64_t handed)
{
    if (in != out) sum = zoo_conv_norm(sum, in, out, 1, to, 1);
    for (int i = 0; i < 2; i++) {
        sum = zoo_conv_norm(sum, i ? out : in, out / 2, 1, i ? to : from, 1);
        sum = zoo_conv_norm(zoo_conv_norm(sum, out / 2, out / 2, 9, to, 1), out / 2, out, 1, to, 1);
    }
    return zoo_conv_norm(sum, 2 * out + handed, out, 1, to, 1);
}

/* Trees of 1, 2, 3, 1 levels: leaves of a level 3 are handed nothing, one, one and two results. */
static void dla_joins_by_trees(void **state)
{
    const int64_t s112 = 112 * 112, s56 = 56 * 56, s28 = 28 * 28, s14 = 14 * 14, s7 = 49;
    zoo_sum sum = zoo_conv_norm((zoo_sum){0}, 3, 16, 49, 224 * 224, 1);
    sum = zoo_conv_norm(zoo_conv_norm(sum, 16, 16, 9, 224 * 224, 1), 16, 32, 9, s112, 1);
    sum = leaf(sum, 32, 128, s112, s56, 0);
    sum = leaf(leaf(sum, 128, 256, s56, s28, 0), 256, 256, s28, s28, 128 + 256);
    sum = leaf(leaf(sum, 256, 512, s28, s14, 0), 512, 512, s14, s14, 512);
    sum = leaf(leaf(sum, 512, 512, s14, s14, 0), 512, 512, s14, s14, 256 + 512 + 512);
    sum = leaf(sum, 512, 1024, s14, s7, 512);
    check(state, "dla60", zoo_conv(sum, 1024, 1000, 1, 1, 1, true));
}

/* Norms in front: of what comes in, not of what a block makes; the way around has none, nor has the stem. */
static void version_2_normalizes_in_front(void **state)
{
    static const int64_t blocks[] = {3, 4, 6, 3};
    int64_t in = 64, side = 56;
    zoo_sum sum = zoo_conv((zoo_sum){0}, 3, 64, 49, 112 * 112, 1, false);
    for (int stage = 0; stage < 4; stage++) {
        int64_t inner = 64 << stage, out = 4 * inner;
        for (int64_t i = 0; i < blocks[stage]; i++) {
            int64_t from = side * side;
            if (stage && !i) side /= 2;
            if (!i) sum = zoo_conv(sum, in, out, 1, side * side, 1, false);
            sum = zoo_norm(zoo_conv(zoo_norm(sum, in), in, inner, 1, from, 1, false), inner);
            sum = zoo_norm(zoo_conv(sum, inner, inner, 9, side * side, 1, false), inner);
            sum = zoo_conv(sum, inner, out, 1, side * side, 1, false);
            in = out;
        }
    }
    check(state, "resnetv2_50", zoo_conv(zoo_norm(sum, in), in, 1000, 1, 1, 1, true));
}

/* ---- without normalization ---- */

/* Millions: timm's column params_m. */
static const struct { const char *name; double parameters; } gained[] = {
    {"dm_nfnet_f0", 71.49}, {"dm_nfnet_f1", 132.63}, {"dm_nfnet_f2", 193.78}, {"dm_nfnet_f3", 254.92},
    {"dm_nfnet_f4", 316.07}, {"dm_nfnet_f5", 377.21}, {"dm_nfnet_f6", 438.36}, {"nfnet_f0", 71.49},
    {"nfnet_f1", 132.63}, {"nfnet_f2", 193.78}, {"nfnet_f3", 254.92}, {"nfnet_f4", 316.07},
    {"nfnet_f5", 377.21}, {"nfnet_f6", 438.36}, {"nfnet_f7", 499.5}, {"nfnet_l0", 35.07},
    {"eca_nfnet_l0", 24.14}, {"eca_nfnet_l1", 41.41}, {"eca_nfnet_l2", 56.72}, {"eca_nfnet_l3", 72.04},
    {"nf_regnet_b0", 8.76}, {"nf_regnet_b1", 10.22}, {"nf_regnet_b2", 14.31}, {"nf_regnet_b3", 18.59},
    {"nf_regnet_b4", 30.21}, {"nf_regnet_b5", 49.74}, {"nf_resnet26", 16}, {"nf_resnet50", 25.56},
    {"nf_resnet101", 44.55}, {"nf_seresnet26", 17.4}, {"nf_seresnet50", 28.09}, {"nf_seresnet101", 49.33},
    {"nf_ecaresnet26", 16}, {"nf_ecaresnet50", 25.56}, {"nf_ecaresnet101", 44.55},
};

static bool holds(rg_str text, const char *part)
{
    for (; text.size; text.data++, text.size--)
        if (rg_str_starts(text, part)) return true;
    return false;
}

/* timm's own count has a gain for each result channel of a convolution, which gates do not have. */
static void gains_are_folded(void **state)
{
    for (size_t i = 0; i < RG_COUNT(gained); i++) {
        const rg_facts *f = zoo_facts(*state, gained[i].name);
        const rg_graph *g = f->graph;
        double all = f->parameters;
        for (uint32_t s = 0; s < f->step_count; s++) {
            const rg_node *node = &g->nodes[f->steps[s].node];
            if (rg_node_is(node, "Conv") && !holds(node->name, "attn"))
                all += (double)g->values[node->in[1]].type.dim[0];
        }
        if (fabs(all / 1e6 - gained[i].parameters) > 0.00501)
            fail_msg("%s: %.0f parameters, published are %g M", gained[i].name, all, gained[i].parameters);
        rg_facts_free(f);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(repvit_keeps_its_branches),
        TEST(attention_is_linear),
        TEST(fastvit_attends_at_its_end),
        TEST(a_third_of_the_features_look_around),
        TEST(each_block_reads_all_before_it),
        TEST(pnasnet_repeats_one_cell),
        TEST(dla_joins_by_trees),
        TEST(version_2_normalizes_in_front),
        TEST(gains_are_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
