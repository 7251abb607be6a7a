/* test_zoo.c - the built-in models against their published figures and against closed forms of their layer
 * tables, which are written out here again, independent of the builders.
 */
#include "analyze/analyze.h"
#include "format/zoo.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static const rg_facts *facts_of(rg_ctx *cx, const char *name)
{
    rg_graph *g = NULL;
    const rg_facts *facts = NULL;
    rg_err err = rg_zoo_build(cx, name, &g);
    if (!err) err = rg_graph_infer(cx, g);
    if (!err) err = rg_graph_verify(cx, g);
    if (!err) err = rg_facts_make(cx, g, &facts);
    if (err) print_error("%s: %s\n", name, rg_ctx_error(cx));
    assert_int_equal(err, RG_OK);
    rg_graph_free(g);
    return facts;
}

/* An input or output of the model, printed: "image: f32[batch,3,224,224]". */
static void assert_ends(rg_ctx *cx, const rg_facts *f, bool inputs, uint32_t index, const char *wanted)
{
    const rg_region *model = &f->graph->regions[RG_MAIN];
    assert_true(index < (inputs ? model->input_count : model->output_count));
    const rg_value *v = &f->graph->values[(inputs ? model->inputs : model->outputs)[index]];
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_text_printf(&text, "%.*s: ", RG_STR(v->name));
    rg_type_print(f->graph, &v->type, &text);
    rg_text_char(&text, 0);
    assert_string_equal(text.data, wanted);
}

/* A layer with square kernel and image: `side` of its output, `groups` of channels, how often it occurs. */
typedef struct layer { int64_t in, out, kernel, side, groups, count; } layer;
typedef struct figures { int64_t mac, parameters; } figures;

/* Convolutions without bias, each with the scale and bias of a BatchNormalization. */
static figures add_layer(figures sum, layer l)
{
    int64_t weights = l.in / l.groups * l.out * l.kernel * l.kernel;
    sum.mac += l.count * weights * l.side * l.side;
    sum.parameters += l.count * (weights + 2 * l.out);
    return sum;
}

/* A linear layer with bias over `rows` rows. */
static figures add_linear(figures sum, int64_t rows, int64_t in, int64_t out)
{
    sum.mac += rows * in * out;
    sum.parameters += in * out + out;
    return sum;
}

static void assert_figures(const rg_facts *f, figures wanted, int64_t mac, int64_t parameters)
{
    assert_int_equal(wanted.mac, mac);
    assert_int_equal(wanted.parameters, parameters);
    assert_true(f->mac == (double)mac);
    assert_true(f->parameters == (double)parameters);
}

static bool has_node(const rg_facts *f, const char *prefix, const char *type)
{
    for (uint32_t s = 0; s < f->step_count; s++) {
        const rg_node *node = &f->graph->nodes[f->steps[s].node];
        if (rg_str_starts(node->name, prefix) && rg_node_is(node, type)) return true;
    }
    return false;
}

/* ---- the models ---- */

/* Table 1 of He et al. 2015, 50 layers, the stride in the 3x3 convolutions. */
static const layer resnet50_layers[] = {
    {3, 64, 7, 112, 1, 1},
    {64, 64, 1, 56, 1, 1}, {256, 64, 1, 56, 1, 2}, {64, 64, 3, 56, 1, 3}, {64, 256, 1, 56, 1, 4},
    {256, 128, 1, 56, 1, 1}, {512, 128, 1, 28, 1, 3}, {128, 128, 3, 28, 1, 4}, {128, 512, 1, 28, 1, 4},
    {256, 512, 1, 28, 1, 1},
    {512, 256, 1, 28, 1, 1}, {1024, 256, 1, 14, 1, 5}, {256, 256, 3, 14, 1, 6}, {256, 1024, 1, 14, 1, 6},
    {512, 1024, 1, 14, 1, 1},
    {1024, 512, 1, 14, 1, 1}, {2048, 512, 1, 7, 1, 2}, {512, 512, 3, 7, 1, 3}, {512, 2048, 1, 7, 1, 3},
    {1024, 2048, 1, 7, 1, 1},
};

static void resnet50_is_as_published(void **state)
{
    const rg_facts *f = facts_of(*state, "resnet50");
    figures sum = {0};
    for (size_t i = 0; i < RG_COUNT(resnet50_layers); i++) sum = add_layer(sum, resnet50_layers[i]);
    assert_figures(f, add_linear(sum, 1, 2048, 1000), 4089184256, 25557032);
    assert_ends(*state, f, true, 0, "image: f32[batch,3,224,224]");
    assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
    assert_string_equal(f->graph->source, "zoo:resnet50");
    assert_int_equal(f->layers, 54);
    assert_true(has_node(f, "layer1.0.conv1/", "Conv") && has_node(f, "layer4.2.bn3/", "BatchNormalization"));
    assert_true(has_node(f, "layer2.0.downsample.0/", "Conv"));
    assert_false(has_node(f, "layer2.1.downsample.0/", "Conv"));
    assert_true(has_node(f, "fc/", "Gemm"));
    /* At most three of the 56x56x256 maps at once, in the first stage: both sides of a sum and the result. */
    assert_true(f->peak_live_byte == 3 * 4.0 * 256 * 56 * 56);
    rg_facts_free(f);
}

