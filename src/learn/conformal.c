/* conformal.c - spreads of 90 % intervals from errors that were held out (split conformal prediction: Lei et
 * al. 2018, J. Am. Stat. Assoc. 113), and what such intervals hold of rows that had no say in them.
 *
 * Rows of a device are alike, so that thousands of rows of K devices are K drawings. For a device that none
 * of them is, quantiles are taken twice (hierarchical data: Dunn, Wasserman and Ramdas 2023, J. Am. Stat.
 * Assoc. 118): of each device the spread that would have held its rows, and of these the ceil(0.9 (K + 1))th
 * smallest, the largest where there are fewer than nine. Pooling all rows instead holds too few where one
 * device is far from the others, as a new one may be. The spread of a handful of rows is that of the worst: a
 * device counts from RG_CONFORMAL_DEVICE on.
 */
#include "learn/conformal.h"

#include "base/statistics.h"

#include <math.h>

#define LEVEL 0.9

static rg_err sizes_of(rg_ctx *cx, const rg_held *rows, size_t count, double **out)
{
    *out = RG_NEW(&cx->arena, double, count + 1);
    if (!*out) return rg_nomem(cx);
    for (size_t i = 0; i < count; i++) (*out)[i] = fabs(rows[i].error);
    rg_sort_ascending(*out, count);
    return RG_OK;
}

/* The ceil(0.9 (n + 1))th of ascending ones, or the last. */
static double order_statistic(const double *sorted, size_t count)
{
    size_t at = (size_t)ceil(LEVEL * (double)(count + 1));
    return sorted[at > count ? count - 1 : at - 1];
}

rg_err rg_conformal_spread(rg_ctx *cx, const rg_held *rows, size_t count, double *out)
{
    double *sizes;
    *out = 0;
    if (count < RG_CONFORMAL_LEAST) return RG_OK;
    RG_TRY(sizes_of(cx, rows, count, &sizes));
    *out = order_statistic(sizes, count);
    return RG_OK;
}

rg_err rg_conformal_device_spread(rg_ctx *cx, const rg_held *rows, size_t count, double *out)
{
    double *spreads = RG_NEW(&cx->arena, double, count + 1);
    size_t devices = 0;
    *out = 0;
    if (!spreads) return rg_nomem(cx);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && rows[end].device == rows[i].device;) end++;
        if (end - i >= RG_CONFORMAL_DEVICE)
            RG_TRY(rg_conformal_spread(cx, rows + i, end - i, &spreads[devices++]));
    }
    if (!devices) return rg_conformal_spread(cx, rows, count, out);
    rg_sort_ascending(spreads, devices);
    *out = order_statistic(spreads, devices);
    return RG_OK;
}

rg_held_score rg_held_score_none(void) { return (rg_held_score){NAN, NAN, NAN, NAN, NAN}; }

rg_err rg_held_score_of(rg_ctx *cx, const rg_held *rows, size_t count, double spread, rg_held_score *out)
{
    double *apes = RG_NEW(&cx->arena, double, count + 1), inside = 0;
    rg_pair *pairs = RG_NEW(&cx->arena, rg_pair, 2 * count + 1);
    *out = rg_held_score_none();
    if (!apes || !pairs) return rg_nomem(cx);
    if (!count) return RG_OK;
    out->mean = 0;
    for (size_t i = 0; i < count; i++) {
        apes[i] = fabs(expm1(rows[i].error));
        out->mean += apes[i] / (double)count;
        inside += fabs(rows[i].error) <= spread;
        pairs[i] = (rg_pair){rows[i].size, rows[i].size + rows[i].error};
    }
    rg_sort_ascending(apes, count);
    out->median = rg_percentile(apes, count, 0.5);
    out->tau = rg_kendall_tau(pairs, pairs + count, count);
    if (spread <= 0) return RG_OK;
    out->coverage = inside / (double)count;
    out->width = exp(spread) - exp(-spread);
    return RG_OK;
}

/* Halves by a hash of their groups, so that what is known together is on one side. */
static size_t split(const rg_held *rows, size_t count, rg_held *out)
{
    size_t first = 0, last = count;
    for (size_t i = 0; i < count; i++) {
        bool left = rg_hash(RG_HASH_SEED, &rows[i].group, sizeof rows[i].group) >> 63;
        out[left ? first++ : --last] = rows[i];
    }
    return first;
}

rg_err rg_held_cross(rg_ctx *cx, const rg_held *rows, size_t count, rg_held_score *out)
{
    rg_held *order = RG_NEW(&cx->arena, rg_held, count + 1);
    rg_held_score halves[2];
    RG_TRY(rg_held_score_of(cx, rows, count, 0, out));
    if (!order) return rg_nomem(cx);
    size_t first = split(rows, count, order), rest = count - first;
    double spreads[2];
    RG_TRY(rg_conformal_spread(cx, order, first, &spreads[0]));
    RG_TRY(rg_conformal_spread(cx, order + first, rest, &spreads[1]));
    if (spreads[0] <= 0 || spreads[1] <= 0) return RG_OK;
    RG_TRY(rg_held_score_of(cx, order, first, spreads[1], &halves[0]));
    RG_TRY(rg_held_score_of(cx, order + first, rest, spreads[0], &halves[1]));
    out->coverage = (halves[0].coverage * (double)first + halves[1].coverage * (double)rest) / (double)count;
    out->width = (halves[0].width * (double)first + halves[1].width * (double)rest) / (double)count;
    return RG_OK;
}
