/* test_plan.c - plans of small graphs, worked out by hand: which nodes share a row, what a row waits for,
 * where it is computed, how it is tiled, where its buffers lie.
 */
#include "machine.h"
#include "map/skyline.h"

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

#define HEAD "ridge.graph/1 \"net\" opset 20\n"
#define FUSING                                                                                             \
    "[{\"name\": \"conv\", \"anchor\": [\"#conv\"], \"follow\": [\"BatchNormalization\", \"Add\","         \
    "  \"#activation\", \"Mul\"], \"why\": \"epilogue\"},"                                                 \
    " {\"name\": \"gemm\", \"anchor\": [\"#gemm\"], \"follow\": [\"Add\", \"#activation\"],"               \
    "  \"max_nodes\": 3, \"why\": \"epilogue\"},"                                                          \
    " {\"name\": \"pointwise\", \"anchor\": [\"#elementwise\"], \"follow\": [\"#elementwise\"],"           \
    "  \"why\": \"one loop\"}]"

static void ready(bench *b, rg_err err)
{
    if (err) fail_msg("%s", rg_ctx_error(b->cx));
}

/* The plan of a text on the round machine. */
static bench planned(rg_ctx *cx, const char *rules, const char *text)
{
    bench b = {.cx = cx};
    knobs k = machine_default;
    k.rules = rules;
    ready(&b, bench_round(&b, &k, text, 0));
    return b;
}

static const rg_row *row_of(const bench *b, const char *value)
{
    const rg_plan *p = b->plan;
    for (uint32_t r = 0; r < p->row_count; r++) {
        for (uint32_t k = 0; k < p->rows[r].step_count; k++) {
            const rg_node *node = rg_node_at(p->graph, p->facts->steps[p->rows[r].steps[k]].node);
            for (uint32_t i = 0; i < node->out_count; i++)
                if (rg_str_is(p->graph->values[node->out[i]].name, value)) return &p->rows[r];
        }
    }
    fail_msg("no row computes %s", value);
    return NULL;
}

static bool together(const bench *b, const char *one, const char *other)
{
    return row_of(b, one) == row_of(b, other);
}

static bool waits(const bench *b, const char *value, const char *other)
{
    const rg_row *row = row_of(b, value), *wanted = row_of(b, other);
    for (uint32_t i = 0; i < row->dep_count; i++)
        if (&b->plan->rows[row->deps[i]] == wanted) return true;
    return false;
}

static const rg_buffer *buffer_of(const bench *b, const char *value)
{
    const rg_plan *p = b->plan;
    for (uint32_t i = 0; i < p->buffer_count; i++)
        if (rg_str_is(p->graph->values[p->buffers[i].value].name, value)) return &p->buffers[i];
    return NULL;
}

static void assert_close(double got, double wanted)
{
    if (!(fabs(got - wanted) <= 1e-9 * fabs(wanted))) fail_msg("got %.17g, wanted %.17g", got, wanted);
}

/* What holds for every plan: rows hold every step once, wait for earlier ones only; buffers that live at
 * the same time lie apart. */
static void assert_sane(const bench *b)
{
    const rg_plan *p = b->plan;
    uint32_t steps = 0;
    for (uint32_t r = 0; r < p->row_count; r++) {
        const rg_row *row = &p->rows[r];
        steps += row->step_count;
        assert_true(row->stage < p->stage_count);
        assert_true(row->work.in_byte >= 0 && row->work.out_byte >= 0 && row->saved_byte >= 0);
        assert_true(row->tiling.utilization > 0 && row->tiling.utilization <= 1 + 1e-12);
        for (uint32_t i = 0; i < row->dep_count; i++) {
            assert_true(row->deps[i] < r);
            assert_true(p->rows[row->deps[i]].stage <= row->stage);
        }
        for (uint32_t i = 0; i < r; i++) assert_true(p->rows[i].id != row->id);
    }
    assert_int_equal(steps, p->facts->step_count);
    for (uint32_t i = 0; i < p->buffer_count; i++) {
        const rg_buffer *x = &p->buffers[i];
        assert_true(x->born <= x->dies && x->dies < p->row_count);
        assert_true(x->offset_byte % 64 == 0 && x->offset_byte + x->size_byte <= p->block_byte);
        for (uint32_t k = 0; k < i; k++) {
            const rg_buffer *y = &p->buffers[k];
            bool same_time = x->born <= y->dies && y->born <= x->dies;
            bool apart = x->offset_byte + x->size_byte <= y->offset_byte ||
                         y->offset_byte + y->size_byte <= x->offset_byte;
            assert_true(apart || !same_time);
        }
    }
    for (uint32_t i = 0; i < b->forecast->check_count; i++) {
        const rg_check *check = &b->forecast->checks[i];
        if (!check->pass) fail_msg("%s: %s", check->name, check->text);
    }
}

/* ---- grouping ---- */

#define CONV_NET                                                                                           \
    HEAD "const %w = f32[8,8,3,3] none const %g = f32[8] none const %s = f32[8] none\n"                     \
    "const %m = f32[8] none\n"                                                                             \
    "const %v = f32[8] none\n"                                                                             \
    "graph (%x: f32[1,8,16,16]) {\n"                                                                       \
    "  %c = Conv(%x, %w) pads=1,1,1,1  %n = BatchNormalization(%c, %g, %s, %m, %v)  %r = Relu(%n)\n"       \
    "  return %r }"

