/* test_dim.c - symbolic sizes: the normal form against identities of integer arithmetic, printing, rewriting,
 * and a property: whatever was simplified, the value is what the plain expression computes.
 */
#include "base/limits.h"
#include "ir/dim.h"
#include "ir/literal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture { rg_ctx *cx; rg_dims dims; rg_dim a, b, c, h; } fixture;

static int setup(void **state)
{
    fixture *f = test_calloc(1, sizeof *f);
    f->cx = rg_ctx_new(NULL);
    f->dims.arena = &f->cx->arena;
    f->a = rg_dim_symbol(&f->dims, RG_LIT("a"), 1, INT64_MAX, 3);
    f->b = rg_dim_symbol(&f->dims, RG_LIT("b"), 1, INT64_MAX, 5);
    f->c = rg_dim_symbol(&f->dims, RG_LIT("c"), 1, INT64_MAX, 7);
    f->h = rg_dim_symbol(&f->dims, RG_LIT("h"), 1, INT64_MAX, 224);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    rg_ctx_free(f->cx);
    test_free(f);
    return 0;
}

static const char *text_of(fixture *f, rg_dim d)
{
    rg_text text;
    rg_text_init(&text, &f->cx->arena);
    rg_dim_print(&f->dims, d, &text);
    assert_false(text.failed);
    return text.data;
}

#define ADD(x, y) rg_dim_add(&f->dims, (x), (y))
#define SUB(x, y) rg_dim_sub(&f->dims, (x), (y))
#define MUL(x, y) rg_dim_mul(&f->dims, (x), (y))
#define DIV(x, y) rg_dim_div(&f->dims, (x), (y))
#define CEIL(x, y) rg_dim_ceil(&f->dims, (x), (y))
#define MAX(x, y) rg_dim_max(&f->dims, (x), (y))
#define MIN(x, y) rg_dim_min(&f->dims, (x), (y))

static void test_numbers(void **state)
{
    fixture *f = *state;
    assert_int_equal(ADD(2, 3), 5);
    assert_int_equal(DIV(-7, 2), -4);
    assert_int_equal(DIV(7, -2), -4);
    assert_int_equal(CEIL(-7, 2), -3);
    assert_int_equal(CEIL(7, 2), 4);
    assert_int_equal(DIV(7, 0), 0);
    assert_int_equal(CEIL(7, 0), 0);
    assert_int_equal(MIN(3, -4), -4);
    assert_int_equal(MAX(3, -4), 3);
    assert_true(ADD(INT64_MAX, 1) == INT64_MAX);
    assert_true(MUL(INT64_MAX / 2, -4) == RG_DIM_FIRST);
    assert_true(SUB(RG_DIM_FIRST, 5) == RG_DIM_FIRST);
    assert_true(rg_dim_is_number(RG_DIM_FIRST));
    assert_false(rg_dim_is_number(f->a));
}

static void test_symbols(void **state)
{
    fixture *f = *state;
    assert_true(rg_dim_symbol(&f->dims, RG_LIT("a"), 0, 9, 4) == f->a);
    assert_int_equal(rg_dim_value(&f->dims, f->a), 3);
    rg_dim low = rg_dim_symbol(&f->dims, RG_LIT("low"), 4, 8, 1);
    assert_int_equal(rg_dim_value(&f->dims, low), 4);
    rg_dim taken = rg_dim_symbol(&f->dims, RG_LIT("u1"), 0, 8, 1);
    rg_dim u0 = rg_dim_fresh(&f->dims, 0, 10, 2), u2 = rg_dim_fresh(&f->dims, 0, 10, 2);
    assert_string_equal(text_of(f, u0), "u0");
    assert_string_equal(text_of(f, u2), "u2");
    assert_true(rg_dim_expr_of(&f->dims, u2)->run_time);
    assert_false(rg_dim_expr_of(&f->dims, taken)->run_time);
    assert_null(rg_dim_expr_of(&f->dims, 17));
}

