/* test_graphnet.c - networks over rows: answers worked out by hand, slopes against differences, files that
 * are refused, laws that can and cannot be learned, and what a forecast makes of one.
 */
#define BENCH_LEARNING RG_LEARN_ALL
#include "learn/graph_teach.h"
#include "machine.h"
#include "tree_file.h"

#include <math.h>

#define HEAD "ridge.graph/1 \"net\" opset 20\n"
#define TWO                                                                                                \
    HEAD "const %w = f32[1000,160] none\n"                                                                 \
    "graph (%x: f32[600,1000]) { %p = MatMul(%x, %w) %y = Relu(%p) return %y }"

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static void assert_close(double got, double wanted, double relative)
{
    if (!(fabs(got - wanted) <= relative * fabs(wanted) + 1e-12))
        fail_msg("got %.17g, wanted %.17g", got, wanted);
}

/* All features, means 0 and scales 1. */
static rg_graphnet *net_of(rg_ctx *cx, int hidden, int rounds, size_t members)
{
    size_t inputs = rg_graphnet_inputs();
    rg_graphnet *net = RG_NEW(&cx->arena, rg_graphnet, 1);
    *net = (rg_graphnet){.key = "round.whole.f32", .made_of = "made-up", .data_hash = "0", .hidden = hidden,
                         .rounds = rounds, .feature_count = inputs, .mean_count = inputs,
                         .scale_count = inputs, .member_count = members, .graphs = 7, .families = 3,
                         .base = 0.2, .held_out = 0.1, .spread = 0.25};
    net->features = RG_NEW(&cx->arena, const char *, inputs);
    net->mean = RG_NEW(&cx->arena, double, inputs);
    net->scale = RG_NEW(&cx->arena, double, inputs);
    net->members = RG_NEW(&cx->arena, rg_graphnet_member, members);
    for (size_t i = 0; i < inputs; i++) net->features[i] = rg_graphnet_input_name(i), net->scale[i] = 1;
    for (size_t m = 0; m < members; m++) {
        net->members[m].weight_count = rg_graphnet_weight_count(inputs, hidden, rounds);
        net->members[m].weights = RG_NEW(&cx->arena, double, net->members[m].weight_count);
    }
    assert_int_equal(rg_graphnet_resolve(cx, net), RG_OK);
    return net;
}

/* A chain of nodes with equal shares, each of which reads the one before; x all 0. */
static rg_row_graph chain_of(rg_ctx *cx, uint32_t count)
{
    rg_row_graph g = {.count = count, .inputs = (uint32_t)rg_graphnet_inputs()};
    g.x = RG_NEW(&cx->arena, float, (size_t)count * g.inputs);
    g.share = RG_NEW(&cx->arena, double, count);
    g.first = RG_NEW(&cx->arena, uint32_t, count + 1);
    g.from = RG_NEW(&cx->arena, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        g.share[i] = 1.0 / count;
        g.first[i + 1] = i;
        if (i) g.from[i - 1] = i - 1;
    }
    return g;
}

/* ---- answers ---- */

/* One number a state, one round, two nodes, of which the second reads the first; feature 0 is 0.5 and 1.2. */
static void an_answer_by_hand(void **state)
{
    rg_ctx *cx = *state;
    rg_graphnet *net = net_of(cx, 1, 1, 1);
    rg_row_graph g = chain_of(cx, 2);
    size_t n = rg_graphnet_inputs();
    double *w = net->members[0].weights, r, h[2], k[2];
    assert_int_equal(net->members[0].weight_count, n + 1 + 4 + 3);
    w[0] = 0.8, w[n] = -0.1;                                     /* input, its bias */
    w[n + 1] = 0.3, w[n + 2] = -0.7, w[n + 3] = 0.9, w[n + 4] = 0.2; /* itself, sources, readers, bias */
    w[n + 5] = 0.5, w[n + 6] = -1.5, w[n + 7] = 0.05;            /* of each round, constant */
    g.x[0] = 0.5f, g.x[g.inputs] = 1.25f;
    g.share[0] = 0.25, g.share[1] = 0.75;
    h[0] = tanh(0.8 * 0.5 - 0.1), h[1] = tanh(0.8 * 1.25 - 0.1);
    k[0] = tanh(0.3 * h[0] + 0.9 * h[1] + 0.2), k[1] = tanh(0.3 * h[1] - 0.7 * h[0] + 0.2);
    assert_int_equal(rg_graphnet_answer(cx, net, &g, &r), RG_OK);
    assert_close(r, 0.25 * (0.5 * h[0] - 1.5 * k[0]) + 0.75 * (0.5 * h[1] - 1.5 * k[1]) + 0.05, 1e-12);
    g.x[0] = 1e9f;               /* cut at three standard deviations */
    h[0] = tanh(0.8 * 3 - 0.1);
    k[0] = tanh(0.3 * h[0] + 0.9 * h[1] + 0.2), k[1] = tanh(0.3 * h[1] - 0.7 * h[0] + 0.2);
    assert_int_equal(rg_graphnet_answer(cx, net, &g, &r), RG_OK);
    assert_close(r, 0.25 * (0.5 * h[0] - 1.5 * k[0]) + 0.75 * (0.5 * h[1] - 1.5 * k[1]) + 0.05, 1e-12);
}

