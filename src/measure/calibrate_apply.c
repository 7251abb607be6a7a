/* calibrate_apply.c - the detected device with measured figures in place of estimated ones.
 *
 *     at_clock_hz  = clock with all cores busy
 *     op_per_clock = measured op/s / (cores x at_clock_hz)
 *
 * so that the law of every profile holds as it stands, and what a core did not reach of its design shows in
 * op_per_clock. Peaks that no kernel measures move with the clock. Energy cannot be measured here: it is
 * estimated as before, so that all of f32 at its peak still comes to the cap.
 */
#include "measure/calibrate.h"

#include <math.h>

#define SOURCE_KEY "measured"

const rg_gauge *rg_gauge_find(const rg_calibration *c, rg_gauge_kind kind, int engine, int row, bool all)
{
    for (size_t i = 0; i < c->count; i++) {
        const rg_gauge *g = &c->gauges[i];
        if (g->kind == kind && g->engine == engine && g->row == row && g->all == all && g->samples) return g;
    }
    return NULL;
}

double rg_gauge_scaled(const rg_calibration *c, const rg_gauge *g)
{
    double units = 0;
    for (int e = 0; e < (int)c->detected->engine_count; e++)
        if (g->engine < 0 || g->engine == e) units += c->detected->engines[e].count;
    return g->value * units / g->cores;
}

typedef struct apply {
    rg_ctx *cx;
    const rg_calibration *c;
    rg_device *d;
    double work_hz[RG_CORE_KIND_MAX]; /* by engine: with all its cores busy; 0: not measured */
} apply;

/* By all cores; on a machine with one, by that. */
static const rg_gauge *whole(const rg_calibration *c, rg_gauge_kind kind, int engine, int row)
{
    const rg_gauge *all = rg_gauge_find(c, kind, engine, row, true);
    return all ? all : rg_gauge_find(c, kind, engine < 0 ? 0 : engine, row, false);
}

/* "measured by ridge calibrate: clock, median of 30, spread 1.2 %, 2026-01-31; hwloc" */
static const char *source_of(const apply *a, const char *what, const rg_gauge *g, const char *rest)
{
    const char *statistic = g->disturbed ? "disturbed by other programs, fast tenth" : "median";
    return rg_arena_printf(&a->d->arena,
                           SOURCE_KEY " by ridge calibrate: %s, %s of %zu, spread %.1f %%, %s%s", what,
                           statistic, g->samples, 100 * g->spread, a->c->on.date, rest);
}

/* Whether each core has that for itself: a pipe, or a cache of its own. */
static bool is_own(const rg_calibration *c, const rg_gauge *g)
{
    if (g->kind == RG_GAUGE_PEAK) return true;
    bool memory = g->kind == RG_GAUGE_READ || g->kind == RG_GAUGE_WRITE || g->kind == RG_GAUGE_COPY;
    return memory && c->detected->levels[g->row].sharers <= 1;
}

/* What all cores should reach, by what one does. Never less than that one, but for their clock; where others
 * were seen, what each core has for itself times the cores: without them less may be the truth, of virtual
 * cores that are threads of one. */
static double expected(const rg_calibration *c, const rg_gauge *all, const rg_gauge *one)
{
    int engine = all->engine < 0 ? 0 : all->engine;
    const rg_gauge *slow = rg_gauge_find(c, RG_GAUGE_CLOCK, engine, 0, true);
    const rg_gauge *fast = rg_gauge_find(c, RG_GAUGE_CLOCK, engine, 0, false);
    double clock = slow && fast ? fmin(1, slow->value / fast->value) : 1;
    return one->value * (all->disturbed && is_own(c, all) ? fmax(1, all->cores * clock) : 1);
}

/* Where all cores seem to be slower than that, others had the processors while the team waited for itself,
 * and no statistic makes a profile of that. */
