/* clocking_doc.c - "ridge.frequency/1": the curve over the clock, the choice, what it saves, and the front.
 *
 * device, runtime, objective, points[] -> clock, time, energy, power, front
 * choice{} -> the clock of the objective; choices[] -> of each objective; models[] -> each for itself
 */
#include "report/doc.h"
#include "scenario/clocking.h"

#include <math.h>

typedef struct writing {
    rg_doc *doc;
    const rg_clocking *c;
} writing;

static double energy_of(const rg_clock_point *p) { return p->time_s * p->power_w; }

static rg_item *add_points(const writing *w)
{
    const rg_clocking *c = w->c;
    rg_item *points = rg_doc_array(w->doc, rg_doc_root(w->doc), "points");
    for (size_t i = 0; i < c->count; i++) {
        const rg_clock_point *p = &c->sum[i];
        rg_item *r = rg_doc_object(w->doc, points, NULL);
        rg_doc_real(w->doc, r, "core_clock_hz", p->clock_hz);
        rg_doc_real(w->doc, r, "time_s", p->time_s);
        rg_doc_real(w->doc, r, "power_w", p->power_w);
        rg_doc_real(w->doc, r, "energy_j", energy_of(p));
        rg_doc_real(w->doc, r, "edp_js", energy_of(p) * p->time_s);
        rg_doc_flag(w->doc, r, "front", c->front[i]);
    }
    return points;
}

/* Against the highest clock. */
static void add_against_top(const writing *w, rg_item *r, const rg_clock_point *points, size_t at)
{
    const rg_clock_point *p = &points[at], *top = &points[w->c->count - 1];
    rg_doc_real(w->doc, r, "core_clock_hz", p->clock_hz);
    rg_doc_real(w->doc, r, "time_s", p->time_s);
    rg_doc_real(w->doc, r, "power_w", p->power_w);
    rg_doc_real(w->doc, r, "energy_j", energy_of(p));
    rg_doc_real(w->doc, r, "slowdown", p->time_s / top->time_s - 1);
    rg_doc_real(w->doc, r, "energy_saved", 1 - energy_of(p) / energy_of(top));
}

static void add_choice(const writing *w)
{
    const rg_clocking *c = w->c;
    const rg_estimate *e = &c->energy_ratio;
    rg_item *r = rg_doc_object(w->doc, rg_doc_root(w->doc), "choice");
    char clock[32], top[32], time[32];
    size_t at = c->best[c->goal];
    rg_doc_str(w->doc, r, "objective", rg_clock_goal_name(c->goal));
    add_against_top(w, r, c->sum, at);
    rg_doc_quantity(w->doc, r, "saving", (rg_estimate){1 - e->value, 1 - e->high, 1 - e->low});
    rg_unit_print(clock, sizeof clock, c->sum[at].clock_hz, RG_UNIT_CLOCK);
    rg_unit_print(top, sizeof top, c->sum[c->count - 1].clock_hz, RG_UNIT_CLOCK);
    rg_unit_print(time, sizeof time, c->sum[at].time_s, RG_UNIT_SECOND);
    rg_doc_point(w->doc, "fix the core clock at %s: %.1f %% less energy than at %s (90 %% of cases: %.1f to "
                         "%.1f %%), %.1f %% slower, %s",
                 clock, 100 * (1 - e->value), top, 100 * (1 - e->high), 100 * (1 - e->low),
                 100 * (c->sum[at].time_s / c->sum[c->count - 1].time_s - 1), time);
}

static rg_item *add_choices(const writing *w)
{
    const rg_clocking *c = w->c;
    rg_item *choices = rg_doc_array(w->doc, rg_doc_root(w->doc), "choices");
    for (rg_clock_goal g = 0; g < RG_GOAL_COUNT; g++) {
        rg_item *r = rg_doc_object(w->doc, choices, NULL);
        rg_doc_str(w->doc, r, "objective", rg_clock_goal_name(g));
        add_against_top(w, r, c->sum, c->best[g]);
    }
    return choices;
}

/* What the common clock costs each model over its own best one, by the objective. */
static rg_item *add_models(const writing *w)
{
    static const double delays[] = {[RG_GOAL_EDP] = 1, [RG_GOAL_ED2P] = 2, [RG_GOAL_ENERGY] = 0};
    const rg_clocking *c = w->c;
    rg_item *models = rg_doc_array(w->doc, rg_doc_root(w->doc), "models");
    for (size_t m = 0; m < c->model_count; m++) {
        const rg_clocked *model = &c->models[m];
        size_t own = model->best[c->goal];
        rg_item *r = rg_doc_object(w->doc, models, NULL);
        rg_doc_str(w->doc, r, "model", model->name);
        rg_doc_real(w->doc, r, "weight", model->weight);
        rg_doc_int(w->doc, r, "probes", (int64_t)model->probe_count);
        if (own == SIZE_MAX) continue;
        const rg_clock_point *a = &model->points[own], *b = &model->points[c->best[c->goal]];
        add_against_top(w, r, model->points, own);
        rg_doc_real(w->doc, r, "loss_at_choice",
                    energy_of(b) * pow(b->time_s, delays[c->goal]) /
                            (energy_of(a) * pow(a->time_s, delays[c->goal])) -
                        1);
    }
    return models;
}

/* ---- layout ---- */

