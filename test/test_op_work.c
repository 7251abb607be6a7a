/* test_op_work.c - work of operators against closed forms and published counts: ResNet, MobileNet, ResNeXt
 * and BERT layers, an LSTM by its gates, attention with and without a past.
 */
#include "case_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Facts of one node; outputs are only counted. */
static rg_work work_of(const char *type, const char *inputs, const char *attrs, const char *outputs)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    const rg_op *op = rg_op_find(RG_LIT(""), rg_str_of(type));
    rg_case c = {inputs, attrs, outputs};
    rg_graph *g = NULL;
    rg_work w;
    assert_non_null(cx);
    assert_non_null(op);
    if (case_graph(cx, op, &c, &g) || case_infer(cx, g))
        fail_msg("%s(%s): %s", type, inputs, rg_ctx_error(cx));
    rg_node_work(cx, g, 1, &w);
    rg_graph_free(g);
    rg_ctx_free(cx);
    return w;
}

#define assert_count(have, want) assert_float_equal((have), (want), 0.5)

static void assert_nest(const rg_work *w, double batch, double m, double n, double k, double steps)
{
    assert_count(w->batch, batch);
    assert_count(w->m, m);
    assert_count(w->n, n);
    assert_count(w->k, k);
    assert_count(w->steps, steps);
    assert_float_equal(w->mac, batch * m * n * k * steps, 0.5);
}

static void test_conv(void **state)
{
    (void)state;
    rg_work w = work_of("Conv", "f32[1,64,56,56] f32[64,64,3,3]", "pads=1,1,1,1", "y"); /* ResNet-50 */
    assert_count(w.mac, 115605504);
    assert_count(w.flop, 2 * 115605504.0);
    assert_nest(&w, 1, 3136, 64, 576, 1);
    assert_int_equal(w.family, RG_FAMILY_CONV);
    assert_count(w.in_byte, 4 * (64 * 3136 + 36864.0));
    assert_count(w.out_byte, 4 * 64 * 3136.0);
    assert_count(w.channels * w.spatial, 64 * 3136);

    w = work_of("Conv", "f32[1,3,224,224] f32[64,3,7,7] f32[64]", "strides=2,2 pads=3,3,3,3", "y");
    assert_count(w.mac, 118013952); /* ResNet stem */
    assert_count(w.flop, 2 * 118013952.0 + 64 * 112 * 112);

    w = work_of("Conv", "f32[1,128,56,56] f32[128,4,3,3]", "group=32 pads=1,1,1,1", "y"); /* ResNeXt 32x4d */
    assert_count(w.mac, 14450688);
    assert_nest(&w, 32, 3136, 4, 36, 1);
    assert_int_equal(w.family, RG_FAMILY_CONV);
}

static void test_depthwise(void **state)
{
    (void)state;
    rg_work w = work_of("Conv", "f32[1,32,112,112] f32[32,1,3,3]", "group=32 pads=1,1,1,1", "y");
    assert_count(w.mac, 3612672);
    assert_int_equal(w.family, RG_FAMILY_DEPTHWISE);
    /* one channel is no depthwise convolution */
    w = work_of("Conv", "f32[1,1,28,28] f32[32,1,3,3]", NULL, "y");
    assert_int_equal(w.family, RG_FAMILY_CONV);
}

static void test_other_convolutions(void **state)
{
    (void)state;
    const char *attrs = "strides=2,2 pads=1,1,1,1";
    rg_work w = work_of("ConvTranspose", "f32[1,64,16,16] f32[64,32,4,4]", attrs, "y"); /* DCGAN-like */
    assert_count(w.mac, 16 * 16 * 64 * 32 * 16);
    w = work_of("ConvInteger", "u8[1,64,56,56] i8[64,64,3,3]", "pads=1,1,1,1", "y");
    assert_count(w.mac, 115605504);
    assert_count(w.in_byte, 64 * 3136 + 36864);
    w = work_of("QLinearConv", "u8[1,64,56,56] f32[] u8[] i8[64,64,3,3] f32[] i8[] f32[] u8[]",
                "pads=1,1,1,1", "y");
    assert_count(w.mac, 115605504);
}

