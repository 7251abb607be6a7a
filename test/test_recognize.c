/* test_recognize.c - larger operators from their pieces: every spelling that exporters use is found, with the
 * right inputs and attributes, and what only looks like it is left alone.
 */
#include "pass_graph.h"

#include <math.h>

/* A body of nodes around `x`, as the rows of the tables write it. */
static const char *wrapped(rg_ctx *cx, const char *constants, const char *x, const char *nodes)
{
    const char *text = rg_arena_printf(&cx->arena, HEAD "%sgraph (%%x: %s) {\n%s}\n", constants, x, nodes);
    assert_non_null(text);
    return text;
}

static double real_of(const rg_node *n, const char *name)
{
    const rg_attr *a = rg_node_attr(n, name);
    assert_non_null(a);
    assert_int_equal(a->kind, RG_ATTR_FLOAT);
    return a->f;
}

static int64_t int_of(const rg_node *n, const char *name)
{
    const rg_attr *a = rg_node_attr(n, name);
    assert_non_null(a);
    assert_int_equal(a->kind, RG_ATTR_INT);
    return a->i;
}

/* ---- normalizations ---- */

static const char norm_constants[] =
    "const %last = i64[1] {-1}\n"
    "const %two_last = i64[2] {2, 1}\n"
    "const %middle = i64[1] {1}\n"
    "const %two = f32[] {2}\n"
    "const %one = f32[] {1}\n"
    "const %half = f32[] {0.5}\n"
    "const %minus_half = f32[] {-0.5}\n"
    "const %eps = f32[] {1e-5f}\n"
    "const %w = f32[64] none\n"
    "const %b = f32[64] none\n"
    "const %wide = f32[8,64] none\n"
    "const %shaped = f32[1,1,64] none\n"
    "const %per_row = f32[8,1] none\n"
    "const %eights = f32[8] none\n";

#define CENTER "%m = ReduceMean(%x, %last)\n%d = Sub(%x, %m)\n"
#define VARIANCE "%q = Pow(%d, %two)\n%v = ReduceMean(%q, %last)\n%e = Add(%v, %eps)\n"

typedef struct norm_case { const char *nodes; const char *type; int64_t axis; uint32_t in_count; } norm_case;

static const norm_case norm_cases[] = {
    {CENTER VARIANCE "%s = Sqrt(%e)\n%n = Div(%d, %s)\n%g = Mul(%n, %w)\n%y = Add(%g, %b)\nreturn %y\n",
     "LayerNormalization", -1, 3},
    {CENTER VARIANCE "%s = Sqrt(%e)\n%n = Div(%d, %s)\n%g = Mul(%w, %n)\n%y = Add(%b, %g)\nreturn %y\n",
     "LayerNormalization", -1, 3},
    {CENTER "%q = Mul(%d, %d)\n%v = ReduceMean(%q, %last)\n%e = Add(%eps, %v)\n%s = Sqrt(%e)\n"
     "%r = Reciprocal(%s)\n%n = Mul(%r, %d)\n%g = Mul(%n, %w)\n%y = Add(%g, %b)\nreturn %y\n",
     "LayerNormalization", -1, 3},
    {CENTER VARIANCE "%s = Sqrt(%e)\n%r = Div(%one, %s)\n%n = Mul(%d, %r)\n%y = Mul(%n, %w)\nreturn %y\n",
     "LayerNormalization", -1, 2},
    {CENTER VARIANCE "%r = Pow(%e, %minus_half)\n%n = Mul(%d, %r)\n%y = Mul(%n, %shaped)\nreturn %y\n",
     "LayerNormalization", -1, 2},
    {CENTER VARIANCE "%s = Pow(%e, %half)\n%n = Div(%d, %s)\n%y = Mul(%n, %w)\nreturn %y\n",
     "LayerNormalization", -1, 2},
    {"%m = ReduceMean(%x, %two_last)\n%d = Sub(%x, %m)\n%q = Mul(%d, %d)\n%v = ReduceMean(%q, %two_last)\n"
     "%e = Add(%v, %eps)\n%s = Sqrt(%e)\n%n = Div(%d, %s)\n%g = Mul(%n, %wide)\n%y = Add(%g, %wide)\n"
     "return %y\n",
     "LayerNormalization", -2, 3},
    /* computed twice, as old exporters do: made one first */
    {"%m = ReduceMean(%x, %last)\n%d = Sub(%x, %m)\n%d2 = Sub(%x, %m)\n%q = Pow(%d2, %two)\n"
     "%v = ReduceMean(%q, %last)\n%e = Add(%v, %eps)\n%s = Sqrt(%e)\n%n = Div(%d, %s)\n%g = Mul(%n, %w)\n"
     "%y = Add(%g, %b)\nreturn %y\n", "LayerNormalization", -1, 3},
    {"%q = Pow(%x, %two)\n%v = ReduceMean(%q, %last)\n%e = Add(%v, %eps)\n%s = Sqrt(%e)\n%n = Div(%x, %s)\n"
     "%y = Mul(%n, %w)\nreturn %y\n", "RMSNormalization", -1, 2},
    {"%q = Mul(%x, %x)\n%v = ReduceMean(%q, %last)\n%e = Add(%v, %eps)\n%s = Sqrt(%e)\n%r = Reciprocal(%s)\n"
     "%n = Mul(%x, %r)\n%y = Mul(%w, %n)\nreturn %y\n", "RMSNormalization", -1, 2},
};

