/* test_kernel_random.c - random operators: range, mean and variance against the distributions' own, within
 * five standard errors of so many draws; the same numbers from the same seed, others from another.
 */
#include "kernel_run.h"

#include <math.h>

enum { DRAWS = 20000 };

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

static const rg_datum *draw(rg_ctx *cx, const kernel_row *row, uint64_t seed)
{
    const rg_datum *out[KERNEL_OUT_MAX] = {NULL};
    if (kernel_run(cx, row, NULL, &(rg_naive_opt){.seed = seed, .poison = true}, out))
        fail_msg("%s: %s", row->op, rg_ctx_error(cx));
    return out[0];
}

typedef struct summary { double mean, variance, low, high; } summary;

static summary summarize(const rg_array *a)
{
    summary s = {.low = INFINITY, .high = -INFINITY};
    for (int64_t i = 0; i < a->count; i++) {
        double x = rg_get(a, i);
        s.mean += x / (double)a->count;
        s.low = fmin(s.low, x);
        s.high = fmax(s.high, x);
    }
    for (int64_t i = 0; i < a->count; i++)
        s.variance += (rg_get(a, i) - s.mean) * (rg_get(a, i) - s.mean) / (double)a->count;
    return s;
}

/* The standard error of a mean is sqrt(variance / n), of a variance sqrt((kurtosis - 1) / n) variance. */
static void check(rg_ctx *cx, const kernel_row *row, double mean, double variance, double kurtosis)
{
    const rg_datum *drawn = draw(cx, row, 1);
    summary s = summarize(&drawn->array);
    assert_int_equal(drawn->array.count, DRAWS);
    assert_float_equal(s.mean, mean, 5 * sqrt(variance / DRAWS));
    assert_float_equal(s.variance, variance, 5 * sqrt((kurtosis - 1) / DRAWS) * variance);
    rg_datum_free(drawn);
}

static void test_moments(void **state)
{
    /* uniform: (high - low)^2 / 12, kurtosis 9/5; normal: kurtosis 3 */
    check(*state, &(kernel_row){"RandomUniform", "", "shape=[20000] low=-3.0 high=5.0", "f32[20000]"}, 1,
          64.0 / 12, 1.8);
    check(*state, &(kernel_row){"RandomNormal", "", "shape=[100,200] mean=2.0 scale=3.0 dtype=11", "f64[1]"},
          2, 9, 3);
    /* a coin of p = 0.3: variance p (1 - p), kurtosis 1 / (p (1 - p)) - 3 */
    kernel_row coin = {"Bernoulli", "f32[20000]", "", "f32[20000]"};
    rg_datum *p = NULL;
    assert_int_equal(rg_datum_tensor(*state, RG_F32, 1, (int64_t[1]){DRAWS}, &p), RG_OK);
    for (int64_t i = 0; i < DRAWS; i++) rg_put(&p->array, i, 0.3);
    const rg_datum *out[KERNEL_OUT_MAX] = {NULL};
    assert_int_equal(kernel_run(*state, &coin, p, NULL, out), RG_OK);
    assert_float_equal(summarize(&out[0]->array).mean, 0.3, 5 * sqrt(0.21 / DRAWS));
    rg_datum_free(out[0]);
    rg_datum_free(p);
}

static void test_range(void **state)
{
    const rg_datum *drawn = draw(*state, &(kernel_row){"RandomUniform", "", "shape=[20000]", "f32[1]"}, 3);
    summary s = summarize(&drawn->array);
    assert_true(s.low >= 0 && s.low < 0.001);
    assert_true(s.high <= 1 && s.high > 0.999);
    rg_datum_free(drawn);
    drawn = draw(*state, &(kernel_row){"Bernoulli", "f32[4]=0,0,1,1", "dtype=9", "bool[4]"}, 3);
    for (int64_t i = 0; i < 4; i++) assert_int_equal(rg_get_int(&drawn->array, i), i >= 2);
    rg_datum_free(drawn);
}

/* Shares e^x / sum: 1/4, 0, 3/4. */
static void test_multinomial(void **state)
{
    static const kernel_row row = {"Multinomial", "f64[1,3]=0,-inf,1.0986122886681098",
                                   "sample_size=20000 dtype=7", "i64[1]"};
    const rg_datum *drawn = draw(*state, &row, 5);
    int64_t seen[3] = {0};
    for (int64_t i = 0; i < DRAWS; i++) seen[rg_get_int(&drawn->array, i)]++;
    assert_int_equal(seen[1], 0);
    assert_float_equal((double)seen[0] / DRAWS, 0.25, 5 * sqrt(0.25 * 0.75 / DRAWS));
    rg_datum_free(drawn);
}

static bool same_draws(rg_ctx *cx, const kernel_row *a, uint64_t seed_a, const kernel_row *b, uint64_t seed_b)
{
    char text[256];
    const rg_datum *x = draw(cx, a, seed_a), *y = draw(cx, b, seed_b);
    bool same = rg_datum_close(x, y, 0, 0, text, sizeof text);
    rg_datum_free(x);
    rg_datum_free(y);
    return same;
}

static void test_seed(void **state)
{
    static const kernel_row free_row = {"RandomNormal", "", "shape=[8]", "f32[8]"};
    static const kernel_row one = {"RandomNormal", "", "shape=[8] seed=1.0", "f32[8]"};
    static const kernel_row two = {"RandomNormal", "", "shape=[8] seed=2.0", "f32[8]"};
    assert_true(same_draws(*state, &free_row, 1, &free_row, 1));
    assert_false(same_draws(*state, &free_row, 1, &free_row, 2));
    assert_true(same_draws(*state, &one, 1, &one, 2));
    assert_false(same_draws(*state, &one, 1, &two, 1));
}

/* Of a ratio of 1/4 three quarters stay, four thirds as large; the mask says which. */
static void test_dropout(void **state)
{
    kernel_row row = {"Dropout", "f32[20000] f32[]=0.25 bool[]=1", "seed=7", "f32[20000] bool[20000]"};
    const rg_datum *out[KERNEL_OUT_MAX] = {NULL};
    rg_datum *x = NULL;
    int64_t kept = 0;
    assert_int_equal(rg_datum_tensor(*state, RG_F32, 1, (int64_t[1]){DRAWS}, &x), RG_OK);
    for (int64_t i = 0; i < DRAWS; i++) rg_put(&x->array, i, 3);
    assert_int_equal(kernel_run(*state, &row, x, NULL, out), RG_OK);
    for (int64_t i = 0; i < DRAWS; i++) {
        bool keep = rg_get_int(&out[1]->array, i) != 0;
        assert_true(rg_get(&out[0]->array, i) == (keep ? 4 : 0));
        kept += keep;
    }
    assert_float_equal((double)kept / DRAWS, 0.75, 5 * sqrt(0.1875 / DRAWS));
    rg_datum_free(out[0]);
    rg_datum_free(out[1]);
    rg_datum_free(x);
    kernel_check(*state, &(kernel_row){"Dropout", "f32[2]=1,2", "", "f32[2]=1,2 bool[2]=1,1"});
    kernel_check_fails(*state, &(kernel_row){"Dropout", "f32[1]=1 f32[]=1 bool[]=1", "", "f32[1]"}, RG_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_moments, setup, teardown),
        cmocka_unit_test_setup_teardown(test_range, setup, teardown),
        cmocka_unit_test_setup_teardown(test_multinomial, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropout, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
