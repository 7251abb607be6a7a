/* study_sensitivity.c - "ridge.sensitivity/1": which figure of the machine or of its stack, made better,
 * would bring most.
 *
 * Every figure that a forecast depends on is made better by one factor at a time, and the forecast is made
 * again: nothing is differentiated, so that waves, caches and the power cap answer for themselves. Then the
 * factor is doubled until the bottleneck is another one: beyond that point the same figure helps little.
 */
#include "report/report.h"
#include "study/study.h"

#include <math.h>
#include <string.h>

enum { KNOB_MAX = 64, FLIP_DOUBLINGS = 4 };

/* better: a larger figure is (+1), or a smaller one (-1). */
typedef struct knob {
    char path[96];
    bool of_runtime;
    int better;
    double latency_s, energy_j, flip; /* flip: the factor at which something else binds; 0: none tried */
    const char *flips_to;
} knob;

typedef struct trying {
    rg_ctx *cx;
    const rg_plan *plan;
    const rg_forecast_opt *opt;
    double factor;
    const rg_forecast *now;
    knob knobs[KNOB_MAX];
    size_t count;
} trying;

static void add(trying *t, bool of_runtime, int better, const char *format, const char *name)
{
    knob *k = &t->knobs[t->count];
    if (t->count == KNOB_MAX) return; /* devices have a dozen */
    *k = (knob){.of_runtime = of_runtime, .better = better};
    snprintf(k->path, sizeof k->path, format, name);
    t->count++;
}

/* What the rows of this plan use: peaks of other types would change nothing. */
static void list_knobs(trying *t)
{
    const rg_device *d = t->plan->device;
    bool used[RG_HW_DTYPE_COUNT] = {false};
    for (uint32_t r = 0; r < t->plan->row_count; r++) used[t->plan->rows[r].dtype] = true;
    used[RG_HW_F32] = true; /* lanes that do what is no product */
    for (int i = 0; i < RG_HW_DTYPE_COUNT; i++)
        if (used[i] && rg_device_peak(d, -1, -1, (rg_hw_dtype)i))
            add(t, false, 1, "peaks.%s.op_per_s", rg_hw_dtype_name((rg_hw_dtype)i));
    for (size_t i = 0; i < d->engine_count; i++) {
        add(t, false, 1, "engines.%s.count", d->engines[i].id);
        add(t, false, 1, "engines.%s.clock_max_hz", d->engines[i].id);
    }
    for (size_t i = 0; i < d->level_count; i++) {
        add(t, false, 1, "levels.%s.read_byte_per_s", d->levels[i].name);
        if (i + 1 < d->level_count) add(t, false, 1, "levels.%s.capacity_byte", d->levels[i].name);
        add(t, false, -1, "levels.%s.latency_s", d->levels[i].name);
        add(t, false, -1, "levels.%s.pj_per_byte", d->levels[i].name);
    }
    add(t, false, 1, "power.%s", "cap_w");
    add(t, false, -1, "power.%s", "idle_w");
    if (d->active_w > 0) add(t, false, -1, "power.%s", "active_w");
    if (d->ready_w > 0) add(t, false, -1, "power.%s", "ready_w");
    add(t, false, -1, "%s", "launch_s");
    if (t->plan->runtime->launch_s > 0) add(t, true, -1, "launch.%s", "launch_s");
    if (t->plan->runtime->graph_s > 0) add(t, true, -1, "launch.%s", "graph_s");
}

/* The same graph on a machine or stack whose figure is `factor` better. */
static rg_err price(trying *t, const knob *k, double factor, const rg_forecast **out)
{
    char change[128];
    const char *changes[] = {change};
    const rg_device *device = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    rg_plan_opt plan_opt = {
        .size = sizeof plan_opt, .precision = t->plan->precision, .threads = t->plan->threads};
    rg_str_print(change, sizeof change, "%s=%.17gx", k->path, k->better > 0 ? factor : 1 / factor);
    rg_err err = k->of_runtime ? rg_runtime_change(t->cx, t->plan->runtime, changes, 1, &runtime)
                               : rg_device_change(t->cx, t->plan->device, changes, 1, &device);
    if (!err) err = rg_plan_from(t->cx, t->plan->facts, device ? device : t->plan->device,
                                 runtime ? runtime : t->plan->runtime, &plan_opt, &plan);
    if (!err) err = rg_forecast_make(t->cx, plan, t->opt, out);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_device_free(device);
    return err;
}

static rg_err try_knob(trying *t, knob *k)
{
    const rg_forecast *f;
    double factor = t->factor;
    RG_TRY(price(t, k, factor, &f));
    k->latency_s = f->latency_s.value;
    k->energy_j = f->energy_j.value;
    for (int i = 0; i <= FLIP_DOUBLINGS; i++, factor *= 2) {
        if (i) RG_TRY(price(t, k, factor, &f));
        bool flipped = strcmp(f->bound, t->now->bound) != 0;
        if (flipped) k->flip = factor, k->flips_to = f->bound;
        rg_forecast_free(f);
        if (flipped || k->latency_s == t->now->latency_s.value) break; /* what does not help does not flip */
    }
    return RG_OK;
}

static void sort(trying *t)
{
    for (size_t i = 1; i < t->count; i++) { /* few: insertion sort, the largest gain first */
        knob x = t->knobs[i];
        size_t k = i;
        for (; k > 0 && (x.latency_s < t->knobs[k - 1].latency_s ||
                         (x.latency_s == t->knobs[k - 1].latency_s && x.energy_j < t->knobs[k - 1].energy_j));
             k--)
            t->knobs[k] = t->knobs[k - 1];
        t->knobs[k] = x;
    }
}