static rg_err check_sense(rg_ctx *cx, const rg_calibration *c)
{
    static const struct { const char *name; rg_unit unit; double least; } kinds[RG_GAUGE_KIND_COUNT] = {
        [RG_GAUGE_CLOCK] = {"clock", RG_UNIT_HERTZ, 0.4}, /* of turbo: what full sockets still have */
        [RG_GAUGE_PEAK] = {"arithmetic", RG_UNIT_OP_PER_S, 0.75},
        [RG_GAUGE_READ] = {"reading", RG_UNIT_BYTE_PER_S, 0.75},
        [RG_GAUGE_WRITE] = {"writing", RG_UNIT_BYTE_PER_S, 0.75},
        [RG_GAUGE_COPY] = {"copying", RG_UNIT_BYTE_PER_S, 0.75},
    };
    for (size_t i = 0; i < c->count; i++) {
        const rg_gauge *all = &c->gauges[i];
        int engine = all->engine < 0 ? 0 : all->engine;
        const rg_gauge *one = rg_gauge_find(c, all->kind, engine, all->row, false);
        char together[32], alone[32];
        if (!all->all || !all->samples || !one) continue;
        if (all->value >= kinds[all->kind].least * expected(c, all, one)) continue;
        rg_unit_print(together, sizeof together, all->value, kinds[all->kind].unit);
        rg_unit_print(alone, sizeof alone, one->value, kinds[all->kind].unit);
        return rg_fail(cx, RG_FAILED,
                       "%s: %d cores reach %s, one alone %s: other programs are in the way; "
                       "calibrate again when it is quiet",
                       kinds[all->kind].name, all->cores, together, alone);
    }
    return RG_OK;
}

static rg_err apply_clocks(apply *a)
{
    for (size_t e = 0; e < a->d->engine_count; e++) {
        rg_engine *engine = &a->d->engines[e];
        const rg_gauge *one = rg_gauge_find(a->c, RG_GAUGE_CLOCK, (int)e, 0, false);
        const rg_gauge *all = whole(a->c, RG_GAUGE_CLOCK, (int)e, 0);
        if (!one) continue;
        a->work_hz[e] = fmin(all->value, one->value); /* more threads do not make a core faster: noise */
        engine->clock_max_hz = one->value;
        engine->clock_base_hz = fmin(engine->clock_base_hz, one->value);
        engine->source = source_of(a, "highest clock, of dependent additions beside multiply-adds", one,
                                   "; count and threads from hwloc, base clock as detected");
        if (!engine->source) return rg_nomem(a->cx);
    }
    return RG_OK;
}

static rg_err apply_peak(apply *a, size_t i)
{
    rg_peak *p = &a->d->peaks[i];
    const rg_gauge *g = whole(a->c, RG_GAUGE_PEAK, p->engine, (int)i);
    double count = a->d->engines[p->engine].count, work_hz = a->work_hz[p->engine];
    if (work_hz > 0) p->at_clock_hz = work_hz;
    const rg_gauge *alone = rg_gauge_find(a->c, RG_GAUGE_PEAK, p->engine, (int)i, false);
    if (alone) p->alone_op_per_s = alone->value;
    if (g) {
        p->op_per_s = rg_gauge_scaled(a->c, g);
        p->op_per_clock = p->op_per_s / (count * p->at_clock_hz);
        p->source = source_of(a, g->how ? g->how : "arithmetic", g, "");
    } else {
        p->op_per_s = count * p->op_per_clock * p->at_clock_hz;
        p->source = rg_arena_printf(&a->d->arena, "%s; not measured, at the measured clock", p->source);
    }
    return p->source ? RG_OK : rg_nomem(a->cx);
}

/* A wider type on the same pipes is faster: whoever wants speed uses that, and a profile may not state it. */
static bool is_pointless(const rg_device *d, const rg_peak *narrow)
{
    for (size_t i = 0; i < d->peak_count; i++) {
        const rg_peak *wide = &d->peaks[i];
        if (wide->engine == narrow->engine && wide->unit == narrow->unit &&
            strcmp(wide->accumulate, narrow->accumulate) == 0 && wide->op_per_s > narrow->op_per_s &&
            rg_hw_dtype_bits(wide->dtype) > rg_hw_dtype_bits(narrow->dtype)) return true;
    }
    return false;
}

static double f32_rate(const rg_device *d)
{
    double rate = 0;
    for (size_t i = 0; i < d->peak_count; i++)
        if (d->peaks[i].unit == RG_VECTOR && d->peaks[i].dtype == RG_HW_F32) rate += d->peaks[i].op_per_s;
    return rate;
}

static rg_err apply_peaks(apply *a)
{
    rg_device *d = a->d;
    double before = f32_rate(d);
    size_t kept = 0;
    for (size_t i = 0; i < d->peak_count; i++) RG_TRY(apply_peak(a, i));
    for (size_t i = 0; before > 0 && i < RG_HW_DTYPE_COUNT; i++) d->pj_per_op[i] *= before / f32_rate(d);
    /* judged before any is gone: a row goes by the widest, whatever lies between */
    bool *pointless = RG_NEW(&a->cx->arena, bool, d->peak_count);
    if (!pointless) return rg_nomem(a->cx);
    for (size_t i = 0; i < d->peak_count; i++) pointless[i] = is_pointless(d, &d->peaks[i]);
    for (size_t i = 0; i < d->peak_count; i++)
        if (!pointless[i]) d->peaks[kept++] = d->peaks[i];
    d->peak_count = kept;
    return RG_OK;
}

