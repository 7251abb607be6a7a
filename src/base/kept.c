/* kept.c - what many requests read and nobody changes: made when it is first asked for, then shared by a
 * context and the contexts of its workers, and freed with the last of them.
 *
 *     rg_ctx --kept--> { name -> object }  <--kept-- contexts of workers
 *
 * Making happens under the lock: two workers that need the same table make it once.
 */
#include "base/base.h"

#include <pthread.h>
#include <string.h>

typedef struct kept_thing {
    struct kept_thing *next;
    const void *object;
    void (*done)(const void *object);
    char name[];
} kept_thing;

struct rg_kept {
    pthread_mutex_t lock;
    uint32_t refs;               /* atomic */
    kept_thing *things;
    void (*free)(void *user, void *block);
    void *user;
};

rg_err rg_kept_begin(rg_ctx *cx)
{
    rg_kept *none = NULL;
    if (__atomic_load_n(&cx->kept, __ATOMIC_ACQUIRE)) return RG_OK;
    rg_kept *kept = cx->alloc(cx->user, sizeof *kept);
    if (!kept) return rg_nomem(cx);
    *kept = (rg_kept){.refs = 1, .free = cx->free, .user = cx->user};
    if (pthread_mutex_init(&kept->lock, NULL)) {
        cx->free(cx->user, kept);
        return rg_nomem(cx);
    }
    /* workers may begin at once: the first wins */
    if (!__atomic_compare_exchange_n(&cx->kept, &none, kept, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        rg_kept_unref(kept);
    return RG_OK;
}

rg_kept *rg_kept_ref(rg_kept *kept)
{
    __atomic_add_fetch(&kept->refs, 1, __ATOMIC_RELAXED);
    return kept;
}

void rg_kept_unref(rg_kept *kept)
{
    if (!kept || __atomic_sub_fetch(&kept->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    for (kept_thing *t = kept->things, *next; t; t = next) {
        next = t->next;
        if (t->done && t->object) t->done(t->object);
        kept->free(kept->user, t);
    }
    pthread_mutex_destroy(&kept->lock);
    kept->free(kept->user, kept);
}

static rg_err make_thing(rg_ctx *cx, const char *name, const rg_maker *maker, const void **out)
{
    size_t size = strlen(name) + 1;
    kept_thing *thing = cx->alloc(cx->user, sizeof *thing + size);
    if (!thing) return rg_nomem(cx);
    *thing = (kept_thing){.next = cx->kept->things, .done = maker->done};
    memcpy(thing->name, name, size);
    rg_err err = maker->make(cx, name, &thing->object);
    if (err) {
        cx->free(cx->user, thing);
        return err;
    }
    cx->kept->things = thing;
    *out = thing->object;
    return RG_OK;
}

rg_err rg_ctx_keep(rg_ctx *cx, const char *name, const rg_maker *maker, const void **out)
{
    rg_err err = RG_OK;
    const kept_thing *t;
    RG_TRY(rg_kept_begin(cx));
    pthread_mutex_lock(&cx->kept->lock);
    for (t = cx->kept->things; t && strcmp(t->name, name) != 0;) t = t->next;
    if (t) *out = t->object;
    else err = make_thing(cx, name, maker, out);
    pthread_mutex_unlock(&cx->kept->lock);
    return err;
}
