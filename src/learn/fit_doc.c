/* fit_doc.c - `ridge fit`: what few measurements of a device change, and which ones to make next.
 *
 *     gain of one more probe of key k = share_k^2 (variance_k(n_k) - variance_k(n_k + 1))
 *
 * share: of the model's time; variance: fitting.h. The rows with most time are the probes to run.
 */
#include "learn/fit_networks.h"
#include "learn/fitting.h"
#include "learn/teach.h"
#include "pass/pass.h"
#include "report/doc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PROBES = 8 };

static const rg_column key_columns[] = {
    {"key", "key", RG_UNIT_NONE, false},            {"measurements", "measurements", RG_UNIT_COUNT, false},
    {"factor", "times", RG_UNIT_NONE, false},       {"before", "error before", RG_UNIT_FRACTION, false},
    {"after", "error after", RG_UNIT_FRACTION, true},
    {"spread_before", "90 % within (x)", RG_UNIT_NONE, false},
    {"spread_after", "then (x)", RG_UNIT_NONE, false},
};
static const rg_column probe_columns[] = {
    {"name", "row", RG_UNIT_NONE, false},           {"key", "key", RG_UNIT_NONE, false},
    {"kind", "kind", RG_UNIT_NONE, false},          {"m", "m", RG_UNIT_COUNT, false},
    {"n", "n", RG_UNIT_COUNT, false},               {"k", "k", RG_UNIT_COUNT, false},
    {"share", "of the time", RG_UNIT_FRACTION, false},
    {"narrower", "narrows the interval by", RG_UNIT_FRACTION, true},
};

static const rg_column network_columns[] = {
    {"model", "model", RG_UNIT_NONE, false}, {"batch", "batch", RG_UNIT_COUNT, false},
    {"latency_s", "forecast", RG_UNIT_SECOND, false},
};

typedef struct fit_run {
    rg_ctx *cx;
    const rg_fit_opt *opt;
    const rg_device *device;
    rg_doc *doc;
    rg_item *keys, *probes, *networks;
    rg_fit_report *reports; size_t report_count;
} fit_run;

/* ---- keys ---- */

static rg_err fit_key(fit_run *r, const rg_lessons *lessons, size_t at, const rg_fit_sample *found,
                      rg_booster *booster)
{
    rg_trees trees;
    rg_fit_report *report = &r->reports[r->report_count];
    const rg_lesson *lesson = &lessons->items[at];
    RG_TRY(rg_fit_key(r->cx, r->device, booster, lesson, &found[at], report, &trees));
    rg_fit_test(found, lessons->count, rg_fit_apart(lesson->of), at, lesson, &report->before, &report->after);
    r->report_count++;
    if (r->opt->out) RG_TRY(rg_trees_save(r->cx, &trees, r->opt->out));
    rg_item *k = rg_doc_object(r->doc, r->keys, NULL);
    rg_doc_str(r->doc, k, "key", report->key);
    rg_doc_int(r->doc, k, "measurements", (int64_t)report->count);
    rg_doc_real(r->doc, k, "factor", report->factor);
    rg_doc_real(r->doc, k, "before", report->before);
    rg_doc_real(r->doc, k, "after", report->after);
    rg_doc_real(r->doc, k, "spread_before", exp(report->spread_before));
    rg_doc_real(r->doc, k, "spread_after", exp(report->spread_after));
    return RG_OK;
}

static rg_err fit_keys(fit_run *r, const rg_lessons *lessons)
{
    rg_booster *booster = NULL;
    rg_fit_sample *found = RG_NEW(&r->cx->arena, rg_fit_sample, lessons->count + 1);
    if (!found) return rg_nomem(r->cx);
    for (size_t i = 0; i < lessons->count; i++)
        RG_TRY(rg_fit_sample_of(r->cx, r->device, &lessons->items[i], &found[i]));
    rg_fit_together(found, lessons->count, rg_fit_apart(r->opt->whole ? RG_OF_WHOLE : RG_OF_ROW));
    if (rg_booster_open(r->cx, &booster)) booster = NULL; /* scales need no library */
    rg_err err = RG_OK;
    for (size_t i = 0; i < lessons->count && !err; i++) err = fit_key(r, lessons, i, found, booster);
    rg_booster_close(booster);
    return err;
}

