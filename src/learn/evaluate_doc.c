/* evaluate_doc.c - "ridge.evaluate/1": scores of forecasts, by quantity, device and family.
 *
 * results[] -> file, kind, quantity, n, answered, overall{} (devices weighted equally), groups[], points[],
 * worst[], misses[]
 */
#include "learn/evaluate.h"
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORST = 10 };

typedef struct scoring {
    rg_ctx *cx;
    rg_doc *doc;
    const rg_evaluation *e;
    int quantity;
    double *measured, *forecast, *spread; /* of one group */
    rg_verdict **order;
} scoring;

static void add_score(rg_doc *d, rg_item *r, const rg_score *s)
{
    rg_doc_int(d, r, "n", (int64_t)s->n);
    rg_doc_int(d, r, "answered", (int64_t)s->answered);
    rg_doc_real(d, r, "mape", s->mape);
    rg_doc_real(d, r, "median_ape", s->median_ape);
    rg_doc_real(d, r, "mae", s->mae);
    rg_doc_real(d, r, "rmse", s->rmse);
    rg_doc_real(d, r, "r2", s->r2);
    rg_doc_real(d, r, "tau", s->tau);
    rg_doc_real(d, r, "bias", s->bias);
    rg_doc_real(d, r, "coverage90", s->coverage90);
    rg_doc_real(d, r, "width90", s->width90);
}

static bool is_in(const rg_evaluation *e, const rg_verdict *v, const rg_str *device, const rg_str *family)
{
    const rg_group *g = &e->groups[v->group];
    return (!device || rg_str_eq(g->device, *device)) && (!family || rg_str_eq(g->family, *family));
}

/* What a forecast was told is no test of it. */
static bool is_scored(const scoring *s, const rg_verdict *v, bool dirty)
{
    return !isnan(v->measured[s->quantity]) && !v->probe && !v->dirty == !dirty;
}

/* NULL: any. */
static rg_err score_rows(scoring *s, const rg_str *device, const rg_str *family, bool dirty, rg_score *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s->e->count; i++) {
        const rg_verdict *v = &s->e->verdicts[i];
        if (!is_scored(s, v, dirty) || !is_in(s->e, v, device, family)) continue;
        s->measured[n] = v->measured[s->quantity];
        s->spread[n] = v->spread[s->quantity];
        s->forecast[n++] = v->forecast[s->quantity];
    }
    RG_TRY(rg_score_of(s->cx, s->measured, s->forecast, n, out));
    rg_score_intervals(s->measured, s->forecast, s->spread, n, out);
    return RG_OK;
}

static rg_err score(scoring *s, const rg_str *device, const rg_str *family, rg_score *out)
{
    return score_rows(s, device, family, false, out);
}

/* The first group of its device: each device is looked at once. */
static bool begins_device(const rg_evaluation *e, size_t group)
{
    for (size_t i = 0; i < group; i++)
        if (rg_str_eq(e->groups[i].device, e->groups[group].device)) return false;
    return true;
}

/* Means over devices, each as heavy as any other. */
static rg_err add_overall(scoring *s, rg_item *result, rg_item *devices)
{
    rg_score sum = {0};
    double count = 0, taus = 0, tau_count = 0, covered = 0, wide = 0, cover_count = 0;
    for (size_t g = 0; g < s->e->group_count; g++) {
        rg_score one;
        if (!begins_device(s->e, g)) continue;
        RG_TRY(score(s, &s->e->groups[g].device, NULL, &one));
        if (!one.n) continue;
        rg_item *r = rg_doc_object(s->doc, devices, NULL);
        rg_doc_view(s->doc, r, "device", s->e->groups[g].device);
        add_score(s->doc, r, &one);
        sum.n += one.n, sum.answered += one.answered;
        sum.mape += one.mape, sum.median_ape += one.median_ape;
        sum.bias += isnan(one.bias) ? 0 : one.bias;
        if (!isnan(one.tau)) taus += one.tau, tau_count++;
        if (!isnan(one.coverage90)) covered += one.coverage90, wide += one.width90, cover_count++;
        count++;
    }
    rg_item *r = rg_doc_object(s->doc, result, "overall");
    rg_doc_int(s->doc, r, "n", (int64_t)sum.n);
    rg_doc_int(s->doc, r, "answered", (int64_t)sum.answered);
    rg_doc_real(s->doc, r, "devices", count);
    rg_doc_real(s->doc, r, "mape", sum.mape / count);
    rg_doc_real(s->doc, r, "median_ape", sum.median_ape / count);
    rg_doc_real(s->doc, r, "tau", tau_count > 0 ? taus / tau_count : NAN);
    rg_doc_real(s->doc, r, "bias", sum.bias / count);
    rg_doc_real(s->doc, r, "coverage90", cover_count > 0 ? covered / cover_count : NAN);
    rg_doc_real(s->doc, r, "width90", cover_count > 0 ? wide / cover_count : NAN);
    return RG_OK;
}

