/* fitting.h - a device fitted with 5 to 50 measured kernels, or about ten whole models: `ridge fit`. */
#ifndef RG_FITTING_H
#define RG_FITTING_H

#include "learn/boost.h"
#include "learn/lesson.h"

/* Standard deviations of log(measured / forecast): of rows about their device's mean, of devices. */
typedef struct rg_spread_pair { double rows, devices; } rg_spread_pair;
/* Of a key's file; NULL: where nothing was learned. */
rg_spread_pair rg_fit_prior(const rg_trees *trees);
/* What a device's forecasts are multiplied by, as a logarithm, after `count` measurements. */
double rg_fit_shift(rg_spread_pair prior, const double *errors, size_t count);
/* Of log(measured / forecast) of one more row, after so many measurements. */
double rg_fit_variance(rg_spread_pair prior, double count);

typedef struct rg_fit_report {
    const char *key;
    size_t count;
    double factor;               /* that its forecasts are multiplied by */
    double before, after; /* mean |forecast / measured - 1|; after: leave-one-out, of the factor alone */
    double spread_before, spread_after; /* 90 % of |log error| */
} rg_fit_report;

/* The key's trees with a member for the device. lesson: log(measured / forecast as it is now), of the device
 * alone. In cx's arena. */
rg_err rg_fit_key(rg_ctx *cx, const rg_device *device, rg_booster *booster, const rg_lesson *lesson,
                  rg_fit_report *report, rg_trees *out) RG_CHECKED;

#endif
