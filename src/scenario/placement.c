/* placement.c - the search for a placement: every candidate is a replica of its own, sized by what its memory
 * and its limits allow, and bought as often as the users need. Candidates are independent, so they are tried
 * over the cores; the order of the result does not depend on how.
 */
#include "scenario/placement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where nobody says: devices of a placement, and the longest pipeline of one replica. */
enum { DEVICES_MAX = 64, PIPELINE_MAX = 16 };

const char *rg_place_verdict_name(rg_place_verdict verdict)
{
    static const char *const names[] = {
        [RG_PLACE_GOOD] = "good", [RG_PLACE_ERROR] = "not possible", [RG_PLACE_MEMORY] = "memory",
        [RG_PLACE_TTFT] = "ttft", [RG_PLACE_TPOT] = "tpot", [RG_PLACE_DEVICES] = "devices",
    };
    return verdict < RG_PLACE_VERDICT_COUNT ? names[verdict] : "";
}

typedef struct trial {
    const char *device, *runtime, *precision;
    char parallel[64];
    rg_err err;                    /* why there is no forecast */
} trial;

typedef struct searching {
    rg_ctx *cx;
    rg_place *place;
    trial *trials;                 /* by candidate */
} searching;

/* ---- one candidate ---- */

typedef struct fitting {
    rg_ctx *cx;
    const rg_place_opt *opt;
    rg_llm *llm;
    rg_placement *p;
    rg_arena *texts;
    rg_llm_cost prefill;           /* of one prompt */
} fitting;

static rg_err fail(fitting *f, rg_place_verdict verdict, const char *why)
{
    f->p->verdict = verdict;
    f->p->why = why;
    return why ? RG_OK : rg_nomem(f->cx);
}

static int64_t middle_of(const rg_place_opt *o) { return o->prompt + o->output / 2; }

/* Means of a replica that writes `batch` sequences: `near`, by interpolation. */
static rg_err times_of(fitting *f, int64_t batch, bool near, double *ttft_s, double *tpot_s,
                       rg_llm_cost *step)
{
    int64_t stages = f->p->parallel.pipeline, micro = batch < stages ? batch : stages;
    rg_llm_tokens t = {(batch + micro - 1) / micro, 1, middle_of(f->opt)};
    RG_TRY(near ? rg_llm_step_near(f->cx, f->llm, t, step) : rg_llm_step(f->cx, f->llm, t, step));
    double token = fmax(step->latency_s.value, (double)micro * step->interval_s);
    *tpot_s = token + (double)batch / f->opt->output * f->prefill.interval_s;
    *ttft_s = f->prefill.latency_s.value + token;
    return RG_OK;
}

static bool in_time(const rg_place_opt *o, double ttft_s, double tpot_s)
{
    return (o->ttft_s <= 0 || ttft_s <= o->ttft_s) && (o->tpot_s <= 0 || tpot_s <= o->tpot_s);
}

/* The most sequences up to `fits` within the limits: both times grow with them. 0: not even one. */
static rg_err most_in_time(fitting *f, int64_t fits, int64_t *most)
{
    int64_t low = 0, high = fits + 1; /* low is good, high is not */
    rg_llm_cost step;
    double ttft, tpot;
    RG_TRY(times_of(f, fits, true, &ttft, &tpot, &step));
    if (in_time(f->opt, ttft, tpot)) low = fits;
    while (high - low > 1 && low < fits) {
        int64_t middle = low + (high - low) / 2;
        RG_TRY(times_of(f, middle, true, &ttft, &tpot, &step));
        if (in_time(f->opt, ttft, tpot)) low = middle;
        else high = middle;
    }
    *most = low;
    return RG_OK;
}

static rg_err too_slow(fitting *f)
{
    const rg_place_opt *o = f->opt;
    rg_llm_cost step;
    double ttft, tpot;
    char is[32], limit[32];
    RG_TRY(times_of(f, 1, false, &ttft, &tpot, &step));
    bool late = o->ttft_s > 0 && ttft > o->ttft_s;
    rg_unit_print(is, sizeof is, late ? ttft : tpot, RG_UNIT_SECOND);
    rg_unit_print(limit, sizeof limit, late ? o->ttft_s : o->tpot_s, RG_UNIT_SECOND);
    f->p->ttft_s.value = ttft, f->p->tpot_s.value = tpot;
    return fail(f, late ? RG_PLACE_TTFT : RG_PLACE_TPOT,
                rg_arena_printf(f->texts, "%s takes %s with one user, %s is the limit",
                                late ? "the first token" : "a token", is, limit));
}

