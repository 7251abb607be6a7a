/* team.c - the threads of a team, and how they wait for each other.
 *
 * Two words are waited for: `job`, which counts calls of rg_team_run, and `phase`, which counts barriers. Who
 * changes one wakes sleepers only if there are any. A waiter announces itself as a sleeper before it looks at
 * the word for the last time, and the other side changes the word before it looks for sleepers: one of the
 * two sees the other.
 */
#include "base/team.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Who sleeps gives its processor away, and is late for what comes next: waking takes tens of microseconds,
 * and what a hypervisor or another program does with the processor meanwhile takes longer. So waiting for a
 * worker that lost its processor for a turn is worth about a turn. (Zen 3 under a hypervisor that takes 3 to
 * 6 % of the time, 2 workers: EfficientNet-B0 takes a fifth less than with 100 us, DeiT-S a sixth, ResNet-50
 * a twelfth.) */
enum {
    LINE_BYTE = 64,         /* of a cache: words that different threads write lie apart */
    TEAM_MAX = 1024,
    SPIN_LEAST_NS = 2000,   /* about what it costs to fall asleep */
    SPIN_MOST_NS = 1000000, /* about a scheduler's turn */
    LOOKS = 32,             /* at the word between two at the clock */
};

typedef struct word { _Alignas(LINE_BYTE) uint32_t now, sleepers; } word;
typedef struct seat {
    _Alignas(LINE_BYTE) rg_team *team;
    int worker;
    int64_t spin_ns;
    pthread_t thread;
} seat;

struct rg_team {
    word job, phase;
    _Alignas(LINE_BYTE) uint32_t arrived;
    int size, started;
    bool stop;
    void (*work)(void *user, rg_part part);
    void *user;
    seat *seats;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void breathe(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool changed(const word *w, uint32_t from)
{
    return __atomic_load_n(&w->now, __ATOMIC_ACQUIRE) != from;
}

static bool spin(const word *w, uint32_t from, int64_t most_ns)
{
    int64_t end = now_ns() + most_ns;
    do {
        for (int i = 0; i < LOOKS; i++, breathe())
            if (changed(w, from)) return true;
    } while (now_ns() < end);
    return changed(w, from);
}

/* Spinning that was in vain halves the next one, spinning that was not allows twice as much again. */
static void await(word *w, uint32_t from, seat *s)
{
    if (changed(w, from)) return;
    if (spin(w, from, s->spin_ns)) {
        s->spin_ns = s->spin_ns * 2 < SPIN_MOST_NS ? s->spin_ns * 2 : SPIN_MOST_NS;
        return;
    }
    s->spin_ns = s->spin_ns / 2 > SPIN_LEAST_NS ? s->spin_ns / 2 : SPIN_LEAST_NS;
    __atomic_add_fetch(&w->sleepers, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&w->now, __ATOMIC_SEQ_CST) == from)
        syscall(SYS_futex, &w->now, FUTEX_WAIT_PRIVATE, from, NULL, NULL, 0);
    __atomic_sub_fetch(&w->sleepers, 1, __ATOMIC_SEQ_CST);
}

static void advance(word *w)
{
    __atomic_add_fetch(&w->now, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&w->sleepers, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, &w->now, FUTEX_WAKE_PRIVATE, TEAM_MAX, NULL, NULL, 0);
}

void rg_team_barrier(rg_part part)
{
    rg_team *t = part.team;
    if (part.workers < 2) return;
    uint32_t phase = __atomic_load_n(&t->phase.now, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&t->arrived, 1, __ATOMIC_ACQ_REL) == (uint32_t)t->size) {
        __atomic_store_n(&t->arrived, 0, __ATOMIC_RELAXED);
        advance(&t->phase);
        return;
    }
    await(&t->phase, phase, &t->seats[part.worker]);
}

static void *serve(void *arg)
{
    seat *s = arg;
    rg_team *t = s->team;
    for (uint32_t job = 0;; job++) {
        await(&t->job, job, s);
        if (__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) return NULL;
        rg_part part = {t, s->worker, t->size};
        t->work(t->user, part);
        rg_team_barrier(part);
    }
}

void rg_team_run(rg_team *t, void (*work)(void *user, rg_part part), void *user)
{
    if (!t || t->size < 2) {
        work(user, RG_ALONE);
        return;
    }
    t->work = work;
    t->user = user;
    advance(&t->job);
    rg_part part = {t, 0, t->size};
    work(user, part);
    rg_team_barrier(part);
}

/* The processor that comes `index` places behind the caller's among those allowed. */
static void pin(const cpu_set_t *allowed, int index, pthread_attr_t *attr)
{
    int count = CPU_COUNT(allowed), cpu = sched_getcpu();
    if (cpu < 0 || index >= count) return;
    while (index > 0) {
        cpu = (cpu + 1) % CPU_SETSIZE;
        if (CPU_ISSET((size_t)cpu, allowed)) index--;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    pthread_attr_setaffinity_np(attr, sizeof one, &one);
}

static rg_err start(rg_ctx *cx, rg_team *t, bool pinned)
{
    cpu_set_t allowed;
    bool known = pinned && !sched_getaffinity(0, sizeof allowed, &allowed);
    for (int i = 1; i < t->size; i++) {
        pthread_attr_t attr;
        if (pthread_attr_init(&attr)) return rg_nomem(cx);
        if (known) pin(&allowed, i, &attr);
        int err = pthread_create(&t->seats[i].thread, &attr, serve, &t->seats[i]);
        pthread_attr_destroy(&attr);
        if (err) return rg_fail(cx, RG_INTERNAL, "thread %d of %d: %s", i + 1, t->size, strerror(err));
        t->started = i;
    }
    return RG_OK;
}

rg_err rg_team_new(rg_ctx *cx, int size, bool pinned, rg_team **out)
{
    *out = NULL;
    if (size < 1 || size > TEAM_MAX)
        return rg_fail(cx, RG_USAGE, "%d threads: between 1 and %d are possible", size, TEAM_MAX);
    rg_team *t = aligned_alloc(LINE_BYTE, sizeof *t);
    seat *seats = aligned_alloc(LINE_BYTE, sizeof *seats * (size_t)size);
    if (!t || !seats) {
        free(t);
        free(seats);
        return rg_nomem(cx);
    }
    memset(t, 0, sizeof *t);
    t->size = size;
    t->seats = seats;
    for (int i = 0; i < size; i++) seats[i] = (seat){.team = t, .worker = i, .spin_ns = SPIN_MOST_NS};
    rg_err err = start(cx, t, pinned);
    if (err) rg_team_free(t);
    else *out = t;
    return err;
}

int rg_team_size(const rg_team *t) { return t ? t->size : 1; }

void rg_team_free(rg_team *t)
{
    if (!t) return;
    __atomic_store_n(&t->stop, true, __ATOMIC_RELEASE);
    advance(&t->job);
    for (int i = 1; i <= t->started; i++) pthread_join(t->seats[i].thread, NULL);
    free(t->seats);
    free(t);
}
