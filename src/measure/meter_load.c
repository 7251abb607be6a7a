/* meter_load.c - no counter of a processor's energy: its power by the law of predict/cpu_power.c, from how
 * busy /proc/stat says that it was in the window. It is labelled estimated.
 *
 * How work was spread is not known: as many threads as would be busy all the time. The error is that of the
 * law against RAPL (doc/evaluate.md), and that other machines of a virtual one's host are not seen.
 */
#include "hw/detect.h"
#include "measure/host_load.h"
#include "measure/meter.h"
#include "predict/cpu_power.h"

#include <math.h>

#define ERROR_SHARE 0.3 /* mean of its errors where only the design power is known */

typedef struct watch { rg_cpu_package package; rg_host_load last; char root[200]; } watch;

static rg_err find_package(rg_ctx *cx, const char *root, rg_cpu_package *out)
{
    const rg_device *host = NULL;
    rg_err err = rg_device_detect_at(cx, root, &host);
    if (!err) err = rg_cpu_package_of(cx, host, out);
    rg_device_free(host);
    if (!err || err == RG_NOMEM) return err;
    const char *why = rg_arena_printf(&cx->arena, "%s", rg_ctx_error(cx));
    return why ? rg_fail(cx, RG_UNSUPPORTED, "what this machine is: %s", why) : rg_nomem(cx);
}

static rg_host_load look(const watch *w)
{
    cpu_set_t none;
    CPU_ZERO(&none);
    return rg_host_load_read(w->root, &none);
}

static rg_err open_load(rg_ctx *cx, const rg_meter_opt *opt, rg_gauge *g)
{
    watch *w = RG_NEW(&cx->arena, watch, 1);
    if (!w) return rg_nomem(cx);
    g->state = w;
    if (snprintf(w->root, sizeof w->root, "%s", opt->root) >= (int)sizeof w->root)
        return rg_fail(cx, RG_UNSUPPORTED, "the root's path is longer than %zu bytes", sizeof w->root - 1);
    w->last = look(w);
    if (!w->last.known || w->last.cpus < 1)
        return rg_fail(cx, RG_UNSUPPORTED, "/proc/stat does not say how busy processors are");
    RG_TRY(find_package(cx, w->root, &w->package));
    g->scope = RG_COVER_PACKAGE;
    g->error_share = ERROR_SHARE;
    snprintf(g->text, sizeof g->text, "how busy %d processors are, and a law of power", w->last.cpus);
    rg_gauge_add(g, "load");
    return RG_OK;
}

/* Of the time since the last reading. */
static bool read_load(rg_gauge *g, double *x)
{
    watch *w = g->state;
    rg_host_load now = look(w), before = w->last;
    double span_s = now.at_s - before.at_s;
    if (!now.known || !(span_s > 0) || now.cpus < 1) return false;
    double busy = fmin(fmax((now.all_s - before.all_s) / (span_s * now.cpus), 0), 1);
    double threads = fmax(ceil(busy * w->package.threads), 1);
    w->last = now;
    x[0] = rg_cpu_power_w(&w->package, (rg_cpu_load){threads, busy * w->package.threads / threads});
    return true;
}

RG_METER(load) = {
    .name = "load", .brief = "a law of power by load", .rank = 95, .subject = RG_OF_PROCESSOR,
    .provenance = RG_ESTIMATED, .open = open_load, .read = read_load,
};
