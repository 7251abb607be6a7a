/* test_evaluate.c - scores against closed forms and counted pairs, tables out of CSV, and that a forecast
 * reads nothing but its own columns.
 */
#include "learn/evaluate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state) { return (*state = rg_ctx_new(NULL)) ? 0 : -1; }

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-12 * fmax(1, fabs(b)); }

/* Kendall's tau-b by its definition. */
static double tau_counted(const double *m, const double *f, size_t n)
{
    double concordant = 0, discordant = 0, only_m = 0, only_f = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) {
            double x = m[i] - m[k], y = f[i] - f[k];
            if (x * y > 0) concordant++;
            else if (x * y < 0) discordant++;
            else if (x != 0) only_m++; /* tied in f only */
            else if (y != 0) only_f++;
        }
    return (concordant - discordant)
           / sqrt((concordant + discordant + only_m) * (concordant + discordant + only_f));
}

static void scores_are_their_closed_forms(void **state)
{
    static const double m[] = {1, 2, 4, 5}, f[] = {1.5, 2, 2, NAN};
    rg_score s;
    assert_int_equal(rg_score_of(*state, m, f, 4, &s), RG_OK);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.answered, 3);
    assert_true(near(s.mape, (0.5 + 0 + 0.5 + 1) / 4)); /* a miss is an error of the whole */
    assert_true(near(s.median_ape, 0.5));
    assert_true(near(s.mae, 2.5 / 3) && near(s.rmse, sqrt((0.25 + 4) / 3)));
    assert_true(near(s.bias, (0.5 + 0 - 0.5) / 3));
    double mean = 7.0 / 3,
           spread = (1 - mean) * (1 - mean) + (2 - mean) * (2 - mean) + (4 - mean) * (4 - mean);
    assert_true(near(s.r2, 1 - 4.25 / spread));
}

static void tau_counts_pairs(void **state)
{
    enum { MOST = 60 };
    uint64_t seed = 7;
    for (size_t n = 2; n <= MOST; n++) {
        double m[MOST], f[MOST];
        rg_score s;
        for (size_t i = 0; i < n; i++) { /* few values: many ties */
            m[i] = 1 + (double)(rg_random_next(&seed) % 9);
            f[i] = 1 + (double)(rg_random_next(&seed) % (n % 2 ? 5 : 1000));
        }
        assert_int_equal(rg_score_of(*state, m, f, n, &s), RG_OK);
        double counted = tau_counted(m, f, n);
        assert_true(isnan(counted) ? isnan(s.tau) : near(s.tau, counted));
    }
}

/* ---- files ---- */