static void norms_are_found(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(norm_cases); i++) {
        const norm_case *c = &norm_cases[i];
        rg_graph *g = passed_text(cx, wrapped(cx, norm_constants, "f32[2,8,64]", c->nodes), NULL);
        if (nodes_of(g, NULL) != 1) print_error("%s\n", c->nodes);
        assert_int_equal(nodes_of(g, NULL), 1);
        const rg_node *n = the_node(g, c->type);
        assert_int_equal(n->in_count, c->in_count);
        assert_int_equal(n->in[0], g->regions[RG_MAIN].inputs[0]);
        assert_int_equal(int_of(n, "axis"), c->axis);
        assert_float_equal(real_of(n, "epsilon"), 1e-5, 1e-9);
        assert_true(rg_str_is(g->values[n->out[0]].name, "y"));
        rg_graph_free(g);
    }
}

/* Between two Casts: the half precision form. */
static void half_norm_takes_its_casts(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "const %last = i64[1] {-1}\nconst %two = f32[] {2}\nconst %eps = f32[] {1e-6f}\n"
        "const %w = f16[64] none\n"
        "graph (%h: f16[2,8,64]) {\n"
        "%x = Cast(%h) to=1\n%q = Pow(%x, %two)\n%v = ReduceMean(%q, %last)\n%e = Add(%v, %eps)\n"
        "%s = Sqrt(%e)\n"
        "%r = Reciprocal(%s)\n%n = Mul(%x, %r)\n%c = Cast(%n) to=10\n%y = Mul(%w, %c)\nreturn %y\n}\n", NULL);
    assert_int_equal(nodes_of(g, NULL), 1);
    const rg_node *n = the_node(g, "RMSNormalization");
    assert_int_equal(n->in[0], g->regions[RG_MAIN].inputs[0]);
    assert_int_equal(the_value(g, "y")->type.dtype, RG_F16);
    rg_graph_free(g);
}

/* Each has all the pieces and one thing wrong. */
static const char *const no_norms[] = {
    /* the centered value is an output, the variance is, the mean is read elsewhere */
    CENTER VARIANCE "%s = Sqrt(%e)\n%n = Div(%d, %s)\n%g = Mul(%n, %w)\nreturn %g, %v\n",
    CENTER VARIANCE "%s = Sqrt(%e)\n%n = Div(%d, %s)\n%g = Mul(%n, %w)\n%z = Relu(%s)\nreturn %g, %z\n",
    /* no scale; a scale of one row each; a scale of too few axes */
    CENTER VARIANCE "%s = Sqrt(%e)\n%n = Div(%d, %s)\nreturn %n\n",
    CENTER VARIANCE "%s = Sqrt(%e)\n%n = Div(%d, %s)\n%g = Mul(%n, %per_row)\nreturn %g\n",
    CENTER VARIANCE "%s = Sqrt(%e)\n%n = Div(%d, %s)\n%g = Mul(%n, %two)\nreturn %g\n",
    /* an inner axis */
    "%m = ReduceMean(%x, %middle)\n%d = Sub(%x, %m)\n%q = Mul(%d, %d)\n%v = ReduceMean(%q, %middle)\n"
    "%e = Add(%v, %eps)\n%s = Sqrt(%e)\n%n = Div(%d, %s)\n%g = Mul(%n, %w)\nreturn %g\n",
    /* the third power; the deviation divided by the value; no epsilon but a vector */
    CENTER "%q = Mul(%d, %m)\n%v = ReduceMean(%q, %last)\n%e = Add(%v, %eps)\n%s = Sqrt(%e)\n"
    "%n = Div(%d, %s)\n"
    "%g = Mul(%n, %w)\nreturn %g\n",
    CENTER VARIANCE "%s = Sqrt(%e)\n%n = Div(%s, %d)\n%g = Mul(%n, %w)\nreturn %g\n",
    CENTER "%q = Mul(%d, %d)\n%v = ReduceMean(%q, %last)\n%e = Add(%v, %w)\n%s = Sqrt(%e)\n%n = Div(%d, %s)\n"
    "%g = Mul(%n, %w)\nreturn %g\n",
};

static void what_is_no_norm_stays(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(no_norms); i++) {
        rg_graph *g = passed_text(cx, wrapped(cx, norm_constants, "f32[2,8,64]", no_norms[i]), NULL);
        if (nodes_of(g, "LayerNormalization")) print_error("%s\n", no_norms[i]);
        assert_int_equal(nodes_of(g, "LayerNormalization"), 0);
        rg_graph_free(g);
    }
}

/* ---- activations ---- */

static const char activation_constants[] =
    "const %half = f32[] {0.5}\nconst %one = f32[] {1}\nconst %two = f32[] {2}\nconst %three = f32[] {3}\n"
    "const %six = f32[] {6}\nconst %zero = f32[] {0}\nconst %sixth = f32[] {0.16666667f}\n"
    "const %sqrt2 = f32[] {1.41421356f}\nconst %sqrt_half = f32[1] {0.70710677f}\n"
    "const %sqrt_2_pi = f32[] {0.7978845608f}\nconst %cubic = f32[] {0.044715f}\n"
    "const %quick = f32[] {1.702f}\n";

