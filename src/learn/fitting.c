/* fitting.c - a device fitted with few measurements: a scale of each key, and trees over what is left where
 * there are enough of them. Of row i of key k
 *
 *     log(measured / forecast) = t (sqrt(1 - a) z + sqrt(a) z_k) + s e_i        z, z_k, e_i ~ N(0, 1)
 *
 * z is the device's, z_k the key's own: a = 1 of kernels, whose families are off each in its own way; of
 * whole inferences an eighth. With n rows of mean m in a key, v = a + s^2 / (n t^2) and sums over keys with
 * rows,
 *
 *     precision = 1 / (1 - a) + sum 1 / v         z sqrt(1 - a) = sum (m / (t v)) / precision = c
 *     shift     = t (c + a / v (m / t - c))       of one key alone: n t^2 m / (n t^2 + s^2)
 *     variance  = s^2 + t^2 ((1 - a / v)^2 / precision + a (1 - a / v))
 *
 * s: of rows about their device's own mean (90 % interval of known devices over 1.645), t: of devices about
 * each other (that of unknown ones, less s): the posterior means and predictive variance of a normal model
 * with all of these known (Gelman et al., Bayesian Data Analysis, 2.5 and 5.4). Without either, the prior of
 * a stated factor stands.
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

/* Of what a device is off by with whole inferences, what each runtime and sort has of its own: timm's tables,
 * six machines, standard deviations of 0.16 and 0.06. */
#define WHOLE_APART 0.125

double rg_fit_apart(rg_features_of scope) { return scope == RG_OF_WHOLE ? WHOLE_APART : 1; }

/* Of whole inferences the two intervals cannot be subtracted: networks that no member knows are in the first,
 * devices that none knows in the second. */
static double devices_apart(const rg_trees *trees, double rows)
{
    double all = trees->unknown_spread / NORMAL_90;
    if (rg_learned_scope(trees->key) == RG_OF_WHOLE) return all;
    return sqrt(fmax(all * all - rows * rows, 1e-4));
}

rg_spread_pair rg_fit_prior(const rg_trees *trees, const rg_device *device)
{
    rg_spread_pair p = {ROWS_APART, DEVICES_APART};
    if (trees && trees->known_spread > 0) p.rows = trees->known_spread / NORMAL_90;
    if (trees && trees->unknown_spread > 0) p.devices = devices_apart(trees, p.rows);
    /* a device that was measured differs from one session to the next as its rows do (assumed) */
    for (size_t i = 0; trees && i < trees->member_count; i++)
        if (!trees->members[i].over && strcmp(trees->members[i].device, device->id) == 0) p.devices = p.rows;
    return p;
}

/* v above. */
static double scatter(const rg_fit_sample *k, double apart)
{
    return apart + pow(k->prior.rows / k->prior.devices, 2) / k->count;
}

void rg_fit_together(rg_fit_sample *keys, size_t count, double apart)
{
    double precision = apart < 1 ? 1 / (1 - apart) : INFINITY, sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(keys[i].count > 0)) continue;
        double v = scatter(&keys[i], apart);
        precision += 1 / v;
        sum += keys[i].mean / keys[i].prior.devices / v;
    }
    for (size_t i = 0; i < count; i++) {
        rg_fit_sample *k = &keys[i];
        double t = k->prior.devices, common = sum / precision;
        double own = k->count > 0 ? apart / scatter(k, apart) : 0, off = k->count > 0 ? k->mean / t : 0;
        k->shift = t * (common + own * (off - common));
        k->variance = pow(k->prior.rows, 2)
                      + t * t * (pow(1 - own, 2) / precision + apart * (1 - own));
    }
}

double rg_fit_variance(rg_spread_pair p, double count)
{
    double t2 = p.devices * p.devices, s2 = p.rows * p.rows;
    return s2 + s2 * t2 / (count * t2 + s2);
}

/* The others' shift for a row of key `at`, whose sample is without it. */
static double shift_without(const rg_fit_sample *keys, size_t count, double apart, size_t at, double error)
{
    enum { KEYS_MOST = 64 };
    rg_fit_sample left[KEYS_MOST] = {keys[at]}, *k = left;
    size_t n = 1;                /* where keys are more, some of them tell nothing */
    for (size_t i = 0; i < count && n < KEYS_MOST; i++)
        if (i != at) left[n++] = keys[i];
    k->mean = k->count > 1 ? (k->mean * k->count - error) / (k->count - 1) : 0;
    k->count--;
    rg_fit_together(left, n, apart);
    return k->shift;
}

void rg_fit_test(const rg_fit_sample *keys, size_t count, double apart, size_t at, const rg_lesson *l,
                 double *before, double *after)
{
    *before = *after = 0;
    for (size_t i = 0; i < l->count; i++) {
        double e = (double)l->r[i];
        *before += fabs(expm1(-e)) / (double)l->count;
        *after += fabs(expm1(shift_without(keys, count, apart, at, e) - e)) / (double)l->count;
    }
}

/* ---- one key ---- */

typedef struct fitting {
    rg_ctx *cx;
    const rg_device *device;
    rg_booster *booster;         /* NULL: none is there, and scales are all that is fitted */
} fitting;

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

rg_err rg_fit_sample_of(rg_ctx *cx, const rg_device *device, const rg_lesson *l, rg_fit_sample *out)
{
    const rg_trees *old;
    *out = (rg_fit_sample){.count = (double)l->count};
    RG_TRY(rg_learned_find(cx, l->key, l->of, &old));
    out->prior = rg_fit_prior(old, device);
    for (size_t i = 0; i < l->count; i++) out->mean += (double)l->r[i] / (double)l->count;
    return RG_OK;
}

rg_err rg_fit_key(rg_ctx *cx, const rg_device *device, rg_booster *booster, const rg_lesson *l,
                  const rg_fit_sample *found, rg_fit_report *report, rg_trees *out)
{
    fitting f = {cx, device, booster};
    const rg_trees *old;
    rg_trees_member *own = RG_NEW(&cx->arena, rg_trees_member, 1);
    double *traits = RG_NEW(&cx->arena, double, RG_TRAITS);
    if (!own || !traits) return rg_nomem(cx);
    RG_TRY(rg_learned_find(cx, l->key, l->of, &old));
    rg_traits(device, traits);
    *own = (rg_trees_member){.device = device->id, .architecture = device->architecture, .traits = traits,
                             .trait_count = RG_TRAITS, .rows = (int)l->count, .over = true};
    if (booster && l->count >= TREES_FROM && (!old || same_features(old, l)))
        RG_TRY(fit_trees(&f, l, found->shift, own));
    own->start = found->shift;
    own->spread = NORMAL_90 * sqrt(found->variance);
    *report = (rg_fit_report){.key = l->key, .count = l->count, .factor = exp(found->shift),
                              .spread_before = NORMAL_90 * sqrt(rg_fit_variance(found->prior, 0)),
                              .spread_after = own->spread};
    return join(&f, old, l, own, out);
}
