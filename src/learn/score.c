/* score.c - how far forecasts are from measurements.
 *
 *     APE = |f - m| / m     bias = mean(f / m) - 1     R2 = 1 - sum (f - m)^2 / sum (m - mean m)^2
 *     tau-b = (C - D) / sqrt((P - Tm) (P - Tf))        P pairs, C in the same order, D not, T ties
 *
 * Kendall's tau by merge sort (Knight 1966, J. Am. Stat. Assoc. 61): sorted by m, swaps needed to sort by f
 * are the discordant pairs.
 */
#include "base/statistics.h"
#include "learn/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct pair { double m, f; } pair;

static int by_measured(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->m != y->m) return x->m < y->m ? -1 : 1;
    return x->f < y->f ? -1 : x->f > y->f;
}

/* Sorts by f and counts the swaps. */
static double sort_counting(pair *p, pair *room, size_t n)
{
    if (n < 2) return 0;
    size_t half = n / 2, i = 0, k = half, out = 0;
    double swaps = sort_counting(p, room, half) + sort_counting(p + half, room, n - half);
    while (i < half && k < n) {
        bool right = p[k].f < p[i].f;
        if (right) swaps += (double)(half - i);
        room[out++] = right ? p[k++] : p[i++];
    }
    while (i < half) room[out++] = p[i++];
    while (k < n) room[out++] = p[k++];
    memcpy(p, room, n * sizeof *p);
    return swaps;
}

/* Pairs of equal ones among sorted; both: of equal m and f. */
static double ties(const pair *p, size_t n, bool by_m, bool both)
{
    double sum = 0;
    for (size_t i = 0, run = 1; i < n; i++, run++) {
        bool same = i + 1 < n && (by_m ? p[i].m == p[i + 1].m : p[i].f == p[i + 1].f);
        if (same && both) same = p[i].f == p[i + 1].f;
        if (same) continue;
        sum += (double)run * (double)(run - 1) / 2;
        run = 0;
    }
    return sum;
}

static double tau_of(pair *p, pair *room, size_t n)
{
    double pairs = (double)n * ((double)n - 1) / 2;
    qsort(p, n, sizeof *p, by_measured);
    double tied_m = ties(p, n, true, false), tied_both = ties(p, n, true, true);
    double discordant = sort_counting(p, room, n);
    double tied_f = ties(p, n, false, false);
    double spread = sqrt((pairs - tied_m) * (pairs - tied_f));
    return spread > 0 ? (pairs - tied_m - tied_f + tied_both - 2 * discordant) / spread : NAN;
}

rg_err rg_score_of(rg_ctx *cx, const double *measured, const double *forecast, size_t n, rg_score *out)
{
    pair *p = RG_NEW(&cx->arena, pair, 2 * n + 1);
    double *ape = RG_NEW(&cx->arena, double, n + 1), sum = 0, mean = 0, square = 0, spread = 0;
    *out = (rg_score){.n = n, .r2 = NAN, .tau = NAN, .mae = NAN, .rmse = NAN, .bias = NAN, .mape = NAN,
                      .median_ape = NAN, .coverage90 = NAN, .width90 = NAN};
    if (!p || !ape) return rg_nomem(cx);
    if (!n) return RG_OK;
    double absolute = 0, bias = 0;
    for (size_t i = 0; i < n; i++) {
        double m = measured[i], f = forecast[i];
        ape[i] = isnan(f) ? 1 : fabs(f - m) / m;
        sum += ape[i];
        if (isnan(f)) continue;
        p[out->answered++] = (pair){m, f};
        mean += m;
        absolute += fabs(f - m);
        square += (f - m) * (f - m);
        bias += f / m - 1;
    }
    double count = (double)out->answered;
    rg_sort_ascending(ape, n);
    out->mape = sum / (double)n;
    out->median_ape = rg_percentile(ape, n, 0.5);
    if (!out->answered) return RG_OK;
    mean /= count;
    for (size_t i = 0; i < out->answered; i++) spread += (p[i].m - mean) * (p[i].m - mean);
    out->mae = absolute / count;
    out->rmse = sqrt(square / count);
    out->bias = bias / count;
    if (spread > 0) out->r2 = 1 - square / spread;
    out->tau = tau_of(p, p + n, out->answered);
    return RG_OK;
}

void rg_score_intervals(const double *measured, const double *forecast, const double *spread, size_t n,
                        rg_score *out)
{
    double count = 0, within = 0, width = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(forecast[i]) || isnan(spread[i])) continue;
        count++;
        within += fabs(log(measured[i] / forecast[i])) <= spread[i];
        width += exp(spread[i]) - exp(-spread[i]);
    }
    out->coverage90 = count > 0 ? within / count : NAN;
    out->width90 = count > 0 ? width / count : NAN;
}
