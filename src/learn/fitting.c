/* fitting.c - a device fitted with few measurements: a scale of each key, and trees over what is left where
 * there are enough of them.
 *
 *     e_i = log(measured / forecast)      shift = n t^2 mean(e) / (n t^2 + s^2)
 *     variance = s^2 + s^2 t^2 / (n t^2 + s^2)
 *
 * s: of rows about their device's own mean (90 % interval of known devices over 1.645), t: of devices about
 * each other (that of unknown ones, less s): the posterior mean and predictive variance of a normal model
 * with both known (Gelman et al., Bayesian Data Analysis, 2.5). Without either, the prior of a stated factor
 * stands.
 */
#include "learn/fitting.h"

#include "report/doc.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NORMAL_90 1.645          /* 90 % of a normal distribution lie within so many standard deviations */
#define ROWS_APART 0.15 /* s where nothing is known: kernels of one family about their mean (assumed) */
#define DEVICES_APART 0.35       /* t: a factor of 1.8 in 90 % (assumed; as the priors of runtime profiles) */

enum { TREES_FROM = 30 };        /* measurements of a key that bear trees */

rg_spread_pair rg_fit_prior(const rg_trees *trees)
{
    rg_spread_pair p = {ROWS_APART, DEVICES_APART};
    if (trees && trees->known_spread > 0) p.rows = trees->known_spread / NORMAL_90;
    if (trees && trees->unknown_spread > 0)
        p.devices = sqrt(fmax(pow(trees->unknown_spread / NORMAL_90, 2) - p.rows * p.rows, 1e-4));
    return p;
}

double rg_fit_shift(rg_spread_pair p, const double *errors, size_t count)
{
    double sum = 0, t2 = p.devices * p.devices, s2 = p.rows * p.rows;
    for (size_t i = 0; i < count; i++) sum += errors[i];
    return t2 * sum / ((double)count * t2 + s2);
}

double rg_fit_variance(rg_spread_pair p, double count)
{
    double t2 = p.devices * p.devices, s2 = p.rows * p.rows;
    return s2 + s2 * t2 / (count * t2 + s2);
}

/* ---- one key ---- */

typedef struct fitting {
    rg_ctx *cx;
    const rg_device *device;
    rg_booster *booster;         /* NULL: none is there, and scales are all that is fitted */
} fitting;

/* Leave-one-out: |forecast / measured - 1| with the shift of the others. */
static void test(rg_spread_pair prior, const rg_lesson *l, double *before, double *after)
{
    double sum = 0;
    *before = *after = 0;
    for (size_t i = 0; i < l->count; i++) sum += (double)l->r[i];
    for (size_t i = 0; i < l->count; i++) {
        double e = (double)l->r[i], others = sum - e, n = (double)l->count - 1;
        double t2 = prior.devices * prior.devices, shift = t2 * others / (n * t2 + prior.rows * prior.rows);
        *before += fabs(expm1(-e)) / (double)l->count;
        *after += fabs(expm1(shift - e)) / (double)l->count;
    }
}

static rg_err fit_trees(const fitting *f, const rg_lesson *l, double shift, rg_trees_member *m)
{
    float *rest = RG_NEW(&f->cx->arena, float, l->count);
    if (!rest) return rg_nomem(f->cx);
    for (size_t i = 0; i < l->count; i++) rest[i] = l->r[i] - (float)shift;
    rg_boost_opt o = {.rounds = 40, .depth = 2, .rate = 0.1, .leaf_weight = 5, .rows = 0.8, .columns = 0.7,
                      .seed = 1, .threads = 1};
    rg_boost_data data = {l->x, rest, NULL, l->count, l->features};
    RG_TRY(rg_booster_train(f->cx, f->booster, &data, &o, &f->cx->arena, m));
    return rg_trees_find_roots(f->cx, &f->cx->arena, m, l->features);
}

