/* test_gemm.c - products against sums in double precision: A whole, in blocks and in runs, C row-major, in
 * blocks and scattered, bias by column and by row, k in one piece and in several, every height of a tile,
 * edges of every kind, each activation; and bits that stay the same however many workers there are.
 */
#include "exec/gemm_f32.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef enum a_form { A_WHOLE, A_BLOCKS, A_RUNS, A_FORMS } a_form;
typedef enum c_form { C_ROWS, C_BLOCKS, C_SCATTERED, C_FORMS } c_form;

/* One product and what it is checked with; A and C lie in the form that is tested. */
typedef struct product {
    rg_gemm g;
    float *a, *b, *packed, *c, *other, *bias;
    int32_t *row, *run;
    int64_t a_count, c_count;
} product;

static float *room(int64_t count)
{
    float *x = aligned_alloc(64, (size_t)(count * (int64_t)sizeof *x + 63) / 64 * 64 + 64);
    assert_non_null(x);
    return x;
}

static void draw(float *x, int64_t count, uint64_t seed)
{
    for (int64_t i = 0; i < count; i++) x[i] = (float)(2 * rg_random_unit(&seed) - 1);
}

static int64_t a_at(const product *p, int64_t i, int64_t k)
{
    const rg_gemm *g = &p->g;
    int64_t length = g->a_run ? g->run_length : g->k;
    return (g->a_row ? g->a_row[i] : i * g->a_step) + (g->a_run ? g->a_run[k / length] : 0) + k % length;
}

static int64_t c_at(const product *p, int64_t i, int64_t j)
{
    const rg_gemm *g = &p->g;
    if (g->c_column) return i * g->c_step + j * g->c_column;
    return i * g->c_step + j / RG_BLOCK * g->c_block + j % RG_BLOCK;
}

/* Rows and runs in an order that no arithmetic progression is. */
static void place_a(product *p, a_form form, int64_t length)
{
    rg_gemm *g = &p->g;
    int64_t m = g->m, k = g->k;
    p->a_count = m * k;
    g->a_step = k;
    if (form == A_WHOLE) return;
    p->row = malloc((size_t)m * sizeof *p->row);
    p->run = malloc((size_t)(k / length + 1) * sizeof *p->run);
    assert_true(p->row && p->run);
    for (int64_t i = 0; i < m; i++) p->row[i] = (int32_t)((m - 1 - i) * length);
    for (int64_t r = 0; r < k / length; r++)
        p->run[r] = (int32_t)((r ^ (k / length > 1 && r < k / length / 2 * 2)) * m * length);
    g->a_row = p->row, g->a_run = p->run, g->run_length = length;
}

static void place_c(product *p, c_form form)
{
    rg_gemm *g = &p->g;
    p->c_count = g->m * (g->n + RG_BLOCK);
    g->c_step = form == C_ROWS ? g->n : form == C_BLOCKS ? RG_BLOCK : 1;
    g->c_block = form == C_ROWS ? RG_BLOCK : g->m * RG_BLOCK;
    if (form == C_SCATTERED) g->c_column = g->m;
}

static product make(int64_t m, int64_t n, int64_t k, a_form a, int64_t length, c_form c)
{
    product p = {.g = {.m = m, .n = n, .k = k}};
    place_a(&p, a, length);
    place_c(&p, c);
    p.a = room(p.a_count), p.b = room(k * n), p.c = room(p.c_count), p.other = room(p.c_count),
    p.bias = room(n);
    p.packed = room((int64_t)rg_gemm_packed_count(k, n));
    draw(p.a, p.a_count, 1), draw(p.b, k * n, 2), draw(p.other, p.c_count, 3), draw(p.bias, n, 4);
    rg_gemm_pack(p.b, n, 1, k, n, p.packed, RG_ALONE);
    p.g.a = p.a, p.g.packed = p.packed, p.g.c = p.c;
    return p;
}

