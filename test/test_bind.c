/* test_bind.c - sizes of symbols: by name, by input, by batch, assumed, tried; values that decide branches;
 * trips of loops; and what is said of a wrong option.
 */
#include "pass_graph.h"

static const char net[] = HEAD
    "symbol batch = 1\nsymbol width = 1 from 0 to 4096\n"
    "const %w = f32[16,3,3,3] none\n"
    "graph (%image: f32[batch,3,height,width], %ids: i64[batch,seq], %k: f32[]) {\n"
    "%c = Conv(%image, %w) pads=1,1,1,1\n%y = Mul(%c, %k)\n%z = Neg(%ids)\nreturn %y, %z\n}\n";

static const rg_binding nothing = {.shape = NULL};

static rg_graph *bound(rg_ctx *cx, const char *text, const rg_binding *binding)
{
    rg_graph *in = graph_of(cx, text), *out = NULL;
    expect_ok(cx, rg_graph_bind(cx, in, binding, &out));
    expect_ok(cx, rg_graph_verify(cx, out));
    rg_graph_free(in);
    return out;
}

/* The type of a value, as text. */
static void expect_type(rg_ctx *cx, const rg_graph *g, const char *value, const char *type)
{
    rg_text text;
    rg_text_init(&text, &cx->arena);
    rg_type_print(g, &the_value(g, value)->type, &text);
    rg_text_char(&text, 0);
    assert_string_equal(text.data, type);
}

typedef struct bind_case { rg_binding binding; const char *image, *y, *z, *notes; } bind_case;

static const bind_case bind_cases[] = {
    {{.shape = "batch=2,height=32,width=48,seq=7"}, "f32[2,3,32,48]", "f32[2,16,32,48]", "i64[2,7]", NULL},
    {{.shape = "image=2x3x32x48,ids=2x7"}, "f32[2,3,32,48]", "f32[2,16,32,48]", "i64[2,7]", NULL},
    {{.shape = "image=2x3x32x48"}, "f32[2,3,32,48]", "f32[2,16,32,48]", "i64[2,128]", "seq=128"},
    {{.shape = NULL}, "f32[1,3,224,224]", "f32[1,16,224,224]", "i64[1,128]",
     "batch=1, height=224, width=224, seq=128"},
    {{.batch = 8}, "f32[8,3,224,224]", "f32[8,16,224,224]", "i64[8,128]", "height=224, width=224, seq=128"},
    {{.symbolic = true}, "f32[batch,3,height,width]", "f32[batch,16,height,width]", "i64[batch,seq]", NULL},
    {{.symbolic = true, .batch = 4}, "f32[4,3,height,width]", "f32[4,16,height,width]", "i64[4,seq]", NULL},
    {{.symbolic = true, .shape = "seq=5"}, "f32[batch,3,height,width]", "f32[batch,16,height,width]",
     "i64[batch,5]", NULL},
};

static void sizes_reach_every_value(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(bind_cases); i++) {
        const bind_case *c = &bind_cases[i];
        rg_graph *g = bound(cx, net, &c->binding);
        expect_type(cx, g, "image", c->image);
        expect_type(cx, g, "y", c->y);
        expect_type(cx, g, "z", c->z);
        if (c->notes) assert_string_equal(g->notes ? g->notes : "", c->notes);
        else assert_null(g->notes);
        rg_graph_free(g);
    }
}

/* Exporters write the batch of 1 into Reshape, too:
 * it follows, and a target that no batch divides does not. */
static void a_baked_in_reshape_follows_the_batch(void **state)
{
    static const char baked[] = HEAD
        "const %w = f32[12,5] none\nconst %flat = i64[2] {1, 12}\n"
        "graph (%image: f32[1,3,2,2]) {\n"
        "%f = Reshape(%image, %flat)\n%y = MatMul(%f, %w)\nreturn %y\n}\n";
    static const char stubborn[] = HEAD
        "const %w = f32[12,5] none\nconst %flat = i64[2] {2, 6}\n"
        "graph (%image: f32[1,3,2,2]) {\n%f = Reshape(%image, %flat)\n%y = Relu(%f)\nreturn %y\n}\n";
    rg_ctx *cx = *state;
    rg_graph *g = bound(cx, baked, &(rg_binding){.batch = 8}), *in = graph_of(cx, stubborn), *out = NULL;
    expect_type(cx, g, "y", "f32[8,5]");
    rg_graph_free(g);
    assert_int_equal(rg_graph_bind(cx, in, &(rg_binding){.batch = 8}, &out), RG_SHAPE);
    assert_non_null(strstr(rg_ctx_error(cx), "Reshape"));
    rg_graph_free(in);
}

