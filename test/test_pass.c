/* test_pass.c - folding, canonical forms, common subexpressions, dead code; and what holds for all passes
 * over every model within reach: outputs keep their types, multiply-accumulates stay, graphs verify, a second
 * run changes nothing.
 */
#include "pass_graph.h"

#include "format/format.h"
#include "format/onnx.h"
#include "format/zoo.h"
#include "tar.h"

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif

/* ---- fold ---- */

static void shape_arithmetic_becomes_a_constant(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "const %zero = i64[1] {0}\nconst %minus = i64[1] {-1}\n"
        "graph (%x: f32[2,3,4]) {\n"
        "%s = Shape(%x)\n%n = Gather(%s, %zero) axis=0\n%t = Concat(%n, %minus) axis=0\n"
        "%r = Reshape(%x, %t)\n"
        "%y = Relu(%r)\nreturn %y\n}\n", "fold,dce");
    assert_int_equal(nodes_of(g, NULL), 2);
    const rg_value *t = the_value(g, "t");
    assert_int_equal(t->role, RG_ROLE_CONST);
    assert_int_equal(t->data->count, 2);
    assert_int_equal(rg_tensor_int(t->data, 0), 2);
    assert_int_equal(rg_tensor_int(t->data, 1), -1);
    rg_graph_free(g);
}

/* A weight of 103 million elements costs no memory: 25088 x 4096 is the first layer of VGG's classifier. */
static void filled_tensors_stay_splats(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "const %dims = i64[2] {4096, 25088}\n"
        "graph (%x: f32[1,25088]) {\n"
        "%w = ConstantOfShape(%dims) value=tensor f32[1] {0.02f}\n%t = Transpose(%w) perm=1,0\n"
        "%y = MatMul(%x, %t)\n"
        "return %y\n}\n", NULL);
    assert_int_equal(nodes_of(g, NULL), 1);
    const rg_tensor *t = the_value(g, "t")->data;
    assert_int_equal(t->encoding, RG_DATA_SPLAT);
    assert_int_equal(t->count, INT64_C(25088) * 4096);
    assert_int_equal(t->dim[0], 25088);
    assert_int_equal(t->size, sizeof(float));
    assert_float_equal(rg_tensor_real(t, 77), 0.02f, 0);
    assert_true(g->arena.used_byte < 100000);
    rg_graph_free(g);
}

/* 1 / sqrt(64), as torch computes the scale of attention from a size. */
static void single_numbers_are_computed(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "const %last = i64[] {-1}\nconst %one = f32[] {1}\n"
        "graph (%x: f32[2,64]) {\n"
        "%s = Shape(%x)\n%n = Gather(%s, %last) axis=0\n%f = Cast(%n) to=1\n%r = Sqrt(%f)\n"
        "%c = Div(%one, %r)\n"
        "%y = Mul(%x, %c)\nreturn %y\n}\n", NULL);
    assert_int_equal(nodes_of(g, NULL), 1);
    assert_float_equal(rg_tensor_real(the_value(g, "c")->data, 0), 0.125, 0);
    rg_graph_free(g);
}

static void casts_to_bool_ask_for_zero(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "const %half = f32[] {0.5}\n"
        "graph (%x: f32[2], %y: f32[2]) {\n%c = Cast(%half) to=9\n%z = Where(%c, %x, %y)\nreturn %z\n"
        "}\n", NULL);
    assert_int_equal(rg_tensor_int(the_value(g, "c")->data, 0), 1);
    rg_graph_free(g);
}

#define TWO_BRANCHES(then, other) "If(%c) then_branch=graph () {" then "} else_branch=graph () {" other "}\n"

/* The branch that will run takes the place of the If, also inside a branch, and results keep the names of
 * outputs. */
