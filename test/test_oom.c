/* test_oom.c - memory runs out at the n-th allocation, for every n (of long flows for some) until the flow
 * succeeds: each time the answer is RG_NOMEM, and every block that was given out comes back.
 */
#include "format/onnx.h"
#include "onnx_bytes.h"
#include "op/op.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef RG_SOURCE_ROOT
#define RG_SOURCE_ROOT "."
#endif

enum { ROUNDS_MAX = 100000, LIMIT_MAX = 1 << 24 };

/* The allocator: answers NULL from the allocation on whose turn it is. Threads of a flow share it. */
typedef struct meter { _Atomic long given, returned; long refuse_at; } meter;

static void *metered_alloc(void *user, size_t size)
{
    meter *m = user;
    if (m->given + 1 >= m->refuse_at) return NULL;
    void *block = calloc(1, size);
    if (block) m->given++;
    return block;
}

static void metered_free(void *user, void *block)
{
    meter *m = user;
    if (block) m->returned++;
    free(block);
}

/* Big enough that tables grow and arenas need several blocks: every stage meets the end of memory. */
enum { LAYER_COUNT = 300 };

static rg_err build_graph(rg_ctx *cx, rg_graph **out)
{
    rg_build b;
    RG_TRY(rg_build_init(&b, cx, "net"));
    rg_dim dims[] = {rg_build_dim(&b, "batch", 1), 64};
    rg_value_id x = rg_build_input(&b, "x", RG_F32, 2, dims);
    rg_value_id shape = rg_build_ints(&b, 2, (const int64_t[]){-1, 64});
    for (int i = 0; i < LAYER_COUNT; i++) {
        rg_value_id w = rg_build_param(&b, "w", RG_F32, 2, (const int64_t[]){64, 64});
        x = rg_build_node(&b, "Gemm", "alpha=0.5f transB=1", x, w, -1);
        x = rg_build_node(&b, "Reshape", NULL, x, shape, -1);
    }
    rg_build_output(&b, "y", x);
    return rg_build_done(&b, out);
}

static rg_err build_flow(rg_ctx *cx)
{
    rg_graph *g;
    RG_TRY(build_graph(cx, &g));
    rg_graph_free(g);
    return RG_OK;
}

/* Builds, prints, parses and clones. */
static rg_err text_round_trip(rg_ctx *cx, const rg_graph *g)
{
    rg_graph *again, *clone;
    rg_text text;
    rg_text_init(&text, &cx->arena);
    RG_TRY(rg_graph_to_text(cx, g, &text));
    RG_TRY(rg_graph_of_text(cx, (rg_str){text.data, text.size}, "net.txt", &again));
    rg_err err = rg_graph_clone(cx, again, &clone);
    rg_graph_free(again);
    if (!err) rg_graph_free(clone);
    return err;
}

static rg_err text_flow(rg_ctx *cx)
{
    rg_graph *g;
    RG_TRY(build_graph(cx, &g));
    rg_err err = text_round_trip(cx, g);
    rg_graph_free(g);
    return err;
}

/* A text with something of everything: bodies, symbols, constants, attributes of each kind. */
static rg_err parse_flow(rg_ctx *cx)
{
    static const char text[] =
        "ridge.graph/1 \"n\" opset 13 ir 7 producer \"p\" source \"s\" notes \"n\" import \"\" 13 "
        "symbol a = 1 from 1\n"
        "const %c = str[2] {\"a\", \"b\"} const %f = f32[2] file \"w\" @0 +8 const %v = i64[1] varint 01\n"
        "graph \"m\" (%x: seq(f32[a*2+1]), %y: f32[a] is [a,2] = f32[1] {1}) {\n"
        "  %o, _, %#7 = d:T(%x, _, %c, %f, %v) a=1 b=1,2 c=0.5 d=0.5,1.0 e=\"s\" f=[\"s\"]\n"
        "    g=tensor f32[] {1} h=[tensor f32[1] hex 00000000] i=type f32[a]\n"
        "    j=graph \"b\" (%i) { %k = Relu(%i) return %k }\n"
        "    k=[graph () { return %y }] @name v3 block \"B:1\"\n"
        "  return %o, %#7 }";
    rg_graph *g;
    RG_TRY(rg_graph_of_text(cx, RG_LIT(text), NULL, &g));
    rg_graph_free(g);
    return RG_OK;
}

