/* test_evaluate_power.c - power limits, servers at the wall, pictures by diffusion, and processors with
 * readings: each forecast reads the columns of its kind only, and what it says obeys what is known of the
 * machine.
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

static rg_evaluation *evaluated(rg_ctx *cx, const char *text, const char *kind, int probes)
{
    char path[] = "/tmp/ridge-power-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    rg_evaluation *all = NULL;
    size_t count = 0;
    rg_evaluate_opt opt = {.size = sizeof opt, .kind = kind, .probes = probes};
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    rg_err err = rg_evaluate_file(cx, path, &opt, &all, &count);
    unlink(path);
    if (err) fail_msg("%s", rg_ctx_error(cx));
    assert_int_equal(count, 1);
    return all;
}

/* The forecasts of two files that differ in what is no column of their kind, row by row. */
static void same_forecasts(rg_ctx *cx, const char *const files[2], const char *kind, size_t rows)
{
    rg_evaluation *e[2];
    for (int i = 0; i < 2; i++) {
        e[i] = evaluated(cx, files[i], kind, 0);
        assert_int_equal(e[i]->count, rows);
    }
    for (size_t k = 0; k < rows; k++) {
        if (e[0]->verdicts[k].error) fail_msg("%s", e[0]->verdicts[k].error);
        assert_true(e[0]->verdicts[k].forecast[0] > 0);
        assert_memory_equal(e[0]->verdicts[k].forecast, e[1]->verdicts[k].forecast,
                            sizeof e[0]->verdicts[k].forecast);
    }
    for (int i = 0; i < 2; i++) rg_evaluation_free(e[i], 1);
}

/* ---- power limits ---- */

static void limits_hold(void **state)
{
    static const char *const files[] = {
        "dataset,device,model,batch,power_limit_w,latency_s,latency_kind,energy_j,power_w,extra\n"
        "a,V100,shufflenetv2,1024,250,9,epoch,900,100,optimizer=adam\n"
        "a,V100,shufflenetv2,1024,100,9,epoch,900,100,optimizer=adam\n",
        "dataset,device,model,batch,power_limit_w,latency_s,latency_kind,energy_j,power_w,extra\n"
        "b,V100,shufflenetv2,1024,250,1,epoch,1,1,\n"
        "b,V100,shufflenetv2,1024,100,1,epoch,1,1,\n",
    };
    same_forecasts(*state, files, "power_limit", 2);
    rg_evaluation *e = evaluated(*state, files[0], "power_limit", 0);
    const double *free = e->verdicts[0].forecast, *tight = e->verdicts[1].forecast;
    assert_true(tight[1] <= 100.5 && tight[1] < free[1] && tight[0] > free[0]);
    assert_true(fabs(free[2] - free[0] * free[1]) < 1e-9 * free[2]);
    rg_evaluation_free(e, 1);
    e = evaluated(*state,
                  "device,model,batch,power_limit_w,latency_s,latency_kind\n"
                  "V100,nobody's,64,250,9,epoch\nV100,shufflenetv2,64,5,9,epoch\n",
                  "power_limit", 0);
    for (int i = 0; i < 2; i++) assert_non_null(e->verdicts[i].error);
    rg_evaluation_free(e, 1);
}

/* ---- servers ---- */

static void servers_draw_more_than_their_boards(void **state)
{
    static const char *const files[] = {
        "dataset,device,n_dev,model,task,power_w,throughput\n"
        "mlperf_v4.1_power,H200-SXM-141GBx8_TRT_MaxQ,8,resnet50,Offline,5000,500000\n"
        "mlperf_v4.1_power,H200-SXM-141GBx8_TRT,8,resnet50,Offline,5000,500000\n",
        "dataset,device,n_dev,model,task,power_w,throughput\n"
        "mlperf_v4.1_power,H200-SXM-141GBx8_TRT_MaxQ,8,resnet50,Server,1,1\n"
        "mlperf_v4.1_power,H200-SXM-141GBx8_TRT,8,resnet50,Server,1,1\n",
    };
    same_forecasts(*state, files, "model_power", 2);
    rg_evaluation *e = evaluated(*state, files[0], "model_power", 0);
    double saving = e->verdicts[0].forecast[0], full = e->verdicts[1].forecast[0];
    assert_true(saving < full && full <= 10200 * 1.001); /* the most that such a server draws */
    rg_evaluation_free(e, 1);
    e = evaluated(*state,
                  "dataset,device,n_dev,model,power_w\n"
                  "mlperf_v4.1_power,h13_u3_slim,,resnet50,300\nmlperf_v4.1_power,T4x8,8,dance,300\n",
                  "model_power", 0);
    for (int i = 0; i < 2; i++) assert_non_null(e->verdicts[i].error);
    rg_evaluation_free(e, 1);
}

/* ---- diffusion ---- */

