/* test_runtime.c - runtime profiles: what ships, the defaults by device kind, and what a bad file is told. */
#include "hw/hw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif

static int setup(void **state)
{
    *state = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .data_dir = RG_SOURCE_ROOT "/data"});
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' does not say '%s'", text, part);
}

static const rg_runtime *find(rg_ctx *cx, const char *id, const char *device_id)
{
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    if (device_id && rg_device_find(cx, device_id, &device)) fail_msg("%s", rg_ctx_error(cx));
    if (rg_runtime_find(cx, id, device, &runtime)) fail_msg("%s", rg_ctx_error(cx));
    rg_device_free(device);
    return runtime;
}

static void test_all_profiles(void **state)
{
    const char *const *ids;
    size_t count;
    assert_int_equal(rg_runtime_ids(*state, &ids, &count), RG_OK);
    assert_true(count >= 11);
    for (size_t i = 0; i < count; i++) {
        const rg_runtime *r = find(*state, ids[i], NULL);
        assert_string_equal(r->id, ids[i]);
        assert_true(r->interval_factor >= 1.2 && r->interval_factor <= 5);
        assert_true(r->launch_s >= 0 && r->launch_s < 1e-4 && r->graph_s < 3e-3);
        assert_true(r->host_clock_hz > 1e9 && r->host_clock_hz < 6e9); /* all times are of a known host */
        assert_true(r->memory_overhead_byte < 4e9);
        for (size_t k = 0; k < r->efficiency_count; k++) {
            const rg_efficiency *e = &r->efficiencies[k];
            assert_true(e->compute > 0 && e->compute <= 1 && e->memory > 0 && e->memory <= 1);
            for (size_t n = 0; n < k; n++) assert_string_not_equal(r->efficiencies[n].family, e->family);
        }
        rg_runtime_free(r);
    }
}

/* The customary stack of each kind of device. */
static void test_defaults(void **state)
{
    static const struct { const char *device, *runtime; } rows[] = {
        {"h100-sxm", "tensorrt"}, {"xeon-8480", "onnxruntime-cpu"}, {"tpu-v4", "native"}, {"kpu-t100",
                                                                                           "native"},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const rg_runtime *r = find(*state, NULL, rows[i].device);
        assert_string_equal(r->id, rows[i].runtime);
        rg_runtime_free(r);
    }
}

static void test_one_default_for_each_kind(void **state)
{
    const char *const *ids;
    size_t count;
    assert_int_equal(rg_runtime_ids(*state, &ids, &count), RG_OK);
    for (int kind = 0; kind < RG_DEVICE_KIND_COUNT; kind++) {
        int defaults = 0; /* those of one vendor come on top */
        for (size_t i = 0; i < count; i++) {
            const rg_runtime *r = find(*state, ids[i], NULL);
            for (size_t k = 0; k < r->default_count && !r->vendor_count; k++)
                defaults += strcmp(r->default_for[k], rg_device_kind_name((rg_device_kind)kind)) == 0;
            rg_runtime_free(r);
        }
        assert_int_equal(defaults, 1);
    }
}

static void test_every_device_has_a_default(void **state)
{
    const char *const *ids;
    size_t count;
    assert_int_equal(rg_device_ids(*state, &ids, &count), RG_OK);
    for (size_t i = 0; i < count; i++) {
        const rg_device *device;
        const rg_runtime *r;
        assert_int_equal(rg_device_find(*state, ids[i], &device), RG_OK);
        assert_int_equal(rg_runtime_find(*state, NULL, device, &r), RG_OK);
        assert_true(rg_runtime_runs_on(r, device));
        bool nvidia = device->kind == RG_DEVICE_GPU && strcmp(device->vendor, "NVIDIA") == 0;
        assert_int_equal(strcmp(r->id, "tensorrt") == 0, nvidia);
        rg_runtime_free(r);
        rg_device_free(device);
    }
}