#define ERF "%u = Div(%x, %sqrt2)\n%f = Erf(%u)\n%g = Add(%f, %one)\n"
#define CUBE "%p = Pow(%x, %three)\n%c = Mul(%p, %cubic)\n%s = Add(%x, %c)\n%u = Mul(%s, %sqrt_2_pi)\n"
#define GATED "%t = Tanh(%u)\n%g = Add(%t, %one)\n"

typedef struct activation_case { const char *nodes, *type; } activation_case;

static const activation_case activation_cases[] = {
    {ERF "%a = Mul(%x, %g)\n%y = Mul(%a, %half)\nreturn %y\n", "Gelu"},
    {ERF "%a = Mul(%x, %half)\n%y = Mul(%a, %g)\nreturn %y\n", "Gelu"},
    {ERF "%a = Mul(%g, %half)\n%y = Mul(%x, %a)\nreturn %y\n", "Gelu"},
    {ERF "%a = Mul(%g, %x)\n%y = Div(%a, %two)\nreturn %y\n", "Gelu"},
    {"%u = Mul(%x, %sqrt_half)\n%f = Erf(%u)\n%g = Sum(%one, %f)\n%a = Mul(%half, %g)\n%y = Mul(%a, %x)\n"
     "return %y\n", "Gelu"},
    {CUBE GATED "%a = Mul(%x, %half)\n%y = Mul(%a, %g)\nreturn %y\n", "Gelu"},
    {CUBE GATED "%a = Mul(%half, %g)\n%y = Mul(%x, %a)\nreturn %y\n", "Gelu"},
    {"%p = Mul(%x, %x)\n%p3 = Mul(%p, %x)\n%c = Mul(%cubic, %p3)\n%s = Add(%c, %x)\n"
     "%u = Mul(%sqrt_2_pi, %s)\n" GATED
     "%a = Mul(%x, %g)\n%y = Mul(%a, %half)\nreturn %y\n", "Gelu"},
    {"%p = Mul(%x, %x)\n%c = Mul(%p, %cubic)\n%s = Add(%c, %one)\n%k = Mul(%x, %sqrt_2_pi)\n"
     "%u = Mul(%k, %s)\n" GATED
     "%a = Mul(%x, %half)\n%y = Mul(%a, %g)\nreturn %y\n", "Gelu"},
    {"%g = Sigmoid(%x)\n%y = Mul(%x, %g)\nreturn %y\n", "Swish"},
    {"%g = Sigmoid(%x)\n%y = Mul(%g, %x)\nreturn %y\n", "Swish"},
    {"%u = Mul(%quick, %x)\n%g = Sigmoid(%u)\n%y = Mul(%x, %g)\nreturn %y\n", "Swish"},
    {"%g = HardSigmoid(%x) alpha=0.16666667f beta=0.5f\n%y = Mul(%x, %g)\nreturn %y\n", "HardSwish"},
    {"%u = Add(%x, %three)\n%g = Clip(%u, %zero, %six)\n%a = Mul(%x, %g)\n%y = Div(%a, %six)\n"
     "return %y\n", "HardSwish"},
    {"%u = Add(%three, %x)\n%g = Clip(%u, %zero, %six)\n%a = Div(%g, %six)\n%y = Mul(%a, %x)\n"
     "return %y\n", "HardSwish"},
    {"%u = Add(%x, %three)\n%g = Clip(%u, %zero, %six)\n%a = Mul(%g, %sixth)\n%y = Mul(%x, %a)\n"
     "return %y\n", "HardSwish"},
    {"%s = Softplus(%x)\n%g = Tanh(%s)\n%y = Mul(%x, %g)\nreturn %y\n", "Mish"},
};

static void activations_are_found(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(activation_cases); i++) {
        const activation_case *c = &activation_cases[i];
        rg_graph *g = passed_text(cx, wrapped(cx, activation_constants, "f32[batch,16]", c->nodes), NULL);
        if (nodes_of(g, NULL) != 1) print_error("%s\n", c->nodes);
        assert_int_equal(nodes_of(g, NULL), 1);
        const rg_node *n = the_node(g, c->type);
        assert_int_equal(n->in_count, 1);
        assert_int_equal(n->in[0], g->regions[RG_MAIN].inputs[0]);
        const rg_attr *approximate = rg_node_attr(n, "approximate"), *alpha = rg_node_attr(n, "alpha");
        assert_int_equal(approximate != NULL, strstr(c->nodes, "Tanh") && strcmp(c->type, "Gelu") == 0);
        if (approximate) assert_true(rg_str_is(approximate->s, "tanh"));
        assert_int_equal(alpha != NULL, strstr(c->nodes, "%quick") != NULL);
        if (alpha) assert_float_equal(alpha->f, 1.702, 1e-6);
        rg_graph_free(g);
    }
}