static rg_err apply_levels(apply *a)
{
    for (size_t i = 0; i < a->d->level_count; i++) {
        rg_level *l = &a->d->levels[i];
        const rg_gauge *read = whole(a->c, RG_GAUGE_READ, -1, (int)i);
        const rg_gauge *write = whole(a->c, RG_GAUGE_WRITE, -1, (int)i);
        const rg_gauge *latency = rg_gauge_find(a->c, RG_GAUGE_LATENCY, 0, (int)i, false);
        if (!read || !write || !latency) continue;
        l->read_byte_per_s = rg_gauge_scaled(a->c, read);
        l->write_byte_per_s = rg_gauge_scaled(a->c, write);
        const rg_gauge *alone = rg_gauge_find(a->c, RG_GAUGE_READ, 0, (int)i, false);
        l->alone_read_byte_per_s = alone ? alone->value : 0;
        l->sustained_fraction = 1; /* it is what was sustained */
        l->latency_s = latency->value;
        l->source = source_of(a, "read, write and latency; of reading", read,
                              "; sizes as detected, energy estimated");
        if (!l->source) return rg_nomem(a->cx);
    }
    return RG_OK;
}

/* Voltages stay at their shares of the highest clock. */
static rg_err apply_points(apply *a)
{
    rg_device *d = a->d;
    rg_vf *points = RG_NEW(&d->arena, rg_vf, d->vf_count + 1);
    double share = rg_device_clock_max(d) / rg_device_clock_max(a->c->detected);
    if (!points) return rg_nomem(a->cx);
    for (size_t i = 0; i < d->vf_count; i++)
        points[i] = (rg_vf){d->vf[i].clock_hz * share, d->vf[i].voltage_v};
    d->vf = points;
    return RG_OK;
}

static rg_err apply_launch(apply *a)
{
    const rg_gauge *fork = rg_gauge_find(a->c, RG_GAUGE_FORK, -1, 0, true);
    if (!fork) return RG_OK;
    a->d->launch_s = fork->value;
    a->d->launch_source = source_of(a, "an empty parallel region", fork, "");
    return a->d->launch_source ? RG_OK : rg_nomem(a->cx);
}

/* What detection has found besides is still so: after its own beginning. */
static rg_err apply_words(apply *a)
{
    rg_device *d = a->d;
    const char *rest = d->note && rg_str_starts(rg_str_of(d->note), RG_DETECTED_NOTE)
        ? d->note + sizeof RG_DETECTED_NOTE - 1 : "";
    rg_source *sources = RG_NEW(&d->arena, rg_source, d->source_count + 1);
    d->note = rg_arena_printf(&d->arena, "Measured on this machine on %s; power, energy and voltages are "
                              "estimated.%s", a->c->on.date, rest);
    d->made_on = (rg_made_on){
        .cpu = rg_arena_cstr(&d->arena, rg_str_of(a->c->on.cpu)), .cores = a->c->on.cores,
        .kernel = rg_arena_cstr(&d->arena, rg_str_of(a->c->on.kernel)),
        .date = rg_arena_cstr(&d->arena, rg_str_of(a->c->on.date)),
    };
    if (!sources || d->arena.failed) return rg_nomem(a->cx);
    sources[0] = (rg_source){SOURCE_KEY, "measured on this machine by ridge calibrate", NULL};
    memcpy(sources + 1, d->sources, d->source_count * sizeof *sources);
    d->sources = sources;
    d->source_count++;
    d->detected = false;
    return RG_OK;
}

rg_err rg_calibrate_apply(rg_ctx *cx, const rg_calibration *c, const rg_device **out)
{
    apply a = {.cx = cx, .c = c};
    *out = NULL;
    RG_TRY(check_sense(cx, c));
    RG_TRY(rg_device_clone(cx, c->detected, &a.d));
    rg_err err = apply_clocks(&a);
    if (!err) err = apply_peaks(&a);
    if (!err) err = apply_levels(&a);
    if (!err) err = apply_points(&a);
    if (!err) err = apply_launch(&a);
    if (!err) err = apply_words(&a);
    if (!err) err = rg_device_check(cx, a.d);
    if (!err) *out = a.d;
    else rg_device_free(a.d);
    return err;
}
