/* test_evaluate_model.c - whole models that others have measured: forecasts against the least that arithmetic
 * takes, stand-ins against the totals that they are made of, and rows that end up in the right kind.
 */
#include "learn/evaluate.h"
#include "learn/served_llm.h"
#include "learn/stand_in.h"
#include "learn/stand_in_llm.h"
#include "scenario/llm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static rg_evaluation *evaluated_with(rg_ctx *cx, const char *text, int probes, size_t *count)
{
    char path[] = "/tmp/ridge-evaluate-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    rg_evaluation *all = NULL;
    rg_evaluate_opt opt = {.size = sizeof opt, .probes = probes};
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    rg_err err = rg_evaluate_file(cx, path, &opt, &all, count);
    unlink(path);
    if (err) fail_msg("%s", rg_ctx_error(cx));
    return all;
}

static rg_evaluation *evaluated(rg_ctx *cx, const char *text, size_t *count)
{
    return evaluated_with(cx, text, 0, count);
}

/* ---- language models ---- */

static void a_language_model_takes_its_arithmetic(void **state)
{
    size_t count = 0;
    rg_evaluation *e = evaluated(*state,
                                 "device,model,seq,batch,num_layer,latency_ms\n"
                                 "v100-pcie-32gb,bert_large,512,8,24,257\n"
                                 "v100-pcie-32gb,bert_large,512,8,23,257\n"
                                 "v100-pcie-32gb,bert_titanic,512,8,24,257\n"
                                 "v100-pcie-32gb,bert_large,512,0,24,257\n",
                                 &count);
    assert_int_equal(count, 1);
    assert_int_equal(e->count, 4);
    /* 24 layers of 12 d^2 weights, and of 2 d multiply-adds for each pair of tokens (d = 1024), at 14 TFLOP/s
     * (NVIDIA V100 data sheet, PCIe, single precision) */
    double tokens = 8 * 512, d = 1024, least_s = 2 * 24 * tokens * (12 * d * d + 2 * 512 * d) / 14e12;
    double forecast_s = e->verdicts[0].forecast[0];
    assert_true(forecast_s >= least_s && forecast_s < 3 * least_s);
    for (int i = 1; i < 4; i++) {
        assert_non_null(e->verdicts[i].error);
        assert_true(isnan(e->verdicts[i].forecast[0]));
    }
    rg_evaluation_free(e, count);
}

/* What the judge prices is what `ridge predict --skip recognize-attention` does. */
static void commands_go_the_way_of_judges(void **state)
{
    rg_ctx *cx = *state;
    size_t count = 0;
    const rg_graph *graph = NULL;
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    const rg_forecast *f = NULL;
    const rg_load_opt load = {.size = sizeof load, .shape = "seq=256", .batch = 4,
                              .skip = "recognize-attention"};
    rg_evaluation *e = evaluated(cx, "device,model,seq,batch,num_layer,latency_ms\n"
                                 "a100-pcie-40gb,bert_base,256,4,12,20\n", &count);
    if (rg_graph_load(cx, "zoo:bert-base", &load, &graph) || rg_device_find(cx, "a100-pcie-40gb", &device)
        || rg_runtime_find(cx, "pytorch-eager", device, &runtime)
        || rg_plan_make(cx, graph, device, runtime,
                        &(rg_plan_opt){.size = sizeof(rg_plan_opt), .precision = "f32"}, &plan)
        || rg_forecast_make(cx, plan, NULL, &f))
        fail_msg("%s", rg_ctx_error(cx));
    double both[] = {e->verdicts[0].forecast[0], f->latency_s.value};
    if (!(fabs(both[0] - both[1]) < 1e-9 * both[0])) fail_msg("%g, %g", both[0], both[1]);
    rg_forecast_free(f);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_graph_free(graph);
    rg_evaluation_free(e, count);
}

/* ---- images ---- */

#define COLUMNS                                                                                              \
    "note,device,mode,model,family,batch,precision,layout,img_size,samples_per_s,step_ms,latency_ms,gmacs,"  \
    "macts_m,params_m,framework,compile\n"
#define ROW(note, mode, model, side, totals, measured)                                                       \
    note ",rtx-3090," mode "," model ",f,256,amp_fp16,nchw," side ",," measured ",," totals                  \
    ",pytorch 2.4.0,eager\n"

