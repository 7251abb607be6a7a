/* study_compare.c - "ridge.compare/1": the points of a study as one table, the best of them, a verdict on
 * limits, and why runtimes differ.
 *
 * results[] -> one object a point, in the order asked for · best[] by model · cells[] model x device ·
 * verdict · spreads[] · refused[]
 */
#include "report/report.h"
#include "study/study_limits.h"

#include <math.h>
#include <string.h>

typedef struct comparing {
    rg_ctx *cx;
    rg_doc *doc;
    const rg_study *s;
    const rg_point **order;      /* points that have a forecast, as they are shown */
    size_t count;
    bool *front;                 /* by index in points: no other of its model is faster and thriftier */
    rg_limits limits;
    int explain;
} comparing;

/* ---- order ---- */

typedef struct sorter {
    const char *name;
    double (*number)(const rg_point *p);               /* ascending */
    const char *(*text)(const rg_study *s, const rg_point *p);
} sorter;

static double latency(const rg_point *p) { return p->latency_s.value; }
static double energy(const rg_point *p) { return p->energy_j.value; }
static double thrift(const rg_point *p) { return p->energy_j.value / fmax((double)p->inputs, 1); }
static double power(const rg_point *p) { return p->power_w.value; }
static double memory(const rg_point *p) { return p->peak_memory_byte.value; }
static double per_input(const rg_point *p, double x) /* what is not known comes last */
{
    return isnan(x) ? INFINITY : x / fmax((double)p->inputs, 1);
}
static double cost(const rg_point *p) { return per_input(p, p->cost_usd.value); }
static double carbon(const rg_point *p) { return per_input(p, p->carbon_g.value); }
static double slowness(const rg_point *p) { return -p->throughput_per_s; }
static const char *model_of(const rg_study *s, const rg_point *p) { return s->labels[p->model]; }
static const char *device_of(const rg_study *s, const rg_point *p) { return s->devices[p->device]->id; }
static const char *runtime_of(const rg_study *s, const rg_point *p) { return s->runtimes[p->runtime]->id; }

enum { BY_LATENCY, BY_THRIFT }; /* those that the front needs, too */
static const sorter sorters[] = {
    [BY_LATENCY] = {"latency", latency, NULL},
    [BY_THRIFT] = {"energy-per-input", thrift, NULL},
    {"energy", energy, NULL},
    {"throughput", slowness, NULL},
    {"power", power, NULL},
    {"memory", memory, NULL},
    {"cost", cost, NULL},
    {"carbon", carbon, NULL},
    {"model", NULL, model_of},
    {"device", NULL, device_of},
    {"runtime", NULL, runtime_of},
};

static int compare_by(const sorter *by, const rg_study *s, const rg_point *a, const rg_point *b)
{
    if (by->text) return strcmp(by->text(s, a), by->text(s, b));
    double x = by->number(a), y = by->number(b); /* both may be infinite: no difference */
    return (x > y) - (x < y);
}

/* Merge sort: equal ones stay in the order of the request, and it takes what to compare by along. */
static void sort(const sorter *by, const rg_study *s, const rg_point **items, const rg_point **spare,
                 size_t count)
{
    size_t half = count / 2, i = 0, k = half, at = 0;
    if (count < 2) return;
    sort(by, s, items, spare, half);
    sort(by, s, items + half, spare, count - half);
    while (at < count) {
        bool left = k == count || (i < half && compare_by(by, s, items[i], items[k]) <= 0);
        spare[at++] = left ? items[i++] : items[k++];
    }
    memcpy(items, spare, count * sizeof *items);
}

