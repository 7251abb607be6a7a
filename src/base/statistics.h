/* statistics.h - what a handful of measurements say: order statistics, and how sure the mean is. */
#ifndef RG_STATISTICS_H
#define RG_STATISTICS_H

#include <stddef.h>

/* Ascending, in place. */
void rg_sort_ascending(double *x, size_t count);
/* The value below which a share p of [0, 1] lies, of ascending ones, linear between neighbours; 0 of none. */
double rg_percentile(const double *sorted, size_t count, double p);

/* What was measured and what was forecast of it, or any two numbers of one thing. */
typedef struct rg_pair { double m, f; } rg_pair;
/* Kendall's tau-b of count pairs, of which room holds as many again: 1 where both have one order, -1 where
 * they have opposite ones; NAN where all of either are equal. Sorts the pairs. */
double rg_kendall_tau(rg_pair *pairs, rg_pair *room, size_t count);

/* The mean and half the width of its 95 % confidence interval by Student's t, infinite for fewer than two;
 * that takes the values to be independent of each other. */
typedef struct rg_mean { double mean, half; } rg_mean;
rg_mean rg_mean_of(const double *x, size_t count);
/* t with P(|T| <= t) = p for that many degrees of freedom, at least 1. */
double rg_student_t(size_t freedom, double p);

#endif
