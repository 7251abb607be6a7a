/* probed.h - a device of which a few rows were measured: the rest follow its forecasts, corrected. */
#ifndef RG_PROBED_H
#define RG_PROBED_H

#include "learn/evaluate.h"

enum { RG_PROBED_FEATURES = 32 };

/* What tells a usual row from an odd one, x[RG_PROBED_FEATURES]; forecast: by quantity. Unused ones are 0. */
typedef rg_err rg_probed_features(rg_ctx *cx, const rg_exam *exam, const double *forecast, double *x);

/* Forecasts all settings of curve 0 by the kind's `forecast`, asks for as many probes as there are, and
 * corrects the others. Quantities in seconds are times, counts are rates. */
rg_err rg_probed_forecast(rg_ctx *cx, rg_sitting *sitting, rg_probed_features *features,
                          double (*out)[RG_JUDGE_QUANTITIES]) RG_CHECKED;

#endif