static void test_products(void **state)
{
    (void)state;
    rg_work w = work_of("Gemm", "f32[1,2048] f32[1000,2048] f32[1000]", "transB=1", "y");
    assert_nest(&w, 1, 1, 1000, 2048, 1);
    assert_count(w.flop, 2 * 2048000 + 1000);
    w = work_of("MatMul", "f32[1,12,128,64] f32[1,12,64,128]", NULL, "y");
    assert_nest(&w, 12, 128, 128, 64, 1);
    assert_count(w.mac, 12582912);
    w = work_of("MatMul", "f16[1,128,768] f16[768,3072]", NULL, "y"); /* the batch joins the rows */
    assert_nest(&w, 1, 128, 3072, 768, 1);
    assert_count(w.in_byte, 2 * (128 * 768 + 768 * 3072.0));
    w = work_of("MatMul", "f32[4,5,6] f32[6]", NULL, "y");
    assert_nest(&w, 1, 20, 1, 6, 1);
    w = work_of("QLinearMatMul", "u8[2,4] f32[] u8[] u8[4,3] f32[] u8[] f32[] u8[]", NULL, "y");
    assert_count(w.mac, 24);
}

static void test_weights_are_constants(void **state)
{
    (void)state;
    rg_work w = work_of("MatMul", "f32[3,2] f32[2,2]=1,2,3,4", NULL, "y");
    assert_true(w.weight_in_b);
    assert_count(w.weight_byte, 16);
    assert_count(w.in_byte, 24);
    w = work_of("MatMul", "f32[3,2] f32[2,2]", NULL, "y");
    assert_false(w.weight_in_b);
    assert_count(w.weight_byte, 0);
}

static void test_einsum(void **state)
{
    (void)state;
    rg_work w = work_of("Einsum", "f32[2,12,64,32] f32[2,12,48,32]", "equation=\"bhid,bhjd->bhij\"", "y");
    assert_nest(&w, 24, 64, 48, 32, 1);
    w = work_of("Einsum", "f32[2,3] f32[3,4] f32[4,5]", "equation=\"ab,bc,cd->ad\"", "y");
    assert_count(w.mac, 2 * 3 * 4 + 2 * 4 * 5); /* left to right */
    w = work_of("Einsum", "f32[7] f32[9]", "equation=\"i,j->ij\"", "y"); /* nothing is summed */
    assert_count(w.mac, 0);
    assert_count(w.flop, 63);
    w = work_of("Einsum", "f32[3,4]", "equation=\"ij->ji\"", "y");
    assert_count(w.flop, 0);
}

static void test_recurrent(void **state)
{
    (void)state;
    rg_work w = work_of("LSTM", "f32[10,2,64] f32[2,512,64] f32[2,512,128]",
                        "direction=\"bidirectional\" hidden_size=128", "y");
    assert_count(w.mac, 2.0 * 10 * 2 * 4 * 128 * (64 + 128));
    assert_nest(&w, 2, 2, 512, 192, 10);
    w = work_of("LSTM", "f32[2,10,64] f32[2,512,64] f32[2,512,128]", "direction=\"bidirectional\" layout=1",
                "y");
    assert_nest(&w, 2, 2, 512, 192, 10);
    w = work_of("GRU", "f32[5,1,8] f32[1,12,8] f32[1,12,4]", NULL, "y");
    assert_count(w.mac, 5 * 3 * 4 * (8 + 4));
    w = work_of("RNN", "f32[5,1,8] f32[1,4,8] f32[1,4,4]", NULL, "y");
    assert_count(w.mac, 5 * 4 * (8 + 4));
}

