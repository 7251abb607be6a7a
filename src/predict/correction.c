/* correction.c - what measurements taught, applied to a forecast at its clock: a factor on the time of each
 * row, on its power, and on the whole, with the evidence and the interval that come with them.
 *
 *     t = base e^r        correction = base (e^r - 1), never below what the published peaks allow
 *     P = P_base e^s      between idle and the cap: dynamic energies are scaled to it, of a row or of all
 *
 * The clock stays: measurements were made at the clock that the cap left, and the residual is against the
 * base at the clock that the base found.
 */
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

/* The forecast's evidence of this key, made where it is the first; 0: no memory. */
static uint32_t note_evidence(rg_forecast *f, const rg_residual *residual)
{
    const rg_trees *t = residual->trees;
    rg_evidence *e;
    for (uint32_t i = 1; i < f->evidence_count; i++) {
        if (strcmp(f->evidence[i].key, t->key) != 0) continue;
        e = &f->evidence[i];
        if (residual->outside > e->outside) e->outside = residual->outside;
        return i;
    }
    e = &f->evidence[f->evidence_count];
    const rg_trees_member *near = residual->nearest;
    *e = (rg_evidence){
        .key = rg_arena_cstr(&f->arena, rg_str_of(t->key)),
        .made_of = rg_arena_cstr(&f->arena, rg_str_of(t->made_of)),
        .data_hash = rg_arena_cstr(&f->arena, rg_str_of(t->data_hash)),
        .device = rg_arena_cstr(&f->arena, rg_str_of(near ? near->device : "")),
        .how = nearness_words(residual->nearness), .rows = near ? near->rows : 0,
        .spread = residual->spread, .outside = residual->outside,
    };
    return f->arena.failed ? 0 : f->evidence_count++;
}

typedef struct learning {
    rg_forecast *f;
    float features[RG_TREES_FEATURES * 2];
    double spread_s;             /* sum of rows: time x spread */
    double *power_w;             /* by row; 0: as the base has it */
    bool power;                  /* of some row was learned */
} learning;

/* Bounded by the published peaks, which no measurement beats. */
static double bounded(const rg_forecast *f, uint32_t row, double r)
{
    const rg_row_cost *c = &f->rows[row];
    double least = rg_row_least_s(f->plan, &f->plan->rows[row]);
    return least > 0 && c->latency_s > 0 ? fmax(r, log(least / c->latency_s)) : r;
}

static rg_err learn_row(rg_ctx *cx, learning *l, uint32_t row)
{
    rg_forecast *f = l->f;
    rg_row_cost *c = &f->rows[row];
    const rg_device *device = f->plan->device;
    const rg_trees *trees, *power;
    rg_residual residual;
    double prior = log(fmax(f->plan->runtime->interval_factor, 1));
    if (c->latency_s <= 0) return RG_OK;
    RG_TRY(rg_learned_for(cx, f, row, RG_TARGET_LATENCY, &trees));
    RG_TRY(rg_learned_for(cx, f, row, RG_TARGET_POWER, &power));
    if (trees || power) rg_feature_row(f, row, l->features);
    if (trees) {
        rg_residual_of(trees, device, l->features, &residual);
        c->evidence = note_evidence(f, &residual);
        if (!c->evidence) return rg_nomem(cx);
        c->residual = bounded(f, row, residual.r);
        if (residual.spread > 0) prior = residual.spread;
    }
    l->spread_s += c->total_s * exp(c->residual) * prior;
    if (!power) return RG_OK;
    rg_residual_of(power, device, l->features, &residual);
    l->power_w[row] = fmax(c->power_w * exp(residual.r), device->idle_w);
    l->power = true;
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

/* A row that was made faster does the same work in less time: the board draws no more than its cap. */
static void set_power(const learning *l)
{
    rg_forecast *f = l->f;
    double cap = f->plan->device->cap_w;
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        rg_row_cost *c = &f->rows[r];
        double wanted = l->power_w[r] > 0 ? l->power_w[r] : c->power_w;
        if (cap > 0 && (c->residual != 0 || l->power_w[r] > 0)) wanted = fmin(wanted, cap);
        if (wanted != c->power_w) draw(c, wanted);
    }
    rg_forecast_sum(f);
}