static const char *written(char *path, const char *text)
{
    snprintf(path, 64, "/tmp/ridge-evaluate-XXXXXX");
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void tables_are_strict(void **state)
{
    char path[64];
    rg_table *t = NULL;
    assert_int_equal(rg_table_read(*state, written(path, "a,b\n1,\"x,\"\"y\"\n2,\n"), &t), RG_OK);
    assert_int_equal(t->row_count, 2);
    assert_true(rg_str_is(rg_table_cell(t, 0, rg_table_column(t, "b")), "x,\"y"));
    assert_true(rg_table_column(t, "c") == SIZE_MAX);
    rg_table_free(t);
    unlink(path);
    assert_int_equal(rg_table_read(*state, written(path, "a,b\n1\n"), &t), RG_FORMAT);
    unlink(path);
    assert_int_equal(rg_table_read(*state, written(path, ""), &t), RG_FORMAT);
    unlink(path);
    assert_int_equal(rg_table_read(*state, "/nowhere/at.csv", &t), RG_INPUT);
    assert_int_equal(rg_table_read(*state, "/tmp", &t), RG_INPUT);
    assert_int_equal(rg_table_read(*state, written(path, "\xEF\xBB\xBF" "a,b\n1,2\n"), &t), RG_OK);
    assert_true(rg_table_column(t, "a") == 0); /* not behind the mark that spreadsheets begin with */
    rg_table_free(t);
    unlink(path);
}

#define COLUMNS                                                                                              \
    "n_head,n_kv_head,n_embd,n_expanded_embd,vocab_size,use_gated_mlp,num_tokens,num_tensor_parallel_"       \
    "workers,"                                                                                               \
    "op,ms,device,note\n"

static rg_evaluation *evaluated(rg_ctx *cx, const char *text, size_t *count)
{
    char path[64];
    rg_evaluation *all = NULL;
    rg_evaluate_opt opt = {.size = sizeof opt, .learning = RG_LEARN_NONE}; /* closed forms are of the base */
    if (rg_evaluate_file(cx, written(path, text), &opt, &all, count)) fail_msg("%s", rg_ctx_error(cx));
    unlink(path);
    return all;
}

/* Other columns, what was measured among them, change nothing. */
static void forecasts_read_their_columns_only(void **state)
{
    size_t count = 0;
    double seen[2];
    static const char *const files[] = {
        COLUMNS "32,8,4096,14336,128256,True,512,1,mlp_up_proj,0.5,a100,x\n",
        COLUMNS "32,8,4096,14336,128256,True,512,1,mlp_up_proj,77,a100,other\n",
    };
    for (int i = 0; i < 2; i++) {
        rg_evaluation *e = evaluated(*state, files[i], &count);
        assert_int_equal(count, 1);
        assert_int_equal(e->count, 1);
        seen[i] = e->verdicts[0].forecast[0];
        rg_evaluation_free(e, count);
    }
    assert_true(seen[0] > 0 && seen[0] == seen[1]);
    /* 512 x 4096 x 28672 multiply-adds at 312 TFLOP/s (NVIDIA A100 data sheet, dense f16) is the least */
    assert_true(seen[0] >= 2.0 * 512 * 4096 * 28672 / 312e12);
}

static void misses_count(void **state)
{
    size_t count = 0;
    rg_evaluation *e = evaluated(*state,
                                 COLUMNS "32,8,4096,14336,128256,True,512,1,add,0.5,a100,x\n"
                                         "32,8,4096,14336,128256,True,512,1,add,0.6,a100,again\n"
                                         "32,8,4096,14336,128256,True,512,1,add,0.5,abacus,x\n"
                                         "32,8,4096,14336,128256,True,512,1,dance,0.5,a100,x\n",
                                 &count);
    assert_int_equal(e->count, 4);
    assert_int_equal(e->cases, 3); /* two rows are of one identity */
    assert_true(e->verdicts[0].forecast[0] == e->verdicts[1].forecast[0]);
    assert_non_null(e->verdicts[2].error);
    assert_non_null(e->verdicts[3].error);
    assert_true(isnan(e->verdicts[2].forecast[0]) && isnan(e->verdicts[3].forecast[0]));
    rg_evaluation_free(e, count);
}

/* ---- kinds of kernels ---- */

#define GEMM "device,op,batch,m,n,k,dtype,tile_a,latency_us\n"
#define ENGINE_GEMM "device,op,dtype,m,n,k,split,latency_us\n"
#define LIMITED_GEMM "device,op,dtype,m,n,k,power_limit_w,split,latency_us,power_w\n"
#define ROWS "device,op,rows,cols,dtype,block,latency_us\n"
#define CONV "device,op,batch,c_in,c_out,k,hw,stride,pad,dtype,kernel,latency_us\n"
#define ATTENTION                                                                                            \
    "device,op,batch,seq_len,kv_len,heads,kv_heads,head_dim,window,dtype,kv_dtype,framework,latency_us\n"
#define NCCL "device,op,dtype,gpus,message_elements,nccl,latency_us\n"
#define NETWORK                                                                                              \
    "topology,collective,num_workers,devices_per_node,max_devices_per_node,size,rank,"                       \
    "time_stats.all_reduce.median,time_stats.send_recv.median\n"

/* The first quantity, or the second, of a single row. */
static double forecast_of(rg_ctx *cx, const char *columns, const char *cells, const char *others,
                          int quantity)
{
    char text[512];
    size_t count = 0;
    snprintf(text, sizeof text, "%s%s,%s\n", columns, cells, others);
    rg_evaluation *e = evaluated(cx, text, &count);
    assert_int_equal(count, 1);
    assert_int_equal(e->count, 1);
    if (e->verdicts[0].error) fail_msg("%s: %s", cells, e->verdicts[0].error);
    double seconds = e->verdicts[0].forecast[quantity];
    rg_evaluation_free(e, count);
    return seconds;
}

/* Operations over the peak, or bytes over the bandwidth, as the boards' data sheets state them, is the least:
 * V100 PCIe 14 TFLOP/s, P100 PCIe 9.3, P4 5.5, A100 SXM 312 (bf16) and 2.039 TB/s, H100 SXM 1979 (fp8) and
 * 3.35 TB/s, T4 320 GB/s, A100 PCIe 40 GB 1.555 TB/s; H200 and DGX A100 450 and 300 GB/s to their peers. */
static const struct { const char *columns, *cells, *others, *changed; double least_s; } kernels[] = {
    {GEMM, "v100-pcie-32gb,linear,1,4096,4096,4096,fp32", "128,9000", "64,1",
     2 * 4096e0 * 4096 * 4096 / 14e12},
    {GEMM, "p100-pcie-16gb,bmm,64,512,512,128,fp32", "128,9000", ",2",
     2 * 64e0 * 512 * 512 * 128 / 9.3e12},
    {ENGINE_GEMM, "a100_sxm,gemm,bfloat16,8192,8192,4096", "train,2000", "dev,1",
     2 * 8192e0 * 8192 * 4096 / 312e12},
    {ENGINE_GEMM, "h100_sxm,gemm,fp8,8192,8192,4096", "train,2000", "dev,1",
     2 * 8192e0 * 8192 * 4096 / 1979e12},
    {ROWS, "t4,add,16384,4096,fp32", "128,3000", "256,1", 3 * 4 * 16384e0 * 4096 / 320e9},
    {ROWS, "t4,mulu,16384,4096,fp32", "128,3000", "256,1", 2 * 4 * 16384e0 * 4096 / 320e9},
    {ROWS, "a100-pcie-40gb,softmax,16384,4096,fp32", "128,3000", "256,1",
     2 * 4 * 16384e0 * 4096 / 1.555e12},
    {ROWS, "a100-pcie-40gb,ln,16384,4096,fp32", "128,3000", "256,1",
     2 * 4 * 16384e0 * 4096 / 1.555e12},
    {CONV, "p4,conv,8,64,128,3,56,1,1,fp32", "sgemm,3000", "winograd,1",
     2 * 8 * 64 * 128 * 9 * 56e0 * 56 / 5.5e12},
    {ATTENTION, "a100_sxm,attention_decode,64,1,4096,32,8,128,0,bfloat16,bfloat16", "TRTLLM,600", "x,1",
     2 * 2 * 64 * 4096e0 * 8 * 128 / 2.039e12},
    {ATTENTION, "h100_sxm,attention_decode,64,1,4096,32,8,128,0,bfloat16,fp8", "TRTLLM,600", "x,1",
     2 * 64 * 4096e0 * 8 * 128 / 3.35e12},
    {ATTENTION, "a100_sxm,attention_prefill,4,4096,4096,32,8,128,0,bfloat16,bfloat16", "TRTLLM,600", "x,1",
     4 * 4 * 32 * 128 * (4096e0 * 4097 / 2) / 312e12},
    {NCCL, "h200_sxm,all_reduce,half,8,268435456", "2.26.2,2000", "2.23,1",
     2 * 7 / 8e0 * 2 * 268435456 / 450e9},
    {NCCL, "h200_sxm,alltoall,int8,4,268435456", "2.26.2,2000", "2.23,1", 3 / 4e0 * 268435456 / 450e9},
    {NETWORK, "a100_dgx,all_reduce,4,4,8,268435456", "0,2,", "1,5,", 2 * 3 / 4e0 * 268435456 / 300e9},
};

static void kernels_take_no_less_than_their_limit(void **state)
{
    for (size_t i = 0; i < RG_COUNT(kernels); i++) {
        double seconds = forecast_of(*state, kernels[i].columns, kernels[i].cells, kernels[i].others, 0);
        double again = forecast_of(*state, kernels[i].columns, kernels[i].cells, kernels[i].changed, 0);
        if (!(seconds >= kernels[i].least_s)) fail_msg("%s: %g s", kernels[i].cells, seconds);
        assert_true(seconds < 20 * kernels[i].least_s); /* none of them is small */
        assert_true(again == seconds);
    }
}

/* What nobody sees costs nothing; a window as long as the text hides nothing. */
static void windows_hide_keys(void **state)
{
#define PREFILL(window) "a100_sxm,attention_prefill,4,4096,4096,32,8,128," window ",bfloat16,bfloat16"
    double all = forecast_of(*state, ATTENTION, PREFILL("0"), "x,1", 0);
    assert_true(forecast_of(*state, ATTENTION, PREFILL("4096"), "x,1", 0) == all);
    assert_true(forecast_of(*state, ATTENTION, PREFILL("128"), "x,1", 0) < all / 4);
}

static void limits_of_power_hold(void **state)
{
    static const char *const limits[] = {"700.0", "350.0"};
    double seconds[2], watts[2];
    for (int i = 0; i < 2; i++) {
        char cells[128];
        snprintf(cells, sizeof cells, "h200_sxm,gemm,bfloat16,8192,8192,8192,%s", limits[i]);
        seconds[i] = forecast_of(*state, LIMITED_GEMM, cells, "dev,1500,690", 0);
        watts[i] = forecast_of(*state, LIMITED_GEMM, cells, "dev,1500,690", 1);
    }
    assert_true(watts[0] > 350 && watts[0] <= 700 * (1 + 1e-6) && watts[1] <= 350 * (1 + 1e-6));
    assert_true(seconds[1] > seconds[0]);
}

/* Two machines are joined by less than the devices of one. */
static void sends_leave_machines(void **state)
{
    double inside = forecast_of(*state, NETWORK, "a100_dgx,send_recv,2,2,8,67108864", "0,,2", 1);
    double between = forecast_of(*state, NETWORK, "a100_dgx,send_recv,2,1,8,67108864", "0,,2", 1);
    assert_true(inside >= 67108864 / 300e9);
    assert_true(between >= 67108864 / 25e9); /* 200 Gbit/s for each device of a DGX A100 */
}

static void families_are_told_apart(void **state)
{
    size_t count = 0;
    static const char text[] = ENGINE_GEMM "h100_sxm,gemm,fp8,64,64,64,x,9\n"
                                           "h100_sxm,gemm,bfloat16,64,64,64,x,9\n"
                                           "h100_sxm,gemm,bfloat16,64,64,0,x,9\n"
                                           "h100_sxm,gemm,nf9,64,64,64,x,9\n"
                                           "h100_sxm,gemm,string,64,64,64,x,9\n";
    rg_evaluation *e = evaluated(*state, text, &count);
    assert_int_equal(count, 1);
    assert_int_equal(e->group_count, 4);
    assert_true(rg_str_is(e->groups[0].family, "gemm fp8"));
    assert_true(rg_str_is(e->groups[1].family, "gemm bfloat16"));
    assert_true(e->verdicts[2].error && strstr(e->verdicts[2].error, "k '0'"));
    assert_true(e->verdicts[3].error && strstr(e->verdicts[3].error, "nf9"));
    assert_non_null(e->verdicts[4].error);
    rg_evaluation_free(e, count);
}

/* A file that has the columns and nothing below them is told apart from one of another kind. */
static void a_head_alone_is_no_measurement(void **state)
{
    char path[64];
    rg_evaluation *all = NULL;
    size_t count = 0;
    const rg_evaluate_opt opt = {.size = sizeof opt};
    assert_int_equal(rg_evaluate_file(*state, written(path, COLUMNS), &opt, &all, &count), RG_FORMAT);
    assert_non_null(strstr(rg_ctx_error(*state), "columns of llm_op and has no row"));
    unlink(path);
    static const char blank[] = COLUMNS "32,8,4096,14336,128256,True,512,1,mlp_up_proj,,a100,x\n";
    assert_int_equal(rg_evaluate_file(*state, written(path, blank), &opt, &all, &count), RG_FORMAT);
    assert_non_null(strstr(rg_ctx_error(*state), "none of its 1 rows"));
    unlink(path);
}

/* What a file lacks is said: of the kind that is meant, or else of the nearest. */
static void a_missing_column_is_named(void **state)
{
    static const struct { const char *text, *kind, *error; } rows[] = {
        {"device,op,batch,m,n,k,latency_us\nt4,linear,1,8,8,8,9\n", NULL, "nearest, gemm, needs dtype"},
        {"device,op,batch,m,n,k,dtype\nt4,linear,1,8,8,8,fp32\n", NULL, "nearest, gemm, needs latency_us"},
        {"device,op,batch,m,n,k,latency_us\nt4,linear,1,8,8,8,9\n", "rowwise", "kind rowwise; rowwise needs"},
        {"a,b\n1,2\n", NULL, "of no measurement; known: attention, "},
        {"a,b\n1,2\n", "gem", "of kind gem; known: attention, "},
    };
    char path[64];
    rg_evaluation *all = NULL;
    size_t count = 0;
    for (size_t i = 0; i < RG_COUNT(rows); i++) {
        const rg_evaluate_opt opt = {.size = sizeof opt, .kind = rows[i].kind};
        rg_err err = rg_evaluate_file(*state, written(path, rows[i].text), &opt, &all, &count);
        assert_int_equal(err, RG_FORMAT);
        if (!strstr(rg_ctx_error(*state), rows[i].error)) fail_msg("%s", rg_ctx_error(*state));
        unlink(path);
    }
}

/* A row is no curve: to ask for probes of it is not passed over. */
static void probes_are_of_curves(void **state)
{
    char path[64];
    rg_evaluation *all = NULL;
    size_t count = 0;
    const rg_evaluate_opt opt = {.size = sizeof opt, .probes = 1};
    static const char text[] = COLUMNS "32,8,4096,14336,128256,True,512,1,mlp_up_proj,1,a100,x\n";
    assert_int_equal(rg_evaluate_file(*state, written(path, text), &opt, &all, &count), RG_USAGE);
    assert_non_null(strstr(rg_ctx_error(*state), "llm_op"));
    unlink(path);
}

/* What is asked of `ridge learn` and is not there, before anything is taught. */
static void lessons_that_are_not_there_are_named(void **state)
{
    char path[64];
    rg_doc *doc = NULL;
    const char *file = written(path, COLUMNS "32,8,4096,14336,128256,True,512,1,mlp_up_proj,1,a100,x\n");
    rg_learn_opt opt = {.size = sizeof opt, .export_to = "/tmp", .key = "vllm.gem,"};
    assert_int_equal(rg_learn_doc(*state, &file, 1, &opt, &doc), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(*state), "'vllm.gem,'; they have vllm.gemm."));
    opt.key = NULL, opt.without = "a1000000";
    assert_int_equal(rg_learn_doc(*state, &file, 1, &opt, &doc), RG_INPUT);
    assert_non_null(strstr(rg_ctx_error(*state), "--without: device 'a1000000'"));
    opt.without = NULL, opt.out = "/nowhere";
    assert_int_equal(rg_learn_doc(*state, &file, 1, &opt, &doc), RG_INPUT);
    unlink(path);
}