typedef struct wrong_case { rg_binding binding; const char *words[3]; } wrong_case;

static const wrong_case wrong_cases[] = {
    {{.shape = "sequence=3"}, {"'sequence'", "dimensions: batch height width seq", "inputs: image ids k"}},
    {{.shape = "width=9999"}, {"width=9999", "0..4096"}},
    {{.shape = "seq=-1"}, {"seq=-1", "1.."}},
    {{.shape = "seq=wide"}, {"'wide'"}},
    {{.shape = "seq"}, {"expected NAME=NUMBER", "'seq'"}},
    {{.shape = "seq=3,seq=4"}, {"seq", "3 and 4"}},
    {{.shape = "image=1x3x8x8,ids=2x7"}, {"batch", "1 and 2"}},
    {{.shape = "image=1x3x8"}, {"'image' has rank 4", "'1x3x8' has 3"}},
    {{.shape = "image=1x3x8x8x8"}, {"rank 4", "has 5"}},
    {{.shape = "image=1x4x8x8"}, {"dimension 1 of 'image' is 3, not 4"}},
    {{.shape = "image=1x3x8xy"}, {"'y' is no size"}},
    {{.value = "j=1"}, {"--value", "'j'", "inputs: image ids k"}},
    {{.value = "ids=1"}, {"'ids' is not one number"}},
    {{.value = "k=many"}, {"'many' is no f32"}},
    {{.trip = "loop=3"}, {"--trip", "'loop'"}},
};

static void wrong_options_name_both_sides(void **state)
{
    rg_ctx *cx = *state;
    rg_graph *in = graph_of(cx, net);
    for (size_t i = 0; i < RG_COUNT(wrong_cases); i++) {
        rg_graph *out = NULL;
        assert_int_equal(rg_graph_bind(cx, in, &wrong_cases[i].binding, &out), RG_USAGE);
        assert_null(out);
        for (size_t k = 0; k < RG_COUNT(wrong_cases[i].words) && wrong_cases[i].words[k]; k++) {
            if (!strstr(rg_ctx_error(cx), wrong_cases[i].words[k])) print_error("%s\n", rg_ctx_error(cx));
            assert_non_null(strstr(rg_ctx_error(cx), wrong_cases[i].words[k]));
        }
    }
    rg_graph_free(in);
}

/* ---- what the file fixed, and what it left open ---- */

static void batch_replaces_a_fixed_one(void **state)
{
    rg_graph *g = bound(*state, HEAD
        "graph (%x: f32[1,16], %h: f32[1]) {\n%y: f32[1,16] = Relu(%x)\n%z = Add(%y, %h)\nreturn %z\n}\n",
        &(rg_binding){.batch = 8});
    expect_type(*state, g, "z", "f32[8,16]");
    expect_type(*state, g, "h", "f32[1]");
    rg_graph_free(g);
}

static void an_open_rank_is_stated(void **state)
{
    rg_graph *g = bound(*state, HEAD "graph (%x: f32[*]) {\n%y = Relu(%x)\nreturn %y\n}\n",
                        &(rg_binding){.shape = "x=2x3"});
    expect_type(*state, g, "y", "f32[2,3]");
    rg_graph_free(g);
}

/* A recurrent state has its batch second. */
static void states_follow_the_batch(void **state)
{
    rg_graph *g = bound(*state, HEAD
        "graph (%x: f32[a,b], %h: f32[2,c,128]) {\n%y = Relu(%h)\nreturn %y\n}\n",
        &(rg_binding){.batch = 5});
    expect_type(*state, g, "y", "f32[2,5,128]");
    rg_graph_free(g);
}

/* What the file says of a value inside holds for its own sizes; else the inputs count. */
static void the_inputs_are_right(void **state)
{
    rg_graph *g = bound(*state, HEAD "graph (%x: f32[4]) {\n%y: f32[5] = Relu(%x)\nreturn %y\n}\n", &nothing);
    expect_type(*state, g, "y", "f32[4]");
    assert_non_null(strstr(g->notes, "ignored"));
    rg_graph_free(g);
}

