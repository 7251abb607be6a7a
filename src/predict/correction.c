/* correction.c - what measurements taught, applied to a forecast at its clock: a factor on the time of each
 * row, on its power, and on the whole, with the evidence and the interval that come with them.
 *
 *     t = base e^r        correction = base (e^r - 1), never below what the published peaks allow
 *     P = P_base e^s      between idle and the cap: energies are scaled to it
 *
 * The clock stays: measurements were made at the clock that the cap left, and the residual is against the
 * base at the clock that the base found.
 *
 * Networks repeat their layers: trees are found once for a family and a type, and asked once for rows that
 * look the same to them; all looks of a key at once, because a tree that is fetched for one serves the
 * others.
 */
#include "predict/graphnet.h"
#include "predict/residual.h"

#include <math.h>
#include <string.h>

void rg_correct_row(rg_row_cost *cost, double residual, uint32_t evidence)
{
    cost->residual = residual;
    cost->evidence = evidence;
    if (residual == 0 || cost->latency_s <= 0) return;
    double times = cost->total_s / cost->latency_s, factor = exp(residual);
    cost->terms_s[RG_TERM_CORRECTION] = cost->latency_s * (factor - 1);
    cost->latency_s *= factor;
    cost->total_s = cost->latency_s * times;
    cost->utilization = fmin(1, cost->utilization / factor);
}

static const char *nearness_words(rg_nearness nearness)
{
    static const char *const words[] = {
        [RG_NEAR_KNOWN] = "measured itself", [RG_NEAR_SISTER] = "its architecture was measured",
        [RG_NEAR_UNKNOWN] = "nearest of those measured",
    };
    return words[nearness];
}

typedef struct look { float x[RG_TREES_FEATURES]; } look;

/* Of a family and a type: whom to ask, what rows look like, and what was said of each look. */
typedef struct voice {
    bool looked_up;
    rg_mixture of[RG_TARGET_COUNT];
    look *looks; uint32_t count, capacity;
    rg_residual *said[RG_TARGET_COUNT]; /* NULL: nothing was learned */
} voice;

typedef struct seat { const voice *voice; uint32_t look; } seat; /* voice NULL: nothing was learned */

typedef struct learning {
    rg_forecast *f;
    voice *voices;               /* [family, type] */
    seat *seats;                 /* by row */
    uint32_t *table, mask;       /* hash of a look -> 1 + a row that has it; twice as many as rows */
    double *power_w;             /* by row: learned; 0: as the base has it */
    double *limit_w;             /* by row: what a row drew or may draw, whichever is more */
    double spread_s;             /* sum of rows: time x spread */
    bool power;                  /* of some row was learned */
} learning;

/* The forecast's evidence of this key, made where it is the first; 0: no memory. */
static uint32_t note_evidence(rg_forecast *f, const rg_mixture *mixture, const rg_residual *residual)
{
    const rg_trees *t = mixture->trees;
    const rg_trees_member *near = mixture->nearest;
    for (uint32_t i = 1; i < f->evidence_count; i++) {
        if (strcmp(f->evidence[i].key, t->key) != 0) continue;
        if (residual->outside > f->evidence[i].outside) f->evidence[i].outside = residual->outside;
        return i;
    }
    f->evidence[f->evidence_count] = (rg_evidence){
        .key = rg_arena_cstr(&f->arena, rg_str_of(t->key)),
        .made_of = rg_arena_cstr(&f->arena, rg_str_of(t->made_of)),
        .data_hash = rg_arena_cstr(&f->arena, rg_str_of(t->data_hash)),
        .device = rg_arena_cstr(&f->arena, rg_str_of(near ? near->device : "")),
        .how = nearness_words(mixture->nearness), .rows = near ? near->rows : 0,
        .spread = residual->spread, .outside = residual->outside,
    };
    return f->arena.failed ? 0 : f->evidence_count++;
}

/* Bounded by the published peaks, which no measurement beats. */
static double bounded(const rg_forecast *f, uint32_t row, double r)
{
    const rg_row_cost *c = &f->rows[row];
    double least = rg_row_least_s(f->plan, &f->plan->rows[row]);
    return least > 0 && c->latency_s > 0 ? fmax(r, log(least / c->latency_s)) : r;
}

/* NULL in *out: nothing was learned of rows like this one. */
static rg_err find_voice(rg_ctx *cx, learning *l, uint32_t row, voice **out)
{
    const rg_row *r = &l->f->plan->rows[row];
    voice *v = &l->voices[(size_t)r->family * RG_HW_DTYPE_COUNT + (size_t)r->dtype];
    for (int i = 0; i < RG_TARGET_COUNT && !v->looked_up; i++)
        RG_TRY(rg_learned_for(cx, l->f, row, (rg_target)i, &v->of[i]));
    v->looked_up = true;
    *out = v->of[RG_TARGET_LATENCY].trees || v->of[RG_TARGET_POWER].trees ? v : NULL;
    return RG_OK;
}