enum { BATCH = 256 };
static const double peak = 142e12; /* FLOP/s: RTX 3090, f16 with f16 sums (NVIDIA GA102 whitepaper) */

static const rg_evaluation *of_kind(const rg_evaluation *all, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].judge->name, name) == 0) return &all[i];
    fail_msg("no row is of kind %s", name);
    return NULL;
}

static void images_are_of_three_kinds(void **state)
{
    size_t count = 0;
    rg_evaluation *all = evaluated(*state,
                                   COLUMNS ROW("", "infer", "resnet50", "224", "4.11,11.11,25.56", "100")
                                   ROW("", "infer", "resnet50", "288", ",,25.56", "160")
                                   ROW("", "infer", "vit_unheard_of_384", "384", "55.5,101.6,86.9", "900")
                                   ROW("", "infer", "mystery", "224", ",,", "100")
                                   ROW("", "train", "resnet50", "224", ",,25.56", "300"),
                                   &count);
    assert_int_equal(count, 3);
    const rg_evaluation *graph = of_kind(all, count, "vision_graph");
    const rg_evaluation *totals = of_kind(all, count, "vision_totals");
    const rg_evaluation *unknown = of_kind(all, count, "vision_unknown");
    assert_int_equal(graph->count, 2);
    assert_int_equal(totals->count, 1);
    assert_int_equal(unknown->count, 2);
    assert_non_null(strstr(unknown->verdicts[0].error, "no totals"));
    assert_non_null(strstr(unknown->verdicts[1].error, "training"));
    const double *small = graph->verdicts[0].forecast, *large = graph->verdicts[1].forecast;
    /* 4.09 G multiply-adds at 224 (torchvision), and positions grow with the area */
    assert_true(small[0] >= 2 * 4.09e9 * BATCH / peak);
    assert_true(fabs(large[0] / small[0] / (288.0 * 288 / 224 / 224) - 1) < 0.2);
    assert_true(fabs(small[0] * small[1] / BATCH - 1) < 1e-12);
    assert_true(totals->verdicts[0].forecast[0] >= 2 * 55.5e9 * BATCH / peak);
    rg_evaluation_free(all, count);
}

static void images_are_forecast_from_their_columns_only(void **state)
{
    static const char *const files[] = {
        COLUMNS ROW("", "infer", "dla60", "224", "4.26,10.16,22.04", "100")
        ROW("", "infer", "resnet18", "224", ",,", "100"),
        COLUMNS ROW("x", "infer", "dla60", "224", "4.26,10.16,22.04", "7")
        ROW("y", "infer", "resnet18", "224", ",,", "7"),
    };
    double seen[2][2];
    for (int i = 0; i < 2; i++) {
        size_t count = 0;
        rg_evaluation *all = evaluated(*state, files[i], &count);
        seen[i][0] = of_kind(all, count, "vision_graph")->verdicts[0].forecast[0];
        seen[i][1] = of_kind(all, count, "vision_totals")->verdicts[0].forecast[0];
        rg_evaluation_free(all, count);
    }
    assert_memory_equal(seen[0], seen[1], sizeof *seen);
    assert_true(seen[0][0] > 0 && seen[0][1] > 0);
}

/* All is measured at e^0.4 of what is forecast; six probes of equal networks leave about a quarter of that,
 * as 1 / (1 + 6 (prior / noise)^2), of the intervals that ship. */
static void probes_correct_the_rest(void **state)
{
    char text[8192];
    double bias[2] = {0};
    size_t count = 0, scored = 0;
    rg_evaluation *plain = evaluated(*state, COLUMNS ROW("", "infer", "resnet50", "224", ",,", "100"),
                                     &count);
    double forecast_ms = plain->verdicts[0].forecast[0] * 1e3;
    rg_evaluation_free(plain, count);
    int at = snprintf(text, sizeof text, "%s", COLUMNS);
    for (int side = 224; side < 234; side++) /* one after the other, nearly the same */
        at += snprintf(text + at, sizeof text - (size_t)at,
                       ROW("", "infer", "resnet50", "%d", ",,", "%.6g"), side,
                       forecast_ms * exp(0.4) * side * side / 224 / 224);
    for (int i = 0; i < 2; i++) {
        rg_evaluation *e = evaluated_with(*state, text, 6 * i, &count);
        scored = 0;
        for (size_t v = 0; v < e->count; v++) {
            if (e->verdicts[v].probe) continue;
            scored++;
            bias[i] += log(e->verdicts[v].forecast[0] / e->verdicts[v].measured[0]);
        }
        bias[i] /= (double)scored;
        rg_evaluation_free(e, count);
        assert_int_equal(scored, i ? 4 : 10);
    }
    assert_true(fabs(bias[0] + 0.4) < 0.05);
    assert_true(fabs(bias[1]) < 0.1);
}

