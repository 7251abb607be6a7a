/* graph_lesson.c - the witness that collects graphs of rows while files are judged. A case keeps its graph in
 * an arena of its own, because forecasts come from many threads.
 */
#include "learn/graph_lesson.h"

#include "map/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Beyond a factor of 50 a measurement is of something else than its columns say. */
#define RESIDUAL_MOST 3.9

typedef struct sight {
    rg_arena arena;
    bool seen;
    const char *key, *family;
    double base_s;
    rg_row_graph g;
} sight;

typedef struct collecting {
    rg_graph_lessons *lessons;
    const char *file;            /* base name */
    sight *sights; size_t count; /* by case */
} collecting;

void rg_graph_lessons_init(rg_ctx *cx, rg_graph_lessons *lessons)
{
    *lessons = (rg_graph_lessons){0};
    rg_lessons_init(cx, &lessons->rules);
}

void rg_graph_lessons_done(rg_graph_lessons *lessons) { rg_lessons_done(&lessons->rules); }

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

const char *rg_model_family(rg_arena *arena, rg_str model)
{
    rg_str rest = model, name = model;
    size_t size = 0;
    while (rg_str_cut(&rest, '/', &name)) continue;
    if (rg_str_starts(name, "zoo:")) name = (rg_str){name.data + 4, name.size - 4};
    while (size < name.size && is_letter(name.data[size])) size++;
    return rg_arena_cstr(arena, size ? (rg_str){name.data, size} : name);
}

static rg_err begin(rg_ctx *cx, void *user, const rg_evaluation *e)
{
    collecting *c = user;
    c->sights = RG_NEW(&cx->arena, sight, e->cases + 1);
    if (!c->sights) return rg_nomem(cx);
    c->count = e->cases;
    for (size_t i = 0; i < c->count; i++) rg_arena_init(&c->sights[i].arena, cx);
    return RG_OK;
}

static rg_err see(rg_ctx *cx, void *user, const rg_exam *exam, const rg_forecast *f, rg_view view)
{
    const collecting *c = user;
    sight *s = &c->sights[exam->index];
    const char *key, *without = c->lessons->rules.without;
    rg_str family = rg_exam_text(exam, "family");
    if (!view.whole || !exam->device || !(f->latency_s.value > 0)) return RG_OK;
    if (without && strcmp(exam->device->id, without) == 0) return RG_OK;
    if (rg_is_doubted(&c->lessons->rules, exam)) return RG_OK;
    RG_TRY(rg_learned_key(cx, f, RG_WHOLE, f->plan->runtime->id, RG_TARGET_LATENCY, &key));
    RG_TRY(rg_row_graph_of(cx, &s->arena, f, &s->g));
    s->key = rg_arena_cstr(&s->arena, rg_str_of(key));
    s->family = family.size ? rg_arena_cstr(&s->arena, family)
                            : rg_model_family(&s->arena, rg_exam_text(exam, "model"));
    if (!s->key || !s->family) return rg_nomem(cx);
    s->base_s = f->latency_s.value;
    s->seen = s->g.count > 0;
    return RG_OK;
}

static rg_err find_lesson(rg_ctx *cx, rg_graph_lessons *l, const char *key, rg_graph_lesson **out)
{
    rg_arena *arena = &l->rules.arena;
    size_t i = 0;
    while (i < l->count && strcmp(l->items[i].key, key) != 0) i++;
    if (i == l->count) {
        if (!RG_GROW(arena, l->items, l->count, l->capacity)) return rg_nomem(cx);
        l->items[l->count++] = (rg_graph_lesson){.key = rg_arena_cstr(arena, rg_str_of(key)),
                                                 .hash = RG_HASH_SEED};
        rg_text_init(&l->items[i].made_of, arena);
        if (!l->items[i].key) return rg_nomem(cx);
    }
    *out = &l->items[i];
    return RG_OK;
}

