/* clocking.c - the curve of a machine over its core clocks, and the clock to fix.
 *
 * Every model is forecast at every legal clock. Where runs were measured, the forecast's curve is met by the
 * clock law, that law is the prior of one that meets the measurements, and the forecast is corrected by the
 * ratio of both:
 *
 *     T(f) = T_forecast(f) T_law|probes(f) / T_law|forecast(f)                                  P likewise
 *
 * Several models that run in turn at one clock are one curve: T = sum w_m T_m, E = sum w_m E_m.
 */
#include "scenario/clocking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A clock that the power cap lowered by more than its search leaves open is none that was asked for. */
#define LOWERED 0.995
/* Points of a forecast's curve that its law is fitted to. */
enum { SOME = 32 };

typedef struct clocking {
    rg_ctx *cx;
    const rg_frequency_opt *opt;
    rg_clocking *c;
    const rg_forecast **tops;      /* by model: at its highest clock */
} clocking;

static rg_err make_study(clocking *k)
{
    const rg_frequency_opt *o = k->opt;
    rg_arena *arena = &k->cx->arena;
    const char **changes = RG_NEW(arena, const char *, o->change_count + 1);
    char batch[16];
    size_t count = 0;
    if (!changes) return rg_nomem(k->cx);
    for (size_t i = 0; i < o->change_count; i++) changes[count++] = o->changes[i];
    if (o->limit_w > 0) changes[count] = rg_arena_printf(arena, "power.cap_w=%.17g", o->limit_w);
    if (o->limit_w > 0 && !changes[count++]) return rg_nomem(k->cx);
    snprintf(batch, sizeof batch, "%d", o->batch);
    return rg_study_make(k->cx, &(rg_study_opt){
        .size = sizeof(rg_study_opt), .models = o->models, .model_count = o->model_count,
        .devices = &o->device, .device_count = o->device != NULL, .runtimes = &o->runtime,
        .runtime_count = o->runtime != NULL, .precision = o->precision, .batch = o->batch ? batch : NULL,
        .seq = o->seq, .core_mhz = "all", .shape = o->shape, .value = o->value, .trip = o->trip,
        .changes = changes, .change_count = count, .workers = o->workers, .keep = true,
        .progress = o->progress, .user = o->user,
    }, &k->c->study);
}

static rg_err check_opt(rg_ctx *cx, const rg_frequency_opt *o, rg_clock_goal *goal)
{
    if (!o->model_count) return rg_fail(cx, RG_USAGE, "no model to choose a clock for");
    if (o->batch < 0) return rg_fail(cx, RG_USAGE, "a batch of %d is not possible", o->batch);
    if (!(o->limit_w >= 0) || isinf(o->limit_w))
        return rg_fail(cx, RG_USAGE, "a power limit of %g W is not possible", o->limit_w);
    for (size_t i = 0; o->weights && i < o->model_count; i++)
        if (!(o->weights[i] > 0) || isinf(o->weights[i]))
            return rg_fail(cx, RG_USAGE, "%s: a weight of %g is not possible", o->models[i], o->weights[i]);
    const char *name = o->objective ? o->objective : rg_clock_goal_name(RG_GOAL_EDP);
    for (*goal = 0; *goal < RG_GOAL_COUNT; (*goal)++)
        if (strcmp(name, rg_clock_goal_name(*goal)) == 0) return RG_OK;
    return rg_fail(cx, RG_USAGE, "objective '%s' is none of edp, ed2p, energy", name);
}

/* ---- curves ---- */

/* Points of a model follow each other by clock, and every model has the same. A clock that the cap lowers for
 * one model is left out for all. */
static rg_err list_clocks(clocking *k)
{
    rg_clocking *c = k->c;
    const rg_study *s = c->study;
    size_t each = s->point_count / c->model_count;
    c->clocks_hz = RG_NEW(&c->arena, double, each + 1);
    c->sum = RG_NEW(&c->arena, rg_clock_point, each + 1);
    c->front = RG_NEW(&c->arena, bool, each + 1);
    if (!c->clocks_hz || !c->sum || !c->front) return rg_nomem(k->cx);
    for (size_t m = 0; m < c->model_count; m++) {
        c->models[m].points = RG_NEW(&c->arena, rg_clock_point, each + 1);
        if (!c->models[m].points) return rg_nomem(k->cx);
    }
    for (size_t i = 0; i < each; i++) {
        bool lowered = false;
        for (size_t m = 0; m < c->model_count; m++) {
            const rg_point *p = &s->points[m * each + i];
            if (p->err) return rg_fail(k->cx, p->err, "%s", p->error);
            lowered |= p->clock_hz < LOWERED * p->core_hz;
        }
        c->above += lowered;
        if (lowered && c->count) continue; /* of those the lowest holds the limit nearly; none is left out */
        for (size_t m = 0; m < c->model_count; m++) {
            const rg_point *p = &s->points[m * each + i];
            c->models[m].points[c->count] = (rg_clock_point){p->clock_hz, p->latency_s.value,
                                                             p->power_w.value};
            k->tops[m] = p->forecast;
        }
        c->clocks_hz[c->count++] = s->points[i].clock_hz;
    }
    return c->count ? RG_OK : rg_fail(k->cx, RG_INPUT, "%s: has no clock", c->device->id);
}