static void without_weights_it_says_nothing(void **state)
{
    rg_ctx *cx = *state;
    rg_row_graph g = chain_of(cx, 5);
    double r = 1;
    assert_int_equal(rg_graphnet_answer(cx, net_of(cx, 16, 2, 3), &g, &r), RG_OK);
    assert_true(r == 0);
}

static void members_answer_by_their_mean(void **state)
{
    rg_ctx *cx = *state;
    rg_graphnet *net = net_of(cx, 2, 0, 3);
    rg_row_graph g = chain_of(cx, 4);
    double r;
    for (size_t m = 0; m < 3; m++)
        net->members[m].weights[net->members[m].weight_count - 1] = 0.1 * (double)m;
    assert_int_equal(rg_graphnet_answer(cx, net, &g, &r), RG_OK);
    assert_close(r, 0.1, 1e-12);
}

/* ---- slopes ---- */

static void fill(double *x, size_t count, uint64_t *random, double size)
{
    for (size_t i = 0; i < count; i++) x[i] = size * (2 * rg_random_unit(random) - 1);
}

/* Nodes that read any of those before them. */
static rg_row_graph random_graph_of(rg_ctx *cx, uint32_t count, uint64_t *random)
{
    rg_row_graph g = {.count = count, .inputs = (uint32_t)rg_graphnet_inputs()};
    double all = 0;
    g.x = RG_NEW(&cx->arena, float, (size_t)count * g.inputs);
    g.share = RG_NEW(&cx->arena, double, count);
    g.first = RG_NEW(&cx->arena, uint32_t, count + 1);
    g.from = RG_NEW(&cx->arena, uint32_t, (size_t)count * count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < g.inputs; k++)
            g.x[(size_t)i * g.inputs + k] = (float)(2 * rg_random_unit(random) - 1);
        all += g.share[i] = rg_random_unit(random);
        g.first[i + 1] = g.first[i];
        for (uint32_t j = 0; j < i; j++)
            if (rg_random_unit(random) < 0.4) g.from[g.first[i + 1]++] = j;
    }
    for (uint32_t i = 0; i < count; i++) g.share[i] /= all;
    return g;
}

static double loss_at(const rg_graphnet *net, const rg_row_graph *g, double target, double *room)
{
    double e = (rg_graphnet_run(net, 0, g, room) - target) / 0.1;
    return 0.01 * (sqrt(1 + e * e) - 1);
}

static void slopes_are_those_of_differences(void **state)
{
    rg_ctx *cx = *state;
    uint64_t random = 5;
    rg_graphnet *net = net_of(cx, 3, 2, 1);
    rg_row_graph g = random_graph_of(cx, 6, &random);
    size_t count = net->members[0].weight_count;
    double *w = net->members[0].weights, *slope = RG_NEW(&cx->arena, double, count);
    double *room = RG_NEW(&cx->arena, double, 3 * rg_graphnet_room(net, &g)), step = 1e-5;
    fill(w, count, &random, 0.5);
    double target = rg_graphnet_run(net, 0, &g, room) + 0.07;
    assert_close(rg_graph_loss(net, 0, &g, target, room, slope), loss_at(net, &g, target, room), 1e-12);
    for (size_t i = 0; i < count; i++) {
        double was = w[i];
        w[i] = was + step;
        double above = loss_at(net, &g, target, room);
        w[i] = was - step;
        double below = loss_at(net, &g, target, room);
        w[i] = was;
        if (fabs((above - below) / (2 * step) - slope[i]) > 1e-8 + 1e-5 * fabs(slope[i]))
            fail_msg("weight %zu of %zu: slope %.9g, differences %.9g", i, count, slope[i],
                     (above - below) / (2 * step));
    }
}

