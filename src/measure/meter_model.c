/* meter_model.c - no meter at all: the power that a forecast gives, times the time. It is labelled estimated,
 * and its error is the forecast's interval.
 */
#include "measure/meter.h"

#include <math.h>

static rg_err open_model(rg_ctx *cx, const rg_meter_opt *opt, rg_gauge *g)
{
    if (!opt->power_w) return rg_fail(cx, RG_UNSUPPORTED, "an estimate needs a forecast of the power");
    g->state = (void *)opt->power_w;
    g->scope = RG_COVER_PACKAGE_DRAM; /* what the energy of a forecast is made of */
    snprintf(g->text, sizeof g->text, "the power of a forecast, times the time");
    rg_gauge_add(g, "forecast");
    return RG_OK;
}

static bool read_model(rg_gauge *g, double *x)
{
    const rg_estimate *power_w = g->state;
    x[0] = power_w->value;
    g->resolution = fmax(power_w->high - power_w->value, power_w->value - power_w->low);
    return power_w->value > 0;
}

RG_METER(model) = {
    .name = "model", .brief = "the power of a forecast", .rank = 90, .subject = RG_OF_MODEL,
    .provenance = RG_ESTIMATED, .open = open_model, .read = read_model,
};