static void convolution_takes_its_epilogue(void **state)
{
    bench b = planned(*state, FUSING, CONV_NET);
    double map = 8 * 16 * 16 * 4, mac = 8.0 * 16 * 16 * 72;
    const rg_row *row = row_of(&b, "c");
    assert_int_equal(b.plan->row_count, 1);
    assert_string_equal(row->kind, "conv");
    assert_int_equal(row->family, RG_FAMILY_CONV);
    assert_int_equal(row->step_count, 3);
    assert_close(row->work.mac, mac);
    assert_close(row->work.in_byte, map);   /* the input; what lies between the nodes stays inside */
    assert_close(row->work.out_byte, map);
    assert_close(row->work.weight_byte, 4 * (8 * 72 + 4 * 8));
    assert_close(row->saved_byte, 4 * map); /* two results not written, not read */
    assert_close(row->side_byte, 0);
    assert_close(row->kernels, 1);
    assert_sane(&b);
    bench_free(&b);
}

static void without_rules_every_node_is_a_row(void **state)
{
    bench b = planned(*state, "[]", CONV_NET);
    static const char *const kinds[] = {"Conv", "BatchNormalization", "Relu"};
    assert_int_equal(b.plan->row_count, 3);
    for (uint32_t r = 0; r < 3; r++) {
        assert_string_equal(b.plan->rows[r].kind, kinds[r]);
        assert_int_equal(b.plan->rows[r].stage, r);
        assert_close(b.plan->rows[r].saved_byte, 0);
    }
    assert_int_equal(b.plan->stage_count, 3);
    assert_sane(&b);
    bench_free(&b);
}

/* One of the two convolutions takes the Add, and waits for the other. */
static void a_residual_joins_one_side(void **state)
{
    bench b = planned(*state, FUSING,
        HEAD "const %w = f32[8,8,1,1] none\n"
        "graph (%x: f32[1,8,4,4]) {\n"
        "  %a = Conv(%x, %w)  %b = Conv(%x, %w)  %s = Add(%a, %b)  %r = Relu(%s) return %r }");
    assert_int_equal(b.plan->row_count, 2);
    assert_true(together(&b, "a", "r") && !together(&b, "a", "b"));
    assert_true(waits(&b, "r", "b"));
    assert_int_equal(row_of(&b, "b")->stage, 0);
    assert_int_equal(row_of(&b, "r")->stage, 1);
    assert_close(row_of(&b, "r")->side_byte, 8 * 16 * 4); /* b, read once in the epilogue */
    assert_sane(&b);
    bench_free(&b);
}

/* a is read twice: it cannot stay inside, so nothing is fused behind it. */
static void a_value_read_twice_is_not_swallowed(void **state)
{
    bench b = planned(*state, FUSING,
        HEAD "const %w = f32[8,8,1,1] none\n"
        "graph (%x: f32[1,8,4,4]) { %a = Conv(%x, %w) %r = Relu(%a) %s = Add(%r, %a) return %s }");
    assert_int_equal(b.plan->row_count, 2);
    assert_true(together(&b, "r", "s") && !together(&b, "a", "r"));
    assert_string_equal(row_of(&b, "r")->kind, "pointwise");
    assert_sane(&b);
    bench_free(&b);
}

static void an_output_is_not_swallowed(void **state)
{
    bench b = planned(*state, FUSING,
        HEAD "const %w = f32[8,8,1,1] none\n"
        "graph (%x: f32[1,8,4,4]) { %a = Conv(%x, %w) %r = Relu(%a) return %a, %r }");
    assert_int_equal(b.plan->row_count, 2);
    assert_sane(&b);
    bench_free(&b);
}

static void a_chain_of_products(void **state)
{
    bench b = planned(*state, FUSING,
        HEAD "const %w = f32[64,64] none const %c = f32[64] none\n"
        "graph (%x: f32[32,64]) {\n"
        "  %p = MatMul(%x, %w) %a = Add(%p, %c) %r = Relu(%a) %t = Tanh(%r)\n"
        "  %q = MatMul(%t, %w) %y = Add(%q, %c) return %y }");
    assert_int_equal(b.plan->row_count, 3); /* max_nodes 3: Tanh is left out */
    assert_true(together(&b, "p", "r") && !together(&b, "r", "t") && together(&b, "q", "y"));
    assert_string_equal(row_of(&b, "p")->kind, "gemm");
    assert_string_equal(row_of(&b, "t")->kind, "Tanh");
    assert_sane(&b);
    bench_free(&b);
}

/*      a
 *    /   \        a is read twice: its own row; b goes on to d, which waits for c
 *   b     c
 *    \   /
 *      d
 */