/* ---- files ---- */

static void a_file_reads_as_it_was_written(void **state)
{
    rg_ctx *cx = *state;
    uint64_t random = 9;
    rg_graphnet *net = net_of(cx, 4, 2, 2), *again = NULL;
    rg_row_graph g = random_graph_of(cx, 5, &random);
    rg_str text;
    double a, b;
    for (size_t m = 0; m < 2; m++) fill(net->members[m].weights, net->members[m].weight_count, &random, 1);
    net->mean[0] = 0.5, net->scale[1] = 2;
    assert_int_equal(rg_graphnet_write(cx, net, &text), RG_OK);
    assert_int_equal(rg_graphnet_parse(cx, text, "made", &again), RG_OK);
    assert_int_equal(rg_graphnet_resolve(cx, again), RG_OK);
    assert_int_equal(rg_graphnet_answer(cx, net, &g, &a), RG_OK);
    assert_int_equal(rg_graphnet_answer(cx, again, &g, &b), RG_OK);
    assert_close(b, a, 1e-9);
    assert_true(again->graphs == 7 && again->families == 3 && again->spread == 0.25);
    rg_graphnet_free(again);
}

static void refuse(rg_ctx *cx, const rg_graphnet *net, rg_err wanted, const char *words)
{
    rg_graphnet *none = NULL;
    rg_str text;
    assert_int_equal(rg_graphnet_write(cx, net, &text), RG_OK);
    assert_int_equal(rg_graphnet_parse(cx, text, "made", &none), wanted);
    if (!strstr(rg_ctx_error(cx), words)) fail_msg("'%s' lacks '%s'", rg_ctx_error(cx), words);
}

static void what_does_not_fit_is_refused(void **state)
{
    rg_ctx *cx = *state;
    rg_graphnet *net = net_of(cx, 2, 1, 1), other;
    other = *net, other.hidden = 3;
    refuse(cx, &other, RG_FORMAT, "weights in place of");
    other = *net, other.hidden = 1000;
    refuse(cx, &other, RG_LIMIT, "hidden: 1000 is not from 1 to 64");
    other = *net, other.rounds = 5;
    refuse(cx, &other, RG_LIMIT, "rounds: 5");
    other = *net, other.mean_count--;
    refuse(cx, &other, RG_FORMAT, "means");
    other = *net, other.features[0] = "name";
    assert_int_equal(rg_graphnet_resolve(cx, &other), RG_FORMAT);
    assert_non_null(strstr(rg_ctx_error(cx), "'name' is none of the"));
}

/* ---- laws ---- */

enum { FAMILIES = 15, EACH = 3, NODES = 4, EPOCHS = 120 };

/* Feature 0 is 1 or -1. r: the share of nodes whose source has a 1, times 0.8: no node knows that by itself;
 * and noise. */
static void make_lesson(rg_ctx *cx, double law, double noise, rg_graph_lesson *l)
{
    uint64_t random = 3;
    *l = (rg_graph_lesson){.key = "round.whole.f32", .count = FAMILIES * EACH, .family_count = FAMILIES,
                           .examples = RG_NEW(&cx->arena, rg_graph_example, FAMILIES * EACH),
                           .families = RG_NEW(&cx->arena, const char *, FAMILIES)};
    for (uint32_t i = 0; i < FAMILIES * EACH; i++) {
        rg_graph_example *e = &l->examples[i];
        e->g = chain_of(cx, NODES);
        e->family = i / EACH;
        l->families[e->family] = rg_arena_printf(&cx->arena, "family%u", e->family);
        for (uint32_t n = 0; n < NODES; n++)
            e->g.x[n * e->g.inputs] = rg_random_unit(&random) < 0.5 ? -1 : 1;
        for (uint32_t n = 1; n < NODES; n++)
            e->r += law * e->g.share[n] * (e->g.x[(n - 1) * e->g.inputs] > 0);
        e->r += noise * (2 * rg_random_unit(&random) - 1);
    }
}

