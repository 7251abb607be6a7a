/* statistics.c - order statistics, Kendall's tau and Student's t.
 *
 *     tau-b = (C - D) / sqrt((P - Tm) (P - Tf))        P pairs, C in the same order, D not, T ties
 *
 * by merge sort (Knight 1966, J. Am. Stat. Assoc. 61): sorted by m, swaps needed to sort by f are the
 * discordant pairs.
 *
 * The t distribution of a whole number of degrees of freedom is a finite sum, so its quantile needs no table:
 * the sum is monotonic in t and is bisected.
 */
#include "base/statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- Kendall's tau ---- */

static int by_measured(const void *a, const void *b)
{
    const rg_pair *x = a, *y = b;
    if (x->m != y->m) return x->m < y->m ? -1 : 1;
    return x->f < y->f ? -1 : x->f > y->f;
}

/* Sorts by f and counts the swaps. */
static double sort_counting(rg_pair *p, rg_pair *room, size_t n)
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
static double ties(const rg_pair *p, size_t n, bool by_m, bool both)
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

double rg_kendall_tau(rg_pair *p, rg_pair *room, size_t n)
{
    double pairs = (double)n * ((double)n - 1) / 2;
    qsort(p, n, sizeof *p, by_measured);
    double tied_m = ties(p, n, true, false), tied_both = ties(p, n, true, true);
    double discordant = sort_counting(p, room, n);
    double tied_f = ties(p, n, false, false);
    double spread = sqrt((pairs - tied_m) * (pairs - tied_f));
    return spread > 0 ? (pairs - tied_m - tied_f + tied_both - 2 * discordant) / spread : NAN;
}

/* ---- Student's t ---- */

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