static rg_err order_points(comparing *c, const char *name)
{
    const rg_study *s = c->s;
    c->order = RG_NEW(&c->cx->arena, const rg_point *, s->point_count + 1);
    const rg_point **spare = RG_NEW(&c->cx->arena, const rg_point *, s->point_count + 1);
    if (!c->order || !spare) return rg_nomem(c->cx);
    for (size_t i = 0; i < s->point_count; i++)
        if (!s->points[i].err) c->order[c->count++] = &s->points[i];
    for (size_t i = 0; name && i < RG_COUNT(sorters); i++) {
        if (strcmp(sorters[i].name, name) != 0) continue;
        sort(&sorters[i], s, c->order, spare, c->count);
        return RG_OK;
    }
    return name ? rg_fail(c->cx, RG_USAGE, "cannot sort by '%s'", name) : RG_OK;
}

/* Those that no other point of the same model beats in latency or energy per input without losing in the
 * other: by latency, of equals by energy, and with each the least energy yet. */
static rg_err find_front(comparing *c)
{
    const rg_study *s = c->s;
    const rg_point **items = RG_NEW(&c->cx->arena, const rg_point *, c->count + 1);
    const rg_point **spare = RG_NEW(&c->cx->arena, const rg_point *, c->count + 1);
    double *least = RG_NEW(&c->cx->arena, double, s->model_count);
    c->front = RG_NEW(&c->cx->arena, bool, s->point_count);
    if (!items || !spare || !least || !c->front) return rg_nomem(c->cx);
    for (size_t i = 0; i < s->model_count; i++) least[i] = INFINITY;
    if (c->count) memcpy(items, c->order, c->count * sizeof *items);
    sort(&sorters[BY_THRIFT], s, items, spare, c->count);
    sort(&sorters[BY_LATENCY], s, items, spare, c->count);
    for (size_t i = 0; i < c->count; i++) {
        const rg_point *p = items[i];
        if (!p->fits || thrift(p) >= least[p->model]) continue;
        least[p->model] = thrift(p);
        c->front[p - s->points] = true;
    }
    return RG_OK;
}

/* ---- the tree ---- */

static void add_config(const comparing *c, rg_item *item, const rg_point *p)
{
    rg_doc_str(c->doc, item, "model", model_of(c->s, p));
    rg_doc_str(c->doc, item, "device", device_of(c->s, p));
    rg_doc_str(c->doc, item, "runtime", runtime_of(c->s, p));
    rg_doc_str(c->doc, item, "precision", c->s->precisions[p->precision]);
    rg_doc_int(c->doc, item, "batch", p->inputs);
}

/* null where no price is known. */
static void add_cost(rg_doc *doc, rg_item *result, const char *key, rg_estimate x)
{
    if (isnan(x.value)) rg_doc_real(doc, result, key, NAN);
    else rg_doc_quantity(doc, result, key, x);
}

static void add_point(const comparing *c, rg_item *results, const rg_point *p)
{
    rg_doc *d = c->doc;
    rg_item *r = rg_doc_object(d, results, NULL);
    add_config(c, r, p);
    if (c->s->seqs.count) rg_doc_real(d, r, "seq", c->s->seqs.values[p->seq]);
    if (c->s->clocks) rg_doc_real(d, r, "asked_clock_hz", p->core_hz);
    rg_doc_quantity(d, r, "latency_s", p->latency_s);
    rg_doc_real(d, r, "throughput_per_s", p->throughput_per_s);
    rg_doc_quantity(d, r, "energy_j", p->energy_j);
    rg_doc_quantity(d, r, "power_w", p->power_w);
    rg_doc_quantity(d, r, "peak_memory_byte", p->peak_memory_byte);
    rg_doc_real(d, r, "energy_per_input_j", thrift(p));
    add_cost(d, r, "cost_usd", p->cost_usd);
    add_cost(d, r, "carbon_g", p->carbon_g);
    if (c->s->costs) {
        double inputs = fmax((double)p->inputs, 1);
        rg_doc_real(d, r, "cost_per_million_inputs_usd", 1e6 * p->cost_usd.value / inputs);
        rg_doc_real(d, r, "carbon_per_million_inputs_g", 1e6 * p->carbon_g.value / inputs);
    }
    rg_doc_real(d, r, "core_clock_hz", p->clock_hz);
    rg_doc_str(d, r, "bound", p->bound);
    rg_doc_flag(d, r, "fits", p->fits);
    rg_doc_flag(d, r, "within", rg_limits_keep(&c->limits, p));
    rg_doc_flag(d, r, "front", c->front[p - c->s->points]);
    rg_doc_int(d, r, "row_count", p->rows);
    rg_doc_int(d, r, "checks_passed", p->checks - p->checks_failed);
    rg_doc_int(d, r, "checks_failed", p->checks_failed);
}