static const char *const no_activations[] = {
    /* not halved; erf is wanted too; of x, not of x / sqrt 2; another factor; no 1 + */
    ERF "%y = Mul(%x, %g)\nreturn %y\n",
    ERF "%a = Mul(%x, %g)\n%y = Mul(%a, %half)\nreturn %y, %f\n",
    "%f = Erf(%x)\n%g = Add(%f, %one)\n%a = Mul(%x, %g)\n%y = Mul(%a, %half)\nreturn %y\n",
    ERF "%r = Relu(%x)\n%a = Mul(%r, %g)\n%y = Mul(%a, %half)\nreturn %y\n",
    CUBE "%g = Tanh(%u)\n%a = Mul(%x, %half)\n%y = Mul(%a, %g)\nreturn %y\n",
    /* a gated unit; its gate is wanted too; a slope of 0.2 */
    "%r = Relu(%x)\n%g = Sigmoid(%x)\n%y = Mul(%r, %g)\nreturn %y\n",
    "%g = Sigmoid(%x)\n%y = Mul(%x, %g)\nreturn %y, %g\n",
    "%g = HardSigmoid(%x)\n%y = Mul(%x, %g)\nreturn %y\n",
    /* not divided; a hard sigmoid; Relu6 is a Clip */
    "%u = Add(%x, %three)\n%g = Clip(%u, %zero, %six)\n%y = Mul(%x, %g)\nreturn %y\n",
    "%u = Add(%x, %three)\n%g = Clip(%u, %zero, %six)\n%y = Div(%g, %six)\nreturn %y\n",
    "%y = Clip(%x, %zero, %six)\nreturn %y\n",
};

static void what_is_no_activation_stays(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(no_activations); i++) {
        const char *text = wrapped(cx, activation_constants, "f32[batch,16]", no_activations[i]);
        rg_graph *before = graph_of(cx, text);
        expect_ok(cx, rg_graph_infer(cx, before));
        rg_graph *after = passed(cx, before, NULL);
        if (nodes_of(after, NULL) != nodes_of(before, NULL)) print_error("%s\n", no_activations[i]);
        assert_int_equal(nodes_of(after, NULL), nodes_of(before, NULL));
        rg_graph_free(after);
        rg_graph_free(before);
    }
}

/* ---- attention ---- */

static const char attention_constants[] =
    "const %eight = f32[] {8}\nconst %eighth = f32[] {0.125}\nconst %root = f32[] {0.35355339f}\n"
    "const %low = f32[12,128,128] none\nconst %last_one = f32[128,1] none\n"
    "const %last = i64[1] {-1}\nconst %inf = f32[] {-inf}\nconst %zero = f32[] {0}\n"
    "const %cap = f32[] {50}\nconst %uncap = f32[] {0.02}\nconst %few = f32[] {30}\n"
    "const %seen = bool[128,128] none\nconst %deep = bool[1,2,12,128,128] none\n"
    "const %finite = f32[] {-1e4f}\n";

#define TURN "%kt = Transpose(%k) perm=0,1,3,2\n"

static const char *attention_text(rg_ctx *cx, const char *nodes)
{
    const char *text = rg_arena_printf(
        &cx->arena, HEAD "%sgraph (%%q: %s, %%k: %s, %%v: %s, %%mask: f32[2,1,1,128]) {\n%s}\n",
        attention_constants, "f32[2,12,128,64]", "f32[2,12,128,64]", "f32[2,12,128,64]", nodes);
    assert_non_null(text);
    return text;
}

#define SCALED TURN "%s = MatMul(%q, %kt)\n%d = Div(%s, %eight)\n"

typedef struct attention_case { const char *nodes; double scale; uint32_t in_count; } attention_case;

static const attention_case attention_cases[] = {
    {TURN "%s = MatMul(%q, %kt)\n%p = Softmax(%s) axis=-1\n%y = MatMul(%p, %v)\nreturn %y\n", 1, 3},
    {TURN "%s = MatMul(%q, %kt)\n%d = Div(%s, %eight)\n%p = Softmax(%d) axis=3\n%y = MatMul(%p, %v)\n"
     "return %y\n", 0.125, 3},
    {TURN "%s = MatMul(%q, %kt)\n%d = Mul(%eighth, %s)\n%m = Add(%d, %mask)\n%p = Softmax(%m)\n"
     "%y = MatMul(%p, %v)\n"
     "return %y\n", 0.125, 4},
    {TURN "%s = MatMul(%q, %kt)\n%d = Div(%s, %eight)\n%m = Add(%low, %d)\n%p = Softmax(%m)\n"
     "%y = MatMul(%p, %v)\n"
     "return %y\n", 0.125, 4},
    {TURN "%s = MatMul(%q, %kt)\n%m = Add(%s, %low)\n%z = Softmax(%m)\n%t = ReduceMax(%low, %last)\n"
     "%all = Equal(%t, %inf)\n%p = Where(%all, %zero, %z)\n%y = MatMul(%p, %v)\nreturn %y\n", 1, 4},
    {TURN "%qs = Mul(%q, %eighth)\n%s = MatMul(%qs, %kt)\n%p = Softmax(%s)\n%y = MatMul(%p, %v)\n"
     "return %y\n", 0.125, 3},
    {"%qs = Mul(%q, %root)\n" TURN "%ks = Mul(%kt, %root)\n%s = MatMul(%qs, %ks)\n%p = Softmax(%s)\n"
     "%y = MatMul(%p, %v)\n"
     "return %y\n", 0.125, 3},
    {"%ks = Div(%k, %eight)\n%kt = Transpose(%ks) perm=0,1,3,2\n%s = MatMul(%q, %kt)\n%p = Softmax(%s)\n"
     "%y = MatMul(%p, %v)\nreturn %y\n", 0.125, 3},
    /* capped, with and without a mask */
    {SCALED "%c = Div(%d, %cap)\n%t = Tanh(%c)\n%h = Mul(%t, %cap)\n%p = Softmax(%h)\n%y = MatMul(%p, %v)\n"
     "return %y\n", 0.125, 3},
    {SCALED "%c = Mul(%uncap, %d)\n%t = Tanh(%c)\n%h = Mul(%cap, %t)\n%m = Add(%h, %mask)\n%p = Softmax(%m)\n"
     "%y = MatMul(%p, %v)\nreturn %y\n", 0.125, 4},
    /* a Where for a mask */
    {SCALED "%m = Where(%seen, %d, %inf)\n%p = Softmax(%m)\n%y = MatMul(%p, %v)\nreturn %y\n", 0.125, 4},
};