static const rg_column choice_columns[] = {
    {"objective", "objective", RG_UNIT_NONE, false}, {"core_clock_hz", "core clock", RG_UNIT_CLOCK, false},
    {"time_s", "time", RG_UNIT_SECOND, false},       {"power_w", "power", RG_UNIT_WATT, false},
    {"energy_j", "energy", RG_UNIT_JOULE, false},    {"slowdown", "slower by", RG_UNIT_FRACTION, false},
    {"energy_saved", "saves", RG_UNIT_FRACTION, true},
};
static const rg_column model_columns[] = {
    {"model", "model", RG_UNIT_NONE, false},
    {"weight", "weight", RG_UNIT_NONE, false},
    {"probes", "probes", RG_UNIT_COUNT, false},
    {"core_clock_hz", "its own clock", RG_UNIT_CLOCK, false},
    {"energy_saved", "saves there", RG_UNIT_FRACTION, false},
    {"loss_at_choice", "loss at the common one", RG_UNIT_FRACTION, true},
};
static const rg_column point_columns[] = {
    {"core_clock_hz", "core clock", RG_UNIT_CLOCK, false}, {"time_s", "time", RG_UNIT_SECOND, false},
    {"power_w", "power", RG_UNIT_WATT, false},             {"energy_j", "energy", RG_UNIT_JOULE, true},
    {"front", "front", RG_UNIT_NONE, false},
};

static void show_chart(const writing *w, const rg_item *points, const char *name, const char *title,
                       const char *text, rg_axis y)
{
    rg_doc_chart(w->doc, &(rg_chart){
        .kind = RG_CHART_LINE, .name = name, .title = title, .text = text, .array = points,
        .x = {"core_clock_hz", "core clock", RG_UNIT_CLOCK, false}, .y = &y, .y_count = 1,
    });
}

static void show_charts(const writing *w, const rg_item *points)
{
    rg_axis energy = {"energy_j", "energy", RG_UNIT_JOULE, false};
    show_chart(w, points, "time", "Time", "Time over the core clock.",
               (rg_axis){"time_s", "time", RG_UNIT_SECOND, false});
    show_chart(w, points, "power", "Power", "Mean power over the core clock.",
               (rg_axis){"power_w", "power", RG_UNIT_WATT, false});
    show_chart(w, points, "energy", "Energy", "Energy over the core clock.", energy);
    rg_doc_chart(w->doc, &(rg_chart){
        .kind = RG_CHART_SCATTER, .name = "front", .title = "Time against energy",
        .text = "A mark for each clock; joined are those that no other beats in both.", .array = points,
        .x = {"time_s", "time", RG_UNIT_SECOND, false}, .y = &energy, .y_count = 1, .label = "core_clock_hz",
        .mark = "front",
    });
}

static void show_notes(const writing *w)
{
    const rg_clocking *c = w->c;
    char low[32], high[32];
    if (c->slowdown >= 0) rg_doc_say(w->doc, "No slower than %.1f %%.", 100 * c->slowdown);
    rg_unit_print(high, sizeof high, c->limit_w > 0 ? c->limit_w : c->device->cap_w, RG_UNIT_WATT);
    if (c->above) rg_doc_say(w->doc, "%zu clocks take more than %s and are left out.", c->above, high);
    rg_unit_print(low, sizeof low, c->clocks_hz[0], RG_UNIT_CLOCK);
    rg_unit_print(high, sizeof high, c->clocks_hz[c->count - 1], RG_UNIT_CLOCK);
    rg_doc_say(w->doc, "%zu clocks from %s to %s%s.", c->count, low, high,
               c->device->clock_count ? "" : ", assumed: nobody published those of this device");
}

static void fill(const writing *w)
{
    const rg_clocking *c = w->c;
    rg_item *root = rg_doc_root(w->doc);
    rg_doc_str(w->doc, root, "device", c->device->id);
    rg_doc_str(w->doc, root, "runtime", c->runtime);
    rg_doc_str(w->doc, root, "objective", rg_clock_goal_name(c->goal));
    rg_doc_real(w->doc, root, "slowdown_limit", c->slowdown >= 0 ? c->slowdown : NAN);
    rg_doc_real(w->doc, root, "power_limit_w", c->limit_w > 0 ? c->limit_w : c->device->cap_w);
    rg_doc_section(w->doc, 1, "The core clock of %s for %s%s", c->device->id, c->models[0].name,
                   c->model_count > 1 ? " and others" : "");
    add_choice(w);
    rg_item *choices = add_choices(w), *models = add_models(w), *points = add_points(w);
    show_notes(w);
    rg_doc_table(w->doc, "choices", choices, choice_columns, RG_COUNT(choice_columns), 0);
    if (c->model_count > 1) rg_doc_section(w->doc, 2, "Each model for itself");
    if (c->model_count > 1) rg_doc_table(w->doc, "models", models, model_columns, RG_COUNT(model_columns), 0);
    rg_doc_section(w->doc, 2, "The curve");
    rg_doc_table(w->doc, "points", points, point_columns, RG_COUNT(point_columns), 0);
    show_charts(w, points);
}

rg_err rg_frequency_doc(rg_ctx *cx, const rg_frequency_opt *opt, rg_doc **out)
{
    rg_frequency_opt o = {.slowdown = -1};
    rg_clocking *c;
    rg_doc *doc = NULL;
    *out = NULL;
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    RG_TRY(rg_clocking_make(cx, &o, &c));
    rg_err err = rg_doc_new(cx, "ridge.frequency/1", &doc);
    if (!err) fill(&(writing){doc, c});
    if (!err) err = rg_doc_done(cx, doc);
    if (err) rg_doc_free(doc);
    else *out = doc;
    rg_clocking_free(c);
    return err;
}