/* The checks in full and the rows, where the study kept what they come from. */
static rg_err add_results(const comparing *c, rg_item *results)
{
    for (size_t i = 0; i < c->count; i++) {
        const rg_point *p = c->order[i];
        add_point(c, results, p);
        rg_item *checks = rg_doc_array(c->doc, results->last, "checks");
        for (uint32_t k = 0; p->forecast && k < p->forecast->check_count; k++) {
            rg_item *check = rg_doc_object(c->doc, checks, NULL);
            rg_doc_str(c->doc, check, "name", p->forecast->checks[k].name);
            rg_doc_flag(c->doc, check, "pass", p->forecast->checks[k].pass);
            rg_doc_str(c->doc, check, "text", p->forecast->checks[k].text);
        }
        rg_item *rows = rg_doc_array(c->doc, results->last, "rows");
        if (p->forecast && c->explain > 0) RG_TRY(rg_rows_add(c->cx, c->doc, rows, p->forecast));
    }
    return RG_OK;
}

/* The fastest point of a model that keeps the limits. */
static const rg_point *fastest(const comparing *c, uint32_t model)
{
    const rg_point *best = NULL;
    for (size_t i = 0; i < c->s->point_count; i++) {
        const rg_point *p = &c->s->points[i];
        if (p->model != model || !rg_limits_keep(&c->limits, p)) continue;
        if (!best || p->latency_s.value < best->latency_s.value) best = p;
    }
    return best;
}

static rg_item *add_best(const comparing *c)
{
    rg_item *best = rg_doc_array(c->doc, rg_doc_root(c->doc), "best");
    for (uint32_t m = 0; m < c->s->model_count; m++) {
        const rg_point *p = fastest(c, m);
        if (p) add_point(c, best, p);
    }
    return best;
}

/* Points of a model follow each other, so that each is looked at once. */
static rg_err add_cells(const comparing *c, rg_item **out)
{
    const rg_study *s = c->s;
    const rg_point **best = RG_NEW(&c->cx->arena, const rg_point *, s->model_count * s->device_count);
    if (!best) return rg_nomem(c->cx);
    for (size_t i = 0; i < s->point_count; i++) {
        const rg_point *p = &s->points[i], **cell = &best[p->model * s->device_count + p->device];
        if (!p->err && p->fits && (!*cell || p->latency_s.value < (*cell)->latency_s.value)) *cell = p;
    }
    *out = rg_doc_array(c->doc, rg_doc_root(c->doc), "cells");
    for (size_t i = 0; i < s->model_count * s->device_count; i++) {
        if (!best[i]) continue;
        rg_item *cell = rg_doc_object(c->doc, *out, NULL);
        add_config(c, cell, best[i]);
        rg_doc_real(c->doc, cell, "latency_s", best[i]->latency_s.value);
        rg_doc_real(c->doc, cell, "energy_per_input_j", thrift(best[i]));
    }
    return RG_OK;
}

/* ---- the page ---- */

