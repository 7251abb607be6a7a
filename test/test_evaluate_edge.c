/* test_evaluate_edge.c - measurements of small machines: what their texts say, sizes counted by hand, the
 * processor's clock in what a module's GPU takes, and that nothing but the kind's columns is read.
 */
#include "learn/edge_piece.h"

#include "op/op.h"

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

static void members_are_found(void **state)
{
    (void)state;
    rg_str json =
        rg_str_of("{\"size\": 64, \"framework\": \"numpy\", \"best_precision\": \"fp64\", \"n\": 7}");
    assert_true(rg_str_is(rg_edge_member(json, "framework"), "numpy"));
    assert_true(rg_str_is(rg_edge_member(json, "size"), "64"));
    assert_true(rg_str_is(rg_edge_member(json, "n"), "7"));
    assert_int_equal(rg_edge_member(json, "precision").size, 0);
    assert_int_equal(rg_edge_member(rg_str_of(""), "n").size, 0);
    assert_int_equal(rg_edge_member(rg_str_of("{\"n\": "), "n").size, 0);
}

static void modules_are_counted(void **state)
{
    (void)state;
    assert_true(rg_edge_launches(rg_str_of("add_ReLU")) == 2);
    assert_true(rg_edge_launches(rg_str_of("Unfused")) == 1);
    assert_true(rg_edge_launches(rg_str_of("Conv2d_BatchNorm2d_SiLU_+3more")) == 3 + 1 + 1 + 3);
    assert_true(rg_edge_launches(rg_str_of("Linear_Dropout")) == 3);
}

/* Elements of the result, and inputs, by hand. */
static void shapes_make_graphs(void **state)
{
    static const struct { const char *op, *shape; int64_t batch, out; } cases[] = {
        {"matmul", "64x96x128", 1, 64 * 128},
        {"linear", "16x128x512", 1, 16 * 512},
        {"gemm", "128x256x64", 4, 4 * 128 * 256},
        {"vector_add", "4096", 1, 4096},
        {"mlp", "2048-[1024, 512]-256", 8, 8 * 256},
        {"conv2d_standard", "cin3_cout64_hw224_k7_s2_g1", 2, 2 * 64 * 112 * 112},
        {"conv2d_depthwise", "cin32_cout32_hw112_k3_s1_g32", 1, 32 * 112 * 112},
        {"blas2_gemv", "{\"size\": 512, \"framework\": \"numpy\"}", 1, 512},
        {"stream_add", "{\"size_mb\": 16, \"kernel\": \"add\"}", 1, 16 << 18},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        rg_graph *g = NULL;
        int64_t count = 1;
        if (rg_edge_piece(*state, rg_str_of(cases[i].op), rg_str_of(cases[i].shape), cases[i].batch, RG_F32,
                          &g))
            fail_msg("%s", rg_ctx_error(*state));
        assert_int_equal(rg_graph_resolve(*state, g), RG_OK);
        assert_int_equal(rg_graph_infer(*state, g), RG_OK);
        const rg_type *type = &g->values[g->regions[RG_MAIN].outputs[0]].type;
        for (int d = 0; d < type->rank; d++) count *= type->dim[d];
        assert_int_equal(count, cases[i].out);
        rg_graph_free(g);
    }
}

static void bad_shapes_are_refused(void **state)
{
    static const struct { const char *op, *shape; rg_err err; } cases[] = {
        {"matmul", "64x96", RG_INPUT}, {"matmul", "", RG_INPUT}, {"mlp", "8-8", RG_INPUT},
        {"conv2d_standard", "cin3_cout64", RG_INPUT}, {"stream_add", "{\"size_mb\": 99999}", RG_INPUT},
        {"dance", "1", RG_UNSUPPORTED}, {"matmul", "99999999999999999999x1x1", RG_INPUT},
    };
    for (size_t i = 0; i < RG_COUNT(cases); i++) {
        rg_graph *g = NULL;
        assert_int_equal(
            rg_edge_piece(*state, rg_str_of(cases[i].op), rg_str_of(cases[i].shape), 1, RG_F32, &g),
            cases[i].err);
    }
}

/* ---- the kind ---- */