/* ---- the document ---- */

static const rg_column columns[] = {
    {"path", "figure", RG_UNIT_NONE, false},
    {"change", "becomes", RG_UNIT_NONE, false},
    {"latency_s", "latency", RG_UNIT_SECOND, false},
    {"gain", "less time", RG_UNIT_FRACTION, true},
    {"energy_gain", "less energy", RG_UNIT_FRACTION, false},
    {"flip_factor", "flips at (x)", RG_UNIT_NONE, false},
    {"flips_to", "flips to", RG_UNIT_NONE, false},
};

static void add_knob(const trying *t, rg_doc *doc, rg_item *figures, const knob *k)
{
    double time = t->now->latency_s.value, joules = t->now->energy_j.value;
    rg_item *item = rg_doc_object(doc, figures, NULL);
    rg_doc_text(doc, item, "path", "%s%s", k->of_runtime ? "runtime." : "", k->path);
    rg_doc_text(doc, item, "change", k->better > 0 ? "%.3gx" : "1/%.3gx", t->factor);
    rg_doc_real(doc, item, "latency_s", k->latency_s);
    rg_doc_real(doc, item, "energy_j", k->energy_j);
    rg_doc_real(doc, item, "gain", time > 0 ? 1 - k->latency_s / time : 0);
    rg_doc_real(doc, item, "energy_gain", joules > 0 ? 1 - k->energy_j / joules : 0);
    /* d ln latency / d ln figure, over the step */
    rg_doc_real(doc, item, "elasticity", k->latency_s > 0 && time > 0
                ? log(k->latency_s / time) / log(t->factor) * k->better : 0);
    rg_doc_real(doc, item, "flip_factor", k->flip > 0 ? k->flip : NAN);
    rg_doc_str(doc, item, "flips_to", k->flips_to);
}

static rg_err fill(trying *t, rg_doc *doc)
{
    const rg_plan *plan = t->plan;
    char time[32], energy[32];
    rg_item *root = rg_doc_root(doc);
    rg_unit_print(time, sizeof time, t->now->latency_s.value, RG_UNIT_SECOND);
    rg_unit_print(energy, sizeof energy, t->now->energy_j.value, RG_UNIT_JOULE);
    const char *label = rg_model_label(&t->cx->arena, plan->graph);
    if (!label) return rg_nomem(t->cx);
    rg_doc_str(doc, root, "model", label);
    rg_doc_str(doc, root, "device", plan->device->id);
    rg_doc_str(doc, root, "runtime", plan->runtime->id);
    rg_doc_str(doc, root, "precision", plan->precision);
    rg_doc_real(doc, root, "factor", t->factor);
    rg_doc_quantity(doc, root, "latency_s", t->now->latency_s);
    rg_doc_quantity(doc, root, "energy_j", t->now->energy_j);
    rg_doc_str(doc, root, "bound", t->now->bound);
    rg_item *figures = rg_doc_array(doc, root, "figures");
    for (size_t i = 0; i < t->count; i++) add_knob(t, doc, figures, &t->knobs[i]);
    rg_doc_section(doc, 1, "What would help %s on %s with %s most", label, plan->device->id,
                   plan->runtime->id);
    rg_doc_say(doc,
               "Now %s and %s an inference, bound by %s. Each figure alone is made %.3gx better; where more "
               "of it flips the bottleneck, the table says at what factor, and to what.",
               time, energy, t->now->bound, t->factor);
    rg_doc_table(doc, "figures", figures, columns, RG_COUNT(columns), 0);
    static const rg_axis gains[] = {{"gain", "share of the time gained", RG_UNIT_FRACTION, false}};
    rg_doc_chart(doc, &(rg_chart){
        .kind = RG_CHART_BARS, .name = "sensitivity", .title = "Time gained by each figure",
        .text = "The share of the latency that each figure brings when it is made better alone.",
        .array = figures, .y = gains, .y_count = 1, .label = "path",
    });
    return rg_doc_done(t->cx, doc);
}

static rg_err make(trying *t, rg_doc **out)
{
    list_knobs(t);
    for (size_t i = 0; i < t->count; i++)
        RG_TRY_NOTE(t->cx, try_knob(t, &t->knobs[i]), "%s", t->knobs[i].path);
    sort(t);
    RG_TRY(rg_doc_new(t->cx, "ridge.sensitivity/1", out));
    rg_err err = fill(t, *out);
    if (!err) return RG_OK;
    rg_doc_free(*out);
    *out = NULL;
    return err;
}

rg_err rg_sensitivity_doc(rg_ctx *cx, const rg_plan *plan, const rg_forecast_opt *opt, double factor,
                          rg_doc **out)
{
    *out = NULL;
    if (!(factor > 1) || factor > 1000)
        return rg_fail(cx, RG_USAGE, "a factor of %g: above 1 and at most 1000 is possible", factor);
    trying *t = RG_NEW(&cx->arena, trying, 1);
    if (!t) return rg_nomem(cx);
    *t = (trying){.cx = cx, .plan = plan, .opt = opt, .factor = factor};
    RG_TRY(rg_forecast_make(cx, plan, opt, &t->now));
    rg_err err = make(t, out);
    rg_forecast_free(t->now);
    return err;
}
