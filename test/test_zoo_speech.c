/* test_zoo_speech.c - the built-in models of sound, and the recommendation model: closed forms of their layer
 * tables, published counts of parameters, and what the passes find in them.
 */
#include "zoo_check.h"

/* ---- Whisper ---- */

enum { SOUNDS = 1500, TOKENS = 128 };

typedef struct whisper_row {
    const char *encoder, *decoder;
    int layers;
    int64_t width, encoder_macs, encoder_parameters, decoder_macs, decoder_parameters;
    int64_t checkpoint; /* what Hugging Face counts in both together */
} whisper_row;

static const whisper_row whispers[] = {
    {"whisper-base-encoder", "whisper-base-decoder", 6, 512, 43683840000, 20590592, 12216500224, 52003328,
     72593920},
    {"whisper-large-encoder", "whisper-large-decoder", 32, 1280, 1136332800000, 636784640, 276807188480,
     906520320, 1543304960},
};

/* Keys have no bias. Two convolutions of 3 before the layers, the second over half as many frames. */
static zoo_sum encoder_of(const whisper_row *r)
{
    const int64_t H = r->width;
    zoo_sum sum = zoo_conv((zoo_sum){0, SOUNDS * H}, 80, H, 3, 2 * SOUNDS, 1, true);
    sum = zoo_norm(zoo_conv(sum, H, H, 3, SOUNDS, 1, true), H);
    for (int i = 0; i < r->layers; i++) {
        sum = zoo_dense(zoo_dense_times(sum, 3, SOUNDS, H, H, true), SOUNDS, H, H, false);
        sum = zoo_norm(zoo_attention(sum, SOUNDS, SOUNDS, H), H);
        sum = zoo_dense(zoo_dense(sum, SOUNDS, H, 4 * H, true), SOUNDS, 4 * H, H, true);
        sum = zoo_norm(sum, H);
    }
    return sum;
}

/* The second attention's keys and values are of the sounds. */
static zoo_sum decoder_of(const whisper_row *r)
{
    const int64_t H = r->width, words = 51865;
    zoo_sum sum = zoo_norm((zoo_sum){TOKENS * H * words, (words + 448) * H}, H);
    for (int i = 0; i < r->layers; i++) {
        sum = zoo_dense(zoo_dense_times(sum, 3, TOKENS, H, H, true), TOKENS, H, H, false);
        sum = zoo_norm(zoo_attention(sum, TOKENS, TOKENS, H), H);
        sum = zoo_dense(zoo_dense(sum, SOUNDS, H, H, true), SOUNDS, H, H, false);
        sum = zoo_attention(zoo_dense_times(sum, 2, TOKENS, H, H, true), TOKENS, SOUNDS, H);
        sum = zoo_norm(sum, H);
        sum = zoo_dense(zoo_dense(sum, TOKENS, H, 4 * H, true), TOKENS, 4 * H, H, true);
        sum = zoo_norm(sum, H);
    }
    return sum;
}

static void whispers_are_as_published(void **state)
{
    for (size_t i = 0; i < RG_COUNT(whispers); i++) {
        const whisper_row *r = &whispers[i];
        const rg_facts *f = zoo_facts(*state, r->encoder);
        zoo_assert(f, encoder_of(r), r->encoder_macs, r->encoder_parameters);
        rg_facts_free(f);
        f = zoo_facts(*state, r->decoder);
        zoo_assert(f, decoder_of(r), r->decoder_macs, r->decoder_parameters);
        rg_facts_free(f);
        assert_int_equal(r->encoder_parameters + r->decoder_parameters, r->checkpoint);
    }
}

static void whisper_has_its_ends(void **state)
{
    const rg_facts *f = zoo_facts(*state, "whisper-base-encoder");
    zoo_assert_ends(*state, f, true, 0, "input_features: f32[batch,80,3000]");
    zoo_assert_ends(*state, f, false, 0, "last_hidden_state: f32[batch,1500,512]");
    rg_facts_free(f);
    f = zoo_facts(*state, "whisper-base-decoder");
    zoo_assert_ends(*state, f, true, 0, "input_ids: i64[batch,seq]");
    zoo_assert_ends(*state, f, true, 1, "encoder_hidden_states: f32[batch,1500,512]");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,seq,51865]");
    assert_true(zoo_has_node(f, "decoder.layers.5.encoder_attn.out_proj/", "MatMul"));
    rg_facts_free(f);
}