static void a_diamond_of_pointwise_nodes(void **state)
{
    bench b = planned(*state, FUSING,
        HEAD "graph (%x: f32[64,64]) { %a = Relu(%x) %b = Neg(%a) %c = Exp(%a) %d = Add(%b, %c) return %d }");
    assert_int_equal(b.plan->row_count, 3);
    assert_true(together(&b, "b", "d") && !together(&b, "c", "d") && !together(&b, "a", "b"));
    assert_true(waits(&b, "d", "c") && waits(&b, "d", "a") && waits(&b, "c", "a"));
    assert_int_equal(row_of(&b, "a")->stage, 0);
    assert_int_equal(row_of(&b, "c")->stage, 1);
    assert_int_equal(row_of(&b, "d")->stage, 2);
    assert_sane(&b);
    bench_free(&b);
}

static void views_ride_along(void **state)
{
    bench b = planned(*state, FUSING,
        HEAD "const %w = f32[8,8,1,1] none const %flat = i64[2] {8, 16} const %line = i64[1] {128}\n"
        "graph (%x: f32[1,8,4,4]) {\n"
        "  %a = Conv(%x, %w) %v = Reshape(%a, %flat) %r = Relu(%v)\n"  /* between two members */
        "  %y = Reshape(%r, %line)\n"                                  /* behind the last one */
        "  %u = Reshape(%x, %line) %z = Exp(%u) return %y, %z }");     /* of an input */
    assert_int_equal(b.plan->row_count, 3);
    assert_true(together(&b, "a", "y") && !together(&b, "u", "z"));
    assert_int_equal(row_of(&b, "a")->step_count, 4);
    assert_int_equal(row_of(&b, "u")->family, RG_FAMILY_VIEW);
    assert_close(row_of(&b, "u")->kernels, 0);
    assert_int_equal(row_of(&b, "z")->stage, 0); /* a view costs no stage */
    assert_close(row_of(&b, "a")->saved_byte, 2 * 8 * 16 * 4);
    assert_sane(&b);
    bench_free(&b);
}

/* The scales are multiplied into a map that they broadcast over: no epilogue of the product that makes
 * them. */
static void a_broadcast_ends_the_row(void **state)
{
    bench b = planned(*state, FUSING,
        HEAD "const %w = f32[8,8,1,1] none\n"
        "graph (%x: f32[1,8,4,4], %p: f32[1,8,1,1]) {\n"
        "  %s = Conv(%p, %w) %g = Sigmoid(%s) %y = Mul(%x, %g) return %y }");
    assert_int_equal(b.plan->row_count, 2);
    assert_true(together(&b, "s", "g") && !together(&b, "g", "y"));
    assert_sane(&b);
    bench_free(&b);
}

/* The body of a Loop stays apart from what surrounds it and runs as often as the loop. */
static void regions_do_not_mix(void **state)
{
    bench b = planned(*state, FUSING,
        HEAD "const %m = i64[] {5} const %yes = bool[] {1}\n"
        "graph (%x: f32[4,4]) {\n"
        "  %a = Relu(%x)\n"
        "  %b = Loop(%m, %yes, %a) body=graph (%i: i64[], %on: bool[], %v: f32[4,4]) {\n"
        "    %n = Neg(%v) %e = Exp(%n) return %on, %e }\n"
        "  %y = Tanh(%b) return %y }");
    assert_int_equal(b.plan->row_count, 3);
    assert_true(together(&b, "n", "e"));
    assert_close(row_of(&b, "n")->times, 5);
    assert_close(row_of(&b, "a")->times, 1);
    assert_true(waits(&b, "y", "e") && waits(&b, "n", "a"));
    assert_close(b.forecast->rows[1].total_s, 5 * b.forecast->rows[1].latency_s);
    assert_sane(&b);
    bench_free(&b);
}

/* A stack that folds constants computes what needs no input when it loads the model. */
static void constants_are_folded(void **state)
{
    static const char text[] =
        HEAD "const %w = f32[64,64] none\n"
        "graph (%x: f32[16,64]) { %t = Transpose(%w) perm=1,0  %y = MatMul(%x, %t) return %y }";
    bench b = planned(*state, "[]", text);
    const rg_row *fold = row_of(&b, "t"), *product = row_of(&b, "y");
    assert_true(fold->folded && !product->folded);
    assert_close(b.forecast->rows[0].latency_s, 0);
    assert_close(product->work.weight_byte, 64 * 64 * 4);
    assert_close(product->work.in_byte, 16 * 64 * 4);
    assert_close(b.plan->weight_byte, 64 * 64 * 4); /* the transposed one stays, the stored one goes */
    assert_null(buffer_of(&b, "t"));
    assert_sane(&b);
    bench_free(&b);
    ready(&b, bench_known(&b, "i7-12700k", "pytorch-eager", text, NULL, 0)); /* this one does not */
    assert_false(row_of(&b, "t")->folded);
    assert_true(b.forecast->rows[0].latency_s > 0);
    bench_free(&b);
}

static void ids_are_stable_across_devices(void **state)
{
    static const char *const devices[] = {"h100-sxm", "t4", "i7-12700k", "tpu-v4", "kpu-t100"};
    uint64_t id = 0, hash = 0;
    for (size_t i = 0; i < RG_COUNT(devices); i++) {
        bench b = {.cx = *state};
        ready(&b, bench_known(&b, devices[i], "native", CONV_NET, NULL, 0));
        assert_int_equal(b.plan->row_count, 1);
        if (i) assert_true(b.plan->rows[0].id == id && b.plan->hash != hash);
        id = b.plan->rows[0].id;
        hash = b.plan->hash;
        bench_free(&b);
    }
}