enum { ROWS_MAX = 8 };
static size_t forecasts(rg_ctx *cx, const char *text, const char *kind, double *out)
{
    char path[] = "/tmp/ridge-edge-XXXXXX";
    rg_evaluation *all = NULL;
    size_t count = 0, found = 0;
    rg_evaluate_opt opt = {.size = sizeof opt};
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    if (rg_evaluate_file(cx, path, &opt, &all, &count)) fail_msg("%s", rg_ctx_error(cx));
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; strcmp(all[i].judge->name, kind) == 0 && k < all[i].count; k++) {
            assert_true(found < ROWS_MAX);
            out[found++] = all[i].verdicts[k].forecast[0];
        }
    rg_evaluation_free(all, count);
    unlink(path);
    return found;
}

#define HEAD "level,set,device,power_mode,model,op,pattern,item,shape,batch,precision,flops,bytes,"

static void reads_its_columns_only(void **state)
{
    static const char *const files[] = {
        HEAD "latency_ms,gflops,gbps,pred_ms,heldout\n"
             "subgraph,a,i7_12700K,,resnet18,conv2d_batchnorm,Conv2d_BatchNorm2d,3,,1,fp32,231211008,1753600,"
             "0.6,382,1,2,0\n"
             "op,a,jetson_orin_agx,50W,,gemm,,,128x128x128,4,fp16,16777216,,0.5,1,1,2,0\n"
             "model_e2e,a,jetson_orin_agx,50W,resnet18,model,,,,1,fp32(tf32 on),,,6.7,1,1,2,1\n",
        HEAD
        "latency_ms\n"
        "subgraph,,i7_12700K,,resnet18,conv2d_batchnorm,Conv2d_BatchNorm2d,,,1,fp32,231211008,1753600,9\n"
        "op,,jetson_orin_agx,50W,,gemm,,,128x128x128,4,fp16,16777216,,9\n"
        "model_e2e,,jetson_orin_agx,50W,resnet18,model,,,,1,fp32(tf32 on),,,9\n",
    };
    double seen[2][ROWS_MAX];
    for (int i = 0; i < 2; i++) assert_int_equal(forecasts(*state, files[i], "edge", seen[i]), 3);
    for (int k = 0; k < 3; k++) assert_true(seen[0][k] > 0 && seen[0][k] == seen[1][k]);
    /* resnet18 at 224 x 224 is 1.81 G multiply-adds; 1.3 GHz x 16 SMs x 128 lanes is the most in f32, four
     * times that in TF32 */
    assert_true(seen[0][2] > 2 * 1.8e9 / (4 * 2 * 16 * 128 * 1.3e9));
}

/* Modes MAXN and 15W of the module run its processor at 2.2 and 1.1 GHz: what launches little waits for it.
 */
static void slow_processor_launches_slowly(void **state)
{
    double seen[ROWS_MAX];
    assert_int_equal(forecasts(*state,
                               HEAD
                               "latency_ms\n"
                               "subgraph,,jetson_orin_agx_maxn,MAXN,m,activation,add_ReLU,,,1,fp32,9,99,9\n"
                               "subgraph,,jetson_orin_agx_15w,15W,m,activation,add_ReLU,,,1,fp32,9,99,9\n",
                               "edge", seen),
                     2);
    assert_true(fabs(seen[1] / seen[0] - 2.2016 / 1.1136) < 0.02);
}

static void operators_by_name(void **state)
{
    double seen[2][ROWS_MAX];
    static const char *const files[] = {
        "device,model,batch,precision,latency_s,energy_j\ni7_12700k,matmul 64x64x64,,fp32,5e-6,1\n",
        "device,model,batch,precision,latency_s\ni7_12700k,matmul 64x64x64,,fp32,7\n",
    };
    for (int i = 0; i < 2; i++) assert_int_equal(forecasts(*state, files[i], "edge_op", seen[i]), 1);
    assert_true(seen[0][0] > 0 && seen[0][0] == seen[1][0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found),
        cmocka_unit_test(modules_are_counted),
        cmocka_unit_test_setup_teardown(shapes_make_graphs, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_shapes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_its_columns_only, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_processor_launches_slowly, setup, teardown),
        cmocka_unit_test_setup_teardown(operators_by_name, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
