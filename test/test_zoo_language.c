/* test_zoo_language.c - the built-in language models: closed forms of their layer tables, published counts of
 * parameters, and what the passes find in them.
 *
 * S tokens of H features: four projections of H x H, scores and their product with the values S x S x H each,
 * inner layers of 4 H.
 */
#include "zoo_check.h"

enum { S = 128 };

static zoo_sum add_parameters(zoo_sum sum, int64_t count)
{
    return (zoo_sum){sum.macs, sum.parameters + count};
}

static zoo_sum inner_layers(zoo_sum sum, int64_t H, bool bias)
{
    return zoo_dense(zoo_dense(sum, S, H, 4 * H, bias), S, 4 * H, H, bias);
}

/* ---- BERT and its kin ---- */

typedef struct bert_row {
    const char *name;
    int layers;
    int64_t width, words, positions, kinds;
    bool pooler;
    int64_t macs, parameters;
} bert_row;

static const bert_row berts[] = {
    {"bert-base", 12, 768, 30522, 512, 2, true, 11174215680, 109482240},
    {"bert-large", 24, 1024, 30522, 512, 2, true, 39461060608, 335141888},
    {"roberta-base", 12, 768, 50265, 514, 1, true, 11174215680, 124645632},
    {"distilbert", 6, 768, 30522, 512, 0, false, 5586812928, 66362880},
};

static void berts_are_as_published(void **state)
{
    for (size_t i = 0; i < RG_COUNT(berts); i++) {
        const bert_row *r = &berts[i];
        const int64_t H = r->width;
        const rg_facts *f = zoo_facts(*state, r->name);
        zoo_sum sum = zoo_norm((zoo_sum){0, (r->words + r->positions + r->kinds) * H}, H);
        for (int k = 0; k < r->layers; k++) {
            sum = zoo_attention(zoo_dense_times(sum, 4, S, H, H, true), S, S, H);
            sum = zoo_norm(zoo_norm(inner_layers(sum, H, true), H), H);
        }
        if (r->pooler) sum = zoo_dense(sum, 1, H, H, true);
        zoo_assert(f, sum, r->macs, r->parameters);
        assert_int_equal(f->layers, r->layers * 8 + r->pooler);
        rg_facts_free(f);
    }
}

static void bert_base_has_its_ends_and_names(void **state)
{
    const rg_facts *f = zoo_facts(*state, "bert-base");
    zoo_assert_ends(*state, f, true, 0, "input_ids: i64[batch,seq]");
    zoo_assert_ends(*state, f, true, 1, "token_type_ids: i64[batch,seq]");
    zoo_assert_ends(*state, f, true, 2, "attention_mask: i64[batch,seq]");
    zoo_assert_ends(*state, f, false, 0, "last_hidden_state: f32[batch,seq,768]");
    zoo_assert_ends(*state, f, false, 1, "pooler_output: f32[batch,768]");
    assert_true(zoo_has_node(f, "encoder.layer.11.attention/", "Softmax"));
    assert_true(zoo_has_node(f, "encoder.layer.11.attention.self.query/", "MatMul"));
    assert_true(zoo_has_node(f, "encoder.layer.11.attention.output.LayerNorm/", "LayerNormalization"));
    rg_facts_free(f);
    f = zoo_facts(*state, "distilbert");
    assert_int_equal(f->graph->regions[RG_MAIN].input_count, 2);
    assert_int_equal(f->graph->regions[RG_MAIN].output_count, 1);
    assert_true(zoo_has_node(f, "transformer.layer.5.sa_layer_norm/", "LayerNormalization"));
    rg_facts_free(f);
}

/* ---- GPT-2 ---- */

typedef struct size_row { const char *name; int layers; int64_t width, macs, parameters; } size_row;

static const size_row gpts[] = {
    {"gpt2", 12, 768, 16114089984, 124439808},
    {"gpt2-medium", 24, 1024, 46047297536, 354823168},
    {"gpt2-large", 36, 1280, 100341022720, 774030080},
    {"gpt2-xl", 48, 1600, 201552896000, 1557611200},
};

