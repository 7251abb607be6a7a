/* lane_energy.h - what one inference takes in energy: a window of runs between a session's begin and end. */
#ifndef RG_LANE_ENERGY_H
#define RG_LANE_ENERGY_H

#include "measure/meter.h"
#include "measure/sampler.h"
#include "report/doc.h"

typedef struct rg_lane_energy {
    rg_energy window;            /* of all runs together; window.reason: there is no figure, and why */
    uint64_t runs;
    const char *reason;          /* why it is not measured; NULL: it is. Lives in cx's arena */
} rg_lane_energy;

/* Runs the lane for 0.5 s, or longer where the best meter needs it; where nothing measures, not at all. */
rg_err rg_lane_energy_take(rg_ctx *cx, rg_meters *m, const rg_lane *lane, rg_lane_energy *out) RG_CHECKED;
/* "energy", null or of one inference, and "energy_reason". An estimate is of the median time. */
void rg_lane_energy_put(rg_doc *doc, rg_item *item, const rg_lane_energy *energy, double median_s);
/* The power of this machine by the forecast for `threads` cores and the runtime native. */
rg_err rg_lane_power(rg_ctx *cx, const char *model, int threads, rg_estimate *out) RG_CHECKED;
/* Each source as {name, text, usable, window_s}. */
void rg_meters_put(rg_doc *doc, rg_item *list, const rg_meters *m);

#endif