static rg_err too_large(fitting *f)
{
    char is[32], room[32];
    RG_TRY(rg_llm_held(f->cx, f->llm, 1, (int64_t)f->opt->prompt + f->opt->output, &f->p->memory));
    rg_unit_print(is, sizeof is, f->p->memory.peak, RG_UNIT_BYTE);
    rg_unit_print(room, sizeof room, f->p->room_byte, RG_UNIT_BYTE);
    return fail(f, RG_PLACE_MEMORY,
                rg_arena_printf(f->texts, "one user needs %s of each device, which has %s", is, room));
}

static void price(fitting *f)
{
    const rg_place_opt *o = f->opt;
    rg_placement *p = f->p;
    rg_rate_card card;
    p->usd_per_h = p->usd_per_million_tokens = NAN;
    if (!o->rates) return;
    rg_rates_for(o->rates, rg_llm_device(f->llm), &card);
    double watts = p->power_w * card.rates.pue * card.rates.usd_per_kwh / 1000;
    p->usd_per_h = p->devices * card.rates.usd_per_h + watts;
    p->usd_per_million_tokens = p->usd_per_h / (p->tokens_per_s * 3600) * 1e6;
}

/* What the users get of as few replicas as hold them all. */
static rg_err buy(fitting *f)
{
    const rg_place_opt *o = f->opt;
    rg_placement *p = f->p;
    rg_llm_cost step;
    double ttft, tpot, spread;
    int64_t replicas;
    for (;;) { /* what was found between two forecasts is asked of one itself: learned terms have steps, and
                * fewer sequences need less memory for the most part only */
        replicas = (o->users + p->most - 1) / p->most;
        p->batch = (o->users + replicas - 1) / replicas;
        RG_TRY(times_of(f, p->batch, false, &ttft, &tpot, &step));
        RG_TRY(rg_llm_held(f->cx, f->llm, p->batch, (int64_t)o->prompt + o->output, &p->memory));
        bool held = p->memory.peak <= p->room_byte;
        if (held && in_time(o, ttft, tpot)) break;
        p->most = p->batch - 1;
        if (!p->most) return held ? too_slow(f) : too_large(f);
    }
    p->parallel.data = (int)replicas;
    int64_t devices = replicas * rg_llm_devices(f->llm);
    p->devices = devices < INT32_MAX ? (int)devices : INT32_MAX;
    spread = step.latency_s.high / step.latency_s.value; /* the forecast's, of both */
    p->ttft_s = (rg_estimate){ttft, ttft / spread, ttft * spread};
    p->tpot_s = (rg_estimate){tpot, tpot / spread, tpot * spread};
    p->tokens_per_s = o->users / tpot;
    int64_t stages = p->parallel.pipeline, micro = p->batch < stages ? p->batch : stages;
    double token_j = (double)micro * step.energy_j / (double)p->batch;
    p->energy_per_token_j = token_j + f->prefill.energy_j / o->output;
    p->power_w = p->energy_per_token_j * p->tokens_per_s;
    price(f);
    int limit = o->devices_max > 0 ? o->devices_max : DEVICES_MAX;
    if (devices <= limit) return RG_OK;
    return fail(f, RG_PLACE_DEVICES, rg_arena_printf(f->texts, "%d users need %lld devices, %d is the limit",
                                                     o->users, (long long)devices, limit));
}

static rg_err size_replica(fitting *f)
{
    const rg_place_opt *o = f->opt;
    int64_t fits = 0;
    f->p->room_byte = rg_llm_memory_byte(f->llm);
    RG_TRY(rg_llm_fit(f->cx, f->llm, (int64_t)o->prompt + o->output, &fits));
    if (!fits) return too_large(f);
    if (fits > o->users) fits = o->users;
    RG_TRY(rg_llm_step(f->cx, f->llm, (rg_llm_tokens){1, o->prompt, 0}, &f->prefill));
    RG_TRY(most_in_time(f, fits, &f->p->most));
    return f->p->most ? buy(f) : too_slow(f);
}