/* A row takes the seat of one that looks like it, or a new one. */
static rg_err seat_row(rg_ctx *cx, learning *l, uint32_t row)
{
    look now = {0};
    voice *v;
    if (l->f->rows[row].latency_s <= 0) return RG_OK;
    RG_TRY(find_voice(cx, l, row, &v));
    if (!v) return RG_OK;
    rg_feature_row(l->f, row, now.x);
    uint64_t hash = rg_hash_u64(rg_hash(RG_HASH_SEED, &now, sizeof now), (uint64_t)(v - l->voices));
    uint32_t at = (uint32_t)hash & l->mask;
    for (; l->table[at]; at = (at + 1) & l->mask) {
        const seat *other = &l->seats[l->table[at] - 1];
        if (other->voice != v || memcmp(&v->looks[other->look], &now, sizeof now) != 0) continue;
        l->seats[row] = *other;
        return RG_OK;
    }
    if (!RG_GROW(&cx->arena, v->looks, v->count, v->capacity)) return rg_nomem(cx);
    l->table[at] = row + 1;
    l->seats[row] = (seat){v, v->count};
    v->looks[v->count++] = now;
    return RG_OK;
}

static rg_err ask(rg_ctx *cx, voice *v)
{
    for (int i = 0; i < RG_TARGET_COUNT && v->count; i++) {
        if (!v->of[i].trees) continue;
        v->said[i] = RG_NEW(&cx->arena, rg_residual, v->count);
        if (!v->said[i]) return rg_nomem(cx);
        RG_TRY(rg_residuals_of(cx, &v->of[i], v->looks->x, v->count, v->said[i]));
    }
    return RG_OK;
}

static rg_err learn_row(rg_ctx *cx, learning *l, uint32_t row)
{
    rg_forecast *f = l->f;
    rg_row_cost *c = &f->rows[row];
    const rg_device *device = f->plan->device;
    const seat *s = &l->seats[row];
    double spread = log(fmax(f->plan->runtime->interval_factor, 1));
    l->limit_w[row] = device->cap_w > 0 ? fmax(c->power_w, device->cap_w) : INFINITY;
    if (s->voice && s->voice->said[RG_TARGET_LATENCY]) {
        const rg_residual *time = &s->voice->said[RG_TARGET_LATENCY][s->look];
        c->evidence = note_evidence(f, &s->voice->of[RG_TARGET_LATENCY], time);
        if (!c->evidence) return rg_nomem(cx);
        c->residual = bounded(f, row, time->r);
        if (time->spread > 0) spread = time->spread;
    }
    if (s->voice && s->voice->said[RG_TARGET_POWER]) {
        double watt = fmax(c->power_w * exp(s->voice->said[RG_TARGET_POWER][s->look].r), device->idle_w);
        l->power_w[row] = device->cap_w > 0 ? fmin(watt, device->cap_w) : watt;
        l->power = true;
    }
    l->spread_s += c->total_s * exp(c->residual) * spread;
    return RG_OK;
}

static rg_err learn_rows(rg_ctx *cx, learning *l)
{
    uint32_t rows = l->f->plan->row_count;
    for (uint32_t r = 0; r < rows; r++) RG_TRY(seat_row(cx, l, r));
    for (int i = 0; i < RG_FAMILY_COUNT * RG_HW_DTYPE_COUNT; i++) RG_TRY(ask(cx, &l->voices[i]));
    for (uint32_t r = 0; r < rows; r++) RG_TRY(learn_row(cx, l, r));
    return RG_OK;
}

/* Dynamic energies scaled, so that a row draws so much; static ones below what is left of it. */
static void draw(rg_row_cost *c, double power_w)
{
    double wanted = power_w * c->total_s, dynamic = c->energy.compute_j + c->energy.memory_j;
    if (c->total_s <= 0) return;
    c->energy.static_j = fmin(c->energy.static_j, wanted);
    double scale = dynamic > 0 ? (wanted - c->energy.static_j) / dynamic : 0;
    c->energy.compute_j *= scale;
    c->energy.memory_j *= scale;
    c->energy_j = c->energy.compute_j + c->energy.memory_j + c->energy.static_j;
    c->power_w = c->energy_j / c->total_s;
}

/* A row that was made faster does the same work in less time: that lifts none above the cap. */
static void set_power(const learning *l)
{
    rg_forecast *f = l->f;
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        rg_row_cost *c = &f->rows[r];
        double wanted = l->power_w[r] > 0 ? l->power_w[r] : fmin(c->power_w, l->limit_w[r]);
        if (wanted != c->power_w) draw(c, wanted);
    }
    rg_forecast_sum(f);
}

/* All rows drawing more or less, by the same factor, so that the whole draws so much. */
static void draw_whole(rg_forecast *f, double power_w)
{
    double rows_j = 0, wanted_j = power_w * f->latency_s.value;
    for (uint32_t r = 0; r < f->plan->row_count; r++) rows_j += f->rows[r].energy_j;
    double scale = rows_j > 0 ? (rows_j + wanted_j - f->energy_j.value) / rows_j : 1;
    if (!(scale > 0)) return;
    for (uint32_t r = 0; r < f->plan->row_count; r++) draw(&f->rows[r], f->rows[r].power_w * scale);
    rg_forecast_sum(f);
}

