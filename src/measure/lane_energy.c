/* lane_energy.c - runs repeated until a meter has seen enough of them, and the figures of one.
 *
 * Meters are too slow for one inference of a millisecond: many are run in one window, and divided. Timing
 * comes before, so that a meter's threads disturb no sample.
 */
#include "measure/lane_energy.h"

#include "measure/host_load.h"

#include <math.h>

#define WINDOW_S 0.5

/* ---- the window ---- */

static rg_err run_window(rg_ctx *cx, const rg_lane *lane, double window_s, uint64_t *runs)
{
    double begin_s = rg_host_now_s();
    *runs = 0;
    for (; rg_host_now_s() - begin_s < window_s; ++*runs) RG_TRY(lane->run(cx, lane->user));
    return RG_OK;
}

/* Why nothing better than `found` has a figure: the best source that should have had one. */
static const char *why_not(rg_ctx *cx, const rg_meters *m, const rg_energy *energies, const rg_energy *found)
{
    for (int i = 0; i < rg_meter_count; i++) {
        const rg_energy *e = &energies[i];
        if (e == found) break;
        if (rg_meters_state(m, i).usable) return rg_arena_printf(&cx->arena, "%s: %s", e->source, e->reason);
    }
    return "no meter is usable";
}

rg_err rg_lane_energy_take(rg_ctx *cx, rg_meters *m, const rg_lane *lane, rg_lane_energy *out)
{
    double least_s = rg_meters_window_s(m);
    rg_energy *energies = RG_NEW(&cx->arena, rg_energy, rg_meter_count);
    *out = (rg_lane_energy){.window.reason = "no meter is usable"};
    if (!energies) return rg_nomem(cx);
    if (lane->enter) RG_TRY(lane->enter(cx, lane->user));
    RG_TRY(rg_meters_begin(cx, m));
    rg_err err = least_s > 0 ? run_window(cx, lane, fmax(least_s, WINDOW_S), &out->runs) : RG_OK;
    rg_meters_end(m, energies);
    const rg_energy *best = rg_energy_best(energies);
    bool measured = best && best->provenance != RG_ESTIMATED;
    if (best) out->window = *best;
    if (!measured) out->reason = why_not(cx, m, energies, best);
    return err ? err : measured || out->reason ? RG_OK : rg_nomem(cx);
}

/* ---- the forecast's power ---- */

static rg_err forecast(rg_ctx *cx, const rg_graph *g, const rg_device *device, int threads, rg_estimate *out)
{
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    const rg_forecast *made = NULL;
    rg_summary summary = {.size = sizeof summary};
    rg_plan_opt opt = {.size = sizeof opt, .threads = threads};
    rg_err err = rg_runtime_find(cx, "native", device, &runtime);
    if (!err) err = rg_plan_make(cx, g, device, runtime, &opt, &plan);
    if (!err) err = rg_forecast_make(cx, plan, NULL, &made);
    if (!err) rg_forecast_summary(made, &summary);
    *out = summary.power_w;
    rg_forecast_free(made);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    return err;
}

rg_err rg_lane_power(rg_ctx *cx, const char *model, int threads, rg_estimate *out)
{
    const rg_graph *g = NULL;
    const rg_device *device = NULL;
    *out = (rg_estimate){0};
    rg_err err = rg_graph_load(cx, model, NULL, &g);
    if (!err) err = rg_device_find(cx, "host", &device);
    if (!err) err = forecast(cx, g, device, threads, out);
    rg_device_free(device);
    rg_graph_free(g);
    return err;
}

/* ---- in a document ---- */

void rg_lane_energy_put(rg_doc *doc, rg_item *item, const rg_lane_energy *energy, double median_s)
{
    const rg_energy *w = &energy->window;
    bool estimated = w->provenance == RG_ESTIMATED;
    double share = estimated ? median_s / w->seconds : 1 / (double)energy->runs;
    if (w->reason) rg_doc_str(doc, item, "energy", NULL);
    else {
        rg_item *e = rg_doc_object(doc, item, "energy");
        rg_doc_real(doc, e, "value_j", w->joules * share);
        rg_doc_real(doc, e, "plus_minus_j", w->plus_minus_j * share);
        rg_doc_str(doc, e, "provenance", rg_provenance_name(w->provenance));
        rg_doc_str(doc, e, "scope", rg_cover_name(w->scope));
        rg_doc_str(doc, e, "source", w->source);
        rg_doc_real(doc, e, "window_s", estimated ? median_s : w->seconds);
        rg_doc_real(doc, e, "power_w", w->watts);
    }
    rg_doc_str(doc, item, "energy_reason", energy->reason);
}

void rg_meters_put(rg_doc *doc, rg_item *list, const rg_meters *m)
{
    for (int i = 0; i < rg_meter_count; i++) {
        rg_meter_state state = rg_meters_state(m, i);
        rg_item *item = rg_doc_object(doc, list, NULL);
        rg_doc_str(doc, item, "name", state.name);
        rg_doc_str(doc, item, "what", state.brief);
        rg_doc_flag(doc, item, "usable", state.usable);
        rg_doc_str(doc, item, "text", state.text);
        rg_doc_real(doc, item, "window_s", state.usable ? state.window_s : NAN);
    }
}