static void test_runs_on(void **state)
{
    const rg_device *cpu;
    const rg_runtime *r;
    assert_int_equal(rg_device_find(*state, "epyc-9654", &cpu), RG_OK);
    assert_int_equal(rg_runtime_find(*state, "tensorrt", cpu, &r), RG_UNSUPPORTED);
    assert_has(rg_ctx_error(*state), "runtime 'tensorrt' does not run on cpu 'epyc-9654'; it runs on gpu");
    r = find(*state, "pytorch-eager", "epyc-9654");
    assert_true(rg_runtime_runs_on(r, cpu));
    rg_runtime_free(r);
    rg_device_free(cpu);
}

static void test_unknown(void **state)
{
    const rg_runtime *r;
    assert_int_equal(rg_runtime_find(*state, "tensort", NULL, &r), RG_INPUT);
    assert_has(rg_ctx_error(*state), "runtime 'tensort' is not known; nearest: tensorrt");
    assert_int_equal(rg_runtime_find(*state, NULL, NULL, &r), RG_INPUT);
    assert_int_equal(rg_runtime_find(*state, "/no/such.json", NULL, &r), RG_INPUT);
}

/* PyTorch: torch.backends.cudnn.allow_tf32 is on,
 * torch.backends.cuda.matmul.allow_tf32 is off; eager fuses nothing. */
static void test_eager_is_eager(void **state)
{
    const rg_runtime *r = find(*state, "pytorch-eager", NULL), *engine = find(*state, "tensorrt", NULL);
    assert_string_equal(r->tf32, "conv");
    assert_false(r->folds_constants || r->fuses_attention);
    /* a bias at most */
    for (size_t i = 0; i < r->rule_count; i++) assert_int_equal(r->rules[i].max_nodes, 2);
    assert_true(engine->rule_count > r->rule_count);
    assert_true(engine->launch_s < r->launch_s);
    assert_string_equal(engine->tf32, "allowed");
    rg_runtime_free(r);
    rg_runtime_free(engine);
}

/* A replayed graph has the kernels of eager and other launches; what a derived profile changes by name stays
 * where it was, and it is nobody's default. */
static void test_like(void **state)
{
    static const char derived[] =
        "{\"schema\": \"ridge.runtime/1\", \"like\": \"onnxruntime-cpu\", \"name\": \"Mine\","
        " \"launch\": {\"launch_s\": 5e-6}, \"efficiencies\": {\"conv\": {\"compute\": 0.125}}}";
    const rg_runtime *eager = find(*state, "pytorch-eager", NULL), *graph = find(*state, "cuda-graph", NULL);
    assert_int_equal(graph->rule_count, eager->rule_count);
    assert_int_equal(graph->efficiency_count, eager->efficiency_count);
    assert_true(graph->launch_s < eager->launch_s / 10 && graph->host_clock_hz == eager->host_clock_hz);
    assert_string_equal(graph->tf32, eager->tf32);
    assert_int_equal(graph->source_count, eager->source_count + 1);
    assert_true(graph->hash != eager->hash);
    const rg_runtime *mine, *base = find(*state, "onnxruntime-cpu", NULL);
    assert_int_equal(rg_runtime_parse(*state, RG_LIT(derived), "mine", &mine), RG_OK);
    assert_true(mine->launch_s == 5e-6 && mine->graph_s == base->graph_s && mine->default_count == 0);
    assert_null(mine->note);
    assert_true(rg_runtime_efficiency(mine, "conv", RG_DEVICE_CPU)->compute == 0.125);
    assert_true(rg_runtime_efficiency(mine, "conv", RG_DEVICE_CPU)->memory ==
                rg_runtime_efficiency(base, "conv", RG_DEVICE_CPU)->memory);
    rg_runtime_free(eager);
    rg_runtime_free(graph);
    rg_runtime_free(mine);
    rg_runtime_free(base);
}

