/* test_absurd_rows.c - rows of measurements with numbers that nobody measured: whatever a cell holds, a
 * forecast is a number above 0, or a miss that says why. Sanitizers make this a test of every conversion.
 */
#include "learn/evaluate.h"

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

/* A row of each kind; numbers behind a '#' are put in the place of others. */
typedef struct kind { const char *head, *row; } kind;
static const kind kinds[] = {
    {"device,op,batch,m,n,k,dtype,latency_us", "v100-pcie-32gb,bmm,#8,#64,#64,#64,fp32,9000"},
    {"device,op,dtype,m,n,k,power_limit_w,latency_us", "h200_sxm,gemm,bfloat16,#64,#64,#64,#350,2000"},
    {"device,op,rows,cols,dtype,latency_us", "t4,softmax,#64,#64,fp32,3000"},
    {"device,op,batch,c_in,c_out,k,hw,stride,pad,dtype,latency_us",
     "p4,conv,#8,#64,#64,#3,#56,#1,#1,fp32,9"},
    {"device,op,batch,seq_len,kv_len,heads,kv_heads,head_dim,window,dtype,kv_dtype,latency_us",
     "a100_sxm,attention_prefill,#4,#512,#512,#32,#8,#128,#128,bfloat16,bfloat16,600"},
    {"device,op,batch,seq_len,kv_len,heads,kv_heads,head_dim,window,dtype,kv_dtype,latency_us",
     "a100_sxm,attention_decode,#4,#1,#512,#32,#8,#128,#0,bfloat16,fp8,600"},
    {"device,op,dtype,gpus,message_elements,latency_us", "h200_sxm,all_reduce,half,#8,#4096,20"},
    {"topology,collective,num_workers,devices_per_node,max_devices_per_node,size,"
     "time_stats.all_reduce.median",
     "a100_dgx,all_reduce,#4,#4,#8,#4096,2"},
    {"n_head,n_kv_head,n_embd,n_expanded_embd,vocab_size,use_gated_mlp,num_tokens,"
     "num_tensor_parallel_workers,op,ms,device",
     "#32,#8,#4096,#14336,#128256,True,#512,#1,attn_pre_proj,0.5,a100"},
    {"n_head,n_kv_head,n_embd,n_expanded_embd,vocab_size,use_gated_mlp,num_tokens,"
     "num_tensor_parallel_workers,op,ms,device",
     "#32,#8,#4096,#14336,#128256,True,#512,#1,attn_rope,0.5,a100"},
    {"n_head,n_kv_head,n_embd,n_expanded_embd,vocab_size,use_gated_mlp,num_tokens,"
     "num_tensor_parallel_workers,op,ms,device",
     "#32,#8,#4096,#14336,#128256,True,#512,#1,mlp_up_proj,0.5,a100"},
    {"device,model,seq,batch,num_layer,latency_ms", "v100-pcie-32gb,bert_base,#64,#1,#12,9"},
    {"kind,device,n_gpus,pp,ep,dp,model,precision,batch,osl,arch,task,total_params_b,act_params_b,"
     "median_itl_ms,output_tok_s,avg_power_w,energy_per_token_j",
     "llm_serving_energy,h100-sxm,#4,#1,#4,#1,who/Knows-90B-16E,fp8,#16,#400,MoE,else,#90,#12,10,1600,500,"
     "0.3"},
    {"kind,device,tp,pp,model,precision,batch,isl,osl,output_tok_s",
     "llm_throughput,h100-sxm,#1,#1,LLaMA 7B,FP16,#4,#128,#128,100"},
    {"dataset,device,model,batch,power_limit_w,latency_s,latency_kind,energy_j,power_w",
     "a,V100,shufflenetv2,#1024,#250,9,epoch,900,100"},
    {"dataset,device,n_dev,model,power_w", "mlperf_v4.1_power,H200-SXM-141GBx8_TRT,#8,resnet50,5000"},
    {"kind,device,n_gpus,model,precision,batch,height,width,steps,frames,ulysses,ring,batch_latency_s,"
     "avg_power_w,energy_per_item_j",
     "diffusion_energy,H100,#4,a/Wan2.1-T2V-1.3B,bfloat16,#1,#480,#832,#50,#81,#2,#2,30,2000,70000"},
    {"level,device,power_mode,model,op,pattern,shape,batch,precision,flops,bytes,latency_ms",
     "subgraph,i7_12700K,,resnet18,conv2d_batchnorm,Conv2d_BatchNorm2d,,#1,fp32,#231211008,#1753600,0.6"},
    {"model,device,runtime,backend,threads,batch,precision,id,median_s,peak_memory_byte",
     "zoo:mlp,t4,tensorrt,theirs,#1,#1,f32,#0,1e-3,1e9"},
};