static void decided_branches_are_inlined(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "const %c = bool[] {1}\n"
        "graph (%x: f32[2]) {\n"
        "%y, %same = " TWO_BRANCHES(
            "%a = Relu(%x)\n%b = " TWO_BRANCHES("%d = Exp(%a)\nreturn %d", "return %a") "return %b, %x",
            "%e = Neg(%x)\nreturn %e, %e")
        "%z = Sin(%y)\nreturn %y, %z, %same\n}\n", NULL);
    assert_int_equal(nodes_of(g, "If"), 0);
    assert_int_equal(nodes_of(g, "Neg"), 0);
    assert_int_equal(nodes_of(g, NULL), 4); /* Relu, Exp, Sin; an Identity: an input under an output's name */
    const rg_region *r = &g->regions[RG_MAIN];
    assert_true(rg_str_is(g->values[r->outputs[0]].name, "y"));
    assert_true(rg_node_is(&g->nodes[g->values[r->outputs[0]].producer], "Exp"));
    assert_true(rg_node_is(&g->nodes[g->values[r->outputs[2]].producer], "Identity"));
    rg_graph_free(g);
}

/* What a body hands out from outside is a use that renaming does not reach. */
static void what_bodies_hand_out_stays_defined(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "const %c = bool[] {1}\n"
        "graph (%x: f32[2], %open: bool[]) {\n"
        "%a = " TWO_BRANCHES("%n = Neg(%x)\nreturn %n", "return %x")
        "%i = Identity(%a)\n%s = Sin(%x)\n%t = Sin(%x)\n"
        "%y = If(%open) then_branch=graph () { return %i } else_branch=graph () { return %t }\n"
        "%z = Add(%y, %s)\nreturn %z\n}\n", NULL);
    assert_int_equal(nodes_of(g, "If"), 1);
    assert_int_equal(nodes_of(g, "Neg"), 1);
    rg_graph_free(g);
}

/* ---- canonicalize ---- */

typedef struct idle_case { const char *nodes; int left; } idle_case;

static const idle_case idle_cases[] = {
    {"%a = Identity(%x)\n%y = Relu(%a)\nreturn %y\n", 1},
    {"%a = Relu(%x)\n%y = Identity(%a)\nreturn %y\n", 1}, /* the Relu makes %y */
    {"%a = Relu(%x)\n%y = Identity(%a)\nreturn %y, %a\n", 2}, /* both are names to keep */
    {"%y = Identity(%x)\nreturn %y\n", 1},
    {"%a = Add(%x, %zero)\n%b = Mul(%a, %one)\n%c = Div(%b, %one)\n%d = Pow(%c, %one)\n%y = Relu(%d)\n"
     "return %y\n", 1},
    /* learned scale and shift */
    {"%a = Mul(%x, %ones)\n%b = Add(%a, %zeros)\n%y = Relu(%b)\nreturn %y\n", 3},
    {"%a = Add(%x, %wide)\n%y = Relu(%a)\nreturn %y\n", 2}, /* adds nothing but a dimension */
    {"%a = Add(%x, %one)\n%y = Relu(%a)\nreturn %y\n", 2},
    {"%a = Cast(%x) to=1\n%y = Relu(%a)\nreturn %y\n", 1},
    {"%a = Cast(%x) to=10\n%y = Relu(%a)\nreturn %y\n", 2},
    {"%a = Reshape(%x, %same)\n%y = Relu(%a)\nreturn %y\n", 1},
    {"%a = Reshape(%x, %flat)\n%b = Reshape(%a, %other)\n%y = Relu(%b)\nreturn %y\n", 2},
    {"%a = Reshape(%x, %flat)\n%b = Reshape(%a, %copies)\n%y = Relu(%b)\nreturn %y\n", 3},
    {"%a = Transpose(%x) perm=2,0,1\n%b = Transpose(%a) perm=1,2,0\n%y = Relu(%b)\nreturn %y\n", 1},
    {"%a = Transpose(%x) perm=0,2,1\n%b = Transpose(%a) perm=1,2,0\n%y = Relu(%b)\nreturn %y\n", 2},
    {"%a = Transpose(%x)\n%y = Relu(%a)\nreturn %y\n", 2}, /* reversed */
    {"%a = Dropout(%x)\n%y = Relu(%a)\nreturn %y\n", 1},
    {"%a = Dropout(%x, %half, %false)\n%y = Relu(%a)\nreturn %y\n", 1},
    {"%a = Dropout(%x, %zero, %true)\n%y = Relu(%a)\nreturn %y\n", 1},
    {"%a = Dropout(%x, %half, %true)\n%y = Relu(%a)\nreturn %y\n", 2},
    {"%a, %m = Dropout(%x)\n%y = Relu(%a)\nreturn %y, %m\n", 2}, /* its mask is wanted */
    {"%a = Pad(%x, %pads)\n%y = Relu(%a)\nreturn %y\n", 1},
    {"%a = Concat(%x) axis=1\n%b = Sum(%a)\n%y = Relu(%b)\nreturn %y\n", 1},
    {"%a = Expand(%x, %same)\n%y = Relu(%a)\nreturn %y\n", 1},
};

