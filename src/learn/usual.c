/* usual.c - distances to the mean, by key.
 *
 *     odd_i = sum over features f of (x_if - mean of f in i's key)^2 / variance of f
 */
#include "learn/usual.h"

#include <math.h>
#include <string.h>

enum { KEYS = 256 };

static double scale_of(const double *x, size_t count, size_t features, const double *odd)
{
    double n = 0, sum = 0, square = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(odd[i])) continue;
        n++, sum += x[i * features], square += x[i * features] * x[i * features];
    }
    double variance = n > 0 ? square / n - sum * sum / (n * n) : 0;
    return variance > 1e-9 ? 1 / variance : 0;
}

void rg_odd_rows(const double *x, size_t count, size_t features, const uint8_t *key_of, double *odd)
{
    for (size_t i = 0; i < count; i++) odd[i] = isnan(odd[i]) ? NAN : 0;
    for (size_t f = 0; f < features; f++) {
        double scale = scale_of(x + f, count, features, odd), rows[KEYS] = {0}, sum[KEYS] = {0};
        for (size_t i = 0; i < count; i++)
            if (!isnan(odd[i])) rows[key_of[i]]++, sum[key_of[i]] += x[i * features + f];
        for (size_t i = 0; i < count; i++)
            if (!isnan(odd[i]))
                odd[i] += scale * pow(x[i * features + f] - sum[key_of[i]] / rows[key_of[i]], 2);
    }
}