/* What no other candidate would fare better with. */
static bool is_fatal(rg_err err) { return err == RG_NOMEM || err == RG_INTERNAL || err == RG_INTERRUPTED; }

static rg_err try_one(rg_ctx *cx, void *user, size_t index)
{
    searching *s = user;
    trial *t = &s->trials[index];
    rg_placement *p = &s->place->all[index];
    rg_llm_setup setup = {
        .model = s->place->opt.model, .device = t->device, .runtime = t->runtime, .precision = t->precision,
        .parallel = t->parallel, .rates = s->place->opt.rates,
    };
    fitting f = {.cx = cx, .opt = &s->place->opt, .p = p, .texts = &s->place->texts[index]};
    rg_err err = rg_llm_open(cx, &setup, &f.llm);
    if (!err) {
        p->runtime_id = rg_arena_cstr(f.texts, rg_str_of(rg_llm_runtime(f.llm)->id));
        err = p->runtime_id ? size_replica(&f) : rg_nomem(cx);
    }
    rg_llm_close(f.llm);
    if (!err || is_fatal(err)) return err;
    t->err = err;
    return fail(&f, RG_PLACE_ERROR, rg_arena_cstr(f.texts, rg_str_of(rg_ctx_error(cx))));
}

/* ---- the candidates ---- */

static rg_err list_devices(searching *s)
{
    const rg_place_opt *o = &s->place->opt;
    rg_place *place = s->place;
    uint32_t capacity = 0;
    for (size_t i = 0; i < o->device_count; i++) {
        const char *const *ids = &o->devices[i];
        size_t count = 1;
        if (strcmp(ids[0], "all") == 0) RG_TRY(rg_device_ids(s->cx, &ids, &count));
        for (size_t k = 0; k < count; k++) {
            const rg_device *device = NULL;
            if (!RG_GROW(&place->arena, place->devices, place->device_count, capacity))
                return rg_nomem(s->cx);
            RG_TRY(rg_device_find(s->cx, ids[k], &device));
            place->devices[place->device_count++] = device;
        }
    }
    return place->device_count ? RG_OK : rg_fail(s->cx, RG_USAGE, "no device to place the model on");
}

static rg_err list_precisions(searching *s)
{
    const rg_place_opt *o = &s->place->opt;
    static const char *const own[] = {"model"};
    size_t count = o->precision_count ? o->precision_count : 1;
    s->place->precisions = RG_NEW(&s->place->arena, const char *, count);
    if (!s->place->precisions) return rg_nomem(s->cx);
    memcpy(s->place->precisions, o->precision_count ? o->precisions : own, count * sizeof *own);
    s->place->precision_count = count;
    return RG_OK;
}

/* Devices that the widest fabric among the candidates joins: beyond it every layer would wait for a network.
 */
static int widest_of(const rg_place *place)
{
    double widest = 1;
    for (size_t d = 0; d < place->device_count; d++)
        for (size_t i = 0; i < place->devices[d]->link_count; i++) {
            const rg_link *link = &place->devices[d]->links[i];
            bool peer = strcmp(link->to, "peer") == 0;
            if (peer) widest = fmax(widest, link->devices > 0 ? link->devices : RG_HOST_DEVICES);
        }
    return (int)fmin(fmax(widest, RG_HOST_DEVICES), RG_PARALLEL_MAX);
}

static rg_err read_way(searching *s, const char *text, rg_parallel *out)
{
    RG_TRY(rg_parallel_read(s->cx, text, out));
    if (out->data == 1) return RG_OK;
    return rg_fail(s->cx, RG_USAGE, "'%s': how many replicas it takes is what the search finds; leave dp out",
                   text);
}

/* Ways to divide a replica that were asked for, else 1, 2, 4, ... of tensor and pipeline. */
static rg_err list_ways(searching *s, rg_parallel **out, size_t *count)
{
    enum { WAYS_MAX = 64 };
    const rg_place_opt *o = &s->place->opt;
    int limit = o->devices_max > 0 ? o->devices_max : DEVICES_MAX, widest = widest_of(s->place);
    *out = RG_NEW(&s->cx->arena, rg_parallel, WAYS_MAX + o->parallel_count);
    *count = 0;
    if (!*out) return rg_nomem(s->cx);
    for (size_t i = 0; i < o->parallel_count; i++)
        RG_TRY(read_way(s, o->parallels[i], &(*out)[(*count)++]));
    if (o->parallel_count) return RG_OK;
    for (int pp = 1; pp <= PIPELINE_MAX; pp *= 2)
        for (int tp = 1; tp <= widest && tp * pp <= limit; tp *= 2)
            (*out)[(*count)++] = (rg_parallel){tp, pp, 1, 1, 1};
    return RG_OK;
}