#define PICTURES                                                                                             \
    "kind,device,n_gpus,model,precision,batch,height,width,steps,frames,ulysses,ring,batch_latency_s,"       \
    "avg_power_w,energy_per_item_j,note\n"

static void pictures_take_their_arithmetic(void **state)
{
    static const char *const files[] = {
        PICTURES
        "diffusion_energy,H100,1,a/PixArt-Sigma-XL-2-1024-MS,bfloat16,4,1024,1024,20,,1,1,4,600,700,x\n"
        "diffusion_energy,H100,4,a/Wan2.1-T2V-1.3B,bfloat16,1,480,832,50,81,2,2,30,2000,70000,x\n"
        "diffusion_energy,H100,1,a/Wan2.1-T2V-1.3B,bfloat16,1,480,832,50,81,1,1,90,600,70000,x\n",
        PICTURES "diffusion_energy,H100,1,a/PixArt-Sigma-XL-2-1024-MS,bfloat16,4,1024,1024,20,,1,1,1,1,1,\n"
                 "diffusion_energy,H100,4,a/Wan2.1-T2V-1.3B,bfloat16,1,480,832,50,81,2,2,1,1,1,\n"
                 "diffusion_energy,H100,1,a/Wan2.1-T2V-1.3B,bfloat16,1,480,832,50,81,1,1,1,1,1,\n",
    };
    same_forecasts(*state, files, "diffusion", 3);
    rg_evaluation *e = evaluated(*state, files[0], "diffusion", 0);
    /* 30 layers on 21 x 30 x 52 tokens, twice for each of 50 steps: 2 x 1536 x (4 x 1536 + 2 x 8960) a token,
     * and 4 x 1536 for each pair; 989 TFLOP/s is the most (NVIDIA H100 data sheet, bf16 dense) */
    double n = 21 * 30 * 52, each = 2 * 1536. * (4 * 1536 + 2 * 8960) * n + 4 * 1536. * n * n;
    double least_s = 30 * 2 * 50 * each / 989e12;
    const double *four = e->verdicts[1].forecast, *one = e->verdicts[2].forecast;
    assert_true(one[0] > least_s && one[0] < 4 * least_s);
    assert_true(four[0] < one[0] && four[0] > one[0] / 4); /* what moves, and decoding, is not shared */
    for (int i = 0; i < 3; i++) { /* joules of an item are watts of all, by the time of a batch */
        const double *f = e->verdicts[i].forecast, batch = i ? 1 : 4;
        assert_true(fabs(f[2] * batch - f[0] * f[1]) < 1e-9 * f[0] * f[1]);
    }
    rg_evaluation_free(e, 1);
    e = evaluated(*state,
                  PICTURES
                  "diffusion_energy,H100,1,a/none,bfloat16,4,1024,1024,20,,1,1,4,600,700,x\n"
                  "diffusion_energy,H100,1,a/PixArt-Sigma-XL-2-1024-MS,bfloat16,4,8,1024,20,,1,1,4,600,"
                  "700,x\n",
                  "diffusion", 0);
    for (int i = 0; i < 2; i++) assert_non_null(e->verdicts[i].error);
    rg_evaluation_free(e, 1);
}

/* ---- processors with readings ---- */

/* Two runs, the second with counters that add the cores once more: it is scored apart, and no probe. A probe
 * is met as well as a reading repeats, within 1 %. */
static void readings_are_taken_from_clean_runs(void **state)
{
    static const char *const loads[] = {"0", "25", "50", "100"};
    static const double watts[] = {6, 12, 30, 50};
    char text[4096];
    size_t size = (size_t)snprintf(text, sizeof text, "device,model,power_w,extra\n");
    for (int run = 0; run < 2; run++)
        for (int i = 0; i < 4; i++)
            size += (size_t)snprintf(
                text + size, sizeof text - size,
                "Intel Xeon E3-1240 v2,stress all_cores,%g,load_pct=%s;cores_used=8;run=%d\n",
                watts[i] * (run ? 1.9 : 1), loads[i], run);
    for (int probes = 0; probes <= 2; probes += 2) {
        rg_evaluation *e = evaluated(*state, text, "cpu_power", probes);
        assert_int_equal(e->count, 8);
        int shown = 0;
        for (int i = 0; i < 8; i++) {
            const rg_verdict *v = &e->verdicts[i];
            assert_true((v->dirty != NULL) == (i >= 4));
            shown += v->probe;
            if (v->probe) assert_true(i < 4 && fabs(v->forecast[0] - v->measured[0]) < 0.01 * v->measured[0]);
        }
        assert_int_equal(shown, probes);
        rg_evaluation_free(e, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(limits_hold, setup, teardown),
        cmocka_unit_test_setup_teardown(servers_draw_more_than_their_boards, setup, teardown),
        cmocka_unit_test_setup_teardown(pictures_take_their_arithmetic, setup, teardown),
        cmocka_unit_test_setup_teardown(readings_are_taken_from_clean_runs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