/* ONNX asks no node name to be unique. */
static void equal_names_get_their_own_ids(void **state)
{
    bench b = planned(*state, "[]",
        HEAD "graph (%x: f32[4]) { %a = Relu(%x) @act %b = Exp(%a) @act %c = Neg(%b) @act return %c }");
    assert_int_equal(b.plan->row_count, 3);
    assert_sane(&b); /* which compares all ids */
    bench_free(&b);
}

/* ---- placement ---- */

typedef struct placed {
    const char *device, *runtime, *precision, *type;
    rg_unit_kind unit;
    rg_hw_dtype dtype;
} placed;

static void assert_placed(rg_ctx *cx, const placed *rows, size_t count, const char *format)
{
    for (size_t i = 0; i < count; i++) {
        bench b = {.cx = cx};
        const char *text = rg_arena_printf(&cx->arena, format, rows[i].type, rows[i].type);
        ready(&b, bench_known(&b, rows[i].device, rows[i].runtime, text, rows[i].precision, 0));
        const rg_row *row = row_of(&b, "y");
        if (row->peak->unit != rows[i].unit || row->dtype != rows[i].dtype)
            fail_msg("row %zu, %s %s: %s %s", i, rows[i].device, rows[i].type,
                     rg_unit_kind_name(row->peak->unit), rg_hw_dtype_name(row->dtype));
        assert_int_equal(row->dtype, row->peak->dtype);
        bench_free(&b);
    }
}

static void products_find_their_unit(void **state)
{
    static const placed rows[] = {
        {"h100-sxm", "tensorrt", NULL, "f16", RG_MATRIX, RG_HW_F16},
        {"h100-sxm", "tensorrt", NULL, "f32", RG_MATRIX, RG_HW_TF32},       /* the stack allows it */
        {"h100-sxm", "pytorch-eager", NULL, "f32", RG_VECTOR, RG_HW_F32},   /* convolutions only */
        {"h100-sxm", "pytorch-eager", "tf32", "f32", RG_MATRIX, RG_HW_TF32}, /* asked for */
        {"v100-pcie-32gb", "tensorrt", "tf32", "f32", RG_VECTOR, RG_HW_F32}, /* it has none */
        {"h100-sxm", "tensorrt", "f8", "f32", RG_MATRIX, RG_HW_F8},
        {"a100-sxm-80gb", "tensorrt", "f8", "f32", RG_MATRIX, RG_HW_F16},   /* the next wider one */
        {"t4", "tensorrt", "bf16", "f32", RG_VECTOR, RG_HW_F32},            /* f16 lacks the range */
        {"epyc-9654", "native", "f16", "f32", RG_VECTOR, RG_HW_F32},        /* bf16 lacks the digits */
        {"xeon-8480", "native", "bf16", "f32", RG_MATRIX, RG_HW_BF16},
        {"xeon-8480", "native", NULL, "f32", RG_VECTOR, RG_HW_F32},
        {"tpu-v4", "native", NULL, "f32", RG_MATRIX, RG_HW_BF16},           /* its widest float */
        {"tpu-v4", "native", "f16", "f32", RG_MATRIX, RG_HW_BF16},
        {"kpu-t100", "native", NULL, "f32", RG_MATRIX, RG_HW_BF16},
        {"kpu-t100", "native", "f16", "f32", RG_MATRIX, RG_HW_F16},
        {"kpu-t100", "native", "i8", "f32", RG_MATRIX, RG_HW_I8},
    };
    assert_placed(*state, rows, RG_COUNT(rows),
                  HEAD "graph (%%x: %s[64,64], %%w: %s[64,64]) { %%y = MatMul(%%x, %%w) return %%y }");
}

static void convolutions_find_their_unit(void **state)
{
    static const placed rows[] = {
        {"a100-pcie-40gb", "pytorch-eager", NULL, "f32", RG_MATRIX, RG_HW_TF32},
        {"a100-pcie-40gb", "tensorrt", NULL, "f32", RG_MATRIX, RG_HW_TF32},
        {"a100-pcie-40gb", "native", NULL, "f32", RG_VECTOR, RG_HW_F32},
    };
    static const placed depthwise[] = { /* no reuse across channels: lanes */
        {"h100-sxm", "tensorrt", NULL, "f16", RG_VECTOR, RG_HW_F16},
        {"h100-sxm", "tensorrt", NULL, "f32", RG_VECTOR, RG_HW_F32},
        {"tpu-v4", "native", NULL, "f32", RG_VECTOR, RG_HW_F32},
    };
    assert_placed(*state, rows, RG_COUNT(rows),
                  HEAD "const %%w = %s[8,8,3,3] none graph (%%x: %s[1,8,16,16]) {\n"
                       "  %%y = Conv(%%x, %%w) return %%y }");
    assert_placed(*state, depthwise, RG_COUNT(depthwise),
                  HEAD "const %%w = %s[8,1,3,3] none graph (%%x: %s[1,8,16,16]) {\n"
                       "  %%y = Conv(%%x, %%w) group=8 return %%y }");
}