static void attention_is_found(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(attention_cases); i++) {
        const attention_case *c = &attention_cases[i];
        const char *text = attention_text(cx, c->nodes);
        rg_graph *before = graph_of(cx, text);
        expect_ok(cx, rg_graph_infer(cx, before));
        rg_graph *after = passed(cx, before, NULL);
        if (nodes_of(after, NULL) != 1) print_error("%s\n", c->nodes);
        const rg_node *n = the_node(after, "Attention");
        assert_int_equal(nodes_of(after, NULL), 1);
        assert_int_equal(n->in_count, c->in_count);
        for (uint32_t k = 0; k < 3; k++) assert_int_equal(n->in[k], after->regions[RG_MAIN].inputs[k]);
        assert_float_equal(real_of(n, "scale"), c->scale, 1e-6);
        bool capped = strstr(c->nodes, "Tanh") != NULL;
        assert_int_equal(rg_node_attr(n, "softcap") != NULL, capped);
        if (capped) assert_float_equal(real_of(n, "softcap"), 50, 0);
        assert_true(rg_type_eq(&the_value(after, "y")->type, &the_value(before, "y")->type));
        /* 2 batches, 12 heads, 128 x 128 scores of 64 products, and as many for the values */
        assert_true(mac_of(cx, before) == 2.0 * 12 * 128 * 128 * (64 + 64));
        assert_true(mac_of(cx, after) == mac_of(cx, before));
        rg_graph_free(after);
        rg_graph_free(before);
    }
}

/* From and to [batch, length, heads * size]: no Reshape and no Transpose is left. */
static void heads_are_part_of_attention(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *before = graph_of(cx, HEAD
        "const %split = i64[4] {0, 0, 12, 64}\nconst %join = i64[3] {0, 0, 768}\nconst %eight = f32[] {8}\n"
        "graph (%q: f32[batch,seq,768], %k: f32[batch,seq,768], %v: f32[batch,seq,768],"
        " %mask: f32[batch,1,1,seq]) {\n"
        "%q4 = Reshape(%q, %split)\n%qt = Transpose(%q4) perm=0,2,1,3\n"
        "%k4 = Reshape(%k, %split)\n%kt = Transpose(%k4) perm=0,2,3,1\n"
        "%v4 = Reshape(%v, %split)\n%vt = Transpose(%v4) perm=0,2,1,3\n"
        "%s = MatMul(%qt, %kt)\n%d = Div(%s, %eight)\n%m = Add(%d, %mask)\n%p = Softmax(%m)\n"
        "%a = MatMul(%p, %vt)\n"
        "%at = Transpose(%a) perm=0,2,1,3\n%y = Reshape(%at, %join)\nreturn %y\n}\n");
    expect_ok(cx, rg_graph_infer(cx, before));
    rg_graph *after = passed(cx, before, NULL);
    const rg_node *n = the_node(after, "Attention");
    assert_int_equal(nodes_of(after, NULL), 1);
    for (uint32_t k = 0; k < 4; k++) assert_int_equal(n->in[k], after->regions[RG_MAIN].inputs[k]);
    assert_int_equal(int_of(n, "q_num_heads"), 12);
    assert_int_equal(int_of(n, "kv_num_heads"), 12);
    assert_float_equal(real_of(n, "scale"), 0.125, 0);
    assert_true(rg_type_eq(&the_value(after, "y")->type, &the_value(before, "y")->type));
    assert_true(mac_of(cx, after) == mac_of(cx, before));
    rg_graph_free(after);
    rg_graph_free(before);
}

/* Eight query heads share two of K and V, which are repeated for the products; past keys and values stand
 * before. */
