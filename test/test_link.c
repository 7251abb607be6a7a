/* test_link.c - data between devices: closed forms, laws, what links join, measured collectives.
 *
 * The machine's links are round: 100 GB/s between 8 peers, 10 GB/s to any number of nodes, steps of 1 and 5
 * us, starts of 4 and 9 us.
 */
#include "predict/link.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "machine.h"

#define PEER                                                                                                 \
    "{\"name\": \"peer\", \"to\": \"peer\", \"byte_per_s\": 200e9, \"latency_s\": 1e-6, \"start_s\": 4e-6,"  \
    " \"sustained_fraction\": 0.5, \"devices\": 8, \"pj_per_byte\": 10, \"source\": \"round\"}"
#define PAIR                                                                                                 \
    "{\"name\": \"pair\", \"to\": \"peer\", \"byte_per_s\": 400e9, \"latency_s\": 1e-6, \"devices\": 2,"     \
    " \"source\": \"round\"}"
#define MESH                                                                                                 \
    "{\"name\": \"mesh\", \"to\": \"peer\", \"byte_per_s\": 50e9, \"latency_s\": 1e-6, \"start_s\": 4e-6,"   \
    " \"count\": 7, \"devices\": 8, \"source\": \"round\"}"
#define WIDE                                                                                                 \
    "{\"name\": \"wide\", \"to\": \"peer\", \"byte_per_s\": 100e9, \"latency_s\": 1e-6, \"start_s\": 4e-6,"  \
    " \"devices\": 72, \"source\": \"round\"}"
#define NET                                                                                                  \
    "{\"name\": \"net\", \"to\": \"network\", \"byte_per_s\": 10e9, \"latency_s\": 5e-6, \"start_s\": 9e-6," \
    " \"source\": \"round\"}"
#define HOST                                                                                                 \
    "{\"name\": \"host\", \"to\": \"host\", \"byte_per_s\": 20e9, \"latency_s\": 1e-6, \"start_s\": 4e-6,"   \
    " \"source\": \"round\"}"

/* The machine of machine.h with these links. */
static rg_err linked(rg_ctx *cx, const char *links, const rg_device **out)
{
    const rg_device *plain = NULL;
    rg_str text;
    RG_TRY(machine_device(cx, &machine_default, &plain));
    rg_err err = rg_device_write(cx, plain, &text);
    rg_device_free(plain);
    if (err) return err;
    const char *rest = text.data + 1; /* behind the brace */
    const char *json = rg_arena_printf(&cx->arena, "{\"links\": [%s],%.*s", links, (int)text.size - 1, rest);
    return json ? rg_device_parse(cx, rg_str_of(json), "linked", out) : rg_nomem(cx);
}

typedef struct fixture { rg_ctx *cx; const rg_device *device; } fixture;

static fixture with(const char *links)
{
    fixture v = {.cx = rg_ctx_new(NULL)};
    assert_non_null(v.cx);
    if (linked(v.cx, links, &v.device)) fail_msg("%s", rg_ctx_error(v.cx));
    return v;
}

static void done(fixture *v)
{
    rg_device_free(v->device);
    rg_ctx_free(v->cx);
}

static void near(double got, double want) { assert_true(fabs(got - want) <= 1e-9 * fabs(want)); }

/* start + steps latency + T + 2 sqrt(start T) */
static double form(double steps, double wire_byte)
{
    double t = wire_byte / 100e9;
    return 4e-6 + steps * 1e-6 + t + 2 * sqrt(4e-6 * t);
}

