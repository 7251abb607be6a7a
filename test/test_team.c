/* test_team.c - a team of threads: everybody works once in every run, nobody passes a barrier early, sleeping
 * and waking included. Worth most under -fsanitize=thread.
 */
#include "base/team.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

enum { WORKERS_MAX = 5, ROUNDS = 2000, PHASES = 3 };

typedef struct ledger {
    int count[WORKERS_MAX];          /* each worker its own */
    int seen_less;                   /* atomic: somebody was not there yet behind a barrier */
    int pause_ns;
} ledger;

static void work(void *user, rg_part part)
{
    ledger *l = user;
    for (int phase = 0; phase < PHASES; phase++) {
        int mine = ++l->count[part.worker];
        if (l->pause_ns && part.worker == phase % part.workers)
            nanosleep(&(struct timespec){.tv_nsec = l->pause_ns}, NULL);
        rg_team_barrier(part);
        for (int i = 0; i < part.workers; i++) /* the others' writes are visible, and none is ahead */
            if (l->count[i] != mine) __atomic_add_fetch(&l->seen_less, 1, __ATOMIC_RELAXED);
        rg_team_barrier(part);
    }
}

static void check(int workers, int rounds, int pause_ns)
{
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_team *team;
    ledger l = {.pause_ns = pause_ns};
    assert_int_equal(rg_team_new(cx, workers, false, &team), RG_OK);
    assert_int_equal(rg_team_size(team), workers);
    for (int i = 0; i < rounds; i++) rg_team_run(team, work, &l);
    for (int i = 0; i < workers; i++) assert_int_equal(l.count[i], rounds * PHASES);
    assert_int_equal(l.seen_less, 0);
    rg_team_free(team);
    rg_ctx_free(cx);
}

static void test_everybody_works_and_waits(void **state)
{
    (void)state;
    for (int workers = 1; workers <= WORKERS_MAX; workers++)
        check(workers, ROUNDS / (workers > 2 ? 20 : 1), 0);
}

/* Longer than anybody spins, so that all have to be woken. */
static void test_sleepers_are_woken(void **state)
{
    (void)state;
    check(2, 20, 3000000);
    check(4, 20, 1000000);
}

static void test_a_team_that_never_ran_ends(void **state)
{
    (void)state;
    check(3, 0, 0);
}

static void test_sizes_are_checked(void **state)
{
    (void)state;
    rg_ctx *cx = rg_ctx_new(NULL);
    rg_team *team;
    assert_int_equal(rg_team_new(cx, 0, false, &team), RG_USAGE);
    assert_null(team);
    assert_string_equal(rg_ctx_error(cx), "0 threads: between 1 and 1024 are possible");
    rg_team_free(NULL);
    rg_ctx_free(cx);
}

/* Every thing in one share, shares in order, whole grains but for the last. */
static void test_shares(void **state)
{
    (void)state;
    for (int64_t count = 0; count < 40; count++)
        for (int workers = 1; workers < 7; workers++)
            for (int64_t grain = 1; grain < 9; grain += 3) {
                int64_t next = 0, from, to;
                for (int i = 0; i < workers; i++) {
                    rg_part_of((rg_part){NULL, i, workers}, count, grain, &from, &to);
                    assert_int_equal(from, next);
                    assert_true(to >= from && (to % grain == 0 || to == count));
                    next = to;
                }
                assert_int_equal(next, count);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everybody_works_and_waits), cmocka_unit_test(test_sleepers_are_woken),
        cmocka_unit_test(test_a_team_that_never_ran_ends), cmocka_unit_test(test_sizes_are_checked),
        cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
