/* zoo_find.c - finding a built-in model by name, and the two pieces that all builders need. */
#include "format/zoo.h"

#include "op/op.h"

#include <string.h>

void rg_zoo_scope(rg_build *b, const char *format, ...)
{
    char name[128];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    b->scope = rg_arena_cstr(&b->cx->arena, rg_str_of(name));
    if (!b->scope && !b->err) b->err = rg_nomem(b->cx);
}

rg_value_id rg_zoo_linear(rg_build *b, rg_value_id x, int64_t in, int64_t out)
{
    rg_value_id weight = rg_build_param(b, "weight", RG_F32, 2, (const int64_t[]){out, in});
    rg_value_id bias = rg_build_param(b, "bias", RG_F32, 1, (const int64_t[]){out});
    return rg_build_node(b, "Gemm", "transB=1", x, weight, bias, -1);
}

/* ---- by name ---- */

static rg_err fail_unknown(rg_ctx *cx, const char *name)
{
    const char **names = RG_NEW(&cx->arena, const char *, rg_zoo_count);
    if (!names) return rg_nomem(cx);
    for (int i = 0; i < rg_zoo_count; i++) names[i] = rg_zoo_table[i]->name;
    return rg_unknown_name(cx, "zoo model", name, names, (size_t)rg_zoo_count,
                           "`ridge zoo WORD` lists those of a family");
}

/* Of several models that make an image in turn (data/pipeline): those of the zoo that bear its name. */
static rg_err fail_pipeline(rg_ctx *cx, const char *name)
{
    rg_text text;
    rg_text_init(&text, &cx->arena);
    for (int i = 0; i < rg_zoo_count; i++)
        if (rg_str_starts(rg_str_of(rg_zoo_table[i]->name), name))
            rg_text_printf(&text, "%szoo:%s", text.size ? ", " : "", rg_zoo_table[i]->name);
    if (text.failed) return rg_nomem(cx);
    return rg_fail(cx, RG_INPUT, "zoo:%s: is a pipeline of several models: use 'ridge diffusion zoo:%s', or "
                   "name one of them: %.*s", name, name, RG_STR(((rg_str){text.data, text.size})));
}

static bool is_pipeline(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static rg_err build(rg_ctx *cx, const rg_zoo *zoo, const rg_share *share, rg_graph **out)
{
    rg_graph *g;
    *out = NULL;
    if (!zoo->build_share) RG_TRY(rg_share_need_whole(cx, zoo->name, share));
    RG_TRY(zoo->build_share ? zoo->build_share(cx, zoo, share, &g) : zoo->build(cx, zoo, &g));
    g->source = rg_arena_printf(&g->arena, "zoo:%s", zoo->name);
    rg_err err = g->source ? rg_graph_resolve(cx, g) : rg_nomem(cx);
    if (err) rg_graph_free(g);
    else *out = g;
    return err;
}

rg_err rg_zoo_build(rg_ctx *cx, const char *name, const rg_share *share, rg_graph **out)
{
    const char *const *pipelines;
    size_t count;
    *out = NULL;
    for (int i = 0; i < rg_zoo_count; i++)
        if (strcmp(rg_zoo_table[i]->name, name) == 0) return build(cx, rg_zoo_table[i], share, out);
    RG_TRY(rg_data_list(cx, "pipeline", &pipelines, &count));
    return is_pipeline(pipelines, count, name) ? fail_pipeline(cx, name) : fail_unknown(cx, name);
}
