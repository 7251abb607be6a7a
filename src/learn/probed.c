/* probed.c - forecasts of one device corrected by a few measurements, as `ridge fit --whole` does it
 * (fitting.c): a factor for each key, that keys share for the most part.
 *
 * What a forecast misses of a network is mostly the network's own, and most of all that of odd ones; the
 * device's part is the same for all. So those are asked for that are most usual: nearest to the mean of their
 * key in features that have a standard deviation of 1, each of another family. Keys have probes by their
 * number of rows (D'Hondt): the next one is of the key with the most rows / (probes + 1).
 */
#include "learn/probed.h"

#include "learn/fitting.h"
#include "learn/usual.h"

#include <math.h>

/* One measurement of something else than its columns say counts up to a factor of e. */
#define RESIDUAL_MOST 1.0

enum { KEYS_MOST = 16 };

typedef struct share { const rg_trees *trees; size_t rows, probes; } share; /* of a key */

typedef struct probing {
    rg_arena *arena;             /* of whoever asked: what lasts longer than one forecast */
    rg_sitting *sitting;
    double (*out)[RG_JUDGE_QUANTITIES];
    double (*x)[RG_PROBED_FEATURES]; /* by setting */
    double *odd;                 /* by setting: distance to the mean of its key; NAN: not answered */
    const rg_trees **trees;      /* by setting: of its whole; NULL: nothing was learned */
    uint8_t *key_of;
    bool *asked;
    share keys[KEYS_MOST]; size_t key_count;
    rg_fit_sample samples[KEYS_MOST];
    size_t count;
} probing;

static rg_err begin(rg_ctx *cx, void *user, const rg_evaluation *e)
{
    (void)cx, (void)user, (void)e;
    return RG_OK;
}

static rg_err see(rg_ctx *cx, void *user, const rg_exam *exam, const rg_forecast *f, rg_view view)
{
    probing *p = user;
    rg_mixture mixture;
    if (!view.whole) return RG_OK;
    RG_TRY(rg_learned_for(cx, f, RG_WHOLE, RG_TARGET_LATENCY, &mixture));
    p->trees[exam->index] = mixture.trees; /* kept by the context */
    return RG_OK;
}

static rg_err end(rg_ctx *cx, void *user, const rg_evaluation *e, const uint32_t *case_of)
{
    (void)cx, (void)user, (void)e, (void)case_of;
    return RG_OK;
}

static rg_err forecast_one(rg_ctx *cx, void *user, size_t index)
{
    probing *p = user;
    const rg_witness witness = {begin, see, end, p};
    rg_exam exam = *rg_sitting_exam(p->sitting, 0, index);
    exam.witness = &witness;
    exam.index = index;
    rg_err err = exam.judge->forecast(cx, &exam, p->out[index]);
    if (err == RG_NOMEM || err == RG_INTERNAL || err == RG_INTERRUPTED) return err;
    if (!err) return RG_OK;
    for (int q = 0; q < RG_JUDGE_QUANTITIES; q++) p->out[index][q] = NAN;
    const char *why = rg_arena_cstr(p->arena, rg_str_of(rg_ctx_error(cx)));
    rg_sitting_miss(p->sitting, index, why);
    return why ? RG_OK : rg_nomem(cx);
}

static bool is_answered(const probing *p, size_t i)
{
    for (int q = 0; q < RG_JUDGE_QUANTITIES; q++)
        if (p->out[i][q] > 0) return true;
    return false;
}

/* ---- usual rows ---- */

/* More keys than there is room for share the last. */
static void find_keys(probing *p)
{
    for (size_t i = 0; i < p->count; i++) {
        size_t k = 0;
        while (k < p->key_count && p->keys[k].trees != p->trees[i]) k++;
        if (k == KEYS_MOST) k--;
        else if (k == p->key_count) p->keys[p->key_count++].trees = p->trees[i];
        p->key_of[i] = (uint8_t)k;
        p->keys[k].rows += is_answered(p, i);
    }
}

static bool is_of_new_family(const probing *p, size_t setting)
{
    const rg_exam *exam = rg_sitting_exam(p->sitting, 0, setting);
    rg_str family = rg_exam_text(exam, exam->judge->family);
    for (size_t i = 0; i < p->count; i++)
        if (p->asked[i] && rg_str_eq(family, rg_exam_text(rg_sitting_exam(p->sitting, 0, i),
                                                          exam->judge->family)))
            return false;
    return true;
}