static void nodes_that_change_nothing_go(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(idle_cases); i++) {
        const char *text = rg_arena_printf(&cx->arena, HEAD
            "const %%zero = f32[] {0}\nconst %%one = f32[1] {1}\nconst %%half = f32[] {0.5}\n"
            "const %%ones = f32[4] {1, 1, 1, 1}\nconst %%zeros = f32[4] splat 0\n"
            "const %%wide = f32[1,1,1,1] {0}\n"
            "const %%true = bool[] {1}\nconst %%false = bool[] {0}\nconst %%pads = i64[6] splat 0\n"
            "const %%same = i64[3] {2, 3, 4}\nconst %%flat = i64[1] {24}\nconst %%other = i64[2] {4, -1}\n"
            "const %%copies = i64[2] {0, 1}\ngraph (%%x: f32[2,3,4]) {\n%s}\n", idle_cases[i].nodes);
        rg_graph *g = passed_text(cx, text, "canonicalize,dce");
        if (nodes_of(g, NULL) != idle_cases[i].left) print_error("%s", idle_cases[i].nodes);
        assert_int_equal(nodes_of(g, NULL), idle_cases[i].left);
        rg_value_id y = g->regions[RG_MAIN].outputs[0];
        assert_true(rg_str_is(g->values[y].name, "y"));
        rg_graph_free(g);
    }
}

/* A branch that inference did not enter has no types, and equal ones prove nothing. */
static void unknown_types_are_not_the_same(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "const %c = bool[] {1}\nconst %s = i64[1] {-1}\n"
        "graph (%x: f32[2,2]) {\n"
        "%y = " TWO_BRANCHES("%a = Relu(%x)\nreturn %a",
                             "%b = Relu(%x)\n%d = Reshape(%b, %s)\n%e = Sin(%d)\nreturn %e")
        "return %y\n}\n", "canonicalize");
    assert_int_equal(nodes_of(g, "Reshape"), 1);
    rg_graph_free(g);
}

/* ---- cse, dce ---- */

typedef struct twin_case { const char *nodes; int left; } twin_case;

static const twin_case twin_cases[] = {
    {"%a = Sin(%x)\n%b = Sin(%x)\n%y = Add(%a, %b)\nreturn %y\n", 2},
    /* twins of twins */
    {"%a = Sin(%x)\n%b = Sin(%x)\n%c = Relu(%a)\n%d = Relu(%b)\n%y = Add(%c, %d)\nreturn %y\n", 3},
    {"%a = Sin(%x)\n%b = Sin(%x)\n%y = Add(%a, %b)\nreturn %a, %b, %y\n", 3}, /* names to keep */
    {"%a = Sin(%x)\n%b = Cos(%x)\n%y = Add(%a, %b)\nreturn %y\n", 3},
    {"%a = LeakyRelu(%x) alpha=0.1f\n%b = LeakyRelu(%x) alpha=0.2f\n%y = Add(%a, %b)\nreturn %y\n", 3},
    {"%a = LeakyRelu(%x) alpha=0.1f\n%b = LeakyRelu(%x) alpha=0.1f\n%y = Add(%a, %b)\nreturn %y\n", 2},
    {"%a = RandomNormalLike(%x)\n%b = RandomNormalLike(%x)\n%y = Add(%a, %b)\nreturn %y\n", 3},
    /* two constants, one content */
    {"%a = Reshape(%x, %s1)\n%b = Reshape(%x, %s2)\n%y = Add(%a, %b)\nreturn %y\n", 2},
    /* two weights that are equal */
    {"%a = Add(%x, %w1)\n%b = Add(%x, %w2)\n%y = Add(%a, %b)\nreturn %y\n", 3},
};

