/* test_autocast.c - types under automatic mixed precision, as PyTorch's documentation lists its operators,
 * and rearrangements that a runtime with strided views does not carry out.
 */
#include "analyze/analyze.h"
#include "map/map.h"

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

static rg_graph *done(rg_ctx *cx, rg_build *b)
{
    rg_graph *g = NULL;
    rg_err err = rg_build_done(b, &g);
    if (!err) err = rg_graph_resolve(cx, g);
    if (!err) err = rg_graph_infer(cx, g);
    if (err) fail_msg("%s", rg_ctx_error(cx));
    return g;
}

/* ---- types ---- */

/* x -> product and bias -> activation -> twice -> norm -> product -> scale by feature -> power */
static rg_graph *make_block(rg_ctx *cx)
{
    rg_build b;
    const rg_dim shape[] = {2, 8, 4};
    const int64_t square[] = {4, 4}, four = 4;
    if (rg_build_init(&b, cx, "block")) fail();
    rg_value_id x = rg_build_input(&b, "x", RG_F32, 3, shape);
    rg_value_id y = rg_build_node(&b, "MatMul", NULL, x, rg_build_param(&b, "w", RG_F32, 2, square), -1);
    y = rg_build_node(&b, "Add", NULL, y, rg_build_param(&b, "bias", RG_F32, 1, &four), -1);
    y = rg_build_node(&b, "Relu", NULL, y, -1);
    y = rg_build_node(&b, "Mul", NULL, y, rg_build_scalar(&b, 2), -1);
    rg_build_output(&b, "narrow", y);
    y = rg_build_node(&b, "LayerNormalization", NULL, y, rg_build_param(&b, "scale", RG_F32, 1, &four), -1);
    rg_build_output(&b, "normal", y);
    y = rg_build_node(&b, "MatMul", NULL, y, rg_build_param(&b, "v", RG_F32, 2, square), -1);
    rg_build_output(&b, "product", y);
    y = rg_build_node(&b, "Mul", NULL, y, rg_build_param(&b, "gamma", RG_F32, 1, &four), -1);
    rg_build_output(&b, "scaled", y);
    y = rg_build_node(&b, "Transpose", "perm=0,2,1", y, -1);
    rg_build_output(&b, "turned", y);
    return done(cx, &b);
}

static const rg_value *named(const rg_graph *g, const char *name)
{
    for (uint32_t v = 1; v < g->value_count; v++)
        if (rg_str_is(g->values[v].name, name)) return &g->values[v];
    fail_msg("no value '%s'", name);
    return NULL;
}

static int count_of(const rg_graph *g, const char *type)
{
    int count = 0;
    for (rg_node_id n = 1; n < g->node_count; n++)
        count += !g->nodes[n].dead && rg_node_is(&g->nodes[n], type);
    return count;
}

static void types_are_those_of_pytorch(void **state)
{
    static const struct { const char *name; bool wide; } wanted[] = {
        {"x", true},       {"w", true},        {"gamma", true},  {"narrow", false},
        {"normal", true},  {"product", false}, {"scaled", true}, {"turned", true},
    };
    static const struct { const char *precision; rg_dtype dtype; } bases[] = {
        {"amp-f16", RG_F16}, {"amp-bf16", RG_BF16},
    };
    rg_graph *g = make_block(*state);
    for (size_t k = 0; k < RG_COUNT(bases); k++) {
        const rg_graph *cast = NULL;
        if (rg_graph_at_precision(*state, g, bases[k].precision, &cast)) fail_msg("%s", rg_ctx_error(*state));
        for (size_t i = 0; i < RG_COUNT(wanted); i++) {
            rg_dtype got = named(cast, wanted[i].name)->type.dtype;
            if (got != (wanted[i].wide ? RG_F32 : bases[k].dtype)) fail_msg("%s", wanted[i].name);
        }
        /* two weights and a bias; x, the input of the norm, that of the second product */
        assert_int_equal(count_of(cast, "Cast"), 6);
        assert_int_equal(count_of(g, "Cast"), 0);
        assert_int_equal(rg_graph_verify(*state, cast), RG_OK);
        rg_graph_free(cast);
    }
    rg_graph_free(g);
}

/* ---- views ---- */