static void shared_heads_are_not_repeated(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *before = graph_of(cx, HEAD
        "const %two = i64[1] {2}\nconst %wide = i64[5] {1, 2, 4, 96, 64}\n"
        "const %all = i64[4] {1, 8, 96, 64}\n"
        "const %eighth = f32[] {0.125}\n"
        "graph (%q: f32[1,8,1,64], %k: f32[1,2,1,64], %v: f32[1,2,1,64],"
        " %pk: f32[1,2,95,64], %pv: f32[1,2,95,64]) {\n"
        "%kc = Concat(%pk, %k) axis=2\n%vc = Concat(%pv, %v) axis=2\n"
        "%k1 = Unsqueeze(%kc, %two)\n%k2 = Expand(%k1, %wide)\n%k3 = Reshape(%k2, %all)\n"
        "%v1 = Unsqueeze(%vc, %two)\n%v2 = Expand(%v1, %wide)\n%v3 = Reshape(%v2, %all)\n"
        "%kt = Transpose(%k3) perm=0,1,3,2\n%s = MatMul(%q, %kt)\n%d = Mul(%s, %eighth)\n%p = Softmax(%d)\n"
        "%y = MatMul(%p, %v3)\nreturn %y, %kc, %vc\n}\n");
    expect_ok(cx, rg_graph_infer(cx, before));
    rg_graph *after = passed(cx, before, NULL);
    const rg_node *n = the_node(after, "Attention");
    assert_int_equal(nodes_of(after, NULL), 3);
    assert_true(rg_str_is(after->values[n->in[1]].name, "kc"));
    assert_true(rg_str_is(after->values[n->in[2]].name, "vc"));
    assert_true(mac_of(cx, after) == 8.0 * 96 * (64 + 64));
    assert_true(mac_of(cx, after) == mac_of(cx, before));
    rg_graph_free(after);
    rg_graph_free(before);
}

/* torch's older MultiheadAttention: batch and heads in one axis, K turned by a Transpose that does more. */
static void attention_of_rank_3(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *before = graph_of(cx, HEAD
        "const %c = f32[] {4.8989795f}\ngraph (%q: f32[4,65,24], %k: f32[65,4,24], %v: f32[4,65,24]) {\n"
        "%qs = Div(%q, %c)\n%kt = Transpose(%k) perm=1,2,0\n%s = MatMul(%qs, %kt)\n%p = Softmax(%s)\n"
        "%y = MatMul(%p, %v)\nreturn %y\n}\n");
    expect_ok(cx, rg_graph_infer(cx, before));
    rg_graph *after = passed(cx, before, NULL);
    const rg_node *n = the_node(after, "Attention"), *turn = the_node(after, "Transpose");
    assert_int_equal(int_of(n, "q_num_heads"), 1);
    assert_float_equal(real_of(n, "scale"), 1 / sqrt(24), 1e-6);
    const rg_attr *perm = rg_node_attr(turn, "perm");
    static const int64_t turned[] = {1, 0, 2};
    assert_memory_equal(perm->ints, turned, sizeof turned);
    assert_int_equal(n->in[1], turn->out[0]);
    assert_true(mac_of(cx, after) == mac_of(cx, before));
    rg_graph_free(after);
    rg_graph_free(before);
}

/* What is forbidden is the other way round: Attention's mask says what is allowed. */
static void forbidden_is_not_allowed(void **state)
{
    rg_graph *g = passed_text(*state, attention_text(*state, SCALED
        "%m = Where(%seen, %inf, %d)\n%p = Softmax(%m)\n%y = MatMul(%p, %v)\nreturn %y\n"), NULL);
    const rg_node *n = the_node(g, "Attention"), *other = the_node(g, "Not");
    assert_int_equal(nodes_of(g, NULL), 2);
    assert_int_equal(n->in[3], other->out[0]);
    assert_int_equal(other->in_count, 1);
    assert_true(rg_str_is(g->values[other->in[0]].name, "seen"));
    assert_true(rg_type_eq(&g->values[n->in[3]].type, &the_value(g, "seen")->type));
    rg_graph_free(g);
}

/* Windows of a shifted image: 2 images of 4 windows, 3 heads, 49 places of 32 numbers. */
#define WINDOWED(bias, shape, mask, sum)                                                                  \
    "const %eighth = f32[] {0.125}\nconst %open = i64[5] {" shape "}\n"                                  \
    "const %close = i64[4] {-1, 3, 49, 49}\n"                                                            \
    "const %bias = " bias " none\nconst %mask = " mask " none\n"                                        \
    "graph (%q: f32[8,3,49,32], %k: f32[8,3,49,32], %v: f32[8,3,49,32]) {\n" TURN                        \
    "%s = MatMul(%q, %kt)\n%d = Mul(%s, %eighth)\n" sum                                                  \
    "%p = Softmax(%c)\n%y = MatMul(%p, %v)\nreturn %y\n}\n"
#define BIASED "%b = Add(%d, %bias)\n%o = Reshape(%b, %open)\n%m = Add(%o, %mask)\n%c = Reshape(%m, %close)\n"
#define SHIFTS "f32[1,4,1,49,49]"

static const struct { const char *text; int add, expand; } windows[] = {
    /* the mask on either side; without a bias; a mask of all windows; one image, nothing to repeat */
    {WINDOWED("f32[1,3,49,49]", "-1, 4, 3, 49, 49", SHIFTS, BIASED), 1, 1},
    {WINDOWED("f32[3,49,49]", "2, 4, 3, 49, 49", SHIFTS,
              "%b = Add(%bias, %d)\n%o = Reshape(%b, %open)\n%m = Add(%mask, %o)\n"
              "%c = Reshape(%m, %close)\n"), 1, 1},
    {WINDOWED("f32[1]", "-1, 4, 3, 49, 49", SHIFTS,
              "%o = Reshape(%d, %open)\n%m = Add(%o, %mask)\n%c = Reshape(%m, %close)\n"), 0, 1},
    {WINDOWED("f32[1,3,49,49]", "1, 8, 3, 49, 49", "f32[1,8,1,49,49]", BIASED), 1, 0},
};