static void closed_forms(void **state)
{
    (void)state;
    fixture v = with(PEER "," NET);
    const rg_device *d = v.device;
    double b = 64e6;
    rg_collective_terms t;
    for (double n = 2; n <= 8; n++) {
        double ring = rg_collective_s(d, RG_ALL_REDUCE, n, 1, b, &t);
        near(ring, form(2 * (n - 1), 2 * (n - 1) / n * b));
        near(t.alpha_s + t.beta_s + t.fill_s, ring);
        near(t.link_j, 2 * (n - 1) / n * b * 10e-12);
        assert_string_equal(t.algorithm, "ring");
        assert_string_equal(t.link->name, "peer");
        near(rg_collective_s(d, RG_ALL_GATHER, n, 1, b, NULL), form(n - 1, (n - 1) / n * b));
        near(rg_collective_s(d, RG_REDUCE_SCATTER, n, 1, b, NULL), form(n - 1, (n - 1) / n * b));
        near(rg_collective_s(d, RG_ALL_TO_ALL, n, 1, b, NULL), form(n - 1, (n - 1) / n * b));
    }
    near(rg_collective_s(d, RG_SEND, 2, 1, b, NULL), 4e-6 + 1e-6 + b / 100e9);
    near(rg_collective_s(d, RG_SEND, 2, 8, b, NULL), 9e-6 + 5e-6 + b / 10e9); /* eight apart: another node */
    done(&v);
}

/* 1024 = 128 nodes of 8: scatter and gather inside, a reduction of an eighth between, by ring or by tree. */
static void hierarchy(void **state)
{
    (void)state;
    fixture v = with(PEER "," NET);
    double sizes[] = {1e3, 1e6, 1e9};
    for (size_t i = 0; i < RG_COUNT(sizes); i++) {
        double b = sizes[i], inside_s = b * 7 / 8 / 100e9, part_s = b / 8 / 10e9;
        double ring_s = part_s * 2 * 127 / 128, tree_s = part_s * 2;
        double inside = 2 * (7e-6 + inside_s + 2 * sqrt(4e-6 * inside_s));
        double ring = 254 * 5e-6 + ring_s + 2 * sqrt(9e-6 * ring_s);
        double tree = 14 * 5e-6 + tree_s + 2 * sqrt(9e-6 * tree_s);
        rg_collective_terms t;
        near(rg_collective_s(v.device, RG_ALL_REDUCE, 1024, 1, b, &t), 9e-6 + inside + fmin(ring, tree));
        assert_string_equal(t.algorithm, ring < tree ? "ring between nodes" : "tree between nodes");
    }
    /* every eighth device of 1024: one of a node, 128 of them */
    rg_reach reach;
    assert_true(rg_device_reach(v.device, 128, 8, &reach));
    assert_true(reach.nodes == 128 && reach.inside == 1 && !reach.inner);
    assert_true(rg_device_reach(v.device, 4, 4, &reach)); /* 0, 4 | 8, 12 */
    assert_true(reach.nodes == 2 && reach.inside == 2);
    done(&v);
}

/* However many take part, an all-reduce moves each byte twice. */
static void limit_of_many(void **state)
{
    (void)state;
    fixture v = with(PEER "," NET);
    rg_collective_terms t;
    double b = 1e12, n = 8 * 4096;
    rg_collective_s(v.device, RG_ALL_REDUCE, n, 1, b, &t);
    double want = 2 * b * 7 / 8 / 100e9 + 2 * (b / 8) / 10e9;
    assert_true(fabs(t.beta_s / want - 1) < 1e-3);
    double small = rg_collective_s(v.device, RG_ALL_REDUCE, n, 1, 8, NULL);
    assert_true(small < 9e-6 + 14e-6 + 2 * 12 * 5e-6 + 2e-6); /* grows with the logarithm */
    done(&v);
}