static void everything_else_goes_to_lanes(void **state)
{
    static const placed rows[] = {
        {"h100-sxm", "tensorrt", NULL, "f16", RG_VECTOR, RG_HW_F16},
        {"h100-sxm", "tensorrt", "i8", "f32", RG_VECTOR, RG_HW_F16},
        {"h100-sxm", "tensorrt", NULL, "i64", RG_VECTOR, RG_HW_F32},
        {"tpu-v4", "native", "bf16", "f32", RG_VECTOR, RG_HW_F32},
        {"i7-12700k", "native", NULL, "f64", RG_VECTOR, RG_HW_F64},
    };
    assert_placed(*state, rows, RG_COUNT(rows),
                  HEAD "graph (%%x: %s[64,64], %%w: %s[64,64]) { %%y = Add(%%x, %%w) return %%y }");
}

/* 8 P cores with 1.2032e12 op/s and 4 E cores with 230.4e9 work together; --threads takes P cores first. */
static void p_and_e_cores_add_up(void **state)
{
    static const struct { int threads; double rate, units; } rows[] = {
        {0, 1.2032e12 + 230.4e9, 12}, {12, 1.2032e12 + 230.4e9, 12}, {99, 1.2032e12 + 230.4e9, 12},
        {10, 1.2032e12 + 115.2e9, 10}, {8, 1.2032e12, 8}, {4, 601.6e9, 4}, {1, 150.4e9, 1},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        bench b = {.cx = *state};
        ready(&b, bench_known(&b, "i7-12700k", "native",
            HEAD "graph (%x: f32[960,960], %w: f32[960,960]) { %y = MatMul(%x, %w) return %y }", NULL,
            rows[i].threads));
        const rg_row *row = row_of(&b, "y");
        assert_close(rg_row_rate(row, rg_device_clock_max(b.device)), rows[i].rate);
        assert_close(row->unit_count, rows[i].units);
        assert_close(row->unit_total, 12);
        assert_true(row->tiling.units <= rows[i].units);
        bench_free(&b);
    }
}

static void what_cannot_be_planned_is_said(void **state)
{
    bench b = {.cx = *state};
    rg_plan_opt opt = {.size = sizeof opt, .precision = "f12"};
    const rg_plan *plan = NULL;
    ready(&b, bench_known(&b, "tpu-v4", "native", CONV_NET, NULL, 0));
    assert_int_equal(rg_plan_make(b.cx, b.graph, b.device, b.runtime, &opt, &plan), RG_USAGE);
    assert_non_null(strstr(rg_ctx_error(b.cx), "f12"));
    opt = (rg_plan_opt){.size = sizeof opt, .threads = -1};
    assert_int_equal(rg_plan_make(b.cx, b.graph, b.device, b.runtime, &opt, &plan), RG_USAGE);
    const rg_runtime *gpu_only = NULL;
    assert_int_equal(rg_runtime_find(b.cx, "tensorrt", NULL, &gpu_only), RG_OK);
    assert_int_equal(rg_plan_make(b.cx, b.graph, b.device, gpu_only, NULL, &plan), RG_UNSUPPORTED);
    assert_non_null(strstr(rg_ctx_error(b.cx), "tpu-v4"));
    assert_null(plan);
    rg_runtime_free(gpu_only);
    bench_free(&b);
}

/* ---- tiling ---- */

/* 133 products, each one tile, on 132 SMs: the last one takes a round of its own. */
static void waves_are_breadth_first(void **state)
{
    static const struct { int tiles; double utilization; } rows[] = {
        {132, 1}, {133, 133.0 / 264}, {264, 1}, {265, 265.0 / 396}, {1, 1.0 / 132},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        bench b = {.cx = *state};
        const char *text = rg_arena_printf(&b.cx->arena,
            HEAD "graph (%%x: f16[%d,16,128], %%w: f16[%d,128,32]) { %%y = MatMul(%%x, %%w) return %%y }",
            rows[i].tiles, rows[i].tiles);
        ready(&b, bench_known(&b, "h100-sxm", "tensorrt", text, NULL, 0));
        const rg_tiling *t = &row_of(&b, "y")->tiling;
        assert_close(t->tile[0], 16);
        assert_close(t->tile[1], 32);
        assert_close(t->blocks, rows[i].tiles);
        assert_close(t->utilization, rows[i].utilization);
        assert_close(t->units, fmin(rows[i].tiles, 132));
        assert_close(t->waves, ceil(t->blocks / (132 * t->per_unit)));
        /* 2048 threads of an SM, 128 a block, and 32 blocks at most */
        assert_close(t->per_unit, 16);
        assert_close(t->occupancy, 1);
        bench_free(&b);
    }
}