static void windows_keep_their_masks(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(windows); i++) {
        rg_graph *before = graph_of(cx, rg_arena_printf(&cx->arena, HEAD "%s", windows[i].text));
        expect_ok(cx, rg_graph_infer(cx, before));
        rg_graph *after = passed(cx, before, NULL);
        const rg_node *n = the_node(after, "Attention");
        for (uint32_t k = 0; k < 3; k++) assert_int_equal(n->in[k], after->regions[RG_MAIN].inputs[k]);
        assert_true(rg_type_eq(&after->values[n->in[3]].type, &the_value(before, "c")->type));
        assert_int_equal(nodes_of(after, "Add"), windows[i].add);
        assert_int_equal(nodes_of(after, "Expand"), windows[i].expand);
        assert_int_equal(nodes_of(after, "Reshape"), 1);
        assert_int_equal(nodes_of(after, NULL), 2 + windows[i].add + windows[i].expand);
        assert_true(mac_of(cx, after) == mac_of(cx, before));
        rg_graph_free(after);
        rg_graph_free(before);
    }
}

static const char *const no_windows[] = {
    /* a bias of each window; heads and windows in other places; the sum is read elsewhere, and so are the
     * scores */
    WINDOWED("f32[8,3,49,49]", "-1, 4, 3, 49, 49", SHIFTS, BIASED),
    WINDOWED("f32[1,3,49,49]", "-1, 3, 4, 49, 49", "f32[1,1,4,49,49]", BIASED),
    WINDOWED("f32[1,3,49,49]", "-1, 4, 3, 49, 49", SHIFTS,
             "%b = Add(%d, %bias)\n%o = Reshape(%b, %open)\n%m = Add(%o, %mask)\n%r = Reshape(%m, %close)\n"
             "%l = ReduceMax(%m)\n%c = Sub(%r, %l)\n"),
    WINDOWED("f32[1,3,49,49]", "-1, 4, 3, 49, 49", SHIFTS,
             "%b = Add(%d, %bias)\n%o = Reshape(%b, %open)\n%r = Relu(%o)\n%m = Add(%o, %r)\n"
             "%c = Reshape(%m, %close)\n"),
};

static void what_are_no_windows_stay(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(no_windows); i++) {
        rg_graph *g = passed_text(cx, rg_arena_printf(&cx->arena, HEAD "%s", no_windows[i]), NULL);
        if (nodes_of(g, "Attention")) print_error("%s\n", no_windows[i]);
        assert_int_equal(nodes_of(g, "Attention"), 0);
        assert_int_equal(nodes_of(g, "Expand"), 0);
        rg_graph_free(g);
    }
}

static const char *const no_attentions[] = {
    /* the probabilities are an output; a softmax over the queries; K is not turned; the sum is scaled */
    TURN "%s = MatMul(%q, %kt)\n%p = Softmax(%s)\n%y = MatMul(%p, %v)\nreturn %y, %p\n",
    TURN "%s = MatMul(%q, %kt)\n%p = Softmax(%s) axis=2\n%y = MatMul(%p, %v)\nreturn %y\n",
    TURN "%ktt = Relu(%kt)\n%s = MatMul(%q, %ktt)\n%p = Softmax(%s)\n%y = MatMul(%p, %v)\nreturn %y\n",
    TURN "%s = MatMul(%q, %kt)\n%m = Add(%s, %mask)\n%d = Div(%m, %eight)\n%p = Softmax(%d)\n"
    "%y = MatMul(%p, %v)\nreturn %y\n",
    /* zeros where another mask forbids all */
    TURN "%s = MatMul(%q, %kt)\n%m = Add(%s, %mask)\n%z = Softmax(%m)\n%t = ReduceMax(%low, %last)\n"
    "%all = Equal(%t, %inf)\n%p = Where(%all, %zero, %z)\n%y = MatMul(%p, %v)\nreturn %y\n",
    /* K^T is read elsewhere; a mask whose keys are one; values on the left */
    TURN "%s = MatMul(%q, %kt)\n%p = Softmax(%s)\n%y = MatMul(%p, %v)\n%z = Relu(%kt)\nreturn %y, %z\n",
    TURN "%s = MatMul(%q, %kt)\n%m = Add(%s, %last_one)\n%p = Softmax(%m)\n%y = MatMul(%p, %v)\nreturn %y\n",
    TURN "%s = MatMul(%q, %kt)\n%p = Softmax(%s)\n%vt = Transpose(%v) perm=0,1,3,2\n%y = MatMul(%vt, %p)\n"
    "return %y\n",
    /* capped at 50 what was divided by 30; capped behind the mask, which it would lift; a finite number in
     * the Where, which leaves rows that are all forbidden a mean; a condition that enlarges the scores */
    SCALED "%c = Div(%d, %few)\n%t = Tanh(%c)\n%h = Mul(%t, %cap)\n%p = Softmax(%h)\n%y = MatMul(%p, %v)\n"
    "return %y\n",
    SCALED "%m = Add(%d, %mask)\n%c = Div(%m, %cap)\n%t = Tanh(%c)\n%h = Mul(%t, %cap)\n%p = Softmax(%h)\n"
    "%y = MatMul(%p, %v)\nreturn %y\n",
    SCALED "%m = Where(%seen, %d, %finite)\n%p = Softmax(%m)\n%y = MatMul(%p, %v)\nreturn %y\n",
    SCALED "%m = Where(%deep, %d, %inf)\n%p = Softmax(%m)\n%y = MatMul(%p, %v)\nreturn %y\n",
    SCALED "%m = Where(%seen, %inf, %inf)\n%w = Add(%m, %d)\n%p = Softmax(%w)\n%n = Mul(%p, %m)\n"
    "%y = MatMul(%n, %v)\nreturn %y\n",
};