static rg_err add_groups(scoring *s, rg_item *groups)
{
    for (size_t g = 0; g < s->e->group_count; g++) {
        const rg_group *group = &s->e->groups[g];
        rg_score one;
        RG_TRY(score(s, &group->device, &group->family, &one));
        if (!one.n) continue;
        rg_item *r = rg_doc_object(s->doc, groups, NULL);
        rg_doc_view(s->doc, r, "device", group->device);
        rg_doc_view(s->doc, r, "family", group->family);
        add_score(s->doc, r, &one);
    }
    return RG_OK;
}

/* ---- the worst ---- */

typedef struct ranked { double ape; uint32_t index; } ranked;

static int by_error(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->ape != y->ape) return x->ape > y->ape ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static rg_err add_worst(scoring *s, rg_item *result, rg_item **out)
{
    const rg_evaluation *e = s->e;
    ranked *all = RG_NEW(&s->cx->arena, ranked, e->count + 1);
    size_t count = 0;
    if (!all) return rg_nomem(s->cx);
    for (size_t i = 0; i < e->count; i++) {
        double m = e->verdicts[i].measured[s->quantity], f = e->verdicts[i].forecast[s->quantity];
        if (is_scored(s, &e->verdicts[i], false) && !isnan(f))
            all[count++] = (ranked){fabs(f - m) / m, (uint32_t)i};
    }
    if (count) qsort(all, count, sizeof *all, by_error);
    *out = rg_doc_array(s->doc, result, "worst");
    for (size_t i = 0; i < count && i < WORST; i++) {
        const rg_verdict *v = &e->verdicts[all[i].index];
        rg_item *r = rg_doc_object(s->doc, *out, NULL);
        rg_doc_int(s->doc, r, "line", v->row + 2); /* of the file: the first line names the columns */
        rg_doc_view(s->doc, r, "device", e->groups[v->group].device);
        rg_doc_view(s->doc, r, "family", e->groups[v->group].family);
        rg_doc_real(s->doc, r, "measured", v->measured[s->quantity]);
        rg_doc_real(s->doc, r, "forecast", v->forecast[s->quantity]);
        rg_doc_real(s->doc, r, "ape", all[i].ape);
    }
    return RG_OK;
}

/* Reasons for misses, each once, with how many rows it stands for. */
static rg_err add_misses(scoring *s, rg_item *result, rg_item **out)
{
    rg_map index;
    rg_map_init(&index, &s->cx->arena);
    uint32_t count = 0, *rows = RG_NEW(&s->cx->arena, uint32_t, s->e->count + 1);
    const char **texts = RG_NEW(&s->cx->arena, const char *, s->e->count + 1);
    if (!rows || !texts) return rg_nomem(s->cx);
    for (size_t i = 0; i < s->e->count; i++) {
        const rg_verdict *v = &s->e->verdicts[i];
        if (!v->error || isnan(v->measured[s->quantity])) continue;
        uint32_t at = rg_map_get(&index, rg_str_of(v->error));
        if (!at && !rg_map_put(&index, rg_str_of(v->error), at = ++count)) return rg_nomem(s->cx);
        texts[at] = v->error;
        rows[at]++;
    }
    *out = rg_doc_array(s->doc, result, "misses");
    for (uint32_t i = 1; i <= count; i++) {
        rg_item *r = rg_doc_object(s->doc, *out, NULL);
        rg_doc_str(s->doc, r, "why", texts[i]);
        rg_doc_int(s->doc, r, "rows", rows[i]);
    }
    return RG_OK;
}

