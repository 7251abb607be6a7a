/* line.h - a linear law fitted to many rows: ridge regression. */
#ifndef RG_LINE_H
#define RG_LINE_H

#include "learn/boost.h"

/* y = start + sum of slopes[i] x[i], slopes[features]. Features that do not vary have a slope of 0. */
rg_err rg_line_fit(rg_ctx *cx, const rg_boost_data *data, double *slopes, double *start) RG_CHECKED;

#endif