static void add_trial(searching *s, rg_placement p)
{
    rg_place *place = s->place;
    trial *t = &s->trials[place->count];
    rg_parallel_print(t->parallel, sizeof t->parallel, &p.parallel);
    t->device = place->devices[p.device]->id;
    t->runtime = place->opt.runtime_count ? place->opt.runtimes[p.runtime] : NULL;
    t->precision = place->precisions[p.precision];
    rg_arena_init(&place->texts[place->count], s->cx);
    p.index = (uint32_t)place->count;
    p.usd_per_h = p.usd_per_million_tokens = NAN;
    place->all[place->count++] = p;
}

static rg_err list_trials(searching *s)
{
    const rg_place_opt *o = &s->place->opt;
    rg_place *place = s->place;
    rg_parallel *ways;
    size_t way_count, runtimes = o->runtime_count ? o->runtime_count : 1;
    RG_TRY(list_devices(s));
    RG_TRY(list_precisions(s));
    RG_TRY(list_ways(s, &ways, &way_count));
    size_t most = place->device_count * runtimes * place->precision_count * way_count;
    if (most > RG_STUDY_MAX)
        return rg_fail(s->cx, RG_LIMIT, "more than %d placements: fewer devices or settings", RG_STUDY_MAX);
    place->all = RG_NEW(&place->arena, rg_placement, most);
    place->texts = RG_NEW(&place->arena, rg_arena, most);
    s->trials = RG_NEW(&s->cx->arena, trial, most);
    if (!place->all || !place->texts || !s->trials) return rg_nomem(s->cx);
    for (uint32_t d = 0; d < place->device_count; d++)
        for (uint32_t r = 0; r < runtimes; r++)
            for (uint32_t p = 0; p < place->precision_count; p++)
                for (size_t w = 0; w < way_count; w++)
                    add_trial(s, (rg_placement){.device = d, .runtime = r, .precision = p,
                                                .parallel = ways[w]});
    return RG_OK;
}

/* ---- the order ---- */

enum { DEVICES, COST, ENERGY, TPOT, FIGURES };

static double figure(const rg_placement *p, int which)
{
    switch (which) {
    case DEVICES: return p->devices;
    case COST: return isnan(p->usd_per_h) ? INFINITY : p->usd_per_h;
    case ENERGY: return p->energy_per_token_j;
    default: return p->tpot_s.value;
    }
}