/* A file for a key that has none: everything comes from the probes. */
static rg_err begin_trees(const fitting *f, const rg_lesson *l, rg_trees *t)
{
    rg_arena *arena = &f->cx->arena;
    *t = (rg_trees){.key = l->key, .made_of = l->made_of.data, .data_hash = "none", .reach = 1};
    t->feature_count = t->low_count = t->high_count = l->features;
    t->features = RG_NEW(arena, const char *, l->features);
    t->low = RG_NEW(arena, double, l->features);
    t->high = RG_NEW(arena, double, l->features);
    if (!t->features || !t->low || !t->high) return rg_nomem(f->cx);
    for (size_t i = 0; i < l->features; i++) {
        t->features[i] = rg_feature_name(l->of, i);
        t->low[i] = -1e6, t->high[i] = 1e6; /* a scale holds anywhere */
    }
    return RG_OK;
}

/* The trees that stand, with this device's member added or replaced. Only files that share our table of
 * features in our order can take trees. */
static rg_err join(const fitting *f, const rg_trees *old, const rg_lesson *l, rg_trees_member *own,
                   rg_trees *out)
{
    if (old) *out = *old;
    else RG_TRY(begin_trees(f, l, out));
    size_t count = 0;
    rg_trees_member *all = RG_NEW(&f->cx->arena, rg_trees_member, out->member_count + 1);
    if (!all) return rg_nomem(f->cx);
    for (size_t i = 0; i < out->member_count; i++)
        if (!out->members[i].over || strcmp(out->members[i].device, own->device) != 0)
            all[count++] = out->members[i];
    all[count++] = *own;
    out->members = all;
    out->member_count = count;
    return RG_OK;
}

static bool same_features(const rg_trees *trees, const rg_lesson *l)
{
    if (trees->feature_count != l->features) return false;
    for (size_t i = 0; i < l->features; i++)
        if (strcmp(trees->features[i], rg_feature_name(l->of, i)) != 0) return false;
    return true;
}

rg_err rg_fit_key(rg_ctx *cx, const rg_device *device, rg_booster *booster, const rg_lesson *l,
                  rg_fit_report *report, rg_trees *out)
{
    fitting f = {cx, device, booster};
    const rg_trees *old;
    rg_trees_member *own = RG_NEW(&cx->arena, rg_trees_member, 1);
    double *errors = RG_NEW(&cx->arena, double, l->count + 1),
           *traits = RG_NEW(&cx->arena, double, RG_TRAITS);
    if (!own || !errors || !traits) return rg_nomem(cx);
    RG_TRY(rg_learned_find(cx, l->key, l->of, &old));
    rg_spread_pair prior = rg_fit_prior(old);
    /* a device that was measured differs from one session to the next as its rows do (assumed) */
    for (size_t i = 0; old && i < old->member_count; i++)
        if (!old->members[i].over && strcmp(old->members[i].device, device->id) == 0)
            prior.devices = prior.rows;
    for (size_t i = 0; i < l->count; i++) errors[i] = (double)l->r[i];
    double shift = rg_fit_shift(prior, errors, l->count);
    rg_traits(device, traits);
    *own = (rg_trees_member){.device = device->id, .architecture = device->architecture, .traits = traits,
                             .trait_count = RG_TRAITS, .rows = (int)l->count, .over = true};
    if (booster && l->count >= TREES_FROM && (!old || same_features(old, l)))
        RG_TRY(fit_trees(&f, l, shift, own));
    own->start = shift;
    own->spread = NORMAL_90 * sqrt(rg_fit_variance(prior, (double)l->count));
    *report = (rg_fit_report){.key = l->key, .count = l->count, .factor = exp(shift),
                              .spread_before = NORMAL_90 * sqrt(rg_fit_variance(prior, 0)),
                              .spread_after = own->spread};
    test(prior, l, &report->before, &report->after);
    return join(&f, old, l, own, out);
}