/* Whatever tile is chosen: padding and waves multiply. */
static void utilization_is_fill_times_balance(void **state)
{
    static const int shapes[][3] = {
        {1, 1000, 2048}, {197, 768, 768}, {3136, 64, 576}, {4096, 4096, 4096}, {49, 2048, 512},
    };
    for (size_t i = 0; i < RG_COUNT(shapes); i++) {
        const int *s = shapes[i];
        bench b = {.cx = *state};
        const char *text = rg_arena_printf(&b.cx->arena,
            HEAD "graph (%%x: f16[%d,%d], %%w: f16[%d,%d]) { %%y = MatMul(%%x, %%w) return %%y }", s[0], s[2],
            s[2], s[1]);
        ready(&b, bench_known(&b, "h100-sxm", "tensorrt", text, NULL, 0));
        const rg_tiling *t = &row_of(&b, "y")->tiling;
        double m = ceil(s[0] / t->tile[0]), n = ceil(s[1] / t->tile[1]), blocks = m * n * t->split_k;
        double fill = (double)s[0] * s[1] / (m * t->tile[0] * n * t->tile[1]);
        assert_close(t->blocks, blocks);
        assert_close(t->utilization, fill * blocks / (132 * ceil(blocks / 132)));
        if (t->split_k > 1) assert_true(m * n * t->split_k / 2 < 132 && s[2] / t->split_k >= 256);
        assert_sane(&b);
        bench_free(&b);
    }
}

/* 8 arrays of 128 x 128. One pass of 1024 rows would keep one array busy: 1024 + 256 clocks. With the other
 * operand held, 8 passes of 128 rows run side by side: 128 + 256 clocks, of which 128 compute. */
static void systolic_arrays_fill_and_drain(void **state)
{
    static const struct { int m, n, k; double clocks; } rows[] = {
        {1024, 128, 128, 128 + 256}, {128, 128, 128, 128 + 256}, {8192, 1024, 128, 8192 + 256},
        {1, 1024, 1024, 8 * 128 + 256},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        bench b = {.cx = *state};
        double m = rows[i].m, n = rows[i].n, k = rows[i].k;
        const char *text = rg_arena_printf(&b.cx->arena,
            HEAD "graph (%%x: bf16[%.0f,%.0f], %%w: bf16[%.0f,%.0f]) { %%y = MatMul(%%x, %%w) return %%y }",
            m, k, k, n);
        ready(&b, bench_known(&b, "tpu-v4", "native", text, NULL, 0));
        const rg_tiling *t = &row_of(&b, "y")->tiling;
        assert_close(t->utilization, m * n * k / (128 * 128 * 8) / rows[i].clocks);
        assert_sane(&b);
        bench_free(&b);
    }
}

/* 16 engines of 64 x 64: a tile takes k clocks and 64 to fill. */
static void tile_engines_fill(void **state)
{
    bench b = {.cx = *state};
    ready(&b, bench_known(&b, "kpu-t100", "native",
        HEAD "graph (%x: i8[1088,192], %w: i8[192,48]) { %y = MatMulInteger(%x, %w) return %y }", NULL, 0));
    const rg_tiling *t = &row_of(&b, "y")->tiling;
    assert_close(t->blocks, 17);
    assert_close(t->waves, 2);
    assert_close(t->occupancy, 48.0 / 64);
    assert_close(t->utilization, 48.0 / 64 * 192 / (192 + 64) * 17 / 32);
    assert_sane(&b);
    bench_free(&b);
}

/* 10 cores, 8 lanes: blocks of 6 x 16, 100 of them in 10 rounds. 36 columns fill 0.9 of 40 lanes, on 3
 * cores. */
static void cores_take_register_blocks(void **state)
{
    static const struct { int m, n; double blocks, waves, utilization; } rows[] = {
        {600, 16, 100, 10, 1}, {6, 36, 3, 1, 0.27}, {606, 16, 101, 11, 101.0 / 110}, {6, 16, 1, 1, 0.1},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        char text[256];
        snprintf(text, sizeof text,
                 HEAD "graph (%%x: f32[%d,2001], %%w: f32[2001,%d]) { %%y = MatMul(%%x, %%w) return %%y }",
                 rows[i].m, rows[i].n);
        bench b = planned(*state, "[]", text);
        const rg_tiling *t = &row_of(&b, "y")->tiling;
        assert_close(t->blocks, rows[i].blocks);
        assert_close(t->waves, rows[i].waves);
        assert_close(t->utilization, rows[i].utilization);
        assert_sane(&b);
        bench_free(&b);
    }
}

/* ---- memory ---- */

/* x, a, b, y of 1 KiB; a row needs its input and its output: 2 KiB, taken in turns. */
static void a_chain_needs_two_buffers(void **state)
{
    bench b = planned(*state, "[]",
        HEAD "graph (%x: f32[16,16]) {\n"
        "  %a = Transpose(%x) perm=1,0  %b = Transpose(%a) perm=1,0\n"
        "  %y = Transpose(%b) perm=1,0 return %y }");
    assert_int_equal(b.plan->buffer_count, 4);
    assert_int_equal(b.plan->block_byte, 2048);
    assert_close(b.plan->reuse, 2);
    assert_int_equal(buffer_of(&b, "x")->offset_byte, buffer_of(&b, "b")->offset_byte);
    assert_int_equal(buffer_of(&b, "a")->offset_byte, buffer_of(&b, "y")->offset_byte);
    for (uint32_t r = 0; r < 3; r++) assert_close(b.plan->live_byte[r], 2048);
    assert_close(b.plan->peak_byte, 2048); /* no weights, no workspace, no overhead */
    assert_sane(&b);
    bench_free(&b);
}