static rg_err find_family(rg_ctx *cx, rg_arena *arena, rg_graph_lesson *l, const char *name, uint32_t *out)
{
    size_t i = 0;
    while (i < l->family_count && strcmp(l->families[i], name) != 0) i++;
    if (i == l->family_count) {
        if (!RG_GROW(arena, l->families, l->family_count, l->family_capacity)) return rg_nomem(cx);
        l->families[l->family_count++] = rg_arena_cstr(arena, rg_str_of(name));
        if (!l->families[i]) return rg_nomem(cx);
    }
    *out = (uint32_t)i;
    return RG_OK;
}

static void *copied(rg_arena *arena, const void *from, size_t count, size_t size)
{
    void *to = rg_arena_array(arena, count + 1, size);
    if (to) memcpy(to, from, count * size);
    return to;
}

static rg_err copy_graph(rg_ctx *cx, rg_arena *arena, const rg_row_graph *g, rg_row_graph *out)
{
    *out = (rg_row_graph){
        .count = g->count, .inputs = g->inputs,
        .x = copied(arena, g->x, (size_t)g->count * g->inputs, sizeof *g->x),
        .share = copied(arena, g->share, g->count, sizeof *g->share),
        .first = copied(arena, g->first, (size_t)g->count + 1, sizeof *g->first),
        .from = copied(arena, g->from, g->first[g->count], sizeof *g->from),
    };
    return out->x && out->share && out->first && out->from ? RG_OK : rg_nomem(cx);
}

static rg_err add_example(rg_ctx *cx, const collecting *c, const sight *s, double r)
{
    rg_arena *arena = &c->lessons->rules.arena;
    rg_graph_lesson *l = NULL;
    rg_graph_example e = {.r = r};
    if (!(fabs(r) < RESIDUAL_MOST)) return RG_OK;
    RG_TRY(find_lesson(cx, c->lessons, s->key, &l));
    RG_TRY(find_family(cx, arena, l, s->family, &e.family));
    RG_TRY(copy_graph(cx, arena, &s->g, &e.g));
    if (!RG_GROW(arena, l->examples, l->count, l->capacity)) return rg_nomem(cx);
    l->examples[l->count++] = e;
    l->hash = rg_hash(l->hash, &r, sizeof r);
    l->hash = rg_hash(l->hash, e.g.x, (size_t)e.g.count * e.g.inputs * sizeof *e.g.x);
    return rg_lesson_note_file(cx, &l->made_of, c->file);
}

static rg_err end(rg_ctx *cx, void *user, const rg_evaluation *e, const uint32_t *case_of)
{
    const collecting *c = user;
    for (size_t i = 0; i < e->count; i++) {
        const sight *s = &c->sights[case_of[i]];
        double seconds, watt;
        if (!s->seen || e->verdicts[i].dirty) continue;
        rg_verdict_measured(e, &e->verdicts[i], &seconds, &watt);
        if (seconds > 0) RG_TRY(add_example(cx, c, s, log(seconds / s->base_s)));
    }
    return RG_OK;
}

static void forget(collecting *c)
{
    for (size_t i = 0; i < c->count; i++) rg_arena_done(&c->sights[i].arena);
    c->count = 0;
}

/* A file may have several kinds: what one has left is forgotten before the next. */
static rg_err begin_anew(rg_ctx *cx, void *user, const rg_evaluation *e)
{
    forget(user);
    return begin(cx, user, e);
}

rg_err rg_graph_lessons_add(rg_ctx *cx, rg_graph_lessons *lessons, const char *path,
                            const rg_evaluate_opt *opt)
{
    collecting c = {.lessons = lessons, .file = rg_path_base(path)};
    rg_witness witness = {begin_anew, see, end, &c};
    rg_evaluation *evaluations;
    size_t count;
    rg_err err = rg_judge_file(cx, path, opt, &witness, &evaluations, &count);
    if (!err) rg_evaluation_free(evaluations, count);
    forget(&c);
    return err;
}
