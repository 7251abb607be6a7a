/* test_kept.c - what contexts keep: made once however many ask, freed once with the last of them, errors made
 * again, and nothing left behind where memory ends.
 */
#include "base/base.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static _Atomic int made, freed, asked;

static rg_err make(rg_ctx *cx, const char *name, const void **out)
{
    made++;
    char *thing = cx->alloc(cx->user, 8);
    if (!thing) return rg_nomem(cx);
    memset(thing, 0, 8);
    memcpy(thing, name, strlen(name) < 7 ? strlen(name) : 7);
    *out = thing;
    return RG_OK;
}

static void (*free_of)(void *user, void *block);
static void *user_of;

static void done(const void *thing)
{
    freed++;
    free_of(user_of, (void *)(uintptr_t)thing);
}

static const rg_maker maker = {make, done};

static void libc_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static int begin(void **state)
{
    (void)state;
    made = freed = asked = 0;
    free_of = libc_free, user_of = NULL;
    return 0;
}

typedef struct asking { rg_ctx *parent; const void *answers[16]; } asking;

/* Half of the threads ask for one name, half for another, through contexts of their own. */
static void *ask(void *user)
{
    asking *a = user;
    int number = asked++;
    rg_ctx *cx = rg_ctx_worker(a->parent);
    assert_non_null(cx);
    for (int i = 0; i < 100; i++) {
        const void *again;
        assert_int_equal(rg_ctx_keep(cx, number % 2 ? "odd" : "even", &maker, &again), RG_OK);
        if (i) assert_ptr_equal(again, a->answers[number]);
        a->answers[number] = again;
    }
    rg_ctx_free(cx);
    return NULL;
}

static void many_threads_make_it_once(void **state)
{
    (void)state;
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    asking a = {.parent = rg_ctx_new(NULL)};
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, ask, &a), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(made, 2);
    assert_int_equal(freed, 0);
    for (int i = 2; i < THREADS; i++) assert_ptr_equal(a.answers[i], a.answers[i % 2]);
    assert_string_equal(a.answers[0], "even");
    assert_string_equal(a.answers[1], "odd");
    rg_ctx_free(a.parent);
    assert_int_equal(freed, 2);
}

static void it_lives_as_long_as_anyone(void **state)
{
    (void)state;
    const void *thing, *same;
    rg_ctx *parent = rg_ctx_new(NULL), *worker = rg_ctx_worker(parent), *other = rg_ctx_new(NULL);
    assert_int_equal(rg_ctx_keep(parent, "x", &maker, &thing), RG_OK);
    rg_ctx_free(parent);
    assert_int_equal(freed, 0);
    assert_int_equal(rg_ctx_keep(worker, "x", &maker, &same), RG_OK);
    assert_ptr_equal(thing, same);
    assert_string_equal(same, "x");
    assert_int_equal(rg_ctx_keep(other, "x", &maker, &same), RG_OK); /* no relative: one of its own */
    assert_true(thing != same && made == 2);
    rg_ctx_free(worker);
    assert_int_equal(freed, 1);
    rg_ctx_free(other);
    assert_int_equal(freed, 2);
}

static rg_err fail_once(rg_ctx *cx, const char *name, const void **out)
{
    if (made) return make(cx, name, out);
    made++;
    return rg_fail(cx, RG_FORMAT, "%s is broken", name);
}

static rg_err make_nothing(rg_ctx *cx, const char *name, const void **out)
{
    (void)cx, (void)name;
    made++;
    *out = NULL;
    return RG_OK;
}

static void errors_are_not_kept_but_nothing_is(void **state)
{
    (void)state;
    const rg_maker failing = {fail_once, done}, nothing = {make_nothing, done};
    const void *thing = NULL;
    rg_ctx *cx = rg_ctx_new(NULL);
    assert_int_equal(rg_ctx_keep(cx, "x", &failing, &thing), RG_FORMAT);
    assert_string_equal(rg_ctx_error(cx), "x is broken");
    assert_int_equal(rg_ctx_keep(cx, "x", &failing, &thing), RG_OK);
    assert_string_equal(thing, "x");
    made = 0;
    for (int i = 0; i < 3; i++) {
        thing = cx;
        assert_int_equal(rg_ctx_keep(cx, "none", &nothing, &thing), RG_OK);
        assert_null(thing);
    }
    assert_int_equal(made, 1);
    rg_ctx_free(cx);
    assert_int_equal(freed, 1); /* of what there is */
}

typedef struct meter { long given, returned, refuse_at; } meter;

static void *metered_alloc(void *user, size_t size)
{
    meter *m = user;
    if (m->given + 1 >= m->refuse_at) return NULL;
    void *block = malloc(size);
    if (block) m->given++;
    return block;
}

static void metered_free(void *user, void *block)
{
    if (block) ((meter *)user)->returned++;
    free(block);
}

static rg_err keep_two(rg_ctx *cx)
{
    const void *thing;
    rg_ctx *worker = rg_ctx_worker(cx);
    if (!worker) return RG_NOMEM;
    rg_err err = rg_ctx_keep(worker, "a", &maker, &thing);
    if (!err) err = rg_ctx_keep(cx, "b", &maker, &thing);
    rg_ctx_free(worker);
    return err;
}

static void memory_that_ends_is_told(void **state)
{
    (void)state;
    rg_err err = RG_NOMEM;
    long n = 1;
    for (; err == RG_NOMEM && n < 100; n++) {
        meter m = {.refuse_at = n};
        free_of = metered_free, user_of = &m;
        rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){.size = sizeof(rg_ctx_opt), .alloc = metered_alloc,
                                              .free = metered_free, .user = &m});
        if (cx) err = keep_two(cx);
        rg_ctx_free(cx);
        assert_int_equal(m.given, m.returned);
    }
    assert_int_equal(err, RG_OK);
    assert_true(n > 6); /* two contexts, what they share, two things in their places */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(many_threads_make_it_once, begin),
        cmocka_unit_test_setup(it_lives_as_long_as_anyone, begin),
        cmocka_unit_test_setup(errors_are_not_kept_but_nothing_is, begin),
        cmocka_unit_test_setup(memory_that_ends_is_told, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