static void a_law_of_neighbors_is_learned(void **state)
{
    rg_graph_lesson l;
    rg_graph_taught t;
    make_lesson(*state, 0.8, 0, &l);
    assert_int_equal(rg_graph_teach(*state, &l, EPOCHS, 2, &t), RG_OK);
    assert_int_equal(t.card_count, FAMILIES);
    assert_int_equal(t.cards[0].graphs, EACH);
    assert_true(t.better && t.net->base > 0.2);
    if (!(t.net->held_out < 0.05)) fail_msg("%.4f of %.4f is left", t.net->held_out, t.net->base);
}

static void noise_is_not(void **state)
{
    rg_graph_lesson l;
    rg_graph_taught t;
    make_lesson(*state, 0, 0.1, &l);
    assert_int_equal(rg_graph_teach(*state, &l, EPOCHS, 2, &t), RG_OK);
    if (!(t.net->held_out > 0.04)) fail_msg("%.4f of %.4f is left", t.net->held_out, t.net->base);
}

static void few_families_are_refused(void **state)
{
    rg_graph_lesson l;
    rg_graph_taught t;
    make_lesson(*state, 0.8, 0, &l);
    l.family_count = 9;
    l.count = 9 * EACH;
    assert_int_equal(rg_graph_teach(*state, &l, EPOCHS, 2, &t), RG_UNSUPPORTED);
    assert_non_null(strstr(rg_ctx_error(*state), "9 families"));
}

static void families_are_named_by_letters(void **state)
{
    static const struct { const char *model, *family; } cases[] = {
        {"zoo:resnet50", "resnet"}, {"zoo:wide_resnet50_2", "wide"}, {"a/b/vgg16.onnx", "vgg"},
        {"zoo:bert-base", "bert"}, {"7x7", "7x7"},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++)
        assert_string_equal(rg_model_family(&((rg_ctx *)*state)->arena, rg_str_of(cases[i].model)),
                            cases[i].family);
}

/* ---- forecasts ---- */

static void put_file(const char *dir, const char *name, rg_str text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/learned/%s", dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
    assert_int_equal(fclose(file), 0);
}

/* A constant of 0.3 multiplies the whole by e^0.3, whatever trees would say; shares sum to 1. */
static void a_forecast_asks_it(void **state)
{
    char dir[64], path[256];
    rg_ctx *cx = *state;
    rg_str text;
    overlay_make(dir, sizeof dir);
    rg_graphnet *net = net_of(cx, 1, 1, 1);
    net->members[0].weights[net->members[0].weight_count - 1] = 0.3;
    assert_int_equal(rg_graphnet_write(cx, net, &text), RG_OK);
    put_file(dir, "round.whole.f32.graphnet", text);
    const constant trees = {NULL, NULL, NULL, -0.5, 0};
    overlay_constants(dir, &(tree_file){.key = "round.whole.f32", .known = 0.1}, &trees, 1);
    bench b = {.cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = dir})};
    assert_int_equal(bench_round(&b, NULL, TWO, 0), RG_OK);
    const rg_forecast *f = b.forecast;
    double rows_s = f->graph_s + f->overlap_s;
    for (uint32_t i = 0; i < f->plan->row_count; i++) rows_s += f->rows[i].total_s;
    assert_close(f->latency_s.value, rows_s * exp(0.3), 1e-9);
    assert_close(f->latency_s.high / f->latency_s.value, exp(0.25), 1e-9);
    assert_string_equal(f->evidence[f->evidence_count - 1].key, "round.whole.f32");
    assert_int_equal(f->evidence[f->evidence_count - 1].rows, 7);
    rg_row_graph g;
    double shares = 0;
    assert_int_equal(rg_row_graph_of(cx, &cx->arena, f, &g), RG_OK);
    for (uint32_t i = 0; i < g.count; i++) shares += g.share[i];
    assert_int_equal(g.count, 2);
    assert_int_equal(g.first[2], 1); /* the second reads the first */
    assert_close(shares, 1, 1e-12);
    bench_free(&b);
    rg_ctx_free(b.cx);
    overlay_drop(dir, "round.whole.f32");
    snprintf(path, sizeof path, "%s/learned/round.whole.f32.graphnet", dir);
    unlink(path);
    overlay_done(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(without_weights_it_says_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(members_answer_by_their_mean, setup, teardown),
        cmocka_unit_test_setup_teardown(slopes_are_those_of_differences, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_reads_as_it_was_written, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_law_of_neighbors_is_learned, setup, teardown),
        cmocka_unit_test_setup_teardown(noise_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(few_families_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(families_are_named_by_letters, setup, teardown),
        cmocka_unit_test_setup_teardown(a_forecast_asks_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