static void test_like_says_what_is_wrong(void **state)
{
    const rg_runtime *r;
    rg_str nobody = RG_LIT("{\"schema\": \"ridge.runtime/1\", \"like\": \"pytorch\"}");
    rg_str nameless = RG_LIT("{\"schema\": \"ridge.runtime/1\", \"like\": \"native\"}");
    assert_int_equal(rg_runtime_parse(*state, nobody, "x", &r), RG_INPUT);
    assert_has(rg_ctx_error(*state), "like: runtime 'pytorch' is not known; nearest: pytorch-");
    assert_int_equal(rg_runtime_parse(*state, nameless, "x", &r), RG_FORMAT);
    assert_has(rg_ctx_error(*state), "name: is missing");
}

/* One stack is not the same on every kind of device. */
static void test_efficiency_by_kind(void **state)
{
    const rg_runtime *r = find(*state, "pytorch-eager", NULL);
    assert_string_equal(rg_runtime_efficiency(r, "conv", RG_DEVICE_CPU)->family, "conv@cpu");
    assert_string_equal(rg_runtime_efficiency(r, "conv", RG_DEVICE_GPU)->family, "conv");
    assert_string_equal(rg_runtime_efficiency(r, "embed", RG_DEVICE_CPU)->family, "embed");
    rg_runtime_free(r);
}

static const char small[] =
    "{\"schema\": \"ridge.runtime/1\", \"name\": \"Small\", \"kinds\": [\"cpu\", \"gpu\"],"
    " \"default_for\": [\"cpu\"],"
    " \"launch\": {\"host_clock_hz\": 2e9, \"launch_s\": 1e-6, \"hidden\": true, \"graph_s\": 2e-6,"
    " \"linear_launches\": 1.5, \"sequence_s\": 3e-6, \"sequence_byte\": 7e6, \"branch_overlap\": 0.5,"
    " \"source\": \"s: words\"},"
    " \"folds_constants\": true, \"fuses_attention\": false, \"layout\": \"nchw\","
    " \"pad\": {\"f16\": 8, \"i8\": 16, \"source\": \"s\"},"
    " \"memory\": {\"overhead_byte\": 5, \"workspace_fraction\": 0.5, \"in_place\": true, \"source\": \"s\"},"
    " \"interval\": {\"factor\": 2, \"source\": \"s\"},"
    " \"rules\": [{\"name\": \"conv\", \"anchor\": [\"Conv\"], \"follow\": [\"Add\", \"#activation\"],"
    " \"max_nodes\": 4, \"why\": \"w\"}],"
    " \"efficiencies\": [{\"family\": \"gemm\", \"compute\": 0.5, \"memory\": 0.75, \"source\": \"s\"},"
    " {\"family\": \"softmax\", \"compute\": 0.5, \"memory\": 0.75, \"held_k\": 64, \"held_compute\": 1,"
    " \"source\": \"s\"},"
    " {\"family\": \"default\", \"compute\": 0.25, \"memory\": 0.125, \"source\": \"s\"}],"
    " \"sources\": {\"s\": {\"title\": \"t\"}}}";

static void test_reads_every_field(void **state)
{
    const rg_runtime *r;
    assert_int_equal(rg_runtime_parse(*state, RG_LIT(small), "small", &r), RG_OK);
    assert_int_equal(r->kind_count, 2);
    assert_true(r->launch_s == 1e-6 && r->launch_hidden && r->graph_s == 2e-6 && r->sequence_s == 3e-6);
    assert_true(r->linear_launches == 1.5 && r->branch_overlap == 0.5 && r->in_place &&
                r->host_clock_hz == 2e9);
    assert_true(r->sequence_byte == 7e6);
    assert_true(r->pad[RG_HW_F16] == 8 && r->pad[RG_HW_I8] == 16 && r->pad[RG_HW_F32] == 0);
    assert_true(r->folds_constants && !r->fuses_attention && !r->tf32);
    assert_true(r->memory_overhead_byte == 5 && r->workspace_fraction == 0.5 && r->interval_factor == 2);
    assert_string_equal(r->rules[0].anchor[0], "Conv");
    assert_string_equal(r->rules[0].follow[1], "#activation");
    assert_int_equal(r->rules[0].max_nodes, 4);
    assert_true(rg_runtime_efficiency(r, "gemm", RG_DEVICE_GPU)->memory == 0.75);
    assert_true(rg_runtime_efficiency(r, "pool", RG_DEVICE_GPU)->compute == 0.25); /* default */
    assert_true(rg_runtime_efficiency(r, "gemm", RG_DEVICE_GPU)->held_k == 0);
    assert_true(rg_runtime_efficiency(r, "softmax", RG_DEVICE_GPU)->held_k == 64);
    assert_true(rg_runtime_efficiency(r, "softmax", RG_DEVICE_GPU)->held_compute == 1);
    assert_ptr_equal(rg_runtime_ref(r), r);
    rg_runtime_free(r);
    rg_runtime_free(r);
    rg_runtime_free(NULL);
}

