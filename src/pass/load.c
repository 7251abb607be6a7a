/* load.c - rg_graph_load: from a name to a graph that is ready: read, bound, inferred, passed. */
#include "format/format.h"
#include "pass/pass.h"

#include <string.h>

/* What is kept as it was read needs no types: that inference cannot follow it is no reason to refuse it. */
static bool is_kept(const rg_load_opt *o, rg_err err)
{
    bool as_read = o->raw && o->symbolic && !o->shape && !o->value && !o->trip && !o->batch;
    return as_read && (err == RG_SHAPE || err == RG_UNSUPPORTED);
}

/* All passes but those that are to be skipped. */
static rg_err run_passes(rg_ctx *cx, rg_graph *g, const rg_load_opt *o)
{
    const char *names = NULL;
    if (o->skip && !(names = rg_arena_printf(&cx->arena, "-%s", o->skip))) return rg_nomem(cx);
    RG_TRY(rg_passes_check(cx, names));
    return o->raw ? RG_OK : rg_passes_apply(cx, g, names);
}

rg_err rg_graph_load(rg_ctx *cx, const char *model, const rg_load_opt *opt, const rg_graph **out)
{
    rg_load_opt o = {0};
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    rg_graph *file = NULL, *ready = NULL;
    rg_share share = {.last = o.last_logits};
    RG_TRY(rg_parallel_read(cx, o.parallel, &share.parallel));
    RG_TRY(rg_format_read(cx, model, &share, &file));
    rg_binding binding = {o.shape, o.value, o.trip, o.batch, o.symbolic};
    rg_err err = rg_graph_bind(cx, file, &binding, &ready);
    if (is_kept(&o, err)) {
        *out = file;
        return RG_OK;
    }
    rg_graph_free(file); /* the bound graph keeps what it shares alive */
    if (!err) err = run_passes(cx, ready, &o);
    if (err) {
        rg_graph_free(ready);
        return rg_note(cx, err, "%s", model);
    }
    *out = ready;
    return RG_OK;
}
