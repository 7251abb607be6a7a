/* statistics.c - order statistics and Student's t.
 *
 * The t distribution of a whole number of degrees of freedom is a finite sum, so its quantile needs no table:
 * the sum is monotonic in t and is bisected.
 */
#include "base/statistics.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void rg_sort_ascending(double *x, size_t count)
{
    if (count) qsort(x, count, sizeof *x, ascending);
}

double rg_percentile(const double *sorted, size_t count, double p)
{
    if (!count) return 0;
    double at = p * (double)(count - 1);
    size_t below = (size_t)at;
    if (below + 1 >= count) return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* P(|T| <= t), v degrees of freedom, u = atan(t / sqrt v) (Abramowitz and Stegun 26.7.3, 26.7.4):
 *
 *     v odd    2/pi (u + sin u (cos u + 2/3 cos^3 u + ... + 2 4 .. (v-3) / (3 5 .. (v-2)) cos^(v-2) u))
 *     v even   sin u (1 + 1/2 cos^2 u + 1 3 / (2 4) cos^4 u + ... + 1 3 .. (v-3) / (2 4 .. (v-2)) cos^(v-2)
 * u)
 */
static double student_within(double t, size_t v)
{
    double u = atan(t / sqrt((double)v)), c = cos(u), sum = 0;
    size_t odd = v & 1;
    double term = odd ? c : 1;
    for (size_t k = odd; k + 2 <= v; k += 2) {
        sum += term;
        term *= c * c * (double)(k + 1) / (double)(k + 2);
    }
    sum *= sin(u);
    return odd ? 2 / M_PI * (u + sum) : sum;
}

double rg_student_t(size_t freedom, double p)
{
    enum { HALVINGS = 80 }; /* more than a double's digits */
    enum { MANY = 100000 }; /* beyond, t and the normal differ by less than 1 in 1e4; the sum stays short */
    size_t v = freedom > MANY ? MANY : freedom ? freedom : 1;
    double low = 0, high = 1;
    while (student_within(high, v) < p && high < 1e9) high *= 2;
    for (int i = 0; i < HALVINGS; i++) {
        double middle = (low + high) / 2;
        if (student_within(middle, v) < p) low = middle;
        else high = middle;
    }
    return high;
}

/* Welford's: the sum of squares does not cancel. */
rg_mean rg_mean_of(const double *x, size_t count)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double d = x[i] - mean;
        mean += d / (double)(i + 1);
        squares += d * (x[i] - mean);
    }
    if (count < 2) return (rg_mean){mean, INFINITY};
    double n = (double)count;
    return (rg_mean){mean, rg_student_t(count - 1, 0.95) * sqrt(squares / (n - 1) / n)};
}