/* Rows that show something else than what was to be measured: each reason, its rows, and how far off the
 * forecast is there. */
static rg_err add_dirty(scoring *s, rg_item *result, rg_item **out)
{
    const rg_evaluation *e = s->e;
    rg_score one;
    RG_TRY(score_rows(s, NULL, NULL, true, &one));
    *out = rg_doc_array(s->doc, result, "dirty");
    if (!one.n) return RG_OK;
    rg_doc_int(s->doc, result, "dirty_rows", (int64_t)one.n);
    rg_doc_real(s->doc, result, "dirty_mape", one.mape);
    for (size_t i = 0; i < e->count; i++) {
        const rg_verdict *v = &e->verdicts[i];
        if (!v->dirty || isnan(v->measured[s->quantity])) continue;
        rg_item *r = rg_doc_object(s->doc, *out, NULL);
        rg_doc_int(s->doc, r, "line", v->row + 2);
        rg_doc_view(s->doc, r, "device", e->groups[v->group].device);
        rg_doc_view(s->doc, r, "family", e->groups[v->group].family);
        rg_doc_str(s->doc, r, "why", v->dirty);
        rg_doc_real(s->doc, r, "measured", v->measured[s->quantity]);
        rg_doc_real(s->doc, r, "forecast", v->forecast[s->quantity]);
    }
    return RG_OK;
}

/* ---- layout ---- */

#define SCORES \
    {"n", "rows", RG_UNIT_COUNT, false}, {"answered", "answered", RG_UNIT_COUNT, false}, \
    {"mape", "MAPE", RG_UNIT_FRACTION, true}, {"median_ape", "median", RG_UNIT_FRACTION, false}, \
    {"bias", "bias", RG_UNIT_FRACTION, false}, {"tau", "Kendall tau", RG_UNIT_NONE, false}, \
    {"coverage90", "in 90 %", RG_UNIT_FRACTION, false}

static const rg_column overall_columns[] = {SCORES};
static const rg_column device_columns[] = {{"device", "device", RG_UNIT_NONE, false}, SCORES};
static const rg_column group_columns[] = {{"device", "device", RG_UNIT_NONE, false},
                                          {"family", "family", RG_UNIT_NONE, false}, SCORES};
static const rg_column miss_columns[] = {{"rows", "rows", RG_UNIT_COUNT, false},
                                         {"why", "why there is no forecast", RG_UNIT_NONE, false}};