static void correct_whole(rg_forecast *f, double r, double spread)
{
    f->correction_s = f->latency_s.value * (exp(r) - 1);
    if (spread > 0) f->spread = spread;
    rg_forecast_sum(f);
}

/* By the network over its rows, where there is one: it was kept because it does better than their sum. */
static rg_err ask_network(rg_ctx *cx, rg_forecast *f, bool *asked)
{
    const rg_graphnet *net;
    rg_row_graph g;
    double r;
    RG_TRY(rg_graphnet_for(cx, f, &net));
    *asked = net != NULL;
    if (!net) return RG_OK;
    RG_TRY(rg_row_graph_of(cx, &cx->arena, f, &g));
    RG_TRY(rg_graphnet_answer(cx, net, &g, &r));
    f->evidence[f->evidence_count++] = (rg_evidence){
        .key = rg_arena_cstr(&f->arena, rg_str_of(net->key)),
        .made_of = rg_arena_cstr(&f->arena, rg_str_of(net->made_of)),
        .data_hash = rg_arena_cstr(&f->arena, rg_str_of(net->data_hash)),
        .device = "", .how = "whole networks, by their rows", .rows = net->graphs, .spread = net->spread,
    };
    if (f->arena.failed) return rg_nomem(cx);
    correct_whole(f, r, net->spread);
    return RG_OK;
}

/* Of whole inferences: a factor on the sum, and on what it draws. */
static rg_err learn_whole(rg_ctx *cx, learning *l)
{
    rg_forecast *f = l->f;
    const rg_device *device = f->plan->device;
    float x[RG_TREES_FEATURES];
    rg_mixture of[RG_TARGET_COUNT];
    rg_residual said = {0};
    double base_w = f->power_w.value;
    bool asked;
    if (f->latency_s.value <= 0) return RG_OK;
    for (int i = 0; i < RG_TARGET_COUNT; i++)
        RG_TRY(rg_learned_for(cx, f, RG_WHOLE, (rg_target)i, &of[i]));
    if (of[RG_TARGET_LATENCY].trees || of[RG_TARGET_POWER].trees) rg_feature_whole(f, x);
    RG_TRY(ask_network(cx, f, &asked));
    if (asked) of[RG_TARGET_LATENCY].trees = NULL;
    if (of[RG_TARGET_LATENCY].trees) {
        rg_residual_of(&of[RG_TARGET_LATENCY], x, &said);
        if (!note_evidence(f, &of[RG_TARGET_LATENCY], &said)) return rg_nomem(cx);
        correct_whole(f, said.r, said.spread);
    }
    if (!of[RG_TARGET_POWER].trees) return RG_OK;
    rg_residual_of(&of[RG_TARGET_POWER], x, &said);
    f->power_spread = said.spread;
    draw_whole(f, fmax(base_w * exp(said.r), device->idle_w));
    return RG_OK;
}

static rg_err make(rg_ctx *cx, learning *l)
{
    rg_forecast *f = l->f;
    const uint32_t most = RG_FAMILY_COUNT * RG_HW_DTYPE_COUNT; /* keys */
    uint32_t rows = f->plan->row_count, size = 16;
    while (size / 2 < rows) size *= 2;
    l->mask = size - 1;
    l->table = RG_NEW(&cx->arena, uint32_t, size);
    l->power_w = RG_NEW(&cx->arena, double, rows + 1);
    l->limit_w = RG_NEW(&cx->arena, double, rows + 1);
    l->voices = RG_NEW(&cx->arena, voice, most);
    l->seats = RG_NEW(&cx->arena, seat, rows + 1);
    f->evidence = RG_NEW(&f->arena, rg_evidence, (rows < most ? rows : most) + 2);
    if (!l->table || !l->power_w || !l->limit_w || !l->voices || !l->seats || !f->evidence)
        return rg_nomem(cx);
    f->evidence_count = 1;
    return RG_OK;
}

rg_err rg_forecast_learn(rg_ctx *cx, rg_forecast *f)
{
    learning l = {.f = f};
    const rg_device *device = f->plan->device;
    double rows_s = 0;
    RG_TRY(make(cx, &l));
    RG_TRY(learn_rows(cx, &l));
    if (f->evidence_count > 1 || l.power) {
        rg_forecast_at(f, f->clock_hz);
        set_power(&l);
    }
    for (uint32_t r = 0; r < f->plan->row_count; r++) rows_s += f->rows[r].total_s;
    if (f->evidence_count > 1 && rows_s > 0) f->spread = l.spread_s / rows_s;
    if (f->learning == RG_LEARN_ALL) RG_TRY(learn_whole(cx, &l));
    bool learned = f->evidence_count > 1 || l.power;
    if (learned && device->cap_w > 0 && f->power_w.value > device->cap_w) draw_whole(f, device->cap_w);
    return RG_OK;
}