static void test_identities(void **state)
{
    fixture *f = *state;
    rg_dim a = f->a, b = f->b, c = f->c;
    assert_true(ADD(a, 0) == a);
    assert_true(MUL(a, 1) == a);
    assert_true(MUL(a, 0) == 0);
    assert_true(SUB(a, a) == 0);
    assert_true(DIV(a, 1) == a);
    assert_true(DIV(a, a) == 1);
    assert_true(MAX(a, a) == a);
    assert_true(MUL(a, b) == MUL(b, a));
    assert_true(MUL(MUL(c, a), b) == MUL(a, MUL(b, c)));
    assert_true(ADD(ADD(c, 2), ADD(a, b)) == ADD(ADD(b, c), ADD(2, a)));
    assert_true(DIV(MUL(a, b), b) == a);
    assert_true(DIV(MUL(MUL(a, b), 768), MUL(a, 12)) == MUL(b, 64));
    assert_true(SUB(ADD(a, b), a) == b);
    assert_true(ADD(a, a) == MUL(a, 2));
    assert_true(MUL(ADD(a, 1), 768) == ADD(MUL(a, 768), 768));
    assert_true(DIV(ADD(MUL(a, 768), 768), ADD(a, 1)) == 768);
    assert_true(DIV(MUL(b, ADD(a, 1)), b) == ADD(a, 1));
    assert_true(ADD(MUL(a, b), a) == MUL(a, ADD(b, 1)));
    assert_true(SUB(5, SUB(5, a)) == a);
    assert_true(MUL(SUB(a, b), -1) == SUB(b, a));
}

static void test_quotients(void **state)
{
    fixture *f = *state;
    rg_dim a = f->a, b = f->b, h = f->h;
    assert_true(DIV(MUL(a, 2), 2) == a);
    assert_true(CEIL(MUL(a, 2), 2) == a);
    assert_true(DIV(ADD(MUL(a, 2), 1), 2) == a);
    assert_true(CEIL(ADD(MUL(a, 2), 1), 2) == ADD(a, 1));
    assert_true(DIV(DIV(h, 2), 3) == DIV(h, 6));
    assert_true(CEIL(CEIL(h, 2), 3) == CEIL(h, 6));
    assert_true(DIV(ADD(h, 1), 2) == CEIL(h, 2));
    assert_true(DIV(ADD(h, 2), 2) == ADD(DIV(h, 2), 1));
    assert_true(DIV(ADD(MUL(a, b), 7), b) == ADD(a, DIV(7, b)));
    assert_true(CEIL(MUL(b, -6), -3) == MUL(b, 2));
    rg_dim small = rg_dim_symbol(&f->dims, RG_LIT("small"), 0, 9, 4);
    assert_true(DIV(small, 10) == 0);
    /* Five convolutions of stride 2, kernel 3, padding 1: the 32-fold reduction of a ResNet. */
    rg_dim size = h;
    for (int i = 0; i < 5; i++) size = ADD(DIV(ADD(size, 2 - 3), 2), 1);
    assert_true(size == CEIL(h, 32));
    assert_int_equal(rg_dim_value(&f->dims, size), 7);
}

static void test_min_max(void **state)
{
    fixture *f = *state;
    rg_dim a = f->a, b = f->b, c = f->c;
    assert_true(MAX(a, 1) == a);
    assert_true(MIN(a, 1) == 1);
    assert_true(MAX(a, b) == MAX(b, a));
    assert_true(MAX(MAX(a, b), MAX(b, c)) == MAX(c, MAX(b, a)));
    assert_true(MIN(MIN(a, 9), MIN(4, a)) == MIN(a, 4));
    assert_false(MAX(a, b) == MIN(a, b));
}

static void test_print(void **state)
{
    fixture *f = *state;
    rg_dim batch = rg_dim_symbol(&f->dims, RG_LIT("batch"), 1, 100, 1);
    rg_dim seq = rg_dim_symbol(&f->dims, RG_LIT("seq"), 1, 100, 1);
    rg_dim odd = rg_dim_symbol(&f->dims, RG_LIT("past + 1"), 1, 100, 1);
    assert_string_equal(text_of(f, 224), "224");
    assert_string_equal(text_of(f, MUL(12, seq)), "seq*12");
    assert_string_equal(text_of(f, MUL(seq, batch)), "batch*seq");
    assert_string_equal(text_of(f, CEIL(f->h, 2)), "ceil(h/2)");
    assert_string_equal(text_of(f, DIV(ADD(f->h, 2), 4)), "(h+2)/4");
    assert_string_equal(text_of(f, MUL(ADD(seq, 1), 3)), "(seq+1)*3");
    assert_string_equal(text_of(f, MIN(seq, batch)), "min(batch,seq)");
    assert_string_equal(text_of(f, SUB(5, seq)), "5-seq");
    assert_string_equal(text_of(f, SUB(seq, 5)), "seq-5");
    assert_string_equal(text_of(f, SUB(SUB(-5, seq), batch)), "0-batch-seq-5");
    assert_string_equal(text_of(f, ADD(seq, MUL(batch, -2))), "seq-batch*2");
    assert_string_equal(text_of(f, MUL(DIV(f->h, 2), batch)), "batch*(h/2)");
    assert_string_equal(text_of(f, ADD(odd, 1)), "\"past + 1\"+1");
}

