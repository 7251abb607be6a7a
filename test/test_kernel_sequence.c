/* test_kernel_sequence.c - plain kernels of recurrent layers, attention, signals and losses, where a closed
 * form says more than ONNX's cases do: single cells by hand, lengths, directions, masked rows, transforms and
 * their inverses, labels that do not count.
 */
#include "kernel_run.h"

static int setup(void **state)
{
    *state = rg_ctx_new(NULL);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

/* One input, one state, and curves that do nothing: sums can be made by hand. h' = x + 2 h is 1, 4, 11 from
 * the front, 3, 8, 17 from behind. */
#define LINE  "f32[3,1,1]=1,2,3 f32[1,1,1]=1 f32[1,1,1]=2 "
#define PLAIN "activations=[\"Affine\"] "

static void test_rnn(void **state)
{
    static const kernel_row rows[] = {
        {"RNN", LINE, PLAIN, "f32[3,1,1,1]=1,4,11 f32[1,1,1]=11"},
        {"RNN", LINE, PLAIN "direction=\"reverse\"", "f32[3,1,1,1]=17,8,3 f32[1,1,1]=17"},
        {"RNN", LINE "_ i32[1]=2", PLAIN, "f32[3,1,1,1]=1,4,0 f32[1,1,1]=4"},
        {"RNN", LINE "_ i32[1]=2", PLAIN "direction=\"reverse\"", "f32[3,1,1,1]=5,2,0 f32[1,1,1]=5"},
        {"RNN", LINE "_ i32[1]=0 f32[1,1,1]=7", PLAIN, "f32[3,1,1,1]=0,0,0 f32[1,1,1]=0"},
        {"RNN", LINE "f32[1,2]=10,100 _ f32[1,1,1]=1", PLAIN, "f32[3,1,1,1]=113,338,789 f32[1,1,1]=789"},
        {"RNN", LINE, PLAIN "clip=3.5f", "f32[3,1,1,1]=1,3.5,3.5 f32[1,1,1]=3.5"},
        {"RNN", LINE, "activations=[\"affine\"] activation_alpha=[2.0] activation_beta=[1.0]",
         "f32[3,1,1,1]=3,17,75 _"},
        {"RNN", "f32[1,3,1]=1,2,3 f32[1,1,1]=1 f32[1,1,1]=2", PLAIN "layout=1",
         "f32[1,3,1,1]=1,4,11 f32[1,1,1]=11"},
        {"RNN", "f32[3,1,1]=1,2,3 f32[2,1,1]=1,1 f32[2,1,1]=2,2",
         "activations=[\"Affine\",\"Relu\"] direction=\"bidirectional\"",
         "f32[3,2,1,1]=1,17,4,8,11,3 f32[2,1,1]=11,17"},
        {"RNN", LINE, "activations=[\"HardSigmoid\"]", "f32[3,1,1,1]=0.7,1,1 _"},
        {"RNN", "f32[1,1,1]=nan f32[1,1,1]=1 f32[1,1,1]=2", "activations=[\"Relu\"] clip=9.0f",
         "f32[1,1,1,1]=nan f32[1,1,1]=nan"},
        {"RNN", "f32[0,1,1]= f32[1,1,1]=1 f32[1,1,1]=2 _ _ f32[1,1,1]=7", PLAIN,
         "f32[0,1,1,1]= f32[1,1,1]=0"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"RNN", LINE "_ i32[1]=4", PLAIN, "f32[1]"}, RG_INPUT);
    kernel_check_fails(*state, &(kernel_row){"RNN", LINE "_ i32[2]=1,1", PLAIN, "f32[1]"}, RG_SHAPE);
    kernel_check_fails(*state, &(kernel_row){"RNN", LINE "f32[3]=1,1,1", PLAIN, "f32[1]"}, RG_SHAPE);
    kernel_check_fails(*state, &(kernel_row){"RNN", LINE, "activations=[\"Sin\"]", "f32[1]"}, RG_UNSUPPORTED);
    kernel_check_fails(*state, &(kernel_row){"RNN", LINE, "activations=[\"Tanh\",\"Tanh\"]", "f32[1]"},
                       RG_FORMAT);
}

/* One step with curves that do nothing, gates set by their biases.
 * GRU from x = 2, h = 5, r = 2: g = 3 x + 4 (r h) + 7 + 6, or 3 x + r (4 h + 6) + 7 with the reset behind the
 * product; z = 0 shows it, z = 1 keeps h.
 * LSTM from c = 6: i = x = 2, o = 3, f = 4, sum of the cell 5: c' = 4 * 6 + 2 * 5, h' = o c'. */
#define AFFINE "activations=[\"Affine\",\"Affine\"] "
#define GRU(z) "f32[1,1,1]=2 f32[1,3,1]=0,0,3 f32[1,3,1]=0,0,4 f32[1,6]=" z ",2,7,0,0,6 _ f32[1,1,1]=5"
#define LSTM   "f32[1,1,1]=2 f32[1,4,1]=1,0,0,0 f32[1,4,1]=0,0,0,0 f32[1,8]=0,3,4,5,0,0,0,0 _ _ f32[1,1,1]=6 "

static void test_gates(void **state)
{
    static const char three[] = "activations=[\"Affine\",\"Affine\",\"Affine\"]";
    static const kernel_row rows[] = {
        {"GRU", GRU("0"), AFFINE, "f32[1,1,1,1]=59 _"},
        {"GRU", GRU("0"), AFFINE "linear_before_reset=1", "f32[1,1,1,1]=65 _"},
        {"GRU", GRU("1"), AFFINE, "f32[1,1,1,1]=5 f32[1,1,1]=5"},
        {"LSTM", LSTM, three, "f32[1,1,1,1]=102 f32[1,1,1]=102 f32[1,1,1]=34"},
        /* f = 1 - i = -1: c' = -6 + 10 */
        {"LSTM", LSTM, "activations=[\"Affine\",\"Affine\",\"Affine\"] input_forget=1",
         "_ f32[1,1,1]=12 f32[1,1,1]=4"},
        /* peepholes of i, o, f: i = 2 + 6, f = 4 + 600, c' = 604 * 6 + 8 * 5, o = 3 + 10 c' */
        {"LSTM", LSTM "f32[1,3]=1,10,100", three, "_ f32[1,1,1]=134259952 f32[1,1,1]=3664"},
    };
    KERNEL_CHECK_ALL(*state, rows);
}

/* Equal scores mix values evenly; a softmax of 0 and log 3 gives 1/4 and 3/4. */
#define PAIR "f32[1,1,1,1]=1 f32[1,1,2,1]=0,1.0986122886681098 f32[1,1,2,1]=4,8"

static void test_attention(void **state)
{
    static const kernel_row rows[] = {
        {"Attention", PAIR, "", "f32[1,1,1,1]=7"},
        {"Attention", PAIR " f32[1,2]=1.0986122886681098,0", "", "f32[1,1,1,1]=6"},
        {"Attention", PAIR " bool[1,2]=1,0", "", "f32[1,1,1,1]=4"},
        {"Attention", PAIR " bool[1,1]=1", "", "f32[1,1,1,1]=4"},       /* the mask ends early */
        {"Attention", PAIR " bool[1,2]=0,0", "", "f32[1,1,1,1]=0"},     /* nothing to look at */
        {"Attention", PAIR, "is_causal=1", "f32[1,1,1,1]=4"},
        {"Attention", PAIR " _ _ _ i64[1]=2", "is_causal=1", "f32[1,1,1,1]=7"},
        {"Attention", PAIR " _ _ _ i64[1]=1", "", "f32[1,1,1,1]=4"},
        {"Attention", PAIR " _ f32[1,1,1,1]=0 f32[1,1,1,1]=-3", "is_causal=1",
         "f32[1,1,1,1]=0.5 f32[1,1,3,1]=0,0,1.0986122886681098 f32[1,1,3,1]=-3,4,8"},
        {"Attention", PAIR, "scale=2.0f qk_matmul_output_mode=3",
         "f32[1,1,1,1]=7.6 _ _ f32[1,1,1,2]=0.1,0.9"},
        /* two query heads share one head of K and V, in three dimensions */
        {"Attention", "f32[1,1,2]=1,-1 f32[1,2,1]=0,1.0986122886681098 f32[1,2,1]=4,8",
         "q_num_heads=2 kv_num_heads=1", "f32[1,1,2]=7,5"},
        {"Attention", "f32[1,1,1,1]=nan f32[1,1,1,1]=1 f32[1,1,1,1]=4", "", "f32[1,1,1,1]=nan"},
        {"Attention", "f32[1,1,1,1]=1 f32[1,1,0,1]= f32[1,1,0,1]=", "", "f32[1,1,1,1]=0"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"Attention", PAIR " _ _ _ i64[1]=3", "", "f32[1]"}, RG_INPUT);
    kernel_check_fails(*state, &(kernel_row){"Attention", PAIR " bool[1,3]=1,1,1", "", "f32[1]"}, RG_SHAPE);
    kernel_check_fails(*state, &(kernel_row){"Attention", PAIR, "qk_matmul_output_mode=4", "f32[1]"},
                       RG_FORMAT);
}

/* One head of size 1. S = exp(g) S + u k, u = beta (v - S k): by hand from S = 2, k = 3, v = 4. */
#define TOKEN "f32[1,1,1]=5 f32[1,1,1]=3 f32[1,1,1]=4 f32[1,1,1,1]=2 "

static void test_linear_attention(void **state)
{
    static const kernel_row rows[] = {
        {"LinearAttention", TOKEN, "q_num_heads=1 kv_num_heads=1 update_rule=\"linear\"",
         "f32[1,1,1]=70 f32[1,1,1,1]=14"},
        {"LinearAttention", TOKEN "f32[1,1,1]=0.69314718055994531",
         "q_num_heads=1 kv_num_heads=1 update_rule=\"gated\"", "f32[1,1,1]=80 f32[1,1,1,1]=16"},
        {"LinearAttention", TOKEN "_ f32[1,1,1]=0.5", "q_num_heads=1 kv_num_heads=1 update_rule=\"delta\"",
         "f32[1,1,1]=-5 f32[1,1,1,1]=-1"},
        {"LinearAttention", TOKEN "f32[1,1,1]=0.69314718055994531 f32[1,1,1]=0.5",
         "q_num_heads=1 kv_num_heads=1 scale=0.5f", "f32[1,1,1]=-20 f32[1,1,1,1]=-8"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_row no_gates = {"LinearAttention", TOKEN, "q_num_heads=1 kv_num_heads=1", "f32[1]"};
    kernel_check_fails(*state, &no_gates, RG_INPUT);
}

/* A turn by 90 degrees: (x1, x2) becomes (-x2, x1). */
static void test_rotary(void **state)
{
    static const kernel_row rows[] = {
        {"RotaryEmbedding", "f32[1,1,1,4]=1,2,3,4 f32[1,1,2]=0,0 f32[1,1,2]=1,1", "",
         "f32[1,1,1,4]=-3,-4,1,2"},
        {"RotaryEmbedding", "f32[1,1,1,4]=1,2,3,4 f32[1,1,2]=0,0 f32[1,1,2]=1,1", "interleaved=1",
         "f32[1,1,1,4]=-2,1,-4,3"},
        {"RotaryEmbedding", "f32[1,1,4]=1,2,3,4 f32[3,1]=9,9,0 f32[3,1]=9,9,1 i64[1,1]=2",
         "num_heads=1 rotary_embedding_dim=2", "f32[1,1,4]=-2,1,3,4"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_row beyond = {"RotaryEmbedding", "f32[1,1,2]=1,2 f32[1,1]=1 f32[1,1]=1 i64[1,1]=1", "num_heads=1",
                         "f32[1]"};
    kernel_check_fails(*state, &beyond, RG_INPUT);
}

static void test_signal(void **state)
{
    static const kernel_row rows[] = {
        {"DFT", "f32[1,4,1]=1,0,0,0", "", "f32[1,4,2]=1,0,1,0,1,0,1,0"},  /* an impulse: every frequency */
        {"DFT", "f32[1,4,1]=1,1,1,1", "onesided=1", "f32[1,3,2]=4,0,0,0,0,0"},
        {"DFT", "f32[1,4,1]=0,1,0,-1", "", "f32[1,4,2]=0,0,0,-2,0,0,0,2"},  /* a sine */
        {"DFT", "f32[1,4,2]=0,0,0,-2,0,0,0,2", "inverse=1", "f32[1,4,2]=0,0,1,0,0,0,-1,0"},
        {"DFT", "f32[1,3,2]=0,0,0,-2,0,0", "inverse=1 onesided=1", "f32[1,4,1]=0,1,0,-1"},
        {"DFT", "f32[1,2,2]=3,9,1,-1 i64[]=3", "inverse=1 onesided=1",       /* an odd length */
         "f32[1,3,1]=1.6666666667,1.2440169359,0.0893163975"},
        {"DFT", "f32[1,2,1]=1,1 i64[]=4", "onesided=1", "f32[1,3,2]=2,0,1,-1,0,0"},  /* filled up */
        {"DFT", "f32[2,1,1]=1,3 _ i64[]=0", "", "f32[2,1,2]=4,0,-2,0"},
        {"STFT", "f32[1,4,1]=1,1,2,2 i64[]=2 f32[2]=1,3", "", "f32[1,2,2,2]=4,0,-2,0,8,0,-4,0"},
        {"HannWindow", "i64[]=4", "", "f32[4]=0,0.5,1,0.5"},
        {"HannWindow", "i64[]=3", "periodic=0", "f32[3]=0,1,0"},
        {"HannWindow", "i32[]=1", "periodic=0", "f32[1]=1"},
        {"HannWindow", "i32[]=4", "output_datatype=7", "i64[4]=0,0,1,0"},
        {"HannWindow", "i32[]=0", "", "f32[0]="},
        {"BlackmanWindow", "i64[]=2", "", "f32[2]=0,1"},
        {"HammingWindow", "i64[]=2", "output_datatype=11", "f64[2]=0.08695652173913043,1"}, /* 4/46 */
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_check_fails(*state, &(kernel_row){"DFT", "f32[1,2,3]=0,0,0,0,0,0", "", "f32[1]"}, RG_SHAPE);
}

/* Scores 0 and log 3: probabilities 1/4 and 3/4. */
static void test_loss(void **state)
{
    static const kernel_row rows[] = {
        {"SoftmaxCrossEntropyLoss", "f64[1,2]=0,1.0986122886681098 i64[1]=1", "",
         "f64[]=0.28768207245178 f64[1,2]=-1.38629436111989,-0.28768207245178"},
        {"NegativeLogLikelihoodLoss", "f32[2,2]=-1,-2,-3,-5 i32[2]=0,1 f32[2]=1,3", "", "f32[]=4"},
        {"NegativeLogLikelihoodLoss", "f32[2,2]=-1,-2,-3,-5 i32[2]=0,1 f32[2]=1,3", "reduction=\"none\"",
         "f32[2]=1,15"},
        {"NegativeLogLikelihoodLoss", "f32[2,2]=-1,-2,-3,-5 i64[2]=0,-9", "ignore_index=-9", "f32[]=1"},
        {"NegativeLogLikelihoodLoss", "f32[1,2]=-1,-2 i64[1]=5", "ignore_index=5", "f32[]=nan"}, /* 0 / 0 */
        {"NegativeLogLikelihoodLoss", "f32[0,2]= i64[0]=", "reduction=\"sum\"", "f32[]=0"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_row beyond = {"NegativeLogLikelihoodLoss", "f32[1,2]=-1,-2 i64[1]=2", "", "f32[]"};
    kernel_check_fails(*state, &beyond, RG_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rnn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attention, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linear_attention, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loss, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