static const struct { const char *from, *to, *says; } broken[] = {
    {"\"hidden\"", "\"hiden\"", "small.json: launch: unknown key 'hiden'; the nearest known one is 'hidden'"},
    {"\"factor\": 2", "\"factor\": 0.5", "interval.factor: 0.5 is below 1"},
    {"\"compute\": 0.5", "\"compute\": 1.5", "efficiencies[0].compute: 1.5 is not above 0 and at most 1"},
    {"\"default\"", "\"defaults\"", "efficiencies: there is none for default"},
    {"\"cpu\", \"gpu\"", "\"cpu\", \"dpu\"", "kinds[1]: 'dpu' is not known"},
    {"[\"cpu\", \"gpu\"]", "[]", "kinds: has 0 rows"},
    {"\"default_for\": [\"cpu\"]", "\"default_for\": [\"tpu\"]", "default_for[0]: 'tpu' is not in kinds"},
    {"\"layout\": \"nchw\"", "\"layout\": \"chwn\"", "layout[0]: 'chwn' is not known"},
    {"\"layout\"", "\"tf32\": \"yes\", \"layout\"", "tf32[0]: 'yes' is not known"},
    {"\"gemm\"", "\"gemm@gpx\"", "efficiencies[0]: family[0]: 'gpx' is not known"},
    {"\"f16\": 8", "\"f16\": 1.5", "pad.f16: 1.5 is not a whole number"},
    {"16, \"source\": \"s\"", "16, \"source\": \"x\"", "pad.source: 'x' does not begin with a key"},
    {"[\"Conv\"]", "[]", "rules[0].anchor: has 0 operators"},
    {"\"max_nodes\": 4", "\"max_nodes\": 1", "rules[0].max_nodes: 1 would group nothing"},
    {"\"s: words\"", "\"x\"", "launch.source: 'x' does not begin with a key of sources"},
    {"\"name\": \"Small\", ", "", "name: is missing"},
    {"\"rules\": [", "\"rules\": [3, ", "rules[0]: expected an object, got a number"},
};

static void test_says_what_is_wrong(void **state)
{
    rg_ctx *cx = *state;
    for (size_t i = 0; i < RG_COUNT(broken); i++) {
        const rg_runtime *r;
        const char *at = strstr(small, broken[i].from);
        assert_non_null(at);
        const char *text = rg_arena_printf(&cx->arena, "%.*s%s%s", (int)(at - small), small, broken[i].to,
                                           at + strlen(broken[i].from));
        assert_non_null(text);
        rg_err err = rg_runtime_parse(cx, rg_str_of(text), "small", &r);
        if (err != RG_FORMAT) fail_msg("'%s' gives %d, not RG_FORMAT", broken[i].to, (int)err);
        assert_has(rg_ctx_error(cx), broken[i].says);
    }
}

static void test_cut_at_every_byte(void **state)
{
    const rg_runtime *r;
    for (size_t size = 0; size + 1 < sizeof small; size++)
        assert_int_equal(rg_runtime_parse(*state, (rg_str){small, size}, "small", &r), RG_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_profiles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_default_for_each_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_device_has_a_default, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runs_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eager_is_eager, setup, teardown),
        cmocka_unit_test_setup_teardown(test_like, setup, teardown),
        cmocka_unit_test_setup_teardown(test_like_says_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_efficiency_by_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_every_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_says_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_at_every_byte, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