static void gpts_are_as_published(void **state)
{
    for (size_t i = 0; i < RG_COUNT(gpts); i++) {
        const int64_t H = gpts[i].width, words = 50257;
        const rg_facts *f = zoo_facts(*state, gpts[i].name);
        zoo_sum sum = zoo_norm((zoo_sum){S * H * words, (words + 1024) * H}, H);
        for (int k = 0; k < gpts[i].layers; k++) {
            sum = zoo_dense(zoo_dense(sum, S, H, 3 * H, true), S, H, H, true);
            sum = zoo_attention(sum, S, S, H);
            sum = zoo_norm(zoo_norm(inner_layers(sum, H, true), H), H);
        }
        zoo_assert(f, sum, gpts[i].macs, gpts[i].parameters);
        zoo_assert_ends(*state, f, true, 0, "input_ids: i64[batch,seq]");
        zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,seq,50257]");
        rg_facts_free(f);
    }
}

/* ---- T5 ---- */

static const size_row t5s[] = {
    {"t5-base", 12, 768, 29431431168, 222903552},
    {"t5-large", 24, 1024, 96821313536, 737668096},
};

/* A decoder layer has a second attention, over the encoder's result. Each stack has a table of 32 buckets for
 * H / 64 heads, and each normalization a scale alone. */
static void t5s_are_as_published(void **state)
{
    for (size_t i = 0; i < RG_COUNT(t5s); i++) {
        const int64_t H = t5s[i].width, words = 32128;
        const rg_facts *f = zoo_facts(*state, t5s[i].name);
        zoo_sum sum = {S * H * words, words * H + 2 * H + 2 * 32 * H / 64};
        for (int k = 0; k < t5s[i].layers; k++) {
            sum = zoo_attention(zoo_dense_times(sum, 4, S, H, H, false), S, S, H);
            sum = add_parameters(inner_layers(sum, H, false), 2 * H);
            for (int twice = 0; twice < 2; twice++)
                sum = zoo_attention(zoo_dense_times(sum, 4, S, H, H, false), S, S, H);
            sum = add_parameters(inner_layers(sum, H, false), 3 * H);
        }
        zoo_assert(f, sum, t5s[i].macs, t5s[i].parameters);
        zoo_assert_ends(*state, f, true, 0, "input_ids: i64[batch,seq]");
        zoo_assert_ends(*state, f, true, 1, "decoder_input_ids: i64[batch,decoder_seq]");
        zoo_assert_ends(*state, f, false, 0, "logits: f32[batch,decoder_seq,32128]");
        rg_facts_free(f);
    }
}

/* ---- loaded ---- */

/* Blocks are found, and what is shared stays shared: no parameter is counted twice after the passes. */
static void blocks_are_found(void **state)
{
    static const struct {
        const char *name; int attentions, layer_norms, rms_norms; double parameters;
    } rows[] = {
        {"zoo:bert-base", 12, 25, 0, 109482240},
        {"zoo:roberta-base", 12, 25, 0, 124645632},
        {"zoo:distilbert", 6, 13, 0, 66362880},
        {"zoo:gpt2", 12, 25, 0, 124439808},
        {"zoo:t5-base", 36, 0, 62, 222903552},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const rg_facts *f = zoo_loaded(*state, rows[i].name, NULL);
        assert_int_equal(zoo_node_count(f, "Attention"), rows[i].attentions);
        assert_int_equal(zoo_node_count(f, "Softmax"), 0);
        assert_int_equal(zoo_node_count(f, "LayerNormalization"), rows[i].layer_norms);
        assert_int_equal(zoo_node_count(f, "RMSNormalization"), rows[i].rms_norms);
        assert_true(f->parameters == rows[i].parameters);
        assert_string_equal(f->family, "transformer");
        rg_facts_free(f);
    }
}

static void any_number_of_tokens_goes_in(void **state)
{
    const rg_facts *f = zoo_loaded(*state, "zoo:gpt2", "seq=384");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[1,384,50257]");
    assert_true(f->mac == 384.0 * 768 * 50257 + 12 * (12.0 * 384 * 768 * 768 + 2.0 * 384 * 384 * 768));
    rg_facts_free(f);
    f = zoo_loaded(*state, "zoo:t5-base", "seq=384,decoder_seq=7");
    zoo_assert_ends(*state, f, false, 0, "logits: f32[1,7,32128]");
    assert_int_equal(zoo_node_count(f, "Attention"), 36);
    rg_facts_free(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, zoo_setup, zoo_teardown)
    const struct CMUnitTest tests[] = {
        TEST(berts_are_as_published),
        TEST(bert_base_has_its_ends_and_names),
        TEST(gpts_are_as_published),
        TEST(t5s_are_as_published),
        TEST(blocks_are_found),
        TEST(any_number_of_tokens_goes_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
