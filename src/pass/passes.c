/* passes.c - runs passes in order over one clone. Repeating passes run again as long as one of them changes
 * something, because folding uncovers duplicates and dead code uncovers patterns; ROUNDS bounds that.
 */
#include "pass/pass.h"

enum { ROUNDS = 8 };

/* "a,b": these; "-a,b": all but these. */
static rg_str list_of(const char *names, bool *but)
{
    *but = names && *names == '-';
    return rg_str_of(names + *but);
}

static bool is_named(const char *names, const char *name)
{
    bool but;
    rg_str rest, part;
    if (!names) return true;
    rest = list_of(names, &but);
    while (rg_str_cut(&rest, ',', &part))
        if (rg_str_is(part, name)) return !but;
    return but;
}

static rg_err run_one(rg_ctx *cx, const rg_pass *pass, rg_graph *g, bool *changed)
{
    bool edited = false;
    RG_TRY_NOTE(cx, pass->run(cx, g, &edited), "pass %s", pass->name);
    if (!edited) return RG_OK;
    *changed = true;
    RG_TRY_NOTE(cx, rg_graph_finish(cx, g), "pass %s", pass->name);
    RG_TRY_NOTE(cx, rg_graph_infer(cx, g), "pass %s", pass->name);
#ifdef RG_DEBUG
    RG_TRY_NOTE(cx, rg_graph_verify(cx, g), "pass %s", pass->name);
#endif
    return RG_OK;
}

/* The table is sorted by name; passes run by `order`. The few passes make a scan per step cheap. */
static const rg_pass *next_pass(const char *names, int after)
{
    const rg_pass *next = NULL;
    for (int i = 0; i < rg_pass_count; i++) {
        const rg_pass *pass = rg_pass_table[i];
        if (pass->order > after && is_named(names, pass->name) && (!next || pass->order < next->order))
            next = pass;
    }
    return next;
}

rg_err rg_passes_apply(rg_ctx *cx, rg_graph *g, const char *names)
{
    for (int round = 0; round < ROUNDS; round++) {
        bool changed = false;
        for (const rg_pass *pass = next_pass(names, -1); pass; pass = next_pass(names, pass->order))
            if (round == 0 || pass->repeat) RG_TRY(run_one(cx, pass, g, &changed));
        if (!changed) break;
    }
    return RG_OK;
}

static rg_err fail_unknown(rg_ctx *cx, rg_str name)
{
    rg_text all;
    rg_text_init(&all, &cx->arena);
    for (const rg_pass *pass = next_pass(NULL, -1); pass; pass = next_pass(NULL, pass->order))
        rg_text_printf(&all, "%s%s", all.size ? ", " : "", pass->name);
    if (all.failed) return rg_nomem(cx);
    return rg_fail(cx, RG_USAGE, "there is no pass named '%.*s'; there are: %.*s", RG_STR(name),
                   RG_STR(((rg_str){all.data, all.size})));
}

rg_err rg_passes_check(rg_ctx *cx, const char *names)
{
    bool but;
    rg_str rest = names ? list_of(names, &but) : (rg_str){0}, part;
    while (names && rg_str_cut(&rest, ',', &part)) {
        bool found = false;
        for (int i = 0; i < rg_pass_count; i++) found |= rg_str_is(part, rg_pass_table[i]->name);
        if (!found) return fail_unknown(cx, part);
    }
    return RG_OK;
}

rg_err rg_passes_run(rg_ctx *cx, const rg_graph *in, const char *names, rg_graph **out)
{
    rg_graph *g;
    RG_TRY(rg_passes_check(cx, names));
    RG_TRY(rg_graph_clone(cx, in, &g));
    rg_err err = rg_passes_apply(cx, g, names);
    if (err) {
        rg_graph_free(g);
        return err;
    }
    *out = g;
    return RG_OK;
}