static void what_is_no_attention_stays(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(no_attentions); i++) {
        const char *text = attention_text(cx, no_attentions[i]);
        rg_graph *g = passed_text(cx, text, NULL);
        if (nodes_of(g, "Attention")) print_error("%s\n", no_attentions[i]);
        assert_int_equal(nodes_of(g, "Attention"), 0);
        assert_int_equal(nodes_of(g, "MatMul"), 2);
        rg_graph_free(g);
    }
}

/* One head of V for all of Q is a broadcast, which Attention does not mean by these shapes. */
static void broadcast_heads_are_no_attention(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "graph (%q: f32[2,12,128,64], %k: f32[2,12,128,64], %v: f32[128,64]) {\n" TURN
        "%s = MatMul(%q, %kt)\n%p = Softmax(%s)\n%y = MatMul(%p, %v)\nreturn %y\n}\n", NULL);
    assert_int_equal(nodes_of(g, "Attention"), 0);
    rg_graph_free(g);
}

/* ---- blocks ---- */

static const char excite[] =
    "const %w1 = f32[8,32,1,1] none\nconst %w2 = f32[32,8,1,1] none\nconst %w3 = f32[32,32,3,3] none\n"
    "const %hw = i64[2] {2, 3}\n"
    "graph (%x: f32[1,32,14,14]) {\n"
    "%c = Conv(%x, %w3) pads=1,1,1,1\n"
    "%p = GlobalAveragePool(%c)\n%a = Conv(%p, %w1)\n%r = Relu(%a)\n%b = Conv(%r, %w2)\n"
    "%s = HardSigmoid(%b)\n%m = Mul(%s, %c)\n"
    "%p2 = ReduceMean(%m, %hw)\n%a2 = Conv(%p2, %w1)\n%g2 = Sigmoid(%a2)\n%r2 = Mul(%a2, %g2)\n"
    "%b2 = Conv(%r2, %w2)\n"
    "%s2 = Sigmoid(%b2)\n%m2 = Mul(%m, %s2)\n"
    "%p3 = GlobalAveragePool(%m2)\n%a3 = Conv(%p3, %w1)\n%r3 = Relu(%a3)\n%b3 = Conv(%r3, %w2)\n"
    "%s3 = Sigmoid(%b3)\n"
    "%m3 = Mul(%x, %s3)\n" /* gates another value than the pooled one */
    "return %m3\n}\n";

static void squeeze_and_excitation_gets_its_name(void **state)
{
    const char *text = rg_arena_printf(&((rg_ctx *)*state)->arena, HEAD "%s", excite);
    rg_graph *g = passed_text(*state, text, NULL);
    static const struct { const char *value, *block; } wanted[] = {
        {"c", ""}, {"p", "SqueezeExcite:1"}, {"a", "SqueezeExcite:1"}, {"r", "SqueezeExcite:1"}, {"b",
        "SqueezeExcite:1"},
        {"s", "SqueezeExcite:1"}, {"m", "SqueezeExcite:1"}, {"p2", "SqueezeExcite:2"}, {"r2",
        "SqueezeExcite:2"},
        {"m2", "SqueezeExcite:2"}, {"p3", ""}, {"m3", ""},
    };
    for (size_t i = 0; i < RG_COUNT(wanted); i++) {
        const rg_node *n = &g->nodes[the_value(g, wanted[i].value)->producer];
        assert_true(rg_str_is(n->block, wanted[i].block));
    }
    assert_true(rg_node_is(&g->nodes[the_value(g, "r2")->producer], "Swish"));
    rg_graph_free(g);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(norms_are_found), TEST(half_norm_takes_its_casts), TEST(what_is_no_norm_stays),
        TEST(activations_are_found), TEST(what_is_no_activation_stays),
        TEST(attention_is_found), TEST(heads_are_part_of_attention), TEST(attention_of_rank_3),
        TEST(shared_heads_are_not_repeated),
        TEST(forbidden_is_not_allowed), TEST(windows_keep_their_masks), TEST(what_are_no_windows_stay),
        TEST(what_is_no_attention_stays), TEST(broadcast_heads_are_no_attention),
        TEST(squeeze_and_excitation_gets_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