/* a (1 KiB) waits beside b (2 KiB) until c has read both. */
static void a_skip_keeps_its_buffer(void **state)
{
    bench b = planned(*state, "[]",
        HEAD "graph (%x: f32[16,16]) {\n"
        "  %a = Transpose(%x) perm=1,0  %b = Concat(%a, %a) axis=0  %c = Concat(%b, %a) axis=0\n"
        "  %y = Transpose(%c) perm=1,0 return %y }");
    const double live[] = {2048, 3072, 6144, 6144};
    for (uint32_t r = 0; r < 4; r++) assert_close(b.plan->live_byte[r], live[r]);
    assert_int_equal(b.plan->block_byte, 6144);
    assert_int_equal(b.plan->peak_row, 2);
    assert_sane(&b);
    bench_free(&b);
}

/* Relu and Exp write over the product that dies with them; nothing writes over the model's input. */
static void results_take_over_what_dies(void **state)
{
    bench b = planned(*state, "[]",
        HEAD "const %w = f32[16,16] none\n"
        "graph (%x: f32[16,16]) { %a = MatMul(%x, %w) %r = Relu(%a) %y = Exp(%r) return %y }");
    assert_int_equal(b.plan->buffer_count, 2);
    assert_int_equal(b.plan->block_byte, 2048);
    assert_true(buffer_of(&b, "a")->in_place);
    assert_int_equal(buffer_of(&b, "a")->dies, 2);
    assert_false(buffer_of(&b, "x")->in_place);
    assert_sane(&b);
    bench_free(&b);
    /* a is still read behind Relu: its place is not free; the sum may take either place */
    b = planned(*state, "[]",
        HEAD "const %w = f32[16,16] none\n"
        "graph (%x: f32[16,16]) { %a = MatMul(%x, %w) %r = Relu(%a) %y = Add(%r, %a) return %y }");
    assert_int_equal(b.plan->buffer_count, 3);
    assert_int_equal(buffer_of(&b, "r")->dies, 2);
    assert_sane(&b);
    bench_free(&b);
}

/* What only members of a row see needs no buffer. */
static void the_inside_of_a_row_needs_none(void **state)
{
    bench b = planned(*state, FUSING, CONV_NET);
    assert_int_equal(b.plan->buffer_count, 2);
    assert_null(buffer_of(&b, "c"));
    assert_int_equal(b.plan->block_byte, 2 * 8 * 16 * 16 * 4);
    assert_sane(&b);
    bench_free(&b);
}

/* A loop reads w in every round: nothing may take its place before the last row of the body. */
static void a_loop_holds_what_it_reads(void **state)
{
    bench b = planned(*state, "[]",
        HEAD "const %m = i64[] {5} const %yes = bool[] {1}\n"
        "graph (%x: f32[16,16]) {\n"
        "  %w = Transpose(%x) perm=1,0\n"
        "  %b = Loop(%m, %yes, %x) body=graph (%i: i64[], %on: bool[], %v: f32[16,16]) {\n"
        "    %p = MatMul(%v, %w) %t = Transpose(%p) perm=1,0  %e = Transpose(%t) perm=1,0 return %on, %e }\n"
        "  %y = Transpose(%b) perm=1,0 return %y }");
    assert_int_equal(buffer_of(&b, "w")->dies, row_of(&b, "e") - b.plan->rows);
    assert_int_equal(buffer_of(&b, "v")->dies, row_of(&b, "e") - b.plan->rows);
    assert_sane(&b);
    bench_free(&b);
}

static void empty_tensors_are_planned(void **state)
{
    static const char *const texts[] = {
        HEAD "graph (%x: f32[0,16]) { %y = Relu(%x) return %y }",
        HEAD "const %w = f32[16,8] none graph (%x: f32[0,16]) { %y = MatMul(%x, %w) return %y }",
        HEAD "const %w = f32[8,8,1,1] none graph (%x: f32[0,8,4,4]) { %y = Conv(%x, %w) return %y }",
        HEAD "graph (%x: f32[4,16]) { return %x }",
        HEAD "graph (%x: str[4]) { %y = Identity(%x) return %y }",
    };
    static const char *const devices[][2] = {
        {"h100-sxm", "tensorrt"}, {"i7-12700k", "onnxruntime-cpu"},
        {"tpu-v4", "native"},     {"kpu-t100", "native"},
    };
    for (size_t i = 0; i < RG_COUNT(texts); i++) {
        for (size_t d = 0; d < RG_COUNT(devices); d++) {
            bench b = {.cx = *state};
            ready(&b, bench_known(&b, devices[d][0], devices[d][1], texts[i], NULL, 0));
            assert_true(isfinite(b.forecast->latency_s.value) && isfinite(b.forecast->energy_j.value));
            for (uint32_t r = 0; r < b.plan->row_count; r++) {
                assert_true(isfinite(b.plan->rows[r].tiling.waves));
                assert_true(isfinite(b.forecast->rows[r].latency_s));
            }
            assert_sane(&b);
            bench_free(&b);
        }
    }
}

