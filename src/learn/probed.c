/* probed.c - forecasts of one device corrected by a few measurements: Bayesian linear regression of the
 * logarithm of measured / forecast, r, on features x (1 before them, standardized over the rows):
 *
 *     r = w x + e       w ~ N(0, S)       e ~ N(0, noise^2)
 *     after a probe     K = S x / (x S x + noise^2)     w += K (r - w x)     S -= K x S
 *
 * (Bishop, Pattern Recognition and Machine Learning, 3.3; one row at a time, as Kalman's filter.) The prior
 * says that forecasts are right, within what they miss on devices held out. The next probe is the row that
 * makes the corrections of all rows certain the most, with M the mean of x x over them (A-optimal design:
 * Pukelsheim, Optimal Design of Experiments); rows at the ends are of odd networks and are not asked for:
 *
 *     gain = x S M S x / (x S x + noise^2)
 */
#include "learn/probed.h"

#include <math.h>

enum { SIZE = RG_PROBED_FEATURES + 1 };

/* timm's tables: on a device held out the mean of all rows is off by about a quarter, what features tell of
 * it by a twentieth, and a row of a family held out, too, by another quarter (standard deviations of
 * logarithms). */
#define PRIOR_MEAN 0.25
#define PRIOR_SLOPE 0.05
#define NOISE 0.25
/* In standard deviations: features count up to the first, probes have all of theirs within the second. */
#define FEATURE_MOST 1.5
#define PROBE_MOST 1.2
/* One measurement of something else than its columns say up to a factor of e. */
#define RESIDUAL_MOST 1.0

typedef struct probing {
    rg_sitting *sitting;
    double (*out)[RG_JUDGE_QUANTITIES];
    double (*x)[SIZE];           /* by setting */
    size_t count;
    double w[SIZE], s[SIZE][SIZE], mean[SIZE][SIZE]; /* mean: of x x */
} probing;

static rg_err forecast_one(rg_ctx *cx, void *user, size_t index)
{
    probing *p = user;
    const rg_exam *exam = rg_sitting_exam(p->sitting, 0, index);
    rg_err err = exam->judge->forecast(cx, exam, p->out[index]);
    if (err == RG_NOMEM || err == RG_INTERNAL || err == RG_INTERRUPTED) return err;
    for (int q = 0; err && q < RG_JUDGE_QUANTITIES; q++) p->out[index][q] = NAN;
    return RG_OK;
}

static bool is_answered(const probing *p, size_t i)
{
    for (int q = 0; q < RG_JUDGE_QUANTITIES; q++)
        if (p->out[i][q] > 0) return true;
    return false;
}

static void standardize(probing *p, int feature)
{
    double n = 0, sum = 0, square = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (!is_answered(p, i)) continue;
        n++, sum += p->x[i][feature], square += p->x[i][feature] * p->x[i][feature];
    }
    double mean = n > 0 ? sum / n : 0, spread = n > 0 ? sqrt(fmax(square / n - mean * mean, 0)) : 0;
    for (size_t i = 0; i < p->count; i++) {
        double x = spread > 1e-9 ? (p->x[i][feature] - mean) / spread : 0;
        p->x[i][feature] = fmax(-FEATURE_MOST, fmin(FEATURE_MOST, x));
    }
}

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < SIZE; i++) sum += a[i] * b[i];
    return sum;
}

/* s x, into y; returns x s x */
static double weigh(const probing *p, const double *x, double *y)
{
    for (int i = 0; i < SIZE; i++) y[i] = dot(p->s[i], x);
    return dot(x, y);
}

static void learn(probing *p, const double *x, double r)
{
    double y[SIZE], variance = weigh(p, x, y) + NOISE * NOISE, error = r - dot(p->w, x);
    for (int i = 0; i < SIZE; i++) p->w[i] += y[i] / variance * error;
    for (int i = 0; i < SIZE; i++)
        for (int k = 0; k < SIZE; k++) p->s[i][k] -= y[i] * y[k] / variance;
}

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

static bool is_usual(const probing *p, size_t i)
{
    if (!is_answered(p, i) || rg_sitting_dirty(p->sitting, 0, i)) return false;
    for (int k = 1; k <= RG_PROBED_AMOUNTS; k++)
        if (fabs(p->x[i][k]) > PROBE_MOST) return false;
    return true;
}

static void find_mean(probing *p)
{
    for (size_t i = 0; i < p->count; i++)
        for (int k = 0; k < SIZE; k++)
            for (int m = 0; m < SIZE; m++) p->mean[k][m] += p->x[i][k] * p->x[i][m] / (double)p->count;
}

/* The next probe; SIZE_MAX: there is none left. asked: by setting. */
static size_t most_telling(const probing *p, const bool *asked)
{
    size_t best = SIZE_MAX;
    double most = 0;
    for (size_t i = 0; i < p->count; i++) {
        double y[SIZE], gain = 0;
        if (asked[i] || !is_usual(p, i)) continue;
        double variance = weigh(p, p->x[i], y) + NOISE * NOISE;
        for (int k = 0; k < SIZE; k++) gain += y[k] * dot(p->mean[k], y) / variance;
        if (gain > most) most = gain, best = i;
    }
    return best;
}

static rg_err ask(rg_ctx *cx, probing *p)
{
    bool *asked = RG_NEW(&cx->arena, bool, p->count + 1);
    if (!asked) return rg_nomem(cx);
    for (int n = rg_sitting_probes(p->sitting); n > 0; n--) {
        double measured[RG_JUDGE_QUANTITIES];
        size_t at = most_telling(p, asked);
        if (at == SIZE_MAX || !rg_sitting_measured(p->sitting, 0, at, measured)) break;
        asked[at] = true;
        double r = residual_of(rg_sitting_exam(p->sitting, 0, at)->judge, measured, p->out[at]);
        if (!isnan(r)) learn(p, p->x[at], r);
    }
    return RG_OK;
}

rg_err rg_probed_forecast(rg_ctx *cx, rg_sitting *sitting, rg_probed_features *features,
                          double (*out)[RG_JUDGE_QUANTITIES])
{
    probing p = {.sitting = sitting, .out = out, .count = rg_sitting_count(sitting, 0)};
    rg_workers work = {.count = p.count, .threads = 1, .run = forecast_one, .user = &p};
    p.x = (void *)RG_NEW(&cx->arena, double, (p.count + 1) * SIZE);
    if (!p.x) return rg_nomem(cx);
    RG_TRY(rg_workers_run(cx, &work));
    for (size_t i = 0; i < p.count; i++) {
        p.x[i][0] = 1;
        if (is_answered(&p, i)) features(rg_sitting_exam(sitting, 0, i), out[i], p.x[i] + 1);
    }
    for (int k = 0; k < SIZE; k++) {
        double prior = k ? PRIOR_SLOPE : PRIOR_MEAN;
        p.s[k][k] = prior * prior;
        if (k) standardize(&p, k);
    }
    find_mean(&p);
    RG_TRY(ask(cx, &p));
    for (size_t i = 0; i < p.count; i++) {
        const rg_judge *judge = rg_sitting_exam(sitting, 0, i)->judge;
        double r = dot(p.w, p.x[i]);
        for (int q = 0; q < RG_JUDGE_QUANTITIES; q++) out[i][q] *= exp(kind_of(judge, q) * r);
    }
    return RG_OK;
}
