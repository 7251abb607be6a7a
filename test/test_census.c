/* test_census.c - which constants are parameters, and which family a model is of: the same before the passes
 * and behind them, against counts worked out by hand.
 */
#include "pass_graph.h"

typedef struct census_case { const char *text; double parameters; const char *family; } census_case;

/* The head of a detector: a mean over 16 bins as a convolution leaves one channel, which goes. Places of the
 * grid and their strides are nobody's channels, whether the trunk attends or not. */
#define DETECTOR                                                                                             \
    "const %w = f32[64,8,3,3] none const %bins = f32[1,16,1,1] none const %grid = f32[1,2,20] none\n"       \
    "const %strides = f32[1,20] none const %split = i64[4] {0, 4, 16, 20} const %join = i64[3] {0, 4, 20}\n" \
    "const %flat = i64[3] {0, 64, 20} const %halves = i64[2] {2, 2}\n"
#define HEAD_OF(x)                                                                                           \
    "%d = Reshape(" x ", %flat) %e = Reshape(%d, %split) %f = Transpose(%e) perm=0,2,1,3\n"                  \
    "%g = Softmax(%f) axis=1 %h = Conv(%g, %bins) %i = Reshape(%h, %join)\n"                                 \
    "%j, %k = Split(%i, %halves) axis=1 %l = Sub(%grid, %j) %m = Add(%grid, %k)\n"                           \
    "%n = Concat(%l, %m) axis=1 %y = Mul(%n, %strides) return %y }\n"

static const census_case cases[] = {
    {DETECTOR "graph (%x: f32[1,8,4,5]) { %c = Conv(%x, %w) pads=1,1,1,1\n" HEAD_OF("%c"),
     64 * 8 * 9 + 16, "cnn"},
    {DETECTOR "graph (%x: f32[1,8,4,5]) { %c = Conv(%x, %w) pads=1,1,1,1\n"
     "%t = Transpose(%c) perm=0,1,3,2 %s = MatMul(%c, %t) %p = Softmax(%s) %a = MatMul(%p, %c)\n"
     HEAD_OF("%a"), 64 * 8 * 9 + 16, "cnn"},

    /* The channels of a convolution become the last axis: there is the scale; numbers per place are none. */
    {"const %w = f32[6,3,4,4] none const %flat = i64[3] {0, 6, -1} const %scale = f32[6] none\n"
     "const %places = f32[4,1] none const %v = f32[6,6] none\n"
     "graph (%x: f32[1,3,8,8]) { %c = Conv(%x, %w) strides=4,4 %f = Reshape(%c, %flat)\n"
     "%t = Transpose(%f) perm=0,2,1 %s = Mul(%t, %scale) %r = Mul(%s, %places) %y = MatMul(%r, %v)\n"
     "%z = MatMul(%y, %v) return %z }\n", 6 * 3 * 16 + 6 + 36, "cnn"},

    /* A product's weights may stand on its left: channels are rows. */
    {"const %w = f32[6,3] none const %bias = f32[6,1] none\n"
     "graph (%x: f32[3,8]) { %p = MatMul(%w, %x) %y = Add(%p, %bias) return %y }\n", 18 + 6, "mlp"},

    /* Nothing says where the channels are: a scale of each head's features counts. */
    {"const %w = f32[8,8] none const %heads = i64[4] {0, 0, 2, 4} const %scale = f32[4] none\n"
     "graph (%x: f32[1,3,8]) { %p = MatMul(%x, %w) %h = Reshape(%p, %heads) %y = Mul(%h, %scale)\n"
     "return %y }\n", 64 + 4, "mlp"},

    /* A decoder begins with zeros, whose size the graph computes: only the table of positions is learned. */
    {"const %two = i64[2] {3, 4} const %queries = f32[3,4] none const %w = f32[4,4] none\n"
     "const %bias = f32[4] none\n"
     "graph (%x: f32[1,5,4]) { %n = Shape(%x) start=0 end=1 %s = Concat(%n, %two) axis=0\n"
     "%z = ConstantOfShape(%s) %q = Add(%z, %queries) %v = MatMul(%z, %w) %b = Add(%v, %bias)\n"
     "%t = Transpose(%q) perm=0,2,1 %m = MatMul(%q, %t) %p = Softmax(%m) %a = MatMul(%p, %b)\n"
     "%r = Add(%z, %a) %k = Add(%r, %queries) %y = MatMul(%k, %w) return %y }\n", 12 + 16 + 4,
     "transformer"},

    /* Weights seen through a view are the same ones. */
    {"const %w = f32[2,2] {1, 2, 3, 4} const %flat = i64[2] {2, 2}\n"
     "graph (%x: f32[5,2]) { %v = Reshape(%w, %flat) %p = MatMul(%x, %v) %y = MatMul(%p, %w) return %y }\n",
     4, "mlp"},

    /* Masks of scores are no tables, wherever they are added. */
    {"const %low = f32[1,1,3,3] none const %wide = i64[5] {1, 1, 2, 3, 3} const %back = i64[4] {1, 2, 3, 3}\n"
     "const %bias = f32[1,1,3,3] none const %w = f32[4,4] none\n"
     "graph (%q: f32[1,2,3,4], %k: f32[1,2,4,3], %v: f32[1,2,3,4]) {\n"
     "%s = MatMul(%q, %k) %m = Add(%s, %bias) %l = Add(%m, %low) %u = Reshape(%l, %wide)\n"
     "%b = Reshape(%u, %back) %p = Softmax(%b) %a = MatMul(%p, %v) %y = MatMul(%a, %w) return %y }\n", 16,
     "transformer"},

    /* Windows that overlap between large products; patches that do not; 1x1 convolutions alone. */
    {"const %c = f32[4,1,3,3] none const %w = f32[4,64] none const %u = f32[64,4] none\n"
     "graph (%x: f32[1,4,8,8]) { %a = Conv(%x, %c) group=4 pads=1,1,1,1 %t = Transpose(%a) perm=0,2,3,1\n"
     "%p = MatMul(%t, %w) %g = Relu(%p) %y = MatMul(%g, %u) return %y }\n", 36 + 512, "cnn"},
    {"const %c = f32[4,1,4,4] none const %w = f32[4,64] none const %u = f32[64,4] none\n"
     "graph (%x: f32[1,1,8,8]) { %a = Conv(%x, %c) strides=4,4 %t = Transpose(%a) perm=0,2,3,1\n"
     "%p = MatMul(%t, %w) %g = Relu(%p) %y = MatMul(%g, %u) return %y }\n", 64 + 512, "mlp"},
    {"const %c = f32[4,8,1,1] none\n"
     "graph (%x: f32[1,8,8,8]) { %y = Conv(%x, %c) return %y }\n", 32, "cnn"},

    /* Half of the work in a recurrence. */
    {"const %w = f32[1,16,4] none const %r = f32[1,16,4] none const %u = f32[4,8] none\n"
     "graph (%x: f32[7,1,4]) { %h, %n = LSTM(%x, %w, %r) hidden_size=4 %y = MatMul(%h, %u)\n"
     "return %y, %n }\n", 64 + 64 + 32, "rnn"},
};

