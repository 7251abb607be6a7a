/* session.c - plans by the sizes of the inputs, and runners that are lent to whoever runs.
 *
 * A plan is made once for each binding of the sizes, under the lock: who wants the same one waits for it. Its
 * runners share what was packed; there are as many as threads ran that binding at once.
 */
#include "exec/session.h"

#include "pass/pass.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PLANS_MAX = 8 };

/* One of the two: as planned, or node by node. */
typedef struct runner {
    struct runner *next;     /* of those that are idle */
    rg_planned *planned;
    rg_naive *naive;
} runner;

/* What runs one binding of the sizes. */
typedef struct entry {
    struct entry *next;
    char *key;
    const rg_graph *g;       /* with its sizes, behind the passes; naive: as in the file */
    const rg_plan *plan;     /* NULL: node by node */
    runner *idle, *first;    /* first: whose weights the others share; never given back */
    uint64_t used_at;
    int lent;
} entry;

struct rg_session {
    rg_ctx *cx;              /* memory of the session's own */
    const char *model, *value, *trip;
    rg_session_opt opt;
    const rg_graph *file;
    pthread_mutex_t lock;    /* of the rest */
    entry *entries; int entry_count;
    uint64_t clock;
    rg_session_counts counts;
};

/* ---- binding ---- */

static const rg_region *main_of(const rg_graph *g) { return &g->regions[RG_MAIN]; }

/* "image=1x3x224x224,mask=1x16" of the inputs whose size the file leaves open. */
static rg_err shape_of(rg_ctx *cx, const rg_session *s, const rg_datum *const *in, const char **out)
{
    rg_text text;
    rg_text_init(&text, &cx->arena);
    for (uint32_t i = 0; i < main_of(s->file)->input_count; i++) {
        const rg_value *v = &s->file->values[main_of(s->file)->inputs[i]];
        bool open = v->type.rank < 0;
        for (int k = 0; k < v->type.rank; k++) open = open || !rg_dim_is_number(v->type.dim[k]);
        if (!open || !in[i] || in[i]->kind != RG_KIND_TENSOR || !in[i]->array.rank) continue;
        rg_text_printf(&text, "%s%.*s=", text.size ? "," : "", RG_STR(v->name));
        for (int k = 0; k < in[i]->array.rank; k++)
            rg_text_printf(&text, "%s%lld", k ? "x" : "", (long long)in[i]->array.dim[k]);
    }
    *out = text.size ? text.data : "";
    return text.failed ? rg_nomem(cx) : RG_OK;
}

static rg_err plan_for_host(rg_ctx *cx, const rg_session *s, const rg_graph *g, const rg_plan **out)
{
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .threads = s->opt.threads};
    rg_err err = s->opt.device ? RG_OK : rg_device_find(cx, "host", &device);
    const rg_device *on = s->opt.device ? s->opt.device : device;
    if (!err) err = rg_runtime_find(cx, "native", on, &runtime);
    if (!err) err = rg_plan_make(cx, g, on, runtime, &opt, out);
    rg_runtime_free(runtime);
    rg_device_free(device);
    return err;
}

/* ---- runners ---- */

static void free_runner(runner *r)
{
    if (!r) return;
    rg_planned_free(r->planned);
    rg_naive_free(r->naive);
    free(r);
}

static rg_err make_runner(rg_ctx *cx, rg_session *s, entry *e, runner **out)
{
    runner *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r) return rg_nomem(cx);
    rg_planned_opt planned = {.threads = s->opt.threads, .pin = s->opt.pin, .seed = s->opt.seed,
                              .share = e->first ? e->first->planned : NULL};
    rg_naive_opt naive = {.seed = s->opt.seed};
    rg_err err = e->plan ? rg_planned_new(cx, e->plan, &planned, &r->planned)
                         : rg_naive_new(cx, e->g, &naive, &r->naive);
    if (err) {
        free_runner(r);
        return err;
    }
    if (!e->first) e->first = r;
    s->counts.runners++;
    *out = r;
    return RG_OK;
}

static void free_entry(entry *e)
{
    for (runner *r = e->idle, *next; r; r = next) {
        next = r->next;
        free_runner(r);
    }
    rg_plan_free(e->plan);
    rg_graph_free(e->g);
    free(e->key);
    free(e);
}