/* Table 2 of Sandler et al. 2018: expansion, channels, repeats, stride. */
static void mobilenet_v2_is_as_published(void **state)
{
    static const int rows[7][4] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2},
                                   {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    const rg_facts *f = facts_of(*state, "mobilenet_v2");
    figures sum = add_layer((figures){0}, (layer){3, 32, 3, 112, 1, 1});
    int64_t channels = 32, side = 112;
    for (int r = 0; r < 7; r++) {
        for (int i = 0; i < rows[r][2]; i++) {
            int64_t wide = channels * rows[r][0], after = i ? side : side / rows[r][3];
            if (rows[r][0] > 1) sum = add_layer(sum, (layer){channels, wide, 1, side, 1, 1});
            sum = add_layer(sum, (layer){wide, wide, 3, after, wide, 1});
            sum = add_layer(sum, (layer){wide, rows[r][1], 1, after, 1, 1});
            channels = rows[r][1], side = after;
        }
    }
    sum = add_layer(sum, (layer){320, 1280, 1, 7, 1, 1});
    assert_figures(f, add_linear(sum, 1, 1280, 1000), 300774272, 3504872);
    assert_ends(*state, f, false, 0, "logits: f32[batch,1000]");
    assert_int_equal(f->layers, 53);
    rg_facts_free(f);
}

/* Queries, keys, values, output: 4 of H x H; the inner layers H x 4H and back; scores and their product with
 * the values S x S x H each. Normalizations have 2 H parameters. */
static void bert_base_has_its_closed_form(void **state)
{
    const int64_t S = 128, H = 768, layers = 12;
    const rg_facts *f = facts_of(*state, "bert-base");
    figures sum = {0, (30522 + 512 + 2) * H + 2 * H};
    for (int i = 0; i < layers; i++) {
        for (int k = 0; k < 4; k++) sum = add_linear(sum, S, H, H);
        sum = add_linear(add_linear(sum, S, H, 4 * H), S, 4 * H, H);
        sum.mac += 2 * S * S * H;
        sum.parameters += 2 * 2 * H;
    }
    assert_int_equal(sum.mac, layers * (4 * S * H * H + 2 * S * H * 4 * H + 2 * S * S * H));
    assert_figures(f, add_linear(sum, 1, H, H), 11174215680, 109482240);
    assert_ends(*state, f, true, 0, "input_ids: i64[batch,seq]");
    assert_ends(*state, f, true, 1, "token_type_ids: i64[batch,seq]");
    assert_ends(*state, f, true, 2, "attention_mask: i64[batch,seq]");
    assert_ends(*state, f, false, 0, "last_hidden_state: f32[batch,seq,768]");
    assert_ends(*state, f, false, 1, "pooler_output: f32[batch,768]");
    assert_int_equal(f->layers, 12 * 8 + 1);
    assert_true(has_node(f, "encoder.layer.11.attention.self/", "Softmax"));
    rg_facts_free(f);
}

static void mlp_has_its_closed_form(void **state)
{
    const rg_facts *f = facts_of(*state, "mlp");
    figures sum = add_linear(add_linear(add_linear((figures){0}, 1, 784, 512), 1, 512, 256), 1, 256, 10);
    assert_figures(f, sum, 535040, 535818);
    assert_ends(*state, f, true, 0, "image: f32[batch,784]");
    assert_ends(*state, f, false, 0, "logits: f32[batch,10]");
    rg_facts_free(f);
}

/* ---- the table ---- */

static void every_row_keeps_its_word(void **state)
{
    for (int i = 0; i < rg_zoo_count; i++) {
        const rg_zoo *zoo = rg_zoo_table[i];
        const rg_facts *f = facts_of(*state, zoo->name);
        assert_true(f->parameters == zoo->parameters);
        assert_true(fabs(f->mac / zoo->macs - 1) < 0.001); /* published to three or four digits */
        assert_string_equal(f->family, zoo->family);
        assert_true(strlen(zoo->source) > 0);
        rg_facts_free(f);
    }
}

static void an_unknown_name_is_told_the_nearest(void **state)
{
    rg_graph *g = NULL;
    assert_int_equal(rg_zoo_build(*state, "resnet51", &g), RG_INPUT);
    assert_null(g);
    assert_non_null(strstr(rg_ctx_error(*state), "zoo:resnet51: no such model; there are: resnet50, "));
    assert_int_equal(rg_zoo_build(*state, "", &g), RG_INPUT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(resnet50_is_as_published),
        TEST(mobilenet_v2_is_as_published),
        TEST(bert_base_has_its_closed_form),
        TEST(mlp_has_its_closed_form),
        TEST(every_row_keeps_its_word),
        TEST(an_unknown_name_is_told_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