static rg_err fit_files(fit_run *r, const char *const *files, size_t count)
{
    rg_lessons lessons;
    rg_evaluate_opt how = {.size = sizeof how, .workers = r->opt->workers, .progress = r->opt->progress,
                           .user = r->opt->user, .learning = r->opt->whole ? RG_LEARN_ALL : RG_LEARN_ROWS};
    rg_lessons_init(r->cx, &lessons);
    rg_err err = RG_OK;
    for (size_t i = 0; i < count && !err; i++)
        err = rg_lessons_add(r->cx, &lessons, files[i], &how, r->opt->whole, r->device->id);
    r->reports = RG_NEW(&r->cx->arena, rg_fit_report, lessons.count + 1);
    if (!err && !r->reports) err = rg_nomem(r->cx);
    if (!err && !lessons.count)
        err = rg_fail(r->cx, RG_INPUT, "no row of the files is a measurement of %s%s", r->device->id,
                      r->opt->whole ? "" : "; --whole takes those of whole inferences");
    if (!err) err = fit_keys(r, &lessons);
    rg_lessons_done(&lessons);
    return err;
}

/* ---- what to measure next ---- */

typedef struct probe { uint32_t row; const char *key; double share, narrower; } probe;

static int by_gain(const void *a, const void *b)
{
    const probe *x = a, *y = b;
    if (x->narrower != y->narrower) return x->narrower > y->narrower ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static size_t measured_of(const fit_run *r, const char *key)
{
    for (size_t i = 0; i < r->report_count; i++)
        if (strcmp(r->reports[i].key, key) == 0) return r->reports[i].count;
    return 0;
}

/* One probe a key: its row with most time. *count: keys so far. */
static rg_err add_row(fit_run *r, const rg_forecast *f, uint32_t row, probe *all, size_t *count)
{
    const char *key;
    double share = f->rows[row].total_s / f->latency_s.value;
    RG_TRY(rg_learned_key(r->cx, f, row, f->plan->runtime->id, RG_TARGET_LATENCY, &key));
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(all[i].key, key) != 0) continue;
        if (f->rows[row].total_s > f->rows[all[i].row].total_s) all[i].row = row;
        all[i].share += share;
        return RG_OK;
    }
    all[(*count)++] = (probe){row, key, share, 0};
    return RG_OK;
}

static rg_err weigh(fit_run *r, probe *all, size_t count)
{
    double variance = 0;
    for (size_t i = 0; i < count; i++) {
        const rg_trees *trees;
        RG_TRY(rg_learned_find(r->cx, all[i].key, RG_OF_ROW, &trees));
        rg_spread_pair prior = rg_fit_prior(trees, r->device);
        double n = (double)measured_of(r, all[i].key), weight = all[i].share * all[i].share;
        variance += weight * rg_fit_variance(prior, n);
        all[i].narrower = weight * (rg_fit_variance(prior, n) - rg_fit_variance(prior, n + 1));
    }
    for (size_t i = 0; i < count; i++)
        all[i].narrower = variance > 0 ? 1 - sqrt(fmax(1 - all[i].narrower / variance, 0)) : 0;
    if (count) qsort(all, count, sizeof *all, by_gain);
    return RG_OK;
}

static rg_err name_probes(fit_run *r, const rg_forecast *f)
{
    size_t count = 0;
    probe *all = RG_NEW(&r->cx->arena, probe, f->plan->row_count + 1);
    if (!all) return rg_nomem(r->cx);
    for (uint32_t i = 0; i < f->plan->row_count; i++)
        if (f->rows[i].total_s > 0) RG_TRY(add_row(r, f, i, all, &count));
    RG_TRY(weigh(r, all, count));
    for (size_t i = 0; i < count && i < PROBES; i++) {
        const rg_row *row = &f->plan->rows[all[i].row];
        rg_item *p = rg_doc_object(r->doc, r->probes, NULL);
        rg_doc_str(r->doc, p, "name", row->name);
        rg_doc_str(r->doc, p, "key", all[i].key);
        rg_doc_str(r->doc, p, "kind", row->kind);
        rg_doc_real(r->doc, p, "m", row->work.m);
        rg_doc_real(r->doc, p, "n", row->work.n);
        rg_doc_real(r->doc, p, "k", row->work.k);
        rg_doc_real(r->doc, p, "share", all[i].share);
        rg_doc_real(r->doc, p, "narrower", all[i].narrower);
    }
    return RG_OK;
}