static void twins_are_computed_once(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(twin_cases); i++) {
        const char *text = rg_arena_printf(&cx->arena, HEAD
            "const %%s1 = i64[2] {-1, 2}\nconst %%s2 = i64[2] {-1, 2}\nconst %%w1 = f32[4] {0, 0, 0, 0}\n"
            "const %%w2 = f32[4] {0, 0, 0, 0}\ngraph (%%x: f32[3,4]) {\n%s}\n", twin_cases[i].nodes);
        rg_graph *g = passed_text(cx, text, "cse");
        if (nodes_of(g, NULL) != twin_cases[i].left) print_error("%s", twin_cases[i].nodes);
        assert_int_equal(nodes_of(g, NULL), twin_cases[i].left);
        rg_graph_free(g);
    }
}

static void dead_code_goes(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "const %w = f32[4] none\nconst %unused = f32[4] none\nconst %inner = f32[4] none\n"
        "graph (%x: f32[4], %c: bool[]) {\n"
        "%a = Add(%x, %unused)\n%b = Relu(%a)\n%k = Neg(%x)\n"
        "%y = " TWO_BRANCHES("%d = Mul(%k, %inner)\n%e = Sin(%d)\n%f = Exp(%d)\nreturn %f", "return %x")
        "%z = Add(%y, %w)\nreturn %z\n}\n", "dce");
    assert_int_equal(nodes_of(g, NULL), 5); /* Neg, If, Mul, Exp, Add */
    assert_int_equal(nodes_of(g, "Neg"), 1); /* the body reads it */
    int constants = 0;
    for (rg_value_id v = 1; v < g->value_count; v++) constants += g->values[v].role == RG_ROLE_CONST;
    assert_int_equal(constants, 2);
    rg_graph_free(g);
}

/* ---- the driver ---- */

static void unknown_passes_are_refused(void **state)
{
    rg_graph *in = graph_of(*state, HEAD "graph (%x: f32[4]) {\n%y = Relu(%x)\nreturn %y\n}\n"), *out = NULL;
    assert_int_equal(rg_passes_run(*state, in, "-fold,fuse", &out), RG_USAGE);
    assert_int_equal(rg_passes_run(*state, in, "fold,fuse", &out), RG_USAGE);
    assert_non_null(strstr(rg_ctx_error(*state), "'fuse'; there are: fold, canonicalize"));
    assert_null(out);
    rg_graph_free(in);
}

/* "-a": all but a. */
static void passes_can_be_left_out(void **state)
{
    const char *text = HEAD "graph (%x: f32[4]) {\n%k = Neg(%x)\n%y = Relu(%x)\nreturn %y\n}\n";
    rg_graph *without = passed_text(*state, text, "-dce"), *with = passed_text(*state, text, "-fold");
    assert_int_equal(nodes_of(without, "Neg"), 1);
    assert_int_equal(nodes_of(with, "Neg"), 0);
    rg_graph_free(without);
    rg_graph_free(with);
}

/* A thousand If nodes and a thousand idle ones: what is renamed is renamed at once. */
static void long_chains_are_linear(void **state)
{
    enum { LENGTH = 1000 };
    rg_ctx *cx = *state;
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_text_printf(&text, HEAD "const %%c = bool[] {1}\ngraph (%%v0: f32[4]) {\n");
    for (int i = 0; i < LENGTH; i++)
        rg_text_printf(&text, "%%i%d = Identity(%%v%d)\n"
                       "%%v%d = If(%%c) then_branch=graph () { %%t%d = Relu(%%i%d) return %%t%d }"
                       " else_branch=graph () { return %%i%d }\n", i, i, i + 1, i, i, i, i);
    rg_text_printf(&text, "return %%v%d\n}\n", LENGTH);
    rg_text_char(&text, 0);
    rg_graph *g = passed_text(cx, text.data, NULL);
    assert_int_equal(nodes_of(g, NULL), LENGTH);
    assert_int_equal(nodes_of(g, "Relu"), LENGTH);
    rg_graph_free(g);
}