static int compare(const rg_placement *a, const rg_placement *b, const int *order)
{
    bool good[] = {a->verdict == RG_PLACE_GOOD, b->verdict == RG_PLACE_GOOD};
    if (good[0] != good[1]) return good[0] ? -1 : 1;
    for (int i = 0; i < FIGURES && good[0]; i++) {
        double x = figure(a, order[i]), y = figure(b, order[i]);
        if (x != y) return x < y ? -1 : 1;
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

/* qsort has nowhere to hand an order down: one function for each goal. */
static int by_devices(const void *a, const void *b)
{
    return compare(a, b, (const int[]){DEVICES, COST, ENERGY, TPOT});
}
static int by_cost(const void *a, const void *b)
{
    return compare(a, b, (const int[]){COST, DEVICES, ENERGY, TPOT});
}
static int by_energy(const void *a, const void *b)
{
    return compare(a, b, (const int[]){ENERGY, COST, DEVICES, TPOT});
}

typedef int (*order_fn)(const void *a, const void *b);

static rg_err find_goal(searching *s, order_fn *out)
{
    static const struct { const char *name; order_fn order; } goals[] = {
        {"devices", by_devices}, {"cost", by_cost}, {"energy", by_energy},
    };
    const char *name = s->place->opt.goal;
    bool priced = false;
    for (size_t i = 0; i < s->place->count; i++) priced |= !isnan(s->place->all[i].usd_per_h);
    *out = priced ? by_cost : by_devices;
    if (!name) return RG_OK;
    for (size_t i = 0; i < RG_COUNT(goals); i++)
        if (strcmp(goals[i].name, name) == 0) {
            *out = goals[i].order;
            return RG_OK;
        }
    return rg_fail(s->cx, RG_USAGE, "goal '%s' is none of devices, cost, energy", name);
}

static bool is_beaten(const rg_placement *by, const rg_placement *p)
{
    bool better = false;
    for (int i = 0; i < FIGURES; i++) {
        if (figure(by, i) > figure(p, i)) return false;
        better |= figure(by, i) < figure(p, i);
    }
    return better;
}

static void mark_front(rg_place *place)
{
    for (size_t i = 0; i < place->good; i++) {
        place->all[i].front = true;
        for (size_t k = 0; k < place->good; k++)
            if (is_beaten(&place->all[k], &place->all[i])) place->all[i].front = false;
    }
}

const rg_placement *rg_place_next_smaller(const rg_place *place)
{
    const rg_placement *best = &place->all[0], *near = NULL;
    if (!place->good) return NULL;
    for (size_t i = place->good; i < place->count; i++) {
        const rg_placement *p = &place->all[i];
        const rg_parallel *way = &p->parallel;
        int devices = way->tensor * way->pipeline * way->sequence; /* a replica would have been one */
        bool alike = p->device == best->device && p->precision == best->precision
                     && p->runtime == best->runtime;
        bool fails = p->verdict != RG_PLACE_ERROR && p->verdict != RG_PLACE_DEVICES; /* by itself */
        if (!alike || !fails || devices >= best->devices) continue;
        if (!near || devices > near->parallel.tensor * near->parallel.pipeline * near->parallel.sequence)
            near = p;
    }
    return near;
}

/* ---- the whole ---- */

static rg_err check(rg_ctx *cx, const rg_place_opt *o)
{
    if (!o->model) return rg_fail(cx, RG_USAGE, "no model to place");
    if (o->prompt < 1 || o->output < 1 || o->users < 1)
        return rg_fail(cx, RG_USAGE, "%d users, prompts of %d and answers of %d tokens: each is at least 1",
                       o->users, o->prompt, o->output);
    if (!(o->ttft_s >= 0) || !(o->tpot_s >= 0) || o->devices_max < 0)
        return rg_fail(cx, RG_USAGE, "limits are not negative");
    return RG_OK;
}

/* Where nothing at all can be forecast, a name is wrong more likely than a machine too small: the first
 * candidate says which. */
static rg_err check_possible(const searching *s)
{
    const rg_placement *all = s->place->all;
    for (size_t i = 0; i < s->place->count; i++)
        if (all[i].verdict != RG_PLACE_ERROR) return RG_OK;
    return rg_fail(s->cx, s->trials[0].err, "%s", all[0].why);
}

static rg_err search(searching *s)
{
    rg_place *place = s->place;
    order_fn order;
    const rg_place_opt *o = &place->opt;
    RG_TRY(check(s->cx, o));
    RG_TRY(list_trials(s));
    RG_TRY(find_goal(s, &order));
    rg_workers work = {.count = place->count, .threads = o->workers, .run = try_one, .user = s,
                       .progress = o->progress, .progress_user = o->user};
    RG_TRY(rg_workers_run(s->cx, &work));
    RG_TRY(check_possible(s));
    RG_TRY(find_goal(s, &order)); /* now prices are known */
    qsort(place->all, place->count, sizeof *place->all, order);
    while (place->good < place->count && place->all[place->good].verdict == RG_PLACE_GOOD) place->good++;
    mark_front(place);
    return RG_OK;
}

rg_err rg_place_search(rg_ctx *cx, const rg_place_opt *opt, rg_place **out)
{
    rg_place *place = RG_NEW_OWN(cx, rg_place);
    if (!place) return rg_nomem(cx);
    memcpy(&place->opt, opt, opt->size < sizeof *opt ? opt->size : sizeof *opt);
    searching s = {.cx = cx, .place = place};
    rg_err err = search(&s);
    if (err) rg_place_free(place);
    else *out = place;
    return err;
}

void rg_place_free(rg_place *place)
{
    if (!place) return;
    for (size_t i = 0; i < place->count; i++) rg_arena_done(&place->texts[i]);
    for (size_t i = 0; i < place->device_count; i++) rg_device_free(place->devices[i]);
    rg_arena arena = place->arena; /* it lies in there itself */
    rg_arena_done(&arena);
}