/* All dynamic energies scaled, so that the whole draws so much; static ones of rows below what is left. What
 * runs between rows idles. */
static void draw_whole(rg_forecast *f, double power_w)
{
    double around_s = f->graph_s + f->overlap_s + f->correction_s;
    double wanted = power_w * f->latency_s.value - f->plan->device->idle_w * around_s;
    double dynamic = f->energy.compute_j + f->energy.memory_j, fixed = 0;
    for (uint32_t r = 0; r < f->plan->row_count; r++) fixed += f->rows[r].energy.static_j;
    if (dynamic <= 0 || wanted <= 0) return;
    double by = fmax(wanted - fixed, 0) / dynamic, still = fixed > wanted ? wanted / fixed : 1;
    for (uint32_t r = 0; r < f->plan->row_count; r++) {
        rg_row_cost *c = &f->rows[r];
        c->energy.compute_j *= by;
        c->energy.memory_j *= by;
        c->energy.static_j *= still;
        c->energy_j = c->energy.compute_j + c->energy.memory_j + c->energy.static_j;
        if (c->total_s > 0) c->power_w = c->energy_j / c->total_s;
    }
    rg_forecast_sum(f);
}

/* Of whole inferences: a factor on the sum, and one on the mean power. Features are those of the base. */
static rg_err learn_whole(rg_ctx *cx, learning *l)
{
    rg_forecast *f = l->f;
    const rg_device *device = f->plan->device;
    const rg_trees *trees, *power;
    rg_residual residual;
    double watt = f->power_w.value;
    RG_TRY(rg_learned_for(cx, f, RG_WHOLE, RG_TARGET_LATENCY, &trees));
    RG_TRY(rg_learned_for(cx, f, RG_WHOLE, RG_TARGET_POWER, &power));
    if ((!trees && !power) || f->latency_s.value <= 0) return RG_OK;
    rg_feature_whole(f, l->features);
    if (trees) {
        rg_residual_of(trees, device, l->features, &residual);
        if (!note_evidence(f, &residual)) return rg_nomem(cx);
        f->correction_s = f->latency_s.value * (exp(residual.r) - 1);
        if (residual.spread > 0) f->spread = residual.spread;
        rg_forecast_sum(f);
    }
    if (!power) return RG_OK;
    rg_residual_of(power, device, l->features, &residual);
    f->power_spread = residual.spread;
    watt = fmax(watt * exp(residual.r), device->idle_w);
    draw_whole(f, device->cap_w > 0 ? fmin(watt, device->cap_w) : watt);
    return RG_OK;
}

rg_err rg_forecast_learn(rg_ctx *cx, rg_forecast *f)
{
    learning l = {.f = f};
    uint32_t rows = f->plan->row_count;
    l.power_w = RG_NEW(&cx->arena, double, rows + 1);
    f->evidence = RG_NEW(&f->arena, rg_evidence, rows + 3);
    if (!l.power_w || !f->evidence) return rg_nomem(cx);
    f->evidence_count = 1;
    for (uint32_t r = 0; r < rows; r++) RG_TRY(learn_row(cx, &l, r));
    if (f->evidence_count > 1 || l.power) {
        rg_forecast_at(f, f->clock_hz);
        set_power(&l);
    }
    double rows_s = 0;
    for (uint32_t r = 0; r < rows; r++) rows_s += f->rows[r].total_s;
    if (f->evidence_count > 1 && rows_s > 0) f->spread = l.spread_s / rows_s;
    return f->learning == RG_LEARN_ALL ? learn_whole(cx, &l) : RG_OK;
}