static void laws(void **state)
{
    (void)state;
    static const char *const machines[] = {PEER "," NET, PAIR "," PEER, MESH "," NET,
                                           WIDE "," NET, HOST,          NET};
    static const rg_collective_kind kinds[] = {RG_ALL_REDUCE, RG_ALL_GATHER, RG_REDUCE_SCATTER, RG_ALL_TO_ALL,
                                               RG_SEND};
    for (size_t m = 0; m < RG_COUNT(machines); m++) {
        fixture v = with(machines[m]);
        for (size_t k = 0; k < RG_COUNT(kinds); k++) {
            for (double n = 2; n <= 8; n++) {
                double before = 0, least_share = kinds[k] == RG_SEND ? 1 : (n - 1) / n;
                for (double b = 1; b <= 1e12; b *= 4) {
                    rg_collective_terms t;
                    double s = rg_collective_s(v.device, kinds[k], n, 1, b, &t);
                    assert_true(isfinite(s) && s > before);
                    assert_true(t.steps >= 1 && t.wire_byte >= least_share * b * (1 - 1e-12));
                    assert_true(s >= t.wire_byte / (t.link->byte_per_s * t.link->count));
                    before = s;
                }
            }
            assert_true(rg_collective_s(v.device, kinds[k], 1, 1, 1e6, NULL) == 0);
            assert_true(rg_collective_s(v.device, kinds[k], 8, 1, 0, NULL) == 0);
        }
        done(&v);
    }
}

static void which_links(void **state)
{
    (void)state;
    static const struct {
        const char *links;
        double group, stride;
        const char *inner, *outer;
        double nodes;
    } rows[] = {
        {PAIR "," PEER, 2, 1, "pair", NULL, 1},
        {PAIR "," PEER, 4, 1, "peer", NULL, 1}, /* the bridge joins two */
        {PAIR "," PEER, 2, 2, "peer", NULL, 1}, /* not of one bridge */
        {PAIR "," HOST, 4, 1, "host", NULL, 1},
        {PEER "," NET, 12, 1, "peer", "net", 2},
        {NET, 4, 1, NULL, "net", 4},
        {WIDE "," NET, 64, 1, "wide", NULL, 1},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        fixture v = with(rows[i].links);
        rg_reach r;
        assert_true(rg_device_reach(v.device, rows[i].group, rows[i].stride, &r));
        assert_true(!r.inner == !rows[i].inner && !r.outer == !rows[i].outer && r.nodes == rows[i].nodes);
        if (r.inner) assert_string_equal(r.inner->name, rows[i].inner);
        if (r.outer) assert_string_equal(r.outer->name, rows[i].outer);
        done(&v);
    }
    fixture v = with(HOST); /* of one host */
    rg_reach r;
    assert_false(rg_device_reach(v.device, 9, 1, &r));
    done(&v);
    v = with(PEER); /* nine do not fit, and there is no way out */
    assert_false(rg_device_reach(v.device, 9, 1, &r));
    assert_true(isinf(rg_collective_s(v.device, RG_ALL_REDUCE, 9, 1, 1, NULL)));
    done(&v);
}

/* Through the host's memory every byte goes twice; in a mesh all links to different neighbors work at once.
 */
static void host_and_mesh(void **state)
{
    (void)state;
    fixture v = with(HOST);
    near(rg_collective_s(v.device, RG_SEND, 2, 1, 1e9, NULL), 4e-6 + 2e-6 + 2 * 1e9 / 20e9);
    done(&v);
    v = with(MESH);
    rg_collective_terms t;
    rg_collective_s(v.device, RG_ALL_GATHER, 8, 1, 8e9, &t);
    near(t.beta_s, 7e9 / 350e9);
    rg_collective_s(v.device, RG_ALL_GATHER, 2, 1, 2e9, &t);
    near(t.beta_s, 1e9 / 50e9);
    done(&v);
    v = with(WIDE); /* beyond a host trees are worth their while */
    rg_collective_s(v.device, RG_ALL_REDUCE, 64, 1, 1e3, &t);
    assert_string_equal(t.algorithm, "tree");
    assert_true(t.steps == 12);
    done(&v);
}