static void done(product *p)
{
    free(p->a), free(p->b), free(p->c), free(p->other), free(p->bias), free(p->packed), free(p->row),
        free(p->run);
}

static double act_of(const rg_epilogue *e, double x)
{
    switch (e->act) {
    case RG_ACT_NONE: return x;
    case RG_ACT_RELU: return fmax(x, 0);
    case RG_ACT_CLIP: return fmin(fmax(x, (double)e->low), (double)e->high);
    case RG_ACT_LEAKY_RELU: return x < 0 ? (double)e->low * x : x;
    case RG_ACT_HARD_SIGMOID: return fmin(fmax((double)e->low * x + (double)e->high, 0), 1);
    case RG_ACT_HARD_SWISH: return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case RG_ACT_SIGMOID: return 1 / (1 + exp(-x));
    case RG_ACT_TANH: return tanh(x);
    case RG_ACT_SWISH: return x / (1 + exp(-(double)e->low * x));
    case RG_ACT_GELU: return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    case RG_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    default: break;
    }
    fail_msg("activation %d has no formula here", (int)e->act);
    return 0;
}

/* Whoever writes what is nobody else's: all parts of all workers, one after the other. */
static void run(product *p, int workers)
{
    for (int w = 0; w < workers; w++) rg_gemm_run(&p->g, (rg_part){.worker = w, .workers = workers});
}

static void check(product *p, const char *what)
{
    const rg_gemm *g = &p->g;
    const rg_epilogue *e = &g->epilogue;
    bool added = e->add;
    if (e->add == p->c) memcpy(p->c, p->other, (size_t)p->c_count * sizeof *p->c);
    run(p, 1);
    for (int64_t i = 0; i < g->m; i++)
        for (int64_t j = 0; j < g->n; j++) {
            double sum = e->bias ? (double)e->bias[j] : 0, size = 1;
            if (g->row_bias) sum += (double)g->row_bias[i];
            for (int64_t k = 0; k < g->k; k++) {
                double x = (double)p->a[a_at(p, i, k)] * (double)p->b[k * g->n + j];
                sum += x, size += fabs(x);
            }
            if (added) sum += (double)p->other[c_at(p, i, j)];
            double wanted = act_of(e, sum), have = (double)p->c[c_at(p, i, j)];
            if (!(fabs(wanted - have) <= 4 * 0x1p-24 * size))
                fail_msg("%s, %lld x %lld x %lld: [%lld, %lld] is %.9g, not %.9g", what, (long long)g->m,
                         (long long)g->n, (long long)g->k, (long long)i, (long long)j, have, wanted);
        }
}

/* Bits are compared; in between lies something else. */
static void check_workers(product *p)
{
    size_t size = (size_t)p->c_count * sizeof *p->c;
    float *alone = room(p->c_count);
    memset(p->c, 0, size);
    if (p->g.epilogue.add == p->c) memcpy(p->c, p->other, size);
    run(p, 1);
    memcpy(alone, p->c, size);
    for (int workers = 2; workers <= 5; workers++) {
        memset(p->c, 0, size);
        if (p->g.epilogue.add == p->c) memcpy(p->c, p->other, size);
        run(p, workers);
        assert_memory_equal(alone, p->c, size);
    }
    free(alone);
}

static void check_all(int64_t m, int64_t n, int64_t k, a_form a, int64_t length, c_form c)
{
    if ((c == C_BLOCKS && n % RG_BLOCK) || k % length) return;
    product p = make(m, n, k, a, length, c);
    char what[64];
    snprintf(what, sizeof what, "A's form %d, C's form %d", (int)a, (int)c);
    check(&p, what);
    p.g.epilogue = (rg_epilogue){.bias = p.bias, .add = p.other, .act = RG_ACT_RELU};
    check(&p, what);
    check_workers(&p);
    p.g.epilogue.add = p.c; /* in place */
    check(&p, what);
    check_workers(&p);
    done(&p);
}