static void too_large_is_a_limit(void **state)
{
    bench b = {.cx = *state};
    rg_err err = bench_known(&b, "h100-sxm", "tensorrt",
        HEAD "graph (%x: f32[4000000000,4000000000]) { %y = Relu(%x) return %y }", NULL, 0);
    assert_int_equal(err, RG_LIMIT);
    assert_non_null(strstr(rg_ctx_error(b.cx), "bytes"));
    bench_free(&b);
}

/* Placing many buffers at random times: nothing overlaps, and asking the skyline is asking all buffers. */
static void the_skyline_sees_all(void **state)
{
    enum { COUNT = 300, ROWS = 77 };
    rg_ctx *cx = *state;
    rg_skyline sky;
    rg_buffer buffers[COUNT];
    const rg_buffer *near[COUNT];
    uint64_t seed = 1;
    assert_int_equal(rg_skyline_init(cx, &sky, ROWS), RG_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t a = (uint32_t)(rg_random_next(&seed) % ROWS), c = (uint32_t)(rg_random_next(&seed) % ROWS);
        rg_buffer *b = &buffers[i];
        *b = (rg_buffer){.value = i, .born = a < c ? a : c, .dies = a < c ? c : a};
        b->offset_byte = rg_random_next(&seed) % 1000;
        b->size_byte = rg_random_next(&seed) % 100;
        uint64_t top = 0;
        uint32_t count = 0;
        for (uint32_t k = 0; k < i; k++) {
            if (buffers[k].born > b->dies || b->born > buffers[k].dies) continue;
            uint64_t end = buffers[k].offset_byte + buffers[k].size_byte;
            if (end > top) top = end;
            count++;
        }
        assert_true(rg_skyline_top(&sky, b) == top);
        assert_int_equal(rg_skyline_near(&sky, b, near, COUNT), count);
        for (uint32_t k = 0; k < count; k++)
            assert_true(near[k]->born <= b->dies && b->born <= near[k]->dies);
        if (count > 5) assert_int_equal(rg_skyline_near(&sky, b, near, 5), 6);
        assert_true(rg_skyline_add(&sky, b));
    }
}

/* More live at once than gaps are looked for among: still apart, and no larger than their sum. */
static void crowds_are_stacked(void **state)
{
    enum { COUNT = 700 };
    bench b = {.cx = *state};
    rg_build g;
    rg_graph *graph = NULL;
    assert_int_equal(rg_build_init(&g, b.cx, "crowd"), RG_OK);
    rg_value_id x = rg_build_input(&g, "x", RG_F32, 2, (const rg_dim[]){16, 16});
    for (int i = 0; i < COUNT; i++) {
        x = rg_build_node(&g, "Transpose", "perm=1,0", x, -1);
        rg_build_output(&g, rg_arena_printf(&b.cx->arena, "y%d", i), x);
    }
    assert_int_equal(rg_build_done(&g, &graph), RG_OK);
    assert_int_equal(rg_graph_resolve(b.cx, graph), RG_OK);
    assert_int_equal(rg_graph_infer(b.cx, graph), RG_OK);
    b.graph = graph;
    assert_int_equal(machine_device(b.cx, &machine_default, &b.device), RG_OK);
    assert_int_equal(machine_runtime(b.cx, &machine_default, &b.runtime), RG_OK);
    assert_int_equal(rg_plan_make(b.cx, b.graph, b.device, b.runtime, NULL, &b.plan), RG_OK);
    assert_int_equal(rg_forecast_make(b.cx, b.plan, NULL, &b.forecast), RG_OK);
    assert_int_equal(b.plan->buffer_count, COUNT + 1);
    assert_true(b.plan->block_byte >= COUNT * 1024 && b.plan->block_byte <= (COUNT + 1) * 1024);
    assert_sane(&b);
    bench_free(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(convolution_takes_its_epilogue),
        TEST(without_rules_every_node_is_a_row),
        TEST(a_residual_joins_one_side),
        TEST(a_value_read_twice_is_not_swallowed),
        TEST(an_output_is_not_swallowed),
        TEST(a_chain_of_products),
        TEST(a_diamond_of_pointwise_nodes),
        TEST(views_ride_along),
        TEST(a_broadcast_ends_the_row),
        TEST(regions_do_not_mix),
        TEST(constants_are_folded),
        TEST(ids_are_stable_across_devices),
        TEST(equal_names_get_their_own_ids),
        TEST(products_find_their_unit),
        TEST(convolutions_find_their_unit),
        TEST(everything_else_goes_to_lanes),
        TEST(p_and_e_cores_add_up),
        TEST(what_cannot_be_planned_is_said),
        TEST(waves_are_breadth_first),
        TEST(utilization_is_fill_times_balance),
        TEST(systolic_arrays_fill_and_drain),
        TEST(tile_engines_fill),
        TEST(cores_take_register_blocks),
        TEST(a_chain_needs_two_buffers),
        TEST(a_skip_keeps_its_buffer),
        TEST(results_take_over_what_dies),
        TEST(the_inside_of_a_row_needs_none),
        TEST(a_loop_holds_what_it_reads),
        TEST(empty_tensors_are_planned),
        TEST(too_large_is_a_limit),
        TEST(the_skyline_sees_all),
        TEST(crowds_are_stacked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