static const rg_column columns[] = {
    {"model", "model", RG_UNIT_NONE, false},
    {"device", "device", RG_UNIT_NONE, false},
    {"runtime", "runtime", RG_UNIT_NONE, false},
    {"precision", "precision", RG_UNIT_NONE, false},
    {"batch", "batch", RG_UNIT_COUNT, false},
    {"latency_s", "latency", RG_UNIT_SECOND, false},
    {"throughput_per_s", "inputs/s", RG_UNIT_COUNT, false},
    {"energy_per_input_j", "energy/input", RG_UNIT_JOULE, false},
    {"power_w.value", "power", RG_UNIT_WATT, false},
    {"peak_memory_byte.value", "memory", RG_UNIT_BYTE, false},
    {"bound", "bound by", RG_UNIT_NONE, false},
    {"fits", "fits", RG_UNIT_NONE, false},
};
/* Behind the others, where they were asked for. */
static const rg_column cost_columns[] = {
    {"cost_per_million_inputs_usd", "$/M inputs", RG_UNIT_USD, false},
    {"carbon_per_million_inputs_g", "CO2/M inputs", RG_UNIT_GRAM, false},
};
/* Behind those, where there are limits. */
static const rg_column within_column = {"within", "within", RG_UNIT_NONE, false};

static const char *plural(size_t count) { return count == 1 ? "" : "s"; }

/* Whether one that was said already tells as much: the same machine, or the same words. */
static bool is_said(const rg_point *const *said, size_t count, const rg_point *p)
{
    for (size_t i = 0; i < count; i++)
        if ((said[i]->device == p->device && said[i]->runtime == p->runtime) ||
            strcmp(said[i]->error, p->error) == 0)
            return true;
    return false;
}

/* Combinations that cannot be: all of them in the tree, one of each kind on the page. */
static void show_refused(const comparing *c)
{
    rg_item *refused = rg_doc_array(c->doc, rg_doc_root(c->doc), "refused");
    enum { SHOWN = 10 };
    const rg_point *said[SHOWN];
    size_t count = 0, shown = 0;
    for (size_t i = 0; i < c->s->point_count; i++) {
        const rg_point *p = &c->s->points[i];
        if (!p->err) continue;
        rg_item *item = rg_doc_object(c->doc, refused, NULL);
        rg_doc_str(c->doc, item, "model", c->s->labels[p->model]);
        rg_doc_str(c->doc, item, "device", device_of(c->s, p));
        rg_doc_str(c->doc, item, "runtime", runtime_of(c->s, p));
        rg_doc_str(c->doc, item, "precision", c->s->precisions[p->precision]);
        rg_doc_str(c->doc, item, "reason", p->error);
        count++;
        if (shown < SHOWN && !is_said(said, shown, p)) said[shown++] = p;
    }
    if (!count) return;
    rg_doc_section(c->doc, 2, "Not possible");
    rg_doc_say(c->doc, "%zu of %zu combinations cannot be%s:", count, c->s->point_count,
               count > shown ? "; such as" : "");
    for (size_t i = 0; i < shown; i++) {
        char where[256];
        rg_doc_point(c->doc, "%s: %s", rg_point_print(c->s, said[i], true, where, sizeof where),
                     said[i]->error);
    }
}

static void show_failures(const comparing *c)
{
    char where[256];
    size_t failed = 0, made = 0;
    for (size_t i = 0; i < c->count; i++) {
        made += c->order[i]->checks;
        failed += c->order[i]->checks_failed;
        if (c->order[i]->failed)
            rg_doc_point(c->doc, "%s: %s", rg_point_print(c->s, c->order[i], true, where, sizeof where),
                         c->order[i]->failed);
    }
    rg_doc_say(c->doc, "%zu forecast%s, %zu checks, %zu failed.", c->count, plural(c->count), made, failed);
}

/* ---- why runtimes differ ---- */

static rg_err plan_of(rg_ctx *cx, const rg_study *s, const rg_point *p, const rg_plan **out)
{
    rg_plan_opt opt = {.size = sizeof opt, .precision = s->precisions[p->precision],
                       .threads = s->cpu_threads};
    return rg_plan_from(cx, rg_point_facts(s, p), s->devices[p->device], s->runtimes[p->runtime], &opt, out);
}