static void assert_facts(rg_ctx *cx, const rg_graph *g, const census_case *c)
{
    const rg_facts *f = NULL;
    expect_ok(cx, rg_facts_make(cx, g, &f));
    bool same = f->parameters == c->parameters && strcmp(f->family, c->family) == 0;
    if (!same) print_error("%g parameters, %s: %s\n", f->parameters, f->family, c->text);
    assert_true(same);
    rg_facts_free(f);
}

static void passes_do_not_change_what_counts(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        rg_graph *raw = graph_of(cx, rg_arena_printf(&cx->arena, HEAD "%s", cases[i].text));
        expect_ok(cx, rg_graph_infer(cx, raw));
        assert_facts(cx, raw, &cases[i]);
        rg_graph *after = passed(cx, raw, NULL);
        assert_facts(cx, after, &cases[i]);
        rg_graph_free(after);
        rg_graph_free(raw);
    }
}

/* Models are passed around with weights filled in: where only weights can be, they are weights. */
static void filled_weights_are_weights(void **state)
{
    rg_graph *g = passed_text(*state, HEAD
        "const %s = i64[4] {4, 3, 3, 3} const %n = i64[1] {4}\n"
        "graph (%x: f32[1,3,8,8]) { %w = ConstantOfShape(%s) %b = ConstantOfShape(%n)\n"
        "%y = Conv(%x, %w, %b) return %y }\n", NULL);
    assert_facts(*state, g, &(const census_case){"filled", 4 * 27 + 4, "cnn"});
    rg_graph_free(g);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(passes_do_not_change_what_counts), TEST(filled_weights_are_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
