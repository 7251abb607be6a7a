/* workers.c - independent pieces of work over the machine's cores.
 *
 * Workers take the next index from a counter, so that unequal pieces even out. What a piece writes must
 * depend on its index alone: then the result is the same for any number of threads. Each piece gets a context
 * of its own, so that scratch memory is gone when it is done. Of several errors the one of the lowest index
 * is told, as one thread alone would have met it first.
 */
#include "base/base.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

typedef struct team {
    rg_ctx *cx;
    const rg_workers *work;
    size_t next, done;       /* atomic; done: under the lock */
    bool stopped;            /* atomic */
    pthread_mutex_t lock;    /* of the rest */
    size_t failed_index;
    rg_err err;
} team;

static void fail(team *t, size_t index, rg_err err, const char *text)
{
    pthread_mutex_lock(&t->lock);
    if (!t->err || index < t->failed_index) {
        t->err = err;
        t->failed_index = index;
        rg_fail(t->cx, err, "%s", text);
    }
    pthread_mutex_unlock(&t->lock);
    __atomic_store_n(&t->stopped, true, __ATOMIC_RELAXED);
}

static void tell(team *t)
{
    const rg_workers *w = t->work;
    pthread_mutex_lock(&t->lock);
    t->done++;
    bool go_on = !w->progress || w->progress(w->progress_user, t->done, w->count);
    pthread_mutex_unlock(&t->lock);
    if (!go_on) fail(t, SIZE_MAX, RG_INTERRUPTED, "interrupted");
}

static void *work(void *arg)
{
    team *t = arg;
    const rg_workers *w = t->work;
    while (!__atomic_load_n(&t->stopped, __ATOMIC_RELAXED)) {
        size_t index = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED);
        if (index >= w->count) break;
        rg_ctx *cx = rg_ctx_worker(t->cx);
        rg_err err = cx ? w->run(cx, w->user, index) : RG_NOMEM;
        if (err) fail(t, index, err, cx ? rg_ctx_error(cx) : rg_err_text(err));
        rg_ctx_free(cx);
        if (!err) tell(t);
    }
    return NULL;
}

static size_t cores_online(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : (size_t)cores;
}

/* A thread that cannot be had is no error: the caller's own works, too. */
rg_err rg_workers_run(rg_ctx *cx, const rg_workers *w)
{
    enum { THREADS_MAX = 64 };
    pthread_t threads[THREADS_MAX];
    size_t wanted = w->threads ? w->threads : cores_online(), started = 0;
    if (wanted > w->count) wanted = w->count;
    if (wanted > THREADS_MAX) wanted = THREADS_MAX;
    team t = {.cx = cx, .work = w};
    RG_TRY(rg_kept_begin(cx));
    if (pthread_mutex_init(&t.lock, NULL)) return rg_nomem(cx);
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, &t) == 0) started++;
    work(&t);
    for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&t.lock);
    return t.err;
}