static rg_err add_spread(const comparing *c, rg_item *spreads, const rg_point *a, const rg_point *b)
{
    rg_spread_step steps[RG_SPREAD_STEPS];
    const rg_plan *plan = NULL;
    int count = 0;
    char gain[32], where[256];
    RG_TRY(plan_of(c->cx, c->s, a, &plan));
    rg_err err =
        rg_spread(c->cx, plan, c->s->runtimes[b->runtime], a->core_hz, c->s->learning, steps, &count);
    rg_plan_free(plan);
    if (err) return err;
    rg_item *spread = rg_doc_object(c->doc, spreads, NULL);
    add_config(c, spread, a);
    rg_doc_str(c->doc, spread, "to", runtime_of(c->s, b));
    rg_doc_real(c->doc, spread, "gain_s", a->latency_s.value - b->latency_s.value);
    rg_item *parts = rg_doc_array(c->doc, spread, "steps");
    rg_unit_print(gain, sizeof gain, a->latency_s.value - b->latency_s.value, RG_UNIT_SECOND);
    rg_doc_say(c->doc, "%s: %s is %.3gx as fast as %s. The difference of %s is made up of:",
               rg_point_print(c->s, a, false, where, sizeof where), runtime_of(c->s, b),
               a->latency_s.value / b->latency_s.value, runtime_of(c->s, a), gain);
    for (int i = 0; i < count; i++) {
        rg_item *step = rg_doc_object(c->doc, parts, NULL);
        rg_doc_str(c->doc, step, "name", steps[i].name);
        rg_doc_real(c->doc, step, "gain_s", steps[i].gain_s);
        rg_doc_str(c->doc, step, "text", steps[i].text);
        rg_unit_print(gain, sizeof gain, fabs(steps[i].gain_s), RG_UNIT_SECOND);
        rg_doc_point(c->doc, "%s%s by %s: %s", gain, steps[i].gain_s > 0 ? "" : " lost", steps[i].name,
                     steps[i].text);
    }
    return RG_OK;
}

/* Points of one model on one device follow each other (study.h). */
static size_t end_of_machine(const rg_study *s, size_t first)
{
    size_t end = first;
    while (end < s->point_count && s->points[end].model == s->points[first].model &&
           s->points[end].device == s->points[first].device)
        end++;
    return end;
}

static bool same_but_runtime(const rg_point *a, const rg_point *b)
{
    return a->precision == b->precision && a->batch == b->batch && a->seq == b->seq &&
           a->core_hz == b->core_hz && a->runtime != b->runtime;
}

/* Each runtime against the slowest one of the same machine and model, as far as a page can hold them. */
static rg_err show_spreads(const comparing *c)
{
    enum { SHOWN = 12 };
    const rg_study *s = c->s;
    int shown = 0;
    rg_item *spreads = rg_doc_array(c->doc, rg_doc_root(c->doc), "spreads");
    size_t from = 0, to = 0;
    for (size_t i = 0; i < s->point_count && shown < SHOWN && s->runtime_count > 1; i++) {
        const rg_point *slow = &s->points[i];
        if (i == to) from = i, to = end_of_machine(s, i);
        bool slowest = !slow->err;
        for (size_t k = from; slowest && k < to; k++) {
            const rg_point *other = &s->points[k];
            if (!same_but_runtime(slow, other) || other->err) continue;
            slowest = other->latency_s.value < slow->latency_s.value ||
                      (other->latency_s.value == slow->latency_s.value && k > i);
        }
        for (size_t k = from; slowest && k < to && shown < SHOWN; k++) {
            if (!same_but_runtime(slow, &s->points[k]) || s->points[k].err) continue;
            if (!shown++) rg_doc_section(c->doc, 2, "Why the runtimes differ");
            RG_TRY(add_spread(c, spreads, slow, &s->points[k]));
        }
    }
    return RG_OK;
}