/* The law of the forecast's curve, as the prior of the real one. */
static void find_prior(const clocking *k, size_t model)
{
    rg_clocking *c = k->c;
    rg_clocked *m = &c->models[model];
    const rg_forecast *f = k->tops[model];
    rg_clock_prior vague;
    rg_clock_law law;
    rg_clock_point some[SOME];
    size_t count = c->count < SOME ? c->count : SOME;
    for (size_t i = 0; i < count; i++)
        some[i] = m->points[count > 1 ? i * (c->count - 1) / (count - 1) : 0];
    rg_clock_use use = {f->compute_s / f->latency_s.value, f->memory_s / f->latency_s.value};
    rg_clock_prior_of(c->device, c->clocks_hz[c->count - 1], use, &vague);
    rg_clock_law_fit(&vague, some, count, &law);
    rg_clock_prior_from(&law, &m->prior);
}

/* Beyond a factor of 50 a measurement is of something else than its columns say, as for those that teach. */
#define APART_MOST 50.0

static bool is_apart(double measured, double forecast) /* unknown: no */
{
    return measured > APART_MOST * forecast || measured < forecast / APART_MOST;
}

/* A clock that the device cannot have, seconds for milliseconds, another batch: none says what the law could
 * follow. Against the forecast at the nearest clock. */
static rg_err check_probe(const clocking *k, const rg_clocked *model, const rg_clock_probe *probe)
{
    const rg_clocking *c = k->c;
    const rg_clock_point *at = &model->points[0], *p = &probe->point;
    double low = c->clocks_hz[0], high = c->clocks_hz[c->count - 1];
    char is[32], expected[32];
    for (size_t i = 1; i < c->count; i++)
        if (fabs(model->points[i].clock_hz - p->clock_hz) < fabs(at->clock_hz - p->clock_hz))
            at = &model->points[i];
    if (!(p->clock_hz >= low / 2 && p->clock_hz <= high * 2))
        return rg_fail(k->cx, RG_INPUT, "%s:%zu: a clock of %g MHz; %s has %g to %g MHz", k->opt->probe,
                       probe->line, p->clock_hz / 1e6, c->device->id, low / 1e6, high / 1e6);
    bool late = is_apart(p->time_s, at->time_s);
    if (!late && !is_apart(p->power_w, at->power_w)) return RG_OK;
    rg_unit_print(is, sizeof is, late ? p->time_s : p->power_w, late ? RG_UNIT_SECOND : RG_UNIT_WATT);
    rg_unit_print(expected, sizeof expected, late ? at->time_s : at->power_w,
                  late ? RG_UNIT_SECOND : RG_UNIT_WATT);
    return rg_fail(k->cx, RG_INPUT, "%s:%zu: %s measured, %s forecast: not the same run, or not the same "
                   "unit", k->opt->probe, probe->line, is, expected);
}

/* One model takes all probes; of several, those that name it. */
static bool is_of(const rg_clocking *c, const rg_clocked *m, size_t model, const clocking *k, rg_str name)
{
    return c->model_count == 1 || rg_str_is(name, m->name) || rg_str_is(name, k->opt->models[model]);
}

static rg_err take_probes(clocking *k)
{
    rg_clocking *c = k->c;
    rg_clock_probe *all;
    size_t count, taken = 0;
    if (!k->opt->probe) return RG_OK;
    RG_TRY(rg_clock_probes_read(k->cx, k->opt->probe, &all, &count));
    for (size_t m = 0; m < c->model_count; m++) {
        rg_clocked *model = &c->models[m];
        model->probes = RG_NEW(&c->arena, rg_clock_point, count);
        if (!model->probes) return rg_nomem(k->cx);
        for (size_t i = 0; i < count; i++) {
            if (!is_of(c, model, m, k, all[i].model)) continue;
            RG_TRY(check_probe(k, model, &all[i]));
            model->probes[model->probe_count++] = all[i].point;
        }
        taken += model->probe_count;
    }
    return taken ? RG_OK : rg_fail(k->cx, RG_INPUT, "%s: none of its %zu probes is of a model that was asked "
                                   "for", k->opt->probe, count);
}

