/* score.c - how far forecasts are from measurements.
 *
 *     APE = |f - m| / m     bias = mean(f / m) - 1     R2 = 1 - sum (f - m)^2 / sum (m - mean m)^2
 *
 * and Kendall's tau-b (statistics.c).
 */
#include "base/statistics.h"
#include "learn/evaluate.h"

#include <math.h>

rg_err rg_score_of(rg_ctx *cx, const double *measured, const double *forecast, size_t n, rg_score *out)
{
    rg_pair *p = RG_NEW(&cx->arena, rg_pair, 2 * n + 1);
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
        p[out->answered++] = (rg_pair){m, f};
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
    out->tau = rg_kendall_tau(p, p + n, out->answered);
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