/* Its first runner says whether there is a plan at all. */
static rg_err fill_entry(rg_ctx *cx, rg_session *s, entry *e)
{
    runner *r = NULL;
    rg_load_opt load = {.size = sizeof load, .shape = e->key[0] ? e->key : NULL, .value = s->value,
                        .trip = s->trip};
    rg_err err = rg_graph_load(cx, s->model, &load, &e->g);
    if (!err) err = plan_for_host(cx, s, e->g, &e->plan);
    if (!err) err = make_runner(cx, s, e, &r);
    if (err == RG_UNSUPPORTED) {
        rg_plan_free(e->plan);
        rg_graph_free(e->g);
        e->plan = NULL;
        e->g = NULL;
        load.raw = load.symbolic = true;
        err = rg_graph_load(cx, s->model, &load, &e->g);
        if (!err) err = make_runner(cx, s, e, &r);
    }
    e->idle = r;
    return err;
}

/* The least recently used one that nobody runs goes. */
static void make_place(rg_session *s)
{
    entry **oldest = NULL;
    int most = s->opt.plans_max ? s->opt.plans_max : PLANS_MAX;
    if (s->entry_count < most) return;
    for (entry **at = &s->entries; *at; at = &(*at)->next)
        if (!(*at)->lent && (!oldest || (*at)->used_at < (*oldest)->used_at)) oldest = at;
    if (!oldest) return;
    entry *gone = *oldest;
    *oldest = gone->next;
    s->entry_count--;
    free_entry(gone);
}

static rg_err add_entry(rg_ctx *cx, rg_session *s, const char *key, entry **out)
{
    entry *e = calloc(1, sizeof *e);
    char *copy = strdup(key);
    if (!e || !copy) {
        free(e);
        free(copy);
        return rg_nomem(cx);
    }
    e->key = copy;
    make_place(s);
    rg_err err = fill_entry(cx, s, e);
    if (err) {
        free_entry(e);
        return err;
    }
    e->next = s->entries;
    s->entries = *out = e;
    s->entry_count++;
    s->counts.bindings++;
    s->counts.plans += e->plan != NULL;
    return RG_OK;
}

/* A runner for these sizes, which nobody else has until it is given back. */
static rg_err borrow(rg_ctx *cx, rg_session *s, const char *key, entry **from, runner **out)
{
    rg_err err = RG_OK;
    pthread_mutex_lock(&s->lock);
    entry *e = s->entries;
    while (e && strcmp(e->key, key) != 0) e = e->next;
    if (!e) err = add_entry(cx, s, key, &e);
    if (!err && !e->idle) err = make_runner(cx, s, e, &e->idle);
    if (!err) {
        *from = e;
        *out = e->idle;
        e->idle = e->idle->next;
        e->lent++;
        e->used_at = ++s->clock;
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}

static void give_back(rg_session *s, entry *e, runner *r)
{
    pthread_mutex_lock(&s->lock);
    r->next = e->idle;
    e->idle = r;
    e->lent--;
    pthread_mutex_unlock(&s->lock);
}

/* ---- running ---- */

static uint32_t find(const rg_graph *g, bool output, rg_str name)
{
    const rg_region *model = main_of(g);
    uint32_t count = output ? model->output_count : model->input_count, i = 0;
    const rg_value_id *ids = output ? model->outputs : model->inputs;
    while (i < count && !rg_str_eq(g->values[ids[i]].name, name)) i++;
    return i;
}

static bool same_form(const rg_array *a, const rg_array *b)
{
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int k = 0; same && k < a->rank; k++) same = a->dim[k] == b->dim[k];
    return same;
}