/* ---- every model within reach ---- */

static void expect_same_outputs(const char *name, const rg_graph *a, const rg_graph *b)
{
    const rg_region *x = &a->regions[RG_MAIN], *y = &b->regions[RG_MAIN];
    assert_int_equal(x->output_count, y->output_count);
    for (uint32_t i = 0; i < x->output_count; i++) {
        const rg_value *v = &a->values[x->outputs[i]], *w = &b->values[y->outputs[i]];
        bool same = rg_str_eq(v->name, w->name) && v->type.dtype == w->type.dtype;
        same = same && v->type.rank == w->type.rank;
        for (int k = 0; same && k < v->type.rank; k++)
            same = rg_dim_value(&a->dims, v->type.dim[k]) == rg_dim_value(&b->dims, w->type.dim[k]);
        if (!same) fail_msg("%s: output '%.*s' has become another", name, RG_STR(v->name));
    }
}

/* Outputs, work and invariants stay; a second run finds nothing. */
static void check_model(const char *name, rg_ctx *cx, const rg_graph *file)
{
    rg_graph *bound = NULL, *once = NULL, *twice = NULL;
    rg_binding binding = {.value = NULL};
    rg_err err = rg_graph_bind(cx, file, &binding, &bound);
    if (err == RG_UNSUPPORTED) return; /* an operator that the table lacks: asked elsewhere */
    if (!err) err = rg_passes_run(cx, bound, NULL, &once);
    if (!err) err = rg_graph_verify(cx, once);
    if (!err) err = rg_passes_run(cx, once, NULL, &twice);
    if (err) fail_msg("%s: %s", name, rg_ctx_error(cx));
    expect_same_outputs(name, bound, once);
    double before = mac_of(cx, bound), after = mac_of(cx, once);
    if (before != after) fail_msg("%s: %.0f MACs before, %.0f after", name, before, after);
    if (!rg_graph_eq(once, twice)) fail_msg("%s: a second run still changes it", name);
    rg_graph_free(bound);
    rg_graph_free(once);
    rg_graph_free(twice);
}

/* Of neighbors that one function builds every eighth; test_zoo_loaded.c has others. */
static void zoo_keeps_its_figures(void **state)
{
    (void)state;
    for (int i = 0; i < rg_zoo_count; i++) {
        if (i && i % 8 && rg_zoo_table[i - 1]->build == rg_zoo_table[i]->build) continue;
        rg_ctx *cx = rg_ctx_new(NULL);
        rg_graph *file = NULL;
        expect_ok(cx, rg_zoo_build(cx, rg_zoo_table[i]->name, NULL, &file));
        expect_ok(cx, rg_graph_resolve(cx, file));
        check_model(rg_zoo_table[i]->name, cx, file);
        rg_graph_free(file);
        rg_ctx_free(cx);
    }
}

/* BERT-base has 12 layers, and all its attention is found. */
static void bert_is_recognized(void **state)
{
    const rg_graph *g = NULL;
    const rg_load_opt opt = {.size = sizeof opt, .shape = "seq=384"};
    expect_ok(*state, rg_graph_load(*state, "zoo:bert-base", &opt, &g));
    assert_int_equal(nodes_of(g, "Attention"), 12);
    assert_int_equal(nodes_of(g, "Softmax"), 0);
    assert_int_equal(nodes_of(g, "Transpose"), 0);
    rg_graph_free(g);
}

static bool open_shared(tar *t, const char *archive)
{
    char path[1024];
    const char *dir = getenv("RIDGE_SHARED");
    snprintf(path, sizeof path, "%s/%s", dir ? dir : RG_SOURCE_ROOT "/../shared", archive);
    return tar_open(t, path);
}

/* ONNX defines these operators by smaller ones, and its suite has each in both forms: what the passes make
 * of the pieces is what they are the pieces of. */
