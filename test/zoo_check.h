/* zoo_check.h - what the tests of the built-in models share: facts of a model by name, and closed forms built
 * up layer by layer, as integers, independent of the builders.
 */
#ifndef RG_ZOO_CHECK_H
#define RG_ZOO_CHECK_H

#include "analyze/analyze.h"
#include "format/zoo.h"
#include "learn/vision_models.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline int zoo_setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static inline int zoo_teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

/* Built, inferred, verified; the caller frees it. */
static inline const rg_facts *zoo_facts(rg_ctx *cx, const char *name)
{
    rg_graph *g = NULL;
    const rg_facts *facts = NULL;
    rg_err err = rg_zoo_build(cx, name, NULL, &g);
    if (!err) err = rg_graph_infer(cx, g);
    if (!err) err = rg_graph_verify(cx, g);
    if (!err) err = rg_facts_make(cx, g, &facts);
    if (err) print_error("%s: %s\n", name, rg_ctx_error(cx));
    assert_int_equal(err, RG_OK);
    rg_graph_free(g);
    return facts;
}

/* Loaded as the program does it, with `shape` as its --shape: bound, inferred, passed. */
static inline const rg_facts *zoo_loaded(rg_ctx *cx, const char *model, const char *shape)
{
    const rg_graph *g = NULL;
    const rg_facts *facts = NULL;
    rg_load_opt opt = {.size = sizeof opt, .shape = shape};
    rg_err err = rg_graph_load(cx, model, &opt, &g);
    if (!err) err = rg_facts_make(cx, g, &facts);
    if (err) print_error("%s: %s\n", model, rg_ctx_error(cx));
    assert_int_equal(err, RG_OK);
    rg_graph_free(g);
    return facts;
}

/* An input or output of the model, printed: "image: f32[batch,3,224,224]". */
static inline void zoo_assert_ends(rg_ctx *cx, const rg_facts *f, bool inputs, uint32_t index,
                                   const char *wanted)
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

static inline bool zoo_has_node(const rg_facts *f, const char *prefix, const char *type)
{
    for (uint32_t s = 0; s < f->step_count; s++) {
        const rg_node *node = &f->graph->nodes[f->steps[s].node];
        if (rg_str_starts(node->name, prefix) && rg_node_is(node, type)) return true;
    }
    return false;
}

static inline int zoo_node_count(const rg_facts *f, const char *type)
{
    int count = 0;
    for (uint32_t s = 0; s < f->step_count; s++)
        count += rg_node_is(&f->graph->nodes[f->steps[s].node], type);
    return count;
}

/* ---- closed forms ---- */

typedef struct zoo_sum { int64_t macs, parameters; } zoo_sum;

/* A convolution of `kernel` weights an input channel ("3x3" is 9) on `places` outputs ("56x56" is 3136). */
static inline zoo_sum zoo_conv(zoo_sum sum, int64_t in, int64_t out, int64_t kernel, int64_t places,
                               int64_t groups, bool bias)
{
    int64_t weights = in / groups * out * kernel;
    return (zoo_sum){sum.macs + weights * places, sum.parameters + weights + (bias ? out : 0)};
}

/* Scale and bias of a BatchNormalization, GroupNormalization or LayerNormalization. */
static inline zoo_sum zoo_norm(zoo_sum sum, int64_t channels)
{
    return (zoo_sum){sum.macs, sum.parameters + 2 * channels};
}

/* Without bias, and its normalization: the layer that most image networks are made of. */
static inline zoo_sum zoo_conv_norm(zoo_sum sum, int64_t in, int64_t out, int64_t kernel, int64_t places,
                                    int64_t groups)
{
    return zoo_norm(zoo_conv(sum, in, out, kernel, places, groups, false), out);
}

/* A linear layer over `rows` rows. */
static inline zoo_sum zoo_dense(zoo_sum sum, int64_t rows, int64_t in, int64_t out, bool bias)
{
    return (zoo_sum){sum.macs + rows * in * out, sum.parameters + in * out + (bias ? out : 0)};
}

/* So many alike. */
static inline zoo_sum zoo_dense_times(zoo_sum sum, int times, int64_t rows, int64_t in, int64_t out,
                                      bool bias)
{
    for (int i = 0; i < times; i++) sum = zoo_dense(sum, rows, in, out, bias);
    return sum;
}

/* q kT and the product with the values, all heads together: `width` is heads * head. */
static inline zoo_sum zoo_attention(zoo_sum sum, int64_t queries, int64_t keys, int64_t width)
{
    return (zoo_sum){sum.macs + 2 * queries * keys * width, sum.parameters};
}

/* The closed form, the numbers written out in the test and the graph agree to the last unit. */
static inline void zoo_assert(const rg_facts *f, zoo_sum wanted, int64_t macs, int64_t parameters)
{
    assert_int_equal(wanted.macs, macs);
    assert_int_equal(wanted.parameters, parameters);
    assert_true(f->mac == (double)macs);
    assert_true(f->parameters == (double)parameters);
}

/* ---- classifiers as timm has them ---- */

/* NULL: there is none. */
static inline const rg_zoo *zoo_row(const char *name)
{
    for (int i = 0; i < rg_zoo_count; i++)
        if (strcmp(rg_zoo_table[i]->name, name) == 0) return rg_zoo_table[i];
    return NULL;
}

/* Parameters as they are published, in millions with two digits behind the point. `rounding`: half of the
 * last, and what a graph does not have. Those that tables call the same are found by their names. */
typedef struct zoo_published { const char *name; double parameters; } zoo_published;
static inline void zoo_assert_published(const zoo_published *all, size_t count, double rounding)
{
    for (size_t i = 0; i < count; i++) {
        const rg_zoo *zoo = zoo_row(all[i].name);
        if (!zoo) fail_msg("%s is not there", all[i].name);
        if (fabs(zoo->parameters / 1e6 - all[i].parameters) > rounding)
            fail_msg("%s: %.0f parameters, published are %g M", zoo->name, zoo->parameters,
                     all[i].parameters);
        if (zoo->image)
            assert_string_equal(rg_vision_model(rg_str_of(zoo->name), zoo->image), zoo->name);
    }
}

/* Of a thousand classes. */
static inline void zoo_assert_classifier(rg_ctx *cx, const char *name, zoo_sum sum, const char *family)
{
    const rg_facts *f = zoo_facts(cx, name);
    if (f->mac != (double)sum.macs || f->parameters != (double)sum.parameters)
        fail_msg("%s: %.0f MACs, %.0f parameters, not %lld, %lld", name, f->mac, f->parameters,
                 (long long)sum.macs, (long long)sum.parameters);
    assert_string_equal(f->family, family);
    zoo_assert_ends(cx, f, false, 0, "logits: f32[batch,1000]");
    rg_facts_free(f);
}

#endif