/* Readings are judged alike in both of their forms. */
static void readings_are_read_in_both_forms(void **state)
{
    static const char *const texts[] = {
        "model,device,runtime,backend,threads,batch,precision,id,median_s,peak_memory_byte\n"
        "zoo:alexnet,t4,tensorrt,theirs,,4,f32,,0.0005,2000000\n"
        "zoo:alexnet,t4,tensorrt,theirs,,1,f32,,0.0003,\n",
        " {\"schema\": \"ridge.readings/1\", \"readings\": ["
        "{\"model\": \"zoo:alexnet\", \"device\": \"t4\", \"runtime\": \"tensorrt\", \"backend\": \"theirs\","
        " \"batch\": 4, \"precision\": \"f32\", \"median_s\": 0.0005, \"peak_memory_byte\": 2e6},"
        "{\"model\": \"zoo:alexnet\", \"device\": \"t4\", \"runtime\": \"tensorrt\", \"backend\": \"theirs\","
        " \"batch\": 1, \"precision\": \"f32\", \"median_s\": 0.0003}]}\n",
    };
    double forecast[2];
    for (int i = 0; i < 2; i++) {
        size_t count = 0;
        rg_evaluation *e = evaluated(*state, texts[i], &count);
        assert_int_equal(count, 1);
        assert_string_equal(e->judge->name, "reading");
        assert_int_equal(e->count, 2);
        if (e->verdicts[0].error) fail_msg("%s", e->verdicts[0].error);
        assert_true(e->verdicts[0].measured[0] == 0.0005 && e->verdicts[0].measured[1] == 2e6);
        assert_true(e->verdicts[1].measured[0] == 0.0003 && isnan(e->verdicts[1].measured[1]));
        forecast[i] = e->verdicts[0].forecast[0];
        rg_evaluation_free(e, count);
    }
    assert_true(forecast[0] > 0 && forecast[0] == forecast[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_their_closed_forms), cmocka_unit_test(tau_counts_pairs),
        cmocka_unit_test(tables_are_strict), cmocka_unit_test(forecasts_read_their_columns_only),
        cmocka_unit_test(misses_count), cmocka_unit_test(kernels_take_no_less_than_their_limit),
        cmocka_unit_test(windows_hide_keys), cmocka_unit_test(limits_of_power_hold),
        cmocka_unit_test(sends_leave_machines), cmocka_unit_test(families_are_told_apart),
        cmocka_unit_test(a_head_alone_is_no_measurement), cmocka_unit_test(a_missing_column_is_named),
        cmocka_unit_test(probes_are_of_curves), cmocka_unit_test(lessons_that_are_not_there_are_named),
        cmocka_unit_test(readings_are_read_in_both_forms),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