static rg_err add_result(scoring *s, rg_item *results, const char *path)
{
    const rg_evaluation *e = s->e;
    const rg_quantity *q = &e->judge->quantities[s->quantity];
    rg_doc *d = s->doc;
    rg_item *r = rg_doc_object(d, results, NULL), *worst = NULL, *misses = NULL, *dirty = NULL;
    rg_doc_str(d, r, "file", path);
    rg_doc_str(d, r, "kind", e->judge->name);
    rg_doc_str(d, r, "quantity", q->name);
    rg_score all;
    RG_TRY(score(s, NULL, NULL, &all));
    add_score(d, r, &all);
    rg_item *devices = rg_doc_array(d, r, "devices");
    RG_TRY(add_overall(s, r, devices));
    rg_item *groups = rg_doc_array(d, r, "groups");
    RG_TRY(add_groups(s, groups));
    RG_TRY(add_worst(s, r, &worst));
    RG_TRY(add_misses(s, r, &misses));
    RG_TRY(add_dirty(s, r, &dirty));
    const rg_column worst_columns[] = {
        {"line", "line", RG_UNIT_NONE, false},       {"device", "device", RG_UNIT_NONE, false},
        {"family", "family", RG_UNIT_NONE, false},    {"measured", "measured", q->unit, false},
        {"forecast", "forecast", q->unit, false},     {"ape", "error", RG_UNIT_FRACTION, true},
    };
    rg_doc_section(d, 2, "%s of %s", q->name, e->judge->name);
    rg_doc_say(d, "%s. Devices are weighted equally in the first figures; a row without a forecast counts as "
                  "an error of 100 %%.", e->judge->brief);
    rg_doc_fields(d, rg_item_find(r, "overall"), overall_columns, RG_COUNT(overall_columns));
    rg_points_doc(d, r, results->count, e, s->quantity);
    rg_doc_table(d, "devices", devices, device_columns, RG_COUNT(device_columns), 0);
    rg_doc_table(d, "groups", groups, group_columns, RG_COUNT(group_columns), 40);
    rg_doc_table(d, "worst", worst, worst_columns, RG_COUNT(worst_columns), 0);
    const rg_column dirty_columns[] = {
        {"line", "line", RG_UNIT_NONE, false},     {"device", "device", RG_UNIT_NONE, false},
        {"family", "family", RG_UNIT_NONE, false}, {"why", "not scored, because", RG_UNIT_NONE, false},
        {"measured", "measured", q->unit, false},  {"forecast", "forecast", q->unit, false},
    };
    if (dirty && dirty->count) rg_doc_table(d, "dirty", dirty, dirty_columns, RG_COUNT(dirty_columns), WORST);
    if (misses && misses->count)
        rg_doc_table(d, "misses", misses, miss_columns, RG_COUNT(miss_columns), WORST);
    return RG_OK;
}

/* A file of a kind need not have all that the kind measures. */
static bool is_measured(const rg_evaluation *e, int quantity)
{
    for (size_t i = 0; i < e->count; i++)
        if (!isnan(e->verdicts[i].measured[quantity])) return true;
    return false;
}

static rg_err add_file(rg_ctx *cx, rg_doc *doc, rg_item *results, rg_item *choices, const char *path,
                       const rg_evaluate_opt *opt)
{
    rg_evaluation *all = NULL;
    size_t count = 0;
    RG_TRY(rg_evaluate_file(cx, path, opt, &all, &count));
    rg_err err = RG_OK;
    rg_doc_section(doc, 1, "%s", path);
    for (size_t i = 0; i < count && !err; i++) {
        scoring s = {.cx = cx, .doc = doc, .e = &all[i]};
        s.measured = RG_NEW(&cx->arena, double, all[i].count + 1);
        s.forecast = RG_NEW(&cx->arena, double, all[i].count + 1);
        s.spread = RG_NEW(&cx->arena, double, all[i].count + 1);
        if (!s.measured || !s.forecast || !s.spread) err = rg_nomem(cx);
        for (; !err && s.quantity < RG_JUDGE_QUANTITIES && all[i].judge->quantities[s.quantity].name;
             s.quantity++)
            if (is_measured(&all[i], s.quantity)) err = add_result(&s, results, path);
        if (!err && all[i].judge->time != all[i].judge->energy) rg_choices_doc(doc, choices, &all[i]);
    }
    rg_evaluation_free(all, count);
    return err;
}

rg_err rg_evaluate_doc(rg_ctx *cx, const char *const *files, size_t count, const rg_evaluate_opt *opt,
                       rg_doc **out)
{
    rg_doc *doc;
    rg_evaluate_opt o = {0};
    if (opt) memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    *out = NULL;
    RG_TRY(rg_doc_new(cx, "ridge.evaluate/1", &doc));
    rg_item *results = rg_doc_array(doc, rg_doc_root(doc), "results");
    rg_item *choices = rg_doc_array(doc, rg_doc_root(doc), "choices");
    rg_err err = RG_OK;
    for (size_t i = 0; i < count && !err; i++) err = add_file(cx, doc, results, choices, files[i], &o);
    if (!err && o.importance) err = rg_importance_doc(cx, doc, files, count, &o);
    if (!err) err = rg_doc_done(cx, doc);
    if (err) rg_doc_free(doc);
    else *out = doc;
    return err;
}