static void whisper_attends_when_loaded(void **state)
{
    static const struct { const char *name; int attentions; double parameters; } rows[] = {
        {"zoo:whisper-base-encoder", 6, 20590592}, {"zoo:whisper-base-decoder", 12, 52003328},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const rg_facts *f = zoo_loaded(*state, rows[i].name, NULL);
        assert_int_equal(zoo_node_count(f, "Attention"), rows[i].attentions);
        assert_int_equal(zoo_node_count(f, "Softmax"), 0);
        assert_true(f->parameters == rows[i].parameters);
        rg_facts_free(f);
    }
}

/* ---- recurrent layers ---- */

/* A gate has H rows over the input and over the state, and for each of the two a bias. */
static zoo_sum recurrent(zoo_sum sum, int64_t steps, int64_t gates, int64_t in, int64_t H)
{
    sum = zoo_dense(sum, steps, in, gates * H, true);
    return zoo_dense(sum, steps, H, gates * H, true);
}

static void recurrent_models_have_their_closed_forms(void **state)
{
    static const struct { const char *name; int gates; int64_t macs, parameters; } rows[] = {
        {"lstm-2x512", 4, 425525248, 3332637}, {"gru-2x512", 3, 319619072, 2503197},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const rg_facts *f = zoo_facts(*state, rows[i].name);
        zoo_sum sum = recurrent((zoo_sum){0}, 128, rows[i].gates, 80, 512);
        sum = zoo_dense(recurrent(sum, 128, rows[i].gates, 512, 512), 128, 512, 29, true);
        zoo_assert(f, sum, rows[i].macs, rows[i].parameters);
        zoo_assert_ends(*state, f, true, 0, "features: f32[seq,batch,80]");
        zoo_assert_ends(*state, f, false, 0, "logits: f32[seq,batch,29]");
        rg_facts_free(f);
    }
}

/* ---- WaveNet ---- */

/* Each layer: two convolutions of 2 taps, one to the skip, and but for the last one to the next layer. */
static void wavenet_has_its_closed_form(void **state)
{
    const int64_t T = 16000, layers = 3 * 10;
    const rg_facts *f = zoo_facts(*state, "wavenet");
    zoo_sum sum = zoo_conv((zoo_sum){0}, 256, 64, 2, T, 1, true);
    for (int i = 0; i < layers; i++) {
        sum = zoo_conv(zoo_conv(sum, 64, 64, 2, T, 1, true), 64, 64, 2, T, 1, true);
        sum = zoo_conv(sum, 64, 256, 1, T, 1, true);
        if (i + 1 < layers) sum = zoo_conv(sum, 64, 64, 1, T, 1, true);
    }
    sum = zoo_conv(zoo_conv(sum, 256, 256, 1, T, 1, true), 256, 256, 1, T, 1, true);
    zoo_assert(f, sum, 20250624000, 1279616);
    zoo_assert_ends(*state, f, true, 0, "samples: i64[batch,seq]");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,256,seq]");
    rg_facts_free(f);
    f = zoo_loaded(*state, "zoo:wavenet", "seq=100");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[1,256,100]");
    rg_facts_free(f);
}

/* ---- DLRM ---- */

/* 33762577 categories in all, as the preprocessing of the Kaggle data prints. */
static void dlrm_has_its_closed_form(void **state)
{
    static const int64_t bottom[] = {13, 512, 256, 64, 16}, top[] = {16 + 27 * 26 / 2, 512, 256, 1};
    const rg_facts *f = zoo_facts(*state, "dlrm");
    zoo_sum sum = {27 * 27 * 16, INT64_C(33762577) * 16};
    for (size_t i = 0; i + 1 < RG_COUNT(bottom); i++)
        sum = zoo_dense(sum, 1, bottom[i], bottom[i + 1], true);
    for (size_t i = 0; i + 1 < RG_COUNT(top); i++) sum = zoo_dense(sum, 1, top[i], top[i + 1], true);
    zoo_assert(f, sum, 486032, 540677217);
    zoo_assert_ends(*state, f, true, 0, "dense: f32[batch,13]");
    zoo_assert_ends(*state, f, true, 1, "categories: i64[batch,26]");
    zoo_assert_ends(*state, f, false, 0, "probability: f32[batch,1]");
    rg_facts_free(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(whispers_are_as_published),
        TEST(whisper_has_its_ends),
        TEST(whisper_attends_when_loaded),
        TEST(recurrent_models_have_their_closed_forms),
        TEST(wavenet_has_its_closed_form),
        TEST(dlrm_has_its_closed_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