/* A run-time size that the file states is kept, as nobody can know better. */
static void stated_run_time_sizes_are_kept(void **state)
{
    rg_graph *g = bound(*state, HEAD "graph (%x: f32[4]) {\n%y: i64[1,3] = NonZero(%x)\nreturn %y\n}\n",
                        &nothing);
    expect_type(*state, g, "y", "i64[1,3]");
    rg_graph_free(g);
}

/* ---- guesses ---- */

/* 512 of a signal do not hold a window of 1000; 1024 is the first of 1, 4, 16, ... that does. */
static void guesses_that_do_not_fit_are_replaced(void **state)
{
    rg_graph *g = bound(*state, HEAD
        "const %w = f32[8,1,1000] none\nconst %axis = i64[1] {1}\n"
        "graph (%x: f32[n,samp]) {\n%u = Unsqueeze(%x, %axis)\n%y = Conv(%u, %w)\nreturn %y\n}\n", &nothing);
    expect_type(*state, g, "y", "f32[1,8,25]");
    assert_string_equal(g->notes, "n=1, samp=1024 (512 does not fit)");
    rg_graph_free(g);
}

static void what_fits_nothing_is_told_with_the_first_guess(void **state)
{
    rg_graph *in = graph_of(*state, HEAD
        "const %w = f32[8,2,3] none\nconst %axis = i64[1] {1}\n"
        "graph (%x: f32[n,samp]) {\n%u = Unsqueeze(%x, %axis)\n%y = Conv(%u, %w) @/conv\nreturn %y\n}\n");
    rg_graph *out = NULL;
    assert_int_equal(rg_graph_bind(*state, in, &nothing, &out), RG_SHAPE);
    assert_non_null(strstr(rg_ctx_error(*state), "n=1, samp=512 assumed"));
    assert_non_null(strstr(rg_ctx_error(*state), "/conv"));
    rg_graph_free(in);
}

/* ---- values and trips ---- */

static const char branching[] = HEAD
    "const %r = i64[] {16000}\n"
    "graph (%x: f32[1,4], %sr: i64[]) {\n"
    "%c = Equal(%sr, %r)\n"
    "%y = If(%c) then_branch=graph () {%a = Relu(%x)\nreturn %a} else_branch=graph () {%b = Neg(%x)\n"
    "return %b}\n"
    "return %y\n}\n";