/* SIZE_MAX: there is none. */
static size_t most_usual(const probing *p, size_t key, bool new_family)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < p->count; i++) {
        if (p->key_of[i] != key || p->asked[i] || isnan(p->odd[i]) || rg_sitting_dirty(p->sitting, 0, i))
            continue;
        if (best != SIZE_MAX && p->odd[i] >= p->odd[best]) continue;
        if (!new_family || is_of_new_family(p, i)) best = i;
    }
    return best;
}

/* The next probe, and its key; SIZE_MAX: there is none left. */
static size_t next_probe(const probing *p, size_t *key)
{
    size_t best = SIZE_MAX;
    double most = 0;
    for (size_t k = 0; k < p->key_count; k++) {
        double claim = (double)p->keys[k].rows / (double)(p->keys[k].probes + 1);
        if (claim <= most) continue;
        size_t at = most_usual(p, k, true);
        if (at == SIZE_MAX) at = most_usual(p, k, false);
        if (at == SIZE_MAX) continue;
        best = at, most = claim, *key = k;
    }
    return best;
}

/* ---- what they say ---- */

/* +1: a time, -1: a rate, 0: neither. */
static int kind_of(const rg_judge *judge, int quantity)
{
    const rg_quantity *q = &judge->quantities[quantity];
    if (!q->name) return 0;
    return q->unit == RG_UNIT_SECOND ? 1 : q->unit == RG_UNIT_COUNT ? -1 : 0;
}

/* Of the first quantity that has both; NAN: none. */
static double residual_of(const rg_judge *judge, const double *measured, const double *forecast)
{
    for (int q = 0; q < RG_JUDGE_QUANTITIES; q++)
        if (kind_of(judge, q) && measured[q] > 0 && forecast[q] > 0) {
            double r = kind_of(judge, q) * log(measured[q] / forecast[q]);
            return fmax(-RESIDUAL_MOST, fmin(RESIDUAL_MOST, r));
        }
    return NAN;
}

static void ask(probing *p)
{
    for (int n = rg_sitting_probes(p->sitting); n > 0; n--) {
        double measured[RG_JUDGE_QUANTITIES];
        size_t k = 0, at = next_probe(p, &k);
        if (at == SIZE_MAX || !rg_sitting_measured(p->sitting, 0, at, measured)) break;
        p->asked[at] = true;
        p->keys[k].probes++;
        double r = residual_of(rg_sitting_exam(p->sitting, 0, at)->judge, measured, p->out[at]);
        if (isnan(r)) continue;
        rg_fit_sample *s = &p->samples[k];
        s->mean = (s->mean * s->count + r) / (s->count + 1);
        s->count++;
    }
}

static rg_err open_probing(rg_ctx *cx, probing *p)
{
    size_t room = p->count + 1;
    p->x = (void *)RG_NEW(&cx->arena, double, room * RG_PROBED_FEATURES);
    p->odd = RG_NEW(&cx->arena, double, room);
    p->trees = RG_NEW(&cx->arena, const rg_trees *, room);
    p->key_of = RG_NEW(&cx->arena, uint8_t, room);
    p->asked = RG_NEW(&cx->arena, bool, room);
    return p->x && p->odd && p->trees && p->key_of && p->asked ? RG_OK : rg_nomem(cx);
}

rg_err rg_probed_forecast(rg_ctx *cx, rg_sitting *sitting, rg_probed_features *features,
                          double (*out)[RG_JUDGE_QUANTITIES])
{
    probing p = {.arena = &cx->arena, .sitting = sitting, .out = out, .count = rg_sitting_count(sitting, 0)};
    rg_workers work = {.count = p.count, .threads = 1, .run = forecast_one, .user = &p};
    RG_TRY(open_probing(cx, &p));
    RG_TRY(rg_workers_run(cx, &work));
    for (size_t i = 0; i < p.count; i++) p.odd[i] = is_answered(&p, i) ? 0 : NAN;
    for (size_t i = 0; i < p.count; i++)
        if (is_answered(&p, i)) RG_TRY(features(cx, rg_sitting_exam(sitting, 0, i), out[i], p.x[i]));
    find_keys(&p);
    rg_odd_rows(p.x[0], p.count, RG_PROBED_FEATURES, p.key_of, p.odd);
    for (size_t k = 0; k < p.key_count; k++)
        p.samples[k].prior = rg_fit_prior(p.keys[k].trees, rg_sitting_exam(sitting, 0, 0)->device);
    ask(&p);
    rg_fit_together(p.samples, p.key_count, rg_fit_apart(RG_OF_WHOLE));
    for (size_t i = 0; i < p.count; i++)
        for (int q = 0; q < RG_JUDGE_QUANTITIES; q++)
            out[i][q] *=
                exp(kind_of(rg_sitting_exam(sitting, 0, i)->judge, q) * p.samples[p.key_of[i]].shift);
    return RG_OK;
}