/* x [2, 8, 4] is transposed, then goes through some operators. */
static rg_family family_of(rg_ctx *cx, const char *runtime_id, const char *const *behind)
{
    rg_build b;
    const rg_dim shape[] = {2, 8, 4};
    const int64_t eight = 8;
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    if (rg_build_init(&b, cx, "views")) fail();
    rg_value_id x = rg_build_input(&b, "x", RG_F32, 3, shape);
    x = rg_build_node(&b, "Transpose", "perm=0,2,1", x, -1);
    for (; *behind; behind++) {
        if (strcmp(*behind, "Reshape") == 0)
            x = rg_build_node(&b, *behind, NULL, x, rg_build_ints(&b, 1, (const int64_t[]){64}), -1);
        else if (strcmp(*behind, "LayerNormalization") == 0)
            x = rg_build_node(&b, *behind, NULL, x, rg_build_param(&b, "scale", RG_F32, 1, &eight), -1);
        else if (strcmp(*behind, "Add") == 0)
            x = rg_build_node(&b, *behind, NULL, x, rg_build_param(&b, "other", RG_F32, 1, &eight), -1);
        else
            x = rg_build_node(&b, *behind, NULL, x, -1);
    }
    rg_build_output(&b, "y", x);
    rg_graph *g = done(cx, &b);
    rg_err err = rg_device_find(cx, "rtx-4090", &device);
    if (!err) err = rg_runtime_find(cx, runtime_id, device, &runtime);
    if (!err) err = rg_plan_make(cx, g, device, runtime, NULL, &plan);
    if (err) fail_msg("%s", rg_ctx_error(cx));
    rg_family family = plan->rows[0].family;
    assert_true(family != RG_FAMILY_VIEW || plan->rows[0].work.out_byte == 0);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_graph_free(g);
    return family;
}

static void a_transpose_is_copied_where_it_must_be(void **state)
{
    static const char eager[] = "pytorch-eager";
    assert_int_equal(family_of(*state, eager, (const char *[]){"Add", NULL}), RG_FAMILY_VIEW);
    assert_int_equal(family_of(*state, eager, (const char *[]){"Relu", "Add", NULL}), RG_FAMILY_VIEW);
    assert_int_equal(family_of(*state, eager, (const char *[]){NULL}), RG_FAMILY_MOVE);
    assert_int_equal(family_of(*state, eager, (const char *[]){"Relu", NULL}), RG_FAMILY_MOVE);
    assert_int_equal(family_of(*state, eager, (const char *[]){"LayerNormalization", NULL}), RG_FAMILY_MOVE);
    assert_int_equal(family_of(*state, eager, (const char *[]){"Relu", "LayerNormalization", NULL}),
                     RG_FAMILY_MOVE);
    assert_int_equal(family_of(*state, eager, (const char *[]){"Reshape", "Relu", NULL}), RG_FAMILY_MOVE);
    assert_int_equal(family_of(*state, "onnxruntime-cuda", (const char *[]){"Relu", "Add", NULL}),
                     RG_FAMILY_MOVE);
}

/* Queries, keys and values are cut out of one product, and the heads join behind: nothing of it is copied. */
static void attention_reads_and_writes_strides(void **state)
{
    rg_load_opt load = {.size = sizeof load};
    const rg_graph *g = NULL;
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    rg_err err = rg_graph_load(*state, "zoo:vit_b_16", &load, &g);
    if (!err) err = rg_device_find(*state, "rtx-4090", &device);
    if (!err) err = rg_runtime_find(*state, "pytorch-eager", device, &runtime);
    if (!err) err = rg_plan_make(*state, g, device, runtime, NULL, &plan);
    if (err) fail_msg("%s", rg_ctx_error(*state));
    int attentions = 0;
    for (uint32_t i = 0; i < plan->row_count; i++) {
        const rg_row *row = &plan->rows[i];
        attentions += row->family == RG_FAMILY_ATTENTION;
        if (row->family == RG_FAMILY_MOVE && strcmp(row->kind, "Transpose") == 0)
            fail_msg("%s is copied", row->name);
    }
    assert_int_equal(attentions, 12);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_graph_free(g);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(types_are_those_of_pytorch),
        TEST(a_transpose_is_copied_where_it_must_be),
        TEST(attention_reads_and_writes_strides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