/* If(cond) of two branches behind a chain of MatMuls with a symbolic batch, and a Constant node. */
static void put_model(ob *model)
{
    static const float weights[16] = {1};
    ob graph = {0}, then_graph = {0}, else_graph = {0}, attrs = {0}, constant = {0}, tensor = {0};
    ob_value(&graph, OB_INPUT, "x0", RG_F32, "batch,4");
    ob_value(&graph, OB_INPUT, "cond", RG_BOOL, "");
    ob_tensor(&tensor, "w", RG_F32, "4,4");
    ob_floats(&tensor, 16, weights);
    ob_initializer(&graph, &tensor);
    for (int i = 0; i < 100; i++) {
        char in[16], out[16];
        snprintf(in, sizeof in, "x%d,w", i);
        snprintf(out, sizeof out, "x%d", i + 1);
        ob_node(&graph, out, "MatMul", in, out, NULL);
    }
    ob_attr_int(&constant, "value_int", 3);
    ob_node(&graph, NULL, "Constant", "", "three", &constant);
    ob_node(&then_graph, NULL, "Relu", "x100", "a", NULL);
    ob_value(&then_graph, OB_OUTPUT, "a", RG_F32, NULL);
    ob_node(&else_graph, NULL, "Neg", "x100", "b", NULL);
    ob_value(&else_graph, OB_OUTPUT, "b", RG_F32, NULL);
    ob_attr_graph(&attrs, "then_branch", &then_graph);
    ob_attr_graph(&attrs, "else_branch", &else_graph);
    ob_node(&graph, "if", "If", "cond", "y", &attrs);
    ob_value(&graph, OB_OUTPUT, "y", RG_F32, NULL);
    ob_value(&graph, OB_OUTPUT, "three", RG_I64, "");
    ob_model(model, &graph);
}

static rg_err onnx_flow(rg_ctx *cx)
{
    ob model = {0}; /* the graph's strings are views of it */
    rg_graph *g;
    put_model(&model);
    RG_TRY(rg_onnx_parse(cx, (rg_str){(const char *)model.data, model.size}, NULL, &g));
    rg_err err = rg_graph_infer(cx, g);
    rg_graph_free(g);
    return err;
}

/* What a flow wrote, as a number: an answer under scarcity
 * is the whole answer or an error, nothing between. */
static uint64_t written_hash;

typedef struct sink { FILE *file; char *bytes; size_t size; } sink;

static void sink_open(sink *s)
{
    *s = (sink){0};
    assert_non_null(s->file = open_memstream(&s->bytes, &s->size));
}

static void sink_close(sink *s)
{
    fclose(s->file);
    written_hash = rg_hash(RG_HASH_SEED, s->bytes, s->size);
    free(s->bytes);
}

/* The whole way through the public API: a file, its passes,
 * a profile, a plan, a forecast and its documents. */
static rg_err predict_flow(rg_ctx *cx)
{
    const rg_graph *graph = NULL;
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    const rg_forecast *forecast = NULL;
    rg_doc *doc = NULL;
    sink out;
    sink_open(&out);
    rg_err err = rg_graph_load(cx, RG_SOURCE_ROOT "/doc/demo/tiny_cnn.onnx", NULL, &graph);
    if (!err) err = rg_device_find(cx, "h100-sxm", &device);
    if (!err) err = rg_runtime_find(cx, NULL, device, &runtime);
    if (!err) err = rg_plan_make(cx, graph, device, runtime, NULL, &plan);
    if (!err) err = rg_forecast_make(cx, plan, NULL, &forecast);
    if (!err) err = rg_forecast_doc(cx, &forecast, 1, 3, &doc);
    if (!err) err = rg_doc_write(cx, doc, "json", out.file);
    if (!err) err = rg_doc_write(cx, doc, "text", out.file);
    sink_close(&out);
    rg_doc_free(doc);
    rg_forecast_free(forecast);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    rg_graph_free(graph);
    return err;
}

/* Building all of them would take as many allocations as all other flows. */
static rg_err zoo_doc(rg_ctx *cx, rg_doc **out)
{
    return rg_zoo_doc(cx, (const char *const[]){"zoo:mlp"}, 1, out);
}

/* Documents of what is known, in every format. */
static rg_err list_flow(rg_ctx *cx)
{
    static rg_err (*const makers[])(rg_ctx *cx, rg_doc **out) = {rg_runtime_doc, zoo_doc};
    static const char *const formats[] = {"text", "json", "md", "html", "csv"};
    rg_err err = RG_OK;
    sink out;
    sink_open(&out);
    for (size_t i = 0; i < RG_COUNT(makers) && !err; i++) {
        rg_doc *doc = NULL;
        err = makers[i](cx, &doc);
        for (size_t f = 0; f < RG_COUNT(formats) && !err; f++)
            err = rg_doc_write(cx, doc, formats[f], out.file);
        rg_doc_free(doc);
    }
    sink_close(&out);
    return err;
}

/* ---- documents of what is computed: one case of each, small enough to be made hundreds of times ---- */

#define SMALL "zoo:llama3.2-1b"
static const char *const l4[] = {"l4"};