/* Passes may have dropped an input that nothing reads. */
static rg_err write_input(rg_ctx *cx, const rg_session *s, const entry *e, rg_planned *p, uint32_t i,
                          const rg_datum *const *in)
{
    const rg_value *v = &e->g->values[main_of(e->g)->inputs[i]];
    uint32_t at = find(s->file, false, v->name);
    const rg_datum *datum = at < main_of(s->file)->input_count ? in[at] : NULL;
    rg_array *to = rg_planned_input(p, i);
    rg_datum *preset = NULL;
    if (!datum && v->data) RG_TRY(rg_datum_of(cx, v->data, &preset));
    if (preset) datum = preset;
    rg_err err = RG_OK;
    if (!datum) err = rg_fail(cx, RG_INPUT, "input '%.*s' is missing", RG_STR(v->name));
    else if (!same_form(to, &datum->array))
        err = rg_fail(cx, RG_SHAPE, "input '%.*s' has another type or shape than the model says",
                      RG_STR(v->name));
    else rg_copy_run(to, 0, &datum->array, 0, to->count);
    rg_datum_free(preset);
    return err;
}

static rg_err run_planned(rg_ctx *cx, const rg_session *s, const entry *e, rg_planned *p,
                          const rg_datum *const *in, const rg_datum **out)
{
    for (uint32_t i = 0; i < main_of(e->g)->input_count; i++) RG_TRY(write_input(cx, s, e, p, i, in));
    RG_TRY(rg_planned_run(cx, p));
    for (uint32_t i = 0; i < main_of(s->file)->output_count; i++) {
        const rg_array *from = rg_planned_output(p, i);
        rg_datum *datum;
        RG_TRY(rg_datum_like(cx, from, &datum));
        rg_copy_run(&datum->array, 0, from, 0, from->count);
        out[i] = datum;
    }
    return RG_OK;
}

rg_err rg_session_run(rg_ctx *cx, rg_session *s, const rg_datum *const *in, const rg_datum **out)
{
    const char *key;
    entry *e = NULL;
    runner *r = NULL;
    uint32_t count = main_of(s->file)->output_count;
    for (uint32_t i = 0; i < count; i++) out[i] = NULL;
    RG_TRY(shape_of(cx, s, in, &key));
    RG_TRY(borrow(cx, s, key, &e, &r));
    rg_err err =
        r->planned ? run_planned(cx, s, e, r->planned, in, out) : rg_naive_run(cx, r->naive, in, out);
    give_back(s, e, r);
    for (uint32_t i = 0; err && i < count; i++) {
        rg_datum_free(out[i]);
        out[i] = NULL;
    }
    return err;
}

/* ---- the whole ---- */

const rg_graph *rg_session_graph(const rg_session *s) { return s->file; }

rg_session_counts rg_session_count(rg_session *s)
{
    pthread_mutex_lock(&s->lock);
    rg_session_counts counts = s->counts;
    pthread_mutex_unlock(&s->lock);
    return counts;
}

rg_err rg_session_new(rg_ctx *cx, const char *model, const rg_load_opt *load, const rg_session_opt *opt,
                      rg_session **out)
{
    rg_load_opt raw = {.size = sizeof raw, .raw = true, .symbolic = true};
    rg_ctx_opt own = {.size = sizeof own, .memory_limit_byte = cx->memory_limit_byte, .alloc = cx->alloc,
                      .free = cx->free, .user = cx->user, .data_dir = cx->data_dir};
    rg_session *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return rg_nomem(cx);
    if (pthread_mutex_init(&s->lock, NULL)) {
        free(s);
        return rg_nomem(cx);
    }
    s->opt = opt ? *opt : (rg_session_opt){0};
    if (!s->opt.threads) s->opt.threads = 1;
    s->cx = rg_ctx_new(&own);
    s->model = s->cx ? rg_arena_cstr(&s->cx->arena, rg_str_of(model)) : NULL;
    bool copied = s->model != NULL;
    if (copied && load && load->value)
        copied = (s->value = rg_arena_cstr(&s->cx->arena, rg_str_of(load->value))) != NULL;
    if (copied && load && load->trip)
        copied = (s->trip = rg_arena_cstr(&s->cx->arena, rg_str_of(load->trip))) != NULL;
    rg_err err = copied ? rg_graph_load(cx, model, &raw, &s->file) : rg_nomem(cx);
    if (err) rg_session_free(s);
    else *out = s;
    return err;
}

void rg_session_free(rg_session *s)
{
    if (!s) return;
    for (entry *e = s->entries, *next; e; e = next) {
        next = e->next;
        free_entry(e);
    }
    rg_graph_free(s->file);
    rg_ctx_free(s->cx);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