/* ---- stand-ins ---- */

static void products_of_a_stand_in_sum_to_its_totals(void **state)
{
    static const rg_totals all[] = {
        {4.11e9, 11.11e6, 25.56e6, 50, 4},  /* ResNet-50, as timm counts it */
        {17.58e9, 23.9e6, 86.57e6, 50, 1},  /* ViT-B/16 */
        {0.39e9, 6.75e6, 5.29e6, 50, 4},    /* EfficientNet-B0 */
    };
    for (size_t i = 0; i < RG_COUNT(all); i++) {
        rg_graph *g = NULL;
        rg_totals sum = {0};
        assert_int_equal(rg_stand_in(*state, &all[i], BATCH, &g), RG_OK);
        for (uint32_t n = 1; n < g->node_count; n++) {
            const rg_node *node = rg_node_at(g, n);
            if (!rg_node_is(node, "MatMul")) continue;
            const rg_dim *x = rg_value_at(g, node->in[0])->type.dim;
            const rg_dim *w = rg_value_at(g, node->in[1])->type.dim;
            sum.macs += (double)x[0] * (double)w[0] * (double)w[1] / BATCH;
            sum.activations += (double)x[0] * (double)w[1] / BATCH;
            sum.parameters += (double)w[0] * (double)w[1];
            sum.layers++;
        }
        assert_int_equal(sum.layers, all[i].layers);
        assert_true(fabs(sum.macs / all[i].macs - 1) < 0.02); /* sizes are whole numbers */
        assert_true(fabs(sum.activations / all[i].activations - 1) < 0.02);
        assert_true(fabs(sum.parameters / all[i].parameters - 1) < 0.02);
        rg_graph_free(g);
    }
}

static void impossible_totals_are_refused(void **state)
{
    rg_graph *g = NULL;
    assert_int_equal(rg_stand_in(*state, &(rg_totals){1e9, 1e12, 1e6, 50, 4}, 1, &g), RG_UNSUPPORTED);
    assert_int_equal(rg_stand_in(*state, &(rg_totals){1e9, 1e6, 1e15, 50, 1}, 1, &g), RG_UNSUPPORTED);
}

/* Parameters in all and of a token in 1e9 and experts, as the models' cards say; 0: they do not. */
static const struct { double all, active; int64_t experts; } decoders[] = {
    {1.2, 1.2, 0}, {8, 8, 0}, {14, 14, 0}, {32, 32, 0}, {70, 70, 0}, {405, 405, 0}, /* dense */
    {30, 3, 0}, {109, 17, 16}, {235, 22, 0}, {671, 37, 256}, {1000, 32, 384},
};

static void decoders_have_their_totals(void **state)
{
    for (size_t i = 0; i < RG_COUNT(decoders); i++) {
        rg_llm *llm = NULL;
        rg_decoder sizes;
        bool mixture = decoders[i].active < decoders[i].all;
        rg_llm_totals totals = {.parameters = 1e9 * decoders[i].all, .active = 1e9 * decoders[i].active,
                                .experts = decoders[i].experts, .mixture = mixture};
        rg_llm_setup setup = {.model = "some", .decoder = &sizes, .device = "h100-sxm", .runtime = "vllm",
                              .parallel = "tp=8"};
        assert_int_equal(rg_stand_in_decoder(*state, &totals, &sizes), RG_OK);
        if (rg_llm_open(*state, &setup, &llm)) fail_msg("%s", rg_ctx_error(*state));
        double has = rg_llm_parameters(llm) / totals.parameters;
        const rg_experts *e = &sizes.experts;
        double idle = 3.0 * (double)((e->count - e->chosen) * e->inner * sizes.width * sizes.layers);
        double active = (rg_llm_parameters(llm) - idle) / totals.active;
        rg_llm_close(llm);
        if (!(fabs(has - 1) < 0.1)) fail_msg("%g: %.3f of its parameters", decoders[i].all, has);
        if (!(fabs(active - 1) < 0.15)) fail_msg("%g: %.3f of what is active", decoders[i].all, active);
        assert_int_equal(e->count > 0, mixture);
    }
}