static void a_value_decides_the_branch(void **state)
{
    static const struct { const char *value, *type; } rows[] = {
        {"sr=16000", "Relu"}, {"sr=8000", "Neg"}, {"sr=1.6e4", "Relu"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_graph *b = bound(*state, branching, &(rg_binding){.value = rows[i].value});
        assert_int_equal(b->regions[RG_MAIN].input_count, 1);
        rg_graph *g = passed(*state, b, NULL);
        assert_int_equal(nodes_of(g, NULL), 1);
        assert_int_equal(nodes_of(g, rows[i].type), 1);
        rg_graph_free(b);
        rg_graph_free(g);
    }
    rg_graph *open = bound(*state, branching, &nothing);
    assert_int_equal(nodes_of(open, "If"), 1);
    rg_graph_free(open);
}

static void trips_multiply_a_loop(void **state)
{
    static const char loop[] = HEAD
        "const %t = bool[] {1}\nconst %w = f32[64,64] none\n"
        "graph (%x: f32[1,64], %n: i64[]) {\n"
        "%y = Loop(%n, %t, %x) body=graph (%i: i64[], %go: bool[], %v: f32[1,64]) {\n"
        "%m = MatMul(%v, %w)\nreturn %go, %m\n} @/decoder/Loop\n"
        "return %y\n}\n";
    rg_graph *once = bound(*state, loop, &nothing);
    rg_graph *twenty = bound(*state, loop, &(rg_binding){.trip = "/decoder/Loop=20"});
    rg_graph *thirty = bound(*state, loop, &(rg_binding){.value = "n=30"});
    assert_string_equal(once->notes, "trips of /decoder/Loop=1");
    assert_null(twenty->notes);
    assert_true(mac_of(*state, once) == 64 * 64);
    assert_true(mac_of(*state, twenty) == 20 * 64 * 64);
    assert_true(mac_of(*state, thirty) == 30 * 64 * 64);
    rg_graph_free(once);
    rg_graph_free(twenty);
    rg_graph_free(thirty);
}

/* ---- the n-th allocation ---- */

typedef struct budget { long left; } budget;

static void *counted_alloc(void *user, size_t size)
{
    budget *b = user;
    return b->left-- > 0 ? calloc(1, size) : NULL;
}

static void counted_free(void *user, void *block)
{
    (void)user;
    free(block);
}

/* Something for every pass that recognizes. */
static const char pieces[] = HEAD
    "const %last = i64[1] {-1}\nconst %two = f32[] {2}\nconst %one = f32[] {1}\nconst %half = f32[] {0.5}\n"
    "const %sqrt2 = f32[] {1.41421356f}\nconst %eps = f32[] {1e-5f}\nconst %w = f32[8] none\n"
    "const %b = f32[8] none\n"
    "graph (%x: f32[2,s,8], %k: f32[s,2,8], %v: f32[2,s,8]) {\n"
    "%m = ReduceMean(%x, %last)\n%d = Sub(%x, %m)\n%q = Pow(%d, %two)\n%var = ReduceMean(%q, %last)\n"
    "%e = Add(%var, %eps)\n%r = Sqrt(%e)\n%n = Div(%d, %r)\n%g = Mul(%n, %w)\n%z = Add(%g, %b)\n"
    "%kt = Transpose(%k) perm=1,2,0\n%sc = MatMul(%z, %kt)\n%p = Softmax(%sc)\n%a = MatMul(%p, %v)\n"
    "%u = Div(%a, %sqrt2)\n%f = Erf(%u)\n%h = Add(%f, %one)\n%i = Mul(%a, %h)\n%y = Mul(%i, %half)\n"
    "return %y\n}\n";

static const struct { const char *text; rg_binding binding; int left; } loads[] = {
    {branching, {.shape = "x=1x4", .value = "sr=16000"}, 1},
    {pieces, {.shape = NULL}, 4}, /* LayerNormalization, Transpose, Attention, Gelu */
};

/* Reads, binds, runs all passes; RG_NOMEM or done, and everything given back. */
static rg_err load_within(budget *b, size_t row)
{
    rg_ctx_opt opt = {.size = sizeof opt, .alloc = counted_alloc, .free = counted_free, .user = b};
    rg_graph *in = NULL, *mid = NULL, *out = NULL;
    rg_ctx *cx = rg_ctx_new(&opt);
    if (!cx) return RG_NOMEM;
    rg_err err = rg_graph_of_text(cx, rg_str_of(loads[row].text), NULL, &in);
    if (!err) err = rg_graph_resolve(cx, in);
    if (!err) err = rg_graph_bind(cx, in, &loads[row].binding, &mid);
    if (!err) err = rg_passes_run(cx, mid, NULL, &out);
    if (!err) assert_int_equal(nodes_of(out, NULL), loads[row].left);
    rg_graph_free(out);
    rg_graph_free(mid);
    rg_graph_free(in);
    rg_ctx_free(cx);
    return err;
}

static void every_allocation_may_fail(void **state)
{
    enum { ENOUGH = 10000 };
    (void)state;
    for (size_t row = 0; row < RG_COUNT(loads); row++) {
        rg_err err = RG_NOMEM;
        for (long n = 0; n < ENOUGH && err; n++) {
            budget b = {n};
            err = load_within(&b, row);
            if (err) assert_int_equal(err, RG_NOMEM);
        }
        assert_int_equal(err, RG_OK);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sizes_reach_every_value), TEST(wrong_options_name_both_sides), TEST(batch_replaces_a_fixed_one),
        TEST(a_baked_in_reshape_follows_the_batch),
        TEST(an_open_rank_is_stated), TEST(states_follow_the_batch), TEST(the_inputs_are_right),
        TEST(stated_run_time_sizes_are_kept), TEST(guesses_that_do_not_fit_are_replaced),
        TEST(what_fits_nothing_is_told_with_the_first_guess), TEST(a_value_decides_the_branch),
        TEST(trips_multiply_a_loop), TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
