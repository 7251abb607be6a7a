/* test_zoo_vit.c - image transformers against closed forms of their papers' tables. */
#include "zoo_check.h"

/* A layer over `rows` rows that attend to `keys` of them each: queries, keys, values and the way out, the
 * inner layers, two normalizations. */
static zoo_sum add_encoder(zoo_sum sum, int64_t rows, int64_t keys, int64_t width)
{
    sum = zoo_norm(zoo_norm(sum, width), width);
    sum = zoo_dense(zoo_dense(sum, rows, width, 3 * width, true), rows, width, width, true);
    sum = zoo_attention(sum, rows, keys, width);
    return zoo_dense(zoo_dense(sum, rows, width, 4 * width, true), rows, 4 * width, width, true);
}

/* ---- ViT, DeiT ---- */

static const struct { const char *name; int64_t patch, layers, width, macs, parameters; } vits[] = {
    {"vit_b_16", 16, 12, 768, 17563828224, 86567656},   {"vit_b_32", 32, 12, 768, 4409186304, 88224232},
    {"vit_l_16", 16, 24, 1024, 61554712576, 304326632}, {"vit_l_32", 32, 24, 1024, 15377539072, 306535400},
    {"deit_s", 16, 12, 384, 4598882304, 22050664},
};

static void vits_have_their_closed_form(void **state)
{
    for (size_t i = 0; i < RG_COUNT(vits); i++) {
        const rg_facts *f = zoo_facts(*state, vits[i].name);
        int64_t width = vits[i].width, patch = vits[i].patch, patches = (224 / patch) * (224 / patch);
        zoo_sum sum = zoo_conv((zoo_sum){0}, 3, width, patch * patch, patches, 1, true);
        sum.parameters += width + (1 + patches) * width; /* the class token and the places */
        for (int k = 0; k < vits[i].layers; k++) sum = add_encoder(sum, 1 + patches, 1 + patches, width);
        sum = zoo_dense(zoo_norm(sum, width), 1, width, 1000, true);
        zoo_assert(f, sum, vits[i].macs, vits[i].parameters);
        zoo_assert_ends(*state, f, true, 0, "image: f32[batch,3,224,224]");
        zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
        rg_facts_free(f);
    }
}

static void vit_has_torchvisions_names(void **state)
{
    const rg_facts *f = zoo_facts(*state, "vit_b_16");
    assert_string_equal(f->family, "transformer");
    assert_true(zoo_has_node(f, "conv_proj/", "Conv") && zoo_has_node(f, "heads.head/", "Gemm"));
    assert_true(zoo_has_node(f, "encoder.layers.encoder_layer_11.self_attention/", "Softmax"));
    assert_int_equal(f->layers, 1 + 12 * 6 + 1);
    rg_facts_free(f);
}

/* ---- Swin, MaxViT ---- */

/* As above, inside windows of 7x7 places, whose offsets have a bias for each head of 32 features. */
static zoo_sum add_windows(zoo_sum sum, int64_t places, int64_t width)
{
    sum.parameters += 13 * 13 * (width / 32);
    return add_encoder(sum, places, 7 * 7, width);
}

static const struct { const char *name; int64_t width, blocks[4], macs, parameters; } swins[] = {
    {"swin_t", 96, {2, 2, 6, 2}, 4490566656, 28288354},
    {"swin_s", 96, {2, 2, 18, 2}, 8740875264, 49606258},
    {"swin_b", 128, {2, 2, 18, 2}, 15430946816, 87768224},
};

static void swins_have_their_closed_form(void **state)
{
    for (size_t i = 0; i < RG_COUNT(swins); i++) {
        const rg_facts *f = zoo_facts(*state, swins[i].name);
        int64_t width = swins[i].width, side = 56;
        zoo_sum sum = zoo_norm(zoo_conv((zoo_sum){0}, 3, width, 4 * 4, side * side, 1, true), width);
        for (int stage = 0; stage < 4; stage++) {
            if (stage) { /* four neighbors of `width` each become one of twice that */
                side /= 2;
                sum = zoo_dense(zoo_norm(sum, 4 * width), side * side, 4 * width, 2 * width, false);
                width *= 2;
            }
            for (int k = 0; k < swins[i].blocks[stage]; k++) sum = add_windows(sum, side * side, width);
        }
        sum = zoo_dense(zoo_norm(sum, width), 1, width, 1000, true);
        zoo_assert(f, sum, swins[i].macs, swins[i].parameters);
        zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
        assert_string_equal(f->family, "transformer");
        rg_facts_free(f);
    }
}