static void no_decoder_has_such_totals(void **state)
{
    rg_decoder sizes;
    assert_int_equal(rg_stand_in_decoder(*state, &(rg_llm_totals){.parameters = 8e9, .active = 9e9}, &sizes),
                     RG_UNSUPPORTED);
    assert_int_equal(rg_stand_in_decoder(*state, &(rg_llm_totals){.parameters = NAN, .active = NAN}, &sizes),
                     RG_UNSUPPORTED);
}

/* Nemotron-H 8B, Nemotron Nano 2 9B and 12B (arXiv:2504.03624, 2508.14444): 52, 56 and 62 layers, of which an
 * inner one and another make a pair; 128 heads of 64, 80 and 80 states of 128 numbers. */
static void hybrids_are_as_deep_as_published(void **state)
{
    static const struct { double parameters, pairs, width, states; } rows[] = {
        {8.1e9, 26, 4096, 8192}, {8.9e9, 28, 4480, 10240}, {12.3e9, 31, 5120, 10240},
    };
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        rg_decoder t;
        double all = rows[i].parameters;
        rg_llm_totals totals = {.parameters = all, .active = all, .hybrid = true};
        assert_int_equal(rg_stand_in_decoder(*state, &totals, &t), RG_OK);
        assert_true(fabs(t.layers - rows[i].pairs) <= 1);
        assert_true(fabs((double)t.width / rows[i].width - 1) < 0.05);
        /* bytes of a window of keys and values in 16 bits, against states in 32, read and written */
        double held = 2.0 * (double)(t.window * t.kv_heads * t.head) * 2;
        assert_true(fabs(held / (2 * rows[i].states * 128 * 4) - 1) < 0.11);
        assert_int_equal(t.heads % 8, 0);
    }
}

/* One in eight layers of a hybrid has a cache that grows: 60 times the tokens need far less than 60 times the
 * bytes. */
static void hybrids_hold_states(void **state)
{
    rg_decoder sizes;
    rg_llm *llm = NULL;
    rg_llm_totals totals = {.parameters = 9e9, .active = 9e9, .hybrid = true};
    rg_llm_setup setup = {.model = "some", .decoder = &sizes, .device = "h100-sxm", .runtime = "vllm"};
    assert_int_equal(rg_stand_in_decoder(*state, &totals, &sizes), RG_OK);
    if (rg_llm_open(*state, &setup, &llm)) fail_msg("%s", rg_ctx_error(*state));
    double few = rg_llm_cache_byte(*state, llm, 1024), many = rg_llm_cache_byte(*state, llm, 61440);
    rg_llm_close(llm);
    assert_true(few > 0 && many > 5 * few && many < 15 * few);
}

static void any_served_model_has_an_answer(void **state)
{
    size_t count = 0;
    rg_evaluation *e = evaluated(*state,
        "kind,device,n_gpus,pp,ep,dp,model,precision,batch,osl,arch,task,total_params_b,act_params_b,"
        "median_itl_ms,output_tok_s,avg_power_w,energy_per_token_j\n"
        "llm_serving_energy,h100-sxm,1,1,1,1,who/Knows-9B,bfloat16,16,400,Dense Transformer,gpqa,9,9,"
        "10,1600,500,0.3\n"
        "llm_serving_energy,h100-sxm,4,1,4,1,who/Knows-90B-16E,fp8,16,400,MoE,else,90,12,10,1600,500,0.3\n"
        "llm_serving_energy,h100-sxm,1,1,1,1,who/Knows,bfloat16,16,400,Dense Transformer,gpqa,,,"
        "10,1600,500,0.3\n", &count);
    assert_int_equal(count, 1);
    for (int i = 0; i < 2; i++) {
        const double *f = e->verdicts[i].forecast;
        double device_w = f[2] / (i ? 4 : 1);
        assert_true(f[0] > 1e-3 && f[0] < 0.1 && f[1] < 16 / f[0] * (1 + 1e-9));
        assert_true(fabs(f[3] * f[1] / f[2] - 1) < 1e-9 && device_w > 50 && device_w < 701); /* the cap */
    }
    assert_non_null(e->verdicts[2].error);
    rg_evaluation_free(e, count);
}

/* Below x, but not 0: the integral of exp(-m - t) sqrt(m / t) I1(2 sqrt(m t)), the density of a compound
 * Poisson sum of exponential lengths (I1(2 z) / z = sum of z^2k / (k! (k + 1)!)). */