/* Those that are judged a curve at a time where there are probes. */
static const kind curves[] = {
    {"device,mode,model,family,batch,precision,layout,img_size,gmacs,macts_m,params_m,framework,compile,"
     "samples_per_s",
     "rtx-3090,infer,resnet50,f,#256,amp_fp16,nchw,#224,#4.11,#11.11,#25.56,pytorch 2.4.0,eager,2000"},
    {"device,mode,model,family,batch,precision,layout,img_size,gmacs,macts_m,params_m,framework,compile,"
     "samples_per_s",
     "rtx-3090,infer,mystery,f,#256,amp_fp16,nchw,#224,#4.11,#11.11,#25.56,pytorch 2.4.0,eager,2000"},
    {"device,model,task,batch,precision,sm_mhz,mem_mhz,latency_s,power_w,energy_j,extra",
     "v100,gemm,x,#8,f32,#1000,#877,2,200,400,DRAMA=#0.5;FP32A=#0.1;run_order=#1"},
    {"device,model,power_w,extra", "Intel Xeon E3-1240 v2,stress,30,load_pct=#50;cores_used=#8;run=1"},
};

static const char *const absurd[] = {
    "0", "-1", "1e-300", "65536", "268435456", "2147483647", "999999999999999", "1e300", "inf", "",
};

/* The row, its number `at` (-1: each of them) replaced by `by`. False: there is none behind it. */
static bool put_row(FILE *file, const char *row, int at, const char *by)
{
    int number = 0;
    for (const char *c = row; *c; c++) {
        if (*c != '#') {
            fputc(*c, file);
            continue;
        }
        bool replaced = at < 0 || number == at;
        if (replaced) fputs(by, file);
        while (replaced && c[1] && !strchr(",;", c[1])) c++;
        number++;
    }
    fputc('\n', file);
    return at + 1 < number;
}

static void put_file(const char *path, const kind *k)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", k->head);
    for (size_t i = 0; i < RG_COUNT(absurd); i++)
        for (int at = -1; put_row(file, k->row, at, absurd[i]);) at++;
    assert_int_equal(fclose(file), 0);
}

static void check_rows(const rg_evaluation *e, const char *row)
{
    for (size_t i = 0; i < e->count; i++) {
        const rg_verdict *v = &e->verdicts[i];
        bool answered = false;
        for (int q = 0; q < RG_JUDGE_QUANTITIES && e->judge->quantities[q].name; q++) {
            double f = v->forecast[q];
            answered |= !isnan(f);
            if (!isnan(f) && (!(f > 0) || isinf(f))) fail_msg("%s: row %zu: %g", row, i, f);
        }
        bool whole = e->judge->curve && !e->judge->forecast; /* such a curve may have a reason as a whole */
        bool told = whole || v->error;
        if (answered ? v->error != NULL : !told) fail_msg("%s: row %zu has no answer", row, i);
    }
}

static void check_all(rg_ctx *cx, const kind *all, size_t kind_count, int probes)
{
    char path[] = "/tmp/ridge-absurd-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (const kind *k = all; k < all + kind_count; k++) {
        const rg_evaluate_opt opt = {.size = sizeof opt, .learning = RG_LEARN_NONE, .workers = 2,
                                     .probes = probes};
        rg_evaluation *e = NULL;
        size_t count = 0;
        put_file(path, k);
        if (rg_evaluate_file(cx, path, &opt, &e, &count)) fail_msg("%s: %s", k->row, rg_ctx_error(cx));
        check_rows(&e[0], k->row);
        rg_evaluation_free(e, count);
    }
    unlink(path);
}

static void absurd_rows_are_misses(void **state)
{
    check_all(*state, kinds, RG_COUNT(kinds), 0);
    check_all(*state, curves, RG_COUNT(curves), 0);
}

static void absurd_probes_tell_nothing(void **state) { check_all(*state, curves, RG_COUNT(curves), 3); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(absurd_rows_are_misses, setup, teardown),
        cmocka_unit_test_setup_teardown(absurd_probes_tell_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
