/* fitting.h - a device fitted with 5 to 50 measured kernels, or about ten whole models: `ridge fit`. */
#ifndef RG_FITTING_H
#define RG_FITTING_H

#include "learn/boost.h"
#include "learn/lesson.h"

/* Standard deviations of log(measured / forecast): of rows about their device's mean, of devices. */
typedef struct rg_spread_pair { double rows, devices; } rg_spread_pair;
/* Of a key's file for a device; NULL: where nothing was learned. */
rg_spread_pair rg_fit_prior(const rg_trees *trees, const rg_device *device);
/* Of log(measured / forecast) of one more row, after so many measurements. */
double rg_fit_variance(rg_spread_pair prior, double count);

/* What was measured of one key of a device, and what its forecasts are then multiplied by, as a logarithm. */
typedef struct rg_fit_sample {
    rg_spread_pair prior;
    double count, mean;          /* of measurements, of their log(measured / forecast) */
    double shift, variance;      /* found; variance: of one more row */
} rg_fit_sample;
/* The keys of one device, of which some may have no measurement. apart: share of what the device is off by
 * that is each key's own, above 0; 1: keys tell nothing of each other. */
void rg_fit_together(rg_fit_sample *keys, size_t count, double apart);
double rg_fit_apart(rg_features_of scope);
/* Leave-one-out: mean |forecast / measured - 1| of the measurements of key `at`, before and after the fit. */
void rg_fit_test(const rg_fit_sample *keys, size_t count, double apart, size_t at, const rg_lesson *lesson,
                 double *before, double *after);

typedef struct rg_fit_report {
    const char *key;
    size_t count;
    double factor;               /* that its forecasts are multiplied by */
    double before, after; /* mean |forecast / measured - 1|; after: leave-one-out, of the factor alone */
    double spread_before, spread_after; /* 90 % of |log error| */
} rg_fit_report;

/* The sample of a lesson: log(measured / forecast as it is now), of the device alone. */
rg_err rg_fit_sample_of(rg_ctx *cx, const rg_device *device, const rg_lesson *lesson,
                        rg_fit_sample *out) RG_CHECKED;
/* The key's trees with a member for the device, of what was found. before and after of the report are not
 * set. In cx's arena. */
rg_err rg_fit_key(rg_ctx *cx, const rg_device *device, rg_booster *booster, const rg_lesson *lesson,
                  const rg_fit_sample *found, rg_fit_report *report, rg_trees *out) RG_CHECKED;

#endif