/* Shared parts would print 2^60 bytes: the text is cut, and says so. */
static void test_print_is_bounded(void **state)
{
    fixture *f = *state;
    rg_dim d = MAX(f->a, f->b);
    for (int i = 0; i < 60; i++) d = MAX(DIV(d, ADD(f->c, i)), ADD(DIV(d, f->h), i + 1));
    rg_text text;
    rg_text_init(&text, &f->cx->arena);
    rg_dim_print(&f->dims, d, &text);
    assert_true(text.size < 100000);
    assert_non_null(strstr(text.data, "..."));
}

/* ---- the property ---- */

enum { SYMBOLS = 4, NODES = 24, ROUNDS = 4000 };

/* The reference: floor and ceiling division by their definition, no library involved. */
static bool reference(rg_dim_op op, int64_t x, int64_t y, int64_t *out)
{
    int64_t q = 0;
    switch (op) {
    case RG_DIM_ADD: return *out = x + y, true;
    case RG_DIM_SUB: return *out = x - y, true;
    case RG_DIM_MUL: return *out = x * y, true;
    case RG_DIM_MIN: return *out = x < y ? x : y, true;
    case RG_DIM_MAX: return *out = x > y ? x : y, true;
    case RG_DIM_DIV: case RG_DIM_CEIL:
        if (y == 0) return false; /* cancelling assumes that this does not happen */
        if (y < 0) x = -x, y = -y;
        while ((q + 1) * y <= x) q += (x - q * y) / y;
        while (q * y > x) q--;
        *out = op == RG_DIM_CEIL && q * y < x ? q + 1 : q;
        return true;
    case RG_DIM_SYMBOL: break;
    }
    return false;
}

/* What is printed reads back to the same expression, which the table knows by its id. */
static void check_text(fixture *f, rg_dims *dims, rg_dim d)
{
    rg_text text;
    rg_dim back;
    rg_text_init(&text, dims->arena);
    rg_dim_print(dims, d, &text);
    rg_lex lex = {.cx = f->cx, .arena = dims->arena, .text = {text.data, text.size}};
    assert_int_equal(rg_lex_dim(&lex, dims, &back), RG_OK);
    assert_true(rg_lex_end(&lex));
    assert_true(back == d);
}

static void test_values(void **state)
{
    fixture *f = *state;
    uint64_t seed = 1;
    int checked = 0;
    for (int round = 0; round < ROUNDS; round++) {
        rg_arena arena;
        rg_arena_init(&arena, f->cx);
        rg_dims dims = {.arena = &arena};
        rg_dim d[NODES];
        int64_t value[NODES];
        for (int i = 0; i < NODES; i++) {
            char name[4] = {'s', (char)('0' + i), 0, 0};
            if (i < SYMBOLS) {
                value[i] = 1 + (int64_t)(rg_random_next(&seed) % 40);
                int64_t max = value[i] + (int64_t)(rg_random_next(&seed) % 40);
                d[i] = rg_dim_symbol(&dims, rg_str_of(name), 1, max, value[i]);
            } else if (rg_random_next(&seed) % 4 == 0) {
                d[i] = value[i] = (int64_t)(rg_random_next(&seed) % 13) - 4;
            } else {
                int x = (int)(rg_random_next(&seed) % (uint64_t)i),
                    y = (int)(rg_random_next(&seed) % (uint64_t)i);
                rg_dim_op op = (rg_dim_op)(RG_DIM_ADD + rg_random_next(&seed) % 7);
                bool defined = reference(op, value[x], value[y], &value[i]);
                if (!defined || value[i] > 1000000000 || value[i] < -1000000000) {
                    d[i] = value[i] = 2;
                    continue;
                }
                d[i] = rg_dim_make(&dims, op, d[x], d[y]);
                assert_int_equal(rg_dim_value(&dims, d[i]), value[i]);
                checked++;
            }
        }
        if (round % 8 == 0) check_text(f, &dims, d[NODES - 1]);
        assert_false(dims.failed);
        rg_arena_done(&arena);
    }
    assert_true(checked > 10000);
}

/* ---- other tables ---- */

