/* bench_forecast.h - the rows of a plan: what the forecast says, and what they take. */
#ifndef RG_BENCH_FORECAST_H
#define RG_BENCH_FORECAST_H

#include "map/map.h"
#include "measure/backend.h"
#include "report/doc.h"

/* Seconds by row of the plan, over the runs that were timed. */
typedef struct rg_row_times {
    const rg_plan *plan;             /* borrowed */
    double *median_s, *p90_s, *p99_s;
    double total_s;                  /* sum of the medians */
    double clock_s;                  /* of one look at the clock: a row's time has at least one in it */
    size_t runs;
} rg_row_times;

/* Runs a backend that has a plan until each row has enough samples; arrays in cx's arena. */
rg_err rg_row_times_take(rg_ctx *cx, const rg_backend *backend, void *state, rg_row_times *out) RG_CHECKED;
/* "rows", "forecast_s", "forecast_error" and "roof" of a result: the forecast for the plan beside the times.
 * median_s: of the runs that were not timed by row. */
rg_err rg_row_times_put(rg_ctx *cx, rg_doc *doc, rg_item *result, const rg_row_times *times,
                        double median_s) RG_CHECKED;
/* The section of a result that has them. */
void rg_row_times_show(rg_doc *doc, const rg_item *result);

#endif