static rg_err plan_model(fit_run *r)
{
    const rg_graph *graph = NULL;
    const rg_runtime *runtime = NULL;
    const rg_plan *plan = NULL;
    const rg_forecast *f = NULL;
    rg_plan_opt opt = {.size = sizeof opt, .precision = r->opt->precision};
    rg_err err = rg_graph_load(r->cx, r->opt->model, NULL, &graph);
    if (!err) err = rg_runtime_find(r->cx, r->opt->runtime, r->device, &runtime);
    if (!err) err = rg_plan_make(r->cx, graph, r->device, runtime, &opt, &plan);
    if (!err) err = rg_forecast_make(r->cx, plan, NULL, &f);
    if (!err) err = name_probes(r, f);
    rg_forecast_free(f);
    rg_plan_free(plan);
    rg_runtime_free(runtime);
    rg_graph_free(graph);
    return err;
}

static rg_err plan_networks(fit_run *r)
{
    rg_network_probe networks[RG_NETWORK_PROBES];
    size_t count;
    RG_TRY(rg_fit_networks(r->cx, r->device, r->opt->runtime, r->opt->precision, networks, &count));
    for (size_t i = 0; i < count; i++) {
        rg_item *n = rg_doc_object(r->doc, r->networks, NULL);
        rg_doc_str(r->doc, n, "model", networks[i].model);
        rg_doc_int(r->doc, n, "batch", networks[i].batch);
        rg_doc_real(r->doc, n, "latency_s", networks[i].latency_s);
    }
    return RG_OK;
}

/* ---- the document ---- */

static void lay_out(fit_run *r)
{
    rg_doc_section(r->doc, 1, "%s fitted", r->device->name);
    if (r->report_count) {
        rg_doc_say(r->doc,
                   "Errors after the fit are of each measurement forecast with a factor from the others.");
        rg_doc_table(r->doc, "keys", r->keys, key_columns, RG_COUNT(key_columns), 0);
    }
    if (r->networks) {
        rg_doc_section(r->doc, 2, "Networks to time");
        rg_doc_say(r->doc, "Usual ones, each of another family: what is off with them is the machine.");
        rg_doc_table(r->doc, "networks", r->networks, network_columns, RG_COUNT(network_columns), 0);
    }
    if (!r->opt->model) return;
    rg_doc_section(r->doc, 2, "What to measure next");
    rg_doc_say(r->doc, "One more measurement of each kind, by what it would take off the interval of %s:",
               r->opt->model);
    rg_doc_table(r->doc, "probes", r->probes, probe_columns, RG_COUNT(probe_columns), 0);
}

static rg_err fit(fit_run *r, const char *const *files, size_t count)
{
    bool asks = r->opt->whole && !count;
    rg_item *root = rg_doc_root(r->doc);
    rg_doc_str(r->doc, root, "device", r->device->id);
    r->keys = rg_doc_array(r->doc, root, "keys");
    r->probes = rg_doc_array(r->doc, root, "probes");
    if (asks) r->networks = rg_doc_array(r->doc, root, "networks");
    if (count) RG_TRY(fit_files(r, files, count));
    if (asks) RG_TRY(plan_networks(r));
    if (r->opt->model) RG_TRY(plan_model(r));
    lay_out(r);
    return rg_doc_done(r->cx, r->doc);
}

rg_err rg_fit_doc(rg_ctx *cx, const char *const *files, size_t count, const rg_fit_opt *opt, rg_doc **out)
{
    rg_fit_opt o = {0};
    fit_run r = {.cx = cx, .opt = &o};
    memcpy(&o, opt, opt->size < sizeof o ? opt->size : sizeof o);
    *out = NULL;
    RG_TRY(rg_learned_folder(cx, o.out));
    RG_TRY(rg_device_find(cx, o.device, &r.device));
    rg_err err = rg_doc_new(cx, "ridge.fit/1", &r.doc);
    if (!err) {
        err = fit(&r, files, count);
        if (err) rg_doc_free(r.doc);
        else *out = r.doc;
    }
    rg_device_free(r.device);
    return err;
}