static const struct { const char *test, *type; } decomposed[] = {
    {"gelu_default_1", "Gelu"}, {"gelu_tanh_1", "Gelu"}, {"swish", "Swish"}, {"mish", "Mish"},
    {"rms_normalization_2d_axis1", "RMSNormalization"}, {"rms_normalization_4d_axis2", "RMSNormalization"},
    {"rms_normalization_3d_axis_negative_1_epsilon", "RMSNormalization"},
    {"attention_3d", "Attention"}, {"attention_3d_attn_mask", "Attention"}, {"attention_3d_gqa_scaled",
    "Attention"},
    {"attention_4d", "Attention"}, {"attention_4d_attn_mask_4d", "Attention"}, {"attention_4d_gqa",
    "Attention"},
    {"attention_4d_diff_heads_sizes_attn_mask", "Attention"}, {"attention_4d_fp16", "Attention"},
};

static void expect_recomposed(const char *name, rg_str bytes, const char *type)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_graph *file = NULL, *bound = NULL;
    rg_binding binding = {.value = NULL};
    expect_ok(cx, rg_onnx_parse(cx, bytes, NULL, &file));
    expect_ok(cx, rg_graph_bind(cx, file, &binding, &bound));
    rg_graph *g = passed(cx, bound, NULL);
    if (nodes_of(g, NULL) != 1) print_error("%s leaves %d nodes\n", name, nodes_of(g, NULL));
    assert_int_equal(nodes_of(g, NULL), 1);
    assert_int_equal(nodes_of(g, type), 1);
    rg_graph_free(file);
    rg_graph_free(bound);
    rg_graph_free(g);
    rg_ctx_free(cx);
}

static void decompositions_of_the_standard_are_recomposed(void **state)
{
    tar t;
    int found = 0;
    (void)state;
    if (!open_shared(&t, "onnx/onnx-backend-dev.tar.gz")) {
        print_message("onnx/onnx-backend-dev.tar.gz is not there\n");
        skip();
    }
    while (tar_next(&t)) {
        for (size_t i = 0; i < RG_COUNT(decomposed); i++) {
            char name[128];
            snprintf(name, sizeof name, "node/test_%s_expanded/model.onnx", decomposed[i].test);
            if (strcmp(t.name, name) != 0) continue;
            expect_recomposed(name, (rg_str){(const char *)t.data, t.size}, decomposed[i].type);
            found++;
        }
    }
    tar_close(&t);
    assert_true(found >= 10); /* the archive is a part of the suite */
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);
    return size >= tail && strcmp(text + size - tail, end) == 0;
}

/* All .onnx files of an archive; how many there were. */
static int check_archive(const char *archive)
{
    tar t;
    int count = 0;
    if (!open_shared(&t, archive)) {
        print_message("%s is not there\n", archive);
        skip();
    }
    while (tar_next(&t)) {
        if (!ends_with(t.name, ".onnx")) continue;
        rg_ctx *cx = rg_ctx_new(NULL);
        rg_graph *file = NULL;
        rg_str bytes = {(const char *)t.data, t.size};
        if (!rg_onnx_parse(cx, bytes, NULL, &file)) check_model(t.name, cx, file);
        rg_graph_free(file);
        rg_ctx_free(cx);
        count++;
    }
    tar_close(&t);
    return count;
}

static void real_models_keep_their_figures(void **state)
{
    (void)state;
    assert_true(check_archive("models/models-dev.tar.gz") > 10);
}

static void backend_suite_keeps_its_outputs(void **state)
{
    (void)state;
    assert_true(check_archive("onnx/onnx-backend-dev.tar.gz") > 100);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shape_arithmetic_becomes_a_constant),
        TEST(filled_tensors_stay_splats),
        TEST(single_numbers_are_computed),
        TEST(casts_to_bool_ask_for_zero),
        TEST(decided_branches_are_inlined),
        TEST(what_bodies_hand_out_stays_defined),
        TEST(nodes_that_change_nothing_go),
        TEST(unknown_types_are_not_the_same),
        TEST(twins_are_computed_once),
        TEST(dead_code_goes),
        TEST(unknown_passes_are_refused),
        TEST(passes_can_be_left_out),
        TEST(long_chains_are_linear),
        TEST(zoo_keeps_its_figures),
        TEST(bert_is_recognized),
        TEST(real_models_keep_their_figures),
        TEST(backend_suite_keeps_its_outputs),
        TEST(decompositions_of_the_standard_are_recomposed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