static void bad_profiles(void **state)
{
    (void)state;
    static const struct { const char *from, *to, *text; } rows[] = {
        {"\"to\": \"peer\"", "\"to\": \"moon\"", "'moon' is none of peer, network, host"},
        {"\"devices\": 8", "\"devices\": 1", "a fabric joins at least 2"},
        {"\"sustained_fraction\": 0.5", "\"sustained_fraction\": 1.5", "1.5"},
        {"\"start_s\": 4e-6", "\"start_s\": -1", "-1"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_ctx *cx = rg_ctx_new(NULL);
        const rg_device *d = NULL;
        const char *at = strstr(PEER, rows[i].from);
        assert_non_null(at);
        const char *text = rg_arena_printf(&cx->arena, "%.*s%s%s", (int)(at - PEER), PEER, rows[i].to,
                                           at + strlen(rows[i].from));
        assert_int_equal(linked(cx, text, &d), RG_FORMAT);
        assert_non_null(strstr(rg_ctx_error(cx), rows[i].text));
        rg_ctx_free(cx);
    }
}

/* ---- priced in a graph ---- */

#define HEAD "ridge.graph/1 \"net\" opset 20\n"

static const char graph[] =
    HEAD "graph (%x: f32[1024,1024]) { %a = Softmax(%x) %b = ridge:AllReduce(%a) group_size=4\n"
         "%y = ridge:Send(%b) group_size=2 stride=8 return %y }";

static void rows_of_a_graph(void **state)
{
    (void)state;
    fixture v = with(PEER "," NET);
    bench b = {.cx = v.cx, .device = rg_device_ref(v.device)};
    knobs k = machine_default;
    char why[400];
    assert_int_equal(machine_runtime(v.cx, &k, &b.runtime), RG_OK);
    if (machine_forecast(&b, graph, NULL, 0, 0)) fail_msg("%s", rg_ctx_error(v.cx));
    assert_int_equal(b.plan->row_count, 3);
    double byte = 1024 * 1024 * 4.0, host_s = k.launch_s;
    const rg_row_cost *reduce = &b.forecast->rows[1], *send = &b.forecast->rows[2];
    near(reduce->latency_s, form(6, 1.5 * byte) + host_s); /* a CPU launches itself */
    near(send->latency_s, 14e-6 + byte / 10e9 + host_s);
    assert_string_equal(reduce->limits[reduce->binding].name, "peer");
    assert_string_equal(send->limits[send->binding].name, "net");
    assert_int_equal(reduce->bound, RG_BOUND_MEMORY);
    near(reduce->energy.memory_j - send->energy.memory_j, 1.5 * byte * 10e-12); /* both pass main memory */
    rg_row_why(b.forecast, 1, why, sizeof why);
    assert_non_null(strstr(why, "ring among 4 devices"));
    assert_non_null(strstr(why, "peer"));
    for (uint32_t i = 0; i < b.forecast->check_count; i++) assert_true(b.forecast->checks[i].pass);
    bench_free(&b);
    done(&v);
}

/* Small all-reduces of a stack that has kernels for them: two steps, all bytes of all others; then three
 * steps, and the bytes of a ring. */
static void one_shot_of_the_stack(void **state)
{
    (void)state;
    static const struct { const char *size; double byte; int shots; } rows[] = {
        {"1024", 4096, 1}, {"65536", 262144, 2}, {"1048576", 4194304, 0},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        fixture v = with(PEER);
        bench b = {.cx = v.cx, .device = rg_device_ref(v.device)};
        assert_int_equal(machine_runtime(v.cx, &machine_default, &b.runtime), RG_OK);
        ((rg_runtime *)(uintptr_t)b.runtime)->one_shot_byte = 65536;
        ((rg_runtime *)(uintptr_t)b.runtime)->two_shot_byte = 1048576;
        const char *text = rg_arena_printf(&v.cx->arena,
                                           HEAD "graph (%%x: f32[%s]) {"
                                                " %%y = ridge:AllReduce(%%x) group_size=8 return %%y }",
                                           rows[i].size);
        if (machine_forecast(&b, text, NULL, 0, 0)) fail_msg("%s", rg_ctx_error(v.cx));
        const double byte = rows[i].byte;
        const double takes[] = {form(14, 1.75 * byte), 4e-6 + 2e-6 + 7 * byte / 100e9,
                                4e-6 + 3e-6 + 1.75 * byte / 100e9};
        near(rg_collective_row_s(b.plan, &b.plan->rows[0], NULL), takes[rows[i].shots]);
        /* two passes of main memory take longer than the wire of two shots */
        double passes_s = 2 * byte / machine_default.byte_per_s;
        double busy_s = fmax(takes[rows[i].shots], rows[i].shots == 2 ? 4e-6 + 3e-6 + passes_s : 0);
        near(b.forecast->rows[0].latency_s, machine_default.launch_s + busy_s);
        bench_free(&b);
        done(&v);
    }
}

static void refused_without_links(void **state)
{
    (void)state;
    bench b = {.cx = rg_ctx_new(NULL)};
    assert_int_equal(bench_round(&b, NULL, graph, 0), RG_UNSUPPORTED);
    assert_non_null(strstr(rg_ctx_error(b.cx), "round"));
    assert_non_null(strstr(rg_ctx_error(b.cx), "4 devices"));
    bench_free(&b);
    rg_ctx_free(b.cx);
}

/* ---- measured ---- */

/* Rows of the measured sets, each within what doc/link.md reports for its group. */
static void measured_points(void **state)
{
    static const struct {
        const char *device; rg_collective_kind kind; double devices, stride, byte, measured_s, within;
    } rows[] = {
        /* NCCL 2.26 on H200 */
        {"h200-sxm", RG_ALL_REDUCE, 2, 1, 134217728, 462.75e-6, 0.10},
        {"h200-sxm", RG_ALL_REDUCE, 4, 1, 4096, 9.70e-6, 0.10},
        {"h200-sxm", RG_ALL_REDUCE, 8, 1, 512, 16.45e-6, 0.10},
        {"h200-sxm", RG_ALL_REDUCE, 8, 1, 16777216, 120.79e-6, 0.10},
        {"h200-sxm", RG_ALL_GATHER, 4, 1, 67108864, 191.24e-6, 0.10},
        {"h200-sxm", RG_REDUCE_SCATTER, 8, 1, 536870912, 1394.2e-6, 0.10},
        {"h200-sxm", RG_ALL_TO_ALL, 8, 1, 8388608, 41.17e-6, 0.20},
        /* vidur */
        {"h100-sxm", RG_ALL_REDUCE, 8, 1, 29884416, 186e-6, 0.15},
        {"h100-sxm", RG_SEND, 2, 8, 67108864, 1871e-6, 0.10},
        {"a100-sxm-80gb", RG_ALL_REDUCE, 8, 1, 67108864, 675e-6, 0.10},
        {"a100-pcie-80gb", RG_ALL_REDUCE, 4, 1, 67108864, 4042e-6, 0.10},
    };
    (void)state;
    rg_ctx *cx = rg_ctx_new(NULL);
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const rg_device *d = NULL;
        if (rg_device_find(cx, rows[i].device, &d)) fail_msg("%s", rg_ctx_error(cx));
        double s = rg_collective_s(d, rows[i].kind, rows[i].devices, rows[i].stride, rows[i].byte, NULL);
        if (!(fabs(s / rows[i].measured_s - 1) <= rows[i].within))
            fail_msg("row %zu: %g s, measured %g s", i, s, rows[i].measured_s);
        rg_device_free(d);
    }
    rg_ctx_free(cx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_forms),          cmocka_unit_test(hierarchy),
        cmocka_unit_test(limit_of_many),         cmocka_unit_test(laws),
        cmocka_unit_test(which_links),           cmocka_unit_test(host_and_mesh),
        cmocka_unit_test(bad_profiles),          cmocka_unit_test(rows_of_a_graph),
        cmocka_unit_test(one_shot_of_the_stack), cmocka_unit_test(refused_without_links),
        cmocka_unit_test(measured_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