static void every_height(void **state)
{
    (void)state;
    for (int64_t m = 1; m <= 20; m++)
        for (int c = 0; c < C_FORMS; c++) {
            check_all(m, 48, 24, A_WHOLE, 1, (c_form)c);
            check_all(m, 37, 19, A_WHOLE, 1, (c_form)c);
            check_all(m, 40, 24, A_BLOCKS, RG_BLOCK, (c_form)c);
            check_all(m, 21, 15, A_RUNS, 3, (c_form)c);
        }
}

static void every_width(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 70; n++)
        for (int c = 0; c < C_FORMS; c++) {
            check_all(1, n, 9, A_WHOLE, 1, (c_form)c);
            check_all(7, n, 16, A_BLOCKS, RG_BLOCK, (c_form)c);
        }
}

/* More of k than a piece takes, and more rows than are kept. */
static void pieces(void **state)
{
    (void)state;
    for (int c = 0; c < C_FORMS; c++) {
        check_all(7, 40, 1531, A_WHOLE, 1, (c_form)c);
        check_all(131, 24, 776, A_BLOCKS, RG_BLOCK, (c_form)c);
        check_all(5, 24, 1533, A_RUNS, 7, (c_form)c);
        check_all(1, 200, 2000, A_WHOLE, 1, (c_form)c);
    }
}

static void activations(void **state)
{
    (void)state;
    for (int act = RG_ACT_NONE; act <= RG_ACT_GELU_TANH; act++)
        for (int64_t m = 1; m <= 7; m += 3) {
            product p = make(m, 83, 11, A_WHOLE, 1, C_ROWS);
            p.g.epilogue = (rg_epilogue){.bias = p.bias, .act = (rg_act)act, .low = 0.2f, .high = 0.6f};
            check(&p, "activation");
            check_workers(&p);
            done(&p);
        }
}

/* B's panels may hold more rows than a product takes, and B may lie transposed. */
static void panels(void **state)
{
    (void)state;
    product p = make(9, 37, 40, A_WHOLE, 1, C_ROWS);
    p.g.k = 23, p.g.packed_k = 40;
    check(&p, "fewer rows than were packed");
    done(&p);
    product t = make(9, 37, 40, A_WHOLE, 1, C_ROWS);
    float *turned = room(37 * 40);
    for (int k = 0; k < 40; k++)
        for (int j = 0; j < 37; j++) turned[j * 40 + k] = t.b[k * 37 + j];
    rg_gemm_pack(turned, 1, 40, 40, 37, t.packed, RG_ALONE);
    check(&t, "B transposed");
    free(turned);
    done(&t);
}

static void biased_rows(void **state)
{
    (void)state;
    for (int64_t m = 1; m <= 14; m++)
        for (int64_t k = 7; k < 2000; k = 9 * k + 2) {
            product p = make(m, 37, k, A_WHOLE, 1, C_ROWS);
            float *row_bias = room(m);
            draw(row_bias, m, 5);
            p.g.row_bias = row_bias;
            p.g.epilogue = (rg_epilogue){.add = p.other, .act = RG_ACT_RELU};
            check(&p, "bias by row");
            check_workers(&p);
            p.g.epilogue = (rg_epilogue){.bias = p.bias, .add = p.c};
            check(&p, "both biases, in place");
            free(row_bias);
            done(&p);
        }
}

static void rows_of_one(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 150; n += 7) {
        product p = make(1, n, 29, A_WHOLE, 1, C_ROWS);
        rg_gemm_row(p.a, 29, p.b, n, n, p.c);
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < 29; k++) sum += (double)p.a[k] * (double)p.b[k * n + j];
            assert_true(fabs(sum - (double)p.c[j]) < 1e-5);
        }
        done(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_height), cmocka_unit_test(every_width), cmocka_unit_test(pieces),
        cmocka_unit_test(activations),  cmocka_unit_test(panels),      cmocka_unit_test(biased_rows),
        cmocka_unit_test(rows_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