static rg_dim bind(void *user, rg_dims *to, const rg_dim_expr *e)
{
    (void)user;
    if (rg_str_is(e->name, "a")) return 6;
    return rg_dim_symbol(to, e->name, e->min, e->max, e->preset);
}

static void test_rewrite(void **state)
{
    fixture *f = *state;
    rg_dims to = {.arena = &f->cx->arena};
    rg_dim d = DIV(ADD(MUL(f->a, f->b), f->c), 4);
    rg_dim bound = rg_dim_rewrite(&to, &f->dims, d, bind, NULL);
    rg_dim b = rg_dim_symbol(&to, RG_LIT("b"), 1, INT64_MAX, 5),
           c = rg_dim_symbol(&to, RG_LIT("c"), 1, INT64_MAX, 7);
    assert_true(bound == rg_dim_div(&to, rg_dim_add(&to, c, rg_dim_mul(&to, b, 6)), 4));
    assert_int_equal(rg_dim_value(&to, bound), (6 * 5 + 7) / 4);
    assert_int_equal(rg_dim_rewrite(&to, &f->dims, MUL(f->a, 7), bind, NULL), 42);
    assert_int_equal(rg_dim_rewrite(&to, &f->dims, 11, bind, NULL), 11);
    /* Thirty thousand deep: no recursion. */
    rg_dim deep = f->a;
    for (int i = 0; i < 30000; i++) deep = DIV(ADD(deep, f->c), f->b);
    assert_false(f->dims.failed);
    rg_dim_rewrite(&to, &f->dims, deep, bind, NULL);
    assert_false(to.failed);
}

/* The same expressions built in another order in another table: equal hashes, and copies keep ids. */
static void test_tables(void **state)
{
    fixture *f = *state;
    rg_dims other = {.arena = &f->cx->arena}, copy = {.arena = &f->cx->arena};
    rg_dim b = rg_dim_symbol(&other, RG_LIT("b"), 1, INT64_MAX, 5),
           h = rg_dim_symbol(&other, RG_LIT("h"), 1, INT64_MAX, 224);
    rg_dim there =
        rg_dim_add(&other, rg_dim_ceil(&other, h, 2), rg_dim_add(&other, 3, rg_dim_div(&other, h, b)));
    rg_dim here = ADD(ADD(DIV(f->h, f->b), CEIL(f->h, 2)), 3);
    assert_true(rg_dim_hash(&other, there) == rg_dim_hash(&f->dims, here));
    assert_true(rg_dim_hash(&f->dims, f->a) != rg_dim_hash(&f->dims, f->b));
    assert_true(rg_dims_copy(&copy, &f->dims));
    assert_true(rg_dim_add(&copy,
                           rg_dim_add(&copy, rg_dim_div(&copy, f->h, f->b), rg_dim_ceil(&copy, f->h, 2)),
                           3) == here);
    assert_int_equal(copy.count, f->dims.count);
}

/* Sums that outgrow the fixed forms stay right. */
static void test_large(void **state)
{
    fixture *f = *state;
    rg_dim sum = 0, product = 1;
    for (int i = 0; i < 100; i++) sum = ADD(sum, MUL(rg_dim_fresh(&f->dims, 0, 100, i), 2));
    assert_int_equal(rg_dim_value(&f->dims, sum), 99 * 100);
    assert_int_equal(rg_dim_value(&f->dims, MUL(sum, 3)), 3 * 99 * 100);
    assert_int_equal(rg_dim_value(&f->dims, DIV(sum, 7)), 99 * 100 / 7);
    for (int i = 0; i < 40; i++) product = MUL(product, rg_dim_fresh(&f->dims, 1, 2, 1 + i % 2));
    assert_true(rg_dim_value(&f->dims, product) == INT64_C(1) << 20);
    assert_false(f->dims.failed);
}

static void test_limit(void **state)
{
    fixture *f = *state;
    for (int i = 0; i <= RG_DIM_EXPR_MAX && !f->dims.failed; i++) rg_dim_fresh(&f->dims, 0, 9, 4);
    assert_true(f->dims.failed);
    assert_int_equal(rg_dim_fresh(&f->dims, 0, 9, 4), 4);
    assert_int_equal(rg_dim_value(&f->dims, ADD(MUL(f->a, f->c), f->b)), 3 * 7 + 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_numbers),          TEST(test_symbols), TEST(test_identities),
        TEST(test_quotients),        TEST(test_min_max), TEST(test_print),
        TEST(test_print_is_bounded), TEST(test_values),  TEST(test_rewrite),
        TEST(test_tables),           TEST(test_large),   TEST(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