static rg_err llm_doc(rg_ctx *cx, rg_doc **out)
{
    static const char *const ways[] = {"tp=2,pp=2"}, *const types[] = {"f16+w=i4g128"};
    return rg_llm_doc(cx, &(rg_llm_opt){.size = sizeof(rg_llm_opt), .models = (const char *const[]){SMALL},
                                        .model_count = 1, .devices = l4, .device_count = 1,
                                        .precisions = types, .precision_count = 1, .parallels = ways,
                                        .parallel_count = 1, .output = 8, .explain = 1}, out);
}

static rg_err place_doc(rg_ctx *cx, rg_doc **out)
{
    static const char *const ways[] = {"tp=1"};
    size_t good;
    return rg_place_doc(cx, &(rg_place_opt){.size = sizeof(rg_place_opt), .model = SMALL, .devices = l4,
                                            .device_count = 1, .parallels = ways, .parallel_count = 1,
                                            .prompt = 64, .output = 8, .users = 2, .workers = 1}, &good, out);
}

static rg_err simulate_doc(rg_ctx *cx, rg_doc **out)
{
    return rg_simulate_doc(cx, &(rg_simulate_opt){.size = sizeof(rg_simulate_opt), .model = SMALL,
                                                  .device = "l4", .prompt = "64", .output = "8",
                                                  .requests = 20, .max_batch = 8}, out);
}

static rg_err diffusion_doc(rg_ctx *cx, rg_doc **out)
{
    size_t failed;
    return rg_diffusion_doc(cx, "zoo:sd15", &(rg_diffusion_opt){.size = sizeof(rg_diffusion_opt),
                                                                .devices = l4, .device_count = 1,
                                                                .workers = 1, .explain = 1}, &failed, out);
}

/* A path that stays the same: documents have it. */
static FILE *open_file(char *path, size_t size, const char *end)
{
    snprintf(path, size, "/tmp/ridge-oom-%d.%s", (int)getpid(), end);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    return file;
}

static rg_err evaluate_doc(rg_ctx *cx, rg_doc **out)
{
    char path[64];
    FILE *file = open_file(path, sizeof path, "csv");
    fputs("n_head,n_kv_head,n_embd,n_expanded_embd,vocab_size,use_gated_mlp,num_tokens,"
          "num_tensor_parallel_workers,op,ms,device\n"
          "32,8,4096,14336,128256,True,512,1,mlp_up_proj,0.5,a100\n"
          "32,8,4096,14336,128256,True,512,1,add,0.5,a100\n"
          "32,8,4096,14336,128256,True,512,1,add,0.5,abacus\n", file);
    fclose(file);
    rg_err err = rg_evaluate_doc(cx, (const char *const[]){path}, 1,
                                 &(rg_evaluate_opt){.size = sizeof(rg_evaluate_opt), .workers = 1}, out);
    unlink(path);
    return err;
}

static rg_err dvfs_doc(rg_ctx *cx, rg_doc **out)
{
    char path[64];
    FILE *file = open_file(path, sizeof path, "csv");
    fputs("device,model,task,batch,precision,sm_mhz,mem_mhz,latency_s,power_w,energy_j,extra\n", file);
    for (int k = 0; k < 3; k++)
        for (int i = 1; i < 5; i++)
            fprintf(file, "x,k%d,t,1,f32,%d,900,%g,%d,%g,DRAMA=0.%d\n", k, 400 * i, 1.0 / i + k, 60 * i + k,
                    60.0 + k, k + 1);
    fclose(file);
    rg_err err = rg_evaluate_doc(
        cx, (const char *const[]){path}, 1,
        &(rg_evaluate_opt){.size = sizeof(rg_evaluate_opt), .workers = 1, .probes = 2, .known = "kernels"},
        out);
    unlink(path);
    return err;
}

static rg_err frequency_doc(rg_ctx *cx, rg_doc **out)
{
    char path[64];
    FILE *file = open_file(path, sizeof path, "csv");
    fputs("core_mhz,latency_ms,power_w\n1590,0.05,60\n", file);
    fclose(file);
    rg_err err = rg_frequency_doc(cx, &(rg_frequency_opt){.size = sizeof(rg_frequency_opt), .device = "t4",
                                                          .models = (const char *const[]){"zoo:mlp"},
                                                          .model_count = 1, .slowdown = -1, .workers = 1,
                                                          .probe = path}, out);
    unlink(path);
    return err;
}

static rg_err weights_doc(rg_ctx *cx, rg_doc **out)
{
    static const char header[] = "{\"__metadata__\":{\"k\":\"v\"},"
                                 "\"a.0.w\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[0,8]},"
                                 "\"a.1.w\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[8,16]}}";
    const char length[8] = {sizeof header - 1}, data[16] = {0}; /* little-endian, as the format has it */
    char path[64];
    FILE *file = open_file(path, sizeof path, "safetensors");
    fwrite(length, 1, sizeof length, file);
    fwrite(header, 1, sizeof header - 1, file);
    fwrite(data, 1, sizeof data, file);
    fclose(file);
    rg_err err = rg_weights_doc(cx, path, out);
    unlink(path);
    return err;
}