/* ---- the whole ---- */

static void show_table(const comparing *c, const char *name, const rg_item *array)
{
    rg_column all[RG_COUNT(columns) + RG_COUNT(cost_columns) + 3];
    size_t count = 0;
    for (size_t i = 0; i < RG_COUNT(columns); i++) {
        all[count++] = columns[i];
        if (strcmp(columns[i].path, "batch") != 0) continue;
        if (c->s->seqs.count) all[count++] = (rg_column){"seq", "sequence", RG_UNIT_COUNT, false};
        if (c->s->clocks) all[count++] = (rg_column){"core_clock_hz", "core clock", RG_UNIT_HERTZ, false};
    }
    for (size_t i = 0; i < RG_COUNT(cost_columns) && c->s->costs; i++) all[count++] = cost_columns[i];
    if (rg_limits_any(&c->limits)) all[count++] = within_column;
    rg_doc_table(c->doc, name, array, all, count, 0);
}

static void show_charts(const comparing *c, const rg_item *results, const rg_item *cells)
{
    static const rg_axis joules = {"energy_per_input_j", "energy per input", RG_UNIT_JOULE, true};
    static const rg_axis speed = {"latency_s", "latency", RG_UNIT_SECOND, true};
    if (c->count > 1)
        rg_doc_chart(c->doc, &(rg_chart){
            .kind = RG_CHART_SCATTER, .name = "pareto", .title = "Latency and energy",
            .text = "Each forecast by its latency and its energy per input; those that no other of the same "
                    "model beats in both are marked.",
            .array = results, .x = {"latency_s.value", "latency", RG_UNIT_SECOND, true},
            .y = &joules, .y_count = 1, .group = c->s->model_count == 1 ? "runtime" : "model",
            .label = "device", .mark = "front", .mark_by_group = c->s->model_count > 1,
        });
    if (c->s->device_count > 1 && c->s->model_count > 1)
        rg_doc_chart(c->doc, &(rg_chart){
            .kind = RG_CHART_HEAT, .name = "heat", .title = "Latency of each model on each device",
            .text = "The fastest runtime and setting of each cell; empty where none fits.",
            .array = cells, .x = {"device", "device", RG_UNIT_NONE, false}, .y = &speed, .y_count = 1,
            .label = "model",
        });
}

static rg_err fill(comparing *c, const char *sort_by)
{
    char title[256];
    RG_TRY(order_points(c, sort_by));
    RG_TRY(find_front(c));
    rg_item *results = rg_doc_array(c->doc, rg_doc_root(c->doc), "results"), *cells = NULL;
    rg_study_title(c->s, title, sizeof title);
    rg_doc_section(c->doc, 1, "%s", title);
    RG_TRY(add_results(c, results));
    RG_TRY(add_cells(c, &cells));
    show_table(c, "results", results);
    show_charts(c, results, cells);
    rg_item *best = add_best(c);
    rg_limits_verdict(c->doc, c->s, &c->limits, c->order, c->count);
    if (c->s->model_count > 1) rg_doc_section(c->doc, 2, "The fastest of each model");
    if (c->s->model_count > 1) show_table(c, "best", best);
    RG_TRY(show_spreads(c));
    show_refused(c);
    rg_doc_section(c->doc, 2, "Checks");
    show_failures(c);
    return rg_doc_done(c->cx, c->doc);
}

rg_err rg_compare_doc(rg_ctx *cx, const rg_study *study, const rg_limits *limits, const char *sort_by,
                      int explain, rg_doc **out)
{
    comparing c = {.cx = cx, .s = study, .limits = rg_limits_of(limits), .explain = explain};
    *out = NULL;
    RG_TRY(rg_doc_new(cx, "ridge.compare/1", &c.doc));
    rg_err err = fill(&c, sort_by);
    if (err) rg_doc_free(c.doc);
    else *out = c.doc;
    return err;
}