static void test_attention(void **state)
{
    (void)state;
    rg_work w = work_of("Attention", "f32[1,12,128,64] f32[1,12,128,64] f32[1,12,128,64]", NULL, "y");
    assert_count(w.mac, 2 * 12 * 128 * 128 * 64);
    assert_count(w.special, 2 * 12 * 128 * 128);
    /* one token of an 8B model: 32 query heads share 8, 1023 tokens lie behind */
    w = work_of("Attention",
                "f16[1,32,1,128] f16[1,8,1,128] f16[1,8,1,128] _ f16[1,8,1023,128] f16[1,8,1023,128]", NULL,
                "y a b");
    assert_count(w.mac, 32 * 1024 * 256);
    /* packed heads are the same product */
    w = work_of("Attention", "f16[1,1,4096] f16[1,1024,1024] f16[1,1024,1024]",
                "q_num_heads=32 kv_num_heads=8", "y");
    assert_count(w.mac, 32 * 1024 * 256);
}

/* BERT base: 12 layers, 128 tokens, 11.17 GMAC. */
static void test_bert_layer(void **state)
{
    (void)state;
    double projection = work_of("MatMul", "f32[1,128,768] f32[768,768]", NULL, "y").mac;
    double scores = work_of("MatMul", "f32[1,12,128,64] f32[1,12,64,128]", NULL, "y").mac;
    double mixed = work_of("MatMul", "f32[1,12,128,128] f32[1,12,128,64]", NULL, "y").mac;
    double up = work_of("MatMul", "f32[1,128,768] f32[768,3072]", NULL, "y").mac;
    double down = work_of("MatMul", "f32[1,128,3072] f32[3072,768]", NULL, "y").mac;
    assert_count(12 * (4 * projection + scores + mixed + up + down), 11173625856.0);
    double fused = work_of("Attention", "f32[1,12,128,64] f32[1,12,128,64] f32[1,12,128,64]", NULL, "y").mac;
    assert_count(fused, scores + mixed);
}

static void test_windows_and_norms(void **state)
{
    (void)state;
    rg_work w = work_of("MaxPool", "f32[1,64,112,112]", "kernel_shape=3,3 strides=2,2 pads=1,1,1,1", "y");
    assert_count(w.flop, 8.0 * 64 * 56 * 56); /* 8 comparisons a window */
    assert_count(w.mac, 0);
    w = work_of("GlobalAveragePool", "f32[1,2048,7,7]", NULL, "y");
    assert_count(w.flop, 48 * 2048);
    assert_count(w.special, 2048);
    w = work_of("BatchNormalization", "f32[1,8,4,4] f32[8] f32[8] f32[8] f32[8]", NULL, "y");
    assert_count(w.flop, 2 * 128);
    w = work_of("Softmax", "f32[2,1000]", NULL, "y");
    assert_count(w.special, 2 * 2000);
    assert_count(w.m, 2);
    assert_count(w.k, 1000);
    w = work_of("Dropout", "f32[2,1000]", NULL, "y"); /* hands its input on */
    assert_int_equal(w.family, RG_FAMILY_VIEW);
    assert_count(w.in_byte + w.out_byte + w.flop, 0);
}

static void test_a_value_used_twice_is_read_once(void **state)
{
    (void)state;
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_graph *g = NULL;
    rg_work w;
    rg_str text = RG_LIT("ridge.graph/1 \"square\" opset 20\n"
                         "graph (%x: f32[10]) {\n  %y = Mul(%x, %x)\n  return %y\n}\n");
    assert_int_equal(rg_graph_of_text(cx, text, "test", &g), RG_OK);
    assert_int_equal(case_infer(cx, g), RG_OK);
    rg_node_work(cx, g, 1, &w);
    assert_count(w.in_byte, 40);
    assert_int_equal(w.family, RG_FAMILY_ELEMENTWISE);
    rg_graph_free(g);
    rg_ctx_free(cx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_other_convolutions),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_weights_are_constants),
        cmocka_unit_test(test_einsum),
        cmocka_unit_test(test_recurrent),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_bert_layer),
        cmocka_unit_test(test_windows_and_norms),
        cmocka_unit_test(test_a_value_used_twice_is_read_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