static double density_below(double mean, double x)
{
    double sum = 0, slices = 2000;
    for (int i = 0; i < (int)slices; i++) {
        double t = (i + 0.5) * x / slices, term = 1, series = 0;
        for (int k = 1; k < 80; k++) {
            series += term;
            term *= mean * t / (k * (k + 1.0));
        }
        sum += exp(-mean - t) * mean * series * x / slices;
    }
    return sum;
}

static void prompts_join_as_a_compound_sum(void **state)
{
    (void)state;
    assert_true(rg_served_most(0.69, 1).median == 0); /* exp(-0.69) > 1/2: mostly none joins */
    static const double means[] = {0.8, 1, 3, 12};
    for (size_t i = 0; i < RG_COUNT(means); i++) {
        rg_served_sum s = rg_served_most(means[i], 1);
        assert_true(s.mean == means[i] && s.median < s.mean);
        assert_true(fabs(exp(-means[i]) + density_below(means[i], s.median) - 0.5) < 1e-4);
        rg_served_sum of_8 = rg_served_most(means[i], 8);
        double below = exp(-means[i]) + density_below(means[i], of_8.median);
        assert_true(fabs(pow(below, 8) - 0.5) < 1e-3 && of_8.mean > s.mean && of_8.mean < 8 * s.mean);
    }
    assert_true(fabs(rg_served_most(1e-3, 8).mean / 8e-3 - 1) < 0.01); /* hardly two at once */
}

/* A batch of one that is stated: an answer of N tokens takes at least N readings of the weights (H100's 3.35
 * TB/s), and twice the answer takes no less than twice the time less one prompt. At most, as many requests
 * run as fit: more memory per device cannot make that slower; an 8-bit model of 70 G does not fit into 80 GB
 * with a request of 1e6 tokens. */
static void throughput_is_bounded_by_memory(void **state)
{
    size_t count = 0;
    rg_evaluation *e = evaluated(*state,
        "kind,device,tp,pp,model,precision,batch,isl,osl,output_tok_s\n"
        "llm_throughput,h100-sxm,1,1,LLaMA 7B,FP16,1,128,128,100\n"
        "llm_throughput,h100-sxm,1,1,LLaMA 7B,FP16,inflight-max,128,128,100\n"
        "llm_throughput,h200-sxm,1,1,LLaMA 7B,FP16,inflight-max,128,128,100\n"
        "llm_throughput,h100-sxm,2,1,Llama 4 Scout,FP4,inflight-max,128,128,100\n"
        "llm_throughput,h100-sxm,1,1,LLaMA 70B,FP8,inflight-max,128,1000000,100\n"
        "llm_throughput,h100-sxm,1,1,Nobody 7B,FP8,inflight-max,128,128,100\n", &count);
    assert_int_equal(count, 1);
    assert_string_equal(e->judge->name, "llm_throughput");
    const rg_verdict *v = e->verdicts;
    assert_true(v[0].forecast[0] > 0 && v[0].forecast[0] < 3.35e12 / (2 * 6.6e9));
    assert_true(v[1].forecast[0] > 20 * v[0].forecast[0] && v[2].forecast[0] >= v[1].forecast[0]);
    assert_true(v[3].forecast[0] > 0 && !v[3].error);
    assert_non_null(strstr(v[4].error, "not one request"));
    assert_non_null(strstr(v[5].error, "no edition"));
    rg_evaluation_free(e, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_language_model_takes_its_arithmetic),
        cmocka_unit_test(commands_go_the_way_of_judges), cmocka_unit_test(images_are_of_three_kinds),
        cmocka_unit_test(images_are_forecast_from_their_columns_only),
        cmocka_unit_test(probes_correct_the_rest),
        cmocka_unit_test(products_of_a_stand_in_sum_to_its_totals),
        cmocka_unit_test(impossible_totals_are_refused), cmocka_unit_test(decoders_have_their_totals),
        cmocka_unit_test(no_decoder_has_such_totals), cmocka_unit_test(hybrids_hold_states),
        cmocka_unit_test(hybrids_are_as_deep_as_published),
        cmocka_unit_test(any_served_model_has_an_answer),
        cmocka_unit_test(throughput_is_bounded_by_memory),
        cmocka_unit_test(prompts_join_as_a_compound_sum),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