/* The mask of a stage of so many windows, or NULL. */
static const rg_value *mask_at(const rg_facts *f, int64_t windows)
{
    for (uint32_t v = 1; v < f->graph->value_count; v++) {
        const rg_tensor *t = f->graph->values[v].data;
        if (t && t->rank == 5 && t->dim[1] == windows) return &f->graph->values[v];
    }
    return NULL;
}

/* The last of 2x2 windows of an image of 14x14, rolled by 3: its rows and columns 4, 5, 6 came around. */
static void swin_masks_what_came_around(void **state)
{
    const rg_facts *f = zoo_facts(*state, "swin_t");
    const rg_value *mask = mask_at(f, 4);
    assert_non_null(mask);
    for (int64_t i = 0; i < 49; i++) {
        for (int64_t k = 0; k < 49; k++) {
            bool rows = (i / 7 > 3) == (k / 7 > 3), columns = (i % 7 > 3) == (k % 7 > 3);
            assert_true(rg_tensor_real(mask->data, i * 49 + k) == 0);
            assert_true(rg_tensor_real(mask->data, (49 + i) * 49 + k) == (columns ? 0 : -100));
            assert_true(rg_tensor_real(mask->data, (2 * 49 + i) * 49 + k) == (rows ? 0 : -100));
            assert_true(rg_tensor_real(mask->data, (3 * 49 + i) * 49 + k) == (rows && columns ? 0 : -100));
        }
    }
    assert_non_null(mask_at(f, 64));
    assert_null(mask_at(f, 1));
    assert_true(zoo_has_node(f, "features.1.1.attn/", "Slice"));
    assert_false(zoo_has_node(f, "features.1.0.attn/", "Slice"));
    assert_false(zoo_has_node(f, "features.7.1.attn/", "Slice"));
    rg_facts_free(f);
}

/* A filter of 4 * width channels with a gate of a quarter of the width, from `side` to `after`. */
static zoo_sum add_filter(zoo_sum sum, int64_t in, int64_t width, int64_t side, int64_t after)
{
    int64_t wide = 4 * width, places = after * after;
    if (side != after) sum = zoo_conv(sum, in, width, 1, places, 1, true);
    sum = zoo_norm(zoo_conv(zoo_norm(sum, in), in, wide, 1, side * side, 1, false), wide);
    sum = zoo_norm(zoo_conv(sum, wide, wide, 9, places, wide, false), wide);
    sum = zoo_conv(zoo_conv(sum, wide, width / 4, 1, 1, 1, true), width / 4, wide, 1, 1, 1, true);
    return zoo_conv(sum, wide, width, 1, places, 1, true);
}

static void maxvit_t_has_its_closed_form(void **state)
{
    static const int64_t widths[] = {64, 128, 256, 512}, layers[] = {2, 2, 5, 2};
    const rg_facts *f = zoo_facts(*state, "maxvit_t");
    int64_t side = 112, in = 64;
    zoo_sum sum = zoo_norm(zoo_conv((zoo_sum){0}, 3, in, 9, side * side, 1, false), in);
    sum = zoo_conv(sum, in, in, 9, side * side, 1, true);
    for (int stage = 0; stage < 4; stage++) {
        for (int i = 0; i < layers[stage]; i++) {
            int64_t after = i ? side : side / 2;
            sum = add_filter(sum, in, widths[stage], side, after);
            in = widths[stage], side = after;
            for (int k = 0; k < 2; k++) sum = add_windows(sum, side * side, in);
        }
    }
    sum = zoo_dense(zoo_dense(zoo_norm(sum, in), 1, in, in, true), 1, in, 1000, false);
    zoo_assert(f, sum, 5558046720, 30919624);
    zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
    assert_string_equal(f->family, "transformer");
    assert_true(zoo_has_node(f, "blocks.2.layers.4.layers.grid_attention.attn_layer.1/", "Softmax"));
    rg_facts_free(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(vits_have_their_closed_form),
        TEST(vit_has_torchvisions_names),
        TEST(swins_have_their_closed_form),
        TEST(swin_masks_what_came_around),
        TEST(maxvit_t_has_its_closed_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