static rg_err written(rg_ctx *cx, rg_err (*make)(rg_ctx *cx, rg_doc **out))
{
    rg_doc *doc = NULL;
    sink out;
    sink_open(&out);
    rg_err err = make(cx, &doc);
    if (!err) err = rg_doc_write(cx, doc, "json", out.file);
    rg_doc_free(doc);
    sink_close(&out);
    return err;
}

static rg_err llm_flow(rg_ctx *cx) { return written(cx, llm_doc); }
static rg_err place_flow(rg_ctx *cx) { return written(cx, place_doc); }
static rg_err simulate_flow(rg_ctx *cx) { return written(cx, simulate_doc); }
static rg_err diffusion_flow(rg_ctx *cx) { return written(cx, diffusion_doc); }
static rg_err evaluate_flow(rg_ctx *cx) { return written(cx, evaluate_doc); }
static rg_err dvfs_flow(rg_ctx *cx) { return written(cx, dvfs_doc); }
static rg_err frequency_flow(rg_ctx *cx) { return written(cx, frequency_doc); }
static rg_err weights_flow(rg_ctx *cx) { return written(cx, weights_doc); }

/* limit_step: prime, so that the limits fall on every alignment; the longer a flow runs, the wider. So with
 * the allocations that are refused: each, or, where a run takes tens of milliseconds, some. */
static const struct { const char *name; rg_err (*run)(rg_ctx *cx); size_t limit_step; long refuse_step; }
flows[] = {
    {"build",     build_flow,     1009,  1},
    {"text",      text_flow,      1009,  1},
    {"parse",     parse_flow,     1009,  1},
    {"onnx",      onnx_flow,      1009,  1},
    {"list",      list_flow,      1009,  1},
    {"predict",   predict_flow,   499,   1},
    {"weights",   weights_flow,   1009,  1},
    {"evaluate",  evaluate_flow,  50021, 3},
    {"dvfs",      dvfs_flow,      500009, 31},
    {"frequency", frequency_flow, 50021, 7},
    {"place",     place_flow,     50021, 7},
    {"llm",       llm_flow,       50021, 7},
    {"simulate",  simulate_flow,  50021, 7},
    {"diffusion", diffusion_flow, 50021, 7},
};

/* One run; RG_NOMEM also when there is not even a context. */
static rg_err run_with(long refuse_at, size_t limit_byte, rg_err (*run)(rg_ctx *cx))
{
    meter m = {.refuse_at = refuse_at};
    rg_ctx_opt opt = {.size = sizeof opt, .memory_limit_byte = limit_byte, .alloc = metered_alloc,
                      .free = metered_free, .user = &m};
    rg_ctx *cx = rg_ctx_new(&opt);
    rg_err err = cx ? run(cx) : RG_NOMEM;
    if (err && err != RG_NOMEM)
        print_error("allocation %ld refused, limit %zu: %s\n", refuse_at, limit_byte, rg_ctx_error(cx));
    rg_ctx_free(cx);
    assert_int_equal(m.given, m.returned);
    return err;
}

/* Sets *hash to what the flow writes when there is memory enough. */
static void run_freely(size_t flow, uint64_t *hash)
{
    written_hash = 0;
    assert_int_equal(run_with(LONG_MAX, 0, flows[flow].run), RG_OK);
    *hash = written_hash;
}

static void every_refused_allocation_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < RG_COUNT(flows); i++) {
        uint64_t whole;
        run_freely(i, &whole);
        long n = 1;
        rg_err err;
        while ((err = run_with(n, 0, flows[i].run)) == RG_NOMEM && n < ROUNDS_MAX)
            n += flows[i].refuse_step;
        if (err) print_error("flow %s: allocation %ld refused\n", flows[i].name, n);
        assert_int_equal(err, RG_OK);
        assert_true(written_hash == whole);
        assert_true(n > 3); /* context, graph, arena: a flow that allocates less was none */
    }
}

/* Arenas take few large blocks; their limit ends the memory at any byte within them. */
static void every_limit_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < RG_COUNT(flows); i++) {
        size_t limit = flows[i].limit_step;
        uint64_t whole;
        run_freely(i, &whole);
        rg_err err;
        while ((err = run_with(LONG_MAX, limit, flows[i].run)) == RG_NOMEM && limit < LIMIT_MAX)
            limit += flows[i].limit_step;
        if (err) print_error("flow %s: limit %zu\n", flows[i].name, limit);
        assert_int_equal(err, RG_OK);
        assert_true(written_hash == whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refused_allocation_is_told),
        cmocka_unit_test(every_limit_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