static void correct(const rg_clocking *c, rg_clocked *m)
{
    rg_clock_law before, after;
    if (!m->probe_count) return;
    rg_clock_law_fit(&m->prior, NULL, 0, &before);
    rg_clock_law_fit(&m->prior, m->probes, m->probe_count, &after);
    for (size_t i = 0; i < c->count; i++) {
        rg_clock_point a = rg_clock_law_at(&before, c->clocks_hz[i]);
        rg_clock_point b = rg_clock_law_at(&after, c->clocks_hz[i]);
        m->points[i].time_s *= b.time_s / a.time_s;
        m->points[i].power_w *= b.power_w / a.power_w;
    }
}

/* ---- the choice ---- */

static void sum_models(rg_clocking *c)
{
    for (size_t i = 0; i < c->count; i++) {
        double time_s = 0, energy_j = 0;
        for (size_t m = 0; m < c->model_count; m++) {
            const rg_clock_point *p = &c->models[m].points[i];
            time_s += c->models[m].weight * p->time_s;
            energy_j += c->models[m].weight * p->time_s * p->power_w;
        }
        c->sum[i] = (rg_clock_point){c->clocks_hz[i], time_s, energy_j / time_s};
    }
    rg_clock_front(c->sum, c->count, c->front);
}

static double limit_of(const rg_clocking *c) { return c->limit_w > 0 ? c->limit_w : c->device->cap_w; }

static rg_err choose(clocking *k)
{
    rg_clocking *c = k->c;
    double slowdown = c->slowdown >= 0 ? c->slowdown : NAN, least = INFINITY;
    for (rg_clock_goal g = 0; g < RG_GOAL_COUNT; g++) {
        c->best[g] = rg_clock_choose(g, c->sum, c->count, slowdown, limit_of(c));
        for (size_t m = 0; m < c->model_count; m++)
            c->models[m].best[g] = rg_clock_choose(g, c->models[m].points, c->count, slowdown, limit_of(c));
    }
    for (size_t i = 0; i < c->count; i++) least = fmin(least, c->sum[i].power_w);
    if (c->best[c->goal] != SIZE_MAX) return RG_OK;
    return rg_fail(k->cx, RG_GATE, "no clock keeps to %g W: the least takes %.3g W", limit_of(c), least);
}

/* Of the sum: energies of the models add, and what is not known of one is not known of the others either. */
static void find_saving(rg_clocking *c)
{
    size_t at = c->best[c->goal], top = c->count - 1;
    double value = 0, low = 0, high = 0, all = 0;
    for (size_t m = 0; m < c->model_count; m++) {
        const rg_clocked *model = &c->models[m];
        const rg_clock_point *a = &model->points[top], *b = &model->points[at];
        rg_estimate law = rg_clock_saving(&model->prior, model->probes, model->probe_count, a->clock_hz,
                                          b->clock_hz);
        double before = model->weight * a->time_s * a->power_w,
               after = model->weight * b->time_s * b->power_w;
        all += before;
        value += after;
        low += after * law.low / law.value;
        high += after * law.high / law.value;
    }
    c->energy_ratio = (rg_estimate){value / all, low / all, high / all};
}

static rg_err make(clocking *k)
{
    rg_clocking *c = k->c;
    const rg_study *s;
    RG_TRY(check_opt(k->cx, k->opt, &c->goal));
    RG_TRY(make_study(k));
    s = c->study;
    c->device = s->devices[0];
    c->runtime = s->runtimes[s->points[0].runtime]->id;
    c->slowdown = k->opt->slowdown;
    c->limit_w = k->opt->limit_w;
    c->model_count = s->model_count;
    c->models = RG_NEW(&c->arena, rg_clocked, c->model_count);
    k->tops = RG_NEW(&k->cx->arena, const rg_forecast *, c->model_count);
    if (!c->models || !k->tops) return rg_nomem(k->cx);
    for (size_t m = 0; m < c->model_count; m++)
        c->models[m] = (rg_clocked){.name = s->labels[m],
                                    .weight = k->opt->weights ? k->opt->weights[m] : 1};
    RG_TRY(list_clocks(k));
    RG_TRY(take_probes(k));
    for (size_t m = 0; m < c->model_count; m++) {
        find_prior(k, m);
        correct(c, &c->models[m]);
    }
    sum_models(c);
    RG_TRY(choose(k));
    find_saving(c);
    return RG_OK;
}

rg_err rg_clocking_make(rg_ctx *cx, const rg_frequency_opt *opt, rg_clocking **out)
{
    *out = NULL;
    rg_clocking *c = RG_NEW_OWN(cx, rg_clocking);
    if (!c) return rg_nomem(cx);
    rg_err err = make(&(clocking){.cx = cx, .opt = opt, .c = c});
    if (err) rg_clocking_free(c);
    else *out = c;
    return err;
}

void rg_clocking_free(rg_clocking *c)
{
    if (!c) return;
    rg_study_free(c->study);
    rg_arena arena = c->arena;
    rg_arena_done(&arena);
}
